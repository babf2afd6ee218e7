#include "nybble/ops/random.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>

#include "nybble/kernels/elementwise/math.h"
#include "nybble/ops/elementwise.h"
#include "nybble/ops/op.h"
#include "nybble/ops/random_words.h"
#include "nybble/ops/shape.h"

namespace nybble::random {
namespace {

// Times for one element on one thread beside its random word; guesses for the split over threads.
constexpr double kArithmeticNanoseconds = 2;
constexpr double kFunctionNanoseconds = 20;  // a logarithm or erfinv

thread_local std::optional<ThreefryKey> thread_key;

ThreefryKey key_of_seed(uint64_t seed) {
  return {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)};
}

/// The state of the calling thread's sequence of keys.
ThreefryKey& state() {
  if (!thread_key) {
    // Threads that start unseeded within a millisecond must not draw the same numbers.
    static std::atomic<uint64_t> threads{0};
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    thread_key = key_of_seed(static_cast<uint64_t>(milliseconds) ^ (threads.fetch_add(1) << 48));
  }
  return *thread_key;
}

array to_key_array(const ThreefryKey& key) {
  array result({2}, Dtype::kUint32);
  auto* words = result.mutable_data<uint32_t>();
  words[0] = key.first;
  words[1] = key.second;
  return result;
}

ThreefryKey read_key(std::string_view op, const array& key) {
  if (key.dtype() != Dtype::kUint32 || !(key.shape() == Shape{2})) {
    fail(op, "got a key of dtype ", key.dtype(), " and shape ", key.shape(),
         ", expected uint32 and (2,), as random.key(seed) makes it.");
  }
  const auto* words = key.data<uint32_t>();
  return {words[0], words[key.strides()[0]]};
}

/// value rounded to T, for arithmetic that is done step by step in T.
template <class T>
Arithmetic<T> rounded(Arithmetic<T> value) {
  return static_cast<Arithmetic<T>>(T(value));
}

/// The largest T below 1.
template <class T>
constexpr float kBelowOne = 0x1.fffffep-1f;
template <>
constexpr float kBelowOne<float16> = 0x1.ffcp-1f;
template <>
constexpr float kBelowOne<bfloat16> = 0x1.fep-1f;

/// A random word as a number in [0, 1) of type T.
template <class T>
Arithmetic<T> unit(uint32_t word) {
  return rounded<T>(std::min(static_cast<float>(word) * 0x1p-32f, kBelowOne<T>));
}

/// A random word as a number between low and high.
template <class T>
Arithmetic<T> between(Arithmetic<T> low, Arithmetic<T> high, uint32_t word) {
  const Arithmetic<T> range = rounded<T>(high - low);
  return rounded<T>(rounded<T>(range * unit<T>(word)) + low);
}

/// A random word as a normally distributed number without its factor sqrt(2).
float unscaled_normal(uint32_t word) {
  return kernels::erfinv_float(between<float>(-kBelowOne<float>, 1.0f, word));
}

/// A parameter of a distribution as one value of the given dtype for all elements, or a dense array
/// of one for each.
array spread(const array& parameter, Dtype dtype, const Shape& shape) {
  const array values = astype(parameter, dtype);
  return values.size() == 1 ? values : broadcast_to(values, shape).contiguous();
}

/// The elements of a parameter from spread().
template <class T>
class Parameter {
 public:
  explicit Parameter(const array& values)
      : data_(values.data<T>()), step_(values.size() == 1 ? 0 : 1) {}
  Arithmetic<T> operator[](int64_t i) const { return static_cast<Arithmetic<T>>(data_[i * step_]); }

 private:
  const T* data_;
  int64_t step_;
};

/// Calls f with the type of a dtype that unit() has an entry for.
template <class F>
void visit_unit(Dtype dtype, F&& f) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kIsHalf<T> || std::is_same_v<T, float>) f(tag);
  });
}

void check_unit_dtype(std::string_view op, Dtype dtype) {
  if (is_floating(dtype) && dtype != Dtype::kFloat64) return;
  fail(op, "got dtype ", dtype, ", expected float16, bfloat16 or float32",
       dtype == Dtype::kFloat64 ? " (for float64, convert the result with astype)." : ".");
}

/// ValueError unless the parameters' shape broadcasts to the shape of the result.
void check_fits(std::string_view op, const Shape& parameters, const Shape& shape) {
  if (broadcast(op, parameters, shape) == shape) return;
  fail(op, "got parameters of shape ", parameters, ", which do not broadcast to the shape ", shape,
       " of the result.");
}

