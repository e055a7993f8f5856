"""From what pytest-benchmark measured to docs/benchmarks.md and its plots.

    python -m benchmarks.report MEASURED.json [MORE.json ...] [--remark TEXT]

It prints the table of goals, writes the page, and draws the plots. The page is
overwritten as a whole; its text is in `PAGE`. If there are several files, groups of
the later ones replace those of the earlier, so that both times of a ratio always
come from one run. Left out: measuring.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

import matplotlib as mpl

mpl.use("agg")  # no window
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

from .peers import ELKAN, FLOOR, LLOYD, OURS, PLAIN, SCRIPT, SEEDS

DOCS = Path(__file__).parents[1] / "docs"

Run = dict[str, Any]  # one benchmark: its extra info, and `seconds`, its fastest round


@dataclass(frozen=True)
class Goal:
    """A line of the table: ours is to be `factor` times faster than the fastest of `peers`."""

    text: str
    work: str
    k: int
    peers: tuple[str, ...]
    factor: float


LABELS = "image → labels, photos of 4 MP and more, k = {}"
COLORS = "distinct colors, same start, to the end, k = {}"
GOALS = [
    Goal(LABELS.format(8), "image to labels", 8, ("scikit-learn",), 20),
    Goal(LABELS.format(64), "image to labels", 64, ("scikit-learn",), 50),
    Goal(LABELS.format(8), "image to labels", 8, ("OpenCV",), 10),
    Goal(LABELS.format(8), "image to labels", 8, ("SciPy",), 10),
    Goal(LABELS.format(8), "image to labels", 8, ("faiss",), 10),
    Goal(LABELS.format(8), "image to labels", 8, ("Pillow",), 10),
    Goal(COLORS.format(8), "distinct colors to the end", 8, (LLOYD, ELKAN), 2),
    Goal(COLORS.format(64), "distinct colors to the end", 64, (LLOYD, ELKAN), 4),
    Goal(COLORS.format(256), "distinct colors to the end", 256, (LLOYD, ELKAN), 8),
    Goal("image → labels, 0.27 MP, k = 8", "small image to labels", 8, ("scikit-learn",), 3),
    Goal("JPEG → file, k = 3, Lab", "command", 3, (SCRIPT,), 5),
    Goal("floating-point image, same start, k = 8", "floating point", 8, (LLOYD, ELKAN), 2),
    Goal("24 Gabor responses, k = 8", "24 Gabor responses", 8, (PLAIN,), 0.95),
]

PAGE = """\
# Benchmarks

kmeans_seg compared with the libraries that people would use otherwise, on the same
images in the same run. `benchmarks/report.py` writes this page; `benchmarks/README.md`
says how to run it, and what exactly each library does.

{machine}

## Goals

A ratio is the peer's time divided by ours: at 20, kmeans_seg took a twentieth of the
time. Times and ratios of several photos are geometric means. Every library may use all
processors, and its fastest round counts. `strategy="plain"` is made to be read: since its
counting and its sums are plain, too, it is slower than it was, and so the ratios to it, here
and under "How the cost of a pass grows", are larger.

{goals}

{front}

{starts}

## Image to labels

From an array of uint8 to a label for every pixel, each library with its own defaults. The
chart shows the geometric mean over the photos of 4 megapixels and more.

![Time from image to labels by library](benchmarks/image-to-labels.png)

{photos}

The libraries stop by different rules. kmeans_seg and Pillow stop when no pixel is
reassigned, scikit-learn when the centers move little, OpenCV after 20 passes, SciPy after
10, faiss after 25.

The time also depends on the initial centers. Above, every library has random seed 0. Below is
the mean time of a run over the seeds 0 to 9, with k = 8, and in parentheses its ratio to ours:

{seeds}

## Other images

Images made from {kinds_photo}, compared with scikit-learn on all pixels: 16 bits with noise
in the lower ones, seven bands of floating point with a strip of missing data, and gray of 16
bits with negative values. Then {dask_photo} as a dask array in chunks of 512 by 512, in
threads on this machine, compared with dask-ml. All with k = 8.

