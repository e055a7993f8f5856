"""read() and write() on real files of every kind, made here with Pillow."""

import contextlib
import io
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL
import pytest
from doses import dose
from numpy.typing import NDArray
from PIL import Image
from platforms import posix

from kmeans_seg.files import read, write
from kmeans_seg.teaching import animate, filmstrip, write_page

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (4, 6), dtype=np.uint8)
GRAY_ALPHA = RNG.integers(0, 256, (4, 6, 2), dtype=np.uint8)
RGB = RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (4, 6, 4), dtype=np.uint8)
GRAY16 = RNG.integers(0, 65536, (4, 6), dtype=np.uint16)

# What the EXIF standard says of each orientation: which side of the picture, as it should be
# seen, the stored row 0 and the stored column 0 are.
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def as_stored(seen: NDArray[Any], row_0: str, column_0: str) -> NDArray[Any]:
    stored = seen.swapaxes(0, 1) if row_0 in ("left", "right") else seen
    if row_0 in ("bottom", "right"):
        stored = stored[::-1]
    if column_0 in ("bottom", "right"):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def png(shape: tuple[int, int], depth: int, color: int, rows: list[bytes]) -> bytes:
    """Make a PNG file by hand, for what Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", shape[1], shape[0], depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


# read: orientation


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["rgb.png", "palette.png", "gray16.png", "rgb.tif", "rgb.webp"])
def test_orientation_is_applied(tmp_path: Path, kind: str, orientation: int) -> None:
    seen = GRAY16 if kind.startswith("gray16") else RGB
    if kind.startswith("palette"):
        indices = np.arange(24, dtype=np.uint8).reshape(4, 6)
        image = Image.fromarray(as_stored(indices, *ORIENTATIONS[orientation]))
        image.putpalette(seen.tobytes())  # which makes it mode P
    else:
        image = Image.fromarray(as_stored(seen, *ORIENTATIONS[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / kind, image, exif=exif, lossless=True)
    result = read(path)
    assert np.array_equal(result, seen)
    assert result.flags.c_contiguous
    assert result.flags.writeable


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_photo_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    seen = np.kron(RGB, np.ones((8, 8, 1), np.uint8))  # flat blocks, which JPEG keeps
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(as_stored(seen, *ORIENTATIONS[orientation]))
    path = save(tmp_path / "phone.jpg", stored, exif=exif, quality=100, subsampling=0)
    result = read(path)
    assert result.shape == seen.shape
    assert np.abs(result.astype(int) - seen).max() <= 4


def test_an_unknown_orientation_is_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 0
    assert np.array_equal(read(save(tmp_path / "a.png", Image.fromarray(RGB), exif=exif)), RGB)


# read: kinds of pixels


@pytest.mark.parametrize("pixels", [GRAY, GRAY_ALPHA, RGB, RGBA, GRAY16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_plain_files_are_read_as_they_are(
    tmp_path: Path, pixels: NDArray[Any], suffix: str
) -> None:
    result = read(save(tmp_path / f"a{suffix}", Image.fromarray(pixels)))
    assert result.dtype == pixels.dtype
    assert np.array_equal(result, pixels)


def test_colors_are_in_rgb_order(tmp_path: Path) -> None:
    for name in ("red.png", "red.bmp", "red.jpg"):
        path = save(tmp_path / name, Image.new("RGB", (8, 8), (254, 0, 0)))
        assert read(path)[0, 0].tolist() == [254, 0, 0]


def test_a_str_path_is_a_path(tmp_path: Path) -> None:
    assert np.array_equal(read(str(save(tmp_path / "a.png", Image.fromarray(RGB)))), RGB)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_black_and_white_is_0_and_255(tmp_path: Path, suffix: str) -> None:
    bits = GRAY > 127
    result = read(save(tmp_path / f"bits{suffix}", Image.fromarray(bits)))
    assert result.dtype == np.uint8
    assert np.array_equal(result, np.where(bits, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp", ".tif"])
def test_a_palette_is_looked_up(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 128, 0])
    image.putpixel((1, 0), 1)
    assert read(save(tmp_path / f"a{suffix}", image)).tolist() == [[[255, 0, 0], [0, 128, 0]]]


@pytest.mark.parametrize(
    ("suffix", "transparency"), [(".png", 1), (".png", bytes([255, 0])), (".gif", 1)]
)
def test_a_palette_with_a_transparent_color_gives_rgba(
    tmp_path: Path, suffix: str, transparency: int | bytes
) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 128, 0])
    image.putpixel((1, 0), 1)
    result = read(save(tmp_path / f"a{suffix}", image, transparency=transparency))
    assert result[:, :, 3].tolist() == [[255, 0]]
    assert result[0, 0].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize("count", [1, 2, 5, 256, 257])
def test_few_colors_are_written_with_a_palette(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(count)
    colors = rng.choice(2**24, (count, 1), replace=False) >> [0, 8, 16] & 255
    labels = rng.permutation(np.arange(40 * 50) % count).reshape(40, 50)
    image = colors.astype(np.uint8)[labels]
    write(tmp_path / "few.png", image)
    assert np.array_equal(read(tmp_path / "few.png"), image)
    with Image.open(tmp_path / "few.png") as picture:
        assert picture.mode == ("P" if count <= 256 else "RGB")


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif", "a.webp"])
def test_an_animation_is_a_stack(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "lime", "blue")]
    path = save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    expected = np.stack([np.asarray(frame) for frame in frames])
    assert np.array_equal(read(path), expected)
    write(tmp_path / f"again-{name}", expected)
    assert np.array_equal(read(tmp_path / f"again-{name}"), expected)


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [(s, c) for s in (".tif", ".gif", ".webp", ".png") for c in (1, 3, 4) if (s, c) != (".gif", 4)],
)
def test_stacks_come_back(tmp_path: Path, suffix: str, channels: int) -> None:
    stack = RNG.integers(0, 2, (3, 6, 7, channels), dtype=np.uint8) * 255
    if channels == 4:
        stack[stack[..., 3] == 0] = 0
    write(tmp_path / f"a{suffix}", stack)
    result = read(tmp_path / f"a{suffix}")
    if channels == 1:
        result = result[..., :1] if result.ndim == 4 else result[..., np.newaxis]
    # WebP does not tell whether there is an alpha channel.
    assert np.array_equal(result[..., :channels], stack)
    assert (result[..., channels:] == 255).all()


def test_frames_that_an_animation_would_lose_are_refused(tmp_path: Path) -> None:
    twice = np.zeros((2, 4, 6, 3), np.uint8)
    with pytest.raises(ValueError, match=r"a\.gif: .* write to \.tif instead .*twice in a row"):
        write(tmp_path / "a.gif", twice)
    with pytest.raises(ValueError, match="256 colors"):
        write(tmp_path / "a.gif", RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"holds one picture.*\.tif, \.tiff, \.gif"):
        write(tmp_path / "a.jpg", twice)
    assert listing(tmp_path) == {}
    write(tmp_path / "a.tif", twice)
    assert np.array_equal(read(tmp_path / "a.tif"), twice)


def test_pages_of_different_shapes_are_no_stack(tmp_path: Path) -> None:
    pages = [Image.fromarray(RGB), Image.fromarray(RGB[1:])]
    path = save(tmp_path / "a.tif", pages[0], save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match=r"sizes, \(6, 4\) and \(6, 3\): choose one by page="):
        read(path)
    assert np.array_equal(read(path, page=1), RGB[1:])
    for page in (-1, 2):
        with pytest.raises(ValueError, match=f"page={page}"):
            read(path, page=page)


def test_big_endian_comes_back_in_the_order_of_the_machine(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.tif", Image.frombytes("I;16B", (6, 4), GRAY16.astype(">u2").tobytes())
    )
    assert path.read_bytes()[:2] == b"MM"
    result = read(path)
    assert result.dtype == np.uint16
    assert result.dtype.isnative
    assert np.array_equal(result, GRAY16)


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_per_channel_are_kept(tmp_path: Path, color: int, channels: int) -> None:
    pixels = RNG.integers(0, 65536, (4, 6, channels), dtype=np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(png((4, 6), 16, color, [row.astype(">u2").tobytes() for row in pixels]))
    result = read(path)
    assert result.dtype == np.uint16
    assert result.dtype.isnative
    assert np.array_equal(result, pixels)
    for name in ("again.png", "again.tif"):
        write(tmp_path / name, result)
        assert np.array_equal(read(tmp_path / name), pixels)
        assert read(tmp_path / name).dtype == np.uint16
    with Image.open(tmp_path / "again.png") as image:  # another decoder agrees on the upper 8 bits
        upper = np.asarray(image)
    assert np.array_equal(upper[..., [0, -1]], pixels[..., [0, -1]] >> 8)


def test_16_bit_tiff_without_tifffile_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = RGB.astype(np.uint16) * 257
    write(tmp_path / "a.tif", deep)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ValueError, match=r'a\.tif: .*pip install "kmeans_seg\[tiff\]"'):
        read(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"kmeans_seg\[tiff\]"):
        write(tmp_path / "b.tif", deep)
    write(tmp_path / "c.tif", GRAY16)  # which needs no more than Pillow
    assert np.array_equal(read(tmp_path / "c.tif"), GRAY16)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_gray_of_few_bits_fills_the_range(tmp_path: Path, depth: int) -> None:
    levels = 2**depth
    values = RNG.integers(0, levels, (4, 8), dtype=np.uint8)
    bits = ((values[..., np.newaxis] >> np.arange(depth)[::-1]) & 1).reshape(4, -1)
    rows = [row.tobytes() for row in np.packbits(bits.astype(np.uint8), axis=1)]
    path = tmp_path / "few.png"
    path.write_bytes(png((4, 8), depth, 0, rows))
    assert np.array_equal(read(path), values * (255 // (levels - 1)))


def test_a_transparent_color_becomes_alpha(tmp_path: Path) -> None:
    gray = save(tmp_path / "gray.png", Image.fromarray(GRAY), transparency=int(GRAY[0, 0]))
    result = read(gray)
    assert np.array_equal(result[..., 0], GRAY)
    assert np.array_equal(result[..., 1] == 0, GRAY[0, 0] == GRAY)
    rgb = save(tmp_path / "rgb.png", Image.fromarray(RGB), transparency=tuple(RGB[1, 2].tolist()))
    result = read(rgb)
    assert np.array_equal(result[..., :3], RGB)
    assert np.array_equal(result[..., 3] == 0, (RGB[1, 2] == RGB).all(axis=-1))


def test_labels_are_written_as_they_are(tmp_path: Path) -> None:
    labels = RNG.integers(-1, 255, (9, 9)).astype(np.int32)
    labels[0, :2] = -1, 254
    write(tmp_path / "a.png", labels)
    assert np.array_equal(read(tmp_path / "a.png"), np.where(labels < 0, 255, labels))
    labels[0, 1] = 255
    write(tmp_path / "b.png", labels)
    result = read(tmp_path / "b.png")
    assert result.dtype == np.uint16
    assert np.array_equal(result, np.where(labels < 0, 65535, labels))
    write(tmp_path / "c.npy", labels)
    result = read(tmp_path / "c.npy")
    assert result.dtype == np.int32
    assert np.array_equal(result, labels)
    with pytest.raises(ValueError, match=r"\.npy"):
        write(tmp_path / "d.png", labels - 1)


def test_a_damaged_or_hostile_array_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy: "):
        read(path)
    np.save(path, RGB)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"a\.npy: .*damaged"):
        read(path)


def test_floating_point_gray_is_kept(tmp_path: Path) -> None:
    pixels = RNG.random((4, 6)).astype(np.float32)
    result = read(save(tmp_path / "a.tif", Image.fromarray(pixels)))
    assert result.dtype == np.float32
    assert np.array_equal(result, pixels)


@pytest.mark.parametrize("name", ["ink.jpg", "ink.tif"])
def test_a_print_photo_in_cmyk_is_converted(tmp_path: Path, name: str) -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    with pytest.warns(UserWarning, match=r"CMYK colors.*plain formula, as it has no") as caught:
        result = read(save(tmp_path / name, ink))
    assert [warning.filename for warning in caught] == [__file__]
    assert np.abs(result.astype(int) - [255, 0, 0]).max() <= 2


def test_a_print_photo_in_lab_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lab\.tif: the image has LAB colors.*convert it to RGB"):
        read(save(tmp_path / "lab.tif", Image.new("LAB", (16, 16))))


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.png: the file is empty"):
        read(tmp_path / "a.png")


@pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="older Pillows cannot read it")
def test_ycbcr_is_read_as_rgb(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16), (200, 30, 60)).convert("YCbCr")
    result = read(save(tmp_path / "a.tif", image))
    assert np.abs(result.astype(int) - [200, 30, 60]).max() <= 2


# read: errors


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        read(tmp_path / "nowhere.png")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_forbidden_file_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "secret.png", Image.fromarray(RGB))
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"secret\.png"):
        read(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_bytes_and_open_files_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, RGB)
    data = path.read_bytes()
    for content in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        assert np.array_equal(read(content), RGB)
    with path.open("rb") as file:
        assert np.array_equal(read(file), RGB)
        assert not file.closed
        with pytest.raises(ValueError, match=rf"a\{suffix}: the file is empty"):
            read(file)  # which is at its end
    for content in (data, io.BytesIO(data)):
        with pytest.raises(ValueError, match=r"^image: the image is too large"):
            read(content, max_bytes=9)
    with pytest.raises(ValueError, match=r"^image: not an image of a known format"):
        read(b"text")


def test_a_file_that_was_opened_for_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.txt").write_bytes(b"\x89PNG")  # no text in UTF-8
    with (tmp_path / "b.txt").open() as file, pytest.raises(TypeError, match='the mode "rb"'):
        read(file)  # type: ignore[arg-type]
    odd: Any = SimpleNamespace(read=lambda _: bytearray(b"PNG"))
    with pytest.raises(TypeError, match="gives bytearray, not bytes: pass bytes"):
        read(odd)
    for thing in (3, None, [b"PNG"]):
        with pytest.raises(TypeError, match="an open file, not of type"):
            read(thing)  # type: ignore[arg-type]
    with (tmp_path / "a.txt").open() as file, pytest.raises(TypeError, match='the mode "rb"'):
        read(file)  # type: ignore[arg-type]


@posix
def test_a_pipe_is_read_up_to_the_limit(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (1000, 900, 3), dtype=np.uint8)
    write(tmp_path / "a.png", pixels)
    data = (tmp_path / "a.png").read_bytes()
    assert len(data) > 2**21
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError):
            pipe.write_bytes(data)

    for max_bytes in (10**7, None, 2**21):
        feeder = threading.Thread(target=feed)
        feeder.start()
        if max_bytes == 2**21:
            with pytest.raises(ValueError, match=r"pipe: the image is too large"):
                read(pipe, max_bytes=max_bytes)
        else:
            assert np.array_equal(read(pipe, max_bytes=max_bytes), pixels)
        feeder.join()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without an end")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_file(device: str) -> None:
    with pytest.raises(ValueError, match=f"{device}: this is a device, which may have no end"):
        read(device)


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    with path.open("wb") as file:
        file.truncate(2**33)  # of which the disk holds nothing
    with pytest.raises(ValueError, match=r"sparse\.tif: the image is too large: .*8,589,934,592"):
        read(path)


@pytest.mark.parametrize(
    ("max_bytes", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("1", TypeError)]
)
def test_the_limit_is_a_number(tmp_path: Path, max_bytes: Any, error: type[Exception]) -> None:
    write(tmp_path / "a.png", RGB)
    with pytest.raises(error, match="max_bytes"):
        read(tmp_path / "a.png", max_bytes=max_bytes)


def test_control_characters_in_names_are_escaped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\\nb\.xyz: suffix"):
        write(tmp_path / "a\nb.xyz", RGB)


@pytest.mark.parametrize("content", [b"\x89PNG", b"not an image\n", bytes(1000)])
def test_a_file_without_an_image_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note.jpg"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"note\.jpg: not an image .* save it as PNG, JPEG or TIFF"
    ):
        read(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_a_cut_file_is_an_error(tmp_path: Path, kind: str) -> None:
    whole = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole, kind)
    path = tmp_path / "cut"
    path.write_bytes(whole.getvalue())
    assert read(path).shape == (64, 64, 3)
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(ValueError, match=r"cut: (the image is damaged|not an image)") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
def test_a_damaged_file_is_read_or_is_a_value_error(tmp_path: Path, kind: str) -> None:
    whole = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(whole, kind)
    path = tmp_path / "damaged"
    errors = 0
    for seed in range(dose(20, 60)):
        rng = np.random.default_rng(seed)
        data = bytearray(whole.getvalue())
        for place in rng.integers(0, len(data), 5):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            read(path)
        except ValueError as error:
            assert "damaged: " in str(error)  # noqa: PT017 - many files, of which some are read
            errors += 1
    assert errors > 0


def test_an_image_that_is_too_large_says_so(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png((40_000, 40_000), 8, 2, [b"\0"]))
    with pytest.raises(
        ValueError,
        match=r"huge\.png: the image is too large: 4,800,000,000 bytes, and at "
        r"most 4,294,967,296 are allowed: .*raise max_bytes.*scale the image down",
    ):
        read(path)


# write: round trips


@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [
        *[(suffix, p) for suffix in (".png", ".tif", ".tiff") for p in (GRAY, GRAY_ALPHA)],
        *[(suffix, p) for suffix in (".png", ".tif", ".tiff") for p in (RGB, RGBA, GRAY16)],
        (".bmp", GRAY),
        (".bmp", RGB),
        (".webp", RGB),
        (".PNG", RGB),
    ],
)
def test_what_was_written_is_read(tmp_path: Path, suffix: str, pixels: NDArray[Any]) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, pixels)
    result = read(path)
    assert result.dtype == pixels.dtype
    assert np.array_equal(result, pixels)
    assert list(listing(tmp_path)) == [path.name]


def test_the_suffix_chooses_the_format(tmp_path: Path) -> None:
    kinds = {".png": "PNG", ".tif": "TIFF", ".bmp": "BMP", ".webp": "WEBP", ".jpeg": "JPEG"}
    for suffix, kind in kinds.items():
        write(tmp_path / f"a{suffix}", RGB)
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert image.format == kind


def test_jpeg_is_written_nearly_as_it_is(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = [250, 120, 10]
    write(tmp_path / "a.jpg", pixels)
    assert np.abs(read(tmp_path / "a.jpg").astype(int) - pixels).max() <= 8


def test_one_channel_is_gray(tmp_path: Path) -> None:
    write(tmp_path / "a.png", GRAY[:, :, np.newaxis])
    assert np.array_equal(read(tmp_path / "a.png"), GRAY)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint64])
def test_small_labels_are_written_with_8_bits(tmp_path: Path, dtype: type[np.integer[Any]]) -> None:
    labels = (GRAY // 2).astype(dtype)
    write(tmp_path / "labels.png", labels)
    result = read(tmp_path / "labels.png")
    assert result.dtype == np.uint8
    assert np.array_equal(result, labels)


@pytest.mark.parametrize(("largest", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_large_labels_are_written_with_16_bits(
    tmp_path: Path, largest: int, dtype: type[np.integer[Any]]
) -> None:
    labels = np.array([[0, 1, largest]], np.int32)
    write(tmp_path / "labels.png", labels)
    result = read(tmp_path / "labels.png")
    assert result.dtype == dtype
    assert np.array_equal(result, labels)


def test_dark_16_bit_gray_keeps_its_16_bits(tmp_path: Path) -> None:
    write(tmp_path / "a.png", GRAY.astype(np.uint16))
    assert read(tmp_path / "a.png").dtype == np.uint16


def test_bool_is_black_and_white(tmp_path: Path) -> None:
    write(tmp_path / "a.png", [[False, True]])
    assert read(tmp_path / "a.png").tolist() == [[0, 255]]


# write: what cannot be written


@pytest.mark.parametrize(
    ("name", "image", "kind", "message"),
    [
        ("a.xyz", RGB, ValueError, r"a\.xyz: suffix '\.xyz' is not known.*\.png, "),
        ("a", RGB, ValueError, "a: the name has no suffix.* end the name in one of"),
        ("a.png", RGB / 255, TypeError, r"a\.png: .*float64.*\(image \* 255\)\.round\(\)"),
        ("a.png", [["a"]], TypeError, "dtype <U1"),
        ("a.png", RGB.astype(complex), TypeError, "complex128"),
        ("a.png", None, TypeError, "object"),
        ("a.png", [1, 2], ValueError, r"shape \(2,\)"),
        ("a.png", np.zeros((0, 4), np.uint8), ValueError, r"shape \(0, 4\).*not empty"),
        ("a.png", np.zeros((2, 2, 2, 5), np.uint8), ValueError, "at most 4 channels"),
        ("a.png", np.zeros((1, 2, 2, 2, 3), np.uint8), ValueError, r"\(1, 2, 2, 2, 3\)"),
        ("a.png", [[-2, 255]], ValueError, "from -2 to 255"),
        ("a.png", [[0, 65536]], ValueError, "from 0 to 65536"),
        ("a.bmp", RGB.astype(np.uint16) * 257, ValueError, r"16 bits.*\.tif or \.png"),
        ("a.jpg", GRAY16, ValueError, r"a\.jpg: .*16 bits.* \.png"),
        ("a.webp", GRAY16, ValueError, r"a\.webp: .*16 bits.* \.png"),
        ("a.jpg", RGBA, ValueError, r"a\.jpg: .*cannot hold.*\(4, 6, 4\).*\.png"),
        ("a.bmp", GRAY_ALPHA, ValueError, r"a\.bmp: .*cannot hold"),
    ],
)
def test_an_unwritable_image_is_an_error(
    tmp_path: Path, name: str, image: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        write(tmp_path / name, image)
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == {}


def test_a_missing_directory_is_an_error_of_the_file_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "nowhere" / "a.png", RGB)
    assert caught.value.filename == str(tmp_path / "nowhere" / "a.png")


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"file.a\.png"):
        write(tmp_path / "file" / "a.png", RGB)


def test_a_directory_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.png'$"):
        write(tmp_path / "a.png", RGB)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


# write: whole or not at all


def test_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write(path, RGB)
    with pytest.raises(FileExistsError, match=r"a\.png"):
        write(path, GRAY, overwrite=False)
    assert np.array_equal(read(path), RGB)
    write(path, GRAY)
    assert np.array_equal(read(path), GRAY)
    write(tmp_path / "new.png", GRAY, overwrite=False)
    assert np.array_equal(read(tmp_path / "new.png"), GRAY)


WRITERS: dict[str, Callable[..., object]] = {
    "a.png": lambda path, overwrite: write(path, RGB, overwrite=overwrite),
    "a.npy": lambda path, overwrite: write(path, RGB, overwrite=overwrite),
    "a.html": lambda path, overwrite: write_page(RGB, 2, path, overwrite=overwrite),
    "a.gif": lambda path, overwrite: animate(RGB, 2, path, overwrite=overwrite),
    "strip.png": lambda path, overwrite: filmstrip(RGB, 2, path, overwrite=overwrite),
}


@pytest.mark.parametrize("name", WRITERS)
def test_whoever_writes_overwrites_nothing_unasked_even_in_a_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    link = os.link

    def intrude(*names: Any) -> None:
        path.write_bytes(b"precious")
        link(*names)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", intrude)
        with pytest.raises(FileExistsError, match=name):
            WRITERS[name](path, overwrite=False)
    assert listing(tmp_path) == {name: b"precious"}
    with pytest.raises(FileExistsError, match=name):
        WRITERS[name](path, overwrite=False)
    WRITERS[name](path, overwrite=True)
    assert list(listing(tmp_path)) == [name]
    assert path.read_bytes() != b"precious"


@posix
@pytest.mark.parametrize("name", WRITERS)
def test_whoever_writes_replaces_no_fifo(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match="this is a FIFO"):
        WRITERS[name](tmp_path / name, overwrite=True)
    assert [stat.S_ISFIFO(path.stat().st_mode) for path in tmp_path.iterdir()] == [True]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "old.png", RGB)
    link = tmp_path / "link.png"
    link.symlink_to("old.png")
    write(link, GRAY)
    assert link.is_symlink()
    assert np.array_equal(read(tmp_path / "old.png"), GRAY)


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write(tmp_path / "a.png", RGB)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_read_only_array_can_be_written(tmp_path: Path) -> None:
    pixels = RGB.copy()
    pixels.setflags(write=False)
    write(tmp_path / "a.png", pixels[:, ::-1])
    assert np.array_equal(read(tmp_path / "a.png"), RGB[:, ::-1])


# PNG in the ways of the standard that are rare


def interlaced(pixels: NDArray[np.uint16], color: int) -> bytes:
    """Make a PNG of 16 bits by hand, in the seven passes of Adam7."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    rows = b""
    for row, column, down, right in [*passes, (1, 0, 2, 1)]:
        part = pixels[row::down, column::right]
        if part.size:
            rows += b"".join(b"\0" + line.astype(">u2").tobytes() for line in part)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, color, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("shape", [(1, 1), (4, 6), (9, 11), (17, 5)], ids=str)
