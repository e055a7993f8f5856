"""Segment a dask array: images on more than one machine, by the same loop.

    chunks → distinct colors + counts of each → merged in a tree
           → k-means in memory → a label per pixel, chunk by chunk

>>> import dask.array as da
>>> from kmeans_seg.dask import segment
>>> image = da.from_array(np.array([[10, 12, 200], [11, 190, 202]], np.uint8), chunks=(1, 2))
>>> result = segment(image, 2)
>>> result.labels
dask.array<label_chunk, shape=(2, 3), dtype=int32, chunksize=(1, 2), chunktype=numpy.ndarray>
>>> result.labels.compute()
array([[0, 0, 1],
       [0, 1, 1]], dtype=int32)

The data is read twice, once for its colors and once for its labels, whatever
the number of passes of the loop. Floating-point images, and those of more than
64 bits a pixel, have too many colors for that. They are read once in each pass,
and once before the first, as in `streaming`::

    chunks → range and sample → initial centers
           → in each pass: labels, which stay with the workers, and sums

Sums are exact, so labels and centers are those that `kmeans_seg.segment` gives
to the same array, to the bit, whatever the chunks and the workers. This module
needs the extra `dask`, and no other module imports it.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    import dask
    import dask.array as da
except ImportError as error:
    raise ImportError(
        'kmeans_seg.dask needs dask: install it with pip install "kmeans_seg[dask]"'
    ) from error

from .clustering import Callback, Options, run_to_end, warn_of_shortcomings
from .distinct import DistinctColors, InTurn, has_codes
from .exact import ONE, Floats
from .fast.counting import Codes, count_codes, from_codes, merge_counts
from .fast.nearest import nearest_center
from .fast.streamed import StreamedClusters, running_sums, total_inertia, with_places
from .features import FeatureSpace
from .image import NO_PIXEL, Pixels
from .lloyd import Clusters, Indices, Labels, SmallLabels
from .segmentation import WAYS, Segmentation, paint, prepare
from .streaming import Stream, Survey, points_of, squares_of
from .validation import RandomGenerator

MERGED = 8  # counts merged by one task


def segment(
    image: Any,
    k: int,
    *,
    space: str = "rgb",
    channel_axis: int | None = -1,
    mask: Any = None,
    alpha_threshold: float = 0,
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
) -> Segmentation:
    """Segment an image in a dask array into k segments of similar color, by k-means.

    Parameters
    ----------
    image
        A dask array of bool, integers or floating-point numbers, in any shape
        that `kmeans_seg.segment` takes, with any chunks. Floating-point numbers,
        and integers of more than 64 bits a pixel, are read in every pass: call
        its `persist()` first if the workers have the memory.
    mask
        A dask array of bool in the shape of the image without its channels:
        True for the pixels that take part. By default all.
    k, space, channel_axis, alpha_threshold, normalize, init, n_init, max_iter, tol, order, rng
        As for `kmeans_seg.segment`.
    strategy
        "auto" counts the colors if they have at most 64 bits; otherwise it
        reads the chunks in every pass, as "blocks" always does. "fast" and
        "plain" count the colors; both give the same bits.
    assign
        The former name of `strategy`: refused, unless it is None.
    callback
        Called with each `Step` of the loop. Its arrays are computed on access;
        `reassigned_weight` is already known.

    Returns
    -------
    segmentation
        A `Segmentation` whose `labels` and `painted` are lazy dask arrays,
        with the chunks of the image that are not empty. All else is in memory.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above; the message says which, and
        what to do. Values that the color space does not accept are found only
        by the workers.

    Warns
    -----
    FewerClustersWarning
        If the image has fewer distinct colors than k.
    ConvergenceWarning
        If pixels were still being reassigned after `max_iter` passes.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM" (1957; 1982).

    Examples
    --------
    >>> image = da.from_array(np.array([[0, 9, 7, 1]], np.uint8), chunks=2)
    >>> segment(image, 2).counts
    array([2, 2])
    """
    pixels = Chunks(
        image, mask, space=space, channel_axis=channel_axis, alpha_threshold=alpha_threshold
    )
    if strategy == "auto":
        strategy = "fast" if has_codes(pixels.channels, image.dtype) else "blocks"
    options = Options.checked(
        k, init=init, n_init=n_init, max_iter=max_iter, tol=tol, rng=rng, strategy=strategy,
        strategies=WAYS, assign=assign,
    )  # fmt: skip
    problem = prepare(pixels, options, normalize=normalize, order=order, stream_of=ChunkStream)
    clustering = run_to_end(problem.events(), callback)
    warn_of_shortcomings(clustering, problem.options, "colors")
    labels = pixels.labels(problem.features, clustering.centers)
    return LazySegmentation(**{**vars(problem.segmentation(clustering)), "labels": labels})


class LazySegmentation(Segmentation):
    """A segmentation whose labels and painted image are lazy dask arrays."""

    @functools.cached_property
    def painted(self) -> Any:
        """The image with every pixel in its segment's color, computed on request."""
        labels: Any = self.labels
        axes = list(range(labels.ndim))
        alpha_axes = None if self._alpha is None else [*axes, labels.ndim + 1]
        channels = self._palette.shape[1] + (self._alpha is not None)
        painted_axes = axes.copy()
        if self._channel_axis is not None:
            painted_axes.insert(self._channel_axis, labels.ndim)
        return da.blockwise(
            *(paint, painted_axes, labels, axes, self._alpha, alpha_axes),
            palette=self._palette,
            channel_axis=self._channel_axis,
            new_axes={labels.ndim: channels} if self._channel_axis is not None else None,
            concatenate=True,
            meta=np.empty((0,) * len(painted_axes), self._palette.dtype),
        )


