#include "toolkit/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr size_t kDeepestNesting = 8, kMostNodes = size_t{1} << 22, kMostBytes = size_t{1} << 26;

// Events instead of yaml-cpp's own tree: what is too deep or too much is refused when it is met.
class Reader : public YAML::EventHandler {
 public:
  Reader(const std::string& file, const std::string& advice) : file_(file), advice_(advice) {}
  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, YamlNode::Kind::Null); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, "an alias (*name)"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode& node = add(mark, anchor, YamlNode::Kind::Scalar);
    node.text = value;
    node.quoted = tag == "!";  // how yaml-cpp marks it
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, YamlNode::Kind::List);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, YamlNode::Kind::Map);
  }
  void OnMapEnd() override { close(); }

 private:
  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) {
    fail(Code::ConfigBadValue, Location{.file = file_, .line = mark.line + 1},
         fmt::format("{} has no place in this file", what), advice_);
  }

  YamlNode& add(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (anchor != 0) refuse(mark, "an anchor (&name)");
    if (++count_ > kMostNodes) refuse(mark, fmt::format("what comes after {} entries", kMostNodes));
    YamlNode node{.kind = kind, .line = mark.line + 1};
    if (open_.empty()) {
      root_ = std::move(node);
      return root_;
    }
    return open_.back()->items.emplace_back(std::move(node));
  }
  void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (open_.size() == kDeepestNesting) refuse(mark, fmt::format("nesting of more than {} levels", kDeepestNesting));
    open_.push_back(&add(mark, anchor, kind));  // its parent grows no more until this one is closed
  }
  void close() { open_.pop_back(); }

  const std::string& file_;
  const std::string& advice_;
  YamlNode root_;
  std::vector<YamlNode*> open_;
  size_t count_ = 0;
};

}  // namespace

YamlNode parse_yaml_tree(std::string_view text, const std::string& file, const std::string& advice) {
  if (text.size() > kMostBytes) {
    fail(Code::ConfigBadValue, Location{.file = file},
         fmt::format("the file has {} bytes, at most {} are read", text.size(), kMostBytes));
  }
  Reader reader(file, advice);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser(stream).HandleNextDocument(reader);
  } catch (const YAML::Exception& error) {
    fail(Code::ConfigBadValue, Location{.file = file, .line = error.mark.line + 1},
         fmt::format("not valid YAML: {}", error.msg), advice);
  }
  return reader.take();
}

}  // namespace openrknn
