"""Linear layers of which each process of a group holds a part.

``"all-to-sharded"`` splits the outputs: each process computes some of them. ``"sharded-to-all"``
splits the inputs: each process has some, and the products are summed over the group. In a group of
one, which is what :func:`nybble.core.distributed.init` gives today, both are the whole layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import nybble.core as mx
from nybble.nn._init import inverse_sqrt, uniform_weight
from nybble.nn.linear import Linear
from nybble.nn.module import Module
from nybble.nn.quantized import _QuantizedModule
from nybble.utils import tree_map_with_path

__all__ = [
    "AllToShardedLinear",
    "QuantizedAllToShardedLinear",
    "QuantizedShardedToAllLinear",
    "ShardedToAllLinear",
    "fully_shard",
    "shard_inplace",
    "shard_linear",
    "sum_gradients",
]

Segments = int | Sequence[int] | Sequence[float]
# From the dotted name of a parameter and its value to the axis to split (None: keep it whole), or
# to the axis and the segments.
Predicate = Callable[[str, mx.array], Any]


def sum_gradients(group: Any) -> Callable[[mx.array], mx.array]:
    """The identity, whose gradients are to be summed over the group.

    Example:
        >>> import nybble.core as mx
        >>> sum_gradients(mx.distributed.init())(3)
        3
    """
    return lambda x: x


def _outputs(segments: Segments) -> Predicate:
    def predicate(path: str, weight: mx.array) -> Any:
        return (-1 if path.endswith("bias") else max(weight.ndim - 2, 0)), segments

    return predicate


def _inputs(segments: Segments) -> Predicate:
    def predicate(path: str, weight: mx.array) -> Any:
        return None if path.endswith("bias") else (-1, segments)

    return predicate


_PREDICATES = {"all-to-sharded": _outputs, "sharded-to-all": _inputs}


def _check_sharding(op: str, sharding: str) -> None:
    if sharding not in _PREDICATES:
        raise ValueError(
            f"[{op}] sharding is {sharding!r}, expected {' or '.join(map(repr, _PREDICATES))}."
        )


def _split(weight: mx.array, segments: Segments, axis: int) -> list[mx.array]:
    """Split into equal parts, at indices, or at fractions of the axis."""
    if isinstance(segments, int):
        return mx.split(weight, segments, axis=axis)
    length = weight.shape[axis]
    fractions = not isinstance(segments[0], int)
    indices = [int(s * length) if fractions else int(s) for s in segments]
    return mx.split(weight, indices, axis=axis)


def _sharded(parameters: Any, predicate: Predicate, group: Any) -> Any:
    """The part of this process: of each segment of each array, the one of its rank."""
    size, rank = group.size(), group.rank()

    def part(path: str, weight: Any) -> Any:
        choice = predicate(path, weight) if isinstance(weight, mx.array) else None
        if choice is None:
            return weight
        if isinstance(choice, int):
            choice = (choice, 1)
        if not isinstance(choice, tuple) or len(choice) != 2:
            raise ValueError(
                f"[shard_inplace] sharding returned {choice!r} for {path}, expected None, an axis, "
                "or an axis and segments."
            )
        axis, segments = choice
        parts = [mx.split(s, size, axis=axis)[rank] for s in _split(weight, segments, axis)]
        # Nothing to join leaves the array itself, which nobody then copies.
        return weight if size == 1 else mx.contiguous(mx.concatenate(parts, axis=axis))

    return tree_map_with_path(part, parameters)


def shard_inplace(
    module: Module,
    sharding: str | Predicate,
    *,
    segments: Segments = 1,
    group: Any = None,
) -> None:
    """Replace the parameters of a module by the parts of this process.

    Args:
        module: the module; it must do the communication itself.
        sharding: ``"all-to-sharded"``, ``"sharded-to-all"``, or a function from the dotted name
            and the value of a parameter to the axis to split, to the axis and segments, or to None
            for what stays whole.
        segments: into how many parts (or at which indices or fractions) the axis is cut before
            each of them is split, such as 3 for joined queries, keys and values.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.

    Raises:
        ValueError: ``sharding`` is unknown, or an axis cannot be split so.

    Example:
        >>> import nybble.nn as nn
        >>> layer = nn.Linear(4, 6)
        >>> nn.layers.distributed.shard_inplace(layer, "all-to-sharded", segments=3)
        >>> layer
        Linear(input_dims=4, output_dims=6, bias=True)
    """
    if isinstance(sharding, str):
        _check_sharding("shard_inplace", sharding)
        sharding = _PREDICATES[sharding](segments)
    module.update(_sharded(module.parameters(), sharding, group or mx.distributed.init()))


def shard_linear(
    module: Module, sharding: str, *, segments: Segments = 1, group: Any = None
) -> Module:
    """The part of this process of a linear layer, as a new layer that communicates.

    Args:
        module: a :class:`Linear` or :class:`QuantizedLinear`, which stays as it is.
        sharding: ``"all-to-sharded"`` or ``"sharded-to-all"``.
        segments: see :func:`shard_inplace`.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.

    Raises:
        ValueError: ``sharding`` is unknown, or the layer cannot be split so.

    Example:
        >>> import nybble.nn as nn
        >>> nn.layers.distributed.shard_linear(nn.Linear(4, 6), "sharded-to-all")
        ShardedToAllLinear(input_dims=4, output_dims=6, bias=True)
    """
    _check_sharding("shard_linear", sharding)
    outputs = sharding == "all-to-sharded"
    if isinstance(module, Linear):
        dense = AllToShardedLinear if outputs else ShardedToAllLinear
        return dense.from_linear(module, segments=segments, group=group)
    quantized = QuantizedAllToShardedLinear if outputs else QuantizedShardedToAllLinear
    return quantized.from_quantized_linear(module, segments=segments, group=group)


def fully_shard(
    module: Module, *, group: Any = None, compute_dtype: mx.Dtype | None = None
) -> Module:
    """The module itself: a group of one holds all of its parameters.

    Args:
        module: any module.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.
        compute_dtype: accepted, and without effect in a group of one.

    Raises:
        ValueError: the group has more than one process.

    Example:
        >>> import nybble.nn as nn
        >>> nn.fully_shard(nn.Linear(4, 6))
        Linear(input_dims=4, output_dims=6, bias=True)
    """
    size = (group or mx.distributed.init()).size()
    if size != 1:
        raise ValueError(
            f"[fully_shard] the group has {size} processes, expected one. shard_linear splits "
            "layers over more."
        )
    return module


def _share(layer: str, name: str, dims: int, group: Any) -> int:
    size: int = group.size()
    if dims % size != 0:
        raise ValueError(
            f"[{layer}] {name} is {dims}, expected a multiple of the {size} processes of the group."
        )
    return dims // size


class _ShardedLinear(Module):
    """The part of a :class:`Linear` of this process."""

    _split_outputs: bool

    def __init__(
        self, input_dims: int, output_dims: int, bias: bool = True, group: Any = None
    ) -> None:
        super().__init__()
        self.group = group or mx.distributed.init()
        kind = type(self).__name__
        bound = inverse_sqrt(kind, "input_dims", input_dims)
        if self._split_outputs:
            output_dims = _share(kind, "output_dims", output_dims, self.group)
            columns = input_dims
        else:
            columns = _share(kind, "input_dims", input_dims, self.group)
        self.weight = mx.random.uniform(low=-bound, high=bound, shape=(output_dims, columns))
        if bias:
            self.bias = mx.random.uniform(low=-bound, high=bound, shape=(output_dims,))

    def _extra_repr(self) -> str:
        rows, columns = self.weight.shape
        size = self.group.size()
        rows, columns = (rows * size, columns) if self._split_outputs else (rows, columns * size)
        return f"input_dims={columns}, output_dims={rows}, bias={'bias' in self}"

    @classmethod
    def from_linear(
        cls, linear_layer: Module, *, segments: Segments = 1, group: Any = None
    ) -> Self:
        """The part of this process of a layer; see :func:`shard_linear`."""
        group = group or mx.distributed.init()
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, "bias" in linear_layer, group)
        predicate = (_outputs if cls._split_outputs else _inputs)(segments)
        return layer.update(_sharded(linear_layer.parameters(), predicate, group))


class AllToShardedLinear(_ShardedLinear):
    """A :class:`Linear` of which each process computes some outputs.

    Args:
        input_dims: the last dimension of the input, at least 1.
        output_dims: the outputs of all processes, a multiple of their number.
        bias: whether to add a bias.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.

    Raises:
        ValueError: ``input_dims`` is less than 1, or ``output_dims`` no such multiple.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.AllToShardedLinear(4, 6)(mx.zeros((2, 4))).shape
        (2, 6)
    """

    _split_outputs = True

    def __call__(self, x: mx.array) -> mx.array:
        x = sum_gradients(self.group)(x)
        if "bias" in self:
            return mx.addmm(self["bias"], x, self["weight"].T)
        return x @ self["weight"].T


class ShardedToAllLinear(_ShardedLinear):
    """A :class:`Linear` of which each process has some inputs, and all get the sum.

    Args:
        input_dims: the inputs of all processes, at least 1, a multiple of their number.
        output_dims: the last dimension of the output.
        bias: whether to add a bias.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.

    Raises:
        ValueError: ``input_dims`` is less than 1 or no such multiple.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.ShardedToAllLinear(4, 6)(mx.zeros((2, 4))).shape
        (2, 6)
    """

    _split_outputs = False

    def __call__(self, x: mx.array) -> mx.array:
        y = mx.distributed.all_sum(x @ self["weight"].T, group=self.group)
        return y + self["bias"] if "bias" in self else y


class _QuantizedShardedLinear(_QuantizedModule):
    """The part of a :class:`QuantizedLinear` of this process."""

    _split_outputs: bool

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int | None = 64,
        bits: int | None = 4,
        mode: str = "affine",
        group: Any = None,
    ) -> None:
        super().__init__(group_size, bits, mode)
        self.group = group or mx.distributed.init()
        kind = type(self).__name__
        if self._split_outputs:
            output_dims = _share(kind, "output_dims", output_dims, self.group)
            weight = uniform_weight(kind, output_dims, input_dims)
        else:
            columns = _share(kind, "input_dims", input_dims, self.group)
            bound = inverse_sqrt(kind, "input_dims", input_dims)
            weight = mx.random.uniform(low=-bound, high=bound, shape=(output_dims, columns))
        self._set_matrix(weight, None, None)
        if bias:
            self.bias = mx.zeros((output_dims,))

    def _extra_repr(self) -> str:
        rows, words = self.weight.shape
        columns, size = words * 32 // self.bits, self.group.size()
        rows, columns = (rows * size, columns) if self._split_outputs else (rows, columns * size)
        return (
            f"input_dims={columns}, output_dims={rows}, bias={'bias' in self}, "
            f"{self._quantization_repr()}"
        )

    @classmethod
    def from_quantized_linear(
        cls, quantized_linear_layer: Module, *, segments: Segments = 1, group: Any = None
    ) -> Self:
        """The part of this process of a layer; see :func:`shard_linear`."""
        source = quantized_linear_layer
        group = group or mx.distributed.init()
        output_dims, words = source.weight.shape
        layer = cls(
            words * 32 // source.bits,
            output_dims,
            "bias" in source,
            source.group_size,
            source.bits,
            getattr(source, "mode", "affine"),
            group,
        )
        predicate = (_outputs if cls._split_outputs else _inputs)(segments)
        return layer.update(_sharded(source.parameters(), predicate, group))


class QuantizedAllToShardedLinear(_QuantizedShardedLinear):
    """A :class:`QuantizedLinear` of which each process computes some outputs.

    Its parameters are frozen, as in every quantized layer.

    Args:
        input_dims: the last dimension of the input, a multiple of ``group_size``.
        output_dims: the outputs of all processes, a multiple of their number.
        bias: whether to add a bias.
        group_size: see :func:`nybble.core.quantize`.
        bits: see :func:`nybble.core.quantize`.
        mode: see :func:`nybble.core.quantize`.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.

    Raises:
        ValueError: ``output_dims`` is no such multiple, or such a matrix cannot be quantized so.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.QuantizedAllToShardedLinear(64, 6)(mx.zeros((2, 64))).shape
        (2, 6)
    """

    _split_outputs = True

    def __call__(self, x: mx.array) -> mx.array:
        y = self._matmul(sum_gradients(self.group)(x))
        return y + self["bias"] if "bias" in self else y


class QuantizedShardedToAllLinear(_QuantizedShardedLinear):
    """A :class:`QuantizedLinear` of which each process has some inputs, and all get the sum.

    Its parameters are frozen, as in every quantized layer.

    Args:
        input_dims: the inputs of all processes, a multiple of ``group_size`` times their number.
        output_dims: the last dimension of the output.
        bias: whether to add a bias.
        group_size: see :func:`nybble.core.quantize`.
        bits: see :func:`nybble.core.quantize`.
        mode: see :func:`nybble.core.quantize`.
        group: a :class:`nybble.core.distributed.Group`; None means the global group.

    Raises:
        ValueError: ``input_dims`` is no such multiple, or such a matrix cannot be quantized so.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> nn.QuantizedShardedToAllLinear(64, 6)(mx.zeros((2, 64))).shape
        (2, 6)
    """

    _split_outputs = False

    def __call__(self, x: mx.array) -> mx.array:
        y = mx.distributed.all_sum(self._matmul(x), group=self.group)
        return y + self["bias"] if "bias" in self else y
