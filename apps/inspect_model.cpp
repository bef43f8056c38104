#include <fmt/format.h>

#include "apps/verbs.h"
#include "toolkit/inspect_source.h"

namespace openrknn {

int inspect(const InspectArguments& arguments) {
  const auto& [path, source, json] = arguments;
  // What nobody reads is told of by the importers, unless it calls itself a .rknn file.
  if (find_importer(path) == nullptr && path.extension() == ".rknn") return inspect_rknn(path, json);
  fmt::print("{}\n", json ? inspect_source_json(path, source) : inspect_source_text(path, source));
  return 0;
}

}  // namespace openrknn
