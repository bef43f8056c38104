# Cross build for boards on Debian and Ubuntu; tests run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
# Programs of the host; header-only libraries of the host too (fmt, xxhash, flatbuffers have no machine code of their own).
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
