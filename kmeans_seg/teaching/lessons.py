"""Tiny images that each show one thing, small enough to check by hand.

Each lesson is a function: its docstring tells what happens, and what it
returns is the data, one `Case` for each run that is compared, together with
the outcome as worked out by hand. The library's own tests run every case.
Left out: real photos, on which the same things happen less visibly.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..colorspace import srgb_to_lab
from ..display import as_rgb, hexadecimal, plural
from ..segmentation import Segmentation, segment
from .trace import Assign, Record, trace


@dataclass(frozen=True, eq=False)
class Case:
    """An image to segment, how, and what comes of it.

    Attributes
    ----------
    image
        Array (1, W) or (1, W, 3) of uint8.
    k
        The number of segments.
    labels
        Array (1, W) of int32: the labels of the result.
    inertia
        The sum of squared distances of the result, to two digits after the
        point.
    n_iter
        The number of passes.
    options
        What else is passed to `kmeans_seg.segment`.
    """

    image: NDArray[np.uint8]
    k: int
    labels: NDArray[np.int32]
    inertia: float
    n_iter: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def segment(self) -> Segmentation:
        """Segment the image."""
        return segment(self.image, self.k, **self.options)

    def trace(self) -> Iterator[Record]:
        """Segment the image step by step."""
        return trace(self.image, self.k, **self.options)

    def _repr_html_(self) -> str:
        """Show every pass in a notebook, a row of pixels each."""

        def cells(pixels: NDArray[np.uint8], write: bool) -> str:
            values = pixels.reshape(pixels.shape[1], -1)
            colors = as_rgb(values)
            texts = [", ".join(map(str, value)) if write else "" for value in values.tolist()]
            return "".join(
                f'<td style="background:{hexadecimal(rgb)};min-width:3em;text-align:center;'
                f'color:{"#000" if rgb[1] > 120 else "#fff"}">{text}</td>'
                for rgb, text in zip(colors, texts, strict=True)
            )

        rows = [("the pixels", cells(self.image, write=True))]
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            for record in self.trace():
                if isinstance(record, Assign):
                    painted = record.palette[record.labels].reshape(self.image.shape)
                    rows.append((f"pass {record.iteration}", cells(painted, write=True)))
        body = "".join(f"<tr><th>{name}</th>{pixels}</tr>" for name, pixels in rows)
        return (
            f"<p>k = {self.k}: inertia {self.inertia:g} after "
            f"{plural(self.n_iter, 'pass', 'passes')}. Each pixel has the color of its center.</p>"
            f"<table>{body}</table>"
        )


def bad_start() -> tuple[Case, Case]:
    """Show that a bad start can end in a poor optimum, which k-means++ makes unlikely.

    Six pixels make three pairs: 0 and 1, 10 and 11, 20 and 21. From the
    centers 0, 1 and 10 the first pair keeps two centers for itself, and the
    four others have to share the third: its mean is 15.5, none is nearer to
    another center, and the loop ends with an inertia of
    5.5² + 4.5² + 4.5² + 5.5² = 101. The best is 6 · 0.5² = 1.5. Lloyd's
    loop only ever goes downhill; it does not look over the next hill.

    k-means++ draws each further center in proportion to the squared distance from
    those before. After 0 these are 1, 100, 121, 400 and 441: the chance to draw
    1, and to start as badly as that, is one in 1063.

    Returns
    -------
    bad, good
        From the given centers, and from k-means++.

    Examples
    --------
    >>> bad, good = bad_start()
    >>> bad.segment().centers.ravel(), bad.segment().inertia
    (array([ 0. ,  1. , 15.5]), 101.0)
    >>> good.segment().centers.ravel(), good.segment().inertia
    (array([ 0.5, 10.5, 20.5]), 1.5)
    """
    image = row(0, 1, 10, 11, 20, 21)
    start = [[0], [1], [10]]
    return (
        Case(image, 3, labels(0, 1, 2, 2, 2, 2), 101.0, n_iter=2, options={"init": start}),
        Case(image, 3, labels(0, 0, 1, 1, 2, 2), 1.5, n_iter=2),
    )


def empty_cluster() -> Case:
    """Show a center that no pixel is near to, and how it is rescued.

    All four pixels, 0, 1, 8 and 9, are nearer to the center 0 than to the
    center 100. The mean of no pixels does not exist. So the center that was
    left alone moves to the pixel that is farthest from its own center, which is
    9, and the pixels are assigned again: 8 and 9 are nearer to it now. The
    means are 0.5 and 8.5, and the second pass reassigns no pixel.

    Examples
    --------
    >>> case = empty_cluster()
    >>> first = next(case.trace())
    >>> first.centers.ravel(), first.counts
    (array([0., 9.]), array([2, 2]))
    >>> case.segment().centers.ravel()
    array([0.5, 8.5])
    """
    start = [[0], [100]]
    return Case(row(0, 1, 8, 9), 2, labels(0, 0, 1, 1), 1.0, n_iter=2, options={"init": start})


def tie() -> tuple[Case, Case]:
    """Show a pixel that is equally far from two centers.

    The pixel 2 is 2² = 4 away from the center 0 and from the center 4. The
    rule is: a tie goes to the center with the lowest number. Any rule would
    do, but there must be one, or the same image would be segmented one way
    today and another way tomorrow. It is a rule about numbers, not colors:
    with the same two centers in the other order the pixel goes to 4, and the
    result is another one, equally good.

    Returns
    -------
    case, other
        From the centers 0 and 4, and from 4 and 0.

    Examples
    --------
    >>> case, other = tie()
    >>> case.segment().labels, other.segment().labels
    (array([[0, 0, 1]], dtype=int32), array([[0, 1, 1]], dtype=int32))
    """
    image = row(0, 2, 4)
    return (
        Case(image, 2, labels(0, 0, 1), 2.0, n_iter=2, options={"init": [[0], [4]]}),
        Case(image, 2, labels(0, 1, 1), 2.0, n_iter=2, options={"init": [[4], [0]]}),
    )


def wrap_around() -> Case:
    """Show what goes wrong when distances are computed in the pixels' own 8 bits.

    A uint8 holds 0 to 255, and what is larger starts over at 0, without a
    warning. The pixel 240 is 240² = 57600 away from the center 0, but in 8
    bits 57600 is 0, for it is 225 · 256. So black seems to be at no distance
    at all, and wins over the center 255, which is 15² = 225 away. Computed
    in float64, as the library does, the pixel goes to white.

    Examples
    --------
    >>> pixels, centers = wrap_around().image.T, np.array([[0], [255]], np.uint8)
    >>> squared_distances_wrapped(pixels, centers)
    array([[  0,   1],
           [  0, 225],
           [  1,   0]], dtype=uint8)
    >>> squared_distances_wrapped(pixels, centers).argmin(axis=1)  # wrong
    array([0, 0, 1])
    >>> from kmeans_seg.lloyd import squared_distances
    >>> squared_distances(pixels.astype(float), centers.astype(float))
    array([[    0., 65025.],
           [57600.,   225.],
           [65025.,     0.]])
    >>> wrap_around().segment().labels  # right
    array([[0, 1, 1]], dtype=int32)
    """
    start = [[0], [255]]
    return Case(row(0, 240, 255), 2, labels(0, 1, 1), 112.5, n_iter=2, options={"init": start})


def squared_distances_wrapped(
    points: NDArray[np.uint8], centers: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Do it wrong: squared distances (n, k) of points (n, C), all of it in 8 bits."""
    differences = points[:, np.newaxis] - centers
    total: NDArray[np.uint8] = np.square(differences).sum(axis=2, dtype=np.uint8)
    return total


