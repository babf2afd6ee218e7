"""A case: one row of the tables, and what is needed to run it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from .targets import Target

Call = Callable[[], object]


class UnavailableError(Exception):
    """A function, mode or package that a case needs is not there; the text says which."""


@dataclass(frozen=True)
class Contestant:
    """One library doing the work of a case.

    `calls` do the same on different memory; they are run in turn, so that no cache holds what the
    next one reads. `error` gives the error of the result of calls[i], as a share of what is
    allowed.
    """

    calls: Sequence[Call]
    error: Callable[[int, object], float]
    inner: int = 1  # calls to a sample, where one is too short for the clock
    within: Callable[[], AbstractContextManager[object]] = nullcontext


# By library; or why one takes no part.
Contestants = dict[str, Contestant | UnavailableError]


@dataclass(frozen=True)
class Sizes:
    """Of the matrices and batches. A case is named after the standard ones."""

    outputs: int = 14336
    inputs: int = 4096
    matrices: int = 8
    prompt: int = 512
    dense: int = 2048
    fit_rows: int = 2048
    experts: int = 64
    expert_outputs: int = 1024
    expert_inputs: int = 2048
    tokens: int = 512
    inner: int = 1000


STANDARD = Sizes()
TINY = Sizes(128, 256, 2, 16, 32, 8, 4, 64, 128, 16, 2)  # for tests


@dataclass(frozen=True)
class Plan:
    """What `make` of a case gets to know."""

    sizes: Sizes
    threads: int
    quick: bool  # leave out what takes a peer seconds


@dataclass(frozen=True)
class Case:
    """`make` builds the contestants, ours under the name "nybble"; or raises UnavailableError."""

    name: str
    section: str
    make: Callable[[Plan], Contestants]
    bytes: int = 0  # moved by the definition of the work: weights read, or input and output
    flops: int = 0
    items: int = 0
    bound: str = ""  # the limit it is compared with: "read" or "fma"
    threads: int = 0  # 0: those of the plan
    targets: Sequence[Target] = field(default=())
