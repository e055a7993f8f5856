"""The fast assignment: the same labels as the plain one, from far fewer distances.

Three exact ways to skip work.

**Near points share their candidates.** The points come in cells of 256, near
each other if the points are in Morton order, as `distinct` hands them out.
Around a cell lies a box. Center a is ahead of center b everywhere in the box if
it is ahead in the corner that favors b most. Two numbers decide this: how far
a is ahead in the middle, and how much of that lead the box's width across the
bisector of a and b can take away. A center is a candidate of the cell unless
another is ahead of it everywhere in the box. Most cells have one or two::

    b             :           a
                  :  +-----+         The dotted line is the bisector of a and b.
                  :  |cell |         The cell lies on the side of a, so b is no
                  :  +-----+         candidate, whatever points the cell holds.

**What is decided stays decided for a while.** Suppose every point of a cell
is nearer to its own center than to center b by at least a gap g. Until b and
the fastest of those centers have moved by g in total, no point goes to b. So
a gap is kept for each cell and candidate, and the points are compared with
that candidate again only when the gap is used up. A cell in which
no gap is used up sleeps. Likewise, candidates are chosen with some room for
movement, so that the choice holds for a few passes; the rest of each gap is
kept from one choice to the next.

**A decision needs no exact distance, only a clear one.** In a cell that is
awake, one small matrix product gives |x - c|² - |x - m|² for its points x and
candidates c, where m is the middle of the cell. It is made in single
precision, and rounded in an order that depends on the library that multiplies.
So it may decide only where the nearest is ahead by more than all of that
rounding; the few other points go the plain way (`lloyd.nearest_center`).
The labels are those of the plain way in every case.

The bounds are those of Elkan, "Using the triangle inequality to accelerate
k-means" (2003), for cells in place of points; boxes with candidates come from
Kanungo et al., "An efficient k-means clustering algorithm" (2002). In many
dimensions, where boxes overlap everything, they rule out few candidates; the
gaps and the quick scores still save most of the work.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact import Floats
from ..lloyd import Indices, SmallLabels, nearest_center, squared_distance
from .cells import (
    BEYOND,
    CELL,
    CELL_BITS,
    FARTHEST,
    ROUNDING,
    SINGLE,
    Boxes,
    by_cell,
    centered_rows,
    corners,
    products,
)

SPAN = 1.0  # the room of a choice of candidates, in movements as large as the last one
PASSES = 64  # after which the candidates are chosen again at the latest
MOST_ROOM = 2**10  # times the room that is needed: above this, choose candidates again
SELECTED = 2**15  # pairs of a cell and a center looked at at a time to choose candidates
BLOCK = 2**17  # scores worked on at a time
FILLED = 64  # cells' candidates scored for nothing rather than in one more group
MOST_PAIRS = 2**21  # pairs of cells and candidates looked at at a time, at most
NARROW = 3  # channels; of more than these, fewer pairs
MOST_KNOWN = 2**24  # pairs of a cell and a center whose gaps are kept, at most
NEVER = np.float32(1e30)  # a score that never wins
FOREVER = 1e300  # a gap that is never used up


class PrunedAssigner:
    """Assigns points to centers that move little from one call to the next."""

    # What is known since the candidates were chosen. A pair is a cell and one of its candidates.
    _candidate: Indices  # of each pair, ordered by cells
    _gap: Floats  # of each pair, as it was when its cell was last looked at
    _runs: Indices  # how many pairs each cell has,
    _starts: Indices  # and where they start
    _lead: Floats  # how far the nearest owner of each point of a cell is ahead of the second
    _since: Indices  # the pass in which each cell was last looked at
    _next: Floats  # when the clock shows this, look at the cell
    _paths: Floats  # how far each center has come, after each pass: (PASSES + 1, k)
    _pass: int
    _clock: float  # how far the two fastest centers have come
    _room: float  # when the clock shows this, choose again
    _is_far: bool  # whether a scaled distance may be too large for single precision

    def __init__(self, points: Floats, labels: SmallLabels) -> None:
        low, high = corners(points)
        self._points = points
        self._cells = Boxes(low, high)
        self._low, self._high = low.min(axis=1), high.max(axis=1)
        self._size = diagonal(self._low, self._high)
        self._rows, self._scale = centered_rows(points, self._cells)
        self._radius = self._cells.diagonal / 2 * self._scale
        # Where the centers move little, room for a part of a cell costs few candidates.
        self._least_room = float(np.median(self._cells.diagonal)) / 4

        # Those of the last call, cell by cell; once there are centers, in as few bytes as they fit.
        self._cell_labels: NDArray[Any] = np.full((len(self._rows), CELL), -1, np.int32)
        self._cell_labels.reshape(-1)[: len(points)] = labels
        self._centers: Floats | None = None  # of the last call; None if there is nothing to keep

    def __call__(self, centers: Floats) -> tuple[SmallLabels, Indices]:
        """Assign each point to its nearest center; a tie goes to the lowest index."""
        n = len(self._points)
        columns = np.ascontiguousarray(centers.T)
        changed = [np.zeros(0, np.intp)]
        room = 0.0
        if self._centers is not None:
            # The smallest squares underflow.
            moved = np.sqrt(squared_distance(centers, self._centers)) * (1 + 1e-9) + 1e-150
            drift = float(np.sort(moved)[-2:].sum())
            room = max(SPAN * drift, self._least_room)
            self._clock += drift
            self._pass += 1
            self._paths[self._pass] = self._paths[self._pass - 1] + moved
        if (
            self._centers is None
            or self._clock > self._room
            or self._room > MOST_ROOM * room
            or self._pass == PASSES
        ):
            low, high = centers.min(axis=0), centers.max(axis=0)
            # No point is farther from a center until the candidates are chosen again.
            size = diagonal(np.minimum(self._low, low), np.maximum(self._high, high)) + room
            if size > 1e3 * self._size or size < 1e-140:
                # Too far away for the precision here, all points equal, or squares underflow.
                self._centers = None
                labels = nearest_center(self._points, centers)
                known = self._cell_labels.reshape(-1)[:n]
                new = np.flatnonzero(labels != known)
                known[:] = labels
                return labels, new
            self._is_far = size * float(self._scale.max()) > FARTHEST
            small = np.min_scalar_type(len(centers))
            self._cell_labels = self._cell_labels.astype(small, copy=False)
            changed += self._choose_candidates(columns, room)
        self._centers = centers
        due = (self._next <= self._clock).nonzero()[0]
        # The points of the cells take memory as well, not only their candidates.
        most = MOST_PAIRS * NARROW // max(NARROW, len(columns))
        size = max(1, most // max(len(centers), CELL))
        for start in range(0, len(due), size):
            changed.append(self._look(due[start : start + size], columns))
        places = np.sort(np.concatenate(changed), kind="stable")  # a few runs to merge
        labels = self._cell_labels.reshape(-1)[:n].copy()
        return labels, places[: places.searchsorted(n)]

    def renumber(self, order: Indices) -> None:
        """Renumber the centers: number order[i] becomes number i."""
        rank = order.argsort()
        self._cell_labels = rank.astype(self._cell_labels.dtype)[self._cell_labels]
        if self._centers is not None:
            self._candidate = rank[self._candidate]
            self._paths = self._paths.take(order, axis=1)
            self._centers = self._centers[order]

    def _choose_candidates(self, centers: Floats, room: float) -> list[Indices]:
        """Choose each cell's candidates, to hold until the centers have moved by `room`.

        Label the cells that only one center can have a point of; return the
        places of the labels that changed.
        """
        k = centers.shape[1]
        cells = len(self._rows)
        known = None
        if self._centers is not None and cells * k <= MOST_KNOWN:
            known = np.zeros((cells, k))
            everything = np.arange(cells)
            _, _, left, _ = self._gaps_left(everything, self._runs, self._starts)
            known[everything.repeat(self._runs), self._candidate] = left
        cell, self._candidate, self._gap = select(self._cells, centers, room)
        self._gap -= ROUNDING * room  # more than the rounding of what the centers move meanwhile
        if known is not None:
            # What is left of a gap holds as well as what the box tells, and is often more.
            np.maximum(self._gap, known[cell, self._candidate], out=self._gap)
        self._runs = np.bincount(cell, minlength=cells)
        self._starts = self._runs.cumsum() - self._runs
        self._since, self._next = np.zeros(cells, np.intp), np.zeros(cells)
        self._paths, self._pass = np.zeros((PASSES + 1, k)), 0
        self._clock, self._room = 0.0, room

        near = np.flatnonzero(self._gap <= 0)
        owners = np.bincount(cell[near], minlength=cells)
        self._lead = np.where(owners > 1, -np.inf, np.inf)
        owner = np.zeros(cells, self._cell_labels.dtype)
        owner[cell[near]] = self._candidate[near]
        alone = np.flatnonzero(owners == 1)
        return [self._assign(alone, np.broadcast_to(owner[alone, np.newaxis], (len(alone), CELL)))]

    def _assign(self, cells: Indices, labels: NDArray[Any]) -> Indices:
        """Note the labels of the points of some cells; return the places of those that changed."""
        new = np.flatnonzero(labels != self._cell_labels.take(cells, axis=0))
        self._cell_labels[cells] = labels
        # A point keeps its place in its cell.
        shifts = (cells - np.arange(len(cells))) * CELL
        places: Indices = new + shifts.take(new >> CELL_BITS)
        return places

    def _look(self, cells: Indices, centers: Floats) -> Indices:
        """Assign the points of cells whose gaps may be used up, and see how long they may sleep.

        Return the places of the labels that changed.
        """
        runs = self._runs[cells]
        first = runs.cumsum() - runs
        pairs, is_owner, left, fastest = self._gaps_left(cells, runs, first)
        rest = np.minimum.reduceat(left + is_owner * FOREVER, first)
        rest = np.minimum(rest, self._lead[cells] - 2 * fastest)
        self._next[cells] = self._clock + rest
        awake = rest <= 0
        if not awake.any():
            return np.zeros(0, np.intp)
        inside = awake.repeat(runs)
        cells, runs, pairs, left = cells[awake], runs[awake], pairs[inside], left[inside]
        first = runs.cumsum() - runs
        is_near = left <= 0  # what has a gap left need not be compared
        near = is_near.nonzero()[0]
        counts = np.add.reduceat(is_near, first, dtype=np.intp)
        labels, gaps, lead = self._compare(cells, counts, self._candidate[pairs[near]], centers)
        left[near] = gaps
        self._gap[pairs] = left
        self._since[cells] = self._pass
        is_owner = left <= 0
        lead[np.add.reduceat(is_owner, first, dtype=np.intp) == 1] = np.inf
        self._lead[cells] = lead
        rest = np.minimum.reduceat(left + is_owner * FOREVER, first)
        self._next[cells] = self._clock + np.minimum(rest, lead)
        return self._assign(cells, labels)

    def _gaps_left(
        self, cells: Indices, runs: Indices, first: Indices
    ) -> tuple[Indices, NDArray[np.bool_], Floats, Floats]:
        """Compute how much the centers have left of the gaps of some cells since the last look.

        `runs` is how many pairs each of them has, and `first` where those start
        among the pairs of these cells. Returns the pairs; of each whether the
        candidate is an owner, and what is left of its gap; and how far the
        fastest owner of each cell has come.
        """
        pairs = np.arange(runs.sum()) + (self._starts[cells] - first).repeat(runs)
        candidate, gap = self._candidate.take(pairs), self._gap.take(pairs)
        then = (self._since[cells] * self._paths.shape[1]).repeat(runs)
        moved = self._paths[self._pass].take(candidate) - self._paths.take(candidate + then)
        # The points of a cell belong to its owners, the candidates that have no gap.
        is_owner = gap <= 0
        fastest = np.maximum.reduceat(moved * is_owner, first)
        return pairs, is_owner, gap - moved - fastest.repeat(runs), fastest

    def _compare(
        self, cells: Indices, counts: Indices, candidates: Indices, centers: Floats
    ) -> tuple[NDArray[Any], Floats, Floats]:
        """Find the nearest center for each point of m cells, among candidates of its cell.

        `counts` says how many of the `candidates` belong to each cell. Returns
        the labels (m, CELL), the gap of each candidate and the lead of each cell.
        """
        starts = counts.cumsum() - counts
        middle, scale = self._cells.middle.take(cells, axis=1), self._scale[cells]
        # |x - c|² - |x - m|² = -2 (c - m)·(x - m) + |c - m|², for all x and c of a cell.
        offsets = centers.take(candidates, axis=1) - middle.repeat(counts, axis=1)
        scales = scale.repeat(counts)
        offsets *= scales
        if self._is_far:
            offsets = offsets.clip(-BEYOND, BEYOND)
        squares = np.square(offsets).sum(axis=0)
        distances = np.sqrt(squares)
        if self._is_far:  # the margin is larger than any score then: such cells go the plain way
            offsets = offsets.clip(-FARTHEST, FARTHEST)
            squares = squares.clip(max=FARTHEST * FARTHEST)
        factors = np.zeros((len(candidates) + 1, len(offsets) + 1), np.float32)
        factors[:-1, :-1] = (-2 * offsets).T
        factors[:-1, -1] = squares
        factors[-1, -1] = NEVER  # the score of no candidate
        names = np.zeros(len(candidates) + 1, self._cell_labels.dtype)
        names[:-1] = candidates
        labels = np.empty((len(cells), CELL), names.dtype)
        ahead = np.empty((len(cells), CELL), np.float32)
        least = np.zeros(len(candidates) + 1, np.float32)
        for width, members in by_width(counts):
            place = np.arange(width)[:, np.newaxis]
            pair = starts[members] + place
            if width > 2:
                pair[place >= counts[members]] = len(candidates)
            factor, name = factors.take(pair, axis=0), names.take(pair)[..., np.newaxis]
            rows = self._rows.take(cells[members], axis=0)
            if width == 2:
                # The difference of two scores is enough; both candidates count as owners.
                lead = np.matmul((factor[1] - factor[0])[:, np.newaxis], rows)[:, 0]
                labels[members] = (lead < 0).view(np.uint8) * (name[1] - name[0]) + name[0]
                ahead[members] = np.abs(lead, out=lead)
            else:
                scores = np.empty((*pair.shape, CELL), np.float32)
                products(factor.swapaxes(0, 1), rows, out=scores.swapaxes(0, 1))
                best, second = np.minimum(scores[0], scores[1]), np.maximum(scores[0], scores[1])
                for score in scores[2:]:
                    np.minimum(second, np.maximum(best, score), out=second)
                    np.minimum(best, score, out=best)
                ahead[members] = second - best
                scores -= best
                least[pair] = least_by_cell(scores)
                labels[members] = ((scores == 0).view(np.uint8) * name).max(axis=0)

        # A term of a score is rounded C + 4 times, by 2^-24: its factors, their product, the sums.
        # The terms of a score are no more than reach², and two scores are compared. This leaves
        # room for all that is rounded in double precision.
        radius = self._radius[cells]
        reach = np.maximum.reduceat(distances, starts) + radius
        margin = (2 * len(offsets) + 6) * SINGLE * np.square(reach) + 1e-30
        lead = least_by_cell(ahead) - margin
        unclear = (lead <= 0).nonzero()[0]
        if unclear.size:
            row, column = np.nonzero(ahead[unclear] <= margin[unclear, np.newaxis])
            point = np.minimum(cells[unclear[row]] * CELL + column, len(self._points) - 1)
            labels[unclear[row], column] = nearest_center(self._points[point], centers.T)
        # |x - b| - |x - a| is the difference of the squares over |x - b| + |x - a|, or over more.
        lead = lead / (2 * reach + 1e-30) / scale
        longest = np.minimum.reduceat(distances, starts) + (2 * radius + 1e-30)
        gaps = (least[:-1] - margin.repeat(counts)) / (distances + longest.repeat(counts))
        return labels, gaps / scales, lead


def least_by_cell(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the least value of each cell; none may be negative.

    Such floats sort like their bits read as integers, and for those NumPy takes half the time.
    """
    return by_cell(np.minimum, values.view(np.int32)).view(np.float32)


