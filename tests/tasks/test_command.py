"""What a command leaves behind when it fails, and that it never hides why."""

import json
import signal
import sys
from typing import Any

import pytest

from mmsearch_core.errors import EngineAway, MMSearchError, ModelMismatch, StoreAway
from mmsearch_core.records.report import AwaitReport, TaskReport
from mmsearch_core.settings import Settings
from mmsearch_core.shards.task_errors import LONGEST, cleaned, last_error
from mmsearch_core.wiring.batches import Runtime
from tasks import _command, compare, plan
from tests.line import fake_runtime, feed, picture

SECRETS: dict[str, Any] = {
    "store": {"access_key": "AKIA", "secret_key": "s3cr3t/of+the=store"},
    "index": {"uri": "https://root:milvus-pass@milvus.example", "token": "root:Milvus"},
    "ledger": {"url": "postgresql+psycopg://shop:ledger-pass@db/mmsearch"},
}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> tuple[Runtime, str, str]:
    """A planned batch and its shard; commands work on the same stores."""
    runtime = fake_runtime(**SECRETS)
    feed(runtime, {"p1": "Lumen"})
    runtime.catalog.put("pictures/p1/a.jpg", picture("red"))
    (batch,) = compare.work(runtime, "night").batches
    (shard,) = plan.work(runtime, batch).shards
    monkeypatch.setattr(_command, "Runtime", lambda _: runtime)
    monkeypatch.setattr(_command, "load_settings", lambda: Settings(**SECRETS))
    return runtime, batch, shard


def run(monkeypatch: pytest.MonkeyPatch, stage: str, value: str, work: Any) -> Any:
    """How a command ends: its exit code, or the exception that Python ends it with."""
    monkeypatch.setattr(sys, "argv", [f"/app/tasks/{stage}.py", value])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(_command, "configure_logs", lambda: None)
    with pytest.raises(BaseException) as ended:  # noqa: PT011
        _command.command("doc", work)
    return ended.value


def failing(error: BaseException, argument: str = "shard") -> Any:
    def of_shard(runtime: Runtime, shard: str) -> TaskReport:
        raise error

    def of_batch(runtime: Runtime, batch: str) -> TaskReport:
        raise error

    return of_shard if argument == "shard" else of_batch


def done(runtime: Runtime, shard: str) -> TaskReport:
    return AwaitReport(incomplete=True, unfinished_batches=2)


@pytest.mark.parametrize(
    ("error", "code"),
    [(EngineAway("The engine is away."), 75), (ModelMismatch("Clear the run."), 78)],
)
def test_an_error_of_ours_is_left_beside_the_shard(
    shop: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: MMSearchError,
    code: int,
) -> None:
    runtime, _, shard = shop
    ended = run(monkeypatch, "describe", f"{shard}/", failing(error))
    assert ended.code == code
    kept = last_error(runtime.work, shard, "describe")
    assert kept is not None
    assert (kept.kind, kept.sentence, kept.exit_code) == (type(error).__name__, str(error), code)
    assert capsys.readouterr().err.splitlines()[-1] == f"{type(error).__name__}: {error}"


def test_a_bug_and_an_end_by_the_scheduler_are_left_and_end_as_before(
    shop: Any, monkeypatch: Any
) -> None:
    runtime, batch, shard = shop
    bug = KeyError("segments")
    assert run(monkeypatch, "decode", shard, failing(bug)) is bug
    assert run(monkeypatch, "plan", batch, failing(SystemExit(143), "batch")).code == 143
    kept = [
        last_error(runtime.work, shard, "decode"),
        last_error(runtime.work, f"runs/{batch}", "plan"),
    ]
    assert [(it.kind, it.exit_code) for it in kept if it] == [("KeyError", 1), ("SIGTERM", 143)]


def test_secrets_stay_out_and_a_long_text_is_one_line(shop: Any, monkeypatch: Any) -> None:
    runtime, _, shard = shop
    text = (
        "cannot reach https://root:milvus-pass@milvus.example with token=abc123,"
        " X-Amz-Signature=deadbeef&x\n\x1b[31m or s3cr3t/of+the=store or ledger-pass \u202e"
        + "x"
        * 1000
    )
    run(monkeypatch, "decode", shard, failing(RuntimeError(text)))
    kept = last_error(runtime.work, shard, "decode")
    assert kept is not None
    secrets = ("milvus-pass", "abc123", "deadbeef", "s3cr3t", "ledger-pass")
    assert not [said for said in (*secrets, "\n", "\x1b", "\u202e") if said in kept.sentence]
    assert len(kept.sentence) == LONGEST
    assert cleaned("A plain sentence: nothing to hide.") == "A plain sentence: nothing to hide."
    assert cleaned("password: hunter2 and secret_key='x'") == "password: *** and secret_key='***"


@pytest.mark.parametrize("name", ["runs/typo/shards/00000", "no shard at all", "../../etc"])
def test_a_mistyped_name_leaves_nothing(shop: Any, monkeypatch: Any, name: str) -> None:
    runtime, *_ = shop
    before = {found.key for found in runtime.work.list()}
    assert run(monkeypatch, "decode", name, failing(EngineAway("away"))).code == 75
    assert {found.key for found in runtime.work.list()} == before


def test_a_store_that_is_away_hides_nothing(shop: Any, monkeypatch: Any, capsys: Any) -> None:
    """What cannot be kept is no other error."""
    runtime, _, shard = shop

    def away(*_: object, **__: object) -> None:
        raise StoreAway("The store is away.")

    for method in ("head", "put"):
        with monkeypatch.context() as patch:
            patch.setattr(runtime.work, method, away)
            error = failing(EngineAway("The engine is away."))
            assert run(monkeypatch, "decode", shard, error).code == 75
        assert capsys.readouterr().err.splitlines()[-1] == "EngineAway: The engine is away."


def test_a_stage_that_is_done_prints_its_report(shop: Any, monkeypatch: Any, capsys: Any) -> None:
    _, _, shard = shop
    assert run(monkeypatch, "decode", shard, done).code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"stage": "await_index", "incomplete": True, "unfinished_batches": 2}
