"""Files to publish: generated registrations and decisions of subjects whose codes cannot be issued."""

import csv
from collections.abc import Iterable
from pathlib import Path

from scripts.xq_generate import Plan, example_uscc, write_file

REGISTERED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "registrations.csv"
COLUMNS = ("uni_social_crd_cd", "comp_nm", "reg_state", "reg_org", "addr")


def subject(serial: int) -> str:
    """The code of an example enterprise."""
    return example_uscc("91", "310115", serial)


def registrations(path: Path, serials: Iterable[int], state: str = "存续") -> Path:
    """Write registrations of example enterprises, one row a serial number."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for serial in serials:
            place = f"示例路{serial}号"
            writer.writerow([subject(serial), f"示例{serial:06d}贸易有限公司", state, "示例登记机关", place])
    return path


def penalties(path: Path, count: int, authority: str, *, seed: int = 1, defects: float = 0.0) -> int:
    """Write penalty decisions; the number of rows with a planted mistake."""
    return write_file(Plan("penalty.2018", count, seed, authority=authority, defects=defects), path)
