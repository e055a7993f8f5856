"""What segment takes: axes, transparency, masks, positions, scales, and arrays in files."""

import itertools
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from doses import dose
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from samples import coffee

from kmeans_seg import AmbiguousShapeWarning, kmeans, segment
from kmeans_seg.image import tiles
from kmeans_seg.lloyd import nearest_center
from kmeans_seg.teaching import Done, trace


def noise(*shape: int, seed: int = 0, high: int = 256, dtype: Any = np.uint8) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(1, 60), st.integers(1, 5))
def test_tiles_cover_a_shape_once_in_order(lengths: list[int], most: int, rows: int) -> None:
    shape = tuple(lengths)
    order = np.arange(np.prod(shape)).reshape(shape)
    blocks = [order[index] for index in tiles(shape, most, rows)]
    assert np.concatenate([block.ravel() for block in blocks]).tolist() == order.ravel().tolist()
    if rows == 1:
        assert max(block.size for block in blocks) <= most
    else:
        assert all(index[0].start % rows == 0 for index in tiles(shape, most, rows))


# Axes.


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_the_channels_may_be_on_any_axis(axis: int, space: str) -> None:
    image = noise(9, 8, 3)
    expected = segment(image, 4, space=space)
    moved = np.moveaxis(image, -1, axis)
    result = segment(moved, 4, space=space, channel_axis=axis)
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.centers, expected.centers)
    np.testing.assert_array_equal(result.painted, np.moveaxis(expected.painted, -1, axis))
    np.testing.assert_array_equal(result.predict(moved), expected.labels)


def test_a_stack_of_frames_has_one_palette() -> None:
    frames = noise(5, 6, 7, 3)
    result = segment(frames, 4)
    assert result.labels.shape == (5, 6, 7)
    assert result.painted.shape == frames.shape
    as_one = segment(frames.reshape(30, 7, 3), 4)
    np.testing.assert_array_equal(result.labels.reshape(30, 7), as_one.labels)
    np.testing.assert_array_equal(result.predict(frames), result.labels)
    assert "5 by 6 by 7 pixels" in repr(result)


def test_a_gray_volume_has_no_axis_of_channels() -> None:
    volume = noise(4, 5, 3)
    result = segment(volume, 3, channel_axis=None)
    assert result.labels.shape == result.painted.shape == volume.shape
    flat = segment(volume.reshape(4, 15), 3)
    np.testing.assert_array_equal(result.labels.reshape(4, 15), flat.labels)
    np.testing.assert_array_equal(result.painted, result.palette[result.labels][..., 0])
    np.testing.assert_array_equal(result.predict(volume), result.labels)


