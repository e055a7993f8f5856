"""The table of strategies: the only place where the core meets its fast twins."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .distinct import DistinctColors, distinct_colors
from .fast import clusters, counting, plusplus
from .lloyd import Clusters
from .seeding import Potential


@dataclass(frozen=True)
class Strategy:
    """What a run is made of. Every strategy gives the same bits.

    Attributes
    ----------
    distinct_colors
        Finds the distinct colors of an image and counts them.
    potential
        Draws the initial centers of k-means++.
    clusters
        Assigns points to centers, and computes the means.
    """

    distinct_colors: Callable[[Iterable[NDArray[Any]]], DistinctColors]
    potential: type[Potential]
    clusters: type[Clusters]


STRATEGIES = {
    "fast": Strategy(counting.distinct_colors, plusplus.CellPotential, clusters.PrunedClusters),
    "plain": Strategy(distinct_colors, Potential, Clusters),
}
