#pragma once

// Which instruction set the kernels use. They are compiled for all of them; the best one that the
// CPU has is used, or the one that the environment variable NYBBLE_SIMD names.
//
// Names: scalar, ssse3, sse4, avx2, avx512, avx512_vnni, avx512_bf16 (newer releases of Highway add
// sse2) on x86; scalar and neon on Arm. "scalar" is Highway's portable target, HWY_SCALAR or
// HWY_EMU128 by compiler; the build asks for it with HWY_COMPILE_ALL_ATTAINABLE.

#include <string_view>
#include <vector>

namespace nybble {

/// The instruction sets that this build has and this CPU can run, best first; the last is "scalar".
std::vector<std::string_view> supported_simd_targets();

/// The one in use.
std::string_view simd_target_name();

/// Uses the instruction set that NYBBLE_SIMD names; the best if it is unset or empty. Called once,
/// at start. Throws std::invalid_argument if it is unknown or not supported here.
void select_simd_target();

/// Uses this instruction set from now on; "" is the best. Kernels that are running go on as they
/// are. Throws std::invalid_argument if it is unknown or not supported here.
void set_simd_target(std::string_view name);

}  // namespace nybble
