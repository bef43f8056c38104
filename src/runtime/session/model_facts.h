// What a session learns about its model when it opens it. Immutable afterwards, except that outputs of shape sets are
// learnt when a set is first used.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/session/model_context.h"

namespace openrknn::session {

/// One output of one shape set as a run fetches it.
struct OutputSpec {
  ElementType type = ElementType::Float32;  ///< as the caller gets it
  bool want_float = true;
  std::vector<int64_t> shape;
};

struct ModelFacts {
  std::vector<InputSpec> input_specs;
  std::vector<NodeArg> inputs, outputs;
  std::vector<rknn_tensor_attr> output_attrs;
  std::map<std::string, std::string> metadata;
  std::string api_version, driver_version;
  bool is_openrknn = false;

  bool is_dynamic() const { return !input_specs.empty() && !input_specs.front().arg.shapes.empty(); }
};

/// True if the first major.minor.patch in the text is below 2.4.1; false if there is none.
bool is_outdated(const std::string& api_version);

/// Throws SessionError.
ModelFacts read_facts(const ModelContext&, const SessionOptions&);

/// Thread-safe: which shape and type each output has, by shape set.
class OutputSpecs {
 public:
  OutputSpecs(const ModelFacts&, const SessionOptions&);
  /// `context` has the shape set active. The reference stays valid.
  const std::vector<OutputSpec>& of(const ModelContext& context, size_t shape_set);

 private:
  std::vector<OutputSpec> specs(const std::vector<rknn_tensor_attr>&) const;

  const ModelFacts& facts_;
  std::vector<OutputType> wanted_;  // per output
  std::vector<OutputSpec> static_;
  std::mutex mutex_;
  std::map<size_t, std::vector<OutputSpec>> by_set_;
};

}  // namespace openrknn::session
