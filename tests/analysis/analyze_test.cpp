// The analysis of whole graphs: golden beside what quantize makes of it.
#include "compiler/analysis/analyze.h"

#include <map>

#include "compiler/analysis/error_table.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

using test::Dice;

constexpr std::string_view kResidualNet = R"(ir 1
input %x : f32[1,3,16,16]
origin conv0 : Conv %raw0
origin relu0 : Relu %c0
origin conv1 : Conv %c1
origin conv2 : Conv %c2
origin sum : Add %a
origin flat : Reshape %f
origin soft : Softmax %s
%w0 : f32[8,3,3,3] = random(1)
%b0 : f32[8] = random(2)
%c0 = Conv(%x, %w0, %b0) {activation="Relu", pads=[1,1,1,1]} from [conv0, relu0]
%w1 : f32[8,8,3,3] = random(3)
%c1 = Conv(%c0, %w1) {pads=[1,1,1,1]} from [conv1]
%w2 : f32[8,8,3,3] = random(4)
%c2 = Conv(%c1, %w2) {pads=[1,1,1,1]} from [conv2]
%a = Add(%c2, %c0) from [sum]
%f = Reshape(%a) {shape=[8,256]} from [flat]
%s = Softmax(%f) {axis=1} from [soft]
output %s
output %c1
)";

struct Case {
  test::Built built;
  test::MemorySamples samples;
};

Case make(std::string_view text, bool quantize = true, int count = 3) {
  Graph golden = parse_graph(text);
  Dice dice(5);
  test::MemorySamples samples = test::uniform_samples(golden, dice, count);
  if (quantize) return {test::build(std::move(golden), samples), std::move(samples)};
  test::Built built{std::move(golden), {}, {}, {}};
  built.precision = assign_precision(built.golden, test::target(), {.quantize = false});
  built.quantized = openrknn::quantize(built.golden, built.precision, {}, {});
  lower(built.quantized, test::target());
  return {std::move(built), std::move(samples)};
}

Analysis analyze(const Case& given, const RowVisitor& visit = {}, int threads = 1) {
  ThreadPool pool(threads);
  const Graph &golden = given.built.golden, &built = given.built.quantized;
  return openrknn::analyze(golden, built, arithmetic_of(test::target()), layer_rows(golden, built), given.samples, pool,
                           {}, visit);
}

const AnalyzedLayer& layer(const Analysis& analysis, std::string_view tensor, std::string_view op = {}) {
  for (const AnalyzedLayer& each : analysis.layers) {
    if (each.row.tensor == tensor && (op.empty() || each.row.op == op)) return each;
  }
  ADD_FAILURE() << "no row " << tensor;
  return analysis.layers.front();
}

std::string labels(const std::vector<LayerRow>& rows) {
  std::string text;
  for (const LayerRow& row : rows) text += "[" + row.op + "] " + row.tensor + (row.is_blank() ? " -\n" : "\n");
  return text;
}

TEST(LayerRows, FollowTheSourceModel) {
  const Case given = make(kResidualNet);
  EXPECT_EQ(labels(layer_rows(given.built.golden, given.built.quantized)),
            "[Input] x\n"
            "[exDataConvert] x_int8\n"
            "[Conv] raw0 -\n"
            "[Relu] c0\n"
            "[Conv] c1\n"
            "[Conv] c2\n"
            "[Add] a\n"
            "[exDataConvert] a__float16\n"
            "[Reshape] f\n"
            "[Softmax] s\n");
}

TEST(LayerRows, InnerLayersAndFurtherOutputsHaveRows) {
  const Case given = make(R"(ir 1
input %x : f32[1,8]
origin two : Split %p
origin norm : Normalize %y
%p, %q = Split(%x) {axis=1, split=[4,4]} from [two]
%e = Exp(%p) from [norm]
%y = Add(%e, %q) from [norm]
output %y
)",
                          false);
  EXPECT_EQ(labels(layer_rows(given.built.golden, given.built.quantized)),
            "[Input] x\n"
            "[exDataConvert] x__float16\n"
            "[Split] p\n"
            "[Split] q\n"
            "[Exp] e\n"
            "[Normalize] y\n");
}

