"""Choose: the probabilities of the textbook, the greedy choice, and the random generator."""

import itertools
import math
from collections import Counter
from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import numpy as np
import oracle
import pytest
from doses import dose
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kmeans_seg import kmeans_plusplus
from kmeans_seg.clustering import INITS
from kmeans_seg.exact import Floats
from kmeans_seg.seeding import Draws, draw, plusplus, random
from kmeans_seg.strategies import STRATEGIES

Draw = tuple[int, ...]
Probabilities = dict[Draw, Fraction]


def finish(drawing: Draws) -> tuple[list[int], Floats]:
    """Return the indices drawn, and the centers that their generator returns."""
    found = []
    while True:
        try:
            found.append(next(drawing))
        except StopIteration as stop:
            centers: Floats = stop.value
            return found, centers


def draws(init: str, points: Floats, k: int, rng: np.random.Generator) -> Draws:
    """Draw initial centers among points that all weigh the same."""
    return (plusplus if init == "k-means++" else random)(points, np.ones(len(points)), k, rng)


def fake(random: list[float]) -> np.random.Generator:
    """Make a random generator that gives just these numbers."""
    numbers = iter(random)
    return cast(
        np.random.Generator,
        SimpleNamespace(random=lambda size: np.array([next(numbers) for _ in range(size)])),
    )


def assert_frequencies(drawn: list[Draw], expected: Probabilities) -> None:
    """Compare frequencies with probabilities by the chi-square statistic.

    The limit is where one correct generator in 10,000 would fail (approximated
    by Wilson and Hilferty); the seeds are fixed, so ours never will.
    """
    assert sum(expected.values()) == 1
    counts = Counter(drawn)
    possible = {outcome for outcome, probability in expected.items() if probability}
    assert set(counts) <= possible
    statistic = sum(
        (counts[outcome] - len(drawn) * float(expected[outcome])) ** 2
        / (len(drawn) * float(expected[outcome]))
        for outcome in possible
    )
    freedom = len(possible) - 1
    spread = 2 / (9 * freedom)
    assert statistic < freedom * (1 - spread + 3.719 * math.sqrt(spread)) ** 3


def textbook(points: list[list[int]], weights: list[int], k: int) -> Probabilities:
    """Return the probability of every ordered choice of k points by k-means++."""
    rows = [tuple(map(float, point)) for point in points]
    probabilities = {}
    for choice in itertools.product(range(len(rows)), repeat=k):
        probability = Fraction(1)
        closest = [1.0] * len(rows)  # before the first draw the weights alone count
        for number, index in enumerate(choice):
            potential = [weight * gap for weight, gap in zip(weights, closest, strict=True)]
            probability *= Fraction(potential[index]) / Fraction(sum(potential))
            if probability == 0:
                break
            gaps = [oracle.squared_distance(row, rows[index]) for row in rows]
            closest = gaps if number == 0 else list(map(min, closest, gaps))
        probabilities[choice] = probability
    return probabilities


@pytest.mark.parametrize("weights", [None, [1, 5, 2, 1, 3]])
def test_one_candidate_draws_with_the_probabilities_of_the_textbook(
    weights: list[int] | None,
) -> None:
    points = [[0], [1], [3], [4], [9]]
    rng = np.random.default_rng(0)
    drawn = [
        tuple(
            points.index([int(value)])
            for value in kmeans_plusplus(points, 3, weights=weights, trials=1, rng=rng).ravel()
        )
        for _ in range(dose(300, 5000))
    ]
    assert_frequencies(drawn, textbook(points, weights or [1] * 5, 3))


def test_a_weight_counts_like_equal_points() -> None:
    rng = np.random.default_rng(1)
    points = rng.integers(0, 30, (40, 2))
    points = points[np.lexsort(points.T)]
    counts = rng.integers(1, 6, 40)
    for seed, trials in itertools.product(range(20), (None, 1)):
        counted = kmeans_plusplus(points, 6, weights=counts, trials=trials, rng=seed)
        spelled = kmeans_plusplus(points.repeat(counts, axis=0), 6, trials=trials, rng=seed)
        np.testing.assert_array_equal(counted, spelled)


@given(
    arrays(np.int64, st.tuples(st.integers(1, 20), st.integers(1, 3)), elements=st.integers(0, 4)),
    st.integers(1, 20),
    st.integers(0, 2**32),
    st.sampled_from(sorted(INITS)),
)
def test_the_centers_are_distinct_points(
    points: NDArray[np.int64], k: int, seed: int, init: str
) -> None:
    k = min(k, len(points))
    distinct = {tuple(point) for point in points.tolist()}
    found, centers = finish(draws(init, points.astype(np.float64), k, np.random.default_rng(seed)))
    rows = [tuple(row) for row in centers.tolist()]
    assert len(set(rows)) == len(rows) == min(k, len(distinct))
    assert set(rows) <= distinct
    assert [tuple(points[index].tolist()) for index in found] == rows


