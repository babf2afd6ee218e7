# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""There is no CUDA backend."""


def is_available() -> bool:
    """False: there is no such device."""
