#include "compiler/analysis/checkpoint.h"

#include <fmt/format.h>

#include <system_error>

#include "compiler/quantize/sample_record.h"
#include "core/base/byte_string.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/hash.h"

namespace openrknn {
namespace {

constexpr std::string_view kMagic = "openrknn analysis 1\n";

uint64_t hash_of(std::string_view bytes) { return hash64(std::as_bytes(std::span(bytes.data(), bytes.size()))); }

}  // namespace

void StateWriter::put(int64_t value) { append_number(bytes, value); }
void StateWriter::put(double value) { append_number(bytes, value); }

template <class T>
T StateReader::take() {
  const std::optional<T> number = take_number<T>(rest_);
  if (!number) fail(Code::InvalidArgument, "serialised analysis: it is truncated", "start it again");
  return *number;
}
void StateReader::get(int64_t& value) { value = take<int64_t>(); }
void StateReader::get(double& value) { value = take<double>(); }
void StateReader::end() const {
  if (!rest_.empty()) fail(Code::InvalidArgument, "serialised analysis: other bytes follow it", "start it again");
}

// The magic line, the hash of everything after it, the key, the number of samples, their hashes, the state.
std::pair<std::string, int64_t> Checkpoint::restore(const Samples& samples) {
  hashes_.clear();
  const auto refuse = [this](std::string_view why) -> std::pair<std::string, int64_t> {
    refusal_ = fmt::format("{}: {}, so the analysis starts over", file_.string(), why);
    return {};
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(file_, error)) return {};
  const std::string text = read_text_file(file_);
  constexpr size_t kHead = kMagic.size() + 8;
  if (text.size() < kHead || !text.starts_with(kMagic)) {
    fail(Code::ConfigBadValue, Location{.file = file_.string()}, "this file is no state of an analysis",
         "name a file that may be overwritten");
  }
  const std::string_view body = std::string_view(text).substr(kHead);
  int64_t hash = 0, key = 0, count = 0;
  StateReader(std::string_view(text).substr(kMagic.size())).get(hash);
  if (static_cast<uint64_t>(hash) != hash_of(body) || body.size() < 16) return refuse("the file is damaged");
  StateReader reader(body);
  reader.get(key);
  reader.get(count);
  const size_t start = 16 + 8 * static_cast<size_t>(count);
  if (static_cast<uint64_t>(key) != key_) return refuse("it was kept by an analysis of something else");
  if (count < 1 || count > samples.count() || body.size() < start)
    return refuse("it was kept by an analysis of more samples");
  std::vector<uint64_t> hashes;
  for (int64_t i = 0; i < count; ++i) {
    int64_t expected = 0;
    reader.get(expected);
    hashes.push_back(facts_of(samples.get(i)).hash);
    if (hashes.back() != static_cast<uint64_t>(expected)) {
      return refuse(samples.describe(i) + " is another sample now");
    }
  }
  hashes_ = std::move(hashes);
  return {std::string(body.substr(start)), count};
}

void Checkpoint::save(const std::vector<Tensor>& inputs, std::string_view state) {
  hashes_.push_back(facts_of(inputs).hash);
  StateWriter body;
  body.put(static_cast<int64_t>(key_));
  body.put(samples());
  for (const uint64_t hash : hashes_) body.put(static_cast<int64_t>(hash));
  body.bytes += state;
  StateWriter head;
  head.put(static_cast<int64_t>(hash_of(body.bytes)));
  write_file(file_, std::string(kMagic) + head.bytes + body.bytes);
}

}  // namespace openrknn
