// Golden graph -> quantized graph: values change dtype and get parameters, constants change form, Convert nodes stand
// where representations meet. Nothing is decided here that assign_precision and the range classes have not decided.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/quantize/layer_weights.h"
#include "compiler/quantize/precision_rules.h"
#include "compiler/quantize/range_classes.h"
#include "core/base/hash.h"
#include "core/graph/custom.h"
#include "core/graph/schema.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

std::string key_of(DType dtype, const QuantParams& quant) {
  return fmt::format("{} {:a} {}", name(dtype), quant.scale[0], quant.zero_point[0]);
}
/// "_int8": how the toolkit ends the name of a constant or input in another form.
std::string suffix_of(DType dtype) { return fmt::format("_{}", numpy_name(dtype)); }

/// Ops for which an over-large constant can only mean "infinitely far": saturating it keeps the meaning.
bool tolerates_saturation(const Node& node) {
  static constexpr std::string_view kOps[] = {"Add", "Sub", "Max", "Min", "Where", "Concat", "Less", "Greater"};
  return std::find(std::begin(kOps), std::end(kOps), node.op) != std::end(kOps);
}

class Quantizer {
 public:
  Quantizer(const Graph& golden, const PrecisionMap& precision, const Calibration& calibration,
            const QuantizeOptions& options, const GivenParameters& given, std::vector<std::string>* notes,
            ThreadPool* pool)
      : golden_(golden),
        precision_(precision),
        options_(options),
        given_(given),
        notes_(notes),
        pool_(pool),
        classes_(golden, precision, calibration, options.activations, options.ranges, given, pool),
        weights_(golden, precision, options),
        graph_(golden) {}

  Graph run() {
    store_values();
    if (pool_ != nullptr) weights_.search(classes_, given_, *pool_);
    for (const NodeId id : golden_.order()) connect(id);
    problems_.throw_if_any();
    return std::move(graph_);
  }

 private:
  void store_values();
  void connect(NodeId);
  void connect_codes(NodeId);
  void connect_float(NodeId);
  void connect_layer(NodeId);
  CodedLayer coded_layer(NodeId, double input_scale);
  void connect_normalization(NodeId);
  void multiply_instead_of_divide(NodeId);

  ValueId code_form(ValueId, DType codes, const QuantParams&);
  ValueId float_form(ValueId, DType);
  ValueId convert(ValueId, std::string name, DType, std::optional<QuantParams>);
  HalfConstant half_of(const Tensor&, bool saturate) const;
  ValueId half_constant(NodeId, ValueId);
  const GivenCodes* given(ValueId) const;
  void note_coarse_channels(NodeId, const QuantParams& weights);
  template <class Make>
  ValueId constant_form(ValueId, std::string key, const std::string& suffix, Make make);

  const Graph& golden_;
  const PrecisionMap& precision_;
  const QuantizeOptions& options_;
  const GivenParameters& given_;
  std::vector<std::string>* notes_;
  ThreadPool* pool_;
  RangeClasses classes_;
  LayerWeights weights_;
  Graph graph_;
  Diagnostics problems_;
  std::map<std::pair<ValueId, std::string>, ValueId> forms_;  // what a value or constant became, by key
  std::map<ValueId, std::string> taken_;                      // constants already rewritten in place, and to which form
};

void Quantizer::store_values() {
  for (int64_t i = 0; i < golden_.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    const bool computed = golden_[id].producer != NodeId::None || golden_.is_input(id);
    if (!is_real(golden_, id) || !computed) continue;
    Value& value = graph_[id];
    value.dtype = storage_of(golden_, precision_, id);
    value.constant.reset();  // content proven in float32 does not hold for other types
    if (is_code_type(value.dtype)) value.quant = classes_.params(id, value.dtype);
  }
}

void Quantizer::connect(NodeId id) {
  if (!precision_.contains(id)) {
    fail(Code::Internal, golden_.where(id), "no precision was assigned to the node");
  }
  Node& node = graph_[id];
  if ((node.op == "Cast" || node.op == "DequantizeLinear") && gives_reals(golden_, id)) {
    node.attributes["to"] = static_cast<int64_t>(graph_[node.outputs[0]].dtype);
  }
  if (computes_codes(precision_, id)) {
    connect_codes(id);
  } else {
    connect_float(id);
  }
}

