/* Sums of products: one micro-kernel of R results × N vectors in registers serves rows of V, sums over the rows, and
   matrices within U. Compiled so that a product and a sum may be one rounding, which elementwise code must not. */
#include "machine.h"
#include <string.h>

/* ── vectors ── */
#if defined(__GNUC__) && !defined(WITHOUT_VECTORS)
#if defined(__AVX512F__)
#define VL 8
#define MOST 8 /* results at a time */
#elif defined(__AVX__)
#define VL 4
#define MOST 4
#else
#define VL 2
#define MOST 4
#endif
typedef double vec __attribute__((vector_size(VL * 8), aligned(8), may_alias));
typedef i64 mask __attribute__((vector_size(VL * 8), aligned(8), may_alias));
#define ZERO ((vec){0})
#define LANE(v, i) (v)[i]
INLINE vec where_positive(vec g, vec x) { return (vec)((mask)(g > ZERO) & (mask)x); }
INLINE vec relu(vec x) { return (vec)(~(mask)(x <= ZERO) & (mask)x); } /* nan stays */
#else /* no vectors in this compiler's C: one number at a time */
#define VL 1
#define MOST 4
typedef double vec;
#define ZERO 0.0
#define LANE(v, i) (v)
INLINE vec where_positive(vec g, vec x) { return g > 0.0 ? x : 0.0; }
INLINE vec relu(vec x) { return x <= 0.0 ? 0.0 : x; }
#endif
#define WHOLE(n) (((n) + VL - 1) / VL * VL)
#define AT(p) (*(vec *)(p))
#define SEEN(p) (*(const vec *)(p))
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++)

/* What a product takes along: biases to begin with; rows that let it through where they are positive; the distance
   to where the relu of the results goes (0: nowhere). */
typedef struct {
  const double *bias, *gate;
  i64 relu;
} finish;

/* Where the factors are: weights w[r·wr + j·wk], lines of numbers at x + j·xk or, if there is one, lines[j]. */
typedef struct {
  const double *w;
  i64 wr, wk;
  const double *x;
  i64 xk;
  const double *const *lines;
} factors;

/* out[r][l] (+)= Σⱼ w[r][j]·line j[at + l], for N vectors of l. */
INLINE void micro(const int R, const int N, i64 k, factors f, i64 at, double *out, i64 ldo, int more, const finish *end) {
  vec a[MOST][6];
  EACH(r, R) EACH(v, N) a[r][v] = more ? AT(out + r * ldo + v * VL) : ZERO;
  if (end && end->bias) EACH(r, R) EACH(v, N) a[r][v] = ZERO + end->bias[r];
  for (i64 j = 0; j < k; j++) {
    const double *line = (f.lines ? f.lines[j] : f.x + j * f.xk) + at;
    vec b[6];
    EACH(v, N) b[v] = SEEN(line + v * VL);
    EACH(r, R) {
      double s = f.w[r * f.wr + j * f.wk];
      EACH(v, N) a[r][v] += s * b[v];
    }
  }
  if (end && end->gate)
    EACH(r, R) EACH(v, N) a[r][v] = where_positive(SEEN(end->gate + at + r * ldo + v * VL), a[r][v]);
  EACH(r, R) EACH(v, N) AT(out + r * ldo + v * VL) = a[r][v];
  if (end && end->relu) EACH(r, R) EACH(v, N) AT(out + end->relu + r * ldo + v * VL) = relu(a[r][v]);
}

