"""Choose the number of segments: compare several k on the same few coarse colors.

A larger k always gives a lower inertia, so inertia alone cannot decide. And its
curve has an "elbow" even for data without any clusters (E. Schubert, 2023). We
compare the curve with that of data spread evenly in as many dimensions: where a
further center helps clearly more than there, it finds a cluster. If it never
does, there is no k to recommend, and we say so.

All this is done on a few thousand coarse points (`rehearsals`). `KChoice.segment`
then segments the whole image, whose colors are counted once.
"""

# So that the annotations do not import numpy.random, which takes longer than all the rest.
from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import validation
from .clustering import (
    FewerClustersWarning,
    Options,
    best_run,
    run_to_end,
    warn_of_shortcomings,
)
from .errstate import default_errstate
from .exact import Floats, exact_sum
from .image import Pixels
from .lloyd import squared_distances
from .rehearsals import POINTS, POINTS_PER_CENTER, CoarsePoints
from .segmentation import Problem, Segmentation, prepare
from .validation import RandomGenerator

NAMES = ("k", "inertia", "evenness", "silhouette", "Calinski-Harabasz")
CLEAR = 0.85  # of the inertia of evenly spread data, or less: a cluster was found


@dataclass(frozen=True, eq=False)
class KChoice:
    """Scores of several numbers of segments, and the recommended one.

    At a prompt it shows as a table, in a notebook as a table and a plot.

    Attributes
    ----------
    ks
        Tuple of int: the numbers of segments that were compared, ascending.
    inertias
        Array (n,) of float64: for each k the inertia of the coarse colors.
    evenness
        Array (n,) of float64: the inertia divided by that of the k before it in
        `ks` (of k = 1 for the first), relative to the same ratio for colors
        spread evenly in as many dimensions. About 1 or more: no further cluster
        was found. 0.85 or less: one was.
    silhouettes
        Array (n,) of float64: the mean of 1 - a / b, where a is the distance of
        a pixel to its own center, and b to the next one. 1 is best.
    calinski_harabasz
        Array (n,) of float64: the variance between the segments divided by that
        within them, each by its degrees of freedom. Higher is better.
    k
        The k to recommend: the largest with an evenness of at most 0.85. None
        if there is none.
    reason
        Why, in a sentence.

    Examples
    --------
    >>> choose_k(np.array([[10, 11, 12, 80, 81, 200, 202]]), [2, 3, 4])
    k  inertia  evenness  silhouette  Calinski-Harabasz
    2   5800.8      0.53        0.84             32.396
    3      4.5      0.00        0.99              19280  <-
    4      2.5      1.16        0.99              17353
    k=3: its last center leaves 0.00 of the inertia that evenly spread colors would leave
    """

    ks: tuple[int, ...]
    inertias: Floats
    evenness: Floats
    silhouettes: Floats
    calinski_harabasz: Floats
    k: int | None
    reason: str
    _problem: Problem
    _rng: RandomGenerator

    def segment(self, k: int | None = None) -> Segmentation:
        """Segment the whole image, without counting its colors again.

        Parameters
        ----------
        k
            The number of segments; by default the recommended one.

        Returns
        -------
        segmentation
            The `Segmentation` that `kmeans_seg.segment` returns.

        Raises
        ------
        TypeError, ValueError
            If `k` is not an integer from 1 to the number of pixels, or if it is
            left out and none is recommended.

        Warns
        -----
        FewerClustersWarning, ConvergenceWarning
            As `kmeans_seg.segment` does.

        Examples
        --------
        >>> choose_k(np.array([[10, 11, 80, 81]]), [2, 3]).segment(2).labels
        array([[0, 0, 1, 1]], dtype=int32)
        """
        if k is None and self.k is None:
            raise ValueError(f"{self.reason}: say which k to use")
        k = validation.as_k(self.k if k is None else k, self._problem.pixels.size, "pixels")
        options = self._problem.options
        options = options._replace(k=k, rng=validation.as_generator(self._rng))
        problem = self._problem._replace(options=options)
        clustering = run_to_end(problem.events(), None)
        warn_of_shortcomings(clustering, options, "colors")
        return problem.segmentation(clustering)

    def __repr__(self) -> str:
        """Show a table, and which k is recommended."""
        rows = [NAMES, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
            + ("  <-" if row[0] == str(self.k) else "")
            for row in rows
        ]
        return "\n".join([*lines, self.reason])

    def _rows(self) -> list[tuple[str, ...]]:
        columns = (self.inertias, self.evenness, self.silhouettes, self.calinski_harabasz)
        return [
            (str(k), f"{inertia:.5g}", f"{even:.2f}", f"{silhouette:.2f}", f"{ratio:.5g}")
            for k, inertia, even, silhouette, ratio in zip(self.ks, *columns, strict=True)
        ]

    def _repr_html_(self) -> str:
        from .display import curve_html  # imported when needed: it takes a while

        plot = curve_html(self.ks, self.evenness, CLEAR, self.k)
        rows = []
        for row in (NAMES, *self._rows()):
            tag = "th" if row[0] in ("k", str(self.k)) else "td"
            cells = "".join(f"<{tag}>{text}</{tag}>" for text in row)
            rows.append(f"<tr>{cells}</tr>")
        return f"{plot}<table>{''.join(rows)}</table><p>{self.reason}</p>"


