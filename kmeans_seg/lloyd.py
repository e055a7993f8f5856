"""Lloyd's algorithm: THE loop. Everything that clusters drains it, nothing else loops.

Steps 2 to 6 of the algorithm, once the centers are chosen (`seeding`):

2. compute the distance between every point and every center;
3. assign each point to its nearest center;
4. recompute each center as the mean of its points;
5. compute the distances again;
6. if no point was reassigned stop, else go on from 3.

The distances stand in `assignment`, the means in `sums`. Left out: when to
give up (`max_iter`) and which of several runs to keep, both in `clustering`.
"""

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation
from .assignment import (
    Assigner,
    Broadcast,
    Floats,
    Indices,
    Labels,
    SmallLabels,
    own_distances,
    squared_distances,
)
from .errstate import default_errstate, each_in_default_errstate
from .exact import exact_sum
from .pruning import PrunedAssigner
from .sums import ClusterSums

# Every way to assign, by name. Each takes the points and makes an assigner; what it
# remembers from one call to the next stays inside it. All give the same labels.
ASSIGNERS: dict[str, Callable[[Floats, SmallLabels], Assigner]] = {
    "pruned": PrunedAssigner,
    "broadcast": Broadcast,
}


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One pass of the loop: the centers, and the assignment of every point to the nearest.

    Its arrays are read-only, because the loop goes on from them.

    Attributes
    ----------
    iteration
        1 for the first pass.
    centers
        Array (k, C) of float64: the centers that the points were assigned to.
    reassigned
        Array of the indices of the points whose label changed in this pass,
        ascending; all points in the first, none in the last.
    weights
        Array (k,) of float64: the weight of each cluster's points, which is
        their number where the points have no weights.

    Examples
    --------
    >>> step = next(lloyd([[0], [1], [5], [9]], centers=[[0], [1]]))
    >>> step.labels, step.weights
    (array([0, 1, 1, 1], dtype=int32), array([1., 3.]))
    >>> step.moved, step.inertia
    (4.0, 80.0)
    """

    iteration: int
    centers: Floats
    reassigned: NDArray[np.intp]
    weights: Floats
    _labels: SmallLabels
    _state: "State"

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.centers, self.reassigned, self.weights):
            array.flags.writeable = False

    @property
    def labels(self) -> Labels:
        """Array (n,) of int32: for each point the index of its nearest center.

        It is made when it is asked for.
        """
        labels = self._labels.astype(np.int32)
        labels.flags.writeable = False
        return labels

    @property
    @default_errstate
    def moved(self) -> float:
        """The weight of the reassigned points: pixels, when the points are counted colors."""
        weights = self._state.weights
        if weights is None:
            return float(self.reassigned.size)
        return exact_sum(weights[self.reassigned])

    @property
    @default_errstate
    def inertia(self) -> float:
        """The objective: the weighted sum of squared distances to the assigned centers.

        It is computed when it is asked for, and the same in any order of the points.
        """
        weights = self._state.weights
        distances = own_distances(self._state.points, self.centers, self._labels)
        return exact_sum(distances if weights is None else weights * distances)


@default_errstate
def lloyd(
    points: ArrayLike,
    centers: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    assign: str = "pruned",
) -> Iterator[Step]:
    """Iterate Lloyd's algorithm from the given centers until no point is reassigned.

    A tie between centers goes to the lowest index. A center without points
    moves to the point that is farthest from its own center (the
    lexicographically smallest of equally far ones), and the points are
    assigned again before the step is given out: every cluster of a step has
    points, unless there are fewer distinct points than centers.

    The same points, weights and centers give the same steps, bit for bit, in
    whatever order the points come.

    It always ends. Where points differ by a few units in the last place of
    float64, the rounding of the means can lead back to earlier centers: then
    the last step is the one of least inertia in this cycle, the earliest of
    equals.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    centers
        Array (k, C): where to start.
    weights
        Array (n,) of positive numbers; by default every point weighs 1.
    labels
        Array (n,) of int: the labels before the first pass, if there are any
        to go on from; by default the first pass assigns every point anew.
    assign
        The name of a strategy; both give the same labels. "pruned" leaves out
        the distances that cannot matter, "broadcast" computes every one.

    Returns
    -------
    steps
        An iterator of `Step`. The labels of a step are those of its nearest
        centers. In the last, no point is reassigned and every center is the
        mean of its points, unless it ends a cycle.

    Raises
    ------
    TypeError, ValueError
        At the call, if an argument is not of the form above.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM" (1957; 1982).

    Examples
    --------
    >>> for step in lloyd([[0], [1], [5], [9]], centers=[[0], [1]]):
    ...     print(step.iteration, step.centers.ravel(), step.labels, step.reassigned.size)
    1 [0. 1.] [0 1 1 1] 4
    2 [0. 5.] [0 0 1 1] 1
    3 [0.5 7. ] [0 0 1 1] 0
    """
    points = validation.as_points(points)
    weights = validation.as_weights(weights, len(points))
    centers = validation.as_centers("centers", centers, None, points.shape[1])
    labels = validation.as_labels(labels, len(points), len(centers))
    validation.check_choice("assign", assign, ASSIGNERS)
    state = State(points, weights, len(centers), assign, labels)
    return each_in_default_errstate(iterate(state, centers))


class State:
    """What the loop keeps from one pass to the next.

    Attributes
    ----------
    points, weights
        What is clustered, as `lloyd` takes it, checked.
    labels
        The labels of the last pass; before the first the given ones, or -1.
    nearest
        The assigner: from centers to labels.
    clusters
        The sums of the points of each cluster.
    """

    def __init__(
        self,
        points: Floats,
        weights: Floats | None,
        k: int,
        assign: str,
        labels: Labels | None = None,
    ) -> None:
        self.points, self.weights = points, weights
        self.clusters = ClusterSums(points, weights, k)
        if labels is None:
            labels = np.full(len(points), -1, np.int32)  # a label that no center has
        else:
            self.clusters.move(np.arange(len(points)), None, labels)
        self.labels: SmallLabels = labels
        self.nearest = ASSIGNERS[assign](points, labels)

    def settled(self, step: Step) -> bool:
        """Whether a step, the last one made, would be repeated for ever.

        Labels that the caller gave may agree with centers that are no means.
        """
        if step.reassigned.size:
            return False
        means = self.clusters.means(otherwise=step.centers)
        return bool((means == step.centers).all())

    def reorder(self, order: Indices) -> None:
        """Let the center that was number order[i] be number i from now on."""
        self.labels = order.argsort().astype(np.int32)[self.labels]
        self.nearest.reorder(order)
        self.clusters.reorder(order)


def iterate(state: State, centers: Floats, first: int = 1) -> Generator[Step, None, None]:
    """Do the work of `lloyd`, whose arguments have been checked; the first pass is `first`."""
    nearest, clusters = state.nearest, state.clusters
    cycle = Cycle()
    for iteration in itertools.count(first):
        previous = state.labels
        labels, reassigned = nearest(centers)  # 2, 3 and 5: distances, nearest center
        old = None if previous[0] < 0 else previous[reassigned]
        clusters.move(reassigned, old, labels[reassigned])
        if clusters.empty():
            before = labels
            centers, labels = fill_empty(nearest, state.points, centers, before)
            moved = np.flatnonzero(labels != before)
            clusters.move(moved, before[moved], labels[moved])
            reassigned = np.flatnonzero(labels != previous)
        state.labels = labels
        step = Step(iteration, centers, reassigned, clusters.weights, labels, state)
        yield step
        if state.settled(step) or cycle.ends_with(step):
            return  # 6: no point was reassigned
        centers = clusters.means(otherwise=centers)  # 4: the mean of each cluster


class Cycle:
    """Notices when rounding leads the loop back to earlier centers.

    The cycle is gone through once more to compare its steps, and ends with the
    one of least inertia.
    """

    def __init__(self) -> None:
        self._passes: dict[int, int] = {}  # by the hash of their centers
        self._length = 0  # of the cycle, once centers have returned
        self._centers: Floats  # that returned first
        self._costs: list[float] = []  # the inertia of each step since then

    def ends_with(self, step: Step) -> bool:
        """Whether to end with this step: it is the best of a cycle that was gone through."""
        if not self._length:
            first = self._passes.setdefault(hash(step.centers.tobytes()), step.iteration)
            self._length, self._centers = step.iteration - first, step.centers
        if not self._length:
            return False
        self._costs.append(step.inertia)
        if len(self._costs) == self._length + 1 and (step.centers != self._centers).any():
            self._length, self._costs = 0, []  # other centers had the same hash
            return False
        return len(self._costs) > self._length and step.inertia == min(self._costs)


def fill_empty(
    nearest: Assigner, points: Floats, centers: Floats, labels: SmallLabels
) -> tuple[Floats, SmallLabels]:
    """Move each center without points to the point farthest from its own center; assign again.

    A center moved so sits on a point that no other center sits on, and never
    loses it again within this call: it ends after at most k rounds. It ends
    too where the points of every cluster are equal. Their distance need not
    be 0 then, as their mean is rounded: taken for a reason to move a center,
    it would be one again after every update.
    """
    while True:
        empty = np.setdiff1d(np.arange(len(centers)), labels)
        distances = own_distances(points, centers, labels)
        member = np.zeros(len(centers), np.intp)
        member[labels] = np.arange(len(points))  # any one of each cluster
        nowhere_to_go = (points == points[member[labels]]).all() or not distances.any()
        if empty.size == 0 or nowhere_to_go:
            return centers, labels
        centers = centers.copy()
        for cluster in empty:
            farthest = np.flatnonzero(distances == distances.max())
            # The smallest, not the first: the order of the points shall not matter.
            chosen = farthest[np.lexsort(points[farthest].T[::-1])[0]]
            centers[cluster] = points[chosen]
            distances = np.minimum(distances, squared_distances(points, points[chosen]))
            if not distances.any():
                break
        labels, _ = nearest(centers)
