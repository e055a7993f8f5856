"""Lines, dots and small letters with smooth edges, on a canvas of NumPy.

How much of a pixel a line covers follows from the distance of the pixel to
the line, so that nothing is jagged and no drawing library is needed. The
letters are strokes, too: lines and rounded corners on a small grid. Left out:
capital letters and all that no caption here needs.
"""

import functools
import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .exact import Floats

# Array (H, W, 3) of float64, from 0 to 255.
Canvas: TypeAlias = Floats
Color: TypeAlias = tuple[int, int, int] | NDArray[np.uint8]
Align: TypeAlias = Literal["left", "right"]

# Each letter is as wide as said, and made of strokes: points x,y above the base line, where a
# small letter is 4 high and a digit 6. A stroke runs from its first point to its last, and bends
# toward those between; one that ends in z is closed. Strokes meet where there is a corner.
LETTERS = {
    "a": (3.4, "0,0 3.4,0 3.4,4 0,4 z|3.4,4 3.4,0"),
    "b": (3.4, "0,0 3.4,0 3.4,4 0,4 z|0,6 0,0"),
    "c": (2.9, "2.9,3.3 2.6,4 0,4 0,0 2.6,0 2.9,.7"),
    "d": (3.4, "0,0 3.4,0 3.4,4 0,4 z|3.4,6 3.4,0"),
    "e": (3.3, "0,2.1 3.3,2.1|3.3,2.1 3.3,4 0,4 0,0 2.7,0 3,.8"),
    "f": (2.1, "2.1,6 .8,6.1 .8,4.5|.8,4.5 .8,0|0,4 2,4"),
    "g": (3.4, "0,0 3.4,0 3.4,4 0,4 z|3.4,4 3.4,-.4|3.4,-.4 3.4,-2 1.6,-2 .5,-1.8"),
    "h": (3.1, "0,6 0,0|0,2.2 0,4 3.1,4 3.1,2.2|3.1,2.2 3.1,0"),
    "i": (0, "0,4 0,0|0,5.8 0,5.6"),
    "j": (1, "1,4 1,-.6|1,-.6 1,-2 0,-2|1,5.8 1,5.6"),
    "k": (2.9, "0,6 0,0|2.7,4 0,1.4|1.1,2.4 2.9,0"),
    "l": (0, "0,6 0,0"),
    "m": (5.2, "0,4 0,0|0,2 0,4 2.6,4 2.6,2|2.6,2 2.6,4 5.2,4 5.2,2|2.6,2 2.6,0|5.2,2 5.2,0"),
    "n": (3.1, "0,4 0,0|0,2.2 0,4 3.1,4 3.1,2.2|3.1,2.2 3.1,0"),
    "o": (3.4, "0,0 3.4,0 3.4,4 0,4 z"),
    "p": (3.4, "0,0 3.4,0 3.4,4 0,4 z|0,4 0,-2"),
    "q": (3.4, "0,0 3.4,0 3.4,4 0,4 z|3.4,4 3.4,-2"),
    "r": (1.8, "0,4 0,0|0,2 0,4 1.8,4"),
    "s": (2.7, "2.5,3.4 2.2,4 .1,4.1 .1,2.1 2.7,2.1 2.7,0 .3,-.1 0,.7"),
    "t": (2.1, ".8,5.4 .8,1.5|.8,1.5 .8,0 2.1,0|0,4 2,4"),
    "u": (3.1, "0,4 0,1.8|0,1.8 0,0 3.1,0 3.1,1.8|3.1,4 3.1,0"),
    "v": (3, "0,4 1.5,0|1.5,0 3,4"),
    "w": (4.6, "0,4 1.2,0|1.2,0 2.3,4|2.3,4 3.4,0|3.4,0 4.6,4"),
    "x": (2.8, "0,4 2.8,0|0,0 2.8,4"),
    "y": (3, "0,4 1.5,0|3,4 1.5,0|1.5,0 .8,-2 -.2,-1.9"),
    "z": (2.7, "0,4 2.7,4|2.7,4 0,0|0,0 2.7,0"),
    "0": (3.4, "0,0 3.4,0 3.4,6 0,6 z"),
    "1": (3.4, ".6,4.8 2,6|2,6 2,0"),
    "2": (3.4, ".1,4.5 .1,6 3.2,6.1 3.2,3.6 0,0|0,0 3.4,0"),
    "3": (3.4, ".2,5.1 .5,6 3.1,6 3.1,3.2 1.4,3.2|1.4,3.2 3.4,3.2 3.4,0 .3,0 0,1"),
    "4": (3.4, "2.5,0 2.5,6|2.5,6 0,1.8|0,1.8 3.4,1.8"),
    "5": (3.4, "3,6 .5,6|.5,6 .3,3.2|.3,3.2 1,3.8 3.4,3.9 3.4,0 .4,0 0,1"),
    "6": (3.4, "0,0 3.4,0 3.4,3.7 0,3.7 z|0,1.8 0,4.6 2.5,6"),
    "7": (3.4, "0,6 3.4,6|3.4,6 1.2,0"),
    "8": (3.4, ".3,3.2 3.1,3.2 3.1,6 .3,6 z|0,0 3.4,0 3.4,3.2 0,3.2 z"),
    "9": (3.4, "0,2.3 3.4,2.3 3.4,6 0,6 z|3.4,4.2 3.4,1.4 .9,0"),
    " ": (0.6, ""),
    ".": (0.3, "0,.1 .3,.1|0,-.1 .3,-.1"),
    ",": (0.4, ".4,.1 0,-1.1"),
    ":": (0.2, "0,.2 .2,.2|0,3.4 .2,3.4"),
    "+": (3, "0,2.6 3,2.6|1.5,4.1 1.5,1.1"),
    "-": (2.4, "0,2.3 2.4,2.3"),
    "%": (5, "1,0 4,6|0,3.4 2,3.4 2,6 0,6 z|3,0 5,0 5,2.6 3,2.6 z"),
}  # fmt: skip

