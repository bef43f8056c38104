// Attributes of a node as C programs read them (rknn_custom_op_get_op_attr).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/capi/api.h"
#include "runtime/engine/custom_site.h"

namespace openrknn::capi {

/// Owns the data it hands out. Immutable: thread-safe.
class OpAttributes {
 public:
  explicit OpAttributes(const CustomSite&);
  /// The attribute, or n_elems 0 and data NULL. "name" is the node's name.
  void read(std::string_view name, rknn_custom_op_attr& attr) const;

 private:
  struct Data {
    rknn_tensor_type type;
    uint32_t count;
    std::vector<std::byte> bytes;
  };
  template <class T>
  void add(const std::string& name, rknn_tensor_type type, const std::vector<T>& values);
  void add_text(const std::string& name, std::string text);
  void add_tensor(const std::string& name, const Tensor&);
  std::map<std::string, Data, std::less<>> data_;
};

/// Nodes with custom code by the number in rknn_custom_op_context::internal_ctx. Never an address: a callback may hand
/// in anything. Thread-safe.
class OpAttributeTable {
 public:
  rknn_custom_op_interal_context add(std::shared_ptr<const OpAttributes>);
  std::shared_ptr<const OpAttributes> find(rknn_custom_op_interal_context) const;  ///< null if there is none
  void remove(rknn_custom_op_interal_context);

 private:
  mutable std::mutex mutex_;
  rknn_custom_op_interal_context next_ = 0;
  std::map<rknn_custom_op_interal_context, std::shared_ptr<const OpAttributes>> nodes_;
};

OpAttributeTable& op_attribute_table();

}  // namespace openrknn::capi
