#include "core/rknn_file/rknn_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/rknn_file/container.h"
#include "core/rknn_file/decode.h"
#include "core/rknn_file/encode.h"
#include "core/rknn_file/netron_face.h"
#include "core/rknn_file/validate.h"

namespace openrknn {
namespace {

constexpr std::string_view kModelSection = "model";
constexpr std::string_view kWeightsSection = "weights";
constexpr std::string_view kExtraPrefix = "extra/";
constexpr std::string_view kOwnCompiler = "openrknn-";

Location in_file(const MappedFile& file) {
  Location where;
  where.file = file.name();
  return where;
}

[[noreturn]] void refuse_foreign(const MappedFile& file, const Frame& frame) {
  FileDescription description;
  read_face(frame.body, description);
  if (description.compiler.starts_with(kOwnCompiler)) {
    fail(Code::RknnTruncated, in_file(file), "the file ends before the OpenRKNN header that should follow its frame",
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

const Section& find_section(const MappedFile& file, std::span<const Section> sections, std::string_view name) {
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return s.name == name; });
  if (found == sections.end()) {
    fail(Code::RknnInvalid, in_file(file), fmt::format("section '{}' is missing", name), "convert the model again");
  }
  return *found;
}

void refuse_unknown(const MappedFile& file, std::span<const Section> sections) {
  for (const Section& section : sections) {
    const bool known =
        section.name == kModelSection || section.name == kWeightsSection || section.name.starts_with(kExtraPrefix);
    if (!known && section.required) {
      fail(Code::RknnNewerVersion, in_file(file),
           fmt::format("the file needs section '{}', which this build does not know", section.name),
           "use a newer OpenRKNN, or convert the source model again with this one");
    }
  }
}

}  // namespace

void write(const Model& model, Sink& sink) {
  validate(model, "");  // what read() would refuse is refused before a byte is written
  WeightsSection weights;
  const std::string encoded = encode_model(model, weights);
  const Face face = make_face(model);
  std::vector<SectionPieces> sections;
  sections.push_back({std::string(kModelSection), true, {as_bytes(encoded)}});
  for (const auto& [name, tensor] : model.sections) {
    sections.push_back({std::string(kExtraPrefix) + name, false, {tensor.bytes()}});
  }
  // Last: bytes after a constant can be read past the end of the file's data, never past its mapping.
  sections.push_back({std::string(kWeightsSection), true, weights.pieces()});
  write_container(face.body, face.json, sections, sink);
}

Model read(std::shared_ptr<const MappedFile> file) {  // NOLINT(performance-unnecessary-value-param): shares it
  const Frame frame = read_frame(*file);
  if (!has_own_header(*file, frame)) refuse_foreign(*file, frame);
  const std::vector<Section> sections = read_sections(*file, frame);
  refuse_unknown(*file, sections);
  DecodeSource source;
  source.file = file->name();
  source.model = find_section(*file, sections, kModelSection).bytes;
  source.weights = find_section(*file, sections, kWeightsSection).bytes;
  source.owner = file;
  Model model = decode_model(source, sections);
  validate(model, file->name());
  return model;
}

FileDescription describe(const MappedFile& file) {
  const Frame frame = read_frame(file);
  FileDescription description;
  description.container_version = frame.version;
  description.json = as_text(frame.json);
  read_face(frame.body, description);  // bodies of another kind do not verify
  description.ours = has_own_header(file, frame);
  if (!description.ours) return description;
  for (const Section& section : read_sections(file, frame, false)) {
    description.sections.push_back({section.name, section.offset, section.size, section.hash});
  }
  return description;
}

}  // namespace openrknn
