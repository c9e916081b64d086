"""Errors, named by what the caller should do.

MMSearchError
├── BadRecord            write a Failure and go on
│   ├── UnreadableMedia  the bytes are not what they claim to be
│   ├── UnsupportedMedia a format we do not open
│   ├── MediaTooLarge    over a limit of size or time
│   ├── UnusableAnswer   the model said nothing that fits its schema
│   ├── UnusableMessage  a message of the queue that names no object of ours
│   ├── PixelsMissing    the normalised picture is not in the work bucket any more
│   ├── SourceChanged    the object is no longer what the plan saw
│   ├── FailedBefore     an earlier stage failed on this record, and said why
│   └── KilledTheWorker  whoever touched this record died, more than once
├── TryLater             exit 75: the scheduler retries
│   ├── StoreAway  EngineAway  IndexAway  LedgerAway  QueueAway
│   │              └── EngineBroke  it broke on records, maybe because of one of them
│   ├── Busy             somebody else holds the lease
│   ├── IndexIncomplete  a comparison's batches are not all done
│   ├── FeedReplaced     another state of the feed was taken meanwhile
│   └── TooManyFailures  more than the allowed share of a shard: nobody is blamed before a retry
└── StopEverything       exit 78: fail now, a retry cannot help
    ├── BadSettings      a setting is missing, malformed or refused
    ├── SchemaMismatch   the ledger or a collection is of another version
    ├── ModelMismatch    a stage's recipe is not the plan's
    ├── ListingBroken    an inventory of the bucket is not whole, or not the newest
    ├── HeldForApproval  results differ so much that a person has to approve them
    ├── FeedBroken       the feed is not there, or too little of it can be read
    ├── TooManyRemovals  more is gone from the bucket or the feed than one run may remove unasked
    └── StageMissing     the stage before has not run
PreconditionFailed       a conditional write lost: part of the store's contract, handled by callers
"""


class MMSearchError(Exception):
    """Every error of ours. Its text is one sentence that says what to do."""


class BadRecord(MMSearchError):
    """This record cannot be done; the others can."""


class UnreadableMedia(BadRecord):
    """The bytes are not what they claim to be."""


class UnsupportedMedia(BadRecord):
    """A format that we do not open."""


class MediaTooLarge(BadRecord):
    """Over a limit of pixels, bytes or time."""


class UnusableAnswer(BadRecord):
    """The model's answer does not fit its schema."""


class UnusableMessage(BadRecord):
    """The message names no object that we look at."""


class PixelsMissing(BadRecord):
    """The normalised picture is gone from the work bucket; the next refresh writes it again."""


class SourceChanged(BadRecord):
    """The object changed or went away after the plan was made; the next plan sees it."""


class FailedBefore(BadRecord):
    """An earlier stage failed on this record: its failure says why, and it was charged there."""


class KilledTheWorker(BadRecord):
    """Processes died on this record repeatedly."""


class TryLater(MMSearchError):
    """Something is away for now; the same command will work later."""


class StoreAway(TryLater):
    """The object store does not answer."""


class EngineAway(TryLater):
    """The model engine does not answer."""


class EngineBroke(EngineAway):
    """The model engine broke while it worked on records: out of memory, or a GPU that has to be set
    up anew. It counts as a death of the process, so that a record that does this every time is
    found."""


class IndexAway(TryLater):
    """Milvus does not answer."""


class LedgerAway(TryLater):
    """The ledger's database does not answer."""


class QueueAway(TryLater):
    """The queue of changes does not answer."""


class Busy(TryLater):
    """Another process holds the lease."""


class FeedReplaced(TryLater):
    """Another state of the feed was taken meanwhile: nothing of the older one may be written."""


class TooManyFailures(TryLater):
    """So many records of a shard failed that the cause is likely not the records."""


class IndexIncomplete(TryLater):
    """What tonight's comparison found missing in the index is not all there yet."""


class StopEverything(MMSearchError):
    """A person has to change something first."""


class BadSettings(StopEverything):
    """A setting is missing, malformed or refused by the other side."""


class SchemaMismatch(StopEverything):
    """A ledger or a collection was made by another version."""


class ModelMismatch(StopEverything):
    """The stage's recipe differs from the frozen plan."""


class ListingBroken(StopEverything):
    """An inventory of the bucket is not whole, or a newer one was used before."""


class FeedBroken(StopEverything):
    """The feed is not there, or too little of it can be read to believe the rest."""


class TooManyRemovals(StopEverything):
    """More is gone from the bucket or the feed than one run may remove unasked."""


class HeldForApproval(StopEverything):
    """Results differ so much from those that are published that a person has to approve them."""


class StageMissing(StopEverything):
    """A file that an earlier stage writes is not there."""


class PreconditionFailed(MMSearchError):
    """A conditional write lost to somebody else's."""
