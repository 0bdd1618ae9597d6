# What Cython must know of value.py that its annotations cannot say: how nodes are freed, what setting an unknown
# attribute says, which module variables are C's.

# Freeing a node frees its operands, and so on down: as a recursion it would overflow the C stack on a deep graph (and
# what Python has against that, the trashcan, needs the collector). So a node that dies while another is being freed
# waits in a list, linked through the memory of its `_data`, the first field. A subclass may have more to free than
# that, and is freed at once: what computes is always a plain Value, so chains of them are not deep.
cdef extern from *:
    """
    #include <string.h>
    static PyTypeObject *plain_value;
    static destructor free_one;
    static PyObject *waiting;
    static int freeing;
    #define LINK_OF(o) ((char *)(o) + sizeof(PyObject))

    static void free_in_turn(PyObject *o) {
        if (Py_TYPE(o) != plain_value) {
            free_one(o);
            return;
        }
        if (freeing) {
            memcpy(LINK_OF(o), &waiting, sizeof waiting);
            waiting = o;
            return;
        }
        freeing = 1;
        free_one(o);
        while (waiting) {
            o = waiting;
            memcpy(&waiting, LINK_OF(o), sizeof waiting);
            free_one(o);
        }
        freeing = 0;
    }

    static void free_without_recursion(PyObject *type) {
        plain_value = (PyTypeObject *)type;
        free_one = plain_value->tp_dealloc;
        plain_value->tp_dealloc = free_in_turn;
    }

    /* A Value takes no attributes of others: programs from elsewhere (an Adam's p.m = 0) are told what to do. */
    static int set_or_say(PyObject *o, PyObject *name, PyObject *value) {
        if (PyObject_GenericSetAttr(o, name, value) == 0)
            return 0;
        if (value && PyErr_ExceptionMatches(PyExc_AttributeError) && !_PyType_Lookup(Py_TYPE(o), name))
            PyErr_Format(PyExc_AttributeError,
                "a Value takes no attribute %R: keep what belongs to it in a dict by the Value, say m[v] = 0.0", name);
        return -1;
    }

    static void say_what_to_set(PyObject *type) {
        ((PyTypeObject *)type)->tp_setattro = set_or_say;
    }
    """
    void free_without_recursion(object type)
    void say_what_to_set(object type)

# The rows of the table as C, which installing writes.
cdef extern from "eager.h":
    bint mg_absent(double g)
    bint mg_call_1(int row, double x, double *z)
    bint mg_call_2(int row, double x, double y, double *z)
    bint mg_call_n(int row, const double *x, int n, double *z)
    bint mg_back_1(int row, double g, double z, double x, double *to_x)
    bint mg_back_2(int row, double g, double z, double x, double y, double *to_x, double *to_y)
    bint mg_each(int row, const double *x, int n, double *z)
    bint mg_back_each(int row, const double *g, const double *x, int n, double *to)
    bint mg_back_n(int row, double g, double z, const double *x, int n, double *to)

cdef extern from "buffers.h":
    int *ints_of(object array) except NULL

cdef int ADD, SUBTRACT, MULTIPLY, NEGATIVE, RELU, DIVIDE, POW, EXP, LOG, TANH, SIGMOID, SQRT
cdef long long _epoch, _stamp, _newest, _oldest, _special, _sweeping
cdef object _observer
