"""What cells and headers measure."""

import pytest

from mmsearch_core.media.quantity import quantity, unit_of_header


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("80", 80, ""),
        ("80 cm", 80, "cm"),
        ("80cm", 80, "cm"),
        ("60.0", 60, ""),
        ("0,5", 0.5, ""),
        (".5", 0.5, ""),
        ("1.234,5", 1234.5, ""),
        ("1,234.5", 1234.5, ""),
        ("1 234,5", 1234.5, ""),
        ("1'234.50", 1234.5, ""),
        ("27.083.460", 27083460, ""),
        ("11,062 .6", 11062.6, ""),
        ("467 .9 kg", 467.9, "kg"),
        ("1,234", 1234, ""),
        ("0,125", 0.125, ""),
        ("1.234", 1.234, ""),
        ("0.420", 0.42, ""),
        ("€ 12.90", 12.9, "€"),
        ("12,90 €", 12.9, "€"),
        ("CHF 5", 5, "CHF"),
        ("½", 0.5, ""),
        ("5½ in", 5.5, "in"),
        ("5 1/2 in", 5.5, "in"),
        ("12%", 12, "%"),
        ("5 %", 5, "%"),
        ("182 g/m²", 182, "g/m2"),
        ("120 per cm", 120, "per cm"),
        ("80厘米", 80, "厘米"),
        ("８０ｃｍ", 80, "cm"),
        ("٨٠", 80, ""),
        ("-5 °C", -5, "°C"),
        ("\u22125 °C", -5, "°C"),
        ("± 0.5", 0.5, ""),
        ("5L", 5, "L"),
        ("90 (35.4 in)", 90, ""),
        ('10 "', 10, '"'),
    ],
)
def test_a_cell_that_measures_something(text: str, number: float, unit: str) -> None:
    assert quantity(text) == (number, unit)


@pytest.mark.parametrize(
    "text", ["80\u201384 cm", "80-84 cm", "80cm\u201384cm", "80 to 84 cm", "80至84 cm"]
)
def test_a_range_counts_as_its_lower_bound(text: str) -> None:
    assert quantity(text) == (80, "cm")


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "\u2013", "n/a", "M", "XL", "3XL", "2XS", "32B", "EU 42", "S/M", "most sold"),
        *("1.2.3", "1,2,3", "2026-11-27", "10:30", "80/84", "80 x 120 cm", "1e5", "9" * 400),
        *("Wash at 30 degrees", "(", "1" + " 1" * 40),
    ],
)
def test_any_other_cell_measures_nothing(text: str) -> None:
    assert quantity(text) == (None, "")


@pytest.mark.parametrize(
    ("text", "head", "unit"),
    [
        ("Waist (cm)", "Waist", "cm"),
        ("Waist [cm]", "Waist", "cm"),
        ("Waist cm", "Waist", "cm"),
        ("Waist, cm", "Waist", "cm"),
        ("Waist in cm", "Waist", "cm"),
        ("腰围（厘米）", "腰围", "厘米"),
        ("腰围/厘米", "腰围", "厘米"),
        ("Price €", "Price", "€"),
        ("Waist", "Waist", ""),
        ("Chest (slim fit)", "Chest (slim fit)", ""),
        ("cm", "cm", ""),
        ("M", "M", ""),
    ],
)
def test_a_header_says_a_unit(text: str, head: str, unit: str) -> None:
    assert unit_of_header(text) == (head, unit)
