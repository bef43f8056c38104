// What every node of a built model computes in, with the sentence that says why: a section of the Model, for reports.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/model.h"

namespace openrknn {

inline constexpr std::string_view kPrecisionSection = "precision";

struct PrecisionNote {
  std::string node;   ///< name in every variant
  std::string dtype;  ///< "int8"
  std::string rule;
  bool operator==(const PrecisionNote&) const = default;
};

/// One line a node, fields parted by tabs; tab, line feed and backslash inside them are escaped.
Tensor encode_precision_notes(std::span<const PrecisionNote>);
/// Of the model's section, in its order; empty without one. Lines that are none are left out: it is for readers only.
std::vector<PrecisionNote> precision_notes(const Model&);

}  // namespace openrknn
