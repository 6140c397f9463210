"""Where a process spends its time: stacks that py-spy samples, as a flame graph and by the stages of an entry.

A sample counts for the stage of the innermost function that belongs to one: what a function of ours lets the
interpreter or a library do is done for its stage.
"""

import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from node.bench.programs import demand
from node.core.errors import XinqiaoError

PROGRAM = "py-spy"
PER_S = 200
END_LIMIT_S = 60
OTHER = "other"

# Of two that fit one function the first counts. The names of functions are alternatives; none stands for all of a file.
_STAGES = (
    ("hash", r"core/merkle\.py", ""),
    ("hash", r"core/entry\.py", "commitment|records_root"),
    ("verify", r"core/suites\.py|core/channel\.py", ""),
    ("verify", r"core/envelope\.py", "verify|signers|pae|_check_shape"),
    ("split", r"core/entry\.py|core/envelope\.py|storage/slots\.py", ""),
    ("acknowledge", r"core/receipt\.py|keys/signer\.py", ""),
    ("acknowledge", r"/receiving\.py", "_receipt|take_receipts|_open_receipt|_sign_receipt|_is_kept"),
    ("validate", r"core/(?:validation|rules|rules_edition|record|catalogue|identifiers|workdays|defects)\.py", ""),
    ("validate", r"core/state\.py", "judge|content_hash|validator_for|judge_for"),
    ("fold", r"core/(?:state|list_fold|acts)\.py|/admission\.py|/list_standing\.py", ""),
    ("store", r"node/storage/|sqlalchemy/|sqlmodel/|psycopg/|/ports\.py", ""),
    ("receive", r"node/rpc/|grpc/|/transfers\.py|/receiving\.py|/delivery\.py|/sharing\.py|/links\.py", ""),
)
STAGES = ("receive", "split", "hash", "verify", "validate", "store", "fold", "acknowledge", OTHER)
_RULES = tuple(
    (stage, re.compile(file), re.compile(rf"(?:{names})\Z") if names else None) for stage, file, names in _STAGES
)
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(?::\d+)?\)")


def check_installed() -> str:
    """The path of py-spy; raises BENCH_PROFILER where it is not installed."""
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise XinqiaoError("BENCH_PROFILER", program=PROGRAM, python=sys.executable)
    return found


@contextmanager
def sampled(processes: Mapping[str, int], folder: Path) -> Iterator[None]:
    """Sample processes meanwhile, with those that they start; leaves NAME.collapsed for each in the folder."""
    options = (
        "--format",
        "raw",
        "--rate",
        str(PER_S),
        "--subprocesses",
        "--full-filenames",
        "--nolineno",
        "--nonblocking",
    )
    recording = [
        subprocess.Popen(
            [check_installed(), "record", "--pid", str(process), *options, "--output", str(_collapsed(folder, name))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, process in processes.items()
    ]
    try:
        yield
    finally:
        for each in recording:
            each.send_signal(signal.SIGINT)
        said = [each.communicate(timeout=END_LIMIT_S)[1] for each in recording]
    for name, told in zip(processes, said, strict=True):
        demand(_collapsed(folder, name).exists(), f"{PROGRAM} has recorded nothing of the {name}", told)


def _collapsed(folder: Path, name: str) -> Path:
    return folder / f"{name}.collapsed"


@dataclass(frozen=True, slots=True)
class Profile:
    """The samples of one process: seconds by stage, and the file of its flame graph."""

    seconds: dict[str, float]
    flame_graph: Path


def profile(folder: Path, name: str) -> Profile:
    """Draw the flame graph of what was sampled, and count the stages."""
    stacks = list(read(_collapsed(folder, name).read_text("utf-8")))
    graph = folder / f"{name}.svg"
    graph.write_text(flame_graph(stacks, name), "utf-8")
    found = stages(stacks)
    return Profile({stage: round(found[stage] / PER_S, 3) for stage in STAGES}, graph)


Stack = tuple[Sequence[str], int]
"""Functions, the outermost first, and how often they were found so."""


def read(text: str) -> Iterator[Stack]:
    """The stacks of a file of collapsed stacks."""
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        if count.isdecimal():
            yield frames.split(";"), int(count)


def stages(stacks: Sequence[Stack]) -> Counter[str]:
    """How many samples belong to each stage."""
    found = Counter[str]()
    for frames, count in stacks:
        found[next(filter(None, map(stage_of, reversed(frames))), OTHER)] += count
    return found


def stage_of(frame: str) -> str | None:
    """The stage of a function as py-spy names it, "NAME (FILE:LINE)"; None where it has none."""
    match = _FRAME.fullmatch(frame)
    if match is None:
        return None
    fitting = (stage for stage, file, names in _RULES if file.search(match["file"]) and _fits(names, match["function"]))
    return next(fitting, None)


def _fits(names: re.Pattern[str] | None, function: str) -> bool:
    return names is None or names.fullmatch(function.rpartition(".")[2]) is not None


# -- the flame graph ---------------------------------------------------------------------------------------------

WIDTH, ROW, LEAST_WIDTH = 1400.0, 17, 0.3
COLOURS = dict(
    zip(
        STAGES,
        ("#8ecae6", "#a3b18a", "#f4a261", "#e76f51", "#e9c46a", "#b5838d", "#90be6d", "#cdb4db", "#d9d9d9"),
        strict=True,
    )
)


@dataclass
class _Box:
    count: int = 0
    inner: dict[str, "_Box"] = field(default_factory=dict)


def flame_graph(stacks: Sequence[Stack], title: str) -> str:
    """An SVG picture: each function as wide as the samples in which it stands, above what it calls."""
    root = _Box()
    for frames, count in stacks:
        root.count += count
        box = root
        for frame in frames:
            box = box.inner.setdefault(frame, _Box())
            box.count += count
    parts = list(_drawn(root, 0.0, 1, WIDTH / max(root.count, 1)))
    height = ROW * (2 + max((len(frames) for frames, _ in stacks), default=0))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}" font-family="monospace" '
    named = f'<text x="4" y="12">{escape(title)}: {root.count / PER_S:.1f} s</text>'
    return "\n".join([f'{head}font-size="11">', named, *parts, "</svg>", ""])


def _drawn(box: _Box, x: float, depth: int, scale: float) -> Iterator[str]:
    for name, inner in sorted(box.inner.items()):
        width = inner.count * scale
        if width >= LEAST_WIDTH:
            function, _, file = name.partition(" (")
            colour = COLOURS[stage_of(name) or OTHER]
            told = escape(f"{function}, {file.rstrip(')')}: {inner.count / PER_S:.2f} s", {'"': "&quot;"})
            shape = f'x="{x:.1f}" y="{depth * ROW}" width="{width:.1f}" height="{ROW - 1}" fill="{colour}"'
            shown = escape(function[: int(width / 7)]) if width > ROW else ""
            text = f'<text x="{x + 2:.1f}" y="{depth * ROW + 12}">{shown}</text>' if shown else ""
            yield f"<g><title>{told}</title><rect {shape}/>{text}</g>"
            yield from _drawn(inner, x, depth + 1, scale)
        x += width
