"""Images larger than memory: every pass reads all pixels, block by block.

Where pixels have few distinct colors, counting these is enough (`distinct`).
Floating-point numbers and many channels have about as many colors as pixels.
Then nothing but the labels is kept between two passes. One pass goes before:
it finds the range of the values and takes a sample. The initial centers are
chosen from the sample; everything else is about all pixels.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import validation
from .distinct import DistinctColors, InTurn
from .errstate import default_errstate
from .exact import ONE, Floats, exact_total, whole_numbers
from .features import FeatureSpace, check_each_span
from .image import Pixels
from .lloyd import Clusters
from .strategies import STRATEGIES, StreamedClusters

IN_MEMORY = 2**32  # bytes of points that are kept in memory, unless the caller wishes otherwise
SAMPLE = 2**17  # pixels at least, where there are as many
THINNED = 3  # of so many pixels of the sample one is left, when there are too many
BLOCK = 2**15  # points made at a time


class Stream:
    """The points of an image, made again each time that they are iterated over.

    Attributes
    ----------
    found
        The distinct colors of a sample: of every pixel, or every 3rd, 9th, 27th, and so on, so
        that between 131,072 and 393,216 pixels are left.
    features
        What is clustered, with its scale.
    size
        The number of pixels that take part.
    """

    def __init__(self, pixels: Pixels, *, position: float, normalize: bool) -> None:
        self._pixels = pixels
        axes = len(pixels.shape) if position else 0
        channels = pixels.space.columns or pixels.channels
        self.features = FeatureSpace(pixels.space, channels, axes)
        self._read()
        extremes = self._extremes[:, :channels]
        validation.check_span("image", extremes)
        factor = None
        if normalize:
            check_each_span(extremes)
            factor = self._to_variance_1()[:channels]
        if position or normalize:
            self.features = self.features.scaled(
                extremes, pixels.shape, position=position, factor=factor
            )

    def _read(self) -> None:
        """Check all pixels, find the range of the columns, and take the sample."""
        low, high, whole = [], [], True
        sample: list[NDArray[Any]] = []
        every, size = 1, 0
        for columns, colors in self._columns(checked=True):
            low.append(columns.min(axis=0))
            high.append(columns.max(axis=0))
            whole = whole and all(whole_numbers(column) for column in columns.T)
            sample.append(np.array(colors[-size % every :: every]))
            size += len(colors)
            if sum(map(len, sample)) > THINNED * SAMPLE:
                sample = [np.concatenate(sample)[::THINNED]]
                every *= THINNED
        self.size = size
        self._extremes = np.stack((np.min(low, axis=0), np.max(high, axis=0)))
        self._whole = whole
        distinct = STRATEGIES["fast"].distinct_colors([np.concatenate(sample)])
        self.found = DistinctColors(distinct.colors, distinct.counts, InTurn)

    def _columns(self, *, checked: bool = False) -> Iterator[tuple[Floats, NDArray[Any]]]:
        """Yield some pixels at a time: their columns, not scaled, and what `found` has of them."""
        space, axes = self._pixels.space, self.features.axes
        pixels = iter(self._pixels) if checked else self._pixels.again()
        positions = self._pixels.positions() if axes else None
        for all_colors in pixels:
            places = None if positions is None else next(positions)
            for start in range(0, len(all_colors), BLOCK):
                block = slice(start, start + BLOCK)
                columns, colors = space.to_points(all_colors[block]), all_colors[block]
                if places is not None:
                    columns = colors = np.hstack((columns, places[block]))
                yield columns, colors

    @default_errstate
    def _to_variance_1(self) -> Floats:
        """Return what to multiply each column by for a variance of 1; a constant one by 1."""
        everything = self.clusters(1)
        center = self._extremes[:1]
        everything.assign(center)
        mean = everything.means(otherwise=center)[0]
        totals = [0] * len(mean)
        for columns, _ in self._columns():
            for column, values in enumerate(columns.T):
                totals[column] += exact_total(np.square(values - mean[column]))
        varies = self._extremes[0] < self._extremes[1]
        return np.array(
            [
                math.sqrt(self.size / (total / ONE)) if total and differs else 1.0
                for total, differs in zip(totals, varies, strict=True)
            ]
        )

    def __iter__(self) -> Iterator[Floats]:
        """Yield the points, arrays (m, C)."""
        for columns, _ in self._columns():
            yield self.features.transform(columns)

    def clusters(self, k: int) -> Clusters:
        """Make k clusters of all points."""
        largest = np.abs(self.features.transform(self._extremes)).max(axis=0)
        return StreamedClusters(
            self,
            k,
            n=self.size,
            largest=largest,
            whole=self._whole and self.features.factor is None,
        )
