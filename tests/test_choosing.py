"""Choosing k: known clusters are found, none are where there are none, and nothing is lost."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import FewerClustersWarning, choose_k, segment
from kmeans_seg.choosing import left, silhouette

Image = NDArray[np.uint8]


def blobs(k: int, *, channels: int = 3, apart: float = 8, uneven: bool = False) -> Image:
    """Make an image of k round clusters of colors, their centers well apart."""
    rng = np.random.default_rng(0)
    deviation = 6 if channels > 1 else 3
    while True:
        centers = rng.uniform(25, 230, (k, channels))
        gaps = np.linalg.norm(centers[:, np.newaxis] - centers, axis=2)[np.triu_indices(k, 1)]
        if (gaps > apart * deviation).all():
            break
    shares = np.linspace(1, 8, k) if uneven else np.ones(k)
    labels = rng.choice(k, 10_000, p=rng.permutation(shares / shares.sum()))
    colors = centers[labels] + rng.normal(0, deviation, (10_000, channels))
    return colors.round().clip(0, 255).astype(np.uint8).reshape(100, 100, channels)


@pytest.mark.parametrize("k", dose([5], [2, 3, 5, 7]))
@pytest.mark.parametrize("options", [{}, {"uneven": True}, {"channels": 1, "apart": 7}], ids=str)
def test_known_clusters_are_found(k: int, options: dict[str, Any]) -> None:
    image = blobs(k, **options)
    choice = choose_k(image, range(2, 10))
    assert choice.k == k
    assert f"k={k}" in choice.reason
    assert choice.evenness[k - 2] <= 0.85
    assert (np.diff(choice.inertias) < 0).all()


RNG = np.random.default_rng(1)
LINE = RNG.random((80, 90, 1)) * [200, 150, 90]
STRUCTURELESS = {
    "a cube": RNG.integers(0, 256, (80, 90, 3)),
    "a ball": RNG.normal(128, 30, (80, 90, 3)).clip(0, 255),
    "a line": (LINE + RNG.normal(0, 4, (80, 90, 3))).clip(0, 255),
    "a ramp": np.linspace(0, 255, 7200).reshape(80, 90),
    "gray noise": RNG.normal(128, 30, (80, 90)).clip(0, 255),
}


@pytest.mark.parametrize("name", dose(list(STRUCTURELESS)[:2], list(STRUCTURELESS)))
def test_none_are_found_where_there_are_none(name: str) -> None:
    choice = choose_k(STRUCTURELESS[name].astype(np.uint8))
    assert choice.k is None
    assert "no k to recommend" in choice.reason
    with pytest.raises(ValueError, match="say which k"):
        choice.segment()


@pytest.mark.parametrize(
    "options",
    dose(
        [{"space": "lab", "position": 0.5, "rng": 3}],
        [{}, {"space": "lab"}, {"normalize": True, "rng": 3}, {"position": 0.5}],
    ),
    ids=str,
)
def test_it_segments_as_segment_does(options: dict[str, Any]) -> None:
    image = blobs(4)
    choice = choose_k(image, [3, 6], **options)
    for k in (6, 3):
        result, expected = choice.segment(k), segment(image, k, **options)
        np.testing.assert_array_equal(result.labels, expected.labels)
        np.testing.assert_array_equal(result.centers, expected.centers)
        assert result.inertia == expected.inertia
    np.testing.assert_array_equal(choice.segment(6).labels, segment(image, 6, **options).labels)


def test_the_scores_are_those_of_the_definitions() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    image = blobs(3)[:40, :40]
    choice = choose_k(image, [2, 3, 4])
    for k, inertia, score in zip(choice.ks, choice.inertias, choice.calinski_harabasz, strict=True):
        result = segment(image, k)
        pixels, labels = image.reshape(-1, 3), result.labels.ravel()
        # The coarse points are few, so the scores are close, not equal.
        assert inertia == pytest.approx(result.inertia, rel=0.05)
        assert score == pytest.approx(metrics.calinski_harabasz_score(pixels, labels), rel=0.05)


def test_the_silhouette_by_hand() -> None:
    points, centers = np.array([[0.0], [1.0], [10.0]]), np.array([[0.0], [10.0]])
    found = silhouette(points, np.array([1.0, 1.0, 2.0]), centers)
    assert found == pytest.approx((1 + (1 - 1 / 9) + 2) / 4)


def test_what_evenly_spread_data_leave() -> None:
    assert left(1, 2) == 1
    assert [left(k, 1) for k in (2, 3)] == pytest.approx([1 / 4, 1 / 4 * 3 / 8])
    # k equal parts of a line leave 1 / k² of its inertia: the formula is a rough one.
    for k in (2, 3, 4, 5):
        assert 0.6 < left(k, 1) * k**2 <= 1


def test_the_ks_may_have_gaps_and_any_order() -> None:
    image = blobs(4)
    choice = choose_k(image, [8, 4, 2, 4])
    assert choice.ks == (2, 4, 8)
    assert choice.k == 4


def test_it_shows_as_a_table_and_a_plot() -> None:
    choice = choose_k(blobs(3), range(2, 6))
    lines = repr(choice).splitlines()
    assert len(lines) == 6
    assert lines[2].endswith("<-")
    assert lines[2].split()[0] == "3"
    html = choice._repr_html_()
    assert html.count("<tr>") == 5
    assert "<svg" in html
    assert "<th>3</th>" in html


def test_few_colors() -> None:
    image = np.array([[0, 9, 0, 9, 5]], np.uint8)
    with pytest.warns(FewerClustersWarning, match="only 3 distinct colors"):
        choice = choose_k(image, [2, 3, 4])
    assert choice.ks == (2, 3)
    with pytest.warns(FewerClustersWarning, match="only 3 distinct colors"):
        assert choose_k(image).ks == (2, 3)  # the default goes beyond the number of pixels
    with pytest.warns(FewerClustersWarning, match="there is one color"):
        choice = choose_k(np.full((4, 4), 7, np.uint8), [2, 3])
    assert (choice.ks, choice.k) == ((), None)
    assert "one color" in choice.reason
    assert "one color" in repr(choice)
    assert choice._repr_html_()


@pytest.mark.parametrize(
    ("ks", "error", "said"),
    [
        ([], ValueError, "at least 2"),
        ([1, 2], ValueError, "at least 2"),
        ([2.5], TypeError, "integers"),
        (3, TypeError, "integers"),
    ],
)
def test_wrong_ks(ks: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        choose_k(np.arange(20).reshape(4, 5), ks)


def test_a_mask_and_alpha_count() -> None:
    image = blobs(3)
    mask = np.zeros(image.shape[:2], np.bool_)
    mask[:50] = True
    noise = np.random.default_rng(0).integers(0, 256, image.shape).astype(np.uint8)
    mixed = np.where(mask[..., np.newaxis], image, noise)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choice = choose_k(mixed, range(2, 6), mask=mask)
    assert choice.k == 3
    assert (choice.segment().labels[50:] == -1).all()
    alpha = np.where(mask, 200, 100)[..., np.newaxis].astype(np.uint8)
    other = choose_k(np.dstack((mixed, alpha)), range(2, 6), alpha_threshold=100)
    np.testing.assert_array_equal(other.segment().labels, choice.segment().labels)


def test_a_choice_can_be_sent_to_another_process() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    for kind in (image, image / 255):
        choice = choose_k(kind, [2, 3])
        sent = pickle.loads(pickle.dumps(choice))
        np.testing.assert_array_equal(sent.segment(2).labels, choice.segment(2).labels)
