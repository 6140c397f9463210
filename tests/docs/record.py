"""Replays every transcript, says what prints something else than the page, and writes it into the page if told so.

    python -m tests.docs.record            only says it
    python -m tests.docs.record --write    and rewrites these outputs in README.md and docs/OPERATING.md

What still fits is left as it is, shortened lines included; so shorten what is new afterwards, and copy the transcripts
of README.md to README.zh-CN.md.
"""

import sys
from pathlib import Path

from tests.docs.replay import Replay
from tests.docs.story import OPERATING, README, tell
from tests.docs.transcript import Names, match, steps


def rewrite(path: Path, replay: Replay) -> None:
    """Replace the output of every step that prints something else."""
    by_line = {step.line: step for step in steps(path)}
    lines = path.read_text("utf-8").splitlines()
    for number in sorted(by_line, reverse=True):
        step = by_line[number]
        printed = replay.printed.get(step)
        if printed is not None and match(step.output, printed, Names()):
            start = number
            while lines[start - 1].endswith("\\"):
                start += 1
            lines[start : start + len(step.output)] = [line.rstrip() for line in printed if line.strip()]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _main() -> None:
    replay = Replay()
    try:
        tell(replay)
        print("\n".join(replay.wrong))
        for path in (README, OPERATING) if "--write" in sys.argv else ():
            rewrite(path, replay)
    finally:
        replay.close()


if __name__ == "__main__":
    _main()
