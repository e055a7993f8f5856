import numpy as np
from stage2 import nearest_center
from stage3 import update_centers


def lloyd(points, centers):
    labels = nearest_center(points, centers)
    while True:
        centers = update_centers(points, labels, len(centers))
        previous, labels = labels, nearest_center(points, centers)
        if np.array_equal(labels, previous):
            return centers, labels
