// What a build cannot be, and what of the options it leaves out: said before the work.
#pragma once

#include "compiler/compile.h"

namespace openrknn {

/// The correction is asked for and of use to this build.
bool wants(const CompileOptions&, const Correction&);

/// Throws Error (ConfigUnknownPlatform) naming those there are.
const Target& target_of(const CompileOptions&);
/// Throws Error (ConfigUnsupported) naming the SoCs that have the scheme.
void require_scheme(const Target&, const CompileOptions&);
/// A SoC without fp16 convolution cannot run such layers at all: better said now than by rknn_init on the board.
void require_float16(const Target&, const Graph&);

/// Throws Error (DatasetMissing) saying what needs them.
void require_samples(const CompileOptions&, const Samples*);
/// Warns of options that were given and that this build has no use for.
void warn_of_idle_options(const CompileOptions&, CompileReport&);
/// gdq: what the toolkit's manual asks for.
void warn_of_few_samples(const CompileOptions&, const Samples&, CompileReport&);
/// Batch, weights and golden of the file to be.
void require_outputs_of_a_file(const CompileOptions&);

/// Options that do not go with a model that brings parameters.
void require_fitting_parameters(const Target&, const CompileOptions&, const Graph& golden, const GivenParameters&);
/// Warns of what such a model leaves out, and what of it is not kept.
void report_parameters(const CompileOptions&, const KeptParameters&, CompileReport&);

}  // namespace openrknn
