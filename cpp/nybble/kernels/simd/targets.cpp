#include "nybble/kernels/simd/targets.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "hwy/highway.h"
#include "nybble/base/error.h"

namespace nybble {
namespace {

struct Target {
  std::string_view name;
  int64_t bits;  // of Highway, which takes the best of several; 0 if this release or CPU has none
};

// Highway numbers its targets for all architectures; those of newer releases are guarded.
constexpr int64_t kAvx512Bf16 = 0
#ifdef HWY_AVX3_ZEN4
                                | HWY_AVX3_ZEN4
#endif
#ifdef HWY_AVX3_SPR
                                | HWY_AVX3_SPR
#endif
#ifdef HWY_AVX10_2
                                | HWY_AVX10_2
#endif
    ;
constexpr int64_t kSse2 = 0
#ifdef HWY_SSE2
                          | HWY_SSE2
#endif
    ;
#ifdef HWY_ALL_NEON
constexpr int64_t kNeon = HWY_ALL_NEON;
#else
constexpr int64_t kNeon = HWY_NEON;
#endif

constexpr Target kTargets[] = {
    // Best first.
    {"avx512_bf16", kAvx512Bf16},
    {"avx512_vnni", HWY_AVX3_DL},
    {"avx512", HWY_AVX3},
    {"avx2", HWY_AVX2},
    {"sse4", HWY_SSE4},
    {"ssse3", HWY_SSSE3},
    {"sse2", kSse2},
    {"neon", kNeon},
    // Which of the two is compiled depends on the compiler.
    {"scalar", HWY_SCALAR | HWY_EMU128},
};

/// What the CPU has, of what is compiled. Asked for once, before anything is disabled.
int64_t available_bits() {
  static const int64_t bits = (hwy::SupportedTargets() & HWY_TARGETS) | HWY_SCALAR | HWY_EMU128;
  return bits;
}

std::string supported_names() {
  std::string names;
  for (const std::string_view name : supported_simd_targets()) {
    names.append(names.empty() ? "" : ", ").append(name);
  }
  return names;
}

[[noreturn]] void fail_unusable(std::string_view name, std::string_view why) {
  fail("NYBBLE_SIMD", "instruction set \"", name, "\" is ", why, ". Expected one of ",
       supported_names(), ".");
}

}  // namespace

std::vector<std::string_view> supported_simd_targets() {
  std::vector<std::string_view> names;
  for (const Target& target : kTargets) {
    if ((target.bits & available_bits()) != 0) names.push_back(target.name);
  }
  return names;
}

std::string_view simd_target_name() {
  const int64_t bits = available_bits() & hwy::SupportedTargets();
  for (const Target& target : kTargets) {
    if ((target.bits & bits) != 0) return target.name;
  }
  return "scalar";
}

void set_simd_target(std::string_view name) {
  const int64_t available = available_bits();
  if (name.empty()) {
    hwy::DisableTargets(0);
    return;
  }
  for (const Target& target : kTargets) {
    if (target.name != name) continue;
    if ((target.bits & available) == 0) fail_unusable(name, "not supported by this CPU or build");
    hwy::DisableTargets(~target.bits);
    return;
  }
  fail_unusable(name, "unknown");
}

void select_simd_target() {
  const char* name = std::getenv("NYBBLE_SIMD");
  set_simd_target(name == nullptr ? std::string_view() : std::string_view(name));
}

}  // namespace nybble
