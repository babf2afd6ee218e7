"""Types that stubs.py writes where a signature of pybind11 says too little."""

HEADER = """\
# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""
# What a stub may use, and how it is imported.
IMPORTS = {
    r"collections\.abc\.": "import collections.abc",
    r"enum\.": "import enum",
    r"os\.": "import os",
    r"types\.": "import types",
    **{
        rf"{name}\b": f"from typing import {name}" for name in ("IO", "Any", "TypeAlias", "TypeVar")
    },
    "@overload": "from typing import overload",
    r"np\.": "import numpy as np",
    r"npt\.": "import numpy.typing as npt",
}
ALIASES = {
    "_Operand": "array | bool | int | float | complex | npt.NDArray[Any] | np.generic | "
    "collections.abc.Sequence[Any]",
    "_Ints": "int | collections.abc.Sequence[int]",
    "_StreamOrDevice": "Stream | ThreadLocalStream | Device | DeviceType | None",
    "_File": "str | os.PathLike[str] | IO[bytes]",
}

# Types in the signatures of pybind11, in its different releases, and here.
REWRITTEN = [
    (r"typing\.SupportsInt(?: \| typing\.SupportsIndex)?", "int"),
    (r"typing\.SupportsFloat(?: \| typing\.SupportsIndex)?", "float"),
    (r"\bStream \| Device \| None", "_StreamOrDevice"),
    (r"(?<![\w.])Sequence\b", "collections.abc.Sequence"),
    (r"collections\.abc\.Iterator$", "collections.abc.Iterator[Any]"),
    (r"\bCallable\b(?!\[)", "collections.abc.Callable[..., Any]"),
    (r"collections\.abc\.collections\.abc\.", "collections.abc."),
    (r"\b(dict)\b(?!\[)", "dict[str, Any]"),
    (r"\b(list)\b(?!\[)", "list[Any]"),
    (r"\b(tuple)\b(?!\[)", "tuple[Any, ...]"),
]

# Parameters declared as `object`, by name, or by function and name.
_OPERANDS = (
    "a b c x y condition val vals values value indices other low high loc scale lower upper p"
)
PARAMETERS = {
    **dict.fromkeys(_OPERANDS.split(), "_Operand"),
    **dict.fromkeys(["a_min", "a_max"], "_Operand | None"),
    **dict.fromkeys(["shape", "axis", "axes", "reps", "indices_or_sections"], "_Ints"),
    **dict.fromkeys(["source", "destination", "shift", "stride", "strides"], "_Ints"),
    **dict.fromkeys(["dilation", "kernel_dilation", "input_dilation", "output_padding"], "_Ints"),
    **dict.fromkeys(["padding", "pad_width"], "_Ints | collections.abc.Sequence[_Ints]"),
    **dict.fromkeys(["device", "device_type", "type", "stream", "s"], "_StreamOrDevice"),
    **dict.fromkeys(["constant_values", "fill_value"], "_Operand"),
    "arrays": "collections.abc.Sequence[_Operand]",
    "dtype": "Dtype | None",
    "from_": "Dtype",
    "mask": "array | str | None",
    "offset": "int | array",
    "copy": "bool | None",
    "file": "_File",
    "issubdtype.a": "Dtype | DtypeCategory",
    "issubdtype.b": "Dtype | DtypeCategory",
    "array.__init__.val": "Any",  # also whatever has __array__, __dlpack__ or a buffer
    "asarray.a": "Any",
    "ArrayAt.__getitem__.indices": "Any",
    "array.__array__.dtype": "npt.DTypeLike | None",
    "array.astype.dtype": "Dtype",
    **{f"atleast_{n}d.*args": "_Operand" for n in (1, 2, 3)},
    "broadcast_arrays.*args": "_Operand",
    "broadcast_shapes.*args": "collections.abc.Sequence[int]",
    "result_type.*args": "array | Dtype",
    "savez.*args": "array",
    "savez.**kwargs": "array",
    "savez_compressed.*args": "array",
    "savez_compressed.**kwargs": "array",
}
RETURNS = {
    "array.__array__": "npt.NDArray[Any]",
    "array.__divmod__": "tuple[array, array]",
    "array.__rdivmod__": "tuple[array, array]",
    "array.__format__": "str",
    "array.__index__": "int",
    "array.__int__": "int",
    "array.__iter__": "collections.abc.Iterator[array]",
    "array.T": "array",
    "array.dtype": "Dtype",
    "array.itemsize": "int",
    "array.mT": "array",
    "array.nbytes": "int",
    "array.ndim": "int",
    "array.shape": "tuple[int, ...]",
    "array.size": "int",
    "ArrayIterator.__iter__": "ArrayIterator",
    "broadcast_arrays": "tuple[array, ...]",
    "broadcast_shapes": "tuple[int, ...]",
    "quantize": "tuple[array, ...]",
}
# What Python calls through a slot of the type, beside binary operators: it has no signature.
SLOTS = {
    **dict.fromkeys(["__abs__", "__invert__", "__neg__", "__pos__"], "(self) -> array"),
    "__getitem__": "(self, index: Any, /) -> array",
    "__hash__": "(self) -> int",
    "__setitem__": "(self, index: Any, value: _Operand, /) -> None",
}
# Whole signatures, for what no docstring can say.
SIGNATURES = {
    "compile": "compile(fun: _F, inputs: object = None, outputs: object = None, "
    "shapeless: bool = False) -> _F",
}
