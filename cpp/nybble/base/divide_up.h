#pragma once

#include <concepts>
#include <type_traits>

namespace nybble {

/// How many steps reach a value that is not negative: value / step, rounded up.
template <std::integral T>
constexpr T divide_up(T value, std::type_identity_t<T> step) {
  return (value + step - 1) / step;
}

}  // namespace nybble
