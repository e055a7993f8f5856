"""Rehearsals: exact on coarse points, and a start that hardly depends on the seed."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from doses import dose
from samples import coffee

import kmeans_seg
from kmeans_seg import rehearsals
from kmeans_seg.exact import Floats
from kmeans_seg.fast.counting import distinct_colors
from kmeans_seg.lloyd import nearest_center
from kmeans_seg.rehearsals import CoarsePoints, Round, rehearse
from kmeans_seg.seeding import plusplus


def run(
    points: Floats, k: int, weights: Floats | None = None, seed: int = 0, starts: int = 16
) -> tuple[list[Round | int], Floats]:
    """Return everything that the rehearsals yield, and the centers."""
    events = rehearse(
        points,
        np.ones(len(points)) if weights is None else weights,
        k,
        np.random.default_rng(seed),
        starts=starts,
    )
    yielded: list[Round | int] = []
    while True:
        try:
            yielded.append(next(events))
        except StopIteration as stop:
            centers: Floats = stop.value
            return yielded, centers


def rounds_of(points: Floats, k: int, weights: Floats | None = None) -> list[Round]:
    return [event for event in run(points, k, weights)[0] if isinstance(event, Round)]


def photo() -> tuple[Floats, Floats]:
    """Return the distinct colors of a part of a photo, and their counts."""
    image = coffee()[::2, ::2]
    found = distinct_colors([image.reshape(-1, 3)])
    assert found.counts is not None
    return np.asarray(found.colors, np.float64, order="F"), found.counts


def cases() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(0)
    n = 10_000
    return {
        "photo": photo(),
        "few points": (np.rint(rng.normal(size=(40, 2)) * 50), np.ones(40)),
        "floats": (rng.normal(size=(n, 3)), rng.random(n) + 1e-9),
        "one channel": (np.sort(rng.normal(size=(n, 1)), axis=0), np.ones(n)),
        "24 channels": (rng.normal(size=(n, 24)), rng.integers(1, 2**30, n).astype(np.float64)),
        "300 channels": (rng.normal(size=(2000, 300)), np.ones(2000)),
        "heavy and light": (rng.random((n, 3)) * 1e-60, 10.0 ** rng.uniform(-90, 90, n)),
        "far from zero": (1e9 + rng.random((n, 2)), np.full(n, 0.1)),
    }


CASES = cases()


@pytest.fixture(params=dose(list(CASES)[::3], list(CASES)))
def case(request: pytest.FixtureRequest) -> tuple[Floats, Floats]:
    return CASES[request.param]


def test_coarse_points_are_the_means_of_runs() -> None:
    points, weights = photo()
    most = 3000
    coarse = CoarsePoints(points, weights, most)
    unit = (points.max() - points.min()) / 4000
    size = -(-len(points) // most)
    assert size > 1
    means, total = [], 0.0
    for start in range(0, len(points), size):
        run_weights = weights[start : start + size]
        means.append(np.average(points[start : start + size], axis=0, weights=run_weights))
        total += run_weights.sum()
    found = coarse.as_points(coarse.columns[:-1].T)
    order = np.lexsort(found.T.round(1))
    assert len(found) == len(means) <= most
    expected = np.array(means)
    nearest = nearest_center(expected, found[order])
    assert np.abs(found[order][nearest] - expected).max() < unit


def test_one_pass_is_a_pass_of_lloyd(case: tuple[Floats, Floats]) -> None:
    coarse = CoarsePoints(*case, 4000)
    k, starts = 7, 3
    centers = coarse.draw(k, starts, np.random.default_rng(1))
    assert centers is not None
    for _ in range(dose(1, 3)):
        means, inertias = coarse.one_pass(centers)
        for start in range(dose(1, starts)):
            columns, weights = coarse.columns[:-1].T, coarse.weights
            labels = nearest_center(columns, centers[start])
            squares = np.square(columns - centers[start][labels]).astype(object)
            exact = (squares.sum(axis=1) * weights.astype(object)).sum()
            assert inertias[start] == exact < 2**53
            for cluster in range(k):
                inside = labels == cluster
                if inside.any():
                    total = sum(map(Fraction, weights[inside].tolist()), Fraction(0))
                    for channel in range(columns.shape[1]):
                        terms = columns[inside, channel].astype(object) * weights[inside]
                        mean = Fraction(int(terms.sum())) / total
                        assert abs(Fraction(means[start, cluster, channel]) - mean) <= Fraction(
                            1, 2
                        )
                else:
                    assert (means[start, cluster] == centers[start, cluster]).all()
        centers = means


@pytest.mark.parametrize("k", [1, 20, 100])
def test_a_pass_of_many_starts_is_that_of_each_alone(k: int) -> None:
    coarse = CoarsePoints(*photo(), 4000)
    centers = coarse.draw(k, 16, np.random.default_rng(0))
    assert centers is not None
    means, inertias = coarse.one_pass(centers)
    for start in range(16):
        alone, inertia = coarse.one_pass(centers[start : start + 1])
        assert alone.tobytes() == means[start].tobytes()
        assert inertia == inertias[start]


def test_a_start_is_drawn_as_by_textbook_k_means_plus_plus(case: tuple[Floats, Floats]) -> None:
    coarse = CoarsePoints(*case, 4000)
    for k in (1, 2, 9, 30):
        drawn = coarse.draw(k, 1, np.random.default_rng(k))
        assert drawn is not None
        columns = np.asfortranarray(coarse.columns[:-1].T)
        rng = np.random.default_rng(k)
        drawn_alone = list(plusplus(columns, coarse.weights, k, rng, trials=1))
        assert drawn[0].tolist() == columns[drawn_alone].tolist()


def test_each_phase_drops_the_worst(case: tuple[Floats, Floats]) -> None:
    rounds = rounds_of(case[0], 5, case[1])
    sizes = [len(rounds[0].starts)]
    for before, after in itertools.pairwise(rounds):
        survives = np.isin(before.starts, after.starts)
        kept = np.isin(after.starts, before.starts)
        # With the same labels no other mean is better, rounded or not.
        assert (after.inertias[kept] <= before.inertias[survives]).all()
        if not survives.all():
            assert before.inertias[survives].max() <= before.inertias[~survives].min()
            sizes.append(int(survives.sum()))
        if not kept.all():
            assert after.starts[~kept].min() > before.starts.max()
            sizes.append(len(after.starts))
    # Half of them are dropped, until one is left. It is changed twice: once for two centers,
    # in a copy for each of the 5.
    assert sizes == [16, 8, 4, 2, 1, *[6, 1] * 2]
    assert rounds[0].starts.tolist() == list(range(16))
    one_left = [len(event.starts) == 1 for event in rounds]
    assert sum(one_left) == rehearsals.LAST_PASSES


def test_a_copy_has_one_center_moved() -> None:
    coarse = CoarsePoints(*photo(), 4000)
    centers = coarse.draw(6, 1, np.random.default_rng(0))
    assert centers is not None
    before, _ = coarse.one_pass(centers)
    copies = coarse.changed(before[0], 4, np.random.default_rng(1))
    moved = (copies != before).any(axis=2)
    assert moved.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert len(np.unique(moved.argmax(axis=1))) == 4
    points = {tuple(point) for point in coarse.columns[:-1].T.tolist()}
    assert {tuple(center) for center in copies[moved].tolist()} <= points


def test_the_cheapest_center_is_moved_first() -> None:
    # Two centers share the first group of points, and none has the last.
    points = np.repeat([[0.0], [2.0], [50.0], [99.0], [100.0]], [5, 5, 5, 1, 1], axis=0)
    coarse = CoarsePoints(points, np.ones(len(points)), 4000)
    unit = coarse.columns[0].max() / 100
    centers = np.rint(np.array([[0.0], [2.0], [50.0]]) * unit)
    copies = coarse.changed(centers, 2, np.random.default_rng(0))
    assert copies.shape == (2, 3, 1)
    assert copies[0, 1:].tolist() == centers[1:].tolist()
    assert copies[1, [0, 2]].tolist() == centers[[0, 2]].tolist()
    assert copies[0, 0] in (np.rint(99 * unit), np.rint(100 * unit))
    assert len(coarse.changed(centers[:1], 2, np.random.default_rng(0))) == 0


def photo_arguments(k: int) -> tuple[Floats, int, Floats]:
    points, weights = photo()
    return points, k, weights


def test_the_last_round_leads_to_the_centers() -> None:
    points, k, weights = photo_arguments(6)
    events, centers = run(points, k, weights)
    last = events[-1]
    assert isinstance(last, Round)
    result = kmeans_seg.kmeans(points, k, weights=weights, init=centers)
    assert np.abs(result.centers - last.centers[0]).max() < 10
    assert result.inertia == pytest.approx(last.inertias[0], rel=0.05)


@pytest.mark.parametrize("exponent", [-60, -3, 40])
def test_the_unit_follows_the_points(exponent: int) -> None:
    points, k, weights = photo_arguments(5)
    scale = 2.0**exponent
    plain, scaled = run(points, k, weights), run(points * scale, k, weights / scale)
    assert (plain[1] * scale).tolist() == scaled[1].tolist()
    for one, other in zip(plain[0], scaled[0], strict=True):
        assert isinstance(one, Round)
        assert isinstance(other, Round)
        assert (one.inertias * scale).tolist() == other.inertias.tolist()


def test_few_distinct_points_leave_the_choice_to_k_means_plus_plus() -> None:
    points = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]], 4, axis=0)
    events, centers = run(points, 5)
    assert all(isinstance(event, int) for event in events)
    assert len(events) == len(np.unique(centers, axis=0)) == 3
    # Beside the farthest point all others are one coarse point.
    far = np.append(np.arange(20.0), 1e12)[:, np.newaxis]
    events, centers = run(far, 4)
    assert len(np.unique(centers)) == 4


def test_more_centers_are_left_to_k_means_plus_plus() -> None:
    points, weights = photo()
    k = rehearsals.MOST_CENTERS
    assert isinstance(run(points, k, weights, starts=2)[0][0], Round)
    events, centers = run(points, k + 1, weights)
    assert all(isinstance(event, int) for event in events)
    assert len(centers) == k + 1


def test_the_smallest_cases() -> None:
    assert run(np.array([[3.0, 4.0]]), 1)[1].tolist() == [[3.0, 4.0]]
    assert run(np.array([[3.0], [5.0]]), 1, starts=1)[1].tolist() == [[4.0]]
    assert run(np.array([[3.0], [5.0]]), 2)[1].ravel().tolist() in ([3.0, 5.0], [5.0, 3.0])


def test_nothing_is_changed_and_the_seed_decides() -> None:
    points, k, weights = photo_arguments(6)
    points.flags.writeable = weights.flags.writeable = False
    first, second, other = (run(points, k, weights, seed)[0][0] for seed in (1, 1, 2))
    for event in (first, second, other):
        assert isinstance(event, Round)
    assert first.centers.tolist() == second.centers.tolist()  # type: ignore[union-attr]
    assert first.centers.tolist() != other.centers.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("k", dose([12], [6, 12]))
def test_rehearsed_starts_end_nearer_the_best(k: int) -> None:
    points, weights = photo()
    single = [
        kmeans_seg.kmeans(points, k, weights=weights, init="k-means++", rng=s).inertia
        for s in range(8)
    ]
    rehearsed = [
        kmeans_seg.kmeans(points, k, weights=weights, init=run(points, k, weights, s)[1]).inertia
        for s in range(8)
    ]
    least = min(*single, *rehearsed)
    assert np.mean(rehearsed) - least < (np.mean(single) - least) / 2
