"""Files in NumPy's formats, against NumPy and MLX."""

import io
import zipfile

import mlx.core as mlx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from io_support import (
    bits,
    dtype_names,
    from_numpy,
    mutate,
    numpy_bits,
    random_numpy,
    seeds,
    shapes,
)

import nybble.core as mx

tensors = st.dictionaries(
    st.text("abc_./é", min_size=1, max_size=6).filter(lambda name: not name.startswith("/")),
    st.tuples(dtype_names, shapes, seeds),
    max_size=4,
)


def load_bytes(contents: bytes, format: str):
    return mx.load(io.BytesIO(contents), format=format)


def saved_by_numpy(x, **options) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, x, **options)
    return file.getvalue()


def header_of(dict_text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(dict_text).to_bytes(2, "little") + dict_text.encode() + data


@given(dtype_names, shapes, seeds)
def test_numpy_reads_what_we_save(name, shape, seed):
    x = random_numpy(name, shape, seed)
    file = io.BytesIO()
    mx.save(file, from_numpy(mx, x, name))
    file.seek(0)
    loaded = np.load(file)
    assert (loaded.dtype, loaded.shape) == (
        np.dtype("V2") if name == "bfloat16" else x.dtype,
        shape,
    )
    assert loaded.tobytes() == x.tobytes()


@given(dtype_names, shapes, seeds, st.sampled_from("CF"), st.sampled_from([(1, 0), (2, 0), (3, 0)]))
def test_we_read_what_numpy_saves(name, shape, seed, order, version):
    x = random_numpy(name, shape, seed)
    loaded = load_bytes(saved_by_numpy(np.array(x, order=order), version=version), "npy")
    assert bits(mx, loaded) == numpy_bits(x, name)


@given(dtype_names.filter(lambda name: name != "bfloat16"), shapes, seeds)
def test_we_read_big_endian_files(name, shape, seed):
    x = random_numpy(name, shape, seed)
    big = x.astype(x.dtype.newbyteorder(">"))
    assert bits(mx, load_bytes(saved_by_numpy(big), "npy")) == numpy_bits(x, name)


@given(name=dtype_names, shape=shapes, seed=seeds)
def test_files_go_to_mlx_and_back(tmp_path_factory, name, shape, seed):
    folder = tmp_path_factory.mktemp("files")
    x = random_numpy(name, shape, seed)
    mx.save(folder / "ours", from_numpy(mx, x, name))
    theirs = mlx.load(str(folder / "ours.npy"))
    assert bits(mlx, theirs) == numpy_bits(x, name)
    mlx.save(str(folder / "theirs"), theirs.T)
    assert bits(mx, mx.load(folder / "theirs.npy").T) == numpy_bits(x, name)


@given(tensors)
def test_archives_go_to_numpy_and_back(specs):
    arrays = {name: random_numpy(*spec) for name, spec in specs.items()}
    expected = {name: numpy_bits(x, specs[name][0]) for name, x in arrays.items()}
    file = io.BytesIO()
    mx.savez(file, **{n: from_numpy(mx, x, specs[n][0]) for n, x in arrays.items()})
    with zipfile.ZipFile(io.BytesIO(file.getvalue())) as archive:
        assert archive.testzip() is None
    loaded = np.load(io.BytesIO(file.getvalue()))
    assert {n: (specs[n][0], loaded[n].shape, loaded[n].tobytes()) for n in loaded} == expected
    for save in (np.savez, np.savez_compressed):
        theirs = io.BytesIO()
        save(theirs, **arrays)
        ours = load_bytes(theirs.getvalue(), "npz")
        assert {name: bits(mx, x) for name, x in ours.items()} == expected


def test_archives_go_to_mlx_and_back(tmp_path):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    mx.savez(tmp_path / "ours", mx.array(x), b=mx.array(x).T)
    theirs = mlx.load(str(tmp_path / "ours.npz"))
    np.testing.assert_array_equal(np.array(theirs["arr_0"]), x)
    np.testing.assert_array_equal(np.array(theirs["b"]), x.T)
    for save in (mlx.savez, mlx.savez_compressed):
        save(str(tmp_path / "theirs"), **theirs)
        ours = mx.load(tmp_path / "theirs.npz")
        np.testing.assert_array_equal(np.array(ours["arr_0"]), x)
        np.testing.assert_array_equal(np.array(ours["b"]), x.T)


def test_positional_arrays_get_numbered_names(tmp_path):
    mx.savez(tmp_path / "x.npz", mx.ones(1), mx.ones(2), last=mx.ones(3))
    shapes = {name: a.shape for name, a in mx.load(tmp_path / "x.npz").items()}
    assert shapes == {"last": (3,), "arr_0": (1,), "arr_1": (2,)}
    with pytest.raises(ValueError, match=r"\[savez\] positional array 0 would be named 'arr_0'"):
        mx.savez(tmp_path / "y", mx.ones(1), arr_0=mx.ones(1))
    assert not (tmp_path / "y.npz").exists()


def test_archives_decompress_at_first_use(tmp_path):
    np.savez_compressed(tmp_path / "z.npz", a=np.zeros(1_000_000, np.float32), b=np.ones(3))
    before = mx.get_active_memory()
    loaded = mx.load(tmp_path / "z.npz")
    assert mx.get_active_memory() == before
    assert np.array(loaded["b"]).tolist() == [1, 1, 1]
    assert mx.get_active_memory() < before + 100_000
    assert not np.array(loaded["a"]).any()
    assert mx.get_active_memory() >= before + 4_000_000


def test_damaged_compressed_data_are_an_error_at_first_use(tmp_path):
    path = tmp_path / "z.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).random(10_000))
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 0xFF
    path.write_bytes(contents)
    loaded = mx.load(path)
    with pytest.raises(RuntimeError, match=r"\[load\] .*z.npz' is damaged: .*member 'a.npy'"):
        mx.eval(loaded["a"])


def test_arrays_that_follow_each_other_in_a_file_are_read_one_by_one():
    file = io.BytesIO()
    mx.save(file, mx.arange(3))
    np.save(file, np.ones((2, 2), np.float32))
    file.seek(0)
    assert mx.load(file, "npy").tolist() == [0, 1, 2]
    assert mx.load(file, "npy").tolist() == [[1, 1], [1, 1]]
    assert file.read() == b""


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.array([{}], object), "pickled Python objects"),
        (np.zeros(2, [("a", "i4")]), "structured elements"),
        (np.array(["a"]), "elements of NumPy type '<U1'"),
        (np.zeros(2, "M8[s]"), r"elements of NumPy type '<M8\[s\]'"),
        (np.zeros(2, complex), "elements of NumPy type '<c16'"),
        (np.zeros(2, np.longdouble), "elements of NumPy type '<f16'"),
        (np.zeros(2, "V3"), r"elements of NumPy type '\|V3'"),
    ],
)
def test_elements_that_no_dtype_holds_are_refused(x, text):
    with pytest.raises(ValueError, match=text + ", which no dtype can hold"):
        load_bytes(saved_by_numpy(x), "npy")