def fewer_colors() -> Case:
    """Show an image that has fewer colors than segments are asked for.

    Three pixels are 7 and one is 200. Two centers are enough to be at no
    distance from any pixel, and there is nothing left for a third: the result
    has two segments, and a warning says so.

    Examples
    --------
    >>> import warnings
    >>> from kmeans_seg import FewerClustersWarning
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     result = fewer_colors().segment()
    >>> result.centers.ravel(), result.counts
    (array([  7., 200.]), array([3, 1]))
    >>> [issubclass(warning.category, FewerClustersWarning) for warning in caught]
    [True]
    """
    return Case(row(7, 7, 200, 7), 3, labels(0, 0, 1, 0), 0.0, n_iter=2)


def lab_or_rgb() -> tuple[Case, Case]:
    """Show that the color space decides what is near.

    Does a light green, (128, 255, 128), belong to the gray cyan (128, 192, 192)
    or to the green (0, 192, 0)? By the numbers of RGB to the cyan:
    0² + 63² + 64² = 8065 against 128² + 63² + 128² = 36737. Most people would
    put the two greens together, and so does CIELAB, which was made to measure
    what people see: there the squared distances are about 5017 and 922.

    Returns
    -------
    rgb, lab
        The same three pixels from the same two centers, in either space.

    Examples
    --------
    >>> rgb, lab = lab_or_rgb()
    >>> rgb.segment().labels, lab.segment().labels
    (array([[1, 1, 0]], dtype=int32), array([[0, 1, 1]], dtype=int32))
    """
    image = np.array([[[128, 192, 192], [128, 255, 128], [0, 192, 0]]], np.uint8)
    start = image[0, [0, 2]]
    in_lab = srgb_to_lab(start / 255)
    return (
        Case(image, 2, labels(1, 1, 0), 4032.5, n_iter=2, options={"init": start}),
        Case(image, 2, labels(0, 1, 1), 460.88, n_iter=2, options={"init": in_lab, "space": "lab"}),
    )


