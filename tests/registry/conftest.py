"""A founded network for each test; founding one takes 30 ms, copying the folders less."""

import shutil
from pathlib import Path

import pytest

from tests.registry.town import Node, Town


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The network as it was founded; never changed."""
    return Town(tmp_path_factory.mktemp("founded")).found()


@pytest.fixture(scope="session")
def settled(founded: Town, tmp_path_factory: pytest.TempPathFactory) -> tuple[Town, Node]:
    """The network with one member; never changed."""
    town = moved(founded, tmp_path_factory.mktemp("settled") / "town")
    return town, town.admit(Node("310115"))


@pytest.fixture
def town(founded: Town, tmp_path: Path) -> Town:
    """A copy of the founded network."""
    return moved(founded, tmp_path / "town")


@pytest.fixture
def member(settled: tuple[Town, Node], tmp_path: Path) -> tuple[Town, Node]:
    """A copy of the network with the member 310115."""
    return moved(settled[0], tmp_path / "town"), settled[1]


def moved(town: Town, folder: Path) -> Town:
    """The same network in another folder."""
    shutil.copytree(town.folder, folder)
    copy = Town(folder, len(town.officers), town.threshold)
    copy.network, copy.root_fingerprint = town.network, town.root_fingerprint
    return copy
