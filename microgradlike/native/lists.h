/* Rows with any number of operands: sums that are rounded once, dots, norms, the softmax family. By hand, for rows.h.

   A sum keeps what each step loses and adds that in the end; where the last place is in doubt, it is taken again in whole numbers (mg_exact). The softmax
   family goes over the operands again rather than keep the exponentials: every function takes time n and no memory. */
#include "pairs.h"

/* ── sums in whole numbers ── every product of floats is a multiple of 2^−2148; in digits of 32 bits, not yet carried */
#define MG_DIGITS 136
#define MG_LOW 0xffffffffu
typedef struct { int64_t digit[MG_DIGITS]; double odd; int finite; } mg_exact;

static void mg_exact_start(mg_exact *s) { memset(s, 0, sizeof *s); s->finite = 1; }

static void mg_exact_part(mg_exact *s, uint64_t m, int place, int negative) { /* ± m·2^(place − 2148), m < 2^54 */
  int i = place >> 5, shift = place & 31;
  uint64_t low = (m & MG_LOW) << shift, high = (m >> 32) << shift;
  int64_t part[3];
  part[0] = (int64_t)(low & MG_LOW);
  part[1] = (int64_t)((low >> 32) + (high & MG_LOW));
  part[2] = (int64_t)(high >> 32);
  for (int k = 0; k < 3 && i + k < MG_DIGITS; k++) s->digit[i + k] += negative ? -part[k] : part[k];
}

static void mg_exact_product(mg_exact *s, double x, double y) {
  int i, j;
  if (x - x != 0.0 || y - y != 0.0) {
    s->odd = s->finite ? x * y : s->odd + x * y;
    s->finite = 0;
    return;
  }
  if (x == 0.0 || y == 0.0) return;
  {
    uint64_t a = (uint64_t)ldexp(frexp(fabs(x), &i), 53), b = (uint64_t)ldexp(frexp(fabs(y), &j), 53);
    uint64_t a1 = a >> 27, a2 = a & 0x7ffffff, b1 = b >> 27, b2 = b & 0x7ffffff;
    int place = i + j - 106 + 2148, negative = (x < 0.0) != (y < 0.0), less;
    uint64_t part[3] = {a2 * b2, a1 * b2 + a2 * b1, a1 * b1};
    for (int k = 0; k < 3; k++) {
      less = place + 27 * k;
      if (less < 0) { part[k] >>= -less; less = 0; } /* subnormals: the digits below are zeros */
      mg_exact_part(s, part[k], less, negative);
    }
  }
}

static void mg_exact_carry(mg_exact *s, int *negative) { /* digits of 0 … 2^32 − 1, of the absolute value */
  *negative = 0;
  for (;;) {
    int64_t carry = 0;
    for (int k = 0; k < MG_DIGITS; k++) {
      int64_t d = s->digit[k] + carry;
      carry = d >= 0 ? d >> 32 : -((-d + (int64_t)MG_LOW) >> 32);
      s->digit[k] = d - carry * 4294967296;
    }
    if (carry >= 0) return;
    *negative = 1;
    s->digit[MG_DIGITS - 1] += carry * 4294967296;
    for (int k = 0; k < MG_DIGITS; k++) s->digit[k] = -s->digit[k];
  }
}

