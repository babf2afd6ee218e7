#include "nybble/ops/reduce.h"

#include "elementwise.h"
#include "module.h"

namespace nybble::python {
namespace {

struct Reduction {
  const char* name;
  array (*function)(const array&, const Axes&, bool);
  const char* summary;
  const char* example;
  const char* printed;
};

constexpr Reduction kReductions[] = {
    {"sum", sum,
     "The sum over axes. bool, int8 and int16 give int32, uint8 and uint16 give uint32, all others "
     "their "
     "own dtype. Floats are added in float64 and rounded once; integers wrap around.",
     "mx.sum(mx.array([[1, 2], [3, 4]]), axis=0)", "array([4, 6], dtype=int32)"},
    {"prod", prod, "The product over axes; dtypes as for :func:`sum`.",
     "mx.prod(mx.array([[1, 2], [3, 4]]), axis=0)", "array([3, 8], dtype=int32)"},
    {"max", max,
     "The largest element over axes; NaN if one is. Raises ValueError over axes without elements.",
     "mx.max(mx.array([[1, 2], [3, 4]]), axis=0)", "array([3, 4], dtype=int32)"},
    {"min", min,
     "The smallest element over axes; NaN if one is. Raises ValueError over axes without elements.",
     "mx.min(mx.array([[1, 2], [3, 4]]), axis=0)", "array([1, 2], dtype=int32)"},
    {"all", all, "Whether all elements over axes are not zero, bool.",
     "mx.all(mx.array([[1, 0], [3, 4]]), axis=0)", "array([True, False], dtype=bool)"},
    {"any", any, "Whether any element over axes is not zero, bool.",
     "mx.any(mx.array([[1, 0], [3, 0]]), axis=0)", "array([True, False], dtype=bool)"},
    {"mean", mean,
     "The mean over axes, floating: float32 for integers. NaN over axes without elements.",
     "mx.mean(mx.array([[1, 2], [3, 4]]), axis=0)", "array([2, 3], dtype=float32)"},
    {"logsumexp", logsumexp,
     "``log(sum(exp(a)))`` over axes without overflow, floating. Raises ValueError if ``a`` is "
     "empty or "
     "complex.",
     "mx.logsumexp(mx.array([[0.0, 100.0], [0.0, 0.0]]), axis=1)",
     "array([100, 0.693147], dtype=float32)"},
};

constexpr const char* kAxesDoc =
    "\n\nArgs:\n    axis: an axis or several; None for all. An empty tuple reduces nothing."
    "\n    keepdims: keep reduced axes with length 1.";

void init_reductions(py::module_& m) {
  for (const Reduction& r : kReductions) {
    const std::string summary = std::string(r.summary) + kAxesDoc;
    m.def(
        r.name,
        [name = r.name, function = r.function](array a, const py::object& axis, bool keepdims,
                                               StreamArgument) {
          return function(a, to_axes(name, axis), keepdims);
        },
        "a"_a, py::pos_only(), "axis"_a = py::none(), "keepdims"_a = false, py::kw_only(), kStream,
        doc_with_example(summary, r.example, r.printed).c_str());
  }
}

struct Spread {
  const char* name;
  array (*function)(const array&, const Axes&, bool, int64_t);
  const char* summary;
  const char* printed;
};

constexpr Spread kSpreads[] = {
    {"var", var,
     "The variance over axes, floating: the sum of squared distances from the mean, divided by the "
     "number "
     "of elements less ``ddof``.",
     "array(1.25, dtype=float32)"},
    {"std", nybble::std, "The standard deviation over axes: the square root of :func:`var`.",
     "array(1.11803, dtype=float32)"},
};

void init_spreads(py::module_& m) {
  for (const Spread& s : kSpreads) {
    const std::string summary = std::string(s.summary) + kAxesDoc;
    const std::string example = std::string("mx.") + s.name + "(mx.array([1.0, 2.0, 3.0, 4.0]))";
    m.def(
        s.name,
        [name = s.name, function = s.function](array a, const py::object& axis, bool keepdims,
                                               int64_t ddof, StreamArgument) {
          return function(a, to_axes(name, axis), keepdims, ddof);
        },
        "a"_a, py::pos_only(), "axis"_a = py::none(), "keepdims"_a = false, "ddof"_a = 0,
        py::kw_only(), kStream, doc_with_example(summary, example, s.printed).c_str());
  }
}

struct Position {
  const char* name;
  array (*function)(const array&, std::optional<int64_t>, bool);
  const char* summary;
  const char* printed;
};

constexpr Position kPositions[] = {
    {"argmax", argmax,
     "The first position of the largest element along an axis (None: among all, in row-major "
     "order), "
     "uint32. A NaN counts as largest. Raises ValueError if ``a`` is empty.",
     "array(1, dtype=uint32)"},
    {"argmin", argmin,
     "The first position of the smallest element along an axis (None: among all, in row-major "
     "order), "
     "uint32. A NaN counts as smallest. Raises ValueError if ``a`` is empty.",
     "array(0, dtype=uint32)"},
};

void init_positions(py::module_& m) {
  for (const Position& p : kPositions) {
    const std::string example = std::string("mx.") + p.name + "(mx.array([1, 5, 5]))";
    m.def(
        p.name,
        [function = p.function](array a, std::optional<int64_t> axis, bool keepdims,
                                StreamArgument) { return function(a, axis, keepdims); },
        "a"_a, py::pos_only(), "axis"_a = py::none(), "keepdims"_a = false, py::kw_only(), kStream,
        doc_with_example(p.summary, example, p.printed).c_str());
  }
}

constexpr const char* kScanDoc =
    " along an axis (None: of all elements, flattened).\n\nArgs:\n    reverse: run from the end."
    "\n    inclusive: whether a result counts its own element; the first is else that of nothing.";

struct TypedScan {
  const char* name;
  array (*function)(const array&, std::optional<int64_t>, bool, bool, std::optional<Dtype>);
  const char* summary;
  const char* printed;
};

constexpr TypedScan kTypedScans[] = {
    {"cumsum", cumsum, "The running sum", "array([1, 4, 6], dtype=int32)"},
    {"cumprod", cumprod, "The running product", "array([1, 3, 6], dtype=int32)"},
};

struct Scan {
  const char* name;
  array (*function)(const array&, std::optional<int64_t>, bool, bool);
  const char* summary;
  const char* printed;
};

constexpr Scan kScans[] = {
    {"cummax", cummax, "The running maximum", "array([1, 3, 3], dtype=int32)"},
    {"cummin", cummin, "The running minimum", "array([1, 1, 1], dtype=int32)"},
};

void init_scans(py::module_& m) {
  const auto doc = [](const auto& scan, const char* more) {
    return doc_with_example(std::string(scan.summary) + kScanDoc + more,
                            std::string("mx.") + scan.name + "(mx.array([1, 3, 2]))", scan.printed);
  };
  for (const TypedScan& s : kTypedScans) {
    m.def(
        s.name,
        [function = s.function](array a, std::optional<int64_t> axis, bool reverse, bool inclusive,
                                const py::object& dtype, StreamArgument) {
          return function(a, axis, reverse, inclusive, to_dtype(dtype));
        },
        "a"_a, py::pos_only(), "axis"_a = py::none(), py::kw_only(), "reverse"_a = false,
        "inclusive"_a = true, "dtype"_a = py::none(), kStream,
        doc(s, "\n    dtype: what ``a`` is converted to first; bool sums are int32.").c_str());
  }
  for (const Scan& s : kScans) {
    m.def(
        s.name,
        [function = s.function](array a, std::optional<int64_t> axis, bool reverse, bool inclusive,
                                StreamArgument) { return function(a, axis, reverse, inclusive); },
        "a"_a, py::pos_only(), "axis"_a = py::none(), py::kw_only(), "reverse"_a = false,
        "inclusive"_a = true, kStream, doc(s, "").c_str());
  }
}

}  // namespace

void init_reduce(py::module_& m) {
  init_reductions(m);
  init_spreads(m);
  init_positions(m);
  init_scans(m);
  m.def(
      "softmax",
      [](array a, const py::object& axis, bool precise, StreamArgument) {
        return softmax(a, to_axes("softmax", axis), precise);
      },
      "a"_a, py::pos_only(), "axis"_a = py::none(), py::kw_only(), "precise"_a = false, kStream,
      R"doc(
``exp(a) / sum(exp(a))`` over axes without overflow, floating: float32 for integers.

Args:
    axis: an axis or several; None for all.
    precise: accepted; float16 and bfloat16 are computed in float32 always.

Raises:
    ValueError: ``a`` is complex.

Example:
    >>> import nybble.core as mx
    >>> mx.softmax(mx.array([0.0, 0.0, 0.0, 0.0]))
    array([0.25, 0.25, 0.25, 0.25], dtype=float32)
)doc");
}

}  // namespace nybble::python
