#include "compiler/importers/caffe/layers.h"

#include <fmt/format.h>

#include <algorithm>

namespace openrknn::caffe {
namespace {

constexpr LayerRow kRefused[] = {
    {.type = "Proposal", .refused = "boxes are chosen on the host: cut the net before it"},
    {.type = "Python", .refused = "its code is not in the file"},
};

}  // namespace

std::vector<LayerRow> layer_rows() {
  std::vector<LayerRow> rows(std::begin(kRefused), std::end(kRefused));
  for (const std::span<const LayerRow> table :
       {rows_of_products(), rows_of_functions(), rows_of_arithmetic(), rows_of_normalization(), rows_of_movement(),
        rows_of_sampling(), rows_of_detection(), rows_of_detection_output(), rows_of_recurrent()}) {
    rows.insert(rows.end(), table.begin(), table.end());
  }
  return rows;
}

namespace {

const Blob* find_blob(const Layer& layer, size_t n, std::string_view part, int64_t count, const std::string& expected) {
  const auto found = layer.blobs.find(layer.source.name);
  if (found == layer.blobs.end()) {
    layer.missing.add(layer.source.name);
    return nullptr;
  }
  if (n >= found->second.size()) {
    fail(Code::ImportMissingTensor, Location{.line = layer.source.line},
         fmt::format("the .caffemodel has {} blob{} for the layer, {} would be number {}", found->second.size(),
                     found->second.size() == 1 ? "" : "s", part, n + 1),
         "give the .prototxt and .caffemodel that belong together");
  }
  const Blob& blob = found->second[n];
  if (static_cast<int64_t>(blob.numbers.size()) != count) {
    fail(Code::ImportShapeMismatch, Location{.line = layer.source.line},
         fmt::format("{}: the .caffemodel has {} numbers (shape {}), expected {}", part, blob.numbers.size(),
                     to_string(blob.shape), expected),
         "give the .prototxt and .caffemodel that belong together");
  }
  return &blob;
}

}  // namespace

ValueId Layer::weights(size_t n, std::string_view part, Shape wanted, float factor) const {
  const Blob* blob = find_blob(*this, n, part, element_count(wanted), to_string(wanted));
  if (blob == nullptr) return builder.graph.add(Value{.name = std::string(part), .shape = std::move(wanted)});
  Tensor content = Tensor::from<float>(std::move(wanted), blob->numbers);
  if (factor != 1) {
    for (float& number : content.mutable_values<float>()) number *= factor;
  }
  return builder.constant(part, std::move(content));
}

float Layer::number(size_t n, std::string_view part) const {
  const Blob* blob = find_blob(*this, n, part, 1, "1");
  return blob == nullptr ? 1 : blob->numbers.front();
}

int64_t Layer::axis(int64_t given, std::string_view field, bool end_is_meant) const {
  const int64_t most = rank() - (end_is_meant ? 0 : 1);
  const int64_t found = given < 0 ? given + rank() : given;
  if (found < 0 || found > most) {
    fail(Code::ImportBadFile, Location{.line = source.line},
         fmt::format("{}: got {}, and the input {} has {} dimensions", field, given, to_string(shape()), rank()));
  }
  return found;
}

void Layer::require_inputs(size_t least, size_t most) const {
  if (inputs.size() >= least && inputs.size() <= most) return;
  fail(
      Code::ImportBadFile, Location{.line = source.line},
      fmt::format("a {} layer with {} bottom{}, expected {}", source.type, inputs.size(), inputs.size() == 1 ? "" : "s",
                  least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most)));
}

void Layer::require_four_dimensions(size_t input) const {
  if (shape(input).size() != 4)
    refuse(fmt::format("bottom {} is {}, expected 4 dimensions", input + 1, to_string(shape(input))));
}

void Layer::refuse(std::string problem, std::string fix) const {
  fail(Code::ImportUnsupportedAttribute, Location{.line = source.line}, fmt::format("{}: {}", source.type, problem),
       std::move(fix));
}

}  // namespace openrknn::caffe
