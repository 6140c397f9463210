"""Starting xinqiao commands as processes, waiting for them with deadlines, and ending every one of them."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
XINQIAO = Path(sys.executable).with_name("xinqiao")
COMMAND_DEADLINE_S = 60.0
POLL_S = 0.05


def wait_until(found: Callable[[], T], what: str, deadline_s: float = 30.0, poll_s: float = POLL_S) -> T:
    """Ask until the answer is true, and return it; a deadline that passes fails the test and says what was awaited."""
    until = time.monotonic() + deadline_s
    while not (answer := found()):
        assert time.monotonic() < until, f"after {deadline_s:g} s still not: {what}"
        time.sleep(poll_s)
    return answer


@dataclass
class Command:
    """A command that runs or has run."""

    argv: Sequence[str]
    out: Path
    err: Path
    pid: int = 0
    status: int | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is None

    def wait(self, deadline_s: float = COMMAND_DEADLINE_S) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        with self.changed:
            ended = self.changed.wait_for(lambda: self.status is not None, deadline_s)
        assert ended, f"{self} did not end within {deadline_s:g} s\n{self.stderr}"
        assert self.status is not None
        return self.status

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.running:
            os.kill(self.pid, number)

    @property
    def stdout(self) -> str:
        """What it has said so far."""
        return self.out.read_text("utf-8") if self.out.exists() else ""

    @property
    def stderr(self) -> str:
        """What it has told people so far."""
        return self.err.read_text("utf-8", "replace") if self.err.exists() else ""

    def documents(self) -> list[dict[str, Any]]:
        """The JSON documents on stdout."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def __str__(self) -> str:
        return f"xinqiao {' '.join(self.argv)}"


class Commands:
    """Starts commands: as forks of one warm process, or as the installed program itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._by_key: dict[str, Command] = {}
        self._programs: list[subprocess.Popen[bytes]] = []
        self.started: list[Command] = []
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.forking"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def start(self, *argv: object, environment: Mapping[str, str] | None = None) -> Command:
        """Start a command in the warm process."""
        command = self._command(argv)
        key = command.out.stem
        self._by_key[key] = command
        order = {
            "key": key,
            "argv": command.argv,
            "environment": clean_environment() | dict(environment or {}),
            "directory": str(self._folder),
            "stdout": str(command.out),
            "stderr": str(command.err),
        }
        assert self._warm.stdin is not None
        self._warm.stdin.write(json.dumps(order).encode() + b"\n")
        self._warm.stdin.flush()
        with command.changed:
            assert command.changed.wait_for(lambda: command.pid != 0, COMMAND_DEADLINE_S), "the warm process is gone"
        return command

    def start_program(
        self, *argv: object, environment: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> Command:
        """Start the installed program, with nothing shared; `before` is what it is started by."""
        command = self._command(argv)
        with command.out.open("ab") as out, command.err.open("ab") as err:
            process = subprocess.Popen(
                [*before, str(XINQIAO), *command.argv],
                cwd=self._folder,
                env=clean_environment() | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        command.pid = process.pid
        self._programs.append(process)
        threading.Thread(target=lambda: _tell(command, status=process.wait()), daemon=True).start()
        return command

    def _command(self, argv: Sequence[object]) -> Command:
        stem = f"{next(self._numbers):05d}"
        command = Command([str(each) for each in argv], self._folder / f"{stem}.out", self._folder / f"{stem}.err")
        self.started.append(command)
        return command

    def _read(self) -> None:
        assert self._warm.stdout is not None
        for line in self._warm.stdout:
            said = json.loads(line)
            _tell(self._by_key[said["key"]], **{name: said[name] for name in ("pid", "status") if name in said})

    def close(self) -> None:
        """End everything that still runs."""
        assert self._warm.stdin is not None
        self._warm.stdin.close()
        self._warm.wait()
        self._reader.join()
        for process in self._programs:
            process.kill()
            process.wait()


def _tell(command: Command, **found: int) -> None:
    with command.changed:
        for name, value in found.items():
            setattr(command, name, value)
        command.changed.notify_all()


def clean_environment() -> dict[str, str]:
    """What a command needs of this environment, and no setting of the one who runs the tests."""
    return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
