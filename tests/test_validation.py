"""Bad input: the right type of error, raised on purpose, with the value and the remedy."""

import ast
import inspect
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from doses import dose

import kmeans_seg.dask
from kmeans_seg import FewerClustersWarning, kmeans, kmeans_plusplus, lloyd, segment, write
from kmeans_seg.segmentation import WAYS
from kmeans_seg.strategies import STRATEGIES
from kmeans_seg.teaching import animate, explain, filmstrip, trace

IMAGE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
POINTS = [[0, 0], [1, 5], [9, 9], [7, 2]]

Call = Callable[[Any], object]


def assert_refused(call: Call, value: Any, error: type[Exception], *said: str) -> None:
    """Check the error of `call(value)`: its type, where it comes from, and parts of its message."""
    with pytest.raises(error) as caught:
        call(value)
    assert type(caught.value) is error
    where = caught.traceback[-1]
    assert Path(where.path).is_relative_to(Path(kmeans_seg.__file__).parent)
    assert linecache.getline(str(where.path), where.lineno + 1).strip().startswith("raise ")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for part in said:
        assert part in str(caught.value)


def named(calls: dict[str, Call]) -> list[Any]:
    return [pytest.param(call, id=name) for name, call in calls.items()]


# Every place where a number of something is asked for.
COUNTS: dict[str, tuple[str, Call]] = {
    "segment k": ("k", lambda k: segment(IMAGE, k)),
    "kmeans k": ("k", lambda k: kmeans(POINTS, k)),
    "kmeans_plusplus k": ("k", lambda k: kmeans_plusplus(POINTS, k)),
    "segment n_init": ("n_init", lambda n: segment(IMAGE, 2, n_init=n)),
    "kmeans n_init": ("n_init", lambda n: kmeans(POINTS, 2, n_init=n)),
    "segment max_iter": ("max_iter", lambda n: segment(IMAGE, 2, max_iter=n)),
    "kmeans max_iter": ("max_iter", lambda n: kmeans(POINTS, 2, max_iter=n)),
    "kmeans_plusplus trials": ("trials", lambda n: kmeans_plusplus(POINTS, 2, trials=n)),
}


@pytest.mark.parametrize("place", COUNTS)
@pytest.mark.parametrize(
    "value", dose([0, np.int8(-5)], [0, -1, -(10**30), np.int64(0), np.int8(-5)])
)
def test_a_count_below_one(place: str, value: int) -> None:
    name, call = COUNTS[place]
    assert_refused(call, value, ValueError, f"{name}={int(value)} is too small", "at least 1")


# The last has too many digits for Python to spell it out, for pytest too.
HUGE = [2**63, 10**400, 10**5000]
HUGE_NAMES = ["64 bits", "400 digits", "5000 digits"]


def spelled(value: int) -> str:
    sign = "a negative" if value < 0 else "an"
    return f"<{sign} integer of {value.bit_length()} bits>" if abs(value) >> 128 else str(value)


@pytest.mark.parametrize("place", COUNTS)
@pytest.mark.parametrize("value", HUGE, ids=HUGE_NAMES)
def test_a_count_that_is_too_large(place: str, value: int) -> None:
    name, call = COUNTS[place]
    assert_refused(call, value, ValueError, f"{name}={spelled(value)} is", "at most")
    assert_refused(call, -value, ValueError, f"{name}={spelled(-value)} is too small", "at least 1")


@pytest.mark.parametrize("place", [place for place in COUNTS if "max_iter" in place])
def test_the_largest_max_iter_is_no_limit(place: str) -> None:
    _, call = COUNTS[place]
    call(sys.maxsize)
    assert_refused(call, sys.maxsize + 1, ValueError, "too large", f"at most {sys.maxsize}")


def test_as_many_trials_as_would_fill_the_memory() -> None:
    def call(trials: int) -> Any:
        return kmeans_plusplus(POINTS, 2, trials=trials)

    assert len(call(1000)) == 2
    assert_refused(call, 1001, ValueError, "trials=1001 is too large", "at most 1000")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("size", HUGE, ids=HUGE_NAMES)
