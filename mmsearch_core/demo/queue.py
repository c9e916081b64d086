"""The queue of changes of the demo, and the relay that fills it.

SeaweedFS tells a webhook what happens to its files, in its own words; S3's notifications are what
mmsearch reads. So the relay takes the one and sends the other to a queue of moto's, which speaks
SQS and keeps nothing when it ends. `python -m mmsearch_core.demo.queue PORT QUEUE_URL BUCKET`.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mmsearch_core.demo.environment import Ports, queue_url
from mmsearch_core.demo.processes import HOST, Part, answers, responds

BUCKETS = "/buckets/"  # where the filer keeps them
UPLOADS = ".uploads"  # where it keeps the parts of uploads that are not finished
# moto asks nobody
ANYBODY: dict[str, Any] = {
    "aws_access_key_id": "demo",
    "aws_secret_access_key": "demo",
    "region_name": "us-east-1",
}


def client(url: str) -> Any:
    """A client of the SQS that has this queue."""
    address = urlsplit(url)
    return boto3.client("sqs", endpoint_url=f"{address.scheme}://{address.netloc}", **ANYBODY)


def create(url: str) -> None:
    """Make the queue, with another for messages that came five times and never were deleted."""
    sqs, name = client(url), url.rpartition("/")[2]
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "5"})
    sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})


def notifications(event: Mapping[str, Any], bucket: str) -> list[str]:
    """An event of the filer as S3 would say it; a rename is a removal and a creation. None for
    folders."""
    message, path = event["message"], str(event["key"])
    old, new = message.get("old_entry"), message.get("new_entry")
    into = (
        f"{message['new_parent_path']}/{new['name']}"
        if new and message.get("new_parent_path")
        else path
    )
    told = []
    if old and (not new or into != path):
        told.append(("ObjectRemoved:Delete", path, old))
    if new:
        told.append(("ObjectCreated:Put", into, new))
    return [
        json.dumps({"Records": [_record(name, key, bucket, entry)]})
        for name, where, entry in told
        if not entry.get("is_directory") and (key := _key(where, bucket))
    ]


def _key(path: str, bucket: str) -> str | None:
    root = f"{BUCKETS}{bucket}/"
    key = path.removeprefix(root)
    return key if path.startswith(root) and not key.startswith(f"{UPLOADS}/") else None


def _record(name: str, key: str, bucket: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": quote(key), "size": entry.get("attributes", {}).get("file_size", 0)},
        },
    }


def relay(bucket: str, send: Callable[[str], object]) -> Starlette:
    """The webhook. The filer tries again when it does not get a 200."""

    async def told(request: Request) -> Response:
        for message in notifications(await request.json(), bucket):
            await run_in_threadpool(send, message)
        return Response()

    return Starlette(routes=[Route("/", told, methods=["POST"])])


def queue_part(used: Ports, own: Mapping[str, str]) -> Part:
    """Moto as a server, of which only SQS is used."""
    arguments = ["-H", HOST, "-p", str(used.queue)]
    return Part(
        name="queue",
        command=[sys.executable, "-m", "mmsearch_core.demo.queue_server", *arguments],
        environment=own,
        ready=partial(responds, f"http://{HOST}:{used.queue}/"),
        deadline=60,
        port=used.queue,
        port_variable="MMSEARCH_DEMO_QUEUE_PORT",
    )


def relay_part(used: Ports, own: Mapping[str, str]) -> Part:
    """The relay; it is ready when the queue is."""
    arguments = [str(used.relay), queue_url(used.queue), "catalog"]
    return Part(
        name="relay",
        command=[sys.executable, "-m", "mmsearch_core.demo.queue", *arguments],
        environment=own,
        ready=partial(answers, used.relay),
        deadline=60,
        port=used.relay,
        port_variable="MMSEARCH_DEMO_RELAY_PORT",
    )


def tell_the_relay(state: Path, used: Ports) -> None:
    """Let the store that starts in this folder tell the relay what changes in the catalog."""
    toml = WEBHOOK.format(host=HOST, port=used.relay, prefix=f"{BUCKETS}catalog/")
    (state / "notification.toml").write_text(toml)


WEBHOOK = """# written by mmsearch_core.demo.stack
[notification.webhook]
enabled = true
endpoint = "http://{host}:{port}/"
timeout_seconds = 10
max_retries = 10
backoff_seconds = 1
workers = 1
event_types = ["create", "update", "delete", "rename"]
path_prefixes = ["{prefix}"]
"""


def main() -> None:
    """Make the queue, then relay until somebody ends this."""
    port, url, bucket = sys.argv[1:]
    create(url)
    sqs = client(url)
    app = relay(bucket, lambda body: sqs.send_message(QueueUrl=url, MessageBody=body))
    uvicorn.run(app, host=HOST, port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