def diagonal(low: Floats, high: Floats) -> float:
    """Return the length of the diagonal of a box."""
    return float(np.sqrt(squared_distance(low, high)))


def select(boxes: Boxes, centers: Floats, limit: float) -> tuple[Indices, Indices, Floats]:
    """Keep the candidates of each box: the centers (C, k) whose gap is within `limit`.

    Returns them as pairs, ordered by boxes: the box, the candidate and the gap of each.
    """
    found = []
    size = max(1, SELECTED // centers.shape[1])
    for start in range(0, len(boxes.diagonal), size):
        gaps, rounding = boxes.gaps(slice(start, start + size), centers)
        box, candidate = (gaps <= (limit + rounding) * (1 + ROUNDING)).T.nonzero()
        gap = gaps[candidate, box] * (1 - ROUNDING) - rounding[box]
        found.append((start + box, candidate, gap))
    box, candidate, gap = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return box, candidate, gap


def by_width(counts: Indices) -> Iterator[tuple[int, Indices]]:
    """Sort cells by their number of candidates, two or more, so that few places are filled up.

    Yields a width and the indices of cells with no more candidates than that,
    as many at a time as make a block of work.
    """
    numbers = np.bincount(counts).tolist()
    groups, start, end, filled = [], 0, 0, 0
    for width, number in enumerate(numbers):
        filled += end - start  # a place for every cell, to make the group as wide as this
        if filled > FILLED:
            groups.append((width - 1, start, end))
            start, filled = end, 0
        end += number
    groups.append((len(numbers) - 1, start, end))
    order = counts.argsort(kind="stable")
    for width, first, last in groups:
        size = max(1, BLOCK // (width * CELL))
        for low in range(first, last, size):
            yield width, order[low : min(low + size, last)]
