# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, auto_pickle=False
"""What a compiled function is called through: recorded programs on slots of their own, and calls bound to them.

`Interpreter` runs a recorded program (native/interpreter.h says how it is written down). `Call` is a program with the
kinds of arguments that it was recorded for. `Caller` is what users call: it tries its calls in turn, and leaves to
Python (its method `_call`) whatever none of them takes. Which recording fits, and what a call answers, is decided there.
"""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_IsContiguous, PyBuffer_Release,
    PyBuffer_FillInfo, PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF, PyObject
from libc.string cimport memcpy

from array import array as array_of

cdef extern from "interpreter.h":
    """
    static Py_ssize_t count_of(size_t n) { return PyVectorcall_NARGS(n); }
    static int is_float(PyObject *x) { return PyFloat_CheckExact(x); }
    static int is_int(PyObject *x) { return PyLong_CheckExact(x); }
    static int is_list(PyObject *x) { return PyList_CheckExact(x); }
    static int is_tuple(PyObject *x) { return PyTuple_CheckExact(x); }
    static PyObject *type_of(PyObject *x) { return (PyObject *)Py_TYPE(x); }
    static Py_ssize_t list_size(PyObject *x) { return PyList_GET_SIZE(x); }
    static Py_ssize_t tuple_size(PyObject *x) { return PyTuple_GET_SIZE(x); }
    static PyObject *list_item(PyObject *x, Py_ssize_t i) { return PyList_GET_ITEM(x, i); }
    static PyObject *tuple_item(PyObject *x, Py_ssize_t i) { return PyTuple_GET_ITEM(x, i); }
    static PyObject *const *items_of(PyObject *x) { return ((PyTupleObject *)x)->ob_item; }
    static double float_of(PyObject *x) { return PyFloat_AS_DOUBLE(x); }

    /* The number of a Value, the first field of a node (value.pxd relies on it, too). */
    static double data_of(PyObject *x) { double d; memcpy(&d, (char *)x + sizeof(PyObject), sizeof d); return d; }

    static void make_vectorcall(PyObject *type, Py_ssize_t offset) {
        PyTypeObject *t = (PyTypeObject *)type;
        t->tp_vectorcall_offset = offset;
        t->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        t->tp_call = PyVectorcall_Call;
        PyType_Modified(t);
    }
    """
    int MG_ROWS, MG_OP_pow, MG_OP_square
    bint mg_has_c(int row)
    long long mg_forward(const int *op, const int *start, const int *args, long long first, long long k,
                         long long n, double *x, double *t, const unsigned char *indices) nogil
    long long mg_backward(const int *op, const int *start, const int *args, long long first, long long k,
                          long long behind, const double *x, double *y, double *t, const unsigned char *indices) nogil
    ctypedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *)
    Py_ssize_t count_of(size_t n)
    bint is_float(PyObject *x)
    bint is_int(PyObject *x)
    bint is_list(PyObject *x)
    bint is_tuple(PyObject *x)
    PyObject *type_of(PyObject *x)
    Py_ssize_t list_size(PyObject *x)
    Py_ssize_t tuple_size(PyObject *x)
    PyObject *list_item(PyObject *x, Py_ssize_t i)
    PyObject *tuple_item(PyObject *x, Py_ssize_t i)
    PyObject *const *items_of(PyObject *x)
    double float_of(PyObject *x)
    double data_of(PyObject *x)
    void make_vectorcall(PyObject *type, Py_ssize_t offset)

cdef extern from "buffers.h":
    int *ints_of(object array) except NULL
    double *doubles_of(object array) except NULL

cdef extern from "Python.h":
    PyObject *PyObject_Vectorcall(object f, PyObject *const *args, size_t n, PyObject *names) except NULL
    double PyLong_AsDouble(PyObject *x) except? -1.0

cdef unsigned char indices_of[1024]




def use_indices(counts):
    """(number, indices + 16·lists) of rows with lists, see interpreter.h."""
    for number, count in counts:
        if number < MG_ROWS:
            indices_of[number] = count


