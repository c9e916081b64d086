"""A small tokenizer for both languages: English words in pieces, Chinese by character."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmsearch_core.demo.language import caption, typed, wish_for
from mmsearch_core.demo.vocabulary import every_look


def train_words(out: Path, *, seed: int, size: int = 900) -> int:
    """Write it to the folder as a BERT tokenizer; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = [chr(code) for code in range(33, 127)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(_texts(seed), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=128,
    )
    fast.save_pretrained(out)
    return len(fast)


def _texts(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    looks = every_look() * 10
    said = [text for look in looks for text in caption(look).values()]
    return said + [
        typed(wish_for(look, rng), locale, rng) for look in looks for locale in ("en", "zh")
    ]
