"""The fast assignment: the same labels as the plain one, from far fewer distances.

Three observations, each of which leaves work out and none of which guesses.

**Near points share their candidates.** The points come in cells of 64, near
each other if the points are in Morton order, as `distinct` hands them out.
Around a cell lies a box. A center a is ahead of a center b everywhere in the
box if it is so in the corner that favors b most, which two numbers tell: how
far a is ahead in the middle, and how much of that the box's width across the
bisector of a and b can take away. The centers that no other is ahead of
everywhere are the candidates of the cell. Most cells have one or two::

    b             :           a
                  :  +-----+         The dotted line is the bisector of a and b.
                  :  |cell |         The cell lies on the side of a, so b is no
                  :  +-----+         candidate, whatever points the cell holds.

**What is decided stays decided for a while.** Let a point be nearer to its
center than to any other by a gap of g. As long as its center and the other one
have moved by less than g, together, it keeps its label. So each cell has a
clock that runs as fast as its candidates move (the two fastest of them), and
sleeps until the clock has run through the smallest gap of its points. The
same goes for the candidates: they are chosen with a budget, so that they stay
the only ones until the centers have moved by that budget.

**A decision needs no exact distance, only a clear one.** In a cell that is
awake, one small matrix product gives |x - c|² - |x - m|² for its points x and
candidates c, where m is the middle of the cell. It is made in single
precision, and rounded in an order that depends on the library that multiplies.
So it may decide only where the nearest is ahead by more than all of that
rounding; the few other points go the plain way (`assignment.nearest_center`).
The labels are those of the plain way in every case.

The bounds are those of Elkan, "Using the triangle inequality to accelerate
k-means" (2003), and Hamerly, "Making k-means even faster" (2010); boxes with
candidates come from Kanungo et al., "An efficient k-means clustering
algorithm" (2002). Left out: points in many dimensions, where boxes overlap
everything and this could only be slower; they are assigned the plain way.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .assignment import (
    Assigner,
    Floats,
    Labels,
    broadcast,
    first_of,
    nearest_center,
    squared_distances,
)
from .cells import CELL, Cells

Indices = NDArray[np.intp]

GROUP = 16  # cells in a group, whose candidates are chosen first
SPAN = 1.0  # the budget of a choice of candidates, in movements as large as the last one
MOST_CHANNELS = 5  # with more than these the plain way is used
BLOCK = 2**17  # numbers worked on at a time
NEVER = np.float32(1e30)  # a score that never wins
FAR = 1e150  # where the center stands that fills up short lists of candidates


def pruned(points: Floats) -> Assigner:
    """Make the fast assigner: a function from centers to the labels of `points`."""
    return PrunedAssigner(points) if points.shape[1] <= MOST_CHANNELS else broadcast(points)


class Boxes:
    """Boxes, each given by its lowest and its highest corner: arrays (boxes, C)."""

    def __init__(self, low: Floats, high: Floats) -> None:
        self.middle = (low + high) / 2  # (boxes, C)
        self.width = high - low
        self.diagonal = np.sqrt(np.square(self.width).sum(axis=1))

    def gaps(self, boxes: Indices, candidates: Indices, centers: Floats) -> Floats:
        """Bound how much nearer every point of a box has its nearest center than a candidate.

        `candidates` is (w, m) for m boxes, and so is the result: 0 where the
        candidate may be the nearest of some point in the box.
        """
        middle, width = self.middle[boxes], self.width[boxes]
        near = [channel.take(candidates) for channel in centers.T]
        distances = squared_distances(middle, np.moveaxis(np.array(near), 0, -1))
        own = distances.min(axis=0)
        best = first_of(distances == own)
        column = np.arange(len(boxes))
        # |x - b|² - |x - a|² is linear in x: its least value in the box is that in the
        # middle less what half the box's width takes away in each channel.
        ahead = distances - own
        for channel, values in enumerate(near):
            ahead -= np.abs(values - values[best, column]) * width[:, channel]
        np.maximum(ahead, 0, out=ahead)
        # Divided by |x - b| + |x - a|, or what is larger, it becomes |x - b| - |x - a|.
        longest = np.sqrt(distances) + (np.sqrt(own) + self.diagonal[boxes])
        gaps: Floats = np.divide(ahead, longest, out=ahead, where=ahead > 0)
        return gaps


class PrunedAssigner:
    """Assigns points to centers that move little from one call to the next."""

    def __init__(self, points: Floats) -> None:
        cells = Cells(points)
        self._points = points
        self._cells = Boxes(cells.low, cells.high)
        starts = np.arange(0, len(cells.low), GROUP)
        self._groups = Boxes(
            np.minimum.reduceat(cells.low, starts), np.maximum.reduceat(cells.high, starts)
        )
        self._low, self._high = points.min(axis=0), points.max(axis=0)
        self._size = diagonal(self._low, self._high)
        # A power of two, so that scaling rounds nothing, and the points are at most 1 apart.
        self._scale = float(np.ldexp(1.0, -int(np.clip(np.frexp(self._size)[1], -1000, 1000))))
        # Each cell's points, from the middle of its box, with a row of ones: (cells, C + 1, CELL).
        self._rows = np.ones((len(cells.low), points.shape[1] + 1, CELL), np.float32)
        for channel in range(points.shape[1]):
            centered = cells.points()[..., channel] - self._cells.middle[:, channel, np.newaxis]
            np.multiply(centered, self._scale, out=self._rows[:, channel], casting="same_kind")

        self._radius = self._cells.diagonal / 2 * self._scale
        # Where the centers move little, a budget of a part of a cell costs few candidates.
        self._least_budget = float(self._cells.diagonal.mean()) / 8

        self._centers: Floats | None = None
        self._budget, self._spent = 0.0, 0.0
        self._chosen = np.zeros((len(self._rows), 0), np.bool_)
        self._labels = np.zeros((len(self._rows), CELL), np.int32)
        self._clock = np.zeros(len(self._rows))
        self._wake = np.zeros(len(self._rows))  # when the clock shows this, look at the cell

    def __call__(self, centers: Floats) -> Labels:
        """Assign each point to its nearest center; a tie goes to the lowest index."""
        low, high = centers.min(axis=0), centers.max(axis=0)
        size = diagonal(np.minimum(self._low, low), np.maximum(self._high, high))
        if size > 1e6 * self._size or size < 1e-140:
            # Beyond the range of single precision, all points equal, or squares lost in underflow.
            self._centers = None
            self._wake = self._clock.copy()
            return nearest_center(self._points, centers)
        # Far more than rounding can add up to; smaller squares are lost in underflow.
        self._margin = 1e-9 * size + 1e-150
        padded = np.vstack((centers, np.full(centers.shape[1], FAR)))
        if self._centers is None:
            self._choose_candidates(padded, budget=0.0)
        else:
            moved = np.sqrt(squared_distances(centers, self._centers)) * (1 + 1e-9)
            drift = float(np.sort(moved)[-2:].sum())
            self._spent += drift
            self._advance_clocks(np.append(moved, 0.0))
            budget = max(SPAN * drift, self._least_budget)
            if self._spent > self._budget or self._budget > 2 * budget:
                self._choose_candidates(padded, budget)
        self._centers = centers
        self._look(padded)
        return self._labels.reshape(-1)[: len(self._points)].copy()

    def _advance_clocks(self, moved: Floats) -> None:
        """Let each cell's clock run as far as its two fastest candidates have moved."""
        for cells, candidates in self._mixed:
            fastest = moved.take(candidates)
            fastest.partition(candidates.shape[1] - 2, axis=1)
            self._clock[cells] += fastest[:, -2] + fastest[:, -1]

    def _choose_candidates(self, centers: Floats, budget: float) -> None:
        """Choose each cell's candidates, to hold until the centers have moved by `budget`."""
        k = len(centers) - 1
        groups, cells = len(self._groups.middle), len(self._cells.middle)
        everyone = np.broadcast_to(np.arange(k), (groups, k))
        limit = budget + self._margin
        candidates, counts, *_ = select(
            self._groups, everyone, np.full(groups, k), np.arange(groups), centers, limit
        )
        self._candidates, self._counts, cell, candidate, gap = select(
            self._cells, candidates, counts, np.arange(cells) // GROUP, centers, limit
        )
        chosen = np.zeros((cells, k), np.bool_)
        chosen[cell, candidate] = True
        if self._centers is not None:
            # A center that was no candidate before was not in the gap that the cell sleeps on.
            new = np.flatnonzero(~self._chosen[cell, candidate])
            cell, gap = cell[new], gap[new]
            np.minimum.at(self._wake, cell, self._clock[cell] + gap - self._margin)
        self._chosen = chosen
        self._mixed = [
            (members, self._candidates[members, :width])
            for width, members in by_width(self._counts)
            if width > 1
        ]
        self._budget, self._spent = budget, 0.0

    def _look(self, centers: Floats) -> None:
        """Assign the points of the cells that are awake, and see how long they may sleep."""
        k = len(centers) - 1
        small = np.min_scalar_type(k)
        awake = np.flatnonzero(self._wake <= self._clock)
        for width, members in by_width(self._counts[awake], per_item=CELL):
            cells = awake[members]
            candidates = self._candidates[cells, :width]
            if width == 1:
                self._labels[cells] = candidates
                self._wake[cells] = np.inf
                continue
            # |x - c|² - |x - m|² = -2 (c - m)·(x - m) + |c - m|², for all x and c of a cell.
            filled_up = candidates == k
            offsets = centers[np.where(filled_up, candidates[:, :1], candidates)]
            offsets = (offsets - self._cells.middle[cells, np.newaxis]) * self._scale
            squares = np.square(offsets).sum(axis=2)
            reach = np.sqrt(squares.max(axis=1)) + self._radius[cells]
            squares[filled_up] = NEVER
            factors = np.concatenate((-2 * offsets, squares[:, :, np.newaxis]), axis=2)
            scores = np.empty((width, len(cells), CELL), np.float32)
            np.matmul(factors.astype(np.float32), self._rows[cells], out=scores.swapaxes(0, 1))
            best = scores.min(axis=0)
            is_best = scores == best
            # The lowest index among the best: the greatest of k - index.
            marks = (k - candidates.T).astype(small)[:, :, np.newaxis]
            labels = k - (is_best * marks).max(axis=0).astype(np.int32)
            scores += is_best * NEVER
            second = scores.min(axis=0)
            # Each score is off by less than 8 roundings of its largest term; two are compared.
            margin = (2**-19 * np.square(reach) + 1e-30).astype(np.float32)
            ahead = second - best - margin[:, np.newaxis]
            if np.count_nonzero(is_best) > best.size:
                ahead[is_best.sum(axis=0) > 1] = 0
            unclear = np.flatnonzero(ahead <= 0)
            if unclear.size:
                point = cells[unclear // CELL] * CELL + unclear % CELL
                point = self._points[np.minimum(point, len(self._points) - 1)]
                labels.reshape(-1)[unclear] = nearest_center(point, centers[:-1])
            # |x - b| - |x - a| is at least the difference of the squares by twice |x - b|.
            longest = np.sqrt(second.max(axis=1) + np.square(self._radius[cells])) + 1e-30
            gap = ahead.min(axis=1) / (2 * self._scale * longest)
            self._labels[cells] = labels
            self._wake[cells] = self._clock[cells] + gap - self._margin


def diagonal(low: Floats, high: Floats) -> float:
    """Return the length of the diagonal of a box."""
    return float(np.sqrt(squared_distances(low, high)))


def select(
    boxes: Boxes,
    candidates: Indices,
    counts: Indices,
    parents: Indices,
    centers: Floats,
    limit: float,
) -> tuple[Indices, Indices, Indices, Indices, Floats]:
    """Keep the candidates of each box, among those of its parent, whose gap is within `limit`.

    Returns the candidates as an array (boxes, most) in ascending order,
    filled up with k; how many each box has; and the same as a list: the box,
    the candidate and the gap of each.
    """
    found = []
    for width, members in by_width(counts[parents]):
        tried = np.ascontiguousarray(candidates[parents[members], :width].T)
        gaps = boxes.gaps(members, tried, centers)
        keep = gaps <= limit
        rank = keep.cumsum(axis=0, dtype=np.int32).reshape(-1) - 1
        flat = np.flatnonzero(keep)
        box = members[flat % len(members)]
        found.append((box, rank[flat], tried.reshape(-1)[flat], gaps.reshape(-1)[flat]))
    box, rank, candidate, gap = (np.concatenate(parts) for parts in zip(*found, strict=True))
    table = np.full((len(parents), rank.max() + 1), len(centers) - 1)
    table[box, rank] = candidate
    return table, np.bincount(box, minlength=len(parents)), box, candidate, gap


def by_width(counts: Indices, per_item: int = 1) -> Iterator[tuple[int, Indices]]:
    """Sort items by their number of candidates, so that few places are filled up for nothing.

    Yields a width and the indices of items with no more candidates than that,
    as many at a time as make a block of work; few items are not sorted.
    """
    most = int(counts.max(initial=0))
    low, width = 0, most if len(counts) * most * per_item <= BLOCK // 8 else 1
    while low < most:
        items = np.flatnonzero((counts > low) & (counts <= width))
        size = max(1, BLOCK // (width * per_item))
        for start in range(0, len(items), size):
            yield min(width, most), items[start : start + size]
        low, width = width, width + max(1, width // 2)
