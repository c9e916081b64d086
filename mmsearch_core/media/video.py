"""Videos. Nothing opens them yet: each is a failure that says so."""

from collections.abc import Mapping

from mmsearch_core.media.kind import Media
from mmsearch_core.media.words import only_caption
from mmsearch_core.settings import Decode


def _decode_settings(settings: Decode) -> Mapping[str, str]:
    return {"longest_side": str(settings.longest_side), "quality": str(settings.quality)}


VIDEO = Media(
    name="video",
    endings=frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"}),
    decode_version=0,
    decode_settings=_decode_settings,
    prompt="describe",
    describe_version=0,
    passages_version=0,
    passages=only_caption,
)
