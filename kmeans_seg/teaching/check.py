"""Check the exercise "Build it yourself": compare a student's file with the library.

    python -m kmeans_seg.teaching.check my_kmeans.py

or, in a notebook, `check(squared_distances)`.

The exercise rebuilds the library in six stages, a function each (`STAGES`).
Every stage that is found in the file is compared with the library on small
data, the smallest first, so that there is little to read where it fails. The
common mistakes are known as code, too: where the answer is that of a mistake,
its hint is given.

Left out: any judgment of speed and style, and any protection against code
that means harm: the file is run as it is.
"""

import argparse
import contextlib
import difflib
import io
import linecache
import math
import os
import re
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..clustering import lloyd
from ..exact import Floats
from ..lloyd import Clusters, Labels, nearest_center, squared_distances
from .lessons import bad_start, long_tail, tie, wrap_around

Function: TypeAlias = Callable[..., Any]
Arguments: TypeAlias = tuple[Any, ...]
# A hint, and a function that makes the mistake.
Mistake: TypeAlias = tuple[str, Function]

# A call that runs more lines (on Python 3.11: more lines and instructions) than this is taken for
# an endless one.
STEPS = 1_000_000

# Seconds after which a stage says that it is still being checked.
SLOW = 5.0
# So long a call may go on after it was told to stop.
GRACE = 2.0

# How often centers are drawn, and how far the shares of the outcomes, in sum, may be off.
DRAWS, TOLERANCE = 2000, 0.1

# What mostly leads to an error, by a part of its message.
ERROR_HINTS = (
    (
        "truth value of an array",
        "`if` and `while` need one answer: compare whole arrays with np.array_equal(a, b)",
    ),
    (
        "do not sum to 1",
        "divide the weights by their sum, and p adds up to 1",
    ),
    (
        "'list' object has no attribute",
        "this is a list: np.array(...) makes an array of it",
    ),
    (
        "list indices must be integers",
        "this is a list: np.array(...) makes an array of it, which arrays can index",
    ),
    (
        "for -: 'list' and 'list'",
        "lists cannot be subtracted: np.array(...) makes arrays of them",
    ),
)

EIGHT_BITS = (
    "the pixels are 8-bit integers, which start over at 0 after 255: "
    "turn them into floating point first, with points.astype(float)"
)


class FailureError(Exception):
    """What to tell the student: what went wrong, and a hint if there is one."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


class EndlessError(BaseException):
    """A call took too many steps. `except Exception` in the student's code does not catch it."""


@dataclass(frozen=True)
class Stage:
    """A part of the exercise.

    Attributes
    ----------
    call
        The function and its parameters, as in "f(x, y)".
    task
        What the function returns.
    check
        Takes the function, and raises a `FailureError` where it does
        something else.
    """

    call: str
    task: str
    check: Callable[[Function], None]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.call.partition("(")[0]


