"""The command `kmeans-seg`: segment image files from the terminal.

For each file: read, segment, write, and say so in a line. A file that fails
gets a line on stderr, and the next one its turn. Left out: whatever can be done
in three lines of Python with `read`, `segment` and `write`, like other
initializations or the numbers of the result.
"""

import argparse
import contextlib
import io
import logging
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from . import validation
from .codecs import Picture
from .features import SPACES
from .files import MAX_BYTES, as_image_suffix, encodable, encoded, load
from .lloyd import Step
from .placing import Identity, check_target, identity, place
from .segmentation import segment
from .validation import shown

DEMO = "coffee.jpg"

# What can be done about an error of the operating system.
REMEDIES: dict[type[OSError], str] = {
    FileExistsError: "add --force to replace it, or choose another with -o, --labels or --explain",
    FileNotFoundError: "check the name, and that the directory exists",
    IsADirectoryError: "name the files in it",
    NotADirectoryError: "check the name",
    PermissionError: "ask for the permission, or write elsewhere with -o",
}

# What stands for stdin as an image, and for stdout as an output.
STANDARD = Path("-")

# Files that must not be overwritten: links and other names do not hide them.
Protected = set[Identity]

# The signals that end a process: Ctrl-C, a request, and a terminal that is closed (not on Windows).
ENDING = [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)]


class RefusedError(Exception):
    """Something that was asked for and that the command does not do; the message is the reason."""


class Parser(argparse.ArgumentParser):
    """A parser whose messages are safe to print, whatever the arguments hold."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and a message, and exit."""
        super().error(shown(message))


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
    # Of a damaged file there is one line to read, from the command, and no log of a reader.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
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
    parser = Parser(
        prog="kmeans-seg",
        description="Segment images with k-means: every pixel gets the color of its segment.",
        epilog="Example: kmeans-seg photo.jpg -k 4 writes photo-segmented.png beside photo.jpg.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE",
        help="a file to segment, or - for stdin",
    )
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
        help="the file to write, a directory for IMAGE-segmented.png, or - for stdout "
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
        "--page",
        type=int,
        metavar="N",
        help="segment one page of a file, or frame of an animation, from 0 on (default: all)",
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=MAX_BYTES,
        metavar="BYTES",
        help="refuse images that take more memory than this (default: 4 GiB)",
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
    if STANDARD in args.images and args.output is None:
        parser.error("- reads an image from stdin: say where to write by -o")
    if args.images.count(STANDARD) > 1:
        parser.error("- stands for stdin, which holds one image: name it once")
    if args.output == STANDARD and sys.stdout.isatty():
        parser.error("-o - writes an image to stdout: send it to a file or a program")
    for option, out in (("--labels", args.labels), ("--explain", args.explain)):
        if out == STANDARD:
            parser.error(f"{option} -: only the picture can go to stdout, by -o -")
    if args.labels is not None and args.labels.suffix.lower() in (".jpg", ".jpeg"):
        parser.error(f"--labels {args.labels}: JPEG would change the labels: write to .png instead")


def run(images: Sequence[Path], args: argparse.Namespace) -> int:
    """Segment the images one after the other; return the exit status."""
    if args.demo and args.output is None and args.labels is None:
        args.force = True  # nobody's work is lost, and a second run should just work
    protected: Protected = set()
    for image in images:
        with contextlib.suppress(OSError):  # it will be told when its turn comes
            protected.add(identity(image.stat()))
    failed = False
    for image in images:
        name = DEMO if args.demo else "stdin" if image == STANDARD else shown(image)
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
            print(line, flush=True, file=sys.stderr if args.output == STANDARD else sys.stdout)
    return int(failed)


