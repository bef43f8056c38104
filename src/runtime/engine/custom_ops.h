// The custom code of one context: which nodes it computes, and the graphs and plans in which it does.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <span>

#include "runtime/engine/custom_site.h"
#include "runtime/engine/device.h"
#include "runtime/engine/loaded_model.h"

namespace openrknn {

class CustomOps {
 public:
  /// Both must outlive it.
  CustomOps(const Model&, Device&);

  /// Binds each operator to all nodes of its type, in every variant, in the graph's order; built-in operators of that
  /// name are replaced. Nothing changes if it throws: what an operator's bind() throws, Error (RuntimeBadArgument) for
  /// a type that was registered before. Returns how many nodes were bound. Plans made before are out of date.
  int64_t add(std::span<const CustomOperator>);

  /// The variant with what was replaced.
  const Graph& graph(size_t variant) const { return graphs_[variant]; }
  /// The plan of that graph with the code in it, kept for the next caller. Thread-safe.
  std::shared_ptr<const Plan> plan(LoadedModel&, size_t variant, Watch);
  /// Types of Custom nodes that nothing computes.
  const std::vector<std::string>& missing(size_t variant) const { return missing_[variant]; }

 private:
  /// One node, its memory, and the code for it.
  struct Bound;
  using Key = std::pair<size_t, NodeId>;  // variant, node
  void find_missing();
  CustomCode code(size_t variant) const;

  Device& device_;
  std::vector<Graph> graphs_;
  std::vector<std::vector<std::string>> missing_;
  std::set<std::string, std::less<>> types_;
  std::map<Key, std::shared_ptr<Bound>> bound_;
  std::mutex mutex_;
  std::map<std::pair<size_t, Watch>, std::shared_ptr<const Plan>> plans_;
};

}  // namespace openrknn
