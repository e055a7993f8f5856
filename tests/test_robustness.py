"""Tried to break: any array gives a documented error or a result that holds together; so do files.

docs/robustness.md says how many inputs the heavy dose tries.
"""

import os
import socket
import stat
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import tifffile
from doses import dose
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, from_dtype
from numpy.typing import NDArray
from PIL import Image

import kmeans_seg
from kmeans_seg import (
    ConvergenceWarning,
    FewerClustersWarning,
    NodataWarning,
    read,
    segment,
    write,
)
from kmeans_seg.cli import main
from kmeans_seg.placing import place

DTYPES = "?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">i4", ">f8"
PACKAGE = Path(kmeans_seg.__file__).parent
HUGE = [0.0, 1.0, 1e-320, 5e-324, 1e-200, 1e-160, 1e89, 1e90, 2e90, 1e300, -1e300, 1.7e308]


@st.composite
def images(draw: st.DrawFn) -> NDArray[Any]:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=6))
    elements = from_dtype(dtype)
    few = draw(st.lists(elements, min_size=1, max_size=4))
    if dtype.kind == "f" and dtype.itemsize == 8:
        few.append(draw(st.sampled_from(HUGE)))
    image: NDArray[Any] = draw(arrays(dtype, shape, elements=elements | st.sampled_from(few)))
    match draw(st.sampled_from(["plain", "transposed", "reversed", "sliced", "read-only"])):
        case "transposed":
            image = image.T
        case "reversed":
            image = image[::-1, ..., ::-1] if image.ndim > 1 else image[::-1]
        case "sliced":
            image = np.repeat(image, 2, axis=0)[::2]
        case "read-only":
            image.flags.writeable = False
    return image


