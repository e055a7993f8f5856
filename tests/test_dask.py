"""segment() of dask arrays: the labels of the one in memory, on any chunks and any workers."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from doses import dose, thorough
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from platforms import posix

import kmeans_seg
from kmeans_seg.dask import segment

RNG = np.random.default_rng(0)
IMAGES: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "RGB": (RNG.integers(0, 40, (20, 30, 3), dtype=np.uint8), {}),
    "gray": (RNG.integers(0, 256, (20, 30), dtype=np.uint8), {}),
    "Lab": (RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8), {"space": "lab"}),
    "16 bits": (RNG.integers(0, 65536, (20, 30, 3), dtype=np.uint16), {}),
    "negative": (RNG.integers(-1000, 1000, (20, 30), dtype=np.int16), {"normalize": True}),
    "raw": (RNG.integers(0, 9, (20, 30, 7), dtype=np.uint8), {"space": "raw"}),
    "stack": (RNG.integers(0, 40, (4, 20, 30, 3), dtype=np.uint8), {"init": "random"}),
    "volume": (RNG.integers(0, 40, (4, 20, 30), dtype=np.uint8), {"channel_axis": None}),
    "channels first": (RNG.integers(0, 40, (3, 20, 30), dtype=np.uint8), {"channel_axis": 0}),
    "transparent": (RNG.integers(0, 3, (20, 30, 4), dtype=np.uint8), {}),
}


def assert_like_in_memory(image: NDArray[Any], chunks: Any, **options: Any) -> None:
    expected = kmeans_seg.segment(image, 5, **options)
    result = segment(da.from_array(image, chunks=chunks), 5, **options)
    assert isinstance(result.labels, da.Array)
    assert result.labels.dtype == np.int32
    np.testing.assert_array_equal(result.labels.compute(), expected.labels)
    np.testing.assert_array_equal(result.centers, expected.centers)
    np.testing.assert_array_equal(result.counts, expected.counts)
    assert isinstance(result.painted, da.Array)
    assert result.painted.shape == image.shape
    assert result.painted.dtype == image.dtype
    np.testing.assert_array_equal(result.painted.compute(), expected.painted)
    assert result.inertia == expected.inertia
    assert result.n_iter == expected.n_iter


@pytest.fixture(autouse=True)
def fixture_synchronous(request: pytest.FixtureRequest) -> Iterator[None]:
    if "cluster" in request.fixturenames:
        yield
    else:
        with dask.config.set(scheduler="synchronous"):
            yield


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("chunks", dose([11], [-1, 7, 16]))
def test_the_labels_are_those_of_the_array_in_memory(name: str, chunks: int) -> None:
    image, options = IMAGES[name]
    assert_like_in_memory(image, chunks, **options)


def test_the_chunks_stay() -> None:
    image = da.from_array(IMAGES["RGB"][0], chunks=((1, 3, 16), (29, 1), (2, 1)))
    result = segment(image, 5)
    assert result.labels.chunks == image.chunks[:2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"), [((1, 6), None), ((6, 1, 3), -1), ((3, 1, 6), 0), ((1, 5, 2, 4), -1)]
)
def test_empty_chunks_beside_single_pixels(
    shape: tuple[int, ...], axis: int | None, masked: bool
) -> None:
    image = RNG.integers(1, 9, shape, dtype=np.uint8)
    mask: NDArray[np.bool_] = kmeans_seg.segment(image, 1, channel_axis=axis).labels == 0
    mask.flat[0] = not masked
    expected = kmeans_seg.segment(image, 2, channel_axis=axis, mask=mask)
    lazy = da.from_array(image, chunks=tuple((0, 0, 1, 0, n - 1) for n in shape))
    lazy_mask = da.from_array(mask, chunks=tuple((n - 1, 0, 1) for n in mask.shape))
    result = segment(lazy, 2, channel_axis=axis, mask=lazy_mask if masked else None)
    np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)
    np.testing.assert_array_equal(np.asarray(result.painted), expected.painted)


def test_empty_chunks_make_no_difference() -> None:
    for name in ("RGB", "transparent", "channels first"):
        image, options = IMAGES[name]
        chunked = da.from_array(image, chunks=5)
        axis = next(i for i, n in enumerate(image.shape) if n > 4)
        chunks = list(chunked.chunks)
        chunks[axis] = (0, 3, 0, image.shape[axis] - 3, 0)
        result = segment(da.from_array(image, chunks=tuple(chunks)), 5, **options)
        expected = kmeans_seg.segment(image, 5, **options)
        np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)
        np.testing.assert_array_equal(np.asarray(result.painted), expected.painted)
    with pytest.raises(ValueError, match="image is empty"):
        segment(da.zeros((0, 4, 3), dtype=np.uint8), 2)


def test_two_results_in_one_graph_stay_apart() -> None:
    images = [RNG.integers(0, 256, (8, 9, 3), dtype=np.uint8) for _ in range(2)]
    results = [segment(da.from_array(image, chunks=5), 4) for image in images]
    both = dask.compute(*[result.labels for result in results])
    for image, labels in zip(images, both, strict=True):
        np.testing.assert_array_equal(labels, kmeans_seg.segment(image, 4).labels)


def test_chunks_of_single_pixels_and_threads() -> None:
    image = IMAGES["RGB"][0][:5, :6]
    with dask.config.set(scheduler="threads"):
        assert_like_in_memory(image, 1)


@pytest.mark.parametrize("name", ["RGB", "gray", "volume", "channels first", "transparent"])
def test_a_mask(name: str) -> None:
    image, options = IMAGES[name]
    expected = kmeans_seg.segment(image, 1, **options)
    mask = RNG.random(expected.labels.shape) < 0.5
    mask[..., :10] = False  # whole chunks of it
    expected = kmeans_seg.segment(image, 5, mask=mask, **options)
    lazy_mask = da.from_array(mask, chunks=9)
    result = segment(da.from_array(image, chunks=7), 5, mask=lazy_mask, **options)
    np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)
    np.testing.assert_array_equal(np.asarray(result.painted), expected.painted)
    with pytest.raises(ValueError, match="no pixel left"):
        segment(da.from_array(image, chunks=7), 5, mask=da.zeros_like(lazy_mask), **options)


def test_a_threshold_of_alpha() -> None:
    image = RNG.integers(0, 256, (20, 30, 4), np.uint8)
    for dtype in (np.uint8, np.float32):  # counted, and read in every pass
        array = image.astype(dtype)
        expected = kmeans_seg.segment(array, 3, init=image[0, :3, :3], alpha_threshold=100)
        lazy = da.from_array(array, chunks=7)
        result = segment(lazy, 3, init=image[0, :3, :3], alpha_threshold=100)
        np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)


def load(block_id: tuple[int, ...], log: str = "", pause: float = 0) -> NDArray[np.uint8]:
    """Make a chunk of an image, and note that it was made."""
    with Path(log).open("a") as file:
        file.write("x")
    time.sleep(pause)
    seed = 100 * block_id[0] + block_id[1]
    return np.random.default_rng(seed).integers(0, 50, (8, 8, 3), dtype=np.uint8)


def logged(log: Path, pause: float = 0) -> da.Array:
    return da.map_blocks(
        lambda block_info=None: load(block_info[None]["chunk-location"], str(log), pause),
        chunks=((8,) * 5, (8,) * 4, (3,)),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )


def test_the_data_is_passed_twice_whatever_the_number_of_iterations(tmp_path: Path) -> None:
    image = logged(tmp_path / "log")
    result = segment(image, 6, init="k-means++")
    assert result.n_iter > 3
    assert len((tmp_path / "log").read_text()) == 20
    result.labels.compute()  # type: ignore[attr-defined]
    assert len((tmp_path / "log").read_text()) == 40


@pytest.fixture(name="cluster", scope="module")
def fixture_cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


@thorough
def test_two_worker_processes(cluster: Any) -> None:
    with cluster.get_client():
        for name in ("RGB", "transparent", "16 bits"):
            image, options = IMAGES[name]
            assert_like_in_memory(image, 11, **options)


@thorough
@posix
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
# The number of blocks after which it is killed: while counting or in a pass, or later.
@pytest.mark.parametrize(("loaded", "strategy"), [(5, "fast"), (25, "fast"), (50, "blocks")])
def test_a_worker_that_is_killed_in_the_middle(
    cluster: Any, tmp_path: Path, loaded: int, strategy: str
) -> None:
    whole = logged(tmp_path / "none").compute(scheduler="sync")
    expected = kmeans_seg.segment(whole, 6, strategy=strategy, tol=0.05)
    with cluster.get_client() as client:
        killed = []

        def kill() -> None:
            log = tmp_path / "log"
            while not (log.exists() and len(log.read_text()) >= loaded):
                time.sleep(0.01)
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

        thread = threading.Thread(target=kill, daemon=True)  # it may wait for good if we fail
        thread.start()
        result = segment(logged(tmp_path / "log", pause=0.1), 6, strategy=strategy, tol=0.05)
        labels = np.asarray(result.labels)
        thread.join()
        np.testing.assert_array_equal(labels, expected.labels)
        np.testing.assert_array_equal(result.centers, expected.centers)
    assert killed


@pytest.mark.parametrize("image", [np.zeros((4, 5, 3)), np.zeros((4, 5, 9), np.uint8)])
def test_colors_that_cannot_be_counted_are_not_counted(image: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r'too many colors to count .* use strategy="blocks"'):
        segment(da.from_array(image), 2, space="raw", strategy="fast")


# Images of too many colors to count: passed in every iteration.

WIDE: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "float": (RNG.random((20, 30, 3)), {}),
    "float32": (RNG.random((20, 30, 7)).astype(np.float32), {"space": "raw"}),
    "10 bands": (RNG.integers(0, 4000, (20, 30, 10), dtype=np.uint16), {"space": "raw"}),
    "bands first": (
        RNG.integers(0, 4000, (10, 20, 30), dtype=np.uint16),
        {"space": "raw", "channel_axis": 0},
    ),
    "Lab": (RNG.random((20, 30, 3)), {"space": "lab"}),
    "normalized": (RNG.random((20, 30, 2)) * [1, 1000], {"space": "raw", "normalize": True}),
    "gray": (RNG.normal(size=(20, 30)), {}),
    "transparent": (RNG.integers(0, 3, (20, 30, 4)) / 2, {}),
    "volume": (RNG.random((4, 20, 30)), {"channel_axis": None}),
    "counted": (RNG.integers(0, 40, (20, 30, 3), dtype=np.uint8), {"strategy": "blocks"}),
}


def assert_like_in_blocks(
    image: NDArray[Any], chunks: Any, mask: Any = None, **options: Any
) -> None:
    in_memory = {**options, "strategy": "blocks", "mask": mask}
    expected = kmeans_seg.segment(image, 5, **in_memory)
    lazy_mask = None if mask is None else da.from_array(mask, chunks=9)
    result = segment(da.from_array(image, chunks=chunks), 5, mask=lazy_mask, **options)
    np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)
    np.testing.assert_array_equal(np.asarray(result.painted), expected.painted)
    for name in ("centers", "counts", "inertia", "n_iter", "converged"):
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))


def cuts(length: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Cut an axis into chunks."""
    places = st.sets(st.integers(1, length - 1)) if length > 1 else st.just(set[int]())
    return places.map(lambda cut: tuple(np.diff([0, *sorted(cut), length]).tolist()))


