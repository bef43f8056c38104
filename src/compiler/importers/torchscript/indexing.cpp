// Numbers chosen by tensors of places, and written to them.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

constexpr std::string_view kDataDependent = "its result's shape depends on the data: such steps are for the host",
                           kForHost = "boxes are chosen on the host: end the model before it";

/// x[i, :, j]: tensors of places, each for one dimension, broadcast with each other.
struct Places {
  Ints axes;
  std::vector<ValueId> places;  ///< Int64, all of `shape`
  Shape shape;
};

Shape broadcast(const Call& call, const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < result.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) call.refuse(fmt::format("places of {} and {}", to_string(a), to_string(b)));
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

/// A mask that is known is the places where it is true, one tensor a dimension.
std::vector<Tensor> places_of_mask(const Tensor& mask) {
  const Shape& shape = mask.shape();
  std::vector<std::vector<int64_t>> found(shape.size());
  const std::vector<double> numbers = to_doubles(mask);
  std::vector<int64_t> index(shape.size(), 0);
  for (const double number : numbers) {
    if (number != 0)
      for (size_t d = 0; d < shape.size(); ++d) found[d].push_back(index[d]);
    for (size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
  std::vector<Tensor> places;
  for (const auto& each : found) places.push_back(Tensor::from<int64_t>({static_cast<int64_t>(each.size())}, each));
  return places;
}

Places places_of(const Call& call, ValueId x) {
  const auto* list = call.at(1).sequence();
  if (list == nullptr) call.refuse("the places are no list");
  Places found;
  int64_t axis = 0;
  for (const Value& item : (*list)->items) {
    if (item.is<None>()) {
      ++axis;
      continue;
    }
    const ValueId id = call.tensor(item, 1);
    if (call.dtype(id) == DType::Bool || call.dtype(id) == DType::UInt8) {
      const std::optional<Tensor> mask = call.builder().graph[id].constant;
      if (!mask)
        call.refuse(fmt::format("a mask chooses: {}", kDataDependent), "use where, or trace with a constant mask");
      for (Tensor& each : places_of_mask(*mask)) {
        found.axes.push_back(axis++);
        found.shape = broadcast(call, found.shape, each.shape());
        found.places.push_back(call.constant("places", std::move(each)));
      }
      continue;
    }
    found.axes.push_back(axis++);
    found.shape = broadcast(call, found.shape, call.shape(id));
    found.places.push_back(call.cast(id, DType::Int64));
  }
  if (found.axes.empty() || axis > call.rank(x))
    call.refuse(fmt::format("places for {} of {} dimensions", axis, call.rank(x)));
  call.checked(found.shape);
  if (found.places.size() > 1)
    for (ValueId& each : found.places) each = call.expand(each, found.shape);
  return found;
}

bool is_together(const Places& places) {
  return places.axes.back() - places.axes.front() + 1 == static_cast<int64_t>(places.axes.size());
}

/// The dimensions with places first.
Ints front(const Call& call, ValueId x, const Ints& axes) {
  Ints order = axes;
  for (int64_t d = 0; d < call.rank(x); ++d)
    if (std::ranges::find(axes, d) == axes.end()) order.push_back(d);
  return order;
}

ValueId rows_of(const Call& call, const Places& places) {
  std::vector<ValueId> columns;
  Shape column = places.shape;
  column.push_back(1);
  for (const ValueId each : places.places) columns.push_back(call.reshape(each, column));
  return call.concat(std::move(columns), static_cast<int64_t>(places.shape.size()));
}

Value index(const Call& call) {
  const ValueId x = call.tensor(0);
  const Places places = places_of(call, x);
  if (places.axes.size() == 1) return box(call.add("Gather", {x, places.places[0]}, {{"axis", places.axes[0]}}));
  const ValueId turned = call.transpose(x, front(call, x, places.axes));
  const ValueId chosen = call.add("GatherND", {turned, rows_of(call, places)});
  // Places side by side leave their dimensions where the first of them is, others in front.
  if (!is_together(places) || places.axes.front() == 0) return box(chosen);
  const auto count = static_cast<int64_t>(places.shape.size());
  Ints order;
  for (int64_t d = 0; d < places.axes.front(); ++d) order.push_back(count + d);
  for (int64_t d = 0; d < count; ++d) order.push_back(d);
  for (int64_t d = count + places.axes.front(); d < call.rank(chosen); ++d) order.push_back(d);
  return box(call.transpose(chosen, order));
}

/// self indices values accumulate
Value index_put(const Call& call) {
  const ValueId x = call.tensor(0);
  const auto* list = call.at(1).sequence();
  const bool accumulates = call.flag(3);
  // A mask of the whole front with one number: a choice, whatever the mask is.
  if (list != nullptr && (*list)->items.size() == 1 && !accumulates && (*list)->items[0].is<TensorRef>()) {
    const ValueId mask = call.tensor((*list)->items[0], 1), values = call.tensor(2);
    if (call.dtype(mask) == DType::Bool && element_count(call.shape(values)) == 1 && call.rank(mask) <= call.rank(x)) {
      Shape column = call.shape(mask);
      column.resize(call.shape(x).size(), 1);
      const ValueId number = call.cast(call.reshape(values, {}), call.dtype(x));
      return box(call.add("Where", {call.reshape(mask, column), number, x}));
    }
  }
  const Places places = places_of(call, x);
  const Ints order = front(call, x, places.axes);
  const ValueId turned = call.transpose(x, order);
  // Values come as reading there would give them: places side by side have their dimensions where the first of them is.
  const auto count = static_cast<int64_t>(places.shape.size());
  const int64_t before = is_together(places) ? places.axes.front() : 0;
  Shape read(call.shape(turned).begin() + static_cast<std::ptrdiff_t>(places.axes.size()), call.shape(turned).end());
  read.insert(read.begin() + before, places.shape.begin(), places.shape.end());
  Ints to_front;
  for (int64_t d = 0; d < count; ++d) to_front.push_back(before + d);
  for (int64_t d = 0; d < static_cast<int64_t>(read.size()); ++d)
    if (d < before || d >= before + count) to_front.push_back(d);
  const ValueId values = call.transpose(call.expand(call.cast(call.tensor(2), call.dtype(x)), read), to_front);
  Attributes attributes;
  if (accumulates) attributes.emplace("reduction", std::string("add"));
  const ValueId written = call.add("ScatterND", {turned, rows_of(call, places), values}, std::move(attributes));
  return box(call.transpose(written, inverse(order)));
}

Value index_select(const Call& call) {
  const ValueId x = call.tensor(0), places = call.indices(2);
  return box(call.add("Gather", {x, call.reshape(places, {element_count(call.shape(places))})},
                      {{"axis", call.axis_of(1, x, 0)}}));
}
Value embedding(const Call& call) {
  return box(call.add("Gather", {call.tensor(0), call.indices(1)}, {{"axis", int64_t{0}}}));
}
Value gather(const Call& call) {
  const ValueId x = call.tensor(0), places = call.indices(2);
  return box(call.add("GatherElements", {x, places}, {{"axis", call.axis_of(1, x, 0)}}));
}
/// The places are spread over the other dimensions.
Value take_along(const Call& call) {
  ValueId x = call.tensor(0), places = call.indices(1);
  if (!call.has(2)) {
    x = call.reshape(x, {element_count(call.shape(x))});
    places = call.reshape(places, {element_count(call.shape(places))});
  }
  const int64_t axis = call.has(2) ? call.axis_of(2, x, 0) : 0;
  call.require_rank(places, call.rank(x), call.rank(x));
  Shape spread = call.shape(x);
  spread.at(static_cast<size_t>(axis)) = call.extent(places, axis);
  return box(call.add("GatherElements", {x, call.expand(places, spread)}, {{"axis", axis}}));
}
Value scatter(const Call& call, std::string_view reduction) {
  const ValueId x = call.tensor(0), places = call.indices(2);
  const ValueId given =
      call.is_tensor(3) ? call.cast(call.tensor(3), call.dtype(x)) : call.scalar(call.number(3), call.dtype(x));
  ValueId source = given;
  if (call.rank(given) == 0) source = call.expand(given, Shape(call.shape(places)));
  for (int64_t d = 0; d < call.rank(source) && d < call.rank(places); ++d)
    source = call.slice(source, d, 0, call.extent(places, d));
  Attributes attributes{{"axis", call.axis_of(1, x, 0)}};
  if (!reduction.empty()) attributes.emplace("reduction", std::string(reduction));
  return box(call.add("ScatterElements", {x, places, source}, std::move(attributes)));
}

Value one_hot(const Call& call) {
  const ValueId x = call.indices(0);
  const int64_t classes = call.integer(1, -1);
  if (classes < 1 || classes > 65536) call.refuse("the number of classes has to be given");
  const ValueId values = call.list_constant("off and on", {0, 1});
  return box(call.add("OneHot", {x, values}, {{"axis", call.rank(x)}, {"depth", classes}}));
}

/// self dimension size step: windows along a dimension, their numbers in a last one
Value unfold(const Call& call) {
  const ValueId x = call.tensor(0);
  const int64_t axis = call.axis_of(1, x, 0), size = call.integer(2), step = call.integer(3);
  const int64_t extent = call.rank(x) == 0 ? 1 : call.extent(x, axis);
  if (size < 1 || step < 1 || size > extent) call.refuse(fmt::format("windows of {} in steps of {}", size, step));
  const int64_t count = (extent - size) / step + 1;
  call.checked({count, size});
  std::vector<int64_t> places;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < size; ++k) places.push_back(i * step + k);
  const ValueId windows =
      call.add("Gather", {x, call.constant("places", Tensor::from<int64_t>({count, size}, places))}, {{"axis", axis}});
  Ints order;
  for (int64_t d = 0; d < call.rank(windows); ++d)
    if (d != axis + 1) order.push_back(d);
  order.push_back(axis + 1);
  return box(call.transpose(windows, order));
}

/// input rois[K, 5] spatial_scale pooled_height pooled_width sampling_ratio aligned
Value roi_align(const Call& call) {
  const ValueId rois = call.floating(1);
  call.require_rank(rois, 2, 2);
  const ValueId batch = call.cast(call.reshape(call.slice(rois, 1, 0, 1), {call.extent(rois, 0)}), DType::Int64);
  return box(
      call.add("RoiAlign", {call.floating(0), call.slice(rois, 1, 1, 5), batch},
               {{"spatial_scale", call.number(2)},
                {"output_height", call.integer(3)},
                {"output_width", call.integer(4)},
                {"sampling_ratio", std::max<int64_t>(call.integer(5, -1), 0)},
                {"coordinate_transformation_mode", std::string(call.flag(6) ? "half_pixel" : "output_half_pixel")}}));
}

constexpr OperatorRow kIndexingRows[] = {
    {"aten::embedding", "weight indices padding_idx scale_grad_by_freq sparse", embedding},
    {"aten::gather", "self dim index sparse_grad", gather},
    {"aten::index", "self indices", index},
    {"aten::index_put", "self indices values accumulate", index_put},
    {"aten::index_select", "self dim index", index_select},
    {.op = "aten::masked_select", .parameters = "", .refused = kDataDependent},
    {.op = "aten::nonzero", .parameters = "", .refused = kDataDependent},
    {"aten::one_hot", "self num_classes", one_hot},
    {"aten::scatter", "self dim index src", [](const Call& call) { return scatter(call, ""); }},
    {"aten::scatter_add", "self dim index src", [](const Call& call) { return scatter(call, "add"); }},
    {"aten::take_along_dim", "self indices dim", take_along},
    {"aten::unfold", "self dimension size step", unfold},
    {.op = "torchvision::nms", .parameters = "", .refused = kForHost},
    {"torchvision::roi_align", "input rois spatial_scale pooled_height pooled_width sampling_ratio aligned", roi_align},
};

}  // namespace

std::span<const OperatorRow> rows_of_indexing() { return kIndexingRows; }

}  // namespace openrknn::torchscript
