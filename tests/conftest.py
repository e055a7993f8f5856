"""What many tests share."""

import signal

import pytest
from doses import dose
from hypothesis import settings
from pages import files as files

from kmeans_seg.strategies import STRATEGIES

# No deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("kmeans_seg", deadline=None, max_examples=dose(15, 150))
settings.load_profile("kmeans_seg")

# A shell ignores Ctrl-C in what it runs in the background, and `nohup` the end of a terminal. So
# would the processes that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


# For the whole session, since Hypothesis refuses fixtures that live for one test.
@pytest.fixture(params=STRATEGIES, scope="session")
def strategy(request: pytest.FixtureRequest) -> str:
    """Return the name of every strategy of assignment in turn, the newest included."""
    name: str = request.param
    return name
