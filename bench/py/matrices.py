"""Quantized matrices made of random words, and what they stand for in float64.

Any words are codes of an affine matrix, so nothing has to be quantized to have one. The decoding
here is written from the documentation of the formats, not taken from the code it checks.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]
Index = slice | npt.NDArray[np.int64]

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6])
FP_MODES = {"mxfp4": (32, 4), "nvfp4": (16, 4), "mxfp8": (32, 8)}  # group size, bits


def e4m3_values() -> Floats:
    """All 256 values of the 8-bit float with 4 bits of exponent and 3 of mantissa."""
    code = np.arange(256)
    exponent, mantissa = (code >> 3) & 15, code & 7
    magnitude = np.where(
        exponent == 0,
        mantissa * 2.0**-9,
        (1 + mantissa / 8) * 2.0 ** (exponent.astype(np.float64) - 7),
    )
    magnitude[[0x7F, 0xFF]] = np.nan
    values: Floats = np.where(code < 128, magnitude, -magnitude)
    return values


E4M3 = e4m3_values()


@dataclass(frozen=True)
class Format:
    """How weights are stored; scales of affine matrices are in `scale_dtype`."""

    bits: int = 4
    group_size: int = 64
    mode: str = "affine"
    scale_dtype: str = "float16"

    def bytes(self, weights: int) -> int:
        """Codes, scales and biases."""
        if self.mode != "affine":
            return weights * self.bits // 8 + weights // self.group_size
        scale = 4 if self.scale_dtype == "float32" else 2
        return weights * self.bits // 8 + weights // self.group_size * scale * 2


@dataclass(frozen=True)
class Matrix:
    """[..., rows, columns]; scales and biases are float32 holding values of the stored dtype, or
    bytes in the modes of small floats, which have no biases."""

    format: Format
    words: Words
    scales: npt.NDArray[np.float32] | npt.NDArray[np.uint8]
    biases: npt.NDArray[np.float32] | None

    def codes(self, rows: Index, groups: slice) -> npt.NDArray[np.int64]:
        """[rows, groups, group_size]"""
        bits, size = self.format.bits, self.format.group_size
        words = self.words[..., rows, :]
        groups = slice(*groups.indices(words.shape[-1] * 32 // bits // size))
        first, last = groups.start * size * bits // 32, groups.stop * size * bits // 32
        stream = np.unpackbits(
            np.ascontiguousarray(words[..., first:last]).view(np.uint8), axis=-1, bitorder="little"
        )
        stream = stream.reshape(*stream.shape[:-1], groups.stop - groups.start, size, bits)
        codes: npt.NDArray[np.int64] = stream.astype(np.int64) @ (1 << np.arange(bits))
        return codes

    def dense(self, rows: Index, groups: slice = slice(None)) -> Floats:
        """The weights [rows, columns of the groups], as real numbers."""
        codes = self.codes(rows, groups)
        scales = self.scales[..., rows, groups, None]
        if self.format.mode == "affine":
            assert self.biases is not None
            biases = self.biases[..., rows, groups, None].astype(np.float64)
            values = scales.astype(np.float64) * codes + biases
        else:
            element = E2M1 if self.format.bits == 4 else E4M3
            if self.format.mode == "nvfp4":
                values = element[codes] * E4M3[scales]
            else:
                values = element[codes] * 2.0 ** (scales.astype(np.float64) - 127)
        return values.reshape(*values.shape[:-2], -1)


def rounded(values: npt.NDArray[np.float32], dtype: str) -> npt.NDArray[np.float32]:
    """The nearest values that the dtype has (cut off for bfloat16, which is as good here)."""
    if dtype == "bfloat16":
        return (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return values.astype(dtype).astype(np.float32)


def make_matrix(format: Format, shape: tuple[int, ...], seed: int) -> Matrix:
    """Weights between about -1 and 1. shape is [..., rows, columns]."""
    random = np.random.default_rng(seed)
    bits, size = format.bits, format.group_size
    columns = shape[-1]
    count = int(np.prod(shape[:-1])) * columns * bits // 32
    words = np.frombuffer(bytearray(random.bytes(4 * count)), np.uint32)
    words = words.reshape(*shape[:-1], columns * bits // 32)
    scale_shape = (*shape[:-1], columns // size)
    if format.mode != "affine":
        if format.mode == "mxfp8":
            words &= np.uint32(0xBFBFBFBF)  # no NaN, and nothing above 1.9
        low, high = (0x28, 0x38) if format.mode == "nvfp4" else (122, 128)
        return Matrix(format, words, random.integers(low, high, scale_shape, np.uint8), None)
    scales = random.random(scale_shape, np.float32) + np.float32(0.5)
    scales /= np.float32(2**bits - 1)
    biases = scales * np.float32(-(2 ** (bits - 1) - 0.3))
    return Matrix(
        format, words, rounded(scales, format.scale_dtype), rounded(biases, format.scale_dtype)
    )


# Four: a few formats are used by several cases in a row, and eight matrices take 0.3 GB.
@functools.lru_cache(maxsize=4)
def make_matrices(format: Format, shape: tuple[int, ...], count: int) -> tuple[Matrix, ...]:
    return tuple(make_matrix(format, shape, seed) for seed in range(count))
