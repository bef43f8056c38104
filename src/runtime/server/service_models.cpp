// The Open Inference Protocol's questions about the server and its models, and the repository of models.
#include <algorithm>

#include "core/base/error.h"
#include "core/base/version.h"
#include "runtime/server/call.h"
#include "runtime/server/json_body.h"
#include "runtime/server/tensor_type.h"

namespace openrknn::server {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson tensor_metadata(const TensorInfo& tensor) {
  return {{"name", tensor.name}, {"datatype", wire_name(tensor.type)}, {"shape", tensor.shape}};
}

OrderedJson tensor_config(const TensorInfo& tensor) {
  return {{"name", tensor.name},
          {"data_type", "TYPE_" + std::string(wire_name(tensor.type))},
          {"dims", tensor.shape},
          {"model_type", tensor.model_type},
          {"layout", tensor.layout}};
}

template <class Describe>
OrderedJson list_of(const std::vector<TensorInfo>& tensors, const Describe& describe) {
  OrderedJson list = OrderedJson::array();
  for (const TensorInfo& tensor : tensors) list.push_back(describe(tensor));
  return list;
}

OrderedJson counted(uint64_t count, double microseconds) {
  return {{"count", count}, {"ns", static_cast<uint64_t>(microseconds * 1e3)}};
}

OrderedJson statistics_of(const std::string& name, const ModelCounters& counters) {
  const uint64_t count = counters.succeeded;
  return {{"name", name},
          {"version", "1"},
          {"last_inference", counters.last_milliseconds},
          {"inference_count", count},
          {"execution_count", count},
          {"inference_stats",
           {{"success", counted(count, counters.seconds * 1e6)},
            {"fail", counted(counters.failed, counters.failed_seconds * 1e6)},
            {"queue", counted(count, counters.durations.queue)},
            {"compute_input", counted(count, counters.durations.set_inputs)},
            {"compute_infer", counted(count, counters.durations.run)},
            {"compute_output", counted(count, counters.durations.get_outputs)},
            {"cache_hit", counted(0, 0)},
            {"cache_miss", counted(0, 0)}}},
          {"batch_stats", OrderedJson::array()}};
}

/// What of a load's body is known: {"parameters": {"core_mask": 1, "output_type": "native"}}.
void read_load_options(const nlohmann::json& body, LoadOptions& options) {
  const auto parameters = body.find("parameters");
  if (parameters == body.end()) return;
  if (!parameters->is_object()) fail(Code::ServerBadRequest, "'parameters' is no object");
  Diagnostics problems;
  for (const auto& [key, value] : parameters->items()) {
    if (key == "core_mask" && value.is_number_unsigned() && value.get<uint64_t>() <= 0xffff) {
      options.core_mask = value.get<uint32_t>();
    } else if (key == "output_type" && (value == "float32" || value == "native")) {
      options.native_outputs = value == "native";
    } else {
      problems.add(Code::ServerBadRequest, {},
                   fmt::format("load parameter '{}' with {}", excerpt(key), excerpt(value.dump(-1, ' ', true))),
                   "expected are core_mask (a number as in rknn_api.h) and output_type (float32 or native); a model's "
                   "file is uploaded with PUT /openrknn/v1/models/NAME");
    }
  }
  problems.throw_if_any();
}

}  // namespace

void Service::server_metadata(const std::shared_ptr<Call>& call) {
  call->answer(OrderedJson{
      {"name", "openrknn"},
      {"version", version()},
      {"extensions", {"binary_tensor_data", "model_configuration", "model_repository", "statistics", "openrknn"}}});
}

void Service::live(const std::shared_ptr<Call>& call) { call->answer(OrderedJson{{"live", true}}); }

void Service::ready(const std::shared_ptr<Call>& call) {
  Response response{.text = OrderedJson{{"ready", is_ready()}}.dump()};
  if (!is_ready()) response.status = 503;
  call->answer(std::move(response));
}

void Service::model_ready(const std::shared_ptr<Call>& call) {
  loaded(call->name());
  call->answer(OrderedJson{{"name", call->name()}, {"ready", true}});
}

void Service::model_metadata(const std::shared_ptr<Call>& call) {
  const std::shared_ptr<ServedModel> model = loaded(call->name());
  call->answer(OrderedJson{{"name", model->name()},
                           {"versions", {"1"}},
                           {"platform", "rknn"},
                           {"inputs", list_of(model->inputs(), tensor_metadata)},
                           {"outputs", list_of(model->outputs(), tensor_metadata)}});
}

void Service::model_config(const std::shared_ptr<Call>& call) {
  const std::shared_ptr<ServedModel> model = loaded(call->name());
  OrderedJson parameters = OrderedJson::object();
  for (const auto& [key, value] : model->session().custom_metadata_map()) {
    parameters[key] = {{"string_value", value}};
  }
  OrderedJson config{{"name", model->name()},
                     {"platform", "rknn"},
                     {"backend", "openrknn"},
                     {"max_batch_size", 0},  // the first extent of an array is the model's own
                     {"input", list_of(model->inputs(), tensor_config)},
                     {"output", list_of(model->outputs(), tensor_config)},
                     {"parameters", parameters}};
  if (model->options().core_mask) config["core_mask"] = *model->options().core_mask;
  call->answer(config);
}

void Service::repository_index(const std::shared_ptr<Call>& call) {
  const nlohmann::json body = call->options();
  const bool only_ready = body.contains("ready") && body["ready"] == true;
  std::vector<std::string> names = store_->names();
  OrderedJson index = OrderedJson::array();
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    if (entry.model && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  for (const std::string& name : names) {
    const auto found = entries_.find(name);
    const bool is_loaded = found != entries_.end() && found->second.model;
    if (only_ready && !is_loaded) continue;
    const std::string reason = found == entries_.end() || is_loaded ? "" : found->second.reason;
    index.push_back(
        {{"name", name}, {"version", "1"}, {"state", is_loaded ? "READY" : "UNAVAILABLE"}, {"reason", reason}});
  }
  call->answer(index);
}

void Service::load_model(const std::shared_ptr<Call>& call) {
  LoadOptions options = default_load_options();
  read_load_options(call->options(), options);
  static_cast<void>(store_->path_of(call->name()));
  respond_later(call, [this, call, options = std::move(options)] {
    load(call->name(), options);
    return Response{.text = "{}"};
  });
}

void Service::unload_model(const std::shared_ptr<Call>& call) {
  respond_later(call, [this, call] {
    const std::shared_ptr<ServedModel> model = take(call->name());
    if (!model) {
      fail(Code::ServerUnknownModel, fmt::format("the model '{}' is not loaded", call->name()),
           "POST /v2/repository/index lists what is");
    }
    model->close(true);
    say(fmt::format("{}: unloaded", call->name()));
    return Response{.text = "{}"};
  });
}

void Service::all_statistics(const std::shared_ptr<Call>& call) {
  OrderedJson list = OrderedJson::array();
  for (const std::shared_ptr<ServedModel>& model : loaded_models()) {
    list.push_back(statistics_of(model->name(), metrics_.counters_of(model->name())));
  }
  call->answer(OrderedJson{{"model_stats", list}});
}

void Service::model_statistics(const std::shared_ptr<Call>& call) {
  loaded(call->name());
  call->answer(OrderedJson{
      {"model_stats", OrderedJson::array({statistics_of(call->name(), metrics_.counters_of(call->name()))})}});
}

}  // namespace openrknn::server
