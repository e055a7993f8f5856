"""Kinds of files that other programs make: each is read right, or refused with a remedy.

docs/robustness.md has the list, which `python tests/test_file_kinds.py` prints.
"""

import contextlib
import functools
import importlib.util
import io
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import imageio.v3
import numpy as np
import pytest
import tifffile
from doses import dose
from numpy.typing import NDArray
from PIL import Image, ImageCms

from kmeans_seg import read

ROWS, COLUMNS = np.mgrid[:40, :60]
RGB = np.dstack((COLUMNS * 4, ROWS * 6, ROWS + COLUMNS)).astype(np.uint8)
GRAY = (COLUMNS * 3 + ROWS).astype(np.uint8)
ALPHA = (COLUMNS // 20 * 127).astype(np.uint8)
BINARY = np.where(GRAY > 99, 255, 0).astype(np.uint8)
FLAT = RGB // 86 * 86  # few colors, for palettes
DEEP = RGB * np.uint16(257) + np.uint16(3)
DEEP_ALPHA = ALPHA * np.uint16(257)
BANDS = np.dstack((DEEP, DEEP[..., ::-1], DEEP[..., :1]))
UPRIGHT: dict[int, Callable[[Any], Any]] = {
    1: np.array,
    3: lambda a: a[::-1, ::-1],
    6: lambda a: np.rot90(a, -1),
}
RAMP = GRAY / np.float32(300)


class Kind(NamedTuple):
    """A kind of file.

    Attributes
    ----------
    maker
        The program or package that makes it.
    name
        What it is: the format, then what is special about it.
    make
        Make such a file, without a name that tells the format.
    expected
        What `read` returns.
    close
        How far from that the values may be, on average: for lossy formats.
    refusal
        A part of the message, if it is refused.
    remedy
        Do what the message says; `read` returns what is expected then.
    needs
        What must be installed to make it.
    reader
        The package without which `read` refuses it, and names that.
    page
        The argument of `read`.
    """

    maker: str
    name: str
    make: Callable[[Path], Any]
    expected: NDArray[Any]
    close: float = 0
    refusal: str = ""
    remedy: Callable[[Path], Any] | None = None
    needs: str = ""
    reader: str = ""
    page: int | None = None


def by_pillow() -> Iterator[Kind]:
    def kind(name: str, image: Any, expected: Any, close: float = 0, **options: Any) -> Kind:
        made = image if isinstance(image, Image.Image) else Image.fromarray(image)
        form = name.split(",")[0].replace("JPEG 2000", "JPEG2000").replace("PGM", "PPM")
        form = form.replace("PBM", "PPM")
        return Kind(
            "Pillow", name, lambda path: made.save(path, form, **options), expected, close,
            needs=form,
        )  # fmt: skip

    bits, palette = Image.fromarray(BINARY).convert("1"), Image.fromarray(FLAT).quantize(64)
    clear = palette.copy()
    clear.info["transparency"] = 0
    of_palette = np.asarray(palette.convert("RGB"))
    of_clear = np.dstack((of_palette, np.where(np.asarray(palette) == 0, 0, 255).astype(np.uint8)))
    gray_alpha, rgba = np.dstack((GRAY, ALPHA)), np.dstack((RGB, ALPHA))
    frames = np.stack((FLAT, FLAT[::-1], FLAT[:, ::-1]))
    film: dict[str, Any] = {
        "save_all": True,
        "append_images": [Image.fromarray(frame) for frame in frames[1:]],
    }
    yield kind("PNG, 1 bit", bits, BINARY)
    yield kind("PNG, gray", GRAY, GRAY)
    yield kind("PNG, gray and alpha", gray_alpha, gray_alpha)
    yield kind("PNG, gray of 16 bits", DEEP[..., 0], DEEP[..., 0])
    yield kind("PNG, palette", palette, of_palette)
    yield kind("PNG, palette with a transparent color", clear, of_clear)
    yield kind("PNG, RGB", RGB, RGB)
    yield kind("PNG, RGBA", rgba, rgba)
    yield kind("PNG, animation", FLAT, frames, **film)
    one_clear = np.where((FLAT[0, 0] == FLAT).all(axis=-1), 0, 255).astype(np.uint8)
    yield kind(
        "PNG, RGB with a transparent color", FLAT, np.dstack((FLAT, one_clear)),
        transparency=tuple(FLAT[0, 0].tolist()),
    )  # fmt: skip
    yield kind("JPEG, gray", GRAY, GRAY, 2)
    yield kind("JPEG, RGB", RGB, RGB, 3)
    yield kind("JPEG, progressive", RGB, RGB, 3, progressive=True)
    yield kind("JPEG, RGB without subsampling", RGB, RGB, 3, subsampling=0)
    yield kind("MPO, two pictures", RGB, RGB, 3, save_all=True, append_images=[bits.convert("RGB")])
    cmyk = Image.fromarray(RGB).convert("CMYK")
    yield kind("JPEG, CMYK", cmyk, RGB, 6, quality=95)
    yield kind("TIFF, CMYK", cmyk, RGB, 3)
    for number, turned in UPRIGHT.items():
        exif = Image.Exif()
        exif[0x0112] = number
        for form, close in (("JPEG", 3), ("PNG", 0), ("TIFF", 0), ("WEBP", 0)):
            lossless: dict[str, Any] = {"lossless": True} if form == "WEBP" else {}
            yield kind(
                f"{form}, orientation {number}", RGB, turned(RGB), close, exif=exif, **lossless
            )
    yield kind("TIFF, 1 bit", bits, BINARY)
    yield kind("TIFF, gray", GRAY, GRAY)
    yield kind("TIFF, gray and alpha", gray_alpha, gray_alpha)
    yield kind("TIFF, gray of 16 bits", DEEP[..., 0], DEEP[..., 0])
    yield kind("TIFF, gray of 32 bits", GRAY.astype(np.int32) - 50, GRAY.astype(np.int32) - 50)
    yield kind("TIFF, gray of float32", RAMP, RAMP)
    yield kind("TIFF, palette", palette, of_palette)
    yield kind("TIFF, RGBA", rgba, rgba)
    yield kind("TIFF, pages", FLAT, frames, **film)
    for method in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "lzma"):
        yield kind(f"TIFF, {method.removeprefix('tiff_')}", RGB, RGB, compression=method)
    yield kind("TIFF, jpeg", RGB, RGB, 3, compression="jpeg")
    for method in ("group3", "group4"):
        yield kind(f"TIFF, {method}", bits, BINARY, compression=method)
    yield kind("GIF, one frame", palette, of_palette)
    yield kind("GIF, a transparent color", clear, of_clear)
    yield kind("GIF, animation", FLAT, frames, **film)
    yield kind("WEBP, lossless", RGB, RGB, lossless=True)
    yield kind("WEBP, lossy", RGB, RGB, 3, quality=95)
    yield kind("WEBP, RGBA", rgba, rgba, lossless=True)
    opaque = np.concatenate((frames, np.full_like(frames[..., :1], 255)), axis=-1)
    yield kind("WEBP, animation", FLAT, opaque, lossless=True, **film)
    yield kind("BMP, 1 bit", bits, BINARY)
    yield kind("BMP, gray", GRAY, GRAY)
    yield kind("BMP, palette", palette, of_palette)
    yield kind("BMP, RGB", RGB, RGB)
    yield kind("BMP, RGB and a byte that is not used", rgba, RGB)
    yield kind("PBM, 1 bit", bits, BINARY)
    yield kind("PGM, gray", GRAY, GRAY)
    yield kind("PGM, gray of 16 bits", DEEP[..., 0], DEEP[..., 0])
    yield kind("PPM, RGB", RGB, RGB)
    yield kind("AVIF, RGB", RGB, RGB, 4, quality=95)
    yield kind("AVIF, RGBA", rgba, rgba, 4, quality=95)
    yield kind("JPEG 2000, gray", GRAY, GRAY)
    yield kind("JPEG 2000, RGB", RGB, RGB)
    yield kind("JPEG 2000, RGBA", rgba, rgba)
    yield kind("JPEG 2000, lossy", RGB, RGB, 4, irreversible=True, quality_layers=[20])
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    there = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    back = ImageCms.buildTransform(lab, srgb, "LAB", "RGB")

    def to_rgb(path: Path) -> None:
        with Image.open(path) as image:
            plain: Any = ImageCms.applyTransform(image, back)
        plain.save(path, "PNG")

    in_lab: Any = ImageCms.applyTransform(Image.fromarray(RGB), there)
    yield kind("TIFF, CIELAB", in_lab, RGB, 9)._replace(refusal="convert it to RGB", remedy=to_rgb)
    yield kind("TIFF, pages of two sizes", RGB, RGB, save_all=True,
               append_images=[Image.fromarray(FLAT[:9])])._replace(
        refusal="choose one by page=", page=0)  # fmt: skip
    for form in ("DDS", "DIB", "PCX", "QOI", "SGI", "TGA"):
        yield kind(form, RGB, RGB)._replace(
            refusal="not an image of a known format: save it as PNG", remedy=by_way_of_pillow
        )
    for form in ("EPS", "PDF"):
        yield kind(form, RGB, RGB)._replace(refusal="not an image of a known format: save it")


