// Who is told of progress may throw: the work ends, and what has not begun is left.
#include <atomic>

#include "compiler/quantize/quantize.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

struct Stop {};

/// As many samples as nobody waits for; counts those that were asked for.
class Endless : public Samples {
 public:
  explicit Endless(const Graph& graph) : sample_(samples_of(graph)) {}
  int64_t count() const override { return 1'000'000; }
  std::vector<Tensor> get(int64_t) const override {
    ++asked_;
    return sample_;
  }
  std::string describe(int64_t) const override { return "sample"; }
  int64_t asked() const { return asked_; }

 private:
  static std::vector<Tensor> samples_of(const Graph& graph) {
    test::Dice dice(1);
    return test::uniform_samples(graph, dice, 1).get(0);
  }
  std::vector<Tensor> sample_;
  mutable std::atomic<int64_t> asked_{0};
};

TEST(Interrupt, EndsACalibration) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%y = Conv(%x, %w) {pads=[1,1,1,1]}
output %y
)");
  for (const int threads : {1, 2, 4}) {
    const Endless samples(graph);
    ThreadPool pool(threads);
    const Progress stop_at_ten = [](std::string_view, int64_t done, int64_t) {
      if (done >= 10) throw Stop{};
    };
    EXPECT_THROW(calibrate(graph, samples, pool, stop_at_ten), Stop);
    EXPECT_GE(samples.asked(), 10);
    EXPECT_LT(samples.asked(), 10 + 2 * threads);  // those that others had begun
  }
}

}  // namespace
}  // namespace openrknn
