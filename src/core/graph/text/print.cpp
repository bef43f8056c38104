#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <set>

#include "core/graph/text.h"
#include "core/graph/text/lexer.h"

namespace openrknn {
namespace {

/// Shortest digits that read back as the same number, always recognisable as a float.
template <class T>
std::string number(T value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";  // 'n' of inf and nan
  return text;
}

class Printer {
 public:
  Printer(const Graph& graph, const TextOptions& options, std::vector<Tensor>* data, std::string indent)
      : graph_(graph), options_(options), data_(data), indent_(std::move(indent)) {}

  std::string run() {
    line("ir 1");
    for (const auto& [key, value] : graph_.metadata) {
      line(fmt::format("metadata {} = {}", quote_string(key), quote_string(value)));
    }
    if (options_.origins) origin_table();
    for (const ValueId id : graph_.inputs) line("input " + declaration(id));
    for (const NodeId id : graph_.order()) {
      for (const ValueId input : graph_[id].inputs) constant(input);
      line(node(id));
    }
    for (const ValueId id : graph_.outputs) constant(id);
    for (const ValueId id : graph_.outputs) line("output " + value_name(id));
    return std::move(text_);
  }

 private:
  void line(const std::string& content) { text_ += indent_ + content + "\n"; }

  std::string value_name(ValueId id) const { return id == ValueId::None ? "_" : reference(graph_[id].name); }

  static std::string reference(std::string_view name) { return fmt::format("%{}", quote_name(name)); }

  void origin_table() {
    for (const Origin& origin : graph_.origins) ++origin_uses_[origin.node];
    for (const Origin& origin : graph_.origins) {
      std::vector<std::string> where;
      if (!origin.where.file.empty()) where.push_back("file=" + quote_string(origin.where.file));
      if (!origin.where.node.empty()) where.push_back("node=" + quote_string(origin.where.node));
      if (!origin.where.tensor.empty()) where.push_back("tensor=" + quote_string(origin.where.tensor));
      if (origin.where.line != 0) where.push_back(fmt::format("line={}", origin.where.line));
      std::string text =
          fmt::format("origin {} : {} %{}", quote_name(origin.node), quote_name(origin.op), quote_name(origin.tensor));
      if (!where.empty()) text += fmt::format(" {{{}}}", fmt::join(where, ", "));
      line(text);
    }
    if (!graph_.unplaced_origins.empty()) line("unplaced " + origin_list(graph_.unplaced_origins));
  }

  /// By node name where that is unique, else @index.
  std::string origin_list(const std::vector<int32_t>& origins) const {
    std::vector<std::string> names;
    for (const int32_t index : origins) {
      const std::string& name = graph_.origins[static_cast<size_t>(index)].node;
      const bool usable = !name.empty() && origin_uses_.at(name) == 1;
      names.push_back(usable ? quote_name(name) : fmt::format("@{}", index));
    }
    return fmt::format("[{}]", fmt::join(names, ", "));
  }

  static std::string type(DType dtype, const Shape& shape) {
    std::vector<std::string> extents;
    for (const int64_t extent : shape) extents.push_back(extent < 0 ? "?" : std::to_string(extent));
    return fmt::format("{}[{}]", name(dtype), fmt::join(extents, ","));
  }

  std::string declaration(ValueId id) {
    if (id == ValueId::None) return "_";
    const Value& value = graph_[id];
    std::string text = fmt::format("{} : {}", value_name(id), type(value.dtype, value.shape));
    if (value.quant) text += " " + quant(*value.quant);
    if (value.constant && value.producer != NodeId::None) text += " known " + content(*value.constant);
    if (!value.aliases.empty()) {
      std::vector<std::string> names;
      for (const std::string& alias : value.aliases) names.push_back(reference(alias));
      text += fmt::format(" aka [{}]", fmt::join(names, ", "));
    }
    return text;
  }

  /// A constant stands right before its first reader.
  void constant(ValueId id) {
    if (id == ValueId::None || graph_[id].producer != NodeId::None || !graph_[id].constant) return;
    if (graph_.is_input(id) || !printed_.insert(id).second) return;
    const std::string declared = declaration(id);  // first: the order of data(N) is that of the text
    line(declared + " = " + content(*graph_[id].constant));
  }

  std::string content(const Tensor& tensor) {
    if (tensor.size() > options_.inline_elements) return fmt::format("data({})", store(tensor));
    std::vector<std::string> elements;
    switch (tensor.dtype()) {
      case DType::Float64:
        for (const double element : to_doubles(tensor)) elements.push_back(number(element));
        break;
      case DType::Float32:
      case DType::Float16:
      case DType::BFloat16:
        for (const double element : to_doubles(tensor)) elements.push_back(number(static_cast<float>(element)));
        break;
      case DType::UInt64:
        for (const uint64_t element : tensor.values<uint64_t>()) elements.push_back(std::to_string(element));
        break;
      default:
        for (const int64_t element : to_ints(tensor)) elements.push_back(std::to_string(element));
    }
    return fmt::format("{{{}}}", fmt::join(elements, ", "));
  }

  int64_t store(const Tensor& tensor) {
    if (data_) data_->push_back(tensor);
    return data_ ? static_cast<int64_t>(data_->size()) - 1 : stored_++;
  }

