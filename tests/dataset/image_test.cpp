#include "compiler/dataset/image.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "compiler/dataset/exif.h"
#include "core/base/error.h"
#include "dataset/image_files.h"

// Equality with OpenCV on many files is tested by tests/python/test_images.py; this is what can be said without it.
namespace openrknn {
namespace {

using namespace testing_images;

Tensor decode(const std::string& file, bool gray = false) {
  return decode_image(std::as_bytes(std::span(file.data(), file.size())), "x.img", gray);
}
std::vector<int> listed(const Tensor& image) {
  return {image.values<uint8_t>().begin(), image.values<uint8_t>().end()};
}
std::string refused(const std::string& file, bool gray = false) {
  try {
    decode(file, gray);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::DatasetBadImage);
    return error.what();
  }
  ADD_FAILURE() << "was decoded";
  return {};
}

TEST(Image, PngGivesBackItsPixels) {
  const Tensor color = counting_image(5, 7, 3);
  EXPECT_TRUE(identical(decode(png_of(color)), color));
  const Tensor gray = counting_image(5, 7, 1);
  EXPECT_TRUE(identical(decode(png_of(gray), true), gray));
}

TEST(Image, GrayFilesHaveThreeEqualColors) {
  const Tensor image = decode(png_of(Tensor::from<uint8_t>({1, 2, 1}, {3, 200})));
  EXPECT_EQ(listed(image), (std::vector<int>{3, 3, 3, 200, 200, 200}));
}

TEST(Image, AlphaIsDroppedNotBlended) {
  const Tensor image = decode(png_of(Tensor::from<uint8_t>({1, 2, 4}, {10, 20, 30, 0, 40, 50, 60, 128})));
  EXPECT_EQ(listed(image), (std::vector<int>{10, 20, 30, 40, 50, 60}));
}

TEST(Image, JpegOfOneColorIsThatColor) {
  Tensor image(DType::UInt8, {17, 33, 3});
  for (size_t i = 0; i < image.mutable_values<uint8_t>().size(); i += 3) {
    image.mutable_values<uint8_t>()[i] = 200;
    image.mutable_values<uint8_t>()[i + 1] = 100;
    image.mutable_values<uint8_t>()[i + 2] = 50;
  }
  for (const bool progressive : {false, true}) {
    const Tensor decoded = decode(jpeg_of(image, {.quality = 100, .progressive = progressive}));
    ASSERT_EQ(decoded.shape(), image.shape());
    for (size_t i = 0; i < decoded.values<uint8_t>().size(); ++i) {
      EXPECT_NEAR(decoded.values<uint8_t>()[i], image.values<uint8_t>()[i], 2) << i;
    }
  }
}

TEST(Image, GrayOfJpegIsItsLuma) {
  const Tensor gray = decode(jpeg_of(counting_image(16, 16, 3)), true);
  const Tensor color = decode(jpeg_of(counting_image(16, 16, 3)));
  EXPECT_EQ(gray.shape(), (Shape{16, 16, 1}));
  double total = 0, expected = 0;
  for (size_t i = 0; i < 256; ++i) {
    total += gray.values<uint8_t>()[i];
    const auto* rgb = color.values<uint8_t>().data() + 3 * i;
    expected += 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  }
  EXPECT_NEAR(total, expected, 256 * 4);
}

TEST(Image, JpegOfFourInksIsTakenAsAdobeStoresIt) {
  // Inverted: 255 is no ink. c = 0 with k = 255 is full cyan; k = 0 is black whatever the rest.
  const Tensor inks = Tensor::from<uint8_t>({1, 1, 4}, {0, 255, 255, 255});
  const std::vector<int> cyan = listed(decode(jpeg_of(inks, {.space = JCS_CMYK, .quality = 100})));
  EXPECT_LT(cyan[0], 4);
  EXPECT_GT(cyan[1], 251);
  EXPECT_GT(cyan[2], 251);
  const std::vector<int> gray = listed(decode(jpeg_of(inks, {.space = JCS_CMYK, .quality = 100}), true));
  EXPECT_NEAR(gray[0], 255 * (1 - 0.299), 3);
}

TEST(Image, OrientationTurnsThePhotograph) {
  // 2 rows of 3: a b c / d e f, in gray.
  const Tensor image = Tensor::from<uint8_t>({2, 3, 1}, {1, 2, 3, 4, 5, 6});
  const std::pair<Shape, std::vector<int>> expected[] = {
      {{2, 3, 1}, {1, 2, 3, 4, 5, 6}}, {{2, 3, 1}, {3, 2, 1, 6, 5, 4}}, {{2, 3, 1}, {6, 5, 4, 3, 2, 1}},
      {{2, 3, 1}, {4, 5, 6, 1, 2, 3}}, {{3, 2, 1}, {1, 4, 2, 5, 3, 6}}, {{3, 2, 1}, {4, 1, 5, 2, 6, 3}},
      {{3, 2, 1}, {6, 3, 5, 2, 4, 1}}, {{3, 2, 1}, {3, 6, 2, 5, 1, 4}},
  };
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Tensor turned = apply_orientation(image, orientation);
    EXPECT_EQ(turned.shape(), expected[orientation - 1].first) << orientation;
    EXPECT_EQ(listed(turned), expected[orientation - 1].second) << orientation;
  }
  for (const int none : {0, 9, -1}) EXPECT_TRUE(identical(apply_orientation(image, none), image));
}

