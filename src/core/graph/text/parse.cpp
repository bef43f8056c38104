#include <fmt/format.h>

#include "core/graph/text.h"
#include "core/graph/text/parts.h"

namespace openrknn {
namespace {

constexpr int kDeepestGraph = 8;

class Parser {
 public:
  Parser(TextCursor& text, std::span<const Tensor> data, const Evaluator& evaluate, int depth)
      : text_(text), parts_(text, data), data_(data), evaluate_(evaluate), depth_(depth) {}

  /// Statements up to the end of the text, or up to the closing brace of a nested graph.
  Graph run() {
    if (!text_.accept_word("ir") || !text_.accept_word("1")) text_.expected("'ir 1' at the beginning");
    while (!text_.at_end() && !(depth_ > 0 && text_.is_symbol("}"))) statement();
    return std::move(graph_);
  }

 private:
  /// One "%name : type …" as it was written.
  struct Declared {
    Value value;
    bool typed = false, left_out = false;
  };

  void statement() {
    if (text_.peek().kind == TextToken::Value || text_.is_word("_")) {
      value_statement();
    } else if (text_.accept_word("metadata")) {
      const std::string key = text_.string();
      text_.expect("=");
      graph_.metadata[key] = text_.string();
    } else if (text_.accept_word("origin")) {
      origin();
    } else if (text_.accept_word("unplaced")) {
      graph_.unplaced_origins = origin_list("", "");
    } else if (text_.accept_word("input")) {
      Declared declared = declaration();
      if (!declared.typed) text_.expected("an input with its type");
      graph_.inputs.push_back(define(std::move(declared)));
    } else if (text_.accept_word("output")) {
      graph_.outputs.push_back(use(text_.value_name()));
    } else {
      text_.expected("input, output, origin, unplaced, metadata or %name");
    }
  }

  void origin() {
    Origin origin;
    origin.node = text_.name();
    text_.expect(":");
    origin.op = text_.name();
    origin.tensor = text_.value_name();
    if (text_.is_symbol("{")) {
      text_.list("{", "}", [&] {
        const std::string key = text_.word();
        text_.expect("=");
        if (key == "line") {
          origin.where.line = text_.integer();
        } else if (key == "file" || key == "node" || key == "tensor") {
          (key == "file"   ? origin.where.file
           : key == "node" ? origin.where.node
                           : origin.where.tensor) = text_.string();
        } else {
          text_.syntax(fmt::format("unknown key '{}' of an origin, expected file, line, node or tensor", key));
        }
      });
    }
    origin_index_.emplace(origin.node, static_cast<int32_t>(graph_.origins.size()));
    graph_.origins.push_back(std::move(origin));
  }

  /// [name, @index, …]. A name that no origin line introduced becomes an origin of this op and tensor.
  std::vector<int32_t> origin_list(const std::string& op, const std::string& tensor) {
    std::vector<int32_t> indices;
    text_.list("[", "]", [&] {
      if (text_.accept("@")) {
        const int64_t index = text_.integer();
        if (index < 0 || index >= static_cast<int64_t>(graph_.origins.size())) {
          text_.syntax(fmt::format("origin @{} does not exist", index));
        }
        indices.push_back(static_cast<int32_t>(index));
        return;
      }
      const std::string node = text_.name();
      const auto [found, added] = origin_index_.emplace(node, static_cast<int32_t>(graph_.origins.size()));
      if (added) graph_.origins.push_back({op, node, tensor.empty() ? node : tensor, {}});
      indices.push_back(found->second);
    });
    return indices;
  }

  Declared declaration() {
    Declared declared;
    Value& value = declared.value;
    if (text_.accept_word("_")) {
      declared.left_out = true;
      return declared;
    }
    value.name = text_.value_name();
    if (!text_.accept(":")) return declared;
    declared.typed = true;
    std::tie(value.dtype, value.shape) = parts_.type();
    if (text_.is_word("q")) value.quant = parts_.quant();
    if (text_.accept_word("known")) value.constant = parts_.content(value.dtype, value.shape);
    if (text_.accept_word("aka")) {
      text_.list("[", "]", [&] { value.aliases.push_back(text_.value_name()); });
    }
    return declared;
  }

  ValueId define(Declared declared) {
    if (declared.left_out) return ValueId::None;
    std::vector<std::string> names = declared.value.aliases;
    names.push_back(declared.value.name);
    for (const std::string& name : names) {
      if (graph_.find(name) != ValueId::None) text_.syntax(fmt::format("%{} is defined twice", quote_name(name)));
    }
    return graph_.add(std::move(declared.value));
  }

  ValueId use(const std::string& name) const {
    const ValueId id = graph_.find(name);
    if (id == ValueId::None) text_.syntax(fmt::format("%{} is not defined above", quote_name(name)));
    return id;
  }

  void value_statement() {
    const int64_t line = text_.line();
    std::vector<Declared> declared;
    do declared.push_back(declaration());
    while (text_.accept(","));
    text_.expect("=");
    if (!parts_.starts_content()) return node(std::move(declared), line);
    if (declared.size() != 1 || !declared[0].typed) text_.syntax("a constant needs one name and its type");
    Value& value = declared[0].value;
    value.constant = parts_.content(value.dtype, value.shape);
    define(std::move(declared[0]));
  }

