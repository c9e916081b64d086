"""What a batch of the index line is asked to look at, and how. Nothing in it is believed: keys are
hints."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from mmsearch_core.codec import from_json, to_json
from mmsearch_core.errors import StageMissing
from mmsearch_core.layout import manifest_key
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.ports.truth import Stores
from mmsearch_core.records.asset import Removal
from mmsearch_core.records.ids import BatchId, digest
from mmsearch_core.records.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a batch is asked to look at."""

    batch: BatchId
    source: str
    keys: tuple[str, ...]
    listed: tuple[
        str, ...
    ] = ()  # of the keys, those that are no plain names (see look.py) and that a listing shows
    # digest of the versions that a comparison saw: equal keys may have to be done again
    seen: str = ""
    moved: tuple[
        Removal, ...
    ] = ()  # no longer of the catalog, whose bucket or prefix is another now
    # counts of the comparison that made it
    compared: Mapping[str, int] = field(default_factory=dict)
    # a selection: it removes nothing, and what is searched does not switch to its target
    partial: bool = False
    redo: tuple[str, ...] = ()  # stages that ask their models again
    retry: bool = False  # what failed is tried again
    models: Mapping[str, str] = field(default_factory=dict)  # instead of those of the settings

    @property
    def asked(self) -> str:
        """Digest of all that decides what the batch does; neither its name nor who asked for it
        does."""
        alike = replace(self, batch=BatchId(""), source="", compared={})
        return sha256(to_json(alike)).hexdigest()


def read_manifest(work: ObjectStore, batch: BatchId) -> Manifest:
    """What the batch was asked to look at."""
    data = work.get(manifest_key(batch))
    if data is None:
        raise StageMissing(
            f"Batch {batch} has no manifest: run the compare stage first, or correct the batch's"
            " name."
        )
    return from_json(data, Manifest)


def hand_out(asked: Manifest, run: str, target: Target, stores: Stores) -> BatchId:
    """Write the manifest and record its batch; returns the batch's name.

    The name is made of the run, the target and what is asked, so that a retry of the run hands out
    the same batch, and the same run with other keys another one. A batch that has ended is not
    handed out again: a new one does what the same keys need now.
    """
    for again in itertools.count():
        name = digest(
            "batch", run, target.target_id, target.collection_uuid, asked.asked, str(again)
        )
        batch = BatchId(name[:16])
        if stores.ledger.batch_status(batch) in (None, "open"):
            break
    stores.work.put(manifest_key(batch), to_json(replace(asked, batch=batch)))
    stores.ledger.open_batch(batch, target=target.target_id, source=asked.source)
    return batch
