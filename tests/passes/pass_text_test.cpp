// Every pass against its text cases, in form (the text after) and in numbers (both graphs run on the same inputs).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/passes/pass.h"
#include "core/base/file.h"
#include "core/graph/text.h"
#include "passes/run_both.h"

namespace openrknn {
namespace {

constexpr float kBeyondBends = 4;  ///< inputs reach past the bends of the activations

struct PassCase {
  std::string file, title, pass, before, after;
  double tolerance = 0;
  bool unchanged = false;
};

void PrintTo(const PassCase& c, std::ostream* out) { *out << c.file << ": " << c.title; }

std::vector<PassCase> read_cases(const std::filesystem::path& file) {
  std::vector<PassCase> cases;
  std::string* part = nullptr;
  const std::string text = read_text_file(file);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("=== ")) {
      cases.push_back({.file = file.stem().string(), .title = line.substr(4)});
      part = nullptr;
    } else if (cases.empty() || (part == nullptr && line.empty())) {
      continue;
    } else if (line == "--- before") {
      part = &cases.back().before;
    } else if (line == "--- after") {
      part = &cases.back().after;
    } else if (part != nullptr) {
      *part += line + "\n";
    } else if (line.starts_with("pass: ")) {
      cases.back().pass = line.substr(6);
    } else if (line.starts_with("tolerance: ")) {
      cases.back().tolerance = line == "tolerance: exact" ? 0 : std::stod(line.substr(11));
    } else if (line == "unchanged") {
      cases.back().unchanged = true;
    } else {
      ADD_FAILURE() << file << ": unknown line '" << line << "'";
    }
  }
  return cases;
}

std::vector<PassCase> all_cases() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/tests/passes/data")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<PassCase> cases;
  for (const auto& file : files) {
    for (PassCase& one : read_cases(file)) cases.push_back(std::move(one));
  }
  return cases;
}

std::string origin_lines(const Graph& graph) {
  std::string lines;
  const std::string text = to_text(graph);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin) + 1;
    if (text.compare(begin, 7, "origin ") == 0) lines += text.substr(begin, end - begin);
    begin = end;
  }
  return lines;
}

class PassText : public testing::TestWithParam<PassCase> {};

TEST_P(PassText, DoesWhatTheCaseSays) {
  const PassCase& c = GetParam();
  const Pass* pass = find_pass(c.pass);
  ASSERT_NE(pass, nullptr) << c.pass;
  EXPECT_TRUE(c.tolerance > 0 || pass->effect == Effect::Exact || c.unchanged) << "state a tolerance";
  EXPECT_TRUE(c.tolerance == 0 || pass->effect != Effect::Exact) << "the pass promises exact results";
  const Graph before = parse_graph(c.before, {}, evaluate);
  verify(before);
  Graph graph = before;
  std::vector<std::string> notes;
  const PassContext context{.evaluate = evaluate, .note = [&](std::string_view line) { notes.emplace_back(line); }};
  bool changed = false;
  for (int i = 0; pass->run(graph, context); ++i) {
    changed = true;
    verify(graph);
    ASSERT_LT(i, 20) << "the pass never settles";
  }
  verify(graph);
  EXPECT_EQ(changed, !c.unchanged);
  if (!changed) {
    EXPECT_EQ(to_text(graph), to_text(before)) << "said nothing changed";
    return;
  }
  graph.remove_unused();
  verify(graph);
  std::string wanted = c.after;
  wanted.insert(wanted.find("ir 1") + 5, origin_lines(before));
  EXPECT_EQ(to_text(graph), to_text(parse_graph(wanted, {}, evaluate)));
  expect_same_numbers(before, graph, c.tolerance, kBeyondBends);
}

INSTANTIATE_TEST_SUITE_P(All, PassText, testing::ValuesIn(all_cases()),
                         [](const auto& given) { return given.param.file + "_" + std::to_string(given.index); });

TEST(PassLists, EveryPassHasACaseAndAReason) {
  std::set<std::string> tested, names;
  for (const PassCase& one : all_cases()) tested.insert(one.pass);
  for (const std::span<const Pass> list : {clean_passes(), fold_passes(), fuse_passes()}) {
    for (const Pass& pass : list) {
      EXPECT_TRUE(names.emplace(pass.name).second) << pass.name << " stands twice";
      EXPECT_TRUE(tested.contains(std::string(pass.name))) << "tests/passes/data holds no case of " << pass.name;
      EXPECT_FALSE(pass.reason.empty()) << pass.name;
    }
  }
  EXPECT_EQ(find_pass("no_such_pass"), nullptr);
}

}  // namespace
}  // namespace openrknn
