"""Clusters of points in blocks: the passes of the plain clusters, which have them in memory."""

import numpy as np
import pytest
from doses import dose

from kmeans_seg.exact import Floats
from kmeans_seg.fast.streamed import StreamedClusters
from kmeans_seg.lloyd import Clusters, steps


def streamed(points: Floats, k: int, block: int) -> StreamedClusters:
    blocks = [points[start : start + block] for start in range(0, len(points), block)]
    blocks = [points[:0], *blocks, points[:0]]
    return StreamedClusters(
        blocks,
        k,
        n=len(points),
        largest=np.abs(points).max(axis=0),
        whole=bool((points == np.rint(points)).all()),
    )


def assert_same_passes(points: Floats, centers: Floats, block: int, tol: float = 0) -> None:
    k = len(centers)
    plain = Clusters(points, np.ones(len(points)), k)
    count = 0
    for one, other in zip(
        steps(streamed(points, k, block), centers, tol=tol),
        steps(plain, centers, tol=tol),
        strict=True,
    ):
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.centers, other.centers)
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(one.reassigned, other.reassigned)
        assert (one.reassigned_weight, one.inertia) == (other.reassigned_weight, other.inertia)
        assert one.converged == other.converged
        count += 1
    assert count > 1


@pytest.mark.parametrize("block", dose([7, 1000], [1, 7, 100, 1000]))
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("tol", [0, 0.05])
def test_every_pass(block: int, whole: bool, tol: float) -> None:
    rng = np.random.default_rng(block)
    points: Floats = rng.integers(0, 60, (300, 4)) / (1 if whole else 7)
    assert_same_passes(points, points[:7].copy(), block, tol)


@pytest.mark.parametrize("seed", range(30))
def test_empty_clusters_are_refilled_by_the_same_rules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3 + seed % 4, (40, 2)).astype(np.float64)
    k = int(rng.integers(2, 9))
    centers = rng.integers(-9, 9, (k, 2)).astype(np.float64)
    if seed % 2:
        centers = np.repeat(points[:1], k, axis=0)
    assert_same_passes(points, centers, int(rng.integers(1, 41)))


def test_equal_points_have_nowhere_to_go() -> None:
    assert_same_passes(np.repeat([[3.0], [5.0]], 4, axis=0), np.array([[3.0], [3.0], [3.0]]), 3)


def test_a_new_order_of_the_clusters() -> None:
    rng = np.random.default_rng(0)
    points, order = rng.random((100, 3)), np.array([2, 0, 1])
    clusters, plain = streamed(points, 3, 30), Clusters(points, np.ones(100), 3)
    for each in (clusters, plain):
        each.assign(points[:3])
        each.renumber(order)
    np.testing.assert_array_equal(clusters.labels, plain.labels)
    np.testing.assert_array_equal(clusters.cluster_weights(), plain.cluster_weights())
    found, expected = (one.update_centers(points[:3]) for one in (clusters, plain))
    np.testing.assert_array_equal(found, expected)