@pytest.mark.parametrize(
    ("shape", "axis", "said"),
    [
        ((4, 5, 3), 3, "channel_axis=3 is not there"),
        ((4, 5, 3), -4, "too small"),
        ((4, 5), 0, "reshape to"),
        ((4, 5), 1, "leave it out"),
    ],
)
def test_an_axis_that_is_not_there(shape: tuple[int, ...], axis: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        segment(noise(*shape), 2, channel_axis=axis)


def test_an_axis_is_an_integer() -> None:
    with pytest.raises(TypeError, match="channel_axis must be an integer"):
        segment(noise(4, 5, 3), 2, channel_axis="last")  # type: ignore[arg-type]


# Transparency.


@pytest.mark.parametrize("space", ["rgb", "lab"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_transparent_pixels_take_no_part(space: str, channels: int, dtype: Any) -> None:
    image = noise(8, 9, channels + 1).astype(dtype) / (255 if dtype is np.float32 else 1)
    image = image.astype(dtype)
    image[:3, :, -1] = 0
    image[4:, :, -1] = np.maximum(image[4:, :, -1], image.max() / 4)
    visible = image[..., -1] > 0
    result = segment(image, 3, space=space)
    alone = segment(image[visible][np.newaxis, :, :channels], 3, space=space)
    np.testing.assert_array_equal(result.labels[visible], alone.labels[0])
    np.testing.assert_array_equal(result.labels[~visible], -1)
    np.testing.assert_array_equal(result.centers, alone.centers)
    assert result.counts.sum() == visible.sum()
    assert result.painted.dtype == image.dtype
    np.testing.assert_array_equal(result.painted[..., -1], image[..., -1])
    np.testing.assert_array_equal(result.painted[visible][:, :-1], alone.painted[0])
    assert not result.painted[~visible].any()
    np.testing.assert_array_equal(result.predict(image), result.labels)
    opaque = result.predict(np.ascontiguousarray(image[..., :-1]))
    np.testing.assert_array_equal(opaque[visible], result.labels[visible])
    assert opaque.min() >= 0


@pytest.mark.parametrize("strategy", ["fast", "plain", "blocks"])
@pytest.mark.parametrize(
    ("dtype", "threshold"),
    [(np.uint8, 127), (np.uint8, 127.5), (np.uint8, np.int64(3)), (np.float32, 0.25), (bool, 0)],
)
def test_only_pixels_of_more_alpha_take_part(dtype: Any, threshold: Any, strategy: str) -> None:
    image = noise(8, 9, 4).astype(dtype)
    image[..., 3] = np.linspace(0, 1 if dtype is np.float32 else 255, 72).reshape(8, 9)
    image[4, 4, 3] = threshold  # the threshold itself does not take part
    result = segment(image, 1, alpha_threshold=threshold, strategy=strategy)
    expected = segment(image, 1, mask=image[..., 3].astype(np.float64) > threshold)
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.centers, expected.centers)
    np.testing.assert_array_equal(result.painted, expected.painted)
    np.testing.assert_array_equal(result.predict(image), result.labels)
    np.testing.assert_array_equal(result.apply(image).labels, result.labels)


def test_where_there_is_no_alpha_its_threshold_does_not_matter() -> None:
    image = noise(8, 9, 3)
    result, expected = segment(image, 2, alpha_threshold=200), segment(image, 2)
    np.testing.assert_array_equal(result.labels, expected.labels)


def test_a_threshold_that_no_pixel_reaches() -> None:
    image = noise(8, 9, 4)
    with pytest.raises(ValueError, match="at most alpha_threshold, everywhere"):
        segment(image, 2, alpha_threshold=256)


@pytest.mark.parametrize("bad", [-1, np.nan, np.inf, "half", None, True])
def test_a_threshold_is_a_number(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="alpha_threshold"):
        segment(noise(4, 5, 4), 2, alpha_threshold=bad)


def test_in_raw_the_fourth_channel_is_a_number() -> None:
    image = noise(6, 6, 4)
    image[..., 3] = 0
    result = segment(image, 3, space="raw")
    assert result.labels.min() == 0
    assert result.centers.shape == (3, 4)


def test_the_original_alpha_is_kept_whatever_becomes_of_the_image() -> None:
    image = noise(6, 6, 4) | 1
    alpha = image[..., 3].copy()
    result = segment(image, 2)
    image[:] = 0
    np.testing.assert_array_equal(result.painted[..., 3], alpha)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("space", "bad", "dtype"),
    [
        *itertools.product(
            ("rgb", "lab"), (np.nan, np.inf, -np.inf, -0.5), (np.float16, np.float64)
        ),
        ("rgb", -3, np.int16),  # which Lab does not take
    ],
)
def test_alpha_is_finite_and_not_negative(
    space: str, channels: int, bad: float, dtype: Any
) -> None:
    image = np.ones((5, 6, channels + 1), dtype)
    image[1, 1, -1] = 0
    image[2, 3, -1] = bad
    said = rf"image contains {bad} in its last channel, taken for alpha.*mask="
    with pytest.raises(ValueError, match=said):
        segment(image, 1, space=space)
    with pytest.raises(ValueError, match=said):
        segment(image, 1, space=space, position=1)
    mask = np.ones((5, 6), np.bool_)
    mask[2, 3] = False
    result = segment(image, 1, space=space, mask=mask)
    np.testing.assert_array_equal(result.labels == -1, ~mask | (image[..., -1] == 0))
    np.testing.assert_array_equal(result.painted[..., -1], image[..., -1])
    with pytest.raises(ValueError, match=said):
        result.predict(image)
    np.testing.assert_array_equal(result.predict(image, mask=mask), result.labels)


def test_negative_zero_is_transparent() -> None:
    image = np.array([[[5, 1], [7, -0.0]]])
    assert segment(image, 1).labels.tolist() == [[0, -1]]


# Masks.


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3), (3, 4, 5, 3)])
def test_only_what_is_in_the_mask_is_clustered(shape: tuple[int, ...], dtype: Any) -> None:
    image = noise(*shape).astype(dtype)
    size = shape if len(shape) == 2 else shape[:-1]
    mask = np.random.default_rng(1).random(size) < 0.6
    result = segment(image, 3, mask=mask)
    inside = image[mask].reshape(1, mask.sum(), -1)
    alone = segment(inside, 3)
    np.testing.assert_array_equal(result.labels[mask], alone.labels[0])
    assert (result.labels[~mask] == -1).all()
    np.testing.assert_array_equal(result.centers, alone.centers)
    assert not result.painted[~mask].any()
    np.testing.assert_array_equal(result.predict(image, mask=mask), result.labels)


