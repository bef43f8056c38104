// Inputs, runs, outputs, and the memory they may lie in.
#include <algorithm>
#include <cstring>

#include "call.h"
#include "elements.h"

namespace openrknn::stub {
namespace {

void keep_busy(int64_t nanoseconds) {
  if (nanoseconds <= 0) return;
  const int64_t end = now_ns() + nanoseconds;
  while (now_ns() < end) {
  }
}

std::byte* data(const rknn_tensor_mem& mem) { return static_cast<std::byte*>(mem.virt_addr) + mem.offset; }

int set_input(Context& context, const rknn_input& input, bool copy) {
  if (input.index >= context.inputs.size() || input.buf == nullptr) return RKNN_ERR_INPUT_INVALID;
  const rknn_tensor_attr& attr = context.inputs[input.index];
  const rknn_tensor_type type = input.pass_through != 0 ? attr.type : input.type;
  const uint32_t width = element_bytes(type);
  if (width == 0) return RKNN_ERR_INPUT_INVALID;
  const uint32_t wanted = attr.n_elems * width;
  if (input.size < wanted) return RKNN_ERR_PARAM_INVALID;
  Given& given = context.given[input.index];
  const uint32_t taken = copy ? wanted : std::min<uint32_t>(wanted, 8);
  given.bytes.resize(std::max<uint32_t>(taken, 8));  // 8: the tag may be read as a word
  std::memcpy(given.bytes.data(), input.buf, taken);
  given.type = type;
  given.fmt = input.pass_through != 0 || input.fmt == RKNN_TENSOR_UNDEFINED ? attr.fmt : input.fmt;
  given.set = true;
  control().counters.bytes_in += input.size;
  return RKNN_SUCC;
}

/// An input as the run sees it; no bytes if there is none.
struct Seen {
  const std::byte* bytes = nullptr;
  size_t size = 0;
  rknn_tensor_attr attr{};
};

/// The attribute of an input in the layout it was handed over in.
rknn_tensor_attr as_given(rknn_tensor_attr attr, const Given& given) {
  attr.type = given.type;
  if (attr.n_dims == 4 && attr.fmt == RKNN_TENSOR_NHWC && given.fmt == RKNN_TENSOR_NCHW) {
    const uint32_t* const d = attr.dims;
    const Dims dims = {d[0], d[3], d[1], d[2]};
    attr.fmt = RKNN_TENSOR_NCHW;
    set_dims(attr, dims);
  } else if (attr.n_dims == 4 && attr.fmt == RKNN_TENSOR_NCHW && given.fmt == RKNN_TENSOR_NHWC) {
    const uint32_t* const d = attr.dims;
    const Dims dims = {d[0], d[2], d[3], d[1]};
    attr.fmt = RKNN_TENSOR_NHWC;
    set_dims(attr, dims);
  }
  attr.w_stride = 0;  // rows of rknn_inputs_set are dense
  return attr;
}

Seen see(const Context& context, const std::vector<Given>& given, size_t index) {
  const Bound& bound = context.bound_inputs[index];
  if (bound.mem != nullptr) return {data(*bound.mem), bound.mem->size, bound.attr};
  if (!given[index].set) return {};
  const std::vector<std::byte>& bytes = given[index].bytes;
  return {bytes.data(), bytes.size(), as_given(context.inputs[index], given[index])};
}

/// `attr`: how the output is wanted. `bytes` has room for that.
void fill_output(const Context& context, size_t index, Fill fill, const rknn_tensor_attr& attr, std::byte* bytes) {
  const Layout layout(attr, context.outputs[index]);
  const size_t elements = layout.elements();
  if (fill == Fill::Zero) std::memset(bytes, 0, elements * element_bytes(attr.type));
  if (fill == Fill::Tag) {
    for (size_t i = 0; i < elements; ++i) write_element(bytes, attr.type, i, context.tag);
  }
  if (fill == Fill::Echo) {
    std::memset(bytes, 0, elements * element_bytes(attr.type));
    const size_t source = std::min(index, context.inputs.size() - 1);
    const Seen seen = see(context, context.ran, source);
    const Layout from(seen.attr, context.inputs[source]);
    // Too few bytes: with copy=0 there is nothing to echo.
    if (seen.bytes != nullptr && from.elements() * element_bytes(seen.attr.type) <= seen.size) {
      echo(from, seen.bytes, seen.attr.type, layout, bytes, attr.type);
    }
  }
  if (elements > 0) write_element(bytes, attr.type, 0, context.tag);
}

/// What the run leaves behind: the tag, the inputs to echo, bound outputs.
void compute(Context& context, const Settings& settings, uint32_t& word) {
  const Seen first = see(context, context.given, 0);
  context.tag = first.bytes == nullptr ? 0 : read_element(first.bytes, first.attr.type, 0);
  if (first.bytes != nullptr) std::memcpy(&word, first.bytes, std::min<size_t>(sizeof word, first.size));
  if (settings.fill == Fill::Echo) {
    context.ran = context.given;
  } else {
    context.ran.resize(context.given.size());
  }
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    const Bound& bound = context.bound_outputs[i];
    if (bound.mem != nullptr) fill_output(context, i, settings.fill, bound.attr, data(*bound.mem));
  }
}

int check(const Context& context, const Settings& settings) {
  for (auto* bounds : {&context.bound_inputs, &context.bound_outputs}) {
    for (const Bound& bound : *bounds) {
      if (bound.mem != nullptr && !registry().has_mem(bound.mem)) return RKNN_ERR_PARAM_INVALID;
    }
  }
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    const bool there = context.given[i].set || context.bound_inputs[i].mem != nullptr;
    if (!there && settings.missing_input != 0) return settings.missing_input;
  }
  return RKNN_SUCC;
}

