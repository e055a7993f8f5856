"""What else there is to compare but time: how good the result is, and what it takes.

The numbers stand beside the times, in what pytest-benchmark calls extra info.
"""

import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from sklearn.cluster import KMeans

import kmeans_seg

from .conftest import Measure, pixels
from .peers import OURS, SEEDS, Image, as_float32
from .test_speed import run_python


@pytest.mark.parametrize("peer", [OURS, "scikit-learn"])
@pytest.mark.parametrize(("k", "n_init"), [(8, 1), (64, 1), (8, 10)])
def test_inertia(measure: Measure, small_photo: Path, k: int, n_init: int, peer: str) -> None:
    function = our_inertias if peer == OURS else their_inertias
    about = {"work": f"inertia, n_init={n_init}", "peer": peer, "photo": small_photo, "k": k}
    measure(function, pixels(small_photo), k, n_init, **about)


def our_inertias(image: Image, k: int, n_init: int) -> dict[str, list[float]]:
    runs = (kmeans_seg.segment(image, k, n_init=n_init, rng=seed) for seed in SEEDS)
    return {"inertias": [run.inertia for run in runs]}


def their_inertias(image: Image, k: int, n_init: int) -> dict[str, list[float]]:
    points = as_float32(image)
    inertias = []
    for seed in SEEDS:
        model = KMeans(k, n_init=n_init, random_state=seed).fit(points)
        # Once more in float64: scikit-learn sums in the dtype of the points.
        difference = points - model.cluster_centers_.astype(np.float64)[model.labels_]
        inertias.append(float(np.square(difference).sum()))
    return {"inertias": inertias}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("peer", [OURS, "scikit-learn", "OpenCV"])
def test_memory(measure: Measure, largest_photo: Path, peer: str, tmp_path: Path) -> None:
    size = (4620, 2600)  # 12 megapixels
    with PIL.Image.open(largest_photo) as photo:
        image = np.asarray(photo.resize(size, PIL.Image.Resampling.BICUBIC))
    np.save(tmp_path / "image.npy", image)
    arguments = ["-m", "benchmarks.peers", peer, str(tmp_path / "image.npy"), "8"]
    about = {"work": "memory", "peer": peer, "photo": largest_photo, "k": 8}
    measure(lambda: {"peak": int(run_python(arguments))}, **about)


def test_import(measure: Measure) -> None:
    measure(import_times, work="import", peer=OURS)


def import_times() -> dict[str, float]:
    """Return the seconds to import NumPy, and then kmeans_seg, in the fastest of 30 processes.

    The clock runs inside of them: it takes longer to start Python, and varies
    by more, than what is to be found out. The first process writes the bytecode.
    """
    code = """if True:
        import time
        start = time.perf_counter()
        import numpy
        middle = time.perf_counter()
        import kmeans_seg
        print(middle - start, time.perf_counter() - middle)
    """
    times = [map(float, run_python(["-c", code]).split()) for _ in range(30)]
    numpy_seconds, our_seconds = map(min, zip(*times, strict=True))
    return {"numpy_seconds": numpy_seconds, "our_seconds": our_seconds}
