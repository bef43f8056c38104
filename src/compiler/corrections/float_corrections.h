// Corrections: changes of the float graph that keep its function and leave it easier to quantize, or to hold in
// float16. Unlike a pass, a correction may ask what channels held over the samples. One file each; corrections.cpp is
// the order.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/dataset/samples.h"
#include "compiler/quantize/quantize.h"
#include "core/base/log.h"
#include "core/base/thread_pool.h"
#include "core/graph/graph.h"

namespace openrknn {

/// Which are wanted; the names are those of the options.
struct Corrections {
  bool equalize = false, absorb_bias = false, migrate_scales = false, split_concat = false, rescue_float16 = false;
};

/// What one channel of a value held over the samples.
struct ChannelRange {
  float lowest = 0, highest = 0;
};
using ChannelRanges = std::vector<ChannelRange>;

/// Where statistics come from, shared by the sets of input shapes: the samples fit the largest set, which comes first
/// and is watched; what was seen is remembered by name for the others.
struct Observations {
  const Samples& samples;
  ThreadPool& pool;
  CustomCode custom = {};
  Progress progress = {};
  bool is_complete = false;  ///< the largest set is done: answers come from memory
  std::map<std::string, ChannelRanges> remembered = {};
  std::optional<Calibration> extremes = {};  ///< see observe_extremes()
};

struct CorrectionContext {
  Observations* observations = nullptr;  ///< null without samples, and where they cannot say anything
  bool is_body = false;                  ///< of control flow, not the whole model
  bool has_channel_scales = true;        ///< weights have a scale for each output channel
  std::function<void(std::string_view line)> note = {}, warn = {};
};

/// A value and the dimension that holds its channels.
struct ChannelsOf {
  ValueId value = ValueId::None;
  int64_t axis = 0;
};
/// Runs the graph over the samples; one entry for each of `asked`. `correction` tells apart what is asked of the same
/// name at several places of the pipeline. Minima and maxima alone: nothing depends on order or workers. Throws Error
/// (QuantizeNotFinite naming sample and tensor).
std::vector<ChannelRanges> observe_channels(const Graph&, std::span<const ChannelsOf> asked,
                                            std::string_view correction, Observations&);

/// What every real value of the fused graph held, once.
const Statistics& observe_extremes(const Graph&, ValueId, Observations&);

/// Which builds a correction is for.
enum class CorrectionUse : uint8_t { CodedWeights, CodedActivations, Float16 };
struct Correction {
  std::string_view name, option;  ///< of the stage for --dump-after, and what asks for it
  bool Corrections::*wanted = nullptr;
  CorrectionUse use = CorrectionUse::CodedActivations;
  bool needs_samples = false;
  bool (*run)(Graph&, const CorrectionContext&) = nullptr;  ///< true if the graph changed
  std::string_view reason;                                  ///< why it stands where it does
  bool keeps_numbers = false;  ///< no value gets other numbers: parameters that a model brings stay right
};
std::span<const Correction> corrections_of_layers();       ///< before fusing: activations stand beside their layers
std::span<const Correction> corrections_of_fused_graph();  ///< after it: every expression has its name

namespace corrections {
bool equalize(Graph&, const CorrectionContext&);
bool absorb_bias(Graph&, const CorrectionContext&);
bool migrate_scales(Graph&, const CorrectionContext&);
bool activate_before_concat(Graph&, const CorrectionContext&);
bool split_concat(Graph&, const CorrectionContext&);
bool rescue_float16(Graph&, const CorrectionContext&);

/// "name: a + b" as a note.
void note(const CorrectionContext&, std::string_view correction, const Graph&, std::span<const NodeId> nodes);
}  // namespace corrections

}  // namespace openrknn
