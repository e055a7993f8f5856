import numpy as np


def update_centers(points, labels, k):
    return np.array([points[labels == i].mean(axis=0) for i in range(k)])
