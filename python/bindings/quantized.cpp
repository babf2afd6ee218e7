#include "nybble/ops/quantized.h"

#include <optional>
#include <string_view>
#include <vector>

#include "module.h"
#include "nybble/ops/gather_qmm.h"
#include "nybble/ops/matmul_precision.h"
#include "nybble/ops/qqmm.h"
#include "quick_call.h"

namespace nybble::python {
namespace {

using OptionalArray = std::optional<array>;
using OptionalInt = std::optional<int>;

void init_quantize(py::module_& m) {
  m.def(
      "quantize",
      [](array w, OptionalInt group_size, OptionalInt bits, std::string_view mode,
         OptionalArray global_scale, std::optional<std::string_view> fit, OptionalArray importance,
         StreamArgument) {
        const std::vector<array> parts =
            quantize(w, group_size, bits, mode, global_scale, fit, importance);
        return py::tuple(py::cast(parts));
      },
      "w"_a, py::pos_only(), "group_size"_a = py::none(), "bits"_a = py::none(),
      "mode"_a = "affine", py::kw_only(), "global_scale"_a = py::none(), "fit"_a = py::none(),
      "importance"_a = py::none(), kStream, R"doc(
Quantizes the rows of a matrix, in groups of neighbours that share a scale and a bias.

A weight is stored as a code of ``bits`` bits and stands for ``scale * code + bias``. Codes are
packed into ``uint32`` as one bit stream per row, the first in the least significant bits.

How scale and bias of a group are chosen is ``fit``:

- ``"minmax"``: ``scale = (max - min) / (2**bits - 1)``, ``bias = min``. Codes are the nearest to
  the scale and bias as stored, ties to even. A constant group is exact, with scale 0. NaN and
  infinities do not count for ``min`` and ``max``; NaN gets code 0, infinity the largest or smallest
  code. A group without finite weights gets scale and bias 0, and a scale that overflows is the
  largest finite value.
- ``"mlx"``: what MLX does, bit for bit. The scale may be negative, and zero is nearly exact. NaN
  does not count and gets code 0; a group with an infinity has a scale or bias that is not finite.
- ``"mse"``: the scale and bias with the least squared error that a search finds, never more than
  that of ``"minmax"`` in any group; about 10, 15 and 29 % less rms error at 4, 3 and 2 bits than
  ``"minmax"`` on the weights of a language model, at the same size. Codes as for ``"minmax"``; a
  group with NaN or infinities is treated as there. It takes about a hundred times as long.

In the other modes a weight stands for ``scale * code`` with floats for codes and scales of one byte,
chosen as MLX does: ``"mxfp4"`` (codes e2m1, scales powers of two, groups of 32), ``"mxfp8"`` (codes
e4m3) and ``"nvfp4"`` (codes e2m1, scales e4m3, groups of 16). NaN and infinities do not count for
the scale; NaN gets code 0, an infinity the largest code.

The results are deferred while ``w`` is: nothing is computed before they are used.

Args:
    w: ``[..., N, K]``, float16, bfloat16 or float32, at least 2-D; any strides.
    group_size: weights in a group, 32, 64 or 128; None means 64, or the one that ``mode`` has. It
        must divide K.
    bits: 1, 2, 3, 4, 5, 6 or 8; None means 4, or those that ``mode`` has.
    mode: ``"affine"``, ``"mxfp4"``, ``"mxfp8"`` or ``"nvfp4"``.
    global_scale: one float32 number for ``"nvfp4"``, best the largest magnitude in ``w``: scales
        are stored as multiples of ``global_scale / (448 * 6)``.
    fit: ``"minmax"``, ``"mlx"`` or ``"mse"`` for ``"affine"``; None means the default of the
        process, which is ``"minmax"`` unless :func:`set_default_fit` changed it.
    importance: ``[K]``, how much the squared error of each column counts, only for
        ``fit="mse"``: for example the mean square of what the column is multiplied by. Real, finite
        and not negative. None means that all count alike; so they do in a group where all of it
        is 0.

Returns:
    A tuple ``(codes, scales, biases)``: codes ``[..., N, K * bits / 32]`` uint32, scales and biases
    ``[..., N, K / group_size]`` of the dtype of ``w``. In the other modes ``(codes, scales)`` with
    uint8 scales.

Raises:
    ValueError: ``w`` has another dtype, fewer than 2 dimensions or rows that the group size does
        not divide, there is no such mode, bits, group size or fit, the mode or fit does not have
        what was given, or ``importance`` has another shape or other values.

Example:
    >>> import nybble.core as mx
    >>> w = mx.array([[float(k) for k in range(32)]])
    >>> codes, scales, biases = mx.quantize(w, group_size=32, bits=5)
    >>> codes.shape, scales.item(), biases.item()
    ((1, 5), 1.0, 0.0)
)doc");
  m.def("quantization_defaults", &quantization_defaults, "mode"_a, R"doc(
The group size and the bits that a mode has by default.

Returns:
    A tuple ``(group_size, bits)``.

Raises:
    ValueError: there is no such mode.

Example:
    >>> import nybble.core as mx
    >>> mx.quantization_defaults("affine")
    (64, 4)
)doc");
  m.def("set_default_fit", &set_default_fit, "fit"_a, R"doc(
Sets the ``fit`` that :func:`quantize` uses in this process unless it is told otherwise.

Returns:
    The one it was before.

Raises:
    ValueError: there is no such fit.

Example:
    >>> import nybble.core as mx
    >>> mx.set_default_fit("mlx")
    'minmax'
    >>> mx.set_default_fit("minmax")
    'mlx'
)doc");
  m.def("get_default_fit", &default_fit, R"doc(
The ``fit`` that :func:`quantize` uses in this process unless it is told otherwise.

Example:
    >>> import nybble.core as mx
    >>> mx.get_default_fit()
    'minmax'
)doc");
}

struct QuickQuantizedMatmul {
  static constexpr const char* kName = "quantized_matmul";
  static constexpr std::array<const char*, 8> kParameters{
      nullptr, nullptr, "scales", "biases", "transpose", "group_size", "bits", "mode"};
  static constexpr size_t kRequired = 3;
  static constexpr size_t kPositional = kParameters.size();

