"""The models that travel with mmsearch belong to the prompts that travel with it, and nothing else travels."""

import json

import pytest

from mmsearch_core.prompts import load
from mmsearch_core.settings import MODELS


@pytest.mark.parametrize("name", ["describe", "standardize", "judge"])
def test_the_card_names_the_shipped_prompt(name: str) -> None:
    """A model that was trained on another prompt answers nonsense."""
    assert load(name).digest in (MODELS / "README.md").read_text()


def test_weights_are_safetensors_and_small() -> None:
    """No pickles; under 25 MB together."""
    files = [path for path in MODELS.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".pth", ".pkl")]
    assert sum(path.stat().st_size for path in files) < 25e6


def test_the_models_are_of_the_real_architectures() -> None:
    """What production loads, in small."""
    config = json.loads((MODELS / "qwen3vl/config.json").read_text())
    assert config["architectures"] == ["Qwen3VLForConditionalGeneration"]
    assert "model_cfg" in json.loads((MODELS / "clip/open_clip_config.json").read_text())
    assert "Transformer" in (MODELS / "sbert/modules.json").read_text()
