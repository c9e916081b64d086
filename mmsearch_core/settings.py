"""The knobs. Environment variables (``MMSEARCH_CATALOG__BUCKET=…``) win over one TOML file
(``mmsearch.toml``, or the file that ``MMSEARCH_CONFIG`` names); everything is checked before any
work starts."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from mmsearch_core.errors import BadSettings
from mmsearch_core.forms import first_fault
from mmsearch_core.records.line import names, remembering
from mmsearch_core.records.query import guess_locale, is_locale, normalise, usable_query

MOST_ROWS = 16_384  # that Milvus finds for one query
MODELS = Path(__file__).parent / "models"
MOST_RECORDS = 5_000  # a shard, all of which a stage may hold in memory
MOST_SHARDS = 900  # a batch: Airflow maps over 1,024 at most (core.max_map_length)
Share = Annotated[float, Field(ge=0, le=1)]
LEGS = ("clip", "sbert", "bm25_en", "bm25_zh")
Weight = Annotated[float, Field(ge=0, le=100)]


class Section(BaseModel):
    """A group of knobs; an unknown name is an error, since it is most likely a typing mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Store(Section):
    """The S3 endpoint of all buckets. Without keys, boto3's own chain of credentials is asked."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: SecretStr | None = None


class Catalog(Section):
    """Where the shop's pictures and its feed lie."""

    bucket: str = "catalog"
    prefix: str = "pictures/"  # of the keys that are the catalog's; the feed may lie elsewhere
    feed: str = "products.jsonl"
    # the first group of this pattern, matched against a key, is the product that the picture
    # belongs to
    product_pattern: str = r"^pictures/([^/]+)/"
    # instead of listing the bucket: a manifest.json of S3 Inventory, or the prefix under which the
    # newest one is taken
    inventory: str | None = Field(default=None, pattern=r"^s3://[^/]+/")
    # of the pictures or products may go in one run; more has to be approved
    removed_share: Share = 0.2
    removed_at_least: int = Field(default=100, ge=0)  # so many may be removed whatever their share


class Decode(Section):
    """How pictures, videos and documents are opened."""

    longest_side: int = Field(default=768, ge=32)  # pixels of a picture
    page_side: int = Field(default=1536, ge=32)  # pixels of the longer side of a document's page
    quality: int = Field(default=90, ge=1, le=100)
    most_pixels: int = Field(default=50_000_000, gt=0)
    most_bytes: int = Field(default=50_000_000, gt=0)
    processes: int = Field(default=0, ge=0)  # that open files; 0: one a core, at most 8
    most_pages: int = Field(default=500, gt=0)  # of a document
    seconds: float = Field(default=30, gt=0)  # a picture
    document_seconds: float = Field(default=300, gt=0)  # a document
    table_seconds: float = Field(default=600, gt=0)  # all tables of a document
    video_seconds: float = Field(default=1800, gt=0)  # a video
    most_video_bytes: int = Field(default=8_000_000_000, gt=0)
    frames_per_second: float = Field(default=2, gt=0, le=10)  # that are kept of a video
    most_frames: int = Field(default=2000, gt=0)  # of a video: a longer one is looked at less often
    frame_side: int = Field(default=448, ge=32)  # pixels of the longer side of such a frame
    window_seconds: float = Field(default=30, ge=10)  # of a shot; a longer one is several
    most_shots: int = Field(default=2000, gt=0)  # of a video
    memory_mb: int = Field(default=2048, ge=256)  # that opening one file may take


class Work(Section):
    """Where mmsearch keeps its runs, pixels, memo and results."""

    bucket: str = "mmsearch"


class Queue(Section):
    """The SQS queue that the catalog bucket notifies of its changes. Without keys, boto3's own
    chain is asked."""

    # as AWS gives it; None: nightly runs alone see changes
    url: str | None = Field(default=None, pattern=r"^https?://[^/]+/.+")
    access_key: str | None = None
    secret_key: SecretStr | None = None
    quiet_seconds: int = Field(default=5, ge=1, le=20)  # without a message, and a batch ends
    longest_seconds: int = Field(default=60, ge=1, le=3600)  # after its first message it ends, too
    max_batch: int = Field(default=2000, gt=0)  # messages, with which it ends, too
    poll_seconds: float = Field(default=5, gt=0)  # how often the doorbell looks
    ring_again_seconds: float = Field(default=30, gt=0)  # until it rings again for what waits
    ring_longest_seconds: float = Field(default=900, gt=0)  # the same while no drain ends well


