"""The page as a file: the data in it are those of the run, and it holds all that it needs."""

import base64
import itertools
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from pages import EVIL, PAGES, Image, blobs, one_start, shown, texts

from kmeans_seg import cli, segment
from kmeans_seg.features import SPACES
from kmeans_seg.segmentation import as_pixels
from kmeans_seg.teaching.page import LANGUAGES, SCRIPTS, asset, evenly, record, write_page
from kmeans_seg.teaching.trace import Assign, Choose, Done, Rehearsal, Update, trace


def noise(rows: int, columns: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (rows, columns, 3), np.uint8)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(text: str, *shape: int) -> Image:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)


def frames_of(data: dict[str, Any], run: int = 0) -> list[Image | None]:
    """Return the labels of every pass of a recorded run; None for those that are left out."""
    recorded = data["runs"][run]
    frames = unpacked(recorded["frames"], -1, *data["size"]).copy()
    for before, frame in itertools.pairwise(frames):
        frame ^= before
    return [None if p["frame"] is None else frames[p["frame"]] for p in recorded["passes"]]


def test_centers_may_be_given_as_an_array(tmp_path: Path) -> None:
    image, init = noise(6, 7), np.array([[10, 10, 10], [200, 200, 200.0]])
    pages = [
        write_page(image, 2, tmp_path / "a.html", init=i).path.read_bytes()
        for i in (init, init.tolist())
    ]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("channels", [1, 3])
def test_in_raw_numbers_a_mask_counts_and_alpha_is_refused(channels: int, tmp_path: Path) -> None:
    image = noise(6, 7)[..., :channels]
    alpha = np.full((6, 7, 1), 200, np.uint8)
    alpha[:2] = 0
    masked = np.ma.array(image, mask=np.broadcast_to(alpha == 0, image.shape))
    page = write_page(masked, 3, tmp_path / "a.html", space="raw").path
    last = frames_of(data_of(page.read_text(encoding="utf-8")))[-1]
    assert last is not None
    np.testing.assert_array_equal(last == 255, alpha[..., 0] == 0)
    with pytest.raises(ValueError, match=r'image has alpha: with space="raw".* drop it'):
        write_page(np.concatenate((image, alpha), axis=2), 3, tmp_path / "b.html", space="raw")


@pytest.mark.parametrize("name", PAGES)
def test_the_recorded_run_is_that_of_the_trace(name: str, files: Callable[[str], Path]) -> None:
    image, k, options = shown(name)
    data = data_of(files(name).read_text(encoding="utf-8"))
    differences = unpacked(data["pixels"], -1, data["channels"])
    pixels = differences.cumsum(axis=0, dtype=np.uint8)
    np.testing.assert_array_equal(pixels.reshape(image.shape), image)
    run = data["runs"][0]
    records = [*trace(image, k, **options)]
    seeds = [[*r.pixel] for r in records if isinstance(r, Choose)]
    rehearsed = any(isinstance(r, Rehearsal) for r in records)
    assert run["initial"] == ([] if rehearsed else seeds)
    assert (run["rehearsal"] is not None) == rehearsed == (name == "rehearsed")
    assigns = [r for r in records if isinstance(r, Assign)]
    updates = [r for r in records if isinstance(r, Update)]
    points = SPACES[options.get("space", "rgb")].to_points(as_pixels(image))
    for step, labels, assign in zip(run["passes"], frames_of(data), assigns, strict=True):
        np.testing.assert_array_equal(labels, assign.labels)
        np.testing.assert_array_equal(step["centers"], assign.centers)
        np.testing.assert_array_equal(step["palette"], np.broadcast_to(assign.palette, (k, 3)))
        assert step["inertia"] == assign.inertia
        assert step["changed"] == assign.changed.sum()
        own = np.stack([points[assign.labels.ravel() == i].mean(axis=0) for i in range(k)])
        expected = np.square(points - own[assign.labels.ravel()]).sum()
        assert step["after"] == pytest.approx(expected)
    for step, update in zip(run["passes"][1:], updates, strict=True):
        np.testing.assert_array_equal(step["centers"], update.after)
    done = records[-1]
    assert isinstance(done, Done)
    np.testing.assert_array_equal(run["done"]["centers"], segment(image, k, **options).centers)
    assert run["done"]["order"] == done.order.tolist()


