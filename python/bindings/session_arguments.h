// Python's argument forms of a session: feeds, options, names.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "openrknn/session.hpp"

namespace openrknn::python {

namespace nb = nanobind;

/// A feed that looks at the arrays' memory and keeps them alive. Made and destroyed with the GIL held; read without.
class HeldFeed {
 public:
  /// A dict by name, a list or tuple by position, or one array. Arrays may be read-only and need not be dense. Lists of
  /// another length than `inputs` are passed on unread: the session says what is wrong with them.
  HeldFeed(nb::handle object, size_t inputs);
  ~HeldFeed();
  HeldFeed(const HeldFeed&) = delete;
  HeldFeed& operator=(const HeldFeed&) = delete;

  const Feed& feed() const { return feed_; }

 private:
  void hold(nb::handle array, std::string name);

  Feed& feed_;
  size_t count_ = 0;
  std::vector<Py_buffer> buffers_;
};

/// One array, in the same way.
class HeldArray {
 public:
  explicit HeldArray(nb::handle array);
  ~HeldArray() { PyBuffer_Release(&buffer_); }
  HeldArray(const HeldArray&) = delete;
  HeldArray& operator=(const HeldArray&) = delete;
  const ArrayView& view() const { return view_; }

 private:
  Py_buffer buffer_{};
  ArrayView view_;
};

/// A numpy array over the elements, which it keeps.
nb::object array_of(const Array&);
nb::list arrays_of(const std::vector<Array>&);
nb::object numpy_of(ElementType, void* data, std::span<const int64_t> shape, nb::handle owner);

/// None, a dict, or a sequence whose first element is a dict.
OptionList options_of(nb::handle);
OutputNames names_of(nb::handle);
/// None, a dict, or an object with get_run_config_entry; what else is given is ignored, as documented.
RunOptions run_options_of(nb::handle);

}  // namespace openrknn::python
