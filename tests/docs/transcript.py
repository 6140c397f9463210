"""Console transcripts in the documentation: read, replayed with the real program, and compared in shape.

A transcript is a fenced block of the kind `console`. A line `MACHINE$ COMMAND` is typed on that machine, what follows
is what it printed:

    pudong$ xinqiao init --id 310115 ...
    node 310115 浦东新区 created in /var/lib/xinqiao
    fingerprint: 00a7 91c2 ...

Each machine is a folder: its /var, /etc, /home and so on lie in it, and /media/stick is one for all. HOST.example
is that machine. Hashes, keys, times and addresses may differ from run to run: they are compared by shape, and what the
page calls 00a7... is remembered, so that a later command that names it gets the real one. A line `…` stands for any
lines, `…` in a line for any text.

What breaks the machines in a drill, and no reader is to type, stands in a comment that begins with `<!-- drill`; what
it prints is not compared.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

FENCE = re.compile(r"^(?:```console|<!-- (?P<drill>drill))\n(?P<lines>.*?)^(?:```|-->)$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^(?P<machine>[a-z0-9-]+)\$ (?P<command>.*)$")

# How far the calendar reaches is well, or to look at, by the day.
_WELL = re.compile(r"^\[(?:ok|正常)\] |^\[[^]]+\] (?:working days|工作日历)")

# What differs from run to run; the first that fits counts. The first three are learnt.
_LEARNT = 3
_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"
_SHAPES = (
    (r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}", r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}"),
    (r"(?:ed25519|ecdsa-p256-sha256):[A-Za-z0-9+/]{20,}=*", r"[a-z0-9-]+:[A-Za-z0-9+/]{20,}=*"),
    (r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{16,64}\b", r"[0-9a-f]{16,64}"),
    (_TIME, _TIME),
    (r"(?:[a-z0-9-]+\.example|127\.0\.0\.1|0\.0\.0\.0):\d+", r"(?:[a-z0-9-]+\.example|127\.0\.0\.1|0\.0\.0\.0):\d+"),
    (r"(?:pid|进程号) \d+", r"(?:pid|进程号) \d+"),
    (r"\d+ (?:bytes|字节)", r"\d+ (?:bytes|字节)"),
    (r"-?\d+ (?:ms|MiB|毫秒)", r"-?\d+ (?:ms|MiB|毫秒)"),
    # How many checks there are to look at depends on the date: what ends within 60 days.
    (r"\d+ ok, \d+ to look at|正常 \d+ 项，注意 \d+ 项", r"(?:\d+ ok, \d+ to look at|正常 \d+ 项，注意 \d+ 项)"),
    (r"…", r".*?"),
    (r"─+", r"─+"),
    (r"\s+", r"\s+"),
)
_TOKEN = re.compile("|".join(f"(?P<t{place}>{found})" for place, (found, _) in enumerate(_SHAPES)))


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a transcript and what the page says it printed."""

    page: str
    line: int
    machine: str
    command: str
    output: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.machine}$ {self.command}"


def steps(path: Path, heading: str = "") -> list[Step]:
    """Every step of a page, or of the section under one heading, in order."""
    text = path.read_text("utf-8")
    start, end = _section(text, heading)
    found = []
    for fence in FENCE.finditer(text, start, end):
        first = text.count("\n", 0, fence.start("lines")) + 1
        read = list(_steps(path.name, first, fence["lines"].splitlines()))
        found += [replace(step, output=("…",)) for step in read] if fence["drill"] else read
    return found


def is_well(line: str) -> bool:
    """Whether a line of a doctor's examination tells of nothing to look at, today's calendar left aside."""
    return bool(_WELL.match(line))


def lines_of(path: Path, heading: str) -> range:
    """The lines of the section under one heading, the first of a page being 1."""
    text = path.read_text("utf-8")
    start, end = _section(text, heading)
    return range(text.count("\n", 0, start) + 1, text.count("\n", 0, end) + 1)


def subtitles(path: Path, heading: str) -> list[str]:
    """The headings one level down in a section, in order."""
    text = path.read_text("utf-8")
    start, end = _section(text, heading)
    return re.findall(r"^### (.*)$", text[start:end], re.MULTILINE)


