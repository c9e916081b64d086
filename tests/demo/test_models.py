"""The models that travel with mmsearch load offline, like any checkpoint, and were trained on the
shipped prompts."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsearch_core.demo.language import caption
from mmsearch_core.demo.picture import draw, garments
from mmsearch_core.demo.training.quality import changed_prompts
from mmsearch_core.demo.vocabulary import Look
from mmsearch_core.prompts import load
from mmsearch_core.settings import MODELS

LOOK = Look(category="dress", color="red", pattern="striped")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def picture() -> Any:
    return draw(garments()[3, 0], LOOK, np.random.default_rng(1))


def test_the_card_names_the_prompts_that_are_shipped() -> None:
    card = (MODELS / "README.md").read_text()
    assert changed_prompts(card) == []
    assert changed_prompts(card.replace(load("judge").digest, "0" * 64)) == ["judge"]


def test_all_models_together_stay_small() -> None:
    files = [path for path in MODELS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20_000_000
    # no pickles
    assert {path.suffix for path in files} <= {
        ".safetensors",
        ".json",
        ".jinja",
        ".txt",
        ".md",
    }


def test_no_file_names_a_folder_of_the_machine_it_was_made_on() -> None:
    texts = [path for path in MODELS.rglob("*") if path.suffix in {".json", ".jinja"}]
    assert [
        path for path in texts if re.search(r"/(home|work|tmp|root|build)/", path.read_text())
    ] == []


@pytest.mark.integration
def test_qwen_loads_and_answers_in_the_form_of_the_prompt(picture: Any) -> None:
    from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

    processor = AutoProcessor.from_pretrained(MODELS / "qwen3vl")
    model = Qwen3VLForConditionalGeneration.from_pretrained(MODELS / "qwen3vl").eval()
    prompt = load("describe")
    chat = [
        {"role": "system", "content": [{"type": "text", "text": prompt.system}]},
        {
            "role": "user",
            "content": [
                {"type": "image", "image": picture},
                {"type": "text", "text": prompt.text()},
            ],
        },
    ]
    inputs = processor.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    made = model.generate(**inputs, max_new_tokens=120, do_sample=False)
    answer = processor.tokenizer.decode(
        made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
    )
    said = json.loads(answer)
    assert list(said) == ["attributes", "caption", "keywords", "seen_text"]
    assert said["attributes"]["color"] == "red"
    assert all(len(processor.tokenizer.encode(label)) == 1 for label in load("judge").labels or ())


@pytest.mark.integration
def test_clip_loads_from_any_folder(picture: Any, tmp_path: Path) -> None:
    import shutil

    import open_clip
    import torch

    folder = shutil.copytree(MODELS / "clip", tmp_path / "elsewhere")
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(
        ["red striped dress", "红色条纹连衣裙", "black bag"]
    )
    with torch.inference_mode():
        texts = model.eval().encode_text(tokens, normalize=True)
        seen = model.encode_image(preprocess(picture)[None], normalize=True)[0]
    english, chinese, other = (float(score) for score in texts @ seen)
    assert min(english, chinese) > other


@pytest.mark.integration
def test_sbert_loads_and_knows_both_languages() -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(MODELS / "sbert"), device="cpu")
    other = caption(Look(category="bag", color="black", pattern="plain"))["zh"]
    english, chinese, different = model.encode(
        [*caption(LOOK).values(), other], normalize_embeddings=True
    )
    assert np.allclose(np.linalg.norm(english), 1, atol=1e-4)
    assert english @ chinese > english @ different + 0.2
