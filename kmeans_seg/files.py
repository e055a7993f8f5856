"""Images in files: `read` one upright and in RGB order, `write` one whole or not at all.

This module handles file names and directories, and checks an image before it is
written. `codecs` handles the content of the files, and `placing` puts them in
place. imageio, Pillow and `placing` are imported when the first file needs
them, so that importing the package stays cheap.
"""

import io
import os
import warnings
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import codecs, validation
from .image import unwrapped
from .validation import shown

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

IMAGE_SUFFIXES = (*codecs.WRITERS, ".npy")
FRAME = 100  # milliseconds that a frame of a stack is shown
STACK_SUFFIXES = (".tif", ".tiff", ".gif", ".webp", ".png")

# An axis that is longer hardly holds the channels of an image to be written.
MOST_CHANNELS = 16

# How many bytes the frames and pages of an image may take together, unless the caller says.
MAX_BYTES = 4 * 2**30


def read(
    path: Source, *, page: int | None = None, max_bytes: int | None = MAX_BYTES
) -> NDArray[Any]:
    """Read an image from a file, upright.

    The orientation that a camera noted in the file (EXIF) is applied, so that
    a photo taken with the phone held upright comes out upright.

    Parameters
    ----------
    path
        A file in one of the formats JPEG, PNG, TIFF, GIF, WebP, BMP, AVIF, JPEG
        2000 and PPM, HEIC if pillow-heif is installed, or an array saved by
        NumPy (.npy). The format is recognized by the content, not by the name.
        No other format is opened, and no other program is started. `path` may
        also be the content of such a file, as bytes, or a file opened for
        reading bytes, which is read to its end and stays open.
    page
        Which page of a file, or frame of an animation, to read, from 0 on. By
        default all of them.
    max_bytes
        How many bytes the array may take, all frames and pages together; None
        for no limit. The default is 4 GiB. The size is known from the headers
        of the file before it is decoded. Decoding takes up to 3.4 times as much
        memory for a moment, WebP and JPEG 2000 up to 6.5 times.

    Returns
    -------
    image
        A new C-contiguous array: (H, W) for gray, (H, W, 3) for RGB, and with
        an alpha channel (H, W, 2) or (H, W, 4). Animations and TIFFs of many
        pages give a stack with an axis more, (T, H, W, 3) for RGB, each frame
        as it is shown. If a JPEG holds several pictures, the first is read.
        The dtype is uint8, or uint16 if a PNG or TIFF has 16 bits. A palette is
        looked up: RGB, or RGBA if one of its colors is transparent.
        Black-and-white files give 0 and 255. A TIFF may hold any number of
        channels, integers and floating point. Pages come first and channels
        last, whatever the layout of the file. TIFFs that Pillow cannot read
        need the extra `tiff`. An .npy file gives what was saved.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot open the file.
    ValueError
        If the file is empty; if it holds no image, or a damaged or truncated
        one; if it is in CIELAB, has pages of different sizes, or takes more
        than `max_bytes`.
    MemoryError
        If there is not enough memory.

    Warns
    -----
    UserWarning
        If the colors are CMYK, which become RGB by the color profile of the
        file, or without one by a plain formula. If there are two or four
        channels, and the file does not say that the last one is alpha.

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
    picture = load(path, max_bytes, page)
    channels = picture.pixels.shape[-1] if picture.has_channels else 1
    if channels in (2, 4) and not picture.has_alpha:
        warnings.warn(
            f"{name_of(path)}: the last of its {channels} channels is not alpha, but segment takes "
            'it for that unless space="raw"',
            UserWarning,
            stacklevel=2,
        )
    return picture.pixels


def load(source: Source, max_bytes: int | None, page: int | None) -> codecs.Picture:
    """Read an image, and what the file says of its axes."""
    limit = np.inf if max_bytes is None else validation.as_count("max_bytes", max_bytes)
    number = None if page is None else validation.as_count("page", page, least=0)
    try:
        return codecs.decode(read_bytes(source, limit), limit, number)
    except codecs.FormatError as error:
        raise ValueError(f"{name_of(source)}: {error}") from error


def name_of(source: Source) -> str:
    """Return how to call a source in a message."""
    if isinstance(source, (str, os.PathLike)):
        return shown(source)
    name = getattr(source, "name", None)
    return shown(name) if isinstance(name, str) else "image"


def read_bytes(source: Source, max_bytes: float) -> bytes:
    """Read a file, or what comes out of a pipe, if it is no more than `max_bytes`."""
    import stat
    from pathlib import Path

    if isinstance(source, (bytes, bytearray, memoryview)):
        codecs.check_size(memoryview(source).nbytes, max_bytes)
        return bytes(source)
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "read"):
            raise TypeError(
                "path must be a file name, the content of a file as bytes, or an open file, not "
                f"of type {type(source).__name__}"
            )
        return read_to_end(source, max_bytes)
    with Path(source).open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            codecs.check_size(status.st_size, max_bytes)
            return file.read()
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise codecs.FormatError("this is a device, which may have no end: give a file")
        return read_to_end(file, max_bytes)


def read_to_end(file: Any, max_bytes: float) -> bytes:
    """Read the rest of a file in parts, because its length is not known."""
    parts: list[bytes] = []
    name = name_of(file)
    if isinstance(file, io.TextIOBase):
        raise TypeError(f'{name}: this file gives text, not bytes: open it with the mode "rb"')
    while part := file.read(2**20):
        if not isinstance(part, bytes):
            raise TypeError(
                f"{name}: this file gives {type(part).__name__}, not bytes: pass "
                "bytes(file.read()) instead"
            )
        parts.append(part)
        codecs.check_size(sum(map(len, parts)), max_bytes)
    return b"".join(parts)


def write(
    path: str | os.PathLike[str],
    image: ArrayLike,
    *,
    channel_axis: int | None = -1,
    overwrite: bool = True,
) -> None:
    """Write an image to a file, whole or not at all.

    The file is written under another name in the same directory first. Whatever
    fails, there is never half an image, and an existing file stays as it was
    until the new one is complete.

    By default a file that exists is replaced, as most libraries do. With
    `overwrite=False` the last step fails if the name exists, so that no file
    is lost even if another program creates it at the same moment. (On a
    filesystem without hard links that holds too, but there a program may see
    the new file half-written.)

    Parameters
    ----------
    path
        Where to write. The suffix chooses the format: .png, .tif, .tiff, .gif,
        .bmp, .webp, .jp2, .ppm and .pgm keep every pixel as it is, or refuse the
        image; .jpg, .jpeg and .avif do not; .npy keeps numbers of any kind. GIF
        and WebP hold gray as RGB, and WebP may leave out an opaque alpha channel.
        A symbolic link stays, and the file that it points to is written; with
        `overwrite=False` a link counts as a file.
    image
        Array (H, W) or (H, W, 1) for gray, (H, W, 3) for RGB, (H, W, 2) or
        (H, W, 4) with alpha, of bool or numbers; or a stack of such (T, ...)
        to .tif, .gif, .webp and .png. A .tif may have more channels (with the
        extra `tiff`).
        Integers up to 255 are written with 8
        bits, whatever their dtype, except uint16, which keeps its 16 bits
        where the format has them; integers up to 65535 with 16 bits, to .png
        or .tif, gray also to .pgm. So labels can be written as they are: with 8 or 16 bits,
        and -1, for pixels that took no part, as 255 or 65535. False and True
        are written as 0 and 255. Other integers and floating point can be
        written to .tif and .npy.
    channel_axis
        The axis of the channels; None if there is none, as in a gray stack
        (T, H, W). An image (H, W) is gray; `channel_axis` may be left out.
    overwrite
        Whether to replace an existing regular file. The new file takes over its
        permissions and, where the system allows, its owner and group.

    Raises
    ------
    FileExistsError
        If there is a file at `path`, and `overwrite` is False.
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot write there, or the file to replace is
        read-only.
    TypeError
        If `image` does not hold numbers, or holds numbers that the format
        cannot store.
    ValueError
        If the suffix is not one of those above, or the format cannot hold the
        image: a GIF has at most 256 colors, and few formats can hold the same
        frame twice in a row. Also if there is a FIFO, a socket or a device at
        `path`.

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
    # Not at the top: pathlib, which it needs, takes longer than the rest of the package.
    from .placing import check_target, place

    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is of type {type(path).__name__}: write takes the path first")
    overwrite = validation.as_flag("overwrite", overwrite)
    check_target(path, overwrite=overwrite)
    place([(path, encoded(path, image, channel_axis))], overwrite=overwrite)


