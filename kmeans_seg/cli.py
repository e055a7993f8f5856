"""The command `kmeans-seg`: segment image files from the terminal.

For each file: read, segment, write, and print a line. A file that fails gets a
line on stderr, and the rest go on.
"""

import argparse
import contextlib
import glob
import io
import json
import logging
import math
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from . import validation
from .choosing import choose_k
from .clustering import INITS
from .codecs import Picture
from .features import SPACES
from .files import MAX_BYTES, as_image_suffix, encodable, encoded, load
from .lloyd import Step
from .palettes import check_palette_name, encoded_palette
from .placing import Identity, check_target, identity, place
from .segmentation import Segmentation, segment
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

# The name of stdin as an image, and of stdout as an output.
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
    args = parser.parse_args(with_negative_nodata(sys.argv[1:] if argv is None else argv))
    # Of a damaged file there is one line to read, from the command, and no log of a reader.
    for reader in ("tifffile", "PIL"):
        logging.getLogger(reader).addHandler(logging.NullHandler())
    check_streams(parser, args)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold any byte
    try:
        if args.version:
            from importlib import metadata  # like the next, it takes its time

            print("kmeans-seg", metadata.version("kmeans_seg"))
            return 0
        args.images = [path for image in args.images for path in expanded(image)]
        check_usage(parser, args)
        if not args.demo:
            return run(args.images, args)
        from importlib import resources

        with resources.as_file(resources.files("kmeans_seg") / "data" / DEMO) as photo:
            return run([photo], args)
    except KeyboardInterrupt:
        return 130  # what a shell reports for it
    except BrokenPipeError:
        silence(sys.stdout)  # nobody reads on, as after `| head -1`
        return 1


def with_negative_nodata(argv: Sequence[str]) -> list[str]:
    """Join --nodata with a value like -1e20 or -inf, which would be taken for an option."""
    joined: list[str] = []
    for text in argv:
        if joined and joined[-1] == "--nodata" and text.startswith("-"):
            joined[-1] += f"={text}"
        else:
            joined.append(text)
    return joined