def test_a_mask_and_transparency_go_together() -> None:
    image = noise(6, 7, 4) | 1
    image[0, :, 3] = 0
    mask = np.ones((6, 7), np.bool_)
    mask[:, 0] = False
    np.testing.assert_array_equal(
        segment(image, 2, mask=mask).labels == -1, ~mask | (image[..., 3] == 0)
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_a_number_matters_only_inside_the_mask(bad: float) -> None:
    image = noise(5, 6, 3) / 255
    image[2, 3, 1] = bad
    mask = np.ones((5, 6), np.bool_)
    with pytest.raises(ValueError, match="image contains"):
        segment(image, 2, mask=mask)
    mask[2, 3] = False
    for space in ("rgb", "lab", "raw"):
        assert segment(image, 2, mask=mask, space=space).labels[2, 3] == -1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3)])
def test_the_advice_about_what_is_not_a_number_works(shape: tuple[int, ...], bad: float) -> None:
    image = noise(*shape) / 255
    image[2, 3] = bad
    with pytest.raises(ValueError, match="image contains") as caught:
        segment(image, 2)
    plain, channels = re.findall(r"mask=(\S+?),? ", str(caught.value))
    mask = eval(plain if image.ndim == 2 else channels, {"np": np, "image": image})
    assert (segment(image, 2, mask=mask).labels < 0).sum() == 1
    with pytest.raises(ValueError, match=rf"in the terminal by --nodata={bad}\).*nan_to_num"):
        segment(image, 2)
    *_, done = trace(np.ma.masked_invalid(image), 2)
    assert isinstance(done, Done)
    assert (done.result.labels < 0).sum() == 1


def test_masked_elements_of_a_masked_array_take_no_part() -> None:
    image = np.ma.masked_greater(noise(6, 7, 3), 240)
    outside = np.ma.getmaskarray(image).any(axis=-1)
    expected = segment(image.data, 3, mask=~outside)
    np.testing.assert_array_equal(segment(image, 3).labels, expected.labels)
    assert outside.any()


