"""decode() and encode(): only known formats, no more memory than allowed, and no pixel changed."""

import importlib.util
import io
import itertools
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from doses import THOROUGH, dose
from numpy.typing import NDArray
from PIL import Image

from kmeans_seg import codecs, read, segment, write
from kmeans_seg.codecs import FormatError, Picture, decode
from kmeans_seg.files import MAX_BYTES, as_writable
from kmeans_seg.image import unwrapped
from kmeans_seg.teaching.preview import as_picture

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (9, 8), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 8, 3), dtype=np.uint8)


def encode(pixels: NDArray[Any], suffix: str) -> bytes:
    """Encode an image (H, W), (H, W, C) or a stack (T, H, W, C)."""
    return codecs.encode(Picture(pixels, pixels.ndim > 2, has_alpha=False), suffix)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return an image as a file of Pillow's."""
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    shape: tuple[int, int], depth: int, color: int, pixels: bytes = b"", *extra: bytes
) -> bytes:
    """Make a PNG file of packed rows, each with its filter in front, and extra chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *shape[::-1], depth, color, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + end


def packed(values: NDArray[Any], depth: int) -> bytes:
    """Pack samples of a PNG, each row with the filter 0 in front."""
    rows = values.reshape(len(values), -1)
    if depth == 16:
        return b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    bits = (rows[..., np.newaxis] >> np.arange(depth)[::-1]) & 1
    filled = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in filled)


def gif(size: tuple[int, int], frames: int) -> bytes:
    """Make a GIF of equal frames, each of which is one short block."""
    one = b"," + struct.pack("<4H", 0, 0, *size) + b"\0\2\2\x4c\1\0"
    return b"GIF89a" + struct.pack("<2H", *size) + b"\x80\0\0" + bytes(6) + one * frames + b";"


def tiff(size: tuple[int, int], bits: list[int], data: bytes = b"", **tags: int) -> bytes:
    """Make a TIFF of one strip, or of one tile, that holds the data."""
    numbers = {"compression": 259, "tile_width": 322, "tile_length": 323}
    entries = {
        256: size[0], 257: size[1], 259: 1, 262: 2 if len(bits) == 3 else 1, 277: len(bits),
        **{numbers[name]: value for name, value in tags.items()},
    }  # fmt: skip
    place = 8 + 2 + 12 * (len(entries) + 3 + ("tile_width" not in tags)) + 4
    entries |= {258: place if len(bits) > 2 else bits[0]}
    content = place + 2 * len(bits)
    if "tile_width" in tags:
        entries |= {324: content, 325: len(data)}
    else:
        entries |= {273: content, 278: size[1], 279: len(data)}
    file = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, value in sorted(entries.items()):
        kind, count = (3, len(bits)) if tag == 258 else (4, 1)
        file += struct.pack("<HHII", tag, kind, count, value)
    return file + bytes(4) + struct.pack(f"<{len(bits)}H", *bits) + data


def bmp(size: tuple[int, int], data: bytes) -> bytes:
    """Make a BMP with run lengths."""
    start = 54 + 1024
    return (
        b"BM"
        + struct.pack("<IHHI", start + len(data), 0, 0, start)
        + struct.pack("<IiiHHIIiiII", 40, *size, 1, 8, 1, len(data), 0, 0, 256, 0)
        + bytes(1024)
        + data
    )


def webp(size: tuple[int, int], frames: int) -> bytes:
    """Make an animated WebP of equal frames."""

    def part(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    def three(*values: int) -> bytes:
        return b"".join(struct.pack("<I", value)[:3] for value in values)

    width, height = size[0] - 1, size[1] - 1
    picture = saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    frame = part(b"ANMF", three(0, 0, 7, 7, 10) + b"\0" + picture)
    head = part(b"VP8X", b"\2\0\0\0" + three(width, height)) + part(b"ANIM", bytes(6))
    content = b"WEBP" + head + frame * frames
    return b"RIFF" + struct.pack("<I", len(content)) + content


def npy(shape: tuple[int, ...], descr: str = "<f8", data: bytes = b"") -> bytes:
    """Make an .npy file whose header may say anything."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data


# What is opened


