// The other formats of TensorFlow: told apart, and refused with the command that makes a frozen graph of them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace openrknn::tensorflow {

/// Throws Error (ImportBadFile) for a SavedModel, a Keras file or a checkpoint.
void refuse_unfrozen(const std::filesystem::path&);
bool looks_like_hdf5(std::string_view head);
/// What is typed into a shell, for the folder of a SavedModel.
std::string freezing_command(const std::string& saved_model);

}  // namespace openrknn::tensorflow
