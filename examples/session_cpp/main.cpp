// session_example MODEL.rknn: runs the model once, then submits eight tasks that spread over all cores, on inputs that
// count from 0. Prints what it ran on and the first numbers of every output.
#include <algorithm>
#include <cstdio>
#include <future>
#include <vector>

#include "openrknn/session.hpp"

namespace {

using Outputs = std::vector<openrknn::Array>;

bool equal(const Outputs& a, const Outputs& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const openrknn::Array& x, const openrknn::Array& y) {
    return std::ranges::equal(x.shape(), y.shape()) && std::ranges::equal(x.floats(), y.floats());
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: session_example MODEL.rknn\n");
    return 2;
  }
  try {
    openrknn::SessionOptions options;
    options.schedule = {0, 1, 2};  // a worker for each core of an RK3588
    openrknn::Session session(argv[1], options);
    std::printf("runtime %s\n", session.api_version().c_str());

    std::vector<std::vector<float>> values;  // arrays are borrowed for the call
    std::vector<openrknn::ArrayView> arrays;
    for (const openrknn::NodeArg& input : session.inputs()) {
      size_t size = 1;
      for (const int64_t extent : input.shape) size *= static_cast<size_t>(extent);
      std::vector<float>& numbers = values.emplace_back(size);
      for (size_t i = 0; i < size; ++i) numbers[i] = static_cast<float>(i % 256);
      arrays.push_back({openrknn::ElementType::Float32, input.shape, numbers.data()});
    }
    const openrknn::Feed feed = openrknn::Feed::list(arrays);
    const Outputs outputs = session.run(std::nullopt, feed);

    std::vector<std::future<Outputs>> running;
    for (int i = 0; i < 8; ++i) running.push_back(session.submit(std::nullopt, feed));
    for (std::future<Outputs>& result : running) {
      if (!equal(result.get(), outputs)) throw std::runtime_error("two runs on equal inputs gave different outputs");
    }

    for (size_t i = 0; i < outputs.size(); ++i) {
      std::printf("%s:", session.outputs()[i].name.c_str());
      for (const float value : outputs[i].floats().first(std::min<size_t>(outputs[i].size(), 4)))
        std::printf(" %.9g", value);
      std::printf("\n");
    }
  } catch (const std::exception& error) {  // openrknn::SessionError tells code and function too
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
