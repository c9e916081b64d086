"""Ask a model only what it was not asked before, and remember only what can be used."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import structlog

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports.stores import Memo
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.shards.stage import Tally

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

log = structlog.get_logger()


class Read(Protocol[T_co]):
    """How an answer is read."""

    def __call__(self, key: str, answer: bytes) -> T_co:
        """What the answer for this key says; BadRecord if it is not a valid one."""


def memoised(
    memo: Memo,
    recipe: RecipeId,
    keys: Sequence[str],
    ask: Callable[[Sequence[str]], Mapping[str, bytes | BadRecord]],
    read: Read[T],
    tally: Tally,
) -> dict[str, T | BadRecord]:
    """What is said for every key, read by ``read``: from the memo where it is known, else by asking
    once for each distinct key.

    Only valid answers are remembered, and failures are not. An answer in the memo that is not valid
    (damaged, or of an older version) is asked for again and replaced. ``calls_made`` and
    ``calls_saved`` count keys, repeated ones too; ``answers_replaced`` counts what was not valid.
    """
    wanted = list(dict.fromkeys(keys))
    remembered = _read_all(memo.get_many(recipe, wanted), read)
    found: dict[str, T | BadRecord] = {
        k: it for k, it in remembered.items() if not isinstance(it, BadRecord)
    }
    damaged = [key for key in remembered if key not in found]
    missing = [key for key in wanted if key not in found]
    tally["calls_made"] += len(missing)
    tally["calls_saved"] += len(keys) - len(missing)
    if damaged:
        log.warning("memo.damaged", recipe=recipe, answers=len(damaged), first=damaged[0])
        tally["answers_replaced"] += len(damaged)
        memo.forget(recipe, damaged)
    if missing:
        said = ask(missing)
        found.update(_read_all(said, read))
        good = {
            key: answer
            for key, answer in said.items()
            if isinstance(answer, bytes) and _is_good(found[key])
        }
        # another's answer, where that came first
        stands = _read_all(memo.put_many(recipe, good), read)
        found.update({key: it for key, it in stands.items() if not isinstance(it, BadRecord)})
    return found


def _read_all(answers: Mapping[str, bytes | BadRecord], read: Read[T]) -> dict[str, T | BadRecord]:
    return {key: _read(key, answer, read) for key, answer in answers.items()}


def _read(key: str, answer: bytes | BadRecord, read: Read[T]) -> T | BadRecord:
    if isinstance(answer, BadRecord):
        return answer
    try:
        return read(key, answer)
    except BadRecord as error:
        return error


def _is_good(said: object) -> bool:
    return not isinstance(said, BadRecord)
