"""The distances of one pixel to every center, worked out in numbers as on a blackboard.

The numbers are those of a real run, and the distances those that decide in
it. Only how many digits to show is chosen here: as many as it takes for a
reader with a pocket calculator to come to the same. Left out: the means, of
which a trace has the centers before and after each update.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import validation
from ..clustering import Options, run_to_end, warn_of_shortcomings
from ..errstate import default_errstate
from ..exact import Floats
from ..features import SPACES
from ..image import Pixels
from ..lloyd import squared_distance
from ..segmentation import Segmentation, as_pixels, prepare
from ..validation import RandomGenerator
from .trace import Assign, check_one_picture

# A vector of more channels than this is not written out.
LONG = 4
# No more digits than this after the point.
MOST_DIGITS = 12


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a pixel belongs to its segment: lines of text as a `str`, a table in a notebook.

    Attributes
    ----------
    pixel
        (row, column).
    color
        Array (C,) in the dtype of the image.
    space
        The name of the color space that is clustered.
    point
        Array (C,) of float64: the color in that space.
    centers
        Array (k, C) of float64.
    palette
        Array (k, C) in the dtype of the image: the centers as colors.
    distances
        Array (k,) of float64: the squared distance to each center.
    label
        The index of the pixel's center, which is the nearest.
    """

    pixel: tuple[int, int]
    color: NDArray[Any]
    space: str
    point: Floats
    centers: Floats
    palette: NDArray[Any]
    distances: Floats
    label: int

    def __str__(self) -> str:
        """Write it on the blackboard."""
        head, rows, verdict = self._worked_out()
        lines = [f"to center {i} = {center}: {sums}" for i, (center, sums) in enumerate(rows)]
        return "\n".join([head, *lines, verdict])

    __repr__ = __str__  # what one wants to see at a prompt

    def _repr_html_(self) -> str:
        """Show a table in a notebook."""
        from ..display import as_rgb, swatch

        head, rows, verdict = self._worked_out()
        colors = as_rgb(np.vstack([self.palette, self.color]))
        cells = [
            f'<tr style="font-weight:{"bold" if i == self.label else "normal"}">'
            f'<td style="text-align:left">{swatch(colors[i])} to center {i} = {center}</td>'
            f'<td style="text-align:left">{sums}</td></tr>'
            for i, (center, sums) in enumerate(rows)
        ]
        return (
            f"<p>{swatch(colors[-1])} {head}</p>"
            f"<table><tbody>{''.join(cells)}</tbody></table><p>{verdict}</p>"
        )

    @default_errstate
    def _worked_out(self) -> tuple[str, list[tuple[str, str]], str]:
        """Write the pixel, then for each center the center and its distance, and the verdict."""
        digits, of_squares = digits_to_show(self.point, self.centers, self.distances)
        point = [written(value, digits) for value in self.point]
        color = [written(value, digits) for value in self.color.tolist()]
        head = f"pixel {self.pixel} = {vector(color)}"
        if not np.array_equal(self.color, self.point):
            head += f", in {self.space} {vector(point)}"

        rows = []
        for center, distance in zip(self.centers, self.distances, strict=True):
            shown = [written(value, digits) for value in center]
            terms = [f"({one} - {as_term(two)})²" for one, two in zip(point, shown, strict=True)]
            squares = np.square(self.point - center)
            results = [written(value, of_squares) for value in squares]
            total = written(distance, of_squares)
            exact = is_rounded(np.stack([self.point, center]), digits)
            exact = exact and is_rounded(squares, of_squares)
            sums = f"{added(terms)} {'=' if exact else '≈'} {added(results)}"
            if len(results) > 1:
                rest = math.fsum(map(float, results)) - float(total)
                sums += f" {'≈' if round(rest, of_squares) else '='} {total}"
            rows.append((vector(shown), sums))

        verdict = f"nearest: center {self.label}"
        ties = np.flatnonzero(self.distances == self.distances[self.label])
        if ties.size > 1:
            others = ", ".join(str(i) for i in ties if i != self.label)
            lowest = self.label == ties[0]
            rule = "the lowest number" if lowest else "the darkest, which segments are sorted by"
            verdict += f" (as near: {others}; a tie goes to {rule})"
        return head, rows, verdict


