"""Buckets, the queue of their changes, and the memory of what models answered."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.ids import (
    RecipeId,
)
from mmsearch_core.records.message import Message
from mmsearch_core.records.ranking import PairScore


class ObjectStore(Protocol):
    """One bucket. Keys are any UTF-8 text; listings promise no order."""

    bucket: str

    def list(self, prefix: str = "") -> Iterator[ObjectRef]:
        """Every object under the prefix."""

    def head(self, key: str) -> ObjectRef | None:
        """The object as it is now, or None where there is none."""

    def get(self, key: str, *, if_match: str | None = None) -> bytes | None:
        """The bytes, or None where there is no object; PreconditionFailed if its ETag is not
        ``if_match``."""

    def download(self, found: ObjectRef, path: Path) -> None:
        """Write the bytes of an object that was found before to a file, never all of them in
        memory; PreconditionFailed, and no file, if it is another object by now, or none."""

    def upload(self, key: str, path: Path) -> None:
        """Write a file, never all of it in memory."""

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        """Write and return the ETag. ``if_none_match``: only where nothing is; ``if_match``: only
        over that ETag. Raises PreconditionFailed when the condition does not hold."""

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove these objects, in few requests; no error where there is none."""

    def folders(self, prefix: str) -> Iterator[str]:
        """The names directly under the prefix (which ends in a slash) that have objects under them,
        without slashes."""


class ChangeFeed(Protocol):
    """Messages that say where something may have changed: in any order, some of them twice. One
    that was received is hidden for ``hidden_seconds`` and then comes again, unless it was
    deleted."""

    def waiting(self) -> int:
        """About how many messages can be received now."""

    def receive(self, limit: int, *, wait: float) -> list[Message]:
        """Some messages, at most ``limit``; waits up to ``wait`` seconds for the first, and is
        empty if none came."""

    def delete(self, messages: Sequence[Message]) -> None:
        """These will not come again; no error where one is gone already."""


class Memo(Protocol):
    """What was already computed. Keys of the memo are (recipe, content); the first answer written
    stays."""

    def get_many(self, recipe: RecipeId, keys: Sequence[str]) -> dict[str, bytes]:
        """The known ones among ``keys``."""

    def put_many(self, recipe: RecipeId, answers: Mapping[str, bytes]) -> dict[str, bytes]:
        """Remember the answers; returns what stands now, which is another's answer where that came
        first."""

    def forget(self, recipe: RecipeId, keys: Sequence[str]) -> None:
        """Remember these answers no more; unknown ones are no error."""

    def judgements(self, recipe: RecipeId, query: str) -> list[PairScore]:
        """Every score that was ever given to a pair of this query under this recipe."""

    def add_judgements(self, recipe: RecipeId, query: str, judgements: Sequence[PairScore]) -> None:
        """Fold scores into the query's one object; an existing pair keeps its first score. May be
        called from several threads, each for another query."""
