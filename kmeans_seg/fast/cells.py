"""Points in cells: runs of 256 neighbors, each in its box.

Points that come in Morton order, as `distinct` hands out colors, have their
neighbors in color beside them in the array. A run of them lies in a small box,
and a bound for the box holds for every point in it. Points in any other order
make large boxes with weak bounds: slower, and equally correct.

`Boxes` bounds distances for a whole box at once. `plusplus` and `pruning` use
these bounds to skip work.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..exact import Floats
from ..lloyd import squared_distance
from ..principal import PRODUCT

AnyNumber = TypeVar("AnyNumber", bound=np.number[Any])

CELL_BITS = 8
CELL = 2**CELL_BITS  # points in a cell
ROUNDING = 1e-9  # of a distance: far more than the rounding of its terms adds up to
SINGLE = 2.0**-23  # of a number: twice what one rounding to single precision changes
FARTHEST = 1e15  # a distance whose square is far from the limits of single precision
BEYOND = 1e100  # and one whose square is far from those of double precision
CENTERED = 2**8  # cells centered at a time: they stay in the cache


def in_cells(
    columns: Floats, fill: float | None = None, dtype: type[np.floating[Any]] = np.float64
) -> NDArray[Any]:
    """Reshape arrays (..., n) to (..., cells, 256), filled up with their last values or `fill`."""
    *leading, n = columns.shape
    filled = np.empty((*leading, n + -n % CELL), dtype)
    filled[..., :n] = columns
    filled[..., n:] = columns[..., -1:] if fill is None else fill
    return filled.reshape(*leading, -1, CELL)


def by_cell(ufunc: np.ufunc, values: NDArray[AnyNumber]) -> NDArray[AnyNumber]:
    """Reduce the cells of an array (..., 256): faster than `reduce`, which is slow on short rows.

    >>> by_cell(np.maximum, in_cells(np.arange(300.0)))
    array([255., 299.])
    """
    starts = np.arange(0, values.size, CELL)
    reduced: NDArray[AnyNumber] = ufunc.reduceat(values.reshape(-1), starts)
    return reduced.reshape(values.shape[:-1])


def corners(points: Floats) -> tuple[Floats, Floats]:
    """Find the lowest and the highest corner of each cell's box: arrays (C, cells)."""
    starts = np.arange(0, len(points), CELL)
    low, high = (f.reduceat(points.T, starts, axis=1) for f in (np.minimum, np.maximum))
    return low, high


def first_of(found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the first place along axis 0 where `found` is true; faster than argmax and argmin."""
    k = len(found)
    marks = np.arange(k, 0, -1, dtype=np.min_scalar_type(k)).reshape(-1, *[1] * (found.ndim - 1))
    place: NDArray[np.intp] = k - (found * marks).max(axis=0).astype(np.intp)
    return place


class Boxes:
    """Boxes, each given by its lowest and its highest corner: arrays (C, boxes)."""

    def __init__(self, low: Floats, high: Floats) -> None:
        self.middle = (low + high) / 2  # (C, boxes)
        # Far from zero the middle is rounded: a little wider, the box is around it all the same.
        self.width = 2 * np.maximum(high - self.middle, self.middle - low)
        self.diagonal = np.sqrt(np.square(self.width).sum(axis=0))

    def gaps(self, boxes: slice, centers: Floats) -> tuple[Floats, Floats]:
        """Bound how much nearer every point of a box has its nearest center than each center.

        `centers` is (C, k). Returns the gaps (k, m) for m boxes: 0 where the
        center may be the nearest of some point in the box. Rounding makes each
        of them too large by at most `ROUNDING` of it and what is returned
        beside them for each box, (m,).
        """
        middle, width = self.middle[:, boxes], self.width[:, boxes]
        distances = squared_distance(centers.T[:, np.newaxis], middle.T)
        own = distances.min(axis=0)
        nearest = centers.take(first_of(distances == own), axis=1)
        ahead = least_lead(nearest, own, centers[..., np.newaxis], distances, width=width)
        np.maximum(ahead, 0, out=ahead)
        # Divided by |x - b| + |x - a|, or what is larger, it becomes |x - b| - |x - a|.
        longest = np.sqrt(distances, out=distances)
        near = np.sqrt(own) + self.diagonal[boxes] + 1e-300
        longest += near
        gaps: Floats = np.divide(ahead, longest, out=ahead)
        # A gap is rounded in proportion to `longest`, which is at most twice `near` and the gap.
        return gaps, ROUNDING * near + 1e-150


def centered_rows(points: Floats, boxes: Boxes) -> tuple[NDArray[np.float32], Floats]:
    """Take points to single precision, from the middle of their cell's box.

    Single precision has little range: each cell is scaled to the distances
    that are usual around it, so that a far fill value leaves the others as
    they are.

    Returns the channels of each cell's points with a row of ones below,
    (cells, C + 1, 256), and the scale of each cell, a power of two, (cells,).
    """
    center = np.median(boxes.middle, axis=1)
    away = np.sqrt(squared_distance(boxes.middle.T, center))
    usual = np.maximum(away, 4 * np.median(away)) + boxes.diagonal
    scale = np.ldexp(1.0, -np.clip(np.frexp(usual)[1], -500, 500))  # its square is finite
    rows = np.ones((len(scale), points.shape[1] + 1, CELL), np.float32)
    for start in range(0, len(scale), CENTERED):
        cells = slice(start, start + CENTERED)
        some = points[start * CELL : (start + CENTERED) * CELL]
        for channel, middle in enumerate(boxes.middle[:, cells]):
            centered = in_cells(some[:, channel]) - middle[:, np.newaxis]
            factor, out = scale[cells, np.newaxis], rows[cells, channel]
            np.multiply(centered, factor, out=out, casting="same_kind")
    return rows, scale


def products(
    factors: NDArray[np.float32], rows: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Multiply factors (cells, k, C + 1) by rows (cells, C + 1, 256), some of the k at a time."""
    size = max(1, PRODUCT // (CELL * rows.shape[1]))
    for low in range(0, factors.shape[1], size):
        part = slice(low, low + size)
        np.matmul(factors[:, part], rows, out=out[:, part])


def least_lead(
    center: Floats, own: Floats, others: Floats, distances: Floats, width: Floats
) -> Floats:
    """Bound from below, in boxes, how far a center a is ahead of others b: |x - b|² - |x - a|².

    It is linear in x: its least value in a box is that in the middle, less what
    half the box's width takes away in each channel. `own` and `distances` are
    its two terms in the middle; `center`, `others` and `width` are (C, ...).
    """
    lead = distances - own
    for a, b, across in zip(center, others, width, strict=True):
        lead -= np.abs(b - a) * across
    return lead
