"""kmeans_seg: segment images with k-means, in pure NumPy, exactly.

>>> import numpy as np
>>> from kmeans_seg import segment
>>> image = np.array([[10, 12, 200], [11, 190, 202]], np.uint8)
>>> segment(image, 2).labels
array([[0, 0, 1],
       [0, 1, 1]], dtype=int32)

The files, in reading order: `segmentation` (the way from an image to its
segments), `clustering` (seeds and the loop), `seeding`, `lloyd` (the loop),
`assignment` (the distance), `sums` (means that do not depend on the order),
`pixels` (which take part, in blocks),
`distinct` (colors and counts), `colorspace`, `cells` and `pruning` (the fast
assignment), `validation`, `errstate`, `files`, `cli`.
"""

from .clustering import (
    Clustering,
    ConvergenceWarning,
    FewerClustersWarning,
    kmeans,
    kmeans_plusplus,
    lloyd,
)
from .files import read, write
from .lloyd import Step
from .segmentation import NodataWarning, Segmentation, segment

__all__ = [
    "Clustering",
    "ConvergenceWarning",
    "FewerClustersWarning",
    "NodataWarning",
    "Segmentation",
    "Step",
    "kmeans",
    "kmeans_plusplus",
    "lloyd",
    "read",
    "segment",
    "write",
]
