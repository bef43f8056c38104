// Writes small ONNX models for tests. Field numbers as in onnx/onnx.proto3.
#pragma once

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "compiler/importers/importer.h"

namespace openrknn::onnx_test {

using protozero::pbf_writer;

/// Serialized messages are strings; a model is put together from them.
using Message = std::string;
using Names = std::vector<std::string>;

template <class Fill>
Message message(const Fill& fill) {
  Message out;
  pbf_writer writer(out);
  fill(writer);
  return out;
}

// Attributes (AttributeProto).
inline Message attribute(const std::string& name, int64_t value) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_int64(3, value);
    w.add_int32(20, 2);
  });
}
inline Message attribute(const std::string& name, int value) { return attribute(name, int64_t{value}); }
inline Message attribute(const std::string& name, float value) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_float(2, value);
    w.add_int32(20, 1);
  });
}
inline Message attribute(const std::string& name, const char* value) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_bytes(4, std::string(value));
    w.add_int32(20, 3);
  });
}
inline Message attribute(const std::string& name, const std::vector<int64_t>& values) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    for (const int64_t v : values) w.add_int64(8, v);
    w.add_int32(20, 7);
  });
}
inline Message attribute(const std::string& name, const std::vector<float>& values) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_packed_float(7, values.begin(), values.end());
    w.add_int32(20, 6);
  });
}
inline Message tensor_attribute(const std::string& name, const Message& tensor) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_message(5, tensor);
    w.add_int32(20, 4);
  });
}
inline Message graph_attribute(const std::string& name, const Message& graph) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_message(6, graph);
    w.add_int32(20, 5);
  });
}
/// Inside a function: stands for the call's attribute `source`.
inline Message reference(const std::string& name, const std::string& source, int kind) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_int32(20, kind);
    w.add_string(21, source);
  });
}

// Tensors (TensorProto).
inline Message raw_tensor(const std::string& name, int type, const Shape& dims, std::string_view raw) {
  return message([&](pbf_writer& w) {
    for (const int64_t d : dims) w.add_int64(1, d);
    w.add_int32(2, type);
    w.add_string(8, name);
    w.add_bytes(9, raw.data(), raw.size());
  });
}
template <class T>
Message tensor(const std::string& name, const Shape& dims, const std::vector<T>& values) {
  const int type = std::is_same_v<T, float>     ? 1
                   : std::is_same_v<T, double>  ? 11
                   : std::is_same_v<T, int64_t> ? 7
                   : std::is_same_v<T, int32_t> ? 6
                   : std::is_same_v<T, uint8_t> ? 2
                                                : 3;
  return raw_tensor(name, type, dims, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}
inline Message floats(const std::string& name, const Shape& dims, const std::vector<float>& values) {
  return tensor<float>(name, dims, values);
}
inline Message ints(const std::string& name, const std::vector<int64_t>& values) {
  return tensor<int64_t>(name, {static_cast<int64_t>(values.size())}, values);
}
inline Message bool_scalar(const std::string& name, bool value) {
  return raw_tensor(name, 9, {}, std::string(1, value ? '\1' : '\0'));
}
inline Message external_tensor(const std::string& name, int type, const Shape& dims, const Names& keys_and_values) {
  return message([&](pbf_writer& w) {
    for (const int64_t d : dims) w.add_int64(1, d);
    w.add_int32(2, type);
    w.add_string(8, name);
    for (size_t i = 0; i + 1 < keys_and_values.size(); i += 2) {
      w.add_message(13, message([&](pbf_writer& p) {
                      p.add_string(1, keys_and_values[i]);
                      p.add_string(2, keys_and_values[i + 1]);
                    }));
    }
    w.add_int32(14, 1);
  });
}

/// An extent of a declared shape: a number, a symbol, or nothing.
struct Dim {
  Dim(int value) : number(value) {}        // NOLINT: {1, "height"} reads as a shape
  Dim(const char* name) : symbol(name) {}  // NOLINT
  int64_t number = 0;
  std::string symbol;
};
/// ValueInfoProto of a tensor of ONNX element type `type`.
inline Message value(const std::string& name, const std::vector<Dim>& dims, int type = 1) {
  const Message shape = message([&](pbf_writer& w) {
    for (const Dim& d : dims) {
      w.add_message(1, message([&](pbf_writer& p) {
                      if (!d.symbol.empty())
                        p.add_string(2, d.symbol);
                      else if (d.number != 0)
                        p.add_int64(1, d.number);
                    }));
    }
  });
  const Message tensor_type = message([&](pbf_writer& w) {
    w.add_int32(1, type);
    w.add_message(2, shape);
  });
  const Message type_proto = message([&](pbf_writer& w) { w.add_message(1, tensor_type); });
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_message(2, type_proto);
  });
}
/// A value whose type and shape the file does not tell.
inline Message untyped(const std::string& name) {
  return message([&](pbf_writer& w) { w.add_string(1, name); });
}

