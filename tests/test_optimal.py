"""The optimum of one channel: no division into runs has lower inertia."""

import itertools
import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from doses import thorough
from hypothesis import given
from hypothesis import strategies as st

import kmeans_seg
from kmeans_seg.exact import Floats
from kmeans_seg.lloyd import nearest_center
from kmeans_seg.optimal import MOST_VALUES, Runs, optimal_centers

numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(0, 65535),
    st.integers(-(2**40), 2**40),
    st.floats(-1, 1, width=16),
    st.floats(1e6, 1e6 + 1),
).map(float)


def exact_inertia(values: list[Fraction], weights: list[Fraction]) -> Fraction:
    total = sum(weights, Fraction(0))
    products = [value * weight for value, weight in zip(values, weights, strict=True)]
    mean = sum(products, Fraction(0)) / total
    squares = [(value - mean) * (value - mean) for value in values]
    return sum(
        (weight * square for weight, square in zip(weights, squares, strict=True)), Fraction(0)
    )


def least_inertia(values: Floats, weights: Floats, k: int) -> Fraction:
    """Try every division of the ascending values into k runs."""
    order = np.argsort(values, kind="stable")
    points = [Fraction(value) for value in values[order].tolist()]
    counts = [Fraction(weight) for weight in weights[order].tolist()]
    divisions = (
        (0, *inner, len(points)) for inner in itertools.combinations(range(1, len(points)), k - 1)
    )
    return min(
        sum(
            (
                exact_inertia(points[start:stop], counts[start:stop])
                for start, stop in itertools.pairwise(bounds)
            ),
            Fraction(0),
        )
        for bounds in divisions
    )


def inertia_of(values: Floats, weights: Floats, centers: Floats) -> Fraction:
    """Add up exact squared distances from the exact means of the clusters around centers."""
    labels = nearest_center(values[:, np.newaxis], centers[:, np.newaxis])
    return sum(
        (
            exact_inertia(
                [Fraction(value) for value in values[labels == label].tolist()],
                [Fraction(weight) for weight in weights[labels == label].tolist()],
            )
            for label in np.unique(labels)
        ),
        Fraction(0),
    )


def assert_optimal(values: Floats, weights: Floats, k: int) -> None:
    centers = optimal_centers(values, k, weights)
    assert (np.diff(centers) > 0).all()
    least = least_inertia(values, weights, k)
    rounding = (
        Fraction(1, 2**78) * Fraction(weights.sum() * np.ptp(values)) * Fraction(np.ptp(values))
    )
    assert inertia_of(values, weights, centers) <= least * (1 + Fraction(1, 10**12)) + rounding


@given(
    st.lists(
        st.tuples(numbers, st.integers(1, 5)), min_size=1, max_size=9, unique_by=lambda p: p[0]
    ),
    st.integers(1, 9),
)
def test_no_division_of_counted_values_has_less_inertia(
    counted: list[tuple[float, int]], k: int
) -> None:
    values, weights = np.array(counted, np.float64).T
    assert_optimal(values, weights, min(k, len(values)))


@given(st.lists(numbers, min_size=1, max_size=9), st.integers(1, 9), st.randoms())
def test_values_in_any_order_and_more_than_once(
    values: list[float], k: int, random: Random
) -> None:
    array = np.array(values)
    distinct, counts = np.unique(array, return_counts=True)
    expected = optimal_centers(distinct, k, counts.astype(np.float64))
    random.shuffle(values)
    assert optimal_centers(np.array(values), k).tolist() == expected.tolist()
    assert len(expected) == min(k, len(distinct))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e60, 1e-60])
def test_weights_of_all_sizes(k: int, scale: float) -> None:
    rng = np.random.default_rng(k)
    for _ in range(5):
        values = rng.normal(size=7) * scale
        weights = 10.0 ** rng.uniform(-6, 6, 7)
        assert_optimal(values, weights, k)


def test_a_far_value_leaves_the_others_their_optimum() -> None:
    values = np.array([-1e6, 0.0, 0.1, 0.2, 0.4, 0.5, 0.9, 1.0])
    assert_optimal(values, np.ones(8), 4)
    far = optimal_centers(values, 4)
    assert far[1:].tolist() == optimal_centers(values[1:], 3).tolist()


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_a_weight_too_light_to_count(k: int) -> None:
    values = np.array([1.0, 2.0, 3.0, 7.0, 8.0, 9.0])
    centers = optimal_centers(values, k, np.array([1.0, 1e-100, 1.0, 1e-30, 1e-30, 1.0]))
    assert (np.diff(centers) > 0).all()
    assert len(centers) == k
    if k == 2:
        assert centers.tolist() == [2.0, 9.0]


def test_as_many_centers_as_values_are_the_values() -> None:
    values = np.array([3.0, 0.1, -7.0, 0.1])
    assert optimal_centers(values, 3).tolist() == [-7.0, 0.1, 3.0]
    assert optimal_centers(values, 5).tolist() == [-7.0, 0.1, 3.0]
    assert optimal_centers(np.array([0.7, 0.7]), 1).tolist() == [0.7]


