"""Plain words about tables become conditions that are checked, and one parameterised query."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mmsearch_core.answers import to_conditions
from mmsearch_core.errors import BadRecord, BadSettings, StageMissing
from mmsearch_core.ports.models import VisionLanguageModel
from mmsearch_core.prompts import load
from mmsearch_core.records.question import Question
from mmsearch_core.records.table_filter import Condition
from mmsearch_core.search.table_columns import Column

# units of length in millimetres; other units are compared by their names alone
LENGTHS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "inch": 25.4, "inches": 25.4, '"': 25.4}
ALIKE = 0.6  # difflib's ratio, from which on a header may be meant by another word
DIGITS = 9  # of a converted number: 30 inch are 76.2 cm
SELECT = """
SELECT r.product, r.document, r.page, r.table_number, r.row_number, r.label, r.cells
FROM table_rows r WHERE {conditions}
ORDER BY r.document, r.page, r.table_number, r.row_number
"""
MEETS = """EXISTS (SELECT 1 FROM cells c
  WHERE c.asset = r.asset AND c.page = r.page AND c.table_number = r.table_number
    AND c.row_number = r.row_number AND list_has_any(c.header, ?) AND {test})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The conditions as they are executed, on headers that there are, and their query."""

    conditions: tuple[Condition, ...]
    sql: str
    parameters: tuple[Any, ...]


def filter_of(request: str, columns: Sequence[Column], model: VisionLanguageModel) -> Filter:
    """What ``request`` asks for, as Qwen3-VL understands it.

    :raises BadSettings: the model's answer cannot be used, or names what no table has; in one
        sentence.
    """
    if not columns:
        raise StageMissing("No document has a table yet: add one, and run catalog_refresh.")
    prompt = load("table_filter")
    names = ", ".join(dict.fromkeys(word for each in columns for word in _words(each)))
    question = Question(
        system=prompt.system,
        text=prompt.text(columns=names, request=request),
        frames=(),
        schema=prompt.answer,
    )
    (said,) = model.answer([question])
    try:
        if isinstance(said, BadRecord):
            raise said
        conditions = to_conditions(said.text)
    except BadRecord as error:
        raise BadSettings(
            f"The model could not turn the request into conditions ({error}): write SQL instead."
        ) from error
    return query_of(conditions, columns)


def query_of(conditions: Sequence[Condition], columns: Sequence[Column]) -> Filter:
    """The query for rows that meet all conditions; BadSettings where one cannot be met or
    understood."""
    tests: list[str] = []
    parameters: list[Any] = []
    executed: list[Condition] = []
    for condition in conditions:
        header, spellings = _known_header(condition.header, columns)
        test, values = _test(condition)
        tests.append(MEETS.format(test=test))
        parameters += [spellings, *values]
        executed.append(
            Condition(
                header=header, op=condition.op, value=condition.value.strip(), unit=condition.unit
            )
        )
    sql = SELECT.format(conditions="\n  AND ".join(tests)).strip()
    return Filter(conditions=tuple(executed), sql=sql, parameters=tuple(parameters))


def _known_header(asked: str, columns: Sequence[Column]) -> tuple[str, list[str]]:
    """The header that is meant, and all ways in which it is written in tables."""
    spellings: dict[str, list[str]] = {}
    for column in columns:
        for word in _words(column):
            written = spellings.setdefault(_bare(word), [])
            if word not in written:
                written.append(word)
    meant = _bare(asked)
    if meant not in spellings:
        near = get_close_matches(meant, spellings, n=1, cutoff=ALIKE)
        if not near:
            raise BadSettings(
                f"No table has a column called “{asked}”: mmsearch tables --columns shows which"
                " there are."
            )
        meant = near[0]
    return spellings[meant][0], spellings[meant]


def _words(column: Column) -> list[str]:
    return [word for word in column.header.split(" / ") if word]


def _bare(header: str) -> str:
    """A header without its unit, in lower case."""
    without_unit = re.sub(r"[(\[][^()\[\]]*[)\]]", " ", header)
    return " ".join((without_unit.strip() or header).casefold().split())


def _test(condition: Condition) -> tuple[str, list[Any]]:
    """What a cell ``c`` has to fulfil, with the values of its question marks."""
    if condition.op == "contains":
        return "contains(lower(c.text), lower(?))", [condition.value]
    number = _number(condition.value)
    if number is None:
        if condition.op == "=":
            return "lower(c.text) = lower(?)", [condition.value]
        raise BadSettings(
            f"“{condition.value}” is no number, so that nothing is {condition.op} it: say a number."
        )
    unit = condition.unit.casefold()
    if not unit:
        return f"c.number {condition.op} ?", [number]
    if unit not in LENGTHS:
        return f"lower(c.unit) = ? AND c.number {condition.op} ?", [unit, number]
    tests: list[str] = []
    values: list[Any] = []
    for name, millimetres in LENGTHS.items():
        tests.append(f"lower(c.unit) = ? AND c.number {condition.op} ?")
        values += [name, round(number * LENGTHS[unit] / millimetres, DIGITS)]
    return f"({' OR '.join(tests)})", values


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
