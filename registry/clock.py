"""The clock of the registry's commands, which hand `now` to everything further in."""

import time


def now_ms() -> int:
    """The time in Unix ms."""
    return time.time_ns() // 1_000_000
