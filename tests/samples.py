"""The sample photos that other packages bring along, found without importing the packages."""

import importlib.util
from pathlib import Path


def sample(package: str, name: str) -> Path:
    """Return the path of a file in a package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / name
