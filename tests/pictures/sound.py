"""Files that people expect to see, in every form that a camera, an editor or a shop gives them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, PngImagePlugin

from tests.pictures.case import SEEN, SIZES, Case, quarters, saved

GREYS = tuple((round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for r, g, b in SEEN)
# name of the file's kind: (format, mode, options, corners expected)
KINDS: dict[str, tuple[str, str, dict[str, Any], Any]] = {
    "baseline.jpg": ("JPEG", "RGB", {"quality": 90}, SEEN),
    "poor.jpg": ("JPEG", "RGB", {"quality": 35}, SEEN),
    "progressive.jpg": ("JPEG", "RGB", {"progressive": True, "quality": 85}, SEEN),
    "full-chroma.jpg": ("JPEG", "RGB", {"subsampling": 0}, SEEN),
    "grey.jpg": ("JPEG", "L", {}, GREYS),
    "cmyk.jpg": ("JPEG", "CMYK", {"quality": 90}, SEEN),
    "rgb.png": ("PNG", "RGB", {}, SEEN),
    "opaque.png": ("PNG", "RGBA", {}, SEEN),
    "palette.png": ("PNG", "P", {}, SEEN),
    "grey.png": ("PNG", "L", {}, GREYS),
    "grey-alpha.png": ("PNG", "LA", {}, GREYS),
    "one-bit.png": ("PNG", "1", {}, None),
    "lossy.webp": ("WEBP", "RGB", {"quality": 90}, SEEN),
    "lossless.webp": ("WEBP", "RGB", {"lossless": True}, SEEN),
    "alpha.webp": ("WEBP", "RGBA", {"lossless": True}, SEEN),
    "plain.avif": ("AVIF", "RGB", {"quality": 90}, SEEN),
    "alpha.avif": ("AVIF", "RGBA", {"quality": 90}, SEEN),
    "plain.heic": ("HEIF", "RGB", {"quality": 90}, SEEN),
    "alpha.heic": ("HEIF", "RGBA", {"quality": 90}, SEEN),
    "grey.heic": ("HEIF", "L", {"quality": 90}, GREYS),
    "plain.gif": ("GIF", "P", {}, SEEN),
    "plain.bmp": ("BMP", "RGB", {}, SEEN),
    "palette.bmp": ("BMP", "P", {}, SEEN),
    "raw.tiff": ("TIFF", "RGB", {}, SEEN),
    "lzw.tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}, SEEN),
    "deflate.tiff": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}, SEEN),
    "cmyk.tiff": ("TIFF", "CMYK", {}, SEEN),
    "grey.tiff": ("TIFF", "L", {}, GREYS),
}


def formats() -> Iterator[Case]:
    """Every allowed format in the modes that it has."""
    for size in SIZES:
        for kind, (name, mode, options, corners) in KINDS.items():
            data = saved(quarters(size).convert(mode), name, **options)
            yield Case(
                name=f"formats/{size[0]}x{size[1]}/{kind}", data=data, size=size, corners=corners
            )
    for kind in ("ICO", "PPM", "TGA", "PCX", "JPEG2000"):
        data = saved(quarters((64, 64)), kind)
        yield Case(
            name=f"formats/other/{kind}.jpg", data=data, fails=frozenset({"UnsupportedMedia"})
        )


def turned() -> Iterator[Case]:
    """EXIF orientations 1 to 8: people expect to see the picture upright."""
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that a viewer undoes
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF"):
        for size in SIZES[:2]:
            for orientation in range(1, 9):
                picture = quarters(size)
                if orientation in back:
                    picture = picture.transpose(Image.Transpose(back[orientation]))
                exif = Image.Exif()
                exif[0x0112] = orientation
                # of a HEIC the box that turns it counts, once, and not what EXIF says beside it
                data = saved(picture, kind, exif=exif.tobytes())
                name = f"turned/{size[0]}x{size[1]}/{orientation}.{kind.lower()}"
                yield Case(name=name, data=data, size=size, corners=SEEN)


def misnamed() -> Iterator[Case]:
    """A name says nothing: what counts is what lies inside."""
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF"):
        data = saved(quarters((90, 60)), kind)
        for ending in ("jpg", "png", "gif", "txt", "JPG", "jpeg.webp"):
            yield Case(name=f"misnamed/{kind}.{ending}", data=data, size=(90, 60), corners=SEEN)


def moving() -> Iterator[Case]:
    """Of what moves, the first frame is seen."""
    for size in SIZES:
        frames = [quarters(size), Image.new("RGB", size, "black"), Image.new("RGB", size, "white")]
        for kind in ("GIF", "WEBP", "PNG", "AVIF"):
            options: dict[str, Any] = {
                "save_all": True,
                "append_images": frames[1:],
                "duration": 80,
            }
            options |= {"lossless": True} if kind == "WEBP" else {}
            name = f"moving/{size[0]}x{size[1]}.{kind.lower()}"
            yield Case(name=name, data=saved(frames[0], kind, **options), size=size, corners=SEEN)


def telephones() -> Iterator[Case]:
    """What else a HEIC holds: more pictures than the one that is shown, and ten bits a sample."""
    size = (200, 120)
    others = [Image.new("RGB", size, "white"), Image.new("RGB", (64, 64), "black")]
    for place in (0, 1, 2):
        pictures = [*others[:place], quarters(size), *others[place:]]
        data = saved(
            pictures[0],
            "HEIF",
            save_all=True,
            append_images=pictures[1:],
            primary_index=place,
            quality=90,
        )
        yield Case(name=f"telephones/shows-{place}.heic", data=data, size=size, corners=SEEN)
    out = io.BytesIO()
    deep = np.asarray(quarters(size)).astype(np.uint16) * 257
    pillow_heif.encode("RGB;16", size, deep.tobytes(), out, quality=90)
    yield Case(name="telephones/ten-bits.heic", data=out.getvalue(), size=size, corners=SEEN)


def half_moving() -> Iterator[Case]:
    """An animation that is broken behind its first picture: browsers show that picture."""
    size = SIZES[1]
    for name, first in (("seen", quarters(size)), ("blank", Image.new("RGB", size, "white"))):
        frames = [Image.new("RGB", size, "black"), Image.new("RGB", size, "white")]
        whole = saved(first, "PNG", save_all=True, append_images=frames, duration=80)
        second = [found.start() for found in re.finditer(b"fcTL", whole)][1]
        broken = {
            "sequence": whole[: second + 4] + b"\0\0\0\x4d" + whole[second + 8 :],
            "cut": whole[: second + 12],
            "bytes": whole[: second + 60] + b"\xff\xff\xff" + whole[second + 63 :],
        }
        corners = SEEN if name == "seen" else ((255, 255, 255),) * 4
        for how, data in broken.items():
            case = f"half-moving/{name}-{how}.png"
            # black is the second frame of a blank one, where that is whole enough to be seen
            either = None if name == "blank" and how == "bytes" else corners
            yield Case(name=case, data=data, size=size, corners=either)


def clear() -> Iterator[Case]:
    """What is transparent shows a white ground, whatever color hides in it."""
    white = (255, 255, 255)
    for size in SIZES:
        picture = quarters(size).convert("RGBA")
        picture.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
        palette = quarters(size).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
        index = palette.getpixel((0, 0))
        seen = (white, *SEEN[1:])
        files = {
            "rgba.png": saved(picture, "PNG"),
            "rgba.webp": saved(picture, "WEBP", lossless=True),
            "rgba.tiff": saved(picture, "TIFF"),
            "rgba.avif": saved(picture, "AVIF", quality=95),
            "palette.png": saved(palette, "PNG", transparency=index),
            "palette.gif": saved(palette, "GIF", transparency=index),
        }
        for name, data in files.items():
            yield Case(name=f"clear/{size[0]}x{size[1]}/{name}", data=data, size=size, corners=seen)


def deep() -> Iterator[Case]:
    """Sixteen bits a sample: middle grey stays middle grey."""
    for size in SIZES:
        for level in (0, 64, 128, 192, 255):
            picture = Image.new("I;16", size, level * 257)
            for kind in ("PNG", "TIFF"):
                name = f"deep/{size[0]}x{size[1]}/{level}.{kind.lower()}"
                yield Case(
                    name=name,
                    data=saved(picture, kind),
                    size=size,
                    corners=((level,) * 3,) * 4,
                    tolerance=3,
                )


def large() -> Iterator[Case]:
    """More pixels than a model looks at, and what cameras and editors leave in a file."""
    profile = PngImagePlugin.PngInfo()
    profile.add_text("Comment", "红色连衣裙 " * 200)
    yield Case(
        name="large/photo.jpg",
        data=saved(quarters((3000, 2000)), "JPEG"),
        size=(768, 512),
        corners=SEEN,
    )
    yield Case(
        name="large/tall.png",
        data=saved(quarters((800, 1600)), "PNG"),
        size=(384, 768),
        corners=SEEN,
    )
    yield Case(
        name="large/text.png",
        data=saved(quarters((64, 64)), "PNG", pnginfo=profile),
        size=(64, 64),
        corners=SEEN,
    )
    tail = saved(quarters((64, 64)), "JPEG") + bytes(100_000)
    yield Case(name="large/tail.jpg", data=tail, size=(64, 64), corners=SEEN)