def main(argv: Sequence[str] | None = None) -> int:
    r"""Check a file and print what was found.

    Parameters
    ----------
    argv
        The arguments; by default those of the process.

    Returns
    -------
    status
        0 if every stage in the file passed, 1 if one failed or none was
        found, 2 if the file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "stage3.py")
    ...     _ = path.write_text(
    ...         "def update_centers(points, labels, k):\n"
    ...         "    clusters = [points[labels == i] for i in range(k)]\n"
    ...         "    return [cluster.sum(axis=0) // len(cluster) for cluster in clusters]\n"
    ...     )
    ...     main([str(path)])
    stage 3, update_centers: failed
        update_centers(points, labels, k) with
            points = [[0.],
                      [1.]]
            labels = [0, 0]
            k = 1
        expected
            [[0.5]]
        got
            [array([0.])]
        hint: a mean may have a fraction: do not round it down (//, int and arrays of
        integers do)
    1
    """
    stages = [
        f"{number}. {stage.call}\n" + textwrap.indent(textwrap.fill(stage.task), "   ")
        for number, stage in enumerate(STAGES, 1)
    ]
    parser = argparse.ArgumentParser(
        prog="python -m kmeans_seg.teaching.check",
        description="Check the exercise: rebuild the library in six stages, a function each.",
        epilog="\n".join(["the functions, and what they return:", *stages]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="a file with one of the functions, or several")
    path = parser.parse_args(argv).file
    try:
        source = path.read_bytes()
    except OSError as error:
        print(f"{path}: {error.strerror}: check the name", file=sys.stderr)
        return 2
    try:
        return int(not check_file(path, source))
    except KeyboardInterrupt:
        return 130


def check(*functions: Function) -> bool:
    """Check functions of the exercise in a notebook, and print what was found.

    Parameters
    ----------
    *functions
        Functions with the names of the stages.

    Returns
    -------
    passed
        Whether all of them passed.

    Raises
    ------
    ValueError
        If a function has no name of a stage.

    Examples
    --------
    >>> def nearest_center(points, centers):
    ...     return ((points[:, np.newaxis] - centers.astype(float)) ** 2).sum(axis=2).argmin(axis=1)
    >>> check(nearest_center)
    stage 2, nearest_center: passed
    next: write update_centers(points, labels, k), which returns for each cluster the mean of its
    points, an array (k, C); every cluster has points
    True
    """
    stages = {stage.name: stage for stage in STAGES}
    passed = []
    for function in functions:
        name = getattr(function, "__name__", repr(function))
        if name not in stages:
            raise ValueError(f"{name} is no stage: name the function {misspelled(name)}")
        # Cells of a notebook are files in one directory, or names like <ipython-input-1>.
        file = function.__code__.co_filename
        folder = os.path.dirname(file) or file[:4]  # noqa: PTH120 - it need not be a path
        passed.append(check_stage(stages[name], function, folder))
    say_what_is_next([stages[f.__name__] for f in functions], all(passed))
    return all(passed)


def check_file(path: Path, source: bytes) -> bool:
    """Run a student's file and check every stage in it; print how each went."""
    with student_files(path.resolve().parent) as folder:
        try:
            namespace = guarded(folder, lambda: run_file(path, source))
        except FailureError as failure:
            return report(f"{path.name}: cannot be run", failure)
        asked = re.search(r"stage\D?(\d)", path.stem)
        passed, found = [], []
        own = [name for name, value in namespace.items() if callable(value)]
        for number, stage in enumerate(STAGES, 1):
            function = namespace.get(stage.name)
            if callable(function):
                passed.append(check_stage(stage, function, folder))
                found.append(stage)
            elif asked and number == int(asked[1]):
                missing = f"write {stage.call}, which returns {stage.task}"
                problem = FailureError(missing, similar(stage.name, own))
                passed.append(report(f"stage {number}, {stage.name}: not there", problem))
    if not passed:
        names = ", ".join(stage.name for stage in STAGES)
        hints = [hint for stage in STAGES if (hint := similar(stage.name, own))]
        problem = FailureError(f"write one of the functions {names}", "; ".join(hints))
        return report(f"{path.name}: nothing to check", problem)
    say_what_is_next(found, all(passed))
    return all(passed)


def check_stage(stage: Stage, function: Function, folder: str) -> bool:
    """Check one function and print how it went, and what it printed itself."""
    title = f"stage {STAGES.index(stage) + 1}, {stage.name}"
    # To the output of now: what the function prints meanwhile is caught.
    options = {"flush": True, "file": sys.stdout}
    slow = threading.Timer(SLOW, print, [f"{title}: this takes a while ..."], options)
    slow.daemon = True
    slow.start()
    prints = io.StringIO()
    try:
        stage.check(watched(function, stage, folder, prints))
    except FailureError as failure:
        passed = report(f"{title}: failed", failure)
    else:
        print(f"{title}: passed")
        passed = True
    finally:
        slow.cancel()
    lines = prints.getvalue().splitlines()
    if lines:
        shown = lines[:10] + [f"... and {len(lines) - 10} lines more"] * (len(lines) > 10)
        print("    your function printed:\n" + textwrap.indent("\n".join(shown), " " * 8))
    return passed


def similar(name: str, own: Sequence[str]) -> str:
    """Say which of a student's own names may be a misspelled one, if any."""
    close = [other for other in difflib.get_close_matches(name, own, cutoff=0.75) if other != name]
    return f"the name is {name}, not {close[0]}" if close else ""


def misspelled(name: str) -> str:
    """Return the name of the stage that a name is most like, or the names of all."""
    names = [stage.name for stage in STAGES]
    return " or ".join(difflib.get_close_matches(name, names, 1) or names)


def say_what_is_next(found: Sequence[Stage], passed: bool) -> None:
    """Print what to write next when everything has passed."""
    if not passed:
        return
    last = max(STAGES.index(stage) for stage in found)
    if last + 1 == len(STAGES):
        print("next: segment a photo of your own with it")
        return
    following = STAGES[last + 1]
    text = f"next: write {following.call}, which returns {following.task}"
    print("\n".join(textwrap.wrap(text, 96)))


def report(title: str, failure: FailureError) -> bool:
    """Print a failure; return False, for it did not pass."""
    print(title)
    lines = failure.problem.splitlines()
    if failure.hint:
        lines += textwrap.wrap(f"hint: {failure.hint}", 84)
    for line in lines:
        print(f"    {line}")
    return False


# What follows lets the student's code run, and nothing that it does harm the checks.


@contextlib.contextmanager
def student_files(folder: Path) -> Iterator[str]:
    """Let files beside the student's be imported, and forget them afterwards."""
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    try:
        yield str(folder) + os.sep
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]


