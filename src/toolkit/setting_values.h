// Values of options as scripts, YAML files and command lines write them, in the types that settings are made of. All
// throw Error (ConfigBadValue) naming the argument, what was given and what is expected.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/shape.h"
#include "toolkit/argument_value.h"

namespace openrknn {

/// "config: rounding: got 3, expected text".
[[noreturn]] void bad_value(std::string_view argument, const ArgumentValue& got, std::string_view expected);

/// A whole or a real number; nullopt if it is neither.
std::optional<double> number(const ArgumentValue&);
std::string text_of(const ArgumentValue&, std::string_view argument);
bool bool_of(const ArgumentValue&, std::string_view argument);
std::vector<float> numbers_of(const ArgumentValue&, std::string_view argument);
/// [[a, b, c], [d]] per input, or the flat form most scripts use for one input.
std::vector<std::vector<float>> channel_lists(const ArgumentValue&, std::string_view argument);
/// One for every input, or a list.
std::vector<bool> flags_of(const ArgumentValue&, std::string_view argument);
/// Reads shapes as scripts write them: [[1, 3, 224, 224]], ["1,3,224,224"], or one flat list for one input.
std::vector<Shape> shapes_of(const ArgumentValue&, std::string_view argument);
std::vector<std::string> names_of(const ArgumentValue&, std::string_view argument);
/// rknn_batch_size of `method`: 1 and -1 (an older spelling of None) both mean no batch.
int64_t batch_of(const ArgumentValue&, std::string_view method);

}  // namespace openrknn
