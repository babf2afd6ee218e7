#include "nybble/ops/attention_work.h"
#include "nybble/ops/creation.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/fast.h"
#include "nybble/ops/op.h"

namespace nybble::fast {
namespace {

constexpr std::string_view kOp = "scaled_dot_product_attention";
constexpr double kLog2E = 1.44269504088896340736;

void check_shapes(const array& q, const array& k, const array& v) {
  const auto expect = [&](bool right, std::string_view what) {
    if (right) return;
    fail(kOp, what, "; got q ", q.shape(), ", k ", k.shape(), ", v ", v.shape(),
         ". Expected q (B, H, L, D), k (B, Hkv, S, D), v (B, Hkv, S, E), H a multiple of Hkv.");
  };
  expect(q.ndim() == 4 && k.ndim() == 4 && v.ndim() == 4, "q, k and v must have rank 4");
  expect(k.shape(0) == q.shape(0) && v.shape(0) == q.shape(0), "batches differ");
  expect(q.shape(3) == k.shape(3), "the last dimensions of q and k differ");
  expect(k.shape(1) == v.shape(1), "k and v have different numbers of heads");
  expect(k.shape(2) == v.shape(2), "k and v have different numbers of keys");
  const int64_t kv_heads = k.shape(1);
  expect(kv_heads == 0 ? q.shape(1) == 0 : q.shape(1) % kv_heads == 0,
         "the heads of q are no multiple of those of k");
}

Dtype result_dtype(const array& q, const array& k, const array& v) {
  const Dtype dtype = promote(promote(q.dtype(), k.dtype()), v.dtype());
  if (!is_floating(dtype)) {
    fail(kOp, "q, k and v promote to ", dtype, "; expected a floating dtype.");
  }
  return dtype;
}

void check_extra(std::string_view name, const array& extra, Dtype dtype) {
  if (promote(extra.dtype(), dtype) == dtype) return;
  fail(kOp, name, " has dtype ", extra.dtype(), ", which does not promote to ", dtype,
       ", the dtype of the result. Cast it: ", name, ".astype(", dtype, ").");
}

/// The mask as [B, H, L, S]; of bool or of the dtype of the result.
std::optional<array> expand_mask(const std::optional<array>& mask, const Shape& scores,
                                 Dtype dtype) {
  if (!mask) return std::nullopt;
  if (mask->ndim() > 4) {
    fail(kOp, "mask has shape ", mask->shape(),
         "; expected at most 4 dimensions that broadcast to ", scores, ".");
  }
  check_extra("mask", *mask, dtype);
  const array values = mask->dtype() == Dtype::kBool ? mask->alias() : astype(*mask, dtype);
  return values.view(scores, broadcast_strides(kOp, values.shape(), values.strides(), scores));
}

std::optional<array> check_sinks(const std::optional<array>& sinks, int64_t heads, Dtype dtype) {
  if (!sinks) return std::nullopt;
  check_extra("sinks", *sinks, dtype);
  if (sinks->ndim() != 1 || sinks->shape(0) != heads) {
    fail(kOp, "sinks has shape ", sinks->shape(), "; expected ", Shape{heads}, ", one for a head.");
  }
  return astype(*sinks, dtype).contiguous();
}

/// Rows of adjacent elements.
array with_dense_rows(const array& x) {
  return x.strides().back() == 1 || x.shape(-1) <= 1 ? x.alias() : x.copy();
}

template <class W>
AttentionHeads<W> heads_of(const array& x) {
  const Strides& strides = x.strides();
  return {x.data<W>(), strides[0], strides[1], strides[2], x.shape(-1) <= 1 ? 1 : strides[3]};
}

struct Operands {
  array q, k, v;
  std::optional<array> mask, sinks;
  double scale;
  bool causal;
};

template <class W>
array attend(const Operands& from) {
  const array& q = from.q;
  array out({q.shape(0), q.shape(1), q.shape(2), from.v.shape(3)}, q.dtype());
  if (out.size() == 0) return out;
  if (from.k.shape(2) == 0) return zeros_like(out);
  AttentionWork<W> work{
      .batch = static_cast<size_t>(q.shape(0)),
      .heads = static_cast<size_t>(q.shape(1)),
      .kv_heads = static_cast<size_t>(from.k.shape(1)),
      .queries = static_cast<size_t>(q.shape(2)),
      .keys = static_cast<size_t>(from.k.shape(2)),
      .depth = static_cast<size_t>(q.shape(3)),
      .v_depth = static_cast<size_t>(from.v.shape(3)),
      .q = heads_of<W>(q),
      .k = heads_of<W>(from.k),
      .v = heads_of<W>(from.v),
      .scale = static_cast<Arithmetic<W>>(static_cast<Arithmetic<W>>(from.scale) * kLog2E),
      .causal = from.causal && q.shape(2) > 1,
      .flags = from.mask && from.mask->dtype() == Dtype::kBool,
      .mask = {},
      .sinks = from.sinks ? from.sinks->data<W>() : nullptr,
      .out = out.mutable_data<W>(),
  };
  if (from.mask) {
    const Strides& strides = from.mask->strides();
    work.mask = {from.mask->data(), strides[0], strides[1], strides[2], strides[3]};
  }
  if constexpr (!std::is_same_v<W, double>) {
    if (work.rows() <= kAttentionFewRows) {
      attend_few(work);
      return out;
    }
  }
  if (rows_lie_evenly(work)) {
    attend_tiles(work);
  } else {
    const array dense = q.copy();
    work.q = heads_of<W>(dense);
    attend_tiles(work);
  }
  return out;
}

}  // namespace

array scaled_dot_product_attention(const array& q, const array& k, const array& v, double scale,
                                   const AttentionMask& mask, const std::optional<array>& sinks) {
  const OpCall call{kOp,
                    {&q, &k, &v, mask.mask ? &*mask.mask : nullptr, sinks ? &*sinks : nullptr},
                    {{"scale", scale}, {"causal", mask.causal}}};
  return apply_op(call, [&] {
    check_shapes(q, k, v);
    const Dtype dtype = result_dtype(q, k, v);
    const Shape scores{q.shape(0), q.shape(1), q.shape(2), k.shape(2)};
    const Operands operands{with_dense_rows(astype(q, dtype)),
                            with_dense_rows(astype(k, dtype)),
                            with_dense_rows(astype(v, dtype)),
                            expand_mask(mask.mask, scores, dtype),
                            check_sinks(sinks, q.shape(1), dtype),
                            scale,
                            mask.causal};
    return visit_dtype(dtype, [&](auto tag) -> array {
      using W = typename decltype(tag)::type;
      if constexpr (kIsFloating<W>) return attend<W>(operands);
      return operands.q;
    });
  });
}

}  // namespace nybble::fast
