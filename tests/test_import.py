"""What importing the package brings along: NumPy, and nothing that takes its time."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"PIL", "dask", "distributed", "imageio", "matplotlib", "scipy", "skimage", "sklearn"}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that are loaded in a fresh process after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["kmeans_seg", "kmeans_seg.files", "kmeans_seg.cli"])
def test_importing_brings_nothing_heavy(module: str) -> None:
    modules = modules_after(f"import {module}")
    assert "kmeans_seg" in modules
    assert modules & HEAVY == set()


def test_a_file_is_there_before_its_functions_are_used() -> None:
    code = "import kmeans_seg; kmeans_seg.files.read; kmeans_seg.choosing.choose_k"
    assert "kmeans_seg" in modules_after(code)


def test_reading_a_file_brings_pillow_only(tmp_path: Path) -> None:
    path = str(tmp_path / "dot.png")
    code = f"from kmeans_seg.files import read, write; write({path!r}, [[0]]); read({path!r})"
    assert modules_after(code) & HEAVY == {"PIL"}
