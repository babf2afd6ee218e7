#include "nybble/ops/convolution.h"

#include <string>

#include "module.h"

namespace nybble::python {
namespace {

int64_t to_number(std::string_view op, std::string_view name, const py::object& value) {
  const Dims dims = to_axes(op, value).value_or(Dims{});
  const bool sequence = PySequence_Check(value.ptr()) != 0 && !is_array(value);
  if (dims.size() != 1 || sequence)
    fail_type(op, "got a sequence for ", name, ", expected an int.");
  return dims[0];
}

/// An int, or a sequence of `spatial` ints.
Dims to_steps(std::string_view op, std::string_view name, size_t spatial, const py::object& value) {
  if (spatial == 1) return {to_number(op, name, value)};
  const auto dims = to_axes(op, value);
  if (!dims || (dims->size() != spatial && PySequence_Check(value.ptr()) != 0)) {
    fail_type(op, "got ", py::cast<std::string>(py::repr(value)), " for ", name,
              ", expected an int or ", spatial, " of them.");
  }
  return *dims;
}

template <size_t kSpatial>
void def_convolution(py::module_& m, const char* name, const char* doc) {
  m.def(
      name,
      [name](array input, array weight, const py::object& stride, const py::object& padding,
             const py::object& dilation, int64_t groups, StreamArgument) {
        ConvolutionSteps steps;
        steps.stride = to_steps(name, "stride", kSpatial, stride);
        steps.padding_low = steps.padding_high = to_steps(name, "padding", kSpatial, padding);
        steps.kernel_dilation = to_steps(name, "dilation", kSpatial, dilation);
        steps.groups = groups;
        return convolution(name, kSpatial, input, weight, steps);
      },
      "input"_a, "weight"_a, py::pos_only(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "groups"_a = 1, py::kw_only(), kStream, doc);
}

template <size_t kSpatial>
void def_transposed(py::module_& m, const char* name, const char* doc) {
  m.def(
      name,
      [name](array input, array weight, const py::object& stride, const py::object& padding,
             const py::object& dilation, const py::object& output_padding, int64_t groups,
             StreamArgument) {
        const TransposedSteps steps{to_steps(name, "stride", kSpatial, stride),
                                    to_steps(name, "padding", kSpatial, padding),
                                    to_steps(name, "dilation", kSpatial, dilation),
                                    to_steps(name, "output_padding", kSpatial, output_padding),
                                    groups};
        return transposed_convolution(name, kSpatial, input, weight, steps);
      },
      "input"_a, "weight"_a, py::pos_only(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "output_padding"_a = 0, "groups"_a = 1, py::kw_only(), kStream, doc);
}

/// Padding of conv_general: one for both ends, or a pair of lists for the low and the high end.
void set_padding(const py::object& padding, ConvolutionSteps& steps) {
  constexpr std::string_view kOp = "conv_general";
  const bool pair = PySequence_Check(padding.ptr()) != 0 && !is_array(padding) &&
                    py::len(padding) == 2 &&
                    PySequence_Check(py::object(padding[py::int_(0)]).ptr()) != 0;
  const auto read = [&](const py::object& value) {
    const auto dims = to_axes(kOp, value);
    if (!dims) fail_type(kOp, "got None for padding, expected ints.");
    return *dims;
  };
  steps.padding_low = read(pair ? py::object(padding[py::int_(0)]) : padding);
  steps.padding_high = pair ? read(padding[py::int_(1)]) : steps.padding_low;
}

array conv_general_of(array input, array weight, const py::object& stride,
                      const py::object& padding, const py::object& kernel_dilation,
                      const py::object& input_dilation, int64_t groups, bool flip, StreamArgument) {
  const auto read = [](const char* name, const py::object& value) {
    const auto dims = to_axes("conv_general", value);
    if (!dims) fail_type("conv_general", "got None for ", name, ", expected ints.");
    return *dims;
  };
  ConvolutionSteps steps;
  steps.stride = read("stride", stride);
  set_padding(padding, steps);
  steps.kernel_dilation = read("kernel_dilation", kernel_dilation);
  steps.input_dilation = read("input_dilation", input_dilation);
  steps.groups = groups;
  steps.flip = flip;
  return conv_general(input, weight, steps);
}

}  // namespace

void init_convolution(py::module_& m) {
  def_convolution<1>(m, "conv1d", R"doc(
Convolution over one axis, channels last (as in machine learning: the kernel is not flipped).

float16 and bfloat16 are multiplied and summed in float32 and rounded once.

Args:
    input: ``[N, L, C]``, floating.
    weight: ``[M, K, C / groups]``.
    stride: from one position of the kernel to the next.
    padding: zeros at both ends of the input.
    dilation: between the input positions of neighbours in the kernel.
    groups: how many groups of channels are convolved on their own.

Returns:
    array: ``[N, (L + 2 * padding - dilation * (K - 1) - 1) // stride + 1, M]``.

Raises:
    ValueError: dtypes or shapes do not fit, or the kernel is longer than the padded input.

Example:
    >>> import nybble.core as mx
    >>> x = mx.arange(5, dtype=mx.float32).reshape(1, 5, 1)
    >>> mx.conv1d(x, mx.array([[[1.0], [10.0]]])).tolist()
    [[[10.0], [21.0], [32.0], [43.0]]]
)doc");
  def_convolution<2>(m, "conv2d", R"doc(
Convolution over two axes, channels last; see :func:`conv1d`.

Args:
    input: ``[N, H, W, C]``, floating.
    weight: ``[M, KH, KW, C / groups]``.
    stride: an int, or two.
    padding: an int, or two.
    dilation: an int, or two.
    groups: how many groups of channels are convolved on their own.

Returns:
    array: ``[N, H', W', M]``, lengths as for :func:`conv1d`.

Raises:
    ValueError: dtypes or shapes do not fit, or the kernel is longer than the padded input.

Example:
    >>> import nybble.core as mx
    >>> mx.conv2d(mx.ones((1, 4, 4, 3)), mx.ones((8, 3, 3, 3)), padding=1).shape
    (1, 4, 4, 8)
)doc");
  def_convolution<3>(m, "conv3d", R"doc(
Convolution over three axes, channels last; see :func:`conv1d`.

Args:
    input: ``[N, D, H, W, C]``, floating.
    weight: ``[M, KD, KH, KW, C / groups]``.
    stride: an int, or three.
    padding: an int, or three.
    dilation: an int, or three.
    groups: how many groups of channels are convolved on their own.

Returns:
    array: ``[N, D', H', W', M]``, lengths as for :func:`conv1d`.

Raises:
    ValueError: dtypes or shapes do not fit, or the kernel is longer than the padded input.

Example:
    >>> import nybble.core as mx
    >>> mx.conv3d(mx.ones((1, 4, 4, 4, 2)), mx.ones((5, 2, 2, 2, 2)), stride=2).shape
    (1, 2, 2, 2, 5)
)doc");
  def_transposed<1>(m, "conv_transpose1d", R"doc(
Transposed convolution over one axis, channels last: every input position adds the kernel, times
its values, to the output.

Args:
    input: ``[N, L, C]``, floating.
    weight: ``[M, K, C / groups]``.
    stride: between the output positions of neighbours in the input.
    padding: positions cut off at both ends of the output.
    dilation: between the output positions of neighbours in the kernel.
    output_padding: positions added at the end of the output.
    groups: how many groups of channels are convolved on their own.

Returns:
    array: ``[N, (L - 1) * stride - 2 * padding + dilation * (K - 1) + 1 + output_padding, M]``.

Raises:
    ValueError: dtypes or shapes do not fit, or the result would be empty.

Example:
    >>> import nybble.core as mx
    >>> x = mx.array([[[1.0], [2.0]]])
    >>> mx.conv_transpose1d(x, mx.array([[[1.0], [10.0]]]), stride=2).tolist()
    [[[1.0], [10.0], [2.0], [20.0]]]
)doc");
  def_transposed<2>(m, "conv_transpose2d", R"doc(
Transposed convolution over two axes, channels last; see :func:`conv_transpose1d`.

Args:
    input: ``[N, H, W, C]``, floating.
    weight: ``[M, KH, KW, C / groups]``.
    stride: an int, or two.
    padding: an int, or two.
    dilation: an int, or two.
    output_padding: an int, or two.
    groups: how many groups of channels are convolved on their own.

Returns:
    array: ``[N, H', W', M]``, lengths as for :func:`conv_transpose1d`.

Raises:
    ValueError: dtypes or shapes do not fit, or the result would be empty.

Example:
    >>> import nybble.core as mx
    >>> mx.conv_transpose2d(mx.ones((1, 4, 4, 3)), mx.ones((8, 2, 2, 3)), stride=2).shape
    (1, 8, 8, 8)
)doc");
  def_transposed<3>(m, "conv_transpose3d", R"doc(
Transposed convolution over three axes, channels last; see :func:`conv_transpose1d`.

Args:
    input: ``[N, D, H, W, C]``, floating.
    weight: ``[M, KD, KH, KW, C / groups]``.
    stride: an int, or three.
    padding: an int, or three.
    dilation: an int, or three.
    output_padding: an int, or three.
    groups: how many groups of channels are convolved on their own.

Returns:
    array: ``[N, D', H', W', M]``, lengths as for :func:`conv_transpose1d`.

Raises:
    ValueError: dtypes or shapes do not fit, or the result would be empty.

Example:
    >>> import nybble.core as mx
    >>> mx.conv_transpose3d(mx.ones((1, 2, 2, 2, 3)), mx.ones((4, 2, 2, 2, 3))).shape
    (1, 3, 3, 3, 4)
)doc");
  m.def("conv_general", &conv_general_of, "input"_a, "weight"_a, py::pos_only(), "stride"_a = 1,
        "padding"_a = 0, "kernel_dilation"_a = 1, "input_dilation"_a = 1, "groups"_a = 1,
        "flip"_a = false, py::kw_only(), kStream, R"doc(
Convolution over one to three axes, channels last, with everything that can be chosen.

Each choice is one int for all spatial axes, or a sequence of one for each.

Args:
    input: ``[N, ..., C]``, floating.
    weight: ``[M, ..., C / groups]``.
    stride: from one position of the kernel to the next.
    padding: zeros at both ends of the input, or a pair of sequences: of the zeros before, and of
        those behind it. Negative padding cuts the input.
    kernel_dilation: between the input positions of neighbours in the kernel.
    input_dilation: between neighbours of the input, zeros lying in between.
    groups: how many groups of channels are convolved on their own.
    flip: reverse the kernel along its spatial axes.

Returns:
    array: ``[N, ..., M]``.

Raises:
    ValueError: dtypes or shapes do not fit, or the result would be empty.

Example:
    >>> import nybble.core as mx
    >>> x = mx.arange(3, dtype=mx.float32).reshape(1, 3, 1)
    >>> w = mx.array([[[1.0], [10.0]]])
    >>> mx.conv_general(x, w, padding=([1], [0]), flip=True).flatten().tolist()
    [0.0, 1.0, 12.0]
)doc");
  m.def(
      "convolve",
      [](array a, array v, const std::string& mode, StreamArgument) {
        return convolve(a, v, mode);
      },
      "a"_a, "v"_a, py::pos_only(), "mode"_a = "full", py::kw_only(), kStream, R"doc(
The discrete convolution of two vectors; the kernel is the shorter one, flipped.

Args:
    a: a vector, floating.
    v: a vector.
    mode: ``"full"`` gives ``len(a) + len(v) - 1`` elements, ``"same"`` as many as the longer
        vector has, ``"valid"`` those for which the vectors overlap wholly.

Raises:
    ValueError: an operand is no vector or empty, or another mode.

Example:
    >>> import nybble.core as mx
    >>> mx.convolve(mx.array([1.0, 2.0, 3.0]), mx.array([1.0, 10.0]))
    array([1, 12, 23, 30], dtype=float32)
)doc");
}

}  // namespace nybble::python
