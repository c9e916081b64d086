"""Files that are broken, are no pictures, or mean harm."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.pictures.case import BROKEN, DAMAGED, OTHER, Case, quarters, saved


def cut() -> Iterator[Case]:
    """Uploads that broke off."""
    noisy = Image.effect_noise((160, 120), 60).convert("RGB")
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "BMP", "TIFF"):
        data = saved(noisy, kind)
        for percent in (1, 5, 10, 20, 35, 50, 65, 80, 90):
            part = data[: len(data) * percent // 100]
            yield Case(name=f"cut/{kind.lower()}/{percent}.jpg", data=part, fails=DAMAGED)


def damaged() -> Iterator[Case]:
    """Single bytes changed: a picture or a failure, never anything worse."""
    rng = random.Random(7)
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF"):
        data = saved(quarters((120, 90)), kind)
        for number in range(20):
            hurt = bytearray(data)
            for _ in range(1 + number):
                hurt[rng.randrange(len(hurt))] = rng.randrange(256)
            fails = BROKEN | {"MediaTooLarge"}
            yield Case(
                name=f"damaged/{kind.lower()}/{number:02}.jpg",
                data=bytes(hurt),
                fails=fails,
                either=True,
            )


def no_pictures() -> Iterator[Case]:
    """What else is found under the name of a picture."""
    rng = random.Random(11)
    things = {
        "empty": b"",
        "one-byte": b"\xff",
        "jpeg-mark-only": b"\xff\xd8\xff\xe0",
        "png-mark-only": b"\x89PNG\r\n\x1a\n",
        "html": b"<!doctype html><html><body>404 Not Found</body></html>",
        "json": b'{"error": "AccessDenied"}',
        "xml": b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF",
        "zip": b"PK\x03\x04" + bytes(200),
        "mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(300),
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "text": "一张图片".encode(),
        "zeros": bytes(4096),
    }
    for name, data in things.items():
        fails = DAMAGED if name in ("empty", "jpeg-mark-only", "png-mark-only") else OTHER
        yield Case(name=f"no-picture/{name}.jpg", data=data, fails=fails)
    for number in range(20):
        noise = rng.randbytes(rng.randrange(1, 5000))
        yield Case(name=f"no-picture/noise-{number:02}.png", data=noise, fails=OTHER)


def png_of(
    width: int,
    height: int,
    *chunks: tuple[bytes, bytes],
    depth: int = 1,
    color: int = 0,
    pixels: bytes = b"",
) -> bytes:
    """A PNG that claims this size, with other chunks before its pixels: one black row, unless
    given."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels or bytes((width + 7) // 8 + 1)))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(chunk(*each) for each in chunks)
        + body
        + chunk(b"IEND", b"")
    )


def bombs() -> Iterator[Case]:
    """Little files that would fill the memory."""
    large = frozenset({"MediaTooLarge"})
    for side in (8_000, 20_000, 60_000, 2**31 - 1):
        fails = large | (BROKEN if side > 2**30 else frozenset())
        yield Case(name=f"bombs/claims-{side}.png", data=png_of(side, side), fails=fails)
    yield Case(
        name="bombs/real.png", data=saved(Image.new("1", (12_000, 12_000)), "PNG"), fails=large
    )
    bmp = bytearray(saved(Image.new("RGB", (4, 4)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    yield Case(name="bombs/claims.bmp", data=bytes(bmp), fails=large)
    gif = bytearray(saved(Image.new("P", (4, 4)), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    yield Case(name="bombs/claims.gif", data=bytes(gif), fails=large)
    heic = saved(Image.new("RGB", (64, 64)), "HEIF")
    place = heic.index(b"ispe") + 8
    claims = heic[:place] + struct.pack(">II", 60_000, 60_000) + heic[place + 8 :]
    yield Case(name="bombs/claims.heic", data=claims, fails=large | BROKEN)
    swollen = zlib.compress(bytes(200_000_000), 9)
    for kind, before in (
        (b"iCCP", b"icc\0\0"),
        (b"zTXt", b"Comment\0\0"),
        (b"iTXt", b"Comment\0\1\0\0\0"),
    ):
        data = png_of(8, 1, (kind, before + swollen))
        yield Case(name=f"bombs/{kind.decode()}.png", data=data, fails=DAMAGED | large)


def shapes() -> Iterator[Case]:
    """Very thin and very small."""
    thin = frozenset({"UnsupportedMedia"})
    for width, height in ((1, 20_000), (20_000, 1), (2, 1_000), (1_000, 2)):
        for kind in ("PNG", "BMP"):
            name = f"shapes/{width}x{height}.{kind.lower()}"
            yield Case(
                name=name, data=saved(Image.new("RGB", (width, height), "red"), kind), fails=thin
            )
    for width, height in ((1, 1), (2, 2), (1, 200), (200, 1), (7, 3)):
        for kind in ("PNG", "JPEG", "WEBP"):
            name, data = (
                f"shapes/{width}x{height}.{kind.lower()}",
                saved(Image.new("RGB", (width, height), "red"), kind),
            )
            yield Case(name=name, data=data, size=(width, height), corners=((255, 0, 0),) * 4)
