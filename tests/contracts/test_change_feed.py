"""What every feed of changes promises, held against MemoryFeed and SQS's protocol through
SqsFeed."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import Mock
from uuid import uuid4

import pytest

from mmsearch_core.adapters.sqs_feed import SqsFeed
from mmsearch_core.errors import BadSettings, MMSearchError, QueueAway
from mmsearch_core.ports.stores import ChangeFeed
from mmsearch_core.records.message import Message
from mmsearch_core.settings import Queue
from mmsearch_core.testing.memory_feed import MemoryFeed
from tests.servers import Sqs

HIDDEN = 1  # seconds


@dataclass(frozen=True)
class Fed:
    """A feed and the way into it."""

    feed: ChangeFeed
    send: Callable[[str], object]


@pytest.fixture(params=["memory", pytest.param("sqs", marks=pytest.mark.integration)])
def fed(request: pytest.FixtureRequest) -> Fed:
    """An empty feed of each kind."""
    if request.param == "memory":
        memory = MemoryFeed(HIDDEN)
        return Fed(memory, memory.send)
    sqs: Sqs = request.getfixturevalue("sqs")
    url = sqs.create_queue(uuid4().hex)
    return Fed(feed_of(url), lambda body: sqs.client.send_message(QueueUrl=url, MessageBody=body))


def feed_of(url: str | None) -> SqsFeed:
    """A feed whose messages come again soon."""
    settings = Queue.model_validate({"url": url, "access_key": "k", "secret_key": "s"})
    return SqsFeed(settings, region="us-east-1", hidden_seconds=HIDDEN)


def all_of(feed: ChangeFeed, count: int) -> list[Message]:
    """So many messages; a call may give fewer than there are."""
    found: list[Message] = []
    for _ in range(10 * count):
        if len(found) >= count:
            break
        found += feed.receive(count - len(found), wait=1)
    return found


def test_what_was_sent_is_received_and_once_deleted_is_gone(fed: Fed) -> None:
    """More than one call of SQS holds, of any text."""
    sent = {f"message {number} 红色" for number in range(25)}
    for body in sent:
        fed.send(body)
    assert fed.feed.waiting() == 25
    messages = all_of(fed.feed, 25)
    assert {message.body for message in messages} == sent
    assert len({message.message_id for message in messages}) == 25
    fed.feed.delete(messages)
    fed.feed.delete(messages)  # no error where one is gone
    assert fed.feed.waiting() == 0
    assert fed.feed.receive(10, wait=HIDDEN + 1) == []


def test_what_was_not_deleted_is_hidden_and_comes_again(fed: Fed) -> None:
    """With another receipt; the older one deletes nothing that it should not, or the message
    itself."""
    fed.send("once more")
    (first,) = all_of(fed.feed, 1)
    assert fed.feed.waiting() == 0
    (again,) = all_of(fed.feed, 1)
    assert (again.message_id, again.body) == (first.message_id, first.body)
    fed.feed.delete([again])
    assert fed.feed.receive(1, wait=HIDDEN + 1) == []


def test_no_more_are_given_than_were_asked_for(fed: Fed) -> None:
    """The rest waits."""
    for number in range(5):
        fed.send(str(number))
    assert len(all_of(fed.feed, 3)) == 3
    assert fed.feed.waiting() == 2


def test_an_empty_feed_is_an_empty_answer(fed: Fed) -> None:
    """Not an error."""
    assert fed.feed.receive(10, wait=0) == []
    assert fed.feed.waiting() == 0
    fed.feed.delete([])


class TestErrors:
    """What only a real queue can do wrong."""

    def test_a_queue_that_is_away_is_said_so_soon(self) -> None:
        """Exit 75."""
        with pytest.raises(
            QueueAway, match=r"^The queue at \S+ does not answer \(\w+\): try again later\.$"
        ):
            feed_of("http://127.0.0.1:9/0/q").waiting()

    @pytest.mark.integration
    def test_a_queue_that_vanished_says_what_to_do(self, sqs: Sqs) -> None:
        """Exit 78: nobody creates it by waiting. Asked in each way."""
        url = sqs.create_queue(uuid4().hex)
        feed = feed_of(url)
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        (message,) = all_of(feed, 1)
        sqs.client.delete_queue(QueueUrl=url)
        for ask in (feed.waiting, lambda: feed.receive(1, wait=0), lambda: feed.delete([message])):
            with pytest.raises(
                BadSettings,
                match=r"^The queue \S+ is not there: create it, or correct queue\.url\.$",
            ):
                ask()

    def test_no_queue_at_all_names_the_setting(self) -> None:
        """Exit 78."""
        with pytest.raises(BadSettings, match=r"set queue\.url"):
            feed_of(None).receive(1, wait=0)

    @pytest.mark.parametrize(
        ("url", "region"),
        [
            ("https://sqs.eu-central-1.amazonaws.com/123456789012/q", "eu-central-1"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1"),
            ("https://vpce-1a2b.sqs.us-west-2.vpce.amazonaws.com/123456789012/q", "us-west-2"),
            ("http://sqs:9324/000000000000/q", "us-east-1"),
        ],
    )
    def test_region_and_endpoint_are_read_off_the_url(self, url: str, region: str) -> None:
        """A request signed for another region is refused."""
        client = feed_of(url)._client
        assert client.meta.region_name == region
        assert url.startswith(client.meta.endpoint_url + "/")


def test_every_error_of_botocore_is_ours() -> None:
    """None of the library's errors reaches a caller unnamed."""
    from botocore import exceptions

    feed = feed_of("http://127.0.0.1:9/0/q")
    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, Exception)
    ]
    for kind in kinds:
        if issubclass(kind, exceptions.BotoCoreError):
            error = kind.__new__(kind)
            Exception.__init__(error, "x")
            with pytest.raises(MMSearchError):
                feed._ask(Mock(side_effect=error))
    expected = {
        ("RequestThrottled", 403): QueueAway,
        ("ExpiredToken", 403): QueueAway,
        ("TooManyRequestsException", 429): QueueAway,
        ("InternalFailure", 500): QueueAway,
        ("AccessDenied", 403): BadSettings,
        ("AWS.SimpleQueueService.NonExistentQueue", 400): BadSettings,
        ("InvalidParameterValue", 400): BadSettings,
    }
    for (code, status), ours in expected.items():
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        assert type(feed._named(exceptions.ClientError(response, "ReceiveMessage"))) is ours  # type: ignore[arg-type]


def test_credentials_in_the_queues_address_are_not_shown() -> None:
    """Whatever goes wrong."""
    from botocore import exceptions

    feed = feed_of("http://me:secret@127.0.0.1:9/0/q")
    with pytest.raises(QueueAway) as away:
        feed.waiting()
    response = {"Error": {"Code": "QueueDoesNotExist"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    absent = feed._named(exceptions.ClientError(response, "ReceiveMessage"))  # type: ignore[arg-type]
    assert "secret" not in f"{away.value} {absent}"
