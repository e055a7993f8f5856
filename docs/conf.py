"""How the documentation is built: `sphinx-build -W --keep-going -b html docs build/docs`.

Every page with code is run at each build, and any warning is an error. Nothing
is fetched from the network, neither by the build nor by the pages.
"""

import importlib
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for pictures.py, where a page is not run in a kernel

project = "kmeans_seg"
author = "The kmeans_seg maintainers"
project_copyright = author
version = release = version_of("kmeans_seg")
language = "en"

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

# Pages are run from nothing at every build, and an error in one ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 60
nb_execution_show_tb = True
nb_output_stderr = "warn"
nb_merge_streams = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # the words of the docstrings say more, and less at a time
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
viewcode_line_numbers = True
toc_object_entries_show_parents = "hide"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "kmeans_seg"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_js_files = ["live.js"]
html_favicon = "_static/icon.svg"
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_sidebars = {"index": []}
html_theme_options: dict[str, Any] = {
    "logo": {
        "text": "kmeans_seg",
        "image_light": "_static/icon.svg",
        "image_dark": "_static/icon.svg",
        "alt_text": "",
    },
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "primary_sidebar_end": [],
    "show_toc_level": 2,
    "show_nav_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

logger = logging.getLogger(__name__)


def stay_inside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Let pages that are read in the repository too link to the pages that are here."""
    if docname in ("design", "benchmarks"):
        source[0] = source[0].replace("(../README.md)", "(index.md)")


def check_reference(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of every public name that the reference does not have."""
    documented = env.domains.python_domain.objects
    for package in ("kmeans_seg", "kmeans_seg.teaching"):
        for name in importlib.import_module(package).__all__:
            if f"{package}.{name}" not in documented:
                logger.warning("%s.%s is public, and not in the reference", package, name)


def show_no_constructor(
    app: Sphinx, what: str, name: str, obj: Any, options: object, signature: str, result: str
) -> tuple[str, str] | None:
    """Show classes without parameters: nobody makes their objects but the library."""
    own = what == "class" and not issubclass(obj, Exception)
    return ("", "") if own else None


def write_live_pages(app: Sphinx, error: Exception | None) -> None:
    """Write the live pages that the lessons show."""
    if error is not None or app.builder.format != "html":
        return
    import pictures

    from kmeans_seg.teaching import write_page

    folder = Path(app.outdir, "live")
    folder.mkdir(exist_ok=True)
    for name, (image, k, title) in pictures.live_pages().items():
        write_page(image, k, folder / f"{name}.html", init="k-means++", title=title)


def setup(app: Sphinx) -> None:
    """Connect what is above to the build."""
    app.connect("source-read", stay_inside)
    app.connect("env-check-consistency", check_reference)
    app.connect("autodoc-process-signature", show_no_constructor)
    app.connect("build-finished", write_live_pages)
