"""Checks of everything that a caller hands in: every ValueError and TypeError of the package.

A message says what was wrong, with its value, and what to do instead.
What comes back is ready for the strict core, which checks nothing again.
"""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

import operator
import os
from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

RandomGenerator: TypeAlias = "int | np.random.Generator | None"

# Larger numbers could overflow when they are squared, weighted and summed.
LARGEST = 1e90
# Up to here float64 holds every integer.
LARGEST_INTEGER = 2**53


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
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"{name} has dtype {array.dtype}: it must hold real numbers "
            f"(bool, integer or floating point); {advice}"
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)].flat[0]
            raise ValueError(
                f"{name} contains {bad}: every value must be finite; "
                "replace the others first, for instance with numpy.nan_to_num"
            )
        # As a Python float: in float16 or float32 the comparison would overflow, and warn.
        largest, limit = float(np.abs(array).max(initial=0)), LARGEST
    elif array.dtype.itemsize == 8 and array.size:
        largest, limit = max(-int(array.min()), int(array.max())), LARGEST_INTEGER
    else:
        return array
    if largest > limit:
        raise ValueError(
            f"{name} contains a value of size {largest:.3g}: at most {limit:.3g} can be "
            "squared and summed safely; scale it down first"
        )
    return array


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


def as_image(image: ArrayLike, space: str, channel_counts: Collection[int] | None) -> NDArray[Any]:
    """Check an image (H, W) or (H, W, C) for a color space that knows these numbers of channels.

    With None for `channel_counts` any number will do.
    """
    array = as_numbers("image", image, advice="read it as numbers first")
    if array.ndim not in (2, 3):
        raise ValueError(
            f"image has {array.ndim} dimensions, shape {array.shape}: it must be (H, W) or "
            "(H, W, C); reshape it first"
        )
    if array.size == 0:
        raise ValueError(f"image is empty, shape {array.shape}: give at least one pixel")
    channels = array.shape[2] if array.ndim == 3 else 1
    if channel_counts is not None and channels not in channel_counts:
        known = " or ".join(str(count) for count in channel_counts)
        raise ValueError(
            f"image has {channels} channels, shape {array.shape}: space={space!r} knows "
            f'{known}; drop the others, or use space="raw" to take every channel as a plain number'
        )
    return array


def check_same_kind(image: NDArray[Any], palette: NDArray[Any]) -> None:
    """Check that an image to label has the dtype and the channels of the one segmented before."""
    if image.dtype != palette.dtype:
        raise TypeError(
            f"image has dtype {image.dtype}, but the image that was segmented had {palette.dtype}: "
            "convert it to the same dtype and range"
        )
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels != palette.shape[1]:
        raise ValueError(
            f"image has {channels} channels, shape {image.shape}, but the image that was segmented "
            f"had {palette.shape[1]}: convert it to the same channels"
        )


def check_srgb(image: NDArray[Any]) -> None:
    """Check that the values of an image are sRGB: unsigned 8 or 16 bits, or floats in [0, 1]."""
    if image.dtype.kind == "f":
        low, high = image.min(), image.max()
        if low < 0 or high > 1:
            raise ValueError(
                f'image goes from {low} to {high}: space="lab" takes floating-point images '
                "in [0, 1]; divide by the largest possible value first"
            )
    elif image.dtype.newbyteorder("=") not in (np.bool_, np.uint8, np.uint16):
        raise TypeError(
            f'image has dtype {image.dtype}: space="lab" takes uint8, uint16, '
            "or floating point in [0, 1]; convert it first"
        )


IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg")
SIXTEEN_BIT_SUFFIXES = (".png", ".tif", ".tiff")


def as_image_suffix(path: str | os.PathLike[str]) -> str:
    """Check that a file name ends like an image that can be written; return how, in lower case."""
    # Not by pathlib: importing it takes longer than importing the rest of the package.
    suffix = os.path.splitext(os.fspath(path))[1].lower()  # noqa: PTH122
    if suffix not in IMAGE_SUFFIXES:
        ending = f"suffix {suffix!r} is not known" if suffix else "the name has no suffix"
        raise ValueError(
            f"{os.fspath(path)}: {ending}, and the suffix chooses the format: "
            f"end the name in one of {', '.join(IMAGE_SUFFIXES)}"
        )
    return suffix


def as_writable(path: str | os.PathLike[str], image: ArrayLike) -> NDArray[Any]:
    """Check an image for the file at `path`; it comes back as uint8 or uint16."""
    name = os.fspath(path)
    array = np.asarray(image)
    if array.dtype.kind not in "bui":
        raise TypeError(
            f"{name}: an image of dtype {array.dtype} cannot be written: it must hold integers; "
            "if it is in [0, 1], write (image * 255).round().astype(numpy.uint8)"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or array.size == 0 or channels > 4:
        raise ValueError(
            f"{name}: an image of shape {array.shape} cannot be written: it must be (H, W) or "
            "(H, W, C), not empty, with at most 4 channels; write its channels one by one"
        )
    if array.dtype == np.bool_:
        return array * np.uint8(255)
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 65535:
        raise ValueError(
            f"{name}: an image with values from {low} to {high} cannot be written: "
            "shift and scale them to 0 to 255, or to 0 to 65535 for 16 bits"
        )
    if high <= 255 and (array.dtype != np.uint16 or channels > 1):
        return array.astype(np.uint8)
    if channels > 1:
        raise ValueError(
            f"{name}: an image of {channels} channels can be written with values up to 255 only, "
            f"not {high}: scale it down, for instance (image // 257).astype(numpy.uint8)"
        )
    if as_image_suffix(path) not in SIXTEEN_BIT_SUFFIXES:
        raise ValueError(
            f"{name}: this format cannot hold 16 bits, dtype {array.dtype} with values up to "
            f"{high}: write to .png or .tif instead"
        )
    return array.astype(np.uint16)


def unreadable_image(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """Make the error for a file that was read and could not be decoded."""
    cause = error.__cause__ or error
    match type(cause).__name__:  # by name, as importing them would import Pillow
        case "InitializationError":
            reason = "not an image of a known format: save it as PNG or JPEG first"
        case "DecompressionBombError":
            reason = f"the image is too large: scale it down first ({cause})"
        case _:
            reason = f"the image is damaged or cut short: get the file again ({cause})"
    return ValueError(f"{os.fspath(path)}: {reason}")


def unwritable_image(
    path: str | os.PathLike[str], image: NDArray[Any], error: Exception
) -> ValueError:
    """Make the error for an image that its format cannot hold."""
    return ValueError(
        f"{os.fspath(path)}: this format cannot hold an image of shape {image.shape} and dtype "
        f"{image.dtype}: write to .png instead ({error})"
    )


def as_picture(image: ArrayLike) -> NDArray[Any]:
    """Check an image that can be shown, gray or RGB in a range that is known."""
    array = as_numbers("image", image, advice="read it as numbers first")
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
        raise ValueError(f"{os.fspath(path)}: a film is written as GIF: end the name in .gif")


def check_page_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .html or .htm."""
    if not os.fspath(path).lower().endswith((".html", ".htm")):
        raise ValueError(f"{os.fspath(path)}: a page is written as HTML: end the name in .html")
