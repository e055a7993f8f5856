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

import importlib as _importlib
import typing as _typing

from .clustering import (
    Clustering,
    ConvergenceWarning,
    FewerClustersWarning,
    kmeans,
    kmeans_plusplus,
    lloyd,
)
from .image import AmbiguousShapeWarning
from .lloyd import Step
from .segmentation import NodataWarning, Segmentation, segment

if _typing.TYPE_CHECKING:
    from .choosing import KChoice, choose_k
    from .files import read, write

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

# Imported when they are first asked for, since not every program needs them.
_LATER = {"KChoice": "choosing", "choose_k": "choosing", "read": "files", "write": "files"}


def __getattr__(name: str) -> _typing.Any:
    file = _LATER.get(name, name)
    if file not in _LATER.values():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _importlib.import_module(f".{file}", __name__)
    return module if file == name else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