/// factor * erfinv(uniform(-1, 1)) + loc, whose shapes broadcast to the given one.
array deferred_normal(const Shape& shape, Dtype dtype, ThreefryKey key, const array& loc,
                      const array& factor) {
  const int64_t size = element_count(shape);
  const auto fill = [=](const std::vector<array>& inputs, void* out) {
    const array locs = spread(inputs[0], dtype, shape);
    const array factors = spread(inputs[1], dtype, shape);
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (kIsFloating<T>) {
        const Parameter<T> l(locs);
        const Parameter<T> f(factors);
        T* to = static_cast<T*>(out);
        for_words(key, size, kFunctionNanoseconds,
                  [&](int64_t first, int64_t count, const uint32_t* words) {
                    for (int64_t i = 0; i < count; ++i) {
                      const auto x = static_cast<Arithmetic<T>>(T(unscaled_normal(words[i])));
                      to[first + i] = T(rounded<T>(f[first + i] * x) + l[first + i]);
                    }
                  });
      }
    });
  };
  return deferred_array(shape, dtype, {loc.alias(), factor.alias()}, fill);
}

array complex_normal(const Shape& shape, ThreefryKey key, const std::optional<array>& loc,
                     const std::optional<array>& scale) {
  Shape parts = shape;
  parts.push_back(2);
  const array pairs =
      deferred_normal(parts, Dtype::kFloat32, key, array::scalar(-0.0f, Dtype::kFloat32),
                      array::scalar(1.0f, Dtype::kFloat32));
  array result = reshape(view(pairs, Dtype::kComplex64), shape);
  if (scale) result = multiply(*scale, result);
  if (loc) result = add(*loc, result);
  return result;
}

}  // namespace

ThreefryKey take_key(std::string_view op, const std::optional<array>& key) {
  if (key) return read_key(op, *key);
  // bits({2, 2}): the first row is the new state, the second the key to use.
  ThreefryKey& current = state();
  uint32_t words[4] = {0, 1, 2, 3};
  kernels::threefry2x32(current, words[0], words[2]);
  kernels::threefry2x32(current, words[1], words[3]);
  current = {words[0], words[1]};
  return {words[2], words[3]};
}

void check_shape(std::string_view op, const Shape& shape) {
  for (const int64_t length : shape) {
    if (length < 0) fail(op, "got the shape ", shape, "; lengths must not be negative.");
  }
}

array key(uint64_t seed) { return to_key_array(key_of_seed(seed)); }

void seed(uint64_t seed) { thread_key = key_of_seed(seed); }

array get_state() { return to_key_array(state()); }

void set_state(const array& key) { thread_key = read_key("random.state", key); }

array split(const array& key, int64_t num) {
  check_shape("split", {num});
  read_key("split", key);
  return bits({num, 2}, 4, key);
}

array bits(const Shape& shape, int width, const std::optional<array>& key) {
  return apply_op({"bits", {}, {{"shape", shape}, {"width", int64_t{width}}}}, [&] {
    check_shape("bits", shape);
    if (width != 1 && width != 2 && width != 4) {
      fail("bits", "got a width of ", width, " bytes, expected 1, 2 or 4.");
    }
    const Dtype dtype = width == 4 ? Dtype::kUint32 : width == 2 ? Dtype::kUint16 : Dtype::kUint8;
    const int64_t bytes = element_count(shape) * width;
    const ThreefryKey words_key = take_key("bits", key);
    return deferred_array(shape, dtype, {}, [=](const std::vector<array>&, void* out) {
      auto* to = static_cast<std::byte*>(out);
      for_words(words_key, (bytes + 3) / 4, 0,
                [&](int64_t first, int64_t count, const uint32_t* words) {
                  const int64_t length = std::min(4 * count, bytes - 4 * first);
                  std::memcpy(to + 4 * first, words, static_cast<size_t>(length));
                });
    });
  });
}

array uniform(const array& low, const array& high, const Shape& shape, Dtype dtype,
              const std::optional<array>& key) {
  return apply_op({"uniform", {&low, &high}, {{"shape", shape}, {"dtype", dtype}}}, [&] {
    check_unit_dtype("uniform", dtype);
    check_shape("uniform", shape);
    check_fits("uniform", broadcast("uniform", low.shape(), high.shape()), shape);
    const int64_t size = element_count(shape);
    const ThreefryKey words_key = take_key("uniform", key);
    const auto fill = [=](const std::vector<array>& inputs, void* out) {
      const array lows = spread(inputs[0], dtype, shape);
      const array highs = spread(inputs[1], dtype, shape);
      visit_unit(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Parameter<T> l(lows);
        const Parameter<T> h(highs);
        T* to = static_cast<T*>(out);
        for_words(words_key, size, kArithmeticNanoseconds,
                  [&](int64_t first, int64_t count, const uint32_t* words) {
                    for (int64_t i = 0; i < count; ++i) {
                      to[first + i] = T(between<T>(l[first + i], h[first + i], words[i]));
                    }
                  });
      });
    };
    return deferred_array(shape, dtype, {low.alias(), high.alias()}, fill);
  });
}

