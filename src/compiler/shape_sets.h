// One model in several sets of input shapes: imported once for each, compiled to variants that share weights and
// scales.
#pragma once

#include <filesystem>
#include <vector>

#include "compiler/importers/importer.h"
#include "compiler/quantize/quantize.h"

namespace openrknn {

/// A shape for each input, in the model's order and the framework's layout.
using ShapeSet = std::vector<Shape>;

/// The model once for each set, the one with the most elements first (sets of equal size stay in their order). Shapes
/// of `options` are replaced. Throws Error with the problems of all sets: what the importer says, another number of
/// inputs or another rank than the model has, a set that is there twice.
std::vector<Graph> import_shape_sets(const Importer&, const std::filesystem::path&, const ImportOptions&,
                                     const std::vector<ShapeSet>&);

/// What was seen of a value counts for its aliases too: a node that does nothing at the largest shapes, and is gone
/// there, may do something at others.
void add_aliases(const Graph&, Calibration&);

/// Lets all variants share the bytes of the first one's constants, by name, where they are equal. Throws Error
/// (QuantizeUnsupported) naming values of inputs and outputs whose type or scale differs between variants: programs see
/// one of each.
void share_between_variants(std::vector<Graph>& variants);

}  // namespace openrknn
