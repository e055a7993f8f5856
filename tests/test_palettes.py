"""Palettes: hex codes, JSON, GIMP palettes and pictures, read back by other programs."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import GimpPaletteFile, Image

from kmeans_seg import Segmentation, segment
from kmeans_seg.display import hex_codes
from kmeans_seg.palettes import encoded_palette

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def result() -> Segmentation:
    return segment(PHOTO, 5)


def test_json_holds_what_the_result_holds(result: Segmentation) -> None:
    found = json.loads(encoded_palette(result, "palette.json", "a photo"))
    assert found.pop("name") == "a photo"
    assert found == result.to_dict()
    assert [segment["hex"] for segment in found["segments"]] == hex_codes(result.palette)
    assert sum(segment["pixels"] for segment in found["segments"]) == 12 * 16
    assert sum(segment["share"] for segment in found["segments"]) == pytest.approx(1)


def test_a_gimp_palette_is_read_back(result: Segmentation) -> None:
    content = encoded_palette(result, Path("palette.gpl"), "two\nlines")
    assert b"Name: two\\nlines" in content
    palette, mode = GimpPaletteFile.GimpPaletteFile(io.BytesIO(content)).getpalette()
    assert mode == "RGB"
    colors = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    first = (colors == result.palette[0]).all(axis=1).argmax()  # older Pillows count the head, too
    np.testing.assert_array_equal(colors[first : first + 5], result.palette)


def test_a_picture_shows_the_colors_in_order(result: Segmentation) -> None:
    with Image.open(io.BytesIO(encoded_palette(result, "P.PNG", ""))) as image:
        squares = np.asarray(image.convert("RGB"))
    assert squares.shape == (64, 5 * 64, 3)
    np.testing.assert_array_equal(squares[32, 32::64], result.palette)


@pytest.mark.parametrize("suffix", [".gpl", ".png"])
def test_numbers_that_are_no_colors_go_to_json_only(suffix: str) -> None:
    bands = np.random.default_rng(0).normal(size=(6, 7, 5))
    result = segment(bands, 2, space="raw")
    with pytest.raises(
        ValueError, match=r"5 channels .* no colors of a screen: write it to \.json"
    ):
        encoded_palette(result, f"palette{suffix}", "bands")
    found = json.loads(encoded_palette(result, "palette.json", "bands"))
    assert [segment["hex"] for segment in found["segments"]] == [None, None]


@pytest.mark.parametrize(
    ("palette", "codes"),
    [
        (np.array([[255, 0, 128]], np.uint8), ["#ff0080"]),
        (np.array([[65535, 0, 32896]], np.uint16), ["#ff0080"]),
        (np.array([[1.0, 0.0, 0.5]], np.float32), ["#ff0080"]),
        (np.array([[True, False, True]]), ["#ff00ff"]),
        (np.array([[7]], np.uint8), [None]),
        (np.array([[300, 0, 0]]), [None]),
        (np.array([[2.0, 0.0, 0.0]]), [None]),
    ],
)
def test_hex_codes(palette: Any, codes: list[str | None]) -> None:
    assert hex_codes(palette) == codes


def test_gray_is_written_as_rgb() -> None:
    result = segment(np.array([[0, 9, 200]], np.uint8), 2)
    content = encoded_palette(result, "gray.gpl", "gray").decode()
    assert [line.split("\t")[0].split() for line in content.splitlines()[4:]] == [
        ["4", "4", "4"],
        ["200", "200", "200"],
    ]


def test_an_unknown_suffix(result: Segmentation) -> None:
    with pytest.raises(ValueError, match=r"palette\.act: a palette is written as \.json, \.gpl"):
        encoded_palette(result, "palette.act", "")
