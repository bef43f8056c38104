#include "compiler/analysis/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "core/base/file.h"
#include "core/base/npy.h"

namespace openrknn {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGolden = "golden", kSimulator = "simulator", kRuntime = "runtime";
constexpr size_t kLongestName = 200;  // file systems end at 255, and .npy and a temporary ending come behind

std::string safe_name(std::string name) {
  for (char& c : name) {
    const bool is_control = static_cast<unsigned char>(c) < 0x20;
    if (is_control || std::string_view("/\\.:").find(c) != std::string_view::npos) c = '_';
  }
  if (name.size() > kLongestName) name.resize(kLongestName);
  return name.empty() ? "_" : name;
}

void write_bytes(FileSink& sink, std::string_view text) { sink.write(std::as_bytes(std::span(text))); }

/// One number a line, as short as it can be read back.
void write_text(const fs::path& path, const Tensor& tensor) {
  constexpr int64_t kChunk = 16384;
  FileSink sink(path);
  const bool is_real = is_floating(tensor.dtype());
  const LayerValues values{.dtype = tensor.dtype(),
                           .shape = tensor.shape(),
                           .form = {Layout::Logical, tensor.rank()},
                           .bytes = tensor.bytes()};
  for (int64_t first = 0; first < tensor.size(); first += kChunk) {
    fmt::memory_buffer lines;
    for (const double number : real_numbers(values, first, std::min(kChunk, tensor.size() - first))) {
      if (is_real) {
        fmt::format_to(std::back_inserter(lines), "{}\n", static_cast<float>(number));
      } else {
        fmt::format_to(std::back_inserter(lines), "{:.0f}\n", number);
      }
    }
    write_bytes(sink, {lines.data(), lines.size()});
  }
  sink.commit();
}

void write_npy(const fs::path& path, const Tensor& tensor) {
  FileSink sink(path);
  write_bytes(sink, npy_header(tensor.dtype(), tensor.shape()));
  sink.write(tensor.bytes());
  sink.commit();
}

void write_layer(const fs::path& folder, const std::string& file, const LayerValues& values) {
  Tensor tensor = real_tensor(values);
  if (is_floating(tensor.dtype())) tensor = cast(tensor, DType::Float32);
  write_text(folder / (file + ".txt"), tensor);
  write_npy(folder / "npy" / (file + ".npy"), tensor);
}

void make_folder(const fs::path& wanted) {
  std::error_code error;
  fs::create_directories(wanted, error);
  if (!error) return;
  fail(Code::FileUnwritable, Location{.file = wanted.string()},
       fmt::format("cannot make the folder: {}", error.message()), "choose another output_dir");
}

}  // namespace

std::vector<std::string> file_names(const std::vector<std::string>& tensors) {
  std::vector<std::string> names(tensors.size());
  std::set<std::string> taken;
  // In two rounds: a model's output "scores" is scores.txt even if "scores" is what some other name would become.
  for (const bool unchanged : {true, false}) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::string safe = safe_name(tensors[i]);
      if (!names[i].empty() || (safe == tensors[i]) != unchanged) continue;
      names[i] = safe;
      for (int suffix = 1; !taken.insert(names[i]).second; ++suffix) names[i] = fmt::format("{}_{}", safe, suffix);
    }
  }
  return names;
}

Snapshot::Snapshot(fs::path folder, std::vector<LayerRow> rows) : folder_(std::move(folder)), rows_(std::move(rows)) {
  for (const std::string_view part : {kGolden, kSimulator}) make_folder(folder_ / part / "npy");
  std::vector<std::string> tensors;
  for (const LayerRow& row : rows_) tensors.push_back(row.tensor);
  files_ = file_names(tensors);
}

void Snapshot::write(size_t row, const LayerValues& golden, const LayerValues& built) const {
  write_layer(folder_ / kGolden, files_[row], golden);
  write_layer(folder_ / kSimulator, files_[row], built);
}

bool Snapshot::has_map() const {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (!rows_[i].is_blank() && rows_[i].tensor != files_[i]) return true;
  }
  return false;
}

void Snapshot::write_runtime(size_t row, const LayerValues& runtime) const {
  make_folder(folder_ / kRuntime / "npy");
  write_layer(folder_ / kRuntime, files_[row], runtime);
}

void Snapshot::finish(const std::string& table) const {
  if (has_map()) {
    std::string map;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (!rows_[i].is_blank()) map += fmt::format("{}\t{}\n", rows_[i].tensor, files_[i]);
    }
    write_file(map_path(), map);
  }
  write_file(table_path(), table);
}

}  // namespace openrknn