int run(Call& call) {
  Context& context = call.context();
  const Settings settings = control().settings();
  uint32_t mask = 0;
  {
    const std::scoped_lock lock(context.data);
    const int code = check(context, settings);
    if (code != RKNN_SUCC) return code;
    mask = context.core_mask;
  }
  const int64_t number = control().counters.calls[static_cast<size_t>(Api::Run)].load(std::memory_order_relaxed);
  const Cores::Lease lease = cores().acquire(mask, context.model->cores);
  stub_job job{0, lease.lowest(), context.handle, lease.start_ns, 0};
  {
    const std::scoped_lock lock(context.data);
    compute(context, settings, job.tag);
  }
  const int released_with = call.must_block() ? control().wait_for_release() : 0;
  const int64_t latency = control().latency_ns(job.core, number);
  // Without a latency the core is free as soon as the call is through it.
  job.end_ns = call.must_block() || latency == 0 ? now_ns() : lease.start_ns + latency;
  sleep_until_ns(job.end_ns);
  control().record(job);  // while it has the core, so that jobs of a core are recorded in their order
  cores().release(lease, job.end_ns);
  const std::scoped_lock lock(context.data);
  context.last_run_us = (job.end_ns - job.start_ns) / 1000;
  context.has_run = true;
  ++context.frames;
  return released_with;
}

int get_output(const Context& context, size_t index, rknn_output& output, const Settings& settings) {
  rknn_tensor_attr attr = context.outputs[index];
  if (output.want_float != 0) attr.type = RKNN_TENSOR_FLOAT32;
  const uint32_t size = attr.n_elems * element_bytes(attr.type);
  attr.w_stride = 0;
  if (output.is_prealloc != 0) {
    if (output.buf == nullptr || output.size < size) return RKNN_ERR_OUTPUT_INVALID;
  } else {
    output.buf = registry().add_output(size);
    if (output.buf == nullptr) return RKNN_ERR_MALLOC_FAIL;
    output.size = size;
  }
  fill_output(context, index, settings.fill, attr, static_cast<std::byte*>(output.buf));
  keep_busy(settings.output_ns_per_kib * size / 1024);
  control().counters.bytes_out += size;
  return RKNN_SUCC;
}

/// By index if the indices are distinct and valid, else by position.
bool by_index(uint32_t count, const rknn_output* outputs, size_t exist) {
  uint64_t seen = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t index = outputs[i].index;
    if (index >= std::min<size_t>(exist, 64) || (seen >> index & 1) != 0) return false;
    seen |= uint64_t{1} << index;
  }
  return true;
}

/// Bytes a bound tensor needs.
uint64_t bytes_of(const rknn_tensor_attr& attr, const rknn_tensor_attr& logical) {
  return static_cast<uint64_t>(Layout(attr, logical).elements()) * element_bytes(attr.type);
}

int bind(Context& context, rknn_tensor_mem* mem, const rknn_tensor_attr* attr) {
  if (attr == nullptr) return RKNN_ERR_PARAM_INVALID;
  const auto named = [&](const std::vector<rknn_tensor_attr>& attrs) {
    return attr->index < attrs.size() && std::strncmp(attrs[attr->index].name, attr->name, RKNN_MAX_NAME_LEN) == 0;
  };
  const bool is_input = named(context.inputs);
  if (!is_input && !named(context.outputs)) return RKNN_ERR_PARAM_INVALID;
  const rknn_tensor_attr& logical = is_input ? context.inputs[attr->index] : context.outputs[attr->index];
  if (element_bytes(attr->type) == 0 || mem->size < bytes_of(*attr, logical)) return RKNN_ERR_PARAM_INVALID;
  (is_input ? context.bound_inputs : context.bound_outputs)[attr->index] = {mem, *attr};
  return RKNN_SUCC;
}

}  // namespace
}  // namespace openrknn::stub

using namespace openrknn::stub;

STUB_EXPORT int rknn_inputs_set(rknn_context context, uint32_t count, rknn_input inputs[]) {
  Call call(Api::InputsSet, context);
  if (call.code() != RKNN_SUCC) return call.code();
  if (inputs == nullptr || count == 0) return call.finish(RKNN_ERR_PARAM_INVALID);
  const Settings settings = control().settings();
  const std::scoped_lock lock(call.context().data);
  for (uint32_t i = 0; i < count; ++i) {
    const int code = set_input(call.context(), inputs[i], settings.copy);
    if (code != RKNN_SUCC) return call.finish(code);
    keep_busy(settings.input_ns_per_kib * inputs[i].size / 1024);
  }
  return call.finish(RKNN_SUCC);
}

