"""Arrays as bits, so that files are compared exactly, NaN and all."""

import contextlib
import resource
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

UNSIGNED = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}
SIZES = {
    "bool_": 1,
    **{f"{sign}int{8 * size}": size for sign in ("", "u") for size in (1, 2, 4, 8)},
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
}

dtype_names = st.sampled_from(sorted(SIZES))
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
seeds = st.integers(0, 2**32 - 1)


def numpy_dtype(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name.rstrip("_"))


def random_numpy(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Random bits of the dtype."""
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape, dtype=np.int64))
    if name == "bool_":
        return rng.integers(0, 2, count).astype(bool).reshape(shape)
    data = rng.bytes(count * SIZES[name])
    return np.frombuffer(data, numpy_dtype(name)).reshape(shape)


def from_numpy(library: ModuleType, x: np.ndarray, name: str) -> Any:
    """The array of a library with these bits, which no value conversion gets to see."""
    if name == "bool_":
        return library.array(x)
    bits = np.ascontiguousarray(x).reshape(-1).view(UNSIGNED[SIZES[name]])
    return library.array(bits).view(getattr(library, name)).reshape(x.shape)


def bits(library: ModuleType, x: Any) -> tuple[str, tuple[int, ...], bytes]:
    """Dtype, shape and bits of an array of a library."""
    name = str(x.dtype).rsplit(".", 1)[-1]
    name = "bool_" if name == "bool" else name
    unsigned = x if name == "bool_" else x.view(getattr(library, UNSIGNED[SIZES[name]]))
    return name, tuple(x.shape), np.array(unsigned).tobytes()


def numpy_bits(x: np.ndarray, name: str) -> tuple[str, tuple[int, ...], bytes]:
    return name, x.shape, np.ascontiguousarray(x).tobytes()


@contextlib.contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """As if the disk were full after that many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def mutate(rng: np.random.Generator, contents: bytes) -> bytes:
    """Overwrites, cuts, repeats or inserts a few bytes."""
    data = bytearray(contents)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, len(data) + 1))
        piece = rng.bytes(int(rng.integers(1, 9)))
        action = rng.integers(0, 5)
        if action == 0:
            data[at : at + len(piece)] = piece
        elif action == 1:
            del data[at:]
        elif action == 2:
            del data[at : at + len(piece)]
        elif action == 3:
            data[at:at] = data[max(at - 20, 0) : at]
        elif at < len(data):
            data[at] = int(rng.choice([0, 0x20, 0x22, 0x2D, 0x30, 0x39, 0x5B, 0x7B, 0xFF]))
    return bytes(data)
