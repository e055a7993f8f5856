"""How the pages show pictures: photos side by side, and charts in the colors of the page.

Nothing of k-means is computed here. A picture becomes HTML with a text for
those who do not see it; where the screen is narrow, pictures that stand side
by side wrap; and the lines and letters of a chart take the color of the text,
on a light page and on a dark one.
"""

import ast
import base64
import html
import inspect
import io
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_seg import read
from kmeans_seg.display import as_rgb, heat, hexadecimal, mark, png_bytes, swatch

__all__ = [
    "chart",
    "figure",
    "gallery",
    "heat",
    "live",
    "mark",
    "palette_bar",
    "photo",
    "scene",
    "table",
]

# Names of colors for charts; each is replaced by what the page says.
INK, MUTED, PAPER, ACCENT = "#010203", "#040506", "#070809", "#0a0b0c"
ON_PAGE = {
    INK: "currentColor",
    MUTED: "var(--pst-color-text-muted)",
    PAPER: "var(--pst-color-background)",
    ACCENT: "var(--pst-color-primary)",
}


class Html:
    """What shows as a piece of HTML."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


def source(thing: Any) -> Any:
    """Show the whole code of a function of the library, without its docstring."""
    from IPython.display import Code

    lines = inspect.getsource(thing).splitlines(keepends=True)
    text = textwrap.dedent("".join(lines))
    [function] = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    start, end = function.body[0].lineno, function.body[0].end_lineno
    shown = text.splitlines(keepends=True)
    return Code("".join(shown[: start - 1] + shown[end:]), language="python")


def photo(step: int = 1) -> NDArray[np.uint8]:
    """Read the photo that comes with the package, or only every `step`-th row and column of it."""
    whole = read(str(files("kmeans_seg") / "data" / "coffee.jpg"))
    return np.ascontiguousarray(whole[::step, ::step])


def speck() -> NDArray[np.uint8]:
    """Put a small blue disk on the photo, at half its size."""
    picture = photo(2)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    picture[(y - 125) ** 2 + (x - 190) ** 2 < 7**2] = (30, 90, 220)
    return picture


def scene(height: int, width: int, seed: int = 0) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Make a scene of a satellite: six bands of reflectance times 10,000, and what is missing.

    The bands (6, height, width) are blue, green, red, near infrared and two of short-wave
    infrared. A missing corner is 0.
    """
    rng = np.random.default_rng(seed)
    covers = np.array(
        [
            [480, 420, 300, 180, 110, 80],  # water
            [320, 520, 330, 3300, 1500, 700],  # forest
            [520, 860, 620, 4100, 2300, 1200],  # fields
            [1100, 1500, 1900, 2500, 3300, 2900],  # soil
            [1700, 1900, 2100, 2500, 2700, 2500],  # town
        ]
    )
    # Smooth hills of random waves; the height decides what grows where.
    rows, columns = np.mgrid[:height, :width] / 60
    hills = np.zeros((height, width))
    for _ in range(24):
        angle, phase, scale = rng.random(3) * [np.pi, 2 * np.pi, 1.6]
        wave = rows * np.cos(angle) + columns * np.sin(angle)
        hills += np.sin(wave * scale + phase)
    which = np.searchsorted([-3.2, 0.5, 3.0], hills)
    which[np.hypot(rows - 3.4, columns - 7.2) < 0.9] = 4
    texture = 1 + 0.06 * rng.normal(size=(height, width))
    bands = covers[which] * texture[..., np.newaxis] + rng.normal(0, 40, (height, width, 6))
    missing = np.add.outer(np.arange(height), np.arange(width)) < min(height, width) // 4
    bands[missing] = 0
    bands[~missing] = bands[~missing].clip(1)
    return np.moveaxis(np.rint(bands).astype(np.uint16), -1, 0), missing


def gradient() -> NDArray[np.uint8]:
    """Make a sky: one color that turns into another without a step."""
    along = np.linspace(0, 1, 240)[np.newaxis, :, np.newaxis].repeat(140, axis=0)
    colors = (1 - along) * (40, 80, 240) + along * (240, 200, 110)
    return np.rint(colors).astype(np.uint8)


def unequal() -> NDArray[np.uint8]:
    """Make a large group of grays that spread wide, and a small group that is brighter."""
    rng = np.random.default_rng(0)
    picture = rng.normal(110, 28, (160, 240))
    picture[60:100, 190:230] = rng.normal(205, 6, (40, 40))
    return np.rint(picture.clip(0, 255)).astype(np.uint8)


def live_pages() -> dict[str, tuple[NDArray[np.uint8], int, str]]:
    """Return what each live page of the lessons shows: an image, k and a title."""
    return {
        "coffee": (photo(), 4, "An espresso in 4 colors"),
        "optima": (photo(2), 8, "An espresso in 8 colors"),
        "speck": (speck(), 4, "A small blue disk"),
        "gradient": (gradient(), 4, "A gradient"),
        "unequal": (unequal(), 2, "A large group and a small one"),
    }


