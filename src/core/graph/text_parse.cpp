#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "core/graph/text.h"
#include "core/graph/text_lexer.h"

namespace openrknn {
namespace {

constexpr int kDeepestGraph = 8;
constexpr int64_t kLargestGenerated = int64_t{1} << 26;  ///< elements of fill, iota and random

/// splitmix64: the generator of random(seed), the same on every machine.
uint64_t mix(uint64_t state) {
  uint64_t z = state + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// Floats uniform in [-1, 1), Bool 0 or 1, integers of up to 16 bits any code, wider ones -100..100.
Tensor random_tensor(DType dtype, const Shape& shape, uint64_t seed) {
  const size_t count = static_cast<size_t>(element_count(shape));
  if (is_floating(dtype)) {
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(mix(seed * 0x10001 + i) >> 40) / 8388608.0 - 1;
    return cast(Tensor::from<double>(shape, values), dtype);
  }
  int64_t low = -100, high = 100;
  if (dtype == DType::Bool)
    low = 0, high = 1;
  else if (bit_width(dtype) <= 16)
    low = lowest_code(dtype), high = highest_code(dtype);
  else if (!is_signed(dtype))
    low = 0;
  std::vector<int64_t> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = low + static_cast<int64_t>((mix(seed * 0x10001 + i) >> 32) % static_cast<uint64_t>(high - low + 1));
  }
  return cast(Tensor::from<int64_t>(shape, values), dtype);
}

class Parser {
 public:
  Parser(const std::vector<TextToken>& tokens, size_t& at, std::span<const Tensor> data, const Evaluator& evaluate,
         int depth)
      : tokens_(tokens), at_(at), data_(data), evaluate_(evaluate), depth_(depth) {}

  /// Statements up to the end of the text, or up to the closing brace of a nested graph.
  Graph run() {
    if (word() != "ir" || word() != "1") syntax("the text does not begin with 'ir 1'");
    while (peek().kind != TextToken::End && !(depth_ > 0 && is_symbol("}"))) statement();
    return std::move(graph_);
  }

 private:
  struct Declared {
    Value value;
    bool typed = false, left_out = false;
  };

  // Tokens.
  const TextToken& peek() const { return tokens_[at_]; }
  const TextToken& next() { return peek().kind == TextToken::End ? peek() : tokens_[at_++]; }
  [[noreturn]] void syntax(std::string problem) const {
    fail(Code::GraphTextSyntax, Location{.file = {}, .node = {}, .tensor = {}, .line = tokens_[at_].line},
         std::move(problem));
  }
  bool is_symbol(std::string_view text) const { return peek().kind == TextToken::Symbol && peek().text == text; }
  bool is_word(std::string_view text) const { return peek().kind == TextToken::Word && peek().text == text; }
  bool accept(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view text) {
    if (!is_word(text)) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view symbol) {
    if (!accept(symbol)) syntax(fmt::format("got '{}', expected '{}'", peek().text, symbol));
  }
  std::string word() {
    if (peek().kind != TextToken::Word) syntax(fmt::format("got '{}', expected a word", peek().text));
    return next().text;
  }
  std::string string() {
    if (peek().kind != TextToken::String) syntax(fmt::format("got '{}', expected a string in quotes", peek().text));
    return next().text;
  }
  std::string name() { return peek().kind == TextToken::String ? string() : word(); }
  std::string value_name() {
    if (peek().kind != TextToken::Value) syntax(fmt::format("got '{}', expected %name", peek().text));
    return next().text;
  }
  template <class T>
  bool read(const std::string& text, T& value) const {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end;
  }
  int64_t integer() {
    int64_t value = 0;
    if (peek().kind != TextToken::Word || !read(peek().text, value)) {
      syntax(fmt::format("got '{}', expected an integer", peek().text));
    }
    ++at_;
    return value;
  }
  double real() {
    double value = 0;
    if (peek().kind != TextToken::Word || !read(peek().text, value)) {
      syntax(fmt::format("got '{}', expected a number", peek().text));
    }
    ++at_;
    return value;
  }
  template <class Item>
  void list(std::string_view open, std::string_view close, Item item) {
    expect(open);
    if (accept(close)) return;
    do item();
    while (accept(","));
    expect(close);
  }

