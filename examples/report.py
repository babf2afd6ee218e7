"""How the results look: progress bars, answers, the table, and the plot."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from corpus import Docstring
from measure import Figures, Run, top
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

MAX_WIDTH = 100
PLOT_SUFFIXES = (".png", ".pdf", ".svg")
BLUE, ORANGE, GREY = "#2a6f97", "#e07a1f", "#667079"


def make_console(*, stderr: bool) -> Console:
    """A console of at most 100 columns; into a pipe or file it writes plain text."""
    console = Console(stderr=stderr, highlight=False)
    console.width = min(console.width, MAX_WIDTH) if console.is_terminal else MAX_WIDTH
    return console


def make_progress() -> Progress:
    """Progress bars, on stderr so that the results can be piped."""
    return Progress(
        TextColumn("{task.description:>8}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("docstrings"),
        TimeElapsedColumn(),
        console=make_console(stderr=True),
    )


def answers_table(
    query: str, runs: Sequence[Run], index: int, corpus: Sequence[Docstring], count: int
) -> Table:
    """The best answers to query number `index`, the runs side by side in columns."""
    table = Table(
        title=Text(query, style="bold"),
        title_justify="left",
        box=None,
        show_header=False,
        expand=True,
        pad_edge=False,
    )
    columns = []
    for run in runs:
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        scores = run.corpus @ run.queries[index]
        columns.append([answer_text(corpus[i], scores[i]) for i in top(scores, count)])
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    return table


def answer_text(docstring: Docstring, score: float) -> Text:
    return Text.assemble((f"{score:.2f} ", GREY), (docstring.name, "cyan"), f"  {docstring.text}")


def figures_table(rows: Sequence[Figures]) -> Table:
    """Size, speed and fidelity of every setting."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("weights")
    for heading in (
        "bytes",
        "of float32",
        "sentences/s",
        "mean cosine",
        "min cosine",
        "top-10 overlap",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            f"{row.weight_bytes:,}",
            f"{row.weight_bytes / rows[0].weight_bytes:.1%}",
            f"{row.sentences_per_second:.1f}",
            f"{row.mean_cosine:.5f}",
            f"{row.min_cosine:.5f}",
            f"{row.top_ten_overlap:.1%}",
        )
    return table


def check_plot_path(path: Path) -> None:
    """Raise OSError or ValueError if a plot cannot be written there: before the work, not after."""
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise ValueError(f"cannot plot to '{path}': expected a name ending in .png, .pdf or .svg")
    if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"cannot plot to '{path}': not a file that may be written")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise type(error)(f"cannot plot to '{path}': {error.strerror}") from None


def plot(rows: Sequence[Figures], path: Path) -> None:
    """Draw size against fidelity: the overlap of the top ten, and the cosines to float32."""
    from matplotlib.figure import Figure  # only for those who ask for a plot

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    figure.suptitle("all-MiniLM-L6-v2: what is kept at which size", fontweight="bold")
    overlap, cosine = figure.subplots(1, 2)
    megabytes = [row.weight_bytes / 1e6 for row in rows]

    overlap.plot(megabytes, [100 * row.top_ten_overlap for row in rows], "o", color=BLUE, ms=9)
    overlap.set_ylabel("top ten shared with float32 (%)")

    means, lowest = [row.mean_cosine for row in rows], [row.min_cosine for row in rows]
    cosine.vlines(megabytes, lowest, means, color=GREY, lw=1, alpha=0.6)
    cosine.plot(megabytes, means, "o", color=BLUE, ms=9, label="mean")
    cosine.plot(megabytes, lowest, "v", color=ORANGE, ms=8, label="lowest")
    cosine.set_ylabel("cosine to float32")
    cosine.legend(frameon=False, loc="lower right")

    for axes, heights in ((overlap, [100 * row.top_ten_overlap for row in rows]), (cosine, means)):
        axes.set_xscale("log", base=2)
        axes.set_xticks(megabytes, [f"{size:.0f}" for size in megabytes])
        axes.set_xlabel("bytes of weights (MB, log scale)")
        axes.margins(x=0.15, y=0.18)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        for row, size, height in zip(rows, megabytes, heights, strict=True):
            axes.annotate(
                row.name,
                (size, height),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                color=BLUE,
            )
    figure.savefig(path, dpi=150)
