"""Files in the safetensors format, against its reference implementation and MLX."""

import io
import json
import struct

import mlx.core as mlx
import numpy as np
import pytest
import safetensors
import safetensors.numpy
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

NAMES = {
    "BOOL": "bool_",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
CODES = {name: code for code, name in NAMES.items()}

tensors = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
        lambda name: name != "__metadata__"
    ),
    st.tuples(dtype_names, shapes, seeds),
    max_size=6,
)


def pack(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(begin: int, end: int, shape=None, dtype="U8", **more) -> dict:
    shape = [end - begin] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


def load_bytes(contents: bytes):
    return mx.load(io.BytesIO(contents), format="safetensors")


@given(tensors, st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.just("é\n")))
def test_the_reference_reads_what_we_write(specs, metadata):
    arrays = {name: random_numpy(*spec) for name, spec in specs.items()}
    file = io.BytesIO()
    ours = {name: from_numpy(mx, x, specs[name][0]) for name, x in arrays.items()}
    mx.save_safetensors(file, ours, metadata)
    read = {
        name: (NAMES[entry["dtype"]], tuple(entry["shape"]), bytes(entry["data"]))
        for name, entry in safetensors.deserialize(file.getvalue())
    }
    assert read == {name: numpy_bits(x, specs[name][0]) for name, x in arrays.items()}
    header = json.loads(file.getvalue()[8:][: struct.unpack("<Q", file.getvalue()[:8])[0]])
    assert header.get("__metadata__", {}) == metadata


@given(tensors)
def test_we_read_what_the_reference_writes(specs):
    arrays = {name: random_numpy(*spec) for name, spec in specs.items()}
    loaded = load_bytes(safetensors.numpy.save(arrays))
    assert {name: bits(mx, x) for name, x in loaded.items()} == {
        name: numpy_bits(x, specs[name][0]) for name, x in arrays.items()
    }


@given(specs=tensors)
def test_files_go_to_mlx_and_back(tmp_path_factory, specs):
    folder = tmp_path_factory.mktemp("files")
    specs = {name: spec for name, spec in specs.items() if spec[0] != "float64"}  # MLX has none
    arrays = {name: random_numpy(*spec) for name, spec in specs.items()}
    expected = {name: numpy_bits(x, specs[name][0]) for name, x in arrays.items()}
    mx.save_safetensors(
        folder / "ours", {n: from_numpy(mx, x, specs[n][0]) for n, x in arrays.items()}
    )
    theirs = mlx.load(str(folder / "ours.safetensors"))
    assert {name: bits(mlx, x) for name, x in theirs.items()} == expected
    mlx.save_safetensors(str(folder / "theirs"), theirs)
    ours = mx.load(folder / "theirs.safetensors")
    assert {name: bits(mx, x) for name, x in ours.items()} == expected


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0"])
def test_codes_of_8_bit_floats_become_uint8(dtype):
    loaded = load_bytes(pack({"a": tensor(0, 3, dtype=dtype)}, b"\x01\x80\xff"))
    assert loaded["a"].dtype == mx.uint8
    assert loaded["a"].tolist() == [1, 128, 255]


@pytest.mark.parametrize("pad", range(8))
@pytest.mark.parametrize("name", ["float16", "float32", "float64", "complex64", "int64"])
def test_data_may_lie_at_any_offset(tmp_path, name, pad):
    x = random_numpy(name, (3, 5), seed=pad)
    header = json.dumps(
        {
            "odd": tensor(0, 1),
            "x": tensor(1, 1 + x.nbytes, x.shape, CODES[name]),
        }
    ).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(pack(header + b" " * pad, b"?" + x.tobytes()))
    assert bits(mx, mx.load(path)["x"]) == numpy_bits(x, name)


def test_strided_arrays_are_written_densely(tmp_path):
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    a = mx.array(x)
    views = {"t": a.T, "s": a[::2, 1::3], "r": a[::-1], "b": mx.broadcast_to(a[:1], (3, 6))}
    mx.save_safetensors(tmp_path / "v", views)
    loaded = mx.load(tmp_path / "v.safetensors")
    expected = {"t": x.T, "s": x[::2, 1::3], "r": x[::-1], "b": np.broadcast_to(x[:1], (3, 6))}
    for name, y in expected.items():
        np.testing.assert_array_equal(np.array(loaded[name]), y)


