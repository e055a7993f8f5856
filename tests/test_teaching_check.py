"""The checker passes what is right, finds what is wrong, and says what it is."""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doses import dose, thorough

from kmeans_seg import segment
from kmeans_seg.lloyd import Clusters, nearest_center, squared_distances, steps
from kmeans_seg.teaching.check import STAGES, check, main

GOOD = {
    "squared_distances": """
def squared_distances(points, centers):
    differences = points[:, None].astype(float) - centers
    return (differences ** 2).sum(axis=2)
""",
    "nearest_center": """
def nearest_center(points, centers):
    return squared_distances(points, centers).argmin(axis=1)
""",
    "update_centers": """
def update_centers(points, labels, k):
    return np.array([points[labels == i].mean(axis=0) for i in range(k)])
""",
    "lloyd": """
def lloyd(points, centers):
    labels = None
    while True:
        previous, labels = labels, nearest_center(points, centers)
        if previous is not None and (labels == previous).all():
            return centers, labels
        centers = update_centers(points, labels, len(centers))
""",
    "kmeans_plusplus": """
def kmeans_plusplus(points, k, rng):
    drawn = [points[rng.integers(len(points))]]
    while len(drawn) < k:
        weights = squared_distances(points, np.array(drawn)).min(axis=1)
        drawn.append(points[rng.choice(len(points), p=weights / weights.sum())])
    return np.array(drawn)
""",
    "segment": """
def segment(image, k, rng):
    points = image.reshape(-1, 3).astype(float)
    centers, labels = lloyd(points, kmeans_plusplus(points, k, rng))
    labels = labels.reshape(image.shape[:2])
    return labels, np.rint(centers)[labels].astype(image.dtype)
""",
}


def source(**changed: str) -> str:
    return "import numpy as np\n" + "".join({**GOOD, **changed}.values())


def run(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str], name: str = "mine.py"
) -> tuple[int, str]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    status = main([str(path)])
    out, err = capsys.readouterr()
    assert err == ""
    assert "Traceback" not in out
    assert "FailureError" not in out
    return status, out


def test_what_is_right_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmeans_seg.teaching.check.SLOW", 1000)  # however slow this machine is
    status, out = run(tmp_path, source(), capsys)
    assert status == 0
    assert out.splitlines() == [
        *(f"stage {number}, {stage.name}: passed" for number, stage in enumerate(STAGES, 1)),
        "next: segment a photo of your own with it",
    ]


@thorough
def test_slow_loops_in_plain_python_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = """
def squared_distances(points, centers):
    result = []
    for point in points:
        row = []
        for center in centers:
            total = 0
            for one, other in zip(point, center):
                total += (float(one) - float(other)) ** 2
            row.append(total)
        result.append(row)
    return np.array(result)
"""
    status, out = run(tmp_path, source(squared_distances=slow), capsys)
    assert (status, out.count("passed")) == (0, 6)


