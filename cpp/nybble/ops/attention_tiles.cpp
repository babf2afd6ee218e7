// Attention of many rows: tiles of lanes x kTileKeys scores, which never exist all at once.
//
// k and v are packed into panels once for each of their heads. A task takes up to kTaskVectors
// groups of rows, one row to a lane, through all keys that they see, a tile of keys at a time,
// which stays in L2 meanwhile; the scores of one group fit L1. Results of a group depend on nothing
// but its rows.

#include <algorithm>
#include <memory>
#include <vector>

#include "nybble/base/buffer.h"
#include "nybble/base/divide_up.h"
#include "nybble/base/thread_pool.h"
#include "nybble/kernels/dense/dense.h"
#include "nybble/kernels/fast/sdpa.h"
#include "nybble/ops/attention_work.h"

namespace nybble {
namespace {

// Whole panels of 6 and of 12 rows. With heads of 128, k and v of a tile are 120 KiB of floats.
constexpr size_t kTileKeys = 120;

// Groups of rows that use a tile while it is in L2.
constexpr size_t kTaskVectors = 4;

// Panels of so many heads are packed before the work on them begins as fit.
constexpr size_t kPanelBytes = size_t{32} << 20;

// One product and sum; one element packed (AVX2, 3 GHz).
constexpr double kMultiplyNanoseconds = 0.025;
constexpr double kMoveNanoseconds = 0.3;

template <class W>
struct Tiles {
  using T = Arithmetic<W>;

  const AttentionWork<W>& work;
  const DenseKernels<W>& dense = dense_kernels<W>();
  const kernels::SdpaTileKernels<W>& kernels = kernels::sdpa_tile_kernels<W>();
  size_t panel_rows = dense.tile_rows;
  size_t lanes = dense.tile_columns;
  size_t tiles = divide_up(work.keys, kTileKeys);
  size_t k_tile = kTileKeys * work.depth;
  size_t v_tile =
      divide_up(work.v_depth, panel_rows) * panel_rows * kTileKeys + kernels::kSdpaSlack;
  T* panels = nullptr;  // [head][tile][k_tile + v_tile]

  size_t keys_of(size_t tile) const { return std::min(kTileKeys, work.keys - tile * kTileKeys); }
  T* k_panels(size_t head, size_t tile) const {
    return panels + (head * tiles + tile) * (k_tile + v_tile);
  }
  T* v_panels(size_t head, size_t tile) const { return k_panels(head, tile) + k_tile; }

  /// to = the panels of keys and values of one tile of a head; `place` is where panels has it.
  void pack(size_t b, size_t kv_head, size_t place, size_t tile) const {
    const auto key = static_cast<ptrdiff_t>(tile * kTileKeys);
    const auto& k = work.k;
    const auto& v = work.v;
    dense.pack({k.at(b, kv_head) + key * k.row_stride, k.row_stride, k.column_stride, keys_of(tile),
                work.depth},
               panel_rows, k_panels(place, tile));
    kernels.pack_values({.v = v.at(b, kv_head) + key * v.row_stride,
                         .v_stride = v.row_stride,
                         .keys = keys_of(tile),
                         .depth = work.v_depth,
                         .rows = panel_rows,
                         .panels = v_panels(place, tile)});
  }

  /// c (+)= a . b over a depth of any length. c [rows][lanes], a in panels.
  void multiply(const T* a, const T* b, size_t depth, size_t rows, T* c, bool add) const {
    for (size_t i = 0; i < rows; i += panel_rows, a += panel_rows * depth) {
      for (size_t k0 = 0; k0 == 0 || k0 < depth; k0 += kDenseDepth) {
        const auto tile = k0 == 0 && !add ? dense.tile : dense.tile_add;
        tile({.a = a + k0 * panel_rows,
              .b = b + k0 * lanes,
              .depth = std::min(kDenseDepth, depth - k0),
              .c = c + i * lanes,
              .c_stride = static_cast<ptrdiff_t>(lanes),
              .rows = std::min(panel_rows, rows - i),
              .columns = lanes});
      }
    }
  }
};

/// The rows in the lanes of one vector of queries, and what is known of them so far.
template <class W>
class LaneGroup {
 public:
  using T = Arithmetic<W>;

  LaneGroup(const Tiles<W>& tiles, size_t b, size_t kv_head, size_t place, size_t row, T* memory)
      : t_(tiles),
        work_(tiles.work),
        block_{b, kv_head, row, std::min(tiles.lanes, tiles.work.rows() - row), 0, 0},
        place_(place),
        q_(memory),
        sums_(q_ + work_.depth * t_.lanes),
        maxima_(sums_ + work_.v_depth * t_.lanes),
        weights_(maxima_ + t_.lanes),
        factors_(weights_ + t_.lanes),
        visible_(factors_ + t_.lanes) {
    load();
  }

