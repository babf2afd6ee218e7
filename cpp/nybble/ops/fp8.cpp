#include "nybble/ops/fp8.h"

#include "nybble/base/minifloat.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/rows.h"

namespace nybble {
namespace {

constexpr double kConvertNanoseconds = 1.5;

template <class To, class From, class F>
void convert_elements(const array& from, array& to, F&& f) {
  const StridedWalk walk(from.shape(), {&from.strides(), &to.strides()});
  const auto* source = from.data<From>();
  auto* target = to.mutable_data<To>();
  for_row_pieces(walk, kConvertNanoseconds, [&](const StridedWalk::Offsets& at, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      target[at[1] + i * walk.row_stride(1)] = f(source[at[0] + i * walk.row_stride(0)]);
    }
  });
}

}  // namespace

array to_fp8(const array& x) {
  constexpr std::string_view kOp = "to_fp8";
  return apply_op({kOp, {&x}}, [&] {
    if (!is_floating(x.dtype())) fail(kOp, "x has dtype ", x.dtype(), ", expected a floating one.");
    array out(x.shape(), Dtype::kUint8);
    convert_elements<uint8_t, float>(astype(x, Dtype::kFloat32), out, &E4m3::round);
    return out;
  });
}

array from_fp8(const array& x, Dtype dtype) {
  constexpr std::string_view kOp = "from_fp8";
  return apply_op({kOp, {&x}, {{"dtype", dtype}}}, [&] {
    if (x.dtype() != Dtype::kUint8) fail(kOp, "x has dtype ", x.dtype(), ", expected uint8.");
    if (!is_floating(dtype)) fail(kOp, "got dtype ", dtype, ", expected a floating one.");
    array out(x.shape(), Dtype::kFloat32);
    convert_elements<float, uint8_t>(x, out, [](uint8_t code) { return E4m3::widen(code); });
    return astype(out, dtype);
  });
}

}  // namespace nybble
