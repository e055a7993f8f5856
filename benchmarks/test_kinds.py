"""How long other images take than 8-bit photos, beside scikit-learn on all pixels.

The images are made of a photo; no two are alike in what the library can make
use of: 16 bits have more colors than 8, seven bands of floating point have no
two equal pixels, a medical slice has few gray values.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from numpy.typing import NDArray
from sklearn.cluster import KMeans

import kmeans_seg
import kmeans_seg.dask

from .conftest import Measure, pixels
from .peers import OURS

K = 8


def deep_photo(photo: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Give a photo 16 bits, the lower ones at random as those of a sensor."""
    noise = np.random.default_rng(0).integers(0, 257, photo.shape)
    return (photo.astype(np.uint16) * 255 + noise).astype(np.uint16)


def raster(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mix seven bands of three channels, with noise, and a strip that is missing."""
    rng = np.random.default_rng(0)
    bands = (photo / 255) @ rng.random((3, 7)) + rng.normal(0, 0.02, (*photo.shape[:2], 7))
    bands[100:200] = np.nan
    return bands.astype(np.float32)


def medical_slice(photo: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Take a gray photo for Hounsfield units, from -1024 on."""
    noise = np.random.default_rng(0).normal(0, 15, photo.shape[:2])
    values: NDArray[np.int16] = (photo.mean(axis=2) * 12 - 1024 + noise).astype(np.int16)
    return values


def valid(image: NDArray[Any]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.isfinite(image).all(axis=2)
    return mask


def segment_raster(image: NDArray[Any]) -> Any:
    return kmeans_seg.segment(image, K, space="raw", mask=valid(image))


def cluster_pixels(image: NDArray[Any]) -> Any:
    points = image.reshape(-1, image.shape[2] if image.ndim == 3 else 1).astype(np.float32)
    model = KMeans(K, random_state=0)
    model.fit(points[np.isfinite(points).all(axis=1)])
    return model


KINDS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "RGB of 16 bits": (deep_photo, functools.partial(kmeans_seg.segment, k=K)),
    "7 bands of float32, with nodata": (raster, segment_raster),
    "medical slice of int16": (medical_slice, functools.partial(kmeans_seg.segment, k=K)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("peer", [OURS, "scikit-learn"])
def test_kinds(measure: Measure, smallest_photo: Path, kind: str, peer: str) -> None:
    make, segment = KINDS[kind]
    function = segment if peer == OURS else cluster_pixels
    about = {
        "work": "kinds",
        "kind": kind,
        "peer": peer,
        "photo": f"{kind} of {smallest_photo.stem}",
    }
    measure(function, make(pixels(smallest_photo)), **about, k=K, rounds=2)


@pytest.mark.parametrize("peer", [OURS, "dask-ml"])
def test_dask(measure: Measure, largest_photo: Path, peer: str) -> None:
    image = da.from_array(pixels(largest_photo), chunks=(512, 512, 3))

    def ours() -> Any:
        return np.asarray(kmeans_seg.dask.segment(image, K).labels)

    def theirs() -> Any:
        points = image.reshape(-1, 3).astype(np.float32).rechunk((2**18, 3))
        return DaskKMeans(K, random_state=0).fit(points).labels_.compute()

    about = {"work": "kinds", "kind": "dask array of RGB", "peer": peer}
    photo = f"dask array of {largest_photo.stem}"
    measure(ours if peer == OURS else theirs, **about, photo=photo, k=K, rounds=1)
