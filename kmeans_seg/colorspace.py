"""sRGB to CIELAB and back.

The clustering measures squared Euclidean distances. In sRGB such a distance says little about
what the eye sees; CIELAB was made so that equal distances look about equally different.

Four things are done with care:

- Every value has the same bits on every processor and operating system. The powers and cube roots
  of NumPy do not, so they are computed here from + - * / and square roots, which IEEE 754 rounds
  correctly. Two settings that break IEEE 754 are excluded: the extended precision of the x87, and
  processes that flush subnormal numbers to zero.
- A neutral gray has a = b = 0 exactly, and comes back with R = G = B exactly. The usual matrix
  product leaves 1e-14 there, a color where there is none.
- Every value is computed from its own color alone, by the same operations in the same order. In a
  matrix product, the shape of the array would decide how sums are rounded.
- The work is done in blocks that stay in the processor's cache, so that a large image needs
  little more memory than its result.

Left out: other white points and observers, chromatic adaptation, ICC profiles, wide gamuts, and
every check (see ``features.py``). A Lab color that no screen can show is clipped
channel by channel, not mapped to the nearest color that looks like it.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Linear sRGB to XYZ: a row per X, Y, Z, a column per R, G, B. It is what follows, to seven digits,
# from the chromaticities of the primaries in IEC 61966-2-1 (1999) and from the white D65 of the
# 2-degree observer, (0.95047, 1, 1.08883) in ASTM E308 (2001); that standard gives the
# same chromaticity to four digits. The matrix, too, it prints rounded to four digits (0.4124,
# 0.3576, 0.1805, ...): too coarse here, for a Lab value would differ by up to 0.02.
_X_FROM_RGB = (0.4124564, 0.3575761, 0.1804375)
_Y_FROM_RGB = (0.2126729, 0.7151522, 0.0721750)
_Z_FROM_RGB = (0.0193339, 0.1191920, 0.9503041)

# CIELAB asks for X, Y, Z relative to white, and white is R = G = B = 1: the sum of each row.
# The three shares of a row then add up to 1, so that the share of G need not be written down:
#     X/Xn = G + share of R * (R - G) + share of B * (B - G),
# where a gray, R = G = B, gives X/Xn = Y/Yn = Z/Zn = G with no rounding at all.
# The sums are written out, since Python 3.12 changed how `sum` rounds.
(_X_R, _X_B), (_Y_R, _Y_B), (_Z_R, _Z_B) = (
    (r / (r + g + b), b / (r + g + b)) for r, g, b in (_X_FROM_RGB, _Y_FROM_RGB, _Z_FROM_RGB)
)

# The way back: X/Xn - Y/Yn and Z/Zn - Y/Yn are two equations for R - G and B - G (Cramer's rule).
_DETERMINANT = (_X_R - _Y_R) * (_Z_B - _Y_B) - (_X_B - _Y_B) * (_Z_R - _Y_R)

# Up to these values, the transfer function, its inverse and f of CIELAB are straight lines. There
# a root is taken of the threshold in place of the value, which may be 0, and is not used.
_LINEAR_THRESHOLD = 0.0031308
_ENCODED_THRESHOLD = 0.04045
_RATIO_THRESHOLD = 216 / 24389  # (6/29)^3

# The bits of 1.0, read as an integer, less a correction that halves the largest error of the
# first guess in `_root`.
_BITS_OF_ONE = (1023 << 52) - (1 << 52) // 21

# Three channels of float64 and a few temporaries of that size: within the L2 cache.
_BLOCK = 4096


def srgb_to_lab(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Convert sRGB colors to CIELAB (white D65, 2-degree observer).

    Parameters
    ----------
    rgb : ndarray of uint8, uint16 or float, shape (..., 3)
        sRGB values as stored in image files (gamma-encoded): integers from 0 to 255 or 65535, or
        floats in [0, 1].

    Returns
    -------
    lab : ndarray of float64, shape (..., 3)
        L* from 0 (black) to 100 (white), a* from green to red and b* from blue to yellow, both
        between -108 and 99 for sRGB colors; no units. White is exactly (100, 0, 0), and every
        gray has a* = b* = 0 exactly.

    See Also
    --------
    lab_to_srgb : The inverse.

    Notes
    -----
    Sources: IEC 61966-2-1 (1999) for the transfer function and the primaries of sRGB; ASTM E308
    (2001) for the white D65; CIE 15 (2004) for CIELAB. L*, a* and b* are within 5e-13 of the
    exact value.

    Examples
    --------
    White, a middle gray, and pure red:

    >>> import numpy as np
    >>> rgb = np.array([[1.0, 1.0, 1.0], [0.5, 0.5, 0.5], [1.0, 0.0, 0.0]])
    >>> srgb_to_lab(rgb).round(2)
    array([[100.  ,   0.  ,   0.  ],
           [ 53.39,   0.  ,   0.  ],
           [ 53.24,  80.09,  67.2 ]])

    An orange of 8 bits:

    >>> srgb_to_lab(np.array([255, 128, 0], np.uint8)).round(2)
    array([67.05, 42.83, 74.02])
    """
    return _in_blocks(_lab_from_srgb, rgb)


