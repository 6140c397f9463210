"""The address book of a serving registry: the members' own signed addresses, kept while the process lives.

Nobody trusts the registry for them; a registry that starts again is told them anew within one refresh of each member.
"""

from threading import Lock

from node.core.address import book_digest, open_address
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Members
from node.pb import envelope_pb2, registry_pb2


class AddressBook:
    """The newest address record of each member; as large as the network at most."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lock = Lock()
        self._held: dict[str, tuple[registry_pb2.AddressRecord, envelope_pb2.Envelope]] = {}

    def share(
        self, members: Members, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> list[envelope_pb2.Envelope]:
        """Take an active member's address and give all others; raises ADDRESS, SIGNATURE, MEMBER_*."""
        verified = open_address(address, members, self._limits)
        record = verified.record
        members.active(record.node)
        with self._lock:
            known = self._held.get(record.node)
            if known is None or known[0].sequence < record.sequence:
                self._held[record.node] = (record, verified.envelope)
            held = dict(sorted(self._held.items()))
        if known_digest == book_digest(record for record, _ in held.values()):
            return []
        others = [envelope for node, (_, envelope) in held.items() if node != record.node]
        return others[: self._limits.max_addresses_per_hello]
