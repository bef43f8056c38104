#include "compiler/importers/image_layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace openrknn {
namespace {

const std::vector<int> kToFirst{0, 3, 1, 2}, kToSource{0, 2, 3, 1};

std::vector<int64_t> as_attribute(const std::vector<int>& order) { return {order.begin(), order.end()}; }

}  // namespace

int64_t dimension_in(ImageForm form, int64_t d) {
  constexpr int64_t kPlaces[] = {0, 2, 3, 1};
  return form == ImageForm::Source ? d : kPlaces[d];
}

Placed ImageLayout::add_input(std::string name, DType dtype, const Shape& source, bool is_image) {
  Graph& graph = builder_.graph;
  const ImageForm form = is_image && source.size() == 4 ? ImageForm::ChannelsFirst : ImageForm::Source;
  graph.input_orders.resize(graph.inputs.size());
  graph.input_orders.push_back(form == ImageForm::ChannelsFirst ? kToSource : std::vector<int>{});
  return {builder_.add_input(std::move(name), dtype, form == ImageForm::Source ? source : permute(source, kToFirst)),
          form};
}

void ImageLayout::add_output(Placed tensor) {
  Graph& graph = builder_.graph;
  graph.output_orders.resize(graph.outputs.size());
  graph.output_orders.push_back(tensor.form == ImageForm::ChannelsFirst ? kToSource : std::vector<int>{});
  graph.outputs.push_back(tensor.id);
}

Shape ImageLayout::shape(Placed tensor) const {
  const Shape& here = builder_.shape(tensor.id);
  return tensor.form == ImageForm::Source ? here : permute(here, kToSource);
}

ValueId ImageLayout::source(Placed tensor) {
  if (tensor.form == ImageForm::Source) return tensor.id;
  ValueId& other = source_.try_emplace(tensor.id, ValueId::None).first->second;
  if (other == ValueId::None) other = converted(tensor.id, kToSource, "nhwc");
  return other;
}

ValueId ImageLayout::channels_first(Placed tensor) {
  if (tensor.form == ImageForm::ChannelsFirst) return tensor.id;
  ValueId& other = first_.try_emplace(tensor.id, ValueId::None).first->second;
  if (other == ValueId::None) other = converted(tensor.id, kToFirst, "nchw");
  return other;
}

ValueId ImageLayout::converted(ValueId id, const std::vector<int>& order, const char* suffix) {
  const Value& value = builder_.graph[id];
  if (value.shape.size() != order.size()) {
    fail(Code::ImportShapeMismatch,
         fmt::format("'{}' is {}, expected an image of 4 dimensions", value.name, to_string(value.shape)));
  }
  if (value.constant && value.producer == NodeId::None)
    return builder_.graph.add_constant(value.name + "/" + suffix, transpose(*value.constant, order));
  return builder_.add_beside("Transpose", {id}, {{"perm", as_attribute(order)}});
}

ImageForm ImageLayout::form_of(std::span<const Placed> tensors) {
  const bool any = std::ranges::any_of(tensors, [](Placed tensor) { return tensor.form == ImageForm::ChannelsFirst; });
  return any ? ImageForm::ChannelsFirst : ImageForm::Source;
}

ImageForm ImageLayout::align(std::span<const Placed> tensors, std::vector<ValueId>& operands) {
  size_t rank = 0;
  for (const Placed tensor : tensors) rank = std::max(rank, builder_.shape(tensor.id).size());
  const ImageForm form = rank == 4 ? form_of(tensors) : ImageForm::Source;
  for (const Placed tensor : tensors) {
    const Shape known = shape(tensor);
    if (form == ImageForm::Source || known.empty() || known.size() == 4) {
      operands.push_back(known.empty() ? tensor.id : in(form, tensor));
      continue;
    }
    Shape full(4 - known.size(), 1);
    full.insert(full.end(), known.begin(), known.end());
    const Value& value = builder_.graph[tensor.id];
    const bool is_constant = value.constant && value.producer == NodeId::None;
    const ValueId four = is_constant ? builder_.graph.add_constant(value.name + "/4d", value.constant->reshaped(full))
                                     : builder_.add_beside("Reshape", {tensor.id}, {{"shape", full}});
    operands.push_back(channels_first({four, ImageForm::Source}));
  }
  return form;
}

}  // namespace openrknn
