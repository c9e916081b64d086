"""The keys of the work bucket: where everything lies that mmsearch itself writes.

```
runs/<batch>/                 one batch of work
  manifest.json               what it is asked to do, or the reason why it was handed out
  plan.json                   what it is going to do, frozen
  shards/<number>/            files of records, reports/, failures/, leases/, errors/
  gates.json  rollback.json   what the gates said; what a rollback decided
  report.html  report.json    the page of the run, and its facts
runs/latest.<line>.json       the batches of the latest night
pixels/<pixels>.jpg           normalised pictures
memo/<recipe>/                what models answered: <key>.answer, <query>.parquet
tables/<asset>/               cells of a document's tables: <build>.parquet for each of its builds
targets/<target>/             what was measured of an index, and when it was last searched
results/                      CURRENT, WITHDRAWN.json, and a folder a generation
pace/  query_log/  probe/     seconds an asset; sums of the query log; what the store can do
```
"""

from mmsearch_core.errors import StageMissing
from mmsearch_core.records.ids import (
    AssetId,
    BatchId,
    Build,
    GenerationId,
    PixelsId,
    RecipeId,
    TargetId,
)

RUNS = "runs/"
PIXELS = "pixels/"
PICTURE, FRAMES = ".jpg", ".frames.parquet"  # endings of keys of pixels
MEMO = "memo/"
TABLES, CELLS = "tables/", ".parquet"  # where they begin and how they end
RESULTS = "results/"
LOG_SUMS = "query_log/"
PROBE = "probe/"
CURRENT = "results/CURRENT"
WITHDRAWN = "results/WITHDRAWN.json"
PACE = "pace/index.json"


def batch_path(batch: str) -> str:
    """The folder of a batch, without a slash at its end."""
    return f"{RUNS}{batch}"


def manifest_key(batch: str) -> str:
    """Where a batch's manifest lies."""
    return f"{RUNS}{batch}/manifest.json"


def plan_key(batch: str) -> str:
    """Where a batch's frozen plan lies."""
    return f"{RUNS}{batch}/plan.json"


def skipped_key(batch: str, name: str) -> str:
    """Where the messages of the queue lie that could not be used."""
    return f"{RUNS}{batch}/skipped-{name}.json"


def gates_key(batch: str) -> str:
    """Where the gates' verdict on a batch lies."""
    return f"{RUNS}{batch}/gates.json"


def rollback_key(batch: str) -> str:
    """Where lies what a run of the rollback decided."""
    return f"{RUNS}{batch}/rollback.json"


def page_key(batch: str) -> str:
    """Where a batch's page lies."""
    return f"{RUNS}{batch}/report.html"


def facts_key(batch: str) -> str:
    """Where the facts of a batch's page lie."""
    return f"{RUNS}{batch}/report.json"


def latest_key(line: str) -> str:
    """Where the batches of the latest night of a line ("index", "search") are named."""
    return f"{RUNS}latest.{line}.json"


def shard_path(batch: str, number: int) -> str:
    """The folder of a batch's shard, without a slash at its end."""
    return f"{RUNS}{batch}/shards/{number:05}"


def batch_of_shard(path: str) -> BatchId:
    """The batch of a shard's folder; StageMissing if that is not the name of one."""
    parts = path.split("/")
    if len(parts) != 4 or (parts[0], parts[2]) != ("runs", "shards"):
        raise StageMissing(f"{path} is not a shard: name one like runs/<batch>/shards/00000.")
    return BatchId(parts[1])


def file_key(shard: str, name: str) -> str:
    """Where a file of records of a shard lies."""
    return f"{shard}/{name}.parquet"


def report_key(shard: str, stage: str) -> str:
    """Where the report of a stage of a shard lies."""
    return f"{shard}/reports/{stage}.json"


def lease_key(shard: str, stage: str) -> str:
    """Where the lease of a stage of a shard lies."""
    return f"{shard}/leases/{stage}.json"


def error_key(place: str, stage: str) -> str:
    """Where the last error of a task of a shard or of a batch lies."""
    return f"{place}/errors/{stage}.json"


def pixels_key(pixels: PixelsId) -> str:
    """Where a normalised picture lies."""
    return f"{PIXELS}{pixels}{PICTURE}"


def frames_key(pixels: PixelsId) -> str:
    """Where the frames of a span of a video lie, beside its picture."""
    return f"{PIXELS}{pixels}{FRAMES}"


def pixels_of_key(key: str) -> PixelsId:
    """The name of the pixels that lie under a key, or beside what lies there."""
    return PixelsId(key.removeprefix(PIXELS).removesuffix(FRAMES).removesuffix(PICTURE))


def answer_key(recipe: RecipeId, key: str) -> str:
    """Where a remembered answer lies."""
    return f"{MEMO}{recipe}/{key}.answer"


def scores_key(recipe: RecipeId, query: str) -> str:
    """Where the remembered scores of a query's pairs lie."""
    return f"{MEMO}{recipe}/{query}.parquet"


def cells_key(asset: AssetId, build: Build) -> str:
    """Where the cells of a document's tables lie."""
    return f"{TABLES}{asset}/{build}{CELLS}"


def build_of_cells(key: str) -> tuple[AssetId, Build]:
    """The asset and its build whose cells lie under a key."""
    asset, _, build = key.removeprefix(TABLES).removesuffix(CELLS).partition("/")
    return AssetId(asset), Build(build)


def measured_key(target: TargetId) -> str:
    """Where lies how well an index was measured to find."""
    return f"targets/{target}/measured.json"


def searched_key(target: TargetId) -> str:
    """Where lies since when an index is the one that is searched."""
    return f"targets/{target}/searched.json"


def generation_key(generation: GenerationId) -> str:
    """Where a generation's manifest lies."""
    return f"{RESULTS}{generation}/manifest.json"


def products_key(generation: GenerationId) -> str:
    """Where the ids of all products in a generation's lists lie, each once, as Parquet."""
    return f"{RESULTS}{generation}/products.parquet"


def bucket_key(generation: GenerationId, number: str) -> str:
    """Where a generation's bucket file of this number (hex) lies."""
    return f"{RESULTS}{generation}/buckets/{number}.json"


def rows_key(generation: GenerationId, name: str) -> str:
    """Where a file of a generation's lists lies, as Parquet."""
    return f"{RESULTS}{generation}/rows/{name}"
