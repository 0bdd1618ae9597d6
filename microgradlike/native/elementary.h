/* Elementary functions that compilers make vector code of, within 2 ulp: what rows.h computes with in batches.

   No branches: rare cases are selected at the end (a clamp in front of a formula makes gcc jump, and not vectorise).
   The C library's where a vector loop would not pay. */
#ifndef MG_ELEMENTARY_H
#define MG_ELEMENTARY_H
#include "maths.h"

#if defined(__FMA__) || defined(__aarch64__)
#define MG_FMA(a, b, c) fma(a, b, c)
#else
#define MG_FMA(a, b, c) ((a) * (b) + (c))
#endif
#define MG_LN2_HIGH 0x1.62e42fee00000p-1 /* 32 bits: times an exponent it is exact */
#define MG_LN2_LOW 0x1.a39ef35793c76p-33

/* y − k·ln 2 */
MG_INLINE double mg_reduced(double y, double *k) {
  *k = (y * 1.4426950408889634 + MC_SHIFTER) - MC_SHIFTER;
  return MG_FMA(*k, -MG_LN2_LOW, MG_FMA(*k, -MG_LN2_HIGH, y));
}
/* (eʳ − 1 − r) / r² */
MG_INLINE double mg_exp_series(double r) {
  double s = 1.0 / 6227020800.0;
  s = MG_FMA(s, r, 1.0 / 479001600.0);
  s = MG_FMA(s, r, 1.0 / 39916800.0);
  s = MG_FMA(s, r, 1.0 / 3628800.0);
  s = MG_FMA(s, r, 1.0 / 362880.0);
  s = MG_FMA(s, r, 1.0 / 40320.0);
  s = MG_FMA(s, r, 1.0 / 5040.0);
  s = MG_FMA(s, r, 1.0 / 720.0);
  s = MG_FMA(s, r, 1.0 / 120.0);
  s = MG_FMA(s, r, 1.0 / 24.0);
  s = MG_FMA(s, r, 1.0 / 6.0);
  return MG_FMA(s, r, 0.5);
}
/* exp(x + more) */
MG_INLINE double mg_exp_more(double x, double more) {
  double k, r = mg_reduced(x, &k) + more, power = MG_FMA(r * r, mg_exp_series(r), r) + 1.0;
  power = mc_scale(power, k);
  power = x < -746.0 ? 0.0 : power;
  return x > 710.0 ? INFINITY : power;
}
MG_INLINE double mg_vector_exp(double x) { return mg_exp_more(x, 0.0); }
/* eˣ − 1 for x ≤ 710 or so: 2·(h·p + (h − ½)), h = 2ᵏ⁻¹. */
MG_INLINE double mg_vector_expm1(double x) {
  double k, r = mg_reduced(x, &k), p = MG_FMA(r * r, mg_exp_series(r), r), h = mc_power_of_two(k - 1.0);
  double y = 2.0 * MG_FMA(h, p, h - 0.5);
  y = x < -60.0 ? -1.0 : y;
  y = x > 710.0 ? INFINITY : y;
  return fabs(x) < 0x1p-60 ? x : y;
}
MG_INLINE double mg_vector_tanh(double x) {
  double a = fabs(x), b = a > 20.0 ? 20.0 : a, t = mg_vector_expm1(2.0 * b);
  double y = copysign(t / (t + 2.0), x);
  return a < 0x1p-30 ? x : y;
}
/* ln(x·2^shift) + more, by ln(f) = 2·atanh(f / (f + 2)) */
MG_INLINE double mg_logarithm(double x, double shift, double more) {
  int64_t e = mc_biased(x);
  double k = mc_unbits(e | ((int64_t)0x433 << 52)) - (4503599627370496.0 + 1023.0) + shift;
  double f = mc_unbits(mc_bits(x) - ((int64_t)((uint64_t)e << 52) - ((int64_t)1023 << 52))) - 1.0;
  double s = f / (f + 2.0), z = s * s, q = 2.0 / 23.0, half, tail;
  q = MG_FMA(q, z, 2.0 / 21.0);
  q = MG_FMA(q, z, 2.0 / 19.0);
  q = MG_FMA(q, z, 2.0 / 17.0);
  q = MG_FMA(q, z, 2.0 / 15.0);
  q = MG_FMA(q, z, 2.0 / 13.0);
  q = MG_FMA(q, z, 2.0 / 11.0);
  q = MG_FMA(q, z, 2.0 / 9.0);
  q = MG_FMA(q, z, 2.0 / 7.0);
  q = MG_FMA(q, z, 2.0 / 5.0);
  q = MG_FMA(q, z, 2.0 / 3.0);
  half = 0.5 * (f * f);
  tail = s * (half + q * z) + (k * MG_LN2_LOW + more);
  return k * MG_LN2_HIGH - ((half - tail) - f);
}
MG_INLINE double mg_vector_log(double x) {
  int small = x < 0x1p-1022;
  double y = mg_logarithm(small ? x * 0x1p54 : x, small ? -54.0 : 0.0, 0.0);
  y = x > 0.0 ? y : NAN;
  y = x == 0.0 ? -INFINITY : y;
  return x == INFINITY ? x : y;
}
MG_INLINE double mg_vector_log1p(double x) {
  double u = x + 1.0, near = x - (u - 1.0), far = 1.0 - (u - x), lost = x > 1.0 ? far : near;
  double y = mg_logarithm(u, 0.0, lost / u);
  y = u > 0.0 ? y : NAN;
  y = u == 0.0 ? -INFINITY : y;
  y = x == INFINITY ? x : y;
  return fabs(x) < 0x1p-53 ? x : y;
}
MG_INLINE double mg_vector_round(double x) { return nearbyint(x); }

#define M_EXP mg_vector_exp
#define M_EXPM1 mg_vector_expm1
#define M_LOG mg_vector_log
#define M_LOG1P mg_vector_log1p
#define M_TANH mg_vector_tanh
#define M_ROUND mg_vector_round
#define M_ABS fabs
#define M_SQRT sqrt
#define M_FLOOR floor
#define M_CEIL ceil
#define M_TRUNC trunc
#define M_LOG2 log2
#define M_LOG10 log10
#define M_SIN sin
#define M_COS cos
#define M_TAN tan
#define M_ASIN asin
#define M_ACOS acos
#define M_ATAN atan
#define M_SINH sinh
#define M_COSH cosh
#define M_ASINH asinh
#define M_ACOSH acosh
#define M_ATANH atanh
#define M_ERF erf
#define M_ERFC erfc
#define M_CBRT cbrt
#define M_POW pow
#define M_ATAN2 atan2
#define M_HYPOT hypot
#endif