/* The sum as m·2^k, m rounded once to as many bits as a float has left at this size. */
static double mg_exact_rounded(mg_exact *s, int *k) {
  int negative, top, place, keep, bits = 0;
  uint64_t m, sticky = 0;
  *k = 0;
  if (!s->finite) return s->odd;
  mg_exact_carry(s, &negative);
  for (top = MG_DIGITS - 1; top > 2 && s->digit[top] == 0; top--) {}
  m = ((uint64_t)s->digit[top] << 32) | (uint64_t)s->digit[top - 1];
  place = 32 * (top - 1);
  for (int i = 0; i < top - 1; i++) sticky |= (uint64_t)s->digit[i];
  if (m >> 62 == 0 && top > 1) { /* bring in what the third digit adds */
    while (bits < 32 && (m >> (61 - bits)) == 0) bits++;
    if (bits) {
      m = (m << bits) | ((uint64_t)s->digit[top - 2] >> (32 - bits));
      place -= bits;
      sticky = (uint64_t)s->digit[top - 2] & (((uint64_t)1 << (32 - bits)) - 1);
      for (int i = 0; i < top - 2; i++) sticky |= (uint64_t)s->digit[i];
    }
  }
  if (m == 0) return 0.0;
  for (bits = 0; bits < 64 && m >> bits; bits++) {}
  keep = place + bits - 2148 + 1074; /* bits above 2^−1074 */
  keep = keep > 53 ? 53 : keep;
  if (bits > keep) {
    int drop = bits - keep;
    uint64_t rest, half;
    if (drop > 64) return negative ? -0.0 : 0.0;
    rest = drop == 64 ? m : m & (((uint64_t)1 << drop) - 1);
    half = (uint64_t)1 << (drop - 1);
    m = drop == 64 ? 0 : m >> drop;
    place += drop;
    if (rest > half || (rest == half && (sticky || m & 1))) m++;
  }
  *k = place - 2148;
  return negative ? -(double)m : (double)m;
}

static double mg_exact_value(mg_exact *s) {
  int k;
  double m = mg_exact_rounded(s, &k);
  return k ? ldexp(m, k) : m;
}

/* ── sums ── */
static double mg_exact_sum(const double *x, int n, int *k) {
  mg_exact s;
  mg_exact_start(&s);
  for (int i = 0; i < n; i++) mg_exact_product(&s, x[i], 1.0);
  return mg_exact_rounded(&s, k);
}

/* hi + lo rounded, if that is sure: lo is a sum whose terms are `loss` together, so it is wrong by n·2⁻⁵³·loss at most. */
MG_INLINE int mg_settled(double hi, double lo, double loss, int n, double *sum) {
  double r = hi + lo, rest = (hi - r) + lo, doubt = 2.3e-16 * loss * n;
  *sum = r;
  return r - r == 0.0 && (loss == 0.0 || (r + (rest + doubt) == r && r + (rest - doubt) == r));
}

static double mg_sum_n(const double *x, int n) {
  double hi = 0.0, lo = 0.0, loss = 0.0, sum;
  int k;
  if (n == 2) return x[0] + x[1] + 0.0;
  for (int i = 0; i < n; i++) {
    mg_pair s = mg_two_sum(hi, x[i]);
    hi = s.hi;
    lo += s.lo;
    loss += fabs(s.lo);
  }
  if (mg_settled(hi, lo, loss, n, &sum)) return sum;
  sum = mg_exact_sum(x, n, &k);
  return k ? ldexp(sum, k) : sum;
}

static void mg_sum_pull(double g, double z, const double *x, int n, double *out) {
  (void)z; (void)x;
  for (int i = 0; i < n; i++) out[i] = g + 0.0;
}

static double mg_mean_n(const double *x, int n) {
  double sum = mg_sum_n(x, n);
  int k;
  if (sum - sum != 0.0) {
    sum = mg_exact_sum(x, n, &k);
    if (sum - sum == 0.0) return ldexp(sum / n, k);
  }
  return sum / n;
}

static void mg_mean_pull(double g, double z, const double *x, int n, double *out) {
  (void)z; (void)x;
  for (int i = 0; i < n; i++) out[i] = g / n + 0.0;
}

