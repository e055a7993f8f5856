"""k-means by the book: plain loops over points, centers and channels, one number at a time.

It shares no code with the package, and no vectors, blocks or running sums. Means
are exact fractions, rounded once. Distances are added in float64, channel by
channel, as the package promises: where a center is a rounded mean, that rounding
decides which points tie.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

Point = tuple[float, ...]


class Pass(NamedTuple):
    """What `lloyd` promises of each step."""

    centers: list[Point]
    labels: list[int]
    reassigned: list[int]


def squared_distance(one: Point, other: Point) -> float:
    total = 0.0
    for a, b in zip(one, other, strict=True):
        total += (a - b) * (a - b)
    return total


def nearest(point: Point, centers: list[Point]) -> int:
    best, smallest = 0, squared_distance(point, centers[0])
    for index in range(1, len(centers)):
        distance = squared_distance(point, centers[index])
        if distance < smallest:  # never <=: a tie stays with the lowest index
            best, smallest = index, distance
    return best


def mean(points: list[Point], weights: list[float]) -> Point:
    total = sum(map(Fraction, weights))
    sums = [Fraction(0)] * len(points[0])
    for point, weight in zip(points, weights, strict=True):
        for channel, value in enumerate(point):
            sums[channel] += Fraction(value) * Fraction(weight)
    return tuple(float(value / total) for value in sums)


def fill_empty(points: list[Point], centers: list[Point], labels: list[int]) -> list[int]:
    """Move centers without points, in place, until there are none or nowhere to go."""
    while True:
        gaps = [squared_distance(p, centers[j]) for p, j in zip(points, labels, strict=True)]
        empty = [index for index in range(len(centers)) if index not in labels]
        if not empty or max(gaps) == 0 or len(centers) - len(empty) == len(set(points)):
            return labels
        for index in empty:
            if max(gaps) > 0:
                centers[index] = min(p for p, g in zip(points, gaps, strict=True) if g == max(gaps))
                gaps = [
                    min(gap, squared_distance(point, centers[index]))
                    for point, gap in zip(points, gaps, strict=True)
                ]
        labels = [nearest(point, centers) for point in points]


def lloyd(
    points: Sequence[Sequence[float]],
    centers: Sequence[Sequence[float]],
    weights: Sequence[float] | None = None,
) -> Iterator[Pass]:
    points_ = [tuple(map(float, point)) for point in points]
    centers_ = [tuple(map(float, center)) for center in centers]
    weights_ = [1.0] * len(points_) if weights is None else list(map(float, weights))
    previous = [-1] * len(points_)
    while True:
        labels = fill_empty(points_, centers_, [nearest(point, centers_) for point in points_])
        reassigned = [i for i in range(len(points_)) if labels[i] != previous[i]]
        yield Pass(list(centers_), labels, reassigned)
        if not reassigned:
            return
        for index in range(len(centers_)):
            members = [i for i in range(len(points_)) if labels[i] == index]
            if members:
                centers_[index] = mean(
                    [points_[i] for i in members], [weights_[i] for i in members]
                )
        previous = labels
