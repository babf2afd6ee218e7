#include "nybble/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "nybble/io/names.h"
#include "nybble/io/safetensors_header.h"

namespace nybble {
namespace {

struct DtypeName {
  std::string_view name;
  Dtype dtype;
};

// The first name of a dtype is the one that is written.
constexpr DtypeName kDtypeNames[] = {
    {"BOOL", Dtype::kBool},     {"U8", Dtype::kUint8},      {"U16", Dtype::kUint16},
    {"U32", Dtype::kUint32},    {"U64", Dtype::kUint64},    {"I8", Dtype::kInt8},
    {"I16", Dtype::kInt16},     {"I32", Dtype::kInt32},     {"I64", Dtype::kInt64},
    {"F16", Dtype::kFloat16},   {"BF16", Dtype::kBfloat16}, {"F32", Dtype::kFloat32},
    {"F64", Dtype::kFloat64},   {"C64", Dtype::kComplex64}, {"F8_E4M3", Dtype::kUint8},
    {"F8_E5M2", Dtype::kUint8}, {"F8_E8M0", Dtype::kUint8},
};

constexpr size_t kLengthBytes = sizeof(uint64_t);

// The format asks for 8. With 64, data of a mapped file are aligned as memory of our own is.
constexpr size_t kDataAlignment = kBufferAlignment;

std::string_view name_of(Dtype dtype) {
  return std::find_if(std::begin(kDtypeNames), std::end(kDtypeNames),
                      [dtype](const DtypeName& row) { return row.dtype == dtype; })
      ->name;
}

/// The part of the file that is the header.
std::string_view header_text(std::string_view op, const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  uint64_t length = 0;
  if (bytes.size() < kLengthBytes) {
    fail_runtime(
        op, quote_name(file.name()), " has ", bytes.size(),
        " bytes, a safetensors file has at least 10: it is incomplete or of another format.");
  }
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxSafetensorsHeader) {
    fail_runtime(op, quote_name(file.name()), " claims a safetensors header of ", length,
                 " bytes, at most 100000000 are allowed: it is damaged or of another format.");
  }
  if (length > bytes.size() - kLengthBytes) {
    fail_runtime(op, quote_name(file.name()), " claims a safetensors header of ", length,
                 " bytes, but ends after ", bytes.size() - kLengthBytes,
                 " of them: it is incomplete.");
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, static_cast<size_t>(length)};
}

/// Checks one entry, whose data must begin where those before it end.
std::pair<Shape, Dtype> check_entry(std::string_view op, const std::string& file_name,
                                    const TensorEntry& entry, uint64_t expected_begin) {
  const auto reject = [&](const auto&... parts) {
    fail_runtime(op, "tensor ", quote_name(entry.name), " in ", quote_name(file_name), " ",
                 parts...);
  };
  const auto row = std::find_if(std::begin(kDtypeNames), std::end(kDtypeNames),
                                [&](const DtypeName& known) { return known.name == entry.dtype; });
  if (row == std::end(kDtypeNames))
    reject("has dtype ", quote_name(entry.dtype), ", which is not supported.");
  Shape shape;
  size_t bytes = 0;
  bool countable = true;
  for (const uint64_t length : entry.shape) {
    countable = countable && length <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    shape.push_back(countable ? static_cast<int64_t>(length) : 0);
  }
  if (!countable || !count_bytes(shape, row->dtype, bytes)) {
    reject("has a shape with more bytes than can be counted.");
  }
  if (entry.begin != expected_begin) {
    reject("begins at byte ", entry.begin, " of the data, but the one before it ends at ",
           expected_begin, ": gaps and overlaps are not allowed.");
  }
  if (entry.end < entry.begin || entry.end - entry.begin != bytes) {
    reject("has data_offsets [", entry.begin, ", ", entry.end, "], but ", entry.dtype, " of shape ",
           shape, " takes ", bytes, " bytes.");
  }
  return {shape, row->dtype};
}

/// The arrays in the order in which they are written.
std::vector<const NamedArray*> writing_order(std::string_view op,
                                             const std::vector<NamedArray>& arrays) {
  std::vector<const NamedArray*> order;
  for (const NamedArray& named : arrays) {
    if (named.name == "__metadata__") {
      fail(op, "an array cannot be named '__metadata__': the file format uses that name itself.");
    }
    order.push_back(&named);
  }
  const auto place = [](const NamedArray* named) {
    return std::tuple(-static_cast<int>(named->value.itemsize()), name_of(named->value.dtype()),
                      std::string_view(named->name));
  };
  std::sort(order.begin(), order.end(),
            [&](const NamedArray* a, const NamedArray* b) { return place(a) < place(b); });
  return order;
}

void check_distinct(std::string_view op, const std::vector<NamedArray>& arrays) {
  std::vector<std::string_view> names;
  for (const NamedArray& named : arrays) names.push_back(named.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) fail(op, "two arrays are named ", quote_name(*twice), ".");
}

}  // namespace