/* ── dot ── the rounded products will do, unless their sum is small beside them; then their errors are added */
static double mg_dot_of(const double *x, const double *y, int n) {
  double hi = 0.0, lo = 0.0, loss = 0.0, size = 0.0, sum;
  mg_exact exact;
  for (int i = 0; i < n; i++) {
    double p = x[i] * y[i];
    mg_pair s = mg_two_sum(hi, p);
    hi = s.hi;
    lo += s.lo;
    loss += fabs(s.lo);
    size += fabs(p);
  }
  if (1e-280 < size && size <= 1.5 * fabs(hi) && mg_settled(hi, lo, loss, n, &sum)) return sum;
  if (size < 1e290) {
    hi = lo = loss = 0.0;
    for (int i = 0; i < n; i++) {
      mg_pair p = mg_two_product(x[i], y[i]), s = mg_two_sum(hi, p.hi);
      hi = s.hi;
      lo += s.lo + p.lo;
      loss += fabs(s.lo) + fabs(p.lo);
    }
    if (fabs(hi) > 1e-250 && mg_settled(hi, lo, loss, 2 * n, &sum)) return sum;
  }
  mg_exact_start(&exact);
  for (int i = 0; i < n; i++) mg_exact_product(&exact, x[i], y[i]);
  return mg_exact_value(&exact);
}

static double mg_dot_n(const double *x, int n) { return mg_dot_of(x, x + n / 2, n / 2); }

static void mg_dot_pull(double g, double z, const double *x, int n, double *out) {
  int half = n / 2;
  (void)z;
  for (int i = 0; i < half; i++) {
    out[i] = g * x[half + i] + 0.0;
    out[half + i] = g * x[i] + 0.0;
  }
}

/* Mean of (p − t)², the differences and squares as pairs. */
static double mg_mean_squared_error_n(const double *x, int n) {
  double hi = 0.0, lo = 0.0, loss = 0.0, largest = 0.0, sum;
  const double *y = x + n / 2;
  mg_exact exact;
  int k;
  n /= 2;
  for (int i = 0; i < n; i++) {
    mg_pair d = mg_two_sum(x[i], -y[i]), p = mg_two_product(d.hi, d.hi), s = mg_two_sum(hi, p.hi);
    double rest = p.lo + 2.0 * d.hi * d.lo;
    hi = s.hi;
    lo += s.lo + rest;
    loss += fabs(s.lo) + fabs(rest);
    largest = !(fabs(d.hi) <= largest) ? fabs(d.hi) : largest;
  }
  if (1e-130 < largest && largest < 1e140) return (hi + lo) / n;
  mg_exact_start(&exact);
  for (int i = 0; i < n; i++) {
    mg_exact_product(&exact, x[i], x[i]);
    mg_exact_product(&exact, x[i], -y[i]);
    mg_exact_product(&exact, x[i], -y[i]);
    mg_exact_product(&exact, y[i], y[i]);
  }
  if (!exact.finite) {
    for (sum = 0.0; n > 0; n--) sum += (x[n - 1] - y[n - 1]) * (x[n - 1] - y[n - 1]);
    return sum;
  }
  sum = mg_exact_rounded(&exact, &k);
  return ldexp(sum / n, k);
}

static double mg_apart(double p, double t, double n) { /* (p − t) / n, also where p − t overflows */
  double d = p - t;
  return d - d == 0.0 || p - p != 0.0 || t - t != 0.0 ? d / n : (0.5 * p - 0.5 * t) / (0.5 * n);
}

static void mg_mean_squared_error_pull(double g, double z, const double *x, int n, double *out) {
  int half = n / 2;
  (void)z;
  for (int i = 0; i < half; i++) {
    out[i] = g * mg_apart(x[i], x[half + i], 0.25 * n) + 0.0;
    out[half + i] = -1.0 * (g * mg_apart(x[i], x[half + i], 0.25 * n)) + 0.0;
  }
}

/* ── products ── mantissas multiplied as pairs, exponents added */
typedef struct { mg_pair m; int k; } mg_big;

static mg_big mg_big_times(mg_big a, double x) {
  int j, i;
  mg_pair c = {frexp(x, &j), 0.0};
  a.m = mg_product(a.m, c);
  a.m.hi = frexp(a.m.hi, &i);
  a.m.lo = ldexp(a.m.lo, -i);
  a.k += i + j;
  return a;
}

static const mg_big mg_big_one = {{1.0, 0.0}, 0};

