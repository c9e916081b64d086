"""Measures the shipped models on held-out photographs: ``python -m
mmsearch_core.demo.training.quality``."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.answers import to_description, to_standard_query
from mmsearch_core.demo.language import caption, standardize, typed, wish_for
from mmsearch_core.demo.picture import draw, photographs_of
from mmsearch_core.demo.training.films_quality import watching
from mmsearch_core.demo.training.samples import wish_that
from mmsearch_core.demo.training.scans_quality import reading
from mmsearch_core.demo.training.vlm_parts import PROMPTS
from mmsearch_core.demo.vocabulary import ATTRIBUTES, Look, every_look
from mmsearch_core.errors import BadRecord
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Description
from mmsearch_core.records.ids import QueryKey, SegmentId
from mmsearch_core.records.query import Constraint, PopularQuery
from mmsearch_core.records.question import Answer, Frame, Question
from mmsearch_core.settings import MODELS, Models
from mmsearch_core.stages.index.describe import question
from mmsearch_core.vocabulary import load as load_vocabulary

BATCH = 32
Picture = tuple[bytes, Look]  # a JPEG and what it shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share between 0 and 1, what it should be, and on how many held-out items it was
    measured."""

    name: str
    value: float
    target: float
    held_out: int


def held_out(seed: int) -> list[Picture]:
    """One picture of each of the 400 looks, drawn from photographs that no model was trained on."""
    rng, made = np.random.default_rng(seed), []
    for look in every_look():
        photos = photographs_of(look.category)
        out = io.BytesIO()
        draw(photos[rng.integers(len(photos))], look, rng).save(out, "JPEG", quality=90)
        made.append((out.getvalue(), look))
    return made


def describing(
    vlm: TransformersVLM, pictures: list[Picture]
) -> tuple[list[Figure], list[Description | None]]:
    """How often each attribute is right; and the descriptions, for judging with them. An unusable
    answer is wrong."""
    prompt, vocabulary = load("describe"), load_vocabulary("sample")
    said: list[Description | None] = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        questions = [question(prompt, (Frame(jpeg=picture),), vocabulary) for picture, _ in batch]
        said += [
            None if isinstance(answer, BadRecord) else _usable(answer)
            for answer in vlm.answer(questions)
        ]
    targets = {"category": 0.80, "color": 0.95, "pattern": 0.90}
    figures = []
    for name in ATTRIBUTES:
        right = [
            description is not None and description.attributes.get(name) == getattr(look, name)
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
                Question(system=prompt.system, text=prompt.text(query=text), schema=prompt.answer)
                for text in batch
            ]
            for answer, text, wish in zip(
                vlm.answer(questions), batch, wishes[start:], strict=False
            ):
                query = PopularQuery(query_key=QueryKey(""), text=text, locale=locale, weight=0)
                right.append(
                    not isinstance(answer, BadRecord)
                    and _constraints(answer, query) == wish.constraints
                )
        yield _figure(f"standardize_{locale}", right, 0.95)


def judging(
    vlm: TransformersVLM,
    pictures: list[Picture],
    said: list[Description | None],
    seed: int,
    *,
    exchanged: bool = False,
) -> Figure:
    """Every other query fits; the rest miss by one attribute. The model's own description is in the
    prompt.

    With ``exchanged`` each picture gets the query that was made for another one, which leaves
    nothing to know.
    """
    prompt, rng = load("judge"), np.random.default_rng(seed)
    fits = [number % 2 == 0 for number in range(len(pictures))]
    wishes = [
        wish_that(look, rng, fits=fit, progress=1.0)
        for (_, look), fit in zip(pictures, fits, strict=True)
    ]
    queries = [standardize("", wish.constraints).judged_text for wish in wishes]
    if exchanged:
        queries = [queries[place] for place in rng.permutation(len(queries))]
    right = [False] * len(pictures)
    usable = [place for place, description in enumerate(said) if description is not None]
    for start in range(0, len(usable), BATCH):
        places = usable[start : start + BATCH]
        texts = [said[place].judged_text for place in places]  # type: ignore[union-attr]
        questions = [
            Question(
                system=prompt.system,
                text=prompt.text(description=text, query=queries[place]),
                frames=(Frame(jpeg=pictures[place][0]),),
            )
            for place, text in zip(places, texts, strict=True)
        ]
        for place, weights in zip(places, vlm.weigh(questions, ("yes", "no")), strict=True):
            right[place] = not isinstance(weights, BadRecord) and (weights[0] >= 0.5) == fits[place]
    return _figure("judge", right, 0.85)


def finding(
    embed: Callable[[list[str | bytes]], np.ndarray], items: list[str | bytes], texts: list[str]
) -> float:
    """Recall@10: how often the item that a text means is among the ten nearest."""
    scores = embed(list(texts)) @ embed(items).T
    best = np.argsort(-scores, axis=1)[:, :10]
    return float(np.mean([place in row for place, row in enumerate(best)]))


