// Moving data without computing: Transpose, Concat, Split, Slice, Pad, Expand, Tile, …
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

// 4-bit codes lie two to a byte: what moves single ones moves them as bytes.
ValueId input_in_bytes(Translation& t) {
  const DType dtype = t.dtype(0);
  if (bit_width(dtype) >= 8) return t.input(0);
  return t.cast(t.input(0), is_signed(dtype) ? DType::Int8 : DType::UInt8);
}
void produce_from_bytes(Translation& t, std::string_view op, ValueId in_bytes, Attributes attributes) {
  const DType dtype = t.dtype(0);
  if (bit_width(dtype) >= 8) return t.produce(op, {in_bytes}, std::move(attributes));
  t.produce("Cast", {t.emit(op, {in_bytes}, std::move(attributes))}, {{"to", static_cast<int64_t>(dtype)}});
}

void transpose(Translation& t) {
  const int64_t rank = t.rank(0);
  std::vector<int64_t> order = t.integers("perm");
  if (order.empty()) {
    order.resize(static_cast<size_t>(rank));
    std::iota(order.rbegin(), order.rend(), 0);
  }
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool permutation = static_cast<int64_t>(order.size()) == rank;
  for (size_t i = 0; i < sorted.size(); ++i) permutation = permutation && sorted[i] == static_cast<int64_t>(i);
  if (!permutation) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("perm {} is no permutation of {} dimensions", to_string(order), rank));
  }
  produce_from_bytes(t, "Transpose", input_in_bytes(t), {{"perm", std::move(order)}});
}

void concat(Translation& t) {
  const int64_t axis = t.axis(t.required_integer("axis"), t.rank(0));
  std::vector<ValueId> inputs = t.inputs();
  if (inputs.size() == 1) return t.forward(inputs[0]);
  t.produce("Concat", std::move(inputs), {{"axis", axis}});
}

/// Sizes: an attribute up to opset 12, an input from 13; without them equal parts, from opset 18 num_outputs of them
/// with a smaller last one.
void split(Translation& t) {
  const int64_t axis = t.axis(t.integer("axis", 0), t.rank(0));
  const auto outputs = static_cast<int64_t>(t.output_count());
  std::vector<int64_t> sizes;
  if (t.opset() < 13) {
    sizes = t.integers("split");
  } else if (t.has(1)) {
    sizes = t.known_ints(1, "the sizes of the parts");
  }
  int64_t extent = t.open_shape(0)[static_cast<size_t>(axis)];
  if (extent < 0 && sizes.empty()) t.shape(0);                                       // refuses
  if (extent < 0) extent = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});  // the run will tell
  if (sizes.empty()) {
    const int64_t parts = t.opset() >= 18 ? t.integer("num_outputs", outputs) : outputs;
    if (parts < 1 || parts != outputs || (t.opset() < 18 && extent % parts != 0)) {
      t.fail(Code::ImportShapeMismatch, fmt::format("{} elements do not split into {} parts", extent, parts));
    }
    const int64_t size = (extent + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::clamp<int64_t>(extent - i * size, 0, size));
  }
  const bool negative = std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; });
  const bool small = std::all_of(sizes.begin(), sizes.end(), [&](int64_t size) { return size <= extent; });
  if (static_cast<int64_t>(sizes.size()) != outputs || negative || !small ||
      std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) != extent) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("sizes {} do not cover {} elements in {} outputs", to_string(sizes), extent, outputs));
  }
  t.produce("Split", {t.input(0)}, {{"axis", axis}, {"split", std::move(sizes)}});
}

