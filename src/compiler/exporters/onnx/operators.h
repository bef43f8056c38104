// The table: how each operator is written. One function a form, one row an operator.
#pragma once

#include <span>

#include "compiler/exporters/onnx/emission.h"

namespace openrknn::onnx_export {

struct OperatorRow {
  std::string_view op;
  void (*write)(Emission&);
};

std::span<const OperatorRow> elementwise_operators();
std::span<const OperatorRow> layer_operators();
std::span<const OperatorRow> movement_operators();
std::span<const OperatorRow> sequence_operators();
std::span<const OperatorRow> control_operators();

/// Writes one node: by its row, or into our own domain.
void write_node(Emission&);

/// ONNX's operator of the same name, of the same inputs and without attributes.
void write_same(Emission&);
/// The function (Relu, SiLU, …) of tensor x gives the node's output. Parameters are attributes of this prefix: ""
/// for a node of its own, "activation_" where it is fused.
void write_function(Emission&, std::string_view function, const std::string& x, std::string_view prefix);
/// The node without its fused activation, then that.
void write_with_activation(Emission&, std::string_view op, std::vector<std::string> inputs,
                           std::vector<NamedAttribute>);

/// The GraphProto of a body: its first inputs are declared, the others are the tensors named in `captures`.
std::string write_body(File&, const Graph& body, size_t declared, std::span<const std::string> captures);

}  // namespace openrknn::onnx_export
