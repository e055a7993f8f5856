"""The records of `trace`: they belong to the run that `segment` makes, and to each other."""

import dataclasses
import gc
import inspect
import itertools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import ConvergenceWarning, FewerClustersWarning, segment
from kmeans_seg.segmentation import Segmentation
from kmeans_seg.teaching import (
    Assign,
    Choose,
    Done,
    Record,
    Rehearsal,
    Update,
    animate,
    explain,
    filmstrip,
    trace,
)

Image = NDArray[Any]


def spots(*shape: int, values: int = 256, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(values, size=shape).astype(np.uint8)


def assert_equal(one: Segmentation, other: Segmentation) -> None:
    for field in dataclasses.fields(one):
        if field.name == "_features":
            continue  # it has no equality, and nothing that a trace could change
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name
        )


# What segment takes and the lessons do not: they show one picture, every pixel of it.
BEYOND_LESSONS = {
    "callback", "n_init", "channel_axis", "mask", "order", "position", "normalize", "out",
    "alpha_threshold",
}  # fmt: skip

CASES: dict[str, tuple[Image, int, dict[str, Any]]] = {
    "color": (spots(12, 9, 3), 4, {}),
    "gray": (spots(7, 8), 3, {"rng": 5}),
    "many ties": (spots(8, 8, values=5), 3, {"rng": 2}),
    "random seeds": (spots(9, 9, 3), 5, {"init": "random"}),
    "lab": (spots(9, 8, 3), 3, {"space": "lab"}),
    "floats": (spots(6, 7, 3) / 255, 4, {}),
    "raw": (spots(6, 7, 5), 4, {"space": "raw"}),
    "given centers": (spots(6, 7), 3, {"init": [[200], [10], [100]]}),
    "an empty cluster": (spots(6, 7), 3, {"init": [[200], [900], [100]]}),
    "16 bits": (spots(6, 7, 3).astype(np.uint16) * 200, 4, {}),
    "plain": (spots(12, 9, 3), 4, {"strategy": "plain"}),
    "one segment": (spots(5, 4, 3), 1, {}),
    "rehearsed": (spots(12, 9, 3), 4, {"init": "auto"}),
    "rehearsed, changed": (spots(20, 30, 3), 9, {"init": "auto", "rng": 3}),
    "optimal": (spots(7, 8), 3, {"init": "optimal"}),
    "to a share": (spots(12, 9, 3), 4, {"tol": 0.1}),
}
for *_, shared in CASES.values():
    shared.setdefault("init", "k-means++")


@pytest.fixture(params=CASES, name="case")
def fixture_case(request: pytest.FixtureRequest) -> tuple[Image, int, dict[str, Any]]:
    return CASES[request.param]


def test_it_ends_in_what_segment_returns(case: tuple[Image, int, dict[str, Any]]) -> None:
    image, k, options = case
    *before, done = trace(image, k, **options)
    assert isinstance(done, Done)
    result = segment(image, k, **options)
    assert_equal(done.result, result)

    last = before[-1]
    assert isinstance(last, Assign)
    assert last.changed.mean() <= options.get("tol", 0)
    assert last.iteration == result.n_iter
    assert last.inertia == result.inertia
    np.testing.assert_array_equal(last.centers[done.order], result.centers)
    np.testing.assert_array_equal(last.palette[done.order], result.palette)
    np.testing.assert_array_equal(last.counts[done.order], result.counts)
    np.testing.assert_array_equal(done.order[result.labels], last.labels)


def test_the_records_fit_together(case: tuple[Image, int, dict[str, Any]]) -> None:
    image, k, options = case
    records = list(trace(image, k, **options))
    names = [type(r) for r in records if not isinstance(r, Choose | Rehearsal)]
    passes = names.count(Assign)
    assert names == [Assign, *[Update, Assign] * (passes - 1), Done]
    assigns = [record for record in records if isinstance(record, Assign)]
    updates = [record for record in records if isinstance(record, Update)]
    assert [record.iteration for record in assigns] == list(range(1, passes + 1))
    assert [record.iteration for record in updates] == list(range(1, passes))
    assert assigns[0].changed.all()
    for one, other in itertools.pairwise(assigns):
        np.testing.assert_array_equal(other.changed, other.labels != one.labels)
        assert other.inertia <= one.inertia
    for strategy in assigns:
        assert strategy.labels.dtype == np.int32
        assert strategy.labels.shape == image.shape[:2]
        assert strategy.palette.dtype == image.dtype
        np.testing.assert_array_equal(
            strategy.counts, np.bincount(strategy.labels.ravel(), minlength=k)
        )
    for one, update, other in zip(assigns, updates, assigns[1:], strict=False):
        assert update.before is one.centers
        assert update.after is other.centers
        np.testing.assert_array_equal(update.palette, other.palette)
        expected = np.linalg.norm(update.after - update.before, axis=1)
        np.testing.assert_allclose(update.moved, expected)


