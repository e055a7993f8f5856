"""Images in files: `read` one upright and in RGB order, `write` one whole or not at all.

Both go through imageio, which is imported (and pathlib too) when the first
file is read or written, so that importing the package stays cheap. Of
imageio's plugins only Pillow's is used: what a file is read as does not depend
on what else is installed.

A PNG of few colors is written with a palette, which makes it small. Pillow
keeps 8 bits of a color channel. Where a PNG has 16, both halves are read with
it and put together, and a small encoder writes them; a TIFF with 16 bits needs
tifffile (the extra `tiff`).

Left out: color profiles (the numbers are taken as the file has them), and the
file's metadata, the timing of its frames among it, which `write` does not carry
over.
"""

import contextlib
import errno
import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation

# Pillow's modes that are no arrays of gray or RGB values, and the nearest ones that are.
PLAIN_MODES = {
    "1": "L",
    "La": "LA",
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
}

# Modes that become RGB only by a color profile.
PROFILED_MODES = ("CMYK", "HSV", "LAB")

# The modes of PNG with 16 bits per channel, by the type of color in the file.
DEEP_MODES = {2: "RGB", 4: "LA", 6: "RGBA"}

# Flat colors show every flaw of the usual JPEG, most of all where two of them meet.
ENCODER_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"lossless": True},
}


def read(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an image from a file, upright.

    The orientation that a camera noted in the file (EXIF) is applied, so that
    a photo taken with the phone held upright comes out upright.

    Parameters
    ----------
    path
        A file that Pillow can read (JPEG, PNG, TIFF, BMP, GIF, WebP and
        others), or an array saved by NumPy (.npy). The content decides, not
        the name.

    Returns
    -------
    image
        A new C-contiguous array: (H, W) for gray, (H, W, 3) for RGB, and with
        an alpha channel (H, W, 2) or (H, W, 4). Animations and TIFFs of many
        pages give a stack with an axis more, (T, H, W, 3) for RGB, each frame
        as it is shown; of a JPEG the first picture is read. It holds uint8,
        except that 16 bits are uint16 (color in TIFF needs the extra `tiff`),
        other gray of more than 8 bits int32, and gray in floating point
        float32. A palette is looked up: RGB, or RGBA if one of its colors is
        transparent. Black-and-white files give 0 and 255. An .npy file gives
        what was saved.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot open the file.
    ValueError
        If the file is empty, holds no image, a damaged or cut one, one in
        CMYK, pages of different shapes, or one too large for Pillow, which
        takes up to 178 megapixels.

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
    if not data:
        raise validation.empty_file(path)
    try:
        image = load(data) if data.startswith(b"\x93NUMPY") else decode(path, data)
    except validation.FileError:
        raise
    except Exception as error:  # decoders raise nearly anything on a damaged file
        raise validation.unreadable_image(path, error) from error
    return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep Pillow from warning of images that are half as large as those it refuses."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Image size", category=RuntimeWarning)
        yield


def load(data: bytes) -> NDArray[Any]:
    """Decode an .npy file."""
    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    validation.as_image(array)
    return array


def decode(path: str | os.PathLike[str], data: bytes) -> NDArray[Any]:
    """Decode an image file."""
    import imageio.v3 as iio

    with quietly(), iio.imopen(data, "r", plugin="pillow") as file:
        info = file.metadata(index=0, exclude_applied=False)
        pages = file.properties(index=...).n_images or 1  # type: ignore[arg-type]  # all of them
        if info["mode"] in PROFILED_MODES:
            raise validation.unreadable_color(path, info["mode"])
        if data.startswith((b"II", b"MM")) and has_deep_colors(data):
            return decode_tiff(path, data)
        if pages > 1 and not data.startswith(b"\xff\xd8"):
            return stack(path, file, pages)
        if data.startswith(b"\x89PNG") and data[24] == 16 and data[25] in DEEP_MODES:
            pixels = decode_deep_png(data)
        else:
            pixels = file.read(index=0, mode=plain_mode(info))  # type: ignore[call-arg]
        # Asked again: Pillow turns a TIFF while it reads, and then forgets the orientation.
        info = file.metadata(index=0, exclude_applied=False)
    return upright(pixels, info.get("Orientation", 1))


