"""Writes the type stubs of nybble.core, ``python/nybble/core/*.pyi``, from the built module.

    PYTHONPATH=build/python python python/bindings/stubs.py [--check]

pybind11 puts every signature into the docstring. What C++ takes as any Python object has its type
in the tables of stub_types.py, by parameter or by function and parameter; else it is Any. With
--check nothing is written, and what is not up to date is an error.
"""

from __future__ import annotations

import argparse
import ast
import enum
import inspect
import re
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

from stub_types import ALIASES, HEADER, IMPORTS, PARAMETERS, RETURNS, REWRITTEN, SIGNATURES, SLOTS

FOLDER = Path(__file__).resolve().parent.parent / "nybble" / "core"
WIDTH = 100

_COMPARISONS = {"__eq__", "__ne__"}
_OPERATOR = re.compile(
    r"__[ri]?(add|sub|mul|truediv|floordiv|div|mod|pow|matmul|and|or|xor|lshift|rshift)__"
    r"|__(lt|le|gt|ge|eq|ne|divmod|rdivmod)__"
)
_SKIPPED = re.compile(
    r"_pybind11.*|__(init_subclass|subclasshook|new|module|doc|dict|weakref|reduce|reduce_ex|getstate|"
    r"setstate|slots|static_attributes|firstlineno|annotations)__|_(?!_).*"
)


class UnreadableError(Exception):
    """A signature that is not Python."""


def signatures(doc: str) -> list[tuple[str, str]]:
    """Pairs of signature and docstring; one pair unless the function is overloaded."""
    first, _, rest = doc.partition("\n")
    if not rest.startswith("Overloaded function."):
        return [(first, rest)]
    kind = re.escape(first.partition("(")[0])
    parts = re.split(rf"^\d+\. (?={kind}\()", rest, flags=re.MULTILINE)[1:]
    return [(head, text) for head, _, text in (part.partition("\n") for part in parts)]


def annotation(owner: str, name: str, declared: ast.expr | None, optional: bool) -> str:
    """The type of a parameter: as declared, or by the tables."""
    text = "object" if declared is None else ast.unparse(declared)
    if text == "object" and owner.rpartition(".")[2] not in _COMPARISONS:
        text = PARAMETERS.get(f"{owner}.{name}") or PARAMETERS.get(name) or "Any"
        if optional and text not in ("Any", "object") and not text.endswith("None"):
            text = "_StreamOrDevice" if text == "_StreamOrDevice" else text + " | None"
    return text


def definition(owner: str, name: str, signature: str, in_class: bool) -> tuple[list[str], str]:
    """The parameters, as stub text, and the type of the result."""
    for pattern, replacement in REWRITTEN:
        signature = re.sub(pattern, replacement, signature)
    try:
        node = ast.parse(f"def {signature}: ...").body[0]
    except SyntaxError as error:
        raise UnreadableError(f"{owner}: {signature}") from error
    assert isinstance(node, ast.FunctionDef)
    arguments = node.args
    positional = arguments.posonlyargs + arguments.args
    # Parameters without a name in C++ cannot be passed by one.
    unnamed = [i for i, arg in enumerate(positional) if re.fullmatch(r"arg\d+", arg.arg)]
    last_positional_only = max([len(arguments.posonlyargs) - 1, *unnamed])
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    operator = _OPERATOR.fullmatch(name)

    def shown(arg: ast.arg, default: ast.expr | None, prefix: str = "") -> str:
        label = prefix + ("other" if operator and arg.arg == "arg0" else arg.arg)
        none = isinstance(default, ast.Constant) and default.value is None
        text = f"{label}: {annotation(owner, label, arg.annotation, none)}"
        return text if default is None else f"{text} = {ast.unparse(default)}"

    parts = []
    for i, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
        parts.append("self" if in_class and i == 0 else shown(arg, default))
        if i == last_positional_only and not (in_class and i == 0):
            parts.append("/")
    if arguments.vararg:
        parts.append(shown(arguments.vararg, None, "*"))
    elif arguments.kwonlyargs:
        parts.append("*")
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    parts += [shown(arg, default) for arg, default in keyword_only]
    if arguments.kwarg:
        parts.append(shown(arguments.kwarg, None, "**"))
    result = RETURNS.get(owner) or ast.unparse(node.returns or ast.Name("Any"))
    if result == "object":
        result = "array" if operator else "Any"
    return parts, result


