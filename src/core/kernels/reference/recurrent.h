// What LSTM, GRU and RNN ask for, read from a call: shared by the reference and the fast kernels.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/kernels/reference/activation.h"
#include "core/kernels/reference/prepared.h"

namespace openrknn::reference {

enum class Cell : uint8_t { Lstm, Gru, Rnn };

struct Recurrent {
  Cell cell = Cell::Rnn;
  int64_t gates = 1, steps = 0, batch = 0, input = 0, hidden = 0, directions = 1;
  bool reverse_first = false;  ///< direction 0 walks backwards; direction 1 always does
  bool linear_before_reset = false, input_forget = false;
  float clip = std::numeric_limits<float>::infinity(), cell_clip = std::numeric_limits<float>::infinity();
  std::vector<std::string> names;  ///< activations, those of direction 0 first
  std::vector<double> alpha, beta;

  bool walks_backwards(int64_t direction) const { return direction == 1 || reverse_first; }
  size_t functions() const { return cell == Cell::Lstm ? 3 : cell == Cell::Gru ? 2 : 1; }
  Attributes parameters(size_t index) const { return {{"alpha", alpha[index]}, {"beta", beta[index]}}; }
};

inline Recurrent recurrent_of(const Call& call) {
  const Attributes& attributes = call.node.attributes;
  const Shape &x = call.inputs[0].shape, &r = call.inputs[2].shape;
  Recurrent s;
  s.cell = call.node.op == "LSTM" ? Cell::Lstm : call.node.op == "GRU" ? Cell::Gru : Cell::Rnn;
  s.gates = s.cell == Cell::Lstm ? 4 : s.cell == Cell::Gru ? 3 : 1;
  s.steps = x[0];
  s.batch = x[1];
  s.input = x[2];
  s.directions = r[0];
  s.hidden = r[2];
  s.reverse_first = string_attribute(attributes, "direction", "forward") == "reverse";
  s.linear_before_reset = int_attribute(attributes, "linear_before_reset", 0) != 0;
  s.input_forget = int_attribute(attributes, "input_forget", 0) != 0;
  if (has_attribute(attributes, "clip")) s.clip = static_cast<float>(float_attribute(attributes, "clip", 0));
  if (has_attribute(attributes, "cell_clip"))
    s.cell_clip = static_cast<float>(float_attribute(attributes, "cell_clip", 0));
  s.names = std::get<std::vector<std::string>>(attributes.find("activations")->second);
  s.alpha = floats_attribute(attributes, "activation_alpha");
  s.beta = floats_attribute(attributes, "activation_beta");
  return s;
}

/// Types both kernels take: any mixture of Float32 and Float16, outputs as the data.
inline bool accepts_recurrent(const Call& call) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.inputs[i].present) continue;
    if (i == 4 ? call.inputs[i].dtype != DType::Int32 : !is_float(call.inputs[i])) return false;
  }
  for (const Operand& output : call.outputs) {
    if (output.present && !same_dtype(output, call.inputs[0])) return false;
  }
  return true;
}

/// Steps that sequence `row` has: all, or what sequence_lens (a buffer that may be null) says, within 0 … steps.
inline int64_t sequence_length(const Recurrent& s, const std::byte* lengths, int64_t row) {
  if (lengths == nullptr) return s.steps;
  return std::clamp<int64_t>(reinterpret_cast<const int32_t*>(lengths)[row], 0, s.steps);
}

}  // namespace openrknn::reference
