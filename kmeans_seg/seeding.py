"""Where to start: step 1 of the algorithm, choose k centers.

k-means++ draws each next center among the points with a probability in
proportion to its squared distance from the centers drawn so far. "random"
draws among the points as they are. Both draw in exact arithmetic (`sums`), so
the seeds depend on the random generator and the points alone.

Left out: centers that the caller gives, which need no drawing.
"""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation
from .assignment import Floats, Indices, squared_distances
from .cells import CELL, Boxes, by_cell, corners, in_cells, least_lead
from .sums import unit_for, whole_numbers
from .validation import RandomGenerator

BLOCK = 2**18  # numbers worked on at a time
WHOLE_FLOAT32 = 2.0**24  # whole numbers up to this are exact in float32


@dataclass(frozen=True, eq=False, slots=True)
class Seed:
    """One point drawn as a center.

    Attributes
    ----------
    index
        The index of the point that was drawn.
    """

    index: int
    _points: Floats
    _earlier: tuple[int, ...]

    @property
    def distances(self) -> Floats | None:
        """Array (n,): the squared distance of every point to the nearest of the seeds before.

        None for the first seed. It is computed when it is asked for.
        """
        if not self._earlier:
            return None
        closest = squared_distances(self._points, self._points[self._earlier[0]])
        for index in self._earlier[1:]:
            other = squared_distances(self._points, self._points[index])
            np.minimum(closest, other, out=closest)
        return closest


Seeds = Generator[Seed, None, Floats]
# The total of a `Potential` with one more seed, the cells that it may change, and the distances
# from the nearest seed in them then.
Change: TypeAlias = tuple[float, Indices, NDArray[Any]]


def kmeans_plusplus(
    points: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    trials: int | None = None,
    rng: RandomGenerator = 0,
) -> Floats:
    """Choose k of the points as centers by (greedy) k-means++.

    The first is drawn in proportion to the weights, each next in proportion
    to weight times squared distance to the nearest center so far. The greedy
    form draws several candidates each time and keeps the one that leaves the
    smallest sum of weighted squared distances.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    k
        The number of centers, at most n.
    weights
        Array (n,) of positive numbers; by default every point weighs 1.
    trials
        Candidates for each center: 1 is the textbook form, the default is
        4 + ⌊ln k⌋.
    rng
        An int seed, a `numpy.random.Generator`, or None for a fresh seed from
        the system. The default is a fixed seed: the same call gives the same
        centers.

    Returns
    -------
    centers
        Array (k, C) of float64, distinct; fewer rows if there are fewer than
        k distinct points.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.

    References
    ----------
    D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
    seeding" (2007), which also describes the greedy form.

    Examples
    --------
    >>> kmeans_plusplus([[0], [1], [100], [101]], 2).ravel()
    array([100.,   0.])
    """
    points = validation.as_points(points)
    k = validation.as_k(k, len(points), "points")
    weights = validation.as_weights(weights, len(points))
    trials = None if trials is None else validation.as_count("trials", trials)
    generator = validation.as_generator(rng)
    seeds = plusplus_seeds(points, k, weights, generator, trials)
    return points[[seed.index for seed in seeds]]


def plusplus_seeds(
    points: Floats,
    k: int,
    weights: Floats | None,
    rng: np.random.Generator,
    trials: int | None = None,
) -> Seeds:
    """Yield the seeds of k-means++ one by one and return the centers, at most k."""
    if weights is None:
        weights = np.ones(len(points))
    if trials is None:
        trials = 4 + int(math.log(k))
    chosen = [int(draw(weights, 1, rng)[0])]
    yield Seed(chosen[0], points, ())
    potential = Potential(points, weights, points[chosen[0]])
    while len(chosen) < k and potential.total:
        candidates = potential.draw(trials, rng)
        best, change = potential.best_of(points[candidates])
        yield Seed(int(candidates[best]), points, tuple(chosen))
        chosen.append(int(candidates[best]))
        potential.accept(points[candidates[best]], change)
    return points[chosen]


