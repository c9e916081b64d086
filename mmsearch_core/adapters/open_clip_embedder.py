"""CLIP and SigLIP through open_clip: text and pictures in one space."""

import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mmsearch_core.adapters.engine_errors import one_by_one_if_need_be, while_loading
from mmsearch_core.adapters.open_clip_source import CONFIG, find_clip, load_clip
from mmsearch_core.ahead import ahead
from mmsearch_core.answers import sound
from mmsearch_core.errors import BadRecord, BadSettings, UnreadableMedia
from mmsearch_core.records.embedding import Vector
from mmsearch_core.settings import Models


class OpenClipEmbedder:
    """Loads on the first item."""

    space = "clip"

    def __init__(self, settings: Models) -> None:
        self._settings = settings
        self._source = find_clip(settings.clip)
        self.name = self._source.name

    @cached_property
    def dimension(self) -> int:
        config = Path(self._source.place) / CONFIG
        if self._source.kind == "folder" and config.is_file():
            return int(json.loads(config.read_text())["model_cfg"]["embed_dim"])
        return int(self.embed(["size"])[0].shape[0])  # type: ignore[union-attr]

    def embed(self, items: Iterable[str | bytes]) -> list[Vector | BadRecord]:
        """Pictures are opened and resized by threads while the model looks at those before them."""
        self._parts  # noqa: B018 loaded here, before threads use it
        size = self._settings.batch
        prepared = ahead(self._prepare, items, workers=min(4, os.cpu_count() or 1), window=2 * size)
        vectors: list[Vector | BadRecord] = []
        while batch := list(islice(prepared, size)):
            vectors += self._encode(batch)
        return vectors

    def _prepare(self, item: str | bytes) -> Any:
        """A text as it is, a picture as a tensor, or why it cannot be seen."""
        from PIL import Image

        if isinstance(item, str):
            return item
        try:
            with Image.open(io.BytesIO(item)) as picture:
                return self._parts[1](picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            return UnreadableMedia(
                f"The picture is damaged ({type(error).__name__}): clear the run from decode."
            )

    def _encode(self, batch: Sequence[Any]) -> list[Vector | BadRecord]:
        """Texts and pictures each as one batch."""
        import torch

        model, _, tokenizer = self._parts
        device = self._settings.device
        texts = [place for place, item in enumerate(batch) if isinstance(item, str)]
        pictures = [place for place, item in enumerate(batch) if isinstance(item, torch.Tensor)]
        answers = list(batch)
        encoders: tuple[tuple[list[int], Callable[[Any], Any]], ...] = (
            (texts, lambda found: model.encode_text(tokenizer(found).to(device), normalize=True)),
            (
                pictures,
                lambda found: model.encode_image(torch.stack(found).to(device), normalize=True),
            ),
        )
        for places, encode in encoders:

            def vectors(
                items: Sequence[Any], encode: Callable[[Any], Any] = encode
            ) -> list[Vector]:
                with torch.inference_mode():
                    return list(encode(list(items)).float().cpu().numpy().astype(np.float32))

            made = one_by_one_if_need_be(
                vectors, [batch[place] for place in places], model="models.clip"
            )
            for place, vector in zip(places, made, strict=True):
                answers[place] = vector if isinstance(vector, BadRecord) else sound(vector)
        return answers

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        try:
            return load_clip(self._source, self._settings.device)
        except (OSError, RuntimeError, ValueError, AssertionError, MemoryError) as error:
            if away := while_loading(error, "models.clip"):
                raise away from error
            reason = str(error).splitlines()[0]
            raise BadSettings(
                f"models.clip ({self._settings.clip}) cannot be loaded ({reason}): correct it."
            ) from error
