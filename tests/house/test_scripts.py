"""The scripts run on a bare machine and say what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    path
    for path in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]
    if path.is_file() and path.suffix in ("", ".sh") and path.read_bytes().split(b"\n")[0].find(b"python") < 0
)


def find_python(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap's search in an environment that holds nothing but what is given."""
    return subprocess.run(
        ["/bin/bash", "-c", f"source {ROOT}/scripts/bootstrap.sh; find_python"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def write_program(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_bash_can_parse_the_script(script: Path) -> None:
    assert subprocess.run(["/bin/bash", "-n", str(script)], check=False).returncode == 0


@pytest.mark.parametrize(
    "script", [path for path in SCRIPTS if not path.suffix], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_command_is_executable_and_stops_at_the_first_failure(script: Path) -> None:
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text


def test_an_interpreter_that_does_not_run_or_is_too_old_is_passed_over(tmp_path: Path) -> None:
    write_program(tmp_path / "shims" / "python3", "exit 127")
    write_program(tmp_path / "old" / "python3", 'case "$*" in *version_info*) exit 1 ;; esac')
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "python3").symlink_to(sys.executable)
    path = ":".join(str(tmp_path / name) for name in ("shims", "old", "good"))
    found = find_python(PATH=f"{path}:/usr/bin:/bin")
    assert (found.returncode, found.stdout.strip()) == (0, str(tmp_path / "good" / "python3"))


def test_without_any_python_the_message_says_what_to_install() -> None:
    found = find_python(PATH="/usr/bin:/bin", XINQIAO_PYTHON="no-such-python")
    assert found.returncode == 1
    assert found.stdout == ""
    assert "No Python 3.11 or newer" in found.stderr
    assert "apt-get install python3 python3-venv" in found.stderr
    assert "no-such-python" in found.stderr


def test_a_chosen_interpreter_is_used() -> None:
    found = find_python(PATH="/usr/bin:/bin", XINQIAO_PYTHON=sys.executable)
    assert (found.returncode, found.stdout.strip()) == (0, sys.executable)
