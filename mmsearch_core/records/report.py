"""What a stage says of a shard when it has finished, and of each record that it could not do."""

from collections.abc import Mapping
from dataclasses import dataclass

from mmsearch_core.records.ids import RecipeId


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
