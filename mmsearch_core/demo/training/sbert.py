"""Trains the tiny bilingual sentence model: ``python -m mmsearch_core.demo.training.sbert
--help``."""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from mmsearch_core.demo.language import caption, describe, standardize, typed, wish_for
from mmsearch_core.demo.training.loop import arguments, begin, fit
from mmsearch_core.demo.training.words import train_words
from mmsearch_core.demo.vocabulary import Look, every_look
from mmsearch_core.media.words import Words, caption_passage
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, SegmentId
from mmsearch_core.records.segment import Segment, Whole

BRANDS = ("Lumen", "Nordlys", "Kestrel", "Alba", "Marlow")


def passage(look: Look, rng: np.random.Generator) -> str:
    """The text of a passage, put together by the stage itself."""
    number = int(rng.integers(1000, 9999))
    title = {"en": f"{rng.choice(BRANDS)} {number}", "zh": f"流明 {number}"}
    product = Product(product_id=ProductId("p"), title=title, facts={})
    segment = Segment(
        segment_id=SegmentId("s"),
        asset_id=AssetId("a"),
        product_id=ProductId("p"),
        where=Whole(),
        pixels=PixelsId("x"),
    )
    return caption_passage(Words(segment=segment, description=describe(look), product=product)).text


def query(look: Look, rng: np.random.Generator) -> str:
    """A text that looks for it, in either language."""
    locale = "en" if rng.random() < 0.5 else "zh"
    wish = wish_for(look, rng)
    if rng.random() < 0.3 or any(constraint.exclude for constraint in wish.constraints):
        return caption(look)[locale]
    return (
        typed(wish, locale, rng)
        if rng.random() < 0.5
        else standardize("", wish.constraints).wording[locale]
    )


def train(args: argparse.Namespace) -> None:
    """Queries against passages, every other passage of the batch that shows another look being a
    negative."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from sentence_transformers.util import batch_to_device
    from transformers import BertConfig, BertModel

    device = begin(args)
    base = args.out / "base"
    vocabulary = train_words(base, seed=args.seed)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=160,
        num_hidden_layers=3,
        num_attention_heads=5,
        intermediate_size=480,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(base)
    words = Transformer(str(base), max_seq_length=128)
    model = SentenceTransformer(
        modules=[words, Pooling(160, pooling_mode="mean"), Normalize()], device=str(device)
    )
    looks = every_look()
    model.train()

    def step_of(_: int, rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        batch = [looks[place] for place in rng.choice(len(looks), args.batch, replace=False)]
        asked, found = (vectors([make(look, rng) for look in batch]) for make in (query, passage))
        truth = torch.arange(args.batch, device=device)
        loss = cross_entropy(20 * asked @ found.T, truth) + 0.5 * cross_entropy(
            20 * found @ asked.T, truth
        )
        return loss, {"loss": float(loss.detach())}

    def vectors(texts: list[str]) -> torch.Tensor:
        embedded: torch.Tensor = model(batch_to_device(model.preprocess(texts), device))[
            "sentence_embedding"
        ]
        return embedded

    def keep() -> None:
        model.save_pretrained(
            str(args.out / "model"), safe_serialization=True, create_model_card=False
        )

    fit(model, step_of, keep, args, decay=0.01)


def main() -> None:
    """The command line."""
    train(arguments(__doc__, steps=600, batch=96, rate=1e-3, every=100).parse_args())


if __name__ == "__main__":
    main()
