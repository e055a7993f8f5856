"""Tests of points in cells."""

import numpy as np
import pytest

from kmeans_seg.fast.cells import CELL, ROUNDING, Boxes, by_cell, corners, in_cells


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
    held = in_cells(points.T)
    assert held.shape == (3, 6, CELL)
    np.testing.assert_array_equal(held.reshape(3, -1)[:, : len(points)], points.T)
    low, high = corners(points)
    np.testing.assert_array_equal(held.min(axis=2), low)
    np.testing.assert_array_equal(held.max(axis=2), high)
    boxes = Boxes(low, high)
    assert (np.maximum(boxes.middle - low, high - boxes.middle) <= boxes.width / 2).all()


@pytest.mark.parametrize("n", [1, CELL, 3 * CELL - 1])
def test_cells_are_reduced_one_by_one(n: int) -> None:
    values = np.random.default_rng(1).normal(size=n)
    np.testing.assert_array_equal(
        by_cell(np.maximum, in_cells(values)), corners(values[:, np.newaxis])[1][0]
    )


def test_gaps_are_never_more_than_those_of_the_corners_and_points() -> None:
    rng = np.random.default_rng(1)
    low = rng.random((50, 3))
    high = low + rng.random((50, 3)) * 0.2
    centers = rng.random((6, 3))
    boxes = Boxes(low.T, high.T)
    parts = [boxes.gaps(slice(*ends), centers.T) for ends in ((0, 20), (20, 50))]
    gaps, rounding = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    gaps = gaps * (1 - ROUNDING) - rounding
    for _ in range(200):
        where = rng.integers(0, 2, low.shape) if rng.random() < 0.5 else rng.random(low.shape)
        points = low + where * (high - low)
        distances = np.linalg.norm(points - centers[:, np.newaxis], axis=2)
        assert (gaps <= distances - distances.min(axis=0) + 1e-12).all()
    assert (gaps > 0).any()
