"""The loop: an example by hand, and plain loops as the judge of every single step."""

import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import oracle
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import Step, lloyd
from kmeans_seg.exact import Floats
from kmeans_seg.lloyd import Clusters
from kmeans_seg.strategies import STRATEGIES

Weights = NDArray[np.int64] | None


def assert_by_the_book(steps: Sequence[Step], expected: Sequence[oracle.Pass]) -> None:
    assert len(steps) == len(expected)
    for number, (step, pass_) in enumerate(zip(steps, expected, strict=True), start=1):
        assert step.iteration == number
        assert step.labels.tolist() == pass_.labels
        assert step.centers.tolist() == [list(center) for center in pass_.centers]
        assert step.reassigned.tolist() == pass_.reassigned


def test_an_example_worked_by_hand(strategy: str) -> None:
    # Two squares of side 2 with the corner (0, 0) and (10, 0), and both seeds in the first.
    points = [[0, 0], [2, 0], [0, 2], [2, 2], [10, 0], [12, 0], [10, 2], [12, 2]]
    steps = list(lloyd(points, [[0, 0], [2, 2]], strategy=strategy))

    # (2, 0) and (0, 2) are as near to one seed as to the other: the lowest index gets them.
    assert steps[0].centers.tolist() == [[0, 0], [2, 2]]
    assert steps[0].labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert steps[0].reassigned.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert steps[0].weights.tolist() == [3, 5]
    # Squared distances 0, 4, 4 to the first; 0, 68, 104, 64, 100 to the second.
    assert steps[0].inertia == 344

    # The means of 3 and of 5 points. Now (2, 2) changes sides: 32/9 against 52.48.
    assert steps[1].centers.tolist() == [[2 / 3, 2 / 3], [9.2, 1.2]]
    assert steps[1].labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert steps[1].reassigned.tolist() == [3]

    # The middle of each square. Every point is at a squared distance of 2; nothing moves.
    assert steps[2].centers.tolist() == [[1, 1], [11, 1]]
    assert steps[2].labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert steps[2].reassigned.tolist() == []
    assert steps[2].weights.tolist() == [4, 4]
    assert steps[2].inertia == 16
    assert len(steps) == 3


def tiny_grid(seed: int) -> tuple[NDArray[np.int64], NDArray[Any], Weights]:
    """Make a few points on a small grid, and centers, so that ties abound."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, rng.choice([7, 12, 20, 41])))
    channels = int(rng.integers(1, 4))
    shape = rng.choice(["any", "any", "any", "collinear", "two colors", "one color"])
    if shape == "any":
        points = rng.integers(0, rng.integers(2, 5), (n, channels))
    elif shape == "collinear":
        points = rng.integers(0, 4, (n, 1)) * rng.integers(0, 2, channels)
    else:
        colors = rng.integers(0, 4, (2 if shape == "two colors" else 1, channels))
        points = colors[rng.integers(0, len(colors), n)]
    k = int(rng.integers(1, rng.choice([3, 5, n]) + 1)) if n > 5 else int(rng.integers(1, n + 1))
    start = rng.choice(["points", "distinct", "grid", "halves", "far"])
    if start == "points":
        centers = points[rng.integers(0, n, k)] * 1.0
    elif start == "distinct":
        centers = points[rng.choice(n, k, replace=False)] * 1.0
    elif start == "grid":
        centers = rng.integers(0, 4, (k, channels)) * 1.0
    elif start == "halves":
        centers = rng.integers(-1, 8, (k, channels)) / 2
    else:
        centers = rng.integers(-20, 20, (k, channels)) * 1.0
    weights = rng.integers(1, 5, n) if rng.random() < 0.3 else None
    return points, centers, weights


@functools.cache  # the book is slow: once for all strategies
def tiny_passes(seed: int) -> list[oracle.Pass]:
    points, centers, weights = tiny_grid(seed)
    known = None if weights is None else weights.tolist()
    return list(oracle.lloyd(points.tolist(), centers.tolist(), known))


@pytest.mark.parametrize("hundred", range(dose(1, 60)))
def test_tiny_grids_full_of_ties_go_by_the_book(strategy: str, hundred: int) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        points, centers, weights = tiny_grid(seed)
        expected = tiny_passes(seed)
        # Not to the end: with a wrong rule for ties there may be none.
        steps = lloyd(points, centers, weights=weights, strategy=strategy)
        assert_by_the_book(list(itertools.islice(steps, len(expected) + 1)), expected)


def has_a_tie(points: list[oracle.Point], pass_: oracle.Pass) -> bool:
    for point in points:
        gaps = sorted(oracle.squared_distance(point, center) for center in pass_.centers)
        if gaps[0] in gaps[1:]:
            return True
    return False


def test_the_tiny_grids_hold_what_they_are_for() -> None:
    ties = duplicates = rescues = 0
    for seed in range(1000):
        points, centers, _ = tiny_grid(seed)
        rows = [tuple(map(float, point)) for point in points.tolist()]
        passes = tiny_passes(seed)
        ties += any(has_a_tie(rows, pass_) for pass_ in passes[1:])
        duplicates += len(np.unique(centers, axis=0)) < len(centers)
        rescues += [list(center) for center in passes[0].centers] != centers.tolist()
    assert ties > 100
    assert duplicates > 100
    assert rescues > 100


def about_to_be_empty(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Make points and centers of which one loses all its points, to ties, in the second pass.

    By chance that happens in one of 2000 tiny grids.
    """
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 4))
    direction = rng.integers(1, 4, channels) * rng.choice([-1, 1])
    row = np.array([-4, 4, -2, 2]).repeat(rng.integers(1, 4))
    points = row[:, np.newaxis] * direction
    centers = np.array([-5, 5, 0])[:, np.newaxis] * direction
    # Elsewhere there are others, which may be the ones to lose a point to the empty center.
    elsewhere = 1000 + rng.integers(0, rng.choice([2, 6, 30]), (rng.integers(1, 8), channels))
    points = np.concatenate([points, elsewhere])
    centers = np.concatenate([elsewhere[:1], centers])
    return rng.permutation(points), centers