def test_a_mask_of_the_wrong_kind() -> None:
    image = noise(5, 6, 3)
    with pytest.raises(TypeError, match=r"mask has dtype int64.*mask > 0"):
        segment(image, 2, mask=np.ones((5, 6), np.int64))
    with pytest.raises(ValueError, match=r"mask has shape \(6, 5\): it must be \(5, 6\)"):
        segment(image, 2, mask=np.ones((6, 5), np.bool_))
    with pytest.raises(ValueError, match="no pixel left"):
        segment(image, 2, mask=np.zeros((5, 6), np.bool_))
    with pytest.raises(ValueError, match="no pixel left"):
        segment(np.zeros((5, 6, 4), np.uint8), 2)
    with pytest.raises(ValueError, match="no pixel left"):
        segment(image / 2, 2, mask=np.zeros((5, 6), np.bool_), position=1)
    with pytest.raises(ValueError, match="k=3 is more than the 2 pixels"):
        segment(image, 3, mask=np.arange(30).reshape(5, 6) < 2)


# Position.


def test_with_a_position_row_and_column_are_features() -> None:
    image = noise(6, 8, 3, dtype=np.float64)
    result = segment(image, 4, position=0.5)
    color_range = np.linalg.norm(np.ptp(image.reshape(-1, 3), axis=0))
    scale = 0.5 * color_range / np.hypot(5, 7)
    rows, columns = np.indices((6, 8))
    points = np.dstack((image, rows * scale, columns * scale)).reshape(-1, 5)
    means = np.array([points[result.labels.ravel() == label].mean(axis=0) for label in range(4)])
    np.testing.assert_allclose(result.centers * [1, 1, 1, scale, scale], means)
    np.testing.assert_array_equal(nearest_center(points, means).reshape(6, 8), result.labels)
    np.testing.assert_allclose(result.palette, means[:, :3])  # painted with mean colors
    np.testing.assert_array_equal(result.predict(image), result.labels)
    again = segment(image, 4, position=0.5, init=result.centers)
    np.testing.assert_array_equal(again.labels, result.labels)


def test_a_strong_position_makes_compact_segments_and_none_changes_nothing() -> None:
    image = noise(16, 16, 3)
    rows, columns = np.indices((16, 16))

    def spread(position: float) -> float:
        labels = segment(image, 4, position=position).labels
        return sum(float(rows[labels == i].var() + columns[labels == i].var()) for i in range(4))

    assert spread(10) < spread(1) < spread(0)
    np.testing.assert_array_equal(segment(image, 4, position=0).labels, segment(image, 4).labels)


@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
def test_position_goes_with_masks_transparency_and_gray(space: str) -> None:
    image = noise(6, 7, 4) | 1
    image[2:4, 2:4, 3] = 0
    if space != "raw":
        result = segment(image, 3, space=space, position=1)
        np.testing.assert_array_equal(result.labels == -1, image[..., 3] == 0)
    gray = segment(noise(6, 7), 3, space=space, position=1)
    assert gray.centers.shape == (3, 3 + 2 * (space == "lab"))
    assert gray.painted.shape == (6, 7)
    one_color = segment(np.zeros((4, 4), np.uint8), 2, space=space, position=1)
    assert one_color.counts.tolist() == [8, 8]


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf, 1e7])
def test_a_position_out_of_range(bad: float) -> None:
    with pytest.raises(ValueError, match=r"position=.* is out of range"):
        segment(noise(4, 4), 2, position=bad)


@pytest.mark.parametrize("bad", [True, "1", None, 1j])
def test_a_position_that_is_no_number(bad: Any) -> None:
    with pytest.raises(TypeError, match="position must be a number"):
        segment(noise(4, 4), 2, position=bad)


