#include <gtest/gtest.h>

#include <functional>

#include "compiler/dataset/image.h"
#include "compiler/dataset/samples.h"
#include "core/base/error.h"
#include "dataset/image_files.h"

namespace openrknn {
namespace {

using namespace testing_images;

SampleSpec image_input(Shape shape = {1, 3, 4, 6}) { return {.port = {"image"}, .shape = std::move(shape)}; }

template <class T>
std::string npy_of(Shape shape, const std::vector<T>& values) {
  return to_npy(Tensor::from<T>(std::move(shape), values));
}
std::string npy_zeros(Shape shape, DType dtype = DType::Float32) {
  return to_npy(Tensor::zeros(dtype, std::move(shape)));
}

class DatasetFile : public testing::Test {
 protected:
  std::unique_ptr<Samples> open(const std::string& text, std::vector<SampleSpec> specs = {image_input()}) {
    return open_dataset(folder_.write("list.txt", text), std::move(specs));
  }
  // Messages with the test's folder written as DIR.
  std::vector<std::string> problems(const std::function<void()>& call) {
    std::vector<std::string> messages;
    try {
      call();
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics) {
        std::string message = to_string(diagnostic);
        const std::string directory = folder_.path().string();
        for (size_t at; (at = message.find(directory)) != std::string::npos;)
          message.replace(at, directory.size(), "DIR");
        messages.push_back(std::move(message));
      }
    }
    return messages;
  }
  std::string problem(const std::string& text, std::vector<SampleSpec> specs = {image_input()}) {
    const auto all = problems([&] { open(text, std::move(specs)); });
    EXPECT_EQ(all.size(), 1u) << text;
    return all.empty() ? "" : all[0];
  }
  std::string problem_of_get(const Samples& samples, int64_t index) {
    const auto all = problems([&] { samples.get(index); });
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? "" : all[0];
  }

