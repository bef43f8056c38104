#include "runtime/capi/custom_op_attributes.h"

#include <algorithm>
#include <cstring>

#include "runtime/capi/attributes.h"

namespace openrknn::capi {

OpAttributes::OpAttributes(const CustomSite& site) {
  for (const auto& [name, attribute] : site.attributes) {
    if (const auto* whole = std::get_if<int64_t>(&attribute)) {
      add(name, RKNN_TENSOR_INT64, std::vector<int64_t>{*whole});
    } else if (const auto* f = std::get_if<double>(&attribute)) {
      add(name, RKNN_TENSOR_FLOAT32, std::vector<float>{static_cast<float>(*f)});
    } else if (const auto* text = std::get_if<std::string>(&attribute)) {
      add_text(name, *text);
    } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&attribute)) {
      add(name, RKNN_TENSOR_INT64, *ints);
    } else if (const auto* floats = std::get_if<std::vector<double>>(&attribute)) {
      add(name, RKNN_TENSOR_FLOAT32, std::vector<float>(floats->begin(), floats->end()));
    } else if (const auto* texts = std::get_if<std::vector<std::string>>(&attribute)) {
      std::string joined;  // NUL after each; the last one's is the terminator that every text has
      for (size_t i = 0; i < texts->size(); ++i) joined.append(i > 0 ? 1 : 0, '\0').append((*texts)[i]);
      add_text(name, std::move(joined));
    } else if (const auto* tensor = std::get_if<Tensor>(&attribute)) {
      add_tensor(name, *tensor);
    }
  }
  data_.erase("name");
  add_text("name", site.node);
}

template <class T>
void OpAttributes::add(const std::string& name, rknn_tensor_type type, const std::vector<T>& values) {
  Data data{type, static_cast<uint32_t>(values.size()), std::vector<std::byte>(values.size() * sizeof(T))};
  if (!values.empty()) std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  data_.insert_or_assign(name, std::move(data));
}

/// n_elems is the length; the NUL after it is not counted.
void OpAttributes::add_text(const std::string& name, std::string text) {
  const auto length = static_cast<uint32_t>(text.size());
  text.push_back('\0');
  add(name, RKNN_TENSOR_UINT8, std::vector<char>(text.begin(), text.end()));
  data_.at(name).count = length;
}

/// Types the C API lacks (float64, uint64, 4 bits) are left out.
void OpAttributes::add_tensor(const std::string& name, const Tensor& tensor) {
  const std::optional<rknn_tensor_type> type = tensor_type(tensor.dtype());
  if (!type || bit_width(tensor.dtype()) < 8) return;
  const std::span<const std::byte> bytes = tensor.bytes();
  data_.insert_or_assign(name, Data{*type, static_cast<uint32_t>(element_count(tensor.shape())),
                                    std::vector<std::byte>(bytes.begin(), bytes.end())});
}

void OpAttributes::read(std::string_view name, rknn_custom_op_attr& attr) const {
  const auto found = data_.find(name);
  if (found == data_.end()) return;
  const Data& data = found->second;
  attr.dtype = data.type;
  attr.n_elems = data.count;
  // The API has no pointer to const here; the bytes are the runtime's.
  attr.data = data.count > 0 ? const_cast<std::byte*>(data.bytes.data()) : nullptr;
}

OpAttributeTable& op_attribute_table() {
  static OpAttributeTable* const the_table = new OpAttributeTable;  // as library(): never destroyed
  return *the_table;
}

rknn_custom_op_interal_context OpAttributeTable::add(std::shared_ptr<const OpAttributes> attributes) {
  const std::lock_guard lock(mutex_);
  nodes_.emplace(++next_, std::move(attributes));
  return next_;
}

std::shared_ptr<const OpAttributes> OpAttributeTable::find(rknn_custom_op_interal_context number) const {
  const std::lock_guard lock(mutex_);
  const auto found = nodes_.find(number);
  return found == nodes_.end() ? nullptr : found->second;
}

void OpAttributeTable::remove(rknn_custom_op_interal_context number) {
  const std::lock_guard lock(mutex_);
  nodes_.erase(number);
}

}  // namespace openrknn::capi
