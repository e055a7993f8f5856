"""Make page.png, the picture of the teaching page in the README.

    python docs/images/page.py

It needs Playwright (extra `dev`) and Chromium on the path.
"""

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import sync_playwright

from kmeans_seg import read
from kmeans_seg.teaching import write_page

SIZE = {"width": 1280, "height": 720}


def main() -> None:
    """Write the page, open it at a moment, and take its picture."""
    photo = read(str(files("kmeans_seg") / "data" / "coffee.jpg"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder, "page.html")
        write_page(photo, 6, page_file, init="k-means++", title="k-means, step by step", lang="en")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.goto(f"{page_file.as_uri()}#step=14&pixel=150.300")
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(__file__).with_name("page.png"))
        browser.close()


if __name__ == "__main__":
    main()
