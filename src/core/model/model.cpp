#include "core/model/model.h"

namespace openrknn {

Shape with_batch(Shape shape, int64_t batch) {
  if (batch == 1) return shape;
  if (shape.empty()) return {batch};
  shape[0] *= batch;
  return shape;
}

}  // namespace openrknn
