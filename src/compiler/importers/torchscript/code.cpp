#include "compiler/importers/torchscript/code.h"

#include <fmt/format.h>

#include <limits>

#include "compiler/importers/torchscript/tokens.h"

namespace openrknn::torchscript {
namespace {

using Kind = Expression::Kind;

constexpr int kDeepestExpression = 100;

class Parser {
 public:
  Parser(std::vector<Token> tokens, Location where) : tokens_(std::move(tokens)), where_(std::move(where)) {}

  Program run() {
    Program program;
    while (peek().kind != Token::Kind::End) {
      if (is_word("class")) {
        program.classes.push_back(parse_class());
      } else if (is_word("def")) {
        program.functions.push_back(parse_function());
      } else {
        // "op_version_set = 1", "import …" of older writers.
        while (peek().kind != Token::Kind::NewLine && peek().kind != Token::Kind::End) next();
        if (peek().kind == Token::Kind::NewLine) next();
        if (peek().kind == Token::Kind::Indent || peek().kind == Token::Kind::Dedent) next();
      }
    }
    return program;
  }

 private:
  struct Nest {
    explicit Nest(Parser& owner) : parser(owner) {
      if (++parser.depth_ > kDeepestExpression) parser.refuse("expressions lie in each other more than 100 deep");
    }
    ~Nest() { --parser.depth_; }
    Parser& parser;
  };

  [[noreturn]] void refuse(std::string problem) {
    where_.line = peek().line;
    fail(Code::ImportBadFile, where_, std::move(problem));
  }
  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool is_word(std::string_view word) const { return peek().kind == Token::Kind::Word && peek().text == word; }
  bool is_sign(std::string_view sign) const { return peek().kind == Token::Kind::Sign && peek().text == sign; }
  bool accept(std::string_view sign) {
    if (!is_sign(sign)) return false;
    next();
    return true;
  }
  void expect(std::string_view sign) {
    if (!accept(sign)) refuse(fmt::format("got '{}', expected '{}'", peek().text, sign));
  }
  void expect(Token::Kind kind, std::string_view what) {
    if (peek().kind != kind) refuse(fmt::format("got '{}', expected {}", peek().text, what));
    next();
  }
  std::string word() {
    if (peek().kind != Token::Kind::Word) refuse(fmt::format("got '{}', expected a name", peek().text));
    return next().text;
  }

  Expression make(Kind kind, std::vector<Expression> children = {}) {
    Expression made{.kind = kind, .line = peek().line};
    made.children = std::move(children);
    return made;
  }

  Expression parse_expression() {
    const Nest nest(*this);
    Expression value = parse_comparison();
    if (!is_word("if")) return value;
    next();
    Expression condition = parse_comparison();
    if (word() != "else") refuse("a conditional expression without else");
    return make(Kind::Ternary, {std::move(value), std::move(condition), parse_expression()});
  }

  // Arithmetic is written as calls, but for signs of numbers and a few comparisons of older writers.
  Expression parse_comparison() {
    Expression left = parse_postfix();
    static constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
        {"==", "eq"}, {"!=", "ne"}, {"<", "lt"},  {">", "gt"},  {"<=", "le"},       {">=", "ge"},
        {"+", "add"}, {"-", "sub"}, {"*", "mul"}, {"/", "div"}, {"//", "floordiv"}, {"%", "remainder"}};
    for (const auto& [sign, name] : kSigns) {
      if (!is_sign(sign)) continue;
      Expression callee = make(Kind::Name);
      callee.text = "torch." + std::string(name);
      next();
      std::vector<Expression> children;
      children.push_back(std::move(callee));
      children.push_back(std::move(left));
      children.push_back(parse_postfix());
      Expression call = make(Kind::Call, std::move(children));
      call.keywords.resize(2);
      return call;
    }
    return left;
  }

  Expression parse_postfix() {
    Expression value = parse_atom();
    for (int length = 0;; ++length) {
      if (length > kDeepestExpression) refuse("an expression of more than 100 parts");
      if (accept(".")) {
        value = make(Kind::Attribute, one(std::move(value)));
        value.text = word();
      } else if (accept("(")) {
        value = make(Kind::Call, one(std::move(value)));
        while (!accept(")")) {
          std::string keyword;
          if (peek().kind == Token::Kind::Word && peek(1).kind == Token::Kind::Sign && peek(1).text == "=") {
            keyword = word();
            next();
          }
          value.children.push_back(parse_expression());
          value.keywords.push_back(std::move(keyword));
          if (!is_sign(")")) expect(",");
        }
      } else if (accept("[")) {
        value = parse_index(std::move(value));
      } else {
        return value;
      }
    }
  }

