"""scikit-learn from the same start: the same labels, and centers to the ninth decimal."""

import functools
from typing import Any

import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import kmeans

Numbers = NDArray[np.float64]


@functools.cache
def start(channels: int, k: int) -> tuple[Numbers, Numbers, Numbers]:
    """Make points like those of an image, moved a little so that none of them ties.

    Whole numbers do tie, and the rounding of a matrix product, which is how
    scikit-learn computes its distances, breaks ties by chance. With no more
    points than its block of 256 its threads do not wait for each other.
    """
    rng = np.random.default_rng(10 * channels + k)
    points = rng.integers(0, 256, (250, channels)) + rng.uniform(-0.25, 0.25, (250, channels))
    init = points[rng.choice(250, k, replace=False)]
    return points, init, rng.integers(1, 20, 250).astype(np.float64)


@functools.cache  # once for all of our strategies
def peer(channels: int, k: int, algorithm: str, weighted: bool) -> Any:
    points, init, weights = start(channels, k)
    KMeans = pytest.importorskip("sklearn.cluster").KMeans  # noqa: N806 - a class
    estimator = KMeans(k, init=init, n_init=1, tol=0, max_iter=1000, algorithm=algorithm)
    return estimator.fit(points, sample_weight=weights if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("algorithm", dose(["lloyd"], ["lloyd", "elkan"]))
@pytest.mark.parametrize("k", [2, 5, 16])
@pytest.mark.parametrize("channels", dose([1, 3], [1, 2, 3, 4, 5]))
def test_the_same_as_scikit_learn(
    channels: int, k: int, algorithm: str, weighted: bool, strategy: str
) -> None:
    points, init, weights = start(channels, k)
    result = kmeans(points, k, init=init, weights=weights if weighted else None, strategy=strategy)
    expected = peer(channels, k, algorithm, weighted)
    np.testing.assert_array_equal(result.labels, expected.labels_)
    np.testing.assert_allclose(result.centers, expected.cluster_centers_, rtol=0, atol=1e-9)
    assert result.inertia == pytest.approx(expected.inertia_, rel=1e-9)
    assert result.n_iter == expected.n_iter_  # both count the pass in which nothing changes
