#include "core/rknn_file/encode.h"

#include <algorithm>
#include <set>

#include "core/graph/schema.h"
#include "core/rknn_file/rknn_generated.h"

namespace openrknn {
namespace {

namespace fb = flatbuffers;

/// Values the graph still speaks of.
std::vector<bool> live_values(const Graph& graph, const std::vector<NodeId>& order) {
  std::vector<bool> live(static_cast<size_t>(graph.value_count()));
  const auto mark = [&](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != ValueId::None) live[static_cast<size_t>(id)] = true;
    }
  };
  mark(graph.inputs);
  mark(graph.outputs);
  for (const NodeId id : order) {
    mark(graph[id].inputs);
    mark(graph[id].outputs);
  }
  return live;
}

/// Constants that layers multiply with: what two models for different resolutions have in common.
std::set<ValueId> layer_weights(const Graph& graph) {
  std::set<ValueId> weights;
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    const bool is_matmul = node.op == "MatMul";
    if (!is_matmul && node.op != "Conv" && node.op != "ConvTranspose") continue;
    for (size_t i = is_matmul ? 0 : 1; i < std::min<size_t>(node.inputs.size(), 2); ++i) {
      if (graph[node.inputs[i]].constant) weights.insert(node.inputs[i]);
    }
  }
  return weights;
}

class Encoder {
 public:
  explicit Encoder(WeightsSection& weights) : weights_(weights) {}

  std::string encode(const Model&);

 private:
  template <class T>
  using Vector = fb::Offset<fb::Vector<T>>;

  fb::Offset<fb::String> text(const std::string& s) { return out_.CreateSharedString(s); }
  template <class T>
  Vector<T> list(const std::vector<T>& values) {
    return values.empty() ? Vector<T>() : out_.CreateVector(values);
  }
  Vector<fb::Offset<fb::String>> texts(const std::vector<std::string>&);
  template <class T, class Items, class F>
  Vector<fb::Offset<T>> tables(const Items& items, F&& make);

  fb::Offset<file::TensorRef> tensor(const Tensor&);
  fb::Offset<file::TensorRef> removed_tensor(const Tensor&);
  fb::Offset<file::Quant> quant(const QuantParams&);
  fb::Offset<file::Fixed> fixed(const FixedPoint&);
  fb::Offset<file::Attribute> attribute(const std::string& name, const Attribute&);
  fb::Offset<file::Value> value(const Value&, bool live, bool removed);
  fb::Offset<file::Node> node(const Node&, const std::vector<int32_t>& ids);
  fb::Offset<file::Origin> origin(const Origin&);
  /// `partner`: a graph whose live values keep a place here too (golden), or null.
  fb::Offset<file::Graph> graph(const Graph&, const Graph* partner, bool remove_weight = false);
  fb::Offset<file::Port> port(const Port&);

  fb::FlatBufferBuilder out_;
  WeightsSection& weights_;
  std::set<std::string> operators_;
};

Encoder::Vector<fb::Offset<fb::String>> Encoder::texts(const std::vector<std::string>& values) {
  if (values.empty()) return 0;
  std::vector<fb::Offset<fb::String>> offsets;
  for (const std::string& value : values) offsets.push_back(text(value));
  return out_.CreateVector(offsets);
}

template <class T, class Items, class F>
Encoder::Vector<fb::Offset<T>> Encoder::tables(const Items& items, F&& make) {
  if (items.empty()) return 0;
  std::vector<fb::Offset<T>> offsets;
  offsets.reserve(items.size());
  for (const auto& item : items) offsets.push_back(make(item));
  return out_.CreateVector(offsets);
}

fb::Offset<file::TensorRef> Encoder::tensor(const Tensor& tensor) {
  const uint64_t offset = weights_.add(tensor);
  return file::CreateTensorRef(out_, static_cast<uint8_t>(tensor.dtype()), list(tensor.shape()), offset);
}

fb::Offset<file::TensorRef> Encoder::removed_tensor(const Tensor& tensor) {
  const uint64_t hash = weights_.leave_out(tensor);
  return file::CreateTensorRef(out_, static_cast<uint8_t>(tensor.dtype()), list(tensor.shape()), 0, true, hash);
}

fb::Offset<file::Quant> Encoder::quant(const QuantParams& quant) {
  const auto scale = list(quant.scale);
  const auto zero_point = list(quant.zero_point);
  return file::CreateQuant(out_, scale, zero_point, quant.axis, quant.group);
}

