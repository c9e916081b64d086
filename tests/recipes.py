"""The code that decides what each stage says, as a digest beside the version of the stage's recipe.

After a change run ``python -m tests.recipes``: it writes the digests and versions of today into
``tests/recipes.json``. Raise the version of the recipe, in the stage or in ``media/``, first if any
output may differ, since answers that are remembered under the old recipe would else be taken for
those of the new code.
"""

import ast
import importlib
import inspect
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from mmsearch_core import vocabulary
from mmsearch_core.media import KINDS
from mmsearch_core.records.recipe import Recipe
from mmsearch_core.settings import Decode, Search
from mmsearch_core.stages.index import (
    decode,
    describe,
    embed_image,
    embed_text,
    read_tables,
    upsert,
)
from mmsearch_core.stages.search import judge, pair_scores, retrieve, standardize

FILE = Path(__file__).with_suffix(".json")
COMMAND = "python -m tests.recipes"

ANSWERS, VLM = "mmsearch_core.answers", "mmsearch_core.adapters.transformers_vlm"
CLIP, SBERT = "mmsearch_core.adapters.open_clip_embedder", "mmsearch_core.adapters.sbert_embedder"
MILVUS, STAGES, SEARCH, RECORDS = (
    "mmsearch_core.adapters.milvus_index",
    "mmsearch_core.stages",
    "mmsearch_core.search",
    "mmsearch_core.records",
)
ASKING = (
    f"{VLM}:MARKS",
    f"{VLM}:_chat",
    f"{VLM}:TransformersVLM._tokens",
    f"{VLM}:_pictures",
    f"{VLM}:_opened",
    f"{VLM}:_at_least_two",
    f"{VLM}:CLOCK",
    f"{VLM}:_times",
    "mmsearch_core.prompts:Prompt.text",
)
READING = (f"{ANSWERS}:Text", f"{ANSWERS}:Words", f"{ANSWERS}:_Answer", f"{ANSWERS}:_read")

DESCRIBING = (
    *ASKING,
    *READING,
    f"{VLM}:TransformersVLM._generate",
    f"{VLM}:TransformersVLM._steps",
    f"{VLM}:TransformersVLM._bytes_of",
    f"{VLM}:LIKELIEST",
    f"{VLM}:_Likeliest",
    "mmsearch_core.adapters.value_likelihoods",
    f"{ANSWERS}:Likelihood",
    f"{ANSWERS}:described_to_bytes",
    f"{ANSWERS}:DIGITS",
    f"{ANSWERS}:Thousandths",
    f"{ANSWERS}:_SeenText",
    f"{ANSWERS}:_Event",
    f"{ANSWERS}:DescribeAnswer",
    f"{ANSWERS}:to_description",
    f"{ANSWERS}:_SpanCell",
    f"{ANSWERS}:_SeenTable",
    f"{ANSWERS}:_tables",
    f"{RECORDS}.grid",
    f"{STAGES}.index.describe:question",
    f"{STAGES}.index.describe:weighed",
    f"{STAGES}.index.describe:stills",
    f"{STAGES}.index.describe:films",
)

