"""How results show in a notebook: a picture beside its palette, with the counts.

Whatever shows itself makes a `Card`: a title, a picture, and a table with a row
for each color. A card is drawn as PNG, or written as HTML with the picture in
it. Left out: the strokes themselves (`ink`), and films (`teaching.film`).
"""

import base64
import itertools
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .exact import Floats
from .ink import Canvas, blank, draw_line, draw_text, text_width
from .lloyd import Labels

# Array (H, W, 3) or (k, 3) of uint8.
Rgb: TypeAlias = NDArray[np.uint8]

PAPER, INK, GRAY, PALE = (255, 255, 255), (38, 38, 38), (125, 125, 125), (224, 224, 224)

# From near to far: five colors of matplotlib's "magma", which is in the public domain (CC0).
HEAT = np.array(
    [(0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)], np.float64
)
HEAT_LEVELS = 64  # a GIF has no more than 256 colors

# How wide a picture is, and how many colors are listed beside it, in a notebook.
WIDTH, ROWS = 480, 16


@dataclass(frozen=True, eq=False, kw_only=True)
class Card:
    """What there is to show of a result."""

    title: str
    picture: Rgb | None
    alt: str
    colors: Rgb
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def png(self) -> bytes:
        """Draw the card, as the bytes of a PNG file."""
        return png_bytes(drawn(self))

    def html(self) -> str:
        """Write the card as HTML, its picture in it."""
        picture = ""
        if self.picture is not None:
            data = base64.b64encode(png_bytes(self.picture)).decode()
            picture = f'<img src="data:image/png;base64,{data}" alt="{self.alt}">'
        rows = [
            f"<tr><td>{swatch(rgb)}</td>{''.join(f'<td>{text}</td>' for text in row)}</tr>"
            for rgb, row in zip(self.colors[:ROWS], self.rows, strict=False)
        ]
        head = "".join(f"<th>{text}</th>" for text in self.head)
        more = f"<p>{unlisted(self)}</p>" if unlisted(self) else ""
        return (
            f"<p>{self.title}</p>"
            '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
            f"{picture}<div><table><thead><tr><th></th>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{more}</div></div>"
        )


def painted_card(title: str, labels: Labels, palette: NDArray[Any], counts: NDArray[Any]) -> Card:
    """Make the card of an image in its segments, or of the first picture of a stack."""
    rgb = as_rgb(palette)
    shares = [percent(count / counts.sum()) for count in counts]
    labels = np.asarray(labels[(0,) * (len(labels.shape) - 2)])
    named = [f"{share} {color}" for share, color in zip(shares, map(hexadecimal, rgb), strict=True)]
    return Card(
        title=title,
        picture=painted(labels, palette, WIDTH),
        alt=f"an image of {labels.shape[0]} by {labels.shape[1]} pixels in "
        f"{plural(len(rgb), 'segment', 'segments')}: {', '.join(named[:ROWS])}",
        colors=rgb,
        head=("", "pixels", "share"),
        rows=[
            (str(number), f"{count:,}", share)
            for number, (count, share) in enumerate(zip(counts, shares, strict=True))
        ],
    )


def drawn(content: Card) -> Rgb:
    """Draw a card."""
    margin, line, size = 16, 24, 28
    listed = [content.head, *content.rows[:ROWS]]
    columns = [max(map(text_width, column)) for column in zip(*listed, strict=True)]
    picture = np.empty((0, 0, 3), np.uint8) if content.picture is None else content.picture
    left = margin + picture.shape[1] + (margin if picture.size else 0)
    top = margin + line
    right = left + size + sum(columns) + margin * (len(columns) - 1)
    height = max(picture.shape[0], line * (len(listed) + bool(unlisted(content))))
    width = max(right, margin + text_width(content.title), left + text_width(unlisted(content)))
    canvas = blank(top + height + margin, width + margin, PAPER)

    draw_text(canvas, content.title, (margin, margin + 10), INK)
    canvas[top : top + picture.shape[0], margin : margin + picture.shape[1]] = picture
    for number, row in enumerate(listed):
        base = top + 14 + line * number
        if number:
            box = canvas[base - 14 : base + 4, left : left + 18]
            box[:] = GRAY
            box[1:-1, 1:-1] = content.colors[number - 1]
        x = left + size
        for text, column in zip(row, columns, strict=True):
            x += column
            draw_text(canvas, text, (x, base), INK if number else GRAY, align="right")
            x += margin
    draw_text(canvas, unlisted(content), (left, top + 14 + line * len(listed)), GRAY)
    return finished(canvas)


