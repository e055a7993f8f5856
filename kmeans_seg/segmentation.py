"""Segment an image: find a label for each pixel, and a center and a color for each segment.

    image → checked pixels (`image`) → distinct colors + counts → points (`features`)
          → k-means (`clustering`) → a label per color → a label per pixel

`prepare` goes as far as the points, `Problem.events` clusters them, and
`Problem.segmentation` goes back to pixels. Left to other modules: how to cluster
(`clustering`), how to find the distinct colors (`distinct`), and what is
clustered (`features`).
"""

import dataclasses
import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import validation
from .clustering import (
    Callback,
    Clustering,
    Events,
    Options,
    as_centers,
    run_in_order,
    run_to_end,
    warn_of_shortcomings,
)
from .distinct import DistinctColors
from .errstate import default_errstate, each_in_default_errstate
from .exact import Floats, exact_sum
from .features import FeatureSpace
from .image import Pixels, as_out, unwrapped
from .lloyd import Labels, own_distances
from .strategies import STRATEGIES
from .streaming import IN_MEMORY, Stream
from .validation import RandomGenerator

if TYPE_CHECKING:
    from .display import Card

BLOCK = 2**16  # pixels painted at a time: their labels, widened to be indices, stay in the cache

# An extreme value looks like nodata if it fills this share of the pixels, and if its distance from
# the next value is more than this many times the range of all others.
NODATA_SHARE, NODATA_GAP = 0.01, 100
SAMPLED = 100  # values of a channel looked at first: they usually rule out nodata

# Above this range positions drown the colors; below it they cannot be scaled back.
LEAST_POSITION, MOST_POSITION = 1e-100, 1e6


# The orders of segments, by name.
ORDERS = ("brightness", "init")

# The strategies that `segment` takes.
WAYS = ("auto", "blocks", *STRATEGIES)

# From a warning in `prepare` to the user: the decorator and the public function are between.
LEVELS = 4


