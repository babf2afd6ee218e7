"""Layers whose weight is packed codes, and the quantization of whole models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import nybble.core as mx
from nybble.nn._init import normal_weight, uniform_weight
from nybble.nn.module import Module
from nybble.utils import tree_map_with_path

__all__ = ["QQLinear", "QuantizedEmbedding", "QuantizedLinear", "quantize"]

ClassPredicate = Callable[[str, Module], "bool | dict[str, Any] | None"]

# `quantize` passes these on only where they differ, so that a layer whose `to_quantized` knows
# nothing but group_size and bits works.
_OPTIONAL_DEFAULTS = {"mode": "affine", "quantize_input": False, "fit": None, "importance": None}


def quantize(
    model: Module,
    group_size: int | None = None,
    bits: int | None = None,
    class_predicate: ClassPredicate | None = None,
    *,
    mode: str = "affine",
    quantize_input: bool = False,
    fit: str | None = None,
    importance: mx.array | None = None,
) -> None:
    """Replace the leaf modules of a model by their ``to_quantized(...)``, in place.

    Args:
        model: the model. A model that is itself one layer has no leaf modules and stays as it is.
        group_size: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        bits: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        class_predicate: called as ``class_predicate(path, module)`` on each leaf module. True
            quantizes it with the arguments of this call; a dict quantizes it with the arguments
            in the dict and no others; False, None and ``{}`` leave it. Without a predicate, all
            leaf modules with a method ``to_quantized`` are quantized.
        mode: see :func:`nybble.core.quantize`.
        quantize_input: also quantize what goes into the layers, where they can do that.
        fit: see :func:`nybble.core.quantize`.
        importance: see :func:`nybble.core.quantize`; for all layers, which then have rows of the
            same length. A predicate can give each layer its own.

    ``mode``, ``quantize_input``, ``fit`` and ``importance`` are passed to ``to_quantized`` only
    when they differ from their defaults, so a layer may define just
    ``to_quantized(group_size, bits)``.

    Raises:
        ValueError: a layer cannot be quantized so, has no ``to_quantized``, or the predicate
            returned something else. The model is unchanged then.

    Example:
        >>> import nybble.nn as nn
        >>> model = nn.Sequential(nn.Embedding(10, 64), nn.Linear(64, 64), nn.Linear(64, 2))
        >>> def choose(path, module):
        ...     return {"bits": 8} if path == "layers.2" else isinstance(module, nn.Linear)
        >>> nn.quantize(model, group_size=32, bits=4, class_predicate=choose)
        >>> [(type(layer).__name__, layer.get("scales") is not None) for layer in model.layers]
        [('Embedding', False), ('QuantizedLinear', True), ('QuantizedLinear', True)]
        >>> [(layer.group_size, layer.bits) for layer in model.layers[1:]]
        [(32, 4), (64, 8)]
    """
    if not isinstance(model, Module):
        raise TypeError(f"[nn.quantize] model is a {type(model).__name__}, expected a Module.")
    options = {
        "mode": mode,
        "quantize_input": quantize_input,
        "fit": fit,
        "importance": importance,
    }
    default_arguments = {"group_size": group_size, "bits": bits, **options}

    def replacement(path: str, module: Module) -> Module:
        if class_predicate is None:
            choice: Any = hasattr(module, "to_quantized")
        else:
            choice = class_predicate(path, module)
        if not choice:
            return module
        arguments = default_arguments if choice is True else choice
        return _quantized(path, module, arguments)

    leaves = model.leaf_modules()
    model.update_modules(tree_map_with_path(replacement, leaves, is_leaf=Module.is_module))


def _quantized(path: str, module: Module, arguments: Any) -> Module:
    kind = type(module).__name__
    if not isinstance(arguments, dict):
        raise ValueError(
            f"[nn.quantize] class_predicate returned {arguments!r} for {path} ({kind}), expected "
            "a bool or a dict of arguments for to_quantized."
        )
    if not hasattr(module, "to_quantized"):
        raise ValueError(
            f"[nn.quantize] class_predicate chose {path} ({kind}), which has no method "
            "to_quantized. Return False for it."
        )
    needed = {
        name: value
        for name, value in arguments.items()
        if name not in _OPTIONAL_DEFAULTS
        or isinstance(value, mx.array)  # == would compare its elements
        or value != _OPTIONAL_DEFAULTS[name]
    }
    try:
        layer = module.to_quantized(**needed)
    except ValueError as error:
        raise ValueError(f"[nn.quantize] {path} ({kind}): {error}") from error
    if not isinstance(layer, Module):
        raise ValueError(
            f"[nn.quantize] to_quantized of {path} ({kind}) returned a {type(layer).__name__}, "
            "expected a Module."
        )
    return layer


class _QuantizedModule(Module):
    """A module with a quantized matrix: ``weight`` (codes), ``scales`` and, if affine, ``biases``.

    These and ``bias`` are frozen, however they were set; see :meth:`Module.unfreeze`.
    """

    _frozen_names = frozenset({"weight", "scales", "biases", "bias"})

    def __init__(self, group_size: int | None, bits: int | None, mode: str) -> None:
        super().__init__()
        self._no_grad.update(self._frozen_names)
        default_group_size, default_bits = mx.quantization_defaults(mode)
        self.group_size = default_group_size if group_size is None else group_size
        self.bits = default_bits if bits is None else bits
        self.mode = mode

    def _set_matrix(self, weight: mx.array, fit: str | None, importance: mx.array | None) -> None:
        """Quantize a ``[rows, columns]`` matrix and keep the result."""
        self.weight, self.scales, *biases = mx.quantize(
            weight, self.group_size, self.bits, self.mode, fit=fit, importance=importance
        )
        self.biases = biases[0] if biases else None

    def _matmul(self, x: mx.array) -> mx.array:
        """``x @ dequantized.T``."""
        # By position, as keywords would cost more than the whole call for a small layer.
        return mx.quantized_matmul(
            x,
            self["weight"],
            self["scales"],
            self.get("biases"),
            True,
            self.group_size,
            self.bits,
            self.mode,
        )

    def _quantization_repr(self) -> str:
        return f"group_size={self.group_size}, bits={self.bits}, mode={self.mode}"


class QuantizedLinear(_QuantizedModule):
    """``x @ dequantize(weight).T + bias``, computed on the packed weight.

    ``weight`` is uint32 ``[output_dims, input_dims * bits / 32]``; ``scales`` and, in affine mode,
    ``biases`` are ``[output_dims, input_dims / group_size]``; ``bias`` is ``[output_dims]``. All of
    them are frozen; only ``unfreeze(keys=...)`` with their names makes them trainable.

    The weight begins as a quantized random matrix, drawn like that of :class:`Linear`, and the
    bias as zeros.

    Args:
        input_dims: the last dimension of the input, a multiple of ``group_size``.
        output_dims: the last dimension of the output.
        bias: whether to add a bias.
        group_size: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        bits: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        mode: see :func:`nybble.core.quantize`.
        fit: see :func:`nybble.core.quantize`.
        importance: see :func:`nybble.core.quantize`.

    Raises:
        ValueError: such a matrix cannot be quantized so, or ``mode`` is unknown.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.QuantizedLinear(128, 8, group_size=32, bits=5)
        >>> layer(mx.ones((3, 128))).shape
        (3, 8)
        >>> layer.weight.shape, layer.scales.shape
        ((8, 20), (8, 4))
        >>> layer.trainable_parameters()
        {}
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        *,
        fit: str | None = None,
        importance: mx.array | None = None,
    ) -> None:
        super().__init__(group_size, bits, mode)
        weight = uniform_weight(type(self).__name__, output_dims, input_dims)
        self._set_matrix(weight, fit, importance)
        if bias:
            self.bias = mx.zeros((output_dims,))

    def _extra_repr(self) -> str:
        output_dims, words = self.weight.shape
        return (
            f"input_dims={words * 32 // self.bits}, output_dims={output_dims}, "
            f"bias={'bias' in self}, {self._quantization_repr()}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        y = self._matmul(x)
        return y + self["bias"] if "bias" in self else y

    @classmethod
    def from_linear(
        cls,
        linear_layer: Module,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        *,
        fit: str | None = None,
        importance: mx.array | None = None,
    ) -> Self:
        """Quantize a layer with a ``weight`` and possibly a ``bias``, which is shared, not copied.

        Takes one draw from the random state, as MLX does, so that seeded programs go on alike.
        """
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, False, group_size, bits, mode)
        layer._set_matrix(linear_layer.weight, fit, importance)
        if "bias" in linear_layer:
            layer.bias = linear_layer.bias
        return layer