  TemporaryFolder folder_;
};

using Lines = std::vector<std::string>;

TEST_F(DatasetFile, ReadsImagesIntoFloatsInNchw) {
  const Tensor image = counting_image(4, 6, 3);
  folder_.write("a.png", png_of(image));
  const auto samples = open("a.png\n");
  ASSERT_EQ(samples->count(), 1);
  const std::vector<Tensor> inputs = samples->get(0);
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_TRUE(identical(inputs[0], cast(transpose(image.reshaped({1, 4, 6, 3}), {0, 3, 1, 2}), DType::Float32)));
}

TEST_F(DatasetFile, StretchesImagesOfOtherSizes) {
  const Tensor image = counting_image(9, 5, 3);
  folder_.write("a.png", png_of(image));
  const Tensor expected = resize_bilinear(image, 4, 6).reshaped({1, 4, 6, 3});
  EXPECT_TRUE(identical(open("a.png")->get(0)[0], cast(transpose(expected, {0, 3, 1, 2}), DType::Float32)));
}

TEST_F(DatasetFile, ExchangesRedAndBlueBeforeMeanAndStd) {
  folder_.write("a.png", png_of(Tensor::from<uint8_t>({1, 1, 3}, {10, 20, 30})));
  SampleSpec spec = image_input({1, 3, 1, 1});
  spec.port.mean = {1, 2, 3};
  spec.port.std = {2, 4, 8};
  const std::vector<float> rgb = {4.5f, 4.5f, 3.375f}, bgr = {14.5f, 4.5f, 0.875f};
  const auto values = [](const Tensor& t) {
    return std::vector<float>(t.values<float>().begin(), t.values<float>().end());
  };
  EXPECT_EQ(values(open("a.png", {spec})->get(0)[0]), rgb);
  spec.rgb_to_bgr = true;
  EXPECT_EQ(values(open("a.png", {spec})->get(0)[0]), bgr);
}

TEST_F(DatasetFile, OneChannelInputsReadImagesInGray) {
  const std::string file = png_of(counting_image(4, 6, 3));
  folder_.write("a.png", file);
  const Tensor gray = decode_image(std::as_bytes(std::span(file.data(), file.size())), "a.png", true);
  SampleSpec spec = image_input({1, 1, 4, 6});
  spec.rgb_to_bgr = true;  // means nothing here
  EXPECT_TRUE(identical(open("a.png", {spec})->get(0)[0], cast(gray.reshaped({1, 1, 4, 6}), DType::Float32)));
}

TEST_F(DatasetFile, ImagesAndArraysOfEqualPixelsAreTheSameSample) {
  const Tensor image = counting_image(4, 6, 3);
  folder_.write("a.png", png_of(image));
  folder_.write("a.npy", to_npy(transpose(image.reshaped({1, 4, 6, 3}), {0, 3, 1, 2})));
  SampleSpec spec = image_input();
  spec.port.mean = {123.675f, 116.28f, 103.53f};
  spec.port.std = {58.395f, 57.12f, 57.375f};
  spec.port.source_order = {0, 2, 3, 1};  // an NHWC model: its files are NCHW all the same
  const auto samples = open("a.png\na.npy\n", {spec});
  EXPECT_TRUE(identical(samples->get(0)[0], samples->get(1)[0]));
}

TEST_F(DatasetFile, ImagesFillUint8InputsWithTheirBytes) {
  folder_.write("a.png", png_of(Tensor::from<uint8_t>({1, 1, 3}, {10, 20, 30})));
  SampleSpec spec = image_input({1, 3, 1, 1});
  spec.dtype = DType::UInt8;
  EXPECT_TRUE(identical(open("a.png", {spec})->get(0)[0], Tensor::from<uint8_t>({1, 3, 1, 1}, {10, 20, 30})));
}

TEST_F(DatasetFile, ArraysOfAnyNumericTypeBecomeFloat32) {
  const Tensor expected = Tensor::from<float>({1, 2}, {1, 0});
  const SampleSpec spec{.port = {"x"}, .shape = {1, 2}};
  for (const DType dtype : {DType::Float16, DType::Float64, DType::Int8, DType::UInt16, DType::Int64, DType::Bool}) {
    folder_.write("a.npy", to_npy(cast(expected, dtype)));
    EXPECT_TRUE(identical(open("a.npy", {spec})->get(0)[0], expected)) << name(dtype);
  }
}

TEST_F(DatasetFile, ABatchOfOneMayBeLeftOut) {
  folder_.write("chw.npy", npy_zeros({3, 4, 6}));
  EXPECT_EQ(open("chw.npy")->get(0)[0].shape(), (Shape{1, 3, 4, 6}));
  folder_.write("row.npy", npy_zeros({7}));
  EXPECT_EQ(open("row.npy", {{.port = {"x"}, .shape = {1, 7}}})->get(0)[0].shape(), (Shape{1, 7}));
}

TEST_F(DatasetFile, OtherRanksAreInSourceOrder) {
  folder_.write("a.npy", npy_of<float>({1, 2, 3}, {1, 2, 3, 4, 5, 6}));
  const SampleSpec spec{.port = {"x", DType::Float32, {0, 2, 1}}, .shape = {1, 3, 2}};
  EXPECT_TRUE(identical(open("a.npy", {spec})->get(0)[0], Tensor::from<float>({1, 3, 2}, {1, 4, 2, 5, 3, 6})));
}

TEST_F(DatasetFile, IntegerInputsKeepTheirType) {
  folder_.write("ids.npy", npy_of<int32_t>({1, 3}, {101, 7, 102}));
  const SampleSpec spec{.port = {"ids", DType::Int64}, .shape = {1, 3}, .dtype = DType::Int64};
  EXPECT_TRUE(identical(open("ids.npy", {spec})->get(0)[0], Tensor::from<int64_t>({1, 3}, {101, 7, 102})));
}

TEST_F(DatasetFile, SeveralInputsTakeOnePathEach) {
  folder_.write("a.png", png_of(counting_image(4, 6, 3)));
  folder_.write("ids.npy", npy_of<int64_t>({1, 2}, {5, 6}));
  const auto samples =
      open("a.png ids.npy\na.png\tids.npy", {image_input(), {.port = {"ids"}, .shape = {1, 2}, .dtype = DType::Int64}});
  EXPECT_EQ(samples->count(), 2);
  EXPECT_EQ(samples->get(1)[1].dtype(), DType::Int64);
}

TEST_F(DatasetFile, SkipsBlankLinesCommentsMarksAndCarriageReturns) {
  folder_.write("a.npy", npy_zeros({1, 3, 4, 6}));
  const auto samples = open(
      "\xEF\xBB\xBF"
      "a.npy\r\n\r\n   \t\n# a.npy b.npy\n  # indented\n\ta.npy  \n\na.npy");
  ASSERT_EQ(samples->count(), 3);
  EXPECT_EQ(samples->describe(0), (folder_ / "list.txt").string() + ":1");
  EXPECT_EQ(samples->describe(1), (folder_ / "list.txt").string() + ":6");
  EXPECT_EQ(samples->describe(2), (folder_ / "list.txt").string() + ":8");
}

TEST_F(DatasetFile, PathsWithBlanksStandInQuotesOrAlone) {
  folder_.write("my photos/a b.npy", npy_zeros({1, 3, 4, 6}));
  EXPECT_EQ(open("\"my photos/a b.npy\"\n  my photos/a b.npy \n")->count(), 2);
  EXPECT_EQ(open("\"my photos/a b.npy\" \"my photos/a b.npy\"", {image_input(), image_input()})->count(), 1);
}

TEST_F(DatasetFile, PathsAreRelativeToTheListThenToTheWorkingFolder) {
  folder_.write("data/a.npy", npy_of<float>({1}, {1}));
  folder_.write("a.npy", npy_of<float>({1}, {2}));
  folder_.write("b.npy", npy_of<float>({1}, {3}));
  folder_.write("data/list.txt", "a.npy\nb.npy\n../b.npy\n" + (folder_ / "a.npy").string());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  const auto samples = open_dataset("data/list.txt", {{.port = {"x"}, .shape = {1}}});
  std::vector<float> values;
  for (int64_t i = 0; i < samples->count(); ++i) values.push_back(samples->get(i)[0].values<float>()[0]);
  std::filesystem::current_path(before);
  EXPECT_EQ(values, (std::vector<float>{1, 3, 3, 2}));
}

TEST_F(DatasetFile, AllProblemsAreReportedTogether) {
  folder_.write("a.npy", npy_zeros({1, 3, 4, 6}));
  folder_.write("small.npy", npy_zeros({1, 3, 2, 2}));
  folder_.write("empty.jpg", "");
  EXPECT_EQ(problems([&] { open("a.npy\nnone.jpg\n\na.npy a.npy\nsmall.npy\nempty.jpg\nlist.csv\n"); }),
            (Lines{
                "DIR/list.txt:2: E0302 dataset.file-missing: no such file 'none.jpg'; paths are relative to the folder "
                "of the list ('DIR'), then to the working directory",
                "DIR/list.txt:4: E0303 dataset.bad-line: 2 paths for 1 input ('image'); give one path per input; put a "
                "path that has blanks in double quotes",
                "DIR/list.txt:5: E0305 dataset.bad-array: 'DIR/small.npy': the array's shape is [1, 3, 2, 2], input "
                "'image' takes [1, 3, 4, 6]; arrays are not resized, only images are",
                "DIR/list.txt:6: E0304 dataset.bad-image: 'DIR/empty.jpg': the file is empty; use a jpg, png or bmp "
                "file",
                "DIR/list.txt:7: E0303 dataset.bad-line: 'list.csv' is neither an image nor a .npy file; known are "
                ".jpg, .jpeg, .png, .bmp and .npy; put a path that has blanks in double quotes",
            }));
}

TEST_F(DatasetFile, LongListsOfProblemsAreCut) {
  std::string text;
  for (int i = 0; i < 57; ++i) text += "none.jpg\n";
  const Lines all = problems([&] { open(text); });
  ASSERT_EQ(all.size(), 21u);
  EXPECT_EQ(all.back(), "DIR/list.txt: E0302 dataset.file-missing: and 37 more problems");
}

TEST_F(DatasetFile, LinesThatCannotBeReadSayWhy) {
  EXPECT_EQ(problem("\"a.npy"),
            "DIR/list.txt:1: E0303 dataset.bad-line: a quote is opened and not closed; put a path that has blanks in "
            "double quotes");
  EXPECT_NE(problem("\"a.npy\"b.npy").find("without a blank between"), std::string::npos);
  EXPECT_NE(problem("\"\"").find("a pair of quotes with nothing between"), std::string::npos);
  EXPECT_EQ(
      problem("a.npy", {image_input(), image_input()}),
      "DIR/list.txt:1: E0303 dataset.bad-line: 1 path for 2 inputs ('image', 'image'); give one path per input, in "
      "the order of the inputs");
  EXPECT_NE(problem("-0.886949").find("the file lists paths, not values"), std::string::npos);
  EXPECT_NE(problem("a.webp").find("convert it to png or jpg"), std::string::npos);
  EXPECT_NE(problem("a.npz").find("save each array to a .npy file of its own"), std::string::npos);
  EXPECT_NE(problem("#", {image_input(), image_input()}).find("lists no samples"), std::string::npos);
  EXPECT_NE(problem("images\\a.jpg").find("write / between folders"), std::string::npos);
  EXPECT_NE(problem("/none/a.jpg").find("no such file '/none/a.jpg'"), std::string::npos);
  std::filesystem::create_directory(folder_ / "folder.jpg");
  EXPECT_NE(problem("folder.jpg").find("'DIR/folder.jpg': not a regular file"), std::string::npos);
}

TEST_F(DatasetFile, ArraysInTheOtherLayoutAreToldHowToTurn) {
  folder_.write("nhwc.npy", npy_zeros({1, 4, 6, 3}));
  EXPECT_EQ(problem("nhwc.npy"),
            "DIR/list.txt:1: E0305 dataset.bad-array: 'DIR/nhwc.npy': the array's shape is [1, 4, 6, 3], input 'image' "
            "takes [1, 3, 4, 6]; this looks like NHWC: numpy.transpose(array, (0, 3, 1, 2)) makes it NCHW, which files "
            "hold whatever the model's layout");
  folder_.write("hwc.npy", npy_zeros({4, 6, 3}));
  EXPECT_NE(problem("hwc.npy").find("numpy.transpose(array, (2, 0, 1))"), std::string::npos);
}

TEST_F(DatasetFile, DamagedArraysAreFoundBeforeCalibration) {
  const std::string whole = npy_zeros({1, 3, 4, 6});
  folder_.write("cut.npy", whole.substr(0, whole.size() - 1));
  folder_.write("text.npy", "1, 2, 3");
  const Lines all = problems([&] { open("cut.npy\ntext.npy"); });
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0],
            "DIR/list.txt:1: E0305 dataset.bad-array: 'DIR/cut.npy': truncated: shape [1, 3, 4, 6] of float32 "
            "needs 72 elements, the file holds 71");
  EXPECT_NE(all[1].find("'DIR/text.npy': not a .npy file"), std::string::npos);
}

