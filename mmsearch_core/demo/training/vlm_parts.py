"""The parts of the tiny Qwen3-VL: its tokenizer, processor and configuration, made to be loaded
like any checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from mmsearch_core.prompts import load

SIDE = 96  # pixels a side that pictures are resized to: 3 x 3 merged patches
PROMPTS = (  # that the model is taught
    "describe",
    "standardize",
    "judge",
    "describe_video",
    "describe_page",
    "read_page",
    "table_filter",
)
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% if message.content is string"
    " %}{{ message.content }}{% else %}{% for part in message.content %}{% if part.type == 'image'"
    " %}<|vision_start|><|image_pad|><|vision_end|>{% elif part.type == 'video'"
    " %}<|vision_start|><|video_pad|><|vision_end|>{% elif part.type == 'text' %}{{ part.text }}{%"
    " endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt"
    " %}<|im_start|>assistant\n{% endif %}"
)


# What is always written the same way becomes one token each: a third of the tokens, a third of the
# time
SCAFFOLD = (
    '{"attributes": {"category": "',
    '", "color": "',
    '", "pattern": "',
    '"}, "caption": {"en": "',
    '"}, "keywords": {"en": ["',
    '"], "zh": ["',
    '"], "zh": []}',
    '"]}, "seen_text": []}',
    '"]}, "seen_text": [], "events": []}',
    '"]}, "seen_text": [], "events": [{"start": ',
    ', "end": ',
    ', "text": {"en": "',
    '"}}, {"start": ',
    '"}}]}',
    " seconds>",
    '{"conditions": [{"header": "',
    '", "op": "',
    '", "value": "',
    '", "unit": "',
    '"}, {"header": "',
    '"}]}',
    '{"attributes": {"page": "',
    '"]}, "seen_text": [{"text": "',
    '", "box": [',
    ']}], "tables": [{"box": [',
    '"]}, "seen_text": [], "tables": [{"box": [',
    '], "header_rows": ',
    ', "rows": [[{"text": "',
    '"}, {"text": "',
    '"}], [{"text": "',
    '"}]]}]}',
    '{"constraints": [{"attribute": "',
    '", "values": ["',
    '"], "exclude": false}, {"attribute": "',
    '"], "exclude": true}, {"attribute": "',
    '"], "exclude": false}], "wording": {"en": "',
    '"], "exclude": true}], "wording": {"en": "',
    '", "zh": "',
    '", "',
    "category: ",
    "; color: ",
    "; pattern: ",
    "system\n",
    "user\n",
    "assistant\n",
)


def fixed_texts() -> list[str]:
    """The parts of prompts and answers that never change, longest first."""
    prompts = [load(name) for name in PROMPTS]
    parts = [
        part for prompt in prompts for part in (prompt.system, *re.split(r"\$\w+", prompt.user))
    ]
    texts = {*SCAFFOLD, *(part for part in parts if len(part) > 2)}
    return sorted(texts, key=lambda text: (-len(text), text))


def pieces() -> str:
    """The pattern of what a text is cut into before tokens are made."""
    fixed = "|".join(re.escape(text) for text in fixed_texts())
    return rf"{fixed}| ?[A-Za-z]+|[0-9]|[\u4e00-\u9fff]|[^A-Za-z0-9\u4e00-\u9fff]+"


def train_tokenizer(texts: Iterable[str], size: int = 3000) -> Any:
    """A byte-level BPE whose merges stay inside a fixed text, a word, a Chinese character, or a run
    of punctuation."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _cutter()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _of_transformers(tokenizer)


def extended(tokenizer: Any, texts: Iterable[str]) -> Any:
    """A tokenizer that also has one token for each piece of these texts. All other texts are cut
    as before, and known tokens keep their numbers."""
    from tokenizers import Tokenizer

    cut = _cutter()
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = parts["model"]["vocab"]
    free = count(len(tokenizer))
    for text in texts:
        for piece, _ in cut.pre_tokenize_str(text):
            if piece not in vocabulary:
                vocabulary[piece] = next(free)
    parts["model"]["ignore_merges"] = True  # a piece that is a token is that token
    made = Tokenizer.from_str(json.dumps(parts))
    made.pre_tokenizer = cut
    return _of_transformers(made)


def _cutter() -> Any:
    """Cuts a text into its pieces, each written in the letters that stand for bytes."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces()), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _of_transformers(tokenizer: Any) -> Any:
    """The tokenizer as transformers loads and saves it, with Qwen's special tokens."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


def make_processor(tokenizer: Any) -> Any:
    """Qwen's own processor classes around that tokenizer."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    size = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}
    sizes = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    normal = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    film = {"shortest_edge": SIDE * SIDE // 4, "longest_edge": SIDE * SIDE * 256}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=size, **sizes, **normal),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(
            size=film, max_video_tokens=(SIDE // 32) ** 2, **sizes, **normal
        ),
        chat_template=TEMPLATE,
    )


def make_model(tokenizer: Any) -> Any:
    """About four million parameters, from nothing."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    rope = {
        "rope_type": "default",
        "rope_theta": 10_000.0,
        "mrope_section": [8, 4, 4],
        "mrope_interleaved": True,
    }
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": -(-len(tokenizer) // 64) * 64,
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "rope_parameters": rope,
            "rope_scaling": rope,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 4,
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_heads": 4,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 192,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": [0, 1, 2],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=ids["<|endoftext|>"],
    )
    return Qwen3VLForConditionalGeneration(config)


def save(model: Any, processor: Any, out: Path) -> None:
    """As bfloat16 safetensors with everything that loading needs; whole or not at all."""
    import copy

    import torch

    small = copy.deepcopy(model).to(torch.bfloat16)
    small.generation_config.eos_token_id = model.config.eos_token_id
    small.generation_config.pad_token_id = model.config.pad_token_id
    small.save_pretrained(out, safe_serialization=True)
    processor.save_pretrained(out)
