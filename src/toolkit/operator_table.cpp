#include "toolkit/operator_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/graph/custom.h"
#include "core/graph/schema.h"
#include "core/kernels/kernel.h"
#include "core/targets/operator_placement.h"

namespace openrknn {
namespace {

constexpr std::array<std::string_view, 6> kQuantRules = {"own range",     "as input", "shared",
                                                         "natural range", "float16",  "index"};
constexpr std::array<std::string_view, 4> kLayoutRules = {"any", "any, axes follow", "channels last", "logical"};
constexpr std::array<std::string_view, 4> kPlaceTexts = {"NPU", "NPU if", "CPU", "–"};

/// "kernel" of "kernel_avx2": rows of several CPUs are one kernel to the reader.
std::string_view without_cpu(std::string_view kernel) {
  for (const std::string_view suffix : {"_avx512vnni", "_avx512", "_avx2", "_neon", "_dotprod", "_baseline"}) {
    if (kernel.ends_with(suffix)) return kernel.substr(0, kernel.size() - suffix.size());
  }
  return kernel;
}

std::string kernels_of(std::string_view op) {
  std::vector<std::string_view> names;
  for (const Kernel& kernel : builtin_kernels()) {
    if (kernel.op != op) continue;
    const std::string_view name = without_cpu(kernel.name);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// A guess of operands: which inputs are data, and what the others and the result are.
struct Guess {
  uint32_t data_inputs;
  DType other, result;
  Shape shape;
  Layout layout;
};

std::vector<Guess> guesses(const OpSchema& schema, DType dtype) {
  std::vector<Guess> list;
  for (const uint32_t data : {schema.data_inputs, 1u, 0b101u, 0b110u}) {
    for (const DType other : {dtype, DType::Int64, DType::Bool, DType::Float32, DType::Int16}) {
      for (const DType result : {dtype, DType::Int64, DType::Bool, DType::Float32}) {
        for (const Shape& shape : {Shape{1, 4, 4, 4}, Shape{4, 4}, Shape{4}}) {
          for (const Layout layout : {Layout::Logical, Layout::ChannelsLast}) {
            list.push_back({data, other, result, shape, layout});
          }
        }
      }
    }
  }
  return list;
}

/// Asks the kernels themselves: does one take data inputs of this type, whatever the other inputs are?
bool computes(const OpSchema& schema, std::span<const Kernel> kernels, DType dtype, bool quantized) {
  static const QuantParams quant{.scale = {1.0}, .zero_point = {0}};
  const Shape table{256};
  Node node;
  node.op = schema.name;
  if (quantized) node.fixed.emplace().scale.assign(4, {1, 0});
  // Optional inputs are left out, but for the tables of integer forms.
  const int most = std::max(1, quantized ? std::min(schema.inputs.most, schema.inputs.least + 3) : schema.inputs.least);
  for (int count = std::max(1, schema.inputs.least); count <= most; ++count) {
    for (const Guess& guess : guesses(schema, dtype)) {
      const uint32_t required = (1u << std::max(1, schema.inputs.least)) - 1;
      if ((guess.data_inputs & required) == 0) continue;
      std::vector<Operand> inputs, outputs;
      for (int i = 0; i < count; ++i) {
        const bool is_table = i >= schema.inputs.least && schema.inputs.most != kMany;
        const bool is_data = schema.inputs.most == kMany || (i < 32 && (guess.data_inputs >> i & 1) != 0);
        Operand operand{.dtype = is_data ? dtype : guess.other, .shape = guess.shape, .layout = guess.layout};
        if (quantized && is_table) operand.shape = table;
        if (quantized && !is_table && operand.dtype == dtype) operand.quant = &quant;
        inputs.push_back(operand);
      }
      for (int i = 0; i < std::max(1, schema.outputs.least); ++i) {
        Operand operand{.dtype = guess.result, .shape = guess.shape, .layout = guess.layout};
        if (quantized && guess.result == dtype) operand.quant = &quant;
        outputs.push_back(operand);
      }
      const Call call{node, inputs, outputs, &all_laws().front(), quantized};  // ideal: nothing lowered is asked for
      if (choose_kernel(kernels, call, 0) != nullptr) return true;
    }
  }
  return false;
}

struct TypeGroup {
  std::string_view name;
  std::vector<DType> types;
};

/// The longest names first: "integers" rather than eight types.
const std::vector<TypeGroup>& type_groups() {
  static const std::vector<TypeGroup> groups = {
      {"integers",
       {DType::Int8, DType::UInt8, DType::Int16, DType::UInt16, DType::Int32, DType::UInt32, DType::Int64,
        DType::UInt64}},
      {"4-bit integers", {DType::Int4, DType::UInt4}},
  };
  return groups;
}

std::vector<Kernel> reference_kernels_of(const OpSchema& schema) {
  std::vector<Kernel> kernels;
  for (const Kernel& kernel : reference_kernels()) {
    if (kernel.op == schema.name) kernels.push_back(kernel);
  }
  return kernels;
}

bool computes_codes(const OpSchema& schema, DType dtype) {
  if (schema.name == kCustomOp) return false;  // its one row accepts every call
  return schema.quant != QuantRule::Index && computes(schema, reference_kernels_of(schema), dtype, true);
}

std::string_view quant_rule_of(const OpSchema& schema) {
  if (schema.quant == QuantRule::Float && computes_codes(schema, DType::Int8)) return "float16 or codes";
  return kQuantRules[static_cast<size_t>(schema.quant)];
}

std::string types_of(const OpSchema& schema) {
  const std::vector<Kernel> kernels = reference_kernels_of(schema);
  std::vector<DType> types;
  for (int i = 0; i < kDTypeCount; ++i) {
    if (computes(schema, kernels, static_cast<DType>(i), false)) types.push_back(static_cast<DType>(i));
  }
  std::vector<std::string> words;
  for (const TypeGroup& group : type_groups()) {
    const auto is_there = [&](DType dtype) { return std::find(types.begin(), types.end(), dtype) != types.end(); };
    if (!std::all_of(group.types.begin(), group.types.end(), is_there)) continue;
    std::erase_if(types, [&](DType dtype) {
      return std::find(group.types.begin(), group.types.end(), dtype) != group.types.end();
    });
    words.emplace_back(group.name);
  }
  std::vector<std::string> single;
  for (const DType dtype : types) single.emplace_back(name(dtype));
  words.insert(words.begin(), single.begin(), single.end());
  if (computes_codes(schema, DType::Int8)) words.emplace_back("int8 codes");
  if (computes_codes(schema, DType::Int16)) words.emplace_back("int16 codes");
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string arity_text(const Arity& arity) {
  if (arity.most == kMany) return fmt::format("{} or more", arity.least);
  return arity.least == arity.most ? fmt::format("{}", arity.least) : fmt::format("{} to {}", arity.least, arity.most);
}

std::string attributes_of(const OpSchema& schema) {
  std::vector<std::string> attributes;
  for (const AttributeSpec& attribute : schema.attributes) {
    attributes.push_back(fmt::format("`{}`{}", attribute.name, attribute.required ? " (required)" : ""));
  }
  return fmt::format("{}", fmt::join(attributes, " "));
}

/// For a cell of a table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

void add_canonical(std::string& text) {
  text +=
      "\n## Operators of the graph\n"
      "Inputs counts optional ones in. Quantized: *own range*: int8 with a scale of its own; *as input*: codes keep\n"
      "their scale; *shared*: all operands share one; *natural range*: a range that follows from the function;\n"
      "*float16*: computed between converts; *float16 or codes*: on codes where all its neighbours are integer nodes;\n"
      "*index*: integers and truth values, never quantized. A kernel called `…_reference` defines the result; the\n"
      "others give the same bits sooner (docs/executor.md).\n\n"
      "| operator | meaning | inputs | types | attributes | layout | quantized | kernels |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const OpSchema& schema : all_schemas()) {
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", schema.name, cell(schema.summary),
                    arity_text(schema.inputs), types_of(schema), attributes_of(schema),
                    kLayoutRules[static_cast<size_t>(schema.layout)], quant_rule_of(schema), kernels_of(schema.name));
  }
}

void add_placement(std::string& text) {
  text +=
      "\n## Where SoCs compute them\n"
      "int8 / float16 builds. *NPU if*: under the condition of the last column, else on the CPU where it has a "
      "kernel.\n"
      "A dash: neither, so that a model with this operator runs on the simulator only. The simulator computes all, "
      "and\n"
      "its bits do not depend on the place. Shapes that are computed (Shape, Size, Range, ConstantOfShape, Trilu) are\n"
      "constants once a model is compiled.\n\n| operator |";
  for (int i = 0; i < kFamilyCount; ++i) text += fmt::format(" {} |", name(static_cast<Family>(i)));
  text += " condition |\n|---|";
  for (int i = 0; i < kFamilyCount; ++i) text += "---|";
  text += "---|\n";
  const auto place = [](std::string_view op, int family, DType dtype) {
    return kPlaceTexts[static_cast<size_t>(place_of(op, static_cast<Family>(family), dtype))];
  };
  for (const OpSchema& schema : all_schemas()) {
    std::string row = fmt::format("| {} |", schema.name);
    bool anywhere = false;
    for (int i = 0; i < kFamilyCount; ++i) {
      const std::string_view integer = place(schema.name, i, DType::Int8), half = place(schema.name, i, DType::Float16);
      row += integer == half ? fmt::format(" {} |", integer) : fmt::format(" {} / {} |", integer, half);
      anywhere = anywhere || integer != kPlaceTexts.back() || half != kPlaceTexts.back();
    }
    const OperatorPlacement* placement = find_npu_operator(schema.name);
    if (anywhere) text += fmt::format("{} {} |\n", row, placement == nullptr ? "" : placement->condition);
  }
}

void add_importer(std::string& text, const Importer& importer) {
  const std::vector<SourceOperator> operators = importer.operators();
  const bool has_versions = std::ranges::any_of(operators, [](const SourceOperator& row) { return row.until != 0; });
  text += fmt::format("\n## {}\nRead{}:\n\n", importer.framework,
                      has_versions ? ", with the versions whose forms are known" : "");
  std::map<std::string_view, std::pair<int, int>> read;
  std::map<std::string_view, std::set<std::string_view>> refused;
  for (const SourceOperator& row : operators) {
    if (!row.refused.empty()) {
      refused[row.refused].insert(row.op);
      continue;
    }
    const auto [entry, is_new] = read.try_emplace(row.op, row.since, row.until);
    entry->second.first = std::min(entry->second.first, row.since);
    entry->second.second = std::max(entry->second.second, row.until);
  }
  std::string line;
  for (const auto& [op, versions] : read) {
    const std::string item =
        versions.second == 0 ? std::string(op) : fmt::format("{} {}–{}", op, versions.first, versions.second);
    if (!line.empty() && line.size() + item.size() > 116) {
      text += line + ",\n";
      line.clear();
    }
    line += line.empty() ? item : ", " + item;
  }
  text += line + ".\n\nRefused by name:\n\n| reason | operators |\n|---|---|\n";
  for (const auto& [reason, names] : refused) text += fmt::format("| {} | {} |\n", reason, fmt::join(names, ", "));
}

}  // namespace

std::string operator_markdown() {
  std::string text = "# Operators\nGenerated from the registries (`openrknn operators`).\n";
  add_canonical(text);
  add_placement(text);
  for (const Importer& importer : importers()) add_importer(text, importer);
  return text;
}

}  // namespace openrknn
