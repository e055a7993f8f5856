"""Exact sums: the same in whatever order their terms come, and rounded once, at the end.

Floating-point addition rounds, so a plain sum depends on the order of its
terms: on the layout of an image, on blocks, on threads. Here every term is
split into *digits*: whole numbers, each times a power of two, and so small that
a block of them adds up below 2^53, where float64 is exact. These sums are
added as Python integers, and the result is the exact sum, rounded
once. Small whole numbers are one digit, ordinary floats two or three.

Summing in bins chosen beforehand is the idea of J. Demmel and H. D. Nguyen,
"Fast reproducible floating-point summation" (2013); keeping all bins, as here,
goes back to U. Kulisch's long accumulator (1971).
"""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

BLOCK = 2**14  # terms added in float64 at a time
BITS = 38  # of a digit: a block of them adds up to at most 2^52
HALF = BITS // 2  # and so does a block of products of two digits of half as many bits

# Every float64 is an integer multiple of 2^-1074.
SMALLEST = -1074
ONE = 1 << -SMALLEST  # the number 1, counted in these units


def digits(values: Floats, bits: int = BITS) -> Iterator[tuple[int, Floats]]:
    """Split values into whole numbers of at most 2^bits times powers of two, the largest first.

    Yields exponents and arrays of whole numbers: `values` is the sum of all whole · 2^exponent.

    Examples
    --------
    >>> for exponent, whole in digits(np.array([3.0, 2.0**-50])):
    ...     print(exponent, whole * 2.0**exponent)
    -36 [3. 0.]
    -87 [0.0000000e+00 8.8817842e-16]
    """
    rest = values
    while largest := max(float(rest.max(initial=0)), -float(rest.min(initial=0))):
        exponent = max(math.frexp(largest)[1] - bits, SMALLEST)
        unit = math.ldexp(1.0, exponent)
        whole = np.rint(rest / unit)
        yield exponent, whole
        rest = rest - whole * unit  # exact: what is left has fewer bits


def exact_total(values: NDArray[Any]) -> int:
    """Sum floating-point numbers exactly: return an integer multiple of 2^-1074.

    Examples
    --------
    >>> exact_total(np.array([1e300, 5e-324, -1e300]))
    1
    """
    total = 0
    for start in range(0, len(values), BLOCK):
        for exponent, whole in digits(values[start : start + BLOCK]):
            total += int(whole.sum()) << (exponent - SMALLEST)
    return total


def exact_sum(values: NDArray[Any]) -> float:
    """Sum floating-point numbers exactly, and round the result to float64.

    Examples
    --------
    >>> exact_sum(np.array([1e16, 1.0, -1e16]))
    1.0
    """
    return exact_total(values) / ONE


def cluster_totals(
    labels: NDArray[np.integer[Any]], k: int, weights: Floats, values: Floats
) -> NDArray[Any]:
    """Add up weights times values for each label from 0 to k - 1, exactly.

    Returns an array (k,) of Python integers, as multiples of 2^-2148. Every
    product of two float64 numbers is one.

    Examples
    --------
    >>> labels = np.array([0, 1, 0])
    >>> totals = cluster_totals(labels, 2, np.array([1.0, 1.0, 3.0]), np.array([0.5, 9.0, 0.25]))
    >>> totals / (ONE * ONE)
    array([1.25, 9.0], dtype=object)
    """
    totals = np.zeros(k, object)
    for start in range(0, len(labels), BLOCK):
        block = slice(start, start + BLOCK)
        for exponent, weight in digits(weights[block], HALF):
            for other, value in digits(values[block], HALF):
                sums = np.bincount(labels[block], weight * value, k)
                shift = exponent + other - 2 * SMALLEST
                totals += np.array([int(total) << shift for total in sums.tolist()], object)
    return totals


def whole_numbers(values: Floats) -> bool:
    """Whether every value is a whole number."""
    blocks = (values[start : start + BLOCK] for start in range(0, len(values), BLOCK))
    return all((block == np.rint(block)).all() for block in blocks)
