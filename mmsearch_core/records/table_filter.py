"""A condition that a row of a table has to meet."""

from dataclasses import dataclass
from typing import Literal

Operator = Literal["=", "<", "<=", ">", ">=", "contains"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the row has to say in the column with this header; the unit is "" where any will do."""

    header: str
    op: Operator
    value: str
    unit: str