def test_other_numbers_that_are_too_large(size: int, sign: int) -> None:
    value = sign * size
    image = (lambda x: segment(IMAGE, 2, channel_axis=x), "channel_axis", "-3")
    index = (lambda x: explain(IMAGE, 2, x, 0), "row", "0")
    place = (lambda x: segment(IMAGE, 2, position=x), "position", "from 1e-100 to 1e+06")
    for call, name, said in (image, index, place):
        assert_refused(call, value, ValueError, f"{name}={spelled(value)} is ", said)
    assert_refused(lambda x: segment(IMAGE, 2, space=x), value, ValueError, spelled(value))
    if value > 0:
        segment(IMAGE, 2, rng=value)
    else:
        said = f"rng={spelled(value)} cannot seed a random generator"
        assert_refused(lambda x: segment(IMAGE, 2, rng=x), value, ValueError, said)


@pytest.mark.parametrize("value", [0, 1, 1.0, None, "no", "", [], np.array(True)])
def test_normalize_is_true_or_false(value: object) -> None:
    def call(normalize: Any) -> Any:
        return segment(IMAGE, 2, normalize=normalize)

    said = f"normalize must be True or False, not {value!r}"
    assert_refused(call, value, TypeError, said)
    for flag in (True, False):
        np.testing.assert_array_equal(call(np.bool_(flag)).labels, call(flag).labels)


@pytest.mark.parametrize("place", COUNTS)
@pytest.mark.parametrize(
    "value",
    dose(
        [True, 2.0, "2"],
        [True, False, np.True_, 2.0, 2.5, np.float64(2), float("nan"), "2", b"2", [2], 1j, {}],
    ),
)
def test_a_count_that_is_no_integer(place: str, value: object) -> None:
    name, call = COUNTS[place]
    assert_refused(call, value, TypeError, f"{name} must be an integer", repr(value))


@pytest.mark.parametrize("place", [place for place in COUNTS if place != "kmeans_plusplus trials"])
def test_a_count_that_is_none(place: str) -> None:
    name, call = COUNTS[place]
    assert_refused(call, None, TypeError, f"{name} must be an integer", "None")


@pytest.mark.parametrize("place", COUNTS)
@pytest.mark.parametrize(
    "dtype", dose([np.int8, np.uint64], [np.int8, np.uint8, np.int64, np.uint64])
)
@pytest.mark.filterwarnings("ignore::kmeans_seg.ConvergenceWarning")
def test_numpy_integers_are_integers(place: str, dtype: Any) -> None:
    _, call = COUNTS[place]
    call(dtype(2))


def test_more_clusters_than_there_are_pixels_or_points() -> None:
    said = "k={} is more than the {} {} given: ask for at most {}"
    assert_refused(lambda k: segment(IMAGE, k), 9, ValueError, said.format(9, 8, "pixels", 8))
    assert_refused(lambda k: kmeans(POINTS, k), 5, ValueError, said.format(5, 4, "points", 4))
    assert_refused(
        lambda k: kmeans_plusplus(POINTS, k), 5, ValueError, said.format(5, 4, "points", 4)
    )