def test_metadata_come_back(tmp_path):
    mx.save_safetensors(tmp_path / "m", {"a": mx.ones(2)}, {"format": "mlx", "": "é"})
    arrays, metadata = mx.load(tmp_path / "m.safetensors", return_metadata=True)
    assert list(arrays) == ["a"] and metadata == {"format": "mlx", "": "é"}


def test_arrays_come_in_the_order_of_their_data():
    header = {"z": tensor(0, 1), "b": tensor(2, 3), "a": tensor(1, 2)}
    assert list(load_bytes(pack(header, b"zab"))) == ["z", "a", "b"]


A = tensor(0, 1)
MALFORMED = {
    "no length": (b"\x08\0\0", "has 3 bytes, a safetensors file has at least 10"),
    "length beyond the limit": (
        struct.pack("<Q", 100_000_001) + b"{}",
        "claims a safetensors header of 100000001 bytes, at most 100000000",
    ),
    "length beyond the file": (
        struct.pack("<Q", 1000) + b"{}",
        "claims a safetensors header of 1000 bytes, but ends after 2",
    ),
    "no header": (pack(b""), "is not JSON"),
    "not JSON": (pack(b'{"a":'), "is not JSON from byte 6 on"),
    "text behind": (pack(b"{}x"), "is not JSON from byte 3 on"),
    "zeros behind": (pack(b"{}\0\0"), "is not JSON from byte 3 on"),
    "not UTF-8": (pack(b'{"\xff":1}'), "is not JSON"),
    "a list": (pack([]), "is a list, expected an object"),
    "a number": (pack(1), "is a number, expected an object"),
    "tensor a list": (pack({"a": []}), "has a list for 'a', expected an object"),
    "tensor null": (pack({"a": None}), "has null for 'a', expected an object"),
    "metadata a text": (pack({"__metadata__": "x"}), "has a text for '__metadata__', expected an"),
    "metadata of numbers": (
        pack({"__metadata__": {"k": 1}}),
        "has a number for 'k' in its metadata, expected a text",
    ),
    "metadata nested": (pack({"__metadata__": {"k": {}}}), "has an object for 'k' in its metadata"),
    "metadata key twice": (
        pack(b'{"__metadata__":{"k":"1","k":"2"}}'),
        "has the key 'k' twice in its metadata",
    ),
    "metadata twice": (
        pack(b'{"__metadata__":{},"__metadata__":{}}'),
        "has two entries named '__metadata__'",
    ),
    "name twice": (
        pack(b'{"a":%s,"a":%s}' % ((json.dumps(A).encode(),) * 2), b"x"),
        "has two entries named 'a'",
    ),
    "field twice": (
        pack(b'{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"),
        "has the field 'dtype' twice in tensor 'a'",
    ),
    "no shape": (
        pack({"a": {"dtype": "U8", "data_offsets": [0, 1]}}, b"x"),
        "has no 'shape' for tensor 'a'",
    ),
    "dtype a number": (
        pack({"a": tensor(0, 1, dtype=8)}, b"x"),
        "has a number for 'dtype' of tensor 'a', expected a text",
    ),
    "unknown dtype": (pack({"a": tensor(0, 1, dtype="F4")}, b"x"), "has dtype 'F4', which is not"),
    "shape a number": (
        pack({"a": tensor(0, 1, shape=1)}, b"x"),
        "has a number for 'shape' of tensor 'a', expected a list",
    ),
    "negative length": (
        pack({"a": tensor(0, 1, shape=[-1])}, b"x"),
        "has a negative number in 'shape' of tensor 'a', expected lengths",
    ),
    "fractional length": (
        pack({"a": tensor(0, 1, shape=[1.0])}, b"x"),
        "has the number 1.0 in 'shape' of tensor 'a', expected lengths",
    ),
    "nested shape": (pack({"a": tensor(0, 1, shape=[[1]])}, b"x"), "has a list in 'shape' of"),
    "too many dimensions": (
        pack({"a": tensor(0, 1, shape=[1] * 17)}, b"x"),
        "gives tensor 'a' more than 16 dimensions",
    ),
    "overflowing shape": (
        pack({"a": tensor(0, 0, shape=[2**32, 2**32])}),
        "has a shape with more bytes than can be counted",
    ),
    "overflow wrapping to the size": (
        pack({"a": tensor(0, 4, shape=[2**62 + 1], dtype="F32")}, b"xxxx"),
        "has a shape with more bytes than can be counted",
    ),
    "overflow beside a zero": (
        pack({"a": tensor(0, 0, shape=[0, 2**62, 4])}),
        "has a shape with more bytes than can be counted",
    ),
    "length of 64 bits": (
        pack({"a": tensor(0, 1, shape=[2**64 - 1])}, b"x"),
        "has a shape with more bytes than can be counted",
    ),
    "one offset": (
        pack({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}}, b"x"),
        "has 1 data_offsets for tensor 'a', expected two",
    ),
    "three offsets": (
        pack({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}}, b"x"),
        "has a number in 'data_offsets' of tensor 'a', expected two offsets",
    ),
    "reversed offsets": (
        pack({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 0]}}, b"x"),
        r"has data_offsets \[0, 0\], but U8 of shape \(1,\) takes 1 bytes",
    ),
    "too few bytes": (
        pack({"a": tensor(0, 7, shape=[2], dtype="F32")}, b"x" * 7),
        r"has data_offsets \[0, 7\], but F32 of shape \(2,\) takes 8 bytes",
    ),
    "beyond the file": (
        pack({"a": tensor(0, 2)}, b"x"),
        "ends at byte 2 of the data, but the file has only 1: it is incomplete",
    ),
    "overlap": (
        pack({"a": tensor(0, 2), "b": tensor(1, 3)}, b"xyz"),
        "tensor 'b' in 'file object' begins at byte 1 of the data, but the one before it ends at 2",
    ),
    "gap": (
        pack({"a": A, "b": tensor(2, 3)}, b"xyz"),
        "begins at byte 2 of the data, but the one before it ends at 1",
    ),
    "gap at the start": (pack({"a": tensor(1, 2)}, b"xy"), "begins at byte 1 of the data"),
    "data behind": (pack({"a": A}, b"xy"), "has 2 bytes of data, but its tensors only 1"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_refused_with_the_reason(case):
    contents, text = MALFORMED[case]
    with pytest.raises(RuntimeError, match=rf"^\[load\] .*{text}"):
        load_bytes(contents)


def test_each_malformed_file_is_refused_by_the_reference_too():
    stricter = {
        "unknown dtype",  # two codes to a byte
        "too many dimensions",
        "overflow beside a zero",
        "name twice",  # the reference takes the last one
        "metadata key twice",
        "metadata twice",
    }
    for case in MALFORMED.keys() - stricter:
        with pytest.raises(safetensors.SafetensorError):
            safetensors.deserialize(MALFORMED[case][0])


def test_empty_tensors_and_unknown_fields_are_accepted():
    header = {"e": tensor(0, 0), "a": tensor(0, 1, new={"x": [1, {}]}), "f": tensor(1, 1, [0, 3])}
    loaded = load_bytes(pack(header, b"\x07"))
    assert loaded["a"].tolist() == [7]
    assert loaded["e"].shape == (0,) and loaded["f"].shape == (0, 3)
    assert load_bytes(pack({"__metadata__": None})) == {}


def test_mutated_files_load_as_the_reference_reads_them_or_raise(tmp_path):
    arrays = {
        "a": mx.arange(6).reshape(2, 3),
        "b": mx.ones((3,), mx.bfloat16),
        "c": mx.array([True, False]),
        "e": mx.zeros((0, 2)),
    }
    file = io.BytesIO()
    mx.save_safetensors(file, arrays, {"key": "value"})
    whole = file.getvalue()
    rng = np.random.default_rng(5)
    loaded = 0
    for i in range(2000):
        contents = mutate(rng, whole)
        path = tmp_path / f"{i}.safetensors"  # overwriting one file is ten times slower
        path.write_bytes(contents)
        try:
            ours = {name: bits(mx, x) for name, x in mx.load(path).items()}
        except (RuntimeError, ValueError):
            continue
        loaded += 1
        for name, entry in safetensors.deserialize(contents):
            assert ours[name][1] == tuple(entry["shape"])
            if ours[name][0] != "bool_":  # other bytes than 0 and 1 become True
                assert ours[name][2] == bytes(entry["data"])
    assert 20 < loaded < 1900  # both outcomes were seen