array uniform(const Shape& shape, Dtype dtype, const std::optional<array>& key) {
  check_unit_dtype("uniform", dtype);
  return uniform(array::scalar(0.0f, dtype), array::scalar(1.0f, dtype), shape, dtype, key);
}

array normal(const Shape& shape, Dtype dtype, const std::optional<array>& loc,
             const std::optional<array>& scale, const std::optional<array>& key) {
  return apply_op({"normal", {}, {{"shape", shape}, {"dtype", dtype}}}, [&] {
    if (!is_floating(dtype) && dtype != Dtype::kComplex64) {
      fail("normal", "got dtype ", dtype, ", expected a floating dtype or complex64.");
    }
    check_shape("normal", shape);
    Shape result_shape = shape;
    if (scale) result_shape = broadcast("normal", result_shape, scale->shape());
    if (loc) result_shape = broadcast("normal", result_shape, loc->shape());
    const ThreefryKey words_key = take_key("normal", key);
    if (dtype == Dtype::kComplex64) return complex_normal(shape, words_key, loc, scale);

    const array sqrt2 = array::scalar(std::sqrt(2.0), dtype);
    const array factor = scale ? multiply(sqrt2, astype(*scale, dtype)) : sqrt2;
    const array none =
        array::scalar(-0.0, dtype);  // adding it changes nothing, not even a zero's sign
    if (result_shape == shape) {
      return deferred_normal(shape, dtype, words_key, loc ? *loc : none, factor);
    }
    const array samples = deferred_normal(shape, dtype, words_key, none, array::scalar(1.0, dtype));
    const array scaled = multiply(factor, samples);
    return loc ? add(astype(*loc, dtype), scaled) : scaled;
  });
}

array truncated_normal(const array& lower, const array& upper, const std::optional<Shape>& shape,
                       Dtype dtype, const std::optional<array>& key) {
  return apply_op({"truncated_normal", {&lower, &upper}, {{"dtype", dtype}}}, [&] {
    check_unit_dtype("truncated_normal", dtype);
    const Shape bounds = broadcast("truncated_normal", lower.shape(), upper.shape());
    const Shape result_shape = shape ? *shape : bounds;
    check_shape("truncated_normal", result_shape);
    check_fits("truncated_normal", bounds, result_shape);
    const int64_t size = element_count(result_shape);
    const ThreefryKey words_key = take_key("truncated_normal", key);
    const auto fill = [=](const std::vector<array>& inputs, void* out) {
      const array sqrt2 = array::scalar(std::sqrt(2.0), dtype);
      const array lowers = spread(inputs[0], dtype, result_shape);
      const array uppers = spread(inputs[1], dtype, result_shape);
      const array erf_lowers = erf(divide(lowers, sqrt2));
      const array erf_uppers = erf(divide(uppers, sqrt2));
      visit_unit(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Parameter<T> l(lowers);
        const Parameter<T> u(uppers);
        const Parameter<T> a(erf_lowers);
        const Parameter<T> b(erf_uppers);
        const Arithmetic<T> factor = Parameter<T>(sqrt2)[0];
        T* to = static_cast<T*>(out);
        for_words(words_key, size, kFunctionNanoseconds,
                  [&](int64_t first, int64_t count, const uint32_t* words) {
                    for (int64_t i = 0; i < count; ++i) {
                      const int64_t at = first + i;
                      const auto z = kernels::erfinv_float(between<T>(a[at], b[at], words[i]));
                      const auto x = rounded<T>(factor * rounded<T>(z));
                      // Rounding may have led out of the bounds. NaN stays.
                      const auto below = x > u[at] ? u[at] : x;
                      to[at] = T(below < l[at] ? l[at] : below);
                    }
                  });
      });
    };
    return deferred_array(result_shape, dtype, {lower.alias(), upper.alias()}, fill);
  });
}

array gumbel(const Shape& shape, Dtype dtype, const std::optional<array>& key) {
  return apply_op({"gumbel", {}, {{"shape", shape}, {"dtype", dtype}}}, [&] {
    check_unit_dtype("gumbel", dtype);
    check_shape("gumbel", shape);
    const int64_t size = element_count(shape);
    const ThreefryKey words_key = take_key("gumbel", key);
    return deferred_array(shape, dtype, {}, [=](const std::vector<array>&, void* out) {
      visit_unit(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T* to = static_cast<T*>(out);
        for_words(words_key, size, kFunctionNanoseconds,
                  [&](int64_t first, int64_t count, const uint32_t* words) {
                    for (int64_t i = 0; i < count; ++i) {
                      const auto inner = rounded<T>(std::log(unit<T>(words[i])));
                      to[first + i] = T(-std::log(-inner));
                    }
                  });
      });
    });
  });
}

