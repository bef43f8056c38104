#include "runtime/capi/model_key_file.h"

namespace openrknn::capi {
namespace {

std::string& of_this_thread() {
  thread_local std::string path;
  return path;
}

}  // namespace

void set_model_key_file(const char* path) { of_this_thread() = path == nullptr ? "" : path; }
const std::string& model_key_file() { return of_this_thread(); }

}  // namespace openrknn::capi
