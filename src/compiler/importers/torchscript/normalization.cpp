// Numbers brought to mean 0 and variance 1, or to length 1.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

/// Of an argument that may be None.
ValueId or_filled(const Call& call, size_t i, std::string_view part, Shape shape, float number) {
  if (call.has(i)) return call.floating(i);
  call.checked(shape);
  const auto count = static_cast<size_t>(element_count(shape));
  return call.constant(part, Tensor::from<float>(std::move(shape), std::vector<float>(count, number)));
}

int64_t channels(const Call& call, ValueId x) {
  if (call.rank(x) < 2) call.refuse(fmt::format("an input of {}", to_string(call.shape(x))));
  return call.extent(x, 1);
}

ValueId batch_norm_with(const Call& call, size_t mean, size_t variance, double epsilon) {
  const ValueId x = call.floating(0);
  const int64_t count = channels(call, x);
  if (!call.has(mean) || !call.has(variance))
    call.refuse("it has no running statistics: those of the batch are of training",
                "build the layer with track_running_stats=True and call model.eval()");
  return call.add("BatchNormalization",
                  {x, or_filled(call, 1, "scale", {count}, 1), or_filled(call, 2, "bias", {count}, 0),
                   call.floating(mean), call.floating(variance)},
                  {{"epsilon", epsilon}});
}
Value batch_norm(const Call& call) {
  if (call.flag(5)) call.refuse("the model is in training mode", "call model.eval() before it is saved");
  return box(batch_norm_with(call, 3, 4, call.number(7, 1e-5)));
}

Value instance_norm(const Call& call) {
  const ValueId x = call.floating(0);
  if (!call.flag(5, true)) return box(batch_norm_with(call, 3, 4, call.number(7, 1e-5)));
  const int64_t count = channels(call, x);
  return box(call.add("InstanceNormalization",
                      {x, or_filled(call, 1, "scale", {count}, 1), or_filled(call, 2, "bias", {count}, 0)},
                      {{"epsilon", call.number(7, 1e-5)}}));
}

Value layer_norm(const Call& call) {
  const ValueId x = call.floating(0);
  const Shape normalized = call.extents(1);
  const int64_t axis = call.rank(x) - static_cast<int64_t>(normalized.size());
  if (axis < 0) call.refuse(fmt::format("{} of {}", to_string(normalized), to_string(call.shape(x))));
  std::vector<ValueId> inputs{x, or_filled(call, 2, "scale", normalized, 1)};
  if (call.has(3)) inputs.push_back(call.floating(3));
  return box(call.add("LayerNormalization", std::move(inputs), {{"axis", axis}, {"epsilon", call.number(4, 1e-5)}}));
}

/// Groups of channels are the channels of an instance normalization.
Value group_norm(const Call& call) {
  const ValueId x = call.floating(0);
  const int64_t count = channels(call, x), groups = call.integer(1);
  const Shape shape = call.shape(x);
  if (groups < 1 || count % groups != 0) call.refuse(fmt::format("{} groups of {} channels", groups, count));
  const auto filled = [&](std::string_view part, float number) {
    return call.constant(part, Tensor::from<float>({groups}, std::vector<float>(static_cast<size_t>(groups), number)));
  };
  const int64_t size = element_count(shape) / std::max<int64_t>(shape[0] * groups, 1);
  const ValueId apart = call.builder().add_beside("Reshape", {x}, {{"shape", Shape{shape[0], groups, size}}});
  ValueId y = call.add("InstanceNormalization", {apart, filled("ones", 1), filled("zeros", 0)},
                       {{"epsilon", call.number(4, 1e-5)}});
  y = call.reshape(y, shape);
  Shape column(shape.size() - 1, 1);
  column[0] = count;
  if (call.has(2)) y = call.add("Mul", {y, call.reshape(call.floating(2), column)});
  if (call.has(3)) y = call.add("Add", {y, call.reshape(call.floating(3), column)});
  return box(y);
}

/// x / sqrt(mean of squares + eps) · weight
Value rms_norm(const Call& call) {
  const ValueId x = call.floating(0);
  const Shape normalized = call.extents(1);
  Ints axes;
  for (int64_t d = call.rank(x) - static_cast<int64_t>(normalized.size()); d < call.rank(x); ++d) {
    if (d < 0) call.refuse(fmt::format("{} of {}", to_string(normalized), to_string(call.shape(x))));
    axes.push_back(d);
  }
  const ValueId mean = call.add("ReduceMean", {call.add("Mul", {x, x})}, {{"axes", axes}});
  const double epsilon = call.number(3, std::numeric_limits<float>::epsilon());
  const ValueId root = call.add("Sqrt", {call.add("Add", {mean, call.scalar(epsilon)})});
  const ValueId y = call.add("Div", {x, root});
  return box(call.has(2) ? call.add("Mul", {y, call.floating(2)}) : y);
}

