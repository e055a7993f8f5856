"""What each library offers for the same work, in the form in which its users write it.

Each function of `IMAGE_TO_LABELS` goes from an image (H, W, 3) of uint8 to a
label for every pixel, with the defaults of its library (OpenCV has none: it
gets those of its tutorial), on all processors if the library can. All but
Pillow are given float32, which is faster for them than float64.

As a program, `python -m benchmarks.peers NAME IMAGE.npy K`, it prints how much
memory one of them takes. Left out: how long they take, which is for the tests.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kmeans_seg

Image = NDArray[np.uint8]
Labels = NDArray[Any]

# As they are called in the tables.
OURS = "kmeans_seg"
PLAIN = 'kmeans_seg, strategy="plain"'
LLOYD, ELKAN = "scikit-learn lloyd", "scikit-learn elkan"
FLOOR = "NumPy floor"
SCRIPT = "OpenCV and scikit-learn"


def ours(image: Image, k: int, seed: int = 0) -> Labels:
    return kmeans_seg.segment(image, k, rng=seed).labels


def scikit_learn(image: Image, k: int, seed: int = 0, n_init: int | str = "auto") -> Labels:
    from sklearn.cluster import KMeans

    labels = KMeans(k, n_init=n_init, random_state=seed).fit_predict(as_float32(image))
    return np.asarray(labels).reshape(image.shape[:2])


def opencv(image: Image, k: int, seed: int = 0, attempts: int = 1) -> Labels:
    import cv2

    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
    cv2.setRNGSeed(seed)
    labels = cv2.kmeans(as_float32(image), k, None, criteria, attempts, cv2.KMEANS_PP_CENTERS)[1]
    return np.asarray(labels).reshape(image.shape[:2])


def scipy(image: Image, k: int) -> Labels:
    from scipy.cluster.vq import kmeans2

    labels = kmeans2(as_float32(image), k, minit="++", rng=0)[1]
    return np.asarray(labels).reshape(image.shape[:2])


def faiss(image: Image, k: int, nredo: int = 1) -> Labels:
    import faiss as library

    points = as_float32(image)
    # By default it would look at 256 points for each center only.
    clustering = library.Kmeans(3, k, nredo=nredo, max_points_per_centroid=len(points))
    clustering.train(points)
    return np.asarray(clustering.index.search(points, 1)[1]).reshape(image.shape[:2])


def pillow(image: Image, k: int) -> Labels:
    import PIL.Image

    return np.asarray(PIL.Image.fromarray(image).quantize(k, kmeans=1))


def as_float32(image: Image) -> NDArray[np.float32]:
    return image.reshape(-1, 3).astype(np.float32)


IMAGE_TO_LABELS: dict[str, Callable[[Image, int], Labels]] = {
    OURS: ours,
    "scikit-learn": scikit_learn,
    "OpenCV": opencv,
    "SciPy": scipy,
    "faiss": faiss,
    "Pillow": pillow,
}
# Those that can be run from several seeds, and how many those are.
SEEDS = range(10)
SEEDED = {OURS: ours, "scikit-learn": scikit_learn, "OpenCV": opencv}


def numpy_floor(image: Image) -> Labels:
    """Do what no way through the distinct colors can avoid, as fast as NumPy does it.

    Pack each pixel into an integer, find and count the distinct ones, look up
    a label for every pixel. There are no seeds, no distances, no iterations.
    """
    flat = image.reshape(-1)
    keys = np.empty(len(flat) // 3, np.uint32)
    # Read 4 bytes at every third, and drop what belongs to the next pixel.
    np.bitwise_and(np.ndarray(len(keys) - 1, "<u4", flat, strides=(3,)), 0xFFFFFF, out=keys[:-1])
    keys[-1] = int.from_bytes(flat[-3:].tobytes(), "little")

    colors, _counts = np.unique(keys, return_counts=True)

    table = np.empty(2**24, np.uint8)
    table[colors] = 0
    labels = np.empty(len(keys), np.int32)
    size = 2**16  # pixels at a time: what `take` gives back stays in the cache
    for start in range(0, len(keys), size):
        block = slice(start, start + size)
        labels[block] = table.take(keys[block], mode="clip")
    return labels.reshape(image.shape[:2])


def peak_memory(name: str, image: Image, k: int) -> int:
    """Measure the bytes that a peer has in use at most, beyond the image and its own code.

    Linux only. `resource.getrusage` would run anywhere, but a process inherits
    there the peak of the one that started it.
    """
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def kibibytes(entry: str) -> int:
        return int(status.read_text().partition(f"{entry}:")[2].split()[0])

    IMAGE_TO_LABELS[name](image[:8, :8].copy(), 2)  # imports what it needs
    clear.write_text("5")  # sets the peak back to what is in use
    before = kibibytes("VmRSS")
    labels = IMAGE_TO_LABELS[name](image, k)
    assert labels.shape == image.shape[:2]
    return 1024 * (kibibytes("VmHWM") - before)


if __name__ == "__main__":
    print(peak_memory(sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3])))
