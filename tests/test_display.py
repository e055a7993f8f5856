"""How results and records show: as pictures that can be read back, and as HTML."""

import re
import subprocess
import sys
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.typing import NDArray

from kmeans_seg import ConvergenceWarning, display, segment
from kmeans_seg.teaching import Assign, Choose, Done, Rehearsal, Update, trace

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(256, size=(30, 40, 3)).astype(np.uint8)


def read(png: bytes) -> NDArray[np.uint8]:
    assert png.startswith(b"\x89PNG")
    picture: NDArray[np.uint8] = iio.imread(png, plugin="pillow")
    return picture


def test_the_picture_of_a_result_holds_every_pixel_in_its_color() -> None:
    result = segment(PHOTO, 5)
    picture = read(result._repr_png_())
    top, left, times = 40, 16, 12  # 480 pixels are twelve times 40
    shown = picture[top : top + 30 * times : times, left : left + 40 * times : times]
    np.testing.assert_array_equal(shown, result.painted)
    assert picture[:, -4:].min() == 255  # a clean margin


def test_a_result_says_how_it_ended() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    result = segment(image, 3)
    assert "done after" in result._repr_html_()
    assert "in the segments of another image" in result.apply(image)._repr_html_()
    with pytest.warns(ConvergenceWarning):
        assert "cut short after 1 pass" in segment(image, 3, max_iter=1)._repr_html_()


def test_the_picture_of_a_large_result_is_bounded() -> None:
    image = np.zeros((500, 2000), np.uint8)
    image[:, 1000:] = 200
    picture = read(segment(image, 2)._repr_png_())
    assert picture.shape[1] < 800
    np.testing.assert_array_equal(picture[60, 16:256], 0)
    np.testing.assert_array_equal(picture[60, 256:496], 200)


def test_html_says_in_words_what_the_picture_shows() -> None:
    result = segment(np.array([[10, 12, 200], [11, 90, 202]], np.uint8), 3)
    text = result._repr_html_()
    alt = re.search(r'alt="([^"]*)"', text)
    assert alt is not None
    assert alt[1] == (
        "an image of 2 by 3 pixels in 3 segments: 50.0 % #0b0b0b, 16.7 % #5a5a5a, 33.3 % #c9c9c9"
    )
    assert text.count("<tr>") == 4
    assert "data:image/png;base64," in text
    assert "<td>33.3 %</td>" in text


def test_long_palettes_are_cut_and_it_is_said() -> None:
    result = segment(PHOTO, 30)
    text = result._repr_html_()
    assert text.count("<tr>") == 1 + display.ROWS
    assert "and 14 more" in text
    read(result._repr_png_())


def test_every_record_shows() -> None:
    records = list(trace(PHOTO, 3))
    kinds = {type(record) for record in records}
    assert kinds == {Rehearsal, Choose, Assign, Update, Done}
    for record in records:
        assert read(record._repr_png_()).ndim == 3
        assert record._repr_html_().startswith("<p>")
        assert len(repr(record)) < 100
    assert repr(records[4]) == "<Assign: pass 1: 1,200 pixels changed>"
    assert repr(records[-1]) == f"<Done: done after {records[-1].result.n_iter} passes>"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (PHOTO[::2, ::2].astype(np.uint16) * 257, {}),
        (PHOTO / 255, {"space": "lab"}),
        (PHOTO[:, :, 0] > 99, {}),
        (PHOTO.astype(np.int64) - 1000, {}),
        (RNG.normal(size=(20, 20, 7)), {"space": "raw"}),
        (PHOTO[:1, :1], {}),
        (PHOTO[:, :1], {}),
        (PHOTO[:1], {}),
    ],
)
def test_whatever_can_be_segmented_can_be_shown(image: Any, options: dict[str, Any]) -> None:
    for record in trace(image, 1, **options):
        read(record._repr_png_())
        assert record._repr_html_()


def test_colors_of_the_screen() -> None:
    colors = [[0, 128, 255]]
    values = np.array(colors)
    for known in (values.astype(np.uint8), values.astype(np.uint16) * 257, values / 255):
        assert display.as_rgb(known).tolist() == colors
    assert display.as_rgb(np.array([[True], [False]])).tolist() == [[255] * 3, [0] * 3]
    # Beyond the range of half precision, once multiplied.
    assert display.as_rgb(np.array([[0], [60000]], np.float16)).tolist() == [[60] * 3, [220] * 3]
    # Numbers that are no colors: from dark to light, as the segments are.
    assert display.as_rgb(np.array([[-7.0], [900.0]])).tolist() == [[60] * 3, [220] * 3]


def test_the_map_of_distances_goes_from_dark_to_bright() -> None:
    picture = display.heat(np.array([[0.0, 1.0], [4.0, 9.0]]), 2)
    brightness = picture.sum(axis=2)
    assert brightness.ravel().tolist() == sorted(brightness.ravel())
    assert picture[0, 0].tolist() == [0, 0, 4]
    assert picture[1, 1].tolist() == [252, 253, 191]


def test_a_mark_is_where_the_pixel_is() -> None:
    picture = np.full((60, 90, 3), 7, np.uint8)
    marked = display.mark(
        picture, (1, 2), (2, 3), np.array([200, 0, 0], np.uint8)
    )  # one pixel is 30 by 30
    changed = np.argwhere((marked != 7).any(axis=2))
    np.testing.assert_allclose(changed.mean(axis=0), [44.5, 74.5])
    assert marked[44, 74].tolist() == [200, 0, 0]


def test_showing_imports_nothing_before_it_is_asked_to() -> None:
    code = (
        "import sys, kmeans_seg, kmeans_seg.teaching;"
        "assert 'imageio' not in sys.modules; assert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, kmeans_seg; assert 'kmeans_seg.teaching' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_of_a_stack_the_first_picture_is_shown() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    result = segment(frames, 3)
    for labels, shape in ((result.labels, "20 by 30"), (result.labels[0], "20 by 30")):
        shown = display.painted_card("title", labels, result.palette, result.counts)
        assert shape in shown.alt
        assert shown.picture is not None
        alone = display.painted_card("title", result.labels[0], result.palette, result.counts)
        np.testing.assert_array_equal(shown.picture, alone.picture)
    assert result._repr_png_().startswith(b"\x89PNG")


def test_what_took_no_part_has_the_color_of_the_paper() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    mask = np.zeros((40, 60), np.bool_)
    mask[:, 30:] = True
    result = segment(image, 1, mask=mask)
    shown = display.painted_card("title", result.labels, result.palette, result.counts)
    assert shown.picture is not None
    width = shown.picture.shape[1]
    assert (shown.picture[:, : width // 2 - 4] == np.asarray(display.PAPER)).all()
    assert (shown.picture[:, width // 2 + 4 :] == 0).all()
    assert shown.rows == [("0", "1,200", "100.0 %")]