def encoded(
    path: str | os.PathLike[str],
    image: ArrayLike,
    channel_axis: int | None = -1,
    *,
    may_be_labels: bool = True,
    timed_like: codecs.Picture | None = None,
) -> bytes:
    """Return an image, or labels, as the content of a file of this name.

    The frames of an animation are shown as long as those of `timed_like`.
    """
    picture = encodable(path, image, channel_axis, may_be_labels=may_be_labels)
    if timed_like is not None and picture.is_stack:
        durations = timed_like.durations or (FRAME,) * len(picture.pixels)
        picture = picture._replace(durations=durations, loop=timed_like.loop)
    try:
        return codecs.encode(picture, as_image_suffix(path))
    except codecs.FormatError as error:
        raise ValueError(f"{shown(path)}: {error}") from error


def encodable(
    path: str | os.PathLike[str],
    image: ArrayLike,
    channel_axis: int | None,
    *,
    may_be_labels: bool,
) -> codecs.Picture:
    """Check that an image can be the content of a file of this name, as far as is known before."""
    image = unwrapped(image)
    if validation.is_masked(image):
        raise ValueError(
            f"{shown(path)}: the image has masked values, and files have no mask: fill them first, "
            "for instance by image.filled(0)"
        )
    array = validation.as_array("image", image)
    if as_image_suffix(path) == ".npy":
        return codecs.Picture(validation.as_image(array), None, has_alpha=False)
    return as_writable(path, array, channel_axis, may_be_labels=may_be_labels)