/* R lines of n results, a multiple of VL. */
INLINE void wide(const int R, const int N, i64 n, i64 k, factors f, double *out, i64 ldo, int more, const finish *end) {
  i64 l = 0;
  for (; l + N * VL <= n; l += N * VL) micro(R, N, k, f, l, out + l, ldo, more, end);
  if (N > 2) for (; l + 2 * VL <= n; l += 2 * VL) micro(R, 2, k, f, l, out + l, ldo, more, end);
  for (; l < n; l += VL) micro(R, 1, k, f, l, out + l, ldo, more, end);
}
#define FOUR (VL == 8 ? 6 : 3)
static void packed(int R, i64 n, i64 k, factors f, double *out, i64 ldo, const finish *end) { /* w is [k][R] */
  f.wr = 1;
  switch (R) {
#if MOST == 8
    case 8: f.wk = 8; wide(8, 3, n, k, f, out, ldo, 0, end); break;
#endif
    case 4: f.wk = 4; wide(4, FOUR, n, k, f, out, ldo, 0, end); break;
    case 3: f.wk = 3; wide(3, 4, n, k, f, out, ldo, 0, end); break;
    case 2: f.wk = 2; wide(2, 4, n, k, f, out, ldo, 0, end); break;
    default: f.wk = 1; wide(1, 4, n, k, f, out, ldo, 0, end);
  }
}
static void strided(int R, i64 n, i64 k, factors f, double *out, i64 ldo, int more) {
  switch (R) {
#if MOST == 8
    case 8: wide(8, 3, n, k, f, out, ldo, more, 0); break;
#endif
    case 4: wide(4, FOUR, n, k, f, out, ldo, more, 0); break;
    case 3: wide(3, 4, n, k, f, out, ldo, more, 0); break;
    case 2: wide(2, 4, n, k, f, out, ldo, more, 0); break;
    default: wide(1, 4, n, k, f, out, ldo, more, 0);
  }
}
static int height(i64 left) { return left >= 8 && MOST == 8 ? 8 : left >= 4 ? 4 : (int)left; }

/* An operand of three axes is 5 fields: [table or 0, start, step of the block, of i, of j]. */
INLINE i64 slot(const i64 *o, const ctx *c, i64 b, i64 i, i64 j, i64 n, i64 k) {
  return o[0] ? c->tables[o[0] + (b * n + i) * k + j] : o[1] + b * o[2] + i * o[3] + j * o[4];
}

/* ── turning ── */
INLINE void turn4(const double *a, const double *b, const double *c, const double *d, double *out, i64 ld) {
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 12)
  typedef double v4 __attribute__((vector_size(32), aligned(8), may_alias));
  v4 w = *(const v4 *)a, x = *(const v4 *)b, y = *(const v4 *)c, z = *(const v4 *)d;
  v4 p = __builtin_shufflevector(w, x, 0, 4, 2, 6), q = __builtin_shufflevector(w, x, 1, 5, 3, 7);
  v4 r = __builtin_shufflevector(y, z, 0, 4, 2, 6), s = __builtin_shufflevector(y, z, 1, 5, 3, 7);
  *(v4 *)out = __builtin_shufflevector(p, r, 0, 1, 4, 5);
  *(v4 *)(out + ld) = __builtin_shufflevector(q, s, 0, 1, 4, 5);
  *(v4 *)(out + 2 * ld) = __builtin_shufflevector(p, r, 2, 3, 6, 7);
  *(v4 *)(out + 3 * ld) = __builtin_shufflevector(q, s, 2, 3, 6, 7);
#else
  for (int j = 0; j < 4; j++, out += ld) { out[0] = a[j]; out[1] = b[j]; out[2] = c[j]; out[3] = d[j]; }
#endif
}
/* out[j][i] = line i at j, for m lines of n. */
static void turn(const double *const *line, i64 m, i64 n, double *out, i64 ld) {
  i64 i = 0;
  for (; i + 4 <= m; i += 4) {
    i64 j = 0;
    for (; j + 4 <= n; j += 4) turn4(line[i] + j, line[i + 1] + j, line[i + 2] + j, line[i + 3] + j, out + j * ld + i, ld);
    for (; j < n; j++) for (i64 q = 0; q < 4; q++) out[j * ld + i + q] = line[i + q][j];
  }
  for (; i < m; i++) for (i64 j = 0; j < n; j++) out[j * ld + i] = line[i][j];
}
/* Rows of an array become lines of V. */
void BUILD(load_rows)(const double *X, i64 width, i64 stride, double *V, i64 W, i64 from, i64 T) {
  X += from * stride;
  if (width == 1 && stride == 1) { memcpy(V, X, T * 8); return; }
  if (width == 2) {
    for (i64 b = 0; b < T; b++) { V[b] = X[b * stride]; V[W + b] = X[b * stride + 1]; }
    return;
  }
  i64 b = 0;
  if (width >= 4)
    for (; b + 4 <= T; b += 4) {
      const double *a = X + b * stride;
      i64 j = 0;
      for (; j + 4 <= width; j += 4) turn4(a + j, a + stride + j, a + 2 * stride + j, a + 3 * stride + j, V + j * W + b, W);
      for (; j < width; j++) for (i64 q = 0; q < 4; q++) V[j * W + b + q] = a[q * stride + j];
    }
  for (; b < T; b++) for (i64 j = 0; j < width; j++) V[j * W + b] = X[b * stride + j];
}

