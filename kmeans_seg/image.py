"""An image as blocks of pixels: what its axes mean, and which of its pixels take part.

`segment` works on pixels (m, C) and on labels (m,). This file makes the pixels
of an image, and puts the labels back into its shape. Any axis may hold the
channels; the others are rows, columns, slices or frames. Pixels outside the mask
and transparent ones are left out, and get the label -1.

An image is read in blocks, twice: for its colors (rarely once more, see
`fast.counting.count_codes`), and for its labels. It may be anything that slices
like a NumPy array, so it need not fit in memory.
Left out: what the colors mean (`features`), and files (`files`).
"""

import functools
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import validation
from .distinct import DistinctColors, LookUp, has_codes
from .exact import Floats
from .features import SPACES, Space

Index: TypeAlias = tuple[slice, ...]
# The place of a block, its pixels that take part, and a mask of them; None if all take part.
Block: TypeAlias = tuple[Index, NDArray[Any], NDArray[np.bool_] | None]


class AmbiguousShapeWarning(UserWarning):
    """The shape of an image suggests that its axes mean something else.

    Examples
    --------
    Name the axis of the channels, counted from 0, and there is no warning:

    >>> import numpy as np
    >>> from kmeans_seg import segment
    >>> bands_first = np.arange(4 * 40 * 60).reshape(4, 40, 60)
    >>> segment(bands_first, 3, space="raw", channel_axis=0).labels.shape
    (40, 60)
    """


# Most images have at most this many channels, and at least that many columns.
FEW, MANY = 16, 32

NO_PIXEL = (
    "image has no pixel left: the mask is False, or alpha is 0 or at most alpha_threshold, "
    "everywhere; check that True in the mask means to include"
)
BLOCK = 2**20  # pixels of an array read at a time, fewer of more than 4 bytes
FILE_BLOCK = 2**22  # of anything else: opening file chunks is expensive


