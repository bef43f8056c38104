#include "core/executor/bound_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/hash.h"
#include "core/executor/layout_choice.h"
#include "core/kernels/weights.h"

namespace openrknn {
namespace {

constexpr uintptr_t kAlignment = 64, kReadablePadding = 64, kPage = 4096;

std::vector<int64_t> places_of(const std::vector<int>& order) {
  std::vector<int64_t> places(order.size());
  for (size_t i = 0; i < order.size(); ++i) places[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return places;
}

[[noreturn]] void refuse_attribute(std::string_view name, std::string_view problem) {
  fail(Code::GraphBadAttribute, fmt::format("attribute '{}' {}", name, problem));
}

int64_t place_of(int64_t dimension, const std::vector<int64_t>& places, std::string_view name) {
  const std::optional<int64_t> d = normalize_axis(dimension, static_cast<int64_t>(places.size()));
  if (!d) refuse_attribute(name, fmt::format("names dimension {} of {}", dimension, places.size()));
  return places[static_cast<size_t>(*d)];
}

// `list` holds `groups` runs of one entry per dimension.
template <class T>
std::vector<T> permute_entries(const std::vector<T>& list, const std::vector<int>& order, size_t groups,
                               std::string_view name) {
  if (list.size() != order.size() * groups) {
    refuse_attribute(name, fmt::format("has {} entries, expected {}", list.size(), order.size() * groups));
  }
  std::vector<T> permuted;
  for (size_t g = 0; g < groups; ++g) {
    for (const int d : order) permuted.push_back(list[g * order.size() + static_cast<size_t>(d)]);
  }
  return permuted;
}

void permute_attribute(Attribute& attribute, std::string_view name, std::string_view kind,
                       const std::vector<int>& input, const std::vector<int>& output) {
  const std::vector<int64_t> places = places_of(input);
  if (int64_t* axis = std::get_if<int64_t>(&attribute); axis != nullptr && kind == "one") {
    *axis = place_of(*axis, places, name);
  } else if (std::vector<int64_t>* ints = std::get_if<std::vector<int64_t>>(&attribute)) {
    if (kind == "list") {
      for (int64_t& d : *ints) d = place_of(d, places, name);
      std::sort(ints->begin(), ints->end());
    } else if (kind == "permutation") {
      std::vector<int64_t> perm;
      for (const int64_t d : permute_entries(*ints, output, 1, name)) perm.push_back(place_of(d, places, name));
      *ints = perm;
    } else {
      *ints = permute_entries(*ints, input, kind == "begin-end per dimension" ? 2 : 1, name);
    }
  } else if (std::vector<double>* floats = std::get_if<std::vector<double>>(&attribute)) {
    *floats = permute_entries(*floats, input, kind == "begin-end per dimension" ? 2 : 1, name);
  } else {
    refuse_attribute(name, "has a type that names no dimensions");
  }
}

// The dimension of `logical` data that entry `axis` of its parameters belongs to, as a place in memory.
QuantParams permuted_params(QuantParams quant, const Shape& logical, Form form) {
  const int64_t raised = quant.axis + form.rank - static_cast<int64_t>(logical.size());
  quant.axis = static_cast<int>(place_of(raised, places_of(physical_order(form.layout, form.rank)), "axis"));
  return quant;
}

Operand operand_of(BoundCall& bound, const Value& value, Form form) {
  Operand operand;
  operand.dtype = value.dtype;
  operand.layout = form.rank >= 3 ? form.layout : Layout::Logical;
  operand.shape = physical_shape(value.shape, form);
  if (value.quant) {
    const bool moved = value.quant->axis >= 0 && form.rank > 0;
    bound.quants.push_back(moved ? permuted_params(*value.quant, value.shape, form) : *value.quant);
    operand.quant = &bound.quants.back();
  }
  return operand;
}

// Reading past the end is safe where the bytes that follow lie in the page of the last one.
bool may_be_read_in_place(const Tensor& tensor) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor.bytes().data()), end = begin + tensor.bytes().size();
  const bool padded = end % kPage != 0 && end % kPage + kReadablePadding <= kPage;
  return begin % kAlignment == 0 && padded;
}

std::byte* aligned(std::byte* data) {
  return data + (kAlignment - reinterpret_cast<uintptr_t>(data) % kAlignment) % kAlignment;
}

// What `make` gives, aligned and padded, kept in Weights under the tensor's identity and `what` was done to it.
Tensor kept_copy(const Tensor& tensor, std::string_view what, const Shape& shape, Weights& weights,
                 const std::function<Tensor()>& make) {
  const size_t size = tensor.bytes().size();
  const std::string key = fmt::format("executor {} {} {}", what, Weights::identity(tensor), to_string(tensor.shape()));
  const Weights::Packed packed = weights.get(key, [&] {
    std::vector<std::byte> bytes(size + kAlignment + kReadablePadding);
    if (size > 0) std::memcpy(aligned(bytes.data()), make().bytes().data(), size);
    return bytes;
  });
  // The cast serves aligned() alone: nothing writes through this pointer.
  const std::byte* data = aligned(const_cast<std::byte*>(packed->data()));
  return Tensor::view(tensor.dtype(), shape, {data, size}, packed);
}

/// Weights that a layer of floats keeps as codes (docs/arithmetic.md, "Weights alone").
bool reads_coded_weights(const Graph& graph, const Node& node, size_t input) {
  if (input != 1 || (node.op != "Conv" && node.op != "ConvTranspose" && node.op != "MatMul")) return false;
  const Value& weights = graph[node.inputs[1]];
  return weights.constant && weights.quant && is_floating(graph[node.inputs[0]].dtype);
}

/// The same numbers as floats of the data's type, kept once for all plans. Weights are logical in every layout.
Tensor decoded_weights(const Value& value, DType dtype, Weights& weights) {
  const Tensor& codes = *value.constant;
  std::string key = fmt::format("executor decoded {} {} {} {}", name(dtype), Weights::identity(codes),
                                to_string(codes.shape()), value.quant->group);
  key += fmt::format(" {}", hash64(std::as_bytes(std::span(value.quant->scale))));
  const Weights::Packed packed = weights.get(key, [&] {
    const Tensor decoded = decode_weights(codes, *value.quant, dtype);
    std::vector<std::byte> bytes(decoded.bytes().size() + kAlignment + kReadablePadding);
    std::memcpy(aligned(bytes.data()), decoded.bytes().data(), decoded.bytes().size());
    return bytes;
  });
  const std::byte* data = aligned(const_cast<std::byte*>(packed->data()));
  return Tensor::view(dtype, codes.shape(), {data, static_cast<size_t>(byte_size(dtype, codes.size()))}, packed);
}

}  // namespace

