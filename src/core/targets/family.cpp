#include "core/targets/family.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/base/error.h"

namespace openrknn {
namespace {

struct FamilyRow {
  Family family;
  std::string_view name;
  std::array<std::string_view, 2> targets;
};
constexpr std::array<FamilyRow, kFamilyCount> kFamilies = {{
    {Family::Rk356x, "RK3566, RK3568", {"rk3566", "rk3568"}},
    {Family::Rk3588, "RK3588", {"rk3588"}},
    {Family::Rk3562, "RK3562", {"rk3562"}},
    {Family::Rk3576, "RK3576, RV1126B", {"rk3576", "rv1126b"}},
    {Family::Rv1106, "RV1103, RV1106", {"rv1103", "rv1106"}},
    {Family::Rv1106b, "RV1103B, RV1106B", {"rv1103b", "rv1106b"}},
    {Family::Rk2118, "RK2118", {"rk2118"}},
}};

}  // namespace

Family family_of(const Target& target) {
  for (const FamilyRow& row : kFamilies) {
    if (std::find(row.targets.begin(), row.targets.end(), target.name) != row.targets.end()) return row.family;
  }
  fail(Code::Internal, "target '" + std::string(target.name) + "' belongs to no family");
}

std::string_view name(Family family) { return kFamilies[static_cast<size_t>(family)].name; }

}  // namespace openrknn
