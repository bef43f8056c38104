// What viewers made for vendor files see (docs/rknn_file.md).
#include <gtest/gtest.h>

#include "core/rknn_file/container.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

Model model() {
  return test::model_of(R"(ir 1
input %"in \"quoted\"" : i8[1,2,4,4] q(0.5, 0)
%w : i8[3,2,1,1] q(0.1, 0) = {1, -2, 3, 4, 5, 6}
%"out\x01" : i8[1,3,4,4] q(0.5, 3) = Conv(%"in \"quoted\"", %w) as c
output %"out\x01"
)");
}

TEST(NetronFace, DescribesInputsAndOutputs) {
  const FileDescription description = describe(*test::in_memory(test::file_bytes(model())));
  EXPECT_TRUE(description.ours);
  EXPECT_EQ(description.container_version, 6u);
  EXPECT_EQ(description.runtime_target, "rk3588");
  EXPECT_EQ(description.framework, "ONNX");
  ASSERT_EQ(description.inputs.size(), 1u);
  EXPECT_EQ(description.inputs[0].name, "in \"quoted\"");
  EXPECT_EQ(description.inputs[0].dtype, "int8");
  EXPECT_EQ(description.outputs.at(0).shape, (Shape{1, 3, 4, 4}));
  ASSERT_EQ(description.sections.size(), 2u);
  EXPECT_EQ(description.sections[0].name, "model");
}

TEST(NetronFace, NamesACompilerThatNoVendorRuntimeTakesForItsOwn) {
  const FileDescription description = describe(*test::in_memory(test::file_bytes(model())));
  EXPECT_TRUE(description.compiler.starts_with("openrknn-")) << description.compiler;
}

TEST(NetronFace, EscapesNamesInTheJson) {
  const std::string json = describe(*test::in_memory(test::file_bytes(model()))).json;
  EXPECT_NE(json.find(R"("url":"in \"quoted\"")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("url":"out\u0001")"), std::string::npos) << json;
}

TEST(NetronFace, ReplacesBytesThatAreNotUtf8) {
  Model broken = model();
  broken.inputs[0].name =
      "a\xff"
      "b\xc3";
  const std::string json = describe(*test::in_memory(test::file_bytes(broken))).json;
  EXPECT_NE(json.find("a\\ufffdb\\ufffd"), std::string::npos) << json;
}

}  // namespace
}  // namespace openrknn