# How Pillow writes each format that is read, and what of an image has to come back.
WRITTEN: dict[str, dict[str, Any]] = {
    "PNG": {}, "TIFF": {}, "GIF": {}, "BMP": {}, "PPM": {}, "WEBP": {"lossless": True},
    "JPEG2000": {}, "JPEG": {"quality": 100, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}  # fmt: skip


def test_every_reader_is_tested() -> None:
    assert set(WRITTEN) == set(codecs.READERS)


@pytest.mark.parametrize("name", WRITTEN)
def test_known_formats_are_read(name: str) -> None:
    colors = RNG.integers(0, 256, (2, 3, 3), dtype=np.uint8)
    image = np.kron(colors, np.ones((16, 16, 1), np.uint8))
    try:
        data = saved(Image.fromarray(image), name, **WRITTEN[name])
    except KeyError:
        pytest.skip("this Pillow does not write it")
    result = decode(data, MAX_BYTES).pixels
    assert result.dtype == np.uint8
    loss = {"JPEG": 4, "AVIF": 4}.get(name, 0)
    assert np.abs(result.astype(int) - image).max() <= loss


@pytest.mark.parametrize("name", ["DDS", "EPS", "ICO", "PCX", "PDF", "SGI", "SPIDER", "TGA"])
def test_other_formats_are_not_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(RGB if name != "SPIDER" else GRAY)
    data = saved(image.convert("F") if name == "SPIDER" else image, name)
    forbid_programs(monkeypatch)
    with pytest.raises(
        FormatError, match="not an image of a known format: save it as PNG, JPEG or TIFF"
    ):
        decode(data, MAX_BYTES)


def heic(image: NDArray[Any]) -> bytes:
    """Make a HEIC photo."""
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(image)).save(file, quality=-1)
    return file.getvalue()


