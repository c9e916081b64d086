"""What messages say: S3's own as documented, moto's, the relay's, inside SNS, from EventBridge; and
what is none."""

import json
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from mmsearch_core.catalog.notifications import changed_keys
from mmsearch_core.demo.queue import notifications, relay
from mmsearch_core.errors import UnusableMessage
from tests.servers import Sqs

KEYS = (
    "pictures/p1/1.jpg",
    "pictures/p1/with space+plus.jpg",
    "pictures/红色 连衣裙/é%2Fb&c=d.jpg",
    "pictures/p1/100%.jpg",
    "pictures/p1/a+b%20c.jpg",
)


def s3_event(
    key: str, event: str = "ObjectCreated:Put", bucket: str = "catalog", **thing: Any
) -> dict[str, Any]:
    """As AWS documents it."""
    return {
        "Records": [
            {
                "eventVersion": "2.5",
                "eventSource": "aws:s3",
                "awsRegion": "us-west-2",
                "eventTime": "1970-01-01T00:00:00.000Z",
                "eventName": event,
                "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
                "responseElements": {
                    "x-amz-request-id": "C3D13FE58DE4C810",
                    "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZ",
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "testConfigRule",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(key, safe="/"),
                        "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "sequencer": "0055AED6DCD90281E5",
                        **thing,
                    },
                },
            }
        ]
    }


TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2014-10-13T15:57:02.089Z",
    "Bucket": "catalog",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}


def in_sns(body: str) -> str:
    """As a topic without raw delivery hands it on."""
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92",
        "TopicArn": "arn:aws:sns:us-west-2:1:t",
        "Message": body,
    }
    return json.dumps(envelope | {"Subject": "Amazon S3 Notification", "SignatureVersion": "1"})


def event_bridge(key: str) -> str:
    """As documented; its keys are not encoded."""
    detail = {
        "version": "0",
        "bucket": {"name": "catalog"},
        "object": {"key": key, "size": 5, "etag": "b1946ac9"},
    }
    event = {
        "version": "0",
        "id": "17793124",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "1",
    }
    return json.dumps(event | {"detail": {**detail, "reason": "PutObject"}})


def filer_event(path: str, **message: Any) -> dict[str, Any]:
    """As SeaweedFS sends it to a webhook."""
    return {"event_type": "create", "key": path, "message": message}


def entry(path: str, **more: Any) -> dict[str, Any]:
    """A file, as the filer knows it."""
    return {
        "name": path.rpartition("/")[2],
        "attributes": {"file_size": 5, "mime": "image/jpeg"},
        **more,
    }


def created(key: str) -> dict[str, Any]:
    """The filer tells of a new file."""
    path = f"/buckets/catalog/{key}"
    return filer_event(path, new_entry=entry(path), new_parent_path=path.rpartition("/")[0])


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "event",
    [
        "ObjectCreated:Put",
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectRemoved:DeleteMarkerCreated",
    ],
)
def test_a_notification_names_its_key(key: str, event: str) -> None:
    """Whatever happened to it, and in a bucket with versions too: the plan looks at what is there
    now."""
    body = json.dumps(s3_event(key, event, versionId="096fKKXTRTtl3on89fVO.nfljtsv6qko"))
    for message in (body, in_sns(body), event_bridge(key), in_sns(event_bridge(key))):
        assert changed_keys(message, "catalog") == [key]


@pytest.mark.parametrize("source", ["minio:s3", "ceph:s3"])
def test_notifications_of_other_stores_are_understood(source: str) -> None:
    """MinIO and Ceph name themselves as the source, and leave fields out or empty."""
    event = s3_event("pictures/a b.jpg")
    (record,) = event["Records"]
    del record["s3"]["object"]["eTag"], record["s3"]["object"]["size"]
    record |= {"eventSource": source, "requestParameters": {"sourceIPAddress": ""}}
    assert changed_keys(json.dumps(event), "catalog") == ["pictures/a b.jpg"]


def test_the_test_message_names_nothing_and_is_no_error() -> None:
    """S3 sends one when the notification is set up."""
    assert changed_keys(json.dumps(TEST_EVENT), "catalog") == []
    assert changed_keys(in_sns(json.dumps(TEST_EVENT)), "catalog") == []


def test_a_message_may_hold_several_records_and_one_bad_one_costs_only_itself() -> None:
    """Each answers for itself."""
    records = [
        s3_event(key, bucket=bucket)["Records"][0]
        for key, bucket in (("a", "catalog"), ("b", "x"), ("c", "catalog"))
    ]
    first, second, third = changed_keys(json.dumps({"Records": records}), "catalog")
    assert (first, third) == ("a", "c")
    assert isinstance(second, UnusableMessage)
    assert str(second) == "The message is about the bucket 'x', not 'catalog'."


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "null",
        "[]",
        '"Records"',
        "{}",
        '{"Records": null}',
        '{"Records": [null]}',
        '{"Records": [{"s3": {"object": {"key": "a"}}}]}',
        '{"Records": [{"s3": {"bucket": {"name": "catalog"}, "object": {"key": 5}}}]}',
        '{"Type": "Notification"}',
        '{"Type": "Notification", "Message": "hello"}',
        '{"source": "aws.s3", "detail": "hello"}',
        '{"a":' * 100_000,
        "1" * 10_000,
    ],
)
def test_what_is_no_notification_is_an_error_that_says_so(body: str) -> None:
    """And never an exception."""
    (answer,) = changed_keys(body, "catalog")
    assert isinstance(answer, UnusableMessage)
    assert str(answer).startswith("The message is no notification of S3")


