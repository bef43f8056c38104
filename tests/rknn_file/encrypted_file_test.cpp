// Encrypted files: they come back whole with the right key, and everything else is an Error.
#include "core/rknn_file/encrypted_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <random>

#include "core/base/hash.h"
#include "core/rknn_file/aead.h"
#include "core/rknn_file/encrypted_header.h"
#include "support/text_model.h"
#include "support/variable.h"

namespace openrknn {
namespace {

constexpr uint32_t kChunk = 4096;
constexpr std::string_view kHexKey = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

ModelKey key_of(int first) {
  std::array<std::byte, kModelKeyBytes> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(first + static_cast<int>(i));
  return ModelKey(bytes, "test");
}

/// 16 KiB of random weights, so that a file has several chunks.
Model model_with_weights() {
  Model model = test::model_of(R"(ir 1
metadata "author" = "secret_author"
input %secret_input : f32[1,64,4,4]
%secret_weight : f32[64,64,1,1] = random(1)
%secret_output : f32[1,64,4,4] = Conv(%secret_input, %secret_weight)
output %secret_output
)");
  model.custom_string = "secret_custom";
  return model;
}

std::string encrypted(const std::string& plain, EncryptionLevel level, std::optional<ModelKey> key = {}) {
  MemorySink sink;
  encrypt(*test::in_memory(plain), {.level = level, .key = std::move(key), .chunk_bytes = kChunk}, sink);
  return sink.data;
}

std::string decrypted(const std::string& bytes, const std::optional<ModelKey>& key = {}) {
  const std::shared_ptr<const MappedFile> file = decrypt(*test::in_memory(bytes), key);
  return std::string(as_text(file->bytes()));
}

/// What decrypting says; fails the test if it succeeds.
Error failure(const std::string& bytes, const std::optional<ModelKey>& key = {}) {
  try {
    decrypted(bytes, key);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "the file was accepted";
  return Error({Diagnostic{Code::Internal, Severity::Error, {}, "", ""}});
}

class EncryptedFile : public ::testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  EncryptionLevel level() const { return static_cast<EncryptionLevel>(std::get<0>(GetParam())); }
  std::optional<ModelKey> key() const {
    return std::get<1>(GetParam()) ? std::optional<ModelKey>(key_of(1)) : std::nullopt;
  }
  const std::string plain_ = test::file_bytes(model_with_weights());
};
INSTANTIATE_TEST_SUITE_P(Levels, EncryptedFile, ::testing::Combine(::testing::Values(1, 2, 3), ::testing::Bool()),
                         [](const auto& level) {
                           return "Level" + std::to_string(std::get<0>(level.param)) +
                                  (std::get<1>(level.param) ? "UserKey" : "BuiltInKey");
                         });

TEST_P(EncryptedFile, ComesBackWholeAndAligned) {
  const std::string bytes = encrypted(plain_, level(), key());
  EXPECT_EQ(decrypted(bytes, key()), plain_);
  const std::shared_ptr<const MappedFile> file = decrypt(*test::in_memory(bytes), key());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->bytes().data()) % kSectionAlignment, 0u);
  const Model model = read(file);
  EXPECT_EQ(model.custom_string, "secret_custom");
  EXPECT_EQ(test::file_bytes(model), plain_);
}

TEST_P(EncryptedFile, SaysWhatItIsWithoutAKey) {
  const std::string bytes = encrypted(plain_, level(), key());
  const FileDescription description = describe(*test::in_memory(bytes));
  ASSERT_TRUE(description.encryption.has_value());
  EXPECT_TRUE(description.ours);
  EXPECT_EQ(description.encryption->level, level());
  EXPECT_EQ(description.encryption->has_user_key, key().has_value());
  EXPECT_TRUE(description.sections.empty());
  EXPECT_EQ(description.runtime_target, level() == EncryptionLevel::Nothing ? "" : "rk3588");
  EXPECT_EQ(description.inputs.size(), level() == EncryptionLevel::Graph ? 1u : 0u);
}

TEST_P(EncryptedFile, IsNotReadUndecrypted) {
  try {
    test::read_bytes(encrypted(plain_, level(), key()));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RknnEncrypted);
  }
}

