"""Videos. Nothing opens them yet: each is a failure that says so."""

from mmsearch_core.media.kind import Media, of_normalised_pictures
from mmsearch_core.media.words import only_caption

VIDEO = Media(
    name="video",
    endings=frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"}),
    decode_version=0,
    decode_settings=of_normalised_pictures,
    prompt="describe",
    describe_version=0,
    passages_version=0,
    passages=only_caption,
)
