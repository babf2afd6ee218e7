"""What surrounds the arrays: compile, streams, memory, printing, limits, groups of processes."""

import functools
import threading

import mlx.core as mlx
import numpy as np
import pytest

import nybble.core as mx

DTYPES = ["bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES += ["float16", "bfloat16", "float32", "float64", "complex64"]


def test_compile_leaves_functions_as_they_are():
    @mx.compile
    def doubled(x, *, times=2):
        """Twice."""
        return x * times

    assert doubled.__name__ == "doubled"
    assert doubled.__doc__ == "Twice."
    assert doubled(mx.array(2), times=3).item() == 6

    @functools.partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state, shapeless=True)
    def sample(shape):
        return mx.random.uniform(shape=shape)

    mx.random.seed(3)
    first = sample((2,)).tolist()
    mx.random.seed(3)
    assert mx.random.uniform(shape=(2,)).tolist() == first

    class Counter:
        def __init__(self):
            self.step = mx.compile(self._step)

        def _step(self, x):
            return x + 1

    assert Counter().step(mx.array(1)).item() == 2


def test_compile_refuses_what_cannot_be_called():
    for library in (mx, mlx):
        with pytest.raises(TypeError):
            library.compile(3)
        with pytest.raises(TypeError):
            library.compile()


def test_compiled_functions_run_in_threads_and_in_each_other():
    inner = mx.compile(lambda x: x + 1)
    outer = mx.compile(lambda x: inner(inner(x)))
    results = []
    threads = [
        threading.Thread(target=lambda i=i: results.append(outer(mx.array(i)).item()))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(2, 10))
    mx.disable_compile()
    mx.enable_compile()


def test_no_gradients_to_stop():
    x = mx.array([1.0, 2.0])
    assert mx.stop_gradient(x).tolist() == [1, 2]
    with pytest.raises(TypeError):
        mx.stop_gradient(1.0)
    assert mx.depends(x, mx.array(1)).tolist() == [1, 2]
    first, second = mx.depends((x, mx.array(3)), [x])
    assert (first.tolist(), second.item()) == ([1, 2], 3)
    for wrong in (1, [1]):
        with pytest.raises(TypeError):
            mx.depends(wrong, x)
        with pytest.raises(TypeError):
            mx.depends(x, wrong)


def test_streams():
    device = mx.default_device()
    stream = mx.new_stream(mx.cpu)
    local = mx.new_thread_local_stream(mx.cpu)
    free = mx.new_thread_unsafe_stream(mx.cpu)
    before = mx.default_stream(device)
    with mx.stream(stream):
        assert mx.default_stream(device) == stream
        with mx.StreamContext(local):
            assert mx.default_stream(device) != stream
        assert mx.default_stream(device) == stream
        with mx.stream(mx.cpu):
            assert mx.default_stream(device) == stream
    assert mx.default_stream(device) == before
    mx.set_default_stream(free)
    assert mx.default_stream(device) == free
    mx.set_default_stream(before)
    assert repr(local).startswith("ThreadLocalStream(Device(cpu, 0), ")
    assert local == local
    assert local != stream
    assert local.device == mx.cpu
    for one in (None, stream, local, free, device, mx.cpu):
        assert mx.add(mx.array(1), 2, stream=one).item() == 3
    mx.synchronize(stream)
    mx.clear_streams()


def test_streams_of_one_thread_are_refused_in_another():
    stream, local = mx.new_stream(mx.cpu), mx.new_thread_local_stream(mx.cpu)
    seen = []

    def use(one):
        try:
            with mx.stream(one):
                seen.append(mx.arange(3).tolist())
        except RuntimeError as error:
            seen.append(str(error))

    for one in (stream, local):
        thread = threading.Thread(target=use, args=(one,))
        thread.start()
        thread.join()
    assert "belongs to the thread" in seen[0]
    assert seen[1] == [0, 1, 2]


def test_streams_and_devices_that_are_not_there():
    for library in (mx, mlx):
        for name in ("default_stream", "new_stream", "new_thread_local_stream"):
            if library is mx or name != "new_thread_local_stream":
                with pytest.raises((ValueError,)):
                    getattr(library, name)(library.gpu)
        with pytest.raises((ValueError,)):
            library.set_default_device(library.gpu)
        for wrong in (3, None, "cpu"):
            with pytest.raises(TypeError):
                library.stream(wrong)
        with pytest.raises(TypeError):
            library.set_default_stream(library.cpu)


