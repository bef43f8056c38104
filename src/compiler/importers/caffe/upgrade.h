#pragma once

#include "compiler/importers/caffe/text_format.h"

namespace openrknn::caffe {

/// A layer of V0 ({bottom, top, layer {name, type, num_output, …}}) as the newest form writes it.
Message upgrade_v0(const Message& layer);

}  // namespace openrknn::caffe
