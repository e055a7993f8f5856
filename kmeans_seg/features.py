"""From colors to points and back: color spaces, positions, and scale.

The color spaces are in the table `SPACES`. Left out: what CIELAB is
(`colorspace`), and which colors an image has (`distinct`).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import validation
from .colorspace import lab_to_srgb, srgb_to_lab
from .distinct import DistinctColors
from .errstate import default_errstate
from .exact import Floats, exact_sum
from .lloyd import Clusters


class Space(NamedTuple):
    """A color space to cluster in.

    Attributes
    ----------
    name
        Its name in `SPACES`.
    channel_counts
        The numbers of channels it knows; None for any.
    check
        Raises an error for an image whose values it does not know.
    to_points
        From colors (n, C) in the dtype of the image to points of float64.
    to_colors
        From centers, a number of channels and a dtype back to colors.
    brightness
        From centers to the numbers by which they are ordered.
    columns
        The number of columns of a point; None if it is the number of channels.
    """

    name: str
    channel_counts: tuple[int, ...] | None
    check: Callable[[NDArray[Any]], None]
    to_points: Callable[[NDArray[Any]], Floats]
    to_colors: Callable[[Floats, int, np.dtype[Any]], NDArray[Any]]
    brightness: Callable[[Floats], Floats]
    columns: int | None = None

    def __reduce__(self) -> tuple[Callable[[str], "Space"], tuple[str]]:
        """Pickle by name, so that results can go to another process."""
        return space_named, (self.name,)


def space_named(name: str) -> Space:
    """Return a color space by its name."""
    return SPACES[name]


def plain_points(colors: NDArray[Any]) -> Floats:
    """Take the channels as they are."""
    return np.asarray(colors, np.float64, order="F")


def plain_colors(centers: Floats, channels: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Take the centers as colors, rounded if the dtype is of whole numbers.

    A center that the caller gave may lie outside of the dtype's range until
    it is first updated: it gets the nearest color there is.
    """
    if dtype.kind == "b":
        return centers >= 0.5
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        return centers.clip(float(limits.min), float(limits.max)).astype(dtype)
    info = np.iinfo(dtype)
    exact = validation.LARGEST_INTEGER  # beyond it float64 rounds, perhaps out of the range again
    return np.rint(centers).clip(max(info.min, -exact), min(info.max, exact)).astype(dtype)


def lab_points(colors: NDArray[Any]) -> Floats:
    """Take gray or sRGB to CIELAB."""
    return np.asfortranarray(srgb_to_lab(np.broadcast_to(colors, (len(colors), 3))))


