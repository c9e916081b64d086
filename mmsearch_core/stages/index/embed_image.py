"""embed_image: a segment's pixels become a CLIP vector."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mmsearch_core.ahead import ahead
from mmsearch_core.answers import to_vector, vector_to_bytes
from mmsearch_core.errors import BadRecord, StageMissing, UnusableAnswer
from mmsearch_core.layout import pixels_key
from mmsearch_core.media import Kinds
from mmsearch_core.ports.models import Embedder
from mmsearch_core.ports.stores import Memo, ObjectStore
from mmsearch_core.records.embedding import Embedding, Vector
from mmsearch_core.records.ids import PixelsId
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.records.segment import Segment
from mmsearch_core.shards import canary
from mmsearch_core.shards.memoised import memoised
from mmsearch_core.shards.stage import Outcome, ShardRun, Stage

READERS = 8


def recipes(kinds: Kinds, model: str) -> dict[str, Recipe]:
    """What decides a picture's vector: the same for every kind of asset."""
    return dict.fromkeys(kinds, Recipe(stage="embed_image", version=1, model=model, settings={}))


def stage(
    *, work: ObjectStore, memo: Memo, embedder: Embedder, kinds: Kinds, batch: int
) -> Stage[Segment]:
    """Embed each distinct picture once."""

    def ask(pixels: Sequence[str]) -> Mapping[str, bytes | BadRecord]:
        return embed_all(embedder, pixels, pictures(work, pixels))

    def work_on(segments: Sequence[Segment], run: ShardRun) -> list[Outcome]:
        vectors = memoised(
            memo,
            run.recipe,
            [segment.pixels for segment in segments],
            ask,
            read_vector,
            run.tally,
        )
        return [_outcome(vectors[segment.pixels], segment, embedder.space) for segment in segments]

    return Stage(
        name="embed_image",
        recipes=recipes(kinds, embedder.name),
        reads={"segments": "decode"},
        writes={f"embeddings.{embedder.space}": Embedding},
        items=lambda shard, _: shard.read("segments", Segment),
        id_of=lambda segment: segment.segment_id,
        work=work_on,
        batch=batch,
        canary=lambda: canary.of_embedder(embedder, canary.picture()),
    )


def read_decoded(work: ObjectStore, key: str) -> bytes:
    """What decode wrote under this key; StageMissing if housekeeping took it."""
    found = work.get(key)
    if found is None:
        raise StageMissing(f"{key} is missing: clear the run from decode.")
    return found


def pictures(work: ObjectStore, pixels: Sequence[str]) -> Iterator[bytes]:
    """Normalised pictures in order, read from the store while earlier ones are used."""
    return ahead(
        lambda name: read_decoded(work, pixels_key(PixelsId(name))),
        pixels,
        workers=READERS,
        window=4 * READERS,
    )


def embed_all(
    embedder: Embedder, keys: Sequence[str], items: Iterable[str | bytes]
) -> dict[str, bytes | BadRecord]:
    """Vectors in the memo's form, by key; one of another dimension than the embedder's is an
    error."""
    vectors = embedder.embed(items)
    return {key: _in_bytes(vector, embedder) for key, vector in zip(keys, vectors, strict=True)}


def read_vector(key: str, answer: bytes) -> Vector:  # noqa: ARG001 of the protocol
    """A vector in the memo's form; UnusableAnswer if it is not one whole unit vector."""
    return to_vector(answer)


def _in_bytes(vector: Vector | BadRecord, embedder: Embedder) -> bytes | BadRecord:
    if isinstance(vector, BadRecord):
        return vector
    if vector.shape != (embedder.dimension,):
        return UnusableAnswer(
            f"The model's vector has the shape {vector.shape} instead of ({embedder.dimension},)."
        )
    return vector_to_bytes(vector)


def _outcome(vector: Vector | BadRecord, segment: Segment, space: str) -> Outcome:
    if isinstance(vector, BadRecord):
        return vector
    return [Embedding(record_id=segment.segment_id, space=space, vector=vector)]
