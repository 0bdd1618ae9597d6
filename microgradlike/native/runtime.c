/* The kernels that are no sums of products: elementwise operations (loops.h, written from the table), reductions, take.
   Compiled once for each kind of processor; module.c chooses. */
#include "machine.h"
#include <math.h>
#include <string.h>
typedef void (*loop_pair)(i64 n, double *RESTRICT o, double *RESTRICT slope, const double *RESTRICT x);
typedef void (*loop)(i64 n, double *RESTRICT o, const double *const *x, int arrays);
#include "loops.h"
#define CHUNK 256 /* numbers of U that are gathered at a time */
#define MOST_OPERANDS 8
#define EACH(l, n) for (i64 l = 0; l < (n); l++)

/* An operand of one axis is 4 fields: [kind, start or bits, step, table or 0]. */
enum { CONSTANT, BATCHED, SHARED };
INLINE i64 slot(const i64 *o, const ctx *c, i64 i) { return o[3] ? c->tables[o[3] + i] : o[1] + i * o[2]; }

/* In rows of V. d = [operation, count, out, arity, all one loop?, operands …] */
static void k_rows(const i64 *d, ctx *c) {
  loop f = LOOPS[d[0]];
  i64 count = d[1], L = c->L, arity = d[3];
  double *out = c->V + d[2] * c->W;
  const double *x[MOST_OPERANDS];
  int arrays = 0;
  if (d[4] && L == c->W) { /* results side by side, operands, too */
    L *= count;
    count = 1;
  }
  EACH(j, arity) {
    if (d[5 + 4 * j] == CONSTANT) x[j] = (const double *)(d + 5 + 4 * j + 1);
    else if (d[5 + 4 * j] == BATCHED) arrays |= 1 << j;
  }
  EACH(i, count) {
    EACH(j, arity) {
      const i64 *p = d + 5 + 4 * j;
      if (*p == BATCHED) x[j] = c->V + slot(p, c, i) * c->W;
      else if (*p == SHARED) x[j] = c->U + slot(p, c, i);
    }
    f(L, out + i * c->W, x, arrays);
  }
}
/* A row and its slope, in rows of V. d = [pair, count, out, out of the slope, all one loop?, operand] */
static void k_with_slope(const i64 *d, ctx *c) {
  i64 count = d[1], L = c->L, W = c->W;
  if (d[4] && L == W) {
    L *= count;
    count = 1;
  }
  EACH(i, count) PAIRS[d[0]](L, c->V + (d[2] + i) * W, c->V + (d[3] + i) * W, c->V + slot(d + 5, c, i) * W);
}
/* Numbers of U. d = [operation, count, out, arity, any gathered?, operands …]; scratch: CHUNK for each operand */
static void k_numbers(const i64 *d, ctx *c) {
  loop f = LOOPS[d[0]];
  i64 count = d[1], arity = d[3], size = d[4] ? CHUNK : count;
  const double *x[MOST_OPERANDS];
  for (i64 i = 0; i < count; i += size) {
    i64 n = count - i < size ? count - i : size;
    int arrays = 0;
    EACH(j, arity) {
      const i64 *p = d + 5 + 4 * j;
      double *g = c->S + j * CHUNK;
      if (*p == CONSTANT) { x[j] = (const double *)(p + 1); continue; }
      if (!p[3] && p[2] == 0) { x[j] = c->U + p[1]; continue; }
      arrays |= 1 << j;
      x[j] = g;
      if (!p[3] && p[2] == 1) x[j] = c->U + p[1] + i;
      else EACH(l, n) g[l] = c->U[slot(p, c, i + l)];
    }
    f(n, c->U + d[2] + i, x, arrays);
  }
}
/* Numbers of U, in runs where each operand has one step. A run in the table: length, then start and step of each
   operand (step 2³⁰: a constant). d = [operation, runs, out, arity, table, constants …]; scratch as above */
static void k_runs(const i64 *d, ctx *c) {
  loop f = LOOPS[d[0]];
  i64 arity = d[3];
  const int32_t *t = c->tables + d[4];
  double *out = c->U + d[2];
  const double *x[MOST_OPERANDS];
  EACH(r, d[1]) {
    i64 count = *t++;
    for (i64 i = 0; i < count; i += CHUNK) {
      i64 n = count - i < CHUNK ? count - i : CHUNK;
      int arrays = 0;
      EACH(j, arity) {
        i64 start = t[2 * j], step = t[2 * j + 1];
        double *g = c->S + j * CHUNK;
        if (step == 1 << 30) { x[j] = (const double *)(d + 5 + j); continue; }
        if (step == 0 || count == 1) { x[j] = c->U + start; continue; }
        arrays |= 1 << j;
        x[j] = g;
        if (step == 1) x[j] = c->U + start + i;
        else EACH(l, n) g[l] = c->U[start + (i + l) * step];
      }
      f(n, out, x, arrays);
      out += n;
    }
    t += 2 * arity;
  }
}
/* One number of U: d = [operation, out, operands …], all of them slots. */
static void k_single(const i64 *d, ctx *c) { SINGLES[d[0]](d + 1, c->U); }