  // Statements.
  void statement() {
    if (peek().kind == TextToken::Value || is_word("_")) return value_statement();
    const std::string keyword = word();
    if (keyword == "metadata") {
      const std::string key = string();
      expect("=");
      graph_.metadata[key] = string();
    } else if (keyword == "origin") {
      origin();
    } else if (keyword == "unplaced") {
      graph_.unplaced_origins = origin_list("", "");
    } else if (keyword == "input") {
      Declared declared = declaration();
      if (!declared.typed) syntax("an input needs its type");
      graph_.inputs.push_back(define(std::move(declared)));
    } else if (keyword == "output") {
      graph_.outputs.push_back(use(value_name()));
    } else {
      --at_;
      syntax(fmt::format("got '{}', expected input, output, origin, unplaced, metadata or %name", keyword));
    }
  }

  void origin() {
    Origin origin;
    origin.node = name();
    expect(":");
    origin.op = name();
    origin.tensor = value_name();
    if (is_symbol("{")) {
      list("{", "}", [&] {
        const std::string key = word();
        expect("=");
        if (key == "line") {
          origin.where.line = integer();
        } else if (key == "file" || key == "node" || key == "tensor") {
          (key == "file" ? origin.where.file : key == "node" ? origin.where.node : origin.where.tensor) = string();
        } else {
          syntax(fmt::format("unknown key '{}' of an origin", key));
        }
      });
    }
    origin_index_.emplace(origin.node, static_cast<int32_t>(graph_.origins.size()));
    graph_.origins.push_back(std::move(origin));
  }

  /// [name, @index, …]. A name that no origin line introduced becomes an origin of this op and tensor.
  std::vector<int32_t> origin_list(const std::string& op, const std::string& tensor) {
    std::vector<int32_t> indices;
    list("[", "]", [&] {
      if (accept("@")) {
        const int64_t index = integer();
        if (index < 0 || index >= static_cast<int64_t>(graph_.origins.size())) {
          syntax(fmt::format("origin @{} does not exist", index));
        }
        indices.push_back(static_cast<int32_t>(index));
        return;
      }
      const std::string node = name();
      const auto [found, added] = origin_index_.emplace(node, static_cast<int32_t>(graph_.origins.size()));
      if (added) graph_.origins.push_back({op, node, tensor.empty() ? node : tensor, {}});
      indices.push_back(found->second);
    });
    return indices;
  }

  Declared declaration() {
    Declared declared;
    if (accept_word("_")) {
      declared.left_out = true;
      return declared;
    }
    declared.value.name = value_name();
    if (!accept(":")) return declared;
    declared.typed = true;
    std::tie(declared.value.dtype, declared.value.shape) = type();
    if (is_word("q")) declared.value.quant = quant();
    if (accept_word("known")) declared.value.constant = content(declared.value.dtype, declared.value.shape);
    if (accept_word("aka")) {
      list("[", "]", [&] { declared.value.aliases.push_back(value_name()); });
    }
    return declared;
  }

  ValueId define(Declared declared) {
    if (declared.left_out) return ValueId::None;
    std::vector<std::string> names = declared.value.aliases;
    names.push_back(declared.value.name);
    for (const std::string& name : names) {
      if (graph_.find(name) != ValueId::None) syntax(fmt::format("%{} is defined twice", quote_name(name)));
    }
    return graph_.add(std::move(declared.value));
  }

  ValueId use(const std::string& name) const {
    const ValueId id = graph_.find(name);
    if (id == ValueId::None) syntax(fmt::format("%{} is not defined above", quote_name(name)));
    return id;
  }

