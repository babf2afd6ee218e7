"""What a run found: plain data that the table, the plot, the docs and the JSON file share."""

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1  # of the JSON file; one more when a field changes its meaning
OURS = "nybble"


@dataclass(frozen=True)
class Summary:
    """Times of one call, in seconds."""

    count: int
    median: float
    spread: float  # half the distance of the quartiles, as a share of the median
    minimum: float


def summarize(seconds: Sequence[float]) -> Summary:
    median = statistics.median(seconds)
    spread = 0.0
    if len(seconds) > 1:
        low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
        spread = (high - low) / 2 / median
    return Summary(len(seconds), median, spread, min(seconds))


@dataclass(frozen=True)
class Limits:
    """What the machine can do, measured in the same run; `read` and `fma` by number of threads."""

    read: dict[int, float]  # bytes/s
    fma: dict[int, float]  # flop/s, float32
    fork_join: float  # seconds
    simd: str  # the instruction set that `fma` was measured with

    def best_of(self, other: "Limits") -> "Limits":
        return Limits(
            {n: max(rate, other.read[n]) for n, rate in self.read.items()},
            {n: max(rate, other.fma[n]) for n, rate in self.fma.items()},
            min(self.fork_join, other.fork_join),
            self.simd,
        )


@dataclass(frozen=True)
class Verdict:
    """A target and what came; `met` is None if what it compares with was not measured."""

    text: str
    value: float | None
    met: bool | None


@dataclass
class Result:
    """One case. A note tells why nothing, or not everything, was measured."""

    name: str
    section: str
    times: dict[str, Summary] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)  # shares of what is allowed
    wrong: list[str] = field(default_factory=list)
    bytes: int = 0
    flops: int = 0
    items: int = 0
    threads: int = 1
    bound: str = ""  # "read", "fma" or neither
    notes: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        return self.times[OURS].median if OURS in self.times else None

    def share_of_limit(self, limits: Limits) -> float | None:
        """How near to the limit ours is: 1 is the limit."""
        if self.seconds is None or not self.bound:
            return None
        if self.bound == "read":
            return self.bytes / self.seconds / limits.read[self.threads]
        return self.flops / self.seconds / limits.fma[self.threads]

    def times_faster(self, peer: str) -> float | None:
        if self.seconds is None or peer not in self.times:
            return None
        return self.times[peer].median / self.seconds


@dataclass
class Run:
    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    limits: Limits
    results: list[Result]
    schema: int = SCHEMA


def save(run: Run, path: Path) -> None:
    path.write_text(json.dumps(dataclasses.asdict(run), indent=1) + "\n")


def load(path: Path) -> Run:
    """Reads what `save` wrote. Raises ValueError if the file is something else."""
    data = json.loads(path.read_text())
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError(f"{path}: not a file that `./dev bench --json` of this version wrote")
    limits = data["limits"]
    data["limits"] = Limits(
        {int(n): rate for n, rate in limits["read"].items()},
        {int(n): rate for n, rate in limits["fma"].items()},
        limits["fork_join"],
        limits["simd"],
    )
    data["results"] = [
        Result(
            **{
                **row,
                "times": {name: Summary(**times) for name, times in row["times"].items()},
                "verdicts": [Verdict(**verdict) for verdict in row["verdicts"]],
            }
        )
        for row in data["results"]
    ]
    return Run(**data)
