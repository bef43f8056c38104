// Sessions of encrypted models over our own librknnrt, and what a runtime that has no such thing is told.
#include "core/rknn_file/encrypted_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "session/stub_session.h"
#include "support/text_model.h"
#include "support/variable.h"

namespace openrknn {
namespace {

class EncryptedSession : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(key_file_) << std::string(64, 'a'); }
  void TearDown() override {
    std::remove(key_file_.c_str());
    std::remove(path_.c_str());
  }
  /// Float16, four numbers doubled.
  std::string model(EncryptionLevel level, bool user_key = true) const {
    EncryptOptions options{.level = level, .key = {}, .chunk_bytes = 4096};
    if (user_key) options.key = read_model_key(key_file_);
    MemorySink sink;
    encrypt(*test::in_memory(test::file_bytes(test::model_of(R"(ir 1
input %x : f16[1,4]
%y : f16[1,4] = Add(%x, %x)
output %y
)"))),
            options, sink);
    return sink.data;
  }
  SessionOptions options(bool with_key = true) const {
    SessionOptions options;
    options.runtime_library = OPENRKNN_RUNTIME_LIBRARY;
    if (with_key) options.model_key_file = key_file_;
    return options;
  }
  static Session open(const std::string& bytes, SessionOptions options) {
    return Session(std::as_bytes(std::span(bytes.data(), bytes.size())), std::move(options));
  }
  static std::vector<float> doubled(Session& session) {
    const std::vector<float> values = {1, 2, 3, 4};
    const std::vector<int64_t> shape = {1, 4};
    const std::vector<Array> outputs =
        session.run({}, Feed::dict({{"x", ArrayView{ElementType::Float32, shape, values.data()}}}));
    return {outputs[0].floats().begin(), outputs[0].floats().end()};
  }
  static std::string failure(const std::string& bytes, SessionOptions options) {
    try {
      open(bytes, std::move(options));
    } catch (const SessionError& error) {
      return error.what();
    }
    return "no error";
  }

  const std::string key_file_ = ::testing::TempDir() + "/openrknn_session.key";
  const std::string path_ = ::testing::TempDir() + "/openrknn_session.crypt.rknn";
  const std::vector<float> expected_ = {2, 4, 6, 8};
};

TEST_F(EncryptedSession, RunsWithTheKeyFileOfItsOptions) {
  for (const EncryptionLevel level : {EncryptionLevel::Graph, EncryptionLevel::Target, EncryptionLevel::Nothing}) {
    const std::string bytes = model(level);
    Session session = open(bytes, options());
    EXPECT_EQ(doubled(session), expected_);
  }
}

TEST_F(EncryptedSession, EveryContextGetsTheKey) {
  const std::string bytes = model(EncryptionLevel::Graph);
  std::ofstream(path_, std::ios::binary) << bytes;
  SessionOptions several = options();
  several.schedule = {0, 1, 2};
  several.disable_dup_context = true;  // each is opened anew, one for device memory too
  Session session(std::filesystem::path(path_), several);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(doubled(session), expected_);
  EXPECT_NO_THROW(session.io_binding());
}

TEST_F(EncryptedSession, TheKeyIsNotLeftToTheNextOne) {
  const std::string bytes = model(EncryptionLevel::Graph);
  Session session = open(bytes, options());
  const std::string text = failure(bytes, options(false));
  EXPECT_NE(text.find("no key was given"), std::string::npos) << text;
  EXPECT_NE(text.find("RKNN_ERR_MODEL_INVALID"), std::string::npos) << text;
}

TEST_F(EncryptedSession, AnotherKeyAndNoFileAreToldApart) {
  const std::string bytes = model(EncryptionLevel::Graph);
  std::ofstream(key_file_) << std::string(64, 'b');
  const std::string other = failure(bytes, options());
  EXPECT_NE(other.find("another key than the one given"), std::string::npos) << other;
  SessionOptions nowhere = options();
  nowhere.model_key_file = "/nowhere/model.key";
  const std::string missing = failure(bytes, nowhere);
  EXPECT_NE(missing.find("/nowhere/model.key"), std::string::npos) << missing;
}

TEST_F(EncryptedSession, ARuntimeWithoutEncryptedModelsRefusesTheOption) {
  SessionOptions stub = options();
  stub.runtime_library = OPENRKNN_STUB_RUNTIME_LIBRARY;
  const std::string text = failure("input x f32 1,4\noutput y f32 1,4\n", stub);
  EXPECT_NE(text.find("model_key_file"), std::string::npos) << text;
  EXPECT_NE(text.find("does not open encrypted models"), std::string::npos) << text;
}

}  // namespace
}  // namespace openrknn
