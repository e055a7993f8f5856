"""What holds for every input: Hypothesis looks for one for which it does not."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import oracle
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kmeans_seg import Step, kmeans, lloyd, segment

Points = NDArray[Any]

sizes = st.tuples(st.integers(1, 40), st.integers(1, 4))


def filled(dtype: Any, shape: Any, elements: Any) -> st.SearchStrategy[Points]:
    """Make arrays of which every element is drawn: the default repeats one of them."""
    return arrays(dtype, shape, elements=elements, fill=st.nothing())


# Few values, so that points tie and coincide; and many.
whole_points = st.one_of(
    filled(np.int64, sizes, st.integers(0, 3)),
    filled(np.uint8, sizes, st.integers(0, 255)),
    filled(np.int64, sizes, st.integers(-(2**20), 2**20)),
)
float_points = st.one_of(
    filled(np.float64, sizes, st.floats(-1e6, 1e6, width=32)),
    filled(np.float64, sizes, st.sampled_from([0.1, 0.2, 0.3, 0.7, 1e-9, 12345.678])),
)
all_points = whole_points | float_points
ks = st.integers(1, 10)
seeds = st.integers(0, 2**32 - 1)

# Enough for all of these points. Floating-point numbers as close as float64 can tell may go round
# in circles by rounding, and so would everything with a wrong rule for ties.
PASSES = 60


def choose(points: Points, k: int, seed: int) -> tuple[Points, Points]:
    """Choose centers to start from among the points, and weights."""
    rng = np.random.default_rng(seed)
    centers = points[rng.integers(0, len(points), k)].astype(np.float64)
    return centers, rng.integers(1, 9, len(points)).astype(np.float64)


def passes(points: Points, centers: Points, weights: Points | None, strategy: str) -> list[Step]:
    return list(
        itertools.islice(lloyd(points, centers, weights=weights, strategy=strategy), PASSES)
    )


@given(all_points, ks, seeds, st.booleans())
def test_the_inertia_never_rises(
    strategy: str, points: Points, k: int, seed: int, weighted: bool
) -> None:
    centers, weights = choose(points, k, seed)
    steps = passes(points, centers, weights if weighted else None, strategy)
    # A center is rounded to the last bit of its coordinates, which shifts it by that much.
    last_bit = float(np.spacing(np.abs(points).max(initial=1))) ** 2 * weights.sum() * 100
    for before, after in itertools.pairwise(steps):
        assert after.inertia <= before.inertia * (1 + 1e-12) + last_bit


@given(whole_points, ks, seeds)
def test_at_the_end_all_is_at_rest(strategy: str, points: Points, k: int, seed: int) -> None:
    centers, weights = choose(points, k, seed)
    *_, last = passes(points, centers, weights, strategy)
    assert last.reassigned.size == 0
    rows = [tuple(center) for center in last.centers.tolist()]
    values = points.astype(np.float64).tolist()
    # Every point is nearest to its own center, the first of equally near ones.
    for point, label in zip(values, last.labels.tolist(), strict=True):
        gaps = [oracle.squared_distance(tuple(point), row) for row in rows]
        assert gaps.index(min(gaps)) == label
    # Every center is the mean of its points, correctly rounded.
    for index in range(k):
        members = last.labels == index
        if members.any():
            total = sum(map(Fraction, weights[members].tolist()))
            for channel in range(points.shape[1]):
                column = (points[members, channel] * weights[members]).tolist()
                assert rows[index][channel] == float(sum(map(Fraction, column)) / total)
        else:
            assert len(np.unique(points, axis=0)) < k


@given(whole_points, ks, seeds)
def test_counted_points_are_repeated_points(
    strategy: str, points: Points, k: int, seed: int
) -> None:
    centers, _ = choose(points, k, seed)
    distinct, which, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    every = passes(points, centers, None, strategy)
    counted = passes(distinct, centers, counts, strategy)
    assert len(every) == len(counted)
    for one, other in zip(every, counted, strict=True):
        np.testing.assert_array_equal(one.centers, other.centers)
        np.testing.assert_array_equal(one.labels, other.labels[which])
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(
            one.reassigned, np.flatnonzero(np.isin(which, other.reassigned))
        )
        assert one.reassigned_weight == other.reassigned_weight


@given(all_points, ks, seeds, st.booleans())
def test_rearranging_the_points_rearranges_the_labels_and_nothing_else(
    strategy: str, points: Points, k: int, seed: int, weighted: bool
) -> None:
    centers, weights = choose(points, k, seed)
    order = np.random.default_rng(seed).permutation(len(points))
    steps = passes(points, centers, weights if weighted else None, strategy)
    again = passes(points[order], centers, weights[order] if weighted else None, strategy)
    assert len(steps) == len(again)
    for one, other in zip(steps, again, strict=True):
        np.testing.assert_array_equal(one.centers, other.centers)
        np.testing.assert_array_equal(one.labels[order], other.labels)
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(np.sort(order[other.reassigned]), one.reassigned)
        assert one.inertia == other.inertia
        assert one.reassigned_weight == other.reassigned_weight


@given(all_points, ks, seeds)
def test_equal_points_share_a_label(strategy: str, points: Points, k: int, seed: int) -> None:
    centers, _ = choose(points, k, seed)
    _, which = np.unique(points, axis=0, return_inverse=True)
    for step in passes(points, centers, None, strategy):
        pairs = set(zip(which.ravel().tolist(), step.labels.tolist(), strict=True))
        assert len(pairs) == len(set(which.ravel().tolist()))


@given(all_points, ks, seeds, st.booleans())
def test_every_step_is_true_to_itself(
    strategy: str, points: Points, k: int, seed: int, weighted: bool
) -> None:
    centers, weights = choose(points, k, seed)
    weights = weights if weighted else np.ones(len(points))
    distinct = len(np.unique(points, axis=0))
    previous = np.full(len(points), -1)
    for step in passes(points, centers, weights if weighted else None, strategy):
        rows = [tuple(center) for center in step.centers.tolist()]
        labels = [oracle.nearest(tuple(map(float, point)), rows) for point in points.tolist()]
        assert step.labels.tolist() == labels
        np.testing.assert_array_equal(step.reassigned, np.flatnonzero(step.labels != previous))
        np.testing.assert_array_equal(step.weights, np.bincount(step.labels, weights, k))
        assert np.count_nonzero(step.weights) == min(k, distinct)
        assert step.reassigned_weight == weights[step.reassigned].sum()
        previous = step.labels


@given(whole_points, ks, seeds, st.sampled_from(["k-means++", "random"]))
def test_a_clustering_delivers_what_was_asked(
    strategy: str, points: Points, k: int, seed: int, init: str
) -> None:
    assume(k <= len(np.unique(points, axis=0)))
    result = kmeans(points, k, init=init, rng=seed, strategy=strategy)
    assert result.converged
    assert result.centers.shape == (k, points.shape[1])
    assert (result.weights > 0).all()
    assert result.weights.sum() == len(points)
    assert result.inertia >= 0


shapes = st.tuples(st.integers(1, 8), st.integers(1, 8), st.sampled_from([1, 3]))
images = st.one_of(
    filled(st.sampled_from([np.uint8, np.uint16, np.int16, np.bool_]), shapes, st.integers(0, 1)),
    filled(np.uint8, shapes, st.integers(0, 4)),
    filled(np.uint8, shapes, st.integers(0, 255)),
)


@given(images, ks, seeds, st.sampled_from(["rgb", "raw"]))
def test_a_segmentation_does_not_depend_on_where_the_pixels_stand(
    strategy: str, image: Points, k: int, seed: int, space: str
) -> None:
    pixels = image.reshape(-1, image.shape[2])
    assume(k <= len(np.unique(pixels, axis=0)))
    result = segment(image, k, space=space, rng=seed, strategy=strategy)
    order = np.random.default_rng(seed).permutation(len(pixels))
    shuffled = segment(pixels[order][np.newaxis], k, space=space, rng=seed, strategy=strategy)
    np.testing.assert_array_equal(shuffled.labels, result.labels.ravel()[order][np.newaxis])
    np.testing.assert_array_equal(shuffled.centers, result.centers)
    np.testing.assert_array_equal(shuffled.palette, result.palette)
    np.testing.assert_array_equal(shuffled.counts, result.counts)
    assert shuffled.inertia == result.inertia
    assert shuffled.n_iter == result.n_iter


@given(images, ks, seeds, st.sampled_from(["rgb", "lab", "raw"]))
def test_a_segmentation_is_true_to_itself(
    strategy: str, image: Points, k: int, seed: int, space: str
) -> None:
    assume(space != "lab" or image.dtype != np.int16)
    assume(k <= len(np.unique(image.reshape(-1, image.shape[2]), axis=0)))
    result = segment(image, k, space=space, rng=seed, strategy=strategy)
    np.testing.assert_array_equal(result.predict(image), result.labels)
    np.testing.assert_array_equal(result.counts, np.bincount(result.labels.ravel(), minlength=k))
    assert (result.counts > 0).all()
    np.testing.assert_array_equal(result.painted, result.palette[result.labels])
    assert result.converged
