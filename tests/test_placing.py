"""place(): all files or none, and over nothing unasked, whatever is there and whatever fails."""

import errno
import itertools
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from doses import dose
from platforms import posix

from kmeans_seg import placing
from kmeans_seg.placing import place

root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


def listing(folder: Path) -> dict[str, bytes | str]:
    """Return what is in a folder: the content of each file, and where each link leads."""
    found: dict[str, bytes | str] = {}
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[path.name] = "link to " + str(path.readlink())
        elif stat.S_ISREG(mode):
            found[path.name] = path.read_bytes()
        else:
            found[path.name] = str(stat.S_IFMT(mode))
    return found


def no_hard_links(*_: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.fixture(params=["hard links", "no hard links"], autouse=True)
def filesystem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run every test on a filesystem with hard links, and on one without."""
    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", no_hard_links)
    name: str = request.param
    return name


def two(folder: Path) -> list[tuple[Path, bytes]]:
    return [(folder / "a", b"new a"), (folder / "b", b"new b")]


# What is written


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_are_written(tmp_path: Path, overwrite: bool) -> None:
    place(two(tmp_path), overwrite=overwrite)
    place([(str(tmp_path / "c"), b"")], overwrite=overwrite)
    assert listing(tmp_path) == {"a": b"new a", "b": b"new b", "c": b""}


def test_files_are_replaced_if_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old a")
    place(two(tmp_path), overwrite=True)
    assert listing(tmp_path) == {"a": b"new a", "b": b"new b"}


@posix
def test_a_name_in_this_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place([("a", b"1")], overwrite=False)
    place([("a", b"2")], overwrite=True)
    assert listing(tmp_path) == {"a": b"2"}


# What may be at the target


def make(kind: str, path: Path) -> socket.socket | None:
    """Put something at a path."""
    match kind:
        case "nothing":
            pass
        case "file":
            path.write_bytes(b"old")
        case "directory":
            path.mkdir()
        case "FIFO":
            os.mkfifo(path)
        case "socket":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            return listener
        case "device":
            path.symlink_to("/dev/null")
        case "dangling link":
            path.symlink_to("nowhere")
        case _:
            assert kind.startswith("link to ")
            made = make(kind.removeprefix("link to "), path.with_name("other"))
            path.symlink_to("other")
            return made
    return None


SPECIAL = ["FIFO", "socket", "device", "link to FIFO", "link to socket"]
THINGS = ["file", "directory", "dangling link", "link to file", "link to directory", *SPECIAL]


@posix
@pytest.mark.parametrize("kind", THINGS)
def test_nothing_is_overwritten_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    made = make(kind, Path("a"))
    before = listing(tmp_path)
    error = IsADirectoryError if kind == "directory" else FileExistsError
    for outputs in ([("b", b"new"), ("a", b"new")], [("a", b"new")]):
        with pytest.raises(error) as caught:
            place(outputs, overwrite=False)
        assert caught.value.filename == "a"
        assert listing(tmp_path) == before
    if made:
        made.close()


@posix
@pytest.mark.parametrize("kind", THINGS)
def test_nothing_is_overwritten_that_appears_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    link = os.link

    def intrude(*paths: Any) -> None:
        with suppress(FileExistsError):
            made.append(make(kind, Path("a")))
            before.append(listing(tmp_path))
        link(*paths)

    made: list[socket.socket | None] = []
    before: list[dict[str, bytes | str]] = []
    monkeypatch.setattr(os, "link", intrude)
    with pytest.raises(FileExistsError) as caught:
        place([("a", b"new")], overwrite=False)
    assert caught.value.filename == "a"
    before[0] = {name: value for name, value in before[0].items() if not name.startswith(".")}
    assert listing(tmp_path) == before[0]
    if made[0]:
        made[0].close()


@posix
@pytest.mark.parametrize("kind", SPECIAL)
def test_only_regular_files_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make(kind, Path("a"))
    before = listing(tmp_path)
    with pytest.raises(ValueError, match=r"^a: this is a FIFO, a socket or a device, .*another"):
        place([("b", b"new"), ("a", b"new")], overwrite=True)
    assert listing(tmp_path) == before
    if made:
        made.close()


@pytest.mark.parametrize("kind", ["directory", "link to directory"])
def test_a_directory_is_not_replaced(tmp_path: Path, kind: str) -> None:
    make(kind, tmp_path / "a")
    with pytest.raises(IsADirectoryError, match="a'"):
        place(two(tmp_path), overwrite=True)
    assert not (tmp_path / "b").exists()


@posix
@pytest.mark.parametrize("kind", ["dangling link", "link to file"])
def test_a_link_stays_and_its_file_is_written(tmp_path: Path, kind: str) -> None:
    make(kind, tmp_path / "a")
    leads = str((tmp_path / "a").readlink())
    place([(tmp_path / "a", b"new")], overwrite=True)
    assert listing(tmp_path) == {"a": f"link to {leads}", leads: b"new"}


@posix
def test_a_link_in_a_circle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    for overwrite in (False, True):
        with pytest.raises(OSError, match="a'"):
            place([(tmp_path / "a", b"new")], overwrite=overwrite)
    assert listing(tmp_path) == {"a": "link to a"}


def test_two_names_of_one_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="another output is this very file: give them different"):
        place([("a", b"1"), (os.path.join(".", "a"), b"2")], overwrite=True)  # noqa: PTH118
    assert listing(tmp_path) == {}
    with pytest.raises(FileExistsError):
        place([("a", b"1"), (os.path.join(".", "a"), b"2")], overwrite=False)  # noqa: PTH118
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_where_no_file_can_be_is_an_error_of_the_file_asked_for(
    tmp_path: Path, overwrite: bool
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, error in (
        (tmp_path / "nowhere" / "a", FileNotFoundError),
        (tmp_path / "file" / "a", NotADirectoryError),
        (tmp_path / ("a" * 300), OSError),
    ):
        with pytest.raises(error) as caught:
            place([(path, b"new")], overwrite=overwrite)
        assert caught.value.filename == str(path)
    assert listing(tmp_path) == {"file": b""}


# Races


RACER = """
import sys
from kmeans_seg.placing import place
folder, me = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    try:
        place([(f"{folder}/{number}", me.encode())], overwrite=False)
    except FileExistsError:
        pass
    else:
        print(number)
"""


def test_of_two_processes_one_writes_each_file(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, tmp_path, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won: dict[str, bytes] = {}
    for name, racer in zip(("one", "two"), racers, strict=True):
        out, _ = racer.communicate(timeout=60)
        assert racer.returncode == 0
        won |= {f"{number}": name.encode() for number in out.split()}
    assert listing(tmp_path) == won
    assert len(won) == 200


def test_of_two_threads_one_writes_each_file(tmp_path: Path, filesystem: str) -> None:
    together = threading.Barrier(2)
    won: list[tuple[str, bytes]] = []

    def race(name: bytes) -> None:
        together.wait()
        for number in range(100):
            with suppress(FileExistsError):
                place([(tmp_path / f"{number}", name)], overwrite=False)
                won.append((f"{number}", name))

    racers = [threading.Thread(target=race, args=(name,)) for name in (b"one", b"two")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 100
    assert listing(tmp_path) == dict(won)


@pytest.mark.parametrize("failing", [False, True])
def test_an_old_file_that_vanishes_at_the_last_moment_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: bool
) -> None:
    for path, _ in two(tmp_path):
        path.write_bytes(b"old")
    put = placing.Output.put

    def vanish(output: placing.Output, others: list[placing.Output]) -> None:
        if output.target.name == "b":
            if failing:
                raise OSError(5, "Input/output error")
        else:
            output.target.unlink()
        put(output, others)

    monkeypatch.setattr(placing.Output, "put", vanish)
    if failing:
        with pytest.raises(OSError, match="b'"):
            place(two(tmp_path), overwrite=True)
        assert listing(tmp_path) == {"b": b"old"}
    else:
        place(two(tmp_path), overwrite=True)
        assert listing(tmp_path) == {"a": b"new a", "b": b"new b"}


def test_a_file_that_appears_at_the_last_moment_is_put_back_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = placing.Output.put

    def intrude(output: placing.Output, others: list[placing.Output]) -> None:
        if output.target.name == "b":
            raise OSError(5, "Input/output error")
        output.target.write_bytes(b"precious")
        put(output, others)

    monkeypatch.setattr(placing.Output, "put", intrude)
    with pytest.raises(OSError, match="b'"):
        place(two(tmp_path), overwrite=True)
    assert listing(tmp_path) == {"a": b"precious"}


def test_an_old_file_that_vanishes_while_it_gets_a_second_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    link = os.link

    def vanish(target: Path, backup: Path) -> None:
        target.unlink()
        link(target, backup)

    monkeypatch.setattr(os, "link", vanish)
    place(two(tmp_path), overwrite=True)
    assert listing(tmp_path) == {"a": b"new a", "b": b"new b"}


# Permissions


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o666, 0o755])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int, umask: int) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(mode)
    os.utime(tmp_path / "a", (0, 0))
    before = os.umask(umask)
    try:
        place([(tmp_path / "a", b"new")], overwrite=True)
    finally:
        os.umask(before)
    status = (tmp_path / "a").stat()
    assert stat.S_IMODE(status.st_mode) == mode
    assert status.st_mtime > 0


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_file_follows_the_umask(tmp_path: Path, umask: int, overwrite: bool) -> None:
    before = os.umask(umask)
    try:
        place([(tmp_path / "a", b"new")], overwrite=overwrite)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@posix
@root
def test_a_replaced_file_keeps_its_owner_and_group(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    os.chown(tmp_path / "a", 12345, 54321)
    place([(tmp_path / "a", b"new")], overwrite=True)
    status = (tmp_path / "a").stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)


@posix
def test_where_the_owner_cannot_be_kept_the_file_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o644)
    monkeypatch.setattr(os, "chown", refuse)
    place([(tmp_path / "a", b"new")], overwrite=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644
    monkeypatch.setattr(shutil, "copystat", refuse)  # as on a filesystem that knows no modes
    place([(tmp_path / "a", b"newer")], overwrite=True)
    assert listing(tmp_path) == {"a": b"newer"}


@posix
def test_a_private_file_is_private_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o600)
    modes: list[int] = []
    take_over = placing.take_over

    def look(*arguments: Any) -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir())
        take_over(*arguments)

    monkeypatch.setattr(placing, "take_over", look)
    place([(tmp_path / "a", b"new")], overwrite=True)
    assert modes == [0o600, 0o600]


@posix
def test_a_file_that_may_not_be_written_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # which it is not for root
    with pytest.raises(PermissionError, match="a'"):
        place(two(tmp_path), overwrite=True)
    assert listing(tmp_path) == {"a": b"old"}


@posix
@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_a_replaced_file_keeps_its_attributes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    try:
        os.setxattr(tmp_path / "a", "user.note", b"mine")
    except OSError:
        pytest.skip("this filesystem has none")
    place([(tmp_path / "a", b"new")], overwrite=True)
    assert os.getxattr(tmp_path / "a", "user.note") == b"mine"


# All or none


class Interruption(BaseException):
    """What a test raises in the middle, as Ctrl-C or a signal might."""


def fail_at(number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise at the call of this number to the operating system; an interruption, also after it."""
    counter = itertools.count()

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            if next(counter) == number:
                raise error
            result = call(*args, **options)
            if isinstance(error, Interruption) and next(counter) == number:
                if hasattr(result, "close"):
                    result.close()
                raise error
            return result

        return wrapper

    monkeypatch.setattr("builtins.open", failing(open))
    monkeypatch.setattr(placing, "take_over", failing(placing.take_over))
    monkeypatch.setattr(os, "link", failing(os.link))
    if isinstance(error, Interruption):  # the system itself never fails here
        monkeypatch.setattr(os, "fstat", failing(os.fstat))
    for name in ("open", "replace", "rename", "stat", "lstat"):
        monkeypatch.setattr(Path, name, failing(getattr(Path, name)))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Interruption()])
