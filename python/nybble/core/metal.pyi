# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""There is no Metal backend."""

from typing import Any


def clear_cache() -> None:
    """Gives the memory kept for reuse back to the system."""

def device_info() -> dict[str, Any]:
    """An empty dict: there is no Metal device."""

def get_active_memory() -> int:
    """The bytes of all arrays that are alive."""

def get_cache_memory() -> int:
    """The bytes kept for reuse by later arrays."""

def get_peak_memory() -> int:
    """The most bytes of arrays that were alive at one time since the start or the last ``reset_peak_memory``."""

def is_available() -> bool:
    """False: there is no such device."""

def reset_peak_memory() -> None:
    """Begins a new count for ``get_peak_memory``."""

def set_cache_limit(limit: int) -> int:
    """Sets how many bytes may be kept for reuse and returns the old limit."""

def set_memory_limit(limit: int) -> int:
    """Sets how many bytes arrays and the memory kept for reuse should take together.

    Beyond it kept memory is given back to the system before more is taken; only memory that the system
    refuses is an error. By default all the machine has.

    Returns:
        int: the old limit.

    Example:
        >>> import nybble.core as mx
        >>> old = mx.set_memory_limit(10**9)
        >>> mx.set_memory_limit(old)
        1000000000
    """

def set_wired_limit(limit: int) -> int:
    """Accepts a number of bytes and returns the one before, 0 at first. It has no effect: memory is not wired."""

def start_capture(path: str) -> None:
    """Does nothing."""

def stop_capture() -> None:
    """Does nothing."""
