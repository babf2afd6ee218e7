"""random against the real MLX: bit for bit, except truncated_normal, whose erf is better here."""

import math
import threading

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nybble.core as mx

SHAPES = st.lists(st.integers(0, 9), max_size=4).map(tuple)
SEEDS = st.integers(0, 2**64 - 1)
FLOATS = ["float32", "float16", "bfloat16"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool_"]


def both(call):
    """What call(module) gives in nybble and in MLX, which have one dtype, as NumPy arrays."""
    ours, theirs = call(mx), call(mlx)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    if theirs.dtype == mlx.bfloat16:
        ours, theirs = ours.astype(mx.float32), theirs.astype(mlx.float32)
    return np.array(ours), np.array(theirs)


def assert_same(call):
    ours, theirs = both(call)
    np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("n", range(1, 201))
def test_every_count_gives_the_bits_of_mlx(n):
    assert_same(lambda m: m.random.split(m.random.key(n), n))
    assert_same(lambda m: m.random.uniform(shape=(n,), key=m.random.key(n)))
    assert_same(lambda m: m.random.permutation(n, key=m.random.key(n)))
    assert_same(lambda m: m.random.bernoulli(0.3, (n,), key=m.random.key(n)))


@given(SEEDS)
def test_keys(seed):
    assert_same(lambda m: m.random.key(seed))


@given(SEEDS, SHAPES, st.floats(-1e4, 1e4, width=16), st.floats(-1e4, 1e4, width=16))
@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform(dtype, seed, shape, low, high):
    assert_same(lambda m: m.random.uniform(low, high, shape, getattr(m, dtype), m.random.key(seed)))


@given(SEEDS, st.integers(1, 5), st.integers(1, 5))
@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_between_arrays(dtype, seed, rows, columns):
    def call(m):
        low = m.arange(columns) * 3
        high = (m.arange(rows) + 50.5).reshape(rows, 1)
        shape = (2, rows, columns)
        return m.random.uniform(low, high, shape, getattr(m, dtype), m.random.key(seed))

    assert_same(call)


@given(SEEDS, st.integers(-300, 300), st.integers(-300, 300), SHAPES)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_randint(dtype, seed, low, high, shape):
    # A negative float has no uint64; C++ leaves open what MLX makes of it.
    if dtype == "uint64":
        low, high = abs(low), abs(high)
    assert_same(lambda m: m.random.randint(low, high, shape, getattr(m, dtype), m.random.key(seed)))


def test_randint_of_wide_intervals_and_arrays():
    assert_same(lambda m: m.random.randint(0, 2**40, (50,), m.int64, m.random.key(1)))
    assert_same(lambda m: m.random.randint(0.5, 9.7, (50,), key=m.random.key(1)))
    assert_same(
        lambda m: m.random.randint(m.array([0, 5]), m.array([1, 99]), (9, 2), key=m.random.key(1))
    )


@given(SEEDS, SHAPES, st.floats(-0.5, 1.5, width=32))
def test_bernoulli(seed, shape, p):
    assert_same(lambda m: m.random.bernoulli(p, shape, m.random.key(seed)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_bernoulli_of_arrays(dtype):
    def call(m):
        p = m.array([0.0, 0.1, 0.5, 0.9, 1.0, math.nan]).astype(getattr(m, dtype))
        return m.random.bernoulli(p, (100, 6), m.random.key(3))

    assert_same(call)
    assert_same(lambda m: m.random.bernoulli(m.array([0.2, 0.4]), key=m.random.key(3)))


# In what follows both use the C library's logarithm, and the same operations around it.
@given(SEEDS, SHAPES)
@pytest.mark.parametrize("dtype", [*FLOATS, "float64", "complex64"])
def test_normal(dtype, seed, shape):
    assert_same(lambda m: m.random.normal(shape, getattr(m, dtype), key=m.random.key(seed)))


@given(SEEDS)
@pytest.mark.parametrize("dtype", [*FLOATS, "float64", "complex64"])
def test_normal_with_loc_and_scale(dtype, seed):
    def call(m, loc, scale):
        return m.random.normal((3, 4), getattr(m, dtype), loc, scale, m.random.key(seed))

    def counted(m, shape):
        return m.arange(math.prod(shape)).reshape(shape).astype(getattr(m, dtype))

    assert_same(lambda m: call(m, 3, 0.5))
    assert_same(lambda m: call(m, None, counted(m, (4,))))
    assert_same(lambda m: call(m, counted(m, (2, 3, 1)), 2))


def test_large_arrays():
    assert_same(lambda m: m.random.normal((1000, 1001), key=m.random.key(11)))
    assert_same(lambda m: m.random.permutation(100_001, key=m.random.key(11)))


@given(SEEDS, SHAPES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_gumbel(dtype, seed, shape):
    assert_same(lambda m: m.random.gumbel(shape, getattr(m, dtype), m.random.key(seed)))


@given(SEEDS, st.floats(-2, 2, width=32), st.floats(0.125, 2, width=32), SHAPES)
def test_truncated_normal(seed, lower, width, shape):
    upper = lower + width
    ours, theirs = both(
        lambda m: m.random.truncated_normal(lower, upper, shape, key=m.random.key(seed))
    )
    assert ours.shape == theirs.shape
    assert np.all((ours >= np.float32(lower)) & (ours <= np.float32(upper)))
    # MLX's erf is off by up to 1.5e-7, and roundings of u by 2^-23; x = sqrt(2) erfinv(u) passes
    # them on with the slope sqrt(pi / 2) exp(x^2 / 2).
    slope = math.sqrt(math.pi / 2) * np.exp(np.maximum(ours**2, theirs**2) / 2)
    assert np.all(np.abs(ours - theirs) <= slope * (2 * 1.5e-7 + 4 * 2.0**-23) + 4 * 2.0**-23)


def test_truncated_normal_takes_the_shape_of_its_bounds():
    lower, upper = mx.array([0.0, 1.0]), mx.array([[1.0], [2.0]])
    assert mx.random.truncated_normal(lower, upper).shape == (2, 2)


@given(SEEDS, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_categorical(seed, rows, n, first_axis):
    # Weights are exp(logits) with one rounding more or less than MLX's; the choice can only differ
    # where the random number falls on a border, which these seeds do not.
    table = np.random.default_rng(seed).normal(size=(rows, n)).astype(np.float32) * 3
    if first_axis:
        table = np.ascontiguousarray(table.T)
    axis = 0 if first_axis else -1
    for options in ({}, {"num_samples": 7}, {"shape": (5, rows)}):
        assert_same(
            lambda m, options=options: m.random.categorical(
                m.array(table), axis, key=m.random.key(seed), **options
            )
        )


def test_categorical_of_one_distribution_in_each_way():
    logits = np.array([0.5, -1.0, 2.0, 0.0], np.float32)
    for shape, options in [
        ((4,), {}),
        ((4,), {"num_samples": 1000}),
        ((4,), {"shape": (5, 3)}),
        ((1, 4), {}),
        ((1, 4), {"num_samples": 1000}),
    ]:
        assert_same(
            lambda m, shape=shape, options=options: m.random.categorical(
                m.array(logits.reshape(shape)), key=m.random.key(8), **options
            )
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "uint8"])
def test_categorical_of_other_dtypes(dtype):
    def call(m):
        logits = m.array([[1.0, 2, 3], [3, 2, 1]]).astype(getattr(m, dtype))
        return m.random.categorical(logits, num_samples=50, key=m.random.key(2))

    assert_same(call)


def test_categorical_draws_in_proportion():
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    count = 200_000
    for rows in (1, 2):
        logits = mx.array(np.log(np.tile(weights, (rows, 1))).astype(np.float32))
        x = np.array(mx.random.categorical(logits, num_samples=count, key=mx.random.key(0)))
        share = np.bincount(x[0], minlength=4) / count
        # Five standard deviations of a binomial share.
        assert np.all(np.abs(share - weights) < 5 * np.sqrt(weights * (1 - weights) / count))


@given(SEEDS, st.integers(0, 5), st.integers(1, 5), st.sampled_from([0, 1, -1, -2]))
def test_permutation_of_arrays(seed, rows, columns, axis):
    assert_same(
        lambda m: m.random.permutation(
            m.arange(rows * columns).reshape(rows, columns), axis, m.random.key(seed)
        )
    )


def test_numbers_documented_for_mlx():
    mx.random.seed(0)
    np.testing.assert_allclose(mx.random.uniform(shape=(2,)), [0.5765508, 0.2991723], atol=1e-7)
    np.testing.assert_allclose(mx.random.uniform(shape=(2,)), [0.5034736, 0.4805054], atol=1e-7)


@given(SEEDS)
def test_every_function_advances_the_state_by_one_split(seed):
    calls = [
        lambda m: m.random.uniform(shape=(3,)),
        lambda m: m.random.normal((2,)),
        lambda m: m.random.randint(0, 5),
        lambda m: m.random.bernoulli(),
        lambda m: m.random.truncated_normal(-1, 1),
        lambda m: m.random.gumbel(),
        lambda m: m.random.categorical(m.zeros((3,))),
        lambda m: m.random.permutation(4),
        lambda m: m.random.uniform(shape=(10**6, 10**6)),
    ]
    mx.random.seed(seed)
    mlx.random.seed(seed)
    for call in calls:
        call(mx)
        call(mlx)
        assert_same(lambda m: m.random.state[0])
    assert_same(lambda m: m.random.randint(0, 1000, (5,)))


def test_state_is_a_list_of_one_key():
    state = mx.random.state
    mx.random.seed(1)
    assert len(state) == 1
    (key,) = state
    assert key.tolist() == state[0].tolist() == state[-1].tolist() == [0, 1]
    state[0] = mx.random.key(2)
    first = mx.random.uniform().item()
    mx.random.seed(2)
    assert mx.random.uniform().item() == first
    with pytest.raises(IndexError):
        state[1]
    for wrong in (mx.array([1, 2]), mx.array([1, 2, 3], mx.uint32)):
        with pytest.raises(ValueError, match="got a key of dtype"):
            state[0] = wrong


def test_every_thread_has_its_own_state():
    mx.random.seed(3)
    inside = []

    def work():
        mx.random.seed(4)
        inside.append(mx.random.uniform(shape=(3,)).tolist())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    here = mx.random.uniform(shape=(3,)).tolist()
    mx.random.seed(3)
    assert mx.random.uniform(shape=(3,)).tolist() == here
    mx.random.seed(4)
    assert mx.random.uniform(shape=(3,)).tolist() == inside[0]


def test_results_do_not_change_with_the_order_of_use():
    mx.random.seed(6)
    a, b = mx.random.normal((100,)), mx.random.normal((100,))
    b = b.tolist()
    a = a.tolist()
    mx.random.seed(6)
    assert mx.random.normal((100,)).tolist() == a
    assert mx.random.normal((100,)).tolist() == b


def test_arguments_may_be_given_by_place_and_by_name():
    key = mx.random.key(0)
    a = mx.random.uniform(0, 2, [2], mx.float32, key, None)
    b = mx.random.uniform(low=0, high=2, shape=(2,), dtype=None, key=key, stream=mx.cpu)
    assert a.tolist() == b.tolist()
    c = mx.random.normal((2,), mx.float32, 1.0, 2.0, key)
    d = mx.random.normal(shape=[2], loc=1.0, scale=2.0, key=key)
    assert c.tolist() == d.tolist()


ERRORS = {
    "uniform(0, 1, (2,), m.int32)": ValueError,
    "uniform(0, 1, (-2,))": ValueError,
    "uniform(m.array([0.0, 1.0]), 1, ())": ValueError,
    "uniform(m.array([0.0, 1.0]), 1, (3,))": ValueError,
    "uniform(key=m.array([1, 2]))": ValueError,
    "uniform(key=m.array([1, 2, 3], m.uint32))": ValueError,
    "uniform(key=[1, 2])": TypeError,
    "uniform(shape=3)": TypeError,
    "uniform(shape=(2.0,))": TypeError,
    "uniform('a')": ValueError,
    "normal(2)": TypeError,
    "normal((2,), m.int32)": ValueError,
    "normal((2,), m.float32, m.zeros((3,)))": ValueError,
    "normal((-2,))": ValueError,
    "randint(0)": TypeError,
    "randint(0, 10, (3,), m.float32)": ValueError,
    "randint(m.array([0, 5]), m.array([1, 6]), (3,))": ValueError,
    "bernoulli(1)": ValueError,
    "bernoulli(m.array([0.1, 0.9]), (3,))": ValueError,
    "bernoulli(m.array([0.1, 0.9]), (1,))": ValueError,
    "truncated_normal(-1, 1, (3,), m.int32)": ValueError,
    "truncated_normal(m.zeros((2,)), 1, (3,))": ValueError,
    "gumbel((2,), m.int32)": ValueError,
    "gumbel(2)": TypeError,
    "categorical([1.0, 2.0])": TypeError,
    "categorical(m.zeros((2, 5)), shape=(3,))": ValueError,
    "categorical(m.zeros((2, 5)), shape=(3, 2), num_samples=1)": ValueError,
    "categorical(m.zeros((2, 0)))": ValueError,
    "categorical(m.zeros((2, 5)), 2)": IndexError,
    "categorical(m.zeros((5,)), num_samples=-1)": ValueError,
    "permutation(-1)": ValueError,
    "permutation(3.0)": TypeError,
    "permutation([1, 2])": TypeError,
    "permutation(m.zeros((2, 3)), 2)": IndexError,
    "key(-1)": TypeError,
    "key(2**64)": TypeError,
    "key(1.5)": TypeError,
    "seed(-1)": TypeError,
    "split(m.array([0, 1]))": ValueError,
    "split(m.random.key(0), -1)": ValueError,
    "split(m.random.key(0), 2.5)": TypeError,
}


@pytest.mark.parametrize("call", ERRORS)
def test_wrong_arguments_raise_what_mlx_raises(call):
    for m in (mx, mlx):
        with pytest.raises(ERRORS[call]):
            m.eval(eval(f"m.random.{call}", {"m": m}))


def test_errors_say_what_came_and_what_was_expected():
    with pytest.raises(ValueError, match=r"\[uniform\] got a key of dtype int32 and shape \(2,\)"):
        mx.random.uniform(key=mx.array([1, 2]))
    with pytest.raises(ValueError, match=r"float64.*astype"):
        mx.random.uniform(dtype=mx.float64)


@pytest.mark.parametrize("shape", [(), (5,), (3, 2)])
def test_multivariate_normal_is_that_of_mlx(shape):
    root = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    cov, mean = root @ root.swapaxes(-1, -2), np.arange(4, dtype=np.float32)
    expected = mlx.random.multivariate_normal(
        mlx.array(mean), mlx.array(cov), (*shape, 2), key=mlx.random.key(3), stream=mlx.cpu
    )
    got = mx.random.multivariate_normal(
        mx.array(mean), mx.array(cov), (*shape, 2), key=mx.random.key(3)
    )
    np.testing.assert_allclose(np.array(got), np.array(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "mean, cov, dtype",
    [((2,), (3, 3), "float32"), ((), (2, 2), "float32"), ((2,), (2, 3), "float32")]
    + [((2,), (2, 2), "float16")],
)
def test_multivariate_normal_refuses_what_does_not_fit(mean, cov, dtype):
    with pytest.raises(ValueError, match=r"\[multivariate_normal\]"):
        mx.random.multivariate_normal(mx.zeros(mean), mx.ones(cov), dtype=getattr(mx, dtype))
