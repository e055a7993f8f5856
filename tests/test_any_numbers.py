"""Numbers of any size: every path against fractions, fill values and tiny weights included."""

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import oracle
import pytest
from doses import dose
from numpy.typing import NDArray
from test_fast_clusters import any_numbers

from kmeans_seg import ConvergenceWarning, FewerClustersWarning, kmeans, lloyd, segment
from kmeans_seg.clustering import Options, run_to_end
from kmeans_seg.exact import Floats
from kmeans_seg.image import Pixels
from kmeans_seg.lloyd import own_distances
from kmeans_seg.seeding import draw, plusplus
from kmeans_seg.segmentation import prepare
from kmeans_seg.strategies import STRATEGIES

TIMES = dose(1, 50)
FILLS = [-9999.0, 1e20, 1e30, 9.969209968386869e36, -3.4028234663852886e38, 1e90]


def exact(values: Floats) -> Fraction:
    return sum(map(Fraction, values.tolist()), Fraction(0))


def assert_exact(
    centers: Floats,
    inertia: float,
    points: Floats,
    labels: NDArray[np.int32],
    weights: Floats | None,
    converged: bool,
) -> None:
    ones = np.ones(len(points)) if weights is None else weights
    terms = ones * own_distances(points, centers, labels)
    assert inertia == float(exact(terms))
    for cluster in range(len(centers) if converged else 0):
        members = np.flatnonzero(labels == cluster)
        total = exact(ones[members])
        for channel in range(points.shape[1]):
            pairs = zip(ones[members].tolist(), points[members, channel].tolist(), strict=True)
            weighted = sum((Fraction(w) * Fraction(x) for w, x in pairs), Fraction(0))
            assert centers[cluster, channel] == float(weighted / total)


def random_case(rng: np.random.Generator) -> tuple[Floats, Floats | None, int]:
    n, channels = int(rng.integers(3, 40)), int(rng.integers(1, 4))
    points = np.stack([any_numbers(rng, n) for _ in range(channels)], axis=1)
    points[0] += 1  # so that they differ by more than underflow
    weights = np.abs(any_numbers(rng, n)) + 5e-324 if rng.random() < 0.6 else None
    return points, weights, int(rng.integers(1, min(n, 6)))


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
def test_kmeans_of_any_numbers(strategy: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20 * TIMES):
        points, weights, k = random_case(rng)
        init = str(rng.choice(["auto", "k-means++", "random"]))
        result = kmeans(points, k, weights=weights, init=init, strategy=strategy)
        assert result.converged
        assert_exact(result.centers, result.inertia, points, result.labels, weights, True)
        ones = np.ones(len(points)) if weights is None else weights
        for cluster, weight in enumerate(result.weights.tolist()):
            assert weight == float(exact(ones[result.labels == cluster])) > 0


def test_every_step_on_any_numbers_is_by_the_book(strategy: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10 * TIMES):
        points, weights, k = random_case(rng)
        start = points[rng.choice(len(points), k, replace=False)]
        # The oracle does not tell where squares underflow.
        if any(0 < oracle.squared_distance(p, q) < 1e-290 for p in points for q in points):
            continue
        steps = lloyd(points, start, weights=weights, strategy=strategy)
        passes = oracle.lloyd(
            points.tolist(), start.tolist(), None if weights is None else weights.tolist()
        )
        for step, expected in zip(steps, passes, strict=True):
            assert step.centers.tolist() == [list(center) for center in expected.centers]
            assert step.labels.tolist() == expected.labels


def exact_draw(terms: list[Fraction], random: float) -> int:
    total = float(sum(terms))
    target, running = Fraction(min(random * total, np.nextafter(total, 0))), Fraction(0)
    for index, term in enumerate(terms):
        running += term
        if running > target:
            return index
    raise AssertionError("a random number was as large as the total")


def exact_seeds(points: Floats, weights: Floats, k: int, trials: int, seed: int) -> list[int]:
    """Draw by greedy k-means++ as its docstring tells it, in fractions."""
    rng = np.random.default_rng(seed)
    while weights.max() < 1:
        weights = weights * 2
    terms = [Fraction(w) for w in weights.tolist()]
    chosen = [exact_draw(terms, float(rng.random(1)[0]))]
    closest = np.square(points - points[chosen[0]]).sum(axis=1)
    while len(chosen) < k and closest.any():
        factors = weights if (weights * closest).any() else np.ones(len(points))
        terms = [Fraction(term) for term in (factors * closest).tolist()]
        candidates = [exact_draw(terms, float(r)) for r in rng.random(trials)]
        left = [np.minimum(closest, np.square(points - points[c]).sum(axis=1)) for c in candidates]
        totals = [exact(factors * distances) for distances in left]
        best = totals.index(min(totals))
        chosen.append(candidates[best])
        closest = left[best]
        if factors is not weights:
            weights = factors
    return chosen


def test_seeds_of_any_numbers_are_drawn_and_compared_exactly(strategy: str) -> None:
    rng = np.random.default_rng(2)
    for seed in range(20 * TIMES):
        points, weights, k = random_case(rng)
        if rng.random() < 0.3:  # many equal candidates
            points = np.asarray(rng.integers(0, 3, points.shape) / 10, np.float64)
        ones = np.ones(len(points)) if weights is None else weights
        points = points[:, :2]  # so that the order of two squares does not matter
        found = plusplus(
            np.asfortranarray(points),
            ones,
            k,
            np.random.default_rng(seed),
            trials=3,
            potential_type=STRATEGIES[strategy].potential,
        )
        assert list(found) == exact_seeds(points, ones, k, 3, seed)