class Kind(TypedDict):
    """What is to be known of an image, or a chunk of it, beside its mask to make its pixels."""

    space: str
    channel_axis: int | None
    alpha_threshold: float


class Chunks(Pixels):
    """The pixels of a dask array: read by its workers."""

    def __init__(self, image: Any, mask: Any, **kind: Unpack[Kind]) -> None:
        check_dask("image", image)
        super().__init__(image, mask=mask, **kind)
        axis = self.channel_axis
        # Dask repeats an axis of one pixel if it has an empty chunk as well.
        chunks = [tuple(length for length in lengths if length) for lengths in image.chunks]
        if axis is not None:
            chunks[axis] = (image.shape[axis],)
        self.array = image.rechunk(tuple(chunks))
        if mask is not None:
            check_dask("mask", mask)
            self.mask = mask.rechunk(tuple(c for i, c in enumerate(chunks) if i != axis))
        kind["channel_axis"] = axis
        self._kind = kind

    def parts(self) -> list[Any]:
        """Return the pixels of each chunk, to be made by the workers."""
        lengths = [c for i, c in enumerate(self.array.chunks) if i != self.channel_axis]
        origins = itertools.product(*[itertools.accumulate((0, *c[:-1])) for c in lengths])
        blocks = self.array.to_delayed().ravel()
        masks = [None] * len(blocks) if self.mask is None else self.mask.to_delayed().ravel()
        make = dask.delayed(chunk_pixels)
        return [
            make(block, mask, self._kind, origin=origin, whole_shape=self.shape)
            for block, mask, origin in zip(blocks, masks, origins, strict=True)
        ]

    def distinct(
        self,
        distinct_colors: object,  # the workers count by codes, whatever the strategy
        *,
        with_position: bool = False,
    ) -> DistinctColors:
        """Find the distinct colors: of each chunk, then of a few together, and so on."""
        if not has_codes(self.channels, self.array.dtype):
            raise ValueError(
                f"image has {self.channels} channels of {self.array.dtype}, which are too many "
                'colors to count on a cluster: use strategy="blocks", or leave it out'
            )
        count, merge = dask.delayed(count_chunk), dask.delayed(merge_counts)
        parts = [count(part) for part in self.parts()]
        while len(parts) > 1:
            parts = [merge(parts[i : i + MERGED]) for i in range(0, len(parts), MERGED)]
        ((codes, counts),) = dask.compute(*parts)
        self.size = int(counts.sum())
        if not self.size:
            raise ValueError(NO_PIXEL)
        return from_codes(codes, counts, self.channels, self.array.dtype)

    def spread(self, look_up: object, out: Any = None) -> Any:
        """Return nothing: `labels` are found without a table of colors, which may be large."""
        return None

    def labels(self, features: FeatureSpace, centers: Floats) -> Any:
        """Label every pixel by its nearest center, when the labels are asked for."""
        axis = self.channel_axis
        arrays = [self.array]
        if self.mask is not None:
            arrays.append(self.mask if axis is None else da.expand_dims(self.mask, axis))
        return da.map_blocks(
            label_chunk,
            *arrays,
            kind=self._kind,
            features=features,
            centers=centers,
            drop_axis=[] if axis is None else axis,
            dtype=np.int32,
            meta=np.empty((0,) * len(self.shape), np.int32),
        )

    def alpha(self) -> Any:
        """Return the alpha channel as a lazy array."""
        return da.moveaxis(self.array, self.channel_axis, -1)[..., self.channels :]


