"""Every public function has a docstring, and every example in one is true."""

import doctest
import importlib
import inspect
import pkgutil
import types

import pytest

import nybble
import nybble.core as mx

PYTHON_MODULES = [
    module.name
    for module in pkgutil.walk_packages(nybble.__path__, "nybble.")
    if not module.name.startswith("nybble.core")
]
CORE_MODULES = [mx, mx.random, mx.fast, mx.linalg]


def public_members(module: types.ModuleType):
    for name in dir(module):
        member = getattr(module, name)
        if not name.startswith("_") and not inspect.ismodule(member):
            yield name, member


def examples_of_core():
    finder = doctest.DocTestFinder()
    for module in CORE_MODULES:
        for name, member in public_members(module):
            members = [(name, member)]
            if inspect.isclass(member):
                members += [(f"{name}.{n}", m) for n, m in vars(member).items() if n[0] != "_"]
            for path, item in members:
                doc = inspect.getdoc(item)
                if doc and ">>>" in doc:
                    yield from finder.find(types.SimpleNamespace(__doc__=doc), path, globs={})


@pytest.mark.parametrize("example", list(examples_of_core()), ids=lambda example: example.name)
def test_example_in_core(example):
    result = doctest.DocTestRunner(verbose=False).run(example)
    assert result.failed == 0


@pytest.mark.parametrize("name", PYTHON_MODULES)
def test_examples_in_python_modules(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("module", CORE_MODULES, ids=lambda module: module.__name__)
def test_every_public_member_of_core_has_a_docstring(module):
    missing = [
        name for name, member in public_members(module) if callable(member) and not member.__doc__
    ]
    assert not missing


def test_core_has_examples():
    """The finder finds them: without this, a change of layout would pass with nothing run."""
    assert len(list(examples_of_core())) > 50