{kinds}

## Scenes of many bands

Images of 1.8 MP made from Elephants, with more bands, more bits and noise. First from the same
initial centers to the same stop as scikit-learn (our `tol` is the share of pixels that its last
pass reassigns), then with each library's own defaults. Then points in an unfavorable order, and
images in files and on dask. Inertia is ours relative to theirs. Measured on 2026-11-26; the
Gabor responses, the points of 50 dimensions and the memory maps on 2026-11-27, on another
machine.

{scenes_goals}

{scenes}

## The same points from the same start

The distinct colors of a photo, weighted by their counts, from the same initial centers,
until no color is reassigned. This is the hardest comparison, because scikit-learn gets the
distinct colors too (`sample_weight=counts, tol=0`). The number of passes is in parentheses.
It differs where two centers are nearly equally near, and scikit-learn rounds differently.

{colors}

## Final inertia

The mean inertia over ten random seeds, divided by that of scikit-learn: below 1, ours is
better. With one run per seed, most of the difference is chance.

{inertia}

## How the cost of a pass grows

The time of whole runs, divided by the number of passes, on distinct colors of {photo} chosen
at regular intervals along their order.

![Time per pass against the number of points and of centers](benchmarks/growth.png)

{growth}

## Memory

Peak memory beyond the image itself, from 12 megapixels of uint8 to labels, k = 8.

![Peak memory by library](benchmarks/memory.png)
"""

INK, GRAY, ACCENT = "#1f2933", "#9aa5b1", "#d1495b"
COLOR = {OURS: ACCENT, PLAIN: "#e8a598", LLOYD: "#2e6f95", ELKAN: "#7fb2cf"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("measured", nargs="+", type=Path)
    parser.add_argument("--remark", default="")
    args = parser.parse_args()
    groups: dict[str, list[Run]] = {}
    for path in args.measured:
        data = json.loads(path.read_text())
        groups.update({run["group"]: [] for run in data["benchmarks"]})
        for run in data["benchmarks"]:
            seconds = run["stats"]["min"]
            groups[run["group"]].append({**run["extra_info"], "seconds": seconds})
    runs = [run for group in groups.values() for run in group]
    several = f"Combined from {len(args.measured)} runs; this was the last."
    remarks = [machine(data), several if len(args.measured) > 1 else "", args.remark]
    folder = DOCS / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    draw_labels(runs, folder / "image-to-labels.png")
    draw_growth(runs, folder / "growth.png")
    draw_memory(runs, folder / "memory.png")
    goals = goals_table(runs)
    print(goals)
    page = PAGE.format(
        **{name: included(name) for name in ("front", "starts", "scenes", "scenes_goals")},
        machine=" ".join(filter(None, remarks)),
        goals=goals,
        photos=photos_table(runs),
        seeds=seeds_table(runs),
        kinds=kinds_table(runs),
        kinds_photo=select(runs, work="floating point")[0]["photo"],
        dask_photo=select(runs, work="command")[0]["photo"],
        colors=colors_table(runs),
        inertia=inertia_table(runs),
        growth=growth_tables(runs),
        photo=select(runs, work="memory")[0]["photo"],
    )
    (DOCS / "benchmarks.md").write_text(page)


def included(name: str) -> str:
    """Read a part of the page that another script, or its reader, has written."""
    return (DOCS / "benchmarks" / f"{name}.inc").read_text(encoding="utf-8").rstrip()


def select(runs: list[Run], **wanted: Any) -> list[Run]:
    """Choose the runs whose entries are as wanted."""
    return [run for run in runs if all(run.get(key) == value for key, value in wanted.items())]


def by_photo(runs: list[Run], peers: tuple[str, ...], **wanted: Any) -> dict[str, float]:
    """Return the seconds of the fastest of some peers on each photo."""
    seconds: dict[str, float] = {}
    for peer in peers:
        for run in select(runs, peer=peer, **wanted):
            seconds[run["photo"]] = min(run["seconds"], seconds.get(run["photo"], float("inf")))
    return seconds


def mean_seconds(runs: list[Run], *peers: str, **wanted: Any) -> float:
    """Return the geometric mean over the photos."""
    return geometric_mean(by_photo(runs, peers, **wanted).values())


def duration(seconds: float) -> str:
    """Format a time with three digits."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"


