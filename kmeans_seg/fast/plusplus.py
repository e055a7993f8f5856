"""The potential of k-means++, cell by cell: the same centers from far fewer distances."""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..exact import ONE, Floats, exact_total, whole_numbers
from ..lloyd import Indices, squared_distance
from ..seeding import Potential, first_above
from .cells import (
    BEYOND,
    CELL,
    FARTHEST,
    SINGLE,
    Boxes,
    by_cell,
    centered_rows,
    corners,
    in_cells,
    least_lead,
    products,
)

BLOCK = 2**18  # numbers worked on at a time
NARROW = 8  # up to this many channels, a distance costs less than a bound for it
WHOLE_FLOAT32 = 2.0**24  # whole numbers up to this are exact in float32
WHOLE_FLOAT64 = 2.0**52  # and up to twice this in float64

# The cells that one more center may change, and the distances to the nearest center in them then.
Change: TypeAlias = tuple[Indices, NDArray[Any]]


class CellPotential(Potential):
    """The weighted squared distance of every point to its nearest center, cell by cell.

    A new center changes nothing in a cell if an existing one is closer to
    every point in its box: such cells are skipped. The box also limits how
    much a new center can change: candidates that cannot be the best are not
    tried.

    Candidates are compared, and points drawn, by exact sums. Sums of whole
    numbers, as those of 8-bit gray and RGB, are exact in float64. Elsewhere a
    float64 sum decides where it is clear, and an exact one where it is not.
    """

    _channels: NDArray[Any]  # of the points, cell by cell: (C, cells, 256)
    _center: Floats  # the center nearest to the middle of each cell's box: (C, cells),
    _own: Floats  # and its squared distance from there
    _distances: NDArray[Any]  # squared, of each point to its nearest center: (cells, 256)
    _terms: Floats  # weights times distances: (cells, 256)
    _sums: Floats  # of the terms of each cell
    _total: int  # of all terms, in units of 2^-1074

    def __init__(self, points: Floats, weights: Floats, center: Floats) -> None:
        # Then so are all distances, and weights times distances.
        self._whole = all(whole_numbers(row) for row in (weights, *points.T))
        lows, highs = corners(points)
        self._boxes = Boxes(lows, highs)
        low, high = lows.min(axis=1), highs.max(axis=1)
        size = float(squared_distance(low, high))
        # Where single precision is as exact, it is twice as fast.
        small = self._whole and max(size, *high, *-low) < WHOLE_FLOAT32
        self._channels = in_cells(points.T, dtype=np.float32 if small else np.float64)
        self._distances = distances_to(center, self._channels)
        self._own = distances_to(center, self._boxes.middle)
        self._center = np.repeat(center[:, np.newaxis], len(self._own), axis=1)
        self._weigh(in_cells(weights, fill=0))
        self._wide = len(points.T) > NARROW
        if self._wide:
            self._rows, self._scale = centered_rows(points, self._boxes)
            self._squares = np.zeros(self._distances.shape, np.float32)
            for channel in range(len(points.T)):
                self._squares += np.square(self._rows[:, channel])

    def _weigh(self, weights: Floats) -> None:
        """Compute all terms and their sums."""
        self._weights = weights
        self._cell_weights = by_cell(np.add, weights)
        self._terms = weights * self._distances
        self._sums = by_cell(np.add, self._terms)
        self._exact = self._whole and float(self._sums.sum()) < WHOLE_FLOAT64
        self._total = self._exact_total(self._terms, self._sums)

    def _exact_total(self, terms: Floats, sums: Floats) -> int:
        """Add up terms, given the float64 sums of their cells, in units of 2^-1074."""
        return int(sums.sum()) * ONE if self._exact else exact_total(terms.reshape(-1))

    @property
    def total(self) -> float:
        """The sum of all terms, rounded to float64."""
        return self._total / ONE

    def is_positive(self) -> bool:
        """Return whether any point is not on a center."""
        return self._total > 0 or bool(self._distances.any())

    def draw(self, size: int, rng: np.random.Generator) -> Indices:
        """Draw points in proportion to their terms."""
        if not self._total:
            # The weights make every term underflow: let the distances alone decide.
            self._weigh(np.sign(self._weights))
        return draw_from_cells(self._terms, self._sums, self.total, size, rng=rng)

    def add_best(self, candidates: Floats) -> int:
        """Add the candidate that leaves the smallest total as a center; return its index."""
        best, change = self.best_of(candidates)
        self.accept(candidates[best], change)
        return best

    def best_of(self, candidates: Floats) -> tuple[int, Change]:
        """Find which candidate, as a new center, leaves the smallest total; the first of equals.

        Returns its index, and what it changes.
        """
        others = candidates.T[..., np.newaxis]
        to_middle = distances_to(candidates[:, np.newaxis], self._boxes.middle)
        lead = least_lead(self._center, self._own, others, to_middle, width=self._boxes.width)
        # More than rounding can make of these squared distances; the smallest underflow.
        rounding = (len(others) + 8) * 2.0**-50
        lead -= rounding * (to_middle + self._own + np.square(self._boxes.diagonal)) + 1e-300
        # A new center lowers a point's distance by at most its lead over the cell's center.
        most = np.minimum(np.maximum(-lead, 0) * self._cell_weights, self._sums)
        total = self.total
        # More than the rounding of sums in float64, and of terms that underflow.
        rounding = 1e-9 * total + self._terms.size * 2.0**-1074
        least = total - most.sum(axis=1) - rounding
        if self._wide:
            least = np.maximum(least, self._least_totals(candidates) - rounding)
        totals: dict[int, float] = {}
        best = -1
        first: dict[bytes, int] = {}  # of equal candidates; 0.0 and -0.0 are equal
        for index, center in enumerate(candidates + 0.0):
            first.setdefault(center.tobytes(), index)
        firsts = np.array(list(first.values()))
        for index in firsts[least[firsts].argsort(kind="stable")].tolist():
            if totals and least[index] > totals[best]:
                break
            cells = np.flatnonzero(lead[index] <= 0)
            closest, their_sum = self._with_center(candidates[index], cells)
            totals[index] = total - float(self._sums[cells].sum()) + their_sum
            if best < 0 or (totals[index], index) < (totals[best], best):
                best, change = index, (cells, closest)
        close = [index for index in totals if totals[index] <= totals[best] + rounding]
        if len(close) > 1 and not self._exact:
            changes = {}
            for index in close:
                cells = np.flatnonzero(lead[index] <= 0)
                changes[index] = cells, self._with_center(candidates[index], cells)[0]
            best = min(close, key=lambda index: (self._increase(changes[index]), index))
            change = changes[best]
        return best, change

    def _with_center(self, center: Floats, cells: Indices) -> tuple[NDArray[Any], float]:
        """Compute the distances in some cells with one more center, and the sum of their terms."""
        closest = self._distances.take(cells, axis=0)
        total = 0.0
        size = max(1, BLOCK // (CELL * len(self._channels)))
        for start in range(0, len(cells), size):
            block, out = cells[start : start + size], closest[start : start + size]
            if self._wide:  # most points need no distance
                nearer = np.nonzero(self._least_distances(center[np.newaxis], block)[:, 0] < out)
                near = self._channels[:, block[nearer[0]], nearer[1]]
                out[nearer] = np.minimum(distances_to(center, near), out[nearer])
            else:
                distances = distances_to(center, self._channels.take(block, axis=1))
                np.minimum(distances, out, out=out)
            terms = self._weights.take(block, axis=0)
            terms *= out
            total += float(terms.sum())
        return closest, total

    def _least_totals(self, candidates: Floats) -> Floats:
        """Bound the total that each candidate, as a new center, leaves at least."""
        totals = np.zeros(len(candidates))
        size = max(1, BLOCK // (CELL * len(candidates)))
        for start in range(0, len(self._distances), size):
            block = slice(start, start + size)
            cells = np.arange(len(self._distances))[block]
            terms = self._least_distances(candidates, cells)
            np.minimum(terms, self._distances[block, np.newaxis], out=terms)
            terms *= self._weights[block, np.newaxis]
            totals += terms.sum(axis=(0, 2))
        return totals

    def _least_distances(self, candidates: Floats, cells: Indices) -> Floats:
        """Bound the squared distances of the points of m cells to t others: (m, t, 256).

        |x - s|² = |x - m|² - 2 (s - m)·(x - m) + |s - m|², where m is the middle of the cell,
        takes one product in single precision, whose rounding is subtracted.
        """
        scale = self._scale[cells, np.newaxis]
        offsets = candidates - self._boxes.middle[:, cells].T[:, np.newaxis]
        offsets *= scale[..., np.newaxis]
        np.clip(offsets, -BEYOND, BEYOND, out=offsets)
        squares = np.square(offsets).sum(axis=2)
        reach = np.sqrt(squares) + self._boxes.diagonal[cells, np.newaxis] / 2 * scale
        margin = (2 * offsets.shape[2] + 8) * SINGLE * np.square(reach) + 1e-30
        factors = np.empty((*squares.shape, offsets.shape[2] + 1), np.float32)
        factors[..., :-1] = -2 * offsets.clip(-FARTHEST, FARTHEST)
        factors[..., -1] = squares.clip(max=FARTHEST * FARTHEST)
        scores = np.empty((*squares.shape, CELL), np.float32)
        products(factors, self._rows[cells], out=scores)
        scores += self._squares[cells, np.newaxis]
        least: Floats = scores - margin[..., np.newaxis]
        least /= np.square(scale)[..., np.newaxis]
        return least

    def _increase(self, change: Change) -> int:
        """Return by how much a change raises the total, in units of 2^-1074; it is not positive."""
        cells, closest = change
        terms = self._weights.take(cells, axis=0) * closest
        return exact_total(terms.reshape(-1)) - exact_total(self._terms[cells].reshape(-1))

    def accept(self, center: Floats, change: Change) -> None:
        """Add a center, which changes what `best_of` returned."""
        cells, closest = change
        distances = distances_to(center, self._boxes.middle)
        nearer = distances < self._own
        self._own[nearer] = distances[nearer]
        self._center[:, nearer] = center[:, np.newaxis]
        self._distances[cells] = closest
        self._total -= self._exact_total(self._terms[cells], self._sums[cells])
        terms = self._weights.take(cells, axis=0) * closest
        self._terms[cells] = terms
        self._sums[cells] = by_cell(np.add, terms)
        self._total += self._exact_total(terms, self._sums[cells])


def distances_to(center: Floats, channels: NDArray[Any]) -> NDArray[Any]:
    """Compute the squared distances of points, given by their channels (C, ...), to candidates."""
    return squared_distance(np.moveaxis(channels, 0, -1), center.astype(channels.dtype))


def draw_from_cells(
    terms: Floats, sums: Floats, total: float, size: int, rng: np.random.Generator
) -> Indices:
    """Draw `size` indices: of the first terms that raise the exact running sum above a target.

    `terms` is (cells, 256), `sums` has their float64 sums, and `total` is the
    exact sum of all of them, rounded. The targets are random numbers in [0, 1)
    times the total.
    """
    targets = np.minimum(rng.random(size) * total, np.nextafter(total, 0))  # as `seeding.draw`
    ends = sums.cumsum()
    cells = np.searchsorted(ends, targets, side="right").clip(max=len(sums) - 1)
    running = terms[cells].cumsum(axis=1) + (ends[cells] - sums[cells])[:, np.newaxis]
    points: Indices = cells * CELL + (running <= targets[:, np.newaxis]).sum(axis=1)
    # A running sum in float64 is rounded as often as it has terms, here those of cells and in one.
    rounding = (len(sums) + 2 * CELL) * 2.0**-52 * total
    first = np.abs(ends[cells] - sums[cells] - targets)
    gaps = np.minimum(first, np.abs(running - targets[:, np.newaxis]).min(axis=1))
    for unclear in np.flatnonzero(gaps <= rounding):
        points[unclear] = first_above(terms.reshape(-1), targets[unclear])
    return points
