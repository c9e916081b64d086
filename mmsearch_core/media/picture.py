"""Pictures: one segment, the whole of it."""

from collections.abc import Mapping

from mmsearch_core.media.kind import Media
from mmsearch_core.media.words import only_caption
from mmsearch_core.settings import Decode


def _decode_settings(settings: Decode) -> Mapping[str, str]:
    return {"longest_side": str(settings.longest_side), "quality": str(settings.quality)}


PICTURE = Media(
    name="picture",
    endings=frozenset(),
    decode_version=2,
    decode_settings=_decode_settings,
    prompt="describe",
    describe_version=1,
    passages_version=1,
    passages=only_caption,
)
