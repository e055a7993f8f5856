"""The public functions for k-means on points: `kmeans`, `lloyd` and `kmeans_plusplus`.

They check their arguments, run the core (`seeding`, `lloyd`) with the chosen
strategy (`strategies`), keep the best of several runs, and warn. Left out:
everything about images, which `segmentation` adds.
"""

# Keeps annotations from importing numpy.random, the slowest import here.
from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from . import seeding, validation
from .errstate import default_errstate, each_in_default_errstate
from .exact import Floats
from .lloyd import Clusters, Indices, Labels, Step, steps
from .optimal import MOST_VALUES, optimal_centers
from .rehearsals import Round, rehearse
from .strategies import STRATEGIES
from .validation import RandomGenerator

Result = TypeVar("Result")


class Renumbered(NamedTuple):
    """The clusters have new numbers: the one that was number order[i] is number i from now on."""

    order: Indices


# What happens in a run: a round of rehearsals, an initial center drawn (an int: the index of its
# point), a pass, or new numbers.
Event: TypeAlias = Round | int | Step | Renumbered
Events: TypeAlias = Generator[Event, None, Result]
Callback: TypeAlias = Callable[[Step], object]

# More candidates than k-means++ has a use for, but too few to fill the memory.
MOST_TRIALS = 1000

# The ways to choose initial centers, by name.
INITS = ("auto", "optimal", "k-means++", "random")


class ConvergenceWarning(UserWarning):
    """The loop ended while points were still being reassigned: at max_iter, or in a cycle.

    Examples
    --------
    If a rough clustering is enough, silence the warning:

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ConvergenceWarning)
    ...     clustering = kmeans([[0], [1], [8], [9]], 2, init=[[0], [1]], max_iter=1)
    >>> clustering.converged
    False
    """


class FewerClustersWarning(UserWarning):
    """There are fewer distinct points or colors than clusters asked for.

    Examples
    --------
    If you expect that, silence the warning:

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FewerClustersWarning)
    ...     clustering = kmeans([[5], [5], [7]], 3)
    >>> clustering.centers.ravel()
    array([5., 7.])
    """


