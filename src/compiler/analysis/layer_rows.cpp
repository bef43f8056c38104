#include "compiler/analysis/layer_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/executor/needed_nodes.h"

namespace openrknn {
namespace {

constexpr std::string_view kConversion = "exDataConvert";  // as RKNN-Toolkit2 shows Convert

/// Golden's value of the same real numbers; None if golden has none.
class Pairing {
 public:
  Pairing(const Graph& golden, const Graph& built) : golden_(golden), built_(built) {
    for (const NodeId id : needed_nodes(golden)) needed_.insert(id);
  }

  ValueId reference(ValueId value) const {
    if (value == ValueId::None || built_[value].constant || element_count(built_[value].shape) == 0) {
      return ValueId::None;
    }
    if (is_golden(value)) return value;
    const NodeId producer = built_[value].producer;
    if (producer == NodeId::None || built_[producer].op != "Convert") return ValueId::None;
    return reference(built_[producer].inputs[0]);
  }

 private:
  bool is_golden(ValueId id) const {
    if (static_cast<int64_t>(id) >= golden_.value_count()) return false;
    if (golden_[id].constant) return true;  // golden knows the content, the built graph computes it anew
    return golden_.is_input(id) || needed_.contains(golden_[id].producer);
  }

  const Graph& golden_;
  const Graph& built_;
  std::set<NodeId> needed_;
};

class Rows {
 public:
  Rows(const Graph& golden, const Graph& built) : golden_(golden), built_(built), pairing_(golden, built) {
    for (const NodeId node : needed_nodes(built)) {
      for (const ValueId output : built[node].outputs) {
        if (pairing_.reference(output) != ValueId::None) computed_.push_back(output);
      }
    }
    is_computed_.insert(computed_.begin(), computed_.end());
    is_computed_.insert(built.inputs.begin(), built.inputs.end());
  }

  std::vector<LayerRow> make() {
    for (const ValueId input : golden_.inputs) add_input(input);
    for (const Origin& origin : golden_.origins) named_.insert(golden_.find(origin.tensor));
    for (const Origin& origin : golden_.origins) add_origin(origin);
    return with_inner_layers();
  }

 private:
  LayerRow row_of(std::string op, std::string tensor, ValueId value) {
    first_row_.emplace(value, rows_.size());
    return {.op = std::move(op),
            .tensor = std::move(tensor),
            .layer = built_[value].name,
            .reference = golden_[pairing_.reference(value)].name,
            .dtype = std::string(numpy_name(built_[value].dtype))};
  }

  void add_input(ValueId id) {
    const std::string& name = golden_[id].name;
    LayerRow input = row_of("Input", name, id);
    const DType now = built_[id].dtype;
    if (now == golden_[id].dtype) {
      rows_.push_back(std::move(input));
      return;
    }
    LayerRow converted = input;
    converted.op = kConversion;
    converted.tensor = fmt::format("{}{}{}", name, built_[id].quant ? "_" : "__", numpy_name(now));
    input.is_exact = true;
    input.dtype = std::string(numpy_name(golden_[id].dtype));
    rows_.push_back(std::move(input));
    rows_.push_back(std::move(converted));
  }

  void add_origin(const Origin& origin) {
    const ValueId id = golden_.find(origin.tensor);
    if (!is_computed_.contains(id)) {
      rows_.push_back({.op = origin.op, .tensor = origin.tensor});
      return;
    }
    rows_.push_back(row_of(origin.op, origin.tensor, id));
    const NodeId producer = built_[id].producer;
    if (producer == NodeId::None || built_[producer].outputs[0] != id) return;
    for (const ValueId output : built_[producer].outputs) {
      if (!is_computed_.contains(output) || !named_.insert(output).second) continue;
      rows_.push_back(row_of(origin.op, golden_[output].name, output));
    }
  }

  /// What no source layer is named after stands before the first row of what is computed next.
  std::vector<LayerRow> with_inner_layers() {
    std::map<size_t, std::vector<LayerRow>> before;
    std::vector<LayerRow> waiting;
    for (const ValueId value : computed_) {
      const auto row = first_row_.find(value);
      if (row == first_row_.end()) {
        const std::string& op = built_[built_[value].producer].op;
        waiting.push_back({.op = op == "Convert" ? std::string(kConversion) : op,
                           .tensor = built_[value].name,
                           .layer = built_[value].name,
                           .reference = golden_[pairing_.reference(value)].name,
                           .dtype = std::string(numpy_name(built_[value].dtype))});
        continue;
      }
      std::vector<LayerRow>& here = before[row->second];
      std::move(waiting.begin(), waiting.end(), std::back_inserter(here));
      waiting.clear();
    }
    std::vector<LayerRow> all;
    for (size_t i = 0; i < rows_.size(); ++i) {
      std::move(before[i].begin(), before[i].end(), std::back_inserter(all));
      all.push_back(std::move(rows_[i]));
    }
    std::move(waiting.begin(), waiting.end(), std::back_inserter(all));
    return all;
  }

  const Graph& golden_;
  const Graph& built_;
  const Pairing pairing_;
  std::vector<ValueId> computed_;  // in the order of computation
  std::set<ValueId> is_computed_, named_;
  std::map<ValueId, size_t> first_row_;
  std::vector<LayerRow> rows_;
};

}  // namespace

std::vector<LayerRow> layer_rows(const Graph& golden, const Graph& built) { return Rows(golden, built).make(); }

std::vector<std::pair<std::string, std::string>> comparable_values(const Graph& golden, const Graph& built) {
  const Pairing pairing(golden, built);
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto add = [&](ValueId value) {
    if (const ValueId reference = pairing.reference(value); reference != ValueId::None) {
      pairs.emplace_back(built[value].name, golden[reference].name);
    }
  };
  for (const ValueId input : built.inputs) add(input);
  for (const NodeId node : needed_nodes(built)) {
    for (const ValueId output : built[node].outputs) add(output);
  }
  return pairs;
}

}  // namespace openrknn
