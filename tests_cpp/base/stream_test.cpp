#include "nybble/base/stream.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace nybble {
namespace {

TEST(Stream, CopiesWhatItIsGivenAndNothingElse) {
  constexpr size_t kGuard = 128;
  std::vector<uint8_t> from(700);
  std::iota(from.begin(), from.end(), uint8_t{1});
  for (const size_t size : {0, 1, 63, 64, 65, 127, 128, 200, 511, 600}) {
    for (size_t offset = 0; offset < 70; ++offset) {
      std::vector<uint8_t> to(kGuard + 70 + 600 + kGuard, uint8_t{0});
      std::vector<uint8_t> expected = to;
      const auto at = static_cast<ptrdiff_t>(kGuard + offset);
      const size_t source = offset % 7;
      stream_bytes(from.data() + source, to.data() + at, size);
      finish_streams();
      std::copy_n(from.begin() + static_cast<ptrdiff_t>(source), size, expected.begin() + at);
      ASSERT_EQ(to, expected) << size << " bytes to offset " << offset;
    }
  }
}

}  // namespace
}  // namespace nybble
