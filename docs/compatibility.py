"""Writes compatibility.md: every public name of MLX, and whether nybble has it.

    python docs/compatibility.py           # writes the page
    python docs/compatibility.py --check   # fails if the page is not what this would write

Names are compared with those of the real MLX, which has to be installed; the tests of MLX that are
exempt come from tests_py/mlx_exempt.json.
"""

import importlib
import inspect
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("compatibility.md")
EXEMPT = PAGE.parent.parent / "tests_py" / "mlx_exempt.json"

#: Sections of the page: title, and where the names are found below mlx or nybble.
SECTIONS = [
    ("Functions and types of `mlx.core`", "core"),
    ("Members of `array`", "core.array"),
    ("`mlx.core.random`", "core.random"),
    ("`mlx.core.fast`", "core.fast"),
    ("`mlx.core.linalg`", "core.linalg"),
    ("`mlx.core.fft`", "core.fft"),
    ("`mlx.core.distributed`", "core.distributed"),
    ("`mlx.core.metal`", "core.metal"),
    ("`mlx.core.cuda`", "core.cuda"),
    ("Layers and functions of `mlx.nn`", "nn"),
    ("Members of `nn.Module`", "nn.Module"),
    ("`mlx.nn.init`", "nn.init"),
    ("`mlx.nn.losses`", "nn.losses"),
    ("`mlx.utils`", "utils"),
    ("`mlx.optimizers`", "optimizers"),
]

#: What is there, but does less than in MLX.
PARTIAL = {
    "core.compile": "runs the function as it is: nothing is fused or traced",
    "core.disable_compile": "accepted; there is nothing to switch",
    "core.enable_compile": "accepted; there is nothing to switch",
    "core.async_eval": "returns when the work is done",
    "core.set_wired_limit": "accepted; no memory is wired on a CPU",
    "core.stop_gradient": "the identity: there are no gradients yet",
    "core.gpu": "the name exists; there is no such device",
    "core.export_to_dot": "arrays alone: nothing of the graph that made them is kept",
    "nn.fully_shard": "a group of one process",
}

INTRO = """\
# What of MLX is there

Written by `python docs/compatibility.py` from the names of nybble and of the real MLX
{version} (CPU). A name that is supported has MLX's signature, defaults, dtype rules and errors;
[mlx.md](mlx.md) lists what differs on purpose. Names that MLX has for gradients, function
transformations, GPUs and export are absent so far.

Programs written for MLX run with `python -m nybble.compat program.py`, or after
`nybble.compat.install()`; see the README.

| | supported | partial | absent |
|---|---|---|---|
"""

TESTS = """
## MLX's own tests

`./dev test --mlx-tests DIR` runs the Python tests of a checkout of MLX on nybble, unmodified. A
test that asks for a name that is absent (gradients, `vmap`, export, kernels of GPUs) is counted as
out of scope. These are exempt:

| test | why |
|---|---|
"""


def find(package: str, path: str) -> Any:
    """The module or class at a path below a package, or None."""
    value: Any = importlib.import_module(package)
    for part in path.split("."):
        if not hasattr(value, part):
            try:
                importlib.import_module(f"{value.__name__}.{part}")
            except (ImportError, AttributeError):
                return None
        value = getattr(value, part)
    return value


def public_names(owner: Any) -> Iterator[str]:
    """What a user may call or read there, without what the module itself imported."""
    for name in sorted(vars(owner) if inspect.isclass(owner) else dir(owner)):
        value = inspect.getattr_static(owner, name)
        operator = inspect.isclass(owner) and name.startswith("__") and callable(value)
        if name.startswith("_") and not (operator and name not in vars(object)):
            continue
        if isinstance(value, types.ModuleType) or value in (Any,):
            continue
        home = getattr(value, "__module__", None) or "mlx"
        if home.split(".")[0] in ("mlx", "nanobind", "nb") or not callable(value):
            yield name


def rows(path: str) -> list[tuple[str, str, str]]:
    """Name, state and note for every name at a path."""
    theirs, ours = find("mlx", path), find("nybble", path)
    result = []
    for name in public_names(theirs):
        full = f"{path}.{name}"
        if ours is None or not hasattr(ours, name):
            result.append((name, "absent", ""))
        else:
            note = PARTIAL.get(full, "")
            result.append((name, "partial" if note else "supported", note))
    return result


def page() -> str:
    import mlx.core

    sections = [(title, path, rows(path)) for title, path in SECTIONS if find("mlx", path)]
    text = INTRO.format(version=mlx.core.__version__)
    for title, _, names in sections:
        states = [state for _, state, _ in names]
        counts = [states.count(state) for state in ("supported", "partial", "absent")]
        text += f"| {title} | {' | '.join(map(str, counts))} |\n"
    for title, _, names in sections:
        text += f"\n## {title}\n\n| name | state | |\n|---|---|---|\n"
        text += "".join(f"| `{name}` | {state} | {note} |\n" for name, state, note in names)
    exempt = json.loads(EXEMPT.read_text())
    return text + TESTS + "".join(f"| `{test}` | {why} |\n" for test, why in sorted(exempt.items()))


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text() == text:
            return 0
        print(f"{PAGE.name} is out of date: run python docs/compatibility.py", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
