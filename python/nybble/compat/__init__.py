"""Lets nybble stand in for MLX: after :func:`install`, ``import mlx.core`` gets ``nybble.core``.

A program can be run that way without a change::

    python -m nybble.compat script.py its arguments
    python -m nybble.compat -m mlx_lm generate --model path

or it asks for it, before anything that imports ``mlx``::

    import nybble.compat
    nybble.compat.install()

It acts on this process alone, and nothing is written anywhere. A child made by ``fork`` has it as
well; one made by ``spawn`` calls :func:`install` itself. MLX may be installed: it is not touched.
"""

import importlib
import importlib.util
import sys
import types
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

from nybble import core

__all__ = ["MLX_VERSION", "install", "is_installed"]

#: The MLX whose interface is followed; ``mx.__version__`` once :func:`install` was called.
MLX_VERSION = "0.32.4"


class _AliasLoader(Loader):
    """Loads ``mlx.x`` by giving the module ``nybble.x``, which stays as it is."""

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(_name_here(spec.name))
        self._spec_here = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec_here  # importing under the other name has replaced it


class _RootLoader(Loader):
    """Loads ``mlx`` itself: a package whose contents come from the finder."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        module.__doc__ = "nybble, standing in for MLX."


class _Finder(MetaPathFinder):
    """Answers for ``mlx`` and everything below it, so that the real MLX is never mixed in."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "mlx":
            return ModuleSpec(fullname, _RootLoader(), is_package=True)
        if fullname.startswith("mlx.") and fullname != "mlx.compat":
            try:
                here = importlib.util.find_spec(_name_here(fullname))
            except ModuleNotFoundError:  # a parent is missing, or is no package
                return None
            if here is not None:
                is_package = here.submodule_search_locations is not None
                return ModuleSpec(fullname, _AliasLoader(), is_package=is_package)
        return None


def _name_here(name: str) -> str:
    return "nybble" + name.removeprefix("mlx")


def is_installed() -> bool:
    """True if ``mlx`` means nybble in this process."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def install() -> None:
    """Makes ``mlx`` and its submodules mean nybble for the rest of this process.

    Beyond the names, the process behaves as MLX does where nybble has a choice: ``quantize``
    chooses scales by ``fit="mlx"``, bfloat16 arrays are a ValueError for NumPy, ``mx.__version__``
    is :data:`MLX_VERSION`, and types call themselves ``mlx.core.array`` and so on. Calling it again
    does nothing.

    Raises:
        RuntimeError: the real MLX has been imported already. Arrays of both in one program would
            not understand each other.
    """
    if is_installed():
        return
    real = next((name for name in sys.modules if name == "mlx" or name.startswith("mlx.")), None)
    if real is not None:
        raise RuntimeError(
            f"[compat] the real MLX is imported already ({real}). Call nybble.compat.install() "
            "before anything that imports mlx, or run the program with python -m nybble.compat."
        )
    sys.meta_path.insert(0, _Finder())
    importlib.import_module("mlx")
    for name in ("mlx.core", "mlx.nn", "mlx.utils"):
        importlib.import_module(name)
    # Submodules of the extension module live in sys.modules only: it is no package.
    for name in [name for name in sys.modules if name.startswith("nybble.core.")]:
        sys.modules["mlx" + name.removeprefix("nybble")] = sys.modules[name]
    _behave_as_mlx()


def _behave_as_mlx() -> None:
    for value in list(vars(core).values()):
        if isinstance(value, type) and value.__module__ == "nybble.core":
            value.__module__ = "mlx.core"  # clients look at it to tell whose array they have
    core.__version__ = MLX_VERSION
    core.set_default_fit("mlx")
    core._set_numpy_bfloat16(False)