static double mg_prod_but(const double *x, int n, int left_out) {
  mg_big m = mg_big_one;
  double p = 1.0;
  int odd = 0;
  for (int i = 0; i < n; i++) odd |= i != left_out && x[i] - x[i] != 0.0;
  if (odd || n - (left_out >= 0) <= 2) { /* of the others beside a special, only signs and zeros count */
    for (int i = 0; i < n; i++)
      if (i != left_out) p *= !odd || x[i] - x[i] != 0.0 || x[i] == 0.0 ? x[i] : copysign(1.0, x[i]);
    return p;
  }
  for (int i = 0; i < n; i++)
    if (i != left_out) m = mg_big_times(m, x[i]);
  return ldexp(m.m.hi + m.m.lo, m.k);
}

static double mg_prod_n(const double *x, int n) { return mg_prod_but(x, n, -1); }

static void mg_prod_pull(double g, double z, const double *x, int n, double *out) {
  mg_big after = mg_big_one, *before = NULL;
  int odd = 0;
  (void)z;
  for (int i = 0; i < n; i++) odd |= x[i] - x[i] != 0.0;
  if (n > 3 && !odd) before = malloc(n * sizeof *before);
  if (before == NULL) {
    for (int i = 0; i < n; i++) out[i] = g * mg_prod_but(x, n, i) + 0.0;
    return;
  }
  before[0] = mg_big_one;
  for (int i = 1; i < n; i++) before[i] = mg_big_times(before[i - 1], x[i - 1]);
  for (int i = n - 1; i >= 0; i--) {
    mg_pair c = mg_product(before[i].m, after.m);
    out[i] = g * ldexp(c.hi + c.lo, before[i].k + after.k) + 0.0;
    after = mg_big_times(after, x[i]);
  }
  free(before);
}

/* ── norm ── of x·2^−k, so that no square leaves the range */
static double mg_norm_scaled(const double *x, int n, int *k) {
  double largest = 0.0, hi = 0.0, lo = 0.0, root;
  mg_pair p;
  *k = 0;
  for (int i = 0; i < n; i++) {
    if (fabs(x[i]) == INFINITY) return INFINITY;
    largest = !(fabs(x[i]) <= largest) && largest == largest ? fabs(x[i]) : largest;
  }
  if (largest == 0.0 || largest != largest) {
    for (int i = 0; i < n; i++)
      if (fabs(x[i]) == INFINITY) return INFINITY;
    return largest;
  }
  frexp(largest, k);
  for (int i = 0; i < n; i++) {
    double y = ldexp(x[i], -*k);
    mg_pair q = mg_two_product(y, y), s = mg_two_sum(hi, q.hi);
    hi = s.hi;
    lo += s.lo + q.lo;
  }
  root = sqrt(hi + lo);
  p = mg_two_product(root, root);
  return root + ((hi - p.hi) - p.lo + lo) / (2.0 * root);
}

static double mg_norm_n(const double *x, int n) {
  int k;
  double root = mg_norm_scaled(x, n, &k);
  return k ? ldexp(root, k) : root;
}

static void mg_norm_pull(double g, double z, const double *x, int n, double *out) {
  int k = 0, finite = 1;
  double root = z;
  for (int i = 0; i < n; i++) finite &= x[i] - x[i] == 0.0;
  if (!(2.2250738585072014e-308 <= z && z < INFINITY) && z != 0.0 && finite) root = mg_norm_scaled(x, n, &k);
  for (int i = 0; i < n; i++) out[i] = g * (root != 0.0 ? (k ? ldexp(x[i], -k) : x[i]) / root : 0.0) + 0.0;
}

/* ── the softmax family ── weights exp(xᵢ − max) from exact differences */
typedef struct {
  double top;
  int finite;
  mg_pair total, rest, log_total, others; /* of all weights; without the first largest; ln of all; without number k */
} mg_weights;

MG_INLINE mg_pair mg_difference(const mg_weights *w, double x) { return mg_two_sum(x, -w->top); }

MG_INLINE mg_pair mg_weight_of(mg_pair d) {
  mg_pair e = {0.0, 0.0};
  if (d.hi > -800.0) {
    e.hi = M_EXP(d.hi);
    e.lo = e.hi * d.lo;
  }
  return e;
}

