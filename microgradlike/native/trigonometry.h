/* sin, cos and tan, the C library's but for where that is not exact: next to a multiple of π/2, where the result is as
   small as its rounding of π (glibc is wrong by 100,000 ulp at sin(1.2853022199154463e+174)). There x·2/π is taken in
   whole numbers, with the 320 bits of 2/π that matter at the size of x (Payne & Hanek 1983). */
#include "pairs.h"

/* For x ≥ 1: k mod 4 of x = k·π/2 + r, and r, a pair of at most π/4. */
static int mg_quarters(double x, mg_pair *r) {
  static const mg_pair half_pi = {1.5707963267948966, 6.123233995736766e-17};
  uint32_t product[14] = {0}, word;
  mg_pair f = {0.0, 0.0}, part;
  int e, skip, base, shift, k, up, top = 9;
  uint64_t m = (uint64_t)ldexp(frexp(x, &e), 53), sum, carry = 0;
  skip = e - 55; /* x = m·2^(e − 53): what stands in front of this bit of 2/π adds multiples of 4 */
  base = skip >= 0 ? skip / 32 : -((31 - skip) / 32);
  for (int i = 9; i >= 0; i--) { /* product += m·word·2^(32·(9 − i)) */
    int at = base + i;
    word = at >= 0 && at < MG_TWO_OVER_PI_WORDS ? MG_TWO_OVER_PI[at] : 0;
    carry = 0;
    for (int j = 0; j < 2; j++) {
      sum = (uint64_t)word * (uint32_t)(m >> (32 * j)) + product[9 - i + j] + carry;
      product[9 - i + j] = (uint32_t)sum;
      carry = sum >> 32;
    }
    for (int j = 11 - i; carry; j++) {
      sum = (uint64_t)product[j] + carry;
      product[j] = (uint32_t)sum;
      carry = sum >> 32;
    }
  }
  shift = 2 + skip - 32 * base; /* so many bits to the left, and the point stands above word 9 */
  for (; shift > 0; shift -= up) {
    up = shift > 31 ? 31 : shift;
    for (int i = 13; i > 0; i--) product[i] = (product[i] << up) | (product[i - 1] >> (32 - up));
    product[0] <<= up;
  }
  k = product[10] & 3;
  up = product[9] >> 31; /* from ½ on, to the next */
  if (up) {
    k = (k + 1) & 3;
    carry = 1;
    for (int i = 0; i < 10; i++) {
      sum = (uint64_t)(uint32_t)~product[i] + carry;
      product[i] = (uint32_t)sum;
      carry = sum >> 32;
    }
  }
  while (top > 5 && product[top] == 0) top--;
  for (int i = top; i > top - 5; i--) {
    part = mg_two_sum(f.hi, ldexp(product[i], 32 * (i - 10)));
    f.hi = part.hi;
    f.lo += part.lo;
  }
  *r = mg_product(mg_two_sum(f.hi, f.lo), half_pi);
  if (up) {
    r->hi = -r->hi;
    r->lo = -r->lo;
  }
  return k;
}

/* sin(x + quarters·π/2) where that is next to 0. */
static double mg_sine_beside_root(double x, int quarters) {
  mg_pair r;
  int k = (mg_quarters(x, &r) + quarters) & 3;
  double s = r.hi + (r.lo - r.hi * r.hi * r.hi / 6.0);
  return k == 2 ? -s : s;
}

static double mg_sine(double x) {
  double s = sin(x);
  if (x - x != 0.0) return NAN;
  if (!(-1e-7 < s && s < 1e-7) || (-1.0 < x && x < 1.0)) return s;
  return x < 0.0 ? -mg_sine_beside_root(-x, 0) : mg_sine_beside_root(x, 0);
}

static double mg_cosine(double x) {
  double c = cos(x);
  if (x - x != 0.0) return NAN;
  return -1e-7 < c && c < 1e-7 ? mg_sine_beside_root(fabs(x), 1) : c;
}

static double mg_tangent(double x) {
  double t = tan(x), size = fabs(t);
  mg_pair r, one = {-1.0, 0.0};
  if (x - x != 0.0) return NAN;
  if ((1e-7 < size && size < 1e7) || (-1.0 < x && x < 1.0)) return t;
  if (mg_quarters(fabs(x), &r) & 1) {
    r.lo += r.hi * r.hi * r.hi / 3.0;
    r = mg_quotient(one, r);
  } else {
    r.lo += r.hi * r.hi * r.hi / 3.0;
  }
  return x < 0.0 ? -(r.hi + r.lo) : r.hi + r.lo;
}
