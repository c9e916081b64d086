"""A queue in memory."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from mmsearch_core.records.message import Message

LOOK_AGAIN = 0.01  # seconds


@dataclass(slots=True)
class _Held:
    body: str
    hidden_until: float = 0.0
    receipt: str = ""


class MemoryFeed:
    """Gives the latest message first, since nobody should rely on an order."""

    def __init__(self, hidden_seconds: float = 300) -> None:
        self.hidden_seconds = hidden_seconds
        self._held: dict[str, _Held] = {}

    def send(self, body: str) -> None:
        """What the bucket would do."""
        self._held[uuid4().hex] = _Held(body)

    def waiting(self) -> int:
        return len(self._visible())

    def receive(self, limit: int, *, wait: float) -> list[Message]:
        deadline = time.monotonic() + wait
        while not (visible := self._visible()) and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN)
        messages = []
        for name in reversed(visible[-min(limit, 10) :]):
            held = self._held[name]
            held.hidden_until, held.receipt = time.monotonic() + self.hidden_seconds, uuid4().hex
            messages.append(Message(message_id=name, receipt=held.receipt, body=held.body))
        return messages

    def delete(self, messages: Sequence[Message]) -> None:
        for message in messages:
            held = self._held.get(message.message_id)
            if held is not None and held.receipt == message.receipt:
                del self._held[message.message_id]

    def _visible(self) -> list[str]:
        return [name for name, held in self._held.items() if held.hidden_until <= time.monotonic()]