/// self p dim keepdim dtype: (sum of |x|^p)^(1/p)
Value norm(const Call& call) {
  const ValueId x = call.floating(0);
  const Ints axes = call.axes_of(2, x);
  const double p = call.at(1).is<std::string>() ? 2 : call.number(1, 2);
  const Attributes attributes{{"axes", axes}, {"keepdims", int64_t{call.flag(3)}}};
  if (axes.empty()) return box(call.add("Abs", {x}));
  if (p == 2) return box(call.add("ReduceL2", {x}, attributes));
  if (p == 1) return box(call.add("ReduceL1", {x}, attributes));
  const ValueId magnitude = call.add("Abs", {x});
  if (std::isinf(p)) return box(call.add(p > 0 ? "ReduceMax" : "ReduceMin", {magnitude}, attributes));
  if (p == 0) {
    const ValueId is_there = call.add("Greater", {magnitude, call.scalar(0)});
    return box(call.add("ReduceSum", {call.cast(is_there, DType::Float32)}, attributes));
  }
  const ValueId sum = call.add("ReduceSum", {call.add("Pow", {magnitude, call.scalar(p)})}, attributes);
  return box(call.add("Pow", {sum, call.scalar(1 / p)}));
}
Value frobenius_norm(const Call& call) {
  return norm({.run = call.run, .op = call.op, .arguments = {call.at(0), 2.0, call.at(1), call.at(2)}});
}

/// x1 · x2 / (|x1| · |x2|), each length at least eps.
Value cosine_similarity(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1, true);
  const Ints axis{call.axis_of(2, a, 1)};
  const Attributes attributes{{"axes", axis}, {"keepdims", int64_t{0}}};
  const auto length = [&](ValueId x) {
    return call.add("Max", {call.add("ReduceL2", {x}, attributes), call.scalar(call.number(3, 1e-8))});
  };
  const ValueId dot = call.add("ReduceSum", {call.add("Mul", {a, b})}, attributes);
  return box(call.add("Div", {dot, call.add("Mul", {length(a), length(b)})}));
}

// The forms of decomposed programs, which also tell what a training would read: that is not computed.
/// input weight bias running_mean running_var momentum eps
Value native_batch_norm(const Call& call) {
  return make_tuple({box(batch_norm_with(call, 3, 4, call.number(6, 1e-5))), Unknown{}, Unknown{}});
}
/// input weight bias training momentum eps: by the statistics of the batch, as instance normalisations are decomposed
/// to with all images' channels as those of one
Value batch_norm_of_itself(const Call& call) {
  const ValueId x = call.floating(0);
  if (call.is_tensor(3) || !call.flag(3) || call.rank(x) < 3 || call.extent(x, 0) != 1)
    call.refuse("statistics of a batch are of training", "call model.eval() before it is exported");
  const int64_t count = channels(call, x);
  const ValueId y = call.add("InstanceNormalization",
                             {x, or_filled(call, 1, "scale", {count}, 1), or_filled(call, 2, "bias", {count}, 0)},
                             {{"epsilon", call.number(5, 1e-5)}});
  return make_tuple({box(y), Unknown{}, Unknown{}});
}
/// input normalized_shape weight bias eps
Value native_layer_norm(const Call& call) { return make_tuple({layer_norm(call), Unknown{}, Unknown{}}); }
/// input weight bias N C HxW group eps
Value native_group_norm(const Call& call) {
  const Call plain{
      .run = call.run, .op = call.op, .arguments = {call.at(0), call.at(6), call.at(1), call.at(2), call.at(7)}};
  return make_tuple({group_norm(plain), Unknown{}, Unknown{}});
}

constexpr OperatorRow kNormalizationRows[] = {
    {"aten::_native_batch_norm_legit", "input weight bias training momentum eps", batch_norm_of_itself},
    {"aten::_native_batch_norm_legit_no_training", "input weight bias running_mean running_var momentum eps",
     native_batch_norm},
    {"aten::batch_norm", "input weight bias running_mean running_var training momentum eps cudnn_enabled", batch_norm},
    {"aten::cosine_similarity", "x1 x2 dim eps", cosine_similarity},
    {"aten::frobenius_norm", "self dim keepdim", frobenius_norm},
    {"aten::group_norm", "input num_groups weight bias eps cudnn_enabled", group_norm},
    {"aten::instance_norm", "input weight bias running_mean running_var use_input_stats momentum eps cudnn_enabled",
     instance_norm},
    {"aten::layer_norm", "input normalized_shape weight bias eps cudnn_enable", layer_norm},
    {"aten::linalg_vector_norm", "self ord dim keepdim dtype", norm},
    {"aten::native_group_norm", "input weight bias N C HxW group eps", native_group_norm},
    {"aten::native_layer_norm", "input normalized_shape weight bias eps", native_layer_norm},
    {"aten::norm", "self p dim keepdim dtype", norm},
    {"aten::rms_norm", "input normalized_shape weight eps", rms_norm},
};

}  // namespace

std::span<const OperatorRow> rows_of_normalization() { return kNormalizationRows; }

}  // namespace openrknn::torchscript
