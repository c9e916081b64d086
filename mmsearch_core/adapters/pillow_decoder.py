"""Pictures through Pillow, in child processes that may hang, grow or die without taking the task with them."""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from mmsearch_core.errors import BadRecord, KilledTheWorker, MediaTooLarge, UnreadableMedia, UnsupportedMedia
from mmsearch_core.records.asset import Kind
from mmsearch_core.records.segment import Decoded, Whole
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    from PIL import Image

PLUGINS = tuple(f"{name}ImagePlugin" for name in ("Jpeg", "Png", "WebP", "Avif", "Gif", "Bmp", "Tiff"))
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
STEEPEST = 200  # Qwen3-VL refuses a longer side more than 200 times the shorter
MOST_PROCESSES = 8

Opener = Callable[[Kind, bytes, Decode], bytes]


class PillowDecoder:
    """Opens only the formats named above. The children are forked from a process that has Pillow loaded, stay warm
    between batches, and are replaced when they die and after 500 pictures, so that a leak stays small."""

    def __init__(self, settings: Decode, opener: Opener | None = None) -> None:
        self._settings = settings
        self._opener = opener or normalise

    def decode(self, items: Sequence[tuple[Kind, bytes]]) -> list[list[Decoded] | BadRecord]:
        """One normalised picture an item, in order."""
        limit = self._settings.seconds
        futures = [
            self._pool.schedule(self._opener, args=[kind, data, self._settings], timeout=limit) for kind, data in items
        ]
        return [self._answer(future) for future in futures]

    @cached_property
    def _pool(self) -> ProcessPool:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "PIL.Image", "PIL.ImageOps", *(f"PIL.{name}" for name in PLUGINS)])
        workers = self._settings.processes or min(os.cpu_count() or 1, MOST_PROCESSES)
        memory = self._settings.memory_mb * 1024**2
        return ProcessPool(max_workers=workers, max_tasks=500, initializer=confine, initargs=[memory], context=context)

    def _answer(self, future: ProcessFuture[bytes]) -> list[Decoded] | BadRecord:
        try:
            return [Decoded(where=Whole(), jpeg=future.result())]
        except BadRecord as error:
            return error
        except MemoryError:
            return MediaTooLarge(
                f"The picture needs more than decode.memory_mb ({self._settings.memory_mb} MB) to open."
            )
        except TimeoutError:
            return MediaTooLarge(f"The picture took longer than decode.seconds ({self._settings.seconds:g} s) to open.")
        except ProcessExpired as death:
            return KilledTheWorker(f"The decoder's process died on the picture (exit code {death.exitcode}).")


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
    except (BadRecord, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UnsupportedMedia(f"Not a picture in one of the formats {', '.join(FORMATS)}.") from error
    except Exception as error:  # a codec raises whatever it likes on bytes that it did not expect
        raise UnreadableMedia(f"The picture is damaged ({type(error).__name__}): upload it again.") from error


def _check_size(width: int, height: int, settings: Decode) -> None:
    if width * height > settings.most_pixels:
        raise MediaTooLarge(f"{width} x {height} pixels is over decode.most_pixels ({settings.most_pixels}).")
    if max(width, height) > STEEPEST * max(1, min(width, height)):
        raise UnsupportedMedia(f"{width} x {height} pixels: one side is over {STEEPEST} times the other.")


def _flatten(picture: Image.Image) -> Image.Image:
    """RGB; transparency shows white, 16 bits become 8."""
    from PIL import Image

    if picture.mode.startswith("I"):
        return picture.point(lambda value: value / 257).convert("L").convert("RGB")
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return picture.convert("RGB")


def confine(memory: int) -> None:
    """Bound the address space of this process, in bytes; what asks for more gets a MemoryError."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
