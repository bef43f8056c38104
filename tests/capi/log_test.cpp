// What RKNN_LOG_LEVEL shows, and the text of RKNN_QUERY_PERF_DETAIL.
#include "capi/fixture.h"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>

#include "core/base/file.h"
#include "core/base/npy.h"

namespace openrknn::test {
namespace {

class CapiLog : public Capi {
 protected:
  void SetUp() override {
    // Beside other tests that run at the same time.
    folder_ = std::filesystem::path(::testing::TempDir()) / ("openrknn_dump_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override {
    Capi::TearDown();
    std::filesystem::remove_all(folder_);
  }
  /// What is printed by init and one run.
  std::string printed(const std::string& level, const Model& model = int8_model(), uint32_t flags = 0) {
    const Variable variable("RKNN_LOG_LEVEL", level);
    const Variable folder("RKNN_DUMP_DIR", folder_.string());
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(run_pixels(open(model, flags)), expected_codes());
    return ::testing::internal::GetCapturedStdout();
  }
  std::vector<std::string> dumped() const {
    std::vector<std::string> names;
    if (!std::filesystem::exists(folder_)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::filesystem::path folder_;
};

TEST_F(CapiLog, EveryLineHasLevelAndTime) {
  std::istringstream lines(printed("4"));
  const std::regex form(R"(^[EWID] RKNN: \[\d\d:\d\d:\d\d\.\d\d\d\] .*)");
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(std::regex_match(line, form)) << line;
  EXPECT_GT(count, 10);
}

TEST_F(CapiLog, LevelsAddToEachOther) {
  EXPECT_EQ(printed("0"), "");
  EXPECT_EQ(printed("1"), "");
  const std::string info = printed("2"), plan = printed("3"), table = printed("4");
  for (const char* line :
       {"I RKNN: [", "RKNN Runtime Information, librknnrt version: 2.", "RKNN Driver Information, version: ",
        "RKNN Model Information, version: 6, toolkit version: test(compiler version: test), target: "
        "RKNPU v2, target platform: rk3588, framework name: ONNX, framework layout: NCHW, model "
        "inference type: static_shape"}) {
    EXPECT_NE(info.find(line), std::string::npos) << line << "\n" << info;
  }
  EXPECT_EQ(info.find("D RKNN"), std::string::npos);
  EXPECT_NE(plan.find("D RKNN"), std::string::npos);
  EXPECT_NE(plan.find("memory: weights"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("Network Layer Information Table"), std::string::npos);
  EXPECT_NE(table.find("Network Layer Information Table"), std::string::npos);
  EXPECT_EQ(dumped(), std::vector<std::string>());
}

TEST_F(CapiLog, LayersAreDumpedAsRealNumbers) {
  printed("5");
  ASSERT_EQ(dumped(), std::vector<std::string>{"0001_Relu_positive_2x3x4x5.npy"});
  const Tensor values = read_npy(folder_ / dumped()[0]);
  ASSERT_EQ(values.dtype(), DType::Float32);
  EXPECT_EQ(values.shape(), (Shape{2, 3, 4, 5}));
  const std::vector<int8_t> codes = expected_codes();
  for (size_t i = 0; i < codes.size(); ++i) {
    ASSERT_EQ(values.values<float>()[i], static_cast<float>(codes[i] - kZeroPoint) * kScale);
  }
}

TEST_F(CapiLog, LayersAreDumpedAsTheyAreAndAsText) {
  const Variable native("RKNN_DUMP_QUANT", "1");
  printed("6");
  ASSERT_EQ(dumped(), (std::vector<std::string>{"0001_Relu_positive_2x3x4x5.npy", "0001_Relu_positive_2x3x4x5.txt"}));
  const Tensor values = read_npy(folder_ / dumped()[0]);
  ASSERT_EQ(values.dtype(), DType::Int8);
  const std::vector<int8_t> codes = expected_codes();
  EXPECT_TRUE(std::equal(codes.begin(), codes.end(), values.values<int8_t>().begin()));
  std::istringstream text(read_text_file(folder_ / dumped()[1]));
  for (const int8_t code : codes) {
    int number = 0;
    ASSERT_TRUE(text >> number);
    EXPECT_EQ(number, code);
  }
}

TEST_F(CapiLog, ADumpThatCannotBeWrittenIsAWarning) {
  write_file(folder_, "in the way");
  EXPECT_NE(printed("5").find("W RKNN: ["), std::string::npos);
}

class CapiPerf : public Capi {
 protected:
  std::string table(const std::string& target) {
    Model model = int8_model();
    model.target = target;
    const rknn_context context = open(model, RKNN_FLAG_COLLECT_PERF_MASK);
    run_pixels(context);
    rknn_perf_detail detail{};
    EXPECT_EQ(rknn_query(context, RKNN_QUERY_PERF_DETAIL, &detail, sizeof detail), RKNN_SUCC);
    EXPECT_EQ(std::strlen(detail.perf_data), detail.data_len);
    return detail.perf_data;
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> result;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    return result;
  }
};

TEST_F(CapiPerf, ColumnsLieWhereParsersCutThem) {
  const std::vector<std::string> text = lines(table("rk3588"));
  ASSERT_GT(text.size(), 12u);
  EXPECT_EQ(text[0], std::string(222, '-'));
  EXPECT_EQ(text[1].find("Network Layer Information Table"), (222u - 31) / 2);
  EXPECT_EQ(text[3],
            "ID   OpType          DataType Target InputShape                               OutputShape            "
            "Cycles(DDR/NPU/Total)    Time(us)     MacUsage(%)          WorkLoad(0/1/2)      RW(KB)       FullName");
  EXPECT_EQ(text[5].substr(0, 101),
            "1    Relu            INT8     CPU    (2,3,4,5)                                (2,3,4,5)              ");
  EXPECT_EQ(text[5].substr(101, 5), "0/0/0");
  EXPECT_EQ(text[5].substr(160, 14), "0.0%/0.0%/0.0%");
  EXPECT_EQ(text[5].substr(194), "Relu:positive");
  EXPECT_EQ(text[7].rfind("Total Operator Elapsed Per Frame Time(us): ", 0), 0u);
  EXPECT_EQ(text[8].rfind("Total Memory Read/Write Per Frame Size(KB): ", 0), 0u);
  EXPECT_EQ(text[10], std::string(99, '-'));
  EXPECT_NE(text[11].find("Operator Time Consuming Ranking Table"), std::string::npos);
  EXPECT_EQ(text[13],
            "OpType             CallNumber   CPUTime(us)  GPUTime(us)  NPUTime(us)  TotalTime(us)  TimeRatio(%)");
  EXPECT_EQ(text[17].rfind("Total ", 0), 0u);
}

TEST_F(CapiPerf, TheWorkLoadColumnNamesTheCoresThereAre) {
  EXPECT_NE(table("rk3588").find("WorkLoad(0/1/2) "), std::string::npos);
  EXPECT_NE(table("rk3576").find("WorkLoad(0/1) "), std::string::npos);
  EXPECT_EQ(table("rk3566").find("WorkLoad"), std::string::npos);
}

}  // namespace
}  // namespace openrknn::test
