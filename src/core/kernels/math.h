// Elementary functions whose results are the same bits on every CPU.
//
// libm differs between C libraries and has no vector form, so each function is written here once, as a template over
// V: `float`, or a vector of floats (fast/vector.h). Only operations that round alike in scalar and SIMD code are used:
// + - * / sqrt, fma, compare and select, integer arithmetic on the bits. Hence every lane equals the scalar result.
//
// Errors are against the exact result, measured over every float exponent by tests/kernels/fast_math_test.cpp. One ULP
// is the spacing of floats at the result. NaN in gives the one quiet NaN 0x7fc00000 out: propagated payloads and the
// sign of a fresh NaN differ between x86 and aarch64.
//
// Besides arithmetic and comparison, V offers (found by argument-dependent lookup): V(float) for constants,
// fma(a, b, c), select(mask, a, b), square_root, bits(V) to lanes of int32, bits_to(like, int lanes), and
// reduce_quarter_turns. Everything is always inlined: these templates also live in translation units that are compiled
// for one CPU kind, and the linker must never take such a body for the baseline's.
#pragma once

#include <bit>
#include <cstdint>

namespace openrknn::math {

#define OPENRKNN_MATH [[gnu::always_inline]] inline

// ---- V = float ----

OPENRKNN_MATH float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
OPENRKNN_MATH float square_root(float a) { return __builtin_sqrtf(a); }
OPENRKNN_MATH float select(bool mask, float a, float b) { return mask ? a : b; }
OPENRKNN_MATH int32_t bits(float a) { return std::bit_cast<int32_t>(a); }
OPENRKNN_MATH float bits_to(float, int32_t a) { return std::bit_cast<float>(a); }

// ---- Shared pieces ----

inline constexpr float kInfinity = __builtin_inff();
inline constexpr float kQuietNan = std::bit_cast<float>(0x7fc00000u);

/// y, or the canonical NaN where x is NaN.
template <class V>
OPENRKNN_MATH V canonical(V x, V y) {
  return select(x != x, V(kQuietNan), y);
}
/// Both return b where a is NaN.
template <class V>
OPENRKNN_MATH V minimum(V a, V b) {
  return select(a < b, a, b);
}
template <class V>
OPENRKNN_MATH V maximum(V a, V b) {
  return select(a > b, a, b);
}
template <class V>
OPENRKNN_MATH V absolute(V x) {
  return bits_to(x, bits(x) & 0x7fffffff);
}
template <class V>
OPENRKNN_MATH V copy_sign(V magnitude, V sign) {
  return bits_to(sign, (bits(magnitude) & 0x7fffffff) | (bits(sign) & static_cast<int32_t>(0x80000000u)));
}

/// Coefficients lowest power first; Horner with fma.
template <class V>
OPENRKNN_MATH V polynomial(V, float c) {
  return V(c);
}
template <class V, class... Floats>
OPENRKNN_MATH V polynomial(V x, float c, Floats... higher) {
  return fma(polynomial(x, higher...), x, V(c));
}

/// x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
template <class V>
struct ExpParts {
  decltype(bits(V(0.0f))) n;
  V r_minus_one;  ///< e^r - 1
};
template <class V>
OPENRKNN_MATH ExpParts<V> split_exp(V x) {
  const float kRound = 12582912.0f;
  const V shifted = fma(x, V(1.44269504f), V(kRound));
  const V n = shifted - V(kRound);
  V r = fma(n, V(-0x1.62e400p-1f), x);  // ln 2 in two pieces: the first has 15 bits, n * piece is exact
  r = fma(n, V(-0x1.7f7d1cp-20f), r);
  const V tail = polynomial(r, 0x1.fffffep-2f, 0x1.5554b4p-3f, 0x1.5556f2p-5f, 0x1.12254ap-7f, 0x1.6b9c68p-10f);
  return {bits(shifted) - std::bit_cast<int32_t>(kRound), fma(r * r, tail, r)};
}
/// 2^n for -126 <= n <= 127.
template <class V, class Int>
OPENRKNN_MATH V power_of_two(V like, Int n) {
  return bits_to(like, (n + 127) << 23);
}

// ---- Exponential and logarithm ----

/// e^x. At most 1.1 ULP; results below 2^-126 are subnormals rounded once more (1.5 ULP there).
template <class V>
OPENRKNN_MATH V exp(V x) {
  // Beyond these the result is inf or 0 anyway, and n stays small enough for two exact powers of two. 0 is not left to
  // the product: CPUs take ten times as long over one that underflows, and the masked values of a Softmax all do.
  const auto vanishes = x < V(-104.0f);
  const V clamped = minimum(select(vanishes, V(0.0f), x), V(89.0f));
  const auto parts = split_exp(clamped);
  const auto half = parts.n >> 1;  // two steps: 2^128 and 2^-149 are not single factors
  const V y = (parts.r_minus_one + V(1.0f)) * power_of_two(x, half) * power_of_two(x, parts.n - half);
  return canonical(x, select(vanishes, V(0.0f), y));
}

/// e^x - 1 without cancellation near 0. At most 1.5 ULP.
template <class V>
OPENRKNN_MATH V expm1(V x) {
  const V clamped = minimum(maximum(x, V(-20.0f)), V(89.0f));
  const auto parts = split_exp(clamped);
  const auto half = parts.n >> 1;
  const V a = power_of_two(x, half), b = power_of_two(x, parts.n - half);
  // 2^n (1 + p) - 1, where n = 128 overflows only in the last factor.
  const V y = fma(parts.r_minus_one * a, b, fma(a, b, V(-1.0f)));
  const V large = (parts.r_minus_one + V(1.0f)) * a * b;  // inf + p * inf would lose the sign of p
  return canonical(x, select(x == V(0.0f), x, select(x > V(80.0f), large, y)));
}

/// ln x. At most 0.8 ULP. ln 0 = -inf; below 0: NaN.
template <class V>
OPENRKNN_MATH V log(V x) {
  const auto subnormal = x < V(0x1p-126f);
  const V scaled = select(subnormal, x * V(0x1p23f), x);
  // m in [sqrt(1/2), sqrt(2)): subtracting the bits of sqrt(1/2) makes the exponent field round where we want.
  const int32_t kRootHalf = 0x3f3504f3;
  const auto exponent = (bits(scaled) - kRootHalf) >> 23;
  const V m = bits_to(x, bits(scaled) - (exponent << 23));
  const V whole = bits_to(x, exponent + std::bit_cast<int32_t>(12582912.0f)) - V(12582912.0f);
  const V e = whole - select(subnormal, V(23.0f), V(0.0f));
  const V f = m - V(1.0f), f2 = f * f;
  V y = polynomial(f, 0x1.555548p-2f, -0x1.000006p-2f, 0x1.99a476p-3f, -0x1.555c44p-3f, 0x1.233ba2p-3f, -0x1.fc28cap-4f,
                   0x1.e6c00ap-4f, -0x1.de01dap-4f, 0x1.147338p-4f);
  y = y * f * f2;
  y = fma(e, V(0x1.7f7d1cp-20f), y);
  y = fma(f2, V(-0.5f), y) + f;
  y = fma(e, V(0x1.62e400p-1f), y);
  y = select(x == V(0.0f), V(-kInfinity), y);
  y = select(x == V(kInfinity), V(kInfinity), y);
  return select(x >= V(0.0f), y, V(kQuietNan));
}

/// ln(1 + x) for 0 <= x <= 1: the rounding error of 1 + x is given back to first order. At most 2 ULP.
template <class V>
OPENRKNN_MATH V log1p_fraction(V x) {
  const V w = x + V(1.0f);
  return log(w) + (x - (w - V(1.0f))) / w;
}

// ---- Error function, hyperbolic tangent, sine and cosine ----

/// At most 1.2 ULP. Near 0 an odd polynomial; beyond, 1 - exp(polynomial for ln erfc).
template <class V>
OPENRKNN_MATH V erf(V x) {
  const V t = minimum(absolute(x), V(4.0f));  // erf rounds to 1 from 3.92 on
  const V t2 = t * t;
  const V small = polynomial(t2, 0x1.06eba8p-3f, -0x1.812740p-2f, 0x1.ce2d64p-4f, -0x1.b80124p-6f, 0x1.544b08p-8f,
                             -0x1.a61810p-11f, 0x1.4fa924p-14f);
  const V log_erfc = t * polynomial(t, -0x1.20ee5cp+0f, -0x1.4538aep-1f, -0x1.b2d3bep-4f, 0x1.8435b4p-6f,
                                    -0x1.d9342ep-9f, 0x1.4a1fc2p-12f, -0x1.5df666p-17f);
  const V y = select(t < V(0.92f), fma(small, t, t), V(1.0f) - exp(log_erfc));
  return canonical(x, copy_sign(y, x));
}

/// (e^2x - 1) / (e^2x + 1). At most 2.5 ULP.
template <class V>
OPENRKNN_MATH V tanh(V x) {
  const V e = expm1(minimum(absolute(x), V(10.0f)) * V(2.0f));  // tanh rounds to 1 from 9.02 on
  return canonical(x, copy_sign(e / (e + V(2.0f)), x));
}

/// Remainder of x modulo pi/2 and the quarter turns taken off (mod 4). Exact enough for every finite float.
struct QuarterTurns {
  float rest;
  int32_t turns;
};
OPENRKNN_MATH QuarterTurns reduce_quarter_turns_of(float x) {
  const double kHalfPi = 0x1.921fb54442d18p+0;
  const int32_t magnitude = bits(x) & 0x7fffffff;
  if (magnitude >= 0x7f800000) return {kQuietNan, 0};
  if (magnitude < 0x49000000) {  // |x| < 2^19
    const double kRound = 0x1.8p52;
    const double turns = (x * 0x1.45f306dc9c883p-1 + kRound) - kRound;
    // pi/2 in two pieces; the first has 33 bits, so turns * piece is exact.
    const double rest = (x - turns * 0x1.921fb544p+0) - turns * 0x1.0b4611a626331p-34;
    return {static_cast<float>(rest), static_cast<int32_t>(static_cast<int64_t>(turns) & 3)};
  }
  // Payne and Hanek: x = mantissa * 2^exponent; only those bits of 2/pi matter whose product lies below 4 quarter
  // turns.
  static constexpr uint32_t kTwoOverPi[] = {0u,          0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                            0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
  const uint64_t mantissa = (static_cast<uint32_t>(magnitude) & 0x7fffffu) | 0x800000u;
  const int exponent = (magnitude >> 23) - 150;  // -4 … 104
  const int first = exponent + 30;               // skips all but two bits before the binary point of the product
  const auto word = [&](int index) {
    const int bit = first + 32 * index, w = bit / 32, shift = bit % 32;
    const uint64_t pair = (static_cast<uint64_t>(kTwoOverPi[w]) << 32) | kTwoOverPi[w + 1];
    return (pair << shift) >> 32;
  };
  // Fixed point with 2 bits of quarter turns above 62 bits of fraction.
  uint64_t fixed = (mantissa * word(0)) << 32;
  fixed += mantissa * word(1);
  fixed += (mantissa * word(2)) >> 32;
  const uint64_t turns = (fixed + (uint64_t{1} << 61)) >> 62;
  const double fraction = static_cast<double>(static_cast<int64_t>(fixed - (turns << 62))) * 0x1p-62;
  const double rest = fraction * kHalfPi;
  const bool negative = bits(x) < 0;
  return {static_cast<float>(negative ? -rest : rest), static_cast<int32_t>((negative ? 4 - turns : turns) & 3)};
}
OPENRKNN_MATH float reduce_quarter_turns(float x, int32_t* turns) {
  const QuarterTurns parts = reduce_quarter_turns_of(x);
  *turns = parts.turns;
  return parts.rest;
}

template <class V>
OPENRKNN_MATH V sine_from_quarter(V x, int32_t quarter) {
  decltype(bits(x)) turns;
  const V r = reduce_quarter_turns(x, &turns), r2 = r * r;
  turns = turns + quarter;
  const V odd = fma(r2 * r, polynomial(r2, -0x1.555556p-3f, 0x1.111174p-7f, -0x1.a0595ap-13f, 0x1.7c30eep-19f), r);
  const V sine = select(r == V(0.0f), r, odd);  // keeps -0
  const V tail = polynomial(r2, 0x1.555556p-5f, -0x1.6c175ep-10f, 0x1.a071bep-16f, -0x1.361852p-22f);
  const V cosine = fma(r2 * r2, tail, fma(r2, V(-0.5f), V(1.0f)));
  const V y = select((turns & 1) != 0, cosine, sine);
  return canonical(r, select((turns & 2) != 0, -y, y));
}
/// At most 1.6 ULP for every finite x; NaN at infinity.
template <class V>
OPENRKNN_MATH V sin(V x) {
  return sine_from_quarter(x, 0);
}
/// At most 1.6 ULP for every finite x; NaN at infinity.
template <class V>
OPENRKNN_MATH V cos(V x) {
  return sine_from_quarter(x, 1);
}

// ---- Activations, defined by these formulas ----

/// x, but at least -104: keeps x * 0 from becoming NaN at -inf where the limit is -0.
template <class V>
OPENRKNN_MATH V bounded_below(V x) {
  return select(x < V(-104.0f), V(-104.0f), x);
}

/// 1 / (1 + e^-x). At most 2.5 ULP for x > -87; 0 below -88.8.
template <class V>
OPENRKNN_MATH V sigmoid(V x) {
  return canonical(x, V(1.0f) / (V(1.0f) + exp(-x)));
}
/// x / (1 + e^-x). At most 2.5 ULP for x > -87; absolute error under 3e-37 below.
template <class V>
OPENRKNN_MATH V silu(V x) {
  return canonical(x, bounded_below(x) / (V(1.0f) + exp(-x)));
}
/// x/2 (1 + erf(x / sqrt 2)). Absolute error at most 2e-7 max(1, |x|).
template <class V>
OPENRKNN_MATH V gelu_erf(V x) {
  return canonical(x, (bounded_below(x) * V(0.5f)) * (V(1.0f) + erf(x * V(0.707106781f))));
}
/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Absolute error against that formula at most 2e-7 max(1, |x|).
template <class V>
OPENRKNN_MATH V gelu_tanh(V x) {
  const V inner = fma(x * x * x, V(0.044715f), x) * V(0.797884561f);
  return canonical(x, (bounded_below(x) * V(0.5f)) * (V(1.0f) + tanh(inner)));
}
/// ln(1 + e^x). At most 3 ULP.
template <class V>
OPENRKNN_MATH V softplus(V x) {
  return canonical(x, maximum(x, V(0.0f)) + log1p_fraction(exp(-absolute(x))));
}
/// x tanh(softplus(x)) = x n / (n + 2) with n = e^x (e^x + 2). At most 4 ULP for x > -87.
template <class V>
OPENRKNN_MATH V mish(V x) {
  const V e = exp(minimum(x, V(20.0f)));  // the quotient rounds to 1 long before
  const V n = e * (e + V(2.0f));
  return canonical(x, bounded_below(x) * (n / (n + V(2.0f))));
}
/// max(0, min(1, alpha x + beta)), two roundings.
template <class V>
OPENRKNN_MATH V hard_sigmoid(V x, float alpha, float beta) {
  const V y = x * V(alpha) + V(beta);
  return canonical(x, maximum(minimum(y, V(1.0f)), V(0.0f)));
}
/// x max(0, min(1, x / 6 + 0.5)); -0 at -inf.
template <class V>
OPENRKNN_MATH V hard_swish(V x) {
  return canonical(x, bounded_below(x) * hard_sigmoid(x, 1.0f / 6.0f, 0.5f));
}
/// x above 0, else alpha (e^x - 1). At most 2 ULP.
template <class V>
OPENRKNN_MATH V elu(V x, float alpha) {
  return canonical(x, select(x > V(0.0f), x, expm1(x) * V(alpha)));
}

#undef OPENRKNN_MATH

}  // namespace openrknn::math
