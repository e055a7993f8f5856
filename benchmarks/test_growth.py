"""How the cost of an iteration grows: with the number of points, and with k.

Every run goes to its end: the last iterations, in which little moves, are most
of them, and what a strategy saves there is what it is for.
"""

from pathlib import Path

import numpy as np
import pytest

import kmeans_seg

from .conftest import Measure
from .peers import ELKAN, LLOYD, OURS, PLAIN
from .test_speed import cluster, colors_and_start

PEERS = [OURS, PLAIN, LLOYD, ELKAN]


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("n", [2**12, 2**14, 2**16, 2**18])
def test_against_n(measure: Measure, largest_photo: Path, n: int, peer: str) -> None:
    compare(measure, largest_photo, "iteration against n", n, 64, peer)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("k", [2, 4, 8, 16, 32, 64, 128, 256])
def test_against_k(measure: Measure, largest_photo: Path, k: int, peer: str) -> None:
    compare(measure, largest_photo, "iteration against k", 2**16, k, peer)


def compare(measure: Measure, photo: Path, work: str, n: int, k: int, peer: str) -> None:
    """Cluster n of the distinct colors of a photo, evenly chosen along their order."""
    colors, counts, _ = colors_and_start(photo, 1)
    n = min(n, len(colors))
    chosen = np.linspace(0, len(colors) - 1, n).astype(np.intp)
    points, weights = colors[chosen], counts[chosen]
    centers = kmeans_seg.kmeans_plusplus(points, k, weights=weights)
    about = {"work": work, "peer": peer, "photo": f"{n} points", "k": k, "n": n}
    measure(cluster, peer, points, weights, centers, **about, rounds=2)
