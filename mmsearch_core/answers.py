"""What a model says, checked before it becomes a record. The shapes are those of the schemas in the
prompt files."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mmsearch_core.codec import from_json_value, to_json_value
from mmsearch_core.errors import UnusableAnswer
from mmsearch_core.records.description import Description, Event, SeenText
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.grid import SpanCell, laid_out
from mmsearch_core.records.ids import SegmentId
from mmsearch_core.records.query import Constraint, PopularQuery, StandardQuery
from mmsearch_core.records.question import Answer
from mmsearch_core.records.table import Table
from mmsearch_core.records.table_filter import Condition, Operator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=160)]
Words = Annotated[tuple[Text, ...], Field(max_length=8)]
Thousandths = Annotated[int, Field(ge=0, le=1000)]
Likelihood = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _SeenText(_Answer):
    text: Text
    box: tuple[Thousandths, Thousandths, Thousandths, Thousandths]


class _Event(_Answer):
    start: Seconds
    end: Seconds
    text: dict[str, Text]


class _SpanCell(_Answer):
    text: Annotated[str, StringConstraints(max_length=80)]
    rowspan: Annotated[int, Field(ge=1, le=60)] = 1
    colspan: Annotated[int, Field(ge=1, le=16)] = 1


class _SeenTable(_Answer):
    box: tuple[Thousandths, Thousandths, Thousandths, Thousandths]
    header_rows: Annotated[int, Field(ge=0, le=4)]
    rows: Annotated[
        tuple[Annotated[tuple[_SpanCell, ...], Field(min_length=1, max_length=16)], ...],
        Field(min_length=1, max_length=60),
    ]


A = TypeVar("A", bound=_Answer)


class DescribeAnswer(_Answer):
    """The answer to ``describe.yaml`` and to those like it for other kinds of assets."""

    attributes: dict[str, Text]
    caption: dict[str, Text]
    keywords: dict[str, Words]
    seen_text: tuple[_SeenText, ...]
    events: tuple[_Event, ...] = ()
    tables: Annotated[tuple[_SeenTable, ...], Field(max_length=6)] = ()
    likelihoods: dict[str, dict[str, Likelihood]] = {}


class _Constraint(_Answer):
    attribute: Text
    values: Annotated[tuple[Text, ...], Field(min_length=1, max_length=4)]
    exclude: bool


class StandardizeAnswer(_Answer):
    """What the shopper wants, by attribute, and how it is said in each language: the answer to
    ``standardize.yaml``."""

    constraints: tuple[_Constraint, ...]
    wording: dict[str, Text]
    keywords: dict[str, Words]


class _Condition(_Answer):
    header: Text
    op: Operator
    value: Text
    unit: Annotated[str, StringConstraints(strip_whitespace=True, max_length=12)]


class FilterAnswer(_Answer):
    """What a row of a table has to say in which columns: the answer to ``table_filter.yaml``."""

    conditions: Annotated[tuple[_Condition, ...], Field(min_length=1, max_length=6)]


def to_description(answer: bytes | str, segment: SegmentId) -> Description:
    """The record; UnusableAnswer if the JSON does not fit."""
    said = _read(DescribeAnswer, answer)
    events = [Event(start=one.start, end=one.end, text=one.text) for one in said.events]
    return Description(
        segment_id=segment,
        attributes=said.attributes,
        caption=said.caption,
        keywords=said.keywords,
        seen_text=tuple(SeenText(text=seen.text, box=seen.box) for seen in said.seen_text),
        events=tuple(events),
        tables=tuple(_tables(said.tables)),
        likelihoods=said.likelihoods,
    )


DIGITS = 4  # of a likelihood that are kept


def described_to_bytes(answer: Answer) -> bytes:
    """The form in which the memo keeps what was said of a segment: the answer's JSON, with the
    likelihoods as one member more."""
    if not answer.likelihoods:
        return text_to_bytes(answer.text)
    try:
        said = json.loads(answer.text)
    except ValueError:  # it is refused when it is read
        return text_to_bytes(answer.text)
    kept: dict[str, dict[str, float]] = {}
    for name, weights in answer.likelihoods.items():
        rounded = {value: round(weight, DIGITS) for value, weight in weights.items()}
        kept[name] = {value: weight for value, weight in rounded.items() if weight}
    return json.dumps({**said, "likelihoods": kept}, ensure_ascii=False).encode()


def text_to_bytes(text: str) -> bytes:
    """A model's text in the memo's form; what is no valid Unicode stays so, and is refused when it
    is read."""
    return text.encode(errors="surrogatepass")


def _tables(seen: Sequence[_SeenTable]) -> list[Table]:
    """The tables from top to bottom; what is no table after all is left out, since the rest of the
    answer can be used."""
    tables: list[Table] = []
    for one in sorted(seen, key=lambda table: (table.box[1], table.box[0])):
        rows = [list(map(_span_cell, row)) for row in one.rows]
        left, right = sorted((one.box[0], one.box[2]))
        top, bottom = sorted((one.box[1], one.box[3]))
        box = (left, top, right, bottom)
        with suppress(ValueError):
            tables.append(laid_out(rows, number=len(tables), box=box, header_rows=one.header_rows))
    return tables


def _span_cell(said: _SpanCell) -> SpanCell:
    return SpanCell(text=said.text, rows=said.rowspan, columns=said.colspan)


def to_standard_query(answer: bytes | str, query: PopularQuery) -> StandardQuery:
    """The record; UnusableAnswer if the JSON does not fit."""
    said = _read(StandardizeAnswer, answer)
    return StandardQuery(
        query_key=query.query_key,
        text=query.text,
        locale=query.locale,
        wording=said.wording,
        keywords=said.keywords,
        constraints=tuple(
            Constraint(attribute=c.attribute, values=c.values, exclude=c.exclude)
            for c in said.constraints
        ),
    )


# that half precision may cost the length of a unit vector; a part of a vector is shorter by far
OFF_UNIT = 0.02


def sound(vector: Vector) -> Vector | UnusableAnswer:
    """The vector, or why it is none: a unit vector of shape (dimension,) is finite and as long as
    1."""
    if vector.ndim != 1 or not vector.size or not np.all(np.isfinite(vector)):
        return UnusableAnswer("The model's vector has entries that are no numbers.")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if abs(length - 1) > OFF_UNIT:
        return UnusableAnswer(f"The model's vector has the length {length:.3g} instead of 1.")
    return vector


def vector_to_bytes(vector: Vector) -> bytes:
    """The form in which the memo keeps a vector."""
    return vector.astype("<f4").tobytes()


def to_vector(answer: bytes) -> Vector:
    """The vector of ``vector_to_bytes``; UnusableAnswer if the bytes are not one whole unit
    vector."""
    if len(answer) % 4:
        raise UnusableAnswer("The bytes are not a whole number of 32-bit floats.")
    vector = sound(np.frombuffer(answer, dtype="<f4").astype(np.float32))
    if isinstance(vector, UnusableAnswer):
        raise vector
    return vector


def to_conditions(answer: bytes | str) -> tuple[Condition, ...]:
    """The conditions; UnusableAnswer if the JSON does not fit."""
    said = _read(FilterAnswer, answer).conditions
    return tuple(
        Condition(header=one.header, op=one.op, value=one.value, unit=one.unit) for one in said
    )


def tables_to_bytes(tables: Sequence[Table]) -> bytes:
    """The form in which the memo keeps the tables of a page."""
    return json.dumps([to_json_value(table) for table in tables], ensure_ascii=False).encode()


def to_tables(answer: bytes) -> tuple[Table, ...]:
    """The tables of ``tables_to_bytes``; UnusableAnswer if the bytes are none."""
    try:
        said: Any = json.loads(answer)
        return tuple(from_json_value(one, Table) for one in said)
    except (ValueError, TypeError) as error:
        raise UnusableAnswer("These are no tables as this mmsearch knows them.") from error


def _read(kind: type[A], answer: bytes | str) -> A:
    try:
        return kind.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise UnusableAnswer(
            f"The model's answer does not fit its schema at {place}: {first['msg']}."
        ) from error