def run_file(path: Path, source: bytes) -> dict[str, Any]:
    """Run a file and return its names."""
    namespace: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(source, str(path.resolve()), "exec"), namespace)
    return namespace


def guarded(folder: str, call: Callable[[], Any]) -> Any:
    """Call the student's code; whatever it raises becomes a `FailureError`."""
    left = STEPS

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(folder):
            return None
        # On Python 3.11, `while True: pass` never reaches a second line. From 3.12 on it does, and
        # on 3.13 a traced instruction takes a thousand times as long as a line.
        frame.f_trace_opcodes = sys.version_info < (3, 12)
        left -= 1
        if left < 0:
            # An `except:` without a name catches even this. Then nothing but the end of the
            # process helps.
            timer.start()
            raise EndlessError
        return count

    timer = threading.Timer(GRACE, give_up, [folder, threading.get_ident()])
    timer.daemon = True

    before = sys.gettrace()
    sys.settrace(count)
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except EndlessError as error:
        raise FailureError(
            "it goes on without end" + location(folder, error),
            "what makes the loop stop? That of k-means stops when no label changes",
        ) from None
    except SyntaxError as error:
        where = f"\nin line {error.lineno}: {(error.text or '').strip()}"
        raise FailureError(f"{type(error).__name__}: {error.msg}{where}") from None
    except BaseException as error:  # even SystemExit: the other stages are still to be checked
        problem = f"{type(error).__name__}: {error}" + location(folder, error)
        hints = (hint for part, hint in ERROR_HINTS if part in str(error))
        raise FailureError(problem, next(hints, "")) from None
    finally:
        timer.cancel()
        sys.settrace(before)


def give_up(folder: str, thread: int) -> None:
    """End the process, since a call cannot be stopped otherwise, and say where it is."""
    if "ipykernel" in sys.modules:
        return  # a notebook has a button for it
    frame: FrameType | None = sys._current_frames()[thread]
    while frame is not None and not frame.f_code.co_filename.startswith(folder):
        frame = frame.f_back
    where = line_of(frame.f_code.co_filename, frame.f_lineno) if frame is not None else ""
    hint = (
        "what makes the loop stop? An `except:` without the name of an error also catches what "
        "would stop the program: name the error that you expect"
    )
    failure = FailureError("it goes on without end" + where, hint)
    with contextlib.redirect_stdout(sys.__stdout__):
        report("failed", failure)
        sys.stdout.flush()
    os._exit(1)


def location(folder: str, error: BaseException) -> str:
    """Say in which line of the student's code something happened."""
    where = ""
    traceback = error.__traceback__
    while traceback is not None:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno
        name = code.co_filename
        # A call that was stopped before its first line is told by the line that made it.
        if name.startswith(folder) and (line != code.co_firstlineno or not where):
            where = line_of(name, line)
        traceback = traceback.tb_next
    return where


def line_of(name: str, line: int) -> str:
    """Write a line of a file of the student's."""
    return f"\nin line {line} of {Path(name).name}: {linecache.getline(name, line).strip()}"


