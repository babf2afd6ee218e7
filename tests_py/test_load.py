"""load and save: formats, file objects, deferred reading, and files that are whole or not there."""

import gc
import io
import os
import pathlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from io_support import files_limited_to

import nybble.core as mx

MEGABYTE = 1 << 20
SAVES = {
    "npy": lambda file, a: mx.save(file, a),
    "npz": lambda file, a: mx.savez(file, x=a),
    "safetensors": lambda file, a: mx.save_safetensors(file, {"x": a}),
}
formats = pytest.mark.parametrize("format", SAVES)


def load_one(file, format=None):
    loaded = mx.load(file, format)
    return loaded["x"] if isinstance(loaded, dict) else loaded


@formats
def test_names_may_be_str_or_path_and_get_their_suffix(tmp_path, format):
    a = mx.arange(5)
    for name in (str(tmp_path / "a"), tmp_path / "b", str(tmp_path / f"c.{format}")):
        SAVES[format](name, a)
    assert sorted(os.listdir(tmp_path)) == [f"{stem}.{format}" for stem in "abc"]
    for name in (tmp_path / f"a.{format}", str(tmp_path / f"b.{format}")):
        assert load_one(name).tolist() == [0, 1, 2, 3, 4]


@formats
def test_the_format_may_differ_from_the_suffix(tmp_path, format):
    SAVES[format](tmp_path / "a", mx.arange(3))
    (tmp_path / f"a.{format}").rename(tmp_path / "a.bin")
    assert load_one(tmp_path / "a.bin", format).tolist() == [0, 1, 2]
    with pytest.raises(
        ValueError, match="the format 'bin' is not supported, expected npy, npz, safetensors"
    ):
        mx.load(tmp_path / "a.bin")


@formats
def test_file_objects_are_read_and_written_directly(tmp_path, format):
    a = mx.arange(6).reshape(2, 3)
    file = io.BytesIO()
    SAVES[format](file, a.T)
    end = file.tell()
    assert end == len(file.getvalue())
    file.seek(0)
    loaded = load_one(file, format)
    assert file.tell() == end
    assert loaded.tolist() == a.T.tolist()
    with open(tmp_path / f"f.{format}", "wb") as opened:
        SAVES[format](opened, a)
    with open(tmp_path / f"f.{format}", "rb") as opened:
        loaded = load_one(opened)
    assert loaded.tolist() == a.tolist()


@formats
def test_file_names_may_hold_any_bytes(tmp_path, format):
    name = os.path.join(os.fsencode(tmp_path), b"\xff.").decode("utf8", "surrogateescape") + format
    SAVES[format](name, mx.arange(3))
    assert load_one(name).tolist() == [0, 1, 2]
    os.remove(name)
    with pytest.raises(RuntimeError, match=r"\\xff.* No such file or directory"):
        mx.load(name)


@formats
def test_unbuffered_and_text_files_are_handled(tmp_path, format):
    path = tmp_path / f"f.{format}"
    with open(path, "wb", buffering=0) as opened:
        SAVES[format](opened, mx.arange(3))
    with open(path, "rb", buffering=0) as opened:
        assert load_one(opened).tolist() == [0, 1, 2]
    with (
        open(path, encoding="latin1") as opened,
        pytest.raises(ValueError, match="gives str, expected bytes: open it in binary mode"),
    ):
        mx.load(opened)
    with pytest.raises(TypeError):
        SAVES[format](io.StringIO(), mx.arange(3))


class FailingFile:
    name = "f.npy"

    def write(self, data):
        raise OSError(28, "No space left on device")

    def read(self, count):
        raise OSError(5, "Input/output error")

    def tell(self):
        return 0

    def seek(self, position, whence=0):
        return 100


class ShortFile(FailingFile):
    def write(self, data):
        return None

    def read(self, count):
        return b""


