"""Distances, nearest centers and clusters: every strategy against plain loops, ties included."""

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import oracle
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg.exact import Floats
from kmeans_seg.lloyd import BLOCK, SmallLabels, nearest_center, squared_distance, squared_distances
from kmeans_seg.strategies import STRATEGIES


def by_the_book(points: Floats, centers: Floats) -> list[int]:
    rows = [tuple(center) for center in centers.tolist()]
    return [oracle.nearest(tuple(point), rows) for point in points.tolist()]


def test_distances_worked_by_hand() -> None:
    point = np.array([1.0, 2.0, 3.0])
    others = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 5.0], [4.0, -2.0, 3.0]])
    # (0, 0, 0); (0, 0, 2); (3, 4, 0)
    np.testing.assert_array_equal(squared_distance(point, others), [0, 4, 25])


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8])
def test_distances_add_the_channels_in_their_order(channels: int) -> None:
    rng = np.random.default_rng(channels)
    points, others = rng.normal(size=(2, 50, channels)) * 10.0 ** rng.integers(-3, 4, channels)
    expected = [
        [oracle.squared_distance(tuple(a), tuple(b)) for b in others.tolist()]
        for a in points.tolist()
    ]
    np.testing.assert_array_equal(squared_distances(points, others), expected)


def test_distances_broadcast() -> None:
    points, centers = np.ones((5, 3)), np.zeros((4, 3))
    assert squared_distances(points, centers).shape == (5, 4)
    assert squared_distance(points, centers[0]).shape == (5,)
    assert squared_distance(points, np.zeros((5, 3))).shape == (5,)


def test_a_center_may_be_far_beyond_its_points() -> None:
    # Differences of this size have no room in the integers of an image.
    assert nearest_center(np.array([[255.0]]), np.array([[-300.0], [600.0]])).tolist() == [1]


def assigner(strategy: str, points: Floats, k: int) -> Callable[[Floats], SmallLabels]:
    """Make clusters, and check in every pass what they say of their points."""
    clusters = STRATEGIES[strategy].clusters(points, np.ones(len(points)), k)

    def labels_of(centers: Floats) -> SmallLabels:
        before = clusters.labels
        clusters.assign(centers)
        labels = clusters.labels
        assert clusters.reassigned_weight(before, labels) == np.count_nonzero(labels != before)
        np.testing.assert_array_equal(clusters.cluster_weights(), np.bincount(labels, minlength=k))
        return labels

    return labels_of


def test_a_tie_goes_to_the_lowest_index(strategy: str) -> None:
    points = np.array([[1.0], [3.0], [2.0]])
    nearest = assigner(strategy, points, 3)
    assert nearest(np.array([[4.0], [2.0], [0.0]])).tolist() == [1, 0, 1]
    assert nearest(np.array([[0.0], [4.0], [2.0]])).tolist() == [0, 1, 2]
    assert nearest(np.array([[2.0], [2.0], [2.0]])).tolist() == [0, 0, 0]


def test_the_labels_are_int32() -> None:
    assert nearest_center(np.zeros((3, 1)), np.zeros((1, 1))).dtype == np.int32


def journeys() -> dict[str, tuple[Floats, list[Floats]]]:
    """Return points, and centers that drift, stand still, jump, meet and come back."""
    cases = {}
    for seed, (n, channels, k) in enumerate(
        [
            (1, 1, 1),
            (2, 3, 2),
            (40, 1, 5),
            (200, 2, 9),
            (300, 3, 1),
            (dose(300, 700), 3, dose(20, 40)),
            (dose(200, 500), 6, 12),
        ]
    ):
        rng = np.random.default_rng(seed)
        points = np.floor(rng.random((n, channels)) * 16)
        centers = [np.floor(rng.random((k, channels)) * 16)]
        for drift in (0.25, 0, 1, 0.125, 40, 0, 0.5):
            moves = np.rint(rng.normal(size=(k, channels)) * 4) / 4
            centers.append(centers[-1] + drift * moves)
        centers.append(np.repeat(centers[-1][:1], k, axis=0))
        centers.append(centers[0])
        cases[f"{n} points, {channels} channels, {k} centers"] = (points, centers)
    return cases


JOURNEYS = journeys()


@pytest.mark.parametrize("case", JOURNEYS)
def test_labels_are_those_of_plain_loops_wherever_the_centers_go(strategy: str, case: str) -> None:
    points, journey = JOURNEYS[case]
    nearest = assigner(strategy, np.asfortranarray(points), len(journey[0]))
    for centers in journey:
        assert nearest(centers).tolist() == by_the_book(points, centers)