MG_INLINE void mg_add_to(mg_pair *sum, mg_pair x) {
  mg_pair s = mg_two_sum(sum->hi, x.hi);
  sum->hi = s.hi;
  sum->lo += s.lo + x.lo;
}

MG_INLINE mg_pair mg_tidy(mg_pair x) { return mg_two_sum(x.hi, x.lo); }

static mg_weights mg_weigh(const double *x, int n, int k) {
  mg_weights w = {-INFINITY, 0, {0.0, 0.0}, {0.0, 0.0}, {0.0, 0.0}, {0.0, 0.0}};
  int at = 0;
  for (int i = 0; i < n; i++)
    if (!(x[i] <= w.top) && w.top == w.top) { w.top = x[i]; at = i; }
  w.finite = w.top - w.top == 0.0;
  if (!w.finite) return w;
  for (int i = 0; i < n; i++) {
    mg_pair e = mg_weight_of(mg_difference(&w, x[i]));
    if (i != at) mg_add_to(&w.rest, e);
    if (i != k) mg_add_to(&w.others, e);
  }
  w.rest = mg_tidy(w.rest);
  w.others = mg_tidy(w.others);
  w.total = mg_two_sum(1.0, w.rest.hi);
  w.total.lo += w.rest.lo;
  w.log_total.hi = M_LOG1P(w.rest.hi);
  w.log_total.lo = w.rest.lo / (1.0 + w.rest.hi);
  return w;
}

MG_INLINE double mg_share_of(const mg_weights *w, double x) {
  return mg_value(mg_quotient(mg_weight_of(mg_difference(w, x)), w->total));
}

static double mg_softmax_n(const double *x, int n) {
  mg_weights w = mg_weigh(x + 1, n - 1, -1);
  return w.finite ? mg_share_of(&w, x[1 + (int)x[0]]) : NAN;
}

static double mg_one_minus(const mg_weights *w) { return w->finite ? mg_value(mg_quotient(w->others, w->total)) : NAN; }

static double mg_one_minus_softmax_n(const double *x, int n) {
  mg_weights w = mg_weigh(x + 1, n - 1, (int)x[0]);
  return mg_one_minus(&w);
}

/* ∂softmaxₖ/∂xⱼ: wₖ·(sum of the others)/S², or −exp(dₖ + dⱼ)/S²; w has the others of k */
static double mg_slope_of(const mg_weights *w, const double *x, int k, int j) {
  mg_pair square, a, b, d, e, q;
  if (!w->finite) return NAN;
  square = mg_product(w->total, w->total);
  a = mg_difference(w, x[k]);
  if (k == j) {
    e = mg_weight_of(a);
    q = mg_quotient(w->others, square);
    return mg_times(e.hi, q) + q.hi * e.lo;
  }
  b = mg_difference(w, x[j]);
  d = mg_two_sum(a.hi, b.hi);
  if (!(d.hi > -800.0)) return -mg_value(mg_quotient((mg_pair){M_EXP(-800.0), 0.0}, square));
  e.hi = M_EXP(d.hi);
  e.lo = e.hi * (d.lo + a.lo + b.lo);
  return -mg_value(mg_quotient(e, square));
}

static double mg_softmax_slope_n(const double *x, int n) {
  mg_weights w = mg_weigh(x + 2, n - 2, (int)x[0]);
  return mg_slope_of(&w, x + 2, (int)x[0], (int)x[1]);
}

static void mg_softmax_pull(double g, double z, const double *x, int n, double *out) {
  int k = (int)x[0];
  mg_weights w = mg_weigh(x + 1, n - 1, k);
  (void)z;
  out[0] = MG_ABSENT;
  for (int j = 0; j < n - 1; j++) out[1 + j] = g * mg_slope_of(&w, x + 1, k, j) + 0.0;
}