def curve_html(ks: tuple[int, ...], values: Floats, limit: float, marked: int | None) -> str:
    """Draw a value for each k, and a limit, as a small plot in SVG."""
    width, height, margin = 360, 150, 26
    most = max(1.2, float(values.max(initial=0)) * 1.05)
    across = (width - 2 * margin) / max(1, ks[-1] - ks[0]) if ks else 1.0

    def place(k: int, value: float) -> tuple[float, float]:
        return margin + (k - ks[0]) * across, height - margin - value / most * (height - 2 * margin)

    points = [place(k, float(value)) for k, value in zip(ks, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    at = height - margin - limit / most * (height - 2 * margin)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if k == marked else 3}"/>'
        f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" font-size="11">{k}</text>'
        for k, (x, y) in zip(ks, points, strict=True)
    )
    return (
        f'<svg width="{width}" height="{height}" role="img" fill="currentColor" '
        f'aria-label="evenness for each k; {limit} or less: a cluster was found">'
        f'<polyline points="{line}" fill="none" stroke="currentColor"/>'
        f'<line x1="{margin}" x2="{width - margin}" y1="{at:.1f}" y2="{at:.1f}" '
        f'stroke="currentColor" stroke-dasharray="4"/>'
        f'<text x="{margin}" y="14" font-size="11">evenness (dashed: {limit})</text>{dots}</svg>'
    )


def unlisted(content: Card) -> str:
    """Say how many rows there are beyond those listed."""
    return f"and {len(content.rows) - ROWS} more" if len(content.rows) > ROWS else ""