def test_centers_emptied_on_the_way_go_by_the_book(strategy: str) -> None:
    for seed in range(dose(60, 200)):
        points, centers = about_to_be_empty(seed)
        expected = list(oracle.lloyd(points.tolist(), centers.tolist()))
        steps = list(lloyd(points, centers, strategy=strategy))
        assert_by_the_book(steps, expected)
        rows = [points[steps[0].labels == index] for index in range(len(centers))]
        means = np.array([row.mean(axis=0) for row in rows])
        assert not np.array_equal(steps[1].centers, means)  # or this test tests nothing


@pytest.mark.parametrize("channels", dose([1, 3], [1, 2, 3, 4]))
@pytest.mark.parametrize("k", [1, 3, 12])
def test_larger_clouds_go_by_the_book(strategy: str, channels: int, k: int) -> None:
    rng = np.random.default_rng(10 * channels + k)
    points = rng.integers(0, 256, (150, channels))
    weights = rng.integers(1, 50, 150)
    centers = points[rng.choice(150, k, replace=False)]
    expected = list(oracle.lloyd(points.tolist(), centers.tolist(), weights.tolist()))
    assert_by_the_book(list(lloyd(points, centers, weights=weights, strategy=strategy)), expected)


def test_halves_and_quarters_as_weights_go_by_the_book(strategy: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, 16, (60, 2)) / 8
    weights = rng.integers(1, 9, 60) / 4
    centers = points[:5]
    expected = list(oracle.lloyd(points.tolist(), centers.tolist(), weights.tolist()))
    assert_by_the_book(list(lloyd(points, centers, weights=weights, strategy=strategy)), expected)


# Centers without points.


def test_the_farthest_point_takes_an_empty_center(strategy: str) -> None:
    step = next(lloyd([[0], [1], [7], [10]], [[0], [100]], strategy=strategy))
    assert step.centers.ravel().tolist() == [0, 10]
    assert step.labels.tolist() == [0, 0, 1, 1]


def test_how_far_it_is_counts_and_not_its_weight(strategy: str) -> None:
    step = next(lloyd([[0], [6], [-7]], [[0], [100]], weights=[1, 1000, 1], strategy=strategy))
    assert step.centers.ravel().tolist() == [0, -7]


