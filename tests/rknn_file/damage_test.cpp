// Damaged, foreign, newer and malicious files: always an Error that says what it is, never a crash.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "core/base/hash.h"
#include "core/rknn_file/container.h"
#include "core/rknn_file/encode.h"
#include "core/rknn_file/netron_face.h"
#include "core/rknn_file/rknn_generated.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

using test::file_bytes;
using test::model_of;
using test::read_bytes;

Model small_model() {
  Model model = model_of(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[3,2,1,1] = random(1)
%y : f32[1,3,4,4] = Conv(%x, %w)
output %y
)");
  model.sections["note"] = Tensor::from<uint8_t>({3}, {1, 2, 3});
  return model;
}

/// The code of the Error that reading gives; fails the test if it gives none.
Code code_of(const std::string& bytes) {
  try {
    read_bytes(bytes);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "the file was accepted";
  return Code::Internal;
}

TEST(RknnDamage, EveryTruncationIsSeen) {
  const std::string bytes = file_bytes(small_model());
  for (size_t size = 0; size < bytes.size(); ++size) {
    SCOPED_TRACE(size);
    const Code code = code_of(bytes.substr(0, size));
    EXPECT_TRUE(code == Code::RknnTruncated || (size < 4 && code == Code::RknnBadMagic)) << to_string(code);
  }
}

TEST(RknnDamage, EveryFlippedBitIsSeen) {
  const std::string bytes = file_bytes(small_model());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_THROW(read_bytes(damaged), Error) << "byte " << i << " bit " << bit;
    }
  }
}

TEST(RknnDamage, NamesTheDamagedSection) {
  std::string bytes = file_bytes(small_model());
  const FileDescription description = describe(*test::in_memory(bytes));
  for (const FileDescription::Section& section : description.sections) {
    std::string damaged = bytes;
    damaged[section.offset] = static_cast<char>(damaged[section.offset] ^ 1);
    try {
      read_bytes(damaged);
      ADD_FAILURE() << section.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::RknnDamaged);
      EXPECT_NE(std::string(error.what()).find("'" + section.name + "'"), std::string::npos) << error.what();
    }
  }
}

TEST(RknnDamage, BytesAfterTheEndAreRefused) { EXPECT_EQ(code_of(file_bytes(small_model()) + "x"), Code::RknnDamaged); }

TEST(RknnForeign, OtherFilesAreNamed) {
  EXPECT_EQ(code_of(""), Code::RknnBadMagic);
  EXPECT_EQ(code_of("ONNX model or whatever"), Code::RknnBadMagic);
  EXPECT_EQ(code_of("RKNX" + std::string(100, '\0')), Code::RknnVendorFile);
}

/// The frame alone, as another compiler writes it.
std::string vendor_file() {
  const Model model = small_model();
  Face face = make_face(model);
  const size_t at = face.body.find("openrknn-0");
  face.body.replace(at, 10, "2.3.2 rk x");
  std::string bytes(64, '\0');
  std::memcpy(bytes.data(), "RKNN", 4);
  bytes[8] = 6;
  const uint64_t body = face.body.size(), json = face.json.size();
  std::memcpy(bytes.data() + 16, &body, 8);
  bytes += face.body;
  bytes.append(reinterpret_cast<const char*>(&json), 8);
  return bytes + face.json;
}

TEST(RknnForeign, VendorFilesAreDescribedAndNotRun) {
  const std::string bytes = vendor_file();
  EXPECT_EQ(code_of(bytes), Code::RknnVendorFile);
  const FileDescription description = describe(*test::in_memory(bytes));
  EXPECT_FALSE(description.ours);
  EXPECT_EQ(description.runtime_target, "rk3588");
  ASSERT_EQ(description.inputs.size(), 1u);
  EXPECT_EQ(description.inputs[0].name, "x");
  EXPECT_EQ(description.inputs[0].shape, (Shape{1, 2, 4, 4}));
}

TEST(RknnForeign, EncryptedFilesAreNamed) {
  const std::string bytes(200, 'z');
  const auto file = MappedFile::copy_of(as_bytes(bytes), "net.crypt.rknn");
  try {
    read(file);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RknnEncrypted);
  }
}

// ---- Files with right hashes and wrong content: `edit` changes the model section before it is hashed --------------

std::string crafted(const std::function<void(const file::Model&, std::string&)>& edit, Model model = small_model()) {
  WeightsSection weights;
  std::string encoded = encode_model(model, weights);
  edit(*file::GetModel(encoded.data()), encoded);
  const Face face = make_face(model);
  const std::vector<SectionPieces> sections = {{"model", true, {as_bytes(encoded)}},
                                               {"extra/note", false, {model.sections.at("note").bytes()}},
                                               {"weights", true, weights.pieces()}};
  MemorySink sink;
  write_container(face.body, face.json, sections, sink);
  return sink.data;
}

/// Overwrites one scalar of the encoded model, found by the address of its accessor.
template <class T>
void poke(const T* where, T value) {
  std::memcpy(const_cast<T*>(where), &value, sizeof value);
}

TEST(RknnMalicious, RandomBytesInTheModelSectionNeverCrash) {
  uint32_t state = 1;
  const auto next = [&] { return state = state * 1664525 + 1013904223, state >> 8; };
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = crafted([&](const file::Model&, std::string& encoded) {
      for (uint32_t n = 1 + next() % 4; n > 0; --n) encoded[next() % encoded.size()] = static_cast<char>(next());
    });
    try {
      read_bytes(bytes);  // some changes are harmless (a letter of a name)
    } catch (const Error&) {
    }
  }
}

