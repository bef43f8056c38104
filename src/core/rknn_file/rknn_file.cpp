#include "core/rknn_file/rknn_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/hash.h"
#include "core/rknn_file/compression.h"
#include "core/rknn_file/container.h"
#include "core/rknn_file/decode.h"
#include "core/rknn_file/encode.h"
#include "core/rknn_file/netron_face.h"
#include "core/rknn_file/validate.h"

namespace openrknn {
namespace {

constexpr std::string_view kModelSection = "model";
constexpr std::string_view kWeightsSection = "weights", kPackedWeightsSection = "weights-zlib";
constexpr std::string_view kSharedWeightsSection = "shared-weights";
constexpr std::string_view kExtraPrefix = "extra/";
constexpr std::string_view kOwnCompiler = "openrknn-";

[[noreturn]] void refuse_foreign(const MappedFile& file, const Frame& frame) {
  FileDescription description;
  read_face(frame.body, description);
  if (description.compiler.starts_with(kOwnCompiler)) {
    fail(Code::RknnTruncated, in_file(file),
         "no OpenRKNN header follows the frame: the file is cut off or damaged there",
         "copy or download the file again");
  }
  const std::string maker = description.compiler.empty() ? "" : fmt::format(" by '{}'", description.compiler);
  fail(Code::RknnVendorFile, in_file(file),
       fmt::format(
           "the file was compiled{} for the vendor's own NPU runtime; OpenRKNN can describe it (openrknn inspect) "
           "but not run it: its layers are stored as NPU programs only",
           maker),
       "convert the source model with OpenRKNN");
}

[[noreturn]] void refuse_encrypted(const MappedFile& file) {
  fail(Code::RknnEncrypted, in_file(file), "the model is encrypted: it may be run, and its numbers are not shown",
       "run it with rknn_init, a session, load_rknn or openrknn run; for anything else use the .rknn it was made from");
}

const Section& find_section(const MappedFile& file, std::span<const Section> sections, std::string_view name) {
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return s.name == name; });
  if (found == sections.end()) {
    fail(Code::RknnInvalid, in_file(file), fmt::format("section '{}' is missing", name), "convert the model again");
  }
  return *found;
}

void refuse_unknown(const MappedFile& file, std::span<const Section> sections) {
  for (const Section& section : sections) {
    const bool known = section.name == kModelSection || section.name == kWeightsSection ||
                       section.name == kPackedWeightsSection || section.name == kSharedWeightsSection ||
                       section.name.starts_with(kExtraPrefix);
    if (!known && section.required) {
      fail(Code::RknnNewerVersion, in_file(file),
           fmt::format("the file needs section '{}', which this build does not know", section.name),
           "use a newer OpenRKNN, or convert the source model again with this one");
    }
  }
}

/// {XXH3, length} of every weight that is not in the file, ascending. Its own hash ties the file to full models: any
/// that has these weights.
std::string left_out_text(const WeightsSection& weights) {
  std::string bytes;
  for (const auto& [hash, size] : weights.left_out()) {
    for (const uint64_t number : {hash, size}) bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return bytes;
}

void require_shared_weights(const MappedFile& file, const Section& section, const WeightSource& source) {
  int64_t lacking = 0, bytes = 0;
  const auto count = static_cast<int64_t>(section.bytes.size() / 16);
  if (section.bytes.size() % 16 != 0) {
    fail(Code::RknnInvalid, in_file(file), "section 'shared-weights' is cut off", "convert the model again");
  }
  for (int64_t i = 0; i < count; ++i) {
    uint64_t entry[2];
    std::memcpy(entry, section.bytes.data() + i * 16, sizeof entry);
    if (source && source(entry[0], entry[1])) continue;
    ++lacking;
    bytes += static_cast<int64_t>(entry[1]);
  }
  if (!source) {
    fail(Code::RknnInvalid, in_file(file),
         fmt::format("the file was made with remove_weight: {} weights ({} bytes) are in the full model only", count,
                     bytes),
         "initialise the full model first, then this one with RKNN_FLAG_SHARE_WEIGHT_MEM and the full model's context "
         "in rknn_init_extend.ctx");
  }
  if (lacking > 0) {
    fail(Code::RknnInvalid, in_file(file),
         fmt::format("{} of the {} weights of this file are not in the model that shares its weights (set {})", lacking,
                     count, to_hex(section.hash)),
         "share with the model it was made from: equal weights, scheme and target");
  }
}

}  // namespace

