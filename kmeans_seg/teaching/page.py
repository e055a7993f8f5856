"""A page that shows runs step by step: one HTML file that needs nothing else.

`write_page` clusters a preview of the image, records the run that `trace` gives, and puts it into
`web/page.html` with the style and the scripts of the page. What the page looks like, what it says
and how it answers the reader is in `web`; `web/kmeans.js` is the algorithm for the runs that the
reader starts.

Left out: pictures of single records (`draw`); the GIF (`animate`).
"""

import base64
import html
import itertools
import json
import math
import os
import re
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import colorspace, validation
from ..display import as_rgb, plural
from ..exact import Floats, exact_sum
from ..features import SPACES
from ..lloyd import Clusters, Labels, own_distances
from ..placing import check_target, place
from ..segmentation import as_pixels
from ..validation import RandomGenerator
from .preview import preview
from .trace import Assign, Choose, Done, Record, Rehearsal, Update, trace
from .written import WrittenFile, written

# Bytes of a page: a large preview may take more, in proportion to its pixels.
MOST_BYTES = 3_000_000
FOR_PIXELS = 320**2

# The passes that are shown first are never left out: most happens in them.
FIRST_PASSES = 3
# Half-steps below which leaving out more would leave nothing to see.
FEWEST_STEPS = 12
# Random seeds whose initial centers a live page knows besides that of its own run.
SEEDS = range(4)

# The scripts of the page, in the order in which they run.
SCRIPTS = (
    "kmeans",
    "text",
    "runs",
    "state",
    "picture",
    "colors",
    "curve",
    "panels",
    "tools",
    "controls",
    "address",
    "main",
)
LANGUAGES = ("en", "es")
OUTSIDE = 255  # the label of a pixel that takes no part


def write_page(
    image: ArrayLike,
    k: int,
    path: str | os.PathLike[str],
    *,
    space: str = "rgb",
    init: str | ArrayLike = "auto",
    tol: float = 0,
    rng: RandomGenerator = 0,
    width: int = 480,
    max_steps: int = 150,
    live: bool = True,
    title: str | None = None,
    lang: str | None = None,
    overwrite: bool = True,
) -> WrittenFile:
    """Write a page on which a run can be followed step by step.

    The page is one file of HTML that opens in any current browser, with no
    network. The image is scaled down first; the preview is what is clustered
    and shown.

    The page opens with the run that Python recorded. On a live page the reader
    can start other runs in the browser: with another k, from other initial
    centers, on another photo, or two runs side by side.

    Parameters
    ----------
    image
        Array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16, bool, or
        floating point in [0, 1]; or with an alpha channel, (H, W, 2) or
        (H, W, 4). Pixels where alpha is 0 take no part.
    k
        The number of segments, at most 255 and at most the pixels of the preview.
    path
        Where to write; the name must end in .html or .htm. The file is written
        whole or not at all.
    space, init, tol, rng
        As for `kmeans_seg.segment`.
    width
        The width of the preview, as for `preview`.
    max_steps
        How many half-steps of the loop to record at most. Of a longer run the
        page leaves out some, evenly, and says which; the first and the last are
        always shown. Fewer are shown if the file would exceed 3 MB, or as much
        in proportion for a preview of more than 320 by 320 pixels.
    live
        Whether the reader can start other runs.
    title
        A title to show; by default it names k.
    lang
        The language of the page, "en" or "es"; by default that of the browser.
    overwrite
        Whether to replace a file that exists, as for `kmeans_seg.write`.

    Returns
    -------
    file
        A `WrittenFile`; as the last line of a notebook's cell it shows itself.

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
    ...     _ = write_page(image, 2, path, title="Six pixels")
    ...     '<h1 id="title">Six pixels</h1>' in path.read_text(encoding="utf-8")
    True
    """
    check_page_name(path)
    check_target(path, overwrite=overwrite)
    page = make_page(
        image, k, space=space, init=init, tol=tol, rng=rng, width=width, max_steps=max_steps,
        live=live, title=title, lang=lang,
    )  # fmt: skip
    place([(path, page)], overwrite=overwrite)
    return written(path)


