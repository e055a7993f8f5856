"""The table of strategies: what "plain" and "fast" are made of."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from .distinct import DistinctColors, canonical_order, distinct_colors
from .exact import Floats
from .fast import clusters, counting, nearest, plusplus
from .lloyd import Clusters, Indices, Labels, nearest_center
from .seeding import Potential


class Strategy(NamedTuple):
    """What a run is made of. Every strategy gives the same bits.

    Attributes
    ----------
    distinct_colors
        Finds the distinct colors of an image and counts them.
    canonical_order
        Orders points so that similar ones are neighbors, whatever their order was.
    potential
        Holds the distances that k-means++ draws by.
    clusters
        Assigns points to centers, and computes the means.
    nearest_center
        Assigns points to centers once.
    """

    distinct_colors: Callable[[Iterable[NDArray[Any]]], DistinctColors]
    canonical_order: Callable[[Floats, Floats], Indices]
    potential: type[Potential]
    clusters: type[Clusters]
    nearest_center: Callable[[Floats, Floats], Labels]


STRATEGIES = {
    "fast": Strategy(
        distinct_colors=counting.distinct_colors,
        canonical_order=counting.canonical_order,
        potential=plusplus.CellPotential,
        clusters=clusters.PrunedClusters,
        nearest_center=nearest.nearest_center,
    ),
    "plain": Strategy(
        distinct_colors=distinct_colors,
        canonical_order=canonical_order,
        potential=Potential,
        clusters=Clusters,
        nearest_center=nearest_center,
    ),
}
