// Every layer of an estimate lies under the roof of its type, and words say what it waits for.
#include "core/targets/roofline.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "core/graph/text.h"

namespace openrknn {
namespace {

constexpr std::string_view kConvolutions = R"(ir 1
input %x : f32[1,3,64,64]
%w1 : f32[32,3,3,3] = fill(0.5)
%w2 : f32[32,1,3,3] = fill(0.5)
%w3 : f32[64,32,1,1] = fill(0)
%w4 : f32[64,64,2,2] = fill(0.5)
%w5 : f32[64,8,3,3] = fill(0.5)
%w6 : f32[1024,1024] = fill(0.5)
%a : f32[1,32,64,64] = Conv(%x, %w1) {activation="SiLU", pads=[1,1,1,1]}
%b : f32[1,32,64,64] = Conv(%a, %w2) {group=32, pads=[1,1,1,1]}
%c : f32[1,64,64,64] = Conv(%b, %w3) {}
%d : f32[1,64,128,128] = ConvTranspose(%c, %w4) {strides=[2,2]}
%e : f32[1,64,64,64] = MaxPool(%d) {kernel_shape=[2,2], strides=[2,2]}
%f : f32[1,64,64,64] = Conv(%e, %w5) {group=8, pads=[1,1,1,1]}
%g : f32[1,64,64,64] = Add(%f, %c)
%h : f32[1,1,256,1024] = Reshape(%g) {shape=[1,1,256,1024]}
%y : f32[1,1,256,1024] = MatMul(%h, %w6)
output %y
)";

constexpr std::string_view kAttentionGraph = R"(ir 1
input %q : f32[2,3,65,40]
input %k : f32[2,3,40,70]
input %v : f32[2,3,70,33]
%y : f32[2,3,65,33] = Attention(%q, %k, %v) {scale=1}
output %y
)";

Roofline roofline(std::string_view text, const Target& target, DType dtype, int cores = 1, bool sparse = false) {
  const Graph graph = parse_graph(text);
  const ElementTypes types{
      .value = [dtype](ValueId) { return dtype; }, .node = [dtype](NodeId) { return dtype; }, .sparse = sparse};
  return roofline_of(cost_of_model(graph, target, types, cores), graph, target, "build", cores);
}

Roofline roofline(std::string_view text, std::string_view target, DType dtype = DType::Int8) {
  return roofline(text, *find_target(target), dtype);
}

const RooflineLayer& layer_of(const Roofline& roofline, std::string_view op) {
  for (const RooflineLayer& layer : roofline.layers) {
    if (layer.op == op) return layer;
  }
  throw std::runtime_error(fmt::format("no layer is {}", op));
}

TEST(Roofline, NoLayerReachesMoreThanItsRoofAllows) {
  int64_t dots = 0;
  for (const Target& target : all_targets()) {
    for (const DType dtype : {DType::Int8, DType::Int16, DType::Float16}) {
      for (int cores = 1; cores <= target.cores; ++cores) {
        for (const bool sparse : {false, true}) {
          const Roofline found = roofline(kConvolutions, target, dtype, cores, sparse);
          const Roofline attention = roofline(kAttentionGraph, target, dtype, cores, sparse);
          for (const RooflineLayer& layer : attention.layers) {
            EXPECT_TRUE(layer.place != Place::Npu || layer.products_per_second() <= attention.roof_over(layer));
          }
          for (const RooflineLayer& layer : found.layers) {
            if (layer.place != Place::Npu) continue;
            ++dots;
            EXPECT_LE(layer.products_per_second(), found.roof_over(layer)) << fmt::format(
                "{} {} on {}, {} cores, sparse {}", layer.name, numpy_name(dtype), target.name, cores, sparse);
            EXPECT_FALSE(layer.limit.empty());
          }
        }
      }
    }
  }
  EXPECT_GT(dots, 500);
}

TEST(Roofline, TheRoofsAreThePeaksOfTheTypesThatAreUsed) {
  const Roofline eight = roofline(kConvolutions, "rk3588"), sixteen = roofline(kConvolutions, "rk3588", DType::Float16);
  ASSERT_EQ(eight.roofs.size(), 1u);
  ASSERT_EQ(sixteen.roofs.size(), 1u);
  EXPECT_DOUBLE_EQ(eight.roofs[0].products_per_second, 1024e9);  // 1024 multipliers at a gigahertz
  EXPECT_DOUBLE_EQ(sixteen.roofs[0].products_per_second, 512e9);
  EXPECT_NEAR(eight.bytes_per_second, 33.2e9, 0.1e9);
  EXPECT_DOUBLE_EQ(roofline(kConvolutions, *find_target("rk3588"), DType::Int8, 3).roofs[0].products_per_second,
                   3072e9);
}