# Every place where an array of numbers is asked for, with a maker of arrays of the right shape.
ARRAYS: dict[str, tuple[str, tuple[int, ...], Call]] = {
    "segment image": ("image", (2, 4, 3), lambda image: segment(image, 2)),
    "segment gray image": ("image", (4, 5), lambda image: segment(image, 2)),
    "segment raw image": ("image", (4, 5, 7), lambda image: segment(image, 2, space="raw")),
    "segment lab image": ("image", (4, 5, 3), lambda image: segment(image, 2, space="lab")),
    "segment init": ("init", (2, 3), lambda init: segment(IMAGE, 2, init=init)),
    "predict image": (
        "image",
        (3, 3, 3),
        lambda image: segment((IMAGE / 24).astype(getattr(image, "dtype", float)), 2).predict(
            image
        ),
    ),
    "kmeans points": ("points", (4, 2), lambda points: kmeans(points, 2)),
    "kmeans init": ("init", (3, 2), lambda init: kmeans(POINTS, 3, init=init)),
    "kmeans weights": ("weights", (4,), lambda weights: kmeans(POINTS, 2, weights=weights)),
    "kmeans_plusplus points": ("points", (4, 2), lambda points: kmeans_plusplus(points, 2)),
    "kmeans_plusplus weights": (
        "weights",
        (4,),
        lambda weights: kmeans_plusplus(POINTS, 2, weights=weights),
    ),
    "lloyd points": ("points", (4, 2), lambda points: lloyd(points, POINTS[:2])),
    "lloyd centers": ("centers", (3, 2), lambda centers: lloyd(POINTS, centers)),
    "lloyd weights": ("weights", (4,), lambda weights: lloyd(POINTS, POINTS, weights=weights)),
    "lloyd labels": ("labels", (4,), lambda labels: lloyd(POINTS, POINTS, labels=labels)),
}
WITHOUT_LABELS = [place for place in ARRAYS if "labels" not in place]