  void value_statement() {
    const int64_t line = peek().line;
    std::vector<Declared> declared;
    do declared.push_back(declaration());
    while (accept(","));
    expect("=");
    if (starts_content()) {
      if (declared.size() != 1 || !declared[0].typed) syntax("a constant needs one name and its type");
      declared[0].value.constant = content(declared[0].value.dtype, declared[0].value.shape);
      define(std::move(declared[0]));
    } else {
      node(std::move(declared), line);
    }
  }

  void node(std::vector<Declared> declared, int64_t line) {
    Node node;
    node.op = name();
    list("(", ")", [&] { node.inputs.push_back(accept_word("_") ? ValueId::None : use(value_name())); });
    const OpSchema* schema = find_schema(node.op);
    if (is_symbol("{")) {
      list("{", "}", [&] {
        std::string key = name();
        expect("=");
        const AttributeType* type = nullptr;
        if (schema) {
          for (const AttributeSpec& spec : schema->attributes) type = spec.name == key ? &spec.type : type;
        }
        Attribute value = attribute(type);
        node.attributes.insert_or_assign(std::move(key), std::move(value));
      });
    }
    std::string wanted;
    if (accept_word("as")) wanted = node.name = name();
    if (accept_word("on")) node.placement = placement();
    if (is_word("fixed")) node.fixed = fixed();
    if (accept_word("from")) node.origins = origin_list(node.op, declared[0].value.name);

    std::vector<Declared> stated = declared;
    for (Declared& one : declared) node.outputs.push_back(define(std::move(one)));
    const NodeId id = graph_.add(std::move(node));
    if (!wanted.empty() && graph_[id].name != wanted) syntax(fmt::format("two nodes are named {}", quote_name(wanted)));
    try {
      const std::vector<Inference::Output> inferred = inferred_outputs(graph_, graph_[id]);
      for (size_t i = 0; i < stated.size(); ++i) {
        if (!stated[i].typed && !stated[i].left_out) graph_[graph_[id].outputs[i]].dtype = inferred[i].dtype;
      }
      infer(graph_, id, evaluate_);
    } catch (const Error& error) {
      std::vector<Diagnostic> list = error.diagnostics;
      for (Diagnostic& diagnostic : list) diagnostic.where.line = line;
      throw Error(std::move(list));
    }
    for (size_t i = 0; i < stated.size(); ++i) {
      if (stated[i].left_out) continue;
      Value& value = graph_[graph_[id].outputs[i]];
      const Value& said = stated[i].value;
      if (stated[i].typed && (value.dtype != said.dtype || value.shape != said.shape)) {
        fail(Code::GraphTextSyntax, Location{.file = {}, .node = {}, .tensor = value.name, .line = line},
             fmt::format("the type is said to be {}{}, but is {}{}", openrknn::name(said.dtype), to_string(said.shape),
                         openrknn::name(value.dtype), to_string(value.shape)));
      }
      if (said.constant) value.constant = said.constant;
    }
  }

  // Parts.
  std::pair<DType, Shape> type() {
    const std::string text = word();
    const std::optional<DType> dtype = dtype_from_name(text);
    if (!dtype) {
      --at_;
      syntax(fmt::format("got '{}', expected a type such as f32", text));
    }
    Shape shape;
    list("[", "]", [&] {
      shape.push_back(accept("?") ? -1 : integer());
      if (shape.back() < -1) syntax("negative extent");
    });
    if (is_static(shape)) element_count(shape);
    return {*dtype, shape};
  }

  Placement placement() {
    const std::string text = word();
    if (text == "npu") return Placement::Npu;
    if (text == "cpu") return Placement::Cpu;
    if (text == "gpu") return Placement::Gpu;
    syntax(fmt::format("got '{}', expected npu, cpu or gpu", text));
  }

