// LSTM, GRU and RNN. Each direction of each sequence of the batch is computed on its own.
// Float rule (docs/arithmetic.md): one float32 accumulator per gate and unit, from +0: fma over the input ascending,
// one addition of the bias (the sum of W's and R's), fma over the hidden state ascending, the peephole as one more fma.
// With linear_before_reset the state's sum of the last gate is an accumulator of its own. The state stays float32
// between steps; what leaves the node is rounded to its dtype once.
#include "core/kernels/reference/recurrent.h"

#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct RecurrentState {
  Body<RecurrentState> body = nullptr;
  Recurrent form;
  std::vector<UnaryFunction> functions;
  FloatVector bias, initial_h, initial_c, peephole;
  int64_t lengths = -1, outputs = 0;  // buffers: sequence_lens, the first output
  DType weights = DType::Float32, recurrence = DType::Float32;
  int64_t sums_at = 0, h_at = 0, c_at = 0, extra_at = 0, x_at = 0, w_at = 0, r_at = 0;
};

void clip(float limit, float* values, int64_t count) {
  if (limit == std::numeric_limits<float>::infinity()) return;
  for (int64_t i = 0; i < count; ++i) {
    const float raised = values[i] < -limit ? -limit : values[i];
    values[i] = raised > limit ? limit : raised;
  }
}

/// sums[row] continues over weights[row][k] · x[k].
void multiply(const float* weights, const float* x, int64_t rows, int64_t depth, float* sums) {
  for (int64_t row = 0; row < rows; ++row) {
    float sum = sums[row];
    for (int64_t k = 0; k < depth; ++k) sum = std::fma(x[k], weights[row * depth + k], sum);
    sums[row] = sum;
  }
}

/// One direction's constants and one sequence's state.
struct Lane {
  const RecurrentState& s;
  const UnaryFunction* functions;
  const float *r, *bias, *peephole;
  float *sums, *h, *c, *extra;
  int64_t hidden = s.form.hidden;

  void activate(size_t function, float* values) const {
    clip(s.form.clip, values, hidden);
    functions[function].in_place(values, hidden);
  }
  void add_peephole(int64_t which, float* gate) const {
    if (peephole == nullptr) return;
    for (int64_t j = 0; j < hidden; ++j) gate[j] = std::fma(peephole[which * hidden + j], c[j], gate[j]);
  }
  // Gates in memory: input, output, forget, cell; peepholes: input, output, forget.
  void step_lstm() const {
    multiply(r, h, 4 * hidden, hidden, sums);
    float *input = sums, *out = sums + hidden, *forget = sums + 2 * hidden, *cell = sums + 3 * hidden;
    add_peephole(0, input);
    add_peephole(2, forget);
    activate(0, input);
    if (s.form.input_forget) {
      for (int64_t j = 0; j < hidden; ++j) forget[j] = 1.0f - input[j];
    } else {
      activate(0, forget);
    }
    activate(1, cell);
    for (int64_t j = 0; j < hidden; ++j) c[j] = std::fma(forget[j], c[j], input[j] * cell[j]);
    clip(s.form.cell_clip, c, hidden);
    add_peephole(1, out);
    activate(0, out);
    functions[2].apply(functions[2], c, h, hidden);
    for (int64_t j = 0; j < hidden; ++j) h[j] = out[j] * h[j];
  }
  // Gates: update, reset, hidden.
  void step_gru() const {
    multiply(r, h, 2 * hidden, hidden, sums);
    float *update = sums, *reset = sums + hidden, *candidate = sums + 2 * hidden;
    activate(0, update);
    activate(0, reset);
    const float* last = r + 2 * hidden * hidden;
    if (s.form.linear_before_reset) {
      std::fill_n(extra, hidden, 0.0f);
      multiply(last, h, hidden, hidden, extra);
      for (int64_t j = 0; j < hidden && bias; ++j) extra[j] += bias[5 * hidden + j];
      for (int64_t j = 0; j < hidden; ++j) candidate[j] = std::fma(reset[j], extra[j], candidate[j]);
    } else {
      for (int64_t j = 0; j < hidden; ++j) extra[j] = reset[j] * h[j];
      multiply(last, extra, hidden, hidden, candidate);
    }
    activate(1, candidate);
    for (int64_t j = 0; j < hidden; ++j) h[j] = std::fma(update[j], h[j], (1.0f - update[j]) * candidate[j]);
  }
  void step_rnn() const {
    multiply(r, h, hidden, hidden, sums);
    activate(0, sums);
    std::copy_n(sums, hidden, h);
  }
};

/// The input's share of every gate: products, then the bias.
void start_sums(const RecurrentState& s, const float* w, const float* x, const float* bias, float* sums) {
  const int64_t rows = s.form.gates * s.form.hidden;
  std::fill_n(sums, rows, 0.0f);
  multiply(w, x, rows, s.form.input, sums);
  if (bias == nullptr) return;
  // The last gate's share of R's bias belongs inside the reset where linear_before_reset says so.
  const int64_t both = s.form.linear_before_reset ? rows - s.form.hidden : rows;
  for (int64_t row = 0; row < rows; ++row) sums[row] += row < both ? bias[row] + bias[rows + row] : bias[row];
}

const float* read_matrix(DType dtype, const std::byte* data, int64_t at, int64_t count, float* room) {
  if (dtype == DType::Float32) return reinterpret_cast<const float*>(data) + at;
  load_floats(dtype, data + at * whole_bytes(dtype), room, count);
  return room;
}

