#include "nybble/io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <vector>

#include "nybble/base/thread_pool.h"
#include "nybble/io/gguf_types.h"
#include "nybble/io/names.h"

namespace nybble {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kVersion = 3;
constexpr uint64_t kDefaultAlignment = 32;
constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr size_t kMostBlockElements = 256;
constexpr double kDecodeNanoseconds = 2.0;  // a guess, for one number

// The types of metadata; a list names the type of its entries behind it.
enum ValueType : uint32_t { kText = 8, kList = 9 };

struct NumberType {
  uint32_t id;
  Dtype dtype;
};
constexpr NumberType kNumberTypes[] = {
    {0, Dtype::kUint8},   {1, Dtype::kInt8},   {2, Dtype::kUint16},  {3, Dtype::kInt16},
    {4, Dtype::kUint32},  {5, Dtype::kInt32},  {6, Dtype::kFloat32}, {7, Dtype::kBool},
    {10, Dtype::kUint64}, {11, Dtype::kInt64}, {12, Dtype::kFloat64}};

/// Reads the header front to back; every length is checked against what is left of the file.
class Reader {
 public:
  Reader(std::string_view op, const MappedFile& file)
      : op_(op), name_(file.name()), bytes_(file.bytes()) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail_runtime(op_, quote_name(name_), " ", parts...);
  }

  const std::byte* take(uint64_t count, uint64_t each = 1) {
    if (each != 0 && count > left() / each) {
      reject("ends within its header, at byte ", bytes_.size(),
             ": it is incomplete or of another format.");
    }
    const std::byte* data = bytes_.data() + position_;
    position_ += count * each;
    return data;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)), sizeof(T));
    return value;
  }

  std::string text() {
    const auto length = number<uint64_t>();
    return {reinterpret_cast<const char*>(take(length)), static_cast<size_t>(length)};
  }

  array numbers(uint32_t type, const Shape& shape) {
    const auto* row = std::find_if(std::begin(kNumberTypes), std::end(kNumberTypes),
                                   [type](const NumberType& known) { return known.id == type; });
    if (row == std::end(kNumberTypes)) reject("has metadata of type ", type, ", which is unknown.");
    const auto count = static_cast<uint64_t>(element_count(shape));
    const std::byte* data = take(count, size_bytes(row->dtype));
    return row->dtype == Dtype::kFloat64 ? as_floats(data, shape) : copied(data, shape, row->dtype);
  }

 private:
  static array copied(const std::byte* data, const Shape& shape, Dtype dtype) {
    array result(shape, dtype);
    auto* to = static_cast<std::byte*>(result.mutable_data());
    if (result.nbytes() != 0) std::memcpy(to, data, result.nbytes());
    if (dtype == Dtype::kBool) {
      for (size_t i = 0; i < result.nbytes(); ++i) to[i] = std::byte{to[i] != std::byte{0}};
    }
    return result;
  }

  static array as_floats(const std::byte* data, const Shape& shape) {
    array result(shape, Dtype::kFloat32);
    for (int64_t i = 0; i < result.size(); ++i) {
      double value = 0;
      std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(value)), sizeof(value));
      result.mutable_data<float>()[i] = static_cast<float>(value);
    }
    return result;
  }

  std::string op_;
  std::string name_;
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

GgufValue read_value(Reader& reader) {
  const auto type = reader.number<uint32_t>();
  if (type == kText) return reader.text();
  if (type != kList) return reader.numbers(type, {});
  const auto entry = reader.number<uint32_t>();
  const auto count = reader.number<uint64_t>();
  if (entry == kList) reader.reject("has nested lists in its metadata, which are not supported.");
  if (count > reader.left()) reader.reject("has a list of ", count, " entries, but ends before.");
  if (entry != kText) return reader.numbers(entry, {static_cast<int64_t>(count)});
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < count; ++i) texts.push_back(reader.text());
  return texts;
}

struct TensorInfo {
  std::string name;
  Shape shape;
  const GgufType* type = nullptr;
  uint64_t offset = 0;  // in the data
  uint64_t bytes = 0;
};

