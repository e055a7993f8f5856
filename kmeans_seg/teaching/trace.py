"""The half-steps of a real run: centers chosen, pixels assigned, centers updated, done.

`trace` drains the very generator that `kmeans_seg.segment` drains, and turns
each event from distinct colors back to the pixels of the image. It computes
nothing of the algorithm itself. Left out: how pictures are drawn (`display`)
and the arithmetic of a single pixel (`blackboard`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clustering import (
    Clustering,
    Event,
    Events,
    Options,
    Renumbered,
    Result,
    warn_of_shortcomings,
)
from ..display import WIDTH, Card, as_rgb, heat, mark, numbers, painted_card, plural
from ..errstate import default_errstate
from ..exact import Floats
from ..image import Pixels
from ..lloyd import Labels, Step, squared_distance
from ..rehearsals import Round
from ..segmentation import Problem, Segmentation, prepare
from ..validation import RandomGenerator


class Shown:
    """A record: it shows as a line at a prompt, and as a picture in a notebook."""

    def __post_init__(self) -> None:
        """Make the arrays read-only, since one record may share them with the next."""
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @property
    def _title(self) -> str:
        """The record in a few words."""
        raise NotImplementedError

    def _card(self) -> Card:
        """Make what a notebook shows of the record."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Sum it up in a line."""
        return f"<{type(self).__name__}: {self._title}>"

    def _repr_png_(self) -> bytes:
        return self._card().png()

    def _repr_html_(self) -> str:
        return self._card().html()


@dataclass(frozen=True, eq=False, repr=False)
class Rehearsal(Shown):
    """Many starts were tried on few coarse points, and one start won.

    See `kmeans_seg.rehearsals` for how it goes.

    Attributes
    ----------
    inertias
        Array (rounds, s) of float64: the inertia of the coarse points for each
        start in each round, a pass of all starts that are still running. NaN
        where a start has been dropped, or has not begun. The first starts are
        drawn; each of the others is a copy of the one that was left, in which
        one center was moved.
    winner
        The number of the start that won: a column of `inertias`.
    drawn
        How many of the starts were drawn.
    centers
        Array (k, C) of float64: the centers that won, from which the loop
        starts.
    palette
        Array (k, C) in the dtype of the image: these centers as colors.
    """

    inertias: Floats
    winner: int
    drawn: int
    centers: Floats
    palette: NDArray[Any]

    @property
    def ends(self) -> Floats:
        """Array (s,) of float64: the inertia of each start in its last round."""
        running = ~np.isnan(self.inertias)
        last = len(running) - 1 - running[::-1].argmax(axis=0)
        ends: Floats = self.inertias[last, np.arange(self.inertias.shape[1])]
        return ends

    @property
    def rounds(self) -> NDArray[np.intp]:
        """Array (s,): the number of rounds that each start ran."""
        rounds: NDArray[np.intp] = np.count_nonzero(~np.isnan(self.inertias), axis=0)
        return rounds

    @property
    def _title(self) -> str:
        starts = plural(self.drawn, "start", "starts")
        return f"rehearsal of {starts}: number {self.winner} won"

    def _card(self) -> Card:
        return Card(
            title=self._title,
            picture=None,
            alt="",
            colors=as_rgb(self.palette),
            head=("", "initial center"),
            rows=[(str(number), numbers(center)) for number, center in enumerate(self.centers)],
        )


