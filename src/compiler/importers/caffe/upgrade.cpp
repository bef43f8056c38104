// Old spellings: what upgrade_proto.cpp of Caffe makes of them (BSD-2-Clause; facts only).
#include "compiler/importers/caffe/upgrade.h"

#include <algorithm>

#include "compiler/importers/caffe/net.h"

namespace openrknn::caffe {
namespace {

struct V1Type {
  int64_t number;
  std::string_view old_name, type;
};
// V1LayerParameter.LayerType of caffe.proto.
constexpr V1Type kV1Types[] = {
    {35, "ABSVAL", "AbsVal"},
    {1, "ACCURACY", "Accuracy"},
    {30, "ARGMAX", "ArgMax"},
    {2, "BNLL", "BNLL"},
    {3, "CONCAT", "Concat"},
    {37, "CONTRASTIVE_LOSS", "ContrastiveLoss"},
    {4, "CONVOLUTION", "Convolution"},
    {5, "DATA", "Data"},
    {39, "DECONVOLUTION", "Deconvolution"},
    {6, "DROPOUT", "Dropout"},
    {32, "DUMMY_DATA", "DummyData"},
    {7, "EUCLIDEAN_LOSS", "EuclideanLoss"},
    {25, "ELTWISE", "Eltwise"},
    {38, "EXP", "Exp"},
    {8, "FLATTEN", "Flatten"},
    {9, "HDF5_DATA", "HDF5Data"},
    {10, "HDF5_OUTPUT", "HDF5Output"},
    {28, "HINGE_LOSS", "HingeLoss"},
    {11, "IM2COL", "Im2col"},
    {12, "IMAGE_DATA", "ImageData"},
    {13, "INFOGAIN_LOSS", "InfogainLoss"},
    {14, "INNER_PRODUCT", "InnerProduct"},
    {15, "LRN", "LRN"},
    {29, "MEMORY_DATA", "MemoryData"},
    {16, "MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"},
    {34, "MVN", "MVN"},
    {17, "POOLING", "Pooling"},
    {26, "POWER", "Power"},
    {18, "RELU", "ReLU"},
    {19, "SIGMOID", "Sigmoid"},
    {27, "SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"},
    {36, "SILENCE", "Silence"},
    {20, "SOFTMAX", "Softmax"},
    {21, "SOFTMAX_LOSS", "SoftmaxWithLoss"},
    {22, "SPLIT", "Split"},
    {33, "SLICE", "Slice"},
    {23, "TANH", "TanH"},
    {24, "WINDOW_DATA", "WindowData"},
    {31, "THRESHOLD", "Threshold"},
};

struct V0Type {
  std::string_view old_name, type;
};
constexpr V0Type kV0Types[] = {
    {"accuracy", "Accuracy"},
    {"bnll", "BNLL"},
    {"concat", "Concat"},
    {"conv", "Convolution"},
    {"data", "Data"},
    {"dropout", "Dropout"},
    {"euclidean_loss", "EuclideanLoss"},
    {"flatten", "Flatten"},
    {"innerproduct", "InnerProduct"},
    {"lrn", "LRN"},
    {"pool", "Pooling"},
    {"relu", "ReLU"},
    {"sigmoid", "Sigmoid"},
    {"softmax", "Softmax"},
    {"softmax_loss", "SoftmaxWithLoss"},
    {"split", "Split"},
    {"tanh", "TanH"},
};

/// A field of V0LayerParameter belongs to this message of the newest form, under this name.
struct V0Field {
  std::string_view type, field, message, name;
};
constexpr V0Field kV0Fields[] = {
    {"Convolution", "num_output", "convolution_param", "num_output"},
    {"Convolution", "biasterm", "convolution_param", "bias_term"},
    {"Convolution", "pad", "convolution_param", "pad"},
    {"Convolution", "kernelsize", "convolution_param", "kernel_size"},
    {"Convolution", "group", "convolution_param", "group"},
    {"Convolution", "stride", "convolution_param", "stride"},
    {"InnerProduct", "num_output", "inner_product_param", "num_output"},
    {"InnerProduct", "biasterm", "inner_product_param", "bias_term"},
    {"Pooling", "pool", "pooling_param", "pool"},
    {"Pooling", "pad", "pooling_param", "pad"},
    {"Pooling", "kernelsize", "pooling_param", "kernel_size"},
    {"Pooling", "stride", "pooling_param", "stride"},
    {"LRN", "local_size", "lrn_param", "local_size"},
    {"LRN", "alpha", "lrn_param", "alpha"},
    {"LRN", "beta", "lrn_param", "beta"},
    {"LRN", "k", "lrn_param", "k"},
    {"Concat", "concat_dim", "concat_param", "concat_dim"},
};

}  // namespace

std::string_view type_of_v1(int64_t number) {
  const auto row = std::ranges::find(kV1Types, number, &V1Type::number);
  return row == std::end(kV1Types) ? std::string_view() : row->type;
}

std::string_view type_of_v1(std::string_view name) {
  const auto row = std::ranges::find(kV1Types, name, &V1Type::old_name);
  return row == std::end(kV1Types) ? std::string_view() : row->type;
}

Message upgrade_v0(const Message& layer) {
  const Message& old = layer.message("layer");
  const std::string old_type = old.text("type");
  const auto row = std::ranges::find(kV0Types, old_type, &V0Type::old_name);
  const std::string type(row == std::end(kV0Types) ? std::string_view(old_type) : row->type);
  Message out{.fields = {}, .line = layer.line, .file = layer.file};
  const auto add = [&](std::string_view name, const std::string& text, int64_t line) {
    out.fields.push_back({.name = std::string(name), .text = text, .message = nullptr, .line = line});
  };
  add("name", old.text("name"), old.line);
  add("type", type, old.line);
  for (const Field& field : layer.fields) {
    if (field.name == "bottom" || field.name == "top") out.fields.push_back(field);
  }
  auto options = std::make_shared<Message>(Message{.fields = {}, .line = old.line, .file = layer.file});
  std::string_view name;
  for (const Field& field : old.fields) {
    const auto known = std::ranges::find_if(
        kV0Fields, [&](const V0Field& one) { return one.type == type && one.field == field.name; });
    if (known == std::end(kV0Fields)) continue;
    name = known->message;
    options->fields.push_back(
        {.name = std::string(known->name), .text = field.text, .message = nullptr, .line = field.line});
  }
  if (!name.empty()) {
    out.fields.push_back({.name = std::string(name), .text = {}, .message = std::move(options), .line = old.line});
  }
  return out;
}

}  // namespace openrknn::caffe