STUB_EXPORT int rknn_run(rknn_context context, rknn_run_extend* extend) {
  Call call(Api::Run, context);
  if (call.code() != RKNN_SUCC) return call.code();
  const int code = run(call);
  const std::scoped_lock lock(call.context().data);
  if (extend != nullptr) extend->frame_id = call.context().frames;
  return call.finish(code);
}

STUB_EXPORT int rknn_wait(rknn_context context, rknn_run_extend*) {
  Call call(Api::Wait, context);
  return call.code();  // every run has ended when it returned
}

STUB_EXPORT int rknn_outputs_get(rknn_context context, uint32_t count, rknn_output outputs[],
                                 rknn_output_extend* extend) {
  Call call(Api::OutputsGet, context);
  if (call.code() != RKNN_SUCC) return call.code();
  Context& of = call.context();
  const std::scoped_lock lock(of.data);
  if (outputs == nullptr || count == 0 || count > of.outputs.size()) return call.finish(RKNN_ERR_PARAM_INVALID);
  if (!of.has_run) return call.finish(RKNN_ERR_FAIL);
  const Settings settings = control().settings();
  const bool indexed = by_index(count, outputs, of.outputs.size());
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t index = indexed ? outputs[i].index : i;
    outputs[i].index = index;
    const int code = get_output(of, index, outputs[i], settings);
    if (code != RKNN_SUCC) return call.finish(code);
  }
  if (extend != nullptr) extend->frame_id = of.frames;
  return call.finish(RKNN_SUCC);
}

STUB_EXPORT int rknn_outputs_release(rknn_context context, uint32_t count, rknn_output outputs[]) {
  Call call(Api::OutputsRelease, context);
  if (call.code() == RKNN_ERR_CTX_INVALID) return call.code();
  for (uint32_t i = 0; outputs != nullptr && i < count; ++i) {
    if (outputs[i].is_prealloc != 0 || outputs[i].buf == nullptr) continue;
    if (registry().remove_output(outputs[i].buf)) outputs[i].buf = nullptr;
  }
  return call.code();
}

STUB_EXPORT rknn_tensor_mem* rknn_create_mem(rknn_context context, uint32_t size) {
  const Call call(Api::CreateMem, context);
  if (call.code() != RKNN_SUCC || size == 0) return nullptr;
  return registry().add_mem(size, nullptr, RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE, -1, 0, 0);
}

STUB_EXPORT rknn_tensor_mem* rknn_create_mem2(rknn_context context, uint64_t size, uint64_t flags) {
  const bool needs_context = (flags & RKNN_MEM_FLAG_ALLOC_NO_CONTEXT) == 0;
  const Call call(Api::CreateMem2, context, needs_context);
  if (call.code() != RKNN_SUCC || size == 0) return nullptr;
  return registry().add_mem(size, nullptr, RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE, -1, 0, 0);
}

STUB_EXPORT rknn_tensor_mem* rknn_create_mem_from_fd(rknn_context context, int32_t fd, void* address, uint32_t size,
                                                     int32_t offset) {
  const Call call(Api::CreateMemFromFd, context);
  if (call.code() != RKNN_SUCC || fd < 0 || address == nullptr || offset < 0) return nullptr;
  return registry().add_mem(size, address, RKNN_TENSOR_MEMORY_FLAGS_FROM_FD, fd, offset, 0);
}

STUB_EXPORT rknn_tensor_mem* rknn_create_mem_from_phys(rknn_context context, uint64_t physical, void* address,
                                                       uint32_t size) {
  const Call call(Api::CreateMemFromPhys, context);
  if (call.code() != RKNN_SUCC || address == nullptr) return nullptr;
  return registry().add_mem(size, address, RKNN_TENSOR_MEMORY_FLAGS_FROM_PHYS, -1, 0, physical);
}

STUB_EXPORT int rknn_destroy_mem(rknn_context context, rknn_tensor_mem* mem) {
  Call call(Api::DestroyMem, context, false);  // memory may outlive its context
  if (!registry().remove_mem(mem)) {
    ++control().counters.bad_handles;
    return call.finish(RKNN_ERR_PARAM_INVALID);
  }
  return call.code();
}

STUB_EXPORT int rknn_set_io_mem(rknn_context context, rknn_tensor_mem* mem, rknn_tensor_attr* attr) {
  Call call(Api::SetIoMem, context);
  if (call.code() != RKNN_SUCC) return call.code();
  if (!registry().has_mem(mem)) {
    ++control().counters.bad_handles;
    return call.finish(RKNN_ERR_PARAM_INVALID);
  }
  const std::scoped_lock lock(call.context().data);
  return call.finish(bind(call.context(), mem, attr));
}

STUB_EXPORT int rknn_mem_sync(rknn_context context, rknn_tensor_mem* mem, rknn_mem_sync_mode) {
  Call call(Api::MemSync, context, false);
  if (call.code() != RKNN_SUCC) return call.code();
  return call.finish(registry().has_mem(mem) ? RKNN_SUCC : RKNN_ERR_PARAM_INVALID);
}
