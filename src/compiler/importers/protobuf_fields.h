// Fields of protobuf as the cases of a switch: the number and the wire type. A field whose wire type is not the
// schema's is skipped, as protobuf does, and protozero asserts that nobody reads it.
#pragma once

#include <protozero/pbf_reader.hpp>

namespace openrknn::protobuf {

constexpr uint32_t varint(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::varint); }
constexpr uint32_t bytes(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}
constexpr uint32_t fixed32(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed32); }
constexpr uint32_t fixed64(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed64); }

}  // namespace openrknn::protobuf
