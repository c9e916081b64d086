"""The sample query log: two weeks of people, typing errors, junk and a robot, in English and
Chinese."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mmsearch_core.demo.language import caption, typed, wish_for
from mmsearch_core.demo.vocabulary import POPULAR_LOOKS, every_look

if TYPE_CHECKING:
    import numpy as np

LAST_DAY = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 14
# what many people ask for, in the words they use
HEADS = (
    ("red striped dress", "en"),
    ("红色连衣裙", "zh"),
    ("black ankle boots", "en"),
    ("蓝色条纹衬衫", "zh"),
    ("blue checked shirt", "en"),
    ("棕色包", "zh"),
    ("green sneakers", "en"),
    ("粉色波点包包", "zh"),
    ("dress not red", "en"),
    ("yellow dotted t-shirt", "en"),
    ("灰色格子大衣", "zh"),
    ("brown or black bag", "en"),
    ("黑色裤子", "zh"),
    ("purple jumper", "en"),
    ("棕色凉鞋", "zh"),
    ("red dress", "en"),
    ("red drees", "en"),
)
JUNK = ("asdf https://spam.example/win", "??", "12345", "e" * 140)


def write_queries(folder: Path, *, seed: int) -> None:
    """One JSON-lines file a day: time, session, locale, query."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    for age in range(DAYS):
        day = LAST_DAY - timedelta(days=age)
        lines = sorted(
            _day(day, np.random.default_rng((seed, age))),
            key=lambda line: (line["time"], line["session"]),
        )
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{day:%Y-%m-%d}.jsonl").write_text(text)


def _day(day: datetime, rng: np.random.Generator) -> list[dict[str, str]]:
    asked = [
        head
        for place, head in enumerate(HEADS)
        for _ in range(int(rng.poisson(12 / (1 + place) + 0.6)))
    ]
    looks = [*POPULAR_LOOKS, *POPULAR_LOOKS, *every_look()]
    for _ in range(25):
        look, locale = looks[int(rng.integers(len(looks)))], str(rng.choice(["en", "zh"]))
        asked.append(
            (
                caption(look)[locale]
                if rng.random() < 0.5
                else typed(wish_for(look, rng), locale, rng),
                locale,
            )
        )
    asked += [(text, "en") for text in JUNK]
    people = [
        _line(day, rng, f"s{int(rng.integers(10**6))}", locale, query) for query, locale in asked
    ]
    robot = [
        _line(day, rng, f"robot{day:%d}", "en", f"{look.color} {look.category}")
        for look in every_look()[:300]
    ]
    return people + robot


def _line(
    day: datetime, rng: np.random.Generator, session: str, locale: str, query: str
) -> dict[str, str]:
    time = day + timedelta(seconds=int(rng.integers(86_400)))
    return {"time": time.isoformat(), "session": session, "locale": locale, "query": query}
