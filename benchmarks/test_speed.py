"""How long the same work takes, ours and theirs: one group for every line of the table.

Each benchmark is given the photo first and the peer last, so that ours and the
peers take turns on the same photo. Left out: how the cost grows (`test_growth`),
what else there is to compare but time (`test_quality`).
"""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans

import kmeans_seg
from kmeans_seg.fast.counting import distinct_colors

from .conftest import Measure, pixel_count, pixels
from .peers import (
    ELKAN,
    FLOOR,
    IMAGE_TO_LABELS,
    LLOYD,
    OURS,
    PLAIN,
    SCRIPT,
    SEEDED,
    SEEDS,
    Image,
    numpy_floor,
)


@pytest.mark.parametrize("peer", IMAGE_TO_LABELS)
def test_image_to_labels_8(measure: Measure, large_photo: Path, peer: str) -> None:
    about = {"work": "image to labels", "peer": peer, "photo": large_photo, "k": 8}
    measure(IMAGE_TO_LABELS[peer], pixels(large_photo), 8, **about, rounds=5)


@pytest.mark.parametrize("peer", [OURS, "scikit-learn"])
def test_image_to_labels_64(measure: Measure, large_photo: Path, peer: str) -> None:
    about = {"work": "image to labels", "peer": peer, "photo": large_photo, "k": 64}
    measure(IMAGE_TO_LABELS[peer], pixels(large_photo), 64, **about, rounds=3)


@pytest.mark.parametrize("peer", IMAGE_TO_LABELS)
def test_small_image_to_labels(measure: Measure, china: Path, peer: str) -> None:
    about = {"work": "small image to labels", "peer": peer, "photo": china, "k": 8}
    measure(IMAGE_TO_LABELS[peer], pixels(china), 8, **about, rounds=10)


@pytest.mark.parametrize("peer", SEEDED)
def test_seeds(measure: Measure, photo_or_china: Path, peer: str) -> None:
    about = {"work": "ten seeds", "peer": peer, "photo": photo_or_china, "k": 8}
    rounds = 3 if pixel_count(photo_or_china) < 1e6 else 1
    measure(from_every_seed, SEEDED[peer], pixels(photo_or_china), 8, **about, rounds=rounds)


def from_every_seed(function: Callable[[Image, int, int], object], image: Image, k: int) -> None:
    for seed in SEEDS:
        function(image, k, seed)


@functools.cache
def colors_and_start(path: Path, k: int) -> tuple[NDArray[np.float64], ...]:
    """Return the distinct colors of a photo, their counts, and k centers to start from."""
    found = distinct_colors([pixels(path).reshape(-1, 3)])
    assert found.counts is not None
    points = np.ascontiguousarray(found.colors, np.float64)
    return points, found.counts, kmeans_seg.kmeans_plusplus(points, k, weights=found.counts)


def cluster(
    peer: str,
    points: NDArray[np.float64],
    counts: NDArray[np.float64] | None,
    centers: NDArray[np.float64],
) -> Any:
    """Cluster from the given centers until no point is reassigned."""
    k = len(centers)
    if peer == OURS:
        return kmeans_seg.kmeans(points, k, weights=counts, init=centers)
    if peer == PLAIN:
        return kmeans_seg.kmeans(points, k, weights=counts, init=centers, strategy="plain")
    algorithm = peer.removeprefix("scikit-learn ")
    model = KMeans(k, init=centers, n_init=1, max_iter=1000, tol=0, algorithm=algorithm)
    return model.fit(points, sample_weight=counts)


@pytest.mark.parametrize("peer", [OURS, LLOYD, ELKAN])
@pytest.mark.parametrize(("k", "rounds"), [(8, 3), (64, 2), (256, 1)])
def test_same_start(measure: Measure, large_photo: Path, k: int, rounds: int, peer: str) -> None:
    about = {"work": "distinct colors to the end", "peer": peer, "photo": large_photo, "k": k}
    measure(cluster, peer, *colors_and_start(large_photo, k), **about, rounds=rounds)


@pytest.mark.parametrize("peer", [OURS, FLOOR])
def test_floor(measure: Measure, photo: Path, peer: str) -> None:
    function = numpy_floor if peer == FLOOR else functools.partial(kmeans_seg.segment, k=8)
    about = {"work": "after reading", "peer": peer, "photo": photo, "k": 8}
    measure(function, pixels(photo), **about, rounds=10)


@pytest.mark.parametrize("peer", [OURS, SCRIPT])
def test_command(measure: Measure, largest_photo: Path, peer: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out.png")
    arguments = {
        OURS: ["-m", "kmeans_seg", str(largest_photo), "-k3", "--space=lab", "--force", "-o", out],
        SCRIPT: ["-m", "benchmarks.opencv_script", str(largest_photo), out],
    }[peer]
    about = {"work": "command", "peer": peer, "photo": largest_photo, "k": 3}
    measure(run_python, arguments, **about, rounds=5)


def run_python(arguments: list[str]) -> str:
    """Run Python as a process of its own, from the root of the project."""
    root = Path(__file__).parents[1]
    # Bytecode is kept, as in any installed package, whatever is usual on this machine.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode()


@functools.cache
def floating_point(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a photo as float64 without any two equal pixels, and 8 centers to start from."""
    image = pixels(path) / 255
    image += np.random.default_rng(0).uniform(-0.5, 0.5, image.shape) / 255
    points = image.reshape(-1, 3)
    return image, kmeans_seg.kmeans_plusplus(points, 8)


@pytest.mark.parametrize("peer", [OURS, LLOYD, ELKAN])
def test_floating_point(measure: Measure, smallest_photo: Path, peer: str) -> None:
    image, centers = floating_point(smallest_photo)
    about = {"work": "floating point", "peer": peer, "photo": smallest_photo, "k": 8}
    if peer == OURS:
        segment = functools.partial(kmeans_seg.segment, init=centers)
        measure(segment, image, 8, **about, rounds=2)
    else:
        measure(cluster, peer, image.reshape(-1, 3), None, centers, **about, rounds=2)


@functools.cache
def gabor_responses(path: Path) -> NDArray[np.float64]:
    """Return the size of the responses to Gabor filters of 4 frequencies and 6 directions.

    In the Fourier domain a Gabor filter is a Gaussian around its frequency.
    """
    gray = pixels(path).mean(axis=2)
    spectrum = np.fft.fft2(gray)
    v, u = np.meshgrid(*map(np.fft.fftfreq, gray.shape), indexing="ij")
    responses = []
    for frequency in (0.05, 0.1, 0.2, 0.4):
        for angle in np.arange(6) * np.pi / 6:
            off_u, off_v = u - frequency * np.cos(angle), v - frequency * np.sin(angle)
            gaussian = np.exp((off_u**2 + off_v**2) / (-2 * (frequency / 3) ** 2))
            responses.append(np.abs(np.fft.ifft2(spectrum * gaussian)))
    return np.stack(responses, axis=2)


@pytest.mark.parametrize("peer", [OURS, PLAIN])
def test_many_dimensions(measure: Measure, china: Path, peer: str) -> None:
    segment = functools.partial(kmeans_seg.segment, k=8, space="raw")
    if peer == PLAIN:
        segment = functools.partial(segment, strategy="plain")
    about = {"work": "24 Gabor responses", "peer": peer, "photo": china, "k": 8}
    measure(segment, gabor_responses(china)[::2, ::2], **about, rounds=3)
