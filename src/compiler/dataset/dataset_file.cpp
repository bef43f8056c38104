// Dataset files: a list of samples, checked as a whole before the first one is used.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "compiler/dataset/dataset_line.h"
#include "compiler/dataset/image.h"
#include "compiler/dataset/problems.h"
#include "compiler/dataset/sample_loading.h"
#include "compiler/dataset/samples.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/npy.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestList = size_t{256} << 20;

struct FileSample {
  int64_t line;  // 0: of no list
  std::vector<fs::path> paths;
};

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return extension;
}

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

// Where a path of the list leads: from the list's folder, else from the working directory.
class Resolver {
 public:
  explicit Resolver(const fs::path& list) : folder_(list.parent_path()) {}

  std::optional<fs::path> find(const std::string& path) const {
    std::error_code ignored;
    for (const fs::path& candidate : {folder_ / path, fs::path(path)}) {
      if (fs::exists(candidate, ignored)) return candidate;
    }
    return std::nullopt;
  }
  Complaint missing(const std::string& path) const {
    Complaint complaint{fmt::format("no such file '{}'", path), {}};
    if (path.find('\\') != std::string::npos) {
      complaint.fix = "write / between folders, not \\";
    } else if (fs::path(path).is_relative()) {
      const std::string folder = folder_.empty() ? "." : folder_.string();
      complaint.fix =
          fmt::format("paths are relative to the folder of the list ('{}'), then to the working directory", folder);
    }
    return complaint;
  }

 private:
  fs::path folder_;
};

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
      : list_(list.string()), specs_(specs), resolver_(list), problems_(list_) {}

  /// Of no list.
  FileSample read_sample(const std::vector<std::string>& paths) {
    std::optional<FileSample> sample = check(0, {paths, {}});
    problems_.throw_if_any();
    return std::move(*sample);
  }

  std::vector<FileSample> read(std::string_view text) {
    std::vector<FileSample> samples;
    bool any_line = false;
    for (int64_t line = 1; !text.empty(); ++line) {
      const size_t end = text.find('\n');
      DatasetLine parsed = split(trimmed(text.substr(0, end)));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (parsed.paths.empty() && parsed.problem.empty()) continue;
      any_line = true;
      if (std::optional<FileSample> sample = check(line, parsed)) samples.push_back(std::move(*sample));
    }
    problems_.throw_if_any();
    if (!any_line) {
      fail(Code::DatasetEmpty, Location{.file = list_}, "the dataset lists no samples",
           "write one sample a line: the path of an image or a .npy file for each input");
    }
    return samples;
  }

 private:
  // A line that is as a whole the name of a file is that file, blanks or not, where one path is expected.
  DatasetLine split(std::string_view line) const {
    DatasetLine parsed = parse_dataset_line(line);
    const bool one_path = parsed.paths.size() == 1 && parsed.problem.empty();
    const bool nothing = parsed.paths.empty() && parsed.problem.empty();
    if (specs_.size() == 1 && !one_path && !nothing && resolver_.find(std::string(line)))
      return {{std::string(line)}, {}};
    return parsed;
  }

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
    const std::optional<fs::path> path = resolver_.find(name);
    if (!path) {
      Complaint complaint = resolver_.missing(name);
      if (where.line == 0) complaint.fix = "relative paths start at the working directory";
      problems_.add(Code::DatasetFileMissing, where, complaint.problem, complaint.fix);
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
  Resolver resolver_;
  Problems problems_;
  std::set<size_t> refused_inputs_;
};

// The text of the list, without a byte order mark.
std::string_view list_text(const MappedFile& file) {
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const auto refuse = [&](std::string problem) {
    fail(Code::DatasetUnreadable, Location{.file = file.name()}, std::move(problem),
         "a dataset is a UTF-8 text file that lists one sample a line: the path of an image or a .npy file for each "
         "input");
  };
  if (text.size() > kLargestList) refuse(fmt::format("{} bytes are too many for a list", text.size()));
  if (text.substr(0, 2) == "\xFF\xFE" || text.substr(0, 2) == "\xFE\xFF") refuse("the text is UTF-16");
  if (text.find('\0') != std::string_view::npos) refuse("this is a binary file, not a list of files");
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  return text;
}

std::shared_ptr<const MappedFile> open_list(const fs::path& list) {
  try {
    return MappedFile::open(list);
  } catch (const Error& error) {
    fail(Code::DatasetUnreadable, Location{.file = list.string()}, error.diagnostics.front().problem,
         "give the path of a dataset file: a text file that lists one sample a line");
  }
}

}  // namespace

std::unique_ptr<Samples> open_dataset(const std::filesystem::path& list, std::vector<SampleSpec> specs) {
  const std::shared_ptr<const MappedFile> file = open_list(list);
  std::vector<FileSample> samples = ListReader(list, specs).read(list_text(*file));
  return std::make_unique<FileSamples>(list.string(), std::move(specs), std::move(samples));
}

std::unique_ptr<Samples> open_sample(const std::vector<std::string>& paths, std::vector<SampleSpec> specs) {
  const std::string name = "inputs";
  FileSample sample = ListReader(name, specs).read_sample(paths);
  return std::make_unique<FileSamples>(name, std::move(specs), std::vector<FileSample>{std::move(sample)});
}

}  // namespace openrknn
