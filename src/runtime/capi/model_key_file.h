// The key file of models that a thread opens (openrknn_functions.set_model_key_file): rknn_init has no place for it.
#pragma once

#include <string>

namespace openrknn::capi {

void set_model_key_file(const char* path);
/// "": the environment says it.
const std::string& model_key_file();

}  // namespace openrknn::capi