def watched(function: Function, stage: Stage, folder: str, prints: io.StringIO) -> Function:
    """Wrap a student's function so that it gets copies, and must leave them as they are.

    What it prints goes to `prints`.
    """

    def call(*args: Any) -> Any:
        given = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
        try:
            with contextlib.redirect_stdout(prints):
                got = guarded(folder, lambda: function(*given))
        except FailureError as failure:
            raise FailureError(
                f"{described(stage.call, args)}\n{failure.problem}", failure.hint
            ) from None
        for name, arg, after in zip(parameters(stage.call), args, given, strict=True):
            if isinstance(arg, np.ndarray) and not np.array_equal(arg, after):
                raise FailureError(
                    f"{described(stage.call, args)}\nchanges {name} to\n{written(after)}",
                    f"work on a copy, {name}.copy(): who calls the function needs its own data",
                )
        if got is None:
            raise FailureError(
                f"{described(stage.call, args)}\nreturns nothing",
                "is a `return` missing at its end?",
            )
        return got

    return call


# How a call and its outcome are written.


def parameters(call: str) -> list[str]:
    """Return the names of the parameters in a call like "f(x, y)"."""
    return call.partition("(")[2].rstrip(")").split(", ")


def described(call: str, args: Arguments) -> str:
    """Write a call with its arguments."""
    values = [f"    {name} = " for name in parameters(call)]
    lines = [name + written(value, len(name)) for name, value in zip(values, args, strict=True)]
    return "\n".join([f"{call} with", *lines])


