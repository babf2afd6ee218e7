# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""Random arrays, bit for bit those of MLX."""

import collections.abc
from typing import Any

from nybble.core import Dtype, _Ints, _Operand, _StreamOrDevice, array, float32, int32

state: _RandomState

class _RandomState:
    """The calling thread's random key, in a list of one."""
    def __getitem__(self, arg0: int, /) -> array: ...
    def __iter__(self) -> collections.abc.Iterator[Any]: ...
    def __len__(self) -> int: ...
    def __setitem__(self, arg0: int, arg1: array, /) -> None: ...

def bernoulli(
    p: _Operand = 0.5,
    shape: _Ints | None = None,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Booleans that are true with probability ``p``.

    Args:
        p: float or floating array that broadcasts to the shape; NaN counts as 0.
        shape: a sequence of ints; that of ``p`` by default.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: ``p`` is not floating, a negative length, shapes that do not broadcast, not a key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.bernoulli(mx.array([0.0, 1.0]))
        array([False, True], dtype=bool)
    """

def categorical(
    logits: array,
    axis: int = -1,
    shape: _Ints | None = None,
    num_samples: int | None = None,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Draws indices (``uint32``) along an axis with probabilities in proportion to exp(logits).

    Args:
        logits: unnormalized logarithms of probabilities; one distribution for each place of the other
            axes.
        axis: the axis of the distributions.
        shape: of the result; the shape of ``logits`` without the axis must broadcast to it, and is it
            by
            default.
        num_samples: instead of ``shape``: so many draws from each distribution, in a new last axis.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: both ``shape`` and ``num_samples``, a shape that does not fit, an empty axis, not a
            key.
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> never = -float("inf")
        >>> mx.random.categorical(mx.array([never, 0.0, never]), num_samples=3)
        array([1, 1, 1], dtype=uint32)
    """

def gumbel(
    shape: _Ints = (),
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Numbers from the standard Gumbel distribution, whose distribution function is exp(-exp(-x)).

    Args:
        shape: a sequence of ints.
        dtype: ``float32``, ``float16`` or ``bfloat16``.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: another dtype, a negative length, not a key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.gumbel((2, 3)).shape
        (2, 3)
    """

def key(seed: int) -> array:
    """The random key that a seed stands for: a ``uint32`` array of shape (2,).

    Args:
        seed: an int, 0 <= seed < 2**64.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.key(7)
        array([0, 7], dtype=uint32)
    """

def laplace(
    shape: _Ints = (),
    dtype: Dtype | None = float32,
    loc: float = 0.0,
    scale: float = 1.0,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Numbers from the Laplace distribution, whose density is exp(-abs(x - loc) / scale) / (2 * scale).

    Args:
        shape: a sequence of ints.
        dtype: floating.
        loc: the mean.
        scale: the mean distance from it.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: another dtype, a negative length, not a key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.laplace((3,), key=mx.random.key(0))
        array([-2.66849, 0.463046, -0.309328], dtype=float32)
    """

def multivariate_normal(
    mean: array,
    cov: array,
    shape: _Ints = (),
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Jointly normal numbers of a mean and a covariance.

    Args:
        mean: ``[..., n]``.
        cov: ``[..., n, n]``, symmetric and positive semidefinite; of others the result means nothing.
        shape: a sequence of ints, broadcast with the leading dimensions of ``mean`` and ``cov``.
        dtype: float32.
        key: by default a new key of the calling thread.

    Returns:
        ``[..., n]``, float32.

    Raises:
        ValueError: another dtype, shapes that do not fit, not a key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.multivariate_normal(mx.zeros(2), mx.eye(2), (3,)).shape
        (3, 2)
    """

def normal(
    shape: _Ints = (),
    dtype: Dtype | None = float32,
    loc: _Operand | None = None,
    scale: _Operand | None = None,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Normally distributed numbers.

    Args:
        shape: a sequence of ints; the result has this shape broadcast with those of ``loc`` and
            ``scale``.
        dtype: floating, or ``complex64``, whose real and imaginary parts have the variance 1/2.
        loc: the mean, 0 by default: scalar or array.
        scale: the standard deviation, 1 by default: scalar or array.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: another dtype, a negative length, shapes that do not broadcast, not a key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.normal((3,), key=mx.random.key(0))
        array([1.81609, -0.482623, 0.339889], dtype=float32)
    """

def permutation(
    x: _Operand,
    axis: int = 0,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The numbers 0 to x-1 (``uint32``), or the entries of an array along an axis, in random order.

    Args:
        x: an int or an array.
        axis: the axis of an array.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: a negative int, not a key.
        ValueError, IndexError: there is no such axis.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.permutation(5, key=mx.random.key(0))
        array([1, 2, 0, 4, 3], dtype=uint32)
    """

def randint(
    low: _Operand,
    high: _Operand,
    shape: _Ints = (),
    dtype: Dtype | None = int32,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Evenly distributed integers, low <= x < high; ``low`` where there are none.

    They are made from ``float32`` numbers: not every integer of an interval wider than 2**24 can
    appear.

    Args:
        low: scalar or array that broadcasts to the shape.
        high: as ``low``.
        shape: a sequence of ints.
        dtype: an integer dtype or ``bool_``.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: another dtype, a negative length, bounds that do not broadcast to the shape, not a
            key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.randint(0, 10, (4,), key=mx.random.key(0))
        array([9, 2, 6, 2], dtype=int32)
    """

def seed(seed: int) -> None:
    """Starts the calling thread's sequence of random keys anew.

    Args:
        seed: an int, 0 <= seed < 2**64.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.seed(0)
        >>> mx.random.uniform(shape=(2,))
        array([0.576551, 0.299172], dtype=float32)
    """

def split(
    key: array,
    num: int = 2,
    stream: _StreamOrDevice = None,
) -> array:
    """Makes ``num`` new keys, the rows of a ``uint32`` array of shape (num, 2), from one.

    Raises:
        ValueError: not a key, or ``num`` is negative.

    Example:
        >>> import nybble.core as mx
        >>> a, b = mx.random.split(mx.random.key(0))
        >>> a
        array([4146024105, 967050713], dtype=uint32)
    """

def truncated_normal(
    lower: _Operand,
    upper: _Operand,
    shape: _Ints | None = None,
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Numbers from the standard normal distribution cut off at ``lower`` and ``upper``.

    Args:
        lower: scalar or array that broadcasts to the shape.
        upper: as ``lower``.
        shape: a sequence of ints; that of the bounds by default.
        dtype: ``float32``, ``float16`` or ``bfloat16``.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: another dtype, a negative length, bounds that do not broadcast to the shape, not a
            key.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.random.truncated_normal(-2, 2, (100,))
        >>> bool(mx.all(mx.abs(x) <= 2))
        True
    """

def uniform(
    low: _Operand = 0,
    high: _Operand = 1,
    shape: _Ints = (),
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Evenly distributed numbers, low <= x < high (float16 and bfloat16 may round to ``high``).

    Args:
        low: scalar or array that broadcasts to the shape.
        high: as ``low``.
        shape: a sequence of ints.
        dtype: ``float32``, ``float16`` or ``bfloat16``.
        key: by default a new key of the calling thread.

    Raises:
        ValueError: another dtype, a negative length, bounds that do not broadcast to the shape, not a
            key.

    Example:
        >>> import nybble.core as mx
        >>> mx.random.uniform(shape=(2,), key=mx.random.key(1)).shape
        (2,)
    """
