"""What a backfill asks for: some of the catalog, which stages to do anew, and with which models."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mmsearch_core.errors import BadSettings
from mmsearch_core.forms import read_form
from mmsearch_core.media import kind_of
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import Kind, ObjectRef
from mmsearch_core.records.ids import digest
from mmsearch_core.records.line import names, remembering


class Selection(BaseModel):
    """The form's fields and the run that sends them. Days are those of ``LastModified``, UTC, both
    ends included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(min_length=1)  # DAG and run
    # the day, where the run is of a backfill; it wins over the days of the form
    partition: str | None = None
    by_clock: bool = False
    prefix: str = ""
    kinds: tuple[Kind, ...] = ("picture", "video", "document")
    first_day: date | None = None
    last_day: date | None = None
    redo: tuple[str, ...] = ()
    vlm: str = ""
    clip: str = ""
    sbert: str = ""
    budget_minutes: float | None = Field(default=None, ge=0)
    dry_run: bool = False

    @field_validator("partition")
    @classmethod
    def _is_a_day(cls, partition: str | None) -> str | None:
        if partition and not re.match(r"\d{4}-\d{2}-\d{2}", partition):
            raise ValueError("is not a day")
        return partition or None

    @field_validator("redo")
    @classmethod
    def _can_be_redone(cls, redo: tuple[str, ...]) -> tuple[str, ...]:
        able = names(remembering())
        if not set(redo) <= set(able):
            raise ValueError(f"it names others than {', '.join(able)}, which alone remember")
        return redo

    @property
    def days(self) -> tuple[date, date]:
        """The first day and the last."""
        if self.partition:
            day = date.fromisoformat(self.partition[:10])
            return day, day
        return self.first_day or date.min, self.last_day or date.max

    @property
    def models(self) -> Mapping[str, str]:
        """Models to use instead of those of the settings."""
        return {name: model for name in ("vlm", "clip", "sbert") if (model := getattr(self, name))}

    @property
    def name(self) -> str:
        """Of the run and of all that decides its work."""
        decides = self.model_dump_json(include={"prefix", "kinds", "redo", "vlm", "clip", "sbert"})
        return digest(self.run, decides, *map(str, self.days))


def read_selection(request: str) -> Selection:
    """The selection in a request; BadSettings names the first field that is wrong."""
    asked = read_form(request, Selection)
    if asked.days[0] > asked.days[1]:
        raise BadSettings("first_day is after last_day: exchange them in the form of the run.")
    return asked


def selected(catalog: ObjectStore, pictures: str, asked: Selection) -> Iterator[ObjectRef]:
    """The objects of the catalog that the selection names."""
    if asked.by_clock:
        return
    prefix = asked.prefix if asked.prefix.startswith(pictures) else pictures + asked.prefix
    first, last = asked.days
    for found in catalog.list(prefix):
        if found.key.endswith("/") or kind_of(found.key) not in asked.kinds:
            continue
        if first <= found.last_modified.date() <= last:
            yield found


def as_form(asked: Selection) -> dict[str, Any]:
    """What was asked for, without what was left open."""
    plain: dict[str, Any] = asked.model_dump(mode="json", exclude_defaults=True)
    return plain
