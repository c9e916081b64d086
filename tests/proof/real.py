"""Runtimes on the real store, index and ledger, with fake models: each with a work bucket that
begins empty."""

from pathlib import Path
from typing import Any

from mmsearch_core.adapters.s3_store import S3Store
from mmsearch_core.settings import Settings
from mmsearch_core.testing.fake_models import FakeDecoder, FakeEmbedder, FakeVisionLanguageModel
from mmsearch_core.testing.fake_tables import FakeTableReader
from mmsearch_core.wiring.batches import Runtime

BUCKETS = {"catalog": {"bucket": "proof-catalog"}, "work": {"bucket": "proof-work"}}


def settings_for(
    servers: Settings, folder: Path, name: str, **sections: dict[str, Any]
) -> Settings:
    """A ledger and an alias of their own; the two buckets are shared, and emptied by ``fresh``."""
    own = {
        **BUCKETS,
        "query_log": {"bucket": "proof-catalog"},
        "index": {"alias": name},
        "ledger": {"url": f"sqlite:///{folder / name}.db"},
        **sections,
    }
    updates = {
        section: getattr(servers, section).model_copy(update=values)
        for section, values in own.items()
    }
    return servers.model_copy(update=updates)


def process(settings: Settings) -> Runtime:
    """A process that begins now: real parts, models that answer at once."""
    return Runtime(
        settings,
        decoder=FakeDecoder(),
        table_reader=FakeTableReader(),
        vlm=FakeVisionLanguageModel(),
        clip=FakeEmbedder("clip"),
        sbert=FakeEmbedder("sbert"),
    )


def fresh(settings: Settings) -> Runtime:
    """A process in an empty world."""
    runtime = process(settings)
    for store in (runtime.catalog, runtime.work):
        assert isinstance(store, S3Store)
        store.create()
        keys = [found.key for found in store.list()]
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            store._client.delete_objects(Bucket=store.bucket, Delete={"Objects": objects})
    return runtime
