"""What the stages of a batch did, added up over its shards."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmsearch_core.records.report import ShardReport


def add_up(reports: Sequence[ShardReport]) -> dict[str, Any]:
    """Totals by stage: records, calls, rows, seconds."""
    totals: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for report in reports:
        total = totals.setdefault(report.stage, Counter(calls_made=0, calls_saved=0))
        total.update(
            {"read": report.read, "done": report.done, "failed": report.failed, **report.tally}
        )
        seconds[report.stage] += sum(report.timing.values())  # type: ignore[assignment]
    return {
        stage: {**total, "seconds": round(seconds[stage], 2)} for stage, total in totals.items()
    }