def test_the_starts_to_compare_with_are_those_of_kmeans_plusplus(
    files: Callable[[str], Path],
) -> None:
    data = data_of(files("color").read_text(encoding="utf-8"))
    image, k, _ = shown("color")
    assert [start["seed"] for start in data["starts"]] == [1, 2, 3]
    for start in data["starts"]:
        drawn = [r.pixel for r in one_start(image, k, rng=start["seed"]) if isinstance(r, Choose)]
        assert [tuple(pixel) for pixel in start["pixels"]] == drawn
    assert data["runs"][1]["space"] == "lab"


# Which half-steps are shown


def test_of_a_long_run_some_passes_are_left_out() -> None:
    image, k, options = shown("color")
    records = [*trace(image, k, **options)]
    assigns = [r for r in records if isinstance(r, Assign)]
    recording = record(image, records, "rgb", "k-means++", 0)
    assert len(recording.passes) > 6
    packed = recording.packed(12)
    numbers = [p["pass"] for p in packed["passes"] if p["frame"] is not None]
    assert numbers[:3] == [1, 2, 3]
    assert numbers[-1] == len(assigns)
    assert len(numbers) <= 6
    left_out = recording.skipped(12)
    assert sorted([*numbers, *left_out]) == [*range(1, len(assigns) + 1)]
    data = {"size": image.shape[:2], "runs": [packed]}
    frames = unpacked(packed["frames"], -1, *image.shape[:2]).copy()
    for before, frame in itertools.pairwise(frames):
        frame ^= before
    for i, labels in enumerate(frames_of(data)):
        if labels is None:
            continue
        np.testing.assert_array_equal(labels, assigns[i].labels)
        if i:  # the frame before tells what changed, even after a gap
            at = packed["passes"][i]["frame"]
            np.testing.assert_array_equal(frames[at - 1] != labels, assigns[i].changed)


@pytest.mark.parametrize("most", [2, 3, 10, 25])
@pytest.mark.parametrize("first", [1, 3])
def test_indices_are_chosen_evenly(most: int, first: int) -> None:
    for n in range(1, 60, 7):
        chosen = evenly(n, most, first)
        assert len(chosen) == len(set(chosen)) == min(n, most)
        assert chosen[0] == 0
        assert chosen[-1] == n - 1
        gaps = np.diff(chosen[min(first, most - 1) - 1 :])
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


# The file


def test_a_page_that_would_be_too_large_leaves_out_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, k, _ = PAGES["color"]
    sizes = []
    for most in (3_000_000, 0):
        monkeypatch.setattr("kmeans_seg.teaching.page.MOST_BYTES", most)
        write_page(image, k, tmp_path / "page.html", init="k-means++", live=False)
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        sizes.append(len(data_of(text)["runs"][0]["frames"]))
        assert bool(data_of(text)["skipped"]) == (most == 0)
    assert sizes[1] < sizes[0]


