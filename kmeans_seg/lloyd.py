"""Lloyd's algorithm: the loop that every result comes from. Read this file first.

Step 1 chooses the initial centers (`seeding`). Then the algorithm continues:

2. compute the distance between every point and every center;
3. assign each point to its nearest center;
4. recompute each center as the mean of its points;
5. compute the distances again;
6. if no point was reassigned stop, else go on from 3.

The loop is `steps`. It tests step 6 right after each assignment, before the means are
computed. It works on a `Clusters` object. The one here computes every distance; its
subclasses in `fast` give the same bits. Sums are exact (`exact`).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errstate import default_errstate
from .exact import ONE, Floats, cluster_totals, exact_sum

Labels: TypeAlias = NDArray[np.int32]
SmallLabels: TypeAlias = NDArray[np.integer[Any]]  # int32 here, the smallest dtype in `fast`
Indices: TypeAlias = NDArray[np.intp]
AnyFloat = TypeVar("AnyFloat", bound=np.floating[Any])

BLOCK = 2**15  # distances computed at a time: 256 KiB of them stay in the processor's cache


def squared_distance(points: NDArray[AnyFloat], others: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """Compute the squared Euclidean distance between points and others, channel by channel.

    The leading axes broadcast against each other: all points and one center,
    or each point and a center of its own.

    The channels are added in a fixed order. So a distance has the same bits for
    any memory layout, size of a block or processor.

    Parameters
    ----------
    points, others
        Arrays (..., C) whose leading axes broadcast: float64, or float32 if its
        precision is enough for the caller.

    Returns
    -------
    distances
        Array (...) of the same dtype, in squared units of the points.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> squared_distance(points, np.array([3.0, 0.0]))
    array([ 9., 16.])
    """
    total = np.square(points[..., 0] - others[..., 0])
    for channel in range(1, points.shape[-1]):
        total += np.square(points[..., channel] - others[..., channel])
    return total


def squared_distances(points: Floats, centers: Floats) -> Floats:
    """Compute the squared Euclidean distance between every point and every center.

    Parameters
    ----------
    points
        Array (n, C) of float64.
    centers
        Array (k, C) of float64.

    Returns
    -------
    distances
        Array (n, k), in squared units of the points.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> centers = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    >>> squared_distances(points, centers)
    array([[ 0.,  9.,  1.],
           [25., 16., 18.]])
    """
    # Transposed: so each center's distances lie side by side in memory, which is faster.
    return squared_distance(points, centers[:, np.newaxis]).T


def nearest_center(points: Floats, centers: Floats) -> Labels:
    """Assign each point to its nearest center; a tie goes to the lowest index.

    Parameters
    ----------
    points
        Array (n, C) of float64.
    centers
        Array (k, C) of float64.

    Returns
    -------
    labels
        Array (n,) of int32, from 0 to k - 1.

    Examples
    --------
    >>> nearest_center(np.array([[1.0], [2.0], [9.0]]), np.array([[0.0], [4.0], [8.0]]))
    array([0, 0, 2], dtype=int32)
    """
    labels = np.empty(len(points), np.int32)
    size = max(1, BLOCK // len(centers))
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        distances = squared_distances(points[block], centers)
        labels[block] = distances.argmin(axis=1)  # the lowest index of equals
    return labels


def own_distances(points: Floats, centers: Floats, labels: SmallLabels) -> Floats:
    """Compute the squared distance of each point to the center of its label, block by block."""
    distances = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        own = centers.T.take(labels[block], axis=1).T  # each channel contiguous, which is faster
        distances[block] = squared_distance(points[block], own)
    return distances


class Clusters:
    """Points and their labels: which cluster each point belongs to, and the means.

    Attributes
    ----------
    points
        Array (n, C) of float64.
    weights
        Array (n,) of float64. A point of weight 3 counts as three points: the points
        of an image are its distinct colors, and their weights the numbers of pixels.
    k
        The number of clusters.
    labels
        Array (n,) of integers: the cluster of each point; -1 before the first pass.
    """

    def __init__(
        self, points: Floats, weights: Floats, k: int, labels: SmallLabels | None = None
    ) -> None:
        self.points, self.weights, self.k = points, weights, k
        self.labels: SmallLabels = np.full(len(points), -1, np.int32) if labels is None else labels

    def assign(self, centers: Floats) -> None:
        """Assign each point to its nearest center."""
        self.labels = nearest_center(self.points, centers)

    def total_weight(self) -> float:
        """Return the weight of all points: an exact sum, rounded."""
        return exact_sum(self.weights)

    def reassigned_weight(self, before: SmallLabels, labels: SmallLabels) -> float:
        """Return the weight of the points whose label changed in a pass: an exact sum."""
        return exact_sum(self.weights[np.flatnonzero(labels != before)])

    def inertia(self, centers: Floats, labels: SmallLabels) -> float:
        """Return the weighted sum of squared distances of the points to their centers."""
        return exact_sum(self.weights * own_distances(self.points, centers, labels))

    def cluster_weights(self) -> Floats:
        """Return the weight of each cluster, (k,): an exact sum, rounded; 0 for an empty one."""
        sizes = cluster_totals(self.labels, self.k, self.weights, np.ones(len(self.points)))
        return (sizes / (ONE * ONE)).astype(np.float64)  # from units of 2^-2148 to units of 1

    def update_centers(self, centers: Floats) -> Floats:
        """Return the mean of each cluster, (k, C), rounded once; an empty one keeps its center."""
        means = centers.copy()
        sizes = cluster_totals(self.labels, self.k, self.weights, np.ones(len(self.points)))
        filled = sizes > 0
        for channel, values in enumerate(self.points.T):
            totals = cluster_totals(self.labels, self.k, self.weights, values)
            # Whole numbers of one unit, which cancels. Python rounds their quotient once.
            means[filled, channel] = totals[filled] / sizes[filled]
        return means

    def refill(self, centers: Floats) -> Floats:
        """Move centers without points to the points farthest from their own centers; assign again.

        A moved center sits on a point where no other center is, and keeps that point. Its
        move may leave another cluster empty, whose center is moved in the next round. No
        center is moved twice, so this ends after at most k rounds. It ends earlier if no
        cluster can be split: each consists of copies of one point, or all distances are 0
        (those of tiny numbers underflow).
        """
        while True:
            points, labels = self.points, self.labels
            empty = np.setdiff1d(np.arange(len(centers)), labels)
            if empty.size == 0:
                return centers
            distances = own_distances(points, centers, labels)
            one_of_each = np.zeros(len(centers), np.intp)
            one_of_each[labels] = np.arange(len(points))  # the index of any point of a cluster
            only_copies = (points == points[one_of_each[labels]]).all()
            if only_copies or not distances.any():
                return centers
            centers = centers.copy()
            for cluster in empty:
                farthest = np.flatnonzero(distances == distances.max())
                # The smallest by its channels, so that the order of the points does not matter.
                chosen = farthest[np.lexsort(points[farthest].T[::-1])[0]]
                centers[cluster] = points[chosen] + 0.0  # -0.0 is equal, and has other bits
                distances = np.minimum(distances, squared_distance(points, points[chosen]))
                if not distances.any():
                    break
            self.assign(centers)

    def renumber(self, order: Indices) -> None:
        """Renumber the clusters: number order[i] becomes number i."""
        # The argsort of an order is its inverse.
        self.labels = order.argsort().astype(np.int32)[self.labels]


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One pass of the loop: the centers, and the assignment of every point to the nearest.

    Its arrays are read-only, because the loop continues from them.

    Attributes
    ----------
    iteration
        The number of the pass, 1 for the first.
    centers
        Array (k, C) of float64: the centers that the points were assigned to.
    weights
        Array (k,) of float64: the weight of each cluster's points, which is
        their number where the points have no weights.
    converged
        Whether the loop may stop after this pass: no point was reassigned and
        every center is the mean of its points; or, with a `tol`, at most this
        share of the weight was reassigned.

    Examples
    --------
    >>> from kmeans_seg import lloyd
    >>> step = next(lloyd([[0], [1], [5], [9]], centers=[[0], [1]]))
    >>> step.labels, step.weights
    (array([0, 1, 1, 1], dtype=int32), array([1., 3.]))
    >>> step.reassigned_weight, step.inertia
    (4.0, 80.0)
    """

    iteration: int
    centers: Floats
    weights: Floats
    converged: bool
    _before: SmallLabels
    _labels: SmallLabels
    _clusters: Clusters

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.centers, self.weights):
            array.flags.writeable = False

    def __repr__(self) -> str:
        """Sum it up in a line."""
        return (
            f"Step(pass {self.iteration}: {self.reassigned.size} points reassigned, "
            f"k={len(self.centers)})"
        )

    @property
    def labels(self) -> Labels:
        """Array (n,) of int32: for each point the index of its nearest center.

        Computed on access.
        """
        labels = np.array(self._labels, np.int32)
        labels.flags.writeable = False
        return labels

    @property
    def reassigned(self) -> Indices:
        """Array of the indices of the points whose label changed in this pass, ascending.

        All points in the first pass, unless labels were given, and none in the
        last, if the loop converged. Computed on access.
        """
        reassigned = np.flatnonzero(np.asarray(self._labels != self._before))
        reassigned.flags.writeable = False
        return reassigned

    @property
    @default_errstate
    def reassigned_weight(self) -> float:
        """The weight of the reassigned points: their pixels, if the points are distinct colors."""
        return self._clusters.reassigned_weight(self._before, self._labels)

    @property
    @default_errstate
    def inertia(self) -> float:
        """The weighted sum of squared distances of the points to their centers.

        Computed on access: the exact sum of its terms, rounded.
        """
        return self._clusters.inertia(self.centers, self._labels)


