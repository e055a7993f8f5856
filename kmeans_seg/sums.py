"""Sums that come out the same whatever the order of their terms.

Floating-point addition rounds, so a sum depends on the order of its terms:
on the layout of an image, on blocks, on threads. Here every term is first
written as a whole number of a *unit*, a power of two chosen so coarse that no
sum of them can leave the whole numbers below 2^53, where float64 is exact.
What is cut off can be summed the same way with a finer unit, so nothing of
weight is lost: two units keep more digits than float64 has.

For 8-bit images all terms are whole numbers already, and the sums are simply
exact. The idea of summing in pre-chosen bins is that of Demmel and Nguyen,
"Fast reproducible floating-point summation" (2013).

Left out: correctly rounded sums (`math.fsum`), which are slower and not needed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assignment import Floats, SmallLabels

BLOCK = 2**14  # points summed at a time
EXACT = 2.0**52  # whole numbers up to twice this are exact in float64


def unit_for(values: Floats) -> float:
    """Choose a power of two in which any sum of some of `values`, once rounded to it, is exact.

    It depends on the largest value and on their number, never on their order.

    Examples
    --------
    >>> unit_for(np.array([1.0, 0.5, 0.25])) == 2.0**-50
    True
    """
    if values.size == 0:
        return 1.0
    unit = unit_below(max(-float(values.min()), float(values.max())) * values.size)
    # Few large terms among many small ones make that bound generous. Whole numbers need no
    # rounding at all as long as their sum stays small enough.
    if unit > 1 and float(np.abs(values).sum()) < EXACT and whole_numbers(values):
        return 1.0
    return unit


def unit_below(bound: float) -> float:
    """Return the least power of two of which numbers up to `bound` are no more than 2^52."""
    return max(float(np.ldexp(1.0, int(np.frexp(bound)[1]) - 52)), 5e-324)


def whole_numbers(values: Floats) -> bool:
    """Whether every value is a whole number."""
    blocks = (values[start : start + BLOCK] for start in range(0, len(values), BLOCK))
    return all((block == np.rint(block)).all() for block in blocks)


def exact_sum(values: Floats) -> float:
    """Sum in two units; the result does not depend on the order of `values`.

    Examples
    --------
    >>> exact_sum(np.array([1e16, 1.0, -1e16]))
    1.0
    """
    coarse, fine = two_units(values)
    total = rest = 0.0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        whole = np.rint(block / coarse)
        total += float(whole.sum())
        rest += float(np.rint((block - whole * coarse) / fine).sum())
    return total * coarse + rest * fine


def two_units(values: Floats) -> tuple[float, float]:
    """Choose a unit for `values`, and a finer one for what it cuts off, at most half of it each."""
    coarse = unit_for(values)
    return coarse, unit_below(coarse / 2 * len(values))


class ClusterSums:
    """The weight and the weighted sum of the points of each cluster, kept up to date.

    Since the sums are exact, points may be added and taken away again in any
    order and leave no trace: an update costs as much as the number of points
    that changed their cluster, and gives the same bits as summing them all.
    """

    def __init__(self, points: Floats, weights: Floats | None, k: int) -> None:
        self._points = points
        self._weights = np.ones(len(points)) if weights is None else weights
        units, whole = [], True
        for factor in (1.0, *points.T):
            terms = factor * self._weights
            units.append(two_units(terms))
            whole = whole and whole_numbers(terms)
        coarse, fine = np.array(units).T
        if whole and (coarse <= 1).all():
            self._units = np.ones((1, len(units), 1))  # nothing needs rounding
        else:
            self._units = np.stack((coarse, fine))[..., np.newaxis]
        self._sums = np.zeros((len(self._units), len(units), k))
        self._totals: Floats = self._sums[0]

    def move(
        self, members: NDArray[np.intp], source: SmallLabels | None, target: SmallLabels
    ) -> None:
        """Take the points `members` from the clusters `source`, if any, to the clusters `target`.

        `source` and `target` hold one label for each of the `members`.
        """
        _, rows, k = self._sums.shape
        # The sums of every row and cluster lie side by side.
        row_starts = np.arange(rows)[:, np.newaxis] * k
        for start in range(0, len(members), BLOCK):
            block = slice(start, start + BLOCK)
            # Neighbors often move together: each such run is summed first.
            to = target[block]
            differs = differs_from_last(to)
            if source is not None:
                differs |= differs_from_last(source[block])
            starts = differs.nonzero()[0]
            terms = self._terms(members[block])
            for unit, sums in zip(self._units, self._sums, strict=True):
                whole = terms
                if len(self._units) > 1:
                    whole = np.rint(terms / unit)
                    terms = terms - whole * unit
                whole = np.add.reduceat(whole, starts, axis=1).reshape(-1)
                places = (to[starts] + row_starts).reshape(-1)
                sums += np.bincount(places, whole, sums.size).reshape(rows, k)
                if source is not None:
                    places = (source[block][starts] + row_starts).reshape(-1)
                    sums -= np.bincount(places, whole, sums.size).reshape(rows, k)
        self._totals = (self._sums * self._units).sum(axis=0)

    def _terms(self, members: NDArray[np.intp]) -> Floats:
        """Gather what some points add to a sum: their weight, and each weighted channel."""
        terms = np.empty((1 + self._points.shape[1], len(members)))
        terms[0] = self._weights.take(members)
        np.multiply(self._points.T.take(members, axis=1), terms[0], out=terms[1:])
        return terms

    def reorder(self, order: NDArray[np.intp]) -> None:
        """Let the cluster that was number order[i] be number i from now on."""
        self._sums, self._totals = self._sums[..., order], self._totals[:, order]

    @property
    def weights(self) -> Floats:
        """Array (k,): the weight of each cluster, 0 for an empty one."""
        weights: Floats = self._totals[0].copy()
        return weights

    def means(self, otherwise: Floats) -> Floats:
        """Array (k, C): the weighted mean of each cluster; for an empty one, `otherwise`."""
        weights = self._totals[0, :, np.newaxis]
        sums = self._totals[1:].T
        means: Floats = np.divide(sums, weights, out=otherwise.copy(), where=weights > 0)
        return means


def differs_from_last(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Say of each number whether it is another than the one before; the first is."""
    differs = np.ones(len(numbers), np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs
