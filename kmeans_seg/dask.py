"""Segment a dask array: images on more than one machine, by the same loop.

    chunks → distinct colors + counts of each → merged in a tree
           → k-means in memory → a label per color → a label per pixel, chunk by chunk

>>> import dask.array as da
>>> from kmeans_seg.dask import segment
>>> image = da.from_array(np.array([[10, 12, 200], [11, 190, 202]], np.uint8), chunks=(1, 2))
>>> result = segment(image, 2)
>>> result.labels
dask.array<label_chunk, shape=(2, 3), dtype=int32, chunksize=(1, 2), chunktype=numpy.ndarray>
>>> result.labels.compute()
array([[0, 0, 1],
       [0, 1, 1]], dtype=int32)

The data is passed twice, once for its colors and once for its labels, whatever
the number of iterations, and the labels are those that `kmeans_seg.segment`
gives to the same array, to the bit. It needs the extra `dask`, and nothing
else imports it.

Left out: images whose colors cannot be counted, which are those of floating
point or of more than 64 bits a pixel. They would have to be passed in every
iteration; an error says what to do instead.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    import dask
    import dask.array as da
except ImportError as error:
    raise ImportError(
        'kmeans_seg.dask needs dask: install it with pip install "kmeans_seg[dask]"'
    ) from error

from . import validation
from .clustering import run_to_end, warn_of_shortcomings
from .distinct import DistinctColors, LookUp, has_codes
from .fast.counting import Codes, count_codes, from_codes, merge_counts
from .image import NO_PIXEL, Pixels
from .lloyd import Labels
from .segmentation import Segmentation, paint, prepare
from .validation import RandomGenerator

MERGED = 8  # counts merged by one task


def segment(
    image: Any,
    k: int,
    *,
    space: str = "rgb",
    channel_axis: int | None = -1,
    mask: Any = None,
    normalize: bool = False,
    init: str | ArrayLike = "auto",
    n_init: int = 1,
    max_iter: int = 1000,
    tol: float = 0,
    order: str = "brightness",
    rng: RandomGenerator = 0,
    strategy: str = "fast",
) -> Segmentation:
    """Segment an image in a dask array into k segments of similar color, by k-means.

    Parameters
    ----------
    image
        A dask array of bool or integers of up to 64 bits a pixel, in any
        shape that `kmeans_seg.segment` takes, with any chunks.
    mask
        A dask array of bool in the shape of the image without its channels:
        True for the pixels that take part. By default all.
    k, space, channel_axis, normalize, init, n_init, max_iter, tol, order, rng, strategy
        As for `kmeans_seg.segment`.

    Returns
    -------
    segmentation
        A `Segmentation` whose `labels` and `painted` are lazy dask arrays,
        with the chunks of the image that are not empty. All else is in memory.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above; the message says which, and
        what to do. Values that a space does not know are found by the workers.

    Warns
    -----
    FewerClustersWarning
        If the image has fewer distinct colors than k.
    ConvergenceWarning
        If pixels were still being reassigned after `max_iter` passes.
    UserWarning
        By distributed, of a large graph, when labels of an image of about a
        million distinct colors are computed. Their codes and labels, 8 to 12
        bytes for each, travel in the graph: so they are not lost with a worker.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM" (1957; 1982).

    Examples
    --------
    >>> image = da.from_array(np.array([[0, 9, 7, 1]], np.uint8), chunks=2)
    >>> segment(image, 2).counts
    array([2, 2])
    """
    pixels = Chunks(image, space, channel_axis, mask)
    problem = prepare(
        pixels, k, init=init, n_init=n_init, max_iter=max_iter, tol=tol, order=order, rng=rng,
        strategy=strategy, normalize=normalize,
    )  # fmt: skip
    clustering = run_to_end(problem.events(), None)
    warn_of_shortcomings(clustering, problem.k, problem.options, "colors")
    return LazySegmentation(**vars(problem.segmentation(clustering)))


class LazySegmentation(Segmentation):
    """A segmentation whose labels and painted image are lazy dask arrays."""

    @functools.cached_property
    def painted(self) -> Any:
        """The image with every pixel in its segment's color, when it is asked for."""
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


class Chunks(Pixels):
    """The pixels of a dask array: read by its workers."""

    def __init__(
        self, image: Any, space: str, channel_axis: int | None = -1, mask: Any = None
    ) -> None:
        validation.check_dask("image", image)
        super().__init__(image, space, channel_axis, mask)
        validation.check_counted(image.dtype, self.channels, has_codes(self.channels, image.dtype))
        axis = self.channel_axis
        # Dask repeats an axis of one pixel if it has an empty chunk as well.
        chunks = [tuple(length for length in lengths if length) for lengths in image.chunks]
        if axis is not None:
            chunks[axis] = (image.shape[axis],)
        self.array = image.rechunk(tuple(chunks))
        if mask is not None:
            validation.check_dask("mask", mask)
            self.mask = mask.rechunk(tuple(c for i, c in enumerate(chunks) if i != axis))
        self._kind = (space, axis)

    def distinct(
        self,
        distinct_colors: object,  # the workers count by codes, whatever the strategy
        *,
        with_position: bool = False,
    ) -> DistinctColors:
        """Find the distinct colors: of each chunk, then of a few together, and so on."""
        blocks = self.array.to_delayed().ravel()
        masks = [None] * len(blocks) if self.mask is None else self.mask.to_delayed().ravel()
        count = dask.delayed(count_chunk)
        parts = [count(*pair, self._kind) for pair in zip(blocks, masks, strict=True)]
        merge = dask.delayed(merge_counts)
        while len(parts) > 1:
            parts = [merge(parts[i : i + MERGED]) for i in range(0, len(parts), MERGED)]
        ((codes, counts),) = dask.compute(*parts)
        self.size = int(counts.sum())
        if not self.size:
            raise ValueError(NO_PIXEL)
        return from_codes(codes, counts, self.channels, self.array.dtype)

    def spread(self, look_up: LookUp, out: Any = None) -> Any:
        """Label every pixel, when the labels are asked for."""
        axis = self.channel_axis
        arrays = [self.array]
        if self.mask is not None:
            arrays.append(self.mask if axis is None else da.expand_dims(self.mask, axis))
        return da.map_blocks(
            label_chunk,
            *arrays,
            look_up=dask.delayed(look_up),
            kind=self._kind,
            drop_axis=[] if axis is None else axis,
            dtype=np.int32,
            meta=np.empty((0,) * len(self.shape), np.int32),
        )

    def alpha(self) -> Any:
        """Return the alpha channel as a lazy array."""
        return da.moveaxis(self.array, self.channel_axis, -1)[..., self.channels :]


Kind = tuple[str, int | None]


def count_chunk(
    block: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    kind: Kind,
) -> tuple[Codes, NDArray[np.int64]]:
    """Find the distinct colors of a chunk."""
    pixels = Pixels(block, *kind, mask)
    pixels.may_be_empty = True
    return count_codes(pixels, again=pixels)


def label_chunk(
    block: NDArray[Any],
    mask: NDArray[np.bool_] | None = None,
    *,
    look_up: LookUp,
    kind: Kind,
) -> Labels:
    """Label the pixels of a chunk."""
    if mask is not None and kind[1] is not None:
        mask = mask.squeeze(kind[1])
    labels: Labels = Pixels(block, *kind, mask).spread(look_up)
    return labels