def test_of_equally_far_points_the_smallest_takes_an_empty_center(strategy: str) -> None:
    points = np.array([[5, 5], [5, 9], [9, 5], [5, 1], [1, 5]])
    for order in itertools.permutations(range(5)):
        step = next(lloyd(points[list(order)], [[5, 5], [99, 99]], strategy=strategy))
        assert step.centers.tolist() == [[5, 5], [1, 5]]


def test_several_empty_centers_take_one_point_each(strategy: str) -> None:
    points = [[0], [1], [20], [21], [50]]
    step = next(lloyd(points, [[0], [900], [901], [902]], strategy=strategy))
    # First the farthest, 50; then 21, which is now farther from 0 than from 50; then 20 and 1
    # are equally far from their nearest, and the smaller one goes.
    assert step.centers.ravel().tolist() == [0, 50, 21, 1]
    assert step.labels.tolist() == [0, 3, 2, 2, 1]


def test_a_center_emptied_by_a_rescue_is_rescued_too(strategy: str) -> None:
    # The point 10 is all that center 1 has, and it is the farthest: center 2 takes it away.
    step = next(lloyd([[0], [1], [10]], [[0], [15], [99]], strategy=strategy))
    assert step.centers.ravel().tolist() == [0, 1, 10]
    assert step.labels.tolist() == [0, 1, 2]


def test_equal_centers_part(strategy: str) -> None:
    *_, last = lloyd([[0], [2], [4], [9]], [[2], [2], [2], [2]], strategy=strategy)
    assert sorted(last.centers.ravel().tolist()) == [0, 2, 4, 9]
    assert last.weights.tolist() == [1, 1, 1, 1]


def test_a_center_emptied_on_the_way_is_rescued(strategy: str) -> None:
    first, second, last = lloyd([[-4], [4], [-2], [2]], [[-5], [5], [0]], strategy=strategy)
    assert first.labels.tolist() == [0, 1, 2, 2]
    # The centers would now be -4, 4 and 0. Both points of the last are ties, which it loses.
    assert second.centers.ravel().tolist() == [-4, 4, -2]
    assert second.labels.tolist() == [0, 1, 2, 1]
    assert second.reassigned.tolist() == [3]
    assert last.centers.ravel().tolist() == [-4, 3, -2]


def test_no_center_stays_empty_while_there_are_points_to_have(strategy: str) -> None:
    for seed in range(dose(100, 300)):
        points, centers, _ = tiny_grid(seed)
        wanted = min(len(centers), len(np.unique(points, axis=0)))
        for step in lloyd(points, centers, strategy=strategy):
            assert np.count_nonzero(step.weights) == wanted


def test_with_too_few_distinct_points_some_centers_stay_empty(strategy: str) -> None:
    *_, last = lloyd([[3], [3], [8]], [[8], [9], [10], [11]], strategy=strategy)
    assert last.reassigned.size == 0
    assert last.weights.tolist() == [1, 2, 0, 0]
    assert last.labels.tolist() == [1, 1, 0]
    assert last.centers.ravel().tolist() == [8, 3, 10, 11]


def test_a_rounded_mean_of_equal_points_is_not_worth_a_rescue(strategy: str) -> None:
    # Three times 0.1, divided by 3, is not 0.1; moving the spare center there would never end.
    points, weights = [[0.1], [0.3]], [3, 7]
    steps = lloyd(points, [[0.1], [0.3], [9.0]], weights=weights, strategy=strategy)
    *_, last = itertools.islice(steps, 20)
    assert last.reassigned.size == 0
    assert last.labels.tolist() == [0, 1]
    assert last.weights.tolist() == [3, 7, 0]


def test_equal_points_are_one_point_to_a_rescue(strategy: str) -> None:
    for seed in range(dose(60, 200)):
        rng = np.random.default_rng(seed)
        colors = rng.normal(size=(rng.integers(1, 6), 3)) * 10.0 ** rng.integers(-3, 4)
        points = colors[rng.integers(0, len(colors), 40)]
        centers = rng.normal(size=(len(colors) + rng.integers(1, 4), 3)) * 20
        weights = rng.random(40) + 0.1 if seed % 2 else None
        steps = lloyd(points, centers, weights=weights, strategy=strategy)
        *_, last = itertools.islice(steps, 50)
        assert last.reassigned.size == 0
        assert np.count_nonzero(last.weights) == len(np.unique(points, axis=0))