class QuantizedEmbedding(_QuantizedModule):
    """``dequantize(weight)[x]``, dequantizing only the rows asked for.

    ``weight`` is uint32 ``[num_embeddings, dims * bits / 32]``; ``scales`` and, in affine mode,
    ``biases`` are ``[num_embeddings, dims / group_size]``. All of them are frozen; only
    ``unfreeze(keys=...)`` with their names makes them trainable.

    The weight begins as a quantized random matrix, drawn like that of :class:`Embedding`.

    Args:
        num_embeddings: the number of rows.
        dims: the length of a row, a multiple of ``group_size``.
        group_size: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        bits: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        mode: see :func:`nybble.core.quantize`.
        fit: see :func:`nybble.core.quantize`.
        importance: see :func:`nybble.core.quantize`.

    Raises:
        ValueError: such a matrix cannot be quantized so, or ``mode`` is unknown.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> table = nn.QuantizedEmbedding(100, 64, bits=8)
        >>> rows = table(mx.array([3, 1, 4]))
        >>> rows.shape, table.as_linear(rows).shape
        ((3, 64), (3, 100))
    """

    def __init__(
        self,
        num_embeddings: int,
        dims: int,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        *,
        fit: str | None = None,
        importance: mx.array | None = None,
    ) -> None:
        super().__init__(group_size, bits, mode)
        weight = normal_weight(type(self).__name__, num_embeddings, dims)
        self._set_matrix(weight, fit, importance)
        self.num_embeddings = num_embeddings
        self.dims = dims

    def _extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.dims}, {self._quantization_repr()}"

    def __call__(self, x: mx.array) -> mx.array:
        # One index without a dimension gives one row, and dequantize takes matrices.
        x = mx.asarray(x)
        index = x[None] if x.ndim == 0 else x
        biases = self.get("biases")
        rows = mx.dequantize(
            self["weight"][index],
            self["scales"][index],
            None if biases is None else biases[index],
            self.group_size,
            self.bits,
            self.mode,
        )
        return rows if index is x else rows[0]

    def as_linear(self, x: mx.array) -> mx.array:
        """``x @ dequantize(weight).T``, for models whose output layer shares the weight."""
        return self._matmul(x)

    @classmethod
    def from_embedding(
        cls,
        embedding_layer: Module,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        *,
        fit: str | None = None,
        importance: mx.array | None = None,
    ) -> Self:
        """Quantize a layer with a ``weight``.

        Takes one draw from the random state, as MLX does, so that seeded programs go on alike.
        """
        num_embeddings, dims = embedding_layer.weight.shape
        layer = cls(num_embeddings, dims, group_size, bits, mode)
        layer._set_matrix(embedding_layer.weight, fit, importance)
        return layer


