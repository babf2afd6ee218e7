"""The demo: its encoder on the real weights against MLX, and its command line."""

import json
import subprocess
import sys
import types
from pathlib import Path

import mlx.core as mlx
import mlx.nn as mlx_nn
import numpy as np
import pytest

import nybble.nn as nn

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

import corpus  # noqa: E402
import encoder  # noqa: E402

SENTENCES = [
    "Create a temporary directory.",
    "Measure how long a piece of code takes to run, many times over, and return the least.",
    "the",
    "Return the sum of a 'start' value (default: 0) plus an iterable of numbers.",
    "Ünïcödé 漢字 and emoji",
    "Read a file. " * 100,
    "Compress bytes with zlib.",
    "Compress bytes with gzip.",
]


@pytest.fixture(scope="module")
def tokens():
    tokenizer = encoder.load_tokenizer(encoder.find_model())
    return [tokenizer.encode(sentence).ids for sentence in SENTENCES]


@pytest.fixture(scope="module")
def mlx_encoder():
    """The same source with `mlx` in place of `nybble`."""
    source = (EXAMPLES / "encoder.py").read_text().replace("nybble.", "mlx.")
    assert "import mlx.core as mx" in source
    assert "import mlx.nn as nn" in source
    module = types.ModuleType("mlx_encoder")
    sys.modules["mlx_encoder"] = module  # where its dataclass looks itself up
    exec(compile(source, "mlx_encoder", "exec"), module.__dict__)
    return module


def test_the_longest_sentence_is_cut_and_batches_mix_lengths(tokens):
    lengths = [len(ids) for ids in tokens]
    assert max(lengths) == encoder.MAX_TOKENS and min(lengths) == 3


def test_float32_embeddings_agree_with_mlx_to_1e_5(tokens, mlx_encoder):
    model_dir = encoder.find_model()
    ours = encoder.encode(encoder.load_encoder(model_dir), tokens)
    theirs = mlx_encoder.encode(mlx_encoder.load_encoder(model_dir), tokens)
    assert ours.shape == (len(SENTENCES), 384)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("bits", [8, 4])
def test_quantized_embeddings_agree_with_mlx_to_1e_4(tokens, mlx_encoder, bits):
    model_dir = encoder.find_model()
    tokens = [ids for ids in tokens if len(ids) < 64]  # MLX takes a minute for the long one
    ours, theirs = encoder.load_encoder(model_dir), mlx_encoder.load_encoder(model_dir)
    nn.quantize(ours, bits=bits, fit="mlx")
    mlx_nn.quantize(theirs, bits=bits)
    mlx.eval(theirs.parameters())
    np.testing.assert_array_equal(
        np.array(ours.word_embeddings.weight), np.array(theirs.word_embeddings.weight)
    )
    got = encoder.encode(ours, tokens)
    np.testing.assert_allclose(got, mlx_encoder.encode(theirs, tokens), rtol=0, atol=1e-4)
    full = encoder.encode(encoder.load_encoder(model_dir), tokens)
    assert np.abs(got - full).max() > 1e-4  # it is quantized


def test_an_embedding_does_not_depend_on_its_batch(tokens):
    model = encoder.load_encoder(encoder.find_model())
    together = encoder.encode(model, tokens)
    for ids, row in zip(tokens, together, strict=True):
        np.testing.assert_allclose(encoder.encode(model, [ids])[0], row, rtol=0, atol=1e-6)


def test_sentences_of_like_meaning_are_near(tokens):
    embeddings = encoder.encode(encoder.load_encoder(encoder.find_model()), tokens)
    similarity = embeddings @ embeddings.T
    assert similarity[6, 7] > 0.7 > similarity[6, 0]


def run_demo(*arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "semantic_search.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_quick_run_reports_all_settings_as_json(tmp_path):
    plot = tmp_path / "plot.png"
    done = run_demo("--quick", "--json", "--query", "compress a file", "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    settings = {entry["name"]: entry for entry in report["settings"]}
    assert list(settings) == ["float32", "8 bits", "4 bits", "mixed"]
    sizes = [entry["weight_bytes"] for entry in settings.values()]
    assert sizes[0] > sizes[1] > sizes[3] > sizes[2]
    assert settings["8 bits"]["min_cosine"] > 0.999 > settings["4 bits"]["min_cosine"]
    assert all(settings[name]["reload_identical"] for name in ("8 bits", "4 bits", "mixed"))
    assert [answer["query"] for answer in report["answers"]] == ["compress a file"]
    assert report["encoded_docstrings"] < report["corpus_docstrings"]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments",
    [("--query", ""), ("--plot", "/nonexistent/folder/plot.png"), ("--no-such-flag",)],
    ids=["empty query", "unwritable plot", "unknown flag"],
)
def test_wrong_arguments_end_with_one_clear_line(arguments):
    done = run_demo("--quick", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_the_corpus_is_the_same_every_time_and_has_what_everyone_knows():
    first, second = corpus.standard_library(), corpus.standard_library()
    assert first == second
    names = {docstring.name for docstring in first}
    assert {"json.dumps", "pathlib.Path", "len", "re.sub"} <= names
    assert len(names) == len(first) > 3000