def make_page(
    image: ArrayLike,
    k: int,
    *,
    space: str = "rgb",
    init: str | ArrayLike = "auto",
    tol: float = 0,
    rng: RandomGenerator = 0,
    width: int = 480,
    max_steps: int = 150,
    live: bool = True,
    title: str | None = None,
    lang: str | None = None,
) -> bytes:
    """Return the page that `write_page` writes."""
    check_page_k(k)
    max_steps = validation.as_count("max_steps", max_steps, FEWEST_STEPS)
    live = validation.as_flag("live", live)
    if lang is not None:
        validation.check_choice("lang", lang, LANGUAGES)
    if not isinstance(title, str | None):
        raise TypeError(f"title must be a string, not {title!r}")
    shown = preview(image, width)
    clustered = shown
    if space == "raw" and shown.ndim == 3 and shown.shape[2] in (2, 4):
        if not validation.is_masked(image):
            raise ValueError(
                'image has alpha: with space="raw" that is a number like the others, and no page '
                "shows it; drop it, or mask pixels by numpy.ma"
            )
        hidden = np.broadcast_to(shown[..., -1:] == 0, shown[..., :-1].shape)
        clustered = np.ma.array(shown[..., :-1], mask=hidden)
    run = trace(clustered, k, space=space, init=init, tol=tol, rng=rng)
    recordings = [record(shown, run, space, init, rng=rng)]
    starts = []
    if live:
        # To compare with: the same photo in CIELAB, and other random seeds. The warnings are known.
        method = init if isinstance(init, str) else "auto"
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            if space == "rgb" and shown.ndim == 3:
                run = trace(shown, k, space="lab", init=method, tol=tol, rng=rng)
                recordings.append(record(shown, run, "lab", method, rng=rng))
            known = rng if method == "k-means++" and space == "rgb" else None
            starts = [
                {"seed": seed, "pixels": initial_pixels(shown, k, seed)}
                for seed in SEEDS
                if seed != known
            ]
    data = page_data(np.shape(image), shown, k, space) | {
        "live": live,
        "lang": lang,
        "title": title,
        "starts": starts,
    }
    heading = f"A picture in {plural(k, 'color', 'colors')}" if title is None else title
    most_bytes = MOST_BYTES * max(1, shown.shape[0] * shown.shape[1] / FOR_PIXELS)
    while True:
        data["runs"] = [recording.packed(max_steps) for recording in recordings]
        data["skipped"] = recordings[0].skipped(max_steps)
        page = fill(
            asset("page.html"),
            {
                "title": html.escape(heading),
                "css": asset("page.css"),
                "js": "\n".join(['"use strict";', *(asset(f"{name}.js") for name in SCRIPTS)]),
                "data": as_json(data),
            },
        )
        if len(page) <= most_bytes or max_steps <= FEWEST_STEPS:
            return page
        max_steps = max(FEWEST_STEPS, max_steps * 3 // 4)


# Recording a run


@dataclass
class Recording:
    """A run as the page stores it: whole numbers and floats, and the labels of every pass.

    Attributes
    ----------
    run
        What the page says of the run.
    passes
        For each pass its number, centers, palette, inertia after the
        assignment (`inertia`) and after the update (`after`), and the number
        of pixels that changed.
    labels
        Arrays (H, W) of uint8, one for each pass.
    """

    run: dict[str, Any]
    passes: list[dict[str, Any]] = field(default_factory=list)
    labels: list[NDArray[np.uint8]] = field(default_factory=list)

    def shown(self, max_steps: int) -> list[int]:
        """Choose the passes to show in at most `max_steps` half-steps."""
        return evenly(len(self.passes), max_steps // 2, FIRST_PASSES)

    def skipped(self, max_steps: int) -> list[int]:
        """Return the numbers of the passes that are left out."""
        chosen = {*self.shown(max_steps)}
        return [step["pass"] for i, step in enumerate(self.passes) if i not in chosen]

    def packed(self, max_steps: int) -> dict[str, Any]:
        """Return the run for the page; passes that are left out have no labels.

        The labels of a pass are stored as their difference from the pass
        before, which is mostly 0.
        """
        frames: list[NDArray[np.uint8]] = []
        frame_of: dict[int, int] = {}
        for i in self.shown(max_steps):
            if i > 0 and i - 1 not in frame_of:
                frames.append(self.labels[i - 1])  # so that the page sees what changed
            frame_of[i] = len(frames)
            frames.append(self.labels[i])
        stacked = np.stack(frames)
        stacked[1:] ^= stacked[:-1].copy()
        passes = [step | {"frame": frame_of.get(i)} for i, step in enumerate(self.passes)]
        return self.run | {"passes": passes, "frames": packed(stacked)}


def record(
    shown: NDArray[np.uint8],
    records: Iterable[Record],
    space: str,
    init: str | ArrayLike,
    rng: RandomGenerator,
) -> Recording:
    """Follow a run to its end and keep what the page needs."""
    given = not isinstance(init, str)
    seed = int(rng) if isinstance(rng, int | np.integer) else None
    initial: list[list[int]] = []  # the pixels that were drawn
    found = Recording(
        {
            "space": space,
            "init": "given" if given else init,
            "seed": None if given or init == "optimal" else seed,
            "given": None,
            "rehearsal": None,
            "initial": initial,
        }
    )
    points = SPACES[space].to_points(colors_of(shown))
    for event in records:
        match event:
            case Rehearsal():
                found.run["rehearsal"] = {
                    "ends": event.ends.tolist(),
                    "rounds": event.rounds.tolist(),
                    "winner": event.winner,
                    "drawn": event.drawn,
                }
            case Choose():
                if not found.run["rehearsal"]:  # the centers have moved since they were drawn
                    initial.append([*event.pixel])
            case Assign():
                if not (initial or found.passes):
                    found.run["given"] = given_centers(event, init if given else event.centers)
                inside = event.labels >= 0
                found.labels.append(np.where(inside, event.labels, OUTSIDE).astype(np.uint8))
                found.passes.append(
                    {
                        "pass": event.iteration,
                        "centers": event.centers.tolist(),
                        "palette": as_rgb(event.palette).tolist(),
                        "inertia": event.inertia,
                        "after": inertia_of_means(points, event.labels, len(event.centers)),
                        "changed": int(np.count_nonzero(event.changed)),
                    }
                )
            case Update():
                pass  # its centers are those of the next assignment
            case Done():
                found.run["done"] = {
                    "centers": event.result.centers.tolist(),
                    "palette": as_rgb(event.result.palette).tolist(),
                    "order": event.order.tolist(),
                    "converged": event.result.converged,
                }
    return found


def given_centers(first: Assign, init: ArrayLike) -> dict[str, Any]:
    """Return given centers; one that had no pixels has moved before the first assignment."""
    centers = np.array(init, np.float64)
    same = (centers == first.centers).all(axis=1, keepdims=True)
    # The true color of a center far outside of the image's range would not help.
    palette = np.where(same, as_rgb(first.palette), np.rint(centers).clip(0, 255))
    return {"centers": centers.tolist(), "palette": palette.astype(int).tolist()}


def inertia_of_means(points: Floats, labels: Labels, k: int) -> float:
    """Return the inertia when every center has become the mean of its points."""
    inside = labels.ravel() >= 0
    own, members = labels.ravel()[inside], points[inside]
    clusters = Clusters(members, np.ones(len(members)), k, own)
    means = clusters.update_centers(np.zeros((k, points.shape[1])))
    return exact_sum(own_distances(members, means, own))


def initial_pixels(shown: NDArray[np.uint8], k: int, seed: int) -> list[tuple[int, int]]:
    """Return the pixels, (row, column), that k-means++ draws in RGB with a random seed."""
    run = trace(shown, k, init="k-means++", rng=seed)
    draws = itertools.takewhile(lambda event: isinstance(event, Choose), run)
    return [event.pixel for event in draws if isinstance(event, Choose)]


# Which passes to show


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


# The data of the page


def page_data(shape: Sequence[int], shown: NDArray[np.uint8], k: int, space: str) -> dict[str, Any]:
    """Put together what the page needs besides the runs."""
    colors = colors_of(shown)
    # Neighbors are alike, and small differences take little room.
    differences = np.diff(colors, axis=0, prepend=np.zeros((1, colors.shape[1]), np.uint8))
    return {
        "size": shown.shape[:2],
        "from": [*shape[:2]],
        "k": k,
        "space": space,
        "channels": colors.shape[1],
        "pixels": packed(differences),
        "inside": packed(shown[..., -1] > 0) if has_alpha(shown) else None,
        "lab": LAB_WEIGHTS,
        "texts": {language: json.loads(asset(f"{language}.json")) for language in LANGUAGES},
    }


# Of each row of the matrix from linear sRGB to XYZ relative to white the shares of red and blue:
# with them the page finds the point of a pixel in CIELAB as `colorspace` does.
LAB_WEIGHTS = [
    [colorspace._X_R, colorspace._X_B],
    [colorspace._Y_R, colorspace._Y_B],
    [colorspace._Z_R, colorspace._Z_B],
]


def has_alpha(shown: NDArray[np.uint8]) -> bool:
    """Whether the last channel of a preview is alpha."""
    return shown.ndim == 3 and shown.shape[2] in (2, 4)


def colors_of(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels of a preview, (H·W, C), without alpha."""
    pixels: NDArray[np.uint8] = as_pixels(shown)
    return pixels[:, :-1] if has_alpha(shown) else pixels


# Encoding


def packed(array: NDArray[Any]) -> str:
    """Compress bytes into text."""
    return base64.b64encode(zlib.compress(array.astype(np.uint8).tobytes(), 9)).decode()


def as_json(data: object) -> str:
    """Write JSON that can be in a script element: nothing in it looks like the end of one."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def asset(name: str) -> str:
    """Read one of the files that the page is made of."""
    return (resources.files(__package__) / "web" / name).read_text(encoding="utf-8")


def fill(template: str, texts: dict[str, str]) -> bytes:
    """Put the texts in their places, all at once: what looks like a place in a text stays."""
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: texts[place[1]], template)
    return page.encode("utf-8", errors="xmlcharrefreplace")  # a file name may hold any byte


def check_page_k(k: object) -> None:
    """Check a number of segments for a page, whose labels are stored in 8 bits."""
    count = validation.as_count("k", k, most=math.inf)
    if count > 255:
        raise ValueError(
            f"k={validation.spelled(count)} is too many for a page: "
            "at most 255 segments can be shown"
        )


def check_page_name(path: str | os.PathLike[str]) -> None:
    """Check that a file name ends in .html or .htm."""
    if not os.fspath(path).lower().endswith((".html", ".htm")):
        raise ValueError(
            f"{validation.shown(path)}: a page is written as HTML: end the name in .html"
        )