class PinnedQuery(Section):
    """A query that is precomputed every night, asked or not. Without a locale, a text with Chinese
    characters is Chinese and any other English."""

    text: str
    locale: str = ""

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if usable_query(self.text) is None:
            raise ValueError("a pinned query is 1 to 100 characters of plain text and no address")
        if self.locale and not is_locale(self.locale):
            raise ValueError("a locale has letters, digits, - and _ only")
        return self

    @property
    def query(self) -> tuple[str, str]:
        """Its normalised text and its locale."""
        text = normalise(self.text)
        return text, self.locale or guess_locale(text)


class QueryLog(Section):
    """Where the shop's query log lies, as JSON lines (time, session, locale, query), plain or
    gzip'd."""

    bucket: str = "catalog"
    prefix: str = "queries/"
    half_life_days: float = Field(default=7, gt=0, le=3650)
    # events that are older than this before the newest one do not count, and objects of such days
    # are not read; None: six half-lives, after which an event has 1/64 of its weight
    window_days: float | None = Field(default=None, gt=0, le=36_500)
    # where the key of an object names the day of its events (year, month, day); "": keys name no
    # days
    day_pattern: str = r"(20\d\d)[-/_.]?(\d\d)[-/_.]?(\d\d)"
    popular: int = Field(default=200, gt=0)  # how many queries are precomputed
    min_sessions: int = Field(default=2, gt=0)
    pinned: tuple[PinnedQuery, ...] = ()  # a text each, or {text = "…", locale = "…"}

    @field_validator("day_pattern")
    @classmethod
    def _finds_a_day(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        if pattern and groups != 3:
            raise ValueError("it needs three groups, for year, month and day")
        return pattern

    @property
    def window(self) -> timedelta:
        """How far before the newest event an event counts."""
        return timedelta(days=self.window_days or 6 * self.half_life_days)


class Index(Section):
    """Milvus."""

    uri: str = "http://127.0.0.1:19530"
    token: SecretStr | None = None
    alias: str = Field(default="mmsearch", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    # rows that are read back and held against their digests in a night
    reread: int = Field(default=50_000, ge=0)
    # an index that was measured gives way to one that is no worse
    switch: Literal["measured", "at_once"] = "measured"


class LedgerSettings(Section):
    """The database of the ledger, as SQLAlchemy writes it."""

    url: str = "sqlite:///mmsearch.db"


class Models(Section):
    """Each is a hub id, with or without ``@revision``, or a folder; ``clip`` may also name an
    architecture and its weights as open_clip lists them. The defaults are the small models that
    travel with mmsearch."""

    vlm: str = str(MODELS / "qwen3vl")
    vlm_revision: str | None = None
    clip: str = f"local-dir:{MODELS / 'clip'}"
    sbert: str = str(MODELS / "sbert")
    sbert_revision: str | None = None
    device: str = "cpu"
    # of vlm; CLIP and SBERT make vectors in float32
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    max_new_tokens: int = Field(default=512, gt=0)
    # of a page without a text layer, at most, that vlm is shown to read it; 1_600_000 suits
    # Qwen3-VL, the default the small model that travels with mmsearch
    page_pixels: int = Field(default=131_072, ge=1024)
    batch: int = Field(default=16, gt=0)


class Beside(Section):
    """Models, where they differ from ``models``, whose index is kept current beside the one that is
    searched: the next ones, or the last."""

    vlm: str = ""
    clip: str = ""
    sbert: str = ""

    @property
    def models(self) -> dict[str, str]:
        """Those that are named."""
        return {name: model for name, model in self.model_dump().items() if model}


class Shards(Section):
    """How work is cut and when a shard doubts its environment."""

    # records per shard; 0: as many as take five to ten minutes, by what was measured in earlier
    # batches
    size: int = Field(default=0, ge=0, le=MOST_RECORDS)
    most: int = Field(default=200, gt=0, le=MOST_SHARDS)  # shards a batch
    # with more failures than that a stage does a known good item, to tell whose fault it is
    failed_share: Share = 0.2
    # so many failures are borne whatever their share
    failed_at_least: int = Field(default=10, ge=0)
    lease_seconds: float = Field(default=30, gt=0)


class Backfill(Section):
    """How a backfill is cut, and what it may cost before a person is asked. What a call takes is
    measured in the latest run; before there is one, these guesses count."""

    # a batch: small, so that events are soon between two
    shards: int = Field(default=20, gt=0, le=MOST_SHARDS)
    budget_minutes: float = Field(default=60, ge=0)
    gpus: int = Field(default=1, gt=0)
    # by stage, where a model call takes longer or less than the stage's own guess
    call_seconds: dict[str, float] = Field(default_factory=dict)
    other_seconds: float = Field(default=0.05, ge=0)  # an asset, for all that is no model

    @field_validator("call_seconds")
    @classmethod
    def _is_of_a_stage(cls, call_seconds: dict[str, float]) -> dict[str, float]:
        able = names(remembering())
        if not set(call_seconds) <= set(able) or min(call_seconds.values(), default=0) < 0:
            raise ValueError(f"names others than {', '.join(able)}, or is below 0")
        return call_seconds


class HousekeepingSettings(Section):
    """What the weekly run lets go of, and how often it tries again what failed."""

    run_days: float = Field(default=30, ge=1)
    memo_days: float = Field(default=90, ge=0)  # answers of recipes that nothing uses any more
    generations: int = Field(default=7, ge=1)  # to roll back to
    pixels_days: float = Field(default=7, ge=7)  # a run that is under way may need younger ones
    attempts: int = Field(default=3, ge=1)
    redriven: int = Field(default=10_000, ge=1)


class Search(Section):
    """Retrieval and what is published."""

    # the shop's words: a YAML file, or the name of a shipped one
    vocabulary: str = "sample"
    per_leg: int = Field(default=200, gt=0, le=MOST_ROWS)  # rows that each leg is asked for first
    # rows that it is asked for at most, where too many of the first cannot be shown
    deepest: int = Field(default=3200, gt=0, le=MOST_ROWS)
    candidates: int = Field(default=50, gt=0)
    # of the legs in fusion: those that are not named weigh 1, and 0 leaves a leg out
    weights: dict[str, Weight] = {}
    hits: int = Field(default=50, gt=0)
    # how likely a product has to be worth anything to a query, to be shown
    least_likely: Share = 0.2
    rrf_k: int = Field(default=60, gt=0)  # Cormack, Clarke and Buettcher, SIGIR 2009
    # a night beyond one of these limits is published only after a person has approved it:
    coverage: Share = 0.5  # of the popular queries need a hit
    gone: Share = 0.3  # of the lists that are published may have none tonight
    emptied: Share = 0.05  # of the lists in both nights may have lost all their hits
    churn: Share = 0.3  # mean of 1 - rank-biased overlap, over the lists with hits in both nights
    # so many lists may go, empty or change, whatever their share
    changes_at_least: int = Field(default=5, ge=0)
    # a night waits so long, from its start, for the index to be whole; then it goes on with what is
    # there, and says so
    await_minutes: float = Field(default=120, ge=0, le=240)
    buckets: int = Field(default=256, ge=1, le=4096)

    @field_validator("weights")
    @classmethod
    def _some_leg_counts(cls, weights: dict[str, float]) -> dict[str, float]:
        unknown = sorted(weights.keys() - set(LEGS))
        if unknown:
            raise ValueError(f"there is no leg {unknown[0]}, only {', '.join(LEGS)}")
        if all(weights.get(leg, 1.0) == 0 for leg in LEGS):
            raise ValueError("some leg has to weigh more than 0")
        return weights


class Settings(BaseSettings):
    """All knobs of mmsearch."""

    model_config = SettingsConfigDict(
        env_prefix="MMSEARCH_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    store: Store = Store()
    catalog: Catalog = Catalog()
    decode: Decode = Decode()
    work: Work = Work()
    queue: Queue = Queue()
    query_log: QueryLog = QueryLog()
    index: Index = Index()
    ledger: LedgerSettings = LedgerSettings()
    models: Models = Models()
    beside: Beside = Beside()
    shards: Shards = Shards()
    backfill: Backfill = Backfill()
    housekeeping: HousekeepingSettings = HousekeepingSettings()
    search: Search = Search()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 of the protocol
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 of the protocol
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file."""
        named = os.environ.get("MMSEARCH_CONFIG")
        if named and not Path(named).is_file():
            raise BadSettings(
                f"MMSEARCH_CONFIG names {named}, which is not a file: correct or unset it."
            )
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, Path(named or "mmsearch.toml")),
        )


def load_settings() -> Settings:
    """The settings of this process; BadSettings names the first setting that is wrong, and how."""
    try:
        return Settings()
    except ValidationError as error:
        name, why = first_fault(error)
        variable = "MMSEARCH_" + name.replace(".", "__").upper()
        raise BadSettings(
            f"Setting {name} is wrong ({why}): correct it in mmsearch.toml or {variable}."
        ) from error
    except ValueError as error:
        raise BadSettings(
            f"The settings cannot be read ({error}): correct mmsearch.toml."
        ) from error
