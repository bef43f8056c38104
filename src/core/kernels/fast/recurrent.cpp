// LSTM, GRU and RNN: the input's share of many steps is one matrix product, the state's share a product a step with
// weights packed for few rows. A tile is one direction of a few sequences: they share the weights that are read.
#include "core/kernels/reference/recurrent.h"

#include <cstring>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::Cell;
using reference::FloatVector;
using reference::Recurrent;
using reference::scratch_at;

constexpr int64_t kSequences = 8;            // a tile has at most
constexpr int64_t kAhead = (256 << 10) / 4;  // gate sums made ahead of their steps: they stay in the cache

/// Gates that are summed over the state together. All columns are padded to whole panels of four vectors.
struct Group {
  int64_t gate = 0, gates = 0;      // which
  int64_t column = 0, columns = 0;  // where in a row of sums, padded
  int64_t weights = 0;              // where in a direction's packed R, in floats
};

struct RecurrentLayer {
  const InnerLoops* loops = nullptr;
  Recurrent form;
  std::vector<Activation> functions;
  std::vector<Group> groups;
  int64_t row = 0;  // columns of a row of sums
  Weights::Packed w, r;
  std::vector<float> bias;       // per direction: row; empty: none
  std::vector<float> last_bias;  // per direction: hidden, of the product inside the reset gate; empty: none
  FloatVector initial_h, initial_c, peephole;
  bool half = false;
  int64_t lengths = -1, outputs = 0;
  int64_t sequences = 1, chunks = 1, steps_ahead = 1;
  int64_t sums_at = 0, inputs_at = 0, outputs_at = 0, partial_at = 0, x_at = 0;
  int64_t h_at = 0, c_at = 0, extra_at = 0;

  int64_t panel() const { return 4 * loops->lanes; }
  int64_t extra_stride() const { return (form.hidden + panel() - 1) / panel() * panel(); }
};

int64_t element(const RecurrentLayer& s, int64_t direction, int64_t gate, int64_t unit) {
  return (direction * s.form.gates + gate) * s.form.hidden + unit;
}

template <class F>
void each_unit(const RecurrentLayer& s, F f) {
  for (const Group& group : s.groups) {
    for (int64_t gate = 0; gate < group.gates; ++gate) {
      for (int64_t unit = 0; unit < s.form.hidden; ++unit) {
        f(group, group.gate + gate, unit, group.column + gate * s.form.hidden + unit);
      }
    }
  }
}

/// W as the matrix product reads it: panels of two vectors of columns, k by k.
std::vector<std::byte> pack_input(const RecurrentLayer& s, const Tensor& w) {
  const int64_t depth = s.form.input, width = 2 * s.loops->lanes;
  const std::vector<double> values = to_doubles(w);
  std::vector<std::byte> bytes(static_cast<size_t>(s.form.directions * depth * s.row + 16) * sizeof(float));
  float* to = reinterpret_cast<float*>(bytes.data());
  for (int64_t d = 0; d < s.form.directions; ++d) {
    each_unit(s, [&](const Group&, int64_t gate, int64_t unit, int64_t column) {
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t at = d * depth * s.row + (column / width * depth + k) * width + column % width;
        to[at] = static_cast<float>(values[static_cast<size_t>(element(s, d, gate, unit) * depth + k)]);
      }
    });
  }
  return bytes;
}
/// R in panels of four vectors, each group on its own.
std::vector<std::byte> pack_state(const RecurrentLayer& s, const Tensor& r) {
  const int64_t depth = s.form.hidden, width = s.panel();
  const std::vector<double> values = to_doubles(r);
  std::vector<std::byte> bytes(static_cast<size_t>(s.form.directions * depth * s.row + 16) * sizeof(float));
  float* to = reinterpret_cast<float*>(bytes.data());
  for (int64_t d = 0; d < s.form.directions; ++d) {
    each_unit(s, [&](const Group& group, int64_t gate, int64_t unit, int64_t column) {
      const int64_t within = column - group.column;
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t at = d * depth * s.row + group.weights + (within / width * depth + k) * width + within % width;
        to[at] = static_cast<float>(values[static_cast<size_t>(element(s, d, gate, unit) * depth + k)]);
      }
    });
  }
  return bytes;
}
void pack_bias(RecurrentLayer& s, const Tensor& b) {
  const Recurrent& f = s.form;
  const std::vector<double> values = to_doubles(b);
  s.bias.assign(static_cast<size_t>(f.directions * s.row), 0.0f);
  if (f.linear_before_reset) s.last_bias.assign(static_cast<size_t>(f.directions * f.hidden), 0.0f);
  for (int64_t d = 0; d < f.directions; ++d) {
    each_unit(s, [&](const Group&, int64_t gate, int64_t unit, int64_t column) {
      const int64_t at = 2 * d * f.gates * f.hidden + gate * f.hidden + unit;
      const float of_w = static_cast<float>(values[static_cast<size_t>(at)]);
      const float of_r = static_cast<float>(values[static_cast<size_t>(at + f.gates * f.hidden)]);
      const bool inside = f.linear_before_reset && gate == f.gates - 1;
      s.bias[static_cast<size_t>(d * s.row + column)] = inside ? of_w : of_w + of_r;
      if (inside) s.last_bias[static_cast<size_t>(d * f.hidden + unit)] = of_r;
    });
  }
}

