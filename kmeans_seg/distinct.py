"""Distinct colors with their counts, and back: a label per color → a label per pixel.

Clustering the distinct colors, each weighted by its count, gives the same
sums, hence the same centers and labels, as clustering every pixel. Large
8-bit photos have 7 to 1000 times fewer colors than pixels.

The colors are in the order of G. M. Morton (1966), in which the bits of the
channels are interleaved: similar colors are neighbors in it, and it does not
depend on where in the image the pixels are. Colors that do not fit 64 bits,
floating-point ones among them, are rounded for this, and many channels are
first reduced to a few (`principal`). Points get the same order (`canonical_order`).
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .exact import Floats
from .lloyd import Indices, Labels
from .principal import principal_levels

MOST_CHANNELS = 8  # of colors that do not fit 64 bits; more than these are first reduced to a few


class LookUp(Protocol):
    """Goes from pixels (m, C) to their labels (m,): a new array, or `out` if that is given."""

    def __call__(self, pixels: NDArray[Any], out: Labels | None = None) -> Labels:
        """Look up pixels."""


class DistinctColors(NamedTuple):
    """The distinct colors of an image.

    Attributes
    ----------
    colors
        Array (n, C) in the dtype of the image, in Morton order; its channels
        are contiguous.
    counts
        Array (n,) of float64: the number of pixels of each color.
    look_up
        Takes a label per color and returns a `LookUp`. Call that with each block
        of the same pixels, in the same order, to get the labels of these.
    """

    colors: NDArray[Any]
    counts: Floats
    look_up: Callable[[Labels], LookUp]


def distinct_colors(blocks: Iterable[NDArray[Any]]) -> DistinctColors:
    """Find the distinct colors of the pixels in `blocks`, arrays (m, C), and count them.

    Examples
    --------
    >>> pixels = np.array([[9, 0], [3, 3], [9, 0]], np.uint8)
    >>> found = distinct_colors([pixels])
    >>> found.colors.tolist(), found.counts.tolist()
    ([[3, 3], [9, 0]], [1.0, 2.0])
    >>> found.look_up(np.array([7, 5], np.int32))(pixels)
    array([5, 7, 5], dtype=int32)
    """
    parts = list(blocks)
    pixels = np.concatenate(parts)
    order = np.lexsort((*pixels.T[::-1], morton_codes(pixels)))  # the codes count first
    ordered = pixels[order]
    is_new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    first = np.flatnonzero(is_new)
    counts = np.diff(first, append=len(pixels))
    colors = ordered[first].astype(parts[0].dtype, order="F")
    look_up = functools.partial(look_up_sorted, order, counts)
    return DistinctColors(colors, counts.astype(np.float64), look_up)


def look_up_sorted(order: Indices, counts: NDArray[np.int64], labels: Labels) -> LookUp:
    """Turn a label per color into a look-up of the pixels, which `order` sorts by color."""
    result = np.empty(len(order), np.int32)
    result[order] = labels.repeat(counts)
    return InTurn(result)


def canonical_order(points: Floats, weights: Floats) -> Indices:
    """Order points (n, C) so that similar ones are neighbors: by their codes, then their channels.

    Equal points are ordered by their weights. So the result does not depend on
    the order of the input.

    Examples
    --------
    >>> points = np.array([[5.0, 5.0], [0.0, 1.0], [5.0, 4.0], [1.0, 1.0]])
    >>> canonical_order(points, np.ones(4))
    array([1, 3, 2, 0])
    """
    return np.lexsort((weights, *points.T[::-1], morton_codes(points)))


def morton_codes(pixels: NDArray[Any]) -> NDArray[np.uint64]:
    """Interleave the bits of the channels of pixels (m, C), or of levels that they are rounded to.

    The first channel gives the highest of each C bits.

    Examples
    --------
    >>> [format(code, "b") for code in morton_codes(np.array([[0b1100, 0b1010]], np.uint8))]
    ['11100100']
    """
    exact = has_codes(pixels.shape[1], pixels.dtype)
    levels = pixels if exact else in_levels(pixels)
    channels, bits = levels.shape[1], 8 * levels.dtype.itemsize
    codes = np.zeros(len(levels), np.uint64)
    for channel, values in enumerate(levels.T):
        if values.dtype.kind == "i":  # count from the lowest value, so that codes ascend
            values = values.astype(np.int64) - np.iinfo(values.dtype).min
        for bit in range(bits):
            place = bit * channels + channels - 1 - channel
            codes |= (values >> values.dtype.type(bit) & 1).astype(np.uint64) << np.uint64(place)
    # Rounded colors are sorted together with their places, all in 64 bits (`fast.counting`).
    excess = max(0, channels * bits + len(pixels).bit_length() - 64)
    return codes if exact else codes >> np.uint64(excess)


def has_codes(channels: int, dtype: np.dtype[Any]) -> bool:
    """Say whether colors fit a code of 64 bits."""
    return dtype.kind != "f" and 8 * dtype.itemsize * channels <= 64


def in_levels(pixels: NDArray[Any]) -> NDArray[Any]:
    """Round each channel to as many levels between its extremes as fit a code of 64 bits."""
    if pixels.shape[1] > MOST_CHANNELS:
        return principal_levels(pixels)
    unsigned: type[np.unsignedinteger[Any]] = np.uint16 if pixels.shape[1] <= 4 else np.uint8
    levels = np.empty(pixels.shape, unsigned, order="F")
    for channel in range(pixels.shape[1]):
        values = pixels[:, channel].astype(np.float64)
        values -= values.min()
        values *= np.iinfo(unsigned).max / max(float(values.max()), 1e-300)
        levels[:, channel] = values
    return levels


@dataclass
class InTurn:
    """Returns the labels of all pixels in order: for each block of pixels, the next ones."""

    labels: Labels
    start: int = 0

    def __call__(self, pixels: NDArray[Any], out: Labels | None = None) -> Labels:
        """Return the labels of the next pixels."""
        self.start += len(pixels)
        found = self.labels[self.start - len(pixels) : self.start]
        if out is None:
            return found
        out[:] = found
        return out


def differs_from_last(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Return True where an element differs from its predecessor; always True first."""
    differs = np.ones(len(numbers), np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs
