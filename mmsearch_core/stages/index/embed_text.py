"""embed_text: what is known of a segment in words becomes passages with their SBERT vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.models import Embedder
from mmsearch_core.ports.stores import Memo
from mmsearch_core.records.asset import Product
from mmsearch_core.records.description import Description
from mmsearch_core.records.embedding import Embedding, Vector
from mmsearch_core.records.ids import digest
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.row import Passage, passage_id
from mmsearch_core.records.segment import Segment
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.embed_image import embed_all, read_vector

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """All that is known of a segment in words; the description is missing where the model's answer
    was unusable."""

    segment: Segment
    description: Description | None
    product: Product | None


def recipe(model: str) -> Recipe:
    """What decides passages and their vectors."""
    return Recipe(stage="embed_text", version=1, model=model, settings={})


def stage(*, memo: Memo, embedder: Embedder, batch: int) -> Stage[Words]:
    """One caption passage a segment, with the feed's title in it, embedded once for each distinct
    text."""
    how = recipe(embedder.name)

    def work_on(items: Sequence[Words], run: ShardRun) -> list[Outcome]:
        passages = [caption_passage(words) for words in items]
        names = [digest("text", passage.text) for passage in passages]
        passage_of = dict(zip(names, passages, strict=True))

        def ask(keys: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            return embed_all(embedder, keys, [passage_of[key].text for key in keys])

        vectors = memoised(memo, how.recipe_id, names, ask, read_vector, run.tally)
        return [
            _outcome(passage, vectors[name], embedder.space)
            for passage, name in zip(passages, names, strict=True)
        ]

    return Stage(
        recipe=how,
        reads={"segments": "decode", "descriptions": "describe", "products": "plan"},
        writes={"passages": Passage, f"embeddings.{embedder.space}": Embedding},
        items=lambda shard, _: _items(shard),
        id_of=lambda words: words.segment.segment_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_embedder(embedder, canary.TEXT),
    )


def caption_passage(words: Words) -> Passage:
    """Caption, keywords and seen text in every language, then the feed's titles; one line each, no
    line twice."""
    said, segment = words.description, words.segment
    lines: list[str] = []
    if said:
        lines += _by_language(said.caption)
        lines += map(" ".join, _by_language(said.keywords))
        lines += [seen.text for seen in said.seen_text]
    if words.product:
        lines += _by_language(words.product.title)
    lines.append(segment.text)
    return Passage(
        passage_id=passage_id(segment.segment_id, "caption", 0),
        segment_id=segment.segment_id,
        kind="caption",
        where=segment.where,
        text="\n".join(dict.fromkeys(line for line in lines if line)),
        described=said is not None,
    )


def _by_language(said: Mapping[str, Said]) -> list[Said]:
    """What is said in each language, in the order of the languages' names."""
    return [said[language] for language in sorted(said)]


def _items(shard: Shard) -> list[Words]:
    descriptions = {said.segment_id: said for said in shard.read("descriptions", Description)}
    products = {product.product_id: product for product in shard.read("products", Product)}
    return [
        Words(
            segment=segment,
            description=descriptions.get(segment.segment_id),
            product=products.get(segment.product_id),
        )
        for segment in shard.read("segments", Segment)
    ]


def _outcome(passage: Passage, vector: Vector | BadRecord, space: str) -> Outcome:
    if isinstance(vector, BadRecord):
        return vector
    return [passage, Embedding(record_id=passage.passage_id, space=space, vector=vector)]
