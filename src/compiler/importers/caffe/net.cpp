#include "compiler/importers/caffe/net.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/caffe/upgrade.h"

namespace openrknn::caffe {
namespace {

/// Layers that bring samples or judge results: nothing of a deployed net.
constexpr std::string_view kOfTraining[] = {
    "Accuracy",     "ContrastiveLoss",   "EuclideanLoss",           "HDF5Output",      "HingeLoss",
    "InfogainLoss", "Silence",           "MultinomialLogisticLoss", "SoftmaxWithLoss", "SigmoidCrossEntropyLoss",
    "MultiBoxLoss", "DetectionEvaluate",
};
constexpr std::string_view kSources[] = {"Data",       "DummyData",  "HDF5Data",     "ImageData",
                                         "MemoryData", "WindowData", "AnnotatedData"};

template <class List>
bool holds(const List& list, std::string_view name) {
  return std::ranges::find(list, name) != std::end(list);
}

/// The phase is TEST, no stage and level 0, as Caffe runs a deployed net.
bool rule_fits(const Message& rule) {
  const std::string phase = rule.text("phase", "TEST");
  if (phase != "TEST" && phase != "1") return false;
  return rule.integer("min_level", 0) <= 0 && rule.integer("max_level", 0) >= 0 && !rule.has("stage");
}

bool is_included(const Message& layer) {
  const std::string phase = layer.text("phase", "TEST");
  if (phase != "TEST" && phase != "1") return false;
  const std::vector<const Message*> include = layer.messages("include"), exclude = layer.messages("exclude");
  if (!include.empty()) return std::ranges::any_of(include, [](const Message* rule) { return rule_fits(*rule); });
  return std::ranges::none_of(exclude, [](const Message* rule) { return rule_fits(*rule); });
}

Shape shape_of(const Message& shape) { return shape.integers("dim"); }

void read_inputs(const Message& net, Net& out) {
  const std::vector<std::string> names = net.texts("input");
  const std::vector<const Message*> shapes = net.messages("input_shape");
  const std::vector<int64_t> extents = net.integers("input_dim");
  for (size_t i = 0; i < names.size(); ++i) {
    NetInput input{.name = names[i], .shape = {}, .line = net.where("input").line};
    if (i < shapes.size()) {
      input.shape = shape_of(*shapes[i]);
    } else if (extents.size() >= 4 * (i + 1)) {
      const auto first = extents.begin() + static_cast<std::ptrdiff_t>(4 * i);
      input.shape.assign(first, first + 4);
    }
    out.inputs.push_back(std::move(input));
  }
}

void read_layer(Message layer, bool is_old, Net& out, Diagnostics& problems) {
  if (is_old && layer.has("layer")) layer = upgrade_v0(layer);
  if (!is_included(layer)) return;
  NetLayer read{.name = layer.text("name"),
                .type = layer.text("type"),
                .bottoms = layer.texts("bottom"),
                .tops = layer.texts("top"),
                .options = layer,
                .line = layer.line};
  if (is_old && !type_of_v1(read.type).empty()) read.type = type_of_v1(read.type);
  if (read.name.empty()) read.name = read.tops.empty() ? read.type : read.tops.front();
  Location where{.file = out.file, .node = read.name, .line = read.line};
  if (read.type.empty()) {
    problems.add(Code::ImportBadFile, where, "the layer has no type");
    return;
  }
  if (holds(kOfTraining, read.type)) return;
  if (read.type == "Input") {
    const std::vector<const Message*> shapes = layer.message("input_param").messages("shape");
    for (size_t i = 0; i < read.tops.size(); ++i) {
      NetInput input{.name = read.tops[i], .shape = {}, .line = read.line};
      if (!shapes.empty()) input.shape = shape_of(*shapes[std::min(i, shapes.size() - 1)]);
      out.inputs.push_back(std::move(input));
    }
    return;
  }
  if (holds(kSources, read.type)) {
    problems.add(Code::ImportUnsupportedOp, where,
                 fmt::format("a layer of type {} reads samples from files: this net is for training", read.type),
                 "give the net for deployment (deploy.prototxt), whose input is an Input layer");
    return;
  }
  if (read.tops.empty()) {
    problems.add(Code::ImportBadFile, where, fmt::format("the {} layer has no top", read.type));
    return;
  }
  out.layers.push_back(std::move(read));
}

}  // namespace

Net parse_net(std::string_view text, const std::string& file) {
  const Message message = parse_text(text, file);
  Net net{.name = message.text("name"), .file = file};
  Diagnostics problems;
  read_inputs(message, net);
  for (const Field& field : message.fields) {
    if ((field.name != "layer" && field.name != "layers") || field.message == nullptr) continue;
    try {
      read_layer(*field.message, field.name == "layers", net, problems);
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics) problems.add(diagnostic);
    }
  }
  problems.throw_if_any();
  if (net.layers.empty()) {
    fail(Code::ImportBadFile, Location{.file = file}, "this is no Caffe net: it has no layers",
         "give the .prototxt file of the net");
  }
  return net;
}

bool looks_like_prototxt(std::string_view head) {
  return head.find("layer {") != std::string_view::npos || head.find("layers {") != std::string_view::npos ||
         head.find("layer{") != std::string_view::npos || head.find("layers{") != std::string_view::npos;
}

}  // namespace openrknn::caffe