void Quantizer::connect_codes(NodeId id) {
  const Node golden = golden_[id];
  const DType codes = precision_.at(id).dtype;
  const QuantRule rule = schema_of(golden).quant;
  const bool shares = rule == QuantRule::Same || rule == QuantRule::Unify;
  if (golden.op == "Div") multiply_instead_of_divide(id);
  for (size_t i = 0; i < golden.inputs.size(); ++i) {
    const ValueId input = golden.inputs[i];
    if (role_of(golden_, id, i) != InputRole::Data) continue;
    if (golden.op == "Div" && i == 1) continue;
    if (!is_plain_constant(golden_, input)) {
      const auto own = given_.find(input);
      const bool other = own != given_.end() && own->second.dtype != codes;
      if (other && reads_as_stored(golden_, id)) continue;
      const ValueId like = classes_.requantized(id, i) ? golden.outputs[0] : input;
      graph_.set_input(id, i, code_form(input, codes, classes_.params(like, codes)));
      continue;
    }
    const Tensor& content = *golden_[input].constant;
    const Location where{.file = {}, .node = golden.name, .tensor = golden_[input].name};
    const GivenCodes* own = shares ? nullptr : given(input);
    if (own != nullptr && own->dtype == codes && own->quant.scale.size() == 1) {
      graph_.set_input(id, i, constant_form(input, key_of(codes, own->quant), suffix_of(codes), [&] {
                         return Coded{*own->codes, {own->quant.scale, own->quant.zero_point}};
                       }));
      continue;
    }
    const QuantParams quant =
        shares ? classes_.params(golden.outputs[0], codes) : params_of_constant(content, classes_.spec(codes), where);
    graph_.set_input(id, i, constant_form(input, key_of(codes, quant), suffix_of(codes), [&] {
                       return quantize_constant(content, quant, codes);
                     }));
  }
  if (role_of(golden_, id, 1) == InputRole::Weights) connect_layer(id);
  if (golden.op == "BatchNormalization") connect_normalization(id);
}

/// Division by a constant is multiplication by its reciprocal; the product is the one integers know.
void Quantizer::multiply_instead_of_divide(NodeId id) {
  const ValueId divisor = golden_[id].inputs[1];
  Tensor reciprocal(DType::Float32, golden_[divisor].shape);
  const std::vector<double> values = to_doubles(*golden_[divisor].constant);
  std::transform(values.begin(), values.end(), reciprocal.mutable_values<float>().begin(),
                 [](double v) { return static_cast<float>(1 / v); });
  const Location where{.file = {}, .node = golden_[id].name, .tensor = golden_[divisor].name};
  const DType codes = precision_.at(id).dtype;
  const QuantParams quant = params_of_constant(reciprocal, classes_.spec(codes), where);
  graph_[id].op = "Mul";
  graph_.set_input(id, 1, constant_form(divisor, "reciprocal " + key_of(codes, quant), "_reciprocal", [&] {
                     return quantize_constant(reciprocal, quant, codes);
                   }));
}

void Quantizer::connect_layer(NodeId id) {
  const Node& golden = golden_[id];
  const ValueId weights = golden.inputs[1];
  const ValueId bias = golden.inputs.size() > 2 ? golden.inputs[2] : ValueId::None;
  const double input_scale = graph_[graph_[id].inputs[0]].quant->scale[0];
  const DType codes = precision_.at(id).dtype;
  const CodedLayer layer = coded_layer(id, input_scale);
  // A bias can widen the scales, so weights shared by two layers may end up in two forms.
  std::string key = fmt::format("weights {} {} {}", numpy_name(codes), weight_axis(golden_, id),
                                hash64(std::as_bytes(std::span(layer.weights.quant.scale))));
  graph_.set_input(id, 1, constant_form(weights, key, suffix_of(codes), [&] { return layer.weights; }));
  if (!layer.bias) return;
  key += fmt::format(" bias {:a}", input_scale);
  graph_.set_input(id, 2, constant_form(bias, key, suffix_of(layer.bias->codes.dtype()), [&] { return *layer.bias; }));
}

const GivenCodes* Quantizer::given(ValueId id) const {
  const auto found = given_.find(id);
  return found == given_.end() || !found->second.codes ? nullptr : &found->second;
}

CodedLayer Quantizer::coded_layer(NodeId id, double input_scale) {
  const Node& golden = golden_[id];
  const ValueId weights = golden.inputs[1];
  const ValueId bias = golden.inputs.size() > 2 ? golden.inputs[2] : ValueId::None;
  const Tensor* bias_content = bias == ValueId::None ? nullptr : &*golden_[bias].constant;
  const DType codes = precision_.at(id).dtype;
  const int axis = weight_axis(golden_, id);
  const GivenCodes* own = given(weights);
  const bool fits = own != nullptr && (own->dtype == codes || own->dtype == DType::Int8) &&
                    (own->quant.axis < 0 || own->quant.axis == axis);
  if (fits) {
    CodedLayer layer =
        given_layer(*own, bias_content, bias == ValueId::None ? nullptr : given(bias), axis, input_scale, codes);
    note_coarse_channels(id, layer.weights.quant);
    return layer;
  }
  return weights_.take(id, input_scale);
}

