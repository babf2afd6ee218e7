"""Runs MLX's own Python tests on nybble: ``./dev test --mlx-tests DIR``.

DIR is a checkout of MLX, or its python/tests. The files run unmodified under nybble.compat, each
in a process of its own. A test that fails is one of:

- exempt: mlx_exempt.json names it, with the reason;
- out of scope: it asks for a name that nybble does not have yet, as ``grad`` (see OUT_OF_SCOPE);
- FAILED: anything else, and the only kind that makes the run fail.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import unittest
from collections import Counter
from pathlib import Path

FILES = """test_quantized test_nn test_array test_ops test_random test_reduce test_fast
test_fast_sdpa test_load test_tree test_blas test_init test_bf16 test_eval test_compile
test_zero_copy test_constants test_device test_memory test_threads test_linalg test_losses test_conv
test_conv_transpose test_einsum test_double test_upsample""".split()

#: Names of MLX that need gradients, function transformations or a GPU: not part of nybble yet.
OUT_OF_SCOPE = {
    *("grad", "value_and_grad", "vjp", "jvp", "vmap", "custom_function", "checkpoint"),
    *("export_function", "import_function", "exporter"),
    *("metal_kernel", "cuda_kernel", "precompiled_cuda_kernel", "fft", "optimizers"),
}

EXEMPT = json.loads((Path(__file__).parent / "mlx_exempt.json").read_text())


class Outcomes(unittest.TextTestResult):
    """Writes one JSON line a test: its name, what became of it, and the last line of the error."""

    def _say(self, test, outcome, why=""):
        print(json.dumps({"test": test.id(), "outcome": outcome, "why": why}), flush=True)

    def _failed(self, test, error):
        text = str(error[1]).strip().splitlines() or [""]
        missing = re.search(r"has no attribute '(\w+)'|No module named 'mlx\.(\w+)'", str(error[1]))
        if missing and (set(missing.groups()) & OUT_OF_SCOPE):
            self._say(test, "out of scope", next(filter(None, missing.groups())))
        else:
            self._say(test, "failed", f"{error[0].__name__}: {text[0]}")

    def addSuccess(self, test):  # noqa: N802 - unittest's names
        self._say(test, "passed")

    def addError(self, test, err):  # noqa: N802
        self._failed(test, err)

    def addFailure(self, test, err):  # noqa: N802
        self._failed(test, err)

    def addSkip(self, test, reason):  # noqa: N802
        self._say(test, "skipped", reason)

    def addSubTest(self, test, subtest, err):  # noqa: N802
        if err is not None:
            self._failed(test, err)


def run_here(folder: str, file: str) -> None:
    """In the child: runs one file of tests, which finds mlx as this process has it."""
    sys.path[0] = folder  # in place of this script's, where tests of ours have some of the names
    module = __import__(file)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    with open(os.devnull, "w") as silence:
        unittest.TextTestRunner(silence, resultclass=Outcomes, verbosity=0).run(suite)


def run_file(folder: Path, file: str, real: bool) -> list[dict[str, str]]:
    """The outcomes of one file's tests; one line that says so if the process died."""
    program = [sys.executable, *([] if real else ["-m", "nybble.compat"])]
    environment = os.environ | {"DEVICE": "cpu"}
    done = subprocess.run(
        [*program, __file__, "--child", folder, file],
        env=environment, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    outcomes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"test"')]
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        why = f"the process ended with {done.returncode}: {lines[-1]}"
        outcomes.append({"test": f"{file}.*", "outcome": "failed", "why": why})
    for outcome in outcomes:
        if outcome["outcome"] == "failed" and outcome["test"] in EXEMPT:
            outcome |= {"outcome": "exempt", "why": EXEMPT[outcome["test"]]}
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", help="a checkout of MLX, or its python/tests"
    )
    parser.add_argument("--only", nargs="+", default=FILES, metavar="FILE", help="such as test_ops")
    parser.add_argument("--real", action="store_true", help="run on the real MLX instead")
    parser.add_argument("--json", action="store_true", help="print every outcome as JSON")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_here(*options.child)
        return 0
    if options.folder is None:
        parser.error("name the folder of MLX's tests")
    folder = options.folder / "python" / "tests"
    folder = folder if folder.is_dir() else options.folder
    if not (folder / "mlx_tests.py").is_file():
        parser.error(f"{options.folder} holds no tests of MLX: there is no mlx_tests.py")

    everything = []
    kinds = ["passed", "failed", "exempt", "out of scope", "skipped"]
    print(f"{'file':22}" + "".join(f"{kind:>14}" for kind in kinds), file=sys.stderr)
    for file in options.only:
        outcomes = run_file(folder.resolve(), file, options.real)
        count = Counter(outcome["outcome"] for outcome in outcomes)
        print(f"{file:22}" + "".join(f"{count[kind]:14}" for kind in kinds), file=sys.stderr)
        everything += outcomes
    if options.json:
        print(json.dumps(everything, indent=1))
    failed = [outcome for outcome in everything if outcome["outcome"] == "failed"]
    for outcome in failed:
        print(f"FAILED {outcome['test']}: {outcome['why']}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
