// One function a section, and the table of them.
#pragma once

#include "compiler/importers/darknet/cfg.h"
#include "compiler/importers/darknet/weights.h"
#include "compiler/importers/layer_builder.h"

namespace openrknn::darknet {

using Ints = std::vector<int64_t>;

/// Numbers of a convolution that others may share.
struct Kernel {
  ValueId weights = ValueId::None, bias = ValueId::None;
  ValueId scale = ValueId::None, mean = ValueId::None, variance = ValueId::None;  // None: no batch normalisation
};

struct Network {
  LayerBuilder& builder;
  WeightsReader& weights;
  std::vector<ValueId> results = {};       ///< of the layers so far, [1, channels, height, width]
  std::map<int64_t, Kernel> kernels = {};  ///< by layer
};

/// A section while it is translated.
struct Layer {
  Network& network;
  const Section& section;
  int64_t index = 0;  ///< sections behind [net] count from 0
  ValueId input = ValueId::None;

  LayerBuilder& builder() const { return network.builder; }
  const Shape& shape() const { return network.builder.shape(input); }
  int64_t channels() const { return shape()[1]; }
  int64_t height() const { return shape()[2]; }
  int64_t width() const { return shape()[3]; }
  /// The layer that `from` (relative if negative) names in the option. Throws Error for one that does not come before.
  int64_t other(int64_t from, std::string_view key) const;
  ValueId reshape(ValueId x, Shape to) const { return builder().add("Reshape", {x}, {{"shape", std::move(to)}}); }
  ValueId result(int64_t layer) const { return network.results[static_cast<size_t>(layer)]; }
  /// The next numbers of the weights file as a constant; without content once the file is used up.
  ValueId take(std::string_view part, Shape) const;
  [[noreturn]] void refuse(std::string problem, std::string_view key = {}) const;
};

/// Sizes beyond any network; they keep products within 63 bits.
inline constexpr int64_t kMostChannels = 1 << 20, kMostExtent = 1 << 20, kMostKernel = 1 << 10;

/// The function of an `activation` option. Throws Error for an unknown one.
ValueId activate(const Layer&, ValueId);
ValueId activate(const Layer&, ValueId, std::string_view name);

enum class Role : uint8_t {
  Layer,
  Head,     ///< decodes boxes: its input is an output of the graph
  Removed,  ///< of training: passes its input on
};
struct SectionRow {
  std::string_view type;
  Role role = Role::Layer;
  ValueId (*translate)(const Layer&) = nullptr;
  /// Layers it reads beside the one before it, or in place of it.
  std::vector<int64_t> (*reads)(const Layer&) = nullptr;
  bool reads_previous = true;
  std::string_view refused = {};  ///< why it is not read; empty: it is
};
std::span<const SectionRow> section_rows();

ValueId translate_convolutional(const Layer&);
ValueId translate_connected(const Layer&);
ValueId translate_batchnorm(const Layer&);

ValueId translate_maxpool(const Layer&);
ValueId translate_local_avgpool(const Layer&);
ValueId translate_avgpool(const Layer&);
ValueId translate_upsample(const Layer&);
ValueId translate_reorg(const Layer&);
ValueId translate_reorg3d(const Layer&);
ValueId translate_softmax(const Layer&);
ValueId translate_normalization(const Layer&);

ValueId translate_crop(const Layer&);
ValueId translate_implicit(const Layer&);
ValueId translate_local(const Layer&);

std::vector<int64_t> layers_of_route(const Layer&);
std::vector<int64_t> layers_of_from(const Layer&);
ValueId translate_route(const Layer&);
ValueId translate_shortcut(const Layer&);
ValueId translate_scale_channels(const Layer&);
ValueId translate_sam(const Layer&);

}  // namespace openrknn::darknet
