"""A run as a film (an animated GIF), or as a strip of frames beside each other.

What is clustered is a preview of the image: so the time it takes and the size
of the file have a bound, whatever the size of the image, and every pixel that
is shown has exactly the color of its segment. Left out: pictures of single
records (`draw`) and the page that can be stepped through (`page`).
"""

import copy
import itertools
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import files, validation
from ..display import (
    GRAY,
    INK,
    PALE,
    PAPER,
    Rgb,
    as_rgb,
    finished,
    fitted,
    heat,
    mark,
    painted,
    percent,
    plural,
)
from ..ink import Canvas, blank, draw_line, draw_text, text_width
from ..placing import check_target, place
from ..validation import RandomGenerator
from .preview import on_paper, preview
from .trace import Assign, Choose, Done, Record, trace
from .written import WrittenFile, written

RED = (205, 62, 62)
# In pixels; the least width is what captions need.
MARGIN, GAP, LINE, BAR, CURVE, LEAST_WIDTH = 16, 8, 22, 14, 56, 240
# How much longer than the others the last frame stays, in milliseconds.
ENCORE = 2000
LONGEST = 60_000  # milliseconds of one frame; GIF allows ten times as much


def animate(
    image: ArrayLike,
    k: int,
    path: str | os.PathLike[str],
    *,
    max_frames: int = 60,
    width: int = 480,
    milliseconds: int = 400,
    space: str = "rgb",
    init: str | ArrayLike = "auto",
    max_iter: int = 1000,
    tol: float = 0,
    rng: RandomGenerator = 0,
    strategy: str = "fast",
    assign: None = None,
    overwrite: bool = True,
) -> WrittenFile:
    """Write an animated GIF of a run: every initial center, then each pass.

    A preview of the image is clustered, not the image itself, so the centers
    are close to those of `kmeans_seg.segment` but not the same. While
    initial centers are drawn, bright pixels are far from those drawn before,
    and more likely to be the next. Beneath the picture stand the colors, as wide as
    their segments are large, and the sum of squared distances from pass to
    pass, which never rises.

    Parameters
    ----------
    image
        Array (H, W) or (H, W, 3) of uint8, uint16, bool, or floating point in
        [0, 1].
    k
        As for `kmeans_seg.segment`.
    path
        Where to write; the name must end in .gif.
    max_frames
        The largest number of frames. If there are more initial centers and
        passes, some are left out, evenly; the first and the last are shown.
    width
        How wide the preview is at most, in pixels; see `preview`.
    milliseconds
        How long each frame is shown, at most a minute; the last stays longer.
    space, init, max_iter, tol, rng, strategy, assign
        As for `kmeans_seg.segment`.
    overwrite
        Whether to replace a file that exists, as for `kmeans_seg.write`.

    Returns
    -------
    file
        A `WrittenFile`; as the last line of a notebook's cell it shows itself.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.
    FileExistsError
        If there is a file at `path`, and `overwrite` is False.
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot write there.

    Warns
    -----
    FewerClustersWarning, ConvergenceWarning
        As `kmeans_seg.segment` does.

    See Also
    --------
    filmstrip : a few frames beside each other, for print.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "steps.gif")
    ...     _ = animate(ramp, 3, path, max_frames=10)
    ...     path.read_bytes()[:6]
    b'GIF89a'
    """
    check_gif_name(path)
    max_frames = validation.as_count("max_frames", max_frames)
    milliseconds = validation.as_count("milliseconds", milliseconds, most=LONGEST)
    check_target(path, overwrite=overwrite)
    plot, moments = rehearse(
        image, width, rng, k=k, space=space, init=init, max_iter=max_iter, tol=tol,
        strategy=strategy, assign=assign,
    )  # fmt: skip
    shown = evenly(plot.length, max_frames)
    pictures = [film_frame(plot, moment) for moment in moments if moment.number in shown]
    durations = [milliseconds] * len(pictures)
    durations[-1] += ENCORE
    place([(path, gif_bytes(pictures, durations))], overwrite=overwrite)
    return written(path)


