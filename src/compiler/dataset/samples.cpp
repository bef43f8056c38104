#include "compiler/dataset/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "compiler/dataset/problems.h"
#include "compiler/dataset/sample_loading.h"
#include "core/base/error.h"

namespace openrknn {
namespace {

class ArraySamples : public Samples {
 public:
  ArraySamples(std::vector<std::vector<Tensor>> samples, std::vector<SampleSpec> specs)
      : samples_(std::move(samples)), specs_(std::move(specs)) {
    check();
  }

  int64_t count() const override { return static_cast<int64_t>(samples_.size()); }
  std::string describe(int64_t index) const override { return fmt::format("sample {}", index); }

  std::vector<Tensor> get(int64_t index) const override {
    require_index(index, count());
    const std::vector<Tensor>& arrays = samples_[static_cast<size_t>(index)];
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < arrays.size(); ++i) {
      inputs.push_back(
          load_at(where(index, i), {}, [&] { return load_array(specs_[i], arrays[i], PortLayout::Source); }));
    }
    return inputs;
  }

 private:
  Location where(int64_t index, size_t input) const {
    return {.file = describe(index), .tensor = specs_[input].port.name};
  }

  void check() const {
    if (samples_.empty()) fail(Code::DatasetEmpty, "the dataset has no samples", "give at least one array per input");
    Problems problems("dataset");
    for (int64_t index = 0; index < count(); ++index) {
      const std::vector<Tensor>& arrays = samples_[static_cast<size_t>(index)];
      if (arrays.size() != specs_.size()) {
        problems.add(Code::DatasetBadArray, {.file = describe(index)},
                     fmt::format("{} arrays for {}", arrays.size(), inputs_in_words(specs_)),
                     "give one array per input");
        continue;
      }
      for (size_t i = 0; i < arrays.size(); ++i) {
        if (Complaint c = check_array_shape(specs_[i], arrays[i].shape(), PortLayout::Source)) {
          problems.add(Code::DatasetBadArray, where(index, i), std::move(c.problem), std::move(c.fix));
        }
      }
    }
    problems.throw_if_any();
  }

  std::vector<std::vector<Tensor>> samples_;
  std::vector<SampleSpec> specs_;
};

}  // namespace

ChosenSamples first_samples(const Samples& all, int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(std::min(count, all.count())));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return {all, std::move(indices)};
}

HeldSamples hold(const Samples& samples) {
  std::vector<std::vector<Tensor>> arrays;
  std::vector<std::string> descriptions;
  for (int64_t i = 0; i < samples.count(); ++i) {
    arrays.push_back(samples.get(i));
    descriptions.push_back(samples.describe(i));
  }
  return {std::move(arrays), std::move(descriptions)};
}

std::unique_ptr<Samples> samples_from_arrays(std::vector<std::vector<Tensor>> samples, std::vector<SampleSpec> specs) {
  return std::make_unique<ArraySamples>(std::move(samples), std::move(specs));
}

}  // namespace openrknn