NodeForms forms_of(const Graph& graph, const Node& node, Layout layout, std::span<const Layout> value_layouts) {
  const OpSchema* schema = find_schema(node.op);
  const auto rank_of = [&](ValueId id) { return static_cast<int64_t>(graph[id].shape.size()); };
  NodeForms forms;
  int64_t rank = 0;
  for (const ValueId output : node.outputs) {
    forms.outputs.push_back(output == ValueId::None ? Form{} : Form{layout, rank_of(output)});
    rank = std::max(rank, forms.outputs.back().rank);
  }
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    Form form;
    if (input != ValueId::None) {
      const bool follows = layout != Layout::Logical && schema != nullptr && follows_layout(*schema, i);
      form = follows ? Form{layout, std::max(rank, rank_of(input))} : Form{Layout::Logical, rank_of(input)};
      if (is_mover(node)) form = {value_layouts[static_cast<size_t>(input)], rank_of(input)};
    }
    forms.inputs.push_back(form);
  }
  return forms;
}

void bind(BoundCall& bound, const Graph& graph, NodeId id, const NodeForms& forms, Weights& weights) {
  bound.node = graph[id];
  for (size_t i = 0; i < bound.node.inputs.size(); ++i) {
    const ValueId input = bound.node.inputs[i];
    if (input == ValueId::None) {
      bound.inputs.push_back({.present = false});
      continue;
    }
    bound.inputs.push_back(operand_of(bound, graph[input], forms.inputs[i]));
    if (reads_coded_weights(graph, bound.node, i)) {
      bound.constants.push_back(decoded_weights(graph[input], graph[bound.node.inputs[0]].dtype, weights));
      bound.inputs.back().dtype = bound.constants.back().dtype();
      bound.inputs.back().quant = nullptr;
      bound.inputs.back().constant = &bound.constants.back();
    } else if (graph[input].constant) {
      bound.constants.push_back(constant_in_form(*graph[input].constant, forms.inputs[i], weights));
      bound.inputs.back().constant = &bound.constants.back();
    }
  }
  for (size_t i = 0; i < bound.node.outputs.size(); ++i) {
    const ValueId output = bound.node.outputs[i];
    bound.outputs.push_back(output == ValueId::None ? Operand{.present = false}
                                                    : operand_of(bound, graph[output], forms.outputs[i]));
  }
  const OpSchema* schema = find_schema(bound.node.op);
  if (schema == nullptr || schema->dimension_attributes.empty() || forms.inputs.empty() || forms.outputs.empty()) {
    return;
  }
  const Form in = forms.inputs[0], out = forms.outputs[0];
  if (in.layout == Layout::Logical && out.layout == Layout::Logical) return;
  if (bound.node.op == "Transpose") bound.node.attributes["perm"] = permutation_of(bound.node, in.rank);
  try {
    permute_attributes(bound.node.attributes, schema->dimension_attributes, physical_order(in.layout, in.rank),
                       physical_order(out.layout, out.rank));
  } catch (Error& error) {
    for (Diagnostic& diagnostic : error.diagnostics) diagnostic.where = graph.where(id);
    throw Error(std::move(error.diagnostics));
  }
}

