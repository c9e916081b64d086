"""A recipe's name of a model is its weights: what a folder holds, or the commit that a hub's branch
stands for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import OfflineModeIsEnabled

from mmsearch_core.adapters.model_name import find_model
from mmsearch_core.adapters.open_clip_source import find_clip
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.errors import BadSettings, EngineAway
from mmsearch_core.settings import MODELS, Models

COMMITS = ("a" * 40, "b" * 40)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub that is not asked."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        raise OfflineModeIsEnabled("no hub in tests")

    monkeypatch.setattr(HfApi, "model_info", offline)
    return tmp_path


def remember(cache: Path, model: str, commit: str, revision: str = "main") -> None:
    """As the hub's library does when it fetches a model."""
    ref = cache / f"models--{model.replace('/', '--')}" / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)


def test_a_folder_is_named_by_its_contents(tmp_path: Path) -> None:
    """The same weights in another folder are the same model."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    first, second = (find_model("models.vlm", str(tmp_path / name)) for name in ("a", "b"))
    assert first.name == second.name
    (tmp_path / "b" / "model.safetensors").write_bytes(b"other")
    assert find_model("models.vlm", str(tmp_path / "b")).name != first.name
    with pytest.raises(BadSettings, match=r"models\.vlm"):
        find_model("models.vlm", "/no/such/folder")


def test_a_commit_is_believed_without_asking_anybody(cache: Path) -> None:
    for model, revision in (("shop/vlm", COMMITS[0]), (f"shop/vlm@{COMMITS[0]}", None)):
        source = find_model("models.vlm", model, revision)
        assert (source.name, source.place, source.commit) == (
            f"shop/vlm@{COMMITS[0]}",
            "shop/vlm",
            COMMITS[0],
        )


@pytest.mark.parametrize("revision", [None, "main", "v1.2"])
def test_a_branch_is_the_commit_that_this_machine_has(cache: Path, revision: str | None) -> None:
    """And another name once it has moved."""
    for commit in COMMITS:
        remember(cache, "shop/vlm", commit, revision or "main")
        source = find_model("models.vlm", "shop/vlm", revision)
        assert (source.name, source.commit) == (f"shop/vlm@{commit}", commit)
        assert find_clip(f"hf-hub:shop/vlm@{revision or 'main'}").commit == commit


def test_a_branch_that_this_machine_does_not_have_is_asked_of_the_hub_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All processes of a machine go on with the commit that the first was told."""
    moving = iter(COMMITS)

    class Info:
        def __init__(self) -> None:
            self.sha = next(moving)

    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: Info())
    assert [find_model("models.vlm", "shop/vlm").commit for _ in range(3)] == [COMMITS[0]] * 3


def test_a_branch_that_nobody_can_resolve_is_refused(cache: Path) -> None:
    """Exit 78: any weights could come."""
    with pytest.raises(BadSettings, match="no revision main"):
        find_model("models.vlm", "shop/vlm")


def test_a_hub_that_is_away_is_no_wrong_setting(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 75."""

    def away(*_: object, **__: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(HfApi, "model_info", away)
    with pytest.raises(EngineAway, match=r"models\.vlm"):
        find_model("models.vlm", "shop/vlm")


def test_precision_is_a_part_of_the_name() -> None:
    """Float32 is what a name without one means; the token limit decides no answer."""
    plain, half = TransformersVLM(Models()), TransformersVLM(Models(dtype="bfloat16"))
    assert plain.name.startswith("folder:")
    assert half.name == f"{plain.name} bfloat16"
    assert TransformersVLM(Models(max_new_tokens=64)).name == plain.name
    assert SbertEmbedder(Models(dtype="bfloat16")).name == SbertEmbedder(Models()).name


@pytest.mark.parametrize(
    "model", ["ViT-B-32", "ViT-S-32-alt", "ViT-B-32/", "/ViT", "", "hf-hub", "MobileCLIP-S1"]
)
def test_an_architecture_without_weights_is_refused(model: str) -> None:
    """Its weights would be random, and other ones in each process."""
    with pytest.raises(BadSettings, match=r"models\.clip"):
        find_clip(model)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    shutil.copy(MODELS / "clip/open_clip_config.json", tmp_path)
    for model in (str(tmp_path), f"local-dir:{tmp_path}"):
        with pytest.raises(BadSettings, match="holds no weights"):
            find_clip(model)


def test_an_architecture_and_its_listed_weights_are_a_name() -> None:
    assert find_clip("ViT-B-32/laion2b_s34b_b79k").name == "ViT-B-32/laion2b_s34b_b79k"
    assert find_clip(str(MODELS / "clip")) == find_clip(f"local-dir:{MODELS / 'clip'}")


@pytest.mark.integration
def test_exactly_the_named_commit_is_loaded(tmp_path: Path) -> None:
    """All three models out of a cache of the hub, in a process that has no other way to them. An
    architecture's unlisted weights are refused there, too."""
    for name in ("clip", "sbert", "qwen3vl"):
        remember(tmp_path / "hub", f"shop/{name}", COMMITS[0])
        shutil.copytree(
            MODELS / name, tmp_path / f"hub/models--shop--{name}/snapshots/{COMMITS[0]}"
        )
    code = """
import numpy as np
from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.errors import BadSettings
from mmsearch_core.settings import Models
cached = Models(clip="hf-hub:shop/clip", sbert="shop/sbert", vlm="shop/qwen3vl")
for kind in (OpenClipEmbedder, SbertEmbedder):
    ours, theirs = kind(Models()), kind(cached)
    assert theirs.name == f"shop/{theirs.space}@" + 40 * "a", theirs.name
    assert ours.dimension == theirs.dimension
    assert np.array_equal(ours.embed(["red dress"])[0], theirs.embed(["red dress"])[0])
ours, theirs = TransformersVLM(Models())._model.config, TransformersVLM(cached)._model.config
assert ours.model_type == theirs.model_type
try:
    OpenClipEmbedder(Models(clip="ViT-B-32/no-such-weights")).embed(["x"])
except BadSettings as refused:
    print(refused)
"""
    environment = os.environ | {
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "models.clip (ViT-B-32/no-such-weights) cannot be loaded" in done.stdout
