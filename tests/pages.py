"""Pictures, and the teaching pages that show them."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmeans_seg.teaching.page import asset, write_page
from kmeans_seg.teaching.preview import preview
from kmeans_seg.teaching.trace import trace

Image = NDArray[np.uint8]


def blobs(*shape: int, seed: int = 0) -> Image:
    """Make a small picture of a few noisy patches of color."""
    rng = np.random.default_rng(seed)
    height, width, *channels = shape
    patches = rng.integers(40, 216, (3, 4, *channels))
    rows, columns = np.arange(height) * 3 // height, np.arange(width) * 4 // width
    return (patches[rows[:, np.newaxis], columns] + rng.integers(-39, 40, shape)).astype(np.uint8)


# A name, and how the page of that name is made.
PAGES: dict[str, tuple[Image, int, dict[str, Any]]] = {
    "color": (blobs(24, 36, 3), 4, {}),
    "lab": (blobs(24, 36, 3, seed=3), 3, {"space": "lab", "rng": 4}),
    "gray": (blobs(24, 36, seed=1), 3, {}),
    "gray lab": (blobs(12, 16, seed=1), 3, {"space": "lab"}),
    "raw": (blobs(12, 16, 3, seed=2), 5, {"space": "raw", "width": 12}),
    "one": (blobs(9, 5, 3), 1, {}),
    "random": (blobs(9, 5, 3), 3, {"init": "random"}),
    "given": (blobs(9, 5, 3), 2, {"init": [[0.5, 0, 0], [255, 300, 255]]}),
    "rehearsed": (blobs(24, 36, 3), 4, {"init": "auto"}),
    "optimal": (blobs(24, 36, seed=1), 3, {"init": "optimal"}),
}
for *_, shared in PAGES.values():
    shared.setdefault("init", "k-means++")  # one start is easier to follow


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("pages")

    def page_of(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            image, k, options = PAGES[name]
            write_page(image, k, path, **options)
        return path

    return page_of


# One draw, as most pages here show it.
one_start = functools.partial(trace, init="k-means++")


def shown(name: str) -> tuple[Image, int, dict[str, Any]]:
    """Return what a page is to show: its preview, k, and how to segment it."""
    image, k, options = PAGES[name]
    options = dict(options)
    return preview(image, options.pop("width", 480)), k, options


def texts(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asset(f"{language}.json"))
    return found


# A title that would do harm if it were taken for HTML.
EVIL = "</script></title><img src=x onerror=alert(1)>{{js}}{{data}}\"'&amp;<!--\udcff"