TEST(Analyze, EntireErrorsAreThoseOfWholeRuns) {
  const Case given = make(kResidualNet);
  const Analysis analysis = analyze(given);
  ThreadPool pool(1);
  Weights weights;
  const Graph &golden = given.built.golden, &built = given.built.quantized;
  openrknn::Run wanted(plan(golden, {}, {.keep_all = true}, weights), pool);
  openrknn::Run got(plan(built, arithmetic_of(test::target()), {.keep_all = true}, weights), pool);
  for (const std::string name : {"c0", "c1", "c2", "a", "f", "s"}) {
    double squares = 0;
    for (int64_t i = 0; i < given.samples.count(); ++i) {
      const Tensor input = given.samples.get(i)[0];
      const Value& port = built[built.inputs[0]];
      wanted.set(golden.inputs[0], input);
      got.set(built.inputs[0], quantize_tensor(input, *port.quant, port.dtype));
      wanted.run();
      got.run();
      const Value& value = test::value_of(built, name);
      const Tensor codes = got.get(built.find(name));
      const std::vector<double> a = to_doubles(wanted.get(golden.find(name)));
      const std::vector<double> b = to_doubles(value.quant ? dequantize_tensor(codes, *value.quant) : codes);
      for (size_t k = 0; k < a.size(); ++k) squares += (a[k] - b[k]) * (a[k] - b[k]);
    }
    EXPECT_NEAR(layer(analysis, name).entire.euclidean, std::sqrt(squares), 1e-4 * std::sqrt(squares)) << name;
    EXPECT_GT(squares, 0) << name;
  }
}

TEST(Analyze, ABadLayerShowsInItsSingleErrorAndInEntireErrorsAfterIt) {
  Case given = make(kResidualNet);
  const Analysis before = analyze(given);
  Graph& built = given.built.quantized;
  Node& bad = built[built[built.find("c1")].producer];
  bad.fixed->scale[0].first /= 2;  // half of what it should give
  const Analysis after = analyze(given);
  for (const std::string name : {"c0", "c2", "a", "f"}) {
    EXPECT_EQ(layer(after, name).single.euclidean, layer(before, name).single.euclidean) << name;
    EXPECT_GT(layer(after, name).single.sqnr_db, 25) << name;
  }
  EXPECT_LT(layer(after, "c1").single.sqnr_db, 8);
  EXPECT_LT(layer(after, "c1").entire.sqnr_db, 8);
  EXPECT_EQ(layer(after, "c0").entire.euclidean, layer(before, "c0").entire.euclidean);
  for (const std::string name : {"c2", "a", "f"}) EXPECT_LT(layer(after, name).entire.sqnr_db, 12) << name;
}

TEST(Analyze, SingleErrorsDoNotAddUp) {
  const Analysis analysis = analyze(make(kResidualNet));
  EXPECT_EQ(layer(analysis, "x").single.euclidean, 0);  // as it was given
  EXPECT_GT(layer(analysis, "x_int8").single.euclidean, 0);
  EXPECT_EQ(layer(analysis, "c0").single.euclidean, layer(analysis, "c0").entire.euclidean);
  EXPECT_LT(layer(analysis, "c2").single.euclidean, layer(analysis, "c2").entire.euclidean);
}

TEST(Analyze, GoldenIsTheFloatRun) {
  const Case given = make(kResidualNet, true, 1);
  const std::vector<LayerRow> rows = layer_rows(given.built.golden, given.built.quantized);
  std::map<std::string, Tensor> seen;
  analyze(given, [&](size_t row, const LayerValues& golden, const LayerValues&) {
    seen[rows[row].tensor] = real_tensor(golden);
  });
  ThreadPool pool(1);
  const std::vector<Tensor> inputs = given.samples.get(0);
  const std::vector<Tensor> outputs = run_graph(given.built.golden, {}, inputs, pool);
  EXPECT_TRUE(identical(seen.at("s"), outputs[0]));
  EXPECT_TRUE(identical(seen.at("c1"), outputs[1]));
  EXPECT_EQ(seen.size(), rows.size() - 1);  // all but the one that was fused away
}

TEST(Analyze, AValueMayLiveOnAsACopyInAnotherLayout) {
  // Golden: %t is written logical, read as channels-last copy by both readers, and its first bytes are taken for %p
  // before the conversion for GridSample is compared.
  const Case given = make(R"(ir 1
input %x : f32[1,8,6,7]
input %grid : f32[1,3,4,2]
%lengths : i64[8] = {1, 1, 1, 1, 1, 1, 1, 1}
%t = ReverseSequence(%x, %lengths) {batch_axis=1, time_axis=0}
%scale : f32[8] = random(1)
%bias : f32[8] = random(2)
%mean : f32[8] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}
%variance : f32[8] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}
%n = BatchNormalization(%t, %scale, %bias, %mean, %variance) {epsilon=0.0}
%p = ReduceProd(%x) {axes=[1], keepdims=1}
%g = GridSample(%t, %grid) {align_corners=1, mode="linear", padding_mode="border"}
%e = Erf(%g)
output %n
output %p
output %e
)");
  const Analysis analysis = analyze(given);
  EXPECT_NEAR(layer(analysis, "t__float16").single.euclidean, layer(analysis, "t").single.euclidean, 1e-3);
  EXPECT_GT(layer(analysis, "t__float16").single.sqnr_db, 40);
}

