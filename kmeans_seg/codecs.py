"""The content of image files: `decode` turns bytes into an array, `encode` an array into bytes.

Both use Pillow, which imageio brings along, and import it when the first image
comes by, so that importing the package stays cheap. Only formats on a list are
opened. They are recognized by their content, and none of them starts another
program. How large an image will be is found in its headers, before decoding.

A PNG of few colors is written with a palette, which makes it small. Pillow
keeps 8 bits of a color channel. Where a PNG has 16, both halves are read with
it and put together, and a small encoder writes them. A TIFF with 16 bits per
color channel needs tifffile (the extra `tiff`).

Left out: color profiles (the numbers are taken as the file has them) and
metadata, such as the timing of frames, which `encode` does not carry over.
Files themselves are in `files`.
"""

import contextlib
import functools
import importlib
import io
import math
import operator
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import validation

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

# The formats that are opened, and the modules of Pillow that know them. Each has a signature at
# its start. Not on the list is whatever runs another program (as PostScript does) or has none.
READERS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "TIFF": "TiffImagePlugin",
    "GIF": "GifImagePlugin",
    "WEBP": "WebPImagePlugin",
    "BMP": "BmpImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "PPM": "PpmImagePlugin",
}

# How the brands of HEIC photos begin, which only pillow-heif reads.
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")

# The formats that are written, and how. Flat colors show every flaw of the usual JPEG, most of
# all where two of them meet. By default WebP gives up the color of transparent pixels.
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".gif": ("GIF", {}),
    ".bmp": ("BMP", {}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".avif": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
    ".jp2": ("JPEG2000", {"irreversible": False}),
    ".ppm": ("PPM", {}),
    ".pgm": ("PPM", {}),
}
ANIMATED = (".gif", ".webp", ".png")

# Pillow's modes that are no arrays of gray or RGB values, and the nearest ones that are.
PLAIN_MODES = {
    "1": "L",
    "CMYK": "RGB",
    "HSV": "RGB",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
}

# The modes of pictures with one transparent color.
TRANSPARENT_MODES = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}


# The modes of PNG with 16 bits per channel, by the type of color in the file.
DEEP_MODES = {2: "RGB", 4: "LA", 6: "RGBA"}

# How a TIFF starts, by the order of its bytes.
TIFF = (b"II", b"MM")

# Tags of TIFF, and some of their values.
SUBFILE_TYPE, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC = 254, 258, 259, 262
DESCRIPTION, ORIENTATION, SAMPLES_PER_PIXEL, PLANES = 270, 274, 277, 284
NODATA = 42113  # of GDAL
TILE_WIDTH, TILE_LENGTH, EXTRA_SAMPLES, SAMPLE_FORMAT = 322, 323, 338, 339
WHITE_IS_ZERO, ASSOCIATED, UNASSOCIATED, WEBP = 0, 1, 2, 50001
SMALLER = 0b101  # a page that is a smaller copy, or a mask

# The header of a PGM or PPM: its kind, its width, its height, and the largest value.
PNM = rb"P([2356])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s"

# How many pixels are copied out of Pillow at a time: it makes a copy of its own of each part.
BAND = 2**18
# How many bytes are unpacked at a time, to a thousand times as many at most.
STEP = 2**14


class FormatError(ValueError):
    """What is wrong with the content of a file, or with an image for one, and what to do."""


# Decoding


class Picture(NamedTuple):
    """An image, or a stack of them, and what its last axis is.

    Attributes
    ----------
    pixels
        Array (H, W), (H, W, C), or with an axis more at the front, for frames.
    has_channels
        Whether the last axis holds channels; None if the file does not say.
    has_alpha
        Whether the last channel is alpha.
    nodata
        The value that marks missing data, if the file names one.
    durations
        How long each frame is shown, in milliseconds; None if the file does not say.
    loop
        How often an animation repeats, 0 for ever; None if the file does not say.
    """

    pixels: NDArray[Any]
    has_channels: bool | None
    has_alpha: bool
    nodata: float | None = None
    durations: tuple[int, ...] | None = None
    loop: int | None = None

    @property
    def is_stack(self) -> bool:
        """Whether there are frames."""
        return self.pixels.ndim - bool(self.has_channels) > 2


