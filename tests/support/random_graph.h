// Small random graphs for property tests: equal seeds give equal graphs on every machine.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/graph/schema.h"

namespace openrknn::test {

struct RandomGraphOptions {
  bool quantized = false;  ///< Int8 values with the integers a lowered graph has, instead of Float32
  int nodes = 12;
};

/// std::uniform_*_distribution differs between libraries; these do not.
class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  int64_t up_to(int64_t last) { return static_cast<int64_t>(engine_() % static_cast<uint32_t>(last + 1)); }
  int64_t between(int64_t first, int64_t last) { return first + up_to(last - first); }
  bool coin() { return up_to(1) == 1; }
  float real() { return static_cast<float>(between(-4096, 4096)) / 2048.0f; }
  template <class T>
  const T& pick(const std::vector<T>& list) {
    return list[static_cast<size_t>(up_to(static_cast<int64_t>(list.size()) - 1))];
  }

 private:
  std::mt19937 engine_;
};

inline Tensor random_tensor(Dice& dice, DType dtype, Shape shape) {
  Tensor tensor(dtype, std::move(shape));
  if (dtype == DType::Float32) {
    for (float& v : tensor.mutable_values<float>()) v = dice.real();
  } else if (dtype == DType::Int32) {
    for (int32_t& v : tensor.mutable_values<int32_t>()) v = static_cast<int32_t>(dice.between(-3000, 3000));
  } else {
    for (std::byte& b : tensor.mutable_bytes()) b = static_cast<std::byte>(dice.up_to(255));
  }
  return tensor;
}

class RandomGraph {
 public:
  RandomGraph(uint32_t seed, RandomGraphOptions options) : dice_(seed), options_(options) {}

  Graph make() {
    const Shape shape = {dice_.between(1, 2), dice_.pick<int64_t>({1, 3, 4, 8, 16, 17}), dice_.between(1, 12),
                         dice_.between(1, 12)};
    for (int64_t i = dice_.between(1, 2); i > 0; --i) {
      Value value = activation("in");
      value.shape = shape;
      graph_.inputs.push_back(graph_.add(std::move(value)));
    }
    features_ = graph_.inputs;
    for (int i = 0; i < options_.nodes; ++i) add_something();
    graph_.outputs.push_back(features_.back());
    graph_.outputs.push_back(dice_.pick(features_));
    if (dice_.coin()) graph_.outputs.push_back(dice_.pick(features_));
    return std::move(graph_);
  }

 private:
  static constexpr double kScale = 0.05;

  Value activation(std::string name) const {
    Value value;
    value.name = std::move(name);
    if (!options_.quantized) return value;
    value.dtype = DType::Int8;
    value.quant = QuantParams{.scale = {kScale}, .zero_point = {-7}};
    return value;
  }

  /// A node with one output (or `outputs`), its shapes inferred; the outputs become features if they have rank 4.
  ValueId add(std::string op, std::vector<ValueId> inputs, Attributes attributes, std::vector<double> factors = {},
              size_t outputs = 1) {
    Node node;
    node.op = std::move(op);
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(graph_.add(activation(node.op)));
    const std::vector<ValueId> made = node.outputs;
    if (options_.quantized && !factors.empty()) node.fixed = fixed_point(factors);
    infer(graph_, graph_.add(std::move(node)));
    for (const ValueId id : made) {
      if (graph_[id].shape.size() == 4) features_.push_back(id);
    }
    return made[0];
  }

  static FixedPoint fixed_point(const std::vector<double>& factors) {
    FixedPoint fixed{.low = -128, .high = 127};
    for (const double factor : factors) {
      int exponent = 0;
      const double mantissa = std::frexp(factor, &exponent);  // in [0.5, 1)
      fixed.scale.emplace_back(static_cast<int32_t>(mantissa * 32768 * 0.9999), 15 - exponent);
    }
    return fixed;
  }

  const Shape& shape(ValueId id) const { return graph_[id].shape; }
  ValueId constant(Shape shape_of_it) {
    const ValueId id = graph_.add_constant("c", random_tensor(dice_, activation("").dtype, std::move(shape_of_it)));
    graph_[id].quant = activation("").quant;
    return id;
  }
  /// A feature that fits on `x`: another of its shape, x itself, or a constant that is broadcast.
  ValueId partner(ValueId x) {
    std::vector<ValueId> fitting;
    for (const ValueId id : features_) {
      if (shape(id) == shape(x)) fitting.push_back(id);
    }
    if (dice_.up_to(2) > 0) return dice_.pick(fitting);
    const int64_t channels = shape(x)[1];
    return constant(dice_.pick<Shape>({{channels, 1, 1}, {1, channels, 1, 1}, {1}, {shape(x)[3]}, shape(x)}));
  }

