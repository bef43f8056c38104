// Where nodes run on a SoC, and which limit keeps them from the NPU.
#include "core/targets/placement.h"

#include <gtest/gtest.h>

#include "core/graph/text.h"
#include "core/targets/layer_work.h"

namespace openrknn {
namespace {

/// The placement of the graph's last node.
NodePlacement place_last(std::string_view text, std::string_view target, DType dtype = DType::Int8) {
  const Graph graph = parse_graph("ir 1\n" + std::string(text));
  return place_node(graph, graph.order().back(), *find_target(target), dtype);
}

std::string words(std::string_view text, std::string_view target, DType dtype = DType::Int8) {
  return to_string(place_last(text, target, dtype), *find_target(target));
}

std::string conv(std::string_view input, std::string_view weight, std::string_view output,
                 std::string_view attributes) {
  return "input %x : f32" + std::string(input) + "\n%w : f32" + std::string(weight) + " = fill(0.5)\n%y : f32" +
         std::string(output) + " = Conv(%x, %w) {" + std::string(attributes) + "}\noutput %y\n";
}

TEST(Placement, AConvWithinItsLimitsIsOnTheNpu) {
  const std::string text = conv("[1,8,16,16]", "[16,8,3,3]", "[1,16,16,16]", "pads=[1,1,1,1]");
  for (const Target& target : all_targets()) {
    const bool quantized = supports(target, Scheme::W8A8);
    EXPECT_EQ(place_last(text, target.name, quantized ? DType::Int8 : DType::Float16).place, Place::Npu) << target.name;
  }
}

TEST(Placement, LargeStridesAreTakenApartAndSaySo) {
  const NodePlacement placement =
      place_last(conv("[1,8,32,32]", "[16,8,16,16]", "[1,16,2,2]", "strides=[16,16]"), "rk3588");
  EXPECT_EQ(placement.place, Place::Npu);
  EXPECT_EQ(placement.form, "in pieces (stride in height is 16, expected 1 to 7)");
}

TEST(Placement, ALimitIsToldWithItsNumbersAndACure) {
  const NodePlacement placement =
      place_last(conv("[1,8,128,128]", "[16,8,3,3]", "[1,16,64,64]", "dilations=[32,32]"), "rk3588");
  EXPECT_EQ(placement.place, Place::Cpu);
  ASSERT_EQ(placement.exceeded.size(), 2u);
  EXPECT_EQ(to_string(placement.exceeded[0]), "dilation in height is 32, expected 1 to 31");
  EXPECT_FALSE(placement.exceeded[0].cure.empty());
}

TEST(Placement, TheFirstLayerHasToFitTheBufferBesideItsKernel) {
  const std::string text = conv("[1,3,8,8192]", "[16,3,3,3]", "[1,16,6,8190]", "");
  EXPECT_EQ(words(text, "rk3588"),
            "on the CPU of RK3588: width times kernel height of the first layer is 24576, expected up to 18432");
  EXPECT_EQ(place_last(conv("[1,3,8,6144]", "[16,3,3,3]", "[1,16,6,6142]", ""), "rk3588").place, Place::Npu);
}

TEST(Placement, WhereTheSmallRuntimesHaveNoKernelNothingIsPossible) {
  const std::string text = "input %x : f32[1,8,4,4]\n%y : f32[1,8,4,4] = Sin(%x)\noutput %y\n";
  EXPECT_EQ(place_last(text, "rk3588", DType::Float16).place, Place::Cpu);
  EXPECT_EQ(words(text, "rv1106"), "not on RV1106: operator is Sin in int8, expected one an NPU has");
}

TEST(Placement, BroadcastingFollowsTheVendorsForms) {
  const auto add = [](std::string_view a, std::string_view b, std::string_view y) {
    return "input %a : f32" + std::string(a) + "\ninput %b : f32" + std::string(b) + "\n%y : f32" + std::string(y) +
           " = Add(%a, %b)\noutput %y\n";
  };
  EXPECT_EQ(place_last(add("[1,8,4,4]", "[1,8,1,1]", "[1,8,4,4]"), "rk3588").place, Place::Npu);
  EXPECT_EQ(place_last(add("[1,8,4,4]", "[1,1,1,4]", "[1,8,4,4]"), "rk3588").place, Place::Npu);
  // The channel alone is not among them.
  EXPECT_EQ(place_last(add("[1,8,4,4]", "[1,1,4,4]", "[1,8,4,4]"), "rk3588").place, Place::Cpu);
}

TEST(Placement, ATransposeOfFewerDimensionsIsJudgedByAnyWayItCanStandAmongFour) {
  const auto transpose = [](std::string_view from, std::string_view to, std::string_view perm) {
    return "input %x : f32" + std::string(from) + "\n%y : f32" + std::string(to) +
           " = Transpose(%x) {perm=" + std::string(perm) + "}\noutput %y\n";
  };
  // [1,192,196] to [1,196,192] as [1,192,1,196], w in front of c: within RK3588's limits, not within RK3568's.
  const std::string swap = transpose("[1,192,196]", "[1,196,192]", "[0,2,1]");
  EXPECT_EQ(place_last(swap, "rk3588").place, Place::Npu);
  EXPECT_EQ(place_last(swap, "rk3568").place, Place::Cpu);
  // The product of height and width that RK3588 refuses and RK3576 takes.
  const std::string large = transpose("[1,64,300,300]", "[1,64,300,300]", "[0,1,3,2]");
  EXPECT_EQ(place_last(large, "rk3588", DType::Float16).place, Place::Cpu);
  const std::string aligned = transpose("[1,64,256,200]", "[1,64,200,256]", "[0,1,3,2]");
  EXPECT_EQ(place_last(aligned, "rk3588").place, Place::Cpu);
  EXPECT_EQ(place_last(aligned, "rk3576").place, Place::Npu);
  // Neighbours that stay neighbours are one dimension: six here are two that swap.
  const std::string six = transpose("[1,2,2,3,5,1]", "[1,3,5,1,2,2]", "[0,3,4,5,1,2]");
  EXPECT_EQ(place_last(six, "rk3588").place, Place::Npu);
}

TEST(Placement, WhatIsAskedForIsNotAFault) {
  Graph graph = parse_graph("ir 1\n" + conv("[1,8,16,16]", "[16,8,3,3]", "[1,16,16,16]", "pads=[1,1,1,1]"));
  graph[graph.order().back()].placement = Placement::Cpu;
  const NodePlacement placement = place_node(graph, graph.order().back(), *find_target("rk3588"), DType::Int8);
  EXPECT_EQ(placement.place, Place::Cpu);
  EXPECT_TRUE(placement.asked);
  EXPECT_TRUE(placement.exceeded.empty());
}

TEST(LayerWork, LanesAreFilledUpAndFewChannelsShareTheRow) {
  // 33 input channels take two rounds of 32 lanes, 33 outputs two of 32: 9 taps * 2 * 2 * 256 pixels.
  const Graph graph = parse_graph("ir 1\n" + conv("[1,33,16,16]", "[33,33,3,3]", "[1,33,16,16]", "pads=[1,1,1,1]"));
  const Target& target = *find_target("rk3588");
  const std::vector<LayerWork> works = work_of(graph, target, types_of_graph(graph));
  ASSERT_EQ(works.size(), 1u);
  EXPECT_EQ(works[0].products, 33 * 33 * 9 * 256);
  EXPECT_EQ(works[0].array_steps, 9.0 * 2 * 3 * 256);  // float32 counts as sixteen bits: 16 output lanes
  const Graph pixels = parse_graph("ir 1\n" + conv("[1,3,16,16]", "[16,3,3,3]", "[1,16,16,16]", "pads=[1,1,1,1]"));
  // Three pixels of three channels a row: one step a row of the kernel.
  EXPECT_EQ(work_of(pixels, target, types_of_graph(pixels))[0].array_steps, 3.0 * 256);
}

const std::string kAttentionLayer =
    "input %q : f32[2,3,65,40]\ninput %k : f32[2,3,40,70]\ninput %v : f32[2,3,70,33]\n"
    "%y : f32[2,3,65,33] = Attention(%q, %k, %v) {scale=1}\noutput %y\n";

TEST(Placement, AttentionAsOneLayerIsForTheNpusThatKeepItsScores) {
  for (const Target& target : all_targets()) {
    const bool keeps = target.name == "rk3562" || target.name == "rk3576" || target.name == "rv1126b";
    EXPECT_EQ(place_last(kAttentionLayer, target.name, DType::Float16).place, keeps ? Place::Npu : Place::None)
        << target.name;
  }
}

TEST(LayerWork, AttentionIsTwoProductsWhoseScoresStayInside) {
  const Graph graph = parse_graph("ir 1\n" + kAttentionLayer);
  const Target& target = *find_target("rk3576");
  const LayerWork work = work_of(graph, target, types_of_graph(graph)).front();
  const int64_t rows = 2 * 3 * 65, scores = rows * 70;
  EXPECT_EQ(work.products, scores * 40 + scores * 33);
  EXPECT_EQ(work.curve_results, scores);
  // 32 input lanes, 16 output lanes of sixteen bits: 40 by 70, then 70 by 33.
  EXPECT_EQ(target.macs_per_cycle, 1024);
  EXPECT_EQ(work.array_steps, static_cast<double>(rows) * (2 * 5 + 3 * 3));
  EXPECT_EQ(work.bytes(), cube_bytes({2, 3, 65, 40}, DType::Float32, target) +
                              cube_bytes({2, 3, 70, 40}, DType::Float32, target) +
                              cube_bytes({2, 3, 70, 33}, DType::Float32, target) +
                              cube_bytes({2, 3, 65, 33}, DType::Float32, target));
}

TEST(LayerWork, AResidualBehindAPlainLayerIsAddedInItsOutputStage) {
  const std::string head = "input %x : f32[1,8,4,4]\n%w : f32[8,8,1,1] = fill(0.5)\n%c : f32[1,8,4,4] = Conv(%x, %w)";
  const auto fused = [&](std::string_view activation) {
    const Graph graph =
        parse_graph("ir 1\n" + head + std::string(activation) + "\n%y : f32[1,8,4,4] = Add(%c, %x)\noutput %y\n");
    const ElementTypes types = {.value = [](ValueId) { return DType::Int8; },
                                .node = [](NodeId) { return DType::Int8; }};
    return work_of(graph, *find_target("rk3588"), types).back().fused_into != NodeId::None;
  };
  EXPECT_TRUE(fused(""));
  EXPECT_FALSE(fused(" {activation=\"SiLU\"}"));
}

}  // namespace
}  // namespace openrknn
