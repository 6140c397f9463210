"""What other processes make of the same script: the order of their hashes is not ours."""

import subprocess
import sys

from tests.simulator.towns import ROOT


def printed_elsewhere(script: str) -> list[str]:
    """What two processes print that share nothing with this one, and salt their hashes each in its own way."""
    return [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        ).stdout.rstrip("\n")
        for salt in ("1", "2")
    ]
