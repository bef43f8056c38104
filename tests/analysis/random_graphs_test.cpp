// Both kinds of errors of random graphs, against runs that keep every value and are made anew for each layer.
#include <map>

#include "compiler/analysis/analyze.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

/// What the analysis does without keeping, in step: here everything is kept and set by itself.
class Kept {
 public:
  Kept(const Graph& golden, const Graph& built, const std::vector<Tensor>& inputs) : built_(built), inputs_(inputs) {
    Weights weights;
    openrknn::Run run(plan(golden, {}, {.keep_all = true}, weights), pool_);
    for (size_t i = 0; i < inputs.size(); ++i) run.set(golden.inputs[i], inputs[i]);
    run.run();
    for (const auto& [layer, reference] : comparable_values(golden, built)) {
      wanted_[layer] = run.get(golden.find(reference));
    }
  }

  double entire(const std::string& layer) { return error(layer, {}); }
  double single(const std::string& layer) {
    const NodeId producer = built_[built_.find(layer)].producer;
    if (producer == NodeId::None) return entire(layer);
    std::vector<ValueId> fed;
    for (const ValueId input : built_[producer].inputs) {
      if (input != ValueId::None && wanted_.contains(built_[input].name)) fed.push_back(input);
    }
    return error(layer, fed);
  }

 private:
  Tensor represented(const Tensor& real, const Value& value) const {
    return value.quant ? quantize_tensor(real, *value.quant, value.dtype) : cast(real, value.dtype);
  }

  double error(const std::string& layer, const std::vector<ValueId>& fed) {
    Weights weights;
    openrknn::Run run(plan(built_, arithmetic_of(test::target()), {.keep_all = true}, weights), pool_);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      run.set(built_.inputs[i], represented(inputs_[i], built_[built_.inputs[i]]));
    }
    for (const ValueId id : fed) run.set(id, represented(wanted_.at(built_[id].name), built_[id]));
    run.run();
    const ValueId id = built_.find(layer);
    const Tensor got = run.get(id);
    const std::vector<double> a = to_doubles(wanted_.at(layer));
    const std::vector<double> b = to_doubles(built_[id].quant ? dequantize_tensor(got, *built_[id].quant) : got);
    double squares = 0;
    for (size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
    return std::sqrt(squares);
  }

  ThreadPool pool_{1};
  const Graph& built_;
  const std::vector<Tensor>& inputs_;
  std::map<std::string, Tensor> wanted_;
};

class RandomAnalysis : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RandomAnalysis, IsWhatRunsThatKeepEverythingGive) {
  SCOPED_TRACE(GetParam());
  Graph golden = test::RandomGraph(GetParam(), {.nodes = 10}).make();
  golden.remove_unused();
  test::Dice dice(GetParam());
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 1);
  const test::Built made = test::build(std::move(golden), samples);
  const std::vector<LayerRow> rows = layer_rows(made.golden, made.quantized);
  ThreadPool pool(1);
  const Analysis analysis = analyze(made.golden, made.quantized, arithmetic_of(test::target()), rows, samples, pool);
  const std::vector<Tensor> inputs = samples.get(0);
  Kept kept(made.golden, made.quantized, inputs);
  int compared = 0;
  for (const AnalyzedLayer& layer : analysis.layers) {
    if (layer.row.is_blank() || layer.row.is_exact) continue;
    ++compared;
    const double entire = kept.entire(layer.row.layer), single = kept.single(layer.row.layer);
    EXPECT_NEAR(layer.entire.euclidean, entire, 1e-4 * entire) << layer.row.tensor;
    EXPECT_NEAR(layer.single.euclidean, single, 1e-4 * single) << layer.row.tensor;
  }
  EXPECT_GT(compared, 1);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomAnalysis, ::testing::Range(0U, 40U));

}  // namespace
}  // namespace openrknn
