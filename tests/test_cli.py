"""The command on real files: as a process where it counts, called directly where it does not."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile
from doses import dose, thorough
from numpy.typing import NDArray
from PIL import Image
from platforms import posix
from samples import COFFEE, coffee

from kmeans_seg.cli import ENDING, main
from kmeans_seg.files import read, write
from kmeans_seg.placing import Output
from kmeans_seg.segmentation import segment
from kmeans_seg.teaching import write_page

COMMAND = [sys.executable, "-m", "kmeans_seg"]
LINE = re.compile(r"(.+): (\d+)x(\d+), k=(\d+), (\d+) passes, \d+\.\d\d s -> (.+)")


class Ran(NamedTuple):
    """The end of a command, with the names that `subprocess` uses."""

    returncode: int
    stdout: str
    stderr: str


def run(*args: str | Path, cwd: Path) -> Ran:
    """Run the command in this process, which is faster than in one of its own."""
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        status = main([*map(str, args)])
    return Ran(status, out.getvalue(), err.getvalue())


def run_as_process(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return photos: RGB as JPEG and as PNG, and gray."""
    folder = tmp_path_factory.mktemp("photos")
    write(folder / "color.png", coffee()[::2, 1::2])
    write(folder / "gray.png", coffee()[..., 1])
    return {"coffee.jpg": COFFEE, **{path.name: path for path in folder.iterdir()}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dots(folder: Path) -> Path:
    """Make dots.png, a small image to segment, in the current directory."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    write(folder / "dots.png", pixels)
    return Path("dots.png")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on stderr, having checked that there is one, and none on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kmeans-seg: ")
    assert err.count("\n") == 1
    return err


# What it does


def test_a_photo_is_segmented(tmp_path: Path, photos: dict[str, Path]) -> None:
    shutil.copy(photos["coffee.jpg"], tmp_path)
    done = run_as_process("coffee.jpg", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    line = LINE.fullmatch(done.stdout.rstrip("\n"))
    assert line is not None
    expected = segment(read(photos["coffee.jpg"]), 3)
    assert line.groups() == (
        *("coffee.jpg", "480", "320", "3", str(expected.n_iter)),
        "coffee-segmented.png",
    )
    assert np.array_equal(read(tmp_path / "coffee-segmented.png"), expected.painted)
    assert names(tmp_path) == ["coffee-segmented.png", "coffee.jpg"]


def test_the_options_reach_segment(tmp_path: Path, photos: dict[str, Path]) -> None:
    done = run(
        *(photos["color.png"], "-k", "5", "--space", "lab", "--seed", "7"),
        *("-o", "out.bmp", "--labels", "labels.png"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip("\n").endswith(" -> out.bmp, labels.png")
    expected = segment(read(photos["color.png"]), 5, space="lab", rng=7)
    assert np.array_equal(read(tmp_path / "out.bmp"), expected.painted)
    labels = read(tmp_path / "labels.png")
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, expected.labels)


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, photos: dict[str, Path]) -> None:
    for photo in photos.values():
        shutil.copy(photo, tmp_path)
    (tmp_path / "note.txt").write_text("not an image\n")
    (tmp_path / "cut.jpg").write_bytes(photos["coffee.jpg"].read_bytes()[:20_000])
    (tmp_path / "folder").mkdir()
    write(tmp_path / "clear.png", np.zeros((4, 4, 4), np.uint8))  # all transparent
    done = run(
        *("missing.jpg", "gray.png", "note.txt", "cut.jpg", "folder", ".", "clear.png"),
        "color.png",
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "gray.png",
        "color.png",
    ]
    reasons = [
        r"missing\.jpg: No such file or directory: check the name",
        r"note\.txt: not an image of a known format: save it as PNG, JPEG or TIFF first",
        r"cut\.jpg: the image is damaged or cut short: get the file again",
        r"folder: Is a directory: name the files in it",
        r"\.: Is a directory: name the files in it",
        r"clear\.png: image has no pixel left.*alpha is 0",
    ]
    lines = done.stderr.splitlines()
    assert len(lines) == len(reasons)
    for line, reason in zip(lines, reasons, strict=True):
        assert re.match(f"kmeans-seg: {reason}", line), line
    assert {"gray-segmented.png", "color-segmented.png"} < set(names(tmp_path))


def test_the_demo(tmp_path: Path) -> None:
    first = run("--demo", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    line = LINE.fullmatch(first.stdout.rstrip("\n"))
    assert line is not None
    assert line[1] == "coffee.jpg"
    assert line[6] == "coffee-segmented.png"
    assert names(tmp_path) == ["coffee-segmented.png"]
    picture = read(tmp_path / "coffee-segmented.png")
    assert picture.shape == (320, 480, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3
    again = run("--demo", "-k", "4", cwd=tmp_path)
    assert again.returncode == 0
    picture = read(tmp_path / "coffee-segmented.png")
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 4


def test_the_demo_replaces_nothing_that_is_named(
    dots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dots.read_bytes()
    assert main(["--demo", "-o", "dots.png"]) == 1
    assert "coffee.jpg: dots.png: File exists: add --force" in error_of(capsys)
    assert dots.read_bytes() == before


def test_the_demo_photo_is_small_and_has_its_license() -> None:
    assert COFFEE.stat().st_size <= 40_000
    assert "CC0" in (COFFEE.parent / "LICENSE-coffee.txt").read_text()


# The live line


def on_a_terminal(
    *args: str, cwd: Path, interrupt: bool = False
) -> tuple[int, str, bytes, dict[str, bytes]]:
    """Run the command with a terminal for stderr; return status, stdout, stderr and the files.

    With `interrupt`, press Ctrl-C when the first pass shows.
    """
    pty = pytest.importorskip("pty")
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *args], cwd=cwd, stdout=subprocess.PIPE, stderr=terminal, text=True
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            data = os.read(reader, 1024)
        except OSError:  # Linux has it so when the other side is closed
            break
        if not data:
            break
        shown += data
        if interrupt and b"pass 1," in shown:
            process.send_signal(signal.SIGINT)
            interrupt = False
    os.close(reader)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out, shown, {p.name: p.read_bytes() for p in cwd.iterdir()}


def test_a_terminal_shows_the_passes(dots: Path, folder: Path) -> None:
    status, out, shown, _ = on_a_terminal("dots.png", cwd=folder)
    assert status == 0
    assert LINE.fullmatch(out.rstrip("\n"))
    expected: list[str] = []
    segment(
        *(read(dots), 3),
        callback=lambda step: expected.append(
            f"dots.png: pass {step.iteration}, {step.reassigned_weight:.0f} pixels reassigned"
        ),
    )
    lines = shown.decode().split("\r")
    steps = [line.rstrip() for line in lines if line.strip()]
    assert steps == expected
    assert steps[0] == "dots.png: pass 1, 72 pixels reassigned"
    # In the end the line is blank, as far as any text reached, and the cursor at its start.
    assert lines[-1] == ""
    assert lines[-2].isspace()
    assert len(lines[-2]) >= max(map(len, steps))


@thorough
def test_an_error_on_a_terminal_has_its_line_for_itself(folder: Path) -> None:
    write(folder / "clear.png", np.zeros((4, 4, 4), np.uint8))
    status, out, shown, _ = on_a_terminal("clear.png", cwd=folder)
    assert (status, out) == (1, "")
    assert (
        shown.decode().split("\r")[-2].startswith("kmeans-seg: clear.png: image has no pixel left")
    )


def test_ctrl_c_is_quiet_and_leaves_nothing(tmp_path: Path, photos: dict[str, Path]) -> None:
    shutil.copy(photos["coffee.jpg"], tmp_path)
    status, out, shown, left = on_a_terminal("coffee.jpg", "-k", "64", cwd=tmp_path, interrupt=True)
    assert (status, out) == (130, "")
    assert "Traceback" not in shown.decode()
    assert shown.decode().split("\r")[-1] == ""
    assert list(left) == ["coffee.jpg"]


# What it never does: overwrite


def test_an_existing_file_is_kept_without_force(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = folder / "dots-segmented.png"
    output.write_bytes(b"precious")
    assert main(["dots.png"]) == 1
    assert "dots.png: dots-segmented.png: File exists: add --force" in error_of(capsys)
    assert output.read_bytes() == b"precious"
    assert main(["dots.png", "--force"]) == 0
    assert read(output).shape == (8, 9, 3)


def test_existing_labels_are_kept_too(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "labels.png").write_bytes(b"precious")
    assert main(["dots.png", "--labels", "labels.png"]) == 1
    assert "labels.png: File exists" in error_of(capsys)
    assert (folder / "labels.png").read_bytes() == b"precious"
    assert "dots-segmented.png" not in names(folder)


@pytest.mark.parametrize("target", ["dots.png", "soft.png", "hard.png", "../{folder}/dots.png"])
@pytest.mark.parametrize("option", ["-o", "--labels"])
def test_the_input_is_never_overwritten(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str], option: str, target: str
) -> None:
    (folder / "soft.png").symlink_to("dots.png")
    (folder / "hard.png").hardlink_to(dots)
    before = dots.read_bytes()
    target = target.format(folder=folder.name)
    assert main(["dots.png", option, target, "--force"]) == 1
    assert "never overwritten" in error_of(capsys)
    assert dots.read_bytes() == before
    assert (folder / "soft.png").is_symlink()
    assert names(folder) == ["dots.png", "hard.png", "soft.png"]


def test_another_input_is_never_overwritten(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = folder / "dots-segmented.png"
    shutil.copy(dots, second)
    before = second.read_bytes()
    assert main(["dots.png", "dots-segmented.png", "--force"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("dots-segmented.png: 9x8")
    assert err.startswith("kmeans-seg: dots.png: dots-segmented.png: ")
    assert err.count("\n") == 1
    assert second.read_bytes() == before


def test_two_images_never_share_an_output(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("dots.bmp", read(dots))
    assert main(["dots.png", "dots.bmp", "--force"]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == err.count("\n") == 1
    assert "dots.bmp: dots-segmented.png: is an input or an output of this very run" in err


def test_picture_and_labels_never_share_a_file(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dots.png", "--labels", "dots-segmented.png", "--force"]) == 1
    assert "a name of its own" in error_of(capsys)
    assert names(folder) == ["dots.png"]


@posix
def test_only_regular_files_are_replaced(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "pipe.png")
    for option in ("-o", "--labels"):
        assert main(["dots.png", option, "pipe.png", "--force"]) == 1
        assert "dots.png: pipe.png: this is a FIFO" in error_of(capsys)
    assert names(folder) == ["dots.png", "pipe.png"]


def test_a_link_that_leads_nowhere_is_a_name_that_exists(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dots-segmented.png").symlink_to("out.png")
    assert main(["dots.png"]) == 1
    assert "dots-segmented.png: File exists: add --force" in error_of(capsys)
    assert names(folder) == ["dots-segmented.png", "dots.png"]
    assert main(["dots.png", "--force"]) == 0
    assert names(folder) == ["dots-segmented.png", "dots.png", "out.png"]


# All of an image's files or none


@pytest.fixture
def many_colors(folder: Path) -> Path:
    """Make many.png, which has more than 255 colors."""
    colors = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    write(folder / "many.png", colors)
    return Path("many.png")


def test_an_output_that_cannot_be_encoded_leaves_no_other(
    many_colors: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["many.png", "-k", "300", "-o", "o.png", "--labels"]
    assert main([*command, "l.bmp"]) == 1
    assert "many.png: l.bmp: this format cannot hold 16 bits" in error_of(capsys)
    assert names(folder) == ["many.png"]
    assert main([*command, "l.png"]) == 0


@pytest.mark.parametrize("force", dose([True], [False, True]))
@pytest.mark.parametrize("failing", dose(["l.png"], ["o.png", "l.png", "steps.html"]))
def test_an_output_that_cannot_be_put_in_place_leaves_all_as_it_was(
    dots: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
    force: bool,
) -> None:
    command = ["dots.png", "-o", "o.png", "--labels", "l.png", "--explain", "steps.html"]
    if force:
        command.append("--force")
        for name in ("o.png", "l.png", "steps.html"):
            (folder / name).write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    put = Output.put

    def fail(output: Output, others: list[Output]) -> None:
        if output.path == Path(failing):
            raise OSError(5, "Input/output error", str(output.temporary))
        put(output, others)

    with monkeypatch.context() as patched:
        patched.setattr(Output, "put", fail)
        assert main(command) == 1
    assert f"dots.png: {failing}: Input/output error" in error_of(capsys)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert main(command) == 0


# Where a signal stops it

SIGNAL_AT = """
import os, signal, sys
from kmeans_seg import placing
from kmeans_seg.cli import ENDING, main

def then_signal(method):
    def call(output, *args):
        method(output, *args)
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return call

setattr(placing.Output, sys.argv[2], then_signal(getattr(placing.Output, sys.argv[2])))
sys.exit(main(sys.argv[3:]))
"""


@posix
@pytest.mark.parametrize(
    ("name", "status"),
    [("SIGTERM", -signal.SIGTERM), *dose([], [("SIGHUP", -signal.SIGHUP), ("SIGINT", 130)])],
)
@pytest.mark.parametrize("moment", dose(["put"], ["stage", "put", "clean_up"]))
def test_a_signal_while_files_are_put_in_place_waits_until_they_are(
    dots: Path, folder: Path, name: str, status: int, moment: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL_AT, name, moment, "dots.png", "--labels", "l.png"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    assert names(folder) == ["dots-segmented.png", "dots.png", "l.png"]


@thorough
@posix
def test_a_signal_at_any_moment_leaves_all_files_or_none(many_colors: Path, folder: Path) -> None:
    rng = np.random.default_rng(0)
    statuses = set()
    for number in range(30):
        process = subprocess.Popen(
            [*COMMAND, "many.png", "--labels", "l.png", "--explain", "steps.html", "--force"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.15 + rng.random() * 0.6)
        process.send_signal(signal.SIGTERM if number % 2 else signal.SIGHUP)
        _, err = process.communicate(timeout=60)
        assert err == ""
        statuses.add(process.returncode)
        made = [name for name in names(folder) if name != "many.png"]
        assert made in ([], ["l.png", "many-segmented.png", "steps.html"])
        for name in made:
            (folder / name).unlink()
    assert statuses <= {0, -signal.SIGTERM, -signal.SIGHUP}


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_signal_that_is_ignored_stays_so(dots: Path, folder: Path) -> None:
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{SIGNAL_AT}"
    done = subprocess.run(
        [sys.executable, "-c", code, "SIGHUP", "put", "dots.png"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert names(folder) == ["dots-segmented.png", "dots.png"]


def test_a_signal_that_waits_is_not_lost_to_an_error(
    dots: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(output: Output, others: list[Output]) -> None:
        signal.raise_signal(signal.SIGINT)
        raise OSError(5, "Input/output error", str(output.temporary))

    monkeypatch.setattr(Output, "put", fail)
    assert main(["dots.png", "dots.png"]) == 130
    assert names(folder) == ["dots.png"]


def test_handlers_are_put_back(dots: Path) -> None:
    before = [signal.getsignal(number) for number in ENDING]
    assert main(["dots.png"]) == 0
    assert [signal.getsignal(number) for number in ENDING] == before


def test_the_command_runs_in_a_thread_too(dots: Path, folder: Path) -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(main(["dots.png"])))
    thread.start()
    thread.join()
    assert statuses == [0]
    assert names(folder) == ["dots-segmented.png", "dots.png"]


# Where it writes


def test_the_output_is_beside_the_image(dots: Path, folder: Path) -> None:
    (folder / "album").mkdir()
    dots.rename("album/dots.png")
    assert main(["album/dots.png"]) == 0
    assert names(folder) == ["album"]
    assert names(folder / "album") == ["dots-segmented.png", "dots.png"]


def test_a_directory_takes_the_outputs(dots: Path, folder: Path) -> None:
    shutil.copy(dots, "more.png")
    (folder / "out").mkdir()
    assert main(["dots.png", "more.png", "-o", "out", "--labels", "out"]) == 0
    assert names(folder / "out") == [
        "dots-labels.png",
        "dots-segmented.png",
        "more-labels.png",
        "more-segmented.png",
    ]
    assert main(["dots.png", "-o", "out"]) == 1  # it is there already


def test_the_same_seed_gives_the_same_file(dots: Path) -> None:
    for name, seed in (("a.png", "1"), ("b.png", "1"), ("c.png", "2")):
        assert main(["dots.png", "-k", "9", "--seed", seed, "-o", name]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert Path("a.png").read_bytes() != Path("c.png").read_bytes()


# What it refuses


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "no image given: name one, or try --demo"),
        (["--demo", "a.jpg"], "--demo brings its own image"),
        (["a.jpg", "b.jpg", "-o", "out.png"], "-o out.png: .*a directory that exists"),
        (["a.jpg", "b.jpg", "--labels", "l.png"], "--labels l.png: .*a directory that exists"),
        (["a.jpg", "--labels", "l.jpg"], "--labels l.jpg: this format would change the labels"),
        (["a.jpg", "--seed", "-1"], "--seed -1: it must be at least 0"),
        (["a.jpg", "--labels", "l.avif"], "--labels l.avif: this format would change the labels"),
        (["-"], "- reads an image from stdin: say where to write by -o"),
        (["-", "-", "-o", "."], "holds one image: name it once"),
        (["a.jpg", "b.jpg", "-o", "-"], "-o -: for more than one image"),
        (["a.jpg", "--labels", "-"], "--labels -: only the picture can go to stdout"),
        (["a.jpg", "--explain", "-"], "--explain -: only the picture can go to stdout"),
        (["a.jpg", "-k", "2.5"], "-k: '2.5' is neither an integer nor auto"),
        (["a.jpg", "--space", "hsv"], "invalid choice: 'hsv'.*rgb.*lab.*raw"),
        (["a.jpg", "--forc"], "unrecognized arguments: --forc"),
    ],
)
def test_usage_errors(
    folder: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)
    assert names(folder) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-k", "0"], "k=0 is too small"),
        (["-k", "73"], "k=73 is more than the 72 pixels"),
        (["-o", "out.xyz"], "out.xyz: suffix '.xyz' is not known.*: end the name in one of .png"),
        (["-o", "out"], "out: this is no directory.* make the directory first, or end .* in .png"),
        (["-o", "out/"], "out: this is no directory"),
        (["--explain", "out"], "out: this is no directory.* or end the name in .html"),
        (["-o", "nowhere/out.png"], "nowhere/out.png: no such directory: make it first"),
        (["--labels", "nowhere/l.png"], "nowhere/l.png: no such directory: make it first"),
        (["-o", "dots.png/out.png"], "dots.png/out.png: no such directory"),
        (["-o", "x" * 300 + ".png"], "File name too long"),
    ],
)
def test_refusals(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    assert main(["dots.png", *args]) == 1
    assert re.match(f"kmeans-seg: dots.png: .*{message}", error_of(capsys))
    assert names(folder) == ["dots.png"]


def test_the_limit_on_memory_can_be_set(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("flat.png", np.arange(60 * 60 * 3, dtype=np.uint8).reshape(60, 60, 3))
    assert main(["flat.png", "--max-bytes", "10799"]) == 1
    assert "flat.png: the image is too large: 10,800 bytes, and at most" in error_of(capsys)
    assert main(["flat.png", "--max-bytes", "10800"]) == 0


def test_a_directory_in_the_place_of_the_output(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dots-segmented.png").mkdir()
    for force in ([], ["--force"]):
        assert main(["dots.png", *force]) == 1
        assert "dots.png: dots-segmented.png: Is a directory" in error_of(capsys)


def test_a_missing_image_is_missing_even_if_its_output_is_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dots-segmented.png").write_bytes(b"precious")
    assert main(["dots.png"]) == 1
    assert "dots.png: No such file or directory: check the name" in error_of(capsys)


@posix
def test_a_forbidden_directory(
    dots: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if os.name == "posix" and os.geteuid() != 0:
        folder.chmod(0o555)
    else:  # nothing is forbidden to root

        def forbid(output: Output) -> None:
            raise PermissionError(13, "Permission denied", str(output.temporary))

        monkeypatch.setattr(Output, "stage", forbid)
    try:
        assert main(["dots.png"]) == 1
    finally:
        folder.chmod(0o755)
    assert "dots.png: dots-segmented.png: Permission denied: ask for" in error_of(capsys)
    assert names(folder) == ["dots.png"]


def test_a_forbidden_image(
    dots: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbid(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", forbid)
    assert main(["dots.png"]) == 1
    assert error_of(capsys).startswith("kmeans-seg: dots.png: Permission denied: ")


@posix
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    import resource

    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    write(tmp_path / "noise.png", noise)
    done = subprocess.run(
        [*COMMAND, "noise.png", "-k", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kmeans-seg: noise.png: noise-segmented.png: File too large\n"
    assert names(tmp_path) == ["noise.png"]


@pytest.mark.parametrize(
    ("error", "message"),
    [(MemoryError(), "not enough memory: scale"), (ValueError("two\nlines"), "two lines")],
)
def test_every_error_is_one_line(
    dots: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    message: str,
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("kmeans_seg.cli.segment", fail)
    assert main(["dots.png"]) == 1
    assert f"dots.png: {message}" in error_of(capsys)


def test_a_bug_is_not_hidden(dots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmeans_seg.cli.segment", lambda *args, **options: None)
    with pytest.raises(AttributeError):
        main(["dots.png"])


# What it says


def test_a_warning_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("flag.png", np.array([[0, 0, 9]], np.uint8))
    assert main(["flag.png", "-k", "3"]) == 0
    out, err = capsys.readouterr()
    assert "flag.png: 3x1, k=2, " in out
    assert err.startswith("kmeans-seg: flag.png: warning: k=3, but there are only 2 distinct")
    assert err.count("\n") == 1


def test_no_image_is_written_to_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        main(["a.jpg", "-o", "-"])
    assert "-o - writes an image to stdout: send it to a file" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"kmeans-seg \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "--demo" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_name_that_is_no_text(dots: Path, folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    dots.rename(name)
    done = run_as_process(name, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(r"caf\udce9.png: 9x8")
    assert os.fsdecode(b"caf\xe9-segmented.png") in names(folder)


CONTROL = "bell\a and \x1b[31mred\x1b[0m,\nline two \u202eoverride.png"
ESCAPED = r"bell\x07 and \x1b[31mred\x1b[0m,\nline two \u202eoverride"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere such names are forbidden")
def test_control_characters_in_names_are_escaped(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(dots, CONTROL)
    assert main([CONTROL]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{ESCAPED}.png: 9x8, ")
    assert out.endswith(f" -> {ESCAPED}-segmented.png\n")
    for args, message in (
        ([CONTROL], f"{ESCAPED}.png: {ESCAPED}-segmented.png: File exists: add --force"),
        (["dots.png", "-o", CONTROL], f"dots.png: {ESCAPED}.png: File exists"),
        ([CONTROL, "-o", CONTROL], f"{ESCAPED}.png: is an input or an output"),
        ([CONTROL, "-o", f"{CONTROL}.x"], f"{ESCAPED}.png: {ESCAPED}.png.x: suffix '.x' is not"),
        ([CONTROL, "-o", f"{CONTROL}/a.png"], f"{ESCAPED}.png: {ESCAPED}.png/a.png: no such dir"),
        ([CONTROL, "-o", "a.png", "--explain", f"{CONTROL}.x"], f"{ESCAPED}.png.x: a page is"),
        ([f"{CONTROL}.x"], f"{ESCAPED}.png.x: No such file or directory"),
    ):
        assert main(args) == 1
        assert message in error_of(capsys)
    Path(CONTROL).write_bytes(b"not an image")
    assert main([CONTROL, "--force"]) == 1
    assert error_of(capsys).startswith(f"kmeans-seg: {ESCAPED}.png: not an image of a known")
    with pytest.raises(SystemExit):
        main(["a", "b", "-o", CONTROL])
    assert f"-o {ESCAPED}.png: for more than one image" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["a", "--bell\a"])
    assert r"unrecognized arguments: --bell\x07" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
def test_a_reader_that_went_away(dots: Path, folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "dots.png"], cwd=folder, stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_transparent_pixels_stay_transparent(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(1, 256, (9, 8, 4), dtype=np.uint8)
    image[2:5, :, 3] = 0
    write(tmp_path / "cut-out.png", image)
    done = run("cut-out.png", "--labels", "labels.png", cwd=tmp_path)
    assert done.returncode == 0
    painted, labels = read(tmp_path / "cut-out-segmented.png"), read(tmp_path / "labels.png")
    assert np.array_equal(painted[..., 3], image[..., 3])
    assert np.array_equal(labels == 255, image[..., 3] == 0)
    done = run("cut-out.png", "-o", "flat.jpg", cwd=tmp_path)
    assert done.returncode == 1
    assert "flat.jpg" in done.stderr
    assert not (tmp_path / "flat.jpg").exists()


def test_an_animation_gets_one_palette(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 5, (3, 9, 8, 3), dtype=np.uint8) * 50
    write(tmp_path / "film.tif", frames)
    done = run("film.tif", "-k", "4", "--labels", "labels.npy", cwd=tmp_path)
    assert done.returncode == 0
    assert "3 frames of 8x9" in done.stdout
    painted, labels = read(tmp_path / "film-segmented.tif"), read(tmp_path / "labels.npy")
    expected = segment(frames, 4)
    assert np.array_equal(painted, expected.painted)
    assert np.array_equal(labels, expected.labels)
    done = run("film.tif", "--explain", "steps.html", "--force", cwd=tmp_path)
    assert done.returncode == 1
    assert "to be shown it must be gray (H, W) or RGB (H, W, 3)" in done.stderr


def test_a_gray_stack_is_no_image_of_many_channels(folder: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 5, (3, 40, 50), dtype=np.uint8) * 50
    write(folder / "stack.tif", frames, channel_axis=None)
    assert main(["stack.tif", "-k", "4", "--labels", "labels.tif"]) == 0
    expected = segment(frames, 4, channel_axis=None)
    assert np.array_equal(read(folder / "stack-segmented.tif"), expected.painted)
    assert np.array_equal(read(folder / "labels.tif"), expected.labels)


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_bands_that_are_not_alpha_need_another_space(
    folder: Path, capsys: pytest.CaptureFixture[str], planes: str
) -> None:
    bands = np.random.default_rng(0).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    stored = bands if planes == "contig" else np.moveaxis(bands, -1, 0)
    tifffile.imwrite(
        *("bands.tif", stored),
        photometric="rgb",
        planarconfig=planes,
        extrasamples=["unspecified"],
    )
    assert main(["bands.tif"]) == 1
    assert "4 channels, and none is alpha: cluster them all by --space raw" in error_of(capsys)
    assert main(["bands.tif", "--space", "raw", "-o", "out.npy", "--labels", "l.png"]) == 0
    expected = segment(bands, 3, space="raw")
    assert np.array_equal(read(folder / "out.npy"), expected.painted)
    assert np.array_equal(read(folder / "l.png"), expected.labels)


def test_many_bands_are_segmented_and_painted(folder: Path) -> None:
    bands = np.random.default_rng(0).integers(0, 256, (9, 40, 7), dtype=np.uint8)
    write(folder / "bands.tif", bands)
    assert main(["bands.tif", "--space", "raw", "-o", "out.tif", "--labels", "l.png"]) == 0
    assert np.array_equal(read(folder / "out.tif"), segment(bands, 3, space="raw").painted)


# Pipes


def piped(data: bytes, *args: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the command with an image on stdin."""
    return subprocess.run([*COMMAND, *args], cwd=cwd, input=data, capture_output=True, timeout=60)


def test_an_image_goes_through_pipes(dots: Path, folder: Path) -> None:
    data = dots.read_bytes()
    expected = segment(read(dots), 4)
    done = piped(data, "-", "-k", "4", "-o", "-", "--labels", "l.png", cwd=folder)
    assert done.returncode == 0
    assert np.array_equal(read(done.stdout), expected.painted)
    assert done.stderr.decode().startswith("stdin: 9x8, k=4, ")
    assert done.stderr.decode().endswith(" -> -, l.png\n")
    assert np.array_equal(read(folder / "l.png"), expected.labels)
    stack = np.random.default_rng(0).integers(0, 5, (3, 9, 8, 3), dtype=np.uint8)
    write(folder / "film.tif", stack)
    done = piped(b"", "film.tif", "-o", "-", cwd=folder)
    assert np.array_equal(read(done.stdout), segment(stack, 3).painted)


@thorough
def test_an_image_from_a_pipe_goes_into_a_directory(dots: Path, folder: Path) -> None:
    done = piped(dots.read_bytes(), "-", "-k", "4", "-o", ".", cwd=folder)
    assert done.returncode == 0
    assert np.array_equal(read(folder / "stdin-segmented.png"), segment(read(dots), 4).painted)
    assert names(folder) == ["dots.png", "stdin-segmented.png"]


def test_a_bad_image_on_stdin_writes_nothing(folder: Path) -> None:
    wrong = [(b"text", "not an image of a known format"), (b"", "the file is empty")]
    for data, message in wrong[: dose(1, 2)]:
        done = piped(data, "-", "-o", "-", cwd=folder)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().startswith(f"kmeans-seg: stdin: {message}")
    assert names(folder) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3)], ids=str)
