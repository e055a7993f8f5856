"""What the benchmarks share: the photos, and the one way in which a time is taken.

`--photos DIR` names a directory of JPEG files. Without it the photos inside
scikit-learn and scikit-image are taken, of which the largest has 2 megapixels.
Left out: what is measured (`test_speed`, `test_growth`, `test_quality`), and
what it comes to (`report`).
"""

import functools
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import skimage
import sklearn
from numpy.typing import NDArray
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

import kmeans_seg

Measure: TypeAlias = Callable[..., Any]

SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
SKIMAGE = Path(skimage.__file__).parent / "data"
SMALL = [
    SKLEARN / "china.jpg",
    SKLEARN / "flower.jpg",
    SKIMAGE / "astronaut.png",
    SKIMAGE / "coffee.png",
]
INSIDE = [*SMALL, SKIMAGE / "retina.jpg", SKIMAGE / "rocket.jpg"]
LARGE = 4e6  # pixels
LOAD = os.getloadavg()[0]  # taken here, before the benchmarks themselves are a load

VERSIONS = (
    *("kmeans_seg", "numpy", "imageio", "pillow", "scikit-learn", "opencv-python-headless"),
    *("scipy", "faiss-cpu", "pytest-benchmark"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--photos", type=Path, metavar="DIR", help="a directory of JPEG photos")


def pytest_configure(config: pytest.Config) -> None:
    # What the peers warn of is not ours to mend.
    config.addinivalue_line("filterwarnings", "default")


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info["ram"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    machine_info["load"] = LOAD
    machine_info["versions"] = {name: metadata.version(name) for name in VERSIONS}


def pixel_count(path: Path) -> int:
    """Count the pixels of a file without decoding it."""
    with Image.open(path) as image:
        return image.width * image.height


def photo_sets(folder: Path | None) -> dict[str, list[Path]]:
    """Choose the photos of each argument that a benchmark can have."""
    photos = INSIDE if folder is None else sorted(folder.glob("*.jp*g"))
    if not photos:
        raise pytest.UsageError(f"--photos {folder}: there is no JPEG file in it")
    photos = sorted(photos, key=pixel_count)
    return {
        "photo": photos,
        "large_photo": [path for path in photos if pixel_count(path) >= LARGE] or photos[-1:],
        "largest_photo": photos[-1:],
        "smallest_photo": photos[:1],
        "small_photo": SMALL,
        "china": SMALL[:1],
        "photo_or_china": list(dict.fromkeys((*photos, SMALL[0]))),
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a benchmark its photos, before its other parameters: all peers take one in turn."""
    for name, photos in photo_sets(metafunc.config.getoption("--photos")).items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, photos, ids=[path.stem for path in photos])


@functools.cache
def pixels(path: Path) -> NDArray[Any]:
    """Read a photo, once."""
    return kmeans_seg.read(path)


@pytest.fixture
def measure(benchmark: BenchmarkFixture) -> Measure:
    """Return the function that takes a time, and notes whatever belongs to it.

    `work`, `photo` and `k` make the group: one table of pytest-benchmark, in
    which everyone does the same. All of a group get as many rounds, and the
    fastest counts: what else the machine does can only slow one down. There
    is no other warm-up than the first round.
    """

    def run(
        function: Callable[..., Any],
        *args: Any,
        work: str,
        peer: str,
        photo: Path | str = "",
        k: int = 0,
        rounds: int = 1,
        **about: Any,
    ) -> Any:
        name = photo.stem if isinstance(photo, Path) else photo
        benchmark.group = ", ".join(filter(None, (work, name, f"k={k}" if k else "")))
        benchmark.extra_info.update(work=work, peer=peer, photo=name, k=k, **about)
        result = benchmark.pedantic(function, args, rounds=rounds)
        benchmark.extra_info.update(outcome(result))
        return result

    return run


def outcome(result: Any) -> dict[str, Any]:
    """Note the iterations of a run, and whatever numbers a benchmark returns by name."""
    if isinstance(result, dict):
        return result
    n_iter = getattr(result, "n_iter", None) or getattr(result, "n_iter_", None)
    return {} if n_iter is None else {"n_iter": int(n_iter)}
