"""tensordot, inner, outer, vecdot, kron and einsum against NumPy and the real MLX."""

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import to_mlx
from hypothesis import given, settings
from hypothesis import strategies as st
from parity_support import assert_parity, run, strided

import nybble.core as mx

FLOATS = ("float32",)


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def close(got, expected, terms):
    """Sums of so many products of float32, formed in at least float32."""
    got = np.array(got)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    bound = (terms + 2) * 2**-23 * max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=4 * bound)


@given(st.lists(st.integers(1, 4), max_size=4), st.lists(st.integers(1, 4), max_size=4), st.data())
def test_tensordot_as_numpy(a_shape, b_shape, data):
    common = data.draw(st.integers(0, min(len(a_shape), len(b_shape))))
    a_axes = list(data.draw(st.permutations(range(len(a_shape)))))[:common]
    b_axes = list(data.draw(st.permutations(range(len(b_shape)))))[:common]
    for i, j in zip(a_axes, b_axes, strict=True):
        b_shape[j] = a_shape[i]
    a, b = random(a_shape), random(b_shape, 1)
    expected = np.tensordot(a.astype(np.float64), b.astype(np.float64), [a_axes, b_axes])
    terms = int(np.prod([a_shape[i] for i in a_axes]))
    negative = [i - len(a_shape) for i in a_axes]
    close(mx.tensordot(mx.array(a), mx.array(b), [negative, b_axes]), expected, terms)


@pytest.mark.parametrize(
    "axes",
    [0, 1, 2, 3, -1, [[0], [0]], [[0, 1], [0, 1]], [0, 1], [[0], [0], [1]], [[0, 1], [0]]]
    + [[[5], [0]], [[0], [1]], [[0, 0], [0, 0]], ((0,), (0,)), None, 1.5],
)
def test_tensordot_axes_as_mlx(axes):
    a = random((3, 4))
    assert_parity(
        lambda lib, x: lib.tensordot(x, lib.array(random((3, 4) if axes != 1 else (4, 3))), axes),
        a,
        mx.array(a),
        exact=False,
        rtol=1e-5,
    )


@pytest.mark.parametrize("b_shape", [(4,), (2, 4), (3,), (), (2, 3, 4)])
@pytest.mark.parametrize("a_shape", [(4,), (3, 4), ()])
def test_inner_and_outer_as_mlx(a_shape, b_shape):
    a, b = random(a_shape), random(b_shape, 1)
    for name in ["inner", "outer"]:
        assert_parity(
            lambda lib, x, name=name: getattr(lib, name)(x, lib.array(b)),
            a,
            mx.array(a),
            exact=False,
            rtol=1e-5,
        )


def test_products_of_integers_as_mlx():
    a = np.array([[1, 2], [3, 4]], np.int32)
    for call in [
        lambda lib, x: lib.outer(x, x),
        lambda lib, x: lib.inner(x, x),
        lambda lib, x: lib.tensordot(x, x),
        lambda lib, x: lib.vecdot(x, x),
        lambda lib, x: lib.kron(x, x),
        lambda lib, x: lib.einsum("ij,jk", x, x),
        lambda lib, x: lib.einsum("ij,ij->ij", x, x),
        lambda lib, x: lib.einsum("ij->j", x),
    ]:
        assert_parity(call, a, mx.array(a))


@given(strided(min_dims=0, max_dims=3, min_side=1), st.integers(-4, 3))
def test_vecdot_as_mlx(case, axis):
    source, ours = case
    assert_parity(lambda lib, a: lib.vecdot(a, a, axis=axis), source, ours)
    assert_parity(lambda lib, a: lib.vecdot(a, lib.ones((3,)), axis=axis), source, ours)


def test_vecdot_conjugates_the_first():
    a, b = mx.array([1 + 2j, 3j]), mx.array([2 - 1j, 1 + 1j])
    assert mx.vecdot(a, b).item() == np.vdot(np.array(a), np.array(b))


@given(
    strided(max_dims=3, max_side=3, dtypes=("int32", "float32", "bool")),
    strided(max_dims=3, max_side=3, dtypes=("int32", "float16", "bool")),
)
def test_kron_as_mlx(first, second):
    a, ours = first
    b, other = second
    got = run(lambda lib, x: lib.kron(x, other), mx, ours)
    if a.size == 0 or b.size == 0:
        assert isinstance(got, ValueError)
        return
    np.testing.assert_array_equal(np.array(got).astype(np.float64), np.kron(a, b))
    theirs = mlx.kron(to_mlx(a), to_mlx(b))
    np.testing.assert_array_equal(np.array(got), np.array(theirs), strict=True)