@pytest.mark.parametrize("place", ARRAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", dose([np.float32], [np.float16, np.float32, np.float64]))
def test_values_that_are_not_finite(place: str, bad: float, dtype: Any) -> None:
    name, shape, call = ARRAYS[place]
    array = np.full(shape, 0.5, dtype)
    array.flat[-1] = bad
    remedy = {"weights": "leave out the points", "labels": "an integer"}.get(name, "replace")
    assert_refused(call, array, ValueError, f"{name} contains {bad}", "must be finite", remedy)


@pytest.mark.parametrize("place", ARRAYS)
@pytest.mark.parametrize(
    ("dtype", "called"),
    [
        (object, "object"),
        (np.complex128, "complex128"),
        (np.complex64, "complex64"),
        ("U1", "<U1"),
        ("S1", "|S1"),
        ("M8[s]", "datetime64[s]"),
        ("m8[s]", "timedelta64[s]"),
        ([("r", "u1"), ("g", "u1")], "[('r', 'u1'), ('g', 'u1')]"),
    ],
)
def test_values_that_are_no_real_numbers(place: str, dtype: Any, called: str) -> None:
    name, shape, call = ARRAYS[place]
    said = f"{name} has dtype {called}", "real numbers", "first"
    assert_refused(call, np.zeros(shape, dtype), TypeError, *said)


@pytest.mark.parametrize("place", [place for place in ARRAYS if place != "segment init"])
def test_none_and_strings_are_no_arrays(place: str) -> None:
    name, _, call = ARRAYS[place]
    if "weights" not in place and "labels" not in place:
        assert_refused(call, None, TypeError, f"{name} has dtype object")
    if name == "image":
        for file in ("photo.jpg", Path("photo.jpg"), b"content"):
            assert_refused(call, file, TypeError, "read it first, by kmeans_seg.read")
    elif "init" not in place:
        assert_refused(call, "photo.jpg", TypeError, f"{name} has dtype <U9", "first")


@pytest.mark.parametrize("place", ARRAYS)
def test_ragged_rows(place: str) -> None:
    name, _, call = ARRAYS[place]
    assert_refused(call, [[1, 2], [3]], ValueError, f"{name} is ragged", "same length")


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
@pytest.mark.parametrize("place", [place for place in ARRAYS if ARRAYS[place][0] != "image"])
def test_masked_values(place: str) -> None:
    name, shape, call = ARRAYS[place]
    masked = np.ma.array(np.ones(shape, np.int64), mask=np.arange(np.prod(shape)) == 0)
    assert_refused(call, masked, ValueError, f"{name} has masked values", "numpy.ma.filled")
    call(np.ma.filled(masked, 1))


def test_a_mask() -> None:
    def call(mask: Any) -> Any:
        return segment(IMAGE, 2, mask=mask)

    whole = np.ones(IMAGE.shape[:2], np.bool_)
    part = np.ma.array(whole, mask=np.arange(whole.size).reshape(whole.shape) < 3)
    assert_refused(call, part, ValueError, "mask has masked values", "mask.filled(False)")
    assert (call(part.filled(False)).labels == -1).sum() == 3
    assert_refused(call, [[True], [True, False]], ValueError, "mask is ragged")


@pytest.mark.parametrize("call", [segment, kmeans])
@pytest.mark.parametrize("bad", [5, "print", [print]])
def test_a_callback_that_is_no_function(call: Any, bad: Any) -> None:
    points = IMAGE if call is segment else POINTS
    said = "callback must be a function", repr(bad)
    assert_refused(lambda bad: call(points, 2, callback=bad), bad, TypeError, *said)


class Sparse:
    """A matrix like those of scipy.sparse."""

    shape, dtype = (4, 4), np.dtype(np.uint8)

    def __getitem__(self, index: Any) -> Any:  # noqa: D105
        raise IndexError("Indexing that leads to >2D is not supported")

    def __array__(self, *_: Any, **__: Any) -> Any:  # noqa: D105
        raise RuntimeError("Cannot convert a sparse array to dense automatically")

    def todense(self) -> Any:  # noqa: D102
        return IMAGE[:, :, 0]


class Unknown:
    """An array of Dask whose chunks have unknown sizes."""

    shape, dtype = (np.nan, 4), np.dtype(np.uint8)

    def __getitem__(self, index: Any) -> Any:  # noqa: D105
        raise NotImplementedError


class Unwilling:
    """An array that cannot be converted, like one of another device."""

    def __array__(self, *_: Any, **__: Any) -> Any:  # noqa: D105
        raise ValueError("copy it to the host first")


def test_arrays_of_other_libraries() -> None:
    def call(image: Any) -> Any:
        return segment(image, 2)

    said = "is a sparse Sparse", "pass numpy.asarray("
    assert_refused(call, Sparse(), TypeError, *said, "image.todense()")
    call(np.asarray(Sparse().todense()))
    assert_refused(lambda x: kmeans(x, 1), Sparse(), TypeError, *said, "points.todense()")
    assert_refused(lambda x: write("a.png", x), Sparse(), TypeError, *said, "image.todense()")
    assert_refused(
        lambda x: segment(IMAGE, 2, mask=x), Sparse(), TypeError, *said, "mask.todense()"
    )
    assert_refused(call, Unknown(), ValueError, "(nan, 4)", "image.compute_chunk_sizes()")
    with pytest.raises(ValueError, match="copy it to the host first"):
        call(Unwilling())


def test_a_number_beyond_float64_is_spelled_out() -> None:
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        large = np.array([[0, np.longdouble("1e400")]])
        assert_refused(lambda image: segment(image, 1), large, ValueError, "size 1e+400")


@pytest.mark.parametrize("place", WITHOUT_LABELS)
@pytest.mark.parametrize("bad", [1e91, -1e200, 1.7e308])
def test_values_too_large_to_be_squared(place: str, bad: float) -> None:
    name, shape, call = ARRAYS[place]
    array = np.full(shape, 0.5)
    array.flat[0] = bad
    assert_refused(call, array, ValueError, f"{name} contains", f"{abs(bad):.3g}", "scale it down")


@pytest.mark.filterwarnings("ignore::kmeans_seg.NodataWarning")
@pytest.mark.parametrize("bad", [1e91, -1.7e308, 2**53 + 2])
def test_the_advice_for_values_too_large_works(bad: float) -> None:
    image = np.array([[1, 2, 7, bad]])
    said = "image contains a value of size", "scale it down first, or leave it out by mask="
    assert_refused(lambda image: segment(image, 2), image, ValueError, *said)
    assert_refused(segment(image[:, :3], 2).predict, image, ValueError, *said)
    assert segment(image, 2, mask=image != bad).labels.tolist() == [[0, 0, 1, -1]]
    assert segment(image / abs(bad), 2).labels.tolist() in ([[0, 0, 0, 1]], [[1, 1, 1, 0]])


TINY: dict[str, tuple[str, Call]] = {
    "segment": ("image", lambda points: segment(points[np.newaxis], 2, space="raw")),
    "segment with position": (
        "image",
        lambda points: segment(points[np.newaxis], 2, space="raw", position=1),
    ),
    "kmeans": ("points", lambda points: kmeans(points, 2)),
    "kmeans_plusplus": ("points", lambda points: kmeans_plusplus(points, 2)),
    "lloyd": ("points", lambda points: lloyd(points, points[:2])),
}


@pytest.mark.parametrize("place", TINY)
@pytest.mark.parametrize("unit", [5e-324, 1e-320, 1e-170, 9e-141])
def test_differences_whose_squares_are_lost(place: str, unit: float) -> None:
    name, call = TINY[place]
    points = np.array([[1, 0], [0, 0], [1, 1], [0, 1]]) * unit
    said = f"{name} has values that differ by {unit:.3g} at most", "underflow", "scale it up"
    assert_refused(call, points, ValueError, *said)
    call(points / unit)  # so that they differ by about 1
    call(points * [2e-140 / unit, 1])


def test_tiny_differences_beside_wide_ones_count_as_none() -> None:
    points = np.array([[0, 0], [0, 1e-170], [1, 0]])
    with pytest.warns(FewerClustersWarning, match="2 distinct points"):
        assert len(kmeans(points, 3).centers) == 2
    with pytest.warns(FewerClustersWarning, match="2 distinct colors"):
        assert len(segment(points[np.newaxis], 3, space="raw").centers) == 2
    assert len(kmeans_plusplus(points, 3)) == 2


def test_a_channel_too_narrow_to_be_normalized() -> None:
    image = np.array([[[0, 0, 5], [0, 1e-170, 5], [1, 0, 5]]])
    said = "channel 1 of the image has values that differ by 1e-170 at most", "scale it up"
    assert_refused(lambda image: segment(image, 3, normalize=True), image, ValueError, *said)
    assert len(segment(image * [1, 1e150, 1], 3, normalize=True).centers) == 3


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_that_float64_does_not_hold(dtype: Any) -> None:
    image = np.array([[1, 2**53 + 2]], dtype)
    assert_refused(
        lambda image: segment(image, 1),
        image,
        ValueError,
        "size 9007199254740994",
        "at most 9007199254740992",
        "scale it down",
    )
    segment(np.array([[1, 2**53]], dtype), 2)
    if dtype is np.int64:
        lowest = np.array([[1, -(2**63)]], dtype)
        assert_refused(
            lambda image: segment(image, 1), lowest, ValueError, "size 9223372036854775808"
        )


@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
def test_an_image_with_the_wrong_number_of_dimensions(shape: tuple[int, ...], space: str) -> None:
    said = f"image has {len(shape)} dimensions", f"shape {shape}", "(H, W), (H, W, C)", "reshape"
    image = np.zeros(shape, np.uint8)
    assert_refused(lambda image: segment(image, 1, space=space), image, ValueError, *said)


@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 5), (5, 0), (0, 5, 3), (5, 0, 3), (5, 5, 0)], ids=str
)
@pytest.mark.parametrize("space", ["rgb", "lab", "raw"])
def test_an_empty_image(shape: tuple[int, ...], space: str) -> None:
    said = f"image is empty, shape {shape}", "at least one pixel"
    image = np.zeros(shape, np.uint8)
    assert_refused(lambda image: segment(image, 1, space=space), image, ValueError, *said)