# Scale.


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_normalized_channels_have_mean_0_and_variance_1(dtype: Any) -> None:
    image = (noise(9, 9, 3) * [1, 0.1, 0.01]).astype(dtype)
    pixels = image.reshape(-1, 3).astype(np.float64)
    deviation = pixels.std(axis=0)
    result = segment(image, 4, normalize=True)
    points = (pixels - pixels.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    clusters = kmeans(points, 4, init=(result.centers - pixels.mean(axis=0)) / deviation)
    assert clusters.n_iter == 2  # the second finds nothing to reassign
    np.testing.assert_array_equal(clusters.labels.reshape(9, 9), result.labels)
    assert result.inertia == pytest.approx(clusters.inertia)
    # In the units of the input:
    means = [pixels[result.labels.ravel() == label].mean(axis=0) for label in range(4)]
    np.testing.assert_allclose(result.centers, means)
    np.testing.assert_array_equal(result.predict(image), result.labels)
    again = segment(image, 4, normalize=True, init=result.centers)
    np.testing.assert_array_equal(again.labels, result.labels)


def test_the_scale_of_a_channel_makes_no_difference_once_normalized() -> None:
    image = noise(9, 9, 3).astype(np.float64)
    expected = segment(image, 4, normalize=True, space="raw")
    scaled = segment(image * [1, 1024, 1 / 64], 4, normalize=True, space="raw")
    assert [*np.bincount(scaled.labels.ravel())].sort() == [*expected.counts].sort()
    np.testing.assert_allclose(scaled.inertia, expected.inertia)
    one_value = np.dstack((image, np.full((9, 9), 0.1)))
    constant = segment(one_value, 4, normalize=True, space="raw")
    np.testing.assert_allclose(constant.inertia, expected.inertia)


# Files.


class Rows:
    """An array in a file, of which nothing is known but its shape, its dtype and its slices."""

    def __init__(self, array: NDArray[Any], chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.largest = array, 0
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, chunks

    def __getitem__(self, index: Any) -> Any:  # noqa: D105
        block = self.array[index]
        self.largest = max(self.largest, block.size)
        return block

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:  # noqa: D105
        raise AssertionError("read whole")


class Changing(Rows):
    """An image or a mask that is another one once it has been read so many times."""

    def __init__(self, first: NDArray[Any], then: NDArray[Any], reads: int = 1) -> None:
        super().__init__(first)
        self.then, self.reads = then, reads

    def __getitem__(self, index: Any) -> Any:  # noqa: D105
        if self.reads == 0:
            self.array = self.then
        self.reads -= 1
        return super().__getitem__(index)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(np.uint8, (9, 8, 3)), (np.int16, (9, 8)), (np.uint16, (9, 8, 3)), (np.int64, (9, 8))],
)
def test_a_color_that_appears_between_the_readings(dtype: Any, shape: tuple[int, ...]) -> None:
    image = 2 * noise(*shape, high=60).astype(dtype)
    for color in (1, 59, 119, 121, np.iinfo(dtype).max):
        then = image.copy()
        then[4, 5] = color
        said = rf"image changed between its two readings: the color \[{color}.*was not there"
        with pytest.raises(ValueError, match=said):
            segment(Changing(image, then), 3, space="raw")
        result = segment(image, 3, space="raw")
        with pytest.raises(ValueError, match=said):
            result.predict(Changing(image, then))


def test_colors_that_only_change_places_between_the_readings() -> None:
    image = noise(9, 8, 3)
    expected = segment(image, 3).labels
    turned = image[::-1]
    np.testing.assert_array_equal(segment(Changing(image, turned), 3).labels, expected[::-1])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("position", [0, 1])
def test_pixels_that_come_or_go_between_the_readings(dtype: Any, position: float) -> None:
    image = (noise(9, 8, 4) | 1).astype(dtype)
    transparent = image.copy()
    transparent[2, 2, 3] = 0
    for first, then in ((image, transparent), (transparent, image)):
        said = r"image changed between its two readings: 7\d pixels of a block.*7\d did"
        for reads in range(1, 2 + (position > 0)):
            with pytest.raises(ValueError, match=said):
                segment(Changing(first, then, reads), 3, position=position)
            mask, new_mask = (part[..., 3] > 0 for part in (first, then))
            with pytest.raises(ValueError, match=said):
                segment(image, 3, position=position, mask=Changing(mask, new_mask, reads))


