"""A network of four members, founded once by its officers; each test works on a copy of it with ports of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.commands import Commands
from tests.processes.network import PLANS, Town

_standing: list[Town] = []


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """What starts every process, and ends what is left."""
    started = Commands(tmp_path_factory.mktemp("commands"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Town:
    """The network as its officers founded it: all members listed, nothing running. Never changed."""
    town = Town(tmp_path_factory.mktemp("founded") / "town", commands).found()
    town.serve_registry()
    town.admit(*PLANS)
    town.stop("registry")
    return town


@pytest.fixture
def town(founded: Town, tmp_path: Path) -> Iterator[Town]:
    """A copy of the network whose registry serves; the test starts the nodes it needs."""
    copy = founded.copy(tmp_path / "town")
    _standing.append(copy)
    yield copy
    _standing.remove(copy)
    copy.close()
    assert copy.leaks() == []


@pytest.fixture
def clock_off(tmp_path: Path) -> Path:
    """A folder that, on PYTHONPATH, shifts the clock of an interpreter by XINQIAO_TEST_SHIFT_S seconds."""
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import datetime, os, sys, time\n"
        "shift_s = int(os.environ['XINQIAO_TEST_SHIFT_S'])\n"
        "true_ns, true_s, true_datetime = time.time_ns, time.time, datetime.datetime\n"
        "time.time_ns = lambda: true_ns() + shift_s * 1_000_000_000\n"
        # gRPC's own deadlines are absolute times, which its core compares with the true clock.
        "inside_grpc = lambda: sys._getframe(2).f_globals['__name__'].startswith('grpc')\n"
        "time.time = lambda: true_s() + (0 if inside_grpc() else shift_s)\n"
        "class AsBefore(type):\n"
        "    def __instancecheck__(cls, instance):\n"
        "        return isinstance(instance, true_datetime)\n"
        "class Shifted(true_datetime, metaclass=AsBefore):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return true_datetime.now(tz) + datetime.timedelta(seconds=shift_s)\n"
        "datetime.datetime = Shifted\n"
    )
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Show what every process said where a test failed."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {node}", tail) for town in _standing for node, tail in town.tails()]
    return report