/// Attributes up to opset 9, inputs from 10 on. Clamping is that of the ONNX specification.
void slice(Translation& t) {
  const auto rank = t.rank(0);
  const bool attributes = t.opset() < 10;
  const auto is_known = [&](size_t i) { return attributes || !t.has(i) || t.constant(i) != nullptr; };
  if (!is_static(t.open_shape(0)) || !is_known(1) || !is_known(2) || !is_known(3) || !is_known(4)) {
    if (!attributes) {
      return t.produce("DynamicSlice", {t.input(0), t.input(1), t.input(2), t.optional_input(3), t.optional_input(4)});
    }
    const ValueId axes = t.has_attribute("axes") ? t.list(t.integers("axes"), "axes") : ValueId::None;
    return t.produce("DynamicSlice",
                     {t.input(0), t.list(t.integers("starts"), "starts"), t.list(t.integers("ends"), "ends"), axes});
  }
  const Shape x = t.shape(0);
  const std::vector<int64_t> starts = attributes ? t.integers("starts") : t.known_ints(1, "starts");
  const std::vector<int64_t> ends = attributes ? t.integers("ends") : t.known_ints(2, "ends");
  std::vector<int64_t> axes = attributes ? t.integers("axes")
                              : t.has(3) ? t.known_ints(3, "axes")
                                         : std::vector<int64_t>{};
  std::vector<int64_t> steps = !attributes && t.has(4) ? t.known_ints(4, "steps") : std::vector<int64_t>{};
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    t.fail(Code::ImportShapeMismatch, "starts, ends, axes and steps differ in length");
  }
  std::vector<int64_t> first(x.size(), 0), last = x, stride(x.size(), 1);
  std::vector<bool> seen(x.size());
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto d = static_cast<size_t>(t.axis(axes[i], rank, "axes"));
    if (seen[d]) t.fail(Code::ImportShapeMismatch, fmt::format("axes name dimension {} twice", d));
    seen[d] = true;
    if (steps[i] == 0) t.unsupported("a step of 0");
    const int64_t extent = x[d];
    const bool forward = steps[i] > 0;
    const auto clamp = [&](int64_t index, int64_t low, int64_t high) {
      return std::clamp(index < 0 && index >= -extent ? index + extent : index < 0 ? low : index, low, high);
    };
    first[d] = forward ? clamp(starts[i], 0, extent) : clamp(starts[i], 0, std::max<int64_t>(0, extent - 1));
    last[d] = forward ? clamp(ends[i], 0, extent) : clamp(ends[i], -1, extent);
    stride[d] = std::clamp<int64_t>(steps[i], -std::max<int64_t>(1, extent), std::max<int64_t>(1, extent));
    if (forward && last[d] < first[d]) last[d] = first[d];
    if (!forward && last[d] > first[d]) last[d] = first[d];
  }
  t.produce("Slice", {t.input(0)}, {{"starts", first}, {"ends", last}, {"steps", stride}});
}

/// Attributes at opset 2, inputs from 11, axes from 18. Negative pads cut, which Slice does.
void pad(Translation& t) {
  const Shape x = t.shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  const bool attributes = t.opset() < 11;
  const std::vector<int64_t> given = attributes ? t.integers("pads") : t.known_ints(1, "pads");
  double value = attributes ? t.real("value", 0.0) : 0.0;
  if (!attributes && t.has(2)) {
    const std::vector<double> values = t.known_doubles(2, "the padding value");
    if (values.size() > 1) t.fail(Code::ImportShapeMismatch, "the padding value must be one number");
    if (!values.empty()) value = values[0];
  }
  const std::string mode = t.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    t.unsupported(fmt::format("mode is '{}', expected constant, reflect, edge or wrap", mode));
  }
  std::vector<int64_t> axes(x.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (!attributes && t.has(3)) {
    axes = t.known_ints(3, "axes");
    for (int64_t& axis : axes) axis = t.axis(axis, rank, "axes");
  }
  if (given.size() != 2 * axes.size()) {
    t.fail(Code::ImportShapeMismatch, fmt::format("pads has {} numbers, expected {}", given.size(), 2 * axes.size()));
  }
  std::vector<int64_t> pads(2 * x.size(), 0), starts(x.size(), 0), ends = x;
  bool cuts = false, adds = false;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    const int64_t begin = given[i], end = given[i + axes.size()];
    if (std::max(begin, end) > (int64_t{1} << 40) || std::min(begin, end) < -x[d] ||
        -std::min<int64_t>(begin, 0) - std::min<int64_t>(end, 0) > x[d]) {
      t.fail(Code::ImportShapeMismatch, fmt::format("pads {} do not fit shape {}", to_string(given), to_string(x)));
    }
    starts[d] = std::max<int64_t>(0, -begin);
    ends[d] = x[d] - std::max<int64_t>(0, -end);
    pads[d] = std::max<int64_t>(0, begin);
    pads[d + x.size()] = std::max<int64_t>(0, end);
    cuts = cuts || begin < 0 || end < 0;
    adds = adds || begin > 0 || end > 0;
  }
  if (!cuts && !adds) return t.forward(t.input(0));
  const Attributes slice = {{"starts", starts}, {"ends", ends}, {"steps", std::vector<int64_t>(x.size(), 1)}};
  ValueId source = input_in_bytes(t);
  if (!adds) return produce_from_bytes(t, "Slice", source, slice);
  if (cuts) source = t.emit("Slice", {source}, slice);
  produce_from_bytes(t, "Pad", source, {{"pads", pads}, {"mode", mode}, {"value", value}});
}

