"""A program written for MLX and mlx-lm, run by test_mlx_lm.py on the real MLX and on nybble.

mlx_lm_program.py write FOLDER    # makes a small random checkpoint of each family in FOLDER
mlx_lm_program.py run FOLDER OUT  # loads them, runs them, writes what came out to OUT (npz)
"""

import importlib
import json
import sys
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm import generate, load
from mlx_lm.generate import generate_step
from mlx_lm.models.cache import (
    load_prompt_cache,
    make_prompt_cache,
    save_prompt_cache,
    trim_prompt_cache,
)
from mlx_lm.sample_utils import make_logits_processors, make_sampler
from mlx_lm.utils import save_config, save_model

WORDS = 256
COMMON = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": WORDS,
    "rope_theta": 10000.0,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
MOE = {
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "norm_topk_prob": True,
}
#: family -> its configuration, and how it is quantized.
FAMILIES = {
    "llama": (COMMON | {"tie_word_embeddings": False}, {"bits": 4, "group_size": 64}),
    "qwen2": (COMMON, {"bits": 8, "group_size": 32}),
    "qwen3": (COMMON, {"bits": 3, "group_size": 64}),
    "qwen3_moe": (COMMON | MOE, {"bits": 4, "group_size": 32}),
    "mixtral": (
        COMMON | {"num_local_experts": 4, "num_experts_per_tok": 2},
        {"bits": 4, "group_size": 64},
    ),
    "gemma2": (
        COMMON
        | {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
        | {"query_pre_attn_scalar": 32},
        {"bits": 6, "group_size": 64},
    ),
    "gemma3_text": (
        COMMON | {"sliding_window": 8, "sliding_window_pattern": 2, "query_pre_attn_scalar": 32},
        {"bits": 4, "group_size": 64},
    ),
    "phi3": (COMMON, {"bits": 5, "group_size": 64}),
    "gpt_oss": (
        COMMON
        | {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 8}
        | {"layer_types": ["sliding_attention", "full_attention"]},
        {"bits": 4, "group_size": 32, "mode": "mxfp4"},
    ),
    "mamba": (
        {"vocab_size": WORDS, "hidden_size": 64, "intermediate_size": 128, "state_size": 16}
        | {"num_hidden_layers": 2, "conv_kernel": 4, "use_bias": False, "use_conv_bias": True}
        | {"time_step_rank": 32},
        {"bits": 4, "group_size": 32},
    ),
}


def write_tokenizer(folder: Path) -> None:
    vocabulary = {f"w{i}": i for i in range(WORDS)}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w1", "unk_token": "w0"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write(folder: Path) -> None:
    for seed, (family, (settings, quantization)) in enumerate(FAMILIES.items()):
        mx.random.seed(seed)
        family_module = importlib.import_module(f"mlx_lm.models.{family}")
        config = settings | {"model_type": family}
        model = family_module.Model(family_module.ModelArgs.from_dict(config))
        nn.quantize(model, **quantization)
        target = folder / family
        target.mkdir(parents=True)
        save_model(target, model)
        save_config(config | {"quantization": quantization}, target / "config.json")
        write_tokenizer(target)


def logits_of(model) -> dict[str, np.ndarray]:
    """Logits of a prompt at once, and of tokens one by one on the cache that it leaves."""
    tokens = mx.array([[(7 * i + 3) % WORDS for i in range(23)]])
    cache = make_prompt_cache(model)
    results = {"prompt": model(tokens, cache=cache)}
    for i in range(4):
        results[f"token {i}"] = model(mx.array([[11 * i + 5]]), cache=cache)
    results["batch"] = model(mx.concatenate([tokens, tokens + 1], axis=0))
    return {name: np.array(value.astype(mx.float32)) for name, value in results.items()}


def run(folder: Path) -> dict[str, np.ndarray]:
    results = {}
    for family in FAMILIES:
        model, tokenizer = load(str(folder / family))
        for name, value in logits_of(model).items():
            results[f"{family}/{name}"] = value
        text = generate(model, tokenizer, "w3 w10 w17 w24", max_tokens=12)
        results[f"{family}/text"] = np.array(text)
    model, _ = load(str(folder / "llama"))
    results |= {f"llama/{name}": value for name, value in run_options(model, folder).items()}
    parameters = dict(tree_flatten(model.parameters()))
    results["llama/parameters"] = np.array(sorted(parameters))
    return results


def run_options(model, folder: Path) -> dict[str, np.ndarray]:
    """The ways that mlx-lm has to generate: quantized caches, samplers, saved prompts."""
    prompt = mx.array([3, 10, 17, 24, 31, 38, 45, 52])
    results = {}
    for bits in (8, 4):
        steps = generate_step(
            prompt, model, max_tokens=6, kv_bits=bits, kv_group_size=32, quantized_kv_start=0
        )
        results[f"cache of {bits} bits"] = np.array([float(p.max()) for _, p in steps])
    mx.random.seed(3)
    sampler = make_sampler(temp=0.8, top_p=0.9, min_p=0.01, top_k=20)
    processors = make_logits_processors({5: 1.5}, repetition_penalty=1.2)
    steps = generate_step(
        prompt, model, max_tokens=8, sampler=sampler, logits_processors=processors
    )
    results["sampled"] = np.array([int(token) for token, _ in steps])
    cache = make_prompt_cache(model)
    model(prompt[None], cache=cache)
    name = f"prompt-{mx.__name__}.safetensors"
    save_prompt_cache(str(folder / name), cache, {"model": "llama"})
    again = load_prompt_cache(str(folder / name))
    trim_prompt_cache(again, 2)
    results["after a saved prompt"] = np.array(model(prompt[None, -2:], cache=again))
    return results


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        np.savez(sys.argv[3], **run(Path(sys.argv[2])))