class Potential:
    """The weighted squared distance of every point to its nearest seed, cell by cell.

    A seed changes nothing in a cell if one of the seeds there are is nearer to
    everything in its box: such cells are left alone. And where it is not, the
    box tells how much a seed can change at most: those that cannot be the best
    of several are not tried.

    Each term is rounded to a whole number of a unit (`sums`), so that a total
    is exact in whatever order it is summed; terms of 8-bit gray and RGB are
    whole numbers already, and their distances fit single precision.
    """

    _channels: NDArray[Any]  # of the points, cell by cell: (C, cells, 256)
    _seed: Floats  # the seed nearest to the middle of each cell's box: (C, cells),
    _own: Floats  # and its squared distance from there
    _closest: NDArray[Any]  # the squared distance of each point to its nearest seed: (cells, 256)
    _terms: Floats  # weights times distances, rounded: (cells, 256)

    def __init__(self, points: Floats, weights: Floats, seed: Floats) -> None:
        # Then so are all distances, and weights times distances.
        self._whole = all(whole_numbers(row) for row in (weights, *points.T))
        lows, highs = corners(points)
        self._boxes = Boxes(lows, highs)
        low, high = lows.min(axis=1), highs.max(axis=1)
        size = float(squared_distances(low, high))
        # Where single precision is as exact, it is twice as fast.
        small = self._whole and max(size, *high, *-low) < WHOLE_FLOAT32
        self._channels = in_cells(points.T, dtype=np.float32 if small else np.float64)
        self._closest = distances_to(seed, self._channels)
        # More than rounding can make of squared distances; the smallest are lost in underflow.
        self._margin = 1e-12 * size + 1e-300
        self._own = distances_to(seed, self._boxes.middle)
        self._seed = np.repeat(seed[:, np.newaxis], len(self._own), axis=1)
        self._weights = in_cells(weights, fill=0)
        self._cell_weights = by_cell(np.add, self._weights)
        self._weigh()

    def _weigh(self) -> None:
        """Choose the unit, and round every term to it."""
        potential = self._weights * self._closest
        self._unit = unit_for(potential.reshape(-1))
        self._exact = self._unit <= 1 and self._whole
        self._terms = self._rounded(potential)
        self._sums = by_cell(np.add, self._terms)
        self.total = float(self._sums.sum())

    def _rounded(self, terms: Floats) -> Floats:
        """Round terms to whole numbers of the unit, if they are not yet."""
        return terms if self._exact else np.rint(terms / self._unit) * self._unit

    def draw(self, size: int, rng: np.random.Generator) -> Indices:
        """Draw points in proportion to their terms."""
        return draw_from_cells(self._terms, self._sums, size, rng)

    def best_of(self, seeds: Floats) -> tuple[int, Change]:
        """Find which of some seeds, as one more, leaves the smallest total; the first of equals.

        Returns its index, and what it changes.
        """
        others = seeds.T[..., np.newaxis]
        to_middle = distances_to(seeds[:, np.newaxis], self._boxes.middle)
        lead = least_lead(self._seed, self._own, others, to_middle, self._boxes.width)
        # Of a point's distance a seed takes no more than it can be ahead of the cell's seed.
        most = np.minimum(np.maximum(self._margin - lead, 0) * self._cell_weights, self._sums)
        rounding = 1e-9 * self.total + self._terms.size * self._unit
        least = self.total - most.sum(axis=1) - rounding
        smallest = (np.inf, -1)  # the smallest total so far, and whose it is
        for index in least.argsort().tolist():
            if least[index] > smallest[0]:
                break
            cells = np.flatnonzero(lead[index] <= self._margin)
            closest, their_sum = self._with_seed(seeds[index], cells)
            total = self.total - float(self._sums[cells].sum()) + their_sum
            if (total, index) < smallest:
                smallest, found = (total, index), (cells, closest)
        total, index = smallest
        return index, (total, *found)

    def _with_seed(self, seed: Floats, cells: Indices) -> tuple[NDArray[Any], float]:
        """Compute the distances in some cells with one more seed, and the sum of their terms."""
        closest = np.empty((len(cells), CELL), self._closest.dtype)
        total = 0.0
        size = max(1, BLOCK // (CELL * len(self._channels)))
        for start in range(0, len(cells), size):
            block, out = cells[start : start + size], closest[start : start + size]
            distances = distances_to(seed, self._channels.take(block, axis=1))
            np.minimum(distances, self._closest.take(block, axis=0), out=out)
            terms = self._weights.take(block, axis=0)
            terms *= out
            total += float(self._rounded(terms).sum())
        return closest, total

    def accept(self, seed: Floats, change: Change) -> None:
        """Take one more seed, which changes what `best_of` told."""
        self.total, cells, closest = change
        distances = distances_to(seed, self._boxes.middle)
        nearer = distances < self._own
        self._own[nearer] = distances[nearer]
        self._seed[:, nearer] = seed[:, np.newaxis]
        self._closest[cells] = closest
        terms = self._rounded(self._weights.take(cells, axis=0) * closest)
        self._terms[cells] = terms
        self._sums[cells] = by_cell(np.add, terms)
        if not self._exact and self.total < 2**10 * self._terms.size * self._unit:
            self._weigh()  # the terms became small: a finer unit keeps them apart


def distances_to(seed: Floats, channels: NDArray[Any]) -> NDArray[Any]:
    """Compute the squared distances of points, given by their channels (C, ...), to seeds."""
    return squared_distances(np.moveaxis(channels, 0, -1), seed.astype(channels.dtype))


def random_seeds(points: Floats, k: int, weights: Floats | None, rng: np.random.Generator) -> Seeds:
    """Yield seeds drawn in proportion to the weights, never the same point twice."""
    available = np.ones(len(points)) if weights is None else weights.copy()
    chosen: list[int] = []
    while len(chosen) < k and available.any():
        index = int(draw(available, 1, rng)[0])
        yield Seed(index, points, tuple(chosen))
        chosen.append(index)
        available[squared_distances(points, points[index]) == 0] = 0
    return points[chosen]


def draw(potential: Floats, size: int, rng: np.random.Generator) -> Indices:
    """Draw `size` indices with replacement, in proportion to `potential`.

    The potential is rounded to whole numbers of a unit, so that its running
    sum is exact.
    """
    unit = unit_for(potential)
    if unit > 1 or not whole_numbers(potential):
        potential = np.rint(potential / unit)
    terms = in_cells(potential, fill=0)
    return draw_from_cells(terms, by_cell(np.add, terms), size, rng)


def draw_from_cells(terms: Floats, sums: Floats, size: int, rng: np.random.Generator) -> Indices:
    """Draw the cell in proportion to its sum, then the point in it in proportion to its term."""
    ends = sums.cumsum()
    target = rng.random(size) * ends[-1]
    cells = np.searchsorted(ends, target, side="right")
    target -= ends[cells] - sums[cells]
    passed = terms[cells].cumsum(axis=1) <= target[:, np.newaxis]
    points: Indices = cells * CELL + passed.sum(axis=1)
    return points


# Every way to choose centers among the points, by name.
INITS = {"k-means++": plusplus_seeds, "random": random_seeds}
