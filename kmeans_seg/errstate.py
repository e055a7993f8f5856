"""Floating-point errors follow NumPy's defaults, whatever the caller has set by `numpy.seterr`.

Squares of tiny differences underflow to 0, and so do casts to half and single
precision. Both are intended, and NumPy ignores them by default. A caller may
have made them exceptions, to find errors in other code. So the public functions
work in `default_errstate`, and callbacks run in the state of the caller.
"""

from collections.abc import Generator
from typing import TypeVar

import numpy as np

Event = TypeVar("Event")
Result = TypeVar("Result")

# To be used as a decorator: entered as a context, one object would not serve several threads.
default_errstate = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


def each_in_default_errstate(
    events: Generator[Event, None, Result],
) -> Generator[Event, None, Result]:
    """Advance a generator in the default state, and yield in the state of the caller.

    A state that is set inside a generator leaks to the caller at each yield.

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
