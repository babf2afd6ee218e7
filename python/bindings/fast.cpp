#include "nybble/ops/fast.h"

#include "module.h"
#include "quick_call.h"

namespace nybble::python {
namespace {

using fast::AttentionMask;
using fast::Rope;

/// None, "causal" or an array.
AttentionMask to_mask(const py::object& value) {
  constexpr std::string_view op = "scaled_dot_product_attention";
  if (value.is_none()) return {};
  if (is_array(value)) return {.causal = false, .mask = get_array(value)};
  if (!py::isinstance<py::str>(value)) {
    fail_type(op, "mask is of type ", type_name(value), "; expected None, \"causal\" or an array.");
  }
  const auto name = value.cast<std::string>();
  if (name != "causal") {
    fail(op, "mask is \"", name, "\"; expected None, \"causal\" or an array.");
  }
  return {.causal = true, .mask = std::nullopt};
}

/// A number or an array.
array to_offset(const py::object& value) {
  if (value.is_none()) fail_type("rope", "offset is None; expected an int or an array.");
  if (!is_array(value) && !is_weak(value)) {
    fail("rope", "offset is of type ", type_name(value), "; expected an int or an integer array.");
  }
  return to_array("rope", value);
}

struct QuickRmsNorm {
  static constexpr const char* kName = "rms_norm";
  static constexpr std::array<const char*, 3> kParameters{"x", "weight", "eps"};
  static constexpr size_t kRequired = 3;
  static constexpr size_t kPositional = kParameters.size();

  static std::optional<array> call(const Arguments<3>& arguments) {
    const array* x;
    std::optional<array> weight;
    double eps = 0.0;
    if (!take_all(arguments, x, weight, eps)) return std::nullopt;
    return fast::rms_norm(*x, weight, eps);
  }
};

struct QuickAttention {
  static constexpr const char* kName = "scaled_dot_product_attention";
  static constexpr std::array<const char*, 6> kParameters{"q", "k", "v", "scale", "mask", "sinks"};
  static constexpr size_t kRequired = 4;
  static constexpr size_t kPositional = 3;

  static std::optional<array> call(const Arguments<6>& arguments) {
    const array *q, *k, *v;
    double scale = 0.0;
    PyObject* mask = Py_None;
    std::optional<array> sinks;
    if (!take_all(arguments, q, k, v, scale, mask, sinks)) return std::nullopt;
    return fast::scaled_dot_product_attention(
        *q, *k, *v, scale, to_mask(py::reinterpret_borrow<py::object>(mask)), sinks);
  }
};

struct QuickRope {
  static constexpr const char* kName = "rope";
  static constexpr std::array<const char*, 7> kParameters{"a",     "dims",   "traditional", "base",
                                                          "scale", "offset", "freqs"};
  static constexpr size_t kRequired = 6;
  static constexpr size_t kPositional = 2;