template <class T>
void run_sequence(const RecurrentState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const Recurrent& f = s.form;
  const int64_t direction = tile / f.batch, row = tile % f.batch, rows = f.gates * f.hidden;
  const float* w = read_matrix(s.weights, buffers[1].data, direction * rows * f.input, rows * f.input,
                               scratch_at<float>(scratch, s.w_at));
  const float* r = read_matrix(s.recurrence, buffers[2].data, direction * rows * f.hidden, rows * f.hidden,
                               scratch_at<float>(scratch, s.r_at));
  const auto part = [&](const FloatVector& vector, int64_t index, int64_t count) {
    const float* all = vector.read(buffers, scratch);
    return all == nullptr ? nullptr : all + index * count;
  };
  const float* bias = part(s.bias, direction, 2 * rows);
  const float* h = part(s.initial_h, direction * f.batch + row, f.hidden);
  const float* c = part(s.initial_c, direction * f.batch + row, f.hidden);
  const Lane lane{s,
                  s.functions.data() + static_cast<size_t>(direction) * f.functions(),
                  r,
                  bias,
                  part(s.peephole, direction, 3 * f.hidden),
                  scratch_at<float>(scratch, s.sums_at),
                  scratch_at<float>(scratch, s.h_at),
                  scratch_at<float>(scratch, s.c_at),
                  scratch_at<float>(scratch, s.extra_at)};
  const auto start = [&](const float* from, float* to) {
    if (from != nullptr) return std::copy_n(from, f.hidden, to);
    return std::fill_n(to, f.hidden, 0.0f);
  };
  start(h, lane.h);
  start(c, lane.c);
  const auto out = [&](int64_t index) {
    const auto at = static_cast<size_t>(s.outputs + index);
    return at < buffers.size() ? reinterpret_cast<T*>(buffers[at].data) : nullptr;
  };
  T* y = out(0);
  const auto y_at = [&](int64_t time) { return y + ((time * f.directions + direction) * f.batch + row) * f.hidden; };
  const int64_t length =
      sequence_length(f, s.lengths < 0 ? nullptr : buffers[static_cast<size_t>(s.lengths)].data, row);
  float* x = scratch_at<float>(scratch, s.x_at);
  for (int64_t step = 0; step < length; ++step) {
    const int64_t time = f.walks_backwards(direction) ? length - 1 - step : step;
    load_floats(input<T>(buffers, 0) + (time * f.batch + row) * f.input, x, f.input);
    start_sums(s, w, x, bias, lane.sums);
    if (f.cell == Cell::Lstm) lane.step_lstm();
    if (f.cell == Cell::Gru) lane.step_gru();
    if (f.cell == Cell::Rnn) lane.step_rnn();
    if (y) store_floats(lane.h, y_at(time), f.hidden);
  }
  for (int64_t time = length; y && time < f.steps; ++time) std::fill_n(y_at(time), f.hidden, T(0.0f));
  if (length == 0) {  // the standard is silent; what onnxruntime gives
    std::fill_n(lane.h, f.hidden, 0.0f);
    std::fill_n(lane.c, f.hidden, 0.0f);
  }
  const int64_t last = (direction * f.batch + row) * f.hidden;
  if (T* y_h = out(1)) store_floats(lane.h, y_h + last, f.hidden);
  if (T* y_c = out(2)) store_floats(lane.c, y_c + last, f.hidden);
}

Prepared prepare_recurrent(const Call& call, Weights&) {
  RecurrentState s;
  ScratchLayout scratch;
  s.form = recurrent_of(call);
  const Recurrent& f = s.form;
  for (size_t i = 0; i < f.names.size(); ++i) {
    s.functions.push_back(*find_unary_function(f.names[i], f.parameters(i), ""));
  }
  const int64_t rows = f.gates * f.hidden;
  s.bias = FloatVector(call, 3, scratch);
  s.initial_h = FloatVector(call, 5, scratch);
  s.initial_c = FloatVector(call, 6, scratch);
  s.peephole = FloatVector(call, 7, scratch);
  s.lengths = present(call.inputs, 4) ? 4 : -1;
  s.outputs = static_cast<int64_t>(call.inputs.size());
  s.weights = call.inputs[1].dtype;
  s.recurrence = call.inputs[2].dtype;
  s.sums_at = scratch.add<float>(rows);
  s.h_at = scratch.add<float>(f.hidden);
  s.c_at = scratch.add<float>(f.hidden);
  s.extra_at = scratch.add<float>(f.hidden);
  s.x_at = scratch.add<float>(f.input);
  if (s.weights != DType::Float32) s.w_at = scratch.add<float>(rows * f.input);
  if (s.recurrence != DType::Float32) s.r_at = scratch.add<float>(rows * f.hidden);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_sequence<T>; });
  const int64_t tiles = f.directions * f.batch;
  return make_prepared(std::move(s), tiles, scratch.bytes());
}

constexpr Kernel kRecurrentKernels[] = {
    {"LSTM", "lstm_reference", 0, accepts_recurrent, prepare_recurrent, run_body<RecurrentState>},
    {"GRU", "gru_reference", 0, accepts_recurrent, prepare_recurrent, run_body<RecurrentState>},
    {"RNN", "rnn_reference", 0, accepts_recurrent, prepare_recurrent, run_body<RecurrentState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_recurrent_kernels() { return reference::kRecurrentKernels; }

}  // namespace openrknn
