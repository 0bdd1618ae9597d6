/* The interpreter of recorded programs: one switch over the table forward, one backward. No formulas.

What a row computes is a function of rows.h; here it is called, with operands and results where a recorded program keeps
them. A program is the arrays of graph.program.Trace (operations, where the operands of each begin, operands) and an
array of doubles, the slots: first leaves, then a result for each operation, then constants; an operand is a slot.

Both functions go from step k as far as they can: to the end, or to a step that is Python's, which they return. That is
one whose row has no C (a primitive of the user's; its operation is written as −1 − number), or whose index selects
nothing.

A cotangent that did not arrive is -0.0: adding to it changes no bit, and a step where it still stands is left out. */
#include "rows.h"

/* Whether a row is C's here: it has functions, as accurate as those of Python floats. */
static int mg_has_c(int row) {
  switch (row) {
#define MG_CASE(r) case MG_OP_##r:
    MG_EACH_1(MG_CASE)
    MG_EACH_2(MG_CASE)
    MG_EACH_3(MG_CASE)
    MG_EACH_LIST(MG_CASE)
#undef MG_CASE
    return 1;
  }
  return 0;
}

/* Whether the first operands, as many as a row has indices, are integers that select from its lists of others. The
   number says both: indices + 16·lists. */
static int mg_selects(const double *t, int number, int m) {
  const int indices = number % 16;
  for (int i = 0; i < indices; i++)
    if (!(t[i] >= 0.0 && t[i] < (double)((m - indices) / (number / 16)) && t[i] == (double)(int)t[i])) return 0;
  return 1;
}

#define MG_GATHER { for (int j = 0; j < m; j++) t[j] = x[a[j]]; } { if (!mg_selects(t, indices[op[k]], m)) return k; }

/* Steps k, k + 1, … n − 1; t has room for the operands of the longest. indices: how many each row has, by number. */
static long long mg_forward(const int *op, const int *start, const int *args, long long first, long long k,
                            long long n, double *x, double *t, const unsigned char *indices) {
  for (; k < n; k++) {
    const int *a = args + start[k];
    const int m = start[k + 1] - start[k];
    double *z = x + first + k;
    switch (op[k]) {
#define MG_CASE(r) case MG_OP_##r: *z = mg_##r(x[a[0]]); break;
      MG_EACH_1(MG_CASE)
#undef MG_CASE
#define MG_CASE(r) case MG_OP_##r: *z = mg_##r(x[a[0]], x[a[1]]); break;
      MG_EACH_2(MG_CASE)
#undef MG_CASE
#define MG_CASE(r) case MG_OP_##r: *z = mg_##r(x[a[0]], x[a[1]], x[a[2]]); break;
      MG_EACH_3(MG_CASE)
#undef MG_CASE
#define MG_CASE(r) case MG_OP_##r: MG_GATHER *z = mg_##r##_n(t, m); break;
      MG_EACH_LIST(MG_CASE)
#undef MG_CASE
      default: return k;
    }
  }
  return n;
}

/* Steps k, k − 1, … 0, from the cotangents y of their results to those of their operands; t has room for twice the
   operands of the longest; constants begin at slot `behind`, and need no cotangent. Answers −1 at the end. */
static long long mg_backward(const int *op, const int *start, const int *args, long long first, long long k,
                             long long behind, const double *x, double *y, double *t, const unsigned char *indices) {
  for (; k >= 0; k--) {
    const int *a = args + start[k];
    const int m = start[k + 1] - start[k];
    const double z = x[first + k], g = y[first + k];
    if (mg_absent(g)) continue;
    switch (op[k]) {
#define MG_CASE(r) case MG_OP_##r: y[a[0]] += mg_##r##_d0(g, z, x[a[0]]); break;
      MG_EACH_1(MG_CASE)
#undef MG_CASE
#define MG_CASE(r) case MG_OP_##r: { \
        const double p = x[a[0]], q = x[a[1]]; \
        if (a[0] < behind) y[a[0]] += mg_##r##_d0(g, z, p, q); \
        if (a[1] < behind) y[a[1]] += mg_##r##_d1(g, z, p, q); \
        break; }
      MG_EACH_2(MG_CASE)
#undef MG_CASE
#define MG_CASE(r) case MG_OP_##r: { \
        const double p = x[a[0]], q = x[a[1]], s = x[a[2]]; \
        if (a[0] < behind) y[a[0]] += mg_##r##_d0(g, z, p, q, s); \
        if (a[1] < behind) y[a[1]] += mg_##r##_d1(g, z, p, q, s); \
        if (a[2] < behind) y[a[2]] += mg_##r##_d2(g, z, p, q, s); \
        break; }
      MG_EACH_3(MG_CASE)
#undef MG_CASE
#define MG_CASE(r) case MG_OP_##r: MG_GATHER mg_##r##_pull(g, z, t, m, t + m); \
        { for (int j = 0; j < m; j++) y[a[j]] += t[m + j]; } break;
      MG_EACH_LIST(MG_CASE)
#undef MG_CASE
      default: return k;
    }
  }
  return -1;
}
