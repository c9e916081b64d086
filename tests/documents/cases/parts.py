"""What lies on a page or beside it: forms, notes, layers, hidden text, attachments, actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.documents.by_hand import (
    A4,
    FONT,
    HELVETICA,
    Leaf,
    document,
    fill,
    objects_of,
    packed,
    says,
    sheet,
    stream,
)
from tests.documents.case import GREEN, WHITE, Case, Sheet, texts
from tests.documents.made import pdf, text

LOWER = b"/Rect[60 80 535 400]"  # of a note or a field: what lies in the lower half

FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 475 320]/Resources<<%b>>" % FONT


def appearance(words: str = "") -> bytes:
    """A green area that says this, as a field or a note looks."""
    return stream(FORM, fill(GREEN, 0, 0, 475, 320) + (says(words, 20, 200) if words else b""))


def below(color: tuple[int, int, int], words: str | None = "Manual") -> tuple[Sheet, ...]:
    """A page that says this, of this color in its lower half."""
    return (Sheet(text=words, spots=((0.6, 0.85, color),), inked=True),)


SIGNATURE = b"/Type/Sig/Filter/Adobe.PPKLite/SubFilter/adbe.pkcs7.detached/Contents<00>"
UNSIGNED = "the library writes SIGN into a field that waits for a signature"
BY_EXPRESSION = "the library does not work out expressions of which layers are seen"
WITHIN = "behind a letter that is said otherwise than it is drawn, the library sees a space"


def with_notes(*notes: bytes, more: Sequence[bytes] = (), catalog: bytes = b"") -> bytes:
    """A page that says "Manual", with these notes on it; ``more`` are objects from 5 on."""
    first = 5 + len(more)
    numbers = b" ".join(b"%d 0 R" % number for number in range(first, first + len(notes)))
    leaf = Leaf(content=says("Manual"), entries=A4 + b"/Annots[%b]" % numbers)
    return document(objects_of(leaf, catalog=catalog, more=[*more, *notes]))


def notes() -> Iterator[Case]:
    """Notes are seen as they look, unless they are hidden."""
    look = b"/AP<</N 5 0 R>>"
    kinds = (b"Square", b"Stamp", b"FreeText", b"Highlight", b"Ink", b"Watermark")
    for kind in kinds:
        note = b"<</Type/Annot/Subtype/%b/F 4%b%b>>" % (kind, LOWER, look)
        data = with_notes(note, more=[appearance()])
        yield Case(name=f"notes/{kind.decode().lower()}", data=data, sheets=below(GREEN))
    flags = {"hidden": b"2", "hidden-and-printed": b"6", "not-viewed": b"32"}
    for name, flag in flags.items():
        note = b"<</Type/Annot/Subtype/Stamp/F %b%b%b>>" % (flag, LOWER, look)
        data = with_notes(note, more=[appearance("Hidden")])
        yield Case(name=f"notes/{name}", data=data, sheets=below(WHITE))
    empty = b"<</Type/Annot/Subtype/Ink/F 4%b/AP<</N null>>>>" % LOWER
    yield Case(name="notes/no-look", data=with_notes(empty), sheets=(Sheet(text="Manual"),))
    states = b"/AS/Off/AP<</N<</On 5 0 R/Off 6 0 R>>>>"
    switch = b"<</Type/Annot/Subtype/Stamp/F 4%b%b>>" % (LOWER, states)
    data = with_notes(switch, more=[appearance("On"), stream(FORM, b"")])
    yield Case(name="notes/switched-off", data=data, sheets=below(WHITE))
    link = b"<</Type/Annot/Subtype/Link/Border[0 0 0]%b/A<</S/URI/URI(http://lumen.test/)>>>>"
    yield Case(name="notes/link", data=with_notes(link % LOWER), sheets=below(WHITE))
    popup = b"<</Type/Annot/Subtype/Popup/Open false%b>>" % LOWER
    yield Case(name="notes/closed-popup", data=with_notes(popup), sheets=below(WHITE))
    alone = Leaf(content=b"", entries=A4 + b"/Annots[6 0 R]")
    stamp = b"<</Type/Annot/Subtype/Stamp/F 4%b%b>>" % (LOWER, look)
    data = document(objects_of(alone, more=[appearance(), stamp]))
    yield Case(name="notes/a-stamp-alone", data=data, sheets=below(GREEN, ""))
    said = with_notes(stamp, more=[appearance("Approved")])
    yield Case(name="notes/a-stamp-that-says", data=said, sheets=below(GREEN, "Manual\nApproved"))
    broken = {
        "not-there": b"99 0 R",
        "null": b"null",
        "a-number": b"7",
        "of-itself": b"<</Type/Annot/Subtype/Popup/Rect[0 0 9 9]/Parent 5 0 R/Popup 5 0 R>>",
    }
    for name, note in broken.items():
        yield Case(name=f"notes/{name}", data=with_notes(note), sheets=texts("Manual"))


def forms() -> Iterator[Case]:
    """Fields are seen and read as they are filled in."""
    head = b"<</Type/Annot/Subtype/Widget/F 4/T(waist)%b" % LOWER
    default = b"/DA(/Helv 24 Tf 0 g)"
    fields = b"/AcroForm<</Fields[6 0 R]/DR<</Font<</Helv<<%b>>>>>>%%b>>" % HELVETICA

    def filled(entries: bytes, look: bytes, more: bytes = b"") -> bytes:
        field = head + entries + b"/AP<</N 5 0 R>>>>"
        return with_notes(field, more=[look], catalog=fields % more)

    entries = b"/FT/Tx/V(84 cm)" + default
    data = filled(entries, appearance("84 cm"))
    yield Case(name="forms/text", data=data, sheets=below(GREEN, "Manual\n84 cm"))
    choice = filled(b"/FT/Ch/Opt[(S)(M)]/V(M)" + default, appearance("M"))
    yield Case(name="forms/choice", data=choice, sheets=below(GREEN, "Manual\nM"))
    button = filled(b"/FT/Btn/Ff 65536", appearance("Send"))
    yield Case(name="forms/button", data=button, sheets=below(GREEN, "Manual\nSend"))
    signed = filled(b"/FT/Sig/V<<%b>>" % SIGNATURE, appearance("Signed by Lumen"))
    yield Case(name="forms/signature", data=signed, sheets=below(GREEN, "Manual\nSigned by Lumen"))
    unsigned = with_notes(head + b"/FT/Sig>>", catalog=fields % b"")
    yield Case(name="forms/unsigned", data=unsigned, sheets=texts("Manual"), differs=UNSIGNED)
    for name, state, color in (("on", b"/Yes", GREEN), ("off", b"/Off", WHITE)):
        box = b"/FT/Btn/V%b/AS%b/AP<</N<</Yes 5 0 R>>>>>>" % (state, state)
        data = with_notes(head + box, more=[appearance()], catalog=fields % b"")
        yield Case(name=f"forms/box-{name}", data=data, sheets=below(color))
    kinds = {
        "text-without-a-look": b"/FT/Tx/V(84 cm)",
        "choice-without-a-look": b"/FT/Ch/Ff 131072/Opt[(S)(84 cm)]/V(84 cm)",
        "several-lines-without-a-look": b"/FT/Tx/Ff 4096/V(84 cm)",
    }
    for name, kind in kinds.items():
        field = head + kind + default + b">>"
        needed = fields % b"/NeedAppearances true"
        data = with_notes(field, more=[b"null"], catalog=needed)
        yield Case(name=f"forms/{name}", data=data, sheets=texts("Manual\n84 cm"))
    hidden = head.replace(b"/F 4", b"/F 2") + entries + b"/AP<</N 5 0 R>>>>"
    data = with_notes(hidden, more=[appearance("84 cm")], catalog=fields % b"")
    yield Case(name="forms/hidden", data=data, sheets=below(WHITE))
    xfa = filled(entries, appearance("84 cm"), b"/XFA[(template)(<xdp/>)]")
    yield Case(name="forms/xfa-beside", data=xfa, sheets=below(GREEN, "Manual\n84 cm"))
    empty = with_notes(head + b"/FT/Tx/V()" + default + b">>", catalog=b"")
    yield Case(name="forms/empty", data=empty, sheets=texts("Manual"))


GROUP = b"<</Type/OCG/Name(Layer)%b>>"
MARKED = b"/OC/L BDC %bEMC\n"


def layered(properties: bytes, group: bytes = b"", member: bytes = b"5 0 R") -> bytes:
    """A page that says "Manual", with a layer that says "Layer" in green."""
    layer = fill(GREEN, 0, 0, 595, 300) + says("Layer", 72, 150)
    resources = FONT + b"/Properties<</L %b>>" % member
    leaf = Leaf(content=says("Manual") + MARKED % layer, resources=resources)
    catalog = b"/OCProperties<</OCGs[5 0 R]/D<<%b>>>>" % properties
    return document(objects_of(leaf, catalog=catalog, more=[GROUP % group]))


def layers() -> Iterator[Case]:
    """Layers that are switched off are neither seen nor read."""
    shown, hidden = below(GREEN, "Manual\nLayer"), below(WHITE)
    print_only = b"/Usage<</View<</ViewState/OFF>>/Print<</PrintState/ON>>>>"
    events = b"/AS[<</Event/View/Category[/View]/OCGs[5 0 R]>>]"
    all_off = b"<</Type/OCMD/OCGs[5 0 R]/P/AllOff>>"
    negated = b"<</Type/OCMD/VE[/Not 5 0 R]>>"
    states: dict[str, tuple[bytes, tuple[Sheet, ...]]] = {
        "on": (layered(b""), shown),
        "listed-on": (layered(b"/ON[5 0 R]"), shown),
        "off": (layered(b"/OFF[5 0 R]"), hidden),
        "all-off": (layered(b"/BaseState/OFF"), hidden),
        "all-off-but-one": (layered(b"/BaseState/OFF/ON[5 0 R]"), shown),
        "off-and-locked": (layered(b"/OFF[5 0 R]/Locked[5 0 R]"), hidden),
        "member-of-one-on": (layered(b"", member=b"<</Type/OCMD/OCGs 5 0 R>>"), shown),
        "member-of-one-off": (layered(b"/OFF[5 0 R]", member=b"<</Type/OCMD/OCGs 5 0 R>>"), hidden),
        "shown-where-all-are-off": (layered(b"/OFF[5 0 R]", member=all_off), shown),
        "hidden-where-all-are-off": (layered(b"", member=all_off), hidden),
        "negated-on": (layered(b"", member=negated), hidden),
        "negated-off": (layered(b"/OFF[5 0 R]", member=negated), shown),
        "for-printers-alone": (layered(events, print_only), hidden),
        "a-layer-that-is-not-there": (layered(b"", member=b"77 0 R"), shown),
    }
    for name, (data, sheets) in states.items():
        differs = BY_EXPRESSION if name == "negated-on" else ""
        yield Case(name=f"layers/{name}", data=data, sheets=sheets, differs=differs)
    for name, state, sheets in (("on", b"", shown), ("off", b"/OFF[5 0 R]", hidden)):
        inner = fill(GREEN, 0, 0, 595, 300) + says("Layer", 72, 150)
        head = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/OC 5 0 R/Resources<<%b>>" % FONT
        resources = FONT + b"/XObject<</X 6 0 R>>"
        leaf = Leaf(content=says("Manual") + b"/X Do", resources=resources)
        catalog = b"/OCProperties<</OCGs[5 0 R]/D<<%b>>>>" % state
        more = [GROUP % b"", stream(head, inner)]
        data = document(objects_of(leaf, catalog=catalog, more=more))
        yield Case(name=f"layers/form-{name}", data=data, sheets=sheets)
        note = b"<</Type/Annot/Subtype/Stamp/F 4%b/OC 5 0 R/AP<</N 6 0 R>>>>" % LOWER
        stamped = Leaf(content=says("Manual"), entries=A4 + b"/Annots[7 0 R]")
        parts = [GROUP % b"", appearance("Layer"), note]
        data = document(objects_of(stamped, catalog=catalog, more=parts))
        yield Case(name=f"layers/note-{name}", data=data, sheets=sheets)
    # a page all of whose layers are off is blank
    off = Leaf(content=MARKED % says("Layer"), resources=FONT + b"/Properties<</L 7 0 R>>")
    catalog = b"/OCProperties<</OCGs[7 0 R]/D<</OFF[7 0 R]>>>>"
    leaves = [off, Leaf(content=says("Manual"))]
    data = document(objects_of(*leaves, catalog=catalog, more=[GROUP % b""]))
    second = Sheet(number=2, text="Manual", inked=True)
    yield Case(name="layers/a-page-all-off", data=data, sheets=(second,))


def behind_scans() -> Iterator[Case]:
    """Text that a program has read from a scan lies unseen upon it, and is the page's text."""
    grey = fill((200, 200, 200), 40, 40, 500, 760)
    unseen = b"BT 3 Tr /F 24 Tf 72 700 Td (Size chart) Tj ET\n"
    seen = (Sheet(text="Size chart", spots=((0.5, 0.5, (200, 200, 200)),)),)
    yield Case(name="behind/upon-the-scan", data=sheet(grey + unseen), sheets=seen)
    yield Case(name="behind/below-the-scan", data=sheet(unseen + grey), sheets=seen)
    covered = sheet(says("Size chart") + grey)
    yield Case(name="behind/letters-below-the-scan", data=covered, sheets=seen)
    clip = sheet(b"q BT 7 Tr /F 24 Tf 72 700 Td (Size chart) Tj ET Q\n" + grey)
    yield Case(name="behind/letters-as-a-clip", data=clip, sheets=seen)
    # nobody has seen the page, but its text is known
    alone = (Sheet(text="Size chart", inked=False),)
    yield Case(name="behind/no-scan", data=sheet(unseen), sheets=alone)
    white = sheet(b"1 g " + says("Size chart"))
    yield Case(name="behind/white-on-white", data=white, sheets=alone)


