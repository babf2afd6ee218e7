# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""Arrays, and operations on them."""

import collections.abc
import enum
import os
import types
from typing import IO
from typing import Any
from typing import TypeAlias
from typing import TypeVar
from typing import overload
import numpy as np
import numpy.typing as npt

from nybble.core import cuda as cuda
from nybble.core import distributed as distributed
from nybble.core import fast as fast
from nybble.core import linalg as linalg
from nybble.core import metal as metal
from nybble.core import random as random

_Operand: TypeAlias = array | bool | int | float | complex | npt.NDArray[Any] | np.generic | collections.abc.Sequence[Any]
_Ints: TypeAlias = int | collections.abc.Sequence[int]
_StreamOrDevice: TypeAlias = Stream | ThreadLocalStream | Device | DeviceType | None
_File: TypeAlias = str | os.PathLike[str] | IO[bytes]
_F = TypeVar("_F", bound=collections.abc.Callable[..., Any])

__version__: str


def _array_from_bytes(arg0: Any, arg1: Any, arg2: Dtype, /) -> array: ...
def _dtype_named(arg0: str, /) -> Dtype: ...
def _set_numpy_bfloat16(arg0: bool, /) -> None: ...
bfloat16: Dtype
bool_: Dtype
complex64: Dtype
complexfloating: DtypeCategory
cpu: DeviceType
e: float
euler_gamma: float
float16: Dtype
float32: Dtype
float64: Dtype
floating: DtypeCategory
generic: DtypeCategory
gpu: DeviceType
inexact: DtypeCategory
inf: float
int16: Dtype
int32: Dtype
int64: Dtype
int8: Dtype
integer: DtypeCategory
nan: float
newaxis: None
number: DtypeCategory
pi: float
signedinteger: DtypeCategory
uint16: Dtype
uint32: Dtype
uint64: Dtype
uint8: Dtype
unsignedinteger: DtypeCategory

class ArrayAt:
    """What ``array.at`` returns: updates of selected elements."""
    def __getitem__(self, indices: Any) -> ArrayAt:
        """Selects what to update, with any index but masks."""
    def add(self, value: _Operand) -> array:
        """A copy with ``x + value`` in place of every selected ``x``."""
    def divide(self, value: _Operand) -> array:
        """A copy with ``x / value`` in place of every selected ``x``; integers are truncated."""
    def maximum(self, value: _Operand) -> array:
        """A copy with ``maximum(x, value)`` in place of every selected ``x``."""
    def minimum(self, value: _Operand) -> array:
        """A copy with ``minimum(x, value)`` in place of every selected ``x``."""
    def multiply(self, value: _Operand) -> array:
        """A copy with ``x * value`` in place of every selected ``x``."""
    def subtract(self, value: _Operand) -> array:
        """A copy with ``x - value`` in place of every selected ``x``."""

class ArrayIterator:
    """What ``iter(array)`` returns."""
    def __iter__(self) -> ArrayIterator: ...
    def __next__(self) -> array: ...

class AxisError(ValueError, IndexError):
    """An axis is out of range."""

class Device:
    """A device. There is one, the CPU."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __init__(self, type: DeviceType, index: int = 0) -> None: ...
    def __repr__(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def type(self) -> DeviceType: ...

class DeviceType(enum.Enum):
    """A kind of device."""
    cpu = 0
    gpu = 1

class Dtype:
    """The type of an array's elements: ``float32``, ``uint32`` and so on."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __repr__(self) -> str: ...
    @property
    def size(self) -> int:
        """Bytes an element."""

class DtypeCategory(enum.Enum):
    """A family of dtypes, for ``issubdtype``."""
    complexfloating = 7
    floating = 6
    inexact = 5
    signedinteger = 3
    unsignedinteger = 4
    integer = 2
    number = 1
    generic = 0

class PrintOptions:
    """How arrays are printed."""
    def __init__(self, precision: int = -1) -> None: ...
    @property
    def precision(self) -> int:
        """Digits behind the point of floats; -1 for six significant digits."""

class Stream:
    """Accepted where MLX takes one; all work is done at the call."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __repr__(self) -> str: ...
    @property
    def device(self) -> Device: ...
    @property
    def index(self) -> int: ...

class StreamContext:
    """What ``stream`` returns."""
    def __enter__(self) -> None: ...
    def __exit__(self, *args: Any) -> None: ...
    def __init__(self, s: _StreamOrDevice) -> None: ...

class ThreadLocalStream:
    """A stream that is another one in every thread."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __repr__(self) -> str: ...
    @property
    def device(self) -> Device: ...

class _NamespaceInfo:
    """What the Python array API asks of a namespace about itself."""
    def capabilities(self) -> dict[str, Any]: ...
    def default_device(self) -> Any: ...
    def default_dtypes(self, *, device: _StreamOrDevice = None) -> dict[str, Any]: ...
    def devices(self) -> tuple[object]: ...
    def dtypes(self, *, device: _StreamOrDevice = None, kind: Any = None) -> dict[str, Any]: ...

class _PrintOptionsContext:
    def __enter__(self) -> _PrintOptionsContext: ...
    def __exit__(self, *args: Any) -> None: ...

def _gelu(x: _Operand, /) -> array:
    """``x * (1 + erf(x / sqrt(2))) / 2``."""

def _gelu_approx(x: _Operand, /) -> array:
    """``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``."""

def _gelu_fast_approx(x: _Operand, /) -> array:
    """``x * sigmoid(1.702 * x)``."""

def _silu(x: _Operand, /) -> array:
    """``x * sigmoid(x)``."""