def decode(data: bytes, max_bytes: float, page: int | None = None) -> Picture:
    """Decode an image file or an .npy file, or one page of it, as `files.read` describes it.

    `FormatError` is raised for what is damaged, unknown or unsupported, and for
    an image of more than `max_bytes`. A `MemoryError` stays one.
    """
    if not data:
        raise FormatError("the file is empty: get it again")
    try:
        if data.startswith(b"\x93NUMPY"):
            check_page(page or 0, 1)
            picture = Picture(decode_npy(data, max_bytes), None, has_alpha=False)
        else:
            picture = decode_image(data, max_bytes, page)
        pixels = picture.pixels
        validation.as_image(pixels)  # a damaged TIFF may have none
        native = pixels.dtype.newbyteorder("=")
        return picture._replace(pixels=np.ascontiguousarray(pixels, dtype=native))
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # decoders raise nearly anything on a damaged file
        if type(error).__name__.startswith("DecompressionBomb"):  # the class would import Pillow
            raise FormatError(
                "Pillow finds the image too large for a file of this format: save it as PNG first, "
                f"or if you trust the file, set PIL.Image.MAX_IMAGE_PIXELS = None ({error})"
            ) from error
        raise FormatError(
            f"the image is damaged or cut short: get the file again ({error})"
        ) from error


def check_size(size: int, max_bytes: float) -> None:
    """Check how many bytes a file has, or how many all its frames and pages take together."""
    if size > max_bytes:
        raise FormatError(
            f"the image is too large: {size:,} bytes, and at most {max_bytes:,} are allowed: if "
            "you trust the file, raise max_bytes (--max-bytes in the terminal), or open an .npy "
            'file by numpy.load(path, mmap_mode="r") and segment that; else scale the image down '
            "first"
        )


def decode_npy(data: bytes, max_bytes: float) -> NDArray[Any]:
    """Decode an .npy file."""
    file = io.BytesIO(data)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, in_columns, dtype = read_header(file)
    count = math.prod(shape)
    check_size(count * dtype.itemsize, max_bytes)
    header_only = np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, [0] * len(shape))
    try:
        validation.as_image(header_only)
    except (TypeError, ValueError) as error:
        raise FormatError(str(error)) from error
    values = np.frombuffer(data, dtype, count, file.tell())
    return values.reshape(shape, order="F" if in_columns else "C").copy()


def decode_image(data: bytes, max_bytes: float, page: int | None) -> Picture:
    """Decode an image file by Pillow, or a TIFF that Pillow does not know by tifffile."""
    try:
        opened = open_image(data)
    except FormatError:
        if data.startswith(TIFF):
            return decode_tiff(data, max_bytes, page)
        raise
    with opened as image:
        if image.format == "TIFF" and needs_tifffile(image):
            return decode_tiff(data, max_bytes, page)
        header = re.match(PNM, data) if image.format == "PPM" else None
        if header and int(header[4]) > 255:
            check_size(2 * picture_size(image), max_bytes)
            pixels = decode_deep_pnm(data, header)
            return Picture(pixels, pixels.ndim > 2, has_alpha=False)
        pages = pages_of(image)
        if page is not None:
            check_page(page, len(pages))
            pages = [pages[page]]
        depth, color = (data[24], data[25]) if image.format == "PNG" else (8, None)
        if depth < 8 and color == 0 and image.info.get("transparency", 255) < 2**depth:
            # Pillow stretches gray levels to 8 bits, but not the one that is transparent.
            image.info["transparency"] *= 255 // (2**depth - 1)
        is_deep = depth == 16
        if is_deep and len(pages) > 1:
            raise FormatError(
                "animations with 16 bits per channel are not supported: save the frames as files "
                "of their own"
            )
        image.seek(pages[0])
        if len(pages) > 1:
            pixels, mode = stack(image, pages, max_bytes)
        else:
            mode = plain_mode(image)
            check_size(2 * picture_size(image) if is_deep else picture_size(image), max_bytes)
            pixels = decode_deep_png(image, data) if is_deep else as_array(image, mode)
        if image.format == "TIFF":
            pixels = as_stored(pixels, image)
        # Not asked before: Pillow turns a TIFF while it reads it, and then forgets the orientation.
        pixels = upright(pixels, image.getexif().get(0x0112, 1), first=int(len(pages) > 1))
        channels = pixels.ndim - (len(pages) > 1) > 2
        tags = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]
        return Picture(
            pixels,
            channels,
            has_alpha=channels and pixels.shape[-1] in (2, 4) and has_alpha(image),
            nodata=as_nodata(tags.get(NODATA)),
            durations=durations_of(image, pages) if len(pages) > 1 else None,
            loop=image.info.get("loop"),
        )


