#include "nybble/ops/matmul.h"

#include "module.h"
#include "nybble/ops/gather_mm.h"

namespace nybble::python {

void init_matmul(py::module_& m) {
  m.def(
      "matmul", [](array a, array b, StreamArgument) { return matmul(a, b); }, "a"_a, "b"_a,
      py::pos_only(), py::kw_only(), kStream, R"doc(
The matrix product ``a @ b``, by NumPy's rules for vectors and batches.

The result does not depend on the number of threads. Sums over K are made of runs of a few hundred
products each; infinity and NaN propagate as in single products and sums.

Args:
    a: ``[..., M, K]`` or ``[K]``, any strides: a transposed operand costs no copy.
    b: ``[..., K, N]`` or ``[K]``; leading dimensions broadcast.

Returns:
    array: ``[..., M, N]`` of the dtype that both promote to, floating or complex. float16 and
    bfloat16 are multiplied and summed in float32 and rounded once. Zeros if K is 0.

Raises:
    ValueError: both are integers, one is 0-d, or shapes do not fit.

Example:
    >>> import nybble.core as mx
    >>> mx.matmul(mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([1.0, 10.0]))
    array([21, 43], dtype=float32)
)doc");
  m.def(
      "addmm",
      [](array c, array a, array b, double alpha, double beta, StreamArgument) {
        return addmm(c, a, b, alpha, beta);
      },
      "c"_a, "a"_a, "b"_a, py::pos_only(), "alpha"_a = 1.0, "beta"_a = 1.0, py::kw_only(), kStream,
      R"doc(
``alpha * (a @ b) + beta * c``.

float16 and bfloat16 are computed in float32 and rounded once, after the sum. As in BLAS, a factor
of 0 means that its term is not read: NaN in it does not matter.

Args:
    c: broadcasts to the shape of ``a @ b``.
    a: ``[..., M, K]`` or ``[K]``.
    b: ``[..., K, N]`` or ``[K]``.
    alpha: factor of the product.
    beta: factor of ``c``.

Returns:
    array: ``[..., M, N]`` of the dtype that all three promote to, floating or complex.

Raises:
    ValueError: as :func:`matmul`, or ``c`` does not broadcast.

Example:
    >>> import nybble.core as mx
    >>> mx.addmm(mx.array([1.0, 2.0]), mx.ones((1, 3)), mx.ones((3, 2)))
    array([[4, 5]], dtype=float32)
)doc");
  m.def(
      "gather_mm",
      [](array a, array b, std::optional<array> lhs_indices, std::optional<array> rhs_indices, bool,
         StreamArgument) { return gather_mm(a, b, lhs_indices, rhs_indices); },
      "a"_a, "b"_a, py::pos_only(), "lhs_indices"_a = py::none(), "rhs_indices"_a = py::none(),
      py::kw_only(), "sorted_indices"_a = false, kStream, R"doc(
Products of chosen matrices: ``y[i] = a[lhs_indices[i]] @ b[rhs_indices[i]]``.

The indices count the matrices of ``a`` and ``b`` in row-major order of their leading dimensions.
Without indices it is :func:`matmul`.

Args:
    a: ``[..., M, K]`` or ``[K]``, any strides.
    b: ``[..., K, N]`` or ``[K]``.
    lhs_indices: integers from 0; None counts through all matrices of ``a``.
    rhs_indices: integers from 0; None counts through all matrices of ``b``. Both broadcast against
        each other.
    sorted_indices: a promise of which nothing depends.

Returns:
    array: the shape of the indices and ``[M, N]`` behind it, without the axis that a vector lacks,
    of the dtype that both promote to, floating.

Raises:
    ValueError: the result would not be floating, or shapes do not fit.
    IndexError: an index is negative or too large.

Example:
    >>> import nybble.core as mx
    >>> b = mx.array([[[1.0], [2.0]], [[10.0], [20.0]]])
    >>> mx.gather_mm(mx.ones((1, 2)), b, rhs_indices=mx.array([1, 0])).tolist()
    [[[30.0]], [[3.0]]]
)doc");
}

}  // namespace nybble::python
