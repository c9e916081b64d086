"""Assets opened in child processes."""

from collections.abc import Callable, Mapping, Sequence

from mmsearch_core.adapters.isolated_calls import Call, IsolatedCalls
from mmsearch_core.errors import BadRecord, UnsupportedMedia
from mmsearch_core.ports.media import Content, Item
from mmsearch_core.records.segment import Decoded
from mmsearch_core.settings import Decode

Answer = list[Decoded] | BadRecord
# the segments of a file of one kind; raises UnreadableMedia, UnsupportedMedia or MediaTooLarge
Opener = Callable[[Content, Decode], list[Decoded]]


class IsolatedDecoder:
    """Opens assets of every kind that it has an opener for."""

    def __init__(
        self, settings: Decode, openers: Mapping[str, Opener], *, modules: Sequence[str]
    ) -> None:
        """
        :param openers: by kind of asset.
        :param modules: what the openers import.
        """
        self._settings = settings
        self._openers = openers
        self._calls: IsolatedCalls[list[Decoded]] = IsolatedCalls(
            settings, modules=(__name__, *modules)
        )

    def decode(self, items: Sequence[Item]) -> list[Answer]:
        """The segments of each item, in order."""
        known = [place for place, (kind, _) in enumerate(items) if kind in self._openers]
        opened = self._calls.answers([self._call(*items[place]) for place in known])
        answers: dict[int, Answer] = dict(zip(known, opened, strict=True))
        return [
            answers.get(place) or cannot_be_opened(kind) for place, (kind, _) in enumerate(items)
        ]

    def _call(self, kind: str, content: Content) -> Call[list[Decoded]]:
        return Call(
            work=self._openers[kind],
            arguments=(content, self._settings),
            kind=kind,
            limit="seconds" if kind == "picture" else f"{kind}_seconds",
        )


def cannot_be_opened(kind: str) -> UnsupportedMedia:
    """The error of an asset of a kind that nothing opens."""
    return UnsupportedMedia(f"A {kind} cannot be opened yet: upload pictures of the product.")
