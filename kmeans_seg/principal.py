"""Few numbers for many channels: levels along the principal axes of the colors.

Colors of many channels get a place in an order of similar colors (`distinct`)
by where they lie along the few directions in which they vary most: the
principal axes, after K. Pearson, "On lines and planes of closest fit to systems
of points in space" (1901).

All sums here are sums of whole numbers below 2^53, and all products too. So the
axes, and with them the order, depend on the colors alone: not on their
arrangement, and not on how a BLAS adds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .exact import Floats

AXES = 3
MOST = 64  # channels looked at: those of the widest range
LEVEL_BITS, AXIS_BITS = 11, 7  # a level times an axis adds up to less than 2^24: exact in float32
MATRIX_BITS = 26
ROUNDING = 2.0**5  # of the matrix: what is less than this may be made of rounding
PASSES = 32  # of the power iteration: what it finds need not be exact, only the same everywhere
PRODUCT = 2**18  # multiplications in one product: larger ones start threads that only wait


def principal_levels(colors: NDArray[Any]) -> NDArray[np.uint16]:
    """Find the place of each color (n, C) along the principal axes: levels (n, 3).

    All three have the same unit, and the longest axis goes from 0 to 65535.

    Examples
    --------
    >>> principal_levels(np.array([[0, 0, 9], [1, 1, 9], [2, 2, 9], [4, 4, 9]])).tolist()
    [[0, 0, 0], [16391, 0, 0], [32783, 0, 0], [65535, 0, 0]]
    """
    n = len(colors)
    low, high = (by_channel(ufunc, colors) for ufunc in (np.minimum, np.maximum))
    widest = np.sort((low - high).argsort(kind="stable")[:MOST])
    low, span = low[widest], float((high - low).max())
    factor = (2**LEVEL_BITS - 1) / max(span, 1e-300)

    def levels(block: slice) -> NDArray[np.float32]:
        some = colors[block] if len(widest) == colors.shape[1] else colors[block][:, widest]
        values = some.astype(np.float64)
        values -= low
        values *= factor
        rounded: NDArray[np.float32] = np.rint(values, out=values).astype(np.float32)
        return rounded

    size = max(64, PRODUCT // len(widest) ** 2)
    blocks = [slice(start, start + size) for start in range(0, n, size)]
    sums, products = np.zeros(len(widest)), np.zeros((len(widest), len(widest)))
    for block in blocks:
        some = levels(block).astype(np.float64)
        sums += some.sum(axis=0)
        products += some.T @ some
    axes = principal_axes(n, sums, products)
    lengths = np.sqrt(np.square(axes).sum(axis=0)).clip(min=1)
    places = np.empty((n, AXES), np.float32, order="F")
    for block in blocks:
        places[block] = levels(block) @ axes.astype(np.float32)
    lowest, highest = places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)
    scale = 65535 / max(float(((highest - lowest) / lengths).max()), 1e-300) / lengths
    result = np.empty((n, AXES), np.uint16, order="F")
    for axis in range(AXES):
        result[:, axis] = (places[:, axis] - lowest[axis]) * scale[axis]
    return result


def by_channel(ufunc: np.ufunc, colors: NDArray[Any]) -> Floats:
    """Reduce the colors (n, C) channel by channel: first in rows of 256, which is much faster.

    >>> by_channel(np.maximum, np.array([[1, 5], [7, 2]]))
    array([7., 5.])
    """
    n, channels = colors.shape
    whole = n - n % 256
    rows = ufunc.reduce(colors[:whole].reshape(-1, 256 * channels), axis=0) if whole else colors[:0]
    parts = np.concatenate((rows.reshape(-1, channels), colors[whole:]))
    found: Floats = ufunc.reduce(parts, axis=0).astype(np.float64)
    return found


def principal_axes(n: int, sums: Floats, products: Floats) -> Floats:
    """Find the principal axes of n points by the sums of their channels and of their products.

    Returns whole numbers (C, 3): the directions of greatest variance, roughly, and 0 for an axis
    along which nothing varies.
    """
    exact_sums = sums.astype(np.int64).astype(object)
    exact = n * products.astype(np.int64).astype(object) - np.outer(exact_sums, exact_sums)
    largest = max(int(exact.diagonal().max()), 1)
    # Every entry of a covariance matrix is at most as large as the largest of its diagonal.
    shift = max(largest.bit_length() - MATRIX_BITS, 0)
    matrix = (exact >> shift).astype(np.float64)
    axes = np.zeros((len(sums), AXES))
    for number in range(AXES):
        if matrix.diagonal().max() < ROUNDING:
            break  # nothing varies along more axes
        axis = np.zeros(len(sums))
        axis[matrix.diagonal().argmax()] = 1
        for _ in range(PASSES):
            before, axis = axis, matrix @ axis
            axis = np.rint(axis * ((2**AXIS_BITS - 1) / float(np.abs(axis).max())))
            if (axis == before).all():
                break
        axes[:, number] = axis
        # Take away all that varies along this axis.
        length, along = float(axis @ axis), matrix @ axis
        half = np.multiply.outer(axis / length, along - axis * (float(axis @ along) / (2 * length)))
        matrix = np.rint(matrix - half - half.T)
    return axes
