"""k-means on points: seeds, the loop, and the best of several runs.

`kmeans` is the front that checks and warns; `run` is the core, a generator of
everything that happens on the way. The seeds come from `seeding`, the steps
from `lloyd`. Left out: everything about images, which `segmentation` adds.
"""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation
from .assignment import Floats, Labels
from .errstate import each_in_default_errstate
from .lloyd import ASSIGNERS, State, Step, iterate
from .seeding import INITS, Seed
from .validation import RandomGenerator

Result = TypeVar("Result")
# What happens on the way to a result: seeds are drawn, then steps are made.
Events: TypeAlias = Generator[Seed | Step, None, Result]
Callback: TypeAlias = Callable[[Step], object]


class ConvergenceWarning(UserWarning):
    """The loop ended while points were still being reassigned: at max_iter, or in a cycle.

    Examples
    --------
    Where a rough clustering will do, the warning can be silenced:

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ConvergenceWarning)
    ...     clustering = kmeans([[0], [1], [8], [9]], 2, init=[[0], [1]], max_iter=1)
    >>> clustering.converged
    False
    """


class FewerClustersWarning(UserWarning):
    """There are fewer distinct points or colors than clusters were asked for.

    Examples
    --------
    Where that is to be expected, the warning can be silenced:

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FewerClustersWarning)
    ...     clustering = kmeans([[5], [5], [7]], 3)
    >>> clustering.centers.ravel()
    array([5., 7.])
    """


@dataclass(frozen=True, eq=False)
class Clustering:
    """The outcome of k-means. Everything in it belongs together.

    Its arrays are yours to change: nothing else refers to them.

    Attributes
    ----------
    centers
        Array (k, C) of float64.
    labels
        Array (n,) of int32: for each point the index of its nearest center.
    weights
        Array (k,) of float64: the weight of each cluster's points.
    inertia
        The weighted sum of squared distances of the points to their centers.
    n_iter
        The number of passes of the loop, the last of which changed nothing
        if it converged.
    converged
        Whether the last pass reassigned no point: then every center is the
        mean of its points. False if `max_iter` cut the loop short, or if
        rounding led it back to earlier centers.

    Examples
    --------
    >>> clustering = kmeans([[0], [1], [8], [9], [10]], 2)
    >>> clustering
    Clustering(k=2, points=5, inertia=2.5, n_iter=2, converged)
    >>> clustering.centers[clustering.labels].ravel()  # each point's center
    array([0.5, 0.5, 9. , 9. , 9. ])
    """

    centers: Floats
    labels: Labels
    weights: Floats
    inertia: float
    n_iter: int
    converged: bool

    def __repr__(self) -> str:
        """Sum it up in a line."""
        state = "converged" if self.converged else "not converged"
        return (
            f"Clustering(k={len(self.centers)}, points={self.labels.size}, "
            f"inertia={self.inertia:.6g}, n_iter={self.n_iter}, {state})"
        )


def kmeans(
    points: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    init: str | ArrayLike = "k-means++",
    n_init: int = 1,
    max_iter: int = 1000,
    rng: RandomGenerator = 0,
    assign: str = "pruned",
    callback: Callback | None = None,
) -> Clustering:
    """Cluster points by k-means.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    k
        The number of clusters, at most n.
    weights
        Array (n,) of positive numbers; by default every point weighs 1. A
        point of weight 3 counts like three equal points, to the bit where
        points and weights are whole numbers.
    init
        How to choose the centers to start from: "k-means++" (greedy, see
        `kmeans_plusplus`), "random" (distinct points, in proportion to their
        weights), or an array (k, C) of centers.
    n_init
        The number of runs from different seeds; the one of lowest inertia is
        kept, the first of equals. With an array for `init` there is one run.
    max_iter
        The number of passes of the loop after which a run gives up.
    rng
        An int seed, a `numpy.random.Generator`, or None for a fresh seed from
        the system. The default is a fixed seed: the same call gives the same
        clustering.
    assign
        The name of a strategy; both give the same labels. "pruned" leaves out
        the distances that cannot matter, "broadcast" computes every one.
    callback
        Called with every `Step` of the loop, as it is made.

    Returns
    -------
    clustering
        A `Clustering`. It has k clusters, none empty; fewer only if there are
        fewer distinct points.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.

    Warns
    -----
    FewerClustersWarning
        If there are fewer distinct points than k.
    ConvergenceWarning
        If points were still being reassigned after `max_iter` passes, or if
        rounding led back to earlier centers.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM" (1957; 1982).

    Examples
    --------
    >>> clustering = kmeans([[0], [1], [8], [9], [10]], 2)
    >>> clustering.centers.ravel(), clustering.labels
    (array([9. , 0.5]), array([1, 1, 0, 0, 0], dtype=int32))
    >>> clustering.inertia
    2.5
    """
    points = validation.as_points(points)
    k = validation.as_k(k, len(points), "points")
    weights = validation.as_weights(weights, len(points))
    settings = check_settings(k, points.shape[1], init, n_init, max_iter, rng, assign)
    events = run(points, k, weights, settings)
    step, state = drain(each_in_default_errstate(events), callback)
    clustering = conclude(step, state.settled(step))
    warn_of_shortcomings(clustering, k, settings, "points")
    return clustering


