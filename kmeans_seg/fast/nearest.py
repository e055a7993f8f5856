"""The nearest center of points that are read once: the labels of `lloyd.nearest_center`, sooner.

One product in single precision gives |x - c|² - |x - m|² for points x and
centers c, where m is in the middle of the centers. Where the nearest is ahead
of the second by more than all rounding, it is decided. The few other points go
the plain way.
"""

import numpy as np

from ..exact import Floats
from ..lloyd import Labels
from ..lloyd import nearest_center as plain_nearest_center
from ..principal import PRODUCT
from .cells import FARTHEST, SINGLE

SCORES = 2**17  # worked on at a time: they stay in the cache


def nearest_center(points: Floats, centers: Floats) -> Labels:
    """Assign each point (n, C) to its nearest of k centers; a tie goes to the lowest index.

    >>> nearest_center(np.array([[1.0], [2.0], [9.0]]), np.array([[0.0], [4.0], [8.0]]))
    array([0, 0, 2], dtype=int32)
    """
    k, channels = centers.shape
    labels = np.zeros(len(points), np.int32)
    if k == 1:
        return labels
    low, high = centers.min(axis=0), centers.max(axis=0)
    middle = low + (high - low) / 2
    # What is usual for the centers is scaled to about 1, where single precision has most range.
    away = np.square(high - middle).sum()
    scale = np.ldexp(1.0, -int(np.clip(np.frexp(np.sqrt(away))[1], -500, 500)))
    offsets = (centers - middle) * scale
    squares = np.square(offsets).sum(axis=1)
    farthest = np.sqrt(squares.max())
    factors = np.empty((k, channels + 1), np.float32)
    factors[:, :-1] = -2 * offsets
    factors[:, -1] = squares
    names = np.arange(k, dtype=np.min_scalar_type(k))[:, np.newaxis]
    size = max(256, SCORES // k)
    for start in range(0, len(points), size):
        some = points[start : start + size]
        rows = np.ones((channels + 1, len(some)), np.float32)
        centered = some.T - middle[:, np.newaxis]
        centered *= scale
        if max(float(centered.max()), -float(centered.min())) > FARTHEST:
            # The margin is larger than any score then: such points go the plain way.
            centered = centered.clip(-FARTHEST, FARTHEST)
        rows[:-1] = centered
        scores = np.empty((k, len(some)), np.float32)
        columns = max(64, PRODUCT // (k * (channels + 1)))
        for first in range(0, len(some), columns):
            part = slice(first, first + columns)
            np.matmul(factors, rows[:, part], out=scores[:, part])
        best = scores.min(axis=0)
        is_best = scores == best
        found = labels[start : start + size]
        found[:] = (is_best * names).max(axis=0)
        # Not negative, they are ordered as their bits are: less 1, a zero becomes the largest.
        leads = np.subtract(scores, best, out=scores).view(np.uint32)
        leads -= 1
        lead = (leads.min(axis=0) + 1).view(np.float32)
        # As in `pruning`: the rounding of two scores, and of what goes into them.
        reach = np.sqrt(np.square(rows[:-1]).sum(axis=0)) * (1 + 1e-3) + farthest
        margin = (2 * channels + 6) * SINGLE * np.square(reach) + 1e-30
        alone = np.add.reduce(is_best, axis=0, dtype=names.dtype) == 1
        unclear = np.flatnonzero(~(alone & (lead > margin)))
        if unclear.size:
            found[unclear] = plain_nearest_center(some[unclear], centers)
    return labels