def test_memory_is_counted():
    mx.clear_cache()
    before = mx.get_active_memory()
    x = mx.ones((1 << 20,))
    mx.eval(x)
    assert mx.get_active_memory() - before == 4 << 20
    mx.reset_peak_memory()
    y = x + 1
    del y
    assert mx.get_peak_memory() >= before + (8 << 20)
    assert mx.get_cache_memory() >= 4 << 20
    assert mx.get_array_buffer_size(x, {"a": [x, x[3:]]}) == 4 << 20
    assert mx.get_array_buffer_size() == 0
    mx.clear_cache()
    assert mx.get_cache_memory() == 0


def test_memory_limit():
    assert mx.get_memory_limit() > 0
    old = mx.set_memory_limit(10)
    try:
        assert mx.get_memory_limit() == 10
        mx.eval(mx.ones((1 << 20,)))  # freed into the cache
        assert mx.get_cache_memory() >= 4 << 20
        x = mx.ones((3 << 20,))
        mx.eval(x)  # of a size that is not kept: kept memory goes first
        assert mx.get_cache_memory() == 0
    finally:
        assert mx.set_memory_limit(old) == 10
    assert mx.set_wired_limit(5) == 0
    assert mx.set_wired_limit(0) == 5
    for wrong in (-1, "1", None, 1.5):
        for name in ("set_memory_limit", "set_cache_limit", "set_wired_limit"):
            with pytest.raises(TypeError):
                getattr(mx, name)(wrong)


def test_backends_that_are_not_there():
    assert not mx.metal.is_available()
    assert not mx.cuda.is_available()
    assert mx.metal.device_info() == {}
    assert mx.metal.get_active_memory() == mx.get_active_memory()
    mx.metal.start_capture("trace.gputrace")
    mx.metal.stop_capture()


@pytest.mark.parametrize("precision", [0, 1, 3, 12, -1])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "int32"])
def test_print_precision_as_mlx(precision, dtype):
    values = [[1.23456789, -0.5, 2.5], [100.0, float("inf") if dtype != "int32" else 3, 0.001]]

    def text(library):
        with library.printoptions(precision=precision):
            assert library.get_printoptions().precision == precision
            return str(library.array(values).astype(getattr(library, dtype)))

    assert text(mx) == text(mlx)
    assert mx.get_printoptions().precision == -1


def test_print_options():
    mx.set_printoptions(precision=2)
    try:
        assert str(mx.array(1 / 3)) == "array(0.33, dtype=float32)"
        assert str(mx.array([1 / 3 + 2j])) == "array([0.33+2.00j], dtype=complex64)"
    finally:
        mx.set_printoptions()
    assert mx.PrintOptions().precision == -1
    with pytest.raises(ZeroDivisionError), mx.printoptions(4):
        raise ZeroDivisionError
    assert mx.get_printoptions().precision == -1


@pytest.mark.parametrize("name", DTYPES)
def test_limits_of_dtypes_as_mlx(name):
    ours, theirs = getattr(mx, name), getattr(mlx, name)
    for kind, members in [
        ("finfo", ["bits", "min", "max", "eps", "smallest_normal"]),
        ("iinfo", ["min", "max"]),
    ]:
        try:
            expected = getattr(mlx, kind)(theirs)
        except ValueError:
            with pytest.raises(ValueError, match=kind):
                getattr(mx, kind)(ours)
            continue
        got = getattr(mx, kind)(ours)
        assert [getattr(got, m) for m in members] == [getattr(expected, m) for m in members]
        assert repr(got) == repr(expected)
        assert str(got.dtype).split(".")[-1] == str(expected.dtype).split(".")[-1]


def test_limits_take_dtypes_only():
    for wrong in (mx.array(1.0), "float32", None):
        with pytest.raises(TypeError):
            mx.finfo(wrong)


KINDS = ["bool", "signed integer", "unsigned integer", "integral", "real floating"]
KINDS += ["complex floating", "numeric"]


@pytest.mark.parametrize("name", DTYPES)
def test_casts_and_kinds_as_mlx(name):
    for other in DTYPES:
        got = mx.can_cast(getattr(mx, name), getattr(mx, other))
        assert got == mlx.can_cast(getattr(mlx, name), getattr(mlx, other))
        assert mx.isdtype(getattr(mx, name), getattr(mx, other)) == (name == other)
    for kind in [*KINDS, tuple(KINDS[:2]), ()]:
        got = mx.isdtype(getattr(mx, name), kind)
        assert got == mlx.isdtype(getattr(mlx, name), kind)
    assert mx.can_cast(mx.array([1], getattr(mx, name)), getattr(mx, name))