def filmstrip(
    image: ArrayLike,
    k: int,
    path: str | os.PathLike[str],
    *,
    frames: int = 5,
    width: int = 240,
    space: str = "rgb",
    init: str | ArrayLike = "auto",
    max_iter: int = 1000,
    tol: float = 0,
    rng: RandomGenerator = 0,
    strategy: str = "fast",
    assign: None = None,
    overwrite: bool = True,
) -> WrittenFile:
    """Write a picture of a run: frames beside each other, each with its colors beneath.

    The first frame is the image with the initial centers marked in it. Then follow some
    passes, the first and the last among them: as most happens early, each of
    them is about the same number of times as late as the one before. As for
    `animate` a preview of the image is clustered.

    Parameters
    ----------
    image, k, path
        As for `animate`; the suffix of the path chooses the format, as for
        `kmeans_seg.write`: .png is best.
    frames
        How many frames there are at most.
    width
        How wide each frame is at most, in pixels; see `preview`.
    space, init, max_iter, tol, rng, strategy, assign
        As for `kmeans_seg.segment`.
    overwrite
        Whether to replace a file that exists, as for `kmeans_seg.write`.

    Returns
    -------
    file
        A `WrittenFile`; as the last line of a notebook's cell it shows itself.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.
    FileExistsError
        If there is a file at `path`, and `overwrite` is False.
    FileNotFoundError, IsADirectoryError, PermissionError
        If the operating system cannot write there.

    Warns
    -----
    FewerClustersWarning, ConvergenceWarning
        As `kmeans_seg.segment` does.

    See Also
    --------
    animate : all of it, as a film.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "strip.png")
    ...     _ = filmstrip(ramp, 3, path, frames=4, width=160)
    ...     files.read(path).shape
    (236, 368, 3)
    """
    frames = validation.as_count("frames", frames)
    files.as_image_suffix(path)
    check_target(path, overwrite=overwrite)
    plot, moments = rehearse(
        image, width, rng, k=k, space=space, init=init, max_iter=max_iter, tol=tol,
        strategy=strategy, assign=assign,
    )  # fmt: skip
    # The last draw shows them all; where centers are given, there is none.
    first = [plot.drawn - 1] if plot.drawn and frames > 1 else []
    passes = halving(len(plot.inertias), frames - len(first))
    shown = [*first, *(plot.drawn + number for number in passes)]
    pictures = [strip_frame(plot, moment) for moment in moments if moment.number in shown]
    gap = np.full((len(pictures[0]), MARGIN, 3), PAPER, np.uint8)
    row = [part for picture in pictures for part in (gap, picture)]
    files.write(path, np.hstack([*row, gap]), overwrite=overwrite)
    return written(path)


@dataclass(frozen=True, eq=False)
class Plot:
    """What is known of a run before it is shown.

    Attributes
    ----------
    image
        The preview that is clustered, as colors of the screen.
    width
        The width of its pictures.
    drawn
        The number of initial centers that are drawn.
    inertias
        The sum of squared distances in each pass.
    passes
        The number of the last pass.
    order
        The numbers of the clusters, from dark to light.
    """

    image: Rgb
    width: int
    drawn: int
    inertias: list[float]
    passes: int
    order: NDArray[np.intp]

    @property
    def length(self) -> int:
        """The number of moments."""
        return self.drawn + len(self.inertias)


@dataclass(frozen=True, eq=False)
class Moment:
    """What a frame shows: an initial center or a pass, and the centers drawn so far."""

    number: int
    record: Choose | Assign
    drawn: list[Choose]


def rehearse(
    image: ArrayLike, width: int, rng: RandomGenerator, **options: Any
) -> tuple[Plot, Iterator[Moment]]:
    """Trace a run twice: to know how it goes, and to show it.

    Nothing is kept of the first but a number for each pass, so that a long
    run needs no more memory than a short one.
    """
    small = preview(image, width)
    generator = validation.as_generator(rng)
    drawn, inertias = 0, []
    for record in trace(small, rng=copy.deepcopy(generator), **options):
        match record:
            case Choose():
                drawn += 1
            case Assign():
                inertias.append(record.inertia)
            case Done():
                passes, order = record.result.n_iter, record.order
    plot = Plot(as_rgb(on_paper(small, PAPER)), width, drawn, inertias, passes=passes, order=order)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # they have been given
        again = trace(small, rng=generator, **options)
    # Not on to the end: more of them come with it.
    return plot, itertools.islice(watch(again), plot.length)


