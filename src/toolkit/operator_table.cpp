#include "toolkit/operator_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/graph/schema.h"
#include "core/kernels/kernel.h"
#include "core/targets/operator_placement.h"

namespace openrknn {
namespace {

constexpr std::array<std::string_view, 6> kQuantRules = {"own range",     "as input", "shared",
                                                         "natural range", "float16",  "index"};
constexpr std::array<std::string_view, 4> kLayoutRules = {"any", "any, axes follow", "channels last", "logical"};
constexpr std::array<std::string_view, 4> kPlaces = {"NPU", "NPU if", "CPU", "–"};

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
      "*float16*: computed between converts; *index*: integers and truth values, never quantized. A kernel called\n"
      "`…_reference` defines the result; the others give the same bits sooner (docs/executor.md).\n\n"
      "| operator | meaning | inputs | attributes | layout | quantized | kernels |\n|---|---|---|---|---|---|---|\n";
  for (const OpSchema& schema : all_schemas()) {
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", schema.name, cell(schema.summary),
                    arity_text(schema.inputs), attributes_of(schema), kLayoutRules[static_cast<size_t>(schema.layout)],
                    kQuantRules[static_cast<size_t>(schema.quant)], kernels_of(schema.name));
  }
}

void add_placement(std::string& text) {
  text +=
      "\n## Where SoCs compute them\n"
      "int8 / float16 builds. *NPU if*: under the condition of the last column, else on the CPU where it has a "
      "kernel.\n"
      "A dash: neither, so that a model with this operator runs on the simulator only. The simulator computes all, "
      "and\n"
      "its bits do not depend on the place.\n\n| operator |";
  for (int i = 0; i < kFamilyCount; ++i) text += fmt::format(" {} |", name(static_cast<Family>(i)));
  text += " condition |\n|---|";
  for (int i = 0; i < kFamilyCount; ++i) text += "---|";
  text += "---|\n";
  const auto place = [](std::string_view op, int family, DType dtype) {
    return kPlaces[static_cast<size_t>(place_of(op, static_cast<Family>(family), dtype))];
  };
  for (const OpSchema& schema : all_schemas()) {
    std::string row = fmt::format("| {} |", schema.name);
    bool anywhere = false;
    for (int i = 0; i < kFamilyCount; ++i) {
      const std::string_view integer = place(schema.name, i, DType::Int8), half = place(schema.name, i, DType::Float16);
      row += integer == half ? fmt::format(" {} |", integer) : fmt::format(" {} / {} |", integer, half);
      anywhere = anywhere || integer != kPlaces.back() || half != kPlaces.back();
    }
    const OperatorPlacement* placement = find_npu_operator(schema.name);
    if (anywhere) text += fmt::format("{} {} |\n", row, placement == nullptr ? "" : placement->condition);
  }
}

void add_importer(std::string& text, const Importer& importer) {
  const std::vector<SourceOperator> operators = importer.operators();
  text += fmt::format("\n## {}\nRead, with the versions whose forms are known:\n\n", importer.framework);
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
    const std::string item = fmt::format("{} {}–{}", op, versions.first, versions.second);
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