def test_labels_to_go_on_from_decide_what_counts_as_reassigned(strategy: str) -> None:
    points, centers = [[0], [1], [8], [9]], [[0.5], [8.5]]
    (step,) = lloyd(points, centers, labels=[0, 0, 1, 1], strategy=strategy)
    assert step.reassigned.size == 0
    assert step.weights.tolist() == [2, 2]
    first, last = lloyd(points, centers, labels=[0, 1, 1, 1], strategy=strategy)
    assert first.reassigned.tolist() == [1]
    assert first.weights.tolist() == [2, 2]
    assert last.reassigned.size == 0


def test_going_on_from_any_step_is_as_if_never_stopped(strategy: str) -> None:
    rng = np.random.default_rng(1)
    points, weights = rng.integers(0, 256, (300, 3)), rng.integers(1, 9, 300)
    steps = list(lloyd(points, points[:8], weights=weights, strategy=strategy))
    for before, after in itertools.pairwise(steps):
        again = next(
            lloyd(points, after.centers, weights=weights, labels=before.labels, strategy=strategy)
        )
        np.testing.assert_array_equal(again.labels, after.labels)
        np.testing.assert_array_equal(again.reassigned, after.reassigned)
        np.testing.assert_array_equal(again.weights, after.weights)


def test_moved_is_the_weight_of_what_was_reassigned(strategy: str) -> None:
    points, weights = [[0], [4], [5], [9]], [1, 2, 30, 400]
    counted = list(lloyd(points, [[0], [4]], weights=weights, strategy=strategy))
    assert [step.reassigned_weight for step in counted] == [
        sum(weights[index] for index in step.reassigned) for step in counted
    ]
    assert counted[0].reassigned_weight == 433
    assert counted[-1].reassigned_weight == 0
    plain = list(lloyd(points, [[0], [4]], strategy=strategy))
    assert [step.reassigned_weight for step in plain] == [step.reassigned.size for step in plain]


def test_the_weights_of_a_step_are_those_of_its_labels(strategy: str) -> None:
    rng = np.random.default_rng(2)
    points, weights = rng.integers(0, 50, (200, 2)), rng.integers(1, 9, 200)
    for step in lloyd(points, points[:9], weights=weights, strategy=strategy):
        np.testing.assert_array_equal(step.weights, np.bincount(step.labels, weights, 9))


def test_the_inertia_of_a_step_is_that_of_its_labels_and_centers(strategy: str) -> None:
    rng = np.random.default_rng(3)
    points, weights = rng.integers(0, 50, (200, 2)), rng.integers(1, 9, 200)
    for step in lloyd(points, points[:9], weights=weights, strategy=strategy):
        gaps = np.square(points - step.centers[step.labels]).sum(axis=1)
        assert step.inertia == pytest.approx(gaps @ weights, rel=1e-12)


def test_steps_are_made_as_they_are_asked_for() -> None:
    # From the far end of a long row a boundary travels through it: too long to do ahead of time.
    steps = lloyd(np.arange(50_000)[:, np.newaxis], [[0], [1]])
    assert next(steps).iteration == 1
    assert next(steps).iteration == 2


def test_steps_kept_are_not_changed_by_those_that_follow(strategy: str) -> None:
    rng = np.random.default_rng(4)
    points = rng.integers(0, 256, (100, 3))
    kept, copies = [], []
    for step in lloyd(points, points[:6], strategy=strategy):
        kept.append(step)
        copies.append((step.centers.copy(), step.labels.copy(), step.weights.copy(), step.inertia))
    for step, (centers, labels, weights, inertia) in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(step.centers, centers)
        np.testing.assert_array_equal(step.labels, labels)
        np.testing.assert_array_equal(step.weights, weights)
        assert step.inertia == inertia


def test_types_are_what_the_docstring_says(strategy: str) -> None:
    for step in lloyd(np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.uint8)[:2], strategy=strategy):
        assert step.centers.dtype == np.float64
        assert step.labels.dtype == np.int32
        assert step.reassigned.dtype == np.intp
        assert step.weights.dtype == np.float64
        assert isinstance(step.inertia, float)
        assert isinstance(step.reassigned_weight, float)


