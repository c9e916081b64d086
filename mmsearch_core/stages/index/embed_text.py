"""embed_text: what is known of a segment in words becomes passages with their SBERT vectors."""

from collections.abc import Mapping, Sequence

from more_itertools import flatten

from mmsearch_core.errors import BadRecord
from mmsearch_core.media import Kinds, Media
from mmsearch_core.media.words import Words
from mmsearch_core.ports.models import Embedder
from mmsearch_core.ports.stores import Memo
from mmsearch_core.records.asset import Product
from mmsearch_core.records.description import Description
from mmsearch_core.records.embedding import Embedding, Vector
from mmsearch_core.records.ids import digest
from mmsearch_core.records.passage import Passage
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.records.table import PageTables
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.embed_image import embed_all, read_vector


def recipes(kinds: Kinds, model: str) -> dict[str, Recipe]:
    """What decides passages and their vectors, by kind of asset."""
    return {kind: _recipe(media, model) for kind, media in kinds.items()}


def _recipe(media: Media, model: str) -> Recipe:
    return Recipe(stage="embed_text", version=media.passages_version, model=model, settings={})


def stage(*, memo: Memo, embedder: Embedder, kinds: Kinds, batch: int) -> Stage[Words]:
    """The passages of each segment, embedded once for each distinct text."""

    def work_on(items: Sequence[Words], run: ShardRun) -> list[Outcome]:
        passages_of = kinds[run.holds].passages
        passages_of_each = [passages_of(words) for words in items]
        texts: dict[str, str] = {}
        wanted: list[str] = []
        for passage in flatten(passages_of_each):
            wanted.append(_name(passage))
            texts[_name(passage)] = passage.text

        def ask(names: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            return embed_all(embedder, names, [texts[name] for name in names])

        vectors = memoised(memo, run.recipe, wanted, ask, read_vector, run.tally)
        return [_outcome(passages, vectors, embedder.space) for passages in passages_of_each]

    return Stage(
        name="embed_text",
        recipes=recipes(kinds, embedder.name),
        reads={
            "segments": "decode",
            "tables": "read_tables",
            "descriptions": "describe",
            "products": "plan",
        },
        writes={"passages": Passage, f"embeddings.{embedder.space}": Embedding},
        items=lambda shard, _: _items(shard),
        id_of=lambda words: words.segment.segment_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_embedder(embedder, canary.TEXT),
    )


def _name(passage: Passage) -> str:
    """What the passage's vector is remembered by."""
    return digest("text", passage.text)


def _items(shard: Shard) -> list[Words]:
    descriptions = {said.segment_id: said for said in shard.read("descriptions", Description)}
    products = {product.product_id: product for product in shard.read("products", Product)}
    tables = {read.segment_id: read.tables for read in shard.read("tables", PageTables)}
    return [
        Words(
            segment=segment,
            description=descriptions.get(segment.segment_id),
            product=products.get(segment.product_id),
            tables=tables.get(segment.segment_id, ()),
        )
        for segment in shard.read("segments", Segment)
    ]


def _outcome(
    passages: Sequence[Passage], vectors: Mapping[str, Vector | BadRecord], space: str
) -> Outcome:
    """The passages of a segment with their vectors, or why one of them has none."""
    records: list[Passage | Embedding] = []
    for passage in passages:
        vector = vectors[_name(passage)]
        if isinstance(vector, BadRecord):
            return vector
        embedding = Embedding(record_id=passage.passage_id, space=space, vector=vector)
        records += [passage, embedding]
    return records