/* ── reductions of k operands, n of them side by side ── */
typedef void (*reduction)(i64 k, i64 n, const double *const *x, double *RESTRICT o);
static void r_sum(i64 k, i64 n, const double *const *x, double *RESTRICT o) {
  const double *a = x[0], *b = x[k > 1];
  if (k == 1) { memcpy(o, a, n * sizeof *o); return; }
  EACH(l, n) o[l] = a[l] + b[l];
  for (i64 j = 2; j < k; j++) { a = x[j]; EACH(l, n) o[l] += a[l]; }
}
static void r_top(i64 k, i64 n, const double *const *x, double *RESTRICT o) { /* the largest; nan if one is nan */
  memcpy(o, x[0], n * sizeof *o);
  for (i64 j = 1; j < k; j++) {
    const double *a = x[j];
    EACH(l, n) { double other = o[l] == o[l] ? a[l] : o[l]; o[l] = o[l] >= a[l] ? o[l] : other; }
  }
}
#define LANES 64
#define BY_LANES for (i64 f = 0; f < n; f += LANES) { i64 m = n - f < LANES ? n - f : LANES;
static void r_rest(i64 k, i64 n, const double *const *x, double *RESTRICT o) { /* the sum of weights without the first 1 */
  BY_LANES
    double total[LANES], lost[LANES], ones[LANES];
    EACH(l, m) { total[l] = lost[l] = 0.0; ones[l] = -1.0; }
    EACH(j, k) {
      const double *a = x[j] + f;
      EACH(l, m) {
        double w = a[l], keep = (w == 1.0 ? 0.0 : w) - lost[l], more = total[l] + keep;
        ones[l] += w == 1.0 ? 1.0 : 0.0;
        lost[l] = (more - total[l]) - keep;
        total[l] = more;
      }
    }
    EACH(l, m) o[f + l] = total[l] + ones[l];
  }
}
static void r_prod(i64 k, i64 n, const double *const *x, double *RESTRICT o) { /* mantissas and exponents apart */
  EACH(l, n) {
    double product = 1.0;
    i64 exponent = 0;
    int e;
    EACH(j, k) {
      product *= frexp(x[j][l], &e);
      exponent += product - product == 0.0 && x[j][l] - x[j][l] == 0.0 ? e : 0;
      if (j % 512 == 511) { product = frexp(product, &e); exponent += product - product == 0.0 ? e : 0; }
    }
    o[l] = ldexp(product, exponent > 9999 ? 9999 : exponent < -9999 ? -9999 : (int)exponent);
  }
}
static void r_norm(i64 k, i64 n, const double *const *x, double *RESTRICT o) { /* squares of what is scaled into range */
  BY_LANES
    double top[LANES], scale[LANES], total[LANES], lost[LANES];
    EACH(l, m) top[l] = total[l] = lost[l] = 0.0;
    EACH(j, k) { const double *a = x[j] + f; EACH(l, m) top[l] = fabs(a[l]) > top[l] ? fabs(a[l]) : top[l]; }
    EACH(l, m) { scale[l] = top[l] > 0x1p500 ? 0x1p-600 : 1.0; scale[l] = top[l] < 0x1p-450 ? 0x1p600 : scale[l]; }
    EACH(j, k) {
      const double *a = x[j] + f;
      EACH(l, m) {
        double v = scale[l] * a[l], p = v * v, s = total[l] + p, t = s - total[l];
        lost[l] += (total[l] - (s - t)) + (p - t);
        total[l] = s;
      }
    }
    EACH(l, m) {
      double root = sqrt(total[l] + (lost[l] == lost[l] ? lost[l] : 0.0)) / scale[l];
      o[f + l] = top[l] == INFINITY ? INFINITY : root;
    }
  }
}
static const reduction REDUCTIONS[] = {r_sum, r_top, r_rest, r_prod, r_norm};

/* One long sum: 32 parts side by side, then these. */
static double long_sum(const double *line, i64 k) {
  double part[32], total = 0.0;
  EACH(j, 32) part[j] = line[j];
  i64 j = 32;
  for (; j + 32 <= k; j += 32) EACH(q, 32) part[q] += line[j + q];
  for (int width = 16; width; width /= 2) EACH(q, width) part[q] += part[q + width];
  for (; j < k; j++) total += line[j];
  return part[0] + total;
}
/* In rows of V. d = [which, n, k, out, start, step of i, step of j, table or 0]; scratch: k */
static void k_reduce_rows(const i64 *d, ctx *c) {
  reduction f = REDUCTIONS[d[0]];
  i64 k = d[2];
  const double **x = (const double **)c->S;
  EACH(i, d[1]) {
    EACH(j, k) x[j] = c->V + (d[7] ? c->tables[d[7] + i * k + j] : d[4] + i * d[5] + j * d[6]) * c->W;
    f(k, c->L, x, c->V + (d[3] + i) * c->W);
  }
}
/* Numbers of U. d = [which, n, k, out, start, step of i, step of j, table or 0]; a step of i of 1 and a table: the table
   says where the first ones lie, the others are their neighbours. Scratch: k + k·min(n, CHUNK) */
