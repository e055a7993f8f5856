"""The best centers that one channel can have, by dynamic programming.

On a line each cluster is a run of neighboring values. The lowest inertia of the
first j values in m runs is that of the first i in m - 1 runs, plus the inertia
of the run from i to j, for the best i. As j or m grows, the best i never falls.
So we solve a few rows j first: they bound the search in the rows between.

Left out: points with more channels. No fast way to their optimum is known.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distinct import differs_from_last
from .exact import Floats
from .lloyd import Indices

MOST_VALUES = 2**16  # distinct values
# The sums of squares of whole values, weighted by whole weights, fit 63 bits.
VALUE_BITS, WEIGHT_BITS = 16, 31
FAN = 4  # between two rows that are solved, solve FAN - 1
BLOCK = 2**14  # runs tried at a time


def optimal_centers(values: Floats, k: int, weights: Floats | None = None) -> Floats:
    """Find the k centers of lowest inertia for the values of one channel.

    Parameters
    ----------
    values
        Array (n,) of finite numbers in any order, at most 65,536 of them
        distinct.
    k
        The number of centers.
    weights
        Array (n,) of positive numbers; by default every value weighs 1.

    Returns
    -------
    centers
        Array (k,) of float64, ascending: the exact mean of each cluster,
        rounded. The distinct values, if there are at most k of them.

    Raises
    ------
    ValueError
        If there are more than 65,536 distinct values.

    References
    ----------
    H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one
    dimension by dynamic programming" (2011).
    A. Grønlund et al., "Fast exact k-means, k-medians and Bregman divergence
    clustering in 1D" (2017), which also divides the rows.

    Examples
    --------
    >>> optimal_centers(np.array([0.0, 1.0, 5.0, 9.0]), 2)
    array([0.5, 7. ])
    >>> optimal_centers(np.array([0.0, 1.0, 5.0, 9.0]), 2, weights=np.array([9.0, 1, 9, 1]))
    array([0.1, 5.4])
    """
    order = values.argsort(kind="stable")
    ascending = values[order]
    first = differs_from_last(ascending).nonzero()[0]
    distinct = ascending[first]
    if len(distinct) > MOST_VALUES:
        raise ValueError(
            f"there are {len(distinct)} distinct values, and the optimum is found for at most "
            f'{MOST_VALUES}: round them, for instance to 16 bits, or use init="k-means++"'
        )
    if len(distinct) <= k:
        return distinct
    runs = Runs(distinct, np.ones(len(values)) if weights is None else weights[order], first)
    return runs.means(best_bounds(runs, len(distinct), k))


class Runs:
    """The inertia and the mean of any run of neighboring values, from prefix sums.

    The sums are exact Python integers. For arithmetic on arrays each is split
    into a whole number of 64 bits and a rest in [0, 1), in units that give the
    values at most 16 bits and the total weight 31. Values and counts that fit
    leave no rest: then the inertia of every run is correct to float64. Where
    there is a rest, it has an error of up to 2^-80 of the total weight times
    the squared range of the values: too much only where nearly all values lie
    within a billionth of the range.
    """

    def __init__(self, values: Floats, weights: Floats, first: Indices) -> None:
        """Add up ascending values; value i has the weights from number first[i] on."""
        integers, self._value_exponent = as_integers(values)
        terms, _ = as_integers(weights)
        counts = np.add.reduceat(terms, first)
        counts = counts << max(WEIGHT_BITS - int(counts.sum()).bit_length(), 0)
        self._lowest = integers[0]
        offsets = integers - self._lowest
        moments = np.stack((counts, counts * offsets, counts * offsets * offsets))
        self._sums: NDArray[Any] = np.zeros((3, len(values) + 1), object)
        np.add.accumulate(moments, axis=1, out=self._sums[:, 1:])
        excess = max(int(offsets[-1]).bit_length() - VALUE_BITS, 0)
        shift = max(int(self._sums[0, -1]).bit_length() - WEIGHT_BITS, 0)
        shifts = shift + excess * np.arange(3).astype(object)[:, np.newaxis]
        whole = self._sums >> shifts
        self._whole = whole.astype(np.int64)
        rest = (self._sums - (whole << shifts)) / (1 << shifts)
        self._rest = rest.astype(np.float64) if rest.any() else None

    def inertia(self, starts: Indices, stops: Indices) -> Floats:
        """Compute the inertia of each run of the values from number `starts` to before `stops`."""
        weight, total, squares = between(self._whole, starts, stops)
        if self._rest is None:
            mass, mean = weight, total / weight
        else:
            weight_rest, total_rest, squares_rest = between(self._rest, starts, stops)
            mass = np.maximum(weight + weight_rest, 2.0**-60)  # the lightest vanish beside others
            mean = (total + total_rest) / mass
        # Take squared distances from a whole number near the mean. Their sum has less than 64
        # bits, so it is exact even where terms overflow on the way.
        near = np.rint(mean).astype(np.int64)
        away = total - near * weight
        squares -= near * (total + away)
        if self._rest is None:
            inertia, offset = squares.astype(np.float64), away.astype(np.float64)
        else:
            away_rest = total_rest - near * weight_rest
            inertia = squares + (squares_rest - near * (total_rest + away_rest))
            offset = away + away_rest
        inertia -= np.square(offset) / mass
        result: Floats = inertia
        return result

    def means(self, bounds: Indices) -> Floats:
        """Compute the mean of the run between each two of the bounds, rounded once."""
        weight, total, _ = np.diff(self._sums[:, bounds], axis=1)
        total = total + weight * self._lowest
        up, down = max(self._value_exponent, 0), max(-self._value_exponent, 0)
        means: Floats = ((total << up) / (weight << down)).astype(np.float64)
        return means


def between(sums: NDArray[Any], starts: Indices, stops: Indices) -> NDArray[Any]:
    """Subtract prefix sums (rows, n + 1) at `starts` from those at `stops`."""
    found: NDArray[Any] = sums.take(stops, axis=1)
    found -= sums.take(starts, axis=1)
    return found


def as_integers(numbers: Floats) -> tuple[NDArray[Any], int]:
    """Write numbers as Python integers times a power of two, whose exponent is returned too."""
    mantissas, exponents = np.frexp(numbers)
    lowest = int(exponents[numbers != 0].min(initial=1100))
    shifts = np.maximum(exponents - lowest, 0).astype(object)
    integers = np.ldexp(mantissas, 53).astype(np.int64).astype(object) << shifts
    # Bits that no number needs only cost time.
    unused = trailing_zeros(integers)
    return integers >> unused, lowest - 53 + unused


def trailing_zeros(integers: NDArray[Any]) -> int:
    """Return the number of zero bits at the end of all Python integers."""
    together = int(np.bitwise_or.reduce(integers))
    return max((together & -together).bit_length() - 1, 0)


def best_bounds(runs: Runs, n: int, k: int) -> Indices:
    """Divide n values into the k runs of least total inertia: the start of each, and n."""
    every = np.arange(n + 1)
    least = np.append(0.0, runs.inertia(np.zeros(n, np.intp), every[1:]))
    start = np.zeros(n + 1, np.intp)
    # For each number of runs, where the last one starts, for each number of values.
    starts: list[NDArray[Any]] = []
    for number in range(2, k + 1):
        starts.append(start.astype(np.min_scalar_type(n)))
        stops = every[number:] if number < k else every[n:]
        least, start = one_run_more(runs, least, start, number, stops=stops)
    starts.append(start)
    bounds = [n]
    for start in reversed(starts):
        bounds.append(int(start[bounds[-1]]))
    return np.array(bounds[::-1])


def one_run_more(
    runs: Runs, least: Floats, fewer: Indices, number: int, stops: Indices
) -> tuple[Floats, Indices]:
    """Divide the first j values into `number` runs, for each j in `stops`.

    With one run less, `least` is the lowest inertia and `fewer` the start of
    the last run, arrays (n + 1,). Returns the same for `number` runs.
    """
    n = len(least) - 1
    result, start = np.full(n + 1, np.inf), np.full(n + 1, number - 1)
    done = FAN
    while done <= n:
        done *= FAN
    while done > 1:  # the multiples of `done` among the stops have been solved
        step = done // FAN
        new = stops[(stops % step == 0) & (stops % done != 0)]
        before, after = new // done * done, new // done * done + done
        last = np.where(after <= stops[-1], start[np.minimum(after, n)], n)
        last = np.minimum(last, new - 1)
        first = np.minimum(np.maximum(start[before], fewer[new]), last)
        result[new], start[new] = best_starts(runs, least, new, first, last=last)
        done = step
    return result, start


def best_starts(
    runs: Runs, least: Floats, stops: Indices, first: Indices, last: Indices
) -> tuple[Floats, Indices]:
    """Choose the start of the last run before each of `stops`: from `first` to `last`.

    Returns the total inertia and the start; the lowest start of equals.
    """
    result, start = np.empty(len(stops)), np.empty(len(stops), np.intp)
    lengths = last + 1 - first
    ends = lengths.cumsum()
    done = 0
    while done < len(stops):
        tried = ends[done] - lengths[done]
        block = slice(done, max(done + 1, int(ends.searchsorted(tried + BLOCK, side="right"))))
        places = ends[block] - lengths[block] - tried
        candidates = np.arange(places[-1] + lengths[block][-1])
        candidates += (first[block] - places).repeat(lengths[block])
        inertia = runs.inertia(candidates, stops[block].repeat(lengths[block]))
        inertia += least[candidates]
        result[block] = smallest = np.minimum.reduceat(inertia, places)
        equal = (inertia == smallest.repeat(lengths[block])).nonzero()[0]
        start[block] = candidates[equal[equal.searchsorted(places)]]
        done = block.stop
    return result, start