TEST_P(EncryptedFile, HidesWhatItsLevelPromises) {
  const std::string bytes = encrypted(plain_, level(), key());
  const auto holds = [&](std::string_view text) { return bytes.find(text) != std::string::npos; };
  // Of the weights no run of eight bytes.
  const Tensor weight = *model_with_weights().variants.front()[ValueId(1)].constant;
  for (size_t at = 0; at + 8 <= weight.bytes().size(); at += 8) {
    ASSERT_FALSE(holds(as_text(weight.bytes().subspan(at, 8)))) << at;
  }
  for (const char* text : {"secret_custom", "secret_author", "ORKM"}) EXPECT_FALSE(holds(text)) << text;
  for (const char* text : {"secret_input", "secret_weight", "secret_output", "Conv"}) {
    EXPECT_EQ(holds(text), level() == EncryptionLevel::Graph) << text;
  }
  for (const char* text : {"rk3588", "ONNX", "RKNN"})
    EXPECT_EQ(holds(text), level() != EncryptionLevel::Nothing) << text;
}

TEST_P(EncryptedFile, IsAnotherOneEveryTime) {
  const std::string first = encrypted(plain_, level(), key()), second = encrypted(plain_, level(), key());
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(first, second) << "the salt is not random";
}

TEST_P(EncryptedFile, EveryTruncationIsSeen) {
  const std::string bytes = encrypted(plain_, level(), key());
  std::vector<size_t> sizes = {bytes.size() - 1, bytes.size() - 16, bytes.size() - 17, bytes.size() - kChunk - 16};
  for (size_t size = 0; size < bytes.size(); size += size < 1024 ? 1 : 97) sizes.push_back(size);
  for (const size_t size : sizes) {
    const Error error = failure(bytes.substr(0, size), key());
    // Cut before anything says that it is encrypted, it is a file of another kind.
    EXPECT_NE(error.code(), Code::Internal) << size << ": " << error.what();
  }
  EXPECT_EQ(failure(bytes.substr(0, bytes.size() - 1), key()).code(), Code::RknnTruncated);
  EXPECT_EQ(failure(bytes + "x", key()).code(), Code::RknnDamaged);
}

TEST_P(EncryptedFile, AFlippedBitAnywhereIsSeen) {
  const std::string bytes = encrypted(plain_, level(), key());
  const auto seed = static_cast<uint32_t>(std::chrono::system_clock::now().time_since_epoch().count());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto try_bit = [&](size_t at, int bit) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
    EXPECT_THROW(decrypted(damaged, key()), Error) << "byte " << at << " bit " << bit;
  };
  const uint64_t header = find_encrypted_header(*test::in_memory(bytes))->offset;
  for (size_t at = header; at < header + sizeof(EncryptedHeader); ++at) {
    for (int bit = 0; bit < 8; ++bit) try_bit(at, bit);
  }
  // The readable part, the first chunk and its tag, the last chunk and its tag, and anywhere.
  const auto some_of = [&](size_t begin, size_t end, int count) {
    for (int i = 0; begin < end && i < count; ++i)
      try_bit(begin + random() % (end - begin), static_cast<int>(random() % 8));
  };
  const size_t content = header + sizeof(EncryptedHeader);
  some_of(0, header, 100);
  some_of(content, content + kChunk, 50);
  some_of(content + kChunk, content + kChunk + 16, 30);
  some_of(bytes.size() - 16, bytes.size(), 30);
  some_of(content, bytes.size(), 200);
}

TEST_P(EncryptedFile, ChunksCannotBeMovedOrExchanged) {
  const std::string bytes = encrypted(plain_, level(), key());
  const uint64_t content = find_encrypted_header(*test::in_memory(bytes))->offset + sizeof(EncryptedHeader);
  constexpr size_t kWhole = kChunk + 16;
  ASSERT_GT(bytes.size(), content + 3 * kWhole);
  std::string swapped = bytes;
  std::swap_ranges(swapped.begin() + static_cast<ptrdiff_t>(content),
                   swapped.begin() + static_cast<ptrdiff_t>(content + kWhole),
                   swapped.begin() + static_cast<ptrdiff_t>(content + kWhole));
  Error error = failure(swapped, key());
  EXPECT_EQ(error.code(), Code::RknnDamaged);
  EXPECT_NE(std::string(error.what()).find("block 1 of"), std::string::npos) << error.what();
  // One chunk twice, another left out.
  std::string doubled = bytes;
  doubled.replace(content + 2 * kWhole, kWhole, bytes, content + kWhole, kWhole);
  EXPECT_EQ(failure(doubled, key()).code(), Code::RknnDamaged);
  // A chunk of another encryption of the same model with the same key.
  std::string mixed = encrypted(plain_, level(), key());
  mixed.replace(content + kWhole, kWhole, bytes, content + kWhole, kWhole);
  EXPECT_EQ(failure(mixed, key()).code(), Code::RknnDamaged);
}

