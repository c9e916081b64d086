"""Ask a model only what it was not asked before."""

from collections.abc import Callable, Mapping, Sequence

from mmsearch_core.errors import BadRecord
from mmsearch_core.ports import Memo
from mmsearch_core.records.ids import RecipeId
from mmsearch_core.shards import Tally


def memoised(
    memo: Memo,
    recipe: RecipeId,
    keys: Sequence[str],
    ask: Callable[[Sequence[str]], Mapping[str, bytes | BadRecord]],
    tally: Tally,
) -> dict[str, bytes | BadRecord]:
    """An answer for every key: from the memo where it is known, else by asking once for each distinct key.

    Failures are not remembered. ``calls_made`` and ``calls_saved`` count keys, repeated ones too.
    """
    wanted = list(dict.fromkeys(keys))
    answers: dict[str, bytes | BadRecord] = dict(memo.get_many(recipe, wanted))
    missing = [key for key in wanted if key not in answers]
    tally["calls_made"] += len(missing)
    tally["calls_saved"] += len(keys) - len(missing)
    if missing:
        said = ask(missing)
        answers.update(said)
        good = {key: answer for key, answer in said.items() if isinstance(answer, bytes)}
        answers.update(memo.put_many(recipe, good))
    return answers
