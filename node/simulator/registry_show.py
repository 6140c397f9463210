"""What the registry shows to whom: honest to all, unless a fault says otherwise for some nodes."""

from collections.abc import Iterable
from typing import Literal

from node.simulator.authority import Authority, Files

RegistryFaultKind = Literal["unreachable", "rolled-back", "frozen", "expired", "two-faced"]
FAULTS: tuple[RegistryFaultKind, ...] = ("unreachable", "rolled-back", "frozen", "expired", "two-faced")


class RegistryShow:
    """One registry as each node is shown it. Only the asking node counts: nodes go on telling each other the truth.

    unreachable: nothing. rolled-back: what was published before the newest snapshot. frozen: what was published when
    the fault began. expired: each publication under a timestamp that ended long ago. two-faced: a second face of each
    publication, the first one made with the fault, so that both faces are taken by somebody.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._faults: dict[str, RegistryFaultKind] = {}
        self._shown: dict[str, Files] = {}

    def fault_of(self, node: str) -> RegistryFaultKind | None:
        """How the registry misbehaves towards a node, None where it does not."""
        return self._faults.get(node)

    def files_for(self, node: str) -> Files | None:
        """The files a node is shown when it asks now, by published name; None where nobody answers it."""
        match self._faults.get(node):
            case "unreachable":
                return None
            case "rolled-back" | "frozen":
                return self._shown[node]
            case "expired":
                return self._authority.expired_face()
            case "two-faced":
                return self._authority.second_face()
            case _:
                return self._authority.files()

    def set_fault(self, how: RegistryFaultKind, nodes: Iterable[str], now_ms: int) -> None:
        """Misbehave towards nodes from now on; a fault they had before ends."""
        named = sorted(set(nodes))
        self.clear(named, now_ms)
        if how == "two-faced":
            self._authority.part(now_ms)
        shown = self._authority.earlier_files() if how == "rolled-back" else self._authority.files()
        self._faults.update(dict.fromkeys(named, how))
        self._shown.update(dict.fromkeys(named, shown))

    def clear(self, nodes: Iterable[str], now_ms: int) -> None:
        """Be honest to nodes again; after a second face with a publication that holders of either can take."""
        ended = [self._faults.pop(node, None) for node in nodes]
        if "two-faced" in ended:
            self._authority.publish(now_ms)
