// An analysis that was interrupted goes on where it was and gives the same bits as one that was not.
#include "compiler/analysis/checkpoint.h"

#include <filesystem>
#include <map>

#include "compiler/analysis/analyze.h"
#include "compiler/analysis/error_table.h"
#include "core/base/file.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

constexpr std::string_view kTwoConvolutions = R"(ir 1
input %x : f32[1,3,8,8]
origin c0 : Conv %c0
origin y : Conv %y
%w0 : f32[8,3,3,3] = random(1)
%c0 = Conv(%x, %w0) {pads=[1,1,1,1]} from [c0]
%w1 : f32[4,8,3,3] = random(2)
%y = Conv(%c0, %w1) {pads=[1,1,1,1]} from [y]
output %y
)";

/// Breaks off when a sample is asked for that it does not give; counts what was asked.
class Interrupted : public Samples {
 public:
  Interrupted(const test::MemorySamples& all, int64_t given) : all_(all), given_(given) {}
  int64_t count() const override { return all_.count(); }
  std::vector<Tensor> get(int64_t i) const override {
    if (i >= given_) fail(Code::FileUnreadable, "interrupted");
    return all_.get(i);
  }
  std::string describe(int64_t i) const override { return all_.describe(i); }

 private:
  const test::MemorySamples& all_;
  int64_t given_;
};

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() : samples_(make_samples()), built_(test::build(parse_graph(kTwoConvolutions), samples_)) {}
  void SetUp() override { std::filesystem::remove(file_); }
  void TearDown() override { std::filesystem::remove(file_); }

  static test::MemorySamples make_samples(double high = 1) {
    test::Dice dice(4);
    return test::uniform_samples(parse_graph(kTwoConvolutions), dice, 5, -high, high);
  }

  struct Result {
    Analysis analysis;
    int64_t visited = 0;  ///< samples that were run
  };
  Result run(const Samples& samples, uint64_t key = 1) {
    ThreadPool pool(1);
    Checkpoint checkpoint(file_, key);
    const Resumption resumption{checkpoint, [](StateWriter&) {}, [](StateReader&) {}};
    const std::vector<LayerRow> rows = layer_rows(built_.golden, built_.quantized);
    int64_t visits = 0;
    const RowVisitor count = [&](size_t row, const LayerValues&, const LayerValues&) { visits += row == 0; };
    Analysis analysis = analyze(built_.golden, built_.quantized, arithmetic_of(test::target()), rows, samples, pool, {},
                                count, {}, &resumption);
    return {std::move(analysis), visits};
  }
  void interrupt_after(int64_t given, uint64_t key = 1) {
    EXPECT_THROW(run(Interrupted(samples_, given), key), Error);
    EXPECT_TRUE(std::filesystem::exists(file_));
  }

  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / "openrknn checkpoint test";
  test::MemorySamples samples_;
  test::Built built_;
};

TEST_F(CheckpointTest, GoesOnAfterTheLastWholeSample) {
  const Result whole = run(samples_);
  EXPECT_EQ(whole.visited, 5);
  std::filesystem::remove(file_);
  interrupt_after(3);
  const Result resumed = run(samples_);
  EXPECT_EQ(resumed.visited, 2);
  EXPECT_EQ(resumed.analysis.not_resumed, "");
  EXPECT_EQ(error_table(resumed.analysis), error_table(whole.analysis));
  for (size_t i = 0; i < whole.analysis.layers.size(); ++i) {
    EXPECT_EQ(resumed.analysis.layers[i].entire.sqnr_db, whole.analysis.layers[i].entire.sqnr_db);
    EXPECT_EQ(resumed.analysis.layers[i].single.euclidean, whole.analysis.layers[i].single.euclidean);
    EXPECT_EQ(resumed.analysis.layers[i].worst_sample, whole.analysis.layers[i].worst_sample);
  }
}

TEST_F(CheckpointTest, StartsOverAndSaysWhy) {
  interrupt_after(3);
  const Result other_key = run(samples_, 2);
  EXPECT_EQ(other_key.visited, 5);
  EXPECT_NE(other_key.analysis.not_resumed.find("of something else, so the analysis starts over"), std::string::npos);

  std::filesystem::remove(file_);
  interrupt_after(3);
  const Result other_samples = run(make_samples(0.9));
  EXPECT_EQ(other_samples.visited, 5);
  EXPECT_NE(other_samples.analysis.not_resumed.find("memory:1 is another sample now"), std::string::npos);

  std::filesystem::remove(file_);
  interrupt_after(3);
  std::string text = read_text_file(file_);
  text[text.size() / 2] ^= 1;
  write_file(file_, text);
  const Result damaged = run(samples_);
  EXPECT_EQ(damaged.visited, 5);
  EXPECT_NE(damaged.analysis.not_resumed.find("the file is damaged"), std::string::npos);
}

TEST_F(CheckpointTest, OtherPeoplesFilesAreNotOverwritten) {
  write_file(file_, "my dataset");
  EXPECT_THROW(run(samples_), Error);
  EXPECT_EQ(read_text_file(file_), "my dataset");
}

}  // namespace
}  // namespace openrknn
