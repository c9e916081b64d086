"""Which queries are popular: people counted, typing errors merged, the heaviest ranked.

All of it happens in DuckDB, so that memory stays bounded however long the log's tail is; only what
is published becomes a record.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mmsearch_core.records.query import PopularQuery, query_key
from mmsearch_core.settings import QueryLog

ROBOT_QUERIES = 100  # a session that asks more on one day is not a person
AHEAD = timedelta(hours=1)  # by so much a clock of the shop may be ahead of ours
SHORTEST_MERGED = 5  # characters; of two short words one edit apart both are likely meant
OUTWEIGHS = 5  # times the weight of what it takes in
DIGITS = 9  # of a weight: the order in which a sum is made decides the others

COUNTS = """
    SELECT coalesce(sum(times) FILTER (session IS NOT NULL), 0),
           coalesce(sum(times) FILTER (session IS NULL), 0),
           coalesce(sum(times) FILTER (session IS NOT NULL AND query IS NULL), 0),
           coalesce(sum(times) FILTER (time > $limit), 0),
           max(time) FILTER (time <= $limit)
    FROM sums
"""
# What a session asks twice on a day counts once, and what it asks on two days counts twice.
QUERIES = f"""
    CREATE TABLE queries AS
    WITH in_window AS (SELECT * FROM sums WHERE time > $oldest AND time <= $limit),
    robots AS (
        SELECT session, day FROM in_window GROUP BY ALL HAVING sum(times) > {ROBOT_QUERIES}),
    once AS (
        SELECT session, locale, query, min(time) AS time
        FROM in_window ANTI JOIN robots USING (session, day)
        WHERE query IS NOT NULL GROUP BY session, day, locale, query),
    people AS (
        SELECT locale, query,
               sum(pow(2, (epoch_us(time) - epoch_us($newest)) / $half_life)) AS weight
        FROM once GROUP BY session, locale, query),
    weighed AS (
        SELECT locale, query AS text, round(sum(weight), {DIGITS}) AS weight,
               count(*) >= $min_sessions AS heavy
        FROM people GROUP BY ALL)
    SELECT row_number() OVER (ORDER BY weight DESC, text, locale) AS rank,
           locale, text, weight, heavy,
           regexp_replace(text, '[^\\x00-\\x7F]', chr(1), 'g') AS letters,
           (locale, text) IN (SELECT (locale, text) FROM pinned) AS pinned
    FROM weighed
"""  # noqa: S608 no input in it
# One Chinese character more or less is another word, not a typing error; so only ASCII is merged.
# ``letters`` has one byte for each character, as edits are counted by them.
MISTYPED = f"""
    CREATE TABLE mistyped AS
    WITH known AS (
        SELECT unnest(string_split(text, ' ')) AS word, count(*) AS queries
        FROM queries WHERE heavy GROUP BY word),
    candidates AS (
        SELECT rank, heavy, unnest(string_split(text, ' ')) AS word
        FROM queries WHERE NOT pinned AND text = letters AND length(text) >= {SHORTEST_MERGED})
    SELECT rank FROM candidates LEFT JOIN known USING (word)
    GROUP BY rank HAVING bool_or(coalesce(known.queries, 0) <= CAST(heavy AS INTEGER))
"""  # noqa: S608 no input in it
# Two texts are one edit apart only if they, or what is left of them without one character, are
# equal somewhere: the symmetric delete index of SymSpell (Garbe, 2012). It meets few pairs, and the
# distance decides among them.
CUTS = """
    SELECT rank, weight, letters,
           hash(locale, unnest(list_prepend(letters, list_transform(
               range(1, length(letters) + 1),
               lambda i: letters[:i - 1] || letters[i + 1:])))) AS cut
    FROM queries
"""
MERGED = f"""
    CREATE TABLE merged AS
    WITH small AS (SELECT DISTINCT * FROM ({CUTS} SEMI JOIN mistyped USING (rank))),
    large AS (
        SELECT DISTINCT * FROM ({CUTS} WHERE heavy AND length(letters) >= {SHORTEST_MERGED - 1}))
    SELECT small.rank, min(large.rank) AS target
    FROM small JOIN large USING (cut)
    WHERE large.weight > {OUTWEIGHS} * small.weight
      AND damerau_levenshtein(small.letters, large.letters) = 1
    GROUP BY small.rank
