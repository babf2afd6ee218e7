#!/usr/bin/env python3
"""Semantic search over Python's own documentation with a quantized sentence encoder.

The real all-MiniLM-L6-v2 embeds docstrings of the standard library four times: in float32, with 8
bits per weight, with 4 bits, and with a mixture chosen layer by layer. The answers, the size of
the weights, the speed and the closeness to float32 show what quantization costs and what it saves.

    python examples/semantic_search.py
    python examples/semantic_search.py --all --query "run another program and read its output"
"""

import argparse
import dataclasses
import functools
import importlib.util
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

try:
    import numpy as np
    import report
    from corpus import Docstring, standard_library
    from encoder import (
        SentenceEncoder,
        encode,
        find_model,
        load_encoder,
        load_tokenizer,
        new_encoder,
    )
    from measure import Figures, Run, compare, probe_indices, top
    from rich.console import Console

    import nybble.core as mx
    import nybble.nn as nn
    from nybble.utils import tree_flatten
except ModuleNotFoundError as error:
    print(f'semantic_search.py: {error}: pip install "nybble[demo]"', file=sys.stderr)
    sys.exit(2)

QUERIES = (
    "create a temporary directory that is removed afterwards",
    "measure how long a piece of code takes to run",
    "show the differences between two texts",
    "pick a random element from a list",
    "turn a date written as text into a date object",
    "run another program and read its output",
)
DEFAULT_DOCSTRINGS = 600  # two to three minutes on two cores
QUICK_DOCSTRINGS = 48
RELOAD_DOCSTRINGS = 16  # encoded by the saved and by the loaded model, to be compared bit for bit


def mixed_bits(path: str, layer: nn.Module) -> bool | dict[str, int]:
    """Four bits where they do little harm, more where they would.

    The embeddings are half of the model, and an error in one word's vector is averaged away over
    the sentence. An error in a linear layer is passed on to every layer after it.
    """
    if isinstance(layer, nn.Embedding):
        return {"group_size": 64, "bits": 4}
    if isinstance(layer, nn.Linear):
        return {"group_size": 64, "bits": 6}
    return False


@dataclass(frozen=True)
class Setting:
    """How the weights are stored; neither bits nor predicate: as they come, in float32."""

    name: str
    bits: int | None = None
    predicate: Callable[[str, nn.Module], bool | dict[str, int]] | None = None

    def apply(self, model: SentenceEncoder) -> None:
        """Quantize the model in place."""
        if self.bits is not None or self.predicate is not None:
            nn.quantize(model, bits=self.bits, class_predicate=self.predicate)


FLOAT32, MIXED = Setting("float32"), Setting("mixed", predicate=mixed_bits)
SETTINGS = (FLOAT32, Setting("8 bits", bits=8), Setting("4 bits", bits=4), MIXED)


def weight_bytes(model: SentenceEncoder) -> int:
    return sum(parameter.nbytes for _, parameter in tree_flatten(model.parameters()))


