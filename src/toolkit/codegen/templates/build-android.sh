#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds rknn_app_demo for Android and installs it, with model, data and runtime, into install/android_ABI.
#   ANDROID_NDK_PATH=... RKNN_RUNTIME_DIR=... ./build-android.sh [-a arm64-v8a|armeabi-v7a]
# ANDROID_NDK_PATH: the NDK, r22 or newer. RKNN_RUNTIME_DIR: folder of the device's librknnrt.so, if it is not in
# libs/Android/ABI. What follows -- goes to cmake.
set -e
cd "$(dirname "$0")"
abi=arm64-v8a
while getopts a:h option; do
  case $option in
    a) abi=$OPTARG ;;
    *) sed -n '3,6p' "$0" | cut -c3-; exit 2 ;;
  esac
done
shift $((OPTIND - 1))

toolchain=$ANDROID_NDK_PATH/build/cmake/android.toolchain.cmake
if [ ! -f "$toolchain" ]; then
  echo "ANDROID_NDK_PATH: got '$ANDROID_NDK_PATH', expected the folder of an Android NDK" >&2
  exit 2
fi
if [ -n "$RKNN_RUNTIME_DIR" ]; then
  set -- "-DRKNN_RUNTIME_DIR=$RKNN_RUNTIME_DIR" "$@"
fi
folder=$PWD/install/android_$abi
cmake -S . -B "build/android_$abi" "-DCMAKE_TOOLCHAIN_FILE=$toolchain" "-DANDROID_ABI=$abi" \
  -DANDROID_PLATFORM=android-24 -DANDROID_STL=c++_static -DCMAKE_BUILD_TYPE=Release \
  "-DCMAKE_INSTALL_PREFIX=$folder" "$@"
cmake --build "build/android_$abi"
cmake --install "build/android_$abi"
echo "copy $folder onto the device, for example with adb push"
