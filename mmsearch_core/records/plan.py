"""What a batch is going to do, frozen before any work starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mmsearch_core.records.ids import BatchId, TargetId
from mmsearch_core.records.recipe import Recipes

QUERY = "query"  # what a shard of the search line holds, where one of the index line holds a kind


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
    recipes: Recipes  # by kind of asset, then stage; those of the search line under ``QUERY``
    shards: Mapping[str, int]  # records by shard
    counts: Mapping[str, int]  # added, changed, removed, unchanged, waiting_for_product, …
    versions: Mapping[str, str]  # mmsearch and the libraries that decide outputs
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
    # what each shard holds: assets of one kind, or queries
    shard_kinds: Mapping[str, str] = field(default_factory=dict)
