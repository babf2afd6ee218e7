"""quantize and dequantize: cases, for ours and MLX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import nybble.core as mx

from .case import STANDARD, Case, Contestant, Contestants, Plan, UnavailableError
from .libraries import MLX, ROUNDING, evaluated, find, ours, theirs, to_float64
from .matrices import Format, Matrix, make_matrices
from .product import arguments
from .results import OURS
from .targets import Target

FORMAT = Format(scale_dtype="float32")  # of a float32 matrix
PARAMETERS = {"group_size": FORMAT.group_size, "bits": FORMAT.bits}
CHECKED = 16  # rows
# One float32 matrix is many times the size of a cache, so two are enough to take turns.
WHOLE_MATRICES = 2

Check = Callable[[int, object], float]
Weights = npt.NDArray[np.float32]


def quantize_case(name: str, section: str, *targets: Target) -> Case:
    weights = STANDARD.outputs * STANDARD.inputs
    moved = 4 * weights + FORMAT.bytes(weights)
    make = make_quantize
    return Case(name, section, make, moved, items=weights, bound="read", targets=targets)


def dequantize_case(name: str, section: str, *targets: Target) -> Case:
    weights = STANDARD.outputs * STANDARD.inputs
    moved = 4 * weights + FORMAT.bytes(weights)
    make = make_dequantize
    return Case(name, section, make, moved, items=weights, bound="read", targets=targets)


def fit_case(name: str, section: str, *targets: Target) -> Case:
    weights = STANDARD.fit_rows * STANDARD.inputs
    return Case(name, section, make_fit, items=weights, targets=targets)


def random_weights(rows: int, columns: int) -> list[Weights]:
    random = np.random.default_rng(rows)
    return [random.standard_normal((rows, columns), np.float32) for _ in range(WHOLE_MATRICES)]


def make_quantize(plan: Plan) -> Contestants:
    weights = random_weights(plan.sizes.outputs, plan.sizes.inputs)
    found: Contestants = {
        OURS: quantizer(mx, ours, weights, nearest_code(weights, 0.5), fit="minmax")
    }
    try:
        # Its zero is exact, for which the other end of a group may be up to half a step further.
        found[MLX] = quantizer(find("mlx.core"), theirs, weights, nearest_code(weights, 1.0))
    except UnavailableError as error:
        found[MLX] = error
    return found


def make_fit(plan: Plan) -> Contestants:
    weights = random_weights(plan.sizes.fit_rows, plan.sizes.inputs)
    try:
        mx.eval(mx.quantize(mx.ones((1, 64)), fit="mse"))
    except ValueError:
        raise UnavailableError('nybble has no fit="mse" yet') from None
    check = less_error_than_minmax(weights)
    return {OURS: quantizer(mx, ours, weights, check, fit="mse")}


def quantizer(
    module: Any,
    convert: Callable[..., Any],
    weights: list[Weights],
    check: Check,
    **options: str,
) -> Contestant:
    calls = [
        evaluated(module, partial(module.quantize, convert(w), **PARAMETERS, **options))
        for w in weights
    ]
    return Contestant(calls, check)


def as_matrix(parts: Any) -> Matrix:
    codes, scales, biases = (np.array(part) for part in parts)
    return Matrix(FORMAT, codes, scales, biases)


def checked_rows(weights: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, len(weights) - 1, CHECKED).astype(np.int64))


def nearest_code(weights: list[Weights], steps: float) -> Check:
    """Every weight is at most so many steps of its group from what it became."""

    def error(index: int, result: object) -> float:
        matrix, rows = as_matrix(result), checked_rows(weights[index])
        w = weights[index][rows].astype(np.float64)
        step = np.repeat(np.abs(matrix.scales[rows].astype(np.float64)), FORMAT.group_size, -1)
        # The stored scale and bias are rounded, too: 16 steps and a bias of float32.
        allowed = steps * step + 4 * ROUNDING["float32"] * (16 * step + np.abs(w).max())
        return float((np.abs(matrix.dense(rows) - w) / allowed).max())

    return error


def less_error_than_minmax(weights: list[Weights]) -> Check:
    """The squared error is at most that of scale = (max - min) / 15, bias = min."""

    def error(index: int, result: object) -> float:
        rows = checked_rows(weights[index])
        w = weights[index][rows].astype(np.float64)
        groups = w.reshape(len(w), -1, FORMAT.group_size)
        low, high = groups.min(-1, keepdims=True), groups.max(-1, keepdims=True)
        step = (high - low) / (2**FORMAT.bits - 1)
        plain = np.rint((groups - low) / step) * step + low - groups
        return float(np.sum((as_matrix(result).dense(rows) - w) ** 2) / np.sum(plain**2))

    return error


def make_dequantize(plan: Plan) -> Contestants:
    shape = plan.sizes.outputs, plan.sizes.inputs
    matrices = make_matrices(FORMAT, shape, WHOLE_MATRICES)

    def error(rounding: float) -> Check:
        def check(index: int, result: object) -> float:
            matrix = matrices[index]
            rows = checked_rows(matrix.scales)
            exact = matrix.dense(rows)
            assert matrix.biases is not None
            largest = np.abs(exact) + 2 * np.repeat(
                np.abs(matrix.biases[rows].astype(np.float64)), FORMAT.group_size, -1
            )
            allowed = np.where(rounding, rounding * largest, ROUNDING["float32"] * np.abs(exact))
            return float((np.abs(to_float64(result)[rows] - exact) / allowed).max())

        return check

    def contestant(module: Any, convert: Callable[..., Any], rounding: float) -> Contestant:
        calls = [
            evaluated(module, partial(module.dequantize, *arguments(matrix, convert), **PARAMETERS))
            for matrix in matrices
        ]
        return Contestant(calls, error(rounding))

    # Ours rounds once. MLX rounds the product and the sum.
    found: Contestants = {OURS: contestant(mx, ours, 0.0)}
    try:
        found[MLX] = contestant(find("mlx.core"), theirs, 2 * ROUNDING["float32"])
    except UnavailableError as error_:
        found[MLX] = error_
    return found