@pytest.mark.parametrize("channels", [5, 6, 24])
@pytest.mark.parametrize("space", ["rgb", "lab"])
def test_a_number_of_channels_that_the_space_does_not_know(space: str, channels: int) -> None:
    image = np.zeros((2, 2, channels), np.uint8)
    said = (
        f"image has {channels} channels",
        f"space={space!r} knows 1 or 3",
        "channel_axis=None",
        'space="raw"',
    )
    assert_refused(lambda image: segment(image, 1, space=space), image, ValueError, *said)
    segment(image, 1, space="raw")


@pytest.mark.parametrize("values", [(-0.001, 1), (0, 1.001), (0, 255), (-5, -1)])
def test_a_float_image_outside_of_0_to_1_in_lab(values: tuple[float, float]) -> None:
    for shape in ((1, 2), (1, 2, 1)):
        image = np.array(values, np.float64).reshape(shape)
        said = f"image goes from {image.min()} to {image.max()}", "[0, 1]", "divide"
        assert_refused(lambda image: segment(image, 1, space="lab"), image, ValueError, *said)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u4", "i8", "u8"])
def test_an_integer_image_of_unknown_range_in_lab(dtype: str) -> None:
    image = np.zeros((2, 2, 3), dtype)
    said = f"image has dtype {image.dtype}", "uint8, uint16", "convert"
    assert_refused(lambda image: segment(image, 1, space="lab"), image, TypeError, *said)


