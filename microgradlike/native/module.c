/* The extension `microgradlike._native`: a class that holds the array instructions of a plan, and runs them over rows.

   All of a call's work is done with the interpreter's lock given back, on as many threads as pay, and no signal is
   looked at before all of them are done. What is computed does not depend on how many there were: rows are cut into
   the same parts, and their sums are added in the same order. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pythread.h>
#include "machine.h"
#include <stdlib.h>
#include <string.h>

extern const runtime *runtime_plain(void);
#ifdef HAVE_AVX2
extern const runtime *runtime_avx2(void);
#endif
#ifdef HAVE_AVX512
extern const runtime *runtime_avx512(void);
#endif
static const runtime *chosen;

static const runtime *best_runtime(const char *wanted) {
#if defined(HAVE_AVX2) || defined(HAVE_AVX512)
  __builtin_cpu_init();
#endif
#ifdef HAVE_AVX512
  if ((!wanted || !strcmp(wanted, "avx512")) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd"))
    return runtime_avx512();
#endif
#ifdef HAVE_AVX2
  if ((!wanted || strcmp(wanted, "plain")) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return runtime_avx2();
#endif
  (void)wanted;
  return runtime_plain();
}

#define PART_NANOSECONDS 150000.0 /* of rows in a part: starting a thread takes a fifth of that */
#define MOST_PARTS 16
#define MOST_THREADS 64
#define HELD_NANOSECONDS 20000.0 /* a call of so little work keeps the interpreter's lock */

/* ── memory ── */
typedef struct work { /* what one call runs on; a machine keeps those that no call uses */
  struct work *next;
  double *U, *P;
  i64 parts;    /* that P has room for */
  int threads;  /* that have a V and an S */
  double *V[MOST_THREADS], *S[MOST_THREADS];
} work;

typedef struct {
  PyObject_HEAD
  i64 *fields, *starts, *memory; /* one block of memory for all that follows */
  int32_t *tables, *parameters, *inputs, *outputs, *runs; /* runs: the outputs in U by start (−1: fixed) and length */
  double *fixed, *constants;
  int32_t *constant_slots;
  i64 counts[3], n_parameters, n_inputs, n_outputs, n_constants;
  i64 shared, batched, partial, scratch, width, single; /* single: for one row, all of it in U */
  double cost; /* nanoseconds a row, estimated */
  work *idle;
} machine;

static double *doubles(i64 n) { /* aligned to a line of the cache, zero, and readable a little beyond the end */
  size_t bytes = (size_t)(n + 8) * sizeof(double);
  char *raw = calloc(1, bytes + 64 + sizeof(void *));
  if (!raw) return NULL;
  char *at = (char *)(((uintptr_t)raw + sizeof(void *) + 63) & ~(uintptr_t)63);
  ((void **)at)[-1] = raw;
  return (double *)at;
}
static void release(double *x) { if (x) free(((void **)x)[-1]); }
static void work_free(work *w) {
  release(w->U);
  release(w->P);
  for (int t = 0; t < w->threads; t++) { release(w->V[t]); release(w->S[t]); }
  free(w);
}
static int work_grow(const machine *m, work *w, i64 parts, int threads) {
  if (parts > w->parts) {
    release(w->P);
    w->parts = 0;
    if (!(w->P = doubles(parts * m->partial))) return 0;
    w->parts = parts;
  }
  while (w->threads < threads) {
    double *V = doubles(m->batched * m->width), *S = doubles(m->scratch);
    if (!V || !S) { release(V); release(S); return 0; }
    w->V[w->threads] = V;
    w->S[w->threads++] = S;
  }
  return 1;
}
static work *work_new(const machine *m) {
  work *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  if (!(w->U = doubles(m->shared)) || !work_grow(m, w, 1, 1)) { work_free(w); return NULL; }
  for (i64 i = 0; i < m->n_constants; i++) w->U[m->constant_slots[i]] = m->constants[i];
  return w;
}

