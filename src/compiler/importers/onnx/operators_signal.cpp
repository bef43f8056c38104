// Fourier transforms as products with constant bases, windows and mel filters as constants.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/onnx/operators.h"
#include "compiler/importers/onnx/waves.h"

namespace openrknn::onnx {
namespace {

constexpr int64_t kLargestBasis = int64_t{1} << 26;  // numbers
constexpr int64_t kLargestLength = int64_t{1} << 24;

/// A transform of `count` given samples (further ones are 0) to `results` of `length`.
struct Transform {
  int64_t length = 1, count = 1, results = 1;
  bool complex_in = false, complex_out = true, inverse = false, mirrored = false;  // mirrored: one half was given
  int64_t in_parts() const { return complex_in ? 2 : 1; }
  int64_t out_parts() const { return complex_out ? 2 : 1; }
};

/// The basis as a matrix [count · parts in, results · parts out]; `window` (or nothing) multiplies its rows. Computed
/// in double, rounded once.
Tensor basis(const Transform& f, const std::vector<double>& window) {
  const Circle c = circle(f.length);
  const int64_t columns = f.results * f.out_parts();
  Tensor matrix(DType::Float32, {f.count * f.in_parts(), columns});
  const std::span<float> cells = matrix.mutable_values<float>();
  const double direction = f.inverse ? 1 : -1;
  for (int64_t n = 0; n < f.count; ++n) {
    double factor = window.empty() ? 1 : window[static_cast<size_t>(n)];
    if (f.inverse) factor /= static_cast<double>(f.length);
    // Half a spectrum stands for both: all but the first and the middle value occur twice.
    if (f.mirrored && n != 0 && 2 * n != f.length) factor *= 2;
    for (int64_t k = 0; k < f.results; ++k) {
      const auto place = static_cast<size_t>((n % f.length) * (k % f.length) % f.length);
      const double cosine = factor * c.cosine[place], sine = factor * direction * c.sine[place];
      const auto at = static_cast<size_t>(n * f.in_parts() * columns + k * f.out_parts());
      const auto next = static_cast<size_t>(columns);
      cells[at] = static_cast<float>(cosine);
      if (f.complex_out) cells[at + 1] = static_cast<float>(sine);
      if (!f.complex_in) continue;
      cells[at + next] = static_cast<float>(-sine);
      if (f.complex_out) cells[at + next + 1] = static_cast<float>(cosine);
    }
  }
  return matrix;
}

/// length = a · b for a transform in two steps: first over every b-th sample, then over the b results, as Cooley and
/// Tukey did. a = 1: one step.
struct Factors {
  int64_t a = 1, b = 1;
  int64_t cells = 0;  // numbers in all bases
};
Factors factors_of(const Transform& f) {
  constexpr int64_t kSmall = int64_t{1} << 22;  // one product is simpler, and quicker than its cells suggest
  const int64_t length = f.length, parts = f.in_parts();
  Factors best{1, length, f.count * parts * f.results * f.out_parts()};
  if (best.cells <= kSmall || f.mirrored) return best;
  for (int64_t a = 2; a * a <= length; ++a) {
    if (length % a != 0) continue;
    const int64_t b = length / a, cells = length * a * 2 * parts + 4 * b * b;
    if (cells < best.cells) best = {a, b, cells};
  }
  return best;
}

/// [rows, length, parts] to [rows, length, 2]. Sample b·i + j and result k + a·l:
/// Σ_j w_b^{j l} [ w_length^{j k} Σ_i w_a^{i k} x_{b·i+j} ], the bracket one matrix for each j.
ValueId two_steps(Translation& t, ValueId value, const Transform& f, const Factors& factors) {
  const int64_t a = factors.a, b = factors.b, parts = f.in_parts(), rows = t.shape_of(value)[0];
  const Circle c = circle(f.length);
  const double direction = f.inverse ? 1 : -1;
  // The four cells of one complex factor: what a real and an imaginary part add to both parts of a result.
  const auto set = [&](std::span<float> cells, int64_t at, int64_t next, int64_t angle, double factor, bool complex) {
    const auto place = static_cast<size_t>(angle % f.length);
    const double cosine = factor * c.cosine[place], sine = factor * direction * c.sine[place];
    cells[static_cast<size_t>(at)] = static_cast<float>(cosine);
    cells[static_cast<size_t>(at + 1)] = static_cast<float>(sine);
    if (!complex) return;
    cells[static_cast<size_t>(at + next)] = static_cast<float>(-sine);
    cells[static_cast<size_t>(at + next + 1)] = static_cast<float>(cosine);
  };
  Tensor first(DType::Float32, {b, a * parts, a * 2}), second(DType::Float32, {b * 2, b * 2});
  const std::span<float> inner = first.mutable_values<float>(), outer = second.mutable_values<float>();
  for (int64_t j = 0; j < b; ++j) {
    for (int64_t i = 0; i < a; ++i) {
      for (int64_t k = 0; k < a; ++k) {
        set(inner, (j * a + i) * parts * a * 2 + k * 2, a * 2, (i * b + j) * k, 1, f.complex_in);
      }
    }
    const double factor = f.inverse ? 1 / static_cast<double>(f.length) : 1;
    for (int64_t l = 0; l < b; ++l) set(outer, j * 4 * b + l * 2, b * 2, j * l % b * a, factor, true);
  }
  value = t.transpose(t.reshape(value, {rows, a, b, parts}), {2, 0, 1, 3});
  const ValueId inner_basis = t.cast(t.add_constant(std::move(first), "basis"), t.dtype(0));
  value = t.emit("MatMul", {t.reshape(value, {b, rows, a * parts}), inner_basis});
  value = t.transpose(t.reshape(value, {b, rows, a, 2}), {1, 2, 0, 3});
  const ValueId outer_basis = t.cast(t.add_constant(std::move(second), "basis"), t.dtype(0));
  value = t.emit("MatMul", {t.reshape(value, {rows * a, b * 2}), outer_basis});
  value = t.transpose(t.reshape(value, {rows, a, b, 2}), {0, 2, 1, 3});
  value = t.reshape(value, {rows, f.length, 2});
  if (f.results == f.length) return value;
  return t.emit("Slice", {value},
                {{"starts", Shape{0, 0, 0}}, {"ends", Shape{rows, f.results, 2}}, {"steps", Shape{1, 1, 1}}});
}

void check_size(const Translation& t, const Transform& f) {
  if (f.length < 1 || f.length > kLargestLength || f.results < 1 || f.count < 1) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the transform's length is {}, expected 1 to {}", f.length, kLargestLength));
  }
  if (factors_of(f).cells > kLargestBasis) {
    t.unsupported(
        fmt::format("a transform of length {} is too long to be written as matrix products", f.length),
        "take a length with many small factors, cut the signal into frames (STFT), or transform it before the "
        "model");
  }
}

/// Axis: attribute `axis` (default 1) up to opset 19, input 2 (default -2) from 20 on.
void dft(Translation& t) {
  const Shape x = t.shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  if (rank < 2 || (x.back() != 1 && x.back() != 2)) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the input has shape {}, expected a last extent of 1 (real) or 2 (complex)", to_string(x)));
  }
  const bool as_input = t.opset() >= 20;
  const int64_t axis = t.axis(as_input ? (t.has(2) ? t.known_int(2, "the axis") : -2) : t.integer("axis", 1), rank);
  if (axis == rank - 1)
    t.fail(Code::ImportShapeMismatch, "the axis is the last one, which holds real and imaginary part");
  const bool half = t.integer("onesided", 0) != 0;
  const int64_t extent = x[static_cast<size_t>(axis)];
  Transform f;
  f.inverse = t.integer("inverse", 0) != 0;
  f.complex_in = x.back() == 2;
  f.mirrored = f.inverse && half;
  if (half && f.complex_in != f.inverse) {
    t.unsupported(
        f.inverse ? "an inverse one-sided transform of real numbers" : "a one-sided transform of complex numbers",
        "the standard defines it for the other kind only");
  }
  f.length = t.has(1) ? t.known_int(1, "dft_length") : f.mirrored ? 2 * (extent - 1) : extent;
  f.complex_out = !f.mirrored;
  f.results = half && !f.inverse ? f.length / 2 + 1 : f.length;
  f.count = std::min(extent, f.mirrored ? f.length / 2 + 1 : f.length);
  check_size(t, f);