@dataclass(frozen=True)
class Settings:
    """The checked settings of a run, as `kmeans` documents them."""

    init: str | Floats
    n_init: int
    max_iter: int
    rng: np.random.Generator
    assign: str


def check_settings(
    k: int,
    channels: int,
    init: str | ArrayLike,
    n_init: int,
    max_iter: int,
    rng: RandomGenerator,
    assign: str,
) -> Settings:
    """Check the settings that `kmeans` and `segment` share."""
    if isinstance(init, str):
        validation.check_choice("init", init, INITS)
    else:
        init = validation.as_centers("init", init, k, channels)
    validation.check_choice("assign", assign, ASSIGNERS)
    return Settings(
        init,
        validation.as_count("n_init", n_init),
        validation.as_count("max_iter", max_iter),
        validation.as_generator(rng),
        assign,
    )


def run(
    points: Floats, k: int, weights: Floats | None, settings: Settings
) -> Events[tuple[Step, State]]:
    """Seed and iterate, `n_init` times; yield all that happens, return how the best run ended."""
    best: tuple[Step, State] | None = None
    for _ in range(settings.n_init):
        if isinstance(settings.init, str):
            centers = yield from INITS[settings.init](points, k, weights, settings.rng)
        else:
            centers = settings.init
        state = State(points, weights, len(centers), settings.assign)
        step = yield from descend(state, centers, 1, settings.max_iter)
        if best is None or step.inertia < best[0].inertia:
            best = step, state
        if not isinstance(settings.init, str):
            break  # every run from the same centers would be the same
    assert best is not None
    return best


def run_in_order(
    points: Floats,
    k: int,
    weights: Floats | None,
    settings: Settings,
    brightness: Callable[[Floats], Floats],
) -> Events[Clustering]:
    """Do what `run` does, and bring the clusters into order from dark to light.

    A point between two centers goes to the lowest index, so a new order may
    reassign it. The loop then goes on from the new order, until it agrees.
    """
    step, state = yield from run(points, k, weights, settings)
    converged = state.settled(step)
    while True:
        order = dark_to_light(step.centers, brightness)
        if (order == np.arange(len(order))).all():
            return conclude(step, converged)
        # The first pass repeats the last one: it starts from its labels and has its number.
        # A loop that was cut short, or ended a cycle, does not go on.
        state.reorder(order)
        last = settings.max_iter if converged else step.iteration
        step = yield from descend(state, step.centers[order], step.iteration, last)
        converged = converged and state.settled(step)


def dark_to_light(centers: Floats, brightness: Callable[[Floats], Floats]) -> NDArray[np.intp]:
    """Return the indices of the centers in order of brightness, equals in order of channels."""
    return np.lexsort((*centers.T[::-1], brightness(centers)))


def descend(state: State, centers: Floats, first: int, last: int) -> Events[Step]:
    """Run the loop to its end, from pass `first` to `last` at most; return the last step."""
    for step in itertools.islice(iterate(state, centers, first), last - first + 1):
        yield step
    return step


def conclude(step: Step, converged: bool) -> Clustering:
    """Make a clustering of the last step."""
    labels, filled = step.labels.copy(), step.weights > 0
    if not filled.all():
        # There are fewer distinct points than centers, or the weight of a cluster is too small to
        # count beside the others: the labels tell.
        filled = np.bincount(labels, minlength=len(filled)) > 0
        labels = (np.cumsum(filled, dtype=np.int32) - 1)[labels]
    return Clustering(
        centers=step.centers[filled],
        labels=labels,
        weights=step.weights[filled],
        inertia=step.inertia,
        n_iter=step.iteration,
        converged=converged,
    )


def drain(events: Events[Result], callback: Callback | None) -> Result:
    """Let everything happen, show each step to `callback`, and return the result."""
    while True:
        try:
            event = next(events)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if callback is not None and isinstance(event, Step):
            callback(event)


def warn_of_shortcomings(clustering: Clustering, k: int, settings: Settings, unit: str) -> None:
    """Warn, on behalf of the public function that called, of what the caller did not ask for."""
    found = len(clustering.centers)
    if found < k:
        warnings.warn(
            f"k={k}, but there are only {found} distinct {unit}: {found} clusters are returned",
            FewerClustersWarning,
            stacklevel=3,
        )
    if not clustering.converged:
        if clustering.n_iter < settings.max_iter:
            message = (
                f"rounding led back to earlier centers, so the loop ended after "
                f"{clustering.n_iter} passes with the best of this cycle: some {unit} differ only "
                "in their last digits; round them if these mean nothing"
            )
        else:
            message = (
                f"{unit} were still being reassigned after max_iter={settings.max_iter} passes: "
                "raise max_iter to let the clustering converge"
            )
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