TEST_F(DatasetFile, ImagesOfInputsThatAreNoneAreRefusedOnce) {
  folder_.write("a.png", png_of(counting_image(4, 6, 3)));
  EXPECT_EQ(
      problem("a.png\na.png\na.png", {{.port = {"x"}, .shape = {1, 32}}}),
      "DIR/list.txt:1: E0303 dataset.bad-line: an image cannot be this input: input 'x' has shape [1, 32]; give a "
      ".npy file of shape [1, 32]");
  EXPECT_NE(problem("a.png", {image_input({1, 4, 4, 6})}).find("an image has 1 or 3 channels"), std::string::npos);
  EXPECT_EQ(
      problem("a.png", {image_input({8, 3, 4, 6})}),
      "DIR/list.txt:1: E0303 dataset.bad-line: one image cannot fill a batch of 8: input 'image' has shape [8, 3, "
      "4, 6]; import the model with batch 1 (rknn_batch_size sets the batch of the result), or give a .npy file "
      "of shape [8, 3, 4, 6]");
  SampleSpec spec = image_input();
  spec.dtype = DType::Int8;
  EXPECT_NE(problem("a.png", {spec}).find("input 'image' is int8"), std::string::npos);
}

TEST_F(DatasetFile, ABatchOfEightTakesArraysOfEight) {
  folder_.write("eight.npy", npy_zeros({8, 3, 4, 6}));
  EXPECT_EQ(open("eight.npy", {image_input({8, 3, 4, 6})})->get(0)[0].shape(), (Shape{8, 3, 4, 6}));
  folder_.write("one.npy", npy_zeros({1, 3, 4, 6}));
  EXPECT_NE(problem("one.npy", {image_input({8, 3, 4, 6})}).find("import the model with batch 1"), std::string::npos);
}

