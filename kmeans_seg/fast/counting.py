"""Distinct colors by counting in tables and by radix sorts: those of `distinct`, sooner.

The bytes of a pixel are read as one whole number, its code. Codes of up to 24
bits (gray, 8-bit RGB) are counted in a table of all codes, longer ones and
those of small images by sorting. The pixels come in blocks, and only the
colors are kept: the memory depends on them, not on the size of the image.

Colors that have no code, floating-point ones among them, are sorted together;
for this all are gathered. Points are sorted in the same way.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..distinct import (
    DistinctColors,
    LookUp,
    differs_from_last,
    has_codes,
    in_levels,
    look_up_sorted,
)
from ..exact import Floats
from ..lloyd import Indices, Labels

Codes: TypeAlias = NDArray[np.integer[Any]]

# Codes are counted in a table of all codes up to this many bits: 24 for 8-bit RGB.
TABLE_BITS = 24

# The entries that such a table may have for each pixel of a block: it costs more than sorting
# a few pixels.
MOST_PER_PIXEL = 32

# Pixels worked on at a time: they stay in the cache meanwhile.
BLOCK = 2**15

# Colors of more than FEW channels are gathered row by row, GATHERED rows at a time.
FEW, GATHERED = 4, 2**13

# Entries of the table looked at at a time, when those that are not 0 are searched.
SCANNED = 2**21

# The counts in the table have 16 bits, so that little memory is touched. Counts above this limit
# are moved to a dictionary before the next block.
MOST_COUNTED = 2**16 - 1 - BLOCK

# Every 17th pixel is checked for that. If a periodic pattern hides a color, the total is short and
# all is counted again. So it should not be a period that images have.
SAMPLED = 17


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
    reading = iter(blocks)
    again = None if reading is blocks else blocks  # an iterator begins only once
    first = next(reading)
    reading = chained(first, reading)
    channels = first.shape[1]
    if has_codes(channels, first.dtype):
        return from_codes(*count_codes(reading, again), channels, first.dtype)
    return by_order(np.concatenate(list(reading)))


def code_bits(channels: int, dtype: np.dtype[Any]) -> int:
    """Return the number of bits of a color."""
    return 8 * dtype.itemsize * channels


def chained(first: NDArray[Any], others: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Yield the first block and then the others."""
    yield first
    yield from others


def from_codes(
    codes: Codes, counts: NDArray[np.integer[Any]], channels: int, dtype: np.dtype[Any]
) -> DistinctColors:
    """Make the distinct colors of their codes, which ascend, and of their counts."""
    colors = colors_of(codes, channels, dtype)
    bits = code_bits(channels, dtype)
    order = ascending(np.concatenate(list(morton_codes(colors))), bits)
    look_up = functools.partial(look_up_codes, codes, order)
    return DistinctColors(take_rows(colors, order), counts.take(order).astype(np.float64), look_up)


def look_up_codes(codes: Codes, order: Indices, labels: Labels) -> LookUp:
    """Turn a label per color into a look-up by codes, which `order` sorts like the colors."""
    of_codes = np.empty_like(labels)
    of_codes[order] = labels
    return CodeLookUp(codes, of_codes)


def pixel_codes(
    pixels: NDArray[Any], dtype: type[np.integer[Any]] | None = None
) -> Iterator[Codes]:
    """Read the bytes of each of the pixels (m, C) as one number; yield the codes of some at a time.

    They are of `dtype`, by default of the narrowest one that is unsigned and holds them.

    >>> [codes] = pixel_codes(np.array([[1, 0, 0], [3, 2, 1]], np.uint8))
    >>> codes
    array([    1, 66051], dtype=uint32)
    """
    size = pixels.dtype.itemsize * pixels.shape[1]
    word = np.dtype(f"<u{next(width for width in (1, 2, 4, 8) if width >= size)}")
    # Each word begins with a pixel; what follows it is masked.
    bytes_ = np.zeros(min(len(pixels), BLOCK) * size + word.itemsize, np.uint8)
    for start in range(0, max(len(pixels), 1), BLOCK):
        block = pixels[start : start + BLOCK]
        content = np.ascontiguousarray(block, block.dtype.newbyteorder("="))
        bytes_[: len(block) * size] = content.reshape(-1).view(np.uint8)
        words = np.ndarray(len(block), word, bytes_, strides=(size,))
        codes = words.astype(dtype or word.newbyteorder("="))
        codes &= 2 ** (8 * size) - 1
        yield codes