/// The NPU multiplies a channel by a whole number of 2^-14 of the largest scale. Our own scales are chosen so; given
/// ones are rounded there.
void Quantizer::note_coarse_channels(NodeId id, const QuantParams& weights) {
  constexpr double kWorthSaying = 1.0 / 256;  // half a code of a whole range
  if (notes_ == nullptr || weights.scale.size() < 2) return;
  const double largest = *std::max_element(weights.scale.begin(), weights.scale.end());
  int64_t coarse = 0;
  double worst = 0;
  for (const double scale : weights.scale) {
    const double exact = scale / largest * (1 << 14), error = std::abs(std::nearbyint(exact) / exact - 1);
    coarse += error > kWorthSaying;
    worst = std::max(worst, error);
  }
  if (coarse == 0) return;
  notes_->push_back(fmt::format(
      "'{}': {} of {} channels have weight scales so far below the layer's largest that the hardware's multiplier of "
      "2^-14 steps is off by up to {:.1f} %; their results are scaled by as much",
      golden_[id].name, coarse, weights.scale.size(), 100 * worst));
}

/// Brings BatchNormalization to x · slope + bias: mean 0, variance 1, epsilon 0.
void Quantizer::connect_normalization(NodeId id) {
  const Node& golden = golden_[id];
  std::vector<Tensor> parameters;
  for (size_t i = 1; i < 5; ++i) parameters.push_back(*golden_[golden.inputs[i]].constant);
  const double epsilon = float_attribute(golden.attributes, "epsilon", 1e-5);
  const double input_scale = graph_[graph_[id].inputs[0]].quant->scale[0];
  const Location where{.file = {}, .node = golden.name, .tensor = golden_[golden.inputs[1]].name};
  const CodedNormalization coded =
      quantize_normalization(parameters, epsilon, input_scale, classes_.spec(precision_.at(id).dtype), where);
  const std::string key = fmt::format("normalization {}", golden.name);
  const Shape& shape = parameters[0].shape();
  const auto fill = [&](float v) {
    return Coded{Tensor::from<float>(shape, std::vector<float>(static_cast<size_t>(element_count(shape)), v)), {}};
  };
  graph_.set_input(id, 1, constant_form(golden.inputs[1], key, "_int16", [&] { return coded.slope; }));
  graph_.set_input(
      id, 2, constant_form(golden.inputs[2], key, suffix_of(coded.bias.codes.dtype()), [&] { return coded.bias; }));
  graph_.set_input(id, 3, constant_form(golden.inputs[3], "f32 zeros", "_zero", [&] { return fill(0); }));
  graph_.set_input(id, 4, constant_form(golden.inputs[4], "f32 ones", "_one", [&] { return fill(1); }));
  graph_[id].attributes["epsilon"] = 0.0;
}

void Quantizer::connect_float(NodeId id) {
  const Node golden = golden_[id];
  const bool custom = golden.op == kCustomOp;
  const bool normalizes = golden.op.size() > 13 && golden.op.ends_with("Normalization");
  const bool codes = golden.op == "QuantizeLinear" || golden.op == "DequantizeLinear";
  for (size_t i = 0; i < golden.inputs.size(); ++i) {
    const ValueId input = golden.inputs[i];
    if (!is_real(golden_, input)) continue;
    if (!is_plain_constant(golden_, input)) {
      // Codes made from codes: float32 gives back each of them.
      const bool exact = codes && graph_[input].dtype != DType::Float16;
      graph_.set_input(id, i, float_form(input, custom || exact ? DType::Float32 : DType::Float16));
      continue;
    }
    // Added to a float32 accumulator: a bias or a variance loses by rounding and gains nothing. A scale may be tiny.
    const InputRole role = role_of(golden_, id, i);
    if (role == InputRole::Weights && weights_.may_code_half(id)) {
      const HalfLayer half = weights_.take_half(id);
      if (half.overflowing > 0) {
        Location where = golden_.where(id);
        where.tensor = golden_[input].name;
        problems_.add(Code::QuantizeHalfOverflow, where,
                      fmt::format("{} of {} weights exceed float16, the largest is {}", half.overflowing,
                                  half.weights.codes.size(), half.worst),
                      "rescale the layer, or quantize it to int8");
      }
      if (half.is_worth_coding) {
        const std::string key = fmt::format("coded weights {}", weight_axis(golden_, id));
        const std::string suffix = suffix_of(half.weights.codes.dtype());
        graph_.set_input(id, i, constant_form(input, key, suffix, [&] { return half.weights; }));
        continue;
      }
    }
    const bool wide = custom || role == InputRole::Bias || (role == InputRole::Parameter && (normalizes || codes));
    graph_.set_input(id, i,
                     wide ? constant_form(input, "f32", "_float32",
                                          [&] {
                                            return Coded{cast(*golden_[input].constant, DType::Float32), {}};
                                          })
                          : half_constant(id, input));
  }
}