def test_a_heic_photo_is_read_or_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.kron(RGB[:2, :3] // 4 * 4, np.ones((32, 32, 1), np.uint8))
    data = heic(image)
    result = decode(data, MAX_BYTES).pixels
    assert result.shape == image.shape
    assert np.abs(result.astype(int) - image).max() <= 6
    with pytest.raises(FormatError, match="too large"):
        decode(data, image.nbytes - 1)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(FormatError, match="pip install pillow-heif, or save the photo as JPEG"):
        decode(data, MAX_BYTES)


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
(touched) (w) file closefile showpage
%%EOF
"""


def forbid_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever starts a program fail."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    for name in ("Popen", "run", "check_call", "check_output", "call"):
        monkeypatch.setattr(subprocess, name, fail)
    monkeypatch.setattr("os.system", fail)


@pytest.mark.parametrize(
    "data",
    [
        POSTSCRIPT,
        b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, len(POSTSCRIPT), 0, 0, 0, 0) + POSTSCRIPT,
        b"%PDF-1.4\n",
        b"\xd7\xcd\xc6\x9a" + bytes(100),  # a Windows metafile
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_no_program_is_started(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_programs(monkeypatch)
    with pytest.raises(FormatError, match="not an image of a known format"):
        decode(data, MAX_BYTES)


def test_a_reader_that_this_pillow_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.fromarray(RGB), "PNG")
    readers = {"NEW": "NewImagePlugin", **codecs.READERS}
    monkeypatch.setattr(codecs, "READERS", readers)
    assert np.array_equal(decode(data, MAX_BYTES).pixels, RGB)
    factory, _ = Image.OPEN["PNG"]
    monkeypatch.setitem(Image.OPEN, "PNG", (factory, lambda _: "support not installed"))
    with pytest.raises(FormatError, match="not an image of a known format"):
        decode(data, MAX_BYTES)


# How much memory is used


TOO_LARGE = {
    "GIF": gif((13_000, 13_000), 12),
    "many frames": gif((13_000, 13_000), 1000),
    "PNG": png((40_000, 40_000), 8, 2),
    "16 bits": png((30_000, 30_000), 16, 6),
    "APNG": png((1, 1), 8, 2, b"", chunk(b"acTL", struct.pack(">2I", 2**31 - 1, 0))),
    "sparse TIFF": tiff((60_000, 60_000), [16, 16, 16]),
    "gray TIFF": tiff((100_000, 100_000), [8]),
    "a tile": tiff((9, 9), [8], tile_width=2**17, tile_length=2**17),
    "a deep tile": tiff((9, 9), [16, 16, 16], tile_width=2**17, tile_length=2**17),
    "BMP": bmp((60_000, 60_000), b"\0\1"),
    "WebP": webp((10_000, 10_000), 100),
    "PPM": b"P6 100000 100000 255\n",
    "deep PPM": b"P6 30000 30000 65535\n",
    "JPEG": saved(Image.fromarray(RGB), "JPEG").replace(
        struct.pack(">HH", 9, 8), struct.pack(">HH", 65_000, 65_000), 1
    ),
    "npy": npy((2**40, 2**40)),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_found_before_it_is_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(codecs, "as_array", decoded)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", decoded)
    with pytest.raises(FormatError, match=r"the image is too large: .* bytes, .* raise max_bytes"):
        decode(TOO_LARGE[name], MAX_BYTES)


def test_what_pillow_itself_finds_too_large_is_not_called_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = saved(Image.new("P", (9, 9)), "GIF")
    grows = small[:-1] + gif((65_535, 65_535), 1)[19:]
    with pytest.raises(FormatError, match="too large for a file of this format: save it as PNG"):
        decode(grows, MAX_BYTES)
    # The remedy is tried with a lower limit, since such a picture takes a while.
    frame = Image.fromarray(RGB)
    data = saved(frame, "GIF", save_all=True, append_images=[frame.resize((30, 30))])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(FormatError, match="MAX_IMAGE_PIXELS = None"):
        decode(data, MAX_BYTES)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    decode(data, MAX_BYTES)


LIMITED = ["PNG", "TIFF", "GIF", "WEBP", "BMP", "JPEG", "npy", "deep", "JP2", "PPM", "AVIF"]


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("frames", [1, 3])
def test_the_limit_is_exact(name: str, frames: int) -> None:
    stack = np.stack([RGB * 0 + 50 * n for n in range(frames)]) if frames > 1 else RGB * 0
    suffix = "." + name.lower().replace("jpeg", "jpg").replace("deep", "tif")
    if suffix in (".bmp", ".jpg", ".jp2", ".ppm", ".avif") and frames > 1:
        return
    if name == "AVIF" and name not in Image.SAVE:
        pytest.skip("this Pillow does not write it")
    data = encode(stack.astype(np.uint16 if name == "deep" else np.uint8), suffix)
    size = decode(data, np.inf).pixels.nbytes
    if name == "GIF":
        size = size * 4 // 3  # as if there were transparency
    decode(data, size)
    with pytest.raises(FormatError, match=f"too large: {size:,} bytes, and at most"):
        decode(data, size - 1)


def test_a_page_that_is_larger_than_the_first_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.BytesIO()
    pages = [Image.fromarray(GRAY), Image.fromarray(np.zeros((5000, 5000), np.uint8))]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(FormatError, match="too large: 50,000,000"):
        decode(file.getvalue(), 10_000_000)


@pytest.mark.parametrize("method", ["ADOBE_DEFLATE", "DEFLATE"])
def test_a_strip_of_a_tiff_that_unpacks_to_more_than_its_pixels_is_damaged(method: str) -> None:
    number = {"ADOBE_DEFLATE": 8, "DEFLATE": 32946}[method]
    bomb = zlib.compress(bytes(10**7), 9)
    with pytest.raises(FormatError, match=r"damaged.*: get the file again"):
        decode(tiff((10, 10), [16, 16, 16], bomb, compression=number), MAX_BYTES)
    good = zlib.compress(bytes(600))
    result = decode(tiff((10, 10), [16, 16, 16], good, compression=number), MAX_BYTES).pixels
    assert result.shape == (10, 10, 3)
    assert not result.any()


def test_a_tiff_that_needs_another_package_names_it() -> None:
    if importlib.util.find_spec("imagecodecs"):
        pytest.skip("imagecodecs is there")
    with pytest.raises(FormatError, match="compressed by LZW needs the package imagecodecs"):
        decode(tiff((10, 10), [16, 16, 16], b"\x80\x0b", compression=5), MAX_BYTES)


STARVING = """
import io, resource, sys
import numpy as np
import tifffile
from PIL import Image
from kmeans_seg import codecs

def encode(pixels, suffix):
    return codecs.encode(codecs.Picture(pixels, True, False), suffix)

codecs.decode(encode(np.zeros((9, 9, 3), np.uint16), ".tif"), 1e9)
for name in sys.argv[1:]:
    dtype = np.uint16 if name.startswith("deep") else np.uint8
    data = encode(np.zeros((3600, 3600, 3), dtype), "." + name.split()[-1])
    pages = int(open("/proc/self/statm").read().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2 * 10**7, limits[1]))
    try:
        codecs.decode(data, 1e9)
    except Exception as error:
        print(name, type(error).__mro__[-4 if len(type(error).__mro__) > 4 else 0].__name__)
    resource.setrlimit(resource.RLIMIT_AS, limits)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the memory")
