"""Checks of everything that a caller hands in: every ValueError and TypeError of the package.

A message says what was wrong, with its value, and what to do instead.
What comes back is ready for the strict core, which checks nothing again.
"""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errstate import default_errstate

RandomGenerator: TypeAlias = "int | np.random.Generator | None"

# Larger numbers could overflow when they are squared, weighted and summed.
LARGEST = 1e90
# Up to here float64 holds every integer.
LARGEST_INTEGER = 2**53
# Squares of smaller numbers come close to the smallest that float64 has.
SMALLEST_SPAN = 1e-140
# Above this range the colors would not count, below it positions could not be scaled back.
LEAST_POSITION, MOST_POSITION = 1e-100, 1e6
# More candidates than k-means++ has a use for, but too few to fill the memory.
MOST_TRIALS = 1000
# Error messages spell out Python integers of up to this many bits.
MOST_BITS_SHOWN = 128


def shown(path: str | os.PathLike[str]) -> str:
    r"""Return a file name as text to print: on one line and without control characters.

    Examples
    --------
    >>> print(shown("two\nlines \x1b[31m in café.png"))
    two\nlines \x1b[31m in café.png
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in os.fspath(path)
    )


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Check that `value` is one of the names in `choices`."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}={spelled(value)} is not known: choose one of {listed}")


def as_count(name: str, value: object, least: int = 1, most: float = sys.maxsize) -> int:
    """Check an integer from `least` to `most`; a bool or a float is no integer."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, not the bool {value!r}")
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, not {value!r} of type {type(value).__name__}"
        ) from None
    if count < least:
        raise ValueError(f"{name}={spelled(count)} is too small: it must be at least {least}")
    if count > most:
        raise ValueError(f"{name}={spelled(count)} is too large: it must be at most {most}")
    return count


def spelled(value: object) -> str:
    """Write a value for a message; for a very long integer, write its length instead."""
    # Python refuses to spell out integers of thousands of digits.
    if isinstance(value, int) and value.bit_length() > MOST_BITS_SHOWN:
        sign = "a negative" if value < 0 else "an"
        return f"<{sign} integer of {value.bit_length()} bits>"
    return str(value) if isinstance(value, (int, float, np.number)) else repr(value)


def as_flag(name: str, value: object) -> bool:
    """Check a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {spelled(value)}")
    return bool(value)


def as_k(k: object, n: int, unit: str) -> int:
    """Check a number of clusters for `n` pixels or points."""
    count = as_count("k", k, most=math.inf)
    if count > n:
        raise ValueError(
            f"k={spelled(count)} is more than the {n} {unit} given: ask for at most {n}"
        )
    return count


def as_generator(rng: RandomGenerator) -> np.random.Generator:
    """Make a random generator as SPEC 7 has it: of a seed, of a generator, or afresh."""
    try:
        return np.random.default_rng(rng)
    except ValueError:
        kind: type[Exception] = ValueError
    except TypeError:
        kind = TypeError
    raise kind(
        f"rng={spelled(rng)} is no seed: give an integer of at least 0, a numpy.random.Generator, "
        "or None"
    )


def as_numbers(name: str, values: ArrayLike, advice: str = "convert it first") -> NDArray[Any]:
    """Check an array of bool, integer or floating-point numbers, all finite and not too large."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} is ragged: its rows must all have the same length") from None
    check_kind(name, array.dtype, advice)
    check_values(name, array)
    return array


def check_kind(name: str, dtype: np.dtype[Any], advice: str) -> None:
    """Check that a dtype is of bool, integer or floating-point numbers."""
    if dtype.kind not in "buif":
        raise TypeError(
            f"{name} has dtype {dtype}: it must hold real numbers "
            f"(bool, integer or floating point); {advice}"
        )


def check_values(name: str, array: NDArray[Any]) -> None:
    """Check that all numbers are finite and not too large."""
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)].flat[0]
            raise ValueError(
                f"{name} contains {bad}: every value must be finite; "
                "replace the others first, for instance with numpy.nan_to_num"
                + (", or leave them out by mask=" if name == "image" else "")
            )
        # As a Python float: in float16 or float32 the comparison would overflow, and warn.
        largest, limit = float(np.abs(array).max(initial=0)), LARGEST
    elif array.dtype.itemsize == 8 and array.size:
        largest, limit = max(-int(array.min()), int(array.max())), LARGEST_INTEGER
    else:
        return
    if largest > limit:
        raise ValueError(
            f"{name} contains a value of size {largest:.3g}: at most {limit:.3g} can be "
            "squared and summed safely; scale it down first"
            + (", or leave it out by mask= if it marks missing data" if name == "image" else "")
        )


