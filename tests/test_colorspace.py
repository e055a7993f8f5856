"""Tests of kmeans_seg.colorspace: published constants, exact grays, accuracy, and the inverse."""

import hashlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from doses import dose, thorough
from numpy.typing import NDArray
from samples import coffee

from kmeans_seg import colorspace
from kmeans_seg.colorspace import lab_to_srgb, srgb_to_lab

Colors = NDArray[np.float64]

# What the standards publish, written down once more and apart from the code.
PRIMARIES = (("0.64", "0.33"), ("0.30", "0.60"), ("0.15", "0.06"))  # IEC 61966-2-1 (1999)
WHITE = ("0.95047", "1", "1.08883")  # D65, 2-degree observer, ASTM E308 (2001)
PRINTED_MATRIX = (  # IEC 61966-2-1 (1999), rounded to four digits there
    (0.4124, 0.3576, 0.1805),
    (0.2126, 0.7152, 0.0722),
    (0.0193, 0.1192, 0.9505),
)


def random_colors(n: int = 20_000, seed: int = 0) -> Colors:
    return np.random.default_rng(seed).random((n, 3))


def exact_matrix() -> list[list[Fraction]]:
    """Return the matrix of linear sRGB to XYZ, in exact arithmetic from its definition."""
    columns = []
    for x, y in ((Fraction(x), Fraction(y)) for x, y in PRIMARIES):
        columns.append((x / y, Fraction(1), (1 - x - y) / y))
    rows = [list(row) for row in zip(*columns, strict=True)]
    white = [Fraction(value) for value in WHITE]

    def determinant(m: list[list[Fraction]]) -> Fraction:
        (a, b, c), (d, e, f), (g, h, i) = m
        return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)

    # Each primary is scaled so that the three together give the white (Cramer's rule).
    scales = []
    for channel in range(3):
        replaced = [
            [*row[:channel], w, *row[channel + 1 :]] for row, w in zip(rows, white, strict=True)
        ]
        scales.append(determinant(replaced) / determinant(rows))
    return [[value * scale for value, scale in zip(row, scales, strict=True)] for row in rows]


