# Turns text files into a header with one array of EmbeddedFile {path, text}, for whose type DECLARATION is included:
# cmake -D FOLDER= [-D MORE=PATH=FILE;...] -D OUTPUT= -D NAME= -D DECLARATION= -P embed_files.cmake
file(GLOB_RECURSE paths RELATIVE "${FOLDER}" "${FOLDER}/*")
list(SORT paths)
set(rows "")
foreach(path IN LISTS paths)
  file(READ "${FOLDER}/${path}" text)
  string(APPEND rows "    {\"${path}\", R\"embedded(${text})embedded\"},\n")
endforeach()
foreach(item IN LISTS MORE)
  string(REGEX MATCH "^([^=]*)=(.*)$" matched "${item}")
  set(path "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" text)
  string(APPEND rows "    {\"${path}\", R\"embedded(${text})embedded\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made of the files of ${NAME} by cmake/embed_files.cmake.
#pragma once
#include \"${DECLARATION}\"

namespace openrknn {
inline constexpr EmbeddedFile ${NAME}[] = {
${rows}};
}  // namespace openrknn
")
