"""Palettes of segmentations to take away: as hex codes, JSON, a GIMP palette, or a picture."""

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .validation import shown

if TYPE_CHECKING:
    from .segmentation import Segmentation

SUFFIXES = (".json", ".gpl", ".png")
SQUARE = 64  # pixels: the side of a color in a picture


def encoded_palette(result: "Segmentation", path: str | os.PathLike[str], name: str) -> bytes:
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
    for (red, green, blue), code, share in zip(rgb.tolist(), codes(rgb), shares, strict=True):
        lines.append(f"{red:3} {green:3} {blue:3}\t{code} {100 * share:.1f} %")
    return "\n".join(lines) + "\n"


def hex_codes(palette: NDArray[Any]) -> list[str | None]:
    """Write colors (k, C) as "#rrggbb"; None for each if they are not RGB.

    Examples
    --------
    >>> hex_codes(np.array([[250, 2, 4]], np.uint8))
    ['#fa0204']
    >>> hex_codes(np.array([[1.0, 0.5, 0.0]]))
    ['#ff8000']
    >>> hex_codes(np.array([[250]], np.uint8))
    [None]
    """
    rgb = as_screen_colors(palette) if palette.shape[1] == 3 else None
    return [None] * len(palette) if rgb is None else [*codes(rgb)]


def codes(rgb: NDArray[np.uint8]) -> list[str]:
    """Write 8-bit RGB colors as "#rrggbb"."""
    return [f"#{color.tobytes().hex()}" for color in rgb]


def as_screen_colors(palette: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Turn gray or RGB colors whose range is known into 8-bit RGB; None for other numbers."""
    match palette.dtype.kind, palette.dtype.itemsize:
        case ("u", 1):
            values = palette.astype(np.float64)
        case ("u", 2):
            values = palette / 257
        case ("b", _):
            values = palette * 255.0
        case ("f", _) if palette.min() >= 0 and palette.max() <= 1:
            values = palette * 255.0
        case _:
            return None
    if palette.shape[1] not in (1, 3):
        return None
    return np.broadcast_to(np.rint(values), (len(palette), 3)).astype(np.uint8)