def quoted(doc: str | None) -> list[str]:
    """A docstring as lines."""
    text = inspect.cleandoc(doc or "")
    if not text:
        return []
    lines = ('r"""' if "\\" in text else '"""') + text
    return [*lines.split("\n"), '"""'] if "\n" in text or text.endswith('"') else [lines + '"""']


def function(owner: str, name: str, value: Any, in_class: bool) -> list[str]:
    """The definitions of a function or method, one for each overload."""
    doc = value.__doc__ or ""
    if isinstance(value, types.FunctionType):
        doc = f"{name}{inspect.signature(value)}\n{doc}"
    if owner in SIGNATURES:
        doc = SIGNATURES[owner] + "\n" + doc.partition("\n")[2]
    lines = []
    overloads = signatures(doc)
    for signature, text in overloads:
        if not re.match(r"\w+\(", signature):
            raise UnreadableError(f"{owner}: its docstring does not begin with a signature")
        lines += ["@overload"] * (len(overloads) > 1)
        lines += defined(owner, name, signature, text, in_class)
    return lines


def defined(owner: str, name: str, signature: str, doc: str, in_class: bool) -> list[str]:
    """One definition, of a signature and a docstring."""
    parts, result = definition(owner, name, signature, in_class)
    head = f"def {name}({', '.join(parts)}) -> {result}:"
    if len(head) > WIDTH - 4 * in_class:
        body = "".join(f"    {part},\n" for part in parts)
        head = f"def {name}(\n{body}) -> {result}:"
    if name in _COMPARISONS and result != "bool":
        head += "  # type: ignore[override]"
    return with_body(head, quoted(doc))


def with_body(head: str, body: list[str]) -> list[str]:
    """A definition with its docstring or other content; ``...`` without."""
    if not body:
        code, mark, comment = head.partition("  #")
        return f"{code} ...{mark}{comment}".split("\n")
    return [*head.split("\n"), *(f"    {line}".rstrip() for line in body)]


def klass(name: str, value: type) -> list[str]:
    """The definition of a class."""
    bases = [b.__name__ for b in value.__bases__ if not re.match("object|pybind11", b.__name__)]
    if issubclass(value, enum.Enum):
        body = [f"{member.name} = {member.value!r}" for member in value]
        bases = ["enum.Enum"]
    else:
        body = []
        for member, item in sorted(vars(value).items()):
            if _SKIPPED.fullmatch(member):
                continue
            body += class_member(f"{name}.{member}", member, item)
    head = f"class {name}({', '.join(bases)}):" if bases else f"class {name}:"
    return with_body(head, [*quoted(value.__doc__), *body])


def class_member(owner: str, name: str, item: Any) -> list[str]:
    """The lines for one name of a class; none for what every object has."""
    if isinstance(item, types.WrapperDescriptorType):
        slot = (
            "(self, other: object, /) -> object" if _OPERATOR.fullmatch(name) else SLOTS.get(name)
        )
        return [] if slot is None else defined(owner, name, name + slot, "", in_class=True)
    if isinstance(item, (property, types.GetSetDescriptorType)):
        getter = item.fget.__doc__ if isinstance(item, property) else None
        signature = "get" + (getter or "(self)").split("\n")[0]
        _, result = definition(owner, name, signature, in_class=True)
        return ["@property", *with_body(f"def {name}(self) -> {result}:", quoted(item.__doc__))]
    if name == "__hash__" and item is None:
        return []
    if isinstance(item, (staticmethod, classmethod)):
        raise UnreadableError(f"{owner}: static and class methods are not known to the generator")
    return function(owner, name, item, in_class=True) if callable(item) else []


def member(name: str, value: Any) -> list[str]:
    """The lines for one name of a module."""
    if isinstance(value, type):
        return klass(name, value)
    if callable(value) and not isinstance(value, enum.Enum):
        return function(name, name, value, in_class=False)
    kind = "None" if value is None else type(value).__name__
    return [f"{name}: {kind}"]


