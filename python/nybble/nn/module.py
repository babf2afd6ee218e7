"""The base class of layers and models."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self

import nybble.core as mx
from nybble.nn import _places
from nybble.utils import tree_flatten

__all__ = ["Module"]

Filter = Callable[["Module", str, Any], bool]


def _is_floating(dtype: Any) -> bool:
    return bool(mx.issubdtype(dtype, mx.floating))


class Module(dict[str, Any]):
    """A container of arrays and other modules, and the function they compute.

    A subclass calls ``super().__init__()``, then sets its arrays and submodules as attributes, and
    defines ``__call__``. Attributes that are arrays, modules, dicts, lists or tuples live in the
    dict that the module is (``module["weight"]`` is ``module.weight``); all others are plain
    attributes. Setting None removes an entry.

    Parameters are the arrays found in the module, its submodules, and lists and dicts of these, at
    any depth. Names that begin with an underscore are not parameters, and tuples are not searched.

    Example:
        >>> import nybble.core as mx
        >>> import nybble.nn as nn
        >>> class Classifier(nn.Module):
        ...     def __init__(self, dims, classes):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(dims, dims)
        ...         self.output = nn.Linear(dims, classes, bias=False)
        ...
        ...     def __call__(self, x):
        ...         return self.output(nn.relu(self.hidden(x)))
        >>> model = Classifier(8, 3)
        >>> model(mx.zeros((2, 8))).shape
        (2, 3)
        >>> model
        Classifier(
          (hidden): Linear(input_dims=8, output_dims=8, bias=True)
          (output): Linear(input_dims=8, output_dims=3, bias=False)
        )
    """

    __call__: Callable[..., Any]

    # Names of own parameters that `unfreeze()` leaves as they are unless `keys` names them.
    _frozen_names: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self._no_grad: set[str] = set()
        self._training = True

    def __getattr__(self, key: str) -> Any:
        # Only reached when ordinary lookup failed, so the last line raises, with Python's own text.
        value = self.get(key)
        return value if value is not None else super().__getattribute__(key)

    def __setattr__(self, key: str, value: Any) -> None:
        if not isinstance(value, (mx.array, dict, list, tuple)):
            super().__setattr__(key, value)
            self.pop(key, None)
            return
        if key not in self and hasattr(type(self), key):
            raise AttributeError(
                f"[{type(self).__name__}] cannot store a {type(value).__name__} as {key!r}: the "
                "class defines this name and would hide it. Choose another name."
            )
        # So would a plain attribute from an earlier assignment.
        vars(self).pop(key, None)
        self[key] = value

    def __delattr__(self, key: str) -> None:
        if key in self:
            del self[key]
        else:
            super().__delattr__(key)

    @property
    def training(self) -> bool:
        """Whether the module is in training mode, see :meth:`train`."""
        return self._training

    @property
    def state(self) -> Self:
        """The module itself, as the dict of everything stored in it."""
        return self

    def _extra_repr(self) -> str:
        """What ``repr`` shows in the parentheses after the class name."""
        return ""

    def __repr__(self) -> str:
        text = f"{type(self).__name__}({self._extra_repr()}"
        children = tree_flatten(self.children(), is_leaf=Module.is_module)
        for name, child in children:
            text += "\n" + textwrap.indent(f"({name}): {child!r}", "  ")
        return text + ("\n)" if children else ")")

    @staticmethod
    def is_module(value: Any) -> bool:
        """Whether ``value`` is a module."""
        return isinstance(value, Module)

    @staticmethod
    def valid_child_filter(module: Module, key: str, value: Any) -> bool:
        """Whether an entry is a submodule or a container that may hold some."""
        return isinstance(value, (dict, list))

    @staticmethod
    def valid_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """Whether an entry is a parameter or a container that may hold some."""
        return isinstance(value, (dict, list, mx.array)) and not key.startswith("_")

    @staticmethod
    def trainable_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """Like :meth:`valid_parameter_filter`, without what is frozen."""
        return Module.valid_parameter_filter(module, key, value) and key not in module._no_grad

    def filter_and_map(
        self,
        filter_fn: Filter,
        map_fn: Callable[[Any], Any] | None = None,
        is_leaf_fn: Filter | None = None,
    ) -> dict[str, Any]:
        """Select entries at all depths, and map them, into nested dicts and lists.

        Args:
            filter_fn: called as ``filter_fn(module, key, value)``, true for what is kept. ``key``
                is a dotted name for entries of lists and dicts in a module (``"layers.0"``).
                Dropped entries of lists and dicts leave ``{}`` in their place.
            map_fn: called on every leaf; None keeps the leaf.
            is_leaf_fn: called like ``filter_fn``, true where the search ends. None ends it at
                everything but modules, dicts and lists.

        Raises:
            RuntimeError: an entry is neither a leaf nor a container.

        Example:
            >>> import nybble.nn as nn
            >>> layer = nn.Linear(4, 2)
            >>> layer.filter_and_map(lambda module, key, value: key == "bias", lambda x: x.shape)
            {'bias': (2,)}
        """

        rules = _Rules(filter_fn, map_fn or (lambda leaf: leaf), is_leaf_fn or _is_no_container)
        return {k: _selected(self, k, v, rules) for k, v in self.items() if filter_fn(self, k, v)}

    def parameters(self) -> dict[str, Any]:
        """All parameters, in nested dicts and lists.

        Example:
            >>> import nybble.nn as nn
            >>> sorted(nn.Linear(4, 2).parameters())
            ['bias', 'weight']
        """
        return self.filter_and_map(self.valid_parameter_filter)

    def trainable_parameters(self) -> dict[str, Any]:
        """The parameters that are not frozen, in nested dicts and lists."""
        return self.filter_and_map(self.trainable_parameter_filter)

    def children(self) -> dict[str, Any]:
        """The direct submodules, in nested dicts and lists."""
        return self.filter_and_map(
            self.valid_child_filter, is_leaf_fn=lambda module, key, value: self.is_module(value)
        )

    def leaf_modules(self) -> dict[str, Any]:
        """The innermost submodules, in nested dicts and lists.

        A module whose submodules are all empty, such as activations, counts as innermost.
        """

        def is_innermost(module: Module, key: str, value: Any) -> bool:
            return isinstance(value, Module) and not tree_flatten(value.children())

        return self.filter_and_map(self.valid_child_filter, is_leaf_fn=is_innermost)

    def modules(self) -> list[Module]:
        """The module and all its submodules, in the order of :meth:`named_modules`."""
        return [module for _, module in self.named_modules()]

    def named_modules(self) -> list[tuple[str, Module]]:
        """Pairs of dotted name and module: this module (``""``), then all others, last child first.

        Example:
            >>> import nybble.nn as nn
            >>> [name for name, _ in nn.Sequential(nn.ReLU(), nn.Tanh()).named_modules()]
            ['', 'layers.1', 'layers.0']
        """
        found: list[tuple[str, Module]] = []
        self.apply_to_modules(lambda name, module: found.append((name, module)))
        return found

    def update(self, parameters: dict[str, Any], strict: bool = True) -> Self:  # type: ignore[override]
        """Replace parameters by those of a tree. An error changes nothing.

        Args:
            parameters: nested like :meth:`parameters`, and may lack any part of it; ``{}`` stands
                for a part that stays. Shapes and dtypes are not compared.
            strict: if False, what has no place in the module is skipped.

        Returns:
            The module.

        Raises:
            ValueError: ``strict``, and a name, an index or a type does not fit.

        Example:
            >>> import nybble.core as mx
            >>> import nybble.nn as nn
            >>> layer = nn.Linear(2, 3).update({"bias": mx.ones((3,))})
            >>> layer.bias.tolist()
            [1.0, 1.0, 1.0]
        """
        op = f"{type(self).__name__}.update"
        _places.write(_places.matched(op, self, parameters, mx.array, strict))
        return self

    def update_modules(self, modules: dict[str, Any], strict: bool = True) -> Self:
        """Replace submodules by those of a tree. An error changes nothing.

        Args:
            modules: nested like :meth:`children` or :meth:`leaf_modules`, and may lack any part
                of it; ``{}`` stands for a part that stays.
            strict: if False, what has no place in the module is skipped.

        Returns:
            The module.

        Raises:
            ValueError: ``strict``, and a name, an index or a type does not fit.

        Example:
            >>> import nybble.nn as nn
            >>> nn.Sequential(nn.ReLU(), nn.Tanh()).update_modules({"layers": [{}, nn.SiLU()]})
            Sequential(
              (layers.0): ReLU()
              (layers.1): SiLU()
            )
        """
        op = f"{type(self).__name__}.update_modules"
        _places.write(_places.matched(op, self, modules, Module, strict))
        return self

    def apply(
        self, map_fn: Callable[[mx.array], mx.array], filter_fn: Filter | None = None
    ) -> Self:
        """Replace every parameter by ``map_fn(parameter)``. An error changes nothing.

        Args:
            map_fn: from an array to an array.
            filter_fn: what to map, see :meth:`filter_and_map`; None means all parameters.

        Returns:
            The module.

        Raises:
            ValueError: ``map_fn`` returned something else than an array.
        """
        return self.update(self.filter_and_map(filter_fn or Module.valid_parameter_filter, map_fn))

    def apply_to_modules(self, apply_fn: Callable[[str, Module], Any]) -> Self:
        """Call ``apply_fn(name, module)`` in the order of :meth:`named_modules`.

        The submodules of a module are looked up after ``apply_fn`` was called on it.

        Returns:
            The module.
        """
        pending: list[tuple[str, Module]] = [("", self)]
        while pending:
            name, module = pending.pop()
            apply_fn(name, module)
            prefix = f".{name}" if name else ""
            tree_flatten(module.children(), prefix, Module.is_module, pending)
        return self

    def set_dtype(self, dtype: Any, predicate: Callable[[Any], bool] | None = _is_floating) -> None:
        """Cast parameters.

        Args:
            dtype: the new dtype.
            predicate: called with the dtype of a parameter, true for those to cast. Default: the
                floating ones, which leaves packed codes alone. None means all.

        Example:
            >>> import nybble.core as mx
            >>> import nybble.nn as nn
            >>> layer = nn.Linear(2, 3)
            >>> layer.set_dtype(mx.float16)
            >>> layer.weight.dtype == mx.float16
            True
        """
        self.apply(lambda x: x.astype(dtype) if predicate is None or predicate(x.dtype) else x)

    def freeze(
        self,
        *,
        recurse: bool = True,
        keys: str | Iterable[str] | None = None,
        strict: bool = False,
    ) -> Self:
        """Take parameters out of :meth:`trainable_parameters`.

        Args:
            recurse: also in all submodules.
            keys: the names in each module to freeze, such as ``"bias"``; None means all.
            strict: check that each of ``keys`` exists.

        Returns:
            The module.

        Raises:
            KeyError: ``strict``, and a key exists in none of the modules concerned.

        Example:
            >>> import nybble.nn as nn
            >>> sorted(nn.Linear(4, 2).freeze(keys="weight").trainable_parameters())
            ['bias']
        """
        names = self._checked_keys("freeze", keys, recurse, strict)

        def freeze_own(_: str, module: Module) -> None:
            module._no_grad.update(module._own_parameter_names() if names is None else names)

        return self._visit(freeze_own, recurse)

    def unfreeze(
        self,
        *,
        recurse: bool = True,
        keys: str | Iterable[str] | None = None,
        strict: bool = False,
    ) -> Self:
        """Undo :meth:`freeze`, with the same arguments.

        Without ``keys``, the weight, scales, biases and bias of quantized layers stay frozen.

        Example:
            >>> import nybble.nn as nn
            >>> layer = nn.QuantizedLinear(64, 8)
            >>> sorted(layer.unfreeze().trainable_parameters())
            []
            >>> sorted(layer.unfreeze(keys=["bias"]).trainable_parameters())
            ['bias']
        """
        names = self._checked_keys("unfreeze", keys, recurse, strict)

        def unfreeze_own(_: str, module: Module) -> None:
            if names is None:
                module._no_grad.intersection_update(module._frozen_names)
            else:
                module._no_grad.difference_update(names)

        return self._visit(unfreeze_own, recurse)

    def train(self, mode: bool = True) -> Self:
        """Set this module and all submodules to training or evaluation mode.

        Layers such as :class:`~nybble.nn.Dropout` act in training mode only.

        Returns:
            The module.
        """
        return self.apply_to_modules(lambda _, module: module._set_training_mode(mode))

    def eval(self) -> Self:
        """The same as ``train(False)``."""
        return self.train(False)

    def _set_training_mode(self, mode: bool) -> None:
        self._training = mode

    def _visit(self, visit: Callable[[str, Module], None], recurse: bool) -> Self:
        if recurse:
            return self.apply_to_modules(visit)
        visit("", self)
        return self

    def _own_parameter_names(self) -> list[str]:
        own = self.filter_and_map(
            lambda module, key, value: (
                not isinstance(value, Module) and self.valid_parameter_filter(module, key, value)
            )
        )
        return [name for name, _ in tree_flatten(own)]

    def _checked_keys(
        self, op: str, keys: str | Iterable[str] | None, recurse: bool, strict: bool
    ) -> list[str] | None:
        if keys is None:
            return None
        names = [keys] if isinstance(keys, str) else list(keys)
        if strict:
            modules = self.modules() if recurse else [self]
            unknown = [name for name in names if not any(name in module for module in modules)]
            if unknown:
                raise KeyError(
                    f"[{type(self).__name__}.{op}] the module has no member {', '.join(unknown)}."
                )
        return names

    def load_weights(
        self,
        file_or_weights: str | os.PathLike[str] | dict[str, Any] | Iterable[tuple[str, Any]],
        strict: bool = True,
    ) -> Self:
        """Replace parameters by arrays of a file or a list. An error changes nothing.

        Args:
            file_or_weights: a ``.safetensors`` or ``.npz`` file, pairs ``(name, array)``, or a
                dict from name to array.
            strict: the names must be those of the parameters exactly, and shapes must agree. If
                False, unknown names are skipped, missing ones keep their value, and shapes are
                not compared.

        Returns:
            The module.

        Raises:
            ValueError: a name is unknown or missing, given twice, or goes with a wrong shape or
                something that is no array. The text lists all of them.
            RuntimeError, OSError: the file cannot be read.

        Example:
            >>> import nybble.core as mx
            >>> import nybble.nn as nn
            >>> layer = nn.Linear(2, 1).load_weights([("bias", mx.ones((1,)))], strict=False)
            >>> layer.bias.tolist()
            [1.0]
        """
        op = f"{type(self).__name__}.load_weights"
        weights = _places.named_weights(op, file_or_weights)
        parameters = tree_flatten(self.parameters(), destination={}) if strict else None
        _places.write(_places.matched_weights(op, self, weights, parameters))
        return self

    def save_weights(self, file: str | os.PathLike[str]) -> None:
        """Write all parameters to a ``.safetensors`` or ``.npz`` file.

        Raises:
            ValueError: the file name has another ending.
            RuntimeError, OSError: the file cannot be written.
        """
        path = os.fspath(file)
        parameters = tree_flatten(self.parameters(), destination={})
        if path.endswith(".safetensors"):
            mx.save_safetensors(path, parameters)
        elif path.endswith(".npz"):
            mx.savez(path, **parameters)
        else:
            raise ValueError(
                f"[{type(self).__name__}.save_weights] cannot tell the format of {path!r}. "
                "Use a name that ends in .safetensors or .npz."
            )


class _Rules(NamedTuple):
    """The arguments of :meth:`Module.filter_and_map`."""

    filter_fn: Filter
    map_fn: Callable[[Any], Any]
    is_leaf_fn: Filter


# A function of its own: closures that call each other would be a reference cycle, and keep the
# module and its memory until the garbage collector runs.
def _selected(module: Module, key: str, value: Any, rules: _Rules) -> Any:
    """The mapped leaf, or the selected entries of a container, at ``key`` in ``module``."""
    if rules.is_leaf_fn(module, key, value):
        return rules.map_fn(value)
    if isinstance(value, Module):
        return value.filter_and_map(*rules)
    if isinstance(value, (dict, list)):
        selected: dict[Any, Any] = {}
        for k, v in value.items() if isinstance(value, dict) else enumerate(value):
            name = f"{key}.{k}"
            kept = rules.filter_fn(module, name, v)
            selected[k] = _selected(module, name, v, rules) if kept else {}
        return selected if isinstance(value, dict) else list(selected.values())
    raise RuntimeError(
        f"[{type(module).__name__}.filter_and_map] {key} is a {type(value).__name__}, which has no "
        "entries. is_leaf_fn must be true for it, or filter_fn false."
    )


def _is_no_container(module: Module, key: str, value: Any) -> bool:
    return not isinstance(value, (dict, list))
