"""What a page looks like: colors, transparency, and pictures of every sort."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.documents.by_hand import FONT, sheet, stream
from tests.documents.case import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    QUARTERS,
    RED,
    WHITE,
    YELLOW,
    Case,
    Color,
    Sheet,
    Spot,
    corners,
)
from tests.pictures.case import quarters as four_colors
from tests.pictures.case import saved

SIDE = 64  # pixels of the pictures here
INKED = 70  # colors of inks differ from screen to screen by so much
LOWER_HALF = b"50 50 495 350 re f"
Stored = tuple[bytes, bytes, tuple[Spot, ...]]  # entries, data, and what is seen of it


def half(color: Color) -> tuple[Spot, ...]:
    """White above, this color below."""
    return (0.5, 0.2, WHITE), (0.5, 0.8, color)


def colors() -> Iterator[Case]:
    """A rectangle in a color of each kind."""
    lab = b"/S[/Lab<</WhitePoint[.9505 1 1.089]/Range[-128 127 -128 127]>>]"
    calibrated = b"/S[/CalRGB<</WhitePoint[.9505 1 1.089]/Gamma[2.2 2.2 2.2]"
    calibrated += b"/Matrix[.4124 .2126 .0193 .3576 .7152 .1192 .1805 .0722 .9505]>>]"
    red = b"/FunctionType 2/Domain[0 1]/C0[1 1 1]/C1[1 0 0]/N 1"
    separation = b"/S[/Separation/Spot/DeviceRGB<<%b>>]" % red
    everything = b"/S[/Separation/All/DeviceGray<</FunctionType 2/Domain[0 1]/C0[1]/C1[0]/N 1>>]"
    two_inks = b"/S[/DeviceN[/One/Two]/DeviceCMYK 5 0 R]"
    calculator = stream(b"/FunctionType 4/Domain[0 1 0 1]/Range[0 1 0 1 0 1 0 1]", b"{0 0}")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    measured = stream(b"/N 3/Alternate/DeviceRGB", profile)
    garbage = stream(b"/N 3/Alternate/DeviceRGB", b"no profile")
    indexed = b"/S[/Indexed/DeviceRGB 2<FF0000 00FF00 0000FF>]"
    kinds: dict[str, tuple[bytes, bytes, Color, list[bytes]]] = {
        "grey": (b"", b".5 g", GREY, []),
        "rgb": (b"", b"1 0 0 rg", (255, 0, 0), []),
        "cyan": (b"", b"1 0 0 0 k", (0, 174, 239), []),
        "magenta-and-yellow": (b"", b"0 1 1 0 k", (237, 28, 36), []),
        "four-inks-black": (b"", b"1 1 1 1 k", BLACK, []),
        "no-ink": (b"", b"0 0 0 0 k 100 100 9 9 re f 0 0 0 .5 k", (147, 149, 152), []),
        "lab": (lab, b"/S cs 53 80 67 sc", (255, 0, 0), []),
        "calibrated": (calibrated, b"/S cs 0 0 1 sc", (0, 0, 255), []),
        "separation": (separation, b"/S cs 1 scn", (255, 0, 0), []),
        "separation-half": (separation, b"/S cs .5 scn", (255, 128, 128), []),
        "separation-all": (everything, b"/S cs 1 scn", BLACK, []),
        "two-inks": (two_inks, b"/S cs 1 0 scn", (0, 174, 239), [calculator]),
        "profile": (b"/S[/ICCBased 5 0 R]", b"/S cs 0 1 0 sc", (0, 255, 0), [measured]),
        "broken-profile": (b"/S[/ICCBased 5 0 R]", b"/S cs 0 1 0 sc", (0, 255, 0), [garbage]),
        "indexed": (indexed, b"/S cs 1 sc", (0, 255, 0), []),
        "default-rgb": (b"/DefaultRGB[/ICCBased 5 0 R]", b"0 1 0 rg", (0, 255, 0), [measured]),
        "out-of-range": (b"", b"7 -3 -9 rg", (255, 0, 0), []),
        "unknown-space": (b"", b"1 0 0 rg /Nowhere cs", (255, 0, 0), []),
    }
    for name, (space, chosen, color, more) in kinds.items():
        data = sheet(chosen + b" " + LOWER_HALF, b"/ColorSpace<<%b>>" % space, more=more)
        spots = half(color)
        tolerance = INKED if b" k" in chosen or b"DeviceN" in space else 12
        unlike = name == "unknown-space"
        page = Sheet(text="", spots=() if unlike else spots, tolerance=tolerance, inked=True)
        yield Case(name=f"colors/{name}", data=data, sheets=(page,))


def patterns() -> Iterator[Case]:
    """Areas filled with what repeats or fades."""
    tile = stream(
        b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 4 4]/XStep 4/YStep 4/Resources<<>>",
        b"1 0 0 rg 0 0 4 4 re f",
    )
    fade = b"/FunctionType 2/Domain[0 1]/C0[1 0 0]/C1[0 0 1]/N 1"
    axial = b"/ShadingType 2/ColorSpace/DeviceRGB/Coords[50 0 545 0]/Extend[true true]"
    radial = b"/ShadingType 3/ColorSpace/DeviceRGB/Coords[300 225 0 300 225 400]"
    filled = b"/Pattern cs /P scn " + LOWER_HALF
    red, blue = (255, 0, 0), (0, 0, 255)
    across = ((0.1, 0.8, red), (0.9, 0.8, blue), (0.5, 0.2, WHITE))
    shading = b"<</PatternType 2/Shading<<%b/Function<<%b>>>>>>"
    kinds = {
        "tiles": (filled, tile, half(red)),
        "from-left-to-right": (filled, shading % (axial, fade), across),
        "from-the-middle": (
            filled,
            shading % (radial, fade),
            ((0.5, 0.73, red), (0.5, 0.2, WHITE)),
        ),
    }
    for name, (content, pattern, spots) in kinds.items():
        data = sheet(content, b"/Pattern<</P 5 0 R>>", more=[pattern])
        page = Sheet(text="", spots=spots, tolerance=60)
        yield Case(name=f"patterns/{name}", data=data, sheets=(page,))
    shaded = b"q 50 50 495 350 re W n /P sh Q"
    inner = b"<<%b/Function<<%b>>>>" % (axial, fade)
    data = sheet(shaded, b"/Shading<</P 5 0 R>>", more=[inner])
    yield Case(name="patterns/shaded", data=data, sheets=(Sheet(spots=across, tolerance=60),))


def clear() -> Iterator[Case]:
    """What is transparent lies on white paper."""
    states = {
        "half": (b"/ca .5", (255, 128, 128)),
        "whole": (b"/ca 0", WHITE),
        "none": (b"/ca 1", (255, 0, 0)),
        "multiplied": (b"/BM/Multiply", (255, 0, 0)),
        "unknown-way": (b"/BM/Nothing", (255, 0, 0)),
        "first-known-way": (b"/BM[/Nothing/Normal]", (255, 0, 0)),
        "no-mask": (b"/SMask/None", (255, 0, 0)),
    }
    mark = b"0 g 60 760 40 40 re f /G gs 1 0 0 rg "
    for name, (state, color) in states.items():
        data = sheet(mark + LOWER_HALF, b"/ExtGState<</G<<%b>>>>" % state)
        yield Case(name=f"clear/{name}", data=data, sheets=(Sheet(spots=half(color)),))
    over = b"0 0 1 rg 50 50 495 350 re f /G gs 1 1 0 rg "
    for way, color in {
        "Multiply": BLACK,
        "Screen": WHITE,
        "Difference": WHITE,
        "Darken": BLACK,
    }.items():
        content = over + LOWER_HALF + b" 0 g 60 760 40 40 re f"
        data = sheet(content, b"/ExtGState<</G<</BM/%b>>>>" % way.encode())
        yield Case(name=f"clear/{way.lower()}", data=data, sheets=(Sheet(spots=half(color)),))
    group = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Group<</S/Transparency/CS/DeviceGray>>"
    lit = stream(group, b"1 g 0 0 297 842 re f")
    state = b"/ExtGState<</G<</SMask<</S/Luminosity/G 5 0 R>>>>>>"
    data = sheet(mark + LOWER_HALF, state, more=[lit])
    spots = ((0.2, 0.8, (255, 0, 0)), (0.8, 0.8, WHITE))
    yield Case(name="clear/masked", data=data, sheets=(Sheet(spots=spots),))


def shown(
    name: str,
    entries: bytes,
    data: bytes,
    spots: tuple[Spot, ...] = QUARTERS,
    *,
    more: Sequence[bytes] = (),
    tolerance: int = 40,
) -> Case:
    """A page that is this picture, as large as the page."""
    head = b"/Type/XObject/Subtype/Image/Width %d/Height %d" % (SIDE, SIDE)
    image = stream(head + entries, data)
    page = sheet(
        b"q 400 0 0 400 0 0 cm /I Do Q",
        FONT + b"/XObject<</I 5 0 R>>",
        b"/MediaBox[0 0 400 400]",
        [image, *more],
    )
    seen = Sheet(text="", spots=spots, tolerance=tolerance, size=(768, 768))
    return Case(name=name, data=page, sheets=(seen,))


RGB = b"/ColorSpace/DeviceRGB/BitsPerComponent 8"
GRAYS = b"/ColorSpace/DeviceGray/BitsPerComponent %d"
PIXELS = np.asarray(four_colors((SIDE, SIDE)))
# black in the upper left and the lower right
CHECKS = np.kron(np.array([[0, 1], [1, 0]], np.uint8), np.ones((SIDE // 2, SIDE // 2), np.uint8))
CHECKED = corners(BLACK, WHITE, BLACK, WHITE)
INVERTED = corners(WHITE, BLACK, WHITE, BLACK)


def raw() -> Iterator[Case]:
    """Pixels of every depth and color, as they are."""
    yield shown("raw/rgb", RGB, PIXELS.tobytes())
    for bits in (1, 2, 4, 8, 16):
        yield shown(f"raw/grey-of-{bits}", GRAYS % bits, at_depth(bits), CHECKED)
    inverted = GRAYS % 8 + b"/Decode[1 0]"
    yield shown("raw/inverted", inverted, at_depth(8), INVERTED)
    deep = np.repeat(PIXELS, 2, axis=2).tobytes()
    yield shown("raw/rgb-of-16", b"/ColorSpace/DeviceRGB/BitsPerComponent 16", deep)
    inks = 255 - np.dstack([PIXELS, np.full((SIDE, SIDE), 255, np.uint8)])
    four = b"/ColorSpace/DeviceCMYK/BitsPerComponent 8"
    yield shown("raw/inks", four, inks.astype(np.uint8).tobytes(), tolerance=INKED)
    palette = b"".join(bytes(color) for color in (RED, GREEN, BLUE, YELLOW)).hex().encode()
    places = np.kron(np.array([[0, 1], [3, 2]], np.uint8), np.ones((32, 32), np.uint8))
    for bits in (2, 4, 8):
        space = b"/ColorSpace[/Indexed/DeviceRGB 3<%b>]/BitsPerComponent %d" % (palette, bits)
        yield shown(f"raw/palette-of-{bits}", space, bits_of(places, bits))
    mask = b"/ImageMask true/BitsPerComponent 1"
    yield shown("raw/stencil", mask, at_depth(1), CHECKED)
    key = RGB + b"/Mask[220 220 30 30 30 30]"
    yield shown(
        "raw/one-color-left-out", key, PIXELS.tobytes(), corners(WHITE, GREEN, BLUE, YELLOW)
    )
    lower = bytes(SIDE * SIDE // 2) + b"\xff" * (SIDE * SIDE // 2)
    soft = stream(b"/Subtype/Image/Width %d/Height %d%b" % (SIDE, SIDE, GRAYS % 8), lower)
    below = corners(WHITE, WHITE, BLUE, YELLOW)
    yield shown("raw/soft-mask", RGB + b"/SMask 6 0 R", PIXELS.tobytes(), below, more=[soft])
    stencil = stream(
        b"/Subtype/Image/ImageMask true/BitsPerComponent 1/Width %d/Height %d" % (SIDE, SIDE),
        b"\xff" * (SIDE * SIDE // 16) + bytes(SIDE * SIDE // 16),
    )
    yield shown("raw/mask", RGB + b"/Mask 6 0 R", PIXELS.tobytes(), below, more=[stencil])
    smooth = RGB + b"/Interpolate true/Intent/Perceptual"
    yield shown("raw/smooth", smooth, PIXELS.tobytes())
    half_there = PIXELS.tobytes()[: SIDE * SIDE * 3 // 2]
    upper = ((0.2, 0.2, RED), (0.8, 0.2, GREEN))
    yield shown("raw/half-of-it", RGB, half_there, upper)


def at_depth(bits: int) -> bytes:
    """The black and white squares at so many bits a pixel."""
    if bits == 16:
        return (CHECKS.astype(">u2") * 0xFFFF).tobytes()
    return bits_of(CHECKS * (2**bits - 1), bits)


def bits_of(pixels: np.ndarray[Any, Any], bits: int) -> bytes:
    """Rows of pixels, packed from the left."""
    each = np.unpackbits(pixels.reshape(SIDE, SIDE, 1), axis=2)[:, :, 8 - bits :]
    return np.packbits(each.reshape(SIDE, -1), axis=1).tobytes()


def packings() -> Iterator[Case]:
    """Pixels that are packed in every way that the format knows."""
    pixels = PIXELS.tobytes()
    flate = RGB + b"/Filter/FlateDecode"
    yield shown("packings/flate", flate, zlib.compress(pixels))
    for level in (0, 9):
        yield shown(f"packings/flate-{level}", flate, zlib.compress(pixels, level))
    parameters = b"/DecodeParms<</Predictor %d/Colors 3/Columns %d>>"
    for number, name in enumerate(("none", "left", "up", "mean", "paeth")):
        packed = zlib.compress(predicted(number))
        entries = flate + parameters % (10 + number, SIDE)
        yield shown(f"packings/predicted-{name}", entries, packed)
    difference = np.diff(PIXELS, axis=1, prepend=np.zeros((SIDE, 1, 3), np.uint8))
    tiff = flate + parameters % (2, SIDE)
    yield shown("packings/predicted-tiff", tiff, zlib.compress(difference.tobytes()))
    lzw = strip("tiff_lzw", four_colors((SIDE, SIDE)))
    yield shown("packings/lzw", RGB + b"/Filter/LZWDecode", lzw)
    runs = b"".join(bytes([0]) + pixels[at : at + 1] for at in range(len(pixels))) + b"\x80"
    yield shown("packings/runs", RGB + b"/Filter/RunLengthDecode", runs)
    hexed = pixels.hex().encode() + b">"
    yield shown("packings/hexadecimal", RGB + b"/Filter/ASCIIHexDecode", hexed)
    letters = base64.a85encode(pixels) + b"~>"
    yield shown("packings/letters", RGB + b"/Filter/ASCII85Decode", letters)
    both = RGB + b"/Filter[/ASCII85Decode/FlateDecode]"
    yield shown("packings/two-after-another", both, base64.a85encode(zlib.compress(pixels)) + b"~>")
    cut = zlib.compress(pixels, 0)[: len(pixels) * 3 // 4]
    yield shown("packings/flate-cut-off", flate, cut, ((0.2, 0.2, RED), (0.8, 0.2, GREEN)))
    no_sum = zlib.compress(pixels)[:-4] + bytes(4)
    yield shown("packings/flate-of-a-wrong-sum", flate, no_sum)


def predicted(number: int) -> bytes:
    """The pixels as rows of PNG, each with this filter."""
    rows = PIXELS.reshape(SIDE, -1).astype(np.int16)
    left = np.pad(rows, ((0, 0), (3, 0)))[:, :-3]
    above = np.pad(rows, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(left, ((1, 0), (0, 0)))[:-1]
    guess = left + above - corner
    away = np.stack([abs(guess - side) for side in (left, above, corner)])
    nearest = np.choose(away.argmin(axis=0), [left, above, corner])
    taken = (np.zeros_like(rows), left, above, (left + above) // 2, nearest)[number]
    bytes_of = ((rows - taken) % 256).astype(np.uint8)
    return np.pad(bytes_of, ((0, 0), (1, 0)), constant_values=number).tobytes()


def strip(compression: str, picture: Image.Image) -> bytes:
    """The pixels as a TIFF has them, compressed in this way."""
    out = io.BytesIO()
    picture.save(out, "TIFF", compression=compression, strip_size=2**20)
    with Image.open(out) as tiff:
        places, sizes = tiff.tag_v2[273], tiff.tag_v2[279]  # type: ignore[attr-defined]
    assert len(places) == 1
    return out.getvalue()[places[0] : places[0] + sizes[0]]


def photographs() -> Iterator[Case]:
    """JPEG and JPEG 2000 within a page."""
    picture = four_colors((SIDE, SIDE))
    jpeg = b"%b/Filter/DCTDecode" % RGB
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "progressive": {"progressive": True},
        "best": {"quality": 100, "subsampling": 0},
    }
    for name, options in kinds.items():
        yield shown(f"photographs/{name}", jpeg, saved(picture, "JPEG", **options))
    grey = saved(Image.fromarray(CHECKS * 255), "JPEG")
    yield shown("photographs/grey", GRAYS % 8 + b"/Filter/DCTDecode", grey, CHECKED)
    inks = saved(picture.convert("CMYK"), "JPEG", quality=95)
    # Pillow writes inks inverted, as Adobe does, and says so; a page says it with its Decode
    four = b"/ColorSpace/DeviceCMYK/BitsPerComponent 8/Filter/DCTDecode"
    inverted = four + b"/Decode[1 0 1 0 1 0 1 0]"
    yield shown("photographs/inks", inverted, inks, tolerance=INKED)
    wrapped = RGB + b"/Filter[/FlateDecode/DCTDecode]"
    yield shown("photographs/packed-again", wrapped, zlib.compress(saved(picture, "JPEG")))
    cut = saved(Image.effect_noise((SIDE, SIDE), 90).convert("RGB"), "JPEG", quality=95)[:-900]
    yield shown("photographs/cut-off", jpeg, cut, ())
    for name, options in {"lossy": {"irreversible": True}, "lossless": {}}.items():
        data = saved(picture, "JPEG2000", **options)
        yield shown(f"photographs/2000-{name}", b"/Filter/JPXDecode", data)
        yield shown(f"photographs/2000-{name}-told", RGB + b"/Filter/JPXDecode", data)
    bare = saved(picture, "JPEG2000", no_jp2=True)
    yield shown("photographs/2000-bare", RGB + b"/Filter/JPXDecode", bare)
    other = saved(picture, "PNG")
    broken = shown("photographs/no-photograph", jpeg, other, ())
    yield Case(
        name=broken.name, data=broken.data, fails=frozenset({"UnreadableMedia"}), says="blank"
    )


def faxes() -> Iterator[Case]:
    """Black and white as fax machines and scanners pack it."""
    # what a TIFF calls white is black to its packer
    page = Image.fromarray(255 - CHECKS * 255).convert("1")
    entries = GRAYS % 1 + b"/Filter/CCITTFaxDecode/DecodeParms<</Columns 64/Rows 64%b>>"
    four = strip("group4", page)
    three = strip("group3", page)
    yield shown("faxes/group-4", entries % b"/K -1", four, CHECKED)
    yield shown("faxes/group-4-turned", entries % b"/K -1/BlackIs1 true", four, INVERTED)
    yield shown("faxes/group-3", entries % b"/K 0", three, CHECKED)
    stencil = b"/ImageMask true/BitsPerComponent 1/Filter/CCITTFaxDecode"
    parameters = b"/DecodeParms<</K -1/Columns 64/Rows 64>>"
    yield shown("faxes/stencil", stencil + parameters, four, CHECKED)
    without = GRAYS % 1 + b"/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 64>>"
    yield shown("faxes/no-number-of-rows", without, four, CHECKED)
    bilevel = GRAYS % 1 + b"/Filter/JBIG2Decode"
    yield shown("faxes/jbig2", bilevel, jbig2(four), CHECKED)
    shared = bilevel + b"/DecodeParms<</JBIG2Globals 6 0 R>>"
    empty = stream(b"", b"")
    yield shown("faxes/jbig2-shared", shared, jbig2(four), CHECKED, more=[empty])


def jbig2(fax: bytes) -> bytes:
    """A page, and a region of it that is packed as faxes of group 4 are."""
    size = struct.pack(">II", SIDE, SIDE)
    information = size + struct.pack(">IIBH", 0, 0, 0, 0)
    region = size + struct.pack(">IIB", 0, 0, 0) + b"\x01" + fax
    parts = b""
    for number, (kind, data) in enumerate([(48, information), (38, region)]):
        parts += struct.pack(">IBBBI", number, kind, 0, 1, len(data)) + data
    return parts


def inline() -> Iterator[Case]:
    """Pictures that stand within the content of a page."""
    head = b"q 400 0 0 400 0 0 cm BI /W 64 /H 64 %b ID "
    pixels = PIXELS.tobytes()
    kinds = {
        "plain": (b"/CS/RGB/BPC 8", pixels, QUARTERS),
        "long-names": (b"/ColorSpace/DeviceRGB/BitsPerComponent 8", pixels, QUARTERS),
        "flate": (b"/CS/RGB/BPC 8/F/Fl", zlib.compress(pixels), QUARTERS),
        "jpeg": (b"/CS/RGB/BPC 8/F/DCT", saved(four_colors((SIDE, SIDE)), "JPEG"), QUARTERS),
        "hexadecimal": (b"/CS/RGB/BPC 8/F/AHx", pixels.hex().encode() + b">", QUARTERS),
        "letters": (b"/CS/RGB/BPC 8/F/A85", base64.a85encode(pixels) + b"~>", QUARTERS),
        "grey": (b"/CS/G/BPC 8", at_depth(8), CHECKED),
        "stencil": (b"/IM true/BPC 1", at_depth(1), CHECKED),
        "palette": (
            b"/CS[/I/RGB 1<000000FFFFFF>]/BPC 1",
            at_depth(1),
            CHECKED,
        ),
        "with-its-end-within": (b"/CS/G/BPC 8", b"\nEI Q\n" + at_depth(8)[6:], CHECKED[1:]),
    }
    for name, (entries, data, spots) in kinds.items():
        content = head % entries + data + b"\nEI Q"
        page = sheet(content, FONT, b"/MediaBox[0 0 400 400]")
        seen = Sheet(text="", spots=spots, size=(768, 768))
        yield Case(name=f"inline/{name}", data=page, sheets=(seen,))
