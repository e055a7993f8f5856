"""The command `kmeans-seg`: segment image files from the terminal.

For each file: read, segment, write, and say so in a line. A file that fails
gets a line on stderr, and the next one its turn. Left out: whatever can be done
in three lines of Python with `read`, `segment` and `write`, like other
initializations or the numbers of the result.
"""

import argparse
import contextlib
import errno
import io
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from . import validation
from .files import read, write
from .lloyd import Step
from .segmentation import SPACES, segment

DEMO = "coffee.jpg"

# What can be done about an error of the operating system.
REMEDIES: dict[type[OSError], str] = {
    FileExistsError: "add --force to replace it, or choose another with -o, --labels or --explain",
    FileNotFoundError: "check the name, and that the directory exists",
    IsADirectoryError: "name the files in it",
    NotADirectoryError: "check the name",
    PermissionError: "ask for the permission, or write elsewhere with -o",
}

# Files that must not be overwritten, by device and inode: links and other names do not hide them.
Protected = set[tuple[int, int]]


class RefusedError(Exception):
    """Something that was asked for and that the command does not do; the message is the reason."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv
        The arguments, without the command's name; by default those of the process.

    Returns
    -------
    status
        0 if every image was segmented and written, 1 if one was not, 130 if the
        user stopped the command.

    Raises
    ------
    SystemExit
        With status 2 if the arguments cannot be understood, with 0 after `--help`.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    kmeans-seg ...
    0
    """
    parser = make_parser()
    args = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold any byte
    try:
        if args.version:
            from importlib import metadata  # like the next, it takes its time

            print("kmeans-seg", metadata.version("kmeans_seg"))
            return 0
        check_usage(parser, args)
        if not args.demo:
            return run(args.images, args)
        from importlib import resources

        with resources.as_file(resources.files("kmeans_seg") / "data" / DEMO) as photo:
            return run([photo], args)
    except KeyboardInterrupt:
        return 130  # what a shell reports for it
    except BrokenPipeError:
        # Nobody reads on, as after `| head -1`. Python must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = argparse.ArgumentParser(
        prog="kmeans-seg",
        description="Segment images with k-means: every pixel gets the color of its segment.",
        epilog="Example: kmeans-seg photo.jpg -k 4 writes photo-segmented.png beside photo.jpg.",
        allow_abbrev=False,
    )
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="a file to segment")
    parser.add_argument(
        "-k", type=int, default=3, metavar="K", help="how many segments (default: 3)"
    )
    parser.add_argument(
        "--space",
        choices=tuple(SPACES),
        default="rgb",
        help="what to cluster: the colors as they are (rgb, the default), as they are seen (lab), "
        "or any channels as plain numbers (raw)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="the file to write, or a directory for IMAGE-segmented.png "
        "(default: IMAGE-segmented.png beside the image)",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="LABELS",
        help="also write the labels, 0 to K - 1 from dark to light, as a gray image, where "
        "255 (65535 of 16 bits) marks transparent pixels, or to .npy, where -1 does: "
        "a file, or a directory for IMAGE-labels.png",
    )
    parser.add_argument(
        "--explain",
        type=Path,
        metavar="PAGE",
        help="also write a page on which to follow how a preview of the image is segmented, and to "
        "try other runs: an HTML file, or a directory for IMAGE-steps.html",
    )
    parser.add_argument(
        "--width",
        type=int,
        default=480,
        metavar="PIXELS",
        help="how wide the preview on the page of --explain is at most (default: 480)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="the seed of the random start; the same seed gives the same segments (default: 0)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files that exist (never an input)"
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="segment a photo that comes with the program, into coffee-segmented.png "
        "in this directory; a second run replaces it, and the page of --explain",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    return parser


def check_usage(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Stop with a usage error where the arguments do not fit together."""
    if args.demo and args.images:
        parser.error("--demo brings its own image: leave out --demo or the images")
    if not args.demo and not args.images:
        parser.error("no image given: name one, or try --demo")
    for option, out in (
        ("-o", args.output),
        ("--labels", args.labels),
        ("--explain", args.explain),
    ):
        if out is not None and len(args.images) > 1 and not is_directory(out):
            parser.error(
                f"{option} {out}: for more than one image this must be a directory that exists: "
                "make it first, or give one image at a time"
            )
    if args.labels is not None and args.labels.suffix.lower() in (".jpg", ".jpeg"):
        parser.error(f"--labels {args.labels}: JPEG would change the labels: write to .png instead")


def run(images: Sequence[Path], args: argparse.Namespace) -> int:
    """Segment the images one after the other; return the exit status."""
    if args.demo and args.output is None and args.labels is None:
        args.force = True  # nobody's work is lost, and a second run should just work
    protected: Protected = set()
    for image in images:
        with contextlib.suppress(OSError):  # it will be told when its turn comes
            protected.add(identity(image))
    failed = False
    for image in images:
        name = DEMO if args.demo else str(image)
        try:
            with warnings.catch_warnings(record=True, action="ignore") as caught:
                warnings.simplefilter("always", UserWarning)
                try:
                    line = segment_file(image, name, protected, args)
                finally:
                    for warning in caught:
                        complain(name, f"warning: {warning.message}")
        except (OSError, MemoryError, RefusedError, TypeError, ValueError) as error:
            complain(name, reason(error, image))
            failed = True
        else:
            print(line, flush=True)
    return int(failed)


def segment_file(image: Path, name: str, protected: Protected, args: argparse.Namespace) -> str:
    """Read, segment and write one image; return the line to print."""
    start = time.perf_counter()
    image.stat()  # if there is no such file, that is the first thing to say
    pixels = read(image)
    origin = Path(name)  # which for the demo is in the current directory
    suffix = ".tif" if validation.is_stack(pixels) else ".png"  # which keeps every frame
    targets = [destination(args.output, origin.parent / f"{origin.stem}-segmented{suffix}")]
    if args.labels is not None:
        targets.append(destination(args.labels, origin.parent / f"{origin.stem}-labels{suffix}"))
        if targets[0].resolve() == targets[1].resolve():
            raise RefusedError(f"{targets[1]}: give the picture and the labels different names")
    for target in targets:
        validation.as_image_suffix(target)
        check_target(target, protected, args.force)
    page = None
    if args.explain is not None:
        page = destination(args.explain, origin.parent / f"{origin.stem}-steps.html")
        validation.check_page_name(page)
        validation.check_page_k(args.k)
        validation.as_count("--width", args.width)
        check_target(page, protected, args.force)
    with live_line(name) as show:
        result = segment(pixels, args.k, space=args.space, rng=args.seed, callback=show)
    for target, content in zip(targets, (result.painted, result.labels), strict=False):
        write(target, content, overwrite=args.force)
        protected.add(identity(target))
    if page is not None:
        try:
            write_steps(pixels, page, origin.name, args)
        except (TypeError, ValueError) as error:
            raise RefusedError(
                f"{page}: cannot be made, but {targets[0]} is written: {error}"
            ) from None
        protected.add(identity(page))
        targets.append(page)
    *frames, height, width = result.labels.shape
    stack = f"{frames[0]} frames of " if frames else ""
    return (
        f"{name}: {stack}{width}x{height}, k={len(result.centers)}, {result.n_iter} iterations, "
        f"{time.perf_counter() - start:.2f} s -> {', '.join(map(str, targets))}"
    )


def write_steps(pixels: NDArray[Any], page: Path, name: str, args: argparse.Namespace) -> None:
    """Write the page of an image. What there is to warn of has been said of the image itself."""
    from .teaching.page import write_page

    how = {"space": args.space, "rng": args.seed, "title": name, "width": args.width}
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        write_page(pixels, args.k, page, overwrite=args.force, **how)


def destination(out: Path | None, default: Path) -> Path:
    """Say where to write: to the file `out`, or under the default's name to the directory `out`."""
    if out is None:
        return default
    return out / default.name if is_directory(out) else out


def check_target(target: Path, protected: Protected, force: bool) -> None:
    """Find before the work, not after it, that a file cannot be written."""
    if not is_directory(target.parent):
        raise RefusedError(f"{target}: no such directory: make it first, or choose another")
    if target.exists():
        if identity(target) in protected:
            raise RefusedError(
                f"{target}: is an input or an output of this very run, which is never "
                "overwritten: choose another name or directory with -o, --labels or --explain"
            )
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if not force:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def is_directory(path: Path) -> bool:
    """Say whether a path leads to a directory; one that may not be looked at does not."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False


def identity(path: Path) -> tuple[int, int]:
    """Say which file a path leads to, as `os.path.samefile` compares it."""
    status = path.stat()
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def live_line(name: str) -> Iterator[Callable[[Step], None] | None]:
    """Give a callback that shows each step in one line of the terminal, which is cleared after it.

    Where stderr is not a terminal, there is no callback.
    """
    if not sys.stderr.isatty():
        yield None
        return
    width = shutil.get_terminal_size().columns - 1  # a full line would wrap, and stay

    def show(step: Step) -> None:
        text = f"{name}: iteration {step.iteration}, {step.moved:.0f} pixels reassigned"
        print("\r" + text[:width].ljust(width), end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r" + " " * width + "\r", end="", file=sys.stderr, flush=True)


def complain(name: str, text: str) -> None:
    """Print one line to stderr."""
    print(f"kmeans-seg: {name}: {' '.join(text.split())}", file=sys.stderr)


def reason(error: Exception, image: Path) -> str:
    """Say in one line, without the image's name before it, what went wrong and what to do."""
    if isinstance(error, MemoryError):
        return "not enough memory: scale the image down first"
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error).removeprefix(f"{image}: ")
    where = "" if error.filename in (None, str(image)) else f"{error.filename}: "
    remedy = REMEDIES.get(type(error))
    return f"{where}{error.strerror}" + (f": {remedy}" if remedy else "")
