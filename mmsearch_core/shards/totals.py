"""What the stages of a batch did, added up over its shards."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mmsearch_core.records.report import ModelCalls, ShardReport, StageTotals


def add_up(reports: Sequence[ShardReport]) -> dict[str, StageTotals]:
    """Totals by stage."""
    of_stage: dict[str, list[ShardReport]] = defaultdict(list)
    for report in reports:
        of_stage[report.stage].append(report)
    return {stage: _totals(found) for stage, found in of_stage.items()}


def model_calls(stages: Mapping[str, StageTotals]) -> ModelCalls:
    """The calls of all stages."""
    made = sum(stage.calls_made for stage in stages.values())
    saved = sum(stage.calls_saved for stage in stages.values())
    return ModelCalls(made=made, saved=saved)


def _totals(reports: Iterable[ShardReport]) -> StageTotals:
    records: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    seconds = 0.0
    for report in reports:
        records.update(read=report.read, done=report.done, failed=report.failed)
        tally.update(report.tally)
        seconds += sum(report.timing.values())
    return StageTotals(
        read=records["read"],
        done=records["done"],
        failed=records["failed"],
        calls_made=tally.pop("calls_made", 0),
        calls_saved=tally.pop("calls_saved", 0),
        seconds=round(seconds, 2),
        tally=tally,
    )
