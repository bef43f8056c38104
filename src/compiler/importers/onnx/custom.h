// Nodes that the ONNX standard does not know and the user's own code computes.
#pragma once

#include <map>
#include <string>

#include "compiler/importers/importer.h"
#include "compiler/importers/onnx/wire.h"

namespace openrknn::onnx {

class Translation;

/// The node's attributes under their own names. Throws Error (ImportUnsupportedAttribute) for graphs and the like.
Attributes users_attributes(const Translation&);

/// Which operators are custom, and what their outputs are. Both arguments must outlive it.
class CustomOperators {
 public:
  CustomOperators(const GraphProto&, const ImportOptions&);

  /// The shape the graph's input really has: names of its dimensions stand for these extents in other shapes too.
  void learn(Bytes input, const Shape&);
  /// Declared by the caller, or named cst… by convention.
  bool covers(Bytes op) const;
  /// Writes the Custom node. Throws Error (ImportUnsupportedOp) if nothing says what its outputs are.
  void translate(Translation&) const;

 private:
  using Type = std::pair<DType, Shape>;
  const CustomDeclaration* declaration(Bytes op) const;
  const ValueInfo* info(Bytes tensor) const;
  std::vector<Type> output_types(Translation&, const Attributes&) const;
  Type declared_type(Translation&, Bytes tensor) const;
  void refuse_stale_shapes(Translation&) const;
  std::optional<int64_t> extent(const Dimension&) const;

  const ImportOptions& options_;
  std::map<Bytes, const ValueInfo*> infos_;
  std::map<Bytes, int64_t> symbols_;
};

}  // namespace openrknn::onnx
