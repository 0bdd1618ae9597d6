/* What rows.h stands on when it runs number by number: the C library's functions, as Python's math has them. */
#define MG_INLINE static inline
#include "trigonometry.h"
#define M_EXP(x) exp(x)
#define M_EXPM1(x) expm1(x)
#define M_LOG(x) log(x)
#define M_LOG1P(x) log1p(x)
#define M_LOG2(x) log2(x)
#define M_LOG10(x) log10(x)
#define M_SIN(x) mg_sine(x)
#define M_COS(x) mg_cosine(x)
#define M_TAN(x) mg_tangent(x)
#define M_ASIN(x) asin(x)
#define M_ACOS(x) acos(x)
#define M_ATAN(x) atan(x)
#define M_SINH(x) sinh(x)
#define M_COSH(x) cosh(x)
#define M_TANH(x) tanh(x)
#define M_ASINH(x) asinh(x)
#define M_ACOSH(x) acosh(x)
#define M_ATANH(x) atanh(x)
#define M_ERF(x) erf(x)
#define M_ERFC(x) erfc(x)
#define M_SQRT(x) sqrt(x)
#define M_CBRT(x) cbrt(x)
#define M_ABS(x) fabs(x)
#define M_FLOOR(x) floor(x)
#define M_CEIL(x) ceil(x)
#define M_TRUNC(x) trunc(x)
#define M_ROUND(x) nearbyint(x)
#define M_POW(x, y) pow(x, y)
#define M_ATAN2(y, x) atan2(y, x)
#define M_HYPOT(x, y) hypot(x, y)
#define M_MODULO(x, y) mg_modulo(x, y)

/* x − y·⌊x / y⌋ with the sign of y, as Python has it; fmod itself is exact. */
MG_INLINE double mg_modulo(double x, double y) {
  double r = fmod(x, y);
  if (r == 0.0) return copysign(r, y);
  return r != r || (r < 0.0) == (y < 0.0) ? r : r + y;
}
