"""Images that need not fit in memory: the labels and centers of those that do."""

import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doses import dose
from hypothesis import given, settings
from hypothesis import strategies as st

from kmeans_seg import FewerClustersWarning, NodataWarning, Step, segment, segmentation, streaming
from kmeans_seg.image import Pixels

RNG = np.random.default_rng(0)
SCENES: dict[str, Any] = {
    "RGB": RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8),
    "16 bits": RNG.integers(0, 65536, (30, 40, 3)).astype(np.uint16),
    "10 bands": RNG.integers(0, 4000, (30, 40, 10)).astype(np.uint16),
    "float": RNG.random((30, 40, 4)).astype(np.float32),
    "gray": RNG.normal(size=(30, 40)),
    "volume": RNG.random((5, 30, 8, 2)),
}


def assert_same(one: Any, other: Any) -> None:
    for name in ("labels", "centers", "palette", "counts", "n_iter", "converged"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.painted, other.painted)
    assert one.inertia == pytest.approx(other.inertia, rel=1e-14)


def some_colors(image: Any, k: int) -> Any:
    """Take k colors of an image as initial centers."""
    channels = 1 if image.ndim == 2 else image.shape[-1]
    return image.reshape(-1, channels)[:k].astype(np.float64)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("tol", dose([0.02], [0, 0.02]))
def test_from_the_same_centers_the_result_is_that_in_memory(
    name: str, masked: bool, tol: float
) -> None:
    image = SCENES[name]
    options: dict[str, Any] = {"space": "raw", "init": some_colors(image, 6), "tol": tol}
    if image.ndim == 2:
        options["channel_axis"] = None
    if masked:
        shape = image.shape if image.ndim == 2 else image.shape[:-1]
        options["mask"] = np.random.default_rng(1).random(shape) < 0.7
    expected = segment(image, 6, strategy="fast", **options)
    assert_same(segment(image, 6, strategy="blocks", **options), expected)


@pytest.mark.parametrize(
    "options",
    [{"space": "lab"}, {"normalize": True}, {"position": 0.5}, {"order": "init"}],
    ids=str,
)
def test_whatever_is_clustered(options: dict[str, Any]) -> None:
    image = np.random.default_rng(2).random((25, 32, 3))
    start = segment(image, 5, strategy="fast", max_iter=1000, **options).centers
    expected = segment(image, 5, init=start, strategy="fast", **options)
    assert_same(segment(image, 5, init=start, strategy="blocks", **options), expected)


@settings(max_examples=dose(3, 60))
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_any_width_and_any_block(rows: int, channels: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 5, (rows, 7, channels)) / rng.choice([1, 3])
    init = image.reshape(-1, channels)[rng.integers(0, rows * 7, k)]
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", FewerClustersWarning)
        patch.setattr(streaming, "BLOCK", int(rng.integers(1, 100)))
        patch.setattr("kmeans_seg.image.BLOCK", int(rng.integers(7, 100)))
        found = segment(image, k, space="raw", channel_axis=2, init=init, strategy="blocks")
        expected = segment(image, k, space="raw", channel_axis=2, init=init, strategy="fast")
    assert_same(found, expected)


@pytest.mark.parametrize("init", ["auto", "k-means++", "random"])
def test_where_the_sample_is_everything_the_draws_are_those_in_memory(init: str) -> None:
    image = SCENES["float"]
    expected = segment(image, 5, space="raw", init=init, n_init=2, strategy="fast")
    assert_same(segment(image, 5, space="raw", init=init, n_init=2, strategy="blocks"), expected)


def test_a_sample_is_every_3rd_9th_or_27th_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SAMPLE", 60)
    monkeypatch.setattr("kmeans_seg.image.BLOCK", 70)
    values = np.random.default_rng(0).permutation(1000) * 1.0
    pixels = Pixels(values.reshape(10, 100), "rgb", None)
    stream = streaming.Stream(pixels, position=0, normalize=False)
    assert sorted(stream.found.colors[:, 0]) == sorted(values[::27])
    assert stream.survey.size == 1000


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
def test_only_given_centers_stay_without_pixels() -> None:
    image = np.array([[1, 1, 5, 5, 5, 9.0]])
    for init in ("k-means++", "random", [[1], [5], [9], [11], [12]]):
        expected = segment(image, 5, init=init, order="init", strategy="fast")
        found = segment(image, 5, init=init, order="init", strategy="blocks")
        assert found.counts.tolist() == expected.counts.tolist()
        assert len(found.counts) == (3 if isinstance(init, str) else 5)


