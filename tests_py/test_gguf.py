"""GGUF files: against MLX where it reads them, and against the formulas of the block types."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path
from typing import Any

import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import nybble.core as mx

mlx.set_default_device(mlx.cpu)

# id, elements and bytes of a block
BLOCKS = {
    "Q4_0": (2, 32, 18),
    "Q4_1": (3, 32, 20),
    "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24),
    "Q8_0": (8, 32, 34),
    "Q2_K": (10, 256, 84),
    "Q3_K": (11, 256, 110),
    "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176),
    "Q6_K": (14, 256, 210),
    "BF16": (30, 1, 2),
}
PACKED = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}
# MLX reads Q4_K, too, but scales every second run of 32 weights by the scale of the one before.
MLX_READS = ("BF16", "Q2_K", "Q6_K")


def gguf_bytes(
    tensors: dict[str, tuple[int, tuple[int, ...], bytes]],
    metadata: bytes = b"",
    entries: int = 0,
    alignment: int = 32,
    version: int = 3,
) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), entries) + metadata
    data = b""
    for name, (type_id, shape, content) in tensors.items():
        header += struct.pack("<Q", len(name)) + name.encode()
        header += struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        header += struct.pack("<IQ", type_id, len(data))
        data += content + b"\0" * (-len(content) % alignment)
    return header + b"\0" * (-len(header) % alignment) + data


def random_blocks(kind: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    """Random bytes, but sane scales: halves of about 1e-2."""
    _, elements, size = BLOCKS[kind]
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape)) // elements
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if kind == "BF16":
        numbers = rng.normal(size=count).astype(np.float32)
        return (numbers.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(count, 2)
    at = {"Q2_K": [80, 82], "Q3_K": [108], "Q6_K": [208]}.get(kind, [0, 2])
    at = [0] if kind in ("Q4_0", "Q5_0", "Q8_0") else at
    for offset in at:
        halves = rng.uniform(-0.02, 0.02, count).astype(np.float16)
        blocks[:, offset : offset + 2] = halves.view(np.uint8).reshape(count, 2)
    return blocks


def save(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int16", "int32"])
@pytest.mark.parametrize("shape", [(1,), (23,), (33, 65), (4, 6, 3, 1, 2), (0, 3), ()])
def test_what_we_save_we_and_mlx_read(tmp_path, shape, dtype):
    x = np.random.default_rng(0).normal(size=shape) * 50
    ours = mx.array(np.asarray(x, np.float32)).astype(getattr(mx, dtype))
    arrays = {"a": ours, "b.weight": ours.T, "c": mx.arange(5)}
    path = tmp_path / "x.gguf"
    mx.save_gguf(path, arrays)
    back = mx.load(path)
    assert list(back) == list(arrays)
    for name, value in arrays.items():
        assert back[name].dtype == value.dtype and mx.array_equal(back[name], value).item()
    if x.size:
        theirs = mlx.load(str(path))
        for name, value in arrays.items():
            np.testing.assert_array_equal(to_numpy(theirs[name]), to_numpy(value))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int16", "int32"])
def test_what_mlx_saves_we_read(tmp_path, dtype):
    x = mlx.array(np.arange(60).reshape(3, 4, 5)).astype(getattr(mlx, dtype))
    path = str(tmp_path / "x.gguf")
    mlx.save_gguf(path, {"x": x, "y": x[0]}, {"n": mlx.array(3), "s": "text", "t": ["a", "bc"]})
    arrays, metadata = mx.load(path, return_metadata=True)
    np.testing.assert_array_equal(to_numpy(arrays["x"]), to_numpy(x), strict=True)
    np.testing.assert_array_equal(to_numpy(arrays["y"]), to_numpy(x[0]), strict=True)
    assert metadata["n"].item() == 3 and metadata["s"] == "text" and metadata["t"] == ["a", "bc"]


@pytest.mark.parametrize("kind", PACKED)
def test_packed_types_equal_mlx_bit_for_bit(tmp_path, kind):
    shape = (6, 96)
    content = random_blocks(kind, shape).tobytes()
    tensors = {"layer.weight": (BLOCKS[kind][0], shape, content)}
    path = save(tmp_path / "x.gguf", gguf_bytes(tensors))
    ours, theirs = mx.load(path), mlx.load(path)
    assert set(ours) == set(theirs) == {"layer.weight", "layer.scales", "layer.biases"}
    for name, value in ours.items():
        np.testing.assert_array_equal(to_numpy(value), to_numpy(theirs[name]), strict=True)
    x = mx.ones((2, 96))
    y = mx.quantized_matmul(x, *ours.values(), group_size=32, bits=PACKED[kind])
    weights = mx.dequantize(*ours.values(), group_size=32, bits=PACKED[kind])
    np.testing.assert_allclose(
        to_numpy(y), to_numpy(x) @ to_numpy(weights).astype(np.float64).T, rtol=1e-2, atol=1e-2
    )


def decoded(kind: str, blocks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What MLX does not read: by the formulas of the format, whole columns of codes at once."""

    def half(at: int) -> Any:
        return blocks[:, at : at + 2].copy().view(np.float16).astype(np.float64)

    if kind in ("Q5_0", "Q5_1"):
        start = 2 if kind == "Q5_0" else 4
        high = np.unpackbits(blocks[:, start : start + 4], axis=1, bitorder="little")
        nibbles = blocks[:, start + 4 :]
        codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=1) | (high << 4)
        if kind == "Q5_0":
            return half(0) * (codes.astype(float) - 16)
        return half(0) * codes + half(2)
    if kind == "Q3_K":
        scales = blocks[:, 96:108]
        low = np.concatenate([scales[:, :8] & 15, scales[:, :8] >> 4], axis=1)
        high = np.concatenate([scales[:, 8:] >> s & 3 for s in (0, 2, 4, 6)], axis=1)
        scale = (low | high << 4).astype(float) - 32
        two = np.concatenate(
            [blocks[:, 32 + p : 64 + p] >> s & 3 for p in (0, 32) for s in (0, 2, 4, 6)], axis=1
        )
        third = np.concatenate([blocks[:, :32] >> s & 1 for s in range(8)], axis=1)
        return half(108) * scale.repeat(16, axis=1) * (two + 4.0 * third - 4)
    b = blocks[:, 4:16].astype(int)
    scale = np.concatenate([b[:, :4] & 63, (b[:, 8:] & 15) | (b[:, :4] >> 6 << 4)], axis=1)
    minimum = np.concatenate([b[:, 4:8] & 63, b[:, 8:] >> 4 | (b[:, 4:8] >> 6 << 4)], axis=1)
    fifth: Any = 0
    if kind == "Q5_K":
        fifth = np.concatenate([blocks[:, 16:48] >> s & 1 for s in range(8)], axis=1)
    q = blocks[:, 48 if kind == "Q5_K" else 16 :].reshape(-1, 4, 32)
    codes = np.stack([q & 15, q >> 4], axis=2).reshape(-1, 256) | fifth << 4
    return half(0) * scale.repeat(32, 1) * codes - half(2) * minimum.repeat(32, 1)


