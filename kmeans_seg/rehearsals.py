"""Initial centers that do not depend on luck: rehearse many starts on few points, keep the best.

Where k-means ends depends on where it starts. So we first rehearse several
starts on a few thousand coarse points, the means of runs of neighboring points:

1. draw the initial centers of each start by k-means++;
2. make a few passes of Lloyd's algorithm with each;
3. drop the worse half of the starts, and repeat from 2 until one is left;
4. change it: in each of a few copies, move one center that is cheap to lose to
   a point drawn by k-means++; make a few passes with each and keep the best;
5. repeat step 4 a few times.

What is left are the initial centers for the loop over all points.

Coarse points, weights and centers are rounded to whole numbers, so small that
float64 adds and multiplies them exactly. So no order of summation, not even
that of a BLAS, decides which start wins. Left out: the loop over all points
(`lloyd`), which rounds no points.
"""

# Keeps annotations from importing numpy.random, the slowest import here.
from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import NamedTuple

import numpy as np

from .exact import Floats, exact_sum
from .lloyd import Indices, squared_distance
from .principal import PRODUCT
from .seeding import Potential, plusplus

STARTS = 16
PASSES = 4  # of every start before some are dropped
MOST_CHANGES = 8  # of the start that is left; k / 2 of them where k is small
COPIES = 7  # in which each change is tried
LAST_PASSES = 12  # of the start that wins
POINTS, POINTS_PER_CENTER = 2000, 48  # coarse points, at most
MOST_CENTERS = 128  # with more, rehearsals end no better than k-means++ among all points
BITS = 12  # of a coordinate
SHORTEST, MOST_ROWS = 64, 256  # points of a block, and centers, in one product
APART = 64  # places between coarse points that were neighbors


class Round(NamedTuple):
    """One pass of all starts that are still running.

    Attributes
    ----------
    starts
        Array (s,) of int: the number of each start, ascending. A start of the
        round before that is missing was dropped. A new number is a copy of
        the one start that was left, in which one center was moved.
    centers
        Array (s, k, C) of float64: the centers of each start before the pass;
        in the first round, in the order in which they were drawn.
    inertias
        Array (s,) of float64: the inertia of the coarse points for each.
    """

    starts: Indices
    centers: Floats
    inertias: Floats