/* ── kernels ── */
/* A shared matrix in panels [k][R], once before the rows. d = [blocks, rows, k, A (5), where in U] */
void BUILD(k_pack)(const i64 *d, ctx *c) {
  double *out = c->U + d[8];
  i64 rows = d[1], k = d[2];
  for (i64 b = 0; b < d[0]; b++)
    for (i64 r = 0, R; r < rows; r += R, out += R * k) {
      R = height(rows - r);
      for (i64 j = 0; j < k; j++) for (i64 q = 0; q < R; q++) out[j * R + q] = c->U[slot(d + 3, c, b, r + q, j, rows, k)];
    }
}
/* A packed matrix times rows of V. d = [blocks, rows, k, columns, packed in U, B (5), out, bias in U or −1, gate in V or
   −1, relu − out or 0]; scratch: k */
void BUILD(k_product)(const i64 *d, ctx *c) {
  i64 rows = d[1], k = d[2], columns = d[3], W = c->W;
  factors f = {c->U + d[4], 0, 0, 0, 0, (const double *const *)c->S};
  const double **lines = (const double **)c->S;
  double *out = c->V + d[10] * W, *first = out;
  finish end = {0, 0, d[13] * W};
  int any = d[11] >= 0 || d[12] >= 0 || d[13];
  for (i64 b = 0; b < d[0]; b++, f.w += rows * k)
    for (i64 q = 0; q < columns; q++) {
      for (i64 j = 0; j < k; j++) lines[j] = c->V + slot(d + 5, c, b, q, j, columns, k) * W;
      factors panel = f;
      for (i64 r = 0, R; r < rows; r += R, out += R * W, panel.w += R * k) {
        R = height(rows - r);
        if (d[11] >= 0) end.bias = c->U + d[11] + (out - first) / W;
        if (d[12] >= 0) end.gate = c->V + d[12] * W + (out - first);
        packed((int)R, c->L, k, panel, out, W, any ? &end : 0);
      }
    }
}
/* Rows of V times rows of V, row by row of the batch. d = [blocks, rows, columns, k, A (5), B (5), out] */
void BUILD(k_pairs)(const i64 *d, ctx *c) {
  i64 rows = d[1], columns = d[2], k = d[3], L = c->L, W = c->W;
  double *RESTRICT out = c->V + d[14] * W;
  for (i64 b = 0; b < d[0]; b++)
    for (i64 q = 0; q < columns; q++)
      for (i64 r = 0; r < rows; r++, out += W)
        for (i64 j = 0; j < k; j++) {
          const double *x = c->V + slot(d + 4, c, b, r, j, rows, k) * W, *y = c->V + slot(d + 9, c, b, q, j, columns, k) * W;
          if (j == 0) for (i64 l = 0; l < L; l++) out[l] = x[l] * y[l];
          else for (i64 l = 0; l < L; l++) out[l] += x[l] * y[l];
        }
}
/* Sums over the rows of X·Y, the many Y turned so that they lie side by side: P[block][x][y, up to a whole vector].
   d = [blocks, nx, ny, k, X (5), Y (5), P at]; scratch: ny + W·whole(ny) */
