#include "toolkit/codegen_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "compiler/dataset/image.h"
#include "core/base/error.h"
#include "core/base/npy.h"
#include "toolkit/simulator.h"

namespace openrknn {
namespace {

constexpr uint8_t kBorder = 114;

/// A file for one model input: a picture, upright and in its own size, or an array.
struct GivenInput {
  std::string path;
  bool is_image = false;
  Tensor content;  // u8 [H, W, C], or the array
};

/// Everything below speaks of one set of input shapes.
struct InputShape {
  const Port& port;
  Shape logical;  // with the batch
  DType dtype;    // of the graph's value

  bool has_layout() const { return logical.size() == 4; }
  Shape in(PortLayout layout) const {
    return expected_shape(port, logical, has_layout() ? layout : PortLayout::Source);
  }
  bool is_whole() const {
    return dtype == DType::Int32 || dtype == DType::UInt32 || dtype == DType::Int64 || dtype == DType::Bool;
  }
};

std::vector<InputShape> shapes_of_set(const Model& model, const Graph& graph) {
  std::vector<InputShape> shapes;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    shapes.push_back({model.inputs[i], with_batch(value.shape, model.batch), value.dtype});
  }
  return shapes;
}

void refuse_nan(const Tensor& array) {
  if (!is_floating(array.dtype())) return;
  const Tensor real = cast(array, DType::Float32);
  const std::span<const float> values = real.values<float>();
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return std::isnan(value); });
  if (bad == values.end()) return;
  fail(Code::RuntimeNotFinite, fmt::format("the array holds NaN, first at element {}", bad - values.begin()));
}

void swap_red_and_blue(Tensor& image) {
  const std::span<uint8_t> pixels = image.mutable_values<uint8_t>();
  for (size_t i = 0; i + 2 < pixels.size(); i += 3) std::swap(pixels[i], pixels[i + 2]);
}

GivenInput read_given(const std::string& path, const InputShape& input) {
  GivenInput given{.path = path, .is_image = is_image_path(path), .content = {}};
  if (!given.is_image) {
    given.content = read_npy(path);
    refuse_nan(given.content);
    return given;
  }
  if (!input.port.pixel_format.empty()) {
    fail(Code::RuntimeBadInput,
         fmt::format("a picture cannot be this input, which takes {} frames", input.port.pixel_format),
         fmt::format("give a .npy file of a frame, {}", to_string(input.in(PortLayout::Nhwc))));
  }
  const int64_t channels = input.has_layout() ? input.logical[1] : 0;
  if ((channels != 1 && channels != 3) || input.dtype == DType::Bool) {
    fail(Code::RuntimeBadInput, fmt::format("a picture cannot be this input of shape {}", to_string(input.logical)),
         "give a .npy file");
  }
  given.content = read_image(path, channels == 1);
  return given;
}

/// The layout in which an array has the input's shape; it may leave out a batch of one.
std::optional<PortLayout> layout_of(const Shape& array, const InputShape& input) {
  for (const PortLayout layout : {PortLayout::Nchw, PortLayout::Nhwc}) {
    const Shape wanted = input.in(layout);
    const bool without_batch = !wanted.empty() && wanted[0] == 1 && array == Shape(wanted.begin() + 1, wanted.end());
    if (array == wanted || without_batch) return input.has_layout() ? layout : PortLayout::Source;
  }
  return std::nullopt;
}

/// The first set whose shapes all arrays have, with the pictures' own size if there is one: as the program chooses.
const Graph* choose_set(const Model& model, const std::vector<GivenInput>& given) {
  const Graph* chosen = nullptr;
  for (const Graph& graph : model.variants) {
    const std::vector<InputShape> shapes = shapes_of_set(model, graph);
    bool arrays_fit = true, images_fit = true;
    for (size_t i = 0; i < given.size(); ++i) {
      const Shape& shape = given[i].content.shape();
      if (!given[i].is_image) {
        arrays_fit = arrays_fit && layout_of(shape, shapes[i]);
      } else {
        images_fit = images_fit && shape[0] == shapes[i].logical[2] && shape[1] == shapes[i].logical[3];
      }
    }
    if (arrays_fit && images_fit) return &graph;
    if (arrays_fit && chosen == nullptr) chosen = &graph;
  }
  return chosen;
}

[[noreturn]] void refuse_shapes(const Model& model, const std::vector<GivenInput>& given) {
  Diagnostics problems;
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i].is_image) continue;
    std::string expected;
    bool fits = false;
    for (const Graph& graph : model.variants) {
      const InputShape shape = shapes_of_set(model, graph)[i];
      fits = fits || layout_of(given[i].content.shape(), shape);
      expected += fmt::format("{}{}", expected.empty() ? "" : " or ", to_string(shape.in(PortLayout::Nchw)));
    }
    if (fits && model.variants.size() == 1) continue;
    problems.add(Code::RuntimeBadInput, Location{.file = given[i].path, .tensor = model.inputs[i].name},
                 fmt::format("the array has the shape {}, expected {}{}", to_string(given[i].content.shape()), expected,
                             model.variants.size() > 1 ? ", all inputs of one set" : ""),
                 "arrays of four dimensions are NCHW");
  }
  problems.throw_if_any();
  fail(Code::Internal, "codegen: the inputs fit no shapes");
}

