// Caffe: what a reader may be given. Results are held to OpenCV and to Caffe's definitions in
// tests/python/test_import_caffe.py.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "compiler/importers/caffe/importer.h"
#include "compiler/importers/caffe/text_format.h"

namespace openrknn::caffe {
namespace {

/// A .prototxt, a zero byte, the .caffemodel: the seeds of the fuzz target.
struct Files {
  std::string prototxt, model;
};
std::vector<Files> nets() {
  std::vector<Files> all;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/fuzz/seeds/fuzz_caffe")) {
    const std::string text = read_text_file(entry.path());
    const size_t end = text.find('\0');
    all.push_back({text.substr(0, end), text.substr(end + 1)});
  }
  return all;
}

Graph import(const Files& files) {
  const auto model = MappedFile::copy_of(std::as_bytes(std::span(files.model)), "net.caffemodel");
  return import_net(files.prototxt, "net.prototxt", *model, {});
}

TEST(Caffe, NetsAreGraphsThatVerify) {
  ASSERT_GE(nets().size(), 4u);
  for (const Files& files : nets()) {
    SCOPED_TRACE(files.prototxt);
    const Graph graph = import(files);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_FALSE(graph.outputs.empty());
  }
}

TEST(Caffe, EveryCutIsAnErrorOrAnotherNet) {
  for (const Files& files : nets()) {
    for (size_t size = 0; size < files.model.size(); ++size) {
      EXPECT_THROW(import({files.prototxt, files.model.substr(0, size)}), Error) << size;
    }
    for (size_t size = 0; size < files.prototxt.size(); ++size) {
      try {
        verify(import({files.prototxt.substr(0, size), files.model}));
      } catch (const Error& error) {
        EXPECT_FALSE(error.diagnostics.empty());
      }
    }
  }
}

TEST(Caffe, TheTextFormIsReadAsProtobufReadsIt) {
  const Message message = parse_text(
      "# a comment\n"
      "name: 'a' \"b\"  # two strings are one\n"
      "n: 1; n: 2, list: [3, 4] list: 5\n"
      "inner { x: 1.5f y: -2e-1 } inner < x: 3 >\n"
      "escaped: \"q\\\"q\" on: true off: False word: MAX\n",
      "net.prototxt");
  EXPECT_EQ(message.text("name"), "ab");
  EXPECT_EQ(message.integer("n", 0), 2) << "the last of two counts";
  EXPECT_EQ(message.integers("list"), (std::vector<int64_t>{3, 4, 5}));
  ASSERT_EQ(message.messages("inner").size(), 2u);
  EXPECT_EQ(message.messages("inner")[0]->number("x", 0), 1.5);
  EXPECT_EQ(message.messages("inner")[0]->number("y", 0), -0.2);
  EXPECT_EQ(message.message("inner").number("x", 0), 3);
  EXPECT_EQ(message.text("escaped"), "q\"q");
  EXPECT_TRUE(message.boolean("on", false));
  EXPECT_FALSE(message.boolean("off", true));
  EXPECT_EQ(message.text("word"), "MAX");
  EXPECT_TRUE(message.message("absent").fields.empty());
}

TEST(Caffe, FieldsOfAnotherFormNameTheirLine) {
  const Message message = parse_text("a: x\nb { }\nc: 1\nd: nan\n", "net.prototxt");
  const auto line_of = [&](const auto& read) -> int64_t {
    try {
      read();
    } catch (const Error& error) {
      return error.diagnostics.front().where.line;
    }
    return 0;
  };
  EXPECT_EQ(line_of([&] { message.integer("a", 0); }), 1);
  EXPECT_EQ(line_of([&] { message.boolean("a", true); }), 1);
  EXPECT_EQ(line_of([&] { message.text("b"); }), 2);
  EXPECT_EQ(line_of([&] { message.message("c"); }), 3);
  EXPECT_EQ(line_of([&] { message.number("d", 0); }), 4);
  EXPECT_EQ(line_of([&] { message.integer("c", 0, 2, 3); }), 3);
}

}  // namespace
}  // namespace openrknn::caffe
