// The order of corrections, and what each is for.
#include "compiler/corrections/correction.h"

namespace openrknn {
namespace {

using enum CorrectionUse;
using namespace corrections;  // NOLINT(google-build-using-namespace): the tables read as a list

constexpr Correction kLayers[] = {
    {"equalize", &Corrections::equalize, CodedWeights, false, equalize,
     "after the folds, which make layers, and before fusing, which hides the activations between them"},
};

}  // namespace

std::span<const Correction> corrections_of_layers() { return kLayers; }
std::span<const Correction> corrections_of_fused_graph() { return {}; }

void corrections::note(const CorrectionContext& context, std::string_view correction, const Graph& graph,
                       std::span<const NodeId> nodes) {
  if (!context.note) return;
  std::string line(correction);
  for (size_t i = 0; i < nodes.size(); ++i) line += (i == 0 ? ": " : " + ") + graph[nodes[i]].name;
  context.note(line);
}

}  // namespace openrknn
