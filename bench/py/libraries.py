"""The libraries that are compared: which are there, and how values get in and out of them."""

import contextlib
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

import nybble.core as mx

from .case import UnavailableError

MLX, MLX_FLOAT32 = "MLX", "MLX float32"
ORT_FLOAT, ORT_INT8 = "onnxruntime", "onnxruntime int8"
NUMPY = "NumPy"
ROUNDING = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
PACKAGES = ("numpy", "mlx", "onnxruntime")


def find(module: str) -> Any:
    """Imports a peer. Raises UnavailableError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UnavailableError(f"{module.partition('.')[0]} is not installed") from None


def versions() -> dict[str, str]:
    found = {"nybble": mx.__version__}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def ours(values: npt.NDArray[Any], dtype: str = "") -> Any:
    """An array of nybble, of `dtype` or of that of the values."""
    return mx.array(values).astype(getattr(mx, dtype)) if dtype else mx.array(values)


def theirs(values: npt.NDArray[Any], dtype: str = "") -> Any:
    """An array of MLX."""
    mlx = find("mlx.core")
    result = mlx.array(values).astype(getattr(mlx, dtype)) if dtype else mlx.array(values)
    mlx.eval(result)
    return result


def evaluated(module: Any, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, with its results computed at once: both libraries may put work off."""

    def run() -> Any:
        result = call()
        module.eval(result)
        return result

    return run


def to_float64(result: Any) -> npt.NDArray[np.float64]:
    """Of an array of any library."""
    if isinstance(result, np.ndarray):
        return result.astype(np.float64)
    module = mx if isinstance(result, mx.array) else find("mlx.core")
    if result.dtype in (module.float16, module.bfloat16):
        result = result.astype(module.float32)
    return np.array(result).astype(np.float64)


def need(*names: str) -> None:
    """Raises UnavailableError unless nybble.core has these functions."""
    for name in names:
        if not hasattr(mx, name):
            raise UnavailableError(f"nybble has no {name} yet")


def need_mode(mode: str) -> None:
    try:
        mx.quantization_defaults(mode)
    except ValueError:
        raise UnavailableError(f"nybble has no mode {mode} yet") from None


def same_threads(count: int) -> contextlib.AbstractContextManager[Any]:
    """NumPy's and MLX's BLAS use so many threads, too."""
    mx.set_num_threads(count)
    for module in ("mlx.core", "numpy"):  # only what is loaded can be told
        with contextlib.suppress(UnavailableError):
            find(module)
    limits: contextlib.AbstractContextManager[Any] = find("threadpoolctl").threadpool_limits(count)
    return limits


@contextlib.contextmanager
def our_threads(count: int) -> Iterator[None]:
    before = mx.set_num_threads(count)
    try:
        yield
    finally:
        mx.set_num_threads(before)


@contextlib.contextmanager
def our_precision(name: str) -> Iterator[None]:
    before = mx.set_matmul_precision(name)
    try:
        yield
    finally:
        mx.set_matmul_precision(before)
