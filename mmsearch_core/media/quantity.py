"""What a cell measures: "80 cm" is 80 of "cm".

Of the libraries for this, price-parser (0.5.1) reads "0.420" as 420, "5 1/2 in" as 51 and "3XL" as
3, and knows no sign and no unit; quantulum3 knows English alone and brings 10 MB.
"""

import re
import unicodedata

LONGEST = 60  # characters of a cell that is a quantity
SPACE = "[ \u00a0\u2009\u202f]"
DIGITS = rf"\d{{1,3}}(?:[.,'\u2019]\d{{3}})+(?:[.,]\d+)?|\d{{1,3}}(?:{SPACE}\d{{3}})+(?:[.,]\d+)?"
FRACTION = r"(?:\d{1,3} +)?\d{1,2}[/\u2044](?:2|3|4|5|8|16|32|64)(?![\d/])"
NUMBER = rf"(?:{FRACTION}|{DIGITS}|\d+[.,]\d+|[.,]\d+|\d+)(?![\d.,]*\d)"
CURRENCY = r"(?:[A-Z]{1,3})?[$€£¥₹]|EUR|USD|GBP|CHF|CNY|RMB|JPY"
# from 80 to 84
TO = r"\s*(?:[-\u2010-\u2015~]|to|bis|至|到)\s*"
# letters and signs without a number of their own but an exponent; of two words at most
WORD = r"[^\W\d_][^\s\d;,:()]{0,11}[23]?|[%‰°\"'\u2032\u2033][A-Z]?|/\s?[^\W\d]\w{0,5}"
UNIT = rf"(?:{CURRENCY})|(?:{WORD})(?:\s(?:{WORD}))?"
QUANTITY = re.compile(
    rf"(?:[<>≤≥~≈±]\s*|ca\.\s*)?"
    rf"(?P<before>{CURRENCY})?\s*"
    rf"(?P<number>[-+]?{NUMBER})"
    rf"(?:\s*(?:{UNIT})?{TO}[-+]?{NUMBER})?"
    rf"(?P<space>\s*)(?P<after>{UNIT})?"
    r"(?:\s*\([^()]{1,30}\))?",  # the same in another unit
)
MINUS = re.compile("^([<>≤≥~≈]?\\s*)[\u2010-\u2015\u2212]")
VULGAR = re.compile("(?<=\\d)\\s*(?=[¼-¾⅐-⅞])")
# decimals that are set in a column of their own: "11,062 .6"
APART = re.compile(r"(?<=\d) +(?=\.\d)")
# what is written without a space behind a number and begins with a capital letter
CAPITAL = {"V", "W", "N", "J", "K", "L", "Hz", "Pa", "GB", "MB", "TB", "Nm", "Wh"}
UNITS = {
    *("mm", "cm", "dm", "m", "km", "in", "inch", "inches", "ft", "yd"),
    *("mg", "g", "kg", "t", "lb", "lbs", "oz", "ml", "cl", "l", "m2", "m3", "cm2"),
    *("%", "‰", "°", "°C", "°F", "s", "min", "h", "den", "pcs", "N", "N/mm"),
    *("V", "W", "Hz", "kHz", "Wh", "mAh", "GB", "MB", "TB", "g/m2", "kg/m3"),
    *("EUR", "USD", "GBP", "CHF", "CNY", "RMB", "JPY", "€", "$", "£", "¥"),
    *("毫米", "厘米", "米", "英寸", "克", "千克"),
    *("公斤", "斤", "升", "毫升", "元"),
}
ENCLOSED = re.compile(r"\s*[(\[]\s*(?:in\s+)?([^()\[\]]{1,12}?)\s*[)\]]\s*$")
LAST_WORD = re.compile(r"(?:\s*[,/]\s*(?:in\s+)?|\s+(?:in\s+)?)(\S{1,12})$")


def quantity(text: str) -> tuple[float | None, str]:
    """Number and unit of a cell that is a quantity and nothing else; the unit "" where none is
    said, and (None, "") of any other text, also of a size like "M" or "3XL".

    Of a range the number is the lower bound, which stands there, while a middle would not: whoever
    asks for at least 80 finds "80-84", whoever asks for at most 82 finds it, too, and nobody who
    asks for more than it says. A single comma before three digits groups thousands, a single point
    does not: "1,234" is 1234, and "1.234" little more than 1.
    """
    plain = _plain(text)
    match = QUANTITY.fullmatch(plain) if len(plain) <= LONGEST else None
    if not match or _is_a_size(match):
        return None, ""
    number = _number(match["number"])
    if number is None:
        return None, ""
    return number, (match["after"] or match["before"] or "").strip()


def unit_of_header(text: str) -> tuple[str, str]:
    """A header without its unit, and the unit: "Waist (cm)" and "Waist cm" say both."""
    plain = _plain(text)
    for pattern in (ENCLOSED, LAST_WORD):
        match = pattern.search(plain)
        if match and match.start() and match[1] in UNITS:
            return plain[: match.start()], match[1]
    return text, ""


def _plain(text: str) -> str:
    """Full-width digits, fractions, decimals and signs as they are typed."""
    typed = unicodedata.normalize("NFKC", VULGAR.sub(" ", text)).strip()
    return MINUS.sub(r"\1-", APART.sub("", typed))


def _is_a_size(match: re.Match[str]) -> bool:
    """Whether letters follow the number as in "3XL" or "32B", where they are no unit."""
    after = match["after"] or ""
    if after[:1].isupper() and not match["space"]:
        return after not in CAPITAL and after not in UNITS
    return bool(re.fullmatch(r"X*[SML]|X+[SL]", after)) and after not in CAPITAL


def _number(text: str) -> float | None:
    if "/" in text or "\u2044" in text:
        return _fraction(re.sub("\u2044", "/", text))
    digits = re.sub(rf"{SPACE}|['\u2019]", "", text)
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        decimal = max(digits.rfind("."), digits.rfind(","))
        whole = re.sub("[.,]", "", digits[:decimal])
        return float(f"{whole}.{digits[decimal + 1 :]}")
    if points > 1 or commas > 1 or (commas and _groups(digits)):
        return float(re.sub("[.,]", "", digits))
    return float(digits.replace(",", "."))


def _groups(digits: str) -> bool:
    """Whether the one comma stands before thousands: not in "0,125" and not in "12,5"."""
    return bool(re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", digits))


def _fraction(text: str) -> float:
    *whole, parts = text.split()
    above, below = parts.lstrip("+-").split("/")
    part = int(above) / int(below)
    size = (abs(int(whole[0])) if whole else 0) + part
    return -size if text.startswith("-") else size
