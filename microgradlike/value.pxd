# What Cython must know of value.py that its annotations cannot say: module variables that are C variables.
cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(object o)

cdef object ADD, SUBTRACT, MULTIPLY, NEGATIVE, RELU, DIVIDE, POW
cdef long long _epoch, _stamp, _newest, _oldest, _special, _sweeping
cdef object _observer
cdef list _queue
cdef bint _draining
