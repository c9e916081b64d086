"""What a recipe calls a model: a digest of a folder's contents, or a hub id with the commit that it
stands for now.

A branch of a hub moves, and vectors or answers of two weights must not mix under one name. So a
branch or tag is resolved to its commit, and that commit is what is loaded: first as the hub's cache
on this machine knows it, else by asking the hub. Machines that disagree stop with ModelMismatch;
naming a commit in the settings makes them agree.
"""

import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from mmsearch_core.errors import BadSettings, EngineAway, MMSearchError

# bytes at either end of a large file: weights differ everywhere, and a folder may hold 20 GB
SAMPLE = 1 << 20
COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Where a model is loaded from."""

    kind: Literal["folder", "hub", "listed"]  # listed: under this name by the library that loads it
    name: str  # for recipes
    place: str  # a folder, a hub id, or a name
    commit: str | None = None  # of the hub


def find_model(setting: str, model: str, revision: str | None = None) -> ModelSource:
    """The source that a setting names.

    :param setting: name of the setting, for errors.
    :param model: a folder, or a hub id, which may end in ``@`` and a revision.
    :param revision: a commit, branch or tag of the hub; the branch ``main`` if neither names one.
    :raises BadSettings: there is no such folder, or no such revision.
    :raises EngineAway: the hub does not answer, and this machine does not know the revision.
    """
    folder = Path(model.removeprefix("local-dir:"))
    if folder.is_dir():
        return ModelSource(kind="folder", name=f"folder:{_contents(folder)}", place=str(folder))
    if model.startswith(("/", ".", "local-dir:")):
        raise BadSettings(
            f"{setting} names the folder {folder}, which is not there: correct it, name a hub id,"
            " or install mmsearch-demo for the small models."
        )
    place, _, named = model.removeprefix("hf-hub:").partition("@")
    commit = _commit(setting, place, revision or named or "main")
    return ModelSource(kind="hub", name=f"{place}@{commit}", place=place, commit=commit)


def _commit(setting: str, place: str, revision: str) -> str:
    """The commit that a revision of a hub id stands for."""
    if COMMIT.fullmatch(revision):
        return revision
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise BadSettings(
            f"{setting} ({place}) is a moving revision, and nothing here can look it up: "
            "name its commit, or install mmsearch[models]."
        ) from error
    cached = (
        Path(constants.HF_HUB_CACHE) / f"models--{place.replace('/', '--')}" / "refs" / revision
    )
    if cached.is_file():
        return cached.read_text().strip()
    commit = _ask_the_hub(setting, place, revision)
    with suppress(OSError):  # a cache that cannot be written is asked for again
        _remember(cached, commit)
    return commit


def _ask_the_hub(setting: str, place: str, revision: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    unknown = BadSettings(
        f"{setting} ({place}) has no revision {revision} that this machine knows or may ask the hub"
        " for: correct it, or name a folder or a commit."
    )
    try:
        return str(HfApi().model_info(place, revision=revision, timeout=HUB_SECONDS).sha)
    except (HFValidationError, OfflineModeIsEnabled) as error:
        raise unknown from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise (unknown if status in (401, 403, 404) else _hub_away(setting, place)) from error
    except Exception as error:  # whatever the library below it raises where nobody answers
        raise _hub_away(setting, place) from error


def _hub_away(setting: str, place: str) -> MMSearchError:
    return EngineAway(
        f"The hub of {setting} ({place}) does not answer: try again later, or name a commit or a"
        " folder."
    )


def _remember(cached: Path, commit: str) -> None:
    """Where the hub's own library would, so that all processes of this machine go on with that
    commit."""
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=cached.parent, delete=False) as file:
        file.write(commit)
    Path(file.name).replace(cached)


def _contents(folder: Path) -> str:
    hashed = sha256()
    for path in sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md"
    ):
        size = path.stat().st_size
        hashed.update(f"{path.relative_to(folder)} {size} ".encode())
        with path.open("rb") as file:
            hashed.update(file.read(SAMPLE))
            file.seek(max(SAMPLE, size - SAMPLE))
            hashed.update(file.read())
    return hashed.hexdigest()[:16]
