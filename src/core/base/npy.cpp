#include "core/base/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/base/error.h"

// Format: numpy.lib.format's documentation. Magic, version, header length, a Python dict literal, the data.
namespace openrknn {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kLongestHeader = 1 << 20;

[[noreturn]] void bad(const std::string& file, const std::string& problem, const std::string& fix = {}) {
  fail(Code::BadNpy, Location{.file = file}, problem, fix);
}

struct Header {
  DType dtype;
  bool big_endian = false, fortran = false;
  Shape shape;
  size_t data_at = 0;
};

DType dtype_of_descr(std::string_view descr, const std::string& file, bool& big_endian) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"f2", DType::Float16}, {"f4", DType::Float32}, {"f8", DType::Float64}, {"i1", DType::Int8},
      {"i2", DType::Int16},   {"i4", DType::Int32},   {"i8", DType::Int64},   {"u1", DType::UInt8},
      {"u2", DType::UInt16},  {"u4", DType::UInt32},  {"u8", DType::UInt64},  {"b1", DType::Bool},
  };
  if (descr.size() == 3) {
    big_endian = descr[0] == '>';
    for (const auto& [type_name, dtype] : kTypes) {
      if (descr.substr(1) == type_name) return dtype;
    }
  }
  bad(file, fmt::format("element type '{}' is not supported", descr),
      "save the array as float32, an integer type or bool");
}

// The value of one key of the dict literal: what stands between `'key':` and the comma or brace that ends it.
std::optional<std::string_view> dict_value(std::string_view dict, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string wanted = fmt::format("{}{}{}", quote, key, quote);
    const size_t at = dict.find(wanted);
    if (at == std::string_view::npos) continue;
    size_t begin = dict.find(':', at + wanted.size());
    if (begin == std::string_view::npos) return std::nullopt;
    begin = dict.find_first_not_of(' ', begin + 1);
    if (begin == std::string_view::npos) return std::nullopt;
    const size_t end = dict[begin] == '(' ? dict.find(')', begin) : dict.find_first_of(",}", begin);
    if (end == std::string_view::npos) return std::nullopt;
    return dict.substr(begin, dict[begin] == '(' ? end - begin + 1 : end - begin);
  }
  return std::nullopt;
}

Header parse_header(std::string_view dict, const std::string& file) {
  Header header;
  const auto descr = dict_value(dict, "descr"), order = dict_value(dict, "fortran_order"),
             shape = dict_value(dict, "shape");
  if (!descr || !order || !shape) bad(file, "the header lacks descr, fortran_order or shape");
  if (descr->size() < 2) bad(file, "the header's descr is empty");
  if (descr->front() == '[') bad(file, "structured arrays are not supported", "save one plain array");
  header.dtype = dtype_of_descr(descr->substr(1, descr->size() - 2), file, header.big_endian);
  header.fortran = order->substr(0, 4) == "True";
  if (shape->front() != '(') bad(file, "the header's shape is not a tuple");
  const char* at = shape->data() + 1;
  const char* const end = shape->data() + shape->size() - 1;
  while (at < end) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t extent = -1;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 0) bad(file, fmt::format("the header's shape {} is not valid", *shape));
    header.shape.push_back(extent);
    at = next;
  }
  if (header.shape.size() > 32) bad(file, fmt::format("{} dimensions, at most 32 are supported", header.shape.size()));
  return header;
}

void swap_bytes(std::span<std::byte> bytes, size_t element) {
  for (size_t i = 0; i + element <= bytes.size(); i += element)
    std::reverse(bytes.begin() + i, bytes.begin() + i + element);
}

// The header of a file that holds as many bytes as the header says.
Header checked_header(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, kMagic.size()) != kMagic)
    bad(file, "not a .npy file (the magic bytes are missing)", "save it with numpy.save");
  if (text.size() < 12) bad(file, fmt::format("truncated: {} bytes", text.size()));
  const int major = static_cast<unsigned char>(text[6]);
  if (major < 1 || major > 3) bad(file, fmt::format("format version {} is not known, expected 1 to 3", major));
  const size_t length_bytes = major == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(text[8 + i])) << (8 * i);
  const size_t data_at = 8 + length_bytes + length;
  if (length > kLongestHeader)
    bad(file, fmt::format("the header claims {} bytes, at most {} are read", length, kLongestHeader));
  if (data_at > text.size()) bad(file, "truncated inside the header");
  Header header = parse_header(text.substr(8 + length_bytes, length), file);
  header.data_at = data_at;

  int64_t count = 1;
  for (const int64_t extent : header.shape) {
    if (__builtin_mul_overflow(count, extent, &count)) {
      bad(file, fmt::format("truncated: shape {} has more than 2^63 elements", to_string(header.shape)));
    }
  }
  const size_t element = static_cast<size_t>(bit_width(header.dtype) / 8);
  const size_t available = text.size() - data_at;
  // Compared by division: an absurd shape must not overflow or be allocated.
  if (static_cast<uint64_t>(count) > available / element) {
    bad(file, fmt::format("truncated: shape {} of {} needs {} elements, the file holds {}", to_string(header.shape),
                          numpy_name(header.dtype), count, available / element));
  }
  return header;
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, const std::string& file) {
  const Header header = checked_header(bytes, file);
  const size_t element = static_cast<size_t>(bit_width(header.dtype) / 8);
  const bool reversed = header.fortran && header.shape.size() > 1;
  Shape stored = header.shape;
  if (reversed) std::reverse(stored.begin(), stored.end());
  Tensor tensor(header.dtype, stored);
  const std::span<std::byte> target = tensor.mutable_bytes();
  if (!target.empty()) std::memcpy(target.data(), bytes.data() + header.data_at, target.size());
  if (header.big_endian && element > 1) swap_bytes(target, element);
  if (header.dtype == DType::Bool) {
    for (std::byte& value : target) value = value == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  if (!reversed) return tensor;
  std::vector<int> order(stored.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(order.size() - 1 - i);
  return transpose(tensor, order);
}

Tensor read_npy(const std::filesystem::path& path) { return parse_npy(MappedFile::open(path)->bytes(), path.string()); }

NpyInfo inspect_npy(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  Header header = checked_header(file->bytes(), path.string());
  return {header.dtype, std::move(header.shape)};
}

std::string npy_header(DType dtype, const Shape& extents) {
  const char kind = dtype == DType::Bool                                                    ? 'b'
                    : dtype == DType::BFloat16 || !(is_floating(dtype) || is_signed(dtype)) ? 'u'
                    : is_floating(dtype)                                                    ? 'f'
                                                                                            : 'i';
  const int element = bit_width(dtype) / 8;
  std::string shape;
  for (const int64_t extent : extents) shape += fmt::format("{}, ", extent);
  if (extents.size() > 1) shape.resize(shape.size() - 2);
  if (extents.size() == 1) shape.resize(shape.size() - 1);
  std::string header = fmt::format("{{'descr': '{}{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                   element == 1 ? '|' : '<', kind, element, shape);
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string out(kMagic);
  out += {'\x01', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  return out + header;
}

std::string to_npy(const Tensor& given) {
  Tensor tensor = given;
  if (bit_width(tensor.dtype()) == 4) tensor = cast(tensor, is_signed(tensor.dtype()) ? DType::Int8 : DType::UInt8);
  std::string out = npy_header(tensor.dtype(), tensor.shape());
  out.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
  return out;
}

}  // namespace openrknn
