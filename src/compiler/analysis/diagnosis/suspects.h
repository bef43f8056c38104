// Finds what could be wrong with one layer: the reason, its proof in numbers, and remedies to try.
#pragma once

#include "compiler/analysis/diagnosis/diagnosis.h"
#include "compiler/analysis/diagnosis/parts.h"

namespace openrknn {

struct Suspicion {
  Reason reason = Reason::OutlierChannel;
  std::string evidence;
  std::vector<Remedy> remedies;
};

/// The golden value a row is about and, unless the row is a conversion, the node that computes it.
struct SuspectLayer {
  size_t row = 0;
  ValueId value = ValueId::None;  ///< golden's
  ValueId form = ValueId::None;   ///< the built graph's
  NodeId node = NodeId::None;
};
SuspectLayer suspect_layer(const Subject&, const Analysis&, size_t row);
/// What explain() reads.
std::set<ValueId> values_to_explain(const Subject&, const SuspectLayer&);

/// Nothing if the layer shows none of the known faults.
std::optional<Suspicion> explain(const Subject&, const SuspectLayer&, const Numbers&);

/// Float16 layers whose numbers float16 cannot hold; `overflowing` are all such of the build.
Suspicion half_overflow(const Subject&, const SuspectLayer&, double largest, const std::set<NodeId>& overflowing);

/// "a=float16, b=float16": as precision rules are written.
std::string rules_text(const Graph& golden, const std::map<NodeId, DType>&);

}  // namespace openrknn
