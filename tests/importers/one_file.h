// Models in one file: the seeds of their fuzz targets, whole, cut and with a byte that is another.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/graph/graph.h"

namespace openrknn::test {

using ImportFile = std::function<Graph(const std::shared_ptr<const MappedFile>&)>;

inline std::vector<std::string> files_of(const std::string& fuzz_target) {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/fuzz/seeds/" + fuzz_target))
    all.push_back(read_text_file(entry.path()));
  return all;
}

inline Graph import_bytes(const std::string& bytes, const ImportFile& import) {
  return import(MappedFile::copy_of(std::as_bytes(std::span(bytes)), "a model"));
}

inline void expect_files_that_verify(const std::vector<std::string>& files, const ImportFile& import) {
  EXPECT_GE(files.size(), 3u);
  for (const std::string& bytes : files) {
    const Graph graph = import_bytes(bytes, import);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_FALSE(graph.outputs.empty());
  }
}

inline void expect_error_or_graph(const std::string& bytes, const ImportFile& import) {
  try {
    verify(import_bytes(bytes, import));
  } catch (const Error& error) {
    EXPECT_FALSE(error.diagnostics.empty());
  }
}

inline void expect_cut_files_are_errors_or_graphs(const std::vector<std::string>& files, const ImportFile& import) {
  for (const std::string& bytes : files)
    for (size_t size = 0; size < bytes.size(); ++size) expect_error_or_graph(bytes.substr(0, size), import);
}

inline void expect_changed_bytes_are_errors_or_graphs(const std::vector<std::string>& files, const ImportFile& import) {
  for (const std::string& bytes : files) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const int flip : {1, 0x80, 0xff}) {
        std::string other = bytes;
        other[at] = static_cast<char>(other[at] ^ flip);
        expect_error_or_graph(other, import);
      }
    }
  }
}

}  // namespace openrknn::test