/// Scaled with its proportions kept, in the middle of a gray frame: letterbox() of templates/src/image_utils.cc.
Tensor letterbox(const Tensor& image, int64_t height, int64_t width) {
  const int64_t from_height = image.shape()[0], from_width = image.shape()[1], channels = image.shape()[2];
  int64_t fit_height = height, fit_width = width;
  if (width * from_height <= height * from_width) {
    fit_height = std::max<int64_t>(1, (2 * from_height * width + from_width) / (2 * from_width));
  } else {
    fit_width = std::max<int64_t>(1, (2 * from_width * height + from_height) / (2 * from_height));
  }
  const Tensor fitted = resize_bilinear(image, fit_height, fit_width);
  if (fit_height == height && fit_width == width) return fitted;
  Tensor framed(DType::UInt8, {height, width, channels});
  const std::span<uint8_t> out = framed.mutable_values<uint8_t>();
  std::fill(out.begin(), out.end(), kBorder);
  const std::span<const uint8_t> in = fitted.values<uint8_t>();
  const int64_t top = (height - fit_height) / 2, left = (width - fit_width) / 2, row = fit_width * channels;
  for (int64_t y = 0; y < fit_height; ++y) {
    std::copy_n(in.begin() + y * row, row, out.begin() + ((top + y) * width + left) * channels);
  }
  return framed;
}

/// What the program puts into the input's memory.
SimulatorInput fed(const GivenInput& given, const InputShape& input, bool rgb_to_bgr) {
  if (!given.is_image) {
    const PortLayout layout = *layout_of(given.content.shape(), input);
    const Tensor array = given.content.reshaped(input.in(layout));
    return {input.is_whole() ? array : cast(array, DType::Float32), layout, false};
  }
  const Shape nhwc = input.in(PortLayout::Nhwc);
  Tensor image = letterbox(given.content, nhwc[1], nhwc[2]);
  if (rgb_to_bgr && nhwc[3] == 3) swap_red_and_blue(image);
  Tensor items(DType::UInt8, nhwc);
  const std::span<uint8_t> out = items.mutable_values<uint8_t>();
  const std::span<const uint8_t> pixels = std::as_const(image).values<uint8_t>();
  for (int64_t n = 0; n < nhwc[0]; ++n) std::copy(pixels.begin(), pixels.end(), out.begin() + n * image.size());
  return {items, PortLayout::Nhwc, false};
}

std::string pnm_of(const Tensor& image) {
  const std::span<const std::byte> pixels = image.bytes();
  return fmt::format("P{}\n{} {}\n255\n", image.shape()[2] == 1 ? 5 : 6, image.shape()[1], image.shape()[0]) +
         std::string(reinterpret_cast<const char*>(pixels.data()), pixels.size());
}

/// Names the files of the project. Stems are kept apart, for a picture has two files of one stem.
void add_files(const std::vector<GivenInput>& given, ProjectInputs& project) {
  std::set<std::string> used;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::filesystem::path source = given[i].path;
    std::string stem = plain_name(source.stem().string());
    while (!used.insert(stem).second) stem += fmt::format("_{}", i);
    if (!given[i].is_image) {
      project.paths.push_back(input_path(stem, ".npy"));
      project.files.push_back({project.paths.back(), to_npy(given[i].content)});
      continue;
    }
    project.paths.push_back(input_path(stem, source.extension().string()));
    project.files.push_back({project.paths.back(), read_text_file(source)});
    const bool gray = given[i].content.shape()[2] == 1;
    project.files.push_back({input_path(stem, gray ? ".pgm" : ".ppm"), pnm_of(given[i].content)});
  }
}

}  // namespace

std::string plain_name(std::string_view text) {
  constexpr size_t kLongest = 200;  // file systems allow 255 bytes
  std::string name(text.substr(0, kLongest));
  for (char& letter : name) {
    const bool keep = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                      (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.';
    if (!keep) letter = '_';
  }
  if (name.empty() || name.front() == '-' || name.front() == '.') name.insert(name.begin(), '_');
  return name;
}

std::string input_path(std::string_view stem, std::string_view extension) {
  std::string path = fmt::format("data/inputs/{}{}", stem, extension);
  std::transform(path.end() - static_cast<std::ptrdiff_t>(extension.size()), path.end(),
                 path.end() - static_cast<std::ptrdiff_t>(extension.size()),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return path;
}

ProjectInputs read_project_inputs(const Model& model, const std::string& file, const std::vector<std::string>& inputs,
                                  const std::vector<bool>& rgb_to_bgr) {
  const std::vector<InputShape> largest = shapes_of_set(model, model.variants.front());
  if (inputs.size() != largest.size()) {
    std::string names;
    for (const Port& port : model.inputs) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", port.name);
    fail(Code::RuntimeBadInput,
         fmt::format("codegen: inputs: got {} paths, the model has {} inputs ({})", inputs.size(), largest.size(),
                     names),
         "give one image or .npy file per model input");
  }
  std::vector<GivenInput> given;
  std::vector<Diagnostic> problems;
  for (size_t i = 0; i < inputs.size(); ++i) {
    try {
      given.push_back(read_given(inputs[i], largest[i]));
    } catch (const Error& error) {
      for (Diagnostic diagnostic : error.diagnostics) {
        if (diagnostic.where.file.empty()) diagnostic.where.file = inputs[i];
        if (diagnostic.where.tensor.empty()) diagnostic.where.tensor = model.inputs[i].name;
        problems.push_back(std::move(diagnostic));
      }
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));

  const Graph* const set = choose_set(model, given);
  if (set == nullptr) refuse_shapes(model, given);
  const std::vector<InputShape> shapes = shapes_of_set(model, *set);
  std::vector<SimulatorInput> arrays;
  for (size_t i = 0; i < given.size(); ++i) {
    const bool swap = !rgb_to_bgr.empty() && rgb_to_bgr[rgb_to_bgr.size() == 1 ? 0 : i];
    arrays.push_back(fed(given[i], shapes[i], swap));
  }
  ProjectInputs project;
  project.golden = Simulator(file, model.inputs, model.variants.size()).run(arrays);
  add_files(given, project);
  return project;
}

}  // namespace openrknn
