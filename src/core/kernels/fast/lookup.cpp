// Functions of one Int8 code, on every CPU: 256 results, looked up. The reference computes them when the plan is made.
// Unary functions, Convert from codes, and arithmetic with one constant number.
#include <array>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

struct LookupState {
  /// Codes to codes; the loops of the CPU where there are any.
  void (*map_codes)(const CodeTable&, const int8_t* in, int8_t* out, int64_t count) = nullptr;
  reference::Body<LookupState> body = nullptr;
  size_t operand = 0;              ///< the one that varies
  std::vector<std::byte> results;  ///< by code as an unsigned byte
  reference::Tiles tiles;
};
const LookupState& lookup_of(const Prepared& prepared) {
  return *static_cast<const LookupState*>(prepared.state.get());
}

/// T: any type as large as a result.
template <class T>
void map(const T* results, const uint8_t* x, T* y, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {  // all reads before any write: the compiler cannot know that they do not meet
    uint8_t codes[8];
    T some[8];
    std::memcpy(codes, x + i, sizeof(codes));
    for (size_t j = 0; j < 8; ++j) some[j] = results[codes[j]];
    std::memcpy(y + i, some, sizeof(some));
  }
  for (; i < count; ++i) y[i] = results[x[i]];
}
void map_bytes(const CodeTable& table, const int8_t* in, int8_t* out, int64_t count) {
  map(table.data(), reinterpret_cast<const uint8_t*>(in), out, count);
}
template <class T>
void run_lookup(const LookupState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const int64_t begin = s.tiles.begin(tile);
  map(reinterpret_cast<const T*>(s.results.data()), reference::input<uint8_t>(buffers, s.operand) + begin,
      reference::output<T>(buffers) + begin, s.tiles.end(tile) - begin);
}

// ---- Codes to codes: the table is all there is, so tables of calls that follow each other become one.

const CodeTable& table_of(const LookupState& s) { return *reinterpret_cast<const CodeTable*>(s.results.data()); }
void map_elements(const LookupState& s, std::span<const Buffer> buffers, const Stretches& elements) {
  const int8_t* x = reference::input<int8_t>(buffers, s.operand);
  for (int64_t i = 0; i < elements.count; ++i) {
    const int64_t first = elements.first + i * elements.step;
    s.map_codes(table_of(s), x + first, reference::output<int8_t>(buffers) + first, elements.length);
  }
}
void run_lookup_elements(const Prepared& prepared, std::span<const Buffer> buffers, const Stretches& elements,
                         std::byte*) {
  map_elements(lookup_of(prepared), buffers, elements);
}
void run_codes(const LookupState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  map_elements(s, buffers, reference::written_by(s.tiles, tile));
}
Prepared then(const Prepared& first, const CodeTable& second) {
  LookupState s = lookup_of(first);
  for (std::byte& result : s.results) {
    result = static_cast<std::byte>(second[static_cast<uint8_t>(result)]);
  }
  Prepared both = first;
  both.table = std::make_shared<const CodeTable>(table_of(s));
  both.state = std::make_shared<const LookupState>(std::move(s));
  return both;
}

/// The operand that varies; no value unless it is one of codes as large as the output, and all others are constants.
std::optional<size_t> varying_operand(const Call& call) {
  std::optional<size_t> varying;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const Operand& operand = call.inputs[i];
    if (!operand.present || operand.constant != nullptr) continue;
    if (varying || !reference::is_codes(operand)) return std::nullopt;
    if (element_count(operand.shape) != element_count(call.outputs[0].shape)) return std::nullopt;
    varying = i;
  }
  return varying;
}
/// kNumber: the constants are single numbers, not tables.
template <bool kNumber>
bool accepts_lookup(const Call& call) {
  const std::optional<size_t> varying = varying_operand(call);
  if (!varying || reference::whole_bytes(call.outputs[0].dtype) == 0) return false;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const bool constant = i != *varying && call.inputs[i].present;
    if (kNumber && constant && element_count(call.inputs[i].shape) != 1) return false;
  }
  return choose_kernel(reference_kernels(), call, 0) != nullptr;
}

