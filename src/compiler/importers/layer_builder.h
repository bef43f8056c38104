// The graph of a source model whose layers are translated in order: what importers share that need no scopes of names.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// Nodes are added layer by layer. The first node of a layer bears its name, the others "name/Op"; what the layer gives
/// bears the name of the source's tensor. Problems are collected: a layer that cannot be translated is None for those
/// that read it, which are skipped.
class LayerBuilder {
 public:
  explicit LayerBuilder(std::string file);

  Graph graph;
  Diagnostics problems;

  ValueId add_input(std::string name, DType, Shape);

  /// Translates one layer and names what it gives. None if it failed, or if one of `reads` did.
  ValueId layer(Origin, std::span<const ValueId> reads, const std::function<ValueId()>& translate);
  /// Of several results, `tensors` their names; all None if it failed.
  std::vector<ValueId> layer(Origin, std::span<const std::string> tensors, std::span<const ValueId> reads,
                             const std::function<std::vector<ValueId>()>& translate);

  /// Of as many results as there turn out to be; nothing if it failed.
  std::optional<std::vector<ValueId>> layer(Origin, std::span<const ValueId> reads,
                                            const std::function<std::vector<ValueId>()>& translate,
                                            const std::function<std::string(size_t index, size_t count)>& tensor_name);

  /// A layer that nothing is computed for: a branch that is not taken, a constant that is read as it is stored.
  void leave_out(Origin);

  // Within a layer. Each throws Error as infer() does.
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes = {});
  std::vector<ValueId> add_many(std::string_view op, std::vector<ValueId> inputs, Attributes, size_t outputs);
  /// Glue in front of the layer, which leaves its name to the node that is the layer.
  ValueId add_beside(std::string_view op, std::vector<ValueId> inputs, Attributes = {});
  /// Called "layer/part".
  ValueId constant(std::string_view part, Tensor);
  /// Float32 numbers: a scalar, or one number a channel of a 4-D tensor ([1, n, 1, 1]).
  ValueId scalar(std::string_view part, float);
  ValueId per_channel(std::string_view part, std::vector<float>);

  /// The reorganisation of YOLOv2 as it was trained: reorg_cpu() of DarkNet is called with the sizes of the input where
  /// those of the result are meant, so blocks are taken from another view of the same numbers. The block divides all.
  ValueId reorg(ValueId x, int64_t block);

  const Shape& shape(ValueId id) const { return graph[id].shape; }
  /// The layer at work, for messages.
  const Location& where() const { return where_; }

  /// Throws if there are problems.
  void finish() { problems.throw_if_any(); }

 private:
  std::vector<ValueId> add_node(std::string name, std::string_view op, std::vector<ValueId> inputs, Attributes,
                                size_t outputs);
  ValueId give_name(ValueId result, const std::string& tensor);
  void place(ValueId result);

  std::string file_;
  Location where_;
  std::string layer_name_;
  int32_t origin_ = 0;
  bool has_node_ = false;  // of this layer
};

/// "2 layers: a, b", and an ellipsis in place of those beyond `most`.
std::string counted(std::span<const std::string> names, std::string_view noun, size_t most);

/// The tensors of these names become outputs, after those there are. Throws Error (ImportBadCrop) with every name that
/// `find` gives None for ("outputs names 'x', which {problem}"), that is an input, or that comes twice.
void take_outputs(Graph&, std::span<const std::string> names, const std::function<ValueId(const std::string&)>& find,
                  const std::string& file, std::string_view problem, std::string_view fix);

}  // namespace openrknn