class QQLinear(Module):
    """``quantized(x) @ dequantize(weight).T``: what goes in is quantized, too. There is no bias.

    While the layer is training, ``weight`` is ``[output_dims, input_dims]`` as drawn, and quantized
    at every call; ``eval()`` turns it into codes and ``scales``, ``train()`` back.

    Args:
        input_dims: the last dimension of the input, a multiple of ``group_size``.
        output_dims: the last dimension of the output.
        group_size: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        bits: see :func:`nybble.core.quantize`; None means the default of ``mode``.
        mode: ``"nvfp4"``, ``"mxfp8"`` or ``"mxfp4"``.

    Raises:
        ValueError: ``mode`` is unknown, or ``input_dims`` is less than 1.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> layer = nn.QQLinear(64, 8).eval()
        >>> layer
        QQLinear(input_dims=64, output_dims=8, group_size=16, bits=4, mode=nvfp4)
        >>> layer(mx.ones((3, 64))).shape
        (3, 8)
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "nvfp4",
    ) -> None:
        super().__init__()
        default_group_size, default_bits = mx.quantization_defaults(mode)
        self.group_size = default_group_size if group_size is None else group_size
        self.bits = default_bits if bits is None else bits
        self.mode = mode
        self.weight = uniform_weight(type(self).__name__, output_dims, input_dims)
        self._quantized = False

    def _extra_repr(self) -> str:
        output_dims, columns = self.weight.shape
        input_dims = columns * 32 // self.bits if self.weight.dtype == mx.uint32 else columns
        return (
            f"input_dims={input_dims}, output_dims={output_dims}, group_size={self.group_size}, "
            f"bits={self.bits}, mode={self.mode}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        return mx.qqmm(x, self["weight"], self.get("scales"), self.group_size, self.bits, self.mode)

    def quantize(self) -> None:
        """Turn ``weight`` into codes and ``scales``, unless it is codes already."""
        if not self._quantized:
            self.weight, self.scales = mx.quantize(
                self.weight, self.group_size, self.bits, self.mode
            )
            self._quantized = True

    def dequantize(self) -> None:
        """Turn codes and ``scales`` back into a ``weight`` of numbers."""
        if self._quantized:
            self.weight = mx.dequantize(
                self.weight, self.scales, None, self.group_size, self.bits, self.mode
            )
            del self["scales"]
            self._quantized = False

    def _set_training_mode(self, mode: bool) -> None:
        super()._set_training_mode(mode)
        if mode:
            self.dequantize()
        else:
            self.quantize()

    @classmethod
    def from_linear(
        cls,
        linear_layer: Module,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "nvfp4",
    ) -> Self:
        """The same layer with its input quantized; takes one draw from the random state, as in MLX.

        Raises:
            NotImplementedError: the layer has a bias.
        """
        if linear_layer.get("bias") is not None:
            raise NotImplementedError(
                f"[{cls.__name__}.from_linear] the layer has a bias, which is not supported."
            )
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, group_size, bits, mode)
        layer.weight = linear_layer.weight
        layer.train(linear_layer.training)
        return layer