fb::Offset<file::Fixed> Encoder::fixed(const FixedPoint& fixed) {
  std::vector<file::Scale> pairs;
  for (const auto& [multiplier, shift] : fixed.scale) pairs.emplace_back(multiplier, shift);
  const auto channel = list(fixed.channel);
  const fb::Offset<fb::Vector<const file::Scale*>> scale =
      pairs.empty() ? fb::Offset<fb::Vector<const file::Scale*>>() : out_.CreateVectorOfStructs(pairs);
  const auto slope = list(fixed.slope);
  return file::CreateFixed(out_, channel, fixed.channel_shift, scale, slope, fixed.low, fixed.high);
}

fb::Offset<file::Attribute> Encoder::attribute(const std::string& name, const Attribute& attribute) {
  using Kind = file::AttributeKind;
  // Everything a table points at is written before the table is begun.
  const auto name_offset = text(name);
  const auto finish = [&](Kind kind, auto&& fill, auto content) {
    file::AttributeBuilder builder(out_);
    builder.add_name(name_offset);
    builder.add_kind(kind);
    fill(builder, content);
    return builder.Finish();
  };
  struct Visitor {
    Encoder& self;
    decltype(finish)& done;
    using Out = fb::Offset<file::Attribute>;
    Out operator()(int64_t v) {
      return done(
          Kind::Int, [](auto& b, int64_t x) { b.add_i(x); }, v);
    }
    Out operator()(double v) {
      return done(
          Kind::Float, [](auto& b, double x) { b.add_f(x); }, v);
    }
    Out operator()(const std::string& v) {
      return done(
          Kind::String, [](auto& b, auto x) { b.add_s(x); }, self.text(v));
    }
    Out operator()(const std::vector<int64_t>& v) {
      return done(
          Kind::Ints, [](auto& b, auto x) { b.add_ints(x); }, self.list(v));
    }
    Out operator()(const std::vector<double>& v) {
      return done(
          Kind::Floats, [](auto& b, auto x) { b.add_floats(x); }, self.list(v));
    }
    Out operator()(const std::vector<std::string>& v) {
      return done(
          Kind::Strings, [](auto& b, auto x) { b.add_strings(x); }, self.texts(v));
    }
    Out operator()(const Tensor& v) {
      return done(
          Kind::Tensor, [](auto& b, auto x) { b.add_tensor(x); }, self.tensor(v));
    }
    Out operator()(const std::shared_ptr<const Graph>& v) {
      return done(
          Kind::Graph, [](auto& b, auto x) { b.add_graph(x); }, self.graph(*v, nullptr));
    }
  };
  return std::visit(Visitor{*this, finish}, attribute);
}

fb::Offset<file::Value> Encoder::value(const Value& value, bool live, bool removed) {
  if (!live) {
    file::ValueBuilder builder(out_);
    builder.add_dead(true);
    return builder.Finish();
  }
  const auto name = text(value.name);
  const auto shape = list(value.shape);
  const auto quant_offset = value.quant ? quant(*value.quant) : 0;
  const auto constant = !value.constant ? 0 : removed ? removed_tensor(*value.constant) : tensor(*value.constant);
  const auto aliases = texts(value.aliases);
  return file::CreateValue(out_, name, static_cast<uint8_t>(value.dtype), shape, quant_offset, constant, aliases,
                           false);
}

fb::Offset<file::Node> Encoder::node(const Node& node, const std::vector<int32_t>& ids) {
  operators_.insert(node.op);
  const auto renumber = [&](const std::vector<ValueId>& values) {
    std::vector<int32_t> result;
    for (const ValueId id : values) result.push_back(id == ValueId::None ? -1 : ids[static_cast<size_t>(id)]);
    return list(result);
  };
  const auto name = text(node.name);
  const auto op = text(node.op);
  const auto inputs = renumber(node.inputs);
  const auto outputs = renumber(node.outputs);
  const auto attributes =
      tables<file::Attribute>(node.attributes, [&](const auto& entry) { return attribute(entry.first, entry.second); });
  const auto fixed_offset = node.fixed ? fixed(*node.fixed) : 0;
  const auto origins = list(node.origins);
  return file::CreateNode(out_, name, op, inputs, outputs, attributes, fixed_offset,
                          static_cast<uint8_t>(node.placement), origins);
}

fb::Offset<file::Origin> Encoder::origin(const Origin& origin) {
  const auto op = text(origin.op);
  const auto node = text(origin.node);
  const auto tensor = text(origin.tensor);
  const auto file = text(origin.where.file);
  const auto where_node = text(origin.where.node);
  const auto where_tensor = text(origin.where.tensor);
  return file::CreateOrigin(out_, op, node, tensor, file, where_node, where_tensor, origin.where.line);
}

