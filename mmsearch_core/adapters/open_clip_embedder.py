"""CLIP and SigLIP through open_clip: text and pictures in one space."""

import io
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmsearch_core.adapters.model_name import model_name
from mmsearch_core.errors import BadRecord, BadSettings
from mmsearch_core.records.embedding import Vector
from mmsearch_core.settings import Models


class OpenClipEmbedder:
    """Loads on the first item."""

    space = "clip"

    def __init__(self, settings: Models) -> None:
        self._settings = settings
        self.name = model_name("models.clip", settings.clip)

    @cached_property
    def dimension(self) -> int:
        config = Path(self._settings.clip.removeprefix("local-dir:")) / "open_clip_config.json"
        if config.is_file():
            return int(json.loads(config.read_text())["model_cfg"]["embed_dim"])
        return int(self.embed(["size"])[0].shape[0])  # type: ignore[union-attr]

    def embed(self, items: Sequence[str | bytes]) -> list[Vector | BadRecord]:
        """Texts and pictures each as one batch."""
        import torch

        texts = [place for place, item in enumerate(items) if isinstance(item, str)]
        pictures = [place for place, item in enumerate(items) if isinstance(item, bytes)]
        vectors: dict[int, Vector] = {}
        with torch.inference_mode():
            for places, encode in ((texts, self._encode_texts), (pictures, self._encode_pictures)):
                if places:
                    made = encode([items[place] for place in places])
                    vectors.update(zip(places, made.float().cpu().numpy().astype(np.float32), strict=True))
        return [vectors[place] for place in range(len(items))]

    def _encode_texts(self, texts: Sequence[Any]) -> Any:
        model, _, tokenizer = self._parts
        return model.encode_text(tokenizer(list(texts)).to(self._settings.device), normalize=True)

    def _encode_pictures(self, pictures: Sequence[Any]) -> Any:
        import torch
        from PIL import Image

        model, preprocess, _ = self._parts
        tensors = [preprocess(Image.open(io.BytesIO(picture)).convert("RGB")) for picture in pictures]
        return model.encode_image(torch.stack(tensors).to(self._settings.device), normalize=True)

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        import open_clip

        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                self._settings.clip, device=self._settings.device
            )
            tokenizer = open_clip.get_tokenizer(self._settings.clip)
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise BadSettings(
                f"models.clip ({self._settings.clip}) cannot be loaded ({reason}): correct it."
            ) from error
        return model.eval(), preprocess, tokenizer