static void k_reduce(const i64 *d, ctx *c) {
  reduction f = REDUCTIONS[d[0]];
  i64 n = d[1], k = d[2], size = n < CHUNK ? n : CHUNK;
  const int32_t *t = c->tables + d[7];
  const double **x = (const double **)c->S;
  double *out = c->U + d[3], *g = c->S + k;
  if (d[5] == 1 && n > 1) {
    EACH(j, k) x[j] = c->U + (d[7] ? t[j] : d[4] + j * d[6]);
    f(k, n, x, out);
    return;
  }
  if (d[0] == 0 && k >= 64) {
    EACH(i, n) {
      const double *line = c->U + d[4] + i * d[5];
      if (d[7] || d[6] != 1) {
        EACH(j, k) g[j] = c->U[d[7] ? t[i * k + j] : d[4] + i * d[5] + j * d[6]];
        line = g;
      }
      out[i] = long_sum(line, k);
    }
    return;
  }
  for (i64 i = 0; i < n; i += size) { /* a turned copy */
    i64 m = n - i < size ? n - i : size;
    EACH(j, k) x[j] = g + j * m;
    EACH(l, m) EACH(j, k) g[j * m + l] = c->U[d[7] ? t[(i + l) * k + j] : d[4] + (i + l) * d[5] + j * d[6]];
    f(k, m, x, out + i);
  }
}

/* Of each row of a table, the element that an index names.
   d = [n, k, in V?, out, index (4), kind of table, start, step of i, step of j, table] */
static void k_take(const i64 *d, ctx *c) {
  i64 k = d[1], rows = d[2] ? c->T : 1, W = d[2] ? c->W : 1;
  double *out = (d[2] ? c->V : c->U) + d[3] * W;
  EACH(i, d[0]) {
    const double *index = d[4] == CONSTANT ? (const double *)(d + 5)
                          : d[4] == BATCHED ? c->V + slot(d + 4, c, i) * W : c->U + slot(d + 4, c, i);
    EACH(l, rows) {
      double number = index[d[4] == BATCHED ? l : 0];
      i64 p = 0;
      if (number >= (double)-k && number < (double)k && number == floor(number)) p = number < 0.0 ? (i64)number + k : (i64)number;
      else { c->fault = number; c->fault_of = k; }
      i64 s = d[12] ? c->tables[d[12] + i * k + p] : d[9] + i * d[10] + p * d[11];
      out[i * W + l] = d[8] == BATCHED ? c->V[s * W + l] : c->U[s];
    }
  }
}

/* ── what module.c sees ── */
#define PRODUCTS(X) X(pack) X(product) X(pairs) X(rowdot) X(thin) X(fold) X(matrix) X(dots)
#define OTHERS(X) X(rows) X(with_slope) X(numbers) X(runs) X(single) X(reduce_rows) X(reduce) X(take)
#define DECLARED(name) extern void BUILD(k_##name)(const i64 *, ctx *);
#define THEIRS(name) BUILD(k_##name),
#define OURS(name) k_##name,
#define NAME(name) #name,
PRODUCTS(DECLARED)
extern const i64 BUILD(vector_lanes);
extern void BUILD(load_rows)(const double *, i64, i64, double *, i64, i64, i64);
static const kernel KERNELS[] = {PRODUCTS(THEIRS) OTHERS(OURS)};
static const char *const NAMES[] = {PRODUCTS(NAME) OTHERS(NAME) 0};

static void run(const i64 *fields, const i64 *starts, i64 n, ctx *c) {
  EACH(i, n) {
    const i64 *d = fields + starts[i];
    KERNELS[d[0]](d + 1, c);
  }
}
static i64 any_nan(const double *x, i64 n) {
  i64 found = 0;
  EACH(l, n) found |= -(i64)(x[l] != x[l]);
  return found;
}
#define TEXT2(x) #x
#define TEXT1(x) TEXT2(x)
const runtime *BUILD(runtime)(void) {
  static runtime found = {TEXT1(ISA), 0, NAMES, OPERATIONS, PAIR_NAMES, run, any_nan, 0};
  found.lanes = BUILD(vector_lanes);
  found.load = BUILD(load_rows);
  return &found;
}
