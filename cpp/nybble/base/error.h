#pragma once

// The exceptions of the library. Every message begins with the name of the operation in brackets
// and says what came, what was expected and, where there is one, what would work.

#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace nybble {

/// A wrong type where a value of another type was needed (TypeError in Python).
struct type_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// An axis outside -ndim..ndim-1. In Python it is both an IndexError and a ValueError.
struct axis_error : std::out_of_range {
  using std::out_of_range::out_of_range;
};

/// More memory was asked for than there is (MemoryError in Python).
class memory_error : public std::bad_alloc {
 public:
  explicit memory_error(size_t size_bytes)
      : text_("cannot allocate " + std::to_string(size_bytes) + " bytes.") {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

namespace detail {
template <class... Parts>
std::string message(std::string_view op, const Parts&... parts) {
  std::ostringstream text;
  text << '[' << op << "] ";
  (text << ... << parts);
  return text.str();
}
}  // namespace detail

/// Throws std::invalid_argument (ValueError in Python) with the text "[op] parts...".
template <class... Parts>
[[noreturn]] void fail(std::string_view op, const Parts&... parts) {
  throw std::invalid_argument(detail::message(op, parts...));
}

/// Throws std::out_of_range (IndexError in Python).
template <class... Parts>
[[noreturn]] void fail_index(std::string_view op, const Parts&... parts) {
  throw std::out_of_range(detail::message(op, parts...));
}

/// Throws type_error (TypeError in Python).
template <class... Parts>
[[noreturn]] void fail_type(std::string_view op, const Parts&... parts) {
  throw type_error(detail::message(op, parts...));
}

/// Throws std::runtime_error (RuntimeError in Python): trouble with files.
template <class... Parts>
[[noreturn]] void fail_runtime(std::string_view op, const Parts&... parts) {
  throw std::runtime_error(detail::message(op, parts...));
}

}  // namespace nybble