TEST_F(DatasetFile, EmptyListsAreRefused) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(problem(text),
              "DIR/list.txt: E0306 dataset.empty: the dataset lists no samples; write one sample a line: "
              "the path of an image or a .npy file for each input");
  }
}

TEST_F(DatasetFile, ListsThatAreNoneAreRefused) {
  const auto refused = [&](const std::string& content) {
    folder_.write("list.txt", content);
    const Lines all = problems([&] { open_dataset(folder_ / "list.txt", {image_input()}); });
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? "" : all[0];
  };
  EXPECT_NE(refused(png_of(counting_image(2, 2, 3))).find("E0301 dataset.unreadable: this is a binary file"),
            std::string::npos);
  EXPECT_NE(refused(std::string("\xFF\xFE"
                                "a\0",
                                4))
                .find("the text is UTF-16"),
            std::string::npos);
  EXPECT_EQ(problems([&] { open_dataset(folder_ / "none.txt", {image_input()}); }),
            (Lines{"DIR/none.txt: E0301 dataset.unreadable: cannot open the file: No such file or directory; give the "
                   "path of a dataset file: a text file that lists one sample a line"}));
  EXPECT_NE(problems([&] { open_dataset(folder_.path(), {image_input()}); })[0].find("not a regular file"),
            std::string::npos);
}

