"""Scale an image down to a preview: small enough to show and to cluster while one waits.

Each pixel of the preview is the mean of an area of the image. Left out:
scaling up, and the gamma of sRGB: the values are averaged as they are stored,
like those of the clusters.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import validation
from ..display import shrunk, size_within
from ..image import unwrapped

WIDEST = 10_000  # pixels: a picture of that many rows takes 300 MB


def preview(image: ArrayLike, width: int = 320) -> NDArray[np.uint8]:
    """Scale an image down by averaging areas, to 8 bits per channel.

    Parameters
    ----------
    image
        Array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16, bool, or
        floating point in [0, 1]; or with an alpha channel, (H, W, 2) or
        (H, W, 4).
    width
        The preview is at most that wide, and has at most `width` squared
        pixels, which bounds the height of a tall one. An image that is small
        enough keeps its size. At most 10,000.

    Returns
    -------
    preview
        Array (h, w) or (h, w, 3) of uint8. Where some pixels of the image are
        fully transparent, (h, w, 2) or (h, w, 4): alpha is 0 where no pixel of
        the area is visible, else 255, and only visible ones are averaged.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the form above.

    Examples
    --------
    >>> preview(np.array([[0, 10, 40, 60], [20, 10, 40, 60]], np.uint8), width=2)
    array([[10, 50]], dtype=uint8)
    """
    picture = as_picture(image)
    width = validation.as_count("width", width, most=WIDEST)
    rows, columns = size_within(picture.shape, width)
    visible = None
    if picture.ndim == 3 and picture.shape[2] in (2, 4):
        seen = picture[..., -1:] != 0
        visible = shrunk(seen.astype(np.float64), rows, columns)
        # Transparent pixels count as 0, and are then taken out of the mean.
        small = shrunk(np.where(seen, picture[..., :-1], 0), rows, columns)
        small = small / np.where(visible > 0, visible, 1)
    else:
        small = shrunk(picture, rows, columns)
    match picture.dtype.kind, picture.dtype.itemsize:
        case ("b", _) | ("f", _):
            small = small * 255
        case ("u", 2):
            small = small / 257
    result = np.rint(small).astype(np.uint8)
    if visible is not None:
        alpha = np.where(visible > 0, 255, 0).astype(np.uint8)
        if alpha.all():
            result = result if result.shape[2] == 3 else result[..., 0]
        else:
            result = np.concatenate([result, alpha], axis=2)
    return np.ascontiguousarray(result)


def on_paper(shown: NDArray[np.uint8], paper: Sequence[int]) -> NDArray[np.uint8]:
    """Return the colors of a preview, (h, w, C), without alpha; transparent pixels are paper."""
    pixels = np.atleast_3d(shown)
    if pixels.shape[2] in (1, 3):
        return pixels
    colors = np.broadcast_to(pixels[..., :-1], (*pixels.shape[:2], 3))
    return np.where(pixels[..., -1:] > 0, colors, np.asarray(paper, np.uint8))


def with_alpha(image: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    """Make masked pixels transparent: `segment` leaves them out, too."""
    values = np.ma.getdata(image)
    if values.ndim not in (2, 3):
        return values  # no picture
    values = values.reshape(*values.shape[:2], -1)
    hidden = np.ma.getmaskarray(image).reshape(values.shape).any(axis=2)
    if values.shape[2] not in (2, 4):
        values = np.concatenate((values, np.ones_like(values[..., :1])), axis=2)
    shown = values.copy()
    shown[hidden] = 0
    return shown


def as_picture(image: ArrayLike) -> NDArray[Any]:
    """Check an image that can be shown, gray or RGB in a range that is known.

    It keeps its alpha channel only if some of its pixels are fully transparent. Pixels that
    `numpy.ma` masks become so.
    """
    image = unwrapped(image)
    if validation.is_masked(image):
        image = with_alpha(np.ma.asarray(image))
    array = validation.as_numbers("image", image, advice="read it as numbers first")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.size == 0 or array.ndim not in (2, 3) or channels not in (1, 2, 3, 4):
        raise ValueError(
            f"image has shape {array.shape}: to be shown it must be gray (H, W) or RGB (H, W, 3), "
            "with or without alpha, and not empty; "
            + (
                "choose one picture of it first (in the terminal by --page)"
                if array.ndim > 3
                else "choose the channels to show first"
            )
        )
    if channels in (2, 4):
        if not array[:, :, -1].any():
            raise ValueError("image has no pixel to show: alpha is 0 everywhere")
        if array[:, :, -1].all():
            array, channels = array[:, :, :-1], channels - 1
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if low < 0 or high > 1:
            raise ValueError(
                f"image goes from {low} to {high}: to be shown floating point must lie in [0, 1]; "
                "divide by the largest possible value first"
            )
    elif array.dtype not in (np.bool_, np.uint8, np.uint16):
        raise TypeError(
            f"image has dtype {array.dtype}: to be shown it must be uint8, uint16, "
            "or floating point in [0, 1]; convert it first"
        )
    return array
