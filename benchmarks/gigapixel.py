"""Segment a memory-mapped image of a gigapixel in at most 1 GB of private memory.

    python -m benchmarks.gigapixel [--photo FILE] [--side 32768] [-k 8]

The image is made in a temporary directory, of copies of a photo that differ in
brightness: 3.2 GB, and 1.1 GB for its labels. Each measurement is a process
of its own under a hard limit (RLIMIT_DATA), which maps the files and nothing
else of them; beside it the same is measured for 10 megapixels.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import numpy as np

LIMIT = 10**9  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--side", type=int, default=32768)
    parser.add_argument("-k", type=int, default=8)
    parser.add_argument("--measure", nargs=3, metavar=("IMAGE", "HEIGHT", "WIDTH"))
    args = parser.parse_args()
    if args.measure:
        measure(Path(args.measure[0]), int(args.measure[1]), int(args.measure[2]), args.k)
        return
    with tempfile.TemporaryDirectory() as folder:
        for height, width in ((2500, 4000), (args.side, args.side)):
            image = Path(folder, "image.raw")
            make(image, height, width, args.photo)
            command = [sys.executable, "-m", "benchmarks.gigapixel", "-k", str(args.k)]
            arguments = ["--measure", str(image), str(height), str(width)]
            subprocess.run([*command, *arguments], check=True)


def make(path: Path, height: int, width: int, photo: Path | None) -> None:
    """Write an image of copies of a photo, each a little darker or brighter."""
    from skimage import data

    from kmeans_seg import read

    tile = data.coffee() if photo is None else read(photo)  # type: ignore[no-untyped-call]
    image = np.memmap(path, np.uint8, "w+", shape=(height, width, 3))
    rng = np.random.default_rng(0)
    for row in range(0, height, len(tile)):
        for column in range(0, width, tile.shape[1]):
            part = image[row : row + len(tile), column : column + tile.shape[1]]
            shift = int(rng.integers(-20, 21))
            part[:] = (tile[: part.shape[0], : part.shape[1]].astype(np.int16) + shift).clip(0, 255)
    image.flush()


def measure(path: Path, height: int, width: int, k: int) -> None:
    """Segment an image under the limit and print what it took."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    from kmeans_seg import segment

    image = np.memmap(path, np.uint8, "r", shape=(height, width, 3))
    out = np.memmap(path.with_suffix(".labels"), np.uint8, "w+", shape=(height, width))
    start = time.perf_counter()
    with Peak() as peak:
        result = segment(image, k, out=out)
        out.flush()
    seconds = time.perf_counter() - start
    megapixels = height * width / 1e6
    print(
        f"{megapixels:.0f} MP, {len(result.counts)} segments after {result.n_iter} iterations: "
        f"{seconds:.1f} s, {megapixels / seconds:.0f} megapixels per second, "
        f"private memory at most {peak.bytes / 1e6:.0f} MB, limit {LIMIT / 1e6:.0f} MB"
    )


class Peak:
    """The most private memory that there is meanwhile, as the limit counts it: looked at often."""

    def __enter__(self) -> Self:
        """Begin to look."""
        self.start = self.bytes = self._private()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.05):
            self.bytes = max(self.bytes, self._private())

    def _private(self) -> int:
        status = Path("/proc/self/status").read_text()
        data = next(line.split()[1] for line in status.splitlines() if line[:6] == "VmData")
        return 1024 * int(data)


if __name__ == "__main__":
    main()
