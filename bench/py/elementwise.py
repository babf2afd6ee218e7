"""Operations element by element on large arrays, against what moving their elements takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import nybble.core as mx
import nybble.nn

from .case import STANDARD, Case, Contestant, Contestants, Plan, UnavailableError
from .libraries import MLX, ROUNDING, evaluated, find, ours, theirs, to_float64
from .matrices import rounded
from .results import OURS
from .targets import Target, share_of_limit, time_against

CHECKED = 16  # rows
# One operand is many times the size of a cache, so two sets of them are enough to take turns.
SETS = 2
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Operation:
    """`run(core, nn, a, b, condition)` of a library, and what it is for float64.

    The result is one rounding to its dtype and `steps` of float32 away from the exact one.
    """

    run: Callable[[Any, Any, Any, Any, Any], Any]
    exact: Callable[[Floats, Floats, npt.NDArray[np.bool_]], Floats]
    reads: int = 1  # operands
    steps: float = 1
    condition: bool = False
    converts: bool = False  # to the other width
    transposes: bool = False


def silu(a: Floats) -> Floats:
    return np.asarray(a / (1 + np.exp(-a)), np.float64)


def gelu(a: Floats) -> Floats:
    erf = np.array(mx.erf(mx.array(a / np.sqrt(2), dtype=mx.float64)))
    return np.asarray(a * (1 + erf) / 2, np.float64)


def other_width(core: Any, dtype: Any) -> Any:
    return core.float16 if dtype == core.float32 else core.float32


# MLX is 3.4 steps off in exp. The values are at least -4, where 1 + erf, of which some libraries
# take the difference, is 2^-14.
OPERATIONS = {
    "add": Operation(lambda mx, nn, a, b, c: a + b, lambda a, b, c: a + b, reads=2),
    "add a number": Operation(lambda mx, nn, a, b, c: a + 2.0, lambda a, b, c: a + 2),
    "exp": Operation(lambda mx, nn, a, b, c: mx.exp(a), lambda a, b, c: np.exp(a), steps=4),
    "tanh": Operation(lambda mx, nn, a, b, c: mx.tanh(a), lambda a, b, c: np.tanh(a), steps=5),
    "silu": Operation(lambda mx, nn, a, b, c: nn.silu(a), lambda a, b, c: silu(a), steps=8),
    "gelu": Operation(lambda mx, nn, a, b, c: nn.gelu(a), lambda a, b, c: gelu(a), steps=2**15),
    "where": Operation(
        lambda mx, nn, a, b, c: mx.where(c, a, b),
        lambda a, b, c: np.where(c, a, b),
        reads=2,
        condition=True,
    ),
    "astype": Operation(
        lambda mx, nn, a, b, c: a.astype(other_width(mx, a.dtype)),
        lambda a, b, c: a,
        converts=True,
    ),
    "copy of a transpose": Operation(
        lambda mx, nn, a, b, c: mx.contiguous(a.T), lambda a, b, c: a, transposes=True
    ),
}


def elementwise_cases(section: str) -> list[Case]:
    return [
        elementwise_case(name, section, dtype, operation)
        for name, operation in OPERATIONS.items()
        for dtype in BYTES
    ]


def elementwise_case(name: str, section: str, dtype: str, operation: Operation) -> Case:
    elements = STANDARD.inputs**2
    written = 6 - BYTES[dtype] if operation.converts else BYTES[dtype]
    each = operation.reads * BYTES[dtype] + written + operation.condition
    targets: list[Target] = [share_of_limit(0.8)]
    if dtype != "float32":
        targets.append(time_against(f"{name} float32", 1.0))
    make = partial(make_elementwise, operation, dtype)
    return Case(
        f"{name} {dtype}",
        section,
        make,
        bytes=elements * each,
        items=elements,
        bound="read",
        targets=targets,
    )


def make_elementwise(operation: Operation, dtype: str, plan: Plan) -> Contestants:
    n, random = plan.sizes.inputs, np.random.default_rng(4)
    pairs = [
        tuple(
            rounded(np.clip(random.standard_normal((n, n), np.float32), -4, 4), dtype)
            for _ in range(2)
        )
        for _ in range(SETS)
    ]
    condition = random.random((n, n)) < 0.5

    def check(unit: float, index: int, result: object) -> float:
        rows = np.unique(np.linspace(0, n - 1, CHECKED).astype(np.int64))
        a, b = (x.T if operation.transposes else x for x in pairs[index])
        exact = operation.exact(
            a[rows].astype(np.float64), b[rows].astype(np.float64), condition[rows]
        )
        allowed = (operation.steps * ROUNDING["float32"] + unit) * np.abs(exact)
        if unit == ROUNDING["float16"]:
            allowed += 2.0**-25  # half a step of its subnormal numbers
        error = np.abs(to_float64(result)[rows] - exact)
        return float((error / np.maximum(allowed, np.finfo(np.float64).tiny)).max())

    def contestant(core: Any, nn: Any, convert: Callable[..., Any], unit: float) -> Contestant:
        mask = convert(condition)
        calls = [
            evaluated(
                core,
                partial(operation.run, core, nn, *(convert(x, dtype) for x in p), mask),  # type: ignore[call-arg]
            )
            for p in pairs
        ]
        return Contestant(calls, partial(check, unit))

    unit = max(ROUNDING[dtype], ROUNDING["float16"] if operation.converts else 0.0)
    found: Contestants = {OURS: contestant(mx, nybble.nn, ours, unit)}
    if dtype == "float32":  # MLX computes with 16-bit floats in several roundings
        try:
            found[MLX] = contestant(find("mlx.core"), find("mlx.nn"), theirs, unit)
        except UnavailableError as error:
            found[MLX] = error
    return found
