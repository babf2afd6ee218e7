"""The docstrings of the running interpreter's standard library, as a corpus to search in.

Modules written in Python are read as source, not imported: importing all of the standard library
opens a browser (`antigravity`), prints (`this`), needs a display (`turtle`) or another platform
(`winreg`), whereas their text is always there and always the same. What is written in C has no
such text, so the built-in and extension modules are imported, quietly, and asked for `__doc__`.

The order is fixed: by name, upper before lower case. Tests and private names are left out.
"""

import ast
import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import io
import os
import sys
import tokenize
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_WORDS = 3  # "See above." answers no question
MAX_CHARACTERS = 240  # further paragraphs are taken while the text is no longer than this

SKIPPED_PACKAGES = {"idlelib", "lib2to3", "test", "turtledemo"}  # programs and tests, no library
SKIPPED_FOLDERS = {"__pycache__", "idle_test", "site-packages", "test", "tests"}
SKIPPED_EXTENSIONS = {"readline"}  # writes an escape sequence to some terminals when imported


@dataclass(frozen=True)
class Docstring:
    """A documented name, such as `shutil.copy`, and the first paragraphs of its docstring."""

    name: str
    text: str

    @property
    def sentence(self) -> str:
        """What is embedded: the name says as much about the meaning as the text does."""
        return f"{self.name}: {self.text}"


def standard_library() -> list[Docstring]:
    """All docstrings of public modules, classes, functions and methods, each text once."""
    found: dict[str, str] = {}
    for name, docstring in [*python_docstrings(), *extension_docstrings()]:
        text = first_paragraphs(docstring)
        if len(text.split()) >= MIN_WORDS:
            found.setdefault(name, text)
    first_name: dict[str, str] = {}
    for name in sorted(found):
        first_name.setdefault(found[name], name)
    return [Docstring(name, text) for text, name in first_name.items()]


def first_paragraphs(docstring: str) -> str:
    """The first paragraph in one line, and the next ones as long as all of it stays short."""
    text = ""
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        line = " ".join(paragraph.split())
        if text and len(text) + len(line) > MAX_CHARACTERS:
            break
        text = f"{text} {line}".strip()
    return text


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def python_docstrings() -> Iterator[tuple[str, str]]:
    """(name, docstring) of everything public in the library's `.py` files."""
    folder = Path(os.__file__).parent
    for module in sorted(sys.stdlib_module_names - SKIPPED_PACKAGES):
        if (folder / f"{module}.py").is_file():
            yield from source_docstrings(folder / f"{module}.py", module)
        for path in sorted((folder / module).rglob("*.py")):
            inside = path.relative_to(folder).with_suffix("").parts
            if SKIPPED_FOLDERS.isdisjoint(inside):
                yield from source_docstrings(path, ".".join(inside).removesuffix(".__init__"))


def source_docstrings(path: Path, module: str) -> Iterator[tuple[str, str]]:
    """(name, docstring) of a source file's module, classes, functions and methods."""
    if not is_public(module):
        return
    try:
        with tokenize.open(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sources that are not ours to mend
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # a file that this interpreter cannot read documents nothing
    yield from node_docstrings(tree, module)


def node_docstrings(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> Iterator[tuple[str, str]]:
    if docstring := ast.get_docstring(node, clean=False):
        yield name, docstring
    if isinstance(node, ast.Module | ast.ClassDef):
        for inner in definitions(node):
            if is_public(inner.name):
                yield from node_docstrings(inner, f"{name}.{inner.name}")


def definitions(node: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Classes and functions in a body, also where it branches (`if`, `try`)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from definitions(child)


def extension_docstrings() -> Iterator[tuple[str, str]]:
    """(name, docstring) of everything public in the modules written in C."""
    for name in sorted(sys.stdlib_module_names - SKIPPED_EXTENSIONS):
        if (module := import_extension(name)) is None:
            continue
        if is_public(name) and module.__doc__:
            yield name, module.__doc__
        for attribute, value in sorted(vars(module).items()):
            if getattr(value, "__name__", attribute) != attribute:
                continue  # a second name, such as array.ArrayType of array.array
            home = getattr(value, "__module__", None) or name
            if home == os.name:
                home = "os"  # which is where everyone finds what `posix` and `nt` define
            # A private module such as _collections tells with __module__ where its types belong.
            if is_public(f"{home}.{attribute}") and home.split(".")[0] in sys.stdlib_module_names:
                full_name = attribute if home == "builtins" else f"{home}.{attribute}"
                yield from object_docstrings(value, full_name)


def import_extension(name: str) -> types.ModuleType | None:
    """The module if it is written in C and can be imported here, else None."""
    if name not in sys.builtin_module_names:
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            return None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # some modules are deprecated
        try:
            return importlib.import_module(name)
        except Exception:  # whatever a module of another platform or a missing library raises
            return None


def object_docstrings(value: object, name: str) -> Iterator[tuple[str, str]]:
    """(name, docstring) of a class with its methods, or of a function."""
    if not isinstance(value, type | types.BuiltinFunctionType):
        return
    if isinstance(value.__doc__, str):
        yield name, value.__doc__
    if isinstance(value, type):
        for attribute, member in sorted(vars(value).items()):
            docstring = getattr(member, "__doc__", None)
            if is_public(attribute) and callable(member) and isinstance(docstring, str):
                yield f"{name}.{attribute}", docstring