TEST(Image, OrientationIsReadFromExifOfEitherByteOrder) {
  for (const bool big_endian : {false, true}) {
    const std::string app1 = exif_of(6, big_endian);
    EXPECT_EQ(exif_orientation(std::as_bytes(std::span(app1.data() + 6, app1.size() - 6))), 6);
    EXPECT_EQ(decode(jpeg_of(counting_image(8, 24, 3), {.app1 = app1})).shape(), (Shape{24, 8, 3}));
  }
}

TEST(Image, DamagedExifIsNoOrientation) {
  const std::string app1 = exif_of(6);
  const std::string tiff = app1.substr(6);
  for (size_t size = 0; size < tiff.size() - 6; ++size) {
    const std::string cut = tiff.substr(0, size);
    EXPECT_EQ(exif_orientation(std::as_bytes(std::span(cut.data(), cut.size()))), 1) << size;
  }
  std::string wild = tiff;
  wild[4] = wild[5] = wild[6] = wild[7] = '\xff';  // the directory's place
  EXPECT_EQ(exif_orientation(std::as_bytes(std::span(wild.data(), wild.size()))), 1);
  EXPECT_EQ(decode(jpeg_of(counting_image(8, 24, 3), {.app1 = exif_of(200)})).shape(), (Shape{8, 24, 3}));
}