TEST_P(EncryptedFile, KeysAreToldApart) {
  const std::string bytes = encrypted(plain_, level(), key());
  if (!key()) {
    EXPECT_EQ(decrypted(bytes, key_of(9)), plain_) << "a key that is not asked for does no harm";
    return;
  }
  const Error none = failure(bytes), other = failure(bytes, key_of(2));
  EXPECT_EQ(none.code(), Code::RknnEncrypted);
  EXPECT_NE(std::string(none.what()).find("no key was given"), std::string::npos) << none.what();
  EXPECT_EQ(other.code(), Code::RknnEncrypted);
  EXPECT_NE(std::string(other.what()).find("another key than the one given"), std::string::npos) << other.what();
}

// ---- Headers that lie: with a checksum and a tag of their own, as an attacker with the built-in key makes them ------

TEST(EncryptedHeaders, ThatLieAreRefusedBeforeAnythingIsAllocated) {
  const std::string bytes = encrypted(test::file_bytes(model_with_weights()), EncryptionLevel::Nothing);
  const auto code_with = [&](auto edit) {
    std::string changed = bytes;
    EncryptedHeader header;
    std::memcpy(&header, changed.data(), sizeof header);
    edit(header);
    header.hash = 0;
    const std::string_view before(reinterpret_cast<const char*>(&header), offsetof(EncryptedHeader, hash));
    const std::array<Bytes, 1> pieces = {as_bytes(before)};
    header.hash = hash64_of_pieces(pieces);
    std::memcpy(changed.data(), &header, sizeof header);
    return failure(changed).code();
  };
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.content_bytes = UINT64_MAX; }), Code::RknnTruncated);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.content_bytes = UINT64_MAX / 2; }), Code::RknnTruncated);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.content_bytes += 1; }), Code::RknnTruncated);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.content_bytes -= 1; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.content_bytes = 0; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.chunk_bytes = 0; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.chunk_bytes = 4097; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.chunk_bytes = 1u << 31; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.level = 4; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.level = 1; }), Code::RknnDamaged) << "level 1 has a frame";
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.reserved[1] = 1; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.version = 0; }), Code::RknnDamaged);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.version = 2; }), Code::RknnNewerVersion);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.cipher = 2; }), Code::RknnNewerVersion);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.has_user_key = 1; }), Code::RknnEncrypted);
  EXPECT_EQ(code_with([](EncryptedHeader& h) { h.salt[0] ^= 1; }), Code::RknnEncrypted);
}

TEST(EncryptedHeaders, TheTagIsAskedEvenIfTheChecksumIsRight) {
  // What XXH3 cannot see, since anybody computes it: the target that a level 2 file shows.
  std::string bytes = encrypted(test::file_bytes(model_with_weights()), EncryptionLevel::Target);
  const size_t at = bytes.find("rk3588");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 6, "rk3566");
  const uint64_t offset = bytes.find("ORKNCRPT");
  const std::array<Bytes, 1> pieces = {
      as_bytes(std::string_view(bytes).substr(0, offset + offsetof(EncryptedHeader, hash)))};
  const uint64_t hash = hash64_of_pieces(pieces);
  std::memcpy(bytes.data() + offset + offsetof(EncryptedHeader, hash), &hash, sizeof hash);
  const Error error = failure(bytes);
  EXPECT_EQ(error.code(), Code::RknnDamaged);
  // By the header's own tag: the chunks know of the readable part through the checksum alone, which can be made to fit.
  EXPECT_NE(std::string(error.what()).find("the header of the encrypted model"), std::string::npos) << error.what();
}