TEST(Roofline, ProductsThatSparseWeightsSkipHaveARoofOfTheirOwn) {
  const Roofline found = roofline(kConvolutions, *find_target("rk3588"), DType::Int8, 1, true);
  ASSERT_EQ(found.roofs.size(), 2u);
  EXPECT_FALSE(found.roofs[0].sparse);
  EXPECT_TRUE(found.roofs[1].sparse);
  EXPECT_DOUBLE_EQ(found.roofs[1].products_per_second, 2 * found.roofs[0].products_per_second);
  EXPECT_EQ(std::ranges::count_if(found.layers, &RooflineLayer::sparse), 1);  // %w3 is nothing but zeros
}

TEST(Roofline, TimesOfLayersAndTheRunsOwnAddUp) {
  const Roofline found = roofline(kConvolutions, "rk3568");
  double sum = found.run_microseconds;
  for (const RooflineLayer& layer : found.layers) sum += layer.microseconds;
  EXPECT_NEAR(sum, found.microseconds, 1e-6 * sum);
  for (const RooflineLayer& layer : found.layers) EXPECT_NE(layer.op, "Reshape") << "a view takes no time";
}

TEST(Roofline, LayersThatMultiplyNothingLieAtZeroUnderARoofAllTheSame) {
  const Roofline found = roofline(R"(ir 1
input %x : f32[1,16,64,64]
%y : f32[1,16,32,32] = MaxPool(%x) {kernel_shape=[2,2], strides=[2,2]}
output %y
)",
                                  "rk3588");
  ASSERT_EQ(found.layers.size(), 1u);
  EXPECT_EQ(found.layers[0].intensity(), 0);
  EXPECT_EQ(found.layers[0].products_per_second(), 0);
  EXPECT_EQ(found.roof_over(found.layers[0]), 0);
  ASSERT_EQ(found.roofs.size(), 1u);
}

TEST(Roofline, WhatIsOnTheCpuHasNoRoofAndSaysWhy) {
  const Roofline found = roofline(R"(ir 1
input %x : f32[1,8,128,128]
%w : f32[16,8,3,3] = fill(0.5)
%y : f32[1,16,66,66] = Conv(%x, %w) {dilations=[32,32], pads=[1,1,1,1]}
output %y
)",
                                  "rk3588");
  ASSERT_EQ(found.layers.size(), 1u);
  EXPECT_TRUE(found.roofs.empty());
  EXPECT_EQ(found.layers[0].bottleneck, Bottleneck::Cpu);
  EXPECT_TRUE(found.layers[0].limit.starts_with("on the CPU of RK3588: dilation in height is 32"))
      << found.layers[0].limit;
}

TEST(Roofline, WordsSayWhatALayerWaitsFor) {
  const Roofline found = roofline(kConvolutions, "rk3588");
  EXPECT_EQ(layer_of(found, "Conv").limit, "the output stage: the table of SiLU");
  EXPECT_EQ(layer_of(found, "MaxPool").limit, "the output stage: the windows of a pool");
  EXPECT_EQ(layer_of(found, "MatMul").limit,
            "memory: mostly inputs, and the buffer is too small to read everything once");
  const Roofline dense = roofline(R"(ir 1
input %x : f32[1,64,64,64]
%w : f32[64,64,3,3] = fill(0.5)
%y : f32[1,64,64,64] = Conv(%x, %w) {pads=[1,1,1,1]}
output %y
)",
                                  "rk3588");
  EXPECT_EQ(layer_of(dense, "Conv").limit, "the multipliers, nearly all of them busy");
}

TEST(Roofline, MultipliersDoNoMoreThanThereAreOfThem) {
  // Depthwise layers take two rows of 32; the smallest array has one of them in 16 bits.
  const Target& target = *find_target("rk2118");
  EXPECT_EQ(products_per_step(target, DType::Float16), 32);
  const Graph graph = parse_graph(kConvolutions);
  const ElementTypes types{.value = [](ValueId) { return DType::Float16; },
                           .node = [](NodeId) { return DType::Float16; }};
  for (const LayerWork& work : work_of(graph, target, types)) {
    EXPECT_LE(static_cast<double>(work.products), work.array_steps * 32) << graph[work.node].name;
  }
}

}  // namespace
}  // namespace openrknn
