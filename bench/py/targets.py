"""What a case has to reach. A target looks at its own case, the limits, and other cases by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .results import OURS, Limits, Result, Verdict

Results = Mapping[str, Result]


@dataclass(frozen=True)
class Target:
    text: str
    measure: Callable[[Result, Results, Limits], float | None]
    bound: float
    at_most: bool = False

    def judge(self, result: Result, others: Results, limits: Limits) -> Verdict:
        value = self.measure(result, others, limits) if OURS in result.times else None
        if value is None:
            return Verdict(self.text, None, None)
        return Verdict(
            self.text, value, value <= self.bound if self.at_most else value >= self.bound
        )


def share_of_limit(bound: float) -> Target:
    return Target(
        f"at least {bound:.2f} of the limit",
        lambda result, _, limits: result.share_of_limit(limits),
        bound,
    )


def faster_than(peer: str, bound: float) -> Target:
    return Target(
        f"at least {bound:g} times as fast as {peer}",
        lambda result, *_: result.times_faster(peer),
        bound,
    )


def time_against(case: str, bound: float) -> Target:
    """At most `bound` times the time of another case."""
    return Target(
        f"at most {bound:g} times the time of {case}",
        lambda result, others, _: ratio(result, others.get(case), lambda r: r.seconds),
        bound,
        at_most=True,
    )


def time_per_byte_against(case: str, bound: float) -> Target:
    return Target(
        f"at most {bound:g} times the time per byte of {case}",
        lambda result, others, _: ratio(
            result, others.get(case), lambda r: r.seconds and r.seconds / r.bytes
        ),
        bound,
        at_most=True,
    )


def rate_against(case: str, bound: float) -> Target:
    """At least `bound` of the flop/s of another case."""
    return Target(
        f"at least {bound:g} times the rate of {case}",
        lambda result, others, _: ratio(
            result, others.get(case), lambda r: r.seconds and r.flops / r.seconds
        ),
        bound,
    )


def items_per_second(bound: float, what: str) -> Target:
    return Target(
        f"at least {bound / 1e6:g} million {what}/s",
        lambda result, *_: result.seconds and result.items / result.seconds,
        bound,
    )


def seconds(bound: float) -> Target:
    return Target(
        f"at most {bound * 1e6:g} us", lambda result, *_: result.seconds, bound, at_most=True
    )


def ratio(
    result: Result, other: Result | None, figure: Callable[[Result], float | None]
) -> float | None:
    mine, theirs = figure(result), figure(other) if other else None
    return mine / theirs if mine and theirs else None
