"""Seeding: the probabilities of the textbook, the greedy choice, and the random generator."""

import itertools
import math
from collections import Counter
from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kmeans_seg.assignment import Floats, squared_distances
from kmeans_seg.cells import CELL
from numpy.typing import NDArray

from kmeans_seg import kmeans_plusplus
from kmeans_seg.exact import exact_sum
from kmeans_seg.seeding import INITS, Potential, Seed, Seeds, draw, plusplus_seeds, random_seeds

Draw = tuple[int, ...]
Probabilities = dict[Draw, Fraction]


def finish(seeds: Seeds) -> tuple[list[Seed], Floats]:
    """Return the seeds, and the centers that their generator returns."""
    found = []
    while True:
        try:
            found.append(next(seeds))
        except StopIteration as stop:
            centers: Floats = stop.value
            return found, centers


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
        for _ in range(5000)
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
    found, centers = finish(
        INITS[init](points.astype(np.float64), k, None, np.random.default_rng(seed))
    )
    rows = [tuple(row) for row in centers.tolist()]
    assert len(set(rows)) == len(rows) == min(k, len(distinct))
    assert set(rows) <= distinct
    assert [tuple(points[seed.index].tolist()) for seed in found] == rows


@pytest.mark.parametrize("init", INITS)
def test_each_seed_comes_with_the_distances_before_it(init: str) -> None:
    points = np.random.default_rng(2).integers(0, 50, (30, 3)).astype(np.float64)
    found, centers = finish(INITS[init](points, 8, None, np.random.default_rng(3)))
    assert len(found) == 8
    assert found[0].distances is None
    for number, seed in enumerate(found[1:], start=1):
        np.testing.assert_array_equal(points[seed.index], centers[number])
        before = points[:, np.newaxis] - centers[:number]
        np.testing.assert_array_equal(seed.distances, np.square(before).sum(axis=2).min(axis=1))


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
        found, _ = finish(plusplus_seeds(points, 7, weights, np.random.default_rng(seed), trials))
        same = np.random.default_rng(seed)
        assert found[0].index == draw(weights, 1, same)[0]
        for chosen in found[1:]:
            assert chosen.distances is not None
            candidates = draw(weights * chosen.distances, trials, same).tolist()
            left = [
                weights @ np.minimum(chosen.distances, np.square(points - points[c]).sum(axis=1))
                for c in candidates
            ]
            assert chosen.index == candidates[left.index(min(left))]  # the first of equals


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
    finish(plusplus_seeds(np.arange(30.0)[:, np.newaxis], k, None, rng))
    assert asked == [1] + [expected] * (k - 1)


# The init "random": the points as they are, never one twice.


def test_random_draws_in_proportion_to_the_weights_without_putting_back() -> None:
    points, weights = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 5.0])
    rng = np.random.default_rng(6)
    drawn = [
        tuple(seed.index for seed in finish(random_seeds(points, 2, weights, rng))[0])
        for _ in range(5000)
    ]
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
        _, centers = finish(random_seeds(points, 4, None, rng))
        assert sorted(centers.ravel()) == [2, 4]
        first.append((int(centers[0, 0]),))
    assert_frequencies(first, {(4,): Fraction(3, 4), (2,): Fraction(1, 4)})


def test_random_leaves_the_weights_alone() -> None:
    weights = np.array([1.0, 2.0, 3.0])
    weights.flags.writeable = False
    finish(random_seeds(np.array([[1.0], [2.0], [3.0]]), 3, weights, np.random.default_rng(0)))
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


