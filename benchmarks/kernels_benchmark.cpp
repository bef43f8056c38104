// Speed of every kernel row this CPU can run, by shape: GFLOP/s or GOP/s (two operations a product), one thread.
//   kernels_benchmark --benchmark_filter=conv_float
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/kernels/kernel.h"

namespace openrknn {
namespace {

struct Layer {
  const char* name;
  const char* op;
  int64_t h, w, c, oc, k = 1, stride = 1, pad = 0, groups = 1;
  double operations() const {
    return 2.0 * static_cast<double>((h + 2 * pad - k) / stride + 1) *
           static_cast<double>((w + 2 * pad - k) / stride + 1) * static_cast<double>(oc * (c / groups) * k * k);
  }
};
// ResNet-50, MobileNetV2, YOLOv8n, ViT. A matrix product is one line of w rows.
const Layer kLayers[] = {
    {"7x7s2_224_3-64", "Conv", 224, 224, 3, 64, 7, 2, 3},
    {"3x3s2_640_3-16", "Conv", 640, 640, 3, 16, 3, 2, 1},
    {"3x3_56_64-64", "Conv", 56, 56, 64, 64, 3, 1, 1},
    {"3x3_28_128-128", "Conv", 28, 28, 128, 128, 3, 1, 1},
    {"3x3_14_256-256", "Conv", 14, 14, 256, 256, 3, 1, 1},
    {"3x3_7_512-512", "Conv", 7, 7, 512, 512, 3, 1, 1},
    {"3x3_80_32-32", "Conv", 80, 80, 32, 32, 3, 1, 1},
    {"1x1_56_64-256", "Conv", 56, 56, 64, 256},
    {"1x1_56_256-64", "Conv", 56, 56, 256, 64},
    {"1x1_28_512-128", "Conv", 28, 28, 512, 128},
    {"1x1_7_512-2048", "Conv", 7, 7, 512, 2048},
    {"1x1_112_32-16", "Conv", 112, 112, 32, 16},
    {"1x1_56_24-144", "Conv", 56, 56, 24, 144},
    {"1x1_7_320-1280", "Conv", 7, 7, 320, 1280},
    {"dw3x3_112_32", "Conv", 112, 112, 32, 32, 3, 1, 1, 32},
    {"dw3x3_56_144", "Conv", 56, 56, 144, 144, 3, 1, 1, 144},
    {"dw3x3s2_56_144", "Conv", 56, 56, 144, 144, 3, 2, 1, 144},
    {"dw3x3_14_576", "Conv", 14, 14, 576, 576, 3, 1, 1, 576},
    {"dw3x3_7_960", "Conv", 7, 7, 960, 960, 3, 1, 1, 960},
    {"fc_1x2048-1000", "MatMul", 1, 1, 2048, 1000},
    {"mm_197x192-576", "MatMul", 1, 197, 192, 576},
    {"mm_197x768-768", "MatMul", 1, 197, 768, 768},
    {"mm_128x384-1536", "MatMul", 1, 128, 384, 1536},
};

struct Subject {
  Node node;
  std::vector<Tensor> inputs;
  std::vector<QuantParams> quants;
  std::vector<Operand> operands, outputs;
  Shape output_shape;

