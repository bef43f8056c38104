// Runs a model's code on values: what is Python's is computed, what is a tensor's becomes nodes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/importers/layer_builder.h"
#include "compiler/importers/torchscript/library.h"
#include "compiler/importers/torchscript/value.h"

namespace openrknn::torchscript {

struct OperatorRow;

/// Code whose way depends on what fails stops here; what is wrong is in LayerBuilder::problems by then.
struct Stopped {};

class Interpreter {
 public:
  Interpreter(const Archive&, Library&, LayerBuilder&, Value constants);

  /// Throws Error, Stopped.
  Value call(const Function&, std::vector<Value> arguments, const ObjectRef& self);
  /// An operator by torch's name ("aten::add"). Unknown if it failed or if it reads what did.
  Value call_operator(const std::string& name, std::vector<Value> arguments, const std::vector<std::string>& keywords,
                      const std::vector<std::string>& wanted_names);
  /// Does the work; what stops it joins the other problems and the operators that are not supported. Throws Error with
  /// all of them.
  void collect(const std::function<void()>& work);

  /// What an argument of forward is that is not given.
  Value default_of(const Parameter& parameter) { return evaluate(parameter.value); }
  /// The name of an input, which no other tensor gets.
  std::string name_input(const std::string& name) { return tensor_name(name, name); }

  // Tensors.
  /// What it holds now. None if that is unknown.
  ValueId id(const TensorRef&);
  /// The numbers, if they are known.
  std::optional<Tensor> content(const TensorRef&);
  /// Replaces what the tensor holds, and what the tensors hold that it is a view of. Within a layer. Throws Error.
  void write(const TensorRef&, ValueId);

  LayerBuilder& builder() { return builder_; }
  /// Where operators are called from outside of any code.
  Location place;
  /// Where the code is now.
  Location where() const;
  [[noreturn]] void refuse(std::string problem, std::string fix = {}) const;
  /// Counts what is done: code that runs too long is refused.
  void spend(int64_t steps = 1);

 private:
  struct Frame {
    const Function* function;
    std::string path;
    std::map<std::string, Value, std::less<>> variables = {};
    Value result = {};
    bool has_returned = false;
    int64_t line = 0;
  };
  struct Nest {
    explicit Nest(Interpreter&);
    ~Nest() { --run.depth_; }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;
    Interpreter& run;
  };

  void run(const std::vector<Statement>&);
  void run(const Statement&);
  void run_loop(const Statement&);
  void assign(const Expression& target, Value);
  void unpack(const Statement&, Value);
  bool condition(const Expression&);
  Value evaluate(const Expression&, const std::vector<std::string>& wanted_names = {});
  Value evaluate_call(const Expression&, const std::vector<std::string>& wanted_names);
  Value evaluate_name(const Expression&);
  const Value* find_variable(const std::string& name) const;
  Value attribute(const Value& of, const std::string& name);
  Value item(const Value& of, const Value& index);
  Value slice(const Value& of, const Value& begin, const Value& end);
  Value call_name(const std::string& name, std::vector<Value> arguments, const std::vector<std::string>& keywords,
                  const std::vector<std::string>& wanted_names);
  Value call_method(const Method&, std::vector<Value> arguments, const std::vector<std::string>& keywords);
  std::vector<Value> bind(const Function&, std::vector<Value> arguments, const std::vector<std::string>& keywords);
  void report_unsupported();
  Value translate(const OperatorRow&, const std::string& name, std::vector<Value> arguments, bool in_place,
                  const std::vector<std::string>& wanted_names);
  void make_views(const OperatorRow&, const std::string& name, const std::vector<Value>& arguments,
                  const Value& result);
  void show_as(const TensorRef& target, const OperatorRow&, const std::string& name,
               const std::vector<Value>& arguments);
  std::string tensor_name(const std::string& name, const std::string& node);
  Origin origin(const std::string& op);

  Library& library_;
  LayerBuilder& builder_;
  Value constants_;
  std::vector<Frame> frames_;
  std::map<std::string, int64_t> node_names_, tensor_names_;  ///< how often each was wanted
  struct Refused {
    int64_t count = 0;
    Location where;
    std::string reason;
  };
  std::map<std::string, Refused> refused_;
  std::string file_;
  int64_t steps_ = 0;
  int depth_ = 0;
};

/// Deep: the tensors among values.
void collect_tensors(const Value&, std::vector<TensorRef>&, bool& has_unknown);
/// The truth of Python. Throws Error for what has none.
bool truth(Interpreter&, const Value&);

}  // namespace openrknn::torchscript
