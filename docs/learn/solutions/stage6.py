import numpy as np
from stage4 import lloyd
from stage5 import kmeans_plusplus


def segment(image, k, rng):
    height, width, channels = image.shape
    points = image.reshape(height * width, channels).astype(float)
    centers, labels = lloyd(points, kmeans_plusplus(points, k, rng))
    painted = np.rint(centers).astype(np.uint8)[labels]
    return labels.reshape(height, width), painted.reshape(image.shape)
