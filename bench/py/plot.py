"""The figures as a picture: how near the limit, and the peers beside ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .report import duration, peers_of
from .results import OURS, Result, Run

BLUE, GREY = "#2a6f97", "#667079"
PEER_COLOURS = ("#e07a1f", "#7fb069", "#b56576", "#8d99ae", "#c9ada7")
SUFFIXES = (".svg", ".png", ".pdf")


def check_path(path: Path) -> None:
    """Raises ValueError unless a plot can be written there: before the work, not after."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"cannot plot to '{path}': expected a name ending in .svg, .png or .pdf")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"cannot plot to '{path}': not a file in a folder that exists")


def draw(run: Run, path: Path) -> None:
    import matplotlib

    from_limit = [result for result in run.results if result.share_of_limit(run.limits) is not None]
    compared = [result for result in run.results if len(result.times) > 1]
    heights = [max(len(from_limit), 1) * 0.26 + 1, bars(compared) * 0.19 + 1]
    with matplotlib.rc_context({"svg.hashsalt": "nybble", "svg.fonttype": "none", "font.size": 9}):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, sum(heights)), layout="constrained")
        figure.suptitle(f"{run.machine['processor']}, {run.settings['threads']} threads", size=11)
        top, bottom = figure.subplots(2, 1, height_ratios=heights)
        draw_shares(top, from_limit, run)
        draw_times(bottom, compared)
        date = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(path, dpi=150, metadata=date)


def bars(results: Sequence[Result]) -> int:
    return max(sum(len(result.times) + 1 for result in results), 1)


def draw_shares(axes: Any, results: Sequence[Result], run: Run) -> None:
    shares = [100 * (result.share_of_limit(run.limits) or 0.0) for result in results]
    places = range(len(results))
    axes.barh(places, shares, color=BLUE, height=0.7)
    for place, value in zip(places, shares, strict=True):
        axes.annotate(
            f"{value:.0f}", (value, place), (3, 0), textcoords="offset points", va="center"
        )
    axes.axvline(100, color=GREY, lw=1)
    axes.set_yticks(places, [f"{result.name} ({result.bound})" for result in results])
    axes.set_xlabel("% of what the machine can do: read bandwidth, or float32 FMA peak")
    finish(axes)


def draw_times(axes: Any, results: Sequence[Result]) -> None:
    colours = {OURS: BLUE, **dict(zip(peers_of(results), PEER_COLOURS, strict=False))}
    labelled: set[str] = set()
    place, ticks, names = 0.0, [], []
    for result in results:
        ticks.append(place + (len(result.times) - 1) / 2)
        names.append(result.name)
        for name, times in result.times.items():
            label = name if name not in labelled else None
            labelled.add(name)
            milliseconds = times.median * 1e3
            axes.barh(place, milliseconds, color=colours.get(name, GREY), height=0.9, label=label)
            axes.annotate(
                duration(times.median),
                (milliseconds, place),
                (3, 0),
                textcoords="offset points",
                va="center",
                size=7,
            )
            place += 1
        place += 1
    axes.set_yticks(ticks, names)
    if results:
        axes.set_xscale("log")
        axes.legend(frameon=False, loc="lower right")
    axes.set_xlabel("time of a call (ms, log scale)")
    axes.margins(x=0.12)
    finish(axes)


def finish(axes: Any) -> None:
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
