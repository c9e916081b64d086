"""Clients of AWS's interfaces, S3 and SQS, made in one way; and the errors that no server sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr

from mmsearch_core.errors import BadSettings, MMSearchError, TryLater

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 3
# words of the names of botocore's errors that no retry can help with
OF_SETTINGS = ("Credential", "Profile", "ParamValidation", "InvalidRegion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where to ask, and as whom; without keys boto3's own chain is asked."""

    endpoint: str | None  # scheme and host; None for AWS's own
    region: str
    access_key: str | None
    secret_key: SecretStr | None


def make_client(
    service: Literal["s3", "sqs"],
    account: Account,
    *,
    wrong_endpoint: str,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """A client of boto3.

    :param wrong_endpoint: the sentence of the BadSettings that is raised where the account's
        endpoint is no address.
    :param options: more of botocore's ``Config``.
    """
    import boto3
    from botocore.config import Config

    secret = account.secret_key
    try:
        return boto3.client(
            service,
            endpoint_url=account.endpoint,
            region_name=account.region,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "max_attempts": ATTEMPTS},
                **(options or {}),
            ),
        )
    except ValueError as error:
        raise BadSettings(wrong_endpoint) from error


def unanswered(
    error: Exception, *, other_side: str, section: str, address: str, away: type[TryLater]
) -> MMSearchError:
    """What an error of botocore means that came before any answer.

    :param other_side: "store" or "queue".
    :param section: of the settings, where its keys stand.
    :param away: the error that says that the other side is away.
    """
    name = type(error).__name__
    if name == "CredentialRetrievalError":  # whoever hands them out is away
        return away(f"No credentials for the {other_side} could be had ({name}): try again later.")
    if any(word in name for word in OF_SETTINGS):
        return BadSettings(
            f"The {other_side} cannot be asked ({name}): set {section}.access_key and secret_key,"
            " or correct them."
        )
    return away(f"The {other_side} at {address} does not answer ({name}): try again later.")
