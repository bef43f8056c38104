// SPDX-License-Identifier: Apache-2.0
#include "data_utils.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace rknn_app {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicSize = 6, kLongestHeader = 1 << 20;

[[noreturn]] void refuse(const std::string& path, const std::string& problem) {
  throw std::runtime_error(path + ": " + problem);
}

// The text behind 'key': up to the end of the header.
std::string field(const std::string& header, const std::string& key, const std::string& path) {
  const size_t at = header.find("'" + key + "':");
  if (at == std::string::npos) refuse(path, "the .npy header has no '" + key + "'");
  const size_t value = header.find_first_not_of(' ', at + key.size() + 3);
  return value == std::string::npos ? "" : header.substr(value);
}

std::vector<size_t> parse_shape(const std::string& text, const std::string& path) {
  const size_t end = text.find(')');
  if (text.empty() || text[0] != '(' || end == std::string::npos) refuse(path, "the .npy header has no shape");
  std::vector<size_t> shape;
  std::istringstream items(text.substr(1, end - 1));
  for (std::string item; std::getline(items, item, ',');) {
    if (item.find_first_not_of(' ') == std::string::npos) continue;
    std::istringstream number(item);
    long long extent = -1;
    number >> extent;
    if (extent < 0) refuse(path, "the .npy header has the extent '" + item + "'");
    shape.push_back(static_cast<size_t>(extent));
  }
  return shape;
}

float half_to_float(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  float value = NAN;
  if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), -24);
  } else if (exponent < 31) {
    value = std::ldexp(static_cast<float>(fraction | 1024), exponent - 25);
  } else if (fraction == 0) {
    value = INFINITY;
  }
  return (half & 0x8000) != 0 ? -value : value;
}

template <class T>
T load(const Array& array, size_t index) {
  T value;
  std::memcpy(&value, array.data.data() + index * sizeof value, sizeof value);
  return value;
}

// take(element) in the element's own type.
template <class Take>
auto with_element(const Array& array, size_t index, const Take& take) {
  if (array.kind == 'f') {
    if (array.size == 2) return take(half_to_float(load<uint16_t>(array, index)));
    return array.size == 4 ? take(load<float>(array, index)) : take(load<double>(array, index));
  }
  if (array.kind == 'i') {
    if (array.size == 1) return take(load<int8_t>(array, index));
    if (array.size == 2) return take(load<int16_t>(array, index));
    return array.size == 4 ? take(load<int32_t>(array, index)) : take(load<int64_t>(array, index));
  }
  if (array.size == 1) return take(load<uint8_t>(array, index));
  if (array.size == 2) return take(load<uint16_t>(array, index));
  return array.size == 4 ? take(load<uint32_t>(array, index)) : take(load<uint64_t>(array, index));
}

}  // namespace

Array read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(path, "the file cannot be opened");
  unsigned char head[kMagicSize + 2] = {};
  file.read(reinterpret_cast<char*>(head), sizeof head);
  if (!file || std::memcmp(head, kMagic, kMagicSize) != 0) refuse(path, "this is no .npy file");
  unsigned char length[4] = {};
  file.read(reinterpret_cast<char*>(length), head[kMagicSize] == 1 ? 2 : 4);
  const size_t bytes = length[0] | length[1] << 8 | length[2] << 16 | static_cast<size_t>(length[3]) << 24;
  if (!file || bytes > kLongestHeader) refuse(path, "the .npy header is damaged");
  std::string header(bytes, ' ');
  file.read(&header[0], static_cast<std::streamsize>(bytes));
  if (!file) refuse(path, "the file ends too early");

  const std::string type = field(header, "descr", path).substr(0, 5);  // '<f4'
  Array array;
  array.kind = type.size() == 5 ? type[2] : '?';
  array.size = type.size() == 5 ? static_cast<size_t>(type[3] - '0') : 0;
  const bool known = (array.kind == 'f' && (array.size == 2 || array.size == 4 || array.size == 8)) ||
                     ((array.kind == 'i' || array.kind == 'u') &&
                      (array.size == 1 || array.size == 2 || array.size == 4 || array.size == 8)) ||
                     (array.kind == 'b' && array.size == 1);
  if (!known || type[1] == '>') refuse(path, "arrays of " + type + " are not read, save it as float32");
  if (field(header, "fortran_order", path).compare(0, 5, "False") != 0) {
    refuse(path, "the array is in Fortran order: save numpy.ascontiguousarray(array)");
  }
  array.shape = parse_shape(field(header, "shape", path), path);

  // The size is asked of the file, not of the header: a damaged header must not make us allocate.
  const std::streamoff start = file.tellg();
  file.seekg(0, std::ios::end);
  const auto available = static_cast<size_t>(file.tellg() - start);
  size_t wanted = array.size;
  for (const size_t extent : array.shape) {
    if (extent != 0 && wanted > available / extent) refuse(path, "the file ends too early");
    wanted *= extent;
  }
  if (wanted > available) refuse(path, "the file ends too early");
  file.seekg(start);
  array.data.resize(wanted);
  file.read(reinterpret_cast<char*>(array.data.data()), static_cast<std::streamsize>(wanted));
  if (!file) refuse(path, "the file cannot be read");
  return array;
}

void write_npy(const std::string& path, const Array& array) {
  std::string header = "{'descr': '";
  header += array.size == 1 ? '|' : '<';
  header += array.kind + std::to_string(array.size) + "', 'fortran_order': False, 'shape': (";
  for (const size_t extent : array.shape) header += std::to_string(extent) + ", ";
  if (array.shape.size() > 1) header.resize(header.size() - 2);
  if (array.shape.size() == 1) header.resize(header.size() - 1);
  header += "), }";
  while ((kMagicSize + 4 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file.write(kMagic, kMagicSize).put(1).put(0);
  file.put(static_cast<char>(header.size() & 255)).put(static_cast<char>(header.size() >> 8));
  file << header;
  file.write(reinterpret_cast<const char*>(array.data.data()), static_cast<std::streamsize>(array.data.size()));
  file.close();
  if (!file) refuse(path, "the file cannot be written");
}

float element_as_float(const Array& array, size_t index) {
  return with_element(array, index, [](auto element) { return static_cast<float>(element); });
}

int64_t element_as_integer(const Array& array, size_t index) {
  return with_element(array, index, [](auto element) {
    constexpr double kLimit = 9223372036854775808.0;  // 2^63
    const auto real = static_cast<double>(element);
    if (!(real >= -kLimit && real < kLimit) || std::floor(real) != real) {
      throw std::runtime_error("the input takes whole numbers, the array holds " + std::to_string(real));
    }
    return static_cast<int64_t>(element);
  });
}

double cosine_similarity(const Array& a, const Array& b) {
  const auto real = [](auto element) { return static_cast<double>(element); };
  double product = 0, square_a = 0, square_b = 0;
  for (size_t i = 0; i < a.count(); ++i) {
    const double x = with_element(a, i, real), y = with_element(b, i, real);
    product += x * y;
    square_a += x * x;
    square_b += y * y;
  }
  if (square_a == 0 && square_b == 0) return 1;
  return square_a == 0 || square_b == 0 ? 0 : product / (std::sqrt(square_a) * std::sqrt(square_b));
}

std::string to_string(const std::vector<size_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace rknn_app
