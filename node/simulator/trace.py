"""The trace of a run: every event in its order, as one digest, and as a timeline that people read."""

import hashlib
from collections import deque
from collections.abc import Callable

TIMELINE_KEPT = 200_000
"""How many of the last lines a timeline keeps."""


class Trace:
    """Notes events. Two runs are the same exactly if their digests are."""

    def __init__(self, now_s: Callable[[], float], *, keep: bool = False) -> None:
        self._now_s = now_s
        self._hash = hashlib.sha256()
        self._lines: deque[tuple[float, str]] | None = deque(maxlen=TIMELINE_KEPT) if keep else None
        self.events = 0

    def note(self, kind: str, node: str, **facts: object) -> None:
        """Note that something happened at a node, or between it and another."""
        now_s = self._now_s()
        told = " ".join([kind, *(f"{name}={found}" for name, found in facts.items())])
        line = f"{node:<8} {told}"
        self._hash.update(f"{now_s:.6f} {line}\n".encode())
        self.events += 1
        if self._lines is not None:
            self._lines.append((now_s, line))

    @property
    def digest(self) -> str:
        """SHA-256 over every event, its time and its facts, in lower-case hex."""
        return self._hash.hexdigest()

    @property
    def timeline(self) -> list[str]:
        """The last events as lines, oldest first; empty unless they are kept."""
        return [f"{clock(at_s)}  {line}" for at_s, line in self._lines or ()]


def clock(at_s: float) -> str:
    """A virtual time as h:mm:ss.mmm."""
    minutes, seconds = divmod(at_s, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:06.3f}"
