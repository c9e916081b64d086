"""Measures the shipped models on held-out photographs: ``python -m mmsearch_core.demo.training.quality``."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.answers import to_description, to_standard_query
from mmsearch_core.demo.language import caption, describe, standardize, typed, wish_for
from mmsearch_core.demo.picture import draw, garments
from mmsearch_core.demo.training.vlm import unlike
from mmsearch_core.demo.vocabulary import ATTRIBUTES, CATEGORIES, Look, every_look
from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Question
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import QueryKey, SegmentId
from mmsearch_core.records.query import PopularQuery
from mmsearch_core.settings import Models

BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share between 0 and 1, what it should be, and on how many held-out items it was measured."""

    name: str
    value: float
    target: float
    held_out: int


def held_out(seed: int) -> list[tuple[bytes, Look]]:
    """One picture of each of the 400 looks, drawn from photographs that no model was trained on."""
    rng, made = np.random.default_rng(seed), []
    for look in every_look():
        band = [category.en for category in CATEGORIES].index(look.category)
        out = io.BytesIO()
        draw(garments()[band, rng.integers(garments().shape[1])], look, rng).save(out, "JPEG", quality=90)
        made.append((out.getvalue(), look))
    return made


def describing(vlm: TransformersVLM, pictures: list[tuple[bytes, Look]]) -> tuple[list[Figure], list[Description]]:
    """How often each attribute is right; and the descriptions, for judging with them."""
    prompt, said = load("describe"), []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        questions = [
            Question(system=prompt.system, text=prompt.text(), picture=p, schema=prompt.answer) for p, _ in batch
        ]
        for answer, (_, look) in zip(vlm.answer(questions), batch, strict=True):
            said.append(describe(look) if isinstance(answer, BadRecord) else to_description(answer, SegmentId("")))
    targets = {"category": 0.80, "color": 0.95, "pattern": 0.90}
    figures = []
    for name in ATTRIBUTES:
        right = [
            description.attributes[name] == getattr(look, name)
            for description, (_, look) in zip(said, pictures, strict=True)
        ]
        figures.append(_figure(f"describe_{name}", right, targets[name]))
    return figures, said


def standardizing(vlm: TransformersVLM, seed: int) -> Iterator[Figure]:
    """How often every constraint of a query is right, by language."""
    prompt, rng = load("standardize"), np.random.default_rng(seed)
    for locale in ("en", "zh"):
        wishes = [wish_for(look, rng) for look in every_look()]
        texts = [typed(wish, locale, rng) for wish in wishes]
        right = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            questions = [
                Question(system=prompt.system, text=prompt.text(query=text), schema=prompt.answer) for text in batch
            ]
            for answer, text, wish in zip(vlm.answer(questions), batch, wishes[start:], strict=False):
                query = PopularQuery(query_key=QueryKey(""), text=text, locale=locale, weight=0)
                said = None if isinstance(answer, BadRecord) else to_standard_query(answer, query)
                right.append(said is not None and said.constraints == wish.constraints)
        yield _figure(f"standardize_{locale}", right, 0.95)


def judging(vlm: TransformersVLM, pictures: list[tuple[bytes, Look]], said: list[Description], seed: int) -> Figure:
    """Half of the queries fit; the others differ in one attribute. The model's own description is in the prompt."""
    prompt, rng = load("judge"), np.random.default_rng(seed)
    right: list[bool] = []
    for start in range(0, len(pictures), BATCH):
        questions, fits = [], []
        for (picture, look), description in zip(pictures[start : start + BATCH], said[start:], strict=False):
            wish = wish_for(look if rng.random() < 0.5 else unlike(look, rng, 1.0), rng)
            text = prompt.text(description=description.judged_text, query=standardize("", wish.constraints).judged_text)
            questions.append(Question(system=prompt.system, text=text, picture=picture))
            fits.append(wish.fits(look))
        scores = vlm.choose(questions, ("yes", "no"))
        right += [
            not isinstance(score, BadRecord) and (score >= 0.5) == fit for score, fit in zip(scores, fits, strict=True)
        ]
    return _figure("judge", right, 0.85)


def finding(embed: Callable[[list[str | bytes]], np.ndarray], items: list[str | bytes], texts: list[str]) -> float:
    """Recall@10: how often the item that a text means is among the ten nearest."""
    scores = embed(list(texts)) @ embed(items).T
    best = np.argsort(-scores, axis=1)[:, :10]
    return float(np.mean([place in row for place, row in enumerate(best)]))


def measure(seed: int) -> list[Figure]:
    """Every figure, from the weights that travel with mmsearch."""
    pictures, models = held_out(seed), Models()
    vlm = TransformersVLM(models)
    figures, said = describing(vlm, pictures)
    figures += [*standardizing(vlm, seed), judging(vlm, pictures, said, seed)]
    clip, sbert = OpenClipEmbedder(models), SbertEmbedder(models)
    for locale in ("en", "zh"):
        texts = [caption(look)[locale] for _, look in pictures]
        recall = finding(lambda items: _stack(clip, items), [picture for picture, _ in pictures], texts)
        figures.append(Figure(name=f"clip_recall_at_10_{locale}", value=recall, target=0.60, held_out=len(texts)))
    both = [[caption(look)[locale] for _, look in pictures] for locale in ("en", "zh")]
    recall = finding(lambda items: _stack(sbert, items), list(both[0]), both[1])
    figures.append(Figure(name="sbert_recall_at_10_zh_to_en", value=recall, target=0.90, held_out=len(pictures)))
    return figures


def main() -> None:
    """Print the figures and write ``build/quality.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=11)
    figures = measure(parser.parse_args().seed)
    for figure in figures:
        print(f"{figure.name:32} {figure.value:6.1%}   target {figure.target:4.0%}   of {figure.held_out}")
    Path("build").mkdir(exist_ok=True)
    Path("build/quality.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


def _figure(name: str, right: list[bool], target: float) -> Figure:
    return Figure(name=name, value=float(np.mean(right)), target=target, held_out=len(right))


def _stack(embedder: OpenClipEmbedder | SbertEmbedder, items: list[str | bytes]) -> np.ndarray:
    vectors: list[np.ndarray] = []
    for start in range(0, len(items), BATCH):
        vectors += [v for v in embedder.embed(items[start : start + BATCH]) if not isinstance(v, BadRecord)]
    return np.stack(vectors)


if __name__ == "__main__":
    main()
