"""Replays the stories of the pages, says what prints something else, and writes it into the page if told so.

    python -m tests.docs.record [STORY...]            only says it; without a name, of every story
    python -m tests.docs.record --write [STORY...]    and rewrites these outputs in the pages

What still fits is left as it is, shortened lines included; so shorten what is new afterwards, and copy the transcripts
of README.md to README.zh-CN.md. Of a doctor's examination in a drill only what is not well is written.

A drill fills a small disk, which it mounts where nobody else sees it; where that is not permitted it is left out.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tests.docs.replay import MAY_MOUNT, Replay
from tests.docs.story import STORIES, tell
from tests.docs.transcript import Names, Step, is_well, match, steps

OWN_MOUNTS = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))
BY_DATE = re.compile(r"^\[[^]]+\] (?:working days|工作日历)")
SKIPPED = "…"
LEFT_OUT = "left out: nothing may be mounted here"


def rewrite(path: Path, replay: Replay) -> None:
    """Replace the output of every step that prints something else."""
    by_line = {step.line: step for step in steps(path)}
    lines = path.read_text("utf-8").splitlines()
    for number in sorted(by_line, reverse=True):
        step = by_line[number]
        printed = replay.printed.get(step)
        if printed is not None and (match(step.output, printed, Names()) or is_sketch(step, printed)):
            start = number
            while lines[start - 1].endswith("\\"):
                start += 1
            lines[start : start + len(step.output)] = shortened(step, printed)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def is_sketch(step: Step, printed: Sequence[str]) -> bool:
    """Whether the page leaves out of a doctor's examination what it is to say."""
    return (
        SKIPPED in step.output and "xinqiao doctor" in step.command and len(shortened(step, printed)) > len(step.output)
    )


def shortened(step: Step, printed: Sequence[str]) -> list[str]:
    """What the page is to say: all lines, but of a doctor's only those that are not well and the same every day."""
    lines = [line.rstrip() for line in printed if line.strip()]
    if "xinqiao doctor" not in step.command:
        return lines
    left_out, shown = False, []
    for line in lines:
        if line.startswith("["):
            left_out = bool(BY_DATE.match(line)) or (SKIPPED in step.output and is_well(line))
        elif not line.startswith(" "):
            left_out = False
        shown.append(SKIPPED if left_out else line)
    return [line for line, run in groupby(shown) for line in ([line] if line == SKIPPED else run)]


def alone(arguments: Sequence[str]) -> list[str]:
    """The command that replays with mounts of its own, where this machine permits it."""
    command = [sys.executable, "-m", "tests.docs.record", *arguments]
    for before in OWN_MOUNTS:
        try:
            subprocess.run([*before, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return ["env", f"{MAY_MOUNT}=1", *before, *command]
    return command


def _main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="rewrite the outputs in the pages")
    parser.add_argument("stories", nargs="*", choices=[*STORIES, []], help="those to replay; all unless given")
    options = parser.parse_args()
    if MAY_MOUNT not in os.environ:
        os.environ[MAY_MOUNT] = ""
        return subprocess.run(alone(sys.argv[1:]), check=False).returncode
    failed = False
    for name in options.stories or STORIES:
        failed |= _replay(name, write=options.write)
    return int(failed)


def _replay(name: str, *, write: bool) -> bool:
    story = STORIES[name]
    replay = Replay(story.language)
    try:
        for step in tell(replay, story):
            print(f"{step}\n    {LEFT_OUT}")
        for fault in replay.wrong:
            print(fault)
        for path in story.pages if write else ():
            rewrite(path, replay)
    finally:
        replay.close()
    return bool(replay.wrong)


if __name__ == "__main__":
    sys.exit(_main())