def markdown(head: list[str], rows: list[list[str]], words: int = 1) -> str:
    """Format a table: some columns of words, then numbers, aligned to the right."""
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(data: dict[str, Any]) -> str:
    """Say when, where and with what it was measured."""
    info = data["machine_info"]
    cpu = info["cpu"]
    # Of one name there may be several, which are not equally fast at everything.
    kind = "".join(f", {name} {cpu[name]}" for name in ("family", "model") if name in cpu)
    versions = ", ".join(f"{name} {version}" for name, version in info["versions"].items())
    return (
        f"Measured on {data['datetime'][:10]} UTC at commit {data['commit_info']['id'][:10]}, on "
        f"{cpu['brand_raw']}{kind}, {cpu['count']} cores, "
        f"{info['ram'] / 2**30:.0f} GiB of memory, {info['system']}; load "
        f"average {info['load']:.1f} at the start. "
        f"Python {info['python_version']}, {versions}."
    )


def goals_table(runs: list[Run]) -> str:
    """Compare everything with its goal."""
    rows = []
    for goal in GOALS:
        about = {"work": goal.work, "k": goal.k}
        ours, theirs = mean_seconds(runs, OURS, **about), mean_seconds(runs, *goal.peers, **about)
        ratio = theirs / ours
        target = f"≥ {goal.factor:g}"
        cells = [duration(ours), duration(theirs), f"{ratio:.3g}", target]
        rows.append([goal.text, " or ".join(goal.peers), *cells, verdict(ratio / goal.factor)])
    rows += [floor_row(runs), *inertia_rows(runs), memory_row(runs), import_row(runs)]
    return markdown(["work", "peer", "ours", "theirs", "ratio", "goal", "reached"], rows, 2)


def verdict(share: float) -> str:
    """Say whether a goal is reached, and if not, which share of it."""
    return "yes" if share >= 1 else f"**no**, {min(100 * share, 99.9):.3g}% of it"


def floor_row(runs: list[Run]) -> list[str]:
    ours, floor = (mean_seconds(runs, peer, work="after reading") for peer in (OURS, FLOOR))
    text, peer = "everything after reading, all photos, k = 8", "pack, unique, look up in NumPy"
    cells = [duration(ours), duration(floor), f"{floor / ours:.3g}", "≥ 1/5"]
    return [text, peer, *cells, verdict(5 * floor / ours)]


def inertia_rows(runs: list[Run]) -> list[list[str]]:
    rows = []
    for (k, n_init), ratios in inertia_ratios(runs).items():
        ratio = fmean(ratios.values())
        text = f"inertia, mean of 10 seeds, small photos, k = {k}, n_init = {n_init}"
        cells = [f"{ratio:.4f}", "1", f"{1 / ratio:.4f}", "≥ 1"]
        rows.append([text, "scikit-learn", *cells, verdict(1 / ratio)])
    return rows


def inertia_ratios(runs: list[Run]) -> dict[tuple[int, int], dict[str, float]]:
    """Return our mean inertia over theirs on each photo, for each k and n_init."""
    ratios = {}
    for k, n_init in ((8, 1), (64, 1), (8, 10)):
        some = select(runs, work=f"inertia, n_init={n_init}", k=k)
        ours, theirs = (
            {run["photo"]: fmean(run["inertias"]) for run in select(some, peer=peer)}
            for peer in (OURS, "scikit-learn")
        )
        ratios[k, n_init] = {photo: ours[photo] / theirs[photo] for photo in ours}
    return ratios


def memory_row(runs: list[Run]) -> list[str]:
    peak = {run["peer"]: run["peak"] / 1e6 for run in select(runs, work="memory")}
    ours, theirs = peak[OURS], peak["OpenCV"]
    cells = [f"{ours:.0f} MB", f"{theirs:.0f} MB", f"{theirs / ours:.3g}", "ours ≤ 250 MB"]
    return ["peak memory over the input, 12 MP, k = 8", "OpenCV", *cells, verdict(250 / ours)]


