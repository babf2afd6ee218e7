"""Functions on trees: values nested in dicts, lists and tuples (named tuples included).

Anything that is not one of these containers is a leaf. A :class:`nybble.nn.Module` is a dict, so
its parameters are a tree. The name of a leaf joins the keys and indices on the way to it by dots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

__all__ = [
    "tree_flatten",
    "tree_map",
    "tree_map_with_path",
    "tree_merge",
    "tree_reduce",
    "tree_unflatten",
]

IsLeaf = Callable[[Any], bool]


def tree_map(fn: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Call ``fn`` on every leaf and return a tree of the results.

    Args:
        fn: called as ``fn(leaf, *leaves)``, with the leaves of ``rest`` at the same place.
        tree: the tree that decides the structure. Lists, tuples and named tuples keep their type;
            dicts, modules included, become plain dicts.
        rest: more trees, each with at least the places of ``tree``.
        is_leaf: a container for which this is true is treated as a leaf.

    Raises:
        KeyError, IndexError: a tree of ``rest`` lacks a place of ``tree``.

    Example:
        >>> tree_map(lambda x, y: x + y, {"a": [1, 2]}, {"a": [10, 20]})
        {'a': [11, 22]}
    """
    return tree_map_with_path(lambda _, *leaves: fn(*leaves), tree, *rest, is_leaf=is_leaf)


def tree_map_with_path(
    fn: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: IsLeaf | None = None,
    path: Any = None,
) -> Any:
    """Like :func:`tree_map`, with the dotted name of the leaf as first argument of ``fn``.

    Args:
        fn: called as ``fn(name, leaf, *leaves)``; the name of a tree that is itself a leaf is
            ``path``.
        tree: see :func:`tree_map`.
        rest: see :func:`tree_map`.
        is_leaf: see :func:`tree_map`.
        path: put in front of every name.

    Example:
        >>> tree_map_with_path(lambda name, x: f"{name}={x}", {"a": [1, 2]}, path="root")
        {'a': ['root.a.0=1', 'root.a.1=2']}
    """
    if not isinstance(tree, (dict, list, tuple)) or (is_leaf is not None and is_leaf(tree)):
        return fn(path, tree, *rest)

    def mapped(key: Any, child: Any) -> Any:
        name = f"{path}.{key}" if path else str(key)
        partners = [other[key] for other in rest]
        return tree_map_with_path(fn, child, *partners, is_leaf=is_leaf, path=name)

    if isinstance(tree, dict):
        return {key: mapped(key, child) for key, child in tree.items()}
    return _rebuilt(tree, [mapped(index, child) for index, child in enumerate(tree)])


def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: IsLeaf | None = None,
    destination: list[tuple[str, Any]] | dict[str, Any] | None = None,
) -> Any:
    """List the leaves of a tree with their dotted names, depth first.

    Args:
        tree: any tree; empty containers have no leaves.
        prefix: put in front of every name, without its first character: ``".model"`` gives
            ``"model.weight"``.
        is_leaf: a container for which this is true is treated as a leaf.
        destination: a list or dict to add to; a new list if None.

    Returns:
        ``destination``: pairs ``(name, leaf)`` in a list, or a dict from name to leaf.

    Raises:
        ValueError: ``destination`` is neither a list nor a dict.

    Example:
        >>> tree_flatten({"a": [1, {"b": 2}]})
        [('a.0', 1), ('a.1.b', 2)]
        >>> tree_flatten({"a": [1, {"b": 2}]}, destination={})
        {'a.0': 1, 'a.1.b': 2}
    """
    if destination is None:
        destination = []
    if not isinstance(destination, (list, dict)):
        raise ValueError(
            "[tree_flatten] destination must be a list, a dict or None, "
            f"got {type(destination).__name__}."
        )
    if not isinstance(tree, (dict, list, tuple)) or (is_leaf is not None and is_leaf(tree)):
        name = prefix[1:]
        if isinstance(destination, dict):
            destination[name] = tree
        else:
            destination.append((name, tree))
        return destination
    items: Iterable[tuple[Any, Any]]
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, child in items:
        tree_flatten(child, f"{prefix}.{key}", is_leaf, destination)
    return destination