/* (max − xₖ) + ln Σ exp(xᵢ − max): nothing to cancel */
static double mg_lost(const mg_weights *w, double x) {
  mg_pair d, s;
  if (!w->finite) return NAN;
  d = mg_difference(w, x);
  s = mg_two_sum(-d.hi, w->log_total.hi);
  return s.hi < INFINITY ? s.hi + ((s.lo + w->log_total.lo) - d.lo) : s.hi;
}

static double mg_cross_entropy_n(const double *x, int n) {
  mg_weights w = mg_weigh(x + 1, n - 1, -1);
  return mg_lost(&w, x[1 + (int)x[0]]);
}

static double mg_log_softmax_n(const double *x, int n) { return -mg_cross_entropy_n(x, n); }

static void mg_log_softmax_pull(double g, double z, const double *x, int n, double *out) {
  int k = (int)x[0];
  mg_weights w = mg_weigh(x + 1, n - 1, k);
  (void)z;
  out[0] = MG_ABSENT;
  for (int j = 0; j < n - 1; j++)
    out[1 + j] = (j == k ? g * mg_one_minus(&w) : -(g * (w.finite ? mg_share_of(&w, x[1 + j]) : NAN))) + 0.0;
}

static void mg_cross_entropy_pull(double g, double z, const double *x, int n, double *out) {
  mg_log_softmax_pull(-g, -z, x, n, out);
}

/* log1p(Σ exp(xᵢ) − 1), the sum in whole numbers of exponentials that are right to some 150 bits. */
static double mg_logsumexp_beside_0(const double *x, int n) {
  mg_exact sum;
  double e[3];
  mg_exact_start(&sum);
  mg_exact_product(&sum, -1.0, 1.0);
  for (int i = 0; i < n; i++) {
    if (!(x[i] > -740.0)) continue;
    mg_exp3(x[i], 0.0, e);
    for (int j = 0; j < 3; j++) mg_exact_product(&sum, e[j], 1.0);
  }
  return log1p(mg_exact_value(&sum));
}

static double mg_logsumexp_n(const double *x, int n) {
  mg_weights w = mg_weigh(x, n, -1);
  mg_pair s;
  if (!w.finite) return w.top;
  s = mg_two_sum(w.top, w.log_total.hi);
  if (w.top < 0.0 && fabs(s.hi) < 2.0 * w.log_total.hi) return mg_logsumexp_beside_0(x, n);
  return s.hi + (s.lo + w.log_total.lo);
}

static void mg_logsumexp_pull(double g, double z, const double *x, int n, double *out) {
  mg_weights w = mg_weigh(x, n, -1);
  (void)z;
  for (int i = 0; i < n; i++) out[i] = g * (w.finite ? mg_share_of(&w, x[i]) : NAN) + 0.0;
}

/* Where nothing else settles it: Σⱼ (eₖ·yⱼ − yₖ·eⱼ) / Σ eⱼ, the numerator in whole numbers. */
static double mg_share_minus_exactly(const mg_weights *w, const double *x, const double *y, int n, int k) {
  mg_exact sum;
  mg_pair d = mg_difference(w, x[k]);
  double of_k[3], e[3];
  mg_exact_start(&sum);
  mg_exp3(d.hi > -740.0 ? d.hi : -740.0, d.lo, of_k);
  for (int j = 0; j < n; j++) {
    if (j == k) continue;
    d = mg_difference(w, x[j]);
    for (int i = 0; i < 3; i++) mg_exact_product(&sum, of_k[i], y[j]);
    if (!(d.hi > -740.0)) continue;
    mg_exp3(d.hi, d.lo, e);
    for (int i = 0; i < 3; i++) mg_exact_product(&sum, e[i], -y[k]);
  }
  return mg_exact_value(&sum) / (w->total.hi + w->total.lo);
}

