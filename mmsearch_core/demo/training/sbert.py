"""Trains the tiny bilingual sentence model: ``python -m mmsearch_core.demo.training.sbert --help``."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from mmsearch_core.demo.language import caption, describe, standardize, typed, wish_for
from mmsearch_core.demo.training.words import train_words
from mmsearch_core.demo.vocabulary import Look, every_look
from mmsearch_core.records.asset import Product
from mmsearch_core.records.ids import AssetId, PixelsId, ProductId, SegmentId
from mmsearch_core.records.segment import Segment, Whole
from mmsearch_core.stages.embed_text import Words, caption_passage

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
    return typed(wish, locale, rng) if rng.random() < 0.5 else standardize("", wish.constraints).wording[locale]


def train(args: argparse.Namespace) -> None:
    """Queries against passages, every other passage of the batch that shows another look being a negative."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
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
    model = SentenceTransformer(modules=[words, Pooling(160, pooling_mode="mean"), Normalize()], device="cpu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=args.steps + 1)
    looks, started, shown = every_look(), time.time(), 0.0
    model.train()
    for step in range(args.steps):
        rng = np.random.default_rng((args.seed, step))
        batch = [looks[place] for place in rng.choice(len(looks), args.batch, replace=False)]
        vectors = [
            model(model.tokenize([make(look, rng) for look in batch]))["sentence_embedding"]
            for make in (query, passage)
        ]
        truth = torch.arange(args.batch)
        loss = torch.nn.functional.cross_entropy(20 * vectors[0] @ vectors[1].T, truth)
        loss = loss + 0.5 * torch.nn.functional.cross_entropy(20 * vectors[1] @ vectors[0].T, truth)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        shown = 0.95 * shown + 0.05 * float(loss.detach()) if step else float(loss.detach())
        if (step + 1) % 50 == 0:
            print(json.dumps({"step": step + 1, "seconds": round(time.time() - started), "loss": shown}), flush=True)
    model.eval()
    model.save_pretrained(str(args.out / "model"), safe_serialization=True, create_model_card=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
