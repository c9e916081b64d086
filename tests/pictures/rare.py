"""What only some cameras, editors and printers write, and which goes wrong first."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageChops, ImageCms

from tests.pictures.case import SEEN, SIZES, Case, quarters, saved
from tests.pictures.hostile import png_of

UNKNOWN_WHITE = frozenset({"UnsupportedMedia"})


def profiles() -> Iterator[Case]:
    """A profile says what the numbers mean; one that makes no sense is left out, as browsers do."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # red and green change places in what the numbers mean; so does their share of lightness
    swapped = srgb.replace(b"rXYZ", b"-XYZ").replace(b"gXYZ", b"rXYZ").replace(b"-XYZ", b"gXYZ")
    turned = tuple((green, red, blue) for red, green, blue in SEEN)
    for size in SIZES:
        clear = quarters(size).convert("RGBA")
        clear.paste((9, 9, 9, 0), (0, 0, size[0] // 2, size[1] // 2))
        files: dict[str, tuple[bytes, Any]] = {
            "srgb.jpg": (saved(quarters(size), "JPEG", icc_profile=srgb), SEEN),
            "swapped.jpg": (saved(quarters(size), "JPEG", icc_profile=swapped), turned),
            "swapped.png": (saved(quarters(size), "PNG", icc_profile=swapped), turned),
            "swapped.webp": (
                saved(quarters(size), "WEBP", icc_profile=swapped, lossless=True),
                turned,
            ),
            "swapped.tiff": (saved(quarters(size), "TIFF", icc_profile=swapped), turned),
            "swapped-palette.png": (
                saved(quarters(size).convert("P"), "PNG", icc_profile=swapped),
                turned,
            ),
            "swapped-clear.png": (
                saved(clear, "PNG", icc_profile=swapped),
                ((255, 255, 255), *turned[1:]),
            ),
            "nonsense.jpg": (saved(quarters(size), "JPEG", icc_profile=b"no profile" * 30), SEEN),
            "cut.jpg": (saved(quarters(size), "JPEG", icc_profile=srgb[: len(srgb) // 2]), SEEN),
            "of-rgb-in-cmyk.jpg": (
                saved(quarters(size).convert("CMYK"), "JPEG", icc_profile=srgb),
                SEEN,
            ),
            "of-rgb-in-grey.png": (
                saved(quarters(size).convert("L"), "PNG", icc_profile=srgb),
                None,
            ),
        }
        for name, (data, corners) in files.items():
            yield Case(
                name=f"profiles/{size[0]}x{size[1]}/{name}", data=data, size=size, corners=corners
            )


def printers() -> Iterator[Case]:
    """CMYK as Adobe writes it (inverted; also as YCCK), and without Adobe's mark, which browsers
    invert as well."""
    for size in SIZES:
        ink = quarters(size).convert("CMYK")
        plain = saved(ink, "JPEG", quality=95)
        mark = plain.index(b"\xff\xee")
        length = struct.unpack(">H", plain[mark + 2 : mark + 4])[0]
        luma = Image.merge("RGB", ink.split()[:3]).convert("YCbCr").split()
        stored = Image.merge(
            "CMYK", (*(ImageChops.invert(band) for band in luma), ink.getchannel("K"))
        )
        ycck = bytearray(saved(stored, "JPEG", quality=95))
        ycck[ycck.index(b"Adobe") + 11] = 2  # the transform: YCCK
        files = {
            "adobe": plain,
            "no-mark": plain[:mark] + plain[mark + 2 + length :],
            "ycck": bytes(ycck),
        }
        for name, data in files.items():
            yield Case(
                name=f"printers/{size[0]}x{size[1]}/{name}.jpg", data=data, size=size, corners=SEEN
            )


def samples() -> Iterator[Case]:
    """Samples of other widths: 16 bits are scaled, never clipped; of 32 nobody knows which is
    white."""
    for size in SIZES:
        lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        seen = ImageCms.applyTransform(quarters(size), lab)
        assert seen
        yield Case(
            name=f"samples/{size[0]}x{size[1]}/lab.tiff",
            data=saved(seen, "TIFF"),
            size=size,
            corners=SEEN,
        )
        other = saved(quarters(size).convert("YCbCr"), "TIFF")
        yield Case(
            name=f"samples/{size[0]}x{size[1]}/ycbcr.tiff", data=other, size=size, corners=SEEN
        )
        for level in (0, 100, 255):
            grey = ((level,) * 3,) * 4
            name = f"samples/{size[0]}x{size[1]}/{level}"
            deep = saved(Image.new("I;16B", size, level * 257), "TIFF")
            yield Case(
                name=f"{name}-big-endian.tiff", data=deep, size=size, corners=grey, tolerance=3
            )
            colors = png_16(size, (level, 100, 200), alpha=False)
            seen_there = ((level, 100, 200),) * 4
            yield Case(
                name=f"{name}-rgb48.png", data=colors, size=size, corners=seen_there, tolerance=3
            )
            colors = png_16(size, (level, 100, 200), alpha=True)
            yield Case(
                name=f"{name}-rgba64.png", data=colors, size=size, corners=seen_there, tolerance=3
            )
    for mode, value in (("I", 2**30), ("F", 0.5)):
        yield Case(
            name=f"samples/{mode}.tiff",
            data=saved(Image.new(mode, (40, 40), value), "TIFF"),
            fails=UNKNOWN_WHITE,
        )


def png_16(size: tuple[int, int], color: tuple[int, int, int], *, alpha: bool) -> bytes:
    """One color, sixteen bits a sample, which Pillow reads but does not write."""
    values = [channel * 257 for channel in color] + ([65_535] if alpha else [])
    row = b"\0" + struct.pack(f">{len(values)}H", *values) * size[0]
    return png_of(*size, depth=16, color=6 if alpha else 2, pixels=row * size[1])


def late() -> Iterator[Case]:
    """What moves and begins with nothing: the first frame that shows something."""
    for size in SIZES:
        nothing, something = Image.new("RGBA", size), quarters(size).convert("RGBA")
        after = Image.new("RGBA", size, "black")
        for kind in ("GIF", "WEBP", "PNG", "AVIF"):
            options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
            for number, blank in enumerate((nothing, Image.new("RGBA", size, "white"))):
                frames = [blank, *(blank.copy() for _ in range(number)), something, after]
                data = saved(
                    frames[0], kind, save_all=True, append_images=frames[1:], duration=80, **options
                )
                yield Case(
                    name=f"late/{size[0]}x{size[1]}-{number}.{kind.lower()}",
                    data=data,
                    size=size,
                    corners=SEEN,
                )
        never = saved(nothing, "GIF", save_all=True, append_images=[nothing, nothing], duration=80)
        white = ((255, 255, 255),) * 4
        yield Case(name=f"late/{size[0]}x{size[1]}-never.gif", data=never, size=size, corners=white)


def burdened() -> Iterator[Case]:
    """Good pictures with what cameras and editors hang on them."""
    size = SIZES[0]
    words = zlib.compress(b"a history of edits " * 200_000)
    long = png_of(8, 1, (b"zTXt", b"Comment\0\0" + words))
    yield Case(name="burdened/long-comment.png", data=long, size=(8, 1), corners=((0, 0, 0),) * 4)
    two = saved(quarters(size), "MPO", save_all=True, append_images=[Image.new("RGB", size)])
    yield Case(name="burdened/two-views.jpg", data=two, size=size, corners=SEEN)
    exifs = {
        "nonsense": b"nonsense",
        "cut": b"II*\0\x08\0\0\0\xff\xff",
        "text": b"II*\0\x08\0\0\0\1\0\x12\1\2\0\4\0\0\0abc\0",
    }
    for name, exif in exifs.items():
        data = saved(quarters(size), "JPEG", exif=b"Exif\0\0" + exif)
        yield Case(name=f"burdened/exif-{name}.jpg", data=data, size=size, corners=SEEN)
    for orientation in (0, 9, 65_535):
        exif_of_no_meaning = Image.Exif()
        exif_of_no_meaning[0x0112] = orientation
        data = saved(quarters(size), "JPEG", exif=exif_of_no_meaning)
        yield Case(name=f"burdened/turned-{orientation}.jpg", data=data, size=size, corners=SEEN)
    pages = saved(quarters(size), "TIFF", save_all=True, append_images=[Image.new("RGB", size)])
    yield Case(name="burdened/pages.tiff", data=pages, size=size, corners=SEEN)
