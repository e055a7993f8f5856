"""Exact sums: those of fractions, for any numbers, in any order."""

import math
import sys
from collections.abc import Callable
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmeans_seg.exact import BITS, Floats, digits, exact_sum, exact_total, whole_numbers

Rng = np.random.Generator
TINIEST = 5e-324

# Every kind of number that the package accepts, and the worst mixtures of them.
KINDS: dict[str, Callable[[Rng, int], Floats]] = {
    "ones": lambda rng, n: np.ones(n),
    "zeros": lambda rng, n: np.zeros(n),
    "8 bits": lambda rng, n: rng.integers(0, 256, n).astype(np.float64),
    "16 bits times counts": lambda rng, n: rng.integers(0, 2**26, n).astype(np.float64),
    "negative": lambda rng, n: -rng.integers(0, 256, n).astype(np.float64),
    "53 bits": lambda rng, n: rng.integers(-(2**53), 2**53, n).astype(np.float64),
    "tenths": lambda rng, n: rng.integers(0, 11, n) / 10,
    "normal": lambda rng, n: rng.normal(size=n),
    "far from zero": lambda rng, n: 1e8 + rng.normal(size=n),
    "of all sizes": lambda rng, n: rng.normal(size=n) * 10.0 ** rng.integers(-12, 13, n),
    "hardly varying": lambda rng, n: rng.choice([0.7, math.nextafter(0.7, 0), 0.7 + 1e-16], n),
    "one giant": lambda rng, n: np.append(rng.random(n - 1), 1e150),
    "huge": lambda rng, n: 1e150 * rng.uniform(-1, 1, n),
    "tiny": lambda rng, n: 1e-300 * rng.normal(size=n),
    "subnormal": lambda rng, n: rng.integers(-9, 10, n).astype(np.float64) * TINIEST,
    "barely normal": lambda rng, n: sys.float_info.min * rng.uniform(-2, 2, n),
}


def exact(values: Floats) -> Fraction:
    return sum(map(Fraction, values.tolist()), Fraction(0))


@pytest.fixture(params=KINDS)
def values(request: pytest.FixtureRequest) -> Floats:
    return KINDS[request.param](np.random.default_rng(1), 1000)


def test_a_sum_is_correctly_rounded(values: Floats) -> None:
    assert exact_sum(values) == float(exact(values))
    assert Fraction(exact_total(values), 2**1074) == exact(values)


def test_digits_are_small_whole_numbers_that_add_up(values: Floats) -> None:
    found = [Fraction(0)] * len(values)
    for exponent, whole in digits(values):
        assert (whole == np.rint(whole)).all()
        assert np.abs(whole).max() <= 2**BITS
        for place, number in enumerate(whole.tolist()):
            found[place] += Fraction(number) * Fraction(2) ** exponent
    assert found == list(map(Fraction, values.tolist()))


def test_a_sum_is_the_same_in_every_order(values: Floats) -> None:
    rng = np.random.default_rng(2)
    expected = exact_sum(values)
    orders = [values[::-1], np.sort(values), np.sort(values)[::-1]]
    orders += [rng.permutation(values) for _ in range(20)]
    assert {exact_sum(order) for order in orders} == {expected}


@given(st.lists(st.integers(-(2**40), 2**40), max_size=200))
def test_sums_of_whole_numbers_are_exact(numbers: list[int]) -> None:
    assert exact_sum(np.array(numbers, np.float64)) == sum(numbers)


@given(st.lists(st.floats(-1e300, 1e300), max_size=30), st.randoms())
def test_the_sum_of_any_numbers_is_that_of_fractions(numbers: list[float], random: Random) -> None:
    total = exact_sum(np.array(numbers, np.float64))
    assert total == float(sum(map(Fraction, numbers)))
    random.shuffle(numbers)
    assert exact_sum(np.array(numbers, np.float64)) == total


def test_large_terms_that_cancel_leave_the_small_ones() -> None:
    assert exact_sum(np.array([1e16, 1.0, -1e16])) == 1
    assert exact_sum(np.array([0.1, 1e9, -0.1, -1e9])) == 0


def test_the_sum_of_nothing_is_zero() -> None:
    assert exact_sum(np.array([])) == 0


def test_more_terms_than_a_block() -> None:
    values = np.tile([0.1, 1e20, -0.1, 5e-324], 20_000)
    assert exact_sum(values) == float(20_000 * (Fraction(1e20) + Fraction(5e-324)))


def test_ordinary_numbers_are_few_digits() -> None:
    rng = np.random.default_rng(3)
    assert len(list(digits(rng.integers(0, 65536, 1000).astype(np.float64)))) == 1
    assert len(list(digits(rng.random(1000)))) == 2
    assert len(list(digits(np.array([2.0**900, 1.0])))) == 2  # nothing in between is looked at


def test_whole_numbers_are_told_from_others() -> None:
    counts = np.ones(2**20)
    assert whole_numbers(counts)
    counts[-1] += 0.5
    assert not whole_numbers(counts)
