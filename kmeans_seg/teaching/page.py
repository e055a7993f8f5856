"""A page that shows a run step by step: one HTML file that needs nothing else.

`write_page` clusters a preview of the image, turns the records of `trace` into
slides (their pixels as PNG, their numbers and words as JSON), and puts them
into `page.html` together with `page.css` and `page.js`. The page computes
nothing of the algorithm but the distances of the pixel that is pointed at.

Left out: what the page looks like and how it answers the reader, which stand
in those three files; pictures of single records (`draw`); the GIF (`animate`).
"""

import base64
import html
import itertools
import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import colorspace, files, validation
from ..exact import Floats
from ..segmentation import SPACES, as_pixels
from ..validation import RandomGenerator
from .draw import as_rgb, plural, png_bytes
from .preview import preview
from .trace import Assign, Done, Record, Seeding, Update, trace

Slide = dict[str, Any]

# Bytes of a page: a large preview may take more, in proportion to its pixels.
MOST_BYTES = 3_000_000
FOR_PIXELS = 320**2

# The passes that are shown first are never left out: most happens in them.
FIRST_PASSES = 3
# Slides below which leaving out more would leave nothing to see.
FEWEST_SLIDES = 12

# Pixels drawn in the view of the colors.
DOTS = 4000
# Shades of the D² map: what the eye can tell apart, and a third less to store than all 256.
SHADES = 64


