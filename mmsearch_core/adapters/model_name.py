"""What a recipe calls a model: a hub id with its revision, or a digest of a folder's contents."""

from hashlib import sha256
from pathlib import Path

from mmsearch_core.errors import BadSettings

SAMPLE = 1 << 20  # bytes at either end of a large file: weights differ everywhere, and a folder may hold 20 GB


def model_name(setting: str, model: str, revision: str | None = None) -> str:
    """``model`` is a hub id or a folder; ``setting`` names the knob in the error for a folder that is not there."""
    folder = Path(model.removeprefix("local-dir:"))
    if folder.is_dir():
        return f"folder:{_contents(folder)}"
    if model.startswith(("/", ".", "local-dir:")):
        raise BadSettings(f"{setting} names the folder {folder}, which is not there: correct it, or name a hub id.")
    return f"{model}@{revision or 'main'}"


def _contents(folder: Path) -> str:
    hashed = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md"):
        size = path.stat().st_size
        hashed.update(f"{path.relative_to(folder)} {size} ".encode())
        with path.open("rb") as file:
            hashed.update(file.read(SAMPLE))
            file.seek(max(SAMPLE, size - SAMPLE))
            hashed.update(file.read())
    return hashed.hexdigest()[:16]
