// The ABI other people's binaries rely on.
#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "openrknn/extension.h"
#include "rknn_api.h"
#include "rknn_custom_op.h"
#include "rknn_matmul_api.h"

extern "C" const char* c99_type_string(int type);
extern "C" const char* c99_matmul_type_string(int type);

namespace {

#if defined(__LP64__)
#define STRUCT(type, size, align) static_assert(sizeof(type) == (size) && alignof(type) == (align));
#define FIELD(type, field, offset) static_assert(offsetof(type, field) == (offset));
#include "capi/abi.inc"
#undef STRUCT
#undef FIELD
#endif

std::string library_path() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&rknn_init), &info);
  return info.dli_fname;
}

/// Names the library defines for others, from its dynamic symbol table.
std::set<std::string> exported_names(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto at = [&]<class T>(T value, size_t offset) {
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const auto header = at(Elf64_Ehdr{}, 0);
  std::set<std::string> names;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = at(Elf64_Shdr{}, header.e_shoff + i * header.e_shentsize);
    if (section.sh_type != SHT_DYNSYM) continue;
    const auto strings = at(Elf64_Shdr{}, header.e_shoff + section.sh_link * header.e_shentsize);
    for (size_t k = 0; k < section.sh_size / sizeof(Elf64_Sym); ++k) {
      const auto symbol = at(Elf64_Sym{}, section.sh_offset + k * sizeof(Elf64_Sym));
      const bool defined = symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
      if (defined) names.insert(bytes.data() + strings.sh_offset + symbol.st_name);
    }
  }
  return names;
}

TEST(CapiAbi, ExportsThe35FunctionsAndNothingElse) {
  const std::set<std::string> expected = {"rknn_init",
                                          "rknn_dup_context",
                                          "rknn_destroy",
                                          "rknn_query",
                                          "rknn_inputs_set",
                                          "rknn_set_batch_core_num",
                                          "rknn_set_core_mask",
                                          "rknn_run",
                                          "rknn_wait",
                                          "rknn_outputs_get",
                                          "rknn_outputs_release",
                                          "rknn_create_mem_from_phys",
                                          "rknn_create_mem_from_fd",
                                          "rknn_create_mem_from_mb_blk",
                                          "rknn_create_mem",
                                          "rknn_create_mem2",
                                          "rknn_destroy_mem",
                                          "rknn_set_weight_mem",
                                          "rknn_set_internal_mem",
                                          "rknn_set_io_mem",
                                          "rknn_set_input_shape",
                                          "rknn_set_input_shapes",
                                          "rknn_mem_sync",
                                          "rknn_register_custom_ops",
                                          "rknn_custom_op_get_op_attr",
                                          "rknn_matmul_create",
                                          "rknn_matmul_create_dynamic_shape",
                                          "rknn_matmul_set_io_mem",
                                          "rknn_matmul_set_core_mask",
                                          "rknn_matmul_set_quant_params",
                                          "rknn_matmul_get_quant_params",
                                          "rknn_matmul_set_dynamic_shape",
                                          "rknn_matmul_run",
                                          "rknn_matmul_destroy",
                                          "rknn_B_normal_layout_to_native_layout"};
  ASSERT_EQ(expected.size(), 35u);
  EXPECT_EQ(exported_names(library_path()), expected);
}

TEST(CapiAbi, TheLibraryIsKnownByItsPlainName) {
  // Without a SONAME a program linked by path would look for that path.
  std::ifstream file(library_path(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto at = [&]<class T>(T value, size_t offset) {
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const auto header = at(Elf64_Ehdr{}, 0);
  std::string soname;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = at(Elf64_Shdr{}, header.e_shoff + i * header.e_shentsize);
    if (section.sh_type != SHT_DYNAMIC) continue;
    const auto strings = at(Elf64_Shdr{}, header.e_shoff + section.sh_link * header.e_shentsize);
    for (size_t k = 0; k < section.sh_size / sizeof(Elf64_Dyn); ++k) {
      const auto entry = at(Elf64_Dyn{}, section.sh_offset + k * sizeof(Elf64_Dyn));
      if (entry.d_tag == DT_SONAME) soname = bytes.data() + strings.sh_offset + entry.d_un.d_val;
    }
  }
  EXPECT_EQ(soname, "librknnrt.so");
}

TEST(CapiAbi, HoldsTheVersionLineThatPeopleGrepFor) {
  std::ifstream file(library_path(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(bytes.find("librknnrt version: 2."), std::string::npos);
}

TEST(CapiAbi, HelpersGiveTheNamesProgramsPrint) {
  EXPECT_STREQ(c99_type_string(RKNN_TENSOR_FLOAT16), "FP16");
  EXPECT_STREQ(c99_type_string(RKNN_TENSOR_BFLOAT16), "BF16");
  EXPECT_STREQ(c99_type_string(RKNN_TENSOR_TYPE_MAX), "UNKNOW");
  EXPECT_STREQ(get_qnt_type_string(RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC), "AFFINE");
  EXPECT_STREQ(get_format_string(RKNN_TENSOR_NC1HWC2), "NC1HWC2");
  EXPECT_STREQ(c99_matmul_type_string(11), "RKNN_INT8_MM_INT4_TO_INT32");
  EXPECT_STREQ(c99_matmul_type_string(15), "UNKNOW");
}

}  // namespace
