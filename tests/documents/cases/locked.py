"""Documents that are encrypted."""

from __future__ import annotations

from collections.abc import Iterator

from tests.documents.case import DAMAGED, OTHER, Case, Sheet, texts
from tests.documents.made import pdf, text

METHODS = {"rc4-40": 2, "rc4-128": 3, "aes-128": 4, "aes-256": 5}


def owners() -> Iterator[Case]:
    """Whoever wants to print or to change it needs a password; who looks at it needs none."""
    pages = [text("Manual"), text("Size chart")]
    for name, method in METHODS.items():
        for allowed in (-1, -3904):
            data = pdf(*pages, encryption=method, owner_pw="owner", permissions=allowed)
            sheets = texts("Manual", "Size chart")
            kind = "nothing-allowed" if allowed < -1 else "all-allowed"
            yield Case(name=f"owners/{name}-{kind}", data=data, sheets=sheets)


def users() -> Iterator[Case]:
    """Nobody can look at it without the password."""
    says = "needs a password: upload it without one"
    for name, method in METHODS.items():
        data = pdf(text("Manual"), encryption=method, owner_pw="owner", user_pw="user")
        yield Case(name=f"users/{name}", data=data, fails=OTHER, says=says)
    same = pdf(text("Manual"), encryption=5, owner_pw="one", user_pw="one")
    yield Case(name="users/same-for-both", data=same, fails=OTHER, says=says)
    chinese = pdf(text("Manual"), encryption=5, owner_pw="密码", user_pw="密码")
    yield Case(name="users/chinese", data=chinese, fails=OTHER, says=says)


def strange() -> Iterator[Case]:
    """Documents whose encryption nobody knows."""
    data = pdf(text("Manual"), encryption=4, owner_pw="owner")
    kinds = {
        "unknown-handler": data.replace(b"/Filter/Standard", b"/Filter/Adobe.Ky"),
        "unknown-version": data.replace(b"/V 4", b"/V 9"),
        "no-key": data.replace(b"/O<", b"/P<"),
    }
    for name, changed in kinds.items():
        assert changed != data
        if name == "unknown-version":  # PDFium tries the one before, and can read it
            yield Case(name=f"strange/{name}", data=changed, sheets=(Sheet(text="Manual"),))
        else:
            yield Case(name=f"strange/{name}", data=changed, fails=OTHER | DAMAGED)