  void add_something() {
    const ValueId x = dice_.pick(features_);
    using Make = void (RandomGraph::*)(ValueId);
    static const std::vector<Make> both = {&RandomGraph::conv,      &RandomGraph::conv,   &RandomGraph::max_pool,
                                           &RandomGraph::average,   &RandomGraph::binary, &RandomGraph::binary,
                                           &RandomGraph::concat,    &RandomGraph::slice,  &RandomGraph::transpose,
                                           &RandomGraph::reshape,   &RandomGraph::split,  &RandomGraph::upsample,
                                           &RandomGraph::flat_space};
    static const std::vector<Make> real = {&RandomGraph::unary, &RandomGraph::unary,  &RandomGraph::softmax,
                                           &RandomGraph::pad,   &RandomGraph::reduce, &RandomGraph::attention};
    const bool common = options_.quantized || dice_.up_to(2) > 0;
    (this->*dice_.pick(common ? both : real))(x);
  }

  void conv(ValueId x) {
    const int64_t channels = shape(x)[1], kernel = dice_.pick<int64_t>({1, 1, 3});
    const bool depthwise = dice_.up_to(3) == 0;
    const int64_t out = depthwise ? channels : dice_.pick<int64_t>({1, 4, 8, 16, 24});
    const int64_t stride = dice_.between(1, 2), pad = kernel / 2, depth = depthwise ? 1 : channels;
    const ValueId w =
        graph_.add_constant("w", random_tensor(dice_, activation("").dtype, {out, depth, kernel, kernel}));
    const ValueId b =
        graph_.add_constant("b", random_tensor(dice_, options_.quantized ? DType::Int32 : DType::Float32, {out}));
    if (options_.quantized) {
      QuantParams quant{.axis = 0};
      for (int64_t c = 0; c < out; ++c) {
        quant.scale.push_back(0.01);
        quant.zero_point.push_back(static_cast<int32_t>(dice_.between(-9, 9)));
      }
      graph_[w].quant = quant;
    }
    Attributes attributes = {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
                             {"strides", std::vector<int64_t>{stride, stride}},
                             {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                             {"dilations", std::vector<int64_t>{1, 1}},
                             {"group", depthwise ? channels : int64_t{1}}};
    if (!options_.quantized && dice_.coin()) {
      attributes["activation"] = dice_.pick<std::string>({"Relu", "SiLU", "HardSwish"});
    }
    const double taps = static_cast<double>(depth * kernel * kernel);
    add("Conv", {x, w, b}, std::move(attributes), {1.0 / (70.0 * std::sqrt(taps))});
    Node& node = graph_[graph_[features_.back()].producer];
    for (int64_t c = 0; options_.quantized && c < out; ++c) {
      node.fixed->channel.push_back(static_cast<uint16_t>(dice_.between(8192, 16384)));
    }
  }

  Attributes window() {
    const int64_t kernel = dice_.between(1, 3), stride = dice_.between(1, 2), pad = kernel / 2;
    return {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
            {"strides", std::vector<int64_t>{stride, stride}},
            {"pads", std::vector<int64_t>{pad, pad, kernel - 1 - pad, kernel - 1 - pad}}};
  }
  void max_pool(ValueId x) { add("MaxPool", {x}, window()); }
  void average(ValueId x) {
    if (dice_.coin()) {
      const double count = static_cast<double>(shape(x)[2] * shape(x)[3]);
      add("GlobalAveragePool", {x}, {}, {1.0 / count});
      return;
    }
    Attributes attributes = window();
    attributes["count_include_pad"] = int64_t{1};
    const int64_t kernel = std::get<std::vector<int64_t>>(attributes["kernel_shape"])[0];
    add("AveragePool", {x}, std::move(attributes), {1.0 / static_cast<double>(kernel * kernel)});
  }
  void binary(ValueId x) {
    const ValueId y = partner(x);
    if (dice_.coin()) {
      add("Add", {x, y}, {}, {1024.0 * 0.9, 1024.0 * 0.8, 1.0 / 1024.0});
    } else {
      add("Mul", {x, y}, {}, {kScale});
    }
  }
  void unary(ValueId x) {
    add(dice_.pick<std::string>({"Relu", "Sigmoid", "HardSwish", "LeakyRelu", "Tanh", "Gelu", "Exp"}), {x}, {});
  }
  void softmax(ValueId x) { add("Softmax", {x}, {{"axis", dice_.up_to(3)}}); }
  void concat(ValueId x) {
    std::vector<ValueId> parts = {x};
    for (const ValueId id : features_) {
      const Shape &a = shape(id), &b = shape(x);
      const bool fits = a[0] == b[0] && a[2] == b[2] && a[3] == b[3];
      if (fits && dice_.coin() && parts.size() < 4) parts.push_back(id);
    }
    add("Concat", parts, {{"axis", int64_t{1}}});
  }
  void slice(ValueId x) {
    std::vector<int64_t> starts, ends, steps;
    for (const int64_t extent : shape(x)) {
      starts.push_back(dice_.up_to(extent - 1));
      ends.push_back(dice_.between(starts.back() + 1, extent));
      steps.push_back(dice_.between(1, 2));
    }
    add("Slice", {x}, {{"starts", starts}, {"ends", ends}, {"steps", steps}});
  }
  void split(ValueId x) {
    const int64_t axis = dice_.up_to(3), extent = shape(x)[static_cast<size_t>(axis)];
    if (extent < 2) return;
    const int64_t first = dice_.between(1, extent - 1);
    add("Split", {x}, {{"axis", axis}, {"split", std::vector<int64_t>{first, extent - first}}}, {}, 2);
  }
  void transpose(ValueId x) {
    add("Transpose", {x},
        {{"perm", dice_.pick<std::vector<int64_t>>({{0, 2, 3, 1}, {0, 3, 1, 2}, {0, 1, 3, 2}, {1, 0, 2, 3}})}});
  }
  void reshape(ValueId x) {
    const Shape s = shape(x);
    add("Reshape", {x},
        {{"shape", dice_.pick<Shape>({{s[0], s[1], s[2] * s[3], 1},
                                      {s[0], s[1] * s[2], s[3], 1},
                                      {s[0], s[1], s[3], s[2]},
                                      {1, s[0] * s[1], s[2], s[3]}})}});
  }
  /// Space flattened, moved and unflattened again, as heads of detectors do.
  void flat_space(ValueId x) {
    const Shape s = shape(x);
    const ValueId flat = add("Reshape", {x}, {{"shape", Shape{s[0], s[1], s[2] * s[3]}}});
    const ValueId moved = add("Transpose", {flat}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    add("Reshape", {moved}, {{"shape", Shape{s[0], s[2], s[3], s[1]}}});
  }
  void upsample(ValueId x) {
    const Shape s = shape(x);
    if (options_.quantized || s[2] * s[3] > 300) return reshape(x);
    add("Resize", {x},
        {{"sizes", std::vector<int64_t>{s[0], s[1], s[2] * 2, s[3] * 2}},
         {"mode", dice_.pick<std::string>({"nearest", "linear"})},
         {"coordinate_transformation_mode", dice_.pick<std::string>({"asymmetric", "half_pixel"})}});
  }
  void pad(ValueId x) {
    std::vector<int64_t> pads;
    for (int i = 0; i < 8; ++i) pads.push_back(dice_.up_to(2));
    if (element_count(shape(x)) > 4000) return unary(x);
    add("Pad", {x}, {{"pads", pads}, {"mode", std::string("constant")}, {"value", 0.25}});
  }
  void reduce(ValueId x) {
    add(dice_.pick<std::string>({"ReduceMean", "ReduceSum", "ReduceMax"}), {x},
        {{"axes", dice_.pick<std::vector<int64_t>>({{1}, {2, 3}, {3}, {1, 2}})}, {"keepdims", int64_t{1}}});
  }
  void attention(ValueId x) {
    const Shape s = shape(x);
    const ValueId turned = add("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
    add("MatMul", {x, turned}, {});
  }

  Dice dice_;
  RandomGraphOptions options_;
  Graph graph_;
  std::vector<ValueId> features_;  // rank 4
};

inline Graph random_graph(uint32_t seed, RandomGraphOptions options = {}) { return RandomGraph(seed, options).make(); }

/// One tensor per graph input.
inline std::vector<Tensor> random_inputs(const Graph& graph, uint32_t seed) {
  Dice dice(seed + 1000003);
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(random_tensor(dice, graph[id].dtype, graph[id].shape));
  return inputs;
}

}  // namespace openrknn::test
