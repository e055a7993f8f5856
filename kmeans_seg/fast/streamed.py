"""Clusters of points that are not in memory: every pass reads all of them, block by block.

They take the memory of two labels for each point, in as few bytes as hold k,
and of a block. Their labels, means and weights are those of `lloyd.Clusters`.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from ..exact import ONE, Floats, exact_total
from ..lloyd import Clusters, Indices, SmallLabels, own_distances, squared_distance
from .clusters import RunningSums
from .nearest import nearest_center


def running_sums(k: int, *, n: int, largest: Floats, whole: bool) -> RunningSums:
    """Make room for the sums of n points that weigh 1 each, or of some of them."""
    return RunningSums(k, largest, n=n, total=n, whole=whole)


def with_places(blocks: Iterable[Floats]) -> Iterator[tuple[Floats, slice]]:
    """Yield the blocks that have points, and the places of these among all points."""
    start = 0
    for points in blocks:
        if len(points):
            yield points, slice(start, start + len(points))
        start += len(points)


def total_inertia(blocks: Iterable[Floats], centers: Floats, labels: SmallLabels) -> int:
    """Add up the squared distances of points from their centers, in units of 2^-1074."""
    return sum(
        exact_total(own_distances(points, centers, labels[block]))
        for points, block in with_places(blocks)
    )


class StreamedClusters(Clusters):
    """Clusters of points that come in blocks, the same ones in the same order each time.

    `blocks` yields arrays (m, C), n points in all. `largest` (C,) is the
    largest absolute value of each channel, and `whole` says whether all values
    are whole numbers. Every point weighs 1.
    """

    def __init__(
        self, blocks: Iterable[Floats], k: int, *, n: int, largest: Floats, whole: bool
    ) -> None:
        self._blocks, self._n, self.k = blocks, n, k
        self._sums = running_sums(k, n=n, largest=largest, whole=whole)
        self.labels: SmallLabels = self._no_labels()
        self._counted = False  # whether the points are in the sums

    def _no_labels(self) -> SmallLabels:
        return np.full(self._n, -1, np.int8)

    def assign(self, centers: Floats) -> None:
        """Assign each point to its nearest center."""
        before = self.labels
        self.labels = np.empty(self._n, np.min_scalar_type(self.k))
        for points, block in with_places(self._blocks):
            self.labels[block] = nearest_center(points, centers)
            then = before[block] if self._counted else None
            self._sums.follow(points, then, self.labels[block])
        self._counted = True

    def total_weight(self) -> float:
        """Return the number of points."""
        return float(self._n)

    def reassigned_weight(self, before: SmallLabels, labels: SmallLabels) -> float:
        """Return the number of points that have other labels than before."""
        return float(np.count_nonzero(labels != before))

    def cluster_weights(self) -> Floats:
        """Return the number of points of each cluster, (k,)."""
        return self._sums.weights

    def update_centers(self, centers: Floats) -> Floats:
        """Return the mean of each cluster, (k, C), rounded once; an empty one keeps its center."""
        return self._sums.means(otherwise=centers)

    def inertia(self, centers: Floats, labels: SmallLabels) -> float:
        """Return the sum of squared distances of the points to their centers, rounded once."""
        return total_inertia(self._blocks, centers, labels) / ONE

    def renumber(self, order: Indices) -> None:
        """Renumber the clusters: number order[i] becomes number i."""
        self.labels = order.argsort().astype(self.labels.dtype)[self.labels]
        self._sums.renumber(order)

    def refill(self, centers: Floats) -> Floats:
        """Do what `Clusters.refill` does; read all points for each empty cluster."""
        while True:
            empty = np.flatnonzero(self.cluster_weights() == 0)
            if empty.size == 0 or not self._can_split(centers):
                return centers
            filled, centers = centers, centers.copy()
            moved: list[Floats] = []
            for cluster in empty:
                farthest = self._farthest(filled, moved)
                if farthest is None:
                    break
                moved.append(farthest)
                centers[cluster] = farthest + 0.0
            self.assign(centers)

    def _can_split(self, centers: Floats) -> bool:
        """Return whether some cluster has points that differ, and some point is off its center."""
        members: dict[int, Floats] = {}
        differ, apart = False, False
        for points, block in with_places(self._blocks):
            labels = np.asarray(self.labels[block])
            found, first = np.unique(labels, return_index=True)
            for label, place in zip(found.tolist(), first.tolist(), strict=True):
                members.setdefault(label, points[place])
            any_member = np.zeros(centers.shape)
            any_member[list(members)] = list(members.values())
            differ = differ or bool((points != any_member[labels]).any())
            apart = apart or bool(own_distances(points, centers, labels).any())
            if differ and apart:
                return True
        return False

    def _farthest(self, centers: Floats, moved: list[Floats]) -> Floats | None:
        """Find the point farthest from its own center and from those that have `moved`.

        It is the lexicographically smallest of equally far ones; None if all distances are 0.
        """
        best, farthest = 0.0, None
        for points, block in with_places(self._blocks):
            distances = own_distances(points, centers, np.asarray(self.labels[block]))
            for point in moved:
                np.minimum(distances, squared_distance(points, point), out=distances)
            largest = distances.max(initial=0.0)
            if largest == 0 or largest < best:
                continue
            candidates = points[distances == largest]
            if largest == best and farthest is not None:
                candidates = np.vstack((candidates, farthest))
            best, farthest = largest, candidates[np.lexsort(candidates.T[::-1])[0]]
        return farthest