def written(value: Any, indent: int = 0) -> str:
    """Write a value that was given or returned."""
    if isinstance(value, tuple):
        return ",\n".join(written(item) for item in value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        kind = f" ({value.dtype})" if value.dtype == np.uint8 else ""
        text = np.array2string(
            value, separator=", ", precision=6, threshold=60, prefix=" " * indent
        )
        return text + kind
    if isinstance(value, np.random.Generator):
        return "a random generator"
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


# How an outcome is compared.


def compare(
    call: Function,
    signature: str,
    cases: list[Arguments],
    right: Function,
    mistakes: Sequence[Mistake] = (),
    otherwise: Callable[[Arguments, Any], str] = lambda args, got: "",
) -> None:
    """Compare a function with the right one, case by case; explain the first that differs.

    The hint is that of the mistake which gives the same answers most often.
    """
    wrong = next((args for args in cases if not same(right(*args), call(*args))), None)
    if wrong is None:
        return
    expected, got = right(*wrong), call(*wrong)
    problem = f"{described(signature, wrong)}\nexpected\n{indented(expected)}\ngot\n{indented(got)}"
    wide = [arg.astype(float) if is_bytes(arg) else arg for arg in wrong]
    if any(map(is_bytes, wrong)) and same(expected, call(*wide)):
        raise FailureError(problem, EIGHT_BITS)

    def agreements(mistake: Function) -> int:
        agree = 0
        for args in cases:
            with contextlib.suppress(FailureError):  # the first that fails is told, no other
                agree += same(mistake(*args), call(*args))
        return agree

    likely = [(hint, mistake) for hint, mistake in mistakes if same(mistake(*wrong), got)]
    if likely:
        raise FailureError(problem, max(likely, key=lambda each: agreements(each[1]))[0])
    raise FailureError(problem, unlike(expected, got) or otherwise(wrong, got))


def indented(value: Any) -> str:
    """Write a value in lines that are indented."""
    return "\n".join("    " + line for line in written(value).splitlines())


def is_bytes(value: object) -> bool:
    """Whether a value is an array of uint8."""
    return isinstance(value, np.ndarray) and value.dtype == np.uint8


def same(expected: Any, got: Any) -> bool:
    """Whether two outcomes are the same, but for rounding."""
    return not unlike(expected, got) and all(
        np.allclose(one, other, rtol=1e-9, atol=1e-9)
        for one, other in zip(parts(expected), parts(got), strict=True)
    )


def parts(outcome: Any) -> list[NDArray[Any]]:
    """Return the arrays that an outcome consists of."""
    return [np.asarray(part) for part in (outcome if isinstance(outcome, tuple) else (outcome,))]


def unlike(expected: Any, got: Any) -> str:
    """Say how an outcome differs in form from what is expected, if it does."""
    try:
        wanted, found = parts(expected), parts(got)
    except ValueError:
        return "return a NumPy array whose rows have the same length"
    if len(wanted) != len(found):
        return f"return {len(wanted)} arrays, as in `return a, b`"
    for one, other in zip(wanted, found, strict=True):
        if other.dtype.kind not in "buif":
            return f"return an array of numbers, not one of dtype {other.dtype}"
        if one.shape != other.shape:
            return f"the shape should be {one.shape}, and is {other.shape}"
        if one.dtype.kind in "iu" and other.dtype.kind not in "iu":
            return f"it should hold integers, and has dtype {other.dtype}"
    return ""


# The stages.


def grids(seed: int) -> Iterator[tuple[Floats, Floats]]:
    """Make points and centers, from tiny to small: few whole numbers, so that there are ties."""
    rng = np.random.default_rng(seed)
    for channels, n, k, values in [
        (1, 1, 1, 5),
        (1, 2, 2, 5),
        (1, 3, 2, 5),
        (2, 3, 2, 5),
        (2, 4, 3, 4),
        (3, 5, 2, 9),
        (3, 7, 4, 3),
        (3, 20, 5, 4),
    ]:
        for _ in range(8):
            points = rng.integers(values, size=(n, channels)).astype(float)
            centers = rng.integers(values, size=(k, channels)).astype(float)
            yield points, centers


def check_distances(call: Function) -> None:
    """Check stage 1."""

    def right(points: NDArray[Any], centers: NDArray[Any]) -> Floats:
        return squared_distances(points.astype(float), centers.astype(float))

    pixels = wrap_around().image.T
    compare(
        call,
        STAGES[0].call,
        [*grids(1), (pixels[1:2], pixels[:1]), (pixels, pixels[[0, 2]])],
        right,
        mistakes=[
            ("these are the distances: leave out the root", lambda *args: np.sqrt(right(*args))),
            (
                "the axes are the other way round: a row for each point, a column for each center",
                lambda *args: right(*args).T,
            ),
            (
                "the differences are to be squared, not only made positive",
                lambda points, centers: np.abs(points[:, np.newaxis] - centers).sum(axis=2),
            ),
            (
                "the squares of all channels are to be added: sum over the last axis",
                lambda points, centers: (points[:, np.newaxis] - centers) ** 2,
            ),
            (
                "only the first channel is used",
                lambda points, centers: right(points[:, :1], centers[:, :1]),
            ),
        ],
    )


def check_nearest(call: Function) -> None:
    """Check stage 2."""

    def distances(points: NDArray[Any], centers: NDArray[Any]) -> Floats:
        return squared_distances(points.astype(float), centers.astype(float))

    between = tie()[0]
    start = np.array(between.options["init"], float)
    pixels = wrap_around().image.T
    compare(
        call,
        STAGES[1].call,
        [(between.image.T[1:2].astype(float), start), *grids(2), (pixels[1:2], pixels[[0, 2]])],
        lambda points, centers: distances(points, centers).argmin(axis=1),
        mistakes=[
            (
                "a tie goes to the center with the lowest number: "
                "take the first of equals, as argmin does",
                lambda *args: args[1].shape[0] - 1 - distances(*args)[:, ::-1].argmin(axis=1),
            ),
            (
                "these are the farthest centers: take the smallest distance",
                lambda *args: distances(*args).argmax(axis=1),
            ),
            (
                "centers are numbered from 0",
                lambda *args: distances(*args).argmin(axis=1) + 1,
            ),
            (
                "these are the distances to the nearest center: its number is asked for (argmin)",
                lambda *args: distances(*args).min(axis=1),
            ),
            (
                "for each point its nearest center is asked for: argmin over the centers, axis=1",
                lambda *args: distances(*args).argmin(axis=0),
            ),
        ],
    )


def means(points: NDArray[Any], labels: Labels, k: int) -> Floats:
    """Return the mean of the points of each cluster, as the library computes it."""
    clusters = Clusters(points.astype(float), np.ones(len(points)), k, labels)
    return clusters.update_centers(np.zeros((k, points.shape[1])))


def check_update(call: Function) -> None:
    """Check stage 3."""
    cases: list[Arguments] = [
        (np.array([[0.0], [1.0]]), np.array([0, 0]), 1),
        (np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]), 2),
        (np.array([[0.0], [1.0], [5.0]]), np.array([1, 1, 0]), 2),
    ]
    for points, centers in grids(3):
        labels = nearest_center(points, centers)
        kept = np.unique(labels)  # every cluster has points: the others are left out
        cases.append((points, np.searchsorted(kept, labels), len(kept)))
    cases.append((np.array([[200], [240]], np.uint8), np.array([0, 0]), 1))
    # Whole numbers whose means are not: an array of their dtype cannot hold them.
    cases.append((np.array([[0], [1], [5]]), np.array([0, 0, 1]), 2))
    cases.append((np.array([[201], [240]], np.uint8), np.array([0, 0]), 1))

    def sums(points: Floats, labels: Labels, k: int) -> Floats:
        return means(points, labels, k) * np.bincount(labels, minlength=k)[:, np.newaxis]

    compare(
        call,
        STAGES[2].call,
        cases,
        means,
        mistakes=[
            (
                "a mean may have a fraction: do not round it down "
                "(//, int and arrays of integers do)",
                lambda *args: np.floor(means(*args)),
            ),
            (
                "a mean may have a fraction: do not round it",
                lambda *args: np.rint(means(*args)),
            ),
            ("these are the sums: divide by the number of points in the cluster", sums),
            (
                "divide by the number of points in the cluster, not of all",
                lambda points, labels, k: sums(points, labels, k) / len(points),
            ),
            (
                "each cluster has a mean of its own: use the points where labels == i",
                lambda points, labels, k: np.tile(points.mean(axis=0), (k, 1)),
            ),
            (
                "each channel has a mean of its own: take it along axis 0",
                lambda points, labels, k: np.array([points[labels == i].mean() for i in range(k)]),
            ),
        ],
    )


