#include "nybble/io/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "nybble/io/names.h"

namespace nybble {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kDataAlignment = 64;

struct NpyType {
  std::string_view code;  // without byte order
  Dtype dtype;
};

constexpr NpyType kTypes[] = {
    {"b1", Dtype::kBool},    {"u1", Dtype::kUint8},     {"u2", Dtype::kUint16},
    {"u4", Dtype::kUint32},  {"u8", Dtype::kUint64},    {"i1", Dtype::kInt8},
    {"i2", Dtype::kInt16},   {"i4", Dtype::kInt32},     {"i8", Dtype::kInt64},
    {"f2", Dtype::kFloat16}, {"V2", Dtype::kBfloat16},  {"f4", Dtype::kFloat32},
    {"f8", Dtype::kFloat64}, {"c8", Dtype::kComplex64},
};

/// Reads the Python dict of a header: just the forms that may occur there.
class HeaderText {
 public:
  HeaderText(std::string_view op, std::string_view name, std::string_view text)
      : op_(op), name_(name), text_(text) {}

  [[noreturn]] void reject(std::string_view what) const {
    fail_runtime(op_, "the .npy header of ", quote_name(name_), " ", what, ": ", quote_name(text_),
                 ".");
  }

  /// Takes the character if it is next after blanks.
  bool take(char character) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != character) return false;
    ++at_;
    return true;
  }
  void expect(char character) {
    if (!take(character)) reject("is malformed");
  }
  bool take_word(std::string_view word) {
    skip_blanks();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }

  std::string_view string() {
    const char quote = take('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) reject("is malformed");
    const std::string_view result = text_.substr(at_, end - at_);
    at_ = end + 1;
    return result;
  }

  int64_t length() {
    skip_blanks();
    int64_t value = 0;
    const char* first = text_.data() + at_;
    const auto [last, error] = std::from_chars(first, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) reject("has a length that is none");
    at_ += static_cast<size_t>(last - first);
    take_word("L");  // Python 2 wrote long integers so
    return value;
  }

  Shape shape() {
    Shape result;
    expect('(');
    while (!take(')')) {
      if (result.size() == kMaxDims) reject("has too many dimensions");
      result.push_back(length());
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return result;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  std::string_view op_;
  std::string_view name_;
  std::string_view text_;
  size_t at_ = 0;
};

[[noreturn]] void fail_type_code(std::string_view op, std::string_view name,
                                 std::string_view what) {
  fail(op, quote_name(name), " holds ", what,
       ", which no dtype can hold. Supported are bool, integers, float16, float32, float64, "
       "complex64 and "
       "raw elements of 2 bytes (bfloat16); convert with NumPy's astype and save again.");
}

std::pair<Dtype, bool> parse_type(std::string_view op, std::string_view name,
                                  std::string_view descr) {
  std::string_view code = descr;
  const bool swapped = code.starts_with('>');
  if (!code.empty() && std::string_view("<>=|").find(code[0]) != std::string_view::npos) {
    code.remove_prefix(1);
  }
  if (code == "O") fail_type_code(op, name, "pickled Python objects");
  const auto row = std::find_if(std::begin(kTypes), std::end(kTypes),
                                [&](const NpyType& type) { return type.code == code; });
  if (row == std::end(kTypes)) {
    fail_type_code(op, name, "elements of NumPy type " + quote_name(descr));
  }
  return {row->dtype, swapped};
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

size_t npy_header_bytes(std::string_view op, std::string_view name,
                        std::span<const std::byte> prefix) {
  const std::string_view text = as_text(prefix);
  if (!text.starts_with(kMagic) || text.size() < kNpyPrefixBytes) {
    fail_runtime(op, quote_name(name),
                 " does not begin like an .npy file: it is incomplete or of another "
                 "format.");
  }
  const auto version = static_cast<unsigned char>(text[kMagic.size()]);
  const size_t length_at = kMagic.size() + 2;
  if (version == 1) {
    uint16_t length;
    std::memcpy(&length, text.data() + length_at, sizeof(length));
    return length_at + sizeof(length) + length;
  }
  if (version != 2 && version != 3) {
    fail_runtime(op, quote_name(name), " is an .npy file of version ", static_cast<int>(version),
                 ", only 1 to 3 are known.");
  }
  uint32_t length;
  std::memcpy(&length, text.data() + length_at, sizeof(length));
  return length_at + sizeof(length) + length;
}

NpyHeader parse_npy_header(std::string_view op, std::string_view name,
                           std::span<const std::byte> bytes) {
  NpyHeader header{};
  header.header_bytes = npy_header_bytes(op, name, bytes);
  if (header.header_bytes > bytes.size()) {
    fail_runtime(op, quote_name(name), " ends within its .npy header: it is incomplete.");
  }
  const size_t text_at = kMagic.size() + (bytes[kMagic.size()] == std::byte{1} ? 4 : 6);
  HeaderText text(op, name, as_text(bytes.subspan(text_at, header.header_bytes - text_at)));
  std::optional<std::pair<Dtype, bool>> type;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
  text.expect('{');
  while (!text.take('}')) {
    const std::string_view key = text.string();
    text.expect(':');
    if (key == "descr" && !type) {
      if (text.take('[') || text.take('(')) fail_type_code(op, name, "structured elements");
      type = parse_type(op, name, text.string());
    } else if (key == "fortran_order" && !fortran_order) {
      fortran_order = text.take_word("True");
      if (!*fortran_order && !text.take_word("False")) text.reject("is malformed");
    } else if (key == "shape" && !shape) {
      shape = text.shape();
    } else {
      text.reject("has an unknown or repeated key");
    }
    if (!text.take(',')) {
      text.expect('}');
      break;
    }
  }
  if (!text.at_end()) text.reject("has something after its dict");
  if (!type || !fortran_order || !shape) text.reject("lacks descr, fortran_order or shape");
  header.dtype = type->first;
  header.swapped = type->second;
  header.fortran_order = *fortran_order;
  header.shape = *shape;
  if (!count_bytes(header.shape, header.dtype, header.data_bytes)) {
    text.reject("has a shape with more bytes than can be counted");
  }
  return header;
}

array from_fortran_order(const array& reversed) {
  Shape shape = reversed.shape();
  Strides strides = reversed.strides();
  std::reverse(shape.begin(), shape.end());
  std::reverse(strides.begin(), strides.end());
  return reversed.view(shape, strides);
}

array read_npy(std::string_view op, const std::shared_ptr<const MappedFile>& file,
               size_t offset_bytes, size_t* end_bytes) {
  const std::span<const std::byte> bytes = file->bytes().subspan(offset_bytes);
  const NpyHeader header = parse_npy_header(op, file->name(), bytes);
  if (header.data_bytes > bytes.size() - header.header_bytes) {
    fail_runtime(op, quote_name(file->name()), " has ", bytes.size() - header.header_bytes,
                 " bytes of elements, but ", name(header.dtype), " of shape ", header.shape,
                 " takes ", header.data_bytes, ": it is incomplete.");
  }
  if (end_bytes != nullptr) *end_bytes = offset_bytes + header.header_bytes + header.data_bytes;
  Shape shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  const array elements =
      file_array(op, file, offset_bytes + header.header_bytes, shape, header.dtype, header.swapped);
  return header.fortran_order ? from_fortran_order(elements) : elements;
}

void write_npy(Writer& writer, const array& a) {
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const NpyType& row) { return row.dtype == a.dtype(); });
  // Other readers than NumPy expect just its spelling: a space behind every comma, and one in (2,).
  std::string shape;
  for (const int64_t length : a.shape()) {
    shape += (shape.empty() ? "" : ", ") + std::to_string(length);
  }
  if (a.ndim() == 1) shape += ',';
  std::string text = "{'descr': '" + std::string(a.itemsize() == 1 ? "|" : "<") +
                     std::string(type->code) + "', 'fortran_order': False, 'shape': (" + shape +
                     "), }";
  const size_t text_at = kMagic.size() + 4;
  const size_t used = text_at + text.size() + 1;
  text.append((kDataAlignment - used % kDataAlignment) % kDataAlignment, ' ');
  text += '\n';
  const auto length =
      static_cast<uint16_t>(text.size());  // 16 lengths take less than 400 characters
  writer.write(kMagic);
  writer.write(std::string_view("\x01\x00", 2));
  writer.write(&length, sizeof(length));
  writer.write(text);
  write_elements(writer, a);
}

}  // namespace nybble
