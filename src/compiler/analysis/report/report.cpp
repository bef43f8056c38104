#include "compiler/analysis/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "compiler/analysis/report/page.h"
#include "core/base/version.h"
#include "core/executor/needed_nodes.h"
#include "core/graph/custom.h"

namespace openrknn {
namespace {

/// Infinity and NaN, which JSON lacks, as words.
Json decibel(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "exact" : "overflow";
  return number(value);
}

Json json_of(const LayerError& error) {
  return {{"cos", number(error.cosine)}, {"db", decibel(error.sqnr_db)}, {"max", number(error.max_absolute)}};
}

/// Counts of golden's numbers in equal bins from the lowest to the highest.
Json bins_of(const Statistics& seen) {
  constexpr size_t kBins = 96;
  const double low = static_cast<double>(seen.lowest), high = static_cast<double>(seen.highest);
  std::vector<int64_t> bins(kBins);
  const auto put = [&](double value, int64_t count) {
    const double place = high > low ? (value - low) / (high - low) * kBins : 0;
    bins[static_cast<size_t>(std::clamp(place, 0.0, kBins - 1.0))] += count;
  };
  put(0, seen.histogram.zeros());
  for (const Histogram::Block& block : seen.histogram.blocks()) {
    for (uint32_t i = 0; i < Histogram::kBlockSize; ++i) {
      if (block.counts[i] == 0) continue;
      const uint32_t middle =
          (block.index * Histogram::kBlockSize + i) << Histogram::kDroppedBits | 1u << (Histogram::kDroppedBits - 1);
      put(static_cast<double>(std::bit_cast<float>(middle)), block.counts[i]);
    }
  }
  return {{"low", number(low)}, {"high", number(high)}, {"counts", bins}};
}

/// Real numbers of the first and last code.
Json codes_of(const Value& value, const std::vector<int64_t>& counts) {
  const double scale = value.quant->scale.at(0), zero_point = value.quant->zero_point.at(0);
  const double codes = std::exp2(bit_width(value.dtype));
  return {{"low", number((-codes / 2 - zero_point) * scale)},
          {"high", number((codes / 2 - 1 - zero_point) * scale)},
          {"scale", number(scale)},
          {"zero_point", value.quant->zero_point.at(0)},
          {"counts", counts}};
}

class Writer {
 public:
  explicit Writer(const Report& report) : report_(report) {
    for (size_t r = 0; r < report.analysis.layers.size(); ++r) {
      const LayerRow& row = report.analysis.layers[r].row;
      if (!row.is_blank() && !row.is_exact) row_of_.emplace(row.layer, r);
    }
  }

  Json all() const {
    Json facts = Json::array();
    for (const auto& [key, text] : report_.facts) facts.push_back({key, text});
    return {{"model", report_.model}, {"version", version()}, {"diagnosed", report_.recipe != nullptr},
            {"facts", facts},         {"outputs", outputs()}, {"warnings", report_.warnings},
            {"findings", findings()}, {"set", set()},         {"samples", samples()},
            {"layers", layers()},     {"graph", graph()},     {"search", search()},
            {"speed", speed()}};
  }

 private:
  Json search() const {
    if (!report_.search) return nullptr;
    const TradeOff& found = *report_.search;
    Json points = Json::array();
    for (const TradeOff::Point& point : found.points) {
      points.push_back(
          {{"layers", point.layers}, {"macs", number(point.macs_share)}, {"metric", decibel(point.metric)}});
    }
    return {{"target", found.target ? number(*found.target) : Json(nullptr)},
            {"limit", found.max_macs_share < 1 ? number(found.max_macs_share) : Json(nullptr)},
            {"unit", found.is_sqnr ? "dB" : ""},
            {"to", found.lifted_to},
            {"trials", found.trials},
            {"chosen", found.chosen},
            {"points", points}};
  }

  Json speed() const {
    Json list = Json::array();
    for (const Roofline& roofline : report_.speed) list.push_back(json_of(roofline));
    return list;
  }

  Json outputs() const {
    Json list = Json::array();
    for (const ValueId id : report_.built.outputs) {
      const auto row = row_of_.find(report_.built[id].name);
      if (row == row_of_.end()) continue;
      const AnalyzedLayer& layer = report_.analysis.layers[row->second];
      list.push_back({{"name", layer.row.tensor},
                      {"db", decibel(layer.entire.sqnr_db)},
                      {"cos", number(layer.entire.cosine)},
                      {"row", row->second}});
    }
    return list;
  }