@pytest.mark.parametrize("old", dose([(), ("b",)], [(), ("a",), ("b",), ("a", "b")]), ids=str)
@pytest.mark.parametrize("overwrite", [False, True])
def test_whatever_fails_at_whatever_step_all_is_as_it_was_or_all_is_new(
    tmp_path: Path,
    filesystem: str,
    overwrite: bool,
    old: tuple[str, ...],
    error: BaseException,
) -> None:
    if old and not overwrite:
        return
    new = {"a": b"new a", "b": b"new b"}
    failures = 0
    for number in range(40):
        for path in tmp_path.iterdir():
            path.unlink()
        for name in old:
            (tmp_path / name).write_bytes(b"old " + name.encode())
        before = listing(tmp_path)
        with pytest.MonkeyPatch.context() as patch:
            if filesystem == "no hard links":
                patch.setattr(os, "link", no_hard_links)
            fail_at(number, error, patch)
            try:
                place(two(tmp_path), overwrite=overwrite)
            except (OSError, Interruption) as caught:
                if isinstance(caught, OSError):
                    assert caught.filename in [str(path) for path, _ in two(tmp_path)]  # noqa: PT017
                raised = True
            else:
                raised = False
        after = listing(tmp_path)
        if filesystem == "no hard links" and not overwrite and isinstance(error, Interruption):
            # What was created at this very moment may stay, empty; nobody knows whose it is.
            after = {name: content for name, content in after.items() if content}
        assert after == (before if raised else new), number
        failures += raised
    assert failures >= 5
    assert not raised  # so 40 is beyond the last step