/* ── arguments ── */
typedef struct { /* the rows of one array */
  Py_buffer view;
  double *copy;
  const double *at;
  i64 width, stride;
} block;

static void block_close(block *b) {
  free(b->copy);
  PyBuffer_Release(&b->view);
}
static int is_double(const Py_buffer *v) {
  const char *f = v->format ? v->format : "B";
  if (*f == '@' || *f == '=') f++;
  return v->itemsize == 8 && f[0] == 'd' && !f[1];
}
/* Opens an array of (count, width) doubles of any strides, or count · width of them in a row. */
static int block_open(block *b, PyObject *x, i64 count) {
  memset(b, 0, sizeof *b);
  if (PyObject_GetBuffer(x, &b->view, PyBUF_STRIDED_RO | PyBUF_FORMAT) < 0) return 0;
  Py_buffer *v = &b->view;
  Py_ssize_t step = v->ndim ? v->strides[0] : 0, along = 8;
  int fits = is_double(v) && v->ndim >= 1 && v->ndim <= 2;
  if (fits && v->ndim == 2) {
    fits = v->shape[0] == count;
    b->width = v->shape[1];
    along = v->strides[1];
  } else if (fits) {
    fits = count > 0 && v->shape[0] % count == 0;
    b->width = fits ? v->shape[0] / count : 0;
    if (fits && b->width != 1) {
      fits = step == 8;
      step = 8 * b->width;
    }
  }
  if (!fits) {
    PyErr_SetString(PyExc_TypeError, "rows must be a buffer of float64, one line for each row");
    PyBuffer_Release(v);
    return 0;
  }
  b->at = v->buf;
  b->stride = step / 8;
  if (step % 8 == 0 && (along == 8 || b->width == 1) && (uintptr_t)v->buf % 8 == 0) return 1;
  if (!(b->copy = malloc((size_t)(count * b->width + 1) * 8))) {
    PyErr_NoMemory();
    PyBuffer_Release(v);
    return 0;
  }
  for (i64 i = 0; i < count; i++)
    for (i64 j = 0; j < b->width; j++)
      memcpy(b->copy + i * b->width + j, (const char *)v->buf + i * step + j * along, 8);
  b->at = b->copy;
  b->stride = b->width;
  return 1;
}

/* The parameters' numbers, a buffer of float64 or a sequence, into U. */
static int parameters_into(const machine *m, PyObject *theta, double *U) {
  Py_buffer v;
  const int32_t *t = m->parameters;
  i64 known = 0;
  for (i64 j = 0; j < m->n_parameters; j++) known += t[2 * j + 1];
  if (PyObject_CheckBuffer(theta)) {
    if (PyObject_GetBuffer(theta, &v, PyBUF_STRIDED_RO | PyBUF_FORMAT) < 0) return 0;
    if (!is_double(&v) || v.ndim != 1 || v.shape[0] != known) {
      PyBuffer_Release(&v);
      PyErr_Format(PyExc_ValueError, "parameters must be a vector of %lld float64", (long long)known);
      return 0;
    }
    const char *from = v.buf;
    Py_ssize_t step = v.strides[0];
    for (i64 j = 0; j < m->n_parameters; j++, t += 2) {
      if (step == 8) memcpy(U + t[0], from, (size_t)t[1] * 8);
      else for (i64 i = 0; i < t[1]; i++) memcpy(U + t[0] + i, from + i * step, 8);
      from += step * t[1];
    }
    PyBuffer_Release(&v);
    return 1;
  }
  PyObject *list = PySequence_Fast(theta, "parameters must be a sequence of numbers");
  if (!list) return 0;
  if (PySequence_Fast_GET_SIZE(list) != known) {
    Py_DECREF(list);
    PyErr_Format(PyExc_ValueError, "parameters must be %lld numbers", (long long)known);
    return 0;
  }
  i64 k = 0;
  for (i64 j = 0; j < m->n_parameters; j++, t += 2)
    for (i64 i = 0; i < t[1]; i++) U[t[0] + i] = PyFloat_AsDouble(PySequence_Fast_GET_ITEM(list, k++));
  Py_DECREF(list);
  return !PyErr_Occurred();
}

