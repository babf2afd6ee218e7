"""Reductions, softmax, norms and running sums of square matrices that no cache holds together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import nybble.core as mx

from .case import STANDARD, Case, Contestant, Contestants, Plan
from .libraries import ROUNDING, evaluated, ours, to_float64
from .matrices import rounded
from .results import OURS
from .targets import Target, share_of_limit, time_against

SECTION = "Reductions and norms"
DTYPES = ("float32", "float16", "bfloat16")
EPS = 1e-5

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Work:
    """`run` of the module and the array; `exact` of the same numbers in float64.

    A result may be off by `slack` of the sum of the absolute values of the matrix, and by
    `relative` of itself, beside the rounding to its dtype.
    """

    name: str
    run: Callable[[Any, Any], Any]
    exact: Callable[[Values], Values]
    writes: bool = False  # as much as it reads
    slack: float = 0.0
    relative: float = 0.0


def softmax(x: Values) -> Values:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rms_norm(x: Values) -> Values:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPS)


ORDER = 2.0**-48  # sums in double, in any order
EXP = 2.0**-19  # arguments up to 16 rounded to float, and the exponential's own error
WORKS = (
    Work("sum", lambda m, x: m.sum(x), np.sum, slack=ORDER),
    Work("sum last axis", lambda m, x: m.sum(x, axis=-1), lambda x: x.sum(-1), slack=ORDER),
    Work("sum first axis", lambda m, x: m.sum(x, axis=0), lambda x: x.sum(0), slack=ORDER),
    Work("max", lambda m, x: m.max(x), np.max),
    Work("argmax last axis", lambda m, x: m.argmax(x, axis=-1), lambda x: x.argmax(-1)),
    Work("var last axis", lambda m, x: m.var(x, axis=-1), lambda x: x.var(-1), relative=2.0**-30),
    Work(
        "logsumexp last axis",
        lambda m, x: m.logsumexp(x, axis=-1),
        lambda x: np.log(np.exp(x).sum(-1)),
        relative=EXP,
    ),
    Work("softmax", lambda m, x: m.softmax(x, axis=-1), softmax, writes=True, relative=EXP),
    Work("rms_norm", lambda m, x: m.fast.rms_norm(x, None, EPS), rms_norm, writes=True),
    Work(
        "layer_norm",
        lambda m, x: m.fast.layer_norm(x, None, None, EPS),
        lambda x: rms_norm(x - x.mean(axis=-1, keepdims=True)),
        writes=True,
        slack=ORDER,
    ),
    Work(
        "cumsum",
        lambda m, x: m.cumsum(x, axis=-1),
        lambda x: x.cumsum(-1),
        writes=True,
        slack=ORDER,
    ),
)


def reduction_cases() -> list[Case]:
    """At 0.8 of the speed at which memory is read; 16 bits in no more time than 32."""
    cases = []
    for work in WORKS:
        for dtype in DTYPES:
            half = dtype != "float32"
            name = f"{work.name} {dtype}"
            target: Target = time_against(f"{work.name} float32", 1.0)
            targets = (target,) if half else (share_of_limit(0.8),)
            size = STANDARD.dense**2 * (2 if half else 4) * (2 if work.writes else 1)
            make = partial(make_reduction, work, dtype)
            cases.append(Case(name, SECTION, make, bytes=size, bound="read", targets=targets))
    return cases


def make_reduction(work: Work, dtype: str, plan: Plan) -> Contestants:
    n, random = plan.sizes.dense, np.random.default_rng(4)
    matrices = [
        rounded(random.standard_normal((n, n), np.float32), dtype)
        for _ in range(plan.sizes.matrices)
    ]

    def check(index: int, result: object) -> float:
        x = matrices[index].astype(np.float64)
        exact = np.asarray(work.exact(x))
        rounding = 0.0 if exact.dtype.kind == "i" else 1.01 * ROUNDING[dtype]
        # A hundredth: 16 bits are reached by way of float. The last term: float16's smallest.
        allowed = (rounding + work.relative) * np.abs(exact)
        allowed = allowed + work.slack * np.abs(x).sum() + 2.0**-24
        return float((np.abs(to_float64(result) - exact) / allowed).max())

    calls = [evaluated(mx, partial(work.run, mx, ours(x, dtype))) for x in matrices]
    return {OURS: Contestant(calls, check)}