  static std::vector<Expression> one(Expression value) {
    std::vector<Expression> children;
    children.push_back(std::move(value));
    return children;
  }

  Expression parse_index(Expression of) {
    const auto bound = [&] { return is_sign(":") || is_sign("]") ? make(Kind::Literal) : parse_expression(); };
    Expression first = bound();
    if (accept(":")) {
      Expression slice = make(Kind::Slice, one(std::move(of)));
      slice.children.push_back(std::move(first));
      slice.children.push_back(bound());
      expect("]");
      return slice;
    }
    if (is_sign(",")) {  // of types: Dict[str, Tensor]
      first = make(Kind::Tuple, one(std::move(first)));
      while (accept(",")) {
        if (!is_sign("]")) first.children.push_back(parse_expression());
      }
    }
    expect("]");
    Expression subscript = make(Kind::Subscript, one(std::move(of)));
    subscript.children.push_back(std::move(first));
    return subscript;
  }

  Expression literal(Value value) {
    Expression made = make(Kind::Literal);
    made.literal = std::move(value);
    return made;
  }

  Expression parse_atom() {
    const Nest nest(*this);
    const Token& token = next();
    if (token.kind == Token::Kind::Number) return literal(token.number);
    if (token.kind == Token::Kind::Text) return literal(token.text);
    if (token.kind == Token::Kind::Word) {
      if (token.text == "None") return literal(None{});
      if (token.text == "True" || token.text == "False") return literal(token.text == "True");
      Expression name = make(Kind::Name);
      name.text = token.text;
      return name;
    }
    if (token.text == "-") {
      const Expression number = parse_atom();
      if (const auto* integer = number.literal.as<int64_t>()) return literal(-*integer);
      if (const auto* real = number.literal.as<double>()) return literal(-*real);
      if (number.kind == Kind::Name && number.text == "inf") return literal(-std::numeric_limits<double>::infinity());
      Expression callee = make(Kind::Name);
      callee.text = "torch.neg";
      Expression call = make(Kind::Call, one(std::move(callee)));
      call.children.push_back(number);
      call.keywords.resize(1);
      return call;
    }
    if (token.text == "[") return parse_items(make(Kind::List), "]");
    if (token.text == "{") {
      Expression dict = make(Kind::Dict);
      while (!accept("}")) {
        dict.children.push_back(parse_expression());
        expect(":");
        dict.children.push_back(parse_expression());
        if (!is_sign("}")) expect(",");
      }
      return dict;
    }
    if (token.text == "(") {
      if (accept(")")) return make(Kind::Tuple);
      Expression first = parse_expression();
      if (accept(")")) return first;
      Expression tuple = make(Kind::Tuple, one(std::move(first)));
      expect(",");
      return parse_items(std::move(tuple), ")");
    }
    --at_;
    refuse(fmt::format("got '{}', expected an expression", token.text));
  }

  Expression parse_items(Expression into, std::string_view end) {
    while (!accept(end)) {
      into.children.push_back(parse_expression());
      if (!is_sign(end)) expect(",");
    }
    return into;
  }

  std::vector<Statement> parse_block() {
    const Nest nest(*this);
    expect(":");
    expect(Token::Kind::NewLine, "the end of the line");
    expect(Token::Kind::Indent, "an indented block");
    std::vector<Statement> block;
    while (peek().kind != Token::Kind::Dedent && peek().kind != Token::Kind::End) block.push_back(parse_statement());
    expect(Token::Kind::Dedent, "the end of the block");
    return block;
  }

