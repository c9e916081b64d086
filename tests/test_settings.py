"""Settings are checked before any work, and errors name them."""

from pathlib import Path

import pytest

from mmsearch_core.errors import BadSettings
from mmsearch_core.settings import load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMSEARCH_CONFIG", raising=False)


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One TOML file, then variables."""
    (tmp_path / "mmsearch.toml").write_text('[catalog]\nbucket = "file"\nfeed = "feed.jsonl"\n')
    monkeypatch.setenv("MMSEARCH_CATALOG__BUCKET", "variable")
    settings = load_settings()
    assert (settings.catalog.bucket, settings.catalog.feed) == ("variable", "feed.jsonl")


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[shards]\nsize = -1", "shards.size"),
        ("[shards]\nsize = 5001", "shards.size"),
        ("[shards]\nmost = 1000", "shards.most"),  # Airflow maps over 1,024 at most
        ("[backfill]\nshards = 1000", "backfill.shards"),
        ("[search]\nawait_minutes = 1000", "search.await_minutes"),
        ("[catalog]\nbuckett = 'x'", "catalog.buckett"),
        ("[nonsense]\na = 1", "nonsense"),
        ("[index]\nalias = 'a b'", "index.alias"),
        ("[catalog\n", "mmsearch.toml"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, toml: str, says: str) -> None:
    """One sentence."""
    (tmp_path / "mmsearch.toml").write_text(toml)
    with pytest.raises(BadSettings, match=says):
        load_settings()


def test_a_config_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent default would search another bucket."""
    monkeypatch.setenv("MMSEARCH_CONFIG", "/no/such.toml")
    with pytest.raises(BadSettings, match="MMSEARCH_CONFIG"):
        load_settings()
