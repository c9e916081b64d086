"""Where open_clip finds a model with its weights. It makes random ones where it finds none, and
only logs a warning."""

from pathlib import Path
from typing import Any

from mmsearch_core.adapters.model_name import ModelSource, find_model
from mmsearch_core.errors import BadSettings

WEIGHTS = ("*.safetensors", "*.bin", "*.pth")  # what open_clip looks for in a folder
OF_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "*.txt",
    "*.model",
    "special_tokens_map.json",
)
CONFIG = "open_clip_config.json"


def find_clip(model: str) -> ModelSource:
    """The source that ``models.clip`` names: a folder, ``hf-hub:organisation/name`` with or without
    ``@revision``, or an architecture and its weights as open_clip lists them
    (``ViT-B-32/laion2b_s34b_b79k``), which never change.

    :raises BadSettings: it names no weights.
    """
    if model.startswith(("hf-hub:", "local-dir:", "/", ".")) or Path(model).is_dir():
        source = find_model("models.clip", model)
        if source.kind == "folder" and not any(
            any(Path(source.place).glob(kind)) for kind in WEIGHTS
        ):
            raise BadSettings(
                f"models.clip names the folder {source.place}, which holds no weights: correct it."
            )
        return source
    architecture, _, weights = model.partition("/")
    if not architecture or not weights:
        raise BadSettings(
            f"models.clip names {model} without weights, which would be random: name"
            " hf-hub:organisation/name, a folder, or architecture/weights such as"
            " ViT-B-32/laion2b_s34b_b79k."
        )
    return ModelSource(kind="listed", name=model, place=model)


def load_clip(source: ModelSource, device: str) -> tuple[Any, Any, Any]:
    """Model, transform of pictures, and tokenizer. Raises what open_clip raises, and RuntimeError
    where it finds no weights."""
    import open_clip

    if source.kind == "folder":
        return _load(f"local-dir:{source.place}", f"local-dir:{source.place}", device)
    if source.kind == "hub":
        folder = _fetched(source)
        own = any(any(folder.glob(kind)) for kind in OF_TOKENIZERS)
        return _load(
            f"local-dir:{folder}",
            f"local-dir:{folder}" if own else f"hf-hub:{source.place}",
            device,
        )
    architecture, _, weights = source.place.partition("/")
    if (architecture, weights) not in open_clip.list_pretrained():
        raise RuntimeError(f"open_clip lists no weights {weights} of {architecture}")
    return _load(architecture, architecture, device, weights=weights)


def _load(
    model: str, tokenizer: str, device: str, *, weights: str | None = None
) -> tuple[Any, Any, Any]:
    import open_clip

    loaded, transform = open_clip.create_model_from_pretrained(
        model, pretrained=weights, device=device
    )
    return loaded.eval(), transform, open_clip.get_tokenizer(tokenizer)


def _fetched(source: ModelSource) -> Path:
    """The folder in the hub's cache that holds exactly this commit: open_clip itself would take the
    newest."""
    from huggingface_hub import snapshot_download
    from open_clip.pretrained import download_pretrained_from_hf

    download_pretrained_from_hf(source.place, revision=source.commit)
    return Path(
        snapshot_download(
            source.place, revision=source.commit, allow_patterns=[CONFIG, *OF_TOKENIZERS]
        )
    )
