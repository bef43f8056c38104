#include "core/targets/targets.h"
#include "core/targets/operator_placement.h"

#include <gtest/gtest.h>

namespace openrknn {
namespace {

TEST(Targets, AreFoundWhateverTheCase) {
  ASSERT_NE(find_target("RK3588"), nullptr);
  EXPECT_EQ(find_target("rk3588s"), find_target("rk3588"));
  EXPECT_EQ(find_target("rv1126"), nullptr);  // the other stack's chip
  EXPECT_EQ(find_target(""), nullptr);
}

TEST(Targets, EveryRowNamesAnExistingLaw) {
  for (const Target& target : all_targets()) {
    EXPECT_EQ(find_law(arithmetic_of(target)).family, target.law_family) << target.name;
    EXPECT_EQ(find_target(target.name), &target);
  }
}

TEST(Targets, ZeroPointEntersBeforeTheShiftOnRv110xOnly) {
  for (const Target& target : all_targets()) {
    const bool is_rv110x = target.name.substr(0, 5) == "rv110";
    EXPECT_EQ(find_law(arithmetic_of(target)).zero_point_before_shift, is_rv110x) << target.name;
  }
}

TEST(Targets, SchemesFollowTheManual) {
  EXPECT_FALSE(supports(*find_target("rk2118"), Scheme::W8A8));
  EXPECT_TRUE(supports(*find_target("rk3576"), Scheme::W4A16));
  EXPECT_TRUE(supports(*find_target("rk3562"), Scheme::W8A16));
  EXPECT_TRUE(supports(*find_target("rv1106"), Scheme::W16A16I_DFP));
  EXPECT_FALSE(supports(*find_target("rk3588"), Scheme::W4A16));
}

TEST(Laws, UnknownVersionsAreRefusedWithASentence) {
  try {
    find_law({"rk3588", 999});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RknnNewerVersion);
  }
}

TEST(OperatorPlacement, EveryTargetHasAFamilyAndEveryRowAllLetters) {
  for (const Target& target : all_targets()) EXPECT_FALSE(name(family_of(target)).empty()) << target.name;
  for (const OperatorPlacement& row : npu_operators()) {
    EXPECT_EQ(row.int8.size(), kFamilyCount) << row.op;
    EXPECT_EQ(row.float16.size(), kFamilyCount) << row.op;
    EXPECT_EQ((row.int8.find('c') != row.int8.npos || row.float16.find('c') != row.float16.npos),
              !row.condition.empty())
        << row.op << ": a condition is said where there is one";
  }
}

TEST(OperatorPlacement, FloatConvolutionFollowsTheTargetTable) {
  for (const Target& target : all_targets()) {
    EXPECT_EQ(place_of("Conv", family_of(target), DType::Float16) == Place::NpuIf, target.float16) << target.name;
    EXPECT_EQ(place_of("Conv", family_of(target), DType::Int8) == Place::NpuIf, supports(target, Scheme::W8A8));
  }
}

TEST(OperatorPlacement, FallsBackToTheCpuWhereItHasAKernel) {
  EXPECT_EQ(place_of("TopK", Family::Rk3588, DType::Int8), Place::Cpu);
  EXPECT_EQ(place_of("TopK", Family::Rv1106, DType::Int8), Place::None);
  EXPECT_EQ(place_of("Greater", Family::Rk3588, DType::Int8), Place::Cpu);
  EXPECT_EQ(place_of("Greater", Family::Rk3576, DType::Int8), Place::NpuIf);
  EXPECT_EQ(place_of("GridSample", Family::Rk3588, DType::Float16), Place::None);
}

TEST(OperatorPlacement, WhatIsRewrittenStandsWhereItsFormDoes) {
  const std::pair<const char*, const char*> rewritten[] = {
      {"Abs", "Max"}, {"Neg", "Mul"}, {"Reciprocal", "Div"}, {"Sqrt", "Pow"}, {"ArgMaxPool", "MaxUnpool"}};
  for (const auto& [op, form] : rewritten) {
    for (int family = 0; family < kFamilyCount; ++family) {
      for (const DType dtype : {DType::Int8, DType::Float16}) {
        const auto where = static_cast<Family>(family);
        EXPECT_EQ(place_of(op, where, dtype), place_of(form, where, dtype)) << op << ' ' << name(where);
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