def explain(
    image: ArrayLike,
    k: int,
    row: int,
    column: int,
    *,
    at: Assign | None = None,
    space: str = "rgb",
    init: str | ArrayLike = "auto",
    max_iter: int = 1000,
    tol: float = 0,
    rng: RandomGenerator = 0,
    strategy: str = "fast",
    assign: None = None,
) -> Explanation:
    """Work out the distances of one pixel to every center, as on a blackboard.

    Parameters
    ----------
    image, k
        As for `kmeans_seg.segment`.
    row, column
        The pixel, both from 0.
    at
        A record from a trace of the same image in the same space: the centers
        are those of that moment. By default they are those of the result.
    space, init, max_iter, tol, rng, strategy, assign
        As for `kmeans_seg.segment`.

    Returns
    -------
    explanation
        An `Explanation`: print it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form that `segment` asks for, if there is
        no such pixel, if it is transparent, or if the record contradicts the
        image.

    Examples
    --------
    >>> image = np.array([[[9, 1, 2], [8, 2, 2]], [[0, 5, 7], [1, 4, 7]]], np.uint8)
    >>> explain(image, 2, 0, 1)
    pixel (0, 1) = (8, 2, 2)
    to center 0 = (8.5, 1.5, 2): (8 - 8.5)² + (2 - 1.5)² + (2 - 2)² = 0.25 + 0.25 + 0 = 0.50
    to center 1 = (0.5, 4.5, 7): (8 - 0.5)² + (2 - 4.5)² + (2 - 7)² = 56.25 + 6.25 + 25 = 87.50
    nearest: center 0
    """
    options = Options.checked(
        k, init=init, max_iter=max_iter, tol=tol, rng=rng, strategy=strategy, assign=assign
    )
    problem = prepare(Pixels(image, space), options)
    check_one_picture(problem.pixels.array)
    shape = problem.pixels.shape
    row = as_index("row", row, shape[0])
    column = as_index("column", column, shape[1])
    state: Assign | Segmentation
    if at is None:
        clustering = run_to_end(problem.events(), None)
        warn_of_shortcomings(clustering, problem.options, "colors")
        state = problem.segmentation(clustering)
    else:
        check_record(at, shape, problem.features.channels)
        state = at
    check_takes_part(row, column, int(state.labels[row, column]))
    color = as_pixels(np.asarray(problem.pixels.array[row : row + 1, column : column + 1]))[0]
    color = color[: problem.pixels.channels].copy()
    label = int(state.labels[row, column])
    point, distances = measured(color, space, state.centers)
    if distances[label] != distances.min():
        raise ValueError(
            "at is a record of another image or in another space: trace this image, with the same "
            f"space={space!r}"
        )
    return Explanation(
        (row, column),
        color,
        space,
        point,
        centers=state.centers,
        palette=state.palette,
        distances=distances,
        label=label,
    )


@default_errstate
def measured(color: NDArray[Any], space: str, centers: Floats) -> tuple[Floats, Floats]:
    """Return a color as a point of a color space, and its squared distances to centers."""
    point = SPACES[space].to_points(np.array([color]))[0]
    return point, squared_distance(point, centers)


def digits_to_show(point: Floats, centers: Floats, distances: Floats) -> tuple[int, int]:
    """Choose how many digits to show after the point: of a coordinate, and of a square."""
    if is_rounded(point, 0) and is_rounded(centers, 0):
        return 0, 0
    smallest = np.unique(distances)[:2]
    squares = np.square(point - centers)

    def tells_apart(digits: int) -> bool:
        """Whether the two smallest distances still differ when they are rounded."""
        return np.unique(smallest.round(digits)).size == smallest.size

    def comes_out(digits: int) -> bool:
        """Whether rounded coordinates lead to the same rounded squares."""
        again = np.square(point.round(digits) - centers.round(digits))
        return np.array_equal(again.round(of_squares), squares.round(of_squares))

    largest = float(distances.max())
    of_squares = fewest(tells_apart, max(0, 3 - Decimal(largest).adjusted()))
    return fewest(comes_out, 1), of_squares


def fewest(enough: Callable[[int], bool], least: int) -> int:
    """Return the smallest number of digits that is enough, in reason."""
    return next((digits for digits in range(least, MOST_DIGITS) if enough(digits)), MOST_DIGITS)


def is_rounded(values: Floats, digits: int) -> bool:
    """Whether the values have no more digits than that after the point."""
    return np.array_equal(values, values.round(digits))


def written(value: float, digits: int) -> str:
    """Write a number with this number of digits after the point; a whole number without any."""
    rounded = round(float(value), digits) + 0.0  # never -0
    return f"{rounded:.0f}" if value == rounded == round(rounded) else f"{rounded:.{digits}f}"


def as_term(number: str) -> str:
    """Put a negative number in parentheses, to stand after a sign."""
    return f"({number})" if number.startswith("-") else number


def vector(values: Sequence[str]) -> str:
    """Write numbers as a vector; a single one as it is."""
    return values[0] if len(values) == 1 else f"({', '.join(shortened(values))})"


def added(terms: Sequence[str]) -> str:
    """Write a sum."""
    return " + ".join(shortened(terms))


def shortened(items: Sequence[str]) -> list[str]:
    """Leave out the middle of a long list."""
    return [*items] if len(items) <= LONG else [*items[:2], "...", items[-1]]


def check_takes_part(row: int, column: int, label: int) -> None:
    """Check that a pixel has a label."""
    if label < 0:
        raise ValueError(
            f"pixel ({row}, {column}) takes no part, being transparent or masked: choose another"
        )


def as_index(name: str, value: object, size: int) -> int:
    """Check an integer from 0 to size - 1."""
    index = validation.as_count(name, value, least=0, most=math.inf)
    if index >= size:
        raise ValueError(
            f"{name}={validation.spelled(index)} is outside the image: "
            f"it must be from 0 to {size - 1}"
        )
    return index


def check_record(at: object, shape: tuple[int, ...], channels: int) -> None:
    """Check that `at` is an assignment, of an image of this height, width and channels."""
    if not isinstance(at, Assign):
        raise TypeError(f"at must be an Assign, a record of trace, not {type(at).__name__}")
    traced = at.labels.shape
    if shape != traced:
        raise ValueError(
            f"image is {shape[0]} by {shape[1]} pixels, but the record is of one of "
            f"{traced[0]} by {traced[1]}: give the image that was traced"
        )
    if at.centers.shape[1] != channels:
        raise ValueError(
            f"at is a record of an image with {at.centers.shape[1]} channels, but image has "
            f"{channels}: trace this image"
        )
