// DarkNet: what a reader may be given. Results are held to OpenCV in tests/python/test_import_darknet.py.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "compiler/importers/darknet/cfg.h"
#include "compiler/importers/darknet/importer.h"
#include "core/base/file.h"

namespace openrknn::darknet {
namespace {

/// A .cfg, a zero byte, the .weights: the seeds of the fuzz target.
struct Network {
  std::string cfg, weights;
};
std::vector<Network> networks() {
  std::vector<Network> all;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/fuzz/seeds/fuzz_darknet")) {
    const std::string text = read_text_file(entry.path());
    const size_t end = text.find('\0');
    all.push_back({text.substr(0, end), text.substr(end + 1)});
  }
  return all;
}

Graph import(const Network& network) {
  return import_network(network.cfg, "net.cfg", std::as_bytes(std::span(network.weights)), "net.weights", {});
}

TEST(Darknet, NetworksAreGraphsThatVerify) {
  ASSERT_GE(networks().size(), 3u);
  for (const Network& network : networks()) {
    SCOPED_TRACE(network.cfg);
    const Graph graph = import(network);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_FALSE(graph.outputs.empty());
  }
}

TEST(Darknet, EveryCutIsAnError) {
  for (const Network& network : networks()) {
    for (size_t size = 0; size < network.weights.size(); ++size) {
      EXPECT_THROW(import({network.cfg, network.weights.substr(0, size)}), Error) << size;
    }
    // A text may be whole at the end of a section: what matters is that nothing else comes out of it.
    for (size_t size = 0; size < network.cfg.size(); ++size) {
      try {
        verify(import({network.cfg.substr(0, size), network.weights}));
      } catch (const Error& error) {
        EXPECT_FALSE(error.diagnostics.empty());
      }
    }
  }
}

TEST(Darknet, OptionsAreReadAsDarknetReadsThem) {
  const std::vector<Section> sections = parse_cfg(
      "# a comment\n; another\n\n[network]\n width = 8 \r\n[conv]\nfilters=3\nfilters=4\nlayers = -1, 2,3\n"
      "scale=.5\n",
      "net.cfg");
  ASSERT_EQ(sections.size(), 2u);
  EXPECT_EQ(sections[0].type, "net");
  EXPECT_EQ(sections[0].integer("width", 0), 8);
  EXPECT_EQ(sections[1].type, "convolutional");
  EXPECT_EQ(sections[1].line, 6);
  EXPECT_EQ(sections[1].integer("filters", 0), 3) << "the first of two counts";
  EXPECT_EQ(sections[1].integers("layers"), (std::vector<int64_t>{-1, 2, 3}));
  EXPECT_EQ(sections[1].number("scale", 0), 0.5);
  EXPECT_EQ(sections[1].integer("absent", 7), 7);
}

TEST(Darknet, OptionsThatAreNoNumbersNameTheirLine) {
  const std::vector<Section> sections = parse_cfg("[net]\na=1e99\nb=nan\nc=1,,2\nd=0x10\n", "net.cfg");
  const auto line_of = [&](const auto& read) -> int64_t {
    try {
      read(sections[0]);
    } catch (const Error& error) {
      return error.diagnostics.front().where.line;
    }
    return 0;
  };
  EXPECT_EQ(line_of([](const Section& s) { s.integer("a", 0); }), 2);
  EXPECT_EQ(line_of([](const Section& s) { s.number("b", 0); }), 3);
  EXPECT_EQ(line_of([](const Section& s) { s.integers("c"); }), 4);
  EXPECT_EQ(line_of([](const Section& s) { s.integer("d", 0); }), 5);
  EXPECT_EQ(line_of([](const Section& s) { s.integer("a", 0, 0, 5); }), 2);
}

}  // namespace
}  // namespace openrknn::darknet
