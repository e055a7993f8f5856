"""What a caller does with numpy.seterr changes no result, and is not changed."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray

import kmeans_seg.dask
from kmeans_seg import Step, kmeans, kmeans_plusplus, lloyd, read, segment, write
from kmeans_seg.errstate import default_errstate, each_in_default_errstate
from kmeans_seg.strategies import STRATEGIES
from kmeans_seg.teaching import animate, explain, filmstrip, trace, write_page

RNG = np.random.default_rng(0)
# Numbers that underflow, once squared or in single or half precision, beside larger ones.
SIZES = [1.0, 1e-30, 1e-139, 1e-170, 1e-310, 5e-324]
EXTREME = RNG.choice(SIZES, (12, 14, 3)) * RNG.integers(0, 9, (12, 14, 3))
IMAGES: dict[str, NDArray[Any]] = {
    "uint8": RNG.integers(0, 256, (12, 14, 3), dtype=np.uint8),
    "uint16": RNG.integers(0, 2**16, (12, 14, 3), dtype=np.uint16),
    "int64": RNG.integers(-(2**53), 2**53, (12, 14, 3)),
    "half": RNG.random((12, 14, 3)).astype(np.float16) * np.float16(1e-4),
    "half of all sizes": RNG.choice(np.array([6e-8, 1e-4, 1, 65504], np.float16), (12, 14, 3)),
    "single": (RNG.random((12, 14, 3)) * RNG.choice([1e-45, 1e-38, 1], (12, 14, 3))).astype("f4"),
    "small": EXTREME / 9,
    "small alone": EXTREME / 9 * 1e-130,
    "large": EXTREME * 1e89,
    "alpha": RNG.choice([0, 5e-324, 1e-200, 1], (12, 14, 4)),
    "long": RNG.random((12, 14, 3)).astype(np.longdouble) / np.longdouble(3),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "raw": {"space": "raw"},
    "lab": {"space": "lab"},
    "normalized": {"normalize": True},
    "positions": {"position": 1e-100},
    "both": {"position": 1e6, "normalize": True},
    "random": {"init": "random", "n_init": 2},
}


@pytest.fixture(name="raising")
def fixture_raising() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield
        assert set(np.geterr().values()) == {"raise"}


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the text of its ValueError or TypeError."""
    try:
        return call()
    except (TypeError, ValueError) as error:
        return str(error)


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
@pytest.mark.filterwarnings("ignore::kmeans_seg.NodataWarning")
@pytest.mark.parametrize("options", dose(["both"], list(OPTIONS)))
@pytest.mark.parametrize("name", dose(list(IMAGES)[::2], list(IMAGES)))
def test_segment(name: str, options: str, strategy: str) -> None:
    image = IMAGES[name]

    def everything() -> tuple[NDArray[Any], ...]:
        result = segment(image, 5, strategy=strategy, **OPTIONS[options])
        return result.labels, result.centers, result.painted, result.predict(image)

    expected = outcome(everything)
    with np.errstate(all="raise"):
        found = outcome(everything)
    if isinstance(expected, str):
        assert found == expected
    else:
        for array, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
