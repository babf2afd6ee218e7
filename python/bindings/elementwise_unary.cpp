#include "elementwise.h"
#include "nybble/ops/elementwise.h"

namespace nybble::python {
namespace {

struct UnaryFunction {
  const char* name;
  array (*function)(const array&);
  const char* summary;
  const char* example;
  const char* printed;
};

// Unless a summary says otherwise: results of exp to radians are floating, float32 for integers; of
// isnan and its like, bool; of the others, of the operand's dtype.
constexpr UnaryFunction kUnaryFunctions[] = {
    {"abs", nybble::abs,
     "The absolute value; of complex numbers, their magnitude in float32. The lowest "
     "signed integer stays as it is.",
     "mx.abs(mx.array([-2, 3]))", "array([2, 3], dtype=int32)"},
    {"negative", nybble::negative,
     "``-a``; unsigned integers wrap around. Raises ValueError for bool: use "
     "``logical_not``.",
     "mx.negative(mx.array([1, -2]))", "array([-1, 2], dtype=int32)"},
    {"square", nybble::square, "``a * a``.", "mx.square(mx.array([2, -3]))",
     "array([4, 9], dtype=int32)"},
    {"sign", nybble::sign, "-1, 0 or 1; 0 for NaN; ``a / abs(a)`` for complex numbers.",
     "mx.sign(mx.array([-2, 0, 3]))", "array([-1, 0, 1], dtype=int32)"},
    {"floor", nybble::floor,
     "The largest integer not above each element; integers stay. Raises ValueError for "
     "complex numbers.",
     "mx.floor(mx.array([1.5, -1.5]))", "array([1, -2], dtype=float32)"},
    {"ceil", nybble::ceil,
     "The smallest integer not below each element; integers stay. Raises ValueError "
     "for complex numbers.",
     "mx.ceil(mx.array([1.5, -1.5]))", "array([2, -1], dtype=float32)"},
    {"trunc", nybble::trunc,
     "Each element without its fraction; integers stay. Raises ValueError for complex "
     "numbers.",
     "mx.trunc(mx.array([1.5, -1.5]))", "array([1, -1], dtype=float32)"},
    {"bitwise_invert", nybble::bitwise_invert,
     "All bits inverted; ``not`` for bool. Raises ValueError for floats.",
     "mx.bitwise_invert(mx.array([0, 5]))", "array([-1, -6], dtype=int32)"},
    {"logical_not", nybble::logical_not, "True where the element is zero.",
     "mx.logical_not(mx.array([0, 5]))", "array([True, False], dtype=bool)"},
    {"isnan", nybble::isnan, "True where the element is NaN.",
     "mx.isnan(mx.array([1.0, float(\"nan\")]))", "array([False, True], dtype=bool)"},
    {"isinf", nybble::isinf, "True where the element is infinite.",
     "mx.isinf(mx.array([1.0, float(\"inf\")]))", "array([False, True], dtype=bool)"},
    {"isfinite", nybble::isfinite, "True where the element is neither infinite nor NaN.",
     "mx.isfinite(mx.array([1.0, float(\"inf\")]))", "array([True, False], dtype=bool)"},
    {"isposinf", nybble::isposinf, "True where the element is plus infinity.",
     "mx.isposinf(mx.array([float(\"inf\"), -float(\"inf\")]))",
     "array([True, False], dtype=bool)"},
    {"isneginf", nybble::isneginf, "True where the element is minus infinity.",
     "mx.isneginf(mx.array([float(\"inf\"), -float(\"inf\")]))",
     "array([False, True], dtype=bool)"},
    {"exp", nybble::exp, "e to the power of each element.", "mx.exp(mx.array([0.0, 1.0]))",
     "array([1, 2.71828], dtype=float32)"},
    {"expm1", nybble::expm1,
     "``exp(a) - 1``, exact for small elements. Raises ValueError for complex numbers.",
     "mx.expm1(mx.array([0.0, 1.0]))", "array([0, 1.71828], dtype=float32)"},
    {"log", nybble::log, "The natural logarithm.", "mx.log(mx.array([1.0, 2.0]))",
     "array([0, 0.693147], dtype=float32)"},
    {"log2", nybble::log2, "The logarithm to base 2.", "mx.log2(mx.array([1.0, 8.0]))",
     "array([0, 3], dtype=float32)"},
    {"log10", nybble::log10, "The logarithm to base 10.", "mx.log10(mx.array([1.0, 100.0]))",
     "array([0, 2], dtype=float32)"},
    {"log1p", nybble::log1p, "``log(1 + a)``, exact for small elements.",
     "mx.log1p(mx.array([0.0, 1.0]))", "array([0, 0.693147], dtype=float32)"},
    {"sin", nybble::sin, "The sine.", "mx.sin(mx.array([0.0, 0.5]))",
     "array([0, 0.479426], dtype=float32)"},
    {"cos", nybble::cos, "The cosine.", "mx.cos(mx.array([0.0, 0.5]))",
     "array([1, 0.877583], dtype=float32)"},
    {"tan", nybble::tan, "The tangent.", "mx.tan(mx.array([0.0, 0.5]))",
     "array([0, 0.546302], dtype=float32)"},
    {"arcsin", nybble::arcsin, "The inverse sine.", "mx.arcsin(mx.array([0.0, 0.5]))",
     "array([0, 0.523599], dtype=float32)"},
    {"arccos", nybble::arccos, "The inverse cosine.", "mx.arccos(mx.array([1.0, 0.5]))",
     "array([0, 1.0472], dtype=float32)"},
    {"arctan", nybble::arctan, "The inverse tangent.", "mx.arctan(mx.array([0.0, 1.0]))",
     "array([0, 0.785398], dtype=float32)"},
    {"sinh", nybble::sinh, "The hyperbolic sine.", "mx.sinh(mx.array([0.0, 1.0]))",
     "array([0, 1.1752], dtype=float32)"},
    {"cosh", nybble::cosh, "The hyperbolic cosine.", "mx.cosh(mx.array([0.0, 1.0]))",
     "array([1, 1.54308], dtype=float32)"},
    {"tanh", nybble::tanh, "The hyperbolic tangent.", "mx.tanh(mx.array([0.0, 1.0]))",
     "array([0, 0.761594], dtype=float32)"},
    {"arcsinh", nybble::arcsinh, "The inverse hyperbolic sine.", "mx.arcsinh(mx.array([0.0, 1.0]))",
     "array([0, 0.881374], dtype=float32)"},
    {"arccosh", nybble::arccosh, "The inverse hyperbolic cosine.",
     "mx.arccosh(mx.array([1.0, 2.0]))", "array([0, 1.31696], dtype=float32)"},
    {"arctanh", nybble::arctanh, "The inverse hyperbolic tangent.",
     "mx.arctanh(mx.array([0.0, 0.5]))", "array([0, 0.549306], dtype=float32)"},
    {"sqrt", nybble::sqrt, "The square root.", "mx.sqrt(mx.array([4.0, 9.0]))",
     "array([2, 3], dtype=float32)"},
    {"rsqrt", nybble::rsqrt, "``1 / sqrt(a)``.", "mx.rsqrt(mx.array([4.0, 1.0]))",
     "array([0.5, 1], dtype=float32)"},
    {"reciprocal", nybble::reciprocal, "``1 / a``.", "mx.reciprocal(mx.array([4.0, 2.0]))",
     "array([0.25, 0.5], dtype=float32)"},
    {"sigmoid", nybble::sigmoid, "``1 / (1 + exp(-a))``. Raises ValueError for complex numbers.",
     "mx.sigmoid(mx.array([0.0, 2.0]))", "array([0.5, 0.880797], dtype=float32)"},
    {"erf", nybble::erf, "The error function. Raises ValueError for complex numbers.",
     "mx.erf(mx.array([0.0, 1.0]))", "array([0, 0.842701], dtype=float32)"},
    {"erfinv", nybble::erfinv,
     "The inverse of the error function; NaN outside -1..1. Raises ValueError for "
     "complex numbers.",
     "mx.erfinv(mx.array([0.0, 0.5]))", "array([0, 0.476936], dtype=float32)"},
    {"degrees", nybble::degrees, "Radians to degrees.", "mx.degrees(mx.array([0.0, 3.14159265]))",
     "array([0, 180], dtype=float32)"},
    {"radians", nybble::radians, "Degrees to radians.", "mx.radians(mx.array([0.0, 180.0]))",
     "array([0, 3.14159], dtype=float32)"},
};

}  // namespace

void init_unary(py::module_& m) {
  for (const UnaryFunction& f : kUnaryFunctions) {
    m.def(
        f.name,
        [name = f.name, function = f.function](const py::object& a, StreamArgument) {
          return function(to_array(name, a));
        },
        "a"_a, py::pos_only(), py::kw_only(), kStream,
        doc_with_example(f.summary, f.example, f.printed).c_str());
  }
}

}  // namespace nybble::python