def test_too_little_memory_is_no_damage() -> None:
    kinds = ["deep tif"]
    if THOROUGH:
        kinds += ["jpg", "npy", "png", "deep png", "tif", "bmp", "gif"]
    done = subprocess.run(
        [sys.executable, "-c", STARVING, *kinds],
        capture_output=True,
        text=True,
        timeout=120,
        # So that what is freed goes back to the system, and large arrays are new memory.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "100000"},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"{kind} MemoryError" for kind in kinds]


def test_threads_leave_no_filter_of_warnings_behind() -> None:
    files = [encode(RGB, suffix) for suffix in (".png", ".tif", ".jpg", ".webp", ".bmp", ".npy")]
    before = list(warnings.filters)
    results: list[NDArray[Any]] = []

    def work() -> None:
        for data in files * 5:
            results.append(decode(data, MAX_BYTES).pixels)  # noqa: PERF401

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
    assert len(results) == 8 * 5 * len(files)


# What comes back


IMAGES = [
    (9, 8), (9, 3), (9, 4), (1, 1), (9, 8, 1), (9, 8, 2), (9, 8, 3), (9, 8, 4), (9, 8, 5),
    (9, 8, 12), (3, 9, 8, 1), (3, 9, 8, 2), (3, 9, 8, 3), (3, 9, 8, 4), (1, 9, 8, 3),
    (3, 9, 3, 3), (3, 1, 1, 3), (3, 9, 2, 4), (3, 9, 8, 5),
]  # fmt: skip
GRAY_STACKS = [(3, 9, 8), (1, 9, 8), (3, 2, 5), (3, 9, 3), (20, 30, 40)]
KINDS: dict[str, Callable[[tuple[int, ...]], NDArray[Any]]] = {
    "few colors": lambda shape: RNG.integers(0, 3, shape).astype(np.uint8) * 100,
    "colors": lambda shape: RNG.integers(0, 256, shape, dtype=np.uint8),
    "opaque": lambda shape: np.maximum(
        RNG.integers(0, 256, shape, dtype=np.uint8), 255 * (np.arange(shape[-1]) % 2).astype("u1")
    ),
    "dark 16 bits": lambda shape: RNG.integers(0, 256, shape, dtype=np.uint16),
    "16 bits": lambda shape: RNG.integers(0, 65536, shape, dtype=np.uint16),
    "bool": lambda shape: RNG.random(shape) < 0.5,
    "labels": lambda shape: RNG.integers(-1, 9, shape).astype(np.int32),
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif", ".bmp", ".webp"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back_or_refused(suffix: str, kind: str) -> None:
    for shape in [*IMAGES, *GRAY_STACKS][:: dose(3, 1)]:
        image = KINDS[kind](shape)
        axis = None if shape in GRAY_STACKS else -1
        try:
            picture = as_writable(f"a{suffix}", image, axis)
            data = codecs.encode(picture, suffix)
        except ValueError:
            if suffix == ".png":
                assert len(shape) > 3 or shape[-1] > 4 or kind in ("16 bits", "bool")
            assert suffix != ".tif"
            continue
        result = decode(data, MAX_BYTES)
        pixels, found, many = picture.pixels, result.pixels, picture.is_stack
        if many and len(pixels) == 1 < len(found):  # one page is no stack
            pixels, many = pixels[0], False
        assert found.dtype == pixels.dtype
        if suffix in (".gif", ".webp"):  # they have no gray, and may add alpha or leave it out
            found, pixels = codecs.as_rgba(found, many), codecs.as_rgba(pixels, many)
        else:
            assert result.has_channels == picture.has_channels
            assert result.has_alpha == (picture.has_channels and pixels.shape[-1] in (2, 4))
        assert np.array_equal(found, pixels), shape


@pytest.mark.parametrize(
    ("suffix", "shape", "message"),
    [
        (".bmp", (9, 8, 2), "cannot hold an image of shape"),
        (".jpg", (9, 8, 4), "cannot hold an image of shape"),
        (".gif", (9, 80, 3), "a GIF has 256 colors"),
        (".webp", (3, 9, 8, 4), "colors under transparent pixels"),
    ],
)
def test_what_would_change_is_refused(suffix: str, shape: tuple[int, ...], message: str) -> None:
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    image[..., -1] *= image[..., -1] > 99
    other = ".tif" if len(shape) == 4 else ".png"
    with pytest.raises(FormatError, match=rf"write to \{other} instead \(.*{message}|{message}"):
        encode(image, suffix)
    assert np.array_equal(decode(encode(image, other), MAX_BYTES).pixels, image)


def test_a_pgm_has_16_bits_of_gray_and_of_nothing_else(tmp_path: Path) -> None:
    gray, path = some((20, 30), "u2"), tmp_path / "a.pgm"
    write(path, gray)
    assert path.read_bytes().startswith(b"P5")
    assert np.array_equal(read(path), gray)
    with pytest.raises(ValueError, match=r"cannot hold 16 bits.*write to \.tif or \.png"):
        write(path, np.dstack([gray] * 3))


def test_the_color_of_transparent_pixels_is_kept() -> None:
    image = RNG.integers(0, 256, (9, 8, 4), dtype=np.uint8)
    image[::2, :, 3] = 0
    for suffix in (".png", ".tif", ".webp"):
        assert np.array_equal(decode(encode(image, suffix), MAX_BYTES).pixels, image)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_gray_becomes_alpha(depth: int) -> None:
    values = RNG.integers(0, 2**depth, (9, 8))
    clear = int(values.max())
    data = png((9, 8), depth, 0, packed(values, depth), chunk(b"tRNS", struct.pack(">H", clear)))
    result = decode(data, MAX_BYTES).pixels
    most = 65535 if depth == 16 else 255
    assert result.dtype == (np.uint16 if depth == 16 else np.uint8)
    assert np.array_equal(result[..., 0], values * (most // (2**depth - 1)))
    assert np.array_equal(result[..., 1], np.where(values == clear, 0, most))


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_color_becomes_alpha(depth: int) -> None:
    values = RNG.integers(0, 2**depth, (9, 8, 3))
    values[2:5] = values[1]
    values[6] ^= [1, 0, 0]  # which 16 bits tell from the others, and the high bytes do not
    clear = values[1, 2]
    data = png((9, 8), depth, 2, packed(values, depth), chunk(b"tRNS", struct.pack(">3H", *clear)))
    result = decode(data, MAX_BYTES).pixels
    assert np.array_equal(result[..., :3], values)
    same = (values == clear).all(axis=-1)
    assert 1 < same.sum() < same.size
    assert np.array_equal(result[..., 3], np.where(same, 0, 2**depth - 1))


def test_an_animation_of_16_bits_is_refused() -> None:
    data = saved(Image.fromarray(RGB), "PNG", save_all=True, append_images=[Image.fromarray(~RGB)])
    header = data[12:24] + b"\x10" + data[25:29]
    deep = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    with pytest.raises(FormatError, match=r"animations with 16 bits per channel.*save the frames"):
        decode(deep, MAX_BYTES)


def test_pages_of_different_kinds_have_the_kind_that_holds_both() -> None:
    frames = {
        "L": Image.fromarray(GRAY), "LA": Image.fromarray(RGB[..., :2]),
        "RGB": Image.fromarray(RGB), "RGBA": Image.fromarray(np.dstack((RGB, GRAY))),
        "I;16": Image.fromarray(GRAY.astype(np.uint16)),
    }  # fmt: skip
    for one, other in itertools.permutations(frames, 2):
        data = saved(frames[one], "TIFF", save_all=True, append_images=[frames[other]])
        if "I;16" in (one, other):
            with pytest.raises(FormatError, match=r"different kinds of pixels.*page="):
                decode(data, MAX_BYTES)
            continue
        result = decode(data, MAX_BYTES).pixels
        for page, name in zip(result, (one, other), strict=True):
            assert np.array_equal(
                codecs.as_rgba(page, many=False),
                codecs.as_rgba(np.asarray(frames[name]), many=False),
            )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5), "image has 1 dimensions"),
        (np.zeros((0, 5)), "image is empty"),
        (np.zeros((5, 5), complex), "image has dtype complex128"),
        (np.zeros((5, 5), "U3"), "image has dtype <U3"),
        (np.zeros((5, 5), "M8[s]"), "image has dtype datetime64"),
        (np.zeros((5, 5), [("r", "u1")]), "image has dtype"),
    ],
)
def test_an_array_that_is_no_image_is_neither_read_nor_written(
    image: NDArray[Any], message: str, tmp_path: Any
) -> None:
    file = io.BytesIO()
    np.save(file, image)
    with pytest.raises(FormatError, match=message):
        decode(file.getvalue(), MAX_BYTES)