def test_a_float_image_is_labeled_as_it_was_first_read() -> None:
    image = noise(9, 8, 3).astype(np.float32)
    result = segment(Changing(image, image * 0), 3)
    np.testing.assert_array_equal(result.labels, segment(image, 3).labels)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", dose([np.uint8], [np.uint8, np.uint16, np.float32]))
def test_an_image_in_a_file_is_read_in_blocks(
    axis: int, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmeans_seg.image.FILE_BLOCK", 100)
    image = noise(40, 30, 3, high=20).astype(dtype)
    expected = segment(image, 4)
    rows = Rows(np.moveaxis(image, -1, axis))
    mask = Rows(np.ones((40, 30), np.bool_))
    result = segment(rows, 4, channel_axis=axis, mask=mask)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert rows.largest <= 300
    assert mask.largest <= 100


def test_whole_chunks_are_read() -> None:
    image = noise(50, 10, 3)
    rows = Rows(image, chunks=(16, 5, 3))
    np.testing.assert_array_equal(segment(rows, 3).labels, segment(image, 3).labels)


def test_a_memory_mapped_image_and_labels(tmp_path: Path) -> None:
    image = noise(64, 50, 3)
    image.tofile(tmp_path / "image")
    mapped = np.memmap(tmp_path / "image", np.uint8, "r", shape=image.shape)
    out = np.memmap(tmp_path / "labels", np.uint8, "w+", shape=(64, 50))
    result = segment(mapped, 5, out=out)
    assert isinstance(result.labels, np.memmap)
    out.flush()
    labels = np.fromfile(tmp_path / "labels", np.uint8).reshape(64, 50)
    np.testing.assert_array_equal(labels, segment(image, 5).labels)
    np.testing.assert_array_equal(result.painted, segment(image, 5).painted)


def test_images_and_labels_in_hdf5(tmp_path: Path) -> None:
    image = noise(70, 50, 3)
    expected = segment(image, 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("image", data=image, chunks=(16, 16, 3))
        out = file.create_dataset("labels", (70, 50), np.int16)
        result = segment(stored, 5, out=out)
        np.testing.assert_array_equal(out[...], expected.labels)
        np.testing.assert_array_equal(result.painted, expected.painted)


class Named:
    """An array of another library, which slices into more of its kind, as one of xarray does."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, index: Any) -> "Named":  # noqa: D105
        return Named(self.array[index])

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:  # noqa: D105
        return self.array


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (7, 5, 4)])
def test_arrays_that_slice_into_their_own_kind(shape: tuple[int, ...]) -> None:
    image, mask = noise(*shape), noise(7, 5) > 100
    expected = segment(image, 2, mask=mask)
    result = segment(Named(image), 2, mask=Named(mask))
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.painted, expected.painted)


def test_images_and_labels_in_zarr(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    image = noise(70, 50, 3)
    stored = zarr.create_array(tmp_path / "a.zarr", data=image, chunks=(16, 16, 3))
    out = zarr.create_array(tmp_path / "b.zarr", shape=(70, 50), dtype="i4", chunks=(16, 50))
    segment(stored, 5, out=out)
    np.testing.assert_array_equal(out[...], segment(image, 5).labels)


@pytest.mark.parametrize(
    ("out", "error", "said"),
    [
        (np.zeros((4, 5), np.int32), ValueError, r"out has shape \(4, 5\)"),
        (np.zeros((5, 4), np.float64), TypeError, "labels are integers"),
        (np.zeros((5, 4), np.uint8), ValueError, "cannot hold labels from -1 to 1"),
        ([[0] * 4] * 5, TypeError, "an array to write labels into"),
        (np.broadcast_to(np.int32(0), (5, 4)), ValueError, "read-only"),
    ],
)
def test_labels_that_out_cannot_hold(out: Any, error: type[Exception], said: str) -> None:
    image = noise(5, 4)
    mask = np.arange(20).reshape(5, 4) > 3
    before = np.array(out)
    with pytest.raises(error, match=said):
        segment(image, 2, mask=mask, out=out)
    np.testing.assert_array_equal(out, before)


def test_out_takes_any_integers_that_are_wide_enough() -> None:
    image = noise(9, 9)
    expected = segment(image, 20).labels
    for dtype in (np.uint8, np.int8, np.int64):
        out = np.full((9, 9), 99, dtype)
        np.testing.assert_array_equal(segment(image, 20, out=out).labels, expected)
        np.testing.assert_array_equal(out, expected)


def assert_shared(image: Any, out: Any, name: str = "image", **options: Any) -> None:
    before = np.array(out[...])
    with pytest.raises(ValueError, match=f"out shares memory with {name}: .*an array of its own"):
        segment(image, 2, out=out, **options)
    np.testing.assert_array_equal(out[...], before)


def test_out_shares_no_memory_with_the_image_or_the_mask() -> None:
    rgba = noise(8, 9, 4) | 1
    assert_shared(rgba[..., 0], rgba[..., 0])
    assert_shared(rgba[..., :3], rgba[..., 2])
    assert_shared(rgba[:, :6], rgba[:, 3:, 0].view(np.int8)[::-1])
    mask = np.ones((8, 9), np.bool_)
    assert_shared(rgba, mask.view(np.uint8), "mask", mask=mask)
    # Side by side in the same memory they share none.
    out = rgba[..., 3]
    expected = segment(rgba[..., :3], 2).labels
    np.testing.assert_array_equal(segment(rgba[..., :3], 2, out=out).labels, expected)


def test_out_is_no_other_map_of_the_file_of_the_image(tmp_path: Path) -> None:
    path = tmp_path / "pixels"
    noise(20, 10).tofile(path)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "hard link").hardlink_to(path)

    def mapped(first: int, name: str = "pixels", dtype: Any = np.uint8) -> NDArray[Any]:
        return np.memmap(tmp_path / name, dtype, "r+", offset=10 * first, shape=(6, 10))

    image = mapped(3)
    for out in (
        mapped(3),
        mapped(0),
        mapped(8),
        mapped(3, "link"),
        mapped(3, "hard link"),
        mapped(0, dtype=np.int16),
    ):
        assert_shared(image, out)
        assert_shared(np.asarray(image)[::-1], out[:, ::-1])
    assert_shared(noise(6, 10), image, "mask", mask=mapped(8).view(np.bool_))
    # What only begins where the other ends is apart from it, and so is a part.
    expected = segment(image, 2).labels
    for out in (mapped(9), mapped(8)[1:]):
        part = image[-len(out) :]
        np.testing.assert_array_equal(segment(part, 2, out=out).labels, segment(part, 2).labels)
    np.testing.assert_array_equal(segment(image, 2).labels, expected)


def test_out_is_no_dataset_that_the_image_is(tmp_path: Path) -> None:
    image = noise(6, 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = image
        assert_shared(file["image"], file["image"])


def test_out_is_no_zarr_array_that_the_image_is(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(tmp_path / "a.zarr", data=noise(6, 10))
    assert_shared(stored, zarr.open_array(tmp_path / "a.zarr"))
    assert_shared(stored, stored)


# What people have.


def test_a_medical_slice_of_int16_with_negative_values() -> None:
    rows, columns = np.indices((60, 80))
    body = np.hypot((rows - 30) / 25, (columns - 40) / 35) < 1
    bone = np.hypot(rows - 30, columns - 55) < 6
    image = np.where(body, 40, -1000) + np.where(bone, 900, 0)
    image = (image + np.random.default_rng(0).normal(0, 20, image.shape)).astype(np.int16)
    result = segment(image, 3)
    np.testing.assert_array_equal(result.labels, body.astype(int) + (bone & body))
    assert result.palette.dtype == np.int16
    np.testing.assert_allclose(result.centers[:, 0], [-1000, 40, 940], atol=15)


def test_a_raster_of_seven_bands_with_nodata() -> None:
    rng = np.random.default_rng(0)
    water, forest, soil = rng.random((3, 7)).astype(np.float32)
    truth = np.repeat(np.arange(3), 20)[:, np.newaxis] * np.ones(50, int)
    image = np.stack((water, forest, soil))[truth]
    image += rng.normal(0, 0.01, image.shape).astype(np.float32)
    image[5:9, 10:20] = np.nan
    valid = np.isfinite(image).all(axis=-1)
    result = segment(image, 3, space="raw", mask=valid, normalize=True)
    np.testing.assert_array_equal(result.labels == -1, ~valid)
    pairs = set(zip(result.labels[valid].tolist(), truth[valid].tolist(), strict=True))
    assert len(pairs) == 3
    bands_first = segment(
        np.moveaxis(image, -1, 0), 3, space="raw", mask=valid, normalize=True, channel_axis=0
    )
    np.testing.assert_array_equal(bands_first.labels, result.labels)


def test_a_photo_of_16_bits_keeps_all_of_them() -> None:
    small = coffee()[::4, ::4]
    photo = small.astype(np.uint16) * 257
    eight = segment(small, 5)
    result = segment(photo, 5)
    np.testing.assert_array_equal(result.labels, eight.labels)
    fine = photo.copy()
    fine[::2] -= np.minimum(fine[::2], 100)  # which 8 bits would not show
    assert not np.array_equal(segment(fine, 5).centers, result.centers)
    assert segment(fine, 5, space="lab").palette.dtype == np.uint16


def test_tiny_differences_are_refused_rather_than_lost() -> None:
    image = np.array([[0.0, 1e-200], [2e-200, 9e-200]])
    with pytest.raises(ValueError, match=r"differ by 9e-200 at most.*scale it up"):
        segment(image, 2)
    assert segment(image * 2.0**600, 2).labels.tolist() == [[0, 0], [0, 1]]


# Shapes that may mean something else.


def test_bands_on_the_first_axis_are_asked_about() -> None:
    image = noise(4, 40, 60)
    question = r"\(4, 40, 60\).*the first holds them say channel_axis=0, else channel_axis=2"
    with pytest.warns(AmbiguousShapeWarning, match=question) as caught:
        segment(image, 3, space="raw")
    assert [warning.filename for warning in caught] == [__file__]
    assert segment(image, 3, space="raw", channel_axis=2).labels.shape == (4, 40)
    assert segment(image, 3, space="raw", channel_axis=0).labels.shape == (40, 60)
    assert segment(np.moveaxis(image, 0, -1), 3, space="raw").labels.shape == (40, 60)


@pytest.mark.parametrize("shape", [(3, 40, 60), (4, 40, 60), (1, 40, 60)])
def test_the_error_of_bands_on_the_first_axis_leads_to_the_right_axis(
    shape: tuple[int, ...],
) -> None:
    image = noise(*shape)
    with pytest.raises(ValueError, match=r"60 channels.*alpha; say channel_axis=0 if the first"):
        segment(image, 3)
    assert segment(image, 3, channel_axis=0).labels.shape == (40, 60)
    with pytest.raises(ValueError, match=r"60 channels.*alpha; say channel_axis=None for gray"):
        segment(noise(9, 40, 60), 3)
    assert segment(noise(9, 40, 60), 3, channel_axis=None).labels.shape == (9, 40, 60)


@pytest.mark.parametrize("columns", [3, 4])
def test_a_list_of_pixels_is_asked_about(columns: int) -> None:
    pixels = noise(50, columns)
    with pytest.warns(AmbiguousShapeWarning, match=r"gray image.*use kmeans, or reshape it to"):
        segment(pixels, 3)
    assert segment(pixels, 3, channel_axis=None).labels.shape == (50, columns)
    assert segment(pixels.reshape(1, -1, columns), 3).labels.shape == (1, 50)
    assert kmeans(pixels, 3).labels.shape == (50,)
    segment(noise(50, 5), 3)
    segment(noise(31, columns), 3)
