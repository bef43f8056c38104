#include "core/base/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace openrknn {
namespace {

TEST(DiagnosticCodes, EqualTheGoldenTable) {
  // Numbers are promises to users and scripts: a row may be appended to the golden file, never changed.
  std::ifstream file(OPENRKNN_SOURCE_DIR "/tests/base/diagnostic_codes.golden");
  std::stringstream golden, now;
  golden << file.rdbuf();
  std::set<int> numbers;
  for (const CodeInfo& info : all_codes()) {
    now << to_string(info.code) << '\n';
    EXPECT_TRUE(numbers.insert(static_cast<int>(info.code)).second) << info.slug;
  }
  EXPECT_EQ(now.str(), golden.str());
}

TEST(Diagnostic, SaysWhereWhatAndHow) {
  const Diagnostic diagnostic{Code::DatasetFileMissing, Severity::Error, Location{.file = "list.txt", .line = 3},
                              "no such file 'a.jpg'", "paths are relative to the dataset file"};
  EXPECT_EQ(to_string(diagnostic),
            "list.txt:3: E0302 dataset.file-missing: no such file 'a.jpg'; paths are relative to the dataset file");
}

TEST(Diagnostics, AreReportedTogether) {
  Diagnostics problems;
  problems.throw_if_any();
  problems.add(Code::ImportUnsupportedOp, Location{.node = "a"}, "first");
  problems.add(Code::ImportUnsupportedOp, Location{.node = "b", .tensor = "t"}, "second");
  try {
    problems.throw_if_any();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics.size(), 2u);
    EXPECT_STREQ(
        error.what(),
        "node 'a': E0103 import.unsupported-op: first\nnode 'b', tensor 't': E0103 import.unsupported-op: second");
  }
}

}  // namespace
}  // namespace openrknn
