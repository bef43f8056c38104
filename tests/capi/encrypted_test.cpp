// Encrypted models through rknn_init: with what they need they run like any other, and without it -6 says what is
// missing.
#include "core/rknn_file/encrypted_file.h"

#include <fstream>

#include "capi/fixture.h"

namespace openrknn::test {
namespace {

constexpr const char* kKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr const char* kOtherKey = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

class CapiEncrypted : public Capi {
 protected:
  void SetUp() override { write_key(kKey); }
  void TearDown() override {
    Capi::TearDown();
    std::remove(key_file_.c_str());
  }
  void write_key(const std::string& text) const { std::ofstream(key_file_) << text << "\n"; }
  std::string model(int level, bool user_key, const Model& plain = int8_model()) const {
    EncryptOptions options{.level = static_cast<EncryptionLevel>(level), .key = {}, .chunk_bytes = 4096};
    if (user_key) options.key = read_model_key(key_file_);
    MemorySink sink;
    encrypt(*in_memory(file_bytes(plain)), options, sink);
    return sink.data;
  }
  int init(std::string& bytes, rknn_init_extend* extend = nullptr, uint32_t flags = 0) {
    context_ = 0;
    return rknn_init(&context_, bytes.data(), static_cast<uint32_t>(bytes.size()), flags, extend);
  }
  void expect_runs() const {
    EXPECT_EQ(run_pixels(context_), expected_codes());
    rknn_custom_string text{};
    EXPECT_EQ(rknn_query(context_, RKNN_QUERY_CUSTOM_STRING, &text, sizeof text), RKNN_SUCC);
    EXPECT_STREQ(text.string, "hello");
    EXPECT_EQ(rknn_destroy(context_), RKNN_SUCC);
  }
  static std::string diagnostic() { return door().last_diagnostic(); }