# The function, what is wrong in it, what stands there instead, and the hint it must bring.
WRONG = [
    (
        "squared_distances",
        "points[:, None].astype(float) - centers",
        "points[:, None] - centers",
        "8-bit integers",
    ),
    ("squared_distances", "sum(axis=2)", "sum(axis=2) ** 0.5", "leave out the root"),
    ("squared_distances", "sum(axis=2)", "sum(axis=2).T", "the other way round"),
    ("squared_distances", "(differences ** 2)", "abs(differences)", "are to be squared"),
    ("squared_distances", ".sum(axis=2)", "", "sum over the last axis"),
    ("squared_distances", ".sum(axis=2)", "[:, :, 0]", "only the first channel"),
    ("squared_distances", "return", "result =", "is a `return` missing"),
    ("squared_distances", "return", "points += 1; return", "work on a copy, points.copy()"),
    (
        "nearest_center",
        "squared_distances(points, centers).argmin(axis=1)",
        "len(centers) - 1 - squared_distances(points, centers)[:, ::-1].argmin(axis=1)",
        "a tie goes to the center with the lowest number",
    ),
    ("nearest_center", "argmin", "argmax", "take the smallest distance"),
    ("nearest_center", "argmin(axis=1)", "argmin(axis=1) + 1", "numbered from 0"),
    ("nearest_center", "argmin", "min", "its number is asked for"),
    ("nearest_center", "argmin(axis=1)", "argmin(axis=0)", "argmin over the centers, axis=1"),
    ("nearest_center", "argmin(axis=1)", "argmin(axis=1) * 1.0", "it should hold integers"),
    ("update_centers", ".mean(axis=0)", ".mean(axis=0) // 1", "a fraction: do not round it down"),
    ("update_centers", "range(k)])", "range(k)]).astype(int)", "do not round it down"),
    ("update_centers", "range(k)])", "range(k)]).round()", "a fraction: do not round it"),
    ("update_centers", ".mean(axis=0)", ".sum(axis=0)", "divide by the number of points"),
    ("update_centers", ".mean(axis=0)", ".sum(axis=0) / len(points)", "not of all"),
    ("update_centers", "points[labels == i]", "points", "a mean of its own: use the points"),
    ("update_centers", "mean(axis=0)", "mean()", "each channel has a mean"),
    (
        "update_centers",
        "points[labels == i].mean(axis=0)",
        "points[labels == i].sum(axis=0, dtype=points.dtype) / (labels == i).sum()",
        "8-bit integers",
    ),
    ("lloyd", "while True", "for _ in range(10)", "is a `return` missing"),
    ("lloyd", "(labels == previous).all()", "False", "it goes on without end"),
    ("lloyd", "return centers, labels", "return labels, centers", "the centers first"),
    ("lloyd", "return centers, labels", "return centers", "return 2 arrays"),
    ("lloyd", "if previous is not None and (labels == previous).all()", "if 1",
     "not the means of their points"),
    ("lloyd", "return centers, labels",
     "return centers, nearest_center(points, centers - 1)", "would be reassigned: go on"),
    (
        "lloyd",
        "(labels == previous).all()",
        "(labels != previous).mean() < 0.3",
        "go on until no label changes",
    ),
    (
        "kmeans_plusplus",
        "len(points), p=weights / weights.sum()",
        "len(points)",
        "every point is as likely as every other",
    ),
    ("kmeans_plusplus", "p=weights / weights.sum()", "p=(weights > 0) / (weights > 0).sum()",
     "every point is as likely as every other"),
    ("kmeans_plusplus", ".min(axis=1)", ".min(axis=1) ** 0.5", "square it"),
    ("kmeans_plusplus", "rng.choice(len(points), p=weights / weights.sum())", "weights.argmax()",
     "takes the farthest point"),
    ("kmeans_plusplus", ".min(axis=1)", "[:, -1]", "only the distance to the last center"),
    ("kmeans_plusplus", ".min(axis=1)", ".sum(axis=1)", "take that to the nearest, the minimum"),
    ("kmeans_plusplus", ".min(axis=1)", ".max(axis=1)", "the greatest distance counts here"),
    ("kmeans_plusplus", "rng.integers(len(points))", "0", "every point should be equally likely"),
    ("kmeans_plusplus", "return np.array(drawn)", "return np.array(drawn) + 0.5",
     "should be one of the points"),
    ("kmeans_plusplus", "return np.array(drawn)", "return np.array(drawn)[1:]", "the shape should"),
    ("kmeans_plusplus", ".min(axis=1)", ".min(axis=1) + 2", "in proportion to the squared"),
    ("segment", "image.shape[:2])", "image.shape[1::-1])", "the shape should be"),
    ("segment", "image.shape[:2])", "image.shape[1::-1]).T", "do the labels come back"),
    ("segment", "np.rint(centers)", "centers", "astype alone rounds them down"),
    ("segment", "return labels, ", "return ", "the labels (H, W) and the painted image"),
    ("segment", "np.rint(centers)", "255 - np.rint(centers)", "the mean color of its segment"),
    ("segment", "return labels,", "return labels + 1,", "labels go from 0 to k - 1"),
    ("segment", "kmeans_plusplus(points, k, rng)", "points.mean(axis=0, keepdims=True)",
     "there should be 2 segments"),
    ("segment", "lloyd(points, kmeans_plusplus(points, k, rng))",
     "points[:k], nearest_center(points, points[:k])", "does the loop go on to its end"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "right", "wrong", "hint"), dose(WRONG[::6], WRONG))