/// What the reference makes of the codes 0, 1, …, 127, -128, …, -1.
std::vector<std::byte> results_of(const Call& call, size_t varying, Weights& weights) {
  Tensor codes(DType::Int8, {256});
  for (size_t i = 0; i < 256; ++i) codes.mutable_values<int8_t>()[i] = static_cast<int8_t>(i);
  std::vector<Operand> inputs(call.inputs.begin(), call.inputs.end());
  std::vector<Operand> outputs(call.outputs.begin(), call.outputs.end());
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].layout = Layout::Logical;
    if (i == varying)
      tensors.push_back(codes);
    else
      tensors.push_back(inputs[i].present ? inputs[i].constant->reshaped({inputs[i].constant->size()}) : Tensor());
    if (inputs[i].present) inputs[i].shape = tensors.back().shape();
    if (inputs[i].constant != nullptr) inputs[i].constant = &tensors.back();
  }
  outputs[0].shape = {256};
  outputs[0].layout = Layout::Logical;
  const Call all{call.node, inputs, outputs, call.law, call.ideal};
  const Tensor results = run_kernel(*choose_kernel(reference_kernels(), all, 0), all, tensors, weights)[0];
  return {results.bytes().begin(), results.bytes().end()};
}
Prepared prepare_with(const Call& call, Weights& weights, decltype(LookupState::map_codes) map_codes) {
  LookupState s;
  s.map_codes = map_codes;
  s.operand = *varying_operand(call);
  s.results = results_of(call, s.operand, weights);
  s.tiles.total = element_count(call.outputs[0].shape);
  const int64_t result_bytes = reference::whole_bytes(call.outputs[0].dtype);
  reference::visit_size(result_bytes, [&]<class T>(reference::Tag<T>) { s.body = run_lookup<T>; });
  const size_t operand = s.operand;
  const int64_t tiles = s.tiles.count();
  Prepared prepared;
  if (result_bytes == 1) {
    s.body = run_codes;
    const auto table = std::make_shared<const CodeTable>(table_of(s));
    prepared = reference::make_prepared(std::move(s), tiles, 0, static_cast<int>(operand));
    prepared.run_elements = run_lookup_elements;
    prepared.element_inputs = uint32_t{1} << operand;
    if (call.outputs[0].dtype == DType::Int8) {
      prepared.table = table;
      prepared.then = then;
    }
  } else {
    prepared = reference::make_prepared(std::move(s), tiles);
  }
  prepared.written = [](const Prepared& p, int64_t tile) { return reference::written_by(lookup_of(p).tiles, tile); };
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (i != operand) prepared.unread_inputs |= uint32_t{1} << i;
  }
  return prepared;
}
Prepared prepare_lookup(const Call& call, Weights& weights) { return prepare_with(call, weights, map_bytes); }
template <const InnerLoops& kLoops>
Prepared prepare_by(const Call& call, Weights& weights) {
  return prepare_with(call, weights, kLoops.map_codes);
}

/// To codes: where the loops of the CPU are made for them.
template <bool kNumber>
bool accepts_lookup_codes(const Call& call) {
  return reference::whole_bytes(call.outputs[0].dtype) == 1 && accepts_lookup<kNumber>(call);
}

constexpr std::string_view kOneInput[] = {
    "Convert", "LeakyRelu", "Elu",  "Selu",     "Celu",      "HardSigmoid", "Sigmoid", "ThresholdedRelu",
    "Tanh",    "Softplus",  "SiLU", "Softsign", "HardSwish", "Mish",        "Gelu",    "Neg",
    "Abs",     "Relu",      "Clip"};
/// With one constant number.
constexpr std::string_view kWithNumber[] = {"PRelu", "Add", "Sub", "Mul", "Max", "Min"};

/// One row an operator for the CPU kind, or for every CPU and every size of results.
template <const InnerLoops* kLoops>
constexpr auto rows_of(std::string_view name, CpuFeatures needs) {
  std::array<Kernel, std::size(kOneInput) + std::size(kWithNumber)> rows;
  size_t count = 0;
  const auto add = [&](std::string_view op, auto accepts_any, auto accepts_bytes) {
    if constexpr (kLoops == nullptr)
      rows[count++] = {op, name, needs, accepts_any, prepare_lookup, reference::run_body<LookupState>};
    else
      rows[count++] = {op, name, needs, accepts_bytes, prepare_by<*kLoops>, reference::run_body<LookupState>};
  };
  for (const std::string_view op : kOneInput) add(op, accepts_lookup<false>, accepts_lookup_codes<false>);
  for (const std::string_view op : kWithNumber) add(op, accepts_lookup<true>, accepts_lookup_codes<true>);
  return rows;
}
template <size_t... kSizes>
constexpr auto join(const std::array<Kernel, kSizes>&... parts) {
  std::array<Kernel, (kSizes + ...)> all;
  size_t count = 0;
  const auto append = [&](const auto& part) {
    for (const Kernel& row : part) all[count++] = row;
  };
  (append(parts), ...);
  return all;
}
#define ROWS(cpu, name, needs) rows_of<&cpu::kLoops>("lookup_i8_" name, needs),
constexpr auto kLookupKernels =
    join(OPENRKNN_FAST_BYTE_CPUS(ROWS) OPENRKNN_FAST_CPUS(ROWS) rows_of<nullptr>("lookup_i8", 0));
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_lookup_kernels() { return fast::kLookupKernels; }
}  // namespace openrknn
