"""The same bits everywhere: whatever the processor can do, the threads and the blocks."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

# Labels and centers of a photo in RGB and CIELAB, and of the same with noise in floating point.
PROGRAM = """
import hashlib, sys
import numpy as np
from sklearn.datasets import load_sample_image
import kmeans_seg.assignment, kmeans_seg.distinct, kmeans_seg.pruning, kmeans_seg.sums
from kmeans_seg import segment

if size := int(sys.argv[1]):
    for module in ("assignment", "distinct", "pruning", "sums"):
        assert hasattr(sys.modules["kmeans_seg." + module], "BLOCK")
        sys.modules["kmeans_seg." + module].BLOCK = size
    kmeans_seg.pruning.MOST_PAIRS = size
photo = load_sample_image("china.jpg")[100:220, 200:380]
noise = np.random.default_rng(0).random(photo.shape)
found = hashlib.sha256()
floats = (noise[..., 0] * 9).astype(np.float32)
images = [("rgb", image) for image in (photo, photo[:, :, 1], photo / 255 + noise, floats)]
for space, image in [*images, ("lab", photo)]:
    for k in (3, 40):
        result = segment(image, k, n_init=2, space=space)
        for part in (result.labels, result.centers, result.counts, result.palette):
            found.update(np.ascontiguousarray(part))
        found.update(repr((result.inertia, result.n_iter)).encode())
print(found.hexdigest())
"""


def digest(variables: dict[str, str], block: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(block)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def usual() -> str:
    return digest({})


def without(*levels: str) -> dict[str, str]:
    """Switch off all that NumPy may use beyond its baseline, from one of these levels up."""
    numpy_core = importlib.import_module("numpy._core._multiarray_umath")
    names = [name for name in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__.get(name)]
    off = [name for name in names if any(name.startswith(level) for level in levels)]
    if not off:
        pytest.skip(f"this processor, or this NumPy, has none of {levels}")
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(off)}


def test_without_avx512(usual: str) -> None:
    assert digest(without("X86_V4", "AVX512")) == usual


def test_without_avx512_and_avx2(usual: str) -> None:
    assert digest(without("X86_V4", "AVX512", "X86_V3", "AVX2", "FMA3")) == usual


@pytest.mark.parametrize("core", ["Prescott", "Haswell"])
def test_with_the_kernels_of_another_processor(core: str, usual: str) -> None:
    # OpenBLAS multiplies with other kernels, which round in another order.
    if "openblas" not in str(np.show_config(mode="dicts")).lower():
        pytest.skip("this NumPy does not multiply with OpenBLAS")
    assert digest({"OPENBLAS_CORETYPE": core}) == usual


def test_with_two_threads(usual: str) -> None:
    assert digest({"OPENBLAS_NUM_THREADS": "2"}) == usual


@pytest.mark.parametrize("block", [1000, 2**12, 2**20])
def test_with_other_blocks(block: int, usual: str) -> None:
    assert digest({}, block) == usual
