// Rows of an operation on vectors of float32.
//
// An operation is a struct with a static `apply(d, vectors...)`. Dense rows are computed in place.
// What lies otherwise is gathered, a block of kBlock elements at a time, and the end of a row is
// computed as the last vector that fits in it once more, so that all elements pass the same
// instructions.

#if defined(NYBBLE_KERNELS_ELEMENTWISE_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NYBBLE_KERNELS_ELEMENTWISE_VECTORS_INL_H
#undef NYBBLE_KERNELS_ELEMENTWISE_VECTORS_INL_H
#else
#define NYBBLE_KERNELS_ELEMENTWISE_VECTORS_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "nybble/base/stream.h"
#include "nybble/kernels/elementwise/vectors.h"
#include "nybble/kernels/simd/narrow-inl.h"
#include "nybble/kernels/simd/widen-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nybble::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kBlock = 256;
inline constexpr size_t kMaxLanes = hn::MaxLanes(hn::ScalableTag<float>());

/// So many vectors are computed side by side: a function is a chain of dependent instructions, and
/// what waits for an operand fills the schedulers of a core.
inline constexpr size_t kSideBySide = 4;

/// The hardware follows a stream of memory up to the end of its page only.
inline constexpr size_t kBytesAhead = 2048;

/// Asks for what comes kBytesAhead after kVectors vectors.
template <size_t kVectors, class D, class T>
HWY_INLINE void fetch(D d, const T* x) {
  const auto* ahead = reinterpret_cast<const char*>(x) + kBytesAhead;
  for (size_t i = 0; i < kVectors * hn::Lanes(d) * sizeof(T); i += kLineBytes) {
    hwy::Prefetch(ahead + i);
  }
}

/// out[i] = op(x[i]) for kVectors vectors.
template <size_t kVectors, class Op, class D, class T, class Out>
HWY_INLINE void apply_unary(D d, const T* HWY_RESTRICT x, Out* HWY_RESTRICT out) {
  const size_t lanes = hn::Lanes(d);
  hn::Vec<D> value[kVectors];
#pragma GCC unroll 16
  for (size_t v = 0; v < kVectors; ++v) value[v] = Op::apply(d, load_wide(d, x + v * lanes));
#pragma GCC unroll 16
  for (size_t v = 0; v < kVectors; ++v) store_narrow(d, value[v], out + v * lanes);
}

/// out[i] = op(x[i]), both dense.
template <class Op, class T, class Out>
HWY_NOINLINE void dense_unary(const T* HWY_RESTRICT x, Out* HWY_RESTRICT out, size_t n) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + kSideBySide * lanes <= n; i += kSideBySide * lanes) {
    fetch<kSideBySide>(d, x + i);
    apply_unary<kSideBySide, Op>(d, x + i, out + i);
  }
  for (; i + lanes <= n; i += lanes) apply_unary<1, Op>(d, x + i, out + i);
  if (i == n) return;
  if (n >= lanes) return apply_unary<1, Op>(d, x + n - lanes, out + n - lanes);
  HWY_ALIGN T padded[kMaxLanes] = {};
  HWY_ALIGN Out result[kMaxLanes];
  std::memcpy(padded, x, n * sizeof(T));
  apply_unary<1, Op>(d, padded, result);
  std::memcpy(out, result, n * sizeof(Out));
}

template <class T>
HWY_INLINE void gather(const T* from, int64_t stride, T* to, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = from[static_cast<int64_t>(i) * stride];
}

template <class Op, class T, class Out>
void unary_vectors(const void* x_data, int64_t x_stride, void* out_data, int64_t n) {
  const T* x = static_cast<const T*>(x_data);
  Out* out = static_cast<Out*>(out_data);
  const auto count = static_cast<size_t>(n);
  if (x_stride == 1) return dense_unary<Op, T, Out>(x, out, count);
  HWY_ALIGN T block[kBlock];
  for (size_t i = 0; i < count; i += kBlock) {
    const size_t here = HWY_MIN(kBlock, count - i);
    gather(x + static_cast<int64_t>(i) * x_stride, x_stride, block, here);
    dense_unary<Op, T, Out>(block, out + i, here);
  }
}

/// An operand of a row: step 1 if it is dense, 0 if it is kMaxLanes copies of one element.
template <class T>
struct Operand {
  const T* data;
  size_t step;
};

/// out[i] = op(a[i * a.step], b[i * b.step])
template <class Op, class T>
HWY_NOINLINE void dense_binary(Operand<T> a, Operand<T> b, T* HWY_RESTRICT out, size_t n) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const T* a_at = a.data;
  const T* b_at = b.data;
  const size_t a_step = a.step * lanes;
  const size_t b_step = b.step * lanes;
  size_t i = 0;
  for (; i + lanes <= n; i += lanes, a_at += a_step, b_at += b_step) {
    store_narrow(d, Op::apply(d, load_wide(d, a_at), load_wide(d, b_at)), out + i);
  }
  if (i == n) return;
  if (n >= lanes) {
    const size_t last = n - lanes;
    return dense_binary<Op, T>({a.data + last * a.step, 1}, {b.data + last * b.step, 1}, out + last,
                               lanes);
  }
  HWY_ALIGN T padded_a[kMaxLanes] = {};
  HWY_ALIGN T padded_b[kMaxLanes] = {};
  HWY_ALIGN T result[kMaxLanes];
  std::memcpy(padded_a, a.data, n * sizeof(T));
  std::memcpy(padded_b, b.data, n * sizeof(T));
  dense_binary<Op, T>({padded_a, 1}, {padded_b, 1}, result, lanes);
  std::memcpy(out, result, n * sizeof(T));
}

/// The elements first..first+n-1 of a row with a stride, in `block` unless they lie as needed.
template <class T>
HWY_INLINE Operand<T> operand(const T* data, int64_t stride, size_t first, size_t n, T* block) {
  if (stride == 1) return {data + first, 1};
  if (stride == 0) return {block, 0};  // filled before
  gather(data + static_cast<int64_t>(first) * stride, stride, block, n);
  return {block, 1};
}

template <class Op, class T>
void binary_vectors(const void* a_data, int64_t a_stride, const void* b_data, int64_t b_stride,
                    void* out_data, int64_t n) {
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  T* out = static_cast<T*>(out_data);
  const auto count = static_cast<size_t>(n);
  if (a_stride == 1 && b_stride == 1) return dense_binary<Op, T>({a, 1}, {b, 1}, out, count);
  if (count == 0) return;
  HWY_ALIGN T block_a[kBlock];
  HWY_ALIGN T block_b[kBlock];
  if (a_stride == 0) gather(a, 0, block_a, kMaxLanes);
  if (b_stride == 0) gather(b, 0, block_b, kMaxLanes);
  const bool in_place = (a_stride == 0 || a_stride == 1) && (b_stride == 0 || b_stride == 1);
  const size_t most = in_place ? count : kBlock;
  for (size_t i = 0; i < count; i += most) {
    const size_t here = HWY_MIN(most, count - i);
    dense_binary<Op, T>(operand(a, a_stride, i, here, block_a),
                        operand(b, b_stride, i, here, block_b), out + i, here);
  }
}

}  // namespace nybble::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // NYBBLE_KERNELS_ELEMENTWISE_VECTORS_INL_H
