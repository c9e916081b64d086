"""What a kind of asset is: all that the stages do otherwise for it than for other kinds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mmsearch_core.media.words import Words
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.passage import Passage
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.records.table import Table
from mmsearch_core.settings import Decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A kind of asset. Its recipes are its own, so that a change here touches no asset of another
    kind. How its files are opened is an opener in ``adapters/``, by the kind's name.

    The versions are bumped by hand when the code changes that they stand for.
    """

    name: Kind
    # of keys, in lower case with their dot; a key with none of any kind's is that of a picture
    endings: frozenset[str]
    # of the opener
    decode_version: int
    # which settings decide the pixels
    decode_settings: Callable[[Decode], Mapping[str, str]]
    # file name, without its ending, of what Qwen3-VL is asked about a segment
    prompt: str
    # of ``answers.to_description`` for this prompt
    describe_version: int
    # of ``passages``
    passages_version: int
    # what can be found of a segment, one passage or more
    passages: Callable[[Words], Sequence[Passage]]
    # the same for a segment without a text of its own, where that is another
    prompt_without_text: str = ""
    # how many segments an asset has, about: what it costs before anything was measured
    segments: int = 1
    # the tables of a segment, which are read from the asset itself where the segment has a text;
    # None where a kind has no tables
    tables_of: Callable[[Words], Sequence[Table]] | None = None
    # whether Qwen3-VL is shown frames with their times instead of one picture
    moving: bool = False

    @property
    def prompts(self) -> tuple[str, ...]:
        """All that Qwen3-VL may be asked about a segment."""
        return tuple(filter(None, (self.prompt, self.prompt_without_text)))

    def prompt_of(self, segment: Segment) -> str:
        """What Qwen3-VL is asked about this segment."""
        return self.prompt if segment.text else self.prompt_without_text or self.prompt

    def decode_recipe(self, settings: Decode) -> Recipe:
        """What decides the pixels of an asset."""
        return Recipe(
            stage="decode",
            version=self.decode_version,
            settings=self.decode_settings(settings),
        )


def of_normalised_pictures(settings: Decode) -> Mapping[str, str]:
    """The settings that decide how a picture is normalised, whatever it was taken from."""
    return {"longest_side": str(settings.longest_side), "quality": str(settings.quality)}
