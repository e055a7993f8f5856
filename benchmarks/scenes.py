"""Images of many bands, 16 bits and floats, beside scikit-learn and dask-ml.

    python -m benchmarks.scenes [--photo FILE] [--write]

Prints a table, and with --write puts it into docs/benchmarks/scenes.inc. The
scenes are made of a photo, resized to 1.8 megapixels; the large ones repeat it.
Each library uses both its own defaults and, from the same initial centers,
a stop at the same share of reassigned pixels. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
TABLE = HERE.parent / "docs" / "benchmarks" / "scenes.inc"
SIZE = 1.8e6  # pixels
ROUNDS = 3


def main() -> None:
    # These may be set, and would slow the peers down.
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--mapped", type=Path, metavar="FILE")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.mapped:
        segment_mapped(args.mapped)
        return
    photo = resized(args.photo)
    rows = [
        "| work | peer | ours | theirs | ratio | inertia |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for work in (in_memory, responses, shuffled, many_dimensions, on_dask, mapped):
        for row in work(photo):
            print(row, flush=True)
            rows.append(row)
    if args.write:
        TABLE.write_text("\n".join(rows) + "\n")


def resized(path: Path | None) -> NDArray[np.float64]:
    """Return a photo of 1.8 megapixels, from 0 to 1."""
    import PIL.Image
    from skimage import data

    from kmeans_seg import read

    photo = data.coffee() if path is None else read(path)  # type: ignore[no-untyped-call]
    scale = (SIZE / (photo.shape[0] * photo.shape[1])) ** 0.5
    size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
    return np.asarray(PIL.Image.fromarray(photo).resize(size)) / 255


def bands(photo: NDArray[np.float64], count: int, noise: float) -> NDArray[np.float64]:
    """Mix the channels of a photo to bands, and add the noise of a sensor."""
    rng = np.random.default_rng(0)
    mixed = photo @ rng.random((3, count))
    return mixed + rng.normal(0, noise, mixed.shape)


def scenes(photo: NDArray[np.float64]) -> dict[str, tuple[NDArray[Any], NDArray[np.bool_] | None]]:
    """Make the scenes, and the mask of their pixels."""
    floats = bands(photo, 7, 0.02).astype(np.float32)
    seen = np.ones(photo.shape[:2], np.bool_)
    seen[100:200] = False
    floats[~seen] = np.nan
    deep = (photo * 255 + np.random.default_rng(1).normal(0, 0.5, photo.shape)).clip(0, 255)
    return {
        "7 bands of float32, with nodata": (floats, seen),
        "10 bands of uint16": (as_uint16(photo), None),
        "RGB of 16 bits": ((deep * 257).astype(np.uint16), None),
    }


def as_uint16(photo: NDArray[np.float64]) -> NDArray[np.uint16]:
    return (bands(photo, 10, 0.01).clip(0) * 3000).astype(np.uint16)


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest time of a few."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def row(work: str, peer: str, ours: float, theirs: float | None, inertia: float | None) -> str:
    cells = [work, peer, f"{ours:.3g} s"]
    cells += ["n/a", "n/a"] if theirs is None else [f"{theirs:.3g} s", f"{theirs / ours:.2f}"]
    return f"| {' | '.join(cells)} | {'n/a' if inertia is None else f'{100 * inertia:+.2f}%'} |"


def in_memory(photo: NDArray[np.float64]) -> Any:
    """Segment scenes of bands and of deep colors."""
    for name, (image, seen) in scenes(photo).items():
        for k in (8, 32):
            yield from compared(name, image, seen, k)


def responses(photo: NDArray[np.float64]) -> Any:
    """Segment textures: how much each pixel responds to 24 Gabor filters."""
    import PIL.Image
    from scipy.signal import fftconvolve
    from skimage.filters import gabor_kernel

    gray = PIL.Image.fromarray((photo.mean(axis=2) * 255).astype(np.uint8))
    for megapixels in (0.13, 2):
        scale = (megapixels * 1e6 / (gray.width * gray.height)) ** 0.5
        size = round(gray.width * scale), round(gray.height * scale)
        picture = np.asarray(gray.resize(size)) / 255
        kernels = [
            gabor_kernel(frequency, theta)  # type: ignore[no-untyped-call]
            for frequency in (0.05, 0.1, 0.2, 0.4)
            for theta in np.arange(6) * np.pi / 6
        ]
        planes = [np.abs(fftconvolve(picture, kernel, mode="same")) for kernel in kernels]
        image = np.stack(planes, axis=-1).astype(np.float32)
        yield from compared(f"24 Gabor responses, {megapixels} MP", image, None, 8)


def compared(name: str, image: NDArray[Any], seen: NDArray[np.bool_] | None, k: int) -> Any:
    """Segment an image from the same centers to the same stop, and by everybody's defaults."""
    from sklearn.cluster import KMeans

    from kmeans_seg import segment

    peers: dict[str, Callable[..., Any]] = {"scikit-learn": KMeans}
    if find_spec("sklearnex"):
        peers["scikit-learn-intelex"] = import_module("sklearnex.cluster").KMeans
    pixels = image.reshape(-1, image.shape[2]) if seen is None else image[seen]
    points = pixels.astype(np.float32)
    start = points[np.random.default_rng(0).choice(len(points), k, replace=False)]
    model = KMeans(k, init=start, n_init=1).fit(points)
    one_less = KMeans(k, init=start, n_init=1, tol=0, max_iter=model.n_iter_ - 1)
    tol = float(np.mean(one_less.fit(points).labels_ != model.labels_))
    options: dict[str, Any] = {"space": "raw", "mask": seen}
    init = start.astype(np.float64)
    ours = seconds(lambda: segment(image, k, init=init, tol=tol, **options))
    found = segment(image, k, init=init, tol=tol, **options)
    default = seconds(lambda: segment(image, k, tol=0.001, **options))
    result = segment(image, k, tol=0.001, **options)
    for peer, make in peers.items():
        ended: Any = make(k, init=start, n_init=1)
        theirs = seconds(lambda: ended.fit(points))  # noqa: B023
        work = f"{name}, k = {k}, the same start and stop"
        yield row(work, peer, ours, theirs, found.inertia / ended.inertia_ - 1)
        drawn: Any = make(k, random_state=0)
        theirs = seconds(lambda: drawn.fit(points), 1)  # noqa: B023
        work = f"{name}, k = {k}, defaults (ours with tol=0.001)"
        yield row(work, peer, default, theirs, result.inertia / drawn.inertia_ - 1)
    to_the_end = seconds(lambda: segment(image, k, init=init, **options), 1)
    yield row(f"{name}, k = {k}, to the very end", "n/a", to_the_end, None, None)