TensorInfo read_tensor(Reader& reader) {
  TensorInfo tensor;
  tensor.name = reader.text();
  const auto axes = reader.number<uint32_t>();
  const std::string name = quote_name(tensor.name);
  if (axes > kMaxDims) reader.reject("has tensor ", name, " of ", axes, " dimensions.");
  std::vector<uint64_t> lengths;
  for (uint32_t i = 0; i < axes; ++i) lengths.push_back(reader.number<uint64_t>());
  for (size_t i = lengths.size(); i-- > 0;) {
    if (lengths[i] > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      reader.reject("has tensor ", name, " with a length of ", lengths[i], ".");
    }
    tensor.shape.push_back(static_cast<int64_t>(lengths[i]));
  }
  const auto type = reader.number<uint32_t>();
  tensor.type = find_gguf_type(type);
  tensor.offset = reader.number<uint64_t>();
  if (tensor.type == nullptr) {
    std::string known;
    for (const GgufType& row : gguf_types()) {
      known += (known.empty() ? "" : ", ") + std::string(row.name);
    }
    reader.reject("has tensor ", name, " of type ", type, ", which is not supported. Known are ",
                  known, ".");
  }
  size_t doubles = 0;
  if (!count_bytes(tensor.shape, Dtype::kFloat64, doubles)) {
    reader.reject("has tensor ", name, " of shape ", tensor.shape, ", which is too large.");
  }
  const int64_t last = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (last % static_cast<int64_t>(tensor.type->block_elements) != 0) {
    reader.reject("has tensor ", name, " of shape ", tensor.shape, ", but ", tensor.type->name,
                  " has blocks of ", tensor.type->block_elements, " along the last axis.");
  }
  const auto elements = static_cast<uint64_t>(element_count(tensor.shape));
  tensor.bytes = elements / tensor.type->block_elements * tensor.type->block_bytes;
  return tensor;
}

/// What the arrays of one tensor are made from.
struct Source {
  std::string op;
  std::shared_ptr<const MappedFile> file;
  const GgufType* type;
  size_t offset;
  size_t bytes;

  int64_t blocks() const { return static_cast<int64_t>(bytes / type->block_bytes); }
  /// f(i, block i) for all blocks, over threads.
  template <class F>
  void for_blocks(F&& f) const {
    const std::shared_ptr<Buffer> view = file->view(op, offset, bytes);
    const auto* data = static_cast<const uint8_t*>(view->data());
    const double cost_ns = kDecodeNanoseconds * static_cast<double>(type->block_elements);
    parallel_ranges(blocks(), cost_ns, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
        f(i, data + i * type->block_bytes);
      }
    });
  }
};

array widened_array(const Source& source, const Shape& shape) {
  return deferred_array(shape, Dtype::kFloat16, {},
                        [source](const std::vector<array>&, void* destination) {
                          auto* to = static_cast<float16*>(destination);
                          const size_t count = source.type->block_elements;
                          source.for_blocks([&](size_t i, const uint8_t* block) {
                            std::vector<float> numbers(count);
                            source.type->decode(block, numbers.data());
                            std::transform(numbers.begin(), numbers.end(), to + i * count,
                                           [](float value) { return float16(value); });
                          });
                        });
}

/// Codes, scales and biases.
std::vector<array> affine_arrays(const Source& source, const Shape& shape) {
  const int bits = source.type->affine->bits;
  Shape words = shape;
  words.back() = words.back() * bits / 32;
  Shape groups = shape;
  groups.back() /= static_cast<int64_t>(source.type->block_elements);
  auto produce = [source, bits](const std::vector<array>&) {
    const auto blocks = static_cast<size_t>(source.blocks());
    const size_t word_bytes = source.type->block_elements * static_cast<size_t>(bits) / 8;
    std::vector<std::shared_ptr<Buffer>> buffers{Buffer::allocate(blocks * word_bytes),
                                                 Buffer::allocate(blocks * sizeof(float16)),
                                                 Buffer::allocate(blocks * sizeof(float16))};
    auto* codes = static_cast<uint8_t*>(buffers[0]->data());
    auto* scales = static_cast<float16*>(buffers[1]->data());
    auto* biases = static_cast<float16*>(buffers[2]->data());
    source.for_blocks([&](size_t i, const uint8_t* block) {
      source.type->affine->unpack(block, codes + i * word_bytes, scales[i], biases[i]);
    });
    return buffers;
  };
  return deferred_arrays(
      {{words, Dtype::kUint32}, {groups, Dtype::kFloat16}, {groups, Dtype::kFloat16}}, {}, produce);
}

