"""A Chromium that tests can drive with Playwright.

Without one of the two, the tests that need them are skipped, except in the heavy dose,
where they fail.
"""

import shutil
from collections.abc import Iterator

import pytest
from doses import THOROUGH

if not THOROUGH:
    pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one Chromium for all the tests of a file."""
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium"
        if THOROUGH:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()