inline Message node(const std::string& op, const Names& inputs, const Names& outputs,
                    const std::vector<Message>& attributes = {}, const std::string& name = {},
                    const std::string& domain = {}) {
  return message([&](pbf_writer& w) {
    for (const std::string& input : inputs) w.add_string(1, input);
    for (const std::string& output : outputs) w.add_string(2, output);
    if (!name.empty()) w.add_string(3, name);
    w.add_string(4, op);
    for (const Message& a : attributes) w.add_message(5, a);
    if (!domain.empty()) w.add_string(7, domain);
  });
}

struct GraphParts {
  std::vector<Message> nodes, inputs, outputs, initializers, values;
};
inline Message graph(const GraphParts& parts) {
  return message([&](pbf_writer& w) {
    for (const Message& m : parts.nodes) w.add_message(1, m);
    w.add_string(2, "test graph");
    for (const Message& m : parts.initializers) w.add_message(5, m);
    for (const Message& m : parts.inputs) w.add_message(11, m);
    for (const Message& m : parts.outputs) w.add_message(12, m);
    for (const Message& m : parts.values) w.add_message(13, m);
  });
}

inline Message opset_id(const std::string& domain, int64_t version) {
  return message([&](pbf_writer& w) {
    w.add_string(1, domain);
    w.add_int64(2, version);
  });
}

struct ModelParts {
  int64_t opset = 17, ir_version = 8;
  std::vector<Message> functions, more_opsets;
  std::vector<std::pair<std::string, std::string>> metadata;
};
inline Message model(const GraphParts& parts, const ModelParts& more = {}) {
  return message([&](pbf_writer& w) {
    w.add_int64(1, more.ir_version);
    w.add_string(2, "openrknn tests");
    w.add_message(7, graph(parts));
    w.add_message(8, opset_id("", more.opset));
    for (const Message& m : more.more_opsets) w.add_message(8, m);
    for (const auto& [key, text] : more.metadata) {
      w.add_message(14, message([&, &k = key, &t = text](pbf_writer& p) {
                      p.add_string(1, k);
                      p.add_string(2, t);
                    }));
    }
    for (const Message& m : more.functions) w.add_message(25, m);
  });
}

inline Message function(const std::string& domain, const std::string& name, const Names& inputs, const Names& outputs,
                        const std::vector<Message>& nodes, int64_t opset, const std::vector<Message>& defaults = {}) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    for (const std::string& input : inputs) w.add_string(4, input);
    for (const std::string& output : outputs) w.add_string(5, output);
    for (const Message& m : nodes) w.add_message(7, m);
    w.add_message(9, opset_id("", opset));
    w.add_string(10, domain);
    for (const Message& m : defaults) w.add_message(11, m);
  });
}

/// A folder of its own that disappears with the object.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "openrknn-onnx-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Graph import_bytes(std::string_view bytes, const ImportOptions& options = {}) {
  const Folder folder;
  return import_onnx(folder.write("model.onnx", bytes), options);
}
inline Graph import_model(const GraphParts& parts, int64_t opset = 17, const ImportOptions& options = {}) {
  ModelParts more;
  more.opset = opset;
  return import_bytes(model(parts, more), options);
}

/// What importing complains about; empty diagnostics if it does not.
template <class Import>
std::vector<Diagnostic> problems_of(const Import& import) {
  try {
    import();
  } catch (const Error& error) {
    return error.diagnostics;
  }
  return {};
}

/// Live nodes' operators in order.
inline Names ops_of(const Graph& graph) {
  Names ops;
  for (const NodeId id : graph.order()) ops.push_back(graph[id].op);
  return ops;
}
inline const Node& only(const Graph& graph, std::string_view op) {
  for (const NodeId id : graph.order()) {
    if (graph[id].op == op) return graph[id];
  }
  throw std::runtime_error("no node " + std::string(op));
}

}  // namespace openrknn::onnx_test