@formats
def test_errors_of_file_objects_come_through(format):
    with pytest.raises(OSError, match="No space left"):
        SAVES[format](FailingFile(), mx.ones(3))
    with pytest.raises(OSError, match="Input/output error"):
        mx.load(FailingFile(), format)
    with pytest.raises(RuntimeError, match="the file object took 0 of"):
        SAVES[format](ShortFile(), mx.ones(3))
    with pytest.raises(RuntimeError, match="the file object ended after 0 of 100 bytes"):
        mx.load(ShortFile(), format)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: mx.load("x"),
            ValueError,
            "[load] the name 'x' has no suffix that tells the format",
        ),
        (
            lambda: mx.load("x.ggml"),
            ValueError,
            "[load] the format 'ggml' is not supported, expected",
        ),
        (lambda: mx.load(io.BytesIO()), ValueError, "[load] the name '' has no suffix"),
        (lambda: mx.load(3), ValueError, "[load] cannot load from a value of type int, expected"),
        (
            lambda: mx.load("a\0.npy"),
            ValueError,
            r"[load] the file name 'a\x00.npy' holds a zero byte",
        ),
        (lambda: mx.load("none.npy"), RuntimeError, "[load] cannot open 'none.npy': No such file"),
        (lambda: mx.load("none.npz"), RuntimeError, "[load] cannot open 'none.npz': No such file"),
        (
            lambda: mx.load("none.safetensors"),
            RuntimeError,
            "[load] cannot open 'none.safetensors': No such file",
        ),
        (
            lambda: mx.load("x.npy", return_metadata=True),
            ValueError,
            "[load] return_metadata works for safetensors and gguf only",
        ),
        (lambda: mx.save(3, mx.ones(1)), ValueError, "[save] cannot save to a value of type int"),
        (lambda: mx.save("x", [1, 2]), TypeError, ""),
        (
            lambda: mx.savez("x", [1]),
            TypeError,
            "[savez] 'arr_0' is a value of type list, expected an array",
        ),
        (
            lambda: mx.save_safetensors("x", {"w": 3}),
            TypeError,
            "[save_safetensors] 'w' is a value of type int, expected an array",
        ),
        (
            lambda: mx.save_safetensors("x", {1: mx.ones(1)}),
            TypeError,
            "[save_safetensors] a name is a value of type int, expected a str",
        ),
        (
            lambda: mx.save_safetensors("x", {"w": mx.ones(1)}, {"k": 1}),
            ValueError,
            "[save_safetensors] metadata holds a str with a value of type int, expected str",
        ),
        (
            lambda: mx.save_safetensors("x", {"__metadata__": mx.ones(1)}),
            ValueError,
            "[save_safetensors] an array cannot be named '__metadata__'",
        ),
        (
            lambda: mx.save("none/x.npy", mx.ones(1)),
            RuntimeError,
            "[save] cannot create a file in 'none/': No such file or directory",
        ),
    ],
)
def test_errors_name_what_came_and_leave_no_file(tmp_path, monkeypatch, call, error, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match="^" + re.escape(text)):
        call()
    assert os.listdir(tmp_path) == []


@formats
def test_loading_allocates_nothing(tmp_path, format):
    path = tmp_path / f"x.{format}"
    SAVES[format](path, mx.zeros((4 * MEGABYTE,)))
    gc.collect()
    before = mx.get_active_memory()
    loaded = load_one(path)
    assert mx.get_active_memory() == before
    assert float(loaded.sum()) == 0.0
    assert mx.get_active_memory() - before < 1000  # mapped, so not even when it is used


def test_data_that_cannot_be_mapped_are_copied_at_first_use(tmp_path):
    path = tmp_path / "x.npy"
    x = np.arange(MEGABYTE, dtype=np.float32)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,)}" % x.size
    header += b" " * (3 - (10 + len(header)) % 4)  # data one byte before a multiple of four
    path.write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + x.tobytes())
    before = mx.get_active_memory()
    loaded = mx.load(path)
    assert mx.get_active_memory() == before
    np.testing.assert_array_equal(np.array(loaded), x)
    assert mx.get_active_memory() - before >= x.nbytes


