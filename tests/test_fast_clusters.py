"""The sums of clusters: exact means, whatever was added and taken away."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray
from test_exact import KINDS, Rng, exact

from kmeans_seg.exact import Floats
from kmeans_seg.fast.clusters import PrunedClusters, RunningSums
from kmeans_seg.lloyd import Clusters, Labels, steps

TINIEST = 5e-324


def random_clusters(
    kind: str, weighted: str | None, n: int, k: int
) -> tuple[Floats, Floats | None, Rng]:
    rng = np.random.default_rng(7)
    points = np.asfortranarray(np.stack([KINDS[kind](rng, n) for _ in range(3)], axis=1))
    weights = None if weighted is None else np.abs(KINDS[weighted](rng, n)) + TINIEST
    return points, weights, rng


def fresh(points: Floats, weights: Floats | None, k: int, labels: Labels) -> RunningSums:
    sums = RunningSums.of(points, np.ones(len(points)) if weights is None else weights, k)
    sums.move(points, weights, np.arange(len(points)), source=None, target=labels)
    return sums


def assert_same_bits(one: RunningSums, other: RunningSums, k: int, channels: int = 3) -> None:
    np.testing.assert_array_equal(one.weights, other.weights)
    otherwise = np.full((k, channels), 7.0)
    np.testing.assert_array_equal(one.means(otherwise), other.means(otherwise))


WEIGHTS = dose([None, "of all sizes"], [None, "8 bits", "tenths", "normal", "of all sizes"])


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_moves_leave_no_trace(kind: str, weighted: str | None) -> None:
    n, k = 300, 6
    points, weights, rng = random_clusters(kind, weighted, n, k)
    labels = rng.integers(0, k, n).astype(np.int32)
    sums = fresh(points, weights, k, labels)
    for _ in range(dose(8, 300)):
        members = np.sort(rng.choice(n, rng.integers(0, 40), replace=False))
        target = rng.integers(0, k, members.size).astype(np.int32)
        sums.move(points, weights, members, source=labels[members], target=target)
        labels[members] = target
    assert_same_bits(sums, fresh(points, weights, k, labels), k)
    order = rng.permutation(k)
    sums.renumber(order)
    assert_same_bits(sums, fresh(points, weights, k, order.argsort().astype(np.int32)[labels]), k)
    sums.renumber(order.argsort())
    # A cluster that loses everything is as empty as a new one.
    everything = np.arange(n)
    sums.move(points, weights, everything, source=labels, target=np.zeros(n, np.int32))
    assert_same_bits(sums, fresh(points, weights, k, np.zeros(n, np.int32)), k)
    np.testing.assert_array_equal(sums.weights[1:], 0)


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_means_do_not_depend_on_the_order_of_the_points(kind: str, weighted: str | None) -> None:
    n, k = 300, 6
    points, weights, rng = random_clusters(kind, weighted, n, k)
    labels = rng.integers(0, k, n).astype(np.int32)
    expected = fresh(points, weights, k, labels)
    for order in (np.arange(n)[::-1], rng.permutation(n)):
        shuffled = None if weights is None else weights[order]
        again = fresh(np.asfortranarray(points[order]), shuffled, k, labels[order])
        assert_same_bits(again, expected, k)


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_means_are_those_of_fractions(kind: str, weighted: str | None) -> None:
    n, k = dose(100, 300), 6
    points, weights, rng = random_clusters(kind, weighted, n, k)
    labels = rng.integers(0, k, n).astype(np.int32)
    sums = fresh(points, weights, k, labels)
    means = sums.means(np.zeros((k, 3)))
    ones = np.ones(n) if weights is None else weights
    for cluster, channel in itertools.product(range(k), range(3)):
        members = labels == cluster
        column, weight = points[members, channel], ones[members]
        total = exact(weight)
        expected = sum(
            (Fraction(x) * Fraction(w) for x, w in zip(column, weight, strict=True)), Fraction(0)
        )
        assert sums.weights[cluster] == float(total)
        assert means[cluster, channel] == float(expected / total)


def any_numbers(rng: Rng, n: int) -> Floats:
    """Draw numbers of one of all kinds, of any size that the package accepts."""
    kind = int(rng.integers(0, 9))
    nodata = float(rng.choice([1e20, 9.969209968386869e36, -3.4028234663852886e38, 1e30, -9999]))
    draws: dict[int, Callable[[], NDArray[Any]]] = {
        0: lambda: rng.integers(0, 256, n),
        1: lambda: rng.random(n),
        2: lambda: rng.uniform(-1, 1, n) * np.exp2(rng.integers(-1074, 299, n)),
        3: lambda: np.where(rng.random(n) < 0.2, nodata, rng.random(n).astype(np.float32)),
        4: lambda: rng.integers(-9, 9, n) * TINIEST,
        5: lambda: rng.integers(-(2**53), 2**53, n),
        6: lambda: rng.uniform(-1, 1, n) * 1e90,
        7: lambda: rng.integers(0, 11, n) / 10,
        8: lambda: rng.choice([1e-320, 1.0, 1e31], n),
    }
    return np.asarray(draws[kind](), np.float64)


def test_means_and_weights_are_exact_for_any_numbers() -> None:
    rng = np.random.default_rng(8)
    for _ in range(dose(200, 4_000)):
        n, k, channels = (int(rng.integers(1, most)) for most in (60, 5, 4))
        points = np.asfortranarray(np.stack([any_numbers(rng, n) for _ in range(channels)], axis=1))
        weights = np.abs(any_numbers(rng, n)) + TINIEST if rng.random() < 0.7 else None
        before, labels = rng.integers(0, k, (2, n)).astype(np.int32)
        sums = fresh(points, weights, k, before)
        moved = np.flatnonzero(before != labels)
        sums.move(points, weights, moved, source=before[moved], target=labels[moved])
        found, means = sums.weights, sums.means(np.full((k, channels), 7.0))
        rows = [[Fraction(value) for value in row] for row in points.tolist()]
        ones = [Fraction(1)] * n if weights is None else [Fraction(w) for w in weights.tolist()]
        for cluster in range(k):
            members = np.flatnonzero(labels == cluster)
            total = sum((ones[i] for i in members), Fraction(0))
            assert found[cluster] == float(total)
            for channel in range(channels):
                weighted = sum((ones[i] * rows[i][channel] for i in members), Fraction(0))
                expected = float(weighted / total) if len(members) else 7.0
                assert means[cluster, channel] == expected
        assert found.all() == (len(set(labels.tolist())) == k)


def test_means_of_whole_numbers_are_correctly_rounded() -> None:
    rng = np.random.default_rng(4)
    points = np.asfortranarray(rng.integers(0, 65536, (999, 3)).astype(np.float64))
    counts = rng.integers(1, 1000, 999).astype(np.float64)
    labels = rng.integers(0, 7, 999).astype(np.int32)
    means = fresh(points, counts, 7, labels).means(np.zeros((7, 3)))
    for cluster in range(7):
        weight = counts[labels == cluster]
        column_sums = (points[labels == cluster] * weight[:, np.newaxis]).astype(int).sum(axis=0)
        expected = [float(Fraction(int(s), int(weight.sum()))) for s in column_sums]
        assert means[cluster].tolist() == expected


def test_a_weight_counts_like_equal_points() -> None:
    rng = np.random.default_rng(6)
    points = rng.integers(0, 256, (200, 3)).astype(np.float64)
    counts = rng.integers(1, 9, 200)
    labels = rng.integers(0, 5, 200).astype(np.int32)
    counted = fresh(np.asfortranarray(points), counts.astype(np.float64), 5, labels)
    spelled = fresh(
        np.asfortranarray(points.repeat(counts, axis=0)), None, 5, labels.repeat(counts)
    )
    assert_same_bits(counted, spelled, 5)


def test_an_empty_cluster_keeps_what_it_is_given() -> None:
    points = np.array([[1.0], [2.0], [4.0]])
    labels: Labels = np.array([2, 2, 0], np.int32)
    sums = fresh(points, None, 4, labels)
    otherwise = np.array([[9.0], [8.0], [7.0], [6.0]])
    assert sums.weights.tolist() == [1, 0, 2, 0]
    assert sums.means(otherwise).ravel().tolist() == [4, 8, 1.5, 6]
    assert otherwise.ravel().tolist() == [9, 8, 7, 6]


def test_the_points_are_left_alone() -> None:
    points: NDArray[np.float64] = np.asfortranarray(np.random.default_rng(5).random((20, 2)))
    before = points.copy()
    points.flags.writeable = False
    fresh(points, np.full(20, 0.3), 3, np.zeros(20, np.int32))
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_pass_is_that_of_the_plain_clusters(kind: str, weighted: str | None) -> None:
    n, k = 1500, 9
    points, weights, rng = random_clusters(kind, weighted, n, k)
    points, centers = points[np.lexsort(points.T)], points[rng.choice(n, k, replace=False)]
    centers[1] = centers[0]  # a cluster to refill
    # Not so heavy that huge distances overflow.
    weights = np.ones(n) if weights is None else np.maximum(weights / weights.max(), TINIEST)
    plain, pruned = Clusters(points, weights, k), PrunedClusters(points, weights, k)
    for turn in range(2):
        for one, other in zip(
            steps(plain, centers, max_iter=60), steps(pruned, centers, max_iter=60), strict=True
        ):
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.centers, other.centers)
            np.testing.assert_array_equal(one.weights, other.weights)
            assert one.inertia == other.inertia
            assert one.reassigned_weight == other.reassigned_weight
            assert one.converged == other.converged
        order = rng.permutation(k)
        plain.renumber(order)
        pruned.renumber(order)
        centers = one.centers[order] + turn  # the next loop goes on from the labels
