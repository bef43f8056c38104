// Control flow: what our bodies are handed as inputs, ONNX's read from the outside by name.
#include <fmt/format.h>

#include "compiler/exporters/onnx/operators.h"

namespace openrknn::onnx_export {
namespace {

const Graph& body_of(const Emission& e, const std::string& name) {
  const auto found = e.node.attributes.find(name);
  if (found == e.node.attributes.end()) {
    e.unsupported(fmt::format("{} is left out ({})", name, e.text("problem", "")));
  }
  return *std::get<std::shared_ptr<const Graph>>(found->second);
}

std::vector<std::string> inputs_from(const Emission& e, size_t first) {
  std::vector<std::string> names;
  for (size_t i = first; i < e.input_count(); ++i) names.push_back(e.in(i));
  return names;
}
std::vector<std::string> first_inputs(const Emission& e, size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(e.in(i));
  return names;
}

void branch(Emission& e) {
  const std::vector<std::string> captures = inputs_from(e, 1);
  std::vector<NamedAttribute> attributes;
  for (const char* const name : {"then_branch", "else_branch"}) {
    attributes.push_back(NamedAttribute{name, Body{write_body(e.scope.file, body_of(e, name), 0, captures)}});
  }
  e.produce("If", {e.in(0)}, std::move(attributes));
}

void loop(Emission& e) {
  const size_t own = 2 + static_cast<size_t>(e.integer("carried"));
  const std::vector<std::string> captures = inputs_from(e, own);
  e.produce("Loop", first_inputs(e, own),
            {NamedAttribute{"body", Body{write_body(e.scope.file, body_of(e, "body"), own, captures)}}});
}

void scan(Emission& e) {
  const auto scanned = static_cast<size_t>(e.integer("scan_inputs"));
  const size_t own = static_cast<size_t>(e.integer("states")) + scanned;
  const std::vector<std::string> captures = inputs_from(e, own);
  std::vector<NamedAttribute> attributes = {
      NamedAttribute{"body", Body{write_body(e.scope.file, body_of(e, "body"), own, captures)}},
      {"num_scan_inputs", static_cast<int64_t>(scanned)}};
  for (const char* const name : {"input_axes", "output_axes", "input_directions", "output_directions"}) {
    if (e.has_attribute(name)) attributes.push_back({fmt::format("scan_{}", name), e.integers(name)});
  }
  e.produce("Scan", first_inputs(e, own), std::move(attributes));
}

constexpr OperatorRow kControlRows[] = {{"If", branch}, {"Loop", loop}, {"Scan", scan}};

}  // namespace

std::span<const OperatorRow> control_operators() { return kControlRows; }

}  // namespace openrknn::onnx_export
