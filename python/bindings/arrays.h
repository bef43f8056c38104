// Between numpy arrays and tensors.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "toolkit/argument_value.h"

namespace openrknn::python {

namespace nb = nanobind;

/// Looks at the array's memory without a copy where it is dense and in native byte order; the tensor keeps the array
/// alive. Call with the GIL held. Throws Error (InvalidArgument) for object, string and complex arrays, naming `what`.
Tensor tensor_from_array(nb::handle array, const std::string& what);
/// A numpy array that owns its memory. bfloat16 becomes float32, 4-bit codes become int8 / uint8.
nb::object array_from_tensor(Tensor);
nb::list arrays_from_tensors(std::vector<Tensor>);

/// Python objects as option values: None, bool, int, float, str, os.PathLike, list, tuple, dict; numpy scalars too.
ArgumentValue argument_from_object(nb::handle, const std::string& what);
ArgumentValues arguments_from_dict(nb::dict);
/// The way back: None, bool, int, float, str, list, dict.
nb::object object_from_argument(const ArgumentValue&);

}  // namespace openrknn::python
