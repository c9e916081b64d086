"""What commands print of hits and figures: a table for people, or JSON for programs."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mmsearch_core.stages.evaluate import METRICS


def show_hits(found: Mapping[str, Any], as_json: bool) -> None:
    """What was found for one query."""
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    table = Table("", "product", "relevance", "fused", "verdict", "seen", title=f"{found['query']}")
    for place, hit in enumerate(found["hits"], start=1):
        seen = hit["evidence"]["text"].splitlines()
        scores = ("–" if hit[name] is None else f"{hit[name]:.3f}" for name in ("relevance", "fused"))
        table.add_row(str(place), hit["product_id"], *scores, hit["verdict"] or "–", seen[0] if seen else "")
    Console().print(table)


def show_figures(report: Mapping[str, Any], as_json: bool, *, title: str) -> None:
    """What ``evaluate`` measured."""
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    table = Table("group", "queries", "row", *METRICS, title=title)
    for row in report["rows"]:
        figures = [f"{row[name]:.3f}" for name in METRICS]
        table.add_row(row["group"], str(row["queries"]), row["row"], *figures, end_section=row["row"] == "oracle")
    Console().print(table)
    room = report["headroom"]
    sys.stdout.write(f"headroom recovered by the judge: {room['recovered']}, p = {room['p_value']}\n")
