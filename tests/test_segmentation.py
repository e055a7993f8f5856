"""Segmenting an image: what the result is made of, and what it must not depend on."""

import copy
import dataclasses
import functools
import itertools
import operator
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import (
    ConvergenceWarning,
    FewerClustersWarning,
    NodataWarning,
    Segmentation,
    Step,
    kmeans,
    segment,
)
from kmeans_seg.colorspace import lab_to_srgb, srgb_to_lab
from kmeans_seg.features import luma
from kmeans_seg.segmentation import nodata

Image = NDArray[Any]


def noise(*shape: int, seed: int = 0, values: int = 256, dtype: Any = np.uint8) -> Image:
    return np.random.default_rng(seed).integers(0, values, shape).astype(dtype)


def few_colors(*shape: int, colors: int = 6, seed: int = 0) -> Image:
    """Make an image of which many pixels share a color."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colors, *shape[2:])).astype(np.uint8)
    return palette[rng.integers(0, colors, shape[:2])]


def plane(image: Image) -> Image:
    """Return the pixels of an image, one a row, as float64."""
    return image.reshape(image.shape[0] * image.shape[1], -1).astype(np.float64)


def assert_same(one: Segmentation, other: Segmentation) -> None:
    for field in dataclasses.fields(Segmentation):
        if field.name == "_features":
            continue  # it has no equality; what it does shows in the centers
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name
        )


def brightness_by_the_book(center: tuple[float, ...], space: str) -> float:
    if space == "rgb" and len(center) == 3:
        red, green, blue = center
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    if space == "raw":
        return functools.reduce(operator.add, center) / len(center)
    return center[0]


def assert_belongs_together(result: Segmentation, image: Image) -> None:
    k, channels = len(result.centers), plane(image).shape[1]
    assert result.labels.shape == image.shape[:2]
    assert result.labels.dtype == np.int32
    assert result.centers.dtype == np.float64
    assert result.palette.dtype == image.dtype
    assert result.palette.shape == (k, channels)
    assert result.counts.dtype == np.int64
    assert result.painted.shape == image.shape
    assert result.painted.dtype == image.dtype
    assert isinstance(result.inertia, float)
    assert isinstance(result.n_iter, int)
    assert isinstance(result.converged, bool)

    np.testing.assert_array_equal(result.counts, np.bincount(result.labels.ravel(), minlength=k))
    assert (result.counts > 0).all()
    np.testing.assert_array_equal(
        plane(result.painted), plane(result.palette[:, np.newaxis])[result.labels.ravel()]
    )
    np.testing.assert_array_equal(result.predict(image), result.labels)
    rows = [tuple(center) for center in result.centers.tolist()]
    order = [(brightness_by_the_book(center, result.space), center) for center in rows]
    assert order == sorted(order)
    if result.space != "lab":
        points = plane(image)
        assert result.labels.ravel().tolist() == [
            oracle.nearest(tuple(point), rows) for point in points.tolist()
        ]
        gaps = np.square(points - result.centers[result.labels.ravel()]).sum()
        assert result.inertia == pytest.approx(gaps, rel=1e-12, abs=1e-300)


def test_an_example_worked_by_hand(strategy: str) -> None:
    image = np.array([[0, 0, 10], [250, 250, 0], [10, 10, 250]], np.uint8)
    result = segment(image, 2, init=[[255], [0]], strategy=strategy)
    assert result.labels.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert result.labels.dtype == np.int32
    assert result.centers.tolist() == [[5], [250]]
    assert result.palette.tolist() == [[5], [250]]
    assert result.counts.tolist() == [6, 3]
    assert result.inertia == 6 * 25
    assert result.converged is True
    assert result.space == "rgb"
    assert result.painted.tolist() == [[5, 5, 5], [250, 250, 5], [5, 5, 250]]
    assert result.painted.dtype == np.uint8


IMAGES: dict[str, Image] = {
    "color": noise(9, 7, 3),
    "few colors": few_colors(9, 7, 3, colors=5),
    "gray": noise(8, 9),
    "gray with an axis": noise(8, 9, 1),
    "tiny values full of ties": noise(6, 8, 3, values=3),
    "gray full of ties": noise(6, 8, values=6),
    "16 bits": noise(7, 6, 3, values=2**16, dtype=np.uint16),
    "32 bits": noise(7, 6, values=2**32, dtype=np.uint32),
    "signed": (noise(7, 6, 3, dtype=np.int16) - 100),
    "int8": noise(7, 6, 3).view(np.int8),
    "int64": noise(7, 6, 3, dtype=np.int64) * 10**6,
    "bool": noise(5, 6, values=2, dtype=bool),
    "bool color": noise(5, 6, 3, values=2, dtype=bool),
    "float16": noise(5, 6, 3).astype(np.float16),
    "float32": noise(7, 6, 3).astype(np.float32) / 255,
    "float64": noise(7, 6, 3) / 255,
    "gray float": noise(7, 6) / 255,
    "negative float": noise(7, 6) / -255,
    "byte-swapped": noise(7, 6, 3, values=2**16).astype(">u2"),
    "byte-swapped float": (noise(7, 6, 3) / 255).astype(">f4"),
    "one pixel wide": noise(40, 1, 3),
    "one pixel high": noise(1, 40),
}


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("k", dose([4], [1, 2, 4]))
def test_everything_belongs_together(name: str, k: int, strategy: str) -> None:
    image = IMAGES[name]
    k = min(k, len(np.unique(plane(image), axis=0)))
    result = segment(image, k, strategy=strategy)
    assert len(result.centers) == k
    assert result.converged
    assert_belongs_together(result, image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 8, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_raw_takes_any_number_of_channels(channels: int, dtype: Any, strategy: str) -> None:
    image = noise(6, 7, channels, dtype=dtype)
    result = segment(image, 5, space="raw", strategy=strategy)
    assert len(result.centers) == 5
    assert_belongs_together(result, image)


LAB_IMAGES = {
    name: image
    for name, image in IMAGES.items()
    if image.dtype in (np.uint8, np.uint16, np.bool_)
    or (image.dtype.kind == "f" and image.min() >= 0 and image.max() <= 1)
}


@pytest.mark.parametrize("name", LAB_IMAGES)
def test_lab_clusters_lab_and_paints_in_the_colors_of_the_image(name: str, strategy: str) -> None:
    image = LAB_IMAGES[name]
    white = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
    k = min(4, len(np.unique(plane(image), axis=0)))
    result = segment(image, k, space="lab", strategy=strategy)
    assert_belongs_together(result, image)
    assert result.space == "lab"

    colors = np.broadcast_to(plane(image) / white, (image.shape[0] * image.shape[1], 3))
    points = srgb_to_lab(colors)
    assert result.centers.shape == (k, 3)
    for index in range(k):  # every center is the mean of its pixels
        members = points[result.labels.ravel() == index]
        np.testing.assert_allclose(result.centers[index], members.mean(axis=0), atol=1e-9)
    gaps = np.square(points[:, np.newaxis] - result.centers).sum(axis=2)
    np.testing.assert_array_equal(gaps.argmin(axis=1), result.labels.ravel())
    assert result.inertia == pytest.approx(gaps.min(axis=1).sum(), rel=1e-9, abs=1e-9)

    painted: Image = lab_to_srgb(result.centers)[:, : plane(image).shape[1]] * white
    if image.dtype.kind == "b":
        painted = painted >= 0.5
    elif image.dtype.kind == "u":
        painted = np.rint(painted)
    np.testing.assert_array_equal(result.palette, painted.astype(image.dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_gray_in_lab_is_like_the_same_gray_in_three_channels(dtype: Any, strategy: str) -> None:
    gray = noise(9, 8)
    gray = gray.astype(dtype) if np.dtype(dtype).kind == "u" else (gray / 255).astype(dtype)
    result = segment(gray, 4, space="lab", strategy=strategy)
    color = segment(np.repeat(gray[:, :, np.newaxis], 3, axis=2), 4, space="lab", strategy=strategy)
    np.testing.assert_array_equal(result.labels, color.labels)
    np.testing.assert_array_equal(result.centers, color.centers)
    np.testing.assert_array_equal(result.palette, color.palette[:, :1])
    assert (result.centers[:, 1:] == 0).all()


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
def test_an_axis_for_the_one_channel_of_gray_makes_no_difference(space: str, strategy: str) -> None:
    flat = segment(noise(8, 9), 3, space=space, strategy=strategy)
    deep = segment(noise(8, 9, 1), 3, space=space, strategy=strategy)
    np.testing.assert_array_equal(flat.labels, deep.labels)
    np.testing.assert_array_equal(flat.centers, deep.centers)
    np.testing.assert_array_equal(flat.palette, deep.palette)
    np.testing.assert_array_equal(flat.painted, deep.painted[:, :, 0])
    assert flat.palette.shape == (3, 1)


def by_the_book(
    image: Image, init: list[list[float]], space: str
) -> tuple[list[int], list[list[float]]]:
    """Cluster every pixel in plain loops, and bring the clusters into order until they stay."""
    points, centers = plane(image).tolist(), [tuple(center) for center in init]
    while True:
        *_, last = oracle.lloyd(points, centers)
        centers = sorted(last.centers, key=lambda c: (brightness_by_the_book(c, space), c))
        if centers == last.centers:
            return last.labels, [list(center) for center in centers]


@pytest.mark.parametrize("space", ["rgb", "raw"])
@pytest.mark.parametrize("seed", range(dose(15, 40)))
def test_tiny_images_full_of_ties_go_by_the_book(seed: int, space: str, strategy: str) -> None:
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([1, 3] if space == "rgb" else [1, 2, 3, 4]))
    image = rng.integers(0, 4, (rng.integers(2, 7), rng.integers(2, 7), channels)).astype(np.uint8)
    distinct = len(np.unique(plane(image), axis=0))
    k = int(rng.integers(1, min(6, distinct) + 1))
    init = rng.integers(0, 7, (k, channels)) / 2
    labels, centers = by_the_book(image, init.tolist(), space)
    result = segment(image, k, init=init, space=space, strategy=strategy)
    assert result.labels.ravel().tolist() == labels
    assert result.centers.tolist() == centers
    assert_belongs_together(result, image)


# The canonical order.


def test_segments_go_from_dark_to_light_by_luma() -> None:
    # Green is lighter than red, red than blue, though all are 255.
    image = np.array([[[0, 255, 0], [255, 0, 0], [0, 0, 255], [0, 0, 0], [255] * 3]], np.uint8)
    for seed in range(10):
        result = segment(image, 5, rng=seed)
        assert result.labels.tolist() == [[3, 2, 1, 0, 4]]
        np.testing.assert_array_equal(luma(result.centers), np.sort(luma(result.centers)))


def test_equally_bright_segments_go_by_their_channels() -> None:
    # The luma of both is 8.0024, to the last bit.
    image = np.array([[[21, 0, 49], [4, 10, 0]]], np.uint8)
    raw = np.array([[[2, 0], [0, 2], [1, 1]]], np.uint8)
    for seed in range(10):
        assert segment(image, 2, rng=seed).labels.tolist() == [[1, 0]]
        assert segment(raw, 3, space="raw", rng=seed).labels.tolist() == [[2, 0, 1]]


def partition(labels: Image) -> frozenset[frozenset[int]]:
    return frozenset(
        frozenset(np.flatnonzero(labels.ravel() == label).tolist()) for label in np.unique(labels)
    )


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize(
    "image", [noise(5, 6, values=4), noise(4, 4, 3, values=2), noise(5, 5, 2, values=3)]
)
def test_equal_partitions_have_equal_labels_whatever_the_seed(
    image: Image, init: str, strategy: str
) -> None:
    for k in dose((3,), (2, 3, 4)):
        found: dict[frozenset[frozenset[int]], Segmentation] = {}
        repeated = 0
        for seed in range(dose(15, 40)):
            result = segment(image, k, space="raw", init=init, rng=seed, strategy=strategy)
            assert_belongs_together(result, image)
            first = found.setdefault(partition(result.labels), result)
            repeated += first is not result
            np.testing.assert_array_equal(result.labels, first.labels)
            np.testing.assert_array_equal(result.centers, first.centers)
            assert result.inertia == first.inertia
        assert repeated > 0


def test_the_order_of_given_centers_does_not_matter_where_nothing_ties() -> None:
    image = noise(12, 12, 3)
    init = plane(image)[:4]
    expected = segment(image, 4, init=init)
    for order in itertools.permutations(range(4)):
        result = segment(image, 4, init=init[list(order)])
        np.testing.assert_array_equal(result.labels, expected.labels)
        np.testing.assert_array_equal(result.centers, expected.centers)


# What the result must not depend on.

REARRANGEMENTS: dict[str, Callable[[Image], Image]] = {
    "transposed": lambda image: image.swapaxes(0, 1),
    "upside down": lambda image: image[::-1],
    "mirrored": lambda image: image[:, ::-1],
    "turned": np.rot90,
    "in another shape": lambda image: image.reshape(-1, 4, *image.shape[2:]),
    "shuffled": lambda image: np.random.default_rng(0).permutation(
        image.reshape(-1, 1, *image.shape[2:])
    ),
}
INTEGER_IMAGES = {
    "color": noise(12, 10, 3, values=40),
    "gray": noise(12, 10, values=12),
    "16 bits": noise(12, 10, 3, values=2**16, dtype=np.uint16),
    "bool": noise(12, 10, 3, values=2, dtype=bool),
}


@functools.cache  # every rearrangement is compared with it
def segmented(name: str, k: int, space: str, init: str, n_init: int, strategy: str) -> Segmentation:
    image = INTEGER_IMAGES[name]
    return segment(image, k, space=space, init=init, n_init=n_init, strategy=strategy)


@pytest.mark.parametrize("how", REARRANGEMENTS)
@pytest.mark.parametrize("name", INTEGER_IMAGES)
@pytest.mark.parametrize("space", dose(["lab"], ["rgb", "lab", "raw"]))
def test_rearranging_the_pixels_rearranges_the_labels_and_nothing_else(
    how: str, name: str, space: str, strategy: str
) -> None:
    image, rearrange = INTEGER_IMAGES[name], REARRANGEMENTS[how]
    for k, init, n_init in dose(
        [(5, "k-means++", 2)], [(2, "k-means++", 1), (5, "k-means++", 3), (5, "random", 1)]
    ):
        expected = segmented(name, k, space, init, n_init, strategy)
        result = segment(
            rearrange(image), k, space=space, init=init, n_init=n_init, strategy=strategy
        )
        np.testing.assert_array_equal(result.labels, rearrange(expected.labels))
        np.testing.assert_array_equal(result.painted, rearrange(expected.painted))
        for name_ in ("centers", "palette", "counts", "inertia", "n_iter", "converged"):
            np.testing.assert_array_equal(getattr(result, name_), getattr(expected, name_))


@pytest.mark.parametrize("how", REARRANGEMENTS)
@pytest.mark.parametrize("init", dose(["auto"], ["auto", "k-means++"]))
@pytest.mark.parametrize("shape", dose([(12, 10, 9)], [(12, 10, 3), (12, 10), (12, 10, 9)]))
def test_that_holds_for_floats_too(
    how: str, shape: tuple[int, ...], init: str, strategy: str
) -> None:
    image, rearrange = np.random.default_rng(1).random(shape), REARRANGEMENTS[how]
    expected = segment(image, 6, space="raw", init=init, strategy=strategy)
    result = segment(rearrange(image), 6, space="raw", init=init, strategy=strategy)
    np.testing.assert_array_equal(result.labels, rearrange(expected.labels))
    np.testing.assert_array_equal(result.centers, expected.centers)
    assert result.inertia == expected.inertia


def layouts(image: Image) -> dict[str, Image]:
    wide = np.zeros((image.shape[0], 2 * image.shape[1], *image.shape[2:]), image.dtype)
    wide[:, ::2] = image
    return {
        "Fortran": np.asfortranarray(image),
        "negative strides": image[::-1, ::-1].copy()[::-1, ::-1],
        "every other column": wide[:, ::2],
        "planes": np.moveaxis(np.moveaxis(image, -1, 0).copy(), 0, -1),
        "byte-swapped": image.astype(image.dtype.newbyteorder()),
    }


@pytest.mark.parametrize("layout", layouts(noise(2, 2, 3)))
@pytest.mark.parametrize("dtype", dose([np.float32], [np.uint8, np.uint16, np.float32, np.float64]))
@pytest.mark.parametrize("space", dose(["rgb", "lab"], ["rgb", "lab", "raw"]))
def test_the_layout_in_memory_makes_no_difference(
    layout: str, dtype: Any, space: str, strategy: str
) -> None:
    image = noise(9, 8, 3).astype(dtype)
    if image.dtype.kind == "f":
        image /= 255
    expected = segment(image, 4, space=space, strategy=strategy)
    result = segment(layouts(image)[layout], 4, space=space, strategy=strategy)
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.centers, expected.centers)
    np.testing.assert_array_equal(result.palette, expected.palette)
    assert result.inertia == expected.inertia


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_identical_pixels_share_a_label(space: str, dtype: Any, strategy: str) -> None:
    image = few_colors(30, 30, 3, colors=20).astype(dtype)
    if dtype is np.float64:
        image /= 255
    result = segment(image, 7, space=space, strategy=strategy)
    _, which = np.unique(plane(image), axis=0, return_inverse=True)
    for color in range(20):
        assert len(set(result.labels.ravel()[which.ravel() == color])) == 1


@pytest.mark.parametrize("k", [2, 5, 9])
def test_bytes_never_wrap_around(k: int, strategy: str) -> None:
    rng = np.random.default_rng(2)
    image = rng.choice(np.array([0, 1, 2, 126, 128, 130, 253, 254, 255], np.uint8), (20, 20, 3))
    narrow = segment(image, k, strategy=strategy)
    wide = segment(image.astype(np.int16), k, strategy=strategy)
    np.testing.assert_array_equal(narrow.labels, wide.labels)
    np.testing.assert_array_equal(narrow.centers, wide.centers)
    np.testing.assert_array_equal(narrow.palette, wide.palette)
    assert narrow.inertia == wide.inertia

    init = plane(image)[:k].astype(np.uint8)
    narrow = segment(image, k, init=init, strategy=strategy)
    wide = segment(image.astype(np.float64), k, init=init.astype(np.float64), strategy=strategy)
    np.testing.assert_array_equal(narrow.labels, wide.labels)
    np.testing.assert_array_equal(narrow.centers, wide.centers)


@pytest.mark.parametrize(
    ("space", "name"),
    [*(("rgb", name) for name in IMAGES), *(("lab", name) for name in LAB_IMAGES)],
)
def test_the_image_is_left_alone(space: str, name: str, strategy: str) -> None:
    image = IMAGES[name].copy()
    image.flags.writeable = False
    result = segment(image, 2, space=space, strategy=strategy)
    result.predict(image)
    np.testing.assert_array_equal(image, IMAGES[name])
    for part in (result.labels, result.centers, result.palette, result.painted):
        assert not np.shares_memory(part, image)
        assert part.flags.writeable


def test_lists_and_memory_maps_are_images(tmp_path: Path) -> None:
    image = noise(6, 7)
    expected = segment(image, 3)
    listed = segment(image.tolist(), 3)
    np.testing.assert_array_equal(listed.labels, expected.labels)
    assert listed.painted.dtype == np.int_

    mapped = np.memmap(tmp_path / "image", np.uint8, "w+", shape=image.shape)
    mapped[:] = image
    result = segment(mapped, 3)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert type(result.labels) is type(result.painted) is np.ndarray


# The arguments.


def test_the_same_call_gives_the_same_answer(strategy: str) -> None:
    image = noise(20, 20, 3)
    expected = segment(image, 6, strategy=strategy)
    assert_same(segment(image, 6, strategy=strategy), expected)
    assert_same(segment(image, 6, rng=0, strategy=strategy), expected)
    assert_same(segment(image, 6, rng=np.random.default_rng(0), strategy=strategy), expected)


def test_a_generator_goes_on_and_none_is_a_fresh_seed() -> None:
    image = noise(20, 20, 3)
    rng = np.random.default_rng(0)
    assert len({segment(image, 8, rng=rng).inertia for _ in range(6)}) > 1
    assert len({segment(image, 8, rng=None).inertia for _ in range(6)}) > 1


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_run_of_lowest_inertia_is_kept(init: str) -> None:
    image = noise(20, 20, 3)
    costs = [segment(image, 8, init=init, n_init=n, rng=5).inertia for n in range(1, dose(6, 8))]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]


def test_weighted_colors_are_what_kmeans_clusters(strategy: str) -> None:
    image = noise(30, 30, 3, values=6)
    init = plane(image)[:5]
    result = segment(image, 5, init=init, strategy=strategy)
    pixels = kmeans(plane(image), 5, init=init, strategy=strategy)
    order = np.lexsort((*pixels.centers.T[::-1], luma(pixels.centers)))
    np.testing.assert_array_equal(result.centers, pixels.centers[order])
    assert result.inertia == pytest.approx(pixels.inertia, rel=1e-12)
    assert result.n_iter == pixels.n_iter  # bringing them into order takes no pass of its own


def test_empty_segments_are_rescued(strategy: str) -> None:
    image = noise(9, 9, 3)
    result = segment(image, 6, init=np.full((6, 3), -1000.0), strategy=strategy)
    assert len(result.centers) == 6
    assert_belongs_together(result, image)


def test_the_callback_sees_the_steps_over_the_distinct_colors(strategy: str) -> None:
    image = few_colors(20, 20, 3, colors=12)
    steps: list[Step] = []
    result = segment(image, 3, callback=steps.append, strategy=strategy)
    distinct = len(np.unique(plane(image), axis=0))
    assert all(step.labels.shape == (distinct,) for step in steps)
    assert all(step.weights.sum() == 400 for step in steps)
    assert steps[0].reassigned_weight == 400
    assert steps[-1].reassigned_weight == 0
    np.testing.assert_array_equal(steps[-1].centers, result.centers)
    np.testing.assert_array_equal(steps[-1].weights, result.counts)
    assert steps[-1].inertia == result.inertia


# Warnings.


def only_warning(action: Callable[[], Segmentation]) -> warnings.WarningMessage:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    (warning,) = caught
    return warning


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
@pytest.mark.parametrize("image", [noise(7, 7, 3), noise(8, 8, values=9), noise(6, 6, 3, values=3)])
def test_cut_short_it_says_so_and_still_belongs_together(
    image: Image, space: str, strategy: str
) -> None:
    for k, seed in dose([(5, 1)], [(3, 0), (5, 1), (5, 2)]):
        whole = segment(image, k, space=space, rng=seed, strategy=strategy)
        for max_iter in range(1, whole.n_iter):
            with pytest.warns(ConvergenceWarning, match=f"max_iter={max_iter} "):
                cut = segment(image, k, space=space, rng=seed, max_iter=max_iter, strategy=strategy)
            assert cut.converged is False
            assert cut.n_iter == max_iter
            assert_belongs_together(cut, image)
        assert_same(
            segment(image, k, space=space, rng=seed, max_iter=whole.n_iter, strategy=strategy),
            whole,
        )


CUT_SHORT: dict[str, Any] = {"init": "k-means++", "max_iter": 2, "n_init": 3}


def test_one_warning_says_that_it_gave_up() -> None:
    warning = only_warning(lambda: segment(noise(20, 20, 3), 7, **CUT_SHORT))
    assert warning.category is ConvergenceWarning
    assert Path(warning.filename) == Path(__file__)
    assert str(warning.message) == (
        "colors were still being reassigned after max_iter=2 passes: "
        "raise max_iter to let the clustering converge"
    )


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("init", ["k-means++", "random", [[9.0, 9, 9]] * 5])
def test_fewer_colors_than_segments(space: str, dtype: Any, init: Any, strategy: str) -> None:
    image = np.array([[[0, 0, 0], [1, 0, 1]], [[1, 0, 1], [1, 1, 1]]], dtype)
    image = image.repeat(3, axis=0)
    with pytest.warns(FewerClustersWarning):
        result = segment(image, 5, space=space, init=init, strategy=strategy)
    assert result.labels.tolist() == [[0, 1]] * 3 + [[1, 2]] * 3
    assert result.counts.tolist() == [3, 6, 3]
    # In Lab the mean of equal colors may differ from them in the last bit.
    assert result.inertia <= (1e-28 if space == "lab" else 0)
    assert result.converged
    np.testing.assert_allclose(result.painted, image, atol=1e-14 if space == "lab" else 0)
    assert_belongs_together(result, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("space", ["rgb", "lab"])
def test_fewer_colors_than_given_centers(space: str, dtype: Any, strategy: str) -> None:
    # A mean that differs from its equal points in the last bit is not worth a rescue.
    for seed in range(dose(15, 60)):
        rng = np.random.default_rng(seed)
        image = few_colors(9, 9, 3, colors=int(rng.integers(2, 6)), seed=seed).astype(dtype)
        if dtype is np.float64:
            image /= 255
        distinct = len(np.unique(plane(image), axis=0))
        k = distinct + int(rng.integers(1, 4))
        with pytest.warns(FewerClustersWarning):
            result = segment(
                image, k, space=space, init=rng.normal(size=(k, 3)) * 40, strategy=strategy
            )
        assert len(result.centers) == distinct
        assert result.converged


def test_one_warning_says_that_segments_are_missing() -> None:
    image = np.array([[5, 5, 7], [7, 9, 5]], np.uint8)
    warning = only_warning(lambda: segment(image, 4, n_init=5))
    assert warning.category is FewerClustersWarning
    assert Path(warning.filename) == Path(__file__)
    assert str(warning.message) == ("k=4, but there are only 3 distinct colors: the result has k=3")


def with_nodata(value: float, dtype: Any, number: int, *shape: int) -> NDArray[Any]:
    image = (noise(*shape) / 255).astype(dtype)
    size = shape[0] * shape[1]
    image.reshape(size, -1)[size // 3 : size // 3 + number, -1] = value
    return image


@pytest.mark.parametrize("options", [{}, {"position": 1}, {"normalize": True}])
@pytest.mark.parametrize("channels", dose([1, 9], [1, 3, 9]))
@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (np.float16, -9999),
        (np.float32, -3.4028234663852886e38),
        (np.float32, 9.969209968386869e36),
        (np.float64, 1e20),
        (np.float64, -102.0),
        (np.longdouble, 1e20),
    ],
)
def test_a_value_that_looks_like_nodata(
    dtype: Any, value: float, channels: int, options: dict[str, Any]
) -> None:
    image = with_nodata(value, dtype, 4, 20, 20, channels)
    options = {**options, "space": "raw"}
    with pytest.warns(NodataWarning) as caught:
        segment(image, 1, **options)
    (warning,) = caught
    assert Path(warning.filename) == Path(__file__)
    said = str(warning.message)
    remedy = f"mask=image[:, :, {channels - 1}] != {dtype(value)!s}"
    assert said.startswith(
        f"1 % of the pixels have the value {dtype(value)!s} in image[:, :, {channels - 1}], "
    )
    in_terminal = f" (in the terminal by --nodata={dtype(value)!s})" if channels == 1 else ""
    assert said.endswith(remedy + in_terminal)
    # The advice works, word by word.
    mask = eval(remedy.removeprefix("mask="), {"image": image})
    assert mask.sum() == 396
    segment(image, 1, mask=mask, **options)


def looks_like_nodata(values: Image, counts: Image) -> float | None:
    """Go by the book: sort the distinct values, and compare."""
    distinct = np.unique(values)
    for value, others in ((distinct[0], distinct[1:]), (distinct[-1], distinct[:-1])):
        fills = counts[values == value].sum() >= 0.01 * counts.sum()
        if fills and len(others) > 1 and np.abs(others - value).min() > 100 * np.ptp(others):
            return float(value)
    return None


def test_nodata_is_found_by_the_book() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(dose(300, 3000)):
        values = rng.normal(size=rng.integers(1, 400))
        share, far = rng.choice([0, 0.005, 0.02, 0.3]), rng.uniform(90, 110)
        end = rng.choice([values.min() - far * np.ptp(values), values.max() + far * np.ptp(values)])
        values[rng.random(len(values)) < share] = end
        counts = rng.integers(1, 9, len(values)).astype(np.float64)
        for each in (np.ones(len(values)), counts):
            expected = looks_like_nodata(values, each)
            result = nodata(values, each, values.min(), values.max())
            assert (None if result is None else result[0]) == expected
            found.append(expected is not None)
    assert 0.2 < np.mean(found) < 0.8


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_nodata_on_any_axis_and_in_lab(axis: int) -> None:
    image = 0.5 + with_nodata(-0.5, np.float64, 4, 20, 20, 3) / 1000
    image[image < 0.5] = 0
    image = np.moveaxis(image, 2, axis)
    for space in ("rgb", "lab"):
        with pytest.warns(NodataWarning, match=re.escape(f"in image[{':, ' * axis}2]")):
            segment(image, 1, space=space, channel_axis=axis)
    segment(image, 1, space="lab", channel_axis=axis, position=1)
    with pytest.warns(NodataWarning, match=r"in image, .* by mask=image != 0\.0"):
        segment(image.take(2, axis), 1)


def test_what_does_not_look_like_nodata() -> None:
    few = with_nodata(-1e20, np.float64, 3, 20, 20, 3)  # less than 1 %
    near = with_nodata(-99.0, np.float64, 9, 20, 20, 3)
    near[0, 0], near[0, 1] = 0, 1
    inside = with_nodata(-1e20, np.float64, 9, 20, 20, 3)
    inside[-1, -1] = -2e20
    outside = with_nodata(1e20, np.float64, 9, 20, 20, 3)
    mask = outside[..., 2] < 1
    binary = (noise(20, 20) > 99) * 1.0
    flat = np.full((20, 20), 7.0)
    for image in (few, near, inside, binary, flat):
        segment(image, 1)
    segment(outside, 1, mask=mask)
    integers = with_nodata(-9999, np.float64, 9, 20, 20, 3).astype(np.int16)
    segment(integers, 1)
    with pytest.warns(NodataWarning):
        result = segment(outside, 2)
    result.predict(outside)


def test_an_image_of_one_color(strategy: str) -> None:
    image = np.full((4, 5, 3), 77, np.uint8)
    with pytest.warns(FewerClustersWarning, match="there is one color"):
        result = segment(image, 3, strategy=strategy)
    assert (result.labels == 0).all()
    assert result.counts.tolist() == [20]
    np.testing.assert_array_equal(result.painted, image)


def test_one_pixel(strategy: str) -> None:
    result = segment(np.array([[[1, 2, 3]]], np.uint8), 1, strategy=strategy)
    assert result.labels.tolist() == [[0]]
    assert result.palette.tolist() == [[1, 2, 3]]


# The result.


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_predict_labels_another_image_by_the_same_centers(space: str, dtype: Any) -> None:
    image, other = noise(9, 8, 3).astype(dtype), noise(5, 11, 3, seed=1).astype(dtype)
    if dtype is np.float64:
        image, other = image / 255, other / 255
    result = segment(image, 5, space=space)
    labels = result.predict(other)
    assert labels.shape == (5, 11)
    assert labels.dtype == np.int32
    points = plane(other)
    if space == "lab":
        points = srgb_to_lab(points / (1 if dtype is np.float64 else np.iinfo(dtype).max))
    gaps = np.square(points[:, np.newaxis] - result.centers).sum(axis=2)
    np.testing.assert_array_equal(labels.ravel(), gaps.argmin(axis=1))


def test_predict_gives_a_tie_to_the_darker_segment() -> None:
    result = segment(np.array([[0, 10]], np.uint8), 2)
    assert result.predict(np.array([[4, 5, 6]], np.uint8)).tolist() == [[0, 0, 1]]


def test_predict_takes_gray_with_and_without_an_axis() -> None:
    result = segment(noise(6, 7), 3)
    np.testing.assert_array_equal(result.predict(noise(6, 7, 1)), result.labels)
    result = segment(noise(6, 7, 1), 3, space="lab")
    np.testing.assert_array_equal(result.predict(noise(6, 7)), result.labels)


@pytest.mark.parametrize("columns", [3, 4])
def test_predict_takes_gray_frames_as_narrow_as_channels(columns: int) -> None:
    frames = noise(2, 10, columns)
    result = segment(frames[0], 2)
    np.testing.assert_array_equal(result.predict(frames)[0], result.labels)
    with pytest.raises(ValueError, match=f"image has {columns} channels"):
        result.predict(noise(10, 12, columns))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64])
def test_the_palette_of_integers_is_rounded(dtype: Any) -> None:
    image = np.array([[-2, -1, -1, 10, 11]], np.int64) + (2 if dtype is np.uint8 else 0)
    result = segment(image.astype(dtype), 2)
    np.testing.assert_allclose(result.centers.ravel(), image[0, 1:4:2] + [-1 / 3, 0.5])
    assert result.palette.ravel().tolist() == np.rint(result.centers).ravel().tolist()


@pytest.mark.parametrize("far", [1000.0, 1e6, 1e15])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.int64, np.float16, np.float64])
def test_a_center_beyond_the_dtype_is_painted_in_its_nearest_color(dtype: Any, far: float) -> None:
    # Only given centers can be there, and only until the first update.
    image = np.array([[0, 1]], dtype)
    with pytest.warns(ConvergenceWarning):
        result = segment(image, 2, init=[[-far], [far]], max_iter=1)
    assert result.centers.tolist() == [[-far], [far]]
    assert result.palette.dtype == dtype
    expected: list[float] = [False, True]
    if dtype is not np.bool_:
        limits: Any = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
        expected = [max(-far, float(limits.min)), min(far, float(limits.max))]
    assert result.palette.ravel().tolist() == expected


def test_a_segmentation_sums_itself_up() -> None:
    result = segment(np.array([[0, 2, 9]], np.uint8), 2, init=[[0], [9]])
    assert repr(result) == (
        "Segmentation(k=2, 1 by 3 pixels, space='rgb', inertia=2, n_iter=2, converged)"
    )


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"position": 0.5}])
def test_the_arrays_of_a_segmentation_are_the_callers_own(
    space: str, dtype: Any, options: dict[str, Any]
) -> None:
    image = noise(9, 8, 3).astype(dtype)
    if dtype is np.float64:
        image /= 255
    before = image.copy()
    expected, result = (segment(image, 4, space=space, **options) for _ in range(2))
    for array in (result.centers, result.palette, result.counts):
        array[...] = 7
    np.testing.assert_array_equal(result.predict(image), expected.labels)
    np.testing.assert_array_equal(result.painted, expected.painted)
    np.testing.assert_array_equal(result.labels, expected.labels)
    result.painted[...] = 1
    result.labels[...] = 3
    assert (result.palette == 7).all()
    np.testing.assert_array_equal(result.predict(image), expected.labels)
    np.testing.assert_array_equal(image, before)


def test_a_segmentation_is_frozen_and_painted_once() -> None:
    result = segment(noise(4, 4), 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.labels = result.labels  # type: ignore[misc]
    assert result.painted is result.painted


# Painting other labels


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_labels_are_painted_as_the_image_is(axis: int) -> None:
    image = np.moveaxis(np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8), -1, axis)
    mask = np.random.default_rng(1).random((9, 8)) < 0.8
    result = segment(image, 3, channel_axis=axis, mask=mask)
    assert (result.labels == -1).any()
    np.testing.assert_array_equal(result.paint(result.labels), result.painted)
    np.testing.assert_array_equal(result.paint(result.labels.astype(np.int8)), result.painted)
    other = result.paint(np.zeros((2, 4, 5), np.uint16))
    assert other.shape == [(2, 3, 4, 5), (2, 4, 3, 5), (2, 4, 5, 3)][axis]
    assert other.dtype == image.dtype
    # As a stack, or a frame of one, is painted.
    stack = np.stack((image, image))
    np.testing.assert_array_equal(result.paint(result.predict(stack)), result.apply(stack).painted)
    whole = segment(stack, 3, channel_axis=axis + 1)
    np.testing.assert_array_equal(whole.paint(whole.predict(image)), whole.apply(image).painted)


def test_labels_without_a_place_for_channels_are_refused() -> None:
    result = segment(noise(3, 5, 6), 2, channel_axis=0)
    with pytest.raises(ValueError, match=r"labels has shape \(4,\), .* reshape it to an image"):
        result.paint([0, 1, 1, 0])
    assert result.paint([[0, 1, 1, 0]]).shape == (3, 1, 4)


def test_the_order_of_bytes_does_not_matter() -> None:
    image = (noise(6, 7, 3).astype(np.uint16) * 257).astype(">u2")
    native = segment(image.astype(np.uint16), 3)
    swapped = segment(image, 3)
    assert swapped.to_dict() == native.to_dict()
    assert swapped._repr_png_() == native._repr_png_()


def test_gray_and_transparent_images_paint_other_labels() -> None:
    gray = segment(np.array([[0, 9, 200]], np.uint8), 2)
    assert gray.paint([-1, 0, 1]).tolist() == [0, 4, 200]
    image = np.random.default_rng(0).integers(1, 256, (9, 8, 4), np.uint8)
    image[:4, :, 3] = 0
    result = segment(image, 3)
    painted = result.paint(result.predict(image))
    np.testing.assert_array_equal(painted, result.painted[..., :3])
    assert not painted[:4].any()


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 3], ValueError, r"labels goes from 0 to 3: with 3 segments .* from 0 to 2, or -1"),
        ([-2, 0], ValueError, "labels goes from -2 to 0"),
        ([0.0], TypeError, "labels has dtype float64"),
        ([True], TypeError, "labels has dtype bool"),
    ],
)
def test_labels_that_cannot_be_painted(
    labels: list[Any], error: type[Exception], message: str
) -> None:
    result = segment(np.array([[0, 9, 200]], np.uint8), 3)
    with pytest.raises(error, match=message):
        result.paint(labels)


# --- other images -----------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 1])
def test_a_frame_for_a_stack_and_a_stack_for_a_frame(axis: int) -> None:
    frames = noise(4, 5, 6, 3)
    stack = np.moveaxis(frames, -1, axis)
    whole = segment(stack, 3, channel_axis=axis)
    one = segment(stack[0], 3, channel_axis=axis if axis < 0 else axis - 1)
    for n in range(4):
        np.testing.assert_array_equal(whole.predict(stack[n]), whole.labels[n])
        np.testing.assert_array_equal(one.predict(stack)[n], one.predict(stack[n]))
    gray = segment(frames[..., 0], 3, channel_axis=None)
    np.testing.assert_array_equal(gray.predict(frames[0, ..., 0]), gray.labels[0])
    np.testing.assert_array_equal(gray.predict(frames[..., :1]), gray.labels)


def test_numbers_of_other_dtypes_are_taken_in_that_of_the_model() -> None:
    image = noise(5, 6, 3)
    model = segment(image, 3, space="lab")
    for dtype in (np.int64, np.uint16, ">u2"):
        np.testing.assert_array_equal(model.predict(image.astype(dtype)), model.labels)
    with pytest.raises(ValueError, match=r"image goes from 0 to 300, .* had dtype uint8"):
        model.predict(np.where(image == image.max(), 300, 0))
    with pytest.raises(TypeError, match="image has dtype float64"):
        model.predict(image / 255)
    floats = segment(image / 255, 3)
    np.testing.assert_array_equal(floats.predict((image / 255).astype(np.float32)), floats.labels)


def test_another_image_in_the_same_palette() -> None:
    image, other = noise(5, 6, 3), noise(7, 8, 3)[::-1]
    model = segment(image, 3)
    like = model.apply(other)
    np.testing.assert_array_equal(like.labels, model.predict(other))
    np.testing.assert_array_equal(like.palette, model.palette)
    np.testing.assert_array_equal(like.counts, np.bincount(like.labels.ravel(), minlength=3))
    assert like.painted.shape == other.shape
    assert like.inertia == pytest.approx(
        np.square(other - model.centers[like.labels].astype(np.float64)).sum()
    )
    same = model.apply(image)
    assert (same.inertia, same.n_iter, same.converged) == (model.inertia, 0, False)
    like.palette[:] = 0
    assert model.palette.any()


# --- tol and order ----------------------------------------------------------------------------


def test_it_stops_at_a_share_of_the_pixels(strategy: str) -> None:
    image = noise(30, 40, 3)
    mask = np.arange(40) < 25
    mask = np.broadcast_to(mask, (30, 40))
    moved: list[float] = []
    result = segment(
        image, 5, init="k-means++", tol=0.02, mask=mask, strategy=strategy,
        callback=lambda step: moved.append(step.reassigned_weight),
    )  # fmt: skip
    assert result.converged
    few = [number for number, weight in enumerate(moved) if weight <= 0.02 * 30 * 25]
    assert len(moved) - 2 <= few[0]  # the last, but for one in the new order
    exact = segment(image, 5, init="k-means++", mask=mask)
    assert exact.n_iter > result.n_iter
    assert exact.inertia < result.inertia
    # Every label is that of the nearest center in any case.
    np.testing.assert_array_equal(result.predict(image)[mask], result.labels[mask])


def test_tol_is_0_by_default_and_1_stops_at_once() -> None:
    image = noise(20, 20, 3)
    default = segment(image, 4, init="k-means++")
    np.testing.assert_array_equal(default.labels, segment(image, 4, init="k-means++", tol=0).labels)
    assert segment(image, 4, init="k-means++", tol=1).n_iter == 1


def test_the_order_of_the_initial_centers_is_kept() -> None:
    image = noise(20, 20, 3)
    start = [[200, 200, 200], [10, 10, 10], [90, 90, 90]]
    result = segment(image, 3, init=start, order="init")
    sorted_ = segment(image, 3, init=start)
    order = luma(result.centers).argsort()
    assert order.tolist() != [0, 1, 2]
    np.testing.assert_array_equal(result.centers[order], sorted_.centers)
    np.testing.assert_array_equal(result.counts[order], sorted_.counts)
    # Each grows from its own initial center, so its first pixels are the nearest ones.
    one_pass = segment(image, 3, init=start, order="init", tol=1)
    np.testing.assert_array_equal(one_pass.centers, start)


def test_an_empty_segment_keeps_its_center_and_number() -> None:
    image = np.array([[0, 0, 9, 9]], np.uint8)
    with pytest.warns(FewerClustersWarning, match="1 clusters are empty"):
        result = segment(image, 3, init=[[9], [100], [0]], order="init")
    assert result.labels.tolist() == [[2, 2, 0, 0]]
    assert result.counts.tolist() == [2, 0, 2]
    assert result.centers.ravel().tolist() == [9, 100, 0]
    assert result.painted.tolist() == image.tolist()


def test_labels_of_a_series_never_flip() -> None:
    rng = np.random.default_rng(0)
    inks = np.zeros((10, 60, 3))
    inks[:, :20, 0] = inks[:, 20:40, 1] = inks[:, 40:, 2] = 250
    slope = np.linspace(20, 235, 2400).reshape(40, 60, 1) + rng.normal(0, 6, (40, 60, 3))
    still = np.concatenate([inks, slope])
    first, order = "auto", "init"
    centers: Any = first
    labels: Any = None
    warm, cold = [], []
    for frame in range(dose(12, 50)):
        image = still.copy()
        image[10:12] += frame % 4  # something flickers
        image = image.clip(0, 255).astype(np.uint8)
        result = segment(image, 8, init=centers, order=order)
        if labels is not None:
            np.testing.assert_array_equal(result.labels[:10], labels[:10])
            warm.append(result.n_iter)
            cold.append(segment(image, 8, init="k-means++", rng=frame).n_iter)
        centers, labels = result.centers, result.labels
    assert sum(warm) <= sum(cold) / 4


# --- auto and optimal -------------------------------------------------------------------------


def test_gray_is_the_optimum_whatever_the_seed() -> None:
    image = noise(25, 30)
    results = [segment(image, 5, rng=seed) for seed in range(3)]
    optimum = segment(image, 5, init="optimal")
    for result in results:
        np.testing.assert_array_equal(result.labels, optimum.labels)
    assert optimum.n_iter <= 2
    drawn = segment(image, 5, init="k-means++", n_init=20)
    assert optimum.inertia <= drawn.inertia
    lab = segment(image, 5, space="lab", init="optimal")
    assert lab.inertia <= segment(image, 5, space="lab", init="k-means++", n_init=20).inertia


def test_rehearsals_beat_one_draw() -> None:
    image = noise(40, 50, 3)
    best = [segment(image, 8, rng=seed).inertia for seed in range(3)]
    drawn = [segment(image, 8, rng=seed, init="k-means++").inertia for seed in range(10)]
    assert max(best) <= min(drawn) * 1.002


def test_optimal_wants_one_channel() -> None:
    with pytest.raises(ValueError, match='one channel varies, and 3 do: use init="auto"'):
        segment(noise(5, 5, 3), 2, init="optimal")


def test_auto_takes_floats_of_any_number() -> None:
    image = np.random.default_rng(0).random((300, 300))
    result = segment(image, 3)
    assert result.converged
    with pytest.raises(ValueError, match="distinct values"):
        segment(image, 3, init="optimal")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"space": "lab"},
        {"space": "raw", "position": 1, "normalize": True},
        {"strategy": "plain"},
    ],
)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_result_can_be_copied_and_sent_to_another_process(
    options: dict[str, Any], copied: Callable[[Segmentation], Segmentation]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    result = segment(image, 3, **options)
    other = copied(result)
    np.testing.assert_array_equal(other.labels, result.labels)
    np.testing.assert_array_equal(other.painted, result.painted)
    np.testing.assert_array_equal(other.predict(image), result.predict(image))
