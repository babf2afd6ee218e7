"""What is lost by quantization: embeddings at one setting compared with those in float32."""

from dataclasses import dataclass

import numpy as np

TOP = 10
MAX_PROBES = 1000  # more docstrings as queries would not change the average


@dataclass(frozen=True)
class Run:
    """The corpus and the queries as embedded at one setting, `[n, D]` each, of length one."""

    name: str
    weight_bytes: int
    seconds: float  # to encode the corpus
    corpus: np.ndarray
    queries: np.ndarray
    reload_identical: bool | None  # did saved and loaded weights give the same embeddings?


@dataclass(frozen=True)
class Figures:
    """One row of the table."""

    name: str
    weight_bytes: int
    sentences_per_second: float
    mean_cosine: float
    min_cosine: float
    top_ten_overlap: float  # 0..1
    reload_identical: bool | None


def compare(run: Run, reference: Run) -> Figures:
    """The figures of `run`, with the embeddings of `reference` taken as the truth."""
    cosines = row_cosines(run.corpus.astype(np.float64), reference.corpus.astype(np.float64))
    shared = [
        len(set(ours) & set(truth)) / len(truth)
        for ours, truth in zip(probe_answers(run), probe_answers(reference), strict=True)
    ]
    return Figures(
        name=run.name,
        weight_bytes=run.weight_bytes,
        sentences_per_second=len(run.corpus) / run.seconds,
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        top_ten_overlap=float(np.mean(shared)),
        reload_identical=run.reload_identical,
    )


def row_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine between row i of a and row i of b, for every i."""
    cosines: np.ndarray = (a * b).sum(axis=1) / (
        np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    )
    return cosines


def probe_answers(run: Run) -> list[list[int]]:
    """The top ten for every query, and for docstrings as queries, which do not find themselves.

    A handful of queries alone would make the overlap a matter of luck.
    """
    probes = probe_indices(len(run.corpus))
    scores = run.corpus[probes] @ run.corpus.T
    scores[np.arange(len(probes)), probes] = -np.inf
    return [*map(top, run.queries @ run.corpus.T), *map(top, scores)]


def probe_indices(corpus_size: int) -> np.ndarray:
    """The docstrings that serve as queries: all of them, or as many spread evenly."""
    return np.linspace(0, corpus_size - 1, min(corpus_size, MAX_PROBES)).astype(np.int64)


def top(scores: np.ndarray, count: int = TOP) -> list[int]:
    """Indices of the highest scores, best first."""
    best: list[int] = np.argsort(-scores, kind="stable")[:count].tolist()
    return best
