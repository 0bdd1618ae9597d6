/* What careful formulas are made of in C, and elementary functions: the C library's, or such as vectorise.

   No branches and no clamps in front (gcc would jump, and not vectorise): rare cases are selected last. Compile with
   -ffp-contract=off -fno-trapping-math -fno-math-errno, and include this once in each file. */
#ifndef MICROGRADLIKE_MATHS_H
#define MICROGRADLIKE_MATHS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef MG_INLINE
#elif defined(_MSC_VER) && !defined(__clang__)
#define MG_INLINE static __forceinline
#elif defined(__GNUC__)
#define MG_INLINE static inline __attribute__((always_inline, unused))
#else
#define MG_INLINE static inline
#endif

#define MC_SHIFTER 6755399441055744.0 /* 1.5·2⁵²: adding it leaves an integer in the low bits */

MG_INLINE int64_t mc_bits(double x) { int64_t i; memcpy(&i, &x, 8); return i; }
MG_INLINE double mc_unbits(int64_t i) { double x; memcpy(&x, &i, 8); return x; }

/* ── the words of careful formulas ── */
MG_INLINE double mc_power_of_two(double k) {
  return mc_unbits((int64_t)((uint64_t)mc_bits(k + MC_SHIFTER) << 52) + ((int64_t)1023 << 52));
}

/* x·2ᵏ in two factors, so that neither overflows and a subnormal result is rounded once. */
MG_INLINE double mc_scale(double x, double k) {
  double half = (0.5 * k + MC_SHIFTER) - MC_SHIFTER;
  return x * mc_power_of_two(half) * mc_power_of_two(k - half);
}

/* a·b − p, p = a·b as rounded (Dekker 1971). */
MG_INLINE double mc_lost(double a, double b, double p) {
#if defined(__FMA__) || defined(__aarch64__)
  return fma(a, b, -p);
#else
  double t = 134217729.0 * a, u = 134217729.0 * b;
  double a1 = t - (t - a), b1 = u - (u - b), a2 = a - a1, b2 = b - b1;
  return ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2;
#endif
}

/* 1 + t² for a tangent t, the square as a pair. */
MG_INLINE double mc_one_plus_square(double t) {
  double p = t * t, lost = mc_lost(t, t, p), s = 1.0 + p, r = s - 1.0;
  return s + (((1.0 - (s - r)) + (p - r)) + lost);
}

/* f and k of x = f·2ᵏ, f in [√½, √2). */
#define MC_ROOT_HALF ((int64_t)0x3fe6a09e667f3bcd)
MG_INLINE int64_t mc_biased(double y) {
  return (int64_t)((uint64_t)(mc_bits(y) + (((int64_t)1023 << 52) - MC_ROOT_HALF)) >> 52);
}
MG_INLINE double mc_normal(double x) { return x < 0x1p-1022 ? x * 0x1p54 : x; }
MG_INLINE double mc_mantissa(double x) {
  double y = mc_normal(x);
  int64_t shift = (int64_t)((uint64_t)mc_biased(y) << 52) - ((int64_t)1023 << 52);
  double f = mc_unbits(mc_bits(y) - shift);
  f = x == 0.0 ? x : f;
  return x < INFINITY ? f : x;
}
MG_INLINE double mc_exponent(double x) {
  double k = mc_unbits(mc_biased(mc_normal(x)) | ((int64_t)0x433 << 52)) - (4503599627370496.0 + 1023.0);
  k = x < 0x1p-1022 ? k - 54.0 : k;
  k = x == 0.0 ? 0.0 : k;
  return x < INFINITY ? k : 0.0;
}

#endif
