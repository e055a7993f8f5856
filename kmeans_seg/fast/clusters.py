"""Clusters that know what changed: pruned assignment, and sums that are kept up to date.

Every sum is exact (`exact`), so points can be added and taken away in any
order without a trace, and a mean is that of real numbers, rounded once.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distinct import differs_from_last
from ..exact import BLOCK, ONE, Floats, exact_sum, exact_total, whole_numbers
from ..lloyd import Clusters, Indices, SmallLabels
from .pruning import PrunedAssigner


class PrunedClusters(Clusters):
    """Clusters that compute only what the last pass has changed."""

    def __init__(
        self, points: Floats, weights: Floats, k: int, labels: SmallLabels | None = None
    ) -> None:
        super().__init__(points, weights, k, labels)
        self._nearest = PrunedAssigner(points, self.labels)
        self._sums = RunningSums.of(points, weights, k)
        self._counted = labels is not None  # whether the points are in the sums
        # The labels before the last assignment, and the weight of what it reassigned.
        self._last: tuple[SmallLabels, float] | None = None
        if labels is not None:
            self._sums.move(points, weights, np.arange(len(points)), source=None, target=labels)

    def assign(self, centers: Floats) -> None:
        """Assign each point to its nearest center."""
        before = self.labels
        self.labels, reassigned = self._nearest(centers)
        self._last = before, self._weight_of(reassigned)
        source = before[reassigned] if self._counted else None
        target = self.labels[reassigned]
        self._sums.move(self.points, self.weights, reassigned, source=source, target=target)
        self._counted = True

    def reassigned_weight(self, before: SmallLabels, labels: SmallLabels) -> float:
        """Return the weight of the points whose label changed in a pass: an exact sum."""
        if self._last is not None and before is self._last[0] and labels is self.labels:
            return self._last[1]
        return self._weight_of(np.flatnonzero(labels != before))

    def _weight_of(self, points: Indices) -> float:
        weights = self.weights[points]
        return float(weights.sum()) if self._sums.counted else exact_sum(weights)

    def cluster_weights(self) -> Floats:
        """Return the weight of each cluster, (k,): an exact sum, rounded; 0 for an empty one."""
        return self._sums.weights

    def update_centers(self, centers: Floats) -> Floats:
        """Return the mean of each cluster, (k, C), rounded once; an empty one keeps its center."""
        return self._sums.means(otherwise=centers)

    def renumber(self, order: Indices) -> None:
        """Renumber the clusters: number order[i] becomes number i."""
        super().renumber(order)
        self._nearest.renumber(order)
        self._sums.renumber(order)


# Channels and weights are scaled to just below 2^TOP: no digit of the smallest number underflows.
TOP = 600
LARGEST_EXPONENT = 1024  # of a power of two is less than this
COUNTED = 2**32  # whole weights that add up to less than this are not split into digits


class RunningSums:
    """The weight and the weighted sum of the points of each cluster, kept up to date.

    An update costs as much as the number of points that changed their cluster,
    and gives the same bits as summing all of them again.

    `counted` says whether all weights are whole numbers, of few digits.

    Row 0 of the sums belongs to the weights, the others to the channels. Each
    channel is split into digits (see `exact`), and so are the weights unless
    they are counts. The product of digits number i and j adds to the sum number
    i + j, so that each sum is worth `_bits` bits less than the one before it.
    """

    def __init__(
        self,
        k: int,
        largest: Floats,
        *,
        n: int,
        total: int,
        heaviest: float = 1,
        counted: bool = True,
        whole: bool,
    ) -> None:
        """Make room for the sums of points that are known in outline.

        `largest` has the largest absolute value of each channel. The `n` points
        weigh no more than `total` together, and `heaviest` each. They are
        `counted` if all weights are whole numbers; and `whole` says whether all
        channels are.
        """
        self.counted = counted and total < COUNTED
        self._whole = self.counted and whole and total * float(largest.max()) < 2.0**53
        # The products of a block add up to less than 2^53, those of all points to less than 2^63.
        if self.counted:
            block = min(total, BLOCK * int(heaviest))
            self._bits = min(53 - block.bit_length(), 62 - total.bit_length())
        else:
            self._bits = min(19, (56 - n.bit_length()) // 2)
        # The powers of two that the rows and the weights are multiplied by.
        self._exponents = np.zeros(1 + len(largest), np.int64)
        self._weight_exponent = 0
        if not self._whole:
            self._exponents[0] = TOP - self._bits  # so that 1 is the digit 1
            self._exponents[1:] = TOP - np.frexp(largest)[1]
        if not self.counted:
            self._weight_exponent = TOP - int(np.frexp(heaviest)[1])
        self._largest = largest
        self._sums = np.zeros((1, 1 + len(largest), k), np.int64)

    @classmethod
    def of(cls, points: Floats, weights: Floats, k: int) -> "RunningSums":
        """Make room for the sums of these points."""
        return cls(
            k,
            np.maximum(points.max(axis=0), -points.min(axis=0)),
            n=len(points),
            total=-(-exact_total(weights) // ONE),  # rounded up
            heaviest=float(weights.max()),
            counted=whole_numbers(weights),
            whole=all(whole_numbers(column) for column in points.T),
        )

    def move(
        self,
        points: Floats,
        weights: Floats | None,
        members: Indices,
        *,
        source: SmallLabels | None,
        target: SmallLabels,
    ) -> None:
        """Take the points `members` from the clusters `source`, if any, to the clusters `target`.

        `source` and `target` hold one label for each of the `members`. Without
        `weights` each of them weighs 1.
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
            arrivals = (to[starts] + row_starts).reshape(-1)
            if source is not None:
                departures = (source[block][starts] + row_starts).reshape(-1)
            for number, products in self._products(points, weights, members[block]):
                while number >= len(self._sums):
                    self._sums = np.append(self._sums, np.zeros((1, rows, k), np.int64), axis=0)
                runs = np.add.reduceat(products, starts, axis=1).reshape(-1)
                change = np.bincount(arrivals, runs, rows * k)
                if source is not None:
                    change -= np.bincount(departures, runs, rows * k)
                self._sums[number] += change.reshape(rows, k).astype(np.int64)

    def _products(
        self, points: Floats, weights: Floats | None, members: Indices
    ) -> Iterator[tuple[int, Floats]]:
        """Yield numbers of sums, and what to add to them: rows for the weights and channels."""
        own = np.ones(1) if weights is None else weights.take(members)
        rows = np.ones((len(self._exponents), len(members)))
        points.T.take(members, axis=1, out=rows[1:])
        if self._whole:
            yield 0, rows * own
            return
        if self._exponents.max() < LARGEST_EXPONENT:  # the same, and much faster
            rows *= np.ldexp(1.0, self._exponents)[:, np.newaxis]
        else:
            rows = np.ldexp(rows, self._exponents[:, np.newaxis])
        if self.counted:
            for number, whole in self._split(rows):
                yield number, whole * own
            return
        channel_digits = list(self._split(rows))
        for i, some in self._split(np.ldexp(own, self._weight_exponent)):
            for j, whole in channel_digits:
                yield i + j, whole * some

    def _split(self, values: Floats) -> Iterator[tuple[int, Floats]]:
        """Split values below 2^TOP into digits of `_bits` bits; yield those that are not all 0."""
        for number in itertools.count():
            unit = 2.0 ** (TOP - (number + 1) * self._bits)
            whole = np.rint(values / unit)
            if whole.any():
                yield number, whole
                values = values - whole * unit
            if not values.any():
                return

    def renumber(self, order: NDArray[np.intp]) -> None:
        """Renumber the clusters: number order[i] becomes number i."""
        self._sums = self._sums[..., order]

    def follow(self, points: Floats, before: SmallLabels | None, labels: SmallLabels) -> int:
        """Take points that weigh 1 from their clusters before, if any, to those of their labels.

        Returns the number of those that moved. The points are read again in each pass: if
        they have changed, some may be beyond the range that there is room for.
        """
        if not (np.abs(points).max(axis=0, initial=0) <= self._largest).all():  # or NaN
            raise ValueError(
                "image changed while it was clustered: it has a value now that was not there at "
                "first; use a copy of the image, or let nothing write to it meanwhile"
            )
        if before is None:
            members, source = np.arange(len(labels)), None
        else:
            members = np.flatnonzero(labels != before)
            source = before[members]
        self.move(points, None, members, source=source, target=labels[members])
        return len(members)

    def add(self, other: "RunningSums") -> None:
        """Add the sums of other points, known by the same outline."""
        numbers = max(len(self._sums), len(other._sums))
        total = np.zeros((numbers, *self._sums.shape[1:]), np.int64)
        for sums in (self._sums, other._sums):
            total[: len(sums)] += sums
        self._sums = total

    def _filled(self) -> NDArray[np.bool_]:
        return np.asarray(self._sums[:, 0].any(axis=0))

    @property
    def weights(self) -> Floats:
        """Array (k,): the weight of each cluster, rounded; 0 for an empty one."""
        if self._whole:
            weights: Floats = self._sums[0, 0].astype(np.float64)
            return weights
        # The last sum is worth 2^-unit.
        unit = self._bits * len(self._sums) - TOP + int(self._exponents[0])
        if not self.counted:
            unit += self._bits - TOP + self._weight_exponent
        totals = self._totals()[0]
        return quotients(totals, np.ones_like(totals), -unit)

    def means(self, otherwise: Floats) -> Floats:
        """Array (k, C): the rounded mean of each cluster; for an empty one, `otherwise`."""
        filled = self._filled()
        means = otherwise.copy()
        if self._whole:
            sums = self._sums[0].astype(np.float64)  # exactly
            np.divide(sums[1:].T, sums[0, :, np.newaxis], out=means, where=filled[:, np.newaxis])
            return means
        totals = self._totals()[:, filled]
        for channel, exponent in enumerate(self._exponents[1:].tolist()):
            shift = int(self._exponents[0]) - exponent
            means[filled, channel] = quotients(totals[1 + channel], totals[0], shift)
        return means

    def _totals(self) -> NDArray[Any]:
        """Add up the sums of each row and cluster: Python integers, in units of the last sum."""
        totals: NDArray[Any] = self._sums[0].astype(object)
        for sums in self._sums[1:]:
            totals = (totals << self._bits) + sums
        return totals


def quotients(numerators: NDArray[Any], denominators: NDArray[Any], exponent: int) -> Floats:
    """Divide Python integers and multiply by 2^exponent: rounded once, as Python's `/` is."""
    found: Floats = ((numerators << max(exponent, 0)) / (denominators << max(-exponent, 0))).astype(
        np.float64
    )
    return found