@pytest.mark.parametrize(
    "data",
    [
        npy((-1, 5), data=bytes(400)),
        npy((-2, -5), data=bytes(400)),
        npy((5, 5), data=bytes(199)),
        npy((5, 5), "nonsense", bytes(999)),
        b"\x93NUMPY\1\0",
        b"\x93NUMPY\3\0" + npy((5, 5), data=bytes(200))[8:],
    ],
)
def test_a_header_that_does_not_fit_is_damage(data: bytes) -> None:
    with pytest.raises(FormatError, match="damaged or cut short: get the file again"):
        decode(data, MAX_BYTES)


@pytest.mark.parametrize("dtype", ["?", "u1", ">u2", "<i4", ">f8", "f2"])
def test_arrays_come_back_in_the_order_of_the_machine(dtype: str) -> None:
    image = RNG.integers(0, 2, (5, 4, 3)).astype(dtype)
    for stored in (image, np.asfortranarray(image), image[::-1, ::2]):
        result = decode(encode(stored, ".npy"), MAX_BYTES).pixels
        assert np.array_equal(result, stored)
        assert result.dtype.isnative
        assert result.flags.c_contiguous
        assert result.flags.writeable


# Images of Pillow


def profile() -> bytes:
    """Make a color profile for CMYK: white without ink, black of the fourth, gray of any other."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    corners = itertools.product([0, 1], repeat=4)
    lightness = [0 if key else 128 if any(inks) else 255 for *inks, key in corners]
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += bytes(range(256)) * 4
    table += b"".join(bytes([level, 128, 128]) for level in lightness)
    table += bytes(range(256)) * 3
    white = b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)
    text = b"text" + bytes(4) + b"none\0\0\0\0"
    tags = {b"A2B0": table, b"wtpt": white, b"cprt": text, b"desc": text}
    place = 128 + 4 + 12 * len(tags)
    index = struct.pack(">I", len(tags))
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        index += name + struct.pack(">II", place, len(content))
        place += len(content)
    body = index + b"".join(content + bytes(-len(content) % 4) for content in tags.values())
    head = struct.pack(
        ">I4sI4s4s4s12s4s", 0, bytes(4), 0x02100000, b"prtr", b"CMYK", b"Lab ", bytes(12), b"acsp"
    )
    head += bytes(28) + fixed(0.9642, 1, 0.8249)
    file = head.ljust(128, b"\0") + body
    return struct.pack(">I", len(file)) + file[4:]


@pytest.mark.parametrize("name", ["TIFF", "JPEG"])
def test_inks_are_converted_by_the_profile_of_the_file(name: str) -> None:
    inks = np.zeros((16, 64, 4), np.uint8)
    inks[:, 16:32, 0] = inks[:, 32:48, 1] = inks[:, 48:, 3] = 255
    image = Image.fromarray(inks, "CMYK")
    with pytest.warns(UserWarning, match=r"CMYK colors.*by its color profile"):
        result = decode(saved(image, name, icc_profile=profile()), MAX_BYTES).pixels
    assert result.shape == (16, 64, 3)
    middle = result[8, 8::16].astype(int)
    assert np.abs(middle - [[255] * 3, [119] * 3, [119] * 3, [0] * 3]).max() <= 4
    with pytest.warns(UserWarning, match=r"CMYK colors.*by the plain formula"):
        result = decode(saved(image, name, icc_profile=b"damaged"), MAX_BYTES).pixels
    middle = result[8, 8::16].astype(int)
    assert np.abs(middle - [[255] * 3, [0, 255, 255], [255, 0, 255], [0] * 3]).max() <= 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16", "I", "F", "La", "RGBa"])
def test_an_image_of_pillow_is_what_read_makes_of_it(mode: str) -> None:
    image = Image.fromarray(GRAY.astype(np.uint16)) if mode == "I;16" else Image.fromarray(RGB)
    if mode in ("I", "F"):
        image = Image.fromarray(GRAY).convert(mode)
    elif mode in ("La", "RGBa"):
        image = image.convert("LA" if mode == "La" else "RGBA").convert(mode)
    elif mode != "I;16":
        image = image.convert(mode)
    assert image.mode == mode
    result = codecs.from_pillow(image)
    if mode not in ("La", "RGBa"):
        assert np.array_equal(result, decode(saved(image, "TIFF"), MAX_BYTES).pixels)
    np.testing.assert_array_equal(unwrapped(image), result, err_msg="segment takes it otherwise")


def test_the_palette_of_an_image_of_pillow_is_looked_up(tmp_path: Path) -> None:
    image: Any = Image.fromarray(RGB).quantize(5)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(segment(image, 5).painted, expected)
    assert np.array_equal(as_picture(image), expected)
    write(tmp_path / "a.png", image)
    assert np.array_equal(read(tmp_path / "a.png"), expected)
    image.info["transparency"] = 0
    result = segment(image, 4)
    assert np.array_equal(result.labels == -1, np.asarray(image) == 0)
    assert result.painted.shape == (9, 8, 4)
    np.testing.assert_array_equal(result.predict(image), result.labels)


def test_other_colors_of_pillow_become_rgb_or_are_refused_by_name() -> None:
    image: Any = Image.fromarray(RGB)
    lab: Any = Image.new("LAB", (8, 8))
    with pytest.warns(UserWarning, match="CMYK"):
        assert segment(image.convert("CMYK"), 3).palette.shape == (3, 3)
    for mode in ("YCbCr", "HSV"):
        other = image.convert(mode)
        assert np.array_equal(codecs.from_pillow(other), np.asarray(other.convert("RGB")))
    with pytest.raises(ValueError, match=r"LAB colors.*convert it to RGB"):
        segment(lab, 2)


@pytest.mark.parametrize("largest", [256, 4095, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_pnm_of_more_than_8_bits_has_the_values_that_are_stored(kind: int, largest: int) -> None:
    shape = (9, 8) if kind in (2, 5) else (9, 8, 3)
    image = RNG.integers(0, largest + 1, shape, dtype=np.uint16)
    header = f"P{kind}\n# a comment 12\n8 #another\n9\n{largest}\n".encode()
    if kind in (5, 6):
        data = header + image.astype(">u2").tobytes()
    else:
        data = header + b"# and more\n" + " ".join(map(str, image.ravel())).encode()
    result = decode(data, MAX_BYTES)
    assert result.pixels.dtype == np.uint16
    assert np.array_equal(result.pixels, image)
    assert result.has_channels == (kind in (3, 6))
    with pytest.raises(FormatError, match="too large"):
        decode(data, 100)
    with pytest.raises(FormatError, match="damaged"):
        decode(data[:-12], MAX_BYTES)


# TIFF


def tiff_of(array: NDArray[Any], **options: Any) -> bytes:
    """Write a TIFF by tifffile."""
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def some(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Make numbers of a dtype."""
    if dtype.startswith("f"):
        return RNG.random(shape).astype(dtype)
    low = -100 if dtype.startswith("i") else 0
    return RNG.integers(low, 100, shape).astype(dtype) << (8 * np.dtype(dtype).itemsize - 8)