/* softmaxₖ·Σy − yₖ; for a softmax above ½ as (Σy − yₖ) − (1 − softmaxₖ)·Σy, whose operands are small where the result is */
static double mg_share_minus(const mg_weights *w, const double *x, const double *y, int n, int k, mg_pair total) {
  mg_pair share = mg_weight_of(mg_difference(w, x[k])), rest = {y[k], 0.0}, a, g;
  int small = share.hi <= 0.5 * w->total.hi;
  if (!small) {
    rest.hi = 0.0;
    for (int i = 0; i < n; i++)
      if (i != k) mg_add_to(&rest, (mg_pair){y[i], 0.0});
    rest = mg_tidy(rest);
    share = w->others;
  }
  a = mg_product(mg_quotient(share, w->total), total);
  g = mg_two_sum(a.hi, -rest.hi);
  if (fabs(g.hi) <= fabs(a.hi) && rest.hi != 0.0 && a.hi != 0.0) return mg_share_minus_exactly(w, x, y, n, k);
  g.hi += g.lo + a.lo - rest.lo;
  return small ? g.hi : -g.hi;
}

static mg_pair mg_total(const double *y, int n, double *size) {
  mg_pair total = {0.0, 0.0};
  *size = 0.0;
  for (int i = 0; i < n; i++) {
    mg_add_to(&total, (mg_pair){y[i], 0.0});
    *size += fabs(y[i]);
  }
  return mg_tidy(total);
}

static double mg_softmax_minus_n(const double *x, int n) {
  int k = (int)x[0], half = (n - 1) / 2;
  const double *y = x + 1 + half;
  mg_weights w = mg_weigh(x + 1, half, k);
  double size;
  mg_pair total = mg_total(y, half, &size);
  if (!w.finite) return NAN;
  if (!(size < INFINITY)) return mg_share_of(&w, x[1 + k]) * mg_sum_n(y, half) - y[k];
  return mg_share_minus(&w, x + 1, y, half, k, total);
}

static void mg_softmax_minus_pull(double g, double z, const double *x, int n, double *out) {
  int k = (int)x[0], half = (n - 1) / 2;
  mg_weights w = mg_weigh(x + 1, half, k);
  double total = mg_sum_n(x + 1 + half, half);
  (void)z;
  out[0] = MG_ABSENT;
  for (int j = 0; j < half; j++) {
    out[1 + j] = g * (mg_slope_of(&w, x + 1, k, j) * total) + 0.0;
    out[1 + half + j] = (j == k ? -(g * mg_one_minus(&w)) : g * (w.finite ? mg_share_of(&w, x[1 + k]) : NAN)) + 0.0;
  }
}

static double mg_soft_cross_entropy_n(const double *x, int n) {
  int half = n / 2, finite = 1, endless = 0;
  const double *y = x + half;
  mg_weights w = mg_weigh(x, half, -1);
  double *lost = malloc((half + 1) * sizeof *lost), result;
  if (lost == NULL) return NAN;
  for (int i = 0; i < half; i++) {
    lost[i] = y[i] == 0.0 ? 0.0 : mg_lost(&w, x[i]);
    endless |= lost[i] == INFINITY;
    finite &= x[i] - x[i] == 0.0 && y[i] - y[i] == 0.0;
  }
  if (endless && finite) /* logits too far apart for a difference: half of each will do */
    for (int i = 0; i < half; i++) lost[i] = lost[i] == INFINITY ? 0.5 * w.top - 0.5 * x[i] : 0.5 * lost[i];
  result = (endless && finite ? 2.0 : 1.0) * mg_dot_of(lost, y, half);
  free(lost);
  return result;
}

static void mg_soft_cross_entropy_pull(double g, double z, const double *x, int n, double *out) {
  int half = n / 2;
  const double *y = x + half;
  double size;
  mg_pair total = mg_total(y, half, &size);
  mg_weights w = mg_weigh(x, half, -1);
  (void)z;
  for (int j = 0; j < half; j++) {
    mg_pair e = mg_weight_of(mg_difference(&w, x[j]));
    double minus = NAN;
    if (w.finite && e.hi > 0.5 * w.total.hi) {
      mg_weights other = mg_weigh(x, half, j); /* one or two at most are that large */
      w.others = other.others;
    }
    if (w.finite) minus = size < INFINITY ? mg_share_minus(&w, x, y, half, j, total) : mg_share_of(&w, x[j]) * mg_sum_n(y, half) - y[j];
    out[j] = g * minus + 0.0;
    out[half + j] = -(g * -mg_lost(&w, x[j])) + 0.0;
  }
}

