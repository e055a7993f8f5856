"""Floating-point errors: handled by NumPy's defaults, whatever a caller has set by `numpy.seterr`.

Squares of tiny differences underflow to 0, and so does what single precision
cannot hold: that is meant, and NumPy says nothing of it by default. But a
caller who looks for errors of his own may have made it an exception. So the
public functions do their work in `default_errstate`, and leave it to call back.
"""

from collections.abc import Generator
from typing import TypeVar

import numpy as np

Event = TypeVar("Event")
Result = TypeVar("Result")

# A decorator, not a context to be entered: as such it serves many threads, and calls in calls.
default_errstate = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


def each_in_default_errstate(
    events: Generator[Event, None, Result],
) -> Generator[Event, None, Result]:
    """Advance a generator in the default state, and yield in the state of whoever asked.

    A state set inside of a generator would leak to its caller at each yield.

    >>> def states():
    ...     yield np.geterr()["under"]
    >>> with np.errstate(under="raise"):
    ...     next(each_in_default_errstate(states())), np.geterr()["under"]
    ('ignore', 'raise')
    """
    advance = default_errstate(next)
    while True:
        try:
            event = advance(events)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield event
