"""SBERT through sentence-transformers: text in the space of passages."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmsearch_core.adapters.engine_errors import one_by_one_if_need_be, while_loading
from mmsearch_core.adapters.model_name import find_model
from mmsearch_core.answers import sound
from mmsearch_core.errors import BadRecord, BadSettings, UnsupportedMedia
from mmsearch_core.records.embedding import Vector
from mmsearch_core.settings import Models


class SbertEmbedder:
    """Loads on the first item."""

    space = "sbert"

    def __init__(self, settings: Models) -> None:
        self._settings = settings
        self._source = find_model("models.sbert", settings.sbert, settings.sbert_revision)
        self.name = self._source.name

    @cached_property
    def dimension(self) -> int:
        pooling = Path(self._settings.sbert) / "1_Pooling" / "config.json"
        modules = Path(self._settings.sbert) / "modules.json"
        if pooling.is_file() and not any(
            "Dense" in module["type"] for module in json.loads(modules.read_text())
        ):
            sizes = json.loads(pooling.read_text())
            return int(sizes.get("word_embedding_dimension") or sizes["embedding_dimension"])
        return int(self._model.get_sentence_embedding_dimension())

    def embed(self, items: Iterable[str | bytes]) -> list[Vector | BadRecord]:
        """All texts as one call; a picture comes back as an error."""
        items = list(items)
        texts = [item for item in items if isinstance(item, str)]
        made = iter(one_by_one_if_need_be(self._encode, texts, model="models.sbert"))
        return [
            (
                next(made)
                if isinstance(item, str)
                else UnsupportedMedia("SBERT embeds text, not pictures.")
            )
            for item in items
        ]

    def _encode(self, texts: Sequence[str]) -> list[Vector | BadRecord]:
        options = {
            "normalize_embeddings": True,
            "show_progress_bar": False,
            "convert_to_numpy": True,
        }
        # no batch of the model is larger than a half of texts that found no memory
        made = self._model.encode(
            list(texts), batch_size=min(len(texts), self._settings.batch), **options
        )
        return [sound(np.asarray(vector, dtype=np.float32)) for vector in made]

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # a task's log is no terminal
        try:
            return SentenceTransformer(
                self._source.place,
                revision=self._source.commit,
                device=self._settings.device,
                trust_remote_code=False,
                # whatever the weights are saved in, vectors are made in one precision: the recipe
                # names no other
                model_kwargs={"use_safetensors": True, "dtype": "float32"},
            )
        except (OSError, ValueError, RuntimeError, AssertionError, MemoryError) as error:
            if away := while_loading(error, "models.sbert"):
                raise away from error
            reason = str(error).splitlines()[0]
            raise BadSettings(
                f"models.sbert ({self._settings.sbert}) cannot be loaded ({reason}): name a folder"
                " or a hub id that this machine has or can fetch."
            ) from error