@dataclass(frozen=True, eq=False)
class Clustering:
    """The result of k-means: labels, centers and inertia of the same pass.

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
        The number of passes of the loop. If it converged, the last one changed
        nothing (or little, with a `tol`).
    converged
        Whether the last pass reassigned no point, so that every center is the
        mean of its points; or, with a `tol`, whether it reassigned at most
        the share `tol` of the weight.
        False if `max_iter` cut the loop short, or if rounding led it back to
        earlier centers.

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
    init: str | ArrayLike = "auto",
    n_init: int = 1,
    max_iter: int = 1000,
    tol: float = 0,
    rng: RandomGenerator = 0,
    strategy: str = "fast",
    assign: None = None,
    callback: Callback | None = None,
) -> Clustering:
    """Cluster points by k-means.

    The result does not depend on the order of the points: they are sorted into
    a canonical order first (`canonical_order` in `distinct`), and the labels
    are returned in your order.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    k
        The number of clusters, at most n.
    weights
        Array (n,) of positive numbers; by default every point weighs 1. A point
        of weight 3 counts like three equal points, with identical bits if
        points and weights are whole numbers.
    init
        How to choose the centers to start from: "auto" (good ones whatever the
        seed, as in `segment`), "k-means++" (greedy, see `kmeans_plusplus`),
        "random" (distinct points, in proportion to their weights), "optimal"
        (the centers with the lowest inertia; only one channel may vary), or an
        array (k, C) of centers.
    n_init
        The number of runs from different initial centers; the one with the lowest
        inertia is kept, or the first of these if there are several. There is only
        one run if `init` is an array or "optimal", or where "auto" chooses
        "optimal".
    max_iter
        The number of passes after which a run gives up.
    tol
        The share of the weight, from 0 to 1, that may still be reassigned in
        the last pass. With 0 the run goes on until no point is reassigned.
    rng
        An int seed, a `numpy.random.Generator`, or None for a fresh seed from
        the system. The default is a fixed seed: the same call gives the same
        clustering.
    strategy
        "fast", or "plain" for the readable code of `lloyd` and `seeding`; both give the
        same bits.
    assign
        The former name of `strategy`: refused, unless it is None.
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
    (array([0.5, 9. ]), array([0, 0, 1, 1, 1], dtype=int32))
    >>> clustering.inertia
    2.5
    """
    points = as_points(points)
    k = validation.as_k(k, len(points), "points")
    weights = as_weights(weights, len(points))
    if not isinstance(init, str):
        init = as_centers("init", init, k, points.shape[1])
    options = Options.checked(
        k, init=init, n_init=n_init, max_iter=max_iter, tol=tol, rng=rng, strategy=strategy,
        assign=assign,
    )  # fmt: skip
    order, arranged, arranged_weights = in_order(points, weights, strategy)
    if callable(callback):  # anything else is refused below
        callback = restoring(callback, order, points, weights)
    del points  # a copy, perhaps, and a large one
    events = each_in_default_errstate(best_run(arranged, arranged_weights, options))
    step, _ = run_to_end(events, callback)
    clustering = conclude(step, step.converged)
    clustering.labels[order] = clustering.labels.copy()
    warn_of_shortcomings(clustering, options, "points")
    return clustering


@default_errstate
def lloyd(
    points: ArrayLike,
    centers: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    strategy: str = "fast",
    assign: None = None,
) -> Iterator[Step]:
    """Iterate Lloyd's algorithm from the given centers until no point is reassigned.

    A tie between centers goes to the lowest index. A center without points
    moves to the point that is farthest from the center it is assigned to (if
    several are equally far, to the lexicographically smallest). The points are
    then assigned again before the step is yielded. So every cluster of a step
    has points, unless there are fewer distinct points than centers.

    The same points, weights and centers give the same steps, bit for bit, in
    whatever order the points come.

    It always ends. Where points differ by a few units in the last place of
    float64, the rounding of the means might lead back to earlier centers: then
    it stops, and the last step is not marked as converged.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    centers
        Array (k, C): where to start.
    weights
        Array (n,) of positive numbers; by default every point weighs 1.
    labels
        Array (n,) of int: the labels before the first pass, to continue from
        earlier ones; by default the first pass assigns every point.
    strategy
        "fast", or "plain" for the readable code of `lloyd` and `seeding`; both give the
        same bits.
    assign
        The former name of `strategy`: refused, unless it is None.

    Returns
    -------
    steps
        An iterator of `Step`. In each step, the label of a point is the index of
        its nearest center. In the last one, no point is reassigned and every
        center is the mean of its points, unless it ends a cycle.

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
    points = as_points(points)
    weights = as_weights(weights, len(points))
    centers = as_centers("centers", centers, None, points.shape[1])
    labels = as_labels(labels, len(points), len(centers))
    check_strategy(strategy, STRATEGIES, assign)
    order, arranged, arranged_weights = in_order(points, weights, strategy)
    labels = None if labels is None else labels[order]
    clusters = STRATEGIES[strategy].clusters(arranged, arranged_weights, len(centers), labels)
    restored = restoring(lambda step: step, order, points, weights)
    return map(restored, each_in_default_errstate(steps(clusters, centers)))