/// numpy's two-way broadcast: the result may be larger than the shape asked for, and of higher rank than the input.
void expand(Translation& t) {
  if (t.constant(1) == nullptr || !is_static(t.open_shape(0))) {
    return t.produce("DynamicExpand", {t.input(0), t.input(1)});
  }
  const Shape x = t.shape(0);
  const Shape asked = t.known_ints(1, "the new shape");
  const std::optional<Shape> shape = broadcast(x, asked);
  const bool valid = std::all_of(asked.begin(), asked.end(), [](int64_t extent) { return extent >= 0; });
  if (!shape || !valid) {
    t.fail(Code::ImportShapeMismatch, fmt::format("{} does not broadcast to {}", to_string(x), to_string(asked)));
  }
  if (*shape == x) return t.forward(t.input(0));
  Shape raised(shape->size() - x.size(), 1);
  raised.insert(raised.end(), x.begin(), x.end());
  if (raised == *shape) return t.produce_reshaped(t.input(0), raised);
  t.produce("Expand", {t.reshape(t.input(0), raised)}, {{"shape", *shape}});
}

void tile(Translation& t) {
  if (t.constant(1) == nullptr) return t.produce("DynamicTile", {t.input(0), t.input(1)});
  const std::vector<int64_t> repeats = t.known_ints(1, "repeats");
  const bool valid = std::all_of(repeats.begin(), repeats.end(), [](int64_t n) { return n >= 0; });
  if (static_cast<int64_t>(repeats.size()) != t.rank(0) || !valid) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("repeats {} do not fit shape {}", to_string(repeats), to_string(t.open_shape(0))));
  }
  t.produce("Tile", {t.input(0)}, {{"repeats", repeats}});
}

void depth_to_space(Translation& t) {
  const std::string mode = t.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") t.unsupported(fmt::format("mode is '{}', expected DCR or CRD", mode));
  t.produce(t.op(), {t.input(0)}, {{"blocksize", t.required_integer("blocksize")}, {"mode", mode}});
}

void trilu(Translation& t) {
  const int64_t k = t.has(1) ? t.known_int(1, "k") : 0;
  t.produce("Trilu", {t.input(0)}, {{"upper", t.integer("upper", 1)}, {"k", k}});
}

/// Centre crop where the wanted extent is smaller, centre padding with zeros where it is larger.
void center_crop_pad(Translation& t) {
  const Shape x = t.shape(0);
  const std::vector<int64_t> wanted = t.known_ints(1, "the new shape");
  std::vector<int64_t> axes = t.integers("axes");
  if (axes.empty()) {
    axes.resize(x.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (int64_t& axis : axes) axis = t.axis(axis, static_cast<int64_t>(x.size()), "axes");
  if (wanted.size() != axes.size()) t.fail(Code::ImportShapeMismatch, "the new shape and axes differ in length");
  std::vector<int64_t> starts(x.size(), 0), ends = x, pads(2 * x.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    if (wanted[i] < 0 || wanted[i] > (int64_t{1} << 40))
      t.fail(Code::ImportShapeMismatch, "bad extent in the new shape");
    if (wanted[i] < x[d]) {
      starts[d] = (x[d] - wanted[i]) / 2;
      ends[d] = starts[d] + wanted[i];
    } else {
      pads[d] = (wanted[i] - x[d]) / 2;
      pads[d + x.size()] = wanted[i] - x[d] - pads[d];
    }
  }
  const ValueId cut =
      t.emit("Slice", {t.input(0)}, {{"starts", starts}, {"ends", ends}, {"steps", std::vector<int64_t>(x.size(), 1)}});
  t.produce("Pad", {cut}, {{"pads", pads}, {"mode", "constant"}, {"value", 0.0}});
}

constexpr OperatorRow kMovementRows[] = {
    {"Transpose", 1, 28, transpose},
    {"Concat", 4, 28, concat},
    {"Split", 2, 28, split},
    {"Slice", 1, 28, slice},
    {"Pad", 2, 28, pad},
    {"Expand", 8, 28, expand},
    {"Tile", 6, 28, tile},
    {"DepthToSpace", 1, 28, depth_to_space},
    {"SpaceToDepth", 1, 28, depth_to_space},
    {"Trilu", 14, 28, trilu},
    {"CenterCropPad", 18, 28, center_crop_pad},
};

}  // namespace

std::span<const OperatorRow> movement_operators() { return kMovementRows; }

}  // namespace openrknn::onnx