  /// A list of numbers: one stands alone, many go to the data.
  template <class T>
  std::string numbers(const std::vector<T>& list) {
    std::vector<std::string> texts;
    if (static_cast<int64_t>(list.size()) > options_.inline_elements) {
      return fmt::format("data({})", store(Tensor::from<T>({static_cast<int64_t>(list.size())}, list)));
    }
    for (const T entry : list) {
      if constexpr (std::is_floating_point_v<T>) {
        texts.push_back(number(entry));
      } else {
        texts.push_back(std::to_string(entry));
      }
    }
    return list.size() == 1 ? texts[0] : fmt::format("[{}]", fmt::join(texts, ", "));
  }

  std::string quant(const QuantParams& quant) {
    const std::string scale = numbers(quant.scale), zero_point = numbers(quant.zero_point);
    std::string text = fmt::format("q({}, {}", scale, zero_point);
    if (quant.axis != -1) text += fmt::format(", axis={}", quant.axis);
    if (quant.group != 0) text += fmt::format(", group={}", quant.group);
    return text + ")";
  }

  std::string fixed(const FixedPoint& fixed) {
    std::vector<std::string> parts;
    if (!fixed.channel.empty()) parts.push_back("channel=" + numbers(fixed.channel));
    if (fixed.channel_shift != 14) parts.push_back(fmt::format("channel_shift={}", fixed.channel_shift));
    if (!fixed.scale.empty()) {
      std::vector<std::string> pairs;
      for (const auto& [multiplier, shift] : fixed.scale) pairs.push_back(fmt::format("[{}, {}]", multiplier, shift));
      parts.push_back(fmt::format("scale=[{}]", fmt::join(pairs, ", ")));
    }
    if (!fixed.slope.empty()) parts.push_back("slope=" + numbers(fixed.slope));
    if (fixed.low != 0) parts.push_back(fmt::format("low={}", fixed.low));
    if (fixed.high != 0) parts.push_back(fmt::format("high={}", fixed.high));
    return fmt::format("fixed({})", fmt::join(parts, ", "));
  }

  template <class T, class Format>
  static std::string list(const std::vector<T>& entries, std::string_view empty, Format format) {
    if (entries.empty()) return std::string(empty);
    std::vector<std::string> texts;
    texts.reserve(entries.size());
    for (const T& entry : entries) texts.push_back(format(entry));
    return fmt::format("[{}]", fmt::join(texts, ","));
  }

  struct AttributePrinter {
    Printer& printer;
    std::string operator()(int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return number(value); }
    std::string operator()(const std::string& value) const { return quote_string(value); }
    std::string operator()(const std::vector<int64_t>& values) const {
      return list(values, "[]", [](int64_t v) { return std::to_string(v); });
    }
    std::string operator()(const std::vector<double>& values) const {
      return list(values, "floats[]", [](double v) { return number(v); });
    }
    std::string operator()(const std::vector<std::string>& values) const {
      return list(values, "strings[]", [](const std::string& v) { return quote_string(v); });
    }
    std::string operator()(const Tensor& value) const {
      return fmt::format("tensor {} {}", type(value.dtype(), value.shape()), printer.content(value));
    }
    std::string operator()(const std::shared_ptr<const Graph>& value) const {
      Printer inner(*value, printer.options_, printer.data_, printer.indent_ + "  ");
      inner.stored_ = printer.stored_;
      std::string text = "graph {\n" + inner.run() + printer.indent_ + "}";
      printer.stored_ = inner.stored_;
      return text;
    }
  };

  std::string node(NodeId id) {
    const Node& node = graph_[id];
    std::vector<std::string> outputs, inputs, attributes;
    for (const ValueId output : node.outputs) outputs.push_back(declaration(output));
    for (const ValueId input : node.inputs) inputs.push_back(value_name(input));
    for (const auto& [name, value] : node.attributes) {
      attributes.push_back(quote_name(name) + "=" + std::visit(AttributePrinter{*this}, value));
    }
    std::string text =
        fmt::format("{} = {}({})", fmt::join(outputs, ", "), quote_name(node.op), fmt::join(inputs, ", "));
    if (!attributes.empty()) text += fmt::format(" {{{}}}", fmt::join(attributes, ", "));
    const bool named_as_output =
        !node.outputs.empty() && node.outputs[0] != ValueId::None && graph_[node.outputs[0]].name == node.name;
    if (!named_as_output) text += " as " + quote_name(node.name);
    constexpr std::string_view kPlacements[] = {"", " on npu", " on cpu", " on gpu"};
    text += kPlacements[static_cast<size_t>(node.placement)];
    if (node.fixed) text += " " + fixed(*node.fixed);
    if (options_.origins && !node.origins.empty()) text += " from " + origin_list(node.origins);
    return text;
  }

  const Graph& graph_;
  const TextOptions& options_;
  std::vector<Tensor>* data_;
  std::string indent_, text_;
  int64_t stored_ = 0;
  std::map<std::string, int> origin_uses_;
  std::set<ValueId> printed_;
};

}  // namespace

std::string to_text(const Graph& graph, const TextOptions& options, std::vector<Tensor>* data) {
  return Printer(graph, options, data, "").run();
}

}  // namespace openrknn