def by_way_of_pillow(path: Path) -> None:
    """Save a file as PNG."""
    with Image.open(path) as image:
        plain = image.convert("RGB")
    plain.save(path, "PNG")


def by_tifffile() -> Iterator[Kind]:
    def kind(name: str, stored: Any, expected: Any, needs: str = "", **options: Any) -> Kind:
        return Kind(
            "tifffile", f"TIFF, {name}",
            lambda path: path.write_bytes(written(stored, **options)), expected, needs=needs,
        )  # fmt: skip

    def written(stored: Any, **options: Any) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, stored, **options)
        return file.getvalue()

    plain, rgb = {"photometric": "minisblack"}, {"photometric": "rgb"}
    for dtype in "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8":
        numbers = (GRAY.astype(np.float64) - 100 * (dtype[0] != "u")).clip(-100, 120).astype(dtype)
        numbers = np.where(numbers < 0, 0, numbers).astype(dtype) if dtype[0] == "u" else numbers
        yield kind(f"gray of {np.dtype(dtype)}", numbers, numbers, **plain)
        if dtype in ("u2", "i2", "f4", "f8"):
            colors = np.dstack((numbers, numbers[::-1], numbers[:, ::-1]))
            yield kind(f"RGB of {np.dtype(dtype)}", colors, colors, **rgb)
    planes = np.moveaxis(DEEP, -1, 0)
    yield kind("RGB in planes", planes, DEEP, planarconfig="separate", **rgb)
    yield kind("tiles", DEEP, DEEP, tile=(16, 16), **rgb)
    yield kind("BigTIFF", DEEP, DEEP, bigtiff=True, **rgb)
    yield kind("most significant byte first", DEEP, DEEP, byteorder=">", **rgb)
    yield kind("white is zero", 65535 - DEEP[..., 0], DEEP[..., 0], photometric="miniswhite")
    yield kind("seven bands of 16 bits", BANDS, BANDS, planarconfig="contig", **plain)
    yield kind("seven bands in planes", np.moveaxis(BANDS, -1, 0), BANDS,
               planarconfig="separate", **plain)  # fmt: skip
    four, deep = np.dstack((RGB, ALPHA)), np.dstack((DEEP, DEEP_ALPHA))
    for name, image in (("8", four), ("16", deep)):
        yield kind(f"alpha of {name} bits", image, image, extrasamples=["unassalpha"], **rgb)
        yield kind(f"fourth band of {name} bits", image, image, extrasamples=["unspecified"], **rgb)
        top = float(np.iinfo(image.dtype).max)
        times = image[..., :3] * (image[..., 3:] / top)
        mixed = np.dstack((np.rint(times), image[..., 3])).astype(image.dtype)
        yield kind(f"colors times alpha of {name} bits", mixed, image, extrasamples=["assocalpha"],
                   **rgb)._replace(close=1)  # fmt: skip
    for number, turned in UPRIGHT.items():
        tags = [(274, 3, 1, number, True)]
        yield kind(f"orientation {number}, 16 bits", DEEP, turned(DEEP), extratags=tags, **rgb)
    pages = np.stack((DEEP, DEEP[::-1]))
    yield kind("pages of 16 bits", pages, pages, **rgb)
    slices = pages[..., 0]
    yield kind("ImageJ, slices", slices, slices, imagej=True, metadata={"axes": "ZYX"})
    yield kind("ImageJ, channels", planes, DEEP, imagej=True, metadata={"axes": "CYX"})
    yield kind("OME, slices", slices, slices, ome=True, metadata={"axes": "ZYX"}, **plain)
    yield kind("OME, channels", planes, DEEP, ome=True, metadata={"axes": "CYX"}, **plain)

    def pyramid(path: Path, inside: bool) -> None:
        with tifffile.TiffWriter(path) as writer:
            writer.write(DEEP, subifds=int(inside), **rgb)
            writer.write(DEEP[::2, ::2], subfiletype=1, **rgb)

    for inside in (False, True):
        name = "smaller copies " + ("in sub-IFDs" if inside else "as pages")
        yield Kind("tifffile", f"TIFF, {name}", functools.partial(pyramid, inside=inside), DEEP)
    yield kind("deflate", DEEP, DEEP, compression="zlib", **rgb)
    for method in ("lzw", "zstd", "lzma", "png", "jpegxl", "lerc"):
        yield kind(f"{method}, 16 bits", DEEP, DEEP, "imagecodecs", compression=method, **rgb)
    yield kind("deflate with a predictor", DEEP, DEEP, "imagecodecs", compression="zlib",
               predictor=True, **rgb)  # fmt: skip
    yield kind("deflate of floats with a predictor", RAMP, RAMP, "imagecodecs",
               compression="zlib", predictor=3, **plain)  # fmt: skip
    yield kind("packbits", DEEP, DEEP, "imagecodecs", compression="packbits", **rgb)
    signed = kind("complex numbers", RAMP.astype(np.complex64), RAMP, **plain)
    yield signed._replace(
        refusal="complex", remedy=lambda path: path.write_bytes(written(RAMP, **plain))
    )