def watch(records: Iterable[Record]) -> Iterator[Moment]:
    """Pick out what can be shown."""
    drawn: list[Choose] = []
    number = itertools.count()
    for record in records:
        if isinstance(record, Choose):
            drawn = [*drawn, replace(record, distances=None)]  # a map of it takes much memory
        if isinstance(record, Choose | Assign):
            yield Moment(next(number), record, drawn)


def film_frame(plot: Plot, moment: Moment) -> Rgb:
    """Draw a frame of the film: a caption, the picture, its colors, and the curve."""
    picture = scene(plot, moment)
    left, right, value = captions(plot, moment)
    width = max(picture.shape[1], LEAST_WIDTH)
    size = letter_size(width)
    top = LINE
    bar = top + len(picture) + GAP
    text = bar + BAR + LINE
    curve = text + GAP
    canvas = blank(curve + CURVE + 2 * MARGIN, width + 2 * MARGIN, PAPER)
    inner = canvas[MARGIN:-MARGIN, MARGIN:-MARGIN]
    draw_text(inner, left, (0, 12), INK, size=size)
    draw_text(inner, right, (width, 12), GRAY, size=size, align="right")
    start = (width - picture.shape[1]) // 2
    inner[top : top + len(picture), start : start + picture.shape[1]] = picture
    inner[bar : bar + BAR] = color_bar(plot, moment, width)
    draw_text(inner, "sum of squared distances", (0, text), GRAY, size=size)
    draw_text(inner, value, (width, text), INK, size=size, align="right")
    draw_curve(inner[curve:], plot.inertias, moment.number - plot.drawn)
    return finished(canvas)


def strip_frame(plot: Plot, moment: Moment) -> Rgb:
    """Draw a frame of the strip: the picture, its colors, and a caption."""
    if isinstance(moment.record, Choose):
        moment = replace(moment, record=replace(moment.record, distances=None))
        left, right = plural(plot.drawn, "initial center", "initial centers"), ""
    else:
        left = f"pass {moment.record.iteration}"
        right = f"{percent(moment.record.changed.sum() / moment.record.counts.sum())} changed"
    picture = scene(plot, moment)
    width = picture.shape[1]
    bar = MARGIN + len(picture) + GAP
    text = bar + BAR + LINE
    canvas = blank(text + MARGIN, width, PAPER)
    canvas[MARGIN : MARGIN + len(picture)] = picture
    canvas[bar : bar + BAR] = color_bar(plot, moment, width)
    size = letter_size(width)
    draw_text(canvas, left, (0, text), INK, size=size)
    if text_width(left + "  " + right, size) <= width:
        draw_text(canvas, right, (width, text), GRAY, size=size, align="right")
    return finished(canvas)


def scene(plot: Plot, moment: Moment) -> Rgb:
    """Show the picture of a moment."""
    record = moment.record
    if isinstance(record, Assign):
        return painted(record.labels, record.palette, plot.width)
    if record.distances is None:
        picture = fitted(plot.image, plot.width)
    else:
        picture = heat(record.distances, plot.width)
    for center in moment.drawn:
        color = as_rgb(center.color[np.newaxis])[0]
        picture = mark(picture, center.pixel, plot.image.shape, color)
    return picture


def captions(plot: Plot, moment: Moment) -> tuple[str, str, str]:
    """Say which moment it is, what happens, and what the sum of squared distances is."""
    record = moment.record
    if isinstance(record, Choose):
        how = "the farther, the likelier" if record.number else "every pixel alike"
        return f"center {record.number + 1} of {plot.drawn}", how, ""
    changed = int(np.count_nonzero(record.changed))
    return (
        f"pass {record.iteration} of {plot.passes}",
        f"{plural(changed, 'pixel', 'pixels')} changed" if changed else "no pixel changed: done",
        f"{record.inertia:,.0f}",
    )