def as_nodata(text: object) -> float | None:
    """Read the value of missing data that GDAL writes into a TIFF."""
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def durations_of(image: "ImageFile", pages: Sequence[int]) -> tuple[int, ...] | None:
    """Return how long each frame of an animation is shown, in milliseconds."""
    if image.format not in ("GIF", "WEBP", "PNG"):
        return None
    found = []
    for page in pages:
        image.seek(page)
        found.append(round(image.info.get("duration", 0)))
    return tuple(found)


def check_page(page: int, count: int) -> None:
    """Check the number of a page."""
    if page >= count:
        raise FormatError(
            f"page={page} is not there: the file has {count}; give one from 0 to {count - 1}"
        )


def pages_of(image: "ImageFile") -> Sequence[int]:
    """Return the numbers of the pictures in a file that belong to the image."""
    if image.format in ("JPEG", "MPO", "HEIF"):
        return [image.tell()]  # the others are previews or other views
    pages = range(getattr(image, "n_frames", 1))  # which a damaged file may say are billions
    if image.format != "TIFF" or len(pages) == 1:
        return pages
    kinds = []
    for page in pages:
        image.seek(page)
        kinds.append(image.tag_v2.get(SUBFILE_TYPE, 0))  # type: ignore[attr-defined]
    return [page for page, kind in zip(pages, kinds, strict=True) if not kind & SMALLER] or [0]


def has_alpha(image: "ImageFile") -> bool:
    """Return whether the last of two or four channels is alpha: TIFF has to say so."""
    if image.format != "TIFF":
        return True
    extra = image.tag_v2.get(EXTRA_SAMPLES, ())  # type: ignore[attr-defined]
    return bool(set(extra) & {ASSOCIATED, UNASSOCIATED})