fb::Offset<file::Graph> Encoder::graph(const Graph& graph, const Graph* partner, bool remove_weight) {
  const std::set<ValueId> removed = remove_weight ? layer_weights(graph) : std::set<ValueId>{};
  const std::vector<NodeId> order = graph.order();
  const std::vector<bool> live = live_values(graph, order);
  std::vector<bool> kept = live;
  if (partner != nullptr) {
    const std::vector<bool> other = live_values(*partner, partner->order());
    kept.resize(std::max(kept.size(), other.size()));
    for (size_t i = 0; i < other.size(); ++i) kept[i] = kept[i] || other[i];
  }
  std::vector<int32_t> ids(kept.size(), -1);
  std::vector<fb::Offset<file::Value>> values;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) continue;
    ids[i] = static_cast<int32_t>(values.size());
    const bool is_live = i < live.size() && live[i];
    const auto id = static_cast<ValueId>(i);
    values.push_back(value(is_live ? graph[id] : Value{}, is_live, removed.count(id) != 0));
  }
  const auto renumber = [&](const std::vector<ValueId>& list_of) {
    std::vector<int32_t> result;
    for (const ValueId id : list_of) result.push_back(ids[static_cast<size_t>(id)]);
    return list(result);
  };
  const auto values_offset = out_.CreateVector(values);
  const auto nodes = tables<file::Node>(order, [&](NodeId id) { return node(graph[id], ids); });
  const auto inputs = renumber(graph.inputs);
  const auto outputs = renumber(graph.outputs);
  const auto origins = tables<file::Origin>(graph.origins, [&](const Origin& o) { return origin(o); });
  const auto unplaced = list(graph.unplaced_origins);
  const auto metadata = tables<file::Pair>(graph.metadata, [&](const auto& entry) {
    const auto key = text(entry.first);
    return file::CreatePair(out_, key, text(entry.second));
  });
  return file::CreateGraph(out_, values_offset, nodes, inputs, outputs, origins, unplaced, metadata);
}

fb::Offset<file::Port> Encoder::port(const Port& port) {
  const auto name = text(port.name);
  const auto order = list(port.source_order);
  const auto mean = list(port.mean);
  const auto std = list(port.std);
  const auto pixel_format = port.pixel_format.empty() ? fb::Offset<fb::String>() : text(port.pixel_format);
  return file::CreatePort(out_, name, static_cast<uint8_t>(port.dtype), order, mean, std, pixel_format);
}

std::string Encoder::encode(const Model& model) {
  const Graph* golden = model.golden ? &*model.golden : nullptr;
  const auto variants = tables<file::Graph>(model.variants, [&](const Graph& variant) {
    return graph(variant, &variant == &model.variants.front() ? golden : nullptr, model.remove_weight);
  });
  const auto ports = [&](const std::vector<Port>& list_of) {
    return tables<file::Port>(list_of, [&](const Port& p) { return port(p); });
  };
  const auto inputs = ports(model.inputs);
  const auto outputs = ports(model.outputs);
  const auto target = text(model.target);
  const auto custom_string = text(model.custom_string);
  const auto tool_version = text(model.tool_version);
  const auto framework = text(model.source_framework);
  const auto family = text(model.arithmetic.family);
  const auto golden_offset = golden != nullptr ? graph(*golden, &model.variants.front()) : 0;
  const auto operators = tables<file::Operator>(operators_, [&](const std::string& op) {
    const OpSchema* schema = find_schema(op);
    return file::CreateOperator(out_, text(op), schema != nullptr ? schema->version : 0);
  });
  const auto extras = tables<file::Extra>(model.sections, [&](const auto& entry) {
    const auto name = text(entry.first);
    return file::CreateExtra(out_, name, static_cast<uint8_t>(entry.second.dtype()), list(entry.second.shape()));
  });
  out_.Finish(file::CreateModel(out_, variants, inputs, outputs, target, custom_string, tool_version, framework, family,
                                model.arithmetic.version, model.batch, golden_offset, operators, extras,
                                model.single_core, model.sparse),
              file::ModelIdentifier());
  return {reinterpret_cast<const char*>(out_.GetBufferPointer()), out_.GetSize()};
}

}  // namespace

std::string encode_model(const Model& model, WeightsSection& weights) { return Encoder(weights).encode(model); }

}  // namespace openrknn