def reload_is_identical(
    model: SentenceEncoder, setting: Setting, model_dir: Path, sentences: Sequence[Sequence[int]]
) -> bool:
    """Save the weights, load them into a fresh model, and compare what the two make of sentences.

    The fresh model must be quantized like the saved one: a file of weights holds no layers.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "weights.safetensors")
        model.save_weights(path)
        fresh = new_encoder(model_dir)
        setting.apply(fresh)
        fresh.load_weights(path)
        return bool(np.array_equal(encode(fresh, sentences), encode(model, sentences)))


def run_setting(
    setting: Setting,
    model_dir: Path,
    corpus: Sequence[Sequence[int]],
    queries: Sequence[Sequence[int]],
    on_batch: Callable[[int], object],
) -> Run:
    """Quantize the model and encode the corpus and the queries, both given as token ids."""
    model = load_encoder(model_dir)
    setting.apply(model)
    mx.eval(model.parameters())  # loading and quantizing are deferred; they shall not be timed
    start = time.perf_counter()
    embeddings = encode(model, corpus, on_batch)
    seconds = time.perf_counter() - start
    identical = None
    if setting is not FLOAT32:
        identical = reload_is_identical(model, setting, model_dir, corpus[:RELOAD_DOCSTRINGS])
    return Run(
        setting.name, weight_bytes(model), seconds, embeddings, encode(model, queries), identical
    )


@dataclass(frozen=True)
class Search:
    """What is searched, and for what."""

    corpus_size: int
    seed: int
    docstrings: Sequence[Docstring]  # the part of the corpus that is encoded
    queries: Sequence[str]
    runs: dict[str, Run]  # by the name of the setting

    @property
    def figures(self) -> list[Figures]:
        reference = self.runs[FLOAT32.name]
        return [compare(run, reference) for run in self.runs.values()]


def run_all(
    model_dir: Path, docstrings: Sequence[Docstring], queries: Sequence[str]
) -> dict[str, Run]:
    """A run of every setting, each with a progress bar."""
    tokenizer = load_tokenizer(model_dir)
    corpus_tokens = [e.ids for e in tokenizer.encode_batch([d.sentence for d in docstrings])]
    query_tokens = [e.ids for e in tokenizer.encode_batch(list(queries))]
    runs = {}
    with report.make_progress() as progress:
        bars = [progress.add_task(s.name, total=len(docstrings), start=False) for s in SETTINGS]
        for setting, bar in zip(SETTINGS, bars, strict=True):
            progress.start_task(bar)
            advance = functools.partial(progress.advance, bar)
            runs[setting.name] = run_setting(
                setting, model_dir, corpus_tokens, query_tokens, advance
            )
    return runs


def sample(corpus: Sequence[Docstring], count: int, seed: int) -> list[Docstring]:
    """At most `count` docstrings in the order of the corpus, the same ones for the same seed."""
    if count >= len(corpus):
        return list(corpus)
    chosen = np.random.default_rng(seed).choice(len(corpus), count, replace=False)
    return [corpus[i] for i in sorted(chosen)]


def print_results(console: Console, search: Search, answers: int) -> None:
    """The best answers in float32 and with mixed bits, then the figures of every setting."""
    shown = [search.runs[FLOAT32.name], search.runs[MIXED.name]]
    console.print("\nBest answers: in float32 on the left, with mixed bits on the right.")
    for index, query in enumerate(search.queries):
        console.print()
        console.print(report.answers_table(query, shown, index, search.docstrings, answers))
    figures = search.figures
    console.print()
    console.print(report.figures_table(figures))
    probes = len(probe_indices(len(search.docstrings)))
    console.print(
        f"Top-10 overlap: the part of float32's ten nearest docstrings that is found again, the "
        f"mean of {len(search.queries) + probes} queries: {len(search.queries)} from above and "
        f"{probes} of the docstrings themselves."
    )
    for row in figures:
        if row.reload_identical is not None:
            verdict = "identical, bit for bit" if row.reload_identical else "DIFFERENT"
            console.print(f"{row.name}: saved, loaded into a fresh model, embeddings {verdict}.")


def as_json(search: Search) -> str:
    """All figures, and the names of the ten best answers at every setting."""
    values = {
        "python": platform.python_version(),
        "corpus_docstrings": search.corpus_size,
        "encoded_docstrings": len(search.docstrings),
        "seed": search.seed,
        "overlap_queries": len(search.queries) + len(probe_indices(len(search.docstrings))),
        "settings": [dataclasses.asdict(row) for row in search.figures],
        "answers": [
            {
                "query": query,
                "top_ten": {
                    name: [search.docstrings[i].name for i in top(run.corpus @ run.queries[index])]
                    for name, run in search.runs.items()
                },
            }
            for index, query in enumerate(search.queries)
        ],
    }
    return json.dumps(values, indent=2)


class OneLineParser(argparse.ArgumentParser):
    """An error is one line on stderr; the usage is there for those who ask with --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def make_parser() -> OneLineParser:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = OneLineParser(
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--query",
        action="append",
        metavar="TEXT",
        type=query_text,
        help="answer this question instead of the built-in ones; may be given several times",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--all",
        action="store_true",
        help=f"encode every docstring (default: a sample of {DEFAULT_DOCSTRINGS})",
    )
    amount.add_argument(
        "--quick", action="store_true", help=f"encode a sample of {QUICK_DOCSTRINGS} only"
    )
    parser.add_argument(
        "--seed",
        type=seed_number,
        default=0,
        metavar="N",
        help="draw another sample (default: 0)",
    )
    parser.add_argument(
        "--plot",
        type=plot_path,
        metavar="OUT.png",
        help="draw size against fidelity (.png, .pdf, .svg)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="write the figures as JSON to stdout; the tables go to stderr",
    )
    return parser


def query_text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the question is empty")
    if not text.isprintable():
        raise argparse.ArgumentTypeError("the question is not one line of valid text")
    return text


def seed_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of zero or more")
    return int(text)


def plot_path(text: str) -> Path:
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError('matplotlib is missing: pip install "nybble[demo]"')
    try:
        report.check_plot_path(Path(text))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


def search_and_report(args: argparse.Namespace) -> int:
    """Do what the arguments ask; 0, or 1 if a loaded model differs from the saved one."""
    console = report.make_console(stderr=args.json)
    model_dir = find_model()
    corpus = standard_library()
    count = len(corpus) if args.all else QUICK_DOCSTRINGS if args.quick else DEFAULT_DOCSTRINGS
    docstrings = sample(corpus, count, args.seed)
    console.print(
        f"Corpus: {len(docstrings):,} of the {len(corpus):,} docstrings of Python "
        f"{platform.python_version()}'s standard library "
        f"({len(docstrings) / len(corpus):.0%}, seed {args.seed})."
    )
    queries = args.query or QUERIES
    runs = run_all(model_dir, docstrings, queries)
    search = Search(len(corpus), args.seed, docstrings, queries, runs)
    print_results(console, search, answers=10 if args.query else 3)
    if args.json:
        print(as_json(search))
    if args.plot:
        report.plot(search.figures, args.plot)
        console.print(f"Plot: {args.plot}")
    return 1 if any(run.reload_identical is False for run in runs.values()) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        return search_and_report(args)
    except (OSError, RuntimeError) as error:  # what nybble and Python raise for trouble with files
        parser.error(" ".join(str(error).split()))
    except KeyboardInterrupt:
        return 130  # as the shell reports a program ended by Ctrl-C


if __name__ == "__main__":
    sys.exit(main())
