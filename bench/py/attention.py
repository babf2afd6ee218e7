"""Attention: one new token on a cache of keys and values, and a whole prompt."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

import nybble.core as mx

from .case import Case, Contestant, Contestants, Plan, UnavailableError
from .libraries import MLX, ROUNDING, evaluated, find, need, ours, theirs, to_float64
from .matrices import rounded
from .results import OURS
from .targets import Target

CHECKED = 4  # rows of each result that are compared with float64
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Attention:
    """`queries` rows of `heads` heads on `keys` rows of `kv_heads` heads."""

    dtype: str
    queries: int
    keys: int
    heads: int = 32
    kv_heads: int = 8
    depth: int = 128
    causal: bool = False
    caches: int = 1  # in turn, so that none is in the processor's cache

    @property
    def scale(self) -> float:
        return 1 / math.sqrt(self.depth)

    @property
    def bytes(self) -> int:
        width = 4 if self.dtype == "float32" else 2
        return 2 * self.kv_heads * self.keys * self.depth * width

    @property
    def flops(self) -> int:
        """Of both products; half of them under a causal mask on a prompt."""
        every = 4 * self.heads * self.queries * self.keys * self.depth
        return every // 2 if self.causal else every

    def tiny(self, plan: Plan) -> "Attention":
        """The same on less, for the sizes that tests use."""
        if plan.sizes.prompt >= 128:
            return self
        queries = min(self.queries, plan.sizes.prompt)
        return Attention(self.dtype, queries, 40, 4, 2, 16, self.causal, 2)


def decode_case(name: str, section: str, dtype: str, *targets: Target) -> Case:
    attention = Attention(dtype, 1, 4096, caches=8)
    return Case(
        name,
        section,
        partial(make, attention, (MLX,)),
        bytes=attention.bytes,
        flops=attention.flops,
        bound="read",
        targets=targets,
    )


def prefill_case(name: str, section: str, dtype: str, causal: bool, *targets: Target) -> Case:
    attention = Attention(dtype, 2048, 2048, heads=8, kv_heads=2, causal=causal)
    peers = (MLX,) if dtype == "float32" else ()  # in 16 bits MLX takes minutes
    return Case(
        name,
        section,
        partial(make, attention, peers),
        flops=attention.flops,
        bound="fma",
        targets=targets,
    )


def make(standard: Attention, peers: Sequence[str], plan: Plan) -> Contestants:
    need("fast")
    attention = standard.tiny(plan)
    caches = [make_inputs(attention, seed) for seed in range(attention.caches)]
    found: Contestants = {}
    mask = "causal" if attention.causal else None
    try:
        for name in (OURS, *peers):
            module = mx if name == OURS else find("mlx.core")
            convert = ours if name == OURS else theirs
            attend = module.fast.scaled_dot_product_attention
            calls = []
            for cache in caches:
                arrays = [convert(part, attention.dtype) for part in cache]
                module.eval(arrays)
                call = partial(attend, *arrays, scale=attention.scale, mask=mask)
                calls.append(evaluated(module, call))
            exact = name == OURS or attention.dtype == "float32"
            found[name] = Contestant(calls, partial(check, attention, caches, exact))
    except UnavailableError as error:
        found[name] = error
    return found


def make_inputs(attention: Attention, seed: int) -> list[Floats]:
    random = np.random.default_rng(seed)
    shapes = [(attention.heads, attention.queries), *[(attention.kv_heads, attention.keys)] * 2]
    return [
        rounded(random.standard_normal((1, *shape, attention.depth), np.float32), attention.dtype)
        for shape in shapes
    ]


def check(
    attention: Attention,
    caches: Sequence[Sequence[Floats]],
    exact: bool,
    index: int,
    result: object,
) -> float:
    """Against float64. In 16 bits MLX's products are not what is asked of ours: 2^-6 then."""
    q, k, v = (part[0].astype(np.float64) for part in caches[index])
    y, worst = to_float64(result)[0], 0.0
    places = np.linspace(0, attention.heads * attention.queries - 1, CHECKED).astype(np.int64)
    for head, row in zip(*np.divmod(places, attention.queries), strict=True):
        shared = head * attention.kv_heads // attention.heads
        seen = attention.keys
        if attention.causal:
            seen += row + 1 - attention.queries
        keys, values = k[shared, :seen], v[shared, :seen]
        scores = attention.scale * (keys @ q[head, row])
        terms = attention.scale * (np.abs(keys) @ np.abs(q[head, row]))
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        size = weights @ np.abs(values)
        # Scores are sums of `depth` products, weights of `seen` values: float32 in all of them.
        steps = 2 * (attention.depth + 4) * terms.max() + 2 * seen + 16
        unit = ROUNDING["float32"] if exact else 2.0**-6 / steps
        allowed = (unit * steps + ROUNDING[attention.dtype]) * size
        worst = max(worst, float((np.abs(y[head, row] - weights @ values) / allowed).max()))
    return worst