TEST(Analyze, WhatGoldenKnowsWithoutComputingIsCompared) {
  Case given = make(R"(ir 1
input %x : f32[4]
origin cosh : Cosh %c
origin sum : Add %s
%k : f32[4] = {0.1, 1.0, 2.0, 3.0}
%c = Cosh(%k) from [cosh]
%s = Add(%x, %k) from [sum]
output %c
output %s
)",
                    false);
  Graph& golden = given.built.golden;  // as after an import, whose inference proves what it can
  const ValueId known = golden.find("c");
  golden[known].constant = evaluate(golden, golden[known].producer)->at(0);
  EXPECT_GT(layer(analyze(given), "c").entire.sqnr_db, 60);
  EXPECT_LT(layer(analyze(given), "c").entire.sqnr_db, 100);
}

TEST(Analyze, TheNumberOfThreadsDoesNotShow) {
  const Case given = make(kResidualNet);
  const Analysis one = analyze(given), four = analyze(given, {}, 4);
  EXPECT_EQ(error_table(one), error_table(four));
}

TEST(Analyze, Float16BuildsAreAnalyzedToo) {
  const Analysis analysis = analyze(make(kResidualNet, false));
  for (const std::string name : {"x__float16", "c0", "c1", "c2", "a", "f", "s"}) {
    EXPECT_EQ(layer(analysis, name).row.dtype, "float16");
    EXPECT_GT(layer(analysis, name).single.sqnr_db, 50) << name;
    EXPECT_LT(layer(analysis, name).single.sqnr_db, 100) << name;
  }
}

TEST(Analyze, OverflowNamesTheFirstLayer) {
  const Case given = make(R"(ir 1
input %x : f32[1,4]
origin large : Mul %m
origin less : Mul %y
%k : f32[1] = {60000.0}
%small : f32[1] = {0.001}
%m1 = Mul(%x, %k) from [large]
%m = Mul(%m1, %k) from [large]
%y = Mul(%m, %small) from [less]
output %y
)",
                          false);
  const Analysis analysis = analyze(given);
  EXPECT_FALSE(analysis.golden_not_finite);
  ASSERT_TRUE(analysis.built_not_finite);
  EXPECT_EQ(analysis.built_not_finite->tensor, "m");
  EXPECT_EQ(analysis.built_not_finite->sample, "memory:1");
  EXPECT_EQ(to_string(*analysis.built_not_finite, "the built model"),
            "4 of 4 elements of the built model are NaN or infinite in memory:1, first in [Mul] m");
  EXPECT_NE(error_table(analysis).find("nan     | inf"), std::string::npos);
  EXPECT_GT(layer(analysis, "m").clipped, 0.5);
  EXPECT_EQ(layer(analysis, "y").not_finite, 12);
}

TEST(Analyze, NanOfTheFloatModelItselfIsNamed) {
  const Case given = make(R"(ir 1
input %x : f32[1,64]
origin log : Log %l
origin abs : Abs %y
%l = Log(%x) from [log]
%y = Abs(%l) from [abs]
output %y
)",
                          false);
  const Analysis analysis = analyze(given);
  ASSERT_TRUE(analysis.golden_not_finite);
  EXPECT_EQ(analysis.golden_not_finite->tensor, "l");
  EXPECT_EQ(analysis.golden_not_finite->op, "Log");
  EXPECT_FALSE(analysis.built_not_finite);  // it does as golden does
}

TEST(ErrorTable, LooksAsTheToolkitPrintsIt) {
  Analysis analysis;
  analysis.layers.push_back({.row = {.op = "Input", .tensor = "data", .layer = "data"}, .entire = {}, .single = {}});
  analysis.layers.push_back({.row = {.op = "Conv", .tensor = "conv1"}, .entire = {}, .single = {}});
  analysis.layers.push_back({.row = {.op = "Relu", .tensor = "relu1", .layer = "relu1"},
                             .entire = {.cosine = 0.999974, .euclidean = 41.4977},
                             .single = {.cosine = 0.5, .euclidean = 0.00104}});
  const std::string table = error_table(analysis);
  EXPECT_EQ(table.substr(table.find("layer_name")),
            "layer_name              simulator_error\n"
            "                   entire              single\n"
            "                cos      euc        cos      euc\n"
            "--------------------------------------------------\n"
            "[Input] data  1.00000 | 0.0       1.00000 | 0.0\n"
            "[Conv] conv1\n"
            "[Relu] relu1  0.99997 | 41.497    0.50000 | 0.0010\n");
  EXPECT_NE(error_table(analysis, true).find("\x1b[31m0.50000 | 0.0010\x1b[0m"), std::string::npos);
}

TEST(ErrorTable, DistancesKeepTheDigitsBeforeThePoint) {
  EXPECT_EQ(distance_text(0), "0.0");
  EXPECT_EQ(distance_text(2.05987), "2.0599");
  EXPECT_EQ(distance_text(12345.678), "12345");
  EXPECT_EQ(distance_text(1234567.5), "1234567");
  EXPECT_EQ(distance_text(std::numeric_limits<double>::infinity()), "inf");
}

}  // namespace
}  // namespace openrknn