# by recipe (of a stage, or of a stage for one kind of asset): whole modules, or names in them, of
# what decides its output and stands in no prompt, model or setting
DECIDING: Mapping[str, tuple[str, ...]] = {
    "picture/decode": ("mmsearch_core.adapters.pillow_picture", f"{RECORDS}.segment:pixels_id"),
    "picture/describe": DESCRIBING,
    "picture/embed_text": (
        "mmsearch_core.media.words:only_caption",
        "mmsearch_core.media.words:caption_passage",
        "mmsearch_core.media.words:passage_of",
        "mmsearch_core.media.words:_by_language",
        f"{SBERT}:SbertEmbedder._encode",
        f"{ANSWERS}:vector_to_bytes",
    ),
    "video/decode": (
        *(
            f"mmsearch_core.adapters.video.{name}"
            for name in ("container", "frames", "opener", "shots")
        ),
        f"{RECORDS}.segment:pixels_id",
    ),
    "video/describe": DESCRIBING,
    "video/embed_text": (
        "mmsearch_core.media.video:passages",
        "mmsearch_core.media.video:events",
        "mmsearch_core.media.video:_within",
        "mmsearch_core.media.video:_merged",
        "mmsearch_core.media.video:_is_one",
        "mmsearch_core.media.video:SHORTEST",
        "mmsearch_core.media.video:NEAR",
        "mmsearch_core.media.words:caption_passage",
        "mmsearch_core.media.words:passage_of",
        "mmsearch_core.media.words:_by_language",
        f"{SBERT}:SbertEmbedder._encode",
        f"{ANSWERS}:vector_to_bytes",
    ),
    "document/decode": (
        "mmsearch_core.adapters.pymupdf_document",
        "mmsearch_core.adapters.page_text",
        f"{RECORDS}.segment:pixels_id",
    ),
    "document/read_tables": (
        "mmsearch_core.adapters.document_tables",
        "mmsearch_core.adapters.page_tables",
        "mmsearch_core.adapters.table_look",
        "mmsearch_core.adapters.table_readings",
        "mmsearch_core.adapters.tables_agreed",
        "mmsearch_core.media.table_shape",
        f"{ANSWERS}:tables_to_bytes",
        f"{ANSWERS}:to_tables",
    ),
    "document/describe": DESCRIBING,
    "document/embed_text": (
        "mmsearch_core.media.document:passages",
        "mmsearch_core.media.document:pieces",
        "mmsearch_core.media.document:_parts",
        "mmsearch_core.media.document:LONGEST_PIECE",
        "mmsearch_core.media.document:tables_of",
        "mmsearch_core.media.document:_rows",
        "mmsearch_core.media.document:MOST_ROWS",
        "mmsearch_core.media.quantity",
        "mmsearch_core.media.tables",
        "mmsearch_core.media.words:caption_passage",
        "mmsearch_core.media.words:passage_of",
        "mmsearch_core.media.words:_by_language",
        f"{SBERT}:SbertEmbedder._encode",
        f"{ANSWERS}:vector_to_bytes",
    ),
    "embed_image": (
        f"{CLIP}:OpenClipEmbedder._prepare",
        f"{CLIP}:OpenClipEmbedder._encode",
        f"{ANSWERS}:vector_to_bytes",
    ),
    "upsert": (
        f"{STAGES}.index.upsert:_rows",
        f"{MILVUS}:_to_fields",
        f"{RECORDS}.row:LONGEST_TEXT",
        f"{RECORDS}.row:IndexRow.indexed_text",
        f"{RECORDS}.row:IndexRow.content",
        f"{RECORDS}.row:row_id",
        f"{RECORDS}.passage:passage_id",
        f"{RECORDS}.row:build_id",
    ),
    "standardize": (
        *ASKING,
        *READING,
        f"{VLM}:TransformersVLM._generate",
        f"{ANSWERS}:_Constraint",
        f"{ANSWERS}:StandardizeAnswer",
        f"{ANSWERS}:to_standard_query",
        f"{STAGES}.search.standardize:question",
    ),
    "retrieve": (
        f"{SEARCH}.legs:Legs",
        f"{SEARCH}.legs:_sum",
        f"{SEARCH}.candidates:retrieve",
        f"{SEARCH}.fusion:fuse",
        f"{SEARCH}.fusion:LOOKS",
        f"{SEARCH}.fusion:_Product",
        f"{SEARCH}.fusion:_weighted",
        f"{SEARCH}.fusion:for_sale",
        f"{SEARCH}.fusion:sellable",
        f"{SEARCH}.fusion:_candidate",
    ),
    "pair_scores": (
        *ASKING,
        f"{VLM}:TransformersVLM.weigh",
        f"{STAGES}.search.pair_scores:PairScores._question",
        f"{STAGES}.search.pair_scores:PairScores.reading",
        f"{STAGES}.search.pair_scores:_checked",
        f"{RECORDS}.description:Description.judged_text",
        f"{RECORDS}.description:bracketed",
        f"{RECORDS}.query:StandardQuery.judged_text",
    ),
    "judge": (f"{SEARCH}.grade", f"{STAGES}.search.judge"),
}
GRADING = judge.Grading(vocabulary=vocabulary.load("sample"), least_likely=0.2)
QUESTIONS = describe.Asking(vocabulary=vocabulary.load("sample"), page_pixels=1)
RECIPES: Mapping[str, Recipe] = {
    "picture/decode": decode.recipes(KINDS, Decode())["picture"],
    "picture/describe": describe.recipes(KINDS, "model", QUESTIONS)["picture"],
    "picture/embed_text": embed_text.recipes(KINDS, "model")["picture"],
    "video/decode": decode.recipes(KINDS, Decode())["video"],
    "video/describe": describe.recipes(KINDS, "model", QUESTIONS)["video"],
    "video/embed_text": embed_text.recipes(KINDS, "model")["video"],
    "document/decode": decode.recipes(KINDS, Decode())["document"],
    "document/read_tables": read_tables.recipes(KINDS, "reader")["document"],
    "document/describe": describe.recipes(KINDS, "model", QUESTIONS)["document"],
    "document/embed_text": embed_text.recipes(KINDS, "model")["document"],
    "embed_image": embed_image.recipes(KINDS, "model")["picture"],
    "upsert": upsert.recipes(KINDS)["picture"],
    "standardize": standardize.recipe("model"),
    "retrieve": retrieve.recipe(Search(), "clip", "sbert"),
    "pair_scores": pair_scores.recipe("model"),
    "judge": judge.recipe("model", GRADING),
}
# of a node: where its type or its use is said in a way that differs between Python versions, or
# says nothing
LEFT_OUT = {"type_comment", "type_params", "kind", "ctx"}


def recorded() -> dict[str, dict[str, Any]]:
    """What was written down last: version and code by stage."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return found


def today() -> dict[str, dict[str, Any]]:
    """What is so now."""
    return {
        name: {"version": recipe.version, "code": code_of(name)} for name, recipe in RECIPES.items()
    }


def code_of(recipe: str) -> str:
    """A digest of the code that decides what a stage says under this recipe."""
    hashed = sha256()
    for place in DECIDING[recipe]:
        name, _, inner = place.partition(":")
        hashed.update(f"{place}\n{normal(source(importlib.import_module(name)), inner)}\n".encode())
    return hashed.hexdigest()[:16]


def source(module: ModuleType) -> str:
    return inspect.getsource(module)


def normal(text: str, name: str = "") -> str:
    """The code of ``name`` in a module's text (all of it without a name) but for what says nothing
    to Python: layout, comments, docstrings."""
    node: Any = ast.parse(text)
    for part in filter(None, name.split(".")):
        node = next((inner for inner in node.body if part in _names(inner)), None)
        if node is None:
            raise LookupError(
                f"{name} is not there any more: name its successor in DECIDING of tests/recipes.py."
            )
    return repr(_plain(node))


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value if not _is_docstring(inner)]
    if not isinstance(value, ast.AST):
        return value
    fields = [
        (name, _plain(getattr(value, name, None))) for name in value._fields if name not in LEFT_OUT
    ]
    return (
        type(value).__name__,
        *((name, field) for name, field in fields if field not in (None, [])),
    )


def _is_docstring(node: Any) -> bool:
    """Or any other text that stands alone."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps(today(), indent=2) + "\n")
