"""Arrays and NumPy on one memory: who may write, who sees it, who keeps it alive."""

import concurrent.futures
import gc
import hashlib
import io
import os
import subprocess
import sys
import threading

import ml_dtypes
import numpy as np
import pytest

import nybble.core as mx

DTYPES = "bool_ uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 complex64"


@pytest.mark.parametrize("name", DTYPES.split())
def test_export_is_zero_copy_and_keeps_dtype_and_strides(name):
    a = mx.array([[1, 0, 1], [0, 1, 1]], getattr(mx, name)).T
    view = np.asarray(a)
    assert view.dtype.name == name.rstrip("_")
    assert view.strides == (a.itemsize, 3 * a.itemsize)
    assert view.tolist() == a.tolist()


def test_an_only_owner_is_exported_for_writing():
    a = mx.array([1, 2, 3])
    view = np.asarray(a)
    assert view.flags.writeable
    view[0] = 9
    assert a.tolist() == [9, 2, 3]


def test_a_view_made_while_a_writable_export_lives_is_a_copy():
    a = mx.array([1, 2, 3])
    export = np.asarray(a)
    b, c, d = a[:2], a.reshape(3, 1), a.astype(mx.int32)
    export[0] = 9
    assert a.tolist() == [9, 2, 3]
    assert b.tolist() == [1, 2]
    assert c.tolist() == [[1], [2], [3]]
    assert d.tolist() == [1, 2, 3]


def test_a_live_export_counts_as_an_owner():
    a = mx.array([1, 2, 3])
    export = np.asarray(a)
    a[0] = 9
    assert export.tolist() == [1, 2, 3] and a.tolist() == [9, 2, 3]


def test_shared_and_broadcast_buffers_are_exported_read_only():
    a = mx.array([1, 2, 3])
    b = a[1:]
    assert not np.asarray(a).flags.writeable and not np.asarray(b).flags.writeable
    wide = mx.broadcast_to(mx.array([1]), (3,))
    assert not np.asarray(wide).flags.writeable
    del b
    gc.collect()
    assert np.asarray(a).flags.writeable


def test_an_export_keeps_the_buffer_alive():
    export = np.asarray(mx.arange(100000))
    other = mx.zeros((100000,), mx.int32)
    mx.eval(other)
    np.testing.assert_array_equal(export, np.arange(100000))


def test_memoryview_and_bytes_work():
    a = mx.array([[1, 2], [3, 4]], mx.int16)
    assert memoryview(a).format == "h" and memoryview(a).tolist() == [[1, 2], [3, 4]]
    assert bytes(a) == np.array([[1, 2], [3, 4]], np.int16).tobytes()
    assert memoryview(a.T).tolist() == [[1, 3], [2, 4]]
    assert np.asarray(mx.array(5)).shape == () and memoryview(mx.zeros((0, 3))).shape == (0, 3)


def test_buffers_that_must_be_writable_or_dense_are_refused_when_they_are_not():
    a = mx.array([1, 2, 3])
    keep = a[1:]
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(b"0123").readinto(a)
    assert keep.tolist() == [2, 3]
    with pytest.raises(BufferError, match="contiguous"):
        hashlib.sha256(mx.array([[1, 2], [3, 4]]).T)


def test_bfloat16_leaves_through_ml_dtypes():
    a = mx.array([1.5, -2.0], mx.bfloat16)
    exported = np.asarray(a)
    assert exported.dtype == ml_dtypes.bfloat16
    assert exported.tolist() == [1.5, -2.0]
    with pytest.raises(BufferError, match="bfloat16"):
        memoryview(a)


def test_bfloat16_without_ml_dtypes_is_a_value_error():
    code = (
        "import sys; sys.modules['ml_dtypes'] = None\n"
        "import numpy as np, nybble.core as mx\n"
        "try: np.asarray(mx.array([1.0], mx.bfloat16))\n"
        "except ValueError as e: print('ml_dtypes' in str(e))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_array_protocol_takes_dtype_and_copy():
    a = mx.array([1.0, 2.0])
    assert np.asarray(a, np.float64).dtype == np.float64
    copied = np.array(a, copy=True)
    copied[0] = 9
    assert a.tolist() == [1, 2]
    with pytest.raises(ValueError, match="copy"):
        np.asarray(a, np.float64, copy=False)
    assert a.__array__().tolist() == [1, 2]


def test_dlpack_shares_memory_with_numpy():
    a = mx.array([[1, 2], [3, 4]])
    shared = np.from_dlpack(a)
    assert shared.tolist() == [[1, 2], [3, 4]]


def test_array_of_numpy_copies():
    source = np.arange(4.0, dtype=np.float32)
    a = mx.array(source)
    source[0] = 9
    assert a.tolist() == [0, 1, 2, 3]


def test_asarray_shares_what_nobody_can_write_to():
    source = np.arange(100000.0, dtype=np.float32)
    source.flags.writeable = False
    before = mx.get_active_memory()
    a = mx.asarray(source)
    assert mx.get_active_memory() == before
    assert np.asarray(a).ctypes.data == source.ctypes.data
    a[0] = 5
    assert source[0] == 0 and a[0].item() == 5
    b = mx.asarray(a)
    b[1] = 7
    assert a[1].item() == 1


def test_asarray_copies_what_may_change():
    source = np.arange(4, dtype=np.int32)
    view = source[:]
    view.flags.writeable = False
    for value in (source, view):
        a = mx.asarray(value)
        source[0] += 1
        assert a[0].item() == source[0] - 1
        with pytest.raises(ValueError, match="copy=False"):
            mx.asarray(value, copy=False)
    assert mx.asarray([1, 2], mx.float16).dtype == mx.float16
    with pytest.raises(ValueError, match="copy=False"):
        mx.asarray(mx.array([1]), mx.float32, copy=False)
    assert mx.asarray(mx.array([1]), copy=False).tolist() == [1]
    assert mx.asarray(np.arange(2.0)).dtype == mx.float32


def test_arrays_may_be_replaced_while_another_thread_reads_them():
    """The reader holds its own handle while the GIL is released: no use after free."""
    a = mx.ones((1000, 1000))
    stop = threading.Event()

    def replace():
        nonlocal a
        while not stop.is_set():
            a += 1
            a[0] = 0

    thread = threading.Thread(target=replace)
    thread.start()
    for _ in range(50):
        mx.eval(mx.sum(a * a))
    stop.set()
    thread.join()


def test_deferred_arrays_may_be_asked_for_by_many_threads():
    for _ in range(20):
        a = mx.random.normal((300, 300)).astype(mx.float16)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            sums = list(pool.map(lambda array: array.sum().item(), [a] * 4))
        assert len(set(sums)) == 1


def test_a_forked_child_computes():
    code = (
        "import os, nybble.core as mx\n"
        "a = mx.ones((500, 500)); b = (a @ a).sum().item()\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0 if (a @ a).sum().item() == b else 1)\n"
        "print(os.waitpid(pid, 0)[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "0", done.stderr


@pytest.mark.parametrize("variable", ["NYBBLE_NUM_THREADS", "NYBBLE_SIMD"])
def test_wrong_environment_variables_are_errors_at_import(variable):
    code = "import nybble.core"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, variable: "nonsense"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert variable in done.stderr and "nonsense" in done.stderr