class ChunkStream(Stream):
    """The points of a dask array, made in each pass by the workers that have the chunks."""

    _pixels: Chunks

    def _survey(self) -> Survey:
        """Read all pixels once."""
        parts, features = self._pixels.parts(), self.features
        survey, merge = dask.delayed(survey_chunk), dask.delayed(merge_surveys)
        surveys = [survey(part, features) for part in parts]
        sizes = [each.size for each in surveys]
        while len(surveys) > 1:
            surveys = [merge(surveys[i : i + MERGED]) for i in range(0, len(surveys), MERGED)]
        sizes, (found,) = dask.compute(sizes, surveys)
        self.sizes: list[int] = sizes
        self._pixels.size = found.size
        if not found.size:
            raise ValueError(NO_PIXEL)
        result: Survey = found
        return result

    def _squares(self, mean: Floats) -> list[int]:
        """Add up the squared distances from the mean in each column, in units of 2^-1074."""
        squares, features = dask.delayed(squares_chunk), self.features
        found = dask.compute(*[squares(part, features, mean) for part in self._pixels.parts()])
        return [sum(column) for column in zip(*found, strict=True)]

    def __iter__(self) -> Iterator[Floats]:
        """Bring the points here, chunk by chunk."""
        bring, features = dask.delayed(points_chunk), self.features
        for part in self._pixels.parts():
            (points,) = dask.compute(bring(part, features))
            yield points

    def clusters(self, k: int) -> Clusters:
        """Make k clusters of all points."""
        return ChunkClusters(self, self._pixels.parts(), k, self._outline())


class ChunkClusters(StreamedClusters):
    """Clusters of points that stay with the workers of a cluster, and their labels with them."""

    labels: Any  # a dask array (n,)

    def __init__(
        self, stream: ChunkStream, parts: list[Any], k: int, outline: dict[str, Any]
    ) -> None:
        # Dask leaves empty parts out of an array.
        filled = [pair for pair in zip(parts, stream.sizes, strict=True) if pair[1]]
        self._parts = [part for part, _ in filled]
        self._sizes, self._outline = tuple(size for _, size in filled), outline
        self._features = stream.features
        # Of the last pass: the labels before and after it, and how many changed.
        self._last: tuple[Any, Any, int] | None = None
        super().__init__(stream, k, **outline)

    def _no_labels(self) -> Any:
        return da.full(self._n, -1, np.int8, chunks=(self._sizes,))

    def assign(self, centers: Floats) -> None:
        """Assign each point to its nearest center."""
        before, dtype = self.labels, np.min_scalar_type(self.k)
        assign, move = dask.delayed(assign_chunk), dask.delayed(move_chunk)
        center = dask.delayed(centers)
        labels = [assign(part, self._features, center, dtype) for part in self._parts]
        pieces = zip(labels, self._sizes, strict=True)
        arrays = [da.from_delayed(part, (size,), dtype) for part, size in pieces]
        # They stay with the workers: the next pass compares its labels with them.
        (self.labels,) = dask.persist(da.concatenate(arrays))
        outline = {"k": self.k, **self._outline}
        then = before.to_delayed() if self._counted else [None] * len(labels)
        now = self.labels.to_delayed()
        moves = [
            move(part, self._features, outline, before=old, labels=new)
            for part, old, new in zip(self._parts, then, now, strict=True)
        ]
        moved = 0
        for count, sums in dask.compute(*moves):
            self._sums.add(sums)
            moved += count
        self._last = before, self.labels, moved
        self._counted = True

    def reassigned_weight(self, before: Any, labels: Any) -> float:
        """Return the number of points that have other labels than before."""
        if self._last is not None and before is self._last[0] and labels is self._last[1]:
            return float(self._last[2])
        return float((labels != before).sum().compute())

    def inertia(self, centers: Floats, labels: Any) -> float:
        """Return the sum of squared distances of the points to their centers, rounded once."""
        inertia = dask.delayed(inertia_chunk)
        parts = zip(self._parts, labels.to_delayed(), strict=True)
        totals = [inertia(part, self._features, centers, own) for part, own in parts]
        return int(sum(dask.compute(*totals))) / ONE

    def renumber(self, order: Indices) -> None:
        """Renumber the clusters: number order[i] becomes number i."""
        rank = order.argsort().astype(self.labels.dtype)
        (self.labels,) = dask.persist(self.labels.map_blocks(rank.take, dtype=rank.dtype))
        self._sums.renumber(order)


