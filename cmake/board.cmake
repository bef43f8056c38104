# Board artefacts: clang and libc++ of the `ziglang` wheel, which carries the symbol lists of every glibc, so that what
# is linked here asks for no newer one than the boards have (2.31: Debian 11, Ubuntu 20.04). OPENRKNN_BOARD_ARCH:
# aarch64 (default) or x86_64. libc++, libunwind and compiler-rt are linked statically by default.
set(OPENRKNN_BOARD_ARCH aarch64 CACHE STRING "aarch64 or x86_64")
set(OPENRKNN_BOARD_GLIBC 2.31 CACHE STRING "oldest glibc the artefacts must run on")
# That of .venv before any other, by one name, so that all builds share one compiler for ccache.
get_filename_component(venv_python ${CMAKE_CURRENT_LIST_DIR}/../.venv/bin/python3 ABSOLUTE)
if(EXISTS ${venv_python})
  set(OPENRKNN_ZIG_PYTHON ${venv_python})
elseif(Python_EXECUTABLE)
  set(OPENRKNN_ZIG_PYTHON ${Python_EXECUTABLE})
endif()
find_program(OPENRKNN_ZIG_PYTHON python3 NO_CMAKE_FIND_ROOT_PATH)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES OPENRKNN_BOARD_ARCH OPENRKNN_BOARD_GLIBC OPENRKNN_ZIG_PYTHON)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${OPENRKNN_BOARD_ARCH})

# Compilers by the names CMake and ccache know; the same file for every build folder, else the cache would be cold.
get_filename_component(tools ${CMAKE_CURRENT_LIST_DIR}/../build/zig-${OPENRKNN_BOARD_ARCH}-${OPENRKNN_BOARD_GLIBC} ABSOLUTE)
set(target ${OPENRKNN_BOARD_ARCH}-linux-gnu.${OPENRKNN_BOARD_GLIBC})
foreach(name clang clang++ ar ranlib)
  set(arguments ${name})
  if(name MATCHES clang)
    string(REPLACE clang c arguments ${name})  # `zig c++`, `zig cc`
    string(REGEX REPLACE "^c$" cc arguments ${arguments})
    string(APPEND arguments " -target ${target}")
  endif()
  set(text "#!/bin/sh\nexec '${OPENRKNN_ZIG_PYTHON}' -m ziglang ${arguments} \"$@\"\n")
  set(written "")
  if(EXISTS ${tools}/${name})
    file(READ ${tools}/${name} written)
  endif()
  if(NOT written STREQUAL text)  # an old file stays: ccache looks at its date
    file(WRITE ${tools}/${name} "${text}")
    file(CHMOD ${tools}/${name} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
endforeach()
set(CMAKE_C_COMPILER ${tools}/clang)
set(CMAKE_CXX_COMPILER ${tools}/clang++)
set(CMAKE_AR ${tools}/ar)
set(CMAKE_RANLIB ${tools}/ranlib)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -s)
set(CMAKE_EXE_LINKER_FLAGS_INIT -s)

# The header-only libraries are the host's; its other headers are for another C library (cmake/dependencies.cmake).
set(OPENRKNN_HOST_HEADERS_APART ${tools}/include)
set(OPENRKNN_STATIC_CXX_BY_DEFAULT ON)
set(OPENRKNN_DOTPROD_OPTIONS -mcpu=generic+dotprod)  # zig takes -march for the name of a CPU
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL OPENRKNN_BOARD_ARCH)
  set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
endif()