class NodataWarning(UserWarning):
    """A floating-point image has an extreme value that looks like a mark of missing data.

    Rasters often mark missing data by a number (-9999, 1e20, -3.4e38). Taken as
    a color, this number is so far from all the others that they end up in one
    segment.

    Examples
    --------
    Leave such pixels out by `mask`:

    >>> image = np.array([[0.1, 0.2, 0.7, -9999, 0.8, -9999]])
    >>> segment(image, 2, mask=image != -9999).labels
    array([[ 0,  0,  1, -1,  1, -1]], dtype=int32)

    If the value is a color like all others, silence the warning:

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", NodataWarning)
    ...     segment(image, 2).labels
    array([[1, 1, 1, 0, 1, 0]], dtype=int32)
    """


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The result of segmenting an image: labels, centers and inertia of the same pass.

    By default the segments are in order from dark to light. They are compared
    by the Rec. 709 luma of the center for RGB, by its value for gray, by its L*
    for CIELAB, and by the mean of its channels for raw. Ties are broken channel
    by channel.

    You may change the arrays: `predict` and `painted` use copies of the centers
    and of the palette. `painted` is made from `labels`, on first access.

    Attributes
    ----------
    labels
        Array of int32 in the shape of the image without its channels, from 0
        to k - 1: for each pixel the index of its nearest center. Pixels that
        took no part (outside of the mask, transparent) have -1.
    centers
        Array (k, C) of float64, in the color space that was clustered. With
        `position`, one more column follows for each axis of `labels`: the mean
        row and column of the segment, in pixels.
    palette
        Array (k, C) in the dtype of the image: the color that each segment is
        painted with, which is its center in the image's own colors.
    counts
        Array (k,) of int64: the number of pixels in each segment.
    inertia
        The sum over all pixels of the squared distance to their center, in
        the units that were clustered (see `normalize` and `position`).
    n_iter
        The number of passes of the loop.
    converged
        Whether the last pass reassigned no pixel, so that every center is the
        mean of its pixels. With a `tol`, whether it reassigned at most this
        share of the pixels.
    space
        The name of the color space that was clustered.

    Examples
    --------
    >>> image = np.array([[[250, 0, 9], [0, 9, 250], [250, 3, 0]]], np.uint8)
    >>> result = segment(image, 2)
    >>> result
    Segmentation(k=2, 1 by 3 pixels, space='rgb', inertia=45, n_iter=2, converged)
    >>> result.labels
    array([[1, 0, 1]], dtype=int32)
    >>> result.palette
    array([[  0,   9, 250],
           [250,   2,   4]], dtype=uint8)
    >>> result.painted[0, 0]
    array([250,   2,   4], dtype=uint8)
    """

    labels: Labels
    centers: Floats
    palette: NDArray[Any]
    counts: NDArray[np.int64]
    inertia: float
    n_iter: int
    converged: bool
    space: str
    _channel_axis: int | None  # of the image, from 0 on
    _alpha: Any  # array (..., 1), or None
    _alpha_threshold: float
    _features: FeatureSpace
    _points: Floats  # the centers as they were clustered
    _palette: NDArray[Any]

    @functools.cached_property
    def painted(self) -> NDArray[Any]:
        """The image with every pixel in its segment's color: its shape and its dtype.

        Pixels that took no part are 0 in every channel. Alpha is the original.
        It is computed on first access, and cached.
        """
        return paint(np.asarray(self.labels), self._alpha, self._palette, self._channel_axis)

    @default_errstate
    def paint(self, labels: ArrayLike) -> NDArray[Any]:
        """Paint labels, such as `predict` gives them, in the colors of their segments.

        Parameters
        ----------
        labels
            Array of integers from -1 to k - 1, of any shape.

        Returns
        -------
        painted
            Array in the dtype of the image: the shape of the labels, with the
            channels on the axis where the image has them, counted from the last.
            Pixels that took no part, those of label -1, are 0 in every channel.
            There is no alpha.

        Raises
        ------
        TypeError, ValueError
            If the labels are not integers, or out of range.

        Examples
        --------
        >>> result = segment(np.array([[0, 10, 200]], np.uint8), 2)
        >>> result.paint([[1, 0], [-1, 1]])
        array([[200,   5],
               [  0, 200]], dtype=uint8)
        """
        checked = as_own_labels(labels, len(self._palette))
        axis = self._channel_axis
        if axis is not None:
            axis += checked.ndim - len(self.labels.shape)  # counted from the last, as in `predict`
            if axis < 0:
                raise ValueError(
                    f"labels has shape {checked.shape}, which has no place for the channels, as "
                    f"they are {-axis} axes before its first: reshape it to an image"
                )
        return paint(checked, None, self._palette, axis)

    @default_errstate
    def predict(self, image: ArrayLike, *, mask: ArrayLike | None = None) -> Labels:
        """Label another image by the same centers.

        Parameters
        ----------
        image
            An image with the same channels as the segmented one, on the same
            axis counted from the last. It may lack alpha or have it, and have
            more or fewer other axes (a frame, or a stack of frames), unless
            positions count. After a gray image, a last axis of length 3 or 4 is
            taken for channels, unless it is the width of frames in the shape of that
            image. If the segmented image was floating point, so must this one be.
            Otherwise it must hold integers in the range of that image's dtype.
        mask
            Array of bool in the shape of the image without its channels: True
            for the pixels to label. By default all.

        Returns
        -------
        labels
            Array of int32 in the shape of the image without its channels: for
            each pixel the index of the nearest center, the lowest of equally
            near ones; -1 outside of the mask and where alpha is at most the
            `alpha_threshold` of the image that was segmented.

        Raises
        ------
        TypeError, ValueError
            If the image is not of that form.

        Examples
        --------
        >>> segment(np.array([[0, 10, 200]], np.uint8), 2).predict(np.array([[90, 250]], np.uint8))
        array([[0, 1]], dtype=int32)
        """
        pixels, found, labels = self._assigned(image, mask)
        result: Labels = pixels.spread(found.look_up(labels))
        return result

    def apply(self, image: ArrayLike, *, mask: ArrayLike | None = None) -> "Segmentation":
        """Segment another image by the same centers, so that both have one palette.

        Parameters
        ----------
        image, mask
            As for `predict`.

        Returns
        -------
        segmentation
            A `Segmentation` with these centers and this palette. Its labels,
            counts and inertia are those of the image; `n_iter` is 0, and
            `converged` is False, since the centers are not the means of the
            image's own segments.

        Raises
        ------
        TypeError, ValueError
            If the image is not of the form that `predict` takes.

        Examples
        --------
        >>> first = segment(np.array([[0, 10, 200]], np.uint8), 2)
        >>> first.apply(np.array([[90, 250]], np.uint8)).painted
        array([[  5, 200]], dtype=uint8)
        """
        pixels, found, labels = self._assigned(image, mask)
        k = len(self._points)
        distances = own_distances(self._features.points(found), self._points, labels)
        return dataclasses.replace(
            self,
            labels=pixels.spread(found.look_up(labels)),
            centers=self._features.inverse_transform(self._points).copy(),
            palette=self._palette.copy(),
            counts=np.bincount(labels, found.counts, k).astype(np.int64),
            inertia=exact_sum(found.counts * distances),
            n_iter=0,
            converged=False,
            _channel_axis=pixels.channel_axis,
            _alpha=pixels.alpha() if pixels.has_alpha else None,
        )

    def _assigned(self, image: ArrayLike, mask: Any) -> tuple[Pixels, DistinctColors, Labels]:
        """Return the pixels of an image, their distinct colors, and the label of each."""
        array = as_like(validation.as_image(unwrapped(image)), self._palette.dtype)
        axes = len(self.labels.shape)
        if self._channel_axis is not None:
            axis: int | None = self._channel_axis - axes - 1  # from the end: frames are in front
        else:  # gray may come with an axis of channels or without
            last = array.shape[-1] if len(array.shape) == axes + 1 else 0
            # Frames that narrow are recognized by their shape.
            if last in (3, 4) and array.shape[1:] != self.labels.shape:
                raise ValueError(
                    f"image has {last} channels, shape {array.shape}, but the image that was "
                    "segmented was gray: convert it to gray, or label frames one by one"
                )
            axis = -1 if last in (1, 2) else None
        pixels = Pixels(array, self.space, axis, mask, alpha_threshold=self._alpha_threshold)
        check_like(pixels, self._palette.shape[1], self._features.axes)
        found = pixels.distinct(
            STRATEGIES["fast"].distinct_colors, with_position=self._features.axes > 0
        )
        labels = STRATEGIES["fast"].nearest_center(self._features.points(found), self._points)
        return pixels, found, labels

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of the result as plain Python, ready for JSON.

        Returns
        -------
        numbers
            A dict with the keys "k", "size" (the shape of the labels), "space",
            "inertia", "passes", "converged", and "segments": for each segment a
            dict of "label", "center" (in the color space), "color" (in the
            image's own numbers), "hex" ("#rrggbb", or None for an image that is
            not RGB), "pixels", and "share" of the pixels that take part.

        Examples
        --------
        >>> result = segment(np.array([[[250, 0, 9], [0, 9, 250], [250, 3, 0]]], np.uint8), 2)
        >>> numbers = result.to_dict()
        >>> numbers["size"], numbers["passes"]
        ([1, 3], 2)
        >>> numbers["segments"][1]["hex"], numbers["segments"][1]["pixels"]
        ('#fa0204', 2)
        """
        from .display import hex_codes  # imported when needed, as in `_card`

        total = int(self.counts.sum())
        columns = (self.centers, self.palette, hex_codes(self.palette), self.counts)
        return {
            "k": len(self.centers),
            "size": [int(length) for length in self.labels.shape],
            "space": self.space,
            "inertia": float(self.inertia),
            "passes": int(self.n_iter),
            "converged": bool(self.converged),
            "segments": [
                {
                    "label": label,
                    "center": center.tolist(),
                    "color": color.tolist(),
                    "hex": code,
                    "pixels": int(count),
                    "share": int(count) / total,
                }
                for label, (center, color, code, count) in enumerate(zip(*columns, strict=True))
            ],
        }

    def __repr__(self) -> str:
        """Sum it up in a line."""
        state = "converged" if self.converged else "not converged"
        size = " by ".join(str(length) for length in self.labels.shape)
        return (
            f"Segmentation(k={len(self.centers)}, {size} pixels, "
            f"space={self.space!r}, inertia={self.inertia:.6g}, n_iter={self.n_iter}, {state})"
        )

    def _repr_png_(self) -> bytes:  # for notebooks, like the next
        return self._card().png()

    def _repr_html_(self) -> str:
        return self._card().html()

    def _card(self) -> "Card":
        from .display import painted_card, plural  # imported when needed: it takes a while

        passes = plural(self.n_iter, "pass", "passes")
        title = f"done after {passes}" if self.converged else f"cut short after {passes}"
        title = title if self.n_iter else "in the segments of another image"
        return painted_card(title, self.labels, self.palette, self.counts)