cdef Py_ssize_t PATIENCE = 10_000_000  # so many steps between two looks whether Ctrl-C was pressed


cdef void *room(Py_ssize_t size) except NULL:
    found = PyMem_Malloc(size if size else 1)
    if found == NULL:
        raise MemoryError
    return found


cdef inline int number_of(int op):
    """The number of a row whose operation may be written as Python's."""
    return op if op >= 0 else -1 - op


cdef class Interpreter:
    """A recorded program on slots of its own.

    Args:
        trace: a graph.program.Trace.
        results: how many of its outputs are results. The others are pairs, the two sides of recorded tests.
        tests: for each test two numbers: its comparison (0 … 5 for < <= > >= == !=), and its outcome.
        functions: by number of operation, the function of a row on floats, for rows that are not C's.
        rules: by number of operation, its cotangents (g, z, *x) ↦ [c or None, …].
    """

    name = "interpreter"

    cdef readonly Py_ssize_t inputs, first, steps, results, tests
    cdef readonly object trace, functions, rules
    cdef object _tests
    cdef Py_ssize_t slots
    cdef bint busy
    cdef const int *start
    cdef const int *test
    cdef int *op
    cdef int *args
    cdef int *out
    cdef double *x
    cdef double *y
    cdef double *t
    cdef public Py_ssize_t runs, limit  # gradients of quick calls, and after how many Python is asked (−1: never)

    def __cinit__(self, trace, Py_ssize_t results, tests, functions, rules):
        cdef Py_ssize_t i, longest = 0
        cdef Py_ssize_t fixed = len(trace.constants), used = len(trace.operands), results_and_sides = len(trace.outputs)
        cdef const int *operations = ints_of(trace.operations)
        cdef const int *operands = ints_of(trace.operands)
        cdef const int *outputs = ints_of(trace.outputs)
        cdef const double *constants = doubles_of(trace.constants)
        self.trace, self.functions, self.rules, self._tests = trace, functions, rules, tests
        self.start, self.test = ints_of(trace.start), ints_of(tests)
        self.inputs, self.first, self.steps = trace.inputs, len(trace.leaves), len(trace.operations)
        self.results, self.tests = results, len(tests) // 2
        self.slots = self.first + self.steps + fixed
        self.limit = -1
        self.op = <int *>room(sizeof(int) * self.steps)
        for i in range(self.steps):
            self.op[i] = operations[i] if mg_has_c(operations[i]) else -1 - operations[i]
            longest = max(longest, self.start[i + 1] - self.start[i])
        self.args = <int *>room(sizeof(int) * used)
        self.out = <int *>room(sizeof(int) * results_and_sides)
        self.x = <double *>room(sizeof(double) * self.slots)
        self.y = <double *>room(sizeof(double) * self.slots)
        self.t = <double *>room(2 * sizeof(double) * longest)
        cdef int behind = self.first + self.steps  # where the constants are
        for i in range(used):
            self.args[i] = operands[i] if operands[i] >= 0 else behind - 1 - operands[i]
        for i in range(results_and_sides):
            self.out[i] = outputs[i] if outputs[i] >= 0 else behind - 1 - outputs[i]
        for i in range(fixed):
            self.x[behind + i] = constants[i]
        for i in range(self.steps):  # x² needs no logarithm, and has the same bits (floats.pow)
            if operations[i] == MG_OP_pow and self.args[self.start[i] + 1] >= behind:
                if self.x[self.args[self.start[i] + 1]] == 2.0:
                    self.op[i] = MG_OP_square

    def __dealloc__(self):
        PyMem_Free(self.op)
        PyMem_Free(self.args)
        PyMem_Free(self.out)
        PyMem_Free(self.x)
        PyMem_Free(self.y)
        PyMem_Free(self.t)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        """The numbers of the leaves, as a vector."""
        PyBuffer_FillInfo(buffer, self, self.x, self.first * sizeof(double), True, flags)
        buffer.itemsize, buffer.format, buffer.shape = sizeof(double), b"d", &self.first

    cdef int forward(self) except -1:
        """Fill the slots of all results, those of the leaves being filled."""
        cdef long long k = 0
        cdef int j
        while True:
            k = mg_forward(self.op, self.start, self.args, self.first, k, self.steps, self.x, self.t, indices_of)
            if k == self.steps:
                return 0
            operands = [self.x[self.args[j]] for j in range(self.start[k], self.start[k + 1])]
            self.x[self.first + k] = self.functions[number_of(self.op[k])](*operands)
            k += 1

    cdef int backward(self, int root) except -1:
        """What a cotangent of 1 at slot `root` is at every slot before it."""
        cdef long long k = root - self.first if root < self.first + self.steps else -1
        cdef int j
        cdef double c
        self.y[root] += 1.0
        while k >= 0:
            k = mg_backward(self.op, self.start, self.args, self.first, k, self.first + self.steps, self.x, self.y, self.t, indices_of)
            if k < 0:
                break
            operands = [self.x[self.args[j]] for j in range(self.start[k], self.start[k + 1])]
            found = self.rules[number_of(self.op[k])](self.y[self.first + k], self.x[self.first + k], *operands)
            if len(found) != len(operands):
                raise ValueError(f"a pullback gave {len(found)} gradients for {len(operands)} arguments")
            for j, cotangent in enumerate(found):
                if cotangent is not None:
                    c = cotangent
                    self.y[self.args[self.start[k] + j]] += c + 0.0
            k -= 1
        return 0

    cdef inline void clear(self, Py_ssize_t begin, Py_ssize_t end):
        """No cotangent has arrived at these slots."""
        cdef Py_ssize_t i
        for i in range(begin, end):
            self.y[i] = -0.0

    cdef inline bint holds(self, Py_ssize_t i):
        """Whether test i comes out now as it did when it was recorded."""
        return self.tested(i) == self.test[2 * i + 1]

    cdef inline bint tested(self, Py_ssize_t i):
        cdef int relation = self.test[2 * i]
        cdef double left = self.x[self.out[self.results + 2 * i]], right = self.x[self.out[self.results + 2 * i + 1]]
        if relation < 2:
            return left < right if relation == 0 else left <= right
        if relation < 4:
            return left > right if relation == 2 else left >= right
        return left == right if relation == 4 else left != right

    cdef list answer(self):
        """The results, then 1 or 0 for each test."""
        cdef Py_ssize_t i
        found = [self.x[self.out[i]] for i in range(self.results)]
        for i in range(self.tests):
            found.append(1.0 if self.tested(i) else 0.0)
        return found

    cdef int load(self, numbers, Py_ssize_t begin, Py_ssize_t end) except -1:
        """Fill the slots from `begin` to `end`."""
        cdef Py_ssize_t i = begin
        if len(numbers) != end - begin:
            raise ValueError(f"{len(numbers)} numbers for {end - begin} leaves")
        for number in numbers:
            self.x[i] = number
            i += 1
        return 0

    cdef Interpreter unshared(self):
        """This one; a copy if it is at work already, in another thread or below a formula that it has called."""
        if not self.busy:
            return self
        return Interpreter(self.trace, self.results, self._tests, self.functions, self.rules)

    def values(self, parameters, rows):
        """For each row of arguments the results, then 1 or 0 for each test."""
        cdef Interpreter p = self.unshared()
        cdef long long work = 0
        p.busy = True
        try:
            p.load(parameters, p.inputs, p.first)
            found = []
            for row in rows:
                p.load(row, 0, p.inputs)
                p.forward()
                found.append(tuple(p.answer()))
                work += p.steps + 1
                if work > PATIENCE:
                    work = 0
                    PyErr_CheckSignals()
            return found
        finally:
            p.busy = False

    def gradient(self, parameters, rows):
        """The mean of the first result over the rows, and of its gradients with respect to the parameters."""
        cdef Interpreter p = self.unshared()
        cdef long long work = 0
        cdef double total = 0.0, count = 0.0
        cdef Py_ssize_t i
        p.busy = True
        try:
            p.load(parameters, p.inputs, p.first)
            p.clear(0, p.slots)
            for row in rows:
                p.load(row, 0, p.inputs)
                p.forward()
                total += p.x[p.out[0]]
                count += 1.0
                p.clear(p.first, p.slots)
                p.backward(p.out[0])
                work += 3 * p.steps + 1
                if work > PATIENCE:
                    work = 0
                    PyErr_CheckSignals()
            return total / count, [(p.y[i] + 0.0) / count for i in range(p.inputs, p.first)]
        finally:
            p.busy = False

    def jacobian(self, parameters, row):
        """The results for one row and the tests, as `values` has them; for each result its gradient at the inputs."""
        cdef Interpreter p = self.unshared()
        cdef Py_ssize_t i, j
        p.busy = True
        try:
            p.load(parameters, p.inputs, p.first)
            p.load(row, 0, p.inputs)
            p.forward()
            found = []
            for i in range(p.results):
                p.clear(0, p.slots)
                p.backward(p.out[i])
                found.append([p.y[j] + 0.0 for j in range(p.inputs)])
            return p.answer(), found
        finally:
            p.busy = False