def test_fewer_colors_in_the_sample_than_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SAMPLE", 30)
    image = np.zeros((20, 100))
    image[3, 5:9] = [1, 2, 3, 4]  # between the pixels of the sample
    found = segment(image, 5, strategy="blocks")
    assert found.centers.ravel().tolist() == [0, 1, 2, 3, 4]
    with pytest.warns(FewerClustersWarning, match="only 5 distinct colors"):
        segment(image, 6, strategy="blocks")


def test_rehearsals_on_a_sample_end_near_those_on_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    middles = rng.random((5, 4)) * 10
    image = middles[rng.integers(0, 5, (60, 70))] + rng.normal(size=(60, 70, 4)) / 9
    expected = segment(image, 5, space="raw")
    monkeypatch.setattr(streaming, "SAMPLE", 300)
    found = segment(image, 5, space="raw", strategy="blocks")
    assert_same(found, expected)


def test_it_is_chosen_by_size_dtype_and_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "IN_MEMORY", 1000)
    chosen = []
    original = streaming.Stream.__init__

    def noted(self: Any, *args: Any, **options: Any) -> None:
        chosen.append(True)
        original(self, *args, **options)

    monkeypatch.setattr(streaming.Stream, "__init__", noted)

    def is_streamed(image: Any, **options: Any) -> bool:
        chosen.clear()
        segment(image, 3, space="raw", **options)
        return bool(chosen)

    assert is_streamed(SCENES["float"])
    assert is_streamed(SCENES["10 bands"])
    assert not is_streamed(SCENES["float"][:2, :5])
    assert not is_streamed(SCENES["float"], strategy="fast")
    assert not is_streamed(SCENES["16 bits"])
    assert is_streamed(SCENES["RGB"], position=0.5)


def test_a_memory_map_takes_little_memory(tmp_path: Path) -> None:
    shape = (1200, 1000, 6)
    image = np.memmap(tmp_path / "scene", np.float32, "w+", shape=shape)
    image[:] = np.random.default_rng(0).random((1200, 1000, 1)) * np.arange(1, 7)
    out = np.memmap(tmp_path / "labels", np.uint8, "w+", shape=shape[:2])
    tracemalloc.start()
    try:
        result = segment(image, 4, space="raw", strategy="blocks", tol=0.1, init="random", out=out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.shares_memory(result.labels, out)
    assert np.bincount(out.ravel()).tolist() == result.counts.tolist()
    # The points alone would take 58 MB, sorting them four times as much.
    assert peak < 120e6


def test_nodata_is_noticed() -> None:
    image = SCENES["float"].copy()
    image[:3] = -9999
    with pytest.warns(NodataWarning, match="-9999"):
        segment(image, 3, space="raw", strategy="blocks")


def test_the_callback_sees_the_pixels() -> None:
    image = SCENES["10 bands"]
    seen: list[tuple[int, float]] = []
    result = segment(
        image,
        4,
        space="raw",
        strategy="blocks",
        callback=lambda step: seen.append((len(step.labels), step.reassigned_weight)),
    )
    assert len(seen) >= result.n_iter
    assert seen[0] == (1200, 1200.0)


@pytest.mark.parametrize("later", [np.nan, np.inf, 1e30, -2.0])
def test_an_image_that_changes_meanwhile(later: float) -> None:
    image = SCENES["float"].copy()

    def write(_: Step) -> None:
        image[3, 3] = later

    with pytest.raises(ValueError, match="image changed while it was clustered"):
        segment(image, 3, space="raw", strategy="blocks", callback=write)


def test_the_optimum_needs_all_colors() -> None:
    with pytest.raises(ValueError, match=r'init="optimal" needs all colors in memory.*"auto"'):
        segment(SCENES["gray"], 3, init="optimal", strategy="blocks")


def test_values_are_checked() -> None:
    image = SCENES["float"].copy()
    image[2, 3, 1] = np.nan
    with pytest.raises(ValueError, match="mask"):
        segment(image, 3, space="raw", strategy="blocks")
    image = RNG.random((4, 4, 2)) * [1, 1e-160]
    with pytest.raises(ValueError, match="channel 1 of the image has values that differ by"):
        segment(image, 2, space="raw", normalize=True, strategy="blocks")