  Json findings() const {
    Json list = Json::array();
    for (const LayerFinding& f : report_.findings) {
      list.push_back({{"row", f.row},
                      {"layer", f.layer},
                      {"reason", name(f.reason)},
                      {"evidence", f.evidence},
                      {"fix", f.fix},
                      {"layer_db", {decibel(f.effect.layer_before), decibel(f.effect.layer_after)}},
                      {"output_db", {decibel(f.effect.output_before), decibel(f.effect.output_after)}}});
    }
    return list;
  }

  Json set() const {
    Json list = Json::array();
    for (const SetFinding& f : report_.set_findings) {
      Json entry{{"problem", name(f.problem)}, {"sentence", f.sentence}, {"fix", f.fix}, {"output_db", nullptr}};
      if (!std::isnan(f.sqnr_before)) entry["output_db"] = {decibel(f.sqnr_before), decibel(f.sqnr_after)};
      list.push_back(std::move(entry));
    }
    return list;
  }

  Json samples() const {
    Json list = Json::array();
    const std::vector<ErrorSums>& errors = report_.collected.samples();
    for (size_t i = 0; i < std::min(errors.size(), report_.samples.size()); ++i) {
      const LayerError error = errors[i].error();
      list.push_back({{"name", report_.samples[i]}, {"db", decibel(error.sqnr_db)}, {"cos", number(error.cosine)}});
    }
    return list;
  }

  std::string rule_of(const std::string& layer) const {
    const ValueId id = report_.built.find(layer);
    const NodeId node = id == ValueId::None ? NodeId::None : report_.built[id].producer;
    if (report_.recipe == nullptr || node == NodeId::None) return "";
    const auto precision = report_.recipe->precision.find(node);
    return precision == report_.recipe->precision.end() ? "" : precision->second.rule;
  }

  Json layers() const {
    Json list = Json::array();
    for (size_t r = 0; r < report_.analysis.layers.size(); ++r) {
      const AnalyzedLayer& layer = report_.analysis.layers[r];
      Json entry{{"op", layer.row.op}, {"tensor", layer.row.tensor}};
      if (!layer.row.is_blank()) {
        const Value& value = report_.built[report_.built.find(layer.row.layer)];
        entry["dtype"] = layer.row.dtype;
        entry["shape"] = value.shape;
        entry["rule"] = layer.row.is_exact ? "" : rule_of(layer.row.layer);
        entry["entire"] = json_of(layer.entire);
        entry["single"] = json_of(layer.single);
        entry["clipped"] = number(layer.clipped);
        entry["not_finite"] = layer.not_finite;
        entry["elements"] = layer.elements;
        entry["worst_sample"] = layer.worst_sample;
        const auto seen = report_.seen.find(layer.row.reference);
        if (seen != report_.seen.end() && seen->second.has_range()) entry["floats"] = bins_of(seen->second);
        if (!layer.row.is_exact && value.quant) entry["codes"] = codes_of(value, report_.collected.codes(r));
      }
      list.push_back(std::move(entry));
    }
    return list;
  }

  Json graph() const {
    const Graph& built = report_.built;
    Json nodes = Json::array(), edges = Json::array();
    std::map<ValueId, size_t> from;
    const auto add = [&](const std::string& op, ValueId id) {
      const auto row = row_of_.find(built[id].name);
      from[id] = nodes.size();
      nodes.push_back({{"op", op},
                       {"name", built[id].name},
                       {"dtype", numpy_name(built[id].dtype)},
                       {"rule", rule_of(built[id].name)},
                       {"row", row == row_of_.end() ? Json(nullptr) : Json(row->second)}});
    };
    for (const ValueId id : built.inputs) add("Input", id);
    for (const NodeId node : needed_nodes(built)) {
      const auto first = std::find_if(built[node].outputs.begin(), built[node].outputs.end(),
                                      [](ValueId id) { return id != ValueId::None; });
      const size_t place = nodes.size();
      add(std::string(shown_op(built[node])), *first);
      for (const ValueId id : built[node].outputs) from[id] = place;
      for (const ValueId id : built[node].inputs) {
        const auto source = from.find(id);
        if (id != ValueId::None && source != from.end()) edges.push_back({source->second, place});
      }
    }
    return {{"nodes", nodes}, {"edges", edges}};
  }

  const Report& report_;
  std::map<std::string, size_t, std::less<>> row_of_;  // by value of the built graph
};

}  // namespace

std::string report_html(const Report& report) { return fill_page(Writer(report).all()); }

}  // namespace openrknn
