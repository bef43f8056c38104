// Samples by index: what calibration and accuracy runs read. Dataset files, image folders, arrays from the caller.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/model/model.h"

namespace openrknn {

/// Thread-safe: get() is called from several workers at once. get(i) gives one tensor per graph input, logical NCHW
/// order, float32, mean/std already applied; other dtypes for non-float inputs.
struct Samples {
  virtual int64_t count() const = 0;
  virtual std::vector<Tensor> get(int64_t index) const = 0;
  virtual std::string describe(int64_t index) const = 0;  ///< "dataset.txt:3" for messages
  virtual ~Samples() = default;
};

/// Some of the samples, in the order of `indices`.
class ChosenSamples : public Samples {
 public:
  ChosenSamples(std::shared_ptr<const Samples> all, std::vector<int64_t> indices)
      : all_(std::move(all)), indices_(std::move(indices)) {}
  /// `all` must outlive it.
  ChosenSamples(const Samples& all, std::vector<int64_t> indices)
      : ChosenSamples(std::shared_ptr<const Samples>(std::shared_ptr<void>(), &all), std::move(indices)) {}
  int64_t count() const override { return static_cast<int64_t>(indices_.size()); }
  std::vector<Tensor> get(int64_t index) const override { return all_->get(indices_.at(static_cast<size_t>(index))); }
  std::string describe(int64_t index) const override { return all_->describe(indices_.at(static_cast<size_t>(index))); }

 private:
  std::shared_ptr<const Samples> all_;
  std::vector<int64_t> indices_;
};
/// The first `count` of the samples, or all there are; they must outlive it.
ChosenSamples first_samples(const Samples&, int64_t count);

/// Samples as get() gives them, in memory.
class HeldSamples : public Samples {
 public:
  /// arrays[sample][input] and, for messages, a description of each sample.
  HeldSamples(std::vector<std::vector<Tensor>> arrays, std::vector<std::string> descriptions)
      : arrays_(std::move(arrays)), descriptions_(std::move(descriptions)) {}
  int64_t count() const override { return static_cast<int64_t>(arrays_.size()); }
  std::vector<Tensor> get(int64_t index) const override { return arrays_.at(static_cast<size_t>(index)); }
  std::string describe(int64_t index) const override { return descriptions_.at(static_cast<size_t>(index)); }

 private:
  std::vector<std::vector<Tensor>> arrays_;
  std::vector<std::string> descriptions_;
};
/// Reads these now, so that they can be gone through often.
HeldSamples hold(const Samples&);

/// What a dataset must deliver for one graph input.
struct SampleSpec {
  Port port;
  Shape shape;  ///< logical
  DType dtype = DType::Float32;
  bool rgb_to_bgr = false;  ///< images only, before mean/std
};

/// Reads a dataset file (docs/dataset.md): one sample a line, whitespace-separated paths, one per input (quotes for
/// paths with spaces), relative to the file's directory, then to the working directory; blank lines and `#` comment
/// lines are skipped; jpg, jpeg, png, bmp, npy. Checks every path and every array header now and reports all problems
/// together with their lines (Error DatasetFileMissing, DatasetBadLine, DatasetBadArray, DatasetEmpty, …). Pixels are
/// read in get().
std::unique_ptr<Samples> open_dataset(const std::filesystem::path&, std::vector<SampleSpec>);

/// One sample: a file per input, images or .npy, as a line of a dataset would name them. Relative paths start at the
/// working directory. Everything is checked now, and all problems come together.
std::unique_ptr<Samples> open_sample(const std::vector<std::string>& paths, std::vector<SampleSpec>);

/// Arrays already in memory: samples[i][input], in the port's source order, raw (mean/std are applied).
std::unique_ptr<Samples> samples_from_arrays(std::vector<std::vector<Tensor>>, std::vector<SampleSpec>);

}  // namespace openrknn