/* ── running ── */
typedef struct {
  const machine *m;
  work *w;
  const block *blocks;
  i64 n_blocks, count, parts;
  double *values;         /* (count, n_outputs), or null for sums over the rows */
  i64 next;               /* the first part that nobody has taken */
  double fault;
  i64 fault_of;
  PyThread_type_lock lock;
} job;

typedef struct {
  job *j;
  int thread;
  PyThread_type_lock done;
} helper;

static void store_values(const machine *m, const ctx *c, double *out) {
  const int32_t *o = m->outputs;
  for (i64 j = 0; j < m->n_outputs; j++, o += 2) {
    const double *x = o[0] == 2 ? c->V + o[1] * c->W : o[0] == 1 ? c->U + o[1] : m->fixed + j;
    for (i64 l = 0; l < c->T; l++) out[l * m->n_outputs + j] = x[o[0] == 2 ? l : 0];
  }
}
/* Rows from `start` to `stop`, in tiles. */
static void rows(job *j, ctx *c, i64 start, i64 stop) {
  const machine *m = j->m;
  for (i64 from = start; from < stop; from += c->W) {
    c->T = stop - from < c->W ? stop - from : c->W;
    c->L = (c->T + 7) & ~(i64)7;
    double *V = c->V;
    for (i64 b = 0; b < j->n_blocks; b++) {
      chosen->load(j->blocks[b].at, j->blocks[b].width, j->blocks[b].stride, V, c->W, from, c->T);
      V += j->blocks[b].width * c->W;
    }
    chosen->run(m->fields, m->starts + m->counts[0], m->counts[1], c);
    if (j->values) store_values(m, c, j->values + from * m->n_outputs);
  }
}
static ctx context(const job *j, int thread) {
  ctx c = {j->w->U, j->w->V[thread], j->w->P, j->w->S[thread], j->m->width, 0, 0, j->m->tables, 0.0, 0};
  return c;
}
/* Parts until there are none left. */
static void parts(job *j, int thread) {
  const machine *m = j->m;
  ctx c = context(j, thread);
  i64 tiles = (j->count + m->width - 1) / m->width;
  for (;;) {
    if (j->lock) PyThread_acquire_lock(j->lock, WAIT_LOCK);
    i64 part = j->next++;
    if (j->lock) PyThread_release_lock(j->lock);
    if (part >= j->parts) break;
    i64 start = tiles * part / j->parts * m->width, stop = tiles * (part + 1) / j->parts * m->width;
    c.P = j->w->P + part * m->partial;
    if (m->partial) memset(c.P, 0, (size_t)m->partial * 8);
    rows(j, &c, start, stop < j->count ? stop : j->count);
  }
  if (c.fault_of) {
    if (j->lock) PyThread_acquire_lock(j->lock, WAIT_LOCK);
    j->fault = c.fault;
    j->fault_of = c.fault_of;
    if (j->lock) PyThread_release_lock(j->lock);
  }
}
static void helped(void *x) {
  helper *h = x;
  parts(h->j, h->thread);
  PyThread_release_lock(h->done);
}
static void all_rows(job *j, int threads) {
  helper others[MOST_THREADS];
  int started = 0;
  if (threads > 1) j->lock = PyThread_allocate_lock();
  for (int t = 1; t < threads && j->lock; t++) {
    helper *h = others + started;
    h->j = j;
    h->thread = t;
    if (!(h->done = PyThread_allocate_lock())) break;
    PyThread_acquire_lock(h->done, WAIT_LOCK);
    if (PyThread_start_new_thread(helped, h) == PYTHREAD_INVALID_THREAD_ID) {
      PyThread_free_lock(h->done);
      break;
    }
    started++;
  }
  parts(j, 0);
  for (int t = 0; t < started; t++) { /* whatever happens, nobody leaves before all are done */
    PyThread_acquire_lock(others[t].done, WAIT_LOCK);
    PyThread_release_lock(others[t].done);
    PyThread_free_lock(others[t].done);
  }
  if (j->lock) PyThread_free_lock(j->lock);
  for (i64 p = 1; p < j->parts; p++) {
    double *sum = j->w->P;
    const double *more = j->w->P + p * j->m->partial;
    for (i64 i = 0; i < j->m->partial; i++) sum[i] += more[i];
  }
}
static void compute(job *j, int threads, double *result) {
  const machine *m = j->m;
  ctx c = context(j, 0);
  chosen->run(m->fields, m->starts, m->counts[0], &c);
  if (!m->single) all_rows(j, threads);
  else if (j->values) {
    c.T = 1;
    store_values(m, &c, j->values);
  }
  c.T = j->count;
  chosen->run(m->fields, m->starts + m->counts[0] + m->counts[1], m->counts[2], &c);
  if (c.fault_of) { j->fault = c.fault; j->fault_of = c.fault_of; }
  if (!result) return;
  const int32_t *r = m->runs;
  for (i64 at = 0, n; at < m->n_outputs; at += n, r += 2) {
    const double *x = r[0] < 0 ? m->fixed + at : c.U + r[0];
    if ((n = r[1]) == 1) result[at] = *x;
    else memcpy(result + at, x, (size_t)n * 8);
  }
}

