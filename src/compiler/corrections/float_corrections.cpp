// The order of corrections, and what each is for.
#include "compiler/corrections/float_corrections.h"

namespace openrknn {
namespace {

using enum CorrectionUse;
using namespace corrections;  // NOLINT(google-build-using-namespace): the tables read as a list

constexpr Correction kLayers[] = {
    {"equalize", "equalize", &Corrections::equalize, CodedWeights, false, equalize,
     "after the folds, which make layers, and before fusing, which hides the activations between them"},
    {"absorb_bias", "absorb_bias", &Corrections::absorb_bias, CodedActivations, true, absorb_bias,
     "after equalize, which makes biases of small channels large"},
    {"activate_before_concat", "split_concat", &Corrections::split_concat, CodedActivations, false,
     activate_before_concat, "before fusing, which makes the function part of the layers"},
};

constexpr Correction kFused[] = {
    {"split_concat", "split_concat", &Corrections::split_concat, CodedActivations, false, split_concat,
     "a Concat whose parts are taken out again ties their scales for nothing", true},
    {"migrate_scales", "migrate_scales", &Corrections::migrate_scales, CodedActivations, true, migrate_scales,
     "a normalisation is one node by now"},
    {"rescue_float16", "rescue_float16", &Corrections::rescue_float16, Float16, false, rescue_float16,
     "last: what is left is what float16 has to hold"},
};

}  // namespace

std::span<const Correction> corrections_of_layers() { return kLayers; }
std::span<const Correction> corrections_of_fused_graph() { return kFused; }

void corrections::note(const CorrectionContext& context, std::string_view correction, const Graph& graph,
                       std::span<const NodeId> nodes) {
  if (!context.note) return;
  std::string line(correction);
  for (size_t i = 0; i < nodes.size(); ++i) line += (i == 0 ? ": " : " + ") + graph[nodes[i]].name;
  context.note(line);
}

}  // namespace openrknn