  /// Elements of memory that a group needs.
  static size_t elements(const Tiles<W>& tiles) {
    return (tiles.work.depth + tiles.work.v_depth + 4) * tiles.lanes;
  }

  /// Takes a tile of keys into account, unless all of it is hidden. scores, bias: scratch.
  void attend(size_t tile, T* scores, T* bias) {
    const AttentionRun run = look_at(tile);
    if (run == AttentionRun::kHidden) return;
    kernels::SdpaTile<T> step = step_of(scores);
    if (run == AttentionRun::kMixed) {
      if (work_.mask.data != nullptr) {
        fill_bias(work_, block_, t_.lanes, bias);
        step.bias = bias;
      } else {
        set_visible();
        step.visible = visible_;
      }
    }
    t_.multiply(t_.k_panels(place_, tile), q_, work_.depth, block_.keys, scores, false);
    add_values(tile, step);
  }

  /// True if a row has seen nothing: the mean of all values is its result, so that hidden tiles
  /// count.
  bool blind() const {
    for (size_t i = 0; i < block_.rows; ++i) {
      if (maxima_[i] <= std::numeric_limits<T>::lowest()) return true;
    }
    return false;
  }

  /// Takes a tile into account that attend has passed over.
  void attend_hidden(size_t tile, T* scores) {
    if (look_at(tile) != AttentionRun::kHidden) return;
    std::fill(scores, scores + block_.keys * t_.lanes, std::numeric_limits<T>::lowest());
    kernels::SdpaTile<T> step = step_of(scores);
    step.scale = 1;
    add_values(tile, step);
  }

  /// Writes the results; turned: [rows][v_depth] of scratch.
  void finish(T* turned) {
    // Nothing but sinks to see.
    if (first_) std::fill(sums_, sums_ + work_.v_depth * t_.lanes, T(0));
    dense_kernels<T>().pack(
        {sums_, static_cast<ptrdiff_t>(t_.lanes), 1, work_.v_depth, block_.rows}, work_.v_depth,
        turned);
    W* out = work_.out_row(block_.batch, block_.kv_head, block_.row);
    for (size_t i = 0; i < block_.rows; ++i) {
      t_.dense.finish({.sums = turned + i * work_.v_depth,
                       .count = work_.v_depth,
                       .alpha = T(1) / weights_[i],
                       .beta = T(0),
                       .c = nullptr,
                       .c_stride = 0,
                       .out = out + i * work_.v_depth,
                       .out_stride = 1});
    }
  }

 private:
  void load() {
    const size_t row = block_.row;
    const W* first = work_.q_row(block_.batch, block_.kv_head, row);
    // Rows lie evenly: attend_tiles has seen to it.
    const ptrdiff_t stride =
        block_.rows == 1 ? 0 : work_.q_row(block_.batch, block_.kv_head, row + 1) - first;
    t_.dense.pack({first, stride, work_.q.column_stride, block_.rows, work_.depth}, t_.lanes, q_);
    for (size_t i = 0; i < t_.lanes; ++i) {
      const bool sink = work_.sinks != nullptr && i < block_.rows;
      maxima_[i] = sink ? work_.sink(block_.kv_head, row + i) : -std::numeric_limits<T>::infinity();
      weights_[i] = sink ? T(1) : T(0);
    }
  }

  AttentionRun look_at(size_t tile) {
    block_.key = tile * kTileKeys;
    block_.keys = t_.keys_of(tile);
    return classify(work_, block_);
  }

  kernels::SdpaTile<T> step_of(T* scores) const {
    return {.scores = scores,
            .keys = block_.keys,
            .lanes = t_.lanes,
            .scale = work_.scale,
            .bias = nullptr,
            .visible = nullptr,
            .maxima = maxima_,
            .sums = weights_,
            .factors = factors_};
  }

  void set_visible() {
    for (size_t i = 0; i < t_.lanes; ++i) {
      const size_t seen = i < block_.rows ? work_.causal_keys(block_.row + i) : work_.keys;
      visible_[i] =
          static_cast<T>(std::clamp(seen, block_.key, block_.key + block_.keys) - block_.key);
    }
  }

  void add_values(size_t tile, const kernels::SdpaTile<T>& step) {
    const bool changed = t_.kernels.weights(step);
    if (changed && !first_) t_.kernels.rescale(sums_, work_.v_depth, t_.lanes, factors_);
    t_.multiply(t_.v_panels(place_, tile), step.scores, block_.keys, work_.v_depth, sums_, !first_);
    first_ = false;
  }

