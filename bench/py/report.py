"""The figures as text: tables for the terminal and for the documentation."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .results import OURS, Limits, Result, Run

WIDTH = 140
BUSY = 0.5  # processes that want to run


def make_console(*, stderr: bool) -> Console:
    """Into a pipe or file it writes plain text."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def make_progress(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
    )


def sections(run: Run) -> Iterator[tuple[str, list[Result]]]:
    """The results by section, in the order in which the sections first appear."""
    for name in dict.fromkeys(result.section for result in run.results):
        yield name, [result for result in run.results if result.section == name]


def peers_of(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(n for result in results for n in result.times if n != OURS))


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def rate(result: Result) -> str:
    """In terms of the limit the case is compared with."""
    if result.seconds is None:
        return ""
    if result.bound == "read":
        return f"{result.bytes / result.seconds / 1e9:.3g} GB/s"
    if result.flops:
        return f"{result.flops / result.seconds / 1e9:.3g} GFLOP/s"
    if result.items:
        return f"{result.items / result.seconds / 1e6:.3g} M/s"
    return ""


def share(result: Result, limits: Limits) -> str:
    value = result.share_of_limit(limits)
    return "" if value is None else f"{value:.0%}"


def versus(result: Result, peer: str) -> str:
    """The peer's time, and how many times as fast ours is."""
    if peer in result.wrong:
        return "wrong"
    if peer not in result.times:
        return ""
    faster = result.times_faster(peer)
    return f"{duration(result.times[peer].median)}" + (f" ({faster:.3g}x)" if faster else "")


def verdict_lines(result: Result) -> list[str]:
    """The targets, what is wrong, and the notes."""
    lines = []
    for verdict in result.verdicts:
        mark = {True: "met", False: "MISSED", None: "open"}[verdict.met]
        value = "" if verdict.value is None else f" {figure(verdict.value)}"
        lines.append(f"{mark}{value}: {verdict.text}")
    for name in result.wrong:
        lines.append(f"{name} is WRONG: {result.errors[name]:.3g} times the error allowed")
    return lines + result.notes


def mark(result: Result) -> str:
    """The targets in a word."""
    if result.wrong:
        return "WRONG"
    if not result.verdicts:
        return ""
    met = [verdict.met for verdict in result.verdicts]
    return "MISSED" if False in met else "open" if None in met else "met"


def figure(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return duration(value) if value < 1e-3 else f"{value:.2f}" if value < 10 else f"{value:.3g}"


def row(result: Result, peers: Sequence[str], limits: Limits) -> list[str]:
    ours = result.times.get(OURS)
    return [
        result.name,
        duration(ours.median) if ours else "-",
        f"±{ours.spread:.0%}" if ours and ours.count > 1 else "",
        rate(result),
        share(result, limits),
        *(versus(result, peer) for peer in peers),
    ]


HEADINGS = ("", OURS, "spread", "rate", "of limit")


def terminal_table(title: str, results: Sequence[Result], limits: Limits) -> Table:
    peers = peers_of(results)
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, heading in enumerate((*HEADINGS, *peers)):
        table.add_column(heading, justify="right" if index else "left")
    table.add_column("target")
    for result in results:
        table.add_row(*row(result, peers, limits), mark(result))
    return table


def heading(run: Run) -> list[str]:
    """Machine, versions and limits, in sentences."""
    machine, limits = run.machine, run.limits
    most = max(limits.read)
    packages = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    speeds = "; ".join(
        f"{count} thread{'s'[: count > 1]}: read {limits.read[count] / 1e9:.1f} GB/s, "
        f"float32 FMA {limits.fma[count] / 1e9:.0f} GFLOP/s"
        for count in sorted(limits.read)
    )
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['simd'] or limits.simd}, "
        f"{machine['cache_bytes'] / 2**20:.0f} MiB of last-level cache; {machine['date']}.",
        f"{packages}; Python {machine['python']}; {run.settings['threads']} threads.",
        f"Limits measured in this run ({limits.simd}): {speeds}; "
        f"fork and join of {most} threads {duration(limits.fork_join)}.",
    ]
    if machine["load"] > BUSY:
        lines.append(
            f"Other work was running (load {machine['load']:.1f} at the start): times are too long."
        )
    return lines


def summary(run: Run) -> str:
    verdicts = [verdict for result in run.results for verdict in result.verdicts]
    met = sum(verdict.met is True for verdict in verdicts)
    missed = sum(verdict.met is False for verdict in verdicts)
    text = f"Targets: {met} met, {missed} missed, {len(verdicts) - met - missed} open."
    wrong = [result.name for result in run.results if result.wrong]
    return f"{text} Wrong results in: {', '.join(wrong)}." if wrong else text


def print_run(run: Run, console: Console) -> None:
    for line in heading(run):
        console.print(line)
    for title, results in sections(run):
        console.print()
        console.print(terminal_table(title, results, run.limits))
        for result in results:
            for line in verdict_lines(result):
                console.print(f"  {result.name}: {line}", markup=False)
    console.print()
    console.print(summary(run))


def markdown(run: Run) -> str:
    """The same for the documentation."""
    lines = [*heading(run), "", summary(run)]
    for title, results in sections(run):
        peers = peers_of(results)
        columns = [title, *HEADINGS[1:], *peers, "target"]
        lines += ["", "| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 2)]
        lines[-1] += "|---|"
        for result in results:
            cells = [*row(result, peers, run.limits), "<br>".join(verdict_lines(result))]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