def as_stored(pixels: NDArray[Any], image: "ImageFile") -> NDArray[Any]:
    """Return gray of a TIFF in the dtype and the polarity that Pillow gives up."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    signed, bits = tags.get(SAMPLE_FORMAT, (1,))[0] == 2, tags.get(BITS_PER_SAMPLE, (1,))[0]
    if image.mode == "I" or (image.mode == "L" and signed and bits == 8):
        pixels = pixels.astype(f"{'i' if signed else 'u'}{bits // 8}")
    if image.mode.startswith("I") and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        pixels = np.iinfo(pixels.dtype).max - pixels
    return pixels


def open_image(data: bytes) -> "ImageFile":
    """Open an image file by the reader whose signature it has, without decoding it.

    `PIL.Image.open` does the same for a list of formats. But it also refuses
    images of more than 178 megapixels, and warns of those half as large: that
    limit is global, and no thread can lift it for itself alone.
    """
    from PIL import Image

    readers = list(READERS)
    if data[4:8] == b"ftyp" and any(brand in data[8:64] for brand in HEIC):
        import_pillow_heif()
        readers = ["HEIF"]
    for name in readers:
        try:
            importlib.import_module(f"PIL.{READERS.get(name, 'Image')}")
        except ImportError:  # an older Pillow
            continue
        read, accepts = Image.OPEN[name]
        if accepts is None or accepts(data[:16]) is not True:  # a string: Pillow lacks a library
            continue
        try:
            image: ImageFile = read(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:  # as in Image.open
            raise FormatError(
                f"this {name} file is damaged or of an unsupported kind: get it again, or save it "
                f"as PNG ({error})"
            ) from error
        return image
    raise FormatError("not an image of a known format: save it as PNG, JPEG or TIFF first")


def from_pillow(image: "Image") -> NDArray[Any]:
    """Return an image of Pillow as an array, as `decode` returns the same image in a file."""
    return as_array(image, plain_mode(image))


def import_pillow_heif() -> None:
    """Let Pillow open HEIC photos."""
    try:
        import pillow_heif
    except ImportError as error:
        raise FormatError(
            "HEIC photos need the package pillow-heif: install it with pip install pillow-heif, or "
            "save the photo as JPEG first"
        ) from error
    pillow_heif.register_heif_opener()


def plain_mode(image: "Image") -> str:
    """Return the mode to read a picture in: gray or RGB, with alpha where there is some."""
    if image.mode == "LAB":
        raise FormatError(
            "the image has LAB colors, which become RGB only by way of a color profile: convert it "
            "to RGB with an image editor first"
        )
    if "transparency" in image.info and image.mode in TRANSPARENT_MODES:
        return TRANSPARENT_MODES[image.mode]
    return PLAIN_MODES.get(image.mode, image.mode)


def picture_size(image: "ImageFile") -> int:
    """Return how many bytes the current picture takes while it is decoded."""
    from PIL import ImageMode

    # Later frames of a GIF may have colors and transparency though the first has none.
    mode = ImageMode.getmode("RGBA" if image.format == "GIF" else plain_mode(image))
    pixels = image.width * image.height
    if image.format == "TIFF":  # whose tiles may be larger than the picture
        tags = image.tag_v2  # type: ignore[attr-defined]
        pixels = max(pixels, tags.get(TILE_WIDTH, 0) * tags.get(TILE_LENGTH, 0))
    return pixels * len(mode.bands) * np.dtype(mode.typestr).itemsize


def as_array(image: "Image", mode: str) -> NDArray[Any]:
    """Decode the current picture and copy it into an array, converted to a mode, band by band."""
    image.load()
    convert = from_inks(image) if image.mode == "CMYK" else operator.methodcaller("convert", mode)
    width, height = image.size
    rows = max(1, BAND // width)
    pixels: NDArray[Any] = np.empty(0)
    for top in range(0, height, rows):
        band = np.asarray(convert(image.crop((0, top, width, min(top + rows, height)))))
        if top == 0:
            pixels = np.empty((height, *band.shape[1:]), band.dtype.newbyteorder("="))
        pixels[top : top + rows] = band
    return pixels


def from_inks(image: "Image") -> Callable[["Image"], Any]:
    """Return a function that converts parts of a CMYK image to RGB, and warn of that."""
    from PIL import ImageCms

    convert: Callable[[Image], Any] = operator.methodcaller("convert", "RGB")
    how = "the plain formula, as it has no color profile that can be applied"
    with contextlib.suppress(KeyError, ImportError, OSError, ImageCms.PyCMSError):
        inks = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        screen = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(inks, screen, "CMYK", "RGB")
        convert = functools.partial(ImageCms.applyTransform, transform=transform)
        how = "its color profile"
    warnings.warn(
        f"the image has CMYK colors, which were converted to RGB by {how}",
        UserWarning,
        stacklevel=7,
    )
    return convert


def stack(image: "ImageFile", pages: Sequence[int], max_bytes: float) -> tuple[NDArray[Any], str]:
    """Decode frames of an animation or pages of a file, in one mode; return that too."""
    size, mode, number = image.size, plain_mode(image), 0
    frames: NDArray[Any] = np.empty(0)
    while number < len(pages):
        image.seek(pages[number])
        check_size(len(pages) * picture_size(image), max_bytes)
        if image.size != size:
            raise FormatError(
                f"its pages have different sizes, {size} and {image.size}: choose one by page= "
                "(--page in the terminal)"
            )
        common = common_mode(mode, plain_mode(image))
        if common != mode:  # start over
            mode, number = common, 0
            continue
        frame = as_array(image, mode)
        if number == 0:
            frames = np.empty((len(pages), *frame.shape), frame.dtype)
        frames[number] = frame
        number += 1
    return frames, mode


def common_mode(one: str, other: str) -> str:
    """Return the mode that keeps all of two."""
    if one == other:
        return one
    if not {one, other} <= {"L", "LA", "RGB", "RGBA"}:
        raise FormatError(
            f"its pages have different kinds of pixels, {one} and {other}: choose one by page= "
            "(--page in the terminal)"
        )
    return ("RGB" if "RGB" in one + other else "L") + ("A" if "A" in one + other else "")


def needs_tifffile(image: "ImageFile") -> bool:
    """Return whether Pillow would lose bits, channels or axes of a TIFF, or finds it too large."""
    from PIL import Image

    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, samples = tags.get(BITS_PER_SAMPLE, (1,)), tags.get(SAMPLES_PER_PIXEL, 1)
    most = Image.MAX_IMAGE_PIXELS
    text = str(tags.get(DESCRIPTION, ""))
    try:
        pages = getattr(image, "n_frames", 1)
    except SyntaxError:  # a page of a kind that Pillow does not know
        return True
    return (
        (len(bits) > 1 and max(bits) > 8)
        or samples != len(image.getbands())
        or (image.mode == "LA" and tags.get(PLANES) == 2)
        or tags.get(COMPRESSION) == WEBP
        or (text.startswith("ImageJ=") and ("channels=" in text or pages == 1))
        or ("<OME" in text and pages > 1)
        or (most is not None and image.width * image.height > 2 * most)
    )


def decode_tiff(data: bytes, max_bytes: float, number: int | None) -> Picture:
    """Decode a TIFF by tifffile, if it holds gray or RGB values."""
    tifffile = import_tifffile()
    check_chain(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        series = file.series[0]
        page, axes = series.keyframe, series.axes
        colors = page.photometric.name
        if colors not in ("MINISBLACK", "MINISWHITE", "RGB") or page.bitspersample < 8:
            raise FormatError(
                f"TIFF with {colors} colors and {page.bitspersample} bits per channel is not "
                "supported: save it as PNG first"
            )
        check_size(max(series.size, math.prod(page.chunks)) * series.dtype.itemsize, max_bytes)
        check_segments(series, data)
        pixels: NDArray[Any] = series.asarray()
        orientation = page.tags.valueof(ORIENTATION, 1)
        extra, nodata = page.extrasamples, page.tags.valueof(NODATA)
    if colors == "MINISWHITE" and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    # Samples and channels go last, whether the file keeps them in planes, pages or pixels.
    last = [place for place, axis in enumerate(axes) if axis in "CS"]
    pixels = pixels.transpose(*(n for n in range(len(axes)) if n not in last), *last)
    if last:
        pixels = pixels.reshape(*pixels.shape[: -len(last)], -1)
    if extra == (ASSOCIATED,) and pixels.dtype.kind in "uf":
        pixels = np.array(pixels)
        divide_by_alpha(pixels)
    first = pixels.ndim - 2 - bool(last)
    if number is not None:
        check_page(number, math.prod(pixels.shape[:first]))
        pixels = pixels.reshape(-1, *pixels.shape[first:])[number]
        first = 0
    return Picture(
        upright(pixels, orientation, first),
        has_channels=bool(last),
        has_alpha=bool(set(extra) & {ASSOCIATED, UNASSOCIATED}),
        nodata=as_nodata(nodata),
    )


def check_chain(data: bytes) -> None:
    """Check that the pages of a TIFF do not lead in a circle, in which tifffile would go on."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")  # BigTIFF
    count, tag, link = ("Q", 20, "Q") if is_big else ("H", 12, "L")
    place, seen = 8 if is_big else 4, set()
    # Of a page beyond the end of the file, tifffile tells.
    with contextlib.suppress(struct.error, OverflowError):
        while page := struct.unpack_from(order + link, data, place)[0]:
            if page in seen:
                raise FormatError("its pages lead in a circle: the file is damaged, get it again")
            seen.add(page)
            tags = struct.unpack_from(order + count, data, page)[0]
            place = page + struct.calcsize(count) + tags * tag