@pytest.mark.parametrize(
    "dtype", dose(["u1", "i2", "f4"], ["u1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
)
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"byteorder": ">"}, {"bigtiff": True}])
def test_tiffs_of_any_dtype_and_layout_have_their_channels_last(
    dtype: str, planes: str, layout: dict[str, Any]
) -> None:
    for channels, extra in (
        (1, None), (2, "unassalpha"), (2, "unspecified"), (3, None), (4, "unassalpha"),
        (4, "unspecified"), (5, "unspecified"), (12, "unspecified"),
    ):  # fmt: skip
        image = some((20, 30, channels), dtype)
        options: dict[str, Any] = {
            "photometric": "rgb" if channels in (3, 4) else "minisblack", **layout,
        }  # fmt: skip
        stored = image[..., 0]
        if channels > 1:
            stored = image if planes == "contig" else np.moveaxis(image, -1, 0)
            options["planarconfig"] = planes
        if extra:
            options["extrasamples"] = [extra] * (1 if channels == 4 else channels - 1)
        result = decode(tiff_of(stored, **options), MAX_BYTES)
        assert result.pixels.dtype == image.dtype, channels
        assert np.array_equal(result.pixels, image if channels > 1 else stored), channels
        assert result.has_channels == (channels > 1)
        assert result.has_alpha == (extra == "unassalpha")