static PyObject *machine_run(machine *m, PyObject *args, int values) {
  PyObject *theta, *arrays, *target, *found = NULL;
  long long count;
  int threads;
  if (!PyArg_ParseTuple(args, "OO!LiO", &theta, &PyTuple_Type, &arrays, &count, &threads, &target)) return NULL;
  Py_buffer out = {0};
  if (PyObject_GetBuffer(target, &out, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) < 0) return NULL;
  i64 n = m->n_outputs, opened = 0, columns = 0, needed = values ? count * n : n;
  block few[8], *blocks = few;
  work *w = NULL;
  job j = {m, NULL, NULL, 0, count, 1, NULL, 0, 0.0, 0, NULL};
  Py_ssize_t n_blocks = PyTuple_GET_SIZE(arrays);
  if (count < 1 || out.len != needed * 8) {
    PyErr_SetString(PyExc_ValueError, "no room for the results");
    goto done;
  }
  if (n_blocks > 8 && !(blocks = malloc(sizeof *blocks * (size_t)n_blocks))) { PyErr_NoMemory(); goto done; }
  for (; opened < n_blocks; opened++) {
    if (!block_open(blocks + opened, PyTuple_GET_ITEM(arrays, opened), count)) goto done;
    columns += blocks[opened].width;
  }
  if (columns != m->n_inputs || (m->single && count != 1)) {
    PyErr_Format(PyExc_ValueError, "rows of %lld numbers, not %lld", (long long)m->n_inputs, (long long)columns);
    goto done;
  }
  if (m->idle) { w = m->idle; m->idle = w->next; }
  else if (!(w = work_new(m))) { PyErr_NoMemory(); goto done; }
  double estimate = m->cost * (double)count;
  while (j.parts < MOST_PARTS && j.parts * 2.0 * PART_NANOSECONDS <= estimate) j.parts = j.parts == 1 ? 4 : j.parts * 2;
  i64 tiles = (count + m->width - 1) / m->width;
  if (j.parts > tiles) j.parts = tiles;
  if (threads > j.parts) threads = (int)j.parts;
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  if (threads < 1 || m->single) threads = 1;
  if (!work_grow(m, w, j.parts, threads)) { PyErr_NoMemory(); goto done; }
  if (!parameters_into(m, theta, w->U)) goto done;
  j.w = w;
  j.blocks = blocks;
  j.n_blocks = opened;
  if (values) j.values = out.buf;
  if (m->single) { /* its inputs are numbers of U */
    const int32_t *slot = m->inputs;
    for (i64 b = 0; b < opened; b++) for (i64 i = 0; i < blocks[b].width; i++) w->U[*slot++] = blocks[b].at[i];
  }
  if (estimate > HELD_NANOSECONDS) {
    Py_BEGIN_ALLOW_THREADS
    compute(&j, threads, values ? NULL : out.buf);
    Py_END_ALLOW_THREADS
  } else
    compute(&j, 1, values ? NULL : out.buf);
  if (j.fault_of) {
    PyObject *index = PyFloat_FromDouble(j.fault);
    if (index) PyErr_Format(PyExc_IndexError, "index %R must be an integer from 0 to %lld", index, (long long)j.fault_of - 1);
    Py_XDECREF(index);
    goto done;
  }
  found = PyBool_FromLong(!values && chosen->any_nan(out.buf, n));
done:
  if (w) { w->next = m->idle; m->idle = w; }
  while (opened) block_close(blocks + --opened);
  if (blocks != few) free(blocks);
  PyBuffer_Release(&out);
  return found;
}
PyDoc_STRVAR(gradient_doc,
  "gradient(parameters, blocks, count, threads, out) -> whether some of it is nan\n\n"
  "The outputs, means over `count` rows, into the buffer `out`. `blocks`: a tuple of arrays, one line for each row.");
