"""How well tables are read, kind by kind: python -m tests.tables.figures"""

import time
from collections import defaultdict

from mmsearch_core.adapters.document_tables import read_tables
from mmsearch_core.settings import Decode
from tests.tables.made import every
from tests.tables.score import Scores


def main() -> None:
    """In this process, so that its seconds are counted."""
    scores = Scores()
    seconds: dict[str, float] = defaultdict(float)
    pages: dict[str, int] = defaultdict(int)
    for made in every():
        count = max(made.tables, default=1)
        start = time.process_time()
        tables = read_tables(made.pdf, range(1, count + 1), Decode())
        seconds[made.kind] += time.process_time() - start
        pages[made.kind] += count
        for page in range(1, count + 1):
            scores[made.kind].add(made.tables.get(page, []), tables.get(page, []))
    for kind, score in scores.items():
        confidence = score.confidence / max(score.read, 1)
        print(
            f"{kind:15} cells {score.exact}/{score.cells}, tables {score.read}/{score.tables},"
            f" headers {score.headers}, confidence {confidence:.2f},"
            f" {1000 * seconds[kind] / pages[kind]:.0f} ms per page"
        )


if __name__ == "__main__":
    main()