@dataclass(frozen=True, eq=False, repr=False)
class Choose(Shown):
    """A color was drawn as an initial center.

    Attributes
    ----------
    number
        0 for the first center drawn. The cluster that grows from it has this
        number in all records but `Done`.
    pixel
        (row, column) of the first pixel, in reading order, of the color drawn.
    color
        Array (C,) in the dtype of the image.
    distances
        Array (H, W) of float64: for each pixel the squared distance to the
        nearest of the centers drawn before, in the color space that is
        clustered. A pixel is drawn with a probability in proportion to it; one
        that takes no part has 0. None for the first center.
    """

    number: int
    pixel: tuple[int, int]
    color: NDArray[Any]
    distances: Floats | None

    @property
    def _title(self) -> str:
        """The record in a few words."""
        return f"initial center {self.number}, at row {self.pixel[0]}, column {self.pixel[1]}"

    def _card(self) -> Card:
        """Make what a notebook shows: the squared distances, with a mark at the pixel."""
        colors = as_rgb(self.color[np.newaxis])
        picture = None
        if self.distances is not None:
            picture = heat(self.distances, WIDTH)
            picture = mark(picture, self.pixel, self.distances.shape, colors[0])
        return Card(
            title=self._title,
            picture=picture,
            alt="for each pixel the squared distance to the nearest initial center so far: "
            "the brighter, the farther",
            colors=colors,
            head=("", "color"),
            rows=[(str(self.number), numbers(self.color))],
        )


@dataclass(frozen=True, eq=False, repr=False)
class Assign(Shown):
    """Every pixel was assigned to its nearest center.

    Attributes
    ----------
    iteration
        1 for the first pass of the loop.
    centers
        Array (k, C) of float64, in the color space that is clustered.
    palette
        Array (k, C) in the dtype of the image: the centers as colors.
    labels
        Array (H, W) of int32: for each pixel the index of its center, or -1
        if it takes no part because its alpha is 0.
    changed
        Array (H, W) of bool: which pixels had another label before. All in
        the first pass, none in the last.
    inertia
        The sum over all pixels of the squared distance to their center.
    counts
        Array (k,) of int64: the number of pixels of each center.
    """

    iteration: int
    centers: Floats
    palette: NDArray[Any]
    labels: Labels
    changed: NDArray[np.bool_]
    inertia: float
    counts: NDArray[np.int64]

    @property
    def _title(self) -> str:
        """The record in a few words."""
        changed = plural(int(np.count_nonzero(self.changed)), "pixel", "pixels")
        return f"pass {self.iteration}: {changed} changed"

    def _card(self) -> Card:
        """Make what a notebook shows: the image in its segments."""
        return painted_card(self._title, self.labels, self.palette, self.counts)


@dataclass(frozen=True, eq=False, repr=False)
class Update(Shown):
    """Every center was moved to the mean of its pixels.

    A center that would lose all its pixels is moved on to the color that is
    farthest from its own center, so that it has some again.

    Attributes
    ----------
    iteration
        That of the `Assign` before.
    before, after
        Arrays (k, C) of float64: the centers.
    palette
        Array (k, C) in the dtype of the image: the centers after, as colors.
    moved
        Array (k,) of float64: the Euclidean distance from before to after.
    """

    iteration: int
    before: Floats
    after: Floats
    palette: NDArray[Any]
    moved: Floats

    @property
    def _title(self) -> str:
        """The record in a few words."""
        return f"update {self.iteration}: the centers move to the means"

    def _card(self) -> Card:
        """Make what a notebook shows: a table of the moves."""
        moves = zip(self.before, self.after, self.moved, strict=True)
        return Card(
            title=self._title,
            picture=None,
            alt="",
            colors=as_rgb(self.palette),
            head=("", "from", "to", "moved by"),
            rows=[
                (str(number), numbers(before), numbers(after), f"{moved:.4g}")
                for number, (before, after, moved) in enumerate(moves)
            ],
        )


@dataclass(frozen=True, eq=False, repr=False)
class Done(Shown):
    """No pixel changed, or the run gave up: what `kmeans_seg.segment` returns.

    Attributes
    ----------
    result
        The `Segmentation`, its segments in order from dark to light.
    order
        Array (k,) of int: segment i of the result is the cluster that had the
        number `order[i]` in the records before.
    """

    result: Segmentation
    order: NDArray[np.intp]

    @property
    def _title(self) -> str:
        """The record in a few words."""
        return self._card().title

    def _card(self) -> Card:
        """Make what a notebook shows of the result."""
        return self.result._card()


