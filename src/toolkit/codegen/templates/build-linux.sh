#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds rknn_app_demo and installs it, with model, data and runtime, into install/linux_ARCH.
#   ./build-linux.sh [-a aarch64|armhf|x86_64]     default: this machine's
# GCC_COMPILER: prefix of the cross compiler, for example aarch64-linux-gnu. RKNN_RUNTIME_DIR: folder of the device's
# librknnrt.so. What follows -- goes to cmake.
set -e
cd "$(dirname "$0")"
arch=$(uname -m)
while getopts a:h option; do
  case $option in
    a) arch=$OPTARG ;;
    *) sed -n '3,6p' "$0" | cut -c3-; exit 2 ;;
  esac
done
shift $((OPTIND - 1))

case $arch in
  aarch64) processor=aarch64 prefix=aarch64-linux-gnu ;;
  armhf | armv7l) processor=arm prefix=arm-linux-gnueabihf ;;
  x86_64) processor=x86_64 prefix=x86_64-linux-gnu ;;
  *) echo "unknown architecture $arch: use aarch64, armhf or x86_64" >&2; exit 2 ;;
esac
if [ "$arch" != "$(uname -m)" ] || [ -n "$GCC_COMPILER" ]; then
  prefix=${GCC_COMPILER:-$prefix}
  set -- "-DCMAKE_SYSTEM_NAME=Linux" "-DCMAKE_SYSTEM_PROCESSOR=$processor" "-DCMAKE_CXX_COMPILER=$prefix-g++" "$@"
fi
if [ -n "$RKNN_RUNTIME_DIR" ]; then
  set -- "-DRKNN_RUNTIME_DIR=$RKNN_RUNTIME_DIR" "$@"
fi
folder=$PWD/install/linux_$arch
cmake -S . -B "build/linux_$arch" -DCMAKE_BUILD_TYPE=Release "-DCMAKE_INSTALL_PREFIX=$folder" "$@"
cmake --build "build/linux_$arch"
cmake --install "build/linux_$arch"
echo "copy $folder onto the device"
