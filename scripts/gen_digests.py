"""The digests of five seeds in docs/SIMULATOR.md: write them as they are now, or compare them.

Any change of what nodes do changes them. They must never differ between two machines, processes or versions of Python.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from node.simulator.running import SWARM, run_once, scenario_for

PAGE = Path(__file__).resolve().parents[1] / "docs" / "SIMULATOR.md"
BLOCK = re.compile(r"(?<=<!-- begin digests -->\n).*?(?=<!-- end digests -->)", re.DOTALL)
ROW = re.compile(r"^\| (\d+) \| .* \| `([0-9a-f]{64})` \| `([0-9a-f]{64})` \|$", re.MULTILINE)
SEEDS = (9, 12, 14, 25, 29)

Digests = Mapping[int, tuple[str, str]]


def digests() -> Digests:
    """The digests of trace and contents of every seed, as this process finds them."""
    runs = [run_once(SWARM, seed) for seed in SEEDS]
    return {ran.seed: (ran.trace_digest, ran.contents_digest) for ran in runs}


def digests_shown(page: str) -> Digests:
    """Those of the page."""
    found = BLOCK.search(page)
    return {int(seed): (trace, contents) for seed, trace, contents in ROW.findall(found[0] if found else "")}


def rewritten(page: str, found: Digests) -> str:
    """The page with these digests."""
    rows = [f"| {seed} | {_about(seed)} | `{trace}` | `{contents}` |" for seed, (trace, contents) in found.items()]
    table = "\n".join(["| Seed | What it is | Trace | Contents |", "|---|---|---|---|", *rows, ""])
    return BLOCK.sub(lambda _: table, page)


def _about(seed: int) -> str:
    return scenario_for(SWARM, seed).name.partition(": ")[2]


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/gen_digests", description=(__doc__ or "").splitlines()[0])
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="write nothing; exit 1 and say what differs")
    choice.add_argument("--json", action="store_true", help="write nothing; print what this process finds")
    options = parser.parse_args(arguments)
    found, page = digests(), PAGE.read_text(encoding="utf-8")
    if options.json:
        print(json.dumps(found))
        return 0
    if options.check:
        shown = digests_shown(page)
        differing = [seed for seed in SEEDS if shown.get(seed) != found[seed]]
        print(*(f"seed {seed}: {found[seed]}, not {shown.get(seed)}" for seed in differing), sep="\n")
        return 1 if differing else 0
    PAGE.write_text(rewritten(page, found), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
