"""What a queue of changes gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Its text, and the receipt that this one delivery is deleted by."""

    message_id: str
    receipt: str
    body: str