static void mg_one_minus_softmax_pull(double g, double z, const double *x, int n, double *out) {
  int k = (int)x[0];
  mg_weights w = mg_weigh(x + 1, n - 1, k);
  (void)z;
  out[0] = MG_ABSENT;
  for (int j = 0; j < n - 1; j++) out[1 + j] = -(g * mg_slope_of(&w, x + 1, k, j)) + 0.0;
}

/* ∂²softmaxₖ/∂xⱼ∂xᵢ, by the product rule on sₖ(δₖⱼ − sⱼ) */
static void mg_softmax_slope_pull(double g, double z, const double *x, int n, double *out) {
  int k = (int)x[0], j = (int)x[1];
  mg_weights w = mg_weigh(x + 2, n - 2, k), v = mg_weigh(x + 2, n - 2, j);
  double rest = k == j ? mg_one_minus(&w) : w.finite ? -mg_share_of(&w, x[2 + j]) : NAN;
  double share = w.finite ? mg_share_of(&w, x[2 + k]) : NAN;
  (void)z;
  out[0] = out[1] = MG_ABSENT;
  for (int i = 0; i < n - 2; i++)
    out[2 + i] = g * (mg_slope_of(&w, x + 2, k, i) * rest - share * mg_slope_of(&v, x + 2, j, i)) + 0.0;
}

/* All elements at once, in time n: their values, and what g[k] at each of them is together at each operand. */
static void mg_softmax_each(const double *x, int n, double *z) {
  mg_weights w = mg_weigh(x, n, -1);
  for (int k = 0; k < n; k++) z[k] = w.finite ? mg_share_of(&w, x[k]) : NAN;
}

static void mg_log_softmax_each(const double *x, int n, double *z) {
  mg_weights w = mg_weigh(x, n, -1);
  for (int k = 0; k < n; k++) z[k] = -mg_lost(&w, x[k]);
}

MG_INLINE mg_pair mg_minus(mg_pair a, mg_pair b) {
  mg_pair r = mg_two_sum(a.hi, -b.hi);
  return mg_two_sum(r.hi, r.lo + (a.lo - b.lo));
}

/* sⱼ·(gⱼ·(1 − sⱼ) − Σ gₖsₖ over the others); of the logarithm gⱼ·(1 − sⱼ) − sⱼ·Σ gₖ over the others */
static void mg_each_back(const double *g, const double *x, int n, double *out, int logarithm) {
  mg_weights w = mg_weigh(x, n, -1);
  mg_pair all = {0.0, 0.0};
  for (int k = 0; k < n; k++) {
    mg_pair own = {g[k], 0.0};
    if (!logarithm) own = mg_product(own, mg_quotient(mg_weight_of(mg_difference(&w, x[k])), w.total));
    mg_add_to(&all, own);
  }
  all = mg_tidy(all);
  for (int j = 0; j < n; j++) {
    mg_pair e = mg_weight_of(mg_difference(&w, x[j])), s = mg_quotient(e, w.total), own = {g[j], 0.0}, q, d;
    q = mg_product(own, mg_quotient(mg_minus(w.total, e), w.total));
    if (logarithm) {
      d = mg_minus(q, mg_product(mg_minus(all, own), s));
      out[j] = d.hi + d.lo + 0.0;
    } else {
      d = mg_minus(q, mg_minus(all, mg_product(own, s)));
      out[j] = mg_times(s.hi, d) + d.hi * s.lo + 0.0;
    }
    if (!w.finite) out[j] = NAN;
  }
}

/* ── the one that an index selects ── */
static double mg_take_n(const double *x, int n) { (void)n; return x[1 + (int)x[0]]; }

static void mg_take_pull(double g, double z, const double *x, int n, double *out) {
  (void)z;
  for (int j = 0; j < n; j++) out[j] = MG_ABSENT;
  out[1 + (int)x[0]] = g + 0.0;
}
