"""The page in real Chromium: what it shows is the run, and every control does what it says."""

import base64
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from chromium import browser  # noqa: F401
from doses import THOROUGH, dose, thorough
from numpy.typing import NDArray
from pages import EVIL, PAGES, Image, blobs, one_start, shown, texts
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from kmeans_seg import FewerClustersWarning, cli, segment, write
from kmeans_seg.features import SPACES
from kmeans_seg.lloyd import squared_distance
from kmeans_seg.segmentation import as_pixels
from kmeans_seg.teaching.page import write_page
from kmeans_seg.teaching.trace import Assign, Choose, Done, Rehearsal, Update, trace


class Tabs:
    """Pages in the browser, and what they complained of and asked for."""

    def __init__(self, browser: Browser) -> None:  # noqa: F811
        self.browser = browser
        self.tabs: dict[str, Page] = {}
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, path: Path, part: str, options: dict[str, Any]) -> Page:
        """Open a page, in the tab that has these options."""
        page = self.tabs.get(repr(options))
        if page is None:
            size = {"width": 1280, "height": 720}
            settings = {"viewport": size, "locale": "en-US"} | options
            context = self.browser.new_context(**settings)
            context.route(re.compile("^(?!file:|data:)"), lambda route: route.abort())
            page = self.tabs[repr(options)] = context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda message: self.complaints.append(message.text))
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.on("request", lambda request: self.requests.append(request.url))
        page.goto("about:blank")
        page.goto(path.as_uri() + (f"#{part}" if part else ""))
        page.wait_for_selector("html[data-ready]", state="attached")
        return page


@pytest.fixture(scope="module")
def tabs(browser: Browser) -> Tabs:  # noqa: F811
    return Tabs(browser)


@pytest.fixture
def open_page(tabs: Tabs, files: Callable[[str], Path]) -> Iterator[Callable[..., Page]]:
    """Open pages; at the end see that none complained, and none asked for anything else."""
    tabs.complaints.clear()
    tabs.requests.clear()
    opened = []

    def open_one(name_or_path: str | Path, part: str = "", **options: Any) -> Page:
        path = files(name_or_path) if isinstance(name_or_path, str) else name_or_path
        opened.append(path.as_uri())
        return tabs.open(path, part, options)

    yield open_one
    assert tabs.complaints == []
    assert {url.split("#")[0] for url in tabs.requests} <= {*opened, "about:blank"}


def drawn(canvas: Locator) -> Image:
    """Return what is on a canvas, RGBA."""
    kind, encoded = canvas.evaluate("canvas => canvas.toDataURL()").split(",")
    assert kind == "data:image/png;base64"
    pixels: Image = iio.imread(io.BytesIO(base64.b64decode(encoded)), extension=".png")
    return pixels


def seen(page: Page, run: int = 0) -> Image:
    """Return what is on the canvas of a picture."""
    return drawn(page.locator(f"#run-{run} .pixels"))


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


def computed(page: Page) -> None:
    """Wait until all runs are computed."""
    until(lambda: bool(page.evaluate("runs.every(({ done }) => done)")))


def go(page: Page, at: int) -> None:
    page.evaluate("at => jump(at)", at)


def press(page: Page, name: str, *, force: bool = False) -> None:
    page.get_by_role("button", name=name, exact=True).first.click(force=force)


def first_of(page: Page, kind: str, nth: int = 0) -> int:
    found: int = page.evaluate(
        "([kind, nth]) => slides[0].map((s, at) => [s.kind, at])"
        ".filter(([k]) => k === kind)[nth][1]",
        [kind, nth],
    )
    return found


def show(page: Page, mode: str) -> None:
    page.locator(".modes:not([hidden]) label", has_text=mode).click()


@thorough
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
    labels = page.evaluate("[...slides[0].at(-1).labels]")
    np.testing.assert_array_equal(np.reshape(labels, result.labels.shape), result.labels)
    cells = page.locator("#centers tr").first.locator("td").all_text_contents()
    assert cells[0].startswith("0")
    assert cells[-2] == f"{result.counts[0]:,}"


def test_every_half_step_of_the_page(open_page: Callable[..., Page]) -> None:
    page = open_page("lab")
    image, k, options = shown("lab")
    records = [*trace(image, k, **options)]
    assert last(page) + 1 == len(records)
    for at, event in enumerate(records):
        # The light dose leaves out most of the passes, but no kind of half-step.
        if 8 < at < len(records) - 3 and not THOROUGH:
            continue
        go(page, at)
        match event:
            case Assign():
                name = f"Pass {event.iteration}: assign"
                np.testing.assert_array_equal(
                    seen(page)[:, :, :3], event.palette[event.labels].reshape(*image.shape)
                )
            case Update():
                name = f"Pass {event.iteration}: update"
                moved = page.locator("#centers tr td:last-child").all_text_contents()
                np.testing.assert_allclose([*map(float, moved)], event.moved, atol=0.00501)
            case Choose():
                name = f"Initial center {event.number}"
            case Done():
                name = "Done"
        assert page.locator("#name").inner_text() == name


# The reader's own runs