@pytest.mark.parametrize("scale", [1e-140, 1e-9, 1.0, 1e9, 1e130])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12])
def test_labels_are_those_of_plain_loops_at_every_magnitude(
    strategy: str, scale: float, offset: float
) -> None:
    rng, n = np.random.default_rng(5), dose(100, 300)
    points = (rng.normal(size=(n, 3)) + offset) * scale
    centers = points[rng.choice(n, 12, replace=False)]
    nearest = assigner(strategy, np.asfortranarray(points), 12)
    for _ in range(4):
        assert nearest(centers).tolist() == by_the_book(points, centers)
        centers = centers + rng.normal(size=centers.shape) * scale / 16


@pytest.mark.parametrize("case", JOURNEYS)
def test_centers_in_a_new_order_have_new_numbers_and_ties_go_to_the_lowest(
    strategy: str, case: str
) -> None:
    points, journey = JOURNEYS[case]
    points = np.asfortranarray(points)
    clusters = STRATEGIES[strategy].clusters(points, np.ones(len(points)), len(journey[0]))
    rng = np.random.default_rng(4)
    for centers in journey:
        clusters.assign(centers)
        order = rng.permutation(len(centers))
        renamed = order.argsort()[clusters.labels]
        clusters.renumber(order)
        np.testing.assert_array_equal(clusters.labels, renamed)
        clusters.assign(centers[order])
        assert clusters.labels.tolist() == by_the_book(points, centers[order])
        counts = np.bincount(clusters.labels, minlength=len(order))
        np.testing.assert_array_equal(clusters.cluster_weights(), counts)
        clusters.renumber(order.argsort())


def test_labels_given_out_before_stay_as_they_are(strategy: str) -> None:
    points, journey = JOURNEYS["200 points, 2 channels, 9 centers"]
    nearest = assigner(strategy, np.asfortranarray(points), 9)
    given = [nearest(centers) for centers in journey]
    copies: list[SmallLabels] = [labels.copy() for labels in given]
    for centers in reversed(journey):
        nearest(centers)
    for labels, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(labels, copy)


def test_two_assigners_share_nothing(strategy: str) -> None:
    rng = np.random.default_rng(3)
    one, other = np.floor(rng.random((2, 60, 2)) * 9)
    first, second = assigner(strategy, one, 4), assigner(strategy, other, 4)
    for _ in range(5):
        centers = np.floor(rng.random((4, 2)) * 9)
        assert first(centers).tolist() == by_the_book(one, centers)
        assert second(centers).tolist() == by_the_book(other, centers)


@pytest.mark.parametrize("block", [1, 2, 7, 64, 2**20])
def test_the_plain_assignment_is_the_same_for_every_size_of_block(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    rng = np.random.default_rng(8)
    points, centers = rng.random((300, 3)), rng.random((10, 3))
    before = nearest_center(points, centers)
    monkeypatch.setattr(importlib.import_module("kmeans_seg.lloyd"), "BLOCK", block)
    np.testing.assert_array_equal(nearest_center(points, centers), before)


def test_there_may_be_more_centers_than_a_block_holds() -> None:
    points = np.arange(0.0, 6.0)[:, np.newaxis]
    centers = np.arange(-BLOCK, 4.0)[:, np.newaxis]
    expected = BLOCK + np.array([0, 1, 2, 3, 3, 3])
    np.testing.assert_array_equal(nearest_center(points, centers), expected)


def layouts(values: Floats) -> list[NDArray[Any]]:
    wide = np.zeros((2 * len(values), 2 * values.shape[1]))
    wide[::2, ::2] = values
    return [np.ascontiguousarray(values), np.asfortranarray(values), wide[::2, ::2]]


def test_the_layout_in_memory_makes_no_difference() -> None:
    rng = np.random.default_rng(9)
    points, centers = rng.random((257, 3)), rng.random((7, 3))
    expected = squared_distances(points, centers)
    for laid, center in itertools.product(layouts(points), layouts(centers)):
        np.testing.assert_array_equal(squared_distances(laid, center), expected)


def test_points_and_centers_are_left_alone(strategy: str) -> None:
    points, journey = JOURNEYS["40 points, 1 channels, 5 centers"]
    points = np.asfortranarray(points)
    points.flags.writeable = False
    nearest = assigner(strategy, points, 5)
    for centers in journey:
        frozen = centers.copy()
        frozen.flags.writeable = False
        nearest(frozen)