bool accepts_recurrent(const Call& call) {
  if (!reference::accepts_recurrent(call)) return false;
  if (call.inputs[1].constant == nullptr || call.inputs[2].constant == nullptr) return false;
  if (reference::present(call.inputs, 3) && call.inputs[3].constant == nullptr) return false;
  if (element_count(call.inputs[0].shape) == 0) return false;
  const Recurrent form = reference::recurrent_of(call);
  for (size_t i = 0; i < form.names.size(); ++i) {
    Node function;
    function.op = form.names[i];
    function.attributes = form.parameters(i);
    if (!loop_function(function)) return false;
  }
  return true;
}

template <const InnerLoops& kLoops>
Prepared prepare_recurrent(const Call& call, Weights& cache) {
  RecurrentLayer s;
  reference::ScratchLayout scratch;
  s.loops = &kLoops;
  s.form = reference::recurrent_of(call);
  const Recurrent& f = s.form;
  for (size_t i = 0; i < f.names.size(); ++i) {
    Node function;
    function.op = f.names[i];
    function.attributes = f.parameters(i);
    s.functions.push_back(*loop_function(function));
  }
  // The candidate of a GRU is multiplied with something else than its other gates, or is summed up on its own.
  const std::vector<int64_t> sizes = f.cell == Cell::Gru ? std::vector<int64_t>{2, 1} : std::vector<int64_t>{f.gates};
  int64_t gate = 0;
  for (const int64_t gates : sizes) {
    const int64_t columns = (gates * f.hidden + s.panel() - 1) / s.panel() * s.panel();
    s.groups.push_back({gate, gates, s.row, columns, s.row * f.hidden});
    s.row += columns;
    gate += gates;
  }
  const Tensor &w = *call.inputs[1].constant, &r = *call.inputs[2].constant;
  const std::string key =
      "fast_recurrent " + call.node.op + ' ' + std::to_string(kLoops.lanes) + ' ' + std::to_string(f.hidden) + ' ';
  s.w = cache.get(key + "w " + Weights::identity(w), [&] { return pack_input(s, w); });
  s.r = cache.get(key + "r " + Weights::identity(r), [&] { return pack_state(s, r); });
  if (reference::present(call.inputs, 3)) pack_bias(s, *call.inputs[3].constant);
  s.half = call.inputs[0].dtype == DType::Float16;
  s.lengths = reference::present(call.inputs, 4) ? 4 : -1;
  s.outputs = static_cast<int64_t>(call.inputs.size());
  s.sequences = std::min(f.batch, kSequences);
  s.chunks = (f.batch + s.sequences - 1) / s.sequences;
  s.steps_ahead = std::clamp<int64_t>(kAhead / (f.gates * f.hidden * s.sequences), 1, f.steps);
  const int64_t rows = s.steps_ahead * s.sequences;
  s.initial_h = FloatVector(call, 5, scratch);
  s.initial_c = FloatVector(call, 6, scratch);
  s.peephole = FloatVector(call, 7, scratch);
  s.sums_at = scratch.add<float>(rows * s.row);
  s.inputs_at = scratch.add<const void*>(rows + kLoops.gemm_float.rows);
  s.outputs_at = scratch.add<void*>(rows);
  s.partial_at = scratch.add<float>(rows * 2 * kLoops.lanes);
  if (s.half) s.x_at = scratch.add<float>(rows * f.input);
  s.h_at = scratch.add<float>(s.sequences * f.hidden);
  s.c_at = scratch.add<float>(s.sequences * f.hidden);
  s.extra_at = scratch.add<float>(s.sequences * s.extra_stride());
  const int64_t tiles = f.directions * s.chunks;
  return {std::make_shared<const RecurrentLayer>(std::move(s)), tiles, scratch.bytes(), -1, 0b1110};
}