def long_tail() -> tuple[Case, Case]:
    """Show what can be lost by stopping when little changes.

    Nine pixels make three groups: 3 5 10, 23 24 25 and 47 50 52. From the
    three darkest as centers, the sums of squares of the passes are

        5323, 1116, 1013.1, 982.5, 525.4, 40.7

    The fourth pass gains 3 %, and one may think that it is over. But the
    centers still move, and two passes later the sum is 24 times smaller. That
    is why the loop goes on until no pixel is reassigned, which is the only
    sign that nothing more will come.

    Returns
    -------
    stopped, finished
        Given up after four passes, and taken to the end.

    Examples
    --------
    >>> from kmeans_seg.teaching import Assign
    >>> stopped, finished = long_tail()
    >>> for record in finished.trace():
    ...     if isinstance(record, Assign):
    ...         print(record.iteration, round(record.inertia, 1), record.labels[0])
    1 5323.0 [0 1 2 2 2 2 2 2 2]
    2 1116.0 [0 1 1 2 2 2 2 2 2]
    3 1013.1 [0 0 1 2 2 2 2 2 2]
    4 982.5 [0 0 1 1 2 2 2 2 2]
    5 525.4 [0 0 0 1 1 1 2 2 2]
    6 40.7 [0 0 0 1 1 1 2 2 2]
    """
    image = row(3, 5, 10, 23, 24, 25, 47, 50, 52)
    start = [[3], [5], [10]]
    return (
        Case(
            image,
            3,
            labels(0, 0, 1, 1, 2, 2, 2, 2, 2),
            982.47,
            n_iter=4,
            options={"init": start, "max_iter": 4},
        ),
        Case(image, 3, labels(0, 0, 0, 1, 1, 1, 2, 2, 2), 40.67, n_iter=6, options={"init": start}),
    )


# Every lesson, by name.
LESSONS = {
    lesson.__name__: lesson
    for lesson in (
        bad_start,
        empty_cluster,
        tie,
        wrap_around,
        fewer_colors,
        lab_or_rgb,
        long_tail,
    )
}


def row(*values: int) -> NDArray[np.uint8]:
    """Make a gray image of one row."""
    return np.array([values], np.uint8)


def labels(*values: int) -> NDArray[np.int32]:
    """Make the labels of an image of one row."""
    return np.array([values], np.int32)