def segment_file(image: Path, name: str, protected: Protected, args: argparse.Namespace) -> str:
    """Read, segment and write one image; return the line to print."""
    start = time.perf_counter()
    if image == STANDARD:
        picture = load(sys.stdin.buffer, args.max_bytes, args.page)
        origin = Path("stdin")
    else:
        image.stat()  # if there is no such file, that is the first thing to say
        picture = load(image, args.max_bytes, args.page)
        origin = Path(DEMO) if args.demo else image  # the demo is as if it were in this directory
    pixels, axis = picture.pixels, channel_axis_of(picture, args.space)
    is_stack = pixels.ndim - (axis is not None and pixels.ndim > 2) > 2
    usual = ".tif" if is_stack else ".png"  # which keeps every frame
    suffix = usual if pixels.dtype in (np.bool_, np.uint8, np.uint16) else ".tif"
    painted = destination(args.output, origin.parent / f"{origin.stem}-segmented{suffix}")
    form = f"stdout{suffix}" if painted == STANDARD else painted
    encodable(form, pixels, axis, may_be_labels=False)
    targets = [] if painted == STANDARD else [painted]
    if args.labels is not None:
        targets.append(destination(args.labels, origin.parent / f"{origin.stem}-labels{usual}"))
        if painted.resolve() == targets[-1].resolve():
            raise RefusedError(
                f"{shown(targets[-1])}: give the picture and the labels different names"
            )
    for target in targets:
        as_image_suffix(target)
        check_output(target, protected, args.force)
    page = None
    if args.explain is not None:
        from .teaching.page import check_page_k, check_page_name

        page = destination(args.explain, origin.parent / f"{origin.stem}-steps.html")
        check_page_name(page)
        check_page_k(args.k)
        validation.as_count("--width", args.width)
        check_output(page, protected, args.force)
    with live_line(name) as show:
        how = {"space": args.space, "channel_axis": axis, "rng": args.seed, "callback": show}
        result = segment(pixels, args.k, **how)
    # All are encoded before the first is put in place: if one cannot be, there is none.
    outputs = [(painted, encoded(form, result.painted, axis, may_be_labels=False))]
    if args.labels is not None:
        outputs.append((targets[-1], encoded(targets[-1], result.labels, None)))
    if page is not None:
        outputs.append((page, page_of(pixels, origin.name, args)))
    files = [output for output in outputs if output[0] != STANDARD]
    with uninterrupted():
        place(files, overwrite=args.force)
    protected.update(identity(target.stat()) for target, _ in files)
    if painted == STANDARD:
        sys.stdout.buffer.write(outputs[0][1])
        sys.stdout.buffer.flush()
    *frames, height, width = result.labels.shape
    stack = f"{frames[0]} frames of " if frames else ""
    return (
        f"{name}: {stack}{width}x{height}, k={len(result.centers)}, {result.n_iter} iterations, "
        f"{time.perf_counter() - start:.2f} s -> "
        f"{', '.join(shown(target) for target, _ in outputs)}"
    )


def channel_axis_of(picture: Picture, space: str) -> int | None:
    """Say which axis of an image holds its channels, as `segment` has it."""
    if picture.has_channels is None:  # an array, which says nothing of its axes
        return -1
    if not picture.has_channels:
        return None
    channels = picture.pixels.shape[-1]
    if channels in (2, 4) and not picture.has_alpha and space != "raw":
        raise RefusedError(
            f"it has {channels} channels, none of which is alpha: cluster them all by "
            "--space raw, or drop one"
        )
    return picture.pixels.ndim - 1


def page_of(pixels: NDArray[Any], name: str, args: argparse.Namespace) -> bytes:
    """Make the page of an image. What there is to warn of has been said of the image itself."""
    from .teaching.page import make_page

    how = {"space": args.space, "rng": args.seed, "title": name, "width": args.width}
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return make_page(pixels, args.k, **how)


def destination(out: Path | None, default: Path) -> Path:
    """Say where to write: to the file `out`, or under the default's name to the directory `out`."""
    if out is None:
        return default
    return out / default.name if is_directory(out) else out


def check_output(target: Path, protected: Protected, force: bool) -> None:
    """Find before the work, not after it, that a file cannot be written."""
    if not is_directory(target.parent):
        raise RefusedError(f"{shown(target)}: no such directory: make it first, or choose another")
    with contextlib.suppress(OSError):
        if identity(target.stat()) in protected:
            raise RefusedError(
                f"{shown(target)}: is an input or an output of this very run, which is never "
                "overwritten: choose another name or directory with -o, --labels or --explain"
            )
    check_target(target, overwrite=force)


def is_directory(path: Path) -> bool:
    """Say whether a path leads to a directory; one that may not be looked at does not."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold signals back until the block is done, so that it leaves nothing half-done.

    At any other time a signal may end the process at once: there is nothing to clean up.
    """
    waiting: list[int] = []
    before: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():  # others handle no signals
            for number in ENDING:
                # What was ignored from the start, as by `nohup`, stays so.
                if signal.getsignal(number) not in (signal.SIG_IGN, None) and number not in before:
                    before[number] = signal.signal(number, lambda n, _: waiting.append(n))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])


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
    """Print one line to stderr; what a damaged file made of an error is not for the terminal."""
    print(f"kmeans-seg: {name}: {shown(' '.join(text.split()))}", file=sys.stderr)


def reason(error: Exception, image: Path) -> str:
    """Say in one line, without the image's name before it, what went wrong and what to do."""
    if isinstance(error, MemoryError):
        return "not enough memory: scale the image down first"
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error).removeprefix("<stdin>: ").removeprefix(f"{shown(image)}: ")
    where = "" if error.filename in (None, str(image)) else f"{shown(error.filename)}: "
    remedy = REMEDIES.get(type(error))
    return f"{where}{error.strerror}" + (f": {remedy}" if remedy else "")