def lloyd_passes(points: Floats, centers: Floats) -> list[tuple[Floats, Labels]]:
    """Return the centers and the labels of each pass of the library's loop."""
    return [(step.centers, step.labels) for step in lloyd(points, centers)]


def never_empty(points: Floats, centers: Floats) -> bool:
    """Whether every cluster has points in every pass, so that none has to be rescued."""
    k = len(centers)
    moved = centers
    for used, labels in lloyd_passes(points, centers):
        if not np.array_equal(used, moved) or len(np.unique(labels)) < k:
            return False
        moved = means(points, labels, k)
    return True


def check_loop(call: Function) -> None:
    """Check stage 4."""
    two, tail = bad_start()[0], long_tail()[1]
    slow = np.arange(60.0)[:, np.newaxis]
    cases: list[Arguments] = [
        (two.image.T[:3].astype(float), np.array([[0.0], [10.0]])),
        *[case for case in grids(4) if never_empty(*case)],
        (tail.image.T.astype(float), np.array(tail.options["init"], float)),
        (slow, slow[:5]),
        (np.array([[0], [1], [10], [12], [13]]), np.array([[0.0], [10.0]])),
    ]

    def right(points: NDArray[Any], centers: Floats) -> tuple[Floats, Labels]:
        return lloyd_passes(points.astype(float), centers)[-1]

    def unfinished(args: Arguments, got: Any) -> str:
        """Say what is still to be done, which mostly is to go on."""
        (points, _), (centers, labels) = args, got
        if points.dtype.kind in "iu":
            return "a mean may have a fraction: collect the means in an array of floats"
        reassigned = int(np.count_nonzero(nearest_center(points, np.asarray(centers)) != labels))
        if reassigned:
            return (
                f"with these centers {reassigned} of the points would be reassigned: "
                "go on until no label changes"
            )
        return (
            "these centers are not the means of their points: update them, assign again, "
            "and go on until no label changes"
        )

    compare(
        call,
        STAGES[3].call,
        cases,
        right,
        mistakes=[
            ("return the centers first, and then the labels", lambda *args: right(*args)[::-1])
        ],
        otherwise=unfinished,
    )


