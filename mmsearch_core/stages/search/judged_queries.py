"""Queries that people judged, as files: what ``evaluate`` compares the line with.

A folder holds ``queries.jsonl``, one JSON object a line with ``query_id``, ``locale`` and ``text``,
``picture`` (a file of the folder), or both, and, if wanted, ``kind``; and ``qrels.txt`` in TREC's
form, ``query_id 0 product_id grade`` a line: grade 0 is not relevant, higher is better.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmsearch_core.errors import BadSettings
from mmsearch_core.search.ask import Asked

Grades = Mapping[str, int]  # by product


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedQuery:
    """A query and people's grades of products."""

    asked: Asked
    kind: str
    grades: Grades


def read_judged(folder: Path) -> list[JudgedQuery]:
    """The queries of a folder; BadSettings names the file and the line that cannot be read."""
    grades = _grades(folder / "qrels.txt")
    queries = []
    for place, line in _lines(folder / "queries.jsonl"):
        try:
            said = json.loads(line)
            picture = (folder / said["picture"]).read_bytes() if said.get("picture") else None
            text, query_id = str(said.get("text") or ""), str(said["query_id"])
            asked = Asked(query_id=query_id, locale=str(said["locale"]), text=text, picture=picture)
            kind = str(said.get("kind") or ("picture" if picture else "text"))
        except (ValueError, KeyError, TypeError, OSError) as error:
            wanted = "a JSON object with query_id, locale, and text or picture"
            raise BadSettings(
                f"{place} is not {wanted} ({type(error).__name__}: {error}): correct it."
            ) from error
        if not text and picture is None:
            raise BadSettings(f"{place} has neither text nor picture: add one.")
        queries.append(JudgedQuery(asked=asked, kind=kind, grades=grades.get(query_id, {})))
    if not any(query.grades for query in queries):
        raise BadSettings(
            f"No query of {folder / 'queries.jsonl'} has a grade in qrels.txt: the query_ids have"
            " to agree."
        )
    return [query for query in queries if query.grades]


def _grades(path: Path) -> Mapping[str, Grades]:
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for place, line in _lines(path):
        try:
            query_id, _, product_id, grade = line.split()
            grades[query_id][product_id] = int(grade)
        except ValueError as error:
            raise BadSettings(
                f"{place} is not `query_id 0 product_id grade`: correct it."
            ) from error
    return grades


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise BadSettings(
            f"{path} cannot be read ({error.strerror}): name a folder of judged queries."
        ) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", line
