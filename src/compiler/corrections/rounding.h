// Codes of weights chosen by what they do to the layer's results: for one output channel the squared error is eᵀ H e,
// e the error of its weights and H the second moments of its inputs.
#pragma once

#include "compiler/corrections/symmetric_matrix.h"

namespace openrknn::corrections {

/// Rows of weights (output channels) with one H: [count][depth] each.
struct CodedRows {
  int64_t count = 0, depth = 0;
  std::vector<float> wanted;  ///< real weights as codes: w / scale + zero point
  std::vector<float> scale;
  std::vector<int32_t> codes;
  int32_t lowest = -128, highest = 127;
};

/// Error feedback (GPTQ: Frantar et al. 2022, in the form of LDLQ: Chee et al. 2023): weights are rounded one after the
/// other, each to what makes good for the errors of those before it as far as the inputs it still has allow.
/// `factor` is H's, see factorize(); from the last weight to the first.
void round_with_feedback(const SymmetricMatrix& factor, CodedRows&, ThreadPool&);

/// Coordinate descent: one code at a time moves to where the error is least, until none does or `sweeps` are done.
/// `up_or_down`: only the two codes beside the real weight are allowed (Nagel et al. 2020, AdaRound).
void descend(const SymmetricMatrix& moments, CodedRows&, bool up_or_down, int sweeps, ThreadPool&);

/// Σ over the rows of eᵀ H e.
double squared_error(const SymmetricMatrix& moments, const CodedRows&, ThreadPool&);

}  // namespace openrknn::corrections
