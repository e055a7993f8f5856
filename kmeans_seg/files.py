"""Images in files: `read` one upright and in RGB order, `write` one whole or not at all.

Both go through imageio, which is imported (and pathlib too) when the first
file is read or written, so that importing the package stays cheap. Of
imageio's plugins only Pillow's is used: what a file is read as does not depend
on what else is installed.

Left out: color profiles (the numbers are taken as the file has them), all
frames and pages but the first, and the file's metadata, which `write` does not
carry over.
"""

import contextlib
import errno
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation

# Pillow's modes that are no arrays of gray or RGB values, and the nearest ones that are.
PLAIN_MODES = {
    "1": "L",
    "CMYK": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
    "La": "LA",
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
}

# Flat colors show every flaw of the usual JPEG, most of all where two of them meet.
ENCODER_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"lossless": True},
}


def read(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an image from a file, upright.

    The orientation that a camera noted in the file (EXIF) is applied, so that
    a photo taken with the phone held upright comes out upright. Of an animated
    GIF or a file of many pages the first picture is read.

    Parameters
    ----------
    path
        A file that Pillow can read: JPEG, PNG, TIFF, BMP, GIF, WebP and others.

    Returns
    -------
    image
        A new C-contiguous array: (H, W) for gray, (H, W, 3) for RGB, and with
        an alpha channel (H, W, 2) or (H, W, 4). It holds uint8, except that
        gray of 16 bits is uint16, other gray of more than 8 bits int32, and
        gray in floating point float32. A palette is looked up: RGB, or RGBA if
        one of its colors is transparent. Black-and-white files give 0 and 255.
        Of colors with 16 bits per channel Pillow reads the upper 8 only: read
        such a file with another library (tifffile, OpenCV) to keep them all.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot open the file.
    ValueError
        If the file holds no image, a damaged or cut one, or one too large for
        Pillow, which takes up to 178 megapixels.

    See Also
    --------
    write : the way back.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "two-dots.png")
    ...     write(path, np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8))
    ...     read(path)
    array([[[255,   0,   0],
            [  0,   0, 255]]], dtype=uint8)
    """
    from pathlib import Path

    # Read first and decode then: what fails here is the file, what fails there its content.
    data = Path(path).read_bytes()
    import imageio.v3 as iio

    mode: str | None  # None: as it is, palettes looked up
    try:
        with iio.imopen(data, "r", plugin="pillow") as file:
            info = file.metadata(index=0, exclude_applied=False)
            if info["mode"] == "P" and "transparency" in info:
                mode = "RGBA"
            else:
                mode = PLAIN_MODES.get(info["mode"])
            pixels = file.read(index=0, mode=mode)  # type: ignore[call-arg]  # Pillow's own
            # Asked again: Pillow turns a TIFF while it reads, and then forgets the orientation.
            info = file.metadata(index=0, exclude_applied=False)
    except Exception as error:  # decoders raise nearly anything on a damaged file
        raise validation.unreadable_image(path, error) from error
    image = upright(pixels, info.get("Orientation", 1))
    return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror an image as its EXIF orientation, from 1 to 8, tells.

    imageio can do it too (`rotate=True`), but mirrors the colors in place of
    the columns where the file has a palette.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def write(path: str | os.PathLike[str], image: ArrayLike, *, overwrite: bool = True) -> None:
    """Write an image to a file, whole or not at all.

    The file is written under another name beside its place and then renamed:
    whatever fails, there is never half an image, and an older file stays as it
    was until the new one is complete.

    Parameters
    ----------
    path
        Where to write. The suffix chooses the format: .png, .tif, .tiff, .bmp
        and .webp keep every pixel as it is; .jpg and .jpeg do not. A symbolic
        link stays, and the file that it points to is written.
    image
        Array (H, W) or (H, W, 1) for gray, (H, W, 3) for RGB, (H, W, 2) or
        (H, W, 4) with alpha, of bool or integers. Integers up to 255 are
        written with 8 bits, whatever their dtype, except uint16 gray, which
        keeps its 16 bits; integers up to 65535, which must be gray, with 16
        bits, to .png or .tif only. So labels can be written as they are. False
        and True are written as 0 and 255.
    overwrite
        Whether to replace a file that exists.

    Raises
    ------
    FileExistsError
        If there is a file at `path`, and `overwrite` is False.
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot write there.
    TypeError
        If `image` does not hold bool or integers.
    ValueError
        If the suffix is not one of those above, or the format cannot hold the
        image.

    See Also
    --------
    read : the way back.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels.png")
    ...     write(path, np.array([[0, 1], [2, 2]], dtype=np.int32))
    ...     read(path)
    array([[0, 1],
           [2, 2]], dtype=uint8)
    """
    suffix = validation.as_image_suffix(path)
    pixels = validation.as_writable(path, image)
    if not overwrite:
        check_absent(path)
    import imageio.v3 as iio

    try:
        data = iio.imwrite(
            "<bytes>",
            pixels,
            plugin="pillow",
            extension=suffix,
            is_batch=False,
            **ENCODER_OPTIONS.get(suffix, {}),
        )
    except Exception as error:  # each encoder has its own way to say what it cannot hold
        raise validation.unwritable_image(path, pixels, error) from error
    replace_file(path, data)


def check_absent(path: str | os.PathLike[str]) -> None:
    """Check that there is no file at `path`."""
    if os.path.exists(path):  # noqa: PTH110  # pathlib takes its time, see `validation`
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file as `write` does: under another name beside its place, then renamed."""
    from pathlib import Path

    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".kmeans_seg-{os.urandom(4).hex()}{target.suffix}")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except OSError as error:
        # Name the file that was asked for: nobody knows the other one.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        with contextlib.suppress(OSError):  # it has its new name, or was never there
            temporary.unlink()
