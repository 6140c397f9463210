"""Replays transcripts: every machine is a folder, every command the real one, over real processes and ports.

Commands that end at once run in this process, which spares the start of an interpreter; `serve` and `join` run as
processes of their own, and whatever is no xinqiao command is given to bash.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from node.cli.main import main
from tests.docs.transcript import Names, Step, is_well, match

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
PATIENCE_S = 30.0
POLL_S = 0.1
# The defaults fit an office, not a test: what a page shows after minutes is there after seconds.
FAST = {"heartbeat_interval_s": 1, "registry_refresh_s": 1, "key_settle_s": 2, "retry_cap_s": 1}
REPORTED_S = 3.0
LISTENING = re.compile(r"(?P<host>[a-z0-9-]+\.example|0\.0\.0\.0|127\.0\.0\.1):(?P<port>\d{2,5})")
PATHS = re.compile(r"(?<![\w./-])/(?:var|etc|srv|home|media)/[\w./-]*")
OF_THE_SHELL = re.compile(r" (?:\||;|&&|[0-9]?[<>])")
ASKING = (
    *("status", "peers", "channel list", "channel show", "records", "prove", "keys list", "registry requests"),
    *("doctor", "matters list", "check"),
)
# Set where this process has mounts of its own, so that a small disk can be mounted on a machine.
MAY_MOUNT = "XINQIAO_TEST_MAY_MOUNT"
# Clocks that can be set, and the only programs that are not the real ones: those that set them.
CLOCK = Path(__file__).parent / "clock"
STAND_INS = {"chronyc": "#!/bin/sh\n: > {clock}\necho '200 OK'\n"}


@dataclass
class Running:
    """A command that was left running."""

    step: Step
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def lines(self) -> list[str]:
        """What it has printed so far."""
        return self.log.read_text("utf-8", "replace").splitlines()


@dataclass
class Replay:
    """The machines of a story, and the commands typed on them so far."""

    language: str = "en"
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="xq")))
    names: Names = field(default_factory=Names)
    running: list[Running] = field(default_factory=list)
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    ports: dict[tuple[str, str], int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    printed: dict[Step, list[str]] = field(default_factory=dict)

    def play(self, story: Iterable[Step]) -> None:
        """Type every command; what did not print what the page says is kept in wrong."""
        for step in story:
            self._wait_for_joining(step.machine)
            self._type(step)
        self._wait_for_joining()

    def close(self) -> None:
        """End whatever runs, and remove the machines."""
        for each in self.running:
            if each.process.poll() is None:
                each.process.send_signal(signal.SIGTERM)
        for each in self.running:
            try:
                each.process.wait(15)
            except subprocess.TimeoutExpired:
                each.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def metric_names(self, machine: str, port: str) -> set[str]:
        """The names of the metrics that a node shows at a port of the page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[machine, port]}/metrics") as answer:
            text = answer.read().decode()
        # A gauge that has nothing to count yet shows its type alone.
        return set(re.findall(r"^(?:# TYPE (?=\w+ gauge))?(xinqiao_\w+)", text, re.MULTILINE))

    # -- typing --------------------------------------------------------------------------------------------

    def _type(self, step: Step) -> None:
        words = shlex.split(self._here(step))
        if words[0] == "export":
            name, _, value = self._here(step).removeprefix("export ").partition("=")
            shown = Step(step.page, step.line, step.machine, f"printf %s {value}", ())
            self.environment.setdefault(step.machine, {})[name] = "\n".join(self._run_shell(shown, as_it_is=True))
        elif words[0] != "xinqiao" or OF_THE_SHELL.search(step.command):
            self._expect(step, lambda: self._run_shell(step))
        elif "serve" in words or "join" in words:
            self._start(step, words)
        else:
            self._expect(step, lambda: self._run_here(step, words[1:]))
            self._hurry(step.machine, words)

    def _expect(self, step: Step, run: Callable[[], list[str]]) -> None:
        """Run it; a question is asked again until the answer is the one on the page, for a while."""
        if "propose suspend" in step.command:
            # The cut lies where the members last reported the heads.
            time.sleep(REPORTED_S)
        asks = any(f"xinqiao {command}" in step.command for command in ASKING)
        may_skip = is_well if "xinqiao doctor" in step.command else lambda _: True
        until = time.monotonic() + (PATIENCE_S if asks and step.output else 0)
        while True:
            self.printed[step] = run()
            fault = match(step.output, self.printed[step], self.names, may_skip=may_skip)
            if not fault or time.monotonic() >= until:
                break
            time.sleep(POLL_S)
        self._note(step, fault)

    def _note(self, step: Step, fault: str) -> None:
        if fault:
            self.wrong.append(f"{step}\n    {fault}")

    def _run_here(self, step: Step, words: list[str]) -> list[str]:
        runner = CliRunner(env=self._environment(step.machine))
        with chdir(self.machine(step.machine)):
            outcome = runner.invoke(main, words, input="y\n", prog_name="xinqiao")
        return self._written(step.machine, outcome.output)

    def _run_shell(self, step: Step, *, as_it_is: bool = False) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", self._here(step)],
            cwd=self.machine(step.machine),
            env=self._environment(step.machine),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PATIENCE_S,
        )
        text = done.stdout.decode("utf-8", "replace")
        return text.splitlines() if as_it_is else self._written(step.machine, text)

    # -- commands that stay --------------------------------------------------------------------------------

    def _start(self, step: Step, words: list[str]) -> None:
        log = self.folder / f"{len(self.running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(PROGRAMS / "xinqiao"), *words[1:]],
                cwd=self.machine(step.machine),
                env=self._environment(step.machine),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        (self.machine(step.machine) / "etc/pid").write_text(str(process.pid), "ascii")
        started = Running(step, process, log)
        self.running.append(started)
        if "join" in words:
            self._await_first_words(started)
        else:
            self._await(started, until_end=False)

    def _await_first_words(self, each: Running) -> None:
        until = time.monotonic() + PATIENCE_S
        while not each.lines and each.process.poll() is None and time.monotonic() < until:
            time.sleep(POLL_S)

    def _wait_for_joining(self, machine: str = "") -> None:
        for each in self.running:
            waits = "xinqiao join" in each.step.command and each.step not in self.printed
            if waits and machine in ("", each.step.machine):
                self._await(each, until_end=True)

    def _await(self, each: Running, *, until_end: bool) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            ended = each.process.poll() is not None
            self.printed[each.step] = self._written(each.step.machine, "\n".join(each.lines))
            fault = match(each.step.output, self.printed[each.step], self.names, whole=until_end)
            done = ended or (not until_end and not fault and each.lines)
            if done or time.monotonic() >= until:
                break
            time.sleep(POLL_S)
        self._note(each.step, fault)

    # -- a machine -----------------------------------------------------------------------------------------

    def machine(self, name: str) -> Path:
        """The folder of a machine, made where it is missing."""
        path = self.folder / name
        if not path.exists():
            for place in ("var/lib", "etc/xinqiao", "home"):
                (path / place).mkdir(parents=True)
            (self.folder / "media" / "stick").mkdir(parents=True, exist_ok=True)
            self._stand_in(path)
        return path

    def _stand_in(self, path: Path) -> None:
        (path / "bin").mkdir()
        for name, script in STAND_INS.items():
            program = path / "bin" / name
            program.write_text(script.format(clock=path / "etc/clock"), "utf-8")
            program.chmod(0o700)

    def _environment(self, machine: str) -> dict[str, str]:
        path = self.machine(machine)
        return {
            "PATH": f"{path / 'bin'}:{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(path / "home"),
            "LC_ALL": "C.UTF-8",
            "XINQIAO_LANG": self.language,
            "PYTHONPATH": os.pathsep.join([str(CLOCK), str(ROOT)]),
            "XINQIAO_TEST_CLOCKS": os.pathsep.join([str(path / "etc/clock"), str(self.folder / "media/clock")]),
            **self.environment.get(machine, {}),
        }

    def _hurry(self, machine: str, words: list[str]) -> None:
        if words[1:2] != ["init"]:
            return
        settings = self.machine(machine) / "var/lib/xinqiao/xinqiao.toml"
        if settings.exists():
            text = settings.read_text("utf-8")
            for name, value in FAST.items():
                text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
            settings.write_text(text, "utf-8")

    # -- between the page and this machine -----------------------------------------------------------------

    def _here(self, step: Step) -> str:
        """The command with the paths, addresses and hashes of this run."""
        command = self.names.to_real(step.command)
        command = PATHS.sub(lambda found: str(self._path(step.machine, found.group())), command)
        return LISTENING.sub(lambda found: self._address(step.machine, found["host"], found["port"]), command)

    def _path(self, machine: str, path: str) -> Path:
        self.machine(machine)
        return (self.folder if path.startswith("/media/") else self.folder / machine) / path[1:]

    def _address(self, machine: str, host: str, port: str) -> str:
        at = host.removesuffix(".example") if host.endswith(".example") else machine
        if (at, port) not in self.ports:
            self.ports[at, port] = _free_port()
        return f"127.0.0.1:{self.ports[at, port]}"

    def _written(self, machine: str, text: str) -> list[str]:
        """What was printed, as the page would have it."""
        text = text.replace(str(self.folder / machine), "").replace(str(self.folder), "")
        for (at, port), real in self.ports.items():
            text = text.replace(f"127.0.0.1:{real}", f"{at}.example:{port}")
        return self.names.to_written(text).splitlines()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