def stack(path: str | os.PathLike[str], file: Any, pages: int) -> NDArray[Any]:
    """Read all frames of an animation or all pages of a file, in one mode."""
    infos = [file.metadata(index=page, exclude_applied=False) for page in range(pages)]
    modes = {plain_mode(info) for info in infos}
    mode = modes.pop() if len(modes) == 1 else "RGBA" if "RGBA" in modes else "RGB"
    frames = [file.read(index=page, mode=mode) for page in range(pages)]
    shapes = {frame.shape for frame in frames}
    if len(shapes) > 1:
        raise validation.unequal_pages(path, shapes)
    return np.stack(frames)


def plain_mode(info: dict[str, Any]) -> str | None:
    """Say in which mode to read a picture; None for its own, with palettes looked up."""
    if info["mode"] == "P" and "transparency" in info:
        return "RGBA"
    if info["mode"] in ("L", "RGB") and "transparency" in info:
        return {"L": "LA", "RGB": "RGBA"}[info["mode"]]
    return "RGB" if info["mode"] == "P" else PLAIN_MODES.get(info["mode"])


def has_deep_colors(data: bytes) -> bool:
    """Say whether a TIFF has more than one channel of more than 8 bits."""
    from PIL import Image  # which imageio reads with

    with Image.open(io.BytesIO(data)) as image:
        bits = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
    return len(bits) > 1 and max(bits) > 8


def decode_tiff(path: str | os.PathLike[str], data: bytes) -> NDArray[Any]:
    """Decode a TIFF by tifffile."""
    import imageio.v3 as iio

    try:
        import tifffile  # noqa: F401
    except ImportError as error:
        raise validation.missing_tiff(path) from error
    return iio.imread(data, plugin="tifffile", index=None)


def decode_deep_png(data: bytes) -> NDArray[np.uint16]:
    """Decode a PNG of 16 bits per channel: once for its high bytes, once for its low ones."""
    from PIL import Image

    mode = DEEP_MODES[data[25]]
    halves: list[NDArray[np.uint16]] = []
    for order in "BL":
        with Image.open(io.BytesIO(data)) as image:
            if mode == "LA":  # four bytes a pixel, like RGBA of 8 bits
                header = data[12:24] + bytes([8, 6]) + data[26:29]
                check = struct.pack(">I", zlib.crc32(header))
                with Image.open(io.BytesIO(data[:12] + header + check + data[33:])) as rgba:
                    return np.asarray(rgba).view(">u2").astype(np.uint16)
            image.tile = [tile._replace(args=f"{mode};16{order}") for tile in image.tile]
            halves.append(np.asarray(image).astype(np.uint16))
    high, low = halves
    return high * np.uint16(256) + low


def encode_deep_png(pixels: NDArray[np.uint16]) -> bytes:
    """Encode colors of 16 bits per channel as PNG, each row as the difference to the one above."""
    height, width, channels = pixels.shape
    rows = np.full((height, 1 + 2 * width * channels), 2, np.uint8)  # filter 2: "up"
    content = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    rows[:, 1:] = content
    rows[1:, 1:] -= content[:-1]
    (color,) = (color for color, mode in DEEP_MODES.items() if len(mode) == channels)
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")):
        file += struct.pack(">I", len(data)) + name + data
        file += struct.pack(">I", zlib.crc32(name + data))
    return file


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
        Where to write. The suffix chooses the format: .png, .tif, .tiff, .gif,
        .bmp and .webp keep every pixel as it is; .jpg and .jpeg do not; .npy
        keeps any array. A symbolic link stays, and the file that it points to
        is written.
    image
        Array (H, W) or (H, W, 1) for gray, (H, W, 3) for RGB, (H, W, 2) or
        (H, W, 4) with alpha, of bool or integers; or a stack of such (T, ...)
        to .tif, .gif, .webp and .png. Integers up to 255 are written with 8
        bits, whatever their dtype, except uint16, which keeps its 16 bits
        where the format has them; integers up to 65535 with 16 bits, to .png
        or .tif only. So labels can be written as they are: with 8 or 16 bits,
        and -1, for pixels that took no part, as 255 or 65535. False and True
        are written as 0 and 255.
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
        image: a GIF has 256 colors, and few formats hold the same frame twice
        in a row.

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
    pixels = np.asarray(image) if suffix == ".npy" else validation.as_writable(path, image)
    if not overwrite:
        check_absent(path)
    try:
        data = encode(path, pixels, suffix)
    except validation.FileError:
        raise
    except Exception as error:  # each encoder has its own way to say what it cannot hold
        raise validation.unwritable_image(path, pixels, error) from error
    replace_file(path, data)


