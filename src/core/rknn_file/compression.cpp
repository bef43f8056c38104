// Layout: u64 bytes unpacked, u64 bytes a chunk unpacked, u64 number of chunks, then of every chunk u64 bytes packed,
// then the chunks. The last one may be shorter; one that is as long packed as it is unpacked was not packed.
#include "core/rknn_file/compression.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20, kHeaderBytes = 24;
// Deflate codes at best 258 bytes in 2 bits: no section stands for more.
constexpr uint64_t kMostRatio = 1032;
constexpr int kLevel = 6;

/// librknnrt.so links nothing but the C library, and most programs never meet such a file: zlib is opened by name. Its
/// ABI has been one since 1.0.
struct Zlib {
  int (*compress2)(unsigned char* out, unsigned long* out_bytes, const unsigned char* in, unsigned long bytes,
                   int level);
  int (*uncompress)(unsigned char* out, unsigned long* out_bytes, const unsigned char* in, unsigned long bytes);
  unsigned long (*compressBound)(unsigned long bytes);
};

const Zlib& zlib() {
  static const Zlib library = [] {
    void* handle = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      fail(Code::RuntimeLibrary, fmt::format("compressed weights need zlib, which could not be opened ({})", dlerror()),
           "install it (Debian, Ubuntu: apt-get install zlib1g), or convert the model without compress_weight");
    }
    Zlib functions{};
    functions.compress2 = reinterpret_cast<decltype(Zlib::compress2)>(dlsym(handle, "compress2"));
    functions.uncompress = reinterpret_cast<decltype(Zlib::uncompress)>(dlsym(handle, "uncompress"));
    functions.compressBound = reinterpret_cast<decltype(Zlib::compressBound)>(dlsym(handle, "compressBound"));
    if (functions.compress2 == nullptr || functions.uncompress == nullptr || functions.compressBound == nullptr) {
      fail(Code::RuntimeLibrary, "libz.so.1 lacks functions of zlib", "install zlib 1.2 or newer");
    }
    return functions;
  }();
  return library;
}

void append(std::string& text, uint64_t number) { text.append(reinterpret_cast<const char*>(&number), sizeof number); }

/// Calls `use` with every chunk of the pieces put one after the other.
template <class Use>
void for_each_chunk(std::span<const Bytes> pieces, const Use& use) {
  std::vector<std::byte> chunk;
  chunk.reserve(kChunkBytes);
  for (Bytes piece : pieces) {
    while (!piece.empty()) {
      const size_t taken = std::min<size_t>(piece.size(), kChunkBytes - chunk.size());
      chunk.insert(chunk.end(), piece.begin(), piece.begin() + static_cast<ptrdiff_t>(taken));
      piece = piece.subspan(taken);
      if (chunk.size() < kChunkBytes) continue;
      use(chunk);
      chunk.clear();
    }
  }
  if (!chunk.empty()) use(chunk);
}

uint64_t number_at(Bytes bytes, uint64_t offset) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

}  // namespace

std::string compress_weights(std::span<const Bytes> pieces) {
  const Zlib& library = zlib();
  std::string sizes, packed;
  uint64_t bytes = 0, chunks = 0;
  std::vector<unsigned char> out(library.compressBound(kChunkBytes));
  for_each_chunk(pieces, [&](const std::vector<std::byte>& chunk) {
    unsigned long size = out.size();
    const auto* in = reinterpret_cast<const unsigned char*>(chunk.data());
    const bool smaller = library.compress2(out.data(), &size, in, chunk.size(), kLevel) == 0 && size < chunk.size();
    append(sizes, smaller ? size : chunk.size());
    packed.append(reinterpret_cast<const char*>(smaller ? out.data() : in), smaller ? size : chunk.size());
    bytes += chunk.size();
    ++chunks;
  });
  std::string section;
  for (const uint64_t number : {bytes, kChunkBytes, chunks}) append(section, number);
  return section + sizes + packed;
}

Unpacked decompress_weights(Bytes section, const std::string& file) {
  const auto refuse = [&](const std::string& problem) {
    fail(Code::RknnInvalid, Location{.file = file}, "section 'weights-zlib' " + problem, "convert the model again");
  };
  if (section.size() < kHeaderBytes) refuse("is cut off");
  const uint64_t bytes = number_at(section, 0), chunk_bytes = number_at(section, 8), chunks = number_at(section, 16);
  const uint64_t room = (section.size() - kHeaderBytes) / 8;
  if (chunk_bytes != kChunkBytes) refuse(fmt::format("has chunks of {} bytes, expected {}", chunk_bytes, kChunkBytes));
  if (chunks > room || bytes > chunks * kChunkBytes || (chunks > 0 && bytes <= (chunks - 1) * kChunkBytes)) {
    refuse(fmt::format("says it has {} chunks and {} bytes, which do not fit together", chunks, bytes));
  }
  if (bytes > section.size() * kMostRatio) refuse(fmt::format("says it stands for {} bytes, which it cannot", bytes));
  constexpr std::align_val_t kAlignment{kSectionAlignment};
  const std::shared_ptr<std::byte> memory(
      static_cast<std::byte*>(::operator new(std::max<uint64_t>(bytes, 1), kAlignment)),
      [](std::byte* p) { ::operator delete(p, kAlignment); });
  const Zlib& library = zlib();
  uint64_t at = kHeaderBytes + chunks * 8;
  for (uint64_t i = 0; i < chunks; ++i) {
    const uint64_t packed = number_at(section, kHeaderBytes + i * 8);
    const uint64_t expected = std::min(kChunkBytes, bytes - i * kChunkBytes);
    if (packed > section.size() - at || packed > expected) refuse(fmt::format("says chunk {} has {} bytes", i, packed));
    std::byte* to = memory.get() + i * kChunkBytes;
    if (packed == expected) {
      std::memcpy(to, section.data() + at, packed);
    } else {
      unsigned long size = expected;
      const int code = library.uncompress(reinterpret_cast<unsigned char*>(to), &size,
                                          reinterpret_cast<const unsigned char*>(section.data() + at), packed);
      if (code != 0 || size != expected) refuse(fmt::format("cannot be unpacked: chunk {} is damaged", i));
    }
    at += packed;
  }
  if (at != section.size()) refuse(fmt::format("has {} bytes behind its last chunk", section.size() - at));
  return {memory, {memory.get(), static_cast<size_t>(bytes)}};
}

}  // namespace openrknn
