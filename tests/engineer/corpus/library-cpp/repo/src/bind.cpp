#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include "index.hpp"

PYBIND11_MODULE(_core, m) {
    pybind11::class_<Index>(m, "Index").def(pybind11::init<>());
}