@pytest.mark.parametrize("key", ["", "a%00b", "%FF%FE", "..%2Fa", "a/./b", "x" * 1025, "\ud800"])
def test_a_key_that_stores_refuse_to_be_asked_for_is_an_error(key: str) -> None:
    """It would fail the plan of everything else in the batch."""
    body = json.dumps(
        {"Records": [{"s3": {"bucket": {"name": "catalog"}, "object": {"key": key}}}]}
    )
    (answer,) = changed_keys(body, "catalog")
    assert isinstance(answer, UnusableMessage)
    assert str(answer) == "The message names a key that no store can be asked for."


@given(st.text(min_size=1, max_size=200))
def test_any_key_survives_any_encoding(key: str) -> None:
    """With pluses or %20 for spaces, with and without encoded slashes."""
    assume("\0" not in key and not {".", ".."} & set(key.split("/")) and len(key.encode()) <= 1024)
    for encoded in (quote_plus(key), quote_plus(key, safe="/"), quote(key), quote(key, safe="")):
        body = {"Records": [{"s3": {"bucket": {"name": "catalog"}, "object": {"key": encoded}}}]}
        assert changed_keys(json.dumps(body), "catalog") == [key]
    assert changed_keys(event_bridge(key), "catalog") == [key]
    assert [
        found
        for body in notifications(created(key), "catalog")
        for found in changed_keys(body, "catalog")
    ] == [key]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Records",
                    "s3",
                    "bucket",
                    "name",
                    "object",
                    "key",
                    "Type",
                    "Message",
                    "Event",
                    "source",
                    "detail",
                ]
            ),
            inner,
        )
    ),
)


@given(JSON | st.text())
def test_no_message_raises(value: Any) -> None:
    """One answer that does would stop the queue for ever."""
    for body in (json.dumps(value), str(value), in_sns(json.dumps(value))):
        for answer in changed_keys(body, "catalog"):
            assert isinstance(answer, str | UnusableMessage)


def test_the_relay_tells_of_files_of_the_bucket_and_nothing_else() -> None:
    """Not of folders, other buckets, or the parts of an upload that is not finished."""
    assert [
        changed_keys(body, "catalog") for body in notifications(created(KEYS[2]), "catalog")
    ] == [[KEYS[2]]]
    folder = "/buckets/catalog/pictures"
    parent = {"new_parent_path": "/buckets/catalog"}
    assert (
        notifications(
            filer_event(folder, new_entry=entry(folder, is_directory=True), **parent), "catalog"
        )
        == []
    )
    for path in ("/buckets/catalog2/a.jpg", "/buckets/catalog/.uploads/5e/0001.part", "/etc/a.jpg"):
        assert (
            notifications(
                filer_event(path, new_entry=entry(path), new_parent_path=path.rpartition("/")[0]),
                "catalog",
            )
            == []
        )


def test_the_relay_tells_of_removals_and_renames() -> None:
    """A rename is both."""
    old, new = "/buckets/catalog/pictures/a.jpg", "/buckets/catalog/pictures/b.jpg"

    def told(event: dict[str, Any]) -> list[tuple[str, str]]:
        records = [json.loads(body)["Records"][0] for body in notifications(event, "catalog")]
        return [(record["eventName"], record["s3"]["object"]["key"]) for record in records]

    assert told(filer_event(old, old_entry=entry(old))) == [
        ("ObjectRemoved:Delete", "pictures/a.jpg")
    ]
    parent = new.rpartition("/")[0]
    renamed = filer_event(old, old_entry=entry(old), new_entry=entry(new), new_parent_path=parent)
    assert told(renamed) == [
        ("ObjectRemoved:Delete", "pictures/a.jpg"),
        ("ObjectCreated:Put", "pictures/b.jpg"),
    ]
    written_over = filer_event(
        new, old_entry=entry(new), new_entry=entry(new), new_parent_path=parent
    )
    assert told(written_over) == [("ObjectCreated:Put", "pictures/b.jpg")]


def test_the_relay_answers_with_200_once_the_messages_are_sent() -> None:
    """In the order in which they came."""
    sent: list[str] = []
    webhook = TestClient(relay("catalog", sent.append))
    for key in KEYS:
        assert webhook.post("/", json=created(key)).status_code == 200
    assert [changed_keys(body, "catalog") for body in sent] == [[key] for key in KEYS]


@pytest.mark.parametrize("body", ["not json", "{}", json.dumps(created(KEYS[0]))])
def test_the_relay_does_not_confirm_what_it_could_not_pass_on(body: str) -> None:
    """So that the filer tries again: the last body is sound, and the queue is away."""

    def queue_is_away(_: str) -> None:
        raise ConnectionError

    webhook = TestClient(relay("catalog", queue_is_away), raise_server_exceptions=False)
    assert webhook.post("/", content=body).status_code == 500


@pytest.mark.integration
def test_motos_own_notifications(sqs: Sqs) -> None:
    """An independent writer of the format, for created and removed objects, of a bucket with
    versions."""
    name = f"b-{uuid4().hex}"
    url = sqs.create_queue(name)
    arn = sqs.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sqs.s3.create_bucket(Bucket=name)
    sqs.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    wanted = [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}]
    sqs.s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": wanted}
    )
    versions = [sqs.s3.put_object(Bucket=name, Key=key, Body=b"x")["VersionId"] for key in KEYS]
    sqs.s3.delete_object(Bucket=name, Key=KEYS[0], VersionId=versions[0])
    bodies: list[str] = []
    for _ in range(20):
        answer = sqs.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        bodies += [message["Body"] for message in answer.get("Messages", ())]
        if len(bodies) >= len(KEYS) + 2:
            break
    assert sum(json.loads(body).get("Event") == "s3:TestEvent" for body in bodies) == 1
    assert sorted(str(key) for body in bodies for key in changed_keys(body, name)) == sorted(
        [*KEYS, KEYS[0]]
    )