def by_imageio() -> Iterator[Kind]:
    def kind(name: str, image: Any, expected: Any, close: float = 0) -> Kind:
        suffix = "." + name.split(",")[0].lower().replace("tiff", "tif")

        def make(path: Path) -> None:
            path.write_bytes(imageio.v3.imwrite("<bytes>", image, extension=suffix))

        return Kind("imageio", name, make, expected, close)

    for name, image in (("gray", GRAY), ("RGB", RGB), ("RGBA", np.dstack((RGB, ALPHA)))):
        yield kind(f"PNG, {name}", image, image)
        yield kind(f"TIFF, {name}", image, image)
    yield kind("JPEG, RGB", RGB, RGB, 3)
    yield kind("BMP, RGB", RGB, RGB)
    yield kind("GIF, frames", np.stack((FLAT, FLAT[::-1])), np.stack((FLAT, FLAT[::-1])))
    yield kind(
        "TIFF, frames of 16 bits", np.stack((DEEP, DEEP[::-1])), np.stack((DEEP, DEEP[::-1]))
    )


def by_opencv() -> Iterator[Kind]:
    def kind(name: str, suffix: str, image: Any, close: float = 0) -> Kind:
        def make(path: Path) -> None:
            cv2 = importlib.import_module("cv2")
            swapped = image[..., [2, 1, 0, *range(3, image.shape[2])]] if image.ndim > 2 else image
            done, data = cv2.imencode(suffix, np.ascontiguousarray(swapped))
            assert done
            path.write_bytes(data.tobytes())

        return Kind("OpenCV", name, make, image, close, needs="cv2")

    rgba, deep = np.dstack((RGB, ALPHA)), np.dstack((DEEP, DEEP_ALPHA))
    for name, image in (("gray", GRAY), ("RGB", RGB), ("RGBA", rgba)):
        yield kind(f"PNG, {name}", ".png", image)
        yield kind(f"PNG, {name} of 16 bits", ".png", (DEEP[..., 0] if name == "gray" else deep[
            ..., : image.shape[2]]))  # fmt: skip
    yield kind("JPEG, gray", ".jpg", GRAY, 2)
    yield kind("JPEG, RGB", ".jpg", RGB, 3)
    yield kind("TIFF, RGB", ".tif", RGB)
    yield kind("TIFF, RGB of 16 bits", ".tif", DEEP)._replace(reader="imagecodecs")
    for dtype in (np.float32, np.float64):
        numbers = RAMP.astype(dtype)
        yield kind(f"TIFF, gray of {np.dtype(dtype)}", ".tif", numbers)
    yield kind("WEBP, RGB", ".webp", RGB, 3)
    yield kind("BMP, gray", ".bmp", GRAY)
    yield kind("BMP, RGB", ".bmp", RGB)
    yield kind("PGM, gray", ".pgm", GRAY)
    yield kind("PPM, RGB", ".ppm", RGB)
    yield kind("PPM, RGB of 16 bits", ".ppm", DEEP)
    yield kind("JPEG 2000, RGB", ".jp2", RGB, 2)
    refused = kind("SUN raster", ".ras", RGB)
    yield refused._replace(refusal="save it as PNG", remedy=by_way_of_pillow)
    yield kind("Radiance HDR", ".hdr", RGB / np.float32(300))._replace(refusal="save it as PNG")


