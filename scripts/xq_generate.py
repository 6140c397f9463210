"""Deterministic licence and penalty files for demonstrations and tests.

    python scripts/xq_generate.py penalty.2018 --count 500 --seed 7 --authority 11319900MX00000199 -o penalties.csv

The same arguments always make the same bytes. Nothing here can be taken for a real company or authority:

- Subjects and authorities have codes whose check digits are right but whose registration division does not
  exist: the province with 9900 behind it (319900). No registrar has that division, so no such code is ever
  issued; every program that checks digits still treats it like a real one.
- Every name holds the word 示例 (example).
- Natural persons, which --persons SHARE puts in the place of that share of the subjects, have identity numbers of
  that same division, telephone numbers that begin with 100, as no telephone's does, and an address that is none.

--defects SHARE plants mistakes of the kinds in DEFECTS in that share of the rows, chosen by the seed, and writes
beside FILE the list FILE.expected.csv: row number as a spreadsheet shows it, expected code, column. The list is
what a publication on a class C channel must report.
"""

import argparse
import csv
import sys
from pathlib import Path

# Run as a script, the interpreter looks beside this file only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from node.bench.rows import (
    DEFECTS,
    RESIDENT_ID,
    Generated,
    Person,
    Plan,
    Row,
    columns,
    example_division,
    example_person,
    example_resident_id,
    example_uscc,
    generate,
)
from node.core.catalogue import Edition, parse_edition
from node.core.errors import CODES
from node.core.identifiers import division_fault, uscc_fault

__all__ = [
    "DEFECTS",
    "EDITION_FILE",
    "RESIDENT_ID",
    "Generated",
    "Person",
    "Plan",
    "Row",
    "columns",
    "example_division",
    "example_person",
    "example_resident_id",
    "example_uscc",
    "generate",
    "load_edition",
    "write_file",
]

EDITION_FILE = Path(__file__).resolve().parents[1] / "registry" / "editions" / "catalogue-2026.1.json"


def load_edition() -> Edition:
    """Return the first catalogue edition."""
    return parse_edition(EDITION_FILE.read_bytes())


# --- Files --------------------------------------------------------------------------------------------------


def write_file(plan: Plan, path: Path) -> int:
    """Write the CSV file of a plan (UTF-8 with BOM, as spreadsheets write it) and return the number of planted rows."""
    header = columns(load_edition().item(plan.item))
    planted: list[Generated] = []
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, header, restval="")
        writer.writeheader()
        for generated in generate(plan):
            writer.writerow(generated.row)
            if generated.code:
                planted.append(generated)
    if plan.defects:
        _write_expected(path.with_name(f"{path.stem}.expected.csv"), planted)
    return len(planted)


def _write_expected(path: Path, planted: list[Generated]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["row", "code", "column"])
        writer.writerows((one.number, one.code, one.column) for one in planted)


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("item", choices=["licence.2018", "penalty.2018"])
    parser.add_argument("--count", type=int, required=True, help="number of rows")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--division", default="310115", help="GB/T 2260 code, for names and document numbers")
    parser.add_argument("--authority", default="", help="USCC of the authority; without it, an example one")
    parser.add_argument("--defects", type=float, default=0.0, help="share of rows with a planted mistake, 0 to 1")
    parser.add_argument("--persons", type=float, default=0.0, help="share of rows about natural persons, 0 to 1")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    for fault in (division_fault(arguments.division), arguments.authority and uscc_fault(arguments.authority)):
        if fault:
            parser.error(CODES[fault].text.format(title="--division or --authority"))
    plan = Plan(
        arguments.item,
        arguments.count,
        arguments.seed,
        arguments.division,
        arguments.authority,
        arguments.defects,
        arguments.persons,
    )
    planted = write_file(plan, arguments.output)
    print(f"{arguments.output}: {plan.count} rows, {planted} of them with a planted mistake", file=sys.stderr)


if __name__ == "__main__":
    main()
