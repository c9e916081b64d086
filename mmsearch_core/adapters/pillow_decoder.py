"""Pictures through Pillow, in child processes that may hang, grow or die without taking the task with them."""

import io
import multiprocessing
import os
import resource
from collections.abc import Sequence

from pebble import ProcessExpired, ProcessPool

from mmsearch_core.errors import BadRecord, KilledTheWorker, MediaTooLarge, UnreadableMedia, UnsupportedMedia
from mmsearch_core.ports import Decoded
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Whole
from mmsearch_core.settings import Decode

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SECONDS = 30.0  # a picture
MEMORY = 2 * 1024**3  # bytes of address space a child
STEEPEST = 200  # Qwen3-VL refuses a longer side more than 200 times the shorter


class PillowDecoder:
    """Opens only the formats named above; children are recycled, so that a leak stays small."""

    def __init__(self, settings: Decode) -> None:
        self._settings = settings

    def decode(self, items: Sequence[tuple[Kind, bytes]]) -> list[list[Decoded] | BadRecord]:
        """One normalised picture an item, in order."""
        if not items:
            return []
        context = multiprocessing.get_context("spawn")
        workers = min(len(items), os.cpu_count() or 1)
        with ProcessPool(max_workers=workers, max_tasks=500, initializer=_confine, context=context) as pool:
            futures = [
                pool.schedule(normalise, args=[kind, data, self._settings], timeout=SECONDS) for kind, data in items
            ]
            return [_answer(future) for future in futures]


def normalise(kind: Kind, data: bytes, settings: Decode) -> bytes:
    """A JPEG: upright, RGB on white, its longest side bounded; raises UnsupportedMedia, MediaTooLarge or
    UnreadableMedia."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if kind != "picture":
        raise UnsupportedMedia(f"A {kind} cannot be opened yet; only pictures can.")
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before any pixel is read
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(*picture.size, settings)
            picture.draft("RGB", (settings.longest_side, settings.longest_side))
            upright = _flatten(ImageOps.exif_transpose(picture))
            upright.thumbnail((settings.longest_side, settings.longest_side), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            upright.save(out, "JPEG", quality=settings.quality)
            return out.getvalue()
    except UnidentifiedImageError as error:
        raise UnsupportedMedia(f"Not a picture in one of the formats {', '.join(FORMATS)}.") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise UnreadableMedia(f"The picture is damaged ({type(error).__name__}): upload it again.") from error
    except MemoryError as error:
        raise MediaTooLarge("The picture needs more memory than a decoder may use.") from error


def _check_size(width: int, height: int, settings: Decode) -> None:
    if width * height > settings.most_pixels:
        raise MediaTooLarge(f"{width} x {height} pixels is over decode.most_pixels ({settings.most_pixels}).")
    if max(width, height) > STEEPEST * max(1, min(width, height)):
        raise UnsupportedMedia(f"{width} x {height} pixels: one side is over {STEEPEST} times the other.")


def _flatten(picture: "Image.Image") -> "Image.Image":  # type: ignore[name-defined] # noqa: F821
    """RGB; transparency shows white, 16 bits become 8."""
    from PIL import Image

    if picture.mode.startswith("I"):
        return picture.point(lambda value: value / 257).convert("L").convert("RGB")
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return picture.convert("RGB")


def _confine() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _answer(future: "ProcessFuture") -> list[Decoded] | BadRecord:  # type: ignore[name-defined] # noqa: F821
    try:
        return [Decoded(where=Whole(), jpeg=future.result())]
    except BadRecord as error:
        return error
    except TimeoutError:
        return MediaTooLarge(f"The picture took longer than {SECONDS:.0f} s to open.")
    except ProcessExpired as death:
        return KilledTheWorker(f"The decoder's process died on the picture (exit code {death.exitcode}).")
