"""Tests of points in cells."""

import numpy as np
import pytest

from kmeans_seg.cells import CELL, Boxes, Cells, in_cells


@pytest.mark.parametrize("n", [1, CELL - 1, CELL, CELL + 1, 5 * CELL])
def test_cells_hold_the_values_in_order_and_then_the_last(n: int) -> None:
    values = np.arange(float(n))
    cells = in_cells(values)
    assert cells.shape == (-(-n // CELL), CELL)
    flat = cells.ravel()
    np.testing.assert_array_equal(flat[:n], values)
    assert (flat[n:] == n - 1).all()


def test_boxes_hold_their_points_and_no_more() -> None:
    points = np.random.default_rng(0).normal(size=(5 * CELL + 7, 3))
    cells = Cells(points)
    held = cells.points()
    assert held.shape == (6, CELL, 3)
    np.testing.assert_array_equal(held.reshape(-1, 3)[: len(points)], points)
    np.testing.assert_array_equal(held.min(axis=1), cells.low)
    np.testing.assert_array_equal(held.max(axis=1), cells.high)
    np.testing.assert_array_equal(cells.low[-1], points[5 * CELL :].min(axis=0))


def test_some_cells_are_those_of_all() -> None:
    cells = Cells(np.random.default_rng(1).normal(size=(4 * CELL, 2)))
    some = np.array([3, 0])
    np.testing.assert_array_equal(cells.points(some), cells.points()[some])
    assert cells.points(some)[..., 1].flags.c_contiguous


def test_gaps_are_never_more_than_those_of_the_corners_and_points() -> None:
    rng = np.random.default_rng(1)
    low = rng.random((50, 3))
    high = low + rng.random((50, 3)) * 0.2
    centers = rng.random((6, 3))
    everyone = np.repeat(np.arange(6)[:, np.newaxis], 50, axis=1)
    gaps = Boxes(low.T, high.T).gaps(np.arange(50), everyone, centers.T)
    for _ in range(200):
        where = rng.integers(0, 2, low.shape) if rng.random() < 0.5 else rng.random(low.shape)
        points = low + where * (high - low)
        distances = np.linalg.norm(points - centers[:, np.newaxis], axis=2)
        assert (gaps <= distances - distances.min(axis=0) + 1e-12).all()
    assert (gaps > 0).any()
