#pragma once

// Inside random: keys, and the stream of random words that all distributions are made of.

#include <algorithm>
#include <optional>
#include <string_view>

#include "nybble/array/array.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/random/threefry.h"

namespace nybble::random {

using kernels::ThreefryKey;

/// The words of the given key array, or of a new key of this thread.
ThreefryKey take_key(std::string_view op, const std::optional<array>& key);

/// ValueError if a length is negative.
void check_shape(std::string_view op, const Shape& shape);

/// Time for one word on one thread (AVX2 machine, SSE2 code), to decide on the split.
inline constexpr double kWordNanoseconds = 4;

/// The first n words of a key's stream: use(first, count, words) is called, from several threads,
/// with blocks that together cover 0..n-1 once.
///
/// With h = n / 2, word i < h and word n - h + i are the two results of counter (i, n - h + i); for
/// odd n, word h is the first result of counter (h, 0). So the words depend on n, as they do in
/// MLX.
template <class Use>
void for_words(const ThreefryKey& key, int64_t n, double use_nanoseconds, Use&& use) {
  constexpr int64_t kBlock = 256;
  const int64_t pairs = n / 2;
  const int64_t second_half = n - pairs;
  const double pair_ns = 2 * (kWordNanoseconds + use_nanoseconds);
  parallel_ranges(pairs, pair_ns, [&](int64_t range_first, int64_t range_last) {
    uint32_t words[2][kBlock];
    for (int64_t first = range_first; first < range_last; first += kBlock) {
      const int64_t count = std::min(kBlock, range_last - first);
      kernels::threefry_pairs(key, static_cast<uint32_t>(first),
                              static_cast<uint32_t>(first + second_half),
                              static_cast<size_t>(count), words[0], words[1]);
      use(first, count, static_cast<const uint32_t*>(words[0]));
      use(first + second_half, count, static_cast<const uint32_t*>(words[1]));
    }
  });
  if (n % 2 != 0) {
    uint32_t middle[2] = {static_cast<uint32_t>(pairs), 0};
    kernels::threefry2x32(key, middle[0], middle[1]);
    use(pairs, int64_t{1}, static_cast<const uint32_t*>(middle));
  }
}

}  // namespace nybble::random
