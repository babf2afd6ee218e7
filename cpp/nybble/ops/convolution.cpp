#include "nybble/ops/convolution.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "nybble/ops/convolution_windows.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/indexing.h"
#include "nybble/ops/op.h"
#include "nybble/ops/shape.h"

namespace nybble {
namespace {

void check_channels(std::string_view op, const array& input, const array& weight, int64_t groups) {
  const int64_t channels = input.shape(-1);
  if (groups < 1) fail(op, "got groups=", groups, ", expected at least 1.");
  if (channels % groups != 0) {
    fail(op, "the ", channels, " channels of the input of shape ", input.shape(),
         " cannot be split into groups=", groups, ".");
  }
  if (weight.shape(0) % groups != 0) {
    fail(op, "the ", weight.shape(0), " outputs of the weight of shape ", weight.shape(),
         " cannot be split into groups=", groups, ".");
  }
  if (channels != groups * weight.shape(-1)) {
    fail(op, "the input of shape ", input.shape(), " has ", channels,
         " channels, the weight of shape ", weight.shape(), " takes ", weight.shape(-1),
         " in each of groups=", groups, ". Expected ", groups * weight.shape(-1),
         " channels last in the input.");
  }
}

void check_operands(std::string_view op, size_t spatial, const array& input, const array& weight,
                    int64_t groups) {
  if (!is_floating(input.dtype())) {
    fail(op, "the input has dtype ", input.dtype(), ", expected a floating one.");
  }
  if (!is_floating(promote(input.dtype(), weight.dtype()))) {
    fail(op, "the weight has dtype ", weight.dtype(), ", expected a floating one.");
  }
  for (const auto& [name, x] : {std::pair{"input", &input}, {"weight", &weight}}) {
    if (x->ndim() != spatial + 2) {
      fail(op, "the ", name, " has shape ", x->shape(), ", expected ", spatial + 2,
           " dimensions with the channels last: ", spatial, " spatial axes in the middle.");
    }
  }
  check_channels(op, input, weight, groups);
}

/// One value for each spatial axis.
Dims for_axes(std::string_view op, std::string_view name, const Dims& values, size_t spatial,
              int64_t least) {
  if (values.size() > 1 && values.size() != spatial) {
    fail(op, name, " has ", values.size(), " values ", values,
         ", expected one, or one for each of ", spatial, " spatial axes.");
  }
  const Dims result =
      values.size() == spatial
          ? values
          : Dims::filled(spatial, values.empty() ? std::max(least, int64_t{0}) : values[0]);
  for (const int64_t value : result) {
    // Sizes stay far below 2^63 in all that follows.
    if (value < least || value > INT32_MAX || value < INT32_MIN) {
      fail(op, name, " is ", values, ", expected numbers ",
           least == INT32_MIN ? "that fit 32 bits." : "of at least 1.");
    }
  }
  return result;
}

/// Cuts off the input what negative padding says.
array cut(const array& input, Dims& low, Dims& high) {
  Shape shape = input.shape();
  int64_t offset = 0;
  for (size_t i = 0; i < low.size(); ++i) {
    const int64_t front = std::min(std::max(-low[i], int64_t{0}), shape[i + 1]);
    const int64_t back = std::max(-high[i], int64_t{0});
    offset += front * input.strides()[i + 1];
    shape[i + 1] = std::max(shape[i + 1] - front - back, int64_t{0});
    low[i] = std::max(low[i], int64_t{0});
    high[i] = std::max(high[i], int64_t{0});
  }
  if (shape == input.shape()) return input;
  return input.view(shape, input.strides(), element_count(shape) == 0 ? 0 : offset);
}

int64_t dilated(int64_t length, int64_t dilation) {
  return length == 0 ? 0 : (length - 1) * dilation + 1;
}

/// Checked steps, one number for each axis.
ConvolutionSteps complete(std::string_view op, size_t spatial, const ConvolutionSteps& steps) {
  return {for_axes(op, "stride", steps.stride, spatial, 1),
          for_axes(op, "padding", steps.padding_low, spatial, INT32_MIN),
          for_axes(op, "padding", steps.padding_high, spatial, INT32_MIN),
          for_axes(op, "kernel_dilation", steps.kernel_dilation, spatial, 1),
          for_axes(op, "input_dilation", steps.input_dilation, spatial, 1),
          steps.groups,
          steps.flip};
}

/// Of complete steps; negative padding cuts the input after it is dilated.
array run(std::string_view op, const array& given, const array& weight,
          const ConvolutionSteps& steps) {
  const Dtype dtype = promote(given.dtype(), weight.dtype());
  const array input = astype(given, dtype);
  Shape shape{input.shape(0)};
  std::vector<ConvolutionAxis> axes;
  for (size_t i = 0; i < steps.stride.size(); ++i) {
    const int64_t length = input.shape()[i + 1];
    const int64_t kernel = weight.shape()[i + 1];
    const int64_t low = steps.padding_low[i];
    const int64_t room = dilated(length, steps.input_dilation[i]) + low + steps.padding_high[i] -
                         dilated(kernel, steps.kernel_dilation[i]);
    if (room < 0 || kernel == 0) {
      fail(op, "spatial axis ", i, ": the kernel reaches over ",
           dilated(kernel, steps.kernel_dilation[i]), " positions, the padded input has ",
           room + dilated(kernel, steps.kernel_dilation[i]), ". Input of shape ", given.shape(),
           ", weight of shape ", weight.shape(), "; expected a larger input or more padding.");
    }
    shape.push_back(room / steps.stride[i] + 1);
    axes.push_back({length, kernel, shape.back(), steps.stride[i], low, steps.kernel_dilation[i],
                    steps.input_dilation[i]});
  }
  shape.push_back(weight.shape(0));
  element_count(shape);
  array out(shape, dtype);
  run_convolution(input, astype(weight, dtype).contiguous(), out, axes, steps.groups, steps.flip);
  return out;
}

/// The one entry point of all convolutions.
template <class Compute>
array apply_convolution(std::string_view op, const array& input, const array& weight,
                        const ConvolutionSteps& steps, Compute&& compute) {
  return apply_op({op,
                   {&input, &weight},
                   {{"stride", steps.stride},
                    {"padding_low", steps.padding_low},
                    {"padding_high", steps.padding_high},
                    {"kernel_dilation", steps.kernel_dilation},
                    {"input_dilation", steps.input_dilation},
                    {"groups", steps.groups},
                    {"flip", steps.flip}}},
                  std::forward<Compute>(compute));
}

}  // namespace

array convolution(std::string_view op, size_t spatial, const array& input, const array& weight,
                  const ConvolutionSteps& steps) {
  return apply_convolution(op, input, weight, steps, [&] {
    check_operands(op, spatial, input, weight, steps.groups);
    ConvolutionSteps full = complete(op, spatial, steps);
    const array rest = cut(input, full.padding_low, full.padding_high);
    return run(op, rest, weight, full);
  });
}

array conv_general(const array& input, const array& weight, const ConvolutionSteps& steps) {
  constexpr std::string_view kOp = "conv_general";
  if (input.ndim() < 3 || input.ndim() > 5) {
    fail(kOp, "the input has shape ", input.shape(),
         ", expected [N, spatial..., channels] with 1 to 3 spatial axes.");
  }
  return convolution(kOp, input.ndim() - 2, input, weight, steps);
}

array transposed_convolution(std::string_view op, size_t spatial, const array& input,
                             const array& weight, const TransposedSteps& steps) {
  check_operands(op, spatial, input, weight, steps.groups);
  const Dims stride = for_axes(op, "stride", steps.stride, spatial, 1);
  const Dims dilation = for_axes(op, "dilation", steps.dilation, spatial, 1);
  const Dims padding = for_axes(op, "padding", steps.padding, spatial, INT32_MIN);
  const Dims extra = for_axes(op, "output_padding", steps.output_padding, spatial, INT32_MIN);
  ConvolutionSteps turned;
  turned.stride = Dims::filled(spatial, 1);
  turned.padding_low = {};
  turned.padding_high = {};
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t reach = dilation[i] * (weight.shape()[i + 1] - 1);
    turned.padding_low.push_back(reach - padding[i]);
    turned.padding_high.push_back(reach - padding[i] + extra[i]);
  }
  turned.kernel_dilation = dilation;
  turned.input_dilation = stride;
  turned.groups = steps.groups;
  turned.flip = true;
  return apply_convolution(op, input, weight, turned,
                           [&] { return run(op, input, weight, turned); });
}

array convolve(const array& a, const array& v, std::string_view mode) {
  constexpr std::string_view kOp = "convolve";
  for (const array* x : {&a, &v}) {
    if (x->ndim() != 1 || x->size() == 0) {
      fail(kOp, "an operand has shape ", x->shape(), ", expected a vector that is not empty.");
    }
  }
  const bool swap = a.size() < v.size();
  const array& longer = swap ? v : a;
  const array& shorter = swap ? a : v;
  const int64_t length = shorter.size();
  ConvolutionSteps steps;
  steps.flip = true;
  if (mode == "full") {
    steps.padding_low = steps.padding_high = {length - 1};
  } else if (mode == "same") {
    steps.padding_low = {length / 2};
    steps.padding_high = {length - 1 - length / 2};
  } else if (mode != "valid") {
    fail(kOp, "got mode '", mode, "', expected 'full', 'valid' or 'same'.");
  }
  const array result = convolution(kOp, 1, reshape(longer, {1, longer.size(), 1}),
                                   reshape(shorter, {1, length, 1}), steps);
  return reshape(result, {result.size()});
}

}  // namespace nybble
