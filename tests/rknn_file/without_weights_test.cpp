// Files written without the weights of their layers (Model::remove_weight).
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/hash.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

using test::file_bytes;
using test::in_memory;
using test::model_of;

Model slave() {
  Model model = model_of(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[3,2,1,1] = random(1)
%b : f32[3] = random(2)
%m : f32[4,5] = random(3)
%c : f32[1,3,4,4] = Conv(%x, %w, %b) {kernel_shape=[1,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1], group=1}
%y : f32[1,3,4,5] = MatMul(%c, %m)
output %y
)");
  model.remove_weight = true;
  return model;
}

/// Gives the constants of a model by their hashes, and counts who asks.
struct Source {
  Model model;
  mutable int asked = 0;
  std::optional<Tensor> operator()(uint64_t hash, uint64_t bytes) const {
    ++asked;
    const Graph& graph = model.variants[0];
    for (int32_t i = 0; i < graph.value_count(); ++i) {
      const std::optional<Tensor>& constant = graph[ValueId(i)].constant;
      if (constant && constant->bytes().size() == bytes && hash64(constant->bytes()) == hash) return constant;
    }
    return std::nullopt;
  }
};

bool holds(const std::string& file, const Tensor& tensor) {
  const auto* data = reinterpret_cast<const char*>(tensor.bytes().data());
  return file.find(std::string(data, tensor.bytes().size())) != std::string::npos;
}

std::string problem_of(const std::string& file, const WeightSource& source) {
  try {
    read(in_memory(file), source);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RknnInvalid);
    return error.what();
  }
  return "";
}

TEST(RknnFileWithoutWeights, LacksWhatLayersMultiplyWithAndNothingElse) {
  const Model model = slave();
  const std::string file = file_bytes(model);
  const Graph& graph = model.variants[0];
  EXPECT_FALSE(holds(file, *graph[graph.find("w")].constant));
  EXPECT_FALSE(holds(file, *graph[graph.find("m")].constant));
  EXPECT_TRUE(holds(file, *graph[graph.find("b")].constant));
  EXPECT_EQ(file, file_bytes(slave()));
}

TEST(RknnFileWithoutWeights, IsWholeWithASource) {
  const Model model = read(in_memory(file_bytes(slave())), Source{slave()});
  EXPECT_TRUE(model.remove_weight);
  const Model wanted = slave();
  const Graph &graph = model.variants[0], &original = wanted.variants[0];
  for (const char* name : {"w", "b", "m"}) {
    EXPECT_TRUE(identical(*graph[graph.find(name)].constant, *original[original.find(name)].constant)) << name;
  }
}

TEST(RknnFileWithoutWeights, IsRefusedAloneAndWithAModelThatHasOthers) {
  const std::string file = file_bytes(slave());
  EXPECT_NE(problem_of(file, nullptr).find("2 weights"), std::string::npos);
  EXPECT_NE(problem_of(file, nullptr).find("RKNN_FLAG_SHARE_WEIGHT_MEM"), std::string::npos);
  Model other = slave();
  Graph& graph = other.variants[0];
  graph[graph.find("w")].constant = Tensor::zeros(DType::Float32, {3, 2, 1, 1});
  EXPECT_NE(problem_of(file, Source{other}).find("1 of the 2 weights"), std::string::npos);
}

TEST(RknnFileWithoutWeights, AsksNobodyForAWholeFile) {
  Model whole = slave();
  whole.remove_weight = false;
  const Source source{slave()};
  const Model model = read(in_memory(file_bytes(whole)), std::ref(source));
  EXPECT_FALSE(model.remove_weight);
  EXPECT_EQ(source.asked, 0);
}

}  // namespace
}  // namespace openrknn
