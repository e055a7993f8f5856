"""Rehearsed starts beside k-means++, and the optimum of one channel: tables in Markdown.

    python -m benchmarks.starts [--photos DIR] [--seeds 10] [--runs 50] [-k 3 5 8 16 32 64]

For each photo, the lowest inertia known is that of `--runs` runs from k-means++
and of the rehearsed runs. The times are CPU times of one thread, taken in
turns, since other processes disturb them less: set OPENBLAS_NUM_THREADS=1. They
are of the start and the loop over all colors. Gray images are compared with
kmeans1d, if it is installed, and for k = 4 with the multi-Otsu of scikit-image.
"""

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import kmeans_seg
from kmeans_seg.fast.counting import distinct_colors
from kmeans_seg.optimal import optimal_centers
from kmeans_seg.rehearsals import rehearse

from .conftest import INSIDE, SKIMAGE
from .front import inertia

Floats = NDArray[np.float64]
Result = TypeVar("Result")
GRAY: tuple[str, ...] = (
    "brick.png",
    "camera.png",
    "cell.png",
    "clock_motion.png",
    "coins.png",
    "grass.png",
)
FEW = 4  # with more, multi-Otsu tries too many thresholds
GRAY += ("gravel.png", "horse.png", "moon.png", "page.png", "text.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("-k", type=int, nargs="+", default=[3, 5, 8, 16, 32, 64])
    args = parser.parse_args()
    photos = sorted(args.photos.glob("*.jp*g")) if args.photos else []
    points = [counted(kmeans_seg.read(path)) for path in (*photos, *INSIDE)]
    print("| k | excess: mean | worst | start | start and loop | k-means++ and loop | passes |")
    print("|---|---|---|---|---|---|---|")
    for k in args.k:
        print(rehearsed_row(points, k, args.seeds, args.runs), flush=True)
    print("\n| image | k | optimum | kmeans1d | ours to its inertia | multi-Otsu | its excess |")
    print("|---|---|---|---|---|---|---|")
    for name in GRAY:
        if (SKIMAGE / name).exists():
            for k in (FEW, 8, 64):
                print(optimal_row(name, k), flush=True)


def counted(image: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the distinct colors of an image, and their counts."""
    found = distinct_colors([image.reshape(-1, image.shape[2] if image.ndim == 3 else 1)])
    assert found.counts is not None
    return np.asarray(found.colors, np.float64, order="F"), found.counts


def timed(function: Callable[[], Result]) -> tuple[float, Result]:
    """Return the CPU time of a call in milliseconds, and its result."""
    start = time.process_time()
    result = function()
    return (time.process_time() - start) * 1000, result


def rehearsed(points: Floats, weights: Floats, k: int, seed: int) -> Floats:
    """Return the centers that win the rehearsals."""
    events = rehearse(points, weights, k, np.random.default_rng(seed))
    while True:
        try:
            next(events)
        except StopIteration as stop:
            centers: Floats = stop.value
            return centers


def rehearsed_row(photos: list[tuple[Floats, Floats]], k: int, seeds: int, runs: int) -> str:
    excess, measured = [], []
    for points, weights in photos:
        ours, theirs = [], []
        for seed in range(runs):
            plain, single = timed(
                lambda: kmeans_seg.kmeans(points, k, weights=weights, init="k-means++", rng=seed)  # noqa: B023
            )
            theirs.append(single.inertia)
            if seed < seeds:
                start, centers = timed(lambda: rehearsed(points, weights, k, seed))  # noqa: B023
                loop, best = timed(
                    lambda: kmeans_seg.kmeans(points, k, weights=weights, init=centers)  # noqa: B023
                )
                ours.append(best.inertia)
                measured.append((start, start + loop, plain, best.n_iter))
        excess += [inertia / min(*ours, *theirs) - 1 for inertia in ours]
    start, both, plain, passes = np.mean(measured, axis=0)
    return (
        f"| {k} | {np.mean(excess):.3%} | {max(excess):.2%} | {start:.0f} ms | {both:.0f} ms "
        f"| {plain:.0f} ms | {passes:.0f} |"
    )


def optimal_row(name: str, k: int) -> str:
    image = kmeans_seg.read(SKIMAGE / name)
    gray = image if image.ndim == 2 else image[..., 0]
    values = gray.reshape(-1).astype(np.float64)
    points, weights = counted(gray)
    ours, centers = timed(lambda: optimal_centers(points[:, 0], k, weights))
    result = kmeans_seg.kmeans(points, len(centers), weights=weights, init=centers[:, np.newaxis])
    cells = [name, str(len(centers)), f"{ours:.1f} ms", "", "", "", ""]
    if find_spec("kmeans1d"):
        kmeans1d = import_module("kmeans1d")
        milliseconds, found = timed(lambda: kmeans1d.cluster(values, len(centers)))
        theirs = inertia(values, np.array(found.clusters))
        cells[3] = f"{milliseconds:.0f} ms"
        cells[4] = f"{result.inertia / theirs - 1:+.0e}" if theirs else "both 0"
    if k == FEW and len(centers) == k:
        from skimage.filters import threshold_multiotsu

        milliseconds, found = timed(lambda: threshold_multiotsu(gray, k))  # type: ignore[no-untyped-call]
        theirs = inertia(values, np.digitize(values, found, right=True))
        cells[5] = f"{milliseconds:.0f} ms"
        cells[6] = f"{theirs / result.inertia - 1:+.2%}"
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