def color_bar(plot: Plot, moment: Moment, width: int) -> Rgb:
    """Show the colors from dark to light, as wide as their segments are large."""
    if isinstance(moment.record, Assign):
        colors, counts = as_rgb(moment.record.palette), moment.record.counts
    else:  # the initial centers so far, and room for the others
        colors, counts = np.full((plot.drawn, 3), PALE, np.uint8), np.ones(plot.drawn, np.int64)
        colors[: len(moment.drawn)] = as_rgb(np.stack([center.color for center in moment.drawn]))
    ends = counts[plot.order].cumsum() / counts.sum() * width
    return colors[plot.order[np.searchsorted(ends, np.arange(width) + 0.5)]]


def draw_curve(canvas: Canvas, inertias: list[float], now: int) -> None:
    """Draw how the sum of squared distances falls from pass to pass, up to now and from then on."""
    height, width = canvas.shape[:2]
    low, high = inertias[-1], inertias[0]
    x = np.linspace(5, width - 6, max(2, len(inertias)))[: len(inertias)]
    y = 5 + (height - 11) * (1 - (np.array(inertias) - low) / (high - low or 1.0))
    points = np.stack([x, y], axis=1)
    draw_line(canvas, points, 2, PALE)
    if now >= 0:
        draw_line(canvas, points[: now + 1], 2, INK)
        draw_line(canvas, points[now : now + 1], 9, RED)


def letter_size(width: int) -> float:
    """Return the size of letters for a picture of this width."""
    return 1.75 if width >= 400 else 1.5


def evenly(count: int, most: int) -> list[int]:
    """Choose at most `most` of the numbers below `count`, with the first and the last.

    If there may be one only, it is the last.

    Examples
    --------
    >>> evenly(10, 4), evenly(3, 60), evenly(9, 1)
    ([0, 3, 6, 9], [0, 1, 2], [8])
    """
    steps = np.linspace(count - 1, 0, min(count, most))
    return sorted(steps.round().astype(int).tolist())


def halving(count: int, most: int) -> list[int]:
    """Choose like `evenly`, but each about the same number of times as late as the one before.

    Examples
    --------
    >>> halving(64, 4), halving(3, 5), halving(9, 1)
    ([0, 3, 15, 63], [0, 1, 2], [8])
    """
    steps = np.geomspace(count, 1, min(count, most)) - 1
    return sorted(set(steps.round().astype(int).tolist()))


def gif_bytes(pictures: list[Rgb], durations: list[int]) -> bytes:
    """Make an animated GIF that starts over at its end."""
    import imageio.v3 as iio

    # Of a list of one Pillow makes nothing.
    duration = durations if len(durations) > 1 else durations[0]
    data: bytes = iio.imwrite(
        "<bytes>",
        [few_colors(picture) for picture in pictures],
        plugin="pillow",
        extension=".gif",
        duration=duration,
        loop=0,
    )
    return data


def few_colors(picture: Rgb) -> Rgb:
    """Reduce a picture to the 256 colors of a GIF, and leave the gray of the text as it is."""
    from PIL import Image  # which imageio brings

    from ..strategies import STRATEGIES

    pixels = picture.reshape(-1, 3).copy()
    colors = STRATEGIES["fast"].distinct_colors([pixels]).colors
    if len(colors) <= 256:
        return picture
    grays = len(colors) - int(np.count_nonzero(is_vivid(colors)))
    chosen = is_vivid(pixels)
    strip = Image.fromarray(pixels[chosen][np.newaxis])
    pixels[chosen] = np.asarray(strip.quantize(max(2, 256 - grays)).convert("RGB"))[0]
    return pixels.reshape(picture.shape)


def is_vivid(colors: Rgb) -> NDArray[np.bool_]:
    """Return which colors (n, 3) are not gray."""
    return np.asarray((colors != colors[:, :1]).any(axis=1))


def check_gif_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .gif."""
    if not os.fspath(path).lower().endswith(".gif"):
        raise ValueError(
            f"{validation.shown(path)}: a film is written as GIF: end the name in .gif"
        )