def test_an_update_goes_to_the_means() -> None:
    image = spots(12, 9, 3)
    records = list(trace(image, 4, init="k-means++"))
    for one, update in itertools.pairwise(records):
        if isinstance(one, Assign) and isinstance(update, Update):
            means = [image[one.labels == i].mean(axis=0) for i in range(4)]
            np.testing.assert_allclose(update.after, means)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_initial_centers_are_pixels_and_their_maps_are_distances(init: str) -> None:
    image = spots(9, 11, 3, values=6)
    records = list(trace(image, 5, init=init))
    drawn = [record for record in records if isinstance(record, Choose)]
    assert [center.number for center in drawn] == list(range(5))
    assert drawn[0].distances is None
    for center in drawn:
        np.testing.assert_array_equal(image[center.pixel], center.color)
        same = (image == center.color).all(axis=2)
        assert center.pixel == tuple(np.argwhere(same)[0])
    for number, center in enumerate(drawn[1:], 1):
        assert center.distances is not None
        assert center.distances.dtype == np.float64
        colors = [earlier.color.astype(int) for earlier in drawn[:number]]
        nearest = np.min([((image - color) ** 2).sum(axis=2) for color in colors], axis=0)
        np.testing.assert_array_equal(center.distances, nearest)
        assert center.distances[center.pixel] > 0
    first = records[5]
    assert isinstance(first, Assign)
    np.testing.assert_array_equal(first.centers, [center.color for center in drawn])


def test_given_centers_are_not_drawn() -> None:
    first = next(trace([[1, 2, 9]], 2, init=[[0], [9]]))
    assert isinstance(first, Assign)
    assert first.labels.tolist() == [[0, 0, 1]]


def test_an_empty_cluster_moves_to_the_farthest_color() -> None:
    # Worked by hand: nobody is near 100, and 9 is farthest from its center, 0.
    first, update, *_, done = trace(np.array([[0, 1, 8, 9]]), 2, init=[[0], [100]])
    assert isinstance(first, Assign)
    assert first.centers.ravel().tolist() == [0, 9]
    assert first.labels.tolist() == [[0, 0, 1, 1]]
    assert isinstance(update, Update)
    assert update.after.ravel().tolist() == [0.5, 8.5]
    assert isinstance(done, Done)
    assert done.result.converged


def test_fewer_colors_than_clusters() -> None:
    image = np.array([[7, 7], [200, 7]], np.uint8)
    with pytest.warns(FewerClustersWarning):
        records = list(trace(image, 3, init="k-means++"))
    with pytest.warns(FewerClustersWarning):
        result = segment(image, 3)
    done = records[-1]
    assert isinstance(done, Done)
    assert_equal(done.result, result)
    assert sum(isinstance(record, Choose) for record in records) == 2


def test_given_centers_that_stay_without_a_color() -> None:
    image = np.array([[7, 7], [200, 7]], np.uint8)
    with pytest.warns(FewerClustersWarning):
        records = list(trace(image, 4, init=[[0], [200], [3], [7]]))
    last, done = records[-2:]
    assert isinstance(last, Assign)
    assert isinstance(done, Done)
    assert len(last.counts) == 4
    assert done.result.counts.tolist() == [3, 1]
    np.testing.assert_array_equal(last.counts[done.order], done.result.counts)
    np.testing.assert_array_equal(done.order[done.result.labels], last.labels)


