// Takes one layer of one sample apart: what does the coding of each input, of the weights and of the result cost by
// itself?
#pragma once

#include <map>
#include <set>

#include "compiler/analysis/diagnosis/subject.h"

namespace openrknn {

/// Golden's numbers of one sample, by value.
using Numbers = std::map<ValueId, Tensor>;
/// Runs golden once and keeps what is wanted.
Numbers golden_numbers(const Subject&, int64_t sample, const std::set<ValueId>& wanted);

/// Real numbers as the built graph's value holds them.
Tensor coded(const Tensor& real, const Value& built);

enum class Part : uint8_t { Input, Weights, Result };
struct PartError {
  Part part = Part::Result;
  ValueId value = ValueId::None;  ///< golden's
  ValueId form = ValueId::None;   ///< what the built graph reads or gives in its place
  double noise = 0;               ///< Σ (y − y')² of the layer's result
};
/// Values whose numbers the parts of the node are computed from.
std::vector<ValueId> values_of_parts(const Graph& golden, NodeId);
/// The largest first. Empty for nodes that cannot be run by themselves (Custom, control flow) or give no reals.
std::vector<PartError> part_errors(const Subject&, NodeId, const Numbers&);

/// What coding does to a tensor.
struct CodingError {
  double noise = 0, clipped_noise = 0;  ///< squares; of numbers beyond the first and last code
  int64_t clipped = 0, elements = 0;
  double lowest = 0, highest = 0;  ///< of the numbers
};
CodingError coding_error(const Tensor& real, const Value& built);

/// The largest magnitude of each channel, and how far one stands out.
struct ChannelSpread {
  int64_t channels = 0, loudest = 0;
  double largest = 0, median = 0;
  double ratio() const { return median > 0 ? largest / median : 0; }
};
ChannelSpread channel_spread(const Tensor& real, int64_t axis);
/// Of the axis that channels are counted along: 1; of three dimensions the shorter of 1 and 2.
ChannelSpread channel_spread(const Tensor& real);

}  // namespace openrknn