  void node(std::vector<Declared> declared, int64_t line) {
    Node node;
    node.op = text_.name();
    text_.list("(", ")",
               [&] { node.inputs.push_back(text_.accept_word("_") ? ValueId::None : use(text_.value_name())); });
    if (text_.is_symbol("{")) attributes(node);
    if (text_.accept_word("as")) node.name = text_.name();
    if (text_.accept_word("on")) node.placement = parts_.placement();
    if (text_.is_word("fixed")) node.fixed = parts_.fixed();
    if (text_.accept_word("from")) node.origins = origin_list(node.op, declared[0].value.name);

    const std::string wanted = node.name;
    for (const Declared& one : declared) node.outputs.push_back(define(one));
    const NodeId id = graph_.add(std::move(node));
    if (!wanted.empty() && graph_[id].name != wanted) {
      text_.syntax(fmt::format("two nodes are named {}", quote_name(wanted)));
    }
    try {
      infer_types(id, declared);
    } catch (const Error& error) {
      std::vector<Diagnostic> list = error.diagnostics;
      for (Diagnostic& diagnostic : list) diagnostic.where.line = line;
      throw Error(std::move(list));
    }
  }

  /// Types that were left out are inferred; those that were written must agree.
  void infer_types(NodeId id, const std::vector<Declared>& declared) {
    const std::vector<ValueId> outputs = graph_[id].outputs;
    const std::vector<Inference::Output> inferred = inferred_outputs(graph_, graph_[id]);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!declared[i].typed && !declared[i].left_out) graph_[outputs[i]].dtype = inferred[i].dtype;
    }
    infer(graph_, id, evaluate_);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!declared[i].typed) continue;
      Value& value = graph_[outputs[i]];
      const Value& said = declared[i].value;
      if (value.dtype != said.dtype || value.shape != said.shape) {
        fail(Code::GraphTextSyntax, Location{.file = {}, .node = {}, .tensor = value.name},
             fmt::format("the type is said to be {}{}, but is {}{}", name(said.dtype), to_string(said.shape),
                         name(value.dtype), to_string(value.shape)));
      }
      if (said.constant) value.constant = said.constant;
    }
  }

  void attributes(Node& node) {
    const OpSchema* schema = find_schema(node.op);
    text_.list("{", "}", [&] {
      const std::string key = text_.name();
      text_.expect("=");
      bool real = false;  // what the schema wants, so that a test may write {alpha=1}
      if (schema) {
        for (const AttributeSpec& spec : schema->attributes) {
          if (spec.name == key) real = spec.type == AttributeType::Float || spec.type == AttributeType::Floats;
        }
      }
      node.attributes.insert_or_assign(key, attribute(real));
    });
  }

  Attribute attribute(bool real) {
    if (text_.peek().kind == TextToken::String) return text_.string();
    if (text_.is_symbol("[")) return list_attribute(real);
    if (text_.accept_word("floats")) return list_attribute(true);
    if (text_.accept_word("strings")) {
      text_.expect("[");
      text_.expect("]");
      return std::vector<std::string>();
    }
    if (text_.accept_word("tensor")) {
      const auto [dtype, shape] = parts_.type();
      return parts_.content(dtype, shape);
    }
    if (text_.accept_word("graph")) {
      if (depth_ >= kDeepestGraph) text_.syntax("graphs are nested too deeply");
      text_.expect("{");
      const auto inner = std::make_shared<const Graph>(Parser(text_, data_, evaluate_, depth_ + 1).run());
      text_.expect("}");
      return inner;
    }
    if (text_.is_integer() && !real) return text_.integer();
    return text_.real();
  }

  Attribute list_attribute(bool real) {
    std::vector<std::string> strings;
    std::vector<int64_t> integers;
    std::vector<double> reals;
    text_.list("[", "]", [&] {
      if (text_.peek().kind == TextToken::String) {
        strings.push_back(text_.string());
      } else if (text_.is_integer() && !real && integers.size() == reals.size()) {
        integers.push_back(text_.integer());
        reals.push_back(static_cast<double>(integers.back()));
      } else {
        reals.push_back(text_.real());
      }
    });
    if (!strings.empty() && !reals.empty()) text_.syntax("a list holds strings and numbers, expected one kind");
    if (!strings.empty()) return strings;
    if (real || reals.size() > integers.size()) return reals;
    return integers;
  }

  TextCursor& text_;
  TextParts parts_;
  std::span<const Tensor> data_;
  const Evaluator& evaluate_;
  int depth_;
  Graph graph_;
  std::map<std::string, int32_t> origin_index_;
};

}  // namespace

Graph parse_graph(std::string_view text, std::span<const Tensor> data, const Evaluator& evaluate) {
  TextCursor cursor(text);
  return Parser(cursor, data, evaluate, 0).run();
}

}  // namespace openrknn
