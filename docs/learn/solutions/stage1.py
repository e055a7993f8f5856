import numpy as np


def squared_distances(points, centers):
    points = points.astype(float)  # 8-bit integers would start over at 0 after 255
    differences = points[:, np.newaxis] - centers  # (n, 1, C) - (k, C) is (n, k, C)
    return (differences**2).sum(axis=2)
