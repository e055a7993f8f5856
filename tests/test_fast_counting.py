"""Distinct colors: every dtype and layout there and back, in Morton order, rightly counted."""

import pickle
import re
from typing import Any

import numpy as np
import pytest
from doses import dose
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kmeans_seg import distinct, segment
from kmeans_seg.fast import counting
from kmeans_seg.fast.counting import (
    canonical_order,
    colors_of,
    distinct_colors,
    merge_counts,
    morton_codes,
    pixel_codes,
)

Pixels = NDArray[Any]

INTEGERS = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i2", ">u4", ">i4", ">i8"]
# Every dtype with every number of channels that fits into a key of 64 bits.
FITTING = [
    (dtype, channels)
    for dtype in INTEGERS
    for channels in range(1, 9)
    if 8 * np.dtype(dtype).itemsize * channels <= 64
]
every_kind = pytest.mark.parametrize(("dtype", "channels"), dose(FITTING[::3], FITTING))


def random_pixels(dtype: str, channels: int, n: int = 500, seed: int = 0) -> Pixels:
    """Make pixels of a few colors from all over the range of the dtype, its ends included."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.random((n, channels)) < 0.5
    info = np.iinfo(kind)
    palette = rng.integers(info.min, info.max, (60, channels), kind.newbyteorder("="), True)
    palette[0], palette[1] = info.min, info.max
    return palette[rng.integers(0, len(palette), n)].astype(kind)


def naive_morton_code(color: list[int], bits: int, lowest: int) -> int:
    code = 0
    for bit in reversed(range(bits)):
        for value in color:
            code = 2 * code + ((value - lowest) >> bit & 1)
    return code


def naive_codes(colors: Pixels) -> list[int]:
    lowest = int(np.iinfo(colors.dtype).min) if colors.dtype.kind == "i" else 0
    bits = 8 * colors.dtype.itemsize
    return [naive_morton_code(list(map(int, color)), bits, lowest) for color in colors]


@every_kind
def test_there_and_back(dtype: str, channels: int) -> None:
    pixels = random_pixels(dtype, channels)
    found = distinct_colors([pixels])
    labels = np.arange(len(found.colors), dtype=np.int32)
    spread = found.look_up(labels)(pixels)
    assert spread.dtype == np.int32
    np.testing.assert_array_equal(found.colors[spread], pixels)
    assert found.colors.dtype == pixels.dtype


@every_kind
def test_the_colors_and_counts_are_those_of_unique_rows(dtype: str, channels: int) -> None:
    pixels = random_pixels(dtype, channels)
    found = distinct_colors([pixels])
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    order = np.lexsort(found.colors.T[::-1])
    np.testing.assert_array_equal(found.colors[order], colors)
    np.testing.assert_array_equal(found.counts[order], counts)
    assert found.counts.dtype == np.float64


@every_kind
def test_the_order_is_that_of_morton(dtype: str, channels: int) -> None:
    found = distinct_colors([random_pixels(dtype, channels)])
    codes = naive_codes(found.colors)
    assert codes == sorted(codes)
    assert [int(code) for block in morton_codes(found.colors) for code in block] == codes


def test_morton_order_worked_by_hand() -> None:
    # A Z over the four cells of a square, then the same Z over four such squares.
    square = np.stack(np.meshgrid(range(4), range(4), indexing="ij"), axis=-1).reshape(-1, 2)
    found = distinct_colors([square.astype(np.uint8)[::-1]])
    assert found.colors.tolist()[:8] == [
        [0, 0], [0, 1], [1, 0], [1, 1],
        [0, 2], [0, 3], [1, 2], [1, 3],
    ]  # fmt: skip


@every_kind
def test_where_the_pixels_stand_makes_no_difference(dtype: str, channels: int) -> None:
    pixels = random_pixels(dtype, channels)
    expected = distinct_colors([pixels])
    order = np.random.default_rng(1).permutation(len(pixels))
    found = distinct_colors([pixels[order]])
    np.testing.assert_array_equal(found.colors, expected.colors)
    np.testing.assert_array_equal(found.counts, expected.counts)
    labels = np.random.default_rng(2).integers(0, 9, len(found.colors)).astype(np.int32)
    np.testing.assert_array_equal(
        found.look_up(labels)(pixels[order]), expected.look_up(labels)(pixels)[order]
    )


def layouts(pixels: Pixels) -> dict[str, Pixels]:
    n, channels = pixels.shape
    wide = np.zeros((n, channels + 3), pixels.dtype)
    wide[:, 1:-2] = pixels
    every_other = np.repeat(pixels, 2, axis=0)[::2]
    swapped = pixels.astype(pixels.dtype.newbyteorder())
    read_only = pixels.copy()
    read_only.flags.writeable = False
    return {
        "Fortran": np.asfortranarray(pixels),
        "negative strides": pixels[::-1, ::-1].copy()[::-1, ::-1],
        "part of a wider array": wide[:, 1:-2],
        "every other row": every_other,
        "byte-swapped": swapped,
        "read-only": read_only,
    }


@pytest.mark.parametrize(("dtype", "channels"), [("u1", 3), ("i1", 2), ("u2", 3), ("i4", 2)])
@pytest.mark.parametrize("layout", layouts(np.zeros((1, 1), np.uint8)))
def test_the_layout_in_memory_makes_no_difference(dtype: str, channels: int, layout: str) -> None:
    pixels = random_pixels(dtype, channels)
    laid = layouts(pixels)[layout]
    expected, found = distinct_colors([pixels]), distinct_colors([laid])
    np.testing.assert_array_equal(found.colors, expected.colors)
    np.testing.assert_array_equal(found.counts, expected.counts)
    labels = np.arange(len(found.colors), dtype=np.int32)
    np.testing.assert_array_equal(found.look_up(labels)(laid), expected.look_up(labels)(pixels))


@given(
    arrays(
        st.sampled_from([np.uint8, np.int16]),
        st.tuples(st.integers(1, 30), st.integers(1, 4)),
        elements=st.integers(0, 3) | st.integers(0, 127),
    )
)
def test_any_pixels_come_back(pixels: Pixels) -> None:
    found = distinct_colors([pixels])
    spread = found.look_up(np.arange(len(found.colors), dtype=np.int32))(pixels)
    np.testing.assert_array_equal(found.colors[spread], pixels)
    assert len({tuple(color) for color in found.colors.tolist()}) == len(found.colors)
    np.testing.assert_array_equal(found.counts, np.bincount(spread))


def test_more_pixels_than_one_block_holds() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (2**16 + 77, 3)).astype(np.uint8)
    found = distinct_colors([pixels])
    spread = found.look_up(np.arange(len(found.colors), dtype=np.int32))(pixels)
    np.testing.assert_array_equal(found.colors[spread], pixels)


@pytest.mark.parametrize("value", [0, 1, 2**24 - 1, 2**24, 2**32 - 1])
def test_labels_are_found_with_and_without_a_table(value: int) -> None:
    pixels = np.array([[value], [5], [value], [5]], np.uint32)
    found = distinct_colors([pixels])
    labels = np.array([7, 9], np.int32)
    expected = [7, 9, 7, 9] if value < 5 else [9, 7, 9, 7]
    assert found.look_up(labels)(pixels).tolist() == expected


WIDE = [(np.float64, 1), (np.float32, 3), (np.float64, 5), (np.uint16, 5), (np.int64, 2)]


@pytest.mark.parametrize(("dtype", "channels"), WIDE)
@pytest.mark.parametrize("levels", [2, 5, 100_000])
def test_what_does_not_fit_into_a_key_is_sorted(dtype: type, channels: int, levels: int) -> None:
    rng = np.random.default_rng(channels)
    pixels: Pixels = rng.integers(0, levels, (500, channels)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        pixels = pixels / dtype(7)
    found = distinct_colors([pixels])
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    order = np.lexsort(found.colors.T[::-1])
    np.testing.assert_array_equal(found.colors[order], colors)
    np.testing.assert_array_equal(found.counts[order], counts)
    assert found.colors.dtype == pixels.dtype
    spread = found.look_up(np.arange(len(colors), dtype=np.int32))(pixels)
    np.testing.assert_array_equal(found.colors[spread], pixels)
    # The order is that of the colors, wherever they stand.
    again = distinct_colors([pixels[rng.permutation(500)]])
    np.testing.assert_array_equal(again.colors, found.colors)


def test_colors_that_round_to_the_same_are_told_apart() -> None:
    # Beside the outlier all others round to one level.
    values = np.array([1e9, 3e-9, 1e-9, 2e-9, 1e-9]).reshape(-1, 1)
    found = distinct_colors([values])
    assert found.colors.ravel().tolist() == [1e-9, 2e-9, 3e-9, 1e9]
    assert found.counts.tolist() == [2, 1, 1, 1]
    assert found.look_up(np.array([0, 1, 2, 3], np.int32))(values).tolist() == [3, 2, 0, 1, 0]


def test_neighbors_in_the_order_are_similar_colors() -> None:
    pixels = np.random.default_rng(0).random((4096, 3))
    found = distinct_colors([pixels])
    steps = np.linalg.norm(np.diff(found.colors, axis=0), axis=1)
    assert steps.mean() < np.linalg.norm(np.diff(pixels, axis=0), axis=1).mean() / 5


def test_equal_colors_of_many_channels_are_counted() -> None:
    pixels = np.zeros((4, 9), np.uint8)
    pixels[1, 8] = 7
    found = distinct_colors([pixels])
    assert found.counts.tolist() == [3, 1]
    np.testing.assert_array_equal(found.colors, pixels[:2])
    assert found.look_up(np.array([4, 2], np.int32))(pixels).tolist() == [4, 2, 4, 4]


@pytest.mark.parametrize("channels", [1, 3, 8, 9, 30, 80])
@pytest.mark.parametrize("values", [3, 1000])
def test_the_canonical_order_does_not_depend_on_the_order_of_the_points(
    channels: int, values: int
) -> None:
    rng = np.random.default_rng(channels)
    points = np.asfortranarray(rng.integers(-values, values, (500, channels)) / 7)
    points[::9] = points[0]  # equal points, of different weights
    weights = rng.integers(1, 4, 500) / 3
    order = canonical_order(points, weights)
    np.testing.assert_array_equal(distinct.canonical_order(points, weights), order)
    assert sorted(order) == list(range(500))
    arrangement = rng.permutation(500)
    again = arrangement[canonical_order(points[arrangement], weights[arrangement])]
    np.testing.assert_array_equal(points[again], points[order])
    np.testing.assert_array_equal(weights[again], weights[order])


def test_the_pixels_are_left_alone() -> None:
    for dtype, channels in FITTING:
        pixels = random_pixels(dtype, channels)
        copy = pixels.copy()
        found = distinct_colors([pixels])
        found.look_up(np.zeros(len(found.colors), np.int32))(pixels)
        np.testing.assert_array_equal(pixels, copy)


@every_kind
def test_codes_turn_back_into_colors(dtype: str, channels: int) -> None:
    pixels = random_pixels(dtype, channels)
    codes = np.concatenate(list(pixel_codes(pixels)))
    back = colors_of(codes, channels, pixels.dtype)
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize(("dtype", "channels"), [("u1", 3), ("u1", 4), ("i2", 3), ("f8", 2)])
def test_the_blocks_that_pixels_come_in_make_no_difference(dtype: str, channels: int) -> None:
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 50, (5000, channels)).astype(dtype)
    expected = distinct_colors([pixels])
    cuts = [0, 0, 1, 2, 700, 2000, 2000, 4999]
    blocks = np.split(pixels, cuts)
    found = distinct_colors(blocks)
    np.testing.assert_array_equal(found.colors, expected.colors)
    np.testing.assert_array_equal(found.counts, expected.counts)
    labels = rng.integers(0, 9, len(found.colors)).astype(np.int32)
    look_up = found.look_up(labels)
    labeled = np.concatenate([look_up(block) for block in blocks])
    np.testing.assert_array_equal(labeled, expected.look_up(labels)(pixels))


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=9), min_size=1, max_size=5))
def test_counts_add_up(lists: list[list[int]]) -> None:
    parts = [np.unique(np.array(codes, np.uint64), return_counts=True) for codes in lists]
    codes, counts = merge_counts(parts)
    whole = [code for part in lists for code in part]
    assert codes.tolist() == sorted(set(whole))
    assert counts.tolist() == [whole.count(code) for code in sorted(set(whole))]


def test_a_look_up_is_pickled_without_its_table() -> None:
    pixels = np.array([[255, 255, 255], [0, 0, 9]], np.uint8)
    look_up = distinct_colors([pixels]).look_up(np.array([4, 7], np.int32))
    assert look_up(pixels).tolist() == [7, 4]  # by a table of 16 MB
    sent = pickle.dumps(look_up)
    assert len(sent) < 1000
    assert pickle.loads(sent)(pixels).tolist() == [7, 4]


@pytest.mark.parametrize(
    ("dtype", "channels"),
    [(np.bool_, 3), (np.uint8, 1), (np.int8, 3), (np.uint8, 8), (np.int16, 1), (np.uint16, 4)],
)
@pytest.mark.parametrize("most", [0, 254, 255, 70_000])
def test_a_color_that_was_not_counted_has_no_label(dtype: Any, channels: int, most: int) -> None:
    low, high = (0, 1) if dtype is np.bool_ else (-100, 100)
    rng = np.random.default_rng(0)
    pixels = rng.integers(low, high, (500, channels), endpoint=True).astype(dtype)
    pixels = pixels[pixels.sum(axis=1) % 3 > 0]
    found = distinct_colors([pixels])
    labels = rng.integers(0, most, len(found.colors), endpoint=True, dtype=np.int32)
    look_up = found.look_up(labels)
    np.testing.assert_array_equal(look_up(found.colors), labels)
    everything = rng.integers(low, high, (500, channels), endpoint=True).astype(dtype)
    known = set(map(tuple, pixels.tolist()))
    new = [pixel for pixel in everything if tuple(pixel.tolist()) not in known]
    assert new
    for pixel in new[:20]:
        some = pixels[:7].copy()
        some[3] = pixel
        with pytest.raises(ValueError, match=re.escape(f"the color {pixel.tolist()} was not")):
            look_up(some)


def test_small_blocks_are_sorted_and_large_ones_go_into_a_table() -> None:
    pixels = np.random.default_rng(5).integers(0, 50, (530_010, 3), dtype=np.uint8)
    found = distinct_colors(np.split(pixels, [0, 3, 3, 530_005]))
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    order = np.lexsort(found.colors.T[::-1])
    np.testing.assert_array_equal(found.colors[order], colors)
    np.testing.assert_array_equal(found.counts, counts[np.argsort(order)])


@pytest.mark.parametrize("most", [1, 3000, None])
def test_colors_are_counted_beyond_what_the_table_holds(
    monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    if most is not None:
        monkeypatch.setattr(counting, "MOST_COUNTED", most)
    rng = np.random.default_rng(6)
    # One run longer than any count of 16 bits, some that end beside it, and noise in between.
    runs = [200_000, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537]
    gray = np.repeat(rng.permutation(256)[: len(runs)], runs)
    gray = np.concatenate((gray[:150_000], rng.integers(0, 256, 9_999), gray[150_000:]))
    found = distinct_colors(np.array_split(gray.astype(np.uint8)[:, np.newaxis], 3))
    np.testing.assert_array_equal(found.counts, np.bincount(gray, minlength=256))


@pytest.mark.parametrize("hidden", [65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("once", [False, True])
def test_a_color_that_hides_from_the_sample_is_counted_as_well(hidden: int, once: bool) -> None:
    place = np.arange(300_000)
    gray = np.where(place % counting.BLOCK % counting.SAMPLED == 0, 7, 9).astype(np.uint8)
    gray[np.flatnonzero(gray == 9)[hidden:]] = 7
    pixels = gray[:, np.newaxis]
    found = distinct_colors(iter([pixels]) if once else [pixels])
    assert found.colors.ravel().tolist() == [7, 9]
    np.testing.assert_array_equal(found.counts, [300_000 - hidden, hidden])


def test_an_image_with_a_hidden_color_is_read_again() -> None:
    place = np.arange(400_000).reshape(400, 1000)
    image = np.where(place % counting.BLOCK % counting.SAMPLED == 0, 7, 9).astype(np.uint8)
    mask = place < 300_000
    expected = [(image[mask] == value).sum() for value in (7, 9)]
    np.testing.assert_array_equal(segment(image, 2, mask=mask).counts, expected)


@pytest.mark.parametrize(
    ("dtype", "channels"), [*FITTING, ("f4", 1), ("f8", 3), ("f2", 8), ("u2", 6)]
)
def test_the_plain_twin_finds_the_same(dtype: str, channels: int) -> None:
    rng = np.random.default_rng(channels)
    pixels = rng.normal(size=(300, channels)) * 3
    if dtype.startswith("f"):
        pixels[::3] = np.rint(pixels[::3])
        pixels = pixels.astype(dtype)
    else:
        pixels = (
            random_pixels(dtype, channels, n=300)
            if (dtype, channels) in FITTING
            else pixels.astype(dtype)
        )
    blocks = [pixels[:100], pixels[100:]]
    fast, plain = distinct_colors(blocks), distinct.distinct_colors(blocks)
    np.testing.assert_array_equal(fast.colors, plain.colors)
    assert plain.colors.dtype == fast.colors.dtype
    np.testing.assert_array_equal(fast.counts, plain.counts)
    labels = rng.permutation(len(fast.counts)).astype(np.int32)
    one, other = fast.look_up(labels), plain.look_up(labels)
    for block in blocks:
        np.testing.assert_array_equal(one(block), other(block))
