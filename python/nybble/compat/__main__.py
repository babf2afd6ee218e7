"""Runs a program with nybble standing in for MLX: ``python -m nybble.compat script.py``."""

import os
import runpy
import sys

from nybble.compat import install

USAGE = """\
usage: python -m nybble.compat SCRIPT [ARGUMENTS]
       python -m nybble.compat -m MODULE [ARGUMENTS]

Runs a program written for MLX with nybble in its place."""


def main() -> None:
    arguments = sys.argv[1:]
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE)
        return
    as_module = bool(arguments) and arguments[0] == "-m"
    program = arguments[as_module:]
    if not program or (program[0].startswith("-") and not as_module):
        sys.exit(USAGE)
    if not as_module and not os.path.exists(program[0]):
        sys.exit(f"python -m nybble.compat: there is no file {program[0]!r}; modules need -m")
    try:
        install()
    except RuntimeError as error:
        sys.exit(f"python -m nybble.compat: {error}")
    sys.argv = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(program[0]))
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main()