def test_values_are_not_changed() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0])
    values.flags.writeable = weights.flags.writeable = False
    optimal_centers(values, 2, weights)


def plain_dynamic_programming(values: Floats, weights: Floats, k: int) -> float:
    """Find the lowest inertia for k runs with every start tried, on exact integers."""
    n = len(values)
    v, w = values.astype(np.int64).astype(object), weights.astype(np.int64).astype(object)
    sums = [np.concatenate(([0], np.cumsum(terms))) for terms in (w, w * v, w * v * v)]
    weight, total, squares = (s[np.newaxis] - s[:, np.newaxis] for s in sums)
    runs = np.full((n + 1, n + 1), np.inf)
    for i in range(n):
        for j in range(i + 1, n + 1):
            runs[i, j] = (squares[i, j] * weight[i, j] - total[i, j] ** 2) / weight[i, j]
    least = runs[0]
    for _ in range(k - 1):
        least = (least[:, np.newaxis] + runs).min(axis=0)
    return float(least[n])


@pytest.mark.parametrize("k", [2, 5, 17, 60])
@pytest.mark.parametrize("bits", [8, 16, 30])
def test_skipping_starts_loses_nothing(k: int, bits: int) -> None:
    rng = np.random.default_rng(k)
    values = np.unique(rng.integers(0, 2**bits, 150)).astype(np.float64)
    weights = rng.integers(1, 10**6, len(values)).astype(np.float64) ** rng.integers(1, 3)
    found = float(inertia_of(values, weights, optimal_centers(values, k, weights)))
    assert found == pytest.approx(plain_dynamic_programming(values, weights, k), rel=1e-12)


def test_the_inertia_of_a_run_keeps_its_digits() -> None:
    rng = np.random.default_rng(1)
    dense = np.arange(65536.0)
    cases = {
        "100 megapixels of 16 bits": (dense, rng.integers(1, 3000, 65536).astype(np.float64)),
        "more than that": (dense, rng.integers(1, 10**12, 65536).astype(np.float64)),
        "floats": (np.sort(rng.normal(size=5000)), np.ones(5000)),
        "floats and weights": (np.sort(rng.normal(size=5000)), rng.random(5000) + 1e-3),
        "far from zero": (1e6 + np.sort(rng.random(5000)), np.ones(5000)),
    }
    for values, weights in cases.values():
        runs = Runs(values, weights, np.arange(len(values)))
        starts = rng.integers(0, len(values) - 30, 40)
        stops = starts + rng.integers(2, 30, 40)
        found = runs.inertia(starts, stops)
        expected = [
            exact_inertia(
                [Fraction(value) for value in values[start:stop].tolist()],
                [Fraction(weight) for weight in weights[start:stop].tolist()],
            )
            for start, stop in zip(starts, stops, strict=True)
        ]
        unit = 2.0 ** round(math.log2(expected[0] / Fraction(float(found[0]))))
        assert (found * unit).tolist() == pytest.approx(
            list(map(float, expected)),
            rel=1e-12,
            abs=2.0**-80 * weights.sum() * np.ptp(values) ** 2,
        )


@pytest.mark.parametrize("k", [1, 2, 8, 64])
def test_the_loop_confirms_the_optimum(k: int) -> None:
    rng = np.random.default_rng(k)
    values = np.rint(rng.normal(120, 40, 20_000)).clip(0, 255)
    distinct, counts = np.unique(values, return_counts=True)
    for points, weights in (
        (distinct, counts.astype(np.float64)),
        (rng.normal(size=1000), None),
    ):
        centers = optimal_centers(points, k, weights)
        result = kmeans_seg.kmeans(
            points[:, np.newaxis], k, weights=weights, init=centers[:, np.newaxis]
        )
        assert result.n_iter == 2  # the first pass labels all points, the second changes none
        assert result.centers[:, 0].tolist() == centers.tolist()


@pytest.mark.parametrize("k", [5, 16])
def test_no_start_of_k_means_plus_plus_is_better(k: int) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(m, s, 3000) for m, s in ((20, 3), (90, 20), (200, 9))])
    values = np.rint(values).clip(0, 255)
    centers = optimal_centers(values, k)
    found = kmeans_seg.kmeans(values[:, np.newaxis], k, init=centers[:, np.newaxis]).inertia
    others = [
        kmeans_seg.kmeans(values[:, np.newaxis], k, init="k-means++", rng=seed).inertia
        for seed in range(10)
    ]
    assert found <= min(others)
    assert found < max(others)


def test_65536_values() -> None:
    values = np.arange(65536.0)
    centers = optimal_centers(values[::-1], 4)
    assert centers.tolist() == [8191.5, 24575.5, 40959.5, 57343.5]


def test_more_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"there are 65537 distinct values.*round them"):
        optimal_centers(np.arange(MOST_VALUES + 1.0), 2)


@thorough
def test_many_tiny_cases() -> None:
    rng = np.random.default_rng(2)
    for _ in range(500):
        n = int(rng.integers(2, 10))
        values = rng.choice(12, n, replace=False).astype(np.float64)
        assert_optimal(
            values, rng.integers(1, 9, n).astype(np.float64), int(rng.integers(1, n + 1))
        )
