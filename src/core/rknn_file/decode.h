// The FlatBuffer of the "model" section -> Model. Trusts nothing: whoever made the bytes may have meant harm.
#pragma once

#include "core/model/model.h"
#include "core/rknn_file/container.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {

struct DecodeSource {
  std::string file;  ///< for messages
  Bytes model, weights;
  std::shared_ptr<const void> owner;  ///< keeps the bytes alive: constants are views into `weights`
  WeightSource shared;                ///< has the constants that are not in the file; empty: refuse them
};

/// Throws Error (RknnInvalid, RknnNewerVersion). Ids, offsets and names of the result are sound; what it means is not
/// checked: validate() does that.
Model decode_model(const DecodeSource&, std::span<const Section> extras);

}  // namespace openrknn