def encode(path: str | os.PathLike[str], pixels: NDArray[Any], suffix: str) -> bytes:
    """Make the content of a file."""
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, pixels, allow_pickle=False)
        return buffer.getvalue()
    import imageio.v3 as iio

    is_stack = validation.is_stack(pixels)
    if pixels.dtype == np.uint16 and pixels.ndim == 3 + is_stack:
        return encode_deep_png(pixels) if suffix == ".png" else encode_tiff(path, pixels)
    if suffix == ".png" and pixels.ndim == 3 and pixels.shape[2] == 3:
        few = encode_few_colors(pixels)
        if few is not None:
            return few
    data: bytes = iio.imwrite(
        "<bytes>",
        pixels,
        plugin="pillow",
        extension=suffix,
        is_batch=is_stack,
        **ENCODER_OPTIONS.get(suffix, {}),
    )
    if is_stack or suffix == ".gif":  # which may lose colors, and frames like the one before
        back = read_back(data, pixels)
        if not np.array_equal(back, pixels):
            raise ValueError("a GIF has 256 colors, and an animation no frame twice in a row")
    return data


def encode_few_colors(pixels: NDArray[np.uint8]) -> bytes | None:
    """Encode RGB of at most 256 colors as PNG with a palette: smaller, and sooner done.

    imageio, which writes with Pillow too, has no way to give it a palette.
    """
    from PIL import Image

    from .fast.counting import colors_of, pixel_codes

    palette = np.zeros(0, np.intp)  # the codes of the colors
    places = np.zeros(2**24, np.uint16)  # of each code in the palette, from 1 on; 0 for none
    indices = np.empty(pixels.shape[:2], np.uint8)
    start = 0
    for codes in pixel_codes(pixels.reshape(-1, 3), np.intp):
        found = places.take(codes)
        if not found.all():
            palette = np.concatenate((palette, np.unique(codes[found == 0])))
            if len(palette) > 256:
                return None
            places[palette] = np.arange(1, len(palette) + 1)
            found = places.take(codes)
        indices.reshape(-1)[start : start + len(codes)] = found - 1
        start += len(codes)
    picture = Image.fromarray(indices)
    picture.putpalette(colors_of(palette, 3, pixels.dtype).tobytes())
    buffer = io.BytesIO()
    # To look for runs alone is five times as fast as Pillow's default, and there are many runs.
    picture.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def encode_tiff(path: str | os.PathLike[str], pixels: NDArray[Any]) -> bytes:
    """Encode colors of 16 bits per channel by tifffile."""
    try:
        import tifffile
    except ImportError as error:
        raise validation.missing_tiff(path) from error
    buffer = io.BytesIO()
    photometric = "rgb" if pixels.shape[-1] > 2 else "minisblack"
    tifffile.imwrite(buffer, pixels, photometric=photometric, compression="zlib")
    return buffer.getvalue()


def read_back(data: bytes, pixels: NDArray[Any]) -> NDArray[Any]:
    """Decode what was encoded of `pixels`, in their shape."""
    import imageio.v3 as iio

    is_stack = validation.is_stack(pixels)
    channels = pixels.shape[-1] if pixels.ndim == 3 + is_stack else 1
    mode = None if pixels.dtype == np.uint16 else ("L", "LA", "RGB", "RGBA")[channels - 1]
    with quietly(), iio.imopen(data, "r", plugin="pillow") as file:
        back: NDArray[Any] = file.read(index=... if is_stack else 0, mode=mode)  # type: ignore
    return back


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