def write_page(
    image: ArrayLike,
    k: int,
    path: str | os.PathLike[str],
    *,
    space: str = "rgb",
    rng: RandomGenerator = 0,
    width: int = 320,
    max_steps: int = 150,
    title: str | None = None,
    overwrite: bool = True,
) -> None:
    """Write a page on which a run can be followed step by step.

    The page is one file of HTML that opens in any current browser, with no
    network. The image is scaled down first, and the preview is what is
    clustered and shown, as `trace` tells it.

    Parameters
    ----------
    image
        Array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16, bool, or
        floating point in [0, 1].
    k
        The number of segments, at most 256 and at most the pixels of the preview.
    path
        Where to write; the name must end in .html or .htm. The file is written
        whole or not at all.
    space, rng
        As for `kmeans_seg.segment`.
    width
        The width of the preview, as for `preview`.
    max_steps
        How many half-steps to show at most. Of a longer run some are left out,
        evenly, and the page says which; the seeds (up to a quarter of
        `max_steps`), the first half-steps and the last are always shown. Fewer
        are shown if the file would exceed 3 MB, or as much in proportion for
        a preview of more than 320 by 320 pixels.
    title
        A title to show; by default it tells k.
    overwrite
        Whether to replace a file that exists.

    Raises
    ------
    FileExistsError
        If there is a file at `path`, and `overwrite` is False.
    TypeError, ValueError
        If an argument is not of the form above.

    Warns
    -----
    FewerClustersWarning, ConvergenceWarning
        As `kmeans_seg.segment` does.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> image = np.array([[10, 12, 200], [11, 90, 202]], np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "page.html")
    ...     write_page(image, 2, path, title="Six pixels")
    ...     "<h1>Six pixels</h1>" in path.read_text(encoding="utf-8")
    True
    """
    validation.check_page_name(path)
    validation.check_page_k(k)
    max_steps = validation.as_count("max_steps", max_steps, FEWEST_SLIDES)
    if not overwrite:
        files.check_absent(path)
    shown = preview(image, width)
    run = collect(trace(shown, k, space=space, rng=rng), space)
    texts = {
        "title": html.escape(
            f"A picture in {plural(k, 'color', 'colors')}" if title is None else title
        ),
        "lead": html.escape(lead(np.shape(image), shown, k, space)),
        "css": asset("page.css"),
        "js": asset("page.js"),
    }
    about = (
        "The steps are those that kmeans_seg takes to segment the preview; none is made up for "
        "show. The page itself computes only the distances of the pixel that you point at.",
        "The centers are numbered from 0 in the order of their seeds, and at the end from dark to "
        "light. A pixel between two centers goes to the one of lower number.",
    )
    most_bytes = MOST_BYTES * max(1, shown.shape[0] * shown.shape[1] / FOR_PIXELS)
    while True:
        slides, note = choose(run, max_steps)
        texts["notes"] = "".join(f"<li>{html.escape(text)}</li>" for text in (*about, note))
        texts["run"] = as_json(page_data(shown, space, run, slides))
        page = fill(asset("page.html"), texts)
        if len(page) <= most_bytes or max_steps <= FEWEST_SLIDES:
            break
        max_steps = max(FEWEST_SLIDES, max_steps * 3 // 4)
    files.replace_file(path, page)


# From records to slides


@dataclass
class Run:
    """The slides of a run: one for each half-step.

    Attributes
    ----------
    seeds
        A slide for each seed.
    passes
        For each pass of the loop its slides: the assignment, the update.
    done
        The last slide.
    inertias, changed, iterations
        The numbers of each pass, for the curves.
    """

    seeds: list[Slide] = field(default_factory=list)
    passes: list[list[Slide]] = field(default_factory=list)
    done: Slide = field(default_factory=dict)
    inertias: list[float] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    iterations: list[int] = field(default_factory=list)


def collect(records: Iterable[Record], space: str) -> Run:
    """Turn every record into a slide. Their pixels are kept as PNG, which is small."""
    run = Run()
    moved: list[float] | None = None  # since the assignment before
    counts: list[int] | None = None
    for record in records:
        match record:
            case Seeding():
                run.seeds.append(seed_slide(record, run.seeds, space))
            case Assign():
                counts = record.counts.tolist()
                slide = assign_slide(record, run.inertias)
                slide |= {"counts": counts, "moved": moved, "pass": len(run.passes)}
                run.passes.append([slide])
                run.inertias.append(record.inertia)
                run.changed.append(slide["changedCount"])
                run.iterations.append(record.iteration)
            case Update():
                moved = record.moved.tolist()
                slide = update_slide(record)
                before = run.passes[-1][0]
                slide |= {"counts": counts, "moved": moved, "pass": len(run.passes) - 1}
                slide["changedCount"] = before["changedCount"]
                run.passes[-1].append(slide)
            case Done():
                run.done = done_slide(record) | {"pass": len(run.passes) - 1}
    return run


def seed_slide(record: Seeding, before: Sequence[Slide], space: str) -> Slide:
    """Show a seed, with the map of distances that it was drawn by."""
    row, column = record.pixel
    where = f"row {row}, column {column}"
    center = SPACES[space].to_points(record.color[np.newaxis])[0].tolist()
    earlier = before[-1] if before else {"centers": [], "palette": [], "marks": []}
    slide: Slide = {
        "kind": "seed",
        "name": f"Seed {record.number}",
        "lit": 1,
        "also": [],
        "centers": [*earlier["centers"], center],
        "palette": [*earlier["palette"], *as_rgb(record.color[np.newaxis]).tolist()],
        "marks": [*earlier["marks"], [row, column]],
        "pass": None,
    }
    if record.distances is None:
        slide["summary"] = (
            f"The first seed is the color of a pixel drawn at random, each as likely as any "
            f"other: {where}. Center 0 starts there."
        )
        slide["shown"] = "The preview; the ring marks the pixel that was drawn."
    else:
        largest = float(record.distances.max())
        shades = np.rint(record.distances / largest * (SHADES - 1)) * (255 / (SHADES - 1))
        slide["heat"] = png(np.rint(shades))
        slide["heatMax"] = largest
        slide["summary"] = (
            f"The farther a pixel is from all seeds so far, the likelier it is to be drawn; of "
            f"several drawn the best is kept: {where}. Center {record.number} starts there."
        )
        slide["shown"] = (
            "D²: the squared distance of every pixel to the nearest of the seeds before. "
            "The chance of being drawn is in proportion to it; the ring marks the pixel drawn."
        )
    return slide


def assign_slide(record: Assign, inertias: Sequence[float]) -> Slide:
    """Show an assignment."""
    count = int(np.count_nonzero(record.changed))
    pixels = record.labels.size
    objective = number(record.inertia)
    if record.iteration == 1:
        lit, also = 3, [2]
        summary = (
            f"The distance of each of the {pixels:,} pixels to every center is computed, and "
            f"each goes to the nearest. The sum of all squared distances is {objective}."
        )
    elif count:
        lit, also = 3, [5, 6]
        fall = 1 - record.inertia / inertias[-1] if inertias[-1] else 0.0
        summary = (
            f"The distances are computed again: {plural(count, 'pixel', 'pixels')} of {pixels:,} "
            f"({share(count / pixels)}) {'is' if count == 1 else 'are'} now nearer to another "
            f"center, and {'goes' if count == 1 else 'go'} there. The sum of squared distances "
            f"falls by {share(fall)} to {objective}."
        )
    else:
        lit, also = 6, [5]
        summary = (
            "The distances are computed again, and no pixel changes its center: stop. Every "
            "pixel is at its nearest center, and every center is the mean of its pixels."
        )
    spread = label_spread(len(record.centers))
    return {
        "kind": "assign",
        "name": f"Iteration {record.iteration}: assign",
        "iteration": record.iteration,
        "lit": lit,
        "also": also,
        "summary": summary,
        "centers": record.centers.tolist(),
        "palette": as_rgb(record.palette).tolist(),
        "labels": png(record.labels * spread),
        "spread": spread,
        "changed": png(record.changed * 255),
        "changedCount": count,
    }


def update_slide(record: Update) -> Slide:
    """Show an update; its pixels are those of the assignment before."""
    farthest = int(record.moved.argmax())
    moving = int(np.count_nonzero(record.moved))
    still = len(record.moved) - moving
    summary = "Each center moves to the mean of its pixels."
    if moving:
        summary += f" Center {farthest} moves farthest, by {record.moved[farthest]:.2f}."
    if still and moving:
        summary += f" {still} of the {len(record.moved)} {'stay' if still > 1 else 'stays'}."
    return {
        "kind": "update",
        "name": f"Iteration {record.iteration}: update",
        "lit": 4,
        "also": [],
        "summary": summary,
        "centers": record.after.tolist(),
        "palette": as_rgb(record.palette).tolist(),
    }


def done_slide(record: Done) -> Slide:
    """Show the result."""
    result = record.result
    passes = plural(result.n_iter, "iteration", "iterations")
    if result.converged:
        summary = f"Done after {passes}: the last one changed nothing."
    else:
        summary = f"The run gave up after {passes}, while pixels were still changing."
    if (record.order != np.arange(len(record.order))).any():
        summary += " Last of all the segments are numbered from dark to light."
    spread = label_spread(len(result.centers))
    return {
        "kind": "done",
        "name": "Done",
        "lit": 6,
        "also": [],
        "summary": summary,
        "centers": result.centers.tolist(),
        "palette": as_rgb(result.palette).tolist(),
        "labels": png(result.labels * spread),
        "spread": spread,
        "changed": png(np.zeros_like(result.labels)),
        "changedCount": 0,
        "counts": result.counts.tolist(),
        "order": record.order.tolist(),
    }


# Which slides to show


def choose(run: Run, max_steps: int) -> tuple[list[Slide], str]:
    """Choose at most `max_steps` slides; return them, and what was left out in words."""
    seeds = evenly(len(run.seeds), max_steps // 4, 1)
    passes = evenly(len(run.passes), (max_steps - len(seeds) - 1) // 2, FIRST_PASSES)
    slides = [run.seeds[i] for i in seeds]
    previous = -1
    for i in passes:
        first, *rest = run.passes[i]
        gap = ranges(run.iterations[previous + 1 : i])
        slides += [first | {"gap": f"(Left out: iteration {gap}.)"} if gap else first, *rest]
        previous = i
    slides.append(run.done)

    total = len(run.seeds) + sum(map(len, run.passes)) + 1
    left_out = []
    if len(seeds) < len(run.seeds):
        left_out.append("seeds " + ranges(missing(seeds, len(run.seeds))))
    if len(passes) < len(run.passes):
        numbers = [run.iterations[i] for i in missing(passes, len(run.passes))]
        left_out.append("iterations " + ranges(numbers))
    if not left_out:
        return slides, f"All {total} half-steps of the run are shown."
    return slides, (
        f"Of the {total} half-steps of the run {len(slides)} are shown. "
        f"Left out: {'; '.join(left_out)}. The curves show all iterations."
    )


def evenly(n: int, most: int, first: int) -> list[int]:
    """Choose at most `most` of the indices below n: the first ones, the last, evenly between.

    >>> evenly(10, 6, first=3)
    [0, 1, 2, 4, 7, 9]
    """
    if n <= most:
        return [*range(n)]
    first = min(first, most - 1)
    rest = np.linspace(first - 1, n - 1, most - first + 1).round().astype(int)
    return [*range(first), *rest[1:].tolist()]


def missing(chosen: Sequence[int], n: int) -> list[int]:
    """Return the indices below n that were not chosen."""
    return sorted(set(range(n)) - set(chosen))


def ranges(numbers: Sequence[int]) -> str:
    """Write ascending numbers as ranges.

    >>> ranges([2, 3, 4, 7, 9, 10])
    '2-4, 7, 9-10'
    """
    groups = itertools.groupby(enumerate(numbers), lambda item: item[1] - item[0])
    runs = [[number for _, number in group] for _, group in groups]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


# The data of the page


def page_data(
    shown: NDArray[np.uint8], space: str, run: Run, slides: Sequence[Slide]
) -> dict[str, Any]:
    """Put together everything that the page draws and says."""
    slide_of_pass = {slide["pass"]: at for at, slide in reversed([*enumerate(slides)])}
    return {
        "size": shown.shape[:2],
        "picture": png(shown),
        "channels": channel_names(shown, space),
        "lab": LAB_WEIGHTS if space == "lab" else None,
        "view": line_view(space) if shown.ndim == 2 else solid_view(shown, space),
        "sample": sample(shown),
        "steps": slides,
        "phases": phases(slides),
        "curve": {
            "iterations": run.iterations,
            "inertia": run.inertias,
            "changed": run.changed,
            "shown": [slide_of_pass.get(i) for i in range(len(run.passes))],
        },
    }


# Of each row of the matrix from linear sRGB to XYZ relative to white the shares of red and blue:
# with them the page finds the point of one pixel in CIELAB as `colorspace` does.
LAB_WEIGHTS = [
    [colorspace._X_R, colorspace._X_B],
    [colorspace._Y_R, colorspace._Y_B],
    [colorspace._Z_R, colorspace._Z_B],
]


def channel_names(shown: NDArray[np.uint8], space: str) -> list[str]:
    """Name the coordinates of a point."""
    if space == "lab":
        return ["L*", "a*", "b*"]
    return ["R", "G", "B"] if shown.ndim == 3 else ["gray"]


def phases(slides: Sequence[Slide]) -> list[dict[str, Any]]:
    """Say which slides belong together, for the marks below the slider."""
    names = {"seed": "seeding", "assign": "iterations", "update": "iterations", "done": ""}
    found = []
    start = 0
    for name, group in itertools.groupby(slides, lambda slide: names[slide["kind"]]):
        stop = start + len([*group])
        found.append({"name": name, "from": start, "to": stop - 1})
        start = stop
    return found


def sample(shown: NDArray[np.uint8]) -> list[int]:
    """Choose the pixels to draw as dots, at random but always the same; all if they are few."""
    pixels = shown.shape[0] * shown.shape[1]
    if pixels <= DOTS:
        return [*range(pixels)]
    drawn = np.random.default_rng(0).choice(pixels, DOTS, replace=False, shuffle=False)
    chosen: list[int] = np.sort(drawn).tolist()
    return chosen


def line_view(space: str) -> dict[str, Any]:
    """Describe the view of a gray image's values: a histogram."""
    grays = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    positions = SPACES[space].to_points(grays)[:, 0]
    name = "L*" if space == "lab" else "gray value"
    return {
        "kind": "line",
        "name": name,
        "positions": positions.tolist(),
        "low": positions[0],
        "high": positions[-1],
        "label": f"Histogram of the {name} of all pixels, with the centers and their way below it.",
        "note": "Above, how many pixels have each value. Below, the way of the centers through "
        "the half-steps, the newest at the bottom.",
    }


def solid_view(shown: NDArray[np.uint8], space: str) -> dict[str, Any]:
    """Describe the view of colors in space: how it stands at first, and the lines around it.

    The gray axis stands upright. The first principal axis of what is left when
    lightness is taken away lies across, so that the colors spread widest.
    """
    points = SPACES[space].to_points(as_pixels(shown))
    up, level = (np.array(axes) for axes in UPRIGHT[space == "lab"])
    flat = (points - points.mean(axis=0)) @ level.T
    _, principal = np.linalg.eigh(flat.T @ flat)
    right = principal[:, -1] @ level
    right *= np.sign(right[np.abs(right).argmax()])  # of the two directions always the same one
    basis = np.stack((right, up, np.cross(right, up)))
    frame = lab_frame(points) if space == "lab" else rgb_frame()
    framed = np.concatenate([line["line"] for line in frame])
    middle = (framed.min(axis=0) + framed.max(axis=0)) / 2
    reach = distance_to_farthest(framed, middle)
    if distance_to_farthest(points, points.mean(axis=0)) < 0.75 * reach:  # a small cloud: go near
        middle = points.mean(axis=0)
        reach = max(1.0, distance_to_farthest(points, middle))
    name = "CIELAB" if space == "lab" else "RGB"
    return {
        "kind": "solid",
        "basis": basis.tolist(),
        "middle": middle.tolist(),
        "reach": reach,
        "frame": frame,
        "label": f"The pixels' colors in {name} space with the centers and their trails. "
        "Arrow keys turn it.",
        "note": f"{len(sample(shown)):,} of the {len(points):,} pixels in {name}: black below, "
        "white above, the first principal axis across the grays from left to right. Drag to turn.",
    }


def distance_to_farthest(points: Floats, middle: Floats) -> float:
    """Return the distance from the middle to the farthest of the points."""
    return float(np.sqrt(np.square(points - middle).sum(axis=1).max()))


# Upright, and two directions across it: in RGB the grays run along the diagonal of the cube.
UPRIGHT = {
    False: (
        [math.sqrt(1 / 3)] * 3,
        [[math.sqrt(1 / 2), -math.sqrt(1 / 2), 0], [math.sqrt(1 / 6)] * 2 + [-math.sqrt(2 / 3)]],
    ),
    True: ([1, 0, 0], [[0, 1, 0], [0, 0, 1]]),
}


def rgb_frame() -> list[dict[str, Any]]:
    """Return the twelve edges of the cube, and its diagonal of grays."""
    corners = [*itertools.product((0, 255), repeat=3)]
    edges: list[dict[str, Any]] = [
        {"line": [one, other]}
        for one, other in itertools.combinations(corners, 2)
        if sum(a != b for a, b in zip(one, other, strict=True)) == 1
    ]
    for edge in edges:
        one, other = edge["line"]
        if not any(one):
            edge["name"] = "RGB"[other.index(255)]
    return [*edges, {"line": [corners[0], corners[-1]]}]


def lab_frame(points: Floats) -> list[dict[str, Any]]:
    """Return the axis of L*, and the cross and the circle of a* and b* that the colors reach."""
    chroma = 10 * math.ceil(max(1.0, float(np.hypot(points[:, 1], points[:, 2]).max())) / 10)
    turn = np.linspace(0, 2 * math.pi, 73)
    circle = np.stack((np.full(73, 50), chroma * np.cos(turn), chroma * np.sin(turn)), axis=1)
    minus = "\N{MINUS SIGN}"
    ends = {"+a*": (1, 0), f"{minus}a*": (-1, 0), "+b*": (0, 1), f"{minus}b*": (0, -1)}
    return [
        {"line": [[0, 0, 0], [100, 0, 0]], "name": "L*"},
        {"line": circle.round(2).tolist()},
        *(
            {"line": [[50, 0, 0], [50, a * chroma, b * chroma]], "name": name}
            for name, (a, b) in ends.items()
        ),
    ]


# Encoding


def label_spread(k: int) -> int:
    """Return the difference of the gray levels of two labels, as large as it can be.

    Some browsers add noise to the pixels that a page may read: it is then
    smaller than the differences, and rounded away.
    """
    return 255 // max(1, k - 1)


def png(pixels: NDArray[Any]) -> str:
    """Encode an image as PNG, as a URI that holds all of it."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels.astype(np.uint8))).decode()


def as_json(data: object) -> str:
    """Write JSON that can stand in a script element: nothing in it looks like the end of one."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def asset(name: str) -> str:
    """Read one of the files that the page is made of."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def fill(template: str, texts: dict[str, str]) -> bytes:
    """Put the texts in their places, all at once: what looks like a place in a text stays."""
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: texts[place[1]], template)
    return page.encode("utf-8", errors="xmlcharrefreplace")  # a file name may hold any byte


# Words


def lead(shape: Sequence[int], shown: NDArray[np.uint8], k: int, space: str) -> str:
    """Say what was clustered."""
    height, width = shown.shape[:2]
    name = {"rgb": "RGB", "lab": "CIELAB", "raw": "plain numbers"}[space]
    if shown.ndim == 2 and space != "lab":
        name = "gray"
    text = f"k = {k}, in {name}. "
    if (height, width) == tuple(shape[:2]):
        return text + f"All {width} by {height} pixels of the picture are clustered."
    return text + (
        f"Clustered and shown here: a preview of {width} by {height} pixels, the picture of "
        f"{shape[1]} by {shape[0]} scaled down by averaging areas."
    )


def number(value: float) -> str:
    """Write a number, with more digits than the eye compares."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def share(part: float) -> str:
    """Write a share as a percentage with two significant digits."""
    percent = 100 * part
    if percent == 0:
        return "0%"
    digits = max(0, 1 - math.floor(math.log10(abs(percent))))
    return f"{percent:.{digits}f}%" if digits <= 4 else "less than 0.0001%"
