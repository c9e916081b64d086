"""What a batch of the index line is asked to look at, and how. Nothing in it is believed: keys are hints."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmsearch_core.codec import from_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.ports import ObjectStore
from mmsearch_core.records.asset import Removal
from mmsearch_core.records.ids import BatchId


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a batch is asked to look at."""

    batch: BatchId
    source: str
    keys: tuple[str, ...]
    moved: tuple[Removal, ...] = ()  # no longer of the catalog, whose bucket or prefix is another now
    compared: Mapping[str, int] = field(default_factory=dict)  # counts of the comparison that made it
    partial: bool = False  # a selection: it removes nothing, and what is searched does not switch to its target
    redo: tuple[str, ...] = ()  # stages that ask their models again
    retry: bool = False  # what failed is tried again
    models: Mapping[str, str] = field(default_factory=dict)  # instead of those of the settings


def manifest_key(batch: str) -> str:
    """Where a batch's manifest lies."""
    return f"runs/{batch}/manifest.json"


def read_manifest(work: ObjectStore, batch: BatchId) -> Manifest:
    """What the batch was asked to look at."""
    data = work.get(manifest_key(batch))
    if data is None:
        raise StageMissing(f"Batch {batch} has no manifest: run the compare stage first, or correct the batch's name.")
    return from_json(data, Manifest)