# On the same grid: how thick the strokes are, how far apart the letters, how far they reach.
STROKE, SPACING, ABOVE, BELOW = 0.75, 1.75, 7.0, 3.0


def blank(height: int, width: int, color: Color) -> Canvas:
    """Make a canvas of one color."""
    return np.full((height, width, 3), color, np.float64)


def draw_line(canvas: Canvas, points: Floats, width: float, color: Color) -> None:
    """Draw a line with round ends through points (n, 2), each (x, y).

    The center of the first pixel, at the upper left, is (0, 0). A line of one point is a dot.
    """
    reach = width / 2 + 1
    left, top = np.floor(points.min(axis=0) - reach).astype(int)
    right, bottom = np.ceil(points.max(axis=0) + reach).astype(int) + 1
    amount = cover([points - (left, top)], bottom - top, right - left, width)
    blend(canvas, amount, (left, top), color)


def draw_text(
    canvas: Canvas,
    text: str,
    place: tuple[int, int],
    color: Color,
    *,
    size: float = 1.75,
    align: Align = "left",
) -> None:
    """Write a line of text that begins or ends at a place (x, y); its letters stand on the row y.

    The size is that of the grid: small letters are four times as high.
    """
    x, base = place
    if align == "right":
        x -= text_width(text, size)
    for letter in text:
        blend(canvas, letter_cover(letter, size), (x, base - round(ABOVE * size)), color)
        x += advance(letter, size)


def text_width(text: str, size: float = 1.75) -> int:
    """Return how wide a text is."""
    margins = 2 * round(STROKE * size)
    return sum(advance(letter, size) for letter in text) + margins - round(SPACING * size)


def advance(letter: str, size: float) -> int:
    """Return how far from the start of a letter the next one starts."""
    return round((LETTERS[letter][0] + SPACING) * size)


@functools.cache
def letter_cover(letter: str, size: float) -> Floats:
    """Return how much of each pixel a letter covers."""
    width, strokes = LETTERS[letter]
    lines = [
        bent(stroke) * (size, -size) + (round(STROKE * size), round(ABOVE * size))
        for stroke in strokes.split("|")
        if stroke
    ]
    height = round(ABOVE * size) + math.ceil(BELOW * size)
    return cover(lines, height, math.ceil((width + 2 * STROKE) * size) + 1, STROKE * size)


def bent(stroke: str) -> Floats:
    """Turn the description of a stroke into points (n, 2) close together."""
    words = stroke.split()
    closed = words[-1] == "z"
    points = np.array([word.split(",") for word in words if word != "z"], np.float64)
    if closed:
        points = np.vstack([points, points[:2]])
    middles = (points[1:] + points[:-1]) / 2
    if not closed:
        middles[0], middles[-1] = points[0], points[-1]
    if len(points) == 2:
        return points
    # From the middle of one edge to that of the next, toward the point between: parabolas.
    t = np.linspace(0, 1, 8)[:, np.newaxis]
    arcs = [
        (1 - t) * (1 - t) * one + 2 * t * (1 - t) * point + t * t * two
        for one, point, two in zip(middles, points[1:], middles[1:], strict=False)
    ]
    return np.vstack(arcs)


def cover(lines: list[Floats], height: int, width: int, thickness: float) -> Floats:
    """Return how much of each pixel lines through points (n, 2) cover, from 0 to 1."""
    result = np.zeros((height, width))
    reach = thickness / 2 + 0.5
    for points in lines:
        for start, end in zip(points, points[1:] if len(points) > 1 else points, strict=False):
            left, top = np.maximum(np.floor(np.minimum(start, end) - reach), 0).astype(int)
            right, bottom = np.ceil(np.maximum(start, end) + reach).astype(int) + 1
            box = result[top:bottom, left:right]
            y, x = np.ogrid[top : top + box.shape[0], left : left + box.shape[1]]
            dx, dy = end - start
            along = ((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy or 1.0)
            along = along.clip(0, 1)
            across, down = x - start[0] - along * dx, y - start[1] - along * dy
            distance = np.sqrt(across * across + down * down)
            np.maximum(box, (reach - distance).clip(0, 1), out=box)
    return result


def blend(canvas: Canvas, amount: Floats, place: tuple[int, int], color: Color) -> None:
    """Lay a color over a part of a canvas; `amount`, from 0 to 1, says how much on each pixel.

    The part begins at a place (x, y). What is outside the canvas is cut off.
    """
    left, top = place
    amount = amount[max(0, -top) :, max(0, -left) :, np.newaxis]
    part = canvas[max(0, top) :, max(0, left) :][: amount.shape[0], : amount.shape[1]]
    amount = amount[: part.shape[0], : part.shape[1]]
    part += amount * (np.asarray(color, np.float64) - part)