def _section(text: str, heading: str) -> tuple[int, int]:
    if not heading:
        return 0, len(text)
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"there is no section {heading!r}"
    after = re.compile(rf"^#{{1,{len(start.group(1))}}} ", re.MULTILINE).search(text, start.end())
    return start.end(), after.start() if after else len(text)


def _steps(page: str, first: int, lines: Sequence[str]) -> Iterator[Step]:
    at = 0
    while at < len(lines):
        prompt = PROMPT.match(lines[at])
        assert prompt is not None, f"{page}:{first + at}: output without a command"
        begin, command = at, prompt["command"]
        while command.endswith("\\"):
            at += 1
            command = f"{command[:-1].rstrip()} {lines[at].strip()}"
        at += 1
        output = []
        while at < len(lines) and not PROMPT.match(lines[at]):
            output.append(lines[at])
            at += 1
        yield Step(page, first + begin, prompt["machine"], command, tuple(output))


class Names:
    """What the page calls the hashes and keys that are others at every run."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def learn(self, written: str, real: str) -> bool:
        """Remember what the page's word stands for, in groups or joined; False where it stood for another before."""
        if real == written:
            return True
        self._real.setdefault(written, real)
        joined = self._real.setdefault(written.replace(" ", ""), real.replace(" ", ""))
        return joined == real.replace(" ", "")

    def to_real(self, command: str) -> str:
        """The command with the real values in it."""
        return _replaced(command, self._real)

    def to_written(self, text: str) -> str:
        """What was printed, with the page's words where they are known."""
        return _replaced(text, {real: written for written, real in self._real.items()})


def _replaced(text: str, words: dict[str, str]) -> str:
    """The text with whole words replaced: the beginning of a hash is another word than the hash."""
    if not words:
        return text
    longest_first = sorted(words, key=len, reverse=True)
    pattern = "|".join(re.escape(word) for word in longest_first)
    return re.sub(rf"(?<![0-9A-Za-z])(?:{pattern})(?![0-9A-Za-z])", lambda found: words[found.group()], text)


def match(
    written: Sequence[str],
    printed: Sequence[str],
    names: Names,
    *,
    whole: bool = True,
    may_skip: Callable[[str], bool] = lambda _: True,
) -> str:
    """Compare what the page says with what was printed; what differs, empty where nothing does.

    whole: whether nothing else may have been printed after it; may_skip: which lines a line `…` may stand for, an
    indented line going with the one before it.
    """
    expected = [line for line in written if line.strip()]
    lines = [line for line in printed if line.strip()]
    at = 0
    for place, line in enumerate(expected):
        if line.strip() == "…":
            if place + 1 == len(expected):
                return _left_out(lines[at:], may_skip)
            begin = at
            at = next(
                (n for n in range(at, len(lines)) if _fits(expected[place + 1], lines[n]) is not None), len(lines)
            )
            if left_out := _left_out(lines[begin:at], may_skip):
                return left_out
            continue
        if at >= len(lines):
            return f"nothing like {line!r} was printed"
        fit = _fits(line, lines[at])
        if fit is None:
            return f"the page says {line!r}, but {lines[at]!r} was printed"
        for word, real in fit:
            if not names.learn(word, real):
                return f"the page says {word} again, but {real!r} is another one"
        at += 1
    return f"the page does not say {lines[at]!r}" if whole and at < len(lines) else ""


def _left_out(lines: Sequence[str], may_skip: Callable[[str], bool]) -> str:
    kept = [line for line in lines if not line.startswith(" ") and not may_skip(line)]
    return f"the page leaves out {kept[0]!r}" if kept else ""


def _fits(written: str, printed: str) -> list[tuple[str, str]] | None:
    """The pairs of what the page says and what was printed for all that varies; None where the lines differ."""
    text, pattern, words, at = written.strip(), "", [], 0
    for token in _TOKEN.finditer(text):
        shape = int(str(token.lastgroup)[1:])
        is_learnt = shape < _LEARNT
        pattern += re.escape(text[at : token.start()]) + (f"({_SHAPES[shape][1]})" if is_learnt else _SHAPES[shape][1])
        words += [token.group()] if is_learnt else []
        at = token.end()
    found = re.fullmatch(pattern + re.escape(text[at:]), printed.strip())
    return None if found is None else list(zip(words, found.groups(), strict=True))