def divide_by_alpha(pixels: NDArray[Any]) -> None:
    """Get back the colors that were multiplied by their alpha, in place."""
    top = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    for row in pixels.reshape(-1, *pixels.shape[-2:]):  # so that copies in float64 are small
        alpha = row[:, -1:].astype(np.float64)
        factor = np.divide(top, alpha, out=np.zeros_like(alpha), where=alpha > 0)
        colors = row[:, :-1] * factor
        row[:, :-1] = colors if top == 1 else np.rint(colors).clip(0, top)


def check_segments(series: Any, data: bytes) -> None:
    """Check that no segment of a TIFF unpacks to more than its pixels, which could fill the memory.

    Without imagecodecs, tifffile unpacks by functions that have no limit.
    """
    from importlib.util import find_spec  # here, since most images do without it

    page = series.keyframe
    method = page.compression.name
    if method in ("NONE", "PACKBITS") or find_spec("imagecodecs"):
        return
    if method not in ("ADOBE_DEFLATE", "DEFLATE"):
        raise FormatError(
            f"TIFF compressed by {method} needs the package imagecodecs: install it with "
            'pip install "kmeans_seg[tiff]", or save the image as PNG first'
        )
    segment = math.prod(page.chunks) * series.dtype.itemsize
    for part in series.pages:
        for start, count in zip(part.dataoffsets, part.databytecounts, strict=True):
            unpacker, size, end = zlib.decompressobj(), 0, min(start + count, len(data))
            for place in range(start, end, STEP):
                size += len(unpacker.decompress(data[place : min(place + STEP, end)]))
                if size > 2 * segment:  # a few bytes more are harmless
                    raise FormatError("the image is damaged: get the file again")