@default_errstate
def kmeans_plusplus(
    points: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    trials: int | None = None,
    rng: RandomGenerator = 0,
) -> Floats:
    """Choose k of the points as centers by (greedy) k-means++.

    The first is drawn in proportion to the weights, each of the others in
    proportion to its weight times its squared distance to the nearest center so
    far. The greedy form draws several candidates each time and keeps the one
    that leaves the smallest sum of weighted squared distances.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    k
        The number of centers, at most n.
    weights
        Array (n,) of positive numbers; by default every point weighs 1.
    trials
        Candidates for each center, at most 1000: 1 is the textbook form, the
        default is 4 + ⌊ln k⌋.
    rng
        An int seed, a `numpy.random.Generator`, or None for a fresh seed from
        the system. The default is a fixed seed: the same call gives the same
        centers.

    Returns
    -------
    centers
        Array (k, C) of float64, distinct; fewer rows if there are fewer than
        k distinct points.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.

    References
    ----------
    D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
    seeding" (2007), which also describes the greedy form.

    Examples
    --------
    >>> kmeans_plusplus([[0], [1], [100], [101]], 2).ravel()
    array([100.,   0.])
    """
    points = as_points(points)
    k = validation.as_k(k, len(points), "points")
    weights = as_weights(weights, len(points))
    if trials is not None:
        trials = validation.as_count("trials", trials, most=MOST_TRIALS)
    _, points, weights = in_order(points, weights, "fast")
    draws = seeding.plusplus(
        points,
        weights,
        k,
        validation.as_generator(rng),
        trials=trials,
        potential_type=STRATEGIES["fast"].potential,
    )
    return points[list(draws)] + 0.0


class Options(NamedTuple):
    """The checked options of a run, as `kmeans` documents them."""

    k: int
    init: str | Floats
    n_init: int
    max_iter: int
    tol: float
    rng: np.random.Generator
    strategy: str

    @classmethod
    def checked(
        cls,
        k: int,
        *,
        init: Any,
        n_init: int = 1,
        max_iter: int,
        tol: float = 0,
        rng: RandomGenerator,
        strategy: str,
        strategies: Collection[str] = STRATEGIES,
        assign: object = None,
    ) -> Options:
        """Check the options that `kmeans` and `segment` share; they check an array in `init`."""
        if isinstance(init, str):
            validation.check_choice("init", init, INITS)
        check_strategy(strategy, strategies, assign)
        return cls(
            k=validation.as_count("k", k, most=math.inf),
            init=init,
            n_init=validation.as_count("n_init", n_init),
            max_iter=validation.as_count("max_iter", max_iter),
            tol=validation.as_real("tol", tol, most=1),
            rng=validation.as_generator(rng),
            strategy=strategy,
        )

    def initial_centers(
        self, points: Floats, weights: Floats
    ) -> Generator[Round | int, None, Floats]:
        """Choose initial centers by the method that `init` names; yield what happens."""
        if self.init == "random":
            return seeding.random(points, weights, self.k, self.rng)
        potential = STRATEGIES[self.strategy].potential
        choose = rehearse if self.init == "auto" else seeding.plusplus
        return choose(points, weights, self.k, self.rng, potential_type=potential)


def best_run(
    points: Floats,
    weights: Floats,
    options: Options,
    clusters_of_all: Callable[[int], Clusters] | None = None,
) -> Events[tuple[Step, Clusters]]:
    """Run k-means `n_init` times; yield all that happens, and return how the best run ended.

    The initial centers are chosen among the points, which are then clustered. If
    they are only a sample, `clusters_of_all` makes k clusters of all points, and
    those are clustered instead.
    """
    start: Floats | None = None
    if not isinstance(options.init, str):
        start = options.init
    elif options.init in ("auto", "optimal"):
        start = optimum(points, weights, options.k, options.init)
    best: tuple[Step, Clusters] | None = None
    for _ in range(options.n_init if start is None else 1):
        centers = start
        if centers is None:
            centers = yield from options.initial_centers(points, weights)
        if clusters_of_all is None:
            clusters = STRATEGIES[options.strategy].clusters(points, weights, len(centers))
        else:
            # A sample may have fewer than k distinct points. Copies of a center are refilled.
            copies = np.repeat(centers[:1], options.k - len(centers), axis=0)
            centers = np.concatenate((centers, copies))
            clusters = clusters_of_all(options.k)
        step = yield from steps(clusters, centers, max_iter=options.max_iter, tol=options.tol)
        if best is None or step.inertia < best[0].inertia:
            best = step, clusters
    assert best is not None
    return best


