// DarkNet: what a reader may be given. Results are held to OpenCV in tests/python/test_import_darknet.py.
#include "compiler/importers/darknet/cfg.h"
#include "compiler/importers/darknet/importer.h"
#include "importers/two_files.h"

namespace openrknn::darknet {
namespace {

Graph import(const test::NetworkFiles& files) {
  return import_network(files.text, "net.cfg", std::as_bytes(std::span(files.weights)), "net.weights", {});
}

TEST(Darknet, NetworksAreGraphsThatVerify) {
  const auto networks = test::seeds_of("fuzz_darknet");
  ASSERT_GE(networks.size(), 3u);
  test::expect_graphs_that_verify(networks, import);
}

TEST(Darknet, EveryCutIsAnErrorOrAnotherNetwork) {
  test::expect_cuts_are_errors(test::seeds_of("fuzz_darknet"), import);
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
