"""k-means on points: runs, warnings, and a result in which everything belongs together."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import (
    Clustering,
    ConvergenceWarning,
    FewerClustersWarning,
    Step,
    kmeans,
    kmeans_plusplus,
    lloyd,
    segment,
)
from kmeans_seg.exact import Floats
from kmeans_seg.fast.clusters import PrunedClusters
from kmeans_seg.lloyd import nearest_center

Points = NDArray[Any]


def cloud(n: int = 300, channels: int = 3, seed: int = 0, values: int = 256) -> Points:
    return np.random.default_rng(seed).integers(0, values, (n, channels))


def assert_same(one: Clustering, other: Clustering) -> None:
    for field in dataclasses.fields(Clustering):
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name
        )


def assert_belongs_together(
    result: Clustering, points: Points, weights: Points | None = None
) -> None:
    np.testing.assert_array_equal(result.labels, nearest_center(points * 1.0, result.centers))
    np.testing.assert_array_equal(
        result.weights, np.bincount(result.labels, weights, len(result.centers))
    )
    gaps = np.square(points - result.centers[result.labels]).sum(axis=1)
    total = gaps.sum() if weights is None else gaps @ weights
    assert result.inertia == pytest.approx(total, rel=1e-12)
    assert result.centers.dtype == np.float64
    assert result.labels.dtype == np.int32
    assert result.weights.dtype == np.float64


def test_an_example_worked_by_hand(strategy: str) -> None:
    result = kmeans([[1], [2], [9], [11], [13]], 2, init=[[1], [2]], strategy=strategy)
    # 1 | 2 9 11 13 → centers 1, 8.75 → 1 2 | 9 11 13 → centers 1.5, 11 → the same
    assert result.centers.tolist() == [[1.5], [11]]
    assert result.labels.tolist() == [0, 0, 1, 1, 1]
    assert result.weights.tolist() == [2, 3]
    assert result.inertia == 0.25 + 0.25 + 4 + 0 + 4
    assert result.n_iter == 3
    assert result.converged is True


def test_it_goes_by_the_book(strategy: str) -> None:
    for seed in range(dose(8, 20)):
        points = cloud(60, 2, seed, values=20)
        init = kmeans_plusplus(points, 6, rng=seed)
        *_, last = oracle.lloyd(points.tolist(), init.tolist())
        result = kmeans(points, 6, init="k-means++", rng=seed, strategy=strategy)
        assert result.labels.tolist() == last.labels
        assert result.centers.tolist() == [list(center) for center in last.centers]


@pytest.mark.parametrize("init", ["auto", "k-means++", "random"])
@pytest.mark.parametrize("channels", [1, 3, 12])
def test_rearranging_the_points_rearranges_the_labels(
    init: str, channels: int, strategy: str
) -> None:
    rng = np.random.default_rng(channels)
    points = rng.integers(0, 40, (400, channels)) / 7
    points[::9] = points[0]  # equal points, of different weights
    weights = rng.random(400) + 0.1
    order = rng.permutation(400)
    one = kmeans(points, 5, weights=weights, init=init, strategy=strategy)
    other = kmeans(points[order], 5, weights=weights[order], init=init, strategy=strategy)
    assert_same(other, dataclasses.replace(one, labels=one.labels[order]))
    drawn = kmeans_plusplus(points, 5, weights=weights)
    again = kmeans_plusplus(points[order], 5, weights=weights[order])
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_everything_belongs_together(init: str, weighted: bool, k: int, strategy: str) -> None:
    points = cloud(seed=k)
    weights = np.random.default_rng(k).integers(1, 9, 300) if weighted else None
    result = kmeans(points, k, init=init, weights=weights, rng=k, strategy=strategy)
    assert result.converged
    assert len(result.centers) == k
    assert_belongs_together(result, points, weights)


def test_counted_points_are_clustered_like_repeated_ones(strategy: str) -> None:
    points = cloud(80, 2, values=12)
    points = points[np.lexsort(points.T)]
    counts = np.random.default_rng(1).integers(1, 7, 80)
    repeated = points.repeat(counts, axis=0)
    for init in ("k-means++", "random"):
        for seed in range(dose(4, 10)):
            counted = kmeans(points, 5, weights=counts, init=init, rng=seed, strategy=strategy)
            spelled = kmeans(repeated, 5, init=init, rng=seed, strategy=strategy)
            np.testing.assert_array_equal(counted.centers, spelled.centers)
            np.testing.assert_array_equal(counted.labels.repeat(counts), spelled.labels)
            np.testing.assert_array_equal(counted.weights, spelled.weights)
            assert counted.n_iter == spelled.n_iter
            assert counted.inertia == pytest.approx(spelled.inertia, rel=1e-12)


def test_weights_too_small_to_count_beside_others_count_for_their_labels(strategy: str) -> None:
    for init in ("k-means++", "random", [[0.0], [10.0]]):
        result = kmeans([[0], [10]], 2, weights=[1e-300, 1], init=init, strategy=strategy)
        assert sorted(result.centers.ravel()) == [0, 10]
        assert result.centers[result.labels].ravel().tolist() == [0, 10]


@pytest.mark.parametrize("scale", [1e-90, 1e-60, 1e60, 1e89])
@pytest.mark.parametrize("weight", [1e-90, 1.0, 1e90])
def test_points_and_weights_of_any_magnitude(scale: float, weight: float, strategy: str) -> None:
    points = np.array([[0, 0], [1, 0], [0, 1], [7, 7], [7, 8], [8, 7]])
    for seed in range(dose(2, 5)):
        result = kmeans(points * scale, 2, weights=[weight] * 6, rng=seed, strategy=strategy)
        assert result.labels.tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
        first = result.labels.tolist().index(0)
        expected = points[first : first + 3].mean(axis=0) * scale
        np.testing.assert_allclose(result.centers[0], expected, rtol=1e-15)
        assert result.inertia == pytest.approx(8 / 3 * scale**2 * weight, rel=1e-12)


# The argument n_init.

RUGGED = cloud(120, 2, seed=5)


def test_the_run_of_lowest_inertia_is_kept(strategy: str) -> None:
    rng = np.random.default_rng(4)
    single = [kmeans(RUGGED, 9, init="random", rng=rng, strategy=strategy) for _ in range(8)]
    best = min(single, key=lambda result: result.inertia)
    assert len({result.inertia for result in single}) > 1  # or this test tests nothing
    assert_same(kmeans(RUGGED, 9, init="random", n_init=8, rng=4, strategy=strategy), best)


def test_more_runs_are_never_worse() -> None:
    costs = [kmeans(RUGGED, 9, n_init=n, rng=2).inertia for n in range(1, 7)]
    assert costs == sorted(costs, reverse=True)


def test_of_equals_the_first_is_kept() -> None:
    # Two clusters that every run finds, in one order or the other.
    points = [[0], [1], [100], [101]]
    rng = np.random.default_rng(0)
    first = kmeans(points, 2, init="k-means++", rng=rng)
    others = (kmeans(points, 2, init="k-means++", rng=rng) for _ in range(10))
    orders = {tuple(other.labels.tolist()) for other in others}
    assert len(orders) == 2
    for n_init in range(2, 12):
        assert_same(kmeans(points, 2, init="k-means++", n_init=n_init, rng=0), first)


def test_given_centers_are_run_once() -> None:
    steps: list[Step] = []
    result = kmeans(RUGGED, 3, init=RUGGED[:3], n_init=5, callback=steps.append)
    assert len(steps) == result.n_iter


# The argument init, as an array.


def test_given_centers_keep_their_order(strategy: str) -> None:
    points = [[0], [1], [50], [51], [100], [101]]
    for order in ([0, 50, 100], [100, 50, 0], [50, 0, 100]):
        result = kmeans(points, 3, init=[[value] for value in order], strategy=strategy)
        assert result.centers.ravel().tolist() == [value + 0.5 for value in order]


def test_given_centers_are_not_changed() -> None:
    init = np.array([[0.0], [1.0]])
    init.flags.writeable = False
    with pytest.warns(ConvergenceWarning):
        result = kmeans([[0], [5], [9]], 2, init=init, max_iter=1)
    assert init.tolist() == [[0], [1]]
    assert not np.shares_memory(result.centers, init)


def test_for_given_centers_the_random_generator_is_not_asked() -> None:
    rng = np.random.default_rng(0)
    kmeans(cloud(), 3, init=cloud()[:3], rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_its_own_centers_given_again_stay_where_they_are(strategy: str) -> None:
    result = kmeans(cloud(), 6, strategy=strategy)
    again = kmeans(cloud(), 6, init=result.centers, strategy=strategy)
    np.testing.assert_array_equal(again.labels, result.labels)
    np.testing.assert_array_equal(again.centers, result.centers)
    assert again.n_iter == 2  # one that assigns, one that finds nothing to reassign


# The argument rng, as SPEC 7 has it.


def test_the_same_call_gives_the_same_answer() -> None:
    assert_same(kmeans(cloud(), 5), kmeans(cloud(), 5))
    assert_same(kmeans(cloud(), 5), kmeans(cloud(), 5, rng=0))
    assert_same(kmeans(cloud(), 5), kmeans(cloud(), 5, rng=np.random.default_rng(0)))


def test_a_generator_goes_on() -> None:
    rng = np.random.default_rng(0)
    one, other = (kmeans(cloud(), 5, rng=rng) for _ in range(2))
    assert not np.array_equal(one.centers, other.centers)


def test_none_is_a_fresh_seed() -> None:
    found = {kmeans(cloud(), 5, rng=None).centers.tobytes() for _ in range(5)}
    assert len(found) > 1


def only_warning(action: Any) -> tuple[Clustering, warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    (warning,) = caught
    return result, warning


# Giving up.


def test_every_pass_but_the_last_leaves_it_unconverged(strategy: str) -> None:
    points = cloud()
    whole = kmeans(points, 7, init="k-means++", strategy=strategy)
    steps = list(lloyd(points, kmeans_plusplus(points, 7)))
    assert whole.n_iter == len(steps) > 3
    for max_iter in range(1, whole.n_iter):
        with pytest.warns(ConvergenceWarning, match=f"max_iter={max_iter} passes: raise"):
            result = kmeans(points, 7, init=steps[0].centers, max_iter=max_iter, strategy=strategy)
        assert result.converged is False
        assert result.n_iter == max_iter
        np.testing.assert_array_equal(result.centers, steps[max_iter - 1].centers)
        assert_belongs_together(result, points)
    assert_same(
        kmeans(points, 7, init="k-means++", max_iter=whole.n_iter, strategy=strategy), whole
    )


def test_one_warning_says_that_it_gave_up() -> None:
    _, warning = only_warning(lambda: kmeans(cloud(), 7, init="random", max_iter=2, n_init=3))
    assert warning.category is ConvergenceWarning
    assert Path(warning.filename) == Path(__file__)
    assert str(warning.message) == (
        "points were still being reassigned after max_iter=2 passes: "
        "raise max_iter to let the clustering converge"
    )


# Fewer distinct points than clusters.

THREE_DISTINCT = np.array([[5, 5], [1, 9], [5, 5], [1, 9], [1, 9], [0, 0]])


@pytest.mark.parametrize("init", ["k-means++", "random", [[9, 9], [5, 5], [0, 0], [1, 1]]])
def test_there_are_as_many_clusters_as_distinct_points(init: Any, strategy: str) -> None:
    with pytest.warns(FewerClustersWarning):
        result = kmeans(THREE_DISTINCT, 4, init=init, strategy=strategy)
    assert sorted(result.centers.tolist()) == [[0, 0], [1, 9], [5, 5]]
    assert sorted(result.weights) == [1, 2, 3]
    assert result.inertia == 0
    assert result.converged
    assert_belongs_together(result, THREE_DISTINCT)


def test_one_warning_says_that_clusters_are_missing() -> None:
    _, warning = only_warning(lambda: kmeans(THREE_DISTINCT, 6, n_init=5))
    assert warning.category is FewerClustersWarning
    assert Path(warning.filename) == Path(__file__)
    assert str(warning.message) == ("k=6, but there are only 3 distinct points: the result has k=3")


def test_exactly_as_many_distinct_points_are_no_reason_to_warn(strategy: str) -> None:
    result = kmeans(THREE_DISTINCT, 3, strategy=strategy)
    assert result.inertia == 0


def test_one_point(strategy: str) -> None:
    result = kmeans([[4, 2]], 1, strategy=strategy)
    assert result.centers.tolist() == [[4, 2]]
    assert result.labels.tolist() == [0]
    assert result.n_iter == 2


def test_the_warnings_are_user_warnings() -> None:
    assert issubclass(ConvergenceWarning, UserWarning)
    assert issubclass(FewerClustersWarning, UserWarning)


def test_empty_clusters_are_rescued(strategy: str) -> None:
    points = cloud(50, 2)
    result = kmeans(points, 6, init=np.full((6, 2), 10_000), strategy=strategy)
    assert (result.weights > 0).all()
    assert len(result.centers) == 6
    assert_belongs_together(result, points)


# Watching the loop.


def test_the_callback_sees_every_step(strategy: str) -> None:
    points = cloud()
    steps: list[Step] = []
    result = kmeans(points, 5, init="k-means++", callback=steps.append, strategy=strategy)
    expected = list(lloyd(points, kmeans_plusplus(points, 5), strategy=strategy))
    assert [step.iteration for step in steps] == list(range(1, result.n_iter + 1))
    for step, other in zip(steps, expected, strict=True):
        np.testing.assert_array_equal(step.labels, other.labels)
        np.testing.assert_array_equal(step.centers, other.centers)
    np.testing.assert_array_equal(steps[-1].labels, result.labels)


def test_the_callback_sees_the_steps_of_every_run() -> None:
    starts: list[int] = []
    kmeans(cloud(), 5, n_init=4, callback=lambda step: starts.append(step.iteration))
    assert starts.count(1) == 4


def test_what_the_callback_raises_comes_through() -> None:
    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kmeans(cloud(), 5, callback=stop)


def test_the_arguments_are_left_alone(strategy: str) -> None:
    points = np.asfortranarray(cloud() / 3)
    weights = np.random.default_rng(0).random(300) + 0.1
    copies = points.copy(), weights.copy()
    points.flags.writeable = weights.flags.writeable = False
    kmeans(points, 5, weights=weights, strategy=strategy)
    np.testing.assert_array_equal(points, copies[0])
    np.testing.assert_array_equal(weights, copies[1])


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u8", "f2", "f4", "f8", ">f4", ">i4"])
def test_points_may_be_of_any_real_dtype(dtype: str, strategy: str) -> None:
    points = cloud(values=2).astype(dtype)
    assert_same(
        kmeans(points, 4, strategy=strategy), kmeans(points.astype(float), 4, strategy=strategy)
    )


def test_a_clustering_sums_itself_up() -> None:
    result = kmeans([[1], [2], [9]], 2, init=[[2], [9]])
    assert repr(result) == "Clustering(k=2, points=3, inertia=0.5, n_iter=2, converged)"
    with pytest.warns(ConvergenceWarning):
        cut = kmeans([[1], [2], [9]], 2, init=[[2], [9]], max_iter=1)
    assert repr(cut) == "Clustering(k=2, points=3, inertia=1, n_iter=1, not converged)"


@pytest.mark.parametrize("init", ["k-means++", [[0], [9]], [[0], [1], [2], [3], [4]]])
@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
def test_the_arrays_of_a_clustering_are_the_callers_own(init: Any) -> None:
    points = np.array([[0.0], [9.0], [8.0], [0.0], [8.0]])
    steps: list[Step] = []
    clustering = kmeans(points, 2 if len(init) == 2 else 5, init=init, callback=steps.append)
    shown = [array for step in steps for array in (step.centers, step.weights)]
    own: list[NDArray[Any]] = [clustering.centers, clustering.labels, clustering.weights]
    for array in own:
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in [points, *shown])
    before = [(step.inertia, step.labels.tolist()) for step in steps]
    for array in own:
        array[...] = 7
    assert [(step.inertia, step.labels.tolist()) for step in steps] == before


@pytest.mark.parametrize("name", ["centers", "labels", "reassigned", "weights"])
def test_a_callback_cannot_change_the_loop(name: str, strategy: str) -> None:
    def write(step: Step) -> None:
        getattr(step, name)[...] = 0

    with pytest.raises(ValueError, match="read-only"):
        kmeans([[0], [1], [8]], 2, callback=write, strategy=strategy)


def test_a_clustering_is_frozen() -> None:
    result = kmeans([[1], [2], [9]], 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.n_iter = 1  # type: ignore[misc]


def test_a_cycle_is_told_from_too_few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    exact_update = PrunedClusters.update_centers

    def update_centers(self: PrunedClusters, centers: Floats) -> Floats:
        # Rounded as badly as can be.
        exact = exact_update(self, centers)
        return np.where(exact % 1 > 0.5, np.floor(exact), np.ceil(exact))

    monkeypatch.setattr(PrunedClusters, "update_centers", update_centers)
    rng = np.random.default_rng(0)
    cycles = 0
    for _ in range(dose(30, 100)):
        points = rng.integers(0, 24, (12, 2)) / 4
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = kmeans(points, 3, init=points[:3])
        assert result.converged == (not caught)
        if caught:
            assert "rounding led back to earlier centers" in str(caught[0].message)
            assert result.n_iter < 1000
            with pytest.warns(ConvergenceWarning, match="max_iter=1 passes: raise"):
                kmeans(points, 3, init=points[:3], max_iter=1)
            image = points.reshape(3, 4, 2)
            with pytest.warns(ConvergenceWarning):
                assert not segment(image, 3, space="raw", init=points[:3]).converged
            cycles += 1
    assert cycles


@pytest.mark.parametrize("channels", [1, 3])
def test_two_flat_colors_with_noise_in_their_last_bits_converge(channels: int) -> None:
    for seed in range(dose(25, 100)):
        rng = np.random.default_rng(seed)
        points = rng.choice([0.3, 0.7], (400, 1)) * np.array([[1.0, 0.5, 0.9]])[:, :channels]
        points += np.spacing(points) * rng.integers(-1, 2, points.shape)
        assert kmeans(points, 4, rng=seed).n_iter < 100