# Every choice by name, with what it may be.
INITS = ["auto", "optimal", "k-means++", "random"]
CHOICES: dict[str, tuple[str, list[str], Call]] = {
    "segment space": ("space", ["rgb", "lab", "raw"], lambda x: segment(IMAGE, 2, space=x)),
    "segment init": (
        "init",
        INITS,
        lambda x: segment(IMAGE, 2, init=x),
    ),
    "segment strategy": ("strategy", list(WAYS), lambda x: segment(IMAGE, 2, strategy=x)),
    "kmeans init": (
        "init",
        INITS,
        lambda x: kmeans(POINTS, 2, init=x),
    ),
    "kmeans strategy": ("strategy", list(STRATEGIES), lambda x: kmeans(POINTS, 2, strategy=x)),
    "lloyd strategy": ("strategy", list(STRATEGIES), lambda x: lloyd(POINTS, POINTS, strategy=x)),
}


@pytest.mark.parametrize("place", CHOICES)
@pytest.mark.parametrize("value", ["", "RGB", "hsv", "kmeans++", "rgb "])
def test_an_unknown_choice_lists_the_known_ones(place: str, value: str) -> None:
    name, choices, call = CHOICES[place]
    listed = ", ".join(map(repr, choices))
    assert_refused(
        call, value, ValueError, f"{name}={value!r} is not known: choose one of {listed}"
    )


@pytest.mark.parametrize("place", [place for place in CHOICES if "init" not in place])
@pytest.mark.parametrize("value", [None, 3, ["rgb"], np.zeros(3)])
def test_a_choice_that_is_no_name(place: str, value: object) -> None:
    name, choices, call = CHOICES[place]
    assert_refused(call, value, ValueError, f"{name}=", "choose one of", *choices)


# Every function that takes a strategy, which was called `assign` once.
STRATEGIC: dict[str, Callable[..., object]] = {
    "segment": lambda **named: segment(IMAGE, 2, **named),
    "kmeans": lambda **named: kmeans(POINTS, 2, **named),
    "lloyd": lambda **named: list(lloyd(POINTS, POINTS[:2], **named)),
    "dask": lambda **named: kmeans_seg.dask.segment(da.from_array(IMAGE), 2, **named),
    "trace": lambda **named: list(trace(IMAGE, 2, **named)),
    "explain": lambda **named: explain(IMAGE, 2, 0, 0, **named),
    "animate": lambda **named: animate(IMAGE, 2, "film.gif", **named),
    "filmstrip": lambda **named: filmstrip(IMAGE, 2, "strip.png", **named),
}


