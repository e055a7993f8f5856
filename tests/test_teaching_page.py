"""The page in real Chromium: what it shows is the run, and every control does what it says.

Chromium is looked for on the path; without it these tests are skipped, except
where CI is set, where they fail.
"""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from kmeans_seg import FewerClustersWarning, cli, read, segment
from kmeans_seg.lloyd import squared_distances
from kmeans_seg.segmentation import SPACES, as_pixels
from kmeans_seg.teaching.page import choose, collect, evenly, write_page
from kmeans_seg.teaching.preview import preview
from kmeans_seg.teaching.trace import Assign, Done, Seeding, Update, trace

Image = NDArray[np.uint8]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Pictures and pages


def coffee() -> Image:
    """Read a photo."""
    with resources.as_file(resources.files("kmeans_seg") / "data" / "coffee.jpg") as path:
        return read(path)


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
}


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


def shown(name: str) -> tuple[Image, int, dict[str, Any]]:
    """Return what a page is to show: its preview, k, and how to segment it."""
    image, k, options = PAGES[name]
    options = dict(options)
    return preview(image, options.pop("width", 320)), k, options


# The data in a page


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def pixels_of(uri: str) -> Image:
    kind, encoded = uri.split(",")
    assert kind == "data:image/png;base64"
    pixels: Image = iio.imread(io.BytesIO(base64.b64decode(encoded)), extension=".png")
    return pixels