@pytest.mark.parametrize("kind", [kind for kind in BLOCKS if kind not in PACKED])
def test_other_types_become_float16(tmp_path, kind):
    shape = (3, 512)
    blocks = random_blocks(kind, shape)
    tensors = {"layer.weight": (BLOCKS[kind][0], shape, blocks.tobytes())}
    path = save(tmp_path / "x.gguf", gguf_bytes(tensors))
    if kind == "BF16":
        ours = mx.load(path)["layer.weight"]
    else:
        with pytest.warns(UserWarning, match=rf"layer\.weight \({kind}\)"):
            ours = mx.load(path)["layer.weight"]
    assert ours.dtype == mx.float16 and ours.shape == shape
    if kind in MLX_READS:
        expected = to_numpy(mlx.load(path)["layer.weight"]).astype(np.float64)
    else:
        expected = decoded(kind, blocks).reshape(shape)
    np.testing.assert_allclose(to_numpy(ours).astype(float), expected, rtol=2**-9, atol=2**-11)


def test_metadata_of_every_type(tmp_path):
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    codes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
    metadata = b""
    for type_id, code in {**codes, 12: "d"}.items():
        metadata += text(f"n{type_id}") + struct.pack(f"<I{code}", type_id, 1)
        metadata += text(f"l{type_id}") + struct.pack(f"<IIQ3{code}", 9, type_id, 3, 1, 0, 1)
    metadata += text("s") + struct.pack("<I", 8) + text("hä")
    metadata += text("t") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("")
    tensors = {"x": (0, (2,), np.float32([1, 2]).tobytes())}
    for version in (2, 3):
        content = gguf_bytes(tensors, metadata, 24, version=version)
        arrays, values = mx.load(save(tmp_path / "m.gguf", content), return_metadata=True)
        assert arrays["x"].tolist() == [1, 2] and len(values) == 24
        for type_id in (*codes, 12):
            assert values[f"n{type_id}"].item() == 1 and values[f"n{type_id}"].ndim == 0
            assert values[f"l{type_id}"].tolist() == [1, 0, 1]
        assert values["s"] == "hä" and values["t"] == ["a", ""]
        assert values["n12"].dtype == mx.float32 and values["n7"].dtype == mx.bool_
    again = tmp_path / "again.gguf"
    mx.save_gguf(again, arrays, values)
    _, theirs = mlx.load(str(again), return_metadata=True)
    assert set(theirs) == set(values)
    for key, value in values.items():
        if isinstance(value, mx.array):
            np.testing.assert_array_equal(to_numpy(theirs[key]), to_numpy(value), strict=True)
        else:
            assert theirs[key] == value