def colors_of(codes: Codes, channels: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Turn the codes of pixels back into colors, an array (n, channels) of `dtype`."""
    words = codes.astype(codes.dtype.newbyteorder("<"))
    native, steps = dtype.newbyteorder("="), (words.itemsize, dtype.itemsize)
    found = np.ndarray((len(words), channels), native, words, strides=steps)
    return found.astype(dtype, order="F")


def count_codes(
    blocks: Iterable[NDArray[Any]], again: Iterable[NDArray[Any]] | None = None
) -> tuple[Codes, NDArray[np.int64]]:
    """Find the distinct codes of pixels, in ascending order, and count them.

    If the same blocks can be gone through `again`, less is looked at the first time: on the
    chance that a count leaves its 16 bits unseen, which is found out at the end.
    """
    table: NDArray[np.uint16] | None = None
    many: Counter[int] = Counter()  # what is too much for the table
    counted = 0  # pixels in the table and in `many`
    parts: list[tuple[Codes, NDArray[np.int64]]] = []
    for block in blocks:
        bits = code_bits(block.shape[1], block.dtype)
        if table is None and bits <= TABLE_BITS and 2**bits <= len(block) * MOST_PER_PIXEL:
            table = np.zeros(2**bits, np.uint16)
        if table is not None:
            counted += len(block)
            for codes in pixel_codes(block, np.intp):
                np.add.at(table, codes, np.uint16(1))
                seen = codes if again is None else codes[::SAMPLED]
                while (counts := table.take(seen)).max(initial=0) > MOST_COUNTED:
                    place = int(seen[counts.argmax()])
                    many[place] += int(table[place]) - 1
                    table[place] = 1  # it stays among the places that are not 0
            continue
        parts.append(count_sorted(np.concatenate(list(pixel_codes(block))), bits))
        # Like carrying in binary numbers: each count is merged a few times, not with every block.
        while len(parts) > 1 and len(parts[-2][0]) <= 2 * len(parts[-1][0]):
            parts[-2:] = [merge_counts(parts[-2:])]
    if table is not None:
        places = nonzero_places(table)
        totals = table[places].astype(np.int64)
        if again is not None and totals.sum() + many.total() < counted:
            # A count that was not looked at began again at 0.
            del table, places, totals  # free the memory before it is needed again
            return count_codes(again)
        for place, number in many.items():
            totals[places.searchsorted(place)] += number
        parts.append((places.astype(np.uint32), totals))
    return merge_counts(parts) if len(parts) > 1 else parts[0]


def nonzero_places(table: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Find the entries that are not 0. Most of a large table is empty.

    >>> nonzero_places(np.array([0] * 30 + [7, 2], np.uint16))
    array([30, 31])
    """
    starts = range(0, len(table), SCANNED)
    return np.concatenate(
        [start + nonzero_in_words(table[start : start + SCANNED]) for start in starts]
    )


def nonzero_in_words(entries: NDArray[Any], levels: int = 2) -> NDArray[np.intp]:
    """Find the entries that are not 0, 8 bytes at a time; and so, again, those 8 bytes."""
    if levels == 0:
        return np.flatnonzero(entries)
    words = entries.view(np.uint64)
    filled = nonzero_in_words(words != 0, levels - 1)
    inside = np.flatnonzero(words.take(filled).view(entries.dtype) != 0)
    bits = 3 if entries.itemsize == 1 else 2  # a word holds 8 or 4 entries
    places: NDArray[np.intp] = (filled.take(inside >> bits) << bits) + (inside & (1 << bits) - 1)
    return places


def count_sorted(codes: Codes, bits: int) -> tuple[Codes, NDArray[np.int64]]:
    """Count codes of `bits` bits by sorting them.

    >>> count_sorted(np.array([5, 3, 5], np.uint8), bits=8)
    (array([3, 5], dtype=uint8), array([1, 2]))
    """
    codes = codes.take(ascending(codes, bits))
    first = np.flatnonzero(differs_from_last(codes))
    return codes[first], np.diff(first, append=len(codes))


def merge_counts(
    parts: Sequence[tuple[Codes, NDArray[np.int64]]],
) -> tuple[Codes, NDArray[np.int64]]:
    """Add up counts of codes; both ascend.

    Examples
    --------
    >>> one, other = (np.array([3, 5]), np.array([1, 1])), (np.array([4, 5]), np.array([2, 7]))
    >>> merge_counts([one, other])
    (array([3, 4, 5]), array([1, 2, 8]))
    """
    codes, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = codes.argsort(kind="stable")  # which takes advantage of sorted parts
    codes, counts = codes[order], counts[order]
    first = np.flatnonzero(differs_from_last(codes))
    return codes[first], np.add.reduceat(counts, first) if len(first) else counts


class CodeLookUp:
    """A label for every code: a function from pixels to labels."""

    def __init__(self, codes: Codes, labels: Labels) -> None:
        self._codes = codes
        self._labels = labels

    def __call__(self, pixels: NDArray[Any], out: Labels | None = None) -> Labels:
        """Look up pixels, an array (m, C). A code without a label is an error."""
        result = np.empty(len(pixels), np.int32) if out is None else out
        bits = code_bits(pixels.shape[1], pixels.dtype)
        if bits <= TABLE_BITS:
            start = 0
            for codes in pixel_codes(pixels, np.intp):
                stop = start + len(codes)
                found = self._table.take(codes, mode="clip")
                check_known(found, pixels, range(start, stop))
                found -= 1
                result[start:stop] = found
                start = stop
        elif len(pixels):
            codes = np.concatenate(list(pixel_codes(pixels)))
            # What is looked up in order is found near the last one.
            order = ascending(codes, bits)
            codes = codes[order]
            places = np.searchsorted(self._codes, codes)
            known = self._codes.take(places, mode="clip") == codes
            check_known(known, pixels, order)
            result[order] = self._labels[places]
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the cached table."""
        return CodeLookUp, (self._codes, self._labels)

    @functools.cached_property
    def _table(self) -> NDArray[Any]:
        # Labels count from 1: a code without a label finds 0. Codes beyond the last find the 0 at
        # the end.
        labels = self._labels + 1
        # The narrower the labels in the table, the more of it stays in the cache.
        table = np.zeros(int(self._codes[-1]) + 2, np.min_scalar_type(int(labels.max())))
        table[self._codes] = labels
        return table


def by_order(pixels: NDArray[Any]) -> DistinctColors:
    """Find distinct colors by sorting the pixels themselves."""
    order, alike = sort_rows(pixels, pixels.T)
    first = np.flatnonzero(~alike)
    counts = np.diff(first, append=len(order))
    colors = take_rows(pixels, order[first])
    look_up = functools.partial(look_up_sorted, order, counts)
    return DistinctColors(colors, counts.astype(np.float64), look_up)


def canonical_order(points: Floats, weights: Floats) -> Indices:
    """Order points (n, C) so that similar ones are neighbors: by their codes, then their channels.

    Equal points are ordered by their weights.

    >>> points = np.array([[5.0, 5.0], [0.0, 1.0], [5.0, 4.0], [1.0, 1.0]])
    >>> canonical_order(points, np.ones(4))
    array([1, 3, 2, 0])
    """
    return sort_rows(points, (*points.T, weights))[0]


def sort_rows(
    pixels: NDArray[Any], columns: Iterable[NDArray[Any]]
) -> tuple[Indices, NDArray[np.bool_]]:
    """Sort pixels (n, C) by their Morton codes, and those of equal codes by some columns (n,).

    Returns the order, and whether each, in that order, equals the one before in all columns.
    """
    levels = in_levels(pixels)
    codes = np.concatenate(list(morton_codes(levels)))
    bits = code_bits(levels.shape[1], levels.dtype)
    excess = max(0, bits + len(codes).bit_length() - 64)
    codes, order = sort_with_places(codes >> np.uint64(excess), bits - excess)
    # Whether a pixel is like the one before: first in its code, then in one column more and more.
    alike = np.append(~differs_from_last(codes), False)
    for column in columns:
        among = np.flatnonzero(alike[1:] | alike[:-1])
        values = column[order[among]]
        if (alike[among] & differs_from_last(values)).any():
            by_value = np.lexsort((values, (~alike[among]).cumsum()))
            order[among] = order[among[by_value]]
            values = values[by_value]
        alike[among] &= ~differs_from_last(values)
    return order, alike[:-1]


def sort_with_places(codes: Codes, bits: int) -> tuple[Codes, NDArray[np.intp]]:
    """Sort codes of `bits` bits, which leave room for places; return them and where they were.

    >>> sort_with_places(np.array([5, 3, 9], np.uint64), bits=8)
    (array([3, 5, 9], dtype=uint64), array([1, 0, 2]))
    """
    place_bits = len(codes).bit_length()
    assert bits + place_bits <= 64
    # One number for both: much faster than to sort places by codes.
    both = codes << np.uint64(place_bits) | np.arange(len(codes), dtype=np.uint64)
    if (both[1:] < both[:-1]).any():  # points that come in order are looked at once, not sorted
        both.sort()
    return both >> np.uint64(place_bits), (both & np.uint64(2**place_bits - 1)).astype(np.intp)


def ascending(codes: Codes, bits: int) -> NDArray[np.intp]:
    """Return the places of codes of `bits` bits, in the order of the codes.

    They are sorted by their lowest 16 bits, then by the next, and so on: of 16
    bits the stable sort of NumPy is a radix sort, which is fast on any processor.

    >>> ascending(np.array([2**20, 7, 9], np.uint32), bits=24)
    array([1, 2, 0])
    """
    order: NDArray[np.intp] = codes.astype(np.uint16).argsort(kind="stable")
    for shift in range(16, bits, 16):
        digits = (codes >> codes.dtype.type(shift)).astype(np.uint16)
        order = order.take(digits.take(order).argsort(kind="stable"))
    return order


def take_rows(colors: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Gather rows into an array whose channels are contiguous, channel by channel if few."""
    taken = np.empty((len(rows), colors.shape[1]), colors.dtype, order="F")
    if colors.shape[1] > FEW and colors.flags.c_contiguous:
        for start in range(0, len(rows), GATHERED):
            block = slice(start, start + GATHERED)
            taken[block] = colors.take(rows[block], axis=0)
    else:
        for channel in range(colors.shape[1]):
            taken[:, channel] = colors[:, channel].take(rows)
    return taken


def morton_codes(pixels: NDArray[Any]) -> Iterator[NDArray[np.uint64]]:
    """Interleave the bits of the channels of pixels (m, C); yield the codes of some at a time.

    The first channel gives the highest of each C bits. Signed integers count
    from their lowest value, so that codes ascend as they do.
    """
    channels, dtype = pixels.shape[1], pixels.dtype
    unsigned = np.dtype(f"u{dtype.itemsize}")
    tables = code_tables(channels, dtype.itemsize)
    for start in range(0, max(len(pixels), 1), BLOCK):
        block = pixels[start : start + BLOCK]
        codes = np.zeros(len(block), np.uint64)
        for channel in range(channels):
            values = np.ascontiguousarray(block[:, channel], dtype.newbyteorder("="))
            values = values.view(unsigned)
            if dtype.kind == "i":
                values = values ^ unsigned.type(1 << (8 * dtype.itemsize - 1))
            bytes_ = values.view(np.uint8).reshape(-1, dtype.itemsize)
            for byte in range(dtype.itemsize):
                codes |= tables[channel * dtype.itemsize + byte].take(bytes_[:, byte])
        yield codes


@functools.lru_cache(maxsize=8)
def code_tables(channels: int, itemsize: int) -> list[NDArray[np.uint64]]:
    """Make tables of what each byte of a pixel adds to its Morton code."""
    bit = np.arange(8, dtype=np.uint64)
    is_set = np.arange(256, dtype=np.uint64)[:, np.newaxis] >> bit & np.uint64(1)
    tables = []
    for place in range(channels * itemsize):
        channel, byte = divmod(place, itemsize)
        byte = byte if np.little_endian else itemsize - 1 - byte
        target = (8 * byte + bit) * np.uint64(channels) + np.uint64(channels - 1 - channel)
        tables.append((is_set << target).sum(axis=1, dtype=np.uint64))
    return tables


def check_known(
    found: NDArray[Any], pixels: NDArray[Any], places: Sequence[int] | NDArray[np.intp]
) -> None:
    """Check that no color is new: `found` is 0 for a new one, that of the pixel at its place."""
    if found.min(initial=1) == 0:
        color = pixels[places[int(found.argmin())]].tolist()
        raise ValueError(
            f"image changed between its two readings: the color {color} was not there at first; "
            "segment a copy, or let nothing write to the image meanwhile"
        )