  // The transformed dimension goes next to the last, as a row of a matrix.
  std::vector<int64_t> order;
  for (int64_t d = 0; d < rank; ++d) {
    if (d != axis && d != rank - 1) order.push_back(d);
  }
  order.push_back(axis);
  order.push_back(rank - 1);
  ValueId value = t.transpose(t.input(0), order);
  Shape shape = t.shape_of(value);
  if (f.count < extent) {
    Shape ends = shape;
    ends[static_cast<size_t>(rank - 2)] = f.count;
    value = t.emit("Slice", {value}, {{"starts", Shape(x.size(), 0)}, {"ends", ends}, {"steps", Shape(x.size(), 1)}});
  }
  const int64_t rows = element_count(Shape(shape.begin(), shape.end() - 2));
  const Factors factors = factors_of(f);
  if (factors.a > 1) {
    value = t.reshape(value, {rows, f.count, f.in_parts()});
    if (f.count < f.length) {
      value = t.emit("Pad", {value}, {{"pads", Shape{0, 0, 0, 0, f.length - f.count, 0}}});
    }
    value = two_steps(t, value, f, factors);
  } else {
    const ValueId matrix = t.add_constant(basis(f, {}), "basis");
    value = t.emit("MatMul", {t.reshape(value, {rows, f.count * f.in_parts()}), t.cast(matrix, t.dtype(0))});
  }
  shape[static_cast<size_t>(rank - 2)] = f.results;
  shape.back() = f.out_parts();
  value = t.reshape(value, shape);
  std::vector<int64_t> back(order.size());
  for (size_t d = 0; d < order.size(); ++d) back[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  t.forward(t.transpose(value, back));
}

/// Frames of the signal times a basis: a convolution with a stride, whose weights hold a known window.
void stft(Translation& t) {
  Shape x = t.shape(0);
  if (x.size() == 2) x.push_back(1);
  if (x.size() != 3 || (x[2] != 1 && x[2] != 2)) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the signal has shape {}, expected [batch, length, 1 or 2]", to_string(x)));
  }
  const int64_t step = t.known_int(1, "frame_step");
  if (t.has(2) && t.rank(2) != 1) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the window has shape {}, expected one dimension", to_string(t.shape(2))));
  }
  const int64_t window_length = t.has(2) ? t.shape(2)[0] : -1;
  const int64_t length = t.has(3) ? t.known_int(3, "frame_length") : window_length >= 0 ? window_length : x[1];
  if (step < 1 || length < 1 || length > x[1] || (window_length >= 0 && window_length != length)) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("frame_step is {}, frame_length {} and the window has {} values for a signal of {}", step,
                       length, window_length, x[1]));
  }
  const bool half = t.integer("onesided", 1) != 0;
  Transform f;
  f.length = f.count = length;
  f.complex_in = x[2] == 2;
  if (half && f.complex_in) t.unsupported("a one-sided transform of complex numbers", "set onesided to 0");
  f.results = half ? length / 2 + 1 : length;
  if (f.count * f.in_parts() * f.results * 2 > kLargestBasis) {
    t.unsupported(fmt::format("frames of {} samples are too long to be written as a convolution", length));
  }
  const int64_t frames = 1 + (x[1] - length) / step, columns = 2 * f.results;
  const Tensor* window = window_length >= 0 ? t.constant(2) : nullptr;
  const Tensor matrix = basis(f, window != nullptr ? to_doubles(*window) : std::vector<double>{});
  const ValueId signal = t.reshape(t.input(0), x);
  if (window_length >= 0 && window == nullptr) {  // a window that is computed: frames are gathered and multiplied
    Tensor places(DType::Int64, {frames, length});
    for (int64_t i = 0; i < frames * length; ++i) {
      places.mutable_values<int64_t>()[static_cast<size_t>(i)] = i / length * step + i % length;
    }
    ValueId rows = t.emit("Gather", {signal, t.add_constant(std::move(places), "frames")}, {{"axis", int64_t{1}}});
    rows = t.emit("Mul", {rows, t.reshape(t.input(2), {length, 1})});
    const ValueId weights = t.add_constant(openrknn::cast(matrix, t.dtype(0)), "basis");
    const ValueId product = t.emit("MatMul", {t.reshape(rows, {x[0] * frames, length * x[2]}), weights});
    return t.produce_reshaped(product, {x[0], frames, f.results, 2});
  }
  Tensor weights(DType::Float32, {columns, x[2], length});  // the basis as [results, real or imaginary, sample]
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t i = 0; i < x[2] * length; ++i) {
      const int64_t row = i % length * x[2] + i / length;
      weights.mutable_values<float>()[static_cast<size_t>(c * x[2] * length + i)] =
          matrix.values<float>()[static_cast<size_t>(row * columns + c)];
    }
  }
  const ValueId filters = t.add_constant(openrknn::cast(weights, t.dtype(0)), "basis");
  const ValueId planes = x[2] == 1 ? t.reshape(signal, {x[0], 1, x[1]}) : t.transpose(signal, {0, 2, 1});
  const ValueId spectra = t.emit("Conv", {planes, filters},
                                 {{"kernel_shape", Shape{length}},
                                  {"strides", Shape{step}},
                                  {"pads", Shape{0, 0}},
                                  {"dilations", Shape{1}},
                                  {"group", int64_t{1}}});
  t.produce_reshaped(t.transpose(spectra, {0, 2, 1}), {x[0], frames, f.results, 2});
}

