// read_image IN OUT.npy [gray] [HEIGHT WIDTH]: what the toolkit sees of an image, for comparison with other decoders.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "compiler/dataset/image.h"
#include "core/base/file.h"
#include "core/base/npy.h"

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool gray = arguments.size() > 2 && arguments[2] == "gray";
  if (gray) arguments.erase(arguments.begin() + 2);
  if (arguments.size() != 2 && arguments.size() != 4) {
    std::fprintf(stderr, "usage: read_image IN OUT.npy [gray] [HEIGHT WIDTH]\n");
    return 2;
  }
  try {
    openrknn::Tensor image = openrknn::read_image(arguments[0], gray);
    if (arguments.size() == 4)
      image = openrknn::resize_bilinear(image, std::stoll(arguments[2]), std::stoll(arguments[3]));
    openrknn::write_file(arguments[1], openrknn::to_npy(image));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
