"""Records to JSON and back."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin

from cattrs import BaseValidationError, Converter
from cattrs.strategies import configure_tagged_union

from mmsearch_core.records.asset import Change
from mmsearch_core.records.segment import Where, parse_where

T = TypeVar("T")


def to_json(value: Any, value_type: Any = None) -> bytes:
    """A record, or anything made of records, as readable JSON with sorted keys."""
    plain = to_json_value(value, value_type)
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True).encode()


def to_json_value(value: Any, value_type: Any = None) -> Any:
    """What ``to_json`` writes, as plain dicts, lists, texts and numbers."""
    return _json_converter().unstructure(value, unstructure_as=value_type)


def from_json(data: bytes, record_type: type[T]) -> T:
    """The inverse of ``to_json``; ValueError if the data is no such record."""
    return from_json_value(json.loads(data), record_type)


def from_json_value(value: Any, record_type: type[T]) -> T:
    """The inverse of ``to_json_value``; ValueError if the value is no such record."""
    try:
        return _json_converter().structure(value, record_type)
    except (BaseValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"This is no {record_type.__name__} as this mmsearch knows it.") from error


@cache
def _json_converter() -> Converter:
    return make_converter(to_plain=datetime.isoformat, from_plain=datetime.fromisoformat)


def make_converter(
    *, to_plain: Callable[[datetime], Any], from_plain: Callable[[Any], datetime]
) -> Converter:
    """How records become plain dicts, lists, texts and numbers, and back; ``to_plain`` and
    ``from_plain`` say what becomes of moments."""
    converter = Converter()
    converter.register_unstructure_hook(datetime, to_plain)
    converter.register_structure_hook(datetime, lambda plain, _: from_plain(plain))
    converter.register_unstructure_hook_func(lambda kind: kind == Where, str)
    converter.register_structure_hook_func(
        lambda kind: kind == Where, lambda text, _: parse_where(text)
    )
    # Parquet gives maps back as lists of pairs, and every column of a union for each of its rows
    converter.register_structure_hook_factory(
        lambda kind: bool(cast(Any, get_origin(kind)) is Mapping),
        lambda kind: (
            lambda pairs, _: {
                key: converter.structure(value, get_args(kind)[1])
                for key, value in dict(pairs).items()
            }
        ),
    )
    configure_tagged_union(Change, converter, tag_name="change")
    return converter
