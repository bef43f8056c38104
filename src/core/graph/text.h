// The text form of a Graph: what --dump-after prints and what pass tests are written in. Grammar: docs/graph_text.md.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.h"
#include "core/graph/schema.h"

namespace openrknn {

struct TextOptions {
  bool origins = true;
  int64_t inline_elements = 16;  ///< constants up to this size are written inline, longer ones as data(N)
};

/// `ir 1`, then inputs, one line per node in order, outputs. Equal graphs give equal text. Tensors longer than
/// inline_elements are appended to `data` (if given) and written data(index).
std::string to_text(const Graph&, const TextOptions& = {}, std::vector<Tensor>* data = nullptr);

/// Reads the text form. fill(v), iota and random(seed) stand for contents in tests; data(N) takes data[N]. Shapes and
/// dtypes of outputs may be left out and are inferred. Throws Error (GraphTextSyntax) with the line.
Graph parse_graph(std::string_view text, std::span<const Tensor> data = {}, const Evaluator& = {});

}  // namespace openrknn
