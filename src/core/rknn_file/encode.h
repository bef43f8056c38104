// Model -> the FlatBuffer of the "model" section; tensor bytes go to the weights section.
#pragma once

#include <string>

#include "core/model/model.h"
#include "core/rknn_file/weights_section.h"

namespace openrknn {

/// Equal models give equal bytes. Dead nodes and values are left out and ids close ranks, in the golden graph and the
/// variants alike, so that they still pair. Throws Error (GraphInvalid) for a graph that cannot be put in order.
std::string encode_model(const Model&, WeightsSection&);

}  // namespace openrknn
