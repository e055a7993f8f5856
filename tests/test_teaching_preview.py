"""The preview: the mean of the area that each pixel stands for."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmeans_seg.teaching.preview import preview


def spots(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)


def test_a_pixel_may_count_in_part() -> None:
    # 3 columns onto 2: each of the two has one and a half.
    assert preview(np.array([[0, 90, 240]], np.uint8), width=2).tolist() == [[30, 190]]


def test_whole_blocks_are_averaged() -> None:
    image = spots(60, 90, 3)
    expected = np.rint(image.reshape(20, 3, 30, 3, 3).mean(axis=(1, 3)))
    np.testing.assert_array_equal(preview(image, width=30), expected)


def test_a_small_image_stays_as_it_is() -> None:
    image = spots(4, 7, 3)
    np.testing.assert_array_equal(preview(image, width=7), image)


def test_a_tall_image_has_no_more_pixels_than_a_square() -> None:
    assert preview(spots(400, 100), width=50).shape == (100, 25)


@pytest.mark.parametrize("width", range(1, 40))
def test_it_is_as_wide_as_asked(width: int) -> None:
    assert preview(spots(13, 61), width).shape[1] == width


def test_a_line_stays_a_line() -> None:
    assert preview(spots(1, 500), width=50).shape == (1, 50)
    assert preview(spots(500, 1), width=10).shape == (100, 1)


@pytest.mark.parametrize("factor", [np.uint16(257), 1 / 255])
def test_other_ranges_are_brought_to_8_bits(factor: float) -> None:
    image = spots(5, 6, 3)
    np.testing.assert_array_equal(preview(image * factor), image)
    swapped = (image * factor).astype((image * factor).dtype.newbyteorder(">"))
    np.testing.assert_array_equal(preview(swapped), image)


def test_true_is_white() -> None:
    assert preview(np.array([[True, False]])).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((2, 2, 4), np.uint8), ValueError),
        (np.zeros((2, 2, 2, 3), np.uint8), ValueError),
        (np.zeros((0, 2), np.uint8), ValueError),
        (np.array([[1.5]]), ValueError),
        (np.array([[np.nan]]), ValueError),
        (np.array([[7]]), TypeError),
        (np.array([["7"]]), TypeError),
    ],
)
def test_what_cannot_be_shown_is_refused(image: NDArray[Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="image "):
        preview(image)


@pytest.mark.parametrize(("width", "error"), [(0, ValueError), (2.5, TypeError)])
def test_the_width_must_be_a_count(width: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="width"):
        preview(spots(3, 3), width)


@pytest.mark.parametrize("channels", [1, 3])
def test_only_visible_pixels_are_averaged(channels: int) -> None:
    image = np.full((2, 4, channels + 1), 200, np.uint8)
    image[:, :2, :-1] = 80
    image[0, 0] = 0  # transparent, and black
    image[:, 2:, -1] = 0
    small = preview(image, width=2)
    assert small.shape == (1, 2, channels + 1)
    assert small[0, 0].tolist() == [80] * channels + [255]
    assert small[0, 1, -1] == 0


def test_alpha_that_hides_nothing_is_dropped() -> None:
    image = spots(4, 6, 4)
    image[..., 3] |= 1
    np.testing.assert_array_equal(preview(image), image[..., :3])
    image[0, 0, 3] = 0  # hidden, but its area has other pixels
    assert preview(image, width=3).shape == (2, 3, 3)


def test_where_nothing_is_visible_there_is_no_preview() -> None:
    with pytest.raises(ValueError, match="alpha is 0 everywhere"):
        preview(np.zeros((2, 3, 4), np.uint8))


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_masked_pixels_become_transparent(channels: tuple[int, ...]) -> None:
    image = np.maximum(spots(5, 6, *channels), 1)
    hidden = np.arange(30).reshape(5, 6) < 4
    masked = np.ma.array(
        image, mask=np.broadcast_to(hidden.reshape(5, 6, *[1] * len(channels)), image.shape)
    )
    shown = preview(masked)
    assert shown.shape == (5, 6, 2 if channels in ((), (1,), (2,)) else 4)
    np.testing.assert_array_equal(shown[..., -1] == 0, hidden)
    colors = image.reshape(5, 6, -1)[..., : shown.shape[2] - 1]
    np.testing.assert_array_equal(shown[~hidden][:, :-1], colors[~hidden])
