// The one option table: command line, YAML, native API, rknn.api and docs/compatibility.md all read it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "toolkit/argument_value.h"

namespace openrknn {

enum class OptionStatus : uint8_t {
  Works,
  Ignored,  ///< documented to have no effect on results here; accepted
  Warned,   ///< not documented, seen in user scripts: one warning by name
};

struct Option {
  std::string_view method;  ///< of the RKNN class: "config", "load_onnx", "build", …
  std::string_view name;
  std::string_view default_text;  ///< Python spelling
  std::string_view accepts;       ///< type and range, for help texts
  std::string_view sentence;      ///< what it does
  OptionStatus status = OptionStatus::Works;
  std::string_view note = {};  ///< platforms, where more is written
};

/// Every documented argument of every method, in the manual's order.
std::span<const Option> option_table();
const Option* find_option(std::string_view method, std::string_view name);
ArgumentValue default_value(const Option&);

/// Fills in defaults and checks names for one method. Unknown names: ConfigBadValue listing the accepted
/// ones. Adds warnings for undocumented ones.
ArgumentValues check_options(std::string_view method, const ArgumentValues& given, std::vector<std::string>& warnings,
                             Diagnostics& problems);
/// The same, throwing Error with all problems.
ArgumentValues check_options(std::string_view method, const ArgumentValues& given, std::vector<std::string>& warnings);

/// Every method and argument, and what becomes of it; tools/compatibility_page.py makes docs/compatibility.md of it.
std::string compatibility_markdown();

}  // namespace openrknn