def lab_by_the_book(rgb: list[float]) -> list[float]:
    """Return the Lab color of one sRGB color, formula by formula as the standards print them."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    roots = []
    for row, white in zip(exact_matrix(), WHITE, strict=True):
        ratio = math.fsum(float(m) * v for m, v in zip(row, linear, strict=True)) / float(white)
        root = math.cbrt(ratio) if ratio > (6 / 29) ** 3 else 841 / 108 * ratio + 4 / 29
        roots.append(root)
    x, y, z = roots
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


# --- published constants ----------------------------------------------------------------------


def test_matrix_follows_from_the_published_primaries_and_white() -> None:
    ours = [colorspace._X_FROM_RGB, colorspace._Y_FROM_RGB, colorspace._Z_FROM_RGB]
    exact = np.array([[float(value) for value in row] for row in exact_matrix()])
    np.testing.assert_allclose(ours, exact, rtol=0, atol=0.5001e-7)
    np.testing.assert_allclose(ours, PRINTED_MATRIX, rtol=0, atol=2e-4)
    x, y, z = (Fraction(value) for value in WHITE)
    total = x + y + z
    # The chromaticity of white as IEC 61966-2-1 prints it.
    assert (round(float(x / total), 4), round(float(y / total), 4)) == (0.3127, 0.3290)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # to the two decimals that are commonly published
        ((1, 1, 1), (100.00, 0.00, 0.00)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0, 1, 1), (91.11, -48.09, -14.13)),
        ((1, 0, 1), (60.32, 98.23, -60.82)),
        ((1, 1, 0), (97.14, -21.55, 94.48)),
        ((0, 0, 0), (0.00, 0.00, 0.00)),
    ],
)
def test_corners_of_the_cube(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(srgb_to_lab(np.array(rgb, float)), lab, rtol=0, atol=0.0051)


def test_formulas_by_the_book() -> None:
    colors = np.concatenate((random_colors(300), random_colors(100) * 0.05))
    expected = [lab_by_the_book(color) for color in colors.tolist()]
    # The seven digits of the matrix are all that separates the two.
    np.testing.assert_allclose(srgb_to_lab(colors), expected, rtol=0, atol=1e-4)


def test_transfer_function_of_iec_61966_2_1() -> None:
    # 0.0031308 is where the standard passes from the line to the power, stored as 0.04045.
    decoded = colorspace._decode(np.array([0.0, 0.04045, 0.5, 1.0]))
    np.testing.assert_allclose(decoded, [0, 0.0031308, 0.2140411, 1], rtol=0, atol=0.5001e-7)
    encoded = colorspace._encode(np.array([0.0, 0.0031308, 0.2140411, 1.0]))
    np.testing.assert_allclose(encoded, [0, 0.04045, 0.5, 1], rtol=0, atol=1e-6)


def test_lightness_of_cie_15() -> None:
    # L* is 8 where the cube root takes over, 50 at (66/116)^3, and 24389/27 Y below the former.
    y = np.array([0.001, (6 / 29) ** 3, (66 / 116) ** 3, 1.0])
    gray = np.repeat(colorspace._encode(y)[:, np.newaxis], 3, axis=1)
    np.testing.assert_allclose(srgb_to_lab(gray)[:, 0], [24.389 / 27, 8, 50, 100], atol=1e-5)


def test_both_pieces_of_lab_meet() -> None:
    joint = np.array([(6 / 29) ** 3])
    above = np.nextafter(joint, 1)
    np.testing.assert_allclose(colorspace._compress(joint), colorspace._compress(above), rtol=1e-14)
    root = np.array([6 / 29])
    above = np.nextafter(root, 1)
    np.testing.assert_allclose(colorspace._expand(root), colorspace._expand(above), rtol=1e-14)


# --- grays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [256, 65_536])
def test_grays_are_exactly_neutral(levels: int) -> None:
    gray = np.repeat(np.linspace(0, 1, levels)[:, np.newaxis], 3, axis=1)
    lab = srgb_to_lab(gray)
    assert not lab[:, 1:].any()
    assert (np.diff(lab[:, 0]) > 0).all()
    assert lab[0, 0] == 0
    assert lab[-1, 0] == 100


def test_neutral_lab_comes_back_exactly_gray() -> None:
    lab = np.zeros((10_001, 3))
    lab[:, 0] = np.linspace(0, 100, len(lab))
    rgb = lab_to_srgb(lab)
    assert (rgb == rgb[:, :1]).all()
    assert (np.diff(rgb[:, 0]) > 0).all()
    np.testing.assert_allclose(rgb[[0, -1], 0], [0, 1], rtol=0, atol=1e-15)


# --- accuracy, and one answer everywhere ------------------------------------------------------


def ulps(values: Colors, exact: list[Any]) -> float:
    """Return the largest error, in units of the last place of the values."""
    return max(
        float(abs(value - right) / unit)
        for value, right, unit in zip(
            values.tolist(), exact, np.spacing(np.abs(values)).tolist(), strict=True
        )
    )


def exactly_decoded(encoded: float) -> Any:
    if encoded <= 0.04045:
        return encoded / mpmath.mpf("12.92")
    return ((encoded + mpmath.mpf("0.055")) / mpmath.mpf("1.055")) ** mpmath.mpf("2.4")


def exactly_encoded(linear: float) -> Any:
    if linear <= 0.0031308:
        return linear * mpmath.mpf("12.92")
    return mpmath.mpf("1.055") * linear ** (1 / mpmath.mpf("2.4")) - mpmath.mpf("0.055")


def exact_lab(rgb: list[float]) -> list[Any]:
    linear = [exactly_decoded(value) for value in rgb]
    roots = []
    for row in (colorspace._X_FROM_RGB, colorspace._Y_FROM_RGB, colorspace._Z_FROM_RGB):
        decimals = [mpmath.mpf(str(value)) for value in row]
        ratio = mpmath.fdot(decimals, linear) / mpmath.fsum(decimals)
        small = ratio <= mpmath.mpf(216) / 24389
        roots.append((mpmath.mpf(24389) / 27 * ratio + 16) / 116 if small else mpmath.cbrt(ratio))
    x, y, z = roots
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize(("n", "bound"), [(3, 0.67), (5, 0.8)])
def test_roots_are_accurate_over_the_whole_range_of_normal_numbers(n: int, bound: float) -> None:
    limits = np.finfo(np.float64)
    everywhere = np.ldexp(1 + random_colors(2046), np.arange(-1022, 1024)[:, np.newaxis])
    ends = [limits.smallest_normal, limits.max, np.nextafter(1, 0), 1, np.nextafter(1, 2)]
    x = np.concatenate((everywhere.ravel(), random_colors(1_000).ravel(), ends))
    with mpmath.workprec(120):
        assert ulps(colorspace._root(x, n), [mpmath.root(value, n) for value in x.tolist()]) < bound
    whole = np.arange(1, 1_000)
    np.testing.assert_array_equal(colorspace._root((whole**n).astype(float), n), whole)


def test_the_transfer_function_is_accurate() -> None:
    levels = np.arange(0, 65_536, dose(50, 5)) / 65_535
    some = random_colors(dose(500, 5_000))
    encoded = np.concatenate((levels, some.ravel(), 0.04 + 0.01 * some.ravel()))
    linear = colorspace._decode(encoded)
    with mpmath.workprec(120):
        assert ulps(linear, [exactly_decoded(value) for value in encoded.tolist()]) < 8
        back = colorspace._encode(linear)
        assert ulps(back, [exactly_encoded(value) for value in linear.tolist()]) < 8


def test_lab_is_accurate() -> None:
    some = random_colors(dose(200, 5_000))
    corners = np.stack(np.meshgrid([0, 5e-324, 1e-310, 0.04045, 1], [0, 1], [0, 1]), axis=-1)
    colors = np.concatenate((some, np.rint(some * 255) / 255, some * 0.1, corners.reshape(-1, 3)))
    with mpmath.workprec(120):
        for lab, color in zip(srgb_to_lab(colors).tolist(), colors.tolist(), strict=True):
            for value, right in zip(lab, exact_lab(color), strict=True):
                assert abs(value - right) < 5e-13


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2"])
def test_integers_are_converted_like_their_share_of_white(dtype: str) -> None:
    white = np.iinfo(dtype).max
    grays = np.arange(white + 1).repeat(3).reshape(-1, 3)
    colors = np.concatenate((grays, grays.ravel()[::-1].reshape(-1, 3), random_colors() * white))
    colors = colors.astype(dtype)
    np.testing.assert_array_equal(srgb_to_lab(colors), srgb_to_lab(colors / white))


def test_every_machine_has_the_same_bits() -> None:
    # Computed from integers, so that the colors themselves are the same.
    colors = np.arange(300_000).reshape(-1, 3) * [10_007, 30_011, 50_021] % 65_536
    lab = srgb_to_lab(colors / 65_535)
    beyond_the_gamut = lab * [1.0, 1.5, 1.5]
    found = [lab, lab_to_srgb(lab), lab_to_srgb(beyond_the_gamut)]
    assert [hashlib.sha256(part.astype("<f8").tobytes()).hexdigest()[:16] for part in found] == [
        "409078064146e9a6",
        "c495940165df1773",
        "e8b3ec8d8563975d",
    ]


# --- the inverse ------------------------------------------------------------------------------


def assert_round_trip(red: Any, green: Any, blue: Any) -> None:
    colors = np.stack(np.meshgrid(red, green, blue), axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(np.rint(lab_to_srgb(srgb_to_lab(colors)) * 255), colors)


def test_round_trip_of_8_bit_colors() -> None:
    assert_round_trip(*[range(0, 256, 5)] * 3)


@thorough
def test_round_trip_of_every_8_bit_color() -> None:
    for red in range(256):
        assert_round_trip(red, range(256), range(256))


def test_round_trip_of_floats() -> None:
    # The two published thresholds, 0.04045 and 0.0031308, differ by some 3e-8: values that fall
    # between them go by the line and come back by the power.
    colors = np.concatenate((random_colors(), random_colors() * 0.08))
    np.testing.assert_allclose(lab_to_srgb(srgb_to_lab(colors)), colors, rtol=0, atol=1e-7)


def test_out_of_gamut_is_clipped() -> None:
    axis = np.linspace(-128, 128, 33)
    lab = np.stack(np.meshgrid(np.linspace(-20, 150, 18), axis, axis), axis=-1)
    rgb = lab_to_srgb(lab)
    assert rgb.min() == 0
    assert 1 - 1e-15 <= rgb.max() <= 1
    # One color by hand: too green, so no red and no blue is left; the green is in range.
    red, green, blue = lab_to_srgb(np.array([80.0, -120.0, 80.0])).tolist()
    assert (red, blue) == (0, 0)
    assert 0 < green < 1


# --- an independent implementation ------------------------------------------------------------


def test_scikit_image_agrees_on_random_colors() -> None:
    color = pytest.importorskip("skimage.color")
    colors = random_colors(200_000)
    np.testing.assert_allclose(srgb_to_lab(colors), color.rgb2lab(colors), rtol=0, atol=0.01)


def test_scikit_image_agrees_on_a_photo() -> None:
    color = pytest.importorskip("skimage.color")
    photo = coffee() / 255
    lab = srgb_to_lab(photo)
    assert lab.shape == photo.shape
    np.testing.assert_allclose(lab, color.rgb2lab(photo), rtol=0, atol=0.01)
    np.testing.assert_allclose(lab_to_srgb(lab), color.lab2rgb(lab), rtol=0, atol=1e-3)


# --- what both have in common -----------------------------------------------------------------

each_function = pytest.mark.parametrize("function", [srgb_to_lab, lab_to_srgb])
Function = Callable[[NDArray[Any]], Colors]


def inputs(function: Function, n: int) -> Colors:
    """Return colors that the function takes, for `lab_to_srgb` some of them out of gamut."""
    colors = random_colors(n)
    return colors * [120, 200, 200] - [10, 100, 100] if function is lab_to_srgb else colors


@each_function
def test_each_color_alone_gives_the_same_bits(function: Function) -> None:
    colors = inputs(function, 20_011)
    together = function(colors)
    for i in (*range(300), *range(8_100, 8_300), *range(19_900, 20_011)):
        np.testing.assert_array_equal(function(colors[i]), together[i])


@each_function
def test_layout_does_not_matter(function: Function) -> None:
    image = inputs(function, 120 * 160).reshape(120, 160, 3)
    result = function(image)
    np.testing.assert_array_equal(function(np.asfortranarray(image)), result)
    np.testing.assert_array_equal(function(image.swapaxes(0, 1)), result.swapaxes(0, 1))
    np.testing.assert_array_equal(function(image[::-1, ::-1]), result[::-1, ::-1])
    np.testing.assert_array_equal(function(image[5::3, 7::2]), result[5::3, 7::2])
    np.testing.assert_array_equal(
        function(image.reshape(-1, 3)), result.reshape(-1, *result.shape[2:])
    )
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    np.testing.assert_array_equal(function(np.moveaxis(planes, 0, -1)), result)
    wider = np.zeros((120, 160, 4))  # an alpha channel left aside
    wider[..., :3] = image
    np.testing.assert_array_equal(function(wider[..., :3]), result)


@each_function
@pytest.mark.parametrize("block", [1, 7, 1000, 10**9])
def test_block_size_does_not_matter(
    function: Function, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    colors = inputs(function, dose(503, 2_003))
    expected = function(colors)
    monkeypatch.setattr(colorspace, "_BLOCK", block)
    np.testing.assert_array_equal(function(colors), expected)


@each_function
def test_input_is_not_modified(function: Function) -> None:
    colors = inputs(function, 1_000)
    before = colors.copy()
    colors.flags.writeable = False
    result = function(colors)
    np.testing.assert_array_equal(colors, before)
    assert not np.shares_memory(result, colors)
    assert result.flags.writeable


@each_function
def test_float32_is_computed_in_float64(function: Function) -> None:
    colors = inputs(function, 1_000).astype(np.float32)
    result = function(colors)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, function(colors.astype(np.float64)))


@each_function
@pytest.mark.parametrize("shape", [(0, 3), (4, 0, 3), (3,), (1, 3), (2, 1, 2, 3)])
def test_shapes(function: Function, shape: tuple[int, ...]) -> None:
    result = function(np.full(shape, 0.5))
    assert result.shape == shape
