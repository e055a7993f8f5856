"""The same bits everywhere: whatever the processor can do, the threads and the blocks.

The results are compared with hashes that are written here, so that a machine
that computes anything else fails. The images are made from integers alone.
"""

import functools
import hashlib
import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doses import dose, thorough
from numpy.typing import NDArray

from kmeans_seg import Segmentation, kmeans, segment

# A change here is a change of results: a decision, to be explained in the change log.
HASHES = {
    "rgb": "d5b9d048b99fa974",
    "rgb, many segments, two runs": "364f6eee9a28a4b7",
    "gray": "3a5a8cdf138053ce",
    "16 bits": "f46283393f80920e",
    "lab": "1d175e30fc9d20cf",
    "lab of floats": "ff2b2f8c4c888423",
    "floats": "d119120453316068",
    "single precision": "0c98791353ef9958",
    "position": "36d1d74d078cb909",
    "normalize": "ea510a5b4e9fde40",
    "many channels": "68f319c899179373",
    "random": "bf398e59e69809d1",
    "a fill value": "e21b8f9e29277037",
    "rehearsed": "022627ae95263a00",
    "rehearsed, many segments, floats": "12860f807f4edfe5",
    "rehearsed, to a share": "692919b929438f2e",
    "optimal": "fa594f86e3b2e915",
    "weighted points": "c65cd087e3248b57",
}


def integers(height: int, width: int, channels: int, most: int) -> NDArray[np.int64]:
    """Make an image of slopes and noise, of whole numbers up to `most`, by integer arithmetic."""
    row, column, channel = np.ogrid[:height, :width, :channels]
    slope = (3 * row + 5 * column) * (channel + 2) % (2 * width) * most // (4 * width)
    noise = (row * 7919 + column * 104729 + channel * 1299709) ** 2 % 1000003 * most // 2000006
    return np.asarray(slope + noise)


RGB = integers(60, 80, 3, 255).astype(np.uint8)
MANY = integers(30, 40, 12, 65535)
draw = functools.partial(segment, init="k-means++")
CASES: dict[str, Callable[[], Segmentation]] = {
    "rgb": lambda: draw(RGB, 6),
    "rgb, many segments, two runs": lambda: draw(RGB, 40, n_init=2),
    "gray": lambda: draw(RGB[..., 0], 5),
    "16 bits": lambda: draw(integers(60, 80, 3, 65535).astype(np.uint16), 7),
    "lab": lambda: draw(RGB, 6, space="lab"),
    "lab of floats": lambda: draw(RGB / 255, 9, space="lab"),
    "floats": lambda: draw(RGB / 255 + integers(60, 80, 3, 999) / 7e4, 8),
    "single precision": lambda: draw((MANY[..., :7] / 3e4).astype(np.float32), 5, space="raw"),
    "position": lambda: draw(RGB[:30, :40], 6, position=0.7),
    "normalize": lambda: draw(RGB, 6, normalize=True),
    "many channels": lambda: draw(MANY.astype(np.uint16), 6, space="raw"),
    "random": lambda: segment(RGB, 6, init="random", rng=3),
    "a fill value": lambda: draw(np.where(MANY[..., 0] % 7, MANY[..., 0] / 3, -3.4e38), 5),
    "rehearsed": lambda: segment(RGB, 6),
    "rehearsed, many segments, floats": lambda: segment(RGB / 7, 40),
    "rehearsed, to a share": lambda: segment(RGB, 9, space="lab", tol=0.01, rng=5),
    "optimal": lambda: segment(RGB[..., 0], 5),
}


def found(name: str) -> str:
    """Return a hash of all that a case results in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CASES[name]()
    digest = hashlib.sha256()
    for part in (result.labels, result.centers, result.counts, result.palette, result.painted):
        digest.update(np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<")).tobytes())
    digest.update(repr((result.inertia, result.n_iter, result.converged)).encode())
    return digest.hexdigest()[:16]


def weighted() -> str:
    """Return a hash of k-means of points with weights that are no whole numbers."""
    points = RGB.reshape(-1, 3)[::3] / 7
    result = kmeans(points, 5, weights=1 + points[:, 0] / 9)
    arrays = (result.labels, result.centers, result.weights)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def everything() -> dict[str, str]:
    """Return the hash of every case."""
    return {**{name: found(name) for name in CASES}, "weighted points": weighted()}


def test_the_results_are_those_of_every_machine() -> None:
    assert everything() == HASHES


PROGRAM = """
import json, sys
sys.path[:0] = sys.argv[2:]
import kmeans_seg.segmentation
from kmeans_seg.fast import counting, clusters, plusplus, pruning
import test_same_bits

if size := int(sys.argv[1]):
    for module in (sys.modules["kmeans_seg.lloyd"], counting, plusplus, pruning):
        assert hasattr(module, "BLOCK")
        module.BLOCK = size
    clusters.BLOCK = min(size, clusters.BLOCK)  # of a larger one, sums would not be exact
    pruning.MOST_PAIRS = size
print(json.dumps(test_same_bits.everything()))
"""


def elsewhere(variables: dict[str, str], block: int = 0) -> dict[str, str]:
    """Compute everything in another process, with other settings."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(block), str(Path(__file__).parent)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hashes: dict[str, str] = json.loads(done.stdout)
    return hashes


def switched_off(*levels: str) -> str:
    """Name what NumPy uses from one of these levels up, and what is switched off already."""
    numpy_core = importlib.import_module("numpy._core._multiarray_umath")
    names = [name for name in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__.get(name)]
    already = os.environ.get("NPY_DISABLE_CPU_FEATURES", "").split()
    return " ".join([*already, *(name for name in names if name.startswith(levels))])


def without(*levels: str) -> dict[str, str]:
    """Switch off all that NumPy may use beyond its baseline, from one of these levels up."""
    names = switched_off(*levels)
    if names == switched_off():
        pytest.skip(f"this processor, or this NumPy, has none of {levels}")
    return {"NPY_DISABLE_CPU_FEATURES": names}


@thorough
def test_without_avx512() -> None:
    assert elsewhere(without("X86_V4", "AVX512")) == HASHES


@thorough
def test_without_avx512_and_avx2() -> None:
    assert elsewhere(without("X86_V4", "AVX512", "X86_V3", "AVX2", "FMA3")) == HASHES


# OpenBLAS has kernels for every processor, which round in another order.
WAYS = {
    "all at once": (
        {
            "OPENBLAS_CORETYPE": "Prescott",
            "OPENBLAS_NUM_THREADS": "2",
            "NPY_DISABLE_CPU_FEATURES": switched_off(""),
        },
        1000,
    ),
    "kernels of an old processor": ({"OPENBLAS_CORETYPE": "Prescott"}, 0),
    "kernels of a newer one": ({"OPENBLAS_CORETYPE": "Haswell"}, 0),
    "two threads": ({"OPENBLAS_NUM_THREADS": "2"}, 0),
    "small blocks": ({}, 1000),
    "large blocks": ({}, 2**20),
}


@pytest.mark.parametrize("way", dose(["all at once"], list(WAYS)))
def test_in_other_ways(way: str) -> None:
    if way.startswith("kernels") and "openblas" not in str(np.show_config(mode="dicts")).lower():
        pytest.skip("this NumPy does not multiply with OpenBLAS")
    assert elsewhere(*WAYS[way]) == HASHES
