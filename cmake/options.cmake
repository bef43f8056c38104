# Speed lives in kernels/fast, which asks for -O3 itself; elsewhere it would only make the build longer.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

# Compile options shared by every room, as one interface target.
add_library(openrknn_options INTERFACE)
target_compile_options(openrknn_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  # Results must be the same bits on every CPU: no fusing of a*b+c behind our back (docs/arithmetic.md).
  -ffp-contract=off -fno-fast-math)
target_include_directories(openrknn_options INTERFACE
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
if(OPENRKNN_WERROR)
  target_compile_options(openrknn_options INTERFACE -Werror)
endif()
if(OPENRKNN_SANITIZE)
  add_compile_options(-fsanitize=${OPENRKNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${OPENRKNN_SANITIZE})
endif()
# Templates leave copies that nothing calls: a hundredth of what is installed.
add_link_options($<$<CONFIG:Release>:LINKER:--gc-sections>)
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Depend mode: a file seen for the first time is not preprocessed once more only to be hashed.
  # Paths count from the project's folder, so that builds of one tree in several folders share what they compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
find_package(Threads REQUIRED)

# openrknn_compile_together(<target>): files of one folder are compiled several at once, up to OPENRKNN_TOGETHER. Two
# thirds of the compiler's work on a file of ours are headers and what templates of them become. So the names in the
# unnamed namespaces of a folder's files must differ; the dev preset compiles each file by itself, and so shows a missing
# include.
function(openrknn_compile_together target)
  if(OPENRKNN_TOGETHER LESS 2)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  get_target_property(folder_of_target ${target} SOURCE_DIR)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  set(folders "")
  foreach(source IN LISTS sources)
    get_filename_component(folder ${source} ABSOLUTE BASE_DIR ${folder_of_target})
    get_filename_component(folder ${folder} DIRECTORY)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${folder})
    string(MAKE_C_IDENTIFIER "${folder}" key)
    list(APPEND folders ${key})
    list(APPEND sources_of_${key} ${source})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(key IN LISTS folders)
    # As few groups as will do, of the same size within one.
    list(LENGTH sources_of_${key} count)
    math(EXPR groups "(${count} + ${OPENRKNN_TOGETHER} - 1) / ${OPENRKNN_TOGETHER}")
    set(index 0)
    foreach(source IN LISTS sources_of_${key})
      math(EXPR group "${index} * ${groups} / ${count}")
      set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${key}_${group})
      math(EXPR index "${index} + 1")
    endforeach()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# openrknn_room(<name> <folder> LINKS …): a static library of every .cpp directly under the folder (and below).
function(openrknn_room name folder)
  cmake_parse_arguments(ROOM "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  if(sources)
    add_library(openrknn_${name} STATIC ${sources})
    target_link_libraries(openrknn_${name} PUBLIC openrknn_options Threads::Threads ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE_LINKS})
    openrknn_compile_together(openrknn_${name})
  else()
    add_library(openrknn_${name} INTERFACE)
    target_link_libraries(openrknn_${name} INTERFACE openrknn_options Threads::Threads ${ROOM_LINKS} ${ROOM_PRIVATE_LINKS})
  endif()
endfunction()
