// Sources whose images are NHWC (TFLite, TensorFlow), in a graph that is NCHW. Every tensor is computed in one of two
// forms and the other is made where it is asked for, so that convolutions in a row have no Transpose between them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compiler/importers/layer_builder.h"

namespace openrknn {

/// How the dimensions of a tensor stand in the graph: as in the source, or, of four, the last one second.
enum class ImageForm : uint8_t { Source, ChannelsFirst };

/// A tensor of the source.
struct Placed {
  ValueId id = ValueId::None;
  ImageForm form = ImageForm::Source;
};

/// The source's dimension d in this form: NHWC's 3 is 1 where channels come first. d is not negative.
int64_t dimension_in(ImageForm, int64_t d);

class ImageLayout {
 public:
  explicit ImageLayout(LayerBuilder& builder) : builder_(builder) {}

  /// A graph input; of four dimensions it is an image unless the source says otherwise.
  Placed add_input(std::string name, DType, const Shape& source, bool is_image = true);
  /// An output of the graph, in the source's layout to the outside.
  void add_output(Placed);

  /// What the source calls its shape.
  Shape shape(Placed) const;
  /// The tensor with its dimensions as in the source. Adds a Transpose if there is no such form yet.
  ValueId source(Placed);
  /// Of four dimensions [N, H, W, C]: as [N, C, H, W].
  ValueId channels_first(Placed);
  ValueId in(ImageForm form, Placed tensor) {
    return form == ImageForm::Source ? source(tensor) : channels_first(tensor);
  }

  /// Operands of an operator that takes numbers at the same places, with broadcasting: all in one form, channels first
  /// if any of them is. Tensors of fewer dimensions get those they lack.
  ImageForm align(std::span<const Placed>, std::vector<ValueId>& operands);
  /// The same of one result shape: the form in which a node that has these operands is best computed.
  static ImageForm form_of(std::span<const Placed>);

  /// What SpaceToBatch made its blocks of, by the node that gives them.
  struct SpaceToBatch {
    Placed image;
    std::vector<int64_t> block, borders;
  };
  std::map<NodeId, SpaceToBatch> blocks;

 private:
  ValueId converted(ValueId, const std::vector<int>& order, const char* suffix);
  LayerBuilder& builder_;
  std::map<ValueId, ValueId> first_, source_;  // the other form, once made
};

}  // namespace openrknn