std::string without_weight(const std::string& name) {
  constexpr std::string_view kSuffix = ".weight";
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size()) : name;
}

void add_arrays(const Source& source, TensorInfo tensor, Gguf& result) {
  const GgufType& type = *source.type;
  if (type.dtype) {
    result.arrays.push_back(
        {std::move(tensor.name),
         file_array(source.op, source.file, source.offset, tensor.shape, *type.dtype)});
  } else if (type.affine != nullptr) {
    const std::vector<array> parts = affine_arrays(source, tensor.shape);
    const std::string stem = without_weight(tensor.name);
    result.arrays.push_back({std::move(tensor.name), parts[0]});
    result.arrays.push_back({stem + ".scales", parts[1]});
    result.arrays.push_back({stem + ".biases", parts[2]});
  } else {
    if (type.block_elements > 1) {
      result.widened.push_back(tensor.name + " (" + std::string(type.name) + ")");
    }
    result.arrays.push_back({std::move(tensor.name), widened_array(source, tensor.shape)});
  }
}

uint64_t alignment_of(const Reader& reader, const GgufMetadata& metadata) {
  for (const auto& [key, value] : metadata) {
    const auto* number = std::get_if<array>(&value);
    if (key != kAlignmentKey || number == nullptr || number->dtype() != Dtype::kUint32 ||
        number->size() != 1) {
      continue;
    }
    const uint32_t alignment = *number->data<uint32_t>();
    if (!std::has_single_bit(alignment)) {
      reader.reject("asks for an alignment of ", alignment, ", expected a power of two.");
    }
    return alignment;
  }
  return kDefaultAlignment;
}

uint64_t aligned(uint64_t position, uint64_t alignment) {
  return (position + alignment - 1) / alignment * alignment;
}

}  // namespace

Gguf read_gguf(std::string_view op, const std::shared_ptr<const MappedFile>& file) {
  Reader reader(op, *file);
  if (reader.left() < kMagic.size() ||
      std::memcmp(reader.take(kMagic.size()), kMagic.data(), kMagic.size()) != 0) {
    reader.reject("does not begin with the bytes GGUF: it is of another format.");
  }
  const auto version = reader.number<uint32_t>();
  if (version != 2 && version != kVersion) {
    reader.reject("has version ", version, " of GGUF, expected 2 or 3.");
  }
  const auto tensors = reader.number<uint64_t>();
  const auto values = reader.number<uint64_t>();
  Gguf result;
  std::set<std::string> keys;
  for (uint64_t i = 0; i < values; ++i) {
    std::string key = reader.text();
    if (!keys.insert(key).second) reader.reject("has metadata ", quote_name(key), " twice.");
    GgufValue value = read_value(reader);
    result.metadata.emplace_back(std::move(key), std::move(value));
  }
  std::vector<TensorInfo> infos;
  for (uint64_t i = 0; i < tensors; ++i) infos.push_back(read_tensor(reader));
  const uint64_t data = aligned(reader.position(), alignment_of(reader, result.metadata));
  const uint64_t end = file->size_bytes();
  for (TensorInfo& tensor : infos) {
    if (data > end || tensor.offset > end - data || tensor.bytes > end - data - tensor.offset) {
      reader.reject("has tensor ", quote_name(tensor.name), " of ", tensor.bytes, " bytes at byte ",
                    tensor.offset, " of the data, but ends at byte ", end, ": it is incomplete.");
    }
    const Source source{std::string(op), file, tensor.type,
                        static_cast<size_t>(data + tensor.offset),
                        static_cast<size_t>(tensor.bytes)};
    add_arrays(source, std::move(tensor), result);
  }
  std::set<std::string_view> names;
  for (const NamedArray& named : result.arrays) {
    if (!names.insert(named.name).second) {
      reader.reject("has two arrays named ", quote_name(named.name), ".");
    }
  }
  return result;
}