def test_a_draw_is_that_of_fractions_even_at_the_edges_of_terms() -> None:
    rng = np.random.default_rng(3)
    for _ in range(dose(15, 500)):
        terms = np.abs(any_numbers(rng, 300))
        terms[rng.random(300) < 0.3] = 0
        if not terms.any():
            continue
        edges = [float(exact(terms[: i + 1]) / exact(terms)) for i in rng.integers(0, 300, 5)]
        randoms = np.array([r for r in edges + rng.random(5).tolist() if r < 1])

        class Fake:
            def random(self, size: int, randoms: Floats = randoms) -> Floats:
                return randoms[:size]

        found = draw(terms, len(randoms), Fake())  # type: ignore[arg-type]
        fractions = [Fraction(term) for term in terms.tolist()]
        assert found.tolist() == [exact_draw(fractions, float(r)) for r in randoms]


@pytest.mark.filterwarnings("ignore::kmeans_seg.NodataWarning")
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fill_value_leaves_the_other_centers_as_they_are(
    fill: float, dtype: type[np.floating]
) -> None:
    rng = np.random.default_rng(4)
    image = rng.normal(100, 30, (50, 60)).astype(dtype)
    missing = rng.random(image.shape) < 0.04
    with np.errstate(over="ignore"):
        filled = np.where(missing, dtype(fill), image)
    if not np.isfinite(filled).all():
        pytest.skip("more than this dtype can hold")
    alone = segment(image, 4, mask=~missing)
    centers = np.append(alone.centers.ravel(), float(dtype(fill)))
    result = segment(filled, 5, init=np.sort(centers)[:, np.newaxis])
    np.testing.assert_array_equal(np.sort(centers), result.centers.ravel())
    # And from any start, the centers are means.
    result = segment(filled, 5)
    assert result.converged
    for label, center in enumerate(result.centers.ravel().tolist()):
        members = filled[result.labels == label].astype(np.float64)
        assert center == float(exact(members) / len(members))


def test_the_examples_of_fill_values() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        low = segment(np.array([[1, 1.1, 1.2, 5, 5.1, 5.2, 1e30]]), 3)
        np.testing.assert_allclose(low.centers.ravel(), [1.1, 5.1, 1e30], rtol=1e-15)
        fill = -3.4028234663852886e38
        single = segment(np.array([[1, 1.1, 1.2, 5, 5.1, 5.2, fill]], np.float32), 3)
        np.testing.assert_allclose(single.centers.ravel(), [fill, 1.1, 5.1], rtol=1e-7)


def test_normalize_keeps_apart_what_differs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", FewerClustersWarning)
        result = segment(np.array([[0, 1, 2, 3, 4, 1e20]]), 4, normalize=True)
    assert len(result.centers) == 4
    assert result.counts.sum() == 6


def test_weights_of_any_size() -> None:
    points = np.array([[0.0], [1.0], [10.0], [12.0]])
    for tiny in (1e-320, 5e-324, 1e-200):
        result = kmeans(points, 2, weights=[tiny] * 4)
        assert sorted(result.centers.ravel()) == [0.5, 11]
        assert (result.weights > 0).all()
    result = kmeans(points, 2, weights=[1, 1, 1e31, 1e31], init=[[0], [12]])
    assert result.centers.ravel().tolist() == [0.5, 11]
    result = kmeans(points, 2, weights=[1e-320, 1e-320, 1, 1e31], init=[[0], [12]])
    assert result.centers.ravel().tolist() == [0.5, 12]
    assert result.weights.tolist() == [2e-320, 1e31]


@pytest.mark.filterwarnings("ignore::kmeans_seg.FewerClustersWarning")
def test_segment_of_any_numbers() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10 * TIMES):
        channels = int(rng.integers(1, 4))
        image = np.stack([any_numbers(rng, 30) for _ in range(channels)], axis=1)
        image[0] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ConvergenceWarning)
            result = segment(image.reshape(5, 6, channels), 4, space="raw")
        colors, first, counts = np.unique(image, axis=0, return_index=True, return_counts=True)
        labels = result.labels.ravel()[first]
        assert_exact(
            result.centers, result.inertia, colors, labels, counts.astype(np.float64), True
        )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::kmeans_seg.NodataWarning")
@pytest.mark.parametrize(
    ("space", "options"), [("rgb", {"normalize": True}), ("rgb", {"position": 0.3}), ("lab", {})]
)
def test_scaled_and_converted_points_have_exact_means(space: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(6)
    start = Options.checked(4, init="k-means++", max_iter=1000, rng=0, strategy="fast")
    for _ in range(3 * TIMES):
        image = rng.integers(0, 256, (6, 7, 3), np.uint8)
        if "normalize" in options and rng.random() < 0.5:
            image = np.stack([any_numbers(rng, 42) for _ in range(3)], axis=1).reshape(6, 7, 3)
            image[0] += 1
        problem = prepare(Pixels(image, space), start, **options)
        points, counts = problem.features.points(problem.found), problem.found.counts
        result = run_to_end(problem.events(), None)
        assert_exact(result.centers, result.inertia, points, result.labels, counts, True)
