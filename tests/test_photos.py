"""Real photos: results that do not change unnoticed, nor with the place of the pixels."""

import functools
import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray
from samples import coffee, sample

from kmeans_seg import Segmentation, kmeans_plusplus, lloyd, read, segment
from kmeans_seg.lloyd import nearest_center
from kmeans_seg.strategies import STRATEGIES

Image = NDArray[Any]


class Golden(NamedTuple):
    """A photo, and the labels of `segment(photo, 8)`; SHA-256 of the bytes.

    `labels` are those of one draw by k-means++, `best` those of the default.
    """

    load: Callable[[], Image]
    pixels: str
    labels: str
    best: str


# A change here is a change of results: a decision, to be explained in the change log.
PHOTOS = {
    "china": Golden(
        lambda: read(sample("sklearn", "datasets/images/china.jpg")),
        "e701459344fd69797154c91add3bb5d70e5ed1a61d8bed889bab3a796104698d",
        "878470420e407e5315e74401fabee80cbbe56fb25f51baa87f00d60c2e50b0d9",
        "f8b0449b76940be02b81a3787e69c79fb78f8a7bbda7fb8b3ba43e55bc50fbc8",
    ),
    "flower": Golden(
        lambda: read(sample("sklearn", "datasets/images/flower.jpg")),
        "3202904ed246795bf616c66d7859cd7c6080eff736c6e38dc5cc62779742033f",
        "051deed8124834d4851788539bd202c84d73e0176ab8bd2c9d8da85e2fc91a03",
        "79397dffeb396f01dd4b85347301adf5644049da5306bbf0508cf16dac9ffe88",
    ),
    "astronaut": Golden(
        lambda: read(sample("skimage", "data/astronaut.png")),
        "a8c429c18afa7b0fd5673e598d73a21225d94c864a71bbb3885126fdecb41071",
        "bccee5b6e0211243fab7a181e60387bf608957de623c7e4c5032da09b0a5842f",
        "f8b836d91e284159393fc623a40e7c29c34021e98b807d031afbfd9fa6efbee8",
    ),
    "coffee": Golden(
        lambda: read(sample("skimage", "data/coffee.png")),
        "0ce2b51640b9c95f19617f03eabf40c3f0368589cc1ee1190b70966165ac184f",
        "fc555bdd06ba8b27ab60d0ec5f9a53108f184ecbac7b6b40c00c6a09f294730c",
        "fc555bdd06ba8b27ab60d0ec5f9a53108f184ecbac7b6b40c00c6a09f294730c",
    ),
    "camera": Golden(
        lambda: read(sample("skimage", "data/camera.png")),
        "5cb24482a53416f99052258be2b1ee38cd31c559a70c8a8b321cba231b332e21",
        "9dbe50c672d861d02dc7fce25e99c2bd3cbd314b02f95d1482d5e69f0cee93a2",
        "5285c7d8441ac415fc677431cb4963199204a93c7a70d9d3701feb7915485511",
    ),
    # Of the package itself, so that they are always there.
    "small": Golden(
        lambda: coffee()[:, :320],
        "eae0201bcdce488a715096ea57075ac185a36bdb7496b58368c247c5bc98f9c9",
        "3fbe1196d74258fb284fa26ff8ba353cd0cb7309c329be3fea2f1c53474a4377",
        "92b5f1a2f1d39b0994afbe884292affe52d457678db3f634c57ba8695eb8a3f9",
    ),
    "small and gray": Golden(
        lambda: coffee()[..., 1],
        "66749cc1e0aaaf2ad027b91f9b8cc277ca3bd1d7cb209569990abd89febe308d",
        "77c352c081a84e7e2ac40f6102c43950b913a303e65c28c4ecdeaae15a423141",
        "87d2a81963811a872a006548f9d62099466f4cfaa8ee19fafd5362ab850d4f1e",
    ),
}


@functools.cache
def photo(name: str) -> Image:
    image = np.ascontiguousarray(PHOTOS[name].load())
    image.flags.writeable = False
    return image


@functools.cache  # several tests look at the same result
def segmented(name: str, strategy: str, init: str = "k-means++") -> Segmentation:
    return segment(photo(name), 8, init=init, strategy=strategy)


def sha256(array: Image) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


# The plain strategy takes its time on large photos.
RUNS = [
    (name, strategy)
    for name in PHOTOS
    for strategy in STRATEGIES
    if strategy != "plain" or name in dose(["small and gray"], list(PHOTOS))
]