def test_fewer_distinct_points_give_fewer_centers() -> None:
    points = [[7, 7], [1, 2], [7, 7], [1, 2], [7, 7]]
    assert sorted(kmeans_plusplus(points, 4).tolist()) == [[1, 2], [7, 7]]
    assert kmeans_plusplus([[3]] * 5, 5).tolist() == [[3]]


def test_drawing_goes_on_while_distinct_points_remain() -> None:
    centers = kmeans_plusplus([[0.0], [1e-100]], 2, weights=[1e-200, 1e-200])
    assert sorted(centers.ravel().tolist()) == [0.0, 1e-100]


def test_seeds_are_as_large_as_the_points() -> None:
    near = np.random.default_rng(0).random((20_000, 1))
    points = np.concatenate((near, [[300.0]], 1e8 + near))  # near ones hardly count at first
    centers = kmeans_plusplus(points, 12, trials=1)
    for scale in (2.0**-60, 2.0**20, 2.0**60):  # which rounds nothing
        np.testing.assert_array_equal(
            kmeans_plusplus(scale * points, 12, trials=1), scale * centers
        )


def test_greedy_keeps_the_best_of_its_candidates() -> None:
    rng = np.random.default_rng(4)
    for seed in range(30):
        points = rng.integers(0, 12, (25, 2)).astype(np.float64)
        weights = rng.integers(1, 4, 25).astype(np.float64)
        trials = int(rng.integers(2, 6))
        found, _ = finish(plusplus(points, weights, 7, np.random.default_rng(seed), trials=trials))
        same = np.random.default_rng(seed)
        assert found[0] == draw(weights, 1, same)[0]
        for number, index in enumerate(found[1:], start=1):
            before = points[:, np.newaxis] - points[found[:number]]
            distances = np.square(before).sum(axis=2).min(axis=1)
            candidates = draw(weights * distances, trials, same).tolist()
            left = [
                weights @ np.minimum(distances, np.square(points - points[c]).sum(axis=1))
                for c in candidates
            ]
            assert index == candidates[left.index(min(left))]  # the first of equals


def test_greedy_seeds_cost_less_on_the_whole() -> None:
    points = np.random.default_rng(5).integers(0, 256, (500, 3))

    def cost(trials: int | None) -> float:
        total = 0.0
        for seed in range(20):
            centers = kmeans_plusplus(points, 8, trials=trials, rng=seed)
            total += np.square(points[:, np.newaxis] - centers).sum(axis=2).min(axis=1).sum()
        return total

    assert cost(None) < 0.95 * cost(1)


@pytest.mark.parametrize(("k", "expected"), [(2, 4), (3, 5), (7, 5), (8, 6), (20, 6), (21, 7)])
def test_there_are_four_candidates_and_one_more_for_every_e_fold_of_k(
    k: int, expected: int
) -> None:
    asked: list[int] = []
    real = np.random.default_rng(0)

    def random(size: int) -> NDArray[np.float64]:
        asked.append(size)
        return real.random(size)

    rng = cast(np.random.Generator, SimpleNamespace(random=random))
    finish(plusplus(np.arange(30.0)[:, np.newaxis], np.ones(30), k, rng))
    assert asked == [1] + [expected] * (k - 1)


# The init "random": the points as they are, never one twice.


def test_random_draws_in_proportion_to_the_weights_without_putting_back() -> None:
    points, weights = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 5.0])
    rng = np.random.default_rng(6)
    drawn = [tuple(finish(random(points, weights, 2, rng))[0]) for _ in range(dose(1000, 5000))]
    expected: Probabilities = {
        (i, j): Fraction(0)
        if i == j
        else Fraction(int(weights[i]), 8) * Fraction(int(weights[j]), 8 - int(weights[i]))
        for i, j in itertools.product(range(3), repeat=2)
    }
    assert_frequencies(drawn, expected)


def test_random_takes_equal_points_together() -> None:
    points = np.array([[4.0], [2.0], [4.0], [4.0]])
    rng = np.random.default_rng(7)
    first: list[Draw] = []
    for _ in range(2000):
        _, centers = finish(random(points, np.ones(4), 4, rng))
        assert sorted(centers.ravel()) == [2, 4]
        first.append((int(centers[0, 0]),))
    assert_frequencies(first, {(4,): Fraction(3, 4), (2,): Fraction(1, 4)})


def test_random_leaves_the_weights_alone() -> None:
    weights = np.array([1.0, 2.0, 3.0])
    weights.flags.writeable = False
    finish(random(np.array([[1.0], [2.0], [3.0]]), weights, 3, np.random.default_rng(0)))
    assert weights.tolist() == [1, 2, 3]


# One draw in proportion to a potential.

POTENTIAL = np.array([0.0, 2.0, 0.0, 0.0, 6.0, 0.0])