  const Tensor& stored() {
    expect("(");
    const int64_t index = integer();
    if (index < 0 || index >= static_cast<int64_t>(data_.size())) {
      syntax(fmt::format("data({}) does not exist, {} tensors were given", index, data_.size()));
    }
    expect(")");
    return data_[static_cast<size_t>(index)];
  }

  /// One number, a list, or data(N).
  template <class T>
  std::vector<T> numbers() {
    std::vector<T> out;
    const auto one = [&] {
      if constexpr (std::is_floating_point_v<T>) {
        out.push_back(real());
      } else {
        const int64_t value = integer();
        if (value < std::numeric_limits<T>::lowest() || value > std::numeric_limits<T>::max()) {
          syntax(fmt::format("{} is out of range", value));
        }
        out.push_back(static_cast<T>(value));
      }
    };
    if (accept_word("data")) {
      const Tensor& tensor = stored();
      if (tensor.dtype() != dtype_of<T>()) syntax("the data has another type");
      const std::span<const T> values = tensor.values<T>();
      return {values.begin(), values.end()};
    }
    if (is_symbol("[")) {
      list("[", "]", one);
    } else {
      one();
    }
    return out;
  }

  QuantParams quant() {
    QuantParams quant;
    word();
    expect("(");
    quant.scale = numbers<double>();
    expect(",");
    quant.zero_point = numbers<int32_t>();
    while (accept(",")) {
      const std::string key = word();
      expect("=");
      if (key == "axis") {
        quant.axis = static_cast<int>(std::clamp<int64_t>(integer(), -1, 1 << 16));
      } else if (key == "group") {
        quant.group = integer();
      } else {
        syntax(fmt::format("got '{}', expected axis or group", key));
      }
    }
    expect(")");
    return quant;
  }

  FixedPoint fixed() {
    FixedPoint fixed;
    word();
    list("(", ")", [&] {
      const std::string key = word();
      expect("=");
      if (key == "channel") {
        fixed.channel = numbers<uint16_t>();
      } else if (key == "scale") {
        list("[", "]", [&] {
          expect("[");
          const int64_t multiplier = integer();
          expect(",");
          const int64_t shift = integer();
          expect("]");
          if (multiplier != static_cast<int32_t>(multiplier) || shift < 0 || shift > 62) syntax("bad scale pair");
          fixed.scale.emplace_back(static_cast<int32_t>(multiplier), static_cast<int>(shift));
        });
      } else if (key == "slope") {
        fixed.slope = numbers<int32_t>();
      } else if (key == "channel_shift" || key == "low" || key == "high") {
        const int64_t value = integer();
        if (value != static_cast<int32_t>(value)) syntax(fmt::format("{} is out of range", value));
        (key == "low" ? fixed.low : key == "high" ? fixed.high : fixed.channel_shift) = static_cast<int32_t>(value);
      } else {
        syntax(fmt::format("unknown field '{}' of fixed", key));
      }
    });
    return fixed;
  }

  bool starts_content() const {
    if (is_symbol("{")) return true;
    return is_word("fill") || is_word("iota") || is_word("random") || is_word("data");
  }

  Tensor content(DType dtype, const Shape& shape) {
    if (!is_static(shape)) syntax("content needs a shape without '?'");
    const int64_t count = element_count(shape);
    if (is_symbol("{")) return listed(dtype, shape, count);
    const std::string kind = word();
    if (kind == "data") {
      const Tensor& tensor = stored();
      if (tensor.dtype() != dtype || tensor.shape() != shape) {
        syntax(fmt::format("the data is {}{}, expected {}{}", openrknn::name(tensor.dtype()), to_string(tensor.shape()),
                           openrknn::name(dtype), to_string(shape)));
      }
      return tensor;
    }
    if (count > kLargestGenerated)
      syntax(fmt::format("{} elements are too many, expected up to {}", count, kLargestGenerated));
    if (kind == "iota") {
      std::vector<int64_t> values(static_cast<size_t>(count));
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i);
      return cast(Tensor::from<int64_t>(shape, values), dtype);
    }
    if (kind != "fill" && kind != "random")
      syntax(fmt::format("got '{}', expected fill, iota, random, data or {{…}}", kind));
    expect("(");
    Tensor tensor =
        kind == "random"
            ? random_tensor(dtype, shape, static_cast<uint64_t>(integer()))
            : cast(Tensor::from<double>(shape, std::vector<double>(static_cast<size_t>(count), real())), dtype);
    expect(")");
    return tensor;
  }