void write(const Model& model, Sink& sink) {
  validate(model, "");  // what read() would refuse is refused before a byte is written
  WeightsSection weights;
  const std::string encoded = encode_model(model, weights);
  const std::string left_out = left_out_text(weights);
  const Face face = make_face(model);
  std::vector<SectionPieces> sections;
  sections.push_back({std::string(kModelSection), true, {as_bytes(encoded)}});
  for (const auto& [name, tensor] : model.sections) {
    sections.push_back({std::string(kExtraPrefix) + name, false, {tensor.bytes()}});
  }
  if (model.remove_weight) sections.push_back({std::string(kSharedWeightsSection), true, {as_bytes(left_out)}});
  // Last: bytes after a constant can be read past the end of the file's data, never past its mapping.
  const std::string packed = model.compress_weight ? compress_weights(weights.pieces()) : "";
  if (model.compress_weight) {
    sections.push_back({std::string(kPackedWeightsSection), true, {as_bytes(packed)}});
  } else {
    sections.push_back({std::string(kWeightsSection), true, weights.pieces()});
  }
  write_container(face.body, face.json, sections, sink);
}

Model read(std::shared_ptr<const MappedFile> file) { return read(std::move(file), nullptr); }

// NOLINTNEXTLINE(performance-unnecessary-value-param): shares it
Model read(std::shared_ptr<const MappedFile> file, const WeightSource& source_of_weights) {
  if (encryption_of(*file)) refuse_encrypted(*file);
  const Frame frame = read_frame(*file);
  if (!has_own_header(*file, frame)) refuse_foreign(*file, frame);
  const std::vector<Section> sections = read_sections(*file, frame);
  refuse_unknown(*file, sections);
  DecodeSource source;
  source.file = file->name();
  source.model = find_section(*file, sections, kModelSection).bytes;
  const auto packed =
      std::find_if(sections.begin(), sections.end(), [](const Section& s) { return s.name == kPackedWeightsSection; });
  if (packed != sections.end()) {
    const Unpacked unpacked = decompress_weights(packed->bytes, file->name());
    source.weights = unpacked.bytes;
    source.owner = unpacked.owner;
  } else {
    source.weights = find_section(*file, sections, kWeightsSection).bytes;
    source.owner = file;
  }
  source.shared = source_of_weights;
  const auto shared =
      std::find_if(sections.begin(), sections.end(), [](const Section& s) { return s.name == kSharedWeightsSection; });
  if (shared != sections.end()) require_shared_weights(*file, *shared, source_of_weights);
  Model model = decode_model(source, sections);
  model.remove_weight = shared != sections.end();
  model.compress_weight = packed != sections.end();
  validate(model, file->name());
  return model;
}

FileDescription describe(const MappedFile& file) {
  FileDescription description;
  description.encryption = encryption_of(file);
  description.ours = description.encryption.has_value();
  if (description.encryption && description.encryption->level == EncryptionLevel::Nothing) return description;
  const Frame frame = read_frame(file);
  description.container_version = frame.version;
  description.json = as_text(frame.json);
  read_face(frame.body, description);  // bodies of another kind do not verify
  if (description.encryption) return description;
  description.ours = has_own_header(file, frame);
  if (!description.ours) return description;
  for (const Section& section : read_sections(file, frame, false)) {
    description.sections.push_back({section.name, section.offset, section.size, section.hash});
  }
  return description;
}

}  // namespace openrknn