def test_a_draw_is_in_proportion_to_the_potential() -> None:
    drawn = draw(POTENTIAL, 20_000, np.random.default_rng(8))
    expected: Probabilities = {(1,): Fraction(1, 4), (4,): Fraction(3, 4)}
    assert_frequencies([(int(index),) for index in drawn], expected)


def test_what_has_no_potential_is_never_drawn_not_even_at_the_edges() -> None:
    edges = [0.0, np.nextafter(0.25, 0), 0.25, np.nextafter(1, 0)]
    assert draw(POTENTIAL, 4, fake(edges)).tolist() == [1, 1, 4, 4]


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 99_991])
@pytest.mark.parametrize("scale", [1e-300, 0.1, 1.0, 255.0, 1e300 / 1e5])
def test_the_largest_random_number_draws_the_last(size: int, scale: float) -> None:
    potential = np.append(np.full(size, scale), 0)
    assert draw(potential, 1, fake([np.nextafter(1, 0)])).tolist() == [size - 1]


def test_potentials_of_very_different_size() -> None:
    potential = np.array([1e-300, 1e300, 1e-300])
    assert draw(potential, 3, fake([2.0**-53, 0.5, 0.999])).tolist() == [1] * 3
    assert draw(potential, 1, fake([0.0])).tolist() == [0]  # it has a chance, however small


# The argument rng, as SPEC 7 has it.

CLOUD = np.random.default_rng(9).integers(0, 1000, (200, 2))


def test_the_same_seed_gives_the_same_centers() -> None:
    for seed in (0, 1, 2**100):
        one, other = (kmeans_plusplus(CLOUD, 5, rng=seed) for _ in range(2))
        np.testing.assert_array_equal(one, other)


def test_the_default_is_the_seed_0() -> None:
    np.testing.assert_array_equal(kmeans_plusplus(CLOUD, 5), kmeans_plusplus(CLOUD, 5, rng=0))


def test_different_seeds_give_different_centers() -> None:
    drawn = {kmeans_plusplus(CLOUD, 5, rng=seed).tobytes() for seed in range(10)}
    assert len(drawn) == 10


def test_a_generator_is_used_and_goes_on() -> None:
    rng = np.random.default_rng(3)
    one = kmeans_plusplus(CLOUD, 5, rng=rng)
    other = kmeans_plusplus(CLOUD, 5, rng=rng)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one, kmeans_plusplus(CLOUD, 5, rng=3))


def test_none_is_a_fresh_seed() -> None:
    drawn = {kmeans_plusplus(CLOUD, 5, rng=None).tobytes() for _ in range(5)}
    assert len(drawn) > 1


def test_the_global_generator_is_left_alone() -> None:
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    kmeans_plusplus(CLOUD, 5, rng=None)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    np.testing.assert_equal(after, before)


def test_what_is_drawn_does_not_depend_on_the_rounding_of_a_running_sum() -> None:
    rng = np.random.default_rng(10)
    potential = rng.random(1000) * 10.0 ** rng.integers(-8, 9, 1000)
    expected = int(draw(potential, 1, fake([0.5]))[0])
    for _ in range(20):  # the terms before it add up to the same in every order
        before = rng.permutation(potential[:expected])
        assert draw(np.append(before, potential[expected:]), 1, fake([0.5]))[0] == expected


def test_the_points_are_left_alone() -> None:
    points = np.asfortranarray(np.random.default_rng(11).random((50, 3)))
    weights = np.full(50, 0.5)
    copy = points.copy()
    points.flags.writeable = weights.flags.writeable = False
    kmeans_plusplus(points, 5, weights=weights)
    np.testing.assert_array_equal(points, copy)
    assert (weights == 0.5).all()


def test_bytes_never_wrap_around() -> None:
    points = np.random.default_rng(12).choice(np.array([0, 1, 128, 255], np.uint8), (90, 3))
    for seed in range(10):
        np.testing.assert_array_equal(
            kmeans_plusplus(points, 6, rng=seed), kmeans_plusplus(points.astype(int), 6, rng=seed)
        )


@pytest.mark.parametrize("kind", ["grid", "floats", "fill values"])
def test_every_strategy_draws_the_same_centers(kind: str) -> None:
    rng = np.random.default_rng(8)
    for seed in range(dose(8, 30)):
        n, channels = int(rng.integers(300, 800)), int(rng.integers(1, 12))
        points = rng.integers(0, 4, (n, channels)).astype(np.float64)
        if kind != "grid":
            points += rng.normal(size=points.shape) / 10
        if kind == "fill values":
            points[rng.random(n) < 0.05] = 1e30
        points = np.asfortranarray(points[np.lexsort(points.T)])
        weights = rng.integers(1, 4, n).astype(np.float64)
        found = [
            list(
                plusplus(
                    points,
                    weights,
                    9,
                    np.random.default_rng(seed),
                    potential_type=strategy.potential,
                )
            )
            for strategy in STRATEGIES.values()
        ]
        assert all(indices == found[0] for indices in found)
