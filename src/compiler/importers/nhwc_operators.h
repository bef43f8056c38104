// What operators of NHWC frameworks (TFLite, TensorFlow) have in common: a layer at work, and the translations that
// need nothing but a tensor and numbers. All of it speaks of the source's dimensions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/importers/image_layout.h"

namespace openrknn {

/// Sizes beyond any network; they keep products within 63 bits.
inline constexpr int64_t kMostExtent = 1 << 20;

/// A layer while it is translated. Functions throw Error that names its type.
class NhwcLayer {
 public:
  using Ints = std::vector<int64_t>;

  NhwcLayer(LayerBuilder& builder, ImageLayout& layout, std::string_view type_name)
      : type(type_name), builder_(builder), layout_(layout) {}
  std::string_view type;

  LayerBuilder& builder() const { return builder_; }
  ImageLayout& layout() const { return layout_; }
  Shape shape_of(Placed tensor) const { return layout_.shape(tensor); }

  ValueId add(std::string_view op, std::vector<ValueId> operands, Attributes attributes = {}) const {
    return builder_.add(op, std::move(operands), std::move(attributes));
  }
  /// Glue in front of what the layer is.
  ValueId beside(std::string_view op, std::vector<ValueId> operands, Attributes attributes = {}) const {
    return builder_.add_beside(op, std::move(operands), std::move(attributes));
  }
  ValueId reshape(ValueId x, Shape shape) const { return add("Reshape", {x}, {{"shape", std::move(shape)}}); }
  ValueId scalar(std::string_view part, double number) const {
    return builder_.scalar(part, static_cast<float>(number));
  }
  ValueId cast_to(DType to, ValueId x) const { return add("Cast", {x}, {{"to", static_cast<int64_t>(to)}}); }
  ValueId beside_reshape(ValueId x, Shape shape) const { return beside("Reshape", {x}, {{"shape", std::move(shape)}}); }

  /// Operands of the same places, in one form.
  struct Aligned {
    std::vector<ValueId> operands;
    ImageForm form;
  };
  Aligned align(const std::vector<Placed>& inputs) const;
  /// Whole numbers that have to be known here (sizes, axes, places): few, and integers.
  Ints whole_numbers(const std::optional<Tensor>& known, std::string_view what) const;
  int64_t whole_number(const std::optional<Tensor>& known, std::string_view what) const;
  /// 0..rank-1; negative ones count from the end.
  int64_t axis(int64_t given, int64_t rank, std::string_view what = "axis") const;
  [[noreturn]] void refuse(std::string problem, std::string fix = {}) const;

 private:
  LayerBuilder& builder_;
  ImageLayout& layout_;
};

/// What a window covers in one dimension.
struct Window {
  int64_t extent = 1, stride = 1, dilation = 1;
};
/// Begin and end of padding that lets the result have ceil(size / stride) elements: SAME, the odd one at the end.
std::pair<int64_t, int64_t> same_padding(const NhwcLayer&, int64_t size, Window);

/// A shape with one -1 resolved.
Shape resolved_shape(const NhwcLayer&, Shape, int64_t count);

struct StridedSlice {
  std::vector<int64_t> begin, end, strides;
  int64_t begin_mask = 0, end_mask = 0, ellipsis_mask = 0, new_axis_mask = 0, shrink_axis_mask = 0;
  bool end_is_offset = false;  ///< end counts from begin
};
Placed strided_slice(const NhwcLayer&, Placed x, const StridedSlice&);
/// Size -1: to the end.
Placed slice(const NhwcLayer&, Placed x, const std::vector<int64_t>& begin, const std::vector<int64_t>& size);
Placed reverse(const NhwcLayer&, Placed x, const std::vector<int64_t>& axes);
/// Parts along an axis; one size may be -1.
std::vector<Placed> split(const NhwcLayer&, Placed x, int64_t axis, std::vector<int64_t> sizes);
Placed concatenate(const NhwcLayer&, const std::vector<Placed>& parts, int64_t axis);
Placed pack(const NhwcLayer&, const std::vector<Placed>& parts, int64_t axis);
std::vector<Placed> unpack(const NhwcLayer&, Placed x, int64_t axis, size_t count);
Placed expand(const NhwcLayer&, Placed x, const Shape&);
/// `pairs`: begin and end of each dimension.
Placed pad(const NhwcLayer&, Placed x, const std::vector<int64_t>& pairs, double value);
Placed mirror_pad(const NhwcLayer&, Placed x, const std::vector<int64_t>& pairs, bool repeats_border);

Placed reduce(const NhwcLayer&, std::string_view op, Placed x, const std::vector<int64_t>& axes, bool keeps);
Placed resize(const NhwcLayer&, Placed x, const std::vector<int64_t>& size, std::string_view mode, bool align_corners,
              bool half_pixel_centers);
Placed space_to_batch(const NhwcLayer&, Placed x, const std::vector<int64_t>& block,
                      const std::vector<int64_t>& borders);
Placed batch_to_space(const NhwcLayer&, Placed x, const std::vector<int64_t>& block,
                      const std::vector<int64_t>& borders);
/// The first `batch_dims` dimensions of both are the same ones.
Placed gather_in_batches(const NhwcLayer&, Placed x, Placed indices, int64_t axis, int64_t batch_dims);
/// Zeros, and the updates added at their places.
Placed scatter(const NhwcLayer&, Placed places, Placed updates, const Shape&);
/// Of each element that is not zero the indices, a row each.
Placed places_of_truth(const NhwcLayer&, Placed x);
Placed one_hot(const NhwcLayer&, Placed classes, int64_t depth, Placed on, Placed off, int64_t axis);
Placed transpose(const NhwcLayer&, Placed x, std::vector<int64_t> perm);
/// Without these dimensions, which are 1; none given: all that are.
Placed squeeze(const NhwcLayer&, Placed x, const std::vector<int64_t>& dimensions);
Placed unsqueeze(const NhwcLayer&, Placed x, int64_t axis);
Placed add_all(const NhwcLayer&, const std::vector<Placed>& inputs);
/// Of two inputs.
Placed not_equal(const NhwcLayer&, const std::vector<Placed>& inputs);
Placed squared_difference(const NhwcLayer&, const std::vector<Placed>& inputs);
/// Of a condition and two inputs. A condition of one dimension may choose rows instead of being broadcast.
Placed select(const NhwcLayer&, const std::vector<Placed>& inputs, bool may_choose_rows);
/// Of truth values, by ReduceMax (any) or ReduceMin (all).
Placed reduce_truth(const NhwcLayer&, std::string_view op, Placed x, const std::vector<int64_t>& axes, bool keeps);
/// Of integers and floats, rounded down.
Placed floor_divide(const NhwcLayer&, ImageForm, const std::vector<ValueId>& operands);
/// Over the last dimension.
Placed softmax(const NhwcLayer&, std::string_view op, Placed x);

}  // namespace openrknn
