#pragma once

// Inside ops: attention once shapes and dtypes are known.

#include <cstddef>
#include <limits>

#include "nybble/base/dtype.h"

namespace nybble {

/// The heads of q, k or v: a matrix for each (batch, head).
template <class W>
struct AttentionHeads {
  const W* data;
  ptrdiff_t batch_stride;
  ptrdiff_t head_stride;
  ptrdiff_t row_stride;
  ptrdiff_t column_stride;

  const W* at(size_t batch, size_t head) const {
    return data + static_cast<ptrdiff_t>(batch) * batch_stride +
           static_cast<ptrdiff_t>(head) * head_stride;
  }
};

/// A mask as [B, H, L, S]; strides are 0 where it is repeated.
struct AttentionMaskView {
  const void* data;
  ptrdiff_t batch_stride;
  ptrdiff_t head_stride;
  ptrdiff_t row_stride;
  ptrdiff_t key_stride;
};

/// All there is to do. The queries of the heads that share a head of k and v are its rows:
/// row r of kv_head is query r % queries of head kv_head * group() + r / queries.
template <class W>
struct AttentionWork {
  using T = Arithmetic<W>;

  size_t batch;
  size_t heads;
  size_t kv_heads;
  size_t queries;
  size_t keys;
  size_t depth;
  size_t v_depth;
  AttentionHeads<W> q;
  AttentionHeads<W> k;  // columns of k and v are adjacent
  AttentionHeads<W> v;
  T scale;  // times log2(e)
  bool causal;
  bool flags;              // the mask is of bool, else of W
  AttentionMaskView mask;  // data is nullptr if there is none
  const W* sinks;          // [heads], or nullptr
  W* out;                  // dense

  size_t group() const { return heads / kv_heads; }
  size_t rows() const { return group() * queries; }
  const W* q_row(size_t b, size_t kv_head, size_t row) const {
    return q.at(b, kv_head * group() + row / queries) +
           static_cast<ptrdiff_t>(row % queries) * q.row_stride;
  }
  W* out_row(size_t b, size_t kv_head, size_t row) const {
    return out + ((b * heads + kv_head * group()) * queries + row) * v_depth;
  }
  /// The sink of a row in base 2.
  T sink(size_t kv_head, size_t row) const {
    constexpr double kLog2E = 1.44269504088896340736;
    return static_cast<T>(sinks[kv_head * group() + row / queries]) * static_cast<T>(kLog2E);
  }
  /// How many keys a row sees under a causal mask.
  size_t causal_keys(size_t row) const {
    const size_t seen = row % queries + keys + 1;
    return seen > queries ? seen - queries : 0;
  }
};

/// What a run of keys means to some rows.
enum class AttentionRun { kOpen, kHidden, kMixed };

/// Rows first..first+rows-1 of one head of k and v, keys key..key+keys-1.
struct AttentionBlock {
  size_t batch;
  size_t kv_head;
  size_t row;
  size_t rows;
  size_t key;
  size_t keys;
};

/// What mask there is on a block, causal or given; kMixed if it would take long to find out.
template <class W>
AttentionRun classify(const AttentionWork<W>& work, const AttentionBlock& block);

/// bias[j * lanes + i] = what is added to the score of row i and key j; the lowest finite number if
/// it is masked, 0 for i >= rows.
template <class W>
void fill_bias(const AttentionWork<W>& work, const AttentionBlock& block, size_t lanes,
               Arithmetic<W>* bias);

/// The most rows for which k and v are read in place. (32 heads of 128 on 2048 keys of 8 heads in
/// float16: 1.1 ms for 16 rows; 2.8 ms by tiles, for 20 as for 32; Zen 3, 2 threads.)
inline constexpr size_t kAttentionFewRows = 32;

/// Few rows; W is float, float16 or bfloat16.
template <class W>
void attend_few(const AttentionWork<W>& work);

/// True if the rows of q that share keys have one stride, or so have those of each vector.
template <class W>
bool rows_lie_evenly(const AttentionWork<W>& work);

/// Any number of rows that lie evenly; W may be double, too.
template <class W>
void attend_tiles(const AttentionWork<W>& work);

}  // namespace nybble
