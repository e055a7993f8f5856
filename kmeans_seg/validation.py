"""Checks of arguments that several files share.

A message says what is wrong, with its value, and what to do instead. The core
behind the checks trusts its arguments.
"""

# Keeps annotations from importing numpy.random, the slowest import here.
from __future__ import annotations

import math
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
    """Check an integer from `least` to `most`; bools and floats are refused."""
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


def as_real(name: str, value: object, *, most: float, least: float = 0) -> float:
    """Check a real number from `least` to `most`, or 0; a bool is refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if value != 0 and not least <= value <= most:
        low = f"0, or from {least:g}" if least else "from 0"
        raise ValueError(f"{name}={spelled(value)} is out of range: it must be {low} to {most:g}")
    return float(value)


def as_k(k: object, n: int, unit: str) -> int:
    """Check a number of clusters for `n` pixels or points."""
    count = as_count("k", k, most=math.inf)
    if count > n:
        raise ValueError(
            f"k={spelled(count)} is more than the {n} {unit} given: ask for at most {n}"
        )
    return count


def as_generator(rng: RandomGenerator) -> np.random.Generator:
    """Make a random generator from a seed, a generator or None, following SPEC 7."""
    try:
        return np.random.default_rng(rng)
    except ValueError:
        kind: type[Exception] = ValueError
    except TypeError:
        kind = TypeError
    raise kind(
        f"rng={spelled(rng)} cannot seed a random generator: give an integer of at least 0, a "
        "numpy.random.Generator, or None"
    )


def as_numbers(
    name: str,
    values: ArrayLike,
    advice: str = "convert it first",
    *,
    remedy: str | None = None,
) -> NDArray[Any]:
    """Check an array of bool, integer or floating-point numbers, all finite and not too large.

    A message says `advice` of another dtype, and `remedy` of a number that is not finite.
    """
    if is_masked(values):
        raise ValueError(
            f"{name} has masked values, which would count like the others: fill them first, by "
            "numpy.ma.filled, or leave out those points and all that belongs to them"
        )
    array = as_array(name, values)
    check_kind(name, array.dtype, advice)
    check_values(name, array, remedy)
    return array


def as_array(name: str, values: Any) -> NDArray[Any]:
    """Convert to an array; a ragged list and a sparse matrix get a clear error."""
    if hasattr(values, "todense"):
        raise TypeError(
            f"{name} is a sparse {type(values).__name__}, which leaves values out: pass "
            f"numpy.asarray({name}.todense())"
        )
    try:
        return np.asarray(values)
    except ValueError:
        if not isinstance(values, (list, tuple)):
            raise  # not a list: its own error says more
        raise ValueError(f"{name} is ragged: its rows must all have the same length") from None


def is_masked(values: object) -> bool:
    """Return whether any value is masked by `numpy.ma`."""
    # If numpy.ma was never imported, no array can be masked; to import it takes a while.
    return "numpy.ma" in sys.modules and bool(np.ma.is_masked(values))


def check_kind(name: str, dtype: np.dtype[Any], advice: str) -> None:
    """Check that a dtype is of bool, integer or floating-point numbers."""
    if dtype.kind not in "buif":
        raise TypeError(
            f"{name} has dtype {dtype}: it must hold real numbers "
            f"(bool, integer or floating point); {advice}"
        )


def check_values(name: str, array: NDArray[Any], remedy: str | None = None) -> None:
    """Check that all numbers are finite and not too large."""
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)].flat[0]
            if remedy is None:
                remedy = (
                    f"replace the others first, by numpy.nan_to_num({name}, posinf=0, neginf=0)"
                )
            if name == "image":
                test = "~np.isnan(image)" if np.isnan(bad) else "np.isfinite(image)"
                remedy = (
                    f"leave it out by mask={test}, with channels last by "
                    f"mask=({test}).all(axis=-1) (in lessons by numpy.ma.masked_invalid(image), in "
                    f"the terminal by --nodata={bad}), or {remedy}"
                )
            raise ValueError(f"{name} contains {bad}: every value must be finite; {remedy}")
        # As a Python float: in float16 or float32 the comparison would overflow, and warn.
        size = np.abs(array).max(initial=0)
        largest, limit = float(size), LARGEST
        said, most = f"{size:.3g}" if largest < np.inf else str(size), f"{limit:.3g}"
    elif array.dtype.itemsize == 8 and array.size:
        largest, limit = max(-int(array.min()), int(array.max())), LARGEST_INTEGER
        said, most = str(largest), str(limit)
    else:
        return
    if largest > limit:
        raise ValueError(
            f"{name} contains a value of size {said}: at most {most} can be "
            "squared and summed safely; scale it down first"
            + (", or leave it out by mask= if it marks missing data" if name == "image" else "")
        )


def as_image(image: Any) -> Any:
    """Check the dtype and the dimensions of an image; an array that slices like NumPy's stays one.

    What has a shape and a dtype (`numpy.memmap`, zarr, h5py) is not read here.
    """
    if isinstance(image, (str, bytes, os.PathLike)):
        kind = "the content of a file" if isinstance(image, bytes) else "a file name"
        raise TypeError(f"image is {kind}: read it first, by kmeans_seg.read")
    slices = isinstance(getattr(image, "dtype", None), np.dtype) and hasattr(image, "__getitem__")
    if not (slices and hasattr(image, "shape")) or hasattr(image, "todense"):
        image = as_array("image", image)
    check_kind("image", image.dtype, advice="read it as numbers first")
    if any(length != length for length in image.shape):  # NaN
        raise ValueError(
            f"image has an unknown shape {image.shape}: call image.compute_chunk_sizes() first"
        )
    if len(image.shape) < 2:
        raise ValueError(
            f"image has {len(image.shape)} dimensions, shape {image.shape}: it must be (H, W), "
            "(H, W, C), or have more axes, as volumes and stacks do; reshape it first"
        )
    if 0 in image.shape:
        raise ValueError(f"image is empty, shape {image.shape}: give at least one pixel")
    return image


def as_channel_axis(channel_axis: object, shape: tuple[int, ...]) -> int | None:
    """Check which axis of an image holds its channels; return it counted from 0."""
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


def check_span(name: str, points: NDArray[np.float64]) -> None:
    """Refuse points whose squared differences would all underflow."""
    span = float((points.max(axis=0) - points.min(axis=0)).max())
    if 0 < span < SMALLEST_SPAN:
        raise ValueError(
            f"{name} has values that differ by {span:.3g} at most: squares of such numbers are "
            "lost in underflow; scale it up first, so that they differ by about 1"
        )
