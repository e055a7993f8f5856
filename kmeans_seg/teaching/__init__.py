"""The algorithm step by step on a real picture, for teaching and for learning.

`trace` gives the half-steps of a real run, one by one; `explain` works out the
distances of one pixel in numbers; `animate` and `filmstrip` show a run as
pictures, and `write_page` makes a page to step through it. Nothing is
re-implemented for show: the steps are those that `kmeans_seg.segment` takes.
This package is not imported by `import kmeans_seg`.
"""

from .blackboard import Explanation, explain
from .film import animate, filmstrip
from .page import write_page
from .trace import Assign, Choose, Done, Record, Rehearsal, Update, trace
from .written import WrittenFile

__all__ = [
    "Assign",
    "Choose",
    "Done",
    "Explanation",
    "Record",
    "Rehearsal",
    "Update",
    "WrittenFile",
    "animate",
    "explain",
    "filmstrip",
    "trace",
    "write_page",
]
