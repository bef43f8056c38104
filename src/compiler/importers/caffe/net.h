// A .prototxt as the layers of one net: older forms are brought to the newest, layers of training are left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/caffe/text_format.h"
#include "core/base/shape.h"

namespace openrknn::caffe {

struct NetLayer {
  std::string name, type;  ///< type as the newest form spells it: "Convolution"
  std::vector<std::string> bottoms, tops;
  Message options;  ///< convolution_param and the like
  int64_t line = 0;
};

struct NetInput {
  std::string name;
  Shape shape;  ///< empty: the file says none
  int64_t line = 0;
};

struct Net {
  std::string name, file;
  std::vector<NetInput> inputs;
  std::vector<NetLayer> layers;
};

/// Reads the newest form, `layers` of V1 with types in capitals, V0 with a `layer` in each, inputs as layers,
/// `input_shape` or `input_dim`. Throws Error with everything that is wrong.
Net parse_net(std::string_view text, const std::string& file);
bool looks_like_prototxt(std::string_view head);

/// Types of V1 by number (the binary file has numbers) and by name; empty if unknown.
std::string_view type_of_v1(int64_t number);
std::string_view type_of_v1(std::string_view name);

}  // namespace openrknn::caffe
