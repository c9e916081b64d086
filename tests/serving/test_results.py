"""How published results are read: of this schema, of the one before, and of a later one; without
what was withdrawn."""

import json

import pytest

from mmsearch_core.codec import to_json
from mmsearch_core.errors import SchemaMismatch, StageMissing
from mmsearch_core.layout import WITHDRAWN, generation_key
from mmsearch_core.records.ids import GenerationId, ProductId
from mmsearch_core.serving.generation import SCHEMA
from mmsearch_core.serving.results import Results
from mmsearch_core.serving.withdrawn import Withdrawn
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tests.nights import current, forget_picture, make_older, night, products, shop


@pytest.fixture
def published() -> Runtime:
    runtime = shop()
    forget_picture(runtime, "black")
    night(runtime, "one")
    return runtime


def test_before_the_first_publication_one_sentence_says_so() -> None:
    with pytest.raises(StageMissing, match="precompute_results"):
        Results(MemoryStore())


def test_a_hit_has_its_relevance_where_it_was_judged_and_its_fused_score_everywhere(
    published: Runtime,
) -> None:
    listed = Results(published.work).look_up("red dress", "en")
    assert listed
    *judged, last = listed.hits
    assert {hit.verdict for hit in judged} == {"相关"}
    relevances = [hit.relevance or 0 for hit in judged]
    assert relevances == sorted(relevances, reverse=True)
    assert 0.5 <= relevances[0] <= 1
    assert (last.product_id, last.verdict, last.relevance) == ("p3", None, None)
    assert all(hit.fused is not None and 0 < hit.fused < 1 for hit in listed.hits)


def test_a_generation_of_the_version_before_is_read_as_if_it_were_of_today(
    published: Runtime,
) -> None:
    before = Results(published.work).look_up("red dress", "en")
    make_older(published)
    after = Results(published.work).look_up("red dress", "en")
    assert before
    assert after
    assert [hit.evidence for hit in after.hits] == [hit.evidence for hit in before.hits]
    assert [hit.relevance for hit in after.hits] == [hit.relevance for hit in before.hits]
    assert after.hits[0].fused is None


def test_a_generation_of_a_newer_version_is_refused_in_one_sentence(published: Runtime) -> None:
    key = generation_key(GenerationId(current(published)))
    manifest = json.loads(published.work.get(key) or b"")
    published.work.put(key, json.dumps({**manifest, "schema": SCHEMA + 1}).encode())
    with pytest.raises(SchemaMismatch, match="newer mmsearch"):
        Results(published.work)


def test_a_withdrawn_product_is_in_no_list_whichever_generation_it_was_withdrawn_from(
    published: Runtime,
) -> None:
    shown = products(published, "red dress")
    assert shown
    gone = Withdrawn(generation=GenerationId("another"), products=(ProductId(shown[0]),))
    published.work.put(WITHDRAWN, to_json(gone))
    assert products(published, "red dress") == shown[1:]