array laplace(const Shape& shape, Dtype dtype, double loc, double scale,
              const std::optional<array>& key) {
  return apply_op({"laplace", {}, {{"shape", shape}, {"dtype", dtype}}}, [&] {
    if (!is_floating(dtype)) {
      fail("laplace", "got dtype ", dtype, ", expected a floating dtype.");
    }
    check_shape("laplace", shape);
    const int64_t size = element_count(shape);
    const ThreefryKey words_key = take_key("laplace", key);
    const float lowest = std::nextafter(-1.0f, 0.0f);
    return deferred_array(shape, dtype, {}, [=](const std::vector<array>&, void* out) {
      visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (kIsFloating<T>) {
          // float64 gets its logarithm in full precision, of a float32 all the same.
          using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
          const auto factor = static_cast<Wide>(rounded<T>(static_cast<Wide>(scale)));
          const auto center = static_cast<Wide>(rounded<T>(static_cast<Wide>(loc)));
          T* to = static_cast<T*>(out);
          for_words(words_key, size, kFunctionNanoseconds,
                    [&](int64_t first, int64_t count, const uint32_t* words) {
                      for (int64_t i = 0; i < count; ++i) {
                        const float u = between<float>(lowest, 1.0f, words[i]);
                        const Wide x = -std::copysign(std::log1p(-std::abs(Wide{u})), -Wide{u});
                        to[first + i] = T(center + rounded<T>(factor * rounded<T>(-x)));
                      }
                    });
        }
      });
    });
  });
}

array randint(const array& low, const array& high, const Shape& shape, Dtype dtype,
              const std::optional<array>& key) {
  return apply_op({"randint", {&low, &high}, {{"shape", shape}, {"dtype", dtype}}}, [&] {
    if (is_inexact(dtype))
      fail("randint", "got dtype ", dtype, ", expected an integer dtype or bool.");
    check_shape("randint", shape);
    check_fits("randint", broadcast("randint", low.shape(), high.shape()), shape);
    const int64_t size = element_count(shape);
    const ThreefryKey words_key = take_key("randint", key);
    const auto fill = [=](const std::vector<array>& inputs, void* out) {
      const array lows = spread(inputs[0], Dtype::kFloat32, shape);
      const array highs = spread(inputs[1], Dtype::kFloat32, shape);
      // float32 may have rounded the bounds: the result is clamped to the exact ones.
      const array last = subtract(inputs[1], array::scalar(1, inputs[1].dtype()));
      const array smallest = spread(inputs[0], dtype, shape);
      const array largest = spread(last, dtype, shape);
      const Parameter<float> l(lows);
      const Parameter<float> h(highs);
      visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<T>) {
          const Parameter<T> a(smallest);
          const Parameter<T> b(largest);
          T* to = static_cast<T*>(out);
          for_words(words_key, size, kArithmeticNanoseconds,
                    [&](int64_t first, int64_t count, const uint32_t* words) {
                      for (int64_t i = 0; i < count; ++i) {
                        const int64_t at = first + i;
                        const float x = std::floor(between<float>(l[at], h[at], words[i]));
                        to[at] = std::max<T>(std::min<T>(convert<T>(x), b[at]), a[at]);
                      }
                    });
        }
      });
    };
    return deferred_array(shape, dtype, {low.alias(), high.alias()}, fill);
  });
}

array bernoulli(const array& p, const std::optional<Shape>& shape,
                const std::optional<array>& key) {
  return apply_op({"bernoulli", {&p}}, [&] {
    if (!is_floating(p.dtype())) {
      fail("bernoulli", "got probabilities of dtype ", p.dtype(), ", expected a floating dtype.");
    }
    const Shape result_shape = shape ? *shape : p.shape();
    check_shape("bernoulli", result_shape);
    check_fits("bernoulli", p.shape(), result_shape);
    const int64_t size = element_count(result_shape);
    const ThreefryKey words_key = take_key("bernoulli", key);
    const auto fill = [=](const std::vector<array>& inputs, void* out) {
      // Words are compared with p scaled to just above the largest one, so that p = 1 is always
      // true.
      const Dtype dtype = promote(inputs[0].dtype(), Dtype::kFloat32);
      const array scaled = multiply(astype(inputs[0], dtype), array::scalar(0x1.000002p32f, dtype));
      const array limits = spread(scaled, dtype, result_shape);
      bool* to = static_cast<bool*>(out);
      visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_floating_point_v<T>) {
          const Parameter<T> limit(limits);
          for_words(words_key, size, kArithmeticNanoseconds,
                    [&](int64_t first, int64_t count, const uint32_t* words) {
                      for (int64_t i = 0; i < count; ++i) {
                        to[first + i] = static_cast<T>(words[i]) < limit[first + i];
                      }
                    });
        }
      });
    };
    return deferred_array(result_shape, Dtype::kBool, {p.alias()}, fill);
  });
}

}  // namespace nybble::random
