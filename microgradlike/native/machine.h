/* What a build of the runtime for one kind of processor offers, and the buffers that its kernels run on. No Python here. */
#ifndef MACHINE_H
#define MACHINE_H
#include <stdint.h>
typedef int64_t i64;

/* U: a number for each shared slot. V: a row of W numbers for each slot that differs from row to row of the batch.
   P: partial sums over the rows. S: scratch. T ≤ L ≤ W: rows that are there, and up to a whole vector of them.
   tables: where operands lie that do not lie regularly. fault: an index that selects nothing, and out of how many. */
typedef struct {
  double *U, *V, *P, *S;
  i64 W, T, L;
  const int32_t *tables;
  double fault;
  i64 fault_of;
} ctx;

typedef void (*kernel)(const i64 *d, ctx *c); /* d: the fields of an instruction, see native_backend.py */

typedef struct {
  const char *name;
  i64 lanes;                      /* doubles in a vector register */
  const char *const *kernels;     /* names, up to a 0: an instruction's first field is a place in this list */
  const char *const *operations;  /* names of elementwise operations, up to a 0 */
  const char *const *pairs;       /* a row, its slope, the next row … for which there is one loop, up to a 0 */
  void (*run)(const i64 *fields, const i64 *starts, i64 n, ctx *c);
  i64 (*any_nan)(const double *x, i64 n);
  void (*load)(const double *X, i64 width, i64 stride, double *V, i64 W, i64 from, i64 T);
} runtime;

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#elif defined(_MSC_VER)
#define INLINE static __forceinline
#define NOINLINE __declspec(noinline)
#define UNROLL
#else
#define INLINE static inline
#define NOINLINE
#define UNROLL
#endif
#if defined(_MSC_VER)
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif
#ifndef ISA /* what is put behind the names of this build: _plain, _avx2, _avx512 */
#define ISA _plain
#endif
#define PASTE2(a, b) a##b
#define PASTE1(a, b) PASTE2(a, b)
#define BUILD(name) PASTE1(name, ISA)
#endif