SUBSCRIPTS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ij,jk->ijk", [(2, 3), (3, 4)]),
    ("ij,kj->", [(2, 3), (4, 3)]),
    ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->j", [(3, 3, 2)]),
    ("ijij->ji", [(2, 3, 2, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("ijk->kji", [(2, 3, 4)]),
    ("i,j->ji", [(2,), (3,)]),
    ("i,i", [(4,), (4,)]),
    ("ij->", [(2, 3)]),
    ("ij,ij->ij", [(2, 3), (2, 3)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...i->...", [(2, 3, 4)]),
    ("i...,i...", [(2, 3), (2, 3)]),
    ("...,...", [(2, 3), (3,)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
    ("eb,cb,fb->cef", [(5, 3), (4, 3), (2, 3)]),
    ("abc,cd,de,bf->aef", [(2, 3, 4), (4, 5), (5, 2), (3, 6)]),
    ("dd,fb,be,cdb->cef", [(3, 3), (2, 4), (4, 5), (2, 3, 4)]),
    ("bca,cdb,dbf,afc->", [(2, 3, 4), (3, 5, 2), (5, 2, 3), (4, 3, 3)]),
    ("i,j,k->kji", [(2,), (3,), (4,)]),
    (",ij", [(), (2, 3)]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("Ba,aC", [(2, 3), (3, 4)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("ij,ij->i", [(2, 1), (2, 3)]),
]


@pytest.mark.parametrize("subscripts,shapes", SUBSCRIPTS, ids=[s for s, _ in SUBSCRIPTS])
def test_einsum_as_numpy(subscripts, shapes):
    operands = [random(shape, i) for i, shape in enumerate(shapes)]
    got = mx.einsum(subscripts, *map(mx.array, operands))
    expected = np.einsum(subscripts, *[a.astype(np.float64) for a in operands])
    sizes = {}
    for term, shape in zip(
        subscripts.split("->")[0].replace(" ", "").split(","), shapes, strict=True
    ):
        sizes.update({c: n for c, n in zip(term, shape, strict=False) if c.isalpha()})
    magnitude = np.einsum(subscripts, *[np.abs(a.astype(np.float64)) for a in operands])
    terms = int(np.prod(list(sizes.values()))) + len(operands)
    np.testing.assert_allclose(
        np.array(got), expected, rtol=0, atol=terms * 2**-23 * magnitude.max(initial=0)
    )
    theirs = mlx.einsum(subscripts, *map(mlx.array, operands))
    assert got.shape == theirs.shape
    if len(operands) > 1:  # two operands are one contraction
        ours_path = mx.einsum_path(subscripts, *map(mx.array, operands))
        theirs_path = mlx.einsum_path(subscripts, *map(mlx.array, operands))
        assert ours_path == theirs_path


@settings(max_examples=50)
@given(st.data())
def test_einsum_of_random_subscripts_as_numpy(data):
    sizes = {c: data.draw(st.integers(1, 3)) for c in "abcd"}
    terms = data.draw(st.lists(st.text("abcd", max_size=4), min_size=1, max_size=4))
    letters = sorted(set("".join(terms)))
    output = "".join(data.draw(st.permutations(letters))[: data.draw(st.integers(0, 4))])
    subscripts = ",".join(terms) + "->" + output
    operands = [
        np.random.default_rng(i).integers(-3, 4, [sizes[c] for c in term]).astype(np.float32)
        for i, term in enumerate(terms)
    ]
    got = mx.einsum(subscripts, *map(mx.array, operands))
    np.testing.assert_array_equal(np.array(got), np.einsum(subscripts, *operands))  # whole numbers


@pytest.mark.parametrize(
    "subscripts,shapes",
    [("ij,jk", [(2, 3)]), ("ij", [(2, 3, 4)]), ("ij,jk->ik", [(2, 3), (4, 5)]), ("ii", [(2, 3)])]
    + [("ij->ii", [(2, 3)]), ("i1", [(2, 3)]), ("i....", [(2, 3)]), ("...i...", [(2, 3)])]
    + [("ijk...", [(2, 3)]), ("i..j", [(2, 3)]), ("", []), ("i+j", [(2, 3)])],
)
def test_einsum_errors_as_mlx(subscripts, shapes):
    operands = [random(shape) for shape in shapes]
    with pytest.raises(ValueError, match="einsum"):
        mx.einsum(subscripts, *map(mx.array, operands))
    with pytest.raises((ValueError,)):
        mlx.einsum(subscripts, *map(mlx.array, operands))


def test_einsum_names_the_letter_that_is_missing():
    with pytest.raises(ValueError, match="'k', which no operand has"):
        mx.einsum("ij->ik", mx.zeros((2, 3)))
