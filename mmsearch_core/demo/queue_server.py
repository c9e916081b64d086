"""Moto's SQS as a server: `python -m mmsearch_core.demo.queue_server -H HOST -p PORT`.

For every message that it takes in or hands out, Moto counts the whole queue, several times, with a
slow clock. A thousand messages took it 150 seconds; with these two answers of ours it is 4.
"""

import time

from moto.server import main
from moto.sqs import models


def now() -> float:
    """Unix time in milliseconds, with which Moto stamps messages and hides them."""
    return time.time() * 1000


def is_young(backend: models.SQSBackend, queue_name: str, message: models.Message) -> bool:
    """Whether a message is not yet as old as its queue keeps any; without counting the others."""
    queue, sent = vars(backend.get_queue(queue_name)), vars(message)["sent_timestamp"]
    return float(sent) + float(queue["message_retention_period"]) * 1000 > now()


if __name__ == "__main__":
    models.unix_time_millis = now  # type: ignore[attr-defined, assignment]
    models.SQSBackend.is_message_valid_based_on_retention_period = is_young  # type: ignore
    main()