@pytest.mark.parametrize("function", STRATEGIC)
@pytest.mark.parametrize(("former", "strategy"), [("broadcast", "plain"), ("pruned", "fast")])
def test_the_former_name_of_the_strategy_leads_to_the_new_one(
    function: str, former: str, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = STRATEGIC[function]
    said = f"assign={former!r} is called strategy={strategy!r} now"
    assert_refused(lambda assign: call(assign=assign), former, TypeError, said)
    assert not list(tmp_path.iterdir())
    call(strategy=strategy)


@pytest.mark.parametrize("shape", [(), (2,), (3, 3), (1, 3), (2, 2), (2, 4), (2, 3, 1), (0, 3)])
def test_an_init_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    said = f"init has shape {shape}", "must be (2, 3)", "a row for each center"
    assert_refused(lambda init: segment(IMAGE, 2, init=init), np.zeros(shape), ValueError, *said)
    points = np.eye(3)
    assert_refused(lambda init: kmeans(points, 2, init=init), np.zeros(shape), ValueError, *said)


@pytest.mark.parametrize("shape", [(), (2,), (0,), (0, 2), (4, 1), (4, 3), (4, 2, 1)])
def test_centers_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    said = f"centers has shape {shape}", "must be (k, 2)", "a row for each center"
    assert_refused(lambda centers: lloyd(POINTS, centers), np.zeros(shape), ValueError, *said)


POINT_PLACES = [place for place in ARRAYS if place.endswith("points")]


@pytest.mark.parametrize("place", POINT_PLACES)
@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2)])
def test_points_with_the_wrong_number_of_dimensions(place: str, shape: tuple[int, ...]) -> None:
    said = f"points has {len(shape)} dimensions", f"shape {shape}", "(n, C)", "reshape"
    assert_refused(ARRAYS[place][2], np.zeros(shape), ValueError, *said)


@pytest.mark.parametrize("place", POINT_PLACES)
@pytest.mark.parametrize("shape", [(0, 2), (4, 0), (0, 0)])
def test_no_points(place: str, shape: tuple[int, ...]) -> None:
    said = f"points is empty, shape {shape}", "at least one point"
    assert_refused(ARRAYS[place][2], np.zeros(shape), ValueError, *said)


WEIGHT_PLACES = [place for place in ARRAYS if place.endswith("weights")]


@pytest.mark.parametrize("place", WEIGHT_PLACES)
@pytest.mark.parametrize("shape", [(), (3,), (5,), (4, 1), (1, 4)])
def test_weights_of_the_wrong_shape(place: str, shape: tuple[int, ...]) -> None:
    said = f"weights has shape {shape}", "must be (4,)", "one for each point"
    assert_refused(ARRAYS[place][2], np.ones(shape), ValueError, *said)


@pytest.mark.parametrize("place", WEIGHT_PLACES)
@pytest.mark.parametrize("bad", [0, -1, -0.5, np.longdouble("1e-4000")])
def test_weights_that_are_not_positive(place: str, bad: float) -> None:
    said = f"weights contains {float(bad)}", "must be positive", "leave out"
    assert_refused(ARRAYS[place][2], np.array([1, 1, bad, 1]), ValueError, *said)


@pytest.mark.parametrize("bad", [[0, 1, 2, 4], [-1, 0, 1, 2], [0, 0, 0, 99]])
def test_labels_of_no_center(bad: list[int]) -> None:
    said = f"labels goes from {min(bad)} to {max(bad)}", "from 0 to 3"
    assert_refused(lambda labels: lloyd(POINTS, POINTS, labels=labels), bad, ValueError, *said)


@pytest.mark.parametrize("bad", [[0, 1, 2], [[0, 1, 2, 3]], 0])
def test_labels_of_the_wrong_shape(bad: Any) -> None:
    said = f"labels has shape {np.shape(bad)}", "must be (4,)"
    assert_refused(lambda labels: lloyd(POINTS, POINTS, labels=labels), bad, ValueError, *said)


