"""The distance, and the plain assignment: every point to every center, the nearest wins.

Steps 2, 3 and 5 of the algorithm stand here. `squared_distances` is the only
distance in the package. This file leaves out every shortcut: a faster way to
the same labels belongs in a file of its own, and this one is what it is
tested against.
"""

from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int32]
SmallLabels: TypeAlias = NDArray[np.integer[Any]]  # in as few bytes as they fit
Indices: TypeAlias = NDArray[np.intp]
AnyFloat = TypeVar("AnyFloat", bound=np.floating[Any])

# Distances computed at a time: 256 KiB of them stay in the processor's cache.
BLOCK = 2**15


def squared_distances(points: NDArray[AnyFloat], others: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """Compute squared Euclidean distances, channel by channel.

    The leading axes broadcast against each other, so one function serves
    every use: all points to all centers (`points[:, np.newaxis]` against
    `centers`), all points to one center, each point to a center of its own.

    The channels are added in a fixed order and each element on its own, so
    that a distance has the same bits whatever the layout of the arrays, the
    size of a block or the width of the processor's vectors.

    Parameters
    ----------
    points, others
        Arrays (..., C) of float64 (or float32, where the caller knows that it
        is enough) whose leading axes broadcast.

    Returns
    -------
    distances
        Array (...) of the same dtype, in squared units of the points.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> centers = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    >>> squared_distances(points[:, np.newaxis], centers)
    array([[ 0.,  9.,  1.],
           [25., 16., 18.]])
    """
    total = np.square(points[..., 0] - others[..., 0])
    for channel in range(1, points.shape[-1]):
        total += np.square(points[..., channel] - others[..., channel])
    return total


def nearest_center(points: Floats, centers: Floats) -> Labels:
    """Assign each point to its nearest center; a tie goes to the lowest index.

    Parameters
    ----------
    points
        Array (n, C) of float64.
    centers
        Array (k, C) of float64.

    Returns
    -------
    labels
        Array (n,) of int32, from 0 to k - 1.

    Examples
    --------
    >>> nearest_center(np.array([[1.0], [2.0], [9.0]]), np.array([[0.0], [4.0], [8.0]]))
    array([0, 0, 2], dtype=int32)
    """
    labels = np.empty(len(points), np.int32)
    size = max(1, BLOCK // len(centers))
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        distances = squared_distances(points[block], centers[:, np.newaxis])
        labels[block] = first_of(distances == distances.min(axis=0))  # the lowest index of equals
    return labels


def own_distances(points: Floats, centers: Floats, labels: SmallLabels) -> Floats:
    """Compute the squared distance of each point to the center of its label, block by block."""
    distances = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        own = centers.T.take(labels[block], axis=1).T  # with each channel contiguous
        distances[block] = squared_distances(points[block], own)
    return distances


def first_of(found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the first place along axis 0 where `found` is true; faster than argmax and argmin."""
    k = len(found)
    marks = np.arange(k, 0, -1, dtype=np.min_scalar_type(k)).reshape(-1, *[1] * (found.ndim - 1))
    place: NDArray[np.intp] = k - (found * marks).max(axis=0).astype(np.intp)
    return place


class Assigner(Protocol):
    """Assigns points to centers, time and again.

    A call takes the centers and returns the labels, and the indices of the
    points whose label changed since the call before, ascending.
    """

    def __call__(self, centers: Floats) -> tuple[SmallLabels, Indices]:
        """Assign each point to its nearest center; a tie goes to the lowest index."""

    def reorder(self, order: Indices) -> None:
        """From now on the center that was number order[i] is number i."""


class Broadcast:
    """The plain assigner: every distance, every time."""

    def __init__(self, points: Floats, labels: SmallLabels) -> None:
        self._points, self._labels = points, labels

    def __call__(self, centers: Floats) -> tuple[Labels, Indices]:
        """Assign each point to its nearest center; a tie goes to the lowest index."""
        previous, self._labels = self._labels, nearest_center(self._points, centers)
        return self._labels, np.flatnonzero(self._labels != previous)

    def reorder(self, order: Indices) -> None:
        """From now on the center that was number order[i] is number i."""
        self._labels = order.argsort().astype(np.int32)[self._labels]