  Tensor listed(DType dtype, const Shape& shape, int64_t count) {
    std::vector<double> reals;
    std::vector<int64_t> integers;
    std::vector<uint64_t> unsigneds;
    list("{", "}", [&] {
      if (is_floating(dtype)) {
        reals.push_back(real());
      } else if (dtype == DType::UInt64) {
        uint64_t value = 0;
        if (!read(peek().text, value)) syntax(fmt::format("got '{}', expected an integer of 0 or more", peek().text));
        ++at_;
        unsigneds.push_back(value);
      } else {
        integers.push_back(integer());
      }
    });
    const size_t got = reals.size() + integers.size() + unsigneds.size();
    if (got != static_cast<size_t>(count)) {
      syntax(fmt::format("{} elements for shape {}, expected {}", got, to_string(shape), count));
    }
    if (is_floating(dtype)) return cast(Tensor::from<double>(shape, reals), dtype);
    if (dtype == DType::UInt64) return Tensor::from<uint64_t>(shape, unsigneds);
    return cast(Tensor::from<int64_t>(shape, integers), dtype);
  }

  /// `type`: what the schema expects, so that a test may write {alpha=1}.
  Attribute attribute(const AttributeType* type) {
    if (peek().kind == TextToken::String) return string();
    if (is_symbol("[")) return list_attribute(type && *type == AttributeType::Floats);
    if (accept_word("floats")) return empty_list<double>();
    if (accept_word("strings")) return empty_list<std::string>();
    if (accept_word("tensor")) {
      const auto [dtype, shape] = this->type();
      return content(dtype, shape);
    }
    if (accept_word("graph")) {
      if (depth_ >= kDeepestGraph) syntax("graphs are nested too deeply");
      expect("{");
      Parser inner(tokens_, at_, data_, evaluate_, depth_ + 1);
      std::shared_ptr<const Graph> graph = std::make_shared<Graph>(inner.run());
      expect("}");
      return graph;
    }
    int64_t integer_value = 0;
    if (peek().kind == TextToken::Word && read(peek().text, integer_value)) {
      ++at_;
      if (type && *type == AttributeType::Float) return static_cast<double>(integer_value);
      return integer_value;
    }
    return real();
  }

  template <class T>
  std::vector<T> empty_list() {
    expect("[");
    expect("]");
    return {};
  }

  Attribute list_attribute(bool floats) {
    std::vector<std::string> strings;
    std::vector<int64_t> integers;
    std::vector<double> reals;
    list("[", "]", [&] {
      if (peek().kind == TextToken::String) {
        strings.push_back(string());
        return;
      }
      int64_t value = 0;
      if (read(peek().text, value)) {
        integers.push_back(value);
      } else {
        floats = true;
      }
      reals.push_back(real());
    });
    if (!strings.empty()) {
      if (!reals.empty()) syntax("a list of strings and numbers");
      return strings;
    }
    if (floats) return reals;
    return integers;
  }

  const std::vector<TextToken>& tokens_;
  size_t& at_;
  std::span<const Tensor> data_;
  const Evaluator& evaluate_;
  int depth_;
  Graph graph_;
  std::map<std::string, int32_t> origin_index_;
};

}  // namespace

Graph parse_graph(std::string_view text, std::span<const Tensor> data, const Evaluator& evaluate) {
  const std::vector<TextToken> tokens = split_text(text);
  size_t at = 0;
  return Parser(tokens, at, data, evaluate, 0).run();
}

}  // namespace openrknn
