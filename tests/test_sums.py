"""Sums and means: exact where they say so, and the same in every order."""

import itertools
import math
import sys
from collections.abc import Callable
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kmeans_seg.assignment import Floats, Labels
from kmeans_seg.sums import ClusterSums, exact_sum, unit_for, whole_numbers

Rng = np.random.Generator
TINIEST = 5e-324

# Every kind of number that the package accepts, and the worst mixtures of them.
KINDS: dict[str, Callable[[Rng, int], Floats]] = {
    "ones": lambda rng, n: np.ones(n),
    "zeros": lambda rng, n: np.zeros(n),
    "8 bits": lambda rng, n: rng.integers(0, 256, n).astype(np.float64),
    "16 bits times counts": lambda rng, n: rng.integers(0, 2**26, n).astype(np.float64),
    "negative": lambda rng, n: -rng.integers(0, 256, n).astype(np.float64),
    "53 bits": lambda rng, n: rng.integers(-(2**53), 2**53, n).astype(np.float64),
    "tenths": lambda rng, n: rng.integers(0, 11, n) / 10,
    "normal": lambda rng, n: rng.normal(size=n),
    "far from zero": lambda rng, n: 1e8 + rng.normal(size=n),
    "of all sizes": lambda rng, n: rng.normal(size=n) * 10.0 ** rng.integers(-12, 13, n),
    "hardly varying": lambda rng, n: rng.choice([0.7, math.nextafter(0.7, 0), 0.7 + 1e-16], n),
    "one giant": lambda rng, n: np.append(rng.random(n - 1), 1e150),
    "huge": lambda rng, n: 1e150 * rng.uniform(-1, 1, n),
    "tiny": lambda rng, n: 1e-300 * rng.normal(size=n),
    "subnormal": lambda rng, n: rng.integers(-9, 10, n).astype(np.float64) * TINIEST,
    "barely normal": lambda rng, n: sys.float_info.min * rng.uniform(-2, 2, n),
}


def exact(values: Floats) -> Fraction:
    return sum(map(Fraction, values.tolist()), Fraction(0))


@pytest.fixture(params=KINDS)
def values(request: pytest.FixtureRequest) -> Floats:
    return KINDS[request.param](np.random.default_rng(1), 1000)


def test_a_sum_is_as_good_as_a_correctly_rounded_one(values: Floats) -> None:
    expected = exact(values)
    # What two units cut off, and the one rounding of the result.
    lost = Fraction(float(np.abs(values).max())) * len(values) ** 2 / 2**102
    rounding = Fraction(math.ulp(math.fsum(values))) / 2
    assert abs(Fraction(exact_sum(values)) - expected) <= lost + rounding


def test_a_sum_is_the_same_in_every_order(values: Floats) -> None:
    rng = np.random.default_rng(2)
    expected = exact_sum(values)
    orders = [values[::-1], np.sort(values), np.sort(values)[::-1]]
    orders += [rng.permutation(values) for _ in range(20)]
    assert {exact_sum(order) for order in orders} == {expected}


@given(st.lists(st.integers(-(2**40), 2**40), max_size=200))
def test_sums_of_whole_numbers_are_exact(numbers: list[int]) -> None:
    assert exact_sum(np.array(numbers, np.float64)) == sum(numbers)


@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=30), st.randoms())
def test_no_order_of_any_numbers_changes_their_sum(numbers: list[float], random: Random) -> None:
    total = exact_sum(np.array(numbers))
    largest = max(map(abs, numbers))
    assert math.isclose(total, math.fsum(numbers), rel_tol=1e-15, abs_tol=largest * 1e-26)
    random.shuffle(numbers)
    assert exact_sum(np.array(numbers)) == total


def test_large_terms_that_cancel_leave_the_small_ones() -> None:
    assert exact_sum(np.array([1e16, 1.0, -1e16])) == 1
    assert exact_sum(np.array([0.1, 1e9, -0.1, -1e9])) == 0


def test_the_sum_of_nothing_is_zero() -> None:
    assert exact_sum(np.array([])) == 0


def test_a_unit_is_a_power_of_two_that_leaves_room_for_every_sum(values: Floats) -> None:
    unit = unit_for(values)
    assert math.frexp(unit)[0] == 0.5 or unit == TINIEST
    whole = np.rint(values / unit)
    assert sum(abs(int(value)) for value in whole.tolist()) < 2**53
    assert unit_for(np.random.default_rng(3).permutation(values)) == unit


def test_whole_numbers_that_fit_are_not_rounded() -> None:
    # One large count among a million small ones: the bound by the largest would be too careful.
    counts = np.ones(2**20)
    counts[0] = 2.0**40
    assert unit_for(counts) == 1
    assert whole_numbers(counts)
    assert not whole_numbers(counts + 0.5)


def random_clusters(
    kind: str, weighted: str | None, n: int, k: int
) -> tuple[Floats, Floats | None, Rng]:
    rng = np.random.default_rng(7)
    points = np.asfortranarray(np.stack([KINDS[kind](rng, n) for _ in range(3)], axis=1))
    weights = None if weighted is None else np.abs(KINDS[weighted](rng, n)) + 1
    return points, weights, rng


def fresh(points: Floats, weights: Floats | None, k: int, labels: Labels) -> ClusterSums:
    sums = ClusterSums(points, weights, k)
    sums.move(np.arange(len(points)), None, labels)
    return sums


def assert_same_bits(one: ClusterSums, other: ClusterSums, k: int, channels: int = 3) -> None:
    np.testing.assert_array_equal(one.weights, other.weights)
    otherwise = np.full((k, channels), 7.0)
    np.testing.assert_array_equal(one.means(otherwise), other.means(otherwise))


WEIGHTS = [None, "8 bits", "tenths", "normal", "of all sizes"]


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_moves_leave_no_trace(kind: str, weighted: str | None) -> None:
    n, k = 300, 6
    points, weights, rng = random_clusters(kind, weighted, n, k)
    labels = rng.integers(0, k, n).astype(np.int32)
    sums = fresh(points, weights, k, labels)
    for _ in range(200):
        members = np.sort(rng.choice(n, rng.integers(0, 40), replace=False))
        target = rng.integers(0, k, members.size).astype(np.int32)
        sums.move(members, labels[members], target)
        labels[members] = target
    assert_same_bits(sums, fresh(points, weights, k, labels), k)
    order = rng.permutation(k)
    sums.reorder(order)
    assert_same_bits(sums, fresh(points, weights, k, order.argsort().astype(np.int32)[labels]), k)
    sums.reorder(order.argsort())
    # A cluster that loses everything is as empty as a new one.
    everything = np.arange(n)
    sums.move(everything, labels, np.zeros(n, np.int32))
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
    n, k = 300, 6
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
        scale = float(np.abs(points[:, channel]).max())
        assert float(sums.weights[cluster]) == pytest.approx(float(total), rel=1e-15)
        # A product of a point and its weight is rounded before it is summed.
        weighed = 0 if weights is None else float(np.abs(column * weight).sum() / weight.sum())
        assert abs(means[cluster, channel] - float(expected / total)) <= (
            3e-16 * (abs(float(expected / total)) + weighed) + 1e-24 * scale + 2 * TINIEST
        )


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
