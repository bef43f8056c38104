#include "toolkit/codegen.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/base/npy.h"
#include "core/model/ports.h"
#include "core/rknn_file/rknn_file.h"
#include "openrknn/session.hpp"
#include "runtime/session/runtime_library.h"
#include "toolkit/codegen/project_files.h"
#include "toolkit/codegen/templates/src/path_utils.h"
#include "toolkit/codegen_folder.h"
#include "toolkit/codegen_inputs.h"

namespace openrknn {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

/// The text with every @NAME@ of `values` replaced.
std::string fill_in(std::string_view text, const Values& values) {
  std::string filled;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text[at] == '@' ? text.find('@', at + 1) : std::string_view::npos;
    const auto value = end == std::string_view::npos ? values.end() : values.find(text.substr(at + 1, end - at - 1));
    if (value == values.end()) {
      filled += text[at++];
    } else {
      filled += value->second;
      at = end + 1;
    }
  }
  return filled;
}

/// These have values; every other file is copied as it is.
bool has_values(std::string_view path) { return path == "README.md" || path == "CMakeLists.txt"; }

/// An input or output with its shape in every set, as a row of the README.
std::string tensor_row(std::string_view side, const Model& model, size_t index) {
  const bool is_input = side == "input";
  const Port& port = (is_input ? model.inputs : model.outputs)[index];
  std::string shapes;
  for (const Graph& graph : model.variants) {
    const Value& value = graph[(is_input ? graph.inputs : graph.outputs)[index]];
    const Shape shape = with_batch(value.shape, model.batch);
    const PortLayout layout = is_input && shape.size() == 4 ? PortLayout::Nchw : PortLayout::Source;
    const std::string text = to_string(expected_shape(port, shape, layout));
    shapes += fmt::format("{}{}", shapes.empty() ? "" : " or ", text);
  }
  return fmt::format("| {} {} | `{}` | {} |\n", side, index, port.name, shapes);
}

Values values_of(const Model& model, const std::string& file_name, const std::vector<std::string>& input_paths,
                 const std::vector<bool>& rgb_to_bgr) {
  Values values{{"MODEL", file_name}, {"TARGET", model.target}};
  std::string& inputs = values["INPUTS"];
  for (const std::string& path : input_paths) inputs += (inputs.empty() ? "" : "#") + path;
  std::string& swap = values["SWAP_RED_BLUE"];
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    swap += !rgb_to_bgr.empty() && rgb_to_bgr[rgb_to_bgr.size() == 1 ? 0 : i] ? '1' : '0';
  }
  std::string& tensors = values["TENSORS"] = "| | name | shape |\n|---|---|---|\n";
  for (size_t i = 0; i < model.inputs.size(); ++i) tensors += tensor_row("input", model, i);
  for (size_t i = 0; i < model.outputs.size(); ++i) tensors += tensor_row("output", model, i);
  return values;
}

/// The runtime that runs models here, and for which machine it is; none if there is none.
struct RuntimeFile {
  std::string folder;
  std::shared_ptr<const MappedFile> file;
};
std::optional<RuntimeFile> find_runtime() {
  try {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(session::open_runtime("")->init), &info) == 0) return std::nullopt;
    const std::shared_ptr<const MappedFile> file = MappedFile::open(info.dli_fname);
    constexpr size_t kMachineAt = 18;  // e_machine of the ELF header
    if (file->bytes().size() <= kMachineAt) return std::nullopt;
    const int machine = std::to_integer<int>(file->bytes()[kMachineAt]);
    const char* const name = machine == 62 ? "x86_64" : machine == 183 ? "aarch64" : nullptr;
    if (name == nullptr) return std::nullopt;
    return RuntimeFile{fmt::format("libs/Linux/{}", name), file};
  } catch (const SessionError&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// What the outputs' files are called: by the function with which the program looks for them.
std::vector<std::string> output_stems(const Model& model) {
  std::vector<std::string> names;
  for (const Port& port : model.outputs) names.push_back(port.name);
  return rknn_app::file_stems(names);
}

void require_runnable(const Model& model, const CodegenRequest& request) {
  if (model.remove_weight) {
    fail(Code::ConfigUnsupported, Location{.file = request.model.string()},
         "codegen: the file was made with remove_weight=True, so it does not run on its own",
         "generate the project from the full model");
  }
  if (request.rgb_to_bgr.size() > 1 && request.rgb_to_bgr.size() != model.inputs.size()) {
    fail(Code::ConfigBadValue, fmt::format("codegen: rgb_to_bgr has {} entries, the model has {} inputs",
                                           request.rgb_to_bgr.size(), model.inputs.size()));
  }
}

}  // namespace

void generate_project(const CodegenRequest& request) {
  if (request.folder.empty()) fail(Code::ConfigBadValue, "codegen: output_path is empty, expected a folder");
  require_free_folder(request.folder, request.overwrite);
  const std::shared_ptr<const MappedFile> file = MappedFile::open(request.model);
  const Model model = read(file);
  require_runnable(model, request);
  ProjectInputs inputs;
  if (request.inputs.empty()) {
    for (const Port& port : model.inputs) inputs.paths.push_back(input_path(plain_name(port.name), ".npy"));
  } else {
    inputs = read_project_inputs(model, std::string(text_of(*file)), request.inputs, request.rgb_to_bgr);
  }

  const std::string file_name = plain_name(request.model.stem().string()) + ".rknn";
  const Values values = values_of(model, file_name, inputs.paths, request.rgb_to_bgr);
  FolderSink folder(request.folder);
  for (const EmbeddedFile& each : kProjectFiles) {
    const std::string filled = has_values(each.path) ? fill_in(each.text, values) : "";
    folder.add_file(each.path, has_values(each.path) ? filled : each.text, each.path.ends_with(".sh"));
  }
  if (const std::optional<RuntimeFile> runtime = find_runtime()) {
    folder.add_file(std::filesystem::path(runtime->folder) / "librknnrt.so", text_of(*runtime->file), true);
  }
  folder.add_file("model/" + file_name, text_of(*file));
  folder.add_folder("data/inputs");
  folder.add_folder("data/outputs/golden");
  for (const ProjectFile& input : inputs.files) folder.add_file(input.path, input.bytes);
  const std::vector<std::string> stems = output_stems(model);
  for (size_t i = 0; i < inputs.golden.size(); ++i) {
    folder.add_file(fmt::format("data/outputs/golden/{}.npy", stems[i]), to_npy(inputs.golden[i]));
  }
  folder.commit();
}

}  // namespace openrknn