def shuffled(photo: NDArray[np.float64]) -> Any:
    """Cluster colors in a random order, beside the same in Morton order."""
    from kmeans_seg import kmeans
    from kmeans_seg.fast.counting import distinct_colors

    found = distinct_colors([(photo * 255).astype(np.uint8).reshape(-1, 3)])
    order = np.random.default_rng(0).permutation(len(found.counts))
    for k in (8, 64, 256):
        init = found.colors[order[:k]].astype(np.float64)
        times = []
        for places in (order, np.arange(len(order))):
            colors, counts = found.colors[places], found.counts[places]
            times.append(seconds(lambda: kmeans(colors, k, weights=counts, init=init)))  # noqa: B023
        work = f"{len(order):,} colors in random order, k = {k}"
        yield row(work, "in Morton order", times[0], times[1], None)


def many_dimensions(photo: NDArray[np.float64]) -> Any:
    """Cluster points of 50 dimensions into 256 clusters."""
    from sklearn.cluster import KMeans

    from benchmarks.gigapixel import Peak
    from kmeans_seg import kmeans

    for n in (200_000, 1_000_000):
        rng = np.random.default_rng(0)
        points = rng.normal(size=(200, 50))[rng.integers(0, 200, n)]
        points += rng.normal(0, 0.7, points.shape)
        model = KMeans(256, random_state=0)
        theirs = seconds(lambda: model.fit(points), 1)  # noqa: B023
        results: list[Any] = []
        with Peak() as peak:
            ours = seconds(lambda: results.append(kmeans(points, 256, tol=0.001)), 1)  # noqa: B023
        yield row(
            f"{n:,} points of 50 dimensions, k = 256, defaults (ours with tol=0.001): "
            f"{(peak.bytes - peak.start) / 1e6:.0f} MB over the points",
            "scikit-learn", ours, theirs, results[0].inertia / model.inertia_ - 1,
        )  # fmt: skip


