// Networks in two files: the seeds of their fuzz targets, a text, a zero byte, the weights.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/graph/graph.h"

namespace openrknn::test {

struct NetworkFiles {
  std::string text, weights;
};
using Import = std::function<Graph(const NetworkFiles&)>;

inline std::vector<NetworkFiles> seeds_of(const std::string& fuzz_target) {
  std::vector<NetworkFiles> all;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/fuzz/seeds/" + fuzz_target)) {
    const std::string file = read_text_file(entry.path());
    const size_t end = file.find('\0');
    all.push_back({file.substr(0, end), file.substr(end + 1)});
  }
  return all;
}

inline void expect_graphs_that_verify(const std::vector<NetworkFiles>& networks, const Import& import) {
  for (const NetworkFiles& network : networks) {
    SCOPED_TRACE(network.text);
    const Graph graph = import(network);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_FALSE(graph.outputs.empty());
  }
}

/// A text may be whole at the end of a layer: what matters is that nothing else comes out of it.
inline void expect_cuts_are_errors(const std::vector<NetworkFiles>& networks, const Import& import) {
  for (const NetworkFiles& network : networks) {
    for (size_t size = 0; size < network.weights.size(); ++size) {
      EXPECT_THROW(import({network.text, network.weights.substr(0, size)}), Error) << size;
    }
    for (size_t size = 0; size < network.text.size(); ++size) {
      try {
        verify(import({network.text.substr(0, size), network.weights}));
      } catch (const Error& error) {
        EXPECT_FALSE(error.diagnostics.empty());
      }
    }
  }
}

}  // namespace openrknn::test
