// TorchScript: what a reader may be given. Results are held to torch in tests/python/test_import_torchscript.py.
#include "compiler/importers/torchscript/importer.h"

#include "compiler/importers/torchscript/code.h"
#include "importers/one_file.h"

namespace openrknn::torchscript {
namespace {

Graph import(const std::shared_ptr<const MappedFile>& file) {
  return import_file(file, {.input_shapes = {{1, 4, 6, 5}}});
}

/// The seeds that are zip files.
std::vector<std::string> archives() {
  std::vector<std::string> all = test::files_of("fuzz_torchscript");
  std::erase_if(all, [](const std::string& bytes) { return !bytes.starts_with("PK"); });
  return all;
}

TEST(TorchScript, ArchivesAreGraphsThatVerify) {
  ASSERT_GE(archives().size(), 2u);
  for (const std::string& bytes : archives()) {
    const Graph graph = test::import_bytes(bytes, import);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_EQ(graph.outputs.size(), 1u);
  }
}

TEST(TorchScript, EveryCutIsAnError) {
  for (const std::string& bytes : archives())
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_THROW(test::import_bytes(bytes.substr(0, size), import), Error) << size;
}

TEST(TorchScript, EveryChangedByteIsAnErrorOrAGraphThatVerifies) {
  test::expect_changed_bytes_are_errors_or_graphs(archives(), import);
}

TEST(TorchScript, CodeThatIsCutIsAnErrorWithItsLine) {
  const std::string code =
      "class Net(Module):\n  def forward(self: __torch__.Net,\n    x: Tensor=3) -> Tensor:\n    if True:\n"
      "      y = {\"a\": [1, -2.5e-3, (x, )]}\n    else:\n      pass\n    return y\n";
  EXPECT_EQ(parse_code(code, "net.pt", "code/net.py").classes.at(0).methods.at(0).parameters.size(), 2u);
  for (size_t size = 0; size < code.size(); ++size) {
    try {
      parse_code(code.substr(0, size), "net.pt", "code/net.py");
    } catch (const Error& error) {
      EXPECT_EQ(error.diagnostics.at(0).where.node, "code/net.py");
      EXPECT_GT(error.diagnostics.at(0).where.line, 0);
    }
  }
}

TEST(TorchScript, ArchivesInMemoryAreRead) {
  std::map<std::string, std::string> entries{
      {"data.pkl",
       "\x80\x02"
       "c__torch__\nNet\n)\x81}b."},
      {"constants.pkl", "\x80\x02)."},
      {"code/__torch__.py",
       "class Net(Module):\n  def forward(self: __torch__.Net, x: Tensor) -> Tensor:\n"
       "    return torch.relu(x)\n"}};
  const Graph graph = import_archive(Archive(entries, "net.pt"), {.input_shapes = {{2, 3}}});
  EXPECT_EQ(graph[graph.outputs.at(0)].shape, (Shape{2, 3}));
  EXPECT_EQ(graph[graph.inputs.at(0)].name, "x");
  entries.erase("constants.pkl");
  EXPECT_THROW(import_archive(Archive(entries, "net.pt"), {}), Error);
}

}  // namespace
}  // namespace openrknn::torchscript
