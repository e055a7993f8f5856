"""The plain core and its fast twins: who imports whom, and how much a reader has to read."""

import ast
import cProfile
import graphlib
import pstats
import warnings
from pathlib import Path

import numpy as np
import pytest

import kmeans_seg
from kmeans_seg import segment

PACKAGE = Path(kmeans_seg.__file__).parent
CORE = {"exact", "errstate", "lloyd", "seeding", "distinct", "principal", "colorspace"}
# `strategies` is the table; the others read what does not fit in memory, the fast way only.
USERS_OF_FAST = {"strategies", "streaming", "dask"}
# What stands between a reader and the last pass must not become more.
MOST_FUNCTIONS, MOST_FILES = 70, 10


def module_name(path: Path) -> str:
    """Return the name of a file as it is imported, without that of the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, those under a function included."""
    package = ["kmeans_seg", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, node.module] if node.module else base
            found |= {".".join([*base, alias.name]) for alias in node.names}
            found |= {".".join(base)} if node.module else set()
    return {name.removeprefix("kmeans_seg.") for name in found} & set(FILES)


def test_the_imports_of_a_file_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_strategies.PACKAGE", tmp_path)
    path = tmp_path / "teaching" / "film.py"
    path.parent.mkdir()
    path.write_text(
        "from .. import files, validation\n"
        "from ..fast import cells\n"
        "from .trace import Record\n"
        "import kmeans_seg.dask, numpy\n"
        "def late() -> None:\n    from kmeans_seg.fast.counting import distinct_colors\n"
    )
    assert imported(path) == {
        *("files", "validation", "fast", "fast.cells", "teaching.trace"),
        *("dask", "fast.counting"),
    }


def test_no_file_imports_one_that_imports_it() -> None:
    graph = {}
    for name, path in FILES.items():
        imports = imported(path)
        teaches = name.startswith("teaching") or name == "cli"
        assert teaches or not any(other.startswith("teaching") for other in imports), name
        graph[name] = imports - {name}  # the names that a package takes from itself
    list(graphlib.TopologicalSorter(graph).static_order())  # a circle is an error


def test_the_core_imports_no_fast_twin_and_no_front() -> None:
    for name, path in FILES.items():
        imports = imported(path)
        if name in CORE:
            assert imports <= CORE, name
        elif name.startswith("fast"):
            assert all(other in CORE or other.startswith("fast") for other in imports), name
        else:
            uses_fast = any(other.split(".")[0] == "fast" for other in imports)
            assert uses_fast == (name in USERS_OF_FAST), name


def test_what_a_reader_of_the_plain_strategy_passes(capsys: pytest.CaptureFixture[str]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    segment(image, 4, init="k-means++", strategy="plain")  # what is imported late is imported
    profile = cProfile.Profile()
    with warnings.catch_warnings():
        profile.runcall(segment, image, 4, init="k-means++", strategy="plain")
    functions = {
        (file, line, name)
        for file, line, name in pstats.Stats(profile).stats  # type: ignore[attr-defined]
        if Path(file).is_relative_to(PACKAGE) and not name.startswith("<")
    }
    files = {file for file, _, _ in functions}
    with capsys.disabled():
        print(f"{len(functions)} functions in {len(files)} files")
    assert not any("fast" in Path(file).parts for file in files)
    assert len(functions) <= MOST_FUNCTIONS
    assert len(files) <= MOST_FILES


def test_no_call_has_more_than_four_positional_arguments() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    ours = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and node.args.vararg is None:
            ours.add(node.name)
    variadic = {node.name for node in nodes if isinstance(node, ast.FunctionDef)} - ours
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or len(node.args) <= 4:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert name not in ours - variadic - {"labels"}, f"{path.name}:{node.lineno}: {name}"


@pytest.mark.parametrize("space", ["rgb", "lab"])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_both_strategies_give_the_same_bits(space: str, init: str) -> None:
    image = np.random.default_rng(1).integers(0, 60, (30, 40, 3), np.uint8)
    plain, fast = (
        segment(image, 9, space=space, init=init, strategy=strategy)
        for strategy in ("plain", "fast")
    )
    np.testing.assert_array_equal(plain.labels, fast.labels)
    np.testing.assert_array_equal(plain.centers, fast.centers)
    assert (plain.inertia, plain.n_iter) == (fast.inertia, fast.n_iter)