def tree_unflatten(tree: list[tuple[str, Any]] | dict[str, Any]) -> Any:
    """Build the tree whose leaves have these dotted names; the inverse of :func:`tree_flatten`.

    Where all keys of a node are plain indices (``"0"``, ``"12"``, not ``"01"``), the node becomes
    a list with ``{}`` in the gaps, else a dict.

    Args:
        tree: pairs ``(name, leaf)``, or a dict from name to leaf.

    Raises:
        ValueError: two leaves have the same name, or one is inside another (``"a"``, ``"a.b"``).

    Example:
        >>> tree_unflatten([("a.0", 1), ("a.2.b", 2)])
        {'a': [1, {}, {'b': 2}]}
    """
    return _unflatten(list(tree.items() if isinstance(tree, dict) else tree), path="")


def tree_reduce(
    fn: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = None,
    is_leaf: IsLeaf | None = None,
) -> Any:
    """Fold the leaves of a tree, depth first, into one value.

    Args:
        fn: called as ``fn(accumulated, leaf)``.
        tree: any tree.
        initializer: the first accumulated value; None starts with the first leaf.
        is_leaf: a container for which this is true is treated as a leaf.

    Returns:
        The accumulated value; ``initializer`` for a tree without leaves.

    Example:
        >>> tree_reduce(lambda total, x: total + x, {"a": [1, 2], "b": 3}, 0)
        6
    """
    accumulated = initializer
    for _, leaf in tree_flatten(tree, is_leaf=is_leaf):
        accumulated = leaf if accumulated is None else fn(accumulated, leaf)
    return accumulated


def tree_merge(tree_a: Any, tree_b: Any, merge_fn: Callable[[Any, Any], Any] | None = None) -> Any:
    """Unite two trees, level by level. None and empty containers count as nothing.

    Args:
        tree_a: decides the type of lists and tuples present in both trees.
        tree_b: its new dict keys follow those of ``tree_a``.
        merge_fn: called as ``merge_fn(a, b)`` where both trees have a value.

    Raises:
        ValueError: both have a value at one place and there is no ``merge_fn``, or both are empty
            at one place with containers of different types.

    Example:
        >>> tree_merge({"a": [1, None]}, {"a": [None, 2], "b": 3})
        {'a': [1, 2], 'b': 3}
    """
    if _is_empty(tree_a) and _is_empty(tree_b):
        if type(tree_a) is not type(tree_b):
            raise ValueError(
                f"[tree_merge] cannot merge an empty {type(tree_a).__name__} with an empty "
                f"{type(tree_b).__name__}."
            )
        return type(tree_a)()
    if tree_b is None or _is_empty(tree_b):
        # An empty container says more than None does.
        return tree_b if tree_a is None else tree_a
    if tree_a is None or _is_empty(tree_a):
        return tree_b
    if isinstance(tree_a, dict) and isinstance(tree_b, dict):
        keys = dict.fromkeys([*tree_a, *tree_b])
        return {key: tree_merge(tree_a.get(key), tree_b.get(key), merge_fn) for key in keys}
    if isinstance(tree_a, (list, tuple)) and isinstance(tree_b, (list, tuple)):
        return _rebuilt(
            tree_a, [tree_merge(a, b, merge_fn) for a, b in zip_longest(tree_a, tree_b)]
        )
    if merge_fn is None:
        raise ValueError(
            f"[tree_merge] both trees have a value at one place ({type(tree_a).__name__} and "
            f"{type(tree_b).__name__}). Pass merge_fn to combine them."
        )
    return merge_fn(tree_a, tree_b)


def _unflatten(items: list[tuple[str, Any]], path: str) -> Any:
    if len(items) == 1 and items[0][0] == "":
        return items[0][1]
    if any(name == "" for name, _ in items):
        raise ValueError(
            f"[tree_unflatten] {path!r} names a leaf and also another leaf or a node with leaves."
        )
    branches: dict[str, list[tuple[str, Any]]] = {}
    for name, leaf in items:
        key, _, remainder = name.partition(".")
        branches.setdefault(key, []).append((remainder, leaf))
    nodes = {
        key: _unflatten(branch, f"{path}.{key}" if path else key)
        for key, branch in branches.items()
    }
    if not all(_is_index(key) for key in nodes):
        return nodes
    length = max((int(key) + 1 for key in nodes), default=0)
    return [nodes.get(str(index), {}) for index in range(length)]


def _rebuilt(like: list[Any] | tuple[Any, ...], children: list[Any]) -> Any:
    """A sequence of the type of ``like``; a named tuple takes its fields one by one."""
    kind: Any = type(like)
    return kind(*children) if hasattr(like, "_fields") else kind(children)


def _is_empty(tree: Any) -> bool:
    return isinstance(tree, (dict, list, tuple)) and not tree


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdecimal() and str(int(key)) == key
