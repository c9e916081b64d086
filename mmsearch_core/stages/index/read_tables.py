"""read_tables: the tables of pages that have a text layer, cell by cell."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from more_itertools import constrained_batches

from mmsearch_core.answers import tables_to_bytes, to_tables
from mmsearch_core.errors import BadRecord
from mmsearch_core.media import Kinds
from mmsearch_core.own_folder import own_folder
from mmsearch_core.ports.media import Content, TableReader
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.records.asset import ObjectRef
from mmsearch_core.records.plan import Plan
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Page, Segment
from mmsearch_core.records.table import PageTables, Table
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.shards.shard import Shard
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage
from mmsearch_core.stages.index.decode import assets_of
from mmsearch_core.stages.index.fetch import fetch

DOWNLOADS = 8
PAGES = 512  # per call of the work; a document that is longer is downloaded once more
# of one document, for the failure of one page, until the rest is given up
MOST_TRIES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPage:
    """A page with text, and the object that it is a page of."""

    segment: Segment
    source: ObjectRef

    @property
    def number(self) -> int:
        """Of the page, from 1."""
        assert isinstance(self.segment.where, Page)
        return self.segment.where.number


@dataclass(slots=True)
class Wanted:
    """The pages that are wanted of one object, by the names of their pixels."""

    source: ObjectRef
    pages: dict[str, int] = field(default_factory=dict)


def recipes(kinds: Kinds, reader: str) -> dict[str, Recipe]:
    """What decides the tables of the kinds whose text may hold some; other kinds have none, so that
    nothing of theirs is made anew when tables are read otherwise."""
    recipe = Recipe(stage="read_tables", version=3, model=reader, settings={})
    return {kind: recipe for kind, media in kinds.items() if media.tables_of}


def stage(
    *,
    catalog: ObjectStore,
    memo: Memo,
    reader: TableReader,
    kinds: Kinds,
    most_bytes: int,
) -> Stage[TextPage]:
    """Read the tables of each distinct page once; equal pixels share their tables.

    :param most_bytes: of files that lie on the disk at a time, unless one alone is larger.
    """
    reading = Reading(catalog, reader, most_bytes)

    def work_on(pages: Sequence[TextPage], run: ShardRun) -> list[Outcome]:
        first: dict[str, TextPage] = {}
        for page in pages:
            first.setdefault(page.segment.pixels, page)

        def ask(names: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
            return reading.read({name: first[name] for name in names})

        names = [page.segment.pixels for page in pages]
        said = memoised(memo, run.recipe, names, ask, read_answer, run.tally)
        outcomes = [_outcome(said[page.segment.pixels], page.segment) for page in pages]
        run.tally["pages_with_tables"] += sum(1 for made in outcomes if _is_some(made))
        return outcomes

    return Stage(
        name="read_tables",
        recipes=recipes(kinds, reader.name),
        reads={"changes": "plan", "segments": "decode"},
        writes={"tables": PageTables},
        items=_items,
        id_of=lambda page: page.segment.segment_id,
        work=work_on,
        batch=PAGES,
        canary=lambda: canary.of_tables(reader),
    )


class Reading:
    """Reads pages of objects in the catalog, as the plan saw them."""

    def __init__(self, catalog: ObjectStore, reader: TableReader, most_bytes: int) -> None:
        self._catalog, self._reader, self._most_bytes = catalog, reader, most_bytes

    def read(self, pages: Mapping[str, TextPage]) -> dict[str, bytes | BadRecord]:
        """The tables of each page in the memo's form, or why they cannot be read."""
        answers: dict[str, bytes | BadRecord] = {}
        for few in constrained_batches(
            _by_object(pages),
            self._most_bytes,
            get_len=lambda wanted: wanted.source.size,
            strict=False,
        ):
            answers.update(self._read_few(few))
        return answers

    def _read_few(self, few: Sequence[Wanted]) -> dict[str, bytes | BadRecord]:
        answers: dict[str, bytes | BadRecord] = {}
        good: list[tuple[Path, Wanted]] = []
        with own_folder() as folder, ThreadPoolExecutor(DOWNLOADS) as downloads:
            paths = [Path(folder, str(number)) for number in range(len(few))]
            fetched = downloads.map(self._fetch, few, paths)
            for wanted, path, failure in zip(few, paths, fetched, strict=True):
                if failure:
                    answers.update(dict.fromkeys(wanted.pages, failure))
                else:
                    good.append((path, wanted))
            asked = [(path, sorted(wanted.pages.values())) for path, wanted in good]
            found = self._reader.read(asked) if asked else []
            for (path, wanted), of_document in zip(good, found, strict=True):
                by_page = self._by_page(path, wanted, of_document)
                for name, number in wanted.pages.items():
                    answers[name] = _in_bytes(by_page[number])
        return answers

    def _fetch(self, wanted: Wanted, path: Path) -> BadRecord | None:
        return fetch(self._catalog, wanted.source, path)

    def _by_page(
        self, path: Path, wanted: Wanted, found: dict[int, list[Table]] | BadRecord
    ) -> dict[int, list[Table] | BadRecord]:
        """The tables of each page. Where the document could not be read, its pages are asked for in
        halves, so that one that cannot be read is the only one without tables."""
        by_page: dict[int, list[Table] | BadRecord] = {}
        left = [(sorted(wanted.pages.values()), found)]
        tries = 0
        while left:
            numbers, answer = left.pop()
            if not isinstance(answer, BadRecord):
                by_page.update({number: answer.get(number, []) for number in numbers})
            elif len(numbers) == 1 or tries >= MOST_TRIES:
                by_page.update(dict.fromkeys(numbers, answer))
            else:
                middle = len(numbers) // 2
                halves = (numbers[middle:], numbers[:middle])
                left += [(half, self._read_again(path, half)) for half in halves]
                tries += 2
        return by_page

    def _read_again(
        self, content: Content, numbers: Sequence[int]
    ) -> dict[int, list[Table]] | BadRecord:
        (answer,) = self._reader.read([(content, numbers)])
        return answer


def _in_bytes(tables: list[Table] | BadRecord) -> bytes | BadRecord:
    return tables if isinstance(tables, BadRecord) else tables_to_bytes(tables)


def read_answer(key: str, answer: bytes) -> tuple[Table, ...]:  # noqa: ARG001 of the protocol
    """Tables in the memo's form; UnusableAnswer if they are none."""
    return to_tables(answer)


def _by_object(pages: Mapping[str, TextPage]) -> Iterator[Wanted]:
    of_key: dict[str, Wanted] = {}
    for name, page in pages.items():
        wanted = of_key.setdefault(page.source.key, Wanted(page.source))
        wanted.pages[name] = page.number
    yield from of_key.values()


def _items(shard: Shard, plan: Plan) -> list[TextPage]:  # noqa: ARG001 of the loop
    sources = {asset.asset_id: asset.source for asset in assets_of(shard)}
    pages: dict[str, list[TextPage]] = defaultdict(list)
    for segment in shard.read("segments", Segment):
        if segment.text and isinstance(segment.where, Page):
            page = TextPage(segment=segment, source=sources[segment.asset_id])
            pages[segment.asset_id].append(page)
    return [page for of_asset in pages.values() for page in of_asset]


def _outcome(said: tuple[Table, ...] | BadRecord, segment: Segment) -> Outcome:
    if isinstance(said, BadRecord):
        return said
    return [PageTables(segment_id=segment.segment_id, tables=said)] if said else []


def _is_some(made: Outcome) -> bool:
    return not isinstance(made, BadRecord) and len(made) > 0
