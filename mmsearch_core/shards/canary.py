"""Known good items: what a stage does when so many of a shard's records failed that the cause may
be the environment.

A canary is done in the same way as any record (by the same decoder, engine or embedder), but never
through the memo. It cannot see an environment that fails at some inputs only: an engine that
refuses whatever is large does a small canary well, and the failures are charged to the records.
"""

import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from mmsearch_core.answers import sound
from mmsearch_core.errors import BadRecord, UnusableAnswer
from mmsearch_core.ports.media import Decoder, TableReader
from mmsearch_core.ports.models import Embedder, VisionLanguageModel
from mmsearch_core.prompts import load
from mmsearch_core.records.ids import QueryKey
from mmsearch_core.records.query import PopularQuery
from mmsearch_core.records.question import Frame, Question

TEXT = "red dress"
BRACKETED = "red dress (category: dress; color: red; pattern: plain)"
QUERY = PopularQuery(query_key=QueryKey("canary"), text=TEXT, locale="en", weight=1.0)


@cache
def picture() -> bytes:
    """A small JPEG of a plain red dress, drawn for this purpose."""
    return files(__package__).joinpath("canary.jpg").read_bytes()


def of_decoder(decoder: Decoder) -> BadRecord | None:
    """Why a good picture could not be opened; None if it was."""
    (answer,) = decoder.decode([("picture", picture())])
    return answer if isinstance(answer, BadRecord) else None


@cache
def document() -> bytes:
    """A PDF of one page with a table of three rows, drawn for this purpose."""
    return files(__package__).joinpath("canary.pdf").read_bytes()


def of_tables(reader: TableReader) -> BadRecord | None:
    """Why the page of a good document could not be read; None if it was, whatever was found."""
    (answer,) = reader.read([(document(), [1])])
    return answer if isinstance(answer, BadRecord) else None


def of_embedder(embedder: Embedder, item: str | bytes) -> BadRecord | None:
    """Why a good text or picture could not be embedded; None if it was."""
    (vector,) = embedder.embed([item])
    checked = vector if isinstance(vector, BadRecord) else sound(vector)
    return checked if isinstance(checked, BadRecord) else None


def of_asking(
    model: VisionLanguageModel, question: Question, read: Callable[[str], object]
) -> BadRecord | None:
    """Why the answer to a good question could not be used; None if ``read`` could read it."""
    (answer,) = model.answer([question])
    if isinstance(answer, BadRecord):
        return answer
    try:
        read(answer.text)
    except BadRecord as error:
        return error
    return None


def of_judging(model: VisionLanguageModel) -> BadRecord | None:
    """Why a picture that fits its query could not be judged; None if it was, whatever the
    verdict."""
    prompt = load("judge")
    text = prompt.text(description=BRACKETED, query=BRACKETED)
    question = Question(system=prompt.system, text=text, frames=(Frame(jpeg=picture()),))
    (weights,) = model.weigh([question], prompt.labels or ("yes", "no"))
    if isinstance(weights, BadRecord):
        return weights
    score = weights[0]
    return (
        None
        if math.isfinite(score) and 0 <= score <= 1
        else UnusableAnswer(f"The likelihood is {score}.")
    )
