"""Rewrite the blocks of docs/ that are made from the code, or check that they are up to date.

A block stands between `<!-- begin generated: NAME -->` and `<!-- end generated -->`. What is in between is replaced by
what BLOCKS[NAME] makes; everything else of a page is written by hand.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from node.core import envelope
from node.core.errors import CODES, Family
from node.core.limits import DEFAULT_LIMITS
from node.core.state import BARRED_CODES
from node.core.suites import SUITES
from node.pb import channel_pb2
from scripts import gen_docs_answers, gen_docs_commands, gen_docs_rules, gen_docs_simulator
from scripts.protocol_example import example

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"(?<=<!-- begin generated: )([a-z-]+)( -->\n).*?(?=<!-- end generated -->)", re.DOTALL)
LINE_CHARS = 100

FAMILIES: Mapping[Family, str] = {
    Family.OPERATOR: "the input or the settings on this machine are wrong: nothing was changed",
    Family.PEER: "what another node or the registry sent is wrong: it is refused and named",
    Family.WIRE: "somebody cannot be reached: it is tried again",
    Family.LOCAL: "this machine failed: nothing was acknowledged",
    Family.RULE: "a record, a row or an authentic entry is barred or makes no sense: it is counted, no call fails",
}

# Units as limits.py writes them at the end of a name.
UNITS: Mapping[str, str] = {
    "_bytes": "bytes",
    "_bytes_per_peer": "bytes",
    "_calls_per_s": "calls/s",
    "_chars": "characters",
    "_deadline_s": "s",
    "_age_ms": "ms",
    "_skew_ms": "ms",
    "_unix_ms": "ms since 1970, UTC",
}


def limits_table() -> str:
    """Every limit with its value and unit."""
    rows = [(field.name, getattr(DEFAULT_LIMITS, field.name)) for field in fields(DEFAULT_LIMITS)]
    return _table(("limit", "value", "unit"), ((f"`{name}`", f"{value:,}", _unit(name)) for name, value in rows))


def _unit(name: str) -> str:
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "count")


def errors_table() -> str:
    """Every code, by family."""
    return "\n".join(_family_table(family, meaning) for family, meaning in FAMILIES.items())


def _family_table(family: Family, meaning: str) -> str:
    head = f"**{family.value.upper()}**: {meaning}.\n\n"
    rows = (
        (f"`{code}`", spec.text, spec.who, spec.next, spec.status)
        for code, spec in sorted(CODES.items())
        if spec.family is family
    )
    return head + _table(("code", "text", "who acts", "next step", "gRPC"), rows)


def payload_types_table() -> str:
    """The payload types of signed messages."""
    named = {
        "EntryHeader": envelope.ENTRY_HEADER,
        "Heartbeat": envelope.HEARTBEAT,
        "Receipt": envelope.RECEIPT,
        "NodeDescriptor": envelope.NODE_DESCRIPTOR,
        "AddressRecord": envelope.ADDRESS,
        "HeadReport": envelope.HEAD_REPORT,
        "OfficerStatement": envelope.OFFICER_STATEMENT,
        "DeliveryStatement": envelope.DELIVERY_STATEMENT,
    }
    return _table(("message", "payload type"), ((f"`{name}`", f"`{kind}`") for name, kind in named.items()))


def suites_table() -> str:
    """The signature suites."""
    return "".join(f"- `{name}`\n" for name in SUITES)


def outcomes_list() -> str:
    """What may become of a record at a receiver."""
    values = channel_pb2.RecordOutcome.DESCRIPTOR.values
    names = [value.name.removeprefix("RECORD_OUTCOME_") for value in values]
    return ", ".join(f"`{name}`" for name in names if name != "UNSPECIFIED") + "\n"


def barred_list() -> str:
    """The codes whose content a receiver does not keep."""
    return ", ".join(f"`{code}`" for code in sorted(BARRED_CODES)) + "\n"


def example_block() -> str:
    """The worked example, each value under its name."""
    lines: list[str] = []
    for step in example():
        lines += ["", f"**{step.title}**", "", *step.text.splitlines(), "", "```text"]
        for name, value in step.values.items():
            lines += _named(name, value)
        lines.append("```")
    return "\n".join(lines[1:]) + "\n"


def _named(name: str, value: bytes | str) -> Iterator[str]:
    text = value.hex() if isinstance(value, bytes) else value
    if len(name) + 2 + len(text) <= LINE_CHARS:
        yield f"{name}: {text}"
        return
    yield f"{name}:"
    step = LINE_CHARS - 4 if isinstance(value, bytes) else LINE_CHARS * 4
    yield from (f"  {text[at : at + step]}" for at in range(0, len(text), step))


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "barred": barred_list,
    "errors": errors_table,
    "example": example_block,
    "limits": limits_table,
    "outcomes": outcomes_list,
    "payload-types": payload_types_table,
    "suites": suites_table,
    **gen_docs_answers.BLOCKS,
    **gen_docs_commands.BLOCKS,
    **gen_docs_rules.BLOCKS,
    **gen_docs_simulator.BLOCKS,
}


def rewritten(page: str) -> str:
    """The page with its generated blocks as the code makes them now; raises KeyError for a block nobody makes."""
    return BLOCK.sub(lambda match: f"{match[1]}{match[2]}{BLOCKS[match[1]]()}", page)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/gen_docs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and say what differs")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the pages")
    options = parser.parse_args(arguments)
    outdated = []
    for page in sorted(options.docs.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        wanted = rewritten(text)
        if wanted != text:
            outdated.append(page)
            if not options.check:
                page.write_text(wanted, encoding="utf-8", newline="\n")
    for page in outdated if options.check else ():
        print(f"differs: {page.name}. Run scripts/gen_docs and commit it.")
    return 1 if options.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