def lab_to_srgb(lab: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Convert CIELAB colors (white D65, 2-degree observer) to sRGB.

    Parameters
    ----------
    lab : ndarray of float, shape (..., 3)
        L*, a*, b*, as `srgb_to_lab` gives them.

    Returns
    -------
    rgb : ndarray of float64, shape (..., 3)
        sRGB values in [0, 1]. A color outside the gamut of sRGB has each of its channels
        clipped to that range.

    See Also
    --------
    srgb_to_lab : The inverse.

    Notes
    -----
    Sources: IEC 61966-2-1 (1999), ASTM E308 (2001) and CIE 15 (2004). All 2^24 colors of 8-bit
    sRGB come back from Lab unchanged once rounded to 8 bits.

    Examples
    --------
    A middle gray, and a green more vivid than sRGB can show:

    >>> import numpy as np
    >>> lab = np.array([[50.0, 0.0, 0.0], [80.0, -120.0, 80.0]])
    >>> lab_to_srgb(lab).round(3)
    array([[0.466, 0.466, 0.466],
           [0.   , 0.945, 0.   ]])
    """
    return _in_blocks(_srgb_from_lab, lab)


def _lab_from_srgb(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Convert planes: three rows R, G, B to three rows L*, a*, b*."""
    red, green, blue = _linear(rgb)
    red_excess, blue_excess = red - green, blue - green
    relative_xyz = np.stack(
        (
            green + _X_R * red_excess + _X_B * blue_excess,
            green + _Y_R * red_excess + _Y_B * blue_excess,
            green + _Z_R * red_excess + _Z_B * blue_excess,
        )
    )
    x, y, z = _compress(relative_xyz)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


def _srgb_from_lab(lab: NDArray[Any]) -> NDArray[np.float64]:
    """Convert planes: three rows L*, a*, b* to three rows R, G, B, clipped to [0, 1]."""
    lightness, a, b = np.asarray(lab, np.float64)
    compressed_y = (lightness + 16) / 116
    x, y, z = _expand(np.stack((compressed_y + a / 500, compressed_y, compressed_y - b / 200)))
    x_excess, z_excess = x - y, z - y
    red_excess = ((_Z_B - _Y_B) * x_excess - (_X_B - _Y_B) * z_excess) / _DETERMINANT
    blue_excess = ((_X_R - _Y_R) * z_excess - (_Z_R - _Y_R) * x_excess) / _DETERMINANT
    green = y - _Y_R * red_excess - _Y_B * blue_excess
    # Clipped while still linear: a fractional power of a negative number does not exist.
    return _encode(np.clip(np.stack((green + red_excess, green, green + blue_excess)), 0, 1))


def _linear(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Return the linear light of sRGB values; a table has that of 8- and 16-bit integers."""
    if rgb.dtype.kind == "u" and rgb.dtype.itemsize <= 2:
        return _linear_levels(np.iinfo(rgb.dtype).max).take(rgb)
    return _decode(np.asarray(rgb, np.float64))


@functools.cache
def _linear_levels(white: int) -> NDArray[np.float64]:
    """Return the linear light of the integers from 0 to `white`."""
    return _decode(np.arange(white + 1) / white)


def _decode(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the transfer function of sRGB: stored values to linear light, within 8 ulp."""
    # ((v + 0.055) / 1.055)^2.4, written with constants that are exact.
    base = (200 * np.maximum(encoded, _ENCODED_THRESHOLD) + 11) / 211
    power = base * _root(base, 5)  # base^1.2
    return np.where(encoded <= _ENCODED_THRESHOLD, encoded / 12.92, power * power)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply the transfer function of sRGB: linear light to stored values, within 8 ulp."""
    root = _root(np.maximum(linear, _LINEAR_THRESHOLD), 3)
    power = root * np.sqrt(np.sqrt(root))  # 1/3 + 1/12 = 1/2.4
    # 1.055 v^(1/2.4) - 0.055, written with constants that are exact.
    return np.where(linear <= _LINEAR_THRESHOLD, 12.92 * linear, (211 * power - 11) / 200)


def _compress(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply f of CIELAB: a cube root, with a straight line near black."""
    root = _root(np.maximum(ratio, _RATIO_THRESHOLD), 3)
    line = 841 / 108 * ratio + 4 / 29  # the slope is (29/6)^2 / 3
    return np.where(ratio > _RATIO_THRESHOLD, root, line)


def _expand(root: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo f of CIELAB."""
    line = 108 / 841 * (root - 4 / 29)
    return np.where(root > 6 / 29, root * root * root, line)


def _root(x: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the n-th root of positive normal numbers, n = 3 or 5, within 0.8 ulp.

    Each step of Halley's method triples the number of correct digits. The first guess is that of
    W. Kahan, "Computing a real cube root" (1991). The last step starts from fewer bits, as in the
    cbrt of FreeBSD.
    """
    # The bits of x, read as an integer, are about 2^52 · (1023 + log2 x). This divides log2 x by n.
    guess = x.view(np.int64) // n + _BITS_OF_ONE * (n - 1) // n
    root = guess.view(np.float64)  # within 4%
    root = _halley_step(root, x, n)  # within 1e-4
    root = _halley_step(root, x, n)  # within 2e-12
    # Veltkamp's splitting (1968) keeps 26 bits, so that the square in the last step is exact.
    scaled = root * (2**27 + 1)
    return _halley_step(scaled - (scaled - root), x, n)


def _halley_step(root: NDArray[np.float64], x: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Improve an n-th root of x, n = 3 or 5, by a step of Halley's method (1694)."""
    # root · ((n-1) root^n + (n+1) x) / ((n+1) root^n + (n-1) x), as root plus a small correction.
    square = root * root
    other = x / (square if n == 3 else square * square)
    return root + root * (other - root) / ((n // 2 + 1) * root + n // 2 * other)


def _in_blocks(
    convert: Callable[[NDArray[Any]], NDArray[np.float64]],
    colors: NDArray[Any],
) -> NDArray[np.float64]:
    """Apply a conversion of planes, (3, n) to (3, n), to colors of shape (..., 3)."""
    points = np.reshape(colors, (-1, 3))
    converted = np.empty(points.shape, dtype=np.float64)
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        planes = np.ascontiguousarray(points[block].T)
        converted[block] = convert(planes).T
    return converted.reshape(np.shape(colors))