/// One tile at work: sequences first … first + count of one direction.
struct Pass {
  const RecurrentLayer& s;
  std::span<const Buffer> buffers;
  std::byte* scratch;
  int64_t direction, first, count;
  int64_t length[kSequences] = {}, longest = 0;
  const Recurrent& f = s.form;
  float* h = scratch_at<float>(scratch, s.h_at);
  float* c = scratch_at<float>(scratch, s.c_at);
  float* extra = scratch_at<float>(scratch, s.extra_at);
  float* sums = scratch_at<float>(scratch, s.sums_at);
  const float* peephole = nullptr;

  int64_t value_bytes() const { return s.half ? 2 : 4; }
  std::byte* output(int64_t index) const {
    const auto at = static_cast<size_t>(s.outputs + index);
    return at < buffers.size() ? buffers[at].data : nullptr;
  }
  void write(const float* from, std::byte* to, int64_t at) const {
    if (s.half) return s.loops->float_to_half(from, reinterpret_cast<uint16_t*>(to) + at, f.hidden);
    std::memcpy(to + at * 4, from, static_cast<size_t>(f.hidden) * sizeof(float));
  }
  int64_t time_of(int64_t sequence, int64_t step) const {
    const bool backwards = f.walks_backwards(direction) && step < length[sequence];
    return backwards ? length[sequence] - 1 - step : step;
  }
  int64_t place(int64_t sequence, int64_t time) const {
    return ((time * f.directions + direction) * f.batch + first + sequence) * f.hidden;
  }

  void start() {
    const std::byte* lengths = s.lengths < 0 ? nullptr : buffers[static_cast<size_t>(s.lengths)].data;
    for (int64_t i = 0; i < count; ++i) {
      length[i] = reference::sequence_length(f, lengths, first + i);
      longest = std::max(longest, length[i]);
    }
    const auto state = [&](const FloatVector& initial, float* to) {
      const float* from = initial.read(buffers, scratch);
      if (from == nullptr) return std::fill_n(to, count * f.hidden, 0.0f);
      return std::copy_n(from + (direction * f.batch + first) * f.hidden, count * f.hidden, to);
    };
    state(s.initial_h, h);
    state(s.initial_c, c);
    std::fill_n(extra, count * s.extra_stride(), 0.0f);
    peephole = s.peephole.read(buffers, scratch);
    if (peephole != nullptr) peephole += direction * 3 * f.hidden;
  }

  /// The input's share of the gates of steps begin … end.
  void look_ahead(int64_t begin, int64_t end) const {
    const void** inputs = scratch_at<const void*>(scratch, s.inputs_at);
    void** outputs = scratch_at<void*>(scratch, s.outputs_at);
    float* x = scratch_at<float>(scratch, s.x_at);
    int64_t row = 0;
    for (int64_t step = begin; step < end; ++step) {
      for (int64_t i = 0; i < count; ++i, ++row) {
        const std::byte* from = buffers[0].data + (time_of(i, step) * f.batch + first + i) * f.input * value_bytes();
        inputs[row] = from;
        outputs[row] = sums + row * s.row;
        if (!s.half) continue;
        s.loops->half_to_float(reinterpret_cast<const uint16_t*>(from), x + row * f.input, f.input);
        inputs[row] = x + row * f.input;
      }
    }
    GemmTile tile;
    tile.inputs = inputs;
    tile.rows = row;
    tile.block_rows = s.loops->gemm_float.rows;
    tile.runs = 1;
    tile.run_length = f.input;
    tile.weights = s.w->data() + direction * f.input * s.row * static_cast<int64_t>(sizeof(float));
    tile.columns = s.row;
    tile.outputs = outputs;
    tile.partial = scratch + s.partial_at;
    if (!s.bias.empty()) tile.bias = s.bias.data() + direction * s.row;
    s.loops->gemm_float.run(tile);
  }

  void multiply(size_t group, const float* inputs, int64_t stride, float* to, int64_t to_stride) const {
    const Group& g = s.groups[group];
    RecurrentProduct p;
    p.inputs = inputs;
    p.rows = count;
    p.input_stride = stride;
    p.depth = f.hidden;
    p.weights = reinterpret_cast<const float*>(s.r->data()) + direction * f.hidden * s.row + g.weights;
    p.sums = to;
    p.sum_stride = to_stride;
    p.columns = g.columns;
    s.loops->recurrent_product(p);
  }
  const Activation& function(size_t index) const {
    return s.functions[static_cast<size_t>(direction) * f.functions() + index];
  }
  template <class F>
  void each_running(int64_t step, F body) const {
    for (int64_t i = 0; i < count; ++i) {
      if (step < length[i]) body(i);
    }
  }