def module_stub(module: types.ModuleType) -> str:
    """The text of a stub.

    Raises:
        UnreadableError: signatures cannot be read; names all of them.
    """
    constants, body, unreadable = [], [], []
    submodules = []
    # Private ones too: the Python parts of the package call some.
    members = {n: v for n, v in vars(module).items() if not n.startswith("__")}
    # The class of a constant, such as that of `random.state`, need not be a member itself.
    classes = {type(v).__name__: type(v) for v in members.values()}
    classes = {n: c for n, c in classes.items() if c.__module__ == module.__name__}
    for name, value in sorted({**classes, **members}.items()):
        if isinstance(value, types.ModuleType):
            submodules.append(name)
            continue
        try:
            lines = member(name, value)
        except UnreadableError as error:
            unreadable.append(str(error))
            continue
        if len(lines) == 1:
            constants.append(lines[0])
        else:
            body += ["", *lines]
    if unreadable:
        raise UnreadableError("signatures that are not Python:\n  " + "\n  ".join(unreadable))
    text = "\n".join([*constants, *body])
    text = text.replace(f"{module.__name__}.", "").replace("nybble.core.", "")
    return header(module, submodules, text) + text + "\n"


def header(module: types.ModuleType, submodules: list[str], text: str) -> str:
    """What stands above the definitions: docstring, imports and aliases."""
    aliases: list[str] = []
    own: list[str] = []
    # Names in definitions, not in docstrings.
    code = re.sub(r'"""(.|\n)*?"""', "", text)
    if module.__name__ == "nybble.core":
        own = [f"from nybble.core import {name} as {name}" for name in submodules]
        aliases = [f"{name}: TypeAlias = {value}" for name, value in ALIASES.items()]
        if not hasattr(module, "ThreadLocalStream"):
            aliases = [alias.replace("ThreadLocalStream | ", "") for alias in aliases]
        if "_F" in code:
            aliases.append('_F = TypeVar("_F", bound=collections.abc.Callable[..., Any])')
        aliases += ["", "__version__: str", ""]
    else:
        core = vars(sys.modules["nybble.core"])
        known = {name for name, value in core.items() if not isinstance(value, types.ModuleType)}
        defined = set(re.findall(r"^(?:class|def) (\w+)", code, re.MULTILINE))
        used = set(re.findall(r"(?:[:=>|\[(] ?)(\w+)", code)) & (known | set(ALIASES)) - defined
        own = [f"from nybble.core import {', '.join(sorted(used))}"] if used else []
    everything = "\n".join([code, *aliases])
    imports = [
        line for pattern, line in IMPORTS.items() if re.search(rf"(?<![\w.]){pattern}", everything)
    ]
    doc = "\n".join(quoted(module.__doc__))
    blocks = [imports, own, aliases]
    return "\n\n".join([HEADER + doc, *("\n".join(block) for block in blocks if block), ""])


def generate() -> dict[Path, str]:
    """The stubs, from file to content."""
    import nybble.core as core

    inner = [m for m in vars(core).values() if isinstance(m, types.ModuleType)]
    inner = [m for m in inner if m.__name__.startswith("nybble.core.")]
    stubs = {FOLDER / "__init__.pyi": module_stub(core)}
    for module in inner:
        stubs[FOLDER / f"{module.__name__.rpartition('.')[2]}.pyi"] = module_stub(module)
    return stubs


def stale(stubs: dict[Path, str]) -> list[Path]:
    """The files that are missing, superfluous or differ."""
    found = {path: path.read_text() for path in FOLDER.glob("*.pyi")}
    return sorted(
        path for path in stubs.keys() | found.keys() if stubs.get(path) != found.get(path)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on differences")
    arguments = parser.parse_args()
    try:
        stubs = generate()
    except UnreadableError as error:
        sys.exit(f"stubs: {error}")
    changed = stale(stubs)
    if arguments.check and changed:
        names = ", ".join(path.name for path in changed)
        sys.exit(f"stubs: not up to date: {names}; run ./dev stubs")
    FOLDER.mkdir(exist_ok=True)
    for path in changed:
        if path in stubs:
            path.write_text(stubs[path])
        else:
            path.unlink()


if __name__ == "__main__":
    main()