def painted(labels: Labels, palette: NDArray[Any], width: int) -> Rgb:
    """Paint the segments, fitted to a width; what took no part has the color of the paper."""
    step = max(1, labels.shape[1] // (4 * width))  # plenty are left to average
    colors = np.vstack((as_rgb(palette), np.asarray(PAPER, np.uint8)))  # the last for label -1
    return fitted(colors[labels[::step, ::step]], width)


def heat(distances: Floats, width: int) -> Rgb:
    """Show squared distances as colors, from dark and near to bright and far."""
    step = max(1, distances.shape[1] // (4 * width))
    nearness = np.sqrt(distances[::step, ::step])  # the squares would leave most of it in the dark
    levels = np.rint(nearness / (nearness.max() or 1.0) * (HEAT_LEVELS - 1)).astype(np.intp)
    at = np.linspace(0, len(HEAT) - 1, HEAT_LEVELS)
    below = np.minimum(at.astype(np.intp), len(HEAT) - 2)
    table = HEAT[below] + (at - below)[:, np.newaxis] * (HEAT[below + 1] - HEAT[below])
    return fitted(finished(table)[levels], width)


def mark(picture: Rgb, pixel: tuple[int, int], shape: tuple[int, ...], color: Rgb) -> Rgb:
    """Mark a pixel of an image of that shape in a picture of it, with a dot of the color."""
    canvas = picture.astype(np.float64)
    center = np.array([[(pixel[i] + 0.5) * picture.shape[i] / shape[i] - 0.5 for i in (1, 0)]])
    for diameter, paint in ((17, INK), (15, PAPER), (10, color)):
        draw_line(canvas, center, diameter, paint)
    return finished(canvas)


def fitted(picture: Rgb, width: int) -> Rgb:
    """Scale a picture down to a width, or up by a whole number so that its pixels can be seen."""
    times = min(width // picture.shape[1], width // picture.shape[0])
    if times < 1:
        return np.rint(shrunk(picture, *size_within(picture.shape, width))).astype(np.uint8)
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def size_within(shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """Return the size of a picture, shrunk to a width and to at most its square in pixels."""
    rows, columns = shape[:2]
    scale = min(1, width / columns, width / math.sqrt(rows * columns))
    columns = max(1, round(columns * scale))
    return max(1, min(round(rows * scale), width**2 // columns)), columns


def shrunk(picture: NDArray[Any], rows: int, columns: int) -> Floats:
    """Average a picture down to this many rows and columns."""
    return shrink_rows(shrink_rows(picture, rows).swapaxes(0, 1), columns).swapaxes(0, 1)


def shrink_rows(image: NDArray[Any], size: int) -> Floats:
    """Average the rows of an image down to `size` of them; a row may count in part."""
    if size == len(image):
        return image
    rows = np.zeros((size, *image.shape[1:]))
    edges = np.linspace(0, len(image), size + 1).tolist()
    for row, (start, stop) in zip(rows, itertools.pairwise(edges), strict=True):
        for index in range(math.floor(start), math.ceil(stop)):
            share = min(index + 1, stop) - max(index, start)
            row += share * image[index].astype(np.float64)
        row /= stop - start
    return rows


def as_rgb(colors: NDArray[Any]) -> Rgb:
    """Turn colors (..., C) of any dtype into those of a screen.

    Gray and RGB in a range that is known look as they are. Where numbers are
    no colors, a palette becomes a row of grays.
    """
    values = on_screen(colors)
    if values is None:
        values = np.linspace(60, 220, colors.shape[0])[:, np.newaxis]
    return np.broadcast_to(np.rint(values), (*values.shape[:-1], 3)).astype(np.uint8)


def on_screen(colors: NDArray[Any]) -> NDArray[Any] | None:
    """Scale gray or RGB colors (..., C) to [0, 255]; None for other numbers."""
    values = colors.astype(np.float64)
    if colors.dtype.kind == "u" and colors.dtype.itemsize == 2:
        values = values / 257
    elif colors.dtype.kind in "fb":
        values = values * 255
    fits = colors.shape[-1] in (1, 3) and values.min() >= 0 and values.max() <= 255
    return values if fits else None


def hex_codes(palette: NDArray[Any]) -> list[str | None]:
    """Write colors (k, C) as "#rrggbb"; None for each if they are not RGB.

    Examples
    --------
    >>> hex_codes(np.array([[250, 2, 4]], np.uint8))
    ['#fa0204']
    >>> hex_codes(np.array([[1.0, 0.5, 0.0]]))
    ['#ff8000']
    >>> hex_codes(np.array([[250]], np.uint8))
    [None]
    """
    rgb = as_screen_colors(palette) if palette.shape[1] == 3 else None
    return [None] * len(palette) if rgb is None else [hexadecimal(color) for color in rgb]


def as_screen_colors(palette: NDArray[Any]) -> Rgb | None:
    """Turn gray or RGB colors whose range is known into 8-bit RGB; None for other numbers."""
    small = palette.dtype.kind == "u" and palette.dtype.itemsize <= 2
    has_range = palette.dtype.kind in "fb" or small
    return as_rgb(palette) if has_range and on_screen(palette) is not None else None


def finished(canvas: Canvas) -> Rgb:
    """Turn a canvas into a picture."""
    return np.rint(canvas).clip(0, 255).astype(np.uint8)


def png_bytes(picture: Rgb) -> bytes:
    """Make a PNG file of a picture."""
    import imageio.v3 as iio

    return iio.imwrite("<bytes>", picture, plugin="pillow", extension=".png")


def swatch(rgb: NDArray[np.uint8]) -> str:
    """Make a small square of a color, in HTML."""
    return (
        '<span style="display:inline-block;width:1em;height:1em;vertical-align:-0.1em;'
        f'border:1px solid gray;background:{hexadecimal(rgb)}"></span>'
    )


def hexadecimal(rgb: NDArray[np.uint8]) -> str:
    """Write a color as #rrggbb."""
    return "#" + rgb.tobytes().hex()


def numbers(values: NDArray[Any]) -> str:
    """Write the first few numbers of a vector."""
    text = ", ".join(f"{value:.4g}" for value in values[:4])
    return f"{text}, ..." if len(values) > 4 else text


def percent(share: float) -> str:
    """Write a share of the whole."""
    return f"{100 * share:.1f} %"


def plural(number: int, one: str, many: str) -> str:
    """Write a number of things."""
    return f"{number:,} {one if number == 1 else many}"
