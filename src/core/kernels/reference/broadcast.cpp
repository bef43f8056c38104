#include "core/kernels/reference/broadcast.h"

namespace openrknn::reference {

Broadcast::Broadcast(const Shape& out, std::initializer_list<const Shape*> operands) {
  total = element_count(out);
  const size_t count = operands.size(), rank = out.size();
  std::array<Shape, kMaxOperands> full;  // strides for every dimension of out
  size_t operand = 0;
  for (const Shape* shape : operands) {
    Shape& own = full[operand++];
    own.assign(rank, 0);
    int64_t stride = 1;
    for (size_t d = shape->size(); d-- > 0;) {
      const int64_t extent = (*shape)[d];
      if (extent != 1) own[rank - shape->size() + d] = stride;
      stride *= extent;
    }
  }
  for (size_t d = 0; d < rank; ++d) {
    if (out[d] == 1) continue;
    bool merges = !extents.empty();
    for (size_t i = 0; i < count && merges; ++i) merges = strides[i].back() == full[i][d] * out[d];
    if (!merges) {
      extents.push_back(out[d]);
      for (size_t i = 0; i < count; ++i) strides[i].push_back(full[i][d]);
      continue;
    }
    extents.back() *= out[d];
    for (size_t i = 0; i < count; ++i) strides[i].back() = full[i][d];
  }
  if (extents.empty()) {  // one element
    extents.push_back(1);
    for (size_t i = 0; i < count; ++i) strides[i].push_back(1);
  }
}

bool Broadcast::dense(size_t operand) const {
  int64_t stride = 1;
  for (size_t d = extents.size(); d-- > 0;) {
    if (strides[operand][d] != stride) return false;
    stride *= extents[d];
  }
  return true;
}

}  // namespace openrknn::reference
