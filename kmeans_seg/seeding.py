"""Step 1 of the algorithm: choose k initial centers. Read this file second.

k-means++ draws points with a probability proportional to their squared distance to the
nearest center so far. This one is greedy: it draws a few candidates for each center, and
keeps the one that lowers the inertia most. "random" draws in proportion to the weights,
without distances. Both use exact sums (`exact`): the centers depend on the points, their
weights and the random generator alone.

`plusplus` works on a `Potential`, which holds these distances. The `Potential`
here computes every distance; its subclass in `fast` gives the same centers faster.
"""

# Keeps annotations from importing numpy.random, the slowest import here.
from __future__ import annotations

import bisect
import math
from collections.abc import Generator
from typing import TypeAlias

import numpy as np

from .exact import Floats, exact_sum, exact_total
from .lloyd import Indices, squared_distance

# The indices of the points that are drawn as centers, and at the end the centers (k, C).
Draws: TypeAlias = Generator[int, None, Floats]


class Potential:
    """The squared distance of every point to its nearest center so far, and its weight.

    The sum of their products is what the paper on k-means++ calls the potential.
    """

    def __init__(self, points: Floats, weights: Floats, center: Floats) -> None:
        self._points, self._weights = points, weights
        self._distances = squared_distance(points, center)

    def is_positive(self) -> bool:
        """Return whether any point is not on a center."""
        return bool(self._distances.any())

    def draw(self, size: int, rng: np.random.Generator) -> Indices:
        """Draw points in proportion to their weighted distances.

        If all products with the weights underflow, each weight is 1 from now on.
        """
        terms = self._weights * self._distances
        if not terms.any():
            self._weights, terms = np.ones(len(self._points)), self._distances
        return draw(terms, size, rng)

    def add_best(self, candidates: Floats) -> int:
        """Add the candidate that leaves the smallest total as a center; return its index."""
        to_candidates = (squared_distance(self._points, center) for center in candidates)
        lowered = [np.minimum(self._distances, distances) for distances in to_candidates]
        totals = [exact_total(self._weights * distances) for distances in lowered]
        best = totals.index(min(totals))  # the first of equals
        self._distances = lowered[best]
        return best


def plusplus(
    points: Floats,
    weights: Floats,
    k: int,
    rng: np.random.Generator,
    *,
    trials: int | None = None,
    potential_type: type[Potential] = Potential,
) -> Draws:
    """Choose centers by greedy k-means++: yield the index of each point drawn; return the centers.

    The first is drawn in proportion to the weights. For each further center, a
    few candidates are drawn in proportion to weight times squared distance to
    the nearest center so far; the one that leaves the smallest total of these
    products is kept. There are fewer than k centers if there are fewer distinct
    points.
    """
    if trials is None:
        trials = 4 + int(math.log(k))  # two more than scikit-learn: the loop starts lower
    weights = scale_up(weights)
    chosen = [int(draw(weights, 1, rng)[0])]
    yield chosen[0]
    potential = potential_type(points, weights, points[chosen[0]])
    while len(chosen) < k and potential.is_positive():
        candidates = potential.draw(trials, rng)
        best = potential.add_best(points[candidates])
        chosen.append(int(candidates[best]))
        yield chosen[-1]
    return points[chosen] + 0.0  # not -0.0, so that equal points give equal bits


def random(points: Floats, weights: Floats, k: int, rng: np.random.Generator) -> Draws:
    """Draw centers in proportion to the weights, never the same point twice."""
    weights = scale_up(weights).copy()
    chosen: list[int] = []
    while len(chosen) < k and weights.any():
        chosen.append(int(draw(weights, 1, rng)[0]))
        yield chosen[-1]
        # Never again it, or a point equal to it.
        weights[squared_distance(points, points[chosen[-1]]) == 0] = 0
    return points[chosen] + 0.0


def scale_up(weights: Floats) -> Floats:
    """Scale weights by a power of two, so that fewer products with small distances underflow.

    The largest becomes at least 1.
    """
    exponent = int(np.frexp(weights.max())[1])
    return weights if exponent > 0 else np.asarray(np.ldexp(weights, 1 - exponent))


def draw(terms: Floats, size: int, rng: np.random.Generator) -> Indices:
    """Draw indices with replacement, in proportion to terms that are not negative.

    Each is the first whose exact running sum is above a target, a random number
    in [0, 1) times the total.
    """
    total = exact_sum(terms)
    # Where numbers underflow, a product may be rounded up to the total.
    targets = np.minimum(rng.random(size) * total, np.nextafter(total, 0))
    sums = terms.cumsum()
    found = np.searchsorted(sums, targets, side="right").clip(max=len(terms) - 1)
    # A running sum in float64 is rounded as often as it has terms: look closer if it may matter.
    rounding = len(terms) * 2.0**-52 * sums[-1]
    unclear = (sums[found] - targets <= rounding) | (
        np.abs(targets - (sums[found] - terms[found])) <= rounding
    )
    for place in np.flatnonzero(unclear):
        found[place] = first_above(terms, targets[place])
    return found


def first_above(terms: Floats, target: float) -> int:
    """Return the index of the first term that raises the exact running sum above a target."""
    limit = exact_total(np.array([target]))
    return bisect.bisect_right(range(terms.size), limit, key=lambda i: exact_total(terms[: i + 1]))