HalfConstant Quantizer::half_of(const Tensor& content, bool saturate) const {
  if (options_.cache == nullptr) return to_half(content, saturate);
  const std::string key =
      fmt::format("{} {} {} {}", hash64(content.bytes()), name(content.dtype()), to_string(content.shape()), saturate);
  const std::scoped_lock lock(options_.cache->mutex);
  std::map<std::string, HalfConstant>& known = options_.cache->halves;
  const auto found = known.find(key);
  return found != known.end() ? found->second : known.emplace(key, to_half(content, saturate)).first->second;
}

ValueId Quantizer::half_constant(NodeId id, ValueId constant) {
  const bool saturate = tolerates_saturation(golden_[id]);
  const HalfConstant half = half_of(*golden_[constant].constant, saturate);
  if (half.overflowing > 0) {
    Location where = golden_.where(id);
    where.tensor = golden_[constant].name;
    const std::string problem = fmt::format("{} of {} numbers of the constant exceed float16, the largest is {}",
                                            half.overflowing, half.values.size(), half.worst);
    if (saturate) {
      log(LogLevel::Warning, "quantize",
          to_string(Diagnostic{Code::QuantizeHalfOverflow, Severity::Warning, where, problem,
                               "they are saturated to 65504, which is right for masks"}));
    } else {
      problems_.add(Code::QuantizeHalfOverflow, where, problem, "rescale the layer, or quantize it to int8");
    }
  }
  return constant_form(constant, saturate ? "f16 saturated" : "f16", "_float16", [&] {
    return Coded{half.values, {}};
  });
}

/// The constant in another form. The first form takes the constant's own place, so that its id stays valid and nothing
/// is stored twice; further ones are constants of their own.
template <class Make>
ValueId Quantizer::constant_form(ValueId id, std::string key, const std::string& suffix, Make make) {
  const auto known = forms_.find({id, key});
  if (known != forms_.end()) return known->second;
  const Coded coded = make();
  const bool in_place = !taken_.contains(id) && !golden_.is_output(id);
  const ValueId form = in_place ? id : graph_.add_constant(golden_[id].name + suffix, coded.codes);
  Value& value = graph_[form];
  value.dtype = coded.codes.dtype();
  value.constant = coded.codes;
  value.quant = coded.quant.scale.empty() ? std::nullopt : std::optional(coded.quant);
  if (in_place) taken_[id] = key;
  forms_[{id, std::move(key)}] = form;
  return form;
}

ValueId Quantizer::code_form(ValueId id, DType codes, const QuantParams& quant) {
  if (graph_[id].dtype == codes && graph_[id].quant == quant) return id;
  const std::string key = key_of(codes, quant);
  const auto known = forms_.find({id, key});
  if (known != forms_.end()) return known->second;
  const std::string suffix = fmt::format("{}_{}", golden_.is_input(id) ? "" : "_", numpy_name(codes));
  return forms_[{id, key}] = convert(id, golden_[id].name + suffix, codes, quant);
}

ValueId Quantizer::float_form(ValueId id, DType dtype) {
  if (graph_[id].dtype == dtype) return id;
  const std::pair key(id, dtype == DType::Float16 ? "f16" : "f32");
  const auto known = forms_.find(key);
  if (known != forms_.end()) return known->second;
  const std::string name = fmt::format("{}__{}", golden_[id].name, numpy_name(dtype));
  return forms_[key] = convert(id, name, dtype, std::nullopt);
}

ValueId Quantizer::convert(ValueId from, std::string name, DType dtype, std::optional<QuantParams> quant) {
  Value to;
  to.name = std::move(name);
  to.dtype = dtype;
  to.shape = golden_[from].shape;
  to.quant = std::move(quant);
  const ValueId id = graph_.add(std::move(to));
  Node node;
  node.name = graph_[id].name;
  node.op = "Convert";
  node.inputs = {from};
  node.outputs = {id};
  graph_.add(std::move(node));
  return id;
}

}  // namespace

Graph quantize(const Graph& golden, const PrecisionMap& precision, const Calibration& calibration,
               const QuantizeOptions& options, const GivenParameters& given, std::vector<std::string>* notes,
               ThreadPool* pool) {
  return Quantizer(golden, precision, calibration, options, given, notes, pool).run();
}

}  // namespace openrknn