def test_images_of_other_dtypes(
    folder: Path, capsys: pytest.CaptureFixture[str], dtype: type, shape: tuple[int, ...]
) -> None:
    image: NDArray[Any] = np.random.default_rng(0).integers(-1, 500, shape).astype(dtype)
    write(folder / "a.npy", image)
    expected = segment(image, 3)
    assert main(["a.npy", "--labels", "l.png"]) == 0
    assert capsys.readouterr().out.endswith(" -> a-segmented.tif, l.png\n")
    assert np.array_equal(read(folder / "a-segmented.tif"), expected.painted)
    assert np.array_equal(read(folder / "l.png"), expected.labels)
    assert main(["a.npy", "-o", "out.npy"]) == 0
    assert np.array_equal(read(folder / "out.npy"), expected.painted)


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.gif"])
def test_what_cannot_be_written_is_found_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("segmented")

    write(folder / "a.npy", np.random.default_rng(0).random((9, 8, 3)))
    monkeypatch.setattr("kmeans_seg.cli.segment", work)
    assert main(["a.npy", "-o", name]) == 1
    assert f"{name}: this format cannot hold dtype float64: write to .tif or" in error_of(capsys)


def test_one_page_of_a_file(folder: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 5, (3, 9, 8, 3), dtype=np.uint8) * 50
    write(folder / "film.tif", frames)
    assert main(["film.tif", "--page", "1"]) == 0
    expected = segment(frames[1], 3)
    assert np.array_equal(read(folder / "film-segmented.png"), expected.painted)


