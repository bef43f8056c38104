#include "toolkit/precision_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace openrknn {
namespace {

using Kind = PrecisionRule::Kind;

struct Prefix {
  std::string_view text;
  Kind kind;
};
constexpr std::array<Prefix, 4> kPrefixes = {
    {{"re:", Kind::Regex}, {"glob:", Kind::Glob}, {"op:", Kind::OpType}, {"tensor:", Kind::Tensor}}};
constexpr std::array<DType, 3> kDtypes = {DType::Int8, DType::Int16, DType::Float16};

}  // namespace

PrecisionRule parse_precision_rule(std::string_view key, std::string_view dtype) {
  PrecisionRule rule{.kind = Kind::Tensor, .pattern = std::string(key), .source = fmt::format("{}={}", key, dtype)};
  for (const Prefix& prefix : kPrefixes) {
    if (!key.starts_with(prefix.text)) continue;
    rule.kind = prefix.kind;
    rule.pattern = key.substr(prefix.text.size());
    break;
  }
  const auto type = std::ranges::find(kDtypes, dtype, [](DType candidate) { return numpy_name(candidate); });
  if (rule.pattern.empty() || type == kDtypes.end()) {
    fail(Code::ConfigBadValue,
         fmt::format("precision: got '{}', expected {}", rule.source,
                     rule.pattern.empty() ? "the name of a layer" : "int8, int16 or float16"),
         "write KEY=DTYPE, as in 'conv1=float16' or 'glob:/head/*=int16'");
  }
  rule.dtype = *type;
  return rule;
}

std::vector<PrecisionRule> precision_rules_of(const ArgumentValue& value, std::string_view argument) {
  std::vector<PrecisionRule> rules;
  Diagnostics problems;
  const auto add = [&](std::string_view key, const ArgumentValue& dtype) {
    const auto* text = std::get_if<std::string>(&dtype.data);
    try {
      rules.push_back(parse_precision_rule(key, text != nullptr ? *text : to_string(dtype)));
    } catch (const Error& error) {
      problems.add(error.diagnostics.front());
    }
  };
  if (value.is_none()) return rules;
  if (const auto* map = std::get_if<std::map<std::string, ArgumentValue>>(&value.data)) {
    for (const auto& [key, dtype] : *map) add(key, dtype);
  } else {
    const auto* list = std::get_if<std::vector<ArgumentValue>>(&value.data);
    const std::vector<ArgumentValue> one = {value};
    for (const ArgumentValue& item : list != nullptr ? *list : one) {
      const auto* text = std::get_if<std::string>(&item.data);
      if (text == nullptr) {
        problems.add(Code::ConfigBadValue, {},
                     fmt::format("{}: got {}, expected texts KEY=DTYPE", argument, to_string(item)),
                     "write 'conv1=float16'");
        continue;
      }
      const size_t equals = std::min(text->rfind('='), text->size());
      add(std::string_view(*text).substr(0, equals), text->substr(std::min(equals + 1, text->size())));
    }
  }
  problems.throw_if_any();
  return rules;
}

}  // namespace openrknn