STACKS: dict[str, tuple[dict[str, Any], str]] = {
    "ImageJ slices": ({"imagej": True}, "ZYX"),
    "ImageJ channels": ({"imagej": True}, "CYX"),
    "ImageJ slices of channels": ({"imagej": True}, "ZCYX"),
    "OME slices": ({"ome": True}, "ZYX"),
    "OME channels": ({"ome": True}, "CYX"),
    "OME frames of channels": ({"ome": True}, "TCYX"),
    "pages": ({}, "TYX"),
}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_pages_come_first_and_channels_last(name: str, dtype: str) -> None:
    options, axes = STACKS[name]
    shape = {"Z": 4, "T": 4, "C": 3, "Y": 20, "X": 30}
    stored = some(tuple(shape[axis] for axis in axes), dtype)
    data = tiff_of(stored, metadata={"axes": axes}, photometric="minisblack", **options)
    result = decode(data, MAX_BYTES)
    expected = np.moveaxis(stored, axes.index("C"), -1) if "C" in axes else stored
    assert np.array_equal(result.pixels, expected)
    assert result.has_channels == ("C" in axes)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "16 bits", "WEBP"])
def test_one_page_can_be_chosen(kind: str) -> None:
    pages: NDArray[Any] = RNG.integers(0, 2, (3, 9, 8, 3), dtype=np.uint8) * 255
    if kind == "16 bits":
        pages = pages.astype(np.uint16) * 257
    data = encode(pages, {"16 bits": ".tif", "TIFF": ".tif"}.get(kind, f".{kind.lower()}"))
    for number, page in enumerate(pages):
        result = decode(data, MAX_BYTES, number)
        assert np.array_equal(codecs.as_rgba(result.pixels, many=False)[..., :3], page)
        assert not result.is_stack
    with pytest.raises(FormatError, match="page=3 is not there: the file has 3; give one from 0"):
        decode(data, MAX_BYTES, 3)


def test_pages_of_different_sizes_can_be_chosen() -> None:
    other = Image.fromarray(GRAY[1:])
    data = saved(Image.fromarray(RGB), "TIFF", save_all=True, append_images=[other])
    assert np.array_equal(decode(data, MAX_BYTES, 0).pixels, RGB)
    assert np.array_equal(decode(data, MAX_BYTES, 1).pixels, GRAY[1:])