Chances: TypeAlias = dict[tuple[int, ...], float]


def chances(points: Floats, k: int, potential: Callable[[Floats], Floats]) -> Chances:
    """Work out how likely every sequence of k centers is, by their indices.

    The centers are drawn in proportion to `potential`, a function of the squared
    distances (n, m) of the points to the m centers before.
    """
    squares = squared_distances(points, points)
    likely: Chances = {(i,): 1 / len(points) for i in range(len(points))}
    for _ in range(1, k):
        longer: Chances = {}
        for chosen, chance in likely.items():
            weights = potential(squares[:, chosen])
            for i in np.flatnonzero(weights):
                longer[*chosen, int(i)] = chance * float(weights[i] / weights.sum())
        likely = longer
    return likely


# How the centers may have been drawn, if they were not drawn as they should be.
WRONG_SEEDINGS: list[tuple[str, Callable[[Floats], Floats]]] = [
    (
        "every point is as likely as every other: "
        "draw in proportion to the squared distance to the nearest center",
        lambda squares: np.ones(len(squares)),
    ),
    (
        "every point is as likely as every other: "
        "draw in proportion to the squared distance to the nearest center",
        lambda squares: (squares.min(axis=1) > 0) * 1.0,
    ),
    (
        "this draws in proportion to the distance: square it",
        lambda squares: np.sqrt(squares.min(axis=1)),
    ),
    (
        "this takes the farthest point: draw, so that far points are only more likely",
        lambda squares: (squares.min(axis=1) == squares.min(axis=1).max()) * 1.0,
    ),
    (
        "only the distance to the last center counts here: take that to the nearest of all centers",
        lambda squares: squares[:, -1],
    ),
    (
        "the distances to all centers are added here: take that to the nearest, the minimum",
        lambda squares: squares.sum(axis=1),
    ),
    (
        "the greatest distance counts here: take that to the nearest center, the minimum",
        lambda squares: squares.max(axis=1),
    ),
]


def check_seeding(call: Function) -> None:
    """Check stage 5: draw many times, and compare how often each outcome comes."""
    signature = STAGES[4].call
    rng = np.random.default_rng(0)
    grid = np.arange(8.0)[:, np.newaxis]
    before = rng.bit_generator.state
    call(grid, 3, rng)
    if rng.bit_generator.state == before:
        raise FailureError(
            f"{described(signature, (grid, 3, rng))}\ndraws without it",
            "draw with rng.integers and rng.choice: the same generator then draws the same centers",
        )
    for values, k in (([0, 1, 3], 1), ([0, 1, 3], 2), ([0, 2, 3, 7], 3)):
        points = np.array(values, float)[:, np.newaxis]
        problem = described(signature, (points, k, rng))
        drawn: Counter[tuple[int, ...]] = Counter()
        for _ in range(DRAWS):
            got = call(points, k, rng)
            hint = unlike(points[:k], got)
            if not hint and not np.isin(got, points).all():
                hint = "every center should be one of the points"
            if hint:
                raise FailureError(f"{problem}\ngot\n{indented(got)}", hint)
            drawn[tuple(values.index(value) for value in np.ravel(got))] += 1
        shares = {chosen: count / DRAWS for chosen, count in drawn.items()}
        expected = chances(points, k, lambda squares: squares.min(axis=1))
        if difference(shares, expected) < TOLERANCE:
            continue
        problem += f"\nhow often each outcome came, of {DRAWS} times:"
        for chosen in sorted({*shares, *expected}, key=lambda o: -expected.get(o, 0))[:8]:
            named = " ".join(str(values[index]) for index in chosen)
            percents = (f"{100 * found.get(chosen, 0):.0f} %" for found in (shares, expected))
            problem += "\n    {}: {}, expected {}".format(named, *percents)
        if k == 1:
            raise FailureError(problem, "as the first center every point should be equally likely")
        off, hint = min(
            (difference(shares, chances(points, k, potential)), hint)
            for hint, potential in WRONG_SEEDINGS
        )
        if off > TOLERANCE:
            hint = "draw the others in proportion to the squared distance to the nearest center"
        raise FailureError(problem, hint)


