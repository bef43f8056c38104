// The table of sections (docs/operators.md, DarkNet), and what their functions share.
#include "compiler/importers/darknet/layers.h"

#include <fmt/format.h>

namespace openrknn::darknet {
namespace {

constexpr std::string_view kKeepsState = "sections that keep a state from picture to picture are not supported";

const SectionRow kSectionRows[] = {
    {.type = "activation", .translate = [](const Layer& layer) { return activate(layer, layer.input); }},
    {.type = "avgpool", .translate = translate_avgpool},
    {.type = "batchnorm", .translate = translate_batchnorm},
    {.type = "connected", .translate = translate_connected},
    {.type = "convolutional", .translate = translate_convolutional},
    {.type = "crop", .translate = translate_crop},
    {.type = "implicit", .translate = translate_implicit, .reads_previous = false},
    {.type = "local", .translate = translate_local},
    {.type = "local_avgpool", .translate = translate_local_avgpool},
    {.type = "maxpool", .translate = translate_maxpool},
    {.type = "normalization", .translate = translate_normalization},
    {.type = "reorg", .translate = translate_reorg},
    {.type = "reorg3d", .translate = translate_reorg3d},
    {.type = "route", .translate = translate_route, .reads = layers_of_route, .reads_previous = false},
    {.type = "sam", .translate = translate_sam, .reads = layers_of_from},
    {.type = "scale_channels", .translate = translate_scale_channels, .reads = layers_of_from},
    {.type = "shortcut", .translate = translate_shortcut, .reads = layers_of_from},
    {.type = "softmax", .translate = translate_softmax},
    {.type = "upsample", .translate = translate_upsample},
    {.type = "Gaussian_yolo", .role = Role::Head},
    {.type = "detection", .role = Role::Head},
    {.type = "region", .role = Role::Head},
    {.type = "yolo", .role = Role::Head},
    {.type = "contrastive", .role = Role::Removed},
    {.type = "cost", .role = Role::Removed},
    {.type = "dropout", .role = Role::Removed},
    {.type = "silence", .role = Role::Removed},
    {.type = "conv_lstm", .refused = kKeepsState},
    {.type = "crnn", .refused = kKeepsState},
    {.type = "gru", .refused = kKeepsState},
    {.type = "history", .refused = kKeepsState},
    {.type = "lstm", .refused = kKeepsState},
    {.type = "rnn", .refused = kKeepsState},
};

}  // namespace

std::span<const SectionRow> section_rows() { return kSectionRows; }

int64_t Layer::other(int64_t from, std::string_view key) const {
  const int64_t layer = from < 0 ? index + from : from;
  if (layer < 0 || layer >= index) {
    refuse(fmt::format("{} names layer {}, and this is layer {}: expected one that comes before it", key, layer, index),
           key);
  }
  return layer;
}

ValueId Layer::take(std::string_view part, Shape shape) const {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  if (std::optional<std::vector<float>> numbers = network.weights.take(count)) {
    return builder().constant(part, Tensor::from<float>(std::move(shape), *numbers));
  }
  return builder().graph.add(Value{.name = std::string(part), .shape = std::move(shape)});
}

void Layer::refuse(std::string problem, std::string_view key) const {
  fail(Code::ImportUnsupportedOp, section.where(key), std::move(problem));
}

}  // namespace openrknn::darknet
