// NonMaxSuppression: per batch and class the best scores first, equal ones in order of their index; a box is kept
// unless it overlaps a kept one by more than the threshold. float32, one rounding an operation, as ONNX runtimes
// compute it.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/kernels/data_dependent.h"

namespace openrknn::reference {
namespace {

struct Box {
  float x_min, x_max, y_min, y_max;
  float area() const { return (x_max - x_min) * (y_max - y_min); }
};

struct Candidate {
  float score;
  int64_t index;
  bool operator<(const Candidate& other) const {
    return score != other.score ? score < other.score : index > other.index;
  }
};

Box corners(const float* box, bool centred) {
  if (centred) {
    const float half_width = box[2] / 2, half_height = box[3] / 2;
    return {box[0] - half_width, box[0] + half_width, box[1] - half_height, box[1] + half_height};
  }
  const auto [y_min, y_max] = std::minmax(box[0], box[2]);
  const auto [x_min, x_max] = std::minmax(box[1], box[3]);
  return {x_min, x_max, y_min, y_max};
}

bool overlaps(const Box& a, const Box& b, float threshold) {
  const float width = std::min(a.x_max, b.x_max) - std::max(a.x_min, b.x_min);
  const float height = std::min(a.y_max, b.y_max) - std::max(a.y_min, b.y_min);
  if (!(width > 0) || !(height > 0)) return false;
  const float common = width * height, area_a = a.area(), area_b = b.area();
  const float together = area_a + area_b - common;
  if (!(common > 0) || !(area_a > 0) || !(area_b > 0) || !(together > 0)) return false;
  return common / together > threshold;
}

template <class T>
T parameter(HostInputs inputs, size_t index, T fallback) {
  return index < inputs.size() && inputs[index] != nullptr ? inputs[index]->values<T>()[0] : fallback;
}

}  // namespace

std::vector<Tensor> non_max_suppression(const Node& node, HostInputs inputs) {
  const Tensor &boxes = *inputs[0], &scores = *inputs[1];
  const bool centred = int_attribute(node.attributes, "center_point_box", 0) != 0;
  const int64_t most = parameter<int64_t>(inputs, 2, 0);
  const float iou_threshold = parameter<float>(inputs, 3, 0);
  const bool has_threshold = inputs.size() > 4 && inputs[4] != nullptr;
  const float score_threshold = parameter<float>(inputs, 4, 0);
  if (!(iou_threshold >= 0 && iou_threshold <= 1)) {
    fail(Code::RuntimeBadInput, Location{.node = fmt::format("{} ({})", node.name, node.op)},
         fmt::format("iou_threshold is {}, expected 0 to 1", iou_threshold));
  }
  const int64_t batches = scores.shape()[0], classes = scores.shape()[1], count = scores.shape()[2];
  const float *box_data = boxes.values<float>().data(), *score_data = scores.values<float>().data();
  std::vector<int64_t> kept;
  std::vector<Box> corners_of(static_cast<size_t>(count)), chosen;
  std::vector<Candidate> candidates;  // a heap: seldom are all of them wanted in order
  for (int64_t batch = 0; batch < batches && most > 0; ++batch) {
    for (int64_t i = 0; i < count; ++i) {
      corners_of[static_cast<size_t>(i)] = corners(box_data + (batch * count + i) * 4, centred);
    }
    for (int64_t c = 0; c < classes; ++c) {
      const float* score = score_data + (batch * classes + c) * count;
      candidates.clear();
      for (int64_t i = 0; i < count; ++i) {
        if (has_threshold && !(score[i] > score_threshold)) continue;
        // A score that is not a number counts as the lowest, so that the order stays an order.
        candidates.push_back({score[i] == score[i] ? score[i] : -std::numeric_limits<float>::infinity(), i});
      }
      std::make_heap(candidates.begin(), candidates.end());
      chosen.clear();
      while (!candidates.empty() && std::ssize(chosen) < most) {
        std::pop_heap(candidates.begin(), candidates.end());
        const int64_t i = candidates.back().index;
        candidates.pop_back();
        const Box& box = corners_of[static_cast<size_t>(i)];
        if (std::any_of(chosen.begin(), chosen.end(), [&](const Box& b) { return overlaps(box, b, iou_threshold); })) {
          continue;
        }
        chosen.push_back(box);
        kept.insert(kept.end(), {batch, c, i});
      }
    }
  }
  const int64_t rows = std::ssize(kept) / 3;
  return {Tensor::from<int64_t>({rows, 3}, kept)};
}

}  // namespace openrknn::reference
