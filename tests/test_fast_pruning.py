"""Tests of the fast assignment: the same labels as the plain one, at every step."""

from typing import Any

import numpy as np
import pytest
from doses import dose
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import coffee

from kmeans_seg import lloyd
from kmeans_seg.colorspace import srgb_to_lab
from kmeans_seg.exact import Floats
from kmeans_seg.fast.cells import CELL, Boxes, corners
from kmeans_seg.fast.counting import distinct_colors
from kmeans_seg.fast.pruning import PrunedAssigner, select
from kmeans_seg.lloyd import Indices, SmallLabels, nearest_center


def assert_same_steps(points: Floats, centers: Floats, weights: Floats | None = None) -> None:
    """Run the loop both ways to the end and compare every bit of every step."""
    plain = lloyd(points, centers, weights=weights, strategy="plain")
    fast = lloyd(points, centers, weights=weights, strategy="fast")
    for one, other in zip(plain, fast, strict=True):
        np.testing.assert_array_equal(other.labels, one.labels)
        np.testing.assert_array_equal(other.centers, one.centers)
        np.testing.assert_array_equal(other.reassigned, one.reassigned)


@pytest.fixture(scope="module")
def colors_of_a_photo() -> tuple[Floats, Floats]:
    step = dose(4, 2)
    found = distinct_colors([coffee()[::step, ::step].reshape(-1, 3)])
    assert found.counts is not None
    return found.colors.astype(np.float64), found.counts


@pytest.mark.parametrize("k", dose([8, 64], [2, 3, 8, 16, 64, 256]))
@pytest.mark.parametrize("channels", dose([1, 3], [1, 2, 3]))
def test_steps_on_a_photo(colors_of_a_photo: tuple[Floats, Floats], channels: int, k: int) -> None:
    colors, counts = colors_of_a_photo
    points = colors[:, :channels]
    start = np.unique(points, axis=0)
    start = start[np.random.default_rng(k).permutation(len(start))[: min(k, len(start))]]
    assert_same_steps(points, start, counts)


@pytest.mark.parametrize("k", dose([2, 8], [2, 8, 64]))
def test_steps_in_lab_and_with_noise(colors_of_a_photo: tuple[Floats, Floats], k: int) -> None:
    colors, counts = colors_of_a_photo
    rng = np.random.default_rng(k)
    for points in (srgb_to_lab(colors / 255), colors / 255 + rng.normal(0, 0.01, colors.shape)):
        start = points[rng.permutation(len(points))[:k]]
        assert_same_steps(points, start, counts)


