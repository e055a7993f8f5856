"""Images larger than memory: every pass reads all pixels, block by block.

If an image has few distinct colors, counting them is enough (`distinct`).
Images of floating-point numbers or many channels have about as many colors as
pixels. For these, only the labels are kept between passes. An extra reading
comes first: it finds the range of the values and takes a sample. The initial
centers are chosen from the sample; everything else is about all pixels.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import validation
from .distinct import DistinctColors, InTurn
from .errstate import default_errstate
from .exact import ONE, Floats, exact_total, whole_numbers
from .fast.streamed import StreamedClusters
from .features import FeatureSpace, check_each_span
from .image import Pixels
from .lloyd import Clusters
from .strategies import STRATEGIES

IN_MEMORY = 2**32  # bytes of points that are kept in memory, unless the caller wishes otherwise
SAMPLE = 3 * 2**17  # pixels at most
BLOCK = 2**15  # points made at a time


def columns_of(
    pixels: Pixels, features: FeatureSpace, *, checked: bool = False
) -> Iterator[tuple[Floats, NDArray[Any]]]:
    """Yield some pixels at a time: their unscaled columns, and their colors.

    With positions, the colors are these columns.
    """
    positions = pixels.positions() if features.axes else None
    for all_colors in iter(pixels) if checked else pixels.again():
        places = None if positions is None else next(positions)
        for start in range(0, len(all_colors), BLOCK):
            colors = all_colors[start : start + BLOCK]
            columns = features.space.to_points(colors)
            if places is not None:
                columns = colors = np.hstack((columns, places[start : start + BLOCK]))
            yield columns, colors


def points_of(pixels: Pixels, features: FeatureSpace) -> Iterator[Floats]:
    """Yield the points of some pixels at a time, arrays (m, C)."""
    for columns, _ in columns_of(pixels, features):
        yield features.transform(columns)


@dataclass
class Survey:
    """What is known of an image after one pass.

    Attributes
    ----------
    size
        The number of pixels that take part.
    extremes
        Array (2, C): the smallest and the largest value of each column.
    whole
        Whether all values are whole numbers.
    every
        The sample has the pixels whose place in the image is a multiple of this power of 3.
    sample
        Their colors, arrays (m, channels), and their places.
    """

    size: int
    extremes: Floats
    whole: bool
    every: int
    sample: list[tuple[NDArray[Any], NDArray[np.int64]]]

    @classmethod
    def of(cls, pixels: Pixels, features: FeatureSpace) -> "Survey":
        """Read all pixels once, and check them."""
        columns = features.channels + features.axes
        empty = np.stack((np.full(columns, np.inf), np.full(columns, -np.inf)))
        survey = cls(0, empty, whole=True, every=1, sample=[])
        places = np.empty(0, np.int64)
        for some, colors in columns_of(pixels, features, checked=True):
            if not len(places):  # a new block begins
                places = pixels.places()
            part = cls(
                len(some),
                np.stack((some.min(axis=0), some.max(axis=0))),
                whole=all(whole_numbers(column) for column in some.T),
                every=survey.every,
                sample=[thinned(colors, places[: len(some)], survey.every)],
            )
            survey.add(part)
            places = places[len(some) :]
        return survey

    def add(self, other: "Survey") -> None:
        """Add other pixels, and thin the sample if it is too large."""
        self.size += other.size
        self.extremes[0] = np.minimum(self.extremes[0], other.extremes[0])
        self.extremes[1] = np.maximum(self.extremes[1], other.extremes[1])
        self.whole = self.whole and other.whole
        every = max(self.every, other.every)
        self.thin(every)
        other.thin(every)
        self.sample = self.sample + other.sample  # the lists may have other owners
        while sum(len(places) for _, places in self.sample) > SAMPLE:
            self.thin(3 * self.every)

    def thin(self, every: int) -> None:
        """Leave fewer pixels in the sample."""
        if every != self.every:
            self.every = every
            self.sample = [thinned(*part, every) for part in self.sample]


def thinned(
    colors: NDArray[Any], places: NDArray[np.int64], every: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Keep the colors whose places are multiples of a number."""
    kept = places % every == 0
    return (colors, places) if kept.all() else (colors[kept], places[kept])


class Stream:
    """The points of an image, computed again on each iteration over them.

    Attributes
    ----------
    found
        The distinct colors of a sample of the pixels.
    features
        What is clustered, with its scale.
    """

    def __init__(self, pixels: Pixels, *, position: float, normalize: bool) -> None:
        self._pixels = pixels
        axes = len(pixels.shape) if position else 0
        channels = pixels.space.columns or pixels.channels
        self.features = FeatureSpace(pixels.space, channels, axes)
        self.survey = self._survey()
        colors = [colors for colors, _ in self.survey.sample]
        distinct = STRATEGIES["fast"].distinct_colors([np.concatenate(colors)])
        self.found = DistinctColors(distinct.colors, distinct.counts, InTurn)
        self.survey.sample = []
        extremes = self.survey.extremes[:, :channels]
        validation.check_span("image", extremes)
        factor = None
        if normalize:
            check_each_span(extremes)
            factor = self._to_variance_1()[:channels]
        if position or normalize:
            self.features = self.features.scaled(
                extremes, pixels.shape, position=position, factor=factor
            )

    def _survey(self) -> Survey:
        """Read all pixels once."""
        return Survey.of(self._pixels, self.features)

    @default_errstate
    def _to_variance_1(self) -> Floats:
        """Return what to multiply each column by for a variance of 1; a constant one by 1."""
        everything = self.clusters(1)
        center = self.survey.extremes[:1]
        everything.assign(center)
        mean = everything.update_centers(center)[0]
        varies = self.survey.extremes[0] < self.survey.extremes[1]
        return np.array(
            [
                math.sqrt(self.survey.size / (total / ONE)) if total and differs else 1.0
                for total, differs in zip(self._squares(mean), varies, strict=True)
            ]
        )

    def _squares(self, mean: Floats) -> list[int]:
        """Add up the squared distances from the mean in each column, in units of 2^-1074."""
        return squares_of(self, mean)

    def __iter__(self) -> Iterator[Floats]:
        """Yield the points, arrays (m, C)."""
        return points_of(self._pixels, self.features)

    def clusters(self, k: int) -> Clusters:
        """Make k clusters of all points."""
        return StreamedClusters(self, k, **self._outline())

    def _outline(self) -> dict[str, Any]:
        """Return what `StreamedClusters` must know of the points."""
        return {
            "n": self.survey.size,
            "largest": np.abs(self.features.transform(self.survey.extremes)).max(axis=0),
            "whole": self.survey.whole and self.features.factor is None,
        }


def squares_of(blocks: Iterable[Floats], mean: Floats) -> list[int]:
    """Add up the squared distances of points from their mean in each column, exactly."""
    totals = [0] * len(mean)
    for points in blocks:
        for column, values in enumerate(points.T):
            totals[column] += exact_total(np.square(values - mean[column]))
    return totals
