"""Checks of everything that a caller hands in: every ValueError and TypeError of the package.

A message says what was wrong, with its value, and what to do instead.
What comes back is ready for the strict core, which checks nothing again.
"""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

import operator
import os
import sys
from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

RandomGenerator: TypeAlias = "int | np.random.Generator | None"

# Larger numbers could overflow when they are squared, weighted and summed.
LARGEST = 1e90
# Up to here float64 holds every integer.
LARGEST_INTEGER = 2**53
# Squares of smaller numbers come close to the smallest that float64 has.
SMALLEST_SPAN = 1e-140
# With more the colors would not count at all.
MOST_POSITION = 1e6


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
        raise ValueError(f"{name}={value!r} is not known: choose one of {listed}")


def as_count(name: str, value: object, least: int = 1) -> int:
    """Check an integer of at least `least`; a bool or a float is no integer."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, not the bool {value!r}")
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, not {value!r} of type {type(value).__name__}"
        ) from None
    if count < least:
        raise ValueError(f"{name}={count} is too small: it must be at least {least}")
    return count


def as_k(k: object, n: int, unit: str) -> int:
    """Check a number of clusters for `n` pixels or points."""
    count = as_count("k", k)
    if count > n:
        raise ValueError(f"k={count} is more than the {n} {unit} given: ask for at most {n}")
    return count


def as_generator(rng: RandomGenerator) -> np.random.Generator:
    """Make a random generator as SPEC 7 has it: of a seed, of a generator, or afresh."""
    message = (
        f"rng={rng!r} is no seed: give an integer of at least 0, a numpy.random.Generator, or None"
    )
    try:
        return np.random.default_rng(rng)
    except ValueError:
        raise ValueError(message) from None
    except TypeError:
        raise TypeError(message) from None


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
        )


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
    return np.asarray(array, np.float64, order="F")


def as_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Check a positive weight for each of `n` points; None stays None."""
    if weights is None:
        return None
    array = as_numbers("weights", weights)
    if array.shape != (n,):
        raise ValueError(f"weights has shape {array.shape}: it must be ({n},), one for each point")
    if not (array > 0).all():
        raise ValueError(
            f"weights contains {array.min()}: every weight must be positive; "
            "leave out the points that shall not count"
        )
    return array.astype(np.float64)


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
    return array.astype(np.float64)


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
    axis = as_count("channel_axis", channel_axis, least=-dimensions)
    if axis >= dimensions:
        raise ValueError(
            f"channel_axis={axis} is not there: image has {dimensions} axes, shape {shape}; "
            f"give one from {-dimensions} to {dimensions - 1}, or None"
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
    weight = float(position)
    if not 0 <= weight <= MOST_POSITION:
        raise ValueError(
            f"position={position} is out of range: it must be from 0, which leaves positions "
            f"out, to {MOST_POSITION:g}"
        )
    return weight


def as_out(out: Any, shape: tuple[int, ...], lowest: int, highest: int) -> Any:
    """Check the array that labels from `lowest` to `highest` will be written into."""
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
    return out


def check_span(points: NDArray[np.float64]) -> None:
    """Check that colors that differ do so by numbers whose squares are not lost."""
    span = float((points.max(axis=0) - points.min(axis=0)).max())
    if 0 < span < SMALLEST_SPAN:
        raise ValueError(
            f"image has values that differ by {span:.3g} at most: squares of such numbers are lost "
            "in underflow; scale it up first"
        )


def check_every_pixel(image: NDArray[Any], mask: object, has_alpha: bool) -> None:
    """Check an image for the lessons: two axes and channels, and every pixel takes part."""
    if image.ndim > 3 or mask is not None or has_alpha:
        raise ValueError(
            f"image has shape {image.shape}: the lessons take a gray or RGB image (H, W) or "
            "(H, W, C) without transparency; choose one picture, and drop the alpha channel"
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
    """Check an image that can be shown, gray or RGB in a range that is known."""
    array = as_numbers("image", unwrapped(image), advice="read it as numbers first")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(
            f"image has shape {array.shape}: to be shown it must be gray (H, W) or RGB (H, W, 3), "
            "and not empty; choose the channels to show first"
        )
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
    index = as_count(name, value, least=0)
    if index >= size:
        raise ValueError(f"{name}={index} is outside the image: it must be from 0 to {size - 1}")
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
    count = as_count("k", k)
    if count > 256:
        raise ValueError(f"k={count} is too many for a page: at most 256 segments can be shown")


def check_gif_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .gif."""
    if not os.fspath(path).lower().endswith(".gif"):
        raise ValueError(f"{shown(path)}: a film is written as GIF: end the name in .gif")


def check_page_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .html or .htm."""
    if not os.fspath(path).lower().endswith((".html", ".htm")):
        raise ValueError(f"{shown(path)}: a page is written as HTML: end the name in .html")
