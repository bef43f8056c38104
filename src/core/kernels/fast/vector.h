// Vectors of float and int32 as values, on the compiler's own vector types. Isa (fast/<cpu>/isa.h) names the width and
// the few operations the language lacks.
//
// One definition rule: the same template compiled with and without AVX-512 must never meet under one name, or the
// linker keeps whichever comes first. So every template of an inner loop has Isa among its arguments (a distinct type
// per folder), and everything small is always inlined. Inner loops call nothing from std.
#pragma once

#include <cstddef>
#include <cstdint>

#define OPENRKNN_INLINE [[gnu::always_inline]] inline

namespace openrknn::fast {

/// The compiler's vector types for registers of 16, 32 and 64 bytes.
template <int kBytes>
struct Registers;
#define OPENRKNN_REGISTERS(bytes)                               \
  template <>                                                   \
  struct Registers<bytes> {                                     \
    typedef float Floats __attribute__((vector_size(bytes)));   \
    typedef int32_t Ints __attribute__((vector_size(bytes)));   \
    typedef double Doubles __attribute__((vector_size(bytes))); \
    typedef int8_t Bytes __attribute__((vector_size(bytes)));   \
  };
OPENRKNN_REGISTERS(16)
OPENRKNN_REGISTERS(32)
OPENRKNN_REGISTERS(64)
#undef OPENRKNN_REGISTERS

template <class Isa>
struct Ints {
  using Raw = typename Registers<Isa::kBytes>::Ints;
  Raw raw;

  Ints() = default;
  OPENRKNN_INLINE explicit Ints(int32_t c) : raw(c + Raw{}) {}
  OPENRKNN_INLINE Ints(Raw r) : raw(r) {}
};

template <class Isa>
struct Floats {
  using Raw = typename Registers<Isa::kBytes>::Floats;
  static constexpr int kLanes = Isa::kBytes / 4;
  Raw raw;

  Floats() = default;
  OPENRKNN_INLINE explicit Floats(float c) : raw(c - Raw{}) {}  // c - 0 is c, -0 included
  OPENRKNN_INLINE Floats(Raw r) : raw(r) {}
};

// The operators math.h uses, lane by lane.
#define OPENRKNN_OPERATOR(Type, Result, op)                           \
  template <class Isa>                                                \
  OPENRKNN_INLINE Result<Isa> operator op(Type<Isa> a, Type<Isa> b) { \
    return Result<Isa>(a.raw op b.raw);                               \
  }
OPENRKNN_OPERATOR(Floats, Floats, +)
OPENRKNN_OPERATOR(Floats, Floats, -)
OPENRKNN_OPERATOR(Floats, Floats, *)
OPENRKNN_OPERATOR(Floats, Floats, /)
OPENRKNN_OPERATOR(Floats, Ints, <)
OPENRKNN_OPERATOR(Floats, Ints, >)
OPENRKNN_OPERATOR(Floats, Ints, >=)
OPENRKNN_OPERATOR(Floats, Ints, ==)
OPENRKNN_OPERATOR(Floats, Ints, !=)
OPENRKNN_OPERATOR(Ints, Ints, +)
OPENRKNN_OPERATOR(Ints, Ints, -)
OPENRKNN_OPERATOR(Ints, Ints, *)
OPENRKNN_OPERATOR(Ints, Ints, |)
#undef OPENRKNN_OPERATOR
#define OPENRKNN_OPERATOR(op)                                     \
  template <class Isa>                                            \
  OPENRKNN_INLINE Ints<Isa> operator op(Ints<Isa> a, int32_t b) { \
    return Ints<Isa>(a.raw op b);                                 \
  }
OPENRKNN_OPERATOR(+)
OPENRKNN_OPERATOR(-)
OPENRKNN_OPERATOR(&)
OPENRKNN_OPERATOR(<<)
OPENRKNN_OPERATOR(>>)
OPENRKNN_OPERATOR(!=)
#undef OPENRKNN_OPERATOR

template <class Isa>
OPENRKNN_INLINE Floats<Isa> operator-(Floats<Isa> a) {
  return Floats<Isa>(-a.raw);
}
template <class Isa>
OPENRKNN_INLINE Floats<Isa> fma(Floats<Isa> a, Floats<Isa> b, Floats<Isa> c) {
  return Floats<Isa>(Isa::fma(a.raw, b.raw, c.raw));
}
template <class Isa>
OPENRKNN_INLINE Floats<Isa> square_root(Floats<Isa> a) {
  return Floats<Isa>(Isa::square_root(a.raw));
}
template <class Isa>
OPENRKNN_INLINE Floats<Isa> select(Ints<Isa> mask, Floats<Isa> a, Floats<Isa> b) {
  return Floats<Isa>(mask.raw ? a.raw : b.raw);
}
template <class Isa>
OPENRKNN_INLINE Ints<Isa> bits(Floats<Isa> a) {
  return Ints<Isa>((typename Ints<Isa>::Raw)a.raw);
}
template <class Isa>
OPENRKNN_INLINE Floats<Isa> bits_to(Floats<Isa>, Ints<Isa> a) {
  return Floats<Isa>((typename Floats<Isa>::Raw)a.raw);
}

/// Unaligned access to a whole vector of whatever type.
template <class V>
OPENRKNN_INLINE V load(const void* from) {
  V v;
  __builtin_memcpy(&v.raw, from, sizeof(v.raw));
  return v;
}
template <class V>
OPENRKNN_INLINE void store(void* to, V v) {
  __builtin_memcpy(to, &v.raw, sizeof(v.raw));
}
/// The first `count` lanes only; the others are not touched. A tail costs little, so the plain loop will do.
template <class Isa>
OPENRKNN_INLINE void store_first(float* to, Floats<Isa> v, int64_t count) {
  Isa::store_first(to, v.raw, count);
}
template <class Isa>
OPENRKNN_INLINE Floats<Isa> load_first(const float* from, int64_t count) {
  return Floats<Isa>(Isa::load_first(from, count));
}

}  // namespace openrknn::fast