Safetensors read_safetensors(std::string_view op, const std::shared_ptr<const MappedFile>& file) {
  const std::string_view text = header_text(op, *file);
  SafetensorsHeader header = parse_safetensors_header(op, file->name(), text);
  // Empty tensors may share their offsets with others: they come first.
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const TensorEntry& a, const TensorEntry& b) {
              return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
            });
  const size_t data_offset = kLengthBytes + text.size();
  const uint64_t data_bytes = file->size_bytes() - data_offset;
  std::vector<std::pair<Shape, Dtype>> types;
  uint64_t end = 0;
  for (const TensorEntry& entry : header.tensors) {
    types.push_back(check_entry(op, file->name(), entry, end));
    end = entry.end;
    if (end > data_bytes) {
      fail_runtime(op, "tensor ", quote_name(entry.name), " in ", quote_name(file->name()),
                   " ends at byte ", end, " of the data, but the file has only ", data_bytes,
                   ": it is incomplete.");
    }
  }
  if (end != data_bytes) {
    fail_runtime(op, quote_name(file->name()), " has ", data_bytes,
                 " bytes of data, but its tensors only ", end, ": it is damaged.");
  }
  Safetensors result;
  result.metadata = std::move(header.metadata);
  for (size_t i = 0; i < types.size(); ++i) {
    TensorEntry& entry = header.tensors[i];
    const auto& [shape, dtype] = types[i];
    const size_t offset = data_offset + static_cast<size_t>(entry.begin);
    result.arrays.push_back({std::move(entry.name), file_array(op, file, offset, shape, dtype)});
  }
  return result;
}

void write_safetensors(std::string_view op, Writer& writer, const std::vector<NamedArray>& arrays,
                       const Metadata& metadata) {
  check_distinct(op, arrays);
  const std::vector<const NamedArray*> order = writing_order(op, arrays);
  SafetensorsHeader header;
  header.metadata = metadata;
  uint64_t end = 0;
  for (const NamedArray* named : order) {
    const array& value = named->value;
    const uint64_t begin = std::exchange(end, end + value.nbytes());
    header.tensors.push_back({named->name,
                              std::string(name_of(value.dtype())),
                              {value.shape().begin(), value.shape().end()},
                              begin,
                              end});
  }
  std::string text = safetensors_header_text(op, header);
  const size_t data_offset = kLengthBytes + text.size();
  text.append((kDataAlignment - data_offset % kDataAlignment) % kDataAlignment, ' ');
  if (text.size() > kMaxSafetensorsHeader) {
    fail(op, "names and metadata take a header of ", text.size(),
         " bytes, readers of the format accept 100000000.");
  }
  const uint64_t length = text.size();
  writer.write(&length, sizeof(length));
  writer.write(text);
  for (const NamedArray* named : order) write_elements(writer, named->value);
}

}  // namespace nybble