def segment(
    image: ArrayLike,
    k: int,
    *,
    space: str = "rgb",
    channel_axis: int | None = -1,
    mask: ArrayLike | None = None,
    alpha_threshold: float = 0,
    position: float = 0,
    normalize: bool = False,
    init: str | ArrayLike = "auto",
    n_init: int = 1,
    max_iter: int = 1000,
    tol: float = 0,
    order: str = "brightness",
    rng: RandomGenerator = 0,
    strategy: str = "auto",
    assign: None = None,
    callback: Callback | None = None,
    out: Any = None,
) -> Segmentation:
    """Segment an image into k segments of similar color, by k-means.

    Every pixel counts: nothing is subsampled. The distinct colors are
    clustered, weighted by their counts, which gives the same result.
    Rearranging the pixels rearranges the labels and changes nothing else
    (except with a `position`, or with "blocks": see Notes).
    The random seed is fixed unless you pass `rng`: the same call gives the
    same result.

    Parameters
    ----------
    image
        Array (H, W) or (H, W, C) of bool, integers or finite floating-point
        numbers; or with more axes: a volume (D, H, W, C) or a stack of frames
        (T, H, W, C), which gets a single palette. It is read in blocks, so it
        may also be a `numpy.memmap` or anything else that slices like an array
        (zarr, h5py). Masked elements of a `numpy.ma` array take no part. An
        image of Pillow is converted to gray or RGB first, with alpha if it has
        transparency.
    k
        The number of segments, at most the number of pixels.
    space
        The color space in which to measure distances. "rgb": gray or RGB values
        as they are. "lab": gray or sRGB values, converted to CIELAB (D65),
        where distances are closer to what people see; uint8, uint16, or
        floating point in [0, 1]. In both, the second channel of a gray image or
        the fourth of a color image is alpha, and must be finite and
        nonnegative. "raw": any number of channels, each a plain number.
    channel_axis
        The axis of the channels; None if there is none, as in a gray volume
        (D, H, W). An image (H, W) is gray without saying so.
    mask
        Array of bool in the shape of the image without its channels: True for
        the pixels that take part; by default, all of them.
    alpha_threshold
        Pixels whose alpha is at most this, in the numbers of the image (0 to
        255 for uint8), take no part; the others count fully. By default only
        those where alpha is 0 are left out.
    position
        How much the position of a pixel counts relative to its color. Row and
        column (every axis but that of the channels) join as features, scaled so
        that with 1.0 the diagonal of the image is as long as that of the box
        around all colors; at most 1e6. With 0 positions are left out.
    normalize
        Whether to scale each channel (of the color space) to variance 1 before
        clustering. The centers are returned in the units of the input.
    init
        How to choose the initial centers. "auto" finds good ones whatever the
        random seed: where only one column of the points varies, as in a gray
        image, it is "optimal", if there are at most 65,536 distinct values;
        else it *rehearses*: it runs k-means from many starts on a few thousand
        means of similar colors, and keeps the best (for k > 128, it is
        "k-means++"). "optimal" finds the centers with the lowest inertia.
        "k-means++" draws them once, as textbooks do (greedy, see
        `kmeans_plusplus`); "random" draws distinct colors, in proportion to
        their counts. Or pass an array of centers, in the form of the result's
        `centers`.
    n_init
        The number of runs from different initial centers; the one of lowest
        inertia is kept. There is only one run if `init` is an array or
        "optimal", or where "auto" chooses "optimal".
    max_iter
        The number of passes after which a run gives up.
    tol
        The share of the pixels that take part, from 0 to 1, that may still be
        reassigned in the last pass. With 0 the run goes on until no pixel is
        reassigned; only then is every center the mean of its pixels. On six
        photos (k = 3 and 8), 0.001 took less than a third of the passes, and
        left at most 0.03% more inertia.
    order
        The order of the segments: "brightness", from dark to light, or "init":
        segment i grows from row i of the initial centers, so that a series of
        frames, each started from the centers of the one before, keeps its
        labels. An array for `init` then gives k segments in any case: one that
        ends empty keeps its center and its number.
    rng
        An int seed, a `numpy.random.Generator`, or None for a fresh seed from
        the system.
    strategy
        "fast" clusters the distinct colors, and "plain" does so by the readable code
        of `lloyd` and `seeding` (with `init="k-means++"` all of it is the
        textbook's); both give the same bits. "blocks" reads all pixels in each
        pass and keeps only their labels, so that the image need not fit in
        memory; from the same initial centers it finds the same labels and
        centers (see Notes). "auto" is "blocks" where the colors cannot be
        counted (floating point, more than 64 bits, or a `position`) and the
        points would take more than 4 GiB; else "fast".
    assign
        The former name of `strategy`: refused, unless it is None.
    callback
        Called with each `Step` of the loop; its points are the distinct
        colors, or with "blocks" the pixels that take part. When the segments are
        brought into order, the last pass is repeated under its number.
    out
        An array of integers to write the labels into, block by block: in the
        shape of the image without its channels, and sharing no memory with the
        image or the mask. It becomes the `labels` of the result. By default a
        new array of int32.

    Returns
    -------
    segmentation
        A `Segmentation`: labels, centers, palette, counts, painted image.
        It has k segments, none empty; fewer only if there are fewer distinct
        colors (see also `order`). A segment that loses all its pixels starts again
        at the color that is farthest from the center it is assigned to.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above; the message says which, and
        what to do. Also if the image has changed when it is read again for the
        labels, so that it has a new color, or a different number of pixels
        takes part. In memory, a floating-point image is labeled as it was first
        read; with "blocks", only values beyond the first ones are noticed.

    Warns
    -----
    FewerClustersWarning
        If the image has fewer distinct colors than k.
    ConvergenceWarning
        If pixels were still being reassigned after `max_iter` passes (with a
        `tol`, more than this share of them), or if rounding led back to earlier
        centers.
    NodataWarning
        If the image is of floating point, and the smallest or the largest value
        of a channel looks like a mark of missing data: it fills at least 1 % of
        the pixels that take part, and its distance from the next value is more
        than 100 times the range of all others (two values at least). There is
        no such warning in "lab" with a `position`.
    AmbiguousShapeWarning
        If `channel_axis` is left out, and the first axis looks like channels
        and the last like columns, or the image like a list of pixels (N, 3).

    Notes
    -----
    With "blocks", the working memory is about 0.2 GB for blocks and the sample,
    and for each pixel 4 bytes and twice the bytes that hold k (1 up to k = 255);
    if `out` is a memory-mapped file, its labels take only file cache. The image
    is read once before the first pass (three times with `normalize`), and once
    in each pass. Initial centers are chosen from a sample: every pixel, or every
    3rd, 9th, 27th, and so on, so that between 131,072 and 393,216 are left. So
    they depend on where the pixels are. The inertia, and with `normalize` the
    scale, are sums over pixels, not over colors with their counts, so their last
    bits may differ.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM" (1957; 1982).
    D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
    seeding" (2007).
    H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one
    dimension by dynamic programming" (2011).

    Examples
    --------
    >>> image = np.array([[10, 12, 200], [11, 90, 202]], np.uint8)
    >>> result = segment(image, 3)
    >>> result.labels
    array([[0, 0, 2],
           [0, 1, 2]], dtype=int32)
    >>> result.centers.ravel()
    array([ 11.,  90., 201.])
    >>> result.painted
    array([[ 11,  11, 201],
           [ 11,  90, 201]], dtype=uint8)
    """
    pixels = Pixels(image, space, channel_axis, mask, alpha_threshold=alpha_threshold)
    options = Options.checked(
        k, init=init, n_init=n_init, max_iter=max_iter, tol=tol, rng=rng, strategy=strategy,
        strategies=WAYS, assign=assign,
    )  # fmt: skip
    problem = prepare(pixels, options, position=position, normalize=normalize, order=order, out=out)
    clustering = run_to_end(problem.events(), callback)
    warn_of_shortcomings(clustering, problem.options, "colors")
    return problem.segmentation(clustering)