@settings(max_examples=dose(2, 60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12)),
    st.sampled_from(["u1", "u2", "f4", "f8"]),
    st.integers(1, 4),
    st.booleans(),
    st.data(),
)
def test_any_chunks_of_any_image(
    shape: tuple[int, int, int], dtype: str, k: int, masked: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    image = (rng.integers(0, 5, shape) / (3 if dtype[0] == "f" else 1)).astype(dtype)
    mask = rng.random(shape[:2]) < (0.7 if masked else 2)
    k = min(k, int(mask.sum()))
    assume(k > 0)
    options: dict[str, Any] = {"space": "raw", "channel_axis": 2}
    options["init"] = image[mask][rng.integers(0, mask.sum(), k)]
    chunks = tuple(data.draw(cuts(length)) for length in shape)
    of_mask = tuple(data.draw(cuts(length)) for length in shape[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kmeans_seg.FewerClustersWarning)
        expected = kmeans_seg.segment(image, k, mask=mask, strategy="fast", **options)
        lazy_mask = da.from_array(mask, chunks=of_mask)
        result = segment(da.from_array(image, chunks=chunks), k, mask=lazy_mask, **options)
        np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)
    np.testing.assert_array_equal(result.centers, expected.centers)
    assert (result.n_iter, result.converged) == (expected.n_iter, expected.converged)


@pytest.mark.parametrize("name", dose(list(WIDE)[::2], list(WIDE)))
@pytest.mark.parametrize("chunks", dose([11], [-1, 7]))
def test_passes_over_chunks_are_those_over_blocks(name: str, chunks: int) -> None:
    image, options = WIDE[name]
    assert_like_in_blocks(image, chunks, **options)


@pytest.mark.parametrize(
    "name",
    dose(["float", "transparent"], ["float", "bands first", "gray", "transparent", "volume"]),
)
@pytest.mark.parametrize("tol", dose([0.05], [0, 0.05]))
def test_a_mask_and_nan_under_it(name: str, tol: float) -> None:
    image, options = WIDE[name]
    axis = options.get("channel_axis", -1 if image.ndim == 3 else None)
    shape = [n for i, n in enumerate(image.shape) if axis is None or i != axis % image.ndim]
    mask = np.random.default_rng(1).random(shape) < 0.5
    mask[..., :10] = False  # whole chunks of it
    if image.dtype.kind == "f":
        image = np.where(mask if axis is None else np.expand_dims(mask, axis), image, np.nan)
    if name == "transparent":
        image[..., 3] = np.nan_to_num(image[..., 3])
    assert_like_in_blocks(image, 7, mask=mask, tol=tol, **options)
    none = da.zeros(mask.shape, dtype=np.bool_, chunks=9)
    with pytest.raises(ValueError, match="no pixel left"):
        segment(da.from_array(image, chunks=7), 5, mask=none, **options)


@pytest.mark.parametrize("masked", [False, True])
def test_lost_clusters_find_points_in_any_chunk(masked: bool) -> None:
    image, options = WIDE["10 bands"]
    mask = np.indices((20, 30))[0] >= 16 if masked else None  # the first chunks have no pixel
    init = np.repeat(image[:1, 0], 5, axis=0)
    assert_like_in_blocks(image, 16, mask=mask, init=init, tol=0.1, **options)


def test_the_callback_sees_every_pass() -> None:
    image, options = WIDE["float"]
    seen: list[kmeans_seg.Step] = []
    expected: list[kmeans_seg.Step] = []
    segment(da.from_array(image, chunks=7), 5, callback=seen.append, **options)
    kmeans_seg.segment(image, 5, strategy="blocks", callback=expected.append, **options)
    assert [step.reassigned_weight for step in seen] == [
        step.reassigned_weight for step in expected
    ]
    assert [step.inertia for step in seen] == [step.inertia for step in expected]
    assert seen[0].labels.shape == (600,)
    assert len(seen[0].reassigned) == 600


@thorough
def test_wide_images_on_two_worker_processes(cluster: Any) -> None:
    with cluster.get_client():
        assert_like_in_blocks(WIDE["10 bands"][0], 16, space="raw", tol=0.01)


def test_what_is_no_dask_array_is_refused() -> None:
    image = IMAGES["RGB"][0]
    with pytest.raises(TypeError, match=r"image is no dask array but ndarray: .*use kmeans_seg"):
        segment(image, 2)
    lazy = da.from_array(image)
    with pytest.raises(TypeError, match="mask is no dask array"):
        segment(lazy, 2, mask=np.ones((20, 30), np.bool_))
    gray = da.from_array(IMAGES["gray"][0])
    with pytest.raises(ValueError, match="unknown sizes: call its compute_chunk_sizes"):
        segment(gray[gray[:, 0] > 9], 2)
    with pytest.raises(ValueError, match="k=0 is too small"):
        segment(gray, 0)


def test_a_list_of_pixels_is_asked_about() -> None:
    image = da.from_array(np.zeros((50, 3), np.uint8))
    with pytest.warns(kmeans_seg.AmbiguousShapeWarning, match="a list of pixels") as caught:
        segment(image, 1)
    assert [warning.filename for warning in caught] == [__file__]
    segment(image, 1, channel_axis=None)
