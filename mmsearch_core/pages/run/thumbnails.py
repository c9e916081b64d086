"""Small pictures for pages."""

import io
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from mmsearch_core.confined import ConfinedPool

_MODULES = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff")
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
LOADED = [
    __name__,
    "PIL.ImageOps",
    "PIL.ImageFile",
    *(f"PIL.{name}ImagePlugin" for name in _MODULES),
]
SIDE = 96  # pixels; a page shows them at half of it
MOST_PIXELS = 50_000_000
SECONDS = 10  # for one strange picture; starting the child counts
ALL_SECONDS = 60  # for all that a page shows
# bytes that the child may take: the largest picture in 32 bits, and copies of a part of it
MEMORY = 512 * 1024**2


def shrink(data: bytes) -> bytes:
    """A thumbnail as JPEG."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError("too many pixels for a thumbnail")
        picture.draft("RGB", (SIDE, SIDE))
        small = ImageOps.exif_transpose(picture).convert("RGB")
        small.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=70)
    return out.getvalue()


def _open_all(data: bytes) -> bytes:
    from PIL import ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return shrink(data)
    except (
        Exception
    ) as error:  # Pillow raises whatever its decoders meet, some of it cannot be pickled
        raise ValueError(f"no picture ({type(error).__name__})") from None


def thumbnails(pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    """A small JPEG of each that shows anything; these are pictures that our own decoder wrote."""
    small: dict[str, bytes] = {}
    for name, data in pictures.items():
        with suppress(OSError, ValueError):  # a page does without
            small[name] = shrink(data)
    return small


def thumbnails_of_strangers(
    pictures: Iterable[tuple[str, bytes]],
    opener: Callable[[bytes], bytes] = _open_all,
    *,
    seconds: float = ALL_SECONDS,
) -> dict[str, bytes]:
    """A small JPEG of each (name, file) that shows anything at all; one cut off in the middle shows
    its upper part.

    The decoder gave these up, so a child process with little memory opens them, one after the
    other; what is not opened within ``seconds`` in all is left out. Files are read as they are
    needed.
    """
    small: dict[str, bytes] = {}
    deadline = time.monotonic() + seconds
    pool = ConfinedPool(processes=1, memory=MEMORY, modules=LOADED)
    try:
        for name, data in pictures:
            left = deadline - time.monotonic()
            if left <= 0 or not pool.working:
                break
            with suppress(
                Exception
            ):  # whatever a child meets, dies of or takes too long for: the page shows a blank
                future = pool.start(opener, data, seconds=min(SECONDS, left))
                small[name] = future.result(left + SECONDS)
    finally:
        pool.end()
    return small
