"""A query of this moment, over the live index: candidates that nobody judged."""

from collections.abc import Sequence

from mmsearch_core.errors import BadRecord
from mmsearch_core.records.query import StandardQuery, guess_locale, query_key
from mmsearch_core.records.ranking import Candidate
from mmsearch_core.search.ask import Asked, Line, standardized
from mmsearch_core.search.candidates import retrieve

LANGUAGES = ("en", "zh")


def search_live(line: Line, text: str, picture: bytes | None = None) -> Sequence[Candidate]:
    """The products that fit best, best first.

    Words alone are looked for as they stand. A picture is asked of Qwen3-VL first, as queries that
    are published are; where that cannot say what it shows, it finds what looks alike.

    :param text: what a shopper typed; may be empty where there is a picture.
    :param picture: the bytes of a file; the error of the decoder is raised where it cannot be
        opened.
    """
    locale = guess_locale(text)
    query = StandardQuery(
        query_key=query_key(text, locale),
        text=text,
        locale=locale,
        wording={"en": text},
        keywords=dict.fromkeys(LANGUAGES, (text,)) if text else {},
    )
    collection = line.target.collection
    if picture is None:
        legs = line.legs.for_queries(collection, [query])
        return retrieve([query], legs, line.stores, line.target, line.settings)[0].candidates
    pixels = _normalised(line, picture)
    asked = Asked(query_id="search", locale=locale, text=text, picture=picture)
    understood = standardized([asked], line).get("search")
    if understood or text:
        query = understood or query
        legs = line.legs.for_queries(collection, [query], [pixels])
    else:
        legs = line.legs.for_picture(collection, pixels)
    return retrieve([query], legs, line.stores, line.target, line.settings)[0].candidates


def _normalised(line: Line, picture: bytes) -> bytes:
    (decoded,) = line.decoder.decode([("picture", picture)])
    if isinstance(decoded, BadRecord):
        raise decoded
    return decoded[0].jpeg
