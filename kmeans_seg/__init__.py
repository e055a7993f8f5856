"""kmeans_seg: segment images with k-means, in pure NumPy, exactly.

>>> import numpy as np
>>> from kmeans_seg import segment
>>> image = np.array([[10, 12, 200], [11, 190, 202]], np.uint8)
>>> segment(image, 2).labels
array([[0, 0, 1],
       [0, 1, 1]], dtype=int32)

Read `lloyd` first (the loop), then `seeding` (the initial centers): together they are the whole
algorithm. The README lists the other files in reading order.
"""

from .choosing import KChoice, choose_k
from .clustering import (
    Clustering,
    ConvergenceWarning,
    FewerClustersWarning,
    kmeans,
    kmeans_plusplus,
    lloyd,
)
from .files import read, write
from .image import AmbiguousShapeWarning
from .lloyd import Step
from .segmentation import NodataWarning, Segmentation, segment

__all__ = [
    "AmbiguousShapeWarning",
    "Clustering",
    "ConvergenceWarning",
    "FewerClustersWarning",
    "KChoice",
    "NodataWarning",
    "Segmentation",
    "Step",
    "choose_k",
    "kmeans",
    "kmeans_plusplus",
    "lloyd",
    "read",
    "segment",
    "write",
]