def test_interlaced_16_bits_are_kept(
    tmp_path: Path, color: int, channels: int, shape: tuple[int, int]
) -> None:
    pixels = RNG.integers(0, 65536, (*shape, channels), dtype=np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(interlaced(pixels, color))
    result = read(path)
    assert result.dtype == np.uint16
    assert np.array_equal(result.reshape(pixels.shape), pixels)


def test_a_large_file_is_read_in_silence(tmp_path: Path) -> None:
    rows = [bytes(1250)] * 10_000
    (tmp_path / "large.png").write_bytes(png((10_000, 10_000), 1, 0, rows))
    assert read(tmp_path / "large.png").shape == (10_000, 10_000)


WRITER = """
import sys
import numpy as np
from kmeans_seg import write

image = np.random.default_rng(0).integers(0, 256, (500, 400, 3), dtype=np.uint8)
write(sys.argv[1], image)
print("ready", flush=True)
try:
    while True:
        write(sys.argv[2], image)
except KeyboardInterrupt:
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_at_any_moment_of_writing_leaves_a_whole_file_or_none(tmp_path: Path) -> None:
    moments = np.random.default_rng(0).random(dose(3, 30))
    for moment in moments:
        command: list[str | Path] = [
            sys.executable,
            "-c",
            WRITER,
            tmp_path / "a.npy",
            tmp_path / "b.npy",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(moment / 50)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        names = {path.name for path in tmp_path.iterdir()}
        assert names in ({"a.npy"}, {"a.npy", "b.npy"})
        for name in names:
            np.testing.assert_array_equal(read(tmp_path / name), read(tmp_path / "a.npy"))
            assert read(tmp_path / name).shape == (500, 400, 3)


def test_the_path_comes_first() -> None:
    with pytest.raises(TypeError, match="path is of type ndarray: write takes the path first"):
        write(np.zeros((2, 2), np.uint8), "image.png")  # type: ignore[arg-type]


def test_what_cannot_be_written_is_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    for name in ("a.png", "a.npy"):
        masked = np.ma.masked_equal(GRAY, GRAY[0, 0])
        with pytest.raises(ValueError, match=r"fill them first, for instance by image.filled\(0\)"):
            write(tmp_path / name, masked)
        write(tmp_path / name, masked.filled(0))
        write(tmp_path / name, np.ma.array(GRAY))  # nothing is masked
        with pytest.raises(TypeError, match="overwrite must be True or False"):
            write(tmp_path / name, GRAY, overwrite="no")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="is ragged"):
            write(tmp_path / name, [[1], [2, 3]])
    if np.dtype(np.longdouble).itemsize > 8:
        with pytest.raises(TypeError, match="convert it to float64"):
            write(tmp_path / "a.tif", np.ones((2, 2), np.longdouble))
    for shape, suffix in [((5, 5, 5), ".jpg"), ((2, 3, 4, 5), ".png"), ((0, 3), ".png")]:
        with pytest.raises(ValueError, match="shape") as caught:
            write(tmp_path / f"b{suffix}", np.zeros(shape, np.uint8))
        assert "say channel_axis" not in str(caught.value)
        assert (".npy" in str(caught.value)) == (0 not in shape)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "a.png"]