def labels_of(step: dict[str, Any]) -> NDArray[np.int32]:
    levels = pixels_of(step["labels"])
    assert not (levels % step["spread"]).any()
    labels: NDArray[np.int32] = (levels // step["spread"]).astype(np.int32)
    return labels


@pytest.mark.parametrize("name", PAGES)
def test_every_half_step_is_that_of_the_trace(name: str, files: Callable[[str], Path]) -> None:
    image, k, options = shown(name)
    data = data_of(files(name).read_text(encoding="utf-8"))
    np.testing.assert_array_equal(pixels_of(data["picture"]), image)
    records = [*trace(image, k, **options)]
    assert len(data["steps"]) == len(records)
    for step, record in zip(data["steps"], records, strict=True):
        match record:
            case Seeding():
                assert step["marks"][-1] == list(record.pixel)
                np.testing.assert_array_equal(step["palette"][-1], np.broadcast_to(record.color, 3))
                assert len(step["centers"]) == record.number + 1
                if record.distances is None:
                    assert "heat" not in step
                else:
                    assert step["heatMax"] == record.distances.max()
                    heat = pixels_of(step["heat"]) / 255
                    expected = record.distances / record.distances.max()
                    np.testing.assert_allclose(heat, expected, atol=0.011)
            case Assign():
                np.testing.assert_array_equal(labels_of(step), record.labels)
                np.testing.assert_array_equal(pixels_of(step["changed"]) == 255, record.changed)
                np.testing.assert_array_equal(step["centers"], record.centers)
                np.testing.assert_array_equal(step["counts"], record.counts)
                assert step["changedCount"] == record.changed.sum()
                assert data["curve"]["inertia"][step["pass"]] == record.inertia
            case Update():
                np.testing.assert_array_equal(step["centers"], record.after)
                np.testing.assert_array_equal(step["moved"], record.moved)
            case Done():
                result = segment(image, k, **options)
                np.testing.assert_array_equal(labels_of(step), result.labels)
                np.testing.assert_array_equal(step["centers"], result.centers)
                np.testing.assert_array_equal(step["counts"], result.counts)
                np.testing.assert_array_equal(step["order"], record.order)


def test_the_first_assignment_is_to_the_seeds(files: Callable[[str], Path]) -> None:
    for name in ("color", "lab", "gray"):
        steps = data_of(files(name).read_text(encoding="utf-8"))["steps"]
        last_seed = [step for step in steps if step["kind"] == "seed"][-1]
        first = next(step for step in steps if step["kind"] == "assign")
        assert last_seed["centers"] == first["centers"]


# Which half-steps are shown


def test_of_a_long_run_some_are_left_out_and_the_page_says_which() -> None:
    image, k, options = shown("color")
    run = collect(trace(image, k, **options), "rgb")
    assert len(run.passes) > 6
    slides, note = choose(run, 14)
    assert len(slides) <= 14
    kinds = [slide["kind"] for slide in slides]
    assert kinds[:5] == ["seed", "seed", "seed", "assign", "update"]
    assert kinds[-2:] == ["assign", "done"]
    iterations = [slide["iteration"] for slide in slides if slide["kind"] == "assign"]
    assert iterations[:3] == [1, 2, 3]
    assert iterations[-1] == len(run.passes)
    assert "Left out: seeds" in note
    gaps = [slide["gap"] for slide in slides if "gap" in slide]
    told = [int(n) for gap in gaps for n in expanded(gap.split("iteration")[1])]
    assert sorted([*iterations, *told]) == [*range(1, len(run.passes) + 1)]
    assert [*expanded(note.split("iterations ")[1].split(".")[0])] == told


def expanded(ranges: str) -> Iterator[int]:
    """Read what `ranges` writes."""
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", ranges):
        yield from range(int(first), int(last or first) + 1)


def test_a_short_run_is_shown_whole() -> None:
    image, k, options = shown("color")
    slides, note = choose(collect(trace(image, k, **options), "rgb"), 150)
    assert len(slides) == len([*trace(image, k, **options)])
    assert note == f"All {len(slides)} half-steps of the run are shown."


@pytest.mark.parametrize("n", range(1, 60, 7))
@pytest.mark.parametrize("most", [2, 3, 5, 10, 25])
@pytest.mark.parametrize("first", [1, 3])
def test_indices_are_chosen_evenly(n: int, most: int, first: int) -> None:
    chosen = evenly(n, most, first)
    assert len(chosen) == len(set(chosen)) == min(n, most)
    assert chosen[0] == 0
    assert chosen[-1] == n - 1
    gaps = np.diff(chosen[min(first, most - 1) - 1 :])
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


# The file


def test_a_photo_makes_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(coffee(), 8, path)
    assert path.stat().st_size < 2_000_000


def test_even_noise_stays_within_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    noise = np.random.default_rng(0).integers(256, size=(320, 320, 3)).astype(np.uint8)
    write_page(noise, 8, path, space="raw")
    assert 2_000_000 < path.stat().st_size <= 3_000_000
    assert "Left out: iterations" in path.read_text(encoding="utf-8")


def test_the_page_needs_no_other_file(files: Callable[[str], Path]) -> None:
    text = files("color").read_text(encoding="utf-8")
    text = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    assert re.findall(r"""(?:src|href|url|import)\s*[=(]\s*["']?\S+""", text) == ["src = uri;"]
    addresses = set(re.findall(r"https?://[^\s\"']+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place


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
        ({"k": 257}, ValueError, "k=257 is too many for a page"),
        ({"k": 0}, ValueError, "k=0"),
        ({"k": 200}, ValueError, "k=200 is more than the 45 pixels"),
        ({"max_steps": 11}, ValueError, "max_steps=11"),
        ({"width": 0}, ValueError, "width=0"),
        ({"path": Path("page.png")}, ValueError, "page.png: a page is written as HTML"),
        ({"space": "hsv"}, ValueError, "space='hsv'"),
        ({"image": np.zeros((3, 3, 4), np.uint8)}, ValueError, "image has shape"),
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
    assert "<h1>a &lt;b&gt; photo.png</h1>" in text
    result = segment(blobs(24, 36, 3), 4, rng=3)
    np.testing.assert_array_equal(labels_of(data_of(text)["steps"][-1]), result.labels)

    Path("out.png").unlink()
    assert cli.main(arguments) == 1
    assert "page.html: File exists: add --force" in capsys.readouterr().err
    assert not Path("out.png").exists()
    assert cli.main([*arguments, "--force"]) == 0


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
        (blobs(6, 8, 4), ["--explain", "page.html", "--space", "raw"], "to be shown"),
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


# In the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Tabs:
    """Pages in the browser, and what they complained of and asked for."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.tabs: dict[str, Page] = {}
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, path: Path, options: dict[str, Any]) -> Page:
        """Open a page, in the tab that has these options."""
        page = self.tabs.get(repr(options))
        if page is None:
            size = {"width": 1280, "height": 900}
            context = self.browser.new_context(**{"viewport": size} | options)
            context.route(re.compile("^(?!file:|data:)"), lambda route: route.abort())
            page = self.tabs[repr(options)] = context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda message: self.complaints.append(message.text))
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page


@pytest.fixture(scope="module")
def tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture
def open_page(tabs: Tabs, files: Callable[[str], Path]) -> Iterator[Callable[..., Page]]:
    """Open pages; at the end see that none complained, and none asked for anything else."""
    tabs.complaints.clear()
    tabs.requests.clear()
    opened = []

    def open_one(name_or_path: str | Path, **options: Any) -> Page:
        path = files(name_or_path) if isinstance(name_or_path, str) else name_or_path
        opened.append(path.as_uri())
        return tabs.open(path, options)

    yield open_one
    assert tabs.complaints == []
    assert [url for url in tabs.requests if not url.startswith("data:")] == opened


def drawn(canvas: Locator) -> NDArray[np.uint8]:
    """Return what stands on a canvas, RGBA."""
    return pixels_of(canvas.evaluate("canvas => canvas.toDataURL()"))


def seen(page: Page) -> NDArray[np.uint8]:
    """Return what stands on the canvas of the picture."""
    return drawn(page.locator("#picture"))


def position(page: Page) -> int:
    """Return the number of the half-step that is shown, from 0."""
    return int(page.locator("#slider").input_value())


def last(page: Page) -> int:
    return int(page.locator("#slider").get_attribute("max") or "")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in the page."""
    late = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < late


def go(page: Page, at: int) -> None:
    page.locator("#slider").fill(str(at))


def press(page: Page, name: str, *, force: bool = False) -> None:
    page.get_by_role("button", name=name, exact=True).click(force=force)


def first_of(page: Page, kind: str, nth: int = 0) -> int:
    found: int = page.evaluate(
        "([kind, nth]) => steps.map((s, at) => [s.kind, at]).filter(([k]) => k === kind)[nth][1]",
        [kind, nth],
    )
    return found


def show(page: Page, mode: str) -> None:
    page.locator(".modes label", has_text=mode).click()


@pytest.mark.parametrize("name", PAGES)
def test_the_end_is_what_segment_returns(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name)
    page.keyboard.press("End")
    image, k, options = shown(name)
    result = segment(image, k, **options)
    expected = np.broadcast_to(result.painted.reshape(*image.shape[:2], -1), (*image.shape[:2], 3))
    canvas = seen(page)
    np.testing.assert_array_equal(canvas[:, :, :3], expected)
    assert (canvas[:, :, 3] == 255).all()
    labels = page.evaluate("[...labelsOf.at(-1)]")
    np.testing.assert_array_equal(np.reshape(labels, result.labels.shape), result.labels)
    cells = page.locator("#centers tr").first.locator("td").all_text_contents()
    assert cells[0] == "0"
    assert cells[-2] == f"{result.counts[0]:,}"


def test_a_photo_ends_in_what_segment_returns(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    write_page(coffee(), 8, tmp_path / "coffee.html")
    page = open_page(tmp_path / "coffee.html")
    assert "preview of 320 by" in page.locator(".lead").inner_text()
    press(page, "Last half-step")
    image = preview(coffee(), 320)
    np.testing.assert_array_equal(seen(page)[:, :, :3], segment(image, 8).painted)


def test_the_buttons(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    end = last(page)
    assert position(page) == 0
    assert end == len([*trace(*shown("color")[:2])]) - 1
    expect(page.locator("#counter")).to_have_text(f"1 / {end + 1}")
    expect(page.locator("#back")).to_have_attribute("aria-disabled", "true")
    press(page, "Back", force=True)
    assert position(page) == 0
    press(page, "Next")
    press(page, "Next")
    assert position(page) == 2
    expect(page.locator("#back")).to_have_attribute("aria-disabled", "false")
    press(page, "Back")
    assert position(page) == 1
    press(page, "Last half-step")
    assert position(page) == end
    expect(page.locator("#next")).to_have_attribute("aria-disabled", "true")
    assert page.locator("#next").evaluate("button => !button.disabled")  # it keeps the focus
    press(page, "Next", force=True)
    assert position(page) == end
    press(page, "First half-step")
    assert position(page) == 0


def test_it_plays_pauses_and_stops_at_the_end(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    page.get_by_label("Speed").select_option("5")
    press(page, "Play")
    until(lambda: position(page) >= 2)
    press(page, "Pause")
    at = position(page)
    page.wait_for_timeout(450)
    assert position(page) == at
    go(page, last(page) - 1)
    press(page, "Play")
    expect(page.locator("#name")).to_have_text("Done")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    press(page, "Play")  # once more, from the start
    assert position(page) == 0
    press(page, "Next")  # whoever steps does not want it to go on by itself
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_the_speed_is_kept(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    page.get_by_label("Speed").select_option("2")
    page.evaluate(
        "window.times = []; const real = go; go = (at) => { times.push(Date.now()); real(at); }"
    )
    press(page, "Play")
    until(lambda: page.evaluate("times.length") >= 3)
    press(page, "Pause")
    assert min(np.diff(page.evaluate("times"))) >= 480


def test_the_keyboard(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    for key, at in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last(page))]:
        page.keyboard.press(key)
        assert position(page) == at
    page.keyboard.press("ArrowRight")
    assert position(page) == last(page)
    page.keyboard.press("Home")
    assert position(page) == 0
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.keyboard.press("Control+ArrowRight")  # belongs to the browser
    assert position(page) == 0
    page.locator("#play").focus()
    page.keyboard.press(" ")  # presses the button, once
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_the_keys_step_wherever_one_has_clicked(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    for at, place in enumerate(("h1", "#steps", "#shares", ".scroll"), start=1):
        page.locator(place).click(position={"x": 3, "y": 3})
        page.keyboard.press("ArrowRight")
        assert position(page) == at


def test_the_slider(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    slider = page.get_by_role("slider", name="Half-step")
    go(page, 5)
    expect(page.locator("#counter")).to_have_text(re.compile("^6 /"))
    slider.focus()
    for key, at in [("ArrowRight", 6), ("ArrowUp", 7), ("ArrowLeft", 6), ("Home", 0)]:
        page.keyboard.press(key)
        assert position(page) == at
        assert slider.get_attribute("aria-valuetext") == page.locator("#name").inner_text()
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2)
    assert position(page) == last(page)


def test_keys_in_other_controls_do_not_step(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    page.locator("#speed").focus()
    page.keyboard.press("End")
    page.locator("input[name=mode]:checked").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("input[name=mode]:checked").get_attribute("value") == "original"
    assert position(page) == 0


def test_the_step_that_is_taken_is_lit_and_told(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    expect(page.locator("#now")).to_have_attribute("aria-live", "polite")
    told = page.evaluate(
        """() => steps.map((step, at) => {
            go(at);
            const lit = [...document.querySelectorAll("#steps li")];
            const which = lit.filter((item) => item.getAttribute("aria-current") === "step");
            return [which.map((item) => lit.indexOf(item) + 1), $("now").innerText];
        })"""
    )
    steps = page.evaluate("steps")
    for step, (lit, text) in zip(steps, told, strict=True):
        assigned = 3 if step.get("changedCount", 0) else 6
        assert lit == [{"seed": 1, "assign": assigned, "update": 4, "done": 6}[step["kind"]]]
        assert text.split() == [*step["name"].split(), *step["summary"].split()]
    assert "The sum of squared distances falls" in page.evaluate("steps.map(s => s.summary).join()")


def test_the_original_and_the_changes(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    assigns = [record for record in trace(image, k) if isinstance(record, Assign)]
    go(page, first_of(page, "assign", 1))
    show(page, "Original")
    np.testing.assert_array_equal(seen(page)[:, :, :3], image)
    show(page, "Only what changed")
    canvas, record = seen(page), assigns[1]
    assert 0 < record.changed.sum() < record.changed.size
    np.testing.assert_array_equal(canvas[:, :, 3] == 255, record.changed)
    painted = record.palette[record.labels]
    np.testing.assert_array_equal(canvas[record.changed, :3], painted[record.changed])
    assert f": {record.changed.sum()}." in page.locator("#shown").inner_text()
    go(page, last(page))
    assert (seen(page)[:, :, 3] < 255).all()
    assert "No pixel changed" in page.locator("#shown").inner_text()
    show(page, "Segments")
    assert (seen(page)[:, :, 3] == 255).all()


def test_the_seeding_shows_the_map_and_the_pixel_drawn(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    seeds = [record for record in trace(image, k) if isinstance(record, Seeding)]
    np.testing.assert_array_equal(seen(page)[:, :, :3], image)  # nothing to be far from yet
    expect(page.locator("#legend")).to_be_hidden()
    for at, seed in enumerate(seeds[1:], start=1):
        go(page, at)
        assert seed.distances is not None
        expect(page.locator("#legend")).to_be_visible()
        expect(page.locator("#heat-max")).to_have_text(f"{seed.distances.max():,.0f} = largest D²")
        brightness = seen(page)[:, :, :3].sum(axis=2, dtype=int)
        order = np.argsort(seed.distances, axis=None)
        assert (np.diff(brightness.ravel()[order]) > -60).all()  # the ramp rises, but for rounding
        row, column = seed.pixel
        assert f"row {row}, column {column}" in page.locator("#summary").inner_text()
        marks = drawn(page.locator("#marks"))
        tall, wide = marks.shape[0] / image.shape[0], marks.shape[1] / image.shape[1]
        assert marks[int((row + 0.5) * tall), int((column + 0.5) * wide), 3] == 255
    expect(page.get_by_text("D² map")).to_be_visible()
    show(page, "Original")
    expect(page.locator("#legend")).to_be_hidden()


def worked_out(page: Page) -> list[float]:
    values: list[str] = page.locator("#distances data").evaluate_all("all => all.map(d => d.value)")
    return [*map(float, values)]


def expected_distances(name: str, row: int, column: int) -> NDArray[np.float64]:
    """Return the distances of a pixel to the centers at the end."""
    image, k, options = shown(name)
    space = SPACES[options.get("space", "rgb")]
    point = space.to_points(as_pixels(image[row : row + 1, column : column + 1]))
    return squared_distances(point, segment(image, k, **options).centers)


@pytest.mark.parametrize("name", PAGES)
def test_the_distances_of_a_pixel(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name)
    page.keyboard.press("End")
    height, width = shown(name)[0].shape[:2]
    box = page.locator("#stage").bounding_box()
    assert box is not None
    for row, column in [(0, 0), (height - 1, width - 1), (height // 3, width // 4)]:
        x = box["x"] + box["width"] * (column + 0.5) / width
        y = box["y"] + box["height"] * (row + 0.5) / height
        page.mouse.move(x, y)
        assert f"Row {row}, column {column}:" in page.locator("#pixel-color").inner_text()
        expected = expected_distances(name, row, column)
        if "lab" in name:
            np.testing.assert_allclose(worked_out(page), expected, rtol=1e-9, atol=1e-9)
        else:
            assert worked_out(page) == expected.tolist()
        nearest = page.locator("#distances li.nearest .chip").inner_text()
        assert int(nearest) == expected.argmin()
        assert f"center {nearest}" in page.locator("#pixel-note").inner_text()


def test_the_numbers_are_written_out(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    go(page, k - 1)
    seeds = [record.color for record in trace(image, k) if isinstance(record, Seeding)]
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")  # the first press shows the pixel in the middle
    pixel = image[image.shape[0] // 2, image.shape[1] // 2].tolist()
    terms = " + ".join(f"({a} − {b})²" for a, b in zip(pixel, seeds[1].tolist(), strict=True))  # noqa: RUF001
    total = sum((a - b) ** 2 for a, b in zip(pixel, seeds[1].tolist(), strict=True))
    line = " ".join(page.locator("#distances li").nth(1).inner_text().split())
    assert line.startswith(f"1 {terms} = {total:,}")


def test_the_pixel_is_chosen_by_keyboard_or_tap(open_page: Callable[..., Page]) -> None:
    page = open_page("color", has_touch=True)
    page.keyboard.press("End")
    stage = page.locator("#stage")
    stage.focus()
    said = page.locator("#pixel-live")
    for key, row, column in [
        ("ArrowDown", 12, 18),
        ("ArrowDown", 13, 18),
        ("ArrowLeft", 13, 17),
        ("Shift+ArrowUp", 3, 17),
        ("Shift+ArrowUp", 0, 17),
        ("ArrowRight", 0, 18),
    ]:
        page.keyboard.press(key)
        expect(said).to_have_text(re.compile(f"Row {row}, column {column}: nearest is center"))
    assert position(page) == last(page)  # the arrows moved the pixel, not the run
    assert worked_out(page) == expected_distances("color", 0, 18).tolist()
    page.keyboard.press("Escape")
    assert worked_out(page) == []
    box = stage.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + 1, box["y"] + 1)
    assert worked_out(page) == expected_distances("color", 0, 0).tolist()


def test_the_pixel_follows_the_run(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    page.locator("#stage").hover(position={"x": 2, "y": 2})
    for at, record in enumerate(trace(image, k)):
        go(page, at)
        match record:
            case Assign():
                centers = record.centers
            case Update():
                centers = record.after
            case _:
                continue
        point = image[0, 0].astype(float)
        assert worked_out(page) == squared_distances(point, centers).tolist()


def test_of_many_distances_the_nearest_is_in_sight(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    image = blobs(24, 36, 3)
    write_page(image, 40, tmp_path / "many.html")
    page = open_page(tmp_path / "many.html")
    page.keyboard.press("End")
    labels = segment(image, 40).labels
    row, column = np.argwhere(labels == 35)[0].tolist()
    page.evaluate("pixel => choosePixel(pixel)", [row, column])
    page.locator(".pixel").scroll_into_view_if_needed()
    listed = page.locator("#distances").bounding_box()
    nearest = page.locator("#distances .nearest").bounding_box()
    assert listed is not None
    assert nearest is not None
    assert listed["y"] <= nearest["y"]
    assert nearest["y"] + nearest["height"] <= listed["y"] + listed["height"]


def test_one_segment_alone(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    *_, assign, done = trace(image, k)
    assert isinstance(assign, Assign)
    assert isinstance(done, Done)
    go(page, last(page) - 1)
    button = page.get_by_role("button", name="Center 2: show its pixels alone")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    np.testing.assert_array_equal(seen(page)[:, :, 3] == 255, assign.labels == 2)
    button.press("ArrowRight")  # the same pixels at the end, whatever their new number is
    np.testing.assert_array_equal(
        seen(page)[:, :, 3] == 255, done.result.labels == done.order.tolist().index(2)
    )
    page.locator("#centers [aria-pressed=true]").click()
    assert (seen(page)[:, :, 3] == 255).all()


def test_the_table_of_centers(open_page: Callable[..., Page]) -> None:
    page = open_page("lab")
    image, k, options = shown("lab")
    update = next(record for record in trace(image, k, **options) if isinstance(record, Update))
    go(page, first_of(page, "update"))
    header = page.locator("#center-names th").all_inner_texts()
    assert header == ["center", "L*", "a*", "b*", "pixels", "moved"]
    for i, row in enumerate(page.locator("#centers tr").all()):
        cells = [text.replace("−", "-") for text in row.locator("td").all_inner_texts()]  # noqa: RUF001
        np.testing.assert_allclose([*map(float, cells[1:4])], update.after[i], atol=0.0501)
        assert float(cells[5]) == pytest.approx(update.moved[i], abs=0.00501)
        color = row.locator(".chip").evaluate("chip => getComputedStyle(chip).backgroundColor")
        assert color == f"rgb({', '.join(map(str, update.palette[i]))})"


def test_the_curve_marks_the_half_step_and_leads_to_others(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    expect(page.locator("#curves [data-pass]")).to_have_count(0)  # seeding has no objective yet
    at = first_of(page, "assign", 2)
    go(page, at)
    assert page.locator("#curves [data-pass]").get_attribute("data-pass") == "2"
    press(page, "Next")
    assert page.locator("#curves [data-pass]").get_attribute("data-pass") == "2"
    # The curves are drawn anew when their place changes size, and the click waits for that.
    page.locator("#curves .target").click(position={"x": 6, "y": 60})
    assert position(page) == first_of(page, "assign")
    assert "Sum of squared distances" in page.locator("#curves").inner_text()
    assert "(linear)" in page.locator("#curves").inner_text()


def test_the_colors_can_be_turned(open_page: Callable[..., Page]) -> None:
    page = open_page("color", reduced_motion="reduce")
    go(page, first_of(page, "update"))
    space = page.locator("#space")
    start = drawn(space)
    box = space.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 130)
    page.mouse.up()
    turned = drawn(space)
    assert not np.array_equal(turned, start)
    page.mouse.move(box["x"] + 20, box["y"] + 20)  # released: it does not follow any more
    np.testing.assert_array_equal(drawn(space), turned)
    press(page, "Reset view")
    np.testing.assert_array_equal(drawn(space), start)
    space.focus()
    page.keyboard.press("ArrowUp")
    assert not np.array_equal(drawn(space), start)
    assert position(page) == first_of(page, "update")


def test_gray_values_stand_on_a_line(open_page: Callable[..., Page]) -> None:
    page = open_page("gray")
    expect(page.locator("#reset")).to_be_hidden()
    assert page.locator("#center-names th").nth(1).inner_text() == "gray"
    pictures = page.evaluate(
        "steps.map((_, at) => { go(at); return document.getElementById('space').toDataURL(); })"
    )
    assert len(set(pictures)) > last(page) / 2


def test_centers_glide_unless_motion_is_unwelcome(open_page: Callable[..., Page]) -> None:
    counts = []
    for motion in ("no-preference", "reduce"):
        page = open_page("color", reduced_motion=motion)
        go(page, first_of(page, "assign"))
        page.evaluate(
            "window.frames_ = 0; const real = drawSpace; drawSpace = () => { frames_++; real(); }"
        )
        press(page, "Next")
        until(lambda page=page: page.evaluate("glide.share") == 1)  # type: ignore[misc]
        counts.append(page.evaluate("frames_"))
    assert counts[0] > counts[1] + 5


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "dark"), (390, "light"), (820, "light"), (1280, "dark")]
)
def test_it_fits_the_width(width: int, scheme: str, open_page: Callable[..., Page]) -> None:
    page = open_page(
        "color",
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
        device_scale_factor=2,
    )
    page.locator("#stage").hover(position={"x": 9, "y": 9})
    for at in (0, 3, 6, last(page)):
        go(page, at)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        too_wide = "all => all.filter((s) => s.scrollWidth > s.clientWidth + 1).map((s) => s.id)"
        assert page.locator("main > section").evaluate_all(too_wide) == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", paper))) < 200
    assert dark == (scheme == "dark")
    canvas = page.locator("#space").evaluate("c => [c.width, c.clientWidth]")
    assert canvas[0] == pytest.approx(2 * canvas[1], abs=2)  # as fine as the screen


def test_everything_has_a_name(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    go(page, 6)
    tree = page.locator("body").aria_snapshot()
    assert not re.search(
        r"^\s*- (button|slider|radio|combobox|img|application|region)\b(?! \")", tree, re.M
    )
    for _ in range(30):  # wherever Tab leads, one sees where one is
        page.keyboard.press("Tab")
        visible = page.evaluate(
            """() => {
                const here = document.activeElement;
                if (here === document.body) return true;
                const shown = here.type === "radio" ? here.nextElementSibling : here;
                return getComputedStyle(shown).outlineStyle !== "none";
            }"""
        )
        assert visible


EVIL = "</script></title><img src=x onerror=alert(1)>{{js}}{{run}}\"'&amp;<!--\udcff"


class Scripts(HTMLParser):
    """Count the elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Note an element."""
        self.tags.append(tag)


def test_a_title_stays_text(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    image, k, _ = PAGES["one"]
    path = tmp_path / "evil.html"
    write_page(image, k, path, title=EVIL)
    tags = Scripts(path.read_text(encoding="utf-8")).tags
    assert tags.count("script") == 2
    assert tags.count("img") == 0
    page = open_page(path)
    expected = EVIL.replace("\udcff", "\N{REPLACEMENT CHARACTER}")
    assert page.locator("h1").text_content() == expected
    assert page.title() == expected
    assert page.locator("img").count() == 0


def test_fewer_colors_than_asked_for(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    image = np.array([[0, 0, 9], [9, 9, 0]], np.uint8)
    with pytest.warns(FewerClustersWarning):
        write_page(image, 4, tmp_path / "few.html")
    page = open_page(tmp_path / "few.html")
    for at in range(last(page) + 1):
        go(page, at)
    expect(page.locator("#centers tr")).to_have_count(2)
    np.testing.assert_array_equal(seen(page)[:, :, 0], image)


def test_a_picture_of_one_color(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    write_page(np.full((3, 4, 3), 7, np.uint8), 1, tmp_path / "flat.html")
    page = open_page(tmp_path / "flat.html")
    for at in range(last(page) + 1):
        go(page, at)
    assert (seen(page)[:, :, :3] == 7).all()
