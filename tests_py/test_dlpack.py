"""DLPack, pickles and copies: who owns the memory, who may write to it."""

from __future__ import annotations

import copy
import ctypes
import gc
import multiprocessing
import pickle

import mlx.core as mlx
import numpy as np
import pytest

import nybble.core as mx

mlx.set_default_device(mlx.cpu)

DTYPES = "bool_ uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 complex64"


class Exporter:
    """Hides all of an object but its DLPack methods; an old one knows no max_version."""

    def __init__(self, source, old=False):
        self.source, self.old = source, old

    def __dlpack__(self, **kwargs):
        if self.old and kwargs:
            raise TypeError("unexpected keyword")
        return self.source.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.source.__dlpack_device__()


@pytest.mark.parametrize("name", DTYPES.split())
def test_numpy_takes_our_memory(name):
    a = mx.array([[1, 0, 1], [0, 1, 1]], getattr(mx, name))
    view = np.from_dlpack(a)
    assert view.dtype.name == name.rstrip("_") and view.tolist() == a.tolist()
    assert view.ctypes.data == np.asarray(a).ctypes.data
    del view
    turned = np.from_dlpack(a.T)
    assert turned.strides == (a.itemsize, 3 * a.itemsize) and turned.tolist() == a.T.tolist()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", [*DTYPES.split(), "bfloat16"])
def test_arrays_come_back(name, old):
    a = mx.array([[1, 0, 1], [0, 1, 1]], getattr(mx, name))
    for value in (a, a.T, a[:, ::2], a[::-1], a[:0], mx.array(1, getattr(mx, name))):
        back = mx.from_dlpack(Exporter(value, old))
        assert back.dtype == (mx.float32 if name == "float64" else a.dtype)
        assert back.shape == value.shape and mx.array_equal(back, value).item()


def test_mlx_and_numpy_arrays_come_in():
    for value in (mlx.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T):
        assert mx.from_dlpack(value).tolist() == value.tolist()
    assert mx.array(Exporter(mlx.array([1.5, 2], mlx.bfloat16))).dtype == mx.bfloat16
    assert mx.array(Exporter(np.arange(2.0))).dtype == mx.float32
    assert mx.array(Exporter(np.arange(2)), mx.int8).dtype == mx.int8
    doubled = mx.array(Exporter(np.array([0.1, 2])), mx.float64)
    assert doubled.dtype == mx.float64 and doubled.tolist() == [0.1, 2]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", ["float64", "complex128"])
def test_double_precision_is_halved_as_mlx_does(name, old):
    source = np.arange(24).reshape(2, 3, 4) * (1 / 3 if name == "float64" else 1 / 3 + 1j)
    for value in (source, source.T, source[:, ::2], source[::-1], source[:0], source[1, 2, 3:]):
        for copied in (None, True):
            ours = mx.from_dlpack(Exporter(value, old), copy=copied)
            theirs = mlx.from_dlpack(value.copy())  # without negative strides, which it refuses
            assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
            assert ours.shape == theirs.shape and ours.tolist() == theirs.tolist()
        assert mx.array(Exporter(value, old)).tolist() == mx.array(value).tolist()
        with pytest.raises(ValueError, match="copy=False"):
            mx.from_dlpack(Exporter(value, old), copy=False)


def test_only_read_only_memory_is_shared_unless_told():
    source = np.arange(4, dtype=np.int32)
    copied = mx.from_dlpack(source)
    shared = mx.from_dlpack(source, copy=False)
    source[0] = 9
    assert copied.tolist() == [0, 1, 2, 3] and shared.tolist() == [9, 1, 2, 3]
    shared[1] = 7
    assert source.tolist() == [9, 1, 2, 3] and shared.tolist() == [9, 7, 2, 3]
    source.flags.writeable = False
    kept = mx.from_dlpack(source)
    assert np.asarray(kept).ctypes.data == source.ctypes.data
    always = mx.from_dlpack(source, copy=True)
    assert np.asarray(always).ctypes.data != source.ctypes.data


def test_an_imported_array_keeps_its_source_alive():
    shared = mx.from_dlpack(np.full(100000, 7.0, np.float32), copy=False)
    gc.collect()
    other = np.full(100000, 1.0, np.float32)
    assert shared.sum().item() == 700000 and other[0] == 1


def test_a_writable_export_counts_as_a_writer():
    a = mx.array([1, 2, 3])
    view = np.from_dlpack(a)
    b = a[:2]
    assert view.flags.writeable
    view[0] = 9
    assert a.tolist() == [9, 2, 3] and b.tolist() == [1, 2]
    a[1] = 5
    assert view.tolist() == [9, 2, 3]
    del view
    gc.collect()
    assert np.asarray(b).ctypes.data != np.asarray(a).ctypes.data