  static std::optional<array> call(const Arguments<7>& arguments) {
    const array* a;
    int dims = 0;
    int offset = 0;
    bool traditional = false;
    double base = 0.0;
    double scale = 0.0;
    std::optional<array> freqs;
    if (!take_all(arguments, a, dims, traditional, base, scale, offset, freqs)) {
      return std::nullopt;
    }
    const Rope rope{dims, traditional, base, scale, std::move(freqs)};
    return fast::rope(*a, rope, array::scalar(int64_t{offset}, Dtype::kInt32));
  }
};

}  // namespace

void init_fast(py::module_& m) {
  py::module_ fast =
      m.def_submodule("fast", "Operations of neural networks in one pass over memory.");
  fast.def(
      "rms_norm",
      [](array x, std::optional<array> weight, double eps, StreamArgument) {
        return fast::rms_norm(x, weight, eps);
      },
      "x"_a, "weight"_a.none(true), "eps"_a, py::kw_only(), kStream, R"doc(
``x / sqrt(mean(x * x) + eps) * weight`` over the last axis.

Args:
    x: ``[..., D]``. The mean is computed in float32 or better.
    weight: ``[D]``, or None for 1.
    eps: added to the mean.

Returns:
    array: ``[..., D]``, of the dtype to which ``x`` and ``weight`` promote.

Raises:
    ValueError: ``x`` is 0-d, ``weight`` does not fit, or the dtype is not floating.

Example:
    >>> import nybble.core as mx
    >>> mx.fast.rms_norm(mx.array([3.0, 4.0]), None, 0.0)
    array([0.848528, 1.13137], dtype=float32)
)doc");
  fast.def(
      "layer_norm",
      [](array x, std::optional<array> weight, std::optional<array> bias, double eps,
         StreamArgument) { return fast::layer_norm(x, weight, bias, eps); },
      "x"_a, "weight"_a.none(true), "bias"_a.none(true), "eps"_a, py::kw_only(), kStream, R"doc(
``(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`` over the last axis.

Args:
    x: ``[..., D]``. Mean and variance are computed in float32 or better.
    weight: ``[D]``, or None for 1.
    bias: ``[D]``, or None for 0.
    eps: added to the variance.

Returns:
    array: ``[..., D]``, of the dtype to which all given arrays promote, or of ``x`` if ``weight`` is None.

Raises:
    ValueError: ``x`` is 0-d, ``weight`` or ``bias`` does not fit, or the dtype is not floating.

Example:
    >>> import nybble.core as mx
    >>> mx.fast.layer_norm(mx.array([1.0, 3.0]), None, None, 0.0)
    array([-1, 1], dtype=float32)
)doc");
  fast.def(
      "rope",
      [](array a, int64_t dims, bool traditional, std::optional<double> base, double scale,
         py::object offset, std::optional<array> freqs, StreamArgument) {
        const Rope rope{dims, traditional, base, scale, std::move(freqs)};
        return fast::rope(a, rope, to_offset(offset));
      },
      "a"_a, "dims"_a, py::kw_only(), "traditional"_a.noconvert(), "base"_a.none(true), "scale"_a,
      "offset"_a, "freqs"_a = py::none(), kStream, R"doc(
Rotary positions: turns pairs of elements of each row by angles that grow with the row's position.

Pair ``i`` of the row at position ``t`` is turned by ``(offset + t) * scale * base ** (-2 * i / dims)``.

Args:
    a: ``[B, ..., T, D]``, floating.
    dims: how many elements of a row are turned, even; the others stay as they are.
    traditional: pairs are neighbours ``(2 * i, 2 * i + 1)``, else ``(i, i + dims / 2)``.
    base: see above, or None if ``freqs`` is given.
    scale: factor of positions.
    offset: the position of the first row: an int, or an integer array with one for all or for each of
        the ``B`` examples.
    freqs: ``[dims / 2]`` wavelengths that stand for ``base ** (2 * i / dims)``.

Returns:
    array: of the shape and dtype of ``a``. Angles, sines and cosines have the accuracy of
    float32; the rotation is rounded once.

Raises:
    ValueError: shapes or dtypes do not fit, ``dims`` is odd or too large, or not exactly one of ``base``
        and ``freqs`` is given.

Example:
    >>> import nybble.core as mx
    >>> x = mx.array([[[1.0, 0.0], [1.0, 0.0]]])
    >>> mx.fast.rope(x, 2, traditional=True, base=10000.0, scale=1.0, offset=0)
    array([[[1, 0],
            [0.540302, 0.841471]]], dtype=float32)
)doc");
  fast.def(
      "scaled_dot_product_attention",
      [](array q, array k, array v, double scale, py::object mask, std::optional<array> sinks, bool,
         StreamArgument) {
        return fast::scaled_dot_product_attention(q, k, v, scale, to_mask(mask), sinks);
      },
      "q"_a, "k"_a, "v"_a, py::kw_only(), "scale"_a, "mask"_a = py::none(), "sinks"_a = py::none(),
      "force_fused"_a = false, kStream, R"doc(
Attention: ``softmax(scale * q @ k.T + mask) @ v`` for every head.

Args:
    q: queries ``[B, H, L, D]``.
    k: keys ``[B, Hkv, S, D]``; each head serves ``H / Hkv`` heads of ``q``. Slices of a longer cache and
        transposed views are read in place.
    v: values ``[B, Hkv, S, E]``.
    scale: factor of the scores, mostly ``D ** -0.5``.
    mask: None; ``"causal"``, where query ``i`` sees keys up to ``i + S - L``; a bool array that is true
        where keys are seen; or an array that is added to the scores. Arrays broadcast to
        ``[B, H, L, S]``.
    sinks: ``[H]`` or None: one more score for each head, without a value.
    force_fused: accepted for compatibility; all calls are fused here.

Returns:
    array: ``[B, H, L, E]``, of the dtype to which ``q``, ``k`` and ``v`` promote. Scores and sums are
    float32 (float64 for float64). A query that sees no key gets the mean of all values.

Raises:
    ValueError: shapes do not fit, the dtype is not floating, or ``mask`` or ``sinks`` have a dtype that
        does not promote to it.

Example:
    >>> import nybble.core as mx
    >>> q = mx.ones((1, 2, 3, 4))
    >>> k = mx.ones((1, 1, 5, 4))
    >>> v = mx.arange(5.0).reshape(1, 1, 5, 1)
    >>> mx.fast.scaled_dot_product_attention(q, k, v, scale=0.5, mask="causal")[0, 0]
    array([[1],
           [1.5],
           [2]], dtype=float32)
)doc");
  QuickCall<QuickRmsNorm>::install(fast);
  QuickCall<QuickRope>::install(fast);
  QuickCall<QuickAttention>::install(fast);
}

}  // namespace nybble::python
