#pragma once

// Quantized weights: packed codes with a scale and, in mode "affine", a bias for every group of
// neighbours in a row.
//
// Formats and defaults are the table in quant/format.h: mode "affine" has bits 1, 2, 3, 4, 5, 6, 8
// and groups of 32, 64, 128 weights; std::nullopt means groups of 64 and 4 bits. What `fit` means
// is described in quant/group_fit.h. Modes "mxfp4", "mxfp8" and "nvfp4" (quant/float_group.h) have
// one size and one way to choose scales, which are uint8, and no biases.

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/array/array.h"

namespace nybble {

/// Quantizes the rows of w: w[..., k] is about scales[..., g] * code[..., k] + biases[..., g] with
/// g = k / group_size.
///   w [..., N, K] float16, bfloat16 or float32, any strides
///   returns {codes [..., N, K * bits / 32] uint32,
///            scales [..., N, K / group_size] of w's dtype,
///            biases [..., N, K / group_size] of w's dtype}; in modes without biases two arrays,
///            with uint8 scales
/// global_scale: one float32, in mode "nvfp4" only. fit, in mode "affine" only, is "minmax", "mlx"
/// or "mse"; std::nullopt means default_fit(). importance [K], real, finite and not negative, is
/// how much the error of each column counts; only fit "mse" takes it. NaN and infinities in w never
/// are an error; see quant/group_fit.h and quant/float_group.h for what becomes of them. The
/// results are deferred while w is. Throws std::invalid_argument if w is not such an array or has
/// fewer than 2 dimensions, if K is not a multiple of the group size, for a format or fit that does
/// not exist, for a global_scale, fit or importance where the mode or fit has none, and for
/// importance of another shape or with other values.
///
///   const std::vector<array> parts = quantize(w, 64, 4);
///   const array y = quantized_matmul(x, parts[0], parts[1], parts[2]);
std::vector<array> quantize(const array& w, std::optional<int> group_size = std::nullopt,
                            std::optional<int> bits = std::nullopt,
                            std::string_view mode = "affine",
                            const std::optional<array>& global_scale = std::nullopt,
                            std::optional<std::string_view> fit = std::nullopt,
                            const std::optional<array>& importance = std::nullopt);

/// The weights that the codes stand for.
///   w [..., N, K * bits / 32] uint32
///   scales, biases [..., N, K / group_size] float16, bfloat16 or float32; or uint8 and none
///   global_scale: as given to quantize
///   returns [..., N, K] of `dtype`, which is promote(scales, biases) unless given, bfloat16 where
///   there are no biases
/// scale * code + bias is rounded once to float32 (as is a scale times the factor of global_scale);
/// for another dtype that float32 is rounded again.
/// Throws std::invalid_argument if dtypes or shapes do not fit together, the format does not exist,
/// or dtype is not floating.
array dequantize(const array& w, const array& scales,
                 const std::optional<array>& biases = std::nullopt,
                 std::optional<int> group_size = std::nullopt,
                 std::optional<int> bits = std::nullopt, std::string_view mode = "affine",
                 const std::optional<array>& global_scale = std::nullopt,
                 std::optional<Dtype> dtype = std::nullopt);

/// y = x . dequantize(w)^T, computed on the packed words; if not transpose, y = x . dequantize(w).
///   x [..., M, K] or [K], real, any strides
///   w [..., N, K * bits / 32] uint32; if not transpose [..., K, N * bits / 32]
///   scales, biases [..., N, K / group_size] float16, bfloat16 or float32; if not transpose
///   [..., K, N / group_size]
///   (uint8 and none in modes without biases)
///   returns [..., M, N] or [N]; dtype promote(x, promote(scales, biases)), or x's without biases
/// A w with more than 2 dimensions is a batch of matrices; it is broadcast against the leading
/// dimensions of x, of which there must be some, too. For every output the error, before it is
/// rounded to its dtype, is at most 2^-20 * sum_k |x_k * w_k| if it is float32, and 2^-15 * sum_k
/// |x_k * w_k| if it has 16 bits. NaN and infinities in a row of x reach the outputs of that row
/// only. Throws std::invalid_argument if dtypes or shapes do not fit together or the format does
/// not exist.
array quantized_matmul(const array& x, const array& w, const array& scales,
                       const std::optional<array>& biases = std::nullopt, bool transpose = true,
                       std::optional<int> group_size = std::nullopt,
                       std::optional<int> bits = std::nullopt, std::string_view mode = "affine");

/// The group size and bits that a mode has by default, in this order.
/// Throws std::invalid_argument that lists the modes if there is none of this name.
std::pair<int, int> quantization_defaults(std::string_view mode);

/// The fit that quantize uses unless told otherwise: "minmax" until it is set, for the whole
/// process.
std::string_view default_fit();
/// Sets it and returns the old one; std::invalid_argument if there is no such fit.
std::string_view set_default_fit(std::string_view fit);

}  // namespace nybble
