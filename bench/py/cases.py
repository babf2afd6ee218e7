"""The table of cases: what is measured, beside whom, and what it has to reach."""

from .attention import decode_case, prefill_case
from .calls import call_cases
from .case import Case
from .codec import dequantize_case, fit_case, quantize_case
from .dense import dense_case, gather_case
from .elementwise import elementwise_cases
from .libraries import MLX, MLX_FLOAT32, NUMPY, ORT_FLOAT, ORT_INT8
from .matrices import FP_MODES, Format
from .product import Product, case
from .reductions import reduction_cases
from .targets import (
    Target,
    faster_than,
    items_per_second,
    rate_against,
    share_of_limit,
    time_against,
    time_per_byte_against,
)

ROW, FEW, MANY = "One row of x", "A few rows", "512 rows"
CODEC, DENSE, CALLS = "Quantize and dequantize", "Dense products", "Calls and threads"
ELEMENTS = "Element by element"
ATTENTION = "Attention"

# The cases that others are compared with.
ONE = "M=1 4 bits float32"
PROMPT = "M=512 4 bits float32"
PROMPT_HALF = "M=512 4 bits float16"
DENSE_FLOAT = "dense float32"
ALONE = "M=512 4 bits float32, 1 thread"


def scales_for(dtype: str) -> str:
    """bfloat16 models have bfloat16 scales; the others are measured with float16."""
    return "bfloat16" if dtype == "bfloat16" else "float16"


def one_row() -> list[Case]:
    cases = []
    for dtype in ("float32", "float16", "bfloat16"):
        peers = [MLX, ORT_FLOAT, ORT_INT8] if dtype == "float32" else [MLX, MLX_FLOAT32, ORT_INT8]
        mlx = MLX if dtype == "float32" else MLX_FLOAT32
        targets = (share_of_limit(0.80), faster_than(ORT_INT8, 1.2), faster_than(mlx, 35))
        product = Product(1, dtype, Format(scale_dtype=scales_for(dtype)))
        cases.append(case(f"M=1 4 bits {dtype}", ROW, product, peers, *targets))
    for bits, share in ((8, 0.80), (6, 0.80), (5, 0.80), (3, 0.60), (2, 0.45), (1, 0.45)):
        targets_: list[Target] = [share_of_limit(share)]
        if bits < 3:
            targets_.append(time_against(ONE, 1.0))
        peers = [MLX, ORT_INT8] if bits == 8 else [MLX]
        product = Product(format=Format(bits))
        cases.append(case(f"M=1 {bits} bits float32", ROW, product, peers, *targets_))
    for mode, (group, bits) in FP_MODES.items():
        product = Product(format=Format(bits, group, mode))
        cases.append(case(f"M=1 {mode} float32", ROW, product, [MLX], share_of_limit(0.70)))
    groups = Product(format=Format(group_size=32))
    target = time_per_byte_against(ONE, 1.15)
    cases.append(case("M=1 4 bits float32, groups of 32", ROW, groups, [], target))
    return cases


def few_rows() -> list[Case]:
    cases = []
    for m in (2, 4, 8, 16, 32):
        peers = [MLX, ORT_FLOAT, ORT_INT8] if m == 8 else [ORT_FLOAT, ORT_INT8]
        targets = [time_against(ONE, 2.2)] if m == 8 else []
        cases.append(case(f"M={m} 4 bits float32", FEW, Product(m), peers, *targets))
    return cases


def many_rows() -> list[Case]:
    against_float = (share_of_limit(0.85), faster_than(ORT_FLOAT, 1.0))
    cases = [case(PROMPT, MANY, Product(512), [MLX, ORT_FLOAT, ORT_INT8], *against_float)]
    for dtype in ("float16", "bfloat16"):
        product = Product(512, dtype, Format(scale_dtype=scales_for(dtype)))
        target = faster_than(ORT_INT8, 1.4)
        cases.append(case(f"M=512 4 bits {dtype}", MANY, product, [ORT_INT8], target))
    for dtype in ("float32", "float16"):
        product = Product(512, dtype, precision="medium")
        target = faster_than(ORT_INT8, 2.0)
        cases.append(case(f"M=512 4 bits {dtype}, medium", MANY, product, [ORT_INT8], target))
    formats = [(f"{bits} bits", Format(bits)) for bits in (2, 3, 5, 6, 8)]
    formats += [(mode, Format(bits, group, mode)) for mode, (group, bits) in FP_MODES.items()]
    for name, format in formats:
        peers = [ORT_INT8] if name == "8 bits" else []
        product, target = Product(512, format=format), time_against(PROMPT, 1.15)
        cases.append(case(f"M=512 {name} float32", MANY, product, peers, target))
    return cases


def other_layouts() -> list[Case]:
    cases = []
    for m, section in ((1, ROW), (512, MANY)):
        name = f"M={m} 4 bits float32, not transposed"
        target = time_against(f"M={m} 4 bits float32", 1.5)
        cases.append(case(name, section, Product(m, columns=True), [], target))
    name = "64 experts, 8 for each of 512 tokens, sorted"
    return [*cases, gather_case(name, MANY, rate_against(PROMPT, 0.7))]


def attention() -> list[Case]:
    cases = []
    for dtype in ("float32", "float16", "bfloat16"):
        target = share_of_limit(0.75)
        cases.append(decode_case(f"decode, 4096 keys, {dtype}", ATTENTION, dtype, target))
    for dtype in ("float32", "float16"):
        dense = rate_against(DENSE_FLOAT, 0.85)
        name = f"prompt of 2048, {dtype}"
        cases.append(prefill_case(name, ATTENTION, dtype, False, dense))
        dense = rate_against(DENSE_FLOAT, 0.75)
        cases.append(prefill_case(f"{name}, causal", ATTENTION, dtype, True, dense))
    return cases


def all_cases() -> list[Case]:
    fast = rate_against(ALONE, 1.9)
    return [
        *one_row(),
        *few_rows(),
        *many_rows(),
        *other_layouts(),
        quantize_case("quantize float32", CODEC, share_of_limit(0.5)),
        dequantize_case("dequantize float32", CODEC, share_of_limit(0.6)),
        fit_case('quantize float32, fit="mse"', CODEC, items_per_second(20e6, "weights")),
        dense_case(DENSE_FLOAT, DENSE, "float32", [NUMPY], faster_than(NUMPY, 0.95)),
        dense_case("dense bfloat16", DENSE, "bfloat16", [], time_against(DENSE_FLOAT, 1.0)),
        dense_case("dense float16", DENSE, "float16", [], time_against(DENSE_FLOAT, 1.0)),
        *elementwise_cases(ELEMENTS),
        *attention(),
        case(ALONE, CALLS, Product(512, threads=1)),
        case("M=512 4 bits float32, 2 threads", CALLS, Product(512, threads=2), [], fast),
        *call_cases(CALLS),
        *reduction_cases(),
    ]
