"""What every DAG of mmsearch shares: how tasks are tried again, the pools they wait in, and the
asset between DAGs."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronPartitionTimetable

# A retry costs little, since a stage that is done is skipped; so the first comes soon. The last
# comes after 23 to 29 minutes (20, 60, 180, 540 and 600 seconds; Airflow adds up to as much again,
# below the longest), so that a Milvus that loads its rows after a restart, or a store that is away,
# costs no night.
DEFAULTS: dict[str, Any] = {
    "owner": "mmsearch",
    "retries": 5,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 3.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
}

# The pools are in docker/pools.json. A pool counts tasks: give `gpu` as many slots as there are
# GPUs.
GPU: dict[str, Any] = {"pool": "gpu", "execution_timeout": timedelta(hours=3)}
# One writer at a time: rows of a build are live only after the commit that follows them.
INDEX: dict[str, Any] = {"pool": "index"}


def nightly(hour: int) -> CronPartitionTimetable:
    """Every night at that hour, UTC. A DAG that is switched on waits for its first night: said by
    zero seconds, since ``False`` (3.3.2) runs the night before when less than a tenth of the day
    has passed."""
    return CronPartitionTimetable(f"0 {hour} * * *", timezone="UTC", run_immediately=timedelta(0))


def weekly(day: str, hour: int) -> CronPartitionTimetable:
    """Every week on that day at that hour, UTC."""
    return CronPartitionTimetable(
        f"0 {hour} * * {day}", timezone="UTC", run_immediately=timedelta(0)
    )


# One partition a batch, so that a batch has a run of its own and none is lost when several come at
# once.
catalog_batch = Asset(name="catalog_batch", uri="mmsearch://catalog_batch")
event_batch = Asset(name="event_batch", uri="mmsearch://event_batch")
backfill_batch = Asset(name="backfill_batch", uri="mmsearch://backfill_batch")
