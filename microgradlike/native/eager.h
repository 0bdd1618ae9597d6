/* What value.py asks of the rows, by their numbers. Each answers 1; or 0 where floats.py is to be asked instead: a user's
   row, one whose C is not to the last place, operands that do not fit (floats.py raises what there is to say). */
#include "rows.h"

static int mg_call_1(int row, double x, double *z) {
  switch (row) {
#define MG_CASE(r) case MG_OP_##r: *z = mg_##r(x); return 1;
    MG_EACH_1(MG_CASE)
#undef MG_CASE
  }
  return 0;
}

MG_INLINE int mg_call_2(int row, double x, double y, double *z) {
  switch (row) {
#define MG_CASE(r) case MG_OP_##r: *z = mg_##r(x, y); return 1;
    MG_EACH_2(MG_CASE)
#undef MG_CASE
  }
  return 0;
}

/* What g at the result z is at the operands. */
MG_INLINE int mg_back_1(int row, double g, double z, double x, double *to_x) {
  switch (row) {
#define MG_CASE(r) case MG_OP_##r: *to_x = mg_##r##_d0(g, z, x); return 1;
    MG_EACH_1(MG_CASE)
#undef MG_CASE
  }
  return 0;
}

MG_INLINE int mg_back_2(int row, double g, double z, double x, double y, double *to_x, double *to_y) {
  switch (row) {
#define MG_CASE(r) case MG_OP_##r: *to_x = mg_##r##_d0(g, z, x, y); *to_y = mg_##r##_d1(g, z, x, y); return 1;
    MG_EACH_2(MG_CASE)
#undef MG_CASE
  }
  return 0;
}

/* Whether so many operands fit: those in front are indices of the others, which are so many lists. */
static int mg_fits(int row, const double *x, int n) {
  int size = n - MG_LEADING[row];
  if (MG_LISTS[row] == 0) return size == 0;
  if (size < 0 || size % MG_LISTS[row]) return 0;
  size /= MG_LISTS[row];
  for (int i = 0; i < MG_LEADING[row]; i++)
    if (!(x[i] >= 0.0 && x[i] < size)) return 0;
  return 1;
}

static int mg_call_n(int row, const double *x, int n, double *z) {
  if (row >= MG_ROWS || !mg_fits(row, x, n)) return 0;
  switch (row) {
#define MG_CASE(r) case MG_OP_##r: *z = mg_##r##_n(x, n); return 1;
    MG_EACH_3(MG_CASE)
    MG_EACH_LIST(MG_CASE)
#undef MG_CASE
  }
  return 0;
}

/* Rows whose elements share their operands, all elements at once. */
static int mg_each(int row, const double *x, int n, double *z) {
  if (row == MG_OP_softmax) mg_softmax_each(x, n, z);
  else if (row == MG_OP_log_softmax) mg_log_softmax_each(x, n, z);
  else return 0;
  return 1;
}

static int mg_back_each(int row, const double *g, const double *x, int n, double *to) {
  if (row != MG_OP_softmax && row != MG_OP_log_softmax) return 0;
  mg_each_back(g, x, n, to, row == MG_OP_log_softmax);
  return 1;
}

static int mg_back_n(int row, double g, double z, const double *x, int n, double *to) {
  if (row >= MG_ROWS || !mg_fits(row, x, n)) return 0;
  switch (row) {
#define MG_CASE(r) case MG_OP_##r: mg_##r##_pull(g, z, x, n, to); return 1;
    MG_EACH_3(MG_CASE)
    MG_EACH_LIST(MG_CASE)
#undef MG_CASE
  }
  return 0;
}
