// Masks of attention: what a block of them hides, and their values in the order of scores.

#include <algorithm>
#include <array>
#include <cstring>

#include "nybble/kernels/dense/dense.h"
#include "nybble/ops/attention_work.h"

namespace nybble {
namespace {

/// The mask of a block's row.
template <class W, class M>
const M* mask_row(const AttentionWork<W>& work, const AttentionBlock& block, size_t row) {
  const AttentionMaskView& mask = work.mask;
  const size_t head = block.kv_head * work.group() + row / work.queries;
  return static_cast<const M*>(mask.data) +
         static_cast<ptrdiff_t>(block.batch) * mask.batch_stride +
         static_cast<ptrdiff_t>(head) * mask.head_stride +
         static_cast<ptrdiff_t>(row % work.queries) * mask.row_stride +
         static_cast<ptrdiff_t>(block.key) * mask.key_stride;
}

/// What one row of flags does to n keys.
AttentionRun classify_flags(const bool* flags, size_t n) {
  if (std::memchr(flags, 0, n) == nullptr) return AttentionRun::kOpen;
  const bool same = n == 1 || std::memcmp(flags, flags + 1, n - 1) == 0;
  return same ? AttentionRun::kHidden : AttentionRun::kMixed;
}

/// The same for all, kMixed unless they agree.
class Verdict {
 public:
  void add(AttentionRun run) {
    run_ = first_ || run == run_ ? run : AttentionRun::kMixed;
    first_ = false;
  }
  bool mixed() const { return run_ == AttentionRun::kMixed; }
  AttentionRun run() const { return run_; }

 private:
  bool first_ = true;
  AttentionRun run_ = AttentionRun::kOpen;
};

template <class W>
AttentionRun classify_causal(const AttentionWork<W>& work, const AttentionBlock& block) {
  Verdict verdict;
  for (size_t row = block.row; row < block.row + block.rows && !verdict.mixed(); ++row) {
    const size_t seen = work.causal_keys(row);
    verdict.add(seen >= block.key + block.keys ? AttentionRun::kOpen
                : seen <= block.key            ? AttentionRun::kHidden
                                               : AttentionRun::kMixed);
  }
  return verdict.run();
}

template <class W>
AttentionRun classify_mask(const AttentionWork<W>& work, const AttentionBlock& block) {
  const ptrdiff_t stride = work.mask.key_stride;
  if (!work.flags || (stride != 1 && stride != 0)) return AttentionRun::kMixed;
  Verdict verdict;
  const bool* before = nullptr;
  for (size_t row = block.row; row < block.row + block.rows && !verdict.mixed(); ++row) {
    const bool* flags = mask_row<W, bool>(work, block, row);
    if (flags != before) verdict.add(classify_flags(flags, stride == 0 ? 1 : block.keys));
    before = flags;
  }
  return verdict.run();
}

/// Additive masks whose rows lie evenly, through the kernel that packs operands of products.
template <class W>
bool pack_bias(const AttentionWork<W>& work, const AttentionBlock& block, size_t lanes,
               Arithmetic<W>* bias) {
  const W* first = mask_row<W, W>(work, block, block.row);
  ptrdiff_t stride = 0;
  for (size_t i = 1; i < block.rows; ++i) {
    const ptrdiff_t distance = mask_row<W, W>(work, block, block.row + i) - first;
    if (i == 1) stride = distance;
    if (distance != static_cast<ptrdiff_t>(i) * stride) return false;
  }
  dense_kernels<W>().pack({first, stride, work.mask.key_stride, block.rows, block.keys}, lanes,
                          bias);
  return true;
}

}  // namespace

template <class W>
AttentionRun classify(const AttentionWork<W>& work, const AttentionBlock& block) {
  const AttentionRun causal = work.causal ? classify_causal(work, block) : AttentionRun::kOpen;
  if (work.mask.data == nullptr || causal == AttentionRun::kHidden) return causal;
  return classify_mask(work, block);
}

template <class W>
void fill_bias(const AttentionWork<W>& work, const AttentionBlock& block, size_t lanes,
               Arithmetic<W>* bias) {
  using T = Arithmetic<W>;
  constexpr T kMasked = std::numeric_limits<T>::lowest();
  constexpr std::array<T, 2> kByFlag{kMasked, T(0)};  // a branch would be guessed wrong
  const ptrdiff_t stride = work.mask.key_stride;
  const bool packed =
      work.mask.data != nullptr && !work.flags && pack_bias(work, block, lanes, bias);
  if (!packed && (!work.flags || block.rows < lanes))
    std::fill(bias, bias + block.keys * lanes, T(0));
  for (size_t i = 0; i < block.rows; ++i) {
    T* to = bias + i;
    if (work.flags) {
      const bool* flags = mask_row<W, bool>(work, block, block.row + i);
      for (size_t j = 0; j < block.keys; ++j) {
        to[j * lanes] = kByFlag[flags[static_cast<ptrdiff_t>(j) * stride] ? 1 : 0];
      }
    } else if (work.mask.data != nullptr && !packed) {
      const W* values = mask_row<W, W>(work, block, block.row + i);
      for (size_t j = 0; j < block.keys; ++j) {
        to[j * lanes] = static_cast<T>(values[static_cast<ptrdiff_t>(j) * stride]);
      }
    }
    if (!work.causal) continue;
    const size_t seen = work.causal_keys(block.row + i);
    for (size_t j = std::max(seen, block.key) - block.key; j < block.keys; ++j) {
      to[j * lanes] = kMasked;
    }
  }
}

template AttentionRun classify(const AttentionWork<float>&, const AttentionBlock&);
template AttentionRun classify(const AttentionWork<double>&, const AttentionBlock&);
template AttentionRun classify(const AttentionWork<float16>&, const AttentionBlock&);
template AttentionRun classify(const AttentionWork<bfloat16>&, const AttentionBlock&);
template void fill_bias(const AttentionWork<float>&, const AttentionBlock&, size_t, float*);
template void fill_bias(const AttentionWork<double>&, const AttentionBlock&, size_t, double*);
template void fill_bias(const AttentionWork<float16>&, const AttentionBlock&, size_t, float*);
template void fill_bias(const AttentionWork<bfloat16>&, const AttentionBlock&, size_t, float*);

}  // namespace nybble