def chunk_pixels(
    block: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    kind: Kind,
    *,
    origin: tuple[int, ...],
    whole_shape: tuple[int, ...],
) -> Pixels:
    """Make the pixels of a chunk, which begins at `origin` in an image of `whole_shape`."""
    pixels = Pixels(block, mask=mask, **kind)
    pixels.may_be_empty = True
    pixels.origin, pixels.whole_shape = origin, whole_shape
    return pixels


def count_chunk(pixels: Pixels) -> tuple[Codes, NDArray[np.int64]]:
    """Find the distinct colors of a chunk."""
    return count_codes(pixels, again=pixels)


def survey_chunk(pixels: Pixels, features: FeatureSpace) -> Survey:
    """Read the pixels of a chunk once."""
    return Survey.of(pixels, features)


def merge_surveys(surveys: list[Survey]) -> Survey:
    """Put together what is known of some chunks."""
    first = dataclasses.replace(surveys[0], extremes=surveys[0].extremes.copy())
    for other in surveys[1:]:
        first.add(dataclasses.replace(other))
    return first


def squares_chunk(pixels: Pixels, features: FeatureSpace, mean: Floats) -> list[int]:
    """Add up the squared distances of the points of a chunk from their mean in each column."""
    return squares_of(points_of(pixels, features), mean)


def points_chunk(pixels: Pixels, features: FeatureSpace) -> Floats:
    """Make the points of a chunk."""
    empty = np.empty((0, features.channels + features.axes))
    return np.concatenate((empty, *points_of(pixels, features)))


def assign_chunk(
    pixels: Pixels, features: FeatureSpace, centers: Floats, dtype: np.dtype[Any]
) -> SmallLabels:
    """Find the nearest center of each point of a chunk."""
    labels = [nearest_center(points, centers) for points in points_of(pixels, features)]
    return np.concatenate((np.empty(0, dtype), *labels)).astype(dtype)


def move_chunk(
    pixels: Pixels,
    features: FeatureSpace,
    outline: dict[str, Any],
    *,
    before: SmallLabels | None,
    labels: SmallLabels,
) -> tuple[int, Any]:
    """Count the points of a chunk that moved, and find what this adds to the sums."""
    sums, moved = running_sums(**outline), 0
    for points, block in with_places(points_of(pixels, features)):
        moved += sums.follow(points, None if before is None else before[block], labels[block])
    return moved, sums


def inertia_chunk(
    pixels: Pixels, features: FeatureSpace, centers: Floats, labels: SmallLabels
) -> int:
    """Add up the squared distances of the points of a chunk from their centers, exactly."""
    return total_inertia(points_of(pixels, features), centers, labels)


def label_chunk(
    block: NDArray[Any],
    mask: NDArray[np.bool_] | None = None,
    *,
    kind: Kind,
    features: FeatureSpace,
    centers: Floats,
) -> Labels:
    """Label the pixels of a chunk."""
    if mask is not None and kind["channel_axis"] is not None:
        mask = mask.squeeze(kind["channel_axis"])
    pixels = Pixels(block, mask=mask, **kind)
    pixels.may_be_empty = True
    counted = has_codes(pixels.channels, block.dtype) and count_codes(pixels)
    if counted and counted[1].size:
        found = from_codes(*counted, pixels.channels, block.dtype)
        look_up = found.look_up(nearest_center(features.points(found), centers))
    else:
        own = assign_chunk(pixels, features, centers, np.dtype(np.int32))
        look_up = InTurn(own.astype(np.int32))
    labels: Labels = pixels.spread(look_up)
    return labels


def check_dask(name: str, array: Any) -> None:
    """Check a dask array, whose chunks must be known."""
    if not hasattr(array, "dask"):
        raise TypeError(
            f"{name} is no dask array but {type(array).__name__}: "
            "for arrays in memory or in files use kmeans_seg.segment"
        )
    if any(length != length for length in array.shape):  # not a number
        raise ValueError(
            f"{name} has chunks of unknown sizes: call its compute_chunk_sizes() first"
        )