@formats
def test_a_loaded_array_is_written_to_only_as_a_copy(tmp_path, format):
    path = tmp_path / f"x.{format}"
    SAVES[format](path, mx.zeros((4,)))
    contents = path.read_bytes()
    loaded = load_one(path)
    assert not np.asarray(loaded).flags.writeable
    loaded[1] = 5.0
    assert loaded.tolist() == [0, 5, 0, 0]
    assert path.read_bytes() == contents
    assert load_one(path).tolist() == [0, 0, 0, 0]


@formats
@pytest.mark.parametrize("touched", [False, True])
def test_arrays_survive_their_file(tmp_path, format, touched):
    path = tmp_path / f"x.{format}"
    SAVES[format](path, mx.arange(100_000))
    loaded = load_one(path)
    if touched:
        mx.eval(loaded)
    SAVES[format](path, loaded + 1)  # over the file it is mapped from
    replaced = load_one(path)
    path.unlink()
    assert loaded[-1].item() == 99_999
    assert replaced[-1].item() == 100_000


@formats
def test_a_file_that_was_cut_is_an_error_at_first_use(tmp_path, format):
    path = tmp_path / f"x.{format}"
    SAVES[format](path, mx.arange(100_000))
    loaded = load_one(path)
    os.truncate(path, 50_000)
    for _ in range(2):
        with pytest.raises(
            RuntimeError, match=r"was cut from \d+ to 50000 bytes after it was loaded"
        ):
            loaded.tolist()
    with pytest.raises(RuntimeError):
        mx.load(path)  # what is left shows it at once


@formats
@pytest.mark.parametrize("old", [None, b"old contents"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, format, old):
    path = tmp_path / f"x.{format}"
    if old is not None:
        path.write_bytes(old)
    for size in (1000, 1_000_000):  # fails in the last step, fails while writing
        with (
            files_limited_to(500),
            pytest.raises(
                RuntimeError, match=r"^\[save.* cannot write .*: File too large\. Nothing"
            ),
        ):
            SAVES[format](path, mx.zeros((size,), mx.int8))
    assert os.listdir(tmp_path) == ([] if old is None else [path.name])
    assert old is None or path.read_bytes() == old


@formats
def test_a_full_device_is_an_error(tmp_path, format):
    link = tmp_path / f"full.{format}"
    link.symlink_to("/dev/full")
    with pytest.raises(RuntimeError, match="No space left on device"):
        SAVES[format](link, mx.ones((10,)))
    assert pathlib.Path("/dev/full").is_char_device()


@formats
def test_an_error_of_a_deferred_array_leaves_the_old_file(tmp_path, format):
    source = tmp_path / "source.npy"
    mx.save(source, mx.ones((10_000,)))
    broken = mx.load(source)
    os.truncate(source, 1000)
    path = tmp_path / f"x.{format}"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="was cut"):
        SAVES[format](path, broken)
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == sorted(["source.npy", path.name])


@formats
def test_saving_a_large_strided_array_makes_no_copy_of_it(tmp_path, format):
    a = mx.zeros((4096, 4096)).T
    mx.eval(a)
    gc.collect()
    mx.reset_peak_memory()
    SAVES[format](tmp_path / "x", a)
    assert mx.get_peak_memory() - mx.get_active_memory() <= 8 * MEGABYTE
    assert load_one(tmp_path / f"x.{format}").shape == (4096, 4096)


def test_threads_may_use_one_loaded_array(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=np.arange(300_000))
    for _ in range(20):
        loaded = mx.load(tmp_path / "x.npz")["x"]
        with ThreadPoolExecutor(4) as pool:
            sums = list(pool.map(lambda a: int(np.array(a).sum()), [loaded] * 4))
        assert sums == [sum(range(300_000))] * 4


def test_other_threads_may_change_what_is_being_saved(tmp_path):
    a = mx.zeros((1000, 1000))
    stop = threading.Event()

    def write():
        while not stop.is_set():
            a[0] = a[0] + 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(10):
            mx.savez(tmp_path / "a", a=a.T)
            row = np.array(mx.load(tmp_path / "a.npz")["a"])[:, 0]
            assert (row == row[0]).all()  # one moment of it, and the checksum is right
    finally:
        stop.set()
        thread.join()
