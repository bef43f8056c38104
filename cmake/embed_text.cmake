# Turns a text file into a header with one string: cmake -D INPUT= -D OUTPUT= -D NAME= -P embed_text.cmake
file(READ "${INPUT}" text)
file(WRITE "${OUTPUT}" "// Made of ${NAME}'s source by cmake/embed_text.cmake.
#pragma once
#include <string_view>

namespace openrknn {
inline constexpr std::string_view ${NAME} = R\"embedded(${text})embedded\";
}  // namespace openrknn
")