def as_image_suffix(path: str | os.PathLike[str]) -> str:
    """Check that a file name ends like an image that can be written; return how, in lower case."""
    # Not by pathlib: importing it takes longer than importing the rest of the package.
    suffix = os.path.splitext(os.fspath(path))[1].lower()  # noqa: PTH122
    if suffix not in IMAGE_SUFFIXES:
        ending = f"suffix {suffix!r} is not known" if suffix else "the name has no suffix"
        raise ValueError(
            f"{shown(path)}: {ending}, and the suffix chooses the format: "
            f"end the name in one of {', '.join(IMAGE_SUFFIXES)}"
        )
    return suffix


def as_writable(
    path: str | os.PathLike[str],
    array: NDArray[Any],
    channel_axis: int | None = -1,
    *,
    may_be_labels: bool = True,
) -> codecs.Picture:
    """Check an image for the file at `path`; it comes back as uint8 or uint16, channels last."""
    pixels, has_channels = channels_last(path, array, channel_axis)
    picture = codecs.Picture(pixels, has_channels, has_alpha=False)
    many, channels = picture.is_stack, pixels.shape[-1] if has_channels else 1
    name, suffix = shown(path), as_image_suffix(path)
    if many and suffix not in STACK_SUFFIXES:
        raise ValueError(
            f"{name}: this format holds one picture, not a stack of shape {array.shape}: "
            f"write to one of {', '.join(STACK_SUFFIXES)} instead"
        )
    if channels in (2, 4) and suffix in (".bmp", ".jpg", ".jpeg", ".ppm", ".pgm"):
        raise ValueError(
            f"{name}: this format cannot hold alpha, which an image of shape {array.shape} has: "
            "write to .png instead"
        )
    if channels > 4 and suffix not in (".tif", ".tiff"):
        raise ValueError(
            f"{name}: this format holds at most 4 channels, and an image of shape {array.shape} "
            f"has {channels}: write to .tif or .npy"
            + (
                ", or say channel_axis=None for a gray stack"
                if array.ndim == 3 and suffix in STACK_SUFFIXES
                else ""
            )
        )
    return picture._replace(
        pixels=as_few_bits(name, pixels, suffix, many, may_be_labels=may_be_labels)
    )


