"""Levels along the principal axes: the directions of greatest variance, the same everywhere."""

from typing import Any

import numpy as np
import pytest
from doses import dose

from kmeans_seg.principal import AXES, principal_axes, principal_levels


def mixed(n: int, channels: int, seed: int = 0) -> Any:
    """Mix three independent signals; each varies less than the one before."""
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(n, 3)) * [900, 300, 100]
    return np.rint(signals @ rng.normal(size=(3, channels)) + rng.normal(size=(n, channels)))


@pytest.mark.parametrize("channels", [9, 30])
def test_the_axes_are_those_of_greatest_variance(channels: int) -> None:
    colors = mixed(4000, channels)
    axes = principal_axes(len(colors), colors.sum(axis=0), colors.T @ colors)
    axes = axes / np.sqrt(np.square(axes).sum(axis=0))
    along = (colors @ axes).var(axis=0)
    best = np.linalg.eigvalsh(np.cov(colors.T))[::-1][:AXES]
    np.testing.assert_allclose(along, best, rtol=0.05)


def test_levels_keep_the_distances_along_the_axes() -> None:
    colors = mixed(3000, 12)
    levels = principal_levels(colors).astype(np.float64)
    assert levels.min() == 0
    assert levels.max() == 65535
    of_colors = np.square(colors - colors[0]).sum(axis=1)
    of_levels = np.square(levels - levels[0]).sum(axis=1)
    assert np.corrcoef(of_colors, of_levels)[0, 1] > 0.99


@pytest.mark.parametrize(
    "dtype",
    dose(
        [np.bool_, np.uint16, np.float64],
        [np.bool_, np.int8, np.uint16, np.int64, np.float32, np.float64],
    ),
)
@pytest.mark.parametrize("channels", [9, 70])
def test_they_depend_on_the_colors_alone(dtype: Any, channels: int) -> None:
    colors = mixed(17_000, channels).astype(dtype)
    levels = principal_levels(colors)
    order = np.random.default_rng(1).permutation(len(colors))
    np.testing.assert_array_equal(principal_levels(colors[order]), levels[order])
    np.testing.assert_array_equal(principal_levels(np.asfortranarray(colors)), levels)


def test_sums_are_exact_for_the_most_channels_of_the_widest_range() -> None:
    # Every channel takes the largest level half of the time, and all do at once.
    colors = np.zeros((17_000, 64))
    colors[::2] = 1e6
    levels = principal_levels(colors)
    assert (levels[::2, 0] == 65535).all()
    assert (levels[1::2] == 0).all()


@pytest.mark.parametrize("value", [0.0, 3.0, -1e300])
def test_equal_colors(value: float) -> None:
    assert not principal_levels(np.full((5, 9), value)).any()


def test_the_colors_are_left_alone() -> None:
    colors = mixed(100, 9)
    copy = colors.copy()
    colors.flags.writeable = False
    principal_levels(colors)
    np.testing.assert_array_equal(colors, copy)