def steps(
    clusters: Clusters,
    centers: Floats,
    *,
    iteration: int = 1,
    max_iter: int | None = None,
    tol: float = 0,
) -> Generator[Step, None, Step]:
    """Run the loop from the given centers; yield a step for each pass, and return the last.

    The first pass has the number `iteration`, and the last at most `max_iter`.
    The loop stops when at most the share `tol` of the weight was reassigned.
    """
    tolerated = tol * clusters.total_weight() if tol else 0.0
    earlier: Floats | None = None
    while True:
        before = clusters.labels
        clusters.assign(centers)  # 2 and 3; from the second pass on, 5 and 3
        weights = clusters.cluster_weights()
        if not weights.all():  # a cluster is empty
            centers = clusters.refill(centers)
            weights = clusters.cluster_weights()
        converged = clusters.reassigned_weight(before, clusters.labels) <= tolerated
        if converged and not tolerated:
            # Then the centers are the means, unless the caller gave labels that do not match them.
            converged = bool((clusters.update_centers(centers) == centers).all())
        step = Step(
            iteration=iteration,
            centers=centers,
            weights=weights,
            converged=converged,
            _before=before,
            _labels=clusters.labels,
            _clusters=clusters,
        )
        yield step
        # 6: stop if no point was reassigned. (Or very few; or after many passes; or in a cycle.)
        in_cycle = earlier is not None and bool((centers == earlier).all())
        if converged or iteration == max_iter or in_cycle:
            return step
        # Rounding could lead back to earlier centers. Those of each pass whose number is a power
        # of two are kept for a while, and no cycle escapes them: R. P. Brent, "An improved Monte
        # Carlo factorization algorithm" (1980).
        if iteration.bit_count() == 1:
            earlier = centers
        centers = clusters.update_centers(centers)  # 4: the mean of each cluster
        iteration += 1
