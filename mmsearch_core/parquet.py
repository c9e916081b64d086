"""Records to Parquet and back. The schema of a file is read off the record's type hints, so an
empty file has the same columns as a full one."""

import dataclasses
import io
import types
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cattrs import Converter

from mmsearch_core.codec import make_converter
from mmsearch_core.records.embedding import Vector
from mmsearch_core.records.segment import Where

T = TypeVar("T")

_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", tz="UTC"),
    Vector: pa.list_(pa.float32()),
    Where: pa.string(),
}


def dump(records: Sequence[T], record_type: Any) -> bytes:
    """The records, all of one type or one union of types, as one Parquet file; equal records give
    equal bytes."""
    buffer = io.BytesIO()
    pq.write_table(to_table(records, record_type), buffer, compression="zstd")
    return buffer.getvalue()


def to_table(records: Sequence[T], record_type: Any) -> pa.Table:
    """The records, all of one type or one union of types, as an Arrow table of the schema
    ``schema_of``."""
    rows = [_to_row(record, record_type) for record in records]
    return pa.Table.from_pylist(rows, schema=schema_of(record_type))


def load(data: bytes, record_type: Any) -> list[Any]:
    """The records of a file written by ``dump``."""
    converter = _parquet_converter()
    return [
        converter.structure(row, record_type) for row in pq.read_table(io.BytesIO(data)).to_pylist()
    ]


def _to_row(record: Any, record_type: Any) -> dict[str, Any]:
    return cast(
        dict[str, Any], _parquet_converter().unstructure(record, unstructure_as=record_type)
    )


@cache
def _parquet_converter() -> Converter:
    converter = make_converter(
        to_plain=lambda moment: moment, from_plain=lambda moment: moment.astimezone(UTC)
    )
    converter.register_unstructure_hook_func(
        lambda kind: kind is Vector, lambda vector: vector.tolist()
    )
    converter.register_structure_hook_func(
        lambda kind: kind is Vector, lambda v, _: np.asarray(v, dtype=np.float32)
    )
    return converter


@cache
def schema_of(record_type: Any) -> pa.Schema:
    """The Arrow schema of a record type, or of a union of record types."""
    if _is_union(record_type):
        members = [schema_of(member) for member in get_args(record_type)]
        return pa.unify_schemas([pa.schema([pa.field("change", pa.string())]), *members])
    hints = get_type_hints(record_type)
    return pa.schema(
        [(field.name, _arrow(hints[field.name])) for field in dataclasses.fields(record_type)]
    )


def _arrow(hint: Any) -> pa.DataType:
    if isinstance(hint, NewType):
        return _arrow(hint.__supertype__)
    known = next((arrow for scalar, arrow in _SCALARS.items() if hint == scalar), None)
    if known is not None:
        return known
    if dataclasses.is_dataclass(hint):
        return pa.struct(list(schema_of(cast(Any, hint))))
    return _arrow_of_generic(hint, get_args(hint))


def _arrow_of_generic(hint: Any, arguments: tuple[Any, ...]) -> pa.DataType:
    if _is_union(hint):  # of a type and None
        return _arrow(next(argument for argument in arguments if argument is not types.NoneType))
    if get_origin(hint) is Literal:
        return pa.string()
    if get_origin(hint) is Mapping:
        return pa.map_(_arrow(arguments[0]), _arrow(arguments[1]))
    if get_origin(hint) is tuple:
        return pa.list_(_arrow(arguments[0]))
    raise TypeError(f"no Parquet type for {hint}")


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)
