"""Masked and segmented products, gather_qqmm, floats of 8 bits, and the Hadamard transform."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import mlx.core as mlx
import numpy as np
import pytest
from elementwise_support import dtype_name, to_mlx, to_numpy, to_ours
from hypothesis import given
from hypothesis import strategies as st

import nybble.core as mx

mlx.set_default_device(mlx.cpu)


def whole_numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


@given(
    m=st.integers(1, 100),
    n=st.integers(1, 100),
    k=st.integers(1, 100),
    block=st.sampled_from([32, 64]),
    batch=st.sampled_from([(), (2,), (3, 2)]),
    which=st.sets(st.sampled_from(["mask_out", "mask_lhs", "mask_rhs"])),
    kind=st.sampled_from([np.bool_, np.float32]),
    seed=st.integers(0, 100),
)
def test_block_masked_mm_is_matmul_of_masked_blocks(m, n, k, block, batch, which, kind, seed):
    a, b = whole_numbers((*batch, m, k), seed), whole_numbers((*batch, k, n), seed + 1)
    sizes = {"mask_out": (m, n), "mask_lhs": (m, k), "mask_rhs": (k, n)}
    rng = np.random.default_rng(seed)
    masks = {
        name: rng.integers(0, 2, tuple(-(-x // block) for x in sizes[name])).astype(kind)
        for name in sorted(which)
    }

    def spread(name: str) -> Any:
        if name not in masks:
            return 1
        rows, columns = sizes[name]
        return masks[name].repeat(block, 0).repeat(block, 1)[:rows, :columns]

    expected = ((a * spread("mask_lhs")) @ (b * spread("mask_rhs"))) * spread("mask_out")
    y = mx.block_masked_mm(
        to_ours(a), to_ours(b), block, **{name: to_ours(x) for name, x in masks.items()}
    )
    np.testing.assert_array_equal(to_numpy(y), expected.astype(np.float32), strict=True)


def test_block_masked_mm_of_vectors_and_nan():
    v = whole_numbers((70,))
    b = whole_numbers((70, 40), 1)
    left, out = np.array([True, False]), np.array([False, True])
    theirs = mlx.block_masked_mm(
        to_mlx(v), to_mlx(b), 64, mask_lhs=to_mlx(left), mask_out=to_mlx(np.array([True]))
    )
    y = mx.block_masked_mm(
        to_ours(v), to_ours(b), 64, mask_lhs=to_ours(left), mask_out=to_ours(np.array([True]))
    )
    np.testing.assert_array_equal(to_numpy(y), to_numpy(theirs), strict=True)
    y = mx.block_masked_mm(to_ours(b.T), to_ours(v), 32, mask_out=to_ours(out))
    assert y.shape == (40,) and y.tolist()[:32] == [0.0] * 32
    nan = mx.full((32, 32), float("nan"))
    y = mx.block_masked_mm(nan, nan, 32, mask_lhs=mx.array([[False]]), mask_rhs=mx.array([[False]]))
    assert y.tolist() == np.zeros((32, 32)).tolist()


@pytest.mark.parametrize(
    ("arguments", "masks", "message"),
    [
        (((4, 4), (4, 4), 16), {"mask_lhs": (1, 1)}, "block_size=16"),
        (((4, 4), (5, 4), 32), {"mask_lhs": (1, 1)}, "do not match"),
        (((4, 4), (4, 4), 32), {"mask_lhs": (2, 1)}, "mask_lhs has shape"),
        (((), (4, 4), 32), {"mask_lhs": (1, 1)}, "0-d"),
    ],
)
def test_wrong_masks_are_value_errors_as_in_mlx(arguments, masks, message):
    def call(library: Any) -> Any:
        a, b, block = arguments
        return library.block_masked_mm(
            library.ones(a),
            library.ones(b),
            block,
            **{n: library.ones(s) for n, s in masks.items()},
        )

    with pytest.raises(ValueError, match=r"block_masked_mm|broadcast"):
        call(mlx)
    with pytest.raises(ValueError, match=rf"\[block_masked_mm\].*{message}"):
        call(mx)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_segmented_mm(dtype):
    a, b = whole_numbers((5, 40)).astype(dtype), whole_numbers((40, 7), 1).astype(dtype)
    segments = np.array([[[0, 10], [10, 40]], [[3, 3], [30, 20]]])
    y = mx.segmented_mm(to_ours(a), to_ours(b), mx.array(segments))
    assert y.shape == (2, 2, 5, 7) and dtype_name(y) == dtype
    for index in np.ndindex(2, 2):
        first, last = segments[index]
        np.testing.assert_array_equal(to_numpy(y)[index], a[:, first:last] @ b[first:last])
    for wrong in ([[0, 41]], [[-1, 3]]):
        with pytest.raises(IndexError, match="segmented_mm"):
            mx.segmented_mm(to_ours(a), to_ours(b), mx.array(wrong))
    for x, y, s in [
        (a[None], b, [[0, 1]]),
        (a, b[1:], [[0, 1]]),
        (a, b, [0.0, 1.0]),
        (a, b, [[0, 1, 2]]),
        (a.astype(np.int32), b.astype(np.int32), [[0, 1]]),
    ]:
        with pytest.raises(ValueError, match="segmented_mm"):
            mx.segmented_mm(to_ours(x), to_ours(y), mx.array(s))


@pytest.mark.parametrize("mode", ["nvfp4", "mxfp8", "mxfp4"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gather_qqmm_is_qqmm_of_each_pair(mode, dtype):
    mx.random.seed(3)
    x = mx.random.normal((4, 3, 64)).astype(getattr(mx, dtype))
    w = mx.random.normal((5, 16, 64))
    codes, scales = mx.quantize(w, mode=mode)
    lhs, rhs = mx.array([[0, 3], [1, 1]]), mx.array([4, 0])
    y = mx.gather_qqmm(x, codes, scales, lhs, rhs, mode=mode)
    assert y.shape == (2, 2, 3, 16) and y.dtype == x.dtype
    for i, j in np.ndindex(2, 2):
        r = rhs[j].item()
        expected = mx.qqmm(x[lhs[i, j].item()], codes[r], scales[r], mode=mode)
        tolerance = 2**-7 if dtype == "bfloat16" else 2**-18
        np.testing.assert_allclose(
            to_numpy(y[i, j].astype(mx.float32)),
            to_numpy(expected.astype(mx.float32)),
            rtol=tolerance,
            atol=64 * 2**-18,
        )
    whole = mx.gather_qqmm(x, w, rhs_indices=mx.array([4, 0, 1, 1]), mode=mode)
    packed = mx.gather_qqmm(x, codes, scales, rhs_indices=mx.array([4, 0, 1, 1]), mode=mode)
    assert mx.array_equal(whole, packed).item()
    with pytest.raises(ValueError, match="affine"):
        mx.gather_qqmm(x, w, mode="affine")
    with pytest.raises(IndexError, match="gather_qmm"):
        mx.gather_qqmm(x, codes, scales, lhs, mx.array([5, 0]), mode=mode)


def test_gather_qqmm_with_global_scales():
    mx.random.seed(3)
    x, w = mx.random.normal((1, 3, 64)), mx.random.normal((2, 16, 64))
    scale_x, scale_w = mx.max(mx.abs(x)), mx.max(mx.abs(w))
    codes, scales = mx.quantize(w, mode="nvfp4", global_scale=scale_w)
    y = mx.gather_qqmm(
        x, codes, scales, rhs_indices=mx.array([1]), global_scale_x=scale_x, global_scale_w=scale_w
    )
    expected = mx.qqmm(x[0], codes[1], scales[1], global_scale_x=scale_x, global_scale_w=scale_w)
    np.testing.assert_allclose(to_numpy(y[0]), to_numpy(expected), rtol=1e-5, atol=1e-4)
    with pytest.raises(ValueError, match="global scale"):
        mx.gather_qqmm(x, codes, scales, global_scale_x=scale_x)


def test_fp8_equals_mlx_for_every_code_and_around_it():
    codes = np.arange(256, dtype=np.uint8)
    for dtype in ("float32", "bfloat16", "float16"):
        y = mx.from_fp8(to_ours(codes), getattr(mx, dtype))
        expected = mlx.from_fp8(to_mlx(codes), getattr(mlx, dtype))
        wide = to_numpy(expected.astype(mlx.float32))
        np.testing.assert_array_equal(to_numpy(y.astype(mx.float32)), wide)
        assert dtype_name(y) == dtype
    values = codes.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    values = np.sort(values[np.isfinite(values)])
    middles = (values[1:] + values[:-1]) / 2
    near = np.concatenate([values, middles, np.nextafter(middles, np.float32(np.inf))])
    x = np.concatenate([near, -near, np.float32([np.nan, np.inf, -np.inf, 1e30, 449, 1e-30])])
    np.testing.assert_array_equal(
        to_numpy(mx.to_fp8(to_ours(x))), to_numpy(mlx.to_fp8(to_mlx(x))), strict=True
    )
    strided = mx.to_fp8(to_ours(x[:400].reshape(20, 20)).T)
    np.testing.assert_array_equal(
        to_numpy(strided), to_numpy(mlx.to_fp8(to_mlx(x[:400].reshape(20, 20)))).T
    )
    with pytest.raises(ValueError, match="to_fp8"):
        mx.to_fp8(mx.array([1]))
    with pytest.raises(ValueError, match="from_fp8"):
        mx.from_fp8(mx.array([1]))
    with pytest.raises(ValueError, match="from_fp8"):
        mx.from_fp8(mx.array([1], mx.uint8), mx.int32)


@pytest.mark.parametrize("n", [1, 2, 8, 64, 1024, 12, 24, 96, 20, 160, 28, 448])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32"])
def test_hadamard_transform_equals_mlx(n, dtype):
    x = whole_numbers((3, n)).astype(np.int32)
    y = mx.hadamard_transform(mx.array(x).astype(getattr(mx, dtype)), scale=0.5)
    expected = mlx.hadamard_transform(mlx.array(x.astype(np.float32)), scale=0.5)
    assert dtype_name(y) == ("float32" if dtype == "int32" else dtype)
    values = to_numpy(y.astype(mx.float64))
    tolerance = {"float16": 2**-11, "bfloat16": 2**-8}.get(dtype, 0)
    np.testing.assert_allclose(values, to_numpy(expected), rtol=tolerance)
    back = mx.hadamard_transform(mx.hadamard_transform(mx.array(x.astype(np.float32))), scale=1.0)
    if n in (1, 2, 8, 64, 1024):  # Sylvester's matrices are symmetric
        np.testing.assert_allclose(to_numpy(back), x * np.sqrt(n), atol=n * 1e-4)


def test_hadamard_transform_of_special_shapes():
    assert mx.hadamard_transform(mx.array(3)).item() == 3
    assert mx.hadamard_transform(mx.array(3)).dtype == mx.int32
    assert mx.hadamard_transform(mx.array([3]), scale=2.0).tolist() == [6.0]
    turned = mx.hadamard_transform(mx.array(whole_numbers((8, 3))).T, 1.0)
    np.testing.assert_array_equal(
        to_numpy(turned), to_numpy(mlx.hadamard_transform(mlx.array(whole_numbers((8, 3))).T, 1.0))
    )
    for n in (3, 7, 11, 36, 44):
        with pytest.raises(ValueError, match=f"has {n} elements"):
            mx.hadamard_transform(mx.ones((2, n)))
    with pytest.raises(ValueError, match="empty"):
        mx.hadamard_transform(mx.ones((0, 2)))
