"""The type stubs of nybble.core: up to date, and complete enough for a real program."""

import ast
import importlib
import sys
import types
from pathlib import Path

import pytest
import typed_program

import nybble.core as mx

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def stubs():
    sys.path.insert(0, str(ROOT / "python" / "bindings"))
    yield importlib.import_module("stubs")
    sys.path.pop(0)


def test_stubs_are_up_to_date(stubs):
    changed = [path.name for path in stubs.stale(stubs.generate())]
    assert not changed, "run ./dev stubs"


def test_every_public_name_is_in_a_stub(stubs):
    for path, text in stubs.generate().items():
        module = mx if path.stem == "__init__" else getattr(mx, path.stem)
        tree = ast.parse(text)
        names = set()
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign):
                names.add(node.target.id)
            elif isinstance(node, ast.ImportFrom):
                names |= {alias.asname for alias in node.names}
        assert not {name for name in vars(module) if name[0] != "_"} - names


def test_members_of_array_are_in_the_stub(stubs):
    text = "\n".join(stubs.klass("array", mx.array))
    names = {
        node.name for node in ast.parse(text).body[0].body if isinstance(node, ast.FunctionDef)
    }
    assert {name for name in vars(mx.array) if name[0] != "_"} <= names
    assert {"__add__", "__getitem__", "__len__", "__array__", "__matmul__"} <= names


def function(doc, name="f", owner=None):
    return types.SimpleNamespace(__doc__=doc), name, owner or name


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("f(a: object, /) -> nybble.core.array", "def f(a: _Operand, /) -> nybble.core.array: ..."),
        ("f(arg0: typing.SupportsInt) -> None", "def f(arg0: int, /) -> None: ..."),
        (
            "f(n: typing.SupportsInt | typing.SupportsIndex | None = None) -> dict",
            "def f(n: int | None = None) -> dict[str, Any]: ...",
        ),
        (
            "f(axis: object = None, *, stream: Stream | Device | None = None) -> object",
            "def f(axis: _Ints | None = None, *, stream: _StreamOrDevice = None) -> Any: ...",
        ),
        ("f(*args, unknown: object = 3, **kwargs) -> tuple[int, int]", None),
        ('f() -> str\n\n  Says "\\x".', 'def f() -> str:\n    r"""Says "\\x"."""'),
        ('f() -> str\n\nA "word"', 'def f() -> str:\n    """A "word"\n    """'),
    ],
)
def test_a_signature_becomes_a_definition(stubs, doc, expected):
    value, name, owner = function(doc)
    if expected is None:
        expected = "def f(*args: Any, unknown: Any = 3, **kwargs: Any) -> tuple[int, int]: ..."
    assert "\n".join(stubs.function(owner, name, value, in_class=False)) == expected


def test_operators_take_operands_and_give_arrays(stubs):
    value, _, _ = function("__add__(self: nybble.core.array, arg0: object) -> object")
    lines = stubs.function("array.__add__", "__add__", value, in_class=True)
    assert lines == ["def __add__(self, other: _Operand, /) -> array: ..."]
    value, _, _ = function("__eq__(self: object, arg0: object) -> object")
    (line,) = stubs.function("array.__eq__", "__eq__", value, in_class=True)
    assert line.startswith("def __eq__(self, other: object, /) -> array: ...  # type: ignore")


def test_overloads_keep_their_docstrings(stubs):
    doc = "f(*args, **kwargs)\nOverloaded function.\n\n1. f(n: int) -> int\n\nOne.\n\n2. f() -> int"
    value, name, owner = function(doc)
    lines = stubs.function(owner, name, value, in_class=False)
    assert lines == [
        *("@overload", "def f(n: int) -> int:", '    """One."""'),
        *("@overload", "def f() -> int: ..."),
    ]


@pytest.mark.parametrize("doc", ["f(a: std::vector<int>) -> int", "Says nothing.", None])
def test_an_unreadable_signature_is_an_error(stubs, doc):
    value, name, owner = function(doc)
    with pytest.raises(stubs.UnreadableError, match="f"):
        stubs.function(owner, name, value, in_class=False)


def test_the_typed_program_runs():
    shapes = typed_program.main()
    assert shapes["product"] == (3, 8) and shapes["loss"] == ()
