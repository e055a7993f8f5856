"""How much the tests try: a light dose, or a heavy one with KMEANS_SEG_THOROUGH=1.

The heavy one tries more inputs, and runs tests that the light one leaves out. The light one keeps
the whole suite fast enough to run at every change; CI runs both.
"""

import os
from typing import TypeVar

import pytest

Dose = TypeVar("Dose")

THOROUGH = os.environ.get("KMEANS_SEG_THOROUGH", "") not in ("", "0")


# What the light dose leaves out altogether.
thorough = pytest.mark.skipif(not THOROUGH, reason="heavy: set KMEANS_SEG_THOROUGH=1")


def dose(light: Dose, heavy: Dose) -> Dose:
    """Return how much to try."""
    return heavy if THOROUGH else light
