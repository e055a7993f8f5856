"""Luma, scales, and the way from colors to points and back."""

import hashlib

import numpy as np
import pytest

from kmeans_seg.features import SPACES, channel_mean, luma, to_variance_1


def test_luma_by_hand() -> None:
    colors = np.array([[0.5, 0.25, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(luma(colors), [0.1063 + 0.1788 + 0.0722, 0, 1], rtol=1e-15)
    np.testing.assert_array_equal(luma(colors[:, :1]), colors[:, 0])


def test_luma_has_the_same_bits_on_every_machine() -> None:
    # Computed from integers, so that the colors themselves are the same.
    colors = (np.arange(300_000).reshape(-1, 3) * [10_007, 30_011, 50_021] % 65_536).astype(float)
    found = hashlib.sha256(luma(colors).astype("<f8").tobytes()).hexdigest()
    assert found.startswith("8ecf068779af10fd")


def test_the_mean_of_channels_adds_them_in_order() -> None:
    centers = np.array([[1e16, 1.0, -1e16], [3.0, 4.0, 5.0]])
    assert channel_mean(centers).tolist() == [0.0, 4.0]


def test_each_column_gets_variance_1_and_a_constant_one_stays() -> None:
    columns = np.array([[0.0, 7.0, 0.1], [2.0, 7.0, 0.1], [4.0, 7.0, 0.3]])
    counts = np.array([1.0, 2.0, 1.0])
    factor = to_variance_1(columns, counts)
    scaled = columns * factor
    means = np.average(scaled, axis=0, weights=counts)
    variances = np.average((scaled - means) ** 2, axis=0, weights=counts)
    np.testing.assert_allclose(variances, [1, 0, 1], rtol=1e-12)
    assert factor[1] == 1


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8", "?"])
def test_colors_come_back(name: str, dtype: str) -> None:
    space = SPACES[name]
    white = 1 if dtype in ("f4", "f8", "?") else np.iinfo(dtype).max
    colors = (np.random.default_rng(0).random((50, 3)) * white).round(dtype == "?").astype(dtype)
    back = space.to_colors(space.to_points(colors), 3, np.dtype(dtype))
    assert back.dtype == colors.dtype
    if back.dtype.kind == "f":
        np.testing.assert_allclose(back, colors, atol=1e-6)
    else:
        np.testing.assert_array_equal(back, colors)
