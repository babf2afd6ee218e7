#include "elementwise.h"
#include "nybble/ops/elementwise.h"

namespace nybble::python {
namespace {

struct BinaryFunction {
  const char* name;
  array (*function)(const array&, const array&);
  const char* summary;
  const char* example;
  const char* printed;
};

// Operands broadcast; results have the promoted dtype unless a summary says otherwise.
constexpr BinaryFunction kBinaryFunctions[] = {
    {"add", nybble::add, "``a + b``; ``or`` for bool.", "mx.add(mx.array([1, 2]), 10)",
     "array([11, 12], dtype=int32)"},
    {"subtract", nybble::subtract, "``a - b``; exclusive or for bool.",
     "mx.subtract(mx.array([1, 2]), 10)", "array([-9, -8], dtype=int32)"},
    {"multiply", nybble::multiply, "``a * b``; ``and`` for bool.",
     "mx.multiply(mx.array([1, 2]), 10)", "array([10, 20], dtype=int32)"},
    {"divide", nybble::divide, "``a / b``, floating: integers give float32.",
     "mx.divide(mx.array([1, 2]), 4)", "array([0.25, 0.5], dtype=float32)"},
    {"floor_divide", nybble::floor_divide, "``floor(a / b)``. Integers divided by zero give 0.",
     "mx.floor_divide(mx.array([7, -7]), 2)", "array([3, -4], dtype=int32)"},
    {"remainder", nybble::remainder,
     "The rest of ``a / b`` with the sign of ``b``. Integers modulo zero stay. Raises "
     "ValueError for complex numbers.",
     "mx.remainder(mx.array([7, -7]), 3)", "array([1, 2], dtype=int32)"},
    {"power", nybble::power, "``a ** b``. Integers wrap around, and give 0 for a negative ``b``.",
     "mx.power(mx.array([2, 3]), 3)", "array([8, 27], dtype=int32)"},
    {"maximum", nybble::maximum, "The larger element; NaN if either is.",
     "mx.maximum(mx.array([1, 5]), 3)", "array([3, 5], dtype=int32)"},
    {"minimum", nybble::minimum, "The smaller element; NaN if either is.",
     "mx.minimum(mx.array([1, 5]), 3)", "array([1, 3], dtype=int32)"},
    {"logaddexp", nybble::logaddexp, "``log(exp(a) + exp(b))`` without overflow, floating.",
     "mx.logaddexp(mx.array([0.0, 100.0]), 0.0)", "array([0.693147, 100], dtype=float32)"},
    {"arctan2", nybble::arctan2,
     "The angle of the point ``(b, a)``, floating. Raises ValueError for complex "
     "numbers.",
     "mx.arctan2(mx.array([0.0, 1.0]), 1.0)", "array([0, 0.785398], dtype=float32)"},
    {"equal", nybble::equal, "``a == b``, bool; NaN equals nothing.",
     "mx.equal(mx.array([1, 5]), 5)", "array([False, True], dtype=bool)"},
    {"not_equal", nybble::not_equal, "``a != b``, bool.", "mx.not_equal(mx.array([1, 5]), 5)",
     "array([True, False], dtype=bool)"},
    {"less", nybble::less, "``a < b``, bool; complex numbers by real, then imaginary part.",
     "mx.less(mx.array([1, 5]), 5)", "array([True, False], dtype=bool)"},
    {"less_equal", nybble::less_equal, "``a <= b``, bool.", "mx.less_equal(mx.array([1, 5]), 5)",
     "array([True, True], dtype=bool)"},
    {"greater", nybble::greater, "``a > b``, bool.", "mx.greater(mx.array([1, 5]), 1)",
     "array([False, True], dtype=bool)"},
    {"greater_equal", nybble::greater_equal, "``a >= b``, bool.",
     "mx.greater_equal(mx.array([1, 5]), 5)", "array([False, True], dtype=bool)"},
    {"logical_and", nybble::logical_and, "True where both elements are not zero.",
     "mx.logical_and(mx.array([0, 5]), True)", "array([False, True], dtype=bool)"},
    {"logical_or", nybble::logical_or, "True where an element is not zero.",
     "mx.logical_or(mx.array([0, 5]), False)", "array([False, True], dtype=bool)"},
    {"logical_xor", nybble::logical_xor, "True where exactly one element is not zero.",
     "mx.logical_xor(mx.array([0, 5]), True)", "array([True, False], dtype=bool)"},
    {"bitwise_and", nybble::bitwise_and, "Bit by bit ``and``. Raises ValueError for floats.",
     "mx.bitwise_and(mx.array([6, 5]), 3)", "array([2, 1], dtype=int32)"},
    {"bitwise_or", nybble::bitwise_or, "Bit by bit ``or``. Raises ValueError for floats.",
     "mx.bitwise_or(mx.array([6, 5]), 3)", "array([7, 7], dtype=int32)"},
    {"bitwise_xor", nybble::bitwise_xor,
     "Bit by bit exclusive ``or``. Raises ValueError for floats.",
     "mx.bitwise_xor(mx.array([6, 5]), 3)", "array([5, 6], dtype=int32)"},
    {"left_shift", nybble::left_shift,
     "``a << b``; of ``b`` the low 5 bits count (6 for 64-bit integers). Raises "
     "ValueError for floats.",
     "mx.left_shift(mx.array([1, 3]), 4)", "array([16, 48], dtype=int32)"},
    {"right_shift", nybble::right_shift,
     "``a >> b``; of ``b`` the low 5 bits count (6 for 64-bit integers). Raises "
     "ValueError for floats.",
     "mx.right_shift(mx.array([16, -3]), 1)", "array([8, -2], dtype=int32)"},
};

}  // namespace

void init_binary(py::module_& m) {
  for (const BinaryFunction& f : kBinaryFunctions) {
    m.def(
        f.name,
        [name = f.name, function = f.function](const py::object& a, const py::object& b,
                                               StreamArgument) {
          const auto [left, right] = to_operands(name, a, b);
          return function(left, right);
        },
        "a"_a, "b"_a, py::pos_only(), py::kw_only(), kStream,
        doc_with_example(f.summary, f.example, f.printed).c_str());
  }
}

}  // namespace nybble::python