/// A level 3 file around any content, made after docs/rknn_file.md with the user's key.
std::string sealed(std::string_view content, const ModelKey& key) {
  EncryptedHeader header{};
  header.level = 3;
  header.has_user_key = 1;
  header.chunk_bytes = kChunk;
  header.content_bytes = content.size();
  std::array<std::byte, kAeadKeyBytes + kKeyCheckBytes> both;
  hkdf_sha256(key.bytes(), std::as_bytes(std::span(header.salt)), as_bytes("OpenRKNN model encryption 1"), both);
  std::memcpy(header.key_check, both.data() + kAeadKeyBytes, kKeyCheckBytes);
  complete(header, {});
  Aead aead{std::span(both).first<kAeadKeyBytes>()};
  AeadNonce nonce;
  nonce.fill(std::byte{0xff});
  const AeadTag tag = aead.seal(nonce, {before_tag(header)}, {}, {});
  std::memcpy(header.tag, tag.data(), tag.size());
  std::string file(as_text(header_bytes(header)));
  for (uint64_t index = 0; index * kChunk < content.size(); ++index) {
    std::string chunk(content.substr(index * kChunk, kChunk));
    nonce = {};
    std::memcpy(nonce.data(), &index, sizeof index);
    const auto bytes = std::as_writable_bytes(std::span(chunk));
    const AeadTag chunk_tag = aead.seal(nonce, {header_bytes(header), nonce}, bytes, bytes);
    file += chunk;
    file += as_text(chunk_tag);
  }
  return file;
}

TEST(EncryptedContent, IsWhatTheDocumentSays) {
  const std::string plain = test::file_bytes(model_with_weights());
  std::string content(64, '\0');
  const uint64_t size = plain.size();
  std::memcpy(content.data(), &size, sizeof size);
  EXPECT_EQ(decrypted(sealed(content + plain, key_of(1)), key_of(1)), plain);
}

TEST(EncryptedContent, ThatIsSealedRightlyAndLiesIsRefused) {
  const auto code_of = [](uint64_t size, size_t bytes) {
    std::string content(bytes, '\0');
    std::memcpy(content.data(), &size, std::min(bytes, sizeof size));
    return failure(sealed(content, key_of(1)), key_of(1)).code();
  };
  for (const uint64_t size : {uint64_t{5000 - 63}, uint64_t{5000}, UINT64_MAX, UINT64_MAX - 63, UINT64_MAX / 2}) {
    EXPECT_EQ(code_of(size, 5000), Code::RknnInvalid) << size;
  }
  for (const size_t bytes : {0, 1, 8, 63}) EXPECT_EQ(code_of(0, bytes), Code::RknnInvalid) << bytes;
}

// ---- What is encrypted ---------------------------------------------------------------------------------------------

TEST(Encrypt, RefusesWhatIsNoPlainFileOfOurs) {
  const std::string plain = test::file_bytes(model_with_weights());
  const auto code_of = [](const std::string& bytes, EncryptOptions options = {}) {
    MemorySink sink;
    try {
      encrypt(*test::in_memory(bytes), options, sink);
    } catch (const Error& error) {
      EXPECT_TRUE(sink.data.empty()) << "half a file";
      return error.code();
    }
    ADD_FAILURE();
    return Code::Internal;
  };
  std::string damaged = plain;
  damaged[damaged.size() - 100] ^= 1;
  EXPECT_EQ(code_of(damaged), Code::RknnDamaged);
  EXPECT_EQ(code_of(plain.substr(0, plain.find("OpenRKNN"))), Code::RknnVendorFile);
  EXPECT_EQ(code_of(encrypted(plain, EncryptionLevel::Graph)), Code::RknnEncrypted);
  EXPECT_EQ(code_of(encrypted(plain, EncryptionLevel::Nothing)), Code::RknnEncrypted);
  EXPECT_EQ(code_of("no model"), Code::RknnBadMagic);
  EXPECT_EQ(code_of(plain, {.level = static_cast<EncryptionLevel>(4)}), Code::InvalidArgument);
  EXPECT_EQ(code_of(plain, {.chunk_bytes = 100}), Code::InvalidArgument);
}

