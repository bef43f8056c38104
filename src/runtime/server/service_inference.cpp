// Inference, and the values of layers: requests with tensors.
#include "core/base/error.h"
#include "runtime/server/call.h"
#include "runtime/server/tensor_type.h"

namespace openrknn::server {
namespace {

std::vector<std::string> names_of(const std::vector<RequestedOutput>& outputs) {
  std::vector<std::string> names;
  names.reserve(outputs.size());
  for (const RequestedOutput& output : outputs) names.push_back(output.name);
  return names;
}

/// JSON, then the binary tensors in order.
Response tensors_response(const std::string& model, const std::string& id, const std::vector<WireTensor>& tensors,
                          std::vector<Chunk> owners) {
  Response response;
  response.text = infer_response_json(model, id, tensors);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].binary) continue;
    if (!response.json_bytes) {
      response.json_bytes = response.text.size();
      response.content_type = "application/octet-stream";
    }
    response.chunks.push_back({std::move(owners[i].owner), tensors[i].bytes});
  }
  return response;
}

Response outputs_response(const ServedModel& model, const InferRequest& request, std::vector<Array>& outputs) {
  std::vector<WireTensor> tensors;
  std::vector<Chunk> owners;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto array = std::make_shared<const Array>(outputs[i]);
    WireTensor tensor;
    tensor.name = request.outputs.empty() ? model.outputs()[i].name : request.outputs[i].name;
    tensor.type = array->type();
    tensor.datatype = wire_name(array->type());
    tensor.shape.assign(array->shape().begin(), array->shape().end());
    tensor.bytes = {static_cast<const std::byte*>(array->data()), array->size() * element_bytes(array->type())};
    tensor.binary = request.outputs.empty() ? request.binary_by_default : request.outputs[i].binary;
    owners.push_back({array, tensor.bytes});
    tensors.push_back(std::move(tensor));
  }
  return tensors_response(model.name(), request.id, tensors, std::move(owners));
}

}  // namespace

void Service::read_tensors(Call& call) const {
  call.model = loaded(call.name());
  const RequestLimits limits{.tensor_bytes = static_cast<size_t>(options_.max_request_bytes)};
  call.parsed = parse_infer_request(call.request.body.bytes(), call.request.head.json_bytes, limits);
}

void Service::infer(const std::shared_ptr<Call>& call) {
  read_tensors(*call);
  if (const std::shared_ptr<Session> session = call->model->find_session(call->parsed.core_mask)) {
    return run_on(session, call);
  }
  jobs_.post([this, call] {  // the first request for these cores
    try {
      run_on(call->model->open_session(call->parsed.core_mask), call);
    } catch (...) {
      call->answer_failure(std::current_exception());
    }
  });
}

void Service::run_on(const std::shared_ptr<Session>& session, const std::shared_ptr<Call>& call) {
  const auto done = [call](Completion&& completion) {
    try {
      if (completion.failure) std::rethrow_exception(completion.failure);
      Response response = outputs_response(*call->model, call->parsed, completion.outputs);
      call->service.metrics_.inferred(call->name(), true, call->seconds(), completion.durations);
      call->answer(std::move(response));
    } catch (...) {
      call->service.metrics_.inferred(call->name(), false, call->seconds(), {});
      call->answer_failure(std::current_exception());
    }
  };
  try {
    // The session has copied the arrays when this returns; a full queue is an error at once.
    session->run_unordered(names_of(call->parsed.outputs), call->parsed.feed(), done, false);
  } catch (...) {
    metrics_.inferred(call->name(), false, call->seconds(), {});
    throw;
  }
}

void Service::values(const std::shared_ptr<Call>& call) {
  read_tensors(*call);
  if (call->parsed.outputs.empty()) {
    fail(Code::ServerBadRequest, "'outputs' names no values", "name the values of the model that are wanted");
  }
  respond_later(call, [call] {
    const auto values = std::make_shared<const std::vector<LayerValue>>(
        call->model->session().values(call->parsed.feed(), names_of(call->parsed.outputs)));
    std::vector<WireTensor> tensors;
    std::vector<Chunk> owners;
    for (size_t i = 0; i < values->size(); ++i) {
      const LayerValue& value = (*values)[i];
      if (!call->parsed.outputs[i].binary) {
        fail(Code::ServerBadRequest, Location{.tensor = value.name}, "values of layers are given in binary only",
             "ask for it with binary_data");
      }
      tensors.push_back({value.name, wire_name_of_dtype(value.dtype), value.shape, ElementType::Float32, value.bytes});
      owners.push_back({values, value.bytes});
    }
    return tensors_response(call->name(), call->parsed.id, tensors, std::move(owners));
  });
}

}  // namespace openrknn::server
