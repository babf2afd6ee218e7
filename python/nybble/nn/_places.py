"""Places in nested dicts and lists: finding them by tree or by name, and writing to them.

A place is a container and a key or index in it. All places of a change are found before the first
is written, so that an error on the way leaves everything as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import nybble.core as mx

Change = tuple[Any, Any, Any]  # container, key or index, new value


def write(changes: list[Change]) -> None:
    """Carry out changes, which cannot fail any more."""
    for container, key, value in changes:
        container[key] = value


def matched(op: str, target: Any, tree: Any, kind: type, strict: bool) -> list[Change]:
    """The changes that put values of type ``kind`` in ``tree`` at the same places of ``target``.

    Raises:
        ValueError: ``strict``, and a name, an index or a type of ``tree`` does not fit.
    """
    return list(_matched(op, "", target, tree, kind, strict))


def matched_weights(
    op: str, target: Any, weights: dict[str, Any], parameters: dict[str, Any] | None
) -> list[Change]:
    """The changes that put named arrays at the places of these names in ``target``.

    Args:
        op: what error texts begin with.
        target: nested dicts and lists.
        weights: from dotted name to array; names without a place are left out.
        parameters: if given, ``weights`` must have exactly its names and shapes.

    Raises:
        ValueError: a weight is not an array or does not fit to ``parameters``; names all of them.
    """
    places = {name: (container, key) for name, container, key in _array_places(target)}
    wrong = [
        f"{name} is a {type(value).__name__}, expected an array"
        for name, value in weights.items()
        if not isinstance(value, mx.array) and (parameters is not None or name in places)
    ]
    if parameters is not None:
        wrong += _differences(weights, parameters)
    if wrong:
        raise ValueError(f"[{op}] the weights do not fit the model:\n  " + "\n  ".join(wrong))
    return [(*places[name], value) for name, value in weights.items() if name in places]


def named_weights(op: str, source: Any) -> dict[str, Any]:
    """The content of a file, pairs ``(name, array)`` or a dict, as a new dict.

    Raises:
        ValueError: the file has no names, an entry is no pair, or a name is given twice.
    """
    if isinstance(source, (str, os.PathLike)):
        content = mx.load(os.fspath(source))
        if not isinstance(content, dict):
            raise ValueError(f"[{op}] {os.fspath(source)!r} holds one array without a name.")
        return content
    if isinstance(source, dict):
        return dict(source)
    weights: dict[str, Any] = {}
    for index, pair in enumerate(source):
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError(f"[{op}] entry {index} is not a pair of name and array.")
        if pair[0] in weights:
            raise ValueError(f"[{op}] {pair[0]} is given twice.")
        weights[pair[0]] = pair[1]
    return weights


def _matched(
    op: str, path: str, target: Any, tree: Any, kind: type, strict: bool
) -> Iterator[Change]:
    if isinstance(tree, (dict, list)) and not tree and not isinstance(tree, kind):
        return  # stands for "nothing to change here", whatever the target is
    if not any(isinstance(tree, t) and isinstance(target, t) for t in (dict, list)):
        if strict:
            raise ValueError(
                f"[{op}] {path or 'the tree'} is a {type(tree).__name__}, expected something in "
                f"place of a {type(target).__name__}."
            )
        return
    for key, value in _entries(tree):
        name = f"{path}.{key}" if path else str(key)
        if not (key in target if isinstance(target, dict) else key < len(target)):
            if strict:
                raise ValueError(f"[{op}] {name} is not in the model.")
        elif isinstance(target[key], kind) and isinstance(value, kind):
            yield target, key, value
        else:
            yield from _matched(op, name, target[key], value, kind, strict)


def _array_places(container: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every array at any depth, as dotted name, container and key."""
    for key, value in _entries(container):
        if isinstance(value, mx.array):
            yield f"{prefix}{key}", container, key
        elif isinstance(value, (dict, list)):
            yield from _array_places(value, f"{prefix}{key}.")


def _differences(weights: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """What keeps ``weights`` from being exactly a new set of values for ``parameters``."""
    wrong = [f"{name} is not in the model" for name in weights if name not in parameters]
    wrong += [f"{name} is missing" for name in parameters if name not in weights]
    for name, parameter in parameters.items():
        weight = weights.get(name)
        if isinstance(weight, mx.array) and weight.shape != parameter.shape:
            wrong.append(f"{name} has shape {weight.shape}, expected {parameter.shape}")
    return wrong


def _entries(container: Any) -> Any:
    return container.items() if isinstance(container, dict) else enumerate(container)
