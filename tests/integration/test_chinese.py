"""Chinese finds Chinese inside a phrase, in every leg that claims Chinese: real Milvus, the models
that are shipped."""

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from mmsearch_core.adapters.milvus_index import MilvusIndex
from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.demo.language import caption
from mmsearch_core.demo.picture import draw, garments
from mmsearch_core.demo.vocabulary import CATEGORIES, COLORS, Look
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.ids import AssetId, Build, PixelsId, ProductId, digest
from mmsearch_core.records.passage import passage_id
from mmsearch_core.records.query import StandardQuery, query_key
from mmsearch_core.records.ranking import Match
from mmsearch_core.records.row import IndexRow, row_id
from mmsearch_core.records.segment import Whole, segment_id
from mmsearch_core.search.legs import Legs
from mmsearch_core.settings import Models
from tests.conftest import Servers

pytestmark = pytest.mark.integration
LOOKS = [
    Look(category=category.en, color=COLORS[(3 * place + step) % len(COLORS)].en, pattern="plain")
    for place, category in enumerate(CATEGORIES)
    for step in range(4)
]
NEAR = 5  # of 40: by chance one query in eight has its product among them


@pytest.fixture(scope="module")
def found(servers: Servers) -> Iterator[Mapping[str, float]]:
    """The share of queries whose product is near the top, by leg."""
    index = MilvusIndex(servers.settings.index.uri)
    clip, sbert = OpenClipEmbedder(Models()), SbertEmbedder(Models())
    collection = f"chinese_{time.time_ns()}"
    index.create(collection, {"clip": clip.dimension, "sbert": sbert.dimension})
    texts = [f"今年夏天新到的{caption(look)['zh']}适合送给朋友" for look in LOOKS]
    seen: Any = clip.embed([jpeg(look) for look in LOOKS])
    read: Any = sbert.embed(texts)
    index.upsert(collection, [row(*each) for each in zip(LOOKS, texts, seen, read, strict=True)])
    legs = Legs(index, clip, sbert).for_queries(
        collection, [asked(caption(look)["zh"]) for look in LOOKS]
    )
    yield {
        leg.name: share(leg.search(leg.looked_for, NEAR)) for leg in legs if leg.name != "bm25_en"
    }
    index.drop(collection)


@pytest.mark.parametrize(("leg", "least"), [("bm25_zh", 0.95), ("sbert", 0.6), ("clip", 0.5)])
def test_a_chinese_phrase_is_found_by_words_inside_it(
    found: Mapping[str, float], leg: str, least: float
) -> None:
    assert found[leg] >= least


def name_of(look: Look) -> AssetId:
    return AssetId(digest(*look.attributes().values()))


def asked(text: str) -> StandardQuery:
    """As a shopper types it: nothing puts it into English."""
    return StandardQuery(
        query_key=query_key(text, "zh"),
        text=text,
        locale="zh",
        wording={"zh": text},
        keywords={"zh": (text,)},
    )


def share(answers: Sequence[Sequence[Match]]) -> float:
    return float(
        np.mean(
            [
                name_of(look) in {m.asset_id for m in answer}
                for look, answer in zip(LOOKS, answers, strict=True)
            ]
        )
    )


def jpeg(look: Look) -> bytes:
    out = io.BytesIO()
    photo = garments()[[category.en for category in CATEGORIES].index(look.category), 7]
    draw(photo, look, np.random.default_rng(5)).save(out, "JPEG")
    return out.getvalue()


def row(look: Look, text: str, seen: Vector, read: Vector) -> IndexRow:
    asset, build = name_of(look), Build("b")
    segment = segment_id(asset, Whole())
    passage = passage_id(segment, "caption", 0)
    return IndexRow(
        row_id=row_id(passage, build),
        passage_id=passage,
        segment_id=segment,
        asset_id=asset,
        product_id=ProductId(asset),
        build=build,
        kind="caption",
        where=Whole(),
        pixels=PixelsId(""),
        text=text,
        vectors={"clip": seen, "sbert": read},
    )
