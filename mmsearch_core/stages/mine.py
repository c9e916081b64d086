"""mine: the query log becomes the popular queries, and those the frozen plan of the search line."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from mmsearch_core.codec import dump, to_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.ports import ObjectStore, Stores
from mmsearch_core.records.ids import BatchId, digest
from mmsearch_core.records.query import PopularQuery, QueryEvent, normalise, query_key
from mmsearch_core.records.run import Plan, Recipe, Target
from mmsearch_core.settings import QueryLog, Settings
from mmsearch_core.shards import plan_key, shard_path
from mmsearch_core.stages.plan import cut, versions
from mmsearch_core.targets import lacks

log = structlog.get_logger()

ROBOT_QUERIES = 100  # a session that asks more on one day is not a person
LONGEST = 100  # characters
QUERIES_A_SHARD = 100
SHORTEST_MERGED = 5  # characters; of two short words one edit apart both are likely meant


def run(
    *,
    run_id: str,
    target: Target,
    recipes: Mapping[str, Recipe],
    stores: Stores,
    query_log: ObjectStore,
    settings: Settings,
) -> dict[str, Any]:
    """Freeze tonight's queries; returns the task's report."""
    work = stores.work
    batch = BatchId(digest("mine", run_id, target.target_id)[:16])
    if stores.index.resolve(settings.index.alias) is None:
        raise StageMissing("There is no index yet: run catalog_refresh first.")
    events, unreadable = read_events(query_log, settings.query_log.prefix)
    popular = popular_queries(events, settings.query_log)
    shards = {}
    for number, piece in enumerate(cut(popular, QUERIES_A_SHARD)):
        path = shard_path(batch, number)
        work.put(f"{path}/popular.parquet", dump(piece, PopularQuery))
        shards[path] = len(piece)
    current = work.head("results/CURRENT")
    counts = {"events": len(events), "popular": len(popular), "log_lines_unreadable": unreadable}
    plan = Plan(
        batch=batch,
        line="search",
        target_id=target.target_id,
        collection=target.collection,
        made_at=datetime.now(UTC),
        commit=stores.ledger.commit_number(target.target_id),
        recipes={**target.recipes, **{name: recipe.recipe_id for name, recipe in recipes.items()}},
        shards=shards,
        counts=counts,
        versions=versions(),
        current_etag=current.etag if current else "",
        incomplete=bool(lacks(stores.ledger, target.target_id)),
    )
    work.put(plan_key(batch), to_json(plan))
    log.info("mine.done", batch=batch, **counts)
    return {"stage": "mine", "batch": batch, "shards": sorted(shards), "counts": counts}


def read_events(store: ObjectStore, prefix: str) -> tuple[list[QueryEvent], int]:
    """Every readable line of the log under the prefix, and how many lines were not."""
    events, unreadable = [], 0
    for found in sorted(store.list(prefix), key=lambda ref: ref.key):
        for line in (store.get(found.key) or b"").decode("utf-8", errors="replace").splitlines():
            try:
                events.append(_event(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                unreadable += bool(line.strip())
    return events, unreadable


def popular_queries(events: Sequence[QueryEvent], settings: QueryLog) -> list[PopularQuery]:
    """The heaviest queries: once a session and day, halved every ``half_life_days``, typing errors merged, pinned ones
    always in; most popular first, ties by text."""
    newest = max((event.time for event in events), default=datetime.now(UTC))
    weights: defaultdict[tuple[str, str], float] = defaultdict(float)
    sessions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in _people_once_a_day(events):
        asked = (normalise(event.query), event.locale)
        age = (newest - event.time) / timedelta(days=1)
        weights[asked] += math.exp2(-age / settings.half_life_days)
        sessions[asked].add(event.session)
    heavy = {asked: weight for asked, weight in weights.items() if len(sessions[asked]) >= settings.min_sessions}
    aliases = _merge_typing_errors(weights, heavy)
    ranked = sorted(heavy, key=lambda asked: (-weights[asked], asked))[: settings.popular]
    pinned = [(normalise(text), _locale(text)) for text in settings.pinned]
    return [
        PopularQuery(
            query_key=query_key(text, locale),
            text=text,
            locale=locale,
            weight=round(weights[text, locale], 6),
            aliases=tuple(sorted(aliases.get((text, locale), ()))),
        )
        for text, locale in dict.fromkeys([*pinned, *ranked])
    ]


def _event(line: Mapping[str, Any]) -> QueryEvent:
    time = datetime.fromisoformat(line["time"])
    return QueryEvent(
        time=time if time.tzinfo else time.replace(tzinfo=UTC),
        session=str(line["session"]),
        locale=str(line["locale"]),
        query=str(line["query"]),
    )


def _people_once_a_day(events: Sequence[QueryEvent]) -> Iterator[QueryEvent]:
    asked = Counter((event.session, event.time.date()) for event in events)
    seen = set()
    for event in events:
        once = (event.session, event.time.date(), normalise(event.query), event.locale)
        if once in seen or asked[once[:2]] > ROBOT_QUERIES or not _is_words(event.query):
            continue
        seen.add(once)
        yield event


def _is_words(text: str) -> bool:
    """Some letters, not too long, no address."""
    clean = normalise(text)
    return len(clean) <= LONGEST and "://" not in clean and len(re.findall(r"[^\W\d_]", clean)) >= 2


def _merge_typing_errors(
    weights: Mapping[tuple[str, str], float], heavy: dict[tuple[str, str], float]
) -> dict[tuple[str, str], set[str]]:
    """Rare queries one edit away from a popular one, if they use a word that no popular query knows; the popular one
    takes them as aliases and they leave ``heavy``."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import extractOne

    known = Counter(word for text, _ in heavy for word in text.split())
    aliases: dict[tuple[str, str], set[str]] = defaultdict(set)
    for text, locale in sorted(weights, key=lambda asked: (weights[asked], asked)):
        mistyped = any(known[word] <= ((text, locale) in heavy) for word in text.split())
        if len(text) < SHORTEST_MERGED or not text.isascii() or not mistyped:
            continue  # one Chinese character more or less is another word, not a typing error
        enough = 5 * weights[text, locale]
        others = [other for other, where in heavy if where == locale and weights[other, locale] > enough]
        found = extractOne(text, others, scorer=OSA.distance, score_cutoff=1)
        if found:
            aliases[found[0], locale].add(text)
            heavy.pop((text, locale), None)
    return aliases


def _locale(text: str) -> str:
    return "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
