"""nybble.compat: each case in a process of its own, as the real mlx is imported in this one."""

import subprocess
import sys
import textwrap

import mlx.core as mlx
import pytest

from nybble import compat


def run(source: str, *, installed: bool = True) -> str:
    """What a program prints, run with nybble in mlx's place from the start."""
    install = "import nybble.compat; nybble.compat.install()\n" if installed else ""
    done = subprocess.run(
        [sys.executable, "-c", install + textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_mlx_and_its_submodules_are_those_of_nybble():
    run(
        """
        import mlx.core as mx, mlx.nn as nn, mlx.utils, mlx
        import mlx.core.random, mlx.core.fast
        import mlx.nn.module
        from mlx.utils import tree_flatten
        from mlx.nn import Linear
        import nybble.core, nybble.nn, nybble.utils
        assert mx is nybble.core and nn is nybble.nn and mlx.utils is nybble.utils
        assert mlx.core.random is nybble.core.random and mlx.nn.module is nybble.nn.module
        assert mlx.core is mx and mlx.nn is nn
        """
    )


def test_modules_keep_their_own_specs():
    run(
        """
        import mlx.core, mlx.nn.module, nybble.core, nybble.nn.module
        assert nybble.core.__spec__.name == "nybble.core"
        assert nybble.nn.module.__spec__.name == "nybble.nn.module"
        """
    )


def test_the_package_is_found_as_libraries_look_for_it():
    run(
        """
        import importlib.util, sys
        assert importlib.util.find_spec("mlx").name == "mlx"
        assert importlib.util.find_spec("mlx.core") is not None
        assert importlib.util.find_spec("mlx.nothing") is None
        assert sys.modules["mlx"].__spec__ is not None
        """
    )


def test_what_nybble_lacks_is_not_taken_from_the_real_mlx():
    assert mlx.__version__ == compat.MLX_VERSION  # it is installed, and could be found
    run(
        """
        for name in ("mlx.nothing", "mlx.extension", "mlx.compat", "mlx.core.nothing"):
            try:
                __import__(name)
            except ModuleNotFoundError as error:
                assert name in str(error), error
            else:
                raise AssertionError(name)
        """
    )


def test_types_and_dtypes_are_named_after_mlx():
    out = run("import mlx.core as mx; print(type(mx.array(1)), mx.float32, mx.__version__)")
    assert out == f"<class 'mlx.core.array'> mlx.core.float32 {compat.MLX_VERSION}"


def test_quantize_chooses_scales_as_mlx_does():
    out = run(
        """
        import mlx.core as mx
        w = mx.arange(64).reshape(1, 64).astype(mx.float32)
        print([part.tolist() for part in mx.quantize(w)])
        """
    )
    expected = mlx.quantize(mlx.arange(64).reshape(1, 64).astype(mlx.float32))
    assert out == str([part.tolist() for part in expected])


def test_bfloat16_is_refused_by_numpy():
    out = run(
        """
        import mlx.core as mx, numpy as np
        try:
            np.array(mx.array([1], dtype=mx.bfloat16))
        except ValueError as error:
            print(error)
        """
    )
    assert "bfloat16" in out and "astype(float32)" in out


def test_arrays_and_layers_are_pickled_under_names_that_every_process_has():
    out = run(
        """
        import mlx.core as mx, mlx.nn as nn, pickle
        data = pickle.dumps([mx.array([1, 2]), mx.float16, nn.Linear(2, 2)])
        assert b"mlx" not in data
        print(pickle.loads(data)[0].tolist())
        """
    )
    assert out == "[1, 2]"


def test_installing_twice_changes_nothing():
    run(
        """
        import sys
        before = list(sys.meta_path)
        nybble.compat.install()
        assert sys.meta_path == before and nybble.compat.is_installed()
        """
    )


def test_it_refuses_once_the_real_mlx_is_there():
    assert not compat.is_installed()
    with pytest.raises(
        RuntimeError, match=r"the real MLX is imported already.*python -m nybble.compat"
    ):
        compat.install()
    assert not compat.is_installed()


# ---- python -m nybble.compat ----


def run_program(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "nybble.compat", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip


SHOW = """
import sys, mlx.core as mx, helper
print(__name__, sys.argv[1:], mx.array(1) + helper.one)
"""


def test_scripts_run_with_their_arguments_and_neighbours(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "script.py").write_text(SHOW)
    (folder / "helper.py").write_text("one = 1\n")
    done = run_program("folder/script.py", "-m", "--flag", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        "__main__ ['-m', '--flag'] array(2, dtype=int32)\n",
    ), done.stderr


def test_modules_and_packages_run_with_their_arguments(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SHOW)
    (tmp_path / "helper.py").write_text("one = 1\n")
    done = run_program("-m", "package", "a", "-h", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "__main__ ['a', '-h'] array(2, dtype=int32)\n"), (
        done.stderr
    )


def test_exit_codes_and_errors_are_those_of_the_program(tmp_path):
    (tmp_path / "fails.py").write_text("import sys\nsys.exit(7)\n")
    assert run_program("fails.py", cwd=tmp_path).returncode == 7
    (tmp_path / "raises.py").write_text("import mlx.core as mx\nmx.zeros(3).reshape(2)\n")
    done = run_program("raises.py", cwd=tmp_path)
    assert done.returncode == 1 and "raises.py" in done.stderr and "[reshape]" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["-m"], ["--nothing"], ["-c", "1"]])
def test_wrong_command_lines_print_the_usage(tmp_path, arguments):
    done = run_program(*arguments, cwd=tmp_path)
    assert done.returncode == 1 and "usage: python -m nybble.compat SCRIPT" in done.stderr


def test_a_missing_script_is_named(tmp_path):
    done = run_program("nothing.py", cwd=tmp_path)
    assert done.returncode == 1 and "there is no file 'nothing.py'" in done.stderr
    done = run_program("-m", "nothing", cwd=tmp_path)
    assert done.returncode == 1 and "nothing" in done.stderr


def test_help_is_printed(tmp_path):
    done = run_program("--help", cwd=tmp_path)
    assert done.returncode == 0 and "usage:" in done.stdout