"""  # noqa: S608 no input in it
# A target may itself be merged into a heavier one, which ranks before it. Weights grow fivefold
# from step to step, so this ends.
PUBLISHED = """
    WITH RECURSIVE chain AS (
        SELECT rank, target FROM merged
        UNION ALL
        SELECT chain.rank, merged.target FROM chain JOIN merged ON merged.rank = chain.target),
    roots AS (SELECT rank, min(target) AS root FROM chain GROUP BY rank),
    ranked AS (
        SELECT rank FROM queries ANTI JOIN merged USING (rank)
        WHERE heavy ORDER BY rank LIMIT $popular),
    chosen AS (SELECT rank FROM ranked UNION SELECT rank FROM queries WHERE pinned),
    aliases AS (
        SELECT root AS rank, list(text ORDER BY text) AS aliases
        FROM roots JOIN queries USING (rank) SEMI JOIN chosen ON chosen.rank = root GROUP BY root)
    SELECT text, locale, weight, coalesce(aliases, []) FROM queries SEMI JOIN chosen USING (rank)
    LEFT JOIN aliases USING (rank) ORDER BY rank
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Popular:
    """The queries to precompute, pinned ones first, then by weight; and what was counted."""

    queries: tuple[PopularQuery, ...]
    counts: Mapping[str, int]


def popular_queries(
    sums: Sequence[Path],
    settings: QueryLog,
    *,
    folder: Path,
    now: datetime,
) -> Popular:
    """The heaviest queries of the log's sums, typing errors merged, pinned ones always in.

    A session counts once a day for a query, by its age against the newest event, halved every
    ``half_life_days``. Events later than ``now`` and an hour are of a clock that is wrong, and are
    left out and counted.

    A query becomes an alias of the heaviest popular one that is one edit away and outweighs it
    five times, if it has a word that no other popular query has. Where that one becomes an alias
    itself, both are of the same. Pinned queries are never merged.
    """
    pinned = list(dict.fromkeys(query.query for query in settings.pinned))
    if not sums:
        return Popular(queries=tuple(_in_order([], pinned)), counts={"events": 0})
    with _counting(folder, sums) as database:
        database.execute("CREATE TABLE pinned (text VARCHAR, locale VARCHAR)")
        if pinned:
            database.executemany("INSERT INTO pinned VALUES (?, ?)", pinned)
        limit = (now + AHEAD).replace(tzinfo=None)
        events, unreadable, unusable, ahead, newest = database.execute(
            COUNTS, {"limit": limit}
        ).fetchone()
        counts = {
            "events": int(events),
            "log_lines_unreadable": int(unreadable),
            "log_lines_without_words": int(unusable),
            "log_lines_ahead_of_the_clock": int(ahead),
        }
        found = [] if newest is None else _ranked(database, settings, limit, newest)
    return Popular(queries=tuple(_in_order(found, pinned)), counts=counts)


def _ranked(
    database: Any, settings: QueryLog, limit: datetime, newest: datetime
) -> list[tuple[Any, ...]]:
    window = {
        "limit": limit,
        "newest": newest,
        "oldest": newest - settings.window,
        "half_life": timedelta(days=settings.half_life_days) / timedelta(microseconds=1),
        "min_sessions": settings.min_sessions,
    }
    database.execute(QUERIES, window)
    database.execute(MISTYPED)
    database.execute(MERGED)
    rows: list[tuple[Any, ...]] = database.execute(
        PUBLISHED, {"popular": settings.popular}
    ).fetchall()
    return rows


def _in_order(
    found: Sequence[tuple[Any, ...]], pinned: Sequence[tuple[str, str]]
) -> Iterator[PopularQuery]:
    """Pinned queries come first, also those that nobody asked."""
    asked = {(text, locale): (weight, aliases) for text, locale, weight, aliases in found}
    for text, locale in dict.fromkeys([*pinned, *asked]):
        weight, aliases = asked.get((text, locale), (0.0, []))
        yield PopularQuery(
            query_key=query_key(text, locale),
            text=text,
            locale=locale,
            weight=round(weight, 6),
            aliases=tuple(aliases),
        )


@contextmanager
def _counting(folder: Path, sums: Sequence[Path]) -> Iterator[Any]:
    """DuckDB over the sums, with bounded memory; what does not fit goes to the folder."""
    import duckdb

    options = {"memory_limit": "600MB", "threads": 2, "preserve_insertion_order": False}
    with duckdb.connect(folder / "popular.duckdb", config=options) as database:
        files = ", ".join(f"'{file}'" for file in sums)
        database.execute(f"CREATE VIEW sums AS SELECT * FROM read_parquet([{files}])")  # noqa: S608 no input in it
        yield database