PyDoc_STRVAR(values_doc,
  "values(parameters, blocks, count, threads, out)\n\nThe outputs of each row into the buffer `out` (count, outputs).");
static PyObject *machine_gradient(PyObject *m, PyObject *args) { return machine_run((machine *)m, args, 0); }
static PyObject *machine_values(PyObject *m, PyObject *args) { return machine_run((machine *)m, args, 1); }

/* ── the class ── */
PyDoc_STRVAR(machine_doc,
  "Machine(fields, starts, counts, tables, constant_slots, constants, parameters, inputs, outputs, fixed, sizes, cost)\n\n"
  "Array instructions, as integers; native_backend.py writes them, and says what they mean.");

static void outputs_in_runs(machine *m) {
  int32_t *run = m->runs;
  for (i64 i = 0; i < m->n_outputs; i++) {
    int32_t at = m->outputs[2 * i] ? m->outputs[2 * i + 1] : -1;
    if (i && (at < 0 ? run[0] < 0 : run[0] >= 0 && at == run[0] + run[1])) run[1]++;
    else {
      if (i) run += 2;
      run[0] = at;
      run[1] = 1;
    }
  }
}
static PyObject *machine_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(named)) {
  Py_buffer b[11];
  double cost;
  if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*y*y*y*d", b, b + 1, b + 2, b + 3, b + 4, b + 5, b + 6, b + 7, b + 8, b + 9, b + 10, &cost))
    return NULL;
  machine *m = NULL;
  size_t total = 0;
  for (int i = 0; i < 11; i++) total += ((size_t)b[i].len + 15) & ~(size_t)7;
  total += (size_t)b[8].len;
  char *memory = b[2].len == 24 && b[10].len == 48 ? calloc(1, total) : NULL;
  if (!memory) PyErr_NoMemory();
  else if (!(m = (machine *)type->tp_alloc(type, 0))) free(memory);
  else {
    char *at[11];
    m->memory = (i64 *)memory;
    for (int i = 0; i < 11; i++) {
      memcpy(at[i] = memory, b[i].buf, (size_t)b[i].len);
      memory += ((size_t)b[i].len + 15) & ~(size_t)7;
    }
    m->fields = (i64 *)at[0];
    m->starts = (i64 *)at[1];
    memcpy(m->counts, at[2], sizeof m->counts);
    m->tables = (int32_t *)at[3];
    m->constant_slots = (int32_t *)at[4];
    m->constants = (double *)at[5];
    m->n_constants = b[5].len / 8;
    m->parameters = (int32_t *)at[6];
    m->n_parameters = b[6].len / 8;
    m->inputs = (int32_t *)at[7];
    m->n_inputs = b[7].len / 4;
    m->outputs = (int32_t *)at[8];
    m->n_outputs = b[8].len / 8;
    m->fixed = (double *)at[9];
    m->runs = (int32_t *)memory;
    outputs_in_runs(m);
    const i64 *sizes = (const i64 *)at[10];
    m->shared = sizes[0];
    m->batched = sizes[1];
    m->partial = sizes[2];
    m->scratch = sizes[3];
    m->width = sizes[4];
    m->single = sizes[5];
    m->cost = cost;
  }
  for (int i = 0; i < 11; i++) PyBuffer_Release(b + i);
  return (PyObject *)m;
}
static void machine_dealloc(machine *m) {
  PyTypeObject *type = Py_TYPE(m);
  while (m->idle) {
    work *w = m->idle;
    m->idle = w->next;
    work_free(w);
  }
  free(m->memory);
  type->tp_free(m);
  Py_DECREF(type);
}
static PyMethodDef machine_methods[] = {
  {"gradient", machine_gradient, METH_VARARGS, gradient_doc}, {"values", machine_values, METH_VARARGS, values_doc}, {0}};
