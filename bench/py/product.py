"""Products with quantized weights: one case, for ours and the peers."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import nybble.core as mx

from . import onnx_model
from .case import STANDARD, Case, Contestant, Contestants, Plan, Sizes, UnavailableError
from .libraries import (
    MLX,
    MLX_FLOAT32,
    ORT_FLOAT,
    ORT_INT8,
    ROUNDING,
    evaluated,
    find,
    need,
    need_mode,
    our_precision,
    our_threads,
    ours,
    theirs,
    to_float64,
)
from .matrices import Floats, Format, Matrix, make_matrices, rounded
from .results import OURS
from .targets import Target

CHECKED = 16  # outputs of each row of x that are compared with float64

# The precision contract, as a share of sum(abs(x * w)); see docs of set_matmul_precision.
CONTRACT = {"float32": 2.0**-20, "float16": 2.0**-15, "bfloat16": 2.0**-15}
# With activations rounded to 8 bits, a share of max(abs(x)) * sum(abs(w)) in every group.
CONTRACT_INT8 = 2.0**-6


@dataclass(frozen=True)
class Product:
    """y[M, N] = x[M, K] . w^T; if `columns`, x . w, where a row of w is one k of all outputs."""

    m: int = 1
    dtype: str = "float32"  # of x
    format: Format = field(default_factory=Format)
    columns: bool = False
    precision: str = ""  # "" is the default, without asking for it
    threads: int = 0

    def shape(self, sizes: Sizes) -> tuple[int, int]:
        shape = sizes.outputs, sizes.inputs
        return shape[::-1] if self.columns else shape

    def rows(self, sizes: Sizes) -> int:
        return min(self.m, sizes.prompt)


def case(
    name: str, section: str, product: Product, peers: Sequence[str] = (), *targets: Target
) -> Case:
    n, k = STANDARD.outputs, STANDARD.inputs
    return Case(
        name,
        section,
        partial(make, product, tuple(peers)),
        bytes=product.format.bytes(n * k),
        flops=2 * product.m * n * k,
        bound="read" if product.m < 64 else "fma",
        threads=product.threads,
        targets=targets,
    )


def make(product: Product, peers: Sequence[str], plan: Plan) -> Contestants:
    need_mode(product.format.mode)
    if product.precision:
        need("set_matmul_precision")
    matrices = make_matrices(product.format, product.shape(plan.sizes), plan.sizes.matrices)
    random = np.random.default_rng(len(matrices))
    x = random.standard_normal((product.rows(plan.sizes), plan.sizes.inputs), np.float32)
    x = rounded(x, product.dtype)
    contestants: Contestants = {OURS: make_ours(product, matrices, x)}
    for peer in peers:
        if plan.quick and peer in (MLX, MLX_FLOAT32) and is_slow(product, peer):
            continue
        try:
            contestants[peer] = PEERS[peer](product, matrices, x, plan)
        except UnavailableError as error:
            contestants[peer] = error
    return contestants


def is_slow(product: Product, peer: str) -> bool:
    """MLX takes 0.06 s a row in float32, up to 2 s in 16 bits (Zen 3)."""
    return product.m > 1 or (peer == MLX and product.dtype != "float32")


def arguments(matrix: Matrix, convert: Callable[..., Any]) -> list[Any]:
    """Codes, scales and biases for quantized_matmul of ours or MLX."""
    words, dtype = convert(matrix.words), matrix.format.scale_dtype
    if matrix.biases is None:
        return [words, convert(matrix.scales), None]
    return [words, convert(matrix.scales, dtype), convert(matrix.biases, dtype)]


def options(product: Product) -> dict[str, Any]:
    format = product.format
    return {
        "transpose": not product.columns,
        "group_size": format.group_size,
        "bits": format.bits,
        "mode": format.mode,
    }


def make_ours(
    product: Product, matrices: Sequence[Matrix], x: npt.NDArray[np.float32]
) -> Contestant:
    values = ours(x, product.dtype)
    calls = [
        partial(mx.quantized_matmul, values, *arguments(matrix, ours), **options(product))
        for matrix in matrices
    ]

    def within() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        if product.threads:
            stack.enter_context(our_threads(product.threads))
        if product.precision:
            stack.enter_context(our_precision(product.precision))
        return stack

    relative = 0.0 if product.precision == "medium" else CONTRACT[product.dtype]
    return Contestant(calls, Check(product, matrices, x, relative), within=within)


def make_mlx(
    product: Product,
    matrices: Sequence[Matrix],
    x: npt.NDArray[np.float32],
    _: Plan,
    dtype: str = "",
) -> Contestant:
    mlx, dtype = find("mlx.core"), dtype or product.dtype
    values = theirs(x, dtype)
    # float32: any order of K additions. With 16 bits it adds in 16 bits and has no useful bound;
    # the check only tells a product from garbage.
    relative = x.shape[1] * ROUNDING["float32"] if dtype == "float32" else 0.25
    calls = [
        evaluated(
            mlx,
            partial(mlx.quantized_matmul, values, *arguments(matrix, theirs), **options(product)),
        )
        for matrix in matrices
    ]
    return Contestant(calls, Check(product, matrices, x, relative))


def make_onnx(
    product: Product,
    matrices: Sequence[Matrix],
    x: npt.NDArray[np.float32],
    plan: Plan,
    accuracy_level: int,
) -> Contestant:
    shape, count = product.shape(plan.sizes), plan.sizes.matrices
    sessions = onnx_model.make_sessions(product.format, shape, count, accuracy_level, plan.threads)
    calls = [partial(onnx_product, session, x) for session in sessions]
    relative = 0.0 if accuracy_level == 4 else x.shape[1] * ROUNDING["float32"]
    return Contestant(calls, Check(product, matrices, x, relative, onnx_model.dense))


def onnx_product(session: Any, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = session.run(None, {"x": x})[0]
    return result


PEERS: dict[str, Callable[..., Contestant]] = {
    MLX: make_mlx,
    MLX_FLOAT32: partial(make_mlx, dtype="float32"),
    ORT_FLOAT: partial(make_onnx, accuracy_level=0),
    ORT_INT8: partial(make_onnx, accuracy_level=4),
}


@dataclass(frozen=True)
class Check:
    """Compares some outputs with float64. `relative` is the error allowed, as a share of
    sum(abs(x * w)); 0 means the contract of 8-bit activations."""

    product: Product
    matrices: Sequence[Matrix]
    x: npt.NDArray[np.float32]
    relative: float
    dense: Callable[[Matrix, npt.NDArray[np.int64]], Floats] | None = None

    def __call__(self, index: int, result: object) -> float:
        x, (chosen, w) = self.x.astype(np.float64), self.weights(self.matrices[index])
        exact = x @ w.T
        y = to_float64(result)[:, chosen]
        if self.relative:
            allowed = self.relative * (np.abs(x) @ np.abs(w).T)
        else:
            size = self.product.format.group_size
            largest = np.abs(x).reshape(len(x), -1, size).max(-1)
            allowed = CONTRACT_INT8 * (largest @ np.abs(w).reshape(len(w), -1, size).sum(-1).T)
        rounding = ROUNDING[self.product.dtype] * np.abs(exact)
        # y with NaN must not pass: maximum hands it on
        return float(np.maximum.reduce(np.abs(y - exact) / (allowed + rounding), axis=None))

    def weights(self, matrix: Matrix) -> tuple[npt.NDArray[np.int64], Floats]:
        """Which outputs are compared, and their weights [outputs, K]."""
        if self.product.columns:
            w = matrix.dense(slice(None), slice(0, 1)).T
            return np.arange(len(w)), w
        chosen = np.unique(np.linspace(0, len(matrix.words) - 1, CHECKED).astype(np.int64))
        return chosen, self.dense(matrix, chosen) if self.dense else matrix.dense(chosen)
