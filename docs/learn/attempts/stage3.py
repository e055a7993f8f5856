import numpy as np


def update_centers(points, labels, k):
    centers = []
    for i in range(k):
        cluster = points[labels == i]
        centers.append(cluster.sum(axis=0) // len(cluster))
    return np.array(centers)
