"""Make segments.png, the picture of the README: a photo, and its segments for k = 3 and 8.

    python docs/images/segments.py

Under each picture stands its palette, every color as wide as its share of the
pixels; under the photo itself, all the colors that it has. The gaps are
transparent, for light pages and dark ones.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import kmeans_seg
from kmeans_seg import read, segment, write
from kmeans_seg.features import luma
from kmeans_seg.teaching.preview import preview

WIDTH, GAP, BAR = 284, 12, 32  # so wide that three fill a page, and the file stays small
Pixels = NDArray[np.uint8]


def opaque(picture: Pixels) -> Pixels:
    """Add an alpha channel."""
    return np.dstack((picture, np.full(picture.shape[:2], 255, np.uint8)))


def with_palette(picture: Pixels, colors: Pixels, counts: NDArray[np.int64]) -> Pixels:
    """Put a bar of `colors`, each as wide as its count, under a picture."""
    width = picture.shape[1]
    ends = counts.cumsum()
    middles = (np.arange(width) + 0.5) / width * ends[-1]
    bar = np.broadcast_to(colors[np.searchsorted(ends, middles)], (BAR, width, 3))
    gap = np.zeros((GAP, width, 4), np.uint8)
    return np.concatenate((opaque(picture), gap, opaque(bar)))


def main() -> None:
    """Write the picture beside this file."""
    photo = read(Path(kmeans_seg.__file__).parent / "data" / "coffee.jpg")
    small = preview(photo, WIDTH)
    colors, counts = np.unique(photo.reshape(-1, 3), axis=0, return_counts=True)
    order = luma(colors / 255).argsort()
    panels = [with_palette(small, colors[order], counts[order])]
    for k in (3, 8):
        result = segment(photo, k)
        painted = result.paint(result.predict(small))
        panels.append(with_palette(painted, result.palette, result.counts))
    gap = np.zeros((len(panels[0]), GAP, 4), np.uint8)
    strip = np.concatenate((panels[0], gap, panels[1], gap, panels[2]), axis=1)
    write(Path(__file__).with_name("segments.png"), strip)


if __name__ == "__main__":
    main()