TEST(Encrypt, FilesWithoutWeightsStayFilesWithoutWeights) {
  Model model = model_with_weights();
  model.remove_weight = true;
  const std::string plain = test::file_bytes(model);
  EXPECT_EQ(decrypted(encrypted(plain, EncryptionLevel::Graph)), plain);
}

TEST(Encrypt, LevelThreeRoundsTheSizeUp) {
  const auto size_of = [](const std::string& custom) {
    Model model = model_with_weights();
    model.custom_string = custom;
    return encrypted(test::file_bytes(model), EncryptionLevel::Nothing).size();
  };
  EXPECT_EQ(size_of("short"), size_of(std::string(1000, 'x')));
}

// ---- Keys ----------------------------------------------------------------------------------------------------------

class KeyFile : public ::testing::Test {
 protected:
  std::string write(const std::string& content) const {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }
  void TearDown() override { std::remove(path_.c_str()); }
  std::string refusal(const std::string& content) const {
    try {
      read_model_key(write(content));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::ConfigBadValue);
      return error.what();
    }
    return "accepted";
  }
  const std::string path_ = ::testing::TempDir() + "/openrknn_model.key";
};

bool same(const ModelKey& a, const ModelKey& b) { return std::ranges::equal(a.bytes(), b.bytes()); }

TEST_F(KeyFile, HoldsRawBytesOrDigits) {
  const ModelKey key = key_of(0);
  EXPECT_TRUE(same(read_model_key(write(std::string(as_text(key.bytes())))), key));
  EXPECT_TRUE(same(read_model_key(write(std::string(kHexKey))), key));
  EXPECT_TRUE(same(read_model_key(write("\r\n " + std::string(kHexKey) + "\r\n")), key));
}

TEST_F(KeyFile, ThatIsNoKeyIsRefusedWithoutShowingIt) {
  EXPECT_NE(refusal("").find("0 bytes"), std::string::npos);
  EXPECT_NE(refusal(std::string(31, 'k')).find("31 bytes"), std::string::npos);
  EXPECT_NE(refusal(std::string(kHexKey) + "20").find("66 bytes"), std::string::npos);
  EXPECT_NE(refusal(std::string(100000, 'k')).find("more than 1024 bytes"), std::string::npos);
  std::string wrong(kHexKey);
  wrong[63] = 'g';
  const std::string text = refusal(wrong);
  EXPECT_NE(text.find("64 hexadecimal digits"), std::string::npos) << text;
  EXPECT_EQ(text.find("0001"), std::string::npos) << text;
  EXPECT_THROW(read_model_key("/nowhere/model.key"), Error);
  EXPECT_THROW(read_model_key("/tmp"), Error);
}

TEST_F(KeyFile, ComesFromTheEnvironmentFileFirst) {
  EXPECT_FALSE(model_key_of_environment().has_value());
  const test::Variable digits("OPENRKNN_MODEL_KEY", std::string(kHexKey));
  EXPECT_TRUE(same(*model_key_of_environment(), key_of(0)));
  const ModelKey other = key_of(5);
  const test::Variable file("OPENRKNN_MODEL_KEY_FILE", write(std::string(as_text(other.bytes()))));
  EXPECT_TRUE(same(*model_key_of_environment(), other));
}

TEST_F(KeyFile, InTheEnvironmentThatIsNoKeyIsRefusedWithoutShowingIt) {
  const test::Variable digits("OPENRKNN_MODEL_KEY", "hunter2");
  try {
    model_key_of_environment();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::ConfigBadValue);
    EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << error.what();
  }
}

TEST(Encrypt, AKeyIsLookedForOnlyIfTheFileAsksForOne) {
  const test::Variable bad("OPENRKNN_MODEL_KEY_FILE", "/nowhere/model.key");
  const std::string plain = test::file_bytes(model_with_weights());
  const std::shared_ptr<const MappedFile> file = test::in_memory(plain);
  EXPECT_EQ(plain_file(file), file);
  EXPECT_EQ(as_text(plain_file(test::in_memory(encrypted(plain, EncryptionLevel::Nothing)))->bytes()), plain);
  EXPECT_THROW(plain_file(test::in_memory(encrypted(plain, EncryptionLevel::Nothing, key_of(1)))), Error);
}

}  // namespace
}  // namespace openrknn
