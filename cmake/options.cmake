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
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
find_package(Threads REQUIRED)

# openrknn_room(<name> <folder> LINKS …): a static library of every .cpp directly under the folder (and below).
function(openrknn_room name folder)
  cmake_parse_arguments(ROOM "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  if(sources)
    add_library(openrknn_${name} STATIC ${sources})
    target_link_libraries(openrknn_${name} PUBLIC openrknn_options Threads::Threads ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE_LINKS})
  else()
    add_library(openrknn_${name} INTERFACE)
    target_link_libraries(openrknn_${name} INTERFACE openrknn_options Threads::Threads ${ROOM_LINKS} ${ROOM_PRIVATE_LINKS})
  endif()
endfunction()