class Pixels:
    """The pixels of an image, checked as they are read.

    Iterating over them yields the pixels that take part, block by block, as
    arrays (m, channels).

    Attributes
    ----------
    array
        The image.
    space
        The color space in which it will be clustered.
    channel_axis
        The axis of its channels, counted from 0; None for gray.
    channels
        The number of channels without alpha.
    has_alpha
        Whether there is one channel more, for alpha.
    shape
        The shape of the image without its axis of channels, which is that of the labels.
    size
        The number of pixels that take part; known once they have been read.
    alpha_threshold
        The alpha above which a pixel takes part.
    origin, whole_shape
        The place of these pixels in a larger image, and its shape.
    """

    may_be_empty = False  # whether none may take part

    def __init__(
        self,
        image: Any,
        space: str,
        channel_axis: int | None = -1,
        mask: Any = None,
        *,
        alpha_threshold: float = 0,
    ) -> None:
        validation.check_choice("space", space, SPACES)
        self.space = SPACES[space]
        # Any other array may be an image of Pillow.
        array = image if isinstance(image, np.ndarray) else unwrapped(image)
        array = self.array = validation.as_image(array)
        axis = self.channel_axis = validation.as_channel_axis(channel_axis, array.shape)
        channels = 1 if axis is None else int(array.shape[axis])
        self.has_alpha = has_alpha(channels, array.shape, self.space)
        self.channels = channels - self.has_alpha
        self.shape = tuple(int(n) for i, n in enumerate(array.shape) if i != axis)
        self.mask = None if mask is None else as_mask(mask, self.shape)
        threshold = validation.as_real("alpha_threshold", alpha_threshold, most=validation.LARGEST)
        # It is compared in the dtype of the image, and must not overflow there. Integers are
        # compared with an integer, which is faster.
        if array.dtype.kind == "f":
            self.alpha_threshold = min(threshold, float(np.finfo(array.dtype).max))
        else:
            self.alpha_threshold = math.floor(min(threshold, validation.LARGEST_INTEGER))
        self.size = 0
        self.origin, self.whole_shape = (0,) * len(self.shape), self.shape
        self._guessed_axis = channel_axis == -1
        self._sizes: list[int] = []  # of the blocks, as they were first read
        self._last: tuple[Index, NDArray[np.bool_] | None] = ((), None)

    def bytes_of_points(self, position: float) -> int:
        """Return the memory of one point for each pixel; 0 if their colors can be counted."""
        if not position and has_codes(self.channels, self.array.dtype):
            return 0
        columns = self.space.columns or self.channels
        return 8 * math.prod(self.shape) * (columns + (len(self.shape) if position else 0))

    def warn_of_shape(self, stacklevel: int) -> None:
        """Warn if the last axis, taken for channels or columns by default, hardly is."""
        shape, text = self.array.shape, None
        if self._guessed_axis and len(shape) == 2 and shape[1] in (3, 4) and shape[0] >= MANY:
            text = (
                f"image has shape {shape}, which is taken for a gray image of {shape[1]} columns: "
                "for a list of pixels use kmeans, or reshape it to (1, N, C); for a gray image say "
                "channel_axis=None"
            )
        elif self._guessed_axis and len(shape) > 2 and shape[0] <= FEW and shape[-1] >= MANY:
            text = (
                f"image has shape {shape}, and its last axis is taken for channels: if the first "
                f"holds them say channel_axis=0, else channel_axis={len(shape) - 1}"
            )
        if text is not None:
            warnings.warn(text, AmbiguousShapeWarning, stacklevel=stacklevel + 1)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield the pixels that take part, after checking them."""
        self.size, self._sizes = 0, []
        for index, pixels, included in self._blocks():
            self._last = index, included
            validation.check_values("image", pixels)
            self.space.check(pixels)
            self.size += len(pixels)
            self._sizes.append(len(pixels))
            yield pixels
        if not (self.size or self.may_be_empty):
            raise ValueError(NO_PIXEL)

    def again(self) -> Iterator[NDArray[Any]]:
        """Yield the pixels that take part once more, without checking their values again."""
        for _, pixels, _ in self._blocks(again=True):
            yield pixels

    def distinct(
        self,
        distinct_colors: Callable[[Iterable[NDArray[Any]]], DistinctColors],
        *,
        with_position: bool = False,
    ) -> DistinctColors:
        """Find the distinct colors, or the distinct points of color and position."""
        if not with_position:
            return distinct_colors(self)
        # Nearly every pixel is a point of its own.
        return distinct_colors(
            np.hstack((self.space.to_points(block), position))
            for block, position in zip(self, self.positions(), strict=True)
        )

    def positions(self) -> Iterator[Floats]:
        """Yield the row, the column and so on of the pixels, arrays (m, axes)."""
        for index, _, included in self._blocks(again=True):
            axes = np.meshgrid(*[np.arange(s.start, s.stop) for s in index], indexing="ij")
            found = np.stack(axes, axis=-1).reshape(-1, len(index)).astype(np.float64)
            yield found if included is None else found[included]

    def places(self) -> NDArray[np.int64]:
        """Return the places in the whole image of the pixels iterated over last, an array (m,)."""
        index, included = self._last
        found = np.zeros(1, np.int64)
        for axis, (part, origin) in enumerate(zip(index, self.origin, strict=True)):
            stride = math.prod(self.whole_shape[axis + 1 :])
            along = (origin + np.arange(part.start, part.stop)) * stride
            found = np.add.outer(found, along).reshape(-1)
        return found if included is None else found[included]

    def spread(self, look_up: LookUp, out: Any = None) -> Any:
        """Label every pixel by a function of those that take part; the others get -1.

        The labels go into `out`, which is returned, or into a new array of int32.
        """
        labels = np.empty(self.shape, np.int32) if out is None else out
        for index, pixels, included in self._blocks(again=True):
            if out is None and included is None:
                # A block of an array of our own is contiguous: no copy of its labels is needed.
                look_up(pixels, labels[index].reshape(-1))
                continue
            found = look_up(pixels)
            if included is not None:
                everywhere = np.full(len(included), -1, np.int32)
                everywhere[included] = found
                found = everywhere
            block = found.reshape([s.stop - s.start for s in index])
            labels[index] = block.astype(labels.dtype, copy=False)
        return labels

    def alpha(self) -> Any:
        """Return the alpha channel."""
        assert self.channel_axis is not None
        last = [slice(None)] * len(self.array.shape)
        last[self.channel_axis] = slice(self.channels, None)
        return np.array(np.moveaxis(np.asarray(self.array[tuple(last)]), self.channel_axis, -1))

    def _blocks(self, *, again: bool = False) -> Iterator[Block]:
        """Yield the blocks of the image, in order; if read again, check that their size stays."""
        sizes = iter(self._sizes if again else ())
        axis = self.channel_axis
        channels = self.channels + self.has_alpha
        most, rows = max(1, min(BLOCK, 4 * BLOCK // (channels * self.array.dtype.itemsize))), 1
        if not isinstance(self.array, np.ndarray):
            chunks = getattr(self.array, "chunks", None)
            together = chunks[1 if axis == 0 else 0] if chunks else 1  # rows of a chunk
            most *= FILE_BLOCK // BLOCK
            rows = together if isinstance(together, int) else 1
        for index in tiles(self.shape, most, rows):
            where = index if axis is None else (*index[:axis], slice(None), *index[axis:])
            part = self.array[where]
            if not isinstance(part, np.ndarray):
                part = np.asarray(part)  # one of xarray has named axes
            part = part[..., np.newaxis] if axis is None else np.moveaxis(part, axis, -1)
            pixels = np.asarray(part).reshape(-1, part.shape[-1])
            tests: list[Any] = []
            # Where numpy.ma has not been imported, which takes a while, there is no array of it.
            if "numpy.ma" in sys.modules and isinstance(part, np.ma.MaskedArray):
                tests.append(~np.ma.getmaskarray(part).reshape(pixels.shape).any(axis=1))
            if self.mask is not None:
                tests.append(np.asarray(self.mask[index]).reshape(-1))
            included = functools.reduce(np.logical_and, tests) if tests else None
            if self.has_alpha:
                pixels, alpha = pixels[:, :-1], pixels[:, -1]
                check_alpha(alpha if included is None else alpha[included])
                visible = alpha > self.alpha_threshold
                included = visible if included is None else included & visible
            pixels = pixels if included is None else pixels[included]
            size = next(sizes, len(pixels))
            if len(pixels) != size:
                raise ValueError(
                    f"image changed between its two readings: {len(pixels)} pixels of a block take "
                    f"part, {size} did at first; use copies of the image and the mask, or let "
                    "nothing write to them meanwhile"
                )
            yield index, pixels, included


def tiles(shape: tuple[int, ...], most: int, rows: int = 1) -> Iterator[Index]:
    """Cut a shape into blocks of at most `most` elements, in the order of the array.

    The first axis is cut at multiples of `rows`, even if this makes blocks too large.

    >>> list(tiles((4, 3), most=6))
    [(slice(0, 2, None), slice(0, 3, None)), (slice(2, 4, None), slice(0, 3, None))]
    """
    row = math.prod(shape[1:])
    if row > most and len(shape) > 1 and rows == 1:
        for start in range(shape[0]):
            for rest in tiles(shape[1:], most):
                yield (slice(start, start + 1), *rest)
        return
    step = max(1, most // row // rows) * rows
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])), *(slice(0, n) for n in shape[1:]))


def unwrapped(image: Any) -> Any:
    """Return an image of Pillow as an array of gray or RGB values; anything else as it is."""
    pillow = sys.modules.get("PIL.Image")  # without which there is none
    if pillow is None or not isinstance(image, pillow.Image):
        return image
    from .codecs import from_pillow

    return from_pillow(image)


def has_alpha(channels: int, shape: tuple[int, ...], space: Space) -> bool:
    """Check the number of channels for a color space; return whether the last one is alpha."""
    known = space.channel_counts
    if known is None or channels in known:
        return False
    if channels - 1 in known:
        return True
    listed = " or ".join(str(count) for count in known)
    axes = ""
    if len(shape) > 2:
        if shape[0] in known or shape[0] - 1 in known:
            axes = "say channel_axis=0 if the first axis holds the channels, "
        axes += "say channel_axis=None for gray volumes and stacks, "
    raise ValueError(
        f"image has {channels} channels, shape {shape}: space={space.name!r} knows {listed}, "
        f"and one more for alpha; {axes}drop the others, "
        'or use space="raw" to take every channel as a plain number'
    )


def as_mask(mask: Any, shape: tuple[int, ...]) -> Any:
    """Check a mask for labels of this shape; what slices like an array is not read."""
    slices = hasattr(mask, "shape") and hasattr(mask, "dtype") and hasattr(mask, "__getitem__")
    if not slices or hasattr(mask, "todense"):
        mask = validation.as_array("mask", mask)
    if validation.is_masked(mask):
        raise ValueError("mask has masked values: pass mask.filled(False), or fill it with True")
    if mask.dtype != np.bool_:
        raise TypeError(
            f"mask has dtype {mask.dtype}: it must be bool, True for the pixels that take part; "
            "compare it first, for instance mask > 0"
        )
    if tuple(mask.shape) != shape:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}: it must be {shape}, "
            "that of the image without its channels"
        )
    return mask


def check_alpha(alpha: NDArray[Any]) -> None:
    """Check that the values of an alpha channel are finite and not negative."""
    if alpha.dtype.kind in "bu":
        return
    bad = ~((alpha >= 0) & (alpha < np.inf))  # NaN fails both comparisons
    if bad.any():
        raise ValueError(
            f"image contains {alpha[bad][0]} in its last channel, taken for alpha, which must be "
            'finite and not negative; use space="raw" if that channel is not alpha, or leave '
            "these pixels out by mask="
        )


def as_out(out: Any, pixels: Pixels, k: int) -> Any:
    """Check the array that the labels of k segments will be written into.

    It must not be part of the image or the mask, which are read at the same time.
    """
    shape = pixels.shape
    lowest, highest = -int(pixels.size < math.prod(shape)), k - 1
    if not (hasattr(out, "shape") and hasattr(out, "dtype") and hasattr(out, "__setitem__")):
        raise TypeError(f"out must be an array to write labels into, not {type(out).__name__}")
    if tuple(out.shape) != shape:
        raise ValueError(
            f"out has shape {tuple(out.shape)}: it must be {shape}, "
            "that of the image without its channels"
        )
    if out.dtype.kind not in "ui":
        raise TypeError(f"out has dtype {out.dtype}: labels are integers; use int32")
    if lowest < np.iinfo(out.dtype).min or highest > np.iinfo(out.dtype).max:
        raise ValueError(
            f"out has dtype {out.dtype}, which cannot hold labels from {lowest} to {highest}: "
            "use int32"
        )
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("out is read-only: give an array that can be written to")
    for name, other in (("image", pixels.array), ("mask", pixels.mask)):
        if are_shared(out, other):
            raise ValueError(
                f"out shares memory with {name}: labels would replace what is still to be read; "
                "give an array of its own"
            )
    return out


def are_shared(one: Any, other: Any) -> bool:
    """Whether writing into one array changes the other, as far as we can tell."""
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        # Two handles of one dataset in a file (h5py, zarr) compare equal.
        return one is other or (type(one) is type(other) and (one == other) is True)
    path, start, end = bytes_in_file(one)
    other_path, other_start, other_end = bytes_in_file(other)
    overlap = start < other_end and other_start < end
    mapped_twice = bool(path and other_path) and overlap and is_same_file(path, other_path)
    return mapped_twice or np.shares_memory(one, other)


def is_same_file(path: str, other: str) -> bool:
    """Whether two names, which may be links, belong to one file."""
    try:
        return os.path.samefile(path, other)  # noqa: PTH121 - pathlib takes long to import
    except OSError:  # it was deleted
        return path == other


def bytes_in_file(array: NDArray[Any]) -> tuple[str, int, int]:
    """Return the file that an array maps, and the bytes from start to end; "" if it maps none."""
    # A part of a memory map keeps the offset of the whole.
    whole = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    if not isinstance(whole, np.memmap) or whole.filename is None:
        return "", 0, 0
    start, end = np.lib.array_utils.byte_bounds(array)
    shift = whole.offset - np.lib.array_utils.byte_bounds(whole)[0]
    return os.fspath(whole.filename), start + shift, end + shift
