// TorchScript: any archive is a graph that verifies, or an Error. Beside zip files there is a plain form, so that what
// is found is in pickles and code rather than in checksums: entries, each "=== name" on a line and then its bytes.
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "compiler/importers/torchscript/importer.h"

namespace {

std::map<std::string, std::string> entries_of(std::string_view all) {
  constexpr std::string_view kMark = "=== ";
  std::map<std::string, std::string> entries;
  for (size_t at = 0; at != std::string_view::npos && all.substr(at).starts_with(kMark);) {
    const size_t name_end = std::min(all.find('\n', at), all.size());
    const size_t next = all.find("\n=== ", name_end), end = std::min(next, all.size());
    const std::string_view name = all.substr(at + kMark.size(), name_end - std::min(name_end, at + kMark.size()));
    entries[std::string(name)] = all.substr(std::min(name_end + 1, end), end - std::min(name_end + 1, end));
    at = next == std::string_view::npos ? next : next + 1;
  }
  return entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using openrknn::torchscript::Archive;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  openrknn::ImportOptions options{.input_shapes = {{1, 4, 6, 5}}};
  try {
    if (all.starts_with("===")) {
      std::map<std::string, std::string> entries = entries_of(all);
      if (entries.contains("models/model.json")) options.input_shapes.clear();  // it says them itself
      verify(openrknn::torchscript::import_archive(Archive(std::move(entries), "net.pt"), options));
    } else {
      const auto file = openrknn::MappedFile::copy_of(std::as_bytes(std::span(data, size)), "net.pt");
      verify(openrknn::torchscript::import_file(file, options));
    }
  } catch (const openrknn::Error&) {
  }
  return 0;
}