/// Numbers in the type the node asks for; the golden graph's floats are float32.
void produce_numbers(Translation& t, const Shape& shape, const std::vector<double>& values) {
  const std::optional<DType> wanted = ir_dtype(static_cast<ElementType>(t.integer("output_datatype", 1)));
  if (!wanted) t.unsupported(fmt::format("output_datatype is {}", t.integer("output_datatype", 1)));
  const DType dtype = is_floating(*wanted) ? DType::Float32 : *wanted;
  t.produce_constant(openrknn::cast(Tensor::from<double>(shape, values), dtype));
}

/// Σ weights[i] · cos(2 pi i n / N), N = size, or size - 1 where the window is symmetric.
void cosine_window(Translation& t, const std::vector<double>& weights) {
  const int64_t size = t.known_int(0, "the window's size");
  if (size < 0 || size > kLargestLength) {
    t.fail(Code::ImportShapeMismatch, fmt::format("the size is {}, expected 0 to {}", size, kLargestLength));
  }
  const int64_t period = std::max<int64_t>(1, t.integer("periodic", 1) != 0 ? size : size - 1);
  const Circle c = circle(period);
  std::vector<double> values;
  for (int64_t n = 0; n < size; ++n) {
    double sum = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      sum += weights[i] * c.cosine[static_cast<size_t>(static_cast<int64_t>(i) * n % period)];
    }
    values.push_back(sum);
  }
  produce_numbers(t, {size}, values);
}
void hann_window(Translation& t) { cosine_window(t, {0.5, -0.5}); }
void hamming_window(Translation& t) { cosine_window(t, {25.0 / 46.0, 25.0 / 46.0 - 1.0}); }
void blackman_window(Translation& t) { cosine_window(t, {0.42, -0.5, 0.08}); }