def spoken() -> Iterator[Case]:
    """What a program should say instead of what is drawn."""
    marks = {
        "other-letters": b"/Span <</ActualText(Size chart)>> BDC %bEMC" % says("42"),
        "a-joined-letter": b"BT /F 24 Tf 72 700 Td /Span <</ActualText(Si)>> BDC (X) Tj EMC"
        b" (ze chart) Tj ET",
        "within-a-word": b"/Span <</ActualText(Size chart)>> BDC %bEMC" % says("Size ch@rt"),
        "alternative": b"/Figure <</Alt(A picture of a chart)>> BDC %bEMC" % says("Size chart"),
        "artifact": b"/Artifact <</Type/Pagination>> BDC %bEMC" % says("Size chart"),
        "unclosed": b"/P <</MCID 0>> BDC %b" % says("Size chart"),
    }
    for name, content in marks.items():
        differs = WITHIN if name == "within-a-word" else ""
        sheets = texts("Size chart")
        yield Case(name=f"spoken/{name}", data=sheet(content), sheets=sheets, differs=differs)


ACTIONS = {
    "script": b"<</S/JavaScript/JS(app.alert\\(1\\);while\\(1\\);)>>",
    "launch": b"<</S/Launch/F(/bin/sh)>>",
    "launch-on-windows": b"<</S/Launch/Win<</F(cmd.exe)/P(/c calc)>>>>",
    "address": b"<</S/URI/URI(http://127.0.0.1:9/)>>",
    "submit": b"<</S/SubmitForm/F(http://127.0.0.1:9/)/Flags 4>>",
    "import": b"<</S/ImportData/F(/etc/passwd)>>",
    "another-document": b"<</S/GoToR/F(/etc/passwd)/D[0/Fit]>>",
    "embedded-document": b"<</S/GoToE/T<</R/C/N(x)>>/D[0/Fit]>>",
    "movie": b"<</S/Rendition/OP 0/R<</S/MR/C<</S/MCD/D(http://127.0.0.1:9/)>>>>>>",
    "chain": b"<</S/JavaScript/JS(1)/Next[<</S/Launch/F(/bin/sh)>>]>>",
    "of-itself": b"<</S/JavaScript/JS(1)/Next 5 0 R>>",
    "unknown": b"<</S/Detonate>>",
}


