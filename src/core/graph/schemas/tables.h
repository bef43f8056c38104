// One table of rows per operator family; registry.cpp joins them.
#pragma once

#include <span>

#include "core/graph/schema.h"

namespace openrknn::schemas {

std::span<const OpSchema> convolution();     ///< Conv, ConvTranspose, MatMul
std::span<const OpSchema> pooling();         ///< MaxPool, AveragePool, LpPool, Global…Pool, MaxUnpool
std::span<const OpSchema> arithmetic();      ///< two operands: Add … Min, comparisons, logic; Where
std::span<const OpSchema> elementwise();     ///< one operand: functions, activations, Cast, Convert
std::span<const OpSchema> normalization();   ///< BatchNormalization … LogSoftmax
std::span<const OpSchema> reduction();       ///< Reduce…, ArgMax, ArgMin
std::span<const OpSchema> movement();        ///< Reshape, Transpose, Concat, Split, Slice, Pad, Expand, Tile
std::span<const OpSchema> indexing();        ///< Gather…, Scatter…, TopK, OneHot, Trilu
std::span<const OpSchema> spatial();         ///< Resize, DepthToSpace, SpaceToDepth
std::span<const OpSchema> sampling();        ///< GridSample, RoiAlign, MaxRoiPool, DeformIm2Col, Col2Im
std::span<const OpSchema> sources();         ///< Range, ConstantOfShape, Shape, Size
std::span<const OpSchema> data_dependent();  ///< NonZero, Compress, Unique, NonMaxSuppression, Dynamic…
std::span<const OpSchema> control();         ///< If, Loop, Scan
std::span<const OpSchema> recurrent();       ///< LSTM, GRU, RNN
std::span<const OpSchema> sequence();        ///< CumSum, CumProd, ReverseSequence, LinearAttention
std::span<const OpSchema> quantization();    ///< QuantizeLinear, DequantizeLinear
std::span<const OpSchema> custom();          ///< Custom

}  // namespace openrknn::schemas
