"""mlx-lm, unmodified, on nybble and on the real MLX: the same checkpoints, the same answers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mlx_lm")

PROGRAM = Path(__file__).with_name("mlx_lm_program.py")
OFFLINE = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}


def run(*arguments, on_nybble=False):
    interpreter = [sys.executable, *(["-m", "nybble.compat"] if on_nybble else [])]
    done = subprocess.run(
        [*interpreter, PROGRAM, *arguments],
        env=OFFLINE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the program writes on MLX, and on nybble from the checkpoints that MLX saved."""
    folder = tmp_path_factory.mktemp("mlx_lm")
    run("write", folder / "models")
    run("run", folder / "models", folder / "mlx.npz")
    run("run", folder / "models", folder / "nybble.npz", on_nybble=True)
    return np.load(folder / "mlx.npz"), np.load(folder / "nybble.npz")


def names(kind):
    families = """llama qwen2 qwen3 qwen3_moe mixtral gemma2 gemma3_text phi3 gpt_oss mamba"""
    return [f"{family}/{name}" for family in families.split() for name in kind]


def test_all_that_was_computed_is_compared(answers):
    expected, got = answers
    compared = {*names(LOGITS), *names(["text"]), *(f"llama/{name}" for name in OPTIONS)}
    assert set(got.files) == set(expected.files) == compared | {"llama/parameters"}


LOGITS = ["prompt", "token 0", "token 1", "token 2", "token 3", "batch"]
OPTIONS = ["cache of 8 bits", "cache of 4 bits", "sampled", "after a saved prompt"]


@pytest.mark.parametrize("name", names(LOGITS))
def test_logits_are_those_of_mlx(answers, name):
    expected, got = (answer[name] for answer in answers)
    assert got.shape == expected.shape and got.dtype == expected.dtype
    # Both round to float32 at every operation, a hundred of them one behind the other.
    bound = 100 * np.finfo(np.float32).eps * np.abs(expected).max() * np.sqrt(64)
    np.testing.assert_allclose(got, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("name", names(["text"]))
def test_generated_text_is_that_of_mlx(answers, name):
    expected, got = (str(answer[name]) for answer in answers)
    assert got == expected


@pytest.mark.parametrize("name", OPTIONS)
def test_caches_samplers_and_saved_prompts_work_as_on_mlx(answers, name):
    expected, got = (answer[f"llama/{name}"] for answer in answers)
    # A quantized cache rounds: an activation at the edge between two codes may fall to either.
    atol = {"cache of 8 bits": 1e-2, "cache of 4 bits": 0.1}.get(name, 2e-4)
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


def test_parameters_have_the_same_names(answers):
    expected, got = (answer["llama/parameters"].tolist() for answer in answers)
    assert got == expected


def test_transformers_takes_nybble_for_mlx(tmp_path):
    source = f"""
import sys
import nybble.compat
nybble.compat.install()
sys.path.insert(0, {str(PROGRAM.parent)!r})
from pathlib import Path
from mlx_lm_program import write_tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import is_mlx_available
assert is_mlx_available()
folder = Path({str(tmp_path)!r})
write_tokenizer(folder)
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(folder / "tokenizer.json"), unk_token="w0", pad_token="w1"
)
ids = tokenizer(["w3 w4", "w5"], return_tensors="mlx", padding=True)["input_ids"]
print(type(ids), ids.tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", source], env=OFFLINE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "<class 'mlx.core.array'> [[3, 4], [5, 1]]"
