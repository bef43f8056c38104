#include "core/base/file.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <csignal>

#include <filesystem>

#include "core/base/error.h"

namespace openrknn {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }
  int64_t files() const { return std::distance(std::filesystem::directory_iterator(folder), {}); }
  std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "openrknn file test";
};

TEST_F(FileTest, WritesAppearOnCommitOnly) {
  {
    FileSink sink(folder / "model.rknn");
    sink.write(std::as_bytes(std::span("half", 4)));
  }
  EXPECT_EQ(files(), 0);
  write_file(folder / "model.rknn", "whole");
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(read_text_file(folder / "model.rknn"), "whole");
}

TEST_F(FileTest, WhoeverIsKilledWhileWritingLeavesNothing) {
  const int nameless = ::open(folder.c_str(), O_TMPFILE | O_WRONLY, 0666);
  if (nameless < 0) GTEST_SKIP() << "this file system has no files without a name";
  ::close(nameless);
  const pid_t child = ::fork();
  if (child == 0) {
    FileSink sink(folder / "model.rknn");
    const std::string much(1 << 20, 'x');
    sink.write(std::as_bytes(std::span(much.data(), much.size())));
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(files(), 0);
}

TEST_F(FileTest, AFailedWriteKeepsTheFormerFile) {
  write_file(folder / "model.rknn", "old");
  {
    FileSink sink(folder / "model.rknn");
    sink.write(std::as_bytes(std::span("new", 3)));
  }
  EXPECT_EQ(read_text_file(folder / "model.rknn"), "old");
}

TEST_F(FileTest, MissingFilesAndFoldersAreNamed) {
  try {
    MappedFile::open(folder / "nothing.onnx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::FileNotFound);
    EXPECT_NE(std::string(error.what()).find("nothing.onnx"), std::string::npos);
  }
  EXPECT_THROW(MappedFile::open(folder), Error);
  EXPECT_THROW(FileSink(folder / "no such folder" / "x"), Error);
}

TEST_F(FileTest, AnEmptyFileMapsToNoBytes) {
  write_file(folder / "empty", "");
  EXPECT_TRUE(MappedFile::open(folder / "empty")->bytes().empty());
}

}  // namespace
}  // namespace openrknn