def optimum(points: Floats, weights: Floats, k: int, init: str) -> Floats | None:
    """Return the centers of lowest inertia if only one channel varies.

    Return None for "auto" where starts are to be rehearsed instead: if more than
    one channel varies, or there are too many values.
    """
    varying = np.flatnonzero((points != points[0]).any(axis=0))
    if len(varying) > 1:
        if init == "auto":
            return None
        raise ValueError(
            f'init="optimal" needs points in which one channel varies, and {len(varying)} do: '
            'use init="auto"'
        )
    channel = int(varying[0]) if varying.size else 0
    values = points[:, channel]
    if init == "auto" and np.unique(values).size > MOST_VALUES:
        return None
    best = optimal_centers(values, k, weights)
    centers = np.repeat(points[:1], len(best), axis=0)
    centers[:, channel] = best
    return centers + 0.0


def run_in_order(
    points: Floats,
    weights: Floats,
    options: Options,
    *,
    brightness: Callable[[Floats], Floats] | None,
    clusters_of_all: Callable[[int], Clusters] | None = None,
) -> Events[Clustering]:
    """Do what `best_run` does, and bring the clusters into order from dark to light.

    A point equally near to two centers goes to the lower-numbered one, so a new
    order may reassign it. The loop then goes on until no point is reassigned.
    Without `brightness`, the clusters keep the order of the initial centers.
    """
    step, clusters = yield from best_run(points, weights, options, clusters_of_all)
    if brightness is None:
        return conclude(step, step.converged, keep_empty=not isinstance(options.init, str))
    converged = step.converged
    while True:
        order = np.lexsort((*step.centers.T[::-1], brightness(step.centers)))
        if (order == np.arange(len(order))).all():
            return conclude(step, converged)
        clusters.renumber(order)
        yield Renumbered(order)
        # The first pass repeats the last one: with its number, from its labels in the new order.
        # A loop that was cut short, or ended a cycle, does not go on.
        step = yield from steps(
            clusters,
            step.centers[order],
            iteration=step.iteration,
            max_iter=options.max_iter if converged else step.iteration,
            tol=options.tol,
        )
        converged = converged and step.converged


@default_errstate
def conclude(step: Step, converged: bool, *, keep_empty: bool = False) -> Clustering:
    """Make a clustering of the last step; clusters without points are left out by default."""
    filled = step.weights > 0
    labels: Any = step._labels  # those of Dask stay with its workers
    labels = step.labels if isinstance(labels, np.ndarray) else np.empty(0, np.int32)
    labels.flags.writeable = True
    if keep_empty:
        filled = np.ones(len(filled), np.bool_)
    elif not filled.all():  # there are fewer distinct points than centers
        labels = (np.cumsum(filled, dtype=np.int32) - 1)[labels]
    return Clustering(
        centers=step.centers[filled],
        labels=labels,
        weights=step.weights[filled],
        inertia=step.inertia,
        n_iter=step.iteration,
        converged=converged,
    )


@default_errstate
def in_order(points: Floats, weights: Floats, strategy: str) -> tuple[Indices, Floats, Floats]:
    """Bring points into their canonical order: return it, and the points and weights in it."""
    order = STRATEGIES[strategy].canonical_order(points, weights)
    return order, points.T.take(order, axis=1).T, weights[order]


def restoring(
    use: Callable[[Step], Result], order: Indices, points: Floats, weights: Floats
) -> Callable[[Step], Result]:
    """Wrap `use` so that it gets each step with the points in the caller's order.

    Point i of a step is point order[i] of `points`, and has the weight order[i] of `weights`.
    """

    def restored(step: Step) -> Result:
        before, labels = np.empty_like(step._before), np.empty_like(step._labels)
        before[order], labels[order] = step._before, step._labels
        clusters = Clusters(points, weights, len(step.centers), labels)
        return use(dataclasses.replace(step, _before=before, _labels=labels, _clusters=clusters))

    return restored