def difference(one: Chances, other: Chances) -> float:
    """Return by how much the chances of all outcomes differ: 0 for not at all, 1 for entirely."""
    return math.fsum(abs(one.get(o, 0) - other.get(o, 0)) for o in {*one, *other}) / 2


def check_image(call: Function) -> None:
    """Check stage 6: whatever the initial centers, the segments must be those of an ended loop."""
    rng = np.random.default_rng(0)
    black, dark, light, white = [0, 0, 0], [10, 0, 5], [240, 250, 255], [255, 255, 255]
    noise = rng.integers(256, size=(5, 4, 3)).astype(np.uint8)
    for image, k in (
        (np.array([[black, white]], np.uint8), 2),
        (np.array([[black], [white]], np.uint8), 2),
        (np.array([[black, dark, dark], [white, dark, light]], np.uint8), 2),
        (noise, 1),
        (noise, 3),
    ):
        got = call(image, k, rng)
        hint = unlike((image[:, :, 0].astype(int), image), got)
        if hint:
            hint += " (asked for: the labels (H, W) and the painted image (H, W, 3))"
        else:
            hint = wrong_labels(image, k, *parts(got)) or wrong_colors(image, k, *parts(got))
        if hint:
            problem = described(STAGES[5].call, (image, k, rng))
            raise FailureError(f"{problem}\ngot\n{indented(got)}", hint)


def wrong_labels(image: NDArray[Any], k: int, labels: Labels, _: NDArray[Any]) -> str:
    """Say what is wrong with the labels, if anything is."""
    if labels.min() < 0 or labels.max() >= k:
        return f"labels go from 0 to k - 1, not from {labels.min()} to {labels.max()}"
    if np.unique(labels).size < k:
        return f"there should be {k} segments, and there are {np.unique(labels).size}"
    pixels = image.reshape(-1, 3).astype(float)
    distances = squared_distances(pixels, means(pixels, labels.ravel(), k))
    own = distances[np.arange(len(pixels)), labels.ravel()]
    nearer = np.flatnonzero(own > distances.min(axis=1) + 1e-9)
    if not nearer.size:
        return ""
    row, column = divmod(int(nearer[0]), image.shape[1])
    return (
        f"the pixel in row {row}, column {column} is nearer to the mean of another segment: "
        "are the pixels turned into floating point first (8 bits start over at 0 after 255), "
        "does the loop go on to its end, and do the labels come back in the places of the pixels?"
    )


def wrong_colors(image: NDArray[Any], k: int, labels: Labels, painted: NDArray[Any]) -> str:
    """Say what is wrong with the painted image, if anything is."""
    centers = means(image.reshape(-1, 3), labels.ravel(), k)
    # A mean halfway between two numbers may go to either.
    if (np.abs(centers[labels] - painted) <= 0.5 + 1e-9).all():
        return ""
    if (np.floor(centers)[labels] == painted).all():
        return "round the centers to the nearest number: astype alone rounds them down"
    return "every pixel should get the mean color of its segment"


# What is to be written, in this order.
STAGES = (
    Stage(
        "squared_distances(points, centers)",
        "the squared distance of each point (n, C) to each center (k, C), an array (n, k)",
        check_distances,
    ),
    Stage(
        "nearest_center(points, centers)",
        "for each point the number of its nearest center, an array (n,); "
        "of equally near ones the lowest",
        check_nearest,
    ),
    Stage(
        "update_centers(points, labels, k)",
        "for each cluster the mean of its points, an array (k, C); every cluster has points",
        check_update,
    ),
    Stage(
        "lloyd(points, centers)",
        "two arrays, the centers (k, C) and the labels (n,), when no label changes any more",
        check_loop,
    ),
    Stage(
        "kmeans_plusplus(points, k, rng)",
        "k of the points, an array (k, C), drawn with a numpy.random.Generator: the first with "
        "equal chances, each of the others in proportion to its squared distance to the nearest "
        "one before",
        check_seeding,
    ),
    Stage(
        "segment(image, k, rng)",
        "for an image (H, W, 3) of uint8 the labels (H, W) and the painted image (H, W, 3), where "
        "each pixel has the mean color of its segment, rounded",
        check_image,
    ),
)

if __name__ == "__main__":
    sys.exit(main())
