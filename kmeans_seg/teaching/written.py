"""Files that were written, and how they show in a notebook."""

import base64
import html
import os
from dataclasses import dataclass
from pathlib import Path

# The formats that a browser shows.
SHOWN = ("png", "jpeg", "gif", "webp", "bmp", "avif")


@dataclass(frozen=True)
class WrittenFile:
    """A picture, a film or a page that was written; in a notebook it shows itself.

    Attributes
    ----------
    path
        Where it was written.
    """

    path: Path

    def __repr__(self) -> str:
        """Name the file."""
        return f"<{self.path}>"

    def _repr_html_(self) -> str:
        content = self.path.read_bytes()
        if self.path.suffix.lower() in (".html", ".htm"):
            page = html.escape(content.decode(), quote=True)
            return (
                f'<iframe srcdoc="{page}" title="{html.escape(str(self.path))}" width="100%" '
                'height="720" style="border:1px solid gray;border-radius:6px" '
                'allow="fullscreen"></iframe>'
            )
        kind = self.path.suffix.lower().removeprefix(".").replace("jpg", "jpeg")
        if kind not in SHOWN:
            return html.escape(repr(self))
        data = base64.b64encode(content).decode()
        alt = html.escape(f"steps of a run of k-means: {self.path}")
        return f'<img src="data:image/{kind};base64,{data}" alt="{alt}">'


def written(path: str | os.PathLike[str]) -> WrittenFile:
    """Return a file that was written."""
    return WrittenFile(Path(path))