void BUILD(k_rowdot)(const i64 *d, ctx *c) {
  i64 nx = d[1], ny = d[2], k = d[3], W = c->W, across = WHOLE(ny);
  double *P = c->P + d[14], *turned = c->S + WHOLE(ny);
  const double **line = (const double **)c->S;
  for (i64 b = 0; b < d[0]; b++, P += nx * across)
    for (i64 j = 0; j < k; j++) {
      for (i64 y = 0; y < ny; y++) line[y] = c->V + slot(d + 9, c, b, y, j, ny, k) * W;
      turn(line, ny, c->T, turned, across);
      for (i64 x = 0, R; x < nx; x += R) {
        R = height(nx - x);
        i64 s = slot(d + 4, c, b, x, j, nx, k), step = R > 1 ? slot(d + 4, c, b, x + 1, j, nx, k) - s : 0;
        for (i64 q = 2; q < R; q++) if (slot(d + 4, c, b, x + q, j, nx, k) != s + q * step) { R = 1; break; }
        factors f = {c->V + s * W, step * W, 1, turned, across, 0};
        strided((int)R, across, c->T, f, P + x * across, across, 1);
      }
    }
}
/* The same where one side has few: lanes of partial sums, P[block][x][y][VL]. x is 0: sums of Y alone. */
INLINE vec more(vec sum, const double *x, const double *y, i64 l) {
  return x ? sum + SEEN(x + l) * SEEN(y + l) : sum + SEEN(y + l);
}
INLINE void lanes(const int M, i64 k, const double *const *x, const double *const *y, i64 T, double *P) {
  const int N = M == 1 ? 4 : M == 2 ? 2 : 1;
  vec a[8][4];
  i64 whole = T / VL * VL, most = T / (N * VL) * (N * VL);
  EACH(q, M) {
    a[q][0] = SEEN(P + q * VL);
    EACH(v, N) if (v) a[q][v] = ZERO;
  }
  for (i64 j = 0; j < k; j++) {
    const double *f = x ? x[j] : 0;
    i64 l = 0;
    for (; l < most; l += N * VL) EACH(v, N) EACH(q, M) a[q][v] = more(a[q][v], f, y[q * k + j], l + v * VL);
    for (; l < whole; l += VL) EACH(q, M) a[q][0] = more(a[q][0], f, y[q * k + j], l);
    for (; l < T; l++) EACH(q, M) LANE(a[q][0], 0) += f ? f[l] * y[q * k + j][l] : y[q * k + j][l];
  }
  EACH(q, M) {
    EACH(v, N) if (v) a[q][0] += a[q][v];
    AT(P + q * VL) = a[q][0];
  }
}
/* d = [blocks, nx, ny, k, X (5), Y (5), P at], X = [0, −1 …] for sums; scratch: 9·k */
void BUILD(k_thin)(const i64 *d, ctx *c) {
  i64 nx = d[1], ny = d[2], k = d[3], W = c->W;
  int ones = !d[4] && d[5] < 0;
  const double **x = (const double **)c->S, **y = x + k, *const *f = ones ? 0 : x;
  for (i64 b = 0; b < d[0]; b++)
    for (i64 i = 0, M; i < ny; i += M) {
      M = ny - i >= 8 && MOST == 8 ? 8 : ny - i >= 4 ? 4 : ny - i >= 2 ? 2 : 1;
      for (i64 q = 0; q < M; q++)
        for (i64 j = 0; j < k; j++) y[q * k + j] = c->V + slot(d + 9, c, b, i + q, j, ny, k) * W;
      for (i64 r = 0; r < nx; r++) {
        if (!ones) for (i64 j = 0; j < k; j++) x[j] = c->V + slot(d + 4, c, b, r, j, nx, k) * W;
        double *p = c->P + d[14] + ((b * nx + r) * ny + i) * VL;
        switch (M) {
#if MOST == 8
          case 8: lanes(8, k, f, y, c->T, p); break;
#endif
          case 4: lanes(4, k, f, y, c->T, p); break;
          case 2: lanes(2, k, f, y, c->T, p); break;
          default: lanes(1, k, f, y, c->T, p);
        }
      }
    }
}
/* Partial sums into U, as means over the T rows. d = [lanes of each result?, blocks, nx, ny, P at, out, step of x, of y] */
void BUILD(k_fold)(const i64 *d, ctx *c) {
  double scale = 1.0 / (double)c->T;
  const double *P = c->P + d[4];
  i64 nx = d[2], ny = d[3], across = d[0] ? ny * VL : WHOLE(ny);
  for (i64 b = 0; b < d[1]; b++)
    for (i64 x = 0; x < nx; x++, P += across)
      for (i64 y = 0; y < ny; y++) {
        double s = d[0] ? 0.0 : P[y];
        if (d[0]) for (int q = 0; q < VL; q++) s += P[y * VL + q];
        c->U[d[5] + b * nx * ny + x * d[6] + y * d[7]] = s * scale;
      }
}
/* Within U: out[block][column][row] = Σ A[row][j]·B[column][j].
   d = [blocks, rows, columns, k, A (5), B (5), out]; scratch: rows + whole(rows)·k + columns·k + MOST·VL */