def test_shared_memory_is_exported_read_only():
    a = mx.array([1, 2, 3])
    b = a[1:]
    assert not np.from_dlpack(a).flags.writeable and not np.from_dlpack(b).flags.writeable
    old = mx.from_dlpack(Exporter(b, old=True), copy=False)
    assert old.tolist() == [2, 3]
    with pytest.raises(BufferError, match="read-only"):
        b.__dlpack__(copy=False)
    copied = np.from_dlpack(a, copy=True)
    copied[0] = 9
    assert a.tolist() == [1, 2, 3] and copied.flags.writeable


def test_capsules_that_nobody_takes_are_freed():
    gc.collect()
    before = mx.get_active_memory()
    for version in (None, (1, 0)):
        a = mx.ones((100000,))
        mx.eval(a)
        capsule = a.__dlpack__(max_version=version)
        del a, capsule
    gc.collect()
    assert mx.get_active_memory() == before


def test_wrong_requests():
    a = mx.array([1, 2])
    assert a.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="CPU"):
        a.__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="stream"):
        a.__dlpack__(stream=1)
    with pytest.raises(TypeError, match="__dlpack__"):
        mx.from_dlpack([1, 2])
    with pytest.raises(TypeError):
        mx.from_dlpack(a, True)

    class OnAnotherDevice(Exporter):
        def __dlpack_device__(self):
            return (2, 0)

    with pytest.raises(ValueError, match="device of type 2"):
        mx.from_dlpack(OnAnotherDevice(a))


def test_a_capsule_serves_once():
    capsule = mx.array([1, 2]).__dlpack__()

    class Once(Exporter):
        def __dlpack__(self, **kwargs):
            return capsule

    once = Once(mx.array([1]))
    assert mx.from_dlpack(once).tolist() == [1, 2]
    with pytest.raises((ValueError, TypeError)):
        mx.from_dlpack(once)


def test_unaligned_memory_is_copied():
    raw = bytearray(b"\0" + np.arange(4, dtype=np.int32).tobytes())
    address = ctypes.addressof(ctypes.c_char.from_buffer(raw))
    source = np.frombuffer(raw, np.uint8)[1:].view(np.int32)
    if address % 4 == 3:
        pytest.skip("happens to be aligned")
    assert mx.from_dlpack(source).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="aligned"):
        mx.from_dlpack(source, copy=False)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", [*DTYPES.split(), "bfloat16"])
def test_pickles_keep_dtype_shape_and_bits(name, protocol):
    a = mx.array([[1, 0, 1], [0, 1, 1]], getattr(mx, name))
    for value in (a, a.T, a[:, 1], a[:0], mx.array(1, getattr(mx, name))):
        back = pickle.loads(pickle.dumps(value, protocol))
        assert back.dtype == value.dtype and back.shape == value.shape
        assert mx.array_equal(back, value).item()
        back += back if name != "bool_" else mx.array(True)


def test_views_are_pickled_without_what_they_do_not_see():
    a = mx.zeros((1000, 1000))
    assert len(pickle.dumps(a[:2, :2], 5)) < 1000


def test_out_of_band_buffers_are_not_copied():
    a = mx.arange(100000)
    buffers = []
    data = pickle.dumps(a, 5, buffer_callback=buffers.append)
    assert len(data) < 1000 and len(buffers) == 1
    assert buffers[0].raw().nbytes == a.nbytes
    frozen = bytes(buffers[0].raw())
    back = pickle.loads(data, buffers=[frozen])
    assert np.asarray(back).ctypes.data == np.frombuffer(frozen, np.uint8).ctypes.data
    back[0] = 5
    assert a[0].item() == 0 and np.frombuffer(frozen, np.int32)[0] == 0
    mine = bytearray(frozen)
    copied = pickle.loads(data, buffers=[mine])
    mine[0] = 1
    assert copied[0].item() == 0


def test_copies_are_values_of_their_own():
    a = mx.array([1, 2, 3], mx.bfloat16)
    for b in (copy.copy(a), copy.deepcopy(a), copy.deepcopy({"a": [a]})["a"][0]):
        b[0] = 9
        assert a.tolist() == [1, 2, 3] and b.tolist() == [9, 2, 3]


def double(x):
    return x * 2


def test_other_processes_take_and_give_arrays():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(double, [mx.array([1, 2]), mx.array([1.5], mx.bfloat16)])[1].tolist() == [3]
