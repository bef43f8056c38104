#include "compiler/importers/torchscript/formats.h"

#include <algorithm>
#include <cstring>

#include "compiler/importers/importer.h"
#include "core/base/error.h"

namespace openrknn {
namespace torchscript {
namespace {

/// What torch.save() wrote before 1.6: a pickle of this number (torch/serialization.py, MAGIC_NUMBER).
constexpr std::string_view kLegacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

constexpr std::string_view kTrace =
    "load the model in Python and trace it: torch.jit.trace(model.eval(), torch.zeros(1, 3, 224, "
    "224)).save('model.pt')";

[[noreturn]] void refuse(const std::string& file, std::string problem, std::string_view fix = kTrace) {
  fail(Code::ImportBadFile, Location{.file = file}, std::move(problem), std::string(fix));
}

}  // namespace

void refuse_other_files(const MappedFile& file) {
  const std::string_view content(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (content.starts_with(kLegacyMagic))
    refuse(file.name(),
           "the file was written by torch.save (in the form before torch 1.6): weights or a pickled model, no "
           "TorchScript");
  if (content.starts_with("\x80")) refuse(file.name(), "the file is a Python pickle, no TorchScript");
  if (!content.starts_with("PK"))
    refuse(file.name(),
           "the file is no TorchScript archive (those are zip files): it is damaged, or of another format");
}

void refuse_other_archives(const Archive& archive) {
  const bool has_code =
      std::ranges::any_of(archive.names(), [](const std::string& name) { return name.starts_with("code/"); });
  if (archive.has("data.pkl") && archive.has("constants.pkl") && has_code) return;
  if (archive.has("data.pkl")) {
    // The names of classes stand in the pickle as they are; nothing of it has to be read for that.
    const std::string_view pickle = archive.text("data.pkl");
    const bool is_state = pickle.find("collections\nOrderedDict") != std::string_view::npos &&
                          pickle.find("_modules") == std::string_view::npos;
    refuse(archive.file(), is_state ? "the file holds weights only (a state dict of torch.save), no network"
                                    : "the file holds a pickled Python model (torch.save), whose code is in no file");
  }
  const bool is_exported = std::ranges::any_of(archive.names(), [](const std::string& name) {
    return name == "archive_format" || name == "serialized_exported_program.json" || name.starts_with("models/");
  });
  if (is_exported)
    refuse(archive.file(),
           "an archive of torch.export without models/model.json: of a torch before 2.8, whose form is not read",
           "save it as TorchScript: torch.jit.trace(program.module(), example).save('model.pt'), or as ONNX: "
           "torch.onnx.export(program, …)");
  refuse(archive.file(), "this zip archive is no TorchScript model");
}

}  // namespace torchscript

bool looks_like_torchscript(std::string_view head) {
  if (head.starts_with(torchscript::kLegacyMagic)) return true;
  if (!head.starts_with("PK\x03\x04") || head.size() < 30) return false;
  // The first entry lies in the archive's one folder. An .npz has none, and no .keras has these names.
  uint16_t length = 0;
  std::memcpy(&length, head.data() + 26, 2);
  const std::string_view path = head.substr(30, length);
  const size_t folder = path.find('/');
  if (folder == std::string_view::npos) return false;
  const std::string_view name = path.substr(folder + 1);
  constexpr std::string_view kFolders[] = {"data/", "code/", "constants/", ".data/", "models/"};
  constexpr std::string_view kNames[] = {"data.pkl",        "constants.pkl",      "version",        "byteorder",
                                         ".format_version", ".storage_alignment", "archive_format", "archive_version"};
  return std::ranges::any_of(kFolders, [&](std::string_view each) { return name.starts_with(each); }) ||
         std::ranges::find(kNames, name) != std::end(kNames);
}

}  // namespace openrknn
