// The page that shows what a report holds: data as JSON inside, plain JavaScript and SVG, nothing from the network.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/targets/roofline.h"

namespace openrknn {

using Json = nlohmann::ordered_json;

/// Six digits: more would only make the file larger. Null for what is not finite.
Json number(double value);

Json json_of(const Roofline&);

/// The file. Nothing in the data can end the element it stands in.
std::string fill_page(const Json& data);

}  // namespace openrknn