  const std::string key_file_ = ::testing::TempDir() + "/openrknn_capi.key";
  rknn_context context_ = 0;
};

TEST_F(CapiEncrypted, EveryLevelRunsWithTheBuiltInKeyAlone) {
  for (const int level : {1, 2, 3}) {
    SCOPED_TRACE(level);
    std::string bytes = model(level, false);
    ASSERT_EQ(init(bytes), RKNN_SUCC);
    std::fill(bytes.begin(), bytes.end(), '\0');  // the runtime holds what it decrypted
    expect_runs();
  }
}

TEST_F(CapiEncrypted, EveryLevelRunsWithTheKeyOfTheEnvironment) {
  for (const int level : {1, 2, 3}) {
    SCOPED_TRACE(level);
    std::string bytes = model(level, true);
    {
      const Variable file("OPENRKNN_MODEL_KEY_FILE", key_file_);
      ASSERT_EQ(init(bytes), RKNN_SUCC);
      expect_runs();
    }
    const Variable digits("OPENRKNN_MODEL_KEY", kKey);
    ASSERT_EQ(init(bytes), RKNN_SUCC);
    expect_runs();
  }
}

TEST_F(CapiEncrypted, RunsWithTheKeyFileOfTheDoorForThisThreadUntilItIsTakenBack) {
  std::string bytes = model(2, true);
  ASSERT_GE(door().version, 5u);
  EXPECT_EQ(door().set_model_key_file(key_file_.c_str()), RKNN_SUCC);
  EXPECT_EQ(init(bytes), RKNN_SUCC);
  expect_runs();
  EXPECT_EQ(door().set_model_key_file(nullptr), RKNN_SUCC);
  EXPECT_EQ(init(bytes), RKNN_ERR_MODEL_INVALID);
}

TEST_F(CapiEncrypted, PathsPartsAndBorrowedBuffersAreDecryptedToo) {
  const std::string bytes = model(1, false);
  std::string path = ::testing::TempDir() + "/openrknn_capi_part.crypt.rknn";
  std::ofstream(path, std::ios::binary) << "12345" << bytes << "tail";
  rknn_init_extend extend{};
  extend.real_model_offset = 5;
  extend.real_model_size = static_cast<uint32_t>(bytes.size());
  ASSERT_EQ(rknn_init(&context_, path.data(), 0, 0, &extend), RKNN_SUCC);
  std::remove(path.c_str());
  expect_runs();
  std::string buffer = "123" + bytes;
  extend.real_model_offset = 3;
  ASSERT_EQ(init(buffer, &extend, RKNN_FLAG_MODEL_BUFFER_ZERO_COPY), RKNN_SUCC);
  expect_runs();
}

TEST_F(CapiEncrypted, DuplicatesOutliveTheirOriginal) {
  std::string bytes = model(3, false);
  ASSERT_EQ(init(bytes), RKNN_SUCC);
  rknn_context original = context_;
  ASSERT_EQ(rknn_dup_context(&original, &context_), RKNN_SUCC);
  ASSERT_EQ(rknn_destroy(original), RKNN_SUCC);
  expect_runs();
}

TEST_F(CapiEncrypted, WithoutAKeyItIsMinus6AndSaysSo) {
  std::string bytes = model(1, true);
  EXPECT_EQ(init(bytes), RKNN_ERR_MODEL_INVALID);
  EXPECT_EQ(context_, 0u);
  EXPECT_NE(diagnostic().find("no key was given"), std::string::npos) << diagnostic();
  EXPECT_NE(diagnostic().find("OPENRKNN_MODEL_KEY_FILE"), std::string::npos) << diagnostic();
}

TEST_F(CapiEncrypted, WithAnotherKeyItIsMinus6AndShowsNeither) {
  std::string bytes = model(1, true);
  const Variable digits("OPENRKNN_MODEL_KEY", kOtherKey);
  EXPECT_EQ(init(bytes), RKNN_ERR_MODEL_INVALID);
  EXPECT_NE(diagnostic().find("another key than the one given"), std::string::npos) << diagnostic();
  for (const char* key : {kKey, kOtherKey}) {
    EXPECT_EQ(diagnostic().find(std::string(key).substr(0, 8)), std::string::npos) << diagnostic();
  }
}

TEST_F(CapiEncrypted, WhatIsNoKeyIsNamed) {
  std::string bytes = model(1, true);
  write_key("not a key");
  const Variable file("OPENRKNN_MODEL_KEY_FILE", key_file_);
  EXPECT_EQ(init(bytes), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find(key_file_), std::string::npos) << diagnostic();
  EXPECT_NE(diagnostic().find("64 hexadecimal digits"), std::string::npos) << diagnostic();
}

TEST_F(CapiEncrypted, DamageIsMinus6) {
  std::string bytes = model(1, false);
  bytes[bytes.size() - 100] ^= 4;
  EXPECT_EQ(init(bytes), RKNN_ERR_MODEL_INVALID);
  EXPECT_NE(diagnostic().find("was changed or is damaged"), std::string::npos) << diagnostic();
  bytes.resize(bytes.size() / 2);
  EXPECT_EQ(init(bytes), RKNN_ERR_MODEL_INVALID);
}

TEST_F(CapiEncrypted, AFileWithoutWeightsTakesThemFromItsMaster) {
  Model full = model_of(R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[8,8,1,1] = random(1)
%y : f32[1,8,4,4] = Conv(%x, %w)
output %y
)");
  std::string master = model(2, true, full);
  full.remove_weight = true;
  std::string light = model(3, true, full);
  const Variable digits("OPENRKNN_MODEL_KEY", kKey);
  ASSERT_EQ(init(master), RKNN_SUCC);
  rknn_init_extend extend{};
  extend.ctx = context_;
  const rknn_context first = context_;
  ASSERT_EQ(init(light, &extend, RKNN_FLAG_SHARE_WEIGHT_MEM), RKNN_SUCC) << diagnostic();
  EXPECT_EQ(rknn_destroy(first), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy(context_), RKNN_SUCC);
}

}  // namespace
}  // namespace openrknn::test
