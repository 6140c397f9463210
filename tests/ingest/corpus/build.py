"""Writes the corpus of dirty files and the table of their outcomes: python -m tests.ingest.corpus.build FOLDER"""

import csv
import sys
from pathlib import Path

from tests.ingest.corpus import headers, lawful, texts, workbooks
from tests.ingest.corpus.case import Case

CASES: tuple[Case, ...] = (*headers.CASES, *texts.CASES, *workbooks.CASES, *lawful.CASES)
COLUMNS = ("file", "what", "row", "outcome", "column", "cell", "values")


def write(folder: Path) -> None:
    """Write every file and outcomes.csv; the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "outcomes.csv").open("w", encoding="utf-8-sig", newline="") as out:
        table = csv.writer(out)
        table.writerow(COLUMNS)
        for case in CASES:
            (folder / case.name).write_bytes(case.build())
            if case.refused:
                table.writerow([case.name, case.what, "", case.refused])
            for one in case.outcomes:
                values = "; ".join(f"{code}={text}" for code, text in one.values.items())
                table.writerow([case.name, case.what, one.row, one.outcome, one.column, one.cell, values])


if __name__ == "__main__":
    write(Path(sys.argv[1]))
