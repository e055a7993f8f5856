"""Files that were written show themselves in a notebook."""

import base64
import html
import re
from pathlib import Path

import numpy as np

from kmeans_seg.teaching import animate, filmstrip, write_page
from kmeans_seg.teaching.lessons import LESSONS
from kmeans_seg.teaching.page import make_page

IMAGE = np.random.default_rng(0).integers(256, size=(6, 8, 3)).astype(np.uint8)


def test_pictures_show_themselves(tmp_path: Path) -> None:
    for file in (
        animate(IMAGE, 2, tmp_path / "steps.gif"),
        filmstrip(IMAGE, 2, tmp_path / "strip.png"),
        filmstrip(IMAGE, 2, tmp_path / "strip.webp"),
    ):
        assert repr(file) == f"<{file.path}>"
        shown = re.fullmatch(
            r'<img src="data:image/(gif|png|webp);base64,(.*?)" alt=".+">', file._repr_html_()
        )
        assert shown is not None
        assert file.path.suffix == f".{shown[1]}"
        assert base64.b64decode(shown[2]) == file.path.read_bytes()


def test_what_a_browser_does_not_show_is_named(tmp_path: Path) -> None:
    for name in ("strip.tif", "strip.npy"):
        file = filmstrip(IMAGE, 2, tmp_path / name)
        assert file._repr_html_() == html.escape(f"<{file.path}>")


def test_a_page_shows_itself(tmp_path: Path) -> None:
    file = write_page(IMAGE, 2, tmp_path / "page.html", title='"<b>')
    shown = re.search(r'srcdoc="([^"]*)"', file._repr_html_())
    assert shown is not None
    assert html.unescape(shown[1]) == make_page(IMAGE, 2, title='"<b>').decode()


def test_every_lesson_shows_every_pass() -> None:
    for lesson in LESSONS.values():
        found = lesson()
        for case in found if isinstance(found, tuple) else (found,):
            rows = case._repr_html_().count("<tr>")
            assert rows >= 1 + case.n_iter