@default_errstate
def prepare(
    pixels: Pixels,
    options: Options,
    *,
    position: float = 0,
    normalize: bool = False,
    order: str = "brightness",
    out: Any = None,
    stream_of: type[Stream] = Stream,
) -> "Problem":
    """Check the other arguments of `segment`, and find the colors of the image."""
    pixels.warn_of_shape(stacklevel=LEVELS)
    normalize = validation.as_flag("normalize", normalize)
    position = validation.as_real("position", position, least=LEAST_POSITION, most=MOST_POSITION)
    validation.check_choice("order", order, ORDERS)
    strategy, init = options.strategy, options.init
    if strategy == "auto":
        strategy = "blocks" if pixels.bytes_of_points(position) > IN_MEMORY else "fast"
    stream = None
    if strategy == "blocks":
        strategy = "fast"
        if isinstance(init, str) and init == "optimal":
            raise ValueError(
                'init="optimal" needs all colors in memory, and here the pixels are read in '
                'blocks: use init="auto"'
            )
        stream = stream_of(pixels, position=position, normalize=normalize)
        found, features = stream.found, stream.features
    else:
        found = pixels.distinct(STRATEGIES[strategy].distinct_colors, with_position=position > 0)
        features = FeatureSpace.fitted(
            found, pixels.space, pixels.shape, position=position, normalize=normalize
        )
    k = validation.as_k(options.k, pixels.size, "pixels")
    out = None if out is None else as_out(out, pixels, k)
    if not isinstance(init, str):
        columns = as_centers("init", init, k, features.channels + features.axes)
        init = features.transform(columns)
    if pixels.array.dtype.kind == "f":
        warn_of_nodata(pixels, found, features, stacklevel=LEVELS)
    return Problem(
        pixels=pixels,
        found=found,
        stream=stream,
        features=features,
        options=options._replace(init=init, strategy=strategy),
        order=order,
        out=out,
    )


