#include "toolkit/remote_calibration.h"

#include <fmt/format.h>

#include "core/graph/custom.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {
namespace {

class PartOfSamples : public Samples {
 public:
  explicit PartOfSamples(SamplePart part) : part_(std::move(part)) {}
  int64_t count() const override { return static_cast<int64_t>(part_.arrays.size()); }
  std::vector<Tensor> get(int64_t index) const override { return part_.arrays.at(static_cast<size_t>(index)); }
  std::string describe(int64_t index) const override { return part_.descriptions.at(static_cast<size_t>(index)); }

 private:
  SamplePart part_;
};

void require_inputs(const Graph& golden, const SamplePart& part) {
  Diagnostics problems;
  if (part.descriptions.size() != part.arrays.size()) {
    problems.add(Code::InvalidArgument, {},
                 fmt::format("{} samples with {} descriptions", part.arrays.size(), part.descriptions.size()));
  }
  for (size_t s = 0; s < part.arrays.size(); ++s) {
    const std::vector<Tensor>& arrays = part.arrays[s];
    for (size_t i = 0; i < std::min(arrays.size(), golden.inputs.size()); ++i) {
      const Value& input = golden[golden.inputs[i]];
      if (arrays[i].dtype() == input.dtype && arrays[i].shape() == input.shape) continue;
      problems.add(Code::InvalidArgument, Location{.tensor = input.name},
                   fmt::format("sample {}: got {} {}, expected {} {}", part.first + static_cast<int64_t>(s),
                               name(arrays[i].dtype()), to_string(arrays[i].shape()), name(input.dtype),
                               to_string(input.shape)));
    }
  }
  problems.throw_if_any();
}

}  // namespace

std::string golden_to_bytes(const Graph& golden) {
  for (const NodeId id : golden.order()) {
    if (golden[id].op != kCustomOp) continue;
    fail(Code::ConfigUnsupported, golden.where(id), "the code of a custom operator cannot be sent to other processes",
         "calibrate without an executor");
  }
  Model model;
  model.target = std::string(all_targets().front().name);  // a file names one; nobody asks here
  for (const ValueId id : golden.inputs) model.inputs.push_back({.name = golden[id].name, .dtype = golden[id].dtype});
  for (const ValueId id : golden.outputs) {
    model.outputs.push_back({.name = golden[id].name, .dtype = golden[id].dtype});
  }
  model.variants.push_back(golden);
  MemorySink sink;
  write(model, sink);
  return std::move(sink.data);
}

std::string calibrate_part(std::string_view golden, SamplePart part, Detail detail, ThreadPool& pool) {
  const Model model = read(MappedFile::copy_of(std::as_bytes(std::span(golden)), "golden graph"));
  const Graph& graph = model.variants.front();
  require_inputs(graph, part);
  const int64_t first = part.first;
  Calibration calibration = calibrate(graph, PartOfSamples(std::move(part)), pool, {}, {}, detail);
  shift_samples(calibration, first);
  return to_bytes(calibration);
}

Calibration merge_parts(const std::vector<std::string>& parts) {
  Calibration all;
  for (const std::string& part : parts) merge(all, calibration_from_bytes(part));
  return all;
}

}  // namespace openrknn