def live(name: str, moment: str = "", title: str = "") -> Html:
    """Show a live page at a moment, with a link to it."""
    address = f"../live/{name}.html" + (f"#{moment}" if moment else "")
    text = html.escape(title or live_pages()[name][2])
    return Html(
        f'<iframe class="live" src="{address}" title="{text}, step by step" loading="lazy" '
        'allow="fullscreen"></iframe>'
        f'<p><a href="{address}">Open it in a window of its own</a>.</p>'
    )


def image(pixels: NDArray[Any], alt: str) -> str:
    """Make an `<img>` of an array (H, W) or (H, W, 3)."""
    colors = pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
    data = base64.b64encode(png_bytes(as_rgb(colors))).decode()
    height, width = pixels.shape[:2]
    return (
        f'<img class="dark-light" src="data:image/png;base64,{data}" width="{width}" '
        f'height="{height}" alt="{html.escape(alt)}">'
    )


def gallery(
    *panels: tuple[NDArray[Any], str, str], columns: int = 0, pixelated: bool = False
) -> Html:
    """Show pictures side by side: each an array, a caption and a text instead of it."""
    figures = [
        f"<figure>{image(pixels, alt)}<figcaption>{caption}</figcaption></figure>"
        for pixels, caption, alt in panels
    ]
    kind = "gallery pixelated" if pixelated else "gallery"
    style = f"--columns:{columns or len(panels)}"
    return Html(f'<div class="{kind}" style="{style}">{"".join(figures)}</div>')


def palette_bar(colors: NDArray[Any], counts: Sequence[float] | NDArray[Any] | None = None) -> str:
    """Make a bar of colors, each as wide as its count, to stand in a caption."""
    parts = np.ones(len(colors)) if counts is None else np.asarray(counts, float)
    pieces = [
        f'<span style="flex:{part / parts.sum():.4f};background:{hexadecimal(rgb)}"></span>'
        for rgb, part in zip(as_rgb(colors), parts, strict=True)
    ]
    return f'<span class="palette" aria-hidden="true">{"".join(pieces)}</span>'


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    """Show a table; its cells are HTML."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    whole = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return Html(f'<div class="plain-table">{whole}</div>')


def swatches(colors: NDArray[Any]) -> list[str]:
    """Make a small square of each color."""
    return [swatch(rgb) for rgb in as_rgb(colors)]


def row_of_pixels(*rows: tuple[str, NDArray[Any]], write: bool = True) -> Html:
    """Show images of one row as large squares with their values, a title before each."""
    lines = []
    for title, pixels in rows:
        cells = []
        for value, rgb in zip(pixels.reshape(-1, pixels.shape[-1]), as_rgb(pixels[0]), strict=True):
            ink = "#000" if rgb @ np.array([0.2126, 0.7152, 0.0722]) > 120 else "#fff"
            number = "<br>".join(str(v) for v in value) if write else ""
            cells.append(f'<span style="background:{hexadecimal(rgb)};color:{ink}">{number}</span>')
        lines.append(f'<div><b>{title}</b><span class="pixels">{"".join(cells)}</span></div>')
    return Html(f'<div class="pixel-rows">{"".join(lines)}</div>')


def figure(width: float = 4.8, height: float = 3.0, **options: Any) -> tuple[Any, Any]:
    """Begin a chart: small, so that its letters stay readable on a phone."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "kmeans_seg",
            "font.size": 9.5,
            "axes.titlesize": 9.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": MUTED,
            "axes.facecolor": "none",
            "figure.facecolor": "none",
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
        }
    )
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained", **options)


def chart(drawing: Any, alt: str) -> Html:
    """Show a chart as SVG in the page."""
    import matplotlib.pyplot as plt

    file = io.StringIO()
    drawing.savefig(file, format="svg", dpi=160, metadata={"Date": None, "Creator": None})
    plt.close(drawing)
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    for name, on_page in ON_PAGE.items():
        text = text.replace(name, on_page)
    # A width in points would not shrink with the page; the viewBox stays.
    head, rest = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    label = html.escape(alt, quote=True)
    return Html(f'<div class="chart">{head} role="img" aria-label="{label}">{rest}</div>')


def run_check(name: str, passes: bool = True) -> None:
    """Run the checker of the exercise on a file of `learn/`, and show what a student would see.

    It is an error if the file does not pass, or, of a wrong attempt, if it does.
    """
    path = Path(__file__).parent / "learn" / name
    command = [sys.executable, "-m", "kmeans_seg.teaching.check", path.name]
    done = subprocess.run(
        command, cwd=path.parent, capture_output=True, text=True, check=False, timeout=50
    )
    if done.stderr or (done.returncode == 0) != passes:
        raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")
    print("$ python -m kmeans_seg.teaching.check", path.name)
    print(done.stdout, end="")
