"""Which state of the shop's feed the products in the ledger are of."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """One state of the feed, as the ledger recorded it when it was begun to be taken."""

    feed: str  # bucket and key
    version: str  # of the object, and of the code that read it
    modified_at: datetime  # as the store says; for people, since clocks may be wrong
    token: int  # rises with every other state: whoever holds an older one must not write any more
    whole: bool  # all its products are in the ledger, and the pictures they concern in batches