def check_streams(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Replace standard streams that are closed, unless an image should go through them."""
    if sys.stdin is None and STANDARD in args.images:
        parser.error("- reads an image from stdin, which is closed: name a file")
    if sys.stdout is None and args.output == STANDARD:
        parser.error("-o - writes an image to stdout, which is closed: name a file")
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # It stays open, or the next file that is opened would take its place.
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115


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
        help="a file to segment, or - for stdin; a quoted wildcard is expanded",
    )
    how = parser.add_argument_group("segments")
    how.add_argument(
        "-k",
        type=number_of_segments,
        default=3,
        metavar="K",
        help="the number of segments, or auto: the number of clusters of colors (default: 3)",
    )
    how.add_argument(
        "--space",
        choices=tuple(SPACES),
        default="rgb",
        help="what to cluster: the colors as they are (rgb, the default), as they are seen (lab), "
        "or any channels as plain numbers (raw)",
    )
    how.add_argument(
        "--init",
        choices=INITS,
        default="auto",
        help="how to choose the initial centers: the best of many starts (auto, the default), the "
        "optimum of one channel (optimal), one draw (k-means++), or random pixels (random)",
    )
    how.add_argument(
        "--tol",
        type=float,
        default=0,
        metavar="SHARE",
        help="stop when at most this share of the pixels changes its segment (default: 0)",
    )
    how.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="the random seed; the same seed gives the same segments (default: 0)",
    )
    how.add_argument(
        "--like",
        type=Path,
        metavar="REFERENCE",
        help="segment this image first, and label all images by its centers: one palette for all",
    )
    source = parser.add_argument_group("input")
    source.add_argument(
        "--nodata",
        type=float,
        metavar="VALUE",
        help="leave out pixels that have this value in every channel; with nan or inf, those "
        "that are not finite in any (default: the value that a GeoTIFF names)",
    )
    source.add_argument(
        "--alpha-threshold",
        type=float,
        default=0,
        metavar="ALPHA",
        help="leave out pixels whose alpha is at most this, in the numbers of the image "
        "(default: 0)",
    )
    source.add_argument(
        "--page",
        type=int,
        metavar="N",
        help="segment one page of a file, or frame of an animation, from 0 on (default: all)",
    )
    source.add_argument(
        "--max-bytes",
        type=int,
        default=MAX_BYTES,
        metavar="BYTES",
        help="refuse images that take more memory than this (default: 4 GiB)",
    )
    source.add_argument(
        "--demo",
        action="store_true",
        help="segment a photo that comes with the program, into coffee-segmented.png "
        "in this directory; a second run replaces it, and the page of --explain",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="the file to write, a directory for IMAGE-segmented.png, or - for stdout "
        "(default: IMAGE-segmented.png beside the image)",
    )
    output.add_argument(
        "--labels",
        type=Path,
        metavar="LABELS",
        help="also write the labels, 0 to K - 1 from dark to light, as a gray image, where "
        "255 (65535 of 16 bits) marks transparent pixels, or to .npy, where -1 does: "
        "a file, or a directory for IMAGE-labels.png",
    )
    output.add_argument(
        "--palette",
        type=Path,
        metavar="PALETTE",
        help="also write the colors: to .json, .gpl (for GIMP, Inkscape and Krita) or .png, or to "
        "a directory for IMAGE-palette.json",
    )
    output.add_argument(
        "--json",
        action="store_true",
        help="print the result as one line of JSON for each image",
    )
    output.add_argument(
        "--explain",
        type=Path,
        metavar="PAGE",
        help="also write a page on which to follow how a preview of the image is segmented, and to "
        "try other runs: an HTML file, or a directory for IMAGE-steps.html",
    )
    output.add_argument(
        "--width",
        type=int,
        default=480,
        metavar="PIXELS",
        help="how wide the preview on the page of --explain is at most (default: 480)",
    )
    output.add_argument(
        "--force", action="store_true", help="replace files that exist (never an input)"
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    return parser


def number_of_segments(text: str) -> int | None:
    """Return an integer, or None for "auto"."""
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an integer nor auto") from None


def expanded(image: Path) -> list[Path]:
    """Expand a wildcard that the shell has left, as on Windows; any other name stays."""
    if not glob.has_magic(str(image)) or image.exists():
        return [image]
    return sorted(map(Path, glob.glob(str(image)))) or [image]  # noqa: PTH207


def check_usage(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Stop with a usage error where the arguments do not fit together."""
    if args.demo and args.images:
        parser.error("--demo brings its own image: leave out --demo or the images")
    if not args.demo and not args.images:
        parser.error("no image given: name one, or try --demo")
    for option, out in (
        ("-o", args.output),
        ("--labels", args.labels),
        ("--palette", args.palette),
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
        parser.error("- means stdin, which holds one image: name it once")
    if args.output == STANDARD and sys.stdout.isatty():
        parser.error("-o - writes an image to stdout: send it to a file or a program")
    for option in ("labels", "palette", "explain"):
        if getattr(args, option) == STANDARD:
            parser.error(f"--{option} -: only the picture can go to stdout, by -o -")
    if args.output == STANDARD and args.json:
        parser.error("-o - and --json both write to stdout: choose a file for one, by -o")
    if args.like is not None and args.explain is not None:
        parser.error("--like and --explain: a page shows a run, and with --like there is none")
    if args.seed < 0:
        parser.error(f"--seed {args.seed}: it must be at least 0")
    if args.labels is not None and args.labels.suffix.lower() in (".jpg", ".jpeg", ".avif"):
        parser.error(
            f"--labels {args.labels}: this format would change the labels: write to .png instead"
        )


def run(images: Sequence[Path], args: argparse.Namespace) -> int:
    """Segment the images one after the other; return the exit status."""
    if args.demo and args.output is None and args.labels is None and args.palette is None:
        args.force = True  # no work is lost, and a second run should just work
    protected: Protected = set()
    for image in images if args.like is None else [*images, args.like]:
        with contextlib.suppress(OSError):  # it will be told when its turn comes
            protected.add(identity(image.stat()))
    failed: list[Path] = []
    lines: list[str] = []
    args.reference = None
    if args.like is not None:
        with reporting(args.like, shown(args.like), failed):
            picture = load(args.like, args.max_bytes, args.page)
            axis = channel_axis_of(picture, args.space)
            args.reference = clustered(picture, shown(args.like), axis, args)
        if failed:
            return 1
    said = True
    for image in images:
        name = DEMO if args.demo else "stdin" if image == STANDARD else shown(image)
        with reporting(image, name, failed):
            lines.append(segment_file(image, name, protected, args))
        while lines:
            said &= say(lines.pop(), sys.stderr if args.output == STANDARD else sys.stdout)
    return int(bool(failed) or not said)


@contextlib.contextmanager
def reporting(image: Path, name: str, failed: list[Path]) -> Iterator[None]:
    """Turn the warnings and the error of an image into lines, and note that it failed."""
    try:
        with warnings.catch_warnings(record=True, action="ignore") as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                yield
            finally:
                for warning in caught:
                    complain(name, f"warning: {warning.message}")
    except (OSError, MemoryError, RefusedError, TypeError, ValueError) as error:
        complain(name, reason(error, image))
        failed.append(image)


def segment_file(image: Path, name: str, protected: Protected, args: argparse.Namespace) -> str:
    """Read, segment and write one image; return the line to print."""
    start = time.perf_counter()
    if image != STANDARD:
        image.stat()  # if there is no such file, that is the first thing to say
    origin = Path(DEMO) if args.demo else Path("stdin") if image == STANDARD else image
    picture = load(sys.stdin.buffer if image == STANDARD else image, args.max_bytes, args.page)
    pixels, axis = picture.pixels, channel_axis_of(picture, args.space)
    is_stack = pixels.ndim - (axis is not None and pixels.ndim > 2) > 2
    usual = ".tif" if is_stack else ".png"  # which keeps every frame
    channels = 1 if axis is None or pixels.ndim == 2 else pixels.shape[axis]
    small = pixels.dtype in (np.bool_, np.uint8, np.uint16) and channels <= 4
    suffix = usual if small else ".tif"
    painted = destination(args.output, origin.parent / f"{origin.stem}-segmented{suffix}")
    form = f"stdout{suffix}" if painted == STANDARD else painted
    encodable(form, pixels, axis, may_be_labels=False)
    targets = {} if painted == STANDARD else {"painted": painted}
    for what, usual_name in (
        ("labels", f"{origin.stem}-labels{usual}"),
        ("palette", f"{origin.stem}-palette.json"),
        ("explain", f"{origin.stem}-steps.html"),
    ):
        if getattr(args, what) is not None:
            targets[what] = destination(getattr(args, what), origin.parent / usual_name)
    check_targets(targets, protected, args)
    result = segmentation_of(picture, name, axis, args)
    # All are encoded before the first is put in place: if one cannot be, there is none.
    content = encoded(form, result.painted, axis, may_be_labels=False, timed_like=picture)
    outputs = [(painted, content)]
    if "labels" in targets:
        outputs.append((targets["labels"], encoded(targets["labels"], result.labels, None)))
    if "palette" in targets:
        outputs.append(
            (targets["palette"], encoded_palette(result, targets["palette"], origin.name))
        )
    if "explain" in targets:
        outputs.append((targets["explain"], page_of(pixels, result, origin.name, args)))
    files = [output for output in outputs if output[0] != STANDARD]
    with uninterrupted():
        place(files, overwrite=args.force)
    protected.update(identity(target.stat()) for target, _ in files)
    if painted == STANDARD:
        sys.stdout.buffer.write(outputs[0][1])
        sys.stdout.buffer.flush()
    if args.json:
        written = [str(target) for target, _ in files]
        return json.dumps({"file": str(origin), **result.to_dict(), "outputs": written})
    *frames, height, width = result.labels.shape
    stack = f"{frames[0]} frames of " if frames else ""
    passes = "" if args.like else f"{result.n_iter} {'pass' if result.n_iter == 1 else 'passes'}, "
    return (
        f"{name}: {stack}{width}x{height}, k={len(result.centers)}, {passes}"
        f"{time.perf_counter() - start:.2f} s -> "
        f"{', '.join(shown(target) for target, _ in outputs)}"
    )


def check_targets(targets: dict[str, Path], protected: Protected, args: argparse.Namespace) -> None:
    """Find before the work, not after it, that something cannot be written."""
    resolved = [target.resolve() for target in targets.values()]
    for target in targets.values():
        if resolved.count(target.resolve()) > 1:
            raise RefusedError(f"{shown(target)}: give each output a name of its own")
    for what, target in targets.items():
        if what == "palette":
            check_palette_name(target)
        elif what == "explain":
            from .teaching.page import check_page_k, check_page_name

            check_page_name(target)
            if args.k is not None:
                check_page_k(args.k)
            validation.as_count("--width", args.width)
        else:
            as_image_suffix(target)
        check_output(target, protected, args.force)


def segmentation_of(
    picture: Picture, name: str, axis: int | None, args: argparse.Namespace
) -> Segmentation:
    """Segment an image, or label it by the centers of the reference."""
    if args.reference is None:
        return clustered(picture, name, axis, args)
    reference: Segmentation = args.reference
    return reference.apply(picture.pixels, mask=mask_of(picture, axis, args.nodata))


def clustered(
    picture: Picture, name: str, axis: int | None, args: argparse.Namespace
) -> Segmentation:
    """Segment an image."""
    mask = mask_of(picture, axis, args.nodata)
    pixels, k = picture.pixels, args.k
    if k is None:
        choice = choose_k(
            pixels, space=args.space, channel_axis=axis, mask=mask,
            alpha_threshold=args.alpha_threshold, rng=args.seed,
        )  # fmt: skip
        if choice.k is None:
            raise RefusedError(f"{choice.reason}: choose a number with -k")
        k = choice.k
    with live_line(name) as show:
        return segment(
            pixels, k, space=args.space, channel_axis=axis, mask=mask,
            alpha_threshold=args.alpha_threshold, init=args.init, tol=args.tol, rng=args.seed,
            callback=show,
        )  # fmt: skip


def mask_of(picture: Picture, axis: int | None, nodata: float | None) -> Any:
    """Return which pixels take part: those without the value that marks missing data."""
    pixels, nodata = picture.pixels, picture.nodata if nodata is None else nodata
    if nodata is None:
        return None
    finite = math.isfinite(nodata)
    missing = pixels == nodata if finite else ~np.isfinite(pixels)
    if axis is not None and pixels.ndim > 2:
        missing = missing.all(axis=axis) if finite else missing.any(axis=axis)
    return ~missing if missing.any() else None


def channel_axis_of(picture: Picture, space: str) -> int | None:
    """Say which axis of an image holds its channels, as `segment` has it."""
    if picture.has_channels is None:  # an array, which says nothing of its axes
        return -1
    if not picture.has_channels:
        return None
    channels = picture.pixels.shape[-1]
    if channels in (2, 4) and not picture.has_alpha and space != "raw":
        raise RefusedError(
            f"it has {channels} channels, and none is alpha: cluster them all by "
            "--space raw, or drop one"
        )
    return picture.pixels.ndim - 1


def page_of(
    pixels: NDArray[Any], result: Segmentation, name: str, args: argparse.Namespace
) -> bytes:
    """Make the page of an image. What there is to warn of has been said of the image itself."""
    from .teaching.page import make_page

    k, channels = result.palette.shape
    hidden = result.labels[..., np.newaxis] < 0
    if channels in (1, 3) and hidden.any():  # a page leaves out what is masked
        colors = pixels.reshape(*result.labels.shape, -1)[..., :channels]
        pixels = np.ma.array(colors, mask=np.broadcast_to(hidden, colors.shape))
    how = {"space": args.space, "init": args.init, "tol": args.tol, "rng": args.seed}
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return make_page(pixels, k, title=name, width=args.width, **how)


def destination(out: Path | None, default: Path) -> Path:
    """Say where to write: to the file `out`, or under the default's name to the directory `out`."""
    if out is None:
        return default
    if is_directory(out):
        return out / default.name
    if not out.suffix and out != STANDARD:
        raise RefusedError(
            f"{shown(out)}: this is no directory, and the name of a file needs a suffix: make the "
            f"directory first, or end the name in {default.suffix}"
        )
    return out


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
        text = f"{name}: pass {step.iteration}, {step.reassigned_weight:.0f} pixels reassigned"
        print("\r" + text[:width].ljust(width), end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r" + " " * width + "\r", end="", file=sys.stderr, flush=True)


def say(line: str, stream: TextIO) -> bool:
    """Print a line, and return whether there was room for it: a disk may be full."""
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(stream)
        complain("stdout", f"{error.strerror}: nothing more is printed")
        return False
    return True


def silence(stream: TextIO) -> None:
    """Let nothing more come out of a stream: Python must not try to flush what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(name: str, text: str) -> None:
    """Print one line to stderr; what a damaged file made of an error is not for the terminal."""
    with contextlib.suppress(OSError):  # a full disk: then there is nowhere to say it
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