def test_the_page_needs_no_other_file(files: Callable[[str], Path]) -> None:
    text = files("color").read_text(encoding="utf-8")
    text = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert re.findall(r"""(?:\bsrc|\bhref|\burl|\bimport|\bfetch)\s*[=(]\s*["']?\S+""", text) == []
    addresses = set(re.findall(r"https?://[^\s\"']+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place


class Elements(HTMLParser):
    """Count the elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Note an element."""
        self.tags.append(tag)


def test_a_title_adds_no_element(tmp_path: Path) -> None:
    image, k, _ = PAGES["one"]
    write_page(image, k, tmp_path / "evil.html", title=EVIL)
    tags = Elements((tmp_path / "evil.html").read_text(encoding="utf-8")).tags
    assert tags.count("script") == 2
    assert tags.count("img") == 0


def test_an_existing_file_is_replaced_only_if_wanted(tmp_path: Path) -> None:
    image, k, _ = PAGES["one"]
    path = tmp_path / "page.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError):
        write_page(image, k, path, overwrite=False)
    assert path.read_text(encoding="utf-8") == "mine"
    write_page(image, k, path)
    assert "mine" not in path.read_text(encoding="utf-8")[:4]
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"k": 256}, ValueError, "k=256 is too many for a page"),
        ({"k": 0}, ValueError, "k=0"),
        ({"k": 200}, ValueError, "k=200 is more than the 45 pixels"),
        ({"max_steps": 11}, ValueError, "max_steps=11"),
        ({"width": 0}, ValueError, "width=0"),
        ({"lang": "de"}, ValueError, "lang='de'"),
        ({"path": Path("page.png")}, ValueError, "page.png: a page is written as HTML"),
        ({"space": "hsv"}, ValueError, "space='hsv'"),
        ({"init": "best"}, ValueError, "init='best'"),
        ({"image": np.zeros((3, 3, 5), np.uint8)}, ValueError, "image has shape"),
        ({"image": np.zeros((3, 3), np.int32)}, TypeError, "image has dtype int32"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    path = tmp_path / "page.html"
    arguments: dict[str, Any] = {"image": blobs(9, 5, 3), "k": 2, "path": path} | changed
    with pytest.raises(error, match=re.escape(message)):
        write_page(**arguments)
    assert not path.exists()


def test_importing_the_package_does_not_import_teaching() -> None:
    code = "import sys, kmeans_seg, kmeans_seg.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kmeans_seg.cli" in done.stdout
    assert "teaching" not in done.stdout


# The texts


def places(text: str | dict[str, str]) -> set[str]:
    """Return the names of the values that a text takes."""
    forms = [text] if isinstance(text, str) else [*text.values()]
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text(language: str) -> None:
    english, other = texts("en"), texts(language)
    assert [*other] == [*english]
    for key, text in other.items():
        assert places(text) == places(english[key]), key
        if language != "en" and isinstance(text, str) and len(text) > 12:
            assert text != english[key] or key.startswith("init."), key


def test_every_text_is_used_and_none_is_missing() -> None:
    html = asset("page.html")
    code = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    used = set(re.findall(r'data-(?:t|label|title)="([^"]+)"', html))
    used |= set(re.findall(r'"([a-z][\w.+-]*)"', code))
    families = re.findall(r"text\(`([\w.-]+)\$\{", code)
    for key in texts("en"):
        if key == "language":
            continue
        assert key in used or any(key.startswith(family) for family in families), key
    for key in re.findall(r'data-(?:t|label|title)="([^"]+)"', html):
        assert key in texts("en"), key


# The command


def test_the_command_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    iio.imwrite("a <b> photo.png", blobs(24, 36, 3))
    arguments = ["a <b> photo.png", "-k", "4", "--seed", "3", "-o", "out.png"]
    arguments += ["--explain", "page.html"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.endswith("-> out.png, page.html\n")
    text = Path("page.html").read_text(encoding="utf-8")
    assert '<h1 id="title">a &lt;b&gt; photo.png</h1>' in text
    result = segment(blobs(24, 36, 3), 4, rng=3)
    run = data_of(text)["runs"][0]
    np.testing.assert_array_equal(run["done"]["centers"], result.centers)

    Path("out.png").unlink()
    assert cli.main(arguments) == 1
    assert "page.html: File exists: add --force" in capsys.readouterr().err
    assert not Path("out.png").exists()
    assert cli.main([*arguments, "--force"]) == 0


def test_if_a_page_cannot_be_made_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    iio.imwrite("film.gif", np.stack([blobs(6, 8, 3), blobs(6, 8, 3, seed=1)]))
    assert cli.main(["film.gif", "--explain", "page.html"]) == 1
    assert "image has shape" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]


def test_the_demo_with_a_page_works_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--demo", "--explain", "page.html", "--width"]
    for width in ("40", "60"):
        assert cli.main([*arguments, width]) == 0
        text = Path("page.html").read_text(encoding="utf-8")
        assert data_of(text)["size"][1] == int(width)
    assert cli.main([*arguments, "0"]) == 1
    assert "--width=0" in capsys.readouterr().err


def test_the_command_names_pages_in_a_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two", "pages"):
        Path(folder).mkdir()
    for name in ("one/a.png", "one/b.png", "two/a.png"):
        iio.imwrite(name, blobs(6, 8, 3))
    assert cli.main(["one/a.png", "one/b.png", "--explain", "pages"]) == 0
    assert sorted(path.name for path in Path("pages").iterdir()) == [
        "a-steps.html",
        "b-steps.html",
    ]
    capsys.readouterr()
    # Two pages of one name: the second must not replace the first.
    assert cli.main(["one/a.png", "two/a.png", "--explain", "pages", "--force"]) == 1
    assert "two/a.png: pages/a-steps.html: is an input or an output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (blobs(6, 8, 3), ["--explain", "page.png"], "page.png: a page is written as HTML"),
        (blobs(6, 8, 3), ["--explain", "nowhere/page.html"], "no such directory"),
        (blobs(20, 20, 3), ["--explain", "page.html", "-k", "300"], "k=300 is too many"),
        (blobs(6, 8, 3), ["--explain", "page.html", "--width", "0"], "--width=0"),
    ],
)
def test_the_command_finds_before_the_work_that_there_can_be_no_page(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    image: Image,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo.png", image)
    assert cli.main(["photo.png", *options]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