static PyType_Slot machine_slots[] = {{Py_tp_new, machine_new},         {Py_tp_dealloc, machine_dealloc},
                                      {Py_tp_methods, machine_methods}, {Py_tp_doc, (void *)machine_doc}, {0, 0}};
static PyType_Spec machine_spec = {"microgradlike._native.Machine", sizeof(machine), 0, Py_TPFLAGS_DEFAULT, machine_slots};

/* ── the module ── */
static PyObject *strings(const char *const *names) {
  PyObject *list = PyList_New(0);
  for (; list && *names; names++) {
    PyObject *name = PyUnicode_FromString(*names);
    if (!name || PyList_Append(list, name) < 0) Py_CLEAR(list);
    Py_XDECREF(name);
  }
  PyObject *found = list ? PyList_AsTuple(list) : NULL;
  Py_XDECREF(list);
  return found;
}
static PyObject *in_pairs(PyObject *names) { /* steals them */
  Py_ssize_t n = names ? PyTuple_GET_SIZE(names) / 2 : 0;
  PyObject *found = names ? PyTuple_New(n) : NULL;
  for (Py_ssize_t i = 0; found && i < n; i++) {
    PyObject *pair = PyTuple_GetSlice(names, 2 * i, 2 * i + 2);
    if (pair) PyTuple_SET_ITEM(found, i, pair);
    else Py_CLEAR(found);
  }
  Py_XDECREF(names);
  return found;
}
static int add(PyObject *module, const char *name, PyObject *x) {
  int failed = !x || PyModule_AddObjectRef(module, name, x) < 0;
  Py_XDECREF(x);
  return failed;
}
static int module_exec(PyObject *module) {
  if (!chosen) chosen = best_runtime(getenv("MICROGRADLIKE_ISA"));
  return add(module, "Machine", PyType_FromSpec(&machine_spec)) || add(module, "kernels", strings(chosen->kernels)) ||
                 add(module, "operations", strings(chosen->operations)) ||
                 add(module, "pairs", in_pairs(strings(chosen->pairs))) || add(module, "isa", PyUnicode_FromString(chosen->name + 1)) ||
                 add(module, "lanes", PyLong_FromLongLong(chosen->lanes)) ? -1 : 0;
}
static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", "Array instructions as native code.", 0, 0, module_slots, 0, 0, 0};
PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module); }