@pytest.mark.parametrize("max_iter", [1, 2])
def test_a_run_cut_short_says_so(max_iter: int) -> None:
    image = spots(12, 9, 3)
    with pytest.warns(ConvergenceWarning):
        *_, last, done = trace(image, 4, init="k-means++", max_iter=max_iter)
    with pytest.warns(ConvergenceWarning):
        result = segment(image, 4, init="k-means++", max_iter=max_iter)
    assert not result.converged
    assert isinstance(last, Assign)
    assert isinstance(done, Done)
    assert last.iteration == result.n_iter == max_iter
    assert last.changed.any()
    assert_equal(done.result, result)


def test_ties_that_the_new_order_reassigns() -> None:
    # Tiny grids, so that ties abound: some runs must go on once they are in order.
    went_on = 0
    for seed in range(dose(250, 0), 300):
        image = np.random.default_rng(seed).integers(6, size=(2, 4, 2)).astype(np.uint8)
        options: dict[str, Any] = {"space": "raw", "rng": seed, "init": "random"}
        records = [r for r in trace(image, 3, **options) if not isinstance(r, Choose)]
        done = records[-1]
        assert isinstance(done, Done)
        assert_equal(done.result, segment(image, 3, **options))
        last = records[-2]
        assert isinstance(last, Assign)
        np.testing.assert_array_equal(done.order[done.result.labels], last.labels)
        assert last.iteration == done.result.n_iter
        pairs = list(itertools.pairwise(records[:-1]))
        for one, other in pairs:
            if isinstance(one, Assign) and isinstance(other, Assign):
                went_on += 1
                assert one.iteration == other.iteration
                np.testing.assert_array_equal(other.changed, one.labels != other.labels)
    assert went_on


def test_the_arrays_of_a_record_are_read_only() -> None:
    for record in trace(np.array([[0, 10, 200], [0, 9, 90]], np.float64), 2):
        arrays = [value for value in vars(record).values() if isinstance(value, np.ndarray)]
        assert arrays
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_arguments_are_checked_at_the_call() -> None:
    with pytest.raises(ValueError, match="k=9"):
        trace([[1, 2]], 9)
    with pytest.raises(ValueError, match="space='hsv'"):
        trace([[1, 2]], 1, space="hsv")


@pytest.mark.parametrize("function", [trace, explain, animate, filmstrip])
def test_it_takes_what_segment_takes(function: Callable[..., Any]) -> None:
    ours = inspect.signature(function).parameters
    theirs = inspect.signature(segment).parameters
    assert set(theirs) - set(ours) == BEYOND_LESSONS
    # A lesson is about what is in memory.
    same = set(ours) & set(theirs) - {"strategy"}
    assert all(ours[name] == theirs[name] for name in same)


def test_it_is_lazy_and_keeps_no_record() -> None:
    def reference(record: Record) -> "weakref.ref[Record]":
        return weakref.ref(record)

    records = trace(spots(40, 40, 3), 6, init="k-means++")
    references = [reference(next(records)) for _ in range(8)]
    gc.collect()
    assert [r() for r in references] == [None] * 8

    arrays = [weakref.ref(record.labels) for record in records if isinstance(record, Assign)]
    gc.collect()
    assert len(arrays) > 3
    assert all(array() is None for array in arrays)


def test_the_lessons_show_one_picture() -> None:
    image = np.ones((2, 4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match="the lessons take"):
        trace(image, 1)
    with pytest.raises(ValueError, match="the lessons take"):
        explain(image, 1, 0, 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_pixels_take_no_part(channels: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(6, 7, channels + 1)).astype(np.uint8)
    image[..., -1] = rng.integers(0, 2, (6, 7)) * 90
    outside = image[..., -1] == 0
    *records, done = trace(image, 3)
    assert isinstance(done, Done)
    np.testing.assert_array_equal(done.result.labels, segment(image, 3).labels)
    for record in records:
        match record:
            case Choose():
                assert not outside[record.pixel]
                if record.distances is not None:
                    assert (record.distances[outside] == 0).all()
            case Assign():
                np.testing.assert_array_equal(record.labels == -1, outside)
                assert not record.changed[outside].any()
                assert record.counts.sum() == np.count_nonzero(~outside)
    row, column = np.argwhere(outside)[0].tolist()
    with pytest.raises(ValueError, match="masked: choose another"):
        explain(image, 3, row, column)
    row, column = np.argwhere(~outside)[0].tolist()
    assert explain(image, 3, row, column).color.tolist() == image[row, column, :-1].tolist()
