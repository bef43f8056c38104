// Fast linear Resize against the reference, byte for byte.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;

struct ResizeShape {
  Shape x, y;
};
// Tails of channels, growing, shrinking, one dimension that stays, one dimension alone, single pixels.
const ResizeShape kResizeShapes[] = {
    {{1, 20, 20, 64}, {1, 40, 40, 64}}, {{2, 7, 9, 5}, {2, 15, 20, 5}},   {{1, 13, 17, 3}, {1, 6, 5, 3}},
    {{1, 8, 8, 131}, {1, 8, 13, 131}},  {{1, 8, 8, 19}, {1, 11, 8, 19}},  {{1, 1, 1, 33}, {1, 7, 9, 33}},
    {{2, 30, 21}, {2, 77, 21}},         {{1, 40, 60, 16}, {1, 1, 1, 16}}, {{1, 6, 5, 1}, {1, 60, 50, 1}},
};

TEST(FastResize, LinearEqualsReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(31);
  for (const ResizeShape& s : kResizeShapes) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const char* mode : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"}) {
        Case c;
        c.text = std::string(mode) + ' ' + std::string(name(dtype)) + ' ' + to_string(s.x) + " seed 31";
        c.node.name = c.node.op = "Resize";
        c.node.attributes["mode"] = std::string("linear");
        c.node.attributes["coordinate_transformation_mode"] = std::string(mode);
        c.node.attributes["sizes"] = s.y;
        c.inputs = {random.reals(dtype, s.x)};
        c.constant = {false};
        c.layout = Layout::ChannelsLast;
        c.output = dtype;
        c.output_shape = s.y;
        EXPECT_GE(judge(c), 1);
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