# ── calls ───────────────────────────────────────────────────────────────────────────────────────
cdef enum Kind:
    NUMBER, ARRAY, LIST, TUPLE

cdef enum Answer:
    _VALUE, _GRADIENT, _BOTH, _JACOBIAN

VALUE, GRADIENT, BOTH, JACOBIAN = _VALUE, _GRADIENT, _BOTH, _JACOBIAN
cdef object MISSED = object()
cdef PyObject *ndarray = NULL  # NumPy's class of arrays and of floats, once they are seen
cdef PyObject *float64 = NULL
cdef object empty = None


def use_numpy(np):
    """Let calls take and return NumPy's arrays."""
    global ndarray, float64, empty
    empty = np.empty
    ndarray, float64 = <PyObject *>np.ndarray, <PyObject *>np.float64


cdef class Call:
    """A program for arguments of certain kinds, and what it answers.

    Args:
        program: an Interpreter.
        shapes: for each argument None (a number), (list, n), (tuple, n), or the shape of an array.
        leaves: the Values whose data are the program's parameters.
        limits: (slot, n) for arguments that must be one of the integers 0 … n − 1, flat.
        what: VALUE, GRADIENT, BOTH (value and gradient) or JACOBIAN.
        wanted: the arguments to differentiate by, or None for the first alone (the result is no tuple then).
        build: makes the answer of a list with an entry for each result; None if there is one result, a number.
        observed: tells whether somebody is recording, or what was recorded is no longer so; None if it need not be asked.
        plan: (f, n) if array instructions differentiate: f(leaves, (), 1, 1, out) fills n numbers, the result and its
            gradient, and says whether some are nan (then the program is asked); else None.
        tier: what runs, for `Caller.tier_of_call`.
    """

    cdef Interpreter program
    cdef Py_ssize_t arguments
    cdef list leaves, shapes
    cdef int *kind
    cdef Py_ssize_t *size
    cdef list limits, wanted
    cdef bint single
    cdef int what
    cdef object build, observed, plan
    cdef readonly object tier
    cdef const double *out
    cdef tuple given

    def __cinit__(
        self, Interpreter program, shapes, list leaves, limits, int what, wanted, build, observed, plan, tier
    ):
        cdef Py_ssize_t i, n
        self.program, self.leaves, self.build, self.observed, self.tier = program, leaves, build, observed, tier
        if plan is not None:
            self.plan, n = plan
            out = array_of("d", bytes(n * sizeof(double)))
            self.out = doubles_of(out)
            self.given = (program, (), 1, 1, out)
        self.what, self.single = what, type(wanted) is int
        self.limits, self.wanted = list(limits), [wanted] if self.single else list(wanted)
        self.shapes = list(shapes)
        self.arguments = len(self.shapes)
        self.kind = <int *>room(sizeof(int) * self.arguments)
        self.size = <Py_ssize_t *>room(sizeof(Py_ssize_t) * (self.arguments + 1))
        self.size[0] = 0  # where the numbers of each begin
        for i, shape in enumerate(self.shapes):
            if shape is None:
                self.kind[i], n = NUMBER, 1
            elif shape[0] is list or shape[0] is tuple:
                self.kind[i], n = LIST if shape[0] is list else TUPLE, shape[1]
            else:
                self.kind[i], n = ARRAY, 1
                for m in shape:
                    n *= m
            self.size[i + 1] = self.size[i] + n
        if self.size[self.arguments] != program.inputs:
            raise ValueError(f"{self.size[self.arguments]} numbers for {program.inputs} inputs")

    def __dealloc__(self):
        PyMem_Free(self.kind)
        PyMem_Free(self.size)

    cdef bint read(self, PyObject *const *args):
        """The arguments' numbers into the slots; False if they are not of these kinds."""
        cdef Py_ssize_t i, j, n
        cdef double *x
        cdef PyObject *a
        for i in range(self.arguments):
            x, n, a = self.program.x + self.size[i], self.size[i + 1] - self.size[i], args[i]
            if self.kind[i] == NUMBER:
                if not number(a, x):
                    return False
            elif self.kind[i] == ARRAY:
                if not array(a, <tuple>self.shapes[i], x, n):
                    return False
            elif self.kind[i] == LIST:
                if not is_list(a) or list_size(a) != n:
                    return False
                for j in range(n):
                    if not number(list_item(a, j), x + j):
                        return False
            else:
                if not is_tuple(a) or tuple_size(a) != n:
                    return False
                for j in range(n):
                    if not number(tuple_item(a, j), x + j):
                        return False
        return True

    cdef object run(self, PyObject *const *args, Py_ssize_t n):
        """The answer for these arguments, or MISSED: they are not of these kinds, or take another branch."""
        cdef Interpreter p = self.program
        cdef Py_ssize_t i
        if n != self.arguments or p.busy:
            return MISSED
        p.busy = True
        try:
            if not self.read(args):
                return MISSED
            for slot, limit in self.limits:
                i = slot
                if not (0.0 <= p.x[i] < <double>limit and p.x[i] == <double><long long>p.x[i]):
                    return MISSED
            if self.observed is not None and self.observed():
                return MISSED
            if self.leaves:
                i = p.inputs
                for leaf in self.leaves:
                    p.x[i] = data_of(<PyObject *>leaf)
                    i += 1
            if self.plan is not None:
                if not self.plan(*self.given):
                    return self.differentiated(self.out[0], self.out + 1)
            elif self.what == _GRADIENT or self.what == _BOTH:
                if p.runs == p.limit:
                    return MISSED
                p.runs += 1
            p.forward()
            for i in range(p.tests):
                if not p.holds(i):
                    return MISSED
            return self.answer()
        finally:
            p.busy = False

    def attempt(self, *arguments):
        """The answer, or None: these arguments are not for this call, or it is at work."""
        found = self.run(items_of(<PyObject *>arguments), len(arguments))
        return None if found is MISSED else found

    cdef object answer(self):
        cdef Interpreter p = self.program
        cdef Py_ssize_t i
        if self.what == _VALUE:
            if self.build is None:
                return p.x[p.out[0]]
            return self.build([p.x[p.out[i]] for i in range(p.results)])
        if self.what == _JACOBIAN:
            found = []
            for i in range(p.results):
                self.pull(p.out[i])
                found.append(self.gradient(p.y))
            return found[0] if self.build is None else self.build(found)
        self.pull(p.out[0])
        return self.differentiated(p.x[p.out[0]], p.y)

    cdef int pull(self, int root) except -1:
        self.program.clear(0, self.program.slots)
        return self.program.backward(root)

    cdef object differentiated(self, double value, const double *y):
        gradient = self.gradient(y)
        return (value, gradient) if self.what == _BOTH else gradient

    cdef object gradient(self, const double *y):
        """Cotangents of the leaves in the shapes of the arguments that are wanted."""
        if self.single:
            return self.shaped(self.wanted[0], y)
        return tuple([self.shaped(i, y) for i in self.wanted])

    cdef object shaped(self, Py_ssize_t i, const double *y):
        y += self.size[i]
        cdef Py_ssize_t j, n = self.size[i + 1] - self.size[i]
        cdef Py_buffer buffer
        cdef int kind = self.kind[i]
        if kind == NUMBER:
            return y[0] + 0.0
        if kind == ARRAY:
            made = empty(self.shapes[i])
            PyObject_GetBuffer(made, &buffer, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
            for j in range(n):
                (<double *>buffer.buf)[j] = y[j] + 0.0
            PyBuffer_Release(&buffer)
            return made
        found = [y[j] + 0.0 for j in range(n)]
        return found if kind == LIST else tuple(found)


cdef inline bint number(PyObject *a, double *x):
    """Whether a is a float, an int or a NumPy float; its number into x."""
    if is_float(a) or (type_of(a) == float64 and float64 != NULL):
        x[0] = float_of(a)
        return True
    if is_int(a):
        try:
            x[0] = PyLong_AsDouble(a)
        except OverflowError:
            return False
        return True
    return False


cdef inline bint array(PyObject *a, tuple shape, double *x, Py_ssize_t n):
    """Whether a is an array of float64 of this shape, in order; its numbers into x."""
    cdef Py_buffer buffer
    cdef Py_ssize_t j
    cdef bint fits
    if type_of(a) != ndarray or ndarray == NULL:
        return False
    try:
        PyObject_GetBuffer(<object>a, &buffer, PyBUF_FORMAT | PyBUF_STRIDES)
    except (BufferError, ValueError):
        return False
    fits = buffer.ndim == len(shape) and buffer.format[0] == c"d" and buffer.format[1] == 0
    for j in range(buffer.ndim if fits else 0):
        fits = fits and buffer.shape[j] == <Py_ssize_t>shape[j]
    fits = fits and PyBuffer_IsContiguous(&buffer, b"C")
    if fits:
        memcpy(x, buffer.buf, n * sizeof(double))
    PyBuffer_Release(&buffer)
    return fits


cdef class Caller:
    """Something that is called: by the quick calls that it has, else by its method `_call`."""

    cdef vectorcallfunc vectorcall
    cdef tuple calls
    cdef readonly object tier_of_call  # of the last call, if it was a quick one

    def __cinit__(self, *_, **__):
        self.vectorcall = <vectorcallfunc><void *>called
        self.calls = ()
        self.tier_of_call = None

    def __call__(self, *arguments, **named):  # of use for its slot only: `quick` puts `called` in its place
        return self._call(*arguments, **named)

    def _take(self, Call call):
        """Try this call first from now on; the oldest of many is forgotten."""
        self.calls = (call, *self.calls[:7])

    def _ran(self):
        """Something else than a quick call did."""
        self.tier_of_call = None


cdef PyObject *called(PyObject *me, PyObject *const *args, size_t flags, PyObject *names) except NULL:
    cdef Py_ssize_t n = count_of(flags)
    if names == NULL:
        for call in (<Caller>me).calls:
            found = (<Call>call).run(args, n)
            if found is not MISSED:
                (<Caller>me).tier_of_call = (<Call>call).tier
                Py_INCREF(found)
                return <PyObject *>found
    (<Caller>me).tier_of_call = None
    return PyObject_Vectorcall((<object>me)._call, args, n, names)


def quick(kind):
    """The class, a subclass of Caller, whose instances C code calls without making a tuple and a dict."""
    cdef Caller caller = Caller()
    make_vectorcall(<PyObject *>kind, <char *>&caller.vectorcall - <char *><PyObject *>caller)
    return kind
