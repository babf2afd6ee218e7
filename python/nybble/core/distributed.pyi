# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""MLX's interface to several processes, for a single one."""

from typing import Any

from nybble.core import Dtype, _Ints, _Operand, _StreamOrDevice, array


class Group:
    """A group of processes that work together: this one alone."""
    def rank(self) -> int:
        """The number of this process: 0."""
    def size(self) -> int:
        """The number of processes: 1."""
    def split(self, color: int, key: int = -1) -> Group:
        """Raises RuntimeError: one process cannot be split."""

def all_gather(
    x: _Operand,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """``x`` of all processes joined along the first axis: ``x`` itself, as there is one."""

def all_max(
    x: _Operand,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The maximum of ``x`` over all processes: ``x`` itself, as there is one."""

def all_min(
    x: _Operand,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The minimum of ``x`` over all processes: ``x`` itself, as there is one."""

def all_sum(
    x: _Operand,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """The sum of ``x`` over all processes: ``x`` itself, as there is one."""

def init(
    strict: bool = False,
    backend: str = 'any',
    *,
    all_gather_factory: Any = None,
) -> Group:
    """The group of all processes: this one.

    Args:
        strict: raise instead, as there is no communication backend.
        backend: accepted if MLX knows it.
    Raises:
        ValueError: an unknown backend.
        RuntimeError: ``strict``.

    Example:
        >>> import nybble.core as mx
        >>> mx.distributed.init().size()
        1
    """

def is_available(backend: str = 'any') -> bool:
    """False: there is no communication backend."""

def recv(
    shape: _Ints,
    dtype: Dtype,
    src: int,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Raises ValueError: there is no process to receive from."""

def recv_like(
    x: _Operand,
    src: int,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Raises ValueError: there is no process to receive from."""

def send(
    x: _Operand,
    dst: int,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Raises ValueError: there is no process to send to."""

def sum_scatter(
    x: _Operand,
    *,
    group: Group | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """This process's part of the sum of ``x`` over all processes: ``x`` itself, as there is one."""