def test_the_arguments_are_left_alone(strategy: str) -> None:
    rng = np.random.default_rng(6)
    points = np.asfortranarray(rng.random((60, 2)))
    centers, weights, labels = points[:7].copy(), rng.random(60) + 0.1, np.arange(60) % 7
    arguments: list[NDArray[Any]] = [points, centers, weights, labels]
    copies = [argument.copy() for argument in arguments]
    for argument in arguments:
        argument.flags.writeable = False
    list(lloyd(points, centers, weights=weights, labels=labels, strategy=strategy))
    for argument, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(argument, copy)


def test_a_step_does_not_change_with_the_array_that_was_given(strategy: str) -> None:
    centers = np.array([[0.0], [4.0]])
    step = next(lloyd([[1], [4]], centers, strategy=strategy))
    centers[:] = 99
    assert step.centers.ravel().tolist() == [0, 4]


def test_bytes_never_wrap_around(strategy: str) -> None:
    rng = np.random.default_rng(7)
    points = rng.choice(np.array([0, 1, 127, 128, 254, 255], np.uint8), (80, 3))
    start = points[:4]
    for step, wide in zip(
        lloyd(points, start, strategy=strategy),
        lloyd(points.astype(np.int64), start.astype(np.int64), strategy=strategy),
        strict=True,
    ):
        np.testing.assert_array_equal(step.centers, wide.centers)
        np.testing.assert_array_equal(step.labels, wide.labels)
        assert step.inertia == wide.inertia


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["centers", "labels", "reassigned", "weights"])
def test_the_arrays_of_a_step_are_read_only(name: str, strategy: str) -> None:
    # The third center is empty at first.
    for step in lloyd([[0], [1], [5], [9]], [[0], [1], [99]], strategy=strategy):
        array = getattr(step, name)
        assert array.size or name == "reassigned"
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 7


def test_the_centers_given_stay_writable() -> None:
    centers = np.array([[0.0], [4.0]])
    next(lloyd([[1], [4]], centers))
    centers[:] = 99


def test_labels_that_agree_with_centers_that_are_no_means_do_not_end_it() -> None:
    points, labels = np.array([[0], [1], [5], [9]]), [0, 0, 1, 1]
    steps = list(lloyd(points, [[0], [6]], labels=labels))
    assert [step.reassigned.size for step in steps] == [0, 0]
    assert steps[-1].centers.ravel().tolist() == [0.5, 7]
    assert len(list(lloyd(points, [[0.5], [7.0]], labels=labels))) == 1


def round_means_to_the_farther_integer(monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    """Let means be rounded so badly that the loop often comes back to earlier centers."""
    clusters = STRATEGIES[strategy].clusters
    exact_update = clusters.update_centers

    def update_centers(self: Clusters, centers: Floats) -> Floats:
        exact = exact_update(self, centers)
        return np.where(exact % 1 > 0.5, np.floor(exact), np.ceil(exact))

    monkeypatch.setattr(clusters, "update_centers", update_centers)


def test_a_cycle_ends(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    round_means_to_the_farther_integer(monkeypatch, strategy)
    rng = np.random.default_rng(0)
    lengths = Counter[int]()
    for _ in range(dose(40, 200)):
        points = rng.integers(0, 24, (int(rng.integers(4, 20)), 2)) / 4
        steps = list(lloyd(points, points[:3], strategy=strategy))
        centers = [step.centers.tobytes() for step in steps]
        assert steps[-1].converged == (steps[-1].reassigned.size == 0)
        assert len(steps) <= 3 * len(set(centers))
        if not steps[-1].converged:
            # Only the last pass ends it.
            lengths[len(steps) - 1 - centers.index(centers[-1])] += 1
    assert len(lengths) > 1


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2]])
def test_a_refilled_center_has_the_same_bits_whatever_the_sign_of_zero(order: list[int]) -> None:
    points = np.array([[0.0], [-0.0], [5.0]])[order]
    centers = next(lloyd(points, [[5.0], [5.0]])).centers
    assert not np.signbit(centers).any()
