#include "runtime/server/served_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/server/tensor_type.h"

namespace openrknn::server {
namespace {

constexpr uint32_t kMasks[] = {0, 1, 2, 4, 3, 7, 0xffff};

/// What requests give an input by default: real numbers where it stands for such, else the model's own type.
ElementType natural_type(const NodeArg& arg) {
  const ElementType own = type_of_tensor(arg.type).value_or(ElementType::Float32);
  return arg.quantization || own == ElementType::Float16 ? ElementType::Float32 : own;
}

TensorInfo input_info(const NodeArg& arg) { return {arg.name, natural_type(arg), arg.shape, arg.type, arg.layout}; }

TensorInfo output_info(const NodeArg& arg, bool native) {
  const ElementType own = type_of_tensor(arg.type).value_or(ElementType::Float32);
  return {arg.name, native ? own : ElementType::Float32, arg.shape, arg.type, arg.layout};
}

/// A feed of zeros, with what it borrows.
struct Zeros {
  std::vector<std::vector<std::byte>> memory;
  Feed feed;

  explicit Zeros(const std::vector<TensorInfo>& inputs) {
    std::vector<std::pair<std::string, ArrayView>> arrays;
    for (const TensorInfo& input : inputs) {
      size_t bytes = element_bytes(input.type);
      for (const int64_t extent : input.shape) bytes *= static_cast<size_t>(extent);
      memory.emplace_back(bytes);
      arrays.emplace_back(input.name,
                          ArrayView{.type = input.type, .shape = input.shape, .data = memory.back().data()});
    }
    feed = Feed::dict(std::move(arrays));
  }
};

}  // namespace

SessionOptions ServedModel::session_options(std::optional<uint32_t> core_mask) const {
  SessionOptions options;
  options.max_queue_size = options_.max_queue;
  options.output_type = options_.native_outputs ? OutputType::Native : OutputType::Float32;
  options.runtime_library = options_.runtime_library;
  if (core_mask) {
    if (std::find(std::begin(kMasks), std::end(kMasks), *core_mask) == std::end(kMasks)) {
      throw OptionError(fmt::format("core_mask is {}, expected 0 (AUTO), 1, 2, 4, 3, 7 or 65535 (ALL)", *core_mask));
    }
    options.core_mask = *core_mask;
  } else {
    options.schedule = {0, 1, 2};
    options.dispatch = Dispatch::Dynamic;
    options.strict_cores = false;
  }
  return options;
}

ServedModel::ServedModel(std::string name, std::filesystem::path path, LoadOptions options)
    : name_(std::move(name)), path_(std::move(path)), options_(std::move(options)) {
  session_ = std::make_shared<Session>(path_, session_options(options_.core_mask));
  for (const NodeArg& arg : session_->inputs()) inputs_.push_back(input_info(arg));
  for (const NodeArg& arg : session_->outputs()) outputs_.push_back(output_info(arg, options_.native_outputs));
}

ServedModel::~ServedModel() = default;

std::shared_ptr<Session> ServedModel::find_session(std::optional<uint32_t> core_mask) {
  if (!core_mask || core_mask == options_.core_mask) return session_;
  const std::lock_guard lock(mutex_);
  const auto found = by_mask_.find(*core_mask);
  return found == by_mask_.end() ? nullptr : found->second;
}

std::shared_ptr<Session> ServedModel::open_session(std::optional<uint32_t> core_mask) {
  const std::lock_guard one_at_a_time(opening_);
  if (std::shared_ptr<Session> session = find_session(core_mask)) return session;
  // Weights are shared where the runtime can do that: not with several sets of input shapes.
  const bool is_dynamic = !session_->inputs().empty() && !session_->inputs().front().shapes.empty();
  auto session = std::make_shared<Session>(path_, session_options(core_mask), is_dynamic ? nullptr : session_.get());
  const std::lock_guard lock(mutex_);
  return by_mask_.emplace(*core_mask, std::move(session)).first->second;
}

std::pair<size_t, size_t> ServedModel::load() {
  std::vector<std::shared_ptr<Session>> sessions = {session_};
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [mask, session] : by_mask_) sessions.push_back(session);
  }
  std::pair<size_t, size_t> sum{0, 0};
  for (const std::shared_ptr<Session>& session : sessions) {
    const SessionStatistics statistics = session->stats();
    sum.first += statistics.waiting;
    sum.second += statistics.running;
  }
  return sum;
}

void ServedModel::close(bool drain) {
  std::map<uint32_t, std::shared_ptr<Session>> others;
  {
    const std::lock_guard lock(mutex_);
    others = by_mask_;
  }
  for (const auto& [mask, session] : others) session->close(drain);
  session_->close(drain);
}

ServedModel::Performance ServedModel::measure(int64_t runs, std::optional<uint32_t> core_mask,
                                              const std::function<bool()>& is_stopped) {
  using Clock = std::chrono::steady_clock;
  const Zeros zeros(inputs_);
  const std::shared_ptr<Session> session = open_session(core_mask);
  Performance result;
  for (; result.runs < runs; ++result.runs) {
    if (is_stopped()) throw CancelledError("the server stops");
    const Clock::time_point start = Clock::now();
    session->run({}, zeros.feed);
    const double microseconds = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    result.total_microseconds += microseconds;
    result.least_microseconds = result.runs == 0 ? microseconds : std::min(result.least_microseconds, microseconds);
  }
  // Timing every layer costs time itself, so that is a run and a context of its own.
  SessionOptions options = session_options(core_mask);
  options.collect_perf = true;
  options.schedule.clear();
  Session profiled(path_, options);
  profiled.run({}, zeros.feed);
  result.layers = profiled.perf_detail();
  return result;
}

}  // namespace openrknn::server
