#include "nybble/ops/format.h"

#include <atomic>
#include <cmath>
#include <ostream>
#include <sstream>
#include <type_traits>

namespace nybble {
namespace {

std::atomic<int> print_precision{-1};

constexpr int64_t kEdgeItems = 3;
constexpr std::string_view kIndent = "       ";  // as wide as "array(["

template <class T>
void print_value(std::ostream& out, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    out << (value ? "True" : "False");
  } else if constexpr (kIsComplex<T>) {
    out << value.real() << (std::signbit(value.imag()) ? "-" : "+") << std::abs(value.imag())
        << 'j';
  } else if constexpr (std::is_integral_v<T>) {
    out << +value;
  } else {
    out << static_cast<Arithmetic<T>>(value);
  }
}

template <class T>
class Printer {
 public:
  Printer(std::ostream& out, const array& a) : out_(out), a_(a), values_(a.data<T>()) {}

  void print(size_t axis, int64_t offset) {
    if (axis == a_.ndim()) return print_value(out_, values_[offset]);
    const int64_t length = a_.shape()[axis];
    const bool cut = length > 2 * kEdgeItems;
    out_ << '[';
    for (int64_t i = 0; i < length; ++i) {
      if (i != 0) separate(axis);
      if (cut && i == kEdgeItems) {
        out_ << "...";
        separate(axis);
        i = length - kEdgeItems;
      }
      print(axis + 1, offset + i * a_.strides()[axis]);
    }
    out_ << ']';
  }

 private:
  void separate(size_t axis) {
    if (axis + 1 == a_.ndim()) {
      out_ << ", ";
    } else {
      out_ << ",\n" << kIndent << std::string(axis, ' ');
    }
  }

  std::ostream& out_;
  const array& a_;
  const T* values_;
};

}  // namespace

std::string to_string(const array& a) {
  std::ostringstream out;
  if (const int precision = get_print_precision(); precision >= 0) {
    out.setf(std::ios::fixed, std::ios::floatfield);
    out.precision(precision);
  }
  out << "array(";
  visit_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    // An array without elements has no data to point at, but its brackets.
    Printer<T>(out, a).print(0, 0);
  });
  out << ", dtype=" << a.dtype() << ')';
  return out.str();
}

int get_print_precision() { return print_precision; }
int set_print_precision(int precision) { return print_precision.exchange(precision); }

}  // namespace nybble