def on_dask(photo: NDArray[np.float64]) -> Any:
    """Segment a dask array with two workers."""
    import dask.array as da
    from dask.distributed import Client, LocalCluster
    from dask_ml.cluster import KMeans

    from kmeans_seg import segment
    from kmeans_seg.dask import segment as segment_dask

    image = as_uint16(photo)
    expected = segment(image, 8, space="raw", tol=0.001, strategy="blocks")
    with LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster:  # noqa: SIM117
        with Client(cluster):
            lazy = da.from_array(image, chunks=(300, 400, -1)).persist()
            found: list[Any] = []

            def ours() -> None:
                result = segment_dask(lazy, 8, space="raw", tol=0.001)
                found.append(np.asarray(result.labels))

            points = lazy.reshape(-1, 10).astype(np.float32).persist()

            def theirs() -> None:
                KMeans(8, random_state=0).fit(points).labels_.compute()

            times = seconds(ours, 1), seconds(theirs, 1)
    assert (found[0] == expected.labels).all()
    yield row("10 bands of uint16 as a dask array, 2 workers, k = 8", "dask-ml", *times, None)


def mapped(photo: NDArray[np.float64]) -> Any:
    """Segment memory-mapped scenes under a limit of memory, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for work, image, megapixels in (
            ("10 bands of uint16", as_uint16(photo), 30),
            ("4 bands of float32", bands(photo, 4, 0.01).astype(np.float32), 100),
        ):
            path = Path(folder, f"{work}.npy")
            rows = round(megapixels * 1e6 / image.shape[1])
            whole = np.lib.format.open_memmap(
                path, "w+", image.dtype, (rows, image.shape[1], image.shape[2])
            )
            for first in range(0, rows, len(image)):
                part = image[: rows - first]
                whole[first : first + len(part)] = part + np.asarray(first % 7, image.dtype)
            whole.flush()
            del whole
            command = [sys.executable, "-m", "benchmarks.scenes", "--mapped", str(path)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout)
            name = f"{megapixels} MP of {work} in a memory map, k = 8, tol=0.001"
            told = f"{found['passes']} passes, at most {found['peak']:.0f} MB of private memory"
            yield row(f"{name}: {told}", "n/a", found["seconds"], None, None)
            if megapixels == 30:
                yield from mapped_peers(path, name, found)
            path.unlink()


def mapped_peers(path: Path, name: str, ours: dict[str, float]) -> Any:
    """Segment a file by what scikit-learn has for it: block by block, or whole if it fits."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    points = np.load(path, mmap_mode="r").reshape(-1, 10)
    blocks = [slice(first, first + 2**20) for first in range(0, len(points), 2**20)]
    mini = MiniBatchKMeans(8, random_state=0)

    def in_blocks() -> None:
        for block in blocks:
            mini.partial_fit(points[block].astype(np.float32))
        for block in blocks:
            mini.predict(points[block].astype(np.float32))

    theirs = seconds(in_blocks, 1)
    inertia = 0.0
    for block in blocks:
        away = points[block] - mini.cluster_centers_[mini.predict(points[block].astype(np.float32))]
        inertia += float(np.square(away, dtype=np.float64).sum())
    peer = "MiniBatchKMeans, one `partial_fit` for each block"
    yield row(name, peer, ours["seconds"], theirs, ours["inertia"] / inertia - 1)
    whole = KMeans(8, random_state=0)
    theirs = seconds(lambda: whole.fit(points.astype(np.float32)), 1)
    peer = "scikit-learn, all in memory"
    yield row(name, peer, ours["seconds"], theirs, ours["inertia"] / whole.inertia_ - 1)


def segment_mapped(path: Path) -> None:
    """Segment a file under a limit of memory, and print how that went."""
    import resource

    from benchmarks.gigapixel import LIMIT, Peak
    from kmeans_seg import segment

    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    image = np.load(path, mmap_mode="r")
    out = np.lib.format.open_memmap(path.with_suffix(".labels.npy"), "w+", np.int8, image.shape[:2])
    with Peak() as peak:
        start = time.perf_counter()
        result = segment(image, 8, space="raw", strategy="blocks", tol=0.001, out=out)
        took = time.perf_counter() - start
    told = {"seconds": took, "passes": result.n_iter, "peak": peak.bytes / 1e6}
    print(json.dumps({**told, "inertia": result.inertia}))


if __name__ == "__main__":
    main()
