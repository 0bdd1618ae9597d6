/* Pairs, as in floats/accurate.py: a number as an unevaluated sum of two, hi + lo. */
#ifndef MG_PAIRS_H
#define MG_PAIRS_H
#include <stdint.h>
#include <stdlib.h>

typedef struct { double hi, lo; } mg_pair;

MG_INLINE mg_pair mg_two_sum(double a, double b) {
  double s = a + b, t = s - a;
  mg_pair r = {s, (a - (s - t)) + (b - t)};
  return r;
}

MG_INLINE double mg_product_error(double a, double b, double p) { /* a·b − p, while nothing leaves the range */
  double t = 134217729.0 * a, u = 134217729.0 * b, a1 = t - (t - a), b1 = u - (u - b), a2 = a - a1, b2 = b - b1;
  return ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2;
}

static mg_pair mg_two_product(double a, double b) {
  mg_pair r = {a * b, 0.0};
  double size = fabs(r.hi);
  if (!(1e-290 < size && size < 1e290)) return r;
  r.lo = mg_product_error(a, b, r.hi);
  if (r.lo != r.lo) { /* one factor was too large to split */
    int j, k;
    a = frexp(a, &j);
    b = frexp(b, &k);
    r.lo = ldexp(mg_product_error(a, b, a * b), j + k);
  }
  return r;
}

MG_INLINE mg_pair mg_product(mg_pair a, mg_pair b) {
  mg_pair r = mg_two_product(a.hi, b.hi);
  r.lo += a.hi * b.lo + a.lo * b.hi;
  return r;
}

static mg_pair mg_quotient(mg_pair a, mg_pair b) { /* long division with a second digit; b not 0 */
  mg_pair r = {a.hi / b.hi, 0.0}, p;
  double size = fabs(a.hi);
  if (!(1e-290 < size && size < 1e290)) {
    if (a.hi != 0.0) r.lo = r.hi * (a.lo / a.hi - b.lo / b.hi);
    return r;
  }
  p = mg_two_product(r.hi, b.hi);
  r.lo = ((a.hi - p.hi) - p.lo + a.lo - r.hi * b.lo) / b.hi;
  return r;
}

static double mg_times(double x, mg_pair y) { /* rounded once; a zero keeps its sign */
  mg_pair p = mg_two_product(x, y.hi);
  return p.hi != 0.0 ? p.hi + (p.lo + x * y.lo) : p.hi;
}

MG_INLINE double mg_value(mg_pair a) { return a.lo == a.lo ? a.hi + a.lo : a.hi; }
#endif
