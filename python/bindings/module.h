#pragma once

// The parts of nybble.core: each file binds one subject.

#include "convert.h"

namespace nybble::python {

void init_dtype(py::module_& m);
void init_device(py::module_& m);
void init_array(py::module_& m);
void init_creation(py::module_& m);
void init_elementwise(py::module_& m);
void init_activations(py::module_& m);
void init_reduce(py::module_& m);
void init_shape(py::module_& m);
void init_indexing(py::module_& m);
void init_sort(py::module_& m);
void init_matmul(py::module_& m);
void init_convolution(py::module_& m);
void init_linalg(py::module_& m);
void init_products(py::module_& m);
void init_quantized(py::module_& m);
void init_random(py::module_& m);
void init_fast(py::module_& m);
void init_io(py::module_& m);
void init_rearrange(py::module_& m);
void init_statistics(py::module_& m);
void init_contraction(py::module_& m);
void init_limits(py::module_& m);
void init_transforms(py::module_& m);
void init_array_at(py::module_& m);
void init_memory(py::module_& m);
void init_print_options(py::module_& m);
void init_distributed(py::module_& m);
/// Members of array beyond those of init_array.
void init_array_members(py::module_& m);
/// Second names of functions: after all others.
void init_aliases(py::module_& m);
/// Refuses keywords that cannot be encoded, in all functions and methods made so far.
void guard_keywords(py::module_& m);

}  // namespace nybble::python
