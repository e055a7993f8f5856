"""Points in cells: runs of 256 neighbors, each in its box.

Points that come in Morton order, as `distinct` hands out colors, have their
neighbors in color beside them in the array. A run of them lies in a small box,
and what is known of the box holds for every point in it. Points in any other
order make large boxes, of which little is known: slower, and just as right.

Left out: what is asked of the boxes, which stands in `seeding` and `pruning`.
"""

from typing import Generic

import numpy as np
from numpy.typing import NDArray

from .assignment import AnyFloat

CELL_BITS = 8
CELL = 2**CELL_BITS  # points in a cell


def in_cells(columns: NDArray[AnyFloat], fill: float | None = None) -> NDArray[AnyFloat]:
    """Reshape arrays (..., n) to (..., cells, 256), filled up with their last values or `fill`."""
    *leading, n = columns.shape
    filled = np.empty((*leading, n + -n % CELL), columns.dtype)
    filled[..., :n] = columns
    filled[..., n:] = columns[..., -1:] if fill is None else fill
    return filled.reshape(*leading, -1, CELL)


def by_cell(ufunc: np.ufunc, values: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """Reduce the cells of an array (..., 256): faster than `reduce`, which is slow on short rows.

    >>> by_cell(np.maximum, in_cells(np.arange(300.0)))
    array([255., 299.])
    """
    starts = np.arange(0, values.size, CELL)
    reduced: NDArray[AnyFloat] = ufunc.reduceat(values.reshape(-1), starts)
    return reduced.reshape(values.shape[:-1])


class Cells(Generic[AnyFloat]):
    """Points (n, C) as cells.

    Attributes
    ----------
    low, high
        Arrays (cells, C): the corners of the boxes.
    """

    def __init__(self, points: NDArray[AnyFloat]) -> None:
        self._channels = in_cells(points.T)  # (C, cells, 256)
        self.low = by_cell(np.minimum, self._channels).T
        self.high = by_cell(np.maximum, self._channels).T

    def points(self, cells: NDArray[np.intp] | None = None) -> NDArray[AnyFloat]:
        """Return the points of some cells or all: (m, 256, C), with each channel contiguous."""
        channels = self._channels if cells is None else self._channels.take(cells, axis=1)
        return np.moveaxis(channels, 0, -1)
