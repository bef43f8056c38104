// Files whose weights are packed (Model::compress_weight).
#include "core/rknn_file/compression.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "support/text_model.h"

namespace openrknn {
namespace {

using test::file_bytes;
using test::in_memory;
using test::model_of;

Model model(bool compressed) {
  Model made = model_of(R"(ir 1
input %x : f32[1,64,8,8]
%w : f32[256,64,3,3] = fill(0.25)
%v : f32[8,256,1,1] = random(3)
%c : f32[1,256,8,8] = Conv(%x, %w) {kernel_shape=[3,3], pads=[1,1,1,1]}
%y : f32[1,8,8,8] = Conv(%c, %v) {kernel_shape=[1,1]}
output %y
)");
  made.compress_weight = compressed;
  return made;
}

std::string pattern(size_t bytes, uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random() % 7);
  return text;
}

std::string unpacked(const std::string& section) {
  const Unpacked result = decompress_weights(as_bytes(section), "file");
  return std::string(as_text(result.bytes));
}

TEST(CompressedWeights, AFileIsSmallerAndHoldsTheSameModel) {
  const std::string plain = file_bytes(model(false)), packed = file_bytes(model(true));
  EXPECT_LT(packed.size() * 10, plain.size());
  const Model back = read(in_memory(packed));
  EXPECT_TRUE(back.compress_weight);
  const Model same = read(in_memory(plain));
  const Graph &graph = back.variants[0], &expected = same.variants[0];
  for (const char* name : {"w", "v"}) {
    EXPECT_TRUE(identical(*graph[graph.find(name)].constant, *expected[expected.find(name)].constant)) << name;
  }
}

TEST(CompressedWeights, AnyBytesInAnyPiecesComeBack) {
  for (const size_t bytes : {0u, 1u, 64u, 1u << 20, (1u << 20) + 1, 3u << 20}) {
    const std::string text = pattern(bytes, static_cast<uint32_t>(bytes));
    const Bytes all = as_bytes(text);
    const std::vector<Bytes> pieces = {all.first(bytes / 3), all.subspan(bytes / 3)};
    EXPECT_EQ(unpacked(compress_weights(pieces)), text) << bytes;
  }
}

TEST(CompressedWeights, WhatIsLiedAboutIsRefused) {
  const std::string text = pattern(3 << 20, 5);
  const Bytes all = as_bytes(text);
  const std::string good = compress_weights(std::span(&all, 1));
  const auto refused = [](const std::string& section) {
    try {
      decompress_weights(as_bytes(section), "file");
      return std::string();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::RknnInvalid);
      return std::string(error.what());
    }
  };
  EXPECT_NE(refused(good.substr(0, 20)).find("is cut off"), std::string::npos);
  EXPECT_NE(refused(good.substr(0, good.size() - 1)), "");
  EXPECT_NE(refused(good + "x").find("1 bytes behind its last chunk"), std::string::npos);
  const auto with = [&](size_t offset, uint64_t number) {
    std::string changed = good;
    std::memcpy(changed.data() + offset, &number, sizeof number);
    return changed;
  };
  EXPECT_NE(refused(with(0, uint64_t{1} << 60)).find("do not fit together"), std::string::npos);
  EXPECT_NE(refused(with(8, 5)).find("chunks of 5 bytes"), std::string::npos);
  EXPECT_NE(refused(with(16, uint64_t{1} << 62)).find("do not fit together"), std::string::npos);
  EXPECT_NE(refused(with(24, uint64_t{1} << 40)).find("says chunk 0 has"), std::string::npos);
  EXPECT_NE(refused(with(24 + 24 + 100, 0x0123456789abcdef)).find("chunk 0 is damaged"), std::string::npos);
}

TEST(CompressedWeights, NoMoreMemoryIsTakenThanTheBytesCanStandFor) {
  // 1 TiB in a section of some bytes: a million chunks would need eight megabytes of sizes alone.
  std::string section;
  for (const uint64_t number : {uint64_t{1} << 40, uint64_t{1} << 20, uint64_t{1} << 20}) {
    section.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  EXPECT_THROW(decompress_weights(as_bytes(section), "file"), Error);
  // With room for the sizes it still cannot stand for that much.
  section.append(size_t{8} << 20, '\0');
  EXPECT_THROW(decompress_weights(as_bytes(section), "file"), Error);
}

}  // namespace
}  // namespace openrknn