def embedded(embedder: OpenClipEmbedder | SbertEmbedder, items: list[str | bytes]) -> np.ndarray:
    """Vectors, shape (n, dimension), of all items."""
    vectors: list[np.ndarray] = []
    for start in range(0, len(items), BATCH):
        vectors += [
            v for v in embedder.embed(items[start : start + BATCH]) if not isinstance(v, BadRecord)
        ]
    return np.stack(vectors)


def speaking(
    models: Models, pictures: list[Picture], seed: int, prompts: Collection[str]
) -> list[Figure]:
    """The figures of the vision-language model at what it was taught."""
    vlm = TransformersVLM(models)
    figures, said = describing(vlm, pictures)
    figures += [*standardizing(vlm, seed), judging(vlm, pictures, said, seed)]
    figures += filming(vlm, seed) if "describe_video" in prompts else []
    figures += scanning(vlm, seed) if "read_page" in prompts else []
    return figures


def filming(vlm: TransformersVLM, seed: int) -> Iterator[Figure]:
    """How many of the changes in films are said, with their times; and how many of those that are
    said happen."""
    watched = watching(vlm, seed)
    found = [right for one in watched for right in one.found]
    yield _figure("film_events", found, 0.80)
    said = [right for one in watched for right in one.true]
    yield _figure("film_events_true", said, 0.80)


def scanning(vlm: TransformersVLM, seed: int) -> Iterator[Figure]:
    """How many cells of scanned size charts are read exactly."""
    exact = [right for one in reading(vlm, seed) for right in one.exact]
    yield _figure("scan_cells", exact, 0.90)


def retrieving(models: Models, pictures: list[Picture]) -> list[Figure]:
    """The figures of the two embedders: a caption finds its picture, and its translation."""
    clip, sbert = OpenClipEmbedder(models), SbertEmbedder(models)
    said = {locale: [caption(look)[locale] for _, look in pictures] for locale in ("en", "zh")}
    figures = []
    for locale, texts in said.items():
        recall = finding(
            lambda items: embedded(clip, items), [picture for picture, _ in pictures], texts
        )
        figures.append(
            Figure(
                name=f"clip_recall_at_10_{locale}", value=recall, target=0.60, held_out=len(texts)
            )
        )
    recall = finding(lambda items: embedded(sbert, items), list(said["en"]), said["zh"])
    return [
        *figures,
        Figure(
            name="sbert_recall_at_10_zh_to_en", value=recall, target=0.90, held_out=len(pictures)
        ),
    ]


def taught(card: str) -> dict[str, str]:
    """The prompts that the card says its models were trained on, with their digests."""
    return dict(re.findall(r"\| `(\w+)\.yaml` \| `([0-9a-f]{64})` \|", card))


def changed_prompts(card: str) -> list[str]:
    """Those of them that are other prompts by now."""
    return [name for name, digest in taught(card).items() if load(name).digest != digest]


def main() -> None:
    """Print the figures and write ``build/quality.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models", type=Path, default=MODELS, help="folder of qwen3vl, clip and sbert"
    )
    parser.add_argument("--only", choices=["vlm", "embedders"])
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    card = (MODELS / "README.md").read_text()
    prompts = taught(card) if args.models == MODELS else PROMPTS
    if args.models == MODELS and (changed := changed_prompts(card)):
        sys.exit(
            f"The prompts {', '.join(changed)} are not those that the models were trained on: train"
            " them again."
        )
    folder, pictures = args.models, held_out(args.seed)
    models = Models(
        vlm=str(folder / "qwen3vl"),
        clip=f"local-dir:{folder / 'clip'}",
        sbert=str(folder / "sbert"),
    )
    figures = [] if args.only == "embedders" else speaking(models, pictures, args.seed, prompts)
    figures += [] if args.only == "vlm" else retrieving(models, pictures)
    for figure in figures:
        print(
            f"{figure.name:32} {figure.value:6.1%}   target {figure.target:4.0%}   of"
            f" {figure.held_out}"
        )
    Path("build").mkdir(exist_ok=True)
    Path("build/quality.json").write_text(
        json.dumps([asdict(figure) for figure in figures], indent=1)
    )


def _usable(answer: Answer) -> Description | None:
    try:
        return to_description(answer.text, SegmentId(""))
    except BadRecord:
        return None


def _constraints(answer: Answer, query: PopularQuery) -> tuple[Constraint, ...] | None:
    try:
        return to_standard_query(answer.text, query).constraints
    except BadRecord:
        return None


def _figure(name: str, right: list[bool], target: float) -> Figure:
    return Figure(name=name, value=float(np.mean(right)), target=target, held_out=len(right))


if __name__ == "__main__":
    main()
