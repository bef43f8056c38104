#include "text_model.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace openrknn::stub {
namespace {

constexpr std::array<std::string_view, 10> kTypes = {"f32", "f16", "i8",  "u8",  "i16",
                                                     "u16", "i32", "u32", "i64", "bool"};
constexpr std::array<std::string_view, 4> kFormats = {"nchw", "nhwc", "nc1hwc2", "undefined"};

template <size_t N>
int position(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

Dims parse_dims(const std::string& text) {
  Dims dims;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    char* end = nullptr;
    const unsigned long extent = std::strtoul(item.c_str(), &end, 10);
    if (item.empty() || *end != '\0' || extent > UINT32_MAX) refuse("bad dims " + text);
    dims.push_back(static_cast<uint32_t>(extent));
  }
  if (dims.empty() || dims.size() > RKNN_MAX_DIMS) refuse("bad dims " + text);
  return dims;
}

/// TYPE [FORMAT] DIMS [scale=S] [zp=Z] [wstride=N]
void parse_tensor(std::istringstream& words, rknn_tensor_attr& attr, rknn_tensor_format format_of_images) {
  std::string word;
  words >> word;
  const int type = position(kTypes, word);
  if (type < 0) refuse("unknown type " + word);
  attr.type = static_cast<rknn_tensor_type>(type);
  words >> word;
  const int format = position(kFormats, word);
  if (format >= 0) words >> word;
  const Dims dims = parse_dims(word);
  attr.fmt = format >= 0        ? static_cast<rknn_tensor_format>(format)
             : dims.size() == 4 ? format_of_images
                                : RKNN_TENSOR_UNDEFINED;
  attr.qnt_type = RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC;
  attr.scale = 1.0f;
  while (words >> word) {
    if (word.starts_with("scale=")) {
      attr.scale = std::strtof(word.c_str() + 6, nullptr);
    } else if (word.starts_with("zp=")) {
      attr.zp = std::atoi(word.c_str() + 3);
    } else if (word.starts_with("wstride=")) {
      attr.w_stride = static_cast<uint32_t>(std::atoi(word.c_str() + 8));
    } else {
      refuse("unknown word " + word);
    }
  }
  set_dims(attr, dims);
}

void add_tensor(std::istringstream& words, std::vector<TextModel::Tensor>& tensors, rknn_tensor_format images) {
  std::string name;
  words >> name;
  if (name.empty() || name.size() >= RKNN_MAX_NAME_LEN) refuse("a tensor needs a name");
  TextModel::Tensor tensor;
  tensor.attr.index = static_cast<uint32_t>(tensors.size());
  std::copy(name.begin(), name.end(), tensor.attr.name);
  parse_tensor(words, tensor.attr, images);
  tensor.native = tensor.attr;
  tensors.push_back(std::move(tensor));
}

TextModel::Tensor& existing(std::istringstream& words, std::vector<TextModel::Tensor>& tensors) {
  size_t index = 0;
  if (!(words >> index) || index >= tensors.size()) refuse("no tensor has that index");
  return tensors[index];
}

void add_groups(std::istringstream& words, TextModel::Tensor& tensor) {
  for (std::string dims; words >> dims;) tensor.groups.push_back(parse_dims(dims));
  if (tensor.groups.empty() || tensor.groups.size() > RKNN_MAX_DYNAMIC_SHAPE_NUM) refuse("1 to 512 shapes expected");
}

std::string rest(std::istringstream& words) {
  std::string text;
  std::getline(words >> std::ws, text);
  return text;
}

void parse_line(const std::string& line, TextModel& model) {
  std::istringstream words(line);
  std::string key;
  if (!(words >> key)) return;
  if (key == "input") return add_tensor(words, model.inputs, RKNN_TENSOR_NHWC);
  if (key == "output") return add_tensor(words, model.outputs, RKNN_TENSOR_NCHW);
  if (key == "native_input") return parse_tensor(words, existing(words, model.inputs).native, RKNN_TENSOR_NHWC);
  if (key == "native_output") return parse_tensor(words, existing(words, model.outputs).native, RKNN_TENSOR_NCHW);
  if (key == "dynamic") return add_groups(words, existing(words, model.inputs));
  if (key == "dynamic_output") return add_groups(words, existing(words, model.outputs));
  if (key == "custom_string") return void(model.custom_string = rest(words));
  if (key == "version") return void(model.version = rest(words));
  if (key == "driver") return void(model.driver = rest(words));
  if (key == "no_dup") return void(model.may_dup = false);
  if (key == "cores" && words >> model.cores && model.cores >= 1 && model.cores <= 16) return;
  if (key == "memory" && words >> model.weight_bytes >> model.internal_bytes) return;
  refuse("unknown or incomplete item " + key);
}

}  // namespace

bool TextModel::dynamic() const { return groups() > 0; }
size_t TextModel::groups() const {
  for (const Tensor& tensor : inputs) {
    if (!tensor.groups.empty()) return tensor.groups.size();
  }
  return 0;
}

uint32_t element_bytes(rknn_tensor_type type) {
  constexpr std::array<uint32_t, 10> kBytes = {4, 2, 1, 1, 2, 2, 4, 4, 8, 1};
  return static_cast<size_t>(type) < kBytes.size() ? kBytes[type] : 0;
}

void set_dims(rknn_tensor_attr& attr, const Dims& dims) {
  attr.n_dims = static_cast<uint32_t>(dims.size());
  std::fill(std::begin(attr.dims), std::end(attr.dims), 0u);
  std::copy(dims.begin(), dims.end(), attr.dims);
  attr.n_elems = 1;
  for (const uint32_t extent : dims) attr.n_elems *= extent;
  attr.size = attr.n_elems * element_bytes(attr.type);
  attr.size_with_stride = attr.size;
  if (attr.fmt != RKNN_TENSOR_NHWC || dims.size() != 4) return;
  attr.w_stride = std::max(attr.w_stride, dims[2]);
  attr.size_with_stride = dims[0] * dims[1] * attr.w_stride * dims[3] * element_bytes(attr.type);
}

std::shared_ptr<const TextModel> parse_model(std::string_view text) {
  auto model = std::make_shared<TextModel>();
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (const size_t comment = line.find('#'); comment != std::string::npos) line.resize(comment);
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
    try {
      parse_line(line, *model);
    } catch (const std::invalid_argument& error) {
      refuse("model line " + std::to_string(number) + ": " + error.what());
    }
  }
  if (model->inputs.empty() || model->outputs.empty()) refuse("a model needs an input and an output");
  for (const auto* tensors : {&model->inputs, &model->outputs}) {
    for (const TextModel::Tensor& tensor : *tensors) {
      if (!tensor.groups.empty() && tensor.groups.size() != model->groups())
        refuse("all dynamic tensors need the same number of shapes");
    }
  }
  return model;
}

}  // namespace openrknn::stub