@pytest.mark.parametrize("bad", [[0.0, 1.0, 2.0, 3.0], [True, False, True, False]])
def test_labels_that_are_no_integers(bad: list[float]) -> None:
    said = f"labels has dtype {np.asarray(bad).dtype}", "must hold integers"
    assert_refused(lambda labels: lloyd(POINTS, POINTS, labels=labels), bad, TypeError, *said)


@pytest.mark.parametrize(
    "call",
    named(
        {
            "segment": lambda rng: segment(IMAGE, 2, rng=rng),
            "kmeans": lambda rng: kmeans(POINTS, 2, rng=rng),
            "kmeans_plusplus": lambda rng: kmeans_plusplus(POINTS, 2, rng=rng),
        }
    ),
)
@pytest.mark.parametrize(
    ("value", "error"), [(-1, ValueError), ("seed", TypeError), (1.5, TypeError), ({}, TypeError)]
)
def test_an_rng_that_is_no_seed(call: Call, value: object, error: type[Exception]) -> None:
    said = f"rng={value!r} cannot seed a random generator", "numpy.random.Generator", "None"
    assert_refused(call, value, error, *said)


@pytest.mark.parametrize("dtype", ["?", "u1", "<u2", ">u2", "<f4", ">f4"])
def test_lab_takes_either_order_of_bytes(dtype: str) -> None:
    image = np.array([[0, 1]], dtype)
    assert segment(image, 2, space="lab").labels.tolist() == [[0, 1]]


def test_predict_wants_an_image_like_the_one_that_was_segmented() -> None:
    result = segment(IMAGE, 2)
    assert_refused(
        result.predict, IMAGE.astype(float), TypeError, "dtype float64", "had uint8", "convert"
    )
    for shape in ((4, 4), (4, 4, 1)):
        image = np.zeros(shape, np.uint8)
        said = f"image has 1 channels, shape {shape}", "had 3", "convert"
        assert_refused(result.predict, image, ValueError, *said)
    wide = np.zeros((4, 4, 5), np.uint8)
    assert_refused(result.predict, wide, ValueError, "image has 5 channels", 'space="raw"')
    assert_refused(
        segment(wide + IMAGE[0, 0, 0], 1, space="raw").predict, IMAGE, ValueError, "had 5"
    )
    gray = segment(IMAGE[:, :, 0], 2)
    said = f"image has 3 channels, shape {IMAGE.shape}", "was gray", "convert"
    assert_refused(gray.predict, IMAGE, ValueError, *said)
    placed = segment(IMAGE, 2, position=1)
    said = "image has 3 axes without its channels, shape (2, ", "had 2", "one by one"
    assert_refused(placed.predict, np.stack((IMAGE, IMAGE)), ValueError, *said)
    assert_refused(result.paint, [[1], [0, 1]], ValueError, "labels is ragged")
    lab = segment(IMAGE / 24, 2, space="lab")
    assert_refused(lab.predict, IMAGE / 2.0, ValueError, "[0, 1]", "divide")


def test_lloyd_refuses_at_the_call_and_not_at_the_first_step() -> None:
    with pytest.raises(ValueError, match="centers has shape"):
        lloyd(POINTS, [[1, 2, 3]])


@pytest.mark.filterwarnings("ignore::kmeans_seg.NodataWarning")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floating_point_of_every_precision_passes_without_a_warning(dtype: Any) -> None:
    # The limit for large values is beyond what the shorter ones can hold.
    points = np.array([[0, 1], [2, 3], [60_000, 5]], dtype)
    assert kmeans(points, 2).labels.tolist() in ([0, 0, 1], [1, 1, 0])
    assert segment(points, 2).labels.tolist() == [[0, 0], [0, 0], [1, 0]]


def test_the_algorithm_checks_nothing() -> None:
    package = Path(inspect.getfile(kmeans_seg)).parent
    for name in ("distinct", "exact", "lloyd", "seeding"):
        tree = ast.parse((package / f"{name}.py").read_text(encoding="utf-8"))
        raised = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Raise)]
        assert raised == [], name
