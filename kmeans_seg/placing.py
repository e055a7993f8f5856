"""Put finished files in place: all of them or none, and over no other file unasked.

A file is written whole under a temporary name in its directory. Then one step
of the filesystem gives it its own name: a hard link, which fails if the name
exists, or a rename, which replaces the file of that name.

A filesystem without hard links gets an exclusively created file instead. That
never overwrites anything either, but a reader may see it half-written, and a
process that is killed leaves it so.

Left out: nothing is flushed to the disk, so a power failure may still lose a
file. A process killed with SIGKILL leaves its temporary files behind.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import validation

StrPath = str | os.PathLike[str]
Identity = tuple[int, int]


def place(contents: Iterable[tuple[StrPath, bytes]], *, overwrite: bool) -> None:
    """Write files, all or none.

    Parameters
    ----------
    contents
        Pairs of the path of a file and what to write there. With `overwrite`, a
        symbolic link stays and the file that it points to is written.
    overwrite
        Whether to replace regular files that exist. The new file takes over
        the permissions of the old one and, where the system allows, its owner
        and group. Other names of the old file (hard links) keep its content.

    Raises
    ------
    FileExistsError
        If there is anything at a path, even a dangling link, and `overwrite`
        is False.
    IsADirectoryError
        If there is a directory at a path.
    PermissionError
        If the system forbids it, or the file to replace is read-only.
    OSError
        If the system cannot write a file for another reason.
    ValueError
        If there is a FIFO, a socket or a device at a path, or two paths lead
        to one file.
    """
    outputs = [Output(path, data, overwrite) for path, data in contents]
    try:
        for output in outputs:
            with naming(output.path):
                output.stage()
        for output in outputs:
            with naming(output.path):
                output.put([other for other in outputs if other is not output])
    except BaseException:
        for output in reversed(outputs):
            with contextlib.suppress(OSError):
                output.take_back()
        raise
    finally:
        for output in outputs:
            output.clean_up()


def check_target(path: StrPath, *, overwrite: bool) -> os.stat_result | None:
    """Check that a file may be put at a path; return the status of the file to replace, if any."""
    try:
        status = Path(path).stat() if overwrite else Path(path).lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise system_error(errno.EISDIR, path)
    if not overwrite:
        raise system_error(errno.EEXIST, path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(
            f"{validation.shown(path)}: this is a FIFO, a socket or a device, and only regular "
            "files are replaced: choose another name"
        )
    if not os.access(path, os.W_OK):
        raise system_error(errno.EACCES, path)
    return status


def system_error(number: int, path: StrPath) -> OSError:
    """Make the error that the operating system would raise; its class depends on the number."""
    return OSError(number, os.strerror(number), os.fspath(path))


def identity(status: os.stat_result) -> Identity:
    """Return what tells files apart, as `os.path.samestat` compares them."""
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def naming(path: StrPath) -> Iterator[None]:
    """Let an error of the operating system name the file that was asked for, not a temporary."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


class Output:
    """A file on its way to its place."""

    def __init__(self, path: StrPath, data: bytes, overwrite: bool) -> None:
        self.path, self.data, self.overwrite = path, data, overwrite
        # Without overwrite a link is a name that exists, so where it leads does not matter.
        self.target = Path(os.path.realpath(path) if overwrite else path)
        unique = f".kmeans_seg-{os.urandom(8).hex()}"
        self.temporary = self.target.with_name(unique + ".tmp")
        self.backup = self.target.with_name(unique + ".old")
        self.old: os.stat_result | None = None
        self.new: Identity | None = None

    def stage(self) -> None:
        """Write the file under its temporary name."""
        self.old = check_target(self.path, overwrite=self.overwrite)
        # Until it has the permissions of the old file, no other user may read it.
        opener = private if self.old else None
        with open(self.temporary, "xb", opener=opener) as file:
            self.new = identity(os.fstat(file.fileno()))
            file.write(self.data)
        if self.old:
            take_over(self.target, self.old, self.temporary)

    def put(self, others: list["Output"]) -> None:
        """Give the file its name."""
        if self.overwrite:
            try:
                self.keep_old(others)
            except FileNotFoundError:
                self.old = None
            self.temporary.replace(self.target)
        elif sys.platform == "win32":
            self.temporary.rename(self.target)  # refuses, on Windows, if the name exists
        else:
            try:
                os.link(self.temporary, self.target)
            except FileExistsError:
                raise
            except OSError:  # a filesystem without hard links; if it is not that, this fails too
                self.create()

    def create(self) -> None:
        """Write the file under its own name, which must not exist."""
        with self.target.open("xb") as file:
            self.new = identity(os.fstat(file.fileno()))
            file.write(self.data)

    def keep_old(self, others: list["Output"]) -> None:
        """Give the file to replace a second name, from which it can be put back."""
        if identity(self.target.stat()) in [other.new for other in others]:
            raise ValueError(
                f"{validation.shown(self.path)}: another output is this very file: "
                "give them different names"
            )
        if not others:
            return  # nothing can fail once the file is in place
        try:
            os.link(self.target, self.backup)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copy2(self.target, self.backup)

    def take_back(self) -> None:
        """Undo `put`, if that was done, whenever that was interrupted."""
        if self.new != identity(self.target.lstat()):
            return
        if self.backup.exists():
            self.backup.replace(self.target)
        elif self.old is None:
            self.target.unlink()

    def clean_up(self) -> None:
        """Remove what has no more use."""
        for path in (self.temporary, self.backup):
            with contextlib.suppress(OSError):  # it was never there, or has another name now
                path.unlink()


def private(path: str, flags: int) -> int:
    """Open a file, as `open` does, that only its owner may read and write."""
    return os.open(path, flags, 0o600)


def take_over(target: Path, old: os.stat_result, temporary: Path) -> None:
    """Give a new file the owner, the permissions and the attributes of the one to replace."""
    if sys.platform != "win32":
        for owner in ((old.st_uid, -1), (-1, old.st_gid)):
            with contextlib.suppress(OSError):  # the owner may be left to root only
                os.chown(temporary, *owner)
    with contextlib.suppress(OSError):
        shutil.copystat(target, temporary)  # access control lists too
    os.utime(temporary)  # but it is new
