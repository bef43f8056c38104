// The .rknn container: write, read, recognise. Layout: docs/rknn_file.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/model/model.h"
#include "core/rknn_file/encrypted_file.h"

namespace openrknn {

/// Byte-reproducible: equal models give equal bytes. Throws Error (FileUnwritable) from the sink.
void write(const Model&, Sink&);

/// Verifies the FlatBuffer and every section's hash; constants are views into the mapping. Throws Error (RknnBadMagic,
/// RknnTruncated, RknnDamaged naming the section, RknnNewerVersion, RknnVendorFile, RknnInvalid; RknnEncrypted: whoever
/// may run an encrypted model gives its plain_file()).
Model read(std::shared_ptr<const MappedFile>);

/// Weights that a file was written without (Model::remove_weight), by the XXH3 and length of their bytes; from a full
/// model, whose memory the tensors keep alive.
using WeightSource = std::function<std::optional<Tensor>(uint64_t hash, uint64_t bytes)>;
/// As above, also for files without weights. Throws Error (RknnInvalid) saying how many weights the source lacks.
Model read(std::shared_ptr<const MappedFile>, const WeightSource&);

/// What can be said of any .rknn file without running it, vendor-made ones included.
struct FileDescription {
  bool ours = false;
  std::optional<Encryption> encryption;  ///< then sections are unknown, and the rest as far as the level shows it
  uint64_t container_version = 0;
  std::string compiler, runtime_target, framework, json;
  struct Entry {
    std::string name, dtype;
    Shape shape;
  };
  std::vector<Entry> inputs, outputs;
  struct Section {
    std::string name;
    uint64_t offset = 0, size = 0, hash = 0;
  };
  std::vector<Section> sections;  ///< ours only
};
FileDescription describe(const MappedFile&);

}  // namespace openrknn