  void step_lstm(int64_t step, float* gates) const {
    multiply(0, h, f.hidden, gates, s.row);
    LstmStep l;
    l.hidden = f.hidden;
    l.peephole = peephole;
    l.gate = function(0);
    l.candidate = function(1);
    l.result = function(2);
    l.clip = f.clip;
    l.cell_clip = f.cell_clip;
    l.input_forget = f.input_forget;
    each_running(step, [&](int64_t i) {
      l.gates = gates + i * s.row;
      l.cell = c + i * f.hidden;
      l.state = h + i * f.hidden;
      s.loops->lstm_step(l);
    });
  }
  void step_gru(int64_t step, float* gates) const {
    const int64_t stride = s.extra_stride();
    multiply(0, h, f.hidden, gates, s.row);
    if (f.linear_before_reset) {
      std::fill_n(extra, count * stride, 0.0f);
      multiply(1, h, f.hidden, extra, stride);
    }
    GruStep g;
    g.hidden = f.hidden;
    g.gate = function(0);
    g.result = function(1);
    g.clip = f.clip;
    if (!s.last_bias.empty()) g.bias = s.last_bias.data() + direction * f.hidden;
    const auto each = [&](void (*loop)(const GruStep&)) {
      each_running(step, [&](int64_t i) {
        g.update_reset = gates + i * s.row;
        g.candidate = g.update_reset + s.groups[1].column;
        g.state = h + i * f.hidden;
        (f.linear_before_reset ? g.product : g.reset_state) = extra + i * stride;
        loop(g);
      });
    };
    each(s.loops->gru_reset);
    if (!f.linear_before_reset) multiply(1, extra, stride, gates + s.groups[1].column, s.row);
    each(s.loops->gru_update);
  }
  void step_rnn(int64_t step, float* gates) const {
    multiply(0, h, f.hidden, gates, s.row);
    each_running(step, [&](int64_t i) {
      s.loops->bounded(function(0), f.clip, gates + i * s.row, f.hidden);
      std::copy_n(gates + i * s.row, f.hidden, h + i * f.hidden);
    });
  }

  void run() {
    start();
    std::byte* y = output(0);
    for (int64_t begin = 0; begin < longest; begin += s.steps_ahead) {
      const int64_t end = std::min(longest, begin + s.steps_ahead);
      look_ahead(begin, end);
      for (int64_t step = begin; step < end; ++step) {
        float* gates = sums + (step - begin) * count * s.row;
        if (f.cell == Cell::Lstm) step_lstm(step, gates);
        if (f.cell == Cell::Gru) step_gru(step, gates);
        if (f.cell == Cell::Rnn) step_rnn(step, gates);
        if (y == nullptr) continue;
        each_running(step, [&](int64_t i) { write(h + i * f.hidden, y, place(i, time_of(i, step))); });
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t time = length[i]; y != nullptr && time < f.steps; ++time) {
        std::memset(y + place(i, time) * value_bytes(), 0, static_cast<size_t>(f.hidden * value_bytes()));
      }
      if (length[i] == 0) {
        std::fill_n(h + i * f.hidden, f.hidden, 0.0f);
        std::fill_n(c + i * f.hidden, f.hidden, 0.0f);
      }
      const int64_t last = (direction * f.batch + first + i) * f.hidden;
      if (std::byte* y_h = output(1)) write(h + i * f.hidden, y_h, last);
      if (std::byte* y_c = output(2)) write(c + i * f.hidden, y_c, last);
    }
  }
};

void run_recurrent(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const RecurrentLayer& s = *static_cast<const RecurrentLayer*>(prepared.state.get());
  const int64_t first = tile % s.chunks * s.sequences;
  Pass pass{s, buffers, scratch, tile / s.chunks, first, std::min(s.sequences, s.form.batch - first)};
  pass.run();
}

#define ROWS(cpu, name, needs)                                                                       \
  {"LSTM", "lstm_" name, needs, accepts_recurrent, prepare_recurrent<cpu::kLoops>, run_recurrent},   \
      {"GRU", "gru_" name, needs, accepts_recurrent, prepare_recurrent<cpu::kLoops>, run_recurrent}, \
      {"RNN", "rnn_" name, needs, accepts_recurrent, prepare_recurrent<cpu::kLoops>, run_recurrent},
constexpr Kernel kRecurrentKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_recurrent_kernels() { return fast::kRecurrentKernels; }
}  // namespace openrknn
