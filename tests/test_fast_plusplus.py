"""The potential of k-means++ cell by cell: the same as the plain one."""

import itertools

import numpy as np
import pytest
from doses import dose

from kmeans_seg import kmeans, kmeans_plusplus
from kmeans_seg.exact import exact_sum
from kmeans_seg.fast.cells import CELL
from kmeans_seg.fast.plusplus import CellPotential
from kmeans_seg.lloyd import squared_distance
from kmeans_seg.seeding import plusplus
from kmeans_seg.strategies import STRATEGIES


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
    potential = CellPotential(points, weights, seeds[0])
    left_alone = 0
    for number in range(1, len(seeds)):
        _, change = potential.best_of(seeds[number][np.newaxis])
        potential.accept(seeds[number], change)
        left_alone += 40 - len(change[0])
        near = [squared_distance(points, seed) for seed in seeds[: number + 1]]
        np.testing.assert_array_equal(potential._distances.ravel(), np.min(near, axis=0))
    assert left_alone or channels == 24


@pytest.mark.parametrize("channels", [1, 2, 3, 9])
@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_the_best_of_some_seeds_is_that_of_the_plain_way(channels: int, scale: float) -> None:
    rng = np.random.default_rng(6)
    grid = rng.integers(0, 30, (7 * CELL + 5, channels))
    points = np.sort(grid, axis=0).astype(np.float64) * scale
    weights = rng.integers(1, 9, len(points)).astype(np.float64)
    potential = CellPotential(points, weights, points[3])
    closest = squared_distance(points, points[3])
    for _ in range(20):
        seeds = points[rng.integers(0, len(points), 6)]
        seeds[4] = seeds[rng.integers(0, 4)]  # of equals the first counts
        distances = [np.minimum(closest, squared_distance(points, seed)) for seed in seeds]
        totals = np.array([(weights * d).sum() for d in distances])
        index, change = potential.best_of(seeds)
        if scale == 1:
            assert index == totals.argmin()
        assert index == (seeds == seeds[index]).all(axis=1).argmax()
        assert totals[index] == pytest.approx(totals.min())
        if potential.is_positive():
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
        monkeypatch.setattr("kmeans_seg.fast.plusplus.NARROW", narrow)
        found.append(
            [kmeans_plusplus(points, 40, weights=weights, rng=seed) for seed in range(dose(1, 5))]
        )
    np.testing.assert_array_equal(found[0], found[1])


def test_whole_distances_from_the_first_seed_alone_do_not_make_totals_exact() -> None:
    # Points of a circle: 1 from its center, anything from one another.
    triples = [(3, 4), (5, 12), (8, 15), (7, 24), (20, 21), (12, 35), (9, 40), (28, 45), (11, 60)]
    signs = list(itertools.product((-1, 1), repeat=2))
    circle = np.array([[a, b] for a, b in triples] + [[b, a] for a, b in triples], np.float64)
    circle /= np.hypot(*circle.T)[:, np.newaxis]
    circle = np.concatenate([circle * sign for sign in signs])
    circle = circle[squared_distance(circle, np.zeros(2)) == 1]
    assert len(circle) > 20
    seeds = circle[[3, 10, 17]]
    rng = np.random.default_rng(0)
    totals = set()
    for _ in range(50):
        points = np.concatenate((circle[rng.permutation(len(circle))], [[0, 0]]))
        potential = CellPotential(points, np.ones(len(points)), np.zeros(2))
        for seed in seeds:
            _, change = potential.best_of(seed[np.newaxis])
            potential.accept(seed, change)
        totals.add(potential.total)
    assert len(totals) == 1


def test_terms_that_underflow_are_compared_exactly() -> None:
    x, y = np.sqrt(1.505), np.sqrt(1.505) + np.sqrt(1.495)
    parts = [((0, 0), 256), ((x, 0), 256), ((y, 0), 100), ((0, 0), 156), ((0, 3**0.5), 256)]
    points = np.vstack([np.tile(point, (n, 1)) for point, n in parts])
    weights = np.full(len(points), 5e-324)
    weights[0] = 1
    for seed in range(20):
        plain, fast = (
            kmeans(points, 2, weights=weights, rng=seed, strategy=strategy)
            for strategy in ("plain", "fast")
        )
        np.testing.assert_array_equal(plain.centers, fast.centers)


def test_of_equal_candidates_the_first_is_kept_with_the_bits_of_every_strategy() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(40, 12))
    points[:, 0] = 0.0
    points = np.repeat(points, 10, axis=0)
    points[1::2, 0] = -0.0  # equal, with other bits
    for seed in range(20):
        found = [
            list(
                plusplus(
                    np.asfortranarray(points),
                    np.ones(400),
                    6,
                    np.random.default_rng(seed),
                    trials=30,
                    potential_type=strategy.potential,
                )
            )
            for strategy in STRATEGIES.values()
        ]
        assert found[0] == found[1]
    assert not np.signbit(kmeans_plusplus(points, 6)[:, 0]).any()
