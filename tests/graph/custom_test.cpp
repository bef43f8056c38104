// Operators outside the operator set, as nodes of the row "Custom".
#include "core/graph/custom.h"

#include <gtest/gtest.h>

#include "core/graph/schema.h"
#include "core/graph/text.h"

namespace openrknn {
namespace {

constexpr std::string_view kText = R"(ir 1
input %x : f32[1,4]
%ids : i64[2] = {3, 4}
%y : f32[1,4], %n : i64[2] = Custom(%x, _, %ids) {alpha=1.0, axes=[1,2], custom.outputs=["f32[1,4]","i64[2]"], custom.type="cstTop", mode="a \"b\"", none=floats[], table=tensor i8[2] {1, 2}} as top
output %y
output %n
)";

std::string complaint(const std::string& node) {
  try {
    parse_graph("ir 1\ninput %x : f32[1,4]\ninput %h : f16[2]\ninput %q : i8[2] q(0.5, 0)\n%y = " + node +
                "\noutput %y\n");
  } catch (const Error& error) {
    return error.what();
  }
  return "no complaint";
}

TEST(CustomOperator, RoundTripsThroughText) {
  const Graph graph = parse_graph(kText);
  verify(graph);
  EXPECT_EQ(to_text(graph), kText);
  EXPECT_EQ(custom_type(graph[NodeId(0)]), "cstTop");
  EXPECT_EQ(shown_op(graph[NodeId(0)]), "cstTop");
  EXPECT_TRUE(is_users_attribute("alpha"));
  EXPECT_FALSE(is_users_attribute(kCustomType));
}

TEST(CustomOperator, TypesComeFromWhatItDeclares) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,4]
%y, %z = Custom(%x) {custom.type="cstA", custom.outputs=["f32[]", "bool[2,3]"]}
output %y
output %z
)");
  EXPECT_EQ(graph[graph.find("y")].shape, Shape{});
  EXPECT_EQ(graph[graph.find("z")].dtype, DType::Bool);
  EXPECT_EQ(graph[graph.find("z")].shape, (Shape{2, 3}));
}

TEST(CustomOperator, SaysWhatIsWrong) {
  const std::string outputs = ", custom.outputs=[\"f32[2]\"]}";
  for (const auto& [node, words] : std::initializer_list<std::pair<std::string, std::string>>{
           {"Custom(%x) {custom.outputs=[\"f32[2]\"]}", "'custom.type' of Custom is missing"},
           {"Custom(%x) {custom.type=\"cstA\"}", "'custom.outputs' of Custom is missing"},
           {"Custom(%x) {custom.type=\"\"" + outputs, "0 bytes, expected 1 to 255"},
           {"Custom(%x) {custom.type=\"" + std::string(256, 'a') + "\"" + outputs, "256 bytes"},
           {"Custom(%x) {custom.type=3" + outputs, "wrong type, got int, expected string"},
           {"Custom(%h) {custom.type=\"cstA\"" + outputs, "input 0 is f16, expected f32"},
           {"Custom(%q) {custom.type=\"cstA\"" + outputs, "input 0 is i8 with a scale, expected f32"},
           {"Custom(%x) {custom.type=\"cstA\", custom.outputs=[\"f32[2]\", \"f32[2]\"]}", "2 types for 1 outputs"},
           {"Custom(%x) {custom.type=\"cstA\", custom.outputs=[\"f32[?]\"]}", "of a fixed shape"},
           {"Custom(%x) {custom.type=\"cstA\", custom.outputs=[\"f16[2]\"]}", "declared as f16[2], expected f32"},
           {"Custom(%x) {custom.type=\"cstA\", custom.outputs=[\"f32[2] f32\"]}", "which is no type"},
           {"Custom(%x) {custom.type=\"cstA\", custom.outputs=[\"\\xff\"]}", "which is no type"},
           {"Custom(%x) {custom.type=\"cstA\", custom.outputs=[\"f32[99999999999,99999999999]\"]}", "no type"}}) {
    EXPECT_NE(complaint(node).find(words), std::string::npos) << node << "\n" << complaint(node);
  }
}

}  // namespace
}  // namespace openrknn
