"""Judged queries for the sample catalog, graded by what its pictures were drawn to show.

Grade 2: the product fits the whole wish; 1: it is of the wanted category and misses one other
attribute, but is nothing that the wish excludes. Of an outfit the garment that fits best counts.
Products out of stock are never relevant.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mmsearch_core.demo.language import Wish, typed, wish_for
from mmsearch_core.demo.picture import draw, photographs_of
from mmsearch_core.demo.vocabulary import ATTRIBUTES, TERMS, Look, every_look
from mmsearch_core.records.query import Constraint

if TYPE_CHECKING:
    import numpy as np

TRIES = 50  # times as many as wanted, before a kind has fewer
Looks = Sequence[Look]  # of one product: several for an outfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A query with the wish behind it, and the look of its picture, if it has one."""

    kind: str
    locale: str
    text: str
    wish: Wish
    shown: Look | None = None


def write_judged(folder: Path, products: Mapping[str, Looks], *, seed: int) -> int:
    """Write ``queries.jsonl``, ``qrels.txt`` and ``pictures/``; how many queries were written."""
    import numpy as np

    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    looks = [look for some in products.values() for look in some]
    rng = np.random.default_rng((seed, 1))
    queries, qrels, seen = [], [], set[tuple[str, str]]()
    for make, count in QUOTAS.items():
        made = 0
        for sample in islice(make(looks, rng), TRIES * count):
            grades = {product: grade(some, sample.wish) for product, some in products.items()}
            name = (sample.text, str(sample.shown))
            if made == count:
                break
            if (name in seen and not sample.shown) or not any(grades.values()):
                continue
            made += 1
            seen.add(name)
            query_id = f"{sample.kind}-{made:03}"
            queries.append(_line(folder, query_id, sample, rng))
            qrels += [
                f"{query_id} 0 {product} {value}" for product, value in grades.items() if value
            ]
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in queries)
    )
    (folder / "qrels.txt").write_text("\n".join([*qrels, ""]))
    return len(queries)


def grade(looks: Looks, wish: Wish) -> int:
    """0, 1 or 2."""
    return max((_grade(look, wish) for look in looks), default=0)


def _grade(look: Look, wish: Wish) -> int:
    missed = [each for each in wish.constraints if not Wish(constraints=(each,)).fits(look)]
    if not missed:
        return 2
    if len(missed) > 1 or len(wish.constraints) == 1:
        return 0
    return int(missed[0].attribute != "category" and not missed[0].exclude)


def plain(looks: Looks, rng: np.random.Generator) -> Iterator[Sample]:
    """One value an attribute."""
    return _texts("text", looks, rng, lambda wish: not _negated(wish) and not _either(wish))


def negated(looks: Looks, rng: np.random.Generator) -> Iterator[Sample]:
    """With a "not"."""
    return _texts("not", looks, rng, _negated)


def either(looks: Looks, rng: np.random.Generator) -> Iterator[Sample]:
    """With an "or"."""
    return _texts("or", looks, rng, _either)


def absent(looks: Looks, rng: np.random.Generator) -> Iterator[Sample]:
    """Two attributes that no product has together."""
    others = [look for look in every_look() if not any(_pair(look).fits(known) for known in looks)]
    for _ in range(10 * len(others)):
        wish, locale = _pair(others[int(rng.integers(len(others)))]), _locale(rng)
        yield Sample(kind="absent", locale=locale, text=typed(wish, locale, rng), wish=wish)


def pictured(looks: Looks, rng: np.random.Generator) -> Iterator[Sample]:
    """A picture of something that looks like a product."""
    while True:
        look = looks[int(rng.integers(len(looks)))]
        yield Sample(kind="picture", locale=_locale(rng), text="", wish=_exactly(look), shown=look)


def changed(looks: Looks, rng: np.random.Generator) -> Iterator[Sample]:
    """A picture, and words that change one attribute of it into that of a product."""
    while True:
        look, name, locale = (
            looks[int(rng.integers(len(looks)))],
            str(rng.choice(["color", "pattern"])),
            _locale(rng),
        )
        value = getattr(look, name)
        shown = Look(
            **look.attributes() | {name: str(rng.choice([v for v in TERMS[name] if v != value]))}
        )
        word = TERMS[name][value]
        text = f"but {word.en}" if locale == "en" else f"但要{word.zh}"
        yield Sample(kind="changed", locale=locale, text=text, wish=_exactly(look), shown=shown)


QUOTAS: dict[Callable[[Looks, np.random.Generator], Iterator[Sample]], int] = {
    plain: 80,
    negated: 20,
    either: 20,
    absent: 20,
    pictured: 40,
    changed: 40,
}


def _texts(
    kind: str, looks: Looks, rng: np.random.Generator, wanted: Callable[[Wish], bool]
) -> Iterator[Sample]:
    while True:
        wish, locale = wish_for(looks[int(rng.integers(len(looks)))], rng), _locale(rng)
        if wanted(wish):
            yield Sample(kind=kind, locale=locale, text=typed(wish, locale, rng), wish=wish)


def _line(folder: Path, query_id: str, sample: Sample, rng: np.random.Generator) -> dict[str, str]:
    line = {"query_id": query_id, "kind": sample.kind, "locale": sample.locale}
    if sample.text:
        line["text"] = sample.text
    if sample.shown:
        photos = photographs_of(sample.shown.category)
        out = io.BytesIO()
        photo = photos[int(rng.integers(len(photos)))]
        draw(photo, sample.shown, rng, size=160).save(out, "JPEG", quality=90)
        line["picture"] = f"pictures/{query_id}.jpg"
        (folder / line["picture"]).write_bytes(out.getvalue())
    return line


def _negated(wish: Wish) -> bool:
    return any(constraint.exclude for constraint in wish.constraints)


def _either(wish: Wish) -> bool:
    return any(len(constraint.values) > 1 for constraint in wish.constraints)


def _exactly(look: Look) -> Wish:
    return Wish(
        constraints=tuple(
            Constraint(attribute=name, values=(getattr(look, name),)) for name in ATTRIBUTES
        )
    )


def _pair(look: Look) -> Wish:
    wanted = (("category", look.category), ("color", look.color))
    return Wish(
        constraints=tuple(Constraint(attribute=name, values=(value,)) for name, value in wanted)
    )


def _locale(rng: np.random.Generator) -> str:
    return str(rng.choice(["en", "zh"]))