@pytest.mark.parametrize(("name", "strategy"), RUNS)
def test_the_labels_are_the_ones_we_know(name: str, strategy: str) -> None:
    assert sha256(photo(name)) == PHOTOS[name].pixels, "it is the photo that is another one"
    assert sha256(segmented(name, strategy).labels.astype("<i4")) == PHOTOS[name].labels
    best = segmented(name, strategy, "auto")
    assert sha256(best.labels.astype("<i4")) == PHOTOS[name].best
    assert best.inertia <= segmented(name, strategy).inertia


@pytest.mark.parametrize(("name", "strategy"), RUNS)
def test_everything_belongs_together(name: str, strategy: str) -> None:
    image, result = photo(name), segmented(name, strategy)
    pixels = image.reshape(result.labels.size, -1).astype(np.int64)
    labels = result.labels.ravel()
    assert result.converged
    np.testing.assert_array_equal(result.predict(image), result.labels)
    np.testing.assert_array_equal(result.counts, np.bincount(labels, minlength=8))
    np.testing.assert_array_equal(
        result.painted, result.palette[result.labels].reshape(image.shape)
    )

    gaps = np.full(labels.size, np.inf)
    nearest = np.zeros(labels.size, int)
    for index, center in enumerate(result.centers):
        distances = np.square(pixels - center).sum(axis=1)
        nearest[distances < gaps] = index
        np.minimum(gaps, distances, out=gaps)
        total = pixels[labels == index].sum(axis=0).tolist()
        assert center.tolist() == [float(Fraction(t, int(result.counts[index]))) for t in total]
    np.testing.assert_array_equal(labels, nearest)
    assert result.inertia == pytest.approx(gaps.sum(), rel=1e-12)


REARRANGEMENTS: dict[str, Callable[[Image], Image]] = {
    "transposed": lambda image: image.swapaxes(0, 1),
    "upside down": lambda image: image[::-1],
    "mirrored": lambda image: image[:, ::-1],
    "shuffled": lambda image: (
        np.random.default_rng(0)
        .permutation(image.reshape(-1, *image.shape[2:]))
        .reshape(image.shape)
    ),
}


@pytest.mark.parametrize("how", REARRANGEMENTS)
@pytest.mark.parametrize("name", dose(["small", "small and gray"], list(PHOTOS)))
def test_a_rearranged_photo_has_rearranged_labels(name: str, how: str) -> None:
    rearrange = REARRANGEMENTS[how]
    expected = segmented(name, "plain", "auto")
    result = segment(rearrange(photo(name)), 8)
    np.testing.assert_array_equal(result.labels, rearrange(expected.labels))
    np.testing.assert_array_equal(result.centers, expected.centers)
    assert result.inertia == expected.inertia
    assert result.n_iter == expected.n_iter


@pytest.mark.parametrize("how", REARRANGEMENTS)
def test_that_holds_in_lab_too(how: str) -> None:
    image, rearrange = photo(dose("small", "flower"))[::2, ::2], REARRANGEMENTS[how]
    expected = segment(image, 5, space="lab")
    result = segment(rearrange(image), 5, space="lab")
    np.testing.assert_array_equal(result.labels, rearrange(expected.labels))
    np.testing.assert_array_equal(result.centers, expected.centers)


@pytest.mark.parametrize(
    ("name", "k"), dose([("small", 40)], [("flower", 8), ("flower", 40), ("camera", 64)])
)
@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "plain"])
def test_every_step_assigns_to_the_nearest(name: str, k: int, strategy: str) -> None:
    image = photo(name)
    colors, counts = np.unique(
        image.reshape(image.shape[0] * image.shape[1], -1), axis=0, return_counts=True
    )
    start = kmeans_plusplus(colors, k, weights=counts)
    some = colors[::37].astype(np.float64)
    for step in lloyd(colors, start, weights=counts, strategy=strategy):
        np.testing.assert_array_equal(step.labels[::37], nearest_center(some, step.centers))


def test_the_inertia_of_a_photo_never_rises() -> None:
    costs: list[float] = []
    image = photo(dose("small", "coffee"))
    segment(image, 8, init="k-means++", callback=lambda step: costs.append(step.inertia))
    assert len(costs) > 20
    assert costs == sorted(costs, reverse=True)
