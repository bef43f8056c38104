// Fast Conv and ConvTranspose rows over three dimensions against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct VolumeShape {
  Shape x, w, y;  // x and y channels last
  std::vector<int64_t> strides, pads, dilations;
  int64_t group = 1;
  bool transposed = false;
};
const VolumeShape kVolumeShapes[] = {
    {{1, 4, 9, 11, 5}, {17, 5, 3, 3, 3}, {1, 4, 9, 11, 17}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, {1, 1, 1}},
    {{2, 3, 7, 7, 32}, {48, 32, 1, 1, 1}, {2, 3, 7, 7, 48}, {1, 1, 1}, {0, 0, 0, 0, 0, 0}, {1, 1, 1}},
    {{1, 6, 12, 13, 8}, {12, 4, 2, 3, 2}, {1, 3, 5, 8, 12}, {2, 2, 2}, {0, 0, 2, 0, 1, 1}, {1, 1, 1}, 2},
    {{1, 5, 6, 7, 3}, {33, 3, 3, 2, 3}, {1, 3, 5, 3, 33}, {1, 1, 1}, {1, 0, 0, 1, 0, 0}, {2, 1, 2}},
    {{1, 2, 2, 2, 60}, {9, 60, 3, 3, 3}, {1, 2, 2, 2, 9}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, {1, 1, 1}},
    {{1, 3, 4, 5, 6}, {6, 20, 2, 3, 2}, {1, 6, 9, 10, 20}, {2, 2, 2}, {0, 0, 0, 0, 0, 0}, {1, 1, 1}, 1, true},
    {{2, 3, 4, 2, 8}, {8, 5, 3, 3, 3}, {2, 5, 7, 3, 10}, {2, 2, 2}, {1, 1, 1, 1, 1, 1}, {1, 1, 1}, 2, true},
};

TEST(FastGatheredConv, EqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const VolumeShape& s : kVolumeShapes) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const char* activation : {"", "Relu", "SiLU"}) {
        Random random(++seed);
        Case c;
        c.text = to_string(s.x) + " * " + to_string(s.w) + ' ' + activation + " seed " + std::to_string(seed);
        c.node.name = c.node.op = s.transposed ? "ConvTranspose" : "Conv";
        c.node.attributes = {{"kernel_shape", std::vector<int64_t>(s.w.begin() + 2, s.w.end())},
                             {"strides", s.strides},
                             {"pads", s.pads},
                             {"dilations", s.dilations},
                             {"group", s.group}};
        c.inputs = {random.reals(dtype, s.x), random.reals(dtype, s.w)};
        if (*activation) {
          c.node.attributes["activation"] = std::string(activation);
          c.inputs.push_back(random.reals(DType::Float32, {s.y.back()}));
        }
        c.constant = {false, true, true};
        c.layout = Layout::ChannelsLast;
        c.output = dtype;
        c.output_shape = s.y;
        EXPECT_GE(judge(c), 1) << c.text;
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