def choose_k(
    image: ArrayLike,
    ks: Iterable[int] = range(2, 13),
    *,
    space: str = "rgb",
    channel_axis: int | None = -1,
    mask: ArrayLike | None = None,
    alpha_threshold: float = 0,
    position: float = 0,
    normalize: bool = False,
    rng: RandomGenerator = 0,
) -> KChoice:
    """Compare several numbers of segments, and recommend one if the colors form clusters.

    The colors are counted once. Each k is tried on a few thousand means of
    similar colors only; `KChoice.segment` segments the whole image.

    Photos often have no clusters, only gradual changes of color. Then the
    choice of k is a matter of taste.

    Parameters
    ----------
    image
        As for `kmeans_seg.segment`.
    ks
        The numbers of segments to compare, each at least 2. The first is
        compared with a single segment.
    space, channel_axis, mask, alpha_threshold, position, normalize, rng
        As for `kmeans_seg.segment`.

    Returns
    -------
    choice
        A `KChoice`: for each k its inertia and three scores, the recommended k
        or None, and the reason.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.

    Warns
    -----
    FewerClustersWarning
        If the image has fewer distinct colors than the largest k: larger
        numbers are left out.
    NodataWarning, AmbiguousShapeWarning
        As `kmeans_seg.segment` does.

    References
    ----------
    D. T. Pham, S. S. Dimov and C. D. Nguyen, "Selection of K in K-means
    clustering" (2005), for the evenness; we count the dimensions in which the
    colors really vary.
    T. Caliński and J. Harabasz, "A dendrite method for cluster analysis" (1974).
    P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and
    validation of cluster analysis" (1987); here with distances to centers.
    E. Schubert, "Stop using the elbow criterion for k-means and how to choose
    the number of clusters instead" (2023).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spots = np.array([[200, 40, 30], [30, 60, 190], [240, 220, 90]])
    >>> image = spots[rng.integers(0, 3, (40, 60))] + rng.integers(-9, 10, (40, 60, 3))
    >>> choice = choose_k(image.astype(np.uint8), range(2, 6))
    >>> choice.k
    3
    >>> choice.segment().counts
    array([801, 767, 832])
    """
    wanted = as_ks(ks)
    pixels = Pixels(image, space, channel_axis, mask, alpha_threshold=alpha_threshold)
    options = Options.checked(1, init="auto", max_iter=1000, rng=rng, strategy="fast")
    problem = prepare(pixels, options, position=position, normalize=normalize)
    return compare(problem, wanted, rng)


