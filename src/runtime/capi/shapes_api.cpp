// Models with several sets of input shapes: which there are, which is active.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/capi/attributes.h"
#include "runtime/capi/guard.h"
#include "runtime/capi/shapes.h"

namespace openrknn::capi {
namespace {

using Dims = std::vector<uint32_t>;

Dims dims_of(const rknn_tensor_attr& attr) {
  return {attr.dims, attr.dims + std::min<uint32_t>(attr.n_dims, RKNN_MAX_DIMS)};
}

/// Is that the shape of this input in a variant? NCHW may be given where NHWC is what a query says.
bool names_shape(const rknn_tensor_attr& given, const rknn_tensor_attr& known) {
  const Dims wanted = dims_of(given), own = dims_of(known);
  if (wanted == own) return true;
  if (known.fmt != RKNN_TENSOR_NHWC || given.fmt != RKNN_TENSOR_NCHW || wanted.size() != 4) return false;
  return wanted == Dims{own[0], own[3], own[1], own[2]};
}

size_t variants(const Context& context) { return context.model().variants.size(); }

/// The documented text, with the shapes of every input that fits none.
[[noreturn]] void refuse_shapes(const Context& context, std::span<const rknn_tensor_attr> given) {
  std::string text;
  for (size_t i = 0; i < given.size(); ++i) {
    const uint32_t index = given[i].index;
    const auto fits = [&](size_t variant) { return names_shape(given[i], variant_attr(context, index, variant)); };
    bool found = false;
    for (size_t variant = 0; variant < variants(context); ++variant) found = found || fits(variant);
    // Shapes that exist but not together: all inputs are shown.
    const bool others_fit = text.empty() && i + 1 == given.size();
    if (found && !others_fit && given.size() > 1) continue;
    const rknn_tensor_attr own = variant_attr(context, index, 0);
    text += fmt::format("{}rknn_set_input_shapes error, input name = {} input supported input shapes are as follows:\n",
                        text.empty() ? "" : "\n", own.name);
    for (size_t variant = 0; variant < variants(context); ++variant) {
      const rknn_tensor_attr known = variant_attr(context, index, variant);
      text += fmt::format(" shape = [{}], layout = {}\n", fmt::join(dims_of(known), ","), get_format_string(known.fmt));
    }
    text += fmt::format("while get rknn_tensor_attr[{}].name = {}, dims = [{}], fmt = {}", i, own.name,
                        fmt::join(dims_of(given[i]), ", "), get_format_string(given[i].fmt));
  }
  throw ApiError(RKNN_ERR_FAIL, Code::RuntimeBadInput, text);
}

void activate(ContextState& state, size_t variant) {
  Context& context = *state.context;
  if (variant == context.variant()) return;
  context.set_variant(variant);
  // Row pitches of bound inputs belong to the former shape; outputs stay bound where their memory is large enough.
  std::fill(state.input_bindings.begin(), state.input_bindings.end(), std::nullopt);
}

void require_input(const Context& context, const rknn_tensor_attr& attr) {
  if (attr.index >= count(context, Side::Input)) {
    fail(Code::RuntimeBadArgument, fmt::format("there is no input {}", attr.index));
  }
  require_enumerators(attr.type, attr.fmt);
}

void set_shapes(ContextState& state, std::span<const rknn_tensor_attr> given) {
  const Context& context = *state.context;
  if (given.size() != count(context, Side::Input)) {
    fail(Code::RuntimeBadArgument, fmt::format("{} shapes for {} inputs", given.size(), count(context, Side::Input)));
  }
  std::vector<bool> named(given.size());
  for (const rknn_tensor_attr& attr : given) {
    require_input(context, attr);
    if (named[attr.index]) fail(Code::RuntimeBadArgument, fmt::format("input {} is given twice", attr.index));
    named[attr.index] = true;
  }
  for (size_t variant = 0; variant < variants(context); ++variant) {
    const auto fits = [&](const rknn_tensor_attr& attr) {
      return names_shape(attr, variant_attr(context, attr.index, variant));
    };
    if (std::all_of(given.begin(), given.end(), fits)) return activate(state, variant);
  }
  refuse_shapes(context, given);
}

void set_one_shape(ContextState& state, const rknn_tensor_attr& given) {
  const Context& context = *state.context;
  require_input(context, given);
  for (size_t variant = 0; variant < variants(context); ++variant) {
    if (names_shape(given, variant_attr(context, given.index, variant))) return activate(state, variant);
  }
  refuse_shapes(context, {&given, 1});
}

}  // namespace

void query_dynamic_range(const Context& context, rknn_input_range& range) {
  if (!context.loaded()->is_dynamic()) {
    // Programs probe with this at every load: a warning, not an error, and a code of its own.
    ApiError error(RKNN_ERR_MODEL_INVALID, Code::RuntimeBadArgument,
                   "query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn model is static shape type, please export rknn "
                   "with dynamic_shapes");
    error.expected = true;
    throw error;
  }
  const uint32_t index = range.index;
  if (index >= count(context, Side::Input)) {
    fail(Code::RuntimeBadArgument,
         fmt::format("there is no input {}, the model has {}", index, count(context, Side::Input)));
  }
  range = {};
  range.index = index;
  range.shape_number = static_cast<uint32_t>(variants(context));
  for (size_t variant = 0; variant < variants(context); ++variant) {
    const rknn_tensor_attr attr = variant_attr(context, index, variant);
    range.fmt = attr.fmt;
    range.n_dims = attr.n_dims;
    std::copy(attr.dims, attr.dims + RKNN_MAX_DIMS, range.dyn_range[variant]);
    std::copy(attr.name, attr.name + RKNN_MAX_NAME_LEN, range.name);
  }
}

}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_set_input_shapes(rknn_context context, uint32_t n_inputs, rknn_tensor_attr attr[]) {
  return with_context("rknn_set_input_shapes", context, [&](ContextState& state) {
    require_pointer(attr, "attr");
    set_shapes(state, {attr, n_inputs});
  });
}

// Of one input: the first set of shapes that has this one becomes active.
int rknn_set_input_shape(rknn_context context, rknn_tensor_attr* attr) {
  return with_context("rknn_set_input_shape", context, [&](ContextState& state) {
    require_pointer(attr, "attr");
    set_one_shape(state, *attr);
  });
}