def by_rasterio() -> Iterator[Kind]:
    def kind(name: str, image: NDArray[Any], reader: str = "", **profile: Any) -> Kind:
        bands = np.moveaxis(np.atleast_3d(image), -1, 0)

        def make(path: Path) -> None:
            rasterio = importlib.import_module("rasterio")
            shape = {"width": bands.shape[2], "height": bands.shape[1], "count": bands.shape[0]}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
                with rasterio.open(
                    path, "w", **{"driver": "GTiff", "dtype": bands.dtype, **shape, **profile}
                ) as file:
                    file.write(bands)

        return Kind("rasterio", name, make, image, needs="rasterio", reader=reader)

    yield kind("GeoTIFF, gray", GRAY)
    yield kind("GeoTIFF, RGB", RGB, photometric="RGB")
    yield kind("GeoTIFF, RGB in planes", RGB, photometric="RGB", interleave="band")
    yield kind("GeoTIFF, seven bands of 16 bits", BANDS)
    yield kind("GeoTIFF, seven bands by pixel", BANDS, interleave="pixel")
    yield kind("GeoTIFF, seven bands of int16", (BANDS // 3).astype(np.int16), nodata=-9999)
    yield kind("GeoTIFF, float32 with nodata", RAMP, nodata=-9999)
    yield kind("GeoTIFF, float64", RAMP.astype(np.float64))
    yield kind("GeoTIFF, tiles", DEEP, tiled=True, blockxsize=16, blockysize=16)
    yield kind("GeoTIFF, deflate", BANDS, compress="deflate")
    yield kind("GeoTIFF, BigTIFF", BANDS, bigtiff="yes")
    yield kind("GeoTIFF, deflate with a predictor", BANDS, compress="deflate", predictor=2)
    for method in ("LZW", "ZSTD", "LERC"):
        yield kind(f"GeoTIFF, {method}", BANDS, "imagecodecs", compress=method)
    yield kind("COG, RGB", RGB, driver="COG", compress="none")
    yield kind("PNG, RGB", RGB, driver="PNG")
    yield kind("ENVI, seven bands", BANDS, driver="ENVI")._replace(
        refusal="save it as PNG, JPEG or TIFF", remedy=lambda path: as_tiff(path)
    )


def as_tiff(path: Path) -> None:
    """Save a raster as TIFF."""
    rasterio = importlib.import_module("rasterio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            bands = file.read()
    tifffile.imwrite(path, np.moveaxis(bands, 0, -1), photometric="minisblack")


def by_imagemagick() -> Iterator[Kind]:
    def kind(
        name: str, form: str, image: Any, *options: str, expected: Any = None, close: float = 0
    ) -> Kind:
        def make(path: Path) -> None:
            source = path.with_name("source.png")
            imageio.v3.imwrite(source, image)
            convert = [*IMAGEMAGICK, str(source), *options, f"{form}:{path}"]
            subprocess.run(convert, check=True, timeout=60)

        result = image if expected is None else expected
        return Kind("ImageMagick", name, make, result, close, needs="ImageMagick")

    deep = DEEP[..., 0]
    yield kind("PNG, interlaced", "png", RGB, "-interlace", "PNG")
    yield kind("PNG, palette", "png8", FLAT)
    yield kind("PNG, 16 bits", "png48", RGB, expected=RGB * np.uint16(257))
    yield kind("PNG, gray of 1 bit", "png", BINARY, "-depth", "1")
    yield kind("PNG, gray of 4 bits", "png", GRAY // 17 * 17, "-depth", "4")
    yield kind("JPEG, gray", "jpeg", GRAY, close=2)
    yield kind("JPEG, progressive", "jpeg", RGB, "-interlace", "JPEG", close=3)
    yield kind("JPEG, CMYK", "jpeg", RGB, "-colorspace", "CMYK", close=8)
    for method in ("LZW", "Zip", "RLE", "LZMA"):
        yield kind(f"TIFF, {method}", "tiff", RGB, "-compress", method)
    for method in ("Fax", "Group4"):
        yield kind(f"TIFF, {method}", "tiff", BINARY, "-monochrome", "-compress", method)
    yield kind("TIFF, CMYK", "tiff", RGB, "-colorspace", "CMYK", close=3)
    yield kind("TIFF, RGB in planes", "tiff", RGB, "-interlace", "plane")
    yield kind("TIFF, gray of 16 bits", "tiff", deep, "-compress", "None")
    yield kind("TIFF, white is zero", "tiff", GRAY, "-define", "quantum:polarity=min-is-white",
               "-compress", "None", expected=255 - GRAY)  # fmt: skip
    yield kind("GIF, one frame", "gif", FLAT)
    yield kind("BMP, version 2", "bmp2", RGB)
    yield kind("BMP, version 3", "bmp3", RGB)
    yield kind("PPM, as text", "ppm", RGB, "-compress", "none")
    yield kind("PGM, 16 bits as text", "pgm", deep, "-compress", "none")
    yield kind("PBM, as text", "pbm", BINARY, "-compress", "none")
    yield kind("WEBP, lossless", "webp", RGB, "-define", "webp:lossless=true")
    for form in ("MIFF", "PAM", "PCX", "PSD", "SGI", "SUN", "TGA", "XPM"):
        yield kind(form, form, FLAT)._replace(
            refusal="not an image of a known format: save it as PNG",
            remedy=functools.partial(by_way_of_imagemagick, form=form),
        )


def by_way_of_imagemagick(path: Path, form: str) -> None:
    """Save a file as PNG."""
    convert = [*IMAGEMAGICK, f"{form}:{path}[0]", f"PNG24:{path}"]
    subprocess.run(convert, check=True, timeout=60)


def imagemagick() -> list[str]:
    """Return the command of ImageMagick, if it is installed."""
    for name in ("magick", "convert"):  # on Windows the latter is another program
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run([name, "-version"], capture_output=True, timeout=60, text=True)
            if "ImageMagick" in said.stdout and shutil.which(name):
                return [name]
    return []


IMAGEMAGICK = imagemagick()
Image.init()  # which finds the formats that this Pillow knows
KINDS = [
    kind
    for made in (by_pillow, by_tifffile, by_imageio, by_opencv, by_rasterio, by_imagemagick)
    for kind in made()
]


def is_here(need: str) -> bool:
    """Return whether a package, ImageMagick, or a format of Pillow is installed."""
    if need == "ImageMagick":
        return bool(IMAGEMAGICK)
    return need in Image.SAVE or importlib.util.find_spec(need.lower()) is not None


@pytest.mark.parametrize(
    "kind", dose(KINDS[::3], KINDS), ids=lambda kind: f"{kind.maker}: {kind.name}"
)
def test_a_kind_is_read_right_or_refused_with_a_remedy(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "image"
    if kind.needs and not is_here(kind.needs):
        pytest.skip(f"needs {kind.needs}")
    missing = kind.reader and not is_here(kind.reader)
    refusal = f"needs the package {kind.reader}: install it" if missing else kind.refusal
    kind.make(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if refusal:
            with pytest.raises(ValueError, match=refusal):
                read(path)
            if missing or (kind.remedy is None and kind.page is None):
                return
            if kind.remedy is not None:
                kind.remedy(path)
        found = read(path, page=kind.page)
    expected = kind.expected
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if expected.shape[-1] in (2, 4):  # transparent pixels have no color
        found, expected = (a * (a[..., -1:] > 0) for a in (found, expected))
    if kind.close:
        apart = np.abs(found.astype(np.float64) - expected).mean()
        assert apart < kind.close
    else:
        np.testing.assert_array_equal(found, expected)


def table() -> str:
    """List the kinds by who makes them and by format, for docs/robustness.md."""
    groups: dict[tuple[str, str], list[str]] = {}
    for kind in KINDS:
        form, _, special = kind.name.partition(", ")
        how = "refused" if kind.refusal else form
        if kind.refusal:
            special = kind.name.replace(", ", " of ", 1)
        groups.setdefault((kind.maker, how), []).append(special or form)
    rows = [f"| {maker} | {how} | {'; '.join(names)} |" for (maker, how), names in groups.items()]
    return "\n".join(["| made by | format | kinds |", "|---|---|---|", *rows])


def test_the_documentation_lists_the_kinds() -> None:
    assert table() in Path(__file__, "../../docs/robustness.md").resolve().read_text("utf-8")


if __name__ == "__main__":
    print(table())
