"""Dense products, and the product with chosen experts."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

import nybble.core as mx

from .case import STANDARD, Case, Contestant, Contestants, Plan
from .libraries import NUMPY, ROUNDING, need, ours, to_float64
from .matrices import Format, make_matrix, rounded
from .product import CHECKED, CONTRACT, Product, arguments, options
from .results import OURS
from .targets import Target

EXPERTS_PER_TOKEN = 8


def dense_case(
    name: str, section: str, dtype: str, peers: Sequence[str] = (), *targets: Target
) -> Case:
    n = STANDARD.dense
    flops = 2 * n**3
    return Case(
        name,
        section,
        partial(make_dense, dtype, tuple(peers)),
        flops=flops,
        bound="fma",
        targets=targets,
    )


def make_dense(dtype: str, peers: Sequence[str], plan: Plan) -> Contestants:
    n, random = plan.sizes.dense, np.random.default_rng(1)
    pairs = [
        tuple(rounded(random.standard_normal((n, n), np.float32), dtype) for _ in range(2))
        for _ in range(plan.sizes.matrices)
    ]

    def check(bound: float, index: int, result: object) -> float:
        a, b = (part.astype(np.float64) for part in pairs[index])
        rows = np.unique(np.linspace(0, n - 1, CHECKED).astype(np.int64))
        exact, size = a[rows] @ b, np.abs(a[rows]) @ np.abs(b)
        allowed = bound * size + ROUNDING[dtype] * np.abs(exact)
        return float((np.abs(to_float64(result)[rows] - exact) / allowed).max())

    # Documented in ops/matmul.h: runs of at most 384 additions, then their sums.
    bound = (400 + n / 384) * ROUNDING["float32"]
    ours_calls = [partial(mx.matmul, ours(a, dtype), ours(b, dtype)) for a, b in pairs]
    found: Contestants = {OURS: Contestant(ours_calls, partial(check, bound))}
    if NUMPY in peers:
        calls = [partial(np.matmul, a, b) for a, b in pairs]
        found[NUMPY] = Contestant(calls, partial(check, n * ROUNDING["float32"]))
    return found


def gather_case(name: str, section: str, *targets: Target) -> Case:
    """Every token goes through 8 of the experts; the rows are sorted by expert."""
    n, k = STANDARD.expert_outputs, STANDARD.expert_inputs
    flops = 2 * STANDARD.tokens * EXPERTS_PER_TOKEN * n * k
    return Case(name, section, make_gather, flops=flops, bound="fma", targets=targets)


def make_gather(plan: Plan) -> Contestants:
    need("gather_qmm")
    sizes, random = plan.sizes, np.random.default_rng(2)
    shape = sizes.experts, sizes.expert_outputs, sizes.expert_inputs
    matrix = make_matrix(Format(), shape, 2)
    rows = sizes.tokens * EXPERTS_PER_TOKEN
    x = random.standard_normal((rows, 1, sizes.expert_inputs), np.float32)
    experts = np.sort(random.integers(0, sizes.experts, rows)).astype(np.uint32)
    product = Product()
    call = partial(  # type: ignore[misc]
        mx.gather_qmm,
        ours(x),
        *arguments(matrix, ours),
        rhs_indices=ours(experts),
        sorted_indices=True,
        **options(product),
    )

    def check(_: int, result: object) -> float:
        y, worst = to_float64(result)[:, 0], 0.0
        for row in np.linspace(0, rows - 1, CHECKED).astype(np.int64):
            w = expert(int(experts[row]))
            values = x[row, 0].astype(np.float64)
            allowed = CONTRACT["float32"] * (np.abs(w) @ np.abs(values))
            worst = max(worst, float((np.abs(y[row] - w @ values) / allowed).max()))
        return worst

    def expert(index: int) -> npt.NDArray[np.float64]:
        assert matrix.biases is not None
        one = type(matrix)(
            matrix.format, matrix.words[index], matrix.scales[index], matrix.biases[index]
        )
        return one.dense(slice(None))

    # The experts are larger than the cache together: they are their own eight matrices in turn.
    return {OURS: Contestant([call], check)}
