"""A file becomes the picture that people see in it: through Pillow, for whichever process is told
to."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmsearch_core.errors import BadRecord, MediaTooLarge, UnreadableMedia, UnsupportedMedia
from mmsearch_core.ports.media import Content
from mmsearch_core.records.segment import Decoded, Whole
from mmsearch_core.settings import Decode

if TYPE_CHECKING:
    from PIL import Image

# JPEG opens MPO too, which may not be named
FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "AVIF",
    "HEIF",  # HEIC, as telephones make it
    "GIF",
    "BMP",
    "TIFF",
)
# what the heads of other formats look like: people have to export these
OTHERS: Mapping[str, re.Pattern[bytes]] = {
    "a JPEG 2000": re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"),
    "a JPEG XL": re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL "),
    "a PSD of Photoshop": re.compile(rb"8BPS"),
    "a PostScript or Illustrator file": re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"),
    "an icon": re.compile(rb"\x00\x00\x01\x00"),
    "a raw picture of a camera": re.compile(
        rb"FUJIFILMCCD-RAW|II\x1a\x00\x00\x00HEAPCCDR|IIRO|....ftypcrx ", re.DOTALL
    ),
    "an SVG drawing": re.compile(
        rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE\s+svg[^>]*>\s*)*<svg[\s>]",
        re.DOTALL,
    ),
}
_PLUGINS = ("Jpeg", "Mpo", "Png", "WebP", "Avif", "Gif", "Bmp", "Tiff")
# what opening a picture imports
MODULES = (
    __name__,
    "PIL.Image",
    "PIL.ImageCms",
    "PIL.ImageOps",
    *(f"PIL.{name}ImagePlugin" for name in _PLUGINS),
    "pi_heif",
)
HEAD = 4_096  # bytes of a file that are looked at for its format
MOVING = frozenset({"PNG", "WEBP", "AVIF", "GIF"})
FRAMES = 50  # looked at for one that shows something
STEEPEST = 200  # Qwen3-VL refuses a longer side more than 200 times the shorter
TEXT = 16 * 1024**2  # bytes of a PNG's profile or comment, inflated: editors write megabytes


def open_picture(content: Content, settings: Decode) -> list[Decoded]:
    """One segment, the whole picture; raises as ``normalise`` does."""
    data = content if isinstance(content, bytes) else content.read_bytes()
    return [Decoded(where=Whole(), jpeg=normalise(data, settings))]


def normalise(data: bytes, settings: Decode) -> bytes:
    """A JPEG: upright, sRGB on white, its longest side bounded; raises UnsupportedMedia,
    MediaTooLarge or UnreadableMedia."""
    from pi_heif import options, register_heif_opener
    from PIL import AvifImagePlugin, Image, PngImagePlugin, UnidentifiedImageError

    if not data:
        raise UnreadableMedia("The file is empty: upload it again.")
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before any pixel is read
    PngImagePlugin.MAX_TEXT_CHUNK = TEXT
    # pictures are opened side by side; a thread costs address space
    AvifImagePlugin.DEFAULT_MAX_THREADS = options.DECODE_THREADS = 1
    register_heif_opener(thumbnails=False)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            out = io.BytesIO()
            _first_that_shows(picture, settings).save(out, "JPEG", quality=settings.quality)
            return out.getvalue()
    except (BadRecord, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _unopened(data) from error
    except Exception as error:  # a codec raises whatever it likes on bytes that it did not expect
        raise UnreadableMedia(
            f"The picture is damaged ({type(error).__name__}): upload it again."
        ) from error


def _unopened(data: bytes) -> BadRecord:
    from PIL import Image

    if any(Image.OPEN[name][1](data[:16]) for name in FORMATS):  # type: ignore[misc] # all of these look at the head
        return UnreadableMedia("The picture is damaged at its head: upload it again.")
    if data.startswith(b"%PDF-"):
        return UnsupportedMedia("This is a PDF: let its key end in .pdf.")
    for what, head in OTHERS.items():
        if head.match(data[:HEAD]):
            return UnsupportedMedia(f"This is {what}: export it as JPEG, PNG or WebP.")
    return UnsupportedMedia(f"Not a picture in one of the formats {', '.join(FORMATS)}.")


def _first_that_shows(picture: Image.Image, settings: Decode) -> Image.Image:
    """Of what moves, the first frame that is not of one color; of what never shows more, or is
    broken behind its first frame, that first frame."""
    first = _seen(picture, settings)
    frames = getattr(picture, "n_frames", 1) if picture.format in MOVING else 1
    if frames == 1 or not _blank(first):
        return first
    try:
        for number in range(1, min(frames, FRAMES)):
            picture.seek(number)
            if not _blank(frame := _seen(picture, settings)):
                return frame
    except (BadRecord, MemoryError):
        raise
    except Exception:  # browsers show what comes before
        return first
    return first


def _blank(picture: Image.Image) -> bool:
    return all(low == high for low, high in picture.getextrema())  # type: ignore[misc] # a pair a band


def _seen(picture: Image.Image, settings: Decode) -> Image.Image:
    from PIL import Image, ImageOps

    side = (settings.longest_side, settings.longest_side)
    _check_size(*picture.size, settings)
    picture.draft("RGB", side)
    plain = _eight_bits(ImageOps.exif_transpose(picture))
    plain.thumbnail(side, Image.Resampling.LANCZOS)
    return _to_srgb(_on_white(plain), picture.info.get("icc_profile"))


def _check_size(width: int, height: int, settings: Decode) -> None:
    if width * height > settings.most_pixels:
        raise MediaTooLarge(
            f"{width} x {height} pixels is over decode.most_pixels ({settings.most_pixels})."
        )
    if max(width, height) > STEEPEST * max(1, min(width, height)):
        raise UnsupportedMedia(
            f"{width} x {height} pixels: one side is over {STEEPEST} times the other."
        )


def _eight_bits(picture: Image.Image) -> Image.Image:
    """In L, RGB, RGBA or CMYK."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value / 257).convert("L")
    if picture.mode in ("I", "F"):  # nothing in the file says which value is white
        raise UnsupportedMedia("The picture has 32 bits a sample: save it with 8 or 16.")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    if picture.mode != "RGBA":
        return picture
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colors that the profile means; a broken one, or one for other pixels, is left out, as
    browsers do."""
    from PIL import ImageCms

    if profile:
        try:
            srgb = ImageCms.createProfile("sRGB")
            meant = ImageCms.profileToProfile(picture, io.BytesIO(profile), srgb, outputMode="RGB")
            return meant or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
    return picture.convert("RGB")
