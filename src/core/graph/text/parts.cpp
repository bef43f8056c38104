#include "core/graph/text/parts.h"

#include <fmt/format.h>

#include <limits>

#include "core/graph/text/content.h"

namespace openrknn {
namespace {

constexpr int64_t kLargestGenerated = int64_t{1} << 26;  ///< elements of fill, iota and random

}  // namespace

std::pair<DType, Shape> TextParts::type() {
  const std::optional<DType> dtype = dtype_from_name(text_.peek().text);
  if (!dtype) text_.expected("a type such as f32");
  text_.word();
  Shape shape;
  text_.list("[", "]", [&] {
    shape.push_back(text_.accept("?") ? -1 : text_.integer());
    if (shape.back() < -1) text_.syntax("negative extent");
  });
  if (is_static(shape)) element_count(shape);  // throws on overflow
  return {*dtype, shape};
}

Placement TextParts::placement() {
  constexpr std::pair<std::string_view, Placement> kPlaces[] = {
      {"npu", Placement::Npu}, {"cpu", Placement::Cpu}, {"gpu", Placement::Gpu}};
  for (const auto& [name, place] : kPlaces) {
    if (text_.accept_word(name)) return place;
  }
  text_.expected("npu, cpu or gpu");
}

const Tensor& TextParts::stored() {
  text_.expect("(");
  const int64_t index = text_.integer();
  if (index < 0 || index >= static_cast<int64_t>(data_.size())) {
    text_.syntax(fmt::format("data({}) does not exist, {} tensors were given", index, data_.size()));
  }
  text_.expect(")");
  return data_[static_cast<size_t>(index)];
}

int32_t TextParts::integer32() {
  const int64_t value = text_.integer();
  if (value != static_cast<int32_t>(value)) text_.syntax(fmt::format("{} is out of range", value));
  return static_cast<int32_t>(value);
}

/// One number, a list of them, or data(N).
template <class T>
std::vector<T> TextParts::numbers() {
  std::vector<T> out;
  const auto one = [&] {
    if constexpr (std::is_floating_point_v<T>) {
      out.push_back(text_.real());
    } else {
      const int64_t value = text_.integer();
      if (value != static_cast<T>(value)) text_.syntax(fmt::format("{} is out of range", value));
      out.push_back(static_cast<T>(value));
    }
  };
  if (text_.accept_word("data")) {
    const Tensor& tensor = stored();
    if (tensor.dtype() != dtype_of<T>()) text_.syntax("the data has another type");
    const std::span<const T> values = tensor.values<T>();
    return {values.begin(), values.end()};
  }
  if (text_.is_symbol("[")) {
    text_.list("[", "]", one);
  } else {
    one();
  }
  return out;
}

QuantParams TextParts::quant() {
  QuantParams quant;
  text_.word();
  text_.expect("(");
  quant.scale = numbers<double>();
  text_.expect(",");
  quant.zero_point = numbers<int32_t>();
  while (text_.accept(",")) {
    if (text_.accept_word("axis")) {
      text_.expect("=");
      quant.axis = integer32();
    } else if (text_.accept_word("group")) {
      text_.expect("=");
      quant.group = text_.integer();
    } else {
      text_.expected("axis or group");
    }
  }
  text_.expect(")");
  return quant;
}

FixedPoint TextParts::fixed() {
  FixedPoint fixed;
  text_.word();
  text_.list("(", ")", [&] {
    const std::string key = text_.word();
    text_.expect("=");
    if (key == "channel") {
      fixed.channel = numbers<uint16_t>();
    } else if (key == "slope") {
      fixed.slope = numbers<int32_t>();
    } else if (key == "scale") {
      text_.list("[", "]", [&] {
        text_.expect("[");
        const int32_t multiplier = integer32();
        text_.expect(",");
        fixed.scale.emplace_back(multiplier, integer32());
        text_.expect("]");
      });
    } else if (key == "channel_shift" || key == "low" || key == "high") {
      (key == "low" ? fixed.low : key == "high" ? fixed.high : fixed.channel_shift) = integer32();
    } else {
      text_.syntax(fmt::format("unknown field '{}' of fixed", key));
    }
  });
  return fixed;
}

bool TextParts::starts_content() const {
  return text_.is_symbol("{") || text_.is_word("fill") || text_.is_word("iota") || text_.is_word("random") ||
         text_.is_word("data");
}

Tensor TextParts::content(DType dtype, const Shape& shape) {
  if (!is_static(shape)) text_.syntax("content needs a shape without '?'");
  if (text_.is_symbol("{")) return listed(dtype, shape);
  if (text_.accept_word("data")) {
    const Tensor& tensor = stored();
    if (tensor.dtype() != dtype || tensor.shape() != shape) {
      text_.syntax(fmt::format("the data is {}{}, expected {}{}", name(tensor.dtype()), to_string(tensor.shape()),
                               name(dtype), to_string(shape)));
    }
    return tensor;
  }
  const int64_t count = element_count(shape);
  if (count > kLargestGenerated) {
    text_.syntax(fmt::format("{} elements are too many, expected up to {}", count, kLargestGenerated));
  }
  if (text_.accept_word("iota")) return iota_tensor(dtype, shape);
  const bool random = text_.is_word("random");
  if (!random && !text_.is_word("fill")) text_.expected("fill, iota, random, data or {…}");
  text_.word();
  text_.expect("(");
  Tensor tensor =
      random ? random_tensor(dtype, shape, text_.unsigned_integer()) : filled_tensor(dtype, shape, text_.real());
  text_.expect(")");
  return tensor;
}

Tensor TextParts::listed(DType dtype, const Shape& shape) {
  std::vector<double> reals;
  std::vector<int64_t> integers;
  std::vector<uint64_t> large;
  text_.list("{", "}", [&] {
    if (is_floating(dtype)) {
      reals.push_back(text_.real());
    } else if (dtype == DType::UInt64) {
      large.push_back(text_.unsigned_integer());
    } else {
      integers.push_back(text_.integer());
    }
  });
  const size_t got = reals.size() + integers.size() + large.size();
  if (got != static_cast<size_t>(element_count(shape))) {
    text_.syntax(fmt::format("{} elements for shape {}, expected {}", got, to_string(shape), element_count(shape)));
  }
  if (is_floating(dtype)) return cast(Tensor::from<double>(shape, reals), dtype);
  if (dtype == DType::UInt64) return Tensor::from<uint64_t>(shape, large);
  return cast(Tensor::from<int64_t>(shape, integers), dtype);
}

}  // namespace openrknn
