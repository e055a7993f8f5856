"""Palettes of segmentations to take away: as hex codes, JSON, a GIMP palette, or a picture."""

import json
import os

import numpy as np
from numpy.typing import NDArray

from .display import as_screen_colors, hexadecimal
from .segmentation import Segmentation
from .validation import shown

SUFFIXES = (".json", ".gpl", ".png")
SQUARE = 64  # pixels: the side of a color in a picture


def encoded_palette(result: Segmentation, path: str | os.PathLike[str], name: str) -> bytes:
    """Return the palette of a result as the content of a file; the suffix chooses the format.

    Raises
    ------
    ValueError
        If the suffix is unknown, or if the colors are neither gray nor RGB
        where the format holds nothing else.
    """
    suffix = check_palette_name(path)
    if suffix == ".json":
        return (json.dumps({"name": name, **result.to_dict()}, indent=2) + "\n").encode()
    rgb = as_screen_colors(result.palette)
    if rgb is None:
        raise ValueError(
            f"{shown(path)}: the palette has {result.palette.shape[1]} channels of "
            f"{result.palette.dtype}, which are no colors of a screen: write it to .json"
        )
    if suffix == ".gpl":
        return gimp_palette(rgb, result.counts / result.counts.sum(), name).encode()
    from .files import encoded

    return encoded(path, np.repeat(np.repeat(rgb[np.newaxis], SQUARE, axis=0), SQUARE, axis=1))


def check_palette_name(path: str | os.PathLike[str]) -> str:
    """Check the suffix of a palette's file, and return it."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()  # noqa: PTH122
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{shown(path)}: a palette is written as {', '.join(SUFFIXES)}: end the name in one "
            "of these"
        )
    return suffix


def gimp_palette(rgb: NDArray[np.uint8], shares: NDArray[np.float64], name: str) -> str:
    """Write colors in the format that GIMP, Inkscape and Krita read."""
    lines = ["GIMP Palette", f"Name: {' '.join(shown(name).split())}", f"Columns: {len(rgb)}", "#"]
    for color, share in zip(rgb, shares, strict=True):
        red, green, blue = color.tolist()
        lines.append(f"{red:3} {green:3} {blue:3}\t{hexadecimal(color)} {100 * share:.1f} %")
    return "\n".join(lines) + "\n"
