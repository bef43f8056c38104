#include "runtime/session/model_context.h"

#include <fmt/format.h>

#include <fstream>

#include "runtime/session/door.h"
#include "runtime/session/status.h"

namespace openrknn::session {

namespace {

/// Names the key file to the runtime for as long as a model is opened on this thread.
class KeyFile {
 public:
  KeyFile(const RuntimeLibrary& runtime, const std::string& path) {
    if (path.empty()) return;
    door_ = open_door(runtime, 0);
    if (door_ == nullptr || door_->version < 5) {
      throw SessionError(fmt::format("model_key_file: {} does not open encrypted models of OpenRKNN", runtime.path));
    }
    door_->set_model_key_file(path.c_str());
  }
  ~KeyFile() {
    if (door_ != nullptr) door_->set_model_key_file(nullptr);
  }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;

 private:
  const openrknn_functions* door_ = nullptr;
};

}  // namespace

ModelContext::ModelContext(std::shared_ptr<const RuntimeLibrary> runtime, const ModelSource& source, uint32_t flags,
                           std::shared_ptr<ModelContext> weights)
    : runtime_(std::move(runtime)), kept_(std::move(weights)) {
  void* model = nullptr;
  uint32_t size = 0;
  if (source.path.empty()) {
    if (source.bytes.empty()) throw SessionError("The model has no bytes");
    if (source.bytes.size() > UINT32_MAX) {
      throw SessionError("A model in memory may have at most 4 GiB; give its path instead");
    }
    model = const_cast<std::byte*>(source.bytes.data());  // rknn_init copies and does not write
    size = static_cast<uint32_t>(source.bytes.size());
  } else {
    std::error_code ignored;
    const bool is_file = std::filesystem::is_regular_file(source.path, ignored);
    if (!is_file || !std::ifstream(source.path, std::ios::binary)) {
      throw SessionError("Failed to open model file: " + source.path);
    }
    model = const_cast<char*>(source.path.c_str());
  }
  rknn_init_extend extend{};
  if (kept_) {
    extend.ctx = kept_->handle_;
    flags |= RKNN_FLAG_SHARE_WEIGHT_MEM;
  }
  const KeyFile key_file(*runtime_, source.key_file);
  const int code = runtime_->init(&handle_, model, size, flags, kept_ ? &extend : nullptr);
  if (code != RKNN_SUCC) handle_ = 0;
  check(code, "rknn_init");
}

ModelContext::ModelContext(std::shared_ptr<ModelContext> original)
    : runtime_(original->runtime_), kept_(std::move(original)) {
  rknn_context source = kept_->handle_;
  const int code = runtime_->dup_context(&source, &handle_);
  if (code != RKNN_SUCC) handle_ = 0;
  check(code, "rknn_dup_context");
}

ModelContext::~ModelContext() {
  if (handle_ != 0) runtime_->destroy(handle_);
}

std::string ModelContext::words_of_runtime() const {
  const openrknn_functions* door = open_door(*runtime_, handle_);
  return door == nullptr ? "" : door->last_diagnostic();
}

void ModelContext::raise(int code, std::string_view what) const {
  const bool has_verb = what.find(" failed") != std::string_view::npos;
  std::string text = has_verb ? std::string(what) + status_name(code) : status_text(std::string(what), code);
  if (const std::string reason = words_of_runtime(); !reason.empty()) text += " " + reason;
  throw SessionError(text, code, std::string(what.substr(0, what.find_first_of(" ("))));
}

bool ModelContext::find_attribute(rknn_query_cmd cmd, uint32_t index, rknn_tensor_attr& attr) const {
  attr = {};
  attr.index = index;
  return runtime_->query(handle_, cmd, &attr, sizeof attr) >= 0;
}

std::vector<rknn_tensor_attr> ModelContext::attributes(bool inputs) const {
  const auto counts = query<rknn_input_output_num>(RKNN_QUERY_IN_OUT_NUM, "rknn_query(RKNN_QUERY_IN_OUT_NUM)");
  std::vector<rknn_tensor_attr> result;
  for (uint32_t i = 0; i < (inputs ? counts.n_input : counts.n_output); ++i) {
    rknn_tensor_attr request{};
    request.index = i;
    result.push_back(query(inputs ? RKNN_QUERY_INPUT_ATTR : RKNN_QUERY_OUTPUT_ATTR,
                           fmt::format("rknn_query(RKNN_QUERY_{0}_ATTR) failed for {1} attr index {2}: ",
                                       inputs ? "INPUT" : "OUTPUT", inputs ? "input" : "output", i),
                           request));
  }
  return result;
}

void ModelContext::set_core_mask(uint32_t mask, size_t index) const {
  const int code = runtime_->set_core_mask(handle_, static_cast<rknn_core_mask>(mask));
  if (code >= 0) return;
  const bool means_the_only_core = mask == RKNN_NPU_CORE_AUTO || mask == RKNN_NPU_CORE_0;
  if (code == RKNN_ERR_TARGET_PLATFORM_UNMATCH && means_the_only_core) return;
  std::string text = fmt::format(
      "rknn_set_core_mask failed for thread {}: {}. Maybe you specified a configuration that is "
      "not supported by the current platform",
      index, status_name(code));
  if (const std::string reason = words_of_runtime(); !reason.empty()) text += ". " + reason;
  throw SessionError(text, code, "rknn_set_core_mask");
}

void ModelContext::register_custom_ops(std::vector<rknn_custom_op>& ops) const {
  require(*runtime_, runtime_->register_custom_ops, "rknn_register_custom_ops");
  check(runtime_->register_custom_ops(handle_, ops.data(), static_cast<uint32_t>(ops.size())),
        "rknn_register_custom_ops");
}

void ModelContext::set_shapes(const std::vector<InputSpec>& specs, size_t shape_set) {
  if (specs.empty() || specs.front().dynamic_dims.empty() || shape_set == shape_set_) return;
  require(*runtime_, runtime_->set_input_shapes, "rknn_set_input_shapes");
  std::vector<rknn_tensor_attr> attrs;
  for (const InputSpec& spec : specs) {
    attrs.push_back(spec.attr);
    const std::vector<uint32_t>& dims = spec.dynamic_dims[shape_set];
    attrs.back().n_dims = static_cast<uint32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), attrs.back().dims);
  }
  shape_set_ = SIZE_MAX;  // unknown if the call fails
  check(runtime_->set_input_shapes(handle_, static_cast<uint32_t>(attrs.size()), attrs.data()),
        "rknn_set_input_shapes");
  shape_set_ = shape_set;
}

void ModelContext::set_inputs(std::vector<rknn_input>& inputs) const {
  check(runtime_->inputs_set(handle_, static_cast<uint32_t>(inputs.size()), inputs.data()), "rknn_inputs_set");
}

void ModelContext::run() const { check(runtime_->run(handle_, nullptr), "rknn_run"); }

void ModelContext::get_outputs(std::vector<rknn_output>& outputs) const {
  const auto count = static_cast<uint32_t>(outputs.size());
  check(runtime_->outputs_get(handle_, count, outputs.data(), nullptr), "rknn_outputs_get");
  check(runtime_->outputs_release(handle_, count, outputs.data()), "rknn_outputs_release");
}

}  // namespace openrknn::session