  const Tiles<W>& t_;
  const AttentionWork<W>& work_;
  AttentionBlock block_;
  size_t place_;
  T* q_;        // [depth][lanes]
  T* sums_;     // [v_depth][lanes]
  T* maxima_;   // [lanes], as are the following
  T* weights_;  // their sums
  T* factors_;
  T* visible_;
  bool first_ = true;
};

/// Lane groups first..last-1 of one head of k and v.
template <class W>
void attend_groups(const Tiles<W>& tiles, size_t head, size_t place, size_t first, size_t last) {
  using T = Arithmetic<W>;
  const AttentionWork<W>& work = tiles.work;
  const size_t each = LaneGroup<W>::elements(tiles);
  const size_t tile_elements = kTileKeys * tiles.lanes;
  const size_t turned = work.v_depth * tiles.lanes;
  const auto memory = Buffer::allocate(
      ((last - first) * each + 2 * tile_elements + turned + kernels::kSdpaSlack) * sizeof(T));
  T* scores = static_cast<T*>(memory->data());
  T* bias = scores + tile_elements;
  T* at = bias + tile_elements;
  std::vector<LaneGroup<W>> groups;
  groups.reserve(last - first);
  for (size_t i = first; i < last; ++i, at += each) {
    groups.emplace_back(tiles, head / work.kv_heads, head % work.kv_heads, place, i * tiles.lanes,
                        at);
  }
  for (size_t tile = 0; tile < tiles.tiles; ++tile) {
    for (LaneGroup<W>& group : groups) group.attend(tile, scores, bias);
  }
  for (LaneGroup<W>& group : groups) {
    if (!group.blind()) continue;
    for (size_t tile = 0; tile < tiles.tiles; ++tile) group.attend_hidden(tile, scores);
  }
  for (LaneGroup<W>& group : groups) group.finish(at);
}

}  // namespace

template <class W>
bool rows_lie_evenly(const AttentionWork<W>& work) {
  return work.queries == 1 || work.group() == 1 ||
         work.queries % dense_kernels<W>().tile_columns == 0 ||
         work.q.head_stride == static_cast<ptrdiff_t>(work.queries) * work.q.row_stride;
}

template <class W>
void attend_tiles(const AttentionWork<W>& work) {
  using T = Arithmetic<W>;
  Tiles<W> tiles{work};
  const size_t heads = work.batch * work.kv_heads;
  const size_t head_elements = tiles.tiles * (tiles.k_tile + tiles.v_tile);
  const size_t at_once = std::clamp<size_t>(kPanelBytes / (head_elements * sizeof(T)), 1, heads);
  const auto panels = Buffer::allocate(at_once * head_elements * sizeof(T));
  tiles.panels = static_cast<T*>(panels->data());

  const size_t groups = divide_up(work.rows(), tiles.lanes);
  const size_t spread = divide_up(groups * at_once, 4 * get_num_threads());
  const size_t each = std::clamp<size_t>(spread, 1, kTaskVectors);
  const size_t tasks = divide_up(groups, each);
  const auto columns = static_cast<double>(work.depth + work.v_depth);
  const auto keys = static_cast<double>(work.keys);
  for (size_t first = 0; first < heads; first += at_once) {
    const size_t count = std::min(at_once, heads - first);
    const double pack_ns = kMoveNanoseconds * columns * keys * static_cast<double>(count);
    parallel_for(count * tiles.tiles, pack_ns, [&](size_t task, size_t) {
      const size_t place = task / tiles.tiles;
      const size_t head = first + place;
      tiles.pack(head / work.kv_heads, head % work.kv_heads, place, task % tiles.tiles);
    });
    const double cost_ns =
        kMultiplyNanoseconds * columns * keys * static_cast<double>(count * groups * tiles.lanes);
    parallel_for(count * tasks, cost_ns, [&](size_t task, size_t) {
      // With a causal mask the last rows have the most to do: they come first.
      const size_t place = task % count;
      const size_t group = (tasks - 1 - task / count) * each;
      attend_groups(tiles, first + place, place, group, std::min(group + each, groups));
    });
  }
}

template bool rows_lie_evenly(const AttentionWork<float>&);
template void attend_tiles(const AttentionWork<float>&);
template bool rows_lie_evenly(const AttentionWork<double>&);
template void attend_tiles(const AttentionWork<double>&);
template bool rows_lie_evenly(const AttentionWork<float16>&);
template void attend_tiles(const AttentionWork<float16>&);
template bool rows_lie_evenly(const AttentionWork<bfloat16>&);
template void attend_tiles(const AttentionWork<bfloat16>&);

}  // namespace nybble