Record: TypeAlias = Rehearsal | Choose | Assign | Update | Done


def trace(
    image: ArrayLike,
    k: int,
    *,
    space: str = "rgb",
    init: str | ArrayLike = "auto",
    max_iter: int = 1000,
    tol: float = 0,
    rng: RandomGenerator = 0,
    strategy: str = "fast",
    assign: None = None,
) -> Iterator[Record]:
    """Segment an image and see every half-step of it.

    The run is the one that `kmeans_seg.segment` makes of the same arguments.
    Its steps are made as they are asked for, and none is kept: a loop over a
    long trace of a large image needs the memory of one record at a time, a
    list of them that of all.

    The clusters are numbered as the loop numbers them: cluster i starts from
    initial center i, in every record but the last. Only when the run is done
    are they brought into order from dark to light, and `Done` says which became
    which.

    Parameters
    ----------
    image, k, space, init, max_iter, tol, rng, strategy, assign
        As for `kmeans_seg.segment`.

    Returns
    -------
    records
        An iterator: first a `Rehearsal`, if there is one; a `Choose` for each
        initial center that is drawn, after a rehearsal for those that the
        winner was drawn from (none if `init` is an array or the optimum); then
        `Assign`, `Update`, `Assign`, ..., `Assign`, and at last `Done`. Their
        arrays are read-only.

    Raises
    ------
    TypeError, ValueError
        At the call, if an argument is not of the form that `segment` asks for.

    Warns
    -----
    FewerClustersWarning, ConvergenceWarning
        With the last record, as `segment` does.

    Notes
    -----
    A pixel between two centers goes to the one of lower number, so the new
    order may reassign a few of them. Then the loop goes on, and so does the
    trace: with another `Assign` of the same pass.

    Examples
    --------
    >>> image = np.array([[10, 12, 200], [11, 120, 202]], np.uint8)
    >>> for record in trace(image, 2, init="k-means++"):
    ...     match record:
    ...         case Choose():
    ...             print("center", record.number, "is pixel", record.pixel, record.color)
    ...         case Assign():
    ...             print("assign", record.changed.sum(), "pixels:", record.labels.tolist())
    ...         case Update():
    ...             print("update", record.before.ravel(), "to", record.after.ravel())
    ...         case Done():
    ...             print("done", record.result.centers.ravel(), "were", record.order)
    center 0 is pixel (1, 1) [120]
    center 1 is pixel (1, 0) [11]
    assign 6 pixels: [[1, 1, 0], [1, 0, 0]]
    update [120.  11.] to [174.  11.]
    assign 0 pixels: [[1, 1, 0], [1, 0, 0]]
    done [ 11. 174.] were [1 0]
    """
    options = Options.checked(
        k, init=init, max_iter=max_iter, tol=tol, rng=rng, strategy=strategy, assign=assign
    )
    problem = prepare(Pixels(image, space), options)
    check_one_picture(problem.pixels.array)
    return records(problem)


