#include "core/base/npy.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace openrknn {
namespace {

Tensor parse(const std::string& bytes) {
  return parse_npy(std::as_bytes(std::span(bytes.data(), bytes.size())), "x.npy");
}

std::string npy(const std::string& header, const std::string& data, char major = 1) {
  std::string out("\x93NUMPY", 6);
  out += {major, '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  if (major > 1) out += std::string("\0\0", 2);
  return out + header + data;
}

TEST(Npy, EveryTypeAndRankRoundTrips) {
  for (const DType dtype : {DType::Float32, DType::Float64, DType::Float16, DType::Int8, DType::UInt8, DType::Int16,
                            DType::UInt16, DType::Int32, DType::UInt32, DType::Int64, DType::UInt64, DType::Bool}) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0}, Shape{2, 3, 4}}) {
      const Tensor tensor = cast(Tensor::zeros(DType::Float32, shape), dtype);
      EXPECT_TRUE(identical(parse(to_npy(tensor)), tensor)) << name(dtype) << to_string(shape);
    }
  }
}

TEST(Npy, ReadsFortranOrderAndBigEndian) {
  const std::string data = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
  const Tensor tensor = parse(npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", data));
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(to_ints(tensor), (std::vector<int64_t>{1, 3, 5, 2, 4, 6}));
}

TEST(Npy, ReadsVersionTwoHeaders) {
  EXPECT_EQ(to_ints(parse(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n", "\x05\x06", 2))),
            (std::vector<int64_t>{5, 6}));
}

TEST(Npy, EveryTruncationIsAnError) {
  const std::string whole = to_npy(Tensor::zeros(DType::Float32, {4, 4}));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_THROW(parse(whole.substr(0, size)), Error) << size;
}

TEST(Npy, NamesTheFileAndTheProblem) {
  const auto message = [](const std::string& bytes) -> std::string {
    try {
      parse(bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::BadNpy);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message("hello, world"),
            "x.npy: E0010 general.bad-npy: not a .npy file (the magic bytes are missing); save it with numpy.save");
  EXPECT_EQ(message(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", "abcd")),
            "x.npy: E0010 general.bad-npy: truncated: shape [3] of float32 needs 3 elements, the file holds 1");
  EXPECT_NE(message(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 999999), }\n", ""))
                .find("truncated"),
            std::string::npos);
  EXPECT_NE(message(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", "")).find("element type '|O'"),
            std::string::npos);
  EXPECT_NE(message(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", "")).find("structured"),
            std::string::npos);
}

TEST(Npy, AShapeThatOverflowsIsATruncatedFile) {
  try {
    parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }\n", ""));
    FAIL() << "was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::BadNpy);
    EXPECT_EQ(error.diagnostics.front().where.file, "x.npy");
  }
}

TEST(Npy, InspectReadsTheHeaderAlone) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "inspect.npy";
  const std::string whole = to_npy(Tensor::zeros(DType::Int16, {2, 3}));
  write_file(path, whole);
  const NpyInfo info = inspect_npy(path);
  EXPECT_EQ(info.dtype, DType::Int16);
  EXPECT_EQ(info.shape, (Shape{2, 3}));
  write_file(path, whole.substr(0, whole.size() - 1));
  EXPECT_THROW(inspect_npy(path), Error) << "the data must be there in full";
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace openrknn
