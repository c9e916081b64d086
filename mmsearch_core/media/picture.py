"""Pictures: one segment, the whole of it."""

from mmsearch_core.media.kind import Media, of_normalised_pictures
from mmsearch_core.media.words import only_caption

PICTURE = Media(
    name="picture",
    endings=frozenset(),
    decode_version=2,
    decode_settings=of_normalised_pictures,
    prompt="describe",
    describe_version=2,
    passages_version=1,
    passages=only_caption,
)