def test_alignment_is_read_and_written(tmp_path):
    value = mx.array(128, mx.uint32)
    path = tmp_path / "x.gguf"
    mx.save_gguf(path, {"a": mx.arange(3), "b": mx.arange(5)}, {"general.alignment": value})
    back = mx.load(path)
    assert back["a"].tolist() == [0, 1, 2] and back["b"].tolist() == [0, 1, 2, 3, 4]
    assert len(path.read_bytes()) % 128 == 0
    with pytest.raises(ValueError, match="power of two"):
        mx.save_gguf(path, {}, {"general.alignment": mx.array(3, mx.uint32)})
    assert mx.load(path)["a"].tolist() == [0, 1, 2]  # the old file is whole


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "x"
    for metadata, error in [
        ({"a": mx.ones((2, 2))}, RuntimeError),
        ({"a": mx.ones((0,))}, RuntimeError),
        ({"a": mx.array(1.0, mx.float16)}, ValueError),
        ({"a": 1}, TypeError),
        ({"a": [1]}, TypeError),
        ({1: "a"}, TypeError),
    ]:
        with pytest.raises(error, match="save_gguf"):
            mx.save_gguf(path, {"x": mx.ones((2,))}, metadata)
    for dtype in (mx.bfloat16, mx.uint32, mx.int64, mx.bool_):
        with pytest.raises(RuntimeError, match="save_gguf"):
            mx.save_gguf(path, {"x": mx.ones((2,)).astype(dtype)})
    assert os.listdir(tmp_path) == []


def test_damaged_files_are_runtime_errors(tmp_path):
    tensors = {"x": (0, (2, 3), b"\0" * 24), "y": (8, (2, 32), b"\0" * 68)}
    whole = gguf_bytes(tensors)
    path = tmp_path / "x.gguf"
    assert set(mx.load(save(path, whole))) == {"x", "y", "y.scales", "y.biases"}
    for size in range(len(whole) - 68):
        with pytest.raises(RuntimeError, match="load"):
            mx.load(save(path, whole[:size]))
    for change, message in [
        ({"x": (0, (2, 300), b"\0" * 4)}, "incomplete"),
        ({"x": (16, (2, 256), b"\0" * 24)}, "type 16"),
        ({"x": (8, (2, 33), b"\0" * 240)}, "blocks of 32"),
        ({"x": (0, (2**62, 2**62), b"")}, "too large"),
        ({"x": (0, (2**63,), b"")}, "length"),
        ({"x": (0, (1,) * 17, b"\0" * 4)}, "dimensions"),
        ({"x.weight": (2, (32,), b"\0" * 18), "x.scales": (0, (1,), b"\0" * 4)}, "two arrays"),
    ]:
        with pytest.raises(RuntimeError, match=message):
            mx.load(save(path, gguf_bytes(change)))
    with pytest.raises(RuntimeError, match="version 1"):
        mx.load(save(path, gguf_bytes(tensors, version=1)))


@settings(max_examples=300)
@given(data=st.data())
def test_changed_bytes_never_end_the_process(tmp_path_factory, data):
    text = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 8, 1) + struct.pack("<Q", 1) + b"v"
    tensors = {"x.weight": (2, (2, 64), b"\1" * 72), "y": (10, (256,), b"\2" * 84)}
    content = bytearray(gguf_bytes(tensors, text, 1))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed.gguf"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        with warnings.catch_warnings(action="ignore"):
            arrays, _ = mx.load(str(path), return_metadata=True)
    except (RuntimeError, ValueError):
        return
    for value in arrays.values():
        mx.eval(value)
