"""What people want to know of the sample shop's size charts, in English and Chinese."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mmsearch_core.demo.size_chart import (
    HEADING,
    MEASURES,
    WORDS,
    SizeChart,
    header,
    number,
    size_chart,
)
from mmsearch_core.records.table_filter import Condition, Operator

if TYPE_CHECKING:
    import numpy as np

# how each comparison is said: %s is the number with its unit
SAID: dict[Operator, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ">=": (("at least %s", "from %s", "%s or more"), ("至少%s", "不小于%s")),
    "<=": (("at most %s", "up to %s", "no more than %s"), ("最多%s", "不超过%s")),
    ">": (("over %s", "more than %s"), ("大于%s", "超过%s")),
    "<": (("under %s", "less than %s"), ("小于%s", "不到%s")),
    "=": (("%s", "of %s"), ("%s", "是%s")),
}
CENTIMETRES = (" cm", "厘米")
AND = ((", ", " and "), ("，", "而且"))


def table_request(rng: np.random.Generator) -> tuple[list[str], str, list[Condition]]:
    """Columns of some tables, a request in words, and the conditions that it means."""
    chinese = int(rng.random() < 0.4)
    chart = size_chart(str(rng.choice(list(MEASURES))), rng, chinese=bool(chinese))
    wanted = 1 + int(rng.random() < 0.25)
    places = rng.permutation(len(chart.rows[0]))[:wanted].tolist()
    said, conditions = [], []
    for place in places:
        text, condition = _condition(chart, place, chinese, rng)
        said.append(text)
        conditions.append(condition)
    request = str(rng.choice(AND[chinese])).join(said)
    if rng.random() < 0.5:
        request = f"{HEADING[chinese].lower()}{'：' if chinese else ': '}{request}"
    return _columns(chart, rng), request, conditions


def _condition(
    chart: SizeChart, place: int, chinese: int, rng: np.random.Generator
) -> tuple[str, Condition]:
    named = chart.rows[0][place]
    spoken = named.removesuffix(" cm").lower()
    if not named.endswith(" cm"):
        label = str(rng.choice([row[place] for row in chart.rows[1:]]))
        return f"{spoken} {label}", Condition(header=named, op="=", value=label, unit="")
    op = list(SAID)[int(rng.choice(len(SAID), p=[0.35, 0.2, 0.15, 0.15, 0.15]))]
    value = number(int(rng.integers(8, 300)) * 0.5)
    with_unit = bool(rng.random() < 0.75)
    measure = value + (CENTIMETRES[chinese] if with_unit else "")
    phrase = str(rng.choice(SAID[op][chinese])) % measure
    text = f"{spoken}{phrase}" if chinese else f"{spoken} {phrase}"
    return text, Condition(header=named, op=op, value=value, unit="cm" if with_unit else "")


def _columns(chart: SizeChart, rng: np.random.Generator) -> list[str]:
    """Those of the chart among others, in any order."""
    others = [header(name, bool(chinese)) for name in WORDS for chinese in (0, 1)]
    some = [name for name in others if rng.random() < 0.5]
    columns = list(dict.fromkeys([*chart.rows[0], *some]))
    return [columns[place] for place in rng.permutation(len(columns))]


def request_answer(conditions: list[Condition]) -> str:
    """The conditions as the JSON of ``table_filter.yaml``."""
    said = [
        {"header": one.header, "op": one.op, "value": one.value, "unit": one.unit}
        for one in conditions
    ]
    return json.dumps({"conditions": said}, ensure_ascii=False)