class Problem(NamedTuple):
    """The colors of an image, and how to cluster them: what `segment` and its lessons share."""

    pixels: Pixels
    found: DistinctColors  # of a sample, if there is a stream
    stream: Stream | None
    features: FeatureSpace
    options: Options
    order: str
    out: Any

    def events(self) -> Events[Clustering]:
        """Cluster the colors: yield all that happens, and return the clustering.

        The points live only in this generator, so their memory is free before the
        labels are made.
        """
        points = self.features.points(self.found)
        return each_in_default_errstate(
            run_in_order(
                points,
                self.found.counts,
                self.options,
                brightness=self.features.brightness if self.order == "brightness" else None,
                clusters_of_all=None if self.stream is None else self.stream.clusters,
            )
        )

    def colors(self, centers: Floats) -> NDArray[Any]:
        """Turn centers, as they are clustered, into colors of the image."""
        return self.features.colors(centers, self.pixels.channels, self.pixels.array.dtype)

    @default_errstate
    def segmentation(self, clustering: Clustering) -> Segmentation:
        """Go from a label per color back to the image."""
        pixels = self.pixels
        palette = self.features.colors(clustering.centers, pixels.channels, pixels.array.dtype)
        return Segmentation(
            labels=pixels.spread(self.found.look_up(clustering.labels), self.out),
            centers=self.features.inverse_transform(clustering.centers),
            palette=palette,
            counts=clustering.weights.astype(np.int64),
            inertia=clustering.inertia,
            n_iter=clustering.n_iter,
            converged=clustering.converged,
            space=pixels.space.name,
            _channel_axis=pixels.channel_axis,
            _alpha=pixels.alpha() if pixels.has_alpha else None,
            _alpha_threshold=pixels.alpha_threshold,
            _features=self.features,
            _points=clustering.centers.copy(),
            _palette=palette.copy(),
        )


