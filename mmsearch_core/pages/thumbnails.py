"""Small pictures for pages."""

import io
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress

from pebble import ProcessExpired, ProcessPool

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SIDE = 96  # pixels; a page shows them at half of it
MOST_PIXELS = 50_000_000
SECONDS = 10  # for one strange picture; starting the child counts


def thumbnails(pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    """A small JPEG of each that shows anything; these are pictures that our own decoder wrote."""
    small: dict[str, bytes] = {}
    for name, data in pictures.items():
        with suppress(OSError, ValueError):  # a page does without
            small[name] = shrink(data)
    return small


def thumbnails_of_strangers(pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    """A small JPEG of each that shows anything at all; one cut off in the middle shows its upper part. The decoder gave
    these up, so a child process opens them."""
    if not pictures:
        return {}
    small: dict[str, bytes] = {}
    context = multiprocessing.get_context("forkserver")
    with ProcessPool(max_workers=1, context=context) as pool, suppress(RuntimeError):  # no child could be started
        shrinking = {name: pool.schedule(_open_all, args=[data], timeout=SECONDS) for name, data in pictures.items()}
        for name, future in shrinking.items():
            with suppress(ProcessExpired, TookTooLong, ValueError):  # the page shows a blank in its place
                small[name] = future.result()
    return small


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
    except Exception as error:  # Pillow raises whatever its decoders meet, some of it cannot be pickled
        raise ValueError(f"no picture ({type(error).__name__})") from None
