"""What the weekly run asks of its stages, and how things are removed: counted, with a few named, or
in a dry run only counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from more_itertools import chunked
from pydantic import BaseModel, ConfigDict, Field

from mmsearch_core.forms import read_form
from mmsearch_core.records.report import RemovalReport

NAMED = 10  # of each kind in a report
PIECE = 1_000  # names removed at a time


class Housekeeping(BaseModel):
    """The form's fields and the run that sends them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(min_length=1)
    dry_run: bool = False
    reasons: tuple[str, ...] = ()  # kinds of failures that are driven again; all if empty


def read_request(request: str) -> Housekeeping:
    """The request; BadSettings names the first field that is wrong."""
    return read_form(request, Housekeeping)


class Removals:
    """Removes what it is told to, unless the run is dry, and keeps account."""

    def __init__(self, *, dry_run: bool) -> None:
        self.dry_run = dry_run
        self.counts: Counter[str] = Counter()
        self.named: dict[str, list[str]] = {}
        self.reasons: dict[str, str] = {}

    def of(self, kind: str, names: Iterable[str], remove: Callable[[Sequence[str]], Any]) -> None:
        """Remove ``names``, which are things of one kind; ``remove`` gets at most ``PIECE`` of them
        at a time."""
        for piece in chunked(names, PIECE):
            self.counts[kind] += len(piece)
            named = self.named.setdefault(kind, [])
            named += piece[: NAMED - len(named)]
            if not self.dry_run:
                remove(piece)

    def kept(self, kind: str, why: str) -> None:
        """Say why nothing of a kind was removed."""
        self.reasons[kind] = why

    def report(self, stage: Literal["sweep", "expire"]) -> RemovalReport:
        """What was removed, or would have been."""
        return RemovalReport(
            stage=stage,
            removed=self.counts,
            such_as={kind: tuple(names) for kind, names in self.named.items()},
            kept=self.reasons,
            dry_run=self.dry_run,
        )


def ago(days: float) -> datetime:
    """The moment so many days before now."""
    return datetime.now(UTC) - timedelta(days=days)
