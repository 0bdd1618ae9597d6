/* Where the numbers of an array lie, which the caller keeps and does not resize. NULL: an exception. For Cython only. */
static void *numbers_of(PyObject *array) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE) < 0) return NULL;
  void *found = buffer.buf;
  PyBuffer_Release(&buffer);
  return found;
}
static int *ints_of(PyObject *array) { return (int *)numbers_of(array); }
static double *doubles_of(PyObject *array) { return (double *)numbers_of(array); }
