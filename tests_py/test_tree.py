"""nybble.utils: functions on trees, compared with those of MLX."""

import operator
from typing import NamedTuple

import mlx.utils as theirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nybble.utils as ours
from nybble.utils import (
    tree_flatten,
    tree_map,
    tree_map_with_path,
    tree_merge,
    tree_reduce,
    tree_unflatten,
)

KEYS = st.text("abc_", min_size=1, max_size=3)


def containers(children):
    return (
        st.dictionaries(KEYS, children, max_size=4)
        | st.lists(children, max_size=4)
        | st.lists(children, max_size=4).map(tuple)
    )


LEAVES = st.integers() | st.text(max_size=2)
TREES = st.recursive(LEAVES, containers, max_leaves=20)
# What a flat list can say: no tuples, and no empty containers.
PLAIN_TREES = st.recursive(
    LEAVES,
    lambda children: (
        st.dictionaries(KEYS, children, min_size=1, max_size=4)
        | st.lists(children, min_size=1, max_size=4)
    ),
    max_leaves=20,
)


class Point(NamedTuple):
    x: object
    y: object


class Vector(tuple):
    pass


def is_small(tree):
    return isinstance(tree, (dict, list, tuple)) and len(tree) < 2


@given(TREES)
def test_flatten_equals_mlx(tree):
    for is_leaf in (None, is_small):
        assert tree_flatten(tree, is_leaf=is_leaf) == theirs.tree_flatten(tree, is_leaf=is_leaf)
        assert tree_flatten(tree, ".root", is_leaf) == theirs.tree_flatten(tree, ".root", is_leaf)
        flat = tree_flatten(tree, is_leaf=is_leaf, destination={})
        assert flat == theirs.tree_flatten(tree, is_leaf=is_leaf, destination={})


def test_flatten_adds_to_the_destination_it_got():
    pairs, names = [("first", 0)], {"first": 0}
    assert tree_flatten([1], destination=pairs) is pairs
    assert tree_flatten([1], destination=names) is names
    assert pairs == [("first", 0), ("0", 1)]
    assert names == {"first": 0, "0": 1}


def test_flatten_rejects_other_destinations():
    with pytest.raises(ValueError, match=r"\[tree_flatten\] destination .* got tuple"):
        tree_flatten([1], destination=())


@given(PLAIN_TREES)
def test_unflatten_is_the_inverse_of_flatten(tree):
    assert tree_unflatten(tree_flatten(tree)) == tree
    assert tree_unflatten(tree_flatten(tree, destination={})) == tree


@given(TREES)
def test_unflatten_equals_mlx(tree):
    flat = theirs.tree_flatten(tree)
    assert tree_unflatten(flat) == theirs.tree_unflatten(flat)


def test_unflatten_fills_gaps_in_lists():
    assert tree_unflatten([("2", "c"), ("0", "a")]) == ["a", {}, "c"]


@pytest.mark.parametrize("keys", [("01", "1"), ("-1", "0"), ("1_0", "2"), ("²", "0"), ("0", "a")])
def test_unflatten_makes_lists_of_plain_indices_only(keys):
    assert tree_unflatten([(key, key) for key in keys]) == {key: key for key in keys}


@pytest.mark.parametrize(
    ("names", "culprit"),
    [
        (("a", "a"), "'a'"),
        (("b", "a.c", "a.c.d"), "'a.c'"),
        (("0.x", "0"), "'0'"),
        (("", "b"), "''"),
    ],
)
def test_unflatten_rejects_leaves_in_each_others_place(names, culprit):
    with pytest.raises(ValueError, match=rf"\[tree_unflatten\] {culprit}"):
        tree_unflatten([(name, 0) for name in names])


@given(TREES)
def test_map_equals_mlx(tree):
    for is_leaf in (None, is_small):
        mapped = tree_map(repr, tree, is_leaf=is_leaf)
        assert mapped == theirs.tree_map(repr, tree, is_leaf=is_leaf)
        pairs = tree_map(lambda *leaves: leaves, tree, tree, mapped, is_leaf=is_leaf)
        assert pairs == theirs.tree_map(lambda *leaves: leaves, tree, tree, mapped, is_leaf=is_leaf)


@given(TREES)
def test_map_with_path_equals_mlx(tree):
    def keep(*arguments):
        return [arguments]

    for path in (None, "root"):
        mapped = tree_map_with_path(keep, tree, tree, path=path)
        assert mapped == theirs.tree_map_with_path(keep, tree, tree, path=path)


@given(TREES)
def test_paths_are_the_names_of_flatten(tree):
    paths = tree_flatten(tree_map_with_path(lambda path, _: path or "", tree))
    assert all(name == path for name, path in paths)


@pytest.mark.parametrize("tree", [Point(1, [2]), Vector([1, [2]]), (1, [2]), [1, [2]]])
def test_sequences_keep_their_type(tree):
    doubled = tree_map(lambda x: 2 * x, tree)
    merged = tree_merge(tree, tree, operator.add)
    assert type(doubled) is type(merged) is type(tree)
    assert list(doubled) == list(merged) == [2, [4]]


def test_map_over_a_partner_that_lacks_a_place_is_an_error():
    with pytest.raises(KeyError):
        tree_map(operator.add, {"a": 1}, {"b": 1})
    with pytest.raises(IndexError):
        tree_map(operator.add, [1, 2], [1])


@given(TREES, st.none() | st.just("start"))
def test_reduce_equals_mlx(tree, initializer):
    def join(a, b):
        return f"{a}-{b}"

    for is_leaf in (None, is_small):
        reduced = tree_reduce(join, tree, initializer, is_leaf)
        assert reduced == theirs.tree_reduce(join, tree, initializer, is_leaf)


# Without empty containers: where nothing meets nothing, MLX calls merge_fn(None, None).
@given(PLAIN_TREES, PLAIN_TREES)
def test_merge_equals_mlx(a, b):
    def outcome(module):
        try:
            return module.tree_merge(a, b, lambda x, y: [(x, y)])
        except ValueError:
            return ValueError

    assert outcome(ours) == outcome(theirs)


@given(PLAIN_TREES)
def test_merge_reunites_a_split_tree(tree):
    leaves = tree_flatten(tree)
    assert tree_merge(tree_unflatten(leaves[::2]), tree_unflatten(leaves[1::2])) == tree


def test_merge_keeps_the_order_of_keys():
    merged = tree_merge({"b": 1, "a": 2}, {"z": 3, "a": None, "c": 4})
    assert list(merged.items()) == [("b", 1), ("a", 2), ("z", 3), ("c", 4)]


def test_merge_takes_none_and_empty_containers_as_nothing():
    assert tree_merge([1, None, {}], [None, 2, {"a": 3}]) == [1, 2, {"a": 3}]
    assert tree_merge({"a": {}}, {"a": None}) == {"a": {}}
    assert tree_merge([None], [None, 1]) == [None, 1]


def test_merge_needs_a_function_for_two_values_at_one_place():
    with pytest.raises(ValueError, match=r"\[tree_merge\] .*Pass merge_fn"):
        tree_merge({"a": 1}, {"a": 2})
    assert tree_merge({"a": 1}, {"a": 2}, operator.sub) == {"a": -1}


def test_merge_rejects_empty_containers_of_different_types():
    with pytest.raises(ValueError, match=r"empty dict with an empty list"):
        tree_merge({}, [])
