"""The most memory that a process has held."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_kibibytes() -> int:
    """The peak resident memory of this process: what the kernel says of it alone, where it says so.

    ru_maxrss of a child begins with what its parent held when it was forked.
    """
    if STATUS.exists():
        return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
