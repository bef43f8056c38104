// A program of calls on the RKNN C API: any order, any argument, wrong handles, destroyed memory, two contexts and a
// matrix product at once. Every call must return; nothing may be read or written outside what a caller gave.
//
// Buffers are heap blocks of exactly the size the call is told, so a sanitizer sees every byte too many.
#include <fuzzer/FuzzedDataProvider.h>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "../tests/support/text_model.h"
#include "openrknn/extension.h"
#include "rknn_api.h"
#include "rknn_custom_op.h"
#include "rknn_matmul_api.h"

namespace openrknn {
namespace {

constexpr const char* kImage = R"(ir 1
input %image : i8[1,3,4,5] q(0.5, 3)
input %ids : i64[2]
%positive : i8[1,3,4,5] q(0.5, 3) = Relu(%image) fixed(low=3, high=127)
%same : i64[2,1] = Reshape(%ids) {shape=[2,1]}
output %positive
output %same
)";
constexpr const char* kWide = R"(ir 1
input %x : f16[1,20,2,3]
%y : f16[1,20,2,3] = Mul(%x, %x)
output %y
)";
constexpr const char* kNarrow = R"(ir 1
input %x : f16[1,20,1,2]
%y : f16[1,20,1,2] = Mul(%x, %x)
output %y
)";

/// A static model, one with two shape sets, one of three items.
const std::vector<std::string>& models() {
  static const std::vector<std::string>* const files = [] {
    Model dynamic = test::model_of(kWide);
    dynamic.variants.push_back(test::model_of(kNarrow).variants.front());
    Model batch = test::model_of(kWide);
    batch.batch = 3;
    return new std::vector<std::string>{test::file_bytes(test::model_of(kImage)), test::file_bytes(dynamic),
                                        test::file_bytes(batch)};
  }();
  return *files;
}

class Program {
 public:
  Program(const uint8_t* bytes, size_t size) : data_(bytes, size) {}

  void run() {
    for (int calls = 0; calls < 200 && data_.remaining_bytes() > 0; ++calls) {
      constexpr void (Program::*kCalls[])() = {
          &Program::init,       &Program::duplicate,    &Program::destroy,     &Program::query,
          &Program::set_inputs, &Program::run_model,    &Program::wait,        &Program::get_outputs,
          &Program::release,    &Program::make_memory,  &Program::drop_memory, &Program::bind,
          &Program::sync,       &Program::set_memories, &Program::set_shapes,  &Program::set_cores,
          &Program::matmul,     &Program::use_matmul,   &Program::ask_door,    &Program::customize};
      (this->*kCalls[data_.ConsumeIntegralInRange<size_t>(0, std::size(kCalls) - 1)])();
    }
    for (const rknn_context context : contexts_) rknn_destroy(context);
    for (const rknn_matmul_ctx context : products_) rknn_matmul_destroy(context);
    for (rknn_tensor_mem* memory : memories_) rknn_destroy_mem(0, memory);
  }

 private:
  template <class T>
  T number() {
    return data_.ConsumeIntegral<T>();
  }
  int small(int last) { return data_.ConsumeIntegralInRange(0, last); }
  /// One that is alive, one that was, or none that ever was.
  rknn_context context() {
    const int pick = small(9);
    if (pick == 0) return number<uint32_t>();
    if (pick == 1 && !products_.empty()) return products_.back();
    return contexts_.empty() ? 0 : contexts_[static_cast<size_t>(small(static_cast<int>(contexts_.size()) - 1))];
  }
  rknn_tensor_mem* memory() {
    if (memories_.empty() || small(15) == 0) return nullptr;
    return memories_[static_cast<size_t>(small(static_cast<int>(memories_.size()) - 1))];
  }
  /// Lives until the program ends.
  std::byte* buffer(size_t size) {
    buffers_.push_back(std::make_unique<std::byte[]>(size));
    std::memset(buffers_.back().get(), number<uint8_t>(), size);
    return buffers_.back().get();
  }
  /// An attribute as a query gives it, then perhaps spoilt.
  rknn_tensor_attr attribute(rknn_context of) {
    rknn_tensor_attr attr{};
    attr.index = static_cast<uint32_t>(small(2));
    constexpr int kQueries[] = {1, 2, 8, 9, 10, 11, 14, 15};
    rknn_query(of, static_cast<rknn_query_cmd>(kQueries[small(7)]), &attr, sizeof attr);
    switch (small(7)) {
      case 0:
        attr.type = static_cast<rknn_tensor_type>(small(RKNN_TENSOR_TYPE_MAX));
        break;
      case 1:
        attr.fmt = static_cast<rknn_tensor_format>(small(RKNN_TENSOR_FORMAT_MAX));
        break;
      case 2:
        attr.dims[small(RKNN_MAX_DIMS - 1)] = number<uint32_t>();
        break;
      case 3:
        attr.n_dims = number<uint32_t>();
        break;
      case 4:
        attr.w_stride = number<uint32_t>();
        attr.h_stride = static_cast<uint32_t>(small(9));
        break;
      case 5:
        attr.pass_through = 1;
        break;
      default:
        break;
    }
    return attr;
  }

