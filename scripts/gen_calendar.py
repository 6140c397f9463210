"""Compile registry/editions/calendar-<version>.json, the built-in calendar of working days, from chinesecalendar.

The State Council's notices are the source; chinesecalendar (MIT) has typed them off, year by year. Every autumn, when
the notice for the next year is out: take the newest version into requirements-data.in, run scripts/lock, raise VERSION
and ISSUED_ON here and run this script. Running networks get the new file by `xinqiao registry propose calendar`.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from node.core.workdays import FORMAT, parse_calendar

ROOT = Path(__file__).resolve().parents[1]
VERSION = "2026.1"
ISSUED_ON = "2025-11-04"
"""The day of the notice for the last year, 国务院办公厅关于2026年部分节假日安排的通知."""
TARGET = ROOT / "registry" / "editions" / f"calendar-{VERSION}.json"
CONSTANTS = "chinese_calendar/constants.py"


def compiled(sources: Path) -> bytes:
    """The calendar as the packages in a folder give it."""
    tables = dict(_tables(ast.parse((sources / CONSTANTS).read_text("utf-8"))))
    years = sorted({day.year for day in tables["holidays"]})
    document = {
        "format": FORMAT,
        "version": VERSION,
        "issued_on": ISSUED_ON,
        "source": f"国务院办公厅关于部分节假日安排的通知, {years[0]} to {years[-1]}, as in {_named(sources)} (MIT)",
        "years": {str(year): {name: _days(tables[name], year) for name in ("holidays", "workdays")} for year in years},
    }
    content = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    parse_calendar(content)
    return content


def _tables(tree: ast.Module) -> Iterator[tuple[str, list[date]]]:
    """The days of each table of the module, read and not run."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            yield node.targets[0].id, [_day(key) for key in node.value.keys if isinstance(key, ast.Call)]


def _day(call: ast.Call) -> date:
    parts: Mapping[str | None, int] = {part.arg: ast.literal_eval(part.value) for part in call.keywords}
    return date(parts["year"], parts["month"], parts["day"])


def _days(days: list[date], year: int) -> list[str]:
    return [day.isoformat() for day in sorted(days) if day.year == year]


def _named(sources: Path) -> str:
    (found,) = sources.glob("chinesecalendar-*.dist-info")
    return found.name.removesuffix(".dist-info").replace("-", " ")


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/gen_calendar", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=Path, required=True, help="folder with the pinned packages")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file differs")
    options = parser.parse_args(arguments)
    content = compiled(options.sources)
    if options.check:
        differs = not TARGET.exists() or TARGET.read_bytes() != content
        print(f"{TARGET.relative_to(ROOT)} differs" if differs else "up to date")
        return int(differs)
    TARGET.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
