// Equations over ONNX files: any first line is an equation or an Error, any bytes behind it a model or an Error, and
// what an edit writes can be read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "toolkit/onnx_edit_plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace openrknn;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(bytes.find('\n'), size);
  const std::string equation(bytes.substr(0, line));
  const std::string_view rest = bytes.substr(std::min(line + 1, size));
  MemorySink sink;
  try {
    const auto file = MappedFile::copy_of(std::as_bytes(std::span(rest)), "fuzz.onnx");
    const onnx::ModelProto model = onnx::parse_model(*file);
    OnnxEdit edit;
    for (const onnx::ValueInfo& each : model.graph.inputs) edit.inputs.emplace_back(each.name, equation);
    for (const onnx::ValueInfo& each : model.graph.outputs) edit.outputs.emplace_back(each.name, equation);
    Diagnostics problems;
    const OnnxEditPlan plan = plan_onnx_edit(model, edit, problems);
    onnx_export::external_files(*file);
    problems.throw_if_any();
    onnx_export::write_edited(*file, plan.changes, sink);
  } catch (const Error&) {
    return 0;
  }
  const auto written = MappedFile::copy_of(std::as_bytes(std::span(sink.data)), "written.onnx");
  try {
    onnx::parse_model(*written);
  } catch (const Error&) {
    std::abort();
  }
  return 0;
}
