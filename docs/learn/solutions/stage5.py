from stage1 import squared_distances


def kmeans_plusplus(points, k, rng):
    chosen = [rng.integers(len(points))]
    while len(chosen) < k:
        nearest = squared_distances(points, points[chosen]).min(axis=1)
        chosen.append(rng.choice(len(points), p=nearest / nearest.sum()))
    return points[chosen]
