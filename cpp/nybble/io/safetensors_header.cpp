#include "nybble/io/safetensors_header.h"

#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "nybble/io/names.h"

namespace nybble {
namespace {

using json = nlohmann::json;

constexpr std::string_view kMetadataName = "__metadata__";
constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};

/// Takes the parser's events. Anything out of place throws, so that no handler returns false.
///
/// A parser that built the whole document would need sixteen times the memory of the text, would
/// keep the last of two equal names without a word, and would have to be searched for wrong types
/// afterwards.
class HeaderEvents : public nlohmann::json_sax<json> {
 public:
  HeaderEvents(std::string_view op, std::string_view file_name) : op_(op), file_name_(file_name) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool key(string_t& text) override {
    if (place_ == Place::kIgnored) return true;
    key_ = text;
    if (place_ == Place::kFile) {
      if (!names_.insert(text).second) reject("has two entries named ", quote_name(text));
    } else if (place_ == Place::kTensor) {
      field_ = 0;
      while (field_ < kFields.size() && kFields[field_] != text) ++field_;
      if (field_ == kFields.size()) return true;
      if (seen_[field_]) {
        reject("has the field ", quote_name(text), " twice in tensor ", quote_name(tensor_.name));
      }
      seen_[field_] = true;
    } else if (header_.metadata.contains(text)) {
      reject("has the key ", quote_name(text), " twice in its metadata");
    }
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kFile;
    } else if (place_ == Place::kFile && key_ == kMetadataName) {
      place_ = Place::kMetadata;
    } else if (place_ == Place::kFile) {
      place_ = Place::kTensor;
      tensor_ = {key_, {}, {}, 0, 0};
      offsets_.clear();
      seen_ = {};
    } else {
      ignore_or_reject("an object");
      ++ignored_depth_;
      place_ = Place::kIgnored;
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kIgnored) return leave_ignored();
    if (place_ == Place::kTensor) finish_tensor();
    place_ = place_ == Place::kFile ? Place::kEnd : Place::kFile;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::kTensor && field_ == 1) {
      place_ = Place::kShape;
    } else if (place_ == Place::kTensor && field_ == 2) {
      place_ = Place::kOffsets;
    } else {
      ignore_or_reject("a list");
      ++ignored_depth_;
      place_ = Place::kIgnored;
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kIgnored) return leave_ignored();
    place_ = Place::kTensor;
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::kMetadata) {
      header_.metadata.emplace(key_, text);
    } else if (place_ == Place::kTensor && field_ == 0) {
      tensor_.dtype = text;
    } else {
      ignore_or_reject("a text");
    }
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      if (tensor_.shape.size() == kMaxDims) {
        reject("gives tensor ", quote_name(tensor_.name), " more than ", kMaxDims, " dimensions");
      }
      tensor_.shape.push_back(value);
    } else if (place_ == Place::kOffsets && offsets_.size() < 2) {
      offsets_.push_back(value);
    } else {
      ignore_or_reject("a number");
    }
    return true;
  }

  bool null() override {
    const bool no_metadata = place_ == Place::kFile && key_ == kMetadataName;
    if (!no_metadata) ignore_or_reject("null");
    return true;
  }
  bool boolean(bool) override { return ignore_or_reject("a bool"); }
  bool number_integer(number_integer_t) override { return ignore_or_reject("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override {
    return ignore_or_reject("the number " + text);
  }
  bool binary(binary_t&) override { return ignore_or_reject("binary data"); }

  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    reject("is not JSON from byte ", position, " on");
  }

 private:
  enum class Place { kStart, kFile, kMetadata, kTensor, kShape, kOffsets, kIgnored, kEnd };

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail_runtime(op_, "the safetensors header of ", quote_name(file_name_), " ", parts..., ".");
  }

  /// A value of an unknown field, or something inside one; everything else is out of place.
  bool ignore_or_reject(std::string_view what) const {
    if (place_ == Place::kIgnored) return true;
    if (place_ == Place::kTensor && field_ == kFields.size()) return true;
    switch (place_) {
      case Place::kStart:
        reject("is ", what, ", expected an object");
      case Place::kFile:
        reject("has ", what, " for ", quote_name(key_), ", expected an object");
      case Place::kMetadata:
        reject("has ", what, " for ", quote_name(key_), " in its metadata, expected a text");
      case Place::kOffsets:
      case Place::kShape:
        break;
      default:
        reject("has ", what, " for ", quote_name(key_), " of tensor ", quote_name(tensor_.name),
               ", expected ", field_ == 0 ? "a text" : "a list");
    }
    reject("has ", what, " in ", quote_name(kFields[field_]), " of tensor ",
           quote_name(tensor_.name), ", expected ",
           place_ == Place::kShape ? "lengths" : "two offsets");
  }

  bool leave_ignored() {
    if (--ignored_depth_ == 0) place_ = Place::kTensor;
    return true;
  }

  void finish_tensor() {
    for (size_t i = 0; i < kFields.size(); ++i) {
      if (!seen_[i]) reject("has no '", kFields[i], "' for tensor ", quote_name(tensor_.name));
    }
    if (offsets_.size() != 2) {
      reject("has ", offsets_.size(), " data_offsets for tensor ", quote_name(tensor_.name),
             ", expected two");
    }
    tensor_.begin = offsets_[0];
    tensor_.end = offsets_[1];
    header_.tensors.push_back(std::move(tensor_));
  }

  std::string_view op_;
  std::string_view file_name_;
  SafetensorsHeader header_;
  std::unordered_set<std::string> names_;
  Place place_ = Place::kStart;
  size_t ignored_depth_ = 0;
  std::string key_;
  TensorEntry tensor_;
  std::vector<uint64_t> offsets_;
  size_t field_ = 0;  // of the last key in kFields, or their number
  std::array<bool, kFields.size()> seen_{};
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view op, std::string_view file_name,
                                           std::string_view text) {
  // The parser takes a zero byte for the end and would not see what follows.
  const size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    fail_runtime(op, "the safetensors header of ", quote_name(file_name), " is not JSON from byte ",
                 zero + 1, " on.");
  }
  HeaderEvents events(op, file_name);
  json::sax_parse(text.begin(), text.end(), &events);
  return events.take();
}

std::string safetensors_header_text(std::string_view op, const SafetensorsHeader& header) {
  const auto literal = [op](std::string_view text) {
    if (!is_utf8(text)) {
      fail(op, quote_name(text),
           " is not UTF-8, as names and metadata in the file format must be.");
    }
    return json(text).dump();
  };
  std::string text;
  for (const auto& [key, value] : header.metadata) {
    text += (text.empty() ? "" : ",") + literal(key) + ":" + literal(value);
  }
  if (!text.empty()) text = literal(kMetadataName) + ":{" + text + "}";
  for (const TensorEntry& tensor : header.tensors) {
    const json fields = {{kFields[0], tensor.dtype},
                         {kFields[1], tensor.shape},
                         {kFields[2], {tensor.begin, tensor.end}}};
    text += (text.empty() ? "" : ",") + literal(tensor.name) + ":" + fields.dump();
  }
  return "{" + text + "}";
}

}  // namespace nybble