@pytest.mark.parametrize("layout", [{}, {"byteorder": ">"}, {"bigtiff": True}])
def test_pages_that_lead_in_a_circle_end(layout: dict[str, Any]) -> None:
    pages = some((3, 20, 30, 3), "u2")
    data = bytearray(tiff_of(pages, photometric="rgb", **layout))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first, *_, last = (page.offset for page in file.pages)
        order, form = file.tiff.byteorder, file.tiff.offsetformat
        count, tag = file.tiff.tagnoformat, file.tiff.tagsize
    (tags,) = struct.unpack_from(count, data, last)
    link = last + struct.calcsize(count) + tags * tag
    assert order == layout.get("byteorder", "<")
    assert struct.unpack_from(form, data, link) == (0,)
    struct.pack_into(form, data, link, first)
    with pytest.raises(FormatError, match="in a circle"):
        decode(bytes(data), MAX_BYTES)
    for place in (len(data) + 1, 2**63 if "bigtiff" in layout else 2**31):
        struct.pack_into(form, data, link, place)  # beyond the end
        with pytest.raises(FormatError, match="damaged"):
            decode(bytes(data), MAX_BYTES)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_white_is_zero(dtype: str) -> None:
    image = some((20, 30), dtype)
    stored = np.iinfo(dtype).max - image
    assert np.array_equal(
        decode(tiff_of(stored, photometric="miniswhite"), MAX_BYTES).pixels, image
    )


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_tiff_is_turned_upright(dtype: str, channels: int) -> None:
    image = some((20, 30, channels), dtype)
    image = image if channels > 1 else image[..., 0]
    for orientation in range(1, 9):
        turned = codecs.upright(image, orientation)
        tag = (274, 3, 1, orientation, True)
        photometric = "rgb" if channels == 3 else "minisblack"
        data = tiff_of(image, photometric=photometric, planarconfig=None, extratags=[tag])
        if channels == 5:
            data = tiff_of(image, photometric=photometric, planarconfig="contig", extratags=[tag])
        assert np.array_equal(decode(data, MAX_BYTES).pixels, turned), orientation


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("kind", ["smaller", "mask"])
def test_smaller_copies_and_masks_are_left_out(dtype: str, kind: str) -> None:
    image = some((20, 30, 3), dtype)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(image, photometric="rgb")
        if kind == "mask":
            writer.write(image[..., 0] > 50, photometric="mask", subfiletype=4)
        else:
            writer.write(image[::2, ::2], photometric="rgb", subfiletype=1)
    result = decode(file.getvalue(), MAX_BYTES)
    assert np.array_equal(result.pixels, image)
    assert not result.is_stack


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3), (9, 8, 4), (9, 8, 5), (3, 9, 8, 3)], ids=str)
def test_numbers_of_any_dtype_are_written_to_tiff(dtype: str, shape: tuple[int, ...]) -> None:
    image = some(shape, dtype)
    image.flat[:2] = 70_000 if dtype == "u4" else -100, 7
    data = codecs.encode(as_writable("a.tif", image, may_be_labels=False), ".tif")
    result = decode(data, MAX_BYTES)
    assert result.pixels.dtype == dtype
    assert np.array_equal(result.pixels, image)
    with pytest.raises((TypeError, ValueError), match=r"cannot hold.*write to \.tif or \.npy"):
        as_writable("a.png", image[0] if len(shape) == 4 else image[..., :3])


def test_a_channel_that_is_not_alpha_is_told(tmp_path: Path) -> None:
    four = some((20, 30, 4), "u1")
    path = tmp_path / "bands.tif"
    path.write_bytes(tiff_of(four, photometric="rgb", extrasamples=["unspecified"]))
    with pytest.warns(
        UserWarning, match=r"bands\.tif: the last of its 4 channels is not"
    ) as caught:
        assert np.array_equal(read(path), four)
    assert [warning.filename for warning in caught] == [__file__]
    path.write_bytes(tiff_of(four, photometric="rgb", extrasamples=["unassalpha"]))
    assert np.array_equal(read(path), four)


def test_channels_may_be_on_any_axis_and_a_gray_stack_has_none(tmp_path: Path) -> None:
    image, path = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8), tmp_path / "a.tif"
    write(path, np.moveaxis(image, -1, 0), channel_axis=0)
    assert np.array_equal(read(path), image)
    bands = RNG.integers(0, 256, (20, 30, 40), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"\(20, 30, 40\) may be a gray stack or have 40 channels"):
        write(path, bands)
    for axis in (None, 2):
        write(path, bands, channel_axis=axis)
        assert np.array_equal(read(path), bands)
        with tifffile.TiffFile(path) as file:
            assert len(file.pages) == (20 if axis is None else 1)
    with pytest.raises(ValueError, match=r"at most 4 channels.*channel_axis=None for a gray stack"):
        write(tmp_path / "a.png", bands[..., :9])
    with pytest.raises(ValueError, match="cannot be written"):
        write(path, bands[..., np.newaxis], channel_axis=None)