  static std::optional<array> call(const Arguments<8>& arguments) {
    const array *x, *w, *scales;
    OptionalArray biases;
    bool transpose = true;
    OptionalInt group_size, bits;
    std::string_view mode = "affine";
    if (!take_all(arguments, x, w, scales, biases, transpose, group_size, bits, mode)) {
      return std::nullopt;
    }
    return quantized_matmul(*x, *w, *scales, biases, transpose, group_size, bits, mode);
  }
};

void init_use(py::module_& m) {
  m.def(
      "dequantize",
      [](array w, array scales, OptionalArray biases, OptionalInt group_size, OptionalInt bits,
         std::string_view mode, OptionalArray global_scale, std::optional<Dtype> dtype,
         StreamArgument) {
        return dequantize(w, scales, biases, group_size, bits, mode, global_scale, dtype);
      },
      "w"_a, py::pos_only(), "scales"_a, "biases"_a = py::none(), "group_size"_a = py::none(),
      "bits"_a = py::none(), "mode"_a = "affine", "global_scale"_a = py::none(),
      "dtype"_a = py::none(), py::kw_only(), kStream, R"doc(
The weights that quantized codes stand for: ``scale * code + bias``, or ``scale * code``.

The real number is rounded once to float32, and for another dtype that float32 is rounded again. A
scale times ``global_scale / (448 * 6)`` is rounded to float32 before.

Args:
    w: codes from :func:`quantize`, ``[..., N, K * bits / 32]`` uint32.
    scales: ``[..., N, K / group_size]``, float16, bfloat16 or float32; uint8 but for ``"affine"``.
    biases: as ``scales``. Mode ``"affine"`` needs them, the others have none.
    group_size: as given to :func:`quantize`.
    bits: as given to :func:`quantize`.
    mode: as given to :func:`quantize`.
    global_scale: as given to :func:`quantize`.
    dtype: of the result, floating; None means the one that ``scales`` and ``biases`` promote to, or
        bfloat16 if there are no biases.

Returns:
    ``[..., N, K]``.

Raises:
    ValueError: shapes, dtypes or parameters do not fit together.

Example:
    >>> import nybble.core as mx
    >>> w = mx.array([[float(k) for k in range(32)]])
    >>> parts = mx.quantize(w, group_size=32, bits=5)
    >>> mx.dequantize(*parts, group_size=32, bits=5)[0, 7].item()
    7.0
)doc");
  m.def(
      "quantized_matmul",
      [](array x, array w, array scales, OptionalArray biases, bool transpose,
         OptionalInt group_size, OptionalInt bits, std::string_view mode, StreamArgument) {
        return quantized_matmul(x, w, scales, biases, transpose, group_size, bits, mode);
      },
      "x"_a, "w"_a, py::pos_only(), "scales"_a, "biases"_a = py::none(), "transpose"_a = true,
      "group_size"_a = py::none(), "bits"_a = py::none(), "mode"_a = "affine", py::kw_only(),
      kStream, R"doc(
Multiplies by a quantized matrix without unpacking it to memory.

``y = x @ dequantize(w).T``, or ``x @ dequantize(w)`` if ``transpose`` is False. Against the exact
product the error of an output, before it is rounded to its dtype, is at most
``2**-20 * sum(abs(x * w))`` if it is float32 and ``2**-15 * sum(abs(x * w))`` if it has 16 bits.
NaN and infinities in a row of ``x`` reach the outputs of that row only.

Args:
    x: ``[..., M, K]`` or ``[K]``, real; any strides.
    w: codes from :func:`quantize`, ``[..., N, K * bits / 32]`` uint32; if ``transpose`` is False
        ``[..., K, N * bits / 32]``. With more than 2 dimensions a batch of matrices, which is
        broadcast against the leading dimensions of ``x``; ``x`` needs more than 2 as well then.
    scales: as from :func:`quantize`.
    biases: as ``scales``. Mode ``"affine"`` needs them, the others have none.
    transpose: whether the rows of ``w``, or its columns, are multiplied by those of ``x``.
    group_size: as given to :func:`quantize`.
    bits: as given to :func:`quantize`.
    mode: as given to :func:`quantize`.

Returns:
    ``[..., M, N]`` or ``[N]``, of the dtype that ``x``, ``scales`` and ``biases`` promote to; without
    biases of the dtype of ``x``, which must be float16, bfloat16 or float32 then.

Raises:
    ValueError: shapes, dtypes or parameters do not fit together.

Example:
    >>> import nybble.core as mx
    >>> w = mx.ones((3, 64))
    >>> y = mx.quantized_matmul(mx.ones((2, 64)), *mx.quantize(w))
    >>> y.shape, y[0, 0].item()
    ((2, 3), 64.0)
)doc");
}

void init_gather_qmm(py::module_& m) {
  m.def(
      "gather_qmm",
      [](array x, array w, array scales, OptionalArray biases, OptionalArray lhs_indices,
         OptionalArray rhs_indices, bool transpose, OptionalInt group_size, OptionalInt bits,
         std::string_view mode, OptionalArray global_scale, bool, StreamArgument) {
        return gather_qmm(x, w, scales, biases, lhs_indices, rhs_indices, transpose, group_size,
                          bits, mode, global_scale);
      },
      "x"_a, "w"_a, py::pos_only(), "scales"_a, "biases"_a = py::none(),
      "lhs_indices"_a = py::none(), "rhs_indices"_a = py::none(), "transpose"_a = true,
      "group_size"_a = py::none(), "bits"_a = py::none(), "mode"_a = "affine",
      "global_scale"_a = py::none(), py::kw_only(), "sorted_indices"_a = false, kStream, R"doc(
Multiplies chosen matrices of ``x`` by chosen quantized matrices, as a mixture of experts does.

``y[i] = x[lhs_indices[i]] @ dequantize(w[rhs_indices[i]]).T``, where the indices count the matrices
of ``x`` and ``w`` in row-major order of their leading dimensions. A matrix of ``w`` is decoded once
for all that is multiplied by it, in whatever order it comes; slices of ``w`` are not copied. Accuracy
is that of :func:`quantized_matmul`, which this is without indices.

Args:
    x: ``[..., M, K]``, real; any strides.
    w: codes from :func:`quantize`, ``[..., N, K * bits / 32]`` uint32; if ``transpose`` is False
        ``[..., K, N * bits / 32]``.
    scales: as from :func:`quantize`.
    biases: as ``scales``. Mode ``"affine"`` needs them, the others have none.
    lhs_indices: integers from 0; None counts through all matrices of ``x``.
    rhs_indices: integers from 0; None counts through all matrices of ``w``. Both broadcast against
        each other.
    transpose: whether the rows of ``w``, or its columns, are multiplied by those of ``x``.
    group_size: as given to :func:`quantize`.
    bits: as given to :func:`quantize`.
    mode: as given to :func:`quantize`.
    global_scale: float32, one for each matrix of ``w``, as given to :func:`quantize`; in mode
        ``"nvfp4"`` only.
    sorted_indices: a promise of which nothing depends.

Returns:
    The shape of the indices and ``[M, N]`` behind it, of the dtype of :func:`quantized_matmul`.

Raises:
    ValueError: shapes, dtypes or parameters do not fit together.
    IndexError: an index is negative or too large.

Example:
    >>> import nybble.core as mx
    >>> experts = mx.quantize(mx.ones((4, 3, 64)) * mx.arange(4.0).reshape(4, 1, 1))
    >>> y = mx.gather_qmm(mx.ones((1, 64)), *experts, rhs_indices=mx.array([3, 1]))
    >>> y.shape, y[:, 0, 0].tolist()
    ((2, 1, 3), [192.0, 64.0])
)doc");
}

void init_qqmm(py::module_& m) {
  m.def(
      "qqmm",
      [](array x, array w, OptionalArray scales, OptionalInt group_size, OptionalInt bits,
         std::string_view mode, OptionalArray global_scale_x, OptionalArray global_scale_w,
         StreamArgument) {
        return qqmm(x, w, scales, group_size, bits, mode, global_scale_x, global_scale_w);
      },
      "x"_a, "w"_a, "scales"_a = py::none(), "group_size"_a = py::none(), "bits"_a = py::none(),
      "mode"_a = "nvfp4", "global_scale_x"_a = py::none(), "global_scale_w"_a = py::none(),
      py::kw_only(), kStream, R"doc(
Multiplies ``x``, quantized row by row on the way, by a quantized matrix.

``y = x_q @ dequantize(w).T``, where every group of ``x_q`` is the nearest (ties to even) that the
mode can represent with its scale. The product itself is as accurate as :func:`quantized_matmul`.

Args:
    x: ``[..., M, K]`` or ``[K]``, float16, bfloat16 or float32.
    w: codes from :func:`quantize`, ``[N, K * bits / 32]`` uint32; or without ``scales`` ``[N, K]``,
        float16, bfloat16 or float32, which is quantized first.
    scales: as from :func:`quantize`, uint8.
    group_size: as given to :func:`quantize`.
    bits: as given to :func:`quantize`.
    mode: ``"nvfp4"``, ``"mxfp8"`` or ``"mxfp4"``.
    global_scale_x: one float32 number, for ``"nvfp4"``, as for :func:`quantize`.
    global_scale_w: the one that ``w`` was quantized with. Both or none.

Returns:
    ``[..., M, N]`` or ``[N]``, of the dtype of ``x``.

Raises:
    ValueError: shapes, dtypes or parameters do not fit together.

Example:
    >>> import nybble.core as mx
    >>> mx.qqmm(mx.ones((2, 32)), *mx.quantize(mx.ones((3, 32)), mode="mxfp8"), mode="mxfp8")[0, 0]
    array(32, dtype=float32)
)doc");
}

void init_precision(py::module_& m) {
  m.def("set_matmul_precision", &set_matmul_precision, "precision"_a, R"doc(
Sets how exact quantized products are in this process.

- ``"highest"``: as exact as float32 sums, ``2**-20 * sum(abs(x * w))`` for float32 and
  ``2**-15 * sum(abs(x * w))`` for float16 and bfloat16. The default.
- ``"medium"``: x is rounded to 8 bits in every group, which is faster and off by up to
  ``2**-6 * sum(max(abs(x)) * sum(abs(w)))`` over the groups.

Returns:
    The one it was before.

Raises:
    ValueError: there is no such precision.

Example:
    >>> import nybble.core as mx
    >>> mx.set_matmul_precision("medium")
    'highest'
    >>> mx.set_matmul_precision("highest")
    'medium'
)doc");
  m.def("get_matmul_precision", &get_matmul_precision, R"doc(
How exact quantized products are in this process: ``"highest"`` or ``"medium"``.

Example:
    >>> import nybble.core as mx
    >>> mx.get_matmul_precision()
    'highest'
)doc");
}

}  // namespace

void init_quantized(py::module_& m) {
  init_precision(m);
  init_quantize(m);
  init_use(m);
  QuickCall<QuickQuantizedMatmul>::install(m);
  init_gather_qmm(m);
  init_qqmm(m);
}

}  // namespace nybble::python