def run_to_end(events: Events[Result], callback: Callback | None) -> Result:
    """Exhaust the generator, pass each `Step` to `callback`, and return its result."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function that takes a Step, not {callback!r}")
    while True:
        try:
            event = next(events)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if callback is not None and isinstance(event, Step):
            callback(event)


def warn_of_shortcomings(clustering: Clustering, options: Options, unit: str) -> None:
    """Warn about missing clusters or missing convergence, for the public function that called."""
    found, k = int(np.count_nonzero(clustering.weights)), options.k
    if found < k:
        distinct = f"are only {found} distinct {unit}" if found > 1 else f"is one {unit[:-1]}"
        size = len(clustering.centers)
        ends = f"the result has k={size}" if size == found else f"{size - found} clusters are empty"
        warnings.warn(
            f"k={k}, but there {distinct}: {ends}",
            FewerClustersWarning,
            stacklevel=3,
        )
    if not clustering.converged:
        if clustering.n_iter < options.max_iter:
            message = (
                f"rounding led back to earlier centers, so the loop ended after "
                f"{clustering.n_iter} passes: some {unit} differ only "
                "in their last digits; round them if these mean nothing"
            )
        else:
            message = (
                f"{unit} were still being reassigned after max_iter={options.max_iter} passes: "
                "raise max_iter to let the clustering converge"
            )
        warnings.warn(message, ConvergenceWarning, stacklevel=3)


def check_strategy(strategy: str, strategies: Collection[str], assign: object) -> None:
    """Check the name of a strategy; refuse the former name of the parameter by the new one."""
    if assign is not None:
        new = {"broadcast": "strategy='plain'", "pruned": "strategy='fast'"}
        raise TypeError(f"assign={assign!r} is called {new.get(str(assign), 'strategy=')} now")
    validation.check_choice("strategy", strategy, strategies)


@default_errstate
def as_points(points: ArrayLike) -> Floats:
    """Check points (n, C); their channels come back as contiguous columns of float64."""
    array = validation.as_numbers("points", points)
    if array.ndim != 2:
        raise ValueError(
            f"points has {array.ndim} dimensions, shape {array.shape}: it must be (n, C), "
            "a row for each point; reshape it first"
        )
    if array.size == 0:
        raise ValueError(f"points is empty, shape {array.shape}: give at least one point")
    columns = np.asarray(array, np.float64, order="F")
    validation.check_span("points", columns)
    return columns


@default_errstate
def as_weights(weights: ArrayLike | None, n: int) -> Floats:
    """Check a positive weight for each of `n` points; None for 1 each."""
    if weights is None:
        return np.ones(n)
    remedy = "leave out the points whose weight is not known"
    array = validation.as_numbers("weights", weights, remedy=remedy).astype(np.float64)
    if array.shape != (n,):
        raise ValueError(f"weights has shape {array.shape}: it must be ({n},), one for each point")
    if not (array > 0).all():
        raise ValueError(
            f"weights contains {array.min()}: every weight must be positive; "
            "leave out the points that should not count"
        )
    return array


@default_errstate
def as_centers(name: str, centers: ArrayLike, k: int | None, channels: int) -> Floats:
    """Check centers (k, C) against the number of clusters, if it is known, and of channels."""
    array = validation.as_numbers(name, centers)
    wanted = (len(array) if array.ndim and k is None else k, channels)
    if array.ndim != 2 or array.shape != wanted or not len(array):
        rows = "k" if k is None else k
        hint = "; k is the number of centers" if array.ndim == 0 else ""
        raise ValueError(
            f"{name} has shape {array.shape}: it must be ({rows}, {channels}), "
            f"a row for each center and a column for each channel{hint}"
        )
    return array.astype(np.float64) + 0.0  # not -0.0, so that equal centers have equal bits


def as_labels(labels: ArrayLike | None, n: int, k: int) -> Labels | None:
    """Check a label from 0 to k - 1 for each of `n` points; None stays None."""
    if labels is None:
        return None
    array = validation.as_numbers("labels", labels, remedy="give each point an integer")
    if array.dtype.kind not in "ui":
        raise TypeError(f"labels has dtype {array.dtype}: it must hold integers")
    if array.shape != (n,):
        raise ValueError(f"labels has shape {array.shape}: it must be ({n},), one for each point")
    if array.min() < 0 or array.max() >= k:
        raise ValueError(
            f"labels goes from {array.min()} to {array.max()}: "
            f"with {k} centers every label must be from 0 to {k - 1}"
        )
    return array.astype(np.int32)