def actions() -> Iterator[Case]:
    """What a document wants to be done when it is opened is not done, and the page is seen."""
    for name, action in ACTIONS.items():
        leaf = Leaf(content=says("Manual"))
        opening = objects_of(leaf, catalog=b"/OpenAction 5 0 R", more=[action])
        yield Case(name=f"actions/{name}", data=document(opening), sheets=texts("Manual"))
    for name in ("script", "launch"):
        shown = Leaf(content=says("Manual"), entries=A4 + b"/AA<</O 5 0 R>>")
        data = document(objects_of(shown, more=[ACTIONS[name]]))
        yield Case(name=f"actions/{name}-of-a-page", data=data, sheets=texts("Manual"))
    names = b"/Names<</JavaScript<</Names[(a) 5 0 R]>>>>"
    data = document(
        objects_of(Leaf(content=says("Manual")), catalog=names, more=[ACTIONS["script"]])
    )
    yield Case(name="actions/script-of-the-document", data=data, sheets=texts("Manual"))


def attachments() -> Iterator[Case]:
    """What is attached is not opened, and is no page."""

    def attached(data: bytes, name: bytes = b"x.exe") -> bytes:
        file = b"<</Type/Filespec/F(%b)/EF<</F 6 0 R>>>>" % name
        names = b"/Names<</EmbeddedFiles<</Names[(x) 5 0 R]>>>>"
        more = [file, packed(data, b"/Type/EmbeddedFile")]
        return document(objects_of(Leaf(content=says("Manual")), catalog=names, more=more))

    kinds = {
        "program": attached(b"MZ" + bytes(500)),
        "document": attached(pdf(text("Attached")), b"x.pdf"),
        "bomb": attached(bytes(20_000_000), b"x.zip"),
        "path": attached(b"x", b"../../../etc/passwd"),
    }
    for name, data in kinds.items():
        yield Case(name=f"attachments/{name}", data=data, sheets=texts("Manual"))
    portfolio = objects_of(Leaf(content=says("Manual")), catalog=b"/Collection<</View/T>>")
    data = document(portfolio)
    yield Case(name="attachments/portfolio", data=data, sheets=texts("Manual"))
    note = b"<</Type/Annot/Subtype/FileAttachment/F 2/FS 5 0 R%b>>" % LOWER
    data = with_notes(note, more=[b"<</Type/Filespec/F(/etc/passwd)>>"])
    yield Case(name="attachments/on-a-page", data=data, sheets=texts("Manual"))
    elsewhere = b"<</F(/etc/passwd)/FFilter/FlateDecode/Length 0>>stream\n\nendstream"
    data = sheet(says("Manual") + b"/X Do", FONT + b"/XObject<</X 5 0 R>>", more=[elsewhere])
    yield Case(name="attachments/drawn-from-a-file", data=data, sheets=texts("Manual"))


