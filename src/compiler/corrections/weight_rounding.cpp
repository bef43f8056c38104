// The layers of a graph one after another: moments of their inputs, then codes of their weights.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/corrections/corrections.h"
#include "compiler/corrections/input_moments.h"
#include "compiler/corrections/observe.h"
#include "compiler/corrections/rounding.h"
#include "core/graph/quant_runs.h"

namespace openrknn {
namespace {

using namespace corrections;

/// Moments that are held at a time; more layers than fit are left for another run over the samples.
constexpr int64_t kMostMomentBytes = int64_t{256} << 20;
/// What is added to H's diagonal, as a part of its mean (Frantar et al. 2022, section 3.3).
constexpr double kDamping = 0.01;
/// Part of every covariance that is taken for chance: samples are few, and what is not so would be relied on.
constexpr double kChance = 0.1;
/// More hardly lessen the error.
constexpr int kSweeps = 4;

/// Weights to be coded, and where the layers that read them see their inputs.
struct Job {
  ValueId weights = ValueId::None;  // of the quantized graph
  ValueId wanted = ValueId::None;   // of golden
  std::vector<size_t> inputs;       // of the plan's `inputs`
};
struct RoundingPlan {
  std::vector<Job> jobs;
  std::vector<ProductLayer> inputs;
};

RoundingPlan plan_rounding(const Graph& golden, const Graph& quantized) {
  RoundingPlan plan;
  for (const NodeId id : golden.order()) {
    const std::optional<ProductLayer> layer = product_layer(golden, id);
    if (!layer) continue;
    const ValueId weights = quantized[id].inputs[1];
    const DType dtype = quantized[weights].dtype;
    if (dtype != DType::Int8 && dtype != DType::Int4) continue;
    size_t input = 0;
    while (input < plan.inputs.size() && !plan.inputs[input].sees_as(*layer)) ++input;
    if (input == plan.inputs.size()) plan.inputs.push_back(*layer);
    auto job = std::ranges::find(plan.jobs, weights, &Job::weights);
    if (job == plan.jobs.end()) {
      plan.jobs.push_back({weights, golden[id].inputs[1], {}});
      job = plan.jobs.end() - 1;
    }
    job->inputs.push_back(input);
  }
  return plan;
}

/// H of a group: mean products of the inputs, of what is about their mean if a bias takes the rest; damped.
SymmetricMatrix error_weights(const std::vector<const Moments*>& seen, bool centred) {
  const size_t depth = seen[0]->sum.size();
  SymmetricMatrix matrix{static_cast<int64_t>(depth), std::vector<float>(depth * depth)};
  double count = 0, trace = 0;
  std::vector<double> mean(depth, 0.0), square(depth);
  for (const Moments* moments : seen) {
    count += static_cast<double>(moments->count);
    for (size_t i = 0; i < depth; ++i) mean[i] += moments->sum[i];
  }
  for (double& m : mean) m /= count;
  for (size_t i = 0; i < depth; ++i) {
    std::fill_n(square.begin(), i + 1, 0.0);
    for (const Moments* moments : seen) {
      const double* const row = moments->square.data() + i * (i + 1) / 2;
      for (size_t j = 0; j <= i; ++j) square[j] += row[j];
    }
    for (size_t j = 0; j <= i; ++j) {
      const double of_means = mean[i] * mean[j];
      const double covariance = (square[j] / count - of_means) * (i == j ? 1 : 1 - kChance);
      matrix.values[i * depth + j] = static_cast<float>(centred ? covariance : covariance + of_means);
    }
    trace += static_cast<double>(matrix.values[i * depth + i]);
  }
  const auto damping = static_cast<float>(kDamping * trace / static_cast<double>(depth));
  for (size_t i = 0; i < depth; ++i) {
    matrix.values[i * depth + i] += damping;
    for (size_t j = 0; j < i; ++j) matrix.values[j * depth + i] = matrix.values[i * depth + j];
  }
  return matrix;
}

/// Index of scale and zero point of every weight.
std::vector<uint32_t> scale_indices(const Shape& shape, const QuantParams& quant) {
  std::vector<uint32_t> indices(static_cast<size_t>(element_count(shape)));
  for_quant_runs(shape, quant, [&](int64_t begin, int64_t count, size_t index) {
    std::fill_n(indices.begin() + begin, count, static_cast<uint32_t>(index));
  });
  return indices;
}

void choose_codes(const SymmetricMatrix& moments, Rounding rounding, CodedRows& rows, ThreadPool& pool) {
  if (rounding == Rounding::ErrorFeedback) {
    SymmetricMatrix factor = moments;
    float least = 0;
    for (int64_t i = 0; i < factor.size; ++i) least = std::max(least, factor.row(i)[i]);
    factorize(factor, least * 1e-6f, pool);
    round_with_feedback(factor, rows, pool);
  }
  descend(moments, rows, rounding == Rounding::Adaptive, kSweeps, pool);
}

void round_job(const Job& job, const std::vector<InputMoments>& inputs, const std::map<size_t, size_t>& held,
               Graph& quantized, Rounding rounding, bool centred, const CorrectionData& data) {
  Value& value = quantized[job.weights];
  const Tensor& wanted = *data.golden[job.wanted].constant;
  const std::span<const float> real = wanted.values<float>();
  const std::vector<uint32_t> indices = scale_indices(value.shape, *value.quant);
  std::vector<int64_t> codes = to_ints(*value.constant);
  const ProductLayer& layer = inputs[held.at(job.inputs[0])].layer();
  for (int64_t g = 0; g < layer.groups; ++g) {
    std::vector<const Moments*> seen;
    for (const size_t input : job.inputs) seen.push_back(&inputs[held.at(input)].groups()[static_cast<size_t>(g)]);
    const SymmetricMatrix moments = error_weights(seen, centred);
    if (!(moments.values[0] > 0)) continue;  // inputs that are always 0
    const auto size = static_cast<size_t>(layer.channels * layer.depth);
    CodedRows rows{layer.channels,
                   layer.depth,
                   std::vector<float>(size),
                   std::vector<float>(size),
                   std::vector<int32_t>(size),
                   static_cast<int32_t>(lowest_code(value.dtype)),
                   static_cast<int32_t>(highest_code(value.dtype))};
    size_t i = 0;
    for (int64_t c = 0; c < layer.channels; ++c) {
      for (int64_t k = 0; k < layer.depth; ++k, ++i) {
        const auto at = static_cast<size_t>(layer.weight(g, c, k));
        const double scale = value.quant->scale[indices[at]];
        rows.wanted[i] =
            static_cast<float>(static_cast<double>(real[at]) / scale + value.quant->zero_point[indices[at]]);
        rows.scale[i] = static_cast<float>(scale);
        rows.codes[i] = static_cast<int32_t>(codes[at]);
      }
    }
    choose_codes(moments, rounding, rows, data.pool);
    i = 0;
    for (int64_t c = 0; c < layer.channels; ++c) {
      for (int64_t k = 0; k < layer.depth; ++k, ++i) codes[static_cast<size_t>(layer.weight(g, c, k))] = rows.codes[i];
    }
  }
  value.constant = cast(Tensor::from<int64_t>(value.shape, codes), value.dtype);
}

double largest_magnitude(const Calibration& ranges, const std::string& name) {
  const auto seen = ranges.find(name);
  if (seen == ranges.end()) fail(Code::QuantizeNoStatistics, Location{.tensor = name}, "was not calibrated");
  return std::max(std::abs(static_cast<double>(seen->second.lowest)),
                  std::abs(static_cast<double>(seen->second.highest)));
}

}  // namespace

void round_weights(Graph& quantized, Rounding rounding, bool bias_follows, const CorrectionData& data) {
  if (rounding == Rounding::Nearest) return;
  const RoundingPlan plan = plan_rounding(data.golden, quantized);
  Observation how{data.samples, data.pool, {}, data.custom};
  how.progress = [&](int64_t done) {
    if (data.progress) data.progress("observe", done, how.count());
  };
  Weights weights;
  for (size_t next = 0; next < plan.jobs.size();) {
    // As many layers as may be held, at least one.
    std::vector<InputMoments> inputs;
    std::map<size_t, size_t> held;  // of plan.inputs
    std::set<ValueId> wanted;
    int64_t bytes = 0;
    const size_t first = next;
    for (; next < plan.jobs.size(); ++next) {
      int64_t more = 0;
      for (const size_t input : plan.jobs[next].inputs) {
        if (!held.contains(input)) more += InputMoments::bytes(plan.inputs[input]);
      }
      if (next > first && bytes + more > kMostMomentBytes) break;
      bytes += more;
      for (const size_t input : plan.jobs[next].inputs) {
        const ProductLayer& layer = plan.inputs[input];
        if (!held.emplace(input, inputs.size()).second) continue;
        inputs.emplace_back(layer, largest_magnitude(data.ranges, data.golden[layer.input].name), how.count());
        wanted.insert(layer.input);
      }
    }
    observe(data.golden, wanted, how, weights, [&](const Shown& shown) {
      for (InputMoments& moments : inputs) {
        if (moments.layer().input == shown.id) moments.add(shown.numbers, data.pool);
      }
    });
    for (size_t job = first; job < next; ++job) {
      round_job(plan.jobs[job], inputs, held, quantized, rounding, bias_follows, data);
      if (data.progress) data.progress("round", static_cast<int64_t>(job) + 1, static_cast<int64_t>(plan.jobs.size()));
    }
  }
}

}  // namespace openrknn
