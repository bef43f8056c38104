// Dataset files: a list of samples, checked as a whole before the first one is used.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "compiler/dataset/dataset_line.h"
#include "compiler/dataset/dataset_list.h"
#include "compiler/dataset/image.h"
#include "compiler/dataset/problems.h"
#include "compiler/dataset/sample_loading.h"
#include "compiler/dataset/samples.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/npy.h"
#include "core/base/text.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

struct FileSample {
  int64_t line;  // 0: of no list
  std::vector<fs::path> paths;
};

std::string lower_extension(const fs::path& path) { return lower_case(path.extension().string()); }

bool is_array_path(const fs::path& path) { return lower_extension(path) == ".npy"; }

// What people write instead, and what helps.
std::string advice_for(const std::string& path) {
  static constexpr std::string_view kImages[] = {".webp", ".gif", ".tif", ".tiff", ".heic", ".avif", ".jfif", ".jpe"};
  const std::string extension = lower_extension(path);
  if (std::find(std::begin(kImages), std::end(kImages), extension) != std::end(kImages)) {
    return "convert it to png or jpg";
  }
  if (extension == ".npz") return "save each array to a .npy file of its own";
  if (path.find_first_not_of("+-.,0123456789eE") == std::string::npos) {
    return "the file lists paths, not values: save the values with numpy.save and list the .npy file";
  }
  if (path[0] == '#') return "a comment needs a line of its own";
  return "known are .jpg, .jpeg, .png, .bmp and .npy; put a path that has blanks in double quotes";
}

class FileSamples : public Samples {
 public:
  FileSamples(std::string list, std::vector<SampleSpec> specs, std::vector<FileSample> samples)
      : list_(std::move(list)), specs_(std::move(specs)), samples_(std::move(samples)) {}

  int64_t count() const override { return static_cast<int64_t>(samples_.size()); }
  std::string describe(int64_t index) const override {
    require_index(index, count());
    const int64_t line = samples_[static_cast<size_t>(index)].line;
    return line == 0 ? list_ : fmt::format("{}:{}", list_, line);
  }
  std::vector<Tensor> get(int64_t index) const override {
    require_index(index, count());
    const FileSample& sample = samples_[static_cast<size_t>(index)];
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < specs_.size(); ++i) {
      const fs::path& path = sample.paths[i];
      inputs.push_back(load_at({.file = list_, .line = sample.line}, path.string(), [&] {
        return is_array_path(path) ? load_array(specs_[i], read_npy(path), PortLayout::Nchw)
                                   : load_image(specs_[i], path);
      }));
    }
    return inputs;
  }

 private:
  std::string list_;
  std::vector<SampleSpec> specs_;
  std::vector<FileSample> samples_;
};

// Reads the list and looks at everything it names.
class ListReader {
 public:
  ListReader(const fs::path& list, const std::vector<SampleSpec>& specs)
      : list_(list.string()), specs_(specs), paths_(list), problems_(list_) {}

  /// Of no list.
  FileSample read_sample(const std::vector<std::string>& paths) {
    std::optional<FileSample> sample = check(0, {paths, {}});
    problems_.throw_if_any();
    return std::move(*sample);
  }

  std::vector<FileSample> read(std::string_view text) {
    std::vector<FileSample> samples;
    bool any_line = false;
    for_each_dataset_line(text, [&](int64_t number, std::string_view line) {
      const DatasetLine parsed = paths_.split(line, specs_.size());
      if (parsed.paths.empty() && parsed.problem.empty()) return;
      any_line = true;
      if (std::optional<FileSample> sample = check(number, parsed)) samples.push_back(std::move(*sample));
    });
    problems_.throw_if_any();
    if (!any_line) {
      fail(Code::DatasetEmpty, Location{.file = list_}, "the dataset lists no samples",
           "write one sample a line: the path of an image or a .npy file for each input");
    }
    return samples;
  }

 private:
  std::optional<FileSample> check(int64_t line, const DatasetLine& parsed) {
    const Location where{.file = list_, .line = line};
    if (!parsed.problem.empty()) {
      problems_.add(Code::DatasetBadLine, where, parsed.problem, "put a path that has blanks in double quotes");
      return std::nullopt;
    }
    if (parsed.paths.size() != specs_.size()) {
      const bool too_many = line > 0 && parsed.paths.size() > specs_.size();
      problems_.add(Code::DatasetBadLine, where,
                    fmt::format("{} path{} for {}", parsed.paths.size(), parsed.paths.size() == 1 ? "" : "s",
                                inputs_in_words(specs_)),
                    too_many ? "give one path per input; put a path that has blanks in double quotes"
                             : "give one path per input, in the order of the inputs");
      return std::nullopt;
    }
    FileSample sample{line, {}};
    for (size_t i = 0; i < specs_.size(); ++i) {
      if (std::optional<fs::path> path = check_path(where, i, parsed.paths[i]))
        sample.paths.push_back(std::move(*path));
    }
    if (sample.paths.size() != specs_.size()) return std::nullopt;
    return sample;
  }

  std::optional<fs::path> check_path(const Location& where, size_t input, const std::string& name) {
    if (!is_image_path(name) && !is_array_path(name)) {
      problems_.add(Code::DatasetBadLine, where, fmt::format("'{}' is neither an image nor a .npy file", name),
                    advice_for(name));
      return std::nullopt;
    }
    const std::optional<fs::path> path = paths_.find(name);
    if (!path) {
      problems_.add(
          Code::DatasetFileMissing, where, fmt::format("no such file '{}'", name),
          where.line == 0 ? "relative paths start at the working directory" : paths_.advice_for_missing(name));
      return std::nullopt;
    }
    try {
      if (is_array_path(*path)) {
        if (const Complaint c = check_array_shape(specs_[input], inspect_npy(*path).shape, PortLayout::Nchw)) {
          problems_.add(Code::DatasetBadArray, where, fmt::format("'{}': {}", path->string(), c.problem), c.fix);
          return std::nullopt;
        }
      } else if (!check_image(where, input, *path)) {
        return std::nullopt;
      }
    } catch (const Error& error) {
      for (Diagnostic& diagnostic : told_of(where, path->string(), error)) problems_.add(std::move(diagnostic));
      return std::nullopt;
    }
    return path;
  }

  bool check_image(const Location& where, size_t input, const fs::path& path) {
    if (const Complaint c = check_image_input(specs_[input])) {
      // The same of every line: said once.
      if (refused_inputs_.insert(input).second) problems_.add(Code::DatasetBadLine, where, c.problem, c.fix);
      return false;
    }
    check_image_file(path);
    return true;
  }

  std::string list_;
  const std::vector<SampleSpec>& specs_;
  DatasetPaths paths_;
  Problems problems_;
  std::set<size_t> refused_inputs_;
};

}  // namespace

std::unique_ptr<Samples> open_dataset(const std::filesystem::path& list, std::vector<SampleSpec> specs) {
  const std::shared_ptr<const MappedFile> file = open_dataset_list(list);
  std::vector<FileSample> samples = ListReader(list, specs).read(dataset_text(*file));
  return std::make_unique<FileSamples>(list.string(), std::move(specs), std::move(samples));
}

std::unique_ptr<Samples> open_sample(const std::vector<std::string>& paths, std::vector<SampleSpec> specs) {
  const std::string name = "inputs";
  FileSample sample = ListReader(name, specs).read_sample(paths);
  return std::make_unique<FileSamples>(name, std::move(specs), std::vector<FileSample>{std::move(sample)});
}

}  // namespace openrknn