  void init() {
    std::string model = models()[static_cast<size_t>(small(2))];
    if (small(15) == 0) model.resize(static_cast<size_t>(small(static_cast<int>(model.size()))));
    rknn_init_extend extend{};
    extend.ctx = context();
    extend.real_model_offset = small(3) == 0 ? number<int32_t>() : 0;
    extend.real_model_size = small(3) == 0 ? number<uint32_t>() : 0;
    const uint32_t flags = small(2) == 0 ? number<uint32_t>() : 0;
    rknn_context made = 0;
    if (model.empty() || contexts_.size() >= 8) return;
    if (rknn_init(&made, model.data(), static_cast<uint32_t>(model.size()),
                  flags & ~uint32_t{RKNN_FLAG_MODEL_BUFFER_ZERO_COPY},
                  small(1) == 0 ? nullptr : &extend) == RKNN_SUCC) {
      contexts_.push_back(made);
    }
  }
  void duplicate() {
    rknn_context from = context(), made = 0;
    if (contexts_.size() < 8 && rknn_dup_context(&from, &made) == RKNN_SUCC) contexts_.push_back(made);
  }
  void destroy() { rknn_destroy(context()); }  // the handle stays in the list: used after destroy, destroyed twice
  void query() {
    const uint32_t size = static_cast<uint32_t>(small(2) == 0 ? small(400) : 33040);
    rknn_query(context(), static_cast<rknn_query_cmd>(small(19)), size == 0 ? nullptr : buffer(size), size);
  }
  void set_inputs() {
    std::vector<rknn_input> inputs(static_cast<size_t>(small(3)));
    for (rknn_input& input : inputs) {
      input.index = static_cast<uint32_t>(small(3));
      input.size = static_cast<uint32_t>(small(2000));
      input.buf = small(20) == 0 ? nullptr : buffer(input.size);
      input.pass_through = static_cast<uint8_t>(small(1));
      input.type = static_cast<rknn_tensor_type>(small(RKNN_TENSOR_TYPE_MAX));
      input.fmt = static_cast<rknn_tensor_format>(small(RKNN_TENSOR_FORMAT_MAX));
    }
    rknn_inputs_set(context(), static_cast<uint32_t>(inputs.size()), inputs.data());
  }
  void run_model() {
    rknn_run_extend extend{};
    extend.non_block = small(1);
    extend.timeout_ms = small(2) == 0 ? 1 : 0;
    rknn_run(context(), small(1) == 0 ? nullptr : &extend);
  }
  void wait() {
    rknn_run_extend extend{};
    extend.frame_id = static_cast<uint64_t>(small(5));
    extend.timeout_ms = 1;
    rknn_wait(context(), &extend);
  }
  void get_outputs() {
    std::vector<rknn_output> outputs(static_cast<size_t>(small(3)));
    for (rknn_output& output : outputs) {
      output.want_float = static_cast<uint8_t>(small(1));
      output.is_prealloc = static_cast<uint8_t>(small(1));
      output.index = static_cast<uint32_t>(small(3));
      output.size = static_cast<uint32_t>(small(2000));
      output.buf = output.is_prealloc != 0 && small(9) > 0 ? buffer(output.size) : nullptr;
    }
    rknn_outputs_get(context(), static_cast<uint32_t>(outputs.size()), outputs.data(), nullptr);
    fetched_ = outputs;
  }
  void release() { rknn_outputs_release(context(), static_cast<uint32_t>(fetched_.size()), fetched_.data()); }
  void make_memory() {
    if (memories_.size() >= 16) return;
    const auto size = static_cast<uint32_t>(small(5000));
    rknn_tensor_mem* made = nullptr;
    switch (small(3)) {
      case 0:
        made = rknn_create_mem2(0, size, RKNN_MEM_FLAG_ALLOC_NO_CONTEXT);
        break;
      case 1:
        made = rknn_create_mem_from_phys(context(), number<uint32_t>(), size == 0 ? nullptr : buffer(size), size);
        break;
      case 2: {
        const rknn_tensor_mem* other = memory();
        made = rknn_create_mem_from_fd(context(), other == nullptr || dropped(other) ? -1 : other->fd, nullptr, size,
                                       small(9));
        break;
      }
      default:
        made = rknn_create_mem(context(), size);
    }
    if (made != nullptr) memories_.push_back(made);
  }
  bool dropped(const rknn_tensor_mem* memory) const {
    return std::find(dropped_.begin(), dropped_.end(), memory) != dropped_.end();
  }
  void drop_memory() {
    rknn_tensor_mem* const one = memory();
    if (one != nullptr) dropped_.push_back(one);
    rknn_destroy_mem(context(), one);
  }
  void bind() {
    const rknn_context of = context();
    rknn_tensor_attr attr = attribute(of);
    rknn_set_io_mem(of, memory(), &attr);
  }
  void sync() { rknn_mem_sync(context(), memory(), static_cast<rknn_mem_sync_mode>(small(3))); }
  void set_memories() {
    if (small(1) == 0) {
      rknn_set_weight_mem(context(), memory());
    } else {
      rknn_set_internal_mem(context(), memory());
    }
  }
  void set_shapes() {
    const rknn_context of = context();
    std::vector<rknn_tensor_attr> attrs;
    for (int i = small(2); i >= 0; --i) attrs.push_back(attribute(of));
    small(3) == 0 ? rknn_set_input_shape(of, attrs.data())
                  : rknn_set_input_shapes(of, static_cast<uint32_t>(attrs.size()), attrs.data());
  }
  void set_cores() {
    constexpr int kMasks[] = {0, 1, 2, 4, 3, 7, 0xffff};
    small(2) == 0 ? rknn_set_batch_core_num(context(), small(5) - 1)
                  : rknn_set_core_mask(context(), static_cast<rknn_core_mask>(kMasks[small(6)]));
  }
  void matmul() {
    rknn_matmul_info info{};
    info.M = small(5) - 1;
    info.K = small(5) * 32;
    info.N = small(5) * 32;
    info.type = static_cast<rknn_matmul_type>(small(15));
    info.B_layout = static_cast<int16_t>(small(3));
    info.AC_layout = static_cast<int16_t>(small(2));
    info.B_quant_type = static_cast<int16_t>(small(5));
    info.AC_quant_type = static_cast<int16_t>(small(1));
    info.group_size = static_cast<int16_t>(small(2) * 32);
    rknn_matmul_ctx made = 0;
    rknn_matmul_io_attr attr{};
    if (products_.size() < 4 && rknn_matmul_create(&made, &info, &attr) == RKNN_SUCC) {
      products_.push_back(made);
      product_attr_ = attr;
    }
  }
  void use_matmul() {
    const rknn_matmul_ctx of = products_.empty() || small(9) == 0 ? context() : products_.back();
    rknn_matmul_tensor_attr* const attrs[] = {&product_attr_.A, &product_attr_.B, &product_attr_.C};
    switch (small(4)) {
      case 0:
        rknn_matmul_run(of);
        break;
      case 1:
        rknn_matmul_set_core_mask(of, static_cast<rknn_core_mask>(small(7)));
        break;
      case 2: {
        rknn_quant_params params{};
        params.name[0] = "ABCx"[small(3)];
        params.scale_len = small(300) - 1;
        params.scale = small(9) == 0 ? nullptr : reinterpret_cast<float*>(buffer(sizeof(float) * 300));
        params.zp_len = small(300) - 1;
        params.zp = small(9) == 0 ? nullptr : reinterpret_cast<int32_t*>(buffer(sizeof(int32_t) * 300));
        rknn_matmul_set_quant_params(of, &params);
        break;
      }
      case 3:
        rknn_matmul_destroy(of);
        break;
      default: {
        rknn_matmul_tensor_attr attr = *attrs[small(2)];
        if (small(9) == 0) attr.size = number<uint32_t>();
        rknn_tensor_mem* mem = memory();
        if (small(1) == 0 && memories_.size() < 16) {
          mem = rknn_create_mem(of, attr.size % 100000);
          if (mem != nullptr) memories_.push_back(mem);
        }
        rknn_matmul_set_io_mem(of, mem, &attr);
      }
    }
  }
  void ask_door() {
    const openrknn_functions* door = nullptr;
    if (rknn_query(0, static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN), &door, sizeof door) != RKNN_SUCC) return;
    const auto ignore = [](void*, const openrknn_value*) {};
    switch (small(3)) {
      case 0:
        door->set_keep_values(context(), small(1));
        break;
      case 1:
        door->read_value(context(), small(1) == 0 ? "y" : "nothing", ignore, nullptr);
        break;
      case 2:
        door->set_profiling(context(), small(1));
        break;
      default:
        door->last_diagnostic();
    }
  }
  void customize() {
    rknn_custom_op op{};
    op.version = static_cast<uint32_t>(small(2));
    op.target = static_cast<rknn_target_type>(small(3));
    std::memcpy(op.op_type, "Relu", small(9) == 0 ? 0 : 5);
    op.compute = small(9) == 0 ? nullptr
                               : [](rknn_custom_op_context*, rknn_custom_op_tensor*, uint32_t, rknn_custom_op_tensor*,
                                    uint32_t) -> int { return 0; };
    rknn_register_custom_ops(context(), &op, static_cast<uint32_t>(small(1)));
  }

  FuzzedDataProvider data_;
  std::vector<rknn_context> contexts_;
  std::vector<rknn_matmul_ctx> products_;
  rknn_matmul_io_attr product_attr_{};
  std::vector<rknn_tensor_mem*> memories_;
  std::vector<const rknn_tensor_mem*> dropped_;
  std::vector<rknn_output> fetched_;
  std::vector<std::unique_ptr<std::byte[]>> buffers_;
};

}  // namespace
}  // namespace openrknn

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // Every refused call prints a line, as documented: not thousands a second here.
  return std::freopen("/dev/null", "w", stdout) == nullptr ? 1 : 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  openrknn::Program(data, size).run();
  return 0;
}
