"""The page's own k-means in JavaScript finds what the library finds, pass for pass, to the bit."""

from importlib import resources
from typing import Any

import numpy as np
import pytest
from chromium import browser  # noqa: F401
from doses import dose
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from samples import coffee

from kmeans_seg import kmeans_plusplus, lloyd
from kmeans_seg.features import SPACES
from kmeans_seg.segmentation import as_pixels, segment
from kmeans_seg.teaching import Assign, Done, trace
from kmeans_seg.teaching.preview import preview

Points = NDArray[np.float64]

RUN = """([points, centers, whole]) => {
    const run = whole ? kmeans(points, centers, whole === "raw" ? channelMean : luma)
        : lloyd(points, centers);
    return [...run].map(({ labels, ...step }) => ({ ...step, labels: [...labels] }));
}"""


@pytest.fixture(scope="module")
def twin(browser: Browser) -> Page:  # noqa: F811
    page = browser.new_page()
    code = resources.files("kmeans_seg.teaching") / "web" / "kmeans.js"
    page.add_script_tag(content=code.read_text(encoding="utf-8"))
    return page


def run_of(
    twin: Page, points: Points, centers: Points, whole: str | None = None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = twin.evaluate(
        RUN, [points.ravel().tolist(), centers.tolist(), whole]
    )
    return found


def check_lloyd(twin: Page, points: Points, centers: Points) -> int:
    """Compare every pass of the loop; return their number."""
    steps = [*lloyd(points, centers)]
    found = run_of(twin, points, centers)
    assert [step["pass"] for step in found] == [step.iteration for step in steps]
    for ours, step in zip(found, steps, strict=True):
        np.testing.assert_array_equal(ours["centers"], step.centers)
        np.testing.assert_array_equal(ours["labels"], step.labels)
        assert ours["changed"] == step.reassigned.size
    return len(steps)


def photo(width: int) -> NDArray[np.uint8]:
    return preview(coffee(), width)


@pytest.mark.parametrize("k", dose([8], [3, 40]))
@pytest.mark.parametrize("gray", dose([False], [False, True]))
def test_the_passes_on_a_photo(k: int, gray: bool, twin: Page) -> None:
    image = photo(dose(24, 120))
    points = as_pixels(image[..., 1] if gray else image).astype(float)
    assert check_lloyd(twin, points, kmeans_plusplus(points, k)) > 1


def test_ties_and_empty_clusters_on_tiny_grids(twin: Page) -> None:
    rng = np.random.default_rng(0)
    ties = refilled = 0
    for _ in range(dose(150, 700)):
        channels = int(rng.choice([1, 3]))
        points = rng.integers(0, rng.integers(2, 9), (rng.integers(1, 13), channels)).astype(float)
        k = int(rng.integers(1, min(6, len(points)) + 1))
        # Whole and half coordinates, some far outside, make ties and empty clusters.
        centers = rng.integers(-4, 20, (k, channels)) / 2
        check_lloyd(twin, points, centers)
        squared = np.square(points[:, np.newaxis] - centers).sum(axis=2)
        nearest = squared.min(axis=1, keepdims=True)
        ties += bool(((squared == nearest).sum(axis=1) > 1).any())
        refilled += len(set(squared.argmin(axis=1))) < k
    assert ties > 20
    assert refilled > 30


def check_trace(twin: Page, image: NDArray[np.uint8], k: int, space: str, init: Points) -> int:
    """Compare a whole run with its trace; return how often it changed its order."""
    records = [*trace(image, k, space=space, init=init)]
    assigns = [record for record in records if isinstance(record, Assign)]
    found = run_of(twin, as_pixels(image).astype(float), init, space)
    # After a new order that reassigns nothing, the trace does not repeat the pass.
    orders = [step["names"] for step in found]
    told = [s for i, s in enumerate(found) if s["changed"] or i == 0 or orders[i] == orders[i - 1]]
    assert len(told) == len(assigns)
    for ours, record in zip(told, assigns, strict=True):
        names = np.array(ours["names"])
        np.testing.assert_array_equal(np.array(ours["centers"])[names.argsort()], record.centers)
        np.testing.assert_array_equal(names[ours["labels"]], record.labels.ravel())
        assert ours["pass"] == record.iteration
        assert ours["changed"] == record.changed.sum()
    done = records[-1]
    assert isinstance(done, Done)
    last = found[-1]
    used = np.unique(last["labels"])
    np.testing.assert_array_equal(np.array(last["centers"])[used], done.result.centers)
    np.testing.assert_array_equal(np.searchsorted(used, last["labels"]), done.result.labels.ravel())
    np.testing.assert_array_equal(np.array(last["names"])[used], done.order)
    return len({tuple(order) for order in orders}) - 1


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
def test_the_order_from_dark_to_light(twin: Page) -> None:
    rng = np.random.default_rng(1)
    reordered = 0
    for number in range(dose(60, 500)):
        shape = (2, 4, 3) if number % 2 else (2, 4)
        image = rng.integers(0, 6, shape).astype(np.uint8)
        space = ["rgb", "raw"][number // 2 % 2]
        init = SPACES[space].to_points(rng.permutation(as_pixels(image))[: rng.integers(1, 5)])
        reordered += check_trace(twin, image, len(init), space, init) > 0
    assert reordered > 20
    image = photo(60)
    check_trace(twin, image, 4, "rgb", segment(image, 4).centers[::-1].round())


def test_draws_follow_the_distances(twin: Page) -> None:
    points = [0, 0, 3, 4]  # after 0: chances 9/25 and 16/25; the two equal points once
    drawn = twin.evaluate(
        """([points, times]) => {
            const random = randomNumbers(1);
            return Array.from({ length: times }, () => [...plusPlus(points, 1, 3, random)]);
        }""",
        [points, 4000],
    )
    first = np.bincount([d[0] for d in drawn], minlength=4) / len(drawn)
    np.testing.assert_allclose(first, 0.25, atol=0.03)
    after_zero = np.array([d[1] for d in drawn if d[0] in (0, 1)])
    assert set(after_zero.tolist()) == {2, 3}
    assert np.mean(after_zero == 3) == pytest.approx(16 / 25, abs=0.03)
    assert all(len({points[i] for i in d}) == 3 for d in drawn)