def abs(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The absolute value; of complex numbers, their magnitude in float32. The lowest signed integer stays as it is.

    Example:
        >>> import nybble.core as mx
        >>> mx.abs(mx.array([-2, 3]))
        array([2, 3], dtype=int32)
    """

def acos(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse cosine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arccos(mx.array([1.0, 0.5]))
        array([0, 1.0472], dtype=float32)
    """

def acosh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse hyperbolic cosine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arccosh(mx.array([1.0, 2.0]))
        array([0, 1.31696], dtype=float32)
    """

def add(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a + b``; ``or`` for bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.add(mx.array([1, 2]), 10)
        array([11, 12], dtype=int32)
    """

def addmm(
    c: array,
    a: array,
    b: array,
    /,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``alpha * (a @ b) + beta * c``.

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
    """

def all(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Whether all elements over axes are not zero, bool.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.all(mx.array([[1, 0], [3, 4]]), axis=0)
        array([True, False], dtype=bool)
    """

def allclose(
    a: _Operand,
    b: _Operand,
    /,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    *,
    equal_nan: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """Whether all elements are close in the sense of :func:`isclose`, as a 0-d array.

    Example:
        >>> import nybble.core as mx
        >>> mx.allclose(mx.array([1.0, 2.0]), mx.array([1.0, 2.0]))
        array(True, dtype=bool)
    """

def any(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Whether any element over axes is not zero, bool.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.any(mx.array([[1, 0], [3, 0]]), axis=0)
        array([True, False], dtype=bool)
    """

@overload
def arange(
    start: int | float,
    stop: int | float | None,
    step: int | float | None = None,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``arange(start, stop, step)`` or ``arange(stop, step)``: the numbers ``start``, ``start + step``,
    ... before ``stop``; none if ``stop`` lies the other way.

    As in NumPy the increment is what the first step is in the dtype: 0 for a step of 0.5 between
    integers.

    Args:
        start: 0 by default.
        stop: not part of the result.
        step: 1 by default.
        dtype: by default ``float32`` if one of the numbers is a float, else ``int32``, or ``int64``
            where one
            does not fit that.

    Raises:
        ValueError: a step of 0, NaN, infinite bounds, ``bool_``, or too many elements to count.

    Example:
        >>> import nybble.core as mx
        >>> mx.arange(1, 7, 2)
        array([1, 3, 5], dtype=int32)
    """
@overload
def arange(
    stop: int | float,
    step: int | float | None = None,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array: ...

def arccos(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse cosine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arccos(mx.array([1.0, 0.5]))
        array([0, 1.0472], dtype=float32)
    """

def arccosh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse hyperbolic cosine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arccosh(mx.array([1.0, 2.0]))
        array([0, 1.31696], dtype=float32)
    """

def arcsin(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse sine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arcsin(mx.array([0.0, 0.5]))
        array([0, 0.523599], dtype=float32)
    """

def arcsinh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse hyperbolic sine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arcsinh(mx.array([0.0, 1.0]))
        array([0, 0.881374], dtype=float32)
    """

def arctan(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse tangent.

    Example:
        >>> import nybble.core as mx
        >>> mx.arctan(mx.array([0.0, 1.0]))
        array([0, 0.785398], dtype=float32)
    """

def arctan2(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The angle of the point ``(b, a)``, floating. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.arctan2(mx.array([0.0, 1.0]), 1.0)
        array([0, 0.785398], dtype=float32)
    """

def arctanh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse hyperbolic tangent.

    Example:
        >>> import nybble.core as mx
        >>> mx.arctanh(mx.array([0.0, 0.5]))
        array([0, 0.549306], dtype=float32)
    """

def argmax(
    a: array,
    /,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The first position of the largest element along an axis (None: among all, in row-major order), uint32. A NaN counts as largest. Raises ValueError if ``a`` is empty.

    Example:
        >>> import nybble.core as mx
        >>> mx.argmax(mx.array([1, 5, 5]))
        array(1, dtype=uint32)
    """

def argmin(
    a: array,
    /,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The first position of the smallest element along an axis (None: among all, in row-major order), uint32. A NaN counts as smallest. Raises ValueError if ``a`` is empty.

    Example:
        >>> import nybble.core as mx
        >>> mx.argmin(mx.array([1, 5, 5]))
        array(0, dtype=uint32)
    """

def argpartition(
    a: array,
    /,
    kth: int,
    axis: int | None = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The indices (``uint32``) that :func:`partition` the array.

    Args:
        a: an array.
        kth: an index along the axis, from the end if negative.
        axis: None for the flattened array.

    Raises:
        ValueError: ``kth`` is out of range.
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.argpartition(mx.array([3, 1, 2]), 0)[0]
        array(1, dtype=uint32)
    """

def argsort(
    a: array,
    /,
    axis: int | None = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The indices (``uint32``) that sort along an axis, or the flattened array if the axis is None. Those
    of equal elements ascend; those of NaN come last.

    Raises:
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.argsort(mx.array([3, 1, 2]))
        array([1, 2, 0], dtype=uint32)
    """

class array:
    """An n-dimensional array of one dtype.

    ``array(value, dtype=None)`` copies a number, nested lists, a NumPy array, or anything that offers the
    buffer protocol or ``__array__``. Python floats become float32, ints int32 (int64 if they do not fit),
    NumPy float64 becomes float32; other NumPy dtypes stay.

    Slices and transposes are views that never see later writes: an array is a handle on a value, and
    ``x[...] = y`` changes the value of this handle only.

    Raises:
        ValueError: lists whose lengths differ, values that are no numbers, unsupported NumPy dtypes.
        TypeError: ``None``.

    Example:
        >>> import nybble.core as mx
        >>> mx.array([[1, 2], [3, 4]]) * 0.5
        array([[0.5, 1],
               [1.5, 2]], dtype=float32)
    """
    @property
    def T(self) -> array:
        """The array with its axes reversed."""
    def __abs__(self) -> array: ...
    def __add__(self, other: _Operand, /) -> array: ...
    def __and__(self, other: _Operand, /) -> array: ...
    def __array__(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool | None = None,
    ) -> npt.NDArray[Any]:
        """A NumPy array on the same memory where that is possible."""
    def __array_namespace__(self, api_version: Any = None) -> types.ModuleType:
        """The module with the functions of the Python array API."""
    def __bool__(self) -> bool: ...
    def __bytes__(self) -> bytes: ...
    def __complex__(self) -> complex: ...
    def __copy__(self) -> array: ...
    def __deepcopy__(self, arg0: Any, /) -> array: ...
    def __div__(self, other: _Operand, /) -> array: ...
    def __divmod__(self, other: _Operand, /) -> tuple[array, array]: ...
    def __dlpack__(
        self,
        *,
        stream: _StreamOrDevice = None,
        max_version: Any = None,
        dl_device: Any = None,
        copy: bool | None = None,
    ) -> Any:
        """A DLPack capsule on the same memory where that is possible."""
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __eq__(self, other: object, /) -> array: ...  # type: ignore[override]
    def __float__(self) -> float: ...
    def __floordiv__(self, other: _Operand, /) -> array: ...
    def __format__(self, arg0: str, /) -> str: ...
    def __ge__(self, other: _Operand, /) -> array: ...
    def __getitem__(self, index: Any, /) -> array: ...
    def __gt__(self, other: _Operand, /) -> array: ...
    def __hash__(self) -> int: ...
    def __iadd__(self, other: _Operand, /) -> array: ...
    def __iand__(self, other: _Operand, /) -> array: ...
    def __ifloordiv__(self, other: _Operand, /) -> array: ...
    def __ilshift__(self, other: _Operand, /) -> array: ...
    def __imatmul__(self, other: _Operand, /) -> array: ...
    def __imod__(self, other: _Operand, /) -> array: ...
    def __imul__(self, other: _Operand, /) -> array: ...
    def __index__(self) -> int: ...
    def __init__(self, val: Any, dtype: Dtype | None = None) -> None: ...
    def __int__(self) -> int: ...
    def __invert__(self) -> array: ...
    def __ior__(self, other: _Operand, /) -> array: ...
    def __ipow__(self, other: _Operand, /) -> array: ...
    def __irshift__(self, other: _Operand, /) -> array: ...
    def __isub__(self, other: _Operand, /) -> array: ...
    def __iter__(self) -> collections.abc.Iterator[array]: ...
    def __itruediv__(self, other: _Operand, /) -> array: ...
    def __ixor__(self, other: _Operand, /) -> array: ...
    def __le__(self, other: _Operand, /) -> array: ...
    def __len__(self) -> int: ...
    def __lshift__(self, other: _Operand, /) -> array: ...
    def __lt__(self, other: _Operand, /) -> array: ...
    def __matmul__(self, other: _Operand, /) -> array: ...
    def __mod__(self, other: _Operand, /) -> array: ...
    def __mul__(self, other: _Operand, /) -> array: ...
    def __ne__(self, other: object, /) -> array: ...  # type: ignore[override]
    def __neg__(self) -> array: ...
    def __or__(self, other: _Operand, /) -> array: ...
    def __pos__(self) -> array: ...
    def __pow__(self, other: _Operand, /) -> array: ...
    def __radd__(self, other: _Operand, /) -> array: ...
    def __rand__(self, other: _Operand, /) -> array: ...
    def __rdiv__(self, other: _Operand, /) -> array: ...
    def __rdivmod__(self, other: _Operand, /) -> tuple[array, array]: ...
    def __repr__(self) -> str: ...
    def __rfloordiv__(self, other: _Operand, /) -> array: ...
    def __rlshift__(self, other: _Operand, /) -> array: ...
    def __rmatmul__(self, other: _Operand, /) -> array: ...
    def __rmod__(self, other: _Operand, /) -> array: ...
    def __rmul__(self, other: _Operand, /) -> array: ...
    def __ror__(self, other: _Operand, /) -> array: ...
    def __rpow__(self, other: _Operand, /) -> array: ...
    def __rrshift__(self, other: _Operand, /) -> array: ...
    def __rshift__(self, other: _Operand, /) -> array: ...
    def __rsub__(self, other: _Operand, /) -> array: ...
    def __rtruediv__(self, other: _Operand, /) -> array: ...
    def __rxor__(self, other: _Operand, /) -> array: ...
    def __setitem__(self, index: Any, value: _Operand, /) -> None: ...
    def __str__(self) -> str: ...
    def __sub__(self, other: _Operand, /) -> array: ...
    def __truediv__(self, other: _Operand, /) -> array: ...
    def __xor__(self, other: _Operand, /) -> array: ...
    def abs(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`abs`."""
    def all(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`all`."""
    def any(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`any`."""
    def argmax(
        self,
        axis: int | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`argmax`."""
    def argmin(
        self,
        axis: int | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`argmin`."""
    def astype(self, dtype: Dtype, stream: _StreamOrDevice = None) -> array:
        """The elements as another dtype."""
    @property
    def at(self) -> ArrayAt:
        """Updates of selected elements that return a copy, and count an element as often as it is named.

        ``x[i] += y`` reads, adds and writes: an element named twice by ``i`` changes once. With
        ``x = x.at[i].add(y)`` it changes twice. ``subtract``, ``multiply``, ``divide``, ``maximum`` and ``minimum``
        do likewise.

        Example:
            >>> import nybble.core as mx
            >>> mx.array([0, 0]).at[mx.array([0, 1, 0])].add(1)
            array([2, 1], dtype=int32)
        """
    def conj(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`conj`."""
    def cos(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`cos`."""
    def cummax(
        self,
        axis: int | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`cummax`."""
    def cummin(
        self,
        axis: int | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`cummin`."""
    def cumprod(
        self,
        axis: int | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`cumprod`."""
    def cumsum(
        self,
        axis: int | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`cumsum`."""
    def diag(self, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`diag`."""
    def diagonal(
        self,
        offset: int = 0,
        axis1: int = 0,
        axis2: int = 1,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`diagonal`."""
    @property
    def dtype(self) -> Dtype:
        """The type of the elements."""
    def exp(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`exp`."""
    def flatten(
        self,
        start_axis: int = 0,
        end_axis: int = -1,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`flatten`."""
    @property
    def imag(self) -> array:
        """The imaginary part of complex numbers; zeros for real numbers."""
    def item(self) -> Any:
        """The one element as a Python number. Raises ValueError unless the size is 1."""
    @property
    def itemsize(self) -> int:
        """Bytes an element."""
    def log(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`log`."""
    def log10(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`log10`."""
    def log1p(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`log1p`."""
    def log2(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`log2`."""
    def logcumsumexp(
        self,
        axis: int | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`logcumsumexp`."""
    def logsumexp(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`logsumexp`."""
    @property
    def mT(self) -> array:
        """The array with its last two axes swapped."""
    def max(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`max`."""
    def mean(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`mean`."""
    def min(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`min`."""
    def moveaxis(
        self,
        source: int,
        destination: int,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`moveaxis`."""
    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
    @property
    def ndim(self) -> int:
        """The number of axes."""
    def prod(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`prod`."""
    @property
    def real(self) -> array:
        """The real part of complex numbers; real numbers as they are."""
    def reciprocal(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`reciprocal`."""
    def reshape(
        self,
        *shape: int | collections.abc.Sequence[int],
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`reshape`; lengths or one sequence."""
    def round(self, decimals: int = 0, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`round`."""
    def rsqrt(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`rsqrt`."""
    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes, a tuple."""
    def sin(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`sin`."""
    @property
    def size(self) -> int:
        """The number of elements."""
    def split(
        self,
        indices_or_sections: _Ints,
        axis: int = 0,
        *,
        stream: _StreamOrDevice = None,
    ) -> list[array]:
        """See :func:`split`."""
    def sqrt(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`sqrt`."""
    def square(self, *, stream: _StreamOrDevice = None) -> array:
        """See :func:`square`."""
    def squeeze(
        self,
        axis: _Ints | None = None,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`squeeze`."""
    def std(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        ddof: int = 0,
        *,
        correction: int | None = None,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`std`."""
    def sum(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`sum`."""
    def swapaxes(
        self,
        axis1: int,
        axis2: int,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`swapaxes`."""
    def tolist(self) -> Any:
        """Nested lists of Python numbers, or a number if there are no axes."""
    def transpose(
        self,
        *axes: int | collections.abc.Sequence[int],
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`transpose`; axes or one sequence."""
    def var(
        self,
        axis: _Ints | None = None,
        keepdims: bool = False,
        ddof: int = 0,
        *,
        correction: int | None = None,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`var`."""
    def view(
        self,
        dtype: Dtype,
        *,
        stream: _StreamOrDevice = None,
    ) -> array:
        """See :func:`view`."""

def array_equal(
    a: _Operand,
    b: _Operand,
    /,
    equal_nan: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Whether both have one shape and equal elements, as a 0-d array. Dtypes may differ.

    Args:
        equal_nan: whether NaN equals NaN.

    Example:
        >>> import nybble.core as mx
        >>> mx.array_equal(mx.array([1, 2]), mx.array([1.0, 2.0]))
        array(True, dtype=bool)
    """

def as_strided(
    a: array,
    /,
    shape: _Ints | None = None,
    strides: _Ints | None = None,
    offset: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view with any shape and strides on the elements of ``a`` in row-major order.

    Args:
        strides: how many elements apart neighbours along each axis are; by default dense.
        offset: the place of the first element.
    Raises:
        ValueError: an element would lie outside of ``a``.

    Example:
        >>> import nybble.core as mx
        >>> mx.as_strided(mx.arange(6), (4, 3), (1, 1))
        array([[0, 1, 2],
               [1, 2, 3],
               [2, 3, 4],
               [3, 4, 5]], dtype=int32)
    """

def asarray(
    a: Any,
    /,
    dtype: Dtype | None = None,
    *,
    copy: bool | None = None,
) -> array:
    """An array of a value, without copying where that is safe.

    The memory of an array of the same dtype is shared, and that of a NumPy array that is read-only down to its
    base; later writes to one do not show in the other. Anything else is copied, as ``array`` does.

    Args:
        copy: True copies always, False never.
    Raises:
        ValueError: ``copy=False``, and the memory cannot be shared.

    Example:
        >>> import nybble.core as mx
        >>> mx.asarray([1, 2], mx.float16)
        array([1, 2], dtype=float16)
    """

def asin(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse sine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arcsin(mx.array([0.0, 0.5]))
        array([0, 0.523599], dtype=float32)
    """

def asinh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse hyperbolic sine.

    Example:
        >>> import nybble.core as mx
        >>> mx.arcsinh(mx.array([0.0, 1.0]))
        array([0, 0.881374], dtype=float32)
    """

def astype(
    a: array,
    dtype: Dtype,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``a`` converted to ``dtype``.

    Floats become integers by truncation and wrap around; NaN and numbers no 64-bit integer holds become the
    lowest integer, or 0 where that wraps to 0. Everything but zero becomes True. Complex numbers lose their
    imaginary part.

    Example:
        >>> import nybble.core as mx
        >>> mx.astype(mx.array([1.7, -1.7]), mx.int32)
        array([1, -1], dtype=int32)
    """

def async_eval(*args: Any) -> None:
    """As ``eval``."""

def atan(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse tangent.

    Example:
        >>> import nybble.core as mx
        >>> mx.arctan(mx.array([0.0, 1.0]))
        array([0, 0.785398], dtype=float32)
    """

def atan2(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The angle of the point ``(b, a)``, floating. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.arctan2(mx.array([0.0, 1.0]), 1.0)
        array([0, 0.785398], dtype=float32)
    """

def atanh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse hyperbolic tangent.

    Example:
        >>> import nybble.core as mx
        >>> mx.arctanh(mx.array([0.0, 0.5]))
        array([0, 0.549306], dtype=float32)
    """

def atleast_1d(*args: _Operand, stream: _StreamOrDevice = None) -> Any:
    """Views of the arrays with at least 1 axis; new axes have length 1 and stand in front, but the third one behind.

    Returns:
        an array for one array, else a list.

    Example:
        >>> import nybble.core as mx
        >>> mx.atleast_1d(mx.array(1)).ndim
        1
    """

def atleast_2d(*args: _Operand, stream: _StreamOrDevice = None) -> Any:
    """Views of the arrays with at least 2 axes; new axes have length 1 and stand in front, but the third one behind.

    Returns:
        an array for one array, else a list.

    Example:
        >>> import nybble.core as mx
        >>> mx.atleast_2d(mx.array(1)).ndim
        2
    """

def atleast_3d(*args: _Operand, stream: _StreamOrDevice = None) -> Any:
    """Views of the arrays with at least 3 axes; new axes have length 1 and stand in front, but the third one behind.

    Returns:
        an array for one array, else a list.

    Example:
        >>> import nybble.core as mx
        >>> mx.atleast_3d(mx.array(1)).ndim
        3
    """

def bartlett(M: int, *, stream: _StreamOrDevice = None) -> array:
    """The window function ``1 - abs(2 * x - 1)`` at ``M`` points x from 0 to 1, float32; empty for ``M < 1``.

    Example:
        >>> import nybble.core as mx
        >>> mx.bartlett(3)
        array([0, 1, 0], dtype=float32)
    """

def bitwise_and(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Bit by bit ``and``. Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.bitwise_and(mx.array([6, 5]), 3)
        array([2, 1], dtype=int32)
    """

def bitwise_invert(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """All bits inverted; ``not`` for bool. Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.bitwise_invert(mx.array([0, 5]))
        array([-1, -6], dtype=int32)
    """

def bitwise_left_shift(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``a << b``; of ``b`` the low 5 bits count (6 for 64-bit integers). Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.left_shift(mx.array([1, 3]), 4)
        array([16, 48], dtype=int32)
    """

def bitwise_or(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """Bit by bit ``or``. Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.bitwise_or(mx.array([6, 5]), 3)
        array([7, 7], dtype=int32)
    """

def bitwise_right_shift(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``a >> b``; of ``b`` the low 5 bits count (6 for 64-bit integers). Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.right_shift(mx.array([16, -3]), 1)
        array([8, -2], dtype=int32)
    """

def bitwise_xor(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Bit by bit exclusive ``or``. Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.bitwise_xor(mx.array([6, 5]), 3)
        array([5, 6], dtype=int32)
    """

def blackman(M: int, *, stream: _StreamOrDevice = None) -> array:
    """The window function ``0.42 - 0.5 * cos(2 * pi * x) + 0.08 * cos(4 * pi * x)`` at ``M`` points x from 0 to 1, float32; empty for ``M < 1``."""

def block_masked_mm(
    a: array,
    b: array,
    /,
    block_size: int = 64,
    mask_out: array | None = None,
    mask_lhs: array | None = None,
    mask_rhs: array | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The matrix product ``a @ b`` with blocks of the operands and of the result masked.

    Each block of ``block_size`` x ``block_size`` elements is multiplied by its element of the mask; a
    bool mask that is false makes zeros of whatever the block holds.

    Args:
        a: ``[..., M, K]`` or ``[K]``.
        b: ``[..., K, N]`` or ``[K]``; leading dimensions broadcast.
        block_size: 32 or 64.
        mask_out: ``[..., ceil(M / block_size), ceil(N / block_size)]``.
        mask_lhs: of ``a``, in the same way.
        mask_rhs: of ``b``.

    Returns:
        array: ``[..., M, N]`` of the dtype that both promote to, floating.

    Raises:
        ValueError: shapes do not fit, another block size, or the result would not be floating.

    Example:
        >>> import nybble.core as mx
        >>> mask = mx.array([[True, False]])
        >>> y = mx.block_masked_mm(mx.ones((1, 64)), mx.ones((64, 64)), 32, mask_lhs=mask)
        >>> y[0, 0]
        array(32, dtype=float32)
    """

def broadcast_arrays(*args: _Operand, stream: _StreamOrDevice = None) -> tuple[array, ...]:
    """All arrays as views of the one shape they broadcast to, a tuple."""

def broadcast_shapes(*args: collections.abc.Sequence[int]) -> tuple[int, ...]:
    """The shape that the given shapes broadcast to."""

def broadcast_to(
    a: _Operand,
    /,
    shape: _Ints,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view of the given shape in which axes of length 1 repeat.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import nybble.core as mx
        >>> mx.broadcast_to(mx.array([1, 2]), (2, 2))
        array([[1, 2],
               [1, 2]], dtype=int32)
    """

def can_cast(from_: Dtype, to: Dtype) -> bool:
    """True if a dtype, or that of an array, together with ``to`` promotes to ``to``.

    Raises:
        ValueError: ``from_`` is neither an array nor a dtype.

    Example:
        >>> import nybble.core as mx
        >>> mx.can_cast(mx.int32, mx.float32), mx.can_cast(mx.float32, mx.int32)
        (True, False)
    """

def ceil(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The smallest integer not below each element; integers stay. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.ceil(mx.array([1.5, -1.5]))
        array([2, -1], dtype=float32)
    """

def clear_cache() -> None:
    """Gives the memory kept for reuse back to the system."""

def clear_streams() -> None:
    """Does nothing: streams own nothing."""

def clip(
    a: _Operand,
    /,
    a_min: _Operand | None,
    a_max: _Operand | None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``minimum(maximum(a, a_min), a_max)``; either bound may be None.

    Raises:
        ValueError: both bounds are None.

    Example:
        >>> import nybble.core as mx
        >>> mx.clip(mx.array([1, 5, 9]), 2, 8)
        array([2, 5, 8], dtype=int32)
    """

def compile(fun: _F, inputs: Any = None, outputs: Any = None, shapeless: bool = False) -> _F:
    """Returns ``fun`` itself: nothing is traced, every operation runs at the call.

    Args:
        inputs, outputs, shapeless: accepted, without effect; ``fun`` sees and changes its surroundings as any
            Python function does.
    Raises:
        TypeError: ``fun`` cannot be called.

    Example:
        >>> import nybble.core as mx
        >>> mx.compile(lambda x: x + 1)(mx.array(2))
        array(3, dtype=int32)
    """

def concat(
    arrays: collections.abc.Sequence[_Operand],
    axis: int | None = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Arrays one behind the other along an axis; ``axis=None`` joins the flattened arrays.

    Raises:
        ValueError: no arrays, or shapes that differ along another axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.concatenate([mx.array([1, 2]), mx.array([0.5])])
        array([1, 2, 0.5], dtype=float32)
    """

def concatenate(
    arrays: collections.abc.Sequence[_Operand],
    axis: int | None = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Arrays one behind the other along an axis; ``axis=None`` joins the flattened arrays.

    Raises:
        ValueError: no arrays, or shapes that differ along another axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.concatenate([mx.array([1, 2]), mx.array([0.5])])
        array([1, 2, 0.5], dtype=float32)
    """

def conj(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The complex conjugate; real numbers as they are.

    Example:
        >>> import nybble.core as mx
        >>> mx.conj(mx.array([1 + 2j]))
        array([1-2j], dtype=complex64)
    """

def conjugate(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The complex conjugate; real numbers as they are.

    Example:
        >>> import nybble.core as mx
        >>> mx.conj(mx.array([1 + 2j]))
        array([1-2j], dtype=complex64)
    """

def contiguous(
    a: array,
    /,
    allow_col_major: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A dense array in row-major order; the same memory if it is one already."""

def conv1d(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    dilation: _Ints = 1,
    groups: int = 1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Convolution over one axis, channels last (as in machine learning: the kernel is not flipped).

    float16 and bfloat16 are multiplied and summed in float32 and rounded once.

    Args:
        input: ``[N, L, C]``, floating.
        weight: ``[M, K, C / groups]``.
        stride: from one position of the kernel to the next.
        padding: zeros at both ends of the input.
        dilation: between the input positions of neighbours in the kernel.
        groups: how many groups of channels are convolved on their own.

    Returns:
        array: ``[N, (L + 2 * padding - dilation * (K - 1) - 1) // stride + 1, M]``.

    Raises:
        ValueError: dtypes or shapes do not fit, or the kernel is longer than the padded input.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.arange(5, dtype=mx.float32).reshape(1, 5, 1)
        >>> mx.conv1d(x, mx.array([[[1.0], [10.0]]])).tolist()
        [[[10.0], [21.0], [32.0], [43.0]]]
    """

def conv2d(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    dilation: _Ints = 1,
    groups: int = 1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Convolution over two axes, channels last; see :func:`conv1d`.

    Args:
        input: ``[N, H, W, C]``, floating.
        weight: ``[M, KH, KW, C / groups]``.
        stride: an int, or two.
        padding: an int, or two.
        dilation: an int, or two.
        groups: how many groups of channels are convolved on their own.

    Returns:
        array: ``[N, H', W', M]``, lengths as for :func:`conv1d`.

    Raises:
        ValueError: dtypes or shapes do not fit, or the kernel is longer than the padded input.

    Example:
        >>> import nybble.core as mx
        >>> mx.conv2d(mx.ones((1, 4, 4, 3)), mx.ones((8, 3, 3, 3)), padding=1).shape
        (1, 4, 4, 8)
    """

def conv3d(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    dilation: _Ints = 1,
    groups: int = 1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Convolution over three axes, channels last; see :func:`conv1d`.

    Args:
        input: ``[N, D, H, W, C]``, floating.
        weight: ``[M, KD, KH, KW, C / groups]``.
        stride: an int, or three.
        padding: an int, or three.
        dilation: an int, or three.
        groups: how many groups of channels are convolved on their own.

    Returns:
        array: ``[N, D', H', W', M]``, lengths as for :func:`conv1d`.

    Raises:
        ValueError: dtypes or shapes do not fit, or the kernel is longer than the padded input.

    Example:
        >>> import nybble.core as mx
        >>> mx.conv3d(mx.ones((1, 4, 4, 4, 2)), mx.ones((5, 2, 2, 2, 2)), stride=2).shape
        (1, 2, 2, 2, 5)
    """

def conv_general(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    kernel_dilation: _Ints = 1,
    input_dilation: _Ints = 1,
    groups: int = 1,
    flip: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Convolution over one to three axes, channels last, with everything that can be chosen.

    Each choice is one int for all spatial axes, or a sequence of one for each.

    Args:
        input: ``[N, ..., C]``, floating.
        weight: ``[M, ..., C / groups]``.
        stride: from one position of the kernel to the next.
        padding: zeros at both ends of the input, or a pair of sequences: of the zeros before, and of
            those behind it. Negative padding cuts the input.
        kernel_dilation: between the input positions of neighbours in the kernel.
        input_dilation: between neighbours of the input, zeros lying in between.
        groups: how many groups of channels are convolved on their own.
        flip: reverse the kernel along its spatial axes.

    Returns:
        array: ``[N, ..., M]``.

    Raises:
        ValueError: dtypes or shapes do not fit, or the result would be empty.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.arange(3, dtype=mx.float32).reshape(1, 3, 1)
        >>> w = mx.array([[[1.0], [10.0]]])
        >>> mx.conv_general(x, w, padding=([1], [0]), flip=True).flatten().tolist()
        [0.0, 1.0, 12.0]
    """

def conv_transpose1d(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    dilation: _Ints = 1,
    output_padding: _Ints = 0,
    groups: int = 1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Transposed convolution over one axis, channels last: every input position adds the kernel, times
    its values, to the output.

    Args:
        input: ``[N, L, C]``, floating.
        weight: ``[M, K, C / groups]``.
        stride: between the output positions of neighbours in the input.
        padding: positions cut off at both ends of the output.
        dilation: between the output positions of neighbours in the kernel.
        output_padding: positions added at the end of the output.
        groups: how many groups of channels are convolved on their own.

    Returns:
        array: ``[N, (L - 1) * stride - 2 * padding + dilation * (K - 1) + 1 + output_padding, M]``.

    Raises:
        ValueError: dtypes or shapes do not fit, or the result would be empty.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.array([[[1.0], [2.0]]])
        >>> mx.conv_transpose1d(x, mx.array([[[1.0], [10.0]]]), stride=2).tolist()
        [[[1.0], [10.0], [2.0], [20.0]]]
    """

def conv_transpose2d(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    dilation: _Ints = 1,
    output_padding: _Ints = 0,
    groups: int = 1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Transposed convolution over two axes, channels last; see :func:`conv_transpose1d`.

    Args:
        input: ``[N, H, W, C]``, floating.
        weight: ``[M, KH, KW, C / groups]``.
        stride: an int, or two.
        padding: an int, or two.
        dilation: an int, or two.
        output_padding: an int, or two.
        groups: how many groups of channels are convolved on their own.

    Returns:
        array: ``[N, H', W', M]``, lengths as for :func:`conv_transpose1d`.

    Raises:
        ValueError: dtypes or shapes do not fit, or the result would be empty.

    Example:
        >>> import nybble.core as mx
        >>> mx.conv_transpose2d(mx.ones((1, 4, 4, 3)), mx.ones((8, 2, 2, 3)), stride=2).shape
        (1, 8, 8, 8)
    """

def conv_transpose3d(
    input: array,
    weight: array,
    /,
    stride: _Ints = 1,
    padding: _Ints | collections.abc.Sequence[_Ints] = 0,
    dilation: _Ints = 1,
    output_padding: _Ints = 0,
    groups: int = 1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Transposed convolution over three axes, channels last; see :func:`conv_transpose1d`.

    Args:
        input: ``[N, D, H, W, C]``, floating.
        weight: ``[M, KD, KH, KW, C / groups]``.
        stride: an int, or three.
        padding: an int, or three.
        dilation: an int, or three.
        output_padding: an int, or three.
        groups: how many groups of channels are convolved on their own.

    Returns:
        array: ``[N, D', H', W', M]``, lengths as for :func:`conv_transpose1d`.

    Raises:
        ValueError: dtypes or shapes do not fit, or the result would be empty.

    Example:
        >>> import nybble.core as mx
        >>> mx.conv_transpose3d(mx.ones((1, 2, 2, 2, 3)), mx.ones((4, 2, 2, 2, 3))).shape
        (1, 3, 3, 3, 4)
    """

def convolve(
    a: array,
    v: array,
    /,
    mode: str = 'full',
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The discrete convolution of two vectors; the kernel is the shorter one, flipped.

    Args:
        a: a vector, floating.
        v: a vector.
        mode: ``"full"`` gives ``len(a) + len(v) - 1`` elements, ``"same"`` as many as the longer
            vector has, ``"valid"`` those for which the vectors overlap wholly.

    Raises:
        ValueError: an operand is no vector or empty, or another mode.

    Example:
        >>> import nybble.core as mx
        >>> mx.convolve(mx.array([1.0, 2.0, 3.0]), mx.array([1.0, 10.0]))
        array([1, 12, 23, 30], dtype=float32)
    """

def cos(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The cosine.

    Example:
        >>> import nybble.core as mx
        >>> mx.cos(mx.array([0.0, 0.5]))
        array([1, 0.877583], dtype=float32)
    """

def cosh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The hyperbolic cosine.

    Example:
        >>> import nybble.core as mx
        >>> mx.cosh(mx.array([0.0, 1.0]))
        array([1, 1.54308], dtype=float32)
    """

def count_nonzero(
    a: array,
    /,
    *,
    axis: _Ints | None = None,
    keepdims: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """How many elements are not zero, int32.

    Args:
        axis: an axis or several; None for all.

    Example:
        >>> import nybble.core as mx
        >>> mx.count_nonzero(mx.array([[1, 0], [3, 4]]), axis=0)
        array([2, 1], dtype=int32)
    """

def cummax(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: _StreamOrDevice = None,
) -> array:
    """The running maximum along an axis (None: of all elements, flattened).

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else that of nothing.

    Example:
        >>> import nybble.core as mx
        >>> mx.cummax(mx.array([1, 3, 2]))
        array([1, 3, 3], dtype=int32)
    """

def cummin(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: _StreamOrDevice = None,
) -> array:
    """The running minimum along an axis (None: of all elements, flattened).

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else that of nothing.

    Example:
        >>> import nybble.core as mx
        >>> mx.cummin(mx.array([1, 3, 2]))
        array([1, 1, 1], dtype=int32)
    """

def cumprod(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The running product along an axis (None: of all elements, flattened).

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else that of nothing.
        dtype: what ``a`` is converted to first; bool sums are int32.

    Example:
        >>> import nybble.core as mx
        >>> mx.cumprod(mx.array([1, 3, 2]))
        array([1, 3, 6], dtype=int32)
    """

def cumsum(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The running sum along an axis (None: of all elements, flattened).

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else that of nothing.
        dtype: what ``a`` is converted to first; bool sums are int32.

    Example:
        >>> import nybble.core as mx
        >>> mx.cumsum(mx.array([1, 3, 2]))
        array([1, 4, 6], dtype=int32)
    """

def cumulative_prod(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The running product along an axis (None: of all elements, flattened).

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else that of nothing.
        dtype: what ``a`` is converted to first; bool sums are int32.

    Example:
        >>> import nybble.core as mx
        >>> mx.cumprod(mx.array([1, 3, 2]))
        array([1, 3, 6], dtype=int32)
    """

def cumulative_sum(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The running sum along an axis (None: of all elements, flattened).

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else that of nothing.
        dtype: what ``a`` is converted to first; bool sums are int32.

    Example:
        >>> import nybble.core as mx
        >>> mx.cumsum(mx.array([1, 3, 2]))
        array([1, 4, 6], dtype=int32)
    """

def default_device() -> Device:
    """The device that computes: the CPU."""

def default_stream(device: _StreamOrDevice) -> Stream:
    """The stream of a device, in this thread."""

def degrees(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """Radians to degrees.

    Example:
        >>> import nybble.core as mx
        >>> mx.degrees(mx.array([0.0, 3.14159265]))
        array([0, 180], dtype=float32)
    """

def depends(inputs: Any, dependencies: Any) -> Any:
    """The inputs as they are: operations run in the order of their calls.

    Args:
        inputs: an array, or several in a list.
        dependencies: likewise; not used.

    Example:
        >>> import nybble.core as mx
        >>> mx.depends(mx.array(1), mx.array(2))
        array(1, dtype=int32)
    """

def dequantize(
    w: array,
    /,
    scales: array,
    biases: array | None = None,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = 'affine',
    global_scale: array | None = None,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The weights that quantized codes stand for: ``scale * code + bias``, or ``scale * code``.

    The real number is rounded once to float32, and for another dtype that float32 is rounded again. A
    scale times ``global_scale / (448 * 6)`` is rounded to float32 before.

    Args:
        w: codes from :func:`quantize`, ``[..., N, K * bits / 32]`` uint32.
        scales: ``[..., N, K / group_size]``, float16, bfloat16 or float32; uint8 but for ``"affine"``.
        biases: as ``scales``. Mode ``"affine"`` needs them, the others have none.
        group_size: as given to :func:`quantize`.
        bits: as given to :func:`quantize`.
        mode: as given to :func:`quantize`.
        global_scale: as given to :func:`quantize`.
        dtype: of the result, floating; None means the one that ``scales`` and ``biases`` promote to, or
            bfloat16 if there are no biases.

    Returns:
        ``[..., N, K]``.

    Raises:
        ValueError: shapes, dtypes or parameters do not fit together.

    Example:
        >>> import nybble.core as mx
        >>> w = mx.array([[float(k) for k in range(32)]])
        >>> parts = mx.quantize(w, group_size=32, bits=5)
        >>> mx.dequantize(*parts, group_size=32, bits=5)[0, 7].item()
        7.0
    """

def device_count(device_type: _StreamOrDevice) -> int:
    """How many devices of a kind there are."""

def device_info(device: _StreamOrDevice = None) -> dict[str, Any]:
    """What is used: the instruction set (``simd``) and the number of ``threads``."""

def diag(
    a: array,
    /,
    k: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The k-th diagonal of a matrix, or the matrix that has a vector on its k-th diagonal.

    Raises:
        ValueError: ``a`` has neither one nor two axes.

    Example:
        >>> import nybble.core as mx
        >>> mx.diag(mx.array([1, 2]))
        array([[1, 0],
               [0, 2]], dtype=int32)
    """

def diagonal(
    a: array,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    stream: _StreamOrDevice = None,
) -> array:
    """A view of a diagonal of the matrices in two axes; it is the last axis of the result.

    Args:
        offset: how far above the main diagonal.
    Raises:
        ValueError: fewer than two axes, or twice the same.

    Example:
        >>> import nybble.core as mx
        >>> mx.diagonal(mx.array([[1, 2], [3, 4]]))
        array([1, 4], dtype=int32)
    """

def diff(
    a: array,
    /,
    n: int = 1,
    axis: int = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Differences of neighbours along an axis, taken ``n`` times.

    Raises:
        ValueError: ``n`` is negative.

    Example:
        >>> import nybble.core as mx
        >>> mx.diff(mx.array([1, 4, 9]))
        array([3, 5], dtype=int32)
    """

def disable_compile() -> None:
    """Does nothing: :func:`compile` leaves functions as they are."""

def divide(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a / b``, floating: integers give float32.

    Example:
        >>> import nybble.core as mx
        >>> mx.divide(mx.array([1, 2]), 4)
        array([0.25, 0.5], dtype=float32)
    """

def divmod(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """``(floor_divide(a, b), remainder(a, b))``.

    Raises:
        ValueError: an operand is complex.

    Example:
        >>> import nybble.core as mx
        >>> mx.divmod(mx.array([7, -7]), 2)
        (array([3, -4], dtype=int32), array([1, 1], dtype=int32))
    """

def einsum(subscripts: str, *args: Any, stream: _StreamOrDevice = None) -> array:
    """Products of arrays summed over axes, by Einstein's convention.

    Args:
        subscripts: a letter for every axis of every operand, as in ``"ij,jk->ik"``. Letters that the result does
            not name are summed over, a letter twice in one operand takes its diagonal, ``...`` stands for axes
            that broadcast. Without ``->`` the result has the letters that occur once, in alphabetical order.
        operands: the arrays.
    Raises:
        ValueError: subscripts and operands do not fit, or products of matrices of a dtype that is not floating.

    Example:
        >>> import nybble.core as mx
        >>> mx.einsum("ij,j->i", mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([1.0, 1.0]))
        array([3, 7], dtype=float32)
    """

def einsum_path(subscripts: str, *args: Any) -> tuple[list[Any], str]:
    """The order in which :func:`einsum` contracts its operands, and a text about what that costs.

    Returns:
        a list with, for each contraction, the places of its operands among those left, to which its result is
        appended; and the text.

    Example:
        >>> import nybble.core as mx
        >>> mx.einsum_path("ij,jk,kl", mx.ones((2, 3)), mx.ones((3, 4)), mx.ones((4, 5)))[0]
        [(1, 2), (0, 1)]
    """

def empty(
    shape: _Ints,
    dtype: Dtype | None = float32,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """An array of zeros. Memory is taken when the data are first needed.

    Args:
        shape: an int or a sequence of ints.
        dtype: ``float32`` by default.

    Raises:
        ValueError: a negative length.

    Example:
        >>> import nybble.core as mx
        >>> mx.zeros((2, 2))
        array([[0, 0],
               [0, 0]], dtype=float32)
    """

def empty_like(
    a: array,
    /,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Zeros in the shape and, if none is given, the dtype of ``a``.

    Example:
        >>> import nybble.core as mx
        >>> mx.zeros_like(mx.array([3, 4]))
        array([0, 0], dtype=int32)
    """

def enable_compile() -> None:
    """Does nothing: :func:`compile` leaves functions as they are."""

def equal(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a == b``, bool; NaN equals nothing.

    Example:
        >>> import nybble.core as mx
        >>> mx.equal(mx.array([1, 5]), 5)
        array([False, True], dtype=bool)
    """

def erf(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The error function. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.erf(mx.array([0.0, 1.0]))
        array([0, 0.842701], dtype=float32)
    """

def erfinv(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The inverse of the error function; NaN outside -1..1. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.erfinv(mx.array([0.0, 0.5]))
        array([0, 0.476936], dtype=float32)
    """

def eval(*args: Any) -> None:
    """Makes the data of all arrays in the given trees, if they are still to be made."""

def exp(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """e to the power of each element.

    Example:
        >>> import nybble.core as mx
        >>> mx.exp(mx.array([0.0, 1.0]))
        array([1, 2.71828], dtype=float32)
    """

def expand_dims(
    a: array,
    /,
    axis: _Ints,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Adds axes of length 1 at the given places of the result.

    Example:
        >>> import nybble.core as mx
        >>> mx.expand_dims(mx.zeros((3,)), (0, -1)).shape
        (1, 3, 1)
    """

def expm1(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``exp(a) - 1``, exact for small elements. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.expm1(mx.array([0.0, 1.0]))
        array([0, 1.71828], dtype=float32)
    """

def export_to_dot(file: _File, /, *args: Any, **kwargs: Any) -> None:
    """Writes a graph of arrays as text for Graphviz. Operations run at the call, so every array is a source, and
    nothing leads to it.

    Args:
        file: a name, or a file object that takes text.
        args, kwargs: arrays, or lists of arrays; those given by keyword bear its name.

    Raises:
        TypeError: something else than an array.

    Example:
        >>> import io
        >>> import nybble.core as mx
        >>> file = io.StringIO()
        >>> mx.export_to_dot(file, x=mx.array(1) + 1)
        >>> print(file.getvalue())
        digraph {
        { rank=source; "x"; }
        }
    """

def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = float32,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """An ``n`` by ``m`` matrix (square by default) with ones on the diagonal ``k`` places to the right of
    the main one and zeros elsewhere.

    Raises:
        ValueError: a negative length.

    Example:
        >>> import nybble.core as mx
        >>> mx.eye(2, 3, k=1)
        array([[0, 1, 0],
               [0, 0, 1]], dtype=float32)
    """

class finfo:
    """The limits of a floating dtype, or of the parts of a complex one.

    Raises:
        ValueError: another dtype.

    Example:
        >>> import nybble.core as mx
        >>> mx.finfo(mx.float16).max
        65504.0
    """
    def __init__(self, dtype: Dtype) -> None: ...
    def __repr__(self) -> str: ...
    @property
    def bits(self) -> int:
        """The bits of a number."""
    @property
    def dtype(self) -> Dtype:
        """The dtype."""
    @property
    def eps(self) -> float:
        """The distance from 1 to the next larger number."""
    @property
    def max(self) -> float:
        """The largest finite number."""
    @property
    def min(self) -> float:
        """The lowest finite number."""
    @property
    def smallest_normal(self) -> float:
        """The smallest positive number of full precision."""

def flatten(
    a: array,
    /,
    start_axis: int = 0,
    end_axis: int = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Joins the axes ``start_axis`` to ``end_axis`` into one; a 0-d array becomes 1-d.

    Raises:
        ValueError: ``start_axis`` lies behind ``end_axis``.

    Example:
        >>> import nybble.core as mx
        >>> mx.flatten(mx.zeros((2, 3, 4)), 1).shape
        (2, 12)
    """

def flip(
    a: array,
    /,
    axis: _Ints | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view with the order of the elements reversed along an axis or several; None for all.

    Example:
        >>> import nybble.core as mx
        >>> mx.flip(mx.array([[1, 2], [3, 4]]), axis=1)
        array([[2, 1],
               [4, 3]], dtype=int32)
    """

def floor(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The largest integer not above each element; integers stay. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.floor(mx.array([1.5, -1.5]))
        array([1, -2], dtype=float32)
    """

def floor_divide(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``floor(a / b)``. Integers divided by zero give 0.

    Example:
        >>> import nybble.core as mx
        >>> mx.floor_divide(mx.array([7, -7]), 2)
        array([3, -4], dtype=int32)
    """

def from_dlpack(x: _Operand, /, *, copy: bool | None = None) -> array:
    """An array from an object of another library that has ``__dlpack__``.

    Args:
        x: lies in memory of the CPU. float64 becomes float32, and complex128 complex64, as in
            :class:`array`.
        copy: True copies always. None shares memory that is marked read-only, which nobody will change,
            and copies other memory. False shares it anyway: whoever writes to it changes the array.
            Writing to the array never writes to shared memory.

    Raises:
        TypeError: ``x`` has no ``__dlpack__``.
        ValueError: memory of another device, elements that no dtype can hold, or ``copy=False`` where
            the memory cannot be shared or numbers must be converted.

    Example:
        >>> import numpy as np
        >>> import nybble.core as mx
        >>> mx.from_dlpack(np.arange(3, dtype=np.int16))
        array([0, 1, 2], dtype=int16)
    """

def from_fp8(
    x: array,
    dtype: Dtype = bfloat16,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The numbers of floats of 8 bits (e4m3) that uint8 hold.

    Args:
        x: uint8.
        dtype: of the result, floating.

    Raises:
        ValueError: other dtypes.

    Example:
        >>> import nybble.core as mx
        >>> mx.from_fp8(mx.array([0, 56, 200], mx.uint8))
        array([0, 1, -4], dtype=bfloat16)
    """

def full(
    shape: _Ints,
    vals: _Operand,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """An array filled with ``vals``, a scalar or an array that broadcasts to the shape. Memory is taken
    when the data are first needed.

    Args:
        shape: an int or a sequence of ints.
        vals: a scalar or an array.
        dtype: that of ``vals`` by default.

    Raises:
        ValueError: a negative length, values that do not broadcast, an int that the dtype cannot hold.

    Example:
        >>> import nybble.core as mx
        >>> mx.full((2, 3), mx.array([1, 2, 3]))
        array([[1, 2, 3],
               [1, 2, 3]], dtype=int32)
    """

def full_like(
    a: array,
    /,
    vals: _Operand,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The values, a scalar or an array, broadcast against the shape of ``a`` and converted to the given
    dtype or that of ``a``.

    Raises:
        ValueError: shapes that do not broadcast, an int that the dtype cannot hold.

    Example:
        >>> import nybble.core as mx
        >>> mx.full_like(mx.array([3, 4]), 7)
        array([7, 7], dtype=int32)
    """

def gather_mm(
    a: array,
    b: array,
    /,
    lhs_indices: array | None = None,
    rhs_indices: array | None = None,
    *,
    sorted_indices: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """Products of chosen matrices: ``y[i] = a[lhs_indices[i]] @ b[rhs_indices[i]]``.

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
    """

def gather_qmm(
    x: array,
    w: array,
    /,
    scales: array,
    biases: array | None = None,
    lhs_indices: array | None = None,
    rhs_indices: array | None = None,
    transpose: bool = True,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = 'affine',
    global_scale: array | None = None,
    *,
    sorted_indices: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """Multiplies chosen matrices of ``x`` by chosen quantized matrices, as a mixture of experts does.

    ``y[i] = x[lhs_indices[i]] @ dequantize(w[rhs_indices[i]]).T``, where the indices count the matrices
    of ``x`` and ``w`` in row-major order of their leading dimensions. A matrix of ``w`` is decoded once
    for all that is multiplied by it, in whatever order it comes; slices of ``w`` are not copied. Accuracy
    is that of :func:`quantized_matmul`, which this is without indices.

    Args:
        x: ``[..., M, K]``, real; any strides.
        w: codes from :func:`quantize`, ``[..., N, K * bits / 32]`` uint32; if ``transpose`` is False
            ``[..., K, N * bits / 32]``.
        scales: as from :func:`quantize`.
        biases: as ``scales``. Mode ``"affine"`` needs them, the others have none.
        lhs_indices: integers from 0; None counts through all matrices of ``x``.
        rhs_indices: integers from 0; None counts through all matrices of ``w``. Both broadcast against
            each other.
        transpose: whether the rows of ``w``, or its columns, are multiplied by those of ``x``.
        group_size: as given to :func:`quantize`.
        bits: as given to :func:`quantize`.
        mode: as given to :func:`quantize`.
        global_scale: float32, one for each matrix of ``w``, as given to :func:`quantize`; in mode
            ``"nvfp4"`` only.
        sorted_indices: a promise of which nothing depends.

    Returns:
        The shape of the indices and ``[M, N]`` behind it, of the dtype of :func:`quantized_matmul`.

    Raises:
        ValueError: shapes, dtypes or parameters do not fit together.
        IndexError: an index is negative or too large.

    Example:
        >>> import nybble.core as mx
        >>> experts = mx.quantize(mx.ones((4, 3, 64)) * mx.arange(4.0).reshape(4, 1, 1))
        >>> y = mx.gather_qmm(mx.ones((1, 64)), *experts, rhs_indices=mx.array([3, 1]))
        >>> y.shape, y[:, 0, 0].tolist()
        ((2, 1, 3), [192.0, 64.0])
    """

def gather_qqmm(
    x: array,
    w: array,
    /,
    scales: array | None = None,
    lhs_indices: array | None = None,
    rhs_indices: array | None = None,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = 'nvfp4',
    global_scale_x: array | None = None,
    global_scale_w: array | None = None,
    *,
    sorted_indices: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """:func:`qqmm` for chosen pairs of matrices: ``y[i] = qqmm(x[lhs_indices[i]], w[rhs_indices[i]])``.

    The indices count the matrices of ``x`` and ``w`` in row-major order of their leading dimensions.

    Args:
        x: ``[..., M, K]``, float16, bfloat16 or float32; quantized on the way.
        w: codes ``[..., N, K * bits / 32]``, or ``[..., N, K]`` without ``scales``, quantized first.
        scales: as from :func:`quantize`.
        lhs_indices: integers from 0; None counts through all matrices of ``x``.
        rhs_indices: integers from 0; None counts through all matrices of ``w``. Both broadcast.
        group_size: as given to :func:`quantize`.
        bits: as given to :func:`quantize`.
        mode: ``"nvfp4"``, ``"mxfp8"`` or ``"mxfp4"``.
        global_scale_x: one float32 number, for ``"nvfp4"``.
        global_scale_w: the one that ``w`` was quantized with. Both or none.
        sorted_indices: a promise of which nothing depends.

    Returns:
        array: the shape of the indices and ``[M, N]`` behind it, of the dtype of ``x``.

    Raises:
        ValueError: shapes, dtypes or parameters do not fit together.
        IndexError: an index is negative or too large.

    Example:
        >>> import nybble.core as mx
        >>> w = mx.quantize(mx.ones((3, 16, 32)), mode="nvfp4")
        >>> mx.gather_qqmm(mx.ones((1, 32)), *w, rhs_indices=mx.array([2, 0])).shape
        (2, 1, 16)
    """

def get_active_memory() -> int:
    """The bytes of all arrays that are alive."""

def get_array_buffer_size(*args: Any) -> int:
    """The bytes of the buffers behind the arrays in the given trees, each counted once.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.zeros((4, 8))
        >>> mx.get_array_buffer_size([x, x[0]])
        128
    """

def get_cache_memory() -> int:
    """The bytes kept for reuse by later arrays."""

def get_default_fit() -> str:
    """The ``fit`` that :func:`quantize` uses in this process unless it is told otherwise.

    Example:
        >>> import nybble.core as mx
        >>> mx.get_default_fit()
        'minmax'
    """

def get_matmul_precision() -> str:
    """How exact quantized products are in this process: ``"highest"`` or ``"medium"``.

    Example:
        >>> import nybble.core as mx
        >>> mx.get_matmul_precision()
        'highest'
    """

def get_memory_limit() -> int:
    """The bytes that arrays and memory kept for reuse should take together."""

def get_num_threads() -> int:
    """The number of threads that compute."""

def get_peak_memory() -> int:
    """The most bytes of arrays that were alive at one time since the start or the last ``reset_peak_memory``."""

def get_printoptions() -> PrintOptions:
    """How arrays are printed: an object with the attribute ``precision``."""

def greater(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a > b``, bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.greater(mx.array([1, 5]), 1)
        array([False, True], dtype=bool)
    """

def greater_equal(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``a >= b``, bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.greater_equal(mx.array([1, 5]), 5)
        array([False, True], dtype=bool)
    """

def hadamard_transform(
    a: array,
    scale: float | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The Walsh-Hadamard transform along the last axis: ``scale * (H @ x)``.

    Args:
        a: its last axis has ``m * 2**k`` elements, m one of 1, 12, 20, 28.
        scale: a factor; ``1 / sqrt(n)``, which makes the transform orthonormal, by default.

    Returns:
        array: of a's shape and, if floating, dtype, else float32.

    Raises:
        ValueError: another length, or an empty array.

    Example:
        >>> import nybble.core as mx
        >>> mx.hadamard_transform(mx.array([1.0, 2.0]), scale=1.0)
        array([3, -1], dtype=float32)
    """

def hamming(M: int, *, stream: _StreamOrDevice = None) -> array:
    """The window function ``0.54 - 0.46 * cos(2 * pi * x)`` at ``M`` points x from 0 to 1, float32; empty for ``M < 1``.

    Example:
        >>> import nybble.core as mx
        >>> mx.hamming(3)
        array([0.08, 1, 0.08], dtype=float32)
    """

def hanning(M: int, *, stream: _StreamOrDevice = None) -> array:
    """The window function ``0.5 - 0.5 * cos(2 * pi * x)`` at ``M`` points x from 0 to 1, float32; empty for ``M < 1``.

    Example:
        >>> import nybble.core as mx
        >>> mx.hanning(3)
        array([0, 1, 0], dtype=float32)
    """

def identity(
    n: int,
    dtype: Dtype | None = float32,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The ``n`` by ``n`` matrix with ones on the main diagonal and zeros elsewhere.

    Raises:
        ValueError: ``n`` is negative.

    Example:
        >>> import nybble.core as mx
        >>> mx.identity(2)
        array([[1, 0],
               [0, 1]], dtype=float32)
    """

class iinfo:
    """The limits of an integer dtype.

    Raises:
        ValueError: another dtype.

    Example:
        >>> import nybble.core as mx
        >>> mx.iinfo(mx.int8).min
        -128
    """
    def __init__(self, dtype: Dtype) -> None: ...
    def __repr__(self) -> str: ...
    @property
    def dtype(self) -> Dtype:
        """The dtype."""
    @property
    def max(self) -> int:
        """The largest number."""
    @property
    def min(self) -> int:
        """The lowest number."""

def imag(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The imaginary part of complex numbers, float32; zeros of the same dtype for real numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.imag(mx.array([1 + 2j]))
        array([2], dtype=float32)
    """

def inner(
    a: array,
    b: array,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The products of elements of two arrays, summed over the last axis of both.

    Raises:
        ValueError: the last axes differ in length, or the dtypes are not floating.

    Example:
        >>> import nybble.core as mx
        >>> mx.inner(mx.array([1.0, 2.0]), mx.array([3.0, 4.0]))
        array(11, dtype=float32)
    """

def is_available(device: _StreamOrDevice) -> bool:
    """True for the CPU."""

def isclose(
    a: _Operand,
    b: _Operand,
    /,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    *,
    equal_nan: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """``abs(a - b) <= atol + rtol * abs(b)``, bool. An infinity is close to itself only.

    Args:
        equal_nan: whether NaN is close to NaN.

    Example:
        >>> import nybble.core as mx
        >>> mx.isclose(mx.array([1.0, 1.0]), mx.array([1.000001, 1.1]))
        array([True, False], dtype=bool)
    """

def isdtype(dtype: Dtype, kind: Any) -> bool:
    """True if a dtype is of a kind, or of one in a tuple of kinds.

    Args:
        kind: a dtype; or ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``, ``"real
            floating"``, ``"complex floating"`` or ``"numeric"``; or a tuple of these.
    Raises:
        ValueError: something else.

    Example:
        >>> import nybble.core as mx
        >>> mx.isdtype(mx.uint8, "integral")
        True
    """

def isfinite(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where the element is neither infinite nor NaN.

    Example:
        >>> import nybble.core as mx
        >>> mx.isfinite(mx.array([1.0, float("inf")]))
        array([True, False], dtype=bool)
    """

def isinf(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where the element is infinite.

    Example:
        >>> import nybble.core as mx
        >>> mx.isinf(mx.array([1.0, float("inf")]))
        array([False, True], dtype=bool)
    """

def isnan(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where the element is NaN.

    Example:
        >>> import nybble.core as mx
        >>> mx.isnan(mx.array([1.0, float("nan")]))
        array([False, True], dtype=bool)
    """

def isneginf(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where the element is minus infinity.

    Example:
        >>> import nybble.core as mx
        >>> mx.isneginf(mx.array([float("inf"), -float("inf")]))
        array([False, True], dtype=bool)
    """

def isposinf(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where the element is plus infinity.

    Example:
        >>> import nybble.core as mx
        >>> mx.isposinf(mx.array([float("inf"), -float("inf")]))
        array([True, False], dtype=bool)
    """

def issubdtype(a: Dtype | DtypeCategory, b: Dtype | DtypeCategory) -> bool:
    """True if the first dtype or category belongs to the second.

    Example:
        >>> import nybble.core as mx
        >>> mx.issubdtype(mx.bfloat16, mx.floating)
        True
    """

def kron(
    a: array,
    b: array,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The Kronecker product: ``b`` in place of every element of ``a``, times that element.

    Raises:
        ValueError: an array is empty.

    Example:
        >>> import nybble.core as mx
        >>> mx.kron(mx.array([1, 2]), mx.array([1, 10]))
        array([1, 10, 2, 20], dtype=int32)
    """

def left_shift(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a << b``; of ``b`` the low 5 bits count (6 for 64-bit integers). Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.left_shift(mx.array([1, 3]), 4)
        array([16, 48], dtype=int32)
    """

def less(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a < b``, bool; complex numbers by real, then imaginary part.

    Example:
        >>> import nybble.core as mx
        >>> mx.less(mx.array([1, 5]), 5)
        array([True, False], dtype=bool)
    """

def less_equal(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a <= b``, bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.less_equal(mx.array([1, 5]), 5)
        array([True, True], dtype=bool)
    """

def linspace(
    start: int | float,
    stop: int | float,
    num: int = 50,
    endpoint: bool = True,
    dtype: Dtype | None = float32,
    stream: _StreamOrDevice = None,
) -> array:
    """``num`` evenly spaced numbers from ``start`` to ``stop``.

    Args:
        start: the first number.
        stop: the last one, or with ``endpoint=False`` the one that would follow it.
        num: how many.
        endpoint: whether ``stop`` is one of them.
        dtype: what the numbers, computed in float32 (float64 for float64), are converted to.

    Raises:
        ValueError: ``num`` is negative.

    Example:
        >>> import nybble.core as mx
        >>> mx.linspace(0, 1, 5)
        array([0, 0.25, 0.5, 0.75, 1], dtype=float32)
    """

def load(
    file: _File,
    /,
    format: str | None = None,
    return_metadata: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> Any:
    """Loads arrays from a file.

    A file given by name is mapped: nothing but its header is read until an array is used, and the
    memory belongs to the system's file cache. The arrays stay as they are when the file is deleted or
    replaced, by a save to the same name too. Do not let other programs write into a file in place while
    its arrays are in use: they would see the changes, and reading behind a new, earlier end of the file
    ends the process (before the first use of an array it is a RuntimeError). Copy the arrays where that
    may happen.

    Args:
        file: a name (str or os.PathLike), or a file object opened for reading bytes, which is read at
            once.
        format: ``"npy"``, ``"npz"``, ``"safetensors"`` or ``"gguf"``; by default the suffix of the
            file's name.
        return_metadata: for safetensors and gguf, return ``(arrays, metadata)``.

    Returns:
        An array for npy, else a dict of arrays in the order of the file. Tensors of the 8-bit float
        types of safetensors become uint8. Tensors of types Q4_0, Q4_1 and Q8_0 of gguf stay packed:
        ``"a.weight"`` holds codes, and ``"a.scales"`` and ``"a.biases"`` what :func:`dequantize` needs
        with ``group_size=32`` and ``bits`` 4 or 8. BF16 and other quantized types become float16, the
        latter with a warning.

    Raises:
        RuntimeError: there is no such file, or it is damaged.
        ValueError: an unknown format, or elements that no dtype can hold.

    Example:
        >>> import os, tempfile
        >>> import nybble.core as mx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     name = os.path.join(folder, "weights.safetensors")
        ...     mx.save_safetensors(name, {"w": mx.arange(3)}, {"step": "10"})
        ...     arrays, metadata = mx.load(name, return_metadata=True)
        >>> arrays["w"], metadata
        (array([0, 1, 2], dtype=int32), {'step': '10'})
    """

def log(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The natural logarithm.

    Example:
        >>> import nybble.core as mx
        >>> mx.log(mx.array([1.0, 2.0]))
        array([0, 0.693147], dtype=float32)
    """

def log10(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The logarithm to base 10.

    Example:
        >>> import nybble.core as mx
        >>> mx.log10(mx.array([1.0, 100.0]))
        array([0, 2], dtype=float32)
    """

def log1p(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``log(1 + a)``, exact for small elements.

    Example:
        >>> import nybble.core as mx
        >>> mx.log1p(mx.array([0.0, 1.0]))
        array([0, 0.693147], dtype=float32)
    """

def log2(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The logarithm to base 2.

    Example:
        >>> import nybble.core as mx
        >>> mx.log2(mx.array([1.0, 8.0]))
        array([0, 3], dtype=float32)
    """

def logaddexp(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``log(exp(a) + exp(b))`` without overflow, floating.

    Example:
        >>> import nybble.core as mx
        >>> mx.logaddexp(mx.array([0.0, 100.0]), 0.0)
        array([0.693147, 100], dtype=float32)
    """

def logcumsumexp(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: _StreamOrDevice = None,
) -> array:
    """The running ``log(sum(exp(a)))`` along an axis (None: of all elements, flattened), floating.

    Args:
        reverse: run from the end.
        inclusive: whether a result counts its own element; the first is else -inf.

    Example:
        >>> import nybble.core as mx
        >>> mx.logcumsumexp(mx.array([0.0, 0.0, 0.0]))
        array([0, 0.693147, 1.09861], dtype=float32)
    """

def logical_and(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """True where both elements are not zero.

    Example:
        >>> import nybble.core as mx
        >>> mx.logical_and(mx.array([0, 5]), True)
        array([False, True], dtype=bool)
    """

def logical_not(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where the element is zero.

    Example:
        >>> import nybble.core as mx
        >>> mx.logical_not(mx.array([0, 5]))
        array([True, False], dtype=bool)
    """

def logical_or(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """True where an element is not zero.

    Example:
        >>> import nybble.core as mx
        >>> mx.logical_or(mx.array([0, 5]), False)
        array([False, True], dtype=bool)
    """

def logical_xor(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """True where exactly one element is not zero.

    Example:
        >>> import nybble.core as mx
        >>> mx.logical_xor(mx.array([0, 5]), True)
        array([True, False], dtype=bool)
    """

def logsumexp(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``log(sum(exp(a)))`` over axes without overflow, floating. Raises ValueError if ``a`` is empty or complex.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.logsumexp(mx.array([[0.0, 100.0], [0.0, 0.0]]), axis=1)
        array([100, 0.693147], dtype=float32)
    """

def matmul(
    a: array,
    b: array,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The matrix product ``a @ b``, by NumPy's rules for vectors and batches.

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
    """

def matrix_transpose(
    a: array,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view with the last two axes exchanged.

    Raises:
        ValueError: fewer than two axes.

    Example:
        >>> import nybble.core as mx
        >>> mx.matrix_transpose(mx.zeros((2, 3, 4))).shape
        (2, 4, 3)
    """

def max(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The largest element over axes; NaN if one is. Raises ValueError over axes without elements.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.max(mx.array([[1, 2], [3, 4]]), axis=0)
        array([3, 4], dtype=int32)
    """

def maximum(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The larger element; NaN if either is.

    Example:
        >>> import nybble.core as mx
        >>> mx.maximum(mx.array([1, 5]), 3)
        array([3, 5], dtype=int32)
    """

def mean(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The mean over axes, floating: float32 for integers. NaN over axes without elements.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.mean(mx.array([[1, 2], [3, 4]]), axis=0)
        array([2, 3], dtype=float32)
    """

def median(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The middle element in order, or the mean of the two in the middle, floating; NaN if there is one.

    Args:
        axis: an axis or several; None for all.
        keepdims: keep reduced axes with length 1.
    Raises:
        ValueError: there are no elements.

    Example:
        >>> import nybble.core as mx
        >>> mx.median(mx.array([5, 1, 2, 10]))
        array(3.5, dtype=float32)
    """

def meshgrid(
    *args: Any,
    sparse: bool | None = False,
    indexing: str | None = 'xy',
    stream: _StreamOrDevice = None,
) -> tuple[Any, ...]:
    """The coordinates of all points of a grid, one array for each of its axes; a tuple.

    Args:
        sparse: leave the other axes of each array at length 1.
        indexing: ``"xy"`` lets the first array vary along the second axis, as on paper; ``"ij"`` along the
            first, as in matrices.
    Raises:
        ValueError: another ``indexing``.

    Example:
        >>> import nybble.core as mx
        >>> mx.meshgrid(mx.array([1, 2]), mx.array([3, 4]))[0]
        array([[1, 2],
               [1, 2]], dtype=int32)
    """

def min(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The smallest element over axes; NaN if one is. Raises ValueError over axes without elements.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.min(mx.array([[1, 2], [3, 4]]), axis=0)
        array([1, 2], dtype=int32)
    """

def minimum(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The smaller element; NaN if either is.

    Example:
        >>> import nybble.core as mx
        >>> mx.minimum(mx.array([1, 5]), 3)
        array([1, 3], dtype=int32)
    """

def minmax(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> tuple[array, array]:
    """The smallest and the largest element over axes, as :func:`min` and :func:`max` return them.

    Example:
        >>> import nybble.core as mx
        >>> mx.minmax(mx.array([3, 1, 2]))
        (array(1, dtype=int32), array(3, dtype=int32))
    """

def moveaxis(
    a: array,
    /,
    source: int,
    destination: int,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view with one axis moved to another place.

    Example:
        >>> import nybble.core as mx
        >>> mx.moveaxis(mx.zeros((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """

def multiply(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a * b``; ``and`` for bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.multiply(mx.array([1, 2]), 10)
        array([10, 20], dtype=int32)
    """

def nan_to_num(
    a: _Operand,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Replaces NaN by ``nan`` and the infinities by ``posinf`` and ``neginf``.

    Args:
        posinf, neginf: by default the largest and the lowest finite number of the dtype.

    Raises:
        ValueError: ``a`` is complex.

    Example:
        >>> import nybble.core as mx
        >>> mx.nan_to_num(mx.array([1.0, float("nan"), float("inf")]), posinf=9)
        array([1, 0, 9], dtype=float32)
    """

def negative(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``-a``; unsigned integers wrap around. Raises ValueError for bool: use ``logical_not``.

    Example:
        >>> import nybble.core as mx
        >>> mx.negative(mx.array([1, -2]))
        array([-1, 2], dtype=int32)
    """

def new_stream(device: _StreamOrDevice) -> Stream:
    """A stream with a number of its own, for the calling thread."""

def new_thread_local_stream(device: _StreamOrDevice) -> ThreadLocalStream:
    """A stream that is another one in every thread."""

def new_thread_unsafe_stream(device: _StreamOrDevice) -> Stream:
    """A stream with a number of its own, for all threads."""

def not_equal(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a != b``, bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.not_equal(mx.array([1, 5]), 5)
        array([True, False], dtype=bool)
    """

def ones(
    shape: _Ints,
    dtype: Dtype | None = float32,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """An array of ones. Memory is taken when the data are first needed.

    Args:
        shape: an int or a sequence of ints.
        dtype: ``float32`` by default.

    Raises:
        ValueError: a negative length.

    Example:
        >>> import nybble.core as mx
        >>> mx.ones(3, mx.int32)
        array([1, 1, 1], dtype=int32)
    """

def ones_like(
    a: array,
    /,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Ones in the shape and, if none is given, the dtype of ``a``.

    Example:
        >>> import nybble.core as mx
        >>> mx.ones_like(mx.array([3, 4]), mx.float16)
        array([1, 1], dtype=float16)
    """

def outer(
    a: array,
    b: array,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The products of every element of ``a`` and every one of ``b``, both flattened.

    Example:
        >>> import nybble.core as mx
        >>> mx.outer(mx.array([1, 2]), mx.array([3, 4]))
        array([[3, 4],
               [6, 8]], dtype=int32)
    """

def pad(
    a: array,
    pad_width: _Ints | collections.abc.Sequence[_Ints],
    mode: str = 'constant',
    constant_values: _Operand = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Surrounds an array with further elements.

    Args:
        pad_width: how many before and behind each axis: a number or ``(before, behind)`` for all of them, or a
            pair for each.
        mode: ``"constant"``, ``"edge"`` (the element at the edge), ``"reflect"`` (mirrored at that element) or
            ``"symmetric"`` (mirrored behind it).
        constant_values: the value of the new elements.
    Raises:
        ValueError: an unknown mode, negative widths, pairs for another number of axes, an axis without
            elements to repeat.

    Example:
        >>> import nybble.core as mx
        >>> mx.pad(mx.array([1, 2, 3]), (2, 1))
        array([0, 0, 1, 2, 3, 0], dtype=int32)
        >>> mx.pad(mx.array([1, 2, 3]), 1, mode="reflect")
        array([2, 1, 2, 3, 2], dtype=int32)
    """

def partition(
    a: array,
    /,
    kth: int,
    axis: int | None = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The elements in an order in which element ``kth`` is where :func:`sort` would put it, none before it
    is larger and none behind it is smaller.

    Args:
        a: an array.
        kth: an index along the axis, from the end if negative.
        axis: None for the flattened array.

    Raises:
        ValueError: ``kth`` is out of range.
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.partition(mx.array([3, 1, 2]), 1)[1]
        array(2, dtype=int32)
    """

def permute_dims(
    a: array,
    /,
    axes: _Ints | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """As :func:`transpose`."""

def positive(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``+a``: the elements as they are."""

def pow(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a ** b``. Integers wrap around, and give 0 for a negative ``b``.

    Example:
        >>> import nybble.core as mx
        >>> mx.power(mx.array([2, 3]), 3)
        array([8, 27], dtype=int32)
    """

def power(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a ** b``. Integers wrap around, and give 0 for a negative ``b``.

    Example:
        >>> import nybble.core as mx
        >>> mx.power(mx.array([2, 3]), 3)
        array([8, 27], dtype=int32)
    """

def printoptions(precision: int = -1) -> _PrintOptionsContext:
    """A context manager that sets how arrays are printed, as :func:`set_printoptions`, for a while.

    Example:
        >>> import nybble.core as mx
        >>> with mx.printoptions(precision=2):
        ...     print(mx.array(3.14159))
        array(3.14, dtype=float32)
    """

def prod(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The product over axes; dtypes as for :func:`sum`.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.prod(mx.array([[1, 2], [3, 4]]), axis=0)
        array([3, 8], dtype=int32)
    """

def put_along_axis(
    a: array,
    /,
    indices: array,
    values: _Operand,
    axis: int | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A copy of ``a`` with ``values`` at the elements that ``take_along_axis`` would read.

    Example:
        >>> import nybble.core as mx
        >>> mx.put_along_axis(mx.array([[1, 2], [3, 4]]), mx.array([[1], [0]]), 9, axis=1)
        array([[1, 9],
               [9, 4]], dtype=int32)
    """

def qqmm(
    x: array,
    w: array,
    scales: array | None = None,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = 'nvfp4',
    global_scale_x: array | None = None,
    global_scale_w: array | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Multiplies ``x``, quantized row by row on the way, by a quantized matrix.

    ``y = x_q @ dequantize(w).T``, where every group of ``x_q`` is the nearest (ties to even) that the
    mode can represent with its scale. The product itself is as accurate as :func:`quantized_matmul`.

    Args:
        x: ``[..., M, K]`` or ``[K]``, float16, bfloat16 or float32.
        w: codes from :func:`quantize`, ``[N, K * bits / 32]`` uint32; or without ``scales`` ``[N, K]``,
            float16, bfloat16 or float32, which is quantized first.
        scales: as from :func:`quantize`, uint8.
        group_size: as given to :func:`quantize`.
        bits: as given to :func:`quantize`.
        mode: ``"nvfp4"``, ``"mxfp8"`` or ``"mxfp4"``.
        global_scale_x: one float32 number, for ``"nvfp4"``, as for :func:`quantize`.
        global_scale_w: the one that ``w`` was quantized with. Both or none.

    Returns:
        ``[..., M, N]`` or ``[N]``, of the dtype of ``x``.

    Raises:
        ValueError: shapes, dtypes or parameters do not fit together.

    Example:
        >>> import nybble.core as mx
        >>> mx.qqmm(mx.ones((2, 32)), *mx.quantize(mx.ones((3, 32)), mode="mxfp8"), mode="mxfp8")[0, 0]
        array(32, dtype=float32)
    """

def quantization_defaults(mode: str) -> tuple[int, int]:
    """The group size and the bits that a mode has by default.

    Returns:
        A tuple ``(group_size, bits)``.

    Raises:
        ValueError: there is no such mode.

    Example:
        >>> import nybble.core as mx
        >>> mx.quantization_defaults("affine")
        (64, 4)
    """

def quantize(
    w: array,
    /,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = 'affine',
    *,
    global_scale: array | None = None,
    fit: str | None = None,
    importance: array | None = None,
    stream: _StreamOrDevice = None,
) -> tuple[array, ...]:
    """Quantizes the rows of a matrix, in groups of neighbours that share a scale and a bias.

    A weight is stored as a code of ``bits`` bits and stands for ``scale * code + bias``. Codes are
    packed into ``uint32`` as one bit stream per row, the first in the least significant bits.

    How scale and bias of a group are chosen is ``fit``:

    - ``"minmax"``: ``scale = (max - min) / (2**bits - 1)``, ``bias = min``. Codes are the nearest to
      the scale and bias as stored, ties to even. A constant group is exact, with scale 0. NaN and
      infinities do not count for ``min`` and ``max``; NaN gets code 0, infinity the largest or smallest
      code. A group without finite weights gets scale and bias 0, and a scale that overflows is the
      largest finite value.
    - ``"mlx"``: what MLX does, bit for bit. The scale may be negative, and zero is nearly exact. NaN
      does not count and gets code 0; a group with an infinity has a scale or bias that is not finite.
    - ``"mse"``: the scale and bias with the least squared error that a search finds, never more than
      that of ``"minmax"`` in any group; about 10, 15 and 29 % less rms error at 4, 3 and 2 bits than
      ``"minmax"`` on the weights of a language model, at the same size. Codes as for ``"minmax"``; a
      group with NaN or infinities is treated as there. It takes about a hundred times as long.

    In the other modes a weight stands for ``scale * code`` with floats for codes and scales of one byte,
    chosen as MLX does: ``"mxfp4"`` (codes e2m1, scales powers of two, groups of 32), ``"mxfp8"`` (codes
    e4m3) and ``"nvfp4"`` (codes e2m1, scales e4m3, groups of 16). NaN and infinities do not count for
    the scale; NaN gets code 0, an infinity the largest code.

    The results are deferred while ``w`` is: nothing is computed before they are used.

    Args:
        w: ``[..., N, K]``, float16, bfloat16 or float32, at least 2-D; any strides.
        group_size: weights in a group, 32, 64 or 128; None means 64, or the one that ``mode`` has. It
            must divide K.
        bits: 1, 2, 3, 4, 5, 6 or 8; None means 4, or those that ``mode`` has.
        mode: ``"affine"``, ``"mxfp4"``, ``"mxfp8"`` or ``"nvfp4"``.
        global_scale: one float32 number for ``"nvfp4"``, best the largest magnitude in ``w``: scales
            are stored as multiples of ``global_scale / (448 * 6)``.
        fit: ``"minmax"``, ``"mlx"`` or ``"mse"`` for ``"affine"``; None means the default of the
            process, which is ``"minmax"`` unless :func:`set_default_fit` changed it.
        importance: ``[K]``, how much the squared error of each column counts, only for
            ``fit="mse"``: for example the mean square of what the column is multiplied by. Real, finite
            and not negative. None means that all count alike; so they do in a group where all of it
            is 0.

    Returns:
        A tuple ``(codes, scales, biases)``: codes ``[..., N, K * bits / 32]`` uint32, scales and biases
        ``[..., N, K / group_size]`` of the dtype of ``w``. In the other modes ``(codes, scales)`` with
        uint8 scales.

    Raises:
        ValueError: ``w`` has another dtype, fewer than 2 dimensions or rows that the group size does
            not divide, there is no such mode, bits, group size or fit, the mode or fit does not have
            what was given, or ``importance`` has another shape or other values.

    Example:
        >>> import nybble.core as mx
        >>> w = mx.array([[float(k) for k in range(32)]])
        >>> codes, scales, biases = mx.quantize(w, group_size=32, bits=5)
        >>> codes.shape, scales.item(), biases.item()
        ((1, 5), 1.0, 0.0)
    """

def quantized_matmul(
    x: array,
    w: array,
    /,
    scales: array,
    biases: array | None = None,
    transpose: bool = True,
    group_size: int | None = None,
    bits: int | None = None,
    mode: str = 'affine',
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Multiplies by a quantized matrix without unpacking it to memory.

    ``y = x @ dequantize(w).T``, or ``x @ dequantize(w)`` if ``transpose`` is False. Against the exact
    product the error of an output, before it is rounded to its dtype, is at most
    ``2**-20 * sum(abs(x * w))`` if it is float32 and ``2**-15 * sum(abs(x * w))`` if it has 16 bits.
    NaN and infinities in a row of ``x`` reach the outputs of that row only.

    Args:
        x: ``[..., M, K]`` or ``[K]``, real; any strides.
        w: codes from :func:`quantize`, ``[..., N, K * bits / 32]`` uint32; if ``transpose`` is False
            ``[..., K, N * bits / 32]``. With more than 2 dimensions a batch of matrices, which is
            broadcast against the leading dimensions of ``x``; ``x`` needs more than 2 as well then.
        scales: as from :func:`quantize`.
        biases: as ``scales``. Mode ``"affine"`` needs them, the others have none.
        transpose: whether the rows of ``w``, or its columns, are multiplied by those of ``x``.
        group_size: as given to :func:`quantize`.
        bits: as given to :func:`quantize`.
        mode: as given to :func:`quantize`.

    Returns:
        ``[..., M, N]`` or ``[N]``, of the dtype that ``x``, ``scales`` and ``biases`` promote to; without
        biases of the dtype of ``x``, which must be float16, bfloat16 or float32 then.

    Raises:
        ValueError: shapes, dtypes or parameters do not fit together.

    Example:
        >>> import nybble.core as mx
        >>> w = mx.ones((3, 64))
        >>> y = mx.quantized_matmul(mx.ones((2, 64)), *mx.quantize(w))
        >>> y.shape, y[0, 0].item()
        ((2, 3), 64.0)
    """

def radians(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """Degrees to radians.

    Example:
        >>> import nybble.core as mx
        >>> mx.radians(mx.array([0.0, 180.0]))
        array([0, 3.14159], dtype=float32)
    """

def real(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The real part of complex numbers, float32; real numbers as they are.

    Example:
        >>> import nybble.core as mx
        >>> mx.real(mx.array([1 + 2j]))
        array([1], dtype=float32)
    """

def reciprocal(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``1 / a``.

    Example:
        >>> import nybble.core as mx
        >>> mx.reciprocal(mx.array([4.0, 2.0]))
        array([0.25, 0.5], dtype=float32)
    """

def remainder(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The rest of ``a / b`` with the sign of ``b``. Integers modulo zero stay. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.remainder(mx.array([7, -7]), 3)
        array([1, 2], dtype=int32)
    """

def repeat(
    array: array,
    repeats: int,
    axis: int | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Every element, along an axis or of the flattened array, so many times.

    Example:
        >>> import nybble.core as mx
        >>> mx.repeat(mx.array([1, 2]), 2)
        array([1, 1, 2, 2], dtype=int32)
    """

def reset_peak_memory() -> None:
    """Begins a new count for ``get_peak_memory``."""

def reshape(
    a: array,
    /,
    shape: _Ints,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The same elements in row-major order in another shape.

    One length may be -1: it follows from the others. The result is a view where the strides allow it.

    Raises:
        ValueError: the numbers of elements differ.

    Example:
        >>> import nybble.core as mx
        >>> mx.reshape(mx.arange(6), (2, -1))
        array([[0, 1, 2],
               [3, 4, 5]], dtype=int32)
    """

def result_type(*args: array | Dtype) -> Dtype:
    """The dtype of the result of an operation on the given arrays and dtypes."""

def right_shift(
    a: _Operand,
    b: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``a >> b``; of ``b`` the low 5 bits count (6 for 64-bit integers). Raises ValueError for floats.

    Example:
        >>> import nybble.core as mx
        >>> mx.right_shift(mx.array([16, -3]), 1)
        array([8, -2], dtype=int32)
    """

def roll(
    a: array,
    /,
    shift: _Ints,
    axis: _Ints | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Moves elements along axes, those that leave at one end back in at the other.

    Args:
        shift: how far, towards the end if positive; a number for all axes, or one for each.
        axis: an axis or several; None rolls the flattened array.
    Raises:
        ValueError: fewer shifts than axes.

    Example:
        >>> import nybble.core as mx
        >>> mx.roll(mx.arange(5), 2)
        array([3, 4, 0, 1, 2], dtype=int32)
    """

def round(
    a: _Operand,
    /,
    decimals: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Rounds to ``decimals`` decimal places, or to tens and hundreds if negative; ties go to the even digit.

    Example:
        >>> import nybble.core as mx
        >>> mx.round(mx.array([0.5, 1.5, 2.6]))
        array([0, 2, 3], dtype=float32)
        >>> mx.round(mx.array([126, 134]), -1)
        array([130, 130], dtype=int32)
    """

def rsqrt(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``1 / sqrt(a)``.

    Example:
        >>> import nybble.core as mx
        >>> mx.rsqrt(mx.array([4.0, 1.0]))
        array([0.5, 1], dtype=float32)
    """

def save(file: _File, arr: array) -> None:
    """Saves an array in NumPy's npy format.

    A file given by name appears whole or, on an error, not at all. bfloat16 is stored as raw elements
    of two bytes, which ``load`` takes back as bfloat16 and NumPy as void.

    Args:
        file: a name, to which ``.npy`` is appended unless it ends so, or a file object opened for
            writing bytes.
        arr: the array.

    Raises:
        RuntimeError: the file cannot be written. One that was there before is unchanged.

    Example:
        >>> import os, tempfile
        >>> import nybble.core as mx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mx.save(os.path.join(folder, "x"), mx.arange(3))
        ...     x = mx.load(os.path.join(folder, "x.npy"))
        >>> x
        array([0, 1, 2], dtype=int32)
    """

def save_gguf(file: _File, arrays: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    """Saves arrays in the GGUF format.

    A file given by name appears whole or, on an error, not at all.

    Args:
        file: a name, to which ``.gguf`` is appended unless it ends so, or a file object opened for
            writing bytes.
        arrays: a dict of arrays by name: float16, float32, int8, int16 or int32.
        metadata: a dict of numbers (arrays with at most one dimension), texts and lists of texts.

    Raises:
        RuntimeError: an array of another dtype, metadata that are empty or have more dimensions, or the
            file cannot be written. One that was there before is unchanged.
        ValueError: metadata of a floating dtype other than float32.

    Example:
        >>> import os, tempfile
        >>> import nybble.core as mx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     name = os.path.join(folder, "weights.gguf")
        ...     mx.save_gguf(name, {"w": mx.arange(3)}, {"general.name": "small"})
        ...     arrays, metadata = mx.load(name, return_metadata=True)
        >>> arrays["w"], metadata
        (array([0, 1, 2], dtype=int32), {'general.name': 'small'})
    """

def save_safetensors(
    file: _File,
    arrays: dict[str, Any],
    metadata: dict[str, Any] | None = None,
) -> None:
    """Saves arrays in the safetensors format.

    A file given by name appears whole or, on an error, not at all. It may be the file the arrays were
    loaded from.

    Args:
        file: a name, to which ``.safetensors`` is appended unless it ends so, or a file object opened
            for writing bytes.
        arrays: a dict of arrays by name.
        metadata: a dict of texts by name.

    Raises:
        ValueError: metadata are not texts, or an array is named ``__metadata__``.
        RuntimeError: the file cannot be written. One that was there before is unchanged.

    Example:
        >>> import os, tempfile
        >>> import nybble.core as mx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     name = os.path.join(folder, "weights.safetensors")
        ...     mx.save_safetensors(name, {"w": mx.arange(3)})
        ...     arrays = mx.load(name)
        >>> arrays["w"]
        array([0, 1, 2], dtype=int32)
    """

def savez(file: _File, *args: array, **kwargs: array) -> None:
    """Saves several arrays in NumPy's npz format, uncompressed.

    A file given by name appears whole or, on an error, not at all.

    Args:
        file: a name, to which ``.npz`` is appended unless it ends so, or a file object opened for
            writing bytes.
        *args: arrays, named ``arr_0``, ``arr_1`` and so on.
        **kwargs: arrays by name.

    Raises:
        ValueError: a keyword is the name of a positional array.
        RuntimeError: the file cannot be written. One that was there before is unchanged.

    Example:
        >>> import os, tempfile
        >>> import nybble.core as mx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mx.savez(os.path.join(folder, "x"), mx.arange(2), b=mx.arange(3))
        ...     arrays = mx.load(os.path.join(folder, "x.npz"))
        >>> arrays["arr_0"], arrays["b"]
        (array([0, 1], dtype=int32), array([0, 1, 2], dtype=int32))
    """

def savez_compressed(file: _File, *args: array, **kwargs: array) -> None:
    """Saves several arrays in NumPy's npz format, compressed. The whole file is made in memory first.

    Args:
        file: a name, to which ``.npz`` is appended unless it ends so, or a file object opened for
            writing bytes.
        *args: arrays, named ``arr_0``, ``arr_1`` and so on.
        **kwargs: arrays by name.

    Raises:
        ValueError: a keyword is the name of a positional array.
        RuntimeError: the file cannot be written. One that was there before is unchanged.

    Example:
        >>> import os, tempfile
        >>> import nybble.core as mx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mx.savez_compressed(os.path.join(folder, "x"), zeros=mx.zeros(1000))
        ...     arrays = mx.load(os.path.join(folder, "x.npz"))
        >>> arrays["zeros"].shape
        (1000,)
    """

def searchsorted(
    sorted_sequence: array,
    values: array,
    /,
    side: str = 'left',
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Where values would have to be inserted for a sequence to stay sorted, uint32.

    Args:
        sorted_sequence: one axis, ascending.
        side: ``"left"`` counts the elements before a value, ``"right"`` those equal to it, too.
    Raises:
        ValueError: another ``side``, or a sequence with another number of axes.

    Example:
        >>> import nybble.core as mx
        >>> mx.searchsorted(mx.array([1, 2, 2, 4]), mx.array([0, 2, 5]))
        array([0, 1, 4], dtype=uint32)
    """

def segmented_mm(
    a: array,
    b: array,
    /,
    segments: array,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Products of parts of the inner dimension: ``y[s] = a[:, from:to] @ b[from:to]``.

    Args:
        a: ``[M, K]``.
        b: ``[K, N]``.
        segments: ``[..., 2]`` integers, where each segment begins and ends.

    Returns:
        array: ``[..., M, N]`` of the dtype that both promote to, floating.

    Raises:
        ValueError: shapes or dtypes do not fit.
        IndexError: a segment is outside ``0..K``.

    Example:
        >>> import nybble.core as mx
        >>> a = mx.array([[1.0, 2.0, 3.0]])
        >>> mx.segmented_mm(a, a.T, mx.array([[0, 1], [1, 3]])).flatten()
        array([1, 13], dtype=float32)
    """

def set_cache_limit(limit: int) -> int:
    """Sets how many bytes may be kept for reuse and returns the old limit."""

def set_default_device(device: _StreamOrDevice) -> None:
    """Accepts the CPU. Raises ValueError for a GPU."""

def set_default_fit(fit: str) -> str:
    """Sets the ``fit`` that :func:`quantize` uses in this process unless it is told otherwise.

    Returns:
        The one it was before.

    Raises:
        ValueError: there is no such fit.

    Example:
        >>> import nybble.core as mx
        >>> mx.set_default_fit("mlx")
        'minmax'
        >>> mx.set_default_fit("minmax")
        'mlx'
    """

def set_default_stream(stream: Stream) -> None:
    """Makes a stream that of its device, in this thread."""

def set_matmul_precision(precision: str) -> str:
    """Sets how exact quantized products are in this process.

    - ``"highest"``: as exact as float32 sums, ``2**-20 * sum(abs(x * w))`` for float32 and
      ``2**-15 * sum(abs(x * w))`` for float16 and bfloat16. The default.
    - ``"medium"``: x is rounded to 8 bits in every group, which is faster and off by up to
      ``2**-6 * sum(max(abs(x)) * sum(abs(w)))`` over the groups.

    Returns:
        The one it was before.

    Raises:
        ValueError: there is no such precision.

    Example:
        >>> import nybble.core as mx
        >>> mx.set_matmul_precision("medium")
        'highest'
        >>> mx.set_matmul_precision("highest")
        'medium'
    """

def set_memory_limit(limit: int) -> int:
    """Sets how many bytes arrays and the memory kept for reuse should take together.

    Beyond it kept memory is given back to the system before more is taken; only memory that the system
    refuses is an error. By default all the machine has.

    Returns:
        int: the old limit.

    Example:
        >>> import nybble.core as mx
        >>> old = mx.set_memory_limit(10**9)
        >>> mx.set_memory_limit(old)
        1000000000
    """

def set_num_threads(threads: int) -> int:
    """Sets the number of threads of the process, 1 to 1024, and returns the old one."""

def set_printoptions(precision: int = -1) -> None:
    """Sets how arrays are printed.

    Args:
        precision: digits behind the point of floats; -1 for six significant digits.

    Example:
        >>> import nybble.core as mx
        >>> mx.set_printoptions(precision=2)
        >>> mx.array(3.14159)
        array(3.14, dtype=float32)
        >>> mx.set_printoptions()
    """

def set_wired_limit(limit: int) -> int:
    """Accepts a number of bytes and returns the one before, 0 at first. It has no effect: memory is not wired."""

def sigmoid(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``1 / (1 + exp(-a))``. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.sigmoid(mx.array([0.0, 2.0]))
        array([0.5, 0.880797], dtype=float32)
    """

def sign(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """-1, 0 or 1; 0 for NaN; ``a / abs(a)`` for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.sign(mx.array([-2, 0, 3]))
        array([-1, 0, 1], dtype=int32)
    """

def sin(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The sine.

    Example:
        >>> import nybble.core as mx
        >>> mx.sin(mx.array([0.0, 0.5]))
        array([0, 0.479426], dtype=float32)
    """

def sinh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The hyperbolic sine.

    Example:
        >>> import nybble.core as mx
        >>> mx.sinh(mx.array([0.0, 1.0]))
        array([0, 1.1752], dtype=float32)
    """

def slice(
    a: array,
    /,
    start_indices: array,
    axes: _Ints,
    slice_size: Any,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view of the part of an array that begins where an array of integers says.

    Args:
        start_indices: where it begins along ``axes``; at 0 along others.
        slice_size: its length along every axis of ``a``.
    Raises:
        ValueError: the arguments do not fit together.
        IndexError: the part does not lie within the array.

    Example:
        >>> import nybble.core as mx
        >>> mx.slice(mx.array([[1, 2, 3], [4, 5, 6]]), mx.array(1), axes=(0,), slice_size=(1, 2))
        array([[4, 5]], dtype=int32)
    """

def slice_update(
    a: array,
    update: array,
    /,
    start_indices: array,
    axes: _Ints,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A copy of an array with a part replaced that begins where an array of integers says.

    Args:
        update: the part; axes in front that it lacks have length 1 if they are among ``axes``, else that of ``a``.
        start_indices: where it begins along ``axes``; at 0 along others.
    Raises:
        ValueError: the arguments do not fit together.
        IndexError: the part does not lie within the array.

    Example:
        >>> import nybble.core as mx
        >>> mx.slice_update(mx.zeros((2, 3)), mx.ones((1, 2)), mx.array([1, 1]), axes=(0, 1))
        array([[0, 0, 0],
               [0, 1, 1]], dtype=float32)
    """

def softmax(
    a: array,
    /,
    axis: _Ints | None = None,
    *,
    precise: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """``exp(a) / sum(exp(a))`` over axes without overflow, floating: float32 for integers.

    Args:
        axis: an axis or several; None for all.
        precise: accepted; float16 and bfloat16 are computed in float32 always.

    Raises:
        ValueError: ``a`` is complex.

    Example:
        >>> import nybble.core as mx
        >>> mx.softmax(mx.array([0.0, 0.0, 0.0, 0.0]))
        array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """

def sort(
    a: array,
    /,
    axis: int | None = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The elements in ascending order along an axis, or of the flattened array if the axis is None. Equal
    elements keep their order; NaN comes last.

    Raises:
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.sort(mx.array([3, 1, 2]))
        array([1, 2, 3], dtype=int32)
    """

def split(
    a: array,
    /,
    indices_or_sections: _Ints,
    axis: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> list[array]:
    """Views of equal parts of an axis, or of the parts between the given places; a list.

    Raises:
        ValueError: the axis cannot be cut into equal parts.

    Example:
        >>> import nybble.core as mx
        >>> [part.tolist() for part in mx.split(mx.arange(6), [1, 4])]
        [[0], [1, 2, 3], [4, 5]]
    """

def sqrt(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The square root.

    Example:
        >>> import nybble.core as mx
        >>> mx.sqrt(mx.array([4.0, 9.0]))
        array([2, 3], dtype=float32)
    """

def square(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a * a``.

    Example:
        >>> import nybble.core as mx
        >>> mx.square(mx.array([2, -3]))
        array([4, 9], dtype=int32)
    """

def squeeze(
    a: array,
    /,
    axis: _Ints | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Drops the given axes of length 1, or all of them.

    Raises:
        ValueError: an axis is longer.

    Example:
        >>> import nybble.core as mx
        >>> mx.squeeze(mx.zeros((1, 3, 1))).shape
        (3,)
    """

def stack(
    arrays: collections.abc.Sequence[_Operand],
    axis: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Arrays of one shape along a new axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.stack([mx.array([1, 2]), mx.array([3, 4])], axis=1)
        array([[1, 3],
               [2, 4]], dtype=int32)
    """

def std(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The standard deviation over axes: the square root of :func:`var`.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.std(mx.array([1.0, 2.0, 3.0, 4.0]))
        array(1.11803, dtype=float32)
    """

def stop_gradient(a: array, /, *, stream: _StreamOrDevice = None) -> array:
    """``a`` as it is: gradients are not recorded."""

def stream(s: _StreamOrDevice) -> StreamContext:
    """A context manager, as in MLX: ``with stream(cpu): ...``. Raises RuntimeError on entry if the stream belongs to another thread."""

def subtract(a: _Operand, b: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """``a - b``; exclusive or for bool.

    Example:
        >>> import nybble.core as mx
        >>> mx.subtract(mx.array([1, 2]), 10)
        array([-9, -8], dtype=int32)
    """

def sum(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The sum over axes. bool, int8 and int16 give int32, uint8 and uint16 give uint32, all others their own dtype. Floats are added in float64 and rounded once; integers wrap around.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.sum(mx.array([[1, 2], [3, 4]]), axis=0)
        array([4, 6], dtype=int32)
    """

def swapaxes(
    a: array,
    /,
    axis1: int,
    axis2: int,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view with two axes exchanged.

    Example:
        >>> import nybble.core as mx
        >>> mx.swapaxes(mx.zeros((2, 3, 4)), 0, -1).shape
        (4, 3, 2)
    """

def synchronize(stream: _StreamOrDevice = None) -> None:
    """Returns at once: all work is done at the call."""

def take(
    a: array,
    /,
    indices: _Operand,
    axis: int | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The elements at ``indices`` along an axis, or of the flattened array.

    Args:
        indices: an int or an array of integers of any shape; negative ones count from the end. Their axes
            stand where ``axis`` stood.
    Raises:
        IndexError: an index is out of range.
        ValueError: indices that are not integers.

    Example:
        >>> import nybble.core as mx
        >>> mx.take(mx.array([[1, 2], [3, 4], [5, 6]]), mx.array([2, 0]), axis=0)
        array([[5, 6],
               [1, 2]], dtype=int32)
    """

def take_along_axis(
    a: array,
    /,
    indices: array,
    axis: int | None = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The elements that ``indices`` name along an axis, lane by lane; None flattens both.

    Example:
        >>> import nybble.core as mx
        >>> mx.take_along_axis(mx.array([[1, 2], [3, 4]]), mx.array([[1], [0]]), axis=1)
        array([[2],
               [3]], dtype=int32)
    """

def tan(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The tangent.

    Example:
        >>> import nybble.core as mx
        >>> mx.tan(mx.array([0.0, 0.5]))
        array([0, 0.546302], dtype=float32)
    """

def tanh(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """The hyperbolic tangent.

    Example:
        >>> import nybble.core as mx
        >>> mx.tanh(mx.array([0.0, 1.0]))
        array([0, 0.761594], dtype=float32)
    """

def tensordot(
    a: array,
    b: array,
    /,
    axes: _Ints = 2,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The products of elements of two arrays, summed over some of their axes.

    Args:
        axes: so many of the last axes of ``a`` and the first of ``b``; or two lists of axes, of ``a`` and of
            ``b``.
    Raises:
        ValueError: the axes do not fit together, or the dtypes are not floating.

    Example:
        >>> import nybble.core as mx
        >>> mx.tensordot(mx.ones((2, 3)), mx.ones((4, 3)), axes=[[1], [1]]).shape
        (2, 4)
    """

def tile(
    a: array,
    reps: _Ints,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The whole array so many times along each axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.tile(mx.array([1, 2]), 2)
        array([1, 2, 1, 2], dtype=int32)
    """

def to_fp8(x: array, *, stream: _StreamOrDevice = None) -> array:
    """The nearest floats of 8 bits (e4m3), as uint8. Numbers beyond 448, and NaN, become 448.

    Args:
        x: floating.

    Raises:
        ValueError: another dtype.

    Example:
        >>> import nybble.core as mx
        >>> mx.from_fp8(mx.to_fp8(mx.array([0.1, 1000.0])), mx.float32)
        array([0.101562, 448], dtype=float32)
    """

def topk(
    a: array,
    /,
    k: int,
    axis: int | None = -1,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The ``k`` largest elements along an axis, or of the flattened array if the axis is None, in
    ascending order. NaN counts as the largest.

    Raises:
        ValueError: ``k`` is negative or larger than the axis is long.
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.topk(mx.array([3, 1, 2]), 2)
        array([2, 3], dtype=int32)
    """

def trace(
    a: array,
    /,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The sum of a diagonal.

    Args:
        offset: how far above the main diagonal.
        dtype: what the elements are converted to first.
    Raises:
        ValueError: fewer than two axes, or twice the same.

    Example:
        >>> import nybble.core as mx
        >>> mx.trace(mx.array([[1, 2], [3, 4]]))
        array(5, dtype=int32)
    """

def transpose(
    a: array,
    /,
    axes: _Ints | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """A view with the axes in the given order, reversed by default.

    Example:
        >>> import nybble.core as mx
        >>> mx.transpose(mx.zeros((2, 3, 4)), (1, 0, 2)).shape
        (3, 2, 4)
    """

def tri(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """An ``n`` by ``m`` matrix (square by default) with ones on and below the diagonal ``k`` places to the
    right of the main one and zeros elsewhere; ``float32`` by default.

    Example:
        >>> import nybble.core as mx
        >>> mx.tri(2, 3)
        array([[1, 0, 0],
               [1, 1, 0]], dtype=float32)
    """

def tril(x: array, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """The matrices in the last two axes of ``x`` with zeros above the diagonal ``k`` places to the right
    of the main one.

    Raises:
        ValueError: ``x`` has fewer than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> mx.tril(mx.array([[1, 2], [3, 4]]))
        array([[1, 0],
               [3, 4]], dtype=int32)
    """

def triu(x: array, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """The matrices in the last two axes of ``x`` with zeros below the diagonal ``k`` places to the right
    of the main one.

    Raises:
        ValueError: ``x`` has fewer than two dimensions.

    Example:
        >>> import nybble.core as mx
        >>> mx.triu(mx.array([[1, 2], [3, 4]]))
        array([[1, 2],
               [0, 4]], dtype=int32)
    """

def trunc(a: _Operand, /, *, stream: _StreamOrDevice = None) -> array:
    """Each element without its fraction; integers stay. Raises ValueError for complex numbers.

    Example:
        >>> import nybble.core as mx
        >>> mx.trunc(mx.array([1.5, -1.5]))
        array([1, -1], dtype=float32)
    """

def unflatten(
    a: array,
    /,
    axis: int,
    shape: _Ints,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Splits one axis into the given shape, in which one length may be -1.

    Example:
        >>> import nybble.core as mx
        >>> mx.unflatten(mx.zeros((2, 12)), 1, (3, -1)).shape
        (2, 3, 4)
    """

def unique(
    a: array,
    /,
    size: int,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    fill_value: _Operand | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> Any:
    """The distinct elements in order: the ``size`` smallest, or all and then ``fill_value``.

    Args:
        return_index: also where in the flattened array each stands first, uint32.
        return_inverse: also which of them each element of ``a`` is, uint32.
        return_counts: also how often each occurs, int32; 0 for those filled in.
        fill_value: by default the smallest element.
    Returns:
        an array, or a tuple of the values and what was asked for.
    Raises:
        ValueError: a negative ``size``, or nothing to fill up an empty array with.

    Example:
        >>> import nybble.core as mx
        >>> mx.unique(mx.array([2, 1, 2, 3]), 3, return_counts=True)
        (array([1, 2, 3], dtype=int32), array([1, 2, 1], dtype=int32))
    """

def unstack(
    x: array,
    /,
    *,
    axis: int = 0,
    stream: _StreamOrDevice = None,
) -> tuple[Any, ...]:
    """Views of the parts along an axis, without it; a tuple. The reverse of :func:`stack`.

    Example:
        >>> import nybble.core as mx
        >>> mx.unstack(mx.array([[1, 2], [3, 4]]))
        (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
    """

def var(
    a: array,
    /,
    axis: _Ints | None = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """The variance over axes, floating: the sum of squared distances from the mean, divided by the number of elements less ``ddof``.

    Args:
        axis: an axis or several; None for all. An empty tuple reduces nothing.
        keepdims: keep reduced axes with length 1.

    Example:
        >>> import nybble.core as mx
        >>> mx.var(mx.array([1.0, 2.0, 3.0, 4.0]))
        array(1.25, dtype=float32)
    """

def vecdot(
    a: array,
    b: array,
    /,
    *,
    axis: int = -1,
    stream: _StreamOrDevice = None,
) -> array:
    """The sum of ``conj(a) * b`` over an axis; the others broadcast.

    Raises:
        ValueError: the axis differs in length or place.

    Example:
        >>> import nybble.core as mx
        >>> mx.vecdot(mx.array([[1, 2], [3, 4]]), mx.array([[1, 1], [2, 2]]))
        array([3, 14], dtype=int32)
    """

def view(
    a: _Operand,
    dtype: Dtype,
    stream: _StreamOrDevice = None,
) -> array:
    """The same bytes as elements of another dtype; the last axis changes its length with the element size.

    Raises:
        ValueError: the last axis does not hold a whole number of the new elements.

    Example:
        >>> import nybble.core as mx
        >>> mx.view(mx.array([1.0]), mx.uint32)
        array([1065353216], dtype=uint32)
    """

def where(
    condition: _Operand,
    x: _Operand,
    y: _Operand,
    /,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``x`` where ``condition`` is not zero, else ``y``; all three broadcast.

    Returns:
        array: of the dtype to which ``x`` and ``y`` promote.

    Example:
        >>> import nybble.core as mx
        >>> mx.where(mx.array([True, False]), mx.array([1.0, 2.0]), 0)
        array([1, 0], dtype=float32)
    """

def zeros(
    shape: _Ints,
    dtype: Dtype | None = float32,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """An array of zeros. Memory is taken when the data are first needed.

    Args:
        shape: an int or a sequence of ints.
        dtype: ``float32`` by default.

    Raises:
        ValueError: a negative length.

    Example:
        >>> import nybble.core as mx
        >>> mx.zeros((2, 2))
        array([[0, 0],
               [0, 0]], dtype=float32)
    """

def zeros_like(
    a: array,
    /,
    dtype: Dtype | None = None,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """Zeros in the shape and, if none is given, the dtype of ``a``.

    Example:
        >>> import nybble.core as mx
        >>> mx.zeros_like(mx.array([3, 4]))
        array([0, 0], dtype=int32)
    """