def rehearse(
    points: Floats,
    weights: Floats,
    k: int,
    rng: np.random.Generator,
    *,
    starts: int = STARTS,
    potential_type: type[Potential] = Potential,
) -> Generator[Round | int, None, Floats]:
    """Yield every round of the rehearsals, and return the centers (k, C) that won.

    Neighbors among the points (n, C) should be similar, as in Morton order.
    Of starts with equal inertia the first is the better one. For k > 128, and
    where there are fewer than k distinct coarse points, k-means++ chooses among
    all points: then what it draws is yielded, and fewer centers returned if there are
    fewer than k distinct points.
    """
    centers: Floats | None = None
    if k <= MOST_CENTERS:
        coarse = CoarsePoints(points, weights, most=POINTS + POINTS_PER_CENTER * k)
        centers = coarse.draw(k, starts, rng)
    if centers is None:
        return (yield from plusplus(points, weights, k, rng, potential_type=potential_type))
    numbers, changes = np.arange(starts), 0
    most_changes = min(k // 2, MOST_CHANGES)
    while True:
        if len(numbers) == 1 and changes < most_changes:
            copies = coarse.changed(centers[0], COPIES, rng)
            centers = np.concatenate((centers, copies))
            numbers = np.append(numbers, starts + changes * COPIES + np.arange(len(copies)))
            changes += 1
        for _ in range(PASSES if len(numbers) > 1 else LAST_PASSES):
            means, inertias = coarse.one_pass(centers)
            yield Round(numbers, coarse.as_points(centers), coarse.as_inertias(inertias))
            centers = means
        if len(numbers) == 1:
            return coarse.as_points(centers[0])
        kept = 1 if changes else (len(numbers) + 1) // 2
        better = np.sort(inertias.argsort(kind="stable")[:kept])
        numbers, centers = numbers[better], centers[better]


class CoarsePoints:
    """The weighted means of runs of neighboring points, in whole numbers.

    A squared distance times the total weight is less than 2^52.

    Attributes
    ----------
    columns
        Array (C + 1, n): the channels of each coarse point, and 1.
    weights
        Array (n,).
    """

    def __init__(self, points: Floats, weights: Floats, most: int) -> None:
        n, channels = points.shape
        first = np.arange(0, n, -(-n // most))
        self._low = points.min(axis=0)
        span = float((points.max(axis=0) - self._low).max())
        bits = min(BITS, (36 - channels.bit_length()) // 2)
        self._unit = math.ldexp(1.0, math.frexp(span)[1] - bits)
        # Sums of weighted coordinates have at most 53 bits.
        exponent = math.frexp(exact_sum(weights))[1]
        whole = np.ldexp(weights, 39 - exponent)
        np.maximum(np.rint(whole, out=whole), 1, out=whole)
        run_weights = np.add.reduceat(whole, first)
        columns = np.ones((channels + 1, len(first)))
        for channel, low in enumerate(self._low):
            terms = points[:, channel] - low
            terms /= self._unit
            np.rint(terms, out=terms)
            terms *= whole
            columns[channel] = np.rint(np.add.reduceat(terms, first) / run_weights)
        weight_bits = 51 - 2 * bits - channels.bit_length()
        weights = np.maximum(np.rint(run_weights * math.ldexp(1.0, weight_bits - 39)), 1)
        self._weight_unit = math.ldexp(1.0, exponent - weight_bits)
        # Neighbors have the same label, and one sum would wait for the other.
        self._order = np.argsort(np.arange(len(first)) % APART, kind="stable")
        self.columns, self.weights = columns[:, self._order], weights[self._order]
        self._squares = np.square(self.columns[:-1]).sum(axis=0)
        self._weighted = self.columns * self.weights

    def draw(self, k: int, starts: int, rng: np.random.Generator) -> Floats | None:
        """Draw the centers of every start by k-means++, in its textbook form.

        Returns an array (starts, k, C) of whole numbers; None if there are
        fewer than k distinct points.
        """
        n = len(self.weights)
        centers = np.empty((starts, k, len(self.columns) - 1))
        closest, terms = np.full((starts, n), np.inf), np.tile(self.weights, (starts, 1))
        distances, running = np.empty((starts, n)), np.empty((starts, n))
        for number in range(k):
            np.cumsum(terms, axis=1, out=running)
            if not running[:, -1].all():
                return None
            targets = rng.random(starts)
            drawn = [first_above(*pair) for pair in zip(running, targets, strict=True)]
            chosen = self.columns[:-1, drawn].T
            centers[:, number] = chosen
            # |x - c|² = |x|² - 2 c·x + |c|²
            factors = np.column_stack((-2 * chosen, self._squares[drawn]))
            for block in self._blocks(starts):
                np.matmul(factors, self.columns[:, block], out=distances[:, block])
            distances += self._squares
            np.minimum(closest, distances, out=closest)
            np.multiply(closest, self.weights, out=terms)
        return centers

    def changed(self, centers: Floats, copies: int, rng: np.random.Generator) -> Floats:
        """Copy the centers (k, C), and move one center of each copy.

        A center is cheap to lose if merging its cluster with another adds
        little inertia. The cheapest is moved first, to a point drawn by k-means++.
        Returns an array (copies, k, C); fewer copies if there are fewer centers
        or no point is away from its center.
        """
        k = len(centers)
        (labels,), (distances,) = self._nearest(centers[np.newaxis])
        weights = np.bincount(labels, self.weights, k)
        running = (distances * self.weights).cumsum()
        if k == 1 or not running[-1]:
            return np.empty((0, *centers.shape))
        cost = np.empty(k)
        for cluster, weight in enumerate(weights):
            merging = squared_distance(centers, centers[cluster]) * weight
            merging *= weights / np.maximum(weights + weight, 1)
            merging[cluster] = np.inf
            cost[cluster] = merging.min()
        moved = cost.argsort(kind="stable")[:copies]
        drawn = [first_above(running, target) for target in rng.random(len(moved))]
        result = np.repeat(centers[np.newaxis], len(moved), axis=0)
        result[np.arange(len(moved)), moved] = self.columns[:-1, drawn].T
        return result

    def one_pass(self, centers: Floats) -> tuple[Floats, Floats]:
        """Assign the points to the centers of each start; return the means and the inertias.

        A tie goes to the lowest index. A center without points stays.
        """
        k = centers.shape[1]
        means, inertias = np.empty_like(centers), np.empty(len(centers))
        rows = min(MOST_ROWS, PRODUCT // (SHORTEST * len(self.columns)))
        together = max(1, rows // k)
        for first in range(0, len(centers), together):
            some = slice(first, first + together)
            means[some], inertias[some] = self._means(centers[some])
        return means, inertias

    def _means(self, centers: Floats) -> tuple[Floats, Floats]:
        """Make the pass of a few starts at once: their clusters are numbered one after another."""
        starts, k, _ = centers.shape
        labels, distances = self._nearest(centers)
        distances *= self.weights
        clusters = (labels + k * np.arange(starts)[:, np.newaxis]).ravel()
        *sums, weights = (
            np.bincount(clusters, np.tile(terms, starts), starts * k).reshape(starts, k)
            for terms in self._weighted
        )
        means = centers.copy()
        for channel, total in enumerate(sums):
            np.divide(total, weights, out=means[:, :, channel], where=weights > 0)
        return np.rint(means, out=means), distances.sum(axis=1)

    def in_order(self) -> tuple[Floats, Floats]:
        """Return the coarse points (n, C), in the order of the points, and their weights."""
        back = self._order.argsort()
        points = self.as_points(self.columns[:-1].T)
        return np.asfortranarray(points[back]), self.weights[back] * self._weight_unit

    def dimensions(self) -> float:
        """Return in how many dimensions the points vary: 1 for a line, C for a ball.

        It is the square of the trace of the covariance matrix, divided by the
        sum of its squared entries.
        """
        moments = self._weighted @ self.columns.T  # of whole numbers: exact
        total = moments[-1, -1]
        means = moments[-1, :-1] / total
        covariance = moments[:-1, :-1] / total - np.multiply.outer(means, means)
        trace = exact_sum(covariance.diagonal())
        return trace * trace / exact_sum(np.square(covariance).ravel()) if trace else 1.0

    def _nearest(self, centers: Floats) -> tuple[Indices, Floats]:
        """Find the nearest of the centers (starts, k, C) of each start.

        Returns two arrays (starts, n): the labels and the squared distances.
        """
        starts, k, channels = centers.shape
        # |c|² - 2 c·x orders the centers c as their distances from x do. The last bits of such a
        # score are the number of the center: the least score tells which one is nearest.
        bits = k.bit_length()
        factors = np.empty((starts, k, channels + 1))
        factors[..., :-1] = centers * -(2 << bits)
        factors[..., -1] = np.square(centers).sum(axis=2) * (1 << bits) + np.arange(k)
        rows = factors.reshape(starts * k, channels + 1)
        least, buffer = np.empty((starts, len(self.weights))), np.empty(0)
        for block in self._blocks(len(rows)):
            columns = self.columns[:, block]
            size = len(rows) * columns.shape[1]
            buffer = buffer if buffer.size else np.empty(size)  # the last block is not longer
            scores = np.matmul(rows, columns, out=buffer[:size].reshape(len(rows), -1))
            scores.reshape(starts, k, -1).min(axis=1, out=least[:, block])
        numbers = least.astype(np.int64)
        distances = (numbers >> bits) + self._squares
        return (numbers & ((1 << bits) - 1)).astype(np.intp), distances

    def _blocks(self, rows: int) -> Iterator[slice]:
        """Divide the points into blocks: some rows times the columns of one is a small product."""
        size = max(SHORTEST, PRODUCT // (rows * len(self.columns)))
        for start in range(0, len(self.weights), size):
            yield slice(start, start + size)

    def as_points(self, centers: Floats) -> Floats:
        """Turn whole numbers into coordinates of the points."""
        points: Floats = centers * self._unit + self._low
        return points

    def as_inertias(self, whole: Floats) -> Floats:
        """Turn whole numbers into squared units of the points, times the weights."""
        return whole * (self._unit * self._unit * self._weight_unit)


def first_above(running: Floats, share: float) -> int:
    """Find the first of some running sums, of whole numbers, that is above a share of the last."""
    target = min(share * running[-1], running[-1] - 1)
    return int(running.searchsorted(target, side="right"))