def warn_of_nodata(
    pixels: Pixels, found: DistinctColors, features: FeatureSpace, *, stacklevel: int
) -> None:
    """Warn of a value that looks like a mark of missing data."""
    # With a position, the image's own colors are known in RGB only.
    in_lab = pixels.space.name == "lab" and features.axes
    if in_lab:
        return
    colors = found.colors[:, : pixels.channels]
    extremes = zip(colors.min(axis=0), colors.max(axis=0), strict=True)
    for channel, (lowest, highest) in enumerate(extremes):
        looks = nodata(colors[:, channel], found.counts, lowest, highest)
        if looks is None:
            continue
        value, share, low, high = looks
        axis = pixels.channel_axis
        values = "image" if axis is None else f"image[{':, ' * axis}{channel}]"
        shown = str(pixels.array.dtype.type(value))
        alone = pixels.channels == 1 and not pixels.has_alpha
        in_terminal = f" (in the terminal by --nodata={shown})" if alone else ""
        warnings.warn(
            f"{100 * share:.3g} % of the pixels have the value {shown} in {values}, far from all "
            f"others, {low:.6g} to {high:.6g}: if it marks missing data, leave it out by "
            f"mask={values} != {shown}{in_terminal}",
            NodataWarning,
            stacklevel=stacklevel + 1,
        )
        return


