#include "compiler/importers/caffe/blobs.h"

#include <fmt/format.h>

#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "compiler/importers/protobuf_fields.h"
#include "core/base/error.h"

namespace openrknn::caffe {
namespace {

using protobuf::bytes;
using protobuf::fixed32;
using protobuf::varint;
using protozero::pbf_reader;

template <class T>
void append_packed(pbf_reader& reader, std::vector<float>& out) {
  const protozero::data_view view = reader.get_view();
  const size_t count = view.size() / sizeof(T), before = out.size();
  out.resize(before + count);
  for (size_t i = 0; i < count; ++i) {
    T number;
    std::memcpy(&number, view.data() + i * sizeof(T), sizeof(T));
    out[before + i] = static_cast<float>(number);
  }
}

// clang-format off
// (the switches below are tables: a field a line; caffe.proto of BVLC)

Shape parse_shape(pbf_reader reader) {
  Shape shape;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1): shape.push_back(reader.get_int64()); break;
      case bytes(1): for (const int64_t extent : reader.get_packed_int64()) shape.push_back(extent); break;
      default: reader.skip();
    }
  }
  return shape;
}

Blob parse_blob(pbf_reader reader) {
  Blob blob;
  Shape old(4, 0);  // num, channels, height, width
  bool has_shape = false;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1): old[0] = reader.get_int32(); break;
      case varint(2): old[1] = reader.get_int32(); break;
      case varint(3): old[2] = reader.get_int32(); break;
      case varint(4): old[3] = reader.get_int32(); break;
      case bytes(5): append_packed<float>(reader, blob.numbers); break;
      case fixed32(5): blob.numbers.push_back(reader.get_float()); break;
      case bytes(7): blob.shape = parse_shape(pbf_reader(reader.get_view())); has_shape = true; break;
      case bytes(8): append_packed<double>(reader, blob.numbers); break;
      default: reader.skip();
    }
  }
  if (!has_shape) blob.shape = old;
  return blob;
}

/// Numbers of the fields of a layer, which the three generations of the format have in other places.
struct LayerFields {
  uint32_t name, blobs, nested = 0;  ///< nested: a message that holds both
};
constexpr LayerFields kNewest{.name = 1, .blobs = 7}, kV1{.name = 4, .blobs = 6, .nested = 1}, kV0{.name = 1, .blobs = 50};

void parse_layer(pbf_reader reader, const LayerFields& fields, Blobs& all) {
  std::string name;
  std::vector<Blob> blobs;
  while (reader.next()) {
    if (reader.tag_and_type() == bytes(fields.name)) {
      name = reader.get_string();
    } else if (reader.tag_and_type() == bytes(fields.blobs)) {
      blobs.push_back(parse_blob(pbf_reader(reader.get_view())));
    } else if (fields.nested != 0 && reader.tag_and_type() == bytes(fields.nested)) {
      parse_layer(pbf_reader(reader.get_view()), kV0, all);
    } else {
      reader.skip();
    }
  }
  if (!blobs.empty()) all.insert_or_assign(std::move(name), std::move(blobs));
}

// clang-format on

}  // namespace

Blobs read_blobs(const MappedFile& file) {
  const Location where{.file = file.name()};
  Blobs all;
  try {
    pbf_reader reader(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
    while (reader.next()) {
      switch (reader.tag_and_type()) {
        case bytes(100):
          parse_layer(pbf_reader(reader.get_view()), kNewest, all);
          break;
        case bytes(2):
          parse_layer(pbf_reader(reader.get_view()), kV1, all);
          break;
        default:
          reader.skip();
      }
    }
  } catch (const protozero::end_of_buffer_exception&) {
    fail(Code::ImportTruncated, where, "the file ends in the middle of a message", "copy or download the file again");
  } catch (const protozero::exception& error) {
    fail(Code::ImportBadFile, where, fmt::format("this is no .caffemodel: {}", error.what()),
         "give the .caffemodel file of the net");
  }
  if (all.empty()) {
    fail(Code::ImportBadFile, where, "the file holds no weights of any layer", "give the .caffemodel file of the net");
  }
  return all;
}

}  // namespace openrknn::caffe
