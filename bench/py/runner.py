"""Runs one case: checks every contestant's results, then takes their times in turn."""

import math
import time
from dataclasses import dataclass

from .case import Case, Contestant, Plan, UnavailableError
from .results import OURS, Result, summarize

MOST_SAMPLES = 200
# A peer's threads go on spinning for a while; the next one's times shall not pay for that.
PAUSE = 0.02
WAKING_SECONDS = 0.002
CHECK_SECONDS = 0.5  # for checking further matrices after the first


@dataclass(frozen=True)
class Effort:
    """How long a contestant gets: `rounds` turns of `seconds`, at least `least` samples each."""

    rounds: int
    seconds: float
    least: int
    slow: float  # a call that takes longer than so many seconds is made once only


def run(case: Case, plan: Plan, effort: Effort) -> Result:
    result = Result(
        case.name,
        case.section,
        bytes=case.bytes,
        flops=case.flops,
        items=case.items,
        threads=min(case.threads or plan.threads, plan.threads),
        bound=case.bound,
    )
    if case.threads > plan.threads:
        result.notes.append(f"needs {case.threads} threads")
        return result
    try:
        contestants = case.make(plan)
    except UnavailableError as reason:
        result.notes.append(str(reason))
        return result

    ready, samples = {}, {}
    for name, contestant in contestants.items():
        if isinstance(contestant, UnavailableError):
            result.notes.append(f"no {name}: {contestant}")
            continue
        result.errors[name], seconds = check(contestant)
        if not result.errors[name] <= 1.0:  # NaN is wrong, too
            result.wrong.append(name)
            continue
        ready[name], samples[name] = contestant, [seconds]
    if OURS in result.wrong:
        return result
    take_samples(ready, samples, effort)
    result.times = {name: summarize(times) for name, times in samples.items()}
    return result


def check(contestant: Contestant) -> tuple[float, float]:
    """The largest error, and the time of a call, warmed up if it is short."""
    worst, seconds, began = 0.0, 0.0, time.perf_counter()
    with contestant.within():
        for index, call in enumerate(contestant.calls):
            start = time.perf_counter()
            result = call()
            seconds = time.perf_counter() - start
            error = contestant.error(index, result)
            worst = error if math.isnan(error) else max(worst, error)
            if time.perf_counter() - began > CHECK_SECONDS or math.isnan(worst):
                break
        # Of a call of microseconds a single time may be that of something else.
        for _ in range(3 if contestant.inner > 1 else 0):
            start = time.perf_counter()
            call()
            seconds = min(seconds, time.perf_counter() - start)
    return worst, seconds


def take_samples(
    contestants: dict[str, Contestant], samples: dict[str, list[float]], effort: Effort
) -> None:
    """`samples` holds one time for each, by which the number of further calls is chosen.

    A slow call keeps that one time.
    """
    counts = {}
    for name, contestant in contestants.items():
        one = samples[name][0] * contestant.inner
        if one > effort.slow:
            continue
        counts[name] = min(max(effort.least, int(effort.seconds / one)), MOST_SAMPLES)
        samples[name].clear()
    for turn in range(effort.rounds):
        for name, count in counts.items():
            time.sleep(PAUSE)
            samples[name] += one_turn(contestants[name], count, turn * count)


def one_turn(contestant: Contestant, count: int, first: int) -> list[float]:
    calls, inner = contestant.calls, contestant.inner
    times = []
    with contestant.within():
        start = time.perf_counter()
        while time.perf_counter() - start < WAKING_SECONDS:  # threads, and the clock of the core
            calls[(first - 1) % len(calls)]()
        for index in range(first, first + count):
            call = calls[index % len(calls)]
            start = time.perf_counter()
            for _ in range(inner):
                call()
            times.append((time.perf_counter() - start) / inner)
    return times