// ---- Writing ----

namespace {

template <class T>
void append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_text(std::string& to, std::string_view text) {
  append(to, static_cast<uint64_t>(text.size()));
  to.append(text);
}

void append_array(std::string_view op, std::string& to, std::string_view key, const array& value) {
  const auto* row =
      std::find_if(std::begin(kNumberTypes), std::end(kNumberTypes), [&](const NumberType& known) {
        return known.dtype == value.dtype() && known.dtype != Dtype::kFloat64;
      });
  if (value.ndim() > 1 || value.size() == 0) {
    fail_runtime(op, "metadata ", quote_name(key), " have shape ", value.shape(),
                 ", expected a number or a vector that is not empty.");
  }
  if (row == std::end(kNumberTypes)) {
    fail(op, "metadata ", quote_name(key), " have dtype ", value.dtype(),
         ", expected integers, bool or float32.");
  }
  const array dense = value.contiguous();
  append(to, value.ndim() == 0 ? row->id : static_cast<uint32_t>(kList));
  if (value.ndim() == 1) {
    append(to, row->id);
    append(to, static_cast<uint64_t>(value.size()));
  }
  to.append(dense.data<char>(), dense.nbytes());
}

void append_value(std::string_view op, std::string& to, std::string_view key,
                  const GgufValue& value) {
  append_text(to, key);
  if (const auto* text = std::get_if<std::string>(&value)) {
    append(to, static_cast<uint32_t>(kText));
    append_text(to, *text);
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    append(to, static_cast<uint32_t>(kList));
    append(to, static_cast<uint32_t>(kText));
    append(to, static_cast<uint64_t>(texts->size()));
    for (const std::string& entry : *texts) append_text(to, entry);
  } else {
    append_array(op, to, key, std::get<array>(value));
  }
}

/// The alignment that the metadata ask for.
uint64_t wanted_alignment(std::string_view op, const GgufMetadata& metadata) {
  for (const auto& [key, value] : metadata) {
    if (key != kAlignmentKey) continue;
    const auto* number = std::get_if<array>(&value);
    if (number == nullptr || number->dtype() != Dtype::kUint32 || number->size() != 1 ||
        !std::has_single_bit(*number->data<uint32_t>())) {
      fail(op, "metadata ", kAlignmentKey, " must be a power of two, dtype uint32.");
    }
    return *number->data<uint32_t>();
  }
  return kDefaultAlignment;
}

void pad(Writer& writer, uint64_t position, uint64_t alignment) {
  constexpr size_t kZeros = 64;
  constexpr char zeros[kZeros] = {};
  uint64_t rest = aligned(position, alignment) - position;
  for (; rest > 0; rest -= std::min<uint64_t>(rest, kZeros)) {
    writer.write(zeros, static_cast<size_t>(std::min<uint64_t>(rest, kZeros)));
  }
}

}  // namespace

void write_gguf(std::string_view op, Writer& writer, const std::vector<NamedArray>& arrays,
                const GgufMetadata& metadata) {
  const uint64_t alignment = wanted_alignment(op, metadata);
  std::string header(kMagic);
  append(header, kVersion);
  append(header, static_cast<uint64_t>(arrays.size()));
  append(header, static_cast<uint64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) append_value(op, header, key, value);
  uint64_t offset = 0;
  for (const auto& [name, value] : arrays) {
    const GgufType* type = find_gguf_type(value.dtype());
    if (type == nullptr || type->id > 26) {
      fail_runtime(op, quote_name(name), " has dtype ", value.dtype(),
                   ", expected float16, float32, int8, int16 or int32. Convert it with astype().");
    }
    append_text(header, name);
    append(header, static_cast<uint32_t>(value.ndim()));
    for (size_t i = value.ndim(); i-- > 0;) {
      append(header, static_cast<uint64_t>(value.shape()[i]));
    }
    append(header, type->id);
    append(header, offset);
    offset = aligned(offset + value.nbytes(), alignment);
  }
  writer.write(header);
  pad(writer, header.size(), alignment);
  for (const auto& [name, value] : arrays) {
    write_elements(writer, value);
    pad(writer, value.nbytes(), alignment);
  }
}

}  // namespace nybble
