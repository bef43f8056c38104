#include "compiler/dataset/dataset_list.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "core/base/error.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestList = size_t{256} << 20;

}  // namespace

std::string_view dataset_text(const MappedFile& file) {
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const auto refuse = [&](std::string problem) {
    fail(Code::DatasetUnreadable, Location{.file = file.name()}, std::move(problem),
         "a dataset is a UTF-8 text file that lists one sample a line: the path of an image or a .npy file for each "
         "input");
  };
  if (text.size() > kLargestList) refuse(fmt::format("{} bytes are too many for a list", text.size()));
  if (text.substr(0, 2) == "\xFF\xFE" || text.substr(0, 2) == "\xFE\xFF") refuse("the text is UTF-16");
  if (text.find('\0') != std::string_view::npos) refuse("this is a binary file, not a list of files");
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  return text;
}

std::shared_ptr<const MappedFile> open_dataset_list(const fs::path& list) {
  try {
    return MappedFile::open(list);
  } catch (const Error& error) {
    fail(Code::DatasetUnreadable, Location{.file = list.string()}, error.diagnostics.front().problem,
         "give the path of a dataset file: a text file that lists one sample a line");
  }
}

std::optional<fs::path> DatasetPaths::find(const std::string& path) const {
  std::error_code ignored;
  for (const fs::path& candidate : {folder_ / path, fs::path(path)}) {
    if (fs::exists(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

std::string DatasetPaths::advice_for_missing(const std::string& path) const {
  if (path.find('\\') != std::string::npos) return "write / between folders, not \\";
  if (!fs::path(path).is_relative()) return {};
  return fmt::format("paths are relative to the folder of the list ('{}'), then to the working directory",
                     folder_.empty() ? "." : folder_.string());
}

DatasetLine DatasetPaths::split(std::string_view line, size_t inputs) const {
  DatasetLine parsed = parse_dataset_line(line);
  const bool one_path = parsed.paths.size() == 1 && parsed.problem.empty();
  const bool nothing = parsed.paths.empty() && parsed.problem.empty();
  if (inputs == 1 && !one_path && !nothing && find(std::string(line))) return {{std::string(line)}, {}};
  return parsed;
}

}  // namespace openrknn