def test_what_is_wrong_is_found_and_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    right: str,
    wrong: str,
    hint: str,
) -> None:
    assert right in GOOD[name]
    number = list(GOOD).index(name)
    text = "import numpy as np\n" + "".join([*GOOD.values()][:number])
    text += GOOD[name].replace(right, wrong)
    for other in [*GOOD][:number]:  # by other names the others are not checked again
        text = text.replace(other, f"my_{other}")
    status, out = run(tmp_path, text, capsys)
    assert status == 1
    assert out.splitlines()[0] == f"stage {number + 1}, {name}: failed"
    assert hint in out.replace("\n    ", " ")


def test_the_whole_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """
    def nearest_center(points, centers):
        distances = ((points[:, None] - centers) ** 2).sum(axis=2)
        return len(centers) - 1 - distances[:, ::-1].argmin(axis=1)
    """
    status, out = run(tmp_path, textwrap.dedent(text), capsys)
    assert status == 1
    assert out == textwrap.dedent("""\
        stage 2, nearest_center: failed
            nearest_center(points, centers) with
                points = [[2.]]
                centers = [[0.],
                           [4.]]
            expected
                [0]
            got
                [1]
            hint: a tie goes to the center with the lowest number: take the first of equals, as
            argmin does
        """)


# A file, and what is said about it.
TROUBLE = [
    (
        "def nearest_center(points, centers):\n    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ),
    (
        "def nearest_center(points, centers):\n    return 1 / 0",
        "in line 2 of mine.py: return 1 / 0",
    ),
    ("def nearest_center(points):\n    return points", "takes 1 positional argument but 2 were"),
    ("def nearest_center(points, centers):\n    exit()", "SystemExit"),
    ("def nearest_center(points, centers):\n    return 'two'", "not one of dtype <U3"),
    ("def nearest_center(points, centers):\n    return [[1], [1, 2]]", "rows have the same length"),
    ("def nearest_center(points, centers):\n    yield 1", "not one of dtype object"),
    ("def nearest_center(points, centers):\n    return {1}", "not one of dtype object"),
    ("def nearest_center(points, centers):\n    while True: pass", "it goes on without end"),
    ("def nearest_center(points, centers):\n    return nearest_center(1, 2)", "RecursionError"),
    ("def nearest_center(points, centers):\n    return [", "mine.py: cannot be run"),
    ("x = 1\ny = = 2", "in line 2: y = = 2"),
    ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
    ("while True: x = 1", "it goes on without end\n    in line 1 of mine.py: while True: x = 1"),
    ("\0", "mine.py: cannot be run"),
    ("", "mine.py: nothing to check\n    write one of the functions squared_distances, nearest"),
    ("squared_distances = 5", "mine.py: nothing to check"),
]


@pytest.mark.parametrize(("text", "said"), dose(TROUBLE[::3], TROUBLE))
def test_whatever_is_in_the_file_there_is_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    status, out = run(tmp_path, text, capsys)
    assert status == 1
    assert said in out


def test_one_failure_does_not_hide_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = source(
        nearest_center="", update_centers="\ndef update_centers(*_):\n    raise SystemExit"
    )
    status, out = run(tmp_path, text, capsys)
    assert status == 1
    assert "stage 1, squared_distances: passed" in out
    assert "nearest_center: " not in out
    assert "stage 3, update_centers: failed" in out
    assert "stage 4, lloyd: failed" in out  # NameError: nearest_center
    assert "name 'nearest_center' is not defined" in out
    assert "stage 5, kmeans_plusplus: passed" in out


def test_the_stage_in_the_name_of_the_file_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "import numpy as np\n" + GOOD["squared_distances"]
    status, out = run(tmp_path, text, capsys, "stage2.py")
    assert status == 1
    assert out.startswith(
        "stage 1, squared_distances: passed\n"
        "stage 2, nearest_center: not there\n"
        "    write nearest_center(points, centers), which returns for each point"
    )
    assert run(tmp_path, text, capsys, "stage1.py")[0] == 0


def test_stages_may_stand_in_files_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stage1.py").write_text("import numpy as np\n" + GOOD["squared_distances"])
    text = "from stage1 import squared_distances\n" + GOOD["nearest_center"]
    status, out = run(tmp_path, text, capsys, "stage2.py")
    assert (status, out.count("passed")) == (0, 2)
    assert "stage1" not in sys.modules
    assert str(tmp_path) not in sys.path
    # A mistake that came with the import is told with its own file.
    (tmp_path / "stage1.py").write_text("def squared_distances(points, centers):\n    return no")
    _, out = run(tmp_path, text, capsys, "stage2.py")
    assert "in line 2 of stage1.py: return no" in out


def test_as_a_command(tmp_path: Path) -> None:
    path = tmp_path / "stage1.py"
    path.write_text("import numpy as np\n" + GOOD["squared_distances"])
    command = [sys.executable, "-W", "error", "-m", "kmeans_seg.teaching.check"]
    done = subprocess.run([*command, path], capture_output=True, text=True, check=True)
    passed, following = done.stdout.split("\n", 1)
    assert (passed, done.stderr) == ("stage 1, squared_distances: passed", "")
    assert following.startswith("next: write nearest_center(points, centers), which returns for")
    done = subprocess.run([*command, tmp_path / "no.py"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path / 'no.py'}: No such file or directory: check the name\n"
    done = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert all(stage.call in done.stdout for stage in STAGES)


INTEGER_MEANS = """
def update_centers(points, labels, k):
    centers = np.zeros((k, points.shape[1]), points.dtype)
    for i in range(k):
        centers[i] = points[labels == i].mean(axis=0)
    return centers
"""


def test_means_in_an_array_of_integers_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = source(update_centers=INTEGER_MEANS, kmeans_plusplus="", segment="")
    status, out = run(tmp_path, text, capsys)
    assert status == 1
    assert "stage 3, update_centers: failed" in out
    assert "stage 4, lloyd: failed" in out
    assert "arrays of" in out
    assert "collect the means in an array of floats" in " ".join(out.split())


def test_a_seeding_that_ignores_the_generator_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = GOOD["kmeans_plusplus"].replace("rng.", "np.random.").replace("integers", "randint")
    status, out = run(tmp_path, source(kmeans_plusplus=own), capsys)
    assert status == 1
    assert "stage 5, kmeans_plusplus: failed" in out
    assert "draws without it" in out


@pytest.mark.parametrize(
    ("stage", "body", "hint"),
    [
        ("lloyd", "if points == points: pass", "np.array_equal(a, b)"),
        ("kmeans_plusplus", "rng.choice(2, p=[0.3, 0.3])", "divide the weights by their sum"),
        ("nearest_center", "return points.tolist().shape", "np.array(...) makes an array"),
        ("nearest_center", "return points.tolist()[0, 0]", "np.array(...) makes an array"),
        ("squared_distances", "return points.tolist() - centers.tolist()", "np.array(...) makes"),
    ],
)
def test_common_errors_have_a_hint(
    stage: str, body: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = GOOD[stage].strip().splitlines()[0]
    status, out = run(tmp_path, f"import numpy as np\n{head}\n    {body}\n", capsys)
    assert status == 1
    assert hint in " ".join(out.split())
    assert f"in line 3 of mine.py: {body}" in out


def test_a_misspelled_name_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD["nearest_center"].replace("nearest_center", "nearest_centre")
    status, out = run(tmp_path, text, capsys, "stage2.py")
    assert status == 1
    assert "the name is nearest_center, not nearest_centre" in out
    status, out = run(tmp_path, text, capsys)
    assert "the name is nearest_center, not nearest_centre" in " ".join(out.split())


def test_what_is_printed_follows_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD["squared_distances"].replace("    diff", "    print('here')\n    diff", 1)
    status, out = run(tmp_path, "import numpy as np\n" + text, capsys)
    assert status == 0
    lines = out.splitlines()
    assert lines[:3] == [
        "stage 1, squared_distances: passed",
        "    your function printed:",
        "        here",
    ]
    assert "lines more" in out


@thorough
def test_an_endless_loop_that_catches_everything_ends(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    body = """
def nearest_center(points, centers):
    while True:
        try:
            while True:
                points + centers
        except:
            pass
"""
    path.write_text(body)
    command = [sys.executable, "-m", "kmeans_seg.teaching.check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "it goes on without end" in done.stdout
    assert "of mine.py" in done.stdout
    assert "An `except:` without the name" in " ".join(done.stdout.split())


def test_endless_recursion_names_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "def nearest_center(points, centers):\n    return nearest_center(points, centers)\n"
    status, out = run(tmp_path, text, capsys)
    assert status == 1
    assert "in line 2 of mine.py: return nearest_center(points, centers)" in out


def test_a_slow_stage_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmeans_seg.teaching.check.SLOW", 0.15)
    text = GOOD["squared_distances"].replace(
        "    diff", "    if pauses:\n        time.sleep(pauses.pop())\n    diff", 1
    )
    _, out = run(tmp_path, "import time\nimport numpy as np\npauses = [0.5]\n" + text, capsys)
    assert "stage 1, squared_distances: this takes a while ..." in out.splitlines()
    assert "your function printed" not in out


def test_functions_of_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    cell = "def nearest_center(points, centers):\n    return points\n"
    names: dict[str, object] = {}
    exec(compile(cell, "<ipython-input-1-abc>", "exec"), names)
    function = names["nearest_center"]
    assert callable(function)
    assert not check(function)
    assert "stage 2, nearest_center: failed" in capsys.readouterr().out

    def nearest_centre(points: object, centers: object) -> object:
        return points

    with pytest.raises(ValueError, match="name the function nearest_center"):
        check(nearest_centre)


@pytest.fixture
def solutions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Import the modules stage1 to stage6."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "docs" / "learn" / "solutions"))
    return [importlib.import_module(f"stage{number}") for number in range(1, 7)]


def test_the_functions_are_those_of_the_core(solutions: list[Any]) -> None:
    stage1, stage2, stage3, stage4, *_ = solutions
    rng = np.random.default_rng(0)
    points = rng.integers(0, 256, (300, 3)).astype(float)
    centers = points[:5]
    np.testing.assert_array_equal(
        stage1.squared_distances(points, centers), squared_distances(points, centers)
    )
    labels = nearest_center(points, centers)
    np.testing.assert_array_equal(stage2.nearest_center(points, centers), labels)
    clusters = Clusters(points, np.ones(300), 5, labels)
    means = clusters.update_centers(centers)
    np.testing.assert_array_equal(stage3.update_centers(points, labels, 5), means)
    *_, last = steps(clusters, centers)
    centers, labels = stage4.lloyd(points, centers)
    np.testing.assert_array_equal(centers, last.centers)
    np.testing.assert_array_equal(labels, last.labels)


def test_the_finished_file_finds_what_segment_finds(solutions: list[Any]) -> None:
    *_, stage5, stage6 = solutions
    rng = np.random.default_rng(0)
    for k in (2, 4, 7):
        image = rng.integers(0, 256, (12, 15, 3)).astype(np.uint8)
        points = image.reshape(-1, 3).astype(float)
        start = stage5.kmeans_plusplus(points, k, np.random.default_rng(k))
        labels, painted = stage6.segment(image, k, np.random.default_rng(k))
        result = segment(image, k, init=start, order="init")
        np.testing.assert_array_equal(labels, result.labels)
        np.testing.assert_array_equal(painted, result.painted)
