// Types, quantization parameters, fixed-point integers and contents as they stand in the text form.
#pragma once

#include "core/graph/graph.h"
#include "core/graph/text/cursor.h"

namespace openrknn {

class TextParts {
 public:
  TextParts(TextCursor& text, std::span<const Tensor> data) : text_(text), data_(data) {}

  std::pair<DType, Shape> type();                   ///< f32[1,?,8]
  QuantParams quant();                              ///< q(scale, zero point, axis=, group=)
  FixedPoint fixed();                               ///< fixed(channel=, scale=[[M, S]], …)
  Placement placement();                            ///< npu, cpu, gpu
  bool starts_content() const;                      ///< the next word begins content
  Tensor content(DType dtype, const Shape& shape);  ///< {…}, data(N), fill(v), iota, random(seed)

 private:
  const Tensor& stored();
  Tensor listed(DType dtype, const Shape& shape);
  template <class T>
  std::vector<T> numbers();
  int32_t integer32();

  TextCursor& text_;
  std::span<const Tensor> data_;
};

}  // namespace openrknn
