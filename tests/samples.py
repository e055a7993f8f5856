"""Photos to test on: the one of the package, and those that scikit-learn and scikit-image have."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import kmeans_seg

COFFEE = Path(kmeans_seg.__file__).parent / "data" / "coffee.jpg"


@functools.cache
def coffee() -> NDArray[np.uint8]:
    """Return the photo of the package, 320 x 480 pixels of RGB, as an array to be read only."""
    image: NDArray[np.uint8] = kmeans_seg.read(COFFEE)
    image.flags.writeable = False
    return image


def sample(package: str, name: str) -> Path:
    """Return the path of a file in a package, without importing that; skip if it is missing."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"needs {package}")
    return Path(spec.origin).parent / name