def test_another_k_is_computed_and_stepped(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    press(page, "One cluster more")
    computed(page)
    image, _, _ = shown("color")
    assert page.locator("#k").inner_text() == "5"
    assert page.evaluate("runs[0].start") == {"kind": "draw", "number": 1}
    start = page.evaluate("runs[0].initial")
    init = as_pixels(image)[start]
    assert len({tuple(color) for color in init.tolist()}) == 5
    for at, event in [*enumerate(trace(image, 5, init=init), start=5)][:: dose(3, 1)]:
        go(page, at)
        if isinstance(event, Assign):
            np.testing.assert_array_equal(seen(page)[:, :, :3], event.palette[event.labels])
    press(page, "One cluster fewer")  # back to the run of Python
    computed(page)
    assert page.evaluate("runs[0].start.kind") == "recorded"


@thorough
def test_k_has_limits(open_page: Callable[..., Page]) -> None:
    page = open_page("one", "k=64")
    assert page.locator("#k").inner_text() == "45"  # one for each pixel, and no more
    for _ in range(2):
        press(page, "One cluster more")
    assert page.locator("#k").inner_text() == "45"
    page.evaluate("changeK(-100)")
    assert page.locator("#k").inner_text() == "1"


@thorough
@pytest.mark.parametrize(
    ("start", "kind"),
    [("draw", "draw"), ("random", "random"), ("dark", "dark"), ("seed.2", "seed")],
)
def test_every_start_leads_to_the_run_of_segment(
    start: str, kind: str, open_page: Callable[..., Page]
) -> None:
    page = open_page("color")
    page.keyboard.press("End")
    page.locator("#run-0 .start").select_option(start)
    computed(page)
    assert page.locator("#name").inner_text() == "Done"  # it stays at the end
    image, k, _ = shown("color")
    init = as_pixels(image)[page.evaluate("runs[0].initial")]
    if kind == "seed":
        np.testing.assert_array_equal(init, kmeans_start(image, k, 2))
    if kind == "dark":
        luma = as_pixels(image) @ [0.2126, 0.7152, 0.0722]
        assert luma[page.evaluate("runs[0].initial")].max() <= np.sort(luma)[k - 1] + 1e-9
    result = segment(image, k, init=init)
    np.testing.assert_array_equal(seen(page)[:, :, :3], result.painted)
    assert page.evaluate("runs[0].passes.at(-1).inertia") == pytest.approx(result.inertia)
    assert page.evaluate("runs[0].passes.at(-1).pass") == result.n_iter


def test_another_k_is_shown_at_the_same_half_step(open_page: Callable[..., Page]) -> None:
    page = open_page("rehearsed")  # its start is one half-step, that of a draw is k of them
    go(page, 2)
    assert page.locator("#name").inner_text() == "Pass 1: update"
    for button in ("One cluster more", "One cluster more", "One cluster fewer"):
        press(page, button)
        computed(page)
        assert page.locator("#name").inner_text() == "Pass 1: update"
    press(page, "New start")  # is shown, with all its centers; but at the end, so is its end
    computed(page)
    assert page.locator("#name").inner_text() == "Initial center 4"
    for name in ("Initial center 4", "Done"):
        assert page.evaluate("chooseStart(0, 'random'); slides[0].length") > 6
        computed(page)
        assert page.locator("#name").inner_text() == name
        page.keyboard.press("End")
    go(page, 1)
    press(page, "One cluster more")
    computed(page)
    assert page.locator("#name").inner_text() == "Initial center 1"


@thorough
def test_a_reader_does_not_lose_the_place(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    write_page(image, 16, tmp_path / "noise.html", init="k-means++")
    page = open_page(tmp_path / "noise.html")
    assert page.evaluate("data.skipped.length") > 0  # half-steps of the recorded run are left out
    names = page.evaluate("timeline.map((_, at) => { jump(at); return nameOf(slide()); })")
    for name in ("Pass 27: assign", "Done"):
        go(page, names.index(name))
        page.evaluate("changeK(1)")
        computed(page)
        assert page.locator("#name").inner_text() == name
        page.evaluate("changeK(1); changeK(-2)")  # the second before the first is computed
        computed(page)
        assert page.locator("#name").inner_text() == name
    go(page, 0)
    # The end, which is not known yet; also where a half-step was asked for by its index.
    own = "state.k = 3; placeCenters(0, [5, 999, 70], { at: 0 })"
    for change in ("changeK(1)", "state.k -= 9; makeRuns({ at: 3 })", own):
        go(page, 0)
        page.evaluate(f"{change}; jumpToEnd()")
        computed(page)
        assert page.locator("#name").inner_text() == "Done"
    page.evaluate("state.starts = [{ kind: 'draw', number: 1 }]; makeRuns()")
    computed(page)
    go(page, page.evaluate("state.k - 1"))
    assert page.locator("#name").inner_text() == f"Initial center {page.evaluate('state.k - 1')}"
    page.evaluate("changeK(-1)")  # now there is one less, and the last is shown
    computed(page)
    assert page.locator("#name").inner_text() == f"Initial center {page.evaluate('state.k - 1')}"


def test_a_run_without_centers_does_not_keep_it_playing(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    page.evaluate(
        "state.starts = [state.starts[0], { kind: 'own', pixels: [] }];"
        "$('speed').value = [...$('speed').options].at(-1).value;"
        "makeRuns().then(() => { go(timeline.length - 3); play(true); })"
    )
    until(lambda: bool(page.evaluate("state.at === timeline.length - 1 && !state.playing")))


def test_the_step_that_was_asked_for_stays_lit(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    step = page.locator("#steps button").nth(4)
    step.click()
    assert step.get_attribute("aria-current") == "step"
    page.evaluate("$('zoom').click()")
    assert step.get_attribute("aria-current") == "step"
    page.evaluate("jump(state.at + 1)")
    assert step.get_attribute("aria-current") is None


@pytest.mark.parametrize(
    ("least", "most", "unit"),
    [
        (0, 0, 1), (0, 9_000, 1), (2_496, 61_500_000, 1e3), (2_496, 613_500_000, 1e6),
        (9_999, 99_999, 1), (10_000, 99_999, 1e3), (3e6, 99_999_000, 1e6), (5e9, 7e9, 1e9),
    ],
)  # fmt: skip
def test_inertias_of_any_size_have_room(
    least: float, most: float, unit: float, open_page: Callable[..., Page]
) -> None:
    page = open_page("color")
    assert page.evaluate(f"unitOf({least}, {most})[0]") == unit
    scale = f"const f = (v) => {least} + (v - low) / (high - low) * ({most} - {least});"
    page.evaluate(
        "const all = runs[0].passes.flatMap((p) => [p.inertia, p.after]);"
        f"const low = Math.min(...all), high = Math.max(...all); {scale}"
        "for (const p of runs[0].passes) { p.inertia = f(p.inertia); p.after = f(p.after); }"
        "makeSlides(); go(timeline.length - 1)"
    )
    beyond = "[...document.querySelectorAll('#curve text')].map((t) => t.getBBox().x)"
    assert min(page.evaluate(beyond)) >= 0


def test_where_every_start_ends_at_0_none_is_worse(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10, :15], image[10:, :15], image[:10, 15:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    write_page(image, 4, tmp_path / "flat.html")
    page = open_page(tmp_path / "flat.html")
    go(page, 0)
    assert "+0%" in page.locator("#curve").inner_text()
    assert "NaN" not in page.locator("#curve").inner_html()


def kmeans_start(image: Image, k: int, seed: int) -> NDArray[Any]:
    return np.array([r.color for r in one_start(image, k, rng=seed) if isinstance(r, Choose)])


@thorough
def test_new_draws_differ_and_come_back(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    seeds = []
    for number in (1, 2, 3):
        press(page, "New start")
        computed(page)
        assert page.evaluate("runs[0].start") == {"kind": "draw", "number": number}
        seeds.append(page.evaluate("runs[0].initial"))
    assert len({tuple(s) for s in seeds}) == 3
    page = open_page("color", "draw=2")
    assert page.evaluate("runs[0].initial") == seeds[1]


def click_pixel(page: Page, row: int, column: int, run: int = 0) -> None:
    box = page.locator(f"#stage-{run}").bounding_box()
    assert box is not None
    height, width = page.evaluate("[photo.height, photo.width]")
    x = box["x"] + box["width"] * (column + 0.5) / width
    y = box["y"] + box["height"] * (row + 0.5) / height
    page.mouse.click(x, y)


def test_own_centers_by_click_drag_and_key(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, _, _ = shown("color")
    page.locator("#run-0 .start").select_option("own")
    assert position(page) == 0
    assert "tap the picture" in page.locator("#summary").inner_text()
    page.keyboard.press(" ")  # there is nothing to play yet
    assert not page.evaluate("state.playing")
    for place in [(2, 3), (20, 30)]:
        click_pixel(page, *place)
    computed(page)
    assert page.evaluate("runs[0].initial") == [2 * 36 + 3, 20 * 36 + 30]
    box = page.locator("#stage-0").bounding_box()
    assert box is not None
    x, y = (box["x"] + box["width"] * 30.5 / 36, box["y"] + box["height"] * 20.5 / 24)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 40, steps=3)
    page.mouse.up()
    computed(page)
    seeds = page.evaluate("runs[0].initial")
    assert seeds[0] == 2 * 36 + 3
    assert seeds[1] not in (20 * 36 + 30, None)
    page.locator("#stage-0").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    computed(page)
    assert len(page.evaluate("runs[0].initial")) == 3
    assert page.locator("#k").inner_text() == "3"
    init = as_pixels(image)[page.evaluate("runs[0].initial")]
    page.keyboard.press("End")
    np.testing.assert_array_equal(seen(page)[:, :, :3], segment(image, 3, init=init).painted)
    page.keyboard.press("Home")
    page.locator("#stage-0").focus()
    page.keyboard.press("Delete")
    computed(page)
    assert len(page.evaluate("runs[0].initial")) == 2


@thorough
def test_own_centers_among_the_colors(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "centers=")
    spot = page.evaluate("drawColors.project(view().dots[40][1])")
    page.locator("#space").click(position={"x": spot[0], "y": spot[1]})
    computed(page)
    assert len(page.evaluate("runs[0].initial")) == 1
    before = page.evaluate("runs[0].initial")
    at = page.evaluate("drawColors.centers[0]")
    box = page.locator("#space").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    page.mouse.down()
    page.mouse.move(box["x"] + at[0] + 60, box["y"] + at[1] - 90, steps=4)
    page.mouse.up()
    computed(page)
    assert page.evaluate("runs[0].initial") != before


@thorough
def test_a_drawn_center_can_be_dragged(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=4")
    seeds = page.evaluate("runs[0].initial")
    x, y = page.evaluate(
        "spot(runs[0].initial[0], $('stage-0').clientWidth, $('stage-0').clientHeight)"
    )
    box = page.locator("#stage-0").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + 5, steps=3)
    page.mouse.up()
    computed(page)
    assert page.evaluate("runs[0].start.kind") == "own"
    assert page.evaluate("runs[0].initial") == [0, *seeds[1:]]


def test_two_runs_side_by_side(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "seed=0&vs=seed.2")
    image, k, _ = shown("color")
    results = [segment(image, k, init="k-means++", rng=seed) for seed in (0, 2)]
    assert results[0].inertia != pytest.approx(results[1].inertia)
    expect(page.locator("#run-1")).to_be_visible()
    page.keyboard.press("End")
    for run, result in enumerate(results):
        np.testing.assert_array_equal(seen(page, run)[:, :, :3], result.painted)
    better = "AB"[int(results[1].inertia < results[0].inertia)]
    assert page.locator("#verdict").inner_text().startswith(f"{better} ends with a lower inertia")
    # Both are at the same pass, until the shorter one is done.
    go(page, first_of(page, "assign", 1))
    assert page.evaluate("[0, 1].map((i) => slideOf(i).pass)") == [2, 2]
    assert page.evaluate("[0, 1].map((i) => slideOf(i).kind)") == ["assign", "assign"]
    expect(page.locator("#curve .here")).to_have_count(2)
    # The panels show the run that the pointer is at.
    page.locator("#stage-1").hover(position={"x": 20, "y": 20})
    assert page.evaluate("state.active") == 1
    heads = page.locator("#name, #pixel-head, #centers-head, #colors-head").all_inner_texts()
    assert [head[:4] for head in heads] == ["B · "] * 4
    # The curve has the unit of the words below the pictures.
    captions = page.locator(".caption:visible").all_inner_texts()
    unit = page.locator("#curve .title").text_content()
    assert unit
    for letter, caption in zip("AB", captions, strict=True):
        number = caption.split("Inertia ")[1].removesuffix(f" {unit}.")
        assert page.locator("#curve text", has_text=f"{letter} {number}").count() == 1
    page.locator("#compare").click()
    expect(page.locator("#run-1")).to_be_hidden()
    assert page.evaluate("runs[0].start") == {"kind": "seed", "number": 2}


@thorough
def test_rgb_beside_lab(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "vs=run.1&step=999")
    image, k, _ = shown("color")
    np.testing.assert_array_equal(
        seen(page, 1)[:, :, :3], segment(image, k, space="lab", init="k-means++").painted
    )
    assert "different units" in page.locator("#verdict").inner_text()
    assert "percent" in page.locator("#curve").inner_text()


@thorough
def test_the_readers_own_photo(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    other = blobs(30, 20, 3, seed=9)
    iio.imwrite(tmp_path / "other.png", other)
    page.locator("#file").set_input_files(tmp_path / "other.png")
    expect(page.locator("#title")).to_have_text("other.png")
    computed(page)
    np.testing.assert_array_equal(seen(page)[:, :, :3], other)  # the first center, on the photo
    page.keyboard.press("End")
    init = as_pixels(other)[page.evaluate("runs[0].initial")]
    np.testing.assert_array_equal(seen(page)[:, :, :3], segment(other, 4, init=init).painted)
    assert "From Python" not in page.locator("#run-0 .start").inner_html()
    (tmp_path / "no.png").write_text("no picture")
    page.locator("#file").set_input_files(tmp_path / "no.png")
    expect(page.locator("#summary")).to_contain_text("cannot read no.png")


@thorough
def test_a_transparent_photo(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image = blobs(8, 8, 4, seed=9)
    image[..., 3] = 255
    image[:4, :, 3] = 0
    iio.imwrite(tmp_path / "part.png", image)
    page.locator("#file").set_input_files(tmp_path / "part.png")
    expect(page.locator("#title")).to_have_text("part.png")
    computed(page)
    page.keyboard.press("End")
    assert (seen(page)[:4, :, 3] == 0).all()
    counts = page.evaluate("slide().counts")
    assert sum(counts) == 32
    click_pixel(page, 1, 1)
    assert "takes no part" in page.locator("#pixel-color").inner_text()


@thorough
def test_a_page_of_a_transparent_image(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    image = blobs(12, 18, 4)
    image[..., 3] = 255
    image[3:7, 4:9, 3] = 0
    write_page(image, 3, tmp_path / "part.html")
    page = open_page(tmp_path / "part.html", "step=999")
    result = segment(image, 3)
    canvas = seen(page)
    np.testing.assert_array_equal(canvas[..., 3] == 0, result.labels == -1)
    visible = result.labels >= 0
    np.testing.assert_array_equal(canvas[visible][:, :3], result.painted[visible][:, :3])
    expect(page.locator("#lead")).to_contain_text("196 of 216 pixels take part")
    press(page, "New start")
    computed(page)
    colors = as_pixels(image)[page.evaluate("runs[0].initial")]
    again = segment(image, 3, init=colors[:, :3])
    np.testing.assert_array_equal(seen(page)[visible][:, :3], again.painted[visible][:, :3])


@thorough
def test_a_still_page_has_no_tools_of_its_own(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    image, k, _ = PAGES["color"]
    write_page(image, k, tmp_path / "still.html", live=False)
    page = open_page(tmp_path / "still.html", "k=5&draw=2&vs=dark")
    assert page.evaluate("runs.map(({ start }) => start.kind)") == ["recorded"]
    for hidden in ("#more", "#compare", "#photo", "#run-0 .start"):
        expect(page.locator(hidden)).to_be_hidden()


# The address


def test_the_address_leads_back(open_page: Callable[..., Page]) -> None:
    part = "k=5&draw=2&vs=random.3&step=9&show=changed&only=1&pixel=3.4&zoom&hide=curve,six"
    page = open_page("color", part)
    assert position(page) == 8
    assert page.evaluate("[state.k, state.mode, state.only, state.pixel, state.zoom]") == [
        5,
        "changed",
        1,
        3 * 36 + 4,
        True,
    ]
    expect(page.locator(".panel.curve")).to_be_hidden()
    expect(page.locator(".six")).to_be_hidden()
    assert page.evaluate("address()") == part
    page.keyboard.press("ArrowRight")
    until(lambda: "step=10" in page.evaluate("location.hash"))
    page.evaluate("location.hash = 'step=3'")
    until(lambda: position(page) == 2)
    assert page.evaluate("runs.length") == 1
    expect(page.locator(".panel.curve")).to_be_visible()


def test_the_address_may_change_before_the_page_is_ready(open_page: Callable[..., Page]) -> None:
    page = open_page("color", locale="en-GB")  # a tab of its own
    page.add_init_script(
        """addEventListener("DOMContentLoaded", () => {
            history.replaceState(null, "", "#step=3");
            dispatchEvent(new Event("hashchange"));
        });"""
    )
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert position(page) == 2


@thorough
@pytest.mark.parametrize(
    "part", ["k=x&draw=-1&step=0", "vs=seed.99&pixel=a.b&only=77", "centers=99.99_x&k=3", "%41=1"]
)
def test_a_wrong_address_does_no_harm(part: str, open_page: Callable[..., Page]) -> None:
    page = open_page("color", part)
    assert position(page) == 0
    page.keyboard.press("ArrowRight")
    assert position(page) == 1


@thorough
def test_the_strip_of_rehearsals(open_page: Callable[..., Page]) -> None:
    page = open_page("rehearsed", "step=1")
    image, k, options = shown("rehearsed")
    record = next(r for r in trace(image, k, **options) if isinstance(r, Rehearsal))
    assert f"best of {record.drawn} starts, rehearsed" in page.locator("#summary").inner_text()
    bars = page.locator("#curve .rehearsed")
    heights = [float(bar.get_attribute("height") or 0) for bar in bars.all()]
    ends = [record.ends.min(), *sorted(record.ends[: record.drawn])]
    np.testing.assert_allclose(heights / np.max(heights), ends / np.max(ends), rtol=1e-6)
    assert page.locator("#curve .rehearsed.best").count() == 1
    label = page.locator("#curve > svg").get_attribute("aria-label") or ""
    worst = re.search(r"\+(\d+%)", page.locator("#curve").inner_text())
    assert worst is not None
    assert f"{worst[1]} above the best" in label
    page.keyboard.press("ArrowRight")
    assert bars.count() == 0  # the curve of the run takes their place
    page = open_page("optimal", "step=1")
    assert "its optimal centers" in page.locator("#summary").inner_text()


# Playback


def test_the_buttons(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    end = last(page)
    assert position(page) == 0
    assert end == len([*one_start(*shown("color")[:2])]) - 1
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
    press(page, "Next", force=True)
    assert position(page) == end
    press(page, "First half-step")
    assert position(page) == 0


@thorough
def test_it_plays_pauses_and_stops_at_the_end(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    page.get_by_label("Speed").select_option("5")
    page.evaluate(
        "window.times = []; const g = go; go = (at) => { times.push(Date.now()); g(at); }"
    )
    press(page, "Play")
    until(lambda: position(page) >= 2)
    press(page, "Pause")
    assert min(np.diff(page.evaluate("times"))) >= 190
    at = position(page)
    page.wait_for_timeout(300)
    assert position(page) == at
    go(page, last(page) - 1)
    press(page, "Play")
    expect(page.locator("#name")).to_have_text("Done")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    press(page, "Play")  # once more, from the start
    assert position(page) == 0
    press(page, "Next")  # a step by hand stops the playback
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_the_keyboard(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    for key, at in [
        ("ArrowRight", 1),
        ("PageDown", 2),
        ("PageUp", 1),
        ("ArrowLeft", 0),
        ("End", last(page)),
        ("ArrowRight", last(page)),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        assert position(page) == at
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.keyboard.press("Control+ArrowRight")  # belongs to the browser
    assert position(page) == 0
    page.locator("#play").focus()
    page.keyboard.press(" ")  # presses the button, once
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()


@thorough
def test_the_keys_step_wherever_one_has_clicked(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=5")
    at = 4
    for place in ("h1", "#steps", ".scroll", "#zoom", "#compare", "#centers button", "#space"):
        page.locator(place).first.click(position={"x": 3, "y": 3})
        page.keyboard.press("PageDown")
        at += 1
        assert position(page) == at, place
    show(page, "Changes")
    page.keyboard.press("ArrowLeft")
    assert position(page) == at - 1
    assert page.evaluate("state.mode") == "changed"
    press(page, "Next")
    page.keyboard.press(" ")  # plays; it does not press the button once more
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()


@thorough
def test_the_keys_step_in_a_frame(
    tmp_path: Path, files: Callable[[str], Path], open_page: Callable[..., Page]
) -> None:
    open_page("color")
    frame = tmp_path / "frame.html"
    uri = files("color").as_uri()
    frame.write_text(
        f'<html data-ready><iframe src="{uri}" width="1200" height="650"></iframe></html>'
    )
    page = open_page(frame)
    inner = page.frame_locator("iframe")
    inner.locator("html[data-ready]").wait_for(state="attached")
    inner.locator("h1").click()
    page.keyboard.press("PageDown")
    assert inner.locator("#slider").input_value() == "1"
    inner.locator("#present").click()  # fullscreen is refused here: the page fills the frame
    expect(inner.locator("html.present")).to_be_attached()
    page.keyboard.press("PageDown")
    assert inner.locator("#slider").input_value() == "2"
    # Without an address of its own, as in a notebook, it steps as well.
    page.evaluate(
        "text => document.querySelector('iframe').srcdoc = text", files("color").read_text()
    )
    inner.locator("html[data-ready]").wait_for(state="attached")
    inner.locator("h1").click()
    page.keyboard.press("PageDown")
    assert inner.locator("#slider").input_value() == "1"
    page.wait_for_timeout(300)  # the address would be noted by now
    # The page around can say whether it is dark.
    page.evaluate("frames[0].postMessage({ theme: 'dark' }, '*')")
    expect(inner.locator("html[data-theme=dark]")).to_be_attached()


@thorough
def test_the_slider(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    slider = page.get_by_role("slider", name="Half-step")
    slider.fill("5")
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


@thorough
def test_keys_in_other_controls_do_not_step(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=6")
    page.locator("#speed").focus()
    page.keyboard.press("ArrowDown")
    page.locator("input[name=mode]:checked").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("input[name=mode]:checked").get_attribute("value") == "original"
    assert position(page) == 5


# What is shown


@thorough
def test_the_step_that_is_taken_is_lit_and_told(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    expect(page.locator("#now")).to_have_attribute("aria-live", "polite")
    told = page.evaluate(
        """() => timeline.map((_, at) => {
            jump(at);
            const lit = [...document.querySelectorAll("#steps button")];
            const which = lit.filter((item) => item.getAttribute("aria-current") === "step");
            const { kind, changed } = slide();
            return [kind, changed, which.map((item) => lit.indexOf(item) + 1), $("now").innerText];
        })"""
    )
    for kind, changed, lit, words in told:
        assigned = 3 if changed else 6
        assert lit == [{"center": 1, "assign": assigned, "update": 4, "done": 6}[kind]]
        assert len(words.split()) > 5
    assert "The inertia falls by" in " ".join(words for *_, words in told)


@thorough
def test_the_original_and_the_changes(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    assigns = [event for event in one_start(image, k) if isinstance(event, Assign)]
    go(page, first_of(page, "assign", 1))
    show(page, "Photo")
    np.testing.assert_array_equal(seen(page)[:, :, :3], image)
    show(page, "Changes")
    canvas, event = seen(page), assigns[1]
    assert 0 < event.changed.sum() < event.changed.size
    np.testing.assert_array_equal(canvas[:, :, 3] == 255, event.changed)
    painted = event.palette[event.labels]
    np.testing.assert_array_equal(canvas[event.changed, :3], painted[event.changed])
    assert f": {event.changed.sum()}." in page.locator("#caption-0").inner_text()
    go(page, first_of(page, "assign"))
    assert page.locator("#caption-0").inner_text().startswith("The first assignment")
    assert (seen(page)[:, :, 3] == 255).all()
    go(page, last(page))
    assert (seen(page)[:, :, 3] < 255).all()
    assert "No pixel changed" in page.locator("#caption-0").inner_text()
    show(page, "Segments")
    assert (seen(page)[:, :, 3] == 255).all()


@thorough
def test_the_seeding_shows_the_map_and_the_pixel_drawn(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    seeds = [event for event in one_start(image, k) if isinstance(event, Choose)]
    np.testing.assert_array_equal(seen(page)[:, :, :3], image)  # nothing to be far from yet
    legend = page.locator("#run-0 .legend")
    expect(legend).to_be_hidden()
    assert (
        page.locator("#seeding-modes").get_attribute("disabled") is not None
    )  # no choice that does nothing
    expect(page.locator("#modes")).to_be_hidden()
    for at, seed in enumerate(seeds[1:], start=1):
        go(page, at)
        assert seed.distances is not None
        expect(legend).to_be_visible()
        expect(legend).to_contain_text(f"{seed.distances.max():,.0f} = largest D²")
        brightness = seen(page)[:, :, :3].sum(axis=2, dtype=int)
        order = np.argsort(seed.distances, axis=None)
        assert (np.diff(brightness.ravel()[order]) > -60).all()  # the ramp rises, but for rounding
        row, column = seed.pixel
        assert f"row {row}, column {column}" in page.locator("#summary").inner_text()
        marks = drawn(page.locator("#run-0 .marks"))
        tall, wide = marks.shape[0] / image.shape[0], marks.shape[1] / image.shape[1]
        assert marks[int((row + 0.5) * tall), int((column + 0.5) * wide), 3] == 255
    show(page, "Photo")
    expect(legend).to_be_hidden()
    np.testing.assert_array_equal(seen(page)[:, :, :3], image)


def worked_out(page: Page) -> list[float]:
    values: list[str] = page.locator("#distances data").evaluate_all("all => all.map(d => d.value)")
    return [*map(float, values)]


def expected_distances(name: str, row: int, column: int) -> NDArray[np.float64]:
    """Return the distances of a pixel to the centers at the end."""
    image, k, options = shown(name)
    space = SPACES[options.get("space", "rgb")]
    point = space.to_points(as_pixels(image[row : row + 1, column : column + 1]))
    return squared_distance(point, segment(image, k, **options).centers)


@thorough
@pytest.mark.parametrize("name", PAGES)
def test_the_distances_of_a_pixel(name: str, open_page: Callable[..., Page]) -> None:
    page = open_page(name)
    page.keyboard.press("End")
    height, width = shown(name)[0].shape[:2]
    box = page.locator("#stage-0").bounding_box()
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


@thorough
def test_the_numbers_are_written_out(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    go(page, k - 1)
    seeds = [event.color for event in one_start(image, k) if isinstance(event, Choose)]
    page.locator("#stage-0").focus()
    page.keyboard.press("ArrowRight")  # the first press shows the pixel in the middle
    pixel = image[image.shape[0] // 2, image.shape[1] // 2].tolist()
    terms = " + ".join(f"({a} − {b})²" for a, b in zip(pixel, seeds[1].tolist(), strict=True))  # noqa: RUF001
    total = sum((a - b) ** 2 for a, b in zip(pixel, seeds[1].tolist(), strict=True))
    line = " ".join(page.locator("#distances li").nth(1).inner_text().split())
    assert line.startswith(f"1 {terms} = {total:,}")


@thorough
def test_a_clicked_pixel_stays(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=6")
    click_pixel(page, 5, 7)
    page.locator("#stage-0").hover(position={"x": 5, "y": 5})
    assert page.evaluate("state.pixel") == 5 * 36 + 7
    page.keyboard.press("ArrowRight")
    assert "Row 5, column 7" in page.locator("#pixel-color").inner_text()
    until(lambda: "pixel=5.7" in page.evaluate("location.hash"))
    click_pixel(page, 5, 7)  # once more: let go
    page.locator("#stage-0").hover(position={"x": 5, "y": 5})
    assert page.evaluate("state.pixel") == 0
    page.keyboard.press("Escape")
    assert worked_out(page) == []


@thorough
def test_the_pixel_is_chosen_by_keyboard_or_tap(open_page: Callable[..., Page]) -> None:
    page = open_page("color", has_touch=True)
    page.keyboard.press("End")
    stage = page.locator("#stage-0")
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


@thorough
def test_the_pixel_follows_the_run(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    page.locator("#stage-0").hover(position={"x": 2, "y": 2})
    found = page.evaluate(
        """timeline.map((_, at) => {
            jump(at);
            return [...document.querySelectorAll("#distances data")].map((d) => Number(d.value));
        })"""
    )
    for distances, event in zip(found, one_start(image, k), strict=True):
        match event:
            case Assign():
                centers = event.centers
            case Update():
                centers = event.after
            case _:
                continue
        assert distances == squared_distance(image[0, 0] * 1.0, centers).tolist()


@thorough
def test_of_many_centers_the_nearest_are_listed(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "k=40&draw=1&step=999&pixel=3.4")
    computed(page)
    assert len(worked_out(page)) == 12
    assert worked_out(page) == sorted(worked_out(page))
    expect(page.locator("#pixel-note")).to_contain_text("the 12 nearest of 40")
    expect(page.locator("#space-note")).to_contain_text("only the line to the nearest")
    first = page.locator("#distances li").first
    assert "nearest" in (first.get_attribute("class") or "")


@thorough
def test_one_segment_alone(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    *_, assign, done = one_start(image, k)
    assert isinstance(assign, Assign)
    assert isinstance(done, Done)
    go(page, last(page) - 1)
    button = page.get_by_role("button", name="Center 2: show its pixels alone")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    np.testing.assert_array_equal(seen(page)[:, :, 3] == 255, assign.labels == 2)
    go(page, last(page))  # the same pixels at the end, whatever their new number is
    np.testing.assert_array_equal(
        seen(page)[:, :, 3] == 255, done.result.labels == done.order.tolist().index(2)
    )
    page.locator("#centers [aria-pressed=true]").click()
    assert (seen(page)[:, :, 3] == 255).all()


@thorough
def test_the_table_of_centers(open_page: Callable[..., Page]) -> None:
    page = open_page("lab")
    image, k, options = shown("lab")
    update = next(event for event in trace(image, k, **options) if isinstance(event, Update))
    go(page, first_of(page, "update"))
    header = page.locator("#center-names th").all_inner_texts()
    assert header == ["center", "L*", "a*", "b*", "pixels", "moved"]
    for i, row in enumerate(page.locator("#centers tr").all()):
        cells = [text.replace("−", "-") for text in row.locator("td").all_inner_texts()]  # noqa: RUF001
        np.testing.assert_allclose([*map(float, cells[1:4])], update.after[i], atol=0.0501)
        assert float(cells[5]) == pytest.approx(update.moved[i], abs=0.00501)
        color = row.locator(".chip").evaluate("chip => getComputedStyle(chip).backgroundColor")
        assert color == f"rgb({', '.join(map(str, update.palette[i]))})"
    page.keyboard.press("End")  # the columns stay
    assert page.locator("#center-names th").all_inner_texts() == header


@thorough
def test_the_curve_is_revealed_and_leads_to_half_steps(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    image, k, _ = shown("color")
    expect(page.locator("#curve .here")).to_have_count(0)  # no inertia without assignment
    go(page, first_of(page, "update", 1))
    expect(page.locator("#curve .dot")).to_have_count(4)  # both half-steps of two passes
    go(page, last(page))
    drawn_at = page.locator("#curve .dot").evaluate_all(
        "all => all.map(d => +d.getAttribute('cy'))"
    )
    assert (np.diff(drawn_at) >= 0).all()  # downward: it never rises
    assert len(drawn_at) == len([e for e in one_start(image, k) if isinstance(e, Assign | Update)])
    page.locator("#curve .target").click(position={"x": 6, "y": 60})
    assert position(page) == first_of(page, "assign")
    assert "squared" in page.locator(".panel.curve").inner_text()
    labels = page.locator("#curve").inner_text()
    assert re.search(r"(^|\s)0(\.0)?(\s|$)", labels)  # the axis starts at 0
    page.locator("#zoom").click()
    assert "not from 0" in page.locator("#curve").inner_text()


def test_a_click_on_one_of_the_six_steps_leads_to_it(open_page: Callable[..., Page]) -> None:
    page = open_page("color")
    kinds = page.evaluate("timeline.map((_, at) => { jump(at); return slide().kind; })")
    go(page, 0)
    for step, at in [
        (4, kinds.index("update")),
        (4, kinds.index("update") + 2),
        (2, kinds.index("assign")),  # once, before the first assignment
        (5, kinds.index("assign") + 2),
        (3, kinds.index("assign") + 4),
        (6, len(kinds) - 2),  # the assignment that changes nothing
        (6, len(kinds) - 1),
        (1, 0),
    ]:
        page.locator("#steps button").nth(step - 1).click()
        assert position(page) == at
        assert page.evaluate("stepsOf(slide())").count(step) == 1


@thorough
def test_the_colors_can_be_turned(open_page: Callable[..., Page]) -> None:
    page = open_page("color", reduced_motion="reduce")
    go(page, first_of(page, "update"))
    space = page.locator("#space")
    start = drawn(space)
    box = space.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 90)
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


@thorough
def test_gray_values_are_on_a_line(open_page: Callable[..., Page]) -> None:
    page = open_page("gray")
    expect(page.locator("#reset")).to_be_hidden()
    assert page.locator("#center-names th").nth(1).inner_text() == "gray"
    pictures = page.evaluate(
        "timeline.map((_, at) => { jump(at); return $('space').toDataURL(); })"
    )
    assert len(set(pictures)) > last(page) / 2


@thorough
def test_centers_glide_unless_motion_is_unwelcome(open_page: Callable[..., Page]) -> None:
    counts = []
    for motion in ("no-preference", "reduce"):
        page = open_page("color", reduced_motion=motion)
        go(page, first_of(page, "assign"))
        page.evaluate(
            "window.frames_ = 0; const real = drawColors;"
            "drawColors = Object.assign(() => { frames_++; real(); }, real)"
        )
        press(page, "Next")
        until(lambda page=page: page.evaluate("glide.share") == 1)  # type: ignore[misc]
        counts.append(page.evaluate("frames_"))
    assert counts[0] > counts[1] + 5


# On every screen


def boxes(page: Page, *selectors: str) -> list[FloatRect]:
    found = [page.locator(selector).bounding_box() for selector in selectors]
    return [box for box in found if box is not None]


@thorough
def test_what_one_looks_at_is_on_one_screen(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=6&pixel=3.4", reduced_motion="reduce")
    for width, height in [(1280, 650), (1366, 768), (1440, 780), (1280, 720)]:
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("show()")
        for box in boxes(page, "#stage-0", "#curve > svg", "#distances", "#pixel-note", "#space"):
            assert box["y"] + box["height"] <= height
            assert box["height"] > 10
        expect(page.locator("#distances li")).to_have_count(4)
        assert page.locator("#distances").evaluate("d => d.scrollHeight <= d.clientHeight + 1")
    page.set_viewport_size({"width": 1280, "height": 720})


@thorough
def test_phones(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=6&pixel=3.4", viewport={"width": 844, "height": 390})
    stage, numbers, deck = boxes(page, "#stage-0", "#distances", ".deck")
    assert stage["y"] >= 0  # the picture first
    assert stage["y"] + stage["height"] <= deck["y"]
    assert numbers["y"] < deck["y"] - 100
    page = open_page("color", "step=6&pixel=3.4", viewport={"width": 390, "height": 844})
    stage, numbers, deck = boxes(page, "#stage-0", "#distances", ".deck")
    assert stage["y"] + stage["height"] < numbers["y"] < deck["y"] - 100


@thorough
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_jumps(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page("color", viewport={"width": width, "height": 844 if width < 500 else 720})
    places, cut = page.evaluate(
        """() => {
            const moving = ["#stage-0", "#caption-0", "#pixel", ".tools", ".panel.curve"];
            const holding = ["#summary", "#caption-0", "#now"];
            const [places, cut] = [new Set(), []];
            for (const at of timeline.keys()) {
                jump(at);
                places.add(moving.map((name) => {
                    const { x, y, width } = document.querySelector(name).getBoundingClientRect();
                    return [x, y, width];
                }).join());
                for (const name of holding) {
                    const { scrollHeight, clientHeight } = document.querySelector(name);
                    if (scrollHeight > clientHeight + 2) cut.push([at, name]);
                }
            }
            return [[...places], cut];
        }"""
    )
    assert len(places) == 1
    assert cut == []


@thorough
def test_present_is_for_the_back_row(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=6", viewport={"width": 1920, "height": 1080})
    page.locator("#present").click()
    expect(page.locator("html.present")).to_be_attached()
    until(lambda: bool(page.evaluate("document.fullscreenElement !== null")))
    (stage,) = boxes(page, "#stage-0")
    assert stage["height"] >= 0.6 * 1080
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
            && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
            .filter((e) => e.getClientRects().length && !e.closest(".hidden"))
            .map((e) => [parseFloat(getComputedStyle(e).fontSize), e.textContent])"""
    )
    assert len(sizes) > 10
    assert [text for size, text in sizes if size < 24] == []
    assert page.evaluate("document.documentElement.scrollHeight") <= 1080
    page.keyboard.press("PageDown")
    assert position(page) == 6
    click_pixel(page, 3, 4)
    expect(page.locator("#pixel")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("html.present")).not_to_be_attached()
    page.locator("#present").click()
    page.evaluate("toggleOnly(1)")
    page.keyboard.press("Escape")  # shows all again
    assert page.evaluate("[state.only, state.present]") == [None, True]
    press(page, "Leave")
    expect(page.locator("html.present")).not_to_be_attached()
    for width, height in [(390, 844), (844, 390)]:  # a phone has no room for it
        phone = open_page("color", "present", viewport={"width": width, "height": height})
        expect(phone.locator("html.present")).not_to_be_attached()
        expect(phone.locator("#present")).to_be_hidden()


@thorough
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (820, "light"), (1280, "dark")])
def test_it_fits_the_width(width: int, scheme: str, open_page: Callable[..., Page]) -> None:
    page = open_page(
        "color",
        "vs=dark" if width == 820 else "",
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
        device_scale_factor=2,
    )
    page.locator("#stage-0").hover(position={"x": 9, "y": 9})
    for at in (0, 3, 6, last(page)):
        go(page, at)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        too_wide = (
            "all => all.filter((s) => s.scrollWidth > s.clientWidth + 1).map((s) => s.className)"
        )
        assert page.locator("main section").evaluate_all(too_wide) == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", paper))) < 200
    assert dark == (scheme == "dark")
    canvas = page.locator("#space").evaluate("c => [c.width, c.clientWidth]")
    assert canvas[0] == pytest.approx(2 * canvas[1], abs=3)  # as fine as the screen


@thorough
def test_on_paper_there_are_no_controls(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "step=6&pixel=3.4")
    page.emulate_media(media="print")
    for shown_part in ("#stage-0", "#curve > svg", "#centers", "#distances", "h1"):
        expect(page.locator(shown_part)).to_be_visible()
    for hidden in (".deck", ".tools", "#run-0 .start", "#zoom", "footer"):
        expect(page.locator(hidden)).to_be_hidden()
    page.emulate_media(media="screen")


@thorough
def test_everything_has_a_name(open_page: Callable[..., Page]) -> None:
    page = open_page("color", "vs=dark&step=7")
    tree = page.locator("body").aria_snapshot()
    assert not re.search(
        r"^\s*- (button|slider|radio|combobox|img|application|region)\b(?! \")", tree, re.M
    )
    regions = re.findall(r'^\s*- region "([^"]*)"', tree, re.M)
    assert len(regions) == len(set(regions)) > 6
    assert page.locator("body > :not(header, main, footer, template, script, i)").count() == 0
    for _ in range(34):  # wherever Tab leads, one sees where one is
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


@pytest.mark.parametrize(
    ("locale", "lang"), [("es-MX", None), *dose([], [("fr-FR", None), ("en-US", "es")])]
)
def test_the_language(
    locale: str, lang: str | None, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    image, k, _ = PAGES["color"]
    write_page(image, k, tmp_path / "page.html", lang=lang)
    page = open_page(tmp_path / "page.html", "step=7", locale=locale)
    expected = "en" if locale == "fr-FR" else "es"
    assert page.locator("html").get_attribute("lang") == expected
    assert page.locator("#title").inner_text() == texts(expected)["title"]["other"].format(n=4)
    assert texts(expected)["six.1"] in page.locator("#steps").inner_text()
    press(page, texts("es" if expected == "en" else "en")["language"])
    assert page.locator("#title").inner_text() != texts(expected)["title"]["other"].format(n=4)


@thorough
def test_a_title_stays_text(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    image, k, _ = PAGES["one"]
    path = tmp_path / "evil.html"
    write_page(image, k, path, title=EVIL)
    page = open_page(path)
    expected = EVIL.replace("\udcff", "\N{REPLACEMENT CHARACTER}")
    for found in (page.locator("h1").text_content() or "", page.title()):
        assert found.replace("\udcff", "\N{REPLACEMENT CHARACTER}") == expected
    assert page.locator("img").count() == 0


@thorough
@pytest.mark.skipif(os.name != "posix", reason="elsewhere such names are forbidden")
@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=console.log(1)>",
        "\"'><svg onload=console.log(1)>",
        "{{js}}<script>console.log(1)<!--",
        "\u202e&lt;b&gt;\n\x1b[31m",
    ],
)
def test_a_hostile_file_name_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_page: Callable[..., Page], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(f"{name}.png", PAGES["one"][0])
    assert cli.main([f"{name}.png", "-k", "2", "--explain", "steps.html"]) == 0
    page = open_page(tmp_path / "steps.html")  # which fails at any log and request
    assert page.locator("h1").text_content() == f"{name}.png"
    assert page.locator("img, svg[onload], h1 *").count() == 0
    for at in range(last(page) + 1):
        go(page, at)


@thorough
def test_fewer_colors_than_asked_for(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    image = np.array([[0, 0, 9], [9, 9, 0]], np.uint8)
    with pytest.warns(FewerClustersWarning):
        write_page(image, 4, tmp_path / "few.html")
    page = open_page(tmp_path / "few.html")
    page.keyboard.press("End")
    assert "The picture has only 2 colors" in page.locator("#summary").inner_text()
    expect(page.locator("#centers tr")).to_have_count(2)
    np.testing.assert_array_equal(seen(page)[:, :, 0], image)
    press(page, "New start")
    computed(page)
    assert "The picture has only 2 colors" in page.locator("#summary").inner_text()


@thorough
def test_a_picture_of_one_color(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    write_page(np.full((3, 4, 3), 7, np.uint8), 1, tmp_path / "flat.html")
    page = open_page(tmp_path / "flat.html")
    for at in range(last(page) + 1):
        go(page, at)
    assert (seen(page)[:, :, :3] == 7).all()
    for start in ("draw", "random", "dark", "own"):
        page.locator("#run-0 .start").select_option(start)
