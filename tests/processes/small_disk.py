"""A node whose home is on 8 MiB, where this machine permits mounts in a namespace of their own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes.commands import ROOT, Command
from tests.processes.network import SHANGHAI, Town

OURS = {"PYTHONPATH": str(ROOT)}


def serve_on_a_small_disk(town: Town, folder: Path) -> "Inside":
    """Serve Shanghai with its home on 8 MiB: everybody else sees an empty folder, so commands enter by its process."""
    home = town.home(SHANGHAI.id)
    with_space = Path(shutil.move(home, folder / "home"))
    small_disk = folder / "disk"
    small_disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=8m,mode=0700 tmpfs {small_disk} && cp -a {with_space}/. {small_disk}/ "
        f'&& ln -s {small_disk} {home} && exec "$@"'
    )
    inside = ["unshare", "--mount", "sh", "-c", script, "inside"]
    tried = subprocess.run([*inside, "true"], capture_output=True, text=True, check=False)
    home.unlink(missing_ok=True)
    if tried.returncode:
        pytest.skip(f"a mount namespace is not permitted here: {tried.stderr.strip()}")
    town.serve_program(SHANGHAI.id, before=inside, environment=OURS)
    return Inside(town, town.serving[SHANGHAI.id].pid)


class Inside:
    """Commands in the mount namespace of a node."""

    def __init__(self, town: Town, pid: int) -> None:
        self._town = town
        self._enter = ["nsenter", "--mount", "--target", str(pid)]
        self._ballast = town.home(SHANGHAI.id) / "ballast"

    def start(self, *argv: object) -> Command:
        return self._town.commands.start_program(
            *argv, "--home", self._town.home(SHANGHAI.id), "--json", before=self._enter, environment=OURS
        )

    def fill(self, spare_bytes: int = 262_144) -> None:
        """Leave as much, and no more."""
        script = f"dd if=/dev/zero of={self._ballast} bs=4096 2>/dev/null; truncate -s -{spare_bytes} {self._ballast}"
        subprocess.run([*self._enter, "sh", "-c", script], check=True)

    def free(self) -> None:
        """Give back what was filled."""
        subprocess.run([*self._enter, "rm", str(self._ballast)], check=True)
