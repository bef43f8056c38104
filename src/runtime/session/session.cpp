// openrknn::Session: checks, then one context for the length of a run.
#include "openrknn/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>

#include "runtime/session/context_pool.h"
#include "runtime/session/door.h"
#include "runtime/session/feed.h"

namespace openrknn {

using namespace session;

struct Session::Engine {
  Engine(const ModelSource& source, SessionOptions wanted);

  std::vector<size_t> select(const std::optional<std::vector<std::string>>& output_names) const;
  std::vector<Array> run(const std::vector<size_t>& selection, const Feed&);

  SessionOptions options;
  std::shared_ptr<const RuntimeLibrary> runtime;
  ContextPool pool;
  std::vector<InputSpec> input_specs;
  std::vector<NodeArg> inputs, outputs;
  std::vector<uint32_t> output_elements;
  std::map<std::string, std::string> metadata;
  std::string api_version, driver_version;
  std::vector<std::string> warnings;
  bool is_openrknn = false;

 private:
  void read_version();
  void read_metadata();
};

namespace {

SessionOptions require_built(SessionOptions options) {
  if (!options.custom_op_paths.empty() || options.custom_op_default_path) {
    throw SessionError("custom operators (custom_op_paths, custom_op_default_path) are not built yet");
  }
  if (options.enable_pacing) throw SessionError("enable_pacing is not built yet: it paces run_async");
  if (options.zero_copy_layout != ZeroCopyLayout::Nhwc) {
    throw SessionError("zero_copy_layout 'native' is not built yet: it belongs to IOBinding");
  }
  return options;
}

template <size_t N>
std::string text_of(const char (&buffer)[N]) {
  return {buffer, strnlen(buffer, N)};
}

/// True if the first major.minor.patch in the text is below 2.4.1; false if there is none.
bool is_outdated(const std::string& version) {
  int numbers[3] = {};
  const size_t digit = version.find_first_of("0123456789");
  if (digit == std::string::npos) return false;
  if (std::sscanf(version.c_str() + digit, "%d.%d.%d", &numbers[0], &numbers[1], &numbers[2]) != 3) return false;
  constexpr int kLeast[3] = {2, 4, 1};
  return std::lexicographical_compare(numbers, numbers + 3, kLeast, kLeast + 3);
}

Array make_array(std::vector<int64_t> shape, size_t elements) {
  return {std::move(shape), std::shared_ptr<float[]>(new float[std::max<size_t>(elements, 1)])};
}

}  // namespace

Session::Engine::Engine(const ModelSource& source, SessionOptions wanted)
    : options(require_built(std::move(wanted))),
      runtime(open_runtime(options.runtime_library)),
      pool(runtime, source, options) {
  for (const rknn_tensor_attr& attr : pool.first().attributes(true)) {
    input_specs.push_back(input_spec(attr, options.layout));
    inputs.push_back(input_specs.back().arg);
  }
  for (const rknn_tensor_attr& attr : pool.first().attributes(false)) {
    outputs.push_back(output_arg(attr));
    output_elements.push_back(attr.n_elems);
  }
  read_version();
  read_metadata();
}

void Session::Engine::read_version() {
  rknn_sdk_version version{};
  const ModelContext& context = pool.first();
  if (runtime->query(context.handle(), RKNN_QUERY_SDK_VERSION, &version, sizeof version) < 0) return;
  api_version = text_of(version.api_version);
  driver_version = text_of(version.drv_version);
  if (is_outdated(api_version)) {
    warnings.push_back(
        fmt::format("RKNN API version {} is likely outdated; behavior may be unstable. Recommended minimum "
                    "version is 2.4.1.",
                    api_version));
  }
}

void Session::Engine::read_metadata() {
  const ModelContext& context = pool.first();
  if (const openrknn_functions* door = open_door(*runtime, context.handle())) {
    is_openrknn = true;
    const auto keep = [](void* user, const char* key, size_t key_bytes, const char* value, size_t value_bytes) {
      (*static_cast<std::map<std::string, std::string>*>(user))[{key, key_bytes}] = {value, value_bytes};
    };
    context.check(door->metadata(context.handle(), keep, &metadata), "metadata");
  }
  rknn_custom_string custom{};
  if (runtime->query(context.handle(), RKNN_QUERY_CUSTOM_STRING, &custom, sizeof custom) < 0) return;
  const std::string text = text_of(custom.string);
  if (!text.empty()) metadata["rknn_custom_string"] = text;
}

std::vector<size_t> Session::Engine::select(const std::optional<std::vector<std::string>>& output_names) const {
  std::vector<size_t> selection;
  if (!output_names) {
    for (size_t i = 0; i < outputs.size(); ++i) selection.push_back(i);
    return selection;
  }
  for (const std::string& name : *output_names) {
    const auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const NodeArg& arg) { return arg.name == name; });
    if (found == outputs.end()) throw SessionError("Unknown output name: " + name);
    selection.push_back(static_cast<size_t>(found - outputs.begin()));
  }
  return selection;
}

