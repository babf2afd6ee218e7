"""Calls on arrays so small that only the call counts, beside NumPy and MLX."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import nybble.core as mx

from .case import Case, Contestant, Contestants, Plan, UnavailableError
from .libraries import MLX, NUMPY, evaluated, find, ours, theirs
from .matrices import make_matrices
from .product import CONTRACT, Check, Product, arguments
from .results import OURS
from .targets import Target, faster_than, seconds

EIGHT = np.arange(8, dtype=np.float32)
GRID = np.arange(24, dtype=np.float32).reshape(4, 6)

Work = Callable[[Any], Any]  # from an array of any of the libraries


def call_cases(section: str) -> list[Case]:
    fast = (seconds(1e-6), faster_than(MLX, 1.0))
    return [
        call_case("a + b of 8 floats", section, EIGHT, lambda x: x + x, fast, numpy_share=0.5),
        call_case("x[1:3] of 4 x 6", section, GRID, lambda x: x[1:3], fast),
        call_case("x.reshape(6, 4)", section, GRID, lambda x: x.reshape(6, 4), fast),
        call_case("x.transpose(1, 0)", section, GRID, lambda x: x.transpose(1, 0), fast),
        call_case("x.shape", section, GRID, lambda x: x.shape, (seconds(0.3e-6),)),
        Case("quantized_matmul of 32 x 64", section, make_product, targets=(seconds(2e-6),)),
    ]


def call_case(
    name: str,
    section: str,
    values: Any,
    work: Work,
    targets: Sequence[Target],
    numpy_share: float = 0.0,
) -> Case:
    if numpy_share:
        targets = (*targets, faster_than(NUMPY, numpy_share))
    return Case(name, section, partial(make_call, values, work), targets=targets)


def make_call(values: Any, work: Work, plan: Plan) -> Contestants:
    expected = np.array(work(values))

    def error(_: int, result: Any) -> float:
        return float(not np.array_equal(np.array(result), expected))

    def contestant(call: Callable[[], object]) -> Contestant:
        return Contestant([call], error, inner=plan.sizes.inner)

    found: Contestants = {
        OURS: contestant(partial(work, ours(values))),
        NUMPY: contestant(partial(work, values)),
    }
    try:
        found[MLX] = contestant(evaluated(find("mlx.core"), partial(work, theirs(values))))
    except UnavailableError as error_:
        found[MLX] = error_
    return found


def make_product(plan: Plan) -> Contestants:
    product = Product()
    matrices = make_matrices(product.format, (32, 64), 1)
    x = np.random.default_rng(3).standard_normal((1, 64), np.float32)
    values, parts = ours(x), arguments(matrices[0], ours)

    def call() -> object:  # as written in a program: with its keyword arguments
        return mx.quantized_matmul(values, *parts, group_size=64, bits=4)  # type: ignore[misc]

    check = Check(product, matrices, x, CONTRACT["float32"])
    return {OURS: Contestant([call], check, inner=plan.sizes.inner)}
