"""Where to start: step 1 of the algorithm, choose k centers.

k-means++ draws each next center among the points with a probability in
proportion to its squared distance from the centers drawn so far. "random"
draws among the points as they are. Both draw in exact arithmetic (`sums`), so
the seeds depend on the random generator and the points alone.

Left out: centers that the caller gives, which need no drawing.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation
from .assignment import Floats, squared_distances
from .sums import exact_sum, unit_for
from .validation import RandomGenerator


@dataclass(frozen=True, eq=False, slots=True)
class Seed:
    """One point drawn as a center.

    Attributes
    ----------
    index
        The index of the point that was drawn.
    distances
        Array (n,) of float64: the squared distance of every point to the
        nearest of the seeds drawn before; None for the first seed.
    """

    index: int
    distances: Floats | None


Seeds = Generator[Seed, None, Floats]


def kmeans_plusplus(
    points: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    trials: int | None = None,
    rng: RandomGenerator = 0,
) -> Floats:
    """Choose k of the points as centers by (greedy) k-means++.

    The first is drawn in proportion to the weights, each next in proportion
    to weight times squared distance to the nearest center so far. The greedy
    form draws several candidates each time and keeps the one that leaves the
    smallest sum of weighted squared distances.

    Parameters
    ----------
    points
        Array (n, C) of finite numbers.
    k
        The number of centers, at most n.
    weights
        Array (n,) of positive numbers; by default every point weighs 1.
    trials
        Candidates for each center: 1 is the textbook form, the default is
        2 + ⌊ln k⌋.
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
    points = validation.as_points(points)
    k = validation.as_k(k, len(points), "points")
    weights = validation.as_weights(weights, len(points))
    trials = None if trials is None else validation.as_count("trials", trials)
    generator = validation.as_generator(rng)
    seeds = plusplus_seeds(points, k, weights, generator, trials)
    return points[[seed.index for seed in seeds]]


def plusplus_seeds(
    points: Floats,
    k: int,
    weights: Floats | None,
    rng: np.random.Generator,
    trials: int | None = None,
) -> Seeds:
    """Yield the seeds of k-means++ one by one and return the centers, at most k."""
    if weights is None:
        weights = np.ones(len(points))
    if trials is None:
        trials = 2 + int(math.log(k))
    index = draw(weights, 1, rng)[0]
    yield Seed(int(index), None)
    chosen = [index]
    closest = squared_distances(points, points[index])
    while len(chosen) < k and (potential := weights * closest).any():
        candidates = draw(potential, trials, rng)
        remaining = math.inf
        for candidate in candidates:
            distances = np.minimum(closest, squared_distances(points, points[candidate]))
            total = exact_sum(weights * distances) if trials > 1 else 0.0
            if total < remaining:
                index, remaining, next_closest = candidate, total, distances
        yield Seed(int(index), closest)
        chosen.append(index)
        closest = next_closest
    return points[chosen]


def random_seeds(points: Floats, k: int, weights: Floats | None, rng: np.random.Generator) -> Seeds:
    """Yield seeds drawn in proportion to the weights, never the same point twice."""
    available = np.ones(len(points)) if weights is None else weights.copy()
    closest = None
    chosen: list[np.intp] = []
    while len(chosen) < k and available.any():
        index = draw(available, 1, rng)[0]
        yield Seed(int(index), closest)
        chosen.append(index)
        distances = squared_distances(points, points[index])
        closest = distances if closest is None else np.minimum(closest, distances)
        available[distances == 0] = 0
    return points[chosen]


def draw(potential: Floats, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw `size` indices with replacement, in proportion to `potential`.

    The potential is rounded to whole numbers of a unit, so that its running
    sum is exact.
    """
    cumulative = np.rint(potential / unit_for(potential)).cumsum()
    drawn: NDArray[np.intp] = np.searchsorted(
        cumulative, rng.random(size) * cumulative[-1], side="right"
    )
    return drawn


# Every way to choose centers among the points, by name.
INITS = {"k-means++": plusplus_seeds, "random": random_seeds}