std::vector<Array> Session::Engine::run(const std::vector<size_t>& selection, const Feed& feed) {
  PreparedFeed prepared = prepare(input_specs, feed);
  // Fetching some outputs only is documented nowhere: another runtime is asked for all of them.
  std::set<size_t> fetched(selection.begin(), selection.end());
  if (!is_openrknn) {
    for (size_t i = 0; i < outputs.size(); ++i) fetched.insert(i);
  }
  std::vector<Array> results(outputs.size());
  std::vector<rknn_output> requests;
  for (const size_t i : fetched) {
    results[i] = make_array(outputs[i].shape, output_elements[i]);
    rknn_output request{};
    request.want_float = 1;
    request.is_prealloc = 1;
    request.index = static_cast<uint32_t>(i);
    request.buf = results[i].data.get();
    request.size = static_cast<uint32_t>(output_elements[i] * sizeof(float));
    requests.push_back(request);
  }
  {
    const ContextPool::Lease lease = pool.acquire();
    lease.context().set_inputs(prepared.inputs);
    lease.context().run();
    if (!requests.empty()) lease.context().get_outputs(requests);
  }
  std::vector<Array> selected;
  for (const size_t i : selection) selected.push_back(results[i]);
  return selected;
}

Session::Session(const std::filesystem::path& model, SessionOptions options)
    : engine_(std::make_shared<Engine>(ModelSource{model.string(), {}}, std::move(options))) {}
Session::Session(std::span<const std::byte> model, SessionOptions options)
    : engine_(std::make_shared<Engine>(ModelSource{{}, model}, std::move(options))) {}
Session::~Session() { close(); }
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
  close();
  engine_ = std::move(other.engine_);
  return *this;
}

const std::vector<NodeArg>& Session::inputs() const { return engine_->inputs; }
const std::vector<NodeArg>& Session::outputs() const { return engine_->outputs; }
const std::map<std::string, std::string>& Session::custom_metadata_map() const { return engine_->metadata; }

std::vector<Array> Session::run(const std::optional<std::vector<std::string>>& output_names, const Feed& feed,
                                const RunOptions& run_options) {
  if (run_options.dispatch_batch) throw SessionError("ztu_modelrt_dispatch_batch is not built yet");
  const std::shared_ptr<Engine> engine = engine_;  // stays while the run lasts
  return engine->run(engine->select(output_names), feed);
}

void Session::close() {
  if (engine_) engine_->pool.close();
}

const std::string& Session::api_version() const { return engine_->api_version; }
const std::string& Session::driver_version() const { return engine_->driver_version; }
const std::string& Session::runtime_path() const { return engine_->runtime->path; }
const std::vector<std::string>& Session::warnings() const { return engine_->warnings; }

}  // namespace openrknn
