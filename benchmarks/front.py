"""Inertia against time: what each library reaches in how long, on whole photos.

    python -m benchmarks.front [--photos DIR] [-k 8 64] [--rounds 3] [--out docs/benchmarks]
        [--peers NAME ...]

Every library goes from an image of uint8 to a label for every pixel, with its own
defaults but for the number of starts, on all processors. The time is the
fastest of a few rounds, taken in turns. The inertia is that of the labels: the
sum of squared distances of the pixels to the mean of their segment, for every
library alike. It is given relative to the least that any of them reached.

Prints tables in Markdown and draws `front.png`. scikit-learn-intelex, which
patches scikit-learn, runs in a process of its own (`--intelex PYTHON` names one).
Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE before: they slow the peers' BLAS.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kmeans_seg

from .conftest import SMALL
from .peers import as_float32, faiss, opencv, pillow, scikit_learn

Image = NDArray[np.uint8]
Labels = NDArray[Any]
Run = Callable[[Image, int], Labels]


def ours(**options: Any) -> Run:
    return lambda image, k: kmeans_seg.segment(image, k, **options).labels


def mini_batch(image: Image, k: int) -> Labels:
    from sklearn.cluster import MiniBatchKMeans

    return np.asarray(MiniBatchKMeans(k, random_state=0).fit_predict(as_float32(image)))


def geokmeans(image: Image, k: int) -> Labels:
    model = import_module("geokmeans").GeoKMeans(n_clusters=k, random_state=0)
    return np.asarray(model.fit_predict(image.reshape(-1, 3).astype(np.float64)))


def libimagequant(image: Image, k: int) -> Labels:
    imagequant = import_module("imagequant")

    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    rgba = np.concatenate((image, alpha), axis=2).tobytes()
    labels, _ = imagequant.quantize_raw_rgba_bytes(
        rgba, image.shape[1], image.shape[0], dithering_level=0.0, max_colors=k
    )
    return np.frombuffer(labels, np.uint8)


PEERS: dict[str, dict[str, Run]] = {
    "kmeans_seg": {f"n_init={n}": ours(n_init=n) for n in (1, 3, 10)},
    "kmeans_seg, one draw": {"k-means++": ours(init="k-means++")},
    "scikit-learn": {f"n_init={n}": partial(scikit_learn, n_init=n) for n in (1, 3, 10)},
    "MiniBatchKMeans": {"": mini_batch},
    "OpenCV": {f"attempts={n}": partial(opencv, attempts=n) for n in (1, 3, 10)},
    "faiss": {f"nredo={n}": partial(faiss, nredo=n) for n in (1, 3, 10)},
    "geokmeans": {"": geokmeans},
    "libimagequant": {"": libimagequant},
    "Pillow": {"": pillow},
}
LEAST = 1e-5  # what is closer to the lowest inertia is drawn here
SLOW = 10.0  # seconds: what took longer is run once, and not with more starts
MOST = 64  # with more centers, each library starts once
LARGE = 4e6  # numbers: above this, the default MiniBatchKMeans takes minutes
MOST_COLORS = {"libimagequant": 256, "Pillow": 256}
NEEDS = {"OpenCV": "cv2", "faiss": "faiss", "libimagequant": "imagequant", "geokmeans": "geokmeans"}
NEEDS |= {"scikit-learn": "sklearn", "MiniBatchKMeans": "sklearn"}


def inertia(image: NDArray[Any], labels: Labels) -> float:
    """Return the sum of squared distances of the pixels to the mean of their segment."""
    flat = labels.ravel()
    pixels = image.reshape(len(flat), -1).astype(np.float64)
    counts = np.maximum(np.bincount(flat), 1)
    total = 0.0
    for channel in pixels.T:
        away = channel - (np.bincount(flat, channel) / counts)[flat]
        total += float(np.square(away).sum())
    return total


def measured(
    image: Image, k: int, rounds: int, peers: list[str]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the time and the inertia of each library at each number of starts."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for turn in range(rounds):
        for name in peers:
            too_large = name == "MiniBatchKMeans" and image.size > LARGE
            if too_large or k > MOST_COLORS.get(name, k) or not find_spec(NEEDS.get(name, "numpy")):
                continue
            for starts, run in list(PEERS[name].items())[: None if k <= MOST else 1]:
                fewer = [seconds for (other, _), (seconds, _) in found.items() if other == name]
                again = found.get((name, starts), (0.0, 0.0))[0]
                if again > SLOW or (turn == 0 and any(seconds > SLOW for seconds in fewer)):
                    continue
                if turn == 0:
                    run(image[:16, :16], 2)  # imports what it needs
                start = time.perf_counter()
                labels = run(image, k)
                seconds = time.perf_counter() - start
                before = found.get((name, starts), (np.inf, 0.0))[0]
                found[name, starts] = (min(before, seconds), inertia(image, labels))
    return found


INTELEX = """
import sys, time
from sklearnex import patch_sklearn
patch_sklearn(verbose=False)
import numpy as np
from sklearn.cluster import KMeans
image, k, rounds = np.load(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
KMeans(2, n_init=1).fit(np.random.default_rng(0).random((99, 3)).astype(np.float32))
for _ in range(rounds):
    start = time.perf_counter()
    labels = KMeans(k, n_init=1, random_state=0).fit_predict(
        image.reshape(-1, 3).astype(np.float32))
    print(time.perf_counter() - start, flush=True)
np.save(sys.argv[4], labels)
"""


def intelex(python: str, image: Image, k: int, rounds: int) -> tuple[float, float]:
    """Run scikit-learn-intelex by a Python that has it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "image.npy"), Path(folder, "labels.npy")
        np.save(source, image)
        words = [python, "-c", INTELEX, str(source), str(k), str(rounds), str(target)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        times = [float(line) for line in done.stdout.split()]
        return min(times), inertia(image, np.load(target))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("-k", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--intelex", metavar="PYTHON")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    paths = sorted(args.photos.glob("*.jp*g")) if args.photos else []
    results: dict[str, Any] = {}
    for k in args.k:
        for path in (*paths, *SMALL[:1]):
            image = kmeans_seg.read(path)
            found = measured(image, k, args.rounds, args.peers)
            if args.intelex:
                name = ("scikit-learn-intelex", "n_init=1")
                found[name] = intelex(args.intelex, image, k, args.rounds)
            least = min(cost for _, cost in found.values())
            results[f"{path.stem}, k = {k}"] = [
                [*name, seconds, cost / least - 1] for name, (seconds, cost) in found.items()
            ]
            print(f"{path.stem}, k = {k}", file=sys.stderr, flush=True)
            if args.out:
                text = json.dumps(results, indent=1)
                (args.out / "front.json").write_text(text, encoding="utf-8")
    print(table(results))
    if args.out:
        plot(results, args.out / "front.png")


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw the excess of inertia over the time, a panel for each photo."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    size = {"figsize": (3.6 * len(results), 3.4), "sharey": True, "squeeze": False}
    figure, panels = plt.subplots(1, len(results), **size)
    names = list(dict.fromkeys(row[0] for rows in results.values() for row in rows))
    colors = {name: f"C{number % 10}" for number, name in enumerate(names)}
    for axes, (title, rows) in zip(panels[0], results.items(), strict=True):
        for name in names:
            own = [row for row in rows if row[0] == name]
            width = 2.5 if name == "kmeans_seg" else 1.0
            axes.plot(
                [row[2] for row in own],
                [100 * max(row[3], LEAST) for row in own],
                "o-", color=colors[name], lw=width, ms=3 + 2 * width, label=name,
            )  # fmt: skip
        axes.set(title=title, xscale="log", yscale="log", xlabel="seconds")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel("inertia above the least, %")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside right")
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=110)


def table(results: dict[str, Any]) -> str:
    """Write times and excess inertia as Markdown: a row for each library."""
    names = list(
        dict.fromkeys((name, starts) for rows in results.values() for name, starts, *_ in rows)
    )
    lines = ["| library | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for name, starts in names:
        cells = []
        for rows in results.values():
            own = [row for row in rows if tuple(row[:2]) == (name, starts)]
            cells.append(f"{own[0][2]:.3g} s, +{own[0][3]:.2%}" if own else "")
        lines.append(f"| {name} {starts} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
