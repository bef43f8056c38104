#include "toolkit/onnx_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "toolkit/onnx_edit_dataset.h"
#include "toolkit/onnx_edit_plan.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

/// A file that the model's tensors lie in, and where the edited model looks for it.
struct ExternalFile {
  fs::path source, target;
};

void copy_whole(const fs::path& source, const fs::path& target) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(source);
  FileSink sink(target);
  sink.write(file->bytes());
  sink.commit();
}

bool is_copy(const fs::path& source, const fs::path& target) {
  const auto a = MappedFile::open(source), b = MappedFile::open(target);
  return std::ranges::equal(a->bytes(), b->bytes());
}

/// What has to be copied so that the locations in the file, which start at its folder, go on to lead to the data.
std::vector<ExternalFile> files_to_copy(const MappedFile& model, const OnnxEdit& edit, Diagnostics& problems) {
  const fs::path from = folder_of(edit.model), to = folder_of(edit.output);
  std::error_code error;
  std::vector<ExternalFile> files;
  if (fs::equivalent(from, to, error)) return files;
  for (const std::string& location : onnx_export::external_files(model)) {
    const fs::path relative(location);
    const auto refuse = [&](const std::string& problem, std::string fix) {
      problems.add(Code::ImportExternalData, {.file = edit.model.string()},
                   fmt::format("external data '{}' {}", location, problem), std::move(fix));
    };
    const bool escapes = std::ranges::find(relative, "..") != relative.end();
    if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute() || escapes) {
      refuse("lies outside the model's folder, and cannot be copied with the model",
             "write the edited model into the folder of the model");
      continue;
    }
    const ExternalFile file{.source = from / relative, .target = to / relative};
    if (!fs::is_regular_file(file.source, error)) {
      refuse("is missing", fmt::format("put it beside the model, in '{}'", from.string()));
    } else if (!fs::exists(file.target, error)) {
      files.push_back(file);
    } else if (!fs::is_regular_file(file.target, error) || !is_copy(file.source, file.target)) {
      refuse(fmt::format("is needed beside the edited model, where '{}' is another file", file.target.string()),
             "remove that file, or write the edited model into another folder");
    }
  }
  return files;
}

/// Adds the problems of an Error to those there are.
template <class Work>
void collect(Diagnostics& problems, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    for (const Diagnostic& each : error.diagnostics) problems.add(each);
  }
}

}  // namespace

OnnxEditResult edit_onnx(const OnnxEdit& edit) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(edit.model);
  onnx_export::require_editable(*file);
  const onnx::ModelProto model = onnx::parse_model(*file);
  Diagnostics problems;
  std::error_code ignored;
  if (!fs::is_directory(folder_of(edit.output), ignored)) {
    problems.add(Code::FileUnwritable, {.file = edit.output.string()}, "there is no such folder", "make it first");
  }
  const OnnxEditPlan plan = plan_onnx_edit(model, edit, problems);
  std::vector<ExternalFile> external;
  collect(problems, [&] { external = files_to_copy(*file, edit, problems); });
  std::optional<DatasetEdit> dataset;
  if (!edit.dataset.empty()) collect(problems, [&] { dataset.emplace(edit.dataset, plan.inputs, edit.output); });
  problems.throw_if_any();

  FileSink sink(edit.output);  // better refused now than after the work
  onnx_export::write_edited(*file, plan.changes, sink);
  CreatedFiles created;
  for (const ExternalFile& each : external) {
    created.make_folder(folder_of(each.target));
    created.make(each.target, [&](const fs::path& target) { copy_whole(each.source, target); });
  }
  if (dataset) dataset->write(created);
  sink.commit();
  created.keep();
  return {.texts = plan.texts, .dataset = dataset ? dataset->list() : fs::path()};
}

}  // namespace openrknn