TEST_F(DatasetFile, ValuesThatAreNotFiniteNameFileAndLine) {
  const SampleSpec spec{.port = {"x"}, .shape = {1, 2}};
  folder_.write("a.npy", npy_of<float>({1, 2}, {1, std::numeric_limits<float>::quiet_NaN()}));
  folder_.write("b.npy", npy_of<double>({1, 2}, {1e300, 0}));
  const auto samples = open("\na.npy\nb.npy", {spec});
  EXPECT_EQ(problem_of_get(*samples, 0),
            "DIR/list.txt:2: E0307 dataset.not-finite: 'DIR/a.npy': element 1 is nan; a sample must be finite in "
            "float32: one such value would spoil the range of every tensor behind it");
  EXPECT_NE(problem_of_get(*samples, 1).find("DIR/list.txt:3: E0307 dataset.not-finite: 'DIR/b.npy': element 0 is inf"),
            std::string::npos);
}

TEST_F(DatasetFile, FractionsInAnIntegerInputNameFileAndLine) {
  folder_.write("ids.npy", npy_of<float>({1, 2}, {1, 2.5f}));
  const auto samples = open("ids.npy", {{.port = {"ids"}, .shape = {1, 2}, .dtype = DType::Int64}});
  EXPECT_EQ(problem_of_get(*samples, 0),
            "DIR/list.txt:1: E0305 dataset.bad-array: 'DIR/ids.npy': element 1 is 2.5, which int64 cannot hold; give "
            "int64 values");
}

TEST_F(DatasetFile, ImagesThatBreakOffNameFileAndLine) {
  const std::string whole = png_of(counting_image(4, 6, 3));
  folder_.write("a.png", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(problem_of_get(*open("\na.png"), 0),
            "DIR/list.txt:2: E0304 dataset.bad-image: 'DIR/a.png': cannot decode this PNG: the file ends too early");
}

TEST_F(DatasetFile, IndicesOutsideAreRefused) {
  folder_.write("a.npy", npy_zeros({1, 3, 4, 6}));
  const auto samples = open("a.npy");
  EXPECT_THROW(samples->get(1), Error);
  EXPECT_THROW(samples->get(-1), Error);
  EXPECT_THROW(samples->describe(1), Error);
}

}  // namespace
}  // namespace openrknn
