#pragma once

// What products that quantize both sides share: their checks, and x rounded to a format.

#include <optional>
#include <string_view>

#include "nybble/array/array.h"
#include "nybble/quant/float_group.h"
#include "nybble/quant/format.h"

namespace nybble {

/// One float32 each, both or none, in modes that have them.
struct GlobalScales {
  const std::optional<array>& x;
  const std::optional<array>& w;
};

/// The format, one without biases. Throws std::invalid_argument that names `op`.
Quantization operand_format(std::string_view op, std::string_view mode, std::optional<int> bits,
                            std::optional<int> group_size);

/// Throws std::invalid_argument unless the global scales are as GlobalScales says.
void check_global_scales(std::string_view op, const GlobalScales& scales,
                         const QuantFormat& format);

/// Throws std::invalid_argument unless the dtype is float16, bfloat16 or float32.
void check_operand(std::string_view op, std::string_view name, const array& a);

/// The factors of a global scale; those of none without one.
GlobalScale global_factors(const std::optional<array>& scale);

/// x as dense float32, every group rounded to what the format can represent.
array rounded_operand(const array& x, const Quantization& quantization, GlobalScale global);

}  // namespace nybble