def decode_deep_png(image: "ImageFile", data: bytes) -> NDArray[np.uint16]:
    """Decode a PNG of 16 bits per channel: once for its high bytes, once for its low ones."""
    mode = DEEP_MODES.get(data[25])
    if mode is None:
        pixels = as_array(image, image.mode).astype(np.uint16)[..., np.newaxis]
    elif mode == "LA":  # four bytes a pixel, like RGBA of 8 bits
        header = data[12:24] + bytes([8, 6]) + data[26:29]
        check = struct.pack(">I", zlib.crc32(header))
        with open_image(data[:12] + header + check + data[33:]) as rgba:
            return as_array(rgba, "RGBA").view(">u2").astype(np.uint16)
    else:
        pixels = np.zeros((image.height, image.width, len(mode)), np.uint16)
        for order in "BL":
            with open_image(data) as half:
                half.tile = [tile._replace(args=f"{mode};16{order}") for tile in half.tile]
                pixels <<= 8
                pixels |= as_array(half, mode)
    if "transparency" in image.info:
        visible = (pixels != np.array(image.info["transparency"])).any(axis=-1, keepdims=True)
        return np.concatenate((pixels, visible * np.uint16(65535)), axis=-1)
    return pixels if mode else pixels[..., 0]


def decode_deep_pnm(data: bytes, header: re.Match[bytes]) -> NDArray[np.uint16]:
    """Decode a PGM or PPM of more than 8 bits per channel, with the values that are stored."""
    kind, width, height, _ = (int(number) for number in header.groups())
    shape = (height, width) if kind in (2, 5) else (height, width, 3)
    if kind in (5, 6):
        pixels = np.frombuffer(data, ">u2", math.prod(shape), header.end())
    else:
        text = re.sub(rb"#[^\n]*", b"", data[header.end() :])
        pixels = np.fromstring(text, np.uint16, sep=" ")[: math.prod(shape)]
    return pixels.reshape(shape).astype(np.uint16)