@default_errstate
def nodata(
    values: NDArray[Any], counts: Floats, lowest: Any, highest: Any
) -> tuple[np.floating[Any], float, float, float] | None:
    """Find an extreme value that looks like a mark of missing data.

    Returns it, the share of the pixels that have it, and the smallest and the
    largest other value; None if there is none.
    """
    some = values[:: len(values) // SAMPLED + 1].astype(np.float64)
    margin = (float(highest) - float(lowest)) / (NODATA_GAP / 2)
    if ((some > float(lowest) + margin) & (some < float(highest) - margin)).any():
        return None  # this value is too close to both extremes
    total = counts.sum()
    for extreme in (lowest, highest):
        places = np.flatnonzero(values == extreme)
        number = counts[places].sum()
        if number < NODATA_SHARE * total or places.size == values.size:
            continue
        others = np.delete(values, places)
        low, high = float(others.min()), float(others.max())
        gap = max(low - float(extreme), float(extreme) - high)
        if gap > NODATA_GAP * (high - low) > 0:
            return extreme, float(number / total), low, high
    return None


def paint(
    labels: Labels, alpha: Any, palette: NDArray[Any], channel_axis: int | None
) -> NDArray[Any]:
    """Give every pixel the color of its label, 0 where that is -1; put alpha beside it."""
    k, channels = palette.shape
    colors = np.zeros((k + 1, channels), palette.dtype)
    colors[:k] = palette
    painted = np.empty((*labels.shape, channels), palette.dtype)
    flat_labels, pixels = labels.reshape(-1), painted.reshape(-1, channels)
    for start in range(0, labels.size, BLOCK):
        block = slice(start, start + BLOCK)
        # The label -1 finds the last row.
        pixels[block] = colors.take(flat_labels[block], axis=0, mode="wrap")
    if channel_axis is None:
        return painted[..., 0]
    if alpha is not None:
        painted = np.concatenate((painted, np.asarray(alpha)), axis=-1, dtype=painted.dtype)
    return np.moveaxis(painted, -1, channel_axis)


def as_own_labels(labels: ArrayLike, k: int) -> NDArray[Any]:
    """Check labels from -1 to k - 1, of any shape."""
    array = validation.as_array("labels", labels)
    if array.dtype.kind not in "ui":
        raise TypeError(f"labels has dtype {array.dtype}: it must hold integers")
    if array.size and (int(array.min()) < -1 or int(array.max()) >= k):
        raise ValueError(
            f"labels goes from {array.min()} to {array.max()}: with {k} segments every label must "
            f"be from 0 to {k - 1}, or -1 for a pixel that takes no part"
        )
    return array


def as_pixels(image: NDArray[Any]) -> NDArray[Any]:
    """Reshape an image (H, W) or (H, W, C) to pixels (H·W, C)."""
    return image.reshape(-1, image.shape[2] if image.ndim == 3 else 1)


def as_like(image: Any, dtype: np.dtype[Any]) -> Any:
    """Check that an image holds numbers like those of a dtype, and take integers in that dtype."""
    if image.dtype == dtype or image.dtype.kind == dtype.kind == "f":
        return image
    if image.dtype.kind not in "ui" or dtype.kind not in "ui":
        raise TypeError(
            f"image has dtype {image.dtype}, but the image that was segmented had {dtype}: "
            "convert it to the same dtype and range"
        )
    array, info = np.asarray(image), np.iinfo(dtype)
    low, high = int(array.min()), int(array.max())
    if low < info.min or high > info.max:
        raise ValueError(
            f"image goes from {low} to {high}, but the image that was segmented had dtype {dtype}: "
            "convert it to the same range"
        )
    return array.astype(dtype)


def check_like(pixels: Pixels, channels: int, axes: int) -> None:
    """Check that an image to label has the channels of the one that was segmented, and its axes.

    The axes matter only where positions count.
    """
    if axes and len(pixels.shape) != axes:
        raise ValueError(
            f"image has {len(pixels.shape)} axes without its channels, shape {pixels.array.shape}, "
            f"but the image that was segmented by positions had {axes}: "
            + (
                "label its parts one by one"
                if len(pixels.shape) > axes
                else "add an axis, as image[np.newaxis] does"
            )
        )
    if pixels.channels != channels:
        raise ValueError(
            f"image has {pixels.channels} channels, shape {pixels.array.shape}, but the image that "
            f"was segmented had {channels}: convert it to the same channels"
        )