def lab_colors(centers: Floats, channels: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Take CIELAB back to gray or sRGB."""
    return plain_colors(lab_to_srgb(centers)[:, :channels] * largest_value(dtype), channels, dtype)


def largest_value(dtype: np.dtype[Any]) -> float:
    """Return the value of white: 255 for uint8, 65535 for uint16, 1 for bool and floats."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


def luma(colors: Floats) -> Floats:
    """Compute the Rec. 709 luma of RGB colors (n, 3), in their unit; gray (n, 1) stays as it is.

    It is the weighted sum of the gamma-encoded values. L* is closer to what people
    see, but luma needs no conversion. Source: ITU-R BT.709-6 (2015).

    >>> luma(np.array([[0.0, 0.0, 255.0], [255.0, 0.0, 0.0], [0.0, 255.0, 0.0]])).round(2)
    array([ 18.41,  54.21, 182.38])
    """
    if colors.shape[1] == 1:
        return colors[:, 0]
    red, green, blue = colors.T
    brightness: Floats = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return brightness


def channel_mean(centers: Floats) -> Floats:
    """Return the mean of the channels, added in their order."""
    total: Floats = np.add.accumulate(centers, axis=1)[:, -1]  # in order, which `sum` is not
    means: Floats = total / centers.shape[1]
    return means


def check_srgb(image: NDArray[Any]) -> None:
    """Check that values of an image are sRGB: unsigned 8 or 16 bits, or floats in [0, 1]."""
    if image.dtype.kind == "f" and image.size:
        low, high = image.min(), image.max()
        if low < 0 or high > 1:
            raise ValueError(
                f'image goes from {low} to {high}: space="lab" takes floating-point images '
                "in [0, 1]; divide by the largest possible value first"
            )
    elif image.dtype.newbyteorder("=") not in (np.bool_, np.uint8, np.uint16) and (
        image.dtype.kind != "f"
    ):
        raise TypeError(
            f'image has dtype {image.dtype}: space="lab" takes uint8, uint16, '
            "or floating point in [0, 1]; convert it first"
        )


# Every color space, by name.
SPACES = {
    "rgb": Space(
        name="rgb",
        channel_counts=(1, 3),
        check=lambda image: None,
        to_points=plain_points,
        to_colors=plain_colors,
        brightness=luma,
    ),
    "lab": Space(
        name="lab",
        channel_counts=(1, 3),
        check=check_srgb,
        to_points=lab_points,
        to_colors=lab_colors,
        brightness=lambda centers: centers[:, 0],
        columns=3,
    ),
    "raw": Space(
        name="raw",
        channel_counts=None,
        check=lambda image: None,
        to_points=plain_points,
        to_colors=plain_colors,
        brightness=channel_mean,
    ),
}


class FeatureSpace(NamedTuple):
    """The features of a pixel that are clustered, and their scale.

    Attributes
    ----------
    space
        The color space.
    channels
        The number of columns of the color.
    axes
        The number of columns that the position of a pixel adds to its color.
    factor
        Array with the scale of each column; None if they are not scaled.
    """

    space: Space
    channels: int
    axes: int
    factor: Floats | None = None

    @classmethod
    def fitted(
        cls,
        found: DistinctColors,
        space: Space,
        shape: tuple[int, ...],
        *,
        position: float,
        normalize: bool,
    ) -> "FeatureSpace":
        """Choose the scale for what was found in an image, and check that it varies enough."""
        axes = len(shape) if position else 0
        unscaled = cls(space, space.columns or found.colors.shape[1] - axes, axes)
        columns = unscaled.points(found)
        colors = columns[:, : unscaled.channels]  # positions would hide how little they differ
        extremes = np.stack((colors.min(axis=0), colors.max(axis=0)))
        validation.check_span("image", extremes)
        if not (position or normalize):
            return unscaled
        factor = None
        if normalize:
            check_each_span(extremes)
            factor = to_variance_1(colors, found.counts)
        return unscaled.scaled(extremes, shape, position=position, factor=factor)

    def scaled(
        self,
        extremes: Floats,
        shape: tuple[int, ...],
        *,
        position: float,
        factor: Floats | None,
    ) -> "FeatureSpace":
        """Scale the channels by a factor, if there is one, and positions so that they count.

        `extremes` (2, channels) has the least and the greatest value of each channel.
        """
        factors = np.ones(self.channels + self.axes)
        if factor is not None:
            factors[: self.channels] = factor
        if position:
            spans = (extremes[1] - extremes[0]) * factors[: self.channels]
            size = math.sqrt(sum((length - 1) ** 2 for length in shape))
            diagonal = math.sqrt(exact_sum(np.square(spans)))
            factors[self.channels :] = position * (diagonal or 1.0) / (size or 1.0)
        return FeatureSpace(self.space, self.channels, self.axes, factors)

    @default_errstate
    def points(self, found: DistinctColors) -> Floats:
        """Return what was found as points to cluster."""
        if self.axes:  # it was counted in the color space, with its position
            columns = np.asarray(found.colors, np.float64, order="F")
        else:
            columns = self.space.to_points(found.colors)
        return columns if self.factor is None else self.transform(columns)

    def transform(self, columns: Floats) -> Floats:
        """Scale columns to points."""
        return columns if self.factor is None else np.asfortranarray(columns * self.factor)

    def inverse_transform(self, points: Floats) -> Floats:
        """Scale points back to columns."""
        return points if self.factor is None else points / self.factor

    @default_errstate
    def brightness(self, points: Floats) -> Floats:
        """Return the numbers by which centers are ordered from dark to light."""
        return self.space.brightness(self.inverse_transform(points)[:, : self.channels])

    @default_errstate
    def colors(self, points: Floats, channels: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Turn centers into colors of an image with this number of channels and this dtype."""
        columns = self.inverse_transform(points)[:, : self.channels]
        return self.space.to_colors(columns, channels, dtype)


def check_each_span(extremes: Floats) -> None:
    """Check that each channel varies enough to be normalized."""
    for channel, values in enumerate(extremes.T):
        validation.check_span(f"channel {channel} of the image", values[:, np.newaxis])


def to_variance_1(columns: Floats, counts: Floats) -> Floats:
    """Return what to multiply each column by for a variance of 1; a constant one by 1."""
    n, channels = columns.shape
    everything = Clusters(columns, counts, 1, np.zeros(n, np.int32))
    means = everything.update_centers(np.zeros((1, channels)))[0]
    size = float(everything.cluster_weights()[0])
    factor = np.ones(channels)
    for channel, values in enumerate(columns.T):
        total = exact_sum(counts * np.square(values - means[channel]))
        # The mean of equal values may be rounded, and then their variance is not 0.
        if values.min() < values.max() and total > 0:
            factor[channel] = math.sqrt(size / total)
    return factor