  Subject(const Layer& layer, DType dtype) {
    node.name = node.op = layer.op;
    const bool conv = node.op == "Conv";
    const int64_t oh = (layer.h + 2 * layer.pad - layer.k) / layer.stride + 1;
    const int64_t ow = (layer.w + 2 * layer.pad - layer.k) / layer.stride + 1;
    if (conv) {
      node.attributes["strides"] = std::vector<int64_t>{layer.stride, layer.stride};
      node.attributes["pads"] = std::vector<int64_t>(4, layer.pad);
      node.attributes["group"] = layer.groups;
    }
    const DType bias = dtype == DType::Int8 ? DType::Int32 : DType::Float32;
    const Shape x = conv ? Shape{1, layer.h, layer.w, layer.c} : Shape{layer.w, layer.c};
    const Shape w = conv ? Shape{layer.oc, layer.c / layer.groups, layer.k, layer.k} : Shape{layer.c, layer.oc};
    inputs = {fill(dtype, x), fill(dtype, w), fill(bias, {layer.oc})};
    output_shape = conv ? Shape{1, oh, ow, layer.oc} : Shape{layer.w, layer.oc};
    if (dtype == DType::Int8) {
      FixedPoint fixed;
      fixed.channel.assign(static_cast<size_t>(layer.oc), 12345);
      fixed.scale = {{20000, 24}};
      fixed.low = -128;
      fixed.high = 127;
      node.fixed = fixed;
      quants = {{{0.1}, {-5}}, {{0.1}, {3}}, {{0.1}, {7}}};
    } else {
      node.attributes["activation"] = std::string("Relu");
    }
    const Layout layout = conv ? Layout::ChannelsLast : Layout::Logical;
    for (size_t i = 0; i < 3; ++i) {
      Operand operand{inputs[i].dtype(), inputs[i].shape(), i == 0 ? layout : Layout::Logical};
      if (!quants.empty() && i < 2) operand.quant = &quants[i];
      if (i > 0) operand.constant = &inputs[i];
      operands.push_back(operand);
    }
    Operand y{dtype, output_shape, layout};
    if (!quants.empty()) y.quant = &quants[2];
    outputs.push_back(y);
  }
  Call call() const { return {node, operands, outputs, node.fixed ? &all_laws()[0] : nullptr}; }

  static Tensor fill(DType dtype, const Shape& shape) {
    Tensor tensor(DType::Int32, shape);
    uint32_t state = 1;
    for (int32_t& v : tensor.mutable_values<int32_t>()) {
      state = state * 1664525u + 1013904223u;
      v = static_cast<int32_t>(state >> 24) - 128;
    }
    return cast(tensor, dtype);
  }
};

struct AlignedFree {
  void operator()(std::byte* p) const { std::free(p); }
};
using Memory = std::unique_ptr<std::byte, AlignedFree>;
Memory allocate(int64_t bytes) {
  const size_t size = (static_cast<size_t>(bytes) + 64 + 4095) / 4096 * 4096;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(4096, size)));
  std::memset(memory.get(), 0, size);
  return memory;
}

void run(benchmark::State& state, const Kernel& row, const Layer& layer, DType dtype) {
  const Subject subject(layer, dtype);
  Weights weights;
  const Prepared prepared = row.prepare(subject.call(), weights);
  std::vector<Memory> memory;
  std::vector<Buffer> buffers;
  for (const Tensor& input : subject.inputs) {
    memory.push_back(allocate(static_cast<int64_t>(input.bytes().size())));
    std::memcpy(memory.back().get(), input.bytes().data(), input.bytes().size());
    buffers.push_back({memory.back().get()});
  }
  memory.push_back(allocate(byte_size(dtype, element_count(subject.output_shape))));
  buffers.push_back({memory.back().get()});
  const Memory scratch = allocate(prepared.scratch);
  for (auto _ : state) {
    for (int64_t tile = 0; tile < prepared.tiles; ++tile) row.run(prepared, buffers, tile, scratch.get());
  }
  state.counters["G/s"] = benchmark::Counter(layer.operations() * static_cast<double>(state.iterations()) * 1e-9,
                                             benchmark::Counter::kIsRate);
  state.counters["tiles"] = static_cast<double>(prepared.tiles);
}

void add_benchmarks() {
  for (const Layer& layer : kLayers) {
    for (const DType dtype : {DType::Float32, DType::Float16, DType::Int8}) {
      const Subject subject(layer, dtype);
      for (const Kernel& row : builtin_kernels()) {
        const bool reference = row.name.find("reference") != std::string_view::npos;
        if (reference || row.op != layer.op || (row.needs & ~detect_cpu()) != 0 || !row.accepts(subject.call()))
          continue;
        if (layer.groups > 1 && row.name.find("depthwise") == std::string_view::npos) continue;
        const std::string text = std::string(row.name) + '/' + std::string(name(dtype)) + '/' + layer.name;
        benchmark::RegisterBenchmark(text.c_str(), run, row, layer, dtype)->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

}  // namespace
}  // namespace openrknn

int main(int argc, char** argv) {
  openrknn::add_benchmarks();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