@settings(max_examples=dose(50, 2_500), suppress_health_check=list(HealthCheck))
@given(
    images(),
    st.integers(1, 5),
    st.sampled_from(["rgb", "lab", "raw"]),
    st.sampled_from([-1, -1, None, 0]),
    st.sampled_from([0, 0, 0.5, 1e6]),
    st.booleans(),
    st.sampled_from([None, None, 0.5, 0.0]),
    st.sampled_from(["fast", "plain", "blocks"]),
)
def test_any_array_is_refused_or_segmented(
    image: NDArray[Any],
    k: int,
    space: str,
    axis: int | None,
    position: float,
    normalize: bool,
    share: float | None,
    strategy: str,
) -> None:
    before = image.tobytes()
    shape = image.shape
    if axis is not None and image.ndim > 2:
        shape = tuple(np.delete(shape, axis).tolist())
    mask = None if share is None else np.random.default_rng(k).random(shape) < share
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", FewerClustersWarning)
            warnings.simplefilter("ignore", NodataWarning)
            result = segment(
                image, k, space=space, channel_axis=axis, position=position, normalize=normalize,
                mask=mask, strategy=strategy, max_iter=60,
            )  # fmt: skip
    except (TypeError, ValueError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        assert Path(where.filename).is_relative_to(PACKAGE), error
        assert (where.line or "").startswith("raise "), error
        assert "\n" not in str(error)
        return
    finally:
        assert image.tobytes() == before
    assert result.labels.shape == shape
    assert result.painted.shape == image.shape
    assert result.painted.dtype == image.dtype
    outside = np.zeros(shape, np.bool_) if mask is None else ~mask
    assert not (result.labels[outside] != -1).any()
    inside = result.labels[result.labels >= 0]
    found = len(result.centers)
    assert 1 <= found <= k
    np.testing.assert_array_equal(np.bincount(inside, minlength=found), result.counts)
    assert (result.counts > 0).all()
    assert np.isfinite(result.centers).all()
    assert np.isfinite(result.inertia)
    assert result.inertia >= 0
    # Every label is that of the nearest center, by the plain distances.
    np.testing.assert_array_equal(result.predict(image, mask=mask), result.labels)


def seeds(folder: Path) -> dict[str, bytes]:
    """Make a small file of every format."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    stack = rng.integers(0, 4, (3, 9, 11, 3), dtype=np.uint8) * 60
    deep = rng.integers(0, 65536, (9, 11, 4), dtype=np.uint16)
    contents: dict[str, NDArray[Any]] = {
        "a.png": rgb, "b.png": deep, "c.png": stack, "d.png": rgb[..., :2], "a.jpg": rgb,
        "a.tif": rgb, "b.tif": stack, "c.tif": deep, "a.gif": stack, "a.webp": rgb,
        "b.webp": stack, "a.bmp": rgb, "a.npy": rgb.astype(np.float32),
        "d.tif": np.dstack((rgb, rgb)), "e.tif": deep[..., 0], "f.tif": rgb.astype(np.float32),
        "a.avif": rgb, "a.jp2": rgb, "a.ppm": rgb,
    }  # fmt: skip
    Image.init()
    if "AVIF" not in Image.SAVE:  # in an older Pillow
        del contents["a.avif"]
    for name, content in contents.items():
        write(folder / name, content)
    (folder / "a.pgm").write_bytes(b"P5 11 9 65535\n" + deep[..., 0].astype(">u2").tobytes())
    tiles: dict[str, Any] = {
        "tile": (16, 16),
        "bigtiff": True,
        "photometric": "rgb",
        "compression": "zlib",
    }
    tifffile.imwrite(folder / "g.tif", deep, extrasamples=["unassalpha"], **tiles)
    tifffile.imwrite(folder / "h.tif", stack, ome=True, photometric="rgb")
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(folder / "a.heic")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# A header that is changed may speak of gigabytes, which the limit allows but take their time.
LIMIT = 2**26


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, repeat, insert or overwrite some bytes, often in the header."""
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        reach = len(content) if rng.random() < 0.5 else min(64, len(content))
        place, length = int(rng.integers(0, reach + 1)), int(rng.integers(1, 9))
        match int(rng.integers(0, 5)):
            case 0:
                del content[place:]
            case 1:
                content[place:place] = content[place : place + 8 * length]
            case 2:
                content[place:place] = rng.bytes(length)
            case 3:
                content[place : place + length] = rng.bytes(length)
            case _:
                content[place : place + length] = bytes([rng.choice([0, 255, 127, 128])]) * length
    return bytes(content)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of decoders
@pytest.mark.filterwarnings("ignore:.* channels is not alpha:UserWarning")  # a mutation can do that
def test_a_mutated_file_is_read_or_refused(tmp_path: Path) -> None:
    files = seeds(tmp_path)
    rng = np.random.default_rng(0)
    path = tmp_path / "mutated"
    for _ in range(dose(10, 500)):
        for name, data in files.items():
            content = mutated(data, rng)
            path.write_bytes(content)
            try:
                image = read(path, max_bytes=LIMIT)
            except ValueError as error:
                assert str(error).startswith(f"{path}: "), (name, content)
            else:
                assert image.dtype.kind in "buif"
                assert image.ndim >= 2
                assert image.size


def test_the_command_survives_mutated_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = seeds(tmp_path)
    rng = np.random.default_rng(1)
    folder = tmp_path / "work"
    folder.mkdir()
    image = folder / "image"
    for _ in range(dose(2, 100)):
        for name, data in files.items():
            image.write_bytes(mutated(data, rng))
            status = main([str(image), "--force", "-k", "2", "--max-bytes", str(LIMIT)])
            shown = capsys.readouterr()
            made = sorted(path.name for path in folder.iterdir() if path != image)
            if status:
                assert status == 1
                assert made == [], name
                assert shown.out == ""
                assert len(shown.err.splitlines()) >= 1
                assert all(line.startswith("kmeans-seg: ") for line in shown.err.splitlines())
            else:
                assert len(made) == 1
                assert read(folder / made[0]).size
                (folder / made[0]).unlink()


THINGS = "nothing", "file", "private file", "directory", "FIFO", "socket", "link", "dangling link"


def put_something(kind: str, path: Path, rng: np.random.Generator) -> None:
    """Put a thing at a path."""
    match kind:
        case "file" | "private file":
            path.write_bytes(rng.bytes(9))
            path.chmod(0o600 if kind == "private file" else 0o644)
        case "directory":
            path.mkdir()
        case "FIFO":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(os.path.relpath(path))  # the name of a socket must be short
        case "link":  # to another of the names, whatever is there
            path.symlink_to(str(rng.choice(NAMES)))
        case "dangling link":
            path.symlink_to("nowhere")


def found(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """Return all that there is in a folder, by name: its kind and mode, and what it holds."""
    contents: dict[str, tuple[int, bytes | str]] = {}
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        content: bytes | str = ""
        if stat.S_ISLNK(mode):
            content = str(path.readlink())
        elif stat.S_ISREG(mode):
            content = path.read_bytes()
        contents[path.name] = mode, content
    return contents


NAMES = "a.npy", "b.npy", "c.npy"


@pytest.mark.skipif(os.name != "posix", reason="needs the files of Unix")
def test_any_target_is_written_as_asked_or_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    link, results = os.link, {"written": 0, "refused": 0}
    tries = dose(300, 10_000)
    for number in range(tries):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in NAMES:
            put_something(str(rng.choice(THINGS)), folder / name, rng)
        names = rng.permutation(NAMES)[: rng.integers(1, 4)].tolist()
        outputs = [(folder / name, rng.bytes(5)) for name in names]
        overwrite, late = bool(rng.integers(2)), rng.random() < 0.3

        def intrude(*paths: Any) -> None:
            """Be another program, which takes a name just before it is given."""
            path = folder / str(rng.choice(names))  # noqa: B023  # called in this pass only
            if not os.path.lexists(path):
                path.write_bytes(b"precious")
                before[path.name] = path.stat().st_mode, b"precious"  # noqa: B023
            link(*paths)

        before = found(folder)
        with pytest.MonkeyPatch.context() as patch:
            if late:
                patch.setattr(os, "link", intrude)
            try:
                place(outputs, overwrite=overwrite)
            except (OSError, ValueError) as error:
                assert any(name in str(error) for name in names)
                assert found(folder) == before
                results["refused"] += 1
                continue
        after = found(folder)
        results["written"] += 1
        written = {os.path.realpath(path): data for path, data in outputs}
        assert len(written) == len(outputs)
        for path, data in written.items():
            assert Path(path).read_bytes() == data
        for name, (mode, content) in after.items():
            is_output = str(folder / name) in written
            if name in before:  # a file that is replaced keeps its mode, and all else stays
                assert mode == before[name][0]
                assert is_output or content == before[name][1]
                assert overwrite or not is_output
            else:
                assert is_output
    assert min(results.values()) > tries // 8
