"""A wrong address of the ledger is one sentence without its password."""

import pytest

from mmsearch_core.adapters.ledger.sql_ledger import SqlLedger
from mmsearch_core.errors import BadSettings, LedgerAway, MMSearchError


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql+psycopg://me:secret@127.0.0.1:9/ledger", LedgerAway),
        ("postgresql+psycopg://me:secret@127.0.0.1:port/ledger", BadSettings),
        ("postgresql+psycopg://me:x:secret/ledger", BadSettings),
        ("nosuch://me:secret@127.0.0.1/ledger", BadSettings),
        ("me:secret@127.0.0.1", BadSettings),
        ("sqlite:////no/such/folder/secret.db", BadSettings),
    ],
)
def test_what_cannot_be_opened_is_said_without_its_password(
    url: str, kind: type[MMSearchError]
) -> None:
    """Exit 75 or 78."""
    with pytest.raises(MMSearchError) as refused:
        SqlLedger(url).targets()
    assert type(refused.value) is kind
    assert "secret" not in str(refused.value)