def import_row(runs: list[Run]) -> list[str]:
    (run,) = select(runs, work="import")
    ours, theirs = run["our_seconds"], run["numpy_seconds"]
    cells = [duration(ours), duration(theirs), f"{theirs / ours:.3g}", "ours ≤ 15 ms"]
    return ["import, over NumPy's", "NumPy itself", *cells, verdict(0.015 / ours)]


def photos_table(runs: list[Run]) -> str:
    """Show the time of each library on each photo."""
    runs = select(runs, work="image to labels") + select(runs, work="small image to labels")
    peers = list(dict.fromkeys(run["peer"] for run in runs))
    rows = []
    for photo, k in dict.fromkeys((run["photo"], run["k"]) for run in runs):
        times = {run["peer"]: run["seconds"] for run in select(runs, photo=photo, k=k)}
        cells = [duration(times[peer]) if peer in times else "" for peer in peers]
        rows.append([f"{photo}, k = {k}", *cells])
    return markdown(["photo", *peers], rows)


def seeds_table(runs: list[Run]) -> str:
    """Show the mean time of a run from each of ten seeds."""
    runs = select(runs, work="ten seeds")
    rows = []
    for photo in dict.fromkeys(run["photo"] for run in runs):
        times = {run["peer"]: run["seconds"] / len(SEEDS) for run in select(runs, photo=photo)}
        ours = times.pop(OURS)
        cells = [f"{duration(time)} ({time / ours:.3g})" for time in times.values()]
        rows.append([photo, duration(ours), *cells])
    return markdown(["photo", OURS, *times], rows)


def kinds_table(runs: list[Run]) -> str:
    """Show the times of images that are no 8-bit photos."""
    runs = select(runs, work="kinds")
    rows = []
    for kind in dict.fromkeys(run["kind"] for run in runs):
        times = {run["peer"]: run["seconds"] for run in select(runs, kind=kind)}
        (peer,) = set(times) - {OURS}
        ratio = f"{times[peer] / times[OURS]:.1f}"
        rows.append([kind, peer, duration(times[OURS]), duration(times[peer]), ratio])
    return markdown(["image", "peer", "ours", "theirs", "ratio"], rows, words=2)


def colors_table(runs: list[Run]) -> str:
    """Show time and passes from the same start on each photo."""
    runs = select(runs, work="distinct colors to the end")
    rows = []
    for photo, k in dict.fromkeys((run["photo"], run["k"]) for run in runs):
        cells = []
        for peer in (OURS, LLOYD, ELKAN):
            (run,) = select(runs, photo=photo, k=k, peer=peer)
            cells.append(f"{duration(run['seconds'])} ({run['n_iter']})")
        rows.append([f"{photo}, k = {k}", *cells])
    return markdown(["photo", OURS, LLOYD, ELKAN], rows)


def inertia_table(runs: list[Run]) -> str:
    """Show our mean inertia over theirs on each photo."""
    ratios = inertia_ratios(runs)
    photos = list(next(iter(ratios.values())))
    rows = [
        [f"k = {k}, n_init = {n_init}", *(f"{ratio[photo]:.4f}" for photo in photos)]
        for (k, n_init), ratio in ratios.items()
    ]
    return markdown(["", *photos], rows)


def growth_tables(runs: list[Run]) -> str:
    """Show the time per pass against n and against k."""
    tables = []
    for variable in ("n", "k"):
        lines = growth(runs, variable)
        rows = [
            [f"{value:,}", *(duration(line[value]) for line in lines.values())]
            for value in lines[OURS]
        ]
        tables.append(markdown([growth_title(runs, variable), *lines], rows))
    return "\n\n".join(tables)


def growth_title(runs: list[Run], variable: str) -> str:
    """Say what varies, and what does not."""
    run = select(runs, work=f"iteration against {variable}")[0]
    return f"points (k = {run['k']})" if variable == "n" else f"k ({run['n']:,} points)"


