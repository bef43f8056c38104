// What a .rknn file says about itself, as text and as JSON.
#pragma once

#include <filesystem>
#include <string>

namespace openrknn {

/// Header, inputs and outputs, quantization, one line per op, sections. Vendor-made files are described as far as their
/// header and JSON allow, with a sentence on what cannot be done with them here. Throws Error.
std::string inspect_text(const std::filesystem::path&);
std::string inspect_json(const std::filesystem::path&);

}  // namespace openrknn