GOOD = "{'descr': '<u1', 'fortran_order': False, 'shape': (2,), }"


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (b"", "does not begin like an .npy file"),
        (b"\x93NUMPX\x01\x00" + b" " * 20, "does not begin like an .npy file"),
        (b"\x93NUMPY\x09\x00" + b" " * 20, "is an .npy file of version 9, only 1 to 3 are known"),
        (header_of(GOOD)[:40], "ends within its .npy header"),
        (header_of(GOOD, b"x"), r"has 1 bytes of elements, but uint8 of shape \(2,\) takes 2"),
        (header_of("()" + " " * 9), "is malformed"),
        (header_of(GOOD.replace("(2,)", "(-2,)"), b"xx"), "has a length that is none"),
        (header_of(GOOD.replace("(2,)", f"({2**40}, {2**40})"), b"xx"), "more bytes than can be"),
        (header_of(GOOD.replace("'shape'", "'shapes'"), b"xx"), "has an unknown or repeated key"),
        (header_of(GOOD.replace("False", "0"), b"xx"), "is malformed"),
        (header_of(GOOD + "; 1", b"xx"), "has something after its dict"),
    ],
)
def test_malformed_npy_files_are_refused_with_the_reason(contents, text):
    with pytest.raises(RuntimeError, match=rf"^\[load\] .*{text}"):
        load_bytes(contents, "npy")


def test_members_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones(2))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("note.txt", "hello, this is no array")
    with pytest.raises(RuntimeError, match=r"x\.npz/note\.txt' does not begin like an \.npy file"):
        mx.load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", saved_by_numpy(np.ones(2)))
    with pytest.raises(
        ValueError, match=r"member 'a\.npy' is compressed by method 14, only stored"
    ):
        mx.load(path)
    path.write_bytes(b"not a zip file at all, but long enough")
    with pytest.raises(RuntimeError, match=r"x\.npz' is not a zip archive"):
        mx.load(path)


def originals() -> list[tuple[str, bytes]]:
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.ones(2, bool)}
    files = [("npy", saved_by_numpy(arrays["a"])), ("npy", saved_by_numpy(arrays["a"].T))]
    for save in (np.savez, np.savez_compressed, mx.savez):
        library = mx if save is mx.savez else np
        file = io.BytesIO()
        save(file, **{name: library.array(x) for name, x in arrays.items()})
        files.append(("npz", file.getvalue()))
    return files


@pytest.mark.parametrize("index", range(5))
def test_mutated_files_load_as_numpy_reads_them_or_raise(tmp_path, index):
    format, whole = originals()[index]
    rng = np.random.default_rng(index)
    outcomes = {True: 0, False: 0}
    for i in range(600):
        contents = mutate(rng, whole)
        path = tmp_path / f"{i}.{format}"
        path.write_bytes(contents)
        try:
            ours = mx.load(path)
            mx.eval(ours)
        except (RuntimeError, ValueError):
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        for name, x in ours.items() if format == "npz" else [("", ours)]:
            try:
                theirs = np.load(io.BytesIO(contents))
                theirs = theirs[name] if format == "npz" else theirs
            except Exception:
                continue  # NumPy may be stricter, for example about padding
            assert theirs.shape == x.shape
            if theirs.dtype.kind in "iuf":
                assert theirs.astype(theirs.dtype.newbyteorder("<")).tobytes() == bits(mx, x)[2]
    assert min(outcomes.values()) > 20


def test_compressed_npz_is_smaller_and_holds_the_same(tmp_path):
    arrays = {"zeros": mx.zeros((100, 100)), "ints": mx.arange(10)}
    mx.savez(tmp_path / "plain.npz", **arrays)
    mx.savez_compressed(tmp_path / "small", mx.ones(3), **arrays)
    assert (tmp_path / "small.npz").stat().st_size < (tmp_path / "plain.npz").stat().st_size / 10
    for loaded in (mx.load(tmp_path / "small.npz"), np.load(tmp_path / "small.npz")):
        assert np.array_equal(np.array(loaded["zeros"]), np.zeros((100, 100)))
        assert np.array(loaded["arr_0"]).tolist() == [1, 1, 1]
        assert np.array(loaded["ints"]).tolist() == list(range(10))