def test_steps_where_gaps_are_not_kept(
    colors_of_a_photo: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    colors, counts = colors_of_a_photo
    monkeypatch.setattr("kmeans_seg.fast.pruning.MOST_KNOWN", len(colors) // CELL * 8 - 1)
    assert_same_steps(colors, colors[:: len(colors) // 7][:8], counts)


@pytest.mark.parametrize("channels", dose([1, 4, 300], [1, 2, 3, 4, 5, 6, 24, 300]))
def test_steps_in_any_number_of_channels(channels: int) -> None:
    rng = np.random.default_rng(channels)
    n = dose(600, 2000)
    points = rng.normal(0, 1, (n, channels)) + rng.integers(0, 3, (n, 1))
    assert_same_steps(points, points[:20])


def test_steps_far_from_zero_and_at_any_scale() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((1000, 3))
    for scaled in (points + 1e9, points * 1e-139, points * 1e85, points * [1e-9, 1, 1e9]):
        assert_same_steps(scaled, scaled[:10])
    tiny = points * 1e-160  # which lloyd refuses
    assert_same_labels(tiny, [tiny[:10], tiny[20:30]])


FILLS = [1e20, -9999, 9.97e36, -3.4028234663852886e38, 1e90]


@pytest.mark.parametrize("fill", FILLS[: dose(1, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_steps_beside_fill_values(channels: int, fill: float) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(100, 30, (3000, channels))
    points[rng.random(points.shape) < 0.02] = fill
    points = points[np.lexsort(points.T)]
    assert_same_steps(points, points[::375])
    assert_same_steps(points, points[:8] * rng.choice([1, 1e-9, 1e9], (8, 1)) / 1e9)


def test_a_fill_value_leaves_the_cells_without_it_to_be_pruned() -> None:
    rng = np.random.default_rng(2)
    points = np.sort(rng.random((100 * CELL, 1)), axis=0)
    points[-CELL:] = 1e30
    centers = np.array([[0.1], [0.4], [0.8], [1e30]])
    cells, _, _ = select(Boxes(*corners(points)), centers.T, 1e-3)
    assert np.bincount(cells).mean() < 1.1


@pytest.mark.parametrize("offset", [1e5, 2.0**20, 1e9, 2.0**30, 2.0**40])
def test_points_a_few_units_in_the_last_place_apart(offset: float) -> None:
    # Here the middle of a box cannot be told from its sides, but points can from one another.
    unit = np.spacing(offset)
    points = offset + unit * np.repeat([[-1], [6], [10**8]], CELL // 2, axis=0)
    assert_same_labels(points, [offset + unit * np.array([[18.0], [-6.0]])])
    rng = np.random.default_rng(0)
    for spread in (8, 100, 10**6):
        units = rng.integers(-spread, spread, (700, 2)).astype(np.float64)
        near_ties = [units[rng.integers(0, 700, 5)] + rng.integers(-2, 3, (5, 2)) for _ in range(6)]
        units = units[np.lexsort(units.T)]
        units[-100:] *= rng.choice([1, 10**6])
        assert_same_labels(offset + unit * units, [offset + unit * c for c in near_ties])


def assert_same_labels(points: Floats, centers: list[Floats]) -> None:
    """Assign points to some centers after others, and compare with the plain assignment."""
    labels: SmallLabels = np.full(len(points), -1, np.int32)
    assign = PrunedAssigner(points, labels)
    for some in centers:
        previous = labels
        labels, changed = assign(some)
        np.testing.assert_array_equal(labels, nearest_center(points, some))
        np.testing.assert_array_equal(changed, np.flatnonzero(labels != previous))


@pytest.mark.parametrize("n", [1, 2, CELL - 1, CELL, CELL + 1, 8 * CELL, 8 * CELL + 1])
def test_steps_with_any_filling_of_the_last_cell(n: int) -> None:
    points = np.random.default_rng(n).integers(0, 50, (n, 2)).astype(np.float64)
    assert_same_steps(points, points[: min(n, 5)])


SPECIAL = {
    "collinear": np.arange(1000.0)[:, np.newaxis] * [1, 2, 3],
    "one color": np.full((300, 3), 7.0),
    "duplicates": np.repeat([[1.0, 2.0], [3.0, 4.0], [1.0, 3.0]], 200, axis=0),
    "two far ones": np.append(
        np.random.default_rng(2).random((500, 3)), [[9e3] * 3, [-9e3] * 3]
    ).reshape(-1, 3),
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("k", [1, 2, 8, 300])
def test_steps_on_special_points(name: str, k: int) -> None:
    points = SPECIAL[name]
    rng = np.random.default_rng(k)
    assert_same_steps(points, points[rng.permutation(len(points))[:k]])


def test_steps_with_as_many_centers_as_points() -> None:
    points = np.random.default_rng(3).permutation(4**4)[:, np.newaxis] // [1, 4, 16] % 4
    assert_same_steps(points.astype(float), points.astype(float))


@given(st.data())
@settings(max_examples=dose(30, 700))
def test_steps_on_tiny_grids_full_of_ties(data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 3))
    grid = st.lists(st.integers(0, 3), min_size=channels, max_size=channels)
    points = np.array(data.draw(st.lists(grid, min_size=4, max_size=40)), np.float64)
    k = data.draw(st.integers(1, len(points)))
    assert_same_steps(points, points[:k])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=dose(25, 300))
def test_labels_whatever_the_centers_do(seed: int) -> None:
    # Lloyd's centers come to rest; these creep, stand still, jump, swap and tie.
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 40, (rng.integers(1, 3000), rng.integers(1, 4))).astype(np.float64)
    points = points[np.lexsort(points.T)]
    centers = points[rng.integers(0, len(points), rng.integers(1, 12))].copy()
    labels: SmallLabels = np.full(len(points), -1, np.int32)
    assign = PrunedAssigner(points, labels)
    for _ in range(12):
        previous = labels
        labels, changed = assign(centers)
        np.testing.assert_array_equal(labels, nearest_center(points, centers))
        np.testing.assert_array_equal(changed, np.flatnonzero(labels != previous))
        moves = rng.random(len(centers)) < rng.random()
        step = rng.choice([0.0, 0.001, 0.5, 20.0])
        centers = centers + moves[:, np.newaxis] * rng.normal(0, 1, centers.shape) * step
        if rng.random() < 0.2:
            centers = rng.permutation(np.rint(centers))
        if rng.random() < 0.2:
            order = rng.permutation(len(centers))
            centers, labels = centers[order], order.argsort()[labels].astype(np.int32)
            assign.renumber(order)


@pytest.mark.parametrize("channels", [2, 40])
@pytest.mark.parametrize("wobble", [0, 1e-17, 1e-16, 1e-15, 1e-9, 1e-8, 1e-7])
def test_a_tie_within_rounding_is_decided_the_plain_way(channels: int, wobble: float) -> None:
    # Centers mirror each other on the points: every distance is a tie or nearly one.
    rng = np.random.default_rng(channels)
    points = np.repeat(rng.random((300, channels // 2)), 2, axis=1)
    start = rng.random(channels)
    mirrored = start.reshape(-1, 2)[:, ::-1].ravel()
    centers = np.array([start + wobble * rng.normal(size=channels), mirrored, start])
    labels, _ = PrunedAssigner(points, np.zeros(len(points), np.int32))(centers)
    np.testing.assert_array_equal(labels, nearest_center(points, centers))


def test_fewer_points_are_looked_at_as_the_centers_come_to_rest(
    colors_of_a_photo: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the labels cannot show: that the cells really sleep.
    colors, _ = colors_of_a_photo
    compare = PrunedAssigner._compare
    looked_at: list[int] = []

    def counted(self: PrunedAssigner, cells: Indices, *rest: Any) -> Any:
        looked_at[-1] += len(cells)
        return compare(self, cells, *rest)

    monkeypatch.setattr(PrunedAssigner, "_compare", counted)
    assign = PrunedAssigner(colors, np.full(len(colors), -1, np.int32))
    centers = colors[:: len(colors) // 8]
    for step in (0, 1, 0.01, 0.0001):
        looked_at.append(0)
        centers = centers + step
        assign(centers)
    assert looked_at[1] > looked_at[2] > looked_at[3]
    assert looked_at[3] < len(colors) / CELL / 10


def test_cells_of_tiny_boxes_beside_huge_distances() -> None:
    tiny = np.zeros((256, 2))
    tiny[::2] = 1e-70
    far = [np.tile([1e90, 0.0], (256, 1)), np.tile([-1e90, 0.0], (256, 1))]
    points = np.vstack([np.zeros((1280, 2)), tiny, *far])
    assert_same_steps(points, np.array([[1e90, 0.0], [-1e90, 0.0], [0.0, 1e90]]))
    line = np.zeros((768, 1))
    line[256:512:2], line[512:] = 1e-70, 1e90
    assert_same_steps(line, np.array([[1e90], [-1e90]]))


@pytest.mark.parametrize("channels", [1, 2, 12])
def test_steps_on_numbers_of_all_sizes(channels: int) -> None:
    rng = np.random.default_rng(channels)
    for _ in range(dose(2, 75)):
        n, k = int(rng.integers(300, 1500)), int(rng.integers(2, 9))
        points = rng.normal(size=(n, channels)) * 10.0 ** rng.integers(-90, 90, (n, 1))
        points[rng.random(n) < 0.6] = 0
        points = points[np.lexsort(points.T)]
        centers = rng.normal(size=(k, channels)) * 10.0 ** rng.integers(-90, 89, (k, 1))
        assert_same_steps(np.clip(points, -1e90, 1e90), centers)
