#include "module.h"
#include "nybble/ops/block_products.h"
#include "nybble/ops/fp8.h"
#include "nybble/ops/gather_qqmm.h"
#include "nybble/ops/hadamard.h"

namespace nybble::python {
namespace {

using OptionalArray = std::optional<array>;

void def_block_products(py::module_& m) {
  m.def(
      "block_masked_mm",
      [](array a, array b, int64_t block_size, OptionalArray mask_out, OptionalArray mask_lhs,
         OptionalArray mask_rhs, StreamArgument) {
        return block_masked_mm(a, b, block_size, mask_out, mask_lhs, mask_rhs);
      },
      "a"_a, "b"_a, py::pos_only(), "block_size"_a = 64, "mask_out"_a = py::none(),
      "mask_lhs"_a = py::none(), "mask_rhs"_a = py::none(), py::kw_only(), kStream, R"doc(
The matrix product ``a @ b`` with blocks of the operands and of the result masked.

Each block of ``block_size`` x ``block_size`` elements is multiplied by its element of the mask; a
bool mask that is false makes zeros of whatever the block holds.

Args:
    a: ``[..., M, K]`` or ``[K]``.
    b: ``[..., K, N]`` or ``[K]``; leading dimensions broadcast.
    block_size: 32 or 64.
    mask_out: ``[..., ceil(M / block_size), ceil(N / block_size)]``.
    mask_lhs: of ``a``, in the same way.
    mask_rhs: of ``b``.

Returns:
    array: ``[..., M, N]`` of the dtype that both promote to, floating.

Raises:
    ValueError: shapes do not fit, another block size, or the result would not be floating.

Example:
    >>> import nybble.core as mx
    >>> mask = mx.array([[True, False]])
    >>> y = mx.block_masked_mm(mx.ones((1, 64)), mx.ones((64, 64)), 32, mask_lhs=mask)
    >>> y[0, 0]
    array(32, dtype=float32)
)doc");
  m.def(
      "segmented_mm",
      [](array a, array b, array segments, StreamArgument) { return segmented_mm(a, b, segments); },
      "a"_a, "b"_a, py::pos_only(), "segments"_a, py::kw_only(), kStream, R"doc(
Products of parts of the inner dimension: ``y[s] = a[:, from:to] @ b[from:to]``.

Args:
    a: ``[M, K]``.
    b: ``[K, N]``.
    segments: ``[..., 2]`` integers, where each segment begins and ends.

Returns:
    array: ``[..., M, N]`` of the dtype that both promote to, floating.

Raises:
    ValueError: shapes or dtypes do not fit.
    IndexError: a segment is outside ``0..K``.

Example:
    >>> import nybble.core as mx
    >>> a = mx.array([[1.0, 2.0, 3.0]])
    >>> mx.segmented_mm(a, a.T, mx.array([[0, 1], [1, 3]])).flatten()
    array([1, 13], dtype=float32)
)doc");
}

void def_gather_qqmm(py::module_& m) {
  m.def(
      "gather_qqmm",
      [](array x, array w, OptionalArray scales, OptionalArray lhs_indices,
         OptionalArray rhs_indices, std::optional<int> group_size, std::optional<int> bits,
         std::string_view mode, OptionalArray global_scale_x, OptionalArray global_scale_w, bool,
         StreamArgument) {
        return gather_qqmm(x, w, scales, lhs_indices, rhs_indices, group_size, bits, mode,
                           global_scale_x, global_scale_w);
      },
      "x"_a, "w"_a, py::pos_only(), "scales"_a = py::none(), "lhs_indices"_a = py::none(),
      "rhs_indices"_a = py::none(), "group_size"_a = py::none(), "bits"_a = py::none(),
      "mode"_a = "nvfp4", "global_scale_x"_a = py::none(), "global_scale_w"_a = py::none(),
      py::kw_only(), "sorted_indices"_a = false, kStream, R"doc(
:func:`qqmm` for chosen pairs of matrices: ``y[i] = qqmm(x[lhs_indices[i]], w[rhs_indices[i]])``.

The indices count the matrices of ``x`` and ``w`` in row-major order of their leading dimensions.

Args:
    x: ``[..., M, K]``, float16, bfloat16 or float32; quantized on the way.
    w: codes ``[..., N, K * bits / 32]``, or ``[..., N, K]`` without ``scales``, quantized first.
    scales: as from :func:`quantize`.
    lhs_indices: integers from 0; None counts through all matrices of ``x``.
    rhs_indices: integers from 0; None counts through all matrices of ``w``. Both broadcast.
    group_size: as given to :func:`quantize`.
    bits: as given to :func:`quantize`.
    mode: ``"nvfp4"``, ``"mxfp8"`` or ``"mxfp4"``.
    global_scale_x: one float32 number, for ``"nvfp4"``.
    global_scale_w: the one that ``w`` was quantized with. Both or none.
    sorted_indices: a promise of which nothing depends.

Returns:
    array: the shape of the indices and ``[M, N]`` behind it, of the dtype of ``x``.

Raises:
    ValueError: shapes, dtypes or parameters do not fit together.
    IndexError: an index is negative or too large.

Example:
    >>> import nybble.core as mx
    >>> w = mx.quantize(mx.ones((3, 16, 32)), mode="nvfp4")
    >>> mx.gather_qqmm(mx.ones((1, 32)), *w, rhs_indices=mx.array([2, 0])).shape
    (2, 1, 16)
)doc");
}

void def_fp8(py::module_& m) {
  m.def(
      "to_fp8", [](array x, StreamArgument) { return to_fp8(x); }, "x"_a, py::kw_only(), kStream,
      R"doc(
The nearest floats of 8 bits (e4m3), as uint8. Numbers beyond 448, and NaN, become 448.

Args:
    x: floating.

Raises:
    ValueError: another dtype.

Example:
    >>> import nybble.core as mx
    >>> mx.from_fp8(mx.to_fp8(mx.array([0.1, 1000.0])), mx.float32)
    array([0.101562, 448], dtype=float32)
)doc");
  m.def(
      "from_fp8", [](array x, Dtype dtype, StreamArgument) { return from_fp8(x, dtype); }, "x"_a,
      "dtype"_a = Dtype::kBfloat16, py::kw_only(), kStream, R"doc(
The numbers of floats of 8 bits (e4m3) that uint8 hold.

Args:
    x: uint8.
    dtype: of the result, floating.

Raises:
    ValueError: other dtypes.

Example:
    >>> import nybble.core as mx
    >>> mx.from_fp8(mx.array([0, 56, 200], mx.uint8))
    array([0, 1, -4], dtype=bfloat16)
)doc");
}

}  // namespace

void init_products(py::module_& m) {
  def_block_products(m);
  def_gather_qqmm(m);
  def_fp8(m);
  m.def(
      "hadamard_transform",
      [](array a, std::optional<double> scale, StreamArgument) {
        return hadamard_transform(a, scale);
      },
      "a"_a, "scale"_a = py::none(), "stream"_a = py::none(), R"doc(
The Walsh-Hadamard transform along the last axis: ``scale * (H @ x)``.

Args:
    a: its last axis has ``m * 2**k`` elements, m one of 1, 12, 20, 28.
    scale: a factor; ``1 / sqrt(n)``, which makes the transform orthonormal, by default.

Returns:
    array: of a's shape and, if floating, dtype, else float32.

Raises:
    ValueError: another length, or an empty array.

Example:
    >>> import nybble.core as mx
    >>> mx.hadamard_transform(mx.array([1.0, 2.0]), scale=1.0)
    array([3, -1], dtype=float32)
)doc");
}

}  // namespace nybble::python