/// Triangles over the bins of a spectrum, equally wide in mel = 2595 log10(1 + hertz / 700).
void mel_weight_matrix(Translation& t) {
  const int64_t bands = t.known_int(0, "num_mel_bins"), length = t.known_int(1, "dft_length");
  const int64_t rate = t.known_int(2, "sample_rate");
  const double low = t.known_doubles(3, "lower_edge_hertz").at(0), high = t.known_doubles(4, "upper_edge_hertz").at(0);
  const int64_t bins = length / 2 + 1;
  if (bands < 1 || length < 1 || rate < 1 || bins * bands > kLargestBasis || bands > kLargestLength ||
      length > kLargestLength || !(low >= 0) || !(high >= low) || high > 1e9) {
    t.fail(Code::ImportShapeMismatch, fmt::format("{} bands of {} to {} Hz for a transform of {} at {} Hz do not fit",
                                                  bands, low, high, length, rate));
  }
  const auto mel = [](double hertz) { return 2595 * logarithm(1 + hertz / 700) / logarithm(10); };
  const double first = mel(low), width = (mel(high) - first) / static_cast<double>(bands + 2);
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < bands + 2; ++i) {
    const double hertz = 700 * (exponential((first + static_cast<double>(i) * width) / 2595 * logarithm(10)) - 1);
    const double bin = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    if (!(bin < static_cast<double>(bins))) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("{} Hz lie beyond the spectrum of {} bins at {} Hz", hertz, bins, rate));
    }
    edges.push_back(std::max<int64_t>(0, static_cast<int64_t>(bin)));
  }
  std::vector<double> weights(static_cast<size_t>(bins * bands));
  for (int64_t i = 0; i < bands; ++i) {
    const auto at = [&](int64_t bin) -> double& { return weights[static_cast<size_t>(bin * bands + i)]; };
    const int64_t left = edges[static_cast<size_t>(i)], top = edges[static_cast<size_t>(i + 1)];
    const int64_t right = edges[static_cast<size_t>(i + 2)];
    if (left == top) at(top) = 1;
    for (int64_t bin = left; bin <= top && left < top; ++bin) {
      at(bin) = static_cast<double>(bin - left) / static_cast<double>(top - left);
    }
    for (int64_t bin = top; bin < right; ++bin) {
      at(bin) = static_cast<double>(right - bin) / static_cast<double>(right - top);
    }
  }
  produce_numbers(t, {bins, bands}, weights);
}

constexpr OperatorRow kSignalRows[] = {
    {"DFT", 17, 28, dft},
    {"STFT", 17, 28, stft},
    {"HannWindow", 17, 28, hann_window},
    {"HammingWindow", 17, 28, hamming_window},
    {"BlackmanWindow", 17, 28, blackman_window},
    {"MelWeightMatrix", 17, 28, mel_weight_matrix},
};

}  // namespace

std::span<const OperatorRow> signal_operators() { return kSignalRows; }

}  // namespace openrknn::onnx