# What users take away


def test_json_is_one_line_of_the_schema(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(dots, "more.png")
    assert main(["dots.png", "more.png", "-k", "4", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("dots.png", "more.png"), strict=True):
        found = json.loads(line)
        assert found.pop("file") == name
        assert found.pop("outputs") == [f"{name[:4]}-segmented.png"]
        assert found == segment(read(name), 4).to_dict()
        kinds = {key: type(value) for key, value in found.items()}
        assert kinds == {
            "k": int, "size": list, "space": str, "inertia": float, "passes": int,
            "converged": bool, "segments": list,
        }  # fmt: skip
        for number, part in enumerate(found["segments"]):
            assert part["label"] == number
            assert re.fullmatch("#[0-9a-f]{6}", part["hex"])
            assert set(part) == {"label", "center", "color", "hex", "pixels", "share"}


def test_a_palette_beside_the_picture(dots: Path, folder: Path) -> None:
    Path("palettes").mkdir()
    assert main(["dots.png", "--palette", "palettes"]) == 0
    found = json.loads(Path("palettes/dots-palette.json").read_text(encoding="utf-8"))
    assert found["name"] == "dots.png"
    assert main(["dots.png", "--palette", "p.gpl", "--force"]) == 0
    assert Path("p.gpl").read_text(encoding="utf-8").startswith("GIMP Palette\n")


def test_a_palette_of_an_unknown_kind_is_refused_before_the_work(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dots.png", "--palette", "p.act"]) == 1
    assert "p.act: a palette is written as .json, .gpl, .png" in error_of(capsys)
    assert names(folder) == ["dots.png"]


def test_one_palette_for_all(dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("other.png", read("dots.png")[::-1, :5] // 2)
    assert main(["other.png", "dots.png", "--like", "dots.png", "-k", "4"]) == 0
    model = segment(read("dots.png"), 4)
    assert np.array_equal(read("dots-segmented.png"), model.painted)
    assert np.array_equal(read("other-segmented.png"), model.apply(read("other.png")).painted)
    assert "passes" not in capsys.readouterr().out
    assert main(["dots.png", "--like", "missing.png", "--force"]) == 1
    assert error_of(capsys).startswith("kmeans-seg: missing.png: ")
    assert main(["dots.png", "--like", "dots.png", "-o", "dots.png", "--force"]) == 1
    assert "never overwritten" in error_of(capsys)


@pytest.mark.parametrize("clusters", [True, False])
def test_k_auto(folder: Path, capsys: pytest.CaptureFixture[str], clusters: bool) -> None:
    rng = np.random.default_rng(0)
    spots = np.array([[200, 40, 30], [30, 60, 190], [240, 220, 90]])
    image = spots[rng.integers(0, 3, (40, 60))] + rng.integers(-9, 10, (40, 60, 3))
    if not clusters:
        image = rng.integers(0, 256, (40, 60, 3))
    write("image.png", image.clip(0, 255).astype(np.uint8))
    status = main(["image.png", "-k", "auto"])
    if clusters:
        assert status == 0
        assert ", k=3, " in capsys.readouterr().out
    else:
        assert status == 1
        assert "no k to recommend" in error_of(capsys)
        assert names(folder) == ["image.png"]


@posix
def test_json_has_the_names_of_files_as_they_are(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "10.00\u202fAM two\nlines.png"
    shutil.move(dots, name)
    assert main([name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["outputs"]) == (name, [f"{name[:-4]}-segmented.png"])


def test_the_start_and_the_tolerance_reach_segment(dots: Path, folder: Path) -> None:
    assert main(["dots.png", "-k", "5", "--init", "random", "--tol", "0.2", "--seed", "4"]) == 0
    expected = segment(read("dots.png"), 5, init="random", tol=0.2, rng=4)
    assert np.array_equal(read("dots-segmented.png"), expected.painted)


@pytest.mark.parametrize("value", [-9999.0, np.nan, np.inf, -np.inf])
def test_nodata_is_left_out(folder: Path, value: float) -> None:
    image = np.random.default_rng(0).random((9, 8)).astype(np.float32)
    image[2:4] = value
    write("scene.tif", image)
    for options in ([f"--nodata={value}"], ["--nodata", str(value)], ["--nodata", f"{value:e}"]):
        assert main(["scene.tif", *options, "--labels", "labels.npy", "--force"]) == 0
        labels = np.load("labels.npy")
        assert (labels[2:4] == -1).all()
        assert (np.delete(labels, [2, 3], axis=0) >= 0).all()


def test_what_is_not_finite_in_one_channel_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(0).random((9, 8, 3)).astype(np.float32)
    image[2, 3, 0], image[4, 5, 1], image[6, 7, 2] = np.nan, np.inf, -np.inf
    write("scene.tif", image)
    assert main(["scene.tif"]) == 1
    said = re.search(r"in the terminal by (--nodata=\S+)\)", error_of(capsys))
    assert said is not None
    assert main(["scene.tif", said[1], "--labels", "labels.npy"]) == 0
    assert np.argwhere(np.load("labels.npy") < 0).tolist() == [[2, 3], [4, 5], [6, 7]]


def test_what_marks_missing_data_is_named_as_it_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(0).random((9, 8)).astype(np.float32)
    image[2:4] = -3.4028235e38
    write("scene.tif", image)
    assert main(["scene.tif"]) == 0
    said = re.search(r"in the terminal by (--nodata=\S+)\)", capsys.readouterr().err)
    assert said is not None
    assert main(["scene.tif", said[1], "--labels", "labels.npy", "--force"]) == 0
    assert (np.load("labels.npy")[2:4] == -1).all()


def test_many_bands_are_written_to_tiff_by_default(folder: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 7), np.uint8)
    write("bands.tif", image)
    done = run_as_process("bands.tif", "--space", "raw", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert read(folder / "bands-segmented.tif").shape == image.shape


@posix
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("dots.png -o out.png 2>&-", 0, "out.png"),
        ("nothing.png 2>&-", 1, ""),
        ("dots.png -o out.png >&-", 0, ""),
        ("dots.png -o - >&-", 2, "stdout, which is closed"),
        ("- -o out.png <&-", 2, "stdin, which is closed"),
        ("dots.png more.png >/dev/full", 1, "stdout: No space left on device: nothing more"),
        ("dots.png nothing.png -o out.png 2>/dev/full", 2, ""),
        ("nothing.png 2>/dev/full", 1, ""),
    ],
)
def test_standard_streams_may_be_closed_or_full(
    dots: Path, folder: Path, command: str, status: int, said: str
) -> None:
    shutil.copy(dots, "more.png")
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m kmeans_seg {command}', sys.executable],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if "2>" in command:  # stderr is gone, and what would be in it is not in stdout
        assert len(done.stdout.splitlines()) == int("dots.png" in command and status == 0)
    written = {"dots.png", "more.png"}
    if "more.png" in command:
        written |= {"dots-segmented.png", "more-segmented.png"}
    elif status == 0:
        written |= {"out.png"}
    assert set(names(folder)) == written


def test_what_has_little_alpha_is_left_out(folder: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 4), np.uint8)
    seen = image[..., 3] > 127
    image[seen, :3] = image[seen, :3] % 9 + 80 * np.arange(3).repeat(20)[seen.nonzero()[1], None]
    write("soft.png", image)
    for k in ("3", "auto"):  # in what is seen there are three clusters, in the rest none
        options = ["--alpha-threshold", "127", "--labels", "labels.npy", "--force"]
        assert main(["soft.png", "-k", k, *options]) == 0
        assert np.array_equal(np.load("labels.npy")[seen], np.arange(60)[seen.nonzero()[1]] // 20)
        assert (np.load("labels.npy")[~seen] == -1).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_page_shows_what_takes_part(folder: Path, channels: int) -> None:
    # With the missing value among the colors, the page would show another run.
    image = np.random.default_rng(0).integers(1, 99, (9, 8, channels), np.uint8)
    image[2:4] = 255
    write("scene.png", image)
    options = ["--nodata", "255", "--explain", "page.html", "--labels", "labels.npy"]
    assert main(["scene.png", *options]) == 0
    visible = np.full((9, 8), True)
    visible[2:4] = False
    shown = np.dstack((np.where(visible[..., None], image, 0), visible.astype(np.uint8)))
    write_page(shown, 3, "expected.html", title="scene.png")
    assert Path("page.html").read_bytes() == Path("expected.html").read_bytes()
    assert np.array_equal(np.load("labels.npy") < 0, ~visible)


def test_a_geotiff_names_its_nodata(folder: Path) -> None:
    image = np.random.default_rng(0).integers(1, 200, (9, 8, 3)).astype(np.uint8)
    image[0] = 0
    image[1, :, 0] = 0  # in one channel only, so it is a color
    extra = [(42113, "s", 0, "0", True)]
    tifffile.imwrite("scene.tif", image, photometric="rgb", extratags=extra)
    tifffile.imwrite("deep.tif", image.astype(np.uint16), photometric="rgb", extratags=extra)
    for name in ("scene.tif", "deep.tif"):
        assert main([name, "--labels", "labels.npy", "--force"]) == 0
        labels = np.load("labels.npy")
        assert (labels[0] == -1).all()
        assert (labels[1:] >= 0).all()


def test_a_quoted_wildcard_is_expanded(
    dots: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(dots, "more.png")
    shutil.copy(dots, "a[1].png")
    Path("out").mkdir()
    assert main(["[dm]*.png", "a[1].png", "-o", "out"]) == 0
    assert names(folder / "out") == [
        "a[1]-segmented.png", "dots-segmented.png", "more-segmented.png",
    ]  # fmt: skip
    capsys.readouterr()
    assert main(["none*.png"]) == 1
    assert "none*.png: No such file" in error_of(capsys)


def test_an_animation_keeps_its_timing(folder: Path) -> None:
    frames = np.zeros((4, 6, 8, 3), np.uint8)
    frames[:, :, :4] = 200
    frames[3, 0] = 90
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[1].putpixel((0, 0), (201, 200, 200))  # so that the frames differ
    pictures[2].putpixel((0, 0), (202, 200, 200))
    pictures[0].save(
        "in.gif", save_all=True, append_images=pictures[1:], duration=[50, 80, 200, 400], loop=3
    )
    assert main(["in.gif", "-o", "out.gif", "-k", "3"]) == 0
    with Image.open("out.gif") as image:
        assert image.info["loop"] == 3
        times = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            times.append(image.info["duration"])
    assert sum(times) == 730  # equal frames become one that is shown for longer
    assert times[-1] == 400


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--json", "-o", "-"], "both write to stdout"),
        (["--palette", "-"], "only the picture can go to stdout"),
        (["--like", "dots.png", "--explain", "p.html"], "there is none"),
        (["--init", "best"], "invalid choice"),
    ],
)
def test_options_that_do_not_go_together(
    dots: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["dots.png", *arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
