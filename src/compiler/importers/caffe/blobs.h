// A .caffemodel: the learned numbers of layers, by their names. Nothing else of the binary net is read, because numbers
// of its further fields differ between forks of Caffe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/base/tensor.h"

namespace openrknn::caffe {

struct Blob {
  Shape shape;
  std::vector<float> numbers;
};
using Blobs = std::map<std::string, std::vector<Blob>, std::less<>>;

/// Throws Error (ImportBadFile, ImportTruncated).
Blobs read_blobs(const MappedFile&);

}  // namespace openrknn::caffe