TEST(RknnMalicious, ValueIdsOutOfRangeAreRefused) {
  EXPECT_EQ(code_of(crafted([](const file::Model& model, std::string&) {
              poke(model.variants()->Get(0)->nodes()->Get(0)->inputs()->data(), 1000);
            })),
            Code::RknnInvalid);
  EXPECT_EQ(code_of(crafted(
                [](const file::Model& model, std::string&) { poke(model.variants()->Get(0)->outputs()->data(), -1); })),
            Code::RknnInvalid);
}

TEST(RknnMalicious, ConstantsOutsideTheWeightsAreRefused) {
  EXPECT_EQ(code_of(crafted([](const file::Model& model, std::string&) {
              for (const file::Value* value : *model.variants()->Get(0)->values()) {
                if (value->constant() == nullptr) continue;
                poke(value->constant()->shape()->data(), int64_t{1} << 40);
              }
            })),
            Code::RknnInvalid);
}

TEST(RknnMalicious, ShapesThatDisagreeWithTheOperatorsAreRefused) {
  EXPECT_EQ(code_of(crafted([](const file::Model& model, std::string&) {
              poke(model.variants()->Get(0)->values()->Get(0)->shape()->data() + 2, int64_t{1} << 30);
            })),
            Code::GraphInvalid);
}

TEST(RknnMalicious, StoredIntegersThatKernelsWouldIndexWithAreChecked) {
  const auto resize = [](int32_t neighbour) {
    Model model = model_of(R"(ir 1
input %x : i8[1,1,1,2] q(0.5, 0)
%y : i8[1,1,1,2] q(0.5, 0) = Resize(%x) {sizes=[1,1,1,2], scales=[1.0,1.0,1.0,1.0], mode="linear"}
output %y
)");
    Graph& graph = model.variants[0];
    graph[NodeId(0)].fixed = FixedPoint{.slope = {0, 0, 0, 0, neighbour, 0}, .low = -128, .high = 127};
    return model;
  };
  EXPECT_NO_THROW(file_bytes(resize(1)));
  EXPECT_THROW(file_bytes(resize(2)), Error);
  EXPECT_THROW(file_bytes(resize(-1)), Error);
  Model model = small_model();
  model.variants[0][NodeId(0)].fixed = FixedPoint{.channel = {1, 2}, .low = 0, .high = 1};  // the node has 3 channels
  EXPECT_THROW(file_bytes(model), Error);
}

TEST(RknnMalicious, ValuesProducedTwiceAreRefused) {
  Model model = model_of(R"(ir 1
input %x : f32[4]
%a : f32[4] = Relu(%x)
%b : f32[4] = Relu(%a)
output %b
)");
  model.sections["note"] = Tensor::from<uint8_t>({3}, {1, 2, 3});
  EXPECT_EQ(code_of(crafted(
                [](const file::Model& m, std::string&) {
                  const auto& nodes = *m.variants()->Get(0)->nodes();
                  poke(nodes.Get(1)->outputs()->data(), nodes.Get(0)->outputs()->Get(0));
                },
                model)),
            Code::RknnInvalid);
}

// ---- Versions ------------------------------------------------------------------------------------------------------

TEST(RknnVersions, NewerContainersAreRefusedWithOneSentence) {
  std::string bytes = file_bytes(small_model());
  const size_t header = bytes.find("OpenRKNN");
  const uint32_t newer = kContainerVersion + 1;
  std::memcpy(bytes.data() + header + 8, &newer, 4);
  const uint64_t hash = hash64(as_bytes(std::string_view(bytes).substr(header, 56)));
  std::memcpy(bytes.data() + header + 56, &hash, 8);
  EXPECT_EQ(code_of(bytes), Code::RknnNewerVersion);
}

TEST(RknnVersions, NewerOperatorsAreRefused) {
  std::string name;
  const std::string bytes = crafted([&](const file::Model& model, std::string&) {
    const file::Operator& op = *model.operators()->Get(0);
    name = op.name()->str();
    // The version is a table field: write through its address.
    auto* table = const_cast<flatbuffers::Table*>(reinterpret_cast<const flatbuffers::Table*>(&op));
    ASSERT_TRUE(table->SetField<int32_t>(file::Operator::VT_VERSION, 99));
  });
  try {
    read_bytes(bytes);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RknnNewerVersion);
    EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
  }
}

TEST(RknnVersions, UnknownSectionsAreSkippedUnlessRequired) {
  const Model model = small_model();
  WeightsSection weights;
  const std::string encoded = encode_model(model, weights);
  const Face face = make_face(model);
  for (const bool required : {false, true}) {
    const std::vector<SectionPieces> sections = {{"model", true, {as_bytes(encoded)}},
                                                 {"extra/note", false, {model.sections.at("note").bytes()}},
                                                 {"from the future", required, {as_bytes("?")}},
                                                 {"weights", true, weights.pieces()}};
    MemorySink sink;
    write_container(face.body, face.json, sections, sink);
    if (required) {
      EXPECT_EQ(code_of(sink.data), Code::RknnNewerVersion);
    } else {
      EXPECT_NO_THROW(read_bytes(sink.data));
    }
  }
}

// ---- Writing -------------------------------------------------------------------------------------------------------

TEST(RknnWrite, RefusesWhatReadWouldRefuse) {
  Model model = small_model();
  model.outputs.clear();
  EXPECT_THROW(file_bytes(model), Error);
  EXPECT_THROW(file_bytes(Model{}), Error);
}

}  // namespace
}  // namespace openrknn
