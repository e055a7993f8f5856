"""scikit-learn from the same start: the same labels, and centers to the ninth decimal."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from kmeans_seg import kmeans

Points = NDArray[np.float64]


def jittered(n: int, channels: int, seed: int) -> Points:
    """Make points like those of an image, moved a little so that none of them ties.

    Whole numbers do tie, and the rounding of a matrix product, which is how
    scikit-learn computes its distances, breaks ties by chance.
    """
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, channels)) + rng.uniform(-0.25, 0.25, (n, channels))


@pytest.mark.parametrize("algorithm", ["lloyd", "elkan"])
@pytest.mark.parametrize("k", [2, 3, 5, 8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_as_scikit_learn(
    channels: int, k: int, algorithm: str, weighted: bool, assign: str
) -> None:
    rng = np.random.default_rng(10 * channels + k)
    points = jittered(800, channels, seed=k)
    init = points[rng.choice(800, k, replace=False)]
    weights = rng.integers(1, 20, 800).astype(np.float64) if weighted else None

    result = kmeans(points, k, init=init, weights=weights, assign=assign)
    peer = KMeans(k, init=init, n_init=1, tol=0, max_iter=1000, algorithm=algorithm)
    peer.fit(points, sample_weight=weights)

    np.testing.assert_array_equal(result.labels, peer.labels_)
    np.testing.assert_allclose(result.centers, peer.cluster_centers_, rtol=0, atol=1e-9)
    assert result.inertia == pytest.approx(peer.inertia_, rel=1e-9)
    # Both count the pass in which nothing changes.
    assert result.n_iter == peer.n_iter_
