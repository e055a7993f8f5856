"""The nearest center by one product: the labels of the plain way, at every magnitude."""

from typing import Any

import numpy as np
import pytest
from test_lloyd_clusters import JOURNEYS

from kmeans_seg.fast import nearest
from kmeans_seg.lloyd import nearest_center


@pytest.mark.parametrize("case", JOURNEYS)
def test_wherever_the_centers_are(case: str) -> None:
    points, journey = JOURNEYS[case]
    for centers in journey:
        found = nearest.nearest_center(points, centers)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, nearest_center(points, centers))


@pytest.mark.parametrize("scale", [1e-140, 1e-9, 1.0, 1e9, 1e130])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12])
@pytest.mark.parametrize("k", [2, 12, 300])
def test_at_every_magnitude(scale: float, offset: float, k: int) -> None:
    rng = np.random.default_rng(k)
    points = np.asfortranarray((rng.normal(size=(500, 3)) + offset) * scale)
    centers = points[rng.choice(500, k, replace=False)]
    np.testing.assert_array_equal(
        nearest.nearest_center(points, centers), nearest_center(points, centers)
    )


@pytest.mark.parametrize("far", [1e9, 1e20, -3.4e38, 1e140])
def test_beside_a_fill_value(far: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.random((400, 5))
    points[::7, 2] = far
    for centers in (points[1:6], points[:5]):
        np.testing.assert_array_equal(
            nearest.nearest_center(points, centers), nearest_center(points, centers)
        )


def test_most_points_need_no_exact_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = []

    def counted(points: Any, centers: Any) -> Any:
        exact.append(len(points))
        return nearest_center(points, centers)

    monkeypatch.setattr(nearest, "plain_nearest_center", counted)
    rng = np.random.default_rng(0)
    nearest.nearest_center(rng.random((20_000, 6)), rng.random((9, 6)))
    assert sum(exact) < 200
