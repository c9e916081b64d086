"""What people and models say about the looks of the demonstration shop, in English and Chinese."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmsearch_core.demo.size_chart import HEADING_BOX, SizeChart, box
from mmsearch_core.demo.vocabulary import ATTRIBUTES, TERMS, Look
from mmsearch_core.records.description import Description, Event
from mmsearch_core.records.ids import QueryKey, SegmentId
from mmsearch_core.records.query import Constraint, StandardQuery

if TYPE_CHECKING:
    import numpy as np

SPOKEN = ("color", "pattern", "category")  # the order of words in both languages
FILLERS = {
    "en": ("", "", "", "", "buy ", "new ", "cheap ", "a ", "but "),
    "zh": ("", "", "", "", "买", "新款", "好看的", "但要"),
}


def caption(look: Look) -> dict[str, str]:
    """Say "red striped dress" and "红色条纹连衣裙"; a plain pattern goes without saying."""
    said = [(name, getattr(look, name)) for name in SPOKEN if getattr(look, name) != "plain"]
    return {
        "en": " ".join(value for _, value in said),
        "zh": "".join(TERMS[name][value].zh for name, value in said),
    }


def describe(look: Look) -> Description:
    """The description that a perfect model gives."""
    said = [(name, getattr(look, name)) for name in SPOKEN if getattr(look, name) != "plain"]
    return Description(
        segment_id=SegmentId(""),
        attributes=look.attributes(),
        caption=caption(look),
        keywords={
            "en": tuple(value for _, value in said),
            "zh": tuple(TERMS[name][value].zh for name, value in said),
        },
    )


def describe_answer(look: Look) -> str:
    """That description as the JSON of ``describe.yaml``."""
    said = describe(look)
    answer = {
        "attributes": dict(said.attributes),
        "caption": dict(said.caption),
        "keywords": {language: list(words) for language, words in said.keywords.items()},
        "seen_text": [],
    }
    return json.dumps(answer, ensure_ascii=False)


def film_answer(look: Look, events: Sequence[Event]) -> str:
    """What a perfect model says of a film, as the JSON of ``describe_video.yaml``: how the garment
    looks at first, and what happens; times as they are written in the events."""
    answer = json.loads(describe_answer(look)) | {
        "events": [
            {"start": event.start, "end": event.end, "text": dict(event.text)} for event in events
        ]
    }
    return json.dumps(answer, ensure_ascii=False)


PAGE = {
    "attributes": {"page": "size chart"},
    "caption": {"en": "size chart", "zh": "尺码表"},
    "keywords": {"en": ["size", "chart"], "zh": ["尺码"]},
    "seen_text": [],
}


def page_answer() -> str:
    """What a perfect model says of a page with a size chart, as the JSON of
    ``describe_page.yaml``."""
    return json.dumps(PAGE, ensure_ascii=False)


def scan_answer(chart: SizeChart, *, heading: bool) -> str:
    """What it reads of a scanned one, as the JSON of ``read_page.yaml``."""
    seen = [{"text": chart.heading, "box": list(HEADING_BOX)}] if heading else []
    table = {
        "box": list(box(chart)),
        "header_rows": 1,
        "rows": [[{"text": text} for text in row] for row in chart.rows],
    }
    return json.dumps(PAGE | {"seen_text": seen, "tables": [table]}, ensure_ascii=False)


def standardize(
    text: str, constraints: tuple[Constraint, ...], locale: str = "en"
) -> StandardQuery:
    """The standard query of what was typed, given what was meant."""
    by_name = {constraint.attribute: constraint for constraint in constraints}
    wanted = [by_name[name] for name in SPOKEN if name in by_name and not by_name[name].exclude]
    unwanted = [by_name[name] for name in SPOKEN if name in by_name and by_name[name].exclude]
    en = " ".join(" or ".join(c.values) for c in wanted)
    en += "".join(f"{', ' if en else ''}not {' or '.join(c.values)}" for c in unwanted)
    zh = "".join("或".join(TERMS[c.attribute][value].zh for value in c.values) for c in wanted)
    zh += "".join(
        f"不要{'或'.join(TERMS[c.attribute][value].zh for value in c.values)}" for c in unwanted
    )
    values = [(c.attribute, value) for c in wanted for value in c.values]
    return StandardQuery(
        query_key=QueryKey(""),
        text=text,
        locale=locale,
        wording={"en": en, "zh": zh},
        keywords={
            "en": tuple(value for _, value in values),
            "zh": tuple(TERMS[name][value].zh for name, value in values),
        },
        constraints=constraints,
    )


def standardize_answer(query: StandardQuery) -> str:
    """That standard query as the JSON of ``standardize.yaml``."""
    answer = {
        "constraints": [
            {"attribute": c.attribute, "values": list(c.values), "exclude": c.exclude}
            for c in query.constraints
        ],
        "wording": dict(query.wording),
        "keywords": {language: list(words) for language, words in query.keywords.items()},
    }
    return json.dumps(answer, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a shopper wants: constraints in the order of ``ATTRIBUTES``."""

    constraints: tuple[Constraint, ...]

    def fits(self, look: Look) -> bool:
        """Whether a product of that look fulfils every constraint."""
        return all((getattr(look, c.attribute) in c.values) != c.exclude for c in self.constraints)


def wish_for(look: Look, rng: np.random.Generator) -> Wish:
    """A wish that ``look`` fulfils: some of its attributes, at times with an "or" or a "not"."""
    while True:
        named = [n for n, p in zip(ATTRIBUTES, (0.88, 0.72, 0.5), strict=True) if rng.random() < p]
        if named:
            break
    constraints = []
    for name in named:
        value, others = getattr(look, name), [v for v in TERMS[name] if v != getattr(look, name)]
        dice = rng.random()
        if dice < 0.08 and name != "category" and len(named) > 1:
            constraints.append(
                Constraint(attribute=name, values=(str(rng.choice(others)),), exclude=True)
            )
        elif dice < 0.15 and name == "color":
            pair = [value, str(rng.choice(others))]
            rng.shuffle(pair)
            constraints.append(Constraint(attribute=name, values=tuple(pair)))
        else:
            constraints.append(Constraint(attribute=name, values=(value,)))
    return Wish(constraints=tuple(constraints))


def typed(wish: Wish, locale: str, rng: np.random.Generator) -> str:
    """The wish as a shopper may type it: synonyms, fillers, at times a typing error."""
    by_name = {c.attribute: c for c in wish.constraints}
    wanted = [by_name[name] for name in SPOKEN if name in by_name and not by_name[name].exclude]
    unwanted = [c for c in wish.constraints if c.exclude]
    sep, either, without = (" ", " or ", " not ") if locale == "en" else ("", "或", "不要")
    parts = [
        either.join(_word(c.attribute, value, locale, rng) for value in c.values) for c in wanted
    ]
    text = sep.join(parts)
    text += "".join(
        without + either.join(_word(c.attribute, v, locale, rng) for v in c.values)
        for c in unwanted
    )
    text = str(rng.choice(FILLERS[locale])) + text.strip()
    return _mistyped(text, rng) if locale == "en" and rng.random() < 0.06 else text


def _word(attribute: str, value: str, locale: str, rng: np.random.Generator) -> str:
    term = TERMS[attribute][value]
    usual, others = (term.en, term.typed_en) if locale == "en" else (term.zh, term.typed_zh)
    return str(rng.choice(others)) if others and rng.random() < 0.35 else usual


def _mistyped(text: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(1, max(2, len(text) - 1)))
    if rng.random() < 0.5:
        return text[:place] + text[place - 1] + text[place:]
    return text[:place] + text[place + 1 :]
