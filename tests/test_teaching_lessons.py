"""Every lesson comes out as it was worked out by hand."""

from typing import Any

import numpy as np
import pytest

from kmeans_seg import ConvergenceWarning, FewerClustersWarning, segment
from kmeans_seg.colorspace import srgb_to_lab
from kmeans_seg.lloyd import nearest_center, squared_distance, squared_distances
from kmeans_seg.teaching import Assign, Done, Update
from kmeans_seg.teaching.lessons import (
    LESSONS,
    Case,
    bad_start,
    empty_cluster,
    lab_or_rgb,
    long_tail,
    squared_distances_wrapped,
    tie,
    wrap_around,
)


def cases() -> list[Any]:
    found = []
    for name, lesson in LESSONS.items():
        outcome = lesson()
        several = outcome if isinstance(outcome, tuple) else (outcome,)
        found += [pytest.param(case, id=f"{name}-{i}") for i, case in enumerate(several)]
    return found


@pytest.mark.parametrize("case", cases())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_comes_out_as_worked_by_hand(case: Case) -> None:
    result = case.segment()
    np.testing.assert_array_equal(result.labels, case.labels)
    assert result.inertia == pytest.approx(case.inertia, abs=0.005)
    assert result.n_iter == case.n_iter
    *_, done = case.trace()
    assert isinstance(done, Done)
    np.testing.assert_array_equal(done.result.labels, case.labels)


def test_lessons_are_small_and_explained() -> None:
    for lesson in LESSONS.values():
        assert lesson.__doc__ is not None
        assert ">>>" in lesson.__doc__
        outcome = lesson()
        for case in outcome if isinstance(outcome, tuple) else (outcome,):
            assert case.labels.size <= 9


def test_a_careful_start_finds_the_best_pairs() -> None:
    bad, good = bad_start()
    assert bad.image is good.image
    best = [segment(good.image, 3, rng=seed).inertia for seed in range(100)]
    assert best.count(1.5) >= 95
    drawn = [segment(good.image, 3, rng=seed, init="random").inertia for seed in range(100)]
    assert drawn.count(1.5) < 80


def test_the_chance_of_a_start_as_bad() -> None:
    distances = squared_distance(bad_start()[0].image.T.astype(float), np.zeros(1))
    assert distances.tolist() == [0, 1, 100, 121, 400, 441]
    assert distances.sum() == 1063


def test_the_rescue_is_seen_in_the_trace() -> None:
    first, update, last, _ = empty_cluster().trace()
    assert isinstance(first, Assign)
    assert isinstance(update, Update)
    assert isinstance(last, Assign)
    assert first.centers.ravel().tolist() == [0, 9]  # not 100
    assert update.after.ravel().tolist() == [0.5, 8.5]
    assert not last.changed.any()


def test_the_tie_is_one() -> None:
    for case in tie():
        centers = np.array(case.options["init"], float)
        points = case.image.T.astype(float)
        distances = squared_distances(points, centers)
        assert distances[1].tolist() == [4, 4]
        assert nearest_center(points, centers)[1] == 0


def test_what_wraps_around_goes_wrong() -> None:
    pixels = wrap_around().image.T
    centers = np.array([[0], [255]], np.uint8)
    wrong = squared_distances_wrapped(pixels, centers).argmin(axis=1)
    right = nearest_center(pixels.astype(float), centers.astype(float))
    assert wrong.tolist() == [0, 0, 1]
    assert right.tolist() == wrap_around().labels[0].tolist() == [0, 1, 1]


def test_rgb_and_lab_disagree() -> None:
    rgb, lab = lab_or_rgb()
    cyan, light, green = rgb.image[0].astype(float)
    assert squared_distance(light, cyan) == 8065
    assert squared_distance(light, green) == 36737
    cyan, light, green = srgb_to_lab(rgb.image[0] / 255)
    assert round(float(squared_distance(light, cyan))) == 5017
    assert round(float(squared_distance(light, green))) == 922
    assert lab.options["space"] == "lab"


def test_the_tail_pays() -> None:
    stopped, finished = long_tail()
    with pytest.warns(ConvergenceWarning):
        cut = stopped.segment()
    assert cut.inertia / finished.segment().inertia > 24
    inertias = [record.inertia for record in finished.trace() if isinstance(record, Assign)]
    assert np.round(inertias, 1).tolist() == [5323, 1116, 1013.1, 982.5, 525.4, 40.7]
    assert 0.03 <= 1 - inertias[3] / inertias[2] < 0.035


def test_fewer_colors_than_segments_warn() -> None:
    lesson = LESSONS["fewer_colors"]()
    assert isinstance(lesson, Case)
    with pytest.warns(FewerClustersWarning):
        records = list(lesson.trace())
    assert [type(record) for record in records] == [Assign, Update, Assign, Done]
