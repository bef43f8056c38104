// What is diagnosed: a build, what it was made with, and samples to judge it by.
#pragma once

#include <cmath>
#include <limits>

#include "compiler/analysis/analyze.h"
#include "compiler/quantize/quantize.h"

namespace openrknn {

struct Subject {
  const Graph& golden;
  const Graph& built;
  const QuantizeRecipe& recipe;
  const Target& target;
  const Samples& samples;
  ThreadPool& pool;
  CustomCode custom = {};
  Progress progress = {};
};

/// A ratio as people read it: SQNR where NaN, which an overflow leaves, is worse than anything.
inline double rank_of(double sqnr_db) {
  return std::isnan(sqnr_db) ? -std::numeric_limits<double>::infinity() : sqnr_db;
}

}  // namespace openrknn