  Statement parse_statement() {
    Statement statement{.line = peek().line};
    if (is_word("if") || is_word("while")) {
      statement.kind = next().text == "if" ? Statement::Kind::If : Statement::Kind::While;
      statement.value = parse_expression();
      statement.body = parse_block();
      if (statement.kind == Statement::Kind::If && is_word("else")) {
        next();
        statement.otherwise = parse_block();
      }
      return statement;
    }
    if (is_word("for")) {
      next();
      statement.kind = Statement::Kind::For;
      statement.targets.push_back(parse_postfix());
      if (word() != "in") refuse("a loop without in");
      statement.value = parse_expression();
      statement.body = parse_block();
      return statement;
    }
    if (is_word("with")) {
      next();
      statement.kind = Statement::Kind::With;
      statement.value = parse_expression();
      statement.body = parse_block();
      return statement;
    }
    if (is_word("return")) {
      next();
      statement.kind = Statement::Kind::Return;
      if (peek().kind != Token::Kind::NewLine) statement.value = parse_list_of_expressions();
    } else if (is_word("pass")) {
      next();
    } else {
      parse_assignment(statement);
    }
    expect(Token::Kind::NewLine, "the end of the line");
    return statement;
  }

  /// "a, b" without brackets is a tuple.
  Expression parse_list_of_expressions() {
    Expression first = parse_expression();
    if (!is_sign(",")) return first;
    Expression tuple = make(Kind::Tuple, one(std::move(first)));
    while (accept(",")) {
      if (peek().kind != Token::Kind::NewLine) tuple.children.push_back(parse_expression());
    }
    return tuple;
  }

  void parse_assignment(Statement& statement) {
    statement.targets.push_back(parse_expression());
    while (accept(",")) {
      statement.unpacks = true;
      if (!is_sign("=")) statement.targets.push_back(parse_expression());
    }
    if (accept(":")) parse_expression();  // its type
    if (accept("=")) {
      statement.kind = Statement::Kind::Assign;
      statement.value = parse_list_of_expressions();
      return;
    }
    statement.kind = Statement::Kind::Evaluate;
    statement.value = std::move(statement.targets.front());
    statement.targets.clear();
  }

  Function parse_function() {
    Function function{.name = {}, .entry = where_.node, .parameters = {}, .body = {}, .line = next().line};
    function.name = word();
    expect("(");
    while (!accept(")")) {
      Parameter parameter{.name = word(), .type = {}};
      if (accept(":")) parameter.type = parse_expression();
      if (accept("=")) {
        parameter.has_default = true;
        parameter.value = parse_expression();
      }
      function.parameters.push_back(std::move(parameter));
      if (!is_sign(")")) expect(",");
    }
    if (accept("->")) parse_expression();
    function.body = parse_block();
    return function;
  }

  Class parse_class() {
    next();
    Class made{.name = word(), .base = {}, .fields = {}, .constants = {}, .methods = {}};
    if (accept("(")) {
      made.base = word();
      expect(")");
    }
    expect(":");
    expect(Token::Kind::NewLine, "the end of the line");
    if (peek().kind != Token::Kind::Indent) return made;
    next();
    while (peek().kind != Token::Kind::Dedent && peek().kind != Token::Kind::End) {
      if (is_word("def")) {
        made.methods.push_back(parse_function());
        continue;
      }
      const bool is_field = peek().kind == Token::Kind::Word && peek(1).text == ":";
      if (is_field) made.fields.push_back(peek().text);
      Statement statement = parse_statement();
      const bool is_constant = is_field || (made.base == "Enum" && statement.targets.size() == 1);
      if (is_constant && statement.kind == Statement::Kind::Assign) made.constants.push_back(std::move(statement));
    }
    expect(Token::Kind::Dedent, "the end of the class");
    return made;
  }

  std::vector<Token> tokens_;
  Location where_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Program parse_code(std::string_view text, const std::string& file, const std::string& entry) {
  const Location where{.file = file, .node = entry};
  return Parser(tokens_of(text, where), where).run();
}

std::string type_text(const Expression& type) {
  switch (type.kind) {
    case Kind::Name:
      return type.text;
    case Kind::Attribute:
      return type_text(type.children[0]) + "." + type.text;
    case Kind::Subscript:
      return fmt::format("{}[{}]", type_text(type.children[0]), type_text(type.children[1]));
    case Kind::Tuple: {
      std::string text;
      for (const Expression& child : type.children) text += (text.empty() ? "" : ", ") + type_text(child);
      return text;
    }
    default:
      return "";
  }
}

}  // namespace openrknn::torchscript