@pytest.mark.parametrize(
    ("channels", "scale", "shift"),
    [
        (1, 1.0, 0.0),
        (2, 0.5, 1e9),
        (3, 1e-3, 1e5),
        (3, 1 / 3, 0.0),
        (3, 1e-140, 0.0),
        (24, 0.1, -7.0),
    ],
)
def test_cells_are_left_alone_only_where_nothing_changes(
    channels: int, scale: float, shift: float
) -> None:
    rng = np.random.default_rng(5)
    # A coarse grid, so that many points are as far from one seed as from another.
    points = rng.integers(0, 12, (40 * CELL, channels)).astype(np.float64) * scale + shift
    points = points[np.lexsort(np.round((points - shift) / (3 * scale)).T)]
    weights = rng.integers(1, 9, len(points)).astype(np.float64)
    seeds = points[rng.integers(0, len(points), 30)]
    potential = Potential(points, weights, seeds[0])
    left_alone = 0
    for number in range(1, len(seeds)):
        _, change = potential.best_of(seeds[number][np.newaxis])
        potential.accept(seeds[number], change)
        left_alone += 40 - len(change[0])
        near = [squared_distances(points, seed) for seed in seeds[: number + 1]]
        np.testing.assert_array_equal(potential._closest.ravel(), np.min(near, axis=0))
    assert left_alone or channels == 24


@pytest.mark.parametrize("channels", [1, 2, 3, 9])
@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_the_best_of_some_seeds_is_that_of_the_plain_way(channels: int, scale: float) -> None:
    rng = np.random.default_rng(6)
    grid = rng.integers(0, 30, (7 * CELL + 5, channels))
    points = np.sort(grid, axis=0).astype(np.float64) * scale
    weights = rng.integers(1, 9, len(points)).astype(np.float64)
    potential = Potential(points, weights, points[3])
    closest = squared_distances(points, points[3])
    for _ in range(20):
        seeds = points[rng.integers(0, len(points), 6)]
        seeds[4] = seeds[rng.integers(0, 4)]  # of equals the first counts
        distances = [np.minimum(closest, squared_distances(points, seed)) for seed in seeds]
        totals = np.array([(weights * d).sum() for d in distances])
        index, change = potential.best_of(seeds)
        if scale == 1:
            assert index == totals.argmin()
        assert index == (seeds == seeds[index]).all(axis=1).argmax()
        assert totals[index] == pytest.approx(totals.min())
        if potential.some_left():
            potential.accept(seeds[index], change)
            closest = distances[index]
            assert potential.total == exact_sum(weights * closest)


@pytest.mark.parametrize("channels", [2, 30])
@pytest.mark.parametrize("kind", ["grid", "floats", "fill values"])
def test_bounds_in_single_precision_change_nothing(
    channels: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    points = rng.integers(0, 3, (1500, channels)).astype(np.float64)
    if kind != "grid":
        points += rng.normal(size=points.shape) / 10
    if kind == "fill values":
        points[rng.random(len(points)) < 0.05] = 1e30
    weights = rng.integers(1, 4, len(points))
    found = []
    for narrow in (0, channels):
        monkeypatch.setattr("kmeans_seg.seeding.NARROW", narrow)
        found.append([kmeans_plusplus(points, 40, weights=weights, rng=seed) for seed in range(5)])
    np.testing.assert_array_equal(found[0], found[1])


def test_whole_distances_from_the_first_seed_alone_do_not_make_totals_exact() -> None:
    # Points of a circle: 1 from its center, anything from one another.
    triples = [(3, 4), (5, 12), (8, 15), (7, 24), (20, 21), (12, 35), (9, 40), (28, 45), (11, 60)]
    signs = list(itertools.product((-1, 1), repeat=2))
    circle = np.array([[a, b] for a, b in triples] + [[b, a] for a, b in triples], np.float64)
    circle /= np.hypot(*circle.T)[:, np.newaxis]
    circle = np.concatenate([circle * sign for sign in signs])
    circle = circle[squared_distances(circle, np.zeros(2)) == 1]
    assert len(circle) > 20
    seeds = circle[[3, 10, 17]]
    rng = np.random.default_rng(0)
    totals = set()
    for _ in range(50):
        points = np.concatenate((circle[rng.permutation(len(circle))], [[0, 0]]))
        potential = Potential(points, np.ones(len(points)), np.zeros(2))
        for seed in seeds:
            _, change = potential.best_of(seed[np.newaxis])
            potential.accept(seed, change)
        totals.add(potential.total)
    assert len(totals) == 1
