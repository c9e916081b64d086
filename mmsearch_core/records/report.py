"""What tasks report: of a shard, and of a whole batch or run. Each is what Airflow keeps of the
task, as JSON; some lie in the work bucket, too.

Reports of whole batches name their ``stage``, which tells them apart where several kinds may lie.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmsearch_core.records.ids import BatchId, GenerationId, RecipeId, TargetId


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
class ShardDone:
    """What the task of a stage says of a shard."""

    report: ShardReport
    skipped: bool  # the report was there already: there was nothing to do


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTotals:
    """What a stage did, over all shards of a batch."""

    read: int
    done: int
    failed: int
    calls_made: int  # to its model
    calls_saved: int  # by the memo
    seconds: float  # of all shards, without waiting
    tally: Mapping[str, int] = field(default_factory=dict)  # rows_written, bytes_read, …


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalls:
    """Model calls of all stages of a batch: those that were made, and those that the memo saved."""

    made: int
    saved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that holds after every run, and what was found."""

    name: str
    held: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareReport:
    """What a comparison of bucket, feed, ledger and index found and handed out."""

    batches: tuple[BatchId, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    target: TargetId | None = None  # None: there is no index beside to compare
    rebuilt: str = ""  # the collection that was lost and is built again
    switch_waits: str = ""  # why what is searched did not go over to the target
    feed_problems: tuple[str, ...] = ()  # some of the feed's lines that could not be read
    stage: Literal["compare"] = "compare"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What an event's look at the feed found."""

    counts: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()  # some of its lines that could not be read
    refused: str = ""  # why nothing of it was taken


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What the messages of the queue became."""

    batches: tuple[BatchId, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    target: TargetId | None = None  # None: there is no index yet, and messages wait
    feed: FeedReport | None = None  # None: no message named the feed
    stage: Literal["drain"] = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateReport:
    """What a backfill would cost, at most."""

    selection: Mapping[str, Any]  # the form's fields
    collection: str
    assets: int
    to_do: int  # assets that are not in the index as they would be
    # of these: counted once, while each of their pages or shots is a call
    documents: int = 0
    videos: int = 0
    calls: Mapping[str, int]  # that the memo does not save, by stage
    gpu_seconds: float
    minutes: float
    budget_minutes: float
    ask: bool  # whether a person has to approve
    table: str = ""  # for that person, in Markdown
    stage: Literal["estimate"] = "estimate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectReport:
    """What a backfill handed out."""

    batches: tuple[BatchId, ...]
    assets: int
    dry_run: bool
    stage: Literal["select"] = "select"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveReport:
    """Failures that are tried again, and those that were tried too often, by "<stage>: <kind>"."""

    batches: tuple[BatchId, ...]
    driven: Mapping[str, int]
    parked: Mapping[str, int]
    dry_run: bool
    stage: Literal["redrive"] = "redrive"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """The shards of a frozen plan."""

    batch: BatchId
    shards: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    superseded: bool = False  # a later comparison has handed the batch's work out again
    stage: Literal["plan"] = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReport:
    """What a batch of the index line did. ``assets`` counts them by what became of them."""

    batch: BatchId
    collection: str = ""
    plan: Mapping[str, int] = field(default_factory=dict)  # what was planned
    assets: Mapping[str, int]
    stages: Mapping[str, StageTotals] = field(default_factory=dict)
    model_calls: ModelCalls
    switch_waits: str = ""  # why what is searched did not go over to the collection
    superseded: bool = False
    page: str = ""  # its address
    stage: Literal["close"] = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReport:
    """Whether a night of the search line found a whole index."""

    incomplete: bool  # the deadline came first
    unfinished_batches: int
    stage: Literal["await_index"] = "await_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class MineReport:
    """The shards of tonight's popular queries."""

    batch: BatchId
    shards: tuple[str, ...]
    counts: Mapping[str, int]
    stage: Literal["mine"] = "mine"


GateName = Literal["coverage", "gone", "emptied", "churn", "index"]
Loss = Literal["gone", "emptied", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One number held against its limit. ``value``: the share that is bad, 0 to 1."""

    name: GateName
    value: float
    limit: float
    asks: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """A query whose list became worse: ``overlap`` with yesterday's (1 is equal), ``hits``
    yesterday and tonight."""

    query: str
    locale: str
    what: Loss
    overlap: float
    hits: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesReport:
    """What the gates say of tonight's results."""

    batch: BatchId
    ask: bool  # whether a person has to approve before anything is published
    why: tuple[str, ...]
    page: str = ""  # its address, where a person is asked
    table: str  # for that person, in Markdown
    stage: Literal["gates"] = "gates"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What a batch of the search line did."""

    batch: BatchId
    generation: GenerationId | None  # that holds its results; None where none does
    published: bool  # by this batch
    queries: int
    hits: int
    stages: Mapping[str, StageTotals]
    model_calls: ModelCalls
    page: str = ""  # its address
    stage: Literal["publish"] = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackReport:
    """The generation that was current, and the one that is held now."""

    before: GenerationId
    generation: GenerationId
    hold: bool = True
    stage: Literal["rollback"] = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How good one way of ranking is over a group of judged queries: means, 0 to 1, by metric."""

    row: str
    group: str
    queries: int
    means: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """How much of what fusion leaves to be gained the judge gains, in nDCG@10, and whether that is
    chance."""

    recovered: float | None  # a share; None where there is nothing to gain
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateReport:
    """What was measured on judged queries."""

    index: str  # physical collection and ledger commit number
    queries: int
    left_out: tuple[str, ...]  # queries that could not be standardized
    rows: tuple[Figures, ...]
    headroom: Headroom
    stage: Literal["evaluate"] = "evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """The weights of the legs that rank judged queries best. nDCG@10 of fusion ``before`` (with the
    weights of the settings) and ``after``; ``held_out`` is that of weights which were found on the
    other half of the queries, and ``p_value`` says whether its difference to ``before`` is
    chance."""

    index: str  # physical collection and ledger commit number
    judged: str  # digest of the queries and their grades
    queries: int
    weights: Mapping[str, float]
    before: float
    after: float
    held_out: float
    p_value: float
    stage: Literal["tune"] = "tune"

    @property
    def is_better(self) -> bool:
        """Whether the weights are better than those of the settings, and that is no chance."""
        return self.held_out > self.before and self.p_value < 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalReport:
    """What a stage of the upkeep removed, or in a dry run would have removed, by what it is."""

    stage: Literal["sweep", "expire"]
    removed: Mapping[str, int]
    such_as: Mapping[str, tuple[str, ...]]  # a few of them
    kept: Mapping[str, str]  # why nothing of that was removed
    dry_run: bool


TaskReport = (
    ShardDone
    | CompareReport
    | DrainReport
    | EstimateReport
    | SelectReport
    | RedriveReport
    | PlanReport
    | CloseReport
    | AwaitReport
    | MineReport
    | GatesReport
    | PublishReport
    | RollbackReport
    | EvaluateReport
    | RemovalReport
)
