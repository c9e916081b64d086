"""The tokenizer of the tiny Qwen3-VL: what never changes is one token, and learning more forgets
nothing."""

from typing import Any

import pytest

from mmsearch_core.demo.training.vlm_parts import PROMPTS, SPECIAL, extended, train_tokenizer
from mmsearch_core.prompts import load

KNOWN = ["a red striped dress", "红色连衣裙", '", "zh": "', "category: dress; color: red"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(KNOWN * 10, size=400)


def test_more_words_leave_the_others_as_they_are(tokenizer: Any) -> None:
    more = extended(tokenizer, ["it turns around", "转身", '"}}, {"start": '])
    for text in KNOWN:
        assert more.encode(text) == tokenizer.encode(text)
    for token in SPECIAL:
        assert more.convert_tokens_to_ids(token) == tokenizer.convert_tokens_to_ids(token)
    assert len(more.encode(" turns around")) == 2
    assert len(more.encode('"}}, {"start": ')) == 1
    assert more.decode(more.encode("it turns 转身")) == "it turns 转身"
    assert len(extended(more, ["it turns around"])) == len(more)


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_is_a_few_tokens(tokenizer: Any, name: str) -> None:
    prompt = load(name)
    more = extended(tokenizer, [prompt.system, prompt.user])
    assert len(more.encode(prompt.system)) == 1
    assert len(more.encode(prompt.user)) < 12
