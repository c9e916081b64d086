"""What stands beside the work itself: plans, reports, failures, and where an index lives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mmsearch_core.records.ids import BatchId, RecipeId, TargetId, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the inputs that decides a stage's output. ``version`` is bumped by hand when
    its code changes."""

    stage: str
    version: int
    model: str = ""  # name and revision
    prompt: str = ""  # digest of the prompt file
    settings: Mapping[str, str]

    @property
    def recipe_id(self) -> RecipeId:
        """Keys the memo and stands in plans, fingerprints and builds."""
        settings = (f"{name}={value}" for name, value in sorted(self.settings.items()))
        return RecipeId(
            digest("recipe", self.stage, str(self.version), self.model, self.prompt, *settings)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a stage is about to do: its recipe and the digests of the files it reads, by name."""

    recipe: RecipeId
    inputs: Mapping[str, str]

    def __str__(self) -> str:
        return digest(
            "fingerprint",
            self.recipe,
            *(f"{name}={value}" for name, value in sorted(self.inputs.items())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A record that could not be done: ``kind`` is the error's name, ``message`` one sentence for
    people."""

    record_id: str
    stage: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """Written last: its existence means that the stage finished. ``read == done + failed``."""

    stage: str
    shard: str
    recipe: RecipeId
    fingerprint: str
    read: int
    done: int
    failed: int
    inputs: Mapping[str, str]  # sha256 by input file
    wrote: Mapping[str, int]  # records by output file
    outputs: Mapping[str, str]  # sha256 by output file
    tally: Mapping[str, int]  # calls_made, calls_saved, rows_written, …
    timing: Mapping[str, float]  # the only part that differs between equal runs

    def __post_init__(self) -> None:
        if self.read != self.done + self.failed:
            raise ValueError(
                f"{self.stage}: read {self.read}, yet {self.done} done and {self.failed} failed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collection and the recipes its rows are made with; ``collection_uuid`` tells it from a
    namesake."""

    target_id: TargetId
    collection: str
    collection_uuid: str
    recipes: Mapping[str, RecipeId]
    status: Literal["building", "live", "retired"]


BatchStatus = Literal["open", "done", "failed", "superseded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that was handed out and is neither done nor superseded."""

    batch: BatchId
    source: str  # who handed it out: a stage and a run
    status: BatchStatus  # "open" or "failed"
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Frozen before work starts. A stage whose recipe differs from it stops: the plan has to be
    made again."""

    batch: BatchId
    line: Literal["index", "search"]
    target_id: TargetId
    collection: str  # physical, resolved from the alias once
    made_at: datetime  # when the objects were looked at
    commit: int  # the ledger's commit number when the plan was made
    recipes: Mapping[str, RecipeId]
    shards: Mapping[str, int]  # records by shard
    counts: Mapping[str, int]  # added, changed, removed, unchanged, waiting_for_product, …
    versions: Mapping[str, str]  # mmsearch and the libraries that decide outputs
    current_etag: str = ""  # search line: ETag of results/CURRENT, "" where there was none
    source: str = ""  # who asked for it
    # index line: the counts by kind of asset
    kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # index line: what the comparison behind it counted
    compared: Mapping[str, int] = field(default_factory=dict)
    partial: bool = False  # index line: of a selection, not of a comparison
    collection_uuid: str = ""  # tells the collection from a namesake that was made since
    incomplete: bool = False  # search line: the index was not whole when the plan was made
    # index line: digest of what the batch was asked to do when the plan was made
    manifest: str = ""
    # index line: the one kind of asset of each shard
    shard_kinds: Mapping[str, str] = field(default_factory=dict)