def upright(pixels: NDArray[Any], orientation: int, first: int = 0) -> NDArray[Any]:
    """Turn and mirror an image as its EXIF orientation, from 1 to 8, says.

    Its rows and columns are the axis `first` and the next one.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(first, first + 1)
    if orientation in (2, 3, 6, 7):
        pixels = np.flip(pixels, first + 1)
    if orientation in (3, 4, 7, 8):
        pixels = np.flip(pixels, first)
    return pixels


# Encoding


def encode(picture: Picture, suffix: str) -> bytes:
    """Encode an image as the content of a file with this suffix."""
    pixels = picture.pixels
    try:
        return encode_npy(pixels) if suffix == ".npy" else encode_image(picture, suffix)
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # each encoder has its own way to say what it cannot hold
        raise FormatError(
            f"this format cannot hold an image of shape {pixels.shape} and dtype {pixels.dtype}: "
            f"write to {'.tif' if picture.is_stack else '.png'} instead ({error})"
        ) from error


def encode_npy(pixels: NDArray[Any]) -> bytes:
    """Encode an array as an .npy file."""
    file = io.BytesIO()
    np.save(file, pixels, allow_pickle=False)
    return file.getvalue()


def encode_image(picture: Picture, suffix: str) -> bytes:
    """Encode an image, or a stack, by Pillow."""
    from PIL import Image

    pixels, many = picture.pixels, picture.is_stack
    channels = pixels.shape[-1] if picture.has_channels else 1
    deep = pixels.dtype != np.uint8
    if deep and channels > 1 and suffix == ".png":
        return encode_deep_png(pixels)
    if channels > 4 or (deep and (channels > 1 or pixels.dtype not in (np.uint16, np.float32))):
        return encode_tiff(picture)
    if suffix == ".png" and channels == 3 and not many:
        few = encode_few_colors(pixels)
        if few is not None:
            return few
    name, options = WRITERS[suffix]
    first, *others = [Image.fromarray(frame) for frame in (pixels if many else [pixels])]
    if others:
        options = {**options, "save_all": True, "append_images": others}
        if suffix in ANIMATED:
            timing = {"duration": picture.durations, "loop": picture.loop}
            options |= {name: value for name, value in timing.items() if value is not None}
    file = io.BytesIO()
    first.save(file, name, **options)
    # A GIF may lose colors.
    if many or suffix == ".gif":
        back = decode(file.getvalue(), np.inf)
        found = back.pixels[np.newaxis] if many and not back.is_stack else back.pixels
        shown, meant = as_rgba(found, many), as_rgba(pixels, many)
        if many and picture.durations:  # a frame like the one before is only shown for longer
            shown, meant = without_repeats(shown), without_repeats(meant)
        if not np.array_equal(shown, meant):
            raise ValueError(
                "a GIF has 256 colors, and an animation neither the same frame twice in a row nor "
                "colors under transparent pixels"
            )
    return file.getvalue()


def without_repeats(frames: NDArray[Any]) -> NDArray[Any]:
    """Leave out frames that are equal to the one before."""
    axes = tuple(range(1, frames.ndim))
    differs = np.append(True, (frames[1:] != frames[:-1]).any(axis=axes))
    result: NDArray[Any] = frames[differs]
    return result


def as_rgba(pixels: NDArray[Any], many: bool) -> NDArray[Any]:
    """Return gray or RGB, with or without alpha, as RGBA: what two files show alike is alike."""
    if pixels.ndim == 2 + many:
        pixels = pixels[..., np.newaxis]
    channels = pixels.shape[-1]
    colors = pixels[..., :3] if channels > 2 else pixels[..., [0, 0, 0]]
    alpha = pixels[..., -1:] if channels % 2 == 0 else np.full_like(pixels[..., :1], 255)
    return np.concatenate((colors, alpha), axis=-1)


def encode_few_colors(pixels: NDArray[np.uint8]) -> bytes | None:
    """Encode RGB of at most 256 colors as PNG with a palette: smaller and faster."""
    from PIL import Image

    from .strategies import STRATEGIES

    rows = pixels.reshape(-1, 3)
    for some in (rows[: 2**16], rows):  # a few tell of most photos that there are more
        found = STRATEGIES["fast"].distinct_colors([some])
        if len(found.colors) > 256:
            return None
    look_up = found.look_up(np.arange(len(found.colors), dtype=np.int32))
    indices = np.empty(pixels.shape[:2], np.uint8)
    for row, index in zip(pixels, indices, strict=True):
        index[:] = look_up(row)
    picture = Image.fromarray(indices)
    picture.putpalette(found.colors.tobytes())
    buffer = io.BytesIO()
    # To look for runs alone is five times as fast as Pillow's default, and there are many runs.
    picture.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def encode_tiff(picture: Picture) -> bytes:
    """Encode as TIFF, by tifffile, what Pillow cannot write: deep channels or more than four."""
    tifffile = import_tifffile()
    channels = picture.pixels.shape[-1] if picture.has_channels else 1
    alpha = ["unassalpha"] if channels in (2, 4) else []
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        picture.pixels,
        photometric="rgb" if channels in (3, 4) else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=alpha if channels < 5 else ["unspecified"] * (channels - 1),
        compression="zlib",
        metadata={"axes": "T" * picture.is_stack + "YX" + "S" * (channels > 1)},
    )
    return file.getvalue()


def import_tifffile() -> Any:
    """Import tifffile, which is an extra."""
    try:
        import tifffile
    except ImportError as error:
        raise FormatError(
            "this kind of TIFF, such as 16 bits per color channel, needs the package tifffile: "
            'install it with pip install "kmeans_seg[tiff]", or use PNG'
        ) from error
    return tifffile


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