TEST(Image, BmpRowsRunUpwardsAndArePadded) {
  const std::string rows = std::string("\1\2\3\4\5\6\0\0", 8) + std::string("\7\10\11\12\13\14\0\0", 8);
  EXPECT_EQ(listed(decode(bmp_of(2, 2, 24, 0, "", rows))), (std::vector<int>{9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(listed(decode(bmp_of(2, -2, 24, 0, "", rows))), (std::vector<int>{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
}

TEST(Image, BmpPaletteAndBitOrder) {
  std::string palette;
  for (int i = 0; i < 16; ++i) palette += little_endian(static_cast<uint32_t>(i * 0x010203), 4);
  // 4 bits: the upper half is the left pixel. Color i is red i, green 2i, blue 3i.
  EXPECT_EQ(listed(decode(bmp_of(3, 1, 4, 0, palette, std::string("\x1f\x20\0\0", 4)))),
            (std::vector<int>{1, 2, 3, 15, 30, 45, 2, 4, 6}));
  EXPECT_EQ(listed(decode(bmp_of(3, 1, 1, 0, palette.substr(0, 8), std::string("\xa0\0\0\0", 4)), true)),
            (std::vector<int>{2, 0, 2}));  // 0.299 + 2 · 0.587 + 3 · 0.114 = 1.815
}

TEST(Image, BmpBitFieldsMayLieAnywhere) {
  const std::string masks = little_endian(0x000000FF, 4) + little_endian(0x00000F00, 4) + little_endian(0x7FE00000, 4);
  // red 0x12; green 4 bits 0xA -> 0xA0; blue the upper 8 of 10 bits 0x3FF -> 0xFF.
  EXPECT_EQ(listed(decode(bmp_of(1, 1, 32, 3, masks, little_endian(0x7FE00A12, 4)))),
            (std::vector<int>{0x12, 0xA0, 0xFF}));
  const std::string holes = little_endian(0x00FF00FF, 4) + masks.substr(4);
  EXPECT_EQ(refused(bmp_of(1, 1, 32, 3, holes, little_endian(0, 4))),
            "x.img: E0304 dataset.bad-image: cannot decode this BMP: the color mask 00ff00ff is not one run of bits "
            "inside a 32 bit pixel");
}

TEST(Image, BmpIsRefusedByName) {
  EXPECT_EQ(refused(bmp_of(2, 2, 8, 1, std::string(1024, '\0'), "abcd")),
            "x.img: E0304 dataset.bad-image: cannot decode this BMP: RLE8 compression is not supported; save it "
            "uncompressed, or as png");
  EXPECT_NE(refused(bmp_of(2, 2, 4, 2, "", "abcd")).find("RLE4"), std::string::npos);
  EXPECT_NE(refused(bmp_of(2, 2, 0, 4, "", "abcd")).find("JPEG compression"), std::string::npos);
  EXPECT_NE(refused(bmp_of(2, 2, 13, 0, "", "abcd")).find("13 bits a pixel"), std::string::npos);
  EXPECT_NE(refused(bmp_of(0, 2, 24, 0, "", "abcd")).find("no pixels (0 x 2)"), std::string::npos);
  EXPECT_NE(refused(bmp_of(-5, 2, 24, 0, "", "abcd")).find("no pixels"), std::string::npos);
  EXPECT_NE(refused(bmp_of(2, INT32_MIN, 24, 0, "", "abcd")).find("pixels"), std::string::npos);
}

TEST(Image, EveryTruncationIsRefused) {
  const Tensor image = counting_image(6, 5, 3);
  const std::string bmp = bmp_of(5, 6, 24, 0, "", std::string(16 * 6, 'x'));
  // Of a JPEG that is stored in one scan the end marker may be missing.
  for (const auto& [file, needed] :
       {std::pair(png_of(image), png_of(image).size()), std::pair(bmp, bmp.size()),
        std::pair(jpeg_of(image), jpeg_of(image).size() - 2),
        std::pair(jpeg_of(image, {.progressive = true}), jpeg_of(image, {.progressive = true}).size())}) {
    for (size_t size = 0; size < needed; ++size) refused(file.substr(0, size));
  }
  EXPECT_EQ(decode(jpeg_of(image).substr(0, jpeg_of(image).size() - 2)).shape(), image.shape());
}

TEST(Image, RandomDamageNeverDoesMoreThanFail) {
  const Tensor image = counting_image(24, 24, 3);
  const unsigned seed = 11;
  std::mt19937 random(seed);
  for (const std::string& whole : {png_of(image), jpeg_of(image), jpeg_of(image, {.progressive = true}),
                                   bmp_of(5, 6, 24, 0, "", std::string(16 * 6, 'x'))}) {
    for (int round = 0; round < 300; ++round) {
      std::string file = whole;
      for (int i = 0; i < 4; ++i) file[random() % file.size()] = static_cast<char>(random());
      try {
        decode(file, round % 2 == 0);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::DatasetBadImage) << "seed " << seed << " round " << round;
      }
    }
  }
}

TEST(Image, AFewBytesCannotClaimManyPixels) {
  EXPECT_NE(refused(bmp_of(16384, 16384, 24, 0, "", "abcd")).find("claims 16384 x 16384 pixels and has 58 bytes"),
            std::string::npos);
  EXPECT_NE(refused(bmp_of(1 << 20, 1 << 20, 24, 0, "", "abcd")).find("at most 2^28"), std::string::npos);
  std::string png = png_of(counting_image(2, 2, 3));
  png.replace(16, 8, std::string("\0\0\x40\0\0\0\x40\0", 8));  // 16384 x 16384; its checksum is wrong then too
  refused(png);
  std::string jpeg = jpeg_of(counting_image(8, 8, 3));
  const size_t frame = jpeg.find("\xff\xc0");
  jpeg.replace(frame + 5, 4, "\x3f\xff\x3f\xff");
  EXPECT_NE(refused(jpeg).find("claims 16383 x 16383 pixels"), std::string::npos);
}

TEST(Image, StrangersAreCalledByName) {
  EXPECT_EQ(refused(""), "x.img: E0304 dataset.bad-image: the file is empty; use a jpg, png or bmp file");
  EXPECT_EQ(refused("GIF89a…"), "x.img: E0304 dataset.bad-image: this is a GIF image; use a jpg, png or bmp file");
  EXPECT_NE(refused("RIFF\1\2\3\4WEBPVP8 ").find("a WebP image"), std::string::npos);
  EXPECT_NE(refused(std::string("II*\0\0\0", 6)).find("a TIFF image"), std::string::npos);
  EXPECT_NE(refused("<!DOCTYPE html>").find("a web page"), std::string::npos);
  EXPECT_NE(refused("version https://git-lfs.github.com/spec/v1").find("a Git LFS pointer"), std::string::npos);
  EXPECT_NE(refused("hello").find("not an image"), std::string::npos);
}

TEST(Image, ContentDecidesNotTheName) {
  const TemporaryFolder folder;
  const auto path = folder.write("really.png", jpeg_of(counting_image(8, 8, 3)));
  EXPECT_EQ(read_image(path, false).shape(), (Shape{8, 8, 3}));
  EXPECT_NO_THROW(check_image_file(path));
  EXPECT_THROW(check_image_file(folder.write("text.png", "hello")), Error);
}

TEST(Image, ExtensionsOfAnyCaseAreKnown) {
  for (const char* path : {"a.jpg", "a.JPEG", "b/c.Png", "x.y.BMP"}) EXPECT_TRUE(is_image_path(path)) << path;
  for (const char* path : {"a.npy", "a.gif", "jpg", ".jpg", "a.jpg.txt", ""}) EXPECT_FALSE(is_image_path(path)) << path;
}

// Expected values: cv2.resize 4.14 with INTER_LINEAR.
TEST(ResizeBilinear, GivesTheValuesOfOpenCv) {
  const Tensor image = Tensor::from<uint8_t>(
      {3, 4, 3}, {255, 228, 34,  121, 243, 189, 6,   131, 102, 168, 82,  193, 187, 150, 81,  243, 205, 24,
                  236, 8,   246, 164, 231, 36,  210, 111, 172, 210, 174, 176, 218, 242, 169, 114, 205, 63});
  EXPECT_EQ(listed(resize_bilinear(image, 2, 5)),
            (std::vector<int>{238, 209, 46,  177, 226, 117, 107, 167, 143, 94,  106, 143, 167, 119, 154,
                              204, 121, 149, 214, 163, 141, 220, 183, 163, 194, 192, 149, 127, 212, 56}));
  EXPECT_EQ(listed(resize_bilinear(image, 5, 3)),
            (std::vector<int>{233, 230, 60,  63,  187, 145, 141, 90,  178, 218, 202, 64,  134, 155, 141,
                              155, 132, 135, 196, 159, 72,  240, 107, 135, 176, 194, 71,  205, 136, 132,
                              224, 167, 157, 149, 204, 77,  210, 121, 173, 214, 208, 172, 131, 211, 81}));
  EXPECT_EQ(listed(resize_bilinear(image, 1, 1)), (std::vector<int>{240, 107, 135}));
  const Tensor gray =
      Tensor::from<uint8_t>({4, 4, 1}, {0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255});
  EXPECT_EQ(listed(resize_bilinear(gray, 2, 2)), (std::vector<int>{43, 77, 179, 213}))
      << "2 x 2 blocks: rounds 42.5 up";
  EXPECT_EQ(listed(resize_bilinear(gray, 2, 3)), (std::vector<int>{37, 60, 82, 173, 196, 218}));
  EXPECT_EQ(listed(resize_bilinear(gray, 1, 8)), (std::vector<int>{102, 106, 115, 123, 132, 140, 149, 153}));
}

TEST(ResizeBilinear, EqualSizesShareThePixels) {
  const Tensor image = counting_image(4, 4, 3);
  EXPECT_EQ(resize_bilinear(image, 4, 4).bytes().data(), image.bytes().data());
}

TEST(ResizeBilinear, OnePixelFillsAnySize) {
  for (const int v : listed(resize_bilinear(Tensor::from<uint8_t>({1, 1, 1}, {201}), 7, 9))) EXPECT_EQ(v, 201);
}

TEST(ResizeBilinear, RefusesWhatIsNoImage) {
  EXPECT_THROW(resize_bilinear(counting_image(2, 2, 2), 3, 3), Error);
  EXPECT_THROW(resize_bilinear(counting_image(2, 2, 3), 0, 3), Error);
  EXPECT_THROW(resize_bilinear(Tensor::zeros(DType::Float32, {2, 2, 3}), 3, 3), Error);
}

}  // namespace
}  // namespace openrknn