def outlines() -> Iterator[Case]:
    """Tables of contents, destinations, labels and metadata change nothing of what is seen."""
    entries = {
        "outline": (
            b"/Outlines 5 0 R",
            [b"<</First 6 0 R/Last 6 0 R/Count 1>>", b"<</Title(A)/Parent 5 0 R/Dest[3 0 R/Fit]>>"],
        ),
        "outline-of-itself": (
            b"/Outlines 5 0 R",
            [b"<</First 6 0 R/Last 6 0 R>>", b"<</Title(A)/Parent 5 0 R/Next 6 0 R/First 6 0 R>>"],
        ),
        "labels": (b"/PageLabels<</Nums[0<</S/r/St 5>>]>>", []),
        "labels-of-nothing": (b"/PageLabels<</Nums[0 7 8 9]>>", []),
        "full-screen": (b"/PageMode/FullScreen/ViewerPreferences<</Direction/R2L>>", []),
        "metadata": (
            b"/Metadata 5 0 R",
            [stream(b"/Type/Metadata/Subtype/XML", b"<?xpacket?><x>" * 99)],
        ),
        "structure": (
            b"/MarkInfo<</Marked true>>/StructTreeRoot 5 0 R",
            [b"<</Type/StructTreeRoot/K 5 0 R>>"],
        ),
        "article": (b"/Threads[5 0 R]", [b"<</F 5 0 R/N 5 0 R>>"]),
    }
    for name, (catalog, more) in entries.items():
        objects = objects_of(Leaf(content=says("Manual")), catalog=catalog, more=more)
        yield Case(name=f"outlines/{name}", data=document(objects), sheets=texts("Manual"))
