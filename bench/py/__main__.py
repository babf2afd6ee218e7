"""Measures nybble beside MLX, onnxruntime and NumPy, and beside the limits of this machine.

./dev bench --quick
./dev bench --only "M=1 *" --json figures.json --plot figures.svg
"""

import argparse
import dataclasses
import fnmatch
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from rich.console import Console

    import nybble.core as mx

    from . import docs, libraries, machine, plot, report, results
    from .case import STANDARD, Case, Plan, UnavailableError
    from .cases import all_cases
    from .runner import Effort, run
except ModuleNotFoundError as error:
    print(f'bench: {error}: ./dev bench, or pip install "nybble[bench]"', file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent.parent
LIMITS_PROGRAM = ROOT / "build" / "bench" / "limits"
QUICK = Effort(rounds=2, seconds=0.1, least=1, slow=1.0)
FULL = Effort(rounds=3, seconds=0.4, least=3, slow=3.0)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="./dev bench", description=description)
    add = parser.add_argument
    add("--quick", action="store_true", help="under 2 minutes: fewer samples, little of slow peers")
    add("--only", metavar="PATTERN", help='cases so named, e.g. "M=1 *"; or that contain the text')
    add("--repeat", type=positive, metavar="N", help="turns that every library gets in a case")
    add("--threads", type=positive, metavar="N", help="of all libraries; default: what nybble uses")
    add("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    add("--plot", type=Path, metavar="FILE", help="write a picture: .svg, .png or .pdf")
    add("--docs", action="store_true", help="rewrite the figures in docs/performance.md")
    add("--from", type=Path, dest="source", metavar="FILE", help="show a JSON file, do not measure")
    add("--limits", type=Path, default=LIMITS_PROGRAM, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if options.plot:
            plot.check_path(options.plot)
        if options.json and not options.json.absolute().parent.is_dir():
            raise ValueError(f"cannot write '{options.json}': there is no such folder")
    except ValueError as error:
        parser.error(str(error))
    return options


def positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value


def chosen(cases: Sequence[Case], pattern: str | None) -> list[Case]:
    if not pattern:
        return list(cases)
    return [case for case in cases if fnmatch.fnmatch(case.name, pattern) or pattern in case.name]


def judge(cases: Sequence[Case], found: results.Run) -> None:
    """Compares with the targets; after all cases, since some look at others."""
    by_name = {result.name: result for result in found.results}
    for case in cases:
        result = by_name[case.name]
        result.verdicts = [target.judge(result, by_name, found.limits) for target in case.targets]


def measure(
    options: argparse.Namespace, cases: Sequence[Case], plan: Plan, console: Console
) -> results.Run:
    effort = QUICK if plan.quick else FULL
    if options.repeat:
        effort = dataclasses.replace(effort, rounds=options.repeat)
    about = machine.describe()  # before the load is our own
    counts = {plan.threads, *(c.threads for c in cases if 0 < c.threads <= plan.threads)}
    measure_limits = functools.partial(machine.measure_limits, options.limits, counts)
    limits = measure_limits()
    rows = []
    with report.make_progress(console) as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:
            progress.update(task, description=case.name)
            rows.append(run(case, plan, effort))
            progress.advance(task)
    # Other work on the machine can only take away from a limit, so the better of two counts.
    limits = limits.best_of(measure_limits())
    settings = {
        "threads": plan.threads,
        "quick": plan.quick,
        "rounds": effort.rounds,
        "seconds": effort.seconds,
        "only": options.only or "",
    }
    found = results.Run(about, libraries.versions(), settings, limits, rows)
    judge(cases, found)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    console = report.make_console(stderr=True)
    try:
        if options.source:
            found = results.load(options.source)
        else:
            cases = chosen(all_cases(), options.only)
            if not cases:
                names = "\n  ".join(case.name for case in all_cases())
                raise ValueError(f"no case matches '{options.only}'; there are:\n  {names}")
            threads = options.threads or mx.get_num_threads()
            plan = Plan(STANDARD, threads, options.quick)
            with libraries.same_threads(threads):
                found = measure(options, cases, plan, console)
        report.print_run(found, report.make_console(stderr=False))
        if options.json:
            results.save(found, options.json)
        if options.plot:
            plot.draw(found, options.plot)
        if options.docs:
            docs.write(found, ROOT / "docs")
    except (OSError, RuntimeError, ValueError, UnavailableError) as error:
        console.print(f"bench: {error}", markup=False)
        return 2
    return 1 if any(result.wrong for result in found.results) else 0


if __name__ == "__main__":
    sys.exit(main())