void permute_attributes(Attributes& attributes, std::string_view dimension_attributes, const std::vector<int>& input,
                        const std::vector<int>& output) {
  while (!dimension_attributes.empty()) {
    const std::string_view entry = dimension_attributes.substr(0, dimension_attributes.find(','));
    dimension_attributes.remove_prefix(std::min(dimension_attributes.size(), entry.size() + 1));
    const size_t colon = entry.find(':');
    const auto found = attributes.find(entry.substr(0, colon));
    if (colon != std::string_view::npos && found != attributes.end()) {
      permute_attribute(found->second, entry.substr(0, colon), entry.substr(colon + 1), input, output);
    }
  }
}

Tensor constant_in_form(const Tensor& tensor, Form form, Weights& weights) {
  const Form logical{Layout::Logical, tensor.rank()};
  if (memory_order(tensor.shape(), logical) == memory_order(tensor.shape(), form)) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor.bytes().data());
    const Tensor& whole =
        begin % 8 == 0 ? tensor : readable_constant(tensor, weights);  // values<T>() wants whole words
    return whole.reshaped(physical_shape(tensor.shape(), form));
  }
  const std::string what = fmt::format("layout {} {}", static_cast<int>(form.layout), form.rank);
  return kept_copy(tensor, what, physical_shape(tensor.shape(), form), weights, [&] {
    return transpose(tensor.reshaped(unsqueezed(tensor.shape(), form)), physical_order(form.layout, form.rank));
  });
}

Tensor readable_constant(const Tensor& tensor, Weights& weights) {
  if (may_be_read_in_place(tensor)) return tensor;
  return kept_copy(tensor, "as is", tensor.shape(), weights, [&] { return tensor; });
}

}  // namespace openrknn