def records(problem: Problem) -> Iterator[Record]:
    """Do the work of `trace`, whose arguments have been checked."""
    # Which of the distinct colors each pixel has: it turns a value per color into one per pixel.
    count = len(problem.found.colors)
    color_at = problem.pixels.spread(problem.found.look_up(np.arange(count, dtype=np.int32)))
    outside = color_at < 0  # pixels that take no part
    drawn: list[int] = []
    rounds: list[Round] = []
    last: Step | None = None
    goes_on = False  # with the last step, in a new order
    names = np.zeros(0, np.intp)  # the number in the records of each row of the centers
    for event in ending_in_the_result(problem.events()):
        match event:
            case Round():
                rounds.append(event)
            case int():
                drawn.append(event)
                yield choice(drawn, color_at, problem)
            case Renumbered():
                names, goes_on = names[event.order], True
            case Step():
                first = last is None
                if last is None:
                    if rounds:
                        yield rehearsal(rounds, event.centers, problem.colors(event.centers))
                        drawn = draws_of_the_winner(rounds, problem)
                        for number in range(len(drawn)):
                            yield choice(drawn[: number + 1], color_at, problem)
                    names = np.arange(len(event.centers))
                    centers = event.centers
                last = event
                if goes_on and event.reassigned.size == 0:
                    continue  # in the new order, it repeats the last step
                before, centers = centers, replaced(centers, names, event.centers)
                palette = problem.colors(centers)
                if not first and not goes_on:
                    moved = lengths(before, centers)
                    yield Update(event.iteration - 1, before, centers, palette, moved=moved)
                goes_on = False
                changed = replaced(np.zeros(count, np.bool_), event.reassigned, True)
                yield Assign(
                    event.iteration,
                    centers,
                    palette,
                    np.where(outside, np.int32(-1), names.astype(np.int32)[event.labels][color_at]),
                    changed=changed[color_at] & ~outside,
                    inertia=event.inertia,
                    counts=replaced(np.zeros(len(centers), np.int64), names, event.weights),
                )
            case Clustering():
                assert last is not None
                warn_of_shortcomings(event, problem.options, "colors")
                yield Done(problem.segmentation(event), names[np.flatnonzero(last.weights)])


def rehearsal(rounds: list[Round], centers: Floats, palette: NDArray[Any]) -> Rehearsal:
    """Make one record of all rounds."""
    numbers = np.unique(np.concatenate([one.starts for one in rounds]))
    inertias = np.full((len(rounds), len(numbers)), np.nan)
    for row, one in zip(inertias, rounds, strict=True):
        row[np.searchsorted(numbers, one.starts)] = one.inertias
    return Rehearsal(
        inertias=inertias,
        winner=int(np.searchsorted(numbers, rounds[-1].starts[0])),
        drawn=len(rounds[0].starts),
        centers=centers,
        palette=palette,
    )


@default_errstate
def draws_of_the_winner(rounds: list[Round], problem: Problem) -> list[int]:
    """Return the colors nearest to the coarse points that the winner was drawn from."""
    drawn = len(rounds[0].starts)
    original = next(
        int(one.starts[0]) for one in reversed(rounds) if one.starts[0] < drawn
    )  # the one start that was left, which the others are copies of
    points = problem.features.points(problem.found)
    return [
        int(squared_distance(points, center).argmin()) for center in rounds[0].centers[original]
    ]


@default_errstate
def choice(drawn: list[int], color_at: Labels, problem: Problem) -> Choose:
    """Record the last of some draws; `color_at` is the index of each pixel's color, or -1."""
    *earlier, last = drawn
    row, column = np.unravel_index((color_at == last).argmax(), color_at.shape)
    distances = None
    if earlier:
        points = problem.features.points(problem.found)
        nearest = squared_distance(points, points[earlier[0]])
        for index in earlier[1:]:
            np.minimum(nearest, squared_distance(points, points[index]), out=nearest)
        distances = np.where(color_at < 0, 0, nearest[color_at])
    return Choose(
        number=len(earlier),
        pixel=(int(row), int(column)),
        color=problem.found.colors[last],
        distances=distances,
    )


@default_errstate
def lengths(before: Floats, after: Floats) -> Floats:
    """Return how far each center has moved."""
    moved: Floats = np.sqrt(squared_distance(before, after))
    return moved


def ending_in_the_result(events: Events[Result]) -> Iterator[Event | Result]:
    """Yield the events, and what they lead to after them."""
    result = yield from events
    yield result


def replaced(values: NDArray[Any], indices: NDArray[np.intp], new: ArrayLike) -> NDArray[Any]:
    """Return a copy of `values` with new ones at `indices`."""
    values = values.copy()
    values[indices] = new
    return values


def check_one_picture(image: NDArray[Any]) -> None:
    """Check an image for the lessons: two axes and channels."""
    if image.ndim > 3:
        raise ValueError(
            f"image has shape {image.shape}: the lessons take an image (H, W) or (H, W, C); "
            "choose one picture"
        )