@pytest.mark.parametrize("init", ["k-means++", "random", EXTREME.reshape(-1, 3)[:5]])
@pytest.mark.parametrize("dtype", dose([np.longdouble], [np.float64, np.longdouble]))
def test_points(init: Any, dtype: Any, strategy: str) -> None:
    points = EXTREME.reshape(-1, 3).astype(dtype)
    points[0] = np.finfo(dtype).smallest_subnormal
    centers = points[:5] * dtype(1e-100)
    weights = RNG.choice(np.array([1e-300, 1e-30, 1, 1e90]), len(points)).astype(dtype)
    weights[0] = dtype("1e-320")
    with np.errstate(all="raise"):
        for each in (None, weights):
            kmeans(points, 5, init=init, weights=each, strategy=strategy)
            kmeans_plusplus(points, 5, weights=each)
            for step in lloyd(points, centers, weights=each, strategy=strategy):
                assert step.labels.shape == (len(points),)
                assert step.inertia >= 0
                assert step.reassigned_weight >= 0


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
@pytest.mark.usefixtures("raising")
@pytest.mark.parametrize("options", [{}, {"space": "lab"}, {"space": "raw", "normalize": True}])
def test_dask(options: dict[str, Any]) -> None:
    with dask.config.set(scheduler="synchronous"):
        image = da.from_array(IMAGES["uint8"], chunks=5)
        result = kmeans_seg.dask.segment(image, 4, **options)
        expected = segment(IMAGES["uint8"], 4, **options)
        np.testing.assert_array_equal(np.asarray(result.labels), expected.labels)
        np.testing.assert_array_equal(np.asarray(result.painted), expected.painted)


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
@pytest.mark.usefixtures("raising")
@pytest.mark.parametrize(
    ("name", "space"),
    dose([("half", "lab")], [("half", "lab"), ("small", "rgb"), ("half", "rgb"), ("small", "lab")]),
)
def test_teaching(name: str, space: str, tmp_path: Path) -> None:
    image = IMAGES[name]
    for record in trace(image, 4, space=space):
        assert repr(record)
        assert record._repr_png_()
    assert str(explain(image, 4, 2, 3, space=space))
    animate(image, 4, tmp_path / "a.gif", space=space)
    filmstrip(image, 4, tmp_path / "a.png", space=space)
    write_page(image, 4, tmp_path / "a.html", space=space)
    assert segment(image, 4, space=space)._repr_html_()


@pytest.mark.usefixtures("raising")
def test_files(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.npy", "a.tif"):
        write(tmp_path / name, IMAGES["uint8"])
        assert read(tmp_path / name).shape == (12, 14, 3)


def test_the_state_of_the_caller_is_that_of_the_callback() -> None:
    seen = []

    def look(step: Step) -> None:
        seen.append(np.geterr())

    with np.errstate(divide="print", under="raise", over="ignore"):
        state = np.geterr()
        segment(IMAGES["uint8"], 4, callback=look)
        kmeans(EXTREME.reshape(-1, 3), 4, callback=look)
        assert np.geterr() == state
        assert len(seen) > 4
        assert all(each == state for each in seen)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_state_does_not_leak_from_a_generator(strategy: str) -> None:
    points = EXTREME.reshape(-1, 3)
    with np.errstate(all="raise"):
        steps = lloyd(points, points[:4], strategy=strategy)
        next(steps)
        assert set(np.geterr().values()) == {"raise"}
        records = trace(IMAGES["small"], 4)
        next(records)
        assert set(np.geterr().values()) == {"raise"}
    state = np.geterr()
    # Each is advanced in one state and ends in another.
    with np.errstate(all="print"):
        next(steps)
    for _ in (*steps, *records):
        assert np.geterr() == state


def test_a_generator_keeps_its_result_and_its_errors() -> None:
    def numbers() -> Any:
        yield 1
        yield np.float64(1e-200) * np.float64(1e-200)
        return 3

    def failing() -> Any:
        yield 1
        raise KeyError("a")

    found = []

    def collect() -> Any:
        found.append((yield from each_in_default_errstate(numbers())))

    with np.errstate(all="raise"):
        assert list(collect()) == [1, 0]
        assert found == [3]
        with pytest.raises(KeyError):
            list(each_in_default_errstate(failing()))


def test_many_threads_and_calls_in_calls() -> None:
    @default_errstate
    def nested(depth: int) -> str:
        return nested(depth - 1) if depth else np.geterr()["under"]

    wrong: list[str] = []

    def work() -> None:
        with np.errstate(under="raise"):
            for _ in range(300):
                found = nested(3), np.geterr()["under"]
                if found != ("ignore", "raise"):
                    wrong.append(repr(found))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
