"""A mark for tests of what other systems do not have."""

import os

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="needs files, signals or limits of POSIX")