def test_casts_and_kinds_refuse():
    for library in (mx, mlx):
        for wrong in ("floats", 3, ["bool"], ("bool", 3)):
            with pytest.raises((ValueError,)):
                library.isdtype(library.float32, wrong)
        with pytest.raises((ValueError,)):
            library.can_cast("float32", library.float32)


def test_a_group_of_one():
    group = mx.distributed.init()
    assert isinstance(group, mx.distributed.Group)
    assert (group.rank(), group.size()) == (0, 1)
    assert not mx.distributed.is_available()
    x = mx.array([1, 2])
    for name in ("all_sum", "all_max", "all_min", "all_gather", "sum_scatter"):
        f = getattr(mx.distributed, name)
        assert f(x).tolist() == f(x, group=group, stream=mx.cpu).tolist() == [1, 2]
        assert f(2.0).item() == 2
        with pytest.raises(TypeError):
            f(x, group)
    for library in (mx, mlx):
        x = library.array([1, 2])
        with pytest.raises((ValueError,)):
            library.distributed.send(x, 0)
        with pytest.raises((ValueError,)):
            library.distributed.recv((2,), library.int32, 0)
        with pytest.raises((ValueError,)):
            library.distributed.recv_like(x, 0)
        with pytest.raises((ValueError,)):
            library.distributed.init(backend="smoke signals")
        with pytest.raises(RuntimeError):
            library.distributed.init(strict=True, backend="mpi")
        with pytest.raises(RuntimeError):
            library.distributed.init().split(0)


def test_the_namespace_of_the_array_api():
    x = mx.array([1.0])
    assert x.__array_namespace__() is mx
    with pytest.raises((ValueError,)):
        x.__array_namespace__("2023.12")
    info = mx.__array_namespace_info__()
    theirs = mlx.__array_namespace_info__()
    assert info.default_device() == mx.cpu
    assert info.devices() == (mx.Device(mx.cpu, 0),)
    assert info.default_dtypes().keys() == theirs.default_dtypes().keys()
    assert info.dtypes().keys() == theirs.dtypes().keys()
    assert info.dtypes(kind="integral").keys() == theirs.dtypes(kind="integral").keys()
    assert info.capabilities().keys() == theirs.capabilities().keys()


def test_parts_of_complex_numbers():
    source = np.array([[1 + 2j, 3 - 4j], [0.5j, -1]], np.complex64)
    x = mx.array(source).T
    np.testing.assert_array_equal(np.array(mx.real(x)), source.T.real)
    np.testing.assert_array_equal(np.array(x.imag), source.T.imag)
    np.testing.assert_array_equal(np.array(x.real), source.T.real)
    for conjugate in (mx.conj, mx.conjugate):
        np.testing.assert_array_equal(np.array(conjugate(x)), source.T.conj())
    np.testing.assert_array_equal(np.array(x.conj()), source.T.conj())
    part = x.real
    x[0, 0] = 9
    assert part[0, 0].item() == 1  # views never see later writes
    whole = mx.array([1, 2])
    assert whole.imag.tolist() == [0, 0]
    assert whole.imag.dtype == whole.real.dtype == mx.int32
    assert mx.real(2).item() == 2
    assert mx.positive(mx.array([True])).dtype == mx.bool_


def test_second_names():
    x = mx.array([0.5])
    for alias in ("acos", "acosh", "asin", "asinh", "atan", "atanh"):
        name = "arc" + alias[1:]
        np.testing.assert_array_equal(
            np.array(getattr(mx, alias)(x)), np.array(getattr(mx, name)(x))
        )
    assert mx.atan2(x, x).item() == mx.arctan2(x, x).item()
    assert mx.pow(x, 2).item() == 0.25
    assert mx.bitwise_left_shift(mx.array(1), 3).item() == 8
    assert mx.bitwise_right_shift(mx.array(8), 3).item() == 1
    assert mx.cumulative_sum(mx.array([1, 2])).tolist() == [1, 3]
    assert mx.cumulative_prod(mx.array([1, 2])).tolist() == [1, 2]
    assert mx.empty((2,)).shape == mx.empty_like(mx.ones((2,))).shape == (2,)
    assert bytes(mx.array([1, 2], mx.int16)[::-1]) == b"\x02\x00\x01\x00"
    assert isinstance(iter(x), mx.ArrayIterator)