def channels_last(
    path: str | os.PathLike[str], array: NDArray[Any], channel_axis: int | None
) -> tuple[NDArray[Any], bool]:
    """Check the axes of an image to be written; return it and whether the last has channels."""
    name = shown(path)
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"{name}: an image of dtype {array.dtype} cannot be written: it must hold real numbers"
        )
    if array.ndim not in (2, 3, 4) or array.size == 0 or (array.ndim == 4 and channel_axis is None):
        parts = array.ndim > 3 and array.size > 0
        raise ValueError(
            f"{name}: an image of shape {array.shape} cannot be written: it must be (H, W), "
            "(H, W, C), or a stack of such, and not empty"
            + ("; write its parts one by one, or to .npy" if parts else "")
        )
    if array.ndim == 3 and channel_axis == -1 and array.shape[2] > MOST_CHANNELS:
        raise ValueError(
            f"{name}: an image of shape {array.shape} may be a gray stack or have "
            f"{array.shape[2]} channels: say channel_axis=None or channel_axis=2"
        )
    axis = validation.as_channel_axis(channel_axis, array.shape)
    if axis is None:
        return array, False
    array = np.moveaxis(array, axis, -1)
    return (array[..., 0], False) if array.shape[-1] == 1 else (array, True)


def as_few_bits(
    name: str, array: NDArray[Any], suffix: str, many: bool, may_be_labels: bool
) -> NDArray[Any]:
    """Return an image as uint8 or uint16, or as it is where TIFF keeps that.

    The label -1, of pixels that took no part, becomes the largest value of its dtype.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.bool_:
        return array * np.uint8(255)
    if array.dtype.kind == "f":
        if array.dtype.itemsize > 8:
            raise TypeError(
                f"{name}: this format cannot hold dtype {array.dtype}: convert it to float64, "
                "or write to .npy"
            )
        if suffix in (".tif", ".tiff"):
            return array
        raise TypeError(
            f"{name}: this format cannot hold dtype {array.dtype}: write to .tif or .npy; or, if "
            "the image is in [0, 1], write (image * 255).round().astype(numpy.uint8)"
        )
    low, high = int(array.min()), int(array.max())
    sixteen = high > 255 or (array.dtype == np.uint16) or (low < 0 and high == 255)
    if may_be_labels and low == -1 and high < 65535:  # labels, and pixels without one
        array = np.where(array == -1, 65535 if sixteen else 255, array)
        low, high = 0, int(array.max())
    if low < 0 or high > 65535:
        if suffix in (".tif", ".tiff"):
            return array
        raise ValueError(
            f"{name}: this format cannot hold values from {low} to {high}: write to .tif or .npy, "
            "or shift and scale them to 0 to 255, or to 0 to 65535 for 16 bits"
        )
    if high <= 255 and not sixteen:
        return array.astype(np.uint8)
    eight_only = {".png": many, ".pgm": array.ndim > 2, ".tif": False, ".tiff": False}
    if eight_only.get(suffix, True):
        if high <= 255:
            return array.astype(np.uint8)
        raise ValueError(
            f"{name}: this format cannot hold 16 bits, dtype {array.dtype} with values up to "
            f"{high}: write to .tif{'' if many else ' or .png'} instead"
        )
    return array.astype(np.uint16)