@default_errstate
def compare(problem: Problem, wanted: tuple[int, ...], rng: RandomGenerator) -> KChoice:
    """Cluster the coarse points into each number of clusters, and score the outcomes."""
    points, counts = problem.features.points(problem.found), problem.found.counts
    most = POINTS + POINTS_PER_CENTER * max(wanted)
    coarse = CoarsePoints(points, counts, most)
    few, weights = coarse.in_order()
    dimensions = coarse.dimensions()
    distinct = len(np.unique(few, axis=0))
    ks = tuple(k for k in wanted if k <= distinct)
    if len(ks) < len(wanted):
        found = f"are only {distinct} distinct colors" if distinct > 1 else "is one color"
        warnings.warn(
            f"ks goes up to {wanted[-1]}, but there {found}: larger numbers are left out",
            FewerClustersWarning,
            stacklevel=4,
        )
    size = exact_sum(weights)
    inertias, silhouettes = [], []
    for k in (1, *ks):
        options = problem.options._replace(k=k, rng=validation.as_generator(rng))
        best, _ = run_to_end(best_run(few, weights, options), None)
        inertias.append(best.inertia)
        silhouettes.append(silhouette(few, weights, best.centers) if k > 1 else 0.0)
    within, ratios = np.array(inertias), np.array([left(k, dimensions) for k in (1, *ks)])
    with np.errstate(divide="ignore", invalid="ignore"):
        evenness = within[1:] / within[:-1] / (ratios[1:] / ratios[:-1])
        between = (within[0] - within[1:]) / np.subtract(ks, 1.0)
        scores = between / (within[1:] / (size - np.array(ks, np.float64)))
    evenness[within[:-1] == 0] = 1
    clear = [k for k, even in zip(ks, evenness.tolist(), strict=True) if even <= CLEAR]
    chosen = max(clear, default=None)
    return KChoice(
        ks=ks,
        inertias=within[1:],
        evenness=evenness,
        silhouettes=np.array(silhouettes[1:]),
        calinski_harabasz=scores,
        k=chosen,
        reason=reason(chosen, ks, evenness),
        _problem=problem,
        _rng=rng,
    )


def reason(chosen: int | None, ks: tuple[int, ...], evenness: Floats) -> str:
    """Say in a sentence why a k is recommended, or why none is."""
    if chosen is None:
        if not ks:
            return "no k to recommend: the image has one color"
        return (
            "no k to recommend: the colors show no clusters, since no further center lowers the "
            f"inertia to {CLEAR} of what evenly spread colors would leave"
        )
    even = float(evenness[ks.index(chosen)])
    said = (
        f"k={chosen}: its last center leaves {even:.2f} of the inertia that evenly spread colors "
        "would leave"
    )
    return said + ("; more may be found beyond the largest k" if chosen == ks[-1] else "")


def left(k: int, dimensions: float) -> float:
    """Return about what k centers leave of the inertia of evenly spread data."""
    share, ratio = 1.0, 0.0
    for number in range(2, k + 1):
        ratio = 1 - 0.75 / dimensions if number == 2 else ratio + (1 - ratio) / 6
        share *= ratio
    return share


def silhouette(points: Floats, weights: Floats, centers: Floats) -> float:
    """Return the mean of 1 - a / b, where a and b are the distances to the nearest two centers."""
    distances = squared_distances(points, centers)
    nearest, second = np.sqrt(np.partition(distances, 1, axis=1)[:, :2].T)
    apart = second > 0
    values = np.where(apart, 1 - nearest / np.where(apart, second, 1), 0)
    return exact_sum(weights * values) / exact_sum(weights)


def as_ks(ks: Iterable[int]) -> tuple[int, ...]:
    """Check numbers of segments to compare; they come back ascending, each once."""
    try:
        numbers = sorted({operator.index(k) for k in ks})
    except TypeError:
        raise TypeError(
            f"ks={validation.spelled(ks)} must be integers, for instance range(2, 13)"
        ) from None
    if not numbers or numbers[0] < 2:
        raise ValueError(
            f"ks={validation.spelled(ks)} must hold integers of at least 2, for instance "
            "range(2, 13)"
        )
    return tuple(numbers)
