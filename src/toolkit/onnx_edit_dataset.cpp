#include "toolkit/onnx_edit_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "compiler/dataset/dataset_list.h"
#include "compiler/dataset/problems.h"
#include "core/base/npy.h"
#include "core/base/text.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

bool is_array_path(const fs::path& path) { return lower_case(path.extension().string()) == ".npy"; }

/// The array's shape as the equation's tensor has it: a leading batch of 1 may be left out.
Shape with_leading_batch(Shape shape, const EditedInput& input) {
  const bool batch_may_be_one =
      !input.shape || (!input.shape->empty() && (input.shape->front().extent == 1 || input.shape->front().extent < 0));
  if (shape.size() + 1 == input.equation->from.size() && batch_may_be_one) shape.insert(shape.begin(), 1);
  return shape;
}

std::optional<BoundEquation> bind_array(const EditedInput& input, const Shape& given, const Location& where,
                                        Diagnostics& problems) {
  const Shape shape = with_leading_batch(given, input);
  std::vector<DeclaredExtent> extents;
  for (const int64_t extent : shape) extents.push_back({extent, {}});
  bool fits = !input.shape || input.shape->size() == shape.size();
  for (size_t i = 0; fits && input.shape && i < shape.size(); ++i) {
    const int64_t declared = (*input.shape)[i].extent;
    fits = declared < 0 || declared == shape[i];
  }
  if (!fits) {
    problems.add(Code::DatasetBadArray, where,
                 fmt::format("the array has the shape {}, the input {}", to_string(given), to_string(*input.shape)),
                 "save the array in the shape the model has before the edit");
    return std::nullopt;
  }
  return bind_equation(*input.equation, extents, where, problems);
}

/// As a line of a list names it.
std::optional<std::string> as_listed(const std::string& path) {
  const bool plain = path.find_first_of(" \t\r\v\f") == std::string::npos && path.front() != '#' && path.front() != '"';
  if (plain) return path;
  if (path.find('"') != std::string::npos) return std::nullopt;
  return '"' + path + '"';
}

}  // namespace

/// Goes through the old list.
class DatasetEdit::Reader {
 public:
  Reader(const fs::path& dataset, const std::vector<EditedInput>& inputs, const fs::path& list)
      : dataset_(dataset.string()), inputs_(inputs), list_(list), paths_(dataset), problems_(dataset_) {}

  std::vector<std::vector<Item>> read(std::string_view text) {
    std::vector<std::vector<Item>> samples;
    bool any_line = false;
    for_each_dataset_line(text, [&](int64_t number, std::string_view line) {
      const DatasetLine parsed = paths_.split(line, inputs_.size());
      if (parsed.paths.empty() && parsed.problem.empty()) return;
      any_line = true;
      samples.push_back(sample({.file = dataset_, .line = number}, parsed, samples.size()));
    });
    problems_.throw_if_any();
    if (!any_line)
      fail(Code::DatasetEmpty, Location{.file = dataset_}, "the dataset lists no samples",
           "write one sample a line: the path of a .npy file for each input");
    return samples;
  }

 private:
  std::vector<Item> sample(const Location& where, const DatasetLine& parsed, size_t index) {
    std::vector<Item> items;
    if (!parsed.problem.empty()) {
      problems_.add(Code::DatasetBadLine, where, parsed.problem, "put a path that has blanks in double quotes");
    } else if (parsed.paths.size() != inputs_.size()) {
      problems_.add(Code::DatasetBadLine, where,
                    fmt::format("{} paths for {} inputs", parsed.paths.size(), inputs_.size()),
                    "give one path per input, in the order of the inputs");
    } else {
      for (size_t i = 0; i < inputs_.size(); ++i) {
        if (std::optional<Item> one = item(where, parsed.paths[i], index, i)) items.push_back(std::move(*one));
      }
    }
    return items;
  }

  std::optional<Item> item(const Location& where, const std::string& name, size_t index, size_t position) {
    const std::optional<fs::path> path = paths_.find(name);
    if (!path) {
      problems_.add(Code::DatasetFileMissing, where, fmt::format("no such file '{}'", name),
                    paths_.advice_for_missing(name));
      return std::nullopt;
    }
    const EditedInput& input = inputs_[position];
    Item result{.source = *path, .equation = {}, .target = {}};
    if (!input.equation) {
      std::error_code error;
      const fs::path relative = fs::proximate(*path, list_.has_parent_path() ? list_.parent_path() : ".", error);
      result.target = (error ? fs::absolute(*path) : relative).string();
      if (!as_listed(result.target))
        problems_.add(Code::DatasetBadLine, where,
                      fmt::format("'{}' has blanks and quotes, which a list cannot say", name), "rename the file");
      return result;
    }
    if (!is_array_path(*path)) {
      problems_.add(Code::DatasetBadLine, where,
                    fmt::format("'{}' is no .npy file: the dimensions of input '{}' are changed", name, input.name),
                    "save what the input takes with numpy.save, and list that file");
      return std::nullopt;
    }
    Diagnostics found;
    try {
      result.equation = bind_array(input, inspect_npy(*path).shape, where, found);
      found.throw_if_any();
    } catch (const Error& error) {
      for (Diagnostic& each : told_of(where, name, error)) {
        each.code = each.code == Code::ConfigBadValue ? Code::DatasetBadArray : each.code;
        problems_.add(std::move(each));
      }
      return std::nullopt;
    }
    result.target = fmt::format("{}/{:05}_{}.npy", list_.stem().string(), index, position);
    return result;
  }

  const std::string dataset_;
  const std::vector<EditedInput>& inputs_;
  const fs::path& list_;
  DatasetPaths paths_;
  Problems problems_;
};

DatasetEdit::DatasetEdit(const fs::path& dataset, const std::vector<EditedInput>& inputs, const fs::path& model)
    : list_(model.parent_path() / fmt::format("dataset_for_{}.txt", model.stem().string())) {
  const std::shared_ptr<const MappedFile> file = open_dataset_list(dataset);
  std::error_code ignored;
  if (fs::equivalent(dataset, list_, ignored)) {
    fail(Code::DatasetUnreadable, Location{.file = dataset.string()},
         "the dataset would be replaced by that of the edited model", "write the model under another name");
  }
  samples_ = Reader(dataset, inputs, list_).read(dataset_text(*file));
}

void DatasetEdit::write(CreatedFiles& files) const {
  const fs::path folder = list_.parent_path();
  std::string text;
  for (const std::vector<Item>& sample : samples_) {
    std::string line;
    for (const Item& item : sample) {
      line += (line.empty() ? "" : " ") + *as_listed(item.target);
      if (!item.equation) continue;
      const Tensor array = read_npy(item.source);
      Shape shape;
      for (const DeclaredExtent& each : item.equation->shape_of(item.equation->from)) shape.push_back(each.extent);
      files.make_folder(folder / fs::path(item.target).parent_path());
      files.make(folder / item.target, [&](const fs::path& path) {
        write_file(path, to_npy(transformed(array.reshaped(shape), *item.equation)));
      });
    }
    text += line + "\n";
  }
  files.make(list_, [&](const fs::path& path) { write_file(path, text); });
}

}  // namespace openrknn
