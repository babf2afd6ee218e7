// Attention of a few rows: k and v pass through memory once, whatever the number of rows.
//
// Keys are cut into chunks, by their number alone, which are tasks of their own. A chunk leaves its
// maximum, its sum of weights and its weighted sum of values for each row; these are put together
// in the order of chunks, so that results do not depend on the number of threads.

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "nybble/base/buffer.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/fast/sdpa.h"
#include "nybble/ops/attention_work.h"

namespace nybble {
namespace {

using kernels::kSdpaFewQueries;
using kernels::kSdpaSlack;

// A chunk of 512 keys is 0.3 MB of float16 with heads of 128: long enough for a stream of memory,
// short enough for many threads.
constexpr size_t kMostChunkKeys = 512;
constexpr size_t kLeastChunkKeys = 128;

// Keys that all groups of rows use before the next are read: 32 KiB of floats with heads of 128.
constexpr size_t kRunKeys = 64;

// Time of one element of k or v on one thread, from memory and again for each row.
constexpr double kElementCostNs = 0.025;

// Time of one element of what a chunk leaves.
constexpr double kResultCostNs = 0.2;

size_t chunk_keys(size_t keys) {
  return std::clamp(divide_up(keys, 8 * kRunKeys) * kRunKeys, kLeastChunkKeys, kMostChunkKeys);
}

/// Rows first..first+count-1, computed together as `queries` = 1, 2 or 4; those past count are
/// zero.
struct RowGroup {
  size_t first;
  size_t count;
  size_t queries;
  size_t kernel;  // log2(queries)
};

template <class W>
class FewRows {
 public:
  explicit FewRows(const AttentionWork<W>& work)
      : work_(work),
        heads_(work.batch * work.kv_heads),
        groups_(divide_up(work.rows(), kSdpaFewQueries)),
        chunk_(chunk_keys(work.keys)),
        chunks_(divide_up(work.keys, chunk_)) {
    const size_t padded_rows = groups_ * kSdpaFewQueries;
    scratch_floats_ = groups_ * kSdpaFewQueries * chunk_ * 2 + 2 * kSdpaSlack;
    result_floats_ = padded_rows * (work.v_depth + 2);
    const size_t q_floats = heads_ * padded_rows * work.depth;
    const size_t results = heads_ * chunks_ * result_floats_;
    memory_ = Buffer::allocate((q_floats + results + get_num_threads() * scratch_floats_) *
                               sizeof(float));
    q_ = static_cast<float*>(memory_->data());
    results_ = q_ + q_floats;
    scratch_ = results_ + results;
  }

  void run() {
    for (size_t head = 0; head < heads_; ++head) pack_queries(head);
    const auto elements =
        static_cast<double>(heads_ * work_.keys) * static_cast<double>(work_.depth + work_.v_depth);
    const double cost_ns = elements * kElementCostNs * static_cast<double>(1 + work_.rows());
    parallel_for(heads_ * chunks_, cost_ns, [&](size_t task, size_t worker) {
      attend_chunk(task / chunks_, task % chunks_, scratch_ + worker * scratch_floats_);
    });
    const auto results = static_cast<double>(heads_ * chunks_ * work_.rows());
    parallel_for(heads_, results * kResultCostNs * static_cast<double>(work_.v_depth),
                 [&](size_t head, size_t) {
                   for (size_t row = 0; row < work_.rows(); ++row) combine(head, row);
                 });
  }

 private:
  /// What a chunk leaves of its rows.
  struct Results {
    float* maxima;
    float* sums;
    float* values;  // [padded rows][v_depth]
  };
  Results results(size_t head, size_t chunk) const {
    float* start = results_ + (head * chunks_ + chunk) * result_floats_;
    const size_t rows = groups_ * kSdpaFewQueries;
    return {start, start + rows, start + 2 * rows};
  }

  RowGroup group(size_t g) const {
    const size_t first = g * kSdpaFewQueries;
    const size_t count = std::min(kSdpaFewQueries, work_.rows() - first);
    const size_t kernel = count > 2 ? 2 : count - 1;
    return {first, count, size_t{1} << kernel, kernel};
  }

  float* q_of(size_t head, size_t row) const {
    return q_ + (head * groups_ * kSdpaFewQueries + row) * work_.depth;
  }

  void pack_queries(size_t head) {
    for (size_t row = 0; row < groups_ * kSdpaFewQueries; ++row) {
      float* to = q_of(head, row);
      if (row < work_.rows()) {
        const W* from = work_.q_row(head / work_.kv_heads, head % work_.kv_heads, row);
        // As one step of adjacent lines, which is how the kernel moves whole vectors.
        kernels_of_w_.pack({from, 1, 0, work_.depth, 1}, work_.depth, to);
      } else {
        std::fill(to, to + work_.depth, 0.0f);
      }
    }
  }