def growth(runs: list[Run], variable: str) -> dict[str, dict[int, float]]:
    """Return for each peer the seconds per pass at each value of n or of k."""
    runs = select(runs, work=f"iteration against {variable}")
    return {
        peer: {run[variable]: run["seconds"] / run["n_iter"] for run in select(runs, peer=peer)}
        for peer in COLOR
    }


def draw_labels(runs: list[Run], path: Path) -> None:
    """Draw the time from image to labels, at k = 8 above and k = 64 below."""
    values = {}
    for k in (8, 64):
        some = select(runs, work="image to labels", k=k)
        peers = dict.fromkeys(run["peer"] for run in some)
        values[f"Image to labels, k = {k}"] = {peer: mean_seconds(some, peer) for peer in peers}
    draw_bars(values, duration, path)


def draw_memory(runs: list[Run], path: Path) -> None:
    """Draw the peak of memory."""
    peak = {run["peer"]: run["peak"] / 1e6 for run in select(runs, work="memory")}
    draw_bars({"Peak memory, 12 megapixels, k = 8": peak}, "{:.0f} MB".format, path)


def draw_bars(
    panels: dict[str, dict[str, float]], unit: Callable[[float], str], path: Path
) -> None:
    """Draw panels with a bar for each library: ours first, then the longer the lower."""
    rows = [len(values) for values in panels.values()]
    figure, axes = plt.subplots(
        len(rows),
        figsize=(8, 0.55 * sum(rows) + 0.7 * len(rows)),
        height_ratios=rows,
        squeeze=False,
        layout="constrained",
    )
    for axis, (title, values) in zip(axes.flat, panels.items(), strict=True):
        names = sorted(values, key=lambda name: (name != OURS, values[name]))
        longest = max(values.values())
        for row, name in enumerate(names):
            ours = name == OURS
            bold = {"color": ACCENT, "weight": "bold"} if ours else {}
            axis.barh(row, values[name], height=0.7, color=ACCENT if ours else GRAY)
            axis.text(-longest / 50, row, name, ha="right", va="center", **bold)
            times = "" if ours else f"   {values[name] / values[OURS]:.3g} times ours"
            text = unit(values[name]) + times
            axis.text(values[name] + longest / 50, row, text, va="center", **bold)
        axis.set_xlim(-0.36 * longest, 1.6 * longest)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_title(title, loc="left")
        axis.set_axis_off()
    save(figure, path)


def draw_growth(runs: list[Run], path: Path) -> None:
    """Draw the time per pass against n on the left and against k on the right."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 5.4), sharey=True, layout="constrained")
    for axis, variable in zip(axes, ("n", "k"), strict=True):
        for peer, line in growth(runs, variable).items():
            width, above = (3.5, 3) if peer == OURS else (2, 2)
            axis.loglog(
                *(line.keys(), line.values(), "o-"),
                color=COLOR[peer],
                label=peer,
                linewidth=width,
                zorder=above,
            )
        axis.set_xticks(list(line), [compact(value) for value in line])
        axis.minorticks_off()
        axis.set_xlabel(growth_title(runs, variable))
        axis.grid(axis="y", color="#e4e7eb")
        axis.spines[["top", "right"]].set_visible(False)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds)))
    figure.suptitle("Time per pass", weight="bold", x=0.01, ha="left")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, path)


def compact(number: int) -> str:
    """Write a number of points short."""
    return str(number) if number < 1000 else f"{number / 1000:.0f}k"


def save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=160)
    plt.close(figure)


STYLE: Any = {
    "font.size": 14,
    "axes.titlesize": 16,
    "axes.titleweight": "bold",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": GRAY,
    "figure.constrained_layout.w_pad": 0.12,  # inches
    "figure.constrained_layout.h_pad": 0.12,
    "legend.frameon": False,
    "lines.markersize": 7,
}

if __name__ == "__main__":
    mpl.rcParams.update(STYLE)
    main()
