"""onnxruntime's product with quantized weights: a model of one node, MatMulNBits.

Its packing (blocks of a row, first code in the low bits) is that of a row of ours at 4 and 8 bits.
Its zero points are integers, the middle of the codes here, so that w = scale * (code - middle).
"""

import functools
from typing import Any

import numpy as np

from .libraries import find
from .matrices import Floats, Format, Index, Matrix, make_matrices

DOMAIN = "com.microsoft"


def middle(bits: int) -> int:
    return int(2 ** (bits - 1))


def dense(matrix: Matrix, rows: Index) -> Floats:
    """The weights of those rows as the model understands them."""
    steps = matrix.codes(rows, slice(None)) - middle(matrix.format.bits)
    values = steps.astype(np.float64) * matrix.scales[rows, :, None].astype(np.float64)
    weights: Floats = values.reshape(len(values), -1)
    return weights


def make_model(matrix: Matrix, accuracy_level: int) -> Any:
    """accuracy_level 0 computes in float32, 4 rounds the activations to 8 bits."""
    onnx = find("onnx")
    helper, from_array = onnx.helper, onnx.numpy_helper.from_array
    bits, size = matrix.format.bits, matrix.format.group_size
    outputs, blocks = matrix.scales.shape
    zeros_per_byte = 8 // bits
    zero = sum(middle(bits) << (bits * i) for i in range(zeros_per_byte))
    weights = {
        "codes": matrix.words.view(np.uint8).reshape(outputs, blocks, size * bits // 8),
        "scales": matrix.scales.astype(np.float32).reshape(-1),
        "zeros": np.full(outputs * -(-blocks // zeros_per_byte), zero, np.uint8),
    }
    node = helper.make_node(
        "MatMulNBits",
        ["x", *weights],
        ["y"],
        domain=DOMAIN,
        K=blocks * size,
        N=outputs,
        bits=bits,
        block_size=size,
        accuracy_level=accuracy_level,
    )
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", float32, ["M", blocks * size])],
        [helper.make_tensor_value_info("y", float32, ["M", outputs])],
        [from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


# Four: 4 and 8 bits at two levels. A session keeps its own copy of the weights.
@functools.lru_cache(maxsize=4)
def make_sessions(
    format: Format, shape: tuple[int, int], count: int, accuracy_level: int, threads: int
) -> tuple[Any, ...]:
    """One for each of make_matrices(format, shape, count)."""
    runtime = find("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin would take the cores from the other sessions and contestants.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return tuple(
        runtime.InferenceSession(
            make_model(matrix, accuracy_level).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        for matrix in make_matrices(format, shape, count)
    )