  void attend_chunk(size_t head, size_t chunk, float* scratch) {
    const size_t b = head / work_.kv_heads;
    const size_t kv_head = head % work_.kv_heads;
    const size_t first = chunk * chunk_;
    const size_t keys = std::min(chunk_, work_.keys - first);
    const Results result = results(head, chunk);
    const W* k = work_.k.at(b, kv_head);
    const W* v = work_.v.at(b, kv_head);
    const size_t run = groups_ == 1 ? keys : kRunKeys;
    const auto for_runs = [&](auto&& f) {
      for (size_t j = 0; j < keys; j += run) {
        for (size_t g = 0; g < groups_; ++g) f(j, std::min(run, keys - j), g, group(g));
      }
    };
    const auto scores = [&](size_t g) { return scratch + g * kSdpaFewQueries * chunk_; };
    for_runs([&](size_t j, size_t n, size_t g, const RowGroup& rows) {
      kernels_.scores[rows.kernel]({.q = q_of(head, rows.first),
                                    .k = k + static_cast<ptrdiff_t>(first + j) * work_.k.row_stride,
                                    .k_stride = work_.k.row_stride,
                                    .keys = n,
                                    .depth = work_.depth,
                                    .scores = scores(g) + j * rows.queries});
    });
    float* bias = scratch + groups_ * kSdpaFewQueries * chunk_ + kSdpaSlack;
    // While weights are computed, memory would rest.
    kernels_.fetch(v + static_cast<ptrdiff_t>(first) * work_.v.row_stride, work_.v.row_stride, keys,
                   work_.v_depth);
    for (size_t g = 0; g < groups_; ++g) {
      weigh(group(g), {b, kv_head, 0, 0, first, keys}, scores(g), bias, result);
    }
    std::fill(result.values, result.values + groups_ * kSdpaFewQueries * work_.v_depth, 0.0f);
    for_runs([&](size_t j, size_t n, size_t g, const RowGroup& rows) {
      kernels_.values[rows.kernel]({.weights = scores(g) + j * rows.queries,
                                    .v = v + static_cast<ptrdiff_t>(first + j) * work_.v.row_stride,
                                    .v_stride = work_.v.row_stride,
                                    .keys = n,
                                    .depth = work_.v_depth,
                                    .sums = result.values + rows.first * work_.v_depth});
    });
  }

  void weigh(const RowGroup& rows, AttentionBlock block, float* scores, float* bias,
             const Results& result) {
    block.row = rows.first;
    block.rows = rows.count;
    const bool masked = classify(work_, block) != AttentionRun::kOpen;
    if (masked) fill_bias(work_, block, rows.queries, bias);
    kernels_.weights({.scores = scores,
                      .keys = block.keys,
                      .queries = rows.queries,
                      .scale = work_.scale,
                      .bias = masked ? bias : nullptr,
                      .maxima = result.maxima + rows.first,
                      .sums = result.sums + rows.first});
  }

  /// One row of the output, from what the chunks left of it.
  void combine(size_t head, size_t row) {
    const size_t b = head / work_.kv_heads;
    const size_t kv_head = head % work_.kv_heads;
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    const float sink = work_.sinks == nullptr ? kNone : work_.sink(kv_head, row);
    float maximum = sink;
    for (size_t c = 0; c < chunks_; ++c) {
      maximum = std::max(maximum, results(head, c).maxima[row]);
    }
    const float from = maximum == kNone ? 0.0f : maximum;
    float sum = work_.sinks == nullptr ? 0.0f : std::exp2(sink - from);
    float* values = results(head, 0).values + row * work_.v_depth;
    for (size_t c = 0; c < chunks_; ++c) {
      const Results part = results(head, c);
      const float factor =
          chunks_ == 1 && work_.sinks == nullptr ? 1.0f : std::exp2(part.maxima[row] - from);
      sum += factor * part.sums[row];
      const float* more = part.values + row * work_.v_depth;
      for (size_t e = 0; e < work_.v_depth; ++e) {
        values[e] = c == 0 ? factor * more[e] : values[e] + factor * more[e];
      }
    }
    kernels_of_w_.finish({.sums = values,
                          .count = work_.v_depth,
                          .alpha = 1.0f / sum,
                          .beta = 0.0f,
                          .c = nullptr,
                          .c_stride = 0,
                          .out = work_.out_row(b, kv_head, row),
                          .out_stride = 1});
  }

  const AttentionWork<W>& work_;
  const kernels::SdpaFewKernels<W>& kernels_ = kernels::sdpa_few_kernels<W>();
  const DenseKernels<W>& kernels_of_w_ = dense_kernels<W>();
  size_t heads_;
  size_t groups_;  // of rows
  size_t chunk_;
  size_t chunks_;
  size_t scratch_floats_;
  size_t result_floats_;
  std::shared_ptr<Buffer> memory_;
  float* q_;
  float* results_;
  float* scratch_;
};

}  // namespace

template <class W>
void attend_few(const AttentionWork<W>& work) {
  FewRows<W>(work).run();
}

template void attend_few(const AttentionWork<float>&);
template void attend_few(const AttentionWork<float16>&);
template void attend_few(const AttentionWork<bfloat16>&);

}  // namespace nybble