@default_errstate
def as_points(points: ArrayLike) -> NDArray[np.float64]:
    """Check points (n, C); their channels come back as contiguous columns of float64."""
    array = as_numbers("points", points)
    if array.ndim != 2:
        raise ValueError(
            f"points has {array.ndim} dimensions, shape {array.shape}: it must be (n, C), "
            "a row for each point; reshape it first"
        )
    if array.size == 0:
        raise ValueError(f"points is empty, shape {array.shape}: give at least one point")
    columns = np.asarray(array, np.float64, order="F")
    check_span("points", columns)
    return columns


@default_errstate
def as_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Check a positive weight for each of `n` points; None for 1 each."""
    if weights is None:
        return np.ones(n)
    array = as_numbers("weights", weights).astype(np.float64)
    if array.shape != (n,):
        raise ValueError(f"weights has shape {array.shape}: it must be ({n},), one for each point")
    if not (array > 0).all():
        raise ValueError(
            f"weights contains {array.min()}: every weight must be positive; "
            "leave out the points that shall not count"
        )
    return array


@default_errstate
def as_centers(name: str, centers: ArrayLike, k: int | None, channels: int) -> NDArray[np.float64]:
    """Check centers (k, C) against the number of clusters, if it is known, and of channels."""
    array = as_numbers(name, centers)
    wanted = (len(array) if array.ndim and k is None else k, channels)
    if array.ndim != 2 or array.shape != wanted or not len(array):
        rows = "k" if k is None else k
        raise ValueError(
            f"{name} has shape {array.shape}: it must be ({rows}, {channels}), "
            "a row for each center and a column for each channel"
        )
    return array.astype(np.float64) + 0.0  # not -0.0, so that equal centers have equal bits


def as_labels(labels: ArrayLike | None, n: int, k: int) -> NDArray[np.int32] | None:
    """Check a label from 0 to k - 1 for each of `n` points; None stays None."""
    if labels is None:
        return None
    array = as_numbers("labels", labels)
    if array.dtype.kind not in "ui":
        raise TypeError(f"labels has dtype {array.dtype}: it must hold integers")
    if array.shape != (n,):
        raise ValueError(f"labels has shape {array.shape}: it must be ({n},), one for each point")
    if array.min() < 0 or array.max() >= k:
        raise ValueError(
            f"labels goes from {array.min()} to {array.max()}: "
            f"with {k} centers every label must be from 0 to {k - 1}"
        )
    return array.astype(np.int32)


def as_own_labels(labels: ArrayLike, k: int) -> NDArray[Any]:
    """Check labels from -1 to k - 1, of any shape."""
    array = np.asarray(labels)
    if array.dtype.kind not in "ui":
        raise TypeError(f"labels has dtype {array.dtype}: it must hold integers")
    if array.size and (int(array.min()) < -1 or int(array.max()) >= k):
        raise ValueError(
            f"labels goes from {array.min()} to {array.max()}: with {k} segments every label must "
            f"be from 0 to {k - 1}, or -1 for a pixel that takes no part"
        )
    return array


def as_image(image: Any) -> Any:
    """Check the dtype and the dimensions of an image; an array that slices like NumPy's stays one.

    What has a shape and a dtype (`numpy.memmap`, zarr, h5py) is not read here.
    """
    image = unwrapped(image)
    if isinstance(image, (str, bytes, os.PathLike)):
        kind = "the content of a file" if isinstance(image, bytes) else "a file name"
        raise TypeError(f"image is {kind}: read it first, by kmeans_seg.read")
    slices = isinstance(getattr(image, "dtype", None), np.dtype) and hasattr(image, "__getitem__")
    if not (slices and hasattr(image, "shape")):
        try:
            image = np.asarray(image)
        except ValueError:
            raise ValueError("image is ragged: its rows must all have the same length") from None
    check_kind("image", image.dtype, advice="read it as numbers first")
    if len(image.shape) < 2:
        raise ValueError(
            f"image has {len(image.shape)} dimensions, shape {image.shape}: it must be (H, W), "
            "(H, W, C), or have more axes, as volumes and stacks do; reshape it first"
        )
    if 0 in image.shape:
        raise ValueError(f"image is empty, shape {image.shape}: give at least one pixel")
    return image


def unwrapped(image: Any) -> Any:
    """Return an image of Pillow as an array of gray or RGB values; anything else as it is."""
    pillow = sys.modules.get("PIL.Image")  # without which there is none
    if pillow is None or not isinstance(image, pillow.Image):
        return image
    from .codecs import from_pillow

    return from_pillow(image)


def as_channel_axis(channel_axis: object, shape: tuple[int, ...]) -> int | None:
    """Check which axis of an image holds its channels; it comes back from 0 on."""
    dimensions = len(shape)
    if channel_axis is None or (dimensions == 2 and channel_axis == -1):
        return None
    axis = as_count("channel_axis", channel_axis, least=-dimensions, most=math.inf)
    if axis >= dimensions:
        raise ValueError(
            f"channel_axis={spelled(axis)} is not there: image has {dimensions} axes, "
            f"shape {shape}; give one from {-dimensions} to {dimensions - 1}, or None"
        )
    if dimensions == 2:
        raise ValueError(
            f"channel_axis={axis} leaves one axis of the image, shape {shape}: "
            "leave it out for a gray image, or reshape to (1, N, C)"
        )
    return axis % dimensions


def check_channels(
    channels: int, shape: tuple[int, ...], space: str, known: Collection[int] | None
) -> bool:
    """Check the number of channels for a color space; say whether the last one is alpha.

    With None for `known` any number will do, and none of them is alpha.
    """
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
        f"image has {channels} channels, shape {shape}: space={space!r} knows {listed}, "
        f"and one more for alpha; {axes}drop the others, "
        'or use space="raw" to take every channel as a plain number'
    )


def as_mask(mask: Any, shape: tuple[int, ...]) -> Any:
    """Check a mask for labels of this shape; None stays None, and what slices is not read."""
    if mask is None:
        return None
    if not (hasattr(mask, "shape") and hasattr(mask, "dtype") and hasattr(mask, "__getitem__")):
        mask = np.asarray(mask)
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


def check_as_many(size: int, size_before: int) -> None:
    """Check that as many pixels of a block take part as when it was first read."""
    if size != size_before:
        raise ValueError(
            f"image changed between its two readings: {size} pixels of a block take part, "
            f"{size_before} did at first; use copies of the image and the mask, or let nothing "
            "write to them meanwhile"
        )


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


def check_some_left(size: int) -> None:
    """Check that some of the pixels take part."""
    if not size:
        raise ValueError(
            "image has no pixel left: the mask is False, or alpha is 0, everywhere; "
            "check that True in the mask means to include"
        )


def check_dask(name: str, array: Any) -> None:
    """Check a dask array, whose chunks must be known."""
    if not hasattr(array, "dask"):
        raise TypeError(
            f"{name} is no dask array but {type(array).__name__}: "
            "for arrays in memory or in files use kmeans_seg.segment"
        )
    if any(length != length for length in array.shape):  # not a number
        raise ValueError(
            f"{name} has chunks of unknown sizes: call its compute_chunk_sizes() first"
        )


def check_counted(dtype: np.dtype[Any], channels: int, fits: bool) -> None:
    """Check that the colors of a dask array can be counted."""
    if not fits:
        raise ValueError(
            f"image has {channels} channels of {dtype}: of a dask array only integers of up to 64 "
            "bits a pixel can be segmented, whose colors can be counted; round it first, for "
            'instance (image * 65535).round().astype("uint16"), or use kmeans_seg.segment'
        )


def as_position(position: object) -> float:
    """Check the weight of the position."""
    if isinstance(position, (bool, np.bool_)) or not isinstance(
        position, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"position must be a number, not {position!r}")
    try:
        weight = float(position)
    except OverflowError:
        weight = math.inf
    if weight != 0 and not LEAST_POSITION <= weight <= MOST_POSITION:
        raise ValueError(
            f"position={spelled(position)} is out of range: it must be 0, which leaves positions "
            f"out, or from {LEAST_POSITION:g} to {MOST_POSITION:g}"
        )
    return weight


def as_out(
    out: Any, shape: tuple[int, ...], lowest: int, highest: int, image: Any, mask: Any
) -> Any:
    """Check the array that labels from `lowest` to `highest` will be written into.

    It must not be part of the image or the mask, which are read at the same time.
    """
    if out is None:
        return None
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
    for name, other in (("image", image), ("mask", mask)):
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
    mapped_twice = path == other_path != "" and start < other_end and other_start < end
    return mapped_twice or np.shares_memory(one, other)


def bytes_in_file(array: NDArray[Any]) -> tuple[str, int, int]:
    """Find which bytes of which file an array maps; the name is empty if it maps none."""
    # A part of a memory map keeps the offset of the whole.
    whole = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    if not isinstance(whole, np.memmap) or whole.filename is None:
        return "", 0, 0
    start, end = np.lib.array_utils.byte_bounds(array)
    shift = whole.offset - np.lib.array_utils.byte_bounds(whole)[0]
    return os.path.realpath(whole.filename), start + shift, end + shift


def check_span(name: str, points: NDArray[np.float64]) -> None:
    """Check that the squares of all differences between points do not underflow together."""
    span = float((points.max(axis=0) - points.min(axis=0)).max())
    if 0 < span < SMALLEST_SPAN:
        raise ValueError(
            f"{name} has values that differ by {span:.3g} at most: squares of such numbers are "
            "lost in underflow; scale it up first, so that they differ by about 1"
        )


def check_one_picture(image: NDArray[Any]) -> None:
    """Check an image for the lessons: two axes and channels."""
    if image.ndim > 3:
        raise ValueError(
            f"image has shape {image.shape}: the lessons take an image (H, W) or (H, W, C); "
            "choose one picture"
        )


def check_takes_part(row: int, column: int, label: int) -> None:
    """Check that a pixel has a label."""
    if label < 0:
        raise ValueError(
            f"pixel ({row}, {column}) is transparent and takes no part: choose another"
        )


def check_same_kind(
    dtype: np.dtype[Any], channels: int, shape: tuple[int, ...], palette: NDArray[Any]
) -> None:
    """Check that an image to label has the dtype and the channels of the one segmented before."""
    if dtype != palette.dtype:
        raise TypeError(
            f"image has dtype {dtype}, but the image that was segmented had {palette.dtype}: "
            "convert it to the same dtype and range"
        )
    if channels != palette.shape[1]:
        raise ValueError(
            f"image has {channels} channels, shape {shape}, but the image that was segmented "
            f"had {palette.shape[1]}: convert it to the same channels"
        )


def check_srgb(image: NDArray[Any]) -> None:
    """Check that values of an image are sRGB: unsigned 8 or 16 bits, or floats in [0, 1]."""
    if image.dtype.kind == "f" and image.size:
        low, high = image.min(), image.max()
        if low < 0 or high > 1:
            raise ValueError(
                f'image goes from {low} to {high}: space="lab" takes floating-point images '
                "in [0, 1]; divide by the largest possible value first"
            )
    elif image.dtype.newbyteorder("=") not in (np.bool_, np.uint8, np.uint16) and (
        image.dtype.kind != "f"
    ):
        raise TypeError(
            f'image has dtype {image.dtype}: space="lab" takes uint8, uint16, '
            "or floating point in [0, 1]; convert it first"
        )


def as_picture(image: ArrayLike) -> NDArray[Any]:
    """Check an image that can be shown, gray or RGB in a range that is known.

    It keeps its alpha channel only if some of its pixels are fully transparent.
    """
    array = as_numbers("image", unwrapped(image), advice="read it as numbers first")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.size == 0 or array.ndim not in (2, 3) or channels not in (1, 2, 3, 4):
        raise ValueError(
            f"image has shape {array.shape}: to be shown it must be gray (H, W) or RGB (H, W, 3), "
            "with or without alpha, and not empty; choose the channels to show first"
        )
    if channels in (2, 4):
        if not array[:, :, -1].any():
            raise ValueError("image has no pixel to show: alpha is 0 everywhere")
        if array[:, :, -1].all():
            array, channels = array[:, :, :-1], channels - 1
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if low < 0 or high > 1:
            raise ValueError(
                f"image goes from {low} to {high}: to be shown floating point must lie in [0, 1]; "
                "divide by the largest possible value first"
            )
    elif array.dtype not in (np.bool_, np.uint8, np.uint16):
        raise TypeError(
            f"image has dtype {array.dtype}: to be shown it must be uint8, uint16, "
            "or floating point in [0, 1]; convert it first"
        )
    return array


def as_index(name: str, value: object, size: int) -> int:
    """Check an integer from 0 to size - 1."""
    index = as_count(name, value, least=0, most=math.inf)
    if index >= size:
        raise ValueError(
            f"{name}={spelled(index)} is outside the image: it must be from 0 to {size - 1}"
        )
    return index


def check_same_shape(shape: tuple[int, ...], traced: tuple[int, ...]) -> None:
    """Check that a record belongs to an image of this height and width."""
    if shape != traced:
        raise ValueError(
            f"image is {shape[0]} by {shape[1]} pixels, but the record is of one of "
            f"{traced[0]} by {traced[1]}: give the image that was traced"
        )


def check_page_k(k: object) -> None:
    """Check a number of segments for a page, whose labels are stored in 8 bits."""
    count = as_count("k", k, most=math.inf)
    if count > 255:
        raise ValueError(
            f"k={spelled(count)} is too many for a page: at most 255 segments can be shown"
        )


def check_gif_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .gif."""
    if not os.fspath(path).lower().endswith(".gif"):
        raise ValueError(f"{shown(path)}: a film is written as GIF: end the name in .gif")


def check_page_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .html or .htm."""
    if not os.fspath(path).lower().endswith((".html", ".htm")):
        raise ValueError(f"{shown(path)}: a page is written as HTML: end the name in .html")