void BUILD(k_matrix)(const i64 *d, ctx *c) {
  i64 rows = d[1], columns = d[2], k = d[3], across = WHOLE(rows), whole = rows / VL * VL, rest = rows - whole;
  const double **line = (const double **)c->S;
  double *out = c->U + d[14], *A = c->S + rows, *B = A + across * k, *last = B + columns * k;
  for (i64 b = 0; b < d[0]; b++, out += rows * columns) {
    factors f = {B, k, 1, A, across, 0};
    if (!d[4] && d[7] == 1) {
      f.x = c->U + d[5] + b * d[6];
      f.xk = d[8];
    } else if (!d[4] && d[8] == 1) {
      for (i64 r = 0; r < rows; r++) line[r] = c->U + d[5] + b * d[6] + r * d[7];
      turn(line, rows, k, A, across);
    } else
      for (i64 r = 0; r < rows; r++) for (i64 j = 0; j < k; j++) A[j * across + r] = c->U[slot(d + 4, c, b, r, j, rows, k)];
    if (!d[9]) {
      f.w = c->U + d[10] + b * d[11];
      f.wr = d[12];
      f.wk = d[13];
    } else {
      const int32_t *t = c->tables + d[9] + b * columns * k;
      for (i64 q = 0; q < columns * k; q++) B[q] = c->U[t[q]];
    }
    for (i64 q = 0, R; q < columns; q += R) {
      R = height(columns - q);
      factors part = f;
      part.w += q * f.wr;
      strided((int)R, whole, k, part, out + q * rows, rows, 0);
      if (!rest) continue;
      part.x += whole;
      strided((int)R, VL, k, part, last, VL, 0);
      for (i64 r = 0; r < R; r++) memcpy(out + (q + r) * rows + whole, last + r * VL, rest * 8);
    }
  }
}
INLINE double dot(const double *x, const double *y, i64 k) {
  vec a[4] = {ZERO, ZERO, ZERO, ZERO};
  i64 j = 0;
  double s = 0.0;
  for (; j + 4 * VL <= k; j += 4 * VL) EACH(v, 4) a[v] += SEEN(x + j + v * VL) * SEEN(y + j + v * VL);
  for (; j + VL <= k; j += VL) a[0] += SEEN(x + j) * SEEN(y + j);
  a[0] = (a[0] + a[1]) + (a[2] + a[3]);
  for (int v = 0; v < VL; v++) s += LANE(a[0], v);
  for (; j < k; j++) s += x[j] * y[j];
  return s;
}
/* Within U, dots by themselves. d as above, no scratch. */
void BUILD(k_dots)(const i64 *d, ctx *c) {
  i64 rows = d[1], columns = d[2], k = d[3];
  const i64 *A = d + 4, *B = d + 9;
  double *out = c->U + d[14], *U = c->U;
  for (i64 b = 0; b < d[0]; b++)
    for (i64 q = 0; q < columns; q++)
      for (i64 r = 0; r < rows; r++, out++) {
        const double *x = U + A[1] + b * A[2] + r * A[3], *y = U + B[1] + b * B[2] + q * B[3];
        const int32_t *s = c->tables + A[0] + (b * rows + r) * k, *t = c->tables + B[0] + (b * columns + q) * k;
        if (!A[0] && !B[0] && A[4] == 1 && B[4] == 1) { *out = dot(x, y, k); continue; }
        double sum[4] = {0.0, 0.0, 0.0, 0.0};
        i64 j = 0;
#define SUMS(left, right)                                                       \
  do {                                                                          \
    for (; j + 4 <= k; j += 4) EACH(v, 4) { i64 i = j + v; sum[v] += (left) * (right); } \
    for (; j < k; j++) { i64 i = j; sum[0] += (left) * (right); }               \
  } while (0)
        if (A[0] && B[0]) SUMS(U[s[i]], U[t[i]]);
        else if (A[0]) SUMS(U[s[i]], y[i * B[4]]);
        else if (B[0]) SUMS(x[i * A[4]], U[t[i]]);
        else SUMS(x[i * A[4]], y[i * B[4]]);
        *out = (sum[0] + sum[1]) + (sum[2] + sum[3]);
      }
}
const i64 BUILD(vector_lanes) = VL;
