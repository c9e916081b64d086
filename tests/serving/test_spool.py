"""Lists on their way into bucket files: who stands under a key, and what a generation's content
is."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmsearch_core.parquet import load
from mmsearch_core.records.ids import AssetId, ProductId
from mmsearch_core.records.query import query_key
from mmsearch_core.records.ranking import Evidence, Hit, ResultSet
from mmsearch_core.records.segment import Whole
from mmsearch_core.serving import spool as spooling
from mmsearch_core.serving.generation import bucket_numbers
from mmsearch_core.serving.spool import BucketFiles, RowFiles, Spool


def hit(product: str) -> Hit:
    evidence = Evidence(
        asset_id=AssetId(product),
        key=f"{product}.jpg",
        where=Whole(),
        text="a\tb\nc 红",
        reason="",
    )
    return Hit(
        product_id=ProductId(product), relevance=0.5, fused=0.1, verdict="相关", evidence=evidence
    )


def result(
    text: str, products: str, *, weight: float = 1.0, aliases: Sequence[str] = ()
) -> ResultSet:
    return ResultSet(
        query_key=query_key(text, "en"),
        query=text,
        locale="en",
        weight=weight,
        aliases=tuple(query_key(alias, "en") for alias in aliases),
        hits=tuple(hit(product) for product in products),
    )


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    return tmp_path


def files(folder: Path, *shards: Sequence[ResultSet], buckets: int = 4) -> BucketFiles:
    """The bucket files of these shards."""
    folder.mkdir()
    spool = Spool(folder, buckets)
    for shard in shards:
        spool.add(shard)
    return spool.finish()


def entries(made: BucketFiles) -> dict[str, str]:
    """The query whose list stands under each key."""
    queries: dict[str, str] = {}
    for number in made.checksums:
        for key, listed in made.lists(number).products().items():
            queries[key] = listed.query
    return queries


def test_every_list_stands_under_its_key_and_its_aliases(folders: Path) -> None:
    made = files(
        folders / "a",
        [result("red dress", "AB", aliases=["red drress"])],
        [result("blue dress", "")],
    )
    assert entries(made) == {
        query_key("red dress", "en"): "red dress",
        query_key("red drress", "en"): "red dress",
        query_key("blue dress", "en"): "blue dress",
    }
    assert set(made.checksums) == set(bucket_numbers(4))
    for number in made.checksums:
        data = made.data(number)
        plain = json.loads(data)
        assert data == json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()


@pytest.mark.parametrize("order", [1, -1])
def test_an_alias_never_stands_in_the_place_of_a_querys_own_list(folders: Path, order: int) -> None:
    own, other = (
        result("reed dress", "A"),
        result("red dress", "B", weight=100, aliases=["reed dress"]),
    )
    made = files(folders / "a", *[[each] for each in (own, other)][::order])
    assert entries(made)[query_key("reed dress", "en")] == "reed dress"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_aliases_the_heavier_query_has_the_key(folders: Path, order: int) -> None:
    light, heavy = result("rad", "A", aliases=["rd"]), result("red", "B", weight=2, aliases=["rd"])
    made = files(folders / "a", [light, heavy][::order])
    assert entries(made)[query_key("rd", "en")] == "red"


def test_a_new_spelling_or_another_number_of_buckets_is_another_content(folders: Path) -> None:
    plain = files(folders / "a", [result("red dress", "A")])
    again = files(folders / "b", [result("red dress", "A", weight=7)])
    spelled = files(folders / "c", [result("red dress", "A", aliases=["red drress"])])
    more = files(folders / "d", [result("red dress", "A")], buckets=8)
    assert plain.content == again.content
    assert len({plain.content, spelled.content, more.content}) == 3


def test_rows_are_written_a_group_per_shard_into_files_that_end(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "PART_LISTS", 3)
    rows = RowFiles(folders)
    shards = [[result(f"{letter} {number}", "AB") for number in range(2)] for letter in "abc"]
    for shard in shards:
        rows.add(shard)
    rows.finish()
    assert [pq.ParquetFile(path).num_row_groups for path in rows.paths] == [1, 1, 1]
    read = [load(path.read_bytes(), ResultSet) for path in rows.paths]
    assert read == shards
